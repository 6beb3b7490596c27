/* Values of a tile of vectors (codegen/vector.h): an expression as a vector over the lanes of
 * the point at hand. What does not depend on the lane is a scalar, splat where a vector needs
 * it; each value has a name, and equal values one.
 *
 * A guard becomes what is left of it at the point: nothing where its bounds surely hold; where
 * they do not depend on the lane a condition, which chooses a pointer or a value; else a mask
 * of lanes. The bounds of lanes are compared as floats: exact as far as lanes reach. */
#include "codegen/vector.h"

#include <inttypes.h>
#include <math.h>

static bool by_lane(const struct vector_tile *t, const struct expr *e) {
    return (t->lane && expr_mentions(e, t->lane)) || expr_find(e, EXPR_REDUCE);
}

static bool is_zero(const struct expr *e) {
    return e->kind == EXPR_CONST && dtype_is_float(e->dtype) && e->value.f == 0 &&
           !signbit(e->value.f);
}

static const char *let_value(struct vector_tile *t, char letter, const char *c) {
    return vector_let(t, vector_type(t), letter, c);
}

/* What a primitive gives: a name where its C is long. */
static const char *let_long(struct vector_tile *t, const char *c) {
    enum { SHORT = 56 };
    return strlen(c) <= SHORT ? c : let_value(t, 'y', c);
}

/* A vector whose lanes are all the scalar c. */
static const char *splat_text(struct vector_tile *t, const char *c) {
    return vector_prim(t, PRIM_SPLAT, c, NULL, NULL);
}

static const char *splat_number(struct vector_tile *t, double v) {
    if (v == 0 && !signbit(v))
        return vector_prim(t, PRIM_ZERO, NULL, NULL, NULL);
    return splat_text(t, vector_scalar(t, expr_float(&t->em->arena, t->dtype, v), C_ANY));
}

/* ---- conditions and masks ---- */

/* A condition that does not depend on the lane as an expression: a name where it is known
 * outside of the innermost loop. */
static const struct expr *named_condition(struct vector_tile *t, const struct expr *cond) {
    struct emit *em = t->em;
    int level = vector_level_of(t, cond);
    if (cond->kind == EXPR_VAR || level == t->num_levels - 1)
        return cond;
    const char *c = vector_hoist(t, level, "int", 'c', vector_scalar(t, cond, C_ANY));
    struct var v = {.name = c, .c = c, .dtype = DTYPE_BOOL};
    vec_push(&em->arena, &em->vars, v);
    return expr_var(&em->arena, DTYPE_BOOL, c);
}

static const struct expr *both(struct vector_tile *t, const struct expr *x,
                               const struct expr *y) {
    return !x ? y : !y ? x : expr_2(&t->em->arena, FUNC_AND, x, y);
}

static const char *hoist_mask(struct vector_tile *t, int level, const char *c) {
    return t->failed ? "" : vector_hoist(t, level, prim_mask_type(t->target, t->dtype), 'm', c);
}

static const char *both_masks(struct vector_tile *t, const char *x, const char *y) {
    if (!x || !y)
        return x ? x : y;
    return vector_let(t, prim_mask_type(t->target, t->dtype), 'q',
                      vector_prim(t, PRIM_AND, x, y, NULL));
}

/* factor times the number of each lane: 0, 1, 2 … */
static const char *lane_numbers(struct vector_tile *t, int64_t factor) {
    struct emit *em = t->em;
    em->lane_numbers[t->dtype == DTYPE_F64] = true;
    const char *array =
        arena_printf(&em->arena, "%s_lanes_%s", em->opt->prefix, dtype_info(t->dtype)->text);
    const char *load = vector_prim(t, PRIM_LOAD, array, NULL, NULL);
    const char *numbers = vector_hoist(t, 0, vector_type(t), 'n', load);
    if (factor == 1)
        return numbers;
    const char *scaled =
        vector_prim(t, PRIM_MUL, numbers, splat_number(t, (double)factor), NULL);
    return vector_hoist(t, 0, vector_type(t), 'n', scaled);
}

/* A vector of the index e, the same in all lanes. */
static const char *splat_index(struct vector_tile *t, const struct expr *e) {
    return splat_text(t, arena_printf(&t->em->arena, "(%s)%s", dtype_info(t->dtype)->c_type,
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
        return vector_fail(t);
    const struct expr *limit = expr_2(a, FUNC_SUB, expr_index(a, 0), rest);
    int64_t none;
    if (!vector_split(t, limit, "", &none, &limit))
        return vector_fail(t);
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

/* What is left of the bounds of a guard. */
struct bounds {
    const struct expr *cond; // NULL: nothing
    const char *mask;        // NULL: nothing
    bool never;
};

/* Adds x <= y. */
static void add_bound(struct vector_tile *t, struct bounds *b, const struct expr *x,
                      const struct expr *y, bool strictly) {
    struct arena *a = &t->em->arena;
    int64_t lo, hi, none;
    const struct expr *room = expr_2(a, FUNC_SUB, y, x);
    room = expr_2(a, FUNC_SUB, room, expr_index(a, strictly));
    if (!vector_split(t, room, "", &none, &room)) {
        vector_fail(t);
        return;
    }
    bool known = emit_range(t->em, room, &lo, &hi);
    if (known && lo >= 0)
        return;
    if (known && hi < 0)
        b->never = true;
    else if (by_lane(t, room))
        b->mask = both_masks(t, b->mask, lane_mask(t, room, FUNC_GE));
    else
        b->cond = both(t, b->cond, expr_2(a, strictly ? FUNC_LT : FUNC_LE, x, y));
}

static struct bounds read_bounds(struct vector_tile *t, const struct expr *e) {
    struct bounds b = {0};
    for (int k = 2; k < e->n; k += 3) {
        add_bound(t, &b, e->arg[k + 1], e->arg[k], false);
        add_bound(t, &b, e->arg[k], e->arg[k + 2], true);
    }
    return b;
}

/* ---- scalars ---- */

static const struct expr *scalar_of(struct vector_tile *t, const struct expr *e);

/* A scalar that is written as c. */
static const struct expr *written(struct vector_tile *t, enum dtype type, const char *c) {
    struct emit *em = t->em;
    struct var v = {.name = c, .c = c, .dtype = type};
    vec_push(&em->arena, &em->vars, v);
    return expr_var(&em->arena, type, c);
}

static const struct expr *scalar_load(struct vector_tile *t, const struct expr *e) {
    struct arena *a = &t->em->arena;
    struct vector_place p;
    if (!vector_place(t, e->array, e->arg[0], false, &p)) {
        if (dtype_info(e->dtype)->bits >= 8 || t->cond || t->mask || t->unsure)
            vector_fail(t);
        return e; // packed: its helper is called
    }
    const struct expr *x = written(t, e->dtype, vector_element(t, &p));
    if (!t->cond || p.zeros)
        return x;
    return expr_3(a, FUNC_SELECT, named_condition(t, t->cond), x, expr_int(a, e->dtype, 0));
}

static const struct expr *scalar_guard(struct vector_tile *t, const struct expr *e) {
    struct bounds b = read_bounds(t, e);
    if (b.never)
        return scalar_of(t, e->arg[1]);
    if (!b.cond)
        return scalar_of(t, e->arg[0]);
    if (e->arg[0]->kind == EXPR_LOAD && is_zero(e->arg[1]) && e->dtype == t->dtype) {
        const struct expr *outer = t->cond;
        t->cond = both(t, outer, b.cond);
        const struct expr *x = scalar_load(t, e->arg[0]);
        t->cond = outer;
        return x;
    }
    return expr_3(&t->em->arena, FUNC_SELECT, named_condition(t, b.cond),
                  scalar_of(t, e->arg[0]), scalar_of(t, e->arg[1]));
}

/* e, which does not depend on the lane, with its loads by pointers. */
static const struct expr *scalar_of(struct vector_tile *t, const struct expr *e) {
    struct arena *a = &t->em->arena;
    if (e->n == 0 || e->dtype == DTYPE_INDEX)
        return e;
    if (e->kind == EXPR_LOAD)
        return scalar_load(t, e);
    if (e->kind == EXPR_GUARD)
        return scalar_guard(t, e);
    const struct expr **arg = arena_array(a, const struct expr *, e->n);
    for (int k = 0; k < e->n; k++)
        arg[k] = scalar_of(t, e->arg[k]);
    return e->kind == EXPR_CAST ? expr_cast(a, e->dtype, arg[0])
                                : expr_func(a, e->func, arg, e->n);
}

/* The scalar e in all lanes. What loops around do not change is made before them, unless it
 * reads what the tile writes or may be skipped. */
static const char *splat(struct vector_tile *t, const struct expr *e) {
    const struct expr *s = scalar_of(t, e);
    if (s->dtype != t->dtype)
        return vector_fail(t);
    if (is_zero(s))
        return vector_prim(t, PRIM_ZERO, NULL, NULL, NULL);
    const char *c = splat_text(t, vector_scalar(t, s, C_ANY));
    bool stays = t->unsure || t->cond || e->kind == EXPR_CONST || expr_find(e, EXPR_GUARD) ||
                 expr_loads(e, t->node->buffer);
    int level = stays ? t->num_levels - 1 : vector_level_of(t, e);
    return t->failed ? ""
                     : vector_keep(t, level, vector_type(t),
                                   level < t->num_levels - 1 ? 'h' : 'w', c);
}

/* ---- loads ---- */

/* Lanes far apart of which not all are there: through an array. */
static const char *load_through_array(struct vector_tile *t, const struct vector_place *p) {
    struct emit *em = t->em;
    int64_t count = t->lane_count - t->lane_from;
    if (t->mask || t->lane_count == 0)
        return vector_fail(t);
    const char *array = vector_name(t, 'z'), *at = vector_name(t, 'i');
    const char *type = dtype_info(t->dtype)->c_type;
    put_indent(em);
    putf(em, "%s %s[%d];\n", type, array, t->width);
    put_indent(em);
    putf(em, "for (int32_t %s = 0; %s < %" PRId64 "; %s++)\n", at, at, count, at);
    put_indent(em);
    putf(em, "    %s[%s] = (%s)[%s * %" PRId64 "];\n", array, at, vector_address(t, p), at,
         p->lane_step);
    t->local_bytes += (int64_t)t->width * dtype_info(t->dtype)->bits / 8;
    return vector_prim(t, PRIM_LOAD_SOME, array, t->tail, NULL);
}

/* The call that loads what lies at p. */
static const char *load_text(struct vector_tile *t, const struct vector_place *p) {
    const char *address = vector_address(t, p);
    if (p->lane_step == 1) {
        const char *mask = both_masks(t, t->mask, t->tail);
        return mask ? vector_prim(t, PRIM_LOAD_SOME, address, mask, NULL)
                    : vector_prim(t, PRIM_LOAD, address, NULL, NULL);
    }
    if (t->mask || t->tail)
        return load_through_array(t, p);
    return vector_prim(t, PRIM_GATHER, address,
                       arena_printf(&t->em->arena, "%" PRId64, p->lane_step), NULL);
}

static const char *load_vector(struct vector_tile *t, const struct expr *e) {
    struct vector_place p;
    if (e->dtype != t->dtype || !vector_place(t, e->array, e->arg[0], false, &p))
        return vector_fail(t);
    if (p.lane_step == 0)
        return vector_fail(t); // only a part of its index that is not evenly spaced
    const char *load = load_text(t, &p);
    if (t->cond && !p.zeros)
        load = arena_printf(&t->em->arena, "%s ? (%s)%s : %s",
                            vector_scalar(t, named_condition(t, t->cond), C_OR), vector_type(t),
                            load, vector_prim(t, PRIM_ZERO, NULL, NULL, NULL));
    return let_value(t, 'x', load);
}

/* ---- functions ---- */

static const char *mask_of(struct vector_tile *t, const struct expr *e);

/* A value of which the ast skips what the mask of some lanes leaves out. */
static const char *skipped_value(struct vector_tile *t, const struct expr *e) {
    t->unsure++;
    const char *x = vector_value(t, e);
    t->unsure--;
    return x;
}

static const char *select_value(struct vector_tile *t, const struct expr *e) {
    bool lanes = by_lane(t, e->arg[0]);
    const char *cond =
        lanes ? mask_of(t, e->arg[0]) : vector_scalar(t, scalar_of(t, e->arg[0]), C_OR);
    const char *x = skipped_value(t, e->arg[1]), *y = skipped_value(t, e->arg[2]);
    if (lanes)
        return let_value(t, 'y', vector_prim(t, PRIM_SELECT, cond, x, y));
    return let_value(t, 'y', arena_printf(&t->em->arena, "%s ? %s : %s", cond, x, y));
}

static const char *sign_value(struct vector_tile *t, const struct expr *e) {
    const char *x = vector_value(t, e->arg[0]), *zero = splat_number(t, 0);
    const char *below = vector_prim(t, PRIM_SELECT, vector_prim(t, PRIM_LT, x, zero, NULL),
                                    splat_number(t, -1), zero);
    return let_value(t, 'y',
                     vector_prim(t, PRIM_SELECT, vector_prim(t, PRIM_GT, x, zero, NULL),
                                 splat_number(t, 1), below));
}

static bool is_product(const struct vector_tile *t, const struct expr *e) {
    return !t->strict && e->kind == EXPR_FUNC && e->func == FUNC_MUL && by_lane(t, e) &&
           prim_has(t->target, PRIM_FMA, t->dtype) && prim_has(t->target, PRIM_FNMA, t->dtype);
}

static const char *fused(struct vector_tile *t, enum prim p, const struct expr *product,
                         const char *x) {
    const char *v = vector_value(t, product->arg[0]), *w = vector_value(t, product->arg[1]);
    return vector_prim(t, p, v, w, x);
}

const char *vector_combine(struct vector_tile *t, enum func op, const char *x,
                           const struct expr *y) {
    if (op == FUNC_ADD && is_product(t, y))
        return fused(t, PRIM_FMA, y, x);
    return vector_prim(t, prim_of_func(op), x, vector_value(t, y), NULL);
}

static const char *call_value(struct vector_tile *t, const struct expr *e) {
    struct emit *em = t->em;
    if (t->strict || e->n > 3 || !math_has(t->target, e->func, t->dtype))
        return vector_fail(t);
    const char *arg[3] = {"", "", ""};
    for (int k = 0; k < e->n; k++)
        arg[k] = vector_value(t, e->arg[k]);
    const char *name = math_add(&em->calls, &em->arena, t->target, e->func, t->dtype);
    t->called[e->func] = true;
    return let_value(t, 'y',
                     arena_printf(&em->arena, "%s(%s%s%s%s%s)", name, arg[0],
                                  e->n > 1 ? ", " : "", arg[1], e->n > 2 ? ", " : "", arg[2]));
}

/* x / y, y being the same in all lanes: once rounded more, but one division for all of them. */
static const char *quotient(struct vector_tile *t, const struct expr *e) {
    struct arena *a = &t->em->arena;
    const struct expr *one = expr_float(a, t->dtype, 1);
    const char *x = vector_value(t, e->arg[0]);
    const char *y = splat(t, expr_2(a, FUNC_DIV, one, e->arg[1]));
    return let_long(t, vector_prim(t, PRIM_MUL, x, y, NULL));
}

/* What e is the reciprocal of, lane by lane; NULL: it is none. */
static const struct expr *reciprocal_of(const struct vector_tile *t, const struct expr *e) {
    bool is = e->kind == EXPR_FUNC && e->func == FUNC_DIV && by_lane(t, e->arg[1]) &&
              e->arg[0]->kind == EXPR_CONST && e->arg[0]->value.f == 1;
    return is ? e->arg[1] : NULL;
}

/* x * (1 / y) as x / y: rounded once less. */
static const struct expr *without_reciprocal(struct vector_tile *t, const struct expr *e) {
    struct arena *a = &t->em->arena;
    if (e->func != FUNC_MUL || t->strict)
        return e;
    for (int k = 0; k < 2; k++) {
        const struct expr *y = reciprocal_of(t, e->arg[k]);
        if (y)
            return expr_2(a, FUNC_DIV, e->arg[1 - k], y);
    }
    return e;
}

static const char *func_value(struct vector_tile *t, const struct expr *product) {
    const struct expr *e = without_reciprocal(t, product);
    enum prim p = prim_of_func(e->func);
    if (e->func == FUNC_DIV && !t->strict && !by_lane(t, e->arg[1]))
        return quotient(t, e);
    if (e->func == FUNC_SELECT)
        return select_value(t, e);
    if (e->func == FUNC_SIGN)
        return sign_value(t, e);
    if (e->func == FUNC_ADD && is_product(t, e->arg[0]))
        return let_long(t, fused(t, PRIM_FMA, e->arg[0], vector_value(t, e->arg[1])));
    if (e->func == FUNC_ADD && is_product(t, e->arg[1]))
        return let_long(t, fused(t, PRIM_FMA, e->arg[1], vector_value(t, e->arg[0])));
    if (e->func == FUNC_SUB && is_product(t, e->arg[1]))
        return let_long(t, fused(t, PRIM_FNMA, e->arg[1], vector_value(t, e->arg[0])));
    if (p == PRIM_COUNT)
        return call_value(t, e);
    const char *x = vector_value(t, e->arg[0]);
    const char *y = e->n > 1 ? vector_value(t, e->arg[1]) : NULL;
    return let_long(t, vector_prim(t, p, x, y, NULL));
}

/* ---- truth values ---- */

static const char *compare_mask(struct vector_tile *t, const struct expr *e) {
    const struct expr *x = e->arg[0], *y = e->arg[1];
    if (x->dtype == DTYPE_INDEX)
        return lane_mask(t, expr_2(&t->em->arena, FUNC_SUB, x, y), e->func);
    if (x->dtype != t->dtype)
        return vector_fail(t);
    const char *v = vector_value(t, x);
    return vector_prim(t, prim_of_func(e->func), v, vector_value(t, y), NULL);
}

static const char *test_mask(struct vector_tile *t, const struct expr *e) {
    const char *x = vector_value(t, e->arg[0]);
    if (e->func == FUNC_ISNAN)
        return vector_prim(t, PRIM_NE, x, x, NULL);
    return vector_prim(t, PRIM_EQ, vector_prim(t, PRIM_ABS, x, NULL, NULL),
                       splat_number(t, (double)INFINITY), NULL);
}

static const char *logic_mask(struct vector_tile *t, const struct expr *e) {
    const char *x = mask_of(t, e->arg[0]), *y = NULL;
    t->unsure++;
    if (e->n > 1)
        y = mask_of(t, e->arg[1]);
    t->unsure--;
    return vector_prim(t, prim_of_func(e->func), x, y, NULL);
}

/* A truth value as a mask of lanes. */
static const char *mask_of(struct vector_tile *t, const struct expr *e) {
    struct arena *a = &t->em->arena;
    const char *c = NULL;
    if (!by_lane(t, e)) {
        const struct expr *number =
            expr_3(a, FUNC_SELECT, scalar_of(t, e), expr_float(a, t->dtype, 1),
                   expr_float(a, t->dtype, 0));
        c = vector_prim(t, PRIM_NE, splat_text(t, vector_scalar(t, number, C_ANY)),
                        splat_number(t, 0), NULL);
    } else if (e->kind != EXPR_FUNC) {
        return vector_fail(t);
    } else if (func_info(e->func)->rule == RULE_COMPARE) {
        c = compare_mask(t, e);
    } else if (func_info(e->func)->rule == RULE_TEST) {
        c = test_mask(t, e);
    } else if (func_info(e->func)->rule == RULE_LOGIC) {
        c = logic_mask(t, e);
    } else {
        return vector_fail(t);
    }
    return t->failed ? "" : vector_let(t, prim_mask_type(t->target, t->dtype), 'q', c);
}

/* ---- values ---- */

/* A guard around anything but a load with pad 0: what its bounds leave out reads 0, and is then
 * replaced. */
static const char *guarded_value(struct vector_tile *t, const struct expr *e,
                                 const struct bounds *b) {
    const char *pad = vector_value(t, e->arg[1]);
    const struct expr *outer = t->cond;
    const char *outer_mask = t->mask;
    t->cond = both(t, outer, b->cond);
    t->mask = both_masks(t, outer_mask, b->mask);
    const char *x = vector_value(t, e->arg[0]);
    t->cond = outer;
    t->mask = outer_mask;
    bool masked = !b->mask || by_lane(t, e->arg[0]); // one scalar for all lanes is not
    if (e->arg[0]->kind == EXPR_LOAD && is_zero(e->arg[1]) && masked)
        return x;
    if (b->mask)
        x = let_value(t, 'y', vector_prim(t, PRIM_SELECT, b->mask, x, pad));
    if (!b->cond)
        return x;
    const char *cond = vector_scalar(t, named_condition(t, b->cond), C_OR);
    return let_value(t, 'y', arena_printf(&t->em->arena, "%s ? %s : %s", cond, x, pad));
}

static const char *guard_value(struct vector_tile *t, const struct expr *e) {
    struct bounds b = read_bounds(t, e);
    if (b.never)
        return vector_value(t, e->arg[1]);
    return b.cond || b.mask ? guarded_value(t, e, &b) : vector_value(t, e->arg[0]);
}

static const char *cast_value(struct vector_tile *t, const struct expr *e) {
    if (e->arg[0]->dtype != DTYPE_BOOL)
        return vector_fail(t);
    const char *mask = mask_of(t, e->arg[0]);
    return let_value(t, 'y',
                     vector_prim(t, PRIM_SELECT, mask, splat_number(t, 1), splat_number(t, 0)));
}

const char *vector_value(struct vector_tile *t, const struct expr *e) {
    if (t->failed || e->dtype != t->dtype)
        return vector_fail(t);
    if (!by_lane(t, e))
        return splat(t, e);
    switch (e->kind) {
    case EXPR_LOAD:
        return load_vector(t, e);
    case EXPR_FUNC:
        return func_value(t, e);
    case EXPR_GUARD:
        return guard_value(t, e);
    case EXPR_CAST:
        return cast_value(t, e);
    case EXPR_REDUCE:
        return t->sums ? t->sums[t->vector] : vector_fail(t);
    default:
        return vector_fail(t);
    }
}
