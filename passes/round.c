/* Values that go through an integer type and come back: quantised and dequantised. Where the
 * value is an integer that the type holds, nothing happens to it on the way, and the way is
 * left out: `f32(i32(u8(min(max(round_even(x) + 128.0, 0.0), 255.0))) - 128i32)` is the clamped
 * value less 128.0. Every bit is the same. Conversions are what keeps C compilers from making
 * vectors of such chains. */
#include "passes/fuse.h"

#include <math.h>

enum { EXACT = 1 << 24 }; // integers up to here are floats

static bool is_whole(double v) {
    return v == floor(v) && v >= -EXACT && v <= EXACT;
}

/* Is every value of e an integer, or NaN or infinite? */
static bool is_integral(const struct expr *e) {
    if (e->kind == EXPR_CONST)
        return is_whole(e->value.f);
    if (e->kind != EXPR_FUNC)
        return false;
    switch (e->func) {
    case FUNC_ROUND:
    case FUNC_FLOOR:
    case FUNC_CEIL:
    case FUNC_TRUNC:
        return true;
    case FUNC_ADD:
    case FUNC_SUB:
    case FUNC_MIN:
    case FUNC_MAX:
        return is_integral(e->arg[0]) && is_integral(e->arg[1]);
    default:
        return false;
    }
}

/* The bounds that constants clamp e to. They stand second in min and max, where NaN becomes
 * them. */
static bool clamp_of(const struct expr *e, double *lo, double *hi) {
    bool found[2] = {false, false};
    for (int k = 0; k < 2; k++, e = e->arg[0]) {
        bool clamps = e->kind == EXPR_FUNC && (e->func == FUNC_MIN || e->func == FUNC_MAX) &&
                      e->arg[1]->kind == EXPR_CONST;
        if (!clamps)
            return false;
        bool min = e->func == FUNC_MIN;
        *(min ? hi : lo) = e->arg[1]->value.f;
        found[min] = true;
    }
    return found[0] && found[1] && *lo <= *hi;
}

/* Does integer type t hold all of [lo, hi], as a double does? */
static bool holds(enum dtype t, double lo, double hi) {
    return dtype_info(t)->bits <= 32 && lo >= (double)func_identity(FUNC_MAX, t).i &&
           hi <= (double)func_identity(FUNC_MIN, t).i;
}

/* The value of type `t` that e, an integer, was converted from without a change; NULL when
 * there is none. */
static const struct expr *source_of(const struct expr *e, enum dtype t, double *lo,
                                    double *hi) {
    if (e->kind != EXPR_CAST || e->dtype == DTYPE_BOOL || dtype_is_float(e->dtype))
        return NULL;
    const struct expr *x = e->arg[0];
    if (x->dtype != t)
        x = source_of(x, t, lo, hi);
    else if (!clamp_of(x, lo, hi) || !is_integral(x))
        x = NULL;
    return x && holds(e->dtype, *lo, *hi) ? x : NULL;
}

const struct expr *round_trip(struct arena *a, const struct expr *e) {
    double lo, hi;
    if (e->kind != EXPR_CAST || e->dtype != DTYPE_F32)
        return e;
    const struct expr *x = e->arg[0];
    bool less = x->kind == EXPR_FUNC && x->func == FUNC_SUB && x->arg[1]->kind == EXPR_CONST &&
                x->arg[1]->value.i != 0;
    const struct expr *v = source_of(less ? x->arg[0] : x, e->dtype, &lo, &hi);
    if (!v)
        return e;
    if (!less) // + 0.0 makes of -0.0 what the integer makes of it
        return lo >= 0 && !signbit(lo) ? v : expr_2(a, FUNC_ADD, v, expr_float(a, e->dtype, 0));
    double c = (double)x->arg[1]->value.i;
    bool wraps = !holds(x->dtype, lo - c, hi - c);
    bool exact = !wraps && is_whole(c) && is_whole(lo - c) && is_whole(hi - c);
    return exact ? expr_2(a, FUNC_SUB, v, expr_float(a, e->dtype, c)) : e;
}
