/* The memory plan of an ast: live intervals (a step is a position in its body), in-place
 * results (arena_pairs.c), offsets (arena_place.c); and the checker, which recomputes the
 * intervals, proves the pairs that the offsets need, and shares nothing else with the planner.
 */
#include "ir/arena.h"

#define ARENA_ALIGN 16 // bytes; enough for every element type and 128-bit vectors

static bool live_together(const struct arena_item *a, const struct arena_item *b) {
    return a->first <= b->last && b->first <= a->last;
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

static const struct ast_node *node_at(const struct plan *p, int step) {
    const struct ast_node *n = p->ast->body.first;
    while (step-- > 0)
        n = n->next;
    return n;
}

/* May item i, born while j lives, lie where j lies? */
static bool may_overlay(const struct plan *p, int i, int j) {
    const struct ast_node *const nests[2] = {node_at(p, p->items[i].first),
                                             node_at(p, p->items[j].last)};
    return arena_may_overlay(p->ast, nests, p->buffer_of[i], p->buffer_of[j]);
}

/* Does sharing with j save more than sharing with `best`? The larger one, then the one that
 * lives longer. */
static bool saves_more(const struct plan *p, int j, int best) {
    const struct arena_item *x = &p->items[j], *y = &p->items[best < 0 ? j : best];
    return best < 0 || x->bytes > y->bytes || (x->bytes == y->bytes && x->last > y->last);
}

/* The operand that item i takes the place of: the one that saves most of those that are not
 * taken yet and live no longer than i; -1: none. */
static int find_share(const struct plan *p, int i, const bool *taken) {
    const struct arena_item *it = &p->items[i];
    int best = -1;
    for (int j = 0; j < p->n; j++) {
        const struct arena_item *operand = &p->items[j];
        bool meets = operand->first >= 0 && operand->first < it->first &&
                     it->first <= operand->last && operand->last <= it->last;
        if (meets && !taken[j] && saves_more(p, j, best) && may_overlay(p, i, j))
            best = j;
    }
    return best;
}

static void plan_shares(struct plan *p) {
    bool *taken = arena_array(p->arena, bool, p->n);
    for (int step = 0; step < p->step; step++)
        for (int i = 0; i < p->n; i++) {
            if (p->items[i].first != step)
                continue;
            p->items[i].share = find_share(p, i, taken);
            if (p->items[i].share >= 0)
                taken[p->items[i].share] = true;
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
        a->buffers.data[p.buffer_of[i]].offset = p.items[i].first < 0 ? -1 : p.items[i].offset;
    arena_free(&scratch);
}

static const struct buffer *item_buffer(const struct plan *p, int i) {
    return &p->ast->buffers.data[p->buffer_of[i]];
}

/* May item i lie on item j, because i is born while j lives and does no harm to it? */
static bool proven_pair(const struct plan *p, int i, int j) {
    const struct arena_item *result = &p->items[i], *operand = &p->items[j];
    return result->offset == operand->offset && operand->first < result->first &&
           result->first <= operand->last && may_overlay(p, i, j);
}

static void check_pair(const struct plan *p, int i, int j, struct diag *d) {
    const struct arena_item *x = &p->items[i], *y = &p->items[j];
    bool apart = x->offset + x->bytes <= y->offset || y->offset + y->bytes <= x->offset;
    if (apart || !live_together(x, y) || x->bytes == 0 || y->bytes == 0)
        return;
    if (!proven_pair(p, i, j) && !proven_pair(p, j, i))
        diag_error(d, (struct loc){0},
                   "buffers %s and %s are alive together and overlap in the arena",
                   item_buffer(p, i)->name, item_buffer(p, j)->name);
}

static void check_place(const struct plan *p, int i, struct diag *d) {
    const struct arena_item *x = &p->items[i];
    const struct buffer *b = item_buffer(p, i);
    int unit = dtype_info(b->dtype)->bits / 8;
    if (x->offset < 0 || x->offset + x->bytes > p->ast->arena_bytes)
        diag_error(d, (struct loc){0}, "buffer %s lies outside the arena", b->name);
    if (unit > 1 && (x->offset % unit || p->ast->arena_align % unit))
        diag_error(d, (struct loc){0}, "buffer %s is not aligned to its elements", b->name);
}

bool arena_check(const struct ast *a, struct diag *d) {
    struct arena scratch = {0};
    int errors = d->errors;
    struct plan p = plan_intervals(&scratch, a);
    for (int i = 0; i < p.n; i++) {
        if (p.items[i].first < 0)
            continue;
        check_place(&p, i, d);
        for (int j = 0; j < i; j++)
            if (p.items[j].first >= 0)
                check_pair(&p, i, j, d);
    }
    arena_free(&scratch);
    return d->errors == errors;
}

/* ---- remarks ---- */

static void remark_step(const struct plan *p, int step, int64_t bytes, struct diag *d) {
    int more = 0;
    for (int s = 0; s < p->step; s++)
        more += s != step && arena_alive(p->items, p->n, p->ast->arena_align, s) == bytes;
    struct str same = {0};
    if (more)
        str_addf(&same, "; %d other step%s as many", more, more > 1 ? "s have" : " has");
    diag_remark(d, REMARK_ANALYSIS, node_at(p, step)->loc,
                "step %d of %d binds the arena: %lld bytes alive%s", step, p->step,
                (long long)bytes, str_cstr(&same));
    str_free(&same);
}

/* Where an item comes from, and what it takes at the step that binds. */
static void remark_item(const struct plan *p, int i, int step, struct diag *d) {
    const struct arena_item *it = &p->items[i];
    struct str over = {0};
    if (it->share >= 0 && step <= p->items[it->share].last)
        str_addf(&over, ", in the place of %s", item_buffer(p, it->share)->name);
    diag_remark(d, REMARK_ANALYSIS, node_at(p, it->first)->loc,
                "%s: %lld bytes at %lld, alive in steps %d to %d%s", item_buffer(p, i)->name,
                (long long)it->bytes, (long long)it->offset, it->first, it->last,
                str_cstr(&over));
    str_free(&over);
}

static void remark_binding(const struct plan *p, int64_t bound, int step, struct diag *d) {
    remark_step(p, step, bound, d);
    for (int i = 0; i < p->n; i++)
        if (p->items[i].first >= 0 && p->items[i].first <= step && step <= p->items[i].last)
            remark_item(p, i, step, d);
}

void arena_remarks(const struct ast *a, struct diag *d) {
    struct arena scratch = {0};
    struct plan p = plan_intervals(&scratch, a);
    struct str where = {0};
    int step;
    plan_shares(&p);
    int64_t bound = arena_bound(p.items, p.n, a->arena_align, &step);
    if (bound > 0) {
        remark_binding(&p, bound, step, d);
        str_addf(&where, ", bound by step %d", step);
    }
    diag_remark(d, REMARK_ANALYSIS, (struct loc){0}, "arena: %lld bytes, liveness bound %lld%s",
                (long long)a->arena_bytes, (long long)bound, str_cstr(&where));
    str_free(&where);
    arena_free(&scratch);
}
