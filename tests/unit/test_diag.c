/* ir/diag.c: the form of messages, and how bugs end the program. */
#include "ir/diag.h"

#include <check.h>
#include <stdlib.h>

static const struct {
    struct loc loc;
    const char *name, *message;
} cases[] = {
    {{"m.onnx", "conv1", 0}, "W", "m.onnx:conv1: error: no 'W'\n"},
    {{"m.onnx", NULL, 0}, "W", "m.onnx: error: no 'W'\n"},
    {{"m.loops", NULL, 12}, "W", "m.loops:12: error: no 'W'\n"},
    {{NULL, "#3:Relu", 0}, "W", "#3:Relu: error: no 'W'\n"},
    {{NULL, NULL, 4}, "W", "line 4: error: no 'W'\n"},
    {{NULL, NULL, 0}, "W", "nncc: error: no 'W'\n"},
    {{"m.onnx", "a\nb", 0}, "c\n\x1b[1m", "m.onnx:a\\x0ab: error: no 'c\\x0a\\x1b[1m'\n"},
};

START_TEST(errors_are_one_line) {
    struct str out = {0};
    struct diag d = {.sink = &out};
    diag_error(&d, cases[_i].loc, "no '%s'", cases[_i].name);
    ck_assert_str_eq(str_cstr(&out), cases[_i].message);
    ck_assert_int_eq(d.errors, 1);
    str_free(&out);
}
END_TEST

START_TEST(kinds_are_counted_and_filtered) {
    struct str out = {0};
    struct diag d = {.sink = &out, .remarks = REMARK_MISSED, .pass = "fuse"};
    struct loc loc = {"m", "n", 0};
    diag_warning(&d, loc, "w%d", 1);
    diag_note(&d, loc, "n%d", 2);
    diag_remark(&d, REMARK_PASSED, loc, "p%d", 3);
    diag_remark(&d, REMARK_MISSED, loc, "m%d", 4);
    d.pass = NULL;
    d.remarks = REMARK_PASSED | REMARK_ANALYSIS;
    diag_remark(&d, REMARK_MISSED, loc, "m%d", 5);
    diag_remark(&d, REMARK_ANALYSIS, loc, "a%d", 6);
    ck_assert_str_eq(str_cstr(&out), "m:n: warning: w1\n"
                                     "m:n: note: n2\n"
                                     "m:n: remark: missed: fuse: m4\n"
                                     "m:n: remark: analysis: a6\n");
    ck_assert_int_eq(d.errors, 0);
    ck_assert_int_eq(d.warnings, 1);
    str_free(&out);
}
END_TEST

START_TEST(a_bug_exits_with_70) {
    bug("test of %s", "bug");
}
END_TEST

int main(void) {
    Suite *s = suite_create("diag");
    TCase *t = tcase_create("diag");
    tcase_add_loop_test(t, errors_are_one_line, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_test(t, kinds_are_counted_and_filtered);
    tcase_add_exit_test(t, a_bug_exits_with_70, 70);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
