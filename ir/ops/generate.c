/* Operators whose result comes from shapes, positions or scalars rather than from a tensor's
 * elements. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

/* Element 0 of operand k, or element `at` of a vector operand. */
static const struct expr *element(struct lower *l, int k, int64_t at) {
    const struct expr *index[] = {x_int(l, at)};
    return x_load(l, l_in(l, k), index);
}

static const struct expr *position(struct lower *l, enum dtype t, const struct expr *index) {
    return expr_cast(l->arena, t, index);
}

/* Type an integer attribute names by its TensorProto code; `otherwise` when it is not given.
 * DTYPE_NONE after an error. */
static enum dtype infer_type_attr(struct infer *in, const struct node *n, const char *name,
                                  enum dtype otherwise) {
    const struct attr *a = node_attr(n, name);
    enum dtype t = a ? dtype_from_onnx((int)a->i) : otherwise;
    if (t == DTYPE_NONE)
        infer_error(in, n, "%s: type %s is not supported", name, dtype_onnx_name((int)a->i));
    return t;
}

/* ---- Shape, Size ---- */

/* First dimension and number of dimensions that Shape returns: start and end clamped as Python
 * slices. */
static int shape_range(const struct node *n, int *count) {
    int rank = node_shape(n, 0)->rank;
    const struct attr *last = node_attr(n, "end");
    int64_t start = node_int(n, "start"), end = last ? last->i : rank;
    start += start < 0 ? rank : 0;
    end += end < 0 ? rank : 0;
    start = start < 0 ? 0 : start > rank ? rank : start;
    end = end < 0 ? 0 : end > rank ? rank : end;
    *count = end > start ? (int)(end - start) : 0;
    return (int)start;
}

static bool infer_shape_op(struct infer *in, struct node *n) {
    int count;
    shape_range(n, &count);
    int64_t dims[] = {count};
    return infer_set(in, n, 0, DTYPE_I64, 1, dims);
}

static void lower_shape_op(struct lower *l, const struct node *n) {
    int count, start = shape_range(n, &count);
    if (count > 0)
        build_copy(l, l_out(l, 0), l_const_index(l, node_shape(n, 0)->dims + start, count));
}

static bool infer_size(struct infer *in, struct node *n) {
    return infer_set(in, n, 0, DTYPE_I64, 0, NULL);
}

static void lower_size(struct lower *l, const struct node *n) {
    nest_store(nest_new(l), l_out(l, 0), NULL,
               expr_int(l->arena, DTYPE_I64, value_elements(n->in[0])));
}

/* ---- ConstantOfShape, EyeLike, Trilu ---- */

static bool infer_constant_of_shape(struct infer *in, struct node *n) {
    int rank;
    const int64_t *dims = infer_ints(in, n, 0, &rank);
    const struct attr *value = node_attr(n, "value");
    const struct shape *declared = infer_declared(n, 0);
    enum dtype t = value ? value->tensor->dtype : DTYPE_F32;
    if (value && value_elements(value->tensor) != 1)
        return infer_error(in, n, "value must have one element");
    if (dims)
        return infer_set(in, n, 0, t, rank, dims);
    if (!declared)
        return infer_error(
            in, n,
            "input 'input' is not a constant and the shape of the result is not declared");
    return infer_set(in, n, 0, t, declared->rank, declared->dims);
}

static void lower_constant_of_shape(struct lower *l, const struct node *n) {
    const struct shape *y = &n->out[0]->shape;
    const struct attr *value = node_attr(n, "value");
    enum dtype t = n->out[0]->dtype;
    union scalar zero = {.u = 0}, v = value ? dtype_load(t, value->tensor->data, 0) : zero;
    for (int d = 0; !n->in[0]->data && d < y->rank; d++)
        nest_require(nest_new(l), expr_2(l->arena, FUNC_EQ, element(l, 0, d),
                                         expr_int(l->arena, DTYPE_I64, y->dims[d])));
    struct nest *s = nest_over(l, l_out(l, 0));
    nest_store(s, l_out(l, 0), s->at, expr_const(l->arena, t, v));
}

static bool infer_eye_like(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0);
    enum dtype t = infer_type_attr(in, n, "dtype", n->in[0]->dtype);
    return t != DTYPE_NONE && infer_rank(in, n, 0, 2) && infer_set(in, n, 0, t, 2, x->dims);
}

static void lower_eye_like(struct lower *l, const struct node *n) {
    enum dtype t = n->out[0]->dtype;
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *k = x_sub(l, s->at[1], s->at[0]);
    const struct expr *on = expr_2(l->arena, FUNC_EQ, k, x_int(l, node_int(n, "k")));
    nest_store(
        s, l_out(l, 0), s->at,
        expr_3(l->arena, FUNC_SELECT, on, expr_int(l->arena, t, 1), expr_int(l->arena, t, 0)));
}

static bool infer_trilu(struct infer *in, struct node *n) {
    if (node_shape(n, 0)->rank < 2)
        return infer_error(in, n, "input 'input' has rank %d, expected at least 2",
                           node_shape(n, 0)->rank);
    if (node_has_in(n, 1) && value_elements(n->in[1]) != 1)
        return infer_error(in, n, "input 'k' must have one element");
    return shape_same(in, n);
}

static void lower_trilu(struct lower *l, const struct node *n) {
    int rank = node_shape(n, 0)->rank;
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *values[] = {
        position(l, DTYPE_I64, s->at[rank - 2]), position(l, DTYPE_I64, s->at[rank - 1]),
        node_has_in(n, 1) ? element(l, 1, 0) : expr_int(l->arena, DTYPE_I64, 0)};
    const char *names[] = {"row", "col", "k"};
    const char *keep = node_int(n, "upper") ? "col - row >= k" : "col - row <= k";
    enum dtype t = n->out[0]->dtype;
    nest_store(s, l_out(l, 0), s->at,
               expr_3(l->arena, FUNC_SELECT, build_expr(l, keep, names, values, 3, DTYPE_I64),
                      x_load(l, l_in(l, 0), s->at), expr_int(l->arena, t, 0)));
}

/* ---- Range ---- */

/* ceil((limit - start) / delta), at least 0; -1 when delta is 0 or the count does not fit. */
static int64_t range_count(enum dtype t, union scalar start, union scalar limit,
                           union scalar delta) {
    if (dtype_is_float(t)) {
        double n = (limit.f - start.f) / delta.f;
        int64_t whole = n > 0 && n < 9e15 ? (int64_t)n : 0;
        return delta.f == 0 || !(n < 9e15) ? -1 : n <= 0 ? 0 : whole + ((double)whole < n);
    }
    if (delta.i == 0 || (delta.i > 0 ? limit.i <= start.i : limit.i >= start.i))
        return delta.i == 0 ? -1 : 0;
    uint64_t span = delta.i > 0 ? (uint64_t)limit.i - (uint64_t)start.i
                                : (uint64_t)start.i - (uint64_t)limit.i;
    uint64_t step = delta.i > 0 ? (uint64_t)delta.i : 0u - (uint64_t)delta.i,
             count = (span - 1) / step + 1;
    return count > INT64_MAX ? -1 : (int64_t)count;
}

static bool infer_range(struct infer *in, struct node *n) {
    union scalar v[3];
    bool constant = true;
    enum dtype t = n->in[0]->dtype;
    for (int k = 0; k < 3; k++) {
        if (value_elements(n->in[k]) != 1)
            return infer_error(in, n, "input %d must have one element", k);
        constant = constant && n->in[k]->data;
        if (constant)
            v[k] = dtype_load(t, n->in[k]->data, 0);
    }
    const struct shape *declared = infer_declared(n, 0);
    if (!constant && (!declared || declared->rank != 1))
        return infer_error(in, n,
                           "start, limit and delta are not constants and the shape of the "
                           "result is not declared");
    int64_t count = constant ? range_count(t, v[0], v[1], v[2]) : declared->dims[0];
    if (count < 0)
        return infer_error(in, n, "delta is 0 or the range has no end");
    return infer_set(in, n, 0, t, 1, &count);
}

static void lower_range(struct lower *l, const struct node *n) {
    enum dtype t = n->out[0]->dtype;
    int64_t count = n->out[0]->shape.dims[0];
    struct nest *s = nest_over(l, l_out(l, 0));
    const char *names[] = {"start", "limit", "delta", "last", "n", "i"};
    const struct expr *v[] = {element(l, 0, 0),
                              element(l, 1, 0),
                              element(l, 2, 0),
                              expr_int(l->arena, t, count - 1),
                              expr_int(l->arena, t, count),
                              position(l, t, s->at[0])};
    if (!n->in[0]->data || !n->in[1]->data || !n->in[2]->data) {
        const char *ends =
            count > 0 ? "delta > 0 ? start + last*delta < limit && start + n*delta >= limit"
                        " : start + last*delta > limit && start + n*delta <= limit"
                      : "delta > 0 ? start >= limit : start <= limit";
        nest_require(nest_new(l), build_expr(l, ends, names, v, 5, t));
    }
    nest_store(s, l_out(l, 0), s->at, build_expr(l, "start + i*delta", names, v, 6, t));
}

/* ---- windows of signal processing ---- */

static bool infer_window_function(struct infer *in, struct node *n) {
    int len;
    const int64_t *size = infer_ints(in, n, 0, &len);
    const struct shape *declared = infer_declared(n, 0);
    enum dtype t = infer_type_attr(in, n, "output_datatype", DTYPE_F32);
    if (t == DTYPE_NONE)
        return false;
    if (value_elements(n->in[0]) != 1 || (size && size[0] < 0))
        return infer_error(in, n, "input 'size' must be one number, at least 0");
    if (!size && (!declared || declared->rank != 1))
        return infer_error(
            in, n,
            "input 'size' is not a constant and the shape of the result is not declared");
    return infer_set(in, n, 0, t, 1, size ? size : declared->dims);
}

/* Generalised cosine window a0 - a1 cos(2 pi i / N) + a2 cos(4 pi i / N), N = size or, when not
 * periodic, size - 1. */
static void lower_cosine_window(struct lower *l, const struct node *n, double a0, double a1,
                                double a2) {
    int64_t size = n->out[0]->shape.dims[0], period = node_int(n, "periodic") ? size : size - 1;
    enum dtype t = n->out[0]->dtype, w = dtype_is_float(t) ? t : DTYPE_F64;
    if (!n->in[0]->data)
        nest_require(nest_new(l),
                     expr_2(l->arena, FUNC_EQ, position(l, DTYPE_I64, element(l, 0, 0)),
                            expr_int(l->arena, DTYPE_I64, size)));
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *v[] = {expr_float(l->arena, w, a0),
                              expr_float(l->arena, w, a1),
                              expr_float(l->arena, w, a2),
                              expr_float(l->arena, w, 2 * 3.14159265358979323846),
                              expr_int(l->arena, w, period > 0 ? period : 1),
                              position(l, w, s->at[0])};
    const char *names[] = {"a0", "a1", "a2", "tau", "period", "i"};
    const char *text = a2 > 0 ? "a0 - a1*cos(tau*i/period) + a2*cos(2*tau*i/period)"
                              : "a0 - a1*cos(tau*i/period)";
    nest_store(s, l_out(l, 0), s->at, position(l, t, build_expr(l, text, names, v, 6, w)));
}

static void lower_hann(struct lower *l, const struct node *n) {
    lower_cosine_window(l, n, 0.5, 0.5, 0);
}

static void lower_hamming(struct lower *l, const struct node *n) {
    lower_cosine_window(l, n, 25.0 / 46, 21.0 / 46, 0);
}

static void lower_blackman(struct lower *l, const struct node *n) {
    lower_cosine_window(l, n, 0.42, 0.5, 0.08);
}

/* ---- rows ---- */

#define WINDOW_ATTRS "output_datatype:int=1 periodic:int=1"

// clang-format off
const struct op ops_generate[] = {
    {.name = "Shape", .domain = "", .since = 25, .signature = "data:T -> shape:i64", .types = "T=all",
     .attrs = "start:int=0 end:int?", .infer = infer_shape_op, .lower = lower_shape_op, .flags = OP_SHAPE_ONLY,
     .doc = "extents as a vector", .tests = "test_shape*"},
    {.name = "Size", .domain = "", .since = 25, .signature = "data:T -> size:i64", .types = "T=all", .attrs = "",
     .infer = infer_size, .lower = lower_size, .flags = OP_SHAPE_ONLY,
     .doc = "number of elements", .tests = "test_size*"},
    {.name = "ConstantOfShape", .domain = "", .since = 25, .signature = "input:i64 -> output:T", .types = "T=any",
     .attrs = "value:tensor?", .infer = infer_constant_of_shape, .lower = lower_constant_of_shape,
     .doc = "a tensor of one value", .tests = "test_constantofshape_*"},
    {.name = "EyeLike", .domain = "", .since = 22, .signature = "input:T -> output:U", .types = "T=any U=any",
     .attrs = "dtype:int? k:int=0", .infer = infer_eye_like, .lower = lower_eye_like, .flags = OP_SHAPE_ONLY,
     .doc = "ones on the k-th diagonal", .tests = "test_eyelike_*"},
    {.name = "Trilu", .domain = "", .since = 14, .signature = "input:T, k:i64? -> output:T", .types = "T=any",
     .attrs = "upper:int=1", .infer = infer_trilu, .lower = lower_trilu,
     .doc = "upper or lower triangle", .tests = "test_tri[lu]*"},
    {.name = "Range", .domain = "", .since = 27, .signature = "start:T, limit:T, delta:T -> output:T", .types = "T=num",
     .attrs = "stash_type:int=1", .infer = infer_range, .lower = lower_range,
     .doc = "start, start + delta, ...", .tests = "test_range_*"},
    {.name = "HannWindow", .domain = "", .since = 17, .signature = "size:S -> output:T", .types = "S=i32|i64 T=num",
     .attrs = WINDOW_ATTRS, .infer = infer_window_function, .lower = lower_hann,
     .doc = "0.5 - 0.5 cos", .tests = "test_hannwindow*"},
    {.name = "HammingWindow", .domain = "", .since = 17, .signature = "size:S -> output:T", .types = "S=i32|i64 T=num",
     .attrs = WINDOW_ATTRS, .infer = infer_window_function, .lower = lower_hamming,
     .doc = "25/46 - 21/46 cos", .tests = "test_hammingwindow*"},
    {.name = "BlackmanWindow", .domain = "", .since = 17, .signature = "size:S -> output:T", .types = "S=i32|i64 T=num",
     .attrs = WINDOW_ATTRS, .infer = infer_window_function, .lower = lower_blackman,
     .doc = "0.42 - 0.5 cos + 0.08 cos", .tests = "test_blackmanwindow*"},
    {0},
};
// clang-format on
