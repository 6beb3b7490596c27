/* Scalars from lanes of vectors (codegen/vector.h), for targets that multiply by one lane:
 * those that vectors are multiplied with and that lie side by side in memory - steps of a
 * reduction along a row, neighbouring rows, the elements of a window - are loaded as vectors.
 *
 *     const float32x4_t w0 = vld1q_f32(&a0[k]);
 *     s0_0 = vfmaq_laneq_f32(s0_0, x0, w0, 0); … s0_0 = vfmaq_laneq_f32(s0_0, x1, w0, 1); …
 *
 * The scalars of a whole body are noted before it is printed, so that it is known which there
 * are: all that lies between two of them can be read. */
#include "codegen/vector.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- which scalars ---- */

/* The load of a scalar, and the condition that it is read under; else it is 0. */
struct read {
    const struct expr *load, *cond; // NULL: it is no such thing; none
};

static struct read read_of(struct vector_tile *t, const struct expr *e) {
    struct read r = {NULL, NULL};
    if (e->kind == EXPR_GUARD && e->arg[0]->kind == EXPR_LOAD &&
        e->arg[1]->kind == EXPR_CONST && e->arg[1]->value.u == 0) {
        struct vector_bounds b = vector_bounds_of(t, e);
        r.load = b.never ? NULL : e->arg[0];
        r.cond = b.cond;
    } else if (e->kind == EXPR_LOAD) {
        r.load = e;
    }
    if (r.load && r.load->dtype != t->dtype)
        r.load = NULL;
    return r;
}

static bool same_condition(const struct expr *x, const struct expr *y) {
    return x == y || (x && y && expr_equal(x, y));
}

static struct vector_scalar *find_scalar(struct vector_tile *t, const struct read *r) {
    const struct expr *rest;
    int64_t at;
    if (!r->load || !vector_constant(t, r->load->arg[0], &at, &rest))
        return NULL;
    for (int i = 0; i < t->scalars.len; i++) {
        struct vector_scalar *s = &t->scalars.data[i];
        if (s->at == at && s->buffer == r->load->array && expr_equal(s->rest, rest) &&
            same_condition(s->cond, r->cond))
            return s;
    }
    return NULL;
}

static void note_scalar(struct vector_tile *t, const struct expr *e) {
    struct read r = read_of(t, e);
    struct vector_scalar s = {.cond = r.cond};
    if (!r.load || find_scalar(t, &r) || !vector_constant(t, r.load->arg[0], &s.at, &s.rest))
        return;
    s.buffer = r.load->array;
    vec_push(&t->em->arena, &t->scalars, s);
}

void vector_note_scalars(struct vector_tile *t, const struct expr *e) {
    bool product = e->kind == EXPR_FUNC && e->func == FUNC_MUL && e->n == 2;
    for (int k = 0; k < 2 && product; k++)
        if (!vector_by_lane(t, e->arg[k]) && vector_by_lane(t, e->arg[1 - k]))
            note_scalar(t, e->arg[k]);
    for (int k = 0; k < e->n && e->kind == EXPR_FUNC; k++)
        vector_note_scalars(t, e->arg[k]);
}

/* ---- which vectors ---- */

/* May both be lanes of one vector? */
static bool are_related(const struct vector_scalar *x, const struct vector_scalar *y) {
    return x->buffer == y->buffer && expr_equal(x->rest, y->rest) &&
           same_condition(x->cond, y->cond);
}

/* Gives the vector from `start` on to all related scalars that lie in it and have none. */
static void assign_vector(struct vector_tile *t, const struct vector_scalar *like,
                          int64_t start) {
    for (int i = 0; i < t->scalars.len; i++) {
        struct vector_scalar *s = &t->scalars.data[i];
        if (s->lanes == 0 && s->at >= start && s->at < start + t->lanes &&
            are_related(s, like)) {
            s->start = start;
            s->lanes = t->lanes;
        }
    }
}

/* The scalar with the least place that has no vector yet, of those related to `like`. */
static struct vector_scalar *first_without(struct vector_tile *t,
                                           const struct vector_scalar *like) {
    struct vector_scalar *first = NULL;
    for (int i = 0; i < t->scalars.len; i++) {
        struct vector_scalar *s = &t->scalars.data[i];
        if (s->lanes == 0 && !s->alone && are_related(s, like) && (!first || s->at < first->at))
            first = s;
    }
    return first;
}

/* Vectors from the first scalar on; the last one ends where the last scalar lies. */
static void cover_related(struct vector_tile *t, const struct vector_scalar *like) {
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (int i = 0; i < t->scalars.len; i++) {
        const struct vector_scalar *s = &t->scalars.data[i];
        if (!are_related(s, like))
            continue;
        least = s->at < least ? s->at : least;
        most = s->at > most ? s->at : most;
    }
    struct vector_scalar *s;
    while ((s = first_without(t, like))) {
        int64_t start = s->at + t->lanes - 1 > most ? most - t->lanes + 1 : s->at;
        bool shares = false;
        for (int i = 0; i < t->scalars.len; i++) {
            const struct vector_scalar *o = &t->scalars.data[i];
            shares |= o != s && o->at >= start && o->at < start + t->lanes && are_related(o, s);
        }
        s->alone = start < least || !shares;
        if (!s->alone)
            assign_vector(t, like, start);
    }
}

void vector_group_scalars(struct vector_tile *t) {
    for (int i = 0; i < t->scalars.len; i++)
        if (t->scalars.data[i].lanes == 0 && !t->scalars.data[i].alone)
            cover_related(t, &t->scalars.data[i]);
}

/* ---- their use ---- */

/* The vector that the scalar of the read lies in, by name; NULL: it cannot be loaded. */
static const char *load_vector(struct vector_tile *t, const struct read *r,
                               const struct vector_scalar *s) {
    struct arena *a = &t->em->arena;
    const struct expr *outer = t->cond, *index = r->load->arg[0];
    const struct expr *first = expr_2(a, FUNC_ADD, index, expr_index(a, s->start - s->at));
    const struct expr *last = expr_2(a, FUNC_ADD, first, expr_index(a, s->lanes - 1));
    struct vector_place p, end; // the end as well: as many zeros are needed
    t->cond = vector_both(t, outer, r->cond);
    bool placed = vector_place(t, s->buffer, first, false, &p) &&
                  vector_place(t, s->buffer, last, false, &end) &&
                  (!t->cond || (p.zeros && end.zeros));
    t->cond = outer;
    if (!placed)
        return NULL;
    const char *load = vector_prim(t, PRIM_LOAD, vector_address(t, &p), NULL, NULL);
    bool stays = t->unsure || r->cond || outer || s->buffer == t->node->buffer;
    int level = stays ? t->num_levels - 1 : vector_level_of(t, first);
    return level < t->num_levels - 1 ? vector_keep(t, level, vector_type(t), 'h', load)
                                     : vector_let_long(t, vector_type(t), 'w', load);
}

const char *vector_fma_lane(struct vector_tile *t, const struct expr *scalar,
                            const struct expr *v, const char *x) {
    struct read r = read_of(t, scalar);
    const struct vector_scalar *s = t->scalars.len > 0 ? find_scalar(t, &r) : NULL;
    if (!s || s->lanes == 0 || s->lanes != t->width)
        return NULL;
    const char *w = load_vector(t, &r, s);
    if (!w || t->failed)
        return NULL;
    const char *lane = arena_printf(&t->em->arena, "%" PRId64, s->at - s->start);
    const char *args[] = {vector_value(t, v), w, x, lane};
    return vector_prim_of(t, PRIM_FMA_LANE, args);
}
