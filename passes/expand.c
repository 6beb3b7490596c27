/* Compound operators become their bodies: what a row says in graph text, in terms of simpler
 * rows. */
#include "ir/op.h"
#include "passes/template.h"

static void bind_operands(struct template *t, const struct node *n) {
    struct op_param p;
    for (int k = 0; op_operand(n->op, k, &p) && (!p.variadic || k < n->num_in); k++)
        template_bind(t, intern_len(t->graph->names, p.name, (size_t)p.len),
                      node_has_in(n, k) ? n->in[k] : NULL);
}

/* Every wanted result is the value of the signature's name for it. */
static void replace_results(struct template *t, struct node *n) {
    for (int k = 0; k < n->num_out; k++) {
        struct op_param p;
        if (!n->out[k] || !op_result(n->op, k, &p))
            continue;
        struct value *from = n->out[k];
        struct value *to =
            template_value(t, intern_len(t->graph->names, p.name, (size_t)p.len));
        if (!to || to->dtype != from->dtype || !shape_equal(&to->shape, &from->shape))
            bug("body of %s: result %d has another type than its shape rule says", n->op->name,
                k);
        to->name = to->name ? to->name : from->name;
        graph_replace_value(t->graph, from, to);
    }
}

/* Replaces n by its body; *next is the first node of the body, or what follows n. */
static bool expand_node(struct compile *c, struct graph *g, struct node *n,
                        struct node **next) {
    struct template t = {.compile = c, .graph = g, .before = n, .loc = n->loc};
    struct node *previous = n->prev;
    t.nodes[t.num_nodes++] = n;
    bind_operands(&t, n);
    if (!template_run(&t, n->op->body, strlen(n->op->body)))
        return false;
    replace_results(&t, n);
    graph_remove_node(g, n);
    *next = previous ? previous->next : g->first;
    return true;
}

/* Replaces every node whose row has a body, bodies in bodies too. Requires: types; keeps them.
 * Afterwards every row has an expression or a lowering function. Constants that appear are
 * folded. Cost: one walk. */
bool pass_expand(struct compile *c, struct graph *g) {
    bool ok = true;
    for (struct node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (n->op->body)
            ok &= expand_node(c, g, n, &next);
    }
    return ok;
}
