/* Stores of a tile of vectors (codegen/vector.h): a vector at a time where its lanes are
 * neighbours in memory. Elsewhere the rows of a vector go to an array first; rows that are
 * neighbours in memory come from it transposed, a vector for each lane, others one by one.
 *
 * A block is transposed by zips: log2 n rounds over n vectors, each of which brings the halves
 * of the vectors together (the perfect shuffles of Stone, "Parallel Processing with the Perfect
 * Shuffle", 1971). */
#include "codegen/vector.h"

#include <inttypes.h>

static void put_call(struct vector_tile *t, const char *call) {
    put_indent(t->em);
    put(t->em, call);
    put(t->em, ";\n");
}

static void put_store(struct vector_tile *t, const char *address, const char *value) {
    put_call(t, t->tail ? vector_prim(t, PRIM_STORE_SOME, address, t->tail, value)
                        : vector_prim(t, PRIM_STORE, address, value, NULL));
}

static int lanes_at_hand(const struct vector_tile *t) {
    int64_t left = t->lane_count - t->lane_from;
    return t->lane_loop || left > t->width ? t->width : (int)left;
}

/* Rows from..from+count, lane by lane. */
static void put_lanes(struct vector_tile *t, const struct vector_place *places, int from,
                      int count, const char *array) {
    struct emit *em = t->em;
    const char *at = vector_name(t, 'i');
    put_indent(em);
    putf(em, "for (int32_t %s = 0; %s < %d; %s++) {\n", at, at, lanes_at_hand(t), at);
    em->fn.depth++;
    for (int row = from; row < from + count; row++) {
        put_indent(em);
        putf(em, "(%s)[%s * %" PRId64 "] = %s[%s + %d];\n", vector_address(t, &places[row]), at,
             places[row].lane_step, array, at, row * t->width);
    }
    em->fn.depth--;
    put_line(em, "}");
}

static const char *transpose_name(struct arena *a, const struct target *target, enum dtype t) {
    return arena_printf(a, "nncc_transpose_%sx%d", dtype_info(t)->text, prim_lanes(target, t));
}

static void put_transposed(struct vector_tile *t, const struct vector_place *places, int from,
                           int count, const char *array) {
    struct emit *em = t->em;
    em->transposes[t->target != em->opt->target][t->dtype == DTYPE_F64] = true;
    put_indent(em);
    putf(em, "%s(%s, %" PRId64 ", %d, %d, ", transpose_name(&em->arena, t->target, t->dtype),
         vector_address(t, &places[from]), places[from].lane_step, lanes_at_hand(t), count);
    if (from == 0)
        putf(em, "%s);\n", array);
    else
        putf(em, "&%s[%d]);\n", array, from * t->width);
}

/* How many rows from `from` on, at most a vector, lie side by side. */
static int neighbours(struct vector_tile *t, const struct vector_place *places, int from) {
    const struct vector_place *first = &places[from];
    int count = 1;
    for (; from + count < t->points && count < t->width; count++) {
        const struct vector_place *p = &places[from + count];
        const struct expr *next =
            expr_2(&t->em->arena, FUNC_ADD, first->index, expr_index(&t->em->arena, count));
        if (strcmp(p->pointer, first->pointer) != 0 || !expr_equal(p->index, next))
            break;
    }
    return count;
}

static bool can_transpose(const struct vector_tile *t) {
    static const enum prim needs[] = {PRIM_LOAD,     PRIM_STORE, PRIM_STORE_SOME, PRIM_ZIP_LOW,
                                      PRIM_ZIP_HIGH, PRIM_LT,    PRIM_SPLAT};
    for (size_t k = 0; k < sizeof needs / sizeof *needs; k++)
        if (!prim_has(t->target, needs[k], t->dtype))
            return false;
    return true;
}

/* What the array has of all rows, to where it belongs. */
static void put_rows(struct vector_tile *t, const struct vector_place *places,
                     const char *array) {
    int apart = 0; // rows before this one that are not stored yet
    bool zips = can_transpose(t);
    for (int row = 0, count; row < t->points; row += count) {
        count = neighbours(t, places, row);
        if (!zips || count < TILE_TURNED_ROWS) {
            apart += count;
            continue;
        }
        if (apart > 0)
            put_lanes(t, places, row - apart, apart, array);
        apart = 0;
        put_transposed(t, places, row, count, array);
    }
    if (apart > 0)
        put_lanes(t, places, t->points - apart, apart, array);
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
    put_rows(t, places, array);
}

void vector_store(struct vector_tile *t, const struct vector_place *place, const char *value) {
    const char *address = vector_address(t, place);
    if (place->lane_step == 1) {
        put_store(t, address, value);
        return;
    }
    const char *step = arena_printf(&t->em->arena, "%" PRId64, place->lane_step);
    put_call(t, vector_prim(t, PRIM_STORE_STRIDED, address, step, value));
}

void vector_store_mask(struct vector_tile *t, const struct vector_place *place,
                       const char *mask) {
    const char *address = vector_address(t, place);
    put_call(t, t->tail ? vector_prim(t, PRIM_STORE_MASK_SOME, address, t->tail, mask)
                        : vector_prim(t, PRIM_STORE_MASK, address, mask, NULL));
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

/* ---- the function that transposes ---- */

struct block {
    struct str *s;
    const struct target *target;
    enum dtype dtype;
    int width;
};

/* `const __m512 r0 = …;` */
static void put_vector(const struct block *b, char letter, int number, enum prim p,
                       const char *x, const char *y) {
    const char *args[] = {x, y, ""};
    str_addf(b->s, "    const %s %c%d = ", prim_vector_type(b->target, b->dtype), letter,
             number);
    prim_put(b->s, b->target, p, b->dtype, args);
    str_add(b->s, ";\n");
}

static void put_round(const struct block *b, char from, char to) {
    for (int k = 0; k < b->width; k++) {
        char x[16], y[16];
        snprintf(x, sizeof x, "%c%d", from, k / 2);
        snprintf(y, sizeof y, "%c%d", from, (k + b->width) / 2);
        put_vector(b, to, k, k % 2 ? PRIM_ZIP_HIGH : PRIM_ZIP_LOW, x, y);
    }
}

static void put_block_loads(const struct block *b) {
    for (int k = 0; k < b->width; k++) {
        char address[64];
        snprintf(address, sizeof address, "&from[(%d < rows ? %d : rows - 1) * %d]", k, k,
                 b->width);
        put_vector(b, 'a', k, PRIM_LOAD, k == 0 ? "from" : address, "");
    }
}

static void put_block_stores(const struct block *b, char letter) {
    struct str all = {0}, some = {0}, mask = {0};
    const char *const of_mask[] = {"numbers_of_lanes", "rows_of_lanes", ""};
    prim_put(&mask, b->target, PRIM_LT, b->dtype, of_mask);
    for (int k = 0; k < b->width; k++) {
        char address[32], value[16];
        snprintf(address, sizeof address, k ? "&to[%d * step]" : "to", k);
        snprintf(value, sizeof value, "%c%d", letter, k);
        const char *whole[] = {address, value, ""}, *masked[] = {address, "m", value};
        str_addf(&all, k ? "        if (%d < lanes)\n            " : "        ", k);
        prim_put(&all, b->target, PRIM_STORE, b->dtype, whole);
        str_add(&all, ";\n");
        str_addf(&some, k ? "        if (%d < lanes)\n            " : "        ", k);
        prim_put(&some, b->target, PRIM_STORE_SOME, b->dtype, masked);
        str_add(&some, ";\n");
    }
    str_addf(b->s, "    if (rows == %d) {\n%s    } else {\n", b->width, str_cstr(&all));
    str_addf(b->s, "        const %s m = %s;\n%s    }\n", prim_mask_type(b->target, b->dtype),
             str_cstr(&mask), str_cstr(&some));
    str_free(&all);
    str_free(&some);
    str_free(&mask);
}

/* Which of the vectors' elements are stored when there are fewer rows than lanes. */
static void put_block_numbers(const struct block *b) {
    const char *const numbers[] = {"numbers", "", ""};
    const char *const rows[] = {b->dtype == DTYPE_F32 ? "(float)rows" : "(double)rows", "", ""};
    str_addf(b->s, "    static const %s numbers[] = {0", dtype_info(b->dtype)->c_type);
    for (int k = 1; k < b->width; k++)
        str_addf(b->s, ", %d", k);
    str_add(b->s, "};\n");
    str_addf(b->s, "    const %s numbers_of_lanes = ", prim_vector_type(b->target, b->dtype));
    prim_put(b->s, b->target, PRIM_LOAD, b->dtype, numbers);
    str_addf(b->s, ";\n    const %s rows_of_lanes = ", prim_vector_type(b->target, b->dtype));
    prim_put(b->s, b->target, PRIM_SPLAT, b->dtype, rows);
    str_add(b->s, ";\n");
}

static void put_function(const struct block *b, struct arena *a) {
    const char *type = dtype_info(b->dtype)->c_type;
    const char *name = transpose_name(a, b->target, b->dtype);
    char letter = 'a';
    str_addf(b->s, "\n#ifndef NNCC_HAS_%s\n#define NNCC_HAS_%s\n", name + strlen("nncc_"),
             name + strlen("nncc_"));
    str_addf(
        b->s,
        "/* `rows` vectors behind each other at from, transposed: `lanes` vectors that lie "
        "`step`\n * apart. */\n"
        "static inline NNCC_TARGET void %s(%s *to, int64_t step, int lanes, int rows,\n"
        "        const %s *from)\n{\n",
        name, type, type);
    put_block_numbers(b);
    put_block_loads(b);
    for (int n = 1; n < b->width; n *= 2, letter++)
        put_round(b, letter, (char)(letter + 1));
    put_block_stores(b, letter);
    str_add(b->s, "}\n#endif\n");
}

void vector_print_functions(struct str *s, const struct emit *em) {
    struct arena scratch = {0};
    for (int k = 0; k < 4; k++) {
        const struct target *target = k < 2 ? em->opt->target : target_half(em->opt->target);
        struct block b = {s, target, k % 2 ? DTYPE_F64 : DTYPE_F32, 0};
        if (!em->transposes[k / 2][k % 2])
            continue;
        b.width = prim_lanes(b.target, b.dtype);
        put_function(&b, &scratch);
    }
    arena_free(&scratch);
}
