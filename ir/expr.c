/* Building expressions, with the local simplifications of expr.h, and asking about them.
 *
 * Simplifying is a function of the arguments alone and ends in a node that the same builder,
 * given that node's arguments, returns unchanged. That is what makes read(print(x)) equal to x:
 * the reader builds what was printed from below.
 *
 * Index sums: `base + c` is kept as ADD(base, c) or SUB(base, -c) with c > 0 outermost, `c - x`
 * as SUB(c, x). split() takes the constant off, offset() puts one on; sums of sums collect
 * constants this way and nothing else is reordered. A constant that would leave int64 is left
 * where it is. */
#include "ir/expr.h"

#include "ir/diag.h"
#include <math.h>

/* ---- nodes ---- */

static int height_over(const struct expr *const *arg, int n, int height) {
    for (int k = 0; k < n; k++)
        if (arg[k]->height >= height)
            height = arg[k]->height + 1;
    return height;
}

static struct expr *node(struct arena *a, enum expr_kind kind, enum dtype t,
                         const struct expr *const *arg, int n) {
    struct expr *e = arena_new(a, struct expr);
    e->kind = kind;
    e->dtype = t;
    e->n = n;
    e->arg = n ? arena_copy(a, arg, (size_t)n * sizeof *arg) : NULL;
    e->height = height_over(arg, n, 0);
    return e;
}

static const struct expr *func_node(struct arena *a, enum func f, enum dtype t,
                                    const struct expr *const *arg) {
    struct expr *e = node(a, EXPR_FUNC, t, arg, func_info(f)->arity);
    e->func = f;
    return e;
}

static const struct expr *index_node(struct arena *a, enum func f, const struct expr *x,
                                     const struct expr *y) {
    return func_node(a, f, DTYPE_INDEX, (const struct expr *[]){x, y});
}

const struct expr *expr_const(struct arena *a, enum dtype t, union scalar v) {
    struct expr *e = node(a, EXPR_CONST, t, NULL, 0);
    if (dtype_is_float(t)) {
        e->value = dtype_convert(t, DTYPE_F64, v);
        if (isnan(v.f))
            e->value.f = (double)NAN;
    } else {
        e->value = dtype_convert(t, DTYPE_I64, v);
    }
    return e;
}

const struct expr *expr_int(struct arena *a, enum dtype t, int64_t v) {
    return expr_const(a, t, dtype_convert(t, DTYPE_I64, (union scalar){.i = v}));
}

const struct expr *expr_float(struct arena *a, enum dtype t, double v) {
    return expr_const(a, t, dtype_convert(t, DTYPE_F64, (union scalar){.f = v}));
}

const struct expr *expr_index(struct arena *a, int64_t v) {
    return expr_int(a, DTYPE_INDEX, v);
}

const struct expr *expr_var(struct arena *a, enum dtype t, const char *interned) {
    struct expr *e = node(a, EXPR_VAR, t, NULL, 0);
    e->name = interned;
    return e;
}

/* ---- asking, as far as building needs it ---- */

static bool is_const(const struct expr *e) {
    return e->kind == EXPR_CONST;
}

bool expr_as_int(const struct expr *e, int64_t *v) {
    if (!is_const(e) || !dtype_is_integer(e->dtype))
        return false;
    if (e->dtype == DTYPE_U64 && e->value.u > INT64_MAX)
        return false;
    *v = e->value.i;
    return true;
}

bool expr_is_int(const struct expr *e, int64_t v) {
    int64_t found;
    return expr_as_int(e, &found) && found == v;
}

static bool is_float(const struct expr *e, double v) {
    return is_const(e) && dtype_is_float(e->dtype) && e->value.f == v &&
           signbit(e->value.f) == signbit(v);
}

bool expr_is_func(const struct expr *e, enum func f) {
    return e->kind == EXPR_FUNC && e->func == f;
}

static bool same_value(enum dtype t, union scalar a, union scalar b) {
    return dtype_is_float(t) && isnan(a.f) ? isnan(b.f) : a.u == b.u;
}

static bool same_head(const struct expr *a, const struct expr *b) {
    if (a->kind != b->kind || a->dtype != b->dtype || a->n != b->n ||
        a->num_iters != b->num_iters)
        return false;
    switch (a->kind) {
    case EXPR_CONST:
        return same_value(a->dtype, a->value, b->value);
    case EXPR_VAR:
        return strcmp(a->name, b->name) == 0;
    case EXPR_FUNC:
    case EXPR_REDUCE:
        return a->func == b->func;
    case EXPR_LOAD:
        return a->array == b->array;
    case EXPR_CAST:
    case EXPR_GUARD:
        return true;
    }
    return false;
}

bool expr_equal(const struct expr *a, const struct expr *b) {
    if (a == b)
        return true;
    if (a->height != b->height || !same_head(a, b))
        return false;
    for (int k = 0; k < a->n; k++)
        if (!expr_equal(a->arg[k], b->arg[k]))
            return false;
    for (int k = 0; k < a->num_iters; k++)
        if (strcmp(a->iters[k].name, b->iters[k].name) != 0 ||
            !expr_equal(a->iters[k].extent, b->iters[k].extent))
            return false;
    return true;
}

bool expr_has_check(const struct expr *e) {
    if (expr_is_func(e, FUNC_CHECK))
        return true;
    for (int k = 0; k < e->n; k++)
        if (expr_has_check(e->arg[k]))
            return true;
    for (int k = 0; k < e->num_iters; k++)
        if (expr_has_check(e->iters[k].extent))
            return true;
    return false;
}

const struct expr *expr_find(const struct expr *e, enum expr_kind kind) {
    const struct expr *found = e->kind == kind ? e : NULL;
    for (int k = 0; k < e->n && !found; k++)
        found = expr_find(e->arg[k], kind);
    return found;
}

bool expr_mentions(const struct expr *e, const char *name) {
    bool found = e->kind == EXPR_VAR && strcmp(e->name, name) == 0;
    for (int k = 0; k < e->n && !found; k++)
        found = expr_mentions(e->arg[k], name);
    for (int k = 0; k < e->num_iters && !found; k++)
        found = expr_mentions(e->iters[k].extent, name);
    return found;
}

bool expr_guards(const struct expr *e, const char *name) {
    bool found = false;
    for (int k = 2; k < e->n && e->kind == EXPR_GUARD; k++)
        found |= expr_mentions(e->arg[k], name);
    for (int k = 0; k < e->n && !found; k++)
        found = expr_guards(e->arg[k], name);
    return found;
}

bool expr_loads(const struct expr *e, int array) {
    bool found = e->kind == EXPR_LOAD && e->array == array;
    for (int k = 0; k < e->n && !found; k++)
        found = expr_loads(e->arg[k], array);
    return found;
}

/* ---- folding constants ---- */

/* Index sums and products beyond int64 and divisions by 0 or less are left as they are. */
static bool index_folds(enum func f, int64_t x, int64_t y) {
    int64_t r;
    switch (f) {
    case FUNC_ADD:
        return !__builtin_add_overflow(x, y, &r);
    case FUNC_SUB:
        return !__builtin_sub_overflow(x, y, &r);
    case FUNC_MUL:
        return !__builtin_mul_overflow(x, y, &r);
    case FUNC_DIV:
    case FUNC_REM:
        return y > 0;
    default:
        return true;
    }
}

static bool check_holds(const union scalar *v, enum dtype t) {
    bool above = t == DTYPE_U64 && v[0].u > INT64_MAX;
    return !above && v[1].i <= v[0].i && v[0].i <= v[2].i;
}

/* The value of f on constants; NULL when some argument is none, or the value is left to run
 * time. */
static const struct expr *fold(struct arena *a, enum func f, enum dtype result,
                               const struct expr *const *arg) {
    const struct func_info *info = func_info(f);
    union scalar v[3] = {{.i = 0}};
    for (int k = 0; k < info->arity; k++) {
        if (!is_const(arg[k]))
            return NULL;
        v[k] = arg[k]->value;
    }
    enum dtype t = arg[info->rule == RULE_SELECT]->dtype;
    if (t == DTYPE_INDEX && info->rule == RULE_SAME && !index_folds(f, v[0].i, v[1].i))
        return NULL;
    if ((dtype_is_float(t) && info->flags & FLAG_COSTLY) ||
        (f == FUNC_CHECK && !check_holds(v, t)))
        return NULL;
    return expr_const(a, result, func_eval(f, t, v));
}

/* ---- index expressions ---- */

/* Whether x is something plus its own constant *c. Not where an overflow left a second constant
 * below. */
static bool own_constant(const struct expr *x, int64_t *c) {
    bool sum = expr_is_func(x, FUNC_ADD), difference = expr_is_func(x, FUNC_SUB);
    bool first = difference && expr_as_int(x->arg[0], c);
    if (!first && !((sum || difference) && expr_as_int(x->arg[1], c)))
        return false;
    const struct expr *rest = x->arg[first];
    int64_t below;
    if (*c == 0 || *c == INT64_MIN || is_const(rest) || own_constant(rest, &below))
        return false;
    if (difference && !first)
        *c = -*c;
    return true;
}

/* x as base + c; c is 0 when x has no constant of its own. `c - y` has the base 0 - y. */
static const struct expr *split(struct arena *a, const struct expr *x, int64_t *c) {
    if (!own_constant(x, c)) {
        *c = 0;
        return x;
    }
    if (is_const(x->arg[0]))
        return index_node(a, FUNC_SUB, expr_index(a, 0), x->arg[1]);
    return x->arg[0];
}

static bool is_negation(const struct expr *x) {
    return expr_is_func(x, FUNC_SUB) && expr_is_int(x->arg[0], 0) && !is_const(x->arg[1]);
}

/* base + c, where split() left base. */
static const struct expr *offset(struct arena *a, const struct expr *base, int64_t c) {
    if (c == 0)
        return base;
    if (is_negation(base))
        return index_node(a, FUNC_SUB, expr_index(a, c), base->arg[1]);
    if (c > 0 || c == INT64_MIN)
        return index_node(a, FUNC_ADD, base, expr_index(a, c));
    return index_node(a, FUNC_SUB, base, expr_index(a, -c));
}

static const struct expr *negation(struct arena *a, const struct expr *x) {
    return is_negation(x) ? x->arg[1] : index_node(a, FUNC_SUB, expr_index(a, 0), x);
}

/* x + y and x - y of bases. What a negation negates is never a negation. */
static const struct expr *add_bases(struct arena *a, const struct expr *x,
                                    const struct expr *y) {
    bool negative_x = is_negation(x), negative_y = is_negation(y);
    if (negative_x && negative_y)
        return negation(a, index_node(a, FUNC_ADD, x->arg[1], y->arg[1]));
    if (negative_x)
        return index_node(a, FUNC_SUB, y, x->arg[1]);
    return index_node(a, negative_y ? FUNC_SUB : FUNC_ADD, x, negative_y ? y->arg[1] : y);
}

static const struct expr *index_sum(struct arena *a, enum func f, const struct expr *x,
                                    const struct expr *y) {
    int64_t cx = 0, cy = 0, c;
    const struct expr *bx = is_const(x) ? NULL : split(a, x, &cx);
    const struct expr *by = is_const(y) ? NULL : split(a, y, &cy);
    if (!bx)
        cx = x->value.i;
    if (!by)
        cy = y->value.i;
    bool beyond =
        f == FUNC_ADD ? __builtin_add_overflow(cx, cy, &c) : __builtin_sub_overflow(cx, cy, &c);
    if (beyond || (!bx && !by))
        return index_node(a, f, x, y);
    if (by && f == FUNC_SUB)
        by = negation(a, by);
    return offset(a, !bx ? by : !by ? bx : add_bases(a, bx, by), c);
}

static const struct expr *index_product(struct arena *a, const struct expr *x,
                                        const struct expr *y) {
    int64_t cx, cy, c;
    if (is_const(x) && !is_const(y))
        return index_product(a, y, x);
    bool factor = !is_const(x) && expr_as_int(y, &cy);
    if (factor && expr_is_func(x, FUNC_MUL) && expr_as_int(x->arg[1], &cx) &&
        !__builtin_mul_overflow(cx, cy, &c))
        return expr_2(a, FUNC_MUL, x->arg[0], expr_index(a, c));
    return index_node(a, FUNC_MUL, x, y);
}

/* ---- identities ---- */

static bool is_zero(const struct expr *e) { // that x + e is x, exactly
    return expr_is_int(e, 0) || is_float(e, -0.0);
}

static bool is_one(const struct expr *e) {
    return expr_is_int(e, 1) || is_float(e, 1.0);
}

static const struct expr *simplify_product(const struct expr *x, const struct expr *y) {
    if (is_one(y))
        return x;
    if (is_one(x))
        return y;
    if (expr_is_int(y, 0) && !expr_has_check(x))
        return y;
    return expr_is_int(x, 0) && !expr_has_check(y) ? x : NULL;
}

static const struct expr *simplify_logic(enum func f, const struct expr *x,
                                         const struct expr *y) {
    bool neutral = f == FUNC_AND; // true && y is y; false decides
    if (is_const(x))
        return x->value.i == neutral ? y : x;
    if (is_const(y) && (y->value.i == neutral || !expr_has_check(x)))
        return y->value.i == neutral ? x : y;
    return NULL;
}

/* Functions of two arguments; NULL when nothing applies. */
static const struct expr *simplify_2(struct arena *a, enum func f, const struct expr *x,
                                     const struct expr *y) {
    switch (f) {
    case FUNC_ADD:
        return is_zero(y) ? x : is_zero(x) ? y : NULL;
    case FUNC_SUB:
        return expr_is_int(y, 0) || is_float(y, 0.0) ? x : NULL;
    case FUNC_MUL:
        return simplify_product(x, y);
    case FUNC_DIV:
        return is_one(y) ? x : NULL;
    case FUNC_REM:
        return expr_is_int(y, 1) && !expr_has_check(x) ? expr_int(a, x->dtype, 0) : NULL;
    case FUNC_AND:
    case FUNC_OR:
        return simplify_logic(f, x, y);
    default:
        return NULL;
    }
}

static const struct expr *simplify(struct arena *a, enum func f,
                                   const struct expr *const *arg) {
    const struct expr *x = arg[0];
    if (f == FUNC_SELECT && is_const(x))
        return x->value.i ? arg[1] : arg[2];
    if ((f == FUNC_NEG || f == FUNC_NOT || f == FUNC_BITNOT) && expr_is_func(x, f))
        return x->arg[0];
    return func_info(f)->arity == 2 ? simplify_2(a, f, x, arg[1]) : NULL;
}

/* The forms that index expressions alone have; NULL when f is none of them. */
static const struct expr *normal_index(struct arena *a, enum func f,
                                       const struct expr *const *arg) {
    switch (f) {
    case FUNC_NEG:
        return expr_2(a, FUNC_SUB, expr_index(a, 0), arg[0]);
    case FUNC_MOD:
        return expr_2(a, FUNC_REM, arg[0], arg[1]);
    case FUNC_ADD:
    case FUNC_SUB:
        return index_sum(a, f, arg[0], arg[1]);
    case FUNC_MUL:
        return index_product(a, arg[0], arg[1]);
    case FUNC_MIN:
    case FUNC_MAX:
        return expr_equal(arg[0], arg[1]) ? arg[0] : NULL;
    default:
        return NULL;
    }
}

/* ---- the public builders ---- */

const struct expr *expr_func(struct arena *a, enum func f, const struct expr *const *arg,
                             int n) {
    const struct func_info *info = func_info(f);
    enum dtype types[3] = {DTYPE_NONE};
    if (n != info->arity)
        bug("%s of %d arguments", info->text, n);
    for (int k = 0; k < n; k++)
        types[k] = arg[k]->dtype;
    enum dtype t = func_result(f, types);
    if (t == DTYPE_NONE)
        bug("%s does not take %s", info->text, dtype_info(types[0])->text);
    const struct expr *e = fold(a, f, t, arg);
    if (!e)
        e = simplify(a, f, arg);
    if (!e && t == DTYPE_INDEX)
        e = normal_index(a, f, arg);
    return e ? e : func_node(a, f, t, arg);
}

const struct expr *expr_1(struct arena *a, enum func f, const struct expr *x) {
    return expr_func(a, f, (const struct expr *[]){x}, 1);
}

const struct expr *expr_2(struct arena *a, enum func f, const struct expr *x,
                          const struct expr *y) {
    return expr_func(a, f, (const struct expr *[]){x, y}, 2);
}

const struct expr *expr_3(struct arena *a, enum func f, const struct expr *x,
                          const struct expr *y, const struct expr *z) {
    return expr_func(a, f, (const struct expr *[]){x, y, z}, 3);
}

const struct expr *expr_cast(struct arena *a, enum dtype t, const struct expr *x) {
    if (x->dtype == t)
        return x;
    if (is_const(x))
        return expr_const(a, t, dtype_convert(t, x->dtype, x->value));
    if (t == DTYPE_INDEX)
        bug("a value of type %s becomes an index without bounds", dtype_info(x->dtype)->text);
    return node(a, EXPR_CAST, t, &x, 1);
}

const struct expr *expr_load(struct arena *a, enum dtype t, int array,
                             const struct expr *const *index, int n) {
    for (int k = 0; k < n; k++)
        if (index[k]->dtype != DTYPE_INDEX)
            bug("index %d of a load is %s", k, dtype_info(index[k]->dtype)->text);
    struct expr *e = node(a, EXPR_LOAD, t, index, n);
    e->array = array;
    return e;
}

const struct expr *expr_guard(struct arena *a, const struct expr *value, const struct expr *pad,
                              const struct expr *const *bounds, int num_bounds) {
    if (value->dtype != pad->dtype)
        bug("a guard between %s and %s", dtype_info(value->dtype)->text,
            dtype_info(pad->dtype)->text);
    const struct expr **arg = arena_array(a, const struct expr *, 2 + 3 * num_bounds);
    arg[0] = value;
    arg[1] = pad;
    int n = 2;
    for (int k = 0; k < num_bounds; k++) {
        const struct expr *const *b = bounds + (ptrdiff_t)3 * k;
        int64_t e, lo, hi;
        if (b[0]->dtype != DTYPE_INDEX || b[1]->dtype != DTYPE_INDEX ||
            b[2]->dtype != DTYPE_INDEX)
            bug("a guard bounds something that is no index");
        bool known = expr_as_int(b[0], &e) && expr_as_int(b[1], &lo) && expr_as_int(b[2], &hi);
        if (known && !(lo <= e && e < hi))
            return pad;
        for (int m = 0; m < 3 && !known; m++)
            arg[n++] = b[m];
    }
    return n == 2 ? value : node(a, EXPR_GUARD, value->dtype, arg, n);
}

const struct expr *expr_reduce(struct arena *a, enum func monoid, enum dtype acc,
                               const struct iter *iters, int num_iters,
                               const struct expr *body) {
    if (func_result(monoid, (enum dtype[]){acc, acc}) != acc || !func_is_monoid(monoid))
        bug("reduce by %s in %s", func_info(monoid)->text, dtype_info(acc)->text);
    body = expr_cast(a, acc, body);
    struct expr *e = node(a, EXPR_REDUCE, acc, &body, 1);
    e->func = monoid;
    e->iters = arena_copy(a, iters, (size_t)num_iters * sizeof *iters);
    e->num_iters = num_iters;
    for (int k = 0; k < num_iters; k++) {
        if (expr_is_int(iters[k].extent, 0))
            return expr_const(a, acc, func_identity(monoid, acc));
        e->height = height_over(&iters[k].extent, 1, e->height);
    }
    return num_iters ? e : body;
}
