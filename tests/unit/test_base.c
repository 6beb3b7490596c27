/* ir/base.c: arenas, vectors, tables, text, sizes and files. */
#include "ir/base.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COUNT = 5000 };

START_TEST(arena_gives_zeroed_aligned_memory) {
    struct arena a = {0};
    unsigned char *blocks[64];
    for (size_t k = 0; k < 64; k++) { // sizes 0, 1, … and some beyond a block
        size_t size = k % 8 == 7 ? 40000 * k : k;
        blocks[k] = arena_alloc(&a, size);
        ck_assert_uint_eq((uintptr_t)blocks[k] % 16, 0);
        size_t zeros = 0;
        while (zeros < size && blocks[k][zeros] == 0)
            zeros++;
        ck_assert_uint_eq(zeros, size);
        if (size)
            memset(blocks[k], (int)k + 1, size);
    }
    for (size_t k = 1; k < 64; k++) // nobody overwrote anybody
        ck_assert_uint_eq(blocks[k][0], k + 1);
    arena_free(&a);
    ck_assert_ptr_null(a.head);
    ck_assert_str_eq(arena_strdup(&a, "again"), "again");
    arena_free(&a);
}
END_TEST

START_TEST(arena_copies_and_prints) {
    struct arena a = {0};
    int numbers[3] = {1, 2, 3};
    int *copy = arena_copy(&a, numbers, sizeof numbers);
    numbers[1] = 9;
    ck_assert_int_eq(copy[1], 2);
    ck_assert_ptr_nonnull(arena_copy(&a, NULL, 0));
    ck_assert_str_eq(arena_printf(&a, "%s%03d", "t", 7), "t007");
    ck_assert_ptr_nonnull(arena_array(&a, int, 0));
    arena_free(&a);
}
END_TEST

START_TEST(arena_ends_the_program_when_memory_is_out) {
    struct arena a = {0};
    arena_calloc(&a, SIZE_MAX / 2, 4);
}
END_TEST

START_TEST(vec_grows) {
    struct arena a = {0};
    vec(int) v = {0};
    for (int k = 0; k < COUNT; k++)
        vec_push(&a, &v, k);
    ck_assert_int_eq(v.len, COUNT);
    for (int k = 0; k < COUNT; k++)
        ck_assert_int_eq(v.data[k], k);
    arena_free(&a);
}
END_TEST

START_TEST(intern_gives_equal_pointers_for_equal_text) {
    struct arena a = {0};
    struct intern in = {.arena = &a};
    const char *found[COUNT];
    char text[32];
    for (int k = 0; k < COUNT; k++) {
        snprintf(text, sizeof text, "name%d", k);
        found[k] = intern(&in, text);
        ck_assert_str_eq(found[k], text);
    }
    for (int k = 0; k < COUNT; k++) {
        snprintf(text, sizeof text, "name%dtail", k);
        ck_assert_ptr_eq(intern_len(&in, text, strlen(text) - 4), found[k]);
    }
    ck_assert_uint_eq(in.count, COUNT);
    ck_assert_str_eq(intern(&in, ""), "");
    ck_assert_ptr_eq(intern(&in, ""), intern_len(&in, "x", 0));
    intern_free(&in);
    ck_assert_str_eq(found[COUNT - 1], "name4999"); // the text outlives the table
    arena_free(&a);
}
END_TEST

START_TEST(map_finds_what_was_put) {
    struct arena a = {0};
    struct map m = {0};
    ck_assert_ptr_null(map_get(&m, "name0"));
    for (int k = 0; k < COUNT; k++) {
        bool added = false;
        *map_put(&m, arena_printf(&a, "name%d", k), &added) = k;
        ck_assert(added);
    }
    for (int k = 0; k < COUNT; k++) {
        int64_t *cell = map_get(&m, arena_printf(&a, "name%d", k));
        ck_assert_ptr_nonnull(cell);
        ck_assert_int_eq(*cell, k);
    }
    bool added = true;
    ck_assert_int_eq(*map_put(&m, "name7", &added), 7);
    ck_assert(!added);
    ck_assert_int_eq(*map_put(&m, "new", NULL), 0);
    ck_assert_ptr_null(map_get(&m, "name"));
    map_free(&m);
    ck_assert_ptr_null(map_get(&m, "name7"));
    arena_free(&a);
}
END_TEST

START_TEST(str_grows_and_quotes) {
    struct str s = {0};
    ck_assert_str_eq(str_cstr(&s), "");
    for (int k = 0; k < 1000; k++)
        str_addf(&s, "%d,", k % 10);
    ck_assert_uint_eq(s.len, 2000);
    ck_assert_str_eq(s.data + 1990, "5,6,7,8,9,");
    str_free(&s);
    str_add_quoted(&s, "a\"b\\c\nd\x7f\xc3\xa9/");
    ck_assert_str_eq(str_cstr(&s), "\"a\\\"b\\\\c\\x0ad\\x7f\xc3\xa9/\"");
    str_free(&s);
    ck_assert_uint_eq(s.len, 0);
}
END_TEST

START_TEST(sizes_do_not_overflow) {
    int64_t r = 0;
    ck_assert(size_mul(3, 5, &r) && r == 15);
    ck_assert(size_add(INT64_MAX - 1, 1, &r) && r == INT64_MAX);
    ck_assert(!size_mul(INT64_C(1) << 32, INT64_C(1) << 31, &r));
    ck_assert(!size_add(INT64_MAX, 1, &r));
    ck_assert(!size_mul(-1, 1, &r));
    ck_assert(!size_add(5, -1, &r));
    const int64_t big = INT64_C(1) << 40;
    ck_assert(size_product(NULL, 0, &r) && r == 1);
    ck_assert(size_product((int64_t[]){2, 3, 4}, 3, &r) && r == 24);
    ck_assert(size_product((int64_t[]){big, big, 0}, 3, &r) && r == 0);
    ck_assert(size_product((int64_t[]){0, big, big}, 3, &r) && r == 0);
    ck_assert(!size_product((int64_t[]){big, big}, 2, &r));
    ck_assert(!size_product((int64_t[]){0, -1}, 2, &r));
}
END_TEST

static const struct {
    int64_t a, b, div, mod;
} divisions[] = {
    {7, 2, 3, 1},
    {-7, 2, -4, 1},
    {-8, 2, -4, 0},
    {0, 3, 0, 0},
    {-1, INT64_MAX, -1, INT64_MAX - 1},
    {INT64_MIN, 1, INT64_MIN, 0},
    {INT64_MIN, 3, -3074457345618258603, 1},
};

START_TEST(floor_division_rounds_down) {
    ck_assert_int_eq(floor_div(divisions[_i].a, divisions[_i].b), divisions[_i].div);
    ck_assert_int_eq(floor_mod(divisions[_i].a, divisions[_i].b), divisions[_i].mod);
}
END_TEST

START_TEST(hash_is_fnv_1a) { // the published vectors
    ck_assert_uint_eq(hash_bytes("", 0), UINT64_C(0xcbf29ce484222325));
    ck_assert_uint_eq(hash_bytes("a", 1), UINT64_C(0xaf63dc4c8601ec8c));
    ck_assert_uint_eq(hash_bytes("foobar", 6), UINT64_C(0x85944171f73967e8));
}
END_TEST

START_TEST(files_appear_whole) {
    char folder[] = "/tmp/nncc-base-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    struct arena a = {0};
    const char *path = arena_printf(&a, "%s/file", folder);
    size_t len = 0;
    ck_assert_ptr_null(file_read(path, &len));
    ck_assert_int_eq(errno, ENOENT);
    char *bytes = arena_alloc(&a, 200000);
    for (int k = 0; k < 200000; k++)
        bytes[k] = (char)(k * 7);
    for (size_t size = 0; size <= 200000; size = 10 * size + 2) {
        ck_assert(file_write(path, bytes, size));
        char *back = file_read(path, &len);
        ck_assert_uint_eq(len, size);
        ck_assert_int_eq(memcmp(back, bytes, size), 0);
        ck_assert_int_eq(back[len], 0);
        free(back);
    }
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(rmdir(folder), 0); // so no temporary file is left
    ck_assert(!file_write(path, bytes, 3));
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_ptr_null(file_read("/", &len));
    ck_assert_int_eq(errno, EISDIR);
    arena_free(&a);
}
END_TEST

START_TEST(devices_are_not_replaced) {
    struct stat st;
    size_t len = 1;
    ck_assert(file_write("/dev/null", "text", 4));
    ck_assert_int_eq(stat("/dev/null", &st), 0);
    ck_assert(S_ISCHR(st.st_mode));
    char *nothing = file_read("/dev/null", &len);
    ck_assert_uint_eq(len, 0);
    free(nothing);
}
END_TEST

START_TEST(files_that_do_not_tell_their_size_are_read) {
    size_t len = 0;
    char *text = file_read("/proc/self/maps", &len);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_gt(len, 1000);
    ck_assert_uint_eq(strlen(text), len);
    ck_assert_int_eq(text[len - 1], '\n');
    free(text);
}
END_TEST

int main(void) {
    Suite *s = suite_create("base");
    TCase *t = tcase_create("base");
    tcase_add_test(t, arena_gives_zeroed_aligned_memory);
    tcase_add_test(t, arena_copies_and_prints);
    tcase_add_exit_test(t, arena_ends_the_program_when_memory_is_out, 70);
    tcase_add_test(t, vec_grows);
    tcase_add_test(t, intern_gives_equal_pointers_for_equal_text);
    tcase_add_test(t, map_finds_what_was_put);
    tcase_add_test(t, str_grows_and_quotes);
    tcase_add_test(t, sizes_do_not_overflow);
    tcase_add_loop_test(t, floor_division_rounds_down, 0,
                        (int)(sizeof divisions / sizeof *divisions));
    tcase_add_test(t, hash_is_fnv_1a);
    tcase_add_test(t, files_appear_whole);
    tcase_add_test(t, devices_are_not_replaced);
    tcase_add_test(t, files_that_do_not_tell_their_size_are_read);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
