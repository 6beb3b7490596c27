/* Temporaries of one iteration that become a part of an output: they are computed where that
 * part will lie.
 *
 *     for c = 0..8 {
 *         tile (v: 9 vec) b3[v] = exp(b0[c * 9 + v])
 *         tile (k: 9 split) b4[0] = reduce(add, [k: 9], b3[k])
 *         tile (v: 9 vec) b1[c * 9 + v] = b3[v] / b4[0]
 *     }
 *
 * becomes, without b3,
 *
 *     for c = 0..8 {
 *         tile (v: 9 vec) b1[c * 9 + v] = exp(b0[c * 9 + v])
 *         tile (k: 9 split) b4[0] = reduce(add, [k: 9], b1[c * 9 + k])
 *         tile (v: 9 vec) b1[c * 9 + v] = b1[c * 9 + v] / b4[0]
 *     }
 *
 * What takes the temporary in has then its result's memory near: where the output is far away,
 * lines are fetched while exp is computed, and not by stores that have nothing to do meanwhile.
 *
 * It is done where the statements that store the output, and nothing else of the iteration does
 * or reads it, cover the temporary once, each element of it at the element that it becomes, and
 * come after all else that mentions the temporary. */
#include "passes/passes.h"

#include <stdlib.h>
#include <string.h>

/* A loop inside the iteration, or an iterator of a tile: lo, lo + step … */
struct walk {
    const char *name;
    int64_t lo, step, count;
};

/* Elements of the temporary that one statement takes in: [lo, hi). */
struct part {
    int64_t lo, hi;
};

struct inplace {
    struct ast *ast;
    struct arena scratch;
    int temp, output;
    bool taking;             // the temporary in, else writing it
    struct ast_list *list;   // one iteration: all that mentions the temporary
    vec(const char *) outer; // iterators around it
    vec(struct walk) walks;  // around the statement that is looked at
    vec(struct part) parts;
    const struct expr *base; // element of the output that element 0 of the temporary becomes
};

/* ---- the iteration and its output ---- */

/* The iteration that the temporary lives in: into the one loop of the nest that mentions it,
 * until there are several statements. False: there is none. */
static bool find_iteration(struct inplace *p, struct ast_node *nest) {
    p->list = &nest->body;
    for (;;) {
        struct ast_node *user = NULL;
        int users = 0;
        for (struct ast_node *n = p->list->first; n; n = n->next)
            if (ast_mentions(n, p->temp)) {
                user = n;
                users++;
            }
        if (users != 1)
            return users > 1;
        if (user->kind != AST_FOR || user->cond)
            return false;
        vec_push(&p->scratch, &p->outer, user->name);
        p->list = &user->body;
    }
}

/* The output that the last statement of the iteration to mention the temporary stores. */
static bool find_output(struct inplace *p) {
    const struct ast_node *last = NULL;
    for (const struct ast_node *n = p->list->first; n; n = n->next)
        last = ast_mentions(n, p->temp) ? n : last;
    while (last->kind == AST_FOR && last->body.first)
        last = last->body.first;
    if (last->kind != AST_STORE && last->kind != AST_TILE)
        return false;
    const struct buffer *b = &p->ast->buffers.data[last->buffer];
    p->output = last->buffer;
    return b->kind == BUFFER_OUTPUT && b->alias < 0 &&
           b->dtype == p->ast->buffers.data[p->temp].dtype;
}

/* ---- where a statement stores what it takes in ---- */

static bool is_inner(const struct inplace *p, const struct expr *e) {
    bool found = false;
    for (int k = 0; k < p->walks.len; k++)
        found |= expr_mentions(e, p->walks.data[k].name);
    return found;
}

/* Adds up by how much e, times factor, moves with each walk: false when it is not linear. */
static bool add_steps(const struct inplace *p, const struct expr *e, int64_t factor,
                      int64_t *steps) {
    int64_t by;
    if (!is_inner(p, e))
        return true;
    if (e->kind == EXPR_VAR) {
        for (int k = 0; k < p->walks.len; k++)
            steps[k] += strcmp(p->walks.data[k].name, e->name) == 0 ? factor : 0;
        return true;
    }
    if (expr_is_func(e, FUNC_ADD))
        return add_steps(p, e->arg[0], factor, steps) && add_steps(p, e->arg[1], factor, steps);
    if (expr_is_func(e, FUNC_SUB))
        return add_steps(p, e->arg[0], factor, steps) &&
               add_steps(p, e->arg[1], -factor, steps);
    return expr_is_func(e, FUNC_MUL) && expr_as_int(e->arg[1], &by) &&
           !__builtin_mul_overflow(factor, by, &factor) &&
           add_steps(p, e->arg[0], factor, steps);
}

/* An index without what the walks add to it. */
static const struct expr *without_walks(const struct inplace *p, const struct expr *e) {
    struct arena *a = p->ast->arena;
    for (int k = 0; k < p->walks.len; k++) {
        const char *name = p->walks.data[k].name;
        const struct expr *zero = expr_index(a, 0);
        e = expr_subst(a, e, &name, &zero, 1);
    }
    return e;
}

struct loads {
    const struct inplace *p;
    const struct expr *index; // of the temporary, of all its loads; NULL: none yet
    bool same;
};

static void see_load(void *user, const struct expr *e) {
    struct loads *l = user;
    if (e->kind != EXPR_LOAD || e->array != l->p->temp)
        return;
    l->same = l->same && (!l->index || expr_equal(l->index, e->arg[0]));
    l->index = e->arg[0];
}

struct names {
    const struct inplace *p;
    bool known;
};

static void see_name(void *user, const struct expr *e) {
    struct names *n = user;
    bool known = e->kind != EXPR_VAR && e->kind != EXPR_LOAD;
    for (int k = 0; e->kind == EXPR_VAR && k < n->p->outer.len; k++)
        known |= strcmp(n->p->outer.data[k], e->name) == 0;
    n->known = n->known && known;
}

/* Notes the element that element 0 becomes, the same for all statements: known when the
 * iteration begins. */
static bool set_base(struct inplace *p, const struct expr *store, int64_t first) {
    struct arena *a = p->ast->arena;
    const struct expr *base =
        expr_2(a, FUNC_SUB, without_walks(p, store), expr_index(a, first));
    struct names n = {p, true};
    expr_walk(base, see_name, &n);
    if (!n.known || (p->base && !expr_equal(p->base, base)))
        return false;
    p->base = base;
    return true;
}

static int by_step(const void *x, const void *y) {
    const struct walk *a = x, *b = y;
    return (a->step > b->step) - (a->step < b->step);
}

/* Notes what the walks cover, which must be one run without gaps. */
static bool add_run(struct inplace *p, int64_t first, const int64_t *steps) {
    int64_t run = 1;
    struct walk *w = arena_array(&p->scratch, struct walk, p->walks.len);
    for (int k = 0; k < p->walks.len; k++) {
        w[k] = p->walks.data[k];
        first += steps[k] * w[k].lo;
        w[k].step *= steps[k];
    }
    qsort(w, (size_t)p->walks.len, sizeof *w, by_step);
    for (int k = 0; k < p->walks.len; k++) {
        if (w[k].count > 1 && w[k].step != run)
            return false;
        run *= w[k].count;
    }
    vec_push(&p->scratch, &p->parts, ((struct part){first, first + run}));
    return true;
}

/* By how much the index moves with each walk; NULL: it is not linear. */
static int64_t *steps_of(struct inplace *p, const struct expr *index) {
    int64_t *steps = arena_array(&p->scratch, int64_t, p->walks.len + 1);
    memset(steps, 0, (size_t)(p->walks.len + 1) * sizeof *steps);
    return add_steps(p, index, 1, steps) ? steps : NULL;
}

/* A statement that stores the output, each element from the one of the temporary that becomes
 * it. */
static bool add_taker(struct inplace *p, const struct ast_node *n, const int64_t *to) {
    struct loads loads = {p, NULL, true};
    int64_t first;
    expr_walk(n->value, see_load, &loads);
    if (n->buffer != p->output || !loads.index || !loads.same ||
        expr_loads(n->value, p->output))
        return false;
    const int64_t *from = steps_of(p, loads.index);
    return from && memcmp(from, to, (size_t)p->walks.len * sizeof *from) == 0 &&
           expr_as_int(without_walks(p, loads.index), &first) && set_base(p, n->index, first) &&
           add_run(p, first, from);
}

static bool add_writer(struct inplace *p, const struct ast_node *n, const int64_t *to) {
    int64_t first;
    return n->buffer == p->temp && !expr_loads(n->value, p->temp) &&
           !expr_loads(n->value, p->output) &&
           expr_as_int(without_walks(p, n->index), &first) && add_run(p, first, to);
}

static bool add_store(struct inplace *p, const struct ast_node *n) {
    const int64_t *to = steps_of(p, n->index);
    return to && (p->taking ? add_taker(p, n, to) : add_writer(p, n, to));
}

/* ---- all statements of the iteration ---- */

static bool push_loop(struct inplace *p, const struct ast_node *n) {
    struct walk w = {.name = n->name, .step = n->step};
    int64_t hi;
    if (n->cond || !expr_as_int(n->lo, &w.lo) || !expr_as_int(n->hi, &hi) || hi <= w.lo)
        return false;
    w.count = (hi - w.lo + n->step - 1) / n->step;
    vec_push(&p->scratch, &p->walks, w);
    return true;
}

static bool push_tile(struct inplace *p, const struct ast_node *n) {
    bool constant = true;
    for (int k = 0; k < n->num_tile; k++) {
        const struct tile_iter *i = &n->tile[k];
        constant = constant && expr_is_int(i->count, i->max);
        if (!tile_role_reduces(i->role))
            vec_push(&p->scratch, &p->walks, ((struct walk){i->name, 0, 1, i->max}));
    }
    return constant;
}

static bool is_mentioned(const struct inplace *p, const struct ast_node *n) {
    return ast_mentions(n, p->temp) || ast_mentions(n, p->output);
}

/* Statements that write the temporary, or that take it in, loops around them included. */
static bool add_stores(struct inplace *p, const struct ast_node *n) {
    int walks = p->walks.len;
    bool ok = false;
    if (!is_mentioned(p, n)) {
        ok = true;
    } else if (n->kind == AST_FOR) {
        ok = push_loop(p, n);
        for (const struct ast_node *s = n->body.first; s && ok; s = s->next)
            ok = add_stores(p, s);
    } else if (n->kind == AST_TILE) {
        ok = push_tile(p, n) && add_store(p, n);
    } else if (n->kind == AST_STORE) {
        ok = add_store(p, n);
    }
    p->walks.len = walks;
    return ok;
}

static int by_place(const void *x, const void *y) {
    const struct part *a = x, *b = y;
    return (a->lo > b->lo) - (a->lo < b->lo);
}

/* Do the parts cover the temporary, each element once? */
static bool covers(struct inplace *p) {
    int64_t end = 0, elements;
    if (p->parts.len > 0)
        qsort(p->parts.data, (size_t)p->parts.len, sizeof *p->parts.data, by_place);
    for (int k = 0; k < p->parts.len; k++) {
        if (p->parts.data[k].lo != end)
            return false;
        end = p->parts.data[k].hi;
    }
    return expr_as_int(p->ast->buffers.data[p->temp].elements, &elements) && end == elements;
}

/* First the whole temporary is written: nothing is left in it from the iteration before. Then
 * come others that mention it alone, in the end those that take it in. */
static bool may_move(struct inplace *p, struct ast_node *nest) {
    if (!find_iteration(p, nest) || !find_output(p))
        return false;
    const struct ast_node *n = p->list->first;
    for (; n && !covers(p); n = n->next)
        if (!add_stores(p, n))
            return false;
    for (; n && !ast_mentions(n, p->output); n = n->next)
        continue;
    p->taking = true;
    p->parts.len = 0;
    for (; n; n = n->next)
        if (!add_stores(p, n))
            return false;
    return covers(p);
}

/* ---- moving ---- */

/* base + index, as one sum. */
static const struct expr *place_of(struct inplace *p, const struct expr *index) {
    bool sum = expr_is_func(index, FUNC_ADD) || expr_is_func(index, FUNC_SUB);
    if (!sum)
        return expr_2(p->ast->arena, FUNC_ADD, p->base, index);
    return expr_2(p->ast->arena, index->func, place_of(p, index->arg[0]), index->arg[1]);
}

static const struct expr *move_load(void *user, const struct expr *e) {
    struct inplace *p = user;
    if (e->kind != EXPR_LOAD || e->array != p->temp)
        return e;
    const struct expr *index = place_of(p, e->arg[0]);
    return expr_load(p->ast->arena, e->dtype, p->output, &index, 1);
}

static void move_expr(struct inplace *p, const struct expr **e) {
    if (*e && expr_loads(*e, p->temp))
        *e = expr_map(p->ast->arena, *e, move_load, p);
}

static void move_counts(struct inplace *p, struct ast_node *n) {
    struct tile_iter *tile = arena_array(p->ast->arena, struct tile_iter, n->num_tile);
    for (int k = 0; k < n->num_tile; k++) {
        tile[k] = n->tile[k];
        move_expr(p, &tile[k].count);
    }
    n->tile = tile;
}

static void move_list(struct inplace *p, struct ast_list *list) {
    for (struct ast_node *n = list->first; n; n = n->next) {
        move_expr(p, &n->lo);
        move_expr(p, &n->hi);
        move_expr(p, &n->cond);
        move_expr(p, &n->index);
        move_expr(p, &n->value);
        move_counts(p, n);
        if ((n->kind == AST_STORE || n->kind == AST_TILE) && n->buffer == p->temp) {
            n->index = place_of(p, n->index);
            n->buffer = p->output;
        }
        move_list(p, &n->body);
        move_list(p, &n->orelse);
    }
}

/* ---- which temporaries ---- */

/* Where a buffer is mentioned. */
struct use {
    struct ast_node *nest; // the last one
    bool twice;            // in others as well
};

struct uses {
    struct use *of; // [buffers]
    struct ast_node *now;
};

static void see_use(void *user, int buffer, bool store) {
    struct uses *u = user;
    struct use *of = &u->of[buffer];
    (void)store;
    of->twice = of->twice || (of->nest && of->nest != u->now);
    of->nest = u->now;
}

/* Temporaries of one iteration are computed where what they become will lie. Requires an ast
 * that arena_plan has not seen; those that move are mentioned no more and get no room. Keeps
 * what is computed, bit by bit. Cost: linear in the text, and in that of each nest for each
 * temporary of its own. */
bool pass_inplace(struct compile *c, struct ast *a) {
    struct arena scratch = {0};
    struct uses u = {.of = arena_array(&scratch, struct use, a->buffers.len)};
    (void)c;
    for (u.now = a->body.first; u.now; u.now = u.now->next)
        ast_walk_buffers(u.now, see_use, &u);
    for (int k = 0; k < a->buffers.len; k++) {
        struct inplace p = {.ast = a, .temp = k};
        struct ast_node *nest = u.of[k].nest;
        bool own = a->buffers.data[k].kind == BUFFER_TEMP && nest && !u.of[k].twice;
        if (own && nest->kind == AST_NEST && may_move(&p, nest))
            move_list(&p, p.list);
        arena_free(&p.scratch);
    }
    arena_free(&scratch);
    return true;
}
