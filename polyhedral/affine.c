/* Index expressions as isl's piecewise affine functions, conditions as sets.
 *
 * Sums of iterators become one isl_aff at once; floor, mod, min, max and select go through
 * isl_pw_aff. */
#include "polyhedral/poly.h"

/* A sum of dimensions and symbols. */
struct linear {
    int64_t *dim, *symbol, constant;
};

static int find_name(const struct affine *s, const char *name) {
    for (int k = s->first_value - 1; k >= 0; k--)
        if (strcmp(s->names[k], name) == 0)
            return k;
    return -1;
}

static int find_symbol(const struct affine *s, const char *name) {
    const struct loops *l = s->poly->loops;
    for (int k = 0; k < l->symbols.len; k++)
        if (strcmp(l->symbols.data[k].name, name) == 0)
            return k;
    return -1;
}

/* The dimension of a clamp or check; -1 when it has none. */
static int find_value(const struct affine *s, const struct expr *e) {
    for (int k = s->first_value; k < s->num_names; k++)
        if (expr_equal(s->values[k - s->first_value], e))
            return k;
    return -1;
}

static bool is_clamp(const struct expr *e) {
    return e->kind == EXPR_FUNC && (e->func == FUNC_CLAMP || e->func == FUNC_CHECK);
}

/* ---- what is affine ---- */

static bool is_affine_function(const struct affine *s, const struct expr *e) {
    int64_t v;
    switch (e->func) {
    case FUNC_NEG:
        return affine_is(s, e->arg[0]);
    case FUNC_ADD:
    case FUNC_SUB:
    case FUNC_MIN:
    case FUNC_MAX:
        return affine_is(s, e->arg[0]) && affine_is(s, e->arg[1]);
    case FUNC_MUL:
        return (expr_as_int(e->arg[1], &v) && affine_is(s, e->arg[0])) ||
               (expr_as_int(e->arg[0], &v) && affine_is(s, e->arg[1]));
    case FUNC_DIV:
    case FUNC_REM:
    case FUNC_MOD:
        return expr_as_int(e->arg[1], &v) && v > 0 && affine_is(s, e->arg[0]);
    case FUNC_SELECT:
        return affine_is_condition(s, e->arg[0]) && affine_is(s, e->arg[1]) &&
               affine_is(s, e->arg[2]);
    case FUNC_CLAMP:
    case FUNC_CHECK:
        return find_value(s, e) >= 0 ||
               (affine_is(s, e->arg[0]) && affine_is(s, e->arg[1]) && affine_is(s, e->arg[2]));
    default:
        return false;
    }
}

bool affine_is(const struct affine *s, const struct expr *e) {
    if (e->dtype != DTYPE_INDEX)
        return false;
    if (e->kind == EXPR_VAR)
        return find_name(s, e->name) >= 0 || find_symbol(s, e->name) >= 0;
    return e->kind == EXPR_CONST || (e->kind == EXPR_FUNC && is_affine_function(s, e));
}

static bool is_comparison(const struct expr *e) {
    return e->kind == EXPR_FUNC && func_info(e->func)->rule == RULE_COMPARE;
}

bool affine_is_condition(const struct affine *s, const struct expr *e) {
    if (e->kind == EXPR_CONST)
        return true;
    if (is_comparison(e))
        return affine_is(s, e->arg[0]) && affine_is(s, e->arg[1]);
    bool ok = e->kind == EXPR_FUNC && func_info(e->func)->rule == RULE_LOGIC;
    for (int k = 0; k < e->n && ok; k++)
        ok = affine_is_condition(s, e->arg[k]);
    return ok;
}

/* ---- sums ---- */

/* *at += k * v; false on overflow. */
static bool add_product(int64_t *at, int64_t k, int64_t v) {
    int64_t product;
    return !__builtin_mul_overflow(k, v, &product) && !__builtin_add_overflow(*at, product, at);
}

static bool add_linear(const struct affine *s, struct linear *sum, const struct expr *e,
                       int64_t k);

static bool add_name(const struct affine *s, struct linear *sum, const char *name, int64_t k) {
    int dim = find_name(s, name);
    return add_product(dim >= 0 ? &sum->dim[dim] : &sum->symbol[find_symbol(s, name)], k, 1);
}

static bool add_function(const struct affine *s, struct linear *sum, const struct expr *e,
                         int64_t k) {
    int64_t v;
    int dim = is_clamp(e) ? find_value(s, e) : -1;
    if (dim >= 0)
        return add_product(&sum->dim[dim], k, 1);
    if (e->func == FUNC_NEG)
        return add_linear(s, sum, e->arg[0], -k);
    if (e->func == FUNC_ADD || e->func == FUNC_SUB)
        return add_linear(s, sum, e->arg[0], k) &&
               add_linear(s, sum, e->arg[1], e->func == FUNC_ADD ? k : -k);
    if (e->func != FUNC_MUL)
        return false;
    bool right = expr_as_int(e->arg[1], &v);
    if (!right && !expr_as_int(e->arg[0], &v))
        return false;
    return !__builtin_mul_overflow(k, v, &k) && add_linear(s, sum, e->arg[right ? 0 : 1], k);
}

/* sum += k * e where e is a sum of names; false when it is not, or beyond int64. */
static bool add_linear(const struct affine *s, struct linear *sum, const struct expr *e,
                       int64_t k) {
    if (e->kind == EXPR_CONST)
        return add_product(&sum->constant, k, e->value.i);
    if (e->kind == EXPR_VAR)
        return add_name(s, sum, e->name, k);
    return add_function(s, sum, e, k);
}

static __isl_give isl_val *value(const struct affine *s, int64_t v) {
    return isl_val_int_from_si(s->poly->ctx, v);
}

static __isl_give isl_aff *aff_of(const struct affine *s, const struct linear *sum) {
    isl_space *space = poly_space(s->poly, s->num_names);
    isl_aff *a = isl_aff_zero_on_domain(isl_local_space_from_space(space));
    a = isl_aff_set_constant_val(a, value(s, sum->constant));
    for (int k = 0; k < s->num_names; k++)
        if (sum->dim[k])
            a = isl_aff_set_coefficient_val(a, isl_dim_in, k, value(s, sum->dim[k]));
    for (int k = 0; k < s->poly->loops->symbols.len; k++)
        if (sum->symbol[k])
            a = isl_aff_set_coefficient_val(a, isl_dim_param, k, value(s, sum->symbol[k]));
    return a;
}

/* ---- everything else ---- */

static __isl_give isl_pw_aff *product(const struct affine *s, const struct expr *e) {
    int64_t v;
    bool right = expr_as_int(e->arg[1], &v);
    if (!right)
        expr_as_int(e->arg[0], &v);
    isl_pw_aff *x = affine_index(s, e->arg[right ? 0 : 1]);
    return isl_pw_aff_scale_val(x, value(s, v));
}

static __isl_give isl_pw_aff *choice(const struct affine *s, const struct expr *e) {
    isl_set *yes = affine_condition(s, e->arg[0], true);
    isl_set *no = affine_condition(s, e->arg[0], false);
    isl_pw_aff *a = isl_pw_aff_intersect_domain(affine_index(s, e->arg[1]), yes);
    isl_pw_aff *b = isl_pw_aff_intersect_domain(affine_index(s, e->arg[2]), no);
    return isl_pw_aff_union_add(a, b);
}

static __isl_give isl_pw_aff *function(const struct affine *s, const struct expr *e) {
    int64_t divisor;
    if (e->func == FUNC_MUL)
        return product(s, e);
    if (e->func == FUNC_SELECT)
        return choice(s, e);
    isl_pw_aff *x = affine_index(s, e->arg[0]);
    if (e->func == FUNC_NEG)
        return isl_pw_aff_neg(x);
    if (e->func == FUNC_DIV || e->func == FUNC_REM || e->func == FUNC_MOD) {
        expr_as_int(e->arg[1], &divisor);
        if (e->func != FUNC_DIV)
            return isl_pw_aff_mod_val(x, value(s, divisor));
        return isl_pw_aff_floor(isl_pw_aff_scale_down_val(x, value(s, divisor)));
    }
    isl_pw_aff *y = affine_index(s, e->arg[1]);
    switch (e->func) {
    case FUNC_ADD:
        return isl_pw_aff_add(x, y);
    case FUNC_SUB:
        return isl_pw_aff_sub(x, y);
    case FUNC_MIN:
        return isl_pw_aff_min(x, y);
    case FUNC_MAX:
        return isl_pw_aff_max(x, y);
    default: // clamp and check: a < lo ? lo : min(a, hi), as wanted where lo <= hi
        return isl_pw_aff_min(isl_pw_aff_max(x, y), affine_index(s, e->arg[2]));
    }
}

__isl_give isl_pw_aff *affine_index(const struct affine *s, const struct expr *e) {
    struct arena scratch = {0};
    struct linear sum = {.dim = arena_array(&scratch, int64_t, s->num_names),
                         .symbol = arena_array(&scratch, int64_t, s->poly->loops->symbols.len)};
    bool linear = add_linear(s, &sum, e, 1);
    isl_pw_aff *result = linear ? isl_pw_aff_from_aff(aff_of(s, &sum)) : NULL;
    arena_free(&scratch);
    return linear ? result : function(s, e);
}

/* ---- conditions ---- */

static enum func negation(enum func f) {
    switch (f) {
    case FUNC_LT:
        return FUNC_GE;
    case FUNC_LE:
        return FUNC_GT;
    case FUNC_GT:
        return FUNC_LE;
    case FUNC_GE:
        return FUNC_LT;
    case FUNC_EQ:
        return FUNC_NE;
    default:
        return FUNC_EQ;
    }
}

static __isl_give isl_set *comparison(const struct affine *s, const struct expr *e,
                                      bool truth) {
    isl_pw_aff *x = affine_index(s, e->arg[0]), *y = affine_index(s, e->arg[1]);
    switch (truth ? e->func : negation(e->func)) {
    case FUNC_LT:
        return isl_pw_aff_lt_set(x, y);
    case FUNC_LE:
        return isl_pw_aff_le_set(x, y);
    case FUNC_GT:
        return isl_pw_aff_gt_set(x, y);
    case FUNC_GE:
        return isl_pw_aff_ge_set(x, y);
    case FUNC_EQ:
        return isl_pw_aff_eq_set(x, y);
    default:
        return isl_pw_aff_ne_set(x, y);
    }
}

__isl_give isl_set *affine_condition(const struct affine *s, const struct expr *e, bool truth) {
    isl_space *space = poly_space(s->poly, s->num_names);
    if (e->kind == EXPR_CONST && !e->value.i == truth)
        return isl_set_empty(space);
    if (e->kind == EXPR_FUNC && e->func == FUNC_NOT) {
        isl_space_free(space);
        return affine_condition(s, e->arg[0], !truth);
    }
    if (is_comparison(e) && affine_is_condition(s, e)) {
        isl_space_free(space);
        return comparison(s, e, truth);
    }
    if (e->kind != EXPR_FUNC || (e->func != FUNC_AND && e->func != FUNC_OR))
        return isl_set_universe(space);
    isl_space_free(space);
    isl_set *x = affine_condition(s, e->arg[0], truth);
    isl_set *y = affine_condition(s, e->arg[1], truth);
    return (e->func == FUNC_AND) == truth ? isl_set_intersect(x, y) : isl_set_union(x, y);
}

__isl_give isl_set *affine_within(const struct affine *s, const struct expr *e,
                                  const struct expr *lo, const struct expr *hi) {
    isl_set *set = isl_set_universe(poly_space(s->poly, s->num_names));
    if (!affine_is(s, e))
        return set;
    if (affine_is(s, lo)) {
        isl_pw_aff *x = affine_index(s, e), *y = affine_index(s, lo);
        set = isl_set_intersect(set, isl_pw_aff_ge_set(x, y));
    }
    if (affine_is(s, hi)) {
        isl_pw_aff *x = affine_index(s, e), *y = affine_index(s, hi);
        set = isl_set_intersect(set, isl_pw_aff_lt_set(x, y));
    }
    return set;
}

/* lo <= value <= hi; where lo > hi the value is one of the two. */
static __isl_give isl_set *value_range(const struct affine *s, const struct expr *e, int dim) {
    isl_set *set[3];
    static const int bound[] = {1, 2};
    isl_space *space = poly_space(s->poly, s->num_names);
    isl_aff *v =
        isl_aff_var_on_domain(isl_local_space_from_space(space), isl_dim_set, (unsigned)dim);
    isl_pw_aff *x = isl_pw_aff_from_aff(v);
    for (int k = 0; k < 2; k++) {
        isl_pw_aff *y = affine_index(s, e->arg[bound[k]]);
        isl_pw_aff *mine = isl_pw_aff_copy(x);
        set[k] = k == 0 ? isl_pw_aff_ge_set(mine, y) : isl_pw_aff_le_set(mine, y);
    }
    isl_pw_aff *lo = affine_index(s, e->arg[1]), *hi = affine_index(s, e->arg[2]);
    set[2] = isl_pw_aff_gt_set(isl_pw_aff_copy(lo), isl_pw_aff_copy(hi));
    isl_set *lowest = isl_pw_aff_eq_set(isl_pw_aff_copy(x), lo);
    isl_set *highest = isl_pw_aff_eq_set(x, hi);
    set[2] = isl_set_intersect(set[2], isl_set_union(lowest, highest));
    return isl_set_union(isl_set_intersect(set[0], set[1]), set[2]);
}

__isl_give isl_set *affine_constrain(const struct affine *s, __isl_take isl_set *set,
                                     const struct expr *e) {
    int dim = is_clamp(e) ? find_value(s, e) : -1;
    if (dim >= 0) {
        for (int k = 1; k < 3; k++)
            set = affine_constrain(s, set, e->arg[k]);
        return isl_set_intersect(set, value_range(s, e, dim));
    }
    for (int k = 0; k < e->n && e->kind != EXPR_LOAD; k++)
        set = affine_constrain(s, set, e->arg[k]);
    return set;
}
