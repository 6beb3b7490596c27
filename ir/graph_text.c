/* Printing graphs (see graph.h); graph_read.c is the inverse.
 *
 * A dump taken before `infer` also has what the model declares of a value: `%3: ? declared
 * [1,?]`. A node without results prints as its call alone. All nodes share one model file,
 * which stands in the header: `graph "digits" file "model.onnx"`. */
#include "ir/constant.h"
#include "ir/graph.h"
#include "ir/op.h"
#include "ir/text.h"
#include <ctype.h>

static void print_graph(struct str *s, const struct graph *g, struct constant_pool *pool,
                        int depth);

static void print_float(struct str *s, double v) {
    text_add_scalar(s, DTYPE_F32, (union scalar){.f = v}, true);
}

static void print_attr_name(struct str *s, const char *name) {
    bool plain = isalpha((unsigned char)*name) || *name == '_';
    plain = plain && strncmp(name, "inf", 3) != 0 && strncmp(name, "nan", 3) != 0; // numbers
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

static void print_value(struct str *s, const struct attr *a, struct constant_pool *pool,
                        int depth) {
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

static void print_attr(struct str *s, const struct attr *a, struct constant_pool *pool,
                       int depth) {
    str_add(s, " ");
    print_attr_name(s, a->name);
    str_add(s, "=");
    print_value(s, a, pool, depth);
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

static void print_graph(struct str *s, const struct graph *g, struct constant_pool *pool,
                        int depth) {
    const char *file = depth ? NULL : graph_file(g);
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

void attr_print(struct str *s, const struct attr *a, struct constant_pool *pool) {
    print_value(s, a, pool, 0);
}

void graph_print(struct str *s, const struct graph *g, struct constant_pool *pool) {
    print_graph(s, g, pool, 0);
}
