/* Printing a graph for Graphviz (see graph_dot.h). A node is called n<id> after its first
 * result, r<k> when it has none; every other value v<id>, an output o<k>. */
#include "ir/graph_dot.h"
#include "ir/op.h"

struct dot {
    struct str *text;
    int outputs, silent; // so far
};

static void add_escaped(struct str *s, const char *text) {
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            str_addf(s, "\\\\x%02x", (unsigned)(unsigned char)*p);
        else if (*p == '"' || *p == '\\')
            str_addf(s, "\\%c", *p);
        else
            str_add_len(s, p, 1);
    }
}

/* The first result of a node that is wanted; NULL when there is none. */
static const struct value *first_result(const struct node *n) {
    const struct value *first = NULL;
    for (int k = 0; k < n->num_out && !first; k++)
        first = n->out[k];
    return first;
}

static void add_value_label(struct dot *d, const struct value *v) {
    if (v->name) {
        add_escaped(d->text, v->name);
        str_add(d->text, "\\n");
    }
    shape_print(d->text, v->dtype, &v->shape);
}

static void print_source(struct dot *d, const struct value *v, const char *kind) {
    str_addf(d->text, "    v%d [shape=ellipse, label=\"%s\\n", v->id, kind);
    add_value_label(d, v);
    str_add(d->text, "\"];\n");
}

static void print_edge(struct dot *d, const struct value *v, const char *to) {
    str_addf(d->text, "    %c%d -> %s [label=\"", v->def ? 'n' : 'v',
             v->def ? first_result(v->def)->id : v->id, to);
    add_value_label(d, v);
    str_add(d->text, "\"];\n");
}

static void print_node(struct dot *d, const struct node *n) {
    char name[16];
    const struct value *first = first_result(n);
    if (first)
        snprintf(name, sizeof name, "n%d", first->id);
    else
        snprintf(name, sizeof name, "r%d", d->silent++);
    str_addf(d->text, "    %s [label=\"%s\\n", name, n->op->name);
    add_escaped(d->text, n->loc.node ? n->loc.node : "");
    str_add(d->text, "\"];\n");
    for (int k = 0; k < n->num_in; k++)
        if (n->in[k])
            print_edge(d, n->in[k], name);
}

static void print_output(struct dot *d, const struct graph *g, int k) {
    char name[16];
    snprintf(name, sizeof name, "o%d", d->outputs++);
    str_addf(d->text, "    %s [shape=ellipse, label=\"output\\n", name);
    add_escaped(d->text, g->output_names.data[k] ? g->output_names.data[k] : "");
    str_add(d->text, "\"];\n");
    print_edge(d, g->outputs.data[k], name);
}

static void print_graph(struct dot *d, const struct graph *g) {
    for (int k = 0; k < g->inputs.len; k++)
        print_source(d, g->inputs.data[k], "input");
    for (int k = 0; k < g->constants.len; k++)
        print_source(d, g->constants.data[k], "constant");
    for (const struct node *n = g->first; n; n = n->next)
        print_node(d, n);
    for (int k = 0; k < g->outputs.len; k++)
        print_output(d, g, k);
}

void graph_print_dot(struct str *s, const struct graph *g) {
    struct dot d = {.text = s};
    str_add(s, "digraph \"");
    add_escaped(s, g->name ? g->name : "");
    str_add(s, "\" {\n    node [shape=box];\n");
    print_graph(&d, g);
    str_add(s, "}\n");
}
