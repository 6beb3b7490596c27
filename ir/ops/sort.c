/* Operators that order elements: no loop nests, so they lower to a call of a routine
 * (runtime/routines.def). */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

static bool infer_topk(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0), *declared = infer_declared(n, 0);
    int len, axis;
    const int64_t *k = infer_ints(in, n, 1, &len);
    if (value_elements(n->in[1]) != 1)
        return infer_error(in, n, "input 'K' must have one element");
    if (!infer_axis(in, n, node_int(n, "axis"), x->rank, &axis))
        return false;
    if (!k && (!declared || declared->rank != x->rank))
        return infer_error(
            in, n, "input 'K' is not a constant and the shape of the result is not declared");
    int64_t count = k ? *k : declared->dims[axis];
    if (count < 0 || count > x->dims[axis])
        return infer_error(in, n, "input 'K' is %lld, dimension %d has extent %lld",
                           (long long)count, axis, (long long)x->dims[axis]);
    if (!k)
        infer_solve(in, n, 1, &count, 1);
    int64_t *dims = arena_copy(in->arena, x->dims, sizeof *dims * (size_t)x->rank);
    dims[axis] = count;
    return infer_set(in, n, 0, n->in[0]->dtype, x->rank, dims) &&
           infer_set(in, n, 1, DTYPE_I64, x->rank, dims);
}

/* The array of result k, or a temporary of its shape when nobody wants it: the routine writes
 * both. */
static int wanted_or_temp(struct lower *l, const struct node *n, int k, enum dtype t) {
    const struct value *y = n->out[node_has_out(n, k) ? k : 1 - k];
    return node_has_out(n, k) ? l_out(l, k) : l_temp(l, t, y->shape.rank, y->shape.dims);
}

static void lower_topk(struct lower *l, const struct node *n) {
    const struct shape *x = node_shape(n, 0);
    int axis = node_axis(n, x->rank), read = l_in(l, 0);
    int write[] = {wanted_or_temp(l, n, 0, n->in[0]->dtype),
                   wanted_or_temp(l, n, 1, DTYPE_I64)};
    int64_t outer, inner, k = l_dim(l, write[0], axis);
    if (!size_product(x->dims, axis, &outer) ||
        !size_product(x->dims + axis + 1, x->rank - axis - 1, &inner))
        bug("TopK: more elements than 2^63");
    int64_t params[] = {dtype_info(n->in[0]->dtype)->onnx, outer, x->dims[axis], inner, k,
                        node_int(n, "largest") != 0};
    build_call(l, "topk", &read, 1, write, 2, params, 6);
}

// clang-format off
const struct op ops_sort[] = {
    {.name = "TopK", .domain = "", .since = 24, .signature = "X:T, K:i64 -> Values:T, Indices:i64", .types = "T=num",
     .attrs = "axis:int=-1 largest:int=1 sorted:int=1", .infer = infer_topk, .lower = lower_topk,
     .doc = "the k largest or smallest along a dimension", .tests = "test_top_k*"},
    {0},
};
// clang-format on
