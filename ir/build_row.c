/* Statements from the texts of operator rows (ir/op.h): expressions over operands and
 * attributes, element by element or reduced, and reductions whose axes are known at run time
 * only. */
#include "ir/build.h"

#include "ir/text.h"

/* ---- names and texts ---- */

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

void lower_elementwise(struct lower *l, const struct node *n) {
    build_elementwise(l, n->op->expr);
}

void lower_reduction(struct lower *l, const struct node *n) {
    (void)n;
    build_reduced(l, reduction_of_row);
}
