/* Pad: each element of the result finds its element of the operand, or is the constant. Pads
 * known when compiling give affine indices and guards; pads known only at run time give
 * computed positions. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

/* Constant pads per dimension of the operand; false after an error. */
static bool pad_extents(struct infer *in, const struct node *n, int64_t *begin, int64_t *end) {
    const struct shape *x = node_shape(n, 0);
    int len, num_axes = x->rank;
    const int64_t *pads = infer_ints(in, (struct node *)n, 1, &len);
    const int64_t *axes = infer_ints(in, (struct node *)n, 3, &num_axes);
    bool *seen = arena_array(in->arena, bool, x->rank);
    num_axes = axes ? num_axes : x->rank;
    if (len != 2 * num_axes)
        return infer_error(in, n, "input 'pads' has %d entries, expected %d", len,
                           2 * num_axes);
    for (int k = 0; k < num_axes; k++) {
        int d = k;
        if (axes && !infer_axis(in, n, axes[k], x->rank, &d))
            return false;
        if (seen[d])
            return infer_error(in, n, "axis %d is listed twice", d);
        seen[d] = true;
        begin[d] = pads[k];
        end[d] = pads[num_axes + k];
    }
    return true;
}

static bool pad_result(struct infer *in, const struct node *n, int d, int64_t begin,
                       int64_t end, int64_t *extent) {
    int64_t x = node_shape(n, 0)->dims[d], limit = INT64_MAX / 4;
    bool constant = strcmp(node_string(n, "mode"), "constant") == 0,
         reflect = strcmp(node_string(n, "mode"), "reflect") == 0;
    if (begin < -limit || begin > limit || end < -limit || end > limit || x > limit ||
        x + begin + end < 0)
        return infer_error(in, n, "pads %lld and %lld of dimension %d with extent %lld",
                           (long long)begin, (long long)end, d, (long long)x);
    *extent = x + begin + end;
    bool grows = begin > 0 || end > 0;
    if (!constant && x == 0 && grows)
        return infer_error(in, n, "dimension %d has no elements to repeat", d);
    if (reflect && x == 1 && grows)
        return infer_error(in, n, "dimension %d has one element, nothing to reflect", d);
    return true;
}

static bool infer_pad(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0), *declared = infer_declared(n, 0);
    const char *mode = node_string(n, "mode");
    int len;
    if (strcmp(mode, "constant") && strcmp(mode, "reflect") && strcmp(mode, "edge") &&
        strcmp(mode, "wrap"))
        return infer_error(in, n, "mode '%s' is not supported", mode);
    if (node_has_in(n, 2) && value_elements(n->in[2]) != 1)
        return infer_error(in, n, "input 'constant_value' must have one element");
    if (node_has_in(n, 3) && !n->in[3]->data)
        return infer_error(in, n, "input 'axes' is not a constant");
    if (!infer_ints(in, n, 1, &len)) {
        bool all = !node_has_in(n, 3) && value_elements(n->in[1]) == 2 * (int64_t)x->rank;
        if (!declared || declared->rank != x->rank || !all || strcmp(mode, "constant") != 0)
            return infer_error(in, n,
                               "input 'pads' is not a constant, which mode 'constant' with a "
                               "declared result alone allows");
        return infer_set(in, n, 0, n->in[0]->dtype, x->rank, declared->dims);
    }
    int64_t *begin = arena_array(in->arena, int64_t, x->rank),
            *end = arena_array(in->arena, int64_t, x->rank);
    int64_t *dims = arena_array(in->arena, int64_t, x->rank);
    if (!pad_extents(in, n, begin, end))
        return false;
    for (int d = 0; d < x->rank; d++)
        if (!pad_result(in, n, d, begin[d], end[d], &dims[d]))
            return false;
    return infer_set(in, n, 0, n->in[0]->dtype, x->rank, dims);
}

/* Position in [0, extent) that position `at` (of any sign) shows in the modes that repeat
 * elements. */
static const struct expr *pad_source(struct lower *l, const char *mode, const struct expr *at,
                                     int64_t extent) {
    struct arena *a = l->arena;
    if (strcmp(mode, "edge") == 0)
        return expr_2(a, FUNC_MAX, expr_2(a, FUNC_MIN, at, x_int(l, extent - 1)), x_int(l, 0));
    if (strcmp(mode, "wrap") == 0)
        return x_mod(l, at, extent);
    const struct expr *period = x_mod(l, at, 2 * (extent - 1)); // up, then down again
    return expr_2(a, FUNC_MIN, period, x_sub(l, x_int(l, 2 * (extent - 1)), period));
}

static const struct expr *pad_constant(struct lower *l, const struct node *n) {
    const struct expr *first[] = {x_int(l, 0)};
    return node_has_in(n, 2) ? x_load(l, l_in(l, 2), first)
                             : expr_int(l->arena, n->out[0]->dtype, 0);
}

static void lower_pad_static(struct lower *l, const struct node *n) {
    const struct shape *x = node_shape(n, 0), *y = &n->out[0]->shape;
    struct infer in = {.arena = l->arena, .diag = l->diag};
    const char *mode = node_string(n, "mode");
    bool *may = arena_array(l->arena, bool, x->rank), constant = strcmp(mode, "constant") == 0;
    int64_t *begin = arena_array(l->arena, int64_t, x->rank),
            *end = arena_array(l->arena, int64_t, x->rank);
    if (!pad_extents(&in, n, begin, end))
        bug("Pad: pads were checked by infer");
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr **from = arena_array(l->arena, const struct expr *, x->rank);
    for (int d = 0; d < x->rank; d++) {
        bool inside = begin[d] <= 0 && y->dims[d] - begin[d] <= x->dims[d];
        from[d] = x_addk(l, s->at[d], -begin[d]);
        may[d] = constant && !inside;
        if (!constant && !inside)
            from[d] = pad_source(l, mode, from[d], x->dims[d]);
    }
    nest_store(s, l_out(l, 0), s->at, x_padded(l, l_in(l, 0), from, may, pad_constant(l, n)));
}

/* Mode constant: positions computed at run time, clamped where the constant is taken instead.
 */
static void lower_pad_dynamic(struct lower *l, const struct node *n) {
    const struct shape *x = node_shape(n, 0), *y = &n->out[0]->shape;
    const struct expr *inside = expr_int(l->arena, DTYPE_BOOL, 1);
    const struct expr **from = arena_array(l->arena, const struct expr *, x->rank);
    struct nest *s = nest_over(l, l_out(l, 0));
    const char *names[] = {"begin", "end", "x", "y", "at"};
    for (int d = 0; d < x->rank; d++) {
        const struct expr *b[] = {x_int(l, d)}, *e[] = {x_int(l, x->rank + d)};
        const struct expr *v[] = {x_load(l, l_in(l, 1), b), x_load(l, l_in(l, 1), e),
                                  expr_int(l->arena, DTYPE_I64, x->dims[d]),
                                  expr_int(l->arena, DTYPE_I64, y->dims[d]),
                                  expr_cast(l->arena, DTYPE_I64, s->at[d])};
        nest_require(nest_new(l),
                     build_expr(l, "begin + x + end == y", names, v, 5, DTYPE_I64));
        inside =
            expr_2(l->arena, FUNC_AND, inside,
                   build_expr(l, "at - begin >= 0 && at - begin < x", names, v, 5, DTYPE_I64));
        if (x->dims[d] > 0)
            from[d] = x_clamp(l, build_expr(l, "at - begin", names, v, 5, DTYPE_I64), 0,
                              x->dims[d] - 1);
    }
    const struct expr *value =
        value_elements(n->in[0]) ? x_load(l, l_in(l, 0), from) : pad_constant(l, n);
    nest_store(s, l_out(l, 0), s->at,
               expr_3(l->arena, FUNC_SELECT, inside, value, pad_constant(l, n)));
}

static void lower_pad(struct lower *l, const struct node *n) {
    if (n->in[1]->data)
        lower_pad_static(l, n);
    else
        lower_pad_dynamic(l, n);
}

// clang-format off
const struct op ops_pad[] = {
    {.name = "Pad", .domain = "", .since = 25, .signature = "data:T, pads:i64, constant_value:T?, axes:I? -> output:T",
     .types = "T=any I=i32|i64", .attrs = "mode:string=constant", .infer = infer_pad, .lower = lower_pad,
     .doc = "adds or removes elements at the ends", .tests = "test_*_pad*"},
    {0},
};
// clang-format on
