/* Operators that move elements and compute nothing: views (Reshape and its kin), permutations,
 * concatenation, slices, repetition, padding. Each is one affine statement per result or part,
 * so that the scheduler can compose it with its neighbours. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

/* ---- what the rules below share ---- */

/* Result 0 takes the declared shape because the operand that would tell is not a constant. The
 * lowering compares at run time. */
static bool infer_from_declared(struct infer *in, struct node *n, const char *operand) {
    const struct shape *declared = infer_declared(n, 0);
    if (!declared)
        return infer_error(
            in, n, "input '%s' is not a constant and the shape of the result is not declared",
            operand);
    return infer_set(in, n, 0, n->in[0]->dtype, declared->rank, declared->dims);
}

static bool infer_elements_kept(struct infer *in, const struct node *n) {
    int64_t from = value_elements(n->in[0]), to = value_elements(n->out[0]);
    if (from == to)
        return true;
    struct str a = {0}, b = {0};
    shape_print(&a, n->in[0]->dtype, &n->in[0]->shape);
    shape_print(&b, n->out[0]->dtype, &n->out[0]->shape);
    bool ok = infer_error(in, n, "%s has %lld elements, %s has %lld", str_cstr(&a),
                          (long long)from, str_cstr(&b), (long long)to);
    str_free(&a);
    str_free(&b);
    return ok;
}

static void lower_view(struct lower *l, const struct node *n) {
    build_view(l, n, 0, 0);
}

/* The iterators of s as indices with one replaced. */
static const struct expr **index_with(const struct nest *s, int d, const struct expr *e) {
    const struct expr **index = arena_array(s->l->arena, const struct expr *, s->iters.len);
    for (int k = 0; k < s->iters.len; k++)
        index[k] = k == d ? e : s->at[k];
    return index;
}

/* Element k (a value) of operand j, an integer vector known at run time only. */
static const struct expr *operand_element(struct lower *l, int j, const struct expr *k) {
    int a = l_in(l, j);
    return x_load(l, a, &k);
}

/* cond, of values known at run time only, must hold. */
static void require(struct lower *l, const struct expr *cond) {
    nest_require(nest_new(l), cond);
}

/* ---- Reshape, Flatten, Squeeze, Unsqueeze ---- */

/* The one -1 of `want` becomes what is left of `elements`. */
static bool reshape_infer_rest(struct infer *in, const struct node *n, int64_t elements,
                               int64_t *dims, int rank) {
    int64_t known = 1;
    int rest = -1;
    for (int d = 0; d < rank; d++) {
        if (dims[d] < -1)
            return infer_error(in, n, "input 'shape' holds %lld", (long long)dims[d]);
        if (dims[d] == -1 && rest >= 0)
            return infer_error(in, n, "input 'shape' holds -1 twice");
        if (dims[d] == -1)
            rest = d;
        else if (!size_mul(known, dims[d], &known))
            return infer_error(in, n, "input 'shape' asks for more elements than 2^63");
    }
    if (rest < 0)
        return true;
    if (known == 0 || elements % known != 0)
        return infer_error(in, n, "%lld elements do not divide into rows of %lld",
                           (long long)elements, (long long)known);
    dims[rest] = elements / known;
    return true;
}

static bool infer_reshape(struct infer *in, struct node *n) {
    const struct shape *x = &n->in[0]->shape;
    int rank;
    const int64_t *want = infer_ints(in, n, 1, &rank);
    if (!want)
        return infer_from_declared(in, n, "shape") && infer_elements_kept(in, n);
    int64_t *dims = arena_array(in->arena, int64_t, rank);
    for (int d = 0; d < rank; d++) {
        dims[d] = want[d];
        if (want[d] == 0 && !node_int(n, "allowzero")) {
            if (d >= x->rank)
                return infer_error(in, n,
                                   "input 'shape' copies dimension %d of a tensor of rank %d",
                                   d, x->rank);
            dims[d] = x->dims[d];
        }
    }
    return reshape_infer_rest(in, n, value_elements(n->in[0]), dims, rank) &&
           infer_set(in, n, 0, n->in[0]->dtype, rank, dims) && infer_elements_kept(in, n);
}

/* A shape known at run time only: each element is the declared extent, -1, or 0 where that
 * copies it. */
static void lower_reshape(struct lower *l, const struct node *n) {
    const struct shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
    for (int d = 0; !n->in[1]->data && d < y->rank; d++) {
        bool zero_copies = !node_int(n, "allowzero") && d < x->rank && x->dims[d] == y->dims[d];
        const struct expr *at[] = {operand_element(l, 1, x_int(l, d)),
                                   expr_int(l->arena, DTYPE_I64, y->dims[d])};
        const char *names[] = {"got", "want"};
        const char *text =
            zero_copies ? "got == want || got == -1 || got == 0" : "got == want || got == -1";
        require(l, build_expr(l, text, names, at, 2, DTYPE_I64));
    }
    build_view(l, n, 0, 0);
}

static bool infer_flatten(struct infer *in, struct node *n) {
    const struct shape *x = &n->in[0]->shape;
    int64_t axis = node_int(n, "axis"), dims[2] = {1, 1};
    if (axis < -x->rank || axis > x->rank)
        return infer_error(in, n, "axis %lld is outside [-%d, %d]", (long long)axis, x->rank,
                           x->rank);
    axis += axis < 0 ? x->rank : 0;
    return size_product(x->dims, (int)axis, &dims[0]) &&
           size_product(x->dims + axis, x->rank - (int)axis, &dims[1]) &&
           infer_set(in, n, 0, n->in[0]->dtype, 2, dims);
}

static bool infer_squeeze(struct infer *in, struct node *n) {
    const struct shape *x = &n->in[0]->shape;
    int len, rank = 0;
    const int64_t *axes = infer_ints(in, n, 1, &len);
    bool *drop = arena_array(in->arena, bool, x->rank);
    int64_t *dims = arena_array(in->arena, int64_t, x->rank);
    if (!axes && node_has_in(n, 1))
        return infer_from_declared(in, n, "axes") && infer_elements_kept(in, n);
    if (axes && !infer_axes(in, n, axes, len, x->rank, drop))
        return false;
    for (int d = 0; d < x->rank; d++) {
        if (drop[d] && x->dims[d] != 1)
            return infer_error(in, n, "dimension %d has extent %lld, expected 1", d,
                               (long long)x->dims[d]);
        if (axes ? !drop[d] : x->dims[d] != 1)
            dims[rank++] = x->dims[d];
    }
    return infer_set(in, n, 0, n->in[0]->dtype, rank, dims);
}

static bool infer_unsqueeze(struct infer *in, struct node *n) {
    const struct shape *x = &n->in[0]->shape;
    int len;
    const int64_t *axes = infer_ints(in, n, 1, &len);
    if (!axes)
        return infer_from_declared(in, n, "axes") && infer_elements_kept(in, n);
    int rank = x->rank + len, from = 0;
    if (rank > GRAPH_MAX_RANK)
        return infer_error(in, n, "result would have rank %d, at most %d is supported", rank,
                           GRAPH_MAX_RANK);
    bool *added = arena_array(in->arena, bool, rank);
    int64_t *dims = arena_array(in->arena, int64_t, rank);
    if (!infer_axes(in, n, axes, len, rank, added))
        return false;
    for (int d = 0; d < rank; d++)
        dims[d] = added[d] ? 1 : x->dims[from++];
    return infer_set(in, n, 0, n->in[0]->dtype, rank, dims);
}

/* Axes known at run time only: each must name a dimension of extent 1 of the longer shape
 * (operand j's or the result's). */
static void require_unit_axes(struct lower *l, const struct node *n,
                              const struct shape *longer) {
    if (!node_has_in(n, 1) || n->in[1]->data || longer->rank == 0)
        return;
    int table = l_const_index(l, longer->dims, longer->rank);
    for (int64_t k = 0; k < value_elements(n->in[1]); k++) {
        const struct expr *axis =
            x_check_index(l, operand_element(l, 1, x_int(l, k)), longer->rank);
        const struct expr *extent = x_load(l, table, &axis);
        require(l, expr_2(l->arena, FUNC_EQ, extent, expr_int(l->arena, DTYPE_I64, 1)));
    }
}

static void lower_squeeze(struct lower *l, const struct node *n) {
    require_unit_axes(l, n, &n->in[0]->shape);
    build_view(l, n, 0, 0);
}

static void lower_unsqueeze(struct lower *l, const struct node *n) {
    require_unit_axes(l, n, &n->out[0]->shape);
    build_view(l, n, 0, 0);
}

/* ---- Transpose ---- */

/* Dimension of the operand that dimension d of the result shows. */
static int transposed(const struct node *n, int d) {
    int len;
    const int64_t *perm = node_ints(n, "perm", &len);
    return perm ? (int)perm[d] : n->in[0]->shape.rank - 1 - d;
}

static bool infer_transpose(struct infer *in, struct node *n) {
    const struct shape *x = &n->in[0]->shape;
    int len;
    const int64_t *perm = node_ints(n, "perm", &len);
    bool *seen = arena_array(in->arena, bool, x->rank);
    int64_t *dims = arena_array(in->arena, int64_t, x->rank);
    if (perm && len != x->rank)
        return infer_error(in, n, "perm has %d entries, input 'data' has rank %d", len,
                           x->rank);
    for (int d = 0; d < x->rank; d++) {
        if (perm && (perm[d] < 0 || perm[d] >= x->rank || seen[perm[d]]))
            return infer_error(in, n, "perm is not a permutation of 0..%d", x->rank - 1);
        seen[transposed(n, d)] = true;
        dims[d] = x->dims[transposed(n, d)];
    }
    return infer_set(in, n, 0, n->in[0]->dtype, x->rank, dims);
}

static void lower_transpose(struct lower *l, const struct node *n) {
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr **from = arena_array(l->arena, const struct expr *, s->iters.len);
    for (int d = 0; d < s->iters.len; d++)
        from[transposed(n, d)] = s->at[d];
    nest_store(s, l_out(l, 0), s->at, x_load(l, l_in(l, 0), from));
}

/* ---- Concat, Split ---- */

static bool infer_concat(struct infer *in, struct node *n) {
    const struct shape *first = &n->in[0]->shape;
    int axis;
    if (!infer_axis(in, n, node_int(n, "axis"), first->rank, &axis))
        return false;
    int64_t *dims = arena_copy(in->arena, first->dims, sizeof *dims * (size_t)first->rank);
    for (int k = 1; k < n->num_in; k++) {
        const struct shape *x = &n->in[k]->shape;
        if (x->rank != first->rank)
            return infer_error(in, n, "input %d has rank %d, input 0 has %d", k, x->rank,
                               first->rank);
        for (int d = 0; d < x->rank; d++)
            if (d != axis && x->dims[d] != dims[d])
                return infer_error(in, n,
                                   "input %d has extent %lld in dimension %d, input 0 has %lld",
                                   k, (long long)x->dims[d], d, (long long)dims[d]);
        if (!size_add(dims[axis], x->dims[axis], &dims[axis]))
            return infer_error(in, n, "the result is larger than 2^63 elements");
    }
    return infer_set(in, n, 0, n->in[0]->dtype, first->rank, dims);
}

static void lower_concat(struct lower *l, const struct node *n) {
    int axis = node_axis(n, n->out[0]->shape.rank);
    int64_t at = 0;
    for (int k = 0; k < n->num_in; k++) {
        struct nest *s = nest_over(l, l_in(l, k));
        const struct expr **to = index_with(s, axis, x_addk(l, s->at[axis], at));
        nest_store(s, l_out(l, 0), to, x_load(l, l_in(l, k), s->at));
        at += n->in[k]->shape.dims[axis];
    }
}

/* Extents of the parts along the axis: operand `split`, or num_outputs (or as many as there are
 * results) equal parts, the last one smaller. */
static const int64_t *split_sizes(struct infer *in, struct node *n, int64_t extent) {
    int len;
    const int64_t *given = infer_ints(in, n, 1, &len);
    if (given && len != n->num_out)
        return infer_error(in, n, "input 'split' has %d entries, there are %d results", len,
                           n->num_out),
               NULL;
    if (given)
        return given;
    if (node_has_in(n, 1))
        return infer_error(in, n, "input 'split' is not a constant"), NULL;
    int64_t *sizes = arena_array(in->arena, int64_t, n->num_out);
    const struct attr *parts = node_attr(n, "num_outputs");
    if (parts && parts->i != n->num_out)
        return infer_error(in, n, "num_outputs is %lld, there are %d results",
                           (long long)parts->i, n->num_out),
               NULL;
    int64_t each = (extent + n->num_out - 1) / n->num_out, left = extent;
    for (int k = 0; k < n->num_out; k++) {
        sizes[k] = left < each ? left : each;
        left -= sizes[k];
    }
    return sizes;
}

static bool infer_split(struct infer *in, struct node *n) {
    const struct shape *x = &n->in[0]->shape;
    int axis;
    int64_t sum = 0;
    if (n->num_out == 0 || !infer_axis(in, n, node_int(n, "axis"), x->rank, &axis))
        return false;
    const int64_t *sizes = split_sizes(in, n, x->dims[axis]);
    int64_t *dims = arena_copy(in->arena, x->dims, sizeof *dims * (size_t)x->rank);
    for (int k = 0; sizes && k < n->num_out; k++) {
        if (!size_add(sum, sizes[k], &sum))
            return infer_error(in, n, "input 'split' holds %lld", (long long)sizes[k]);
        dims[axis] = sizes[k];
        if (!infer_set(in, n, k, n->in[0]->dtype, x->rank, dims))
            return false;
    }
    if (sizes && sum != x->dims[axis])
        return infer_error(in, n,
                           "the parts have %lld elements together, dimension %d has %lld",
                           (long long)sum, axis, (long long)x->dims[axis]);
    return sizes != NULL;
}

/* Extent of part k, which begins at `at`; a part that is not wanted has no shape. given:
 * operand `split`, or NULL for equal parts, of which the first is always there. */
static int64_t split_extent(const struct node *n, const int64_t *given, int k, int64_t at) {
    const struct shape *x = &n->in[0]->shape;
    int axis = node_axis(n, x->rank);
    if (n->out[k])
        return n->out[k]->shape.dims[axis];
    if (given)
        return given[k];
    int64_t each = n->out[0]->shape.dims[axis], left = x->dims[axis] - at;
    return left < each ? left : each;
}

static void lower_split(struct lower *l, const struct node *n) {
    int axis = node_axis(n, n->in[0]->shape.rank), len;
    const int64_t *given = node_has_in(n, 1) ? value_ints(l->arena, n->in[1], &len) : NULL;
    int64_t at = 0, extent;
    for (int k = 0; k < n->num_out; k++, at += extent) {
        extent = split_extent(n, given, k, at);
        if (!n->out[k])
            continue;
        struct nest *s = nest_over(l, l_out(l, k));
        const struct expr **from = index_with(s, axis, x_addk(l, s->at[axis], at));
        nest_store(s, l_out(l, k), s->at, x_load(l, l_in(l, 0), from));
    }
}

/* ---- Slice ---- */

struct slice {
    int64_t start, step, count;
};

/* One dimension as NumPy slices it: start and end clamped, step of either sign. */
static struct slice slice_clamp(int64_t start, int64_t end, int64_t step, int64_t extent) {
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
    start = start < 0 ? start + extent : start;
    end = end < -extent ? low
          : end < 0     ? end + extent
                        : end; // INT64_MIN + extent must not be read as a position
    start = start < low ? low : start > high ? high : start;
    end = end < low ? low : end > high ? high : end;
    int64_t span = step > 0 ? end - start : start - end,
            stride = step > 0 ? step : -(step + 1) + 1;
    if (stride <= 0) // step is INT64_MIN
        stride = INT64_MAX;
    return (struct slice){start, step, span > 0 ? (span - 1) / stride + 1 : 0};
}

/* Fills one slice per dimension of the operand from the constant operands; false after an
 * error. */
static bool slice_operands(struct infer *in, struct node *n, struct slice *out) {
    const struct shape *x = &n->in[0]->shape;
    int num, num_ends, num_axes, num_steps;
    const int64_t *starts = infer_ints(in, n, 1, &num), *ends = infer_ints(in, n, 2, &num_ends);
    const int64_t *axes = infer_ints(in, n, 3, &num_axes),
                  *steps = infer_ints(in, n, 4, &num_steps);
    bool *set = arena_array(in->arena, bool, x->rank);
    if (!starts || !ends || (!axes && node_has_in(n, 3)) || (!steps && node_has_in(n, 4)))
        return infer_error(in, n, "starts, ends, axes and steps must be constants");
    if (num_ends != num || (axes && num_axes != num) || (steps && num_steps != num) ||
        num > x->rank)
        return infer_error(
            in, n, "starts, ends, axes and steps must have one entry per sliced dimension");
    for (int d = 0; d < x->rank; d++)
        out[d] = (struct slice){0, 1, x->dims[d]};
    for (int k = 0; k < num; k++) {
        int d = k;
        int64_t step = steps ? steps[k] : 1;
        if (axes && !infer_axis(in, n, axes[k], x->rank, &d))
            return false;
        if (step == 0 || set[d])
            return infer_error(in, n, step == 0 ? "step 0" : "axis %d is listed twice", d);
        set[d] = true;
        out[d] = slice_clamp(starts[k], ends[k], step, x->dims[d]);
    }
    return true;
}

static bool infer_slice(struct infer *in, struct node *n) {
    const struct shape *x = &n->in[0]->shape;
    struct slice *s = arena_array(in->arena, struct slice, x->rank);
    int64_t *dims = arena_array(in->arena, int64_t, x->rank);
    if (!slice_operands(in, n, s))
        return false;
    for (int d = 0; d < x->rank; d++)
        dims[d] = s[d].count;
    return infer_set(in, n, 0, n->in[0]->dtype, x->rank, dims);
}

static void lower_slice(struct lower *l, const struct node *n) {
    struct infer in = {.arena = l->arena, .diag = l->diag};
    struct slice *cut = arena_array(l->arena, struct slice, n->in[0]->shape.rank);
    if (!slice_operands(&in, (struct node *)n, cut))
        bug("Slice: operands were checked by infer");
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr **from = arena_array(l->arena, const struct expr *, s->iters.len);
    for (int d = 0; d < s->iters.len; d++)
        from[d] = cut[d].count <= 1
                      ? x_addk(l, s->at[d], cut[d].start) // a step of any size is not taken
                      : x_addk(l, x_mul(l, s->at[d], cut[d].step), cut[d].start);
    nest_store(s, l_out(l, 0), s->at, x_load(l, l_in(l, 0), from));
}

/* ---- Expand, Tile ---- */

static bool infer_expand(struct infer *in, struct node *n) {
    int len;
    const int64_t *want = infer_ints(in, n, 1, &len);
    if (!want)
        return infer_from_declared(in, n, "shape");
    for (int d = 0; d < len; d++)
        if (want[d] < 0)
            return infer_error(in, n, "input 'shape' holds %lld", (long long)want[d]);
    struct shape target = {len, arena_copy(in->arena, want, sizeof *want * (size_t)len)}, out;
    const struct shape *both[] = {&n->in[0]->shape, &target};
    return infer_broadcast(in, n, both, 2, &out) &&
           infer_set(in, n, 0, n->in[0]->dtype, out.rank, out.dims);
}

/* A shape known at run time only: aligned at the last dimension, each element is the declared
 * extent, or 1 where the operand has it. */
static void lower_expand(struct lower *l, const struct node *n) {
    const struct shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
    int64_t len = n->in[1]->data ? 0 : value_elements(n->in[1]);
    for (int64_t k = 0; k < len; k++) {
        int64_t d = k + y->rank - len, dx = d - (y->rank - x->rank);
        bool one = d >= 0 && dx >= 0 && x->dims[dx] == y->dims[d];
        const struct expr *at[] = {operand_element(l, 1, x_int(l, k)),
                                   expr_int(l->arena, DTYPE_I64, d >= 0 ? y->dims[d] : 1)};
        const char *names[] = {"got", "want"};
        require(l, build_expr(l, one ? "got == want || got == 1" : "got == want", names, at, 2,
                              DTYPE_I64));
    }
    struct nest *s = nest_over(l, l_out(l, 0));
    nest_store(s, l_out(l, 0), s->at, x_broadcast(l, l_in(l, 0), s->at, s->iters.len));
}

static bool infer_tile(struct infer *in, struct node *n) {
    const struct shape *x = &n->in[0]->shape;
    int len;
    const int64_t *repeats = infer_ints(in, n, 1, &len);
    if (!repeats)
        return infer_from_declared(in, n, "repeats");
    if (len != x->rank)
        return infer_error(in, n, "input 'repeats' has %d entries, input 'input' has rank %d",
                           len, x->rank);
    int64_t *dims = arena_array(in->arena, int64_t, x->rank);
    for (int d = 0; d < x->rank; d++)
        if (!size_mul(x->dims[d], repeats[d], &dims[d]))
            return infer_error(in, n, "repeat %lld of dimension %d", (long long)repeats[d], d);
    return infer_set(in, n, 0, n->in[0]->dtype, x->rank, dims);
}

static void lower_tile(struct lower *l, const struct node *n) {
    const struct shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr **from = arena_array(l->arena, const struct expr *, x->rank);
    for (int d = 0; d < x->rank; d++) {
        const struct expr *want =
            expr_int(l->arena, DTYPE_I64, x->dims[d] ? y->dims[d] / x->dims[d] : 1);
        if (!n->in[1]->data)
            require(l, expr_2(l->arena, FUNC_EQ, operand_element(l, 1, x_int(l, d)), want));
        from[d] = x->dims[d] == y->dims[d] ? s->at[d]
                  : x->dims[d] == 1        ? x_int(l, 0)
                                           : x_mod(l, s->at[d], x->dims[d]);
    }
    nest_store(s, l_out(l, 0), s->at, x_load(l, l_in(l, 0), from));
}

/* ---- DepthToSpace, SpaceToDepth ---- */

static bool infer_blocks(struct infer *in, struct node *n, bool to_space) {
    const struct shape *x = &n->in[0]->shape;
    int64_t b = node_int(n, "blocksize");
    if (!infer_rank(in, n, 0, 4))
        return false;
    if (b <= 0 || b > INT32_MAX)
        return infer_error(in, n, "blocksize %lld", (long long)b);
    int64_t dims[4] = {x->dims[0], x->dims[1], x->dims[2], x->dims[3]},
            *split[3] = {&dims[1], &dims[2], &dims[3]};
    for (int d = 0; d < 3; d++) {
        bool divided = to_space == (d == 0);
        int64_t by = d == 0 ? b * b : b;
        if (divided && *split[d] % by)
            return infer_error(in, n, "dimension %d has extent %lld, not a multiple of %lld",
                               d + 1, (long long)*split[d], (long long)by);
        if (divided)
            *split[d] /= by;
        else if (!size_mul(*split[d], by, split[d]))
            return infer_error(in, n, "the result is larger than 2^63 elements");
    }
    return infer_set(in, n, 0, n->in[0]->dtype, 4, dims);
}

static bool infer_depth_to_space(struct infer *in, struct node *n) {
    return infer_blocks(in, n, true);
}

static bool infer_space_to_depth(struct infer *in, struct node *n) {
    return infer_blocks(in, n, false);
}

/* The one statement of both: over the deep tensor's indices (n, channel, y, x) with the block
 * position inside the channel: DCR counts (block y, block x, channel), CRD (channel, block y,
 * block x). */
static void lower_blocks(struct lower *l, const struct node *n, bool to_space) {
    int64_t b = node_int(n, "blocksize");
    bool dcr = strcmp(node_string(n, "mode"), "DCR") == 0;
    const struct shape *wide = to_space ? &n->out[0]->shape : &n->in[0]->shape;
    struct nest *s = nest_over(l, l_out(l, 0));
    struct lower *m = l;
    int64_t channels = wide->dims[1];
    const struct expr *deep[4], *flat[4], **at = s->at;
    if (to_space) { // result is wide: its y = deep y * b + block y
        const struct expr *by = x_mod(m, at[2], b), *bx = x_mod(m, at[3], b);
        const struct expr *block = x_add(m, x_mul(m, by, b), bx);
        deep[0] = at[0], deep[2] = x_div(m, at[2], b), deep[3] = x_div(m, at[3], b);
        deep[1] = dcr ? x_add(m, x_mul(m, block, channels), at[1])
                      : x_add(m, x_mul(m, at[1], b * b), block);
        nest_store(s, l_out(l, 0), at, x_load(l, l_in(l, 0), deep));
        return;
    }
    const struct expr *block = dcr ? x_div(m, at[1], channels) : x_mod(m, at[1], b * b);
    flat[0] = at[0], flat[1] = dcr ? x_mod(m, at[1], channels) : x_div(m, at[1], b * b);
    flat[2] = x_add(m, x_mul(m, at[2], b), x_div(m, block, b));
    flat[3] = x_add(m, x_mul(m, at[3], b), x_mod(m, block, b));
    nest_store(s, l_out(l, 0), at, x_load(l, l_in(l, 0), flat));
}

static void lower_depth_to_space(struct lower *l, const struct node *n) {
    lower_blocks(l, n, true);
}

static void lower_space_to_depth(struct lower *l, const struct node *n) {
    lower_blocks(l, n, false);
}

/* ---- rows ---- */

// clang-format off
const struct op ops_move[] = {
    {.name = "Reshape", .domain = "", .since = 25, .signature = "data:T, shape:i64 -> reshaped:T", .types = "T=all",
     .attrs = "allowzero:int=0", .infer = infer_reshape, .lower = lower_reshape,
     .doc = "the same elements under another shape", .tests = "test_reshape_*"},
    {.name = "Flatten", .domain = "", .since = 25, .signature = "input:T -> output:T", .types = "T=all",
     .attrs = "axis:int=1", .infer = infer_flatten, .lower = lower_view,
     .doc = "the same elements as a matrix", .tests = "test_flatten_*"},
    {.name = "Squeeze", .domain = "", .since = 25, .signature = "data:T, axes:i64? -> squeezed:T", .types = "T=all",
     .attrs = "", .infer = infer_squeeze, .lower = lower_squeeze,
     .doc = "drops dimensions of extent 1", .tests = "test_squeeze*"},
    {.name = "Unsqueeze", .domain = "", .since = 25, .signature = "data:T, axes:i64 -> expanded:T", .types = "T=all",
     .attrs = "", .infer = infer_unsqueeze, .lower = lower_unsqueeze,
     .doc = "adds dimensions of extent 1", .tests = "test_unsqueeze_*"},
    {.name = "Transpose", .domain = "", .since = 25, .signature = "data:T -> transposed:T", .types = "T=all",
     .attrs = "perm:ints?", .infer = infer_transpose, .lower = lower_transpose,
     .doc = "permutes dimensions", .tests = "test_transpose_*"},
    {.name = "Concat", .domain = "", .since = 13, .signature = "inputs:T... -> concat_result:T", .types = "T=all",
     .attrs = "axis:int", .infer = infer_concat, .lower = lower_concat,
     .doc = "joins tensors along one dimension", .tests = "test_concat_*"},
    {.name = "Split", .domain = "", .since = 18, .signature = "input:T, split:i64? -> outputs:T...", .types = "T=all",
     .attrs = "axis:int=0 num_outputs:int?", .infer = infer_split, .lower = lower_split,
     .doc = "parts a tensor along one dimension", .tests = "test_split_*"},
    {.name = "Slice", .domain = "", .since = 13,
     .signature = "data:T, starts:I, ends:I, axes:I?, steps:I? -> output:T", .types = "T=all I=i32|i64",
     .attrs = "", .infer = infer_slice, .lower = lower_slice,
     .doc = "every step-th element between start and end", .tests = "test_slice*"},
    {.name = "Expand", .domain = "", .since = 13, .signature = "input:T, shape:i64 -> output:T", .types = "T=all",
     .attrs = "", .infer = infer_expand, .lower = lower_expand,
     .doc = "repeats dimensions of extent 1", .tests = "test_expand_*"},
    {.name = "Tile", .domain = "", .since = 13, .signature = "input:T, repeats:i64 -> output:T", .types = "T=all",
     .attrs = "", .infer = infer_tile, .lower = lower_tile,
     .doc = "repeats the whole tensor", .tests = "test_tile*"},
    {.name = "DepthToSpace", .domain = "", .since = 28, .signature = "input:T -> output:T", .types = "T=all",
     .attrs = "blocksize:int mode:string=DCR", .infer = infer_depth_to_space, .lower = lower_depth_to_space,
     .doc = "channels to blocks of pixels", .tests = "test_depthtospace_*"},
    {.name = "SpaceToDepth", .domain = "", .since = 28, .signature = "input:T -> output:T", .types = "T=all",
     .attrs = "blocksize:int mode:string=DCR", .infer = infer_space_to_depth, .lower = lower_space_to_depth,
     .doc = "blocks of pixels to channels", .tests = "test_spacetodepth*"},
    {0},
};
// clang-format on
