/* The cost model: what a statement costs when it runs in tiles of a given shape, and the best
 * shape. All that is decided about tiles, layouts and regions is decided by it.
 *
 * A tile has rows and vectors: `rows` instances along one or two dimensions, each with as many
 * vectors as its lanes need, one accumulator for every row and vector. A step of its reduction
 * costs the most of its arithmetic, its loads, and the latency of an accumulator's chain; a
 * statement costs its tiles, the smaller ones at the end of a dimension included, or what its
 * operands take to come from the nearest cache that holds them (Williams, Waterman, Patterson:
 * Roofline, 2009). Accumulators, the vectors that rows share and one scalar must fit the
 * registers (Goto, van de Geijn: Anatomy of High-Performance Matrix Multiplication, 2008).
 *
 * Lanes lie along a dimension of the statement, or, when sums may be taken in any order, along
 * an iterator of its reduction (`split`). */
#include "polyhedral/poly.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum {
    MAX_VECTORS = 8,  // of a row
    TILE_CYCLES = 12, // around a tile: addresses, loops
    STEP_CYCLES = 2,  // around the innermost loop of a reduction
    FOLD_CYCLES = 10, // to add up the lanes of a vector
    COSTLY_OPS = 16,  // of a function such as exp
    MASKED = 2,       // loads that one of some lanes is as long as
    LINE = 64,        // bytes of a cache line
    STREAMS = 8,      // runs that are foreseen at once
    SHORT_RUN = 96,   // bytes that could have come while a run begins
    MAX_DIMS = 16,
    ALIASED = 3, // loads that one from a line that was driven out is as long as
};

/* A load, or the store, of the statement. */
struct operand {
    const struct poly_access *a;
    bool inside, packed;  // in the reduce; a constant whose layout may be made for it
    const int64_t *step;  // [dims + iterators of the reduce]; UNKNOWN
    int64_t size;         // bytes of an element
    double bytes, source; // that it touches in all; bytes per cycle that they come at
};
static const int64_t UNKNOWN = INT64_MAX;
static const double KEPT = 0.8; // what is read again comes faster than what is new

/* Padding along a dimension: the range of the reduction is shorter near the end of it, when
 * tiles do not hold several instances along it. */
struct border {
    int dim;
    double whole; // average part of the range that is left
};

struct model {
    const struct poly *poly;
    const struct poly_stmt *s;
    const struct target *target;
    const struct expr *reduce;
    int dims, iters;                // of the statement; of its reduce
    const int64_t *extent;          // [dims + iters]
    vec(struct operand) operands;   // the store last
    bool *even, *guarded;           // [dims] cut evenly; a guard speaks of it
    double ops_inside, ops_outside; // functions per step, per instance
    vec(struct border) borders;
    int64_t lanes; // of a vector
    struct arena scratch;
};

/* ---- what the statement does ---- */

static const char *name_of(const struct model *m, int d) {
    return d < m->dims ? m->s->dims[d] : m->reduce->iters[d - m->dims].name;
}

/* Elements along dimension d; 1 where that is not known. */
static int64_t extent_of(const struct model *m, int d) {
    int64_t extent = 1;
    if (d >= m->dims)
        expr_as_int(m->reduce->iters[d - m->dims].extent, &extent);
    else if (d >= m->s->num_repeats)
        extent = poly_extent(m->s, d);
    return extent < 1 ? 1 : extent;
}

static double count_ops(const struct expr *e) {
    double ops = 0;
    if (e->kind == EXPR_REDUCE || e->dtype == DTYPE_INDEX)
        return 0;
    if (e->kind == EXPR_FUNC)
        ops = func_info(e->func)->flags & FLAG_COSTLY ? COSTLY_OPS : 1;
    for (int k = 0; k < e->n; k++)
        ops += count_ops(e->arg[k]);
    return ops;
}

/* Operations of a step: a product that is added is one. */
static double count_step(const struct expr *reduce) {
    const struct expr *body = reduce->arg[0];
    while (body->kind == EXPR_GUARD)
        body = body->arg[0];
    bool fused = reduce->func == FUNC_ADD && body->kind == EXPR_FUNC && body->func == FUNC_MUL;
    return count_ops(body) + (fused ? 0 : 1);
}

static bool is_same_load(const struct poly *p, const struct poly_access *a,
                         const struct poly_access *b) {
    bool same = a->array == b->array && a->index && b->index && !a->write && !b->write;
    for (int d = 0; same && d < p->loops->arrays.data[a->array].rank; d++)
        same = expr_equal(a->index[d], b->index[d]);
    return same;
}

bool model_can_pack(const struct poly *p, const struct poly_stmt *s,
                    const struct poly_access *a) {
    const struct array *array = &p->loops->arrays.data[a->array];
    int64_t bytes, value;
    if (array->kind != ARRAY_CONST || a->write || !a->index || array->rank == 0 ||
        !dtype_bytes(array->dtype, 1, &bytes) || dtype_info(array->dtype)->bits < 8)
        return false;
    for (int d = 0; d < array->rank; d++) {
        if (expr_as_int(a->index[d], &value))
            continue;
        if (a->index[d]->kind != EXPR_VAR)
            return false;
        for (int k = 0; k < d; k++)
            if (expr_equal(a->index[d], a->index[k]))
                return false;
    }
    for (int k = 0; k < p->stmts.len; k++)
        for (int i = 0; i < p->stmts.data[k]->accesses.len; i++) {
            const struct poly_access *other = &p->stmts.data[k]->accesses.data[i];
            bool same = p->stmts.data[k] == s && is_same_load(p, a, other);
            if (other->root == a->root && !same)
                return false;
        }
    return true;
}

/* Bytes per cycle at which so many come that are used again and again. */
static double source_of(const struct target *t, double bytes) {
    for (int k = 0; k < 2; k++)
        if (bytes <= (double)t->cache[k + 1] * 0.75)
            return t->bandwidth[k];
    return t->bandwidth[2];
}

static void add_operand(struct model *m, const struct poly_access *a, bool pack) {
    int64_t *step = arena_array(&m->scratch, int64_t, m->dims + m->iters), bits;
    struct operand o = {.a = a, .step = step};
    o.packed = pack && model_can_pack(m->poly, m->s, a);
    o.inside = m->reduce && !a->write && expr_loads(m->reduce->arg[0], a->array);
    bits = dtype_info(m->poly->loops->arrays.data[a->array].dtype)->bits;
    o.size = bits / 8;
    o.bytes = (double)o.size;
    for (int d = 0; d < m->dims + m->iters; d++) {
        if (!stride_of(m->poly, a, name_of(m, d), &step[d]))
            step[d] = UNKNOWN;
        if (step[d] != 0)
            o.bytes *= (double)m->extent[d];
    }
    double all = (double)loops_elements(m->poly->loops, a->root) * (double)bits / 8;
    o.bytes = o.bytes < all ? o.bytes : all;
    o.source = source_of(m->target, o.bytes);
    vec_push(&m->scratch, &m->operands, o);
}

/* ---- the order of loops ---- */

enum model_side model_side(const struct poly *p, const struct poly_stmt *s, int d) {
    const struct poly_tiling *t = &s->tiling;
    bool lanes = false, rows = false;
    if (d == t->row[0] || d == t->row[1])
        return MODEL_ROWS;
    for (int k = 0; k < s->accesses.len; k++) {
        const struct poly_access *a = &s->accesses.data[k];
        if (a->write || !stride_moves(p, a, s->dims[d]))
            continue;
        bool by_lane = t->vec >= 0 && stride_moves(p, a, s->dims[t->vec]), by_row = false;
        for (int i = 0; i < 2; i++)
            by_row |= t->row[i] >= 0 && stride_moves(p, a, s->dims[t->row[i]]);
        lanes |= by_lane;
        rows |= by_row || !by_lane;
    }
    return lanes == rows ? MODEL_NEITHER : lanes ? MODEL_LANES : MODEL_ROWS;
}

/* Does a tile hold several instances along d? */
static bool is_in_tile(const struct poly_tiling *t, int d) {
    return d == t->vec || d == t->fold || d == t->row[0] || d == t->row[1];
}

/* ---- padding ---- */

static int find_name(const struct model *m, const struct expr *e, int from, int to) {
    int found = -1;
    for (int d = from; d < to; d++)
        found = expr_mentions(e, name_of(m, d)) ? d : found;
    return found;
}

/* lo <= e < hi, e being a sum of dimension d and iterator r of the reduce, each with a factor:
 * the part of the range that is inside, on average. */
static double part_inside(const struct model *m, const struct expr *const *bound, int d,
                          int r) {
    struct arena scratch = {0};
    const char *names[] = {name_of(m, d), name_of(m, r)};
    int64_t lo, hi, value, inside = 0;
    bool known = expr_as_int(bound[1], &lo) && expr_as_int(bound[2], &hi) &&
                 m->extent[d] * m->extent[r] < 1 << 16;
    for (int64_t x = 0; x < m->extent[d] && known; x++)
        for (int64_t y = 0; y < m->extent[r] && known; y++) {
            const struct expr *at[] = {expr_index(&scratch, x), expr_index(&scratch, y)};
            known = expr_as_int(expr_subst(&scratch, bound[0], names, at, 2), &value);
            inside += known && lo <= value && value < hi;
        }
    arena_free(&scratch);
    return known ? (double)inside / (double)(m->extent[d] * m->extent[r]) : 1;
}

static void find_borders(struct model *m, const struct expr *e) {
    for (int k = 2; k + 2 < e->n && e->kind == EXPR_GUARD; k += 3) {
        int d = find_name(m, e->arg[k], m->s->num_repeats, m->dims);
        int r = find_name(m, e->arg[k], m->dims, m->dims + m->iters);
        if (d < 0 || r < 0)
            continue;
        struct border b = {d, part_inside(m, e->arg + k, d, r)};
        vec_push(&m->scratch, &m->borders, b);
    }
    for (int k = 0; k < e->n; k++)
        find_borders(m, e->arg[k]);
}

/* The part of the reduction that is left when tiles are so. */
static double part_left(const struct model *m, const struct poly_tiling *t) {
    double part = 1;
    for (int k = 0; k < m->borders.len; k++) {
        const struct border *b = &m->borders.data[k];
        part *= is_in_tile(t, b->dim) ? 1 : b->whole;
    }
    return part;
}

static void read_statement(struct model *m, bool pack) {
    const struct poly_stmt *s = m->s;
    m->reduce = expr_find(s->stmt->rhs, EXPR_REDUCE);
    m->dims = s->num_dims;
    m->iters = m->reduce ? m->reduce->num_iters : 0;
    int64_t *extent = arena_array(&m->scratch, int64_t, m->dims + m->iters);
    for (int d = 0; d < m->dims + m->iters; d++)
        extent[d] = extent_of(m, d);
    m->extent = extent;
    m->even = arena_array(&m->scratch, bool, m->dims);
    for (int d = m->s->num_repeats; d < m->dims; d++)
        m->even[d] = model_is_even(m->poly, s, d);
    m->guarded = arena_array(&m->scratch, bool, m->dims);
    for (int d = m->s->num_repeats; d < m->dims; d++)
        m->guarded[d] = expr_guards(s->stmt->rhs, s->dims[d]);
    for (int k = 0; k < s->accesses.len; k++) {
        bool known = false;
        for (int i = 0; i < k && !known; i++)
            known = is_same_load(m->poly, &s->accesses.data[i], &s->accesses.data[k]);
        if (!known)
            add_operand(m, &s->accesses.data[k], pack);
    }
    m->ops_inside = m->reduce ? count_step(m->reduce) : 0;
    m->ops_outside = count_ops(s->stmt->rhs);
    if (m->reduce)
        find_borders(m, m->reduce->arg[0]);
}

/* ---- the cost of a tile ---- */

/* Does the layout cut a dimension, so that a step is not the same everywhere? */
static bool has_blocks(const struct poly *p, const struct poly_access *a) {
    const struct array *array = &p->loops->arrays.data[a->array];
    bool found = false;
    for (int k = 0; k < array->layout_rank; k++)
        found |= array->layout[k].div != 1 || array->layout[k].mod != 0;
    return found;
}

/* Does the name stand in e elsewhere than in the index of a load: in a guard, as a value? */
static bool mentions_outside(const struct expr *e, const char *name) {
    bool found = e->kind == EXPR_VAR && strcmp(e->name, name) == 0;
    for (int k = 0; k < e->n && !found && e->kind != EXPR_LOAD; k++)
        found = mentions_outside(e->arg[k], name);
    return found;
}

bool model_folds(const struct poly *p, const struct poly_stmt *s, int outer, int inner,
                 int64_t extent) {
    int64_t x, y, end;
    bool ok = inner >= s->num_repeats && outer >= s->num_repeats && extent >= 0 &&
              poly_extent(s, inner) == extent &&
              !mentions_outside(s->stmt->rhs, s->dims[outer]) &&
              !mentions_outside(s->stmt->rhs, s->dims[inner]);
    for (int k = 0; k < s->accesses.len && ok; k++) {
        const struct poly_access *a = &s->accesses.data[k];
        ok = stride_of(p, a, s->dims[outer], &x) && stride_of(p, a, s->dims[inner], &y) &&
             size_mul(y, extent, &end) && x == end && (x == 0 || !has_blocks(p, a));
    }
    return ok;
}

/* The part of a dimension that a tile takes, and how often: whole ones and the rest. */
struct part {
    int64_t size;
    double count;
};

static int cut_parts(const struct poly_piece *pieces, int n, struct part *out) {
    for (int k = 0; k < n; k++)
        out[k] = (struct part){pieces[k].size,
                               (double)((pieces[k].hi - pieces[k].lo) / pieces[k].size)};
    return n;
}

int model_cut(int64_t extent, int64_t block, struct poly_piece *pieces) {
    int64_t end = extent / block * block;
    int n = 0;
    if (end > 0)
        pieces[n++] = (struct poly_piece){0, end, block};
    if (end < extent)
        pieces[n++] = (struct poly_piece){end, extent, extent - end};
    return n;
}

int model_cut_evenly(int64_t extent, int64_t block, int64_t unit, struct poly_piece *pieces) {
    int64_t units = (extent + unit - 1) / unit, per = (block + unit - 1) / unit;
    int64_t num = (units + per - 1) / per, size = units / num * unit;
    int64_t large = units % num * (size + unit), end = extent / unit * unit;
    int n = 0;
    if (large >= extent) // all of them, but for what the last unit lacks
        large = end - end % (size + unit);
    if (large > 0)
        pieces[n++] = (struct poly_piece){0, large, size + unit};
    end = large + (end - large) / size * size;
    if (end > large)
        pieces[n++] = (struct poly_piece){large, end, size};
    if (extent > end)
        pieces[n++] = (struct poly_piece){end, extent, extent - end};
    return n;
}

bool model_is_even(const struct poly *p, const struct poly_stmt *s, int d) {
    int64_t extent = d >= s->num_repeats ? poly_extent(s, d) : -1;
    bool known = extent >= 0;
    for (int k = 0; k < s->accesses.len && known; k++) {
        const struct poly_access *a = &s->accesses.data[k];
        bool constant = p->loops->arrays.data[a->root].kind == ARRAY_CONST;
        known = !constant || !stride_moves(p, a, s->dims[d]) ||
                loops_elements(p->loops, a->root) <= extent;
    }
    return known;
}

/* Dimension d in blocks. */
static int cut_dimension(const struct model *m, int d, int64_t block, int64_t unit,
                         struct poly_piece *pieces) {
    return m->even[d] ? model_cut_evenly(m->extent[d], block, unit, pieces)
                      : model_cut(m->extent[d], block, pieces);
}

/* A tile as it is weighed. */
struct shape {
    const struct poly_tiling *t;
    int64_t rows[2], vectors; // rows along each dimension; vectors of a row
    double count;             // tiles of this shape
    bool masked;              // lanes are guarded, or not all of a vector
};

/* Different rows that an operand has. */
static double rows_of(const struct operand *o, const struct shape *x) {
    double rows = 1;
    for (int k = 0; k < 2; k++)
        if (x->t->row[k] >= 0 && o->step[x->t->row[k]] != 0)
            rows *= (double)x->rows[k];
    return rows;
}

/* The dimension along which lanes lie. */
static int lane_of(const struct model *m, const struct poly_tiling *t) {
    return t->split >= 0 ? m->dims + t->split : t->vec;
}

/* Is iterator r of the reduce among the innermost loops that codegen writes out, so that rows
 * can share what they load? */
static bool is_written_out(const struct model *m, const struct shape *x, int r) {
    const struct poly_tiling *t = x->t;
    int64_t steps = 1, sums = x->rows[0] * x->rows[1] * x->vectors;
    for (int k = m->iters - 1; k >= 0 && k < MAX_REDUCE; k--) {
        int64_t extent = m->extent[m->dims + t->order[k]];
        steps *= extent;
        if (extent > TILE_WRITTEN_STEPS || steps * sums > TILE_WRITTEN_SUMS)
            return false;
        if (t->order[k] == r)
            return true;
    }
    return false;
}

/* The part of the loads of all rows and steps that differ: windows of neighbours overlap. */
static double part_different(const struct model *m, const struct operand *o,
                             const struct shape *x) {
    double part = 1;
    for (int k = 0; k < 2; k++)
        for (int r = 0; r < m->iters && x->t->row[k] >= 0; r++) {
            int64_t row = o->step[x->t->row[k]], step = o->step[m->dims + r];
            double rows = (double)x->rows[k], steps = (double)m->extent[m->dims + r];
            if (row == UNKNOWN || step == UNKNOWN || step == 0 || row == 0 || row % step ||
                row / step >= m->extent[m->dims + r] || !is_written_out(m, x, r))
                continue;
            part *= ((rows - 1) * (double)(row / step) + steps) / (rows * steps);
        }
    return part < 1 ? part : 1;
}

/* Rows whose elements lie a multiple of a page apart fall into the same few sets of the nearest
 * cache: when there are more than its ways, each load has to fetch its line again. */
static bool is_aliased(const struct operand *o, const struct shape *x) {
    enum { PAGE = 4096, WAYS = 8 };
    double lines = 1;
    int64_t apart = PAGE;
    for (int k = 0; k < 2; k++) {
        int64_t step = x->t->row[k] >= 0 ? o->step[x->t->row[k]] : 0, bytes;
        if (step == 0 || step == UNKNOWN || !size_mul(step, o->size, &bytes))
            continue;
        while (bytes % apart)
            apart /= 2;
        lines *= (double)x->rows[k];
    }
    return apart > LINE && lines > WAYS * (double)(PAGE / apart);
}

/* Loads that an operand takes for one step of all rows, in units of a vector load. */
static double loads_of(const struct model *m, const struct operand *o, const struct shape *x) {
    int lane = lane_of(m, x->t);
    int64_t step = lane < 0 ? 0 : o->step[lane];
    bool split = x->t->split >= 0; // rows that are walked along side by side
    if (o->packed && step != 0)
        step = 1;
    double part = part_different(m, o, x);
    if (step == 0)
        return part * rows_of(o, x) * (is_aliased(o, x) ? ALIASED : 1);
    if (step == 1 || step == -1)
        return part * rows_of(o, x) * (double)x->vectors *
               (split && is_aliased(o, x) ? ALIASED : 1) * (x->masked ? MASKED : 1);
    return rows_of(o, x) * (double)(x->vectors * m->lanes) * 1.5;
}

/* Two things that are done at once hinder each other the more, the less room the longer one
 * leaves: `part` of it when both take as long. Measured: GEMM tiles on Zen 4. */
static double overlap(double x, double y, double part, double power) {
    double most = fmax(x, y);
    return most * (1 + part * pow(fmin(x, y) / most, power));
}

/* Cycles of one step of the reduction. */
static double step_cycles(const struct model *m, const struct shape *x) {
    const struct target *t = m->target;
    double sums = (double)(x->rows[0] * x->rows[1] * x->vectors), loads = 0;
    for (int k = 0; k < m->operands.len; k++)
        if (m->operands.data[k].inside)
            loads += loads_of(m, &m->operands.data[k], x);
    double cycles = overlap(sums * m->ops_inside / t->fmas, loads / t->loads, 0.2, 4);
    bool pointers = x->t->row[1] >= 0 && m->guarded[x->t->row[0]] && m->guarded[x->t->row[1]];
    return fmax(cycles, t->latency) * (pointers ? 1.15 : 1); // one for each corner
}

/* Cycles of what is around the reduction. */
static double around_cycles(const struct model *m, const struct shape *x) {
    const struct target *t = m->target;
    double rows = (double)(x->rows[0] * x->rows[1]), sums = rows * (double)x->vectors;
    const struct operand *store = &m->operands.data[m->operands.len - 1];
    double loads = 0;
    for (int k = 0; k + 1 < m->operands.len; k++)
        if (!m->operands.data[k].inside)
            loads += loads_of(m, &m->operands.data[k], x);
    if (x->t->split >= 0)
        return rows * (FOLD_CYCLES + m->ops_outside + 1) + loads / t->loads;
    double stores = sums / t->stores;
    int64_t step = x->t->vec < 0 ? 0 : store->step[x->t->vec];
    bool turned = false; // rows are contiguous instead: a transposition in registers
    for (int k = 0; k < 2; k++)
        turned |= x->t->row[k] >= 0 && store->step[x->t->row[k]] == 1;
    if (step != 1)
        stores = sums * (double)m->lanes * (turned ? 0.35 : 1.2);
    return fmax(sums * m->ops_outside / t->fmas, loads / t->loads) + stores;
}

static bool moves_along(const struct operand *o, int d) {
    return d >= 0 && o->step[d] != 0;
}

/* Memory that a tile touches of an operand. */
struct extent {
    double lines, run; // cache lines; bytes that follow each other
};

/* `count` elements `step` bytes apart of what is there: longer runs, or more of them. */
static void widen(struct extent *e, int64_t step, double count) {
    double bytes = (double)(step < 0 ? -step : step);
    if (step == 0 || count <= 1)
        return;
    if (bytes <= e->run || bytes < LINE)
        e->run += bytes * (count - 1);
    else
        e->lines *= count;
}

/* The dimensions along which a tile has several elements of the operand, in order of their
 * steps. */
static struct extent extent_in_tile(const struct model *m, const struct operand *o,
                                    const struct shape *x) {
    struct extent e = {1, (double)o->size};
    const struct poly_tiling *t = x->t;
    double counts[MAX_DIMS];
    bool done[MAX_DIMS] = {false};
    int all = m->dims + m->iters;
    for (int d = 0; d < all && d < MAX_DIMS; d++) {
        counts[d] = d >= m->dims ? (double)m->extent[d] : 1;
        counts[d] = d == t->row[0] ? (double)x->rows[0] : counts[d];
        counts[d] = d == t->row[1] ? (double)x->rows[1] : counts[d];
        counts[d] = d == t->vec ? (double)(x->vectors * m->lanes) : counts[d];
    }
    for (int n = 0; n < all && n < MAX_DIMS; n++) {
        int least = -1;
        for (int d = 0; d < all && d < MAX_DIMS; d++)
            if (!done[d] && (least < 0 || llabs(o->step[d]) < llabs(o->step[least])))
                least = d;
        if (o->packed && t->split < 0 && o->step[least] != 0)
            e.run *= counts[least];
        else if (o->step[least] == UNKNOWN)
            e.lines *= counts[least];
        else
            widen(&e, o->step[least] * o->size, counts[least]);
        done[least] = true;
    }
    e.lines *= ceil(e.run / LINE);
    return e;
}

/* The part of a tile's elements that the tile before had not: windows overlap. */
static double part_fresh(const struct model *m, const struct operand *o,
                         const struct shape *x) {
    const struct poly_tiling *t = x->t;
    double part = 1;
    for (int r = m->dims; r < m->dims + m->iters; r++)
        for (int d = m->s->num_repeats; d < m->dims; d++) {
            int64_t step = o->step[r];
            if (is_in_tile(t, d) || step == 0 || step == UNKNOWN || o->step[d] == UNKNOWN ||
                o->step[d] == 0 || o->step[d] % step != 0)
                continue;
            double fresh = (double)(o->step[d] / step) / (double)m->extent[r];
            part *= fresh > 0 && fresh < 1 ? fresh : 1;
        }
    return part;
}

/* Cycles to bring what the next tile has not in common with the one before: the loop over lanes
 * is the outermost, and rows change from tile to tile, or the other way round. What fits the
 * nearest cache twice stays there. Short runs from far away come late: they are not foreseen.
 */
static double fetch_cycles(const struct model *m, const struct shape *x) {
    const struct poly_tiling *t = x->t;
    const double *bandwidth = m->target->bandwidth;
    double cycles = 0, half = (double)m->target->cache[0] / 2;
    for (int k = 0; k < m->operands.len; k++) {
        const struct operand *o = &m->operands.data[k];
        bool by_row = moves_along(o, t->row[0]) || moves_along(o, t->row[1]);
        bool by_lane = moves_along(o, t->vec) || moves_along(o, t->fold);
        bool changes = t->vec_outer ? by_row : by_lane;
        if ((!by_row && !by_lane) || o->bytes <= half)
            continue;
        struct extent e = extent_in_tile(m, o, x);
        double bytes = e.lines * LINE;
        if (changes) {
            double fresh = part_fresh(m, o, x);
            bool far = o->source<bandwidth[0], streams = e.lines * LINE> STREAMS * e.run;
            double late = far ? 1 + SHORT_RUN / e.run : 1;
            late *= far && streams ? 1.5 : 1;
            cycles += bytes * (fresh * late / o->source + (1 - fresh) / bandwidth[0]);
        } else if (bytes > half) { // the same as before, but too much to stay near
            cycles += KEPT * bytes / source_of(m->target, bytes);
        }
    }
    return cycles;
}

/* Cycles of all tiles of one shape. */
static double shape_cycles(const struct model *m, const struct shape *x) {
    double steps = part_left(m, x->t), outer = 1;
    for (int i = 0; i < m->iters; i++) {
        double extent = (double)m->extent[m->dims + i];
        if (x->t->split == i)
            extent = ceil(extent / (double)m->lanes);
        steps *= extent;
        if (i != m->iters - 1)
            outer *= (double)m->extent[m->dims + i];
    }
    double cycles = TILE_CYCLES + around_cycles(m, x);
    if (m->reduce)
        cycles += steps * step_cycles(m, x) + outer * STEP_CYCLES;
    return x->count * overlap(cycles, fetch_cycles(m, x), 0.3, 2);
}

/* Cycles to bring each operand once, from where it lies. */
static double traffic_cycles(const struct model *m) {
    double cycles = 0;
    for (int k = 0; k < m->operands.len; k++)
        cycles += m->operands.data[k].bytes / m->operands.data[k].source;
    return cycles;
}

/* Cycles of the tiles of all parts of rows and lanes; lanes run through `folds` times as many.
 */
static double parts_cycles(const struct model *m, const struct poly_tiling *t,
                           struct part (*parts)[MAX_PIECES], const int *num, int64_t folds) {
    double cycles = 0;
    for (int a = 0; a < num[0]; a++)
        for (int b = 0; b < num[1]; b++)
            for (int c = 0; c < num[2]; c++) {
                struct shape x = {.t = t, .rows = {parts[0][a].size, parts[1][b].size}};
                x.vectors = (parts[2][c].size * folds + m->lanes - 1) / m->lanes;
                x.masked =
                    (t->vec >= 0 && m->guarded[t->vec]) || parts[2][c].size * folds < m->lanes;
                x.count = parts[0][a].count * parts[1][b].count * parts[2][c].count;
                cycles += shape_cycles(m, &x);
            }
    return cycles;
}

/* Cycles of the statement in tiles of that shape. */
static double tiling_cycles(const struct model *m, const struct poly_tiling *t) {
    struct part parts[3][MAX_PIECES] = {{{1, 1}}, {{1, 1}}, {{1, 1}}};
    struct poly_piece pieces[MAX_PIECES];
    int num[3] = {1, 1, 1};
    double rest = 1, cycles = 0;
    for (int k = 0; k < 2; k++)
        if (t->row[k] >= 0)
            num[k] =
                cut_parts(pieces, cut_dimension(m, t->row[k], t->rows[k], 1, pieces), parts[k]);
    if (t->vec >= 0)
        num[2] =
            cut_parts(pieces, cut_dimension(m, t->vec, t->block, m->lanes, pieces), parts[2]);
    struct part folds[2] = {{1, 1}};
    int num_folds = 1;
    if (t->fold >= 0)
        num_folds = cut_parts(pieces, model_cut(m->extent[t->fold], t->folds, pieces), folds);
    for (int d = 0; d < m->dims; d++)
        if (!is_in_tile(t, d))
            rest *= (double)m->extent[d];
    for (int f = 0; f < num_folds; f++)
        cycles += rest * folds[f].count * parts_cycles(m, t, parts, num, folds[f].size);
    return overlap(cycles, traffic_cycles(m), 0.3, 2);
}

/* ---- candidates ---- */

/* The order of the reduce's loops: what is walked along in small steps innermost, a longer loop
 * rather than one of a few steps. */
static void order_reduce(const struct model *m, struct poly_tiling *t) {
    int n = m->iters < MAX_REDUCE ? m->iters : MAX_REDUCE;
    for (int i = 0; i < n; i++)
        t->order[i] = i;
    if (m->poly->strict || n != m->iters)
        return;
    int inner = n - 1;
    for (int i = 0; i < n; i++) {
        int64_t mine = m->extent[m->dims + i], best = m->extent[m->dims + inner];
        if (t->split == i || (t->split < 0 && mine > best && best < 8))
            inner = i;
    }
    for (int i = inner; i + 1 < n; i++)
        t->order[i] = t->order[i + 1];
    if (n > 0)
        t->order[n - 1] = inner;
}

static bool fits_registers(const struct model *m, int64_t rows, int64_t vectors) {
    return rows * vectors + vectors + 1 <= m->target->registers && rows <= TILE_MOST_ROWS;
}

static void weigh(const struct model *m, struct poly_tiling *t, struct poly_tiling *best) {
    order_reduce(m, t);
    for (int outer = 0; outer < (t->vec >= 0 && t->row[0] >= 0 ? 2 : 1); outer++) {
        t->vec_outer = outer;
        t->cycles = tiling_cycles(m, t);
        if (t->cycles < best->cycles * 0.9999) {
            double next = best->cycles;
            *best = *t;
            best->next = next;
        } else if (t->cycles < best->next) {
            best->next = fmax(t->cycles, best->cycles); // as good, but not chosen
        }
    }
    t->vec_outer = false;
}

/* The panels that an operand's layout cuts dimension d into; 0: it is whole everywhere. */
static int64_t panel_of(const struct model *m, int d) {
    int64_t panel = 0;
    for (int k = 0; k < m->operands.len; k++) {
        const struct poly_access *a = m->operands.data[k].a;
        const struct array *array = &m->poly->loops->arrays.data[a->array];
        for (int i = 0; a->index && i < array->layout_rank; i++)
            if (array->layout[i].mod && array->kind == ARRAY_CONST &&
                expr_mentions(a->index[array->layout[i].dim], name_of(m, d)))
                panel = array->layout[i].mod;
    }
    return panel;
}

/* Sizes worth trying for rows along d, at most `most`: that, the least that needs no more
 * tiles, and the largest that divides the extent; returns how many. */
static int row_sizes(const struct model *m, int d, int64_t most, int64_t *sizes) {
    int64_t extent = m->extent[d], size = extent < most ? extent : most;
    int64_t panel = panel_of(m, d);
    int n = 0;
    while (panel > 0 && size > 1 && panel % size)
        size--; // a tile is in one panel
    if (size < 2)
        return 0;
    if (panel > 0) {
        sizes[n++] = size;
        return n;
    }
    int64_t even = (extent + (extent + size - 1) / size - 1) / ((extent + size - 1) / size);
    sizes[n++] = size;
    if (even < size)
        sizes[n++] = even;
    while (size > 1 && extent % size)
        size--;
    if (size > 1 && size < even)
        sizes[n++] = size;
    return n;
}

static void try_second_row(const struct model *m, const bool *taken, struct poly_tiling *t,
                           int64_t most, struct poly_tiling *best) {
    int64_t sizes[3];
    for (int d = m->s->num_repeats; d < m->dims; d++) {
        if (taken[d] || d == t->vec || d == t->fold || d == t->row[0])
            continue;
        int n = row_sizes(m, d, most / t->rows[0], sizes);
        for (int k = 0; k < n; k++) {
            t->row[1] = d;
            t->rows[1] = sizes[k];
            weigh(m, t, best);
        }
    }
    t->row[1] = -1;
    t->rows[1] = 1;
}

/* All rows for the lanes of t. */
static void try_rows(const struct model *m, const bool *taken, struct poly_tiling *t,
                     struct poly_tiling *best) {
    int64_t vectors = (t->block * t->folds + m->lanes - 1) / m->lanes, most = TILE_MOST_ROWS,
            sizes[3];
    if (t->fixed_row >= 0) { // the nest's
        t->row[0] = t->fixed_row;
        if (fits_registers(m, t->rows[0], vectors))
            weigh(m, t, best);
        return;
    }
    weigh(m, t, best);
    while (most > 1 && !fits_registers(m, most, vectors))
        most--;
    for (int d = m->s->num_repeats; d < m->dims; d++) {
        if (taken[d] || d == t->vec || d == t->fold)
            continue;
        int n = row_sizes(m, d, most, sizes);
        for (int k = 0; k < n; k++) {
            t->row[0] = d;
            t->rows[0] = sizes[k];
            weigh(m, t, best);
            if (sizes[k] == m->extent[d])
                try_second_row(m, taken, t, most, best);
        }
    }
    t->row[0] = -1;
    t->rows[0] = 1;
}

static void try_folds(const struct model *m, const bool *taken, struct poly_tiling *t,
                      struct poly_tiling *best) {
    int64_t extent = m->extent[t->vec];
    t->block = extent;
    for (int d = m->s->num_repeats; d < m->dims; d++) {
        if (taken[d] || d == t->vec || d == t->fixed_row || m->extent[d] < 2 ||
            !model_folds(m->poly, m->s, d, t->vec, extent))
            continue;
        t->fold = d;
        for (t->folds = 2;
             t->folds <= m->extent[d] && t->folds * extent <= MAX_VECTORS * m->lanes;
             t->folds++)
            try_rows(m, taken, t, best);
    }
    t->fold = -1;
    t->folds = 1;
}

static void try_lanes(const struct model *m, const bool *taken, struct poly_tiling *t,
                      struct poly_tiling *best) {
    int64_t extent = m->extent[t->vec], panel = panel_of(m, t->vec);
    if (panel > 0) { // a tile is in one panel
        t->block = panel < extent ? panel : extent;
        try_rows(m, taken, t, best);
        return;
    }
    for (int64_t n = 1; n <= MAX_VECTORS && (n == 1 || (n - 1) * m->lanes < extent);
         n += n < 4 ? 1 : 2) {
        t->block = n * m->lanes < extent ? n * m->lanes : extent;
        try_rows(m, taken, t, best);
    }
    try_folds(m, taken, t, best);
}

/* Does some operand move by one element along d, so that vectors are loaded or stored whole? */
static bool is_walked(const struct model *m, int d) {
    bool found = false;
    for (int k = 0; k < m->operands.len && !found; k++) {
        const struct operand *o = &m->operands.data[k];
        found = o->step[d] == 1 || (o->packed && o->step[d] != 0);
    }
    return found;
}

/* Lanes apart of which a guard leaves some out: codegen has no vectors of them. */
static bool is_scattered(const struct model *m, int d) {
    bool found = false;
    for (int k = 0; k < m->operands.len && m->guarded[d] && !found; k++) {
        const struct operand *o = &m->operands.data[k];
        found = !o->a->write && !o->packed && o->step[d] != 0 && llabs(o->step[d]) != 1;
    }
    return found;
}

/* Elements in a vector of what the statement computes; 0: it has parts of another type. */
static int64_t lanes_of(const struct model *m) {
    enum dtype t = m->poly->loops->arrays.data[m->s->stmt->array].dtype;
    bool same = t == DTYPE_F32 || t == DTYPE_F64;
    for (int k = 0; k < m->operands.len; k++)
        same &= m->poly->loops->arrays.data[m->operands.data[k].a->array].dtype == t;
    return same ? m->target->vector_bytes * 8 / dtype_info(t)->bits : 0;
}

static void try_all(const struct model *m, const bool *taken, struct poly_tiling *t,
                    struct poly_tiling *best) {
    for (int d = m->s->num_repeats; d < m->dims; d++) {
        if (taken[d] || d == t->fixed_row || m->extent[d] < 2 || !is_walked(m, d) ||
            is_scattered(m, d))
            continue;
        t->vec = d;
        try_lanes(m, taken, t, best);
    }
    t->vec = -1;
    t->block = 1;
    for (int i = 0; i < m->iters && !m->poly->strict; i++) {
        t->split = i;
        if (m->extent[m->dims + i] >= m->lanes && is_walked(m, m->dims + i))
            try_rows(m, taken, t, best);
    }
}

/* Cycles of the arithmetic when all lanes are used and padding costs nothing. */
static double arithmetic_cycles(const struct model *m) {
    static const struct poly_tiling none = {.vec = -1, .fold = -1, .row = {-1, -1}};
    double instances = 1, steps = part_left(m, &none);
    for (int d = 0; d < m->dims; d++)
        instances *= (double)m->extent[d];
    for (int i = 0; i < m->iters; i++)
        steps *= (double)m->extent[m->dims + i];
    double ops = instances * (m->ops_outside + (m->reduce ? steps * m->ops_inside : 0));
    return ops / (double)m->lanes / m->target->fmas;
}

const char *model_describe(struct poly *p, const struct poly_stmt *s) {
    const struct poly_tiling *t = &s->tiling;
    double ms = 1e-6 / p->target->ghz;
    struct str text = {0};
    if (t->split >= 0)
        str_addf(&text, "lanes along the reduction, loop %d", t->split);
    else
        str_addf(&text, "%" PRId64 " lanes along %s%s%s", t->block * t->folds, s->dims[t->vec],
                 t->fold >= 0 ? " and " : "", t->fold >= 0 ? s->dims[t->fold] : "");
    for (int k = 0; k < 2; k++)
        if (t->row[k] >= 0)
            str_addf(&text, "%s %" PRId64 " rows along %s", k ? " x" : ",", t->rows[k],
                     s->dims[t->row[k]]);
    bool memory = t->memory > t->arithmetic;
    str_addf(&text, "; %.4f ms predicted, no less than %.4f ms by %s", t->cycles * ms,
             (memory ? t->memory : t->arithmetic) * ms, memory ? "memory" : "arithmetic");
    if (isfinite(t->next))
        str_addf(&text, ", next best %.4f ms", t->next * ms);
    const char *out = arena_strdup(&p->arena, str_cstr(&text));
    str_free(&text);
    return out;
}

bool model_tile(const struct poly *p, const struct poly_stmt *s, const bool *taken,
                int fixed_row, int64_t fixed_rows, bool pack, struct poly_tiling *out) {
    struct model m = {.poly = p, .s = s, .target = p->target};
    if (!p->target || p->target->vector_bytes == 0 || s->role != POLY_COMPUTE ||
        expr_has_check(s->stmt->rhs))
        return false;
    struct poly_tiling t = {.vec = -1, .split = -1, .row = {-1, -1}, .rows = {1, 1}};
    t.fold = -1;
    t.folds = 1;
    t.fixed_row = fixed_row;
    t.rows[0] = fixed_row >= 0 ? fixed_rows : 1;
    *out = t;
    out->cycles = out->next = INFINITY;
    read_statement(&m, pack);
    m.lanes = lanes_of(&m);
    t.unit = m.lanes;
    if (m.lanes > 1) {
        try_all(&m, taken, &t, out);
        order_reduce(&m, out);
        out->arithmetic = arithmetic_cycles(&m);
        out->memory = traffic_cycles(&m);
    }
    arena_free(&m.scratch);
    return out->vec >= 0 || out->split >= 0;
}
