/* Loads whose lanes do not follow each other (codegen/vector.h): every second element, an index
 * that is halved, mirrored or from a table. The index is computed for each lane; where the
 * results differ by constants alone, the lanes are so many elements from the nearest of them,
 * whatever the rest is.
 *
 * Lanes that lie within a few vectors come from these by permutations, others are gathered. */
#include "codegen/vector.h"

#include <inttypes.h>

enum {
    MOST_WINDOWS = 4,     // vectors that are permuted into one
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

/* The index in lane j; `lane` stands for the iterator of a loop over lanes. */
static const struct expr *index_in_lane(struct vector_tile *t, const struct expr *index, int j,
                                        const struct expr *lane) {
    struct arena *a = &t->em->arena;
    const struct expr *value = expr_index(a, t->lane_from + j);
    if (t->lane_loop)
        value = expr_2(a, FUNC_ADD, lane, value);
    index = expr_subst(a, index, &t->lane, &value, 1);
    return expr_find(index, EXPR_LOAD) ? expr_map(a, index, known_element, t) : index;
}

bool vector_has_lane(const struct vector_tile *t, int lane) {
    bool known = t->tail && !t->lane_loop && t->lane_count > 0;
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
    int64_t *at = arena_array(a, int64_t, t->width), least, most, first = 0;
    for (int j = 0; j < t->width; j++) {
        if (!vector_has_lane(t, j))
            continue;
        if (!vector_constant(t, index_in_lane(t, index, j, whole), &at[j], &rest) ||
            (base && !expr_equal(base, rest)))
            return false;
        if (!base) {
            *nearest = index_in_lane(t, index, j, var);
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

/* Windows follow each other, but the last ends where the lanes do. */
static int64_t window_start(const struct vector_tile *t, const struct vector_spread *s, int k) {
    int64_t last = s->reach + 1 - t->width, start = (int64_t)k * t->width;
    return k > 0 && start > last ? last : start;
}

/* The lanes so far, in x, and those of window k. */
static const char *add_window(struct vector_tile *t, const struct vector_place *p,
                              const char *x, int k) {
    const struct vector_spread *s = &p->spread;
    int64_t numbers[VECTOR_MOST_LANES], start = window_start(t, s, k);
    for (int j = 0; j < t->width; j++)
        numbers[j] = s->at[j] < (int64_t)k * t->width
                         ? (k == 1 ? s->at[j] : j)
                         : t->width + (s->at[j] - start) % t->width;
    const char *y = load_window(t, p, start, t->width);
    return vector_let(t, vector_type(t), 'y',
                      vector_prim(t, PRIM_PERMUTE2, x, y, numbers_text(t, numbers)));
}

static const char *load_windows(struct vector_tile *t, const struct vector_place *p) {
    const struct vector_spread *s = &p->spread;
    int windows = (int)(s->reach / t->width) + 1;
    const char *x = load_window(t, p, 0, s->reach + 1);
    for (int k = 1; k < windows && !t->failed; k++)
        x = add_window(t, p, x, k);
    if (windows == 1)
        x = vector_let(t, vector_type(t), 'y',
                       vector_prim(t, PRIM_PERMUTE, x, numbers_text(t, s->at), NULL));
    if (!t->mask)
        return x;
    const char *zero = vector_prim(t, PRIM_ZERO, NULL, NULL, NULL);
    return vector_let(t, vector_type(t), 'y', vector_prim(t, PRIM_SELECT, t->mask, x, zero));
}

const char *vector_load_spread(struct vector_tile *t, const struct vector_place *p) {
    bool surely =
        (!t->mask || t->guard.known) && (!t->tail || (!t->lane_loop && t->lane_count));
    if (surely && p->spread.reach < (int64_t)MOST_WINDOWS * t->width &&
        prim_has(t->target, PRIM_PERMUTE, t->dtype) &&
        prim_has(t->target, PRIM_PERMUTE2, t->dtype))
        return load_windows(t, p);
    const char *mask = vector_both_masks(t, t->mask, t->tail), *address = vector_address(t, p);
    const char *numbers = numbers_text(t, p->spread.at);
    return vector_let_load(t, p,
                           mask ? vector_prim(t, PRIM_GATHER_SOME, address, mask, numbers)
                                : vector_prim(t, PRIM_GATHER, address, numbers, NULL));
}
