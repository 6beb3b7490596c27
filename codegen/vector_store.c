/* Stores of a tile of vectors (codegen/vector.h): a vector at a time where its lanes are
 * neighbours in memory, else through an array, so that what rows have side by side is written
 * side by side. */
#include "codegen/vector.h"

#include <inttypes.h>

static void put_store(struct vector_tile *t, const char *address, const char *value) {
    const char *store = t->tail ? vector_prim(t, PRIM_STORE_SOME, address, t->tail, value)
                                : vector_prim(t, PRIM_STORE, address, value, NULL);
    put_indent(t->em);
    put(t->em, store);
    put(t->em, ";\n");
}

static int lanes_at_hand(const struct vector_tile *t) {
    int64_t left = t->lane_count - t->lane_from;
    return t->lane_loop || left > t->width ? t->width : (int)left;
}

/* Lane by lane, the rows of each. */
static void put_lanes(struct vector_tile *t, const struct vector_place *places,
                      const char *array) {
    struct emit *em = t->em;
    const char *at = vector_name(t, 'i');
    put_indent(em);
    putf(em, "for (int32_t %s = 0; %s < %d; %s++) {\n", at, at, lanes_at_hand(t), at);
    em->fn.depth++;
    for (int row = 0; row < t->points; row++) {
        put_indent(em);
        putf(em, "(%s)[%s * %" PRId64 "] = %s[%s + %d];\n", vector_address(t, &places[row]), at,
             places[row].lane_step, array, at, row * t->width);
    }
    em->fn.depth--;
    put_line(em, "}");
}

void vector_store_apart(struct vector_tile *t, const struct vector_place *places,
                        const char *const *values) {
    struct emit *em = t->em;
    const char *array = vector_name(t, 'z');
    int elements = t->points * t->width;
    put_indent(em);
    putf(em, "%s %s[%d];\n", dtype_info(t->dtype)->c_type, array, elements);
    t->local_bytes += (int64_t)elements * dtype_info(t->dtype)->bits / 8;
    const char *tail = t->tail;
    t->tail = NULL;
    for (int row = 0; row < t->points; row++)
        put_store(t,
                  row == 0 ? array : arena_printf(&em->arena, "&%s[%d]", array, row * t->width),
                  values[row]);
    t->tail = tail;
    put_lanes(t, places, array);
}

void vector_store(struct vector_tile *t, const struct vector_place *place, const char *value) {
    put_store(t, vector_address(t, place), value);
}

static const struct expr *sum_for(void *user, const struct expr *e) {
    return e->kind == EXPR_REDUCE ? user : e;
}

void vector_store_sum(struct vector_tile *t, const struct expr *index, const struct expr *value,
                      const char *sum) {
    struct emit *em = t->em;
    if (t->failed)
        return;
    struct var v = {.name = sum, .c = sum, .dtype = t->dtype};
    vec_push(&em->arena, &em->vars, v);
    const struct expr *var = expr_var(&em->arena, t->dtype, sum);
    struct ast_node store = {.kind = AST_STORE, .buffer = t->node->buffer, .index = index};
    store.value = expr_map(&em->arena, value, sum_for, (void *)var);
    emit_statement(em, &store, &(struct ast_list){.first = NULL});
}
