/* The memory plan. Live intervals come from the final ast (a step is a position in its body),
 * placement is greedy best fit tried in a few orders, as in "Efficient Memory Management for
 * Deep Neural Net Inference" (Pisarchyk and Lee, 2020, section 5.2: greedy by size). A result
 * may take the place of an operand that dies in the same nest when the nest reads every element
 * of it only in the iteration that overwrites it. */
#include "ir/arena.h"
#include <stdlib.h>

#define ARENA_ALIGN 16 // bytes; enough for every element type and 128-bit vectors

static bool live_together(const struct arena_item *a, const struct arena_item *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* Is b the dying operand that a may overlay? */
static bool in_place(const struct arena_item *items, int a, int b) {
    return items[a].share == b && items[a].first == items[b].last;
}

/* ---- live intervals ---- */

/* The temporaries of an ast as items; item_of[b] is -1 for other buffers. */
struct plan {
    const struct ast *ast;
    struct arena *arena;
    struct arena_item *items;
    int *item_of, *buffer_of;
    int n, step;
};

static void mention(void *user, int buffer, bool store) {
    struct plan *p = user;
    int i = p->item_of[buffer];
    (void)store;
    if (i < 0)
        return;
    p->items[i].first = p->items[i].first < 0 ? p->step : p->items[i].first;
    p->items[i].last = p->step;
}

static struct plan plan_intervals(struct arena *arena, const struct ast *a) {
    int num = a->buffers.len;
    struct plan p = {.ast = a, .arena = arena};
    p.items = arena_array(arena, struct arena_item, num);
    p.item_of = arena_array(arena, int, num);
    p.buffer_of = arena_array(arena, int, num);
    for (int b = 0; b < num; b++) {
        const struct buffer *buf = &a->buffers.data[b];
        p.item_of[b] = -1;
        if (buf->kind != BUFFER_TEMP)
            continue;
        struct arena_item *it = &p.items[p.n];
        if (!dtype_bytes(buf->dtype, buf->max_elements, &it->bytes))
            bug("buffer %s is larger than memory", buf->name);
        it->first = it->last = it->share = -1;
        it->offset = buf->offset;
        p.buffer_of[p.n] = b;
        p.item_of[b] = p.n++;
    }
    for (const struct ast_node *n = a->body.first; n; n = n->next, p.step++)
        ast_walk_buffers(n, mention, &p);
    return p;
}

/* ---- in-place pairs ---- */

#define MAX_LOOPS 64 // deeper nests get no in-place result

/* The loops around a statement, outermost first. */
struct around {
    const struct ast_node *loop[MAX_LOOPS];
    int n;
};

/* One question about one nest: may `result` take the place of `operand`? Yes when the nest
 * stores the result once per element, and reads the operand only at the element it is about to
 * store, in the same iteration. */
struct overlay {
    int result, operand;
    const struct expr *index; // of the only store; NULL before it is seen
    struct around store;
    bool ok;
};

/* Finds the store of o->result under `list`; `at` holds the loops around it. */
static void find_store(struct overlay *o, const struct ast_list *list, struct around *at) {
    for (const struct ast_node *n = list->first; n && o->ok; n = n->next) {
        bool loop = n->kind == AST_FOR;
        o->ok = n->kind != AST_CALL && n->kind != AST_TILE && !n->cond && at->n < MAX_LOOPS;
        if (n->kind == AST_STORE && n->buffer == o->result) {
            o->ok = o->ok && !o->index;
            o->index = n->index;
            o->store = *at;
        }
        if (loop && o->ok)
            at->loop[at->n++] = n;
        find_store(o, &n->body, at);
        find_store(o, &n->orelse, at);
        at->n -= loop;
    }
}

static void check_load(void *user, const struct expr *e) {
    struct overlay *o = user;
    bool bad_operand =
        e->kind == EXPR_LOAD && e->array == o->operand && !expr_equal(e->arg[0], o->index);
    bool reads_result = e->kind == EXPR_LOAD && e->array == o->result;
    o->ok = o->ok && !bad_operand && !reads_result;
}

static void touches_operand(void *user, const struct expr *e) {
    struct overlay *o = user;
    o->ok = o->ok && !(e->kind == EXPR_LOAD && e->array == o->operand);
}

static void walk_parts(const struct ast_node *n, void (*fn)(void *, const struct expr *),
                       struct overlay *o) {
    const struct expr *parts[] = {n->lo, n->hi, n->index, n->value};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        if (parts[k])
            expr_walk(parts[k], fn, o);
}

/* Every load of the operand lies inside the loops of the store and not after it. `depth` counts
 * the store's loops entered so far; outside all of them, or once the store was passed at that
 * depth, no load is allowed. */
static void check_nest(struct overlay *o, const struct ast_list *list, int depth) {
    bool inside = depth == o->store.n, passed = false;
    for (const struct ast_node *n = list->first; n && o->ok; n = n->next) {
        walk_parts(n, inside && !passed ? check_load : touches_operand, o);
        passed = passed || (n->kind == AST_STORE && n->buffer == o->result);
        bool of_store = !inside && n->kind == AST_FOR && n == o->store.loop[depth];
        int below = of_store || inside ? depth + of_store : MAX_LOOPS + 1;
        check_nest(o, &n->body, passed && inside ? MAX_LOOPS + 1 : below);
    }
}

/* Coefficient of `name` in e, a sum of constant multiples of variables and a constant; false
 * when e has another form. */
static bool coefficient(const struct expr *e, const char *name, int64_t *k) {
    int64_t x, y, c;
    *k = e->kind == EXPR_VAR && e->name == name;
    if (e->kind == EXPR_CONST || e->kind == EXPR_VAR)
        return true;
    if (e->kind != EXPR_FUNC || e->n != 2 || !coefficient(e->arg[0], name, &x) ||
        !coefficient(e->arg[1], name, &y))
        return false;
    if (e->func == FUNC_ADD)
        return size_add(x, y, k);
    if (e->func == FUNC_MUL && expr_as_int(e->arg[1], &c))
        return size_mul(x, c, k);
    return e->func == FUNC_MUL && expr_as_int(e->arg[0], &c) && size_mul(c, y, k);
}

/* Iterations of a loop with constant bounds; -1 otherwise. */
static int64_t trip_count(const struct ast_node *loop) {
    int64_t lo, hi;
    return expr_as_int(loop->lo, &lo) && expr_as_int(loop->hi, &hi) && hi > lo ? hi - lo : -1;
}

/* Does every iteration of the loops store another element? Shown for mixed-radix indices: each
 * coefficient exceeds what the loops of smaller coefficients can add. */
static bool store_injective(const struct overlay *o) {
    for (int s = 0; s < o->store.n; s++) {
        int64_t k, kt, below = 0, trips = trip_count(o->store.loop[s]);
        if (trips == 1)
            continue;
        if (trips < 0 || !coefficient(o->index, o->store.loop[s]->name, &k) || k == 0)
            return false;
        for (int t = 0; t < o->store.n; t++) {
            int64_t inner = trip_count(o->store.loop[t]);
            if (t != s && coefficient(o->index, o->store.loop[t]->name, &kt) && kt <= k)
                below += kt * (inner - 1);
        }
        if (below >= k)
            return false;
    }
    return true;
}

static bool may_overlay(const struct ast *a, const struct ast_node *nest, int result,
                        int operand) {
    struct overlay o = {.result = result, .operand = operand, .ok = true};
    struct around at = {.n = 0};
    const struct dtype_info *r = dtype_info(a->buffers.data[result].dtype);
    if (nest->kind != AST_NEST || r->bits != dtype_info(a->buffers.data[operand].dtype)->bits ||
        r->bits < 8)
        return false;
    find_store(&o, &nest->body, &at);
    if (!o.ok || !o.index || !store_injective(&o))
        return false;
    check_nest(&o, &nest->body, 0);
    return o.ok;
}

/* Gives each item the largest operand that dies in the nest where the item is born and that it
 * may overlay. */
static void plan_shares(struct plan *p) {
    const struct ast_node *n = p->ast->body.first;
    for (int step = 0; n; n = n->next, step++)
        for (int i = 0; i < p->n; i++) {
            struct arena_item *it = &p->items[i];
            for (int j = 0; it->first == step && j < p->n; j++) {
                bool dies = j != i && p->items[j].last == step && p->items[j].first < step;
                bool larger = it->share < 0 || p->items[j].bytes > p->items[it->share].bytes;
                if (dies && larger && may_overlay(p->ast, n, p->buffer_of[i], p->buffer_of[j]))
                    it->share = j;
            }
        }
}

/* ---- the plan, its checker, its remarks ---- */

void arena_plan(struct ast *a) {
    struct arena scratch = {0};
    struct plan p = plan_intervals(&scratch, a);
    plan_shares(&p);
    a->arena_align = ARENA_ALIGN;
    a->arena_bytes = arena_place(p.items, p.n, a->arena_align);
    for (int i = 0; i < p.n; i++)
        a->buffers.data[p.buffer_of[i]].offset = p.items[i].offset;
    arena_free(&scratch);
}

static void check_pair(const struct plan *p, int i, int j, struct diag *d) {
    const struct arena_item *x = &p->items[i], *y = &p->items[j];
    bool apart = x->offset + x->bytes <= y->offset || y->offset + y->bytes <= x->offset;
    if (apart || !live_together(x, y) || x->bytes == 0 || y->bytes == 0)
        return;
    bool pair =
        (in_place(p->items, i, j) || in_place(p->items, j, i)) && x->offset == y->offset;
    if (!pair)
        diag_error(d, (struct loc){0},
                   "buffers %s and %s are alive together and overlap in the arena",
                   p->ast->buffers.data[p->buffer_of[i]].name,
                   p->ast->buffers.data[p->buffer_of[j]].name);
}

bool arena_check(const struct ast *a, struct diag *d) {
    struct arena scratch = {0};
    int errors = d->errors;
    struct plan p = plan_intervals(&scratch, a);
    /* A share is proven here for the pair that needs it, not taken from the planner's choice.
     */
    plan_shares(&p);
    for (int i = 0; i < p.n; i++) {
        const struct arena_item *x = &p.items[i];
        if (x->first >= 0 && (x->offset < 0 || x->offset + x->bytes > a->arena_bytes))
            diag_error(d, (struct loc){0}, "buffer %s lies outside the arena",
                       a->buffers.data[p.buffer_of[i]].name);
        const struct buffer *b = &a->buffers.data[p.buffer_of[i]];
        int unit = dtype_info(b->dtype)->bits / 8;
        if (x->first >= 0 && unit > 1 && (x->offset % unit || a->arena_align % unit))
            diag_error(d, (struct loc){0}, "buffer %s is not aligned to its elements", b->name);
        for (int j = 0; j < i; j++)
            check_pair(&p, i, j, d);
    }
    arena_free(&scratch);
    return d->errors == errors;
}

void arena_remarks(const struct ast *a, struct diag *d) {
    struct arena scratch = {0};
    struct plan p = plan_intervals(&scratch, a);
    int binding, step = 0;
    plan_shares(&p);
    int64_t bound = arena_bound(p.items, p.n, a->arena_align, &binding);
    for (const struct ast_node *n = a->body.first; n; n = n->next, step++)
        diag_remark(d, REMARK_ANALYSIS, n->loc, "step %d: %lld bytes of the arena alive%s",
                    step, (long long)arena_alive(p.items, p.n, a->arena_align, step),
                    step == binding ? " (binds)" : "");
    diag_remark(d, REMARK_ANALYSIS, (struct loc){0},
                "arena: %lld bytes, liveness bound %lld, bound by step %d",
                (long long)a->arena_bytes, (long long)bound, binding);
    arena_free(&scratch);
}
