/* What the cost model knows of a statement: its operands, their strides and sizes, how much it
 * computes, how much of its reduction padding leaves; and what does not depend on a target:
 * which constants can be packed, where dimensions go on in each other, which loop goes where.
 */
#include "polyhedral/model.h"

#include <math.h>
#include <stdlib.h>

enum { COSTLY_OPS = 16 }; // of a function such as exp

/* ---- what the statement does ---- */

const char *model_name(const struct model *m, int d) {
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
    if (array->kind != ARRAY_CONST || array->dtype == DTYPE_I64 || // a table of indices
        a->write || !a->index || array->rank == 0 || !dtype_bytes(array->dtype, 1, &bytes) ||
        dtype_info(array->dtype)->bits < 8)
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

double model_source(const struct target *t, double bytes) {
    for (int k = 0; k < 2; k++)
        if (bytes <= (double)t->cache[k + 1] * 0.75)
            return t->bandwidth[k];
    return t->bandwidth[2];
}

/* Bytes per cycle at which an array comes the first time: constants are read once in a run of
 * the program, and lie where all of them have room. */
static double first_source(const struct model *m, const struct poly_access *a, double bytes) {
    bool constant = m->poly->loops->arrays.data[a->root].kind == ARRAY_CONST;
    return model_source(m->target, constant ? fmax(m->constants, bytes) : bytes);
}

static double bytes_of_constants(const struct loops *l) {
    double bytes = 0;
    for (int k = 0; k < l->arrays.len; k++)
        if (l->arrays.data[k].kind == ARRAY_CONST)
            bytes += (double)l->arrays.data[k].bytes;
    return bytes;
}

/* Dimensions and iterators in order of their steps. */
static const int *sort_steps(struct model *m, const int64_t *step) {
    int *order = arena_array(&m->scratch, int, m->dims + m->iters);
    for (int n = 0; n < m->dims + m->iters; n++) {
        int at = n;
        for (; at > 0 && llabs(step[order[at - 1]]) > llabs(step[n]); at--)
            order[at] = order[at - 1];
        order[at] = n;
    }
    return order;
}

double model_stored(const struct poly *p, int root) {
    const struct array *a = &p->loops->arrays.data[root];
    return (double)loops_elements(p->loops, root) * dtype_info(a->dtype)->bits / 8;
}

/* Bytes of an array that come from where *stored lie: those of a ring come again and again, but
 * for one that never leaves the nearest cache. */
static double bytes_of(const struct model *m, int root, double *stored) {
    const struct loops *l = m->poly->loops;
    const struct array *a = &l->arrays.data[root];
    double bytes = dtype_info(a->dtype)->bits / 8.0;
    *stored = model_stored(m->poly, root);
    if (!reuse_folds(l, a) || *stored <= (double)m->target->cache[0] / 2)
        return *stored;
    *stored = fmax(*stored, m->poly->kept);
    for (int d = 0; d < a->rank; d++)
        bytes *= (double)loops_extent(l, a->extent[d]);
    return bytes;
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
        if (!stride_signed(m->poly, a, model_name(m, d), &step[d]))
            step[d] = STEP_UNKNOWN;
        if (step[d] != 0)
            o.bytes *= (double)m->extent[d];
    }
    o.by_step = sort_steps(m, step);
    double stored, all = bytes_of(m, a->root, &stored);
    o.bytes = o.bytes < all ? o.bytes : all;
    o.source = model_source(m->target, o.bytes < stored ? o.bytes : stored);
    o.first = first_source(m, a, o.bytes < stored ? o.bytes : stored);
    vec_push(&m->scratch, &m->operands, o);
}

/* ---- padding ---- */

static int find_name(const struct model *m, const struct expr *e, int from, int to) {
    int found = -1;
    for (int d = from; d < to; d++)
        found = expr_mentions(e, model_name(m, d)) ? d : found;
    return found;
}

/* lo <= e < hi, e being a sum of dimension d and iterator r of the reduce, each with a factor:
 * the part of the range that is inside, on average. */
static double part_inside(const struct model *m, const struct expr *const *bound, int d,
                          int r) {
    struct arena scratch = {0};
    const char *names[] = {model_name(m, d), model_name(m, r)};
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
        struct border b = {d, r - m->dims, part_inside(m, e->arg + k, d, r)};
        vec_push(&m->scratch, &m->borders, b);
    }
    for (int k = 0; k < e->n; k++)
        find_borders(m, e->arg[k]);
}

/* ---- dimensions ---- */

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

/* ---- all of it ---- */

void model_read(struct model *m, bool pack) {
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
    m->constants = bytes_of_constants(m->poly->loops);
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
