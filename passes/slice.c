/* Constants cut to what statements read of them. Exporters join weights (query, key and value
 * in one matrix), fusion splits and shifts the dimensions they are read along, and a transposed
 * convolution reads every second tap of its kernel. Such a load, W[r, i*64 + j + 192], becomes
 * one of a constant of its own, indexed by the iterators it mentions and nothing else:
 * W'[r, i, j], whose bytes are copied here. What is read so can be laid out in memory as the
 * loops over it go (polyhedral/layout.c). The same elements meet the same operations: every bit
 * of the results is as before.
 *
 * All loads of a constant are cut or none, and only where what they leave is not much more than
 * what there was. The same load in another place shares the cut. */
#include "passes/fuse.h"
#include "passes/passes.h"

enum {
    MIN_ELEMENTS = 64, // smaller constants stay
    MAX_PERCENT = 110, // that the cuts of a constant, and itself if it stays, may take of it
    MAX_RANK = 16,     // of a cut
};

/* The part of a constant that one load reads: element [x, y, …] is the constant's
 * [from[d] + x * step[d][0] + y * step[d][1] + …]. */
struct part {
    int array, rank; // rank of the part
    const char *name[MAX_RANK];
    int64_t extent[MAX_RANK];
    int64_t (*step)[MAX_RANK]; // [rank of the array]
    int64_t *from;             // [rank of the array]
};

/* A load that can be cut. */
struct cut {
    struct stmt *s;
    const struct expr *load;
    struct part part;
    int same; // the first cut of the same part
    int made; // the array of the part; -1: the load stays
};

struct slicer {
    struct loops *l;
    struct arena scratch;
    vec(struct cut) cuts;
    bool *whole;        // [arrays]: some load cannot be cut, or reads all there is
    struct stmt *s;     // being read or changed
    struct scope scope; // its iterators
};

/* ---- what a load reads ---- */

/* The iterator's place in the part, where it is put when it is new; -1 when there is none. */
static int part_iter(const struct slicer *sl, struct part *p, const struct expr *e) {
    int64_t extent = 0;
    if (e->kind != EXPR_VAR)
        return -1;
    for (int k = 0; k < p->rank; k++)
        if (p->name[k] == e->name)
            return k;
    for (int k = 0; k < sl->scope.own; k++)
        if (sl->scope.iters.data[k].name == e->name &&
            !expr_as_int(sl->scope.iters.data[k].extent, &extent))
            return -1;
        else if (sl->scope.iters.data[k].name == e->name)
            break;
    if (extent < 1 || p->rank == MAX_RANK)
        return -1;
    p->name[p->rank] = e->name;
    p->extent[p->rank] = extent;
    return p->rank++;
}

/* Index d of the load: affine in iterators of constant extents? */
static bool add_index(struct slicer *sl, struct part *p, int d, const struct expr *e) {
    struct sum sum = sum_of(&sl->scope, e);
    p->from[d] = sum.constant;
    for (int k = 0; k < sum.terms.len && sum.fits; k++) {
        int at = part_iter(sl, p, sum.terms.data[k].base);
        if (at < 0)
            return false;
        p->step[d][at] = sum.terms.data[k].coef;
    }
    return sum.fits;
}

/* How far the part's iterator k goes in the array's memory. */
static int64_t distance(const struct loops *l, const struct part *p, int k) {
    const struct array *a = &l->arrays.data[p->array];
    int64_t far = 0, stride = 1;
    for (int d = a->rank - 1; d >= 0; d--) {
        far += p->step[d][k] * stride;
        stride *= loops_extent(l, a->extent[d]);
    }
    return far < 0 ? -far : far;
}

static void swap_iters(const struct loops *l, struct part *p, int i, int k) {
    const char *name = p->name[i];
    int64_t extent = p->extent[i];
    p->name[i] = p->name[k];
    p->name[k] = name;
    p->extent[i] = p->extent[k];
    p->extent[k] = extent;
    for (int d = 0; d < l->arrays.data[p->array].rank; d++) {
        int64_t step = p->step[d][i];
        p->step[d][i] = p->step[d][k];
        p->step[d][k] = step;
    }
}

/* Dimensions in the order in which the array's memory has them. */
static void sort_iters(const struct loops *l, struct part *p) {
    for (int k = 1; k < p->rank; k++)
        for (int i = k; i > 0 && distance(l, p, i - 1) < distance(l, p, i); i--)
            swap_iters(l, p, i - 1, i);
}

static int64_t part_elements(const struct part *p) {
    int64_t n = 1;
    for (int k = 0; k < p->rank; k++)
        if (!size_mul(n, p->extent[k], &n))
            return INT64_MAX;
    return n;
}

/* Is each index an iterator of its own that runs over all of its dimension? */
static bool is_whole(const struct loops *l, const struct part *p) {
    const struct array *a = &l->arrays.data[p->array];
    bool used[MAX_RANK] = {false};
    for (int d = 0; d < a->rank; d++) {
        int64_t extent = loops_extent(l, a->extent[d]);
        int at = -1, n = 0;
        for (int k = 0; k < p->rank; k++)
            if (p->step[d][k] != 0) {
                at = k;
                n++;
            }
        if (p->from[d] != 0 || n > 1 || (n == 0 && extent != 1))
            return false;
        if (n == 1 && (p->step[d][at] != 1 || p->extent[at] != extent || used[at]))
            return false;
        if (n == 1)
            used[at] = true;
    }
    return true;
}

/* The part that a load of the current statement reads; false when it cannot be cut. */
static bool part_of(struct slicer *sl, const struct expr *e, struct part *p) {
    const struct array *a = &sl->l->arrays.data[e->array];
    *p = (struct part){.array = e->array};
    p->from = arena_array(&sl->scratch, int64_t, a->rank);
    p->step = arena_alloc(&sl->scratch, (size_t)a->rank * sizeof *p->step);
    bool ok = a->kind == ARRAY_CONST && a->layout_rank == 0 && dtype_info(a->dtype)->bits >= 8;
    for (int d = 0; d < a->rank && ok; d++)
        ok = add_index(sl, p, d, e->arg[d]);
    if (!ok || p->rank == 0 || is_whole(sl->l, p))
        return false;
    sort_iters(sl->l, p);
    return true;
}

/* ---- all loads ---- */

/* Do two loads of one array read the same, iterators renamed? */
static bool same_part(const struct loops *l, const struct part *a, const struct part *b) {
    int rank = l->arrays.data[a->array].rank;
    bool same = a->array == b->array && a->rank == b->rank;
    for (int k = 0; k < a->rank && same; k++)
        same = a->extent[k] == b->extent[k];
    for (int d = 0; d < rank && same; d++) {
        same = a->from[d] == b->from[d];
        for (int k = 0; k < a->rank && same; k++)
            same = a->step[d][k] == b->step[d][k];
    }
    return same;
}

static void add_cut(struct slicer *sl, const struct expr *e, const struct part *p) {
    struct cut c = {.s = sl->s, .load = e, .part = *p, .same = sl->cuts.len, .made = -1};
    for (int k = sl->cuts.len - 1; k >= 0; k--) {
        const struct cut *other = &sl->cuts.data[k];
        if (other->s == sl->s && expr_equal(other->load, e))
            return;
        if (same_part(sl->l, &other->part, p))
            c.same = other->same;
    }
    vec_push(&sl->scratch, &sl->cuts, c);
}

static void keep_load(void *user, const struct expr *e) {
    struct slicer *sl = user;
    if (e->kind == EXPR_LOAD)
        sl->whole[loops_root(sl->l, e->array)] = true;
}

static void read_load(void *user, const struct expr *e) {
    struct slicer *sl = user;
    struct part p;
    if (e->kind != EXPR_LOAD ||
        sl->l->arrays.data[loops_root(sl->l, e->array)].kind != ARRAY_CONST)
        return;
    if (part_of(sl, e, &p))
        add_cut(sl, e, &p);
    else
        keep_load(sl, e);
}

static void read_compute(struct slicer *sl, struct stmt *s) {
    struct inliner in = {.l = sl->l, .scratch = &sl->scratch};
    sl->s = s;
    sl->scope = scope_of(&in, s);
    expr_walk(s->rhs, read_load, sl);
    for (int d = 0; d < sl->l->arrays.data[s->array].rank; d++)
        expr_walk(s->index[d], keep_load, sl);
}

static void read_list(struct slicer *sl, const struct stmt_list *list) {
    for (struct stmt *s = list->first; s; s = s->next) {
        if (s->kind == STMT_COMPUTE)
            read_compute(sl, s);
        else if (s->rhs)
            expr_walk(s->rhs, keep_load, sl);
        for (int k = 0; k < s->num_reads; k++)
            sl->whole[loops_root(sl->l, s->reads[k])] = true;
        read_list(sl, &s->body);
        read_list(sl, &s->orelse);
    }
}

/* ---- cutting ---- */

/* Are the parts of the array small enough? */
static bool is_worth(const struct slicer *sl, int array) {
    int64_t whole = loops_elements(sl->l, array), left = whole / 100 * MAX_PERCENT;
    left += whole % 100 * MAX_PERCENT / 100 - (sl->whole[array] ? whole : 0);
    for (int k = 0; k < sl->cuts.len && left >= 0; k++) {
        const struct cut *c = &sl->cuts.data[k];
        if (c->part.array == array && c->same == k)
            left -= part_elements(&c->part) < whole * 2 ? part_elements(&c->part) : whole * 2;
    }
    return whole >= MIN_ELEMENTS && left >= 0;
}

/* The row-major number in the array of the part's element `at`; -1: no load gets there, its
 * guard forbids it. */
static int64_t element_of(const struct part *p, const int64_t *at, const int64_t *extent,
                          int rank) {
    int64_t number = 0;
    for (int d = 0; d < rank; d++) {
        int64_t index = p->from[d];
        for (int k = 0; k < p->rank; k++)
            index += p->step[d][k] * at[k];
        if (index < 0 || index >= extent[d])
            return -1;
        number = number * extent[d] + index;
    }
    return number;
}

/* The bytes of a part; 0 where nothing is read. */
static const void *copy_part(struct slicer *sl, const struct part *p) {
    const struct array *a = &sl->l->arrays.data[p->array];
    int64_t n = part_elements(p), at[MAX_RANK] = {0};
    int64_t *extent = arena_array(&sl->scratch, int64_t, a->rank);
    size_t size = (size_t)dtype_info(a->dtype)->bits / 8;
    char *bytes = arena_alloc(sl->l->arena, (size_t)n * size);
    for (int d = 0; d < a->rank; d++)
        extent[d] = loops_extent(sl->l, a->extent[d]);
    for (int64_t i = 0; i < n; i++) {
        int64_t from = element_of(p, at, extent, a->rank);
        if (from >= 0)
            memcpy(bytes + (size_t)i * size, (const char *)a->data + (size_t)from * size, size);
        for (int k = p->rank - 1; k >= 0 && ++at[k] == p->extent[k]; k--)
            at[k] = 0;
    }
    return bytes;
}

static void make_parts(struct slicer *sl, int array) {
    for (int k = 0; k < sl->cuts.len; k++) {
        struct cut *c = &sl->cuts.data[k];
        if (c->part.array != array)
            continue;
        const struct array *a = &sl->l->arrays.data[array];
        c->made = c->same < k ? sl->cuts.data[c->same].made
                              : loops_add_const(sl->l, a->dtype, c->part.rank, c->part.extent,
                                                copy_part(sl, &c->part), a->onnx_name);
    }
}

static const struct expr *replace_load(void *user, const struct expr *e) {
    struct slicer *sl = user;
    const struct expr *index[MAX_RANK];
    for (int k = 0; k < sl->cuts.len && e->kind == EXPR_LOAD; k++) {
        const struct cut *c = &sl->cuts.data[k];
        if (c->s != sl->s || c->made < 0 || !expr_equal(c->load, e))
            continue;
        for (int d = 0; d < c->part.rank; d++)
            index[d] = expr_var(sl->l->arena, DTYPE_INDEX, c->part.name[d]);
        return expr_load(sl->l->arena, e->dtype, c->made, index, c->part.rank);
    }
    return e;
}

/* The statements that have cuts, which stand one after the other. */
static void replace_loads(struct slicer *sl) {
    sl->s = NULL;
    for (int k = 0; k < sl->cuts.len; k++) {
        struct cut *c = &sl->cuts.data[k];
        if (c->made < 0 || c->s == sl->s)
            continue;
        sl->s = c->s;
        c->s->rhs = expr_map(sl->l->arena, c->s->rhs, replace_load, sl);
    }
}

/* ---- what fuse said of buffers ---- */

/* plain_start makes a buffer of each array that is no view, in order: the numbers that are left
 * when arrays are gone. */
static void renumber_kept(struct slicer *sl, struct compile *c, const bool *gone, int n) {
    int *number = arena_array(&sl->scratch, int, n), old = 0, new = 0;
    for (int k = 0; k < n; k++) {
        if (sl->l->arrays.data[k].kind == ARRAY_VIEW)
            continue;
        number[old++] = new;
        new += !gone[k];
    }
    const struct kept_array *from = c->kept;
    c->kept = NULL;
    for (; from; from = from->next) {
        struct kept_array *kept = arena_new(c->names->arena, struct kept_array);
        *kept = (struct kept_array){number[from->buffer], from->why, c->kept};
        c->kept = kept;
    }
}

/* Gives loads that read a part of a constant, or all of it in another order, a constant of
 * their own; constants that are read no more go. Requires loops that loops_check accepts; what
 * it leaves computes the same bits. Cost: a walk over the statements, and the bytes. */
bool pass_slice(struct compile *c, struct loops *l) {
    struct slicer sl = {.l = l};
    int n = l->arrays.len;
    bool *gone = arena_array(&sl.scratch, bool, n);
    sl.whole = arena_array(&sl.scratch, bool, n);
    read_list(&sl, &l->body);
    bool any = false;
    for (int k = 0; k < sl.cuts.len; k++) {
        int array = sl.cuts.data[k].part.array;
        if (sl.cuts.data[k].made >= 0 || !is_worth(&sl, array))
            continue;
        make_parts(&sl, array);
        gone[array] = !sl.whole[array];
        any = true;
    }
    if (any) {
        replace_loads(&sl);
        renumber_kept(&sl, c, gone, n);
        fuse_compact(l, &sl.scratch);
    }
    arena_free(&sl.scratch);
    return true;
}
