/* loops -> ast in source order: the text of what comes out, and that it runs. */
#include "lang.h"

static const struct {
    const char *loops, *ast; // the ast without its first line and buffers
} cases[] = {
    /* The reduce is a scalar; the loop of one iteration is gone; the guard keeps its place. */
    {"loops \"conv\" file \"m.onnx\"\ninput a0: f32[1,2,8,8] \"x\"\ninput a1: "
     "f32[4,2,3,3]\noutput a2: f32[1,4,8,8]\n"
     "S0[n,o,y,x: 1,4,8,8]: a2[n,o,y,x] = max(reduce(add, [c,r,s: 2,3,3], (a0[n,c,y+r-1,x+s-1] "
     "if 0 <= y+r-1 < 8 && 0 <= "
     "x+s-1 < 8 else 0.0) * a1[o,c,r,s]), 0.0) @ \"c1\"\n",
     "nest \"S0[n,o,y,x: 1,4,8,8]: b2[n,o,y,x] = max(reduce(add, [c,r,s: 2,3,3], (b0[n,c,y + r "
     "- 1,x + s - 1] if 0 <= y + r - "
     "1 < 8 && 0 <= x + s - 1 < 8 else 0.0) * b1[o,c,r,s]), 0.0)\" @ \"c1\" {\n"
     "    for o = 0..4 {\n"
     "        for y = 0..8 {\n"
     "            for x = 0..8 {\n"
     "                let s0: f32 = 0.0\n"
     "                for c = 0..2 {\n"
     "                    for r = 0..3 {\n"
     "                        for s = 0..3 {\n"
     "                            set s0 = s0 + (b0[c * 64 + (y + r - 1) * 8 + x + s - 1] if 0 "
     "<= y + r - 1 < 8 && 0 <= x + s "
     "- 1 < 8 else 0.0) * b1[o * 18 + c * 9 + r * 3 + s]\n"
     "                        }\n"
     "                    }\n"
     "                }\n"
     "                b2[o * 64 + y * 8 + x] = max(s0, 0.0)\n"
     "            }\n"
     "        }\n"
     "    }\n"
     "}\n"},
    /* Views share the storage of their array; a layout gives the place. */
    {"loops \"places\"\ninput a0: f32[2,6]\nview a1: f32[3,4] of a0\ntemp a2: f32[3,4] layout "
     "[1/2, 0, 1%2]\n"
     "temp a3: f32[9,5] layout [0%3, 1 pad 8]\noutput a4: f32[3,4]\n"
     "S0[i,j: 3,4]: a2[i,j] = a1[i,j]\nS1[i,j: 3,4]: a4[i,j] = a2[i,j]\nS2[i,j: 9,5]: a3[i,j] "
     "= 1.0\n",
     "nest \"S0[i,j: 3,4]: b1[i,j] = b0[i,j]\" {\n    for i = 0..3 {\n        for j = 0..4 {\n"
     "            b1[(j / 2 * 3 + i) * 2 + j % 2] = b0[i * 4 + j]\n        }\n    }\n}\n"
     "nest \"S1[i,j: 3,4]: b3[i,j] = b1[i,j]\" {\n    for i = 0..3 {\n        for j = 0..4 {\n"
     "            b3[i * 4 + j] = b1[(j / 2 * 3 + i) * 2 + j % 2]\n        }\n    }\n}\n"
     "nest \"S2[i,j: 9,5]: b2[i,j] = 1.0\" {\n    for i = 0..9 {\n        for j = 0..5 {\n"
     "            b2[i % 3 * 8 + j] = 1.0\n        }\n    }\n}\n"},
    /* Names that C or the ast would not have, or that are in scope, are replaced. */
    {"loops \"names\"\ninput a0: f32[2,2,2]\noutput a1: f32[2,2]\n"
     "S0[int,b1: 2,2]: a1[int,b1] = reduce(max, [s0: 2], a0[int,b1,s0])\n",
     "nest \"S0[int,b1: 2,2]: b1[int,b1] = reduce(max, [s0: 2], b0[int,b1,s0])\" {\n"
     "    for c0 = 0..2 {\n        for c1 = 0..2 {\n            let s0: f32 = -inff32\n        "
     "    for c2 = 0..2 {\n"
     "                set s0 = max(s0, b0[c0 * 4 + c1 * 2 + c2])\n            }\n            "
     "b1[c0 * 2 + c1] = s0\n"
     "        }\n    }\n}\n"},
    /* A reduce inside a guard reads nothing outside it. */
    {"loops \"guarded\"\ninput a0: f32[4]\noutput a1: f32[6]\n"
     "S0[i: 6]: a1[i] = (reduce(add, [k: 2], a0[i-k]) if 1 <= i < 4 else 9.0)\n",
     "nest \"S0[i: 6]: b1[i] = (reduce(add, [k: 2], b0[i - k]) if 1 <= i < 4 else 9.0)\" {\n   "
     " for i = 0..6 {\n"
     "        let s0: f32 = 0.0\n        for k = 0..2 {\n            set s0 = s0 + (b0[i - k] "
     "if 1 <= i < 4 else 0.0)\n"
     "        }\n        b1[i] = (s0 if 1 <= i < 4 else 9.0)\n    }\n}\n"},
    /* Empty domains vanish, a reduce over none is its identity, rank 0 has no loops. */
    {"loops \"empty\"\ninput a0: f32[0,3]\noutput a1: f32[0,3]\noutput a2: f32[]\noutput a3: "
     "f32[0]\n"
     "S0[i,j: 0,3]: a1[i,j] = a0[i,j]\nS1[]: a2[] = reduce(mul, [i: 0], a0[i,0])\nseq t: 0 { "
     "S2[i: 3]: a2[] = 2.0 }\n",
     "nest \"S1[]: b2[] = 1.0\" {\n    b2[0] = 1.0\n}\n"},
    /* Control. */
    {"loops \"control\"\ninput a0: bool[1]\ninput a1: i64[2]\ninput a2: f32[2,2]\ntemp a3: "
     "f32[4,2]\noutput a4: f32[2]\n"
     "output a5: i64[2]\n"
     "require[i: 2]: a1[i] == i64(i) @ \"shape\"\n"
     "S0[i: 2]: a3[0,i] = 0.0\n"
     "seq t: 3 @ \"scan\" {\n    S1[t0,i: 1,2]: a3[t+1,i] = a3[t,i] + reduce(add, [k: 2], "
     "a3[t,k] * a2[k,i])\n}\n"
     "if a0[0] { call topk(a2; a4, a5; 1, 1, 4, 1, 2, 1) } else { while t: 5 if a0[0] { S2[i: "
     "2]: a4[i] = a3[t%4,i] } }\n",
     "nest \"require[i: 2]: b1[i] == i64(i)\" @ \"shape\" {\n    for i = 0..2 {\n        "
     "require b1[i] == i64(i) else SHAPE\n"
     "    }\n}\n"
     "nest \"S0[i: 2]: b3[0,i] = 0.0\" {\n    for i = 0..2 {\n        b3[i] = 0.0\n    }\n}\n"
     "for t = 0..3 {\n"
     "    nest \"S1[t0,i: 1,2]: b3[t + 1,i] = b3[t,i] + reduce(add, [k: 2], b3[t,k] * "
     "b2[k,i])\" {\n"
     "        for i = 0..2 {\n            let s0: f32 = 0.0\n            for k = 0..2 {\n"
     "                set s0 = s0 + b3[t * 2 + k] * b2[k * 2 + i]\n            }\n"
     "            b3[(t + 1) * 2 + i] = b3[t * 2 + i] + s0\n        }\n    }\n}\n"
     "if b0[0] {\n    nest \"call topk(b2; b4, b5; 1, 1, 4, 1, 2, 1)\" {\n        call "
     "topk(b2; b4, b5; 1, 1, 4, 1, 2, 1)\n"
     "    }\n} else {\n    for t = 0..5 while b0[0] {\n        nest \"S2[i: 2]: b4[i] = b3[t % "
     "4,i]\" {\n"
     "            for i = 0..2 {\n                b4[i] = b3[t % 4 * 2 + i]\n            }\n   "
     "     }\n    }\n}\n"},
    /* Strides that symbols have. */
    {"loops \"symbols\"\nsymbol N max 4\ninput a0: f32[2,N]\noutput a1: f32[N,2]\nS0[i,j: "
     "N,2]: a1[i,j] = a0[j,i]\n",
     "nest \"S0[i,j: N,2]: b1[i,j] = b0[j,i]\" {\n    for i = 0..N {\n        for j = 0..2 {\n"
     "            b1[i * 2 + j] = b0[j * N + i]\n        }\n    }\n}\n"},
};

START_TEST(text_is_as_expected) {
    struct bench b;
    struct program p;
    struct str s = {0};
    bench_start(&b);
    program_read(&p, &b, cases[_i].loops, "");
    ast_print(&s, p.ast, NULL);
    const char *body = strstr(str_cstr(&s), "nest");
    ck_assert_ptr_nonnull(body);
    ck_assert_str_eq(body, cases[_i].ast);
    ck_assert_msg(ast_check(p.ast, &b.diag), "%s", str_cstr(&b.messages));
    str_free(&s);
    program_free(&p);
    bench_end(&b);
}
END_TEST

/* Multiply-accumulates of contractions count once per instance, those of a seq once per step;
 * other sums do not. */
START_TEST(macs_are_counted) {
    struct bench b;
    struct program p;
    bench_start(&b);
    program_read(
        &p, &b,
        "loops \"macs\"\nsymbol N max 7\ninput a0: f32[N,5]\ninput a1: f32[5,3]\ntemp "
        "a2: f32[7,3]\n"
        "output a3: f32[3]\n"
        "S0[i,j: N,3]: a2[i,j] = reduce(add, [k: 5], a0[i,k] * (a1[k,j] if 0 <= k < 4 "
        "else 0.0))\n"
        "S1[j: 3]: a3[j] = reduce(add, [k: 5], a1[k,j] * 2.0)\n"
        "S2[j: 3]: a3[j] = reduce(max, [k: 5], a1[k,j] * a1[k,j])\n"
        "seq t: 4 { S3[j: 3]: a3[j] = reduce(add, [k: 2], a1[k,j] * a1[k+1,j]) }\n"
        "S4[j: 3]: a3[j] = reduce(add, [k: 5], (a1[k,j] * a1[k,0] if 1 <= k < 5 else 0.0))\n",
        "");
    ck_assert_uint_eq(p.ast->macs, 7 * 3 * 5 + 4 * 3 * 2 + 3 * 5);
    program_free(&p);
    bench_end(&b);
}
END_TEST

/* A long statement is shortened in the name of its nest. */
START_TEST(long_names_are_shortened) {
    struct bench b;
    struct program p;
    struct str s = {0};
    bench_start(&b);
    str_add(&s, "loops \"long\"\ninput a0: f32[9]\noutput a1: f32[9]\nS0[i: 9]: a1[i] = 0.0");
    for (int i = 0; i < 40; i++)
        str_add(&s, " + a0[i]");
    program_read(&p, &b, str_cstr(&s), "");
    const char *name = p.ast->body.first->name;
    ck_assert_uint_eq(strlen(name), 244);
    ck_assert_str_eq(name + 240, " ...");
    str_free(&s);
    program_free(&p);
    bench_end(&b);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

int main(void) {
    Suite *suite = suite_create("naive");
    TCase *tc = tcase_create("naive");
    tcase_add_loop_test(tc, text_is_as_expected, 0, COUNT(cases));
    tcase_add_test(tc, macs_are_counted);
    tcase_add_test(tc, long_names_are_shortened);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
