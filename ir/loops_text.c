/* The text form of the loops language: printer and reader. What one writes the other reads back
 * exactly; the reader takes hostile text, so it bounds nesting, ranks and every size product,
 * and reports the line of what it refuses. */
#include "ir/constant.h"
#include "ir/loops.h"
#include "ir/text.h"

enum { MAX_RANK = 32, MAX_ITERS = 64, MAX_NESTING = 200 };

static const char *const kind_names[] = {"input", "output", "const", "temp", "view"};

/* ---- printing ---- */

struct printer {
    struct str *s;
    const struct loops *l;
    struct constant_pool *pool;
    const char *const *names; // of arrays
};

static void print_list(struct printer *p, const struct stmt_list *list, int depth);

static void print_expr(struct printer *p, const struct expr *e) {
    expr_print(p->s, e, p->names);
}

static void print_exprs(struct printer *p, const struct expr *const *e, int n) {
    for (int i = 0; i < n; i++) {
        str_add(p->s, i ? "," : "");
        print_expr(p, e[i]);
    }
}

static void print_layout(struct str *s, const struct array *a) {
    str_add(s, " layout [");
    for (int i = 0; i < a->layout_rank; i++) {
        const struct layout_dim *d = &a->layout[i];
        str_addf(s, "%s%d", i ? ", " : "", d->dim);
        if (d->div != 1)
            str_addf(s, "/%lld", (long long)d->div);
        if (d->mod)
            str_addf(s, "%%%lld", (long long)d->mod);
        if (d->size)
            str_addf(s, " pad %lld", (long long)d->size);
    }
    str_add(s, "]");
}

static void print_array(struct printer *p, const struct array *a) {
    str_addf(p->s, "%s %s: %s[", kind_names[a->kind], a->name, dtype_info(a->dtype)->text);
    print_exprs(p, a->extent, a->rank);
    str_add(p->s, "]");
    if (a->kind == ARRAY_VIEW)
        str_addf(p->s, " of %s", p->names[a->view_of]);
    if (a->layout_rank)
        print_layout(p->s, a);
    if (a->alias >= 0)
        str_addf(p->s, " alias %s", p->names[a->alias]);
    if (a->kind == ARRAY_CONST) {
        int64_t n;
        str_add(p->s, " = ");
        constant_print(p->s, a->dtype, a->data, array_elements(p->l, a, &n) ? n : 0, p->pool);
    }
    if (a->onnx_name) {
        str_add(p->s, " ");
        str_add_quoted(p->s, a->onnx_name);
    }
    str_add(p->s, "\n");
}

static void print_iters(struct printer *p, const struct stmt *s) {
    str_add(p->s, "[");
    for (int i = 0; i < s->num_iters; i++)
        str_addf(p->s, "%s%s", i ? "," : "", s->iters[i].name);
    str_add(p->s, s->num_iters ? ": " : "");
    for (int i = 0; i < s->num_iters; i++) {
        str_add(p->s, i ? "," : "");
        print_expr(p, s->iters[i].extent);
    }
    str_add(p->s, "]: ");
}

static void print_call(struct printer *p, const struct stmt *s) {
    str_addf(p->s, "call %s(", s->name);
    for (int i = 0; i < s->num_reads; i++)
        str_addf(p->s, "%s%s", i ? ", " : "", p->names[s->reads[i]]);
    str_add(p->s, "; ");
    for (int i = 0; i < s->num_writes; i++)
        str_addf(p->s, "%s%s", i ? ", " : "", p->names[s->writes[i]]);
    str_add(p->s, s->num_params ? "; " : "");
    for (int i = 0; i < s->num_params; i++)
        str_addf(p->s, "%s%lld", i ? ", " : "", (long long)s->params[i]);
    str_add(p->s, ")");
}

/* What stands before the location and, where there is one, the body. */
static void print_head(struct printer *p, const struct stmt *s) {
    switch (s->kind) {
    case STMT_COMPUTE:
        str_add(p->s, s->name);
        print_iters(p, s);
        str_addf(p->s, "%s[", p->names[s->array]);
        print_exprs(p, s->index, p->l->arrays.data[s->array].rank);
        str_add(p->s, "] = ");
        print_expr(p, s->rhs);
        return;
    case STMT_REQUIRE:
        str_add(p->s, "require");
        print_iters(p, s);
        print_expr(p, s->rhs);
        return;
    case STMT_CALL:
        print_call(p, s);
        return;
    case STMT_IF:
        str_add(p->s, "if ");
        print_expr(p, s->rhs);
        return;
    case STMT_SEQ:
    case STMT_WHILE:
        str_addf(p->s, "%s %s: ", s->kind == STMT_SEQ ? "seq" : "while", s->iters[0].name);
        print_expr(p, s->iters[0].extent);
        if (s->kind == STMT_WHILE) {
            str_add(p->s, " if ");
            print_expr(p, s->rhs);
        }
        return;
    }
}

static void print_block(struct printer *p, const struct stmt_list *list, int depth) {
    str_add(p->s, " {\n");
    print_list(p, list, depth + 1);
    str_addf(p->s, "%*s}", 4 * depth, "");
}

static void print_list(struct printer *p, const struct stmt_list *list, int depth) {
    for (const struct stmt *s = list->first; s; s = s->next) {
        str_addf(p->s, "%*s", 4 * depth, "");
        print_head(p, s);
        if (s->loc.node) {
            str_add(p->s, " @ ");
            str_add_quoted(p->s, s->loc.node);
        }
        if (s->kind == STMT_SEQ || s->kind == STMT_IF || s->kind == STMT_WHILE)
            print_block(p, &s->body, depth);
        if (s->orelse.first) {
            str_add(p->s, " else");
            print_block(p, &s->orelse, depth);
        }
        str_add(p->s, "\n");
    }
}

void loops_print_stmt(struct str *s, const struct loops *l, const struct stmt *stmt,
                      const char *const *names) {
    struct printer p = {s, l, NULL, names};
    print_head(&p, stmt);
}

void loops_print(struct str *s, const struct loops *l, struct constant_pool *pool) {
    struct arena scratch = {0};
    const char **names = arena_array(&scratch, const char *, l->arrays.len);
    struct printer p = {s, l, pool, names};
    for (int i = 0; i < l->arrays.len; i++)
        names[i] = l->arrays.data[i].name;
    str_add(s, "loops ");
    str_add_quoted(s, l->name);
    if (l->body.first && l->body.first->loc.file && !l->body.first->loc.line) {
        str_add(s, " file ");
        str_add_quoted(s, l->body.first->loc.file);
    }
    str_add(s, "\n");
    for (int i = 0; i < l->symbols.len; i++)
        str_addf(s, "symbol %s max %lld\n", l->symbols.data[i].name,
                 (long long)l->symbols.data[i].max);
    for (int i = 0; i < l->arrays.len; i++)
        print_array(&p, &l->arrays.data[i]);
    print_list(&p, &l->body, 0);
    arena_free(&scratch);
}

/* ---- reading ---- */

struct reader {
    struct text t;
    struct loops *l;
    const struct constant_pool *pool;
    const char *file;  // of all locations, from the first line; NULL: the text itself
    struct map arrays; // name -> index + 1
    struct map stmts;
    const struct iter *scope[MAX_NESTING + 1]; // of enclosing seq and while
    int depth;
    const struct iter *iters; // of the statement
    int num_iters;
};

static void read_list(struct reader *r, struct stmt_list *list);

static const struct expr *scope_name(void *user, const char *name) {
    struct reader *r = user;
    bool found = false;
    for (int i = 0; i < r->num_iters; i++)
        found = found || r->iters[i].name == name;
    for (int i = 0; i < r->depth; i++)
        found = found || (r->scope[i] && r->scope[i]->name == name);
    for (int i = 0; i < r->l->symbols.len; i++)
        found = found || r->l->symbols.data[i].name == name;
    return found ? expr_var(r->l->arena, DTYPE_INDEX, name) : NULL;
}

static bool scope_array(void *user, const char *name, int *array, enum dtype *t, int *rank) {
    struct reader *r = user;
    int64_t *k = map_get(&r->arrays, name);
    if (!k)
        return false;
    *array = (int)*k - 1;
    *t = r->l->arrays.data[*array].dtype;
    *rank = r->l->arrays.data[*array].rank;
    return true;
}

/* An expression of type `want`, or NULL after an error. */
static const struct expr *read_expr(struct reader *r, enum dtype want) {
    struct expr_scope scope = {.name = scope_name, .array = scope_array, .user = r};
    return expr_read_typed(&r->t, &scope, want);
}

/* Index expressions up to `]`; their number, -1 after an error. */
static int read_exprs(struct reader *r, const struct expr **e, int max) {
    int n = 0;
    if (text_accept(&r->t, "]"))
        return 0;
    do {
        if (n == max) {
            text_error(&r->t, "more than %d dimensions", max);
            return -1;
        }
        e[n] = read_expr(r, DTYPE_INDEX);
        if (!e[n++])
            return -1;
    } while (text_accept(&r->t, ","));
    return text_expect(&r->t, "]") ? n : -1;
}

static bool read_array_ref(struct reader *r, int *array) {
    const char *name = text_name(&r->t);
    int64_t *k = name ? map_get(&r->arrays, name) : NULL;
    if (name && !k)
        text_error(&r->t, "unknown array %s", name);
    *array = k ? (int)*k - 1 : -1;
    return k != NULL;
}

static bool read_layout_dim(struct reader *r, const struct array *a, struct layout_dim *d) {
    int64_t dim;
    *d = (struct layout_dim){.div = 1};
    if (!text_int(&r->t, &dim))
        return false;
    if (dim < 0 || dim >= a->rank)
        return text_error(&r->t, "layout of a dimension that %s does not have", a->name);
    d->dim = (int)dim;
    if (text_accept(&r->t, "/") && !text_int(&r->t, &d->div))
        return false;
    bool has_mod = text_accept(&r->t, "%");
    if (has_mod && !text_int(&r->t, &d->mod))
        return false;
    bool has_size = text_accept(&r->t, "pad");
    if (has_size && !text_int(&r->t, &d->size))
        return false;
    if (d->div < 1 || (has_mod && d->mod < 1) || (has_size && d->size < 1))
        return text_error(&r->t, "layout numbers must be positive");
    int64_t size = d->size;
    d->size = 0;
    int64_t need = layout_dim_size(r->l, a, d);
    d->size = size;
    if (has_size && size < need)
        return text_error(&r->t, "padded size %lld is less than the %lld that are needed",
                          (long long)size, (long long)need);
    return true;
}

static bool read_layout(struct reader *r, struct array *a) {
    struct layout_dim dims[MAX_ITERS];
    int n = 0;
    if (!text_expect(&r->t, "["))
        return false;
    do {
        if (n == MAX_ITERS)
            return text_error(&r->t, "more than %d dimensions", MAX_ITERS);
        if (!read_layout_dim(r, a, &dims[n++]))
            return false;
    } while (text_accept(&r->t, ","));
    a->layout = arena_copy(r->l->arena, dims, (size_t)n * sizeof *dims);
    a->layout_rank = n;
    return text_expect(&r->t, "]");
}

/* `f32[1,64]` */
static bool read_array_type(struct reader *r, struct array *a) {
    const struct expr *extent[MAX_RANK];
    const char *type = text_name(&r->t);
    if (!type)
        return false;
    a->dtype = dtype_from_text(type, strlen(type));
    if (a->dtype == DTYPE_NONE || a->dtype == DTYPE_INDEX)
        return text_error(&r->t, "unknown element type %s", type);
    if (!text_expect(&r->t, "["))
        return false;
    a->rank = read_exprs(r, extent, MAX_RANK);
    if (a->rank < 0)
        return false;
    a->extent = arena_copy(r->l->arena, extent, (size_t)a->rank * sizeof *extent);
    for (int d = 0; d < a->rank; d++)
        if (loops_extent(r->l, extent[d]) < 0)
            return text_error(&r->t, "extent %d of %s is negative or has no maximum", d,
                              a->name);
    return true;
}

static bool read_array_data(struct reader *r, struct array *a, int64_t elements) {
    for (int d = 0; d < a->rank; d++) {
        int64_t v;
        if (!expr_as_int(a->extent[d], &v))
            return text_error(&r->t, "constant %s has a symbolic extent", a->name);
    }
    if (!text_expect(&r->t, "="))
        return false;
    a->data = constant_read(&r->t, a->dtype, elements, r->pool);
    return a->data != NULL || elements == 0;
}

/* The name of a new array or statement: given once, and <prefix><k> only to number k. The
 * caller puts it into the map. */
static const char *read_new_name(struct reader *r, const struct map *map, char prefix, int k) {
    const char *name = text_name(&r->t);
    if (!name)
        return NULL;
    char own[16];
    snprintf(own, sizeof own, "%c%d", prefix, k);
    bool numbered = name[0] == prefix && name[1] != '\0' &&
                    name[1 + strspn(name + 1, "0123456789")] == '\0';
    if (numbered && strcmp(name, own) != 0) {
        text_error(&r->t, "expected the name %s, found %s", own, name);
        return NULL;
    }
    if (map_get(map, name)) {
        text_error(&r->t, "the name %s is given twice", name);
        return NULL;
    }
    return name;
}

static bool read_array_rest(struct reader *r, struct array *a) {
    if (a->kind == ARRAY_VIEW) {
        if (!text_expect(&r->t, "of") || !read_array_ref(r, &a->view_of))
            return false;
        if (r->l->arrays.data[a->view_of].kind == ARRAY_VIEW)
            return text_error(&r->t, "a view of the view %s",
                              r->l->arrays.data[a->view_of].name);
    }
    if (text_accept(&r->t, "layout") && !read_layout(r, a))
        return false;
    if (text_accept(&r->t, "alias") && !read_array_ref(r, &a->alias))
        return false;
    int64_t elements;
    if (!array_elements(r->l, a, &elements) || !dtype_bytes(a->dtype, elements, &a->bytes))
        return text_error(&r->t, "%s is too large", a->name);
    if (a->kind == ARRAY_CONST ? !read_array_data(r, a, elements) : (a->bytes = 0) != 0)
        return false;
    if (r->t.tok.kind == TOK_STRING)
        a->onnx_name = text_string(&r->t);
    return true;
}

static void read_array(struct reader *r, enum array_kind kind) {
    int k = r->l->arrays.len;
    struct array a = {.kind = kind, .alias = -1};
    text_next(&r->t);
    const char *name = a.name = read_new_name(r, &r->arrays, 'a', k);
    if (!name || !text_expect(&r->t, ":") || !read_array_type(r, &a) || !read_array_rest(r, &a))
        return;
    *map_put(&r->arrays, name, NULL) = k + 1;
    vec_push(r->l->arena, &r->l->arrays, a);
}

static void read_symbol(struct reader *r) {
    struct symbol s = {0};
    text_next(&r->t);
    s.name = text_name(&r->t);
    if (!s.name || !text_expect(&r->t, "max") || !text_int(&r->t, &s.max))
        return;
    if (s.max < 1)
        text_error(&r->t, "symbol %s has a maximum below 1", s.name);
    for (int i = 0; i < r->l->symbols.len; i++)
        if (r->l->symbols.data[i].name == s.name)
            text_error(&r->t, "the name %s is given twice", s.name);
    vec_push(r->l->arena, &r->l->symbols, s);
}

/* ---- reading statements ---- */

static bool read_loc(struct reader *r, struct stmt *s) {
    if (!text_accept(&r->t, "@"))
        return true;
    const char *node = text_string(&r->t);
    s->loc.node = node;
    return node != NULL;
}

/* `[i,j: 4,n]` or `[]`; extents are read before their iterators are in scope. */
static bool read_iters(struct reader *r, struct stmt *s) {
    struct iter iters[MAX_ITERS];
    const struct expr *extent[MAX_ITERS];
    int n = 0;
    if (!text_expect(&r->t, "["))
        return false;
    if (!text_accept(&r->t, "]")) {
        do {
            if (n == MAX_ITERS)
                return text_error(&r->t, "more than %d iterators", MAX_ITERS);
            iters[n].name = text_name(&r->t);
            if (!iters[n++].name)
                return false;
        } while (text_accept(&r->t, ","));
        if (!text_expect(&r->t, ":"))
            return false;
        int extents = read_exprs(r, extent, MAX_ITERS);
        if (extents < 0)
            return false;
        if (extents != n)
            return text_error(&r->t, "%d iterators with %d extents", n, extents);
    }
    for (int i = 0; i < n; i++)
        iters[i].extent = extent[i];
    s->iters = arena_copy(r->l->arena, iters, (size_t)n * sizeof *iters);
    s->num_iters = n;
    r->iters = s->iters;
    r->num_iters = n;
    return text_expect(&r->t, ":");
}

static bool read_compute(struct reader *r, struct stmt *s) {
    const struct expr *index[MAX_RANK];
    if (!read_iters(r, s) || !read_array_ref(r, &s->array) || !text_expect(&r->t, "["))
        return false;
    const struct array *a = &r->l->arrays.data[s->array];
    int n = read_exprs(r, index, MAX_RANK);
    if (n < 0)
        return false;
    if (n != a->rank)
        return text_error(&r->t, "%s has rank %d, found %d indices", a->name, a->rank, n);
    s->index = arena_copy(r->l->arena, index, (size_t)n * sizeof *index);
    if (!text_expect(&r->t, "="))
        return false;
    s->rhs = read_expr(r, a->dtype);
    return s->rhs != NULL;
}

static bool read_call_arrays(struct reader *r, const int **out, int *count) {
    vec(int) list = {0};
    if (!text_is(&r->t, ";") && !text_is(&r->t, ")")) {
        do {
            int k;
            if (!read_array_ref(r, &k))
                return false;
            vec_push(r->l->arena, &list, k);
        } while (text_accept(&r->t, ","));
    }
    *out = list.data;
    *count = list.len;
    return true;
}

static bool read_call(struct reader *r, struct stmt *s) {
    vec(int64_t) params = {0};
    s->name = text_name(&r->t);
    if (!s->name || !text_expect(&r->t, "(") ||
        !read_call_arrays(r, &s->reads, &s->num_reads) || !text_expect(&r->t, ";") ||
        !read_call_arrays(r, &s->writes, &s->num_writes))
        return false;
    if (text_accept(&r->t, ";")) {
        do {
            int64_t v;
            if (!text_int(&r->t, &v))
                return false;
            vec_push(r->l->arena, &params, v);
        } while (text_accept(&r->t, ","));
    }
    s->params = params.data;
    s->num_params = params.len;
    return text_expect(&r->t, ")");
}

static bool read_block(struct reader *r, struct stmt_list *list, const struct iter *iter) {
    if (r->depth == MAX_NESTING)
        return text_error(&r->t, "statements are nested more than %d deep", MAX_NESTING);
    if (!text_expect(&r->t, "{"))
        return false;
    r->num_iters = 0;
    r->scope[r->depth++] = iter;
    read_list(r, list);
    r->depth--;
    return !r->t.failed && text_expect(&r->t, "}");
}

/* seq and while: `t: 5`, and for while ` if cond`. */
static bool read_repeat(struct reader *r, struct stmt *s) {
    struct iter *t = arena_new(r->l->arena, struct iter);
    t->name = text_name(&r->t);
    if (!t->name || !text_expect(&r->t, ":"))
        return false;
    t->extent = read_expr(r, DTYPE_INDEX);
    if (!t->extent)
        return false;
    r->iters = s->iters = t;
    r->num_iters = s->num_iters = 1;
    if (s->kind == STMT_SEQ)
        return read_loc(r, s) && read_block(r, &s->body, t);
    if (!text_expect(&r->t, "if"))
        return false;
    s->rhs = read_expr(r, DTYPE_BOOL);
    return s->rhs && read_loc(r, s) && read_block(r, &s->body, t);
}

static bool read_if(struct reader *r, struct stmt *s) {
    s->rhs = read_expr(r, DTYPE_BOOL);
    if (!s->rhs || !read_loc(r, s) || !read_block(r, &s->body, NULL))
        return false;
    return !text_accept(&r->t, "else") || read_block(r, &s->orelse, NULL);
}

static struct stmt *add_stmt(struct reader *r, struct stmt_list *list, enum stmt_kind kind) {
    struct loc loc = {.file = r->file ? r->file : r->t.file,
                      .line = r->file ? 0 : r->t.tok.line};
    struct stmt *s = loops_add_stmt(r->l, list, kind, loc);
    if (kind == STMT_COMPUTE) {
        s->name = read_new_name(r, &r->stmts, 'S', r->l->num_stmts - 1);
        if (s->name)
            *map_put(&r->stmts, s->name, NULL) = 1;
    } else {
        text_next(&r->t);
    }
    r->num_iters = 0;
    return s;
}

static void read_stmt(struct reader *r, struct stmt_list *list) {
    if (text_is(&r->t, "seq")) {
        read_repeat(r, add_stmt(r, list, STMT_SEQ));
    } else if (text_is(&r->t, "while")) {
        read_repeat(r, add_stmt(r, list, STMT_WHILE));
    } else if (text_is(&r->t, "if")) {
        read_if(r, add_stmt(r, list, STMT_IF));
    } else if (text_is(&r->t, "call")) {
        struct stmt *s = add_stmt(r, list, STMT_CALL);
        if (read_call(r, s))
            read_loc(r, s);
    } else if (text_is(&r->t, "require")) {
        struct stmt *s = add_stmt(r, list, STMT_REQUIRE);
        if (read_iters(r, s) && (s->rhs = read_expr(r, DTYPE_BOOL)))
            read_loc(r, s);
    } else {
        struct stmt *s = add_stmt(r, list, STMT_COMPUTE);
        if (s->name && read_compute(r, s))
            read_loc(r, s);
    }
    r->num_iters = 0;
}

static void read_list(struct reader *r, struct stmt_list *list) {
    while (!r->t.failed && !text_is(&r->t, "}") && r->t.tok.kind != TOK_END)
        read_stmt(r, list);
}

static bool read_declaration(struct reader *r) {
    for (int k = ARRAY_INPUT; k <= ARRAY_VIEW; k++) {
        if (!text_is(&r->t, kind_names[k]))
            continue;
        read_array(r, (enum array_kind)k);
        return true;
    }
    if (!text_is(&r->t, "symbol"))
        return false;
    read_symbol(r);
    return true;
}

static void read_program(struct reader *r) {
    if (!text_expect(&r->t, "loops"))
        return;
    const char *name = text_string(&r->t);
    if (!name)
        return;
    r->l->name = intern(r->l->names, name);
    if (text_accept(&r->t, "file"))
        r->file = text_string(&r->t);
    while (!r->t.failed && read_declaration(r))
        ;
    read_list(r, &r->l->body);
    if (!r->t.failed && r->t.tok.kind != TOK_END)
        text_error(&r->t, "expected a statement");
}

struct loops *loops_read(const char *file, const char *text, size_t len, struct intern *names,
                         const struct constant_pool *pool, struct diag *d) {
    struct reader r = {.l = loops_new(names, ""), .pool = pool};
    text_init(&r.t, d, r.l->arena, names, file, text, len);
    read_program(&r);
    map_free(&r.arrays);
    map_free(&r.stmts);
    if (!r.t.failed)
        return r.l;
    loops_free(r.l);
    return NULL;
}
