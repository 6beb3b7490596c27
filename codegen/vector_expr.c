/* Values of a tile of vectors (codegen/vector.h): an expression as a vector over the lanes of
 * the point at hand. What does not depend on the lane is a scalar, splat where a vector needs
 * it; each value has a name, and equal values one. */
#include "codegen/vector.h"

#include <math.h>

static const char other_type[] = "values of another type";
static const char unknown_form[] = "a value that is neither loaded nor computed";

bool vector_by_lane(const struct vector_tile *t, const struct expr *e) {
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

const char *vector_splat(struct vector_tile *t, const char *c) {
    return vector_prim(t, PRIM_SPLAT, c, NULL, NULL);
}

const char *vector_number(struct vector_tile *t, double v) {
    if (v == 0 && !signbit(v))
        return vector_prim(t, PRIM_ZERO, NULL, NULL, NULL);
    return vector_splat(t, vector_scalar(t, expr_float(&t->em->arena, t->dtype, v), C_ANY));
}

/* ---- scalars ---- */

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
            vector_fail(t, "a scalar that lies nobody knows where");
        return e; // packed: its helper is called
    }
    const struct expr *x = written(t, e->dtype, vector_element(t, &p));
    if (!t->cond || p.zeros)
        return x;
    return expr_3(a, FUNC_SELECT, vector_condition(t, t->cond), x, expr_int(a, e->dtype, 0));
}

static const struct expr *scalar_guard(struct vector_tile *t, const struct expr *e) {
    struct vector_bounds b = vector_bounds_of(t, e);
    if (b.never)
        return vector_scalar_of(t, e->arg[1]);
    if (!b.cond)
        return vector_scalar_of(t, e->arg[0]);
    if (e->arg[0]->kind == EXPR_LOAD && is_zero(e->arg[1]) && e->dtype == t->dtype) {
        const struct expr *outer = t->cond;
        t->cond = vector_both(t, outer, b.cond);
        const struct expr *x = scalar_load(t, e->arg[0]);
        t->cond = outer;
        return x;
    }
    return expr_3(&t->em->arena, FUNC_SELECT, vector_condition(t, b.cond),
                  vector_scalar_of(t, e->arg[0]), vector_scalar_of(t, e->arg[1]));
}

/* e, which does not depend on the lane, with its loads by pointers. */
const struct expr *vector_scalar_of(struct vector_tile *t, const struct expr *e) {
    struct arena *a = &t->em->arena;
    if (e->n == 0 || e->dtype == DTYPE_INDEX)
        return e;
    if (e->kind == EXPR_LOAD)
        return scalar_load(t, e);
    if (e->kind == EXPR_GUARD)
        return scalar_guard(t, e);
    const struct expr **arg = arena_array(a, const struct expr *, e->n);
    for (int k = 0; k < e->n; k++)
        arg[k] = vector_scalar_of(t, e->arg[k]);
    return e->kind == EXPR_CAST ? expr_cast(a, e->dtype, arg[0])
                                : expr_func(a, e->func, arg, e->n);
}

/* What loops around do not change of e is made before them, unless it reads what the tile
 * writes or may be skipped: the level where it stands. */
static int level_of_scalar(const struct vector_tile *t, const struct expr *e) {
    bool stays = t->unsure || t->cond || e->kind == EXPR_CONST || expr_find(e, EXPR_GUARD) ||
                 expr_loads(e, t->node->buffer);
    return stays ? t->num_levels - 1 : vector_level_of(t, e);
}

/* A name for the value c of the scalar e, at the level. */
static const char *keep_scalar(struct vector_tile *t, int level, const char *type,
                               const char *c) {
    char letter = level < t->num_levels - 1 ? 'h' : 'w';
    return t->failed ? "" : vector_keep(t, level, type, letter, c);
}

/* The scalar e in all lanes. */
static const char *splat(struct vector_tile *t, const struct expr *e) {
    const struct expr *s = vector_scalar_of(t, e);
    if (s->dtype != t->dtype)
        return vector_fail(t, other_type);
    if (is_zero(s))
        return vector_prim(t, PRIM_ZERO, NULL, NULL, NULL);
    const char *c = vector_splat(t, vector_scalar(t, s, C_ANY));
    return keep_scalar(t, vector_first_level(t, level_of_scalar(t, e)), vector_type(t), c);
}

/* The scalar e as an operand of a primitive that takes one: a number, or a name. */
static const char *operand(struct vector_tile *t, const struct expr *e) {
    const struct expr *s = vector_scalar_of(t, e);
    if (s->dtype != t->dtype)
        return vector_fail(t, other_type);
    const char *c = vector_scalar(t, s, C_ANY);
    if (s->kind == EXPR_CONST)
        return c;
    return keep_scalar(t, level_of_scalar(t, e), dtype_info(t->dtype)->c_type, c);
}

/* p on a vector and the scalar s, which has no lanes; "": the target has no such primitive. */
static const char *with_scalar(struct vector_tile *t, enum prim p, const struct expr *v,
                               const struct expr *s) {
    enum prim scalar = prim_with_scalar(p);
    if (scalar == PRIM_COUNT || vector_by_lane(t, s) || !vector_by_lane(t, v) ||
        !prim_has(t->target, scalar, t->dtype))
        return "";
    bool first = p == PRIM_MIN || p == PRIM_MAX;
    const char *x = vector_value(t, v), *c = operand(t, s);
    return vector_prim(t, scalar, first ? c : x, first ? x : c, NULL);
}

/* ---- functions ---- */

/* A value of which the ast skips what the mask of some lanes leaves out. */
static const char *skipped_value(struct vector_tile *t, const struct expr *e) {
    t->unsure++;
    const char *x = vector_value(t, e);
    t->unsure--;
    return x;
}

static const char *select_value(struct vector_tile *t, const struct expr *e) {
    bool lanes = vector_by_lane(t, e->arg[0]);
    const char *cond = lanes ? vector_mask(t, e->arg[0])
                             : vector_scalar(t, vector_scalar_of(t, e->arg[0]), C_OR);
    const char *x = skipped_value(t, e->arg[1]), *y = skipped_value(t, e->arg[2]);
    if (lanes)
        return let_value(t, 'y', vector_prim(t, PRIM_SELECT, cond, x, y));
    return let_value(t, 'y', arena_printf(&t->em->arena, "%s ? %s : %s", cond, x, y));
}

static const char *sign_value(struct vector_tile *t, const struct expr *e) {
    const char *x = vector_value(t, e->arg[0]), *zero = vector_number(t, 0);
    const char *below = vector_prim(t, PRIM_SELECT, vector_prim(t, PRIM_LT, x, zero, NULL),
                                    vector_number(t, -1), zero);
    return let_value(t, 'y',
                     vector_prim(t, PRIM_SELECT, vector_prim(t, PRIM_GT, x, zero, NULL),
                                 vector_number(t, 1), below));
}

static bool is_product(const struct vector_tile *t, const struct expr *e) {
    return !t->strict && e->kind == EXPR_FUNC && e->func == FUNC_MUL && vector_by_lane(t, e) &&
           prim_has(t->target, PRIM_FMA, t->dtype) && prim_has(t->target, PRIM_FNMA, t->dtype);
}

static const char *fused(struct vector_tile *t, enum prim p, const struct expr *product,
                         const char *x) {
    bool lanes = p == PRIM_FMA && prim_has(t->target, PRIM_FMA_LANE, t->dtype);
    for (int k = 0; k < 2 && lanes; k++) {
        const struct expr *scalar = product->arg[k];
        const char *sum = vector_by_lane(t, scalar)
                              ? NULL
                              : vector_fma_lane(t, scalar, product->arg[1 - k], x);
        if (sum)
            return sum;
    }
    enum prim scalar = prim_with_scalar(p);
    for (int k = 0; k < 2 && prim_has(t->target, scalar, t->dtype); k++)
        if (!vector_by_lane(t, product->arg[k])) {
            const char *s = operand(t, product->arg[k]);
            return vector_prim(t, scalar, s, vector_value(t, product->arg[1 - k]), x);
        }
    const char *v = vector_value(t, product->arg[0]), *w = vector_value(t, product->arg[1]);
    return vector_prim(t, p, v, w, x);
}

/* p of vectors where one is the same in all lanes, by a scalar; "": there is no such
 * primitive. */
static const char *scalar_value(struct vector_tile *t, enum prim p, const struct expr *e) {
    if (e->n != 2)
        return "";
    if (p == PRIM_MIN || p == PRIM_MAX)
        return with_scalar(t, p, e->arg[1], e->arg[0]);
    const char *c = with_scalar(t, p, e->arg[0], e->arg[1]);
    bool swaps = p == PRIM_ADD || p == PRIM_MUL;
    return *c || !swaps ? c : with_scalar(t, p, e->arg[1], e->arg[0]);
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
        return vector_fail(t, "a function that vectors do not have");
    const char *arg[3] = {"", "", ""};
    for (int k = 0; k < e->n; k++)
        arg[k] = vector_value(t, e->arg[k]);
    const char *name = math_add(&em->calls, &em->arena, t->target, e->func, t->dtype);
    t->called[e->func] = true;
    return let_value(t, 'y',
                     arena_printf(&em->arena, "%s(%s%s%s%s%s%s)", name, arg[0],
                                  e->n > 1 ? ", " : "", arg[1], e->n > 2 ? ", " : "", arg[2],
                                  t->target->scalable ? ", vl" : ""));
}

/* x / y, y being the same in all lanes: once rounded more, but one division for all of them. */
static const char *quotient(struct vector_tile *t, const struct expr *e) {
    struct arena *a = &t->em->arena;
    const struct expr *one = expr_float(a, t->dtype, 1);
    const struct expr *inverse = expr_2(a, FUNC_DIV, one, e->arg[1]);
    const char *product = with_scalar(t, PRIM_MUL, e->arg[0], inverse);
    if (*product || t->failed)
        return let_long(t, product);
    const char *x = vector_value(t, e->arg[0]);
    const char *y = splat(t, inverse);
    return let_long(t, vector_prim(t, PRIM_MUL, x, y, NULL));
}

/* What e is the reciprocal of, lane by lane; NULL: it is none. */
static const struct expr *reciprocal_of(const struct vector_tile *t, const struct expr *e) {
    bool is = e->kind == EXPR_FUNC && e->func == FUNC_DIV && vector_by_lane(t, e->arg[1]) &&
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

/* The primitive of a function: of a number and a value there may be one of fewer
 * instructions. */
static enum prim prim_of_value(const struct vector_tile *t, const struct expr *e) {
    enum prim p = prim_of_func(e->func), number = prim_with_number(p);
    bool is = number != p && !t->strict && e->arg[0]->kind == EXPR_CONST &&
              !isnan(e->arg[0]->value.f) && prim_has(t->target, number, t->dtype);
    return is ? number : p;
}

static const char *func_value(struct vector_tile *t, const struct expr *product) {
    const struct expr *e = without_reciprocal(t, product);
    enum prim p = prim_of_value(t, e);
    if (e->func == FUNC_DIV && !t->strict && !vector_by_lane(t, e->arg[1]))
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
    const char *scalar = scalar_value(t, p, e);
    if (*scalar || t->failed)
        return let_long(t, scalar);
    const char *x = vector_value(t, e->arg[0]);
    const char *y = e->n > 1 ? vector_value(t, e->arg[1]) : NULL;
    return let_long(t, vector_prim(t, p, x, y, NULL));
}

/* ---- values ---- */

/* Can a load give the guard's pad itself where its mask does not hold? */
static bool pads_itself(const struct vector_tile *t, const struct expr *e,
                        const struct vector_bounds *b) {
    return e->arg[0]->kind == EXPR_LOAD && b->mask && !t->mask && !is_zero(e->arg[1]) &&
           vector_by_lane(t, e->arg[0]) && prim_has(t->target, PRIM_LOAD_ELSE, t->dtype);
}

/* A guard around anything but a load with pad 0: what its bounds leave out reads 0, and is then
 * replaced. */
static const char *guarded_value(struct vector_tile *t, const struct expr *e,
                                 const struct vector_bounds *b) {
    const char *pad = vector_value(t, e->arg[1]);
    const struct expr *outer = t->cond;
    const char *outer_mask = t->mask;
    struct vector_guard outer_guard = t->guard;
    bool padded = pads_itself(t, e, b);
    t->pad = padded ? pad : NULL;
    t->cond = vector_both(t, outer, b->cond);
    t->mask = vector_both_masks(t, outer_mask, b->mask);
    t->guard.known &= b->guard.known;
    t->guard.lanes &= b->guard.lanes;
    const char *x = vector_value(t, e->arg[0]);
    t->cond = outer;
    t->mask = outer_mask;
    t->pad = NULL;
    t->guard = outer_guard;
    bool masked = !b->mask || vector_by_lane(t, e->arg[0]); // one scalar for all lanes is not
    if (e->arg[0]->kind == EXPR_LOAD && is_zero(e->arg[1]) && masked)
        return x;
    if (b->mask && !padded)
        x = let_value(t, 'y', vector_prim(t, PRIM_SELECT, b->mask, x, pad));
    if (!b->cond)
        return x;
    const char *cond = vector_scalar(t, vector_condition(t, b->cond), C_OR);
    return let_value(t, 'y', arena_printf(&t->em->arena, "%s ? %s : %s", cond, x, pad));
}

static const char *guard_value(struct vector_tile *t, const struct expr *e) {
    struct vector_bounds b = vector_bounds_of(t, e);
    if (b.never)
        return vector_value(t, e->arg[1]);
    return b.cond || b.mask ? guarded_value(t, e, &b) : vector_value(t, e->arg[0]);
}

static const char *cast_value(struct vector_tile *t, const struct expr *e) {
    if (e->arg[0]->dtype != DTYPE_BOOL)
        return vector_fail(t, other_type);
    const char *mask = vector_mask(t, e->arg[0]);
    return let_value(
        t, 'y', vector_prim(t, PRIM_SELECT, mask, vector_number(t, 1), vector_number(t, 0)));
}

const char *vector_value(struct vector_tile *t, const struct expr *e) {
    if (t->failed || e->dtype != t->dtype)
        return vector_fail(t, other_type);
    if (!vector_by_lane(t, e))
        return splat(t, e);
    switch (e->kind) {
    case EXPR_LOAD:
        return vector_load(t, e);
    case EXPR_FUNC:
        return func_value(t, e);
    case EXPR_GUARD:
        return guard_value(t, e);
    case EXPR_CAST:
        return cast_value(t, e);
    case EXPR_REDUCE:
        return t->sums ? t->sums[t->vector] : vector_fail(t, unknown_form);
    default:
        return vector_fail(t, unknown_form);
    }
}
