/* report_nests: what counts as a nest, a copy and a call. The reasons are goldens
 * (golden/report). */
#include "codegen/codegen.h"
#include "passes/passes.h"

#include <check.h>
#include <stdlib.h>

static const struct {
    const char *body, *counts;
} cases[] = {
    {"", "0 loop nests touch memory, 0 of them only copy; 0 calls"},
    // a load, a guarded load and a load of a load copy
    {"nest \"a\" { for i = 0..4 { b2[i] = b0[i] } }\n"
     "nest \"b\" { for i = 0..4 { b3[i] = (b0[i - 1] if 0 <= i - 1 < 4 else 0.0) } }\n"
     "nest \"c\" { for i = 0..4 { b2[i] = b0[clamp(b1[i], 0, 3)] } }\n",
     "3 loop nests touch memory, 3 of them only copy; 0 calls"},
    // arithmetic, a conversion, a constant and a sum do not
    {"nest \"a\" { for i = 0..4 { b2[i] = b0[i] + 1.0 } }\n"
     "nest \"b\" { for i = 0..4 { b2[i] = f32(b1[i]) } }\n"
     "nest \"c\" { for i = 0..4 { b2[i] = 0.0 } }\n"
     "nest \"d\" { let s0: f32 = 0.0 for i = 0..4 { set s0 = s0 + b0[i] } b2[0] = s0 }\n",
     "4 loop nests touch memory, 0 of them only copy; 0 calls"},
    // one store that computes is enough; tiles are stores
    {"nest \"a\" { for i = 0..4 { b2[i] = b0[i] b3[i] = -b0[i] } }\n"
     "nest \"b\" { tile (i: 4 vec) b2[i] = b0[3 - i] }\n"
     "nest \"c\" { tile (i: 4 vec) b2[i] = b0[i] * 0.5 }\n",
     "3 loop nests touch memory, 1 of them only copy; 0 calls"},
    // calls, in a nest or not, are no nests; both sides of an if and what is repeated count
    {"nest \"a\" { call topk(b0; b2, b4; 1, 1, 4, 1, 2, 1) }\n"
     "for t = 0..2 { nest \"b\" { for i = 0..2 { b3[t * 2 + i] = b0[i] } } }\n"
     "if b5[0] { nest \"c\" { b2[0] = b0[0] } } else { nest \"d\" { b2[0] = 1.0 } }\n",
     "3 loop nests touch memory, 2 of them only copy; 1 calls"},
};

START_TEST(counts) {
    static const char buffers[] = "ast \"t\"\n"
                                  "input b0: f32[4] \"x\" [4]\n"
                                  "input b1: i64[4] \"at\" [4]\n"
                                  "output b2: f32[4] \"y\" [4]\n"
                                  "output b3: f32[4] \"z\" [4]\n"
                                  "output b4: i64[2] \"k\" [2]\n"
                                  "input b5: bool[1] \"c\" [1]\n";
    struct arena arena = {0};
    struct intern names = {.arena = &arena};
    struct str messages = {0};
    struct diag d = {.sink = &messages, .remarks = REMARK_ANALYSIS};
    struct compile c = {.diag = &d, .names = &names, .target = target_find("scalar")};
    char *text = arena_printf(&arena, "%s%s", buffers, cases[_i].body);
    struct ast *a = ast_read("t", text, strlen(text), &names, NULL, &d);
    ck_assert_msg(a && ast_check(a, &d), "%s", str_cstr(&messages));
    report_nests(&c, a);
    ck_assert_msg(strstr(str_cstr(&messages), cases[_i].counts) != NULL, "%s",
                  str_cstr(&messages));
    ast_free(a);
    str_free(&messages);
    intern_free(&names);
    arena_free(&arena);
}
END_TEST

int main(void) {
    Suite *s = suite_create("report");
    TCase *t = tcase_create("report");
    tcase_add_loop_test(t, counts, 0, (int)(sizeof cases / sizeof *cases));
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
