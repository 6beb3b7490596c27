/* Element types: one row each in dtype.def. */
#ifndef NNCC_IR_DTYPE_H
#define NNCC_IR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dtype {
    DTYPE_NONE, // unknown, or a literal that takes its neighbour's type
#define DTYPE(id, text, onnx, bits, kind, c) DTYPE_##id,
#include "ir/dtype.def"
    DTYPE_COUNT
};

enum dtype_kind { KIND_NONE, KIND_FLOAT, KIND_INT, KIND_UINT, KIND_BOOL, KIND_INDEX };

/* What a row says. `onnx` is TensorProto.DataType, 0 for types of the compiler only. */
struct dtype_info {
    const char *text, *c_type;
    int onnx, bits;
    enum dtype_kind kind;
};

const struct dtype_info *dtype_info(enum dtype t);
bool dtype_is_float(enum dtype t);
/* Signed, unsigned or index; not bool. */
bool dtype_is_integer(enum dtype t);
enum dtype dtype_from_text(const char *text,
                           size_t len); // DTYPE_NONE when there is no such type
enum dtype dtype_from_onnx(int code);   // DTYPE_NONE when nncc has no such type
const char *dtype_onnx_name(int code);  // "float16", "string" …; "?" when unknown

/* Bytes of n elements, sub-byte types packed; false on overflow or n < 0. */
bool dtype_bytes(enum dtype t, int64_t n, int64_t *bytes);

/* One value of any type; the kind of the dtype says which member holds it. Bool: i is 0 or 1.
 * U64 uses u. */
union scalar {
    double f; // floats (an f32 value is exact in a double)
    int64_t i;
    uint64_t u;
};
/* The lowest and highest value: -inf and inf for floats, 0 and 1 for bool. */
void dtype_limits(enum dtype t, union scalar *lo, union scalar *hi);
/* Element k of packed storage, and back (integers keep their low bits, f32 is rounded).
 * Sub-byte types: as ONNX raw_data, first element in the low bits. Data needs no alignment. */
union scalar dtype_load(enum dtype t, const void *data, int64_t k);
void dtype_store(enum dtype t, void *data, int64_t k, union scalar v);
/* Value converted between types: integers wrap, float to integer truncates towards zero and
 * saturates (NaN gives 0), anything to bool is `!= 0`. */
union scalar dtype_convert(enum dtype to, enum dtype from, union scalar v);

#endif
