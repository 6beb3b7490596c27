/* ir/constant.c: elements in text, and the side file of the long ones. */
#include "ir/constant.h"

#include "ir/diag.h"
#include "ir/text.h"
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
    struct text text;
};

static void start(struct fixture *f, const char *input) {
    *f = (struct fixture){.names = {.arena = &f->arena}, .diag = {.sink = &f->messages}};
    text_init(&f->text, &f->diag, &f->arena, &f->names, "t", input, strlen(input));
}

static void finish(struct fixture *f) {
    intern_free(&f->names);
    arena_free(&f->arena);
    str_free(&f->messages);
}

static const struct {
    enum dtype t;
    int64_t n;
    const char *in, *out;
} texts[] = {
    {DTYPE_F32, 3, "{1.5,2 , -0.0}", "{1.5, 2, -0}"},
    {DTYPE_F32, 4, "{inf, -inf, nan, -nan}", "{inf, -inf, nan, -nan}"},
    {DTYPE_F32, 0, "{}", "{}"},
    {DTYPE_F64, 2, "{0.1, 1e300}", "{0.1, 1e+300}"},
    {DTYPE_BOOL, 2, "{true, false}", "{true, false}"},
    {DTYPE_I64, 2, "{-9223372036854775808, 7}", "{-9223372036854775808, 7}"},
    {DTYPE_U64, 1, "{18446744073709551615}", "{18446744073709551615}"},
    {DTYPE_U8, 3, "{0u8, 255, 7}", "{0, 255, 7}"},
    {DTYPE_I4, 3, "{-8, 7, -1}", "{-8, 7, -1}"},
    {DTYPE_U2, 5, "{3, 0, 1, 2, 3}", "{3, 0, 1, 2, 3}"},
    {DTYPE_I64, 8, "{1, 2, 3, 4, 5, 6, 7, 8}", "{1, 2, 3, 4, 5, 6, 7, 8}"},
    {DTYPE_I64, 9, "{1, 2, 3, 4, 5, 6, 7, 8, 9}", "@60b3e1fa9c9c0ca4:72"},
};

START_TEST(elements_both_ways) {
    struct fixture f;
    struct str out = {0};
    start(&f, texts[_i].in);
    const void *data = constant_read(&f.text, texts[_i].t, texts[_i].n, NULL);
    ck_assert_str_eq(str_cstr(&f.messages), "");
    ck_assert_ptr_nonnull(data);
    ck_assert_int_eq(f.text.tok.kind, TOK_END);
    constant_print(&out, texts[_i].t, data, texts[_i].n, NULL);
    ck_assert_str_eq(str_cstr(&out), texts[_i].out);
    str_free(&out);
    finish(&f);
}
END_TEST

static const struct {
    enum dtype t;
    int64_t n;
    const char *in, *message;
} faults[] = {
    {DTYPE_I32, 2, "{1}", "t:1: error: expected 2 elements, found 1\n"},
    {DTYPE_I32, 2, "{1, 2, 3}", "t:1: error: expected 2 elements, found 3\n"},
    {DTYPE_I32, INT64_MAX, "{1}",
     "t:1: error: expected 9223372036854775807 elements, found 1\n"},
    {DTYPE_I32, 2, "{1, 2", "t:1: error: expected ',', found the end of the text\n"},
    {DTYPE_I32, 2, "{1 2}", "t:1: error: expected ',', found '2'\n"},
    {DTYPE_I32, 2, "1, 2", "t:1: error: expected '{', found '1'\n"},
    {DTYPE_I32, 1, "{1.5}", "t:1: error: 1.5 is no i32\n"},
    {DTYPE_U8, 1, "{256}", "t:1: error: 256 is no u8\n"},
    {DTYPE_U8, 1, "{7i8}", "t:1: error: 7 is no u8\n"},
    {DTYPE_F32, 1, "{x}", "t:1: error: expected a number, found 'x'\n"},
    {DTYPE_F32, 4, "@12:16", "t:1: error: no constant @12:16 in the side file\n"},
    {DTYPE_F32, 4, "@12:17",
     "t:1: error: @12:17 does not have the length of 4 elements of f32\n"},
    {DTYPE_F32, INT64_MAX, "@12:16",
     "t:1: error: @12:16 does not have the length of 9223372036854775807 elements of f32\n"},
    {DTYPE_F32, 4, "@11111111111111111:16",
     "t:1: error: @11111111111111111:16 does not have the length of 4 elements of f32\n"},
};

START_TEST(bad_constants_are_one_error) {
    struct fixture f;
    struct constant_pool pool = {0};
    start(&f, faults[_i].in);
    ck_assert_ptr_null(constant_read(&f.text, faults[_i].t, faults[_i].n, &pool));
    ck_assert_str_eq(str_cstr(&f.messages), faults[_i].message);
    finish(&f);
}
END_TEST

START_TEST(unusual_nans_keep_their_bits) {
    struct arena a = {0};
    struct constant_pool pool = {.arena = &a};
    const unsigned char payload[4] = {1, 0, 0xc0, 0x7f};
    struct str out = {0};
    constant_print(&out, DTYPE_F32, payload, 1, &pool);
    struct fixture f;
    start(&f, str_cstr(&out));
    ck_assert_int_eq(f.text.tok.kind, TOK_HASH);
    const void *back = constant_read(&f.text, DTYPE_F32, 1, &pool);
    ck_assert_ptr_nonnull(back);
    ck_assert_int_eq(memcmp(back, payload, 4), 0);
    str_free(&out);
    finish(&f);
    arena_free(&a);
}
END_TEST

/* A name for a file that does not exist yet. */
static void new_path(char path[static 32]) {
    strcpy(path, "/tmp/nncc-constant-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(remove(path), 0);
}

START_TEST(the_side_file_keeps_long_constants) {
    struct arena a = {0};
    struct constant_pool pool = {.arena = &a}, again = {.arena = &a};
    float rows[2][20];
    for (int k = 0; k < 40; k++)
        rows[k / 20][k % 20] = (float)k / 3;
    struct str out = {0};
    constant_print(&out, DTYPE_F32, rows[0], 20, &pool);
    constant_print(&out, DTYPE_F32, rows[1], 20, &pool);
    constant_print(&out, DTYPE_F32, rows[0], 20, &pool); // kept once
    constant_print(&out, DTYPE_F32, rows[0], 3, &pool);  // inline: not kept
    ck_assert_int_eq(pool.entries.len, 2);
    char path[32];
    new_path(path);
    ck_assert(constant_pool_write(&pool, path));
    struct fixture f;
    start(&f, str_cstr(&out));
    ck_assert(constant_pool_read(&again, path, &f.diag));
    ck_assert(constant_pool_read(&again, path, &f.diag)); // twice changes nothing
    ck_assert_int_eq(again.entries.len, 2);
    for (int k = 0; k < 3; k++) {
        const void *data = constant_read(&f.text, DTYPE_F32, 20, &again);
        ck_assert_ptr_nonnull(data);
        ck_assert_int_eq(memcmp(data, rows[k % 2], sizeof rows[0]), 0);
    }
    ck_assert_int_eq(remove(path), 0);
    str_free(&out);
    finish(&f);
    arena_free(&a);
}
END_TEST

static const struct {
    const char *bytes, *wrong;
} side_files[] = {
    {"", NULL},
    {"af63dc4c8601ec8c 1\na\n", NULL},
    {"af63dc4c8601ec8c 1\na\naf63dc4c8601ec8c 1\na\n", NULL},
    {"cbf29ce484222325 0\n\n", NULL},
    {"af63dc4c8601ec8c 1", "a line without end"},
    {"af63dc4c8601ec8c 1\n", "a constant is shorter than its length says"},
    {"af63dc4c8601ec8c 1\na", "a constant is shorter than its length says"},
    {"af63dc4c8601ec8c 1\nab", "a constant is shorter than its length says"},
    {"af63dc4c8601ec8c 9223372036854775807\na\n", "a constant is shorter than its length says"},
    {"af63dc4c8601ec8c 9223372036854775808\na\n", "expected a line 'hash length'"},
    {"af63dc4c8601ec8c -1\na\n", "expected a line 'hash length'"},
    {"af63dc4c8601ec8c\na\n", "expected a line 'hash length'"},
    {"af63dc4c8601ec8d 1\na\n", "a constant does not have the hash it is named by"},
    {"\n", "expected a line 'hash length'"},
    {"x y\n", "expected a line 'hash length'"},
};

START_TEST(side_files_are_checked) {
    struct arena a = {0};
    struct constant_pool pool = {.arena = &a};
    struct fixture f;
    start(&f, "");
    char path[32];
    new_path(path);
    ck_assert(file_write(path, side_files[_i].bytes, strlen(side_files[_i].bytes)));
    const char *wrong = side_files[_i].wrong;
    ck_assert_int_eq(constant_pool_read(&pool, path, &f.diag), !wrong);
    struct str message = {0};
    if (wrong)
        str_addf(&message, "%s: error: %s\n", path, wrong);
    ck_assert_str_eq(str_cstr(&f.messages), str_cstr(&message));
    ck_assert_int_eq(remove(path), 0);
    str_free(&message);
    finish(&f);
    arena_free(&a);
}
END_TEST

START_TEST(a_missing_side_file_is_empty_a_folder_is_an_error) {
    struct arena a = {0};
    struct constant_pool pool = {.arena = &a};
    struct fixture f;
    start(&f, "");
    ck_assert(constant_pool_read(&pool, "/tmp/nncc-no-such-file", &f.diag));
    ck_assert_int_eq(pool.entries.len, 0);
    ck_assert(!constant_pool_read(&pool, "/tmp", &f.diag));
    ck_assert_str_eq(str_cstr(&f.messages), "/tmp: error: cannot read: Is a directory\n");
    ck_assert(!constant_pool_write(&pool, "/no/such/folder"));
    finish(&f);
    arena_free(&a);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

int main(void) {
    Suite *s = suite_create("constant");
    TCase *t = tcase_create("constant");
    tcase_add_loop_test(t, elements_both_ways, 0, ROWS(texts));
    tcase_add_loop_test(t, bad_constants_are_one_error, 0, ROWS(faults));
    tcase_add_test(t, unusual_nans_keep_their_bits);
    tcase_add_test(t, the_side_file_keeps_long_constants);
    tcase_add_loop_test(t, side_files_are_checked, 0, ROWS(side_files));
    tcase_add_test(t, a_missing_side_file_is_empty_a_folder_is_an_error);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
