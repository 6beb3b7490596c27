/* The pass separate: which windows are taken apart (some of their texts are goldens,
 * golden/loops), and that what is left gives the same bits as before. */
#include "loops_pass.h"

static const struct {
    int stmts; // after
    const char *text;
} cases[] = {
    /* As large as the input, with padding. */
    {2, "input a0: u8[2,9,7]\noutput a1: u8[2,9,7]\n"
        "S0[c,y,x: 2,9,7]: a1[c,y,x] = reduce(max, [r,s: 5,5], (a0[c,y + r - 2,x + s - 2] if 0 "
        "<= y + r - 2 < 9 && 0 <= x + s - 2 < 7 else 0u8))\n"},
    /* Every second row; the smallest, of the channels that come last. */
    {2, "input a0: i32[69,69,3]\noutput a1: i32[33,33,3]\n"
        "S0[y,x,c: 33,33,3]: a1[y,x,c] = reduce(min, [r,s: 5,5], a0[2 * y + r,2 * x + s,c])\n"},
    /* Three dimensions. */
    {3, "input a0: i8[5,6,7]\noutput a1: i8[5,6,7]\n"
        "S0[z,y,x: 5,6,7]: a1[z,y,x] = reduce(max, [q,r,s: 4,4,4], (a0[z + q - 1,y + r - 1,x + "
        "s - 1] if 0 <= z + q - 1 < 5 && 0 <= y + r - 1 < 6 && 0 <= x + s - 1 < 7 else "
        "-128i8))\n"},
    /* A pad that is larger than some elements; what is done before and after, twice. */
    {2,
     "input a0: u8[8,8]\noutput a1: u8[8,8]\n"
     "S0[y,x: 8,8]: a1[y,x] = (reduce(max, [r,s: 4,4], (min(a0[y + r - 1,x + s - 1], 200u8) "
     "if 0 <= y + r - 1 < 8 && 0 <= x + s - 1 < 8 else 77u8)) - 3u8) * reduce(max, [r,s: "
     "4,4], (min(a0[y + r - 1,x + s - 1], 200u8) if 0 <= y + r - 1 < 8 && 0 <= x + s - 1 < 8 "
     "else 77u8))\n"},
    /* Rows that bounds leave out are not computed; a bound on what is no window. */
    {2,
     "input a0: u8[40,9]\noutput a1: u8[12,9]\n"
     "S0[y,x: 12,9]: a1[y,x] = reduce(max, [r,s: 5,3], (a0[y + r + 8,x + s - 1] if 10 <= y + "
     "r + 8 < 21 && 11 <= y + r + 8 < 22 && 0 <= x + s - 1 < 9 && 2 <= x < 6 else 9u8))\n"},
    /* A window of rows that come twice, and which only the rows say; a broadcast. */
    {2, "input a0: u8[6,9]\noutput a1: u8[8,7,2]\n"
        "S0[y,x,c: 8,7,2]: a1[y,x,c] = reduce(max, [r,s: 4,3], a0[(y + r) / 2,x + s])\n"},
    /* The iterator of the rows is a column as well. */
    {2, "input a0: u8[12,8]\noutput a1: u8[8,30]\n"
        "S0[y,c: 8,30]: a1[y,c] = reduce(max, [r,s: 5,2], a0[y + r,y]) + 1u8\n"},
    /* Two arrays, one index. */
    {2, "input a0: u8[9,9]\ninput a1: u8[9]\noutput a2: u8[5,5]\n"
        "S0[y,x: 5,5]: a2[y,x] = reduce(max, [r,s: 5,5], a0[y + r,x + s] + a1[y + r])\n"},
    /* Floats: zeros of both signs stay where they are. */
    {3,
     "input a0: u8[9,9]\noutput a1: f32[9,9]\ntemp a2: f32[9,9]\n"
     "S0[y,x: 9,9]: a2[y,x] = a0[y,x] < 30u8 ? 0.0 : a0[y,x] < 200u8 ? -0.0 : -1.5\n"
     "S1[y,x: 9,9]: a1[y,x] = reduce(max, [r,s: 4,4], (a2[y + r - 1,x + s - 1] if 0 <= y + r "
     "- 1 < 9 && 0 <= x + s - 1 < 9 else -inff32))\n"},
    /* Not: no fewer steps; a window as large as what it is in. */
    {2, "input a0: u8[9,9]\noutput a1: u8[4,4]\noutput a2: u8[2]\n"
        "S0[y,x: 4,4]: a1[y,x] = reduce(max, [r,s: 3,3], a0[2 * y + r,2 * x + s])\n"
        "S1[c: 2]: a2[c] = reduce(max, [r,s: 9,9], a0[r,s] + (c == 1 ? 5u8 : 0u8))\n"},
    /* Not: sums; a value, a bound that takes both; both in one index, one in two. */
    {5,
     "input a0: u8[12,12]\noutput a1: u8[5,5,8]\n"
     "S0[y,x: 5,5]: a1[y,x,0] = reduce(add, [r,s: 5,5], a0[y + r,x + s])\n"
     "S1[y,x: 5,5]: a1[y,x,1] = reduce(max, [r,s: 5,5], (a0[y + r,x + s] if 0 <= r + s < 6 "
     "else 0u8))\n"
     "S2[y,x: 5,5]: a1[y,x,2] = reduce(max, [r,s: 5,5], a0[y + r,r + s])\n"
     "S3[y,x: 5,5]: a1[y,x,3] = reduce(max, [r,s: 5,5], a0[y + r,x + s] * a0[y + r + 1,x])\n"
     "S4[y,x,c: 5,5,4]: a1[y,x,c + 4] = reduce(max, [r,s: 5,5], (a0[y + r,x + s] if y + 1 <= "
     "y + r < 8 else 0u8))\n"},
    /* Not: where it is chosen whether it is read; at indices that are values. */
    {3, "input a0: u8[9,9]\noutput a1: u8[9,9,3]\n"
        "S0[y,x: 9,9]: a1[y,x,0] = (reduce(max, [r,s: 5,5], a0[y + r,x + s]) if 0 <= y < 5 && "
        "0 <= x < 5 else 1u8)\n"
        "S1[y,x: 9,9]: a1[y,x,1] = reduce(max, [r,s: 5,5], (y + r < 9 ? a0[clamp(y + r, 0, "
        "8),x] : 2u8))\n"
        "S2[y,x: 9,9]: a1[y,x,2] = reduce(max, [r,s: 5,5], a0[clamp(a0[r,y], 0, 8),x])\n"},
    /* Not: what a seq repeats. */
    {2, "input a0: u8[9,9]\noutput a1: u8[5,5]\ntemp a2: u8[4,5,5]\n"
        "seq t: 4 { S0[y,x: 5,5]: a2[t,y,x] = reduce(max, [r,s: 5,5], a0[y + r,x + s]) }\n"
        "S1[y,x: 5,5]: a1[y,x] = a2[3,y,x]\n"},
};

static void separate(struct bench *b, struct loops *l, const char *cpu, bool strict) {
    struct compile c = {.diag = &b->diag,
                        .names = &b->names,
                        .opt_level = 2,
                        .strict = strict,
                        .target = target_find(cpu)};
    ck_assert(pass_separate(&c, l));
    ck_assert_msg(loops_check(l, &b->diag), "%s", str_cstr(&b->messages));
}

START_TEST(bits_are_kept) {
    struct bench b;
    bench_start(&b);
    struct loops *before = read_body(&b, cases[_i].text),
                 *after = read_body(&b, cases[_i].text);
    separate(&b, after, "haswell", false);
    ck_assert_int_eq(after->num_stmts, cases[_i].stmts);
    expect_same_bits(&b, before, after, (struct fill){37, 101});
    loops_free(before);
    loops_free(after);
    bench_end(&b);
}
END_TEST

/* What is separated once stays as it is: the text reads back and changes no more. */
START_TEST(is_done) {
    struct bench b;
    struct str once = {0}, twice = {0};
    struct constant_pool pool = {0};
    bench_start(&b);
    struct loops *l = read_body(&b, cases[_i].text);
    separate(&b, l, "haswell", false);
    loops_print(&once, l, &pool);
    separate(&b, l, "haswell", false);
    loops_print(&twice, l, &pool);
    ck_assert_str_eq(str_cstr(&once), str_cstr(&twice));
    str_free(&once);
    str_free(&twice);
    loops_free(l);
    bench_end(&b);
}
END_TEST

/* Integers always; floats where the order of a reduction is free. */
START_TEST(order_of_floats) {
    static const struct {
        const char *type, *pad, *cpu;
        bool strict;
        int stmts;
    } rows[] = {
        {"f32", "-inff32", "haswell", false, 2}, {"f64", "-inff64", "haswell", false, 2},
        {"f32", "-inff32", "haswell", true, 1},  {"f64", "-inff64", "haswell", true, 1},
        {"f32", "-inff32", "scalar", false, 1},  {"i8", "-128i8", "haswell", true, 2},
        {"i8", "-128i8", "scalar", true, 2}};
    struct bench b;
    bench_start(&b);
    for (int k = 0; k < (int)(sizeof rows / sizeof *rows); k++) {
        struct loops *l = read_body(
            &b, arena_printf(&b.arena,
                             "input a0: %s[9,9]\noutput a1: %s[9,9]\n"
                             "S0[y,x: 9,9]: a1[y,x] = reduce(max, [r,s: 5,5], (a0[y + r - 2,x "
                             "+ s - 2] if 0 <= y + r - 2 < 9 && 0 <= x + s - 2 < 9 else %s))\n",
                             rows[k].type, rows[k].type, rows[k].pad));
        separate(&b, l, rows[k].cpu, rows[k].strict);
        ck_assert_int_eq(l->num_stmts, rows[k].stmts);
        loops_free(l);
    }
    bench_end(&b);
}
END_TEST

int main(void) {
    Suite *s = suite_create("separate");
    TCase *t = tcase_create("separate");
    int n = sizeof cases / sizeof *cases;
    tcase_add_loop_test(t, bits_are_kept, 0, n);
    tcase_add_loop_test(t, is_done, 0, n);
    tcase_add_test(t, order_of_floats);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
