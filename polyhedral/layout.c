/* Layouts for the whole program, before there is a schedule: which dimension of each array is
 * contiguous, and constants in the order in which tiles read them.
 *
 * Every temporary may have any of its dimensions innermost. All arrays that meet in statements
 * are first tried alike (channels innermost everywhere), then one by one, as long as the cost
 * model says that the statements around get faster. A conversion is no statement of its own: it
 * happens where one layout is read and another is written.
 *
 * A constant that one statement reads is packed: the block of a tile's lanes innermost, before
 * it the loops of the reduction in their order (the packed panels of Goto and van de Geijn). */
#include "polyhedral/poly.h"

enum { SWEEPS = 3 };

/* The statements that mention an array. */
struct uses {
    vec(int) stmts;
};

struct search {
    struct poly *poly;
    bool *movable;     // [arrays]
    int *inner;        // [arrays]: the dimension that is innermost, rank - 1 at first
    double *cost;      // [stmts]: cycles under the layouts at hand
    bool one_by_one;   // arrays are moved, no longer all of a group alike
    bool *no_dims;     // [most dimensions]: all false
    bool **shared;     // [stmts][num_dims]: loops of the nest that it is in at first
    const char **walk; // [stmts]: along which memory is walked at first
    struct uses *uses; // [arrays]
};

/* ---- which arrays ---- */

static bool is_static(const struct array *a) {
    int64_t extent;
    bool ok = true;
    for (int d = 0; d < a->rank && ok; d++)
        ok = expr_as_int(a->extent[d], &extent);
    return ok;
}

/* Do all statements that mention the array share loops? It will have room for one turn of
 * these only. */
static bool is_in_nest(const struct search *x, const int *nest, int array) {
    const struct uses *u = &x->uses[array];
    bool same = u->stmts.len > 1;
    for (int i = 0; i < u->stmts.len && same; i++)
        same = nest[u->stmts.data[i]] >= 0 && nest[u->stmts.data[i]] == nest[u->stmts.data[0]];
    return same;
}

static void find_movable(struct search *x) {
    const struct loops *l = x->poly->loops;
    int *nest = arena_array(&x->poly->arena, int, x->poly->stmts.len);
    for (int k = 0; k < x->poly->stmts.len; k++)
        nest[k] = -1;
    nest_number(x->poly, nest, x->shared);
    for (int k = 0; k < l->arrays.len; k++) {
        const struct array *a = &l->arrays.data[k];
        x->inner[k] = a->rank - 1;
        x->movable[k] = a->kind == ARRAY_TEMP && a->rank > 1 && !a->layout_rank && is_static(a);
    }
    for (int k = 0; k < l->arrays.len; k++)
        if (l->arrays.data[k].kind == ARRAY_VIEW)
            x->movable[loops_root(l, k)] = false;
    for (int k = 0; k < x->poly->stmts.len; k++) {
        const struct poly_stmt *s = x->poly->stmts.data[k];
        for (int i = 0; i < s->accesses.len; i++) {
            const struct poly_access *a = &s->accesses.data[i];
            x->movable[a->root] &= s->role == POLY_COMPUTE && a->index;
            struct uses *u = &x->uses[a->root];
            if (u->stmts.len == 0 || u->stmts.data[u->stmts.len - 1] != k)
                vec_push(&x->poly->arena, &u->stmts, k);
        }
    }
    for (int k = 0; k < l->arrays.len; k++)
        x->movable[k] &= !is_in_nest(x, nest, k);
}

/* ---- trying ---- */

/* Array k with dimension `inner` innermost. */
static void set_inner(struct search *x, int k, int inner) {
    struct array *a = &x->poly->loops->arrays.data[k];
    x->inner[k] = inner;
    a->layout_rank = 0;
    if (inner == a->rank - 1)
        return;
    struct layout_dim *layout = arena_array(x->poly->loops->arena, struct layout_dim, a->rank);
    int n = 0;
    for (int d = 0; d < a->rank; d++)
        if (d != inner)
            layout[n++] = (struct layout_dim){.dim = d, .div = 1};
    layout[n++] = (struct layout_dim){.dim = inner, .div = 1};
    a->layout = layout;
    a->layout_rank = n;
}

/* Cycles of the statement under the layouts at hand. When arrays are moved one by one, its nest
 * holds as long as memory is walked along the same loop as in the layouts of the source, and
 * tiles leave the nest's loops alone. */
static double weigh(struct search *x, int stmt) {
    struct poly_tiling t;
    const struct poly_stmt *s = x->poly->stmts.data[stmt];
    const char *walk = s->role == POLY_COMPUTE ? nest_walk(x->poly, s) : NULL;
    bool nested = x->one_by_one && walk && x->walk[stmt] && strcmp(walk, x->walk[stmt]) == 0;
    bool tiled = nested && model_tile(x->poly, s, x->shared[stmt], -1, 1, true, &t);
    tiled = tiled || model_tile(x->poly, s, x->no_dims, -1, 1, true, &t);
    return x->cost[stmt] = tiled ? t.cycles : 0;
}

/* Cycles of the statements that mention one of the arrays `of`. */
static double weigh_all(struct search *x, const bool *of) {
    double sum = 0;
    for (int k = 0; k < x->poly->stmts.len; k++) {
        const struct poly_stmt *s = x->poly->stmts.data[k];
        bool mine = false;
        for (int i = 0; i < s->accesses.len && !mine; i++)
            mine = of[s->accesses.data[i].root];
        sum += mine ? weigh(x, k) : 0;
    }
    return sum;
}

/* Grows `group` by the movable arrays that meet one of it in a statement. */
static bool grow(const struct search *x, bool *group) {
    bool more = false;
    for (int k = 0; k < x->poly->stmts.len; k++) {
        const struct poly_stmt *s = x->poly->stmts.data[k];
        bool mine = false;
        for (int i = 0; i < s->accesses.len; i++)
            mine |= group[s->accesses.data[i].root];
        for (int i = 0; i < s->accesses.len && mine; i++) {
            int root = s->accesses.data[i].root;
            more |= x->movable[root] && !group[root];
            group[root] |= x->movable[root];
        }
    }
    return more;
}

static void set_group(struct search *x, const bool *group, int inner) {
    for (int k = 0; k < x->poly->loops->arrays.len; k++) {
        int rank = x->poly->loops->arrays.data[k].rank;
        if (group[k])
            set_inner(x, k, inner < rank ? inner : rank - 1);
    }
}

/* All arrays of a group alike. */
static void move_group(struct search *x, const bool *group) {
    int rank = 0, best = 1 << 20;
    for (int k = 0; k < x->poly->loops->arrays.len; k++)
        if (group[k] && x->poly->loops->arrays.data[k].rank > rank)
            rank = x->poly->loops->arrays.data[k].rank;
    double least = weigh_all(x, group);
    for (int d = 0; d + 1 < rank; d++) {
        set_group(x, group, d);
        double cycles = weigh_all(x, group);
        if (cycles < least * 0.999) {
            least = cycles;
            best = d;
        }
    }
    set_group(x, group, best);
    weigh_all(x, group);
}

static double sum_uses(const struct search *x, int array) {
    double sum = 0;
    for (int i = 0; i < x->uses[array].stmts.len; i++)
        sum += x->cost[x->uses[array].stmts.data[i]];
    return sum;
}

static void weigh_uses(struct search *x, int array) {
    for (int i = 0; i < x->uses[array].stmts.len; i++)
        weigh(x, x->uses[array].stmts.data[i]);
}

/* One array by itself; true when it moved. */
static bool move_array(struct search *x, int array) {
    int before = x->inner[array], best = before;
    double least = sum_uses(x, array);
    for (int d = 0; d < x->poly->loops->arrays.data[array].rank; d++) {
        int64_t extent;
        expr_as_int(x->poly->loops->arrays.data[array].extent[d], &extent);
        if (d == before || extent == 1)
            continue;
        set_inner(x, array, d);
        weigh_uses(x, array);
        if (sum_uses(x, array) < least * 0.999) {
            least = sum_uses(x, array);
            best = d;
        }
    }
    set_inner(x, array, best);
    weigh_uses(x, array);
    return best != before;
}

static void choose_layouts(struct search *x) {
    int num = x->poly->loops->arrays.len;
    bool *done = arena_array(&x->poly->arena, bool, num);
    for (int k = 0; k < num; k++) {
        if (!x->movable[k] || done[k])
            continue;
        bool *group = arena_array(&x->poly->arena, bool, num);
        group[k] = true;
        while (grow(x, group))
            ;
        for (int i = 0; i < num; i++)
            done[i] |= group[i];
        move_group(x, group);
    }
    x->one_by_one = true;
    for (int k = 0; k < x->poly->stmts.len; k++)
        weigh(x, k);
    bool moved = true;
    for (int sweep = 0; sweep < SWEEPS && moved; sweep++) {
        moved = false;
        for (int k = 0; k < num; k++)
            moved |= x->movable[k] && move_array(x, k);
    }
}

/* ---- packing ---- */

/* A constant's layout while it is put together. */
struct packing {
    const struct poly_stmt *s;
    const struct poly_access *a;
    const struct array *array;
    struct layout_dim *layout;
    int num;
};

/* The dimension of the constant that an iterator indexes; -1: none. */
static int indexed_by(const struct packing *x, const char *name) {
    for (int d = 0; d < x->array->rank; d++)
        if (x->a->index[d]->kind == EXPR_VAR && strcmp(x->a->index[d]->name, name) == 0)
            return d;
    return -1;
}

static void add_dim(struct packing *x, int dim, int64_t div, int64_t mod) {
    if (dim >= 0)
        x->layout[x->num++] = (struct layout_dim){.dim = dim, .div = div, .mod = mod};
}

/* Blocks of `size` along the dimension that `block` is of the statement, the loops of the
 * reduction, then what is in a block. */
static void lay_out(struct packing *x, int block, int64_t size) {
    const struct poly_stmt *s = x->s;
    const struct expr *reduce = expr_find(s->stmt->rhs, EXPR_REDUCE);
    int64_t value, extent = 0, inner = -1;
    for (int d = 0; d < x->array->rank; d++)
        if (expr_as_int(x->a->index[d], &value) && !expr_is_int(x->array->extent[d], 1))
            add_dim(x, d, 1, 0);
    for (int d = s->num_repeats; d < s->num_dims; d++)
        if (d != block)
            add_dim(x, indexed_by(x, s->dims[d]), 1, 0);
    if (block >= 0)
        inner = indexed_by(x, s->dims[block]);
    if (inner >= 0)
        expr_as_int(x->array->extent[inner], &extent);
    if (inner >= 0 && size < extent)
        add_dim(x, (int)inner, size, 0);
    for (int i = 0; reduce && i < reduce->num_iters; i++)
        add_dim(x, indexed_by(x, reduce->iters[s->tiling.order[i]].name), 1, 0);
    if (inner >= 0)
        add_dim(x, (int)inner, 1, size < extent ? size : 0);
}

/* Is the layout the row-major one? */
static bool is_row_major(const struct packing *x) {
    int last = -1;
    bool same = true;
    for (int k = 0; k < x->num; k++) {
        same &= x->layout[k].div == 1 && x->layout[k].mod == 0 && x->layout[k].dim > last;
        last = x->layout[k].dim;
    }
    return same;
}

/* Where index i of dimension d goes: addr = sum of offset[d][i]. */
static int64_t *offsets_of(struct arena *arena, const struct loops *l, const struct array *a,
                           int d, int64_t extent) {
    int64_t *offset = arena_array(arena, int64_t, extent), stride = 1;
    for (int k = a->layout_rank - 1; k >= 0; k--) {
        const struct layout_dim *y = &a->layout[k];
        for (int64_t i = 0; i < extent && y->dim == d; i++)
            offset[i] += (y->mod ? i / y->div % y->mod : i / y->div) * stride;
        stride *= layout_dim_size(l, a, y);
    }
    return offset;
}

struct copy {
    const char *from;
    char *to;
    int64_t *const *offset; // [rank]
    const int64_t *extent;  // [rank]
    int rank;
    size_t bytes; // of an element
};

/* All elements below dimension d, to `at` and on; returns what follows in `from`. */
static const char *copy_elements(const struct copy *c, const char *from, int d, int64_t at) {
    if (d == c->rank) {
        memcpy(c->to + (size_t)at * c->bytes, from, c->bytes);
        return from + c->bytes;
    }
    if (d + 1 == c->rank && c->bytes == 4) {
        const int64_t *offset = c->offset[d];
        for (int64_t i = 0; i < c->extent[d]; i++)
            memcpy(c->to + 4 * (size_t)(at + offset[i]), from + 4 * i, 4);
        return from + 4 * c->extent[d];
    }
    for (int64_t i = 0; i < c->extent[d]; i++)
        from = copy_elements(c, from, d + 1, at + c->offset[d][i]);
    return from;
}

/* The bytes of a constant, which are row-major, as its new layout wants them. */
static void repack(struct loops *l, struct array *a) {
    struct arena scratch = {0};
    int64_t bits = dtype_info(a->dtype)->bits, elements = 1;
    int64_t *extent = arena_array(&scratch, int64_t, a->rank);
    int64_t **offset = arena_array(&scratch, int64_t *, a->rank);
    for (int d = 0; d < a->rank; d++) {
        expr_as_int(a->extent[d], &extent[d]);
        offset[d] = offsets_of(&scratch, l, a, d, extent[d]);
    }
    array_elements(l, a, &elements);
    size_t bytes = (size_t)elements * (size_t)(bits / 8);
    struct copy c = {a->data,           arena_alloc(l->arena, bytes), offset, extent, a->rank,
                     (size_t)(bits / 8)};
    memset(c.to, 0, bytes);
    copy_elements(&c, a->data, 0, 0);
    a->data = c.to;
    a->bytes = (int64_t)bytes;
    arena_free(&scratch);
}

/* The block that the constant is cut into: of lanes, or of rows; size 0: neither. */
static int find_block(const struct packing *x, int64_t *size) {
    const struct poly_tiling *t = &x->s->tiling;
    *size = 0;
    if (t->vec >= 0 && indexed_by(x, x->s->dims[t->vec]) >= 0) {
        *size = t->block;
        return t->vec;
    }
    if (t->vec < 0 || t->row[0] < 0 || indexed_by(x, x->s->dims[t->row[0]]) < 0)
        return -1;
    *size = t->rows[0];
    return t->row[0];
}

static void pack(struct poly *p, const struct poly_stmt *s, const struct poly_access *a) {
    struct array *array = &p->loops->arrays.data[a->array];
    struct packing x = {.s = s, .a = a, .array = array};
    int64_t size;
    x.layout = arena_array(p->loops->arena, struct layout_dim, array->rank + 2);
    int block = find_block(&x, &size);
    lay_out(&x, block, size);
    if (is_row_major(&x))
        return;
    array->layout = x.layout;
    array->layout_rank = x.num;
    repack(p->loops, array);
}

/* Has it more than one dimension that is one? */
static bool is_matrix(const struct poly *p, const struct array *a) {
    int dims = 0;
    for (int d = 0; d < a->rank; d++)
        dims += loops_extent(p->loops, a->extent[d]) > 1;
    return is_static(a) && dims > 1;
}

static void pack_constants(struct search *x) {
    struct poly *p = x->poly;
    for (int k = 0; k < p->stmts.len; k++) {
        struct poly_stmt *s = p->stmts.data[k];
        bool reduces = model_tile(p, s, x->no_dims, -1, 1, true, &s->tiling) &&
                       expr_find(s->stmt->rhs, EXPR_REDUCE);
        for (int i = 0; i < s->accesses.len && reduces; i++) {
            const struct poly_access *a = &s->accesses.data[i];
            struct array *array = &p->loops->arrays.data[a->array];
            if (!array->layout_rank && is_matrix(p, array) && model_can_pack(p, s, a))
                pack(p, s, a);
        }
    }
}

void poly_layout(struct poly *p, bool strict) {
    struct search x = {.poly = p};
    int most = 1, arrays = p->loops->arrays.len, moved = 0;
    p->strict = strict;
    if (!p->target || p->target->vector_bytes == 0)
        return;
    x.movable = arena_array(&p->arena, bool, arrays);
    x.inner = arena_array(&p->arena, int, arrays);
    x.uses = arena_array(&p->arena, struct uses, arrays);
    x.cost = arena_array(&p->arena, double, p->stmts.len);
    x.shared = arena_array(&p->arena, bool *, p->stmts.len);
    x.walk = arena_array(&p->arena, const char *, p->stmts.len);
    for (int k = 0; k < p->stmts.len; k++) {
        int dims = p->stmts.data[k]->num_dims;
        x.shared[k] = arena_array(&p->arena, bool, dims);
        if (p->stmts.data[k]->role == POLY_COMPUTE)
            x.walk[k] = nest_walk(p, p->stmts.data[k]);
        most = dims > most ? dims : most;
    }
    x.no_dims = arena_array(&p->arena, bool, most);
    find_movable(&x);
    choose_layouts(&x);
    pack_constants(&x);
    for (int k = 0; k < arrays; k++)
        moved += x.movable[k] && x.inner[k] != p->loops->arrays.data[k].rank - 1;
    diag_remark(p->diag, REMARK_ANALYSIS, (struct loc){0}, "%d arrays are not row-major",
                moved);
}
