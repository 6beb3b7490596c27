/* Walking, rebuilding and bounding expressions. Recursion is as deep as the tree (struct expr's
 * height). */
#include "ir/expr.h"

/* ---- ranges: interval arithmetic over the tree, every corner that matters checked for
 * overflow ---- */

struct range {
    int64_t lo, hi;
};

/* What expr_range was asked with. */
struct ranges {
    bool (*range)(void *user, const char *name, int64_t *lo, int64_t *hi);
    void *user;
};

static bool range_of(const struct ranges *s, const struct expr *e, struct range *r);

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static bool range_product(struct range x, struct range y, struct range *r) {
    int64_t corner[4];
    if (__builtin_mul_overflow(x.lo, y.lo, &corner[0]) ||
        __builtin_mul_overflow(x.lo, y.hi, &corner[1]) ||
        __builtin_mul_overflow(x.hi, y.lo, &corner[2]) ||
        __builtin_mul_overflow(x.hi, y.hi, &corner[3]))
        return false;
    r->lo = least(least(corner[0], corner[1]), least(corner[2], corner[3]));
    r->hi = most(most(corner[0], corner[1]), most(corner[2], corner[3]));
    return true;
}

static struct range range_quotient(struct range x, struct range y) {
    return (struct range){
        least(floor_div(x.lo, y.lo), floor_div(x.lo, y.hi)),
        most(floor_div(x.hi, y.lo), floor_div(x.hi, y.hi)),
    };
}

static struct range range_remainder(struct range x, struct range y) {
    if (y.lo == y.hi && floor_div(x.lo, y.lo) == floor_div(x.hi, y.lo))
        return (struct range){floor_mod(x.lo, y.lo), floor_mod(x.hi, y.lo)};
    return (struct range){0, x.lo >= 0 ? least(x.hi, y.hi - 1) : y.hi - 1};
}

static bool range_2(enum func f, struct range x, struct range y, struct range *r) {
    switch (f) {
    case FUNC_ADD:
        return !__builtin_add_overflow(x.lo, y.lo, &r->lo) &&
               !__builtin_add_overflow(x.hi, y.hi, &r->hi);
    case FUNC_SUB:
        return !__builtin_sub_overflow(x.lo, y.hi, &r->lo) &&
               !__builtin_sub_overflow(x.hi, y.lo, &r->hi);
    case FUNC_MUL:
        return range_product(x, y, r);
    case FUNC_MIN:
        *r = (struct range){least(x.lo, y.lo), least(x.hi, y.hi)};
        return true;
    case FUNC_MAX:
        *r = (struct range){most(x.lo, y.lo), most(x.hi, y.hi)};
        return true;
    case FUNC_DIV:
        *r = y.lo > 0 ? range_quotient(x, y) : x;
        return y.lo > 0;
    case FUNC_REM:
        *r = y.lo > 0 ? range_remainder(x, y) : x;
        return y.lo > 0;
    default:
        return false;
    }
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi) {
    return v < lo ? lo : v > hi ? hi : v;
}

/* Of clamp and check, whose result stays in [lo, hi] when that is not empty, else is one of the
 * two. */
static bool range_clamp(const struct ranges *s, const struct expr *e, struct range *r) {
    struct range x, lo, hi;
    if (!range_of(s, e->arg[1], &lo) || !range_of(s, e->arg[2], &hi))
        return false;
    if (lo.hi > hi.lo)
        *r = (struct range){least(lo.lo, hi.lo), most(lo.hi, hi.hi)};
    else if (e->arg[0]->dtype == DTYPE_INDEX && range_of(s, e->arg[0], &x))
        *r = (struct range){clamp(x.lo, lo.lo, hi.lo), clamp(x.hi, lo.hi, hi.hi)};
    else
        *r = (struct range){lo.lo, hi.hi};
    return true;
}

static bool range_func(const struct ranges *s, const struct expr *e, struct range *r) {
    if (func_info(e->func)->rule == RULE_INDEX)
        return range_clamp(s, e, r);
    struct range x, y;
    if (e->n < 2 || !range_of(s, e->arg[e->n - 2], &x) || !range_of(s, e->arg[e->n - 1], &y))
        return false;
    if (e->func != FUNC_SELECT)
        return range_2(e->func, x, y, r);
    *r = (struct range){least(x.lo, y.lo), most(x.hi, y.hi)};
    return true;
}

static bool range_of(const struct ranges *s, const struct expr *e, struct range *r) {
    if (e->dtype != DTYPE_INDEX)
        return false;
    switch (e->kind) {
    case EXPR_CONST:
        *r = (struct range){e->value.i, e->value.i};
        return true;
    case EXPR_VAR:
        return s->range && s->range(s->user, e->name, &r->lo, &r->hi);
    case EXPR_FUNC:
        return range_func(s, e, r);
    default:
        return false;
    }
}

bool expr_range(const struct expr *e,
                bool (*range)(void *user, const char *name, int64_t *lo, int64_t *hi),
                void *user, int64_t *lo, int64_t *hi) {
    struct ranges s = {range, user};
    struct range r;
    if (!range_of(&s, e, &r))
        return false;
    *lo = r.lo;
    *hi = r.hi;
    return true;
}

/* ---- rebuilding ---- */

/* The node e over new arguments and extents, through its builder. */
static const struct expr *rebuild(struct arena *a, const struct expr *e,
                                  const struct expr *const *arg, const struct iter *iters) {
    switch (e->kind) {
    case EXPR_CONST:
    case EXPR_VAR:
        return e;
    case EXPR_FUNC:
        return expr_func(a, e->func, arg, e->n);
    case EXPR_CAST:
        return expr_cast(a, e->dtype, arg[0]);
    case EXPR_LOAD:
        return expr_load(a, e->dtype, e->array, arg, e->n);
    case EXPR_GUARD:
        return expr_guard(a, arg[0], arg[1], arg + 2, (e->n - 2) / 3);
    case EXPR_REDUCE:
        return expr_reduce(a, e->func, e->dtype, iters, e->num_iters, arg[0]);
    }
    return e;
}

const struct expr *expr_map(struct arena *a, const struct expr *e,
                            const struct expr *(*fn)(void *user, const struct expr *e),
                            void *user) {
    if (e->n + e->num_iters == 0)
        return fn(user, e);
    const struct expr **arg = arena_array(a, const struct expr *, e->n);
    struct iter *iters = arena_array(a, struct iter, e->num_iters);
    bool changed = false;
    for (int k = 0; k < e->n; k++) {
        arg[k] = expr_map(a, e->arg[k], fn, user);
        changed |= arg[k] != e->arg[k];
    }
    for (int k = 0; k < e->num_iters; k++) {
        iters[k] = (struct iter){e->iters[k].name, expr_map(a, e->iters[k].extent, fn, user)};
        changed |= iters[k].extent != e->iters[k].extent;
    }
    const struct expr *made = changed ? rebuild(a, e, arg, iters) : e;
    return made->kind == e->kind ? fn(user, made) : made; // else an argument, which fn has seen
}

struct subst {
    const char *const *names;
    const struct expr *const *values;
    int n;
};

static const struct expr *subst_var(void *user, const struct expr *e) {
    const struct subst *s = user;
    for (int k = 0; k < s->n && e->kind == EXPR_VAR; k++)
        if (strcmp(e->name, s->names[k]) == 0)
            return s->values[k];
    return e;
}

const struct expr *expr_subst(struct arena *a, const struct expr *e, const char *const *names,
                              const struct expr *const *values, int n) {
    struct subst s = {names, values, n};
    return expr_map(a, e, subst_var, &s);
}

void expr_walk(const struct expr *e, void (*fn)(void *user, const struct expr *e), void *user) {
    for (int k = 0; k < e->n; k++)
        expr_walk(e->arg[k], fn, user);
    for (int k = 0; k < e->num_iters; k++)
        expr_walk(e->iters[k].extent, fn, user);
    fn(user, e);
}
