/* graph -> loops: a walk in topological order that calls each node's row. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"
#include "passes/passes.h"

static int add_array(struct lower *l, enum array_kind kind, const struct value *v,
                     const char *name) {
    return loops_add_static(l->loops, kind, v->dtype, v->shape.rank, v->shape.dims, name);
}

/* Inputs and outputs first, in the order of the interface. A result is computed in its output
 * array where it has one; what else an output may be is copied by copy_outputs. */
static void add_interface(struct lower *l, const struct graph *g, int *output_arrays) {
    for (int k = 0; k < g->inputs.len; k++)
        l->array_of[g->inputs.data[k]->id] =
            add_array(l, ARRAY_INPUT, g->inputs.data[k], g->inputs.data[k]->name);
    for (int k = 0; k < g->outputs.len; k++) {
        const struct value *v = g->outputs.data[k];
        output_arrays[k] = add_array(l, ARRAY_OUTPUT, v, g->output_names.data[k]);
        if (v->def && l->array_of[v->id] < 0)
            l->array_of[v->id] = output_arrays[k];
    }
}

/* Constants get an array when something reads them. */
static void add_constant(struct lower *l, const struct value *v) {
    if (v && v->data && l->array_of[v->id] < 0)
        l->array_of[v->id] =
            loops_add_const(l->loops, v->dtype, v->shape.rank, v->shape.dims, v->data, v->name);
}

static void lower_node(struct lower *l, const struct node *n) {
    l->node = n;
    for (int k = 0; k < n->num_in; k++)
        add_constant(l, n->in[k]);
    if (n->op->lower)
        n->op->lower(l, n);
    else if (!n->op->expr)
        bug("%s has a body and was not expanded", n->op->name);
    else if (n->op->infer == shape_reduce)
        lower_reduction(l, n);
    else
        lower_elementwise(l, n);
}

/* Outputs that are an input, a constant, or another output as well. */
static void copy_outputs(struct lower *l, const struct graph *g, const int *output_arrays) {
    for (int k = 0; k < g->outputs.len; k++) {
        const struct value *v = g->outputs.data[k];
        add_constant(l, v);
        if (l->array_of[v->id] == output_arrays[k])
            continue;
        struct node copy = {.loc = {.file = graph_file(g), .node = g->output_names.data[k]}};
        l->node = &copy;
        build_copy(l, output_arrays[k], l->array_of[v->id]);
    }
}

/* Names of intermediate tensors are not part of a graph's text: they end here, so that every
 * dump gives the same program. */
static void forget_names(struct loops *loops) {
    for (int k = 0; k < loops->arrays.len; k++)
        if (loops->arrays.data[k].kind == ARRAY_TEMP ||
            loops->arrays.data[k].kind == ARRAY_VIEW)
            loops->arrays.data[k].onnx_name = NULL;
}

/* Requires: types everywhere, no node with a body. Reports operator forms that cannot be
 * lowered and returns NULL then. Constants keep borrowing the graph's bytes: the graph must
 * outlive the loops. Cost: one walk. */
struct loops *loops_from_graph(struct compile *c, const struct graph *g) {
    struct loops *loops = loops_new(c->names, g->name);
    struct arena scratch = {0};
    struct lower l = {.loops = loops,
                      .arena = loops->arena,
                      .diag = c->diag,
                      .array_of = arena_array(&scratch, int, g->next_id),
                      .into = &loops->body};
    int *output_arrays = arena_array(&scratch, int, g->outputs.len);
    int errors = c->diag->errors;
    for (int k = 0; k < g->next_id; k++)
        l.array_of[k] = -1;
    add_interface(&l, g, output_arrays);
    for (const struct node *n = g->first; n; n = n->next)
        lower_node(&l, n);
    copy_outputs(&l, g, output_arrays);
    forget_names(loops);
    arena_free(&scratch);
    if (c->diag->errors == errors)
        return loops;
    loops_free(loops);
    return NULL;
}
