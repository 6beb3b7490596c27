/* Building the ast of loops in source order (ir/plain.h): a statement becomes a nest of its
 * iterators, a reduce a scalar that loops over its iterators accumulate.
 *
 * Loops of one iteration are left out, statements over empty domains too. Indices become linear
 * by the array's layout; a view uses the storage of its array. Guards stay what they are: the
 * value inside is not evaluated outside its box. */
#include "ir/plain.h"

enum { MAX_NAME = 240 }; // characters of a statement in the name of its nest

/* ---- expressions ---- */

/* sum + e without parentheses: the terms of e one by one. */
static const struct expr *add_terms(struct arena *arena, const struct expr *sum,
                                    const struct expr *e) {
    bool add = e->kind == EXPR_FUNC && e->func == FUNC_ADD;
    bool sub = e->kind == EXPR_FUNC && e->func == FUNC_SUB;
    if (!add && !sub)
        return expr_2(arena, FUNC_ADD, sum, e);
    sum = add_terms(arena, sum, e->arg[0]);
    return add ? add_terms(arena, sum, e->arg[1]) : expr_2(arena, FUNC_SUB, sum, e->arg[1]);
}

/* e = *multiple * k + rest, as far as its terms tell: returns the rest. */
static const struct expr *split_multiples(struct arena *arena, const struct expr *e, int64_t k,
                                          const struct expr **multiple) {
    int64_t factor;
    const struct expr *zero = expr_index(arena, 0), *x, *y;
    *multiple = zero;
    if (e->kind == EXPR_FUNC && e->func == FUNC_ADD) {
        const struct expr *left = split_multiples(arena, e->arg[0], k, &x);
        const struct expr *right = split_multiples(arena, e->arg[1], k, &y);
        *multiple = expr_2(arena, FUNC_ADD, x, y);
        return expr_2(arena, FUNC_ADD, left, right);
    }
    bool number = expr_as_int(e, &factor);
    if (!number &&
        !(e->kind == EXPR_FUNC && e->func == FUNC_MUL && expr_as_int(e->arg[1], &factor)))
        return e;
    if (factor % k != 0)
        return e;
    const struct expr *part = expr_index(arena, factor / k);
    *multiple = number ? part : expr_2(arena, FUNC_MUL, e->arg[0], part);
    return zero;
}

static bool small_range(void *user, const char *name, int64_t *lo, int64_t *hi) {
    const struct plain *n = user;
    for (int i = 0; i < n->small.len; i++)
        if (n->small.data[i].name == name && expr_as_int(n->small.data[i].extent, hi)) {
            *lo = 0;
            --*hi;
            return true;
        }
    return false;
}

/* e % k. */
static const struct expr *remainder_of(struct plain *n, const struct expr *e, int64_t k) {
    int64_t lo, hi;
    const struct expr *multiple;
    e = split_multiples(n->a->arena, e, k, &multiple);
    if (expr_range(e, small_range, n, &lo, &hi) && lo >= 0 && hi < k)
        return e;
    return expr_2(n->a->arena, FUNC_REM, e, expr_index(n->a->arena, k));
}

/* e / k. */
static const struct expr *quotient_of(struct plain *n, const struct expr *e, int64_t k) {
    int64_t lo, hi;
    const struct expr *multiple, *rest = split_multiples(n->a->arena, e, k, &multiple);
    if (expr_range(rest, small_range, n, &lo, &hi) && lo >= 0 && hi < k)
        return multiple;
    return expr_2(n->a->arena, FUNC_DIV, e, expr_index(n->a->arena, k));
}

/* Row-major: the sum of index * stride; an index into an extent of 1 is 0. */
static const struct expr *row_major(struct plain *n, const struct array *a,
                                    const struct expr *const *index) {
    struct arena *arena = n->a->arena;
    const struct expr *at = expr_index(arena, 0), *stride = expr_index(arena, 1);
    const struct expr **strides = arena_array(&n->scratch, const struct expr *, a->rank);
    for (int d = a->rank - 1; d >= 0; d--) {
        strides[d] = stride;
        stride = expr_2(arena, FUNC_MUL, stride, plain_convert(n, a->extent[d]));
    }
    for (int d = 0; d < a->rank; d++)
        if (!expr_is_int(a->extent[d], 1) || expr_has_check(index[d]))
            at = add_terms(arena, at, expr_2(arena, FUNC_MUL, index[d], strides[d]));
    return at;
}

const struct expr *plain_address(struct plain *n, int array, const struct expr *const *index) {
    struct arena *arena = n->a->arena;
    const struct array *a = &n->l->arrays.data[array];
    if (!a->layout_rank)
        return row_major(n, a, index);
    const struct expr *at = expr_index(arena, 0);
    for (int k = 0; k < a->layout_rank; k++) {
        const struct layout_dim *d = &a->layout[k];
        const struct expr *i = quotient_of(n, index[d->dim], d->div);
        if (d->mod)
            i = remainder_of(n, i, d->mod);
        at = expr_2(arena, FUNC_MUL, at, expr_index(arena, layout_dim_size(n->l, a, d)));
        at = add_terms(arena, at, i);
    }
    return at;
}

static const struct expr *convert_var(struct plain *n, const char *name) {
    for (int i = n->iters.len - 1; i >= 0; i--)
        if (n->iters.data[i] == name)
            return n->vars.data[i];
    return expr_var(n->a->arena, DTYPE_INDEX, name);
}

/* Leaves are built anew: the ast keeps no node of the loops. */
static const struct expr *convert_node(void *user, const struct expr *e) {
    struct plain *n = user;
    if (e->kind == EXPR_CONST)
        return expr_const(n->a->arena, e->dtype, e->value);
    if (e->kind == EXPR_VAR && e->dtype == DTYPE_INDEX)
        return convert_var(n, e->name);
    if (e->kind != EXPR_LOAD)
        return e;
    const struct expr *at = plain_address(n, e->array, e->arg);
    return expr_load(n->a->arena, e->dtype, n->buffer_of[e->array], &at, 1);
}

/* An expression of the loops in terms of the ast. */
const struct expr *plain_convert(struct plain *n, const struct expr *e) {
    return expr_map(n->a->arena, e, convert_node, n);
}

/* ---- buffers ---- */

static const struct expr *array_size(struct plain *n, const struct array *a) {
    struct arena *arena = n->a->arena;
    const struct expr *size = expr_index(arena, 1);
    for (int d = 0; d < a->layout_rank; d++)
        size = expr_2(arena, FUNC_MUL, size,
                      expr_index(arena, layout_dim_size(n->l, a, &a->layout[d])));
    for (int d = 0; d < a->rank && !a->layout_rank; d++)
        size = expr_2(arena, FUNC_MUL, size, plain_convert(n, a->extent[d]));
    return size;
}

/* Position of an array among the inputs. */
static int input_position(const struct loops *l, int array) {
    int position = 0;
    for (int k = 0; k < array; k++)
        position += l->arrays.data[k].kind == ARRAY_INPUT;
    return position;
}

static void add_buffer(struct plain *n, int k) {
    static const enum buffer_kind kinds[] = {[ARRAY_INPUT] = BUFFER_INPUT,
                                             [ARRAY_OUTPUT] = BUFFER_OUTPUT,
                                             [ARRAY_CONST] = BUFFER_CONST,
                                             [ARRAY_TEMP] = BUFFER_TEMP};
    const struct array *a = &n->l->arrays.data[k];
    struct buffer b = {.kind = kinds[a->kind],
                       .dtype = a->dtype,
                       .alias = -1,
                       .data = a->data,
                       .bytes = a->bytes};
    b.onnx_name = a->onnx_name;
    b.elements = array_size(n, a);
    b.max_elements = loops_elements(n->l, k);
    if (b.kind == BUFFER_INPUT || b.kind == BUFFER_OUTPUT) {
        const struct expr **dims = arena_array(n->a->arena, const struct expr *, a->rank);
        for (int d = 0; d < a->rank; d++)
            dims[d] = plain_convert(n, a->extent[d]);
        b.rank = a->rank;
        b.dims = dims;
    }
    if (a->alias >= 0)
        b.alias = input_position(n->l, a->alias);
    n->buffer_of[k] = ast_add_buffer(n->a, b);
}

static void add_buffers(struct plain *n) {
    int num = n->l->arrays.len;
    n->buffer_of = arena_array(&n->scratch, int, num);
    n->buffer_names = arena_array(&n->scratch, const char *, num);
    for (int k = 0; k < num; k++)
        if (n->l->arrays.data[k].kind != ARRAY_VIEW)
            add_buffer(n, k);
    for (int k = 0; k < num; k++) {
        n->buffer_of[k] = n->buffer_of[loops_root(n->l, k)];
        n->buffer_names[k] = n->a->buffers.data[n->buffer_of[k]].name;
    }
}

/* ---- names ---- */

static bool in_scope(const struct plain *n, const char *name) {
    bool found = false;
    for (int i = 0; i < n->vars.len; i++)
        found = found || (n->vars.data[i]->kind == EXPR_VAR && n->vars.data[i]->name == name);
    for (int i = 0; i < n->a->symbols.len; i++)
        found = found || n->a->symbols.data[i].name == name;
    return found;
}

const char *plain_fresh_name(struct plain *n, char letter) {
    char name[16];
    int k = letter == 's' ? n->scalars : 0;
    do
        snprintf(name, sizeof name, "%c%d", letter, k++);
    while (in_scope(n, intern(n->a->names, name)));
    return intern(n->a->names, name);
}

/* The iterator's own name where the ast may have it (a letter and digits, not in scope, no
 * buffer's), else c0, c1 … */
static const char *loop_name(struct plain *n, const char *name) {
    bool letter = (name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z');
    bool buffer = name[0] == 'b' && name[1] != '\0';
    bool fits = letter && !buffer && name[1 + strspn(name + 1, "0123456789")] == '\0';
    return fits && !in_scope(n, name) ? name : plain_fresh_name(n, 'c');
}

void plain_push(struct plain *n, const char *name, const struct expr *var) {
    vec_push(&n->scratch, &n->iters, name);
    vec_push(&n->scratch, &n->vars, var);
}

/* ---- statements ---- */

/* Loops over the iterators, inside `list`; returns the list of the innermost body. Iterators
 * come into scope. */
static struct ast_list *build_loops(struct plain *n, struct ast_list *list,
                                    const struct iter *iters, int num) {
    for (int i = 0; i < num; i++) {
        if (expr_is_int(iters[i].extent, 1)) {
            plain_push(n, iters[i].name, expr_index(n->a->arena, 0));
            continue;
        }
        struct ast_node *loop = ast_add(n->a, list, AST_FOR, n->loc);
        loop->lo = expr_index(n->a->arena, 0);
        loop->hi = plain_convert(n, iters[i].extent);
        loop->name = loop_name(n, iters[i].name);
        plain_push(n, iters[i].name, expr_var(n->a->arena, DTYPE_INDEX, loop->name));
        list = &loop->body;
    }
    return list;
}

static const struct expr *find_reduce(struct plain *n, const struct expr *e) {
    if (e->kind == EXPR_REDUCE)
        return e;
    const struct expr *found = NULL;
    for (int k = 0; k < e->n && !found; k++) {
        bool guarded = e->kind == EXPR_GUARD && k == 0;
        int outer = n->bounds.len;
        for (int m = 2; m < e->n && guarded; m++)
            vec_push(&n->scratch, &n->bounds, e->arg[m]);
        found = find_reduce(n, e->arg[k]);
        n->bounds.len = found ? n->bounds.len : outer;
    }
    return found;
}

const struct expr *plain_reduce(struct plain *n, const struct expr *e) {
    n->bounds.len = 0;
    return find_reduce(n, e);
}

static uint64_t instances_of(const struct plain *n, const struct iter *iters, int num) {
    uint64_t product = 1;
    for (int i = 0; i < num; i++) {
        int64_t lo, hi = 0;
        symbols_range(n->l->symbols.data, n->l->symbols.len, iters[i].extent, &lo, &hi);
        if (__builtin_mul_overflow(product, (uint64_t)(hi < 0 ? 0 : hi), &product))
            return UINT64_MAX;
    }
    return product;
}

void plain_count(struct plain *n, const struct stmt *s) {
    const struct expr *reduce = plain_reduce(n, s->rhs);
    if (!reduce || reduce->func != FUNC_ADD)
        return;
    const struct expr *body = reduce->arg[0];
    while (body->kind == EXPR_GUARD || body->kind == EXPR_CAST)
        body = body->arg[0];
    if (body->kind != EXPR_FUNC || body->func != FUNC_MUL ||
        !expr_find(body->arg[0], EXPR_LOAD) || !expr_find(body->arg[1], EXPR_LOAD))
        return;
    uint64_t macs;
    if (__builtin_mul_overflow(instances_of(n, s->iters, s->num_iters), n->instances, &macs) ||
        __builtin_mul_overflow(instances_of(n, reduce->iters, reduce->num_iters), macs,
                               &macs) ||
        __builtin_add_overflow(n->a->macs, macs, &n->a->macs))
        n->a->macs = UINT64_MAX;
}

/* A statement of the accumulator: let or set. */
static struct ast_node *add_scalar(struct plain *n, struct ast_list *list, enum ast_kind kind,
                                   const struct expr *var, const struct expr *value) {
    struct ast_node *s = ast_add(n->a, list, kind, n->loc);
    s->name = var->name;
    s->dtype = var->dtype;
    s->value = value;
    return s;
}

const struct expr *plain_body(struct plain *n, const struct expr *reduce,
                              const struct expr *body) {
    struct arena *arena = n->a->arena;
    const struct expr *identity =
        expr_const(arena, reduce->dtype, func_identity(reduce->func, reduce->dtype));
    const struct expr **bounds = arena_array(&n->scratch, const struct expr *, n->bounds.len);
    for (int k = 0; k < n->bounds.len; k++)
        bounds[k] = plain_convert(n, n->bounds.data[k]);
    return expr_guard(arena, plain_convert(n, body), identity, bounds, n->bounds.len / 3);
}

void plain_accumulate(struct plain *n, struct ast_list *list, const struct expr *reduce,
                      const struct expr *acc, const struct expr *body) {
    body = plain_body(n, reduce, body);
    add_scalar(n, list, AST_SET, acc, expr_2(n->a->arena, reduce->func, acc, body));
}

/* The reduce as a scalar: `let s0 = identity`, then loops over its iterators that set it. The
 * body is guarded as the reduce is, so that it reads nothing that the reduce would not. */
static const struct expr *build_reduce(struct plain *n, struct ast_list *list,
                                       const struct expr *reduce) {
    int locals = n->iters.len;
    const struct expr *identity =
        expr_const(n->a->arena, reduce->dtype, func_identity(reduce->func, reduce->dtype));
    const struct expr *acc = expr_var(n->a->arena, reduce->dtype, plain_fresh_name(n, 's'));
    add_scalar(n, list, AST_LET, acc, identity);
    plain_push(n, "", acc); // in scope for names only
    n->scalars++;
    if (!n->reduce || !n->reduce(n->user, list, reduce, acc)) {
        struct ast_list *inner = build_loops(n, list, reduce->iters, reduce->num_iters);
        plain_accumulate(n, inner, reduce, acc, reduce->arg[0]);
    }
    n->iters.len = n->vars.len = locals;
    return acc;
}

struct replacement {
    const struct expr *by;
};

static const struct expr *replace_reduce(void *user, const struct expr *e) {
    return e->kind == EXPR_REDUCE ? ((struct replacement *)user)->by : e;
}

/* The right-hand side with its reduce computed before, in `list`. */
static const struct expr *build_value(struct plain *n, struct ast_list *list,
                                      const struct stmt *s) {
    const struct expr *reduce = plain_reduce(n, s->rhs);
    if (!reduce)
        return plain_convert(n, s->rhs);
    struct replacement r = {build_reduce(n, list, reduce)};
    return plain_convert(n, expr_map(n->a->arena, s->rhs, replace_reduce, &r));
}

static bool is_empty(const struct stmt *s) {
    bool empty = false;
    for (int i = 0; i < s->num_iters; i++)
        empty = empty || expr_is_int(s->iters[i].extent, 0);
    return empty;
}

/* The statement's own text, shortened when it is long. */
static const char *nest_name(struct plain *n, const struct stmt *s) {
    struct str text = {0};
    loops_print_stmt(&text, n->l, s, n->buffer_names);
    if (text.len > MAX_NAME) {
        text.len = MAX_NAME;
        str_add(&text, " ...");
    }
    const char *name = intern(n->a->names, str_cstr(&text));
    str_free(&text);
    return name;
}

struct ast_node *plain_nest(struct plain *n, struct ast_list *to, const struct stmt *s) {
    struct ast_node *nest = ast_add(n->a, to, AST_NEST, s->loc);
    nest->name = nest_name(n, s);
    n->scalars = 0;
    return nest;
}

void plain_store(struct plain *n, struct ast_list *list, const struct stmt *s) {
    n->loc = s->loc;
    const struct expr *value = build_value(n, list, s);
    const struct array *a = &n->l->arrays.data[s->array];
    const struct expr **index = arena_array(&n->scratch, const struct expr *, a->rank);
    for (int d = 0; d < a->rank; d++)
        index[d] = plain_convert(n, s->index[d]);
    struct ast_node *store = ast_add(n->a, list, AST_STORE, s->loc);
    store->buffer = n->buffer_of[s->array];
    store->index = plain_address(n, s->array, index);
    store->value = value;
}

static void build_compute(struct plain *n, struct ast_list *to, const struct stmt *s) {
    struct ast_node *nest = plain_nest(n, to, s);
    plain_count(n, s);
    plain_store(n, build_loops(n, &nest->body, s->iters, s->num_iters), s);
}

static void build_require(struct plain *n, struct ast_list *to, const struct stmt *s) {
    struct ast_list *list = build_loops(n, &plain_nest(n, to, s)->body, s->iters, s->num_iters);
    plain_count(n, s);
    const struct expr *cond = build_value(n, list, s);
    ast_add(n->a, list, AST_REQUIRE, s->loc)->cond = cond;
}

static const int *convert_arrays(struct plain *n, const int *arrays, int num) {
    int *buffers = arena_array(n->a->arena, int, num);
    for (int i = 0; i < num; i++)
        buffers[i] = n->buffer_of[arrays[i]];
    return buffers;
}

static void build_call(struct plain *n, struct ast_list *to, const struct stmt *s) {
    struct ast_node *call = ast_add(n->a, &plain_nest(n, to, s)->body, AST_CALL, s->loc);
    call->name = s->name;
    call->reads = convert_arrays(n, s->reads, s->num_reads);
    call->writes = convert_arrays(n, s->writes, s->num_writes);
    call->params =
        arena_copy(n->a->arena, s->params, (size_t)s->num_params * sizeof *s->params);
    call->num_reads = s->num_reads;
    call->num_writes = s->num_writes;
    call->num_params = s->num_params;
}

/* seq and while: a loop over t, for while as long as its condition holds. */
static void build_repeat(struct plain *n, struct ast_list *to, const struct stmt *s) {
    uint64_t outer = n->instances, times = instances_of(n, s->iters, 1);
    struct ast_node *loop = ast_add(n->a, to, AST_FOR, s->loc);
    loop->lo = expr_index(n->a->arena, 0);
    loop->hi = plain_convert(n, s->iters[0].extent);
    loop->name = loop_name(n, s->iters[0].name);
    plain_push(n, s->iters[0].name, expr_var(n->a->arena, DTYPE_INDEX, loop->name));
    if (s->kind == STMT_WHILE)
        loop->cond = plain_convert(n, s->rhs);
    if (__builtin_mul_overflow(outer, times, &n->instances))
        n->instances = UINT64_MAX;
    plain_list(n, &loop->body, &s->body);
    n->instances = outer;
}

static void build_stmt(struct plain *n, struct ast_list *to, const struct stmt *s) {
    switch (s->kind) {
    case STMT_COMPUTE:
        build_compute(n, to, s);
        return;
    case STMT_REQUIRE:
        build_require(n, to, s);
        return;
    case STMT_CALL:
        build_call(n, to, s);
        return;
    case STMT_SEQ:
    case STMT_WHILE:
        build_repeat(n, to, s);
        return;
    case STMT_IF: {
        struct ast_node *branch = ast_add(n->a, to, AST_IF, s->loc);
        branch->cond = plain_convert(n, s->rhs);
        plain_list(n, &branch->body, &s->body);
        plain_list(n, &branch->orelse, &s->orelse);
        return;
    }
    }
}

void plain_stmt(struct plain *n, struct ast_list *to, const struct stmt *s) {
    int locals = n->iters.len;
    n->loc = s->loc;
    if (!is_empty(s))
        build_stmt(n, to, s);
    n->iters.len = n->vars.len = locals;
}

void plain_list(struct plain *n, struct ast_list *to, const struct stmt_list *from) {
    for (const struct stmt *s = from->first; s; s = s->next)
        if (n->run && s->kind == STMT_COMPUTE)
            s = n->run(n->user, to, s);
        else
            plain_stmt(n, to, s);
}

void plain_start(struct plain *n, struct intern *names, const struct loops *l) {
    *n = (struct plain){.l = l, .a = ast_new(names, l->name), .instances = 1};
    for (int i = 0; i < l->symbols.len; i++)
        vec_push(n->a->arena, &n->a->symbols, l->symbols.data[i]);
    add_buffers(n);
}

struct ast *plain_end(struct plain *n) {
    arena_free(&n->scratch);
    return n->a;
}
