/* Reading graphs: the inverse of graph_text.c. A dump may be hostile (it is fuzzed): nesting,
 * value numbers, ranks and sizes are bounded, and every name must be defined where it is used.
 * The verifier (graph_check.c) looks at the rest. */
#include "ir/constant.h"
#include "ir/graph.h"
#include "ir/op.h"
#include "ir/text.h"
#include <stdlib.h>

enum { MAX_NESTING = 64, MAX_ID = 1 << 20 };

struct definition {
    struct value *value;
    struct graph *graph; // in which it is defined
};

struct reader {
    struct text t;
    struct graph *root;
    struct map ids; // "%3" -> index in definitions + 1
    vec(struct definition) definitions;
    const struct constant_pool *pool;
    const char *model; // the file of all locations
    int depth;
};

static bool read_graph(struct reader *r, struct graph *g);

static struct arena *arena_of(struct reader *r) {
    return r->root->arena;
}

static bool read_dims(struct text *t, bool may_be_unknown, struct shape *shape) {
    int64_t dims[GRAPH_MAX_RANK], known[GRAPH_MAX_RANK], product;
    int rank = 0;
    while (!text_is(t, "]")) {
        if (rank == GRAPH_MAX_RANK)
            return text_error(t, "a shape has at most %d dimensions", GRAPH_MAX_RANK);
        if (may_be_unknown && text_accept(t, "?"))
            dims[rank] = -1;
        else if (!text_int(t, &dims[rank]))
            return false;
        else if (dims[rank] < 0)
            return text_error(t, "a dimension is negative");
        known[rank] = dims[rank] < 0 ? 1 : dims[rank];
        rank++;
        if (!text_is(t, "]") && !text_expect(t, ","))
            return false;
    }
    if (!size_product(known, rank, &product))
        return text_error(t, "the shape is too large");
    shape->rank = rank;
    shape->dims = rank ? arena_copy(t->arena, dims, (size_t)rank * sizeof *dims) : NULL;
    return text_expect(t, "]");
}

/* `f32[1,2]`, `f32?`, `?`, `?[1,2]` */
static bool read_type(struct text *t, enum dtype *dtype, struct shape *shape) {
    *dtype = DTYPE_NONE;
    shape->rank = -1;
    if (!text_accept(t, "?")) {
        const char *name = text_name(t);
        if (!name)
            return false;
        *dtype = dtype_from_text(name, strlen(name));
        if (*dtype == DTYPE_NONE || *dtype == DTYPE_INDEX)
            return text_error(t, "'%s' is no element type", name);
        if (text_accept(t, "?"))
            return true;
        if (!text_is(t, "["))
            return text_error(t, "expected the shape of a value of type %s", name);
    }
    return !text_accept(t, "[") || read_dims(t, false, shape);
}

/* `%3: f32[2] declared [2]`; NULL after an error. */
static struct value *read_definition(struct reader *r, struct graph *g) {
    const char *name = r->t.tok.text;
    if (r->t.tok.kind != TOK_VALUE) {
        text_expected(&r->t, "a value such as %0");
        return NULL;
    }
    char *end, canonical[32];
    long id = strtol(name + 1, &end, 10);
    snprintf(canonical, sizeof canonical, "%%%ld", id);
    bool added;
    int64_t *cell = map_put(&r->ids, name, &added);
    if (id < 0 || id >= MAX_ID || strcmp(canonical, name) != 0) {
        text_error(&r->t, "'%s' is no value number", name);
        return NULL;
    }
    if (!added) {
        text_error(&r->t, "%s is defined twice", name);
        return NULL;
    }
    struct value *v = graph_add_value(g, NULL, DTYPE_NONE, -1, NULL);
    v->id = (int)id;
    vec_push(arena_of(r), &r->definitions, ((struct definition){v, g}));
    *cell = r->definitions.len;
    text_next(&r->t);
    if (!text_expect(&r->t, ":") || !read_type(&r->t, &v->dtype, &v->shape))
        return NULL;
    if (text_accept(&r->t, "declared") &&
        (!text_expect(&r->t, "[") || !read_dims(&r->t, true, &v->declared)))
        return NULL;
    return v;
}

/* A value that is in scope, or `_` (*v NULL). */
static bool read_use(struct reader *r, struct graph *g, struct value **v) {
    *v = NULL;
    if (text_accept(&r->t, "_"))
        return true;
    if (r->t.tok.kind != TOK_VALUE)
        return text_expected(&r->t, "a value such as %0, or _");
    const int64_t *cell = map_get(&r->ids, r->t.tok.text);
    const struct definition *d = cell && *cell ? &r->definitions.data[*cell - 1] : NULL;
    while (d && g && d->graph != g)
        g = g->parent;
    if (!d || !g)
        return text_error(&r->t, "%s is not defined here", r->t.tok.text);
    *v = d->value;
    text_next(&r->t);
    return true;
}

/* ---- reading attributes ---- */

static bool read_number(struct text *t, union scalar *v, bool *is_float) {
    bool negative = text_accept(t, "-");
    if (t->tok.kind != TOK_NUMBER)
        return text_expected(t, "a number");
    *is_float = t->tok.is_float;
    *v = t->tok.value;
    if (*is_float)
        v->f = negative ? -v->f : v->f;
    else if (negative)
        v->u = 0 - v->u;
    text_next(t);
    return true;
}

/* Attributes are f32 in ONNX: 0.1 means the f32 nearest to it. */
static double to_single(double v) {
    return (double)(float)v;
}

/* The items of a list; those of another kind than the first are errors. */
struct items {
    vec(union scalar) numbers;
    vec(const char *) strings;
    bool any_float;
};

static bool read_item(struct text *t, struct items *items) {
    struct arena *a = t->arena;
    if (t->tok.kind == TOK_STRING) {
        vec_push(a, &items->strings, text_string(t));
        return items->numbers.len == 0 || text_error(t, "numbers and strings in one list");
    }
    union scalar v;
    bool is_float = false;
    if (!read_number(t, &v, &is_float))
        return false;
    if (is_float && !items->any_float)
        for (int k = 0; k < items->numbers.len; k++)
            items->numbers.data[k].f = (double)items->numbers.data[k].i;
    items->any_float |= is_float;
    if (items->any_float && !is_float)
        v.f = (double)v.i;
    vec_push(a, &items->numbers, v);
    return items->strings.len == 0 || text_error(t, "numbers and strings in one list");
}

/* Stores a list's items as the kind the row wants, where they can be that. */
static void store_list(struct text *t, struct items *items, enum attr_kind want,
                       struct attr *a) {
    int n = items->numbers.len;
    if (items->strings.len || (!n && want == ATTR_STRINGS)) {
        a->kind = ATTR_STRINGS;
        a->n = items->strings.len;
        a->strings = items->strings.data;
        return;
    }
    a->n = n;
    a->kind = items->any_float || want == ATTR_FLOATS ? ATTR_FLOATS : ATTR_INTS;
    int64_t *ints = arena_array(t->arena, int64_t, n);
    double *floats = arena_array(t->arena, double, n);
    for (int k = 0; k < n; k++) {
        union scalar v = items->numbers.data[k];
        ints[k] = v.i;
        floats[k] = items->any_float ? to_single(v.f) : (double)v.i;
    }
    if (a->kind == ATTR_INTS)
        a->ints = ints;
    else
        a->floats = floats;
}

static bool read_list(struct text *t, enum attr_kind want, struct attr *a) {
    struct items items = {0};
    while (!text_is(t, "]"))
        if (!read_item(t, &items) || (!text_is(t, "]") && !text_expect(t, ",")))
            return false;
    store_list(t, &items, want, a);
    return text_expect(t, "]");
}

/* `f32[2]{1.0, 2.0}` */
static const struct value *read_tensor(struct text *t, const struct constant_pool *pool) {
    struct value *v = arena_new(t->arena, struct value);
    int64_t n;
    v->declared.rank = -1;
    v->id = -1;
    if (!read_type(t, &v->dtype, &v->shape))
        return NULL;
    if (v->dtype == DTYPE_NONE || v->shape.rank < 0) {
        text_error(t, "a tensor needs a type and a shape");
        return NULL;
    }
    n = value_elements(v);
    if (!dtype_bytes(v->dtype, n, &v->bytes)) {
        text_error(t, "the shape is too large");
        return NULL;
    }
    v->data = constant_read(t, v->dtype, n, pool);
    return v->data ? v : NULL;
}

static bool read_scalar(struct text *t, enum attr_kind want, struct attr *a) {
    union scalar v;
    bool is_float = false;
    if (!read_number(t, &v, &is_float))
        return false;
    a->kind = is_float || want == ATTR_FLOAT ? ATTR_FLOAT : ATTR_INT;
    if (a->kind == ATTR_INT)
        a->i = v.i;
    else
        a->f = is_float ? to_single(v.f) : (double)v.i;
    return true;
}

bool attr_read(struct text *t, enum attr_kind want, const struct constant_pool *pool,
               struct attr *a) {
    if (text_accept(t, "["))
        return read_list(t, want, a);
    if (t->tok.kind == TOK_STRING) {
        a->kind = ATTR_STRING;
        a->s = text_string(t);
        return true;
    }
    if (t->tok.kind == TOK_NAME) {
        a->kind = ATTR_TENSOR;
        a->tensor = read_tensor(t, pool);
        return a->tensor != NULL;
    }
    return read_scalar(t, want, a);
}

static bool read_subgraph(struct reader *r, struct graph *g, struct attr *a) {
    a->kind = ATTR_GRAPH;
    a->graph = graph_new_sub(g, "");
    if (++r->depth > MAX_NESTING)
        return text_error(&r->t, "graphs are nested more than %d deep", MAX_NESTING);
    if (!read_graph(r, a->graph) || !text_expect(&r->t, "}"))
        return false;
    r->depth--;
    return true;
}

/* An attribute's name is directly followed by its `=`. */
static bool at_attr(const struct reader *r) {
    return (r->t.tok.kind == TOK_NAME || r->t.tok.kind == TOK_STRING) && r->t.p < r->t.end &&
           *r->t.p == '=';
}

static bool read_attr(struct reader *r, struct graph *g, const struct op *op, struct attr *a) {
    *a = (struct attr){.name = r->t.tok.text};
    enum attr_kind want = ATTR_INT;
    op_attr_kind(op, a->name, &want);
    text_next(&r->t);
    if (!text_expect(&r->t, "="))
        return false;
    return text_accept(&r->t, "{") ? read_subgraph(r, g, a)
                                   : attr_read(&r->t, want, r->pool, a);
}

/* ---- reading nodes and graphs ---- */

/* A node while its parts are read. */
struct parts {
    vec(struct value *) in, out;
    vec(struct attr) attrs;
    const struct op *op;
    struct loc loc;
};

static bool read_results(struct reader *r, struct graph *g, struct parts *p) {
    do {
        struct value *v = NULL;
        if (!text_accept(&r->t, "_") && !(v = read_definition(r, g)))
            return false;
        vec_push(arena_of(r), &p->out, v);
    } while (text_accept(&r->t, ","));
    return text_expect(&r->t, "=");
}

static bool read_operator(struct reader *r, struct parts *p) {
    const char *domain = "", *name;
    if (r->t.tok.kind == TOK_STRING) {
        domain = text_string(&r->t);
        if (!text_expect(&r->t, "."))
            return false;
    }
    if (!(name = text_name(&r->t)))
        return false;
    p->op = op_find(domain, name);
    if (!p->op)
        return text_error(&r->t, "operator '%s%s%s' is not known", domain, *domain ? "." : "",
                          name);
    return true;
}

static bool read_operands(struct reader *r, struct graph *g, struct parts *p) {
    if (!text_expect(&r->t, "("))
        return false;
    while (!text_is(&r->t, ")")) {
        struct value *v;
        if (!read_use(r, g, &v) || (!text_is(&r->t, ")") && !text_expect(&r->t, ",")))
            return false;
        vec_push(arena_of(r), &p->in, v);
    }
    return text_expect(&r->t, ")");
}

static bool read_node(struct reader *r, struct graph *g) {
    struct parts p = {.loc = {.file = r->model}};
    bool has_results = r->t.tok.kind == TOK_VALUE || text_is(&r->t, "_");
    if ((has_results && !read_results(r, g, &p)) || !read_operator(r, &p) ||
        !read_operands(r, g, &p))
        return false;
    while (at_attr(r)) {
        struct attr a;
        if (!read_attr(r, g, p.op, &a))
            return false;
        vec_push(arena_of(r), &p.attrs, a);
    }
    if (text_accept(&r->t, "@") && !(p.loc.node = text_string(&r->t)))
        return false;
    graph_add_node(g, NULL, p.op, p.in.data, p.in.len, p.out.data, p.out.len, p.attrs.data,
                   p.attrs.len, p.loc);
    return true;
}

/* The optional name at the end of a line; a string with a dot behind it is the domain of the
 * next node. */
static const char *read_name(struct reader *r) {
    bool domain = r->t.p < r->t.end && *r->t.p == '.';
    return r->t.tok.kind == TOK_STRING && !domain ? text_string(&r->t) : NULL;
}

static bool read_input(struct reader *r, struct graph *g) {
    struct value *v = read_definition(r, g);
    if (!v)
        return false;
    v->name = read_name(r);
    vec_push(arena_of(r), &g->inputs, v);
    return true;
}

static bool read_const(struct reader *r, struct graph *g) {
    struct value *v = read_definition(r, g);
    int64_t bytes;
    if (!v)
        return false;
    if (v->dtype == DTYPE_NONE || v->shape.rank < 0)
        return text_error(&r->t, "a constant needs a type and a shape");
    if (!dtype_bytes(v->dtype, value_elements(v), &bytes))
        return text_error(&r->t, "the shape is too large");
    if (!text_expect(&r->t, "="))
        return false;
    const void *data = constant_read(&r->t, v->dtype, value_elements(v), r->pool);
    if (!data)
        return false;
    graph_make_constant(g, v, data);
    v->name = read_name(r);
    return true;
}

static bool read_output(struct reader *r, struct graph *g) {
    struct value *v;
    if (!read_use(r, g, &v))
        return false;
    if (!v)
        return text_error(&r->t, "an output is a value");
    vec_push(arena_of(r), &g->outputs, v);
    vec_push(arena_of(r), &g->output_names, read_name(r));
    return true;
}

static bool read_line(struct reader *r, struct graph *g) {
    if (text_accept(&r->t, "input"))
        return read_input(r, g);
    if (text_accept(&r->t, "const"))
        return read_const(r, g);
    if (text_accept(&r->t, "output"))
        return read_output(r, g);
    return read_node(r, g);
}

static bool read_graph(struct reader *r, struct graph *g) {
    if (!text_expect(&r->t, "graph"))
        return false;
    const char *name = text_string(&r->t);
    if (!name)
        return false;
    g->name = name;
    if (!g->parent && text_accept(&r->t, "file") && !(r->model = text_string(&r->t)))
        return false;
    while (r->t.tok.kind != TOK_END && !text_is(&r->t, "}"))
        if (!read_line(r, g))
            return false;
    return true;
}

static bool read_whole(struct reader *r) {
    if (!read_graph(r, r->root))
        return false;
    if (r->t.tok.kind != TOK_END)
        return text_expected(&r->t, "the end of the graph");
    return !r->t.failed;
}

struct graph *graph_read(const char *file, const char *text, size_t len, struct intern *names,
                         const struct constant_pool *pool, struct diag *d) {
    struct reader r = {.root = graph_new(names, ""), .pool = pool};
    text_init(&r.t, d, r.root->arena, names, file, text, len);
    bool ok = read_whole(&r);
    r.root->next_id = 0;
    for (int k = 0; k < r.definitions.len; k++)
        if (r.definitions.data[k].value->id >= r.root->next_id)
            r.root->next_id = r.definitions.data[k].value->id + 1;
    map_free(&r.ids);
    if (ok)
        return r.root;
    graph_free(r.root);
    return NULL;
}
