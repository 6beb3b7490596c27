/* What lanes along a dimension mean for the cost model: how many there are of a statement's
 * values, and where those of a load lie that do not follow each other - every second element,
 * an index that is halved, mirrored, or from a table. codegen (vector_lanes.c) takes them from
 * the vectors that they lie in, when it can tell where they are from that of the first. */
#include "polyhedral/model.h"

#include <stdlib.h>

enum {
    MOST_LANES = 64,
};

/* ---- types ---- */

/* A type of values, and whether e is made of it: of loads and functions that have this type, or
 * are truth values. What only an index has may be of any. */
struct one_type {
    enum dtype type;
    bool other;
};

static void look_at_type(struct one_type *t, const struct expr *e) {
    bool value = e->dtype != DTYPE_INDEX && e->dtype != DTYPE_BOOL;
    if (value && t->type == DTYPE_BOOL)
        t->type = e->dtype;
    t->other |= value && e->dtype != t->type;
    for (int k = 0; k < e->n && e->kind != EXPR_LOAD; k++)
        if (e->arg[k]->dtype != DTYPE_INDEX)
            look_at_type(t, e->arg[k]);
}

static bool has_function(const struct model *m, enum dtype t, enum func f) {
    return !m->target->has || m->target->has(m->target, f, t, m->poly->strict);
}

/* Have vectors of t all functions of e? */
static bool has_functions(const struct model *m, enum dtype t, const struct expr *e) {
    bool computes = e->kind == EXPR_FUNC || e->kind == EXPR_REDUCE;
    bool has = !computes || e->dtype == DTYPE_INDEX || has_function(m, t, e->func);
    for (int k = 0; k < e->n && has && e->kind != EXPR_LOAD; k++)
        has = e->arg[k]->dtype == DTYPE_INDEX || has_functions(m, t, e->arg[k]);
    return has;
}

int64_t model_lanes(const struct model *m) {
    struct one_type t = {.type = m->poly->loops->arrays.data[m->s->stmt->array].dtype};
    bool truth = t.type == DTYPE_BOOL && m->reduce;
    look_at_type(&t, m->s->stmt->rhs);
    t.type = t.type == DTYPE_BOOL ? DTYPE_F32 : t.type; // any that have masks
    bool known = t.type == DTYPE_F32 || t.type == DTYPE_F64;
    known = known && has_function(m, t.type, FUNC_SELECT); // are there vectors of that type?
    known = known && !t.other && !truth && has_functions(m, t.type, m->s->stmt->rhs);
    return known ? m->target->vector_bytes * 8 / dtype_info(t.type)->bits : 0;
}

/* ---- places ---- */

/* An element of a constant table as its value. */
static const struct expr *known_element(void *user, const struct expr *e) {
    struct model *m = user;
    int64_t at = 0, extent, k;
    if (e->kind != EXPR_LOAD || e->dtype != DTYPE_I64)
        return e;
    const struct array *a = &m->poly->loops->arrays.data[e->array];
    if (a->kind != ARRAY_CONST || a->layout_rank > 0)
        return e;
    for (int d = 0; d < a->rank; d++) {
        if (!expr_as_int(e->arg[d], &k) || !expr_as_int(a->extent[d], &extent) || k < 0 ||
            k >= extent)
            return e;
        at = at * extent + k;
    }
    return expr_const(&m->scratch, DTYPE_I64, dtype_load(DTYPE_I64, a->data, at));
}

/* The index e with dimension d at `at`, and the steps of the reduce, which are written out, at
 * their first; only what tables hold is put in their place. */
static const struct expr *index_at(struct model *m, const struct expr *e, int d, int64_t at) {
    const struct expr *zero = expr_index(&m->scratch, 0);
    const struct expr *lane = expr_index(&m->scratch, at);
    for (int k = d < m->dims ? m->dims : d; k < m->dims + m->iters; k++) {
        const char *name = model_name(m, k);
        e = expr_subst(&m->scratch, e, &name, k == d ? &lane : &zero, 1);
    }
    const char *name = model_name(m, d);
    e = expr_subst(&m->scratch, e, &name, &lane, 1);
    return expr_map(&m->scratch, e, known_element, m);
}

/* e = rest + constant; NULL: it is a constant. */
static const struct expr *without_constant(const struct expr *e, int64_t *constant) {
    *constant = 0;
    if (expr_as_int(e, constant))
        return NULL;
    bool sum = e->kind == EXPR_FUNC && (e->func == FUNC_ADD || e->func == FUNC_SUB);
    if (!sum || !expr_as_int(e->arg[1], constant))
        return e;
    *constant = e->func == FUNC_ADD ? *constant : -*constant;
    return e->arg[0];
}

static bool is_same(const struct expr *x, const struct expr *y) {
    return x && y ? expr_equal(x, y) : !x && !y;
}

/* How far apart the subscripts of one dimension of the array are where dimension d is `at` and
 * where it is `from`; false when that depends on more. */
static bool distance(struct model *m, const struct expr *subscript, int d, int64_t from,
                     int64_t at, int64_t *out) {
    int64_t x, y;
    const struct expr *first = without_constant(index_at(m, subscript, d, from), &x);
    const struct expr *other = without_constant(index_at(m, subscript, d, at), &y);
    *out = y - x;
    return is_same(first, other);
}

/* Elements from one step of subscript i of an array to the next; 0: a layout cuts it. */
static int64_t pitch_of(const struct model *m, const struct array *a, int i) {
    int64_t pitch = 1, size, extent = 0;
    for (int k = a->layout_rank - 1; k >= 0; k--) {
        const struct layout_dim *l = &a->layout[k];
        if (l->dim == i)
            return l->div == 1 && l->mod == 0 ? pitch : 0;
        size = layout_dim_size(m->poly->loops, a, l);
        if (!size_mul(pitch, size, &pitch))
            return 0;
    }
    for (int k = a->rank - 1; k > i; k--)
        if (!expr_as_int(a->extent[k], &extent) || !size_mul(pitch, extent, &pitch))
            return 0;
    return pitch;
}

/* Where the operand's element of lane `at` is, from that of lane `from`. */
static bool elements_between(struct model *m, const struct operand *o, int d, int64_t from,
                             int64_t at, int64_t *out) {
    const struct array *a = &m->poly->loops->arrays.data[o->a->array];
    int64_t apart, moved;
    *out = 0;
    for (int i = 0; i < a->rank; i++) {
        if (!expr_mentions(o->a->index[i], model_name(m, d)))
            continue;
        int64_t pitch = pitch_of(m, a, i);
        if (pitch == 0 || !distance(m, o->a->index[i], d, from, at, &apart) ||
            !size_mul(apart < 0 ? -apart : apart, pitch, &moved))
            return false;
        *out += apart < 0 ? -moved : moved;
    }
    return true;
}

static int compare_places(const void *x, const void *y) {
    const int64_t *p = x, *q = y;
    return (*p > *q) - (*p < *q);
}

/* The vectors that the lanes of one that begins at `from` lie in; 0: that cannot be told. */
static int64_t windows_at(struct model *m, const struct operand *o, int d, int64_t from) {
    int64_t at[MOST_LANES] = {0}, windows = 0, n = m->extent[d] - from, covered = 0;
    n = n < m->lanes ? n : m->lanes;
    for (int64_t k = 1; k < n; k++)
        if (!elements_between(m, o, d, from, from + k, &at[k]))
            return 0;
    qsort(at, (size_t)n, sizeof *at, compare_places);
    for (int64_t k = 0; k < n; k++)
        if (windows == 0 || at[k] >= covered) {
            covered = at[k] + m->lanes;
            windows++;
        }
    return windows;
}

/* ---- operands ---- */

/* The least common multiple of what e divides by; 0: it has more than sums and quotients. */
static int64_t divisors_of(const struct expr *e) {
    int64_t unit = 1, by;
    if (e->n == 0)
        return 1;
    bool divides = e->kind == EXPR_FUNC && (e->func == FUNC_DIV || e->func == FUNC_MOD);
    bool sums = e->kind == EXPR_FUNC &&
                (e->func == FUNC_ADD || e->func == FUNC_SUB || e->func == FUNC_MUL);
    if ((!sums && !divides) || (divides && (!expr_as_int(e->arg[1], &by) || by < 1)))
        return 0;
    for (int k = 0; k < (divides ? 1 : e->n); k++) {
        int64_t part = divisors_of(e->arg[k]);
        if (part == 0 || !size_mul(unit, part, &unit))
            return 0;
    }
    return divides && !size_mul(unit, by, &unit) ? 0 : unit;
}

static int64_t unit_along(const struct model *m, const struct operand *o, int d) {
    const struct array *a = &m->poly->loops->arrays.data[o->a->array];
    int64_t unit = 1;
    for (int i = 0; i < a->rank; i++) {
        if (!expr_mentions(o->a->index[i], model_name(m, d)))
            continue;
        int64_t part = divisors_of(o->a->index[i]);
        if (part == 0 || !size_mul(unit, part, &unit))
            return 0;
    }
    return unit;
}

static void read_spread(struct model *m, const struct operand *o, int d, struct spread *s) {
    int64_t step = o->step[d], reach;
    *s = (struct spread){1, 1};
    if (step != STEP_UNKNOWN) {
        bool fits = size_mul(llabs(step), m->lanes - 1, &reach);
        s->windows = fits && reach / m->lanes < TILE_MOST_WINDOWS ? reach / m->lanes + 1 : 0;
        return;
    }
    if (o->a->write || !o->a->index) {
        s->windows = -1;
        return;
    }
    s->unit = unit_along(m, o, d);
    for (int64_t from = 0; from < m->extent[d] && s->windows > 0; from += m->lanes) {
        int64_t windows = windows_at(m, o, d, from);
        s->windows = windows == 0 ? -1 : windows > s->windows ? windows : s->windows;
    }
    s->windows = s->windows > TILE_MOST_WINDOWS ? 0 : s->windows;
}

void model_read_spreads(struct model *m) {
    for (int k = 0; k < m->operands.len; k++) {
        struct operand *o = &m->operands.data[k];
        struct spread *s = arena_array(&m->scratch, struct spread, m->dims + m->iters);
        for (int d = m->s->num_repeats; d < m->dims + m->iters; d++)
            read_spread(m, o, d, &s[d]);
        o->spread = s;
    }
}
