/* Loads of a tile of vectors (codegen/vector.h): the lanes of the point at hand from memory. */
#include "codegen/vector.h"

/* The load where t->cond holds, else `none`. */
static const char *where_cond(struct vector_tile *t, const char *type, const char *load,
                              const char *none) {
    return arena_printf(&t->em->arena, "%s ? (%s)%s : %s",
                        vector_scalar(t, vector_condition(t, t->cond), C_OR), type, load, none);
}

const char *vector_let_load(struct vector_tile *t, const struct vector_place *p,
                            const char *load) {
    if (t->cond && !p->zeros)
        load = where_cond(t, vector_type(t), load, vector_prim(t, PRIM_ZERO, NULL, NULL, NULL));
    return vector_let(t, vector_type(t), 'x', load);
}

const char *vector_load(struct vector_tile *t, const struct expr *e) {
    struct vector_place p;
    if (e->dtype != t->dtype)
        return vector_fail(t, "loads of another type");
    if (!vector_place(t, e->array, e->arg[0], false, &p))
        return vector_fail(t, "lanes that lie nobody knows where");
    if (p.spread.at)
        return vector_load_spread(t, &p);
    if (t->target->scalable && p.lane_step != 1)
        return vector_load_apart(t, &p);
    const char *address = vector_address(t, &p);
    const char *mask = vector_both_masks(t, t->mask, t->tail);
    const char *load = t->pad ? vector_prim(t, PRIM_LOAD_ELSE, address, mask, t->pad)
                       : mask ? vector_prim(t, PRIM_LOAD_SOME, address, mask, NULL)
                              : vector_prim(t, PRIM_LOAD, address, NULL, NULL);
    return vector_let_load(t, &p, load);
}

const char *vector_load_mask(struct vector_tile *t, const struct expr *e) {
    const char *type = prim_mask_type(t->target, t->dtype);
    struct vector_place p;
    if (!vector_place(t, e->array, e->arg[0], false, &p) || p.spread.at ||
        (t->target->scalable && p.lane_step != 1))
        return vector_fail(t, "truth values that do not follow each other");
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
