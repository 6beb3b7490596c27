/* Equal nests (codegen/equal.c): which ones share a function, that the shared function gets the
 * right pointers (against the interpreter, bit for bit), and what its comment says. */
#include "codegen/emit.h"
#include "compile.h"

// clang-format off
static const struct {
    const char *text;
    const char *calls; // the function that each nest calls
} programs[] = {
    /* other buffers, places in the arena and constants; an output instead of a temporary */
    {"ast \"others\"\n"
     "input b0: f32[4] \"x\" [4]\n"
     "const b1: f32[4] = {1, 2, 3, 4}\n"
     "const b2: f32[4] = {0.5, -1, 7, 0}\n"
     "temp b3: f32[4]\n"
     "temp b4: f32[4]\n"
     "output b5: f32[4] \"y\" [4]\n"
     "nest \"\" { for i = 0..4 { b3[i] = b0[3 - i] - b1[i] } }\n"
     "nest \"\" { for i = 0..4 { b4[i] = b3[3 - i] - b2[i] } }\n"
     "nest \"\" { for i = 0..4 { b5[i] = b4[3 - i] - b0[i] } }\n", "0 0 0"},
    /* roles that are not in the order of the numbers */
    {"ast \"swapped\"\n"
     "input b0: f32[4] \"x\" [4]\n"
     "input b1: f32[4] \"y\" [4]\n"
     "output b2: f32[4] \"r\" [4]\n"
     "output b3: f32[4] \"s\" [4]\n"
     "nest \"\" { for i = 0..4 { b3[i] = b0[i] - b1[3 - i] } }\n"
     "nest \"\" { for i = 0..4 { b2[i] = b1[i] - b0[3 - i] } }\n", "0 0"},
    /* one buffer in two roles */
    {"ast \"identities\"\n"
     "input b0: f32[4] \"x\" [4]\n"
     "input b1: f32[4] \"y\" [4]\n"
     "output b2: f32[4] \"r\" [4]\n"
     "output b3: f32[4] \"s\" [4]\n"
     "output b4: f32[4] \"t\" [4]\n"
     "nest \"\" { for i = 0..4 { b2[i] = b0[i] * b1[i] } }\n"
     "nest \"\" { for i = 0..4 { b3[i] = b0[i] * b0[i] } }\n"
     "nest \"\" { for i = 0..4 { b4[i] = b1[i] * b1[i] } }\n", "0 1 1"},
    /* equal constants are one array, in two roles; two names for it */
    {"ast \"twins\"\n"
     "input b0: f32[4] \"x\" [4]\n"
     "const b1: f32[4] = {1, 2, 3, 4}\n"
     "const b2: f32[4] = {1, 2, 3, 4}\n"
     "const b3: f32[4] = {5, 2, 3, 4}\n"
     "output b4: f32[4] \"r\" [4]\n"
     "output b5: f32[4] \"s\" [4]\n"
     "nest \"\" { for i = 0..4 { b4[i] = b0[i] * b1[i] - b2[i] } }\n"
     "nest \"\" { for i = 0..4 { b5[i] = b0[i] * b2[i] - b3[i] } }\n", "0 0"},
    /* an extent, a literal, an operator, a type, a name, a step */
    {"ast \"different\"\n"
     "input b0: f32[4] \"x\" [4]\n"
     "input b1: i32[4] \"y\" [4]\n"
     "output b2: f32[4] \"r\" [4]\n"
     "output b3: i32[4] \"s\" [4]\n"
     "output b4: f32[4] \"t\" [4]\n"
     "output b5: f32[4] \"u\" [4]\n"
     "output b6: f32[4] \"v\" [4]\n"
     "output b7: f32[4] \"w\" [4]\n"
     "nest \"\" { for i = 0..4 { b2[i] = b0[i] + b0[i] } }\n"
     "nest \"\" { for i = 0..4 { b3[i] = b1[i] + b1[i] } }\n"
     "nest \"\" { for i = 0..4 { b4[i] = b0[i] * b0[i] } }\n"
     "nest \"\" { for j = 0..4 { b5[j] = b0[j] + b0[j] } }\n"
     "nest \"\" { for i = 0..4 by 1 { b6[i] = b0[i] + 1.0 } }\n"
     "nest \"\" { for i = 0..4 { b7[i] = b0[i] + 2.0 } }\n"
     "nest \"\" { for i = 0..2 { b6[i] = b0[i] + 1.0 } }\n"
     "nest \"\" { for i = 0..4 by 2 { b6[i] = b0[i] + 1.0 } }\n", "0 1 2 3 4 5 6 7"},
    /* 0.0 and -0.0 */
    {"ast \"signs\"\n"
     "input b0: f32[4] \"x\" [4]\n"
     "output b1: f32[4] \"r\" [4]\n"
     "output b2: f32[4] \"s\" [4]\n"
     "nest \"\" { for i = 0..4 { b1[i] = b0[i] * 0.0 } }\n"
     "nest \"\" { for i = 0..4 { b2[i] = b0[i] * -0.0 } }\n", "0 1"},
    /* in place and apart */
    {"ast \"memory\"\n"
     "input b0: f32[8] \"x\" [8]\n"
     "temp b1: f32[8]\n"
     "temp b2: f32[8]\n"
     "temp b3: f32[8]\n"
     "output b4: f32[8] \"r\" [8]\n"
     "nest \"\" { for i = 0..8 { b1[i] = b0[i] * 2.0 } }\n"
     "nest \"\" { for i = 0..8 { b2[i] = b1[i] * 2.0 } }\n"
     "nest \"\" { for i = 0..8 { b3[i] = b2[i] * 2.0 } }\n"
     "nest \"\" { for i = 0..8 { b4[i] = b3[i] * 2.0 } }\n", "0 1 1 0"},
    /* an output that may lie where an input lies */
    {"ast \"alias\"\n"
     "input b0: f32[4] \"x\" [4]\n"
     "input b1: f32[4] \"y\" [4]\n"
     "output b2: f32[4] \"r\" [4]\n"
     "output b3: f32[4] \"s\" [4] alias 1\n"
     "nest \"\" { for i = 0..4 { b2[i] = b1[i] * 2.0 } }\n"
     "nest \"\" { for i = 0..4 { b3[i] = b1[i] * 2.0 } }\n", "0 1"},
    /* packed elements of two types, bytes of one */
    {"ast \"packed\"\n"
     "input b0: i4[8] \"x\" [8]\n"
     "input b1: u4[8] \"y\" [8]\n"
     "output b2: i4[8] \"r\" [8]\n"
     "output b3: u4[8] \"s\" [8]\n"
     "output b4: i4[8] \"t\" [8]\n"
     "nest \"\" { for i = 0..8 { b2[i] = b0[7 - i] } }\n"
     "nest \"\" { for i = 0..8 { b3[i] = b1[7 - i] } }\n"
     "nest \"\" { for i = 0..8 { b4[i] = b0[7 - i] } }\n", "0 1 0"},
    /* scalars of the run function: equal ones are passed, other ranges are other types */
    {"ast \"scalars\"\n"
     "symbol N max 3\n"
     "input b0: f32[3] \"x\" [3]\n"
     "input b1: f32[3] \"y\" [3]\n"
     "temp b2: f32[64]\n"
     "temp b3: f32[64]\n"
     "output b4: f32[4] \"r\" [4]\n"
     "for t = 0..2 {\n"
     "nest \"\" { for i = 0..N { b2[t*16 + i] = b0[i] } }\n"
     "nest \"\" { for i = 0..N { b3[t*16 + i] = b1[i] } }\n"
     "}\n"
     "for t = 2..4 { nest \"\" { for i = 0..N { b2[t*16 + i] = b1[i] } } }\n"
     "for t = 0..2 { nest \"\" { for i = 0..N { b3[t*16 + 32 + i] = b0[i] } } }\n"
     "for t = 0..2 { nest \"\" { for i = 0..N { b2[t*16 + i] = b2[t*16 + i] } } }\n"
     "nest \"\" { for i = 0..4 { b4[i] = b2[i*16 + 1] - b3[i*16] } }\n", "0 0 1 2 3 4"},
    /* a load that C needs no pointer for */
    {"ast \"not named\"\n"
     "input b0: i32[4] \"x\" [4]\n"
     "input b1: i32[4] \"y\" [4]\n"
     "output b2: bool[4] \"r\" [4]\n"
     "output b3: bool[4] \"s\" [4]\n"
     "nest \"\" { for i = 0..4 { b2[i] = b0[i] < b0[i] || b1[i] < 2i32 } }\n"
     "nest \"\" { for i = 0..4 { b3[i] = b1[i] < b1[i] || b0[i] < 2i32 } }\n", "0 0"},
    /* statements of all kinds: if, let, set, while, require, tiles, nests inside */
    {"ast \"kinds\"\n"
     "input b0: f32[16] \"x\" [4,4]\n"
     "input b1: f32[16] \"y\" [4,4]\n"
     "output b2: f32[16] \"r\" [4,4]\n"
     "output b3: f32[16] \"s\" [4,4]\n"
     "nest \"p\" @ \"p\" { if b0[0] < 9.0 { let s: f32 = 0.5 for i = 0..4 while s < 2.0 { set s = s + 1.0 b2[i + 12] = s } } else { b2[0] = 1.0 }\n"
     "    nest \"inside\" @ \"q\" { tile (m: 4 row, n: 4 vec, k: 3 red) b2[m*4 + n] = reduce(add, [k: 3], b0[m*4 + k] * b1[k*4 + n]) } }\n"
     "nest \"u\" @ \"u\" { if b1[0] < 9.0 { let s: f32 = 0.5 for i = 0..4 while s < 2.0 { set s = s + 1.0 b3[i + 12] = s } } else { b3[0] = 1.0 }\n"
     "    nest \"within\" @ \"v\" { tile (m: 4 row, n: 4 vec, k: 3 red) b3[m*4 + n] = reduce(add, [k: 3], b1[m*4 + k] * b0[k*4 + n]) } }\n", "0 0"},
    /* routines */
    {"ast \"routines\"\n"
     "input b0: f32[4] \"x\" [4]\n"
     "input b1: f32[4] \"y\" [4]\n"
     "output b2: f32[2] \"r\" [2]\n"
     "output b3: i64[2] \"i\" [2]\n"
     "output b4: f32[2] \"s\" [2]\n"
     "output b5: i64[2] \"j\" [2]\n"
     "nest \"\" { call topk(b0; b2, b3; 1, 1, 4, 1, 2, 1) }\n"
     "nest \"\" { call topk(b1; b4, b5; 1, 1, 4, 1, 2, 1) }\n"
     "nest \"\" { call topk(b1; b4, b5; 0, 1, 4, 1, 2, 1) }\n", "0 0 1"},
};
// clang-format on

/* The numbers of the functions that the run function calls, in order. */
static void list_calls(struct str *s, struct program *p) {
    const char *at = strstr(str_cstr(&p->source), "\nint m_run("), *end;
    ck_assert(at != NULL);
    end = strstr(at, "m_profiled("); // which calls them once more
    while ((at = strstr(at, " m_")) != NULL && (!end || at < end)) {
        at += strlen(" m_");
        size_t digits = strspn(at, "0123456789");
        if (digits == 0)
            continue;
        str_add(s, s->len ? " " : "");
        str_add_len(s, at, digits);
    }
}

START_TEST(equal_nests_share_a_function) {
    struct program p;
    struct str in = {0}, want = {0}, calls = {0}, found;
    program_read(&p, programs[_i].text);
    ck_assert_int_eq(interpret(&p, &in, &want), 0);
    program_emit(&p);
    list_calls(&calls, &p);
    ck_assert_str_eq(str_cstr(&calls), programs[_i].calls);
    ck_assert_int_eq(program_run_by(&p, STRICT, driver, &in, &found), 0);
    ck_assert_uint_eq(found.len, want.len);
    ck_assert_mem_eq(found.data, want.data, want.len);
    free(found.data);
    str_free(&in);
    str_free(&want);
    str_free(&calls);
    program_free(&p);
}
END_TEST

/* A shared function reports an index that is out of range from whichever call meets it. */
START_TEST(each_call_may_fail) {
    static const char text[] =
        "ast \"t\"\ninput b0: f32[11] \"x\" [11]\ninput b1: f32[11] \"y\" [11]\n"
        "output b2: f32[11] \"r\" [11]\noutput b3: f32[11] \"s\" [11]\n"
        "nest \"\" { for i = 0..11 { b2[i] = b0[check(i64(b0[i]), -4, 4)*0 + i] } }\n"
        "nest \"\" { for i = 0..11 { b3[i] = b1[check(i64(b1[i]), -4, 4)*0 + i] } }\n";
    for (int bad = 0; bad < 3; bad++) {
        struct program p;
        struct str want = {0}, calls = {0}, found;
        float x[22] = {0};
        struct str in = {.data = (char *)x, .len = sizeof x};
        if (bad > 0)
            x[bad == 1 ? 10 : 11] = 5;
        program_read(&p, text);
        program_emit(&p);
        list_calls(&calls, &p);
        ck_assert_str_eq(str_cstr(&calls), "0 0");
        ck_assert_int_eq(program_run_by(&p, STRICT, driver, &in, &found), bad > 0 ? 2 : 0);
        free(found.data);
        str_free(&want);
        str_free(&calls);
        program_free(&p);
    }
}
END_TEST

/* `count` equal nests, from nodes whose names are as long as they are told to be. */
static void program_repeated(struct program *p, int count, int width) {
    struct str text = {0};
    str_add(&text, "ast \"t\"\ninput b0: f32[4] \"x\" [4]\n");
    for (int i = 0; i < count; i++)
        str_addf(&text, "output b%d: f32[4] \"r%d\" [4]\n", i + 1, i);
    for (int i = 0; i < count; i++)
        str_addf(&text, "nest \"half\" @ \"%0*d\" { for i = 0..4 { b%d[i] = b0[i] * 0.5 } }\n",
                 width, i, i + 1);
    program_read(p, str_cstr(&text));
    program_emit(p);
    str_free(&text);
}

static const struct {
    int count, width;
    const char *comment;
} comments[] = {
    {1, 2, "/* 00: half */\n"},
    {3, 2, "/* 00; 01; 02: half */\n"},
    {8, 60,
     "\n * 000000000000000000000000000000000000000000000000000000000003; and 4 more: half "
     "*/\n"},
    {2, 300, "0;\n * and 1 more: half */\n"},
};

START_TEST(comment_names_the_nodes) {
    struct program p;
    program_repeated(&p, comments[_i].count, comments[_i].width);
    ck_assert_msg(strstr(str_cstr(&p.source), comments[_i].comment) != NULL, "%s",
                  str_cstr(&p.source));
    struct str call = {0};
    str_addf(&call, "\n    /* %0*d */\n    m_0_", comments[_i].width, comments[_i].count - 1);
    bool repeated = comments[_i].count > 1;
    ck_assert_int_eq(strstr(str_cstr(&p.source), str_cstr(&call)) != NULL, repeated);
    str_free(&call);
    program_free(&p);
}
END_TEST

/* A node of which several nests are equal is named once. */
START_TEST(comment_names_a_node_once) {
    struct program p;
    program_read(&p, "ast \"t\"\ninput b0: f32[4] \"x\" [4]\noutput b1: f32[4] \"r\" [4]\n"
                     "output b2: f32[4] \"s\" [4]\n"
                     "nest \"w\" @ \"n\" { for i = 0..4 { b1[i] = b0[i] } }\n"
                     "nest \"w\" @ \"n\" { for i = 0..4 { b2[i] = b0[i] } }\n");
    program_emit(&p);
    ck_assert(strstr(str_cstr(&p.source), "/* n: w */") != NULL);
    program_free(&p);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

int main(void) {
    Suite *s = suite_create("equal");
    TCase *c = tcase_create("equal");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, equal_nests_share_a_function, 0, COUNT(programs));
    tcase_add_test(c, each_call_may_fail);
    tcase_add_loop_test(c, comment_names_the_nodes, 0, COUNT(comments));
    tcase_add_test(c, comment_names_a_node_once);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
