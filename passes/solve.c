/* Which element an index means: through views, and solved for the iterators of a statement.
 *
 * A statement writes A[w(i)]. Solving w(i) = a for i needs w to be a mixed radix number in each
 * dimension (`4 i + j` with j < 4, plus what i and j do not change): each iterator is then a
 * quotient and a remainder of a. An index through a view is the row-major number of the element
 * within a group of dimensions, in other dimensions with as many elements. */
#include "passes/fuse.h"

enum { MAX_RADIX = 8 };

static int rank_of(const struct inliner *in, int array) {
    return in->l->arrays.data[array].rank;
}

static struct scope scope_new(struct inliner *in) {
    return (struct scope){.l = in->l, .scratch = in->scratch};
}

static void push_reduce_iters(void *user, const struct expr *e) {
    struct scope *s = user;
    for (int k = 0; e->kind == EXPR_REDUCE && k < e->num_iters; k++) {
        bool known = false;
        for (int i = 0; i < s->iters.len; i++)
            known = known || s->iters.data[i].name == e->iters[k].name;
        if (!known)
            vec_push(s->scratch, &s->iters, e->iters[k]);
    }
}

/* The iterators in scope of s, those of its reduce among them. */
struct scope scope_of(struct inliner *in, const struct stmt *s) {
    struct scope scope = scope_new(in);
    for (int k = 0; k < s->num_iters; k++)
        vec_push(in->scratch, &scope.iters, s->iters[k]);
    expr_walk(s->rhs, push_reduce_iters, &scope);
    scope.own = scope.iters.len;
    for (int k = 0; k < in->num_around; k++)
        vec_push(in->scratch, &scope.iters, in->around[k]);
    return scope;
}

/* ---- solving for iterators ---- */

/* The part of a sum that is a mixed radix number in iterators: most significant first. */
struct radix {
    int iter[MAX_RADIX];
    int64_t coef[MAX_RADIX];
    int n;
    struct sum rest;
};

static int iter_number(const struct stmt *s, const struct expr *base) {
    for (int k = 0; k < s->num_iters && base->kind == EXPR_VAR; k++)
        if (s->iters[k].name == base->name)
            return k;
    return -1;
}

static void insert_digit(struct radix *r, int iter, int64_t coef) {
    int k = r->n++;
    for (; k > 0 && r->coef[k - 1] < coef; k--) {
        r->coef[k] = r->coef[k - 1];
        r->iter[k] = r->iter[k - 1];
    }
    r->coef[k] = coef;
    r->iter[k] = iter;
}

struct names {
    const struct stmt *s;
    bool found;
};

static void note_name(void *user, const struct expr *e) {
    struct names *n = user;
    n->found = n->found || iter_number(n->s, e) >= 0;
}

/* False when an iterator of s stands elsewhere than as a digit. */
static bool radix_of(struct scope *scope, const struct stmt *s, const struct expr *e,
                     struct radix *r) {
    struct sum sum = sum_of(scope, e);
    *r = (struct radix){.rest = {.constant = sum.constant, .fits = true}};
    for (int k = 0; k < sum.terms.len; k++) {
        struct term t = sum.terms.data[k];
        struct names names = {.s = s};
        int iter = iter_number(s, t.base);
        expr_walk(t.base, note_name, &names);
        if (iter >= 0 && t.coef > 0 && r->n < MAX_RADIX)
            insert_digit(r, iter, t.coef);
        else if (names.found)
            return false;
        else
            vec_push(scope->scratch, &r->rest.terms, t);
    }
    int64_t weight = 1, extent;
    for (int k = r->n - 1; k >= 0; k--) {
        if (r->coef[k] != weight)
            return false;
        if (k > 0 && (!expr_as_int(s->iters[r->iter[k]].extent, &extent) ||
                      !size_mul(weight, extent, &weight)))
            return false;
    }
    return sum.fits;
}

/* Iterator values from `at`, the value of one index of s: e = r. */
static bool solve_index(struct scope *scope, const struct stmt *s, const struct radix *r,
                        const struct expr *at, const struct expr **values) {
    struct arena *a = scope->l->arena;
    struct sum sum = sum_of(scope, expr_2(a, FUNC_SUB, at, sum_build(scope, &r->rest)));
    int64_t lo, hi, extent;
    if (r->n == 0)
        return scope_range(scope, sum_build(scope, &sum), &lo, &hi) && lo == 0 && hi == 0;
    for (int k = 0; k < r->n; k++) {
        const struct expr *v = sum_quotient(scope, &sum, r->coef[k]);
        struct sum digit = sum_of(scope, v);
        if (values[r->iter[k]])
            return false;
        if (k > 0 && expr_as_int(s->iters[r->iter[k]].extent, &extent))
            v = sum_remainder(scope, &digit, extent);
        values[r->iter[k]] = v;
    }
    return true;
}

/* Solves index(iterators of s) = at for the iterators, in the scope of `at`. */
bool index_solve(struct inliner *in, struct scope *scope, const struct stmt *s,
                 const struct expr *const *at, const struct expr **values) {
    for (int k = 0; k < s->num_iters; k++)
        values[k] = NULL;
    for (int d = 0; d < rank_of(in, s->array); d++) {
        struct radix r;
        struct scope own = scope_of(in, s);
        if (!radix_of(&own, s, s->index[d], &r) || !solve_index(scope, s, &r, at[d], values))
            return false;
    }
    bool all = true;
    for (int k = 0; k < s->num_iters; k++)
        all = all && values[k];
    return all;
}

/* ---- views ---- */

static bool static_extents(const struct array *a) {
    int64_t n;
    bool all = true;
    for (int d = 0; d < a->rank; d++)
        all = all && expr_as_int(a->extent[d], &n) && n > 0;
    return all;
}

/* Dimensions first .. end-1 of an array, which together have as many elements as those of
 * another one. */
struct group {
    const struct array *a;
    int first, end;
    int64_t size;
};

static int64_t extent_of(const struct array *a, int d) {
    int64_t n = 0;
    expr_as_int(a->extent[d], &n);
    return n;
}

static void grow(struct group *g) {
    g->size *= extent_of(g->a, g->end++);
}

/* The next dimension that is no unit begins a group. */
static bool begin(struct group *g) {
    for (g->first = g->end; g->first < g->a->rank && extent_of(g->a, g->first) == 1;)
        g->first++;
    g->end = g->first;
    g->size = 1;
    if (g->end < g->a->rank)
        grow(g);
    return g->first < g->a->rank;
}

/* The number within group f is split by the extents of group t. */
static bool convert_group(struct scope *s, const struct group *f, const struct group *t,
                          const struct expr *const *index, const struct expr **out) {
    struct arena *a = s->l->arena;
    const struct expr *place = expr_index(a, 0);
    int64_t below = 1;
    for (int d = f->first; d < f->end; d++) {
        place = expr_2(a, FUNC_MUL, place, f->a->extent[d]);
        struct sum sum = sum_of(s, expr_2(a, FUNC_ADD, place, index[d]));
        if (!sum.fits)
            return false;
        place = sum_build(s, &sum);
    }
    struct sum linear = sum_of(s, place);
    for (int d = t->end - 1; d >= t->first; d--) {
        struct sum at = sum_of(s, sum_quotient(s, &linear, below));
        int64_t n = extent_of(t->a, d);
        out[d] = d == t->first ? sum_build(s, &at) : sum_remainder(s, &at, n);
        below *= n;
    }
    return true;
}

/* The index into `to` of the element that `index` is in `from`: both show the same storage.
 * NULL when that cannot be said. */
const struct expr **index_convert(struct scope *s, int from, const struct expr *const *index,
                                  int to) {
    const struct array *arrays = s->l->arrays.data;
    struct group f = {.a = &arrays[from]}, t = {.a = &arrays[to]};
    const struct expr **out = arena_array(s->scratch, const struct expr *, t.a->rank);
    for (int d = 0; from == to && d < t.a->rank; d++)
        out[d] = index[d]; // of a scalar there is none
    if (from == to)
        return out;
    if (!static_extents(f.a) || !static_extents(t.a))
        return NULL;
    for (int d = 0; d < t.a->rank; d++)
        out[d] = expr_index(s->l->arena, 0);
    while (begin(&f) && begin(&t)) {
        while (f.size != t.size)
            grow(f.size < t.size ? &f : &t);
        if (!convert_group(s, &f, &t, index, out))
            return NULL;
    }
    return out;
}

/* Does writer w write what `at` reads, whatever the iterators of the reader are? */
bool index_covers(struct inliner *in, struct scope *scope, const struct stmt *w,
                  const struct expr *const *at) {
    struct scope own = scope_of(in, w);
    for (int d = 0; d < rank_of(in, w->array); d++) {
        struct radix r;
        int64_t lo, hi, size = 1, extent;
        if (!radix_of(&own, w, w->index[d], &r))
            return false;
        for (int k = 0; k < r.n; k++)
            if (!expr_as_int(w->iters[r.iter[k]].extent, &extent) ||
                !size_mul(size, extent, &size))
                return false;
        const struct expr *place =
            expr_2(in->l->arena, FUNC_SUB, at[d], sum_build(scope, &r.rest));
        struct sum sum = sum_of(scope, place);
        if (!scope_range(scope, sum_build(scope, &sum), &lo, &hi) || lo < 0 || hi >= size)
            return false;
    }
    return true;
}

/* Is the index a number that runs over the whole extent? Marks the iterators it uses. */
bool index_runs_over(struct scope *scope, const struct stmt *s, const struct expr *index,
                     const struct expr *extent, bool *used) {
    struct radix r;
    int64_t size = 1, each, want;
    if (!radix_of(scope, s, index, &r) || r.rest.terms.len > 0 || r.rest.constant != 0)
        return false;
    for (int k = 0; k < r.n; k++) {
        if (used[r.iter[k]])
            return false;
        used[r.iter[k]] = true;
    }
    if (r.n == 1 && expr_equal(s->iters[r.iter[0]].extent, extent))
        return true;
    for (int k = 0; k < r.n; k++)
        if (!expr_as_int(s->iters[r.iter[k]].extent, &each) || !size_mul(size, each, &size))
            return false;
    return expr_as_int(extent, &want) && want == size;
}
