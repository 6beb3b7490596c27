/* The table of scalar functions, their typing, and their meaning on one value. */
#include "ir/expr.h"
#include "ir/scalar.h"

enum { COMM = FLAG_COMM, ASSOC = FLAG_ASSOC, COSTLY = FLAG_COSTLY }; // as the rows spell them

static const struct func_info infos[FUNC_COUNT] = {
#define FUNC(id, text, n, prec, rule, kinds, flags, cf, ci, mf, mi)                            \
    [FUNC_##id] = {text, n, prec, RULE_##rule, kinds, flags, cf, ci},
#include "ir/functions.def"
};

static const struct {
    enum func func;
    const char *name;
} monoids[] = {
    {FUNC_ADD, "add"}, {FUNC_MUL, "mul"}, {FUNC_MAX, "max"},
    {FUNC_MIN, "min"}, {FUNC_AND, "and"}, {FUNC_OR, "or"},
};
enum { NUM_MONOIDS = sizeof monoids / sizeof *monoids };

const struct func_info *func_info(enum func f) {
    return &infos[f];
}

/* ---- typing ---- */

static bool kind_allowed(enum func f, enum dtype t) {
    static const char letters[] = {
        [KIND_NONE] = '-', [KIND_FLOAT] = 'F', [KIND_INT] = 'I',
        [KIND_UINT] = 'I', [KIND_BOOL] = 'B',  [KIND_INDEX] = 'X',
    };
    return strchr(infos[f].kinds, letters[dtype_info(t)->kind]) != NULL;
}

enum dtype func_result(enum func f, const enum dtype *arg) {
    int n = infos[f].arity;
    enum func_rule rule = infos[f].rule;
    if (rule == RULE_INDEX)
        return kind_allowed(f, arg[0]) && arg[1] == DTYPE_INDEX && arg[2] == DTYPE_INDEX
                   ? DTYPE_INDEX
                   : DTYPE_NONE;
    int first = rule == RULE_SELECT;
    if (first && arg[0] != DTYPE_BOOL)
        return DTYPE_NONE;
    for (int k = first; k < n; k++)
        if (arg[k] != arg[first] || !kind_allowed(f, arg[k]))
            return DTYPE_NONE;
    return rule == RULE_SAME || rule == RULE_SELECT ? arg[first] : DTYPE_BOOL;
}

/* ---- monoids ---- */

const char *func_monoid_name(enum func f) {
    for (int k = 0; k < NUM_MONOIDS; k++)
        if (monoids[k].func == f)
            return monoids[k].name;
    return NULL;
}

bool func_is_monoid(enum func f) {
    return func_monoid_name(f) != NULL;
}

enum func func_monoid_from_name(const char *name, size_t len) {
    for (int k = 0; k < NUM_MONOIDS; k++)
        if (strlen(monoids[k].name) == len && memcmp(monoids[k].name, name, len) == 0)
            return monoids[k].func;
    return FUNC_COUNT;
}

union scalar func_identity(enum func f, enum dtype t) {
    union scalar lo, hi;
    dtype_limits(t, &lo, &hi);
    if (f == FUNC_MAX)
        return lo;
    if (f == FUNC_MIN)
        return hi;
    bool one = f == FUNC_MUL || f == FUNC_AND;
    return dtype_convert(t, DTYPE_I64, (union scalar){.i = one});
}

/* ---- meaning ---- */

#define R(name)        name##f
#define FLOORMOD(a, b) scalar_floormod_f32(a, b)
#define T              float
#define FUNC(id, text, n, prec, rule, kinds, flags, cf, ci, mf, mi)                            \
    case FUNC_##id:                                                                            \
        return mf;
static float eval_f32(enum func f, float a, float b, float c) {
    switch (f) {
#include "ir/functions.def"
    case FUNC_COUNT:
        break;
    }
    return 0;
}
#undef R
#undef FLOORMOD
#undef T

#define R(name)        name
#define FLOORMOD(a, b) scalar_floormod_f64(a, b)
#define T              double
#define FUNC(id, text, n, prec, rule, kinds, flags, cf, ci, mf, mi)                            \
    case FUNC_##id:                                                                            \
        return mf;
static double eval_f64(enum func f, double a, double b, double c) {
    switch (f) {
#include "ir/functions.def"
    case FUNC_COUNT:
        break;
    }
    return 0;
}
#undef R
#undef FLOORMOD
#undef T

#define U         uint64_t
#define T         int64_t
#define ABS(a)    scalar_abs_i64(a)
#define DIV(a, b) scalar_div_i64(a, b)
#define REM(a, b) scalar_rem_i64(a, b)
#define MOD(a, b) scalar_mod_i64(a, b)
#define POW(a, b) scalar_pow_i64(a, b)
#define SHL(a, b) scalar_shl_i64(a, b)
#define SHR(a, b) scalar_shr_i64(a, b)
#define FUNC(id, text, n, prec, rule, kinds, flags, cf, ci, mf, mi)                            \
    case FUNC_##id:                                                                            \
        return mi;
static int64_t eval_i64(enum func f, int64_t a, int64_t b, int64_t c) {
    switch (f) {
#include "ir/functions.def"
    case FUNC_COUNT:
        break;
    }
    return 0;
}
#undef T
#undef ABS
#undef DIV
#undef REM
#undef MOD
#undef POW
#undef SHL
#undef SHR

#define T         uint64_t
#define ABS(a)    scalar_abs_u64(a)
#define DIV(a, b) scalar_div_u64(a, b)
#define REM(a, b) scalar_rem_u64(a, b)
#define MOD(a, b) scalar_mod_u64(a, b)
#define POW(a, b) scalar_pow_u64(a, b)
#define SHL(a, b) scalar_shl_u64(a, b)
#define SHR(a, b) scalar_shr_u64(a, b)
#define FUNC(id, text, n, prec, rule, kinds, flags, cf, ci, mf, mi)                            \
    case FUNC_##id:                                                                            \
        return mi;
static uint64_t eval_u64(enum func f, uint64_t a, uint64_t b, uint64_t c) {
    switch (f) {
#include "ir/functions.def"
    case FUNC_COUNT:
        break;
    }
    return 0;
}
#undef U
#undef T
#undef ABS
#undef DIV
#undef REM
#undef MOD
#undef POW
#undef SHL
#undef SHR

/* Division and remainder of indices: towards minus infinity; 0 when b is 0. */
static int64_t eval_index(enum func f, int64_t a, int64_t b, int64_t c) {
    bool rem = f == FUNC_REM || f == FUNC_MOD;
    if (rem)
        return scalar_mod_i64(a, b);
    if (f != FUNC_DIV)
        return eval_i64(f, a, b, c);
    int64_t q = scalar_div_i64(a, b);
    return scalar_mod_i64(a, b) != scalar_rem_i64(a, b) ? q - 1 : q;
}

/* The argument of clamp or check as int64_t: a u64 beyond it is above every bound. */
static int64_t bounded(enum dtype t, union scalar v) {
    return t == DTYPE_U64 && v.u > INT64_MAX ? INT64_MAX : v.i;
}

union scalar func_eval(enum func f, enum dtype t, const union scalar *args) {
    int n = infos[f].arity;
    enum func_rule rule = infos[f].rule;
    union scalar a = args[0], b = args[n > 1], c = args[n > 2 ? 2 : 0], r;
    bool test = rule == RULE_COMPARE || rule == RULE_TEST || rule == RULE_LOGIC;
    if (rule == RULE_SELECT)
        return a.i ? b : c;
    if (rule == RULE_INDEX)
        r.i = eval_i64(f, bounded(t, a), b.i, c.i);
    else if (t == DTYPE_F32)
        r.f = (double)eval_f32(f, (float)a.f, (float)b.f, (float)c.f);
    else if (t == DTYPE_F64)
        r.f = eval_f64(f, a.f, b.f, c.f);
    else if (t == DTYPE_U64)
        r.u = eval_u64(f, a.u, b.u, c.u);
    else
        r.i = t == DTYPE_INDEX ? eval_index(f, a.i, b.i, c.i) : eval_i64(f, a.i, b.i, c.i);
    if (test)
        return (union scalar){.i = dtype_is_float(t) ? r.f != 0 : r.i != 0};
    if (rule == RULE_INDEX || dtype_is_float(t) || t == DTYPE_INDEX)
        return r;
    return dtype_convert(t, DTYPE_I64, r);
}
