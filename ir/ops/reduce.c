/* Operators that combine the elements along dimensions: sums and their kin, positions of
 * extremes, running sums.
 *
 * A row's expression holds one `reduce(monoid, …)` over the reduced dimensions. An empty
 * reduction is the monoid's identity. Sums accumulate in the element type, in order. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

/* ---- reductions ---- */

static void reduce_l2(struct lower *l, const bool *reduced) {
    bool is_float = dtype_is_float(l_type(l, l_in(l, 0)));
    const char *text = is_float ? "sqrt(reduce(add, x * x))" : "sqrt(f64(reduce(add, x * x)))";
    build_reduction(l, (struct reduction){l_in(l, 0), reduced, text, l_out(l, 0), -1});
}

static void lower_l2(struct lower *l, const struct node *n) {
    (void)n;
    build_reduced(l, reduce_l2);
}

/* exp of the distance from the maximum cannot overflow. An infinite maximum would make that
 * distance NaN: 0 replaces it. */
static void reduce_logsumexp(struct lower *l, const bool *reduced) {
    int x = l_in(l, 0), out = l_out(l, 0), dims = l_rank(l, out);
    int64_t extents[GRAPH_MAX_RANK];
    for (int d = 0; d < dims; d++)
        extents[d] = l_dim(l, out, d);
    int top = l_temp(l, l_type(l, x), dims, extents);
    build_reduction(l, (struct reduction){x, reduced, "reduce(max, x)", top, -1});
    build_reduction(l, (struct reduction){
                           x, reduced,
                           "log(reduce(add, exp(x - (isinf(M) ? 0 : M)))) + (isinf(M) ? 0 : M)",
                           out, top});
}

static void lower_logsumexp(struct lower *l, const struct node *n) {
    (void)n;
    build_reduced(l, reduce_logsumexp);
}

/* ---- the position of the extreme ---- */

static bool shape_arg(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0);
    int64_t dims[GRAPH_MAX_RANK];
    int axis, rank = 0;
    if (!infer_axis(in, n, node_int(n, "axis"), x->rank, &axis))
        return false;
    if (x->dims[axis] == 0)
        return infer_error(
            in, n, "dimension %d of input 'data' is empty: no element has a position", axis);
    for (int d = 0; d < x->rank; d++)
        if (d != axis || node_int(n, "keepdims"))
            dims[rank++] = d == axis ? 1 : x->dims[d];
    return infer_set(in, n, 0, DTYPE_I64, rank, dims);
}

/* First the extreme, then the smallest (or largest) position where it stands. */
static void lower_arg(struct lower *l, const struct node *n, enum func extreme) {
    struct arena *a = l->arena;
    int x = l_in(l, 0), out = l_out(l, 0), rank = l_rank(l, x), axis = node_axis(n, rank);
    bool reduced[GRAPH_MAX_RANK] = {false}, last = node_int(n, "select_last_index") != 0;
    reduced[axis] = true;
    int top = build_statistic(
        l, l_type(l, x),
        (struct reduction){x, reduced,
                           extreme == FUNC_MAX ? "reduce(max, x)" : "reduce(min, x)", -1, -1});
    struct nest *s = nest_over(l, out);
    const struct expr *index[GRAPH_MAX_RANK], *at_top[GRAPH_MAX_RANK];
    for (int d = 0, o = 0; d < rank; d++) {
        bool kept = l_rank(l, out) == rank;
        at_top[d] = index[d] = d == axis ? x_int(l, 0) : s->at[o];
        o += kept || d != axis;
    }
    index[axis] = nest_reduce_iter(s, l_dim(l, x, axis));
    const struct expr *here = expr_2(a, FUNC_EQ, x_load(l, x, index), x_load(l, top, at_top));
    const struct expr *other = expr_int(a, DTYPE_I64, last ? 0 : l_dim(l, x, axis) - 1);
    const struct expr *position =
        expr_3(a, FUNC_SELECT, here, expr_cast(a, DTYPE_I64, index[axis]), other);
    nest_store(s, out, s->at, nest_reduce(s, last ? FUNC_MAX : FUNC_MIN, position));
}

static void lower_argmax(struct lower *l, const struct node *n) {
    lower_arg(l, n, FUNC_MAX);
}

static void lower_argmin(struct lower *l, const struct node *n) {
    lower_arg(l, n, FUNC_MIN);
}

/* ---- running sums and products ---- */

static bool shape_cumulate(struct infer *in, struct node *n) {
    int len, axis;
    const int64_t *axes = infer_ints(in, n, 1, &len);
    if (value_elements(n->in[1]) != 1)
        return infer_error(
            in, n, "input 'axis' has shape %s, expected a scalar",
            infer_shape_text(in, node_shape(n, 1)->rank, node_shape(n, 1)->dims));
    if (axes && !infer_axis(in, n, axes[0], node_shape(n, 0)->rank, &axis))
        return false;
    return shape_same(in, n);
}

/* y at step t is y at step t-1 combined with x at step t (exclusive: t-1); steps go backwards
 * with `reverse`. */
static void cumulate_along(struct lower *l, int axis, enum func f) {
    struct arena *a = l->arena;
    int x = l_in(l, 0), y = l_out(l, 0), rank = l_rank(l, x);
    int64_t extent = l_dim(l, x, axis);
    bool reverse = node_int(l->node, "reverse") != 0,
         exclusive = node_int(l->node, "exclusive") != 0;
    const struct expr *t, *here[GRAPH_MAX_RANK], *before[GRAPH_MAX_RANK];
    build_seq(l, extent, &t);
    struct nest *s = nest_new(l);
    for (int d = 0; d < rank; d++)
        here[d] = before[d] = d == axis ? t : nest_iter(s, l_dim(l, x, d));
    here[axis] = reverse ? x_sub(l, x_int(l, extent - 1), t) : t;
    before[axis] = x_addk(l, here[axis], reverse ? 1 : -1);
    const struct expr *identity = expr_const(a, l_type(l, x), func_identity(f, l_type(l, x)));
    bool may[GRAPH_MAX_RANK] = {false};
    may[axis] = true;
    const struct expr *so_far = x_padded(l, y, before, may, identity);
    const struct expr *next =
        exclusive ? x_padded(l, x, before, may, identity) : x_load(l, x, here);
    nest_store(s, y, here, expr_2(a, f, so_far, next));
    build_end(l);
}

/* A run-time axis is compared with each one possible. */
static void lower_cumulate(struct lower *l, const struct node *n, enum func f) {
    int len, rank = node_shape(n, 0)->rank;
    const int64_t *axes = value_ints(l->arena, n->in[1], &len);
    if (axes) {
        cumulate_along(l, (int)(axes[0] < 0 ? axes[0] + rank : axes[0]), f);
        return;
    }
    int64_t one[1] = {1};
    int list = loops_add_view(l->loops, loops_root(l->loops, l_in(l, 1)), 1, one);
    for (int d = 0; d < rank; d++) {
        bool set[GRAPH_MAX_RANK] = {false};
        set[d] = true;
        build_if(l, x_axes_match(l, list, set, rank));
        cumulate_along(l, d, f);
        build_else(l);
    }
    nest_require(nest_new(l), expr_const(l->arena, DTYPE_BOOL, (union scalar){.i = 0}));
    for (int d = 0; d < rank; d++)
        build_end(l);
}

static void lower_cumsum(struct lower *l, const struct node *n) {
    lower_cumulate(l, n, FUNC_ADD);
}

static void lower_cumprod(struct lower *l, const struct node *n) {
    lower_cumulate(l, n, FUNC_MUL);
}

/* ---- RequireAxes(axes, set): fails with NNCC_E_SHAPE unless the axes are the set the shapes
 * were solved with ---- */

static bool infer_require_axes(struct infer *in, struct node *n) {
    return infer_rank(in, n, 0, 1) && infer_rank(in, n, 1, 1);
}

static void lower_require_axes(struct lower *l, const struct node *n) {
    const struct value *set = n->in[1];
    nest_require(nest_new(l), x_axes_match(l, l_in(l, 0), set->data, (int)value_elements(set)));
}

// clang-format off
#define REDUCE "data:T, axes:i64? -> reduced:T"
#define REDUCE_ATTRS "keepdims:int=1 noop_with_empty_axes:int=0"
#define WIDE "T=float|i32|i64|u32|u64"
#define ARG_ATTRS "axis:int=0 keepdims:int=1 select_last_index:int=0"
const struct op ops_reduce[] = {
//   operator, domain, since, signature, types, attributes, shape rule,
//   expression, body, lowering function, what it does, node tests, flags
    {"ReduceSum", "", 13, REDUCE, WIDE, REDUCE_ATTRS, shape_reduce,
     "reduce(add, data)", NULL, NULL, "sum", "test_reduce_sum_*", 0},
    {"ReduceMean", "", 18, REDUCE, WIDE, REDUCE_ATTRS, shape_reduce,
     "reduce(add, data) / count", NULL, NULL, "mean; of integers, truncated", "test_reduce_mean_*", 0},
    {"ReduceMax", "", 20, REDUCE, WIDE "|i8|u8|bool", REDUCE_ATTRS, shape_reduce,
     "reduce(max, data)", NULL, NULL, "largest", "test_reduce_max_*", 0},
    {"ReduceMin", "", 20, REDUCE, WIDE "|i8|u8|bool", REDUCE_ATTRS, shape_reduce,
     "reduce(min, data)", NULL, NULL, "smallest", "test_reduce_min_*", 0},
    {"ReduceProd", "", 18, REDUCE, WIDE, REDUCE_ATTRS, shape_reduce,
     "reduce(mul, data)", NULL, NULL, "product", "test_reduce_prod_*", 0},
    {"ReduceL1", "", 18, REDUCE, WIDE, REDUCE_ATTRS, shape_reduce,
     "reduce(add, abs(data))", NULL, NULL, "sum of absolute values", "test_reduce_l1_*", 0},
    {"ReduceL2", "", 18, REDUCE, WIDE, REDUCE_ATTRS, shape_reduce,
     NULL, NULL, lower_l2, "square root of the sum of squares", "test_reduce_l2_*", 0},
    {"ReduceSumSquare", "", 18, REDUCE, WIDE, REDUCE_ATTRS, shape_reduce,
     "reduce(add, data * data)", NULL, NULL, "sum of squares", "test_reduce_sum_square_*", 0},
    {"ReduceLogSum", "", 28, REDUCE, "T=float", REDUCE_ATTRS, shape_reduce,
     "log(reduce(add, data))", NULL, NULL, "logarithm of the sum", "test_reduce_log_sum_*", 0},
    {"ReduceLogSumExp", "", 28, REDUCE, "T=float", REDUCE_ATTRS, shape_reduce,
     NULL, NULL, lower_logsumexp, "logarithm of the sum of exponentials", "test_reduce_log_sum_exp_*", 0},
    {"ArgMax", "", 13, "data:T -> reduced:i64", "T=num", ARG_ATTRS, shape_arg,
     NULL, NULL, lower_argmax, "position of the largest", "test_argmax_*", 0},
    {"ArgMin", "", 13, "data:T -> reduced:i64", "T=num", ARG_ATTRS, shape_arg,
     NULL, NULL, lower_argmin, "position of the smallest", "test_argmin_*", 0},
    {"CumSum", "", 14, "x:T, axis:T2 -> y:T",
     WIDE " T2=i32|i64", "exclusive:int=0 reverse:int=0", shape_cumulate,
     NULL, NULL, lower_cumsum, "running sum", "test_cumsum_*", 0},
    {"CumProd", "", 26, "x:T, axis:T2 -> y:T",
     WIDE " T2=i32|i64", "exclusive:int=0 reverse:int=0", shape_cumulate,
     NULL, NULL, lower_cumprod, "running product", "test_cumprod_*", 0},
    {"RequireAxes", "nncc", 1, "axes:T, set:bool ->", "T=i32|i64", "", infer_require_axes,
     NULL, NULL, lower_require_axes, "fails at run time unless the axes are the set", "", OP_IMPURE},
    {0},
};
// clang-format on
