/* What nobody reads goes, what is computed twice is computed once, and the rest is numbered
 * anew. */
#include "ir/op.h"
#include "passes/passes.h"

/* ---- equal nodes and constants ---- */

/* A text that is equal for nodes that compute the same: operator, attributes, operands, wanted
 * results. */
static const char *node_key(struct arena *a, const struct node *n) {
    struct str s = {0};
    str_addf(&s, "%s.%s(", n->op->domain ? n->op->domain : "", n->op->name);
    for (int k = 0; k < n->num_in; k++)
        str_addf(&s, "%d,", n->in[k] ? n->in[k]->id : -1);
    for (int k = 0; k < n->num_out; k++)
        str_add(&s, n->out[k] ? "y" : "_");
    for (int k = 0; k < n->num_attrs; k++) {
        str_addf(&s, " %s=", n->attrs[k].name);
        attr_print(&s, &n->attrs[k], NULL);
    }
    const char *key = arena_strdup(a, str_cstr(&s));
    str_free(&s);
    return key;
}

/* A pure node without subgraphs; tensors are compared by the hash of their bytes, so only nodes
 * without them are merged. */
static bool can_merge(const struct node *n) {
    for (int k = 0; k < n->num_attrs; k++)
        if (n->attrs[k].kind == ATTR_GRAPH || n->attrs[k].kind == ATTR_TENSOR)
            return false;
    return !(n->op->flags & OP_IMPURE);
}

static void merge_nodes(struct graph *g) {
    struct arena scratch = {0};
    struct map seen = {0};
    for (struct node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (!can_merge(n))
            continue;
        bool added;
        int64_t *cell = map_put(&seen, node_key(&scratch, n), &added);
        if (added) {
            *cell = (int64_t)(intptr_t)n;
            continue;
        }
        const struct node *first = (const struct node *)(intptr_t)*cell;
        for (int k = 0; k < n->num_out; k++)
            if (n->out[k])
                graph_replace_value(g, n->out[k], first->out[k]);
        graph_remove_node(g, n);
    }
    map_free(&seen);
    arena_free(&scratch);
}

static bool same_constant(const struct value *a, const struct value *b) {
    return a->dtype == b->dtype && a->bytes == b->bytes && shape_equal(&a->shape, &b->shape) &&
           memcmp(a->data, b->data, (size_t)a->bytes) == 0;
}

/* Cheap enough for large weights: a hash of the first bytes decides which constants are
 * compared at all. */
static const char *constant_key(struct arena *a, const struct value *v) {
    size_t head = v->bytes < 256 ? (size_t)v->bytes : 256;
    return arena_printf(a, "%d %lld %llx", (int)v->dtype, (long long)v->bytes,
                        (unsigned long long)hash_bytes(v->data, head));
}

static void merge_constants(struct graph *g) {
    struct arena scratch = {0};
    struct map seen = {0};
    for (int k = 0; k < g->constants.len; k++) {
        struct value *v = g->constants.data[k];
        bool added;
        int64_t *cell = map_put(&seen, constant_key(&scratch, v), &added);
        if (added)
            *cell = k;
        else if (same_constant(g->constants.data[*cell], v))
            graph_replace_value(g, v, g->constants.data[*cell]);
    }
    map_free(&seen);
    arena_free(&scratch);
}

/* ---- what nobody reads ---- */

static bool is_dead(const struct node *n) {
    for (int k = 0; k < n->num_out; k++)
        if (n->out[k] && n->out[k]->num_uses > 0)
            return false;
    return !(n->op->flags & OP_IMPURE);
}

static void remove_nodes(struct graph *g) {
    graph_count_uses(g);
    for (struct node *n = g->last, *prev; n; n = prev) {
        prev = n->prev;
        if (!is_dead(n))
            continue;
        for (int k = 0; k < n->num_in; k++)
            if (n->in[k])
                n->in[k]->num_uses--;
        graph_remove_node(g, n);
    }
}

/* Further results that nobody wants; a row may rely on the first. */
static void forget_results(struct graph *g) {
    for (struct node *n = g->first; n; n = n->next) {
        for (int k = 1; k < n->num_out; k++)
            if (n->out[k] && n->out[k]->num_uses == 0)
                n->out[k] = NULL;
        while (n->num_out > 1 && !n->out[n->num_out - 1])
            n->num_out--;
    }
}

static void remove_constants(struct graph *g) {
    int kept = 0;
    for (int k = 0; k < g->constants.len; k++)
        if (g->constants.data[k]->num_uses > 0)
            g->constants.data[kept++] = g->constants.data[k];
    g->constants.len = kept;
}

/* Merges equal nodes and equal constants, removes dead nodes and unused results and constants,
 * and renumbers the values. Requires: nothing; preserves types and all results bit for bit.
 * Nodes with effects (Require) stay. Cost: a few walks, and a comparison of constants of equal
 * size. */
bool pass_clean(struct compile *c, struct graph *g) {
    (void)c;
    merge_constants(g);
    merge_nodes(g);
    remove_nodes(g);
    forget_results(g);
    graph_count_uses(g);
    remove_constants(g);
    graph_renumber(g);
    return true;
}
