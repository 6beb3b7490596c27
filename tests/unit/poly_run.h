/* For tests of the polyhedral path: two asts of one program, run on the same random inputs,
 * must give the same bytes, or floats that are near. */
#ifndef NNCC_TESTS_UNIT_POLY_RUN_H
#define NNCC_TESTS_UNIT_POLY_RUN_H

#include "ir/interp.h"

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* The next of a fixed row of numbers in [0, 2000]. */
static inline int run_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (int)((*state >> 8) % 2001u);
}

/* Floats in [-2, 2], small integers that are indices of most arrays. */
static inline void run_fill(const struct buffer *b, void *data, uint32_t *state) {
    for (int64_t k = 0; k < b->max_elements; k++) {
        int r = run_random(state);
        union scalar v = {.i = b->dtype == DTYPE_BOOL ? r % 2 : r % 3};
        if (dtype_is_float(b->dtype))
            v.f = (r - 1000) / 500.0;
        dtype_store(b->dtype, data, k, v);
    }
}

static inline void **run_storage(struct arena *arena, const struct ast *a) {
    uint32_t state = 1;
    void **data = arena_array(arena, void *, a->buffers.len);
    for (int k = 0; k < a->buffers.len; k++) {
        const struct buffer *b = &a->buffers.data[k];
        int64_t bytes;
        if (b->kind != BUFFER_INPUT && b->kind != BUFFER_OUTPUT)
            continue;
        ck_assert(dtype_bytes(b->dtype, b->max_elements, &bytes));
        data[k] = arena_alloc(arena, (size_t)bytes);
        if (b->kind == BUFFER_INPUT)
            run_fill(b, data[k], &state);
    }
    return data;
}

/* The floats of an output differ by no more than sums in another order do: 1e-5 of the largest.
 */
static inline void run_expect_near(const struct buffer *b, const void *left, const void *right,
                                   const char *name) {
    double largest = 1e-30;
    for (int64_t k = 0; k < b->max_elements; k++)
        largest = fmax(largest, fabs(dtype_load(b->dtype, left, k).f));
    for (int64_t k = 0; k < b->max_elements; k++) {
        double x = dtype_load(b->dtype, left, k).f, y = dtype_load(b->dtype, right, k).f;
        ck_assert_msg(fabs(x - y) <= 1e-5 * largest, "%s: %s[%lld] is %.9g, not %.9g", name,
                      b->name, (long long)k, y, x);
    }
}

/* Buffers correspond by number. */
static inline void run_pair(const struct ast *x, const struct ast *y, bool near,
                            const char *name) {
    struct arena arena = {0};
    int64_t symbols[16];
    ck_assert_int_eq(x->buffers.len, y->buffers.len);
    for (int k = 0; k < x->symbols.len; k++)
        symbols[k] = x->symbols.data[k].max;
    void **left = run_storage(&arena, x), **right = run_storage(&arena, y);
    int code = interp_run(x, left, symbols);
    ck_assert_msg(interp_run(y, right, symbols) == code, "%s: another code", name);
    for (int k = 0; k < x->buffers.len && code == 0; k++) {
        const struct buffer *b = &x->buffers.data[k];
        int64_t bytes;
        ck_assert(dtype_bytes(b->dtype, b->max_elements, &bytes));
        if (b->kind == BUFFER_OUTPUT && near && dtype_is_float(b->dtype))
            run_expect_near(b, left[k], right[k], name);
        else if (b->kind == BUFFER_OUTPUT)
            ck_assert_msg(memcmp(left[k], right[k], (size_t)bytes) == 0, "%s: %s differs", name,
                          b->name);
    }
    arena_free(&arena);
}

static inline void run_both(const struct ast *x, const struct ast *y, const char *name) {
    run_pair(x, y, false, name);
}

#endif
