/* Groups of registers (ir/target.c): how many hold one vector of a scalable target. */
#include "ir/ast.h"
#include "ir/target.h"

#include <check.h>
#include <stdlib.h>

#define HEAD                                                                                   \
    "ast \"t\"\ninput b0: f32[4096] \"x\" [4096]\ninput b1: f32[4096] \"w\" [4096]\n"          \
    "output b2: f32[4096] \"y\" [4096]\ntile (m: 4 row, n: 64 vec"

static const struct {
    const char *text; // of a tile behind HEAD
    int64_t rows, lanes;
    int group;
} cases[] = {
    /* an accumulator for each row, and one vector */
    {", k: 8 red) b2[m*64+n] = reduce(add, [k: 8], b0[m*8+k] * b1[k*64+n])", 31, 64, 1},
    {", k: 8 red) b2[m*64+n] = reduce(add, [k: 8], b0[m*8+k] * b1[k*64+n])", 15, 64, 2},
    {", k: 8 red) b2[m*64+n] = reduce(add, [k: 8], b0[m*8+k] * b1[k*64+n])", 7, 64, 4},
    {", k: 8 red) b2[m*64+n] = reduce(add, [k: 8], b0[m*8+k] * b1[k*64+n])", 3, 64, 8},
    /* … no longer than the lanes */
    {", k: 8 red) b2[m*64+n] = reduce(add, [k: 8], b0[m*8+k] * b1[k*64+n])", 3, 16, 4},
    {", k: 8 red) b2[m*64+n] = reduce(add, [k: 8], b0[m*8+k] * b1[k*64+n])", 3, 17, 8},
    {", k: 8 red) b2[m*64+n] = reduce(add, [k: 8], b0[m*8+k] * b1[k*64+n])", 3, 4, 1},
    /* two vectors of a step; one that is squared */
    {", k: 8 red) b2[m*64+n] = reduce(add, [k: 8], b0[k*64+n] * b1[m*8+k*64+n])", 7, 64, 2},
    {", k: 8 red) b2[m*64+n] = reduce(add, [k: 8], b0[k*64+n] * b0[k*64+n])", 7, 64, 4},
    /* a mask: of a guard, of a maximum */
    {", k: 8 red) b2[m*64+n] = reduce(add, [k: 8], b0[m*8+k] * (b1[k*64+n] if 0 <= n-1 < 64 "
     "else 0.0))",
     7, 64, 2},
    {", k: 8 red) b2[m*64+n] = reduce(max, [k: 8], b1[m*8+k*64+n])", 7, 64, 2},
    /* without a reduction rows follow each other */
    {") b2[m*64+n] = b0[m*64+n] + b1[n]", 32, 64, 8},
    {") b2[m*64+n] = exp(b0[m*64+n])", 32, 64, 4},
};

START_TEST(groups) {
    struct target t = {.vector_bytes = 16, .registers = 32, .scalable = true};
    struct arena arena = {0};
    struct intern names = {.arena = &arena};
    struct str text = {0}, messages = {0};
    struct diag diag = {.sink = &messages};
    str_addf(&text, "%s%s\n", HEAD, cases[_i].text);
    struct ast *a = ast_read("t", str_cstr(&text), text.len, &names, NULL, &diag);
    ck_assert_msg(a != NULL, "%s", str_cstr(&messages));
    const struct ast_node *n = a->body.first;
    const char *lane = n->tile[1].name;
    ck_assert_int_eq(target_group(&t, n->value, lane, cases[_i].rows, cases[_i].lanes, 4),
                     cases[_i].group);
    t.scalable = false;
    ck_assert_int_eq(target_group(&t, n->value, lane, cases[_i].rows, cases[_i].lanes, 4), 1);
    ast_free(a);
    str_free(&text);
    str_free(&messages);
    intern_free(&names);
    arena_free(&arena);
}
END_TEST

START_TEST(grouped) {
    const struct target t = {
        .name = "x", .vector_bytes = 16, .registers = 32, .most_bytes = 64};
    struct target four = target_grouped(&t, 4);
    ck_assert_str_eq(four.name, "x");
    ck_assert_int_eq(four.group, 4);
    ck_assert_int_eq(four.vector_bytes, 64);
    ck_assert_int_eq(four.registers, 8);
    ck_assert_int_eq(four.most_bytes, 64);
}
END_TEST

int main(void) {
    Suite *s = suite_create("target");
    TCase *c = tcase_create("target");
    tcase_add_loop_test(c, groups, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_test(c, grouped);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
