/* What shape rules share: messages, results, constant and solved operands, broadcasting,
 * reductions (ir/shape.h). The sliding window stands in shape_window.c. */
#include "ir/shape.h"

#include "ir/op.h"

/* ---- messages and names ---- */

bool infer_error(struct infer *in, const struct node *n, const char *fmt, ...) {
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    diag_error(in->diag, n->loc, "%s: %s", n->op->name, text);
    return false;
}

static const char *param_name(struct infer *in, bool known, const struct op_param *p) {
    return known ? arena_printf(in->arena, "%.*s", p->len, p->name) : "?";
}

const char *infer_operand_name(struct infer *in, const struct node *n, int k) {
    struct op_param p;
    return param_name(in, op_operand(n->op, k, &p), &p);
}

const char *infer_result_name(struct infer *in, const struct node *n, int k) {
    struct op_param p;
    return param_name(in, op_result(n->op, k, &p), &p);
}

const char *infer_shape_text(struct infer *in, int rank, const int64_t *dims) {
    const char *text = "[";
    for (int d = 0; d < rank; d++)
        text = arena_printf(in->arena, "%s%s%lld", text, d ? "," : "", (long long)dims[d]);
    return arena_printf(in->arena, "%s]", text);
}

const struct shape *node_shape(const struct node *n, int k) {
    return &n->in[k]->shape;
}

bool infer_rank(struct infer *in, const struct node *n, int k, int rank) {
    int found = node_shape(n, k)->rank;
    if (found == rank)
        return true;
    return infer_error(in, n, "input '%s' has rank %d, expected %d",
                       infer_operand_name(in, n, k), found, rank);
}

bool infer_dims(struct infer *in, const struct node *n, int k, int rank, const int64_t *dims) {
    const struct shape want = {rank, (int64_t *)(uintptr_t)dims}, *found = node_shape(n, k);
    if (shape_equal(found, &want))
        return true;
    return infer_error(
        in, n, "input '%s' has shape %s, expected %s", infer_operand_name(in, n, k),
        infer_shape_text(in, found->rank, found->dims), infer_shape_text(in, rank, dims));
}

bool infer_axis(struct infer *in, const struct node *n, int64_t axis, int rank, int *out) {
    if (axis < -rank || axis >= rank)
        return infer_error(in, n, "axis %lld is outside of rank %d, expected %d to %d",
                           (long long)axis, rank, -rank, rank - 1);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

/* ---- types ---- */

static bool same_text(const struct op_param *p, const char *name, int len) {
    return p->type_len == len && strncmp(p->type, name, (size_t)len) == 0;
}

enum dtype node_type_variable(const struct node *n, const char *name, int len) {
    struct op_param p;
    enum dtype fixed = dtype_from_text(name, (size_t)len);
    if (fixed != DTYPE_NONE)
        return fixed;
    for (int k = 0; k < n->num_in && op_operand(n->op, k, &p); k++)
        if (n->in[k] && same_text(&p, name, len) && n->in[k]->dtype != DTYPE_NONE)
            return n->in[k]->dtype;
    for (int k = 0; k < n->num_out && op_result(n->op, k, &p); k++)
        if (n->out[k] && same_text(&p, name, len) && n->out[k]->dtype != DTYPE_NONE)
            return n->out[k]->dtype;
    return DTYPE_NONE;
}

/* A variable that no operand binds and whose constraint has one type is that type ("T1=bool").
 */
enum dtype infer_result_type(const struct node *n, int k) {
    struct op_param p;
    if (!op_result(n->op, k, &p))
        return DTYPE_NONE;
    enum dtype t = node_type_variable(n, p.type, p.type_len), only = DTYPE_NONE;
    for (int d = DTYPE_NONE + 1; t == DTYPE_NONE && d < DTYPE_COUNT; d++) {
        if (!op_type_allows(n->op, p.type, p.type_len, (enum dtype)d))
            continue;
        if (only != DTYPE_NONE)
            return DTYPE_NONE;
        only = (enum dtype)d;
    }
    return t != DTYPE_NONE ? t : only;
}

/* ---- results ---- */

static bool declared_fits(const struct shape *declared, int rank, const int64_t *dims) {
    if (declared->rank < 0)
        return true;
    if (declared->rank != rank)
        return false;
    for (int d = 0; d < rank; d++)
        if (declared->dims[d] >= 0 && declared->dims[d] != dims[d])
            return false;
    return true;
}

bool infer_set(struct infer *in, struct node *n, int k, enum dtype t, int rank,
               const int64_t *dims) {
    int64_t elements, bytes;
    if (!node_has_out(n, k))
        return true;
    struct value *v = n->out[k];
    const char *name = infer_result_name(in, n, k);
    if (rank > GRAPH_MAX_RANK)
        return infer_error(in, n, "result '%s' has rank %d, at most %d is possible", name, rank,
                           GRAPH_MAX_RANK);
    if (!size_product(dims, rank, &elements) || !dtype_bytes(t, elements, &bytes))
        return infer_error(in, n, "result '%s' of shape %s is too large", name,
                           infer_shape_text(in, rank, dims));
    if (v->dtype != DTYPE_NONE && v->dtype != t)
        return infer_error(in, n, "result '%s' has type %s, but the model declares %s", name,
                           dtype_info(t)->text, dtype_info(v->dtype)->text);
    if (!declared_fits(&v->declared, rank, dims))
        return infer_error(in, n, "result '%s' has shape %s, but the model declares %s", name,
                           infer_shape_text(in, rank, dims),
                           infer_shape_text(in, v->declared.rank, v->declared.dims));
    v->dtype = t;
    v->shape.rank = rank;
    v->shape.dims = arena_copy(in->arena, dims, (size_t)rank * sizeof *dims);
    return true;
}

int node_axis(const struct node *n, int rank) {
    int64_t axis = node_int(n, "axis");
    return (int)(axis < 0 ? axis + rank : axis);
}

const struct shape *infer_declared(const struct node *n, int k) {
    if (!node_has_out(n, k) || n->out[k]->declared.rank < 0)
        return NULL;
    const struct shape *s = &n->out[k]->declared;
    for (int d = 0; d < s->rank; d++)
        if (s->dims[d] < 0)
            return NULL;
    return s;
}

/* ---- operands that are shapes, axes, counts ---- */

const int64_t *infer_ints(struct infer *in, const struct node *n, int k, int *len) {
    *len = 0;
    return node_has_in(n, k) ? value_ints(in->arena, n->in[k], len) : NULL;
}

/* A constant like v with the integers of `ints`. */
static struct value *constant_like(struct infer *in, const struct value *v, const int64_t *ints,
                                   int len) {
    int64_t bytes = 0;
    dtype_bytes(v->dtype, len, &bytes);
    void *data = arena_alloc(in->arena, (size_t)bytes);
    for (int k = 0; k < len; k++)
        dtype_store(v->dtype, data, k, (union scalar){.i = ints[k]});
    return graph_add_constant(in->graph, NULL, v->dtype, v->shape.rank, v->shape.dims, data);
}

void infer_solve(struct infer *in, struct node *n, int k, const int64_t *v, int len) {
    struct value *both[2] = {n->in[k], constant_like(in, n->in[k], v, len)};
    graph_add_node(in->graph, n, in->require, both, 2, NULL, 0, NULL, 0, n->loc);
    n->in[k] = both[1];
}

void infer_solve_axes(struct infer *in, struct node *n, int k, const bool *mask, int rank) {
    int64_t axes[GRAPH_MAX_RANK], dims[1] = {rank};
    int len = 0;
    for (int d = 0; d < rank; d++)
        if (mask[d])
            axes[len++] = d;
    struct value *both[2] = {n->in[k], NULL};
    both[1] = graph_add_constant(in->graph, NULL, DTYPE_BOOL, 1, dims,
                                 arena_copy(in->arena, mask, (size_t)rank));
    graph_add_node(in->graph, n, op_find("nncc", "RequireAxes"), both, 2, NULL, 0, NULL, 0,
                   n->loc);
    n->in[k] = constant_like(in, both[0], axes, len);
}

bool infer_axes(struct infer *in, const struct node *n, const int64_t *axes, int num, int rank,
                bool *mask) {
    memset(mask, 0, (size_t)rank * sizeof *mask);
    for (int k = 0; k < num; k++) {
        int d = 0;
        if (!infer_axis(in, n, axes[k], rank, &d))
            return false;
        if (mask[d])
            return infer_error(in, n, "axis %lld is named twice", (long long)axes[k]);
        mask[d] = true;
    }
    return true;
}

/* ---- element-wise ---- */

/* One more shape in a broadcast; the dimension that does not fit, or -1. */
static int broadcast_one(const struct shape *s, int rank, int64_t *dims) {
    int skip = rank - s->rank;
    for (int d = skip; d < rank; d++) {
        int64_t extent = s->dims[d - skip];
        if (extent != 1 && dims[d] != 1 && extent != dims[d])
            return d - skip;
        dims[d] = extent != 1 ? extent : dims[d];
    }
    return -1;
}

/* "input 'B' has shape [2,4], which", or "shape [2,4]" of a list that is no operand's shape. */
static const char *describe_shape(struct infer *in, const struct node *n,
                                  const struct shape *s) {
    const char *text = infer_shape_text(in, s->rank, s->dims);
    for (int k = 0; k < n->num_in; k++)
        if (n->in[k] && s == &n->in[k]->shape)
            return arena_printf(in->arena, "input '%s' has shape %s, which",
                                infer_operand_name(in, n, k), text);
    return arena_printf(in->arena, "shape %s", text);
}

bool infer_broadcast(struct infer *in, const struct node *n, const struct shape *const *shapes,
                     int num, struct shape *out) {
    int rank = 0;
    for (int k = 0; k < num; k++)
        rank = shapes[k]->rank > rank ? shapes[k]->rank : rank;
    int64_t *dims = arena_array(in->arena, int64_t, rank);
    for (int d = 0; d < rank; d++)
        dims[d] = 1;
    for (int k = 0; k < num; k++)
        if (broadcast_one(shapes[k], rank, dims) >= 0)
            return infer_error(in, n, "%s does not broadcast with %s",
                               describe_shape(in, n, shapes[k]),
                               infer_shape_text(in, rank, dims));
    *out = (struct shape){rank, dims};
    return true;
}

bool infer_broadcasts_to(struct infer *in, const struct node *n, int k,
                         const struct shape *shape) {
    const struct shape *own = node_shape(n, k);
    bool fits = own->rank <= shape->rank;
    for (int d = 0; fits && d < own->rank; d++)
        fits = own->dims[d] == 1 || own->dims[d] == shape->dims[d + shape->rank - own->rank];
    return fits ||
           infer_error(in, n, "input '%s' has shape %s, expected one that broadcasts to %s",
                       infer_operand_name(in, n, k), infer_shape_text(in, own->rank, own->dims),
                       infer_shape_text(in, shape->rank, shape->dims));
}

/* Every result gets this shape and the type of its variable. */
static bool set_all(struct infer *in, struct node *n, const struct shape *s) {
    bool ok = true;
    for (int k = 0; k < n->num_out; k++)
        ok &= infer_set(in, n, k, infer_result_type(n, k), s->rank, s->dims);
    return ok;
}

bool shape_same(struct infer *in, struct node *n) {
    return set_all(in, n, node_shape(n, 0));
}

bool shape_broadcast(struct infer *in, struct node *n) {
    struct shape out;
    const struct shape **shapes = arena_array(in->arena, const struct shape *, n->num_in);
    int num = 0;
    for (int k = 0; k < n->num_in; k++)
        if (n->in[k])
            shapes[num++] = node_shape(n, k);
    return infer_broadcast(in, n, shapes, num, &out) && set_all(in, n, &out);
}

/* ---- reductions ---- */

#define MAX_CHOICE_RANK 12 // run-time axes are searched among 2^rank sets

/* Position of the operand `axes`, or -1. */
static int axes_operand(const struct node *n) {
    struct op_param p;
    for (int k = 0; k < n->num_in && op_operand(n->op, k, &p); k++)
        if (p.len == 4 && memcmp(p.name, "axes", 4) == 0)
            return k;
    return -1;
}

/* The shape left after reducing the masked dimensions. */
static int reduce_dims(const struct shape *x, const bool *reduced, bool keep, int64_t *dims) {
    int rank = 0;
    for (int d = 0; d < x->rank; d++)
        if (keep || !reduced[d])
            dims[rank++] = reduced[d] ? 1 : x->dims[d];
    return rank;
}

/* All dimensions, or none for noop_with_empty_axes: what an empty list means. */
static void reduce_default(const struct node *n, int rank, bool *reduced) {
    const char *text;
    int len;
    bool noop = op_attr_default(n->op, "noop_with_empty_axes", &text, &len) &&
                node_int(n, "noop_with_empty_axes") != 0;
    for (int d = 0; d < rank; d++)
        reduced[d] = !noop;
}

/* The sets of as many dimensions as operand k (the axes) names that turn operand 0 into `out`.
 */
static int reduce_choices(const struct node *n, int k, const struct shape *out,
                          bool (*choice)[GRAPH_MAX_RANK], int max) {
    const struct shape *x = node_shape(n, 0);
    int found = 0;
    for (uint32_t set = 0; set < 1u << x->rank && found < max; set++) {
        int64_t dims[GRAPH_MAX_RANK], size = 0;
        for (int d = 0; d < x->rank; d++)
            size += choice[found][d] = set >> d & 1;
        struct shape left = {reduce_dims(x, choice[found], node_int(n, "keepdims") != 0, dims),
                             dims};
        found += size == value_elements(n->in[k]) && shape_equal(&left, out);
    }
    return found;
}

/* Axes that are not constant: what the declared shape of the result leaves. */
static bool solve_reduced(struct infer *in, struct node *n, int k, bool *reduced) {
    bool choice[2][GRAPH_MAX_RANK] = {{false}};
    const struct shape *x = node_shape(n, 0), *out = infer_declared(n, 0);
    if (!out || x->rank > MAX_CHOICE_RANK)
        return infer_error(
            in, n, "input 'axes' is not constant and the shape of the result is not declared");
    int found = reduce_choices(n, k, out, choice, 2);
    if (found == 0)
        return infer_error(in, n, "no axes reduce %s to the declared shape %s",
                           infer_shape_text(in, x->rank, x->dims),
                           infer_shape_text(in, out->rank, out->dims));
    memcpy(reduced, choice[0], sizeof choice[0]);
    if (found == 1)
        infer_solve_axes(in, n, k, reduced, x->rank);
    return true;
}

bool infer_reduced(struct infer *in, struct node *n, bool *reduced) {
    int k = axes_operand(n), len = 0, rank = node_shape(n, 0)->rank;
    const int64_t *axes = k < 0 ? node_ints(n, "axes", &len) : infer_ints(in, n, k, &len);
    if (k >= 0 && n->in[k] && n->in[k]->shape.rank != 1)
        return infer_rank(in, n, k, 1);
    if (k >= 0 && n->in[k] && !axes && value_elements(n->in[k]) > 0)
        return solve_reduced(in, n, k, reduced);
    if (!axes || len == 0) {
        reduce_default(n, rank, reduced);
        return true;
    }
    return infer_axes(in, n, axes, len, rank, reduced);
}

int node_reduced(const struct node *n, bool (*reduced)[GRAPH_MAX_RANK], int max) {
    struct arena scratch = {0};
    const struct shape *x = node_shape(n, 0);
    int k = axes_operand(n), len = 0;
    const int64_t *axes = NULL;
    if (k < 0)
        axes = node_ints(n, "axes", &len);
    else if (node_has_in(n, k))
        axes = value_ints(&scratch, n->in[k], &len);
    memset(reduced[0], 0, sizeof reduced[0]);
    for (int i = 0; i < len; i++)
        reduced[0][axes[i] < 0 ? axes[i] + x->rank : axes[i]] = true;
    arena_free(&scratch);
    if (len > 0)
        return 1;
    if (k >= 0 && n->in[k] && value_elements(n->in[k]) > 0)
        return reduce_choices(n, k, &n->out[0]->shape, reduced, max);
    reduce_default(n, x->rank, reduced[0]);
    return 1;
}

bool shape_reduce(struct infer *in, struct node *n) {
    bool reduced[GRAPH_MAX_RANK] = {false};
    int64_t dims[GRAPH_MAX_RANK];
    const struct shape *x = node_shape(n, 0);
    if (!infer_reduced(in, n, reduced))
        return false;
    int rank = reduce_dims(x, reduced, node_int(n, "keepdims") != 0, dims);
    return infer_set(in, n, 0, infer_result_type(n, 0), rank, dims);
}
