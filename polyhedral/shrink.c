/* The range of a reduce, less what padding contributes nothing to.
 *
 * A guarded read in the body of a reduce is `x if inside else pad`. Where the body becomes the
 * monoid's identity when pad stands for the guard, the points outside need not be visited at
 * all: the guard's box is intersected with the range and the guard disappears. For a sum the
 * body is 0 there when one of its factors is; that 0 * w is 0 needs w to be finite, which
 * `strict` asks to be known: then w is a constant. */
#include "polyhedral/poly.h"

#include <math.h>

struct shrink {
    const struct poly *poly;
    const struct affine *affine;
    struct arena *arena;
    const struct expr *reduce;
    bool strict;
    isl_set *range;
    const struct expr *body;
    bool found;
};

/* ---- what contributes nothing ---- */

static bool is_finite_value(enum dtype t, union scalar v) {
    return !dtype_is_float(t) || isfinite(v.f);
}

/* Is every value of e finite, as far as it must be known? */
static bool is_finite(const struct shrink *s, const struct expr *e) {
    if (!s->strict || !dtype_is_float(e->dtype))
        return true;
    if (e->kind == EXPR_CONST)
        return is_finite_value(e->dtype, e->value);
    if (e->kind != EXPR_LOAD)
        return false;
    const struct array *a = &s->poly->loops->arrays.data[e->array];
    bool finite = a->kind == ARRAY_CONST;
    int64_t n = loops_elements(s->poly->loops, e->array);
    for (int64_t k = 0; k < n && finite; k++)
        finite = is_finite_value(a->dtype, dtype_load(a->dtype, a->data, k));
    return finite;
}

static bool is_zero(const struct shrink *s, const struct expr *e);

static bool is_zero_function(const struct shrink *s, const struct expr *e) {
    switch (e->func) {
    case FUNC_MUL:
        return (is_zero(s, e->arg[0]) && is_finite(s, e->arg[1])) ||
               (is_zero(s, e->arg[1]) && is_finite(s, e->arg[0]));
    case FUNC_NEG:
        return is_zero(s, e->arg[0]);
    case FUNC_ADD:
        return is_zero(s, e->arg[0]) && is_zero(s, e->arg[1]);
    case FUNC_SUB:
        return (is_zero(s, e->arg[0]) && is_zero(s, e->arg[1])) ||
               (expr_equal(e->arg[0], e->arg[1]) && is_finite(s, e->arg[0]));
    case FUNC_SELECT:
        return is_zero(s, e->arg[1]) && is_zero(s, e->arg[2]);
    default:
        return false;
    }
}

static bool is_zero(const struct shrink *s, const struct expr *e) {
    switch (e->kind) {
    case EXPR_CONST:
        return dtype_is_float(e->dtype) ? e->value.f == 0.0 : e->value.i == 0;
    case EXPR_FUNC:
        return is_zero_function(s, e);
    case EXPR_CAST:
        return is_zero(s, e->arg[0]);
    case EXPR_GUARD:
        return is_zero(s, e->arg[0]) && is_zero(s, e->arg[1]);
    default:
        return false;
    }
}

static bool is_identity(const struct shrink *s, const struct expr *e) {
    if (s->reduce->func == FUNC_ADD && is_zero(s, e))
        return true;
    if (e->kind != EXPR_CONST)
        return false;
    union scalar id = func_identity(s->reduce->func, e->dtype);
    return dtype_is_float(e->dtype) ? e->value.f == id.f : e->value.i == id.i;
}

/* ---- guards ---- */

struct replacement {
    const struct expr *guard, *by;
};

static const struct expr *replace(void *user, const struct expr *e) {
    const struct replacement *r = user;
    return e->kind == EXPR_GUARD && expr_equal(e, r->guard) ? r->by : e;
}

static const struct expr *with(const struct shrink *s, const struct expr *guard,
                               const struct expr *by) {
    struct replacement r = {guard, by};
    return expr_map(s->arena, s->body, replace, &r);
}

static bool is_affine_box(const struct affine *a, const struct expr *const *bounds, int n) {
    bool ok = true;
    for (int k = 0; k < n; k++)
        ok &= affine_is(a, bounds[k]);
    return ok;
}

static void intersect(struct shrink *s, const struct expr *const *bounds, int n) {
    for (int k = 0; k + 2 < n; k += 3)
        s->range = isl_set_intersect(
            s->range, affine_within(s->affine, bounds[k], bounds[k + 1], bounds[k + 2]));
    s->found = true;
}

/* Takes away one guard of the body, if there is one to take. */
static bool take_guard(struct shrink *s, const struct expr *e) {
    if (e->kind == EXPR_GUARD && is_affine_box(s->affine, e->arg + 2, e->n - 2) &&
        is_identity(s, with(s, e, e->arg[1]))) {
        intersect(s, e->arg + 2, e->n - 2);
        s->body = with(s, e, e->arg[0]);
        return true;
    }
    for (int k = 0; k < e->n; k++)
        if (take_guard(s, e->arg[k]))
            return true;
    return false;
}

__isl_give isl_set *reduce_range(const struct poly *p, const struct poly_stmt *st,
                                 __isl_keep isl_set *domain, const struct expr *reduce) {
    int n = st->num_dims + reduce->num_iters;
    struct affine all = {.poly = p, .names = st->dims, .num_names = n, .first_value = n};
    const struct affine *a = &all;
    for (int k = 0; k < reduce->num_iters; k++)
        if (!affine_is(a, reduce->iters[k].extent))
            return NULL;
    isl_set *range = isl_set_reset_tuple_id(isl_set_copy(domain));
    range = isl_set_add_dims(range, isl_dim_set, (unsigned)reduce->num_iters);
    for (int k = 0; k < reduce->num_iters; k++) {
        struct arena scratch = {0};
        const struct expr *var = expr_var(&scratch, DTYPE_INDEX, reduce->iters[k].name);
        const struct expr *zero = expr_index(&scratch, 0);
        range = isl_set_intersect(range, affine_within(a, var, zero, reduce->iters[k].extent));
        arena_free(&scratch);
    }
    return range;
}

/* ---- guards that need no test ---- */

struct settle {
    const struct affine *affine;
    struct arena *arena;
    isl_set *points;
    const struct expr *guard, *by; // what was decided
};

/* The guard without the bounds that hold at all points; e itself, when none does. */
static const struct expr *needed(const struct settle *s, const struct expr *e) {
    const struct expr **bounds = arena_array(s->arena, const struct expr *, e->n);
    int n = 0;
    for (int k = 2; k + 2 < e->n; k += 3) {
        isl_set *in = affine_within(s->affine, e->arg[k], e->arg[k + 1], e->arg[k + 2]);
        bool always = isl_set_is_subset(s->points, in) == isl_bool_true;
        isl_set_free(in);
        for (int i = 0; i < 3 && !always; i++)
            bounds[n++] = e->arg[k + i];
    }
    return n + 2 == e->n ? e : expr_guard(s->arena, e->arg[0], e->arg[1], bounds, n / 3);
}

static void decide(struct settle *s, const struct expr *e) {
    isl_set *in = isl_set_copy(s->points);
    for (int k = 2; k + 2 < e->n; k += 3)
        in = isl_set_intersect(
            in, affine_within(s->affine, e->arg[k], e->arg[k + 1], e->arg[k + 2]));
    bool never = isl_set_is_empty(in) == isl_bool_true;
    isl_set_free(in);
    const struct expr *by = never ? e->arg[1] : needed(s, e);
    if (by != e) {
        s->guard = e;
        s->by = by;
    }
}

/* The first guard outside a reduce that all points decide. */
static void find_decided(struct settle *s, const struct expr *e) {
    if (s->guard || e->kind == EXPR_REDUCE)
        return;
    if (e->kind == EXPR_GUARD && is_affine_box(s->affine, e->arg + 2, e->n - 2))
        decide(s, e);
    for (int k = 0; k < e->n && !s->guard; k++)
        find_decided(s, e->arg[k]);
}

const struct expr *shrink_guards(const struct affine *a, struct arena *arena,
                                 __isl_keep isl_set *points, const struct expr *e) {
    struct settle s = {.affine = a, .arena = arena, .points = points};
    for (find_decided(&s, e); s.guard; find_decided(&s, e)) {
        struct replacement r = {s.guard, s.by};
        e = expr_map(arena, e, replace, &r);
        s.guard = NULL;
    }
    return e;
}

/* ---- the range ---- */

__isl_give isl_set *shrink_range(const struct poly *p, const struct poly_stmt *st,
                                 struct shrink_request *r) {
    const struct expr *reduce = r->reduce;
    int n = st->num_dims + reduce->num_iters;
    struct affine a = {.poly = p, .names = st->dims, .num_names = n, .first_value = n};
    struct shrink s = {p, &a, r->arena, reduce, r->strict, NULL, reduce->arg[0], false};
    s.range = reduce_range(p, st, r->domain, reduce);
    if (!s.range)
        return NULL;
    if (r->num_bounds && is_affine_box(&a, r->bounds, r->num_bounds)) {
        intersect(&s, r->bounds, r->num_bounds);
        r->num_bounds = 0;
    }
    while (!expr_has_check(s.body) && take_guard(&s, s.body)) // a check is made at every point
        ;
    r->body = s.body;
    return s.found ? s.range : isl_set_free(s.range);
}
