/* The functions that the meaning columns of functions.def call, for the four types they are
 * computed in.
 *
 * Who expands the columns for a type defines T, U and R (functions.def) and DIV … SHR as the
 * functions of that type below, and undefines them after. Nothing here overflows or traps. */
#ifndef NNCC_IR_SCALAR_H
#define NNCC_IR_SCALAR_H

#include <math.h>
#include <stdint.h>

/* ---- int64_t, also for every narrower integer type ---- */

static inline int64_t scalar_abs_i64(int64_t a) {
    return a < 0 ? (int64_t)(0 - (uint64_t)a) : a;
}

/* Towards zero; 0 when b is 0; INT64_MIN / -1 wraps. */
static inline int64_t scalar_div_i64(int64_t a, int64_t b) {
    if (b == -1)
        return (int64_t)(0 - (uint64_t)a);
    return b ? a / b : 0;
}

/* Sign of the dividend. */
static inline int64_t scalar_rem_i64(int64_t a, int64_t b) {
    return b && b != -1 ? a % b : 0;
}

/* Sign of the divisor. */
static inline int64_t scalar_mod_i64(int64_t a, int64_t b) {
    int64_t r = scalar_rem_i64(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static inline uint64_t scalar_pow_u64(uint64_t a, uint64_t b) {
    uint64_t r = 1;
    for (; b; b >>= 1, a *= a)
        if (b & 1)
            r *= a;
    return r;
}

/* A negative power is the truncated fraction: 0 unless a is 1 or -1. */
static inline int64_t scalar_pow_i64(int64_t a, int64_t b) {
    if (b >= 0)
        return (int64_t)scalar_pow_u64((uint64_t)a, (uint64_t)b);
    return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
}

static inline int64_t scalar_shl_i64(int64_t a, int64_t b) {
    return b >= 0 && b < 64 ? (int64_t)((uint64_t)a << b) : 0;
}

static inline int64_t scalar_shr_i64(int64_t a, int64_t b) {
    return a >> (b >= 0 && b < 64 ? b : 63);
}

/* ---- uint64_t ---- */

static inline uint64_t scalar_abs_u64(uint64_t a) {
    return a;
}

static inline uint64_t scalar_div_u64(uint64_t a, uint64_t b) {
    return b ? a / b : 0;
}

static inline uint64_t scalar_rem_u64(uint64_t a, uint64_t b) {
    return b ? a % b : 0;
}

static inline uint64_t scalar_mod_u64(uint64_t a, uint64_t b) {
    return scalar_rem_u64(a, b);
}

static inline uint64_t scalar_shl_u64(uint64_t a, uint64_t b) {
    return b < 64 ? a << b : 0;
}

static inline uint64_t scalar_shr_u64(uint64_t a, uint64_t b) {
    return b < 64 ? a >> b : 0;
}

/* ---- float and double: the remainder with the sign of the divisor ---- */

static inline float scalar_floormod_f32(float a, float b) {
    float r = fmodf(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static inline double scalar_floormod_f64(double a, double b) {
    double r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

#endif
