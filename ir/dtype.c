/* Element types: the table, and the one meaning of loading, storing and converting a value. */
#include "ir/dtype.h"

#include "ir/base.h"
#include <math.h>

static const struct dtype_info infos[DTYPE_COUNT] = {
    [DTYPE_NONE] = {"none", "void", 0, 0, KIND_NONE},
#define DTYPE(id, text, onnx, bits, kind, c) [DTYPE_##id] = {text, c, onnx, bits, KIND_##kind},
#include "ir/dtype.def"
};

/* TensorProto.DataType in order of its codes. */
static const char *const onnx_names[] = {
    "undefined",      "float",    "uint8",        "int8",           "uint16",
    "int16",          "int32",    "int64",        "string",         "bool",
    "float16",        "double",   "uint32",       "uint64",         "complex64",
    "complex128",     "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
    "float8e5m2fnuz", "uint4",    "int4",         "float4e2m1",     "float8e8m0",
    "uint2",          "int2",     "float6e2m3",   "float6e3m2",
};

const struct dtype_info *dtype_info(enum dtype t) {
    return &infos[t];
}

bool dtype_is_float(enum dtype t) {
    return infos[t].kind == KIND_FLOAT;
}

bool dtype_is_integer(enum dtype t) {
    enum dtype_kind kind = infos[t].kind;
    return kind == KIND_INT || kind == KIND_UINT || kind == KIND_INDEX;
}

enum dtype dtype_from_text(const char *text, size_t len) {
    for (int t = DTYPE_NONE + 1; t < DTYPE_COUNT; t++)
        if (strlen(infos[t].text) == len && memcmp(infos[t].text, text, len) == 0)
            return (enum dtype)t;
    return DTYPE_NONE;
}

enum dtype dtype_from_onnx(int code) {
    for (int t = DTYPE_NONE + 1; code > 0 && t < DTYPE_COUNT; t++)
        if (infos[t].onnx == code)
            return (enum dtype)t;
    return DTYPE_NONE;
}

const char *dtype_onnx_name(int code) {
    bool known = code >= 0 && code < (int)(sizeof onnx_names / sizeof *onnx_names);
    return known ? onnx_names[code] : "?";
}

bool dtype_bytes(enum dtype t, int64_t n, int64_t *bytes) {
    int bits = infos[t].bits;
    if (bits >= 8)
        return size_mul(n, bits / 8, bytes);
    if (n < 0 || bits == 0)
        return false;
    int per_byte = 8 / bits;
    *bytes = n / per_byte + (n % per_byte != 0);
    return true;
}

void dtype_limits(enum dtype t, union scalar *lo, union scalar *hi) {
    int bits = infos[t].bits;
    switch (infos[t].kind) {
    case KIND_FLOAT:
        lo->f = -INFINITY;
        hi->f = INFINITY;
        break;
    case KIND_INT:
    case KIND_INDEX:
        hi->i = INT64_MAX >> (64 - bits);
        lo->i = -hi->i - 1;
        break;
    case KIND_UINT:
        lo->u = 0;
        hi->u = UINT64_MAX >> (64 - bits);
        break;
    case KIND_BOOL:
    case KIND_NONE:
        lo->i = 0;
        hi->i = 1;
        break;
    }
}

/* ---- memory ---- */

union scalar dtype_load(enum dtype t, const void *data, int64_t k) {
    const struct dtype_info *info = &infos[t];
    const unsigned char *p = data;
    union scalar v = {.u = 0};
    if (info->bits < 8) {
        int per_byte = 8 / info->bits;
        v.u = (uint64_t)p[k / per_byte] >> (k % per_byte * info->bits);
    } else if (t == DTYPE_F32) {
        float f;
        memcpy(&f, p + 4 * k, 4);
        v.f = (double)f;
        return v;
    } else { // little-endian host; F64 keeps its bits
        memcpy(&v, p + info->bits / 8 * k, (size_t)info->bits / 8);
    }
    if (info->kind == KIND_FLOAT)
        return v;
    return dtype_convert(t, DTYPE_I64, v);
}

void dtype_store(enum dtype t, void *data, int64_t k, union scalar v) {
    const struct dtype_info *info = &infos[t];
    unsigned char *p = data;
    if (info->bits < 8) {
        int per_byte = 8 / info->bits, shift = (int)(k % per_byte) * info->bits;
        unsigned mask = ((1u << info->bits) - 1) << shift;
        unsigned char *cell = &p[k / per_byte];
        *cell = (unsigned char)((*cell & ~mask) | ((unsigned)v.u << shift & mask));
    } else if (t == DTYPE_F32) {
        float f = (float)v.f;
        memcpy(p + 4 * k, &f, 4);
    } else {
        if (t == DTYPE_BOOL)
            v.i = v.i != 0;
        memcpy(p + info->bits / 8 * k, &v, (size_t)info->bits / 8);
    }
}

/* ---- conversion ---- */

/* The low bits of v as an integer of type t. */
static union scalar wrap(enum dtype t, uint64_t v) {
    int spare = 64 - infos[t].bits;
    union scalar r = {.u = v << spare};
    if (infos[t].kind == KIND_UINT)
        r.u >>= spare;
    else
        r.i >>= spare; // arithmetic in every compiler we build with
    return r;
}

static union scalar saturate(enum dtype t, double f) {
    union scalar lo, hi, r = {.i = 0};
    dtype_limits(t, &lo, &hi);
    bool is_signed = infos[t].kind != KIND_UINT;
    double bound = ldexp(1.0, infos[t].bits - is_signed); // one above the highest value
    if (f != f)
        return r;
    if (f >= bound)
        return hi;
    if (is_signed ? f < -bound : f < 0)
        return lo;
    if (is_signed)
        r.i = (int64_t)f;
    else
        r.u = (uint64_t)f;
    return r;
}

/* One rounding, also from 64-bit integers to f32. */
static union scalar to_float(enum dtype to, enum dtype from, union scalar v) {
    bool narrow = to == DTYPE_F32;
    if (dtype_is_float(from))
        v.f = narrow ? (double)(float)v.f : v.f;
    else if (from == DTYPE_U64)
        v.f = narrow ? (double)(float)v.u : (double)v.u;
    else
        v.f = narrow ? (double)(float)v.i : (double)v.i;
    return v;
}

union scalar dtype_convert(enum dtype to, enum dtype from, union scalar v) {
    bool from_float = dtype_is_float(from);
    if (dtype_is_float(to))
        return to_float(to, from, v);
    if (to == DTYPE_BOOL)
        return (union scalar){.i = from_float ? v.f != 0 : v.i != 0};
    return from_float ? saturate(to, v.f) : wrap(to, v.u);
}
