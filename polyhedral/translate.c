/* isl's ast -> ast: for, if, block and expressions, form by form. */
#include "polyhedral/poly.h"

#include <stdlib.h>

void translate_bind(struct translate *t, const char *name, const struct expr *value) {
    struct arena *arena = t->plain->a->arena;
    vec_push(arena, &t->names, intern(t->plain->a->names, name));
    vec_push(arena, &t->values, value);
}

/* ---- expressions ---- */

static const struct expr *expression(struct translate *t, __isl_take isl_ast_expr *e);

static const struct expr *argument(struct translate *t, __isl_keep isl_ast_expr *e, int k) {
    return expression(t, isl_ast_expr_op_get_arg(e, k));
}

static const struct expr *name_value(struct translate *t, __isl_keep isl_ast_expr *e) {
    isl_id *id = isl_ast_expr_id_get_id(e);
    const char *name = isl_id_get_name(id);
    const struct expr *value = NULL;
    for (int k = t->names.len - 1; k >= 0 && !value; k--)
        if (strcmp(t->names.data[k], name) == 0)
            value = t->values.data[k];
    if (!value)
        bug("isl's ast has the unknown name %s", name);
    isl_id_free(id);
    return value;
}

/* f over all arguments: isl's min and max take any number. */
static const struct expr *fold(struct translate *t, __isl_keep isl_ast_expr *e, enum func f) {
    const struct expr *x = argument(t, e, 0);
    isl_size n = isl_ast_expr_op_get_n_arg(e);
    for (int k = 1; k < n; k++)
        x = expr_2(t->plain->a->arena, f, x, argument(t, e, k));
    return x;
}

/* e / k, where every term of e is a multiple of k; NULL where not. */
static const struct expr *divided(struct arena *a, const struct expr *e, int64_t k) {
    int64_t factor;
    if (e->kind == EXPR_FUNC && (e->func == FUNC_ADD || e->func == FUNC_SUB)) {
        const struct expr *x = divided(a, e->arg[0], k), *y = divided(a, e->arg[1], k);
        return x && y ? expr_2(a, e->func, x, y) : NULL;
    }
    if (expr_as_int(e, &factor))
        return factor % k == 0 ? expr_index(a, factor / k) : NULL;
    if (e->kind == EXPR_FUNC && e->func == FUNC_MUL && expr_as_int(e->arg[1], &factor) &&
        factor % k == 0)
        return expr_2(a, FUNC_MUL, e->arg[0], expr_index(a, factor / k));
    return NULL;
}

static const struct expr *quotient(struct translate *t, __isl_keep isl_ast_expr *e) {
    struct arena *arena = t->plain->a->arena;
    const struct expr *x = argument(t, e, 0), *y = argument(t, e, 1), *q = NULL;
    int64_t k;
    if (expr_as_int(y, &k) && k > 0)
        q = divided(arena, x, k);
    return q ? q : expr_2(arena, FUNC_DIV, x, y);
}

static const struct expr *operation(struct translate *t, __isl_keep isl_ast_expr *e) {
    struct arena *arena = t->plain->a->arena;
    switch (isl_ast_expr_op_get_type(e)) {
    case isl_ast_expr_op_and:
    case isl_ast_expr_op_and_then:
        return fold(t, e, FUNC_AND);
    case isl_ast_expr_op_or:
    case isl_ast_expr_op_or_else:
        return fold(t, e, FUNC_OR);
    case isl_ast_expr_op_max:
        return fold(t, e, FUNC_MAX);
    case isl_ast_expr_op_min:
        return fold(t, e, FUNC_MIN);
    case isl_ast_expr_op_minus:
        return expr_2(arena, FUNC_SUB, expr_index(arena, 0), argument(t, e, 0));
    case isl_ast_expr_op_add:
        return fold(t, e, FUNC_ADD);
    case isl_ast_expr_op_sub:
        return fold(t, e, FUNC_SUB);
    case isl_ast_expr_op_mul:
        return fold(t, e, FUNC_MUL);
    case isl_ast_expr_op_div: // exact
    case isl_ast_expr_op_fdiv_q:
    case isl_ast_expr_op_pdiv_q: // of what is not negative
        return quotient(t, e);
    case isl_ast_expr_op_pdiv_r:
    case isl_ast_expr_op_zdiv_r: // compared with 0 only
        return fold(t, e, FUNC_REM);
    case isl_ast_expr_op_cond:
    case isl_ast_expr_op_select:
        return expr_3(arena, FUNC_SELECT, argument(t, e, 0), argument(t, e, 1),
                      argument(t, e, 2));
    case isl_ast_expr_op_eq:
        return fold(t, e, FUNC_EQ);
    case isl_ast_expr_op_le:
        return fold(t, e, FUNC_LE);
    case isl_ast_expr_op_lt:
        return fold(t, e, FUNC_LT);
    case isl_ast_expr_op_ge:
        return fold(t, e, FUNC_GE);
    case isl_ast_expr_op_gt:
        return fold(t, e, FUNC_GT);
    default:
        bug("isl's ast has an operation of another kind");
    }
}

static const struct expr *expression(struct translate *t, __isl_take isl_ast_expr *e) {
    const struct expr *result;
    switch (isl_ast_expr_get_type(e)) {
    case isl_ast_expr_id:
        result = name_value(t, e);
        break;
    case isl_ast_expr_int: {
        isl_val *v = isl_ast_expr_int_get_val(e);
        long value = isl_val_get_num_si(v);
        if (isl_val_cmp_si(v, value) != 0)
            bug("isl's ast has a number beyond int64");
        result = expr_index(t->plain->a->arena, value);
        isl_val_free(v);
        break;
    }
    default:
        result = operation(t, e);
    }
    isl_ast_expr_free(e);
    return result;
}

/* ---- nodes ---- */

/* e + 1, inside a min. */
static const struct expr *next(struct arena *a, const struct expr *e) {
    if (e->kind == EXPR_FUNC && e->func == FUNC_MIN)
        return expr_2(a, FUNC_MIN, next(a, e->arg[0]), next(a, e->arg[1]));
    return expr_2(a, FUNC_ADD, e, expr_index(a, 1));
}

/* The bound that `iterator < bound` or `iterator <= bound` states, as one it stays below. */
static const struct expr *upper_bound(struct translate *t, __isl_take isl_ast_expr *cond) {
    enum isl_ast_expr_op_type op = isl_ast_expr_op_get_type(cond);
    if (op != isl_ast_expr_op_lt && op != isl_ast_expr_op_le)
        bug("isl's ast has a loop with another condition");
    const struct expr *hi = argument(t, cond, 1);
    isl_ast_expr_free(cond);
    return op == isl_ast_expr_op_lt ? hi : next(t->plain->a->arena, hi);
}

/* The loop's own count: a loop by steps between constants counts from 0, the iterator is what
 * comes of it. */
static const struct expr *count_steps(struct arena *a, struct ast_node *loop,
                                      const struct expr *var) {
    int64_t lo, hi, step = loop->step;
    if (step == 1 || !expr_as_int(loop->lo, &lo) || !expr_as_int(loop->hi, &hi) || hi <= lo)
        return var;
    loop->lo = expr_index(a, 0);
    loop->hi = expr_index(a, (hi - lo + step - 1) / step);
    loop->step = 1;
    var = expr_2(a, FUNC_MUL, var, expr_index(a, step));
    return expr_2(a, FUNC_ADD, var, expr_index(a, lo));
}

static void translate_for(struct translate *t, struct ast_list *list,
                          __isl_keep isl_ast_node *node) {
    struct plain *n = t->plain;
    isl_ast_expr *iterator = isl_ast_node_for_get_iterator(node);
    isl_id *id = isl_ast_expr_id_get_id(iterator);
    isl_ast_node *body = isl_ast_node_for_get_body(node);
    const struct expr *lo = expression(t, isl_ast_node_for_get_init(node));
    int names = t->names.len, iters = n->iters.len;
    if (isl_ast_node_for_is_degenerate(node)) {
        translate_bind(t, isl_id_get_name(id), lo);
    } else {
        struct ast_node *loop = ast_add(n->a, list, AST_FOR, n->loc);
        const struct expr *step = expression(t, isl_ast_node_for_get_inc(node));
        loop->lo = lo;
        loop->hi = upper_bound(t, isl_ast_node_for_get_cond(node));
        loop->name = plain_fresh_name(n, 'c');
        if (!expr_as_int(step, &loop->step))
            bug("isl's ast has a loop whose step is not constant");
        const struct expr *var = expr_var(n->a->arena, DTYPE_INDEX, loop->name);
        plain_push(n, "", var);
        translate_bind(t, isl_id_get_name(id), count_steps(n->a->arena, loop, var));
        list = &loop->body;
    }
    translate_node(t, list, body);
    t->names.len = t->values.len = names;
    n->iters.len = n->vars.len = iters;
    isl_ast_node_free(body);
    isl_id_free(id);
    isl_ast_expr_free(iterator);
}

/* A condition that the values of names decide leaves one branch, without an if. */
static void translate_if(struct translate *t, struct ast_list *list,
                         __isl_keep isl_ast_node *node) {
    const struct expr *cond = expression(t, isl_ast_node_if_get_cond(node));
    bool known = cond->kind == EXPR_CONST, holds = known && cond->value.i != 0;
    struct ast_node *branch = known ? NULL : ast_add(t->plain->a, list, AST_IF, t->plain->loc);
    if (branch)
        branch->cond = cond;
    if (!known || holds) {
        isl_ast_node *then = isl_ast_node_if_get_then_node(node);
        translate_node(t, branch ? &branch->body : list, then);
        isl_ast_node_free(then);
    }
    if (!holds && isl_ast_node_if_has_else_node(node)) {
        isl_ast_node *other = isl_ast_node_if_get_else_node(node);
        translate_node(t, branch ? &branch->orelse : list, other);
        isl_ast_node_free(other);
    }
}

static void translate_block(struct translate *t, struct ast_list *list,
                            __isl_keep isl_ast_node *node) {
    isl_ast_node_list *children = isl_ast_node_block_get_children(node);
    isl_size n = isl_ast_node_list_n_ast_node(children);
    for (int k = 0; k < n; k++) {
        isl_ast_node *child = isl_ast_node_list_get_ast_node(children, k);
        translate_node(t, list, child);
        isl_ast_node_free(child);
    }
    isl_ast_node_list_free(children);
}

/* A call of the tuple with its values. */
static void translate_instance(struct translate *t, struct ast_list *list,
                               __isl_keep isl_ast_node *node) {
    isl_ast_expr *call = isl_ast_node_user_get_expr(node);
    isl_ast_expr *tuple = isl_ast_expr_op_get_arg(call, 0);
    isl_id *id = isl_ast_expr_id_get_id(tuple);
    isl_size n = isl_ast_expr_op_get_n_arg(call);
    const struct expr **args = arena_array(&t->plain->scratch, const struct expr *, n);
    for (int k = 1; k < n; k++)
        args[k - 1] = argument(t, call, k);
    t->instance(t->user, list, isl_id_get_name(id), args, (int)n - 1);
    isl_id_free(id);
    isl_ast_expr_free(tuple);
    isl_ast_expr_free(call);
}

void translate_node(struct translate *t, struct ast_list *list, __isl_keep isl_ast_node *node) {
    isl_ast_node *marked;
    switch (isl_ast_node_get_type(node)) {
    case isl_ast_node_for:
        translate_for(t, list, node);
        return;
    case isl_ast_node_if:
        translate_if(t, list, node);
        return;
    case isl_ast_node_block:
        translate_block(t, list, node);
        return;
    case isl_ast_node_user:
        translate_instance(t, list, node);
        return;
    case isl_ast_node_mark:
        marked = isl_ast_node_mark_get_node(node);
        translate_node(t, list, marked);
        isl_ast_node_free(marked);
        return;
    default:
        bug("isl's ast has a node of another kind");
    }
}

/* ---- boxes ---- */

static bool mentions(const struct expr *e, const struct iter *iters, int n) {
    bool found = false;
    for (int k = 0; k < n && e->kind == EXPR_VAR; k++)
        found |= e->name == iters[k].name;
    for (int k = 0; k < e->n && !found; k++)
        found = mentions(e->arg[k], iters, n);
    return found;
}

/* One loop of the box: binds its iterator to lo + its name. */
static bool translate_side(struct translate *t, __isl_keep isl_ast_node *node,
                           struct iter *iter) {
    struct arena *arena = t->plain->a->arena;
    isl_ast_expr *iterator = isl_ast_node_for_get_iterator(node);
    isl_id *id = isl_ast_expr_id_get_id(iterator);
    const struct expr *lo = expression(t, isl_ast_node_for_get_init(node)), *value = lo;
    int64_t step = 1;
    iter->extent = expr_index(arena, 1);
    if (!isl_ast_node_for_is_degenerate(node)) {
        const struct expr *hi = upper_bound(t, isl_ast_node_for_get_cond(node));
        expr_as_int(expression(t, isl_ast_node_for_get_inc(node)), &step);
        iter->extent = expr_2(arena, FUNC_SUB, hi, lo);
        value = expr_2(arena, FUNC_ADD, lo, expr_var(arena, DTYPE_INDEX, iter->name));
    }
    translate_bind(t, isl_id_get_name(id), value);
    isl_id_free(id);
    isl_ast_expr_free(iterator);
    return step == 1;
}

bool translate_box(struct translate *t, __isl_keep isl_ast_node *node, struct iter *iters,
                   int num, const struct expr **args) {
    isl_ast_node *at = isl_ast_node_copy(node);
    bool ok = true;
    for (int k = 0; k < num && ok; k++) {
        ok = isl_ast_node_get_type(at) == isl_ast_node_for &&
             translate_side(t, at, &iters[k]) && !mentions(iters[k].extent, iters, k);
        if (ok) {
            isl_ast_node *body = isl_ast_node_for_get_body(at);
            isl_ast_node_free(at);
            at = body;
        }
    }
    ok = ok && isl_ast_node_get_type(at) == isl_ast_node_user;
    if (ok) {
        isl_ast_expr *call = isl_ast_node_user_get_expr(at);
        for (int k = 0; k < num; k++)
            args[k] = argument(t, call, k + 1);
        isl_ast_expr_free(call);
    }
    isl_ast_node_free(at);
    return ok;
}
