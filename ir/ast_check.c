/* The verifier of the ast language. */
#include "ir/ast.h"
#include "ir/check.h"
#include "ir/interp.h"

struct verifier {
    struct check c;
    const struct ast *a;
};

static void check_list(struct verifier *v, const struct ast_list *list);

/* ---- names and buffers ---- */

/* Names are printed into C: one letter, then digits, and no buffer's. */
static void check_name(struct verifier *v, const char *name) {
    bool letter = (name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z');
    bool buffer = name[0] == 'b' && name[1] != '\0';
    if (!letter || buffer || name[1 + strspn(name + 1, "0123456789")] != '\0')
        check_error(&v->c, "the name %s is not a letter (b only alone) and digits", name);
}

static void check_buffer(struct verifier *v, const struct buffer *b) {
    int64_t lo, hi, bytes;
    v->c.what = b->name;
    bool typed = b->dtype > DTYPE_NONE && b->dtype < DTYPE_INDEX;
    if (!typed || b->elements->dtype != DTYPE_INDEX ||
        !symbols_range(v->a->symbols.data, v->a->symbols.len, b->elements, &lo, &hi) ||
        lo < 0 || hi != b->max_elements || !dtype_bytes(b->dtype, hi, &bytes)) {
        check_error(&v->c,
                    "no element type, or a size that is negative, too large or has no maximum");
        return;
    }
    if (b->kind == BUFFER_CONST && (b->bytes != bytes || (bytes && !b->data)))
        check_error(&v->c, "a constant whose bytes do not fit its size");
    bool planned = b->kind == BUFFER_TEMP && b->offset >= 0;
    if (planned && (bytes > v->a->arena_bytes || b->offset > v->a->arena_bytes - bytes))
        check_error(&v->c, "lies outside the arena");
}

/* The shape of an input or output has as many elements as its buffer. */
static void check_dims(struct verifier *v, const struct buffer *b) {
    int64_t n = 1;
    for (int d = 0; d < b->rank; d++) {
        int64_t lo, hi;
        bool known = b->dims[d]->dtype == DTYPE_INDEX &&
                     symbols_range(v->a->symbols.data, v->a->symbols.len, b->dims[d], &lo, &hi);
        if (!known || !size_mul(n, hi, &n)) {
            check_error(&v->c, "dimension %d is negative, too large or has no maximum", d);
            return;
        }
    }
    if (n != b->max_elements)
        check_error(&v->c, "its shape has %lld elements", (long long)n);
}

/* `alias` counts inputs. */
static void check_alias(struct verifier *v, const struct buffer *b) {
    int input = -1;
    for (int i = 0; i < v->a->buffers.len; i++) {
        const struct buffer *in = &v->a->buffers.data[i];
        input += in->kind == BUFFER_INPUT;
        if (in->kind == BUFFER_INPUT && input == b->alias && in->dtype == b->dtype &&
            in->max_elements == b->max_elements)
            return;
    }
    check_error(&v->c, "shares storage with no input of its type and size");
}

static void check_buffers(struct verifier *v) {
    const struct ast *a = v->a;
    struct check_array *out = arena_array(&v->c.arena, struct check_array, a->buffers.len);
    for (int i = 0; i < a->buffers.len; i++) {
        const struct buffer *b = &a->buffers.data[i];
        check_buffer(v, b);
        if (b->kind == BUFFER_INPUT || b->kind == BUFFER_OUTPUT)
            check_dims(v, b);
        if (b->kind == BUFFER_OUTPUT && b->alias != -1)
            check_alias(v, b);
        out[i] = (struct check_array){b->name, b->dtype, 1, &b->max_elements,
                                      b->elements->kind == EXPR_CONST};
    }
    v->c.arrays = out;
    v->c.num_arrays = a->buffers.len;
}

static void check_symbols(struct verifier *v) {
    for (int i = 0; i < v->a->symbols.len; i++) {
        const struct symbol *s = &v->a->symbols.data[i];
        v->c.what = s->name;
        check_push(&v->c,
                   (struct check_var){
                       .name = s->name, .dtype = DTYPE_INDEX, .known = true, .hi = s->max});
    }
}

/* ---- statements ---- */

static void check_written(struct verifier *v, int buffer) {
    bool exists = buffer >= 0 && buffer < v->a->buffers.len;
    if (!exists)
        check_error(&v->c, "buffer number %d does not exist", buffer);
    else if (v->a->buffers.data[buffer].kind == BUFFER_INPUT ||
             v->a->buffers.data[buffer].kind == BUFFER_CONST)
        check_error(&v->c, "writes %s, an input or constant", v->a->buffers.data[buffer].name);
}

/* Values of a loop's iterator: all of them when its bounds are constants and nothing ends it
 * early. */
static struct check_var loop_var(struct verifier *v, const struct ast_node *n) {
    struct check_var var = {.name = n->name, .dtype = DTYPE_INDEX, .iterator = true};
    int64_t lo[2], hi[2];
    if (!check_range(&v->c, n->lo, &lo[0], &lo[1]) ||
        !check_range(&v->c, n->hi, &hi[0], &hi[1]) || hi[1] <= lo[0])
        return var;
    var.known = true;
    var.lo = lo[0];
    var.hi = hi[1] - 1;
    var.exact =
        n->lo->kind == EXPR_CONST && n->hi->kind == EXPR_CONST && n->step == 1 && !n->cond;
    return var;
}

/* Inside a loop that may run zero times, or a branch, nothing is sure of the names around it.
 */
static void forget_exact(struct verifier *v) {
    for (int i = 0; i < v->c.scope.len; i++)
        v->c.scope.data[i].exact = false;
}

static void check_for(struct verifier *v, const struct ast_node *n) {
    int64_t lo, hi;
    check_name(v, n->name);
    check_expr(&v->c, n->lo, DTYPE_INDEX, false);
    check_expr(&v->c, n->hi, DTYPE_INDEX, false);
    if (n->step < 1 || n->step > INT32_MAX)
        check_error(&v->c, "a step that is not 1 to %d", INT32_MAX);
    struct check_var var = loop_var(v, n);
    if (!(expr_as_int(n->lo, &lo) && expr_as_int(n->hi, &hi) && lo < hi) || n->cond)
        forget_exact(v);
    check_push(&v->c, var);
    if (n->cond)
        check_expr(&v->c, n->cond, DTYPE_BOOL, false);
    check_list(v, &n->body);
}

static void check_let(struct verifier *v, const struct ast_node *n) {
    check_name(v, n->name);
    check_expr(&v->c, n->value, n->dtype, false);
    struct check_var var = {.name = n->name, .dtype = n->dtype};
    check_push(&v->c, var);
}

/* Only scalars are set, never iterators or symbols. */
static void check_set(struct verifier *v, const struct ast_node *n) {
    for (int i = v->c.scope.len - 1; i >= 0; i--) {
        const struct check_var *var = &v->c.scope.data[i];
        if (strcmp(var->name, n->name) != 0)
            continue;
        if (var->iterator)
            check_error(&v->c, "%s is no scalar", n->name);
        check_expr(&v->c, n->value, var->dtype, false);
        return;
    }
    check_error(&v->c, "%s is not in scope", n->name);
}

static void check_store(struct verifier *v, const struct ast_node *n, bool reduce) {
    check_written(v, n->buffer);
    if (!v->c.ok)
        return;
    check_expr(&v->c, n->index, DTYPE_INDEX, false);
    check_expr(&v->c, n->value, v->a->buffers.data[n->buffer].dtype, reduce);
    check_access(&v->c, n->buffer, &n->index);
}

static void check_call(struct verifier *v, const struct ast_node *n) {
    for (int i = 0; i < n->num_reads; i++)
        if (n->reads[i] < 0 || n->reads[i] >= v->a->buffers.len)
            check_error(&v->c, "buffer number %d does not exist", n->reads[i]);
    for (int i = 0; i < n->num_writes; i++)
        check_written(v, n->writes[i]);
    if (!interp_takes_call(n->name, n->num_reads, n->num_writes, n->num_params))
        check_error(&v->c, "no routine of this name takes these operands");
}

/* An iterator with role red, dot4 or split is one of the reduce, with its count as extent. */
static void check_tile_red(struct verifier *v, const struct tile_iter *it,
                           const struct expr *reduce) {
    for (int k = 0; reduce && k < reduce->num_iters; k++)
        if (strcmp(reduce->iters[k].name, it->name) == 0 &&
            expr_equal(reduce->iters[k].extent, it->count))
            return;
    check_error(&v->c, "%s is no iterator of the reduce with this count", it->name);
}

/* A split iterator is the innermost of a reduce whose steps any order may take, in a tile
 * without vec. */
static void check_tile_split(struct verifier *v, const struct ast_node *n,
                             const struct tile_iter *it, const struct expr *reduce) {
    if (!reduce)
        return; // said already
    bool last = reduce->num_iters > 0 &&
                strcmp(reduce->iters[reduce->num_iters - 1].name, it->name) == 0;
    if (!last)
        check_error(&v->c, "the split iterator %s is not the innermost one of the reduce",
                    it->name);
    if (reduce->func == FUNC_AND || reduce->func == FUNC_OR)
        check_error(&v->c, "a reduce of truth values is split");
    for (int i = 0; i < n->num_tile; i++)
        if (n->tile[i].role == TILE_VEC)
            check_error(&v->c, "both split and vec");
}

static void check_tile(struct verifier *v, const struct ast_node *n) {
    const struct expr *reduce = expr_find(n->value, EXPR_REDUCE);
    int red = 0;
    for (int i = 0; i < n->num_tile; i++) {
        const struct tile_iter *it = &n->tile[i];
        int64_t lo, hi;
        check_name(v, it->name);
        check_expr(&v->c, it->count, DTYPE_INDEX, false);
        if (check_range(&v->c, it->count, &lo, &hi) && (lo > it->max || hi < 0))
            check_error(&v->c, "the count of %s is %lld to %lld, its maximum %lld", it->name,
                        (long long)lo, (long long)hi, (long long)it->max);
        red += tile_role_reduces(it->role);
        if (tile_role_reduces(it->role))
            check_tile_red(v, it, reduce);
        if (it->role == TILE_SPLIT)
            check_tile_split(v, n, it, reduce);
    }
    if (reduce && reduce->num_iters != red)
        check_error(&v->c, "an iterator of the reduce has no role");
    for (int i = 0; i < n->num_tile; i++)
        if (!tile_role_reduces(n->tile[i].role))
            check_push_iter(&v->c, &(struct iter){n->tile[i].name, n->tile[i].count}, true);
    check_store(v, n, true);
}

static void check_node(struct verifier *v, const struct ast_node *n) {
    switch (n->kind) {
    case AST_NEST:
        check_list(v, &n->body);
        return;
    case AST_FOR:
        check_for(v, n);
        return;
    case AST_IF:
        check_expr(&v->c, n->cond, DTYPE_BOOL, false);
        forget_exact(v);
        check_list(v, &n->body);
        check_list(v, &n->orelse);
        return;
    case AST_LET:
        check_let(v, n);
        return;
    case AST_SET:
        check_set(v, n);
        return;
    case AST_STORE:
        check_store(v, n, false);
        return;
    case AST_CALL:
        check_call(v, n);
        return;
    case AST_REQUIRE:
        check_expr(&v->c, n->cond, DTYPE_BOOL, false);
        return;
    case AST_TILE:
        check_tile(v, n);
        return;
    }
}

/* A let is in scope to the end of its list, anything else inside its statement. */
static void check_list(struct verifier *v, const struct ast_list *list) {
    static const char *const words[] = {
        [AST_NEST] = "nest", [AST_FOR] = "for",   [AST_IF] = "if",
        [AST_LET] = "let",   [AST_SET] = "set",   [AST_STORE] = "store",
        [AST_CALL] = "call", [AST_TILE] = "tile", [AST_REQUIRE] = "require"};
    int outer = v->c.scope.len;
    struct loc loc = v->c.loc;
    const char *nest = v->c.what;
    for (const struct ast_node *n = list->first; n; n = n->next) {
        int locals = v->c.scope.len;
        v->c.loc = n->loc;
        v->c.what = n->kind == AST_NEST ? n->name : words[n->kind];
        check_node(v, n);
        if (n->kind != AST_LET)
            v->c.scope.len = locals;
    }
    v->c.scope.len = outer;
    v->c.loc = loc;
    v->c.what = nest;
}

bool ast_check(const struct ast *a, struct diag *d) {
    struct loc loc = {.file = a->body.first ? a->body.first->loc.file : NULL};
    struct verifier v = {.c = {.diag = d, .loc = loc, .ok = true, .what = a->name}, .a = a};
    check_symbols(&v);
    check_buffers(&v);
    if (v.c.ok)
        check_list(&v, &a->body);
    return check_end(&v.c);
}
