/* The search for a statement's tiles: all that are worth trying are weighed by the cost model.
 *
 * Lanes lie along a dimension of the statement, or, when sums may be taken in any order, along
 * an iterator of its reduction (`split`). */
#include "polyhedral/model.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum {
    MAX_VECTORS = 8, // of a row
    MAX_SIZES = 12,  // of rows along a dimension
    /* Registers of a group that blocks of lanes have use for, whoever reads them. */
    PANEL_GROUP = 4,
};

/* The order of the reduce's loops: `inner` innermost, `next` around it, the others around those
 * as the text has them. */
static void order_reduce(const struct model *m, struct poly_tiling *t, int next, int inner) {
    int n = 0;
    for (int i = 0; i < m->iters && n < MAX_REDUCE; i++)
        if (i != inner && i != next)
            t->order[n++] = i;
    if (next >= 0)
        t->order[n++] = next;
    if (inner >= 0)
        t->order[n] = inner;
}

/* The panels that an operand's layout cuts dimension d into; 0: it is whole everywhere. */
static int64_t panel_of(const struct model *m, int d) {
    int64_t panel = 0;
    for (int k = 0; k < m->operands.len; k++) {
        const struct poly_access *a = m->operands.data[k].a;
        const struct array *array = &m->poly->loops->arrays.data[a->array];
        for (int i = 0; a->index && i < array->layout_rank; i++)
            if (array->layout[i].mod && array->kind == ARRAY_CONST &&
                expr_mentions(a->index[array->layout[i].dim], model_name(m, d)))
                panel = array->layout[i].mod;
    }
    return panel;
}

/* Have so many rows and vectors of each, of a scalable target registers of its vector, room? */
static bool fits_registers(const struct model *m, const struct poly_tiling *t, int64_t rows,
                           int64_t vectors) {
    bool fits = rows * vectors + vectors + 1 <= m->target->registers;
    if (m->target->scalable)
        fits = rows == 1 || model_group(m, t, rows, INT64_MAX) >= vectors;
    return fits && rows <= TILE_MOST_ROWS;
}

static void weigh_order(const struct model *m, struct poly_tiling *t,
                        struct poly_tiling *best) {
    for (int outer = 0; outer < (t->vec >= 0 && t->row[0] >= 0 ? 2 : 1); outer++) {
        t->vec_outer = outer;
        t->cycles = model_cycles(m, t);
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

/* Have long vectors, too, use for all their lanes? Blocks can be chosen for them, unless a
 * layout has chosen. */
static bool suits_long(const struct model *m, const struct poly_tiling *t) {
    int64_t group = model_group(m, t, t->rows[0] * t->rows[1], t->block);
    group = group < PANEL_GROUP ? PANEL_GROUP : group;
    return !m->target->scalable || t->vec < 0 || t->block == m->extent[t->vec] ||
           panel_of(m, t->vec) > 0 || group * m->most_lanes <= t->block;
}

/* The tile with the loops of its reduction in any order, as long as that may be the best. */
static void weigh(const struct model *m, struct poly_tiling *t, struct poly_tiling *best) {
    int last = m->iters - 1;
    if (!suits_long(m, t))
        return;
    bool free_order = !m->poly->strict && m->iters <= MAX_REDUCE && m->iters > 1;
    if (!free_order) {
        order_reduce(m, t, -1, -1);
        weigh_order(m, t, best);
    }
    for (int inner = last; inner >= 0 && free_order; inner--)
        for (int next = last; next >= 0; next--) {
            if (next == inner || (t->split >= 0 && inner != t->split))
                continue;
            order_reduce(m, t, next, inner);
            weigh_order(m, t, best);
        }
}

/* Does some operand with lanes along d have windows? */
static bool has_windows(const struct model *m, int d) {
    bool found = false;
    for (int k = 0; k < m->operands.len && !found; k++)
        found = d >= 0 && m->operands.data[k].inside && m->operands.data[k].step[d] != 0 &&
                model_is_window(m, &m->operands.data[k]);
    return found;
}

/* Adds sizes for rows along d, at most `most`: that, the least that needs no more tiles, and
 * the largest that divides the extent; returns how many there are then. */
static int add_sizes(int64_t extent, int64_t most, int64_t *sizes, int n) {
    int64_t size = extent < most ? extent : most;
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

/* Adds, of at most `size` rows along d, whole blocks of as many rows as lanes, where the store
 * walks along d and nothing else takes time: they are transposed. */
static int add_blocks(const struct model *m, int d, int64_t size, int64_t *sizes, int n) {
    int64_t blocks = size / m->lanes * m->lanes;
    bool turned = !m->target->scalable && !m->reduce &&
                  m->operands.data[m->operands.len - 1].step[d] == 1;
    bool known = !turned || blocks < 2;
    for (int k = 0; k < n; k++)
        known |= sizes[k] == blocks;
    if (!known)
        sizes[n++] = blocks;
    return n;
}

/* The most rows that leave each a register for a vector of its scalars. */
static int64_t rows_with_lanes(const struct model *m, const struct poly_tiling *t) {
    int64_t vectors = (t->block * t->folds + m->lanes - 1) / m->lanes;
    return (m->target->registers - vectors) / (vectors + 1);
}

/* Sizes worth trying for rows along d, at most `most`, and at most half of that, which leaves
 * registers for what steps share, or as many as leave some for scalars; returns how many. */
static int row_sizes(const struct model *m, const struct poly_tiling *t, int d, int64_t most,
                     int64_t *sizes) {
    int64_t extent = m->extent[d], size = extent < most ? extent : most;
    int64_t panel = panel_of(m, d);
    while (panel > 0 && size > 1 && panel % size)
        size--; // a tile is in one panel
    if (size < 2)
        return 0;
    sizes[0] = size;
    if (panel > 0)
        return 1;
    int n = add_blocks(m, d, size, sizes, add_sizes(extent, most, sizes, 0));
    int64_t lanes = m->target->lanes ? rows_with_lanes(m, t) / t->rows[0] : 0;
    if (lanes > 1 && lanes < most)
        n = add_sizes(extent, lanes, sizes, n);
    return has_windows(m, t->vec) && most >= 4 ? add_sizes(extent, most / 2, sizes, n) : n;
}

static void try_second_row(const struct model *m, const bool *taken, struct poly_tiling *t,
                           int64_t most, struct poly_tiling *best) {
    int64_t sizes[MAX_SIZES];
    for (int d = m->s->num_repeats; d < m->dims; d++) {
        if (taken[d] || d == t->vec || d == t->fold || d == t->row[0])
            continue;
        int n = row_sizes(m, t, d, most / t->rows[0], sizes);
        for (int k = 0; k < n; k++) {
            t->row[1] = d;
            t->rows[1] = sizes[k];
            weigh(m, t, best);
        }
    }
    t->row[1] = -1;
    t->rows[1] = 1;
}

/* All rows for the lanes of t, each with so many vectors. */
static void try_rows_of(const struct model *m, const bool *taken, struct poly_tiling *t,
                        int64_t vectors, struct poly_tiling *best) {
    int64_t most = TILE_MOST_ROWS, sizes[MAX_SIZES];
    if (t->fixed_row >= 0) { // the nest's
        t->row[0] = t->fixed_row;
        if (fits_registers(m, t, t->rows[0], vectors))
            weigh(m, t, best);
        return;
    }
    weigh(m, t, best);
    while (most > 1 && !fits_registers(m, t, most, vectors))
        most--;
    for (int d = m->s->num_repeats; d < m->dims; d++) {
        if (taken[d] || d == t->vec || d == t->fold)
            continue;
        int n = row_sizes(m, t, d, most, sizes);
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

/* The same with as many vectors as the lanes need; scalable ones in groups of registers. */
static void try_rows(const struct model *m, const bool *taken, struct poly_tiling *t,
                     struct poly_tiling *best) {
    int64_t lanes = t->split >= 0 ? m->extent[m->dims + t->split] : t->block * t->folds;
    if (!m->target->scalable)
        try_rows_of(m, taken, t, (t->block * t->folds + m->lanes - 1) / m->lanes, best);
    for (int64_t group = 1; m->target->scalable && group <= MAX_VECTORS; group *= 2)
        if (group == 1 || group / 2 * m->lanes < lanes)
            try_rows_of(m, taken, t, group, best);
}

/* Blocks of lanes; scalable ones are whole, but for a rest. */
static void set_block(const struct model *m, struct poly_tiling *t, int64_t block) {
    t->block = block < m->extent[t->vec] ? block : m->extent[t->vec];
    t->unit = m->target->scalable ? t->block : m->lanes;
}

static void try_folds(const struct model *m, const bool *taken, struct poly_tiling *t,
                      struct poly_tiling *best) {
    int64_t extent = m->extent[t->vec];
    set_block(m, t, extent);
    for (int d = m->s->num_repeats; d < m->dims; d++) {
        if (taken[d] || d == t->vec || d == t->fixed_row || m->extent[d] < 2 ||
            !model_folds(m->poly, m->s, d, t->vec, extent))
            continue;
        t->fold = d;
        for (t->folds = 2;
             t->folds <= m->extent[d] && t->folds * extent <= MAX_VECTORS * m->most_lanes;
             t->folds++)
            try_rows(m, taken, t, best);
    }
    t->fold = -1;
    t->folds = 1;
}

/* Can codegen tell where lanes along d are, in tiles of `block` of them? */
static bool is_told(const struct model *m, int d, int64_t block) {
    bool told = true;
    for (int k = 0; k < m->operands.len && told; k++) {
        const struct spread *s = &m->operands.data[k].spread[d];
        told =
            s->windows >= 0 && (block >= m->extent[d] || (s->unit > 0 && block % s->unit == 0));
    }
    return told;
}

static void try_lanes(const struct model *m, const bool *taken, struct poly_tiling *t,
                      struct poly_tiling *best) {
    int64_t extent = m->extent[t->vec], panel = panel_of(m, t->vec);
    if (panel > 0) { // a tile is in one panel
        set_block(m, t, panel);
        try_rows(m, taken, t, best);
        return;
    }
    for (int64_t n = 1; n <= MAX_VECTORS && (n == 1 || (n - 1) * m->most_lanes < extent);
         n += n < 4 ? 1 : 2) {
        set_block(m, t, n * m->most_lanes);
        if (is_told(m, t->vec, t->block))
            try_rows(m, taken, t, best);
    }
    if (extent <= MAX_VECTORS * m->most_lanes && !is_told(m, t->vec, m->most_lanes)) {
        set_block(m, t, extent);
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

static void try_all(const struct model *m, const bool *taken, struct poly_tiling *t,
                    struct poly_tiling *best) {
    for (int d = m->s->num_repeats; d < m->dims; d++) {
        if (taken[d] || d == t->fixed_row || m->extent[d] < 2 || !is_walked(m, d) ||
            !is_told(m, d, m->extent[d]))
            continue;
        t->vec = d;
        try_lanes(m, taken, t, best);
    }
    t->vec = -1;
    t->block = 1;
    for (int i = 0; i < m->iters && !m->poly->strict; i++) {
        t->split = i;
        if (m->extent[m->dims + i] >= m->lanes && is_walked(m, m->dims + i) &&
            is_told(m, m->dims + i, m->lanes))
            try_rows(m, taken, t, best);
    }
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
    model_read(&m, pack);
    m.lanes = model_lanes(&m);
    m.most_lanes =
        m.target->scalable ? m.lanes * m.target->most_bytes / m.target->vector_bytes : m.lanes;
    t.unit = m.lanes;
    if (m.lanes > 1) {
        model_read_spreads(&m);
        try_all(&m, taken, &t, out);
        out->arithmetic = model_arithmetic(&m);
        out->memory = model_traffic(&m);
    }
    arena_free(&m.scratch);
    return out->vec >= 0 || out->split >= 0;
}
