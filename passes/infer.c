/* Types and shapes, forward through the rows. Small results of constants are computed as they
 * appear: that is how shapes that a model computes (Shape, Gather, Concat, Reshape …) become
 * known. */
#include "ir/op.h"
#include "ir/shape.h"
#include "passes/passes.h"

/* What inference folds on its way: enough for shapes, axes and scales, never weights. */
enum { SMALL_RESULT = 1024, SMALL_OPERAND = 65536 };

static bool known(const struct value *v) {
    return v->dtype != DTYPE_NONE && v->shape.rank >= 0;
}

bool infer_node(struct compile *c, struct graph *g, struct node *n) {
    struct infer in = {g, g->arena, c->diag, op_find("nncc", "Require")};
    if (!op_check(n, c->diag) || !n->op->infer(&in, n))
        return false;
    for (int k = 0; k < n->num_out; k++)
        if (n->out[k] && !known(n->out[k]))
            bug("%s: result %d has no type or shape", n->op->name, k);
    return true;
}

static bool is_small(const struct node *n) {
    int64_t operands = 0, results = 0;
    for (int k = 0; k < n->num_in; k++)
        if (n->in[k] && n->in[k]->data)
            operands += value_elements(n->in[k]);
    for (int k = 0; k < n->num_out; k++)
        if (n->out[k])
            results += value_elements(n->out[k]);
    return operands <= SMALL_OPERAND && results <= SMALL_RESULT;
}

bool infer_new_node(struct compile *c, struct graph *g, struct node *n, bool fold_large) {
    if (!infer_node(c, g, n))
        return false;
    if ((fold_large || is_small(n)) && fold_node(c, g, n))
        graph_remove_node(g, n);
    return true;
}

/* After an error in what a node reads nothing can be said of the node. */
static bool operands_known(const struct node *n) {
    for (int k = 0; k < n->num_in; k++)
        if (n->in[k] && !known(n->in[k]))
            return false;
    return true;
}

static bool fits(const struct shape *declared, const struct shape *found) {
    if (declared->rank != found->rank)
        return declared->rank < 0;
    for (int d = 0; d < found->rank; d++)
        if (declared->dims[d] >= 0 && declared->dims[d] != found->dims[d])
            return false;
    return true;
}

/* An output that no node computes is compared here; the others were when their node was
 * inferred. */
static bool check_output(struct compile *c, const struct graph *g, int k) {
    const struct value *v = g->outputs.data[k];
    if (v->def || !known(v) || fits(&v->declared, &v->shape))
        return true;
    struct str found = {0}, declared = {0};
    shape_print(&found, v->dtype, &v->shape);
    shape_print(&declared, v->dtype, &v->declared);
    diag_error(c->diag, (struct loc){.file = graph_file(g)},
               "output '%s' is %s, but the model declares %s", g->output_names.data[k],
               str_cstr(&found), str_cstr(&declared));
    str_free(&found);
    str_free(&declared);
    return false;
}

/* ---- shapes that follow backwards ---- */

static bool complete(const struct shape *s) {
    for (int d = 0; d < s->rank; d++)
        if (s->dims[d] < 0)
            return false;
    return s->rank >= 0;
}

static bool is_scalar_constant(const struct value *v) {
    return v && v->data && v->shape.rank == 0;
}

/* The operand that must have the shape of result 0; NULL when no single one must. */
static struct value *shaped_operand(const struct node *n) {
    struct value *x = NULL;
    if (n->op->infer == shape_same || (n->op->flags & OP_LIKE_FIRST))
        return n->in[0];
    if (!n->op->expr || n->op->infer == shape_reduce)
        return NULL;
    for (int k = 0; k < n->num_in; k++) {
        if (!n->in[k] || is_scalar_constant(n->in[k]))
            continue;
        if (x)
            return NULL;
        x = n->in[k];
    }
    return x;
}

/* implied[id]: the shape a value must have because an element-wise result of it is declared. */
static void imply_shapes(const struct graph *g, struct shape *implied) {
    for (const struct node *n = g->last; n; n = n->prev) {
        if (n->num_out == 0 || !n->out[0] || n->num_in == 0)
            continue;
        const struct value *y = n->out[0], *x = shaped_operand(n);
        const struct shape *s = complete(&y->declared) ? &y->declared : &implied[y->id];
        if (x && s->rank >= 0)
            implied[x->id] = *s;
    }
}

/* Infers n; where that needs a declared shape and there is none, with what is implied. */
static bool infer_implied(struct compile *c, struct graph *g, struct node *n,
                          const struct shape *implied) {
    struct value *y = n->num_out ? n->out[0] : NULL;
    if (!y || complete(&y->declared) || implied[y->id].rank < 0)
        return infer_new_node(c, g, n, false);
    struct str ignored = {0};
    struct diag quiet = {.sink = &ignored, .pass = c->diag->pass};
    struct compile attempt = *c;
    attempt.diag = &quiet;
    bool ok = infer_new_node(&attempt, g, n, false);
    str_free(&ignored);
    if (ok)
        return true;
    y->declared = implied[y->id];
    return infer_new_node(c, g, n, false);
}

/* ---- the pass ---- */

static void forget_declared(struct graph *g) {
    for (int k = 0; k < g->inputs.len; k++)
        g->inputs.data[k]->declared.rank = -1;
    for (int k = 0; k < g->constants.len; k++)
        g->constants.data[k]->declared.rank = -1;
    for (struct node *n = g->first; n; n = n->next)
        for (int k = 0; k < n->num_out; k++)
            if (n->out[k])
                n->out[k]->declared.rank = -1;
}

/* Types in a dump are somebody's statement: each result is declared to have its type, and
 * inferred again. */
bool infer_again(struct compile *c, struct graph *g) {
    bool ok = true;
    for (struct node *n = g->first; n; n = n->next) {
        for (int k = 0; k < n->num_out; k++)
            if (n->out[k])
                n->out[k]->declared = n->out[k]->shape;
        ok &= infer_node(c, g, n);
    }
    forget_declared(g);
    return ok;
}

/* Gives every value its type and shape by the rows' shape rules, checks what the model
 * declares, and folds small results. Requires: operator rows for all nodes, typed inputs.
 * Afterwards: everything is typed, nothing is declared any more. All errors are reported; what
 * depends on a failed node is skipped. Cost: one walk. */
bool pass_infer(struct compile *c, struct graph *g) {
    bool ok = true;
    struct arena scratch = {0};
    struct shape *implied = arena_array(&scratch, struct shape, g->next_id);
    for (int k = 0; k < g->next_id; k++)
        implied[k].rank = -1;
    imply_shapes(g, implied);
    for (struct node *n = g->first, *next; n; n = next) {
        next = n->next; // rules insert nodes before n only
        if (operands_known(n))
            ok &= infer_implied(c, g, n, implied);
    }
    arena_free(&scratch);
    for (int k = 0; k < g->outputs.len; k++)
        ok &= check_output(c, g, k);
    if (ok)
        forget_declared(g);
    return ok;
}
