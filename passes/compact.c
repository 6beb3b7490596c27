/* Numbering the arrays and statements of a loops program anew after some have gone. */
#include "passes/fuse.h"

struct compact {
    struct loops *l;
    struct arena *scratch;
    bool *used;
    int *number; // the new one
    int stmts;
};

static void use_array(struct compact *c, int array) {
    c->used[array] = true;
    c->used[loops_root(c->l, array)] = true;
}

static void use_load(void *user, const struct expr *e) {
    if (e->kind == EXPR_LOAD)
        use_array(user, e->array);
}

static void use_list(struct compact *c, const struct stmt_list *list) {
    for (const struct stmt *s = list->first; s; s = s->next) {
        if (s->rhs)
            expr_walk(s->rhs, use_load, c);
        for (int d = 0; s->kind == STMT_COMPUTE && d < c->l->arrays.data[s->array].rank; d++)
            expr_walk(s->index[d], use_load, c);
        if (s->kind == STMT_COMPUTE)
            use_array(c, s->array);
        for (int k = 0; k < s->num_reads; k++)
            use_array(c, s->reads[k]);
        for (int k = 0; k < s->num_writes; k++)
            use_array(c, s->writes[k]);
        use_list(c, &s->body);
        use_list(c, &s->orelse);
    }
}

static const struct expr *renumber_load(void *user, const struct expr *e) {
    const struct compact *c = user;
    if (e->kind != EXPR_LOAD || c->number[e->array] == e->array)
        return e;
    return expr_load(c->l->arena, e->dtype, c->number[e->array], e->arg, e->n);
}

static const int *renumber_arrays(struct compact *c, const int *arrays, int n) {
    int *out = arena_array(c->l->arena, int, n);
    for (int k = 0; k < n; k++)
        out[k] = c->number[arrays[k]];
    return out;
}

/* letter<number> for a name of that form. */
static const char *own_name(struct compact *c, const char *name, int number) {
    char text[16];
    if (!name[1] || name[1 + strspn(name + 1, "0123456789")] != '\0')
        return name;
    snprintf(text, sizeof text, "%c%d", name[0], number);
    return intern(c->l->names, text);
}

static void renumber_compute(struct compact *c, struct stmt *s) {
    int rank = c->l->arrays.data[s->array].rank;
    const struct expr **index = arena_array(c->l->arena, const struct expr *, rank);
    for (int d = 0; d < rank; d++)
        index[d] = expr_map(c->l->arena, s->index[d], renumber_load, c);
    s->index = index;
    s->array = c->number[s->array];
    s->name = s->name[0] == 'S' ? own_name(c, s->name, c->stmts) : s->name;
    c->stmts++;
}

static void renumber_list(struct compact *c, struct stmt_list *list) {
    for (struct stmt *s = list->first; s; s = s->next) {
        if (s->rhs)
            s->rhs = expr_map(c->l->arena, s->rhs, renumber_load, c);
        if (s->kind == STMT_COMPUTE)
            renumber_compute(c, s);
        s->reads = renumber_arrays(c, s->reads, s->num_reads);
        s->writes = renumber_arrays(c, s->writes, s->num_writes);
        renumber_list(c, &s->body);
        renumber_list(c, &s->orelse);
    }
}

void fuse_compact(struct loops *l, struct arena *scratch) {
    int n = l->arrays.len, kept = 0;
    struct compact c = {l, scratch, arena_array(scratch, bool, n), arena_array(scratch, int, n),
                        0};
    use_list(&c, &l->body);
    for (int k = 0; k < n; k++) {
        enum array_kind kind = l->arrays.data[k].kind;
        c.used[k] = c.used[k] || kind == ARRAY_INPUT || kind == ARRAY_OUTPUT;
        c.number[k] = c.used[k] ? kept++ : -1;
    }
    renumber_list(&c, &l->body);
    for (int k = 0; k < n; k++) {
        struct array a = l->arrays.data[k];
        if (!c.used[k])
            continue;
        a.name = a.name[0] == 'a' ? own_name(&c, a.name, c.number[k]) : a.name;
        a.view_of = a.kind == ARRAY_VIEW ? c.number[a.view_of] : a.view_of;
        a.alias = a.alias >= 0 ? c.number[a.alias] : a.alias;
        l->arrays.data[c.number[k]] = a;
    }
    l->arrays.len = kept;
    l->num_stmts = c.stmts;
}
