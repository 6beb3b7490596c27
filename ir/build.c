/* Building statements: what the lowering functions of ir/ops/ are written in (ir/build.h).
 *
 * A lowering function asks for the arrays of its node's operands and results, opens a nest with
 * one iterator per dimension of what it writes, adds reduction iterators, combines loads into
 * one right-hand side and stores it. */
#include "ir/build.h"

/* ---- operands ---- */

static int array_of_value(struct lower *l, const struct value *v) {
    if (l->array_of[v->id] < 0)
        l->array_of[v->id] = loops_add_static(l->loops, ARRAY_TEMP, v->dtype, v->shape.rank,
                                              v->shape.dims, v->name);
    return l->array_of[v->id];
}

int l_in(struct lower *l, int k) {
    if (!node_has_in(l->node, k))
        bug("%s: operand %d is absent", l->node->op->name, k);
    return array_of_value(l, l->node->in[k]);
}

int l_out(struct lower *l, int k) {
    if (!node_has_out(l->node, k))
        bug("%s: result %d is not wanted", l->node->op->name, k);
    return array_of_value(l, l->node->out[k]);
}

const struct array *l_array(const struct lower *l, int array) {
    return &l->loops->arrays.data[array];
}

enum dtype l_type(const struct lower *l, int array) {
    return l_array(l, array)->dtype;
}

int l_rank(const struct lower *l, int array) {
    return l_array(l, array)->rank;
}

int64_t l_dim(const struct lower *l, int array, int d) {
    int64_t extent;
    if (!expr_as_int(l_array(l, array)->extent[d], &extent))
        bug("extent %d of %s is not a constant", d, l_array(l, array)->name);
    return extent;
}

int l_temp(struct lower *l, enum dtype t, int rank, const int64_t *dims) {
    return loops_add_static(l->loops, ARRAY_TEMP, t, rank, dims, NULL);
}

int l_const(struct lower *l, enum dtype t, int rank, const int64_t *dims, const void *data) {
    int64_t elements, bytes;
    if (!size_product(dims, rank, &elements) || !dtype_bytes(t, elements, &bytes))
        bug("constant too large");
    return loops_add_const(l->loops, t, rank, dims, arena_copy(l->arena, data, (size_t)bytes),
                           NULL);
}

int l_const_index(struct lower *l, const int64_t *v, int n) {
    int64_t dims[1] = {n};
    return l_const(l, DTYPE_I64, 1, dims, v);
}

/* ---- nests ---- */

struct nest *nest_new(struct lower *l) {
    struct nest *s = arena_new(l->arena, struct nest);
    s->l = l;
    s->at = arena_array(l->arena, const struct expr *, NEST_MAX_ITERS);
    return s;
}

struct nest *nest_over(struct lower *l, int array) {
    struct nest *s = nest_new(l);
    for (int d = 0; d < l_rank(l, array); d++)
        nest_iter(s, l_dim(l, array, d));
    return s;
}

static struct iter iter_named(struct lower *l, const char *prefix, int k, int64_t extent) {
    char name[24];
    int len = snprintf(name, sizeof name, "%s%d", prefix, k);
    return (struct iter){intern_len(l->loops->names, name, (size_t)len), x_int(l, extent)};
}

const struct expr *nest_iter(struct nest *s, int64_t extent) {
    struct lower *l = s->l;
    if (s->iters.len == NEST_MAX_ITERS)
        bug("more than %d iterators", NEST_MAX_ITERS);
    struct iter i = iter_named(l, "i", s->iters.len, extent);
    s->at[s->iters.len] = expr_var(l->arena, DTYPE_INDEX, i.name);
    vec_push(l->arena, &s->iters, i);
    return s->at[s->iters.len - 1];
}

const struct expr *nest_reduce_iter(struct nest *s, int64_t extent) {
    struct lower *l = s->l;
    struct iter i = iter_named(l, "r", s->over.len, extent);
    vec_push(l->arena, &s->over, i);
    return expr_var(l->arena, DTYPE_INDEX, i.name);
}

const struct expr *nest_reduce(struct nest *s, enum func monoid, const struct expr *body) {
    const struct expr *e = body;
    if (s->over.len > 0)
        e = expr_reduce(s->l->arena, monoid, body->dtype, s->over.data, s->over.len, body);
    s->over.data = NULL; // a later reduce gets a list of its own
    s->over.len = s->over.cap = 0;
    return e;
}

/* Has the nest no iteration at all? Its iterators have constant extents. */
static bool nest_is_empty(const struct nest *s) {
    for (int k = 0; k < s->iters.len; k++)
        if (expr_is_int(s->iters.data[k].extent, 0))
            return true;
    return false;
}

void nest_store(struct nest *s, int array, const struct expr *const *index,
                const struct expr *rhs) {
    struct lower *l = s->l;
    size_t rank = (size_t)l_rank(l, array);
    if (rhs->dtype != l_type(l, array))
        bug("%s: %s stored into %s", l->node->op->name, dtype_info(rhs->dtype)->text,
            dtype_info(l_type(l, array))->text);
    if (nest_is_empty(s))
        return;
    struct stmt *st = loops_add_stmt(l->loops, l->into, STMT_COMPUTE, l->node->loc);
    st->iters = s->iters.data;
    st->num_iters = s->iters.len;
    st->array = array;
    st->index = arena_copy(l->arena, index, rank * sizeof *index);
    st->rhs = rhs;
}

void nest_require(struct nest *s, const struct expr *cond) {
    struct lower *l = s->l;
    struct stmt *st = loops_add_stmt(l->loops, l->into, STMT_REQUIRE, l->node->loc);
    st->iters = s->iters.data;
    st->num_iters = s->iters.len;
    st->rhs = cond;
}

/* ---- expressions ---- */

const struct expr *x_int(struct lower *l, int64_t v) {
    return expr_index(l->arena, v);
}

const struct expr *x_add(struct lower *l, const struct expr *a, const struct expr *b) {
    return expr_2(l->arena, FUNC_ADD, a, b);
}

const struct expr *x_sub(struct lower *l, const struct expr *a, const struct expr *b) {
    return expr_2(l->arena, FUNC_SUB, a, b);
}

const struct expr *x_mul(struct lower *l, const struct expr *a, int64_t k) {
    return expr_2(l->arena, FUNC_MUL, a, x_int(l, k));
}

const struct expr *x_addk(struct lower *l, const struct expr *a, int64_t k) {
    return k < 0 ? x_sub(l, a, x_int(l, -k)) : x_add(l, a, x_int(l, k));
}

const struct expr *x_div(struct lower *l, const struct expr *a, int64_t k) {
    return expr_2(l->arena, FUNC_DIV, a, x_int(l, k));
}

const struct expr *x_mod(struct lower *l, const struct expr *a, int64_t k) {
    return expr_2(l->arena, FUNC_REM, a, x_int(l, k));
}

const struct expr *x_load(struct lower *l, int array, const struct expr *const *index) {
    const struct array *a = l_array(l, array);
    if (a->kind == ARRAY_CONST && a->layout_rank == 0 && loops_elements(l->loops, array) == 1)
        return expr_const(l->arena, a->dtype, dtype_load(a->dtype, a->data, 0));
    return expr_load(l->arena, a->dtype, array, index, a->rank);
}

const struct expr *x_broadcast(struct lower *l, int array, const struct expr *const *at,
                               int rank) {
    const struct expr *index[GRAPH_MAX_RANK];
    int own = l_rank(l, array);
    for (int d = 0; d < own; d++) {
        int k = d + rank - own; // dimensions are aligned at the last one
        index[d] = k < 0 || l_dim(l, array, d) == 1 ? x_int(l, 0) : at[k];
    }
    return x_load(l, array, index);
}

const struct expr *x_padded(struct lower *l, int array, const struct expr *const *index,
                            const bool *may, const struct expr *pad) {
    const struct expr *bounds[3 * GRAPH_MAX_RANK];
    int n = 0;
    for (int d = 0; d < l_rank(l, array); d++) {
        if (!may[d])
            continue;
        bounds[3 * n] = index[d];
        bounds[3 * n + 1] = x_int(l, 0);
        bounds[3 * n + 2] = x_int(l, l_dim(l, array, d));
        n++;
    }
    return expr_guard(l->arena, x_load(l, array, index), pad, bounds, n);
}

const struct expr *x_clamp(struct lower *l, const struct expr *value, int64_t lo, int64_t hi) {
    return expr_3(l->arena, FUNC_CLAMP, value, x_int(l, lo), x_int(l, hi));
}

const struct expr *x_check_index(struct lower *l, const struct expr *value, int64_t n) {
    static const char *const names[] = {"v", "n"};
    const struct expr *values[] = {expr_cast(l->arena, DTYPE_I64, value),
                                   expr_int(l->arena, DTYPE_I64, n)};
    const struct expr *e = build_expr(l, "v < 0 ? v + n : v", names, values, 2, DTYPE_I64);
    return expr_3(l->arena, FUNC_CHECK, e, x_int(l, 0), x_int(l, n - 1));
}

void build_taps(struct nest *s, const struct window *w, int first, const struct expr **tap,
                const struct expr **index, bool *may) {
    struct lower *l = s->l;
    for (int d = 0; d < w->rank; d++) {
        tap[d] = nest_reduce_iter(s, w->kernel[d]);
        const struct expr *origin = x_mul(l, s->at[first + d], w->stride[d]);
        const struct expr *at = x_add(l, origin, x_mul(l, tap[d], w->dilation[d]));
        int64_t last = (w->out[d] - 1) * w->stride[d] + (w->kernel[d] - 1) * w->dilation[d];
        index[2 + d] = x_addk(l, at, -w->pad_begin[d]);
        may[2 + d] = w->pad_begin[d] > 0 || last - w->pad_begin[d] >= w->in[d];
    }
}

/* ---- other statements ---- */

void build_copy(struct lower *l, int to, int from) {
    struct nest *s = nest_over(l, to);
    nest_store(s, to, s->at, expr_cast(l->arena, l_type(l, to), x_load(l, from, s->at)));
}

/* Iterators run over `to`; the row-major number of the element is split by the extents of
 * `from`. */
void build_reshape_copy(struct lower *l, int to, int from) {
    const struct expr *index[GRAPH_MAX_RANK];
    struct nest *s = nest_over(l, to);
    const struct expr *linear = x_int(l, 0);
    for (int d = 0; d < l_rank(l, to); d++)
        linear = x_add(l, x_mul(l, linear, l_dim(l, to, d)), s->at[d]);
    int64_t below = 1; // elements of one step of dimension d of from
    for (int d = l_rank(l, from) - 1; d >= 0; d--) {
        int64_t extent = l_dim(l, from, d);
        const struct expr *k = x_div(l, linear, below);
        index[d] = extent <= 1 ? x_int(l, 0) : d == 0 ? k : x_mod(l, k, extent);
        below *= extent > 0 ? extent : 1;
    }
    nest_store(s, to, s->at, x_load(l, from, index));
}

void build_view(struct lower *l, const struct node *n, int k, int j) {
    const struct value *out = n->out[k];
    int from = l_in(l, j);
    if (l->array_of[out->id] >= 0)
        build_reshape_copy(l, l_out(l, k),
                           from); // a result of the graph has storage of its own
    else
        l->array_of[out->id] = loops_add_view(l->loops, loops_root(l->loops, from),
                                              out->shape.rank, out->shape.dims);
}

static void scope_open(struct lower *l, struct stmt *st, struct stmt_list *inner) {
    struct build_scope scope = {l->into, st};
    vec_push(l->arena, &l->scopes, scope);
    l->into = inner;
}

void build_seq(struct lower *l, int64_t extent, const struct expr **t) {
    struct stmt *st = loops_add_stmt(l->loops, l->into, STMT_SEQ, l->node->loc);
    struct iter i = iter_named(l, "t", l->scopes.len, extent);
    st->iters = arena_copy(l->arena, &i, sizeof i);
    st->num_iters = 1;
    *t = expr_var(l->arena, DTYPE_INDEX, i.name);
    scope_open(l, st, &st->body);
}

void build_if(struct lower *l, const struct expr *cond) {
    struct stmt *st = loops_add_stmt(l->loops, l->into, STMT_IF, l->node->loc);
    st->rhs = cond;
    scope_open(l, st, &st->body);
}

void build_else(struct lower *l) {
    l->into = &l->scopes.data[l->scopes.len - 1].stmt->orelse;
}

void build_end(struct lower *l) {
    l->into = l->scopes.data[--l->scopes.len].outer;
}

void build_call(struct lower *l, const char *routine, const int *reads, int num_reads,
                const int *writes, int num_writes, const int64_t *params, int num_params) {
    struct stmt *st = loops_add_stmt(l->loops, l->into, STMT_CALL, l->node->loc);
    st->name = intern(l->loops->names, routine);
    st->reads = arena_copy(l->arena, reads, (size_t)num_reads * sizeof *reads);
    st->num_reads = num_reads;
    st->writes = arena_copy(l->arena, writes, (size_t)num_writes * sizeof *writes);
    st->num_writes = num_writes;
    st->params = arena_copy(l->arena, params, (size_t)num_params * sizeof *params);
    st->num_params = num_params;
}
