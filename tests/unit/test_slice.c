/* The pass slice: which constants are cut (their texts are goldens, golden/loops), and that
 * what is left gives the same bits as before. */
#include "loops_pass.h"

/* 64 bytes that differ. */
#define BYTES                                                                                  \
    "{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, "  \
    "24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, " \
    "46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63}"

static const struct {
    int constants, elements; // after, of all together
    const char *text;
} cases[] = {
    /* Two parts and the rest of a dimension that is two. */
    {3, 64,
     "input a0: u8[5,4]\noutput a1: u8[5,2,4]\noutput a2: u8[5,4]\noutput a3: u8[4,5]\n"
     "const a4: u8[4,16] = " BYTES "\n"
     "S0[i,h,j: 5,2,4]: a1[i,h,j] = reduce(add, [r: 4], a0[i,r] * a4[r,h * 4 + j])\n"
     "S1[i,j: 5,4]: a2[i,j] = reduce(add, [r: 4], a0[i,r] * a4[r,j + 8])\n"
     "S2[j,i: 4,5]: a3[j,i] = reduce(add, [r: 4], a0[i,r] * a4[r,j + 12])\n"},
    /* Phases of a kernel, and a part that is read backwards; one load, twice in a statement. */
    {4, 64,
     "input a0: u8[4,6]\noutput a1: u8[4]\noutput a2: u8[4]\noutput a3: u8[4]\n"
     "output a4: u8[4]\nconst a5: u8[4,4,4] = " BYTES "\n"
     "S0[m: 4]: a1[m] = reduce(add, [y,x: 2,2], a0[y,x] * a5[m,y * 2,x * 2])\n"
     "S1[m: 4]: a2[m] = reduce(add, [y,x: 2,2], a0[y,x] * a5[m,y * 2,x * 2 + 1])\n"
     "S2[m: 4]: a3[m] = reduce(add, [y,x: 2,2], a0[y,x] * a5[m,3 - y * 2,x * 2])\n"
     "S3[m: 4]: a4[m] = reduce(add, [y,x: 2,2], a5[m,y * 2 + 1,x * 2 + 1] * a5[m,y * 2 + "
     "1,x * 2 + 1])\n"},
    /* A diagonal, whose iterator stands in two dimensions; what a guard keeps out is 0. */
    {2, 8 + 16,
     "output a0: u8[8]\noutput a1: u8[16]\nconst a2: u8[8,8] = " BYTES "\n"
     "S0[i: 8]: a0[i] = a2[i,i]\n"
     "S1[i: 16]: a1[i] = (a2[3,i - 4] if 0 <= i - 4 < 8 else 7u8)\n"},
    /* In a seq: gates, side by side. */
    {2, 40,
     "input a0: u8[6,4]\noutput a1: u8[7,8]\nconst a2: u8[4,16] = " BYTES "\n"
     "S0[i: 8]: a1[0,i] = 1u8\n"
     "seq t: 6 {\n"
     "  S1[i: 8]: a1[t + 1,i] = a1[t,i] * reduce(add, [r: 4], a0[t,r] * a2[r,i]) + "
     "a2[3,i + 8]\n"
     "}\n"},
    /* The t of a seq is no iterator of the statement. */
    {1, 64,
     "output a0: u8[4,8]\nconst a1: u8[8,8] = " BYTES "\n"
     "seq t: 4 { S0[i: 8]: a0[t,i] = a1[t + 1,i] }\n"},
    /* What is read by a value, a view, or as a whole besides, in large parts. */
    {3, 192,
     "input a0: u8[8]\noutput a1: u8[8]\noutput a2: u8[4,8]\noutput a3: u8[8,8]\n"
     "const a4: u8[8,8] = " BYTES "\nconst a5: u8[64] = " BYTES "\nview a6: u8[4,16] of a5\n"
     "const a7: u8[64] = " BYTES "\n"
     "S0[i: 8]: a1[i] = a4[clamp(a0[i], 0, 7),7 - i] * a4[i,7]\n"
     "S1[i,j: 4,8]: a2[i,j] = a6[i,j + 8] + a4[0,j] * a4[i + 1,j]\n"
     "S2[i,j: 8,8]: a3[i,j] = a7[i * 8 + j] + a4[j,i]\n"},
    /* The condition of an if, what a routine takes. */
    {2, 128,
     "output a0: u8[4]\noutput a1: u8[1]\noutput a2: i64[1]\nconst a3: u8[64] = " BYTES "\n"
     "const a4: u8[64] = " BYTES "\n"
     "if a3[5] < 3u8 { S0[i: 4]: a0[i] = a3[i * 16] } else { S1[i: 4]: a0[i] = a3[i] }\n"
     "call topk(a4; a1, a2; 2, 1, 64, 1, 1, 1)\n"},
};

static void slice(struct bench *b, struct loops *l) {
    struct compile c = {
        .diag = &b->diag, .names = &b->names, .opt_level = 2, .target = target_find("scalar")};
    ck_assert(pass_slice(&c, l));
    ck_assert_msg(loops_check(l, &b->diag), "%s", str_cstr(&b->messages));
}

START_TEST(bits_are_kept) {
    struct bench b;
    int constants = 0, elements = 0;
    bench_start(&b);
    struct loops *before = read_body(&b, cases[_i].text),
                 *after = read_body(&b, cases[_i].text);
    slice(&b, after);
    for (int k = 0; k < after->arrays.len; k++) {
        if (after->arrays.data[k].kind != ARRAY_CONST)
            continue;
        constants++;
        elements += (int)loops_elements(after, k);
    }
    ck_assert_int_eq(constants, cases[_i].constants);
    ck_assert_int_eq(elements, cases[_i].elements);
    expect_same_bits(&b, before, after, (struct fill){0, 37});
    loops_free(before);
    loops_free(after);
    bench_end(&b);
}
END_TEST

/* What it prints reads back as itself, and there is nothing left to cut. */
START_TEST(is_done) {
    struct bench b;
    struct str once = {0}, twice = {0};
    bench_start(&b);
    struct constant_pool pool = {.arena = &b.arena};
    struct loops *l = read_body(&b, cases[_i].text);
    slice(&b, l);
    loops_print(&once, l, &pool);
    struct loops *again = loops_read("t", once.data, once.len, &b.names, &pool, &b.diag);
    ck_assert_msg(again != NULL, "%s", str_cstr(&b.messages));
    slice(&b, again);
    loops_print(&twice, again, &pool);
    ck_assert_str_eq(str_cstr(&once), str_cstr(&twice));
    str_free(&once);
    str_free(&twice);
    loops_free(l);
    loops_free(again);
    bench_end(&b);
}
END_TEST

/* Remarks on arrays that stay name buffers: those behind a constant that goes move up. */
START_TEST(kept_arrays_are_renumbered) {
    struct bench b;
    bench_start(&b);
    struct loops *l =
        read_body(&b, "input a0: u8[4,4]\noutput a1: u8[4]\n"
                      "const a2: u8[8,8] = " BYTES "\ntemp a3: u8[4]\ntemp a4: u8[4]\n"
                      "S0[i: 4]: a3[i] = reduce(add, [r: 4], a0[i,r] * a2[i,r + 4])\n"
                      "S1[i: 4]: a4[i] = reduce(add, [r: 4], a3[r] * a0[i,r])\n"
                      "S2[i: 4]: a1[i] = reduce(max, [r: 4], a4[r])\n");
    const struct kept_array first = {3, "one", NULL}, second = {4, "two", &first};
    struct compile c = {.diag = &b.diag,
                        .names = &b.names,
                        .opt_level = 2,
                        .target = target_find("scalar"),
                        .kept = &second};
    ck_assert(pass_slice(&c, l));
    for (const struct kept_array *k = c.kept; k; k = k->next)
        ck_assert_int_eq(k->buffer, strcmp(k->why, "one") == 0 ? 2 : 3);
    ck_assert_ptr_nonnull(c.kept->next);
    loops_free(l);
    bench_end(&b);
}
END_TEST

int main(void) {
    Suite *s = suite_create("slice");
    TCase *t = tcase_create("slice");
    int n = sizeof cases / sizeof *cases;
    tcase_add_loop_test(t, bits_are_kept, 0, n);
    tcase_add_loop_test(t, is_done, 0, n);
    tcase_add_test(t, kept_arrays_are_renumbered);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
