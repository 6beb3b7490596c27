/* Arrays of which every reader sees one part: query, key and value out of one product, the
 * branches of a network that begin in one convolution. A statement for each part writes an
 * array of its own, which lives as long as its readers need it and no longer, and which further
 * fusion takes to its place without a copy. What no reader sees is not computed. */
#include "passes/fuse.h"

/* ---- which part is read ---- */

struct part_search {
    struct inliner *in;
    struct scope scope; // of the reader
    int array, dim;
    int64_t lo, hi; // read so far; hi < lo: nothing
    bool ok;
};

static void search_load(void *user, const struct expr *e) {
    struct part_search *s = user;
    if (!s->ok || e->kind != EXPR_LOAD || loops_root(s->in->l, e->array) != s->array)
        return;
    const struct expr **at = index_convert(&s->scope, e->array, e->arg, s->array);
    int64_t lo, hi;
    s->ok = at && scope_range(&s->scope, at[s->dim], &lo, &hi);
    if (!s->ok)
        return;
    bool first = s->hi < s->lo;
    s->lo = first || lo < s->lo ? lo : s->lo;
    s->hi = first || hi > s->hi ? hi : s->hi;
}

/* Adds lo … hi in order; the parts that it meets become one with it. */
static bool add_part(struct division *d, int64_t lo, int64_t hi) {
    int n = 0;
    for (int k = 0; k < d->num; k++) {
        bool meets = d->lo[k] <= hi && lo <= d->hi[k];
        lo = meets && d->lo[k] < lo ? d->lo[k] : lo;
        hi = meets && d->hi[k] > hi ? d->hi[k] : hi;
        d->lo[n] = d->lo[k];
        d->hi[n] = d->hi[k];
        n += !meets;
    }
    if (n == DIVISION_PARTS)
        return false;
    int at = n;
    for (; at > 0 && d->lo[at - 1] > lo; at--) {
        d->lo[at] = d->lo[at - 1];
        d->hi[at] = d->hi[at - 1];
    }
    d->lo[at] = lo;
    d->hi[at] = hi;
    d->num = n + 1;
    return true;
}

/* The iterator that runs over the whole dimension d of what s writes, alone; -1: none. */
static int iterator_of(const struct loops *l, const struct stmt *s, int d) {
    int64_t extent, size;
    for (int k = 0; k < s->num_iters && s->index[d]->kind == EXPR_VAR; k++)
        if (s->iters[k].name == s->index[d]->name)
            return expr_as_int(s->iters[k].extent, &extent) &&
                           expr_as_int(l->arrays.data[s->array].extent[d], &size) &&
                           extent == size
                       ? k
                       : -1;
    return -1;
}

/* Parts of one dimension. */
static bool find_parts(struct inliner *in, const struct stmt *writer,
                       struct stmt *const *readers, int num, struct division *d) {
    int64_t extent;
    int iter = iterator_of(in->l, writer, d->dim);
    bool ok = iter >= 0 && expr_as_int(writer->iters[iter].extent, &extent);
    for (int k = 0; k < num && ok; k++) {
        struct part_search s = {.in = in,
                                .scope = scope_of(in, readers[k]),
                                .array = writer->array,
                                .dim = d->dim,
                                .hi = -1,
                                .ok = true};
        expr_walk(readers[k]->rhs, search_load, &s);
        ok = s.ok && s.lo >= 0 && s.lo <= s.hi && s.hi < extent && add_part(d, s.lo, s.hi);
    }
    return ok && d->num > 1;
}

bool divide_find(struct inliner *in, const struct stmt *writer, struct stmt *const *readers,
                 int num, struct division *d) {
    const struct array *a = &in->l->arrays.data[writer->array];
    for (int k = 0; k < a->rank; k++) {
        *d = (struct division){.dim = k};
        if (find_parts(in, writer, readers, num, d))
            return true;
    }
    return false;
}

/* ---- a part ---- */

static int add_array(struct loops *l, const struct stmt *writer, const struct division *d,
                     int part) {
    struct array whole = l->arrays.data[writer->array];
    const struct expr **extent = arena_array(l->arena, const struct expr *, whole.rank);
    for (int k = 0; k < whole.rank; k++)
        extent[k] =
            k == d->dim ? expr_index(l->arena, d->hi[part] - d->lo[part] + 1) : whole.extent[k];
    return loops_add_array(l, ARRAY_TEMP, whole.dtype, whole.rank, extent, NULL);
}

/* e where the iterator counts from the part's first element. */
static const struct expr *shift(struct loops *l, const struct expr *e, const char *name,
                                int64_t by) {
    const struct expr *value = expr_2(l->arena, FUNC_ADD, expr_var(l->arena, DTYPE_INDEX, name),
                                      expr_index(l->arena, by));
    return expr_subst(l->arena, e, &name, &value, 1);
}

struct stmt divide_writer(struct inliner *in, const struct stmt *writer,
                          const struct division *d, int part) {
    struct loops *l = in->l;
    struct stmt s = *writer;
    int rank = l->arrays.data[s.array].rank, iter = iterator_of(l, writer, d->dim);
    const char *name = s.iters[iter].name;
    struct iter *iters = arena_copy(l->arena, s.iters, (size_t)s.num_iters * sizeof *iters);
    const struct expr **index = arena_array(l->arena, const struct expr *, rank);
    s.array = add_array(l, writer, d, part);
    iters[iter].extent = l->arrays.data[s.array].extent[d->dim];
    for (int k = 0; k < rank; k++)
        index[k] =
            k == d->dim ? writer->index[k] : shift(l, writer->index[k], name, d->lo[part]);
    s.rhs = shift(l, writer->rhs, name, d->lo[part]);
    s.iters = iters;
    s.index = index;
    return s;
}

struct stmt divide_copy(struct inliner *in, const struct stmt *writer, const struct stmt *piece,
                        const struct division *d, int part) {
    struct loops *l = in->l;
    struct array a = l->arrays.data[piece->array];
    struct stmt s = {.kind = STMT_COMPUTE, .array = writer->array, .num_iters = a.rank};
    struct iter *iters = arena_array(l->arena, struct iter, a.rank);
    const struct expr **own = arena_array(l->arena, const struct expr *, a.rank);
    const struct expr **index = arena_array(l->arena, const struct expr *, a.rank);
    for (int k = 0; k < a.rank; k++) {
        const char *name = intern(l->names, arena_printf(in->scratch, "i%d", k));
        iters[k] = (struct iter){name, a.extent[k]};
        own[k] = index[k] = expr_var(l->arena, DTYPE_INDEX, name);
    }
    index[d->dim] = expr_2(l->arena, FUNC_ADD, own[d->dim], expr_index(l->arena, d->lo[part]));
    s.iters = iters;
    s.index = index;
    s.rhs = expr_load(l->arena, a.dtype, piece->array, own, a.rank);
    return s;
}
