/* Statements as C: loops, scalars, stores, calls, and those tiles that tile.c does not print.
 */
#include "codegen/emit.h"

#include <inttypes.h>

/* ---- scalars ---- */

static bool name_taken(const struct emit *em, const char *c) {
    bool buffer = c[0] == 'b' && c[1] != '\0' && c[1 + strspn(c + 1, "0123456789")] == '\0';
    if (buffer || strcmp(c, "error") == 0 || strcmp(c, "mem") == 0 || strcmp(c, "arena") == 0 ||
        strcmp(c, "hooks") == 0 || strcmp(c, "vl") == 0)
        return true;
    for (int i = 0; i < em->vars.len; i++)
        if (strcmp(em->vars.data[i].c, c) == 0)
            return true;
    for (int i = 0; !em->fn.is_nest && i < em->ast->buffers.len; i++)
        if (em->buffer_c[i] && strcmp(em->buffer_c[i], c) == 0)
            return true;
    return false;
}

/* Brings a scalar into scope until em->vars.len is set back. */
struct var *emit_declare(struct emit *em, const char *name, enum dtype t) {
    const char *c = c_identifier(&em->arena, name);
    while (name_taken(em, c))
        c = arena_printf(&em->arena, "%s_", c);
    struct var v = {.name = name, .c = c, .dtype = t, .wide = t == DTYPE_INDEX};
    vec_push(&em->arena, &em->vars, v);
    return &em->vars.data[em->vars.len - 1];
}

const char *emit_var_type(const struct var *v) {
    if (v->dtype == DTYPE_INDEX)
        return v->wide ? "int64_t" : "int32_t";
    return dtype_info(v->dtype)->c_type;
}

/* Gives an index scalar the range lo..hi; `reach` is how far beyond hi its arithmetic goes. */
void emit_set_range(struct var *v, int64_t lo, int64_t hi, int64_t reach) {
    v->ranged = true;
    v->lo = lo;
    v->hi = hi < lo ? lo : hi;
    v->wide = lo < INT32_MIN || v->hi > INT32_MAX - reach;
}

bool ast_list_sets(const struct ast_list *list, const char *name) {
    for (const struct ast_node *n = list->first; n; n = n->next)
        if ((n->kind == AST_SET && n->name == name) || ast_list_sets(&n->body, name) ||
            ast_list_sets(&n->orelse, name))
            return true;
    return false;
}

/* ---- loops ---- */

static void open_block(struct emit *em) {
    put(em, " {\n");
    em->fn.depth++;
}

static void close_block(struct emit *em) {
    em->fn.depth--;
    put_line(em, "}");
}

/* `for (int32_t c1 = 0; c1 < 16; c1++)`; the iterator is in scope. Step 0: by `vl`. */
static void emit_for_head(struct emit *em, const struct ast_node *n) {
    int64_t lo, lo_hi, hi_lo, hi;
    bool known = emit_range(em, n->lo, &lo, &lo_hi) && emit_range(em, n->hi, &hi_lo, &hi);
    struct str from = {0}, to = {0}, *out = em->fn.out;
    em->fn.out = &from;
    emit_expr(em, n->lo, C_ANY);
    em->fn.out = &to;
    emit_expr(em, n->hi, C_ADD);
    em->fn.out = out;
    struct var *v = emit_declare(em, n->name, DTYPE_INDEX);
    if (known && emit_fits32(em, n->lo) && emit_fits32(em, n->hi))
        emit_set_range(v, lo, hi - 1, n->step);
    put_indent(em);
    putf(em, "for (%s %s = ", emit_var_type(v), v->c);
    put(em, str_cstr(&from));
    putf(em, "; %s < ", v->c);
    put(em, str_cstr(&to));
    if (n->cond) {
        put(em, " && ");
        emit_expr(em, n->cond, C_COMPARE - 1);
    }
    if (n->step == 0)
        putf(em, "; %s += (%s)vl)", v->c, emit_var_type(v));
    else
        putf(em, n->step == 1 ? "; %s++)" : "; %s += %" PRId64 ")", v->c, n->step);
    str_free(&from);
    str_free(&to);
}

static void emit_for(struct emit *em, const struct ast_node *n) {
    int vars = em->vars.len;
    emit_for_head(em, n);
    open_block(em);
    em->fn.loops++;
    if (em->fn.loops > em->fn.frame.loops)
        em->fn.frame.loops = em->fn.loops;
    emit_list(em, &n->body);
    em->fn.loops--;
    close_block(em);
    em->vars.len = vars;
}

/* ---- assignments ---- */

/* The elements that one expression reads: a compiler loads a repeated one once. */
struct elements {
    struct arena arena;
    vec(const struct expr *) loads; // different ones
};

static void add_element(void *user, const struct expr *e) {
    struct elements *seen = user;
    if (e->kind != EXPR_LOAD)
        return;
    for (int k = 0; k < seen->loads.len; k++)
        if (expr_equal(seen->loads.data[k], e))
            return;
    vec_push(&seen->arena, &seen->loads, e);
}

static void note_loads(struct emit *em, const struct expr *value) {
    struct elements seen = {0};
    expr_walk(value, add_element, &seen);
    if (seen.loads.len > em->fn.frame.loads)
        em->fn.frame.loads = seen.loads.len;
    arena_free(&seen.arena);
}

static void emit_let(struct emit *em, const struct ast_node *n, const struct ast_list *list) {
    int64_t lo, hi;
    bool fits = n->dtype == DTYPE_INDEX && emit_range(em, n->value, &lo, &hi) &&
                emit_fits32(em, n->value) && !ast_list_sets(list, n->name);
    struct str value = {0}, *out = em->fn.out;
    em->fn.out = &value;
    emit_expr(em, n->value, C_ANY);
    em->fn.out = out;
    struct var *v = emit_declare(em, n->name, n->dtype);
    if (fits)
        emit_set_range(v, lo, hi, 0);
    put_indent(em);
    putf(em, "%s %s = ", emit_var_type(v), v->c);
    put(em, str_cstr(&value));
    put(em, ";\n");
    str_free(&value);
}

/* s = s + x as s += x, where that is no other arithmetic. */
static bool is_increment(const struct ast_node *n) {
    const struct expr *e = n->value;
    return e->kind == EXPR_FUNC && e->func == FUNC_ADD && dtype_is_float(e->dtype) &&
           e->arg[0]->kind == EXPR_VAR && e->arg[0]->name == n->name;
}

static void emit_set(struct emit *em, const struct ast_node *n) {
    put_indent(em);
    put(em, emit_var(em, n->name)->c);
    put(em, is_increment(n) ? " += " : " = ");
    emit_expr(em, is_increment(n) ? n->value->arg[1] : n->value, C_ANY);
    put(em, ";\n");
}

/* Packed elements go through a helper that changes their bits only. */
static void emit_store(struct emit *em, const struct ast_node *n) {
    enum dtype t = em->ast->buffers.data[n->buffer].dtype;
    bool packed = dtype_info(t)->bits < 8;
    put_indent(em);
    if (packed) {
        const char *store = arena_printf(&em->arena, "nncc_store_%s", dtype_info(t)->text);
        helper_add(&em->helpers, &em->arena, store);
        putf(em, "%s(%s, (size_t)", store, emit_buffer(em, n->buffer));
    } else {
        putf(em, "%s[", emit_buffer(em, n->buffer));
    }
    emit_expr(em, n->index, packed ? C_UNARY : C_ANY);
    put(em, packed ? ", " : "] = ");
    emit_expr(em, n->value, C_ANY);
    put(em, packed ? ");\n" : ";\n");
}

/* ---- tiles ---- */

void emit_open_steps(struct emit *em, const char *name, const struct expr *lo,
                     const struct expr *hi, int64_t step) {
    struct ast_node n = {.kind = AST_FOR, .name = name, .lo = lo, .hi = hi, .step = step};
    emit_for_head(em, &n);
    open_block(em);
    em->fn.loops++;
    if (em->fn.loops > em->fn.frame.loops)
        em->fn.frame.loops = em->fn.loops;
}

void emit_open_lengths(struct emit *em, const char *name, const struct expr *hi) {
    emit_open_steps(em, name, expr_index(&em->arena, 0), hi, 0);
}

void emit_open_range(struct emit *em, const char *name, const struct expr *lo,
                     const struct expr *hi) {
    emit_open_steps(em, name, lo, hi, 1);
}

void emit_close_range(struct emit *em) {
    em->fn.loops--;
    close_block(em);
}

static void open_count(struct emit *em, const char *name, const struct expr *count) {
    emit_open_range(em, name, expr_index(&em->arena, 0), count);
}

static void find_reduce(void *user, const struct expr *e) {
    if (e->kind == EXPR_REDUCE)
        *(const struct expr **)user = e;
}

/* Computes the reduction e into a variable. */
static void emit_reduce(struct emit *em, const struct expr *e) {
    struct var *acc = emit_declare(em, "acc", e->dtype); // longer than any name of the ast
    const struct expr *sum = expr_var(&em->arena, e->dtype, acc->name);
    put_indent(em);
    putf(em, "%s acc = ", emit_var_type(acc));
    emit_constant(em, e->dtype, func_identity(e->func, e->dtype));
    put(em, ";\n");
    for (int i = 0; i < e->num_iters; i++)
        open_count(em, e->iters[i].name, e->iters[i].extent);
    struct ast_node set = {.kind = AST_SET, .name = sum->name};
    set.value = expr_2(&em->arena, e->func, sum, e->arg[0]);
    emit_set(em, &set);
    for (int i = 0; i < e->num_iters; i++)
        emit_close_range(em);
    em->reduce = e;
}

/* Loops over the iterators with this role; how many. */
static int open_role(struct emit *em, const struct ast_node *n, enum tile_role role) {
    int open = 0;
    for (int i = 0; i < n->num_tile; i++) {
        if (n->tile[i].role != role)
            continue;
        open_count(em, n->tile[i].name, n->tile[i].count);
        open++;
    }
    return open;
}

/* A tile in its plain meaning: loops over rows, in them over vectors, around one store, the
 * reduction before it. */
static void emit_plain_tile(struct emit *em, const struct ast_node *n) {
    int vars = em->vars.len;
    const struct expr *reduce = NULL;
    int open = open_role(em, n, TILE_ROW);
    open += open_role(em, n, TILE_VEC);
    expr_walk(n->value, find_reduce, &reduce);
    if (reduce)
        emit_reduce(em, reduce);
    emit_store(em, n);
    em->reduce = NULL;
    while (open-- > 0)
        emit_close_range(em);
    em->vars.len = vars;
}

static void emit_tile(struct emit *em, const struct ast_node *n, bool alone) {
    if (!emit_vector_tile(em, n, alone) && !emit_register_tile(em, n, alone))
        emit_plain_tile(em, n);
}

/* ---- control ---- */

static void emit_block(struct emit *em, const struct ast_list *list) {
    int vars = em->vars.len;
    em->fn.depth++;
    emit_list(em, list);
    em->fn.depth--;
    em->vars.len = vars;
}

static void emit_if(struct emit *em, const struct ast_node *n) {
    put_indent(em);
    put(em, "if (");
    emit_expr(em, n->cond, C_ANY);
    put(em, ") {\n");
    emit_block(em, &n->body);
    if (n->orelse.first) {
        put_line(em, "} else {");
        emit_block(em, &n->orelse);
    }
    put_line(em, "}");
}

static void emit_require(struct emit *em, const struct ast_node *n) {
    const struct expr *e = n->cond;
    bool equal = e->kind == EXPR_FUNC && e->func == FUNC_EQ;
    put_indent(em);
    put(em, equal ? "if (" : "if (!");
    if (equal)
        emit_expr(em, expr_2(&em->arena, FUNC_NE, e->arg[0], e->arg[1]), C_ANY);
    else
        emit_expr(em, e, C_POSTFIX);
    put(em, em->fn.region ? ") {\n" : ")\n");
    em->fn.depth++;
    region_leave(em);
    put_line(em, "return NNCC_E_SHAPE;");
    em->fn.depth--;
    if (em->fn.region)
        put_line(em, "}");
    em->fn.returns = true;
}

static void emit_pointers(struct emit *em, const char *declaration, const int *buffers, int n) {
    put_indent(em);
    putf(em, "%s[] = {", declaration);
    for (int i = 0; i < n; i++)
        putf(em, "%s%s", i ? ", " : "", emit_buffer(em, buffers[i]));
    put(em, n ? "};\n" : "0};\n");
}

static void note_routine(struct emit *em, const char *name) {
    for (int i = 0; i < em->routines.len; i++)
        if (strcmp(em->routines.data[i], name) == 0)
            return;
    vec_push(&em->arena, &em->routines, name);
}

/* void nncc_NAME(const void *const *in, void *const *out, const int64_t *params) */
static void emit_call(struct emit *em, const struct ast_node *n) {
    note_routine(em, n->name);
    emit_note_library(em, stack_of_routine());
    bool opened = region_open(em, n);
    put_line(em, "{");
    em->fn.depth++;
    emit_pointers(em, "const void *const in", n->reads, n->num_reads);
    emit_pointers(em, "void *const out", n->writes, n->num_writes);
    put_indent(em);
    put(em, "static const int64_t params[] = {");
    for (int i = 0; i < n->num_params; i++) {
        put(em, i ? ", " : "");
        emit_constant(em, DTYPE_I64, (union scalar){.i = n->params[i]});
    }
    put(em, n->num_params ? "};\n" : "0};\n");
    put_indent(em);
    putf(em, "nncc_%s(in, out, params);\n", n->name);
    close_block(em);
    if (opened)
        region_close(em);
}

/* ---- statements ---- */

void emit_statement(struct emit *em, const struct ast_node *n, const struct ast_list *list) {
    if (n->value)
        note_loads(em, n->value);
    switch (n->kind) {
    case AST_NEST:
        emit_nest(em, n);
        return;
    case AST_FOR:
        emit_for(em, n);
        return;
    case AST_IF:
        emit_if(em, n);
        return;
    case AST_LET:
        emit_let(em, n, list);
        return;
    case AST_SET:
        emit_set(em, n);
        return;
    case AST_STORE:
        emit_store(em, n);
        return;
    case AST_CALL:
        emit_call(em, n);
        return;
    case AST_REQUIRE:
        emit_require(em, n);
        return;
    case AST_TILE:
        emit_tile(em, n, list->first == n && !n->next);
        return;
    }
}

void emit_list(struct emit *em, const struct ast_list *list) {
    for (const struct ast_node *n = list->first; n; n = n->next)
        emit_statement(em, n, list);
}
