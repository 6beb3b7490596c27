/* Tiles of scalable vectors (codegen/vector.h): how many lanes one has is known at run time,
 * and stands in the variable `vl`. A tile has one vector for each row, in as many registers as
 * its rows leave for it, and a loop over lanes around all of it, whose last turn has fewer:
 *
 *     size_t vl;
 *     for (int32_t n = 0; n < 96; n += (int32_t)vl) {
 *         vl = __riscv_vsetvl_e32m4((size_t)(96 - n));
 *         … accumulators, loops of the reduction, stores
 *     }
 *
 * Where the shortest vector has all lanes there is no loop. Lanes of a load at even distances
 * come by a load with a stride, others by one with offsets, from a table of the whole tile. */
#include "codegen/vector.h"

#include <inttypes.h>

enum { MOST_OFFSETS = 4096 }; // of one table

/* ---- the vectors ---- */

void vector_choose_group(struct vector_tile *t) {
    struct emit *em = t->em;
    int64_t lanes = t->lane_count > 0 ? t->lane_count : INT32_MAX;
    int k = 0, group = target_group(em->opt->target, t->node->value, t->lane, t->points, lanes,
                                    prim_lanes(em->opt->target, t->dtype));
    while (k < 3 && em->groups[k].group < group)
        k++;
    t->whole = &em->groups[k];
}

/* ---- the loop over lanes ---- */

/* `vl = …;` or its declaration, at the end of `to`. */
static void put_length(struct vector_tile *t, struct str *to, const char *before,
                       const char *length) {
    struct str *out = t->em->fn.out;
    t->em->fn.out = to;
    put_indent(t->em);
    putf(t->em, "%svl = %s;\n", before, length);
    t->em->fn.out = out;
}

/* Of `lanes` lanes, a C expression, as many as a vector takes. */
static const char *length_of(struct vector_tile *t, const char *lanes) {
    return vector_prim(t, PRIM_LENGTH, lanes, NULL, NULL);
}

bool vector_is_one_length(const struct vector_tile *t) {
    const struct target *target = t->whole;
    int64_t surely = (int64_t)t->width * target->least_bytes * target->group;
    return t->lane_count > 0 && t->lane_count * target->vector_bytes <= surely;
}

void vector_declare_length(struct vector_tile *t) {
    struct str *head = &t->levels[0].head;
    if (vector_is_one_length(t)) {
        const char *lanes = arena_printf(&t->em->arena, "%d", (int)t->lane_count);
        put_length(t, head, "const size_t ", length_of(t, lanes));
    } else if (t->split) {
        put_length(t, head, "size_t ", vector_prim(t, PRIM_MOST_LENGTH, NULL, NULL, NULL));
    } else {
        put_line(t->em, "size_t vl;");
    }
}

void vector_open_lengths(struct vector_tile *t, const struct expr *count) {
    struct emit *em = t->em;
    t->lane_from = 0;
    t->vector = 0;
    t->tail = NULL;
    t->lane_loop = !vector_is_one_length(t);
    if (!t->lane_loop) {
        vector_set_lane_range(t, 0, t->lane_count - 1);
        return;
    }
    int64_t none, most;
    vector_open_by_length(t, t->lane, count);
    if (emit_range(em, count, &none, &most))
        vector_set_lane_range(t, 0, most - 1);
    const struct expr *lane = expr_var(&em->arena, DTYPE_INDEX, t->lane);
    const char *left = vector_scalar(t, expr_2(&em->arena, FUNC_SUB, count, lane), C_ANY);
    t->first_level = t->num_levels - 1;
    put_length(t, &t->levels[t->first_level].head, "", length_of(t, left));
}

void vector_close_lengths(struct vector_tile *t) {
    if (!t->lane_loop)
        return;
    vector_close(t);
    t->first_level = 0;
}

void vector_take_most_length(struct vector_tile *t) {
    put_length(t, t->em->fn.out, "", vector_prim(t, PRIM_MOST_LENGTH, NULL, NULL, NULL));
}

int vector_first_level(const struct vector_tile *t, int level) {
    return level < t->first_level ? t->first_level : level;
}

/* ---- offsets ---- */

static bool is_same(const struct lane_offsets *x, const struct lane_offsets *y) {
    return x->dtype == y->dtype && x->count == y->count &&
           memcmp(x->at, y->at, (size_t)x->count * sizeof *x->at) == 0;
}

/* The array's name: an old one where there is an equal one. */
static const char *add_offsets(struct emit *em, struct lane_offsets add) {
    for (int k = 0; k < em->offsets.len; k++)
        if (is_same(&em->offsets.data[k], &add))
            return em->offsets.data[k].name;
    add.name = arena_printf(&em->arena, "%s_lanes%d", em->opt->prefix, em->offsets.len);
    vec_push(&em->arena, &em->offsets, add);
    return add.name;
}

bool vector_offsets(struct vector_tile *t, const struct expr *index, struct vector_spread *s,
                    const struct expr **nearest) {
    struct arena *a = &t->em->arena;
    if (t->lane_count == 0 || t->lane_count > MOST_OFFSETS)
        return false;
    struct lane_offsets o = {.dtype = t->dtype, .count = t->lane_count};
    int64_t *at = arena_array(a, int64_t, o.count);
    if (!vector_find_lanes(t, index, o.count, at, &s->reach, nearest))
        return false;
    o.at = at;
    const char *name = add_offsets(t->em, o);
    const struct expr *lane = expr_var(a, DTYPE_INDEX, t->lane);
    s->table =
        t->lane_loop ? arena_printf(a, "&%s[%s]", name, vector_scalar(t, lane, C_ANY)) : name;
    return true;
}

void vector_print_offsets(struct emit *em) {
    for (int k = 0; k < em->offsets.len; k++) {
        const struct lane_offsets *o = &em->offsets.data[k];
        int size = dtype_info(o->dtype)->bits / 8;
        putf(em, "\nstatic const uint%d_t %s[%d] = {", 8 * size, o->name, (int)o->count);
        for (int64_t j = 0; j < o->count; j++)
            putf(em,
                 j == 0   ? "%" PRId64
                 : j % 16 ? ", %" PRId64
                          : ",\n    %" PRId64,
                 o->at[j] * size);
        put(em, "};\n");
    }
}

/* ---- loads ---- */

/* The elements of a place that lanes have at even distances other than 1, or by a table. */
static const char *load_apart(struct vector_tile *t, const struct vector_place *p,
                              const char *address, const char *mask) {
    bool table = p->spread.table;
    const char *how =
        table ? p->spread.table : arena_printf(&t->em->arena, "%" PRId64, p->lane_step);
    if (mask)
        return vector_prim(t, table ? PRIM_LOAD_INDEXED_SOME : PRIM_LOAD_STRIDED_SOME, address,
                           how, mask);
    return vector_prim(t, table ? PRIM_LOAD_INDEXED : PRIM_LOAD_STRIDED, address, how, NULL);
}

const char *vector_load_apart(struct vector_tile *t, const struct vector_place *p) {
    const char *load = load_apart(t, p, vector_address(t, p), t->mask);
    const char *x = vector_let_load(t, p, load);
    return t->pad ? vector_or_pad(t, x) : x;
}
