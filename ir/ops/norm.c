/* Normalisations: Softmax and its kin as bodies of simpler operators, the rest as statements
 * for the mean, for the spread about it (two passes: no cancellation) and for the result. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

/* ---- shapes ---- */

static bool shape_axis(struct infer *in, struct node *n) {
    int axis;
    return infer_axis(in, n, node_int(n, "axis"), node_shape(n, 0)->rank, &axis) &&
           shape_same(in, n);
}

static bool check_stash(struct infer *in, struct node *n) {
    return node_int(n, "stash_type") == dtype_info(DTYPE_F32)->onnx ||
           infer_error(in, n, "stash_type %lld is not supported, only 1 (f32)",
                       (long long)node_int(n, "stash_type"));
}

/* Mean and InvStdDev keep the dimensions before axis. */
static bool shape_layernorm(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0);
    int64_t kept[GRAPH_MAX_RANK];
    int axis;
    if (!infer_axis(in, n, node_int(n, "axis"), x->rank, &axis) || !check_stash(in, n))
        return false;
    for (int k = 1; k < n->num_in; k++)
        if (n->in[k] && !infer_broadcasts_to(in, n, k, x))
            return false;
    for (int d = 0; d < x->rank; d++)
        kept[d] = d < axis ? x->dims[d] : 1;
    return infer_set(in, n, 0, infer_result_type(n, 0), x->rank, x->dims) &&
           infer_set(in, n, 1, DTYPE_F32, x->rank, kept) &&
           infer_set(in, n, 2, DTYPE_F32, x->rank, kept);
}

/* Operands from k on have one element per channel. */
static bool check_channels(struct infer *in, struct node *n, int k, int64_t channels) {
    for (; k < n->num_in; k++)
        if (!infer_dims(in, n, k, 1, &channels))
            return false;
    return true;
}

static bool at_least_rank(struct infer *in, struct node *n, int rank) {
    int found = node_shape(n, 0)->rank;
    return found >= rank || infer_error(in, n, "input '%s' has rank %d, expected at least %d",
                                        infer_operand_name(in, n, 0), found, rank);
}

static bool shape_instancenorm(struct infer *in, struct node *n) {
    return at_least_rank(in, n, 3) && check_channels(in, n, 1, node_shape(n, 0)->dims[1]) &&
           shape_same(in, n);
}

static bool shape_groupnorm(struct infer *in, struct node *n) {
    int64_t groups = node_int(n, "num_groups");
    if (!at_least_rank(in, n, 2) || !check_stash(in, n))
        return false;
    int64_t channels = node_shape(n, 0)->dims[1];
    if (groups < 1 || channels % groups != 0)
        return infer_error(in, n,
                           "input 'X' has %lld channels, which num_groups=%lld does not divide",
                           (long long)channels, (long long)groups);
    return check_channels(in, n, 1, channels) && shape_same(in, n);
}

static int64_t channels_of(const struct shape *x) {
    return x->rank > 1 ? x->dims[1] : 1;
}

static bool shape_batchnorm(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0);
    int64_t channels = channels_of(x);
    if (!at_least_rank(in, n, 1) || !check_channels(in, n, 1, channels))
        return false;
    for (int k = 1; k < 3; k++)
        if (node_has_out(n, k) && node_int(n, "training_mode") == 0)
            return infer_error(in, n, "result '%s' exists only with training_mode=1",
                               infer_result_name(in, n, k));
    return infer_set(in, n, 0, n->in[0]->dtype, x->rank, x->dims) &&
           infer_set(in, n, 1, n->in[3]->dtype, 1, &channels) &&
           infer_set(in, n, 2, n->in[3]->dtype, 1, &channels);
}

static bool shape_lrn(struct infer *in, struct node *n) {
    int64_t size = node_int(n, "size");
    if (size < 1 || size > INT32_MAX)
        return infer_error(in, n, "attribute 'size' is %lld, expected at least 1",
                           (long long)size);
    return at_least_rank(in, n, 2) && shape_same(in, n);
}

static bool shape_lpnorm(struct infer *in, struct node *n) {
    int64_t p = node_int(n, "p");
    return (p == 1 || p == 2 ||
            infer_error(in, n, "attribute 'p' is %lld, expected 1 or 2", (long long)p)) &&
           shape_axis(in, n);
}

static bool shape_mvn(struct infer *in, struct node *n) {
    bool mask[GRAPH_MAX_RANK];
    int len;
    const int64_t *axes = node_ints(n, "axes", &len);
    return infer_axes(in, n, axes, len, node_shape(n, 0)->rank, mask) && shape_same(in, n);
}

/* ---- lowering ---- */

/* The text with every $ replaced by a type's name. */
static const char *with_type(struct lower *l, const char *text, enum dtype t) {
    const char *done = "";
    for (const char *at; (at = strchr(text, '$')); text = at + 1)
        done = arena_printf(l->arena, "%s%.*s%s", done, (int)(at - text), text,
                            dtype_info(t)->text);
    return arena_printf(l->arena, "%s%s", done, text);
}

/* Mean and 1 / standard deviation of x over the reduced dimensions, computed in type t, into
 * the two arrays. */
static void moments(struct lower *l, int x, const bool *reduced, int mean, int inverse) {
    enum dtype t = l_type(l, mean);
    const char *sum = with_type(l, "reduce(add, $(x)) / $(count)", t);
    const char *spread = with_type(
        l, "1 / sqrt(reduce(add, ($(x) - M) * ($(x) - M)) / $(count) + $(epsilon))", t);
    build_reduction(l, (struct reduction){x, reduced, sum, mean, -1});
    build_reduction(l, (struct reduction){x, reduced, spread, inverse, mean});
}

/* Result k of the node, or a temporary with x's dimensions, 1 where they are reduced. */
static int wanted_or_temp(struct lower *l, int k, enum dtype t, int x, const bool *reduced) {
    int64_t dims[GRAPH_MAX_RANK];
    for (int d = 0; d < l_rank(l, x); d++)
        dims[d] = reduced[d] ? 1 : l_dim(l, x, d);
    return node_has_out(l->node, k) ? l_out(l, k) : l_temp(l, t, l_rank(l, x), dims);
}

/* Mean and InvStdDev are f32 whatever X is (stash_type). */
static void lower_layernorm(struct lower *l, const struct node *n) {
    static const char *const names[] = {"X", "M", "D", "Scale", "B"};
    int x = l_in(l, 0), rank = l_rank(l, x), axis = node_axis(n, rank);
    bool reduced[GRAPH_MAX_RANK] = {false};
    for (int d = 0; d < rank; d++)
        reduced[d] = d >= axis;
    int mean = wanted_or_temp(l, 1, DTYPE_F32, x, reduced),
        inverse = wanted_or_temp(l, 2, DTYPE_F32, x, reduced);
    moments(l, x, reduced, mean, inverse);
    struct nest *s = nest_over(l, l_out(l, 0));
    bool bias = node_has_in(n, 2);
    const struct expr *values[] = {x_load(l, x, s->at), x_broadcast(l, mean, s->at, rank),
                                   x_broadcast(l, inverse, s->at, rank),
                                   x_broadcast(l, l_in(l, 1), s->at, rank),
                                   bias ? x_broadcast(l, l_in(l, 2), s->at, rank) : NULL};
    const char *text = bias ? "T((f32(X) - M) * D) * Scale + B" : "T((f32(X) - M) * D) * Scale";
    nest_store(s, l_out(l, 0), s->at,
               build_expr(l, text, names, values, bias ? 5 : 4, l_type(l, x)));
}

static void lower_rmsnorm(struct lower *l, const struct node *n) {
    static const char *const names[] = {"X", "M", "scale"};
    int x = l_in(l, 0), rank = l_rank(l, x), axis = node_axis(n, rank);
    bool reduced[GRAPH_MAX_RANK] = {false};
    for (int d = 0; d < rank; d++)
        reduced[d] = d >= axis;
    const char *text = "1 / sqrt(reduce(add, f32(x) * f32(x)) / f32(count) + f32(epsilon))";
    int inverse = build_statistic(l, DTYPE_F32, (struct reduction){x, reduced, text, -1, -1});
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *values[] = {x_load(l, x, s->at), x_broadcast(l, inverse, s->at, rank),
                                   x_broadcast(l, l_in(l, 1), s->at, rank)};
    nest_store(s, l_out(l, 0), s->at,
               build_expr(l, "V(f32(X) * M) * scale", names, values, 3, l_type(l, x)));
}

/* Moments per sample and group of channels, of X seen as [N, groups, C / groups, …]; scale and
 * bias per channel. `t` is the type of the moments. */
static void normalise_groups(struct lower *l, int64_t groups, enum dtype t) {
    static const char *const names[] = {"x", "M", "D", "scale", "bias"};
    int x = l_in(l, 0), rank = l_rank(l, x);
    int64_t dims[GRAPH_MAX_RANK + 1] = {l_dim(l, x, 0), groups, l_dim(l, x, 1) / groups};
    bool reduced[GRAPH_MAX_RANK + 1] = {false};
    for (int d = 2; d <= rank; d++) {
        dims[d] = d == 2 ? dims[2] : l_dim(l, x, d - 1);
        reduced[d] = true;
    }
    int grouped = loops_add_view(l->loops, loops_root(l->loops, x), rank + 1, dims);
    int64_t pair[2] = {dims[0], groups};
    int mean = l_temp(l, t, 2, pair), inverse = l_temp(l, t, 2, pair);
    moments(l, grouped, reduced, mean, inverse);
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *at[2] = {s->at[0], x_div(l, s->at[1], dims[2])};
    const struct expr *values[] = {x_load(l, x, s->at), x_load(l, mean, at),
                                   x_load(l, inverse, at), x_load(l, l_in(l, 1), &s->at[1]),
                                   x_load(l, l_in(l, 2), &s->at[1])};
    const char *text = with_type(l, "T(($(x) - M) * D) * scale + bias", t);
    nest_store(s, l_out(l, 0), s->at, build_expr(l, text, names, values, 5, l_type(l, x)));
}

static void lower_instancenorm(struct lower *l, const struct node *n) {
    normalise_groups(l, node_shape(n, 0)->dims[1], n->in[0]->dtype);
}

static void lower_groupnorm(struct lower *l, const struct node *n) {
    normalise_groups(l, node_int(n, "num_groups"), DTYPE_F32);
}

/* Element c of a list with one element per channel, in type t; statistics have X's rank. */
static const struct expr *of_channel(struct lower *l, int array, const struct expr *c,
                                     enum dtype t) {
    const struct expr *index[GRAPH_MAX_RANK];
    for (int d = 0; d < l_rank(l, array); d++)
        index[d] = d == 1 ? c : x_int(l, 0);
    return expr_cast(l->arena, t, x_load(l, array, l_rank(l, array) == 1 ? &c : index));
}

/* running = old * momentum + now * (1 - momentum) */
static void update_running(struct lower *l, int k, int old, int now) {
    static const char *const names[] = {"old", "now"};
    if (!node_has_out(l->node, k))
        return;
    struct nest *s = nest_over(l, l_out(l, k));
    enum dtype t = l_type(l, old);
    const struct expr *c = l_rank(l, now) > 1 ? s->at[0] : x_int(l, 0);
    const struct expr *values[] = {x_load(l, old, s->at), of_channel(l, now, c, t)};
    nest_store(s, l_out(l, k), s->at,
               build_expr(l, "old * momentum + now * (1 - momentum)", names, values, 2, t));
}

/* In inference mean and variance are operands, in training those of the batch. */
static void lower_batchnorm(struct lower *l, const struct node *n) {
    static const char *const names[] = {"X", "M", "F", "B", "S", "variance"};
    int x = l_in(l, 0), mean = l_in(l, 3), variance = l_in(l, 4);
    enum dtype t = l_type(l, x);
    if (node_int(n, "training_mode")) {
        bool reduced[GRAPH_MAX_RANK] = {false};
        for (int d = 0; d < GRAPH_MAX_RANK; d++)
            reduced[d] = d != 1;
        mean = build_statistic(
            l, t, (struct reduction){x, reduced, "reduce(add, x) / count", -1, -1});
        variance = build_statistic(
            l, t,
            (struct reduction){x, reduced, "reduce(add, (x - M) * (x - M)) / count", -1, mean});
        update_running(l, 1, l_in(l, 3), mean);
        update_running(l, 2, l_in(l, 4), variance);
    }
    int64_t channels = channels_of(node_shape(n, 0));
    int factor = l_temp(l, t, 1, &channels);
    struct nest *f = nest_over(l, factor);
    const struct expr *scale = of_channel(l, l_in(l, 1), f->at[0], t),
                      *spread = of_channel(l, variance, f->at[0], t);
    nest_store(f, factor, f->at,
               build_expr(l, "S / sqrt(variance + epsilon)", names + 4,
                          (const struct expr *[]){scale, spread}, 2, t));
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *c = l_rank(l, x) > 1 ? s->at[1] : x_int(l, 0);
    const struct expr *values[] = {x_load(l, x, s->at), of_channel(l, mean, c, t),
                                   of_channel(l, factor, c, t),
                                   of_channel(l, l_in(l, 2), c, t)};
    nest_store(s, l_out(l, 0), s->at, build_expr(l, "(X - M) * F + B", names, values, 4, t));
}

/* The sum of squares of `size` channels about this one. */
static void lower_lrn(struct lower *l, const struct node *n) {
    static const char *const names[] = {"X", "sum", "share"};
    int x = l_in(l, 0);
    int64_t size = node_int(n, "size");
    enum dtype t = l_type(l, x);
    const struct expr *index[GRAPH_MAX_RANK];
    bool may[GRAPH_MAX_RANK] = {false};
    struct nest *s = nest_over(l, l_out(l, 0));
    memcpy(index, s->at, (size_t)l_rank(l, x) * sizeof *index);
    index[1] = x_addk(l, x_add(l, s->at[1], nest_reduce_iter(s, size)), -((size - 1) / 2));
    may[1] = true;
    const struct expr *near = x_padded(l, x, index, may, expr_int(l->arena, t, 0));
    const struct expr *values[] = {
        x_load(l, x, s->at), nest_reduce(s, FUNC_ADD, expr_2(l->arena, FUNC_MUL, near, near)),
        expr_float(l->arena, t, node_float(n, "alpha") / (double)size)};
    nest_store(s, l_out(l, 0), s->at,
               build_expr(l, "X / pow(bias + share * sum, beta)", names, values, 3, t));
}

/* A norm of 0 gives 0. */
static void lower_lpnorm(struct lower *l, const struct node *n) {
    static const char *const names[] = {"x", "M"};
    int x = l_in(l, 0), rank = l_rank(l, x);
    bool reduced[GRAPH_MAX_RANK] = {false};
    reduced[node_axis(n, rank)] = true;
    const char *text =
        node_int(n, "p") == 1 ? "reduce(add, abs(x))" : "sqrt(reduce(add, x * x))";
    int norm = build_statistic(l, l_type(l, x), (struct reduction){x, reduced, text, -1, -1});
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *values[] = {x_load(l, x, s->at), x_broadcast(l, norm, s->at, rank)};
    nest_store(s, l_out(l, 0), s->at,
               build_expr(l, "M == 0 ? 0 : x / M", names, values, 2, l_type(l, x)));
}

/* 1 at the first place of the largest element along axis. */
static void lower_hardmax(struct lower *l, const struct node *n) {
    struct arena *a = l->arena;
    int x = l_in(l, 0), rank = l_rank(l, x), axis = node_axis(n, rank);
    enum dtype t = l_type(l, x);
    bool reduced[GRAPH_MAX_RANK] = {false};
    int64_t dims[GRAPH_MAX_RANK];
    for (int d = 0; d < rank; d++)
        dims[d] = d == axis ? 1 : l_dim(l, x, d);
    reduced[axis] = true;
    int top = build_statistic(l, t, (struct reduction){x, reduced, "reduce(max, x)", -1, -1});
    int first = l_temp(l, DTYPE_I64, rank, dims);
    struct nest *p = nest_over(l, first);
    const struct expr *index[GRAPH_MAX_RANK],
        *last = expr_int(a, DTYPE_I64, l_dim(l, x, axis) - 1);
    memcpy(index, p->at, (size_t)rank * sizeof *index);
    index[axis] = nest_reduce_iter(p, l_dim(l, x, axis));
    const struct expr *here = expr_2(a, FUNC_EQ, x_load(l, x, index), x_load(l, top, p->at));
    const struct expr *place =
        expr_3(a, FUNC_SELECT, here, expr_cast(a, DTYPE_I64, index[axis]), last);
    nest_store(p, first, p->at, nest_reduce(p, FUNC_MIN, place));
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *chosen = expr_2(a, FUNC_EQ, expr_cast(a, DTYPE_I64, s->at[axis]),
                                       x_broadcast(l, first, s->at, rank));
    nest_store(s, l_out(l, 0), s->at,
               expr_3(a, FUNC_SELECT, chosen, expr_int(a, t, 1), expr_int(a, t, 0)));
}

// clang-format off
#define SOFTMAX     "e = Exp(Sub(input, ReduceMax(input, i64{$axis})))\n" \
                    "output = Div(e, ReduceSum(e, i64{$axis}))\n"
#define LOG_SOFTMAX "d = Sub(input, ReduceMax(input, i64{$axis}))\n" \
                    "output = Sub(d, Log(ReduceSum(Exp(d), i64{$axis})))\n"
#define MVN         "d = Sub(X, ReduceMean(X, i64{$axes}))\n" \
                    "Y = Div(d, Add(Sqrt(ReduceMean(Mul(d, d), i64{$axes})), T{1e-9}))\n"
const struct op ops_norm[] = {
//   operator, domain, since, signature, types, attributes, shape rule,
//   expression, body, lowering function, what it does, node tests, flags
    {"Softmax", "", 13, "input:T -> output:T", "T=float", "axis:int=-1", shape_axis,
     NULL, SOFTMAX, NULL, "exponentials that sum to 1", "test_softmax_*", OP_LIKE_FIRST},
    {"LogSoftmax", "", 13, "input:T -> output:T", "T=float", "axis:int=-1", shape_axis,
     NULL, LOG_SOFTMAX, NULL, "logarithm of Softmax", "test_logsoftmax_*", OP_LIKE_FIRST},
    {"Hardmax", "", 13, "input:T -> output:T", "T=float", "axis:int=-1", shape_axis,
     NULL, NULL, lower_hardmax, "1 at the first largest element", "test_hardmax_*", OP_LIKE_FIRST},
    {"LayerNormalization", "", 17, "X:T, Scale:T, B:T? -> Y:T, Mean:U?, InvStdDev:U?",
     "T=float U=f32", "axis:int=-1 epsilon:float=1e-05 stash_type:int=1", shape_layernorm,
     NULL, NULL, lower_layernorm, "mean 0, variance 1 from axis on", "test_layer_normalization_*", OP_LIKE_FIRST},
    {"RMSNormalization", "", 23, "X:T, scale:V -> Y:V",
     "T=float V=float", "axis:int=-1 epsilon:float=1e-05 stash_type:int=1", shape_layernorm,
     NULL, NULL, lower_rmsnorm, "mean square 1 from axis on", "test_rms_normalization_*", OP_LIKE_FIRST},
    {"GroupNormalization", "", 21, "X:T, scale:T, bias:T -> Y:T",
     "T=float", "epsilon:float=1e-05 num_groups:int stash_type:int=1", shape_groupnorm,
     NULL, NULL, lower_groupnorm, "mean 0, variance 1 per group of channels", "test_group_normalization_*", OP_LIKE_FIRST},
    {"InstanceNormalization", "", 22, "input:T, scale:T, B:T -> output:T",
     "T=float", "epsilon:float=1e-05", shape_instancenorm,
     NULL, NULL, lower_instancenorm, "mean 0, variance 1 per channel", "test_instancenorm_*", OP_LIKE_FIRST},
    {"BatchNormalization", "", 15, "X:T, scale:T1, B:T1, input_mean:T2, input_var:T2 -> Y:T, running_mean:T2?, running_var:T2?",
     "T=float T1=float T2=float", "epsilon:float=1e-05 momentum:float=0.9 training_mode:int=0", shape_batchnorm,
     NULL, NULL, lower_batchnorm, "mean and variance of training taken out", "test_batchnorm_*", OP_LIKE_FIRST},
    {"LRN", "", 13, "X:T -> Y:T",
     "T=float", "alpha:float=0.0001 beta:float=0.75 bias:float=1.0 size:int", shape_lrn,
     NULL, NULL, lower_lrn, "divided by a power of the nearby channels", "test_lrn*", OP_LIKE_FIRST},
    {"LpNormalization", "", 22, "input:T -> output:T", "T=float", "axis:int=-1 p:int=2", shape_lpnorm,
     NULL, NULL, lower_lpnorm, "p-norm 1 along axis", "test_l*normalization_*", OP_LIKE_FIRST},
    {"MeanVarianceNormalization", "", 13, "X:T -> Y:T", "T=float", "axes:ints=[0,2,3]", shape_mvn,
     NULL, MVN, NULL, "mean 0, variance 1 over axes", "test_mvn*", OP_LIKE_FIRST},
    {0},
};
// clang-format on
