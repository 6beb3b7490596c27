/* What the tests of the polyhedral path stand on: names, messages and options, and loops read
 * from a text that must be right. */
#ifndef NNCC_TESTS_UNIT_POLY_BENCH_H
#define NNCC_TESTS_UNIT_POLY_BENCH_H

#include "codegen/codegen.h"
#include "passes/passes.h"

#include <check.h>

struct bench {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
    struct compile compile;
};

static inline void bench_start(struct bench *b) {
    *b = (struct bench){.names = {.arena = NULL}};
    b->names.arena = &b->arena;
    b->diag.sink = &b->messages;
    b->compile = (struct compile){
        .diag = &b->diag, .names = &b->names, .opt_level = 2, .target = target_find("scalar")};
}

static inline void bench_end(struct bench *b) {
    str_free(&b->messages);
    intern_free(&b->names);
    arena_free(&b->arena);
}

static inline struct loops *read_loops(struct bench *b, const char *text, size_t len) {
    struct loops *l = loops_read("t.loops", text, len, &b->names, NULL, &b->diag);
    ck_assert_msg(l && loops_check(l, &b->diag), "%s\n%s", str_cstr(&b->messages), text);
    return l;
}

#endif
