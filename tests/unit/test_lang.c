/* The hand-written programs of tests/golden/lang: each shows something that models need said in
 * loops or ast. Their texts read back, and running them gives the numbers of their companions,
 * which numpy worked out (make_data.py there). */
#include "lang.h"

static const struct {
    const char *program, *data;
} programs[] = {
    {"conv.loops", "conv.data"},
    {"depthwise.loops", "depthwise.data"},
    {"gather.loops", "gather.data"},
    {"gather.loops", "gather_outside.data"},
    {"lstm.loops", "lstm.data"},
    {"flash.loops", "flash.data"},
    {"qconv.loops", "qconv.data"},
    {"if.loops", "if_true.data"},
    {"if.loops", "if_false.data"},
    {"resize.loops", "resize.data"},
    {"int4.loops", "int4.data"},
    {"concat.loops", "concat.data"},
    {"kv.loops", "kv.data"},
    {"kv.loops", "kv_outside.data"},
    {"gemm_tile.ast", "gemm_tile.data"},
    {"layout.loops", "layout.data"},
    {"while.loops", "while.data"},
};

/* A file of tests/golden/lang, found from this file's own path. */
static char *read_golden(struct arena *arena, const char *name) {
    const char *end = strstr(__FILE__, "unit/test_lang.c");
    char *path =
        arena_printf(arena, "%.*sgolden/lang/%s", (int)(end - __FILE__), __FILE__, name);
    size_t len;
    char *bytes = file_read(path, &len);
    ck_assert_msg(bytes != NULL, "cannot read %s", path);
    char *text = arena_copy(arena, bytes, len + 1);
    free(bytes);
    return text;
}

START_TEST(programs_give_their_numbers) {
    struct bench b;
    struct program p;
    bench_start(&b);
    const char *text = read_golden(&b.arena, programs[_i].program);
    program_read(&p, &b, text, read_golden(&b.arena, programs[_i].data));
    program_run(&p);
    program_free(&p);
    bench_end(&b);
}
END_TEST

static void print_program(struct str *s, const struct program *p) {
    if (p->loops)
        loops_print(s, p->loops, NULL);
    else
        ast_print(s, p->ast, NULL);
}

/* print(read(print(x))) is print(x), and the ast that loops become reads back too. */
START_TEST(texts_read_back) {
    struct bench b;
    struct program p, q;
    struct str first = {0}, second = {0}, ast = {0}, again = {0};
    bench_start(&b);
    program_read(&p, &b, read_golden(&b.arena, programs[_i].program), "");
    print_program(&first, &p);
    program_read(&q, &b, str_cstr(&first), "");
    print_program(&second, &q);
    ck_assert_str_eq(str_cstr(&first), str_cstr(&second));
    ast_print(&ast, p.ast, NULL);
    program_free(&q);
    program_read(&q, &b, str_cstr(&ast), "");
    ast_print(&again, q.ast, NULL);
    ck_assert_str_eq(str_cstr(&ast), str_cstr(&again));
    program_free(&p);
    program_free(&q);
    str_free(&first);
    str_free(&second);
    str_free(&ast);
    str_free(&again);
    bench_end(&b);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

int main(void) {
    Suite *suite = suite_create("lang");
    TCase *tc = tcase_create("lang");
    tcase_add_loop_test(tc, programs_give_their_numbers, 0, COUNT(programs));
    tcase_add_loop_test(tc, texts_read_back, 0, COUNT(programs));
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
