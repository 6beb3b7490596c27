/* How one statement is cut.
 *
 * A reduction runs in blocks of instances that share its loops: `vec` is a dimension along
 * which its operands are contiguous, `row` one along which some operand stays the same. The
 * accumulators of a block are independent of each other, so each still adds in the text's
 * order. A block needs one range of the reduction for all its instances, which padding spoils
 * at the border: the dimension is cut into pieces, and only what is between the borders is in
 * blocks.
 *
 * A reduction of very few steps needs no blocks: where its range is whole, a C compiler unrolls
 * it and makes vectors of the loop around.
 *
 * A guard that holds throughout a piece is not tested there. */
#include "polyhedral/poly.h"

enum {
    VEC_BYTES = 64,      // of operands along `vec`: one to four vectors
    MAX_VEC_BLOCK = 32,  // instances, beside rows
    MAX_ONLY_BLOCK = 64, // without rows
    ROW_BLOCK = 4,       // along `row`, beside long blocks along vec
    SHORT_ROW_BLOCK = 8, // beside short ones, or none
    SHORT_REDUCE = 8,    // steps that a C compiler unrolls by itself
    MAX_PARTS = 8,       // convex parts of a set that is worth telling apart
};

/* What is known of a dimension. */
struct dimension {
    int64_t extent; // -1: not constant
    int close;      // accesses that move by a small step
    int same;       // loads that stay where they are
    bool far;       // some access moves by a large step
    bool unknown;   // or not by a known one
    bool guarded;   // a guard speaks of it
};

struct chooser {
    struct poly *poly;
    const struct poly_stmt *s;
    const bool *taken; // dimensions that are not to be cut
    struct dimension *dims;
    const struct expr *reduce;
    bool strict, lanes; // lanes: operands are contiguous along vec; else that is rows as well
    struct poly_blocking *out;
};

/* ---- the dimensions ---- */

static void look_at_access(const struct chooser *c, const struct poly_access *a, int d) {
    struct dimension *dim = &c->dims[d];
    int64_t step;
    bool known = stride_of(c->poly, a, c->s->dims[d], &step);
    if (c->reduce && a->write) // once for many reads
        return;
    step = step < 0 ? -step : step;
    dim->unknown |= !known;
    if (c->reduce && !expr_loads(c->reduce->arg[0], a->array)) // around it: once as well
        return;
    dim->far |= step > LARGEST_STEP;
    dim->close += known && step > 0 && step <= LARGEST_STEP;
    dim->same += known && step == 0 && !a->write;
}

static void look_at_dimensions(struct chooser *c) {
    const struct poly_stmt *s = c->s;
    c->dims = arena_array(&c->poly->arena, struct dimension, s->num_dims);
    for (int d = s->num_repeats; d < s->num_dims; d++) {
        struct dimension *dim = &c->dims[d];
        dim->extent = poly_extent(s, d);
        dim->guarded = expr_guards(s->stmt->rhs, s->dims[d]);
        for (int k = 0; k < s->accesses.len; k++)
            look_at_access(c, &s->accesses.data[k], d);
    }
}

/* ---- which of them ---- */

/* The one to be cut with the most of what `worth` counts; -1 when none has any. */
static int find_best(const struct chooser *c, int (*worth)(const struct dimension *d),
                     int except) {
    int best = -1, most = 0;
    for (int d = c->s->num_repeats; d < c->s->num_dims; d++) {
        if (c->taken[d] || d == except || c->dims[d].extent < 2 || c->dims[d].unknown)
            continue;
        int w = worth(&c->dims[d]);
        if (w > 0 && w >= most) {
            most = w;
            best = d;
        }
    }
    return best;
}

static int worth_vec(const struct dimension *d) {
    return d->far || d->extent < ROW_BLOCK ? 0 : d->close;
}

/* Loads that rows share; of as many, rather in whole blocks. */
static int worth_row(const struct dimension *d) {
    return d->guarded ? 0 : 2 * d->same - (d->extent < ROW_BLOCK);
}

/* Independent chains of additions are better than one, whatever they read. */
static int worth_chain(const struct dimension *d) {
    return d->guarded ? 0 : 1;
}

static void choose_dimensions(struct chooser *c) {
    struct poly_blocking *b = c->out;
    b->tiled = true;
    b->vec = find_best(c, worth_vec, b->row);
    c->lanes = b->vec >= 0;
    if (b->row >= 0) // by the nest
        return;
    b->row = find_best(c, worth_row, b->vec);
    c->lanes = b->vec >= 0;
    if (b->vec < 0 && b->row >= 0)
        b->vec = find_best(c, worth_row, b->row);
    if (b->vec < 0 && b->row < 0)
        b->row = find_best(c, worth_chain, -1);
}

/* ---- pieces ---- */

int block_cut(int64_t lo, int64_t hi, int64_t block, struct poly_piece *pieces) {
    int64_t size = block;
    int n = 0;
    while (size * 8 > block * 5 && (hi - lo) % size != 0)
        size--;
    if (size * 8 <= block * 5)
        size = block;
    if (hi - lo <= block)
        size = hi - lo;
    int64_t end = size > 0 ? hi - (hi - lo) % size : lo;
    if (end > lo)
        pieces[n++] = (struct poly_piece){lo, end, size};
    if (hi > end)
        pieces[n++] = (struct poly_piece){end, hi, hi - end};
    return n;
}

static void add_piece(struct poly_blocking *b, int64_t lo, int64_t hi, int64_t size) {
    if (lo < hi)
        b->vecs[b->num_vecs++] = (struct poly_piece){lo, hi, size};
}

/* Is the reduce no more than SHORT_REDUCE steps? */
static bool is_short(const struct expr *reduce) {
    int64_t steps = 1, extent;
    for (int k = 0; k < reduce->num_iters && steps <= SHORT_REDUCE; k++)
        steps = expr_as_int(reduce->iters[k].extent, &extent) && extent <= SHORT_REDUCE
                    ? steps * extent
                    : SHORT_REDUCE + 1;
    return steps <= SHORT_REDUCE;
}

/* ---- where guards are tested ---- */

struct border {
    struct chooser *c;
    int dim;          // to be cut, or -1
    isl_set *inside;  // instances where no guard fails and the reduction has its whole range
    bool tests, cuts; // there are guards to test; there is a border
    int64_t lo, hi;   // of `inside` along dim
};

static __isl_give isl_set *instances(const struct chooser *c, __isl_take isl_set *points) {
    int n = c->s->num_dims, all = (int)isl_set_dim(points, isl_dim_set);
    return isl_set_project_out(points, isl_dim_set, (unsigned)n, (unsigned)(all - n));
}

/* Takes away the instances where a guard in e may fail. `points`: instances, and steps of the
 * reduction, that evaluate e. */
static void take_guards(struct border *b, const struct affine *a, const struct expr *e,
                        __isl_keep isl_set *points) {
    bool affine = e->kind == EXPR_GUARD;
    for (int k = 2; k < e->n && affine; k++)
        affine = affine_is(a, e->arg[k]);
    for (int k = 2; k + 2 < e->n && affine; k += 3) {
        isl_set *in = affine_within(a, e->arg[k], e->arg[k + 1], e->arg[k + 2]);
        isl_set *out = isl_set_subtract(isl_set_copy(points), in);
        b->inside = isl_set_subtract(b->inside, instances(b->c, out));
        b->tests = true;
    }
    for (int k = 0; k < e->n; k++)
        if (e->kind != EXPR_REDUCE)
            take_guards(b, a, e->arg[k], points);
}

/* Takes away the instances whose range is not the whole of the reduce; false, when that would
 * be all of them. */
static bool take_incomplete(struct border *b, __isl_keep isl_set *range) {
    struct chooser *c = b->c;
    isl_set *all = reduce_range(c->poly, c->s, c->s->domain, c->reduce);
    isl_set *missing = isl_set_subtract(all, isl_set_copy(range));
    isl_set *whole = isl_set_subtract(isl_set_copy(b->inside), instances(c, missing));
    bool some = isl_set_is_empty(whole) == isl_bool_false;
    if (some) {
        isl_set_free(b->inside);
        b->inside = isl_set_copy(whole);
    }
    isl_set_free(whole);
    return some;
}

/* Takes away the instances whose range is smaller than that of another along dim. */
static void take_shorter(struct border *b, __isl_keep isl_set *range) {
    struct chooser *c = b->c;
    unsigned d = (unsigned)b->dim;
    isl_set *all = isl_set_project_out(isl_set_copy(range), isl_dim_set, d, 1);
    all = isl_set_insert_dims(all, isl_dim_set, d, 1);
    isl_set *domain = isl_set_reset_tuple_id(isl_set_copy(c->s->domain));
    unsigned more = (unsigned)(isl_set_dim(range, isl_dim_set) - c->s->num_dims);
    all = isl_set_intersect(all, isl_set_add_dims(domain, isl_dim_set, more));
    isl_set *missing = isl_set_subtract(all, isl_set_copy(range));
    b->inside = isl_set_subtract(b->inside, instances(c, missing));
}

static void look_at_reduce(struct border *b) {
    struct chooser *c = b->c;
    struct shrink_request r = {
        .reduce = c->reduce, .strict = c->strict, .arena = &c->poly->arena};
    r.domain = c->s->domain;
    isl_set *range = shrink_range(c->poly, c->s, &r);
    if (!range)
        range = reduce_range(c->poly, c->s, c->s->domain, c->reduce);
    if (range && r.body && is_short(c->reduce) && take_incomplete(b, range))
        b->tests = true;
    else if (range && b->dim >= 0 && c->dims[b->dim].guarded)
        take_shorter(b, range);
    int n = c->s->num_dims + c->reduce->num_iters;
    struct affine a = {c->poly, c->s->dims, n, n, NULL};
    if (range)
        take_guards(b, &a, r.body ? r.body : c->reduce->arg[0], range);
    isl_set_free(range);
}

static void find_border(void *user) {
    struct border *b = user;
    struct chooser *c = b->c;
    int n = c->s->num_dims;
    struct affine a = {c->poly, c->s->dims, n, n, NULL};
    b->inside = isl_set_reset_tuple_id(isl_set_copy(c->s->domain));
    isl_set *all = isl_set_copy(b->inside);
    take_guards(b, &a, c->s->stmt->rhs, all);
    if (c->reduce)
        look_at_reduce(b);
    b->cuts = isl_set_is_subset(all, b->inside) == isl_bool_false &&
              isl_set_is_empty(b->inside) == isl_bool_false;
    isl_set_free(all);
    if (!b->cuts || b->dim < 0)
        return;
    int64_t last;
    if (!poly_extreme(b->inside, b->dim, false, &b->lo) ||
        !poly_extreme(b->inside, b->dim, true, &last)) {
        b->lo = 0;
        last = c->dims[b->dim].extent - 1;
    }
    b->hi = last + 1;
}

/* ---- all of it ---- */

/* The last dimension that may be cut: the innermost loop. */
static int last_dimension(const struct chooser *c) {
    int d = c->s->num_dims - 1;
    while (d >= c->s->num_repeats && (c->taken[d] || d == c->out->row || c->dims[d].extent < 2))
        d--;
    return d >= c->s->num_repeats ? d : -1;
}

/* inside, if telling it apart lets the innermost loop do without tests. */
static void keep_inside(struct poly_blocking *b, struct border *x) {
    isl_set *inside = x->inside;
    bool simple = inside && isl_set_n_basic_set(inside) <= MAX_PARTS;
    if (x->cuts && x->tests && simple)
        b->inside = isl_set_set_tuple_name(inside, x->c->s->name);
    else
        isl_set_free(inside);
}

/* Elements of the narrowest operand that fill VEC_BYTES; four times as many when nothing else
 * is in blocks. */
static int64_t vec_block(const struct chooser *c) {
    int64_t size = VEC_BYTES, bytes;
    if (!c->lanes)
        return ROW_BLOCK;
    for (int k = 0; k < c->s->accesses.len; k++) {
        const struct poly_access *a = &c->s->accesses.data[k];
        bool reads =
            !a->write && dtype_bytes(c->poly->loops->arrays.data[a->array].dtype, 1, &bytes);
        size = reads && bytes < size ? bytes : size;
    }
    bool only = c->out->row < 0;
    int64_t most = only ? MAX_ONLY_BLOCK : MAX_VEC_BLOCK;
    size = VEC_BYTES / size * (only ? 4 : 1);
    return size < most ? size : most;
}

/* Cuts vec where the border is. */
static void cut_vec(struct chooser *c, const struct border *b, int64_t block) {
    struct poly_blocking *out = c->out;
    int64_t end = b->lo + (b->hi - b->lo) / block * block;
    add_piece(out, 0, b->lo, 1);
    add_piece(out, b->lo, end, block);
    add_piece(out, end, b->hi, b->hi - end);
    add_piece(out, b->hi, c->dims[out->vec].extent, 1);
}

void block_choose(struct poly *p, const struct poly_stmt *s, const bool *taken,
                  struct poly_blocking *out) {
    struct chooser c = {.poly = p, .s = s, .taken = taken, .strict = p->strict, .out = out};
    c.reduce = expr_find(s->stmt->rhs, EXPR_REDUCE);
    out->vec = -1;
    look_at_dimensions(&c);
    if (c.reduce && !is_short(c.reduce))
        choose_dimensions(&c);
    bool guards = expr_find(s->stmt->rhs, EXPR_GUARD) != NULL, blocks = out->vec >= 0;
    if (!blocks && guards)
        out->vec = last_dimension(&c);
    struct border b = {.c = &c, .dim = out->vec};
    b.hi = out->vec >= 0 ? c.dims[out->vec].extent : 0;
    if (guards && !poly_try(p, poly_loc(s), "where the border is", find_border, &b)) {
        isl_set_free(b.inside);
        b.inside = NULL;
        out->vec = -1;
    }
    keep_inside(out, &b);
    int64_t block = blocks ? vec_block(&c) : 1;
    if (out->vec >= 0)
        cut_vec(&c, &b, block);
    if (out->row >= 0 && out->num_rows == 0)
        out->num_rows =
            block_cut(0, c.dims[out->row].extent,
                      b.hi - b.lo < block || !blocks ? SHORT_ROW_BLOCK : ROW_BLOCK, out->rows);
}
