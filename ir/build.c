/* Building statements: what the lowering functions of ir/ops/ are written in (ir/build.h).
 *
 * A lowering function asks for the arrays of its node's operands and results, opens a nest with
 * one iterator per dimension of what it writes, adds reduction iterators, combines loads into
 * one right-hand side and stores it. */
#include "ir/build.h"

#include "ir/shape.h"
#include "ir/text.h"

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

void nest_store(struct nest *s, int array, const struct expr *const *index,
                const struct expr *rhs) {
    struct lower *l = s->l;
    size_t rank = (size_t)l_rank(l, array);
    if (rhs->dtype != l_type(l, array))
        bug("%s: %s stored into %s", l->node->op->name, dtype_info(rhs->dtype)->text,
            dtype_info(l_type(l, array))->text);
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

/* ---- expressions in text ---- */

/* What the names of a text mean: a list of bindings, then, if `row`, the attributes and type
 * variables of the node's row. */
struct names {
    struct lower *l;
    const char *const *names;
    const struct expr *const *values;
    int n;
    enum dtype dtype; // of float attributes
};

/* A number attribute: a float in the type of the operands, an int as an index constant. */
static const struct expr *attr_value(struct lower *l, const char *name, enum dtype t) {
    enum attr_kind kind;
    if (!op_attr_kind(l->node->op, name, &kind))
        return NULL;
    if (kind == ATTR_FLOAT)
        return expr_float(l->arena, t, node_float(l->node, name));
    return kind == ATTR_INT ? x_int(l, node_int(l->node, name)) : NULL;
}

static const struct expr *name_value(void *user, const char *name) {
    const struct names *b = user;
    for (int k = 0; k < b->n; k++)
        if (strcmp(b->names[k], name) == 0)
            return b->values[k];
    return attr_value(b->l, name, b->dtype);
}

static enum dtype name_type(void *user, const char *name) {
    const struct names *b = user;
    return node_type_variable(b->l->node, name, (int)strlen(name));
}

const struct expr *build_expr(struct lower *l, const char *text, const char *const *names,
                              const struct expr *const *values, int n, enum dtype t) {
    struct names bound = {l, names, values, n, dtype_is_float(t) ? t : DTYPE_F64};
    struct expr_scope scope = {.name = name_value, .type = name_type, .user = &bound};
    struct str messages = {0};
    struct diag d = {.sink = &messages};
    struct text in;
    text_init(&in, &d, l->arena, l->loops->names, "row", text, strlen(text));
    const struct expr *e = expr_read(&in, &scope, t);
    if (!e || in.tok.kind != TOK_END)
        bug("%s: expression '%s': %s", l->node->op->name, text, str_cstr(&messages));
    str_free(&messages);
    return e;
}

/* The names of a row's operands, NUL-terminated. */
static const char *operand_name(struct lower *l, int k) {
    struct op_param p;
    if (!op_operand(l->node->op, k, &p))
        bug("%s has no operand %d", l->node->op->name, k);
    return intern_len(l->loops->names, p.name, (size_t)p.len);
}

const struct expr *build_fold(struct nest *s, const char *text) {
    struct lower *l = s->l;
    static const char *const names[] = {"x", "y"};
    const struct expr *pair[2] = {x_broadcast(l, l_in(l, 0), s->at, s->iters.len)};
    for (int k = 1; k < l->node->num_in; k++) {
        pair[1] = x_broadcast(l, l_in(l, k), s->at, s->iters.len);
        pair[0] = build_expr(l, text, names, pair, 2, pair[0]->dtype);
    }
    return pair[0];
}

void build_elementwise(struct lower *l, const char *text) {
    const char *names[GRAPH_MAX_RANK];
    const struct expr *values[GRAPH_MAX_RANK], *rhs;
    struct nest *s = nest_over(l, l_out(l, 0));
    struct op_param p;
    int n = 0;
    if (op_operand(l->node->op, 0, &p) && p.variadic) {
        rhs = build_fold(s, text);
    } else {
        for (int k = 0; k < l->node->num_in; k++) {
            if (!l->node->in[k])
                continue;
            names[n] = operand_name(l, k);
            values[n++] = x_broadcast(l, l_in(l, k), s->at, s->iters.len);
        }
        rhs = build_expr(l, text, names, values, n, l_type(l, l_in(l, 0)));
    }
    nest_store(s, l_out(l, 0), s->at, rhs);
}

/* "reduce(add, X)" to "reduce(add, [r0,r1: 3,4], X)"; without reduced dimensions to "(X)". */
static const char *insert_iterators(struct lower *l, const char *text, const struct nest *s) {
    const char *at = strstr(text, "reduce("), *body = at ? strchr(at, ',') : NULL;
    if (!body)
        bug("%s: no reduce in '%s'", l->node->op->name, text);
    if (s->over.len == 0)
        return arena_printf(l->arena, "%.*s(%s", (int)(at - text), text, body + 1);
    char *names = "", *extents = "";
    for (int k = 0; k < s->over.len; k++) {
        int64_t extent = 0;
        expr_as_int(s->over.data[k].extent, &extent);
        names = arena_printf(l->arena, "%s%s%s", names, k ? "," : "", s->over.data[k].name);
        extents = arena_printf(l->arena, "%s%s%lld", extents, k ? "," : "", (long long)extent);
    }
    return arena_printf(l->arena, "%.*s, [%s: %s]%s", (int)(body - text), text, names, extents,
                        body);
}

/* Index of x at the iterators of a result: new reduction iterators where it is reduced. Returns
 * their number of points. */
static int64_t reduced_index(struct nest *s, const struct reduction *r,
                             const struct expr **index) {
    int rank = l_rank(s->l, r->x);
    bool kept = rank == l_rank(s->l, r->out);
    int64_t count = 1;
    for (int d = 0, o = 0; d < rank; d++) {
        int64_t extent = l_dim(s->l, r->x, d);
        index[d] = r->reduced[d] ? nest_reduce_iter(s, extent) : s->at[o];
        count *= r->reduced[d] ? extent : 1;
        o += kept || !r->reduced[d];
    }
    return count;
}

void build_reduction(struct lower *l, struct reduction r) {
    struct arena *a = l->arena;
    const struct expr *index[GRAPH_MAX_RANK];
    struct nest *s = nest_over(l, r.out);
    int64_t count = reduced_index(s, &r, index);
    const struct expr *load = x_load(l, r.x, index);
    if (load->dtype == DTYPE_BOOL)
        load = expr_cast(a, DTYPE_U8, load);
    const char *names[] = {operand_name(l, 0), "x", "count", "M"};
    const struct expr *values[] = {load, load, expr_int(a, load->dtype, count), NULL};
    if (r.m >= 0)
        values[3] = x_load(l, r.m, s->at);
    const char *full = insert_iterators(l, r.text, s);
    const struct expr *rhs = build_expr(l, full, names, values, r.m >= 0 ? 4 : 3, load->dtype);
    nest_store(s, r.out, s->at, expr_cast(a, l_type(l, r.out), rhs));
}

int build_statistic(struct lower *l, enum dtype t, struct reduction r) {
    int64_t dims[GRAPH_MAX_RANK];
    for (int d = 0; d < l_rank(l, r.x); d++)
        dims[d] = r.reduced[d] ? 1 : l_dim(l, r.x, d);
    r.out = l_temp(l, t, l_rank(l, r.x), dims);
    build_reduction(l, r);
    return r.out;
}

void lower_elementwise(struct lower *l, const struct node *n) {
    build_elementwise(l, n->op->expr);
}

const struct expr *x_axes_match(struct lower *l, int axes, const bool *set, int rank) {
    static const char *const names[] = {"a", "rank", "d", "found"};
    struct arena *a = l->arena;
    union scalar yes = {.i = 1}, no = {.i = 0};
    const struct expr *all = expr_const(a, DTYPE_BOOL, yes);
    for (int d = 0; d < rank; d++) {
        const struct expr *found = expr_const(a, DTYPE_BOOL, no);
        for (int64_t k = 0; set[d] && k < l_dim(l, axes, 0); k++) {
            const struct expr *at = x_int(l, k);
            const struct expr *values[] = {x_load(l, axes, &at),
                                           expr_int(a, l_type(l, axes), rank),
                                           expr_int(a, l_type(l, axes), d), found};
            found = build_expr(l, "found || (a < 0 ? a + rank : a) == d", names, values, 4,
                               DTYPE_I64);
        }
        if (set[d])
            all = expr_2(a, FUNC_AND, all, found);
    }
    return all;
}

void build_reduced(struct lower *l, void (*one)(struct lower *l, const bool *reduced)) {
    enum { MAX = 64 };
    bool sets[MAX][GRAPH_MAX_RANK];
    union scalar no = {.i = 0};
    int found = node_reduced(l->node, sets, MAX), rank = node_shape(l->node, 0)->rank;
    for (int k = 0; k < found; k++) {
        if (found > 1)
            build_if(l, x_axes_match(l, l_in(l, 1), sets[k], rank));
        one(l, sets[k]);
        if (found > 1)
            build_else(l);
    }
    if (found > 1)
        nest_require(nest_new(l), expr_const(l->arena, DTYPE_BOOL, no));
    for (int k = 0; found > 1 && k < found; k++)
        build_end(l);
}

static void reduction_of_row(struct lower *l, const bool *reduced) {
    struct reduction r = {l_in(l, 0), reduced, l->node->op->expr, l_out(l, 0), -1};
    build_reduction(l, r);
}

void lower_reduction(struct lower *l, const struct node *n) {
    (void)n;
    build_reduced(l, reduction_of_row);
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
