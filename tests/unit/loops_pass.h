/* For tests of passes over loops: programs from the text of their arrays and statements, and
 * whether two of them leave the same bits in their outputs. */
#ifndef NNCC_TESTS_UNIT_LOOPS_PASS_H
#define NNCC_TESTS_UNIT_LOOPS_PASS_H

#include "codegen/codegen.h"
#include "lang.h"

static inline struct loops *read_body(struct bench *b, const char *body) {
    struct constant_pool pool = {.arena = &b->arena};
    char *text = arena_printf(&b->arena, "loops \"t\"\n%s", body);
    struct loops *l = loops_read("t", text, strlen(text), &b->names, &pool, &b->diag);
    ck_assert_msg(l && loops_check(l, &b->diag), "%s", str_cstr(&b->messages));
    return l;
}

/* Byte i of every input, and of what outputs hold at first: square * i^2 + linear * i + 11. */
struct fill {
    int square, linear;
};

/* What the program leaves in its outputs, one after the other. */
static inline void run_filled(struct bench *b, const struct loops *l, struct fill fill,
                              struct str *out) {
    struct compile c = {.diag = &b->diag, .names = &b->names, .target = target_find("scalar")};
    struct ast *a = ast_from_loops(&c, l);
    void **data = arena_array(&b->arena, void *, a->buffers.len);
    for (int k = 0; k < a->buffers.len; k++) {
        int64_t bytes = buffer_size(a, k);
        if (a->buffers.data[k].kind != BUFFER_INPUT && a->buffers.data[k].kind != BUFFER_OUTPUT)
            continue;
        data[k] = arena_alloc(&b->arena, (size_t)bytes);
        for (int64_t i = 0; i < bytes; i++)
            ((unsigned char *)data[k])[i] =
                (unsigned char)(i * i * fill.square + i * fill.linear + 11);
    }
    ck_assert_int_eq(interp_run(a, data, NULL), 0);
    for (int k = 0; k < a->buffers.len; k++)
        if (a->buffers.data[k].kind == BUFFER_OUTPUT)
            str_add_len(out, data[k], (size_t)buffer_size(a, k));
    ast_free(a);
}

static inline void expect_same_bits(struct bench *b, const struct loops *before,
                                    const struct loops *after, struct fill fill) {
    struct str want = {0}, got = {0};
    run_filled(b, before, fill, &want);
    run_filled(b, after, fill, &got);
    ck_assert_uint_gt(want.len, 0);
    ck_assert_uint_eq(want.len, got.len);
    ck_assert_mem_eq(want.data, got.data, want.len);
    str_free(&want);
    str_free(&got);
}

#endif
