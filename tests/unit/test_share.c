/* Bounds that get a name (codegen/share.c): statements in, statements out. */
#include "codegen/emit.h"
#include "compile.h"

#define HEAD                                                                                   \
    "ast \"t\"\nsymbol N max 8\ninput b0: f32[64] \"x\" [64]\ninput b1: i64[8] \"at\" [8]\n"   \
    "output b2: f32[64] \"y\" [64]\n"

// clang-format off
static const struct {
    const char *in, *out;
} texts[] = {
    /* once is not enough; what no loop around changes stands at the start */
    {"for i = 0..min(N, 4) { b2[i] = 1.0 }\n",
     "for i = 0..min(N, 4) {\n"
     "    b2[i] = 1.0\n"
     "}\n"},
    {"for i = 0..min(N, 4) { b2[i] = 1.0 }\nfor j = 0..4 { b2[j] = b0[min(N, 4) + j] }\n",
     "let at0: index = min(N, 4)\n"
     "for i = 0..at0 {\n"
     "    b2[i] = 1.0\n"
     "}\n"
     "for j = 0..4 {\n"
     "    b2[j] = b0[at0 + j]\n"
     "}\n"},
    /* inside the loop that it depends on, and each in its own */
    {"for i = 0..8 { for j = max(0, i - 4)..max(0, i - 4) + 2 { b2[j] = b0[max(0, i - 4) + N] } }\n",
     "for i = 0..8 {\n"
     "    let at0: index = max(0, i - 4)\n"
     "    for j = at0..at0 + 2 {\n"
     "        b2[j] = b0[at0 + N]\n"
     "    }\n"
     "}\n"},
    {"if b0[0] < 1.0 { for i = 0..4 { b2[min(i, 2)] = b0[min(i, 2)] } } else { for i = 0..4 { b2[min(i, 2)] = b0[max(i, 2)] } }\n",
     "if b0[0] < 1.0 {\n"
     "    for i = 0..4 {\n"
     "        let at0: index = min(i, 2)\n"
     "        b2[at0] = b0[at0]\n"
     "    }\n"
     "} else {\n"
     "    for i = 0..4 {\n"
     "        b2[min(i, 2)] = b0[max(i, 2)]\n"
     "    }\n"
     "}\n"},
    /* the extent of a reduction, and what it has in common with its body; two of them */
    {"for y = 0..8 { tile (m: 2 row, r: 3<=min(3, 9 - y) - max(0, 1 - y) red) b2[y*2 + m] = reduce(add, [r: min(3, 9 - y) - max(0, 1 - y)], b0[y + max(0, 1 - y) + r - 1]) }\n",
     "for y = 0..8 {\n"
     "    let at0: index = max(0, 1 - y)\n"
     "    let count0: index = min(3, 9 - y) - at0\n"
     "    tile (m: 2 row, r: 3<=count0 red) b2[y * 2 + m] = reduce(add, [r: count0], b0[y + at0 + r - 1])\n"
     "}\n"},
    {"for y = 0..8 { for x = 0..8 { tile (m: 2 row, r: 3<=3 - max(0, 1 - y) red, q: 3<=3 - max(0, 1 - x) red) b2[y*2 + m] = reduce(add, [r,q: 3 - max(0, 1 - y),3 - max(0, 1 - x)], b0[max(0, 1 - y) + r + max(0, 1 - x) + q]) } }\n",
     "for y = 0..8 {\n"
     "    let at0: index = max(0, 1 - y)\n"
     "    let count0: index = 3 - at0\n"
     "    for x = 0..8 {\n"
     "        let at1: index = max(0, 1 - x)\n"
     "        let count1: index = 3 - at1\n"
     "        tile (m: 2 row, r: 3<=count0 red, q: 3<=count1 red) b2[y * 2 + m] = reduce(add, [r,q: count0,count1], b0[at0 + r + at1 + q])\n"
     "    }\n"
     "}\n"},
    /* the larger one first, what is left in it if it is needed elsewhere */
    {"for i = 0..8 { b2[min(max(i, 2), N)] = b0[min(max(i, 2), N)] + b0[max(i, 2)] }\n",
     "for i = 0..8 {\n"
     "    let at1: index = max(i, 2)\n"
     "    let at0: index = min(at1, N)\n"
     "    b2[at0] = b0[at0] + b0[at1]\n"
     "}\n"},
    /* iterators of a tile and of its reduction */
    {"tile (m: 4 row, k: 3 red) b2[min(m, 2)] = reduce(add, [k: 3], b0[min(m, 2)] * b0[max(k, 1)] * b0[max(k, 1)])\n",
     "tile (m: 4 row, k: 3 red) b2[min(m, 2)] = reduce(add, [k: 3], b0[min(m, 2)] * b0[max(k, 1)] * b0[max(k, 1)])\n"},
    /* a scalar that the statements declare or set; one that changes only outside of them */
    {"let z: index = N + 1\nb2[min(z, 4)] = b0[min(z, 4)]\nset z = z + 1\nb2[min(z, 4)] = b0[min(z, 4)]\nfor i = 0..4 { b2[min(z, 5) + i] = b0[min(z, 5) + i] }\n",
     "let z: index = N + 1\n"
     "b2[min(z, 4)] = b0[min(z, 4)]\n"
     "set z = z + 1\n"
     "b2[min(z, 4)] = b0[min(z, 4)]\n"
     "for i = 0..4 {\n"
     "    let at0: index = min(z, 5)\n"
     "    b2[at0 + i] = b0[at0 + i]\n"
     "}\n"},
    /* what may fail or is read from memory; values */
    {"b2[min(4 / N, 2)] = b0[min(4 / N, 2)] + b0[max(N / 4, 1)] * b0[max(N / 4, 1)]\n",
     "let at0: index = max(N / 4, 1)\n"
     "b2[min(4 / N, 2)] = b0[min(4 / N, 2)] + b0[at0] * b0[at0]\n"},
    {"b2[min(clamp(b1[0], 0, 9), N)] = b0[min(clamp(b1[0], 0, 9), N)]\n",
     "b2[min(clamp(b1[0], 0, 9), N)] = b0[min(clamp(b1[0], 0, 9), N)]\n"},
    {"b2[0] = min(b0[0], b0[1]) * min(b0[0], b0[1])\n",
     "b2[0] = min(b0[0], b0[1]) * min(b0[0], b0[1])\n"},
};
// clang-format on

START_TEST(statements) {
    struct program p;
    struct str text = {0}, found = {0};
    const char *names[] = {"b0", "b1", "b2"};
    str_addf(&text, HEAD "%s", texts[_i].in);
    program_read(&p, str_cstr(&text));
    struct ast_list shared = share_bounds(&p.arena, &p.ast->body);
    ast_print_list(&found, p.ast, &shared, names);
    ck_assert_str_eq(str_cstr(&found), texts[_i].out);
    str_free(&text);
    str_free(&found);
    program_free(&p);
}
END_TEST

#define CONV                                                                                   \
    "ast \"t\"\ninput b0: f32[64] \"x\" [8,8]\ninput b1: f32[9] \"w\" [3,3]\n"                 \
    "output b2: f32[64] \"y\" [8,8]\n"
#define SUM                                                                                    \
    "reduce(add, [r,q: min(3, 9 - y) - max(0, 1 - y),min(3, 9 - x) - max(0, 1 - x)], "         \
    "b0[(y + max(0, 1 - y) + r - 1)*8 + x + max(0, 1 - x) + q - 1] * "                         \
    "b1[(max(0, 1 - y) + r)*3 + max(0, 1 - x) + q])"
#define TILE(count)                                                                            \
    "tile (m: 1" count " row, r: 3<=min(3, 9 - y) - max(0, 1 - y) red, "                       \
    "q: 3<=min(3, 9 - x) - max(0, 1 - x) red) b2[y*8 + x + m] = "

/* Register tiles and plain ones, with the reduction at one and at two places. */
static const char *const programs[] = {
    CONV "nest \"\" { for y = 0..8 { for x = 0..8 { " TILE("") SUM " } } }\n",
    CONV "nest \"\" { for y = 0..8 { for x = 0..8 { " TILE("") SUM " * " SUM " } } }\n",
    CONV "nest \"\" { for y = 0..8 { for x = 0..8 { " TILE("<=min(1, x + 1)") SUM " * " SUM
                                                                                  " } } }\n",
};

/* The nest is left as it is; the C has the names, in 32 bits where they fit, and answers as the
 * interpreter does. */
START_TEST(generated_c) {
    struct program p;
    struct str in = {0}, want = {0}, before = {0}, after = {0}, found;
    program_read(&p, programs[_i]);
    ck_assert_int_eq(interpret(&p, &in, &want), 0);
    ast_print(&before, p.ast, NULL);
    program_emit(&p);
    ast_print(&after, p.ast, NULL);
    ck_assert_str_eq(strstr(str_cstr(&before), "nest"), strstr(str_cstr(&after), "nest"));
    ck_assert(strstr(str_cstr(&p.source), "int32_t at1 = nncc_max_i32(0, 1 - x);") != NULL);
    ck_assert(strstr(str_cstr(&p.source), "q < count1; q++)") != NULL);
    ck_assert_int_eq(program_run_by(&p, STRICT, driver, &in, &found), 0);
    ck_assert_uint_eq(found.len, want.len);
    ck_assert_mem_eq(found.data, want.data, want.len);
    free(found.data);
    str_free(&in);
    str_free(&want);
    str_free(&before);
    str_free(&after);
    program_free(&p);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

int main(void) {
    Suite *s = suite_create("share");
    TCase *c = tcase_create("share");
    tcase_add_loop_test(c, statements, 0, COUNT(texts));
    tcase_add_loop_test(c, generated_c, 0, COUNT(programs));
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
