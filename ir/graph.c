/* Building and editing graphs, and asking nodes for their attributes. The text form is in
 * graph_text.c, the verifier in graph_check.c.
 *
 * Everything of a graph and its subgraphs lives in one arena. Nothing keeps use lists: a use is
 * found by walking, which for the hundreds of nodes of a network is quicker than keeping lists
 * right. */
#include "ir/graph.h"
#include "ir/op.h"
#include <stdlib.h>

/* ---- building ---- */

static struct graph *root_of(struct graph *g) {
    while (g->parent)
        g = g->parent;
    return g;
}

struct graph *graph_new(struct intern *names, const char *name) {
    struct arena *arena = malloc(sizeof *arena);
    if (!arena)
        bug("out of memory");
    arena->head = NULL;
    struct graph *g = arena_new(arena, struct graph);
    g->arena = arena;
    g->names = names;
    g->name = intern(names, name);
    return g;
}

struct graph *graph_new_sub(struct graph *parent, const char *name) {
    struct graph *g = arena_new(parent->arena, struct graph);
    g->arena = parent->arena;
    g->names = parent->names;
    g->name = intern(parent->names, name);
    g->parent = parent;
    return g;
}

void graph_free(struct graph *g) {
    if (!g)
        return;
    struct arena *arena = g->arena;
    arena_free(arena);
    free(arena);
}

static struct shape copy_shape(struct arena *a, int rank, const int64_t *dims) {
    struct shape s = {.rank = rank};
    if (rank > 0)
        s.dims = arena_copy(a, dims, (size_t)rank * sizeof *dims);
    return s;
}

struct value *graph_add_value(struct graph *g, const char *name, enum dtype t, int rank,
                              const int64_t *dims) {
    struct value *v = arena_new(g->arena, struct value);
    v->id = root_of(g)->next_id++;
    v->name = name ? intern(g->names, name) : NULL;
    v->dtype = t;
    v->shape = copy_shape(g->arena, rank, dims);
    v->declared.rank = -1;
    return v;
}

struct value *graph_add_constant(struct graph *g, const char *name, enum dtype t, int rank,
                                 const int64_t *dims, const void *data) {
    struct value *v = graph_add_value(g, name, t, rank, dims);
    graph_make_constant(g, v, data);
    return v;
}

struct value *graph_add_ints(struct graph *g, const int64_t *v, int n) {
    int64_t dims[1] = {n};
    const void *data = arena_copy(g->arena, v, (size_t)n * sizeof *v);
    return graph_add_constant(g, NULL, DTYPE_I64, 1, dims, data);
}

struct node *graph_add_node(struct graph *g, struct node *before, const struct op *op,
                            struct value *const *in, int num_in, struct value *const *out,
                            int num_out, const struct attr *attrs, int num_attrs,
                            struct loc loc) {
    struct node *n = arena_new(g->arena, struct node);
    n->in = arena_copy(g->arena, in, (size_t)num_in * sizeof *in);
    n->num_in = num_in;
    n->out = arena_copy(g->arena, out, (size_t)num_out * sizeof *out);
    n->num_out = num_out;
    n->attrs = arena_copy(g->arena, attrs, (size_t)num_attrs * sizeof *attrs);
    n->num_attrs = num_attrs;
    n->loc = loc;
    graph_set_op(g, n, op);
    for (int k = 0; k < num_out; k++)
        if (out[k])
            out[k]->def = n;
    n->next = before;
    n->prev = before ? before->prev : g->last;
    *(n->prev ? &n->prev->next : &g->first) = n;
    *(before ? &before->prev : &g->last) = n;
    return n;
}

void graph_set_op(struct graph *g, struct node *n, const struct op *op) {
    n->op = op;
    n->defaults = op_parse_defaults(op, g->arena, g->names, &n->num_defaults);
}

/* ---- editing ---- */

void graph_remove_node(struct graph *g, struct node *n) {
    *(n->prev ? &n->prev->next : &g->first) = n->next;
    *(n->next ? &n->next->prev : &g->last) = n->prev;
    for (int k = 0; k < n->num_out; k++)
        if (n->out[k])
            n->out[k]->def = NULL;
}

void graph_replace_value(struct graph *g, struct value *from, struct value *to) {
    for (struct node *n = g->first; n; n = n->next) {
        for (int k = 0; k < n->num_in; k++)
            if (n->in[k] == from)
                n->in[k] = to;
        for (int k = 0; k < n->num_attrs; k++)
            if (n->attrs[k].kind == ATTR_GRAPH)
                graph_replace_value(n->attrs[k].graph, from, to);
    }
    for (int k = 0; k < g->outputs.len; k++)
        if (g->outputs.data[k] == from)
            g->outputs.data[k] = to;
}

void graph_make_constant(struct graph *g, struct value *v, const void *data) {
    static const char empty[1];
    int64_t bytes;
    if (!dtype_bytes(v->dtype, value_elements(v), &bytes))
        bug("constant %%%d is too large", v->id);
    if (v->def)
        for (int k = 0; k < v->def->num_out; k++)
            if (v->def->out[k] == v)
                v->def->out[k] = NULL;
    v->def = NULL;
    v->data = data ? data : empty;
    v->bytes = bytes;
    vec_push(g->arena, &g->constants, v);
}

/* ---- walks that visit every value ---- */

static void clear_uses(struct graph *g) {
    for (int k = 0; k < g->inputs.len; k++)
        g->inputs.data[k]->num_uses = 0;
    for (int k = 0; k < g->constants.len; k++)
        g->constants.data[k]->num_uses = 0;
    for (struct node *n = g->first; n; n = n->next) {
        for (int k = 0; k < n->num_out; k++)
            if (n->out[k])
                n->out[k]->num_uses = 0;
        for (int k = 0; k < n->num_attrs; k++)
            if (n->attrs[k].kind == ATTR_GRAPH)
                clear_uses(n->attrs[k].graph);
    }
}

static void add_uses(struct graph *g) {
    for (struct node *n = g->first; n; n = n->next) {
        for (int k = 0; k < n->num_in; k++)
            if (n->in[k])
                n->in[k]->num_uses++;
        for (int k = 0; k < n->num_attrs; k++)
            if (n->attrs[k].kind == ATTR_GRAPH)
                add_uses(n->attrs[k].graph);
    }
    for (int k = 0; k < g->outputs.len; k++)
        g->outputs.data[k]->num_uses++;
}

void graph_count_uses(struct graph *g) {
    g = root_of(g);
    clear_uses(g);
    add_uses(g);
}

static void renumber(struct graph *g, int *id) {
    for (int k = 0; k < g->inputs.len; k++)
        g->inputs.data[k]->id = (*id)++;
    for (int k = 0; k < g->constants.len; k++)
        g->constants.data[k]->id = (*id)++;
    for (struct node *n = g->first; n; n = n->next) {
        for (int k = 0; k < n->num_out; k++)
            if (n->out[k])
                n->out[k]->id = (*id)++;
        for (int k = 0; k < n->num_attrs; k++)
            if (n->attrs[k].kind == ATTR_GRAPH)
                renumber(n->attrs[k].graph, id);
    }
}

void graph_renumber(struct graph *g) {
    int id = 0;
    g = root_of(g);
    renumber(g, &id);
    g->next_id = id;
}

const char *graph_file(const struct graph *g) {
    for (const struct node *n = g->first; n; n = n->next)
        if (n->loc.file)
            return n->loc.file;
    return NULL;
}

/* ---- shapes ---- */

int64_t value_elements(const struct value *v) {
    int64_t n;
    if (v->shape.rank < 0 || !size_product(v->shape.dims, v->shape.rank, &n))
        bug("value %%%d has no known size", v->id);
    return n;
}

bool shape_equal(const struct shape *a, const struct shape *b) {
    if (a->rank != b->rank)
        return false;
    for (int k = 0; k < a->rank; k++)
        if (a->dims[k] != b->dims[k])
            return false;
    return true;
}

void shape_print(struct str *s, enum dtype t, const struct shape *shape) {
    str_add(s, t == DTYPE_NONE ? "?" : dtype_info(t)->text);
    if (shape->rank < 0) {
        if (t != DTYPE_NONE)
            str_add(s, "?");
        return;
    }
    str_add(s, "[");
    for (int k = 0; k < shape->rank; k++) {
        if (k)
            str_add(s, ",");
        if (shape->dims[k] < 0)
            str_add(s, "?");
        else
            str_addf(s, "%lld", (long long)shape->dims[k]);
    }
    str_add(s, "]");
}

/* ---- attributes ---- */

static const struct attr *find_attr(const struct attr *attrs, int n, const char *name) {
    for (int k = 0; k < n; k++)
        if (strcmp(attrs[k].name, name) == 0)
            return &attrs[k];
    return NULL;
}

const struct attr *node_attr(const struct node *n, const char *name) {
    return find_attr(n->attrs, n->num_attrs, name);
}

const struct attr *node_attr_or_default(const struct node *n, const char *name) {
    const struct attr *a = node_attr(n, name);
    return a ? a : find_attr(n->defaults, n->num_defaults, name);
}

/* NULL when there is none of this kind: another kind than the row's was refused by op_check. */
static const struct attr *attr_of(const struct node *n, const char *name, enum attr_kind kind) {
    const struct attr *a = node_attr_or_default(n, name);
    return a && a->kind == kind ? a : NULL;
}

int64_t node_int(const struct node *n, const char *name) {
    const struct attr *a = attr_of(n, name, ATTR_INT);
    return a ? a->i : 0;
}

double node_float(const struct node *n, const char *name) {
    const struct attr *a = attr_of(n, name, ATTR_FLOAT);
    return a ? a->f : 0.0;
}

const char *node_string(const struct node *n, const char *name) {
    const struct attr *a = attr_of(n, name, ATTR_STRING);
    return a ? a->s : NULL;
}

const int64_t *node_ints(const struct node *n, const char *name, int *len) {
    const struct attr *a = attr_of(n, name, ATTR_INTS);
    *len = a ? a->n : 0;
    return a ? a->ints : NULL;
}

const double *node_floats(const struct node *n, const char *name, int *len) {
    const struct attr *a = attr_of(n, name, ATTR_FLOATS);
    *len = a ? a->n : 0;
    return a ? a->floats : NULL;
}

bool node_has_in(const struct node *n, int k) {
    return k >= 0 && k < n->num_in && n->in[k];
}

bool node_has_out(const struct node *n, int k) {
    return k >= 0 && k < n->num_out && n->out[k];
}

const int64_t *value_ints(struct arena *a, const struct value *v, int *len) {
    *len = 0;
    if (!v || !v->data || (!dtype_is_integer(v->dtype) && v->dtype != DTYPE_BOOL))
        return NULL;
    int64_t n = value_elements(v);
    if (n > INT32_MAX)
        return NULL;
    int64_t *ints = arena_array(a, int64_t, n);
    for (int64_t k = 0; k < n; k++)
        ints[k] = dtype_load(v->dtype, v->data, k).i;
    *len = (int)n;
    return ints;
}
