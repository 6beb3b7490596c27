/* Loads whose lanes do not follow each other (codegen/vector.h): every second element, an index
 * that is halved, mirrored or from a table. The index is computed for each lane; where the
 * results differ by constants alone, the lanes are so many elements from the nearest of them,
 * whatever the rest is.
 *
 * Lanes that lie within a few vectors come from these by permutations, others are gathered. */
#include "codegen/vector.h"

#include <inttypes.h>

enum {
    MOST_REACH = 1 << 27, // elements: offsets in bytes are an int32_t
};

/* ---- where they are ---- */

/* An element of a constant as its value. */
static const struct expr *known_element(void *user, const struct expr *e) {
    struct vector_tile *t = user;
    int64_t at;
    if (e->kind != EXPR_LOAD || !expr_as_int(e->arg[0], &at))
        return e;
    const struct buffer *b = &t->em->ast->buffers.data[e->array];
    bool known = b->kind == BUFFER_CONST && b->dtype == DTYPE_I64 && at >= 0 &&
                 at < b->bytes / (int64_t)sizeof(int64_t);
    return known ? expr_const(&t->em->arena, b->dtype, dtype_load(b->dtype, b->data, at)) : e;
}

/* The index in lane j; `lane`, if not NULL, stands for the iterator of a loop over lanes. */
static const struct expr *index_in_lane(struct vector_tile *t, const struct expr *index,
                                        int64_t j, const struct expr *lane) {
    struct arena *a = &t->em->arena;
    const struct expr *value = expr_index(a, j);
    if (lane)
        value = expr_2(a, FUNC_ADD, lane, value);
    index = expr_subst(a, index, &t->lane, &value, 1);
    return expr_find(index, EXPR_LOAD) ? expr_map(a, index, known_element, t) : index;
}

bool vector_has_lane(const struct vector_tile *t, int lane) {
    bool known = t->tail && !t->lane_loop && t->lane_count > 0;
    if (t->target->scalable)
        return true;
    return (t->guard.lanes >> lane & 1) && (!known || t->lane_from + lane < t->lane_count);
}

/* Moves where lanes are, from the first, so that the least is 0, and gives those that are not
 * there its place. */
static void count_from_least(const struct vector_tile *t, int64_t *at, int64_t *least,
                             int64_t *most) {
    *least = INT64_MAX;
    *most = INT64_MIN;
    for (int j = 0; j < t->width; j++) {
        if (!vector_has_lane(t, j))
            continue;
        *least = at[j] < *least ? at[j] : *least;
        *most = at[j] > *most ? at[j] : *most;
    }
    for (int j = 0; j < t->width; j++)
        at[j] = vector_has_lane(t, j) ? at[j] - *least : 0;
}

bool vector_spread(struct vector_tile *t, const struct expr *index, struct vector_spread *s,
                   const struct expr **nearest) {
    struct arena *a = &t->em->arena;
    const struct expr *var = expr_var(a, DTYPE_INDEX, t->lane), *rest, *base = NULL;
    /* The iterator of a loop over lanes is a multiple of their number. */
    const struct expr *whole = expr_2(a, FUNC_MUL, var, expr_index(a, t->width));
    var = t->lane_loop ? var : NULL;
    whole = t->lane_loop ? whole : NULL;
    int64_t *at = arena_array(a, int64_t, t->width), least, most, first = 0;
    for (int j = 0; j < t->width; j++) {
        if (!vector_has_lane(t, j))
            continue;
        const struct expr *here = index_in_lane(t, index, t->lane_from + j, whole);
        if (!vector_constant(t, here, &at[j], &rest) || (base && !expr_equal(base, rest)))
            return false;
        if (!base) {
            *nearest = index_in_lane(t, index, t->lane_from + j, var);
            first = at[j];
        }
        base = rest;
    }
    if (!base)
        return false;
    count_from_least(t, at, &least, &most);
    *nearest = expr_2(a, FUNC_ADD, *nearest, expr_index(a, least - first));
    *s = (struct vector_spread){.at = at, .reach = most - least};
    return s->reach <= MOST_REACH;
}

bool vector_find_lanes(struct vector_tile *t, const struct expr *index, int64_t count,
                       int64_t *at, int64_t *reach, const struct expr **nearest) {
    struct arena *a = &t->em->arena;
    const struct expr *rest, *base = NULL;
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (int64_t j = 0; j < count; j++) {
        if (!vector_constant(t, index_in_lane(t, index, j, NULL), &at[j], &rest) ||
            (base && !expr_equal(base, rest)))
            return false;
        base = rest;
        least = at[j] < least ? at[j] : least;
        most = at[j] > most ? at[j] : most;
    }
    for (int64_t j = 0; j < count; j++)
        at[j] -= least;
    *nearest = expr_2(a, FUNC_ADD, base, expr_index(a, least));
    *reach = most - least;
    return *reach <= MOST_REACH;
}

/* ---- their load ---- */

/* "0, 2, 4, 6" */
static const char *numbers_text(struct vector_tile *t, const int64_t *numbers) {
    struct str s = {0};
    for (int j = 0; j < t->width; j++)
        str_addf(&s, j ? ", %" PRId64 : "%" PRId64, numbers[j]);
    const char *c = arena_strdup(&t->em->arena, str_cstr(&s));
    str_free(&s);
    return c;
}

/* A vector from the element `from` of the place on; of the first `count` elements alone where
 * there may not be as many as it has lanes. */
static const char *load_window(struct vector_tile *t, const struct vector_place *place,
                               int64_t from, int64_t count) {
    struct arena *a = &t->em->arena;
    struct vector_place p = *place;
    p.index = expr_2(a, FUNC_ADD, p.index, expr_index(a, from));
    const char *address = vector_address(t, &p);
    if (count >= t->width || place->spread.room)
        return vector_let_load(t, place, vector_prim(t, PRIM_LOAD, address, NULL, NULL));
    const char *first =
        vector_prim(t, PRIM_FIRST, arena_printf(a, "%" PRId64, count), NULL, NULL);
    first = vector_hoist(t, 0, prim_mask_type(t->target, t->dtype), 'm', first);
    return vector_let_load(t, place, vector_prim(t, PRIM_LOAD_SOME, address, first, NULL));
}

/* Vectors in which all lanes lie: the elements where they begin; the first is 0. */
struct windows {
    int num;
    int64_t first[TILE_MOST_WINDOWS]; // the nearest lane of each, in ascending order
    int64_t start[TILE_MOST_WINDOWS]; // it, or less where the vector would reach beyond the
                                      // last lane
};

/* From the nearest lane on, as many as it takes; false: more than TILE_MOST_WINDOWS. */
static bool find_windows(const struct vector_tile *t, const struct vector_spread *s,
                         struct windows *w) {
    int64_t last = s->reach + 1 - t->width, next = 0;
    for (w->num = 0; next <= s->reach; w->num++) {
        if (w->num == TILE_MOST_WINDOWS)
            return false;
        w->first[w->num] = next;
        w->start[w->num] = w->num > 0 && next > last ? last : next;
        int64_t end = next + t->width;
        next = INT64_MAX;
        for (int j = 0; j < t->width; j++)
            next = s->at[j] >= end && s->at[j] < next ? s->at[j] : next;
    }
    return true;
}

/* The lanes so far, in x, and those of window k. */
static const char *add_window(struct vector_tile *t, const struct vector_place *p,
                              const struct windows *w, const char *x, int k) {
    const int64_t *at = p->spread.at;
    int64_t numbers[VECTOR_MOST_LANES];
    for (int j = 0; j < t->width; j++) {
        numbers[j] = k == 1 && at[j] < w->first[k] ? at[j] : j;
        if (at[j] >= w->first[k] && at[j] - w->start[k] < t->width)
            numbers[j] = t->width + at[j] - w->start[k];
    }
    const char *y = load_window(t, p, w->start[k], t->width);
    return vector_let(t, vector_type(t), 'y',
                      vector_prim(t, PRIM_PERMUTE2, x, y, numbers_text(t, numbers)));
}

const char *vector_or_pad(struct vector_tile *t, const char *x) {
    const char *pad = t->pad ? t->pad : vector_prim(t, PRIM_ZERO, NULL, NULL, NULL);
    return vector_let(t, vector_type(t), 'y', vector_prim(t, PRIM_SELECT, t->mask, x, pad));
}

static const char *load_windows(struct vector_tile *t, const struct vector_place *p,
                                const struct windows *w) {
    const char *x = load_window(t, p, 0, p->spread.reach + 1);
    for (int k = 1; k < w->num && !t->failed; k++)
        x = add_window(t, p, w, x, k);
    if (w->num == 1)
        x = vector_let(t, vector_type(t), 'y',
                       vector_prim(t, PRIM_PERMUTE, x, numbers_text(t, p->spread.at), NULL));
    return t->mask ? vector_or_pad(t, x) : x;
}

const char *vector_load_spread(struct vector_tile *t, const struct vector_place *p) {
    struct windows w;
    bool tail_known = !t->tail || (!t->lane_loop && t->lane_count > 0);
    bool known = tail_known && (!t->mask || t->guard.known);
    if (known && prim_has(t->target, PRIM_PERMUTE, t->dtype) &&
        prim_has(t->target, PRIM_PERMUTE2, t->dtype) && find_windows(t, &p->spread, &w))
        return load_windows(t, p, &w);
    const char *mask = vector_both_masks(t, t->mask, t->tail), *address = vector_address(t, p);
    const char *numbers = numbers_text(t, p->spread.at);
    const char *x =
        vector_let_load(t, p,
                        mask ? vector_prim(t, PRIM_GATHER_SOME, address, mask, numbers)
                             : vector_prim(t, PRIM_GATHER, address, numbers, NULL));
    return t->pad ? vector_or_pad(t, x) : x;
}
