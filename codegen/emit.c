/* A program as C: a function per nest, and the run function that calls them in order.
 *
 * A nest becomes a static function of the buffers and outer scalars it mentions, named after
 * its ONNX node, or a call of the one that was printed for an equal nest (equal.c): small
 * enough to read, to profile and to bound its stack; pointers that cannot overlap are
 * `restrict` where compilers look for it, at arguments. Statements outside of nests stand in
 * the run function itself.
 *
 * Temporaries that are not alive together share bytes of the arena under different types. That
 * is within C99 6.5p6 for memory without a declared type: a store gives its bytes the type that
 * later loads use. */
#include "codegen/emit.h"

#include <inttypes.h>

void put(struct emit *em, const char *text) {
    str_add(em->fn.out, text);
}

void putf(struct emit *em, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    str_add_va(em->fn.out, fmt, args);
    va_end(args);
}

void put_indent(struct emit *em) {
    for (int i = 0; i < em->fn.depth; i++)
        put(em, "    ");
}

void put_line(struct emit *em, const char *text) {
    put_indent(em);
    put(em, text);
    put(em, "\n");
}

enum { WIDTH = 96 }; // columns of a line, where there is a blank to break it at

/* How well a line breaks at the blank text[k], inside `depth` brackets. */
static int break_quality(const char *text, size_t k, int depth) {
    char before = text[k - 1], next = text[k + 1];
    int kind = next == '?' || next == ':' ? 3 : next == '&' || next == '|' ? 2 : before == ',';
    return kind - 4 * depth;
}

/* Where a line that is too long breaks: at the best blank behind the first quarter of its room,
 * else the last one; 0: nowhere. */
static size_t break_at(const char *text, size_t least, size_t room) {
    size_t best = 0;
    int quality = 0, depth = 0;
    for (size_t k = least; k <= room; k++) {
        depth += text[k] == '(' || text[k] == '[';
        depth -= text[k] == ')' || text[k] == ']';
        if (text[k] != ' ' || k == least)
            continue;
        int q = break_quality(text, k, depth);
        if (best == 0 || 4 * best < room || q >= quality) {
            best = k;
            quality = q;
        }
    }
    return best;
}

/* One line of C, broken at its blanks. */
static void put_wrapped(struct emit *em, const char *text, size_t len) {
    int hang = (int)strspn(text, " ") + 8;
    size_t least = (size_t)hang, room = WIDTH, cut;
    while (len > room && (cut = break_at(text, least, room)) > 0) {
        str_add_len(em->fn.out, text, cut);
        putf(em, "\n%*s", hang, "");
        text += cut + 1;
        len -= cut + 1;
        room = hang + 40 > WIDTH ? 40 : (size_t)(WIDTH - hang);
        least = 0;
    }
    str_add_len(em->fn.out, text, len);
}

void put_code(struct emit *em, const char *text) {
    while (*text) {
        bool hook = *text == HOOK_LINE;
        text += hook;
        size_t len = strcspn(text, "\n");
        if (!hook || em->fn.hooks) {
            put_wrapped(em, text, len);
            put(em, "\n");
        }
        text += len + (text[len] == '\n');
    }
}

/* ---- comments and names ---- */

/* A comment of any length, broken at blanks: the nodes it comes from, what it computes. */
static void put_comment(struct emit *em, const char *node, const char *what) {
    struct str text = {0};
    if (node)
        comment_put(&text, node);
    str_add(&text, node ? ": " : "");
    comment_put(&text, what);
    put_indent(em);
    put(em, "/*");
    int start = 4 * em->fn.depth + 2, column = start;
    for (const char *p = str_cstr(&text) + strspn(str_cstr(&text), " "); *p;) {
        int word = (int)strcspn(p, " ");
        if (column + word > WIDTH - 4 && column > start) {
            put(em, "\n");
            put_indent(em);
            put(em, " *");
            column = start;
        }
        put(em, " ");
        str_add_len(em->fn.out, p, (size_t)word);
        column += word + 1;
        p += word;
        p += strspn(p, " ");
    }
    put(em, " */\n");
    str_free(&text);
}

/* The end of a node's path, as much as makes a handy name; of "#3:Conv" the operator. */
static const char *node_tail(const char *node) {
    enum { HANDY = 40 };
    size_t len = strlen(node);
    const char *colon = strchr(node, ':');
    if (node[0] == '#' && colon)
        return colon + 1;
    const char *tail = len > HANDY ? node + len - HANDY : node;
    const char *slash = strchr(tail, '/');
    if (tail != node && slash && slash[1])
        tail = slash;
    return tail + strspn(tail, "/");
}

static const char *function_name(struct emit *em, const struct ast_node *n) {
    const char *prefix = em->opt->prefix;
    int k = em->nests.len;
    if (!n->loc.node)
        return arena_printf(&em->arena, "%s_%d", prefix, k);
    return arena_printf(&em->arena, "%s_%d_%s", prefix, k,
                        c_identifier(&em->arena, node_tail(n->loc.node)));
}

/* A list that breaks at the width; what goes between its items is `between`. */
struct list {
    const char *between;
    int column; // where the text is
    int count;
};

static void put_item(struct emit *em, struct list *l, const char *item) {
    int width = (int)strlen(item) + (int)strlen(l->between) + 1;
    if (l->count > 0)
        put(em, l->between);
    if (l->count > 0 && l->column + width > WIDTH - 4) {
        put(em, "\n");
        put_indent(em);
        put(em, "       ");
        l->column = 4 * em->fn.depth + 7;
    }
    put(em, l->count > 0 ? " " : "");
    put(em, item);
    l->column += width;
    l->count++;
}

/* ---- which buffers a nest uses ---- */

struct use {
    bool *read, *written; // [buffers]
};

static void note_use(void *user, int buffer, bool store) {
    struct use *u = user;
    (store ? u->written : u->read)[buffer] = true;
}

static struct use nest_use(struct emit *em, const struct ast_node *n) {
    int count = em->ast->buffers.len;
    struct use u = {arena_array(&em->arena, bool, count), arena_array(&em->arena, bool, count)};
    ast_walk_buffers(n, note_use, &u);
    return u;
}

static int64_t buffer_bytes(const struct buffer *b) {
    int64_t bytes;
    if (!dtype_bytes(b->dtype, b->max_elements, &bytes))
        bug("the size of buffer %s overflows", b->name);
    return bytes;
}

/* The position of an input among the inputs, of an output among the outputs. */
static int buffer_position(const struct ast *a, int buffer) {
    int position = 0;
    for (int k = 0; k < buffer; k++)
        position += a->buffers.data[k].kind == a->buffers.data[buffer].kind;
    return position;
}

bool buffers_overlap(const struct ast *a, int x, int y) {
    const struct buffer *p = &a->buffers.data[x], *q = &a->buffers.data[y];
    if (p->kind == BUFFER_TEMP && q->kind == BUFFER_TEMP)
        return p->offset < q->offset + buffer_bytes(q) &&
               q->offset < p->offset + buffer_bytes(p);
    if (p->kind == BUFFER_OUTPUT && q->kind == BUFFER_INPUT)
        return p->alias == buffer_position(a, y);
    return p->kind == BUFFER_INPUT && q->kind == BUFFER_OUTPUT &&
           q->alias == buffer_position(a, x);
}

/* Nothing of the nest that is written shares memory with anything else in it. */
static bool may_restrict(const struct emit *em, const struct use *u, int buffer) {
    for (int k = 0; k < em->ast->buffers.len; k++)
        if (k != buffer && (u->read[k] || u->written[k]) &&
            (u->written[k] || u->written[buffer]) && buffers_overlap(em->ast, k, buffer))
            return false;
    return true;
}

/* The buffer used after k (-1: the first): those only read, then those written; -1 at the end.
 */
static int next_used(const struct emit *em, const struct use *u, int k) {
    int n = em->ast->buffers.len;
    bool written = k >= 0 && u->written[k];
    for (k++; k < n; k++)
        if (u->written[k] == written && (written || u->read[k]))
            return k;
    for (k = 0; !written && k < n; k++)
        if (u->written[k])
            return k;
    return -1;
}

/* ---- nests ---- */

const char *emit_target_attribute(const struct emit *em) {
    return em->opt->target->vector_bytes > 0 ? "NNCC_TARGET " : "";
}

static const char *pointer_parameter(struct emit *em, const struct use *u, int k) {
    const struct buffer *b = &em->ast->buffers.data[k];
    return arena_printf(&em->arena, "%s%s *%s%s", u->written[k] ? "" : "const ",
                        emit_element_type(b->dtype), may_restrict(em, u, k) ? "restrict " : "",
                        b->name);
}

/* The parameters of a nest's function: outer scalars, what is read, what is written. */
static void put_parameters(struct emit *em, const struct use *u, struct nest_function *f,
                           int column) {
    struct list list = {",", column, 0};
    for (int i = 0; i < em->fn.captured.len; i++) {
        const struct var *v = &em->vars.data[em->fn.captured.data[i]];
        put_item(em, &list, arena_printf(&em->arena, "%s %s", emit_var_type(v), v->c));
        vec_push(&em->arena, &f->captured, em->fn.captured.data[i]);
    }
    for (int k = next_used(em, u, -1); k >= 0; k = next_used(em, u, k)) {
        put_item(em, &list, pointer_parameter(em, u, k));
        vec_push(&em->arena, &f->buffers, k);
    }
    put(em, list.count ? "" : "void");
    em->fn.frame.args = list.count;
    em->fn.frame.buffers = list.count - em->fn.captured.len;
}

/* Prints the function of a nest. What its text does not name, as in x < x, it does not use. */
static void put_function(struct emit *em, const struct ast_node *n, struct nest_function *f) {
    struct str body = {0};
    struct use u = nest_use(em, n);
    int count = em->ast->buffers.len;
    em->fn =
        (struct function){.out = &body, .depth = 1, .is_nest = true, .outer = em->vars.len};
    em->fn.printed = arena_array(&em->arena, bool, count);
    struct ast_list statements = share_bounds(&em->arena, &n->body);
    emit_list(em, &statements);
    for (int k = 0; k < count; k++) {
        u.read[k] &= em->fn.printed[k];
        u.written[k] &= em->fn.printed[k];
    }
    f->returns = em->fn.returns;
    em->fn.out = &f->text;
    em->fn.depth = 0;
    const char *head =
        arena_printf(&em->arena, "static NNCC_NOINLINE %s%s %s(", emit_target_attribute(em),
                     f->returns ? "int" : "void", f->name);
    put(em, head);
    put_parameters(em, &u, f, (int)strlen(head));
    put(em, ")\n{\n");
    put(em, em->fn.error ? "    int error = 0;\n" : "");
    put_code(em, str_cstr(&body));
    put(em, em->fn.error ? "    return error;\n" : f->returns ? "    return 0;\n" : "");
    put(em, "}\n");
    str_free(&body);
}

/* Prints the function of the first nest with this key. */
static struct nest_function *new_function(struct emit *em, const struct ast_node *n,
                                          const struct nest_key *key) {
    int vars = em->vars.len;
    struct function run = em->fn;
    struct nest_function f = {.key = *key, .name = function_name(em, n), .what = n->name};
    put_function(em, n, &f);
    int64_t bytes = stack_of_frame(&em->fn.frame);
    int args = em->fn.frame.args;
    em->callee_bytes = bytes > em->callee_bytes ? bytes : em->callee_bytes;
    em->most_args = args > em->most_args ? args : em->most_args;
    em->fn = run;
    em->vars.len = vars;
    vec_push(&em->arena, &em->nests, f);
    return &em->nests.data[em->nests.len - 1];
}

static void put_error_return(struct emit *em) {
    put_line(em, em->fn.region ? "if (error) {" : "if (error)");
    em->fn.depth++;
    region_leave(em);
    put_line(em, "return error;");
    em->fn.depth--;
    if (em->fn.region)
        put_line(em, "}");
}

/* The call of a nest's function with the buffers of nest n, which has this key. */
static void put_call(struct emit *em, const struct nest_function *f, const struct nest_key *key,
                     const struct ast_node *n) {
    bool opened = region_open(em, n);
    const char *head = arena_printf(&em->arena, "%s%s(", f->returns ? "error = " : "", f->name);
    struct list list = {",", 4 * em->fn.depth + (int)strlen(head), 0};
    put_indent(em);
    put(em, head);
    for (int i = 0; i < f->captured.len; i++)
        put_item(em, &list, em->vars.data[f->captured.data[i]].c);
    for (int i = 0; i < f->buffers.len; i++)
        put_item(em, &list, emit_buffer(em, nest_function_argument(f, key, i)));
    put(em, ");\n");
    if (opened)
        region_close(em);
    if (!f->returns)
        return;
    put_error_return(em);
    em->fn.error = true;
}

/* The functions below comments that name all nodes they serve. */
static void put_functions(struct emit *em) {
    struct str *out = em->fn.out;
    em->fn.out = &em->functions;
    em->fn.depth = 0;
    for (int i = 0; i < em->nests.len; i++) {
        struct nest_function *f = &em->nests.data[i];
        struct str nodes = {0};
        nest_function_nodes(&nodes, f);
        put(em, "\n");
        put_comment(em, nodes.len > 0 ? str_cstr(&nodes) : NULL, f->what);
        put(em, str_cstr(&f->text));
        str_free(&nodes);
        str_free(&f->text);
    }
    em->fn.out = out;
}

/* Does a statement below assign to a scalar of the run function? */
static bool sets_outer(const struct emit *em, const struct ast_node *n) {
    for (int i = 0; i < em->vars.len; i++)
        if (ast_list_sets(&n->body, em->vars.data[i].name))
            return true;
    return false;
}

/* A nest that sets scalars around it, and one inside of a nest. */
static void put_inline(struct emit *em, const struct ast_node *n) {
    struct loc outer = em->nest;
    int vars = em->vars.len;
    em->nest = n->loc;
    put_comment(em, n->loc.node, n->name);
    put_line(em, "{");
    em->fn.depth++;
    emit_list(em, &n->body);
    em->fn.depth--;
    put_line(em, "}");
    em->vars.len = vars;
    em->nest = outer;
}

/* A nest that is a function: its call, and the function unless an equal one has it. */
static void put_outlined(struct emit *em, const struct ast_node *n) {
    struct nest_key key = nest_key(em, n);
    struct nest_function *f = nest_function_find(em, &key);
    if (f && n->loc.node)
        put_comment(em, NULL, n->loc.node);
    struct loc outer = em->nest;
    em->nest = n->loc;
    if (!f)
        f = new_function(em, n, &key);
    em->nest = outer;
    if (n->loc.node)
        nest_function_serve(em, f, n->loc.node);
    put_call(em, f, &key, n);
}

void emit_nest(struct emit *em, const struct ast_node *n) {
    if (!em->fn.is_nest && !sets_outer(em, n)) {
        put_outlined(em, n);
        return;
    }
    bool opened = region_open(em, n);
    put_inline(em, n);
    if (opened)
        region_close(em);
}

/* ---- the run function ---- */

/* `const float input[490]`: packed types as bytes, none as [1], symbolic ones as a pointer. */
static const char *tensor_parameter(struct emit *em, int k) {
    const struct buffer *b = &em->ast->buffers.data[k];
    int64_t n, bytes = buffer_bytes(b);
    const char *type = emit_element_type(b->dtype), *c = em->buffer_c[k];
    const char *constant = b->kind == BUFFER_INPUT ? "const " : "";
    if (!expr_as_int(b->elements, &n))
        return arena_printf(&em->arena, "%s%s *%s", constant, type, c);
    n = dtype_info(b->dtype)->bits < 8 ? bytes : n;
    return arena_printf(&em->arena, "%s%s %s[%" PRId64 "]", constant, type, c, n ? n : 1);
}

static void put_signature(struct emit *em, const char *head, const char *first) {
    struct list list = {",", (int)strlen(head), 0};
    put(em, head);
    if (first)
        put_item(em, &list, first);
    for (int i = 0; i < em->ast->symbols.len; i++)
        put_item(em, &list, arena_printf(&em->arena, "int32_t %s", em->vars.data[i].c));
    for (int kind = BUFFER_INPUT; kind <= BUFFER_OUTPUT; kind++)
        for (int k = 0; k < em->ast->buffers.len; k++)
            if (em->ast->buffers.data[k].kind == (enum buffer_kind)kind)
                put_item(em, &list, tensor_parameter(em, k));
    put_item(em, &list, "void *arena");
    put(em, ")");
}

void emit_signature(struct emit *em) {
    put_signature(em, arena_printf(&em->arena, "int %s_run(", em->opt->prefix), NULL);
}

/* An `if` over a list of conditions of which none may hold, else the code is returned. */
static void open_refusal(struct emit *em, struct list *list, const char *condition) {
    if (list->count == 0)
        put(em, "    if (");
    put_item(em, list, condition);
}

static void close_refusal(struct emit *em, const struct list *list, const char *code) {
    if (list->count > 0)
        putf(em, ")\n        return %s;\n", code);
}

static void put_argument_checks(struct emit *em) {
    const struct ast *a = em->ast;
    struct list list = {" ||", 8, 0};
    for (int k = 0; k < a->buffers.len; k++)
        if (a->buffers.data[k].kind == BUFFER_INPUT || a->buffers.data[k].kind == BUFFER_OUTPUT)
            open_refusal(em, &list, arena_printf(&em->arena, "!%s", em->buffer_c[k]));
    if (a->arena_bytes > 0)
        open_refusal(em, &list, "!arena");
    if (a->arena_bytes > 0 && a->arena_align > 1)
        open_refusal(
            em, &list,
            arena_printf(&em->arena, "(uintptr_t)arena %% %" PRId64 " != 0", a->arena_align));
    close_refusal(em, &list, "NNCC_E_ARG");
    if (a->arena_bytes == 0)
        put_line(em, "(void)arena;");
}

static void put_symbol_checks(struct emit *em) {
    struct list list = {" ||", 8, 0};
    for (int i = 0; i < em->ast->symbols.len; i++) {
        const struct var *v = &em->vars.data[i];
        open_refusal(em, &list, arena_printf(&em->arena, "%s < 0", v->c));
        if (v->hi < INT32_MAX)
            open_refusal(em, &list, arena_printf(&em->arena, "%s > %" PRId64, v->c, v->hi));
    }
    close_refusal(em, &list, "NNCC_E_SYMBOL");
}

/* What declares pointers into the arena: a temporary's stands before the statement that first
 * mentions it, so that compilers keep no address longer than it is needed. */
struct declare {
    struct emit *em;
    bool *done; // [buffers]
};

static void declare_temporary(void *user, int buffer, bool store) {
    (void)store;
    struct declare *d = user;
    const struct buffer *b = &d->em->ast->buffers.data[buffer];
    if (b->kind != BUFFER_TEMP || d->done[buffer])
        return;
    d->done[buffer] = true;
    putf(d->em, "    %s *const %s = ", emit_element_type(b->dtype), b->name);
    if (b->offset == 0)
        put(d->em, "arena;\n");
    else
        putf(d->em, "(void *)(mem + %" PRId64 ");\n", b->offset);
}

/* The arena by bytes, where some temporary does not lie at its start. */
static void put_arena_base(struct emit *em) {
    bool needed = false;
    for (int k = 0; k < em->ast->buffers.len; k++)
        needed = needed || (em->mentioned[k] && em->ast->buffers.data[k].kind == BUFFER_TEMP &&
                            em->ast->buffers.data[k].offset > 0);
    if (needed)
        put_line(em, "unsigned char *const mem = arena;");
}

/* Stores of packed elements leave the rest of a byte alone: what is left of an output's last
 * byte is cleared first. */
static void clear_last_byte(struct emit *em, int k) {
    struct arena *a = &em->arena;
    const struct buffer *b = &em->ast->buffers.data[k];
    int64_t n, bits = dtype_info(b->dtype)->bits;
    bool whole = bits >= 8 || (expr_as_int(b->elements, &n) && n * bits % 8 == 0);
    if (b->kind != BUFFER_OUTPUT || b->alias >= 0 || whole)
        return;
    const struct expr *last = expr_2(a, FUNC_SUB, b->elements, expr_index(a, 1));
    put_indent(em);
    if (!expr_as_int(b->elements, &n)) {
        put(em, "if (");
        emit_index_relation(em, b->elements, ">", expr_index(a, 0), C_ANY);
        put(em, ") ");
    }
    putf(em, "%s[", em->buffer_c[k]);
    emit_expr(em, expr_2(a, FUNC_DIV, last, expr_index(a, 8 / bits)), C_ANY);
    put(em, "] = 0; /* unused bits */\n");
}

/* The statements of the run function; an index that was out of range ends it after the
 * statement that met it. */
static void put_run_body(struct emit *em) {
    const struct ast_list *body = &em->ast->body;
    struct declare d = {em, arena_array(&em->arena, bool, em->ast->buffers.len)};
    for (int k = 0; k < em->ast->buffers.len; k++)
        clear_last_byte(em, k);
    for (const struct ast_node *n = body->first; n; n = n->next) {
        ast_walk_buffers(n, declare_temporary, &d);
        em->fn.checks = false;
        emit_statement(em, n, body);
        if (em->fn.checks)
            put_error_return(em);
    }
}

/* The run function below its head. */
static void put_run_function(struct emit *em, const char *body) {
    put(em, "\n{\n");
    em->fn.depth = 1;
    put_argument_checks(em);
    put_symbol_checks(em);
    put_arena_base(em);
    put(em, em->fn.error ? "    int error = 0;\n\n" : "\n");
    put_code(em, body);
    put(em, "    return 0;\n}\n");
    em->fn.depth = 0;
}

/* The same once more, with the lines that call the hook. */
static void put_profiled_function(struct emit *em, const char *body) {
    const char *prefix = em->opt->prefix, *target = emit_target_attribute(em);
    putf(em, "\n/* %s_run, telling hooks->profile of each region. */\n", prefix);
    put_signature(
        em, arena_printf(&em->arena, "static NNCC_NOINLINE %sint %s_profiled(", target, prefix),
        "const nncc_hooks *hooks");
    em->fn.hooks = true;
    put_run_function(em, body);
    em->fn.hooks = false;
}

void emit_program(struct emit *em) {
    struct str body = {0}, *out = em->fn.out;
    int vars = em->vars.len;
    em->fn = (struct function){.out = &body, .depth = 1};
    put_run_body(em);
    em->fn.out = out;
    em->fn.depth = 0;
    putf(em, "\n%s", emit_target_attribute(em));
    emit_signature(em);
    put_run_function(em, str_cstr(&body));
    if (em->regions.len > 0)
        put_profiled_function(em, str_cstr(&body));
    put_functions(em);
    em->stack_bytes = stack_of_program(em);
    em->vars.len = vars;
    str_free(&body);
}
