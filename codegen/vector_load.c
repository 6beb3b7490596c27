/* Loads of a tile of vectors (codegen/vector.h): the lanes of the point at hand from memory. */
#include "codegen/vector.h"

#include <inttypes.h>

/* Lanes far apart of which not all are there: through an array. */
static const char *load_through_array(struct vector_tile *t, const struct vector_place *p) {
    struct emit *em = t->em;
    int64_t count = t->lane_count - t->lane_from;
    if (t->mask || t->lane_count == 0)
        return vector_fail(t);
    const char *array = vector_name(t, 'z'), *at = vector_name(t, 'i');
    const char *type = dtype_info(t->dtype)->c_type;
    put_indent(em);
    putf(em, "%s %s[%d];\n", type, array, t->width);
    put_indent(em);
    putf(em, "for (int32_t %s = 0; %s < %" PRId64 "; %s++)\n", at, at, count, at);
    put_indent(em);
    putf(em, "    %s[%s] = (%s)[%s * %" PRId64 "];\n", array, at, vector_address(t, p), at,
         p->lane_step);
    t->local_bytes += (int64_t)t->width * dtype_info(t->dtype)->bits / 8;
    return vector_prim(t, PRIM_LOAD_SOME, array, t->tail, NULL);
}

/* The call that loads what lies at p. */
static const char *load_text(struct vector_tile *t, const struct vector_place *p) {
    const char *address = vector_address(t, p);
    if (p->lane_step == 1) {
        const char *mask = vector_both_masks(t, t->mask, t->tail);
        return mask ? vector_prim(t, PRIM_LOAD_SOME, address, mask, NULL)
                    : vector_prim(t, PRIM_LOAD, address, NULL, NULL);
    }
    if (t->mask || t->tail)
        return load_through_array(t, p);
    return vector_prim(t, PRIM_GATHER, address,
                       arena_printf(&t->em->arena, "%" PRId64, p->lane_step), NULL);
}

/* The load where t->cond holds, else `none`. */
static const char *where_cond(struct vector_tile *t, const char *type, const char *load,
                              const char *none) {
    return arena_printf(&t->em->arena, "%s ? (%s)%s : %s",
                        vector_scalar(t, vector_condition(t, t->cond), C_OR), type, load, none);
}

const char *vector_load(struct vector_tile *t, const struct expr *e) {
    struct vector_place p;
    if (e->dtype != t->dtype || !vector_place(t, e->array, e->arg[0], false, &p))
        return vector_fail(t);
    if (p.lane_step == 0)
        return vector_fail(t); // only a part of its index that is not evenly spaced
    const char *load = load_text(t, &p);
    if (t->cond && !p.zeros)
        load = where_cond(t, vector_type(t), load, vector_prim(t, PRIM_ZERO, NULL, NULL, NULL));
    return vector_let(t, vector_type(t), 'x', load);
}

const char *vector_load_mask(struct vector_tile *t, const struct expr *e) {
    const char *type = prim_mask_type(t->target, t->dtype);
    struct vector_place p;
    if (!vector_place(t, e->array, e->arg[0], false, &p) || p.lane_step != 1)
        return vector_fail(t);
    const char *address = vector_address(t, &p);
    const char *mask = vector_both_masks(t, t->mask, t->tail);
    const char *load = mask ? vector_prim(t, PRIM_LOAD_MASK_SOME, address, mask, NULL)
                            : vector_prim(t, PRIM_LOAD_MASK, address, NULL, NULL);
    if (t->cond) {
        const char *zero = vector_prim(t, PRIM_ZERO, NULL, NULL, NULL);
        load = where_cond(t, type, load, vector_prim(t, PRIM_NE, zero, zero, NULL));
    }
    return vector_let(t, type, 'q', load);
}
