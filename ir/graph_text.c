/* The text form of graphs (see graph.h): print and read, each the inverse of the other.
 *
 * A dump taken before `infer` also has what the model declares of a value: `%3: ? declared
 * [1,?]`. A node without results prints as its call alone. All nodes share one model file,
 * which stands in the header: `graph "digits" file "model.onnx"`. */
#include "ir/constant.h"
#include "ir/graph.h"
#include "ir/op.h"
#include "ir/text.h"
#include <ctype.h>
#include <stdlib.h>

enum { MAX_NESTING = 64, MAX_ID = 1 << 20 };

/* ---- printing ---- */

static void print_graph(struct str *s, const struct graph *g, struct constant_pool *pool,
                        int depth);

static void print_float(struct str *s, double v) {
    text_add_scalar(s, DTYPE_F32, (union scalar){.f = v}, true);
}

static void print_attr_name(struct str *s, const char *name) {
    bool plain = isalpha((unsigned char)*name) || *name == '_';
    for (const char *p = name; *p; p++)
        plain = plain && (isalnum((unsigned char)*p) || *p == '_');
    if (plain)
        str_add(s, name);
    else
        str_add_quoted(s, name);
}

static void print_element(struct str *s, const struct attr *a, int k) {
    if (k)
        str_add(s, ",");
    if (a->kind == ATTR_INTS)
        str_addf(s, "%lld", (long long)a->ints[k]);
    else if (a->kind == ATTR_FLOATS)
        print_float(s, a->floats[k]);
    else
        str_add_quoted(s, a->strings[k]);
}

static void print_attr(struct str *s, const struct attr *a, struct constant_pool *pool,
                       int depth) {
    str_add(s, " ");
    print_attr_name(s, a->name);
    str_add(s, "=");
    switch (a->kind) {
    case ATTR_INT:
        str_addf(s, "%lld", (long long)a->i);
        break;
    case ATTR_FLOAT:
        print_float(s, a->f);
        break;
    case ATTR_STRING:
        str_add_quoted(s, a->s);
        break;
    case ATTR_TENSOR:
        shape_print(s, a->tensor->dtype, &a->tensor->shape);
        constant_print(s, a->tensor->dtype, a->tensor->data, value_elements(a->tensor), pool);
        break;
    case ATTR_GRAPH:
        str_add(s, "{\n");
        print_graph(s, a->graph, pool, depth + 1);
        str_addf(s, "%*s}", 4 * depth, "");
        break;
    case ATTR_INTS:
    case ATTR_FLOATS:
    case ATTR_STRINGS:
        str_add(s, "[");
        for (int k = 0; k < a->n; k++)
            print_element(s, a, k);
        str_add(s, "]");
        break;
    }
}

/* `%3: f32[2]`, with what is declared of it. */
static void print_definition(struct str *s, const struct value *v) {
    str_addf(s, "%%%d: ", v->id);
    shape_print(s, v->dtype, &v->shape);
    if (v->declared.rank >= 0) {
        struct str declared = {0};
        shape_print(&declared, DTYPE_NONE, &v->declared);
        str_addf(s, " declared %s", str_cstr(&declared) + 1); // without the ? of its type
        str_free(&declared);
    }
}

static void print_name(struct str *s, const char *name) {
    if (!name)
        return;
    str_add(s, " ");
    str_add_quoted(s, name);
}

static void print_node(struct str *s, const struct node *n, struct constant_pool *pool,
                       int depth) {
    str_addf(s, "%*s", 4 * depth, "");
    for (int k = 0; k < n->num_out; k++) {
        str_add(s, k ? ", " : "");
        if (n->out[k])
            print_definition(s, n->out[k]);
        else
            str_add(s, "_");
    }
    str_add(s, n->num_out ? " = " : "");
    if (n->op->domain && *n->op->domain) {
        str_add_quoted(s, n->op->domain);
        str_add(s, ".");
    }
    str_addf(s, "%s(", n->op->name);
    for (int k = 0; k < n->num_in; k++) {
        str_add(s, k ? ", " : "");
        if (n->in[k])
            str_addf(s, "%%%d", n->in[k]->id);
        else
            str_add(s, "_");
    }
    str_add(s, ")");
    for (int k = 0; k < n->num_attrs; k++)
        print_attr(s, &n->attrs[k], pool, depth);
    if (n->loc.node) {
        str_add(s, " @");
        print_name(s, n->loc.node);
    }
    str_add(s, "\n");
}

/* The model file that nodes come from; NULL when no node says. */
static const char *file_of(const struct graph *g) {
    for (const struct node *n = g->first; n; n = n->next)
        if (n->loc.file)
            return n->loc.file;
    return NULL;
}

static void print_graph(struct str *s, const struct graph *g, struct constant_pool *pool,
                        int depth) {
    const char *file = depth ? NULL : file_of(g);
    str_addf(s, "%*sgraph", 4 * depth, "");
    print_name(s, g->name);
    str_add(s, file ? " file" : "");
    print_name(s, file);
    str_add(s, "\n");
    for (int k = 0; k < g->inputs.len; k++) {
        str_addf(s, "%*sinput ", 4 * depth, "");
        print_definition(s, g->inputs.data[k]);
        print_name(s, g->inputs.data[k]->name);
        str_add(s, "\n");
    }
    for (int k = 0; k < g->constants.len; k++) {
        const struct value *v = g->constants.data[k];
        str_addf(s, "%*sconst ", 4 * depth, "");
        print_definition(s, v);
        str_add(s, " = ");
        constant_print(s, v->dtype, v->data, value_elements(v), pool);
        print_name(s, v->name);
        str_add(s, "\n");
    }
    for (const struct node *n = g->first; n; n = n->next)
        print_node(s, n, pool, depth);
    for (int k = 0; k < g->outputs.len; k++) {
        str_addf(s, "%*soutput %%%d", 4 * depth, "", g->outputs.data[k]->id);
        print_name(s, g->output_names.data[k]);
        str_add(s, "\n");
    }
}

void graph_print(struct str *s, const struct graph *g, struct constant_pool *pool) {
    print_graph(s, g, pool, 0);
}

/* ---- reading ---- */

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

static bool read_dims(struct reader *r, bool may_be_unknown, struct shape *shape) {
    int64_t dims[GRAPH_MAX_RANK], known[GRAPH_MAX_RANK], product;
    int rank = 0;
    while (!text_is(&r->t, "]")) {
        if (rank == GRAPH_MAX_RANK)
            return text_error(&r->t, "a shape has at most %d dimensions", GRAPH_MAX_RANK);
        if (may_be_unknown && text_accept(&r->t, "?"))
            dims[rank] = -1;
        else if (!text_int(&r->t, &dims[rank]))
            return false;
        else if (dims[rank] < 0)
            return text_error(&r->t, "a dimension is negative");
        known[rank] = dims[rank] < 0 ? 1 : dims[rank];
        rank++;
        if (!text_is(&r->t, "]") && !text_expect(&r->t, ","))
            return false;
    }
    if (!size_product(known, rank, &product))
        return text_error(&r->t, "the shape is too large");
    shape->rank = rank;
    shape->dims = rank ? arena_copy(arena_of(r), dims, (size_t)rank * sizeof *dims) : NULL;
    return text_expect(&r->t, "]");
}

/* `f32[1,2]`, `f32?`, `?`, `?[1,2]` */
static bool read_type(struct reader *r, enum dtype *t, struct shape *shape) {
    *t = DTYPE_NONE;
    shape->rank = -1;
    if (!text_accept(&r->t, "?")) {
        const char *name = text_name(&r->t);
        if (!name)
            return false;
        *t = dtype_from_text(name, strlen(name));
        if (*t == DTYPE_NONE || *t == DTYPE_INDEX)
            return text_error(&r->t, "'%s' is no element type", name);
        if (text_accept(&r->t, "?"))
            return true;
        if (!text_is(&r->t, "["))
            return text_error(&r->t, "expected the shape of a value of type %s", name);
    }
    return !text_accept(&r->t, "[") || read_dims(r, false, shape);
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
    if (!text_expect(&r->t, ":") || !read_type(r, &v->dtype, &v->shape))
        return NULL;
    if (text_accept(&r->t, "declared") &&
        (!text_expect(&r->t, "[") || !read_dims(r, true, &v->declared)))
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

static bool read_number(struct reader *r, union scalar *v, bool *is_float) {
    bool negative = text_accept(&r->t, "-");
    if (r->t.tok.kind != TOK_NUMBER)
        return text_expected(&r->t, "a number");
    *is_float = r->t.tok.is_float;
    *v = r->t.tok.value;
    if (*is_float)
        v->f = negative ? -v->f : v->f;
    else if (negative)
        v->u = 0 - v->u;
    text_next(&r->t);
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

static bool read_item(struct reader *r, struct items *items) {
    struct arena *a = arena_of(r);
    if (r->t.tok.kind == TOK_STRING) {
        vec_push(a, &items->strings, text_string(&r->t));
        return items->numbers.len == 0 || text_error(&r->t, "numbers and strings in one list");
    }
    union scalar v;
    bool is_float;
    if (!read_number(r, &v, &is_float))
        return false;
    if (is_float && !items->any_float)
        for (int k = 0; k < items->numbers.len; k++)
            items->numbers.data[k].f = (double)items->numbers.data[k].i;
    items->any_float |= is_float;
    if (items->any_float && !is_float)
        v.f = (double)v.i;
    vec_push(a, &items->numbers, v);
    return items->strings.len == 0 || text_error(&r->t, "numbers and strings in one list");
}

/* Stores a list's items as the kind the row wants, where they can be that. */
static void store_list(struct reader *r, struct items *items, enum attr_kind want,
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
    int64_t *ints = arena_array(arena_of(r), int64_t, n);
    double *floats = arena_array(arena_of(r), double, n);
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

static bool read_list(struct reader *r, enum attr_kind want, struct attr *a) {
    struct items items = {0};
    while (!text_is(&r->t, "]"))
        if (!read_item(r, &items) || (!text_is(&r->t, "]") && !text_expect(&r->t, ",")))
            return false;
    store_list(r, &items, want, a);
    return text_expect(&r->t, "]");
}

/* `f32[2]{1.0, 2.0}` */
static const struct value *read_tensor(struct reader *r) {
    struct value *v = arena_new(arena_of(r), struct value);
    int64_t n;
    v->declared.rank = -1;
    v->id = -1;
    if (!read_type(r, &v->dtype, &v->shape))
        return NULL;
    if (v->dtype == DTYPE_NONE || v->shape.rank < 0) {
        text_error(&r->t, "a tensor needs a type and a shape");
        return NULL;
    }
    n = value_elements(v);
    if (!dtype_bytes(v->dtype, n, &v->bytes)) {
        text_error(&r->t, "the shape is too large");
        return NULL;
    }
    v->data = constant_read(&r->t, v->dtype, n, r->pool);
    return v->data ? v : NULL;
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

static bool read_scalar(struct reader *r, enum attr_kind want, struct attr *a) {
    union scalar v;
    bool is_float;
    if (!read_number(r, &v, &is_float))
        return false;
    a->kind = is_float || want == ATTR_FLOAT ? ATTR_FLOAT : ATTR_INT;
    if (a->kind == ATTR_INT)
        a->i = v.i;
    else
        a->f = is_float ? to_single(v.f) : (double)v.i;
    return true;
}

static bool read_attr_value(struct reader *r, struct graph *g, enum attr_kind want,
                            struct attr *a) {
    if (text_accept(&r->t, "["))
        return read_list(r, want, a);
    if (text_accept(&r->t, "{"))
        return read_subgraph(r, g, a);
    if (r->t.tok.kind == TOK_STRING) {
        a->kind = ATTR_STRING;
        a->s = text_string(&r->t);
        return true;
    }
    if (r->t.tok.kind == TOK_NAME) {
        a->kind = ATTR_TENSOR;
        a->tensor = read_tensor(r);
        return a->tensor != NULL;
    }
    return read_scalar(r, want, a);
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
    return text_expect(&r->t, "=") && read_attr_value(r, g, want, a);
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
