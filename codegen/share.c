/* Bounds that are printed at many places get a name.
 *
 * The range that its padding leaves of a reduction, `min(3, 57 - c1) - max(0, 1 - c1)`, stands
 * in the loops and the indices of every tile of a nest, and a call in the condition of a loop
 * reads as work. Minima and maxima that several places need, and the counts of tiles that have
 * one in them, become a `let` at the start of the outermost list of statements where all that
 * they mention is known. They are cheap and cannot fail, so it does not matter that some
 * iterations may need none of them. */
#include "codegen/emit.h"

/* The lists of one nest, copies that are changed in place. */
struct sharing {
    struct arena *arena;
    int num_at, num_counts; // scalars named so far
    const struct expr *let; // the one that is replaced …
    const struct expr *var; // … by its name
};

/* What may be shared in one list. */
struct candidates {
    struct arena arena;
    vec(const char *) bound; // names that the list declares or sets, at any depth
    vec(struct candidate {
        const struct expr *e;
        int uses;
        bool is_extent; // of a reduction
    }) all;
};

/* ---- every expression of a list ---- */

typedef const struct expr *on_expr(void *user, const struct expr *e);

static void each_expr(struct arena *a, struct ast_list *list, on_expr *fn, void *user);

static const struct tile_iter *each_count(struct arena *a, const struct ast_node *n,
                                          on_expr *fn, void *user) {
    struct tile_iter *tile = arena_copy(a, n->tile, sizeof *tile * (size_t)n->num_tile);
    for (int i = 0; i < n->num_tile; i++)
        tile[i].count = fn(user, tile[i].count);
    return tile;
}

static void each_expr_of_node(struct arena *a, struct ast_node *n, on_expr *fn, void *user) {
    const struct expr **of[] = {&n->lo, &n->hi, &n->cond, &n->index, &n->value};
    for (size_t k = 0; k < sizeof of / sizeof *of; k++)
        *of[k] = *of[k] ? fn(user, *of[k]) : NULL;
    if (n->num_tile > 0)
        n->tile = each_count(a, n, fn, user);
    each_expr(a, &n->body, fn, user);
    each_expr(a, &n->orelse, fn, user);
}

static void each_expr(struct arena *a, struct ast_list *list, on_expr *fn, void *user) {
    for (struct ast_node *n = list->first; n; n = n->next)
        each_expr_of_node(a, n, fn, user);
}

static struct ast_list copy_list(struct arena *a, const struct ast_list *list) {
    struct ast_list copy = {NULL, NULL};
    for (const struct ast_node *n = list->first; n; n = n->next) {
        struct ast_node *c = arena_copy(a, n, sizeof *n);
        c->next = NULL;
        c->body = copy_list(a, &n->body);
        c->orelse = copy_list(a, &n->orelse);
        if (copy.last)
            copy.last->next = c;
        else
            copy.first = c;
        copy.last = c;
    }
    return copy;
}

/* ---- what may be shared ---- */

static bool is_choice(const struct expr *e) {
    return e->kind == EXPR_FUNC && (e->func == FUNC_MIN || e->func == FUNC_MAX) &&
           e->dtype == DTYPE_INDEX;
}

static bool has_choice(const struct expr *e) {
    bool has = is_choice(e);
    for (int k = 0; k < e->n && !has; k++)
        has = has_choice(e->arg[k]);
    return has;
}

/* Arithmetic of what is known before the list, that cannot fail. */
static bool is_known(const struct candidates *c, const struct expr *e) {
    bool divides = e->kind == EXPR_FUNC && (e->func == FUNC_DIV || e->func == FUNC_MOD);
    bool plain = e->kind == EXPR_CONST || e->kind == EXPR_VAR ||
                 (e->kind == EXPR_FUNC &&
                  (e->func == FUNC_ADD || e->func == FUNC_SUB || e->func == FUNC_MUL ||
                   is_choice(e) || (divides && e->arg[1]->kind == EXPR_CONST)));
    if (!plain || e->dtype != DTYPE_INDEX)
        return false;
    for (int i = 0; i < c->bound.len && e->kind == EXPR_VAR; i++)
        if (strcmp(c->bound.data[i], e->name) == 0)
            return false;
    for (int k = 0; k < e->n; k++)
        if (!is_known(c, e->arg[k]))
            return false;
    return true;
}

static void add_candidate(struct candidates *c, const struct expr *e, bool is_extent) {
    for (int i = 0; i < c->all.len; i++) {
        struct candidate *at = &c->all.data[i];
        if (!expr_equal(at->e, e))
            continue;
        at->uses++;
        at->is_extent |= is_extent;
        return;
    }
    if (is_known(c, e))
        vec_push(&c->arena, &c->all, ((struct candidate){e, 1, is_extent}));
}

/* The extent of a reduction is the limit of a loop: one is worth two other uses. */
static void find_in_part(void *user, const struct expr *e) {
    struct candidates *c = user;
    if (is_choice(e))
        add_candidate(c, e, false);
    for (int i = 0; i < 2 * e->num_iters; i++)
        if (has_choice(e->iters[i / 2].extent))
            add_candidate(c, e->iters[i / 2].extent, true);
}

static const struct expr *find_in_expr(void *user, const struct expr *e) {
    expr_walk(e, find_in_part, user);
    return e;
}

/* ---- names ---- */

static void bind_iterators(void *user, const struct expr *e) {
    struct candidates *c = user;
    for (int i = 0; i < e->num_iters; i++)
        vec_push(&c->arena, &c->bound, e->iters[i].name);
}

static const struct expr *bind_in_expr(void *user, const struct expr *e) {
    expr_walk(e, bind_iterators, user);
    return e;
}

static void bind_names(struct candidates *c, const struct ast_list *list) {
    for (const struct ast_node *n = list->first; n; n = n->next) {
        if (n->kind == AST_FOR || n->kind == AST_LET || n->kind == AST_SET)
            vec_push(&c->arena, &c->bound, n->name);
        for (int i = 0; i < n->num_tile; i++)
            vec_push(&c->arena, &c->bound, n->tile[i].name);
        bind_names(c, &n->body);
        bind_names(c, &n->orelse);
    }
}

/* ---- lets ---- */

static const struct expr *replace_part(void *user, const struct expr *e) {
    const struct sharing *s = user;
    return expr_equal(e, s->let) ? s->var : e;
}

static const struct expr *replace(void *user, const struct expr *e) {
    struct sharing *s = user;
    return expr_map(s->arena, e, replace_part, s);
}

/* The largest expression that the list needs more than once; one without an expression when
 * there is none. */
static struct candidate choose(struct sharing *s, struct ast_list *list) {
    struct candidates c = {.all = {0}};
    struct candidate best = {.e = NULL};
    each_expr(s->arena, list, bind_in_expr, &c);
    bind_names(&c, list);
    each_expr(s->arena, list, find_in_expr, &c);
    for (int i = 0; i < c.all.len; i++) {
        const struct candidate *at = &c.all.data[i];
        if (at->uses > 1 && (!best.e || at->e->height > best.e->height))
            best = *at;
    }
    arena_free(&c.arena);
    return best;
}

/* Before the first of the lets at the start that needs it, else behind them. */
static void insert_let(struct ast_list *list, struct ast_node *let, int num_lets) {
    struct ast_node **at = &list->first;
    for (int i = 0; i < num_lets && !expr_mentions((*at)->value, let->name); i++)
        at = &(*at)->next;
    let->next = *at;
    *at = let;
}

static void share_in_list(struct sharing *s, struct ast_list *list) {
    int num_lets = 0;
    for (struct candidate c = choose(s, list); c.e; c = choose(s, list)) {
        struct ast_node *let = arena_new(s->arena, struct ast_node);
        *let = (struct ast_node){.kind = AST_LET, .dtype = DTYPE_INDEX, .value = c.e};
        // no clash: names of an ast are one letter and digits
        let->name = c.is_extent ? arena_printf(s->arena, "count%d", s->num_counts++)
                                : arena_printf(s->arena, "at%d", s->num_at++);
        s->let = c.e;
        s->var = expr_var(s->arena, DTYPE_INDEX, let->name);
        each_expr(s->arena, list, replace, s);
        insert_let(list, let, num_lets++);
    }
    for (struct ast_node *n = list->first; n; n = n->next) {
        share_in_list(s, &n->body);
        share_in_list(s, &n->orelse);
    }
}

static const struct expr *note_choice(void *user, const struct expr *e) {
    *(bool *)user |= has_choice(e);
    return e;
}

struct ast_list share_bounds(struct arena *a, const struct ast_list *list) {
    struct sharing s = {.arena = a};
    struct ast_list copy = copy_list(a, list);
    bool any = false;
    each_expr(a, &copy, note_choice, &any);
    if (any)
        share_in_list(&s, &copy);
    return copy;
}
