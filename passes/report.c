/* What is said of the final ast beside its memory: the loop nests that touch memory, and those
 * of them that only move elements from one place to another, each with the reason why fusing
 * did not remove it. */
#include "passes/passes.h"

struct report {
    struct compile *compile;
    const struct ast *ast;
    int nests, copies, calls;
};

/* ---- what a nest does ---- */

struct nest {
    int from, to;  // buffers of the first element moved; -1: none
    int calls;     // of routines
    bool stores;   // at all
    bool computes; // something else is stored than an element read
    bool by_data;  // where an element is read from is itself read
};

/* The load of a value that is an element or a guarded one; NULL when it is anything else. */
static const struct expr *moved_element(const struct expr *value) {
    while (value->kind == EXPR_GUARD)
        value = value->arg[0];
    return value->kind == EXPR_LOAD ? value : NULL;
}

static void add_store(struct nest *n, const struct ast_node *store) {
    const struct expr *load = moved_element(store->value);
    n->stores = true;
    n->computes = n->computes || !load;
    if (!load || n->from >= 0)
        return;
    n->from = load->array;
    n->to = store->buffer;
    n->by_data = expr_find(load->arg[0], EXPR_LOAD) != NULL;
}

static void add_list(struct nest *n, const struct ast_list *list) {
    for (const struct ast_node *s = list->first; s; s = s->next) {
        if (s->kind == AST_STORE || s->kind == AST_TILE)
            add_store(n, s);
        n->computes = n->computes || s->kind == AST_SET;
        n->calls += s->kind == AST_CALL;
        add_list(n, &s->body);
        add_list(n, &s->orelse);
    }
}

static struct nest nest_of(const struct ast_node *node) {
    struct nest n = {.from = -1, .to = -1};
    add_list(&n, &node->body);
    return n;
}

/* ---- why a copy stays ---- */

/* Does a call in the list mention the buffer? */
static bool in_call(const struct ast_list *list, int buffer) {
    bool found = false;
    for (const struct ast_node *n = list->first; n && !found; n = n->next)
        found = (n->kind == AST_CALL && ast_mentions(n, buffer)) || in_call(&n->body, buffer) ||
                in_call(&n->orelse, buffer);
    return found;
}

struct load {
    int buffer;
    bool found;
};

static void find_load(void *user, int buffer, bool store) {
    struct load *x = user;
    x->found = x->found || (buffer == x->buffer && !store);
}

/* Does a nest in the list, other than `but`, read the buffer? */
static bool read_by_others(const struct ast_list *list, int buffer,
                           const struct ast_node *but) {
    struct load load = {.buffer = buffer};
    for (const struct ast_node *n = list->first; n && !load.found; n = n->next) {
        if (n->kind == AST_NEST && n != but)
            ast_walk_buffers(n, find_load, &load);
        if (n->kind != AST_NEST)
            load.found = read_by_others(&n->body, buffer, but) ||
                         read_by_others(&n->orelse, buffer, but);
    }
    return load.found;
}

static const char *kept_why(const struct compile *c, int buffer) {
    for (const struct kept_array *k = c->kept; k; k = k->next)
        if (k->buffer == buffer)
            return k->why;
    return NULL;
}

/* The plainest true reason, where fuse gave none: who else has a say in both buffers. */
static const char *why_plain(const struct report *r, const struct ast_node *node,
                             const struct nest *n, bool repeated) {
    const struct buffer *from = &r->ast->buffers.data[n->from];
    const struct buffer *to = &r->ast->buffers.data[n->to];
    bool given = from->kind == BUFFER_INPUT || from->kind == BUFFER_CONST;
    if (to->kind == BUFFER_OUTPUT && given)
        return "the output consists of elements that nothing computes";
    if (n->by_data)
        return "data says which elements";
    if (in_call(&r->ast->body, n->to))
        return "a call wants the result as an array";
    if (in_call(&r->ast->body, n->from))
        return "a call makes what is copied";
    if (repeated)
        return "a loop carries the result from one repetition to the next";
    if (from->kind == BUFFER_OUTPUT)
        return "what is copied is an output too";
    if (read_by_others(&r->ast->body, n->from, node))
        return "what is copied is read elsewhere too";
    return "it is wanted in another order than it is made in";
}

static void report_copy(const struct report *r, const struct ast_node *node,
                        const struct nest *n, bool repeated) {
    const struct ast *a = r->ast;
    const char *to = kept_why(r->compile, n->to), *from = kept_why(r->compile, n->from);
    struct str why = {0};
    if (to)
        str_addf(&why, "%s: %s", a->buffers.data[n->to].name, to);
    if (from)
        str_addf(&why, "%s%s: %s", to ? "; " : "", a->buffers.data[n->from].name, from);
    if (!to && !from)
        str_add(&why, why_plain(r, node, n, repeated));
    diag_remark(r->compile->diag, REMARK_MISSED, node->loc, "%s from %s only copies: %s",
                a->buffers.data[n->to].name, a->buffers.data[n->from].name, str_cstr(&why));
    str_free(&why);
}

/* ---- all nests ---- */

static void report_list(struct report *r, const struct ast_list *list, bool repeated) {
    for (const struct ast_node *s = list->first; s; s = s->next) {
        if (s->kind != AST_NEST) {
            r->calls += s->kind == AST_CALL;
            report_list(r, &s->body, repeated || s->kind == AST_FOR);
            report_list(r, &s->orelse, repeated);
            continue;
        }
        struct nest n = nest_of(s);
        r->nests += n.stores;
        r->calls += n.calls;
        if (n.stores && !n.computes) {
            r->copies++;
            report_copy(r, s, &n, repeated);
        }
    }
}

void report_nests(struct compile *c, const struct ast *a) {
    struct report r = {.compile = c, .ast = a};
    const struct ast_node *first = a->body.first;
    report_list(&r, &a->body, false);
    struct loc loc = {.file = first ? first->loc.file : a->name};
    diag_remark(c->diag, REMARK_ANALYSIS, loc,
                "%d loop nests touch memory, %d of them only copy; %d calls", r.nests, r.copies,
                r.calls);
}
