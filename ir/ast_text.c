/* The text form of the ast language: printer and reader. As with loops, what one writes the
 * other reads back exactly, and the reader takes hostile text. */
#include "ir/ast.h"
#include "ir/constant.h"
#include "ir/text.h"

enum { MAX_RANK = 32, MAX_TILE = 32, MAX_NESTING = 200 };

static const char *const kind_names[] = {"input", "output", "const", "temp"};
static const char *const role_names[] = {"row", "vec", "red", "dot4", "split"};

/* ---- printing ---- */

struct printer {
    struct str *s;
    const struct ast *a;
    struct constant_pool *pool;
    const char *const *names; // of buffers
    bool bare;                // nests without name and node
};

static void print_list(struct printer *p, const struct ast_list *list, int depth);

/* text, then the expression */
static void print_expr(struct printer *p, const char *text, const struct expr *e) {
    str_add(p->s, text);
    expr_print(p->s, e, p->names);
}

static void print_dims(struct printer *p, const struct buffer *b) {
    str_add(p->s, " [");
    for (int d = 0; d < b->rank; d++)
        print_expr(p, d ? "," : "", b->dims[d]);
    str_add(p->s, "]");
}

static void print_buffer(struct printer *p, const struct buffer *b) {
    str_addf(p->s, "%s %s: %s", kind_names[b->kind], b->name, dtype_info(b->dtype)->text);
    print_expr(p, "[", b->elements);
    str_add(p->s, "]");
    if (b->kind == BUFFER_TEMP && b->offset >= 0)
        str_addf(p->s, " at %lld", (long long)b->offset);
    if (b->kind == BUFFER_CONST) {
        str_add(p->s, " = ");
        constant_print(p->s, b->dtype, b->data, b->max_elements, p->pool);
    }
    if (b->onnx_name) {
        str_add(p->s, " ");
        str_add_quoted(p->s, b->onnx_name);
    }
    if (b->kind == BUFFER_INPUT || b->kind == BUFFER_OUTPUT)
        print_dims(p, b);
    if (b->kind == BUFFER_OUTPUT && b->alias >= 0)
        str_addf(p->s, " alias %d", b->alias);
    str_add(p->s, "\n");
}

static void print_for(struct printer *p, const struct ast_node *n) {
    str_addf(p->s, "for %s", n->name);
    print_expr(p, " = ", n->lo);
    print_expr(p, "..", n->hi);
    if (n->step != 1)
        str_addf(p->s, " by %lld", (long long)n->step);
    if (n->parallel)
        str_add(p->s, " parallel");
    if (n->cond)
        print_expr(p, " while ", n->cond);
}

static void print_store(struct printer *p, const struct ast_node *n) {
    str_add(p->s, p->names[n->buffer]);
    print_expr(p, "[", n->index);
    print_expr(p, "] = ", n->value);
}

static void print_tile(struct printer *p, const struct ast_node *n) {
    str_add(p->s, "tile (");
    for (int i = 0; i < n->num_tile; i++) {
        const struct tile_iter *it = &n->tile[i];
        str_addf(p->s, "%s%s: %lld", i ? ", " : "", it->name, (long long)it->max);
        if (!expr_is_int(it->count, it->max))
            print_expr(p, "<=", it->count);
        str_addf(p->s, " %s", role_names[it->role]);
    }
    str_add(p->s, ") ");
    print_store(p, n);
}

static void print_call(struct printer *p, const struct ast_node *n) {
    str_addf(p->s, "call %s(", n->name);
    for (int i = 0; i < n->num_reads; i++)
        str_addf(p->s, "%s%s", i ? ", " : "", p->names[n->reads[i]]);
    str_add(p->s, "; ");
    for (int i = 0; i < n->num_writes; i++)
        str_addf(p->s, "%s%s", i ? ", " : "", p->names[n->writes[i]]);
    str_add(p->s, n->num_params ? "; " : "");
    for (int i = 0; i < n->num_params; i++)
        str_addf(p->s, "%s%lld", i ? ", " : "", (long long)n->params[i]);
    str_add(p->s, ")");
}

static void print_nest(struct printer *p, const struct ast_node *n) {
    str_add(p->s, "nest");
    if (p->bare)
        return;
    str_add(p->s, " ");
    str_add_quoted(p->s, n->name);
    if (n->loc.node) {
        str_add(p->s, " @ ");
        str_add_quoted(p->s, n->loc.node);
    }
}

/* The statement up to its body. */
static void print_head(struct printer *p, const struct ast_node *n) {
    switch (n->kind) {
    case AST_NEST:
        print_nest(p, n);
        return;
    case AST_FOR:
        print_for(p, n);
        return;
    case AST_IF:
        print_expr(p, "if ", n->cond);
        return;
    case AST_LET:
        str_addf(p->s, "let %s: %s", n->name, dtype_info(n->dtype)->text);
        print_expr(p, " = ", n->value);
        return;
    case AST_SET:
        str_addf(p->s, "set %s", n->name);
        print_expr(p, " = ", n->value);
        return;
    case AST_STORE:
        print_store(p, n);
        return;
    case AST_CALL:
        print_call(p, n);
        return;
    case AST_REQUIRE:
        print_expr(p, "require ", n->cond);
        str_add(p->s, " else SHAPE");
        return;
    case AST_TILE:
        print_tile(p, n);
        return;
    }
}

static void print_block(struct printer *p, const struct ast_list *list, int depth) {
    str_add(p->s, " {\n");
    print_list(p, list, depth + 1);
    str_addf(p->s, "%*s}", 4 * depth, "");
}

static void print_list(struct printer *p, const struct ast_list *list, int depth) {
    for (const struct ast_node *n = list->first; n; n = n->next) {
        str_addf(p->s, "%*s", 4 * depth, "");
        print_head(p, n);
        if (n->kind == AST_NEST || n->kind == AST_FOR || n->kind == AST_IF)
            print_block(p, &n->body, depth);
        if (n->orelse.first) {
            str_add(p->s, " else");
            print_block(p, &n->orelse, depth);
        }
        str_add(p->s, "\n");
    }
}

/* The file that all locations share: that of the first nest that came from a model. */
static const char *file_of(const struct ast_list *list) {
    const char *file = NULL;
    for (const struct ast_node *n = list->first; n && !file; n = n->next)
        file = n->kind == AST_NEST && !n->loc.line ? n->loc.file : file_of(&n->body);
    return file;
}

static void print_first_line(struct str *s, const struct ast *a) {
    const char *file = file_of(&a->body);
    str_add(s, "ast ");
    str_add_quoted(s, a->name);
    if (file) {
        str_add(s, " file ");
        str_add_quoted(s, file);
    }
    if (a->macs)
        str_addf(s, " macs %llu", (unsigned long long)a->macs);
    if (a->arena_bytes)
        str_addf(s, " arena %lld", (long long)a->arena_bytes);
    if (a->arena_align != 1)
        str_addf(s, " align %lld", (long long)a->arena_align);
    str_add(s, "\n");
}

void ast_print(struct str *s, const struct ast *a, struct constant_pool *pool) {
    struct arena scratch = {0};
    const char **names = arena_array(&scratch, const char *, a->buffers.len);
    struct printer p = {s, a, pool, names, false};
    for (int i = 0; i < a->buffers.len; i++)
        names[i] = a->buffers.data[i].name;
    print_first_line(s, a);
    for (int i = 0; i < a->symbols.len; i++)
        str_addf(s, "symbol %s max %lld\n", a->symbols.data[i].name,
                 (long long)a->symbols.data[i].max);
    for (int i = 0; i < a->buffers.len; i++)
        print_buffer(&p, &a->buffers.data[i]);
    print_list(&p, &a->body, 0);
    arena_free(&scratch);
}

void ast_print_list(struct str *s, const struct ast *a, const struct ast_list *list,
                    const char *const *names) {
    struct printer p = {s, a, NULL, names, true};
    print_list(&p, list, 0);
}

/* ---- reading ---- */

/* A name in scope: an iterator (INDEX) or a scalar. */
struct local {
    const char *name;
    enum dtype dtype;
};

struct reader {
    struct text t;
    struct ast *a;
    struct arena scratch;
    const struct constant_pool *pool;
    const char *file;   // of all locations, from the first line; NULL: the text itself
    struct map buffers; // name -> index + 1
    vec(struct local) scope;
    struct loc loc; // of the nest
    int depth;
};

static void read_list(struct reader *r, struct ast_list *list);

static const struct local *find_local(const struct reader *r, const char *name) {
    for (int i = r->scope.len - 1; i >= 0; i--)
        if (r->scope.data[i].name == name)
            return &r->scope.data[i];
    return NULL;
}

static const struct expr *scope_name(void *user, const char *name) {
    struct reader *r = user;
    const struct local *local = find_local(r, name);
    if (local)
        return expr_var(r->a->arena, local->dtype, name);
    for (int i = 0; i < r->a->symbols.len; i++)
        if (r->a->symbols.data[i].name == name)
            return expr_var(r->a->arena, DTYPE_INDEX, name);
    return NULL;
}

static bool scope_buffer(void *user, const char *name, int *buffer, enum dtype *t, int *rank) {
    struct reader *r = user;
    int64_t *k = map_get(&r->buffers, name);
    if (!k)
        return false;
    *buffer = (int)*k - 1;
    *t = r->a->buffers.data[*buffer].dtype;
    *rank = 1;
    return true;
}

/* An expression of type `want`, or NULL after an error. */
static const struct expr *read_expr(struct reader *r, enum dtype want) {
    struct expr_scope scope = {.name = scope_name, .array = scope_buffer, .user = r};
    return expr_read_typed(&r->t, &scope, want);
}

static bool read_type(struct reader *r, enum dtype *t) {
    const char *name = text_name(&r->t);
    if (!name)
        return false;
    *t = dtype_from_text(name, strlen(name));
    return *t != DTYPE_NONE || text_error(&r->t, "unknown type %s", name);
}

static bool read_buffer_ref(struct reader *r, int *buffer) {
    const char *name = text_name(&r->t);
    int64_t *k = name ? map_get(&r->buffers, name) : NULL;
    if (name && !k)
        text_error(&r->t, "unknown buffer %s", name);
    *buffer = k ? (int)*k - 1 : -1;
    return k != NULL;
}

/* ---- reading declarations ---- */

static bool read_dims(struct reader *r, struct buffer *b) {
    const struct expr *dims[MAX_RANK];
    if (!text_expect(&r->t, "["))
        return false;
    while (!text_is(&r->t, "]")) {
        if (b->rank == MAX_RANK)
            return text_error(&r->t, "more than %d dimensions", MAX_RANK);
        if (b->rank && !text_expect(&r->t, ","))
            return false;
        dims[b->rank] = read_expr(r, DTYPE_INDEX);
        if (!dims[b->rank++])
            return false;
    }
    b->dims = arena_copy(r->a->arena, dims, (size_t)b->rank * sizeof *dims);
    return text_expect(&r->t, "]");
}

static bool read_elements(struct reader *r, struct buffer *b) {
    if (!text_expect(&r->t, ":") || !read_type(r, &b->dtype))
        return false;
    if (b->dtype == DTYPE_INDEX)
        return text_error(&r->t, "a buffer cannot hold type index");
    if (!text_expect(&r->t, "[") || !(b->elements = read_expr(r, DTYPE_INDEX)) ||
        !text_expect(&r->t, "]"))
        return false;
    int64_t lo;
    const struct ast *a = r->a;
    bool known =
        symbols_range(a->symbols.data, a->symbols.len, b->elements, &lo, &b->max_elements);
    if (!known || lo < 0 || !dtype_bytes(b->dtype, b->max_elements, &b->bytes))
        return text_error(&r->t,
                          "the size of the buffer is negative, too large or has no maximum");
    return true;
}

static bool read_buffer_rest(struct reader *r, struct buffer *b) {
    if (b->kind == BUFFER_TEMP && text_accept(&r->t, "at") && !text_int(&r->t, &b->offset))
        return false;
    if (b->kind == BUFFER_CONST) {
        int64_t n;
        if (!expr_as_int(b->elements, &n))
            return text_error(&r->t, "a constant has a symbolic size");
        if (!text_expect(&r->t, "=") ||
            (!(b->data = constant_read(&r->t, b->dtype, n, r->pool)) && n > 0))
            return false;
    } else {
        b->bytes = 0;
    }
    if (r->t.tok.kind == TOK_STRING)
        b->onnx_name = text_string(&r->t);
    if ((b->kind == BUFFER_INPUT || b->kind == BUFFER_OUTPUT) && !read_dims(r, b))
        return false;
    int64_t alias = -1;
    if (b->kind == BUFFER_OUTPUT && text_accept(&r->t, "alias") && !text_int(&r->t, &alias))
        return false;
    b->alias = alias >= 0 && alias < r->a->buffers.len ? (int)alias : -1;
    return alias == b->alias || text_error(&r->t, "no input has number %lld", (long long)alias);
}

static void read_buffer(struct reader *r, enum buffer_kind kind) {
    char own[16];
    int k = r->a->buffers.len;
    struct buffer b = {.kind = kind, .offset = -1, .alias = -1};
    snprintf(own, sizeof own, "b%d", k);
    text_next(&r->t);
    if (!text_expect(&r->t, own) || !read_elements(r, &b) || !read_buffer_rest(r, &b))
        return;
    ast_add_buffer(r->a, b);
    r->a->buffers.data[k].offset = b.offset;
    *map_put(&r->buffers, r->a->buffers.data[k].name, NULL) = k + 1;
}

static void read_symbol(struct reader *r) {
    struct symbol s = {0};
    text_next(&r->t);
    s.name = text_name(&r->t);
    if (!s.name || !text_expect(&r->t, "max") || !text_int(&r->t, &s.max))
        return;
    if (s.max < 1)
        text_error(&r->t, "symbol %s has a maximum below 1", s.name);
    for (int i = 0; i < r->a->symbols.len; i++)
        if (r->a->symbols.data[i].name == s.name)
            text_error(&r->t, "the name %s is given twice", s.name);
    vec_push(r->a->arena, &r->a->symbols, s);
}

/* ---- reading statements ---- */

/* `{ … }`; names declared inside end with it. */
static bool read_block(struct reader *r, struct ast_list *list) {
    if (r->depth == MAX_NESTING)
        return text_error(&r->t, "statements are nested more than %d deep", MAX_NESTING);
    if (!text_expect(&r->t, "{"))
        return false;
    int locals = r->scope.len;
    r->depth++;
    read_list(r, list);
    r->depth--;
    r->scope.len = locals;
    return !r->t.failed && text_expect(&r->t, "}");
}

/* A new name: not one that is in scope. */
static const char *read_new_name(struct reader *r) {
    const char *name = text_name(&r->t);
    if (name && scope_name(r, name)) {
        text_error(&r->t, "the name %s is in use", name);
        return NULL;
    }
    return name;
}

static void declare(struct reader *r, const char *name, enum dtype t) {
    vec_push(&r->scratch, &r->scope, ((struct local){name, t}));
}

static bool read_nest(struct reader *r, struct ast_node *n) {
    struct loc outer = r->loc;
    n->name = text_string(&r->t);
    if (!n->name || (text_accept(&r->t, "@") && !(n->loc.node = text_string(&r->t))))
        return false;
    r->loc = n->loc;
    bool ok = read_block(r, &n->body);
    r->loc = outer;
    return ok;
}

static bool read_for(struct reader *r, struct ast_node *n) {
    n->name = read_new_name(r);
    if (!n->name || !text_expect(&r->t, "=") || !(n->lo = read_expr(r, DTYPE_INDEX)))
        return false;
    if (!text_expect(&r->t, "..") || !(n->hi = read_expr(r, DTYPE_INDEX)))
        return false;
    if (text_accept(&r->t, "by") && !text_int(&r->t, &n->step))
        return false;
    if (n->step < 1 || n->step > INT32_MAX)
        return text_error(&r->t, "the step of a loop must be 1 to %d", INT32_MAX);
    n->parallel = text_accept(&r->t, "parallel");
    int locals = r->scope.len;
    declare(r, n->name, DTYPE_INDEX);
    if (text_accept(&r->t, "while") && !(n->cond = read_expr(r, DTYPE_BOOL)))
        return false;
    bool ok = read_block(r, &n->body);
    r->scope.len = locals;
    return ok;
}

static bool read_if(struct reader *r, struct ast_node *n) {
    n->cond = read_expr(r, DTYPE_BOOL);
    if (!n->cond || !read_block(r, &n->body))
        return false;
    return !text_accept(&r->t, "else") || read_block(r, &n->orelse);
}

static bool read_let(struct reader *r, struct ast_node *n) {
    n->name = read_new_name(r);
    if (!n->name || !text_expect(&r->t, ":") || !read_type(r, &n->dtype) ||
        !text_expect(&r->t, "="))
        return false;
    n->value = read_expr(r, n->dtype);
    if (n->value)
        declare(r, n->name, n->dtype);
    return n->value != NULL;
}

static bool read_set(struct reader *r, struct ast_node *n) {
    n->name = text_name(&r->t);
    const struct local *local = n->name ? find_local(r, n->name) : NULL;
    if (n->name && !local)
        text_error(&r->t, "%s is not declared", n->name);
    if (!local || !text_expect(&r->t, "="))
        return false;
    n->value = read_expr(r, local->dtype);
    return n->value != NULL;
}

static bool read_store(struct reader *r, struct ast_node *n) {
    if (!read_buffer_ref(r, &n->buffer) || !text_expect(&r->t, "[") ||
        !(n->index = read_expr(r, DTYPE_INDEX)))
        return false;
    if (!text_expect(&r->t, "]") || !text_expect(&r->t, "="))
        return false;
    n->value = read_expr(r, r->a->buffers.data[n->buffer].dtype);
    return n->value != NULL;
}

static bool read_buffers(struct reader *r, const int **out, int *count) {
    vec(int) list = {0};
    if (!text_is(&r->t, ";") && !text_is(&r->t, ")")) {
        do {
            int k;
            if (!read_buffer_ref(r, &k))
                return false;
            vec_push(r->a->arena, &list, k);
        } while (text_accept(&r->t, ","));
    }
    *out = list.data;
    *count = list.len;
    return true;
}

static bool read_call(struct reader *r, struct ast_node *n) {
    vec(int64_t) params = {0};
    n->name = text_name(&r->t);
    if (!n->name || !text_expect(&r->t, "(") || !read_buffers(r, &n->reads, &n->num_reads) ||
        !text_expect(&r->t, ";") || !read_buffers(r, &n->writes, &n->num_writes))
        return false;
    if (text_accept(&r->t, ";")) {
        do {
            int64_t v;
            if (!text_int(&r->t, &v))
                return false;
            vec_push(r->a->arena, &params, v);
        } while (text_accept(&r->t, ","));
    }
    n->params = params.data;
    n->num_params = params.len;
    return text_expect(&r->t, ")");
}

static bool read_require(struct reader *r, struct ast_node *n) {
    n->cond = read_expr(r, DTYPE_BOOL);
    return n->cond && text_expect(&r->t, "else") && text_expect(&r->t, "SHAPE");
}

/* `m: 6<=c4 row` */
static bool read_tile_iter(struct reader *r, struct tile_iter *it) {
    it->name = read_new_name(r);
    if (!it->name || !text_expect(&r->t, ":") || !text_int(&r->t, &it->max))
        return false;
    if (it->max < 1)
        return text_error(&r->t, "the maximum of a tile iterator must be positive");
    it->count = expr_index(r->a->arena, it->max);
    if (text_accept(&r->t, "<=") && !(it->count = read_expr(r, DTYPE_INDEX)))
        return false;
    for (int k = TILE_ROW; k <= TILE_SPLIT; k++) {
        if (!text_accept(&r->t, role_names[k]))
            continue;
        it->role = (enum tile_role)k;
        return true;
    }
    return text_error(&r->t, "expected row, vec, red, dot4 or split");
}

/* Tile iterators are in scope of the index and the value; those that reduce are declared again
 * by the reduce of the value. */
static bool read_tile(struct reader *r, struct ast_node *n) {
    struct tile_iter tile[MAX_TILE];
    int num = 0, locals = r->scope.len;
    if (!text_expect(&r->t, "("))
        return false;
    do {
        if (num == MAX_TILE)
            return text_error(&r->t, "more than %d tile iterators", MAX_TILE);
        if (!read_tile_iter(r, &tile[num++]))
            return false;
    } while (text_accept(&r->t, ","));
    for (int i = 0; i < num; i++)
        if (!tile_role_reduces(tile[i].role))
            declare(r, tile[i].name, DTYPE_INDEX);
    n->tile = arena_copy(r->a->arena, tile, (size_t)num * sizeof *tile);
    n->num_tile = num;
    bool ok = text_expect(&r->t, ")") && read_store(r, n);
    r->scope.len = locals;
    return ok;
}

static bool read_kind(struct reader *r, struct ast_node *n) {
    switch (n->kind) {
    case AST_NEST:
        return read_nest(r, n);
    case AST_FOR:
        return read_for(r, n);
    case AST_IF:
        return read_if(r, n);
    case AST_LET:
        return read_let(r, n);
    case AST_SET:
        return read_set(r, n);
    case AST_CALL:
        return read_call(r, n);
    case AST_REQUIRE:
        return read_require(r, n);
    case AST_TILE:
        return read_tile(r, n);
    case AST_STORE:
        break;
    }
    return read_store(r, n);
}

static void read_stmt(struct reader *r, struct ast_list *list) {
    static const char *const words[] = {
        [AST_NEST] = "nest",       [AST_FOR] = "for",   [AST_IF] = "if",
        [AST_LET] = "let",         [AST_SET] = "set",   [AST_CALL] = "call",
        [AST_REQUIRE] = "require", [AST_TILE] = "tile",
    };
    enum ast_kind kind = AST_STORE;
    for (int k = AST_NEST; k <= AST_TILE; k++)
        if (words[k] && text_is(&r->t, words[k]))
            kind = (enum ast_kind)k;
    struct loc loc = r->loc;
    loc.line = r->file ? 0 : r->t.tok.line;
    if (kind != AST_STORE)
        text_next(&r->t);
    read_kind(r, ast_add(r->a, list, kind, loc));
}

static void read_list(struct reader *r, struct ast_list *list) {
    while (!r->t.failed && !text_is(&r->t, "}") && r->t.tok.kind != TOK_END)
        read_stmt(r, list);
}

static bool read_declaration(struct reader *r) {
    for (int k = BUFFER_INPUT; k <= BUFFER_TEMP; k++) {
        if (!text_is(&r->t, kind_names[k]))
            continue;
        read_buffer(r, (enum buffer_kind)k);
        return true;
    }
    if (!text_is(&r->t, "symbol"))
        return false;
    read_symbol(r);
    return true;
}

/* A figure of the first line: `word number`, not negative. */
static void read_figure(struct reader *r, const char *word, int64_t *v) {
    if (text_accept(&r->t, word) && text_int(&r->t, v) && *v < 0)
        text_error(&r->t, "%s is negative", word);
}

static void read_first_line(struct reader *r) {
    int64_t macs = 0;
    if (!text_expect(&r->t, "ast"))
        return;
    const char *name = text_string(&r->t);
    r->a->name = name ? name : "";
    r->file = text_accept(&r->t, "file") ? text_string(&r->t) : NULL;
    r->loc.file = r->file ? r->file : r->t.file;
    read_figure(r, "macs", &macs);
    read_figure(r, "arena", &r->a->arena_bytes);
    read_figure(r, "align", &r->a->arena_align);
    r->a->macs = (uint64_t)macs;
    if (r->a->arena_align < 1 || (r->a->arena_align & (r->a->arena_align - 1)) != 0)
        text_error(&r->t, "the alignment is no power of two");
}

struct ast *ast_read(const char *file, const char *text, size_t len, struct intern *names,
                     const struct constant_pool *pool, struct diag *d) {
    struct reader r = {.a = ast_new(names, ""), .pool = pool};
    text_init(&r.t, d, r.a->arena, names, file, text, len);
    read_first_line(&r);
    while (!r.t.failed && read_declaration(&r))
        ;
    read_list(&r, &r.a->body);
    if (!r.t.failed && r.t.tok.kind != TOK_END)
        text_error(&r.t, "expected a statement");
    map_free(&r.buffers);
    arena_free(&r.scratch);
    if (!r.t.failed)
        return r.a;
    ast_free(r.a);
    return NULL;
}
