/* The ast language: texts read and print back, hostile ones are one error with its line, the
 * verifier names what is wrong. */
#include "lang.h"

/* ---- texts that are their own print ---- */

static const char *const exact[] = {
    "ast \"empty\"\n",
    "ast \"digits\" file \"digits.onnx\" macs 576 arena 4096 align 64\n"
    "symbol N max 16\n"
    "input b0: f32[N * 64] \"input\" [N,1,8,8]\n"
    "const b1: f32[3] = {1.5, -2, inf} \"w\"\n"
    "temp b2: f32[1024] at 0\n"
    "temp b3: bool[1]\n"
    "output b4: f32[N * 64] \"logits\" [N,64] alias 0\n"
    "nest \"S0[n,c: N,64]: …\" @ \"conv1\" {\n"
    "    for c1 = 0..N {\n"
    "        for c2 = 0..64 by 4 parallel {\n"
    "            let s0: f32 = 0.0\n"
    "            for c3 = max(0, 1 - c2)..min(3, 9 - c2) {\n"
    "                set s0 = s0 + b0[c1 * 64] * b1[c3]\n"
    "            }\n"
    "            b2[c2] = max(s0, 0.0)\n"
    "        }\n"
    "    }\n"
    "}\n",
    "ast \"control\"\n"
    "input b0: bool[1] \"c\" []\n"
    "input b1: i64[2] \"shape\" [2]\n"
    "output b2: f32[4] \"y\" [4]\n"
    "output b3: i64[4] \"k\" [4]\n"
    "for t = 0..10 while b0[0] {\n"
    "    nest \"S0\" {\n"
    "        b2[0] = 1.0\n"
    "    }\n"
    "}\n"
    "if b0[0] {\n"
    "    b2[1] = 2.0\n"
    "} else {\n"
    "    require b1[0] == 3i64 else SHAPE\n"
    "}\n"
    "call topk(b2; b2, b3; 1, 1, 4, 1, 4, -1)\n",
    "ast \"tile\"\n"
    "input b0: f32[3072] \"a\" [6,512]\n"
    "const b1: f32[0] = {}\n"
    "output b2: f32[192] \"c\" [6,32]\n"
    "for c4 = 1..7 {\n"
    "    tile (m: 6<=c4 row, n: 32 vec, k: 512 red) b2[m * 32 + n] = max(reduce(add, [k: 512], "
    "b0[m * 512 + k] * "
    "0.5), 0.0)\n"
    "}\n"
    "tile (m: 6 row, k: 512 split) b2[m] = reduce(max, [k: 512], b0[m * 512 + k])\n",
};

START_TEST(text_is_exact) {
    struct bench b;
    struct str s = {0};
    bench_start(&b);
    struct ast *a = ast_read("t.ast", exact[_i], strlen(exact[_i]), &b.names, NULL, &b.diag);
    ck_assert_msg(a != NULL, "%s", str_cstr(&b.messages));
    ast_print(&s, a, NULL);
    ck_assert_str_eq(str_cstr(&s), exact[_i]);
    ck_assert_msg(ast_check(a, &b.diag), "%s", str_cstr(&b.messages));
    str_free(&s);
    ast_free(a);
    bench_end(&b);
}
END_TEST

/* ---- texts that are refused: one message with the line ---- */

#define HEAD "ast \"t\"\ninput b0: f32[4] [4]\noutput b1: f32[4] [4]\n"

static const struct {
    const char *text, *message;
} refused[] = {
    {"loops \"t\"", "t.ast:1: error: expected 'ast', found 'loops'"},
    {"ast \"t\" align 3", "t.ast:1: error: the alignment is no power of two"},
    {"ast \"t\" macs -3", "t.ast:1: error: macs is negative"},
    {"ast \"t\"\ninput b1: f32[4] [4]", "t.ast:2: error: expected 'b0', found 'b1'"},
    {"ast \"t\"\ninput b0: index[4] [4]", "t.ast:2: error: a buffer cannot hold type index"},
    {"ast \"t\"\ntemp b0: f32[0-1]",
     "t.ast:2: error: the size of the buffer is negative, too large or has no maximum"},
    {"ast \"t\"\ntemp b0: f64[2305843009213693952]",
     "t.ast:2: error: the size of the buffer is negative, too large or has no maximum"},
    {"ast \"t\"\nsymbol N max 2\nconst b0: f32[N] = {1, 2}",
     "t.ast:3: error: a constant has a symbolic size"},
    {"ast \"t\"\noutput b0: f32[1] [1] alias 1", "t.ast:2: error: no input has number 1"},
    {HEAD "b1[0] = b2[0]", "t.ast:4: error: unknown array 'b2'"},
    {HEAD "b1[0] = c0", "t.ast:4: error: unknown name 'c0'"},
    {HEAD "b1[0] = 1i32", "t.ast:4: error:"},
    {HEAD "for c0 = 0..4 by 0 { }",
     "t.ast:4: error: the step of a loop must be 1 to 2147483647"},
    {HEAD "for c0 = 0..4 { for c0 = 0..2 { } }", "t.ast:4: error: the name c0 is in use"},
    {HEAD "{", "t.ast:4: error: expected a name, found '{'"},
    {HEAD "set s0 = 1.0", "t.ast:4: error: s0 is not declared"},
    {HEAD "if b0[0] > 0.0 { let s0: f32 = 1.0 }\nset s0 = 1.0",
     "t.ast:5: error: s0 is not declared"},
    {HEAD "tile (m: 0 row) b1[m] = 0.0",
     "t.ast:4: error: the maximum of a tile iterator must be positive"},
    {HEAD "tile (m: 4 column) b1[m] = 0.0",
     "t.ast:4: error: expected row, vec, red, dot4 or split"},
    {HEAD "nest \"x\" {", "t.ast:4: error: expected '}', found the end of the text"},
};

START_TEST(bad_text_is_one_error) {
    struct bench b;
    bench_start(&b);
    const char *text = refused[_i].text;
    ck_assert_ptr_null(ast_read("t.ast", text, strlen(text), &b.names, NULL, &b.diag));
    ck_assert_int_eq(b.diag.errors, 1);
    const char *message = str_cstr(&b.messages);
    ck_assert_msg(strncmp(message, refused[_i].message, strlen(refused[_i].message)) == 0, "%s",
                  message);
    bench_end(&b);
}
END_TEST

START_TEST(nesting_is_bounded) {
    struct bench b;
    struct str s = {0};
    bench_start(&b);
    str_add(&s, "ast \"deep\"\n");
    for (int i = 0; i < 10000; i++)
        str_addf(&s, "for c%d = 0..2 {\n", i);
    ck_assert_ptr_null(ast_read("t.ast", str_cstr(&s), s.len, &b.names, NULL, &b.diag));
    ck_assert_str_eq(str_cstr(&b.messages),
                     "t.ast:202: error: statements are nested more than 200 deep\n");
    str_free(&s);
    bench_end(&b);
}
END_TEST

/* ---- the verifier ---- */

static const struct {
    const char *text, *message; // NULL: nothing to report
} checked[] = {
    {HEAD "for c0 = 0..4 { b1[c0] = b0[3-c0] }", NULL},
    {HEAD "for c0 = 0..4 { b1[c0] = b0[c0+1] }",
     "t.ast:4: error: store: index 0 of b0 is 1 to 4, its extent is 4\n"},
    {HEAD "nest \"S0\" @ \"conv\" {\nfor c0 = 0..4 { b1[c0+1] = 0.0 } }",
     "t.ast:conv: error: store: index 0 of b1 is 1 to 4, its extent is 4\n"},
    {HEAD "for c0 = 0..4 { for c1 = 0..c0 { b1[c0] = b0[c1+1] } }", NULL},
    {HEAD "for c0 = 0..4 { if b0[c0] > 0.0 { b1[c0+1] = 0.0 } }", NULL},
    {HEAD "for c0 = 0..9 by 4 { b1[c0] = 0.0 }", NULL},
    {HEAD "for c0 = 0..4 { b1[c0] = (b0[c0-1] if 0 <= c0-1 < 4 else 0.0) }", NULL},
    {HEAD "for b7 = 0..4 { b1[b7] = 0.0 }",
     "t.ast:4: error: for: the name b7 is not a letter (b only alone) and digits\n"},
    {HEAD "let int: f32 = 0.0",
     "t.ast:4: error: let: the name int is not a letter (b only alone) and digits\n"},
    {HEAD "for b = 0..4 { b1[b] = 0.0 }", NULL},
    {HEAD "b0[0] = 1.0", "t.ast:4: error: store: writes b0, an input or constant\n"},
    {HEAD "for c0 = 0..4 { set c0 = 3 }", "t.ast:4: error: set: c0 is no scalar\n"},
    {HEAD "b1[0] = reduce(add, [k: 4], b0[k])",
     "t.ast:4: error: store: a reduce cannot stand here\n"},
    {HEAD "tile (m: 4 row, k: 3 red) b1[m] = reduce(add, [k: 4], b0[k])",
     "t.ast:4: error: tile: k is no iterator of the reduce with this count\n"},
    {HEAD "tile (m: 4 row) b1[m] = reduce(add, [k: 4], b0[k])",
     "t.ast:4: error: tile: an iterator of the reduce has no role\n"},
    {HEAD "tile (m: 4<=5 row) b1[m] = 0.0",
     "t.ast:4: error: tile: the count of m is 5 to 5, its maximum 4\n"},
    {HEAD "tile (m: 4 row, k: 4 split) b1[m] = reduce(add, [k: 4], b0[k])", NULL},
    {HEAD "tile (k: 2 split, l: 2 red) b1[0] = reduce(add, [k,l: 2,2], b0[k*2 + l])",
     "t.ast:4: error: tile: the split iterator k is not the innermost one of the reduce\n"},
    {HEAD "tile (m: 4 vec, k: 4 split) b1[m] = reduce(add, [k: 4], b0[k])",
     "t.ast:4: error: tile: both split and vec\n"},
    {HEAD "call topk(b0; b1)",
     "t.ast:4: error: call: no routine of this name takes these operands\n"},
    {"ast \"t\"\ninput b0: f32[4] [2,3]", "nncc: error: b0: its shape has 6 elements\n"},
    {"ast \"t\"\ninput b0: f32[4] [4]\noutput b1: f32[3] [3] alias 0",
     "nncc: error: b1: shares storage with no input of its type and size\n"},
    {"ast \"t\" arena 8\ntemp b0: f32[2] at 4", "nncc: error: b0: lies outside the arena\n"},
};

START_TEST(verifier_names_what_is_wrong) {
    struct bench b;
    bench_start(&b);
    const char *text = checked[_i].text;
    struct ast *a = ast_read("t.ast", text, strlen(text), &b.names, NULL, &b.diag);
    ck_assert_msg(a != NULL, "%s", str_cstr(&b.messages));
    bool ok = ast_check(a, &b.diag);
    ck_assert_str_eq(str_cstr(&b.messages), checked[_i].message ? checked[_i].message : "");
    ck_assert_int_eq(ok, checked[_i].message == NULL);
    ast_free(a);
    bench_end(&b);
}
END_TEST

/* ---- mentions ---- */

static void note(void *user, int buffer, bool store) {
    str_addf(user, "%c%d ", store ? 'w' : 'r', buffer);
}

START_TEST(every_mention_is_walked) {
    struct bench b;
    struct str s = {0};
    bench_start(&b);
    const char *text = "ast \"t\"\ninput b0: i64[4] [4]\ninput b1: bool[1] []\noutput b2: "
                       "f32[4] [4]\noutput b3: i64[4] [4]\n"
                       "temp b4: f32[4]\n"
                       "for i = clamp(b0[0], 0, 3)..4 while b1[0] { if b1[0] { b4[i] = 1.0 } "
                       "else { let z: f32 = b4[i] } }\n"
                       "call topk(b4; b2, b3; 1, 1, 4, 1, 4, 1)\n"
                       "tile (m: 4<=clamp(b0[1], 0, 4) row) b2[m] = b4[m]\n";
    struct ast *a = ast_read("t.ast", text, strlen(text), &b.names, NULL, &b.diag);
    ck_assert_msg(a && ast_check(a, &b.diag), "%s", str_cstr(&b.messages));
    for (const struct ast_node *n = a->body.first; n; n = n->next)
        ast_walk_buffers(n, note, &s);
    ck_assert_str_eq(str_cstr(&s), "r0 r1 r1 w4 r4 r4 w2 w3 r4 r0 w2 ");
    str_free(&s);
    ast_free(a);
    bench_end(&b);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

int main(void) {
    Suite *suite = suite_create("ast");
    TCase *tc = tcase_create("ast");
    tcase_add_loop_test(tc, text_is_exact, 0, COUNT(exact));
    tcase_add_loop_test(tc, bad_text_is_one_error, 0, COUNT(refused));
    tcase_add_test(tc, nesting_is_bounded);
    tcase_add_loop_test(tc, verifier_names_what_is_wrong, 0, COUNT(checked));
    tcase_add_test(tc, every_mention_is_walked);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
