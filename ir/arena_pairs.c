/* In-place results: when the result of a nest may lie where an operand lies that dies there, or
 * in a nest that follows.
 *
 * It may when no element of the operand is read after the same element of the result has been
 * written. Each load is held against each store. Either they never touch the same element; or
 * the load comes first in an iteration of the loops around both, and in other iterations of
 * these loops they touch different elements. So a sum of two arrays may overwrite one of them,
 * a softmax the row whose maximum it has taken before, and a part of a concatenation may lie
 * where it will be copied to while others are written. Both conditions hold in whatever order
 * the iterations run: tiles and parallel loops are no exception. */
#include "ir/arena.h"
#include "ir/arena_index.h"

enum { MAX_ACCESSES = 64 }; // of both buffers in all nests

/* A load of the operand or a store of the result. */
struct access {
    bool store;
    int statement;                              // its number in the order of the text
    const struct ast_node *around[INDEX_LOOPS]; // the loops, outermost first
    int num_around;
    struct loop_scope scope; // symbols, the loops around, iterators of a tile
    struct form index;
    struct element element;
};

struct proof {
    int result, operand;
    struct arena *arena;
    struct access *accesses[MAX_ACCESSES];
    int num_accesses;
    struct access here; // the statement at hand
    bool stores_result; // it does
    bool ok;
};

/* ---- what the nest touches ---- */

static void add_access(struct proof *p, const struct expr *index, bool store) {
    p->ok = p->ok && p->num_accesses < MAX_ACCESSES;
    if (!p->ok)
        return;
    struct access *a = arena_new(p->arena, struct access);
    p->accesses[p->num_accesses++] = a;
    *a = p->here;
    a->store = store;
    a->index = form_read(&a->scope, index);
    p->ok = a->index.ok;
}

static void add_load(void *user, const struct expr *e) {
    struct proof *p = user;
    if (e->kind == EXPR_LOAD && e->array == p->operand)
        add_access(p, e->arg[0], false);
    if (e->kind == EXPR_LOAD && e->array == p->result && p->stores_result)
        p->ok = false; // it accumulates
}

static void add_loads(struct proof *p, const struct expr *e) {
    if (e && p->ok)
        expr_walk(e, add_load, p);
}

/* The iterators of a tile that its store runs over, or those of its reduction. */
static void add_tile_iters(struct proof *p, const struct ast_node *n, bool reduction) {
    for (int k = 0; k < n->num_tile && p->ok; k++) {
        if (tile_role_reduces(n->tile[k].role) == reduction)
            p->ok = scope_add_tile_iter(&p->here.scope, &n->tile[k]);
    }
}

static void add_store(struct proof *p, const struct ast_node *n) {
    int outer = p->here.scope.n;
    for (int k = 0; k < n->num_tile; k++)
        add_loads(p, n->tile[k].count);
    add_tile_iters(p, n, false);
    add_loads(p, n->index);
    p->stores_result = n->buffer == p->result;
    p->ok = p->ok && n->buffer != p->operand;
    if (p->stores_result)
        add_access(p, n->index, true);
    add_tile_iters(p, n, true);
    add_loads(p, n->value);
    p->stores_result = false;
    p->here.scope.n = outer;
}

static void add_list(struct proof *p, const struct ast_list *list);

static void add_loop(struct proof *p, const struct ast_node *n) {
    int outer = p->here.scope.n;
    add_loads(p, n->lo);
    add_loads(p, n->hi);
    p->ok = p->ok && scope_add_loop(&p->here.scope, n);
    if (p->ok) {
        p->here.around[p->here.num_around++] = n;
        add_loads(p, n->cond);
        add_list(p, &n->body);
        p->here.num_around--;
    }
    p->here.scope.n = outer;
}

static void add_list(struct proof *p, const struct ast_list *list) {
    for (const struct ast_node *n = list->first; n && p->ok; n = n->next) {
        p->here.statement++;
        if (n->kind == AST_FOR) {
            add_loop(p, n);
        } else if (n->kind == AST_STORE || n->kind == AST_TILE) {
            add_store(p, n);
        } else {
            p->ok = n->kind != AST_CALL;
            add_loads(p, n->cond);
            add_loads(p, n->value);
            add_list(p, &n->body);
            add_list(p, &n->orelse);
        }
    }
}

/* ---- the proof ---- */

/* Names at the beginning of both scopes that mean the same loop. */
static int common_names(const struct access *load, const struct access *store) {
    int num = 0, symbols = 0;
    if (load->statement == store->statement)
        return load->scope.n < store->scope.n ? load->scope.n : store->scope.n;
    for (; symbols < load->scope.n && load->scope.loop[symbols].symbol; symbols++)
        continue;
    while (num < load->num_around && num < store->num_around &&
           load->around[num] == store->around[num])
        num++;
    return symbols + num;
}

static bool pair_is_safe(const struct access *load, const struct access *store,
                         int num_digits) {
    return elements_disjoint(&load->element, &store->element, num_digits) ||
           (load->statement <= store->statement &&
            elements_tell_loops(common_names(load, store), &load->element, &store->element,
                                num_digits));
}

/* With the elements written in this number system. */
static bool all_safe(struct proof *p, const struct digits *d) {
    for (int k = 0; k < p->num_accesses; k++) {
        struct access *a = p->accesses[k];
        if (!element_digits(&a->scope, &a->index, d, &a->element))
            return false;
    }
    for (int i = 0; i < p->num_accesses; i++)
        for (int k = 0; k < p->num_accesses; k++)
            if (!p->accesses[i]->store && p->accesses[k]->store &&
                !pair_is_safe(p->accesses[i], p->accesses[k], d->n))
                return false;
    return true;
}

static bool try_systems(struct proof *p) {
    bool stores = false;
    for (int k = 0; k < p->num_accesses; k++)
        stores = stores || p->accesses[k]->store;
    for (int k = 0; k < p->num_accesses && stores; k++) {
        struct digits down = digits_from_largest(&p->accesses[k]->index);
        struct digits up = digits_from_smallest(&p->accesses[k]->index);
        if (all_safe(p, &down) || all_safe(p, &up))
            return true;
    }
    return false;
}

/* The nests from `first` to `last`, one after the other. */
static void add_nests(struct proof *p, const struct ast_node *first,
                      const struct ast_node *last) {
    for (const struct ast_node *n = first; p->ok; n = n->next) {
        p->ok = n->kind == AST_NEST;
        if (p->ok)
            add_list(p, &n->body);
        if (n == last)
            break;
    }
}

/* Tries the number system of each access. Cost: accesses cubed, times loops squared. */
bool arena_may_overlay(const struct ast *a, const struct ast_node *const nests[2], int result,
                       int operand) {
    enum dtype r = a->buffers.data[result].dtype, o = a->buffers.data[operand].dtype;
    struct arena scratch = {0};
    struct proof p = {.arena = &scratch, .result = result, .operand = operand, .ok = true};
    if (dtype_info(r)->bits != dtype_info(o)->bits || dtype_info(r)->bits < 8)
        return false;
    for (int k = 0; k < a->symbols.len && p.ok; k++)
        p.ok = scope_add_symbol(&p.here.scope, &a->symbols.data[k]);
    add_nests(&p, nests[0], nests[1]);
    bool may = p.ok && try_systems(&p);
    arena_free(&scratch);
    return may;
}
