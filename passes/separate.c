/* Windows of several dimensions, one dimension after the other. The largest of the elements in
 * a window of 5 x 5 is the largest of five rows' largest of five:
 *
 *     Y[y,x] = reduce(max, [r,s: 5,5], X[y+r,x+s])                25 steps an element
 *
 *     T[y,x] = reduce(max, [s: 5], X[y,x+s])                      5 + 5 steps: each row of T
 *     Y[y,x] = reduce(max, [r: 5], T[y+r,x])                      is read by five rows of Y
 *
 * That is so for max and min, which do not round and do not mind what they meet twice, when
 * the outermost iterator of the reduce stands in one index expression only and no bound or
 * value mentions it together with the others. Among equal elements, zeros of both signs too,
 * the same one comes out as before. Not so where floats are NaN: what comes out depends on
 * where in the order they are. So floats are left alone where the order of a reduction is kept:
 * under --strict and in portable C.
 *
 * The array between is as large as what is read, but the schedule keeps only a few rows of it
 * (polyhedral/nest.c, strip.c). A window of three dimensions is separated twice. */
#include "passes/fuse.h"
#include "passes/passes.h"

enum {
    MIN_PERCENT = 160
}; // the steps there were, of those that are left; 3 x 3 is not worth it

/* A statement that can be separated, and where. */
struct window {
    struct loops *l;
    struct arena *scratch;
    struct stmt *s;
    struct scope scope;          // its iterators
    const struct expr *reduce;   // in s->rhs
    const struct expr *value;    // what the reduce's guard guards, or its body
    const struct expr *pad;      // of the guard; NULL: there is none
    const struct expr *at;       // the index that the outermost iterator stands in; NULL: none
    int64_t lo, hi;              // its values that are needed, inclusive
    vec(const struct expr *) in; // bounds of the guard on it, by threes
    vec(const struct expr *) by; // the other bounds
    bool fits;                   // nothing found yet that forbids it
};

static const char *outermost(const struct window *w) {
    return w->reduce->iters[0].name;
}

/* ---- what a statement computes ---- */

/* Values may be computed elsewhere and as often as wanted when nothing in them chooses and
 * nothing can fail. */
static void see_choice(void *user, const struct expr *e) {
    struct window *w = user;
    if (e->kind == EXPR_GUARD || expr_is_func(e, FUNC_SELECT) || expr_is_func(e, FUNC_CHECK))
        w->fits = false;
}

static const struct expr *without_reduce(void *user, const struct expr *e) {
    const struct window *w = user;
    return e->kind == EXPR_REDUCE ? expr_const(w->l->arena, e->dtype, (union scalar){0}) : e;
}

/* Do the loads of the value mention the outermost iterator in one index expression? */
static void see_load(void *user, const struct expr *e) {
    struct window *w = user;
    for (int d = 0; d < e->n && e->kind == EXPR_LOAD; d++) {
        const struct expr *index = e->arg[d];
        if (!expr_mentions(index, outermost(w)))
            continue;
        w->fits =
            w->fits && (!w->at || expr_equal(w->at, index)) && !expr_find(index, EXPR_LOAD);
        w->at = index;
    }
}

/* The range of the index, as far as it is inside of bounds on it. */
static void see_bound(struct window *w, const struct expr *const *b) {
    int64_t lo, hi;
    bool along = expr_mentions(b[0], outermost(w));
    for (int k = 0; k < 3; k++) {
        if (along)
            vec_push(w->scratch, &w->in, b[k]);
        else
            vec_push(w->scratch, &w->by, b[k]);
    }
    if (!along)
        return;
    if (!expr_equal(b[0], w->at) || !expr_as_int(b[1], &lo) || !expr_as_int(b[2], &hi)) {
        w->fits = false;
        return;
    }
    w->lo = w->lo > lo ? w->lo : lo;
    w->hi = w->hi < hi - 1 ? w->hi : hi - 1;
}

static void see_guard(struct window *w, const struct expr *body) {
    for (int k = 2; body->kind == EXPR_GUARD && k < body->n; k += 3)
        see_bound(w, body->arg + k);
    if (w->in.len > 0)
        w->fits = w->fits && w->pad->kind == EXPR_CONST;
}

/* Loads at every value of the index that is needed lie inside of their arrays. */
static void see_extent(void *user, const struct expr *e) {
    struct window *w = user;
    for (int d = 0; d < e->n && e->kind == EXPR_LOAD; d++)
        if (expr_equal(e->arg[d], w->at))
            w->fits = w->fits && w->lo >= 0 &&
                      w->hi < loops_extent(w->l, w->l->arrays.data[e->array].extent[d]);
}

static bool has_constant_extents(const struct iter *iters, int n) {
    int64_t extent;
    for (int k = 0; k < n; k++)
        if (!expr_as_int(iters[k].extent, &extent) || extent < 1)
            return false;
    return true;
}

/* Does the statement have one reduce, over several iterators, whose order is free (of floats:
 * if `floats`), and which runs whatever the iterators are? */
static bool has_form(struct window *w, bool floats) {
    const struct expr *r = w->reduce;
    if (!r || r->num_iters < 2 || (r->func != FUNC_MAX && r->func != FUNC_MIN) ||
        (!floats && dtype_is_float(r->dtype)) ||
        !has_constant_extents(r->iters, r->num_iters) ||
        !has_constant_extents(w->s->iters, w->s->num_iters))
        return false;
    w->fits = true;
    expr_walk(expr_map(w->l->arena, w->s->rhs, without_reduce, w), see_choice, w);
    return w->fits;
}

/* Fills in the window of a statement; false when it has none that can be separated. */
static bool window_of(struct window *w, bool floats) {
    struct inliner in = {.l = w->l, .scratch = w->scratch};
    w->reduce = expr_find(w->s->rhs, EXPR_REDUCE);
    if (!has_form(w, floats))
        return false;
    const struct expr *body = w->reduce->arg[0];
    w->scope = scope_of(&in, w->s);
    w->value = body->kind == EXPR_GUARD ? body->arg[0] : body;
    w->pad = body->kind == EXPR_GUARD ? body->arg[1] : NULL;
    expr_walk(w->value, see_choice, w);
    expr_walk(w->value, see_load, w);
    if (!w->fits || !w->at || !scope_range(&w->scope, w->at, &w->lo, &w->hi))
        return false;
    see_guard(w, body);
    expr_walk(w->value, see_extent, w);
    return w->fits && w->lo <= w->hi;
}

/* ---- the array between ---- */

/* An expression in the place of another. */
struct exchange {
    const struct expr *old, *new;
};

static const struct expr *exchange(void *user, const struct expr *e) {
    const struct exchange *x = user;
    return expr_equal(e, x->old) ? x->new : e;
}

/* What the reduce takes in, with `by` for the index; bounds on the index are left out. */
static const struct expr *body_by(const struct window *w, const struct expr *by) {
    struct arena *a = w->l->arena;
    struct exchange x = {w->at, by};
    const struct expr *value = expr_map(a, w->value, exchange, &x);
    return w->by.len > 0 ? expr_guard(a, value, w->pad, w->by.data, w->by.len / 3) : value;
}

/* The statement that the array between comes from: its iterators, one of which is the index
 * (less its least value). */
struct between {
    struct iter *iters;
    int num, along;
};

/* False when the outermost iterator is not in the index alone. */
static bool between_of(const struct window *w, struct between *b) {
    const struct stmt *s = w->s;
    const struct expr *rest = body_by(w, expr_index(w->l->arena, 0));
    *b = (struct between){arena_array(w->l->arena, struct iter, s->num_iters + 1), 0, -1};
    for (int k = 0; k < s->num_iters; k++) {
        bool stays = expr_mentions(rest, s->iters[k].name);
        if (b->along < 0 && expr_mentions(w->at, s->iters[k].name)) {
            b->along = b->num;
            b->iters[b->num++].name = stays ? outermost(w) : s->iters[k].name;
        }
        if (stays)
            b->iters[b->num++] = s->iters[k];
    }
    if (b->along < 0) {
        b->along = b->num;
        b->iters[b->num++].name = outermost(w);
    }
    b->iters[b->along].extent = expr_index(w->l->arena, w->hi - w->lo + 1);
    return !expr_mentions(rest, outermost(w));
}

/* Iterations of these loops; all of them are known. */
static double iterations(const struct iter *iters, int n) {
    double product = 1;
    for (int k = 0; k < n; k++) {
        int64_t extent = 0;
        expr_as_int(iters[k].extent, &extent);
        product *= (double)extent;
    }
    return product;
}

/* Are the steps of both statements so much fewer than those of one? */
static bool is_worth(const struct window *w, const struct between *b) {
    const struct expr *r = w->reduce;
    double own = iterations(w->s->iters, w->s->num_iters), outer = iterations(r->iters, 1);
    double inner = iterations(r->iters + 1, r->num_iters - 1);
    double left = iterations(b->iters, b->num) * inner + own * outer;
    return own * outer * inner * 100 >= left * MIN_PERCENT;
}

/* ---- taking it apart ---- */

/* The iterators of the array between as an index into it, `at` in place of the index. */
static const struct expr **index_of(const struct window *w, const struct between *b,
                                    const struct expr *at) {
    struct arena *a = w->l->arena;
    const struct expr **index = arena_array(a, const struct expr *, b->num);
    for (int k = 0; k < b->num; k++)
        index[k] = k == b->along ? at : expr_var(a, DTYPE_INDEX, b->iters[k].name);
    return index;
}

static int add_between(const struct window *w, const struct between *b) {
    const struct expr **extent = arena_array(w->l->arena, const struct expr *, b->num);
    for (int k = 0; k < b->num; k++)
        extent[k] = b->iters[k].extent;
    return loops_add_array(w->l, ARRAY_TEMP, w->reduce->dtype, b->num, extent, NULL);
}

static struct stmt *add_writer(const struct window *w, const struct between *b, int array) {
    struct arena *a = w->l->arena;
    struct stmt_list apart = {0};
    const struct expr *r = w->reduce, *y = expr_var(a, DTYPE_INDEX, b->iters[b->along].name);
    const struct expr *body = body_by(w, expr_2(a, FUNC_ADD, y, expr_index(a, w->lo)));
    struct stmt *s = loops_add_stmt(w->l, &apart, STMT_COMPUTE, w->s->loc);
    s->iters = b->iters;
    s->num_iters = b->num;
    s->array = array;
    s->index = index_of(w, b, y);
    s->rhs = expr_reduce(a, r->func, r->dtype, r->iters + 1, r->num_iters - 1, body);
    return s;
}

/* The reduce over the array between. */
static const struct expr *reduce_between(const struct window *w, const struct between *b,
                                         int array) {
    struct arena *a = w->l->arena;
    const struct expr *r = w->reduce;
    const struct expr *at = expr_2(a, FUNC_SUB, w->at, expr_index(a, w->lo));
    const struct expr *body = expr_load(a, r->dtype, array, index_of(w, b, at), b->num);
    if (w->in.len > 0)
        body = expr_guard(a, body, expr_cast(a, r->dtype, w->pad), w->in.data, w->in.len / 3);
    return expr_reduce(a, r->func, r->dtype, r->iters, 1, body);
}

static void simplify(const struct window *w, struct stmt *s) {
    struct inliner in = {.l = w->l, .scratch = w->scratch};
    struct scope scope = scope_of(&in, s);
    s->rhs = scope_simplify(&scope, s->rhs);
}

/* The statement that is left, and before it the one that writes what is between: it stands
 * where the old one was, which follows it. */
static void separate(const struct window *w, const struct between *b) {
    struct stmt *s = w->s;
    int array = add_between(w, b);
    struct stmt *writer = add_writer(w, b, array), reader = *s;
    struct exchange x = {w->reduce, reduce_between(w, b, array)};
    reader.rhs = expr_map(w->l->arena, s->rhs, exchange, &x);
    *s = *writer;
    *writer = reader;
    s->next = writer;
    simplify(w, s);
    simplify(w, writer);
}

/* Computes windows of several dimensions, of max and min, one dimension after the other where
 * that takes MIN_PERCENT fewer steps: a statement becomes two, with an array between them.
 * Requires loops that loops_check accepts; what it leaves computes the same bits, but for
 * floats (with vectors and not under --strict) when some are NaN. Statements in seq, if and
 * while are left alone. Cost: a walk over the statements. */
bool pass_separate(struct compile *c, struct loops *l) {
    struct arena scratch = {0};
    bool any = false, floats = !c->strict && c->target->vector_bytes > 0;
    for (struct stmt *s = l->body.first, *next; s; s = next) {
        struct window w = {.l = l, .scratch = &scratch, .s = s};
        struct between b;
        next = s->next;
        if (s->kind != STMT_COMPUTE || !window_of(&w, floats) || !between_of(&w, &b) ||
            !is_worth(&w, &b))
            continue;
        diag_remark(c->diag, REMARK_PASSED, s->loc,
                    "%s: %s over %s after that over the rest of its window", s->name,
                    func_monoid_name(w.reduce->func), outermost(&w));
        separate(&w, &b);
        next = s; // the array between may come from a window itself
        any = true;
        if (l->body.last == s)
            l->body.last = s->next;
    }
    if (any)
        fuse_compact(l, &scratch);
    arena_free(&scratch);
    return true;
}
