/* Substituting one statement into another.
 *
 * A writer `S[i..]: A[w(i)] = e` gives element a of A where w(i) = a. With the solution for i
 * in place of the iterators e is the value of A[a], wherever a reader loads it. The other way
 * round, a reader that visits every element once is solved for its own iterators, which turns
 * it into something the writer can do right where it has the element.
 *
 * What is left of / and % of an iterator goes by splitting the iterator in two, which keeps the
 * order of iterations. No operation on values is changed, none moves past another. */
#include "passes/fuse.h"

#include "ir/diag.h"

enum { MAX_ITERS = 24, MAX_NODES = 400, MAX_SPLITS = 12 };

static int rank_of(const struct inliner *in, int array) {
    return in->l->arrays.data[array].rank;
}

/* ---- rewriting a statement ---- */

/* What happens to one: iterators replaced, loads replaced, iterators of its reduce changed. */
struct change {
    struct inliner *in;
    const char **names;
    const struct expr **values;
    int num;
    const struct iter *reduce_iters; // instead of those of the reduce, unless NULL
    int num_reduce_iters;
};

static const struct expr *change_node(void *user, const struct expr *e) {
    const struct change *c = user;
    for (int k = 0; k < c->num && e->kind == EXPR_VAR; k++)
        if (e->name == c->names[k])
            return c->values[k];
    if (e->kind != EXPR_REDUCE || !c->reduce_iters)
        return e;
    return expr_reduce(c->in->l->arena, e->func, e->dtype, c->reduce_iters, c->num_reduce_iters,
                       e->arg[0]);
}

/* Rebuilds right-hand side and index of s by fn. */
static void map_stmt(struct inliner *in, struct stmt *s,
                     const struct expr *(*fn)(void *user, const struct expr *e), void *user) {
    int rank = rank_of(in, s->array);
    const struct expr **index = arena_array(in->l->arena, const struct expr *, rank);
    for (int d = 0; d < rank; d++)
        index[d] = expr_map(in->l->arena, s->index[d], fn, user);
    s->index = index;
    s->rhs = expr_map(in->l->arena, s->rhs, fn, user);
}

static void simplify_stmt(struct inliner *in, struct stmt *s) {
    struct scope scope = scope_of(in, s);
    int rank = rank_of(in, s->array);
    const struct expr **index = arena_array(in->l->arena, const struct expr *, rank);
    for (int d = 0; d < rank; d++)
        index[d] = scope_simplify(&scope, s->index[d]);
    s->index = index;
    s->rhs = scope_simplify(&scope, s->rhs);
}

/* Iterators without those of one iteration, which go into `c` as 0. */
static struct iter *drop_units(struct change *c, const struct iter *iters, int *num,
                               bool keep) {
    struct arena *a = c->in->l->arena;
    struct iter *kept = arena_array(a, struct iter, *num);
    int n = 0;
    for (int k = 0; k < *num; k++) {
        bool last = keep && n == 0 && k == *num - 1;
        if (last || !expr_is_int(iters[k].extent, 1)) {
            kept[n++] = iters[k];
            continue;
        }
        c->names[c->num] = iters[k].name;
        c->values[c->num++] = expr_index(a, 0);
    }
    *num = n;
    return kept;
}

void inline_normalise(struct inliner *in, struct stmt *s) {
    const struct expr *reduce = expr_find(s->rhs, EXPR_REDUCE);
    int most = s->num_iters + (reduce ? reduce->num_iters : 0);
    struct change c = {.in = in,
                       .names = arena_array(in->scratch, const char *, most),
                       .values = arena_array(in->scratch, const struct expr *, most)};
    s->iters = drop_units(&c, s->iters, &s->num_iters, false);
    if (reduce) {
        c.num_reduce_iters = reduce->num_iters;
        c.reduce_iters = drop_units(&c, reduce->iters, &c.num_reduce_iters, true);
    }
    if (c.num)
        map_stmt(in, s, change_node, &c);
    simplify_stmt(in, s);
}

/* ---- splitting iterators ---- */

struct split {
    struct scope *scope;
    const struct iter *iter; // NULL: none found
    int64_t radix;
    int divisions; // by constants, in index expressions
};

/* Notes the first / or % of an iterator alone that splitting it would decide. */
static void find_split(void *user, const struct expr *e) {
    struct split *s = user;
    int64_t k, extent;
    if (e->kind != EXPR_FUNC || e->dtype != DTYPE_INDEX ||
        (e->func != FUNC_DIV && e->func != FUNC_REM) || !expr_as_int(e->arg[1], &k))
        return;
    s->divisions++;
    for (int i = 0; i < s->scope->own && !s->iter && e->arg[0]->kind == EXPR_VAR; i++) {
        const struct iter *it = &s->scope->iters.data[i];
        if (it->name == e->arg[0]->name && expr_as_int(it->extent, &extent) && k > 1 &&
            extent > k && extent % k == 0) {
            s->iter = it;
            s->radix = k;
        }
    }
}

static struct split look_for_split(struct scope *scope, struct inliner *in,
                                   const struct stmt *s) {
    struct split split = {.scope = scope};
    for (int d = 0; d < rank_of(in, s->array); d++)
        expr_walk(s->index[d], find_split, &split);
    expr_walk(s->rhs, find_split, &split);
    return split;
}

static bool in_scope(const struct scope *s, const char *name) {
    bool found = false;
    for (int k = 0; k < s->iters.len; k++)
        found = found || s->iters.data[k].name == name;
    for (int k = 0; k < s->l->symbols.len; k++)
        found = found || s->l->symbols.data[k].name == name;
    return found;
}

/* A name with the same letter that is not in scope. */
static const char *fresh_name(const struct scope *s, const char *like) {
    char name[16];
    int k = 0;
    do
        snprintf(name, sizeof name, "%c%d", like[0], k++);
    while (in_scope(s, intern(s->l->names, name)));
    return intern(s->l->names, name);
}

/* iters with `it` replaced by it / radix and `low`; NULL when it is not among them. */
static struct iter *split_iters(struct arena *a, const struct iter *iters, int num,
                                const struct split *s, const char *low) {
    struct iter *out = arena_array(a, struct iter, num + 1);
    int n = 0;
    for (int k = 0; k < num; k++) {
        int64_t extent;
        out[n++] = iters[k];
        if (iters[k].name != s->iter->name || !expr_as_int(iters[k].extent, &extent))
            continue;
        out[n - 1].extent = expr_index(a, extent / s->radix);
        out[n++] = (struct iter){low, expr_index(a, s->radix)};
    }
    return n > num ? out : NULL;
}

static void split_iter(struct inliner *in, struct stmt *s, const struct scope *scope,
                       const struct split *split) {
    struct arena *a = in->l->arena;
    const char *name = split->iter->name, *low = fresh_name(scope, name);
    const struct expr *value =
        expr_2(a, FUNC_MUL, expr_var(a, DTYPE_INDEX, name), expr_index(a, split->radix));
    value = expr_2(a, FUNC_ADD, value, expr_var(a, DTYPE_INDEX, low));
    struct change c = {.in = in, .names = &name, .values = &value, .num = 1};
    const struct iter *iters = split_iters(a, s->iters, s->num_iters, split, low);
    const struct expr *reduce = expr_find(s->rhs, EXPR_REDUCE);
    if (iters) {
        s->iters = iters;
        s->num_iters++;
    } else {
        c.reduce_iters = split_iters(a, reduce->iters, reduce->num_iters, split, low);
        c.num_reduce_iters = reduce->num_iters + 1;
    }
    map_stmt(in, s, change_node, &c);
}

/* Simplifies s and splits its iterators. Returns the divisions that are left. */
static int settle(struct inliner *in, struct stmt *s) {
    for (int k = 0; k < MAX_SPLITS; k++) {
        simplify_stmt(in, s);
        struct scope scope = scope_of(in, s);
        struct split split = look_for_split(&scope, in, s);
        if (!split.iter)
            return split.divisions;
        split_iter(in, s, &scope, &split);
    }
    simplify_stmt(in, s);
    struct scope scope = scope_of(in, s);
    return look_for_split(&scope, in, s).divisions;
}

static int divisions_of(struct inliner *in, const struct stmt *s) {
    struct scope scope = scope_of(in, s);
    return look_for_split(&scope, in, s).divisions;
}

/* ---- what was made ---- */

struct counter {
    int nodes;
};

static void count_node(void *user, const struct expr *e) {
    (void)e;
    ((struct counter *)user)->nodes++;
}

/* Ends an attempt: `draft` takes the place of *s unless it is worse than what it replaces. */
static const char *accept(struct inliner *in, struct stmt *s, struct stmt *draft,
                          int divisions) {
    struct counter c = {0};
    expr_walk(draft->rhs, count_node, &c);
    if (c.nodes > MAX_NODES)
        return "the expression would become too large";
    if (settle(in, draft) > divisions)
        return "indices would need divisions";
    const struct expr *reduce = expr_find(draft->rhs, EXPR_REDUCE);
    if (draft->num_iters > MAX_ITERS || (reduce && reduce->num_iters > MAX_ITERS))
        return "too many iterators";
    *s = *draft;
    return NULL;
}

/* ---- into the reader ---- */

struct load_change {
    struct inliner *in;
    struct scope scope;
    int root;
    struct stmt *const *writers;
    int num_writers;
    const char *why; // not
};

/* The value of the element that load e reads; NULL when it is not known. */
static const struct expr *value_of(struct load_change *c, const struct expr *e) {
    for (int k = 0; k < c->num_writers; k++) {
        const struct stmt *w = c->writers[k];
        const struct expr **at = index_convert(&c->scope, e->array, e->arg, w->array);
        const struct expr **values =
            arena_array(c->in->scratch, const struct expr *, w->num_iters);
        const char **names = arena_array(c->in->scratch, const char *, w->num_iters);
        for (int i = 0; i < w->num_iters; i++)
            names[i] = w->iters[i].name;
        if (!at || (c->num_writers > 1 && !index_covers(c->in, &c->scope, w, at)) ||
            !index_solve(c->in, &c->scope, w, at, values))
            continue;
        return expr_subst(c->in->l->arena, w->rhs, names, values, w->num_iters);
    }
    return NULL;
}

static const struct expr *replace_load(void *user, const struct expr *e) {
    struct load_change *c = user;
    if (c->why || e->kind != EXPR_LOAD || loops_root(c->in->l, e->array) != c->root)
        return e;
    const struct expr *value = value_of(c, e);
    if (!value)
        c->why = c->num_writers > 1 ? "a read is not of one part alone"
                                    : "a read cannot be solved for the iterators";
    return value ? value : e;
}

const char *inline_into_reader(struct inliner *in, struct stmt *reader, int array,
                               struct stmt *const *writers, int num_writers) {
    struct load_change c = {.in = in,
                            .scope = scope_of(in, reader),
                            .root = loops_root(in->l, array),
                            .writers = writers,
                            .num_writers = num_writers};
    int divisions = divisions_of(in, reader);
    for (int k = 0; k < num_writers; k++)
        divisions += divisions_of(in, writers[k]);
    struct stmt draft = *reader;
    map_stmt(in, &draft, replace_load, &c);
    return c.why ? c.why : accept(in, reader, &draft, divisions);
}

/* ---- into the writer ---- */

/* The loads of an array in an expression: the first of them, and whether all are like it. */
struct loads {
    struct inliner *in;
    int root;
    const struct expr *first;
    bool same;
};

static void note_load(void *user, const struct expr *e) {
    struct loads *l = user;
    if (e->kind != EXPR_LOAD || loops_root(l->in->l, e->array) != l->root)
        return;
    l->same = l->same && (!l->first || expr_equal(l->first, e));
    l->first = l->first ? l->first : e;
}

static const struct expr *only_load(struct inliner *in, const struct stmt *s, int array) {
    struct loads l = {.in = in, .root = loops_root(in->l, array), .same = true};
    for (int d = 0; d < rank_of(in, s->array); d++)
        expr_walk(s->index[d], note_load, &l);
    if (l.first)
        return NULL;
    expr_walk(s->rhs, note_load, &l);
    return l.same ? l.first : NULL;
}

bool inline_is_bijective(struct inliner *in, const struct stmt *s, int array) {
    const struct expr *load = only_load(in, s, array);
    if (!load)
        return false;
    struct scope scope = scope_of(in, s);
    bool *used = arena_array(in->scratch, bool, s->num_iters), all = true;
    const struct array *a = &in->l->arrays.data[load->array];
    for (int d = 0; d < a->rank && all; d++)
        all = index_runs_over(&scope, s, load->arg[d], a->extent[d], used);
    for (int k = 0; k < s->num_iters; k++)
        all = all && used[k];
    return all;
}

struct reader_change {
    struct change change;
    int root;
    const struct expr *value; // in place of the loads
};

static const struct expr *change_reader(void *user, const struct expr *e) {
    struct reader_change *c = user;
    if (e->kind == EXPR_LOAD && loops_root(c->change.in->l, e->array) == c->root)
        return c->value;
    return change_node(&c->change, e);
}

/* The iterators of s's reduce that the writer uses as well get other names. */
static void rename_reduce(struct inliner *in, struct stmt *s, const struct stmt *writer) {
    const struct expr *reduce = expr_find(s->rhs, EXPR_REDUCE);
    if (!reduce)
        return;
    struct scope scope = scope_of(in, s);
    for (int k = 0; k < writer->num_iters; k++)
        vec_push(in->scratch, &scope.iters, writer->iters[k]);
    int n = reduce->num_iters;
    struct iter *iters = arena_array(in->l->arena, struct iter, n);
    struct change c = {.in = in,
                       .names = arena_array(in->scratch, const char *, n),
                       .values = arena_array(in->scratch, const struct expr *, n),
                       .num = n,
                       .reduce_iters = iters,
                       .num_reduce_iters = n};
    for (int k = 0; k < n; k++) {
        iters[k] = (struct iter){fresh_name(&scope, "r"), reduce->iters[k].extent};
        vec_push(in->scratch, &scope.iters, iters[k]);
        c.names[k] = reduce->iters[k].name;
        c.values[k] = expr_var(in->l->arena, DTYPE_INDEX, iters[k].name);
    }
    map_stmt(in, s, change_node, &c);
}

const char *inline_into_writer(struct inliner *in, struct stmt *writer,
                               const struct stmt *reader, int array) {
    struct stmt draft = *reader, visits = *reader;
    int divisions = divisions_of(in, reader) + divisions_of(in, writer), n = reader->num_iters;
    rename_reduce(in, &draft, writer);
    const struct expr *load = only_load(in, &draft, array);
    struct scope scope = scope_of(in, writer);
    visits.array = load->array;
    visits.index = load->arg;
    struct reader_change c = {
        .change = {.in = in,
                   .names = arena_array(in->scratch, const char *, n),
                   .values = arena_array(in->scratch, const struct expr *, n),
                   .num = n},
        .root = loops_root(in->l, array),
        .value = writer->rhs};
    const struct expr **at = index_convert(&scope, writer->array, writer->index, load->array);
    if (!at || !index_solve(in, &scope, &visits, at, c.change.values))
        return "the index written cannot be solved for the reader's iterators";
    for (int k = 0; k < n; k++)
        c.change.names[k] = reader->iters[k].name;
    draft.iters = writer->iters;
    draft.num_iters = writer->num_iters;
    map_stmt(in, &draft, change_reader, &c);
    return accept(in, writer, &draft, divisions);
}
