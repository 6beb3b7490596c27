/* Temporaries that are computed where the output is: which ones move, and that the program is
 * the same, bit by bit, in the interpreter. */
#include "ir/arena.h"
#include "tests/unit/poly_bench.h"
#include "tests/unit/poly_run.h"

/* Rows of nine: exp, their sum, the quotients. The formats take what differs. */
#define BUFFERS                                                                                \
    "ast \"t\"\ninput b0: f32[36] \"x\" [4,9]\noutput b1: f32[36] \"y\" [4,9]\n"               \
    "temp b2: f32[9]\ntemp b3: f32[1]\noutput b4: f32[36] \"z\" [4,9]\n"
#define ROWS(first, rest) BUFFERS "nest \"n\" {\n    for c = 0..4 {\n" first rest "    }\n}\n"
#define EXP               "        tile (v: 9 vec) b2[v] = exp(b0[c * 9 + v])\n"
#define SUM               "        tile (k: 9 split) b3[0] = reduce(add, [k: 9], b2[k])\n"
#define DIV               "        tile (v: 9 vec) b1[c * 9 + v] = b2[v] / b3[0]\n"

static const struct {
    const char *name, *text;
    bool moves; // b2
} cases[] = {
    {"a row", ROWS(EXP SUM, DIV), true},
    {"in pieces",
     ROWS("        for d = 0..2 {\n            tile (v: 4 vec) b2[d * 4 + v] = b0[c * 9 + d * "
          "4 + v]\n        }\n        b2[8] = b0[c * 9 + 8]\n" SUM,
          "        tile (v: 1 vec) b1[c * 9 + v + 8] = b2[v + 8] / b3[0]\n        for d = 0..8 "
          "by 4 {\n            tile (v: 4 vec) b1[c * 9 + d + v] = b2[d + v] / b3[0]\n"
          "        }\n"),
     true},
    {"the rows backwards",
     ROWS(EXP SUM, "        tile (v: 9 vec) b1[27 - c * 9 + v] = b2[v]\n"), true},
    {"twice the same element",
     ROWS(EXP SUM, "        tile (v: 9 vec) b1[c * 9 + v] = b2[v] / (b3[0] + b2[v])\n"), true},
    {"changed between", ROWS(EXP "        b2[3] = b2[4] + 1.0\n" SUM, DIV), true},
    {"a part of it",
     ROWS(EXP SUM, "        tile (v: 8 vec) b1[c * 9 + v] = b2[v] / b3[0]\n        b1[c * 9 + "
                   "8] = 0.0\n"),
     false},
    {"an element and its neighbour",
     ROWS(EXP SUM, "        tile (v: 9 vec) b1[c * 9 + v] = b2[v] / b2[0]\n"), false},
    {"turned round", ROWS(EXP SUM, "        tile (v: 9 vec) b1[c * 9 + 8 - v] = b2[v]\n"),
     false},
    {"every second element",
     ROWS(EXP SUM, "        tile (v: 9 vec) b1[v * 4 + c] = b2[v] / b3[0]\n"), false},
    {"what is taken in later is read by what comes before",
     ROWS(EXP SUM,
          "        b1[c * 9] = b2[0] / b3[0]\n        tile (v: 8 vec) b1[c * 9 + v + 1] "
          "= b2[v + 1] / b2[0]\n"),
     false},
    {"the output is read meanwhile",
     ROWS("        b1[c * 9] = 2.0\n" EXP SUM "        b3[0] = b3[0] + b1[c * 9]\n", DIV),
     false},
    {"something is left from the row before",
     BUFFERS "nest \"n\" {\n    for c = 0..4 {\n        tile (k: 9 split) b3[0] = reduce(add, "
             "[k: 9], b0[k])\n        if 0 < c {\n            tile (k: 9 split) b3[0] = "
             "reduce(add, [k: 9], b2[k])\n        }\n" EXP DIV "    }\n}\n",
     false},
    {"it is read behind the rows",
     ROWS(EXP SUM, DIV) "nest \"m\" {\n    for c = 0..4 {\n        b4[c] = b2[c]\n    }\n}\n",
     false},
    {"taken in twice, the last time for good",
     ROWS(EXP SUM, DIV "        tile (v: 9 vec) b4[c * 9 + v] = b2[v] * 2.0\n"), true},
    {"under a condition", ROWS(EXP SUM, "        if c < 2 {\n    " DIV "        }\n"), false},
};

static struct ast *read(struct bench *b, const char *text) {
    struct ast *a = ast_read("t.ast", text, strlen(text), &b->names, NULL, &b->diag);
    ck_assert_msg(a && ast_check(a, &b->diag), "%s\n%s", str_cstr(&b->messages), text);
    return a;
}

START_TEST(moves_what_it_may) {
    struct bench b;
    bool mentioned = false; // b2
    bench_start(&b);
    struct ast *before = read(&b, cases[_i].text), *after = read(&b, cases[_i].text);
    ck_assert(pass_inplace(&b.compile, after));
    ck_assert_msg(ast_check(after, &b.diag), "%s: %s", cases[_i].name, str_cstr(&b.messages));
    for (const struct ast_node *n = after->body.first; n; n = n->next)
        mentioned |= ast_mentions(n, 2);
    ck_assert_msg(mentioned == (!cases[_i].moves), "%s", cases[_i].name);
    run_pair(before, after, false, cases[_i].name);
    arena_plan(after);
    ck_assert_msg(arena_check(after, &b.diag), "%s: %s", cases[_i].name, str_cstr(&b.messages));
    ck_assert_int_eq(after->buffers.data[2].offset >= 0, !cases[_i].moves);
    ast_free(before);
    ast_free(after);
    bench_end(&b);
}
END_TEST

int main(void) {
    Suite *s = suite_create("inplace");
    TCase *t = tcase_create("inplace");
    tcase_add_loop_test(t, moves_what_it_may, 0, (int)(sizeof cases / sizeof *cases));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
