/* Pooling: reductions over a sliding window, or over all spatial dimensions (ONNX MaxPool-22,
 * AveragePool-22, LpPool-22). Outside the input a read gives the monoid's identity, so padding
 * never shows. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

/* ---- shapes ---- */

/* The window of a pooling; false after an error. */
static bool pool_window(struct infer *in, struct node *n, struct window *w) {
    const struct shape *x = node_shape(n, 0);
    int len;
    const int64_t *kernel = node_ints(n, "kernel_shape", &len);
    if (x->rank < 3)
        return infer_error(in, n, "input 'X' has rank %d, expected at least 3", x->rank);
    if (len != x->rank - 2)
        return infer_error(in, n, "attribute 'kernel_shape' has length %d, expected %d", len,
                           x->rank - 2);
    return infer_window(in, n, kernel, w);
}

static bool set_pooled(struct infer *in, struct node *n, const struct window *w) {
    const struct shape *x = node_shape(n, 0);
    int64_t dims[GRAPH_MAX_RANK] = {x->dims[0], x->dims[1]};
    memcpy(dims + 2, w->out, (size_t)w->rank * sizeof *dims);
    return infer_set(in, n, 0, n->in[0]->dtype, x->rank, dims) &&
           infer_set(in, n, 1, DTYPE_I64, x->rank, dims);
}

static bool shape_pool(struct infer *in, struct node *n) {
    struct window w = {.rank = 0};
    return pool_window(in, n, &w) && set_pooled(in, n, &w);
}

static bool check_p(struct infer *in, struct node *n) {
    return node_int(n, "p") >= 1 ||
           infer_error(in, n, "attribute 'p' is %lld, expected at least 1",
                       (long long)node_int(n, "p"));
}

static bool shape_lppool(struct infer *in, struct node *n) {
    return check_p(in, n) && shape_pool(in, n);
}

static bool shape_global(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0);
    int64_t dims[GRAPH_MAX_RANK];
    if (x->rank < 3)
        return infer_error(in, n, "input 'X' has rank %d, expected at least 3", x->rank);
    for (int d = 0; d < x->rank; d++)
        dims[d] = d < 2 ? x->dims[d] : 1;
    return infer_set(in, n, 0, n->in[0]->dtype, x->rank, dims);
}

static bool shape_global_lp(struct infer *in, struct node *n) {
    return check_p(in, n) && shape_global(in, n);
}

/* ---- lowering ---- */

/* A nest over a pooling's result with the place each tap reads. */
struct taps {
    struct nest *s;
    struct window w;
    const struct expr *tap[GRAPH_MAX_RANK], *index[GRAPH_MAX_RANK];
    bool may[GRAPH_MAX_RANK];
};

static void open_taps(struct lower *l, const struct node *n, int out, struct taps *t) {
    int len;
    *t = (struct taps){.s = nest_over(l, out)};
    node_window(l->arena, n, node_ints(n, "kernel_shape", &len), &t->w);
    t->index[0] = t->s->at[0];
    t->index[1] = t->s->at[1];
    build_taps(t->s, &t->w, 2, t->tap, t->index, t->may);
}

/* Row-major number of the element at `index` of array x, as i64. */
static const struct expr *flat_index(struct lower *l, int x, const struct expr *const *index) {
    const struct expr *flat = x_int(l, 0);
    for (int d = 0; d < l_rank(l, x); d++)
        flat = x_add(l, x_mul(l, flat, l_dim(l, x, d)), index[d]);
    return expr_cast(l->arena, DTYPE_I64, flat);
}

/* The first place in the window where the maximum stands, as its row-major number in X. Windows
 * of NaN alone name the last element. */
static void store_positions(struct lower *l, const struct node *n, int x, int y, int out) {
    struct arena *a = l->arena;
    const struct expr *bounds[3 * GRAPH_MAX_RANK];
    struct taps t;
    int num = 0;
    open_taps(l, n, out, &t);
    const struct expr *none = expr_int(a, DTYPE_I64, loops_elements(l->loops, x) - 1);
    const struct expr *here = expr_2(a, FUNC_EQ, x_load(l, x, t.index), x_load(l, y, t.s->at));
    const struct expr *position = expr_3(a, FUNC_SELECT, here, flat_index(l, x, t.index), none);
    for (int d = 2; d < l_rank(l, x); d++) {
        if (!t.may[d])
            continue;
        bounds[3 * num] = t.index[d];
        bounds[3 * num + 1] = x_int(l, 0);
        bounds[3 * num++ + 2] = x_int(l, l_dim(l, x, d));
    }
    nest_store(t.s, out, t.s->at,
               nest_reduce(t.s, FUNC_MIN, expr_guard(a, position, none, bounds, num)));
}

/* storage_order 1: the number of the same element when the spatial dimensions are stored first
 * to last. */
static void store_column_major(struct lower *l, int x, int from, int out) {
    struct nest *s = nest_over(l, out);
    const struct expr *flat = x_load(l, from, s->at), *sum = NULL;
    int rank = l_rank(l, x);
    int64_t image = 1, below = 1, step = 1;
    for (int d = 2; d < rank; d++)
        image *= l_dim(l, x, d);
    below = image;
    static const char *const names[] = {"k", "image", "extent", "below", "step", "sum"};
    struct arena *a = l->arena;
    sum =
        build_expr(l, "k - k % image", names,
                   (const struct expr *[]){flat, expr_int(a, DTYPE_I64, image)}, 2, DTYPE_I64);
    for (int d = 2; d < rank; d++) {
        int64_t extent = l_dim(l, x, d);
        below = extent > 0 ? below / extent : 0;
        const struct expr *values[] = {flat,
                                       expr_int(a, DTYPE_I64, image),
                                       expr_int(a, DTYPE_I64, extent),
                                       expr_int(a, DTYPE_I64, below),
                                       expr_int(a, DTYPE_I64, step),
                                       sum};
        sum = build_expr(l, "sum + k / below % extent * step", names, values, 6, DTYPE_I64);
        step *= extent;
    }
    nest_store(s, out, s->at, sum);
}

static void lower_maxpool(struct lower *l, const struct node *n) {
    int x = l_in(l, 0);
    enum dtype type = l_type(l, x);
    int64_t dims[GRAPH_MAX_RANK];
    struct taps t;
    const struct value *any = node_has_out(n, 0) ? n->out[0] : n->out[1];
    memcpy(dims, any->shape.dims, (size_t)any->shape.rank * sizeof *dims);
    int y = node_has_out(n, 0) ? l_out(l, 0) : l_temp(l, type, any->shape.rank, dims);
    open_taps(l, n, y, &t);
    const struct expr *lowest = expr_const(l->arena, type, func_identity(FUNC_MAX, type));
    nest_store(t.s, y, t.s->at,
               nest_reduce(t.s, FUNC_MAX, x_padded(l, x, t.index, t.may, lowest)));
    if (!node_has_out(n, 1))
        return;
    if (node_int(n, "storage_order") == 0) {
        store_positions(l, n, x, y, l_out(l, 1));
    } else {
        int rows = l_temp(l, DTYPE_I64, any->shape.rank, dims);
        store_positions(l, n, x, y, rows);
        store_column_major(l, x, rows, l_out(l, 1));
    }
}

/* Taps of output o in dimension d that count: inside the input or, with `all`, inside its
 * padding as well. */
static int64_t count_taps(const struct window *w, int d, int64_t o, bool all) {
    int64_t step = w->dilation[d], base = o * w->stride[d] - w->pad_begin[d];
    int64_t lo = all ? -w->pad_begin[d] : 0, hi = w->in[d] + (all ? w->pad_end[d] : 0);
    int64_t first = floor_div(lo - base + step - 1, step),
            end = floor_div(hi - base + step - 1, step);
    first = first < 0 ? 0 : first;
    end = end > w->kernel[d] ? w->kernel[d] : end;
    return end > first ? end - first : 0;
}

/* The number of taps of dimension d: a constant, or a table by output. */
static const struct expr *tap_count(struct lower *l, const struct taps *t, int d,
                                    enum dtype type, bool all) {
    const struct window *w = &t->w;
    int64_t extent = w->out[d], bytes = 0, first = extent > 0 ? count_taps(w, d, 0, all) : 1;
    bool varies = false;
    dtype_bytes(type, extent, &bytes);
    void *table = arena_alloc(l->arena, (size_t)bytes);
    for (int64_t o = 0; o < extent; o++) {
        int64_t count = count_taps(w, d, o, all);
        varies |= count != first;
        dtype_store(type, table, o, (union scalar){.f = (double)count});
    }
    if (!varies)
        return expr_int(l->arena, type, first);
    return x_load(l, l_const(l, type, 1, &extent, table), &t->s->at[2 + d]);
}

static void lower_averagepool(struct lower *l, const struct node *n) {
    int x = l_in(l, 0), y = l_out(l, 0);
    enum dtype type = l_type(l, x);
    struct taps t;
    open_taps(l, n, y, &t);
    const struct expr *count = expr_int(l->arena, type, 1);
    for (int d = 0; d < t.w.rank; d++)
        count = expr_2(l->arena, FUNC_MUL, count,
                       tap_count(l, &t, d, type, node_int(n, "count_include_pad") != 0));
    const struct expr *sum =
        nest_reduce(t.s, FUNC_ADD, x_padded(l, x, t.index, t.may, expr_int(l->arena, type, 0)));
    nest_store(t.s, y, t.s->at, expr_2(l->arena, FUNC_DIV, sum, count));
}

/* |x|^p and its inverse, for the powers that need no pow. */
static const char *power_text(int64_t p) {
    return p == 1 ? "abs(x)" : p == 2 ? "x * x" : "pow(abs(x), e)";
}

static const char *root_text(int64_t p) {
    return p == 1 ? "x" : p == 2 ? "sqrt(x)" : "pow(x, 1 / e)";
}

static void lower_lppool(struct lower *l, const struct node *n) {
    static const char *const names[] = {"x", "e"};
    int x = l_in(l, 0), y = l_out(l, 0);
    enum dtype type = l_type(l, x);
    int64_t p = node_int(n, "p");
    struct taps t;
    open_taps(l, n, y, &t);
    const struct expr *e = expr_int(l->arena, type, p);
    const struct expr *value[] = {x_padded(l, x, t.index, t.may, expr_int(l->arena, type, 0)),
                                  e};
    const struct expr *sum[] = {
        nest_reduce(t.s, FUNC_ADD, build_expr(l, power_text(p), names, value, 2, type)), e};
    nest_store(t.s, y, t.s->at, build_expr(l, root_text(p), names, sum, 2, type));
}

static void reduce_places(struct lower *l, const char *text) {
    bool spatial[GRAPH_MAX_RANK];
    for (int d = 0; d < GRAPH_MAX_RANK; d++)
        spatial[d] = d >= 2;
    build_reduction(l, (struct reduction){l_in(l, 0), spatial, text, l_out(l, 0), -1});
}

static void lower_global_average(struct lower *l, const struct node *n) {
    (void)n;
    reduce_places(l, "reduce(add, X) / count");
}

static void lower_global_max(struct lower *l, const struct node *n) {
    (void)n;
    reduce_places(l, "reduce(max, X)");
}

static void lower_global_lp(struct lower *l, const struct node *n) {
    int64_t p = node_int(n, "p");
    reduce_places(l, p == 1   ? "reduce(add, abs(X))"
                     : p == 2 ? "sqrt(reduce(add, X * X))"
                              : "pow(reduce(add, pow(abs(X), T(p))), 1 / T(p))");
}

// clang-format off
#define WINDOW_ATTRS "auto_pad:string=NOTSET ceil_mode:int=0 dilations:ints? kernel_shape:ints pads:ints? strides:ints?"
const struct op ops_pool[] = {
//   operator, domain, since, signature, types, attributes, shape rule,
//   expression, body, lowering function, what it does, node tests, flags
    {"MaxPool", "", 22, "X:T -> Y:T, Indices:i64?",
     "T=float|i8|u8", WINDOW_ATTRS " storage_order:int=0", shape_pool,
     NULL, NULL, lower_maxpool, "largest in a window", "test_maxpool_*", 0},
    {"AveragePool", "", 22, "X:T -> Y:T", "T=float", WINDOW_ATTRS " count_include_pad:int=0", shape_pool,
     NULL, NULL, lower_averagepool, "mean of a window", "test_averagepool_*", 0},
    {"LpPool", "", 22, "X:T -> Y:T", "T=float", WINDOW_ATTRS " p:int=2", shape_lppool,
     NULL, NULL, lower_lppool, "p-norm of a window", "test_lppool_*", 0},
    {"GlobalAveragePool", "", 22, "X:T -> Y:T", "T=float", "", shape_global,
     NULL, NULL, lower_global_average, "mean over all places", "test_globalaveragepool*", 0},
    {"GlobalMaxPool", "", 22, "X:T -> Y:T", "T=float", "", shape_global,
     NULL, NULL, lower_global_max, "largest over all places", "test_globalmaxpool*", 0},
    {"GlobalLpPool", "", 22, "X:T -> Y:T", "T=float", "p:int=2", shape_global_lp,
     NULL, NULL, lower_global_lp, "p-norm over all places", "", 0},
    {0},
};
// clang-format on
