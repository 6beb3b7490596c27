/* The verifier of the loops language: what every pass may rely on. */
#include "ir/check.h"
#include "ir/interp.h"
#include "ir/loops.h"

enum { MAX_RANK = 32 };

struct verifier {
    struct check c;
    const struct loops *l;
};

static void check_list(struct verifier *v, const struct stmt_list *list);

/* ---- arrays ---- */

static void array_error(struct verifier *v, const struct array *a, const char *text) {
    v->c.what = a->name;
    check_error(&v->c, "%s", text);
}

/* Extents are constants and symbols, so that a maximum exists. */
static bool check_extents(struct verifier *v, const struct array *a) {
    for (int d = 0; d < a->rank; d++)
        if (a->extent[d]->dtype != DTYPE_INDEX || loops_extent(v->l, a->extent[d]) < 0) {
            array_error(v, a, "an extent is negative or has no maximum");
            return false;
        }
    return true;
}

static void check_layout(struct verifier *v, const struct array *a) {
    if (a->layout_rank && a->kind != ARRAY_CONST && a->kind != ARRAY_TEMP)
        array_error(v, a, "only constants and temporaries have a layout");
    for (int i = 0; i < a->layout_rank; i++) {
        const struct layout_dim *d = &a->layout[i];
        struct layout_dim tight = *d;
        if (d->dim < 0 || d->dim >= a->rank || d->div < 1 || d->mod < 0 || d->size < 0) {
            array_error(v, a, "a layout with wrong numbers");
            return;
        }
        tight.size = 0;
        if (d->size && d->size < layout_dim_size(v->l, a, &tight))
            array_error(v, a, "a layout that is too small");
    }
}

static void check_view(struct verifier *v, const struct array *a) {
    int n = v->l->arrays.len;
    const struct array *root =
        a->view_of >= 0 && a->view_of < n ? &v->l->arrays.data[a->view_of] : NULL;
    int64_t mine, theirs;
    if (!root || root->kind == ARRAY_VIEW)
        array_error(v, a, "a view of no array, or of a view");
    else if (root->layout_rank)
        array_error(v, a, "a view of an array that is not row-major");
    else if (a->dtype != root->dtype || !array_elements(v->l, a, &mine) ||
             !array_elements(v->l, root, &theirs) || mine != theirs)
        array_error(v, a, "a view of another type or number of elements");
}

static void check_alias(struct verifier *v, const struct array *a) {
    const struct array *in =
        a->alias >= 0 && a->alias < v->l->arrays.len ? &v->l->arrays.data[a->alias] : NULL;
    int64_t mine, theirs;
    bool fits = in && a->kind == ARRAY_OUTPUT && in->kind == ARRAY_INPUT &&
                in->dtype == a->dtype && array_elements(v->l, a, &mine) &&
                array_elements(v->l, in, &theirs) && mine == theirs;
    if (!fits)
        array_error(v, a, "only an output shares storage, with an input of its type and size");
}

static void check_array(struct verifier *v, const struct array *a) {
    int64_t n, bytes;
    if (a->dtype <= DTYPE_NONE || a->dtype >= DTYPE_COUNT || a->dtype == DTYPE_INDEX ||
        a->rank < 0 || a->rank > MAX_RANK) {
        array_error(v, a, "no element type, or rank beyond 32");
        return;
    }
    if (!check_extents(v, a))
        return;
    check_layout(v, a);
    if (!v->c.ok)
        return;
    if (!array_elements(v->l, a, &n) || !dtype_bytes(a->dtype, n, &bytes))
        array_error(v, a, "too large");
    else if (a->kind == ARRAY_CONST && (a->bytes != bytes || (bytes && !a->data)))
        array_error(v, a, "a constant whose bytes do not fit its shape");
    if (a->kind == ARRAY_VIEW)
        check_view(v, a);
    if (a->alias != -1)
        check_alias(v, a);
}

static void check_arrays(struct verifier *v) {
    const struct loops *l = v->l;
    struct check_array *out = arena_array(&v->c.arena, struct check_array, l->arrays.len);
    struct map names = {0};
    for (int i = 0; i < l->arrays.len; i++) {
        const struct array *a = &l->arrays.data[i];
        bool added;
        map_put(&names, a->name, &added);
        if (!added)
            array_error(v, a, "a name given twice");
        check_array(v, a);
        int64_t *extent = arena_array(&v->c.arena, int64_t, a->rank);
        out[i] = (struct check_array){a->name, a->dtype, a->rank, extent, true};
        for (int d = 0; d < a->rank; d++) {
            extent[d] = loops_extent(l, a->extent[d]);
            out[i].fixed = out[i].fixed && a->extent[d]->kind == EXPR_CONST;
        }
    }
    map_free(&names);
    v->c.arrays = out;
    v->c.num_arrays = l->arrays.len;
}

static void check_symbols(struct verifier *v) {
    for (int i = 0; i < v->l->symbols.len; i++) {
        const struct symbol *s = &v->l->symbols.data[i];
        v->c.what = s->name;
        if (s->max < 1)
            check_error(&v->c, "a symbol with a maximum below 1");
        check_push(&v->c,
                   (struct check_var){
                       .name = s->name, .dtype = DTYPE_INDEX, .known = true, .hi = s->max});
    }
}

/* ---- statements ---- */

static bool is_empty(const struct stmt *s) {
    bool empty = false;
    for (int i = 0; i < s->num_iters; i++)
        empty = empty || expr_is_int(s->iters[i].extent, 0);
    return empty;
}

/* Iterators are in scope of the index and the right-hand side; an empty domain proves nothing
 * wrong. */
static void push_iters(struct verifier *v, const struct stmt *s) {
    int locals = v->c.scope.len;
    for (int i = 0; i < s->num_iters; i++)
        check_expr(&v->c, s->iters[i].extent, DTYPE_INDEX, false);
    for (int i = 0; i < s->num_iters; i++)
        check_push_iter(&v->c, &s->iters[i], !is_empty(s));
    if (is_empty(s))
        for (int i = locals; i < v->c.scope.len; i++)
            v->c.scope.data[i].known = false;
}

static bool check_written(struct verifier *v, int array) {
    if (array < 0 || array >= v->l->arrays.len) {
        check_error(&v->c, "array number %d does not exist", array);
        return false;
    }
    enum array_kind kind = v->l->arrays.data[loops_root(v->l, array)].kind;
    if (kind == ARRAY_INPUT || kind == ARRAY_CONST)
        check_error(&v->c, "writes %s, an %s", v->l->arrays.data[array].name,
                    kind == ARRAY_INPUT ? "input" : "array of constants");
    return true;
}

static void check_compute(struct verifier *v, const struct stmt *s) {
    push_iters(v, s);
    if (!check_written(v, s->array))
        return;
    const struct array *a = &v->l->arrays.data[s->array];
    for (int d = 0; d < a->rank; d++)
        check_expr(&v->c, s->index[d], DTYPE_INDEX, false);
    check_expr(&v->c, s->rhs, a->dtype, true);
    check_access(&v->c, s->array, s->index);
}

static void check_call(struct verifier *v, const struct stmt *s) {
    for (int i = 0; i < s->num_reads; i++)
        if (s->reads[i] < 0 || s->reads[i] >= v->l->arrays.len)
            check_error(&v->c, "array number %d does not exist", s->reads[i]);
    for (int i = 0; i < s->num_writes; i++)
        check_written(v, s->writes[i]);
    if (!interp_takes_call(s->name, s->num_reads, s->num_writes, s->num_params))
        check_error(&v->c, "no routine of this name takes these operands");
}

/* seq and while: the iterator is in scope of the condition and the body. */
static void check_repeat(struct verifier *v, const struct stmt *s) {
    push_iters(v, s);
    if (s->kind == STMT_WHILE)
        check_expr(&v->c, s->rhs, DTYPE_BOOL, false);
    check_list(v, &s->body);
}

/* Inside a branch the iterators around it need not take all their values. */
static void check_if(struct verifier *v, const struct stmt *s) {
    check_expr(&v->c, s->rhs, DTYPE_BOOL, false);
    for (int i = 0; i < v->c.scope.len; i++)
        v->c.scope.data[i].exact = false;
    check_list(v, &s->body);
    check_list(v, &s->orelse);
}

static void check_stmt(struct verifier *v, const struct stmt *s) {
    static const char *const words[] = {[STMT_SEQ] = "seq",
                                        [STMT_IF] = "if",
                                        [STMT_WHILE] = "while",
                                        [STMT_REQUIRE] = "require"};
    v->c.loc = s->loc;
    v->c.what = s->name ? s->name : words[s->kind];
    switch (s->kind) {
    case STMT_COMPUTE:
        check_compute(v, s);
        return;
    case STMT_SEQ:
    case STMT_WHILE:
        check_repeat(v, s);
        return;
    case STMT_IF:
        check_if(v, s);
        return;
    case STMT_CALL:
        check_call(v, s);
        return;
    case STMT_REQUIRE:
        push_iters(v, s);
        check_expr(&v->c, s->rhs, DTYPE_BOOL, true);
        return;
    }
}

static void check_list(struct verifier *v, const struct stmt_list *list) {
    for (const struct stmt *s = list->first; s; s = s->next) {
        int locals = v->c.scope.len;
        check_stmt(v, s);
        v->c.scope.len = locals;
    }
}

bool loops_check(const struct loops *l, struct diag *d) {
    struct loc loc = {.file = l->body.first ? l->body.first->loc.file : NULL};
    struct verifier v = {.c = {.diag = d, .loc = loc, .ok = true, .what = l->name}, .l = l};
    check_symbols(&v);
    check_arrays(&v);
    if (v.c.ok)
        check_list(&v, &l->body);
    return check_end(&v.c);
}
