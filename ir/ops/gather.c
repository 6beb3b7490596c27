/* Operators that pick or place elements by index tensors. Picking is one statement whose index
 * goes through check(); placing is turned around: every element of the result asks which
 * update, if any, hits it, so that each element is written once. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

static const struct expr **expr_list(struct lower *l, int n) {
    return arena_array(l->arena, const struct expr *, n);
}

static const struct expr *int_value(struct lower *l, int64_t v) {
    return expr_int(l->arena, DTYPE_I64, v);
}

static const struct expr *as_value(struct lower *l, const struct expr *index) {
    return expr_cast(l->arena, DTYPE_I64, index);
}

/* ---- Gather, GatherElements, GatherND ---- */

/* Picking from a dimension without elements has no meaning, unless nothing is picked. */
static bool infer_pickable(struct infer *in, const struct node *n, int axis) {
    if (node_shape(n, 0)->dims[axis] > 0 || value_elements(n->in[1]) == 0)
        return true;
    return infer_error(in, n, "dimension %d of input 'data' is empty: no index is valid", axis);
}

static bool infer_gather(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0), *i = node_shape(n, 1);
    int axis, rank = x->rank + i->rank - 1;
    if (!infer_axis(in, n, node_int(n, "axis"), x->rank, &axis) || !infer_pickable(in, n, axis))
        return false;
    if (rank > GRAPH_MAX_RANK)
        return infer_error(in, n, "result would have rank %d, at most %d is supported", rank,
                           GRAPH_MAX_RANK);
    int64_t *dims = arena_array(in->arena, int64_t, rank);
    for (int d = 0; d < rank; d++)
        dims[d] = d < axis             ? x->dims[d]
                  : d < axis + i->rank ? i->dims[d - axis]
                                       : x->dims[d - i->rank + 1];
    return infer_set(in, n, 0, n->in[0]->dtype, rank, dims);
}

static void lower_gather(struct lower *l, const struct node *n) {
    const struct shape *x = node_shape(n, 0);
    int q = node_shape(n, 1)->rank, axis = node_axis(n, x->rank);
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr **from = expr_list(l, x->rank);
    for (int d = 0; d < x->rank; d++)
        from[d] = d < axis ? s->at[d] : d > axis ? s->at[d + q - 1] : NULL;
    from[axis] = x_check_index(l, x_load(l, l_in(l, 1), s->at + axis), x->dims[axis]);
    nest_store(s, l_out(l, 0), s->at, x_load(l, l_in(l, 0), from));
}

static bool infer_gather_elements(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0), *i = node_shape(n, 1);
    int axis;
    if (!infer_axis(in, n, node_int(n, "axis"), x->rank, &axis) ||
        !infer_rank(in, n, 1, x->rank) || !infer_pickable(in, n, axis))
        return false;
    for (int d = 0; d < x->rank; d++)
        if (d != axis && i->dims[d] > x->dims[d])
            return infer_error(
                in, n, "input 'indices' has extent %lld in dimension %d, at most %lld expected",
                (long long)i->dims[d], d, (long long)x->dims[d]);
    return infer_set(in, n, 0, n->in[0]->dtype, i->rank, i->dims);
}

static void lower_gather_elements(struct lower *l, const struct node *n) {
    const struct shape *x = node_shape(n, 0);
    int axis = node_axis(n, x->rank);
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr **from = expr_list(l, x->rank);
    for (int d = 0; d < x->rank; d++)
        from[d] = s->at[d];
    from[axis] = x_check_index(l, x_load(l, l_in(l, 1), s->at), x->dims[axis]);
    nest_store(s, l_out(l, 0), s->at, x_load(l, l_in(l, 0), from));
}

static bool infer_gather_nd(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0), *i = node_shape(n, 1);
    int64_t batch = node_int(n, "batch_dims"), m = i->rank ? i->dims[i->rank - 1] : 0;
    if (i->rank == 0 || batch < 0 || batch >= i->rank || batch > x->rank)
        return infer_error(in, n, "batch_dims %lld does not fit ranks %d and %d",
                           (long long)batch, x->rank, i->rank);
    if (m > x->rank - batch)
        return infer_error(in, n, "input 'indices' addresses %lld dimensions, %lld are left",
                           (long long)m, (long long)(x->rank - batch));
    for (int d = 0; d < batch; d++)
        if (x->dims[d] != i->dims[d])
            return infer_error(in, n, "batch dimension %d has extents %lld and %lld", d,
                               (long long)x->dims[d], (long long)i->dims[d]);
    for (int d = 0; d < m; d++)
        if (!infer_pickable(in, n, (int)batch + d))
            return false;
    int lead = i->rank - 1, skip = (int)(batch + m), rank = lead + x->rank - skip;
    if (rank > GRAPH_MAX_RANK)
        return infer_error(in, n, "result would have rank %d, at most %d is supported", rank,
                           GRAPH_MAX_RANK);
    int64_t *dims = arena_array(in->arena, int64_t, rank);
    for (int d = 0; d < rank; d++)
        dims[d] = d < lead ? i->dims[d] : x->dims[d - lead + skip];
    return infer_set(in, n, 0, n->in[0]->dtype, rank, dims);
}

/* indices[at…, k], k constant: the last dimension of an index tensor holds coordinates. */
static const struct expr *coordinate(struct lower *l, int indices, const struct expr *const *at,
                                     int k) {
    int rank = l_rank(l, indices);
    const struct expr **index = expr_list(l, rank);
    for (int d = 0; d < rank - 1; d++)
        index[d] = at[d];
    index[rank - 1] = x_int(l, k);
    return x_load(l, indices, index);
}

static void lower_gather_nd(struct lower *l, const struct node *n) {
    const struct shape *x = node_shape(n, 0), *i = node_shape(n, 1);
    int batch = (int)node_int(n, "batch_dims"), lead = i->rank - 1, m = (int)i->dims[lead];
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr **from = expr_list(l, x->rank);
    for (int d = 0; d < x->rank; d++) {
        bool addressed = d >= batch && d < batch + m;
        from[d] = d < batch   ? s->at[d]
                  : addressed ? x_check_index(l, coordinate(l, l_in(l, 1), s->at, d - batch),
                                              x->dims[d])
                              : s->at[d - batch - m + lead];
    }
    nest_store(s, l_out(l, 0), s->at, x_load(l, l_in(l, 0), from));
}

/* ---- ScatterElements, ScatterND ---- */

/* The monoid of attribute reduction; FUNC_COUNT for "none" (the last update wins). */
static enum func scatter_monoid(const struct node *n) {
    return func_monoid_from_name(node_string(n, "reduction"),
                                 strlen(node_string(n, "reduction")));
}

static bool infer_scatter_reduction(struct infer *in, const struct node *n) {
    const char *r = node_string(n, "reduction");
    if (strcmp(r, "none") != 0 && scatter_monoid(n) == FUNC_COUNT)
        return infer_error(in, n, "reduction '%s' is not supported", r);
    if (strcmp(r, "none") != 0 && n->in[0]->dtype == DTYPE_BOOL)
        return infer_error(in, n, "reduction '%s' of bool", r);
    return true;
}

static bool infer_scatter_elements(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0), *i = node_shape(n, 1), *u = node_shape(n, 2);
    int axis;
    if (!infer_axis(in, n, node_int(n, "axis"), x->rank, &axis) ||
        !infer_rank(in, n, 1, x->rank) || !infer_scatter_reduction(in, n))
        return false;
    if (!shape_equal(i, u))
        return infer_error(in, n, "inputs 'indices' and 'updates' have different shapes");
    for (int d = 0; d < x->rank; d++)
        if (d != axis && i->dims[d] > x->dims[d])
            return infer_error(
                in, n, "input 'indices' has extent %lld in dimension %d, at most %lld expected",
                (long long)i->dims[d], d, (long long)x->dims[d]);
    return infer_set(in, n, 0, n->in[0]->dtype, x->rank, x->dims);
}

/* What one element of the result asks of the updates: over the iterators of `s`, does update
 * `number` (a value below `updates`) hit it (`hit`, a bool), and what would it bring (`value`)?
 * All may be evaluated only inside `bounds`. */
struct scatter {
    struct nest *s;
    const struct expr *hit, *number, *value;
    const struct expr **bounds;
    int num_bounds;
};

static const struct expr *scatter_choice(struct lower *l, const struct scatter *q,
                                         const struct expr *yes, const struct expr *no) {
    const struct expr *e = expr_3(l->arena, FUNC_SELECT, q->hit, yes, no);
    return q->num_bounds ? expr_guard(l->arena, e, no, q->bounds, q->num_bounds) : e;
}

/* y = data joined with the reduction of the updates that hit it. */
static void scatter_reduce(struct lower *l, const struct scatter *q, enum func monoid) {
    struct nest *s = q->s;
    enum dtype t = l_type(l, l_in(l, 0));
    const struct expr *none = expr_const(l->arena, t, func_identity(monoid, t));
    const struct expr *all = nest_reduce(s, monoid, scatter_choice(l, q, q->value, none));
    nest_store(s, l_out(l, 0), s->at,
               expr_2(l->arena, monoid, x_load(l, l_in(l, 0), s->at), all));
}

/* The number of the last update that hits each element of an array of shape dims [rank], or -1:
 * a temporary. */
static int scatter_last(struct lower *l, const struct scatter *q, int rank,
                        const int64_t *dims) {
    int last = l_temp(l, DTYPE_I64, rank, dims);
    const struct expr *hit = scatter_choice(l, q, q->number, int_value(l, -1));
    nest_store(q->s, last, q->s->at, nest_reduce(q->s, FUNC_MAX, hit));
    return last;
}

static void lower_scatter_elements(struct lower *l, const struct node *n) {
    const struct shape *x = node_shape(n, 0), *i = node_shape(n, 1);
    int axis = node_axis(n, x->rank);
    if (value_elements(n->in[1]) == 0 || value_elements(n->in[0]) == 0) {
        build_copy(l, l_out(l, 0), l_in(l, 0));
        return;
    }
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *u = nest_reduce_iter(s, i->dims[axis]), **at = expr_list(l, x->rank);
    struct scatter q = {.s = s, .bounds = expr_list(l, 3 * x->rank), .number = as_value(l, u)};
    for (int d = 0; d < x->rank; d++) {
        at[d] = d == axis ? u : s->at[d];
        if (d != axis && i->dims[d] < x->dims[d]) {
            const struct expr **b = q.bounds + 3 * q.num_bounds++;
            b[0] = s->at[d], b[1] = x_int(l, 0), b[2] = x_int(l, i->dims[d]);
        }
    }
    q.hit = expr_2(l->arena, FUNC_EQ,
                   x_check_index(l, x_load(l, l_in(l, 1), at), x->dims[axis]), s->at[axis]);
    q.value = x_load(l, l_in(l, 2), at);
    if (scatter_monoid(n) != FUNC_COUNT) {
        scatter_reduce(l, &q, scatter_monoid(n));
        return;
    }
    int last = scatter_last(l, &q, x->rank, x->dims);
    struct nest *pick = nest_over(l, l_out(l, 0));
    const struct expr *number = x_load(l, last, pick->at), **from = expr_list(l, x->rank);
    for (int d = 0; d < x->rank; d++)
        from[d] =
            d == axis || i->dims[d] < x->dims[d]
                ? x_clamp(l, d == axis ? number : as_value(l, pick->at[d]), 0, i->dims[d] - 1)
                : pick->at[d];
    const struct expr *none = expr_2(l->arena, FUNC_LT, number, int_value(l, 0));
    nest_store(pick, l_out(l, 0), pick->at,
               expr_3(l->arena, FUNC_SELECT, none, x_load(l, l_in(l, 0), pick->at),
                      x_load(l, l_in(l, 2), from)));
}

static bool infer_scatter_nd(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0), *i = node_shape(n, 1), *u = node_shape(n, 2);
    if (i->rank == 0 || i->dims[i->rank - 1] > x->rank)
        return infer_error(in, n,
                           "input 'indices' addresses more dimensions than input 'data' has");
    int lead = i->rank - 1, m = (int)i->dims[lead];
    if (!infer_rank(in, n, 2, lead + x->rank - m) || !infer_scatter_reduction(in, n))
        return false;
    for (int d = 0; d < u->rank; d++) {
        int64_t want = d < lead ? i->dims[d] : x->dims[d - lead + m];
        if (u->dims[d] != want)
            return infer_error(in, n,
                               "input 'updates' has extent %lld in dimension %d, expected %lld",
                               (long long)u->dims[d], d, (long long)want);
    }
    return infer_set(in, n, 0, n->in[0]->dtype, x->rank, x->dims);
}

/* Row-major number of the position `at` in extents dims [rank]. */
static const struct expr *row_major(struct lower *l, const struct expr *const *at,
                                    const int64_t *dims, int rank) {
    const struct expr *sum = x_int(l, 0);
    for (int d = 0; d < rank; d++)
        sum = x_add(l, x_mul(l, sum, dims[d]), at[d]);
    return sum;
}

/* Constant indices: the number of the last update per position of the first m dimensions, found
 * now. -1 when an index is outside (the run-time check reports it then). */
static int scatter_nd_table(struct lower *l, const struct node *n, int m) {
    const struct shape *x = node_shape(n, 0);
    int len;
    int64_t cells;
    const int64_t *index = value_ints(l->arena, n->in[1], &len);
    if (!index || m == 0 || !size_product(x->dims, m, &cells))
        return -1;
    int64_t *table = arena_array(l->arena, int64_t, cells);
    for (int64_t c = 0; c < cells; c++)
        table[c] = -1;
    for (int k = 0; k < len / m; k++) {
        int64_t cell = 0;
        for (int d = 0; d < m; d++) {
            int64_t i = index[k * m + d];
            if (i < -x->dims[d] || i >= x->dims[d])
                return -1;
            cell = cell * x->dims[d] + (i < 0 ? i + x->dims[d] : i);
        }
        table[cell] = k;
    }
    return l_const(l, DTYPE_I64, m, x->dims, table);
}

/* y = the update that `last` names, else the data. */
static void scatter_nd_pick(struct lower *l, const struct node *n, int last, int m) {
    const struct shape *u = node_shape(n, 2);
    int lead = node_shape(n, 1)->rank - 1;
    int64_t count, stride = 1;
    if (!size_product(u->dims, lead, &count))
        bug("ScatterND: more updates than 2^63");
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *number = x_load(l, last, s->at), **from = expr_list(l, u->rank);
    const struct expr *k = x_clamp(l, number, 0, count - 1);
    for (int d = u->rank - 1; d >= 0; d--) {
        from[d] = d >= lead ? s->at[d - lead + m] : x_mod(l, x_div(l, k, stride), u->dims[d]);
        stride *= d < lead ? u->dims[d] : 1;
    }
    const struct expr *none = expr_2(l->arena, FUNC_LT, number, int_value(l, 0));
    nest_store(s, l_out(l, 0), s->at,
               expr_3(l->arena, FUNC_SELECT, none, x_load(l, l_in(l, 0), s->at),
                      x_load(l, l_in(l, 2), from)));
}

static void lower_scatter_nd(struct lower *l, const struct node *n) {
    const struct shape *x = node_shape(n, 0), *i = node_shape(n, 1);
    int lead = i->rank - 1, m = (int)i->dims[lead];
    enum func monoid = scatter_monoid(n);
    if (value_elements(n->in[2]) == 0 || value_elements(n->in[0]) == 0) {
        build_copy(l, l_out(l, 0), l_in(l, 0));
        return;
    }
    int last = monoid == FUNC_COUNT ? scatter_nd_table(l, n, m) : -1;
    if (last >= 0) {
        scatter_nd_pick(l, n, last, m);
        return;
    }
    struct nest *s = nest_new(l);
    for (int d = 0; d < (monoid == FUNC_COUNT ? m : x->rank); d++)
        nest_iter(s, x->dims[d]);
    const struct expr **from = expr_list(l, lead + x->rank);
    for (int d = 0; d < lead; d++)
        from[d] = nest_reduce_iter(s, i->dims[d]);
    struct scatter q = {.s = s, .number = as_value(l, row_major(l, from, i->dims, lead))};
    q.hit = expr_int(l->arena, DTYPE_BOOL, 1);
    for (int d = 0; d < m; d++) {
        const struct expr *to =
            x_check_index(l, coordinate(l, l_in(l, 1), from, d), x->dims[d]);
        q.hit = expr_2(l->arena, FUNC_AND, q.hit, expr_2(l->arena, FUNC_EQ, to, s->at[d]));
    }
    if (monoid == FUNC_COUNT) {
        scatter_nd_pick(l, n, scatter_last(l, &q, m, x->dims), m);
        return;
    }
    for (int d = m; d < x->rank; d++)
        from[lead + d - m] = s->at[d];
    q.value = x_load(l, l_in(l, 2), from);
    scatter_reduce(l, &q, monoid);
}

/* ---- OneHot, ReverseSequence ---- */

static bool infer_one_hot(struct infer *in, struct node *n) {
    const struct shape *i = node_shape(n, 0);
    int len, axis;
    const int64_t *depth = infer_ints(in, n, 1, &len);
    const struct shape *declared = infer_declared(n, 0);
    int64_t *dims = arena_array(in->arena, int64_t, i->rank + 1);
    if (!infer_axis(in, n, node_int(n, "axis"), i->rank + 1, &axis))
        return false;
    if (value_elements(n->in[1]) != 1 || value_elements(n->in[2]) != 2)
        return infer_error(in, n, "input 'depth' must have one element and input 'values' two");
    if (depth ? depth[0] < 0 : !declared || declared->rank != i->rank + 1)
        return infer_error(in, n,
                           depth ? "input 'depth' is negative"
                                 : "input 'depth' is not a constant and the shape of the "
                                   "result is not declared");
    for (int d = 0; d < i->rank; d++)
        dims[d < axis ? d : d + 1] = i->dims[d];
    dims[axis] = depth ? depth[0] : declared->dims[axis];
    return infer_set(in, n, 0, n->in[2]->dtype, i->rank + 1, dims);
}

/* The only element of operand k (rank 0 or 1) as an int64. */
static const struct expr *only_element(struct lower *l, int k) {
    const struct expr *zero[] = {x_int(l, 0)};
    return as_value(l, x_load(l, l_in(l, k), zero));
}

static void lower_one_hot(struct lower *l, const struct node *n) {
    int rank = node_shape(n, 0)->rank, axis = node_axis(n, rank + 1);
    int64_t depth = n->out[0]->shape.dims[axis];
    if (!n->in[1]->data)
        nest_require(nest_new(l),
                     expr_2(l->arena, FUNC_EQ, only_element(l, 1), int_value(l, depth)));
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr **at = expr_list(l, rank), *off[] = {x_int(l, 0)}, *on[] = {x_int(l, 1)};
    for (int d = 0; d < rank; d++)
        at[d] = s->at[d < axis ? d : d + 1];
    const struct expr *values[] = {as_value(l, x_load(l, l_in(l, 0), at)),
                                   as_value(l, s->at[axis]), int_value(l, depth),
                                   x_load(l, l_in(l, 2), on), x_load(l, l_in(l, 2), off)};
    const char *names[] = {"index", "at", "depth", "on", "off"};
    nest_store(s, l_out(l, 0), s->at,
               build_expr(l, "index == at || index + depth == at ? on : off", names, values, 5,
                          l_type(l, l_in(l, 2))));
}

static bool infer_reverse_sequence(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0);
    int64_t batch = node_int(n, "batch_axis"), time = node_int(n, "time_axis");
    if (x->rank < 2 || batch < 0 || batch > 1 || time < 0 || time > 1 || batch == time)
        return infer_error(in, n,
                           "batch_axis %lld and time_axis %lld must be 0 and 1 in some order",
                           (long long)batch, (long long)time);
    if (!infer_rank(in, n, 1, 1))
        return false;
    if (node_shape(n, 1)->dims[0] != x->dims[batch])
        return infer_error(in, n, "input 'sequence_lens' has %lld entries, expected %lld",
                           (long long)node_shape(n, 1)->dims[0], (long long)x->dims[batch]);
    return shape_same(in, n);
}

static void lower_reverse_sequence(struct lower *l, const struct node *n) {
    int time = (int)node_int(n, "time_axis");
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr **from = expr_list(l, s->iters.len);
    for (int d = 0; d < s->iters.len; d++)
        from[d] = s->at[d];
    const struct expr *values[] = {as_value(l, s->at[time]),
                                   x_load(l, l_in(l, 1), &s->at[1 - time])};
    const char *names[] = {"t", "len"};
    const struct expr *t =
        build_expr(l, "t < len ? len - 1 - t : t", names, values, 2, DTYPE_I64);
    from[time] = expr_3(l->arena, FUNC_CHECK, t, x_int(l, 0),
                        x_int(l, node_shape(n, 0)->dims[time] - 1));
    nest_store(s, l_out(l, 0), s->at, x_load(l, l_in(l, 0), from));
}

/* ---- rows ---- */

// clang-format off
const struct op ops_gather[] = {
    {.name = "Gather", .domain = "", .since = 13, .signature = "data:T, indices:I -> output:T", .types = "T=all I=i32|i64",
     .attrs = "axis:int=0", .infer = infer_gather, .lower = lower_gather,
     .doc = "rows of a tensor by index", .tests = "test_gather_[!e]*"},
    {.name = "GatherElements", .domain = "", .since = 13, .signature = "data:T, indices:I -> output:T", .types = "T=all I=i32|i64",
     .attrs = "axis:int=0", .infer = infer_gather_elements, .lower = lower_gather_elements,
     .doc = "elements by one index each", .tests = "test_gather_elements_*"},
    {.name = "GatherND", .domain = "", .since = 13, .signature = "data:T, indices:i64 -> output:T", .types = "T=all",
     .attrs = "batch_dims:int=0", .infer = infer_gather_nd, .lower = lower_gather_nd,
     .doc = "slices by coordinates", .tests = "test_gathernd_*"},
    {.name = "ScatterElements", .domain = "", .since = 18, .signature = "data:T, indices:I, updates:T -> output:T",
     .types = "T=any I=i32|i64", .attrs = "axis:int=0 reduction:string=none",
     .infer = infer_scatter_elements, .lower = lower_scatter_elements,
     .doc = "data with elements replaced by index", .tests = "test_scatter_elements_*"},
    {.name = "ScatterND", .domain = "", .since = 18, .signature = "data:T, indices:i64, updates:T -> output:T",
     .types = "T=any", .attrs = "reduction:string=none", .infer = infer_scatter_nd, .lower = lower_scatter_nd,
     .doc = "data with slices replaced by coordinates", .tests = "test_scatternd*"},
    {.name = "OneHot", .domain = "", .since = 28, .signature = "indices:I, depth:D, values:T -> output:T",
     .types = "I=num D=num T=any", .attrs = "axis:int=-1", .infer = infer_one_hot, .lower = lower_one_hot,
     .doc = "on at the index, off elsewhere", .tests = "test_onehot_*"},
    {.name = "ReverseSequence", .domain = "", .since = 28, .signature = "input:T, sequence_lens:i64 -> Y:T", .types = "T=any",
     .attrs = "batch_axis:int=1 time_axis:int=0", .infer = infer_reverse_sequence, .lower = lower_reverse_sequence,
     .doc = "the first elements of each sequence reversed", .tests = "test_reversesequence_*"},
    {0},
};
// clang-format on
