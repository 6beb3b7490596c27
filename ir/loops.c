/* Building the loops language (ir/loops.h): arrays and statements, in one arena. */
#include "ir/loops.h"

#include <stdlib.h>

struct loops *loops_new(struct intern *names, const char *name) {
    struct arena arena = {0};
    struct loops *l = arena_new(&arena, struct loops);
    l->arena = arena_new(&arena, struct arena);
    *l->arena = arena;
    l->names = names;
    l->name = intern(names, name);
    return l;
}

void loops_free(struct loops *l) {
    if (!l)
        return;
    struct arena arena = *l->arena; // it lies in itself
    arena_free(&arena);
}

/* ---- extents ---- */

struct symbol_table {
    const struct symbol *symbols;
    int n;
};

static bool symbol_range(void *user, const char *name, int64_t *lo, int64_t *hi) {
    const struct symbol_table *table = user;
    for (int i = 0; i < table->n; i++) {
        if (table->symbols[i].name != name)
            continue;
        *lo = 0;
        *hi = table->symbols[i].max;
        return true;
    }
    return false;
}

bool symbols_range(const struct symbol *symbols, int n, const struct expr *e, int64_t *lo,
                   int64_t *hi) {
    struct symbol_table table = {symbols, n};
    return expr_range(e, symbol_range, &table, lo, hi);
}

int64_t loops_extent(const struct loops *l, const struct expr *e) {
    int64_t lo, hi;
    if (expr_as_int(e, &hi))
        return hi;
    return symbols_range(l->symbols.data, l->symbols.len, e, &lo, &hi) && lo >= 0 ? hi : -1;
}

/* ---- arrays ---- */

static int add_array(struct loops *l, struct array a) {
    char name[16];
    snprintf(name, sizeof name, "a%d", l->arrays.len);
    a.name = intern(l->names, name);
    a.alias = -1;
    vec_push(l->arena, &l->arrays, a);
    return l->arrays.len - 1;
}

int loops_add_array(struct loops *l, enum array_kind kind, enum dtype t, int rank,
                    const struct expr *const *extent, const char *onnx_name) {
    size_t size = (size_t)rank * sizeof(struct expr *);
    return add_array(
        l, (struct array){.kind = kind,
                          .dtype = t,
                          .rank = rank,
                          .extent = arena_copy(l->arena, extent, size),
                          .onnx_name = onnx_name ? intern(l->names, onnx_name) : NULL});
}

int loops_add_static(struct loops *l, enum array_kind kind, enum dtype t, int rank,
                     const int64_t *dims, const char *onnx_name) {
    const struct expr **extent = arena_array(l->arena, const struct expr *, rank);
    for (int d = 0; d < rank; d++)
        extent[d] = expr_index(l->arena, dims[d]);
    return loops_add_array(l, kind, t, rank, extent, onnx_name);
}

int loops_add_const(struct loops *l, enum dtype t, int rank, const int64_t *dims,
                    const void *data, const char *onnx_name) {
    int k = loops_add_static(l, ARRAY_CONST, t, rank, dims, onnx_name);
    struct array *a = &l->arrays.data[k];
    a->data = data;
    if (!dtype_bytes(t, loops_elements(l, k), &a->bytes))
        bug("constant %s is too large", a->name);
    return k;
}

int loops_add_view(struct loops *l, int of, int rank, const int64_t *dims) {
    int root = loops_root(l, of);
    int k = loops_add_static(l, ARRAY_VIEW, l->arrays.data[root].dtype, rank, dims, NULL);
    l->arrays.data[k].view_of = root;
    return k;
}

int loops_root(const struct loops *l, int array) {
    const struct array *a = &l->arrays.data[array];
    return a->kind == ARRAY_VIEW ? a->view_of : array;
}

int64_t layout_dim_size(const struct loops *l, const struct array *a,
                        const struct layout_dim *d) {
    if (d->size)
        return d->size;
    int64_t extent = loops_extent(l, a->extent[d->dim]);
    int64_t need = extent <= 0 ? extent : (extent - 1) / d->div + 1;
    return d->mod && d->mod < need ? d->mod : need;
}

bool array_elements(const struct loops *l, const struct array *a, int64_t *out) {
    int64_t n = 1;
    bool fits = true;
    if (a->layout_rank)
        for (int d = 0; d < a->layout_rank && fits; d++)
            fits = size_mul(n, layout_dim_size(l, a, &a->layout[d]), &n);
    else
        for (int d = 0; d < a->rank && fits; d++)
            fits = size_mul(n, loops_extent(l, a->extent[d]), &n);
    *out = fits ? n : -1;
    return fits;
}

int64_t loops_elements(const struct loops *l, int array) {
    int64_t n;
    if (!array_elements(l, &l->arrays.data[array], &n))
        bug("array %s has no size", l->arrays.data[array].name);
    return n;
}

/* ---- statements ---- */

struct stmt *loops_add_stmt(struct loops *l, struct stmt_list *list, enum stmt_kind kind,
                            struct loc loc) {
    struct stmt *s = arena_new(l->arena, struct stmt);
    s->kind = kind;
    s->loc = loc;
    if (kind == STMT_COMPUTE) {
        char name[16];
        snprintf(name, sizeof name, "S%d", l->num_stmts++);
        s->name = intern(l->names, name);
    }
    if (list->last)
        list->last->next = s;
    else
        list->first = s;
    list->last = s;
    return s;
}
