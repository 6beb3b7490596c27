/* The cost model: what a statement costs when it runs in tiles of a given shape (the best shape
 * is for model_search.c to find). All that is decided about tiles, layouts and regions is
 * decided by it.
 *
 * A tile has rows and vectors: `rows` instances along one or two dimensions, each with as many
 * vectors as its lanes need, one accumulator for every row and vector. A step of its reduction
 * costs the most of its arithmetic, its loads, and the latency of an accumulator's chain; a
 * statement costs its tiles, the smaller ones at the end of a dimension included, or what its
 * operands take to come from the nearest cache that holds them (Williams, Waterman, Patterson:
 * Roofline, 2009). Accumulators, the vectors that rows share and one scalar must fit the
 * registers (Goto, van de Geijn: Anatomy of High-Performance Matrix Multiplication, 2008). */
#include "polyhedral/model.h"

#include <math.h>
#include <stdlib.h>

enum {
    TILE_CYCLES = 12, // around a tile: addresses, loops
    STEP_CYCLES = 2,  // around the innermost loop of a reduction
    FOLD_CYCLES = 10, // to add up the lanes of a vector
    MASKED = 2,       // loads that one of some lanes is as long as, where there are masks
    LINE = 64,        // bytes of a cache line
    PAGE = 4096,      // bytes after which the nearest cache's sets come again
    WAYS = 8,         // lines of such a set
    STREAMS = 8,      // runs that are foreseen at once
    SHORT_RUN = 96,   // bytes that could have come while a run begins
    ALIASED = 3,      // loads that one from a line that was driven out is as long as
};
static const double MASKED_BY_LANE = 1;  // … and elsewhere, for each lane
static const double CHOICE_CYCLES = 1.5; // of reads that may be outside, for a step
static const double BEGUN = 2;  // instructions of a cycle, whatever groups their vectors take
static const double KEPT = 0.8; // what is read again comes faster than what is new
/* Loads of a scalar for vectors of both sizes: two, or one and a move, as compilers have it. */
static const double AGAIN = 1.5, AGAIN_MOST_TWO = 1.2;
/* For an element that is stored alone; of a block transposed in registers, with all of its
 * rows, or some. */
static const double ONE_BY_ONE = 1.2, TURNED = 0.35, TURNED_SOME = 0.5;
static const double SPILLED = 1.3; // steps whose scalars do not fit the registers take longer
static const double SPILL_CYCLES = 0.8; // of a vector in a step that does not
static const double SPILL_SCALABLE = 4; // … whose place depends on its length

/* ---- the cost of a tile ---- */

/* Does a tile hold several instances along d? */
static bool is_in_tile(const struct poly_tiling *t, int d) {
    return d == t->vec || d == t->fold || d == t->row[0] || d == t->row[1];
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
    double whole;             // whole vectors that take as long as those of a row
    double count;             // tiles of this shape
    bool masked;              // lanes are guarded, or not all of a vector
    int loops;                // of the reduce, the outer ones; those inside are written out
};

/* Different rows that an operand has. */
static double rows_of(const struct operand *o, const struct shape *x) {
    double rows = 1;
    for (int k = 0; k < 2; k++)
        if (x->t->row[k] >= 0 && o->step[x->t->row[k]] != 0)
            rows *= (double)x->rows[k];
    return rows;
}

static bool moves_along(const struct operand *o, int d) {
    return d >= 0 && o->step[d] != 0;
}

int model_lane(const struct model *m, const struct poly_tiling *t) {
    return t->split >= 0 ? m->dims + t->split : t->vec;
}

int64_t model_group(const struct model *m, const struct poly_tiling *t, int64_t rows,
                    int64_t lanes) {
    int lane = model_lane(m, t);
    return target_group(m->target, m->s->stmt->rhs, lane < 0 ? "" : model_name(m, lane), rows,
                        lanes, m->lanes);
}

/* Is the range of iterator i of the reduce not the same for all tiles? */
static bool is_cut_short(const struct model *m, const struct poly_tiling *t, int i) {
    bool found = false;
    for (int k = 0; k < m->borders.len && !found; k++) {
        const struct border *b = &m->borders.data[k];
        found = b->iter == i && b->whole < 1 && !is_in_tile(t, b->dim);
    }
    return found;
}

/* Loops of the reduce that are loops of the C as well: codegen writes out those inside, so that
 * rows can share what they load. */
static int loops_of(const struct model *m, const struct shape *x) {
    const struct poly_tiling *t = x->t;
    int64_t steps = 1, sums = x->rows[0] * x->rows[1];
    sums *= m->target->scalable ? 1 : x->vectors;
    int loops = m->iters;
    while (loops > 0 && loops <= MAX_REDUCE && t->split < 0) {
        int i = t->order[loops - 1];
        int64_t extent = m->extent[m->dims + i];
        steps *= extent;
        if (extent > TILE_WRITTEN_STEPS || steps * sums > TILE_WRITTEN_SUMS ||
            is_cut_short(m, t, i))
            break;
        loops--;
    }
    return loops;
}

/* Where the loop over iterator i stands, the outermost being 0. */
static int place_of(const struct model *m, const struct poly_tiling *t, int i) {
    int place = i;
    for (int k = 0; k < m->iters && k < MAX_REDUCE; k++)
        place = t->order[k] == i ? k : place;
    return place;
}

static int64_t greatest_divisor(int64_t x, int64_t y) {
    while (y != 0) {
        int64_t rest = x % y;
        x = y;
        y = rest;
    }
    return x;
}

/* Windows overlap: row i at step j + b of iterator r reads what row i + a reads at step j, rows
 * being along row[k]. */
static bool find_overlap(const struct model *m, const struct operand *o, const struct shape *x,
                         int k, int r, int64_t *a, int64_t *b) {
    if (x->t->row[k] < 0)
        return false;
    int64_t row = o->step[x->t->row[k]], step = o->step[m->dims + r];
    if (row == STEP_UNKNOWN || step == STEP_UNKNOWN || row == 0 || step == 0)
        return false;
    int64_t common = greatest_divisor(llabs(row), llabs(step));
    *a = llabs(step) / common;
    *b = llabs(row) / common;
    return *a < x->rows[k] && *b < m->extent[m->dims + r];
}

/* The part of the loads of all rows and steps, written out, that differ. */
static double part_different(const struct model *m, const struct operand *o,
                             const struct shape *x) {
    double part = 1;
    int64_t a, b;
    for (int k = 0; k < 2; k++)
        for (int r = 0; r < m->iters; r++) {
            if (place_of(m, x->t, r) < x->loops || !find_overlap(m, o, x, k, r, &a, &b))
                continue;
            double rows = (double)x->rows[k], steps = (double)m->extent[m->dims + r];
            part *= 1 - (rows - (double)a) * (steps - (double)b) / (rows * steps);
        }
    return part;
}

/* What rows load in a step and leave to the next one, which compilers keep: neighbours in a
 * window, in the loops of the reduce from place `from` on. */
static double left_to_next(const struct model *m, const struct operand *o,
                           const struct shape *x, int from) {
    double most = 0;
    int64_t a, b;
    for (int k = 0; k < 2; k++)
        for (int r = 0; r < m->iters; r++)
            if (place_of(m, x->t, r) >= from && find_overlap(m, o, x, k, r, &a, &b))
                most = fmax(most, rows_of(o, x) * (1 - (double)a / (double)x->rows[k]));
    return most;
}

/* Scalars of all rows that are lanes of vectors (codegen's vector_scalars.c): the vectors that
 * are known at once, and how many are loaded in a step. A loop along which they lie side by
 * side is written out as often as a vector has lanes; else rows or windows may lie so. */
struct lane_vectors {
    bool any; // else they are scalars
    double known, loads;
};

/* Does codegen write steps of the innermost loop out, along which the operand walks? */
static bool is_turned(const struct model *m, const struct operand *o, const struct shape *x) {
    double sums = (double)(x->rows[0] * x->rows[1] * x->vectors), steps = (double)m->lanes;
    bool walks = false;
    for (int r = 0; r < m->iters; r++) {
        int64_t extent = m->extent[m->dims + r];
        if (place_of(m, x->t, r) >= x->loops)
            steps *= (double)extent;
        else if (place_of(m, x->t, r) == x->loops - 1)
            walks = o->step[m->dims + r] == 1 && extent >= m->lanes;
    }
    return walks && x->t->split < 0 && steps * sums <= TILE_WRITTEN_SUMS;
}

/* Elements of the operand that rows and steps written out read side by side. */
static double side_by_side(const struct model *m, const struct operand *o,
                           const struct shape *x) {
    double run = 1;
    for (int n = 0; n < m->dims + m->iters; n++) {
        int d = o->by_step[n];
        double count = 1;
        if (d >= m->dims && place_of(m, x->t, d - m->dims) >= x->loops)
            count = (double)m->extent[d];
        for (int k = 0; k < 2; k++)
            count = d == x->t->row[k] ? (double)x->rows[k] : count;
        if (count > 1 && o->step[d] != STEP_UNKNOWN && (double)llabs(o->step[d]) <= run)
            run += (count - 1) * (double)llabs(o->step[d]);
    }
    return run;
}

static struct lane_vectors lane_vectors(const struct model *m, const struct operand *o,
                                        const struct shape *x) {
    double rows = rows_of(o, x), lanes = (double)m->lanes;
    double run = side_by_side(m, o, x), part = part_different(m, o, x), steps = 1;
    for (int r = 0; r < m->iters; r++)
        if (o->step[m->dims + r] != 0 && place_of(m, x->t, r) >= x->loops)
            steps *= (double)m->extent[m->dims + r];
    if (is_turned(m, o, x))
        return (struct lane_vectors){true, part * rows * steps, part * rows / lanes};
    if (run >= lanes)
        return (struct lane_vectors){true, ceil(run / lanes),
                                     part * rows * ceil(run / lanes) / run};
    return (struct lane_vectors){false, 1, part * rows};
}

/* Is it a scalar in each row, which may be a lane of a vector? */
static bool is_lane(const struct model *m, const struct operand *o, const struct shape *x) {
    int lane = model_lane(m, x->t);
    return m->target->lanes && o->inside && x->t->split < 0 && (lane < 0 || o->step[lane] == 0);
}

/* Registers of vectors that the scalars of a step take. */
static double scalar_registers(const struct model *m, const struct shape *x) {
    double known = 0;
    if (m->target->scalar_factor)
        return 0;
    for (int k = 0; k < m->operands.len; k++)
        if (is_lane(m, &m->operands.data[k], x))
            known += lane_vectors(m, &m->operands.data[k], x).known;
    return known > 1 ? known : 1;
}

/* Masks beyond the first that the lanes have in steps that are written out. */
static double masks_of(const struct model *m, const struct shape *x) {
    double masks = 0;
    for (int k = 0; k < m->borders.len; k++) {
        const struct border *b = &m->borders.data[k];
        if (b->dim == x->t->vec && b->whole < 1 && place_of(m, x->t, b->iter) >= x->loops)
            masks += (double)m->extent[m->dims + b->iter] - 1;
    }
    return masks;
}

/* Values that a step of so many cycles has no registers for: accumulators, vectors that rows
 * share, what is kept for other steps. Returns the cycles with them. Scalars are kept through
 * the innermost loop as well; what is put together of several loads is worth keeping in memory.
 */
static double with_spills(const struct model *m, const struct shape *x, double cycles) {
    double sums = (double)(x->rows[0] * x->rows[1] * x->vectors), left = masks_of(m, x);
    double vectors = 0;
    int lane = model_lane(m, x->t);
    for (int k = 0; k < m->operands.len; k++) {
        const struct operand *o = &m->operands.data[k];
        if (o->inside && (lane < 0 || o->step[lane] == 0))
            left += m->target->scalar_factor || (is_lane(m, o, x) && lane_vectors(m, o, x).any)
                        ? 0
                        : left_to_next(m, o, x, x->loops - 1);
        else if (o->inside && llabs(o->step[lane]) == 1)
            vectors += left_to_next(m, o, x, x->loops) * (double)x->vectors;
    }
    double scalars = scalar_registers(m, x);
    double more = sums + (double)x->vectors + left + vectors + scalars - m->target->registers;
    cycles *= (left > 0 || scalars > 1) && more > 0 ? SPILLED : 1;
    double each = m->target->scalable ? SPILL_SCALABLE : SPILL_CYCLES;
    return more > 0 ? cycles + each * fmin(more, vectors) : cycles;
}

/* The place of the loop that walks along a line of the operand: those inside come back to the
 * line. Without one, the last. */
static int place_along_line(const struct model *m, const struct operand *o,
                            const struct shape *x) {
    int place = m->iters;
    for (int i = 0; i < m->iters; i++) {
        int64_t step = o->step[m->dims + i];
        if (step != 0 && step != STEP_UNKNOWN && llabs(step) * o->size < LINE)
            place = place_of(m, x->t, i);
    }
    return place;
}

/* `count` lines `step` elements apart beside those that there are; *apart divides all that lie
 * between them. */
static void add_lines(const struct operand *o, int64_t step, double count, double *lines,
                      int64_t *apart) {
    int64_t bytes;
    if (step == 0 || step == STEP_UNKNOWN || !size_mul(llabs(step), o->size, &bytes))
        return;
    while (bytes % *apart)
        *apart /= 2;
    *lines *= count;
}

/* Do so many lines, all of them multiples of `apart` from each other, need more than the ways
 * of the sets that they fall into? */
static bool is_crowded(double lines, int64_t apart) {
    return apart > LINE && lines > WAYS * (double)(PAGE / apart);
}

/* Elements that lie a multiple of a page apart fall into the same few sets of the nearest
 * cache: when rows, and steps before the line is come back to, touch more of them than its
 * ways, each load has to fetch its line again. */
static bool is_aliased(const struct model *m, const struct operand *o, const struct shape *x) {
    double lines = 1;
    int64_t apart = PAGE, step;
    int along_line = place_along_line(m, o, x);
    for (int k = 0; k < 2; k++)
        if (x->t->row[k] >= 0)
            add_lines(o, o->step[x->t->row[k]], (double)x->rows[k], &lines, &apart);
    for (int i = 0; i < m->iters && x->t->split < 0; i++) {
        step = o->step[m->dims + i];
        if (place_of(m, x->t, i) > along_line && step != STEP_UNKNOWN &&
            llabs(step) * o->size >= LINE)
            add_lines(o, step, (double)m->extent[m->dims + i], &lines, &apart);
    }
    return is_crowded(lines, apart);
}

/* The part of what iterator r of the reduce (counted with the dimensions) walks along in the
 * operand that is new at the next instance along d; 1: they do not meet. */
static double part_new(const struct model *m, const struct operand *o, int d, int r) {
    int64_t along = o->step[d], step = o->step[r];
    if (step == 0 || step == STEP_UNKNOWN || along == 0 || along == STEP_UNKNOWN ||
        along % step != 0)
        return 1;
    return fmin((double)llabs(along / step) / (double)m->extent[r], 1);
}

bool model_is_window(const struct model *m, const struct operand *o) {
    bool found = false;
    for (int d = m->s->num_repeats; d < m->dims; d++)
        for (int r = m->dims; r < m->dims + m->iters; r++)
            found |= part_new(m, o, d, r) < 1;
    return found;
}

/* What a vector costs whose lanes along `lane` are not neighbours, in units of a vector load:
 * one for each vector that they lie in, and the permutations; else one by one. A guard must be
 * known lane by lane, which it is in steps that are written out. Scalable vectors have loads
 * of lanes anywhere, one a cycle. */
static double spread_loads(const struct model *m, const struct operand *o,
                           const struct shape *x, int lane) {
    int64_t windows = o->spread[lane].windows;
    bool guarded = lane < m->dims && m->guarded[lane];
    bool known = !guarded || x->t->block >= m->extent[lane];
    for (int r = 0; r < m->iters && guarded; r++)
        known &= o->step[m->dims + r] == 0 || m->extent[m->dims + r] <= TILE_WRITTEN_STEPS;
    if (m->target->scalable)
        return (double)m->lanes * m->target->loads;
    if (windows <= 0 || !known)
        return 1.5 * (double)m->lanes;
    return (double)(windows + (windows > 1 ? windows - 1 : 1));
}

/* Loads of a scalar that all vectors of a row share. */
static double scalars_again(const struct shape *x) {
    bool both = x->vectors > 1 && x->whole < (double)x->vectors;
    return !both ? 1 : x->vectors > 2 ? AGAIN : AGAIN_MOST_TWO;
}

/* Loads that an operand takes for one step of all rows, in units of a vector load. */
static double loads_of(const struct model *m, const struct operand *o, const struct shape *x) {
    int lane = model_lane(m, x->t);
    int64_t step = lane < 0 ? 0 : o->step[lane];
    bool split = x->t->split >= 0; // rows that are walked along side by side
    if (o->packed && step != 0)
        step = 1;
    double part = part_different(m, o, x);
    if (step == 0 && is_lane(m, o, x))
        return lane_vectors(m, o, x).loads * (is_aliased(m, o, x) ? ALIASED : 1);
    if (step == 0)
        return part * rows_of(o, x) * (is_aliased(m, o, x) ? ALIASED : 1) * scalars_again(x);
    if (step == 1)
        return part * rows_of(o, x) * x->whole *
               ((split || model_is_window(m, o)) && is_aliased(m, o, x) ? ALIASED : 1) *
               (!x->masked         ? 1
                : m->target->masks ? MASKED
                                   : MASKED_BY_LANE * (double)m->lanes);
    return part * rows_of(o, x) * x->whole * spread_loads(m, o, x, lane);
}

/* Does what the operand reads depend on the steps that are written out? */
static bool moves_in_steps(const struct model *m, const struct operand *o,
                           const struct shape *x) {
    bool moves = false;
    for (int r = 0; r < m->iters; r++)
        moves |= o->step[m->dims + r] != 0 && place_of(m, x->t, r) >= x->loops;
    return moves;
}

/* Steps that are written out follow each other as the vectors do that rows share: then a scalar
 * is loaded for each row, unless all of them fit the registers. */
static double loads_again(const struct model *m, const struct operand *o,
                          const struct shape *x) {
    int lane = model_lane(m, x->t);
    double rows = (double)(x->rows[0] * x->rows[1]), steps = 1, sorted = 0;
    if (lane < 0 || o->step[lane] != 0 || !moves_in_steps(m, o, x))
        return 0;
    for (int k = 0; k < m->operands.len; k++) {
        const struct operand *other = &m->operands.data[k];
        sorted += other->inside && other->step[lane] != 0 && rows_of(other, x) > 1 &&
                  moves_in_steps(m, other, x);
    }
    for (int r = 0; r < m->iters; r++)
        steps *= place_of(m, x->t, r) >= x->loops ? (double)m->extent[m->dims + r] : 1;
    double sums = rows * (double)x->vectors, scalars = steps * rows_of(o, x);
    sums = m->target->scalar_factor ? 0 : sums; // those have registers of their own
    return sorted > 0 && sums + scalars > m->target->registers ? rows - rows_of(o, x) : 0;
}

/* Two things that are done at once hinder each other the more, the less room the longer one
 * leaves: `part` of it when both take as long. Measured: GEMM tiles on Zen 4. */
static double overlap(double x, double y, double part, double power) {
    double most = fmax(x, y);
    return most * (1 + part * pow(fmin(x, y) / most, power));
}

/* Are there rows that may be outside of an array, each read of which is a choice: steps that
 * are written out are so far apart that codegen has no zeros for them? */
static bool has_choices(const struct model *m, const struct shape *x) {
    const struct poly_tiling *t = x->t;
    bool found = false;
    for (int k = 0; k < m->borders.len; k++) {
        const struct border *b = &m->borders.data[k];
        if ((b->dim != t->row[0] && b->dim != t->row[1]) || b->whole >= 1 ||
            place_of(m, t, b->iter) >= x->loops)
            continue;
        for (int i = 0; i < m->operands.len; i++) {
            const struct operand *o = &m->operands.data[i];
            double walk = 0;
            for (int r = 0; r < m->iters; r++)
                if (place_of(m, t, r) >= x->loops && o->step[m->dims + r] != STEP_UNKNOWN)
                    walk += (double)llabs(o->step[m->dims + r]) *
                            (double)(m->extent[m->dims + r] - 1);
            found |= o->inside && moves_along(o, b->dim) && walk > TILE_MOST_ZEROS;
        }
    }
    return found;
}

/* Instructions of one step of the reduction whose vectors take groups of registers. */
static double step_instructions(const struct model *m, const struct shape *x) {
    int lane = model_lane(m, x->t);
    double count = (double)(x->rows[0] * x->rows[1]) * m->ops_inside;
    for (int k = 0; k < m->operands.len; k++) {
        const struct operand *o = &m->operands.data[k];
        bool group = lane >= 0 && (o->step[lane] == 1 || (o->packed && o->step[lane] != 0));
        if (o->inside)
            count += loads_of(m, o, x) / (group ? x->whole : 1) + loads_again(m, o, x);
    }
    return count;
}

/* Cycles of one step of the reduction. */
static double step_cycles(const struct model *m, const struct shape *x) {
    const struct target *t = m->target;
    double sums = (double)(x->rows[0] * x->rows[1]) * x->whole, loads = 0;
    for (int k = 0; k < m->operands.len; k++)
        if (m->operands.data[k].inside)
            loads +=
                loads_of(m, &m->operands.data[k], x) + loads_again(m, &m->operands.data[k], x);
    double cycles = sums * m->ops_inside / t->fmas;
    if (t->in_order)
        cycles += loads / t->loads;
    else // few instructions begin in a cycle where vectors are short
        cycles = overlap(cycles, loads / t->loads, 0.2, t->lanes ? 2 : 4);
    if (t->scalable)
        cycles = overlap(cycles, step_instructions(m, x) / BEGUN, 0.2, 2);
    bool pointers = x->t->row[1] >= 0 && m->guarded[x->t->row[0]] && m->guarded[x->t->row[1]];
    cycles = with_spills(m, x, cycles);
    cycles += has_choices(m, x) ? CHOICE_CYCLES : 0;
    return fmax(cycles, t->latency) * (pointers ? 1.15 : 1); // one for each corner
}

/* Cycles for a lane of so many rows that are neighbours in memory: blocks of as many rows as
 * lanes are transposed in registers. Where nothing else takes time, one with fewer rows costs
 * as much, and writes parts of lines; what has left the cache before the next block writes the
 * rest comes back. */
static double turned_stores(const struct model *m, const struct shape *x,
                            const struct operand *store, int64_t rows) {
    int64_t rest = m->reduce ? 0 : rows % m->lanes, apart = PAGE;
    double lanes = (double)m->lanes, lines = 1, some = TURNED_SOME * lanes;
    add_lines(store, store->step[x->t->vec], lanes, &lines, &apart);
    if (is_crowded(lines, apart))
        some *= ALIASED;
    if (rest < TILE_TURNED_ROWS)
        some = ONE_BY_ONE * (double)rest;
    return TURNED * (double)(rows - rest) + some;
}

/* Cycles of stores whose lanes are not neighbours. */
static double scattered_stores(const struct model *m, const struct shape *x,
                               const struct operand *store) {
    double rows = (double)(x->rows[0] * x->rows[1]), each = ONE_BY_ONE;
    if (m->target->scalable)
        return rows * x->whole * (double)m->lanes; // one a cycle
    for (int k = 0; k < 2 && x->t->vec >= 0; k++)
        if (x->t->row[k] >= 0 && store->step[x->t->row[k]] == 1)
            each = turned_stores(m, x, store, x->rows[k]) / (double)x->rows[k];
    return rows * x->whole * (double)m->lanes * each;
}

/* Cycles of what is around the reduction. */
static double around_cycles(const struct model *m, const struct shape *x) {
    const struct target *t = m->target;
    double rows = (double)(x->rows[0] * x->rows[1]), sums = rows * x->whole;
    const struct operand *store = &m->operands.data[m->operands.len - 1];
    double loads = 0;
    for (int k = 0; k + 1 < m->operands.len; k++)
        if (!m->operands.data[k].inside)
            loads += loads_of(m, &m->operands.data[k], x);
    if (x->t->split >= 0)
        return rows * (FOLD_CYCLES + m->ops_outside + 1) + loads / t->loads;
    double stores = sums / t->stores;
    int64_t step = x->t->vec < 0 ? 0 : store->step[x->t->vec];
    if (step != 1)
        stores = scattered_stores(m, x, store);
    return fmax(sums * m->ops_outside / t->fmas, loads / t->loads) + stores;
}

/* Memory that a tile touches of an operand. */
struct extent {
    double lines, run;  // cache lines; bytes that follow each other
    double step, count; // of the dimension that was last: bytes from one to the next, how many
    bool in_run;        // it made the run longer
};

/* `count` elements `step` bytes apart of what is there: longer runs, or more of them. Steps
 * within what the last dimension covers are windows that overlap. */
static void widen(struct extent *e, int64_t step, double count) {
    double bytes = (double)(step < 0 ? -step : step), more;
    if (step == 0 || count <= 1)
        return;
    if (e->step > 0 && fmod(bytes, e->step) == 0 && bytes / e->step < e->count) {
        more = (count - 1) * bytes / e->step;
        e->run += e->in_run ? more * e->step : 0;
        e->lines *= e->in_run ? 1 : (e->count + more) / e->count;
        e->count += more;
        return;
    }
    e->step = bytes;
    e->count = count;
    e->in_run = bytes <= e->run || bytes < LINE;
    if (e->in_run)
        e->run += bytes * (count - 1);
    else
        e->lines *= count;
}

/* What the loops of the reduce from place `from` on touch of the operand: its dimensions in
 * order of their steps. */
static struct extent extent_in_tile(const struct model *m, const struct operand *o,
                                    const struct shape *x, int from) {
    struct extent e = {.lines = 1, .run = (double)o->size};
    const struct poly_tiling *t = x->t;
    for (int n = 0; n < m->dims + m->iters; n++) {
        int d = o->by_step[n];
        double count = 1;
        if (d >= m->dims)
            count = place_of(m, t, d - m->dims) >= from ? (double)m->extent[d] : 1;
        else if (d == t->row[0] || d == t->row[1])
            count = (double)x->rows[d == t->row[1]];
        else if (d == t->vec)
            count = (double)(x->vectors * m->lanes);
        if (o->packed && t->split < 0 && o->step[d] != 0)
            e.run *= count;
        else if (o->step[d] == STEP_UNKNOWN && d == t->vec)
            widen(&e, o->spread[d].windows * o->size, count);
        else if (o->step[d] == STEP_UNKNOWN)
            e.lines *= count;
        else
            widen(&e, o->step[d] * o->size, count);
    }
    e.lines *= ceil(e.run / LINE);
    return e;
}

/* Bytes that the loops of the reduce from place `from` on touch of all operands. */
static double bytes_inside(const struct model *m, const struct shape *x, int from) {
    double bytes = 0;
    for (int k = 0; k < m->operands.len; k++)
        if (m->operands.data[k].inside)
            bytes += extent_in_tile(m, &m->operands.data[k], x, from).lines * LINE;
    return bytes;
}

/* Bytes of the operand that come into the nearest cache in the course of a tile more than once:
 * turns of a loop share what they touch only when what one touches stays there. */
static double bytes_again(const struct model *m, const struct operand *o,
                          const struct shape *x) {
    double bytes = 0, whole = 0;
    for (int k = m->iters; k >= 0; k--) {
        double before = whole;
        whole = extent_in_tile(m, o, x, k).lines * LINE;
        if (k == m->iters)
            bytes = whole;
        else if (before > 0)
            bytes *= bytes_inside(m, x, k + 1) > (double)m->target->cache[0]
                         ? (double)m->extent[m->dims + x->t->order[k]]
                         : whole / before;
    }
    return bytes > whole ? bytes - whole : 0;
}

/* The part of a tile's lines that the tile before had not: windows overlap, and where rows are
 * what changes, the next ones may lie in the same lines. */
static double part_fresh(const struct model *m, const struct operand *o, const struct shape *x,
                         const struct extent *e) {
    const struct poly_tiling *t = x->t;
    int row = t->row[1] > t->row[0] ? 1 : 0;
    double part = 1, lines = ceil(e->run / LINE) * LINE;
    if (t->vec_outer && moves_along(o, t->row[row]) && o->step[t->row[row]] != STEP_UNKNOWN &&
        x->rows[row] < m->extent[t->row[row]])
        part = (double)(llabs(o->step[t->row[row]]) * o->size * x->rows[row]) / lines;
    part = part < 1 ? part : 1;
    for (int r = m->dims; r < m->dims + m->iters; r++)
        for (int d = m->s->num_repeats; d < m->dims; d++)
            part *= is_in_tile(t, d) ? 1 : part_new(m, o, d, r);
    return part;
}

/* Bytes that the tile walks along in one go: with lanes along the reduction it goes through all
 * rows side by side, even where one begins at another's end. */
static double run_of(const struct model *m, const struct operand *o, const struct shape *x,
                     const struct extent *e) {
    struct shape row = *x;
    row.rows[0] = row.rows[1] = 1;
    return x->t->split >= 0 ? extent_in_tile(m, o, &row, 0).run : e->run;
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
        bool changes = t->vec_outer || t->vec < 0 ? by_row : by_lane;
        if ((!by_row && !by_lane) || o->bytes <= half)
            continue;
        struct extent e = extent_in_tile(m, o, x, 0);
        double bytes = e.lines * LINE;
        if (o->inside && x->t->split < 0 && m->iters <= MAX_REDUCE)
            cycles += bytes_again(m, o, x) / model_source(m->target, bytes);
        if (changes) {
            double fresh = part_fresh(m, o, x, &e);
            double run = run_of(m, o, x, &e);
            bool far = o->source<bandwidth[0], streams = e.lines * LINE> STREAMS * run;
            double late = far ? 1 + SHORT_RUN / run : 1;
            late *= far && streams ? 1.5 : 1;
            cycles += bytes * (fresh * late / o->source + (1 - fresh) / bandwidth[0]);
        } else if (bytes > half) { // the same as before, but too much to stay near
            cycles += KEPT * bytes / model_source(m->target, bytes);
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
            extent = ceil(extent / (double)(m->lanes * x->vectors));
        steps *= extent;
        if (place_of(m, x->t, i) < x->loops - 1)
            outer *= (double)m->extent[m->dims + i];
    }
    double cycles = TILE_CYCLES + around_cycles(m, x);
    if (m->reduce)
        cycles += steps * step_cycles(m, x) + outer * STEP_CYCLES;
    return x->count * overlap(cycles, fetch_cycles(m, x), 0.3, 2);
}

double model_traffic(const struct model *m) {
    double cycles = 0;
    for (int k = 0; k < m->operands.len; k++)
        cycles += m->operands.data[k].bytes / m->operands.data[k].first;
    return cycles;
}

/* The same of scalable vectors: a row has one at a time, in as many registers as there are for
 * it, and the tile is done in turns. */
static void fill_turns(const struct model *m, struct shape *x, int64_t lanes) {
    const struct poly_tiling *t = x->t;
    lanes = t->split >= 0 ? m->extent[m->dims + t->split] : lanes;
    x->vectors = model_group(m, t, x->rows[0] * x->rows[1], lanes);
    x->whole = (double)x->vectors;
    x->masked = t->vec >= 0 && m->guarded[t->vec];
    if (t->split < 0)
        x->count *= ceil((double)lanes / (double)(x->vectors * m->lanes));
}

/* So many lanes in a row: codegen (vector.c) takes a half vector for the last ones where they
 * are as many as it has. */
static void fill_lanes(const struct model *m, struct shape *x, int64_t lanes) {
    if (m->target->scalable) {
        fill_turns(m, x, lanes);
        return;
    }
    bool half = m->target->half && x->t->vec >= 0 && 2 * (lanes % m->lanes) == m->lanes;
    x->vectors = (lanes + m->lanes - 1) / m->lanes;
    x->whole = (double)x->vectors - (half ? 0.5 : 0);
    x->masked = (x->t->vec >= 0 && m->guarded[x->t->vec]) || (lanes < m->lanes && !half);
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
                x.count = parts[0][a].count * parts[1][b].count * parts[2][c].count;
                fill_lanes(m, &x, parts[2][c].size * folds);
                x.loops = loops_of(m, &x);
                cycles += shape_cycles(m, &x);
            }
    return cycles;
}

double model_cycles(const struct model *m, const struct poly_tiling *t) {
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
            cut_parts(pieces, cut_dimension(m, t->vec, t->block, t->unit, pieces), parts[2]);
    struct part folds[2] = {{1, 1}};
    int num_folds = 1;
    if (t->fold >= 0)
        num_folds = cut_parts(pieces, model_cut(m->extent[t->fold], t->folds, pieces), folds);
    for (int d = 0; d < m->dims; d++)
        if (!is_in_tile(t, d))
            rest *= (double)m->extent[d];
    for (int f = 0; f < num_folds; f++)
        cycles += rest * folds[f].count * parts_cycles(m, t, parts, num, folds[f].size);
    return overlap(cycles, model_traffic(m), 0.3, 2);
}

double model_arithmetic(const struct model *m) {
    static const struct poly_tiling none = {.vec = -1, .fold = -1, .row = {-1, -1}};
    double instances = 1, steps = part_left(m, &none);
    for (int d = 0; d < m->dims; d++)
        instances *= (double)m->extent[d];
    for (int i = 0; i < m->iters; i++)
        steps *= (double)m->extent[m->dims + i];
    double ops = instances * (m->ops_outside + (m->reduce ? steps * m->ops_inside : 0));
    return ops / (double)m->lanes / m->target->fmas;
}
