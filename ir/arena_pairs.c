/* In-place results: when the result of a nest may lie where an operand lies that dies there.
 *
 * It may when the nest writes each element of the result at most once, and reads element e of
 * the operand only in the statement that writes element e of the result, or before it in the
 * same iteration. That holds in whatever order the iterations run, so it holds for the row and
 * vec iterators of tiles as for loops. */
#include "ir/arena.h"
#include "ir/arena_index.h"

enum { MAX_STORES = 32 }; // of the result in one nest

/* What follows in the lists around a statement, innermost first. */
struct following {
    const struct ast_node *next;
    const struct following *outer;
};

struct proof {
    int result, operand;
    struct loop_scope scope;
    const struct following *following; // the statement at hand
    const struct form *stores; // the statement at hand writes this element of the result; NULL:
                               // none
    const struct digits *digits; // to tell elements apart; NULL: collect systems to try
    struct digits system[2 * MAX_STORES];
    struct element_box box[MAX_STORES];
    int num_stores;
    bool ok;
};

/* ---- loads ---- */

/* Does a statement after the one at hand, in the same iteration of the loops around it, write
 * this element of the result? */
static bool written_later(const struct proof *p, const struct form *element) {
    for (const struct following *f = p->following; f; f = f->outer)
        for (const struct ast_node *n = f->next; n; n = n->next) {
            if (n->kind != AST_STORE || n->buffer != p->result)
                continue;
            struct form stored = form_read(&p->scope, n->index);
            if (form_equal(&stored, element))
                return true;
        }
    return false;
}

static void check_load(void *user, const struct expr *e) {
    struct proof *p = user;
    if (e->kind != EXPR_LOAD)
        return;
    if (e->array == p->result && p->stores)
        p->ok = false; // it accumulates
    if (e->array != p->operand)
        return;
    struct form element = form_read(&p->scope, e->arg[0]);
    p->ok = p->ok && (p->stores ? form_equal(&element, p->stores) : written_later(p, &element));
}

static void check_loads(struct proof *p, const struct expr *e) {
    if (e)
        expr_walk(e, check_load, p);
}

/* ---- statements ---- */

static void note_store(struct proof *p, const struct form *index) {
    int k = p->num_stores++;
    p->ok = p->ok && index->ok && k < MAX_STORES;
    if (p->ok && p->digits)
        p->ok = box_of_store(&p->scope, index, p->digits, &p->box[k]);
    else if (p->ok) {
        p->system[2 * k] = digits_from_largest(index);
        p->system[2 * k + 1] = digits_from_smallest(index);
    }
}

static void prove_store(struct proof *p, const struct ast_node *n) {
    int outer = p->scope.n;
    for (int k = 0; k < n->num_tile; k++)
        check_loads(p, n->tile[k].count);
    for (int k = 0; k < n->num_tile && p->ok; k++)
        if (n->tile[k].role == TILE_ROW || n->tile[k].role == TILE_VEC)
            p->ok = scope_add_tile_iter(&p->scope, &n->tile[k]);
    struct form index = form_read(&p->scope, n->index);
    check_loads(p, n->index);
    p->ok = p->ok && n->buffer != p->operand;
    p->stores = n->buffer == p->result ? &index : NULL;
    if (p->stores)
        note_store(p, &index);
    check_loads(p, n->value);
    p->stores = NULL;
    p->scope.n = outer;
}

static void prove_list(struct proof *p, const struct ast_list *list) {
    struct following here = {.outer = p->following};
    for (const struct ast_node *n = list->first; n && p->ok; n = n->next) {
        int outer = p->scope.n;
        here.next = n->next;
        p->following = &here;
        check_loads(p, n->lo);
        check_loads(p, n->hi);
        check_loads(p, n->cond);
        if (n->kind == AST_STORE || n->kind == AST_TILE)
            prove_store(p, n);
        else
            check_loads(p, n->value);
        if (n->kind == AST_CALL || (n->kind == AST_FOR && !scope_add_loop(&p->scope, n)))
            p->ok = false;
        prove_list(p, &n->body);
        prove_list(p, &n->orelse);
        p->scope.n = outer;
    }
    p->following = here.outer;
}

static bool stores_disjoint(const struct proof *p) {
    for (int i = 0; i < p->num_stores; i++)
        for (int k = 0; k < i; k++)
            if (!boxes_disjoint(&p->box[i], &p->box[k], p->digits->n))
                return false;
    return true;
}

/* Walks the nest once to find what its stores look like, then with the number system of each
 * until one tells all elements apart. Cost: statements times stores, and the loops squared. */
bool arena_may_overlay(const struct ast *a, const struct ast_node *nest, int result,
                       int operand) {
    enum dtype r = a->buffers.data[result].dtype, o = a->buffers.data[operand].dtype;
    struct proof p = {.result = result, .operand = operand, .ok = true};
    if (nest->kind != AST_NEST || dtype_info(r)->bits != dtype_info(o)->bits ||
        dtype_info(r)->bits < 8)
        return false;
    for (int k = 0; k < a->symbols.len && p.ok; k++)
        p.ok = scope_add_symbol(&p.scope, &a->symbols.data[k]);
    prove_list(&p, &nest->body);
    int num = p.num_stores;
    if (!p.ok || num == 0)
        return false;
    for (int k = 0; k < 2 * num; k++) {
        p.digits = &p.system[k];
        p.num_stores = 0;
        p.ok = true;
        prove_list(&p, &nest->body);
        if (p.ok && stores_disjoint(&p))
            return true;
    }
    return false;
}
