/* Products of matrices: one statement over the result's dimensions with a sum over the shared
 * one. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

/* ---- shapes ---- */

static bool same_depth(struct infer *in, const struct node *n, int64_t depth, int d) {
    const struct shape *a = node_shape(n, 0), *b = node_shape(n, 1);
    return b->dims[d] == depth ||
           infer_error(in, n,
                       "input '%s' has shape %s, expected %lld in dimension %d (input '%s' has "
                       "shape %s)",
                       infer_operand_name(in, n, 1), infer_shape_text(in, b->rank, b->dims),
                       (long long)depth, d, infer_operand_name(in, n, 0),
                       infer_shape_text(in, a->rank, a->dims));
}

/* The dimensions before the last two, broadcast: their number, or -1 when they do not fit. */
static int batch_dims(const struct shape *a, const struct shape *b, int64_t *dims) {
    int na = a->rank > 2 ? a->rank - 2 : 0, nb = b->rank > 2 ? b->rank - 2 : 0,
        rank = na > nb ? na : nb;
    for (int d = 0; d < rank; d++) {
        int64_t x = d < rank - na ? 1 : a->dims[d - (rank - na)],
                y = d < rank - nb ? 1 : b->dims[d - (rank - nb)];
        if (x != y && x != 1 && y != 1)
            return -1;
        dims[d] = x != 1 ? x : y;
    }
    return rank;
}

/* NumPy's matmul: a vector is a row on the left, a column on the right; dimensions before the
 * last two broadcast. */
static bool shape_matmul(struct infer *in, struct node *n) {
    const struct shape *a = node_shape(n, 0), *b = node_shape(n, 1);
    int64_t dims[GRAPH_MAX_RANK + 2];
    for (int k = 0; k < 2; k++)
        if (node_shape(n, k)->rank == 0)
            return infer_error(in, n, "input '%s' is a scalar, expected a vector or matrix",
                               infer_operand_name(in, n, k));
    if (!same_depth(in, n, a->dims[a->rank - 1], b->rank == 1 ? 0 : b->rank - 2))
        return false;
    int rank = batch_dims(a, b, dims);
    if (rank < 0)
        return infer_error(in, n,
                           "input '%s' has shape %s, which before its last two dimensions does "
                           "not broadcast with %s",
                           infer_operand_name(in, n, 1), infer_shape_text(in, b->rank, b->dims),
                           infer_shape_text(in, a->rank, a->dims));
    if (a->rank > 1)
        dims[rank++] = a->dims[a->rank - 2];
    if (b->rank > 1)
        dims[rank++] = b->dims[b->rank - 1];
    return infer_set(in, n, 0, infer_result_type(n, 0), rank, dims);
}

/* A zero point: one value, one per row of A (column of B), or a tensor of A's (B's) rank with 1
 * along the shared dimension. */
static bool shape_zero_point(struct infer *in, struct node *n, int k, int shared) {
    const struct shape *x = node_shape(n, k - 2), *z = node_shape(n, k);
    int lane = x->rank - 1 + (shared == x->rank - 1 ? -1 : 0);
    int64_t dims[GRAPH_MAX_RANK];
    if (value_elements(n->in[k]) == 1)
        return true;
    if (z->rank == 1 && x->rank > 1)
        return infer_dims(in, n, k, 1, &x->dims[lane]);
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    dims[shared] = 1;
    return infer_dims(in, n, k, x->rank, dims);
}

static bool shape_matmulinteger(struct infer *in, struct node *n) {
    int a = node_shape(n, 0)->rank, b = node_shape(n, 1)->rank;
    return shape_matmul(in, n) && (!node_has_in(n, 2) || shape_zero_point(in, n, 2, a - 1)) &&
           (!node_has_in(n, 3) || shape_zero_point(in, n, 3, b == 1 ? 0 : b - 2));
}

static bool is_whole(double v) {
    return v == (double)(int64_t)v;
}

static bool shape_gemm(struct infer *in, struct node *n) {
    if (!infer_rank(in, n, 0, 2) || !infer_rank(in, n, 1, 2))
        return false;
    int ta = node_int(n, "transA") != 0, tb = node_int(n, "transB") != 0;
    const struct shape *a = node_shape(n, 0), *b = node_shape(n, 1);
    int64_t dims[2] = {a->dims[ta], b->dims[!tb]};
    const struct shape out = {2, dims};
    if (!same_depth(in, n, a->dims[!ta], tb) ||
        (node_has_in(n, 2) && !infer_broadcasts_to(in, n, 2, &out)))
        return false;
    if (!dtype_is_float(n->in[0]->dtype) &&
        (!is_whole(node_float(n, "alpha")) || !is_whole(node_float(n, "beta"))))
        return infer_error(in, n,
                           "attributes 'alpha' and 'beta' must be whole numbers for integers");
    return infer_set(in, n, 0, n->in[0]->dtype, 2, dims);
}

/* ---- lowering ---- */

/* One side of a product: its array, the iterator of its own dimension (row or column; NULL of a
 * vector), and where an element is read. */
struct factor {
    int array, rank;
    bool left;
    const struct expr *lane, *index[GRAPH_MAX_RANK];
};

/* The nest's iterators are `batch` dimensions, then row and column as far as there are. */
static void place_factor(struct nest *s, struct factor *f, int batch,
                         const struct expr *shared) {
    struct lower *l = s->l;
    int rank = f->rank = l_rank(l, f->array);
    for (int d = 0; d < rank - 2; d++)
        f->index[d] = l_dim(l, f->array, d) == 1 ? x_int(l, 0) : s->at[batch - (rank - 2) + d];
    if (rank > 1)
        f->index[f->left ? rank - 2 : rank - 1] = f->lane;
    f->index[rank == 1 || f->left ? rank - 1 : rank - 2] = shared;
}

/* The element less zero point operand k (one value, one per lane, or a tensor), in i32. */
static const struct expr *less_zero(struct lower *l, const struct factor *f, int k) {
    const struct expr *at[GRAPH_MAX_RANK];
    const struct expr *wide = expr_cast(l->arena, DTYPE_I32, x_load(l, f->array, f->index));
    if (!node_has_in(l->node, k))
        return wide;
    int zero = l_in(l, k);
    bool per_lane = l_rank(l, zero) == 1 && f->rank > 1 && l_dim(l, zero, 0) > 1;
    for (int d = 0; d < l_rank(l, zero); d++)
        at[d] = per_lane ? f->lane : l_dim(l, zero, d) == 1 ? x_int(l, 0) : f->index[d];
    return expr_2(l->arena, FUNC_SUB, wide,
                  expr_cast(l->arena, DTYPE_I32, x_load(l, zero, at)));
}

static void product(struct lower *l, bool integer) {
    struct factor a = {.array = l_in(l, 0), .left = true}, b = {.array = l_in(l, 1)};
    int ra = l_rank(l, a.array), rb = l_rank(l, b.array);
    struct nest *s = nest_over(l, l_out(l, 0));
    int batch = s->iters.len - (ra > 1) - (rb > 1);
    a.lane = ra > 1 ? s->at[batch] : NULL;
    b.lane = rb > 1 ? s->at[s->iters.len - 1] : NULL;
    const struct expr *k = nest_reduce_iter(s, l_dim(l, a.array, ra - 1));
    place_factor(s, &a, batch, k);
    place_factor(s, &b, batch, k);
    const struct expr *x = integer ? less_zero(l, &a, 2) : x_load(l, a.array, a.index);
    const struct expr *y = integer ? less_zero(l, &b, 3) : x_load(l, b.array, b.index);
    nest_store(s, l_out(l, 0), s->at,
               nest_reduce(s, FUNC_ADD, expr_2(l->arena, FUNC_MUL, x, y)));
}

static void lower_matmul(struct lower *l, const struct node *n) {
    (void)n;
    product(l, false);
}

static void lower_matmulinteger(struct lower *l, const struct node *n) {
    (void)n;
    product(l, true);
}

/* factor * e; a factor of 1 adds nothing. */
static const struct expr *scaled(struct lower *l, double factor, const struct expr *e) {
    const struct expr *f = dtype_is_float(e->dtype)
                               ? expr_float(l->arena, e->dtype, factor)
                               : expr_int(l->arena, e->dtype, (int64_t)factor);
    return factor == 1.0 ? e : expr_2(l->arena, FUNC_MUL, f, e);
}

static void lower_gemm(struct lower *l, const struct node *n) {
    struct nest *s = nest_over(l, l_out(l, 0));
    int a = l_in(l, 0), b = l_in(l, 1), ta = node_int(n, "transA") != 0,
        tb = node_int(n, "transB") != 0;
    const struct expr *k = nest_reduce_iter(s, l_dim(l, a, !ta)), *ia[2], *ib[2];
    ia[ta] = s->at[0];
    ia[!ta] = k;
    ib[tb] = k;
    ib[!tb] = s->at[1];
    const struct expr *sum = nest_reduce(
        s, FUNC_ADD, expr_2(l->arena, FUNC_MUL, x_load(l, a, ia), x_load(l, b, ib)));
    const struct expr *y = scaled(l, node_float(n, "alpha"), sum);
    if (node_has_in(n, 2) && node_float(n, "beta") != 0.0)
        y = expr_2(l->arena, FUNC_ADD, y,
                   scaled(l, node_float(n, "beta"), x_broadcast(l, l_in(l, 2), s->at, 2)));
    nest_store(s, l_out(l, 0), s->at, y);
}

// clang-format off
const struct op ops_matmul[] = {
//   operator, domain, since, signature, types, attributes, shape rule,
//   expression, body, lowering function, what it does, node tests, flags
    {"MatMul", "", 13, "A:T, B:T -> Y:T", "T=float|i32|i64|u32|u64", "", shape_matmul,
     NULL, NULL, lower_matmul, "product of matrices, batches broadcast", "test_matmul_*", 0},
    {"Gemm", "", 13, "A:T, B:T, C:T? -> Y:T",
     "T=float|i32|i64|u32|u64", "alpha:float=1.0 beta:float=1.0 transA:int=0 transB:int=0", shape_gemm,
     NULL, NULL, lower_gemm, "alpha A B + beta C", "test_gemm_*", 0},
    {"MatMulInteger", "", 10, "A:T1, B:T2, a_zero_point:T1?, b_zero_point:T2? -> Y:T3",
     "T1=i8|u8 T2=i8|u8 T3=i32", "", shape_matmulinteger,
     NULL, NULL, lower_matmulinteger, "product of 8-bit matrices in i32", "test_matmulinteger*", 0},
    {0},
};
// clang-format on
