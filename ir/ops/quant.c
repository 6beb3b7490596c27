/* Quantisation: real = (quantised - zero point) * scale, with one scale per tensor, per slice
 * of one dimension, or per block of one dimension. Rounding is to nearest even, conversion
 * saturates. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

/* ---- granularity ---- */

enum granularity { PER_TENSOR, PER_AXIS, PER_BLOCK };

/* How operand 1 (the scale) and 2 (the zero point) index operand 0. */
struct quant_params {
    enum granularity by;
    int axis;
    int64_t block; // extent of a block along the axis
};

/* Axis of the attribute, or 0 where the rank leaves no choice (then the attribute has no
 * meaning). */
static bool quant_axis(const struct node *n, int *axis) {
    int rank = node_shape(n, 0)->rank;
    int64_t a = node_int(n, "axis");
    *axis = (int)(a < 0 ? a + rank : a);
    return *axis >= 0 && *axis < rank;
}

/* From shapes and attributes; false when they do not fit together. */
static bool quant_params(const struct node *n, struct quant_params *q) {
    const struct shape *x = node_shape(n, 0), *s = node_shape(n, 1);
    q->block = node_int(n, "block_size");
    q->by = PER_TENSOR;
    if (s->rank == 0 || (s->rank == 1 && s->dims[0] == 1 && q->block == 0))
        return true;
    if (!quant_axis(n, &q->axis))
        return false;
    q->by = s->rank == 1 && q->block == 0 ? PER_AXIS : PER_BLOCK;
    if (q->by == PER_AXIS)
        return s->dims[0] == x->dims[q->axis];
    if (q->block == 0 && s->rank == x->rank &&
        s->dims[q->axis] > 0) // as few elements per block as cover the dimension
        q->block = (x->dims[q->axis] + s->dims[q->axis] - 1) / s->dims[q->axis];
    bool fits = s->rank == x->rank && q->block > 0;
    for (int d = 0; fits && d < x->rank; d++) {
        int64_t want = d == q->axis ? (x->dims[d] + q->block - 1) / q->block : x->dims[d];
        fits = s->dims[d] == want;
    }
    return fits;
}

static bool infer_quant_params(struct infer *in, struct node *n) {
    struct quant_params q;
    if (node_int(n, "block_size") < 0)
        return infer_error(in, n, "block_size %lld", (long long)node_int(n, "block_size"));
    if (!quant_params(n, &q))
        return infer_error(in, n,
                           "shape of input '%s' fits neither per-tensor, per-axis nor blocked "
                           "quantisation along axis %lld",
                           infer_operand_name(in, n, 1), (long long)node_int(n, "axis"));
    if (node_has_in(n, 2) && value_elements(n->in[2]) != value_elements(n->in[1]))
        return infer_error(in, n, "inputs '%s' and '%s' have different shapes",
                           infer_operand_name(in, n, 1), infer_operand_name(in, n, 2));
    return true;
}

/* Operand k (scale or zero point) for the element at the iterators of s. */
static const struct expr *quant_param(struct lower *l, const struct nest *s,
                                      const struct quant_params *q, int k) {
    int array = l_in(l, k), rank = l_rank(l, array);
    const struct expr **index = arena_array(l->arena, const struct expr *, rank + 1);
    for (int d = 0; d < rank; d++)
        index[d] = q->by == PER_TENSOR ? x_int(l, 0)
                   : q->by == PER_AXIS ? s->at[q->axis]
                                       : s->at[d];
    if (q->by == PER_BLOCK)
        index[q->axis] = x_div(l, index[q->axis], q->block);
    return x_load(l, array, index);
}

/* Type named by attribute output_dtype (0: `otherwise`); DTYPE_NONE after an error. */
static enum dtype infer_output_type(struct infer *in, const struct node *n,
                                    enum dtype otherwise) {
    int code = (int)node_int(n, "output_dtype");
    enum dtype t = code ? dtype_from_onnx(code) : otherwise;
    if (t == DTYPE_NONE)
        infer_error(in, n, "output_dtype: type %s is not supported", dtype_onnx_name(code));
    return t;
}

/* ---- QuantizeLinear, DequantizeLinear ---- */

static bool infer_quantize(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0);
    enum dtype t = infer_output_type(in, n, node_has_in(n, 2) ? n->in[2]->dtype : DTYPE_U8);
    if (t == DTYPE_NONE || !infer_quant_params(in, n))
        return false;
    if (!dtype_is_integer(t) || (node_has_in(n, 2) && n->in[2]->dtype != t))
        return infer_error(in, n, "output_dtype is %s, input 'y_zero_point' has another type",
                           dtype_info(t)->text);
    int64_t precision = node_int(n, "precision");
    if (precision && dtype_from_onnx((int)precision) != DTYPE_F32)
        return infer_error(in, n, "precision %s is not supported",
                           dtype_onnx_name((int)precision));
    return infer_set(in, n, 0, t, x->rank, x->dims);
}

static int64_t integer_limit(enum dtype t, bool high) {
    const struct dtype_info *d = dtype_info(t);
    int64_t half = (int64_t)1 << (d->bits - 1);
    if (d->kind == KIND_UINT)
        return high ? 2 * half - 1 : 0;
    return high ? half - 1 : -half;
}

static void lower_quantize(struct lower *l, const struct node *n) {
    enum dtype t = n->out[0]->dtype, f = n->in[1]->dtype;
    struct quant_params q;
    if (!quant_params(n, &q))
        bug("QuantizeLinear: parameters were checked by infer");
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *zero =
        node_has_in(n, 2) ? quant_param(l, s, &q, 2) : expr_int(l->arena, t, 0);
    const struct expr *v[] = {expr_cast(l->arena, f, x_load(l, l_in(l, 0), s->at)),
                              quant_param(l, s, &q, 1), expr_cast(l->arena, f, zero),
                              expr_int(l->arena, f, integer_limit(t, false)),
                              expr_int(l->arena, f, integer_limit(t, true))};
    const char *names[] = {"x", "scale", "zero", "lo", "hi"};
    const struct expr *y =
        build_expr(l, "min(max(round_even(x/scale) + zero, lo), hi)", names, v, 5, f);
    nest_store(s, l_out(l, 0), s->at, expr_cast(l->arena, t, y));
}

static bool infer_dequantize(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0);
    enum dtype t = infer_output_type(in, n, n->in[1]->dtype);
    if (t != DTYPE_NONE && !dtype_is_float(t))
        return infer_error(in, n, "output_dtype is %s, expected a float type",
                           dtype_info(t)->text);
    return t != DTYPE_NONE && infer_quant_params(in, n) &&
           infer_set(in, n, 0, t, x->rank, x->dims);
}

static void lower_dequantize(struct lower *l, const struct node *n) {
    enum dtype t = n->out[0]->dtype;
    struct quant_params q;
    if (!quant_params(n, &q))
        bug("DequantizeLinear: parameters were checked by infer");
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *x = expr_cast(l->arena, DTYPE_I32, x_load(l, l_in(l, 0), s->at));
    if (node_has_in(n, 2))
        x = expr_2(l->arena, FUNC_SUB, x,
                   expr_cast(l->arena, DTYPE_I32, quant_param(l, s, &q, 2)));
    const struct expr *scale = expr_cast(l->arena, t, quant_param(l, s, &q, 1));
    nest_store(s, l_out(l, 0), s->at,
               expr_2(l->arena, FUNC_MUL, expr_cast(l->arena, t, x), scale));
}

/* ---- DynamicQuantizeLinear ---- */

static bool infer_dynamic_quantize(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0);
    return infer_set(in, n, 0, DTYPE_U8, x->rank, x->dims) &&
           infer_set(in, n, 1, DTYPE_F32, 0, NULL) && infer_set(in, n, 2, DTYPE_U8, 0, NULL);
}

/* ---- rows ---- */

#define QUANTISED "i8|u8|i16|u16|low"

// clang-format off
const struct op ops_quant[] = {
    {.name = "QuantizeLinear", .domain = "", .since = 28, .signature = "x:X, y_scale:S, y_zero_point:Q? -> y:R",
     .types = "X=float|i32 S=float Q=" QUANTISED " R=" QUANTISED,
     .attrs = "axis:int=1 block_size:int=0 output_dtype:int=0 precision:int=0 saturate:int=1",
     .infer = infer_quantize, .lower = lower_quantize,
     .doc = "rounds to integers under a scale", .tests = "test_quantizelinear*"},
    {.name = "DequantizeLinear", .domain = "", .since = 28, .signature = "x:Q, x_scale:S, x_zero_point:Q? -> y:R",
     .types = "Q=i32|" QUANTISED " S=float R=float", .attrs = "axis:int=1 block_size:int=0 output_dtype:int=0",
     .infer = infer_dequantize, .lower = lower_dequantize,
     .doc = "integers back to real numbers", .tests = "test_dequantizelinear*"},
    {.name = "DynamicQuantizeLinear", .domain = "", .since = 11, .signature = "x:T -> y:u8, y_scale:T, y_zero_point:u8",
     .types = "T=f32", .attrs = "", .infer = infer_dynamic_quantize,
     .body = "lo = ReduceMin(x) keepdims=0\n"
             "hi = ReduceMax(x) keepdims=0\n"
             "low = Min(lo, T{0.0})\n"
             "high = Max(hi, T{0.0})\n"
             "span = Sub(high, low)\n"
             "y_scale = Div(span, T{255.0})\n"
             "steps = Div(low, y_scale)\n"
             "above = Neg(steps)\n"
             "rounded = Round(above)\n"
             "zero = Clip(rounded, T{0.0}, T{255.0})\n"
             "y_zero_point = Cast(zero) to=2\n"
             "y = QuantizeLinear(x, y_scale, y_zero_point)\n",
     .doc = "QuantizeLinear over the range found", .tests = "test_dynamicquantizelinear*"},
    {0},
};
// clang-format on
