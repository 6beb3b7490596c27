/* The values that iterators keep: union-find over the iterators of a nest, joined where they
 * index the same dimension of an array that is written and read inside. */
#include "tests/nests/cut.h"

#include <stdio.h>

/* Values that are kept: enough for several blocks of what block sizes there are, with a tail at
 * the low corner and mostly without at the high one. Memory is walked along the wide ones, in
 * blocks of 16 or 32. */
enum {
    KEEP_LOW = 11,
    KEEP_HIGH = 12,
    WIDE_LOW = 37,
    WIDE_HIGH = 64,
    KEEP_LEAST = 3,
    LONG_REDUCE = 37,    // steps: a reduction that is longer does not become shorter than that
    MOST_STEPS = 300000, // of a statement, before more is taken away
};

const struct expr *cut_reduce(const struct expr *e) {
    const struct expr *found = e->kind == EXPR_REDUCE ? e : NULL;
    for (int k = 0; k < e->n && !found; k++)
        found = cut_reduce(e->arg[k]);
    return found;
}

int cut_find(const struct cut *c, const struct cut_member *m, const char *name) {
    for (int v = m->first; v < m->first + m->num; v++)
        if (strcmp(c->vars.data[v].name, name) == 0)
            return v;
    return -1;
}

/* ---- members ---- */

static void add_var(struct cut *c, const struct iter *iter, char letter, int number) {
    char fresh[16];
    snprintf(fresh, sizeof fresh, "%c%d", letter, number);
    struct cut_var v = {
        .name = iter->name, .extent = iter->extent, .parent = c->vars.len, .floor = KEEP_LEAST};
    v.fresh = intern(c->names, fresh);
    if (!expr_as_int(iter->extent, &v.full))
        v.full = -1;
    v.fixed = v.full < 0;
    vec_push(&c->arena, &c->vars, v);
}

/* A long reduction stays one: short ones are treated otherwise. Its longest iterator sees to
 * that, whatever the others keep. */
static void keep_long(struct cut *c, int first, int end) {
    int64_t steps = 1, least = 1, most = 1;
    int longest = -1;
    for (int v = first; v < end; v++) {
        int64_t full = c->vars.data[v].full;
        if (full < 0 || !size_mul(steps, full, &steps))
            return;
        least *= full < KEEP_LEAST ? full : KEEP_LEAST;
        longest = full > most ? v : longest;
        most = full > most ? full : most;
    }
    if (steps <= LONG_REDUCE || longest < 0)
        return;
    least /= most < KEEP_LEAST ? most : KEEP_LEAST;
    c->vars.data[longest].floor = (LONG_REDUCE + least - 1) / least;
}

static void add_member(struct cut *c, const struct stmt *s, bool filler) {
    struct cut_member m = {.stmt = s, .filler = filler, .first = c->vars.len};
    const struct expr *reduce = filler ? NULL : cut_reduce(s->rhs);
    for (int k = 0; k < s->num_iters; k++)
        add_var(c, &s->iters[k], 'i', k);
    m.own = c->vars.len - m.first;
    for (int v = c->vars.len - 1, wide = 0; v >= m.first && !wide; v--)
        wide = c->vars.data[v].wide = c->vars.data[v].full > 1;
    for (int k = 0; reduce && k < reduce->num_iters; k++)
        add_var(c, &reduce->iters[k], 'r', k);
    m.num = c->vars.len - m.first;
    keep_long(c, m.first + m.own, c->vars.len);
    vec_push(&c->arena, &c->members, m);
}

/* Marks the roots of arrays that are loaded. */
struct mark {
    const struct loops *l;
    bool *roots;
};

static void mark_load(void *user, const struct expr *e) {
    struct mark *m = user;
    if (e->kind == EXPR_LOAD)
        m->roots[loops_root(m->l, e->array)] = true;
}

static void find_inside(struct cut *c) {
    const struct loops *l = c->nest->loops;
    bool *written = arena_array(&c->arena, bool, l->arrays.len);
    struct mark m = {l, arena_array(&c->arena, bool, l->arrays.len)};
    for (int k = 0; k < c->nest->num; k++) {
        const struct stmt *s = c->nest->stmts[k];
        written[loops_root(l, s->array)] = true;
        expr_walk(s->rhs, mark_load, &m);
    }
    for (int k = 0; k < l->arrays.len; k++)
        m.roots[k] = m.roots[k] && written[k];
    c->inside = m.roots;
}

static bool is_in_nest(const struct small_nest *nest, const struct stmt *s) {
    bool found = false;
    for (int k = 0; k < nest->num; k++)
        found |= nest->stmts[k] == s;
    return found;
}

/* Where steps of a repeat are told apart by arrays of their own (small.c), what the nest reads
 * of others is an input: there are no fillers. */
static void add_members(struct cut *c) {
    const struct small_nest *nest = c->nest;
    bool fills = nest->num_repeats == 0 && !nest->branched;
    const struct stmt *s = fills ? nest->loops->body.first : NULL;
    for (; s && s != nest->stmts[0]; s = s->next)
        if (s->kind == STMT_COMPUTE && c->inside[loops_root(nest->loops, s->array)] &&
            !is_in_nest(nest, s))
            add_member(c, s, true);
    for (int k = 0; k < nest->num; k++)
        add_member(c, nest->stmts[k], false);
}

/* ---- accesses ---- */

struct collect {
    struct cut *cut;
    int member;
};

static void add_load(void *user, const struct expr *e) {
    struct collect *x = user;
    struct cut_access a = {.member = x->member, .array = e->array, .index = e->arg};
    if (e->kind == EXPR_LOAD)
        vec_push(&x->cut->arena, &x->cut->accesses, a);
}

static void find_accesses(struct cut *c) {
    const struct loops *l = c->nest->loops;
    for (int k = 0; k < c->members.len; k++) {
        const struct cut_member *m = &c->members.data[k];
        const struct stmt *s = m->stmt;
        struct collect x = {c, k};
        if (!m->filler)
            expr_walk(s->rhs, add_load, &x);
        struct cut_access w = {k, s->array, s->index, true};
        vec_push(&c->arena, &c->accesses, w);
    }
    int *shape = arena_array(&c->arena, int, l->arrays.len); // 1 + the array a root is known by
    c->whole = arena_array(&c->arena, bool, l->arrays.len);
    for (int k = 0; k < c->accesses.len; k++) {
        int array = c->accesses.data[k].array, root = loops_root(l, array);
        c->whole[root] |= c->inside[root] && shape[root] && shape[root] != array + 1;
        shape[root] = array + 1;
    }
}

/* ---- what keeps the same values ---- */

static int find_root(const struct cut *c, int v) {
    while (c->vars.data[v].parent != v)
        v = c->vars.data[v].parent;
    return v;
}

static void join(struct cut *c, int v, int w) {
    int from = find_root(c, v), to = find_root(c, w);
    c->vars.data[from].parent = to;
    c->vars.data[to].fixed |= c->vars.data[from].fixed;
    c->vars.data[to].wide |= c->vars.data[from].wide;
    if (c->vars.data[from].floor > c->vars.data[to].floor)
        c->vars.data[to].floor = c->vars.data[from].floor;
}

/* The variable that dimension d of an access is; -1: it is something else. */
static int plain_var(const struct cut *c, const struct cut_access *a, int d) {
    const struct expr *e = a->index[d];
    return e->kind == EXPR_VAR ? cut_find(c, &c->members.data[a->member], e->name) : -1;
}

static void fix_var(void *user, const struct expr *e) {
    const struct collect *x = user;
    const struct cut *c = x->cut;
    int v = e->kind == EXPR_VAR ? cut_find(c, &c->members.data[x->member], e->name) : -1;
    if (v >= 0)
        c->vars.data[find_root(c, v)].fixed = true;
}

/* Dimension d of an array inside, which has this shape only. */
static void tie_dimension(struct cut *c, int array, int d) {
    bool plain = true;
    int first = -1;
    for (int k = 0; k < c->accesses.len; k++)
        if (c->accesses.data[k].array == array)
            plain = plain && plain_var(c, &c->accesses.data[k], d) >= 0;
    for (int k = 0; k < c->accesses.len; k++) {
        const struct cut_access *a = &c->accesses.data[k];
        struct collect x = {c, a->member};
        if (a->array != array)
            continue;
        if (!plain && a->write)
            expr_walk(a->index[d], fix_var, &x);
        else if (plain && first >= 0)
            join(c, plain_var(c, a, d), first);
        else if (plain)
            first = plain_var(c, a, d);
    }
}

static void fix_writers(struct cut *c, int root) {
    const struct loops *l = c->nest->loops;
    for (int k = 0; k < c->accesses.len; k++) {
        const struct cut_access *a = &c->accesses.data[k];
        struct collect x = {c, a->member};
        for (int d = 0; d < l->arrays.data[a->array].rank; d++)
            if (a->write && loops_root(l, a->array) == root)
                expr_walk(a->index[d], fix_var, &x);
    }
}

static void tie(struct cut *c) {
    const struct loops *l = c->nest->loops;
    bool *done = arena_array(&c->arena, bool, l->arrays.len);
    for (int k = 0; k < c->accesses.len; k++) {
        int array = c->accesses.data[k].array, root = loops_root(l, array);
        if (done[array] || !c->inside[root])
            continue;
        done[array] = true;
        if (c->whole[root])
            fix_writers(c, root);
        for (int d = 0; d < l->arrays.data[array].rank && !c->whole[root]; d++)
            tie_dimension(c, array, d);
    }
}

/* ---- how many ---- */

/* The least extent of the class that v is the root of. */
static int64_t least_extent(const struct cut *c, int v) {
    int64_t least = INT64_MAX;
    for (int k = 0; k < c->vars.len; k++)
        if (find_root(c, k) == v && c->vars.data[k].full < least)
            least = c->vars.data[k].full;
    return least;
}

static int64_t count_of(const struct cut *c, const struct cut_var *v) {
    int64_t max = v->full >= 0 ? 0 : loops_extent(c->nest->loops, v->extent);
    return v->full >= 0 ? v->count : max < 0 ? 1 : max < CUT_SYMBOL ? max : CUT_SYMBOL;
}

static int64_t steps_of(const struct cut *c, const struct cut_member *m) {
    int64_t n = 1;
    for (int v = m->first; v < m->first + m->num; v++)
        if (!size_mul(n, count_of(c, &c->vars.data[v]), &n))
            return INT64_MAX;
    return n;
}

/* The class of a member that keeps the most values, outermost first, a wide one last; -1: none
 * can do with less. */
static int find_largest(const struct cut *c, const struct cut_member *m, bool wide) {
    int best = -1;
    int64_t most = 0;
    for (int v = m->first; v < m->first + m->num; v++) {
        int root = find_root(c, v);
        const struct cut_var *class = &c->vars.data[root];
        if (!class->fixed && class->wide == wide && class->count > class->floor &&
            class->count > most) {
            most = class->count;
            best = root;
        }
    }
    return best < 0 && !wide ? find_largest(c, m, true) : best;
}

static void set_count(struct cut *c, int root, int64_t count, enum small_corner corner) {
    int64_t least = least_extent(c, root);
    for (int k = 0; k < c->vars.len; k++)
        if (find_root(c, k) == root) {
            c->vars.data[k].count = count;
            c->vars.data[k].base = corner == CORNER_HIGH ? least - count : 0;
        }
}

static void choose_counts(struct cut *c, enum small_corner corner) {
    bool high = corner == CORNER_HIGH;
    for (int k = 0; k < c->vars.len; k++) {
        const struct cut_var *root = &c->vars.data[find_root(c, k)];
        int64_t keep = high ? KEEP_HIGH : KEEP_LOW, least = least_extent(c, root->parent);
        if (root->wide)
            keep = high ? WIDE_HIGH : WIDE_LOW;
        keep = keep < root->floor ? root->floor : keep;
        if (root->fixed)
            c->vars.data[k].count = c->vars.data[k].full;
        else if (root->parent == k)
            set_count(c, k, least < keep ? least : keep, corner);
    }
    for (int k = 0; k < c->members.len; k++) {
        const struct cut_member *m = &c->members.data[k];
        for (int v; steps_of(c, m) > MOST_STEPS && (v = find_largest(c, m, false)) >= 0;)
            set_count(c, v, c->vars.data[v].count - 1, corner);
    }
}

void cut_choose(struct cut *c, const struct small_nest *nest, enum small_corner corner,
                struct intern *names) {
    *c = (struct cut){.nest = nest, .names = names};
    find_inside(c);
    add_members(c);
    find_accesses(c);
    tie(c);
    choose_counts(c, corner);
    for (int k = 0; k < c->members.len; k++) {
        int64_t steps = steps_of(c, &c->members.data[k]);
        if (!size_add(c->steps, steps, &c->steps))
            c->steps = INT64_MAX;
    }
}
