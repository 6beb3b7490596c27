/* Index expressions under the ranges of their iterators.
 *
 * An index is kept as a sum of multiples of bases. Division by a constant k takes the multiples
 * of k out exactly; what is left is decided by its range, or by a common factor v of k whose
 * smaller terms stay below v (`(16 i + j) / 64` with j < 16 is `i / 4`), or by the rules for
 * (x / a) / k and (x % a) / k. All of them hold for the floor division of index expressions. */
#include "passes/fuse.h"

/* ---- ranges ---- */

struct range_query {
    const struct scope *scope;
};

static bool name_range(void *user, const char *name, int64_t *lo, int64_t *hi) {
    const struct scope *s = ((const struct range_query *)user)->scope;
    for (int k = 0; k < s->iters.len; k++)
        if (strcmp(s->iters.data[k].name, name) == 0) {
            *lo = 0;
            *hi = loops_extent(s->l, s->iters.data[k].extent) - 1;
            return *hi >= 0;
        }
    for (int k = 0; k < s->l->symbols.len; k++)
        if (strcmp(s->l->symbols.data[k].name, name) == 0) {
            *lo = 0;
            *hi = s->l->symbols.data[k].max;
            return true;
        }
    return false;
}

bool scope_range(const struct scope *s, const struct expr *e, int64_t *lo, int64_t *hi) {
    struct range_query q = {s};
    return expr_range(e, name_range, &q, lo, hi);
}

static bool in_range(const struct scope *s, const struct expr *e, int64_t lo, int64_t hi) {
    int64_t least, most;
    return scope_range(s, e, &least, &most) && least >= lo && most <= hi;
}

/* ---- sums ---- */

static void add_term(struct scope *s, struct sum *sum, const struct expr *base, int64_t coef) {
    for (int k = 0; k < sum->terms.len; k++) {
        struct term *t = &sum->terms.data[k];
        if (!expr_equal(t->base, base))
            continue;
        sum->fits = sum->fits && !__builtin_add_overflow(t->coef, coef, &t->coef);
        return;
    }
    vec_push(s->scratch, &sum->terms, ((struct term){base, coef}));
}

static bool is(const struct expr *e, enum func f) {
    return e->kind == EXPR_FUNC && e->func == f;
}

static void add_multiple(struct scope *s, struct sum *sum, const struct expr *e, int64_t coef) {
    int64_t v;
    if (expr_as_int(e, &v)) {
        sum->fits = sum->fits && !__builtin_mul_overflow(v, coef, &v) &&
                    !__builtin_add_overflow(sum->constant, v, &sum->constant);
    } else if (is(e, FUNC_ADD) || is(e, FUNC_SUB)) {
        add_multiple(s, sum, e->arg[0], coef);
        add_multiple(s, sum, e->arg[1], is(e, FUNC_SUB) ? -coef : coef);
    } else if (is(e, FUNC_MUL) && expr_as_int(e->arg[1], &v)) {
        sum->fits = sum->fits && v != INT64_MIN && !__builtin_mul_overflow(v, coef, &v);
        add_multiple(s, sum, e->arg[0], v);
    } else {
        add_term(s, sum, e, coef);
    }
}

struct sum sum_of(struct scope *s, const struct expr *e) {
    struct sum sum = {.fits = true}, kept = {.fits = true};
    add_multiple(s, &sum, e, 1);
    kept.fits = sum.fits;
    kept.constant = sum.constant;
    for (int k = 0; k < sum.terms.len; k++)
        if (sum.terms.data[k].coef != 0)
            vec_push(s->scratch, &kept.terms, sum.terms.data[k]);
    return kept;
}

const struct expr *sum_build(struct scope *s, const struct sum *sum) {
    struct arena *a = s->l->arena;
    const struct expr *e = expr_index(a, 0);
    for (int k = 0; k < sum->terms.len; k++) {
        int64_t coef = sum->terms.data[k].coef, size = coef < 0 ? -coef : coef;
        const struct expr *t =
            expr_2(a, FUNC_MUL, sum->terms.data[k].base, expr_index(a, size));
        e = expr_2(a, coef < 0 ? FUNC_SUB : FUNC_ADD, e, t);
    }
    return expr_2(a, FUNC_ADD, e, expr_index(a, sum->constant));
}

/* The terms of sum whose coefficient is a multiple of k (or those that are not), each divided
 * by `by`; the constant's share alike. */
static struct sum part_of(struct scope *s, const struct sum *sum, int64_t k, bool multiples,
                          int64_t by) {
    struct sum part = {.fits = true};
    int64_t rest = floor_mod(sum->constant, k);
    part.constant = (multiples ? sum->constant - rest : rest) / by;
    for (int i = 0; i < sum->terms.len; i++) {
        struct term t = sum->terms.data[i];
        if ((t.coef % k == 0) == multiples)
            vec_push(s->scratch, &part.terms, ((struct term){t.base, t.coef / by}));
    }
    return part;
}

/* ---- division ---- */

static const struct expr *divide(struct scope *s, enum func f, const struct expr *e,
                                 int64_t k) {
    return expr_2(s->l->arena, f, e, expr_index(s->l->arena, k));
}

/* A factor v of k with 1 < v < k that some coefficients have, the other terms staying in [0,
 * v); 0 when there is none. */
static int64_t common_factor(struct scope *s, const struct sum *sum, int64_t k) {
    for (int i = 0; i < sum->terms.len; i++) {
        int64_t v =
            sum->terms.data[i].coef < 0 ? -sum->terms.data[i].coef : sum->terms.data[i].coef;
        if (v <= 1 || v >= k || k % v != 0)
            continue;
        struct sum small = part_of(s, sum, v, false, 1);
        if (in_range(s, sum_build(s, &small), 0, v - 1))
            return v;
    }
    return 0;
}

/* x when sum is x / a or x % a alone (f says which), a > 0 a constant; else NULL. */
static const struct expr *only_of(const struct sum *sum, enum func f, int64_t *a) {
    if (sum->terms.len != 1 || sum->terms.data[0].coef != 1 || sum->constant != 0)
        return NULL;
    const struct expr *e = sum->terms.data[0].base;
    return is(e, f) && expr_as_int(e->arg[1], a) && *a > 0 ? e->arg[0] : NULL;
}

/* floor(rest / k); rest has no multiple of k. */
static const struct expr *rest_quotient(struct scope *s, const struct sum *rest, int64_t k) {
    const struct expr *e = sum_build(s, rest), *x;
    int64_t lo, hi, a, ak, v = common_factor(s, rest, k);
    if (scope_range(s, e, &lo, &hi) && floor_div(lo, k) == floor_div(hi, k))
        return expr_index(s->l->arena, floor_div(lo, k));
    if (v) {
        struct sum big = part_of(s, rest, v, true, v);
        return sum_quotient(s, &big, k / v);
    }
    if ((x = only_of(rest, FUNC_DIV, &a)) && !__builtin_mul_overflow(a, k, &ak)) {
        struct sum whole = sum_of(s, x);
        return sum_quotient(s, &whole, ak);
    }
    if ((x = only_of(rest, FUNC_REM, &a)) && a % k == 0) {
        struct sum whole = sum_of(s, x);
        struct sum quotient = sum_of(s, sum_quotient(s, &whole, k));
        return sum_remainder(s, &quotient, a / k);
    }
    return divide(s, FUNC_DIV, e, k);
}

const struct expr *sum_quotient(struct scope *s, const struct sum *sum, int64_t k) {
    if (k == 1)
        return sum_build(s, sum);
    struct sum whole = part_of(s, sum, k, true, k), rest = part_of(s, sum, k, false, 1);
    return expr_2(s->l->arena, FUNC_ADD, sum_build(s, &whole), rest_quotient(s, &rest, k));
}

const struct expr *sum_remainder(struct scope *s, const struct sum *sum, int64_t k) {
    struct arena *arena = s->l->arena;
    if (k == 1)
        return expr_index(arena, 0);
    struct sum rest = part_of(s, sum, k, false, 1);
    const struct expr *e = sum_build(s, &rest), *x;
    int64_t lo, hi, a, v = common_factor(s, &rest, k);
    if (scope_range(s, e, &lo, &hi) && floor_div(lo, k) == floor_div(hi, k))
        return expr_2(arena, FUNC_SUB, e, expr_index(arena, floor_div(lo, k) * k));
    if (v) {
        struct sum big = part_of(s, &rest, v, true, v), small = part_of(s, &rest, v, false, 1);
        const struct expr *high = sum_remainder(s, &big, k / v);
        high = expr_2(arena, FUNC_MUL, high, expr_index(arena, v));
        return expr_2(arena, FUNC_ADD, high, sum_build(s, &small));
    }
    if ((x = only_of(&rest, FUNC_REM, &a)) && a % k == 0) {
        struct sum whole = sum_of(s, x);
        return sum_remainder(s, &whole, k);
    }
    return divide(s, FUNC_REM, e, k);
}

/* ---- whole expressions ---- */

/* `old` where nothing changed, or where a check would be lost. */
static const struct expr *keep_if_equal(const struct expr *old, const struct expr *new) {
    bool loses = expr_has_check(old) && !expr_has_check(new);
    return loses || expr_equal(old, new) ? old : new;
}

/* clamp and check of an index that lies inside. */
static const struct expr *simplify_clamp(const struct scope *s, const struct expr *e) {
    int64_t lo, hi;
    bool inside = e->arg[0]->dtype == DTYPE_INDEX && expr_as_int(e->arg[1], &lo) &&
                  expr_as_int(e->arg[2], &hi) && in_range(s, e->arg[0], lo, hi);
    return inside ? e->arg[0] : e;
}

static const struct expr *simplify_index(struct scope *s, const struct expr *e) {
    int64_t k;
    if (is(e, FUNC_CLAMP) || is(e, FUNC_CHECK))
        return simplify_clamp(s, e);
    bool divides = is(e, FUNC_DIV) || is(e, FUNC_REM);
    bool adds = is(e, FUNC_ADD) || is(e, FUNC_SUB) || is(e, FUNC_MUL);
    if (!adds && !(divides && expr_as_int(e->arg[1], &k) && k > 0))
        return e;
    struct sum sum = sum_of(s, adds ? e : e->arg[0]);
    if (!sum.fits)
        return e;
    const struct expr *new = adds              ? sum_build(s, &sum)
                             : is(e, FUNC_DIV) ? sum_quotient(s, &sum, k)
                                               : sum_remainder(s, &sum, k);
    return keep_if_equal(e, new);
}

/* Does lo <= e < hi hold for every value (or, with `never`, for none)? */
static bool bound_is(const struct scope *s, const struct expr *const *b, bool never) {
    int64_t lo, hi, ends[2], unused;
    if (expr_has_check(b[0]) || !scope_range(s, b[0], &lo, &hi))
        return false;
    if (never)
        return (scope_range(s, b[1], &ends[0], &unused) && hi < ends[0]) ||
               (scope_range(s, b[2], &unused, &ends[1]) && lo >= ends[1]);
    return scope_range(s, b[1], &unused, &ends[0]) && lo >= ends[0] &&
           scope_range(s, b[2], &ends[1], &unused) && hi < ends[1];
}

static bool has_bound(const struct expr *const *bounds, int n, const struct expr *const *b) {
    for (int k = 0; k < n; k += 3)
        if (expr_equal(bounds[k], b[0]) && expr_equal(bounds[k + 1], b[1]) &&
            expr_equal(bounds[k + 2], b[2]))
            return true;
    return false;
}

/* Without bounds that hold anyway; the bounds of a guard inside with the same pad joined. */
static const struct expr *simplify_guard(struct scope *s, const struct expr *e) {
    const struct expr *value = e->arg[0], *pad = e->arg[1];
    bool merges = value->kind == EXPR_GUARD && expr_equal(value->arg[1], pad);
    int n = 0, inner = merges ? value->n - 2 : 0;
    const struct expr **bounds = arena_array(s->scratch, const struct expr *, e->n + inner);
    for (int k = 2; k < e->n + inner; k += 3) {
        const struct expr *const *b = k < e->n ? e->arg + k : value->arg + 2 + (k - e->n);
        if (bound_is(s, b, true) && !expr_has_check(value))
            return pad;
        if (bound_is(s, b, false) || has_bound(bounds, n, b))
            continue;
        memcpy(bounds + n, b, 3 * sizeof *b);
        n += 3;
    }
    if (n == e->n - 2 && !merges)
        return e;
    return expr_guard(s->l->arena, merges ? value->arg[0] : value, pad, bounds, n / 3);
}

static const struct expr *simplify_node(void *user, const struct expr *e) {
    struct scope *s = user;
    if (e->kind == EXPR_GUARD)
        return simplify_guard(s, e);
    if (e->kind == EXPR_CAST)
        return round_trip(s->l->arena, e);
    return e->kind == EXPR_FUNC && e->dtype == DTYPE_INDEX ? simplify_index(s, e) : e;
}

const struct expr *scope_simplify(struct scope *s, const struct expr *e) {
    return expr_map(s->l->arena, e, simplify_node, s);
}
