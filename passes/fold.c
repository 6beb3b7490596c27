/* Constant folding without a line per operator: a node whose operands are constants is lowered
 * like any other, run by the interpreter, and replaced by the bytes that came out. */
#include "ir/interp.h"
#include "ir/op.h"
#include "passes/passes.h"

/* No node may turn into more constant bytes than this: a Tile or Expand of a small constant
 * would fill the flash. */
#define MAX_FOLDED ((int64_t)64 << 20)

/* A node with effects and no results is a test: one of constants that holds may go. */
static bool can_fold(const struct node *n) {
    if (n->op->flags & OP_IMPURE && n->num_out > 0)
        return false;
    for (int k = 0; k < n->num_attrs; k++)
        if (n->attrs[k].kind == ATTR_GRAPH)
            return false;
    for (int k = 0; k < n->num_in; k++)
        if (n->in[k] && !n->in[k]->data && !(n->op->flags & OP_SHAPE_ONLY))
            return false;
    return true;
}

static int64_t result_bytes(const struct node *n) {
    int64_t total = 0, bytes;
    for (int k = 0; k < n->num_out; k++) {
        if (!n->out[k])
            continue;
        if (!dtype_bytes(n->out[k]->dtype, value_elements(n->out[k]), &bytes) ||
            !size_add(total, bytes, &total))
            return INT64_MAX;
    }
    return total;
}

/* A graph of this node alone: constants stay constants (their bytes are borrowed), others
 * become inputs. */
static struct graph *isolate(const struct graph *g, const struct node *n) {
    struct graph *alone = graph_new(g->names, "fold");
    struct arena *a = alone->arena;
    struct value **in = arena_array(a, struct value *, n->num_in);
    struct value **out = arena_array(a, struct value *, n->num_out);
    for (int k = 0; k < n->num_in; k++) {
        const struct value *v = n->in[k];
        if (!v)
            continue;
        in[k] = graph_add_value(alone, NULL, v->dtype, v->shape.rank, v->shape.dims);
        if (v->data)
            graph_make_constant(alone, in[k], v->data);
        else
            vec_push(a, &alone->inputs, in[k]);
    }
    for (int k = 0; k < n->num_out; k++) {
        const struct value *v = n->out[k];
        if (!v)
            continue;
        out[k] = graph_add_value(alone, NULL, v->dtype, v->shape.rank, v->shape.dims);
        vec_push(a, &alone->outputs, out[k]);
        vec_push(a, &alone->output_names, "");
    }
    graph_add_node(alone, NULL, n->op, in, n->num_in, out, n->num_out, n->attrs, n->num_attrs,
                   n->loc);
    return alone;
}

/* Runs a program whose inputs are never read; results[k] is the storage of output k. */
static bool run(const struct ast *ast, void *const *results) {
    struct arena scratch = {0};
    void **data = arena_array(&scratch, void *, ast->buffers.len);
    int output = 0;
    for (int b = 0; b < ast->buffers.len; b++) {
        if (ast->buffers.data[b].kind == BUFFER_OUTPUT)
            data[b] = results[output++];
        else if (ast->buffers.data[b].kind == BUFFER_INPUT)
            data[b] = arena_alloc(&scratch, 1);
    }
    int status = interp_run(ast, data, NULL);
    arena_free(&scratch);
    return status == 0;
}

/* Lowers and runs the graph of one node. */
static bool evaluate(struct compile *c, struct graph *alone, void *const *results) {
    struct loops *loops = NULL;
    struct ast *ast = NULL;
    if (pass_expand(c, alone))
        loops = loops_from_graph(c, alone);
    if (loops)
        ast = ast_from_loops(c, loops);
    bool ok = ast && run(ast, results);
    if (ast)
        ast_free(ast);
    if (loops)
        loops_free(loops);
    return ok;
}

bool fold_node(struct compile *c, struct graph *g, struct node *n) {
    if (!can_fold(n) || result_bytes(n) > MAX_FOLDED)
        return false;
    struct str ignored = {0}; // what fails here is reported when the node itself is lowered
    struct diag quiet = {.sink = &ignored, .pass = c->diag->pass};
    struct compile inner = *c;
    inner.diag = &quiet;
    struct graph *alone = isolate(g, n);
    void **results = arena_array(alone->arena, void *, n->num_out);
    int wanted = 0;
    for (int k = 0; k < n->num_out; k++) {
        int64_t bytes = 0;
        if (n->out[k] && dtype_bytes(n->out[k]->dtype, value_elements(n->out[k]), &bytes))
            results[wanted++] = arena_alloc(g->arena, (size_t)bytes);
    }
    bool ok = evaluate(&inner, alone, results);
    for (int k = 0, next = 0; ok && k < n->num_out; k++)
        if (n->out[k])
            graph_make_constant(g, n->out[k], results[next++]);
    graph_free(alone);
    str_free(&ignored);
    return ok;
}

/* Replaces every node whose operands are constants by its results (a test that holds by
 * nothing), as long as those are no more than 64 MB a node. Requires: types. Preserves all
 * values exactly (the interpreter computes what the generated C would). Cost: what the folded
 * nodes compute. */
bool pass_fold(struct compile *c, struct graph *g) {
    for (struct node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (fold_node(c, g, n))
            graph_remove_node(g, n);
        else if (can_fold(n) && result_bytes(n) > MAX_FOLDED)
            diag_remark(c->diag, REMARK_MISSED, n->loc,
                        "%s: a constant result of more than %lld bytes is computed at run time",
                        n->op->name, (long long)MAX_FOLDED);
    }
    return true;
}
