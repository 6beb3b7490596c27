/* What a statement computes and how it reads an array: the figures that fusing is decided by.
 */
#include "passes/fuse.h"

/* ---- what an expression costs ---- */

struct costing {
    const struct loops *l;
    struct cost cost;
};

static void add_load(struct costing *c, const struct expr *e) {
    int root = loops_root(c->l, e->array);
    for (int k = 0; k < e->n; k++)
        c->cost.gathers = c->cost.gathers || expr_find(e->arg[k], EXPR_LOAD) != NULL;
    c->cost.large += c->l->arrays.data[root].kind != ARRAY_CONST &&
                     (double)loops_elements(c->l, root) >= c->cost.elements;
}

static void add_func(struct cost *c, const struct expr *e) {
    c->checks = c->checks || e->func == FUNC_CHECK;
    if (e->dtype == DTYPE_INDEX)
        return;
    c->operations++;
    c->selects = c->selects || e->func == FUNC_SELECT;
    c->costly = c->costly || func_info(e->func)->flags & FLAG_COSTLY;
}

static void add_cost(struct costing *c, const struct expr *e, bool guarded) {
    if (e->kind == EXPR_REDUCE) {
        c->cost.reduces = true;
        c->cost.guarded_reduce = c->cost.guarded_reduce || guarded;
        c->cost.checks = c->cost.checks || expr_has_check(e);
        return;
    }
    if (e->kind == EXPR_FUNC)
        add_func(&c->cost, e);
    if (e->kind == EXPR_LOAD)
        add_load(c, e);
    for (int k = 0; k < e->n; k++)
        add_cost(c, e->arg[k], guarded || e->kind == EXPR_GUARD);
}

struct cost cost_of(const struct loops *l, const struct stmt *s) {
    struct costing c = {l, {.elements = (double)loops_elements(l, loops_root(l, s->array))}};
    add_cost(&c, s->rhs, false);
    return c.cost;
}

bool cost_is_free(const struct cost *c) {
    return c->operations == 0 && !c->gathers && !c->checks;
}

/* ---- how an array is read ---- */

struct reading {
    const struct loops *l;
    struct arena scratch;
    int root;
    bool every;
    double instances; // of the statement
    vec(const struct expr *) seen;
    struct reads reads;
};

/* Where a load stands. */
struct place {
    double times;
    bool reduces, conditional, guarded;
};

static double iterations(const struct loops *l, const struct iter *iters, int n) {
    double times = 1;
    for (int k = 0; k < n; k++)
        times *= (double)loops_extent(l, iters[k].extent);
    return times;
}

static void count_load(struct reading *r, const struct expr *e, struct place p) {
    bool seen = false;
    for (int k = 0; k < r->seen.len && !r->every; k++)
        seen = seen || expr_equal(r->seen.data[k], e);
    r->reads.mentions++;
    r->reads.conditional = r->reads.conditional || p.conditional;
    r->reads.guarded = r->reads.guarded || p.guarded;
    if (seen)
        return;
    vec_push(&r->scratch, &r->seen, e);
    r->reads.total += r->instances * p.times;
    r->reads.reducing += p.reduces ? r->instances * p.times : 0;
}

static void count_reads(struct reading *r, const struct expr *e, struct place p) {
    if (e->kind == EXPR_LOAD && loops_root(r->l, e->array) == r->root)
        count_load(r, e, p);
    if (e->kind == EXPR_REDUCE) {
        p.times *= iterations(r->l, e->iters, e->num_iters);
        p.reduces = true;
    }
    bool decides = e->kind == EXPR_FUNC &&
                   (e->func == FUNC_SELECT || e->func == FUNC_AND || e->func == FUNC_OR);
    for (int k = 0; k < e->n; k++) {
        struct place inner = p;
        inner.guarded = inner.guarded || e->kind == EXPR_GUARD;
        inner.conditional = inner.conditional || e->kind == EXPR_GUARD || (decides && k > 0);
        count_reads(r, e->arg[k], inner);
    }
}

struct reads reads_of(const struct loops *l, const struct stmt *s, int root, bool every) {
    struct reading r = {.l = l, .root = root, .every = every};
    r.instances = iterations(l, s->iters, s->num_iters);
    count_reads(&r, s->rhs, (struct place){.times = 1});
    for (int d = 0; d < l->arrays.data[s->array].rank; d++)
        count_reads(&r, s->index[d], (struct place){.times = 1});
    arena_free(&r.scratch);
    return r.reads;
}

/* ---- rows and columns ---- */

enum { SOME_READS = 8 }; // of each element, or elements of a row, that are worth a copy

struct row_walk {
    const struct loops *l;
    const struct stmt *s;
    int root;
    bool found; // a load whose last index has an iterator of the statement
};

static void find_row_walk(void *user, const struct expr *e) {
    struct row_walk *w = user;
    if (e->kind != EXPR_LOAD || e->n == 0 || loops_root(w->l, e->array) != w->root)
        return;
    for (int k = 0; k < w->s->num_iters; k++)
        w->found = w->found || (expr_mentions(e->arg[e->n - 1], w->s->iters[k].name) &&
                                loops_extent(w->l, w->s->iters[k].extent) >= SOME_READS);
}

bool cost_transposes(const struct loops *l, const struct stmt *s) {
    const struct expr *e = s->rhs;
    int rank = l->arrays.data[s->array].rank;
    while (e->kind == EXPR_GUARD)
        e = e->arg[0];
    if (e->kind != EXPR_LOAD || e->n == 0 || rank == 0)
        return false;
    const struct expr *last = s->index[rank - 1];
    return last->kind == EXPR_VAR && !expr_mentions(e->arg[e->n - 1], last->name);
}

bool cost_walks_rows(const struct loops *l, const struct stmt *s, int root, double elements) {
    struct row_walk w = {l, s, root, false};
    expr_walk(s->rhs, find_row_walk, &w);
    return w.found && reads_of(l, s, root, true).reducing > SOME_READS * elements;
}
