/* Storage that holds more than one value over time: a layout that folds indices (a ring,
 * `h%4`, or without a dimension of the array), and an output that may share an input's storage.
 *
 * A value must stay in its cell until its last read: for a read r of element e that w wrote,
 * every write w' of another element in the same cell runs before w or after r. Instances of one
 * statement have no order among themselves, so they may not disturb each other at all; what an
 * instance reads it has read when it writes. */
#include "polyhedral/poly.h"

/* Two accesses to one cell, and for the first, when it reads, the write of what it reads. */
struct reuse {
    struct poly *poly;
    const struct poly_stmt *reader, *other, *writer; // writer NULL: the value is an input's
    const struct poly_access *read, *overwrite, *write;
    isl_map *edge;
    isl_map *cells; // element read -> another element of its cell, in the overwritten array
    isl_bool safe;
    isl_point *example;             // of the reader, flat
    const struct poly_times *times; // NULL: the order is that of the text
};

/* ---- order ---- */

/* Pairs (instance of a, instance of b) where a runs before b. */
static __isl_give isl_map *before(const struct reuse *x, const struct poly_stmt *a,
                                  const struct poly_stmt *b) {
    bool timed = x->times && a->region >= 0 && a->region == b->region;
    if (!timed)
        return depend_before(a, b);
    return isl_map_lex_lt_map(isl_map_copy(x->times->tiles[a->number]),
                              isl_map_copy(x->times->tiles[b->number]));
}

/* ---- cells ---- */

static __isl_give isl_map *layout_cells(const struct poly *p, int root) {
    const struct array *a = &p->loops->arrays.data[root];
    isl_space *range = poly_space(p, a->layout_rank);
    isl_multi_aff *m =
        isl_multi_aff_zero(isl_space_map_from_domain_and_range(poly_space(p, a->rank), range));
    for (int k = 0; k < a->layout_rank; k++) {
        const struct layout_dim *d = &a->layout[k];
        isl_local_space *ls = isl_local_space_from_space(poly_space(p, a->rank));
        isl_aff *x = isl_aff_var_on_domain(ls, isl_dim_set, (unsigned)d->dim);
        x = isl_aff_floor(isl_aff_scale_down_val(x, isl_val_int_from_si(p->ctx, d->div)));
        if (d->mod)
            x = isl_aff_mod_val(x, isl_val_int_from_si(p->ctx, d->mod));
        m = isl_multi_aff_set_aff(m, k, x);
    }
    isl_map *map = isl_map_from_multi_aff(m);
    map = isl_map_set_tuple_name(map, isl_dim_in, p->root_names[root]);
    return isl_map_intersect_domain(map, isl_set_copy(p->storage[root].box));
}

/* Coordinates -> linear address; NULL when that is not affine. */
static __isl_give isl_map *linear_cells(const struct poly *p, int root) {
    const struct array *a = &p->loops->arrays.data[root];
    const struct poly_storage *s = &p->storage[root];
    isl_local_space *ls = isl_local_space_from_space(poly_space(p, s->num));
    isl_aff *sum = isl_aff_zero_on_domain(ls);
    int64_t stride = 1, extent;
    for (int k = s->num - 1; k >= 0 && sum; k--) {
        int64_t coef = s->stride ? s->stride[k] : stride;
        sum =
            isl_aff_set_coefficient_val(sum, isl_dim_in, k, isl_val_int_from_si(p->ctx, coef));
        if (s->stride || k == 0)
            continue;
        if (!expr_as_int(a->extent[k], &extent) || !size_mul(stride, extent, &stride))
            sum = isl_aff_free(sum);
    }
    if (!sum || s->opaque) {
        isl_aff_free(sum);
        return NULL;
    }
    isl_map *map = isl_map_from_aff(sum);
    map = isl_map_set_tuple_name(map, isl_dim_in, p->root_names[root]);
    return isl_map_intersect_domain(map, isl_set_copy(s->box));
}

/* Elements of x -> elements of y that lie in the same cell without being the same; NULL when
 * there are none, or they are not known (then *unknown). */
static __isl_give isl_map *shared_cells(const struct poly *p, int x, int y, bool *unknown) {
    bool alias = x != y && p->loops->arrays.data[y].alias == x;
    if (!alias && (x != y || !p->loops->arrays.data[x].layout_rank))
        return NULL;
    isl_map *from = alias ? linear_cells(p, x) : layout_cells(p, x);
    isl_map *to = alias ? linear_cells(p, y) : layout_cells(p, y);
    *unknown = !from || !to;
    if (*unknown) {
        isl_map_free(from);
        isl_map_free(to);
        return NULL;
    }
    isl_map *cells = isl_map_apply_range(from, isl_map_reverse(to));
    if (!alias)
        cells = isl_map_subtract(cells, isl_map_identity(isl_map_get_space(cells)));
    return cells;
}

/* ---- one read against one overwrite ---- */

/* Reads of elements -> others that write the cells of these, where the reader does not run
 * first; `reads` is that to its reader, and `elements` to the element. */
static __isl_give isl_map *disturbed(const struct reuse *x, __isl_keep isl_map *reads,
                                     __isl_keep isl_map *elements) {
    isl_map *m = isl_map_apply_range(isl_map_copy(elements), isl_map_copy(x->cells));
    m = isl_map_apply_range(m, isl_map_reverse(isl_map_copy(x->overwrite->map)));
    isl_map *first = before(x, x->reader, x->other);
    m = isl_map_subtract(m, isl_map_apply_range(isl_map_copy(reads), first));
    return x->reader == x->other ? isl_map_subtract(m, isl_map_copy(reads)) : m;
}

/* The same with the writers of these elements, less where the writer comes after the other. */
static __isl_give isl_map *lost(const struct reuse *x, __isl_take isl_map *reads,
                                __isl_take isl_map *elements) {
    isl_map *bad = disturbed(x, reads, elements);
    if (x->writer) { // reads -> [other -> writer]
        isl_map *written = isl_map_apply_range(isl_map_copy(elements),
                                               isl_map_reverse(isl_map_copy(x->write->map)));
        isl_map *earlier = isl_map_reverse(before(x, x->writer, x->reader));
        earlier = isl_map_apply_range(isl_map_copy(reads), earlier);
        bad = isl_map_range_product(bad, isl_map_intersect(written, earlier));
        isl_set *late = isl_map_wrap(before(x, x->other, x->writer));
        bad = isl_map_subtract_range(bad, late);
    }
    isl_map_free(reads);
    isl_map_free(elements);
    return bad;
}

/* First all that a reader reads at once, which is quick; then element by element. */
static void prove(void *user) {
    struct reuse *x = user;
    isl_set *readers = isl_map_domain(isl_map_copy(x->read->map));
    isl_map *same = isl_set_identity(readers);
    isl_map *bad = lost(x, same, isl_map_copy(x->read->map));
    x->safe = isl_map_is_empty(bad);
    if (x->safe == isl_bool_false && x->writer) {
        isl_map_free(bad);
        isl_map *reads = isl_map_domain_map(isl_map_copy(x->read->map));
        bad = lost(x, reads, isl_map_range_map(isl_map_copy(x->read->map)));
        bad = isl_map_apply_domain(bad, isl_map_domain_map(isl_map_copy(x->read->map)));
        x->safe = isl_map_is_empty(bad);
    }
    if (x->safe == isl_bool_false)
        x->example = poly_least_point(isl_map_domain(isl_map_copy(bad)));
    isl_map_free(bad);
}

static bool is_sure(const struct reuse *x) {
    return x->read->exact && !x->read->vague && x->overwrite->must;
}

static void check_pair(struct reuse *x) {
    struct poly *p = x->poly;
    const char *mine = p->loops->arrays.data[x->read->root].name;
    const char *theirs = p->loops->arrays.data[x->overwrite->root].name;
    bool done = poly_try(p, poly_loc(x->reader), "that storage is free", prove, x);
    bool proven = done && (x->safe == isl_bool_true || is_sure(x));
    if (!proven && x->times)
        poly_error(p, x->reader,
                   "%s: not proven that %s does not overwrite what it reads of %s",
                   poly_called(x->reader), poly_called(x->other), mine);
    else if (!proven)
        poly_unproven(p, poly_loc(x->reader),
                      "%s: that %s does not overwrite what it reads of %s",
                      poly_called(x->reader), poly_called(x->other), mine);
    else if (x->safe == isl_bool_false)
        poly_error(p, x->reader, "%s: %s may overwrite what it reads of %s by writing %s%s",
                   poly_called(x->reader), poly_called(x->other), mine, theirs,
                   poly_at(p, x->reader, x->example, x->reader->num_dims));
    isl_point_free(x->example);
    x->example = NULL;
}

/* ---- edges ---- */

static void find_edge(void *user) {
    struct reuse *x = user;
    isl_map *m = isl_map_apply_range(isl_map_copy(x->read->map), isl_map_copy(x->cells));
    m = isl_map_apply_range(m, isl_map_reverse(isl_map_copy(x->overwrite->map)));
    isl_map_free(x->edge);
    x->edge = isl_map_intersect(m, depend_before(x->reader, x->other));
    x->safe = isl_map_is_empty(x->edge);
}

/* What runs before an overwrite of its cell, be it a read or a write itself, stays before it.
 */
static void add_edge(struct reuse *x) {
    struct poly *p = x->poly;
    x->edge = NULL;
    if (!poly_try(p, poly_loc(x->reader), "a dependence", find_edge, x)) {
        isl_map_free(x->edge);
        x->edge = depend_before(x->reader, x->other);
        x->safe = isl_bool_false;
    }
    if (x->safe == isl_bool_true) {
        isl_map_free(x->edge);
        return;
    }
    enum poly_kind kind = x->read->write ? POLY_OUTPUT : POLY_ANTI;
    struct poly_edge e = {kind, x->reader, x->other, x->overwrite->root, x->edge};
    vec_push(&p->arena, &p->edges, e);
    p->figures.dependences++;
}

/* ---- all ---- */

/* Against every write of the value that is read. */
static void check_writers(struct reuse *x) {
    struct poly *p = x->poly;
    for (int k = 0; k < p->stmts.len; k++)
        for (int i = 0; i < p->stmts.data[k]->accesses.len; i++) {
            x->writer = p->stmts.data[k];
            x->write = &x->writer->accesses.data[i];
            if (x->write->write && x->write->root == x->read->root)
                check_pair(x);
        }
}

/* One read, or write, against the writes of array y. */
static void check_overwrites(struct poly *p, const struct poly_stmt *s,
                             const struct poly_access *read, int y,
                             const struct poly_times *times) {
    bool unknown = false;
    struct reuse x = {.poly = p, .reader = s, .read = read, .times = times};
    x.cells = shared_cells(p, read->root, y, &unknown);
    if (unknown)
        poly_unproven(p, poly_loc(s), "%s: that nothing overwrites what it reads of %s",
                      poly_called(s), p->loops->arrays.data[read->root].name);
    for (int k = 0; k < p->stmts.len && x.cells; k++)
        for (int i = 0; i < p->stmts.data[k]->accesses.len; i++) {
            x.other = p->stmts.data[k];
            x.overwrite = &x.other->accesses.data[i];
            x.writer = NULL;
            if (!x.overwrite->write || x.overwrite->root != y)
                continue;
            if (p->loops->arrays.data[read->root].kind == ARRAY_INPUT)
                check_pair(&x);
            else if (!read->write)
                check_writers(&x);
            if (!times)
                add_edge(&x);
        }
    isl_map_free(x.cells);
}

/* Every access to `shared`, whose cells y may overwrite. */
static void check_all(struct poly *p, int shared, int y, const struct poly_times *times) {
    for (int k = 0; k < p->stmts.len; k++)
        for (int i = 0; i < p->stmts.data[k]->accesses.len; i++) {
            const struct poly_stmt *s = p->stmts.data[k];
            const struct poly_access *read = &s->accesses.data[i];
            if (read->root == shared)
                check_overwrites(p, s, read, y, times);
        }
}

void reuse_alias(struct poly *p) {
    for (int y = 0; y < p->loops->arrays.len; y++)
        if (p->loops->arrays.data[y].alias >= 0)
            check_all(p, p->loops->arrays.data[y].alias, y, NULL);
}

bool reuse_folds(const struct loops *l, const struct array *a) {
    bool whole = a->kind == ARRAY_TEMP && a->layout_rank;
    if (!whole)
        return false;
    for (int d = 0; d < a->rank && whole; d++) {
        whole = loops_extent(l, a->extent[d]) == 1;
        for (int k = 0; k < a->layout_rank; k++)
            whole |= a->layout[k].dim == d && a->layout[k].div == 1 && a->layout[k].mod == 0;
    }
    return !whole;
}

void reuse_layout(struct poly *p, const struct poly_times *times) {
    for (int y = 0; y < p->loops->arrays.len; y++) {
        const struct array *a = &p->loops->arrays.data[y];
        if (reuse_folds(p->loops, a))
            check_all(p, y, y, times);
    }
}
