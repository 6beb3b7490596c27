/* The loops language: texts read and print back, hostile ones are one error with its line, the
 * verifier names what is wrong. */
#include "ir/constant.h"
#include "ir/loops.h"

#include <check.h>
#include <stdlib.h>

/* Names, messages and a text of one test. */
struct bench {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
};

static void bench_start(struct bench *b) {
    *b = (struct bench){.names = {.arena = NULL}};
    b->names.arena = &b->arena;
    b->diag.sink = &b->messages;
}

static void bench_end(struct bench *b) {
    str_free(&b->messages);
    intern_free(&b->names);
    arena_free(&b->arena);
}

static struct loops *read_text(struct bench *b, const char *text) {
    return loops_read("t.loops", text, strlen(text), &b->names, NULL, &b->diag);
}

/* ---- texts that are their own print ---- */

static const char *const exact[] = {
    "loops \"empty\"\n",
    "loops \"conv\" file \"conv.onnx\"\n"
    "input a0: f32[1,1,8,8] \"input\"\n"
    "const a1: f32[2,1,1,1] = {1.5, -2} \"w\"\n"
    "output a2: f32[1,2,8,8] \"out put\"\n"
    "S0[n,c,y,x: 1,2,8,8]: a2[n,c,y,x] = max(reduce(add, [r,s: 3,3], (a0[n,0,y + r - 1,x + s - "
    "1] if 0 "
    "<= y + r - 1 < 8 && 0 "
    "<= x + s - 1 < 8 else 0.0) * a1[c,0,0,0]), 0.0) @ \"conv1\"\n",
    "loops \"symbols\"\n"
    "symbol N max 16\n"
    "input a0: f32[N,4] \"x\"\n"
    "temp a1: f32[N,4]\n"
    "view a2: f32[N * 4] of a1\n"
    "output a3: f32[N,4] alias a0 \"y\"\n"
    "S0[i,j: N,4]: a1[i,j] = a0[i,j]\n"
    "S1[i,j: N,4]: a3[i,j] = a2[i * 4 + j]\n",
    "loops \"layouts\"\n"
    "input a0: f32[1,20,5,5]\n"
    "temp a1: f32[1,20,5,5] layout [0, 1/16 pad 4, 2, 3, 1%16]\n"
    "temp a2: f32[1,20,5,5] layout [0, 2%4, 3]\n"
    "output a3: f32[]\n"
    "S0[n,c,y,x: 1,20,5,5]: a1[n,c,y,x] = a0[n,c,y,x]\n"
    "S1[]: a3[] = 1.0\n",
    "loops \"control\"\n"
    "input a0: i64[1]\n"
    "input a1: bool[1]\n"
    "temp a2: i64[6,4]\n"
    "output a3: i64[4]\n"
    "require[i: 1]: a0[i] == 3i64 @ \"reshape\"\n"
    "seq t: 5 @ \"rnn\" {\n"
    "    S0[i: 4]: a2[t + 1,i] = a2[t,i] * 2i64\n"
    "}\n"
    "if a1[0] {\n"
    "    S1[i: 4]: a3[i] = a2[check(a0[0], 0, 5),i]\n"
    "} else {\n"
    "    while t: 10 if a1[0] {\n"
    "        S2[i: 4]: a3[i] = i64(i)\n"
    "    }\n"
    "}\n"
    "call topk(a0; a2, a3; 5, -1) @ \"top\"\n",
    "loops \"names\"\n"
    "input X: u8[3]\n"
    "output Y: u8[3]\n"
    "Copy[i: 3]: Y[i] = X[i]\n",
};

START_TEST(text_is_exact) {
    struct bench b;
    struct str s = {0};
    bench_start(&b);
    struct loops *l = read_text(&b, exact[_i]);
    ck_assert_msg(l != NULL, "%s", str_cstr(&b.messages));
    loops_print(&s, l, NULL);
    ck_assert_str_eq(str_cstr(&s), exact[_i]);
    str_free(&s);
    loops_free(l);
    bench_end(&b);
}
END_TEST

/* ---- texts that are refused: one message with the line ---- */

#define HEAD "loops \"t\"\ninput a0: f32[4]\noutput a1: f32[4]\n"

static const struct {
    const char *text, *message;
} refused[] = {
    {"", "t.loops:1: error: expected 'loops', found the end of the text"},
    {"loops t", "t.loops:1: error: expected a string, found 't'"},
    {HEAD "S0[i: 4]: a2[i] = a0[i]", "t.loops:4: error: unknown array a2"},
    {HEAD "S0[i: 4]: a1[i,0] = a0[i]", "t.loops:4: error: a1 has rank 1, found 2 indices"},
    {HEAD "S0[i,j: 4]: a1[i] = a0[i]", "t.loops:4: error: 2 iterators with 1 extents"},
    {HEAD "S1[i: 4]: a1[i] = a0[i]", "t.loops:4: error: expected the name S0, found S1"},
    {HEAD "T[i: 4]: a1[i] = a0[i]\nT[i: 4]: a1[i] = a0[i]",
     "t.loops:5: error: the name T is given twice"},
    {HEAD "temp a1: f32[4]", "t.loops:4: error: expected the name a2, found a1"},
    {HEAD "S0[i: 4]: a1[i] = i",
     "t.loops:4: error: expected an expression of type f32, found index"},
    {"loops \"t\"\ninput a0: f33[4]", "t.loops:2: error: unknown element type f33"},
    {"loops \"t\"\ninput a0: f32[-1]",
     "t.loops:2: error: extent 0 of a0 is negative or has no maximum"},
    {"loops \"t\"\ninput a0: f32[N]", "t.loops:2: error: unknown name 'N'"},
    {"loops \"t\"\nsymbol N max 0", "t.loops:2: error: symbol N has a maximum below 1"},
    {"loops \"t\"\ninput a0: f32[4294967296,4294967296]", "t.loops:2: error: a0 is too large"},
    {"loops \"t\"\ninput a0: f64[4611686018427387904]", "t.loops:2: error: a0 is too large"},
    {"loops \"t\"\nconst a0: f32[2] = {1.0}", NULL},
    {"loops \"t\"\nconst a0: f32[2] = @12ab:8", NULL},
    {"loops \"t\"\nview a0: f32[2] of a0", "t.loops:2: error: unknown array a0"},
    {"loops \"t\"\ntemp a0: f32[20] layout [1]",
     "t.loops:2: error: layout of a dimension that a0 does not have"},
    {"loops \"t\"\ntemp a0: f32[20] layout [0/0]",
     "t.loops:2: error: layout numbers must be positive"},
    {"loops \"t\"\ntemp a0: f32[20] layout [0 pad 19]",
     "t.loops:2: error: padded size 19 is less than the 20 that are needed"},
    {HEAD "seq t: 5 {", "t.loops:4: error: expected '}', found the end of the text"},
    {HEAD "}", "t.loops:4: error: expected a statement"},
    {HEAD "S0[i: 4]: a1[i] = a0[i] @ x", "t.loops:4: error: expected a string, found 'x'"},
};

START_TEST(bad_text_is_one_error) {
    struct bench b;
    bench_start(&b);
    ck_assert_ptr_null(read_text(&b, refused[_i].text));
    ck_assert_int_eq(b.diag.errors, 1);
    const char *message = str_cstr(&b.messages);
    if (refused[_i].message)
        ck_assert_msg(strncmp(message, refused[_i].message, strlen(refused[_i].message)) == 0,
                      "%s", message);
    bench_end(&b);
}
END_TEST

START_TEST(nesting_is_bounded) {
    struct bench b;
    struct str s = {0};
    bench_start(&b);
    str_add(&s, "loops \"deep\"\n");
    for (int i = 0; i < 10000; i++)
        str_addf(&s, "seq t%d: 2 {\n", i);
    ck_assert_ptr_null(read_text(&b, str_cstr(&s)));
    ck_assert_str_eq(str_cstr(&b.messages),
                     "t.loops:202: error: statements are nested more than 200 deep\n");
    str_free(&s);
    bench_end(&b);
}
END_TEST

/* ---- the verifier ---- */

static const struct {
    const char *text, *message; // NULL: nothing to report
} checked[] = {
    {HEAD "S0[i: 4]: a1[i] = a0[i]", NULL},
    {HEAD "S0[i: 4]: a1[i] = a0[i+1]",
     "t.loops:4: error: S0: index 0 of a0 is 1 to 4, its extent is 4\n"},
    {HEAD "S0[i: 5]: a1[i] = 0.0",
     "t.loops:4: error: S0: index 0 of a1 is 0 to 4, its extent is 4\n"},
    {HEAD "S0[i: 4]: a1[i] = a0[i*2/2]", NULL},
    {HEAD "S0[i: 4]: a1[i] = (a0[i+1] if 0 <= i+1 < 4 else 0.0)", NULL},
    {HEAD "S0[i: 4]: a1[i] = (a0[i+2] if 0 <= i+1 < 4 else 0.0)", NULL},
    {HEAD "S0[i: 4]: a1[i] = (a0[i+1] if 0 <= i+1 < 5 else 0.0)",
     "t.loops:4: error: S0: index 0 of a0 is 1 to 4, its extent is 4\n"},
    {HEAD "S0[i: 4]: a1[i] = (a0[i+9] if 9 <= i+1 < 9 else 0.0)", NULL},
    {HEAD "S0[i,i: 4,1]: a1[i] = a0[i]", "t.loops:4: error: S0: the name i is in use\n"},
    {HEAD "seq t: 4 { S0[t: 4]: a1[t] = a0[t] }",
     "t.loops:4: error: S0: the name t is in use\n"},
    {HEAD "S0[i: 4]: a0[i] = a1[i]", "t.loops:4: error: S0: writes a0, an input\n"},
    {HEAD "S0[i: 4]: a1[i] = reduce(add, [k: 4], a0[k]) + reduce(max, [k: 4], a0[k])",
     "t.loops:4: error: S0: more than one reduce\n"},
    {HEAD "S0[i: 4]: a1[i] = reduce(add, [i: 4], a0[i])",
     "t.loops:4: error: S0: the name i is in use\n"},
    {HEAD "S0[i,j: 4,0]: a1[i] = a0[i+9]", NULL},
    {HEAD "seq t: 3 { if a0[0] < a0[1] { S0[]: a1[t] = a0[t+2] } }", NULL},
    {HEAD "call nothing(a0; a1)",
     "t.loops:4: error: nothing: no routine of this name takes these operands\n"},
    {HEAD "view a2: f32[3] of a0",
     "nncc: error: a2: a view of another type or number of elements\n"},
    {HEAD "view a2: i32[4] of a0",
     "nncc: error: a2: a view of another type or number of elements\n"},
    {HEAD "output a2: f32[4] alias a1",
     "nncc: error: a2: only an output shares storage, with an input of its type and size\n"},
    {"loops \"t\"\ninput a0: f32[4] layout [0/2, 0%2]",
     "nncc: error: a0: only constants and temporaries have a layout\n"},
};

START_TEST(verifier_names_what_is_wrong) {
    struct bench b;
    bench_start(&b);
    struct loops *l = read_text(&b, checked[_i].text);
    ck_assert_msg(l != NULL, "%s", str_cstr(&b.messages));
    bool ok = loops_check(l, &b.diag);
    ck_assert_str_eq(str_cstr(&b.messages), checked[_i].message ? checked[_i].message : "");
    ck_assert_int_eq(ok, checked[_i].message == NULL);
    loops_free(l);
    bench_end(&b);
}
END_TEST

/* ---- building ---- */

START_TEST(builders_make_what_the_text_says) {
    struct bench b;
    struct str s = {0};
    bench_start(&b);
    struct loops *l = loops_new(&b.names, "built");
    static const float weights[2] = {1.0F, 0.5F};
    int x = loops_add_static(l, ARRAY_INPUT, DTYPE_F32, 2, (int64_t[]){3, 2}, "x");
    int w = loops_add_const(l, DTYPE_F32, 1, (int64_t[]){2}, weights, NULL);
    int v = loops_add_view(l, x, 1, (int64_t[]){6});
    int y = loops_add_static(l, ARRAY_OUTPUT, DTYPE_F32, 1, (int64_t[]){6}, "y");
    const struct expr *i = expr_var(l->arena, DTYPE_INDEX, intern(&b.names, "i"));
    const struct expr *half = expr_2(l->arena, FUNC_REM, i, expr_index(l->arena, 2));
    struct stmt *st = loops_add_stmt(l, &l->body, STMT_COMPUTE, (struct loc){.node = "scale"});
    struct iter iter = {i->name, expr_index(l->arena, 6)};
    st->iters = &iter;
    st->num_iters = 1;
    st->array = y;
    st->index = &i;
    st->rhs = expr_2(l->arena, FUNC_MUL, expr_load(l->arena, DTYPE_F32, v, &i, 1),
                     expr_load(l->arena, DTYPE_F32, w, &half, 1));
    loops_print(&s, l, NULL);
    ck_assert_str_eq(str_cstr(&s), "loops \"built\"\n"
                                   "input a0: f32[3,2] \"x\"\n"
                                   "const a1: f32[2] = {1, 0.5}\n"
                                   "view a2: f32[6] of a0\n"
                                   "output a3: f32[6] \"y\"\n"
                                   "S0[i: 6]: a3[i] = a2[i] * a1[i % 2] @ \"scale\"\n");
    ck_assert_int_eq(loops_root(l, v), x);
    ck_assert_int_eq(loops_elements(l, v), 6);
    ck_assert(loops_check(l, &b.diag));
    str_free(&s);
    loops_free(l);
    bench_end(&b);
}
END_TEST

/* A layout's padding counts, and a ring has as many rows as its modulus. */
START_TEST(elements_follow_the_layout) {
    struct bench b;
    bench_start(&b);
    struct loops *l =
        read_text(&b, "loops \"t\"\nsymbol N max 5\n"
                      "temp a0: f32[1,20,5,5] layout [0, 1/16 pad 4, 2, 3, 1%16]\n"
                      "temp a1: f32[7,3] layout [0%4, 1]\n"
                      "temp a2: f32[N*2,3]\n"
                      "temp a3: u4[3,0]\n");
    ck_assert_ptr_nonnull(l);
    ck_assert_int_eq(loops_elements(l, 0), 4 * 25 * 16);
    ck_assert_int_eq(loops_elements(l, 1), 12);
    ck_assert_int_eq(loops_elements(l, 2), 30);
    ck_assert_int_eq(loops_elements(l, 3), 0);
    loops_free(l);
    bench_end(&b);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

int main(void) {
    Suite *suite = suite_create("loops");
    TCase *tc = tcase_create("loops");
    tcase_add_loop_test(tc, text_is_exact, 0, COUNT(exact));
    tcase_add_loop_test(tc, bad_text_is_one_error, 0, COUNT(refused));
    tcase_add_test(tc, nesting_is_bounded);
    tcase_add_loop_test(tc, verifier_names_what_is_wrong, 0, COUNT(checked));
    tcase_add_test(tc, builders_make_what_the_text_says);
    tcase_add_test(tc, elements_follow_the_layout);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
