/* Conditions and masks of a tile of vectors (codegen/vector.h): truth values over the lanes of
 * the point at hand.
 *
 * A guard becomes what is left of it at the point: nothing where its bounds surely hold; where
 * they do not depend on the lane a condition, which chooses a pointer or a value; else a mask
 * of lanes. The bounds of lanes are compared as floats: exact as far as lanes reach. */
#include "codegen/vector.h"

#include <inttypes.h>
#include <math.h>

static const char not_linear[] = "a condition that is not linear in the lane";

/* ---- conditions and masks ---- */

/* A condition that does not depend on the lane as an expression: a name where it is known
 * outside of the innermost loop. */
const struct expr *vector_condition(struct vector_tile *t, const struct expr *cond) {
    struct emit *em = t->em;
    int level = vector_level_of(t, cond);
    if (cond->kind == EXPR_VAR || level == t->num_levels - 1)
        return cond;
    const char *c = vector_hoist(t, level, "int", 'c', vector_scalar(t, cond, C_ANY));
    struct var v = {.name = c, .c = c, .dtype = DTYPE_BOOL};
    vec_push(&em->arena, &em->vars, v);
    return expr_var(&em->arena, DTYPE_BOOL, c);
}

const struct expr *vector_both(struct vector_tile *t, const struct expr *x,
                               const struct expr *y) {
    return !x ? y : !y ? x : expr_2(&t->em->arena, FUNC_AND, x, y);
}

static const char *hoist_mask(struct vector_tile *t, int level, const char *c) {
    level = vector_first_level(t, level);
    return t->failed ? "" : vector_hoist(t, level, prim_mask_type(t->target, t->dtype), 'm', c);
}

const char *vector_both_masks(struct vector_tile *t, const char *x, const char *y) {
    if (!x || !y)
        return x ? x : y;
    return vector_let(t, prim_mask_type(t->target, t->dtype), 'q',
                      vector_prim(t, PRIM_AND, x, y, NULL));
}

static const char *load_numbers(struct vector_tile *t) {
    struct emit *em = t->em;
    em->lane_numbers[t->dtype == DTYPE_F64] = true;
    const char *array =
        arena_printf(&em->arena, "%s_lanes_%s", em->opt->prefix, dtype_info(t->dtype)->text);
    return vector_prim(t, PRIM_LOAD, array, NULL, NULL);
}

/* factor times the number of each lane: 0, 1, 2 … */
static const char *lane_numbers(struct vector_tile *t, int64_t factor) {
    int level = vector_first_level(t, 0);
    const char *from =
        t->target->scalable ? vector_prim(t, PRIM_NUMBERS, NULL, NULL, NULL) : load_numbers(t);
    const char *numbers = vector_hoist(t, level, vector_type(t), 'n', from);
    if (factor == 1)
        return numbers;
    const char *scaled =
        vector_prim(t, PRIM_MUL, numbers, vector_number(t, (double)factor), NULL);
    return vector_hoist(t, level, vector_type(t), 'n', scaled);
}

/* A vector of the index e, the same in all lanes. */
static const char *splat_index(struct vector_tile *t, const struct expr *e) {
    return vector_splat(t, arena_printf(&t->em->arena, "(%s)%s", dtype_info(t->dtype)->c_type,
                                        vector_scalar(t, e, C_UNARY)));
}

/* e = factor * (the lane's number in its vector) + rest */
static bool index_by_lane(struct vector_tile *t, const struct expr *e, int64_t *factor,
                          const struct expr **rest) {
    struct arena *a = &t->em->arena;
    if (!vector_split(t, e, t->lane, factor, rest))
        return false;
    const struct expr *from = expr_index(a, t->lane_from);
    if (t->lane_loop)
        from = expr_2(a, FUNC_ADD, expr_var(a, DTYPE_INDEX, t->lane), from);
    const struct expr *start = expr_2(a, FUNC_MUL, from, expr_index(a, *factor)), *sum;
    int64_t none;
    if (!vector_split(t, expr_2(a, FUNC_ADD, *rest, start), "", &none, &sum))
        return false;
    *rest = sum;
    return true;
}

/* Mask of the lanes where e op 0, e an index that depends on the lane. */
static const char *lane_mask(struct vector_tile *t, const struct expr *e, enum func op) {
    struct arena *a = &t->em->arena;
    int64_t factor;
    const struct expr *rest;
    if (!index_by_lane(t, e, &factor, &rest))
        return vector_fail(t, not_linear);
    const struct expr *limit = expr_2(a, FUNC_SUB, expr_index(a, 0), rest);
    int64_t none;
    if (!vector_split(t, limit, "", &none, &limit))
        return vector_fail(t, not_linear);
    return hoist_mask(
        t, vector_level_of(t, limit),
        vector_prim(t, prim_of_func(op), lane_numbers(t, factor), splat_index(t, limit), NULL));
}

const char *vector_first(struct vector_tile *t, const struct expr *count) {
    struct arena *a = &t->em->arena;
    int64_t lanes;
    if (expr_as_int(count, &lanes)) {
        const char *first = vector_prim(
            t, PRIM_FIRST, arena_printf(a, "%" PRId64, lanes - t->lane_from), NULL, NULL);
        return hoist_mask(t, 0, first);
    }
    const struct expr *lane = expr_var(a, DTYPE_INDEX, t->lane);
    return lane_mask(t, expr_2(a, FUNC_SUB, lane, count), FUNC_LT);
}

/* ---- guards ---- */

/* The lanes where room >= 0, if that is known of each. */
static struct vector_guard lanes_with(struct vector_tile *t, const struct expr *room) {
    struct arena *a = &t->em->arena;
    struct vector_guard g = {!t->lane_loop && !t->target->scalable, 0},
                        all = {false, UINT32_MAX};
    for (int j = 0; j < t->width && g.known; j++) {
        const struct expr *lane = expr_index(a, t->lane_from + j);
        const struct expr *here = expr_subst(a, room, &t->lane, &lane, 1);
        int64_t none, lo, hi;
        g.known = vector_split(t, here, "", &none, &here) &&
                  emit_range(t->em, here, &lo, &hi) && (lo >= 0 || hi < 0);
        g.lanes |= (uint32_t)(g.known && lo >= 0) << j;
    }
    return g.known ? g : all;
}

/* The guard b holds besides the one that is around in no lane that there is. */
static bool holds_nowhere(struct vector_tile *t, const struct vector_bounds *b) {
    struct vector_guard outer = t->guard;
    bool nowhere = true;
    t->guard.lanes &= b->guard.lanes;
    for (int j = 0; j < t->width; j++)
        nowhere &= !vector_has_lane(t, j);
    t->guard = outer;
    return nowhere;
}

static void add_lane_bound(struct vector_tile *t, struct vector_bounds *b,
                           const struct expr *room) {
    struct vector_guard with = lanes_with(t, room);
    b->guard.known &= with.known;
    b->guard.lanes &= with.lanes;
    if (holds_nowhere(t, b))
        b->never = true;
    else
        b->mask = vector_both_masks(t, b->mask, lane_mask(t, room, FUNC_GE));
}

/* Adds x <= y. */
static void add_bound(struct vector_tile *t, struct vector_bounds *b, const struct expr *x,
                      const struct expr *y, bool strictly) {
    struct arena *a = &t->em->arena;
    int64_t lo, hi, none;
    const struct expr *room = expr_2(a, FUNC_SUB, y, x);
    room = expr_2(a, FUNC_SUB, room, expr_index(a, strictly));
    if (!vector_split(t, room, "", &none, &room)) {
        vector_fail(t, not_linear);
        return;
    }
    bool known = emit_range(t->em, room, &lo, &hi);
    if (known && lo >= 0)
        return;
    if (known && hi < 0)
        b->never = true;
    else if (vector_by_lane(t, room))
        add_lane_bound(t, b, room);
    else
        b->cond = vector_both(t, b->cond, expr_2(a, strictly ? FUNC_LT : FUNC_LE, x, y));
}

struct vector_bounds vector_bounds_of(struct vector_tile *t, const struct expr *e) {
    struct vector_bounds b = {.guard = {true, UINT32_MAX}};
    for (int k = 2; k < e->n; k += 3) {
        add_bound(t, &b, e->arg[k + 1], e->arg[k], false);
        add_bound(t, &b, e->arg[k], e->arg[k + 2], true);
    }
    return b;
}

/* ---- truth values ---- */

static const char *compare_mask(struct vector_tile *t, const struct expr *e) {
    const struct expr *x = e->arg[0], *y = e->arg[1];
    if (x->dtype == DTYPE_INDEX)
        return lane_mask(t, expr_2(&t->em->arena, FUNC_SUB, x, y), e->func);
    if (x->dtype == DTYPE_BOOL) { // 0 and 1 are in the order of false and true
        x = expr_cast(&t->em->arena, t->dtype, x);
        y = expr_cast(&t->em->arena, t->dtype, y);
    }
    const char *v = vector_value(t, x);
    return vector_prim(t, prim_of_func(e->func), v, vector_value(t, y), NULL);
}

static const char *test_mask(struct vector_tile *t, const struct expr *e) {
    const char *x = vector_value(t, e->arg[0]);
    if (e->func == FUNC_ISNAN)
        return vector_prim(t, PRIM_NE, x, x, NULL);
    return vector_prim(t, PRIM_EQ, vector_prim(t, PRIM_ABS, x, NULL, NULL),
                       vector_number(t, (double)INFINITY), NULL);
}

static const char *logic_mask(struct vector_tile *t, const struct expr *e) {
    const char *x = vector_mask(t, e->arg[0]), *y = NULL;
    t->unsure++;
    if (e->n > 1)
        y = vector_mask(t, e->arg[1]);
    t->unsure--;
    return vector_prim(t, prim_of_func(e->func), x, y, NULL);
}

/* c ? x : y of truth values, as (c && x) || (!c && y). */
static const char *select_mask(struct vector_tile *t, const struct expr *e) {
    const char *c = vector_mask(t, e->arg[0]);
    t->unsure++;
    const char *x = vector_mask(t, e->arg[1]), *y = vector_mask(t, e->arg[2]);
    t->unsure--;
    y = vector_prim(t, PRIM_AND, vector_prim(t, PRIM_NOT, c, NULL, NULL), y, NULL);
    return vector_prim(t, PRIM_OR, vector_prim(t, PRIM_AND, c, x, NULL), y, NULL);
}

const char *vector_mask(struct vector_tile *t, const struct expr *e) {
    struct arena *a = &t->em->arena;
    const char *c = NULL;
    if (!vector_by_lane(t, e)) {
        const struct expr *number =
            expr_3(a, FUNC_SELECT, vector_scalar_of(t, e), expr_float(a, t->dtype, 1),
                   expr_float(a, t->dtype, 0));
        c = vector_prim(t, PRIM_NE, vector_splat(t, vector_scalar(t, number, C_ANY)),
                        vector_number(t, 0), NULL);
    } else if (e->kind == EXPR_LOAD) {
        return vector_load_mask(t, e);
    } else if (e->kind == EXPR_CAST) {
        c = vector_prim(t, PRIM_NE, vector_value(t, e->arg[0]), vector_number(t, 0), NULL);
    } else if (e->kind != EXPR_FUNC) {
        return vector_fail(t, "a truth value that vectors do not have");
    } else if (func_info(e->func)->rule == RULE_COMPARE) {
        c = compare_mask(t, e);
    } else if (func_info(e->func)->rule == RULE_TEST) {
        c = test_mask(t, e);
    } else if (e->func == FUNC_SELECT) {
        c = select_mask(t, e);
    } else if (func_info(e->func)->rule == RULE_LOGIC) {
        c = logic_mask(t, e);
    } else {
        return vector_fail(t, "a truth value that vectors do not have");
    }
    return t->failed ? "" : vector_let(t, prim_mask_type(t->target, t->dtype), 'q', c);
}
