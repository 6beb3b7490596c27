/* From ast to plan: names become slots and locals, and chains of loops that may run in blocks
 * of lanes are found.
 *
 * In a block every statement runs over all lanes before the next one does. That is the loops'
 * order unless a lane reads or writes what another one writes. Both are excluded by linear
 * arithmetic on the indices: iterators of the chain and of loops inside it count as independent
 * in the two lanes, all others as equal; then either the difference of the indices is never 0,
 * or the indices are the same and different lanes have different ones. What cannot be shown so
 * runs one iteration at a time. */
#include "ir/plan.h"

#include <stdlib.h>

/* What is known of a slot: how it runs through its values. */
enum slot_kind {
    SLOT_SHARED,
    SLOT_LANE,
    SLOT_INNER
}; // outside the lanes, of the chain, inside

struct slot {
    enum slot_kind kind;
    int lane;               // LANE: which loop of the chain
    int64_t lo, step, last; // values lo … last; last < lo: not known
};

struct name {
    const char *name;
    int slot; // of an iterator or symbol, or -1
    const struct local *local;
};

struct planner {
    struct arena *arena;
    const struct ast *ast;
    const struct storage *storage;
    vec(struct name) scope;
    vec(struct slot) slots;
    struct lanes *lanes;      // around the statement at hand; NULL: one iteration at a time
    int inner;                // loops between the lanes and the statement
    bool failed;              // the statement cannot run in lanes
    vec(struct access) loads; // inside the lanes
    vec(struct access) stores;
};

static struct step *plan_list(struct planner *p, const struct ast_list *list);
static const struct code *compile(struct planner *p, const struct expr *e);

/* ---- names ---- */

static const struct name *find_name(const struct planner *p, const char *name) {
    for (int i = p->scope.len - 1; i >= 0; i--)
        if (strcmp(p->scope.data[i].name, name) == 0)
            return &p->scope.data[i];
    bug("%s is not in scope", name);
}

static int push_slot(struct planner *p, const char *name, struct slot s) {
    vec_push(p->arena, &p->slots, s);
    vec_push(p->arena, &p->scope, ((struct name){name, p->slots.len - 1, NULL}));
    return p->slots.len - 1;
}

/* Values of an iterator from its bounds; only constants are known. */
static struct slot loop_slot(const struct planner *p, const struct expr *lo,
                             const struct expr *hi, int64_t step) {
    struct slot s = {.kind = p->lanes ? SLOT_INNER : SLOT_SHARED, .step = step, .last = -1};
    int64_t end;
    if (expr_as_int(lo, &s.lo) && expr_as_int(hi, &end) && end > s.lo)
        s.last = s.lo + (end - 1 - s.lo) / step * step;
    else
        s.lo = 0;
    return s;
}

static struct local *push_local(struct planner *p, const char *name, enum dtype t) {
    struct local *l = arena_new(p->arena, struct local);
    l->name = name;
    l->dtype = t;
    l->lanes = p->lanes;
    l->data = arena_calloc(p->arena, p->lanes ? LANES : 1, rep_bytes(rep_of(t)));
    vec_push(p->arena, &p->scope, ((struct name){name, -1, l}));
    return l;
}

/* ---- expressions ---- */

struct form {
    int64_t constant;
    struct term terms[MAX_CHAIN];
    int n;
};

static bool form_add_term(struct form *f, int slot, int64_t coef) {
    int i = 0;
    while (i < f->n && f->terms[i].slot != slot)
        i++;
    if (i == MAX_CHAIN)
        return false;
    if (i == f->n)
        f->terms[f->n++] = (struct term){slot, 0};
    return !__builtin_add_overflow(f->terms[i].coef, coef, &f->terms[i].coef);
}

/* f += scale * e; false when e is not affine in slots. */
static bool form_add(const struct planner *p, struct form *f, const struct expr *e,
                     int64_t scale) {
    int64_t v;
    if (expr_as_int(e, &v))
        return !__builtin_mul_overflow(v, scale, &v) &&
               !__builtin_add_overflow(f->constant, v, &f->constant);
    if (e->kind == EXPR_VAR) {
        int slot = find_name(p, e->name)->slot;
        return slot >= 0 && form_add_term(f, slot, scale);
    }
    if (e->kind != EXPR_FUNC)
        return false;
    if (e->func == FUNC_ADD || e->func == FUNC_SUB)
        return scale != INT64_MIN && form_add(p, f, e->arg[0], scale) &&
               form_add(p, f, e->arg[1], e->func == FUNC_ADD ? scale : -scale);
    if (e->func != FUNC_MUL)
        return false;
    int k = expr_as_int(e->arg[0], &v) ? 1 : 0;
    return expr_as_int(e->arg[1 - k], &v) && !__builtin_mul_overflow(v, scale, &v) &&
           form_add(p, f, e->arg[k], v);
}

static struct code *new_code(struct planner *p, enum code_kind kind, enum dtype t) {
    struct code *c = arena_new(p->arena, struct code);
    c->kind = kind;
    c->dtype = t;
    return c;
}

/* An affine index; NULL when e is none. */
static const struct code *compile_affine(struct planner *p, const struct expr *e) {
    struct form f = {0};
    if (!form_add(p, &f, e, 1))
        return NULL;
    struct code *c = new_code(p, CODE_AFFINE, DTYPE_INDEX);
    c->constant = f.constant;
    c->terms = arena_copy(p->arena, f.terms, (size_t)f.n * sizeof *f.terms);
    c->num_terms = f.n;
    for (int i = 0; i < f.n; i++) {
        const struct slot *s = &p->slots.data[f.terms[i].slot];
        c->inner = c->inner || s->kind == SLOT_INNER;
        if (s->kind != SLOT_LANE || f.terms[i].coef == 0)
            continue;
        if (!c->varying) {
            c->pattern = arena_new(p->arena, struct pattern);
            vec_push(p->arena, &p->lanes->patterns, c->pattern);
        }
        c->varying = true;
        c->pattern->step[s->lane] = f.terms[i].coef * s->step;
    }
    return c;
}

static const struct code *compile_const(struct planner *p, const struct expr *e) {
    struct code *c = new_code(p, CODE_CONST, e->dtype);
    enum rep r = rep_of(e->dtype);
    int n = p->lanes ? LANES : 1;
    void *lanes = arena_calloc(p->arena, (size_t)n, rep_bytes(r));
    lane_set(r, lanes, e->value);
    lanes_fill(r, lanes, lanes, n);
    c->lanes = lanes;
    return c;
}

static const struct code *compile_var(struct planner *p, const struct expr *e) {
    struct code *c = new_code(p, CODE_LOCAL, e->dtype);
    c->local = find_name(p, e->name)->local;
    c->varying = c->local->lanes != NULL;
    c->inner = true;
    return c;
}

/* Extents are read, then the iterators are in scope of the body. */
static void compile_reduce(struct planner *p, struct code *c, const struct expr *e) {
    int scope = p->scope.len;
    int *slots = arena_array(p->arena, int, e->num_iters);
    const struct code **extents = arena_array(p->arena, const struct code *, e->num_iters);
    for (int k = 0; k < e->num_iters; k++) {
        extents[k] = compile(p, e->iters[k].extent);
        p->failed = p->failed || extents[k]->varying;
    }
    for (int k = 0; k < e->num_iters; k++)
        slots[k] = push_slot(p, e->iters[k].name,
                             loop_slot(p, expr_index(p->arena, 0), e->iters[k].extent, 1));
    c->slots = slots;
    c->extents = extents;
    c->counts = arena_array(p->arena, int64_t, e->num_iters);
    c->num_iters = e->num_iters;
    c->arg[0] = compile(p, e->arg[0]);
    p->scope.len = scope;
}

static enum code_kind kind_of(const struct expr *e) {
    static const enum code_kind kinds[] = {
        [EXPR_CONST] = CODE_CONST,  [EXPR_VAR] = CODE_LOCAL, [EXPR_FUNC] = CODE_FUNC,
        [EXPR_CAST] = CODE_CAST,    [EXPR_LOAD] = CODE_LOAD, [EXPR_GUARD] = CODE_GUARD,
        [EXPR_REDUCE] = CODE_REDUCE};
    return kinds[e->kind];
}

/* What its arguments and its kind say of an expression. */
static void add_traits(struct planner *p, struct code *c) {
    c->lazy = c->kind == CODE_FUNC && c->func == FUNC_CHECK;
    c->inner = c->lazy || c->kind == CODE_LOAD || c->kind == CODE_REDUCE;
    for (int k = 0; k < c->n; k++) {
        c->varying = c->varying || c->arg[k]->varying;
        c->lazy = c->lazy || c->arg[k]->lazy;
        c->inner = c->inner || c->arg[k]->inner;
    }
    if (c->kind != CODE_FUNC || c->dtype != DTYPE_INDEX || !c->varying || c->inner)
        return;
    c->cache = arena_new(p->arena, struct cache);
    c->cache->lanes = arena_calloc(p->arena, LANES, sizeof *c->cache->lanes);
}

static const struct code *compile(struct planner *p, const struct expr *e) {
    const struct code *affine = e->dtype == DTYPE_INDEX ? compile_affine(p, e) : NULL;
    if (affine)
        return affine;
    if (e->kind == EXPR_CONST)
        return compile_const(p, e);
    if (e->kind == EXPR_VAR)
        return compile_var(p, e);
    struct code *c = new_code(p, kind_of(e), e->dtype);
    c->n = e->n;
    c->arg = arena_array(p->arena, const struct code *, e->n);
    if (e->kind == EXPR_FUNC || e->kind == EXPR_REDUCE)
        c->func = e->func;
    if (e->kind == EXPR_REDUCE)
        compile_reduce(p, c, e);
    else
        for (int k = 0; k < e->n; k++)
            c->arg[k] = compile(p, e->arg[k]);
    add_traits(p, c);
    if (e->kind == EXPR_LOAD) {
        c->access = (struct access){e->array, c->arg[0]};
        vec_push(p->arena, &p->loads, c->access);
    }
    return c;
}

/* An expression that must have one value for the whole block. */
static const struct code *compile_uniform(struct planner *p, const struct expr *e) {
    const struct code *c = compile(p, e);
    p->failed = p->failed || c->varying;
    return c;
}

/* ---- do lanes meet? ---- */

enum sharing { APART, SAME, OVERLAP };

static enum sharing sharing_of(const struct planner *p, int a, int b) {
    const struct storage *x = &p->storage[a], *y = &p->storage[b];
    if (a == b)
        return SAME;
    if (x->data + x->bytes <= y->data || y->data + y->bytes <= x->data)
        return APART;
    bool same = x->data == y->data && dtype_info(p->ast->buffers.data[a].dtype)->bits ==
                                          dtype_info(p->ast->buffers.data[b].dtype)->bits;
    return same ? SAME : OVERLAP;
}

static int64_t coef_of(const struct code *index, int slot) {
    int64_t coef = 0;
    for (int i = 0; i < index->num_terms; i++)
        if (index->terms[i].slot == slot)
            coef += index->terms[i].coef;
    return coef;
}

struct interval {
    int64_t lo, hi;
};

/* i += coef * (the slot's values); false when these are not known or on overflow. */
static bool add_values(struct interval *i, const struct slot *s, int64_t coef) {
    if (coef == 0)
        return true;
    int64_t a, b;
    if (s->last < s->lo || __builtin_mul_overflow(coef, s->lo, &a) ||
        __builtin_mul_overflow(coef, s->last, &b))
        return false;
    return !__builtin_add_overflow(i->lo, a < b ? a : b, &i->lo) &&
           !__builtin_add_overflow(i->hi, a < b ? b : a, &i->hi);
}

/* Range of x in one lane minus y in another; false when unknown. */
static bool difference(const struct planner *p, const struct code *x, const struct code *y,
                       struct interval *d) {
    int64_t c;
    if (x->kind != CODE_AFFINE || y->kind != CODE_AFFINE ||
        __builtin_sub_overflow(x->constant, y->constant, &c))
        return false;
    *d = (struct interval){c, c};
    for (int slot = 0; slot < p->slots.len; slot++) {
        const struct slot *s = &p->slots.data[slot];
        int64_t a = coef_of(x, slot), b = coef_of(y, slot);
        if (s->kind == SLOT_SHARED
                ? a != b
                : !add_values(d, s, a) || b == INT64_MIN || !add_values(d, s, -b))
            return false;
    }
    return true;
}

static bool same_form(const struct planner *p, const struct code *x, const struct code *y) {
    bool same = x->constant == y->constant;
    for (int slot = 0; slot < p->slots.len; slot++)
        same = same && coef_of(x, slot) == coef_of(y, slot);
    return same;
}

static int by_size(const void *a, const void *b) {
    int64_t x = ((const struct interval *)a)->lo, y = ((const struct interval *)b)->lo;
    return x < y ? -1 : x > y;
}

/* Do different lanes have different values? Strides, by size, must exceed the span of all
 * smaller ones. */
static bool is_injective(const struct planner *p, const struct code *index) {
    struct interval strides[MAX_CHAIN]; // size of the stride, iterations - 1
    int n = 0;
    for (int slot = 0; slot < p->slots.len; slot++) {
        const struct slot *s = &p->slots.data[slot];
        if (s->kind != SLOT_LANE)
            continue;
        if (s->last < s->lo)
            return false;
        int64_t stride = coef_of(index, slot) * s->step;
        strides[n++] =
            (struct interval){stride < 0 ? -stride : stride, (s->last - s->lo) / s->step};
    }
    qsort(strides, (size_t)n, sizeof *strides, by_size);
    int64_t span = 0, part;
    for (int i = 0; i < n; i++) {
        if (strides[i].hi == 0)
            continue;
        if (strides[i].lo <= span ||
            __builtin_mul_overflow(strides[i].lo, strides[i].hi, &part) ||
            __builtin_add_overflow(span, part, &span))
            return false;
    }
    return true;
}

/* May a store in one lane touch what the other access touches in another lane? */
static bool may_meet(const struct planner *p, const struct access *store,
                     const struct access *other) {
    struct interval d;
    enum sharing sharing = sharing_of(p, store->buffer, other->buffer);
    if (sharing != SAME)
        return sharing == OVERLAP;
    if (!difference(p, store->index, other->index, &d))
        return true;
    if (d.lo > 0 || d.hi < 0)
        return false;
    return !same_form(p, store->index, other->index) || !is_injective(p, store->index);
}

static bool lanes_meet(const struct planner *p) {
    bool meet = false;
    for (int i = 0; i < p->stores.len && !meet; i++) {
        for (int k = 0; k < p->loads.len && !meet; k++)
            meet = may_meet(p, &p->stores.data[i], &p->loads.data[k]);
        for (int k = i + 1; k < p->stores.len && !meet; k++)
            meet = may_meet(p, &p->stores.data[i], &p->stores.data[k]);
    }
    return meet;
}

/* ---- tiles ---- */

/* A loop 0 <= name < count around the list. */
static struct ast_list loop_around(struct planner *p, struct loc loc, struct iter it,
                                   struct ast_list body) {
    struct ast_node *loop = arena_new(p->arena, struct ast_node);
    loop->kind = AST_FOR;
    loop->loc = loc;
    loop->name = it.name;
    loop->lo = expr_index(p->arena, 0);
    loop->hi = it.extent;
    loop->step = 1;
    loop->body = body;
    return (struct ast_list){loop, loop};
}

static const struct expr *accumulator_for(void *user, const struct expr *e) {
    return e->kind == EXPR_REDUCE ? user : e;
}

/* The store of a tile, behind a scalar and loops that set it to the reduction in its value. */
static struct ast_list written_out_point(struct planner *p, const struct ast_node *n) {
    struct ast_node *store = arena_copy(p->arena, n, sizeof *n);
    store->kind = AST_STORE;
    store->next = NULL;
    const struct expr *reduce = expr_find(n->value, EXPR_REDUCE);
    if (!reduce)
        return (struct ast_list){store, store};
    static const char name[] = "acc"; // longer than any name of the ast
    const struct expr *acc = expr_var(p->arena, reduce->dtype, name);
    store->value = expr_map(p->arena, n->value, accumulator_for, (void *)acc);
    struct ast_node *let = arena_new(p->arena, struct ast_node), *set;
    *let = (struct ast_node){.kind = AST_LET, .loc = n->loc, .name = name};
    let->dtype = reduce->dtype;
    let->value = expr_const(p->arena, let->dtype, func_identity(reduce->func, reduce->dtype));
    set = arena_new(p->arena, struct ast_node);
    *set = (struct ast_node){.kind = AST_SET, .loc = n->loc, .name = name};
    set->value = expr_2(p->arena, reduce->func, acc, reduce->arg[0]);
    struct ast_list loops = {set, set};
    for (int k = reduce->num_iters - 1; k >= 0; k--)
        loops = loop_around(p, n->loc, reduce->iters[k], loops);
    let->next = loops.first;
    loops.last->next = store;
    return (struct ast_list){let, store};
}

/* A tile as the loops over its rows and vectors that it stands for, at least one. */
static const struct ast_node *written_out(struct planner *p, const struct ast_node *n) {
    struct ast_list list = written_out_point(p, n);
    for (int i = n->num_tile - 1; i >= 0; i--) {
        const struct tile_iter *it = &n->tile[i];
        if (it->role == TILE_ROW || it->role == TILE_VEC)
            list = loop_around(p, n->loc, (struct iter){it->name, it->count}, list);
    }
    if (list.first != list.last || list.first->kind != AST_FOR)
        list = loop_around(p, n->loc, (struct iter){"once", expr_index(p->arena, 1)}, list);
    return list.first;
}

/* ---- chains of loops ---- */

/* The one statement inside a loop, a tile as its loops; NULL when there are several. */
static const struct ast_node *only_statement(struct planner *p, const struct ast_node *loop) {
    const struct ast_node *n = loop->body.first;
    if (!n || n->next)
        return NULL;
    return n->kind == AST_TILE ? written_out(p, n) : n;
}

/* Perfectly nested loops from n on whose bounds do not depend on each other; their number, 0
 * when n itself has a condition. */
static int collect_chain(struct planner *p, const struct ast_node *n,
                         const struct ast_node **chain) {
    int num = 0;
    while (n && n->kind == AST_FOR && !n->cond && num < MAX_CHAIN) {
        for (int i = 0; i < num; i++)
            if (expr_mentions(n->lo, chain[i]->name) || expr_mentions(n->hi, chain[i]->name))
                return num;
        chain[num++] = n;
        n = only_statement(p, n);
    }
    return num;
}

/* Iterations of a chain; -1 when not constant or beyond any use. */
static int64_t chain_iterations(const struct ast_node *const *chain, int num) {
    int64_t product = 1;
    for (int i = 0; i < num; i++) {
        int64_t lo, hi;
        if (!expr_as_int(chain[i]->lo, &lo) || !expr_as_int(chain[i]->hi, &hi))
            return -1;
        int64_t count = hi > lo ? (hi - lo - 1) / chain[i]->step + 1 : 0;
        if (!size_mul(product, count, &product))
            return -1;
    }
    return product;
}

/* Few iterations around long inner loops: better one iteration at a time, the inner loops in
 * blocks. */
static bool prefers_inner(struct planner *p, const struct ast_node *const *chain, int num) {
    int64_t outer = chain_iterations(chain, num), inner = 1;
    for (const struct ast_node *n = chain[num - 1]->body.first; n; n = n->next) {
        const struct ast_node *nested[MAX_CHAIN];
        int depth = collect_chain(p, n, nested);
        int64_t iterations = depth ? chain_iterations(nested, depth) : 1;
        inner = iterations > inner ? iterations : inner;
    }
    return outer >= 0 && outer < 32 && inner / 4 > outer;
}

/* A step over the chain, its iterators in scope as lanes; leave_lanes ends it. */
static struct step *enter_lanes(struct planner *p, const struct ast_node *const *chain, int num,
                                enum step_kind kind) {
    struct step *s = arena_new(p->arena, struct step);
    struct lanes *lanes = arena_new(p->arena, struct lanes);
    s->kind = kind;
    s->node = chain[0];
    s->lanes = lanes;
    lanes->num = num;
    p->failed = false;
    for (int i = 0; i < num; i++) {
        lanes->loops[i].lo = compile(p, chain[i]->lo);
        lanes->loops[i].hi = compile(p, chain[i]->hi);
    }
    p->lanes = lanes;
    p->inner = p->loads.len = p->stores.len = 0;
    for (int i = 0; i < num; i++) {
        struct slot slot = loop_slot(p, chain[i]->lo, chain[i]->hi, chain[i]->step);
        slot.kind = SLOT_LANE;
        slot.lane = i;
        lanes->loops[i].step = chain[i]->step;
        lanes->loops[i].slot = push_slot(p, chain[i]->name, slot);
    }
    return s;
}

/* The step, or NULL when its lanes would not do what the loops do. */
static struct step *leave_lanes(struct planner *p, struct step *s, int scope) {
    bool ok = !p->failed && !lanes_meet(p);
    for (int i = 0; i < p->slots.len; i++)
        p->slots.data[i].kind = SLOT_SHARED; // what is out of scope is not asked again
    p->scope.len = scope;
    p->lanes = NULL;
    p->failed = false;
    return ok ? s : NULL;
}

static struct step *try_lanes(struct planner *p, const struct ast_node *n) {
    const struct ast_node *chain[MAX_CHAIN];
    int num = collect_chain(p, n, chain), scope = p->scope.len;
    if (num == 0 || prefers_inner(p, chain, num))
        return NULL;
    struct step *s = enter_lanes(p, chain, num, STEP_LANES);
    s->body = plan_list(p, &chain[num - 1]->body);
    return leave_lanes(p, s, scope);
}

/* Is n `set s = f(s, e)` with e free of s? */
static bool accumulates(const struct ast_node *n) {
    const struct expr *v = n->value;
    return n->kind == AST_SET && v->kind == EXPR_FUNC &&
           func_info(v->func)->rule != RULE_SELECT && v->n == 2 &&
           v->arg[0]->dtype == v->dtype && v->arg[0]->kind == EXPR_VAR &&
           strcmp(v->arg[0]->name, n->name) == 0 && !expr_mentions(v->arg[1], n->name);
}

static struct step *try_fold(struct planner *p, const struct ast_node *n) {
    const struct ast_node *chain[MAX_CHAIN];
    int num = collect_chain(p, n, chain), scope = p->scope.len;
    const struct ast_node *set = num ? chain[num - 1]->body.first : NULL;
    if (!set || set->next || !accumulates(set) || !func_is_monoid(set->value->func))
        return NULL;
    struct step *s = enter_lanes(p, chain, num, STEP_FOLD);
    s->local = find_name(p, set->name)->local;
    s->func = set->value->func;
    s->value = compile(p, set->value->arg[1]);
    return leave_lanes(p, s, scope);
}

/* ---- statements ---- */

static struct step *new_step(struct planner *p, enum step_kind kind, const struct ast_node *n) {
    struct step *s = arena_new(p->arena, struct step);
    s->kind = kind;
    s->node = n;
    return s;
}

static struct step *plan_for(struct planner *p, const struct ast_node *n) {
    struct step *s = p->lanes ? NULL : try_fold(p, n);
    if (!s && !p->lanes)
        s = try_lanes(p, n);
    if (s)
        return s;
    int scope = p->scope.len;
    s = new_step(p, STEP_FOR, n);
    s->loop = (struct loop){
        .lo = compile_uniform(p, n->lo), .hi = compile_uniform(p, n->hi), .step = n->step};
    s->loop.slot = push_slot(p, n->name, loop_slot(p, n->lo, n->hi, n->step));
    s->cond = n->cond ? compile_uniform(p, n->cond) : NULL;
    p->inner++;
    s->body = plan_list(p, &n->body);
    p->inner--;
    p->scope.len = scope;
    return s;
}

static struct step *plan_set(struct planner *p, const struct ast_node *n) {
    struct step *s = new_step(p, STEP_SET, n);
    s->value = compile(p, n->value);
    s->local =
        n->kind == AST_LET ? push_local(p, n->name, n->dtype) : find_name(p, n->name)->local;
    s->in_place = accumulates(n) && s->value->kind == CODE_FUNC;
    p->failed = p->failed || s->local->lanes != p->lanes;
    return s;
}

/* Stores inside a loop inside the lanes would come in another order. */
static struct step *plan_store(struct planner *p, const struct ast_node *n) {
    struct step *s = new_step(p, STEP_STORE, n);
    s->access = (struct access){n->buffer, compile(p, n->index)};
    s->value = compile(p, n->value);
    vec_push(p->arena, &p->stores, s->access);
    p->failed = p->failed || (p->lanes && p->inner > 0);
    return s;
}

static struct step *plan_if(struct planner *p, const struct ast_node *n) {
    struct step *s = new_step(p, STEP_IF, n);
    s->cond = compile_uniform(p, n->cond);
    s->body = plan_list(p, &n->body);
    s->orelse = plan_list(p, &n->orelse);
    return s;
}

static struct step *plan_node(struct planner *p, const struct ast_node *n);

static struct step *plan_nest(struct planner *p, const struct ast_node *n) {
    struct step *s = new_step(p, STEP_NEST, n);
    s->body = plan_list(p, &n->body);
    return s;
}

static struct step *plan_require(struct planner *p, const struct ast_node *n) {
    struct step *s = new_step(p, STEP_REQUIRE, n);
    s->cond = compile(p, n->cond);
    return s;
}

static struct step *plan_node(struct planner *p, const struct ast_node *n) {
    switch (n->kind) {
    case AST_FOR:
        return plan_for(p, n);
    case AST_IF:
        return plan_if(p, n);
    case AST_LET:
    case AST_SET:
        return plan_set(p, n);
    case AST_STORE:
        return plan_store(p, n);
    case AST_REQUIRE:
        return plan_require(p, n);
    case AST_NEST:
    case AST_CALL:
    case AST_TILE:
        break;
    }
    p->failed = p->lanes != NULL;
    if (p->failed)
        return NULL;
    if (n->kind == AST_CALL)
        return new_step(p, STEP_CALL, n);
    return n->kind == AST_NEST ? plan_nest(p, n) : plan_node(p, written_out(p, n));
}

/* Names that the list declares end with it. Planning for lanes stops at the first statement
 * that cannot run so. */
static struct step *plan_list(struct planner *p, const struct ast_list *list) {
    struct step *first = NULL, **end = &first;
    int scope = p->scope.len;
    for (const struct ast_node *n = list->first; n && !p->failed; n = n->next) {
        struct step *s = plan_node(p, n);
        if (s) {
            *end = s;
            end = &s->next;
        }
    }
    p->scope.len = scope;
    return first;
}

struct step *plan_build(struct arena *arena, const struct ast *a, const struct storage *storage,
                        const struct ast_node *n, int *num_slots) {
    struct planner p = {.arena = arena, .ast = a, .storage = storage};
    struct ast_node *copy = arena_copy(arena, n, sizeof *n);
    if (n->kind != AST_LET)
        copy->next = NULL;
    for (int i = 0; i < a->symbols.len; i++)
        push_slot(&p, a->symbols.data[i].name, (struct slot){.step = 1, .last = -1});
    struct ast_list list = {.first = copy, .last = NULL};
    struct step *s = plan_list(&p, &list);
    *num_slots = p.slots.len;
    return s;
}
