/* The verifier of graphs: everything that builders and readers promise, checked before and
 * after each pass. */
#include "ir/graph.h"
#include "ir/op.h"

/* What is known of a value number while walking. */
enum seen { SEEN_NOT, SEEN_IN_SCOPE, SEEN_CLOSED };

struct check {
    const struct graph *root;
    const struct value **values; // [root->next_id]: who has the number
    unsigned char *seen;         // [root->next_id]: enum seen
    struct diag *diag;
    struct arena scratch;
    bool typed, ok;
};

static void check_graph(struct check *c, const struct graph *g);

__attribute__((format(printf, 3, 4))) static void fail(struct check *c, struct loc loc,
                                                       const char *fmt, ...) {
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    diag_error(c->diag, loc, "%s", text);
    c->ok = false;
}

/* Rank and extents are possible; constants have the bytes they should. */
static void check_type(struct check *c, const struct value *v, struct loc loc) {
    int64_t elements, bytes;
    if (v->shape.rank < 0 || v->dtype == DTYPE_NONE) {
        if (c->typed || v->data)
            fail(c, loc, "%%%d has no known type and shape", v->id);
        return;
    }
    if (v->shape.rank > GRAPH_MAX_RANK)
        fail(c, loc, "%%%d has rank %d, at most %d is possible", v->id, v->shape.rank,
             GRAPH_MAX_RANK);
    else if (!size_product(v->shape.dims, v->shape.rank, &elements) ||
             !dtype_bytes(v->dtype, elements, &bytes))
        fail(c, loc, "%%%d has an impossible shape", v->id);
    else if (v->data && v->bytes != bytes)
        fail(c, loc, "%%%d has %lld bytes, expected %lld", v->id, (long long)v->bytes,
             (long long)bytes);
}

static void define(struct check *c, const struct value *v, const struct node *def,
                   struct loc loc) {
    if (v->id < 0 || v->id >= c->root->next_id)
        bug("value number %d of %d", v->id, c->root->next_id);
    if (c->seen[v->id] != SEEN_NOT)
        fail(c, loc, "%%%d is defined twice", v->id);
    if (v->def != def)
        fail(c, loc, "%%%d has another definition than its node", v->id);
    c->seen[v->id] = SEEN_IN_SCOPE;
    c->values[v->id] = v;
    check_type(c, v, loc);
}

static void check_use(struct check *c, const struct value *v, struct loc loc) {
    bool known = v->id >= 0 && v->id < c->root->next_id && c->values[v->id] == v;
    if (!known || c->seen[v->id] != SEEN_IN_SCOPE)
        fail(c, loc, "%%%d is used before its definition or outside its graph", v->id);
}

static void check_attr(struct check *c, const struct graph *g, const struct node *n,
                       const struct attr *a) {
    if (a->kind == ATTR_TENSOR && !a->tensor->data)
        fail(c, n->loc, "attribute '%s' has no data", a->name);
    if (a->kind == ATTR_TENSOR)
        check_type(c, a->tensor, n->loc);
    if (a->kind != ATTR_GRAPH)
        return;
    if (a->graph->parent != g)
        fail(c, n->loc, "the graph of attribute '%s' belongs to another graph", a->name);
    check_graph(c, a->graph);
}

static void check_node(struct check *c, const struct graph *g, const struct node *n) {
    for (int k = 0; k < n->num_in; k++)
        if (n->in[k])
            check_use(c, n->in[k], n->loc);
    for (int k = 0; k < n->num_attrs; k++)
        check_attr(c, g, n, &n->attrs[k]);
    c->ok &= op_check(n, c->diag);
    for (int k = 0; k < n->num_out; k++)
        if (n->out[k])
            define(c, n->out[k], n, n->loc);
}

/* Leaving a graph: nothing outside may use what it defines. */
static void close_scope(struct check *c, const struct graph *g) {
    for (int k = 0; k < g->inputs.len; k++)
        c->seen[g->inputs.data[k]->id] = SEEN_CLOSED;
    for (int k = 0; k < g->constants.len; k++)
        c->seen[g->constants.data[k]->id] = SEEN_CLOSED;
    for (const struct node *n = g->first; n; n = n->next)
        for (int k = 0; k < n->num_out; k++)
            if (n->out[k])
                c->seen[n->out[k]->id] = SEEN_CLOSED;
}

static void check_graph(struct check *c, const struct graph *g) {
    struct loc nowhere = {0};
    for (int k = 0; k < g->inputs.len; k++)
        define(c, g->inputs.data[k], NULL, nowhere);
    for (int k = 0; k < g->constants.len; k++) {
        define(c, g->constants.data[k], NULL, nowhere);
        if (!g->constants.data[k]->data)
            fail(c, nowhere, "constant %%%d has no data", g->constants.data[k]->id);
    }
    for (const struct node *n = g->first; n; n = n->next)
        check_node(c, g, n);
    if (g->output_names.len != g->outputs.len)
        fail(c, nowhere, "graph '%s' has %d outputs and %d names", g->name, g->outputs.len,
             g->output_names.len);
    for (int k = 0; k < g->outputs.len; k++)
        check_use(c, g->outputs.data[k], nowhere);
    close_scope(c, g);
}

bool graph_check(const struct graph *g, bool typed, struct diag *d) {
    struct check c = {.root = g, .diag = d, .typed = typed, .ok = true};
    while (c.root->parent)
        c.root = c.root->parent;
    c.values = arena_array(&c.scratch, const struct value *, c.root->next_id);
    c.seen = arena_array(&c.scratch, unsigned char, c.root->next_id);
    check_graph(&c, c.root);
    arena_free(&c.scratch);
    return c.ok;
}
