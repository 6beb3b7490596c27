/* What the tests of the polyhedral path stand on: names, messages and options, and loops read
 * from a text that must be right. */
#ifndef NNCC_TESTS_UNIT_POLY_BENCH_H
#define NNCC_TESTS_UNIT_POLY_BENCH_H

#include "codegen/codegen.h"
#include "passes/passes.h"
#include "polyhedral/polyhedral.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

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

/* The program of a dump with its schedule, for a machine; NULL after errors. *l is the loops,
 * or NULL. */
static inline struct poly *bench_poly(struct bench *b, const char *text,
                                      const struct target *target, struct loops **l) {
    size_t len = strlen(text), split = poly_find_schedule(text, len);
    *l = loops_read("t.poly", text, split, &b->names, NULL, &b->diag);
    if (!*l || !loops_check(*l, &b->diag))
        return NULL;
    struct poly *p = poly_import(*l, &b->diag);
    poly_target(p, target);
    if (poly_bounds(p) && poly_depend(p) && poly_read_schedule(p, "t.poly", text, len))
        return p;
    poly_free(p);
    return NULL;
}

/* ---- texts ---- */

/* `text` with the first `from` behind the first `after` replaced. */
static inline char *bench_replace(struct bench *b, const char *text, const char *after,
                                  const char *from, const char *to) {
    const char *at = strstr(text, after);
    ck_assert_msg(at != NULL, "no '%s'", after);
    at = strstr(at, from);
    ck_assert_msg(at != NULL, "no '%s'", from);
    return arena_printf(&b->arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

/* Elements of the type whose closing bracket is the last of s. */
static inline int bench_elements(const struct str *s) {
    const char *at = s->data + s->len;
    int n = 1;
    while (at[-1] != '[')
        at--;
    for (; *at && *at != ']'; at++) {
        char *end;
        n *= (int)strtol(at, &end, 10);
        at = end - (*end == ']');
    }
    return n;
}

/* Loops, from a text in which `#` stands for as many values, from -5 to 5, as the constant
 * before it has. */
static inline struct loops *bench_loops(struct bench *b, const char *text) {
    struct str whole = {0};
    for (; *text; text++) {
        int n = *text == '#' ? bench_elements(&whole) : 0;
        for (int k = 0; k < n; k++)
            str_addf(&whole, "%s%d", k ? ", " : "{", k * 7 % 11 - 5);
        str_addf(&whole, "%c", *text == '#' ? '}' : *text);
    }
    struct loops *l = read_loops(b, str_cstr(&whole), whole.len);
    str_free(&whole);
    return l;
}

#endif
