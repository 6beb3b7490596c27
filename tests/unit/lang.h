/* Running texts of loops and ast in tests: a program, and a companion text with its data:
 *
 *     a0 = {1, 2, 3}        // an input
 *     a2 == {2, 4, 6}       // what an output must be, bit for bit
 *     a3 ~ {0.5, 0.25}      // within 1e-5 of it, relative to the largest element
 *     result -2             // what interp_run returns, 0 when not said
 *
 * Loops go through ast_from_loops. Every program runs three times: with temporaries of their
 * own, with the arena that arena_plan makes, and by the reference below; all must give the same
 * bytes. */
#ifndef NNCC_TESTS_LANG_H
#define NNCC_TESTS_LANG_H

#include "codegen/codegen.h"
#include "ir/arena.h"
#include "ir/constant.h"
#include "ir/interp.h"
#include "ir/text.h"
#include "passes/passes.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

struct bench {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
};

static void bench_start(struct bench *b) {
    *b = (struct bench){.names = {.arena = NULL}};
    b->names.arena = &b->arena;
    b->diag.sink = &b->messages;
}

static void bench_end(struct bench *b) {
    str_free(&b->messages);
    intern_free(&b->names);
    arena_free(&b->arena);
}

/* ---- the reference: one value at a time, straight from the definition ---- */

struct variable {
    const char *name;
    union scalar value;
};

struct reference {
    const struct ast *ast;
    char **data;
    int64_t elements[64];
    struct variable vars[256];
    int num_vars;
    bool index_error;
};

static union scalar *ref_find(struct reference *r, const char *name) {
    for (int i = r->num_vars - 1; i >= 0; i--)
        if (strcmp(r->vars[i].name, name) == 0)
            return &r->vars[i].value;
    ck_abort_msg("%s is not in scope", name);
    return NULL;
}

static union scalar *ref_push(struct reference *r, const char *name, union scalar v) {
    ck_assert_int_lt(r->num_vars, 256);
    r->vars[r->num_vars] = (struct variable){name, v};
    return &r->vars[r->num_vars++].value;
}

static union scalar ref_eval(struct reference *r, const struct expr *e);

static void ref_reduce(struct reference *r, const struct expr *e, int k, union scalar *acc) {
    if (k == e->num_iters) {
        union scalar args[2] = {*acc, ref_eval(r, e->arg[0])};
        *acc = func_eval(e->func, e->dtype, args);
        return;
    }
    int64_t extent = ref_eval(r, e->iters[k].extent).i;
    for (int64_t i = 0; i < extent; i++) {
        ref_push(r, e->iters[k].name, (union scalar){.i = i});
        ref_reduce(r, e, k + 1, acc);
        r->num_vars--;
    }
}

static union scalar ref_func(struct reference *r, const struct expr *e) {
    union scalar v[3];
    v[0] = ref_eval(r, e->arg[0]);
    if (e->func == FUNC_SELECT)
        return ref_eval(r, e->arg[v[0].i ? 1 : 2]);
    if ((e->func == FUNC_AND && !v[0].i) || (e->func == FUNC_OR && v[0].i))
        return v[0];
    for (int k = 1; k < e->n; k++)
        v[k] = ref_eval(r, e->arg[k]);
    if (e->func == FUNC_CHECK) {
        bool above = e->arg[0]->dtype == DTYPE_U64 && v[0].u > INT64_MAX;
        r->index_error = r->index_error || above || v[0].i < v[1].i || v[0].i > v[2].i;
    }
    return func_eval(e->func, e->arg[0]->dtype, v);
}

static union scalar ref_eval(struct reference *r, const struct expr *e) {
    union scalar v;
    switch (e->kind) {
    case EXPR_CONST:
        return e->value;
    case EXPR_VAR:
        return *ref_find(r, e->name);
    case EXPR_FUNC:
        return ref_func(r, e);
    case EXPR_CAST:
        return dtype_convert(e->dtype, e->arg[0]->dtype, ref_eval(r, e->arg[0]));
    case EXPR_LOAD:
        v = ref_eval(r, e->arg[0]);
        ck_assert_msg(v.i >= 0 && v.i < r->elements[e->array], "load outside");
        return dtype_load(e->dtype, r->data[e->array], v.i);
    case EXPR_GUARD:
        for (int k = 2; k < e->n; k += 3) {
            int64_t x = ref_eval(r, e->arg[k]).i;
            if (x < ref_eval(r, e->arg[k + 1]).i || x >= ref_eval(r, e->arg[k + 2]).i)
                return ref_eval(r, e->arg[1]);
        }
        return ref_eval(r, e->arg[0]);
    case EXPR_REDUCE:
        v = func_identity(e->func, e->dtype);
        ref_reduce(r, e, 0, &v);
        return v;
    }
    return (union scalar){.i = 0};
}

static int ref_list(struct reference *r, const struct ast_list *list);

static void ref_store(struct reference *r, const struct ast_node *n) {
    union scalar v = ref_eval(r, n->value);
    int64_t k = ref_eval(r, n->index).i;
    ck_assert_msg(k >= 0 && k < r->elements[n->buffer], "store outside");
    dtype_store(r->ast->buffers.data[n->buffer].dtype, r->data[n->buffer], k, v);
}

static void ref_tile(struct reference *r, const struct ast_node *n, int k) {
    if (k == n->num_tile) {
        ref_store(r, n);
        return;
    }
    bool outer = n->tile[k].role == TILE_ROW || n->tile[k].role == TILE_VEC;
    int64_t count = outer ? ref_eval(r, n->tile[k].count).i : 1;
    for (int64_t i = 0; i < count; i++) {
        ref_push(r, n->tile[k].name, (union scalar){.i = i});
        r->num_vars -= !outer;
        ref_tile(r, n, k + 1);
        r->num_vars -= outer;
    }
}

static int ref_for(struct reference *r, const struct ast_node *n) {
    int error = 0, vars = r->num_vars;
    int64_t lo = ref_eval(r, n->lo).i, hi = ref_eval(r, n->hi).i;
    for (int64_t i = lo; i < hi && !error; i += n->step) {
        ref_push(r, n->name, (union scalar){.i = i});
        if (n->cond && !ref_eval(r, n->cond).i)
            break;
        error = ref_list(r, &n->body);
        r->num_vars = vars;
    }
    r->num_vars = vars;
    return error;
}

void nncc_topk(const void *const *in, void *const *out, const int64_t *params);

static void ref_call(struct reference *r, const struct ast_node *n) {
    const void *in[8];
    void *out[8];
    for (int i = 0; i < n->num_reads; i++)
        in[i] = r->data[n->reads[i]];
    for (int i = 0; i < n->num_writes; i++)
        out[i] = r->data[n->writes[i]];
    ck_assert_str_eq(n->name, "topk");
    nncc_topk(in, out, n->params);
}

static int ref_node(struct reference *r, const struct ast_node *n) {
    switch (n->kind) {
    case AST_NEST: {
        int error = ref_list(r, &n->body);
        return error ? error : r->index_error ? -2 : 0;
    }
    case AST_FOR:
        return ref_for(r, n);
    case AST_IF:
        return ref_list(r, ref_eval(r, n->cond).i ? &n->body : &n->orelse);
    case AST_LET:
        ref_push(r, n->name, ref_eval(r, n->value));
        return 0;
    case AST_SET:
        *ref_find(r, n->name) = ref_eval(r, n->value);
        return 0;
    case AST_STORE:
        ref_store(r, n);
        return 0;
    case AST_TILE:
        ref_tile(r, n, 0);
        return 0;
    case AST_REQUIRE:
        return ref_eval(r, n->cond).i ? 0 : -3;
    case AST_CALL:
        ref_call(r, n);
        return 0;
    }
    return 0;
}

static int ref_list(struct reference *r, const struct ast_list *list) {
    int error = 0, vars = r->num_vars;
    for (const struct ast_node *n = list->first; n && !error; n = n->next)
        error = ref_node(r, n);
    r->num_vars = vars;
    return error;
}

static int ref_run(const struct ast *a, char **data) {
    struct reference r = {.ast = a, .data = data};
    ck_assert_int_le(a->buffers.len, 64);
    for (int i = 0; i < a->symbols.len; i++)
        ref_push(&r, a->symbols.data[i].name, (union scalar){.i = a->symbols.data[i].max});
    for (int i = 0; i < a->buffers.len; i++)
        r.elements[i] = a->buffers.data[i].max_elements;
    int error = ref_list(&r, &a->body);
    return error ? error : r.index_error ? -2 : 0;
}

/* ---- programs with their data ---- */

struct program {
    struct bench *bench;
    struct loops *loops; // NULL: an ast text
    struct ast *ast;
    char **given;    // [buffers] data of inputs
    char **expected; // [buffers] of outputs
    bool *near;
    int result;
};

static int64_t buffer_size(const struct ast *a, int b) {
    int64_t bytes = 0;
    ck_assert(dtype_bytes(a->buffers.data[b].dtype, a->buffers.data[b].max_elements, &bytes));
    return bytes;
}

/* The buffer of the array or buffer called `name`; -1 when there is none. */
static int program_buffer(const struct program *p, const char *name) {
    int buffer = 0;
    if (!p->loops) {
        for (int i = 0; i < p->ast->buffers.len; i++)
            if (strcmp(p->ast->buffers.data[i].name, name) == 0)
                return i;
        return -1;
    }
    for (int i = 0; i < p->loops->arrays.len; i++) {
        if (strcmp(p->loops->arrays.data[i].name, name) == 0)
            return buffer;
        buffer += p->loops->arrays.data[i].kind != ARRAY_VIEW;
    }
    return -1;
}

static void read_data_line(struct program *p, struct text *t) {
    if (text_accept(t, "result")) {
        int64_t v;
        ck_assert(text_int(t, &v));
        p->result = (int)v;
        return;
    }
    const char *name = text_name(t);
    ck_assert_msg(name != NULL, "%s", str_cstr(&p->bench->messages));
    int b = program_buffer(p, name);
    ck_assert_msg(b >= 0, "no buffer %s", name);
    bool input = text_accept(t, "="), near = !input && text_accept(t, "~");
    if (!input && !near)
        text_expect(t, "==");
    const struct buffer *buffer = &p->ast->buffers.data[b];
    void *data = (void *)(uintptr_t)constant_read(t, buffer->dtype, buffer->max_elements, NULL);
    ck_assert_msg(data != NULL, "%s: %s", name, str_cstr(&p->bench->messages));
    p->near[b] = near;
    *(input ? &p->given[b] : &p->expected[b]) = data;
}

static inline void program_read(struct program *p, struct bench *b, const char *text,
                                const char *data) {
    *p = (struct program){.bench = b};
    struct compile c = {.diag = &b->diag, .names = &b->names, .target = target_find("scalar")};
    if (strncmp(text, "loops", 5) == 0) {
        p->loops = loops_read("test.loops", text, strlen(text), &b->names, NULL, &b->diag);
        ck_assert_msg(p->loops && loops_check(p->loops, &b->diag), "%s",
                      str_cstr(&b->messages));
        p->ast = ast_from_loops(&c, p->loops);
    } else {
        p->ast = ast_read("test.ast", text, strlen(text), &b->names, NULL, &b->diag);
    }
    ck_assert_msg(p->ast && ast_check(p->ast, &b->diag), "%s", str_cstr(&b->messages));
    p->given = arena_array(&b->arena, char *, p->ast->buffers.len);
    p->expected = arena_array(&b->arena, char *, p->ast->buffers.len);
    p->near = arena_array(&b->arena, bool, p->ast->buffers.len);
    struct text t;
    text_init(&t, &b->diag, &b->arena, &b->names, "test.data", data, strlen(data));
    while (t.tok.kind != TOK_END)
        read_data_line(p, &t);
}

static inline void program_free(struct program *p) {
    ast_free(p->ast);
    loops_free(p->loops);
}

/* Storage for all buffers: inputs copied from what is given, outputs filled with a byte that is
 * unlikely, temporaries NULL. */
static char **program_storage(struct program *p, bool temporaries) {
    char **data = arena_array(&p->bench->arena, char *, p->ast->buffers.len);
    for (int b = 0; b < p->ast->buffers.len; b++) {
        const struct buffer *buffer = &p->ast->buffers.data[b];
        size_t bytes = (size_t)buffer_size(p->ast, b);
        if (buffer->kind == BUFFER_TEMP && !temporaries)
            continue;
        data[b] = arena_alloc(&p->bench->arena, bytes);
        if (buffer->kind == BUFFER_CONST)
            memcpy(data[b], buffer->data, bytes);
        else if (p->given[b])
            memcpy(data[b], p->given[b], bytes);
        else
            memset(data[b], 0, bytes);
    }
    return data;
}

static void expect_near(const struct buffer *b, const char *found, const char *expected) {
    double largest = 1e-30;
    for (int64_t k = 0; k < b->max_elements; k++)
        largest = fmax(largest, fabs(dtype_load(b->dtype, expected, k).f));
    for (int64_t k = 0; k < b->max_elements; k++) {
        double x = dtype_load(b->dtype, found, k).f, y = dtype_load(b->dtype, expected, k).f;
        ck_assert_msg(fabs(x - y) <= 1e-5 * largest, "%s[%lld] is %.9g, expected %.9g", b->name,
                      (long long)k, x, y);
    }
}

static void expect_same(const struct buffer *b, const char *found, const char *expected,
                        size_t bytes) {
    struct str x = {0}, y = {0};
    constant_print(&x, b->dtype, found, b->max_elements, NULL);
    constant_print(&y, b->dtype, expected, b->max_elements, NULL);
    if (memcmp(found, expected, bytes) != 0)
        for (int64_t k = 0; k < b->max_elements; k++)
            if (dtype_load(b->dtype, found, k).u != dtype_load(b->dtype, expected, k).u)
                ck_abort_msg("%s[%lld] differs: %s, expected %s", b->name, (long long)k,
                             str_cstr(&x), str_cstr(&y));
    str_free(&x);
    str_free(&y);
}

static void program_expect(struct program *p, char **data) {
    for (int b = 0; b < p->ast->buffers.len; b++) {
        const struct buffer *buffer = &p->ast->buffers.data[b];
        if (p->expected[b] && p->near[b])
            expect_near(buffer, data[b], p->expected[b]);
        else if (p->expected[b])
            expect_same(buffer, data[b], p->expected[b], (size_t)buffer_size(p->ast, b));
    }
}

static inline void program_run(struct program *p) {
    int64_t symbols[16];
    for (int i = 0; i < p->ast->symbols.len; i++)
        symbols[i] = p->ast->symbols.data[i].max;
    char **mine = program_storage(p, false), **planned = program_storage(p, false),
         **plain = program_storage(p, true);
    ck_assert_int_eq(interp_run(p->ast, (void *const *)mine, symbols), p->result);
    program_expect(p, mine);
    arena_plan(p->ast);
    ck_assert_msg(arena_check(p->ast, &p->bench->diag), "%s", str_cstr(&p->bench->messages));
    ck_assert_int_eq(interp_run(p->ast, (void *const *)planned, symbols), p->result);
    int result = ref_run(p->ast, plain);
    for (int b = 0; b < p->ast->buffers.len && p->result == 0; b++) {
        const struct buffer *buffer = &p->ast->buffers.data[b];
        if (buffer->kind != BUFFER_OUTPUT)
            continue;
        expect_same(buffer, planned[b], mine[b], (size_t)buffer_size(p->ast, b));
        expect_same(buffer, mine[b], plain[b], (size_t)buffer_size(p->ast, b));
    }
    ck_assert_int_eq(result, p->result);
}

#endif
