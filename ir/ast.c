/* Building the ast language (ir/ast.h), and which buffers a statement mentions. */
#include "ir/ast.h"

struct ast *ast_new(struct intern *names, const char *name) {
    struct arena arena = {0};
    struct ast *a = arena_new(&arena, struct ast);
    a->arena = arena_new(&arena, struct arena);
    *a->arena = arena;
    a->names = names;
    a->name = intern(names, name);
    a->arena_align = 1;
    return a;
}

void ast_free(struct ast *a) {
    if (!a)
        return;
    struct arena arena = *a->arena; // it lies in itself
    arena_free(&arena);
}

int ast_add_buffer(struct ast *a, struct buffer b) {
    char name[16];
    snprintf(name, sizeof name, "b%d", a->buffers.len);
    b.name = intern(a->names, name);
    b.offset = -1;
    vec_push(a->arena, &a->buffers, b);
    return a->buffers.len - 1;
}

struct ast_node *ast_add(struct ast *a, struct ast_list *list, enum ast_kind kind,
                         struct loc loc) {
    struct ast_node *n = arena_new(a->arena, struct ast_node);
    n->kind = kind;
    n->loc = loc;
    n->step = 1;
    if (list->last)
        list->last->next = n;
    else
        list->first = n;
    list->last = n;
    return n;
}

bool tile_role_reduces(enum tile_role role) {
    return role == TILE_RED || role == TILE_DOT4 || role == TILE_SPLIT;
}

/* ---- mentions ---- */

struct walk {
    void (*fn)(void *user, int buffer, bool store);
    void *user;
};

static void walk_load(void *user, const struct expr *e) {
    struct walk *w = user;
    if (e->kind == EXPR_LOAD)
        w->fn(w->user, e->array, false);
}

static void walk_expr(struct walk *w, const struct expr *e) {
    if (e)
        expr_walk(e, walk_load, w);
}

static void walk_list(struct walk *w, const struct ast_list *list);

static void walk_node(struct walk *w, const struct ast_node *n) {
    walk_expr(w, n->lo);
    walk_expr(w, n->hi);
    walk_expr(w, n->cond);
    walk_expr(w, n->index);
    walk_expr(w, n->value);
    for (int i = 0; i < n->num_tile; i++)
        walk_expr(w, n->tile[i].count);
    for (int i = 0; i < n->num_reads; i++)
        w->fn(w->user, n->reads[i], false);
    for (int i = 0; i < n->num_writes; i++)
        w->fn(w->user, n->writes[i], true);
    if (n->kind == AST_STORE || n->kind == AST_TILE)
        w->fn(w->user, n->buffer, true);
    walk_list(w, &n->body);
    walk_list(w, &n->orelse);
}

static void walk_list(struct walk *w, const struct ast_list *list) {
    for (const struct ast_node *n = list->first; n; n = n->next)
        walk_node(w, n);
}

void ast_walk_buffers(const struct ast_node *n, void (*fn)(void *user, int buffer, bool store),
                      void *user) {
    struct walk w = {fn, user};
    walk_node(&w, n);
}

struct mention {
    int buffer;
    bool found;
};

static void find_buffer(void *user, int buffer, bool store) {
    struct mention *m = user;
    (void)store;
    m->found = m->found || buffer == m->buffer;
}

bool ast_mentions(const struct ast_node *n, int buffer) {
    struct mention m = {.buffer = buffer};
    ast_walk_buffers(n, find_buffer, &m);
    return m.found;
}
