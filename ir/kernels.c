/* Functions, conversions, loads and stores over arrays of lanes: functions.def expanded for the
 * five representations. */
#include "ir/kernels.h"
#include "ir/diag.h"
#include "ir/scalar.h"

/* ---- functions.def for each representation ---- */

#define IS_FLOAT       1
#define T              float
#define R(name)        name##f
#define FLOORMOD(a, b) scalar_floormod_f32(a, b)
#define NAME(x)        f32_##x
#include "ir/kernels.inc"
#undef T
#undef R
#undef FLOORMOD
#undef NAME

#define T              double
#define R(name)        name
#define FLOORMOD(a, b) scalar_floormod_f64(a, b)
#define NAME(x)        f64_##x
#include "ir/kernels.inc"
#undef T
#undef R
#undef FLOORMOD
#undef NAME
#undef IS_FLOAT

#define IS_FLOAT  0
#define U         uint64_t
#define T         int64_t
#define NAME(x)   i64_##x
#define ABS(a)    scalar_abs_i64(a)
#define DIV(a, b) scalar_div_i64(a, b)
#define REM(a, b) scalar_rem_i64(a, b)
#define MOD(a, b) scalar_mod_i64(a, b)
#define POW(a, b) scalar_pow_i64(a, b)
#define SHL(a, b) scalar_shl_i64(a, b)
#define SHR(a, b) scalar_shr_i64(a, b)
#include "ir/kernels.inc"
#undef T
#undef NAME
#undef ABS
#undef DIV
#undef REM
#undef MOD
#undef POW
#undef SHL
#undef SHR

#define T         uint64_t
#define NAME(x)   u64_##x
#define ABS(a)    scalar_abs_u64(a)
#define DIV(a, b) scalar_div_u64(a, b)
#define REM(a, b) scalar_rem_u64(a, b)
#define MOD(a, b) scalar_mod_u64(a, b)
#define POW(a, b) scalar_pow_u64(a, b)
#define SHL(a, b) scalar_shl_u64(a, b)
#define SHR(a, b) scalar_shr_u64(a, b)
#include "ir/kernels.inc"
#undef U
#undef T
#undef NAME

/* Bool takes part in comparisons, logic and select only; what other rows call never runs. */
#undef DIV
#undef REM
#undef MOD
#undef POW
#undef SHL
#undef SHR
#define U         unsigned
#define T         uint8_t
#define NAME(x)   bool_##x
#define DIV(a, b) 0
#define REM(a, b) 0
#define MOD(a, b) 0
#define POW(a, b) 0
#define SHL(a, b) 0
#define SHR(a, b) 0
#include "ir/kernels.inc"

typedef void lanes_fn(void *d, const void *const *arg, int n);

static lanes_fn *const functions[][FUNC_COUNT] = {
#define ROW(prefix, id) [FUNC_##id] = prefix##_loop_##id,
    [REP_F32] =
        {
#define FUNC(id, text, arity, prec, rule, kinds, flags, cf, ci, mf, mi) ROW(f32, id)
#include "ir/functions.def"
        },
    [REP_F64] =
        {
#define FUNC(id, text, arity, prec, rule, kinds, flags, cf, ci, mf, mi) ROW(f64, id)
#include "ir/functions.def"
        },
    [REP_I64] =
        {
#define FUNC(id, text, arity, prec, rule, kinds, flags, cf, ci, mf, mi) ROW(i64, id)
#include "ir/functions.def"
        },
    [REP_U64] =
        {
#define FUNC(id, text, arity, prec, rule, kinds, flags, cf, ci, mf, mi) ROW(u64, id)
#include "ir/functions.def"
        },
    [REP_BOOL] =
        {
#define FUNC(id, text, arity, prec, rule, kinds, flags, cf, ci, mf, mi) ROW(bool, id)
#include "ir/functions.def"
        },
};

/* ---- representations ---- */

enum rep rep_of(enum dtype t) {
    switch (dtype_info(t)->kind) {
    case KIND_FLOAT:
        return t == DTYPE_F32 ? REP_F32 : REP_F64;
    case KIND_BOOL:
        return REP_BOOL;
    case KIND_UINT:
        return t == DTYPE_U64 ? REP_U64 : REP_I64;
    default:
        return REP_I64;
    }
}

size_t rep_bytes(enum rep r) {
    static const size_t bytes[] = {
        [REP_F32] = 4, [REP_F64] = 8, [REP_I64] = 8, [REP_U64] = 8, [REP_BOOL] = 1};
    return bytes[r];
}

void lane_set(enum rep r, void *lane, union scalar v) {
    if (r == REP_F32)
        *(float *)lane = (float)v.f;
    else if (r == REP_BOOL)
        *(uint8_t *)lane = v.i != 0;
    else
        memcpy(lane, &v, sizeof v);
}

union scalar lane_get(enum rep r, const void *lane) {
    union scalar v;
    if (r == REP_F32)
        v.f = (double)*(const float *)lane;
    else if (r == REP_BOOL)
        v.i = *(const uint8_t *)lane;
    else
        memcpy(&v, lane, sizeof v);
    return v;
}

void lanes_fill(enum rep r, void *d, const void *one, int n) {
    size_t bytes = rep_bytes(r), all = (size_t)n * bytes;
    memmove(d, one, bytes);
    for (size_t done = bytes; done < all; done *= 2)
        memcpy((char *)d + done, d, done < all - done ? done : all - done);
}

/* Sixteen lanes at a time, as in kernels.inc. */
#define BLEND(T)                                                                               \
    do {                                                                                       \
        const T *x = ab[0], *y = ab[1];                                                        \
        T *to = d;                                                                             \
        int i = 0;                                                                             \
        for (; i + 16 <= n; i += 16) {                                                         \
            uint8_t m[16];                                                                     \
            T a[16], b[16];                                                                    \
            memcpy(m, mask + i, sizeof m);                                                     \
            memcpy(a, x + i, sizeof a);                                                        \
            memcpy(b, y + i, sizeof b);                                                        \
            for (int k = 0; k < 16; k++)                                                       \
                a[k] = m[k] ? a[k] : b[k];                                                     \
            memcpy(to + i, a, sizeof a);                                                       \
        }                                                                                      \
        for (; i < n; i++)                                                                     \
            to[i] = mask[i] ? x[i] : y[i];                                                     \
    } while (0)

void lanes_blend(enum rep r, void *d, const uint8_t *mask, const void *const *ab, int n) {
    if (r == REP_BOOL)
        BLEND(uint8_t);
    else if (r == REP_F32)
        BLEND(uint32_t);
    else
        BLEND(uint64_t);
}

/* ---- functions ---- */

/* Lanes of an integer type below 64 bits: the low bits count. */
static void wrap(enum dtype t, void *lanes, int n) {
    int spare = 64 - dtype_info(t)->bits;
    int64_t *x = lanes;
    if (dtype_info(t)->kind == KIND_UINT)
        for (int i = 0; i < n; i++)
            x[i] = (int64_t)((uint64_t)x[i] << spare >> spare);
    else
        for (int i = 0; i < n; i++)
            x[i] = (int64_t)((uint64_t)x[i] << spare) >> spare;
}

static bool is_narrow(enum dtype t) {
    return dtype_is_integer(t) && dtype_info(t)->bits < 64;
}

/* Can f leave the range of its arguments' type? */
static bool may_leave(enum func f) {
    enum func_rule rule = func_info(f)->rule;
    return rule == RULE_SAME && f != FUNC_MIN && f != FUNC_MAX && f != FUNC_BITAND &&
           f != FUNC_BITOR;
}

/* How often to shift for dividing by d: d is 1 << shift; -1 when it is none of these. */
static int shift_of(int64_t d) {
    int shift = 0;
    while (shift < 62 && (int64_t)1 << shift < d)
        shift++;
    return (int64_t)1 << shift == d ? shift : -1;
}

/* All lanes of b are most often the same power of two: shifting rounds down. */
static void index_div(int64_t *d, const int64_t *a, const int64_t *b, int n) {
    int shift = shift_of(b[0]);
    for (int i = 0; i < n; i++) {
        if (b[i] == b[0] && shift >= 0)
            d[i] = a[i] >> shift;
        else if (a[i] >= 0 && b[i] > 0 && (uint64_t)(a[i] | b[i]) <= UINT32_MAX)
            d[i] = (uint32_t)a[i] / (uint32_t)b[i];
        else
            d[i] =
                func_eval(FUNC_DIV, DTYPE_INDEX, (union scalar[]){{.i = a[i]}, {.i = b[i]}}).i;
    }
}

static void index_mod(int64_t *d, const int64_t *a, const int64_t *b, int n) {
    int shift = shift_of(b[0]);
    for (int i = 0; i < n; i++) {
        if (b[i] == b[0] && shift >= 0)
            d[i] = a[i] & (b[0] - 1);
        else if (a[i] >= 0 && b[i] > 0 && (uint64_t)(a[i] | b[i]) <= UINT32_MAX)
            d[i] = (uint32_t)a[i] % (uint32_t)b[i];
        else
            d[i] = scalar_mod_i64(a[i], b[i]);
    }
}

void lanes_func(enum func f, enum dtype t, void *d, const void *const *arg, int n) {
    if (t == DTYPE_INDEX && f == FUNC_DIV)
        index_div(d, arg[0], arg[1], n);
    else if (t == DTYPE_INDEX && (f == FUNC_REM || f == FUNC_MOD))
        index_mod(d, arg[0], arg[1], n);
    else
        functions[rep_of(t)][f](d, arg, n);
    if (is_narrow(t) && may_leave(f))
        wrap(t, d, n);
}

#define FOLD(T, prefix, id)                                                                    \
    case FUNC_##id: {                                                                          \
        const T *lane = x;                                                                     \
        T a = *(T *)acc;                                                                       \
        for (int i = 0; i < n; i++)                                                            \
            a = prefix##_one_##id(a, lane[i], a);                                              \
        *(T *)acc = a;                                                                         \
        return;                                                                                \
    }
#define FOLD_NUMBERS(T, prefix)                                                                \
    switch (f) {                                                                               \
        FOLD(T, prefix, ADD)                                                                   \
        FOLD(T, prefix, MUL)                                                                   \
        FOLD(T, prefix, MAX)                                                                   \
        FOLD(T, prefix, MIN)                                                                   \
    default:                                                                                   \
        return;                                                                                \
    }

static void fold_f32(enum func f, void *acc, const void *x, int n) {
    FOLD_NUMBERS(float, f32)
}

static void fold_f64(enum func f, void *acc, const void *x, int n) {
    FOLD_NUMBERS(double, f64)
}

static void fold_i64(enum func f, void *acc, const void *x, int n) {
    FOLD_NUMBERS(int64_t, i64)
}

static void fold_u64(enum func f, void *acc, const void *x, int n) {
    FOLD_NUMBERS(uint64_t, u64)
}

static void fold_bool(enum func f, void *acc, const void *x, int n) {
    switch (f) {
        FOLD(uint8_t, bool, AND)
        FOLD(uint8_t, bool, OR)
    default:
        return;
    }
}

void lanes_fold(enum func f, enum dtype t, void *acc, const void *x, int n) {
    static void (*const folds[])(enum func f, void *acc, const void *x,
                                 int n) = {[REP_F32] = fold_f32,
                                           [REP_F64] = fold_f64,
                                           [REP_I64] = fold_i64,
                                           [REP_U64] = fold_u64,
                                           [REP_BOOL] = fold_bool};
    folds[rep_of(t)](f, acc, x, n);
    if (is_narrow(t))
        wrap(t, acc, 1);
}

/* ---- conversions ---- */

#define CONVERT(TO, FROM)                                                                      \
    do {                                                                                       \
        const FROM *from_lane = x;                                                             \
        TO *to_lane = d;                                                                       \
        for (int i = 0; i < n; i++)                                                            \
            to_lane[i] = (TO)from_lane[i];                                                     \
        return true;                                                                           \
    } while (0)

/* Conversions that C makes as dtype_convert does, by a cast; false for others. */
static bool convert_fast(enum dtype to, enum dtype from, void *d, const void *x, int n) {
    enum rep t = rep_of(to), f = rep_of(from);
    if (f == REP_I64 && t == REP_F32)
        CONVERT(float, int64_t);
    if (f == REP_I64 && t == REP_F64)
        CONVERT(double, int64_t);
    if (f == REP_F32 && t == REP_F64)
        CONVERT(double, float);
    if (f == REP_F64 && t == REP_F32)
        CONVERT(float, double);
    if (f == REP_BOOL && t == REP_F32)
        CONVERT(float, uint8_t);
    if (f == REP_BOOL && (t == REP_I64 || t == REP_U64))
        CONVERT(int64_t, uint8_t);
    return false;
}

void lanes_convert(enum dtype to, enum dtype from, void *d, const void *x, int n) {
    enum rep t = rep_of(to), f = rep_of(from);
    bool integers = (f == REP_I64 || f == REP_U64) && (t == REP_I64 || t == REP_U64);
    if (integers) {
        memmove(d, x, (size_t)n * sizeof(int64_t));
        if (is_narrow(to) && to != from)
            wrap(to, d, n);
    } else if (!convert_fast(to, from, d, x, n)) {
        for (int i = 0; i < n; i++) {
            union scalar v = lane_get(f, (const char *)x + (size_t)i * rep_bytes(f));
            lane_set(t, (char *)d + (size_t)i * rep_bytes(t), dtype_convert(to, from, v));
        }
    }
}

/* ---- memory ---- */

#define LOAD(LANE, CELL)                                                                       \
    do {                                                                                       \
        LANE *to = d;                                                                          \
        const char *p = (const char *)data + place->base * (int64_t)sizeof(CELL);              \
        CELL v;                                                                                \
        for (int i = 0; i < n && at; i++) {                                                    \
            memcpy(&v, p + at[i] * (int64_t)sizeof v, sizeof v);                               \
            to[i] = (LANE)v;                                                                   \
        }                                                                                      \
        for (int i = 0; i < n && !at; i++) {                                                   \
            memcpy(&v, p + step * i * (int64_t)sizeof v, sizeof v);                            \
            to[i] = (LANE)v;                                                                   \
        }                                                                                      \
        return;                                                                                \
    } while (0)

/* Elements of types below a byte, and bool, whose bytes count as 0 or 1. */
static void load_odd(enum dtype t, void *d, const void *data, const struct lane_place *place,
                     int n) {
    enum rep r = rep_of(t);
    for (int i = 0; i < n; i++) {
        int64_t k = place->base + (place->at ? place->at[i] : place->stride * i);
        lane_set(r, (char *)d + (size_t)i * rep_bytes(r), dtype_load(t, data, k));
    }
}

static void load_apart(enum dtype t, void *d, const void *data, const struct lane_place *place,
                       int n) {
    const int64_t *at = place->at, step = place->stride;
    switch (t) {
    case DTYPE_F32:
        LOAD(float, float);
    case DTYPE_F64:
        LOAD(double, double);
    case DTYPE_I8:
        LOAD(int64_t, int8_t);
    case DTYPE_I16:
        LOAD(int64_t, int16_t);
    case DTYPE_I32:
        LOAD(int64_t, int32_t);
    case DTYPE_U8:
        LOAD(int64_t, uint8_t);
    case DTYPE_U16:
        LOAD(int64_t, uint16_t);
    case DTYPE_U32:
        LOAD(int64_t, uint32_t);
    case DTYPE_I64:
    case DTYPE_U64:
        LOAD(int64_t, int64_t);
    default:
        load_odd(t, d, data, place, n);
    }
}

/* Do the elements of t lie in memory as lanes do? */
static bool is_plain(enum dtype t) {
    return t == DTYPE_F32 || t == DTYPE_F64 || t == DTYPE_I64 || t == DTYPE_U64;
}

void lanes_load(enum dtype t, void *d, const void *data, const struct lane_place *place,
                int n) {
    if (!place->at && place->stride == 1 && is_plain(t)) {
        size_t bytes = rep_bytes(rep_of(t));
        memcpy(d, (const char *)data + (size_t)place->base * bytes, (size_t)n * bytes);
        return;
    }
    load_apart(t, d, data, place, n);
}

#define STORE(CELL, LANE)                                                                      \
    do {                                                                                       \
        const LANE *from = x;                                                                  \
        char *p = (char *)data + place->base * (int64_t)sizeof(CELL);                          \
        for (int i = 0; i < n; i++) {                                                          \
            CELL v = (CELL)from[i];                                                            \
            memcpy(p + (at ? at[i] : step * i) * (int64_t)sizeof v, &v, sizeof v);             \
        }                                                                                      \
        return;                                                                                \
    } while (0)

static void store_odd(enum dtype t, const void *x, void *data, const struct lane_place *place,
                      int n) {
    enum rep r = rep_of(t);
    for (int i = 0; i < n; i++) {
        int64_t k = place->base + (place->at ? place->at[i] : place->stride * i);
        dtype_store(t, data, k, lane_get(r, (const char *)x + (size_t)i * rep_bytes(r)));
    }
}

static void store_apart(enum dtype t, const void *x, void *data, const struct lane_place *place,
                        int n) {
    const int64_t *at = place->at, step = place->stride;
    switch (t) {
    case DTYPE_F32:
        STORE(float, float);
    case DTYPE_F64:
        STORE(double, double);
    case DTYPE_I8:
    case DTYPE_U8:
        STORE(uint8_t, uint64_t);
    case DTYPE_I16:
    case DTYPE_U16:
        STORE(uint16_t, uint64_t);
    case DTYPE_I32:
    case DTYPE_U32:
        STORE(uint32_t, uint64_t);
    case DTYPE_I64:
    case DTYPE_U64:
        STORE(uint64_t, uint64_t);
    case DTYPE_BOOL:
        STORE(uint8_t, uint8_t);
    default:
        store_odd(t, x, data, place, n);
    }
}

void lanes_store(enum dtype t, const void *x, void *data, const struct lane_place *place,
                 int n) {
    if (!place->at && place->stride == 1 && is_plain(t)) {
        size_t bytes = rep_bytes(rep_of(t));
        memcpy((char *)data + (size_t)place->base * bytes, x, (size_t)n * bytes);
        return;
    }
    store_apart(t, x, data, place, n);
}
