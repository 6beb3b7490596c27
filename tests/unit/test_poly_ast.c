/* Schedules: their text reads back, mutants are refused by naming the dependence; the ast made
 * from one gives what the naive ast gives, on small programs and on whole models. */
#include "frontend/frontend.h"
#include "passes/passes.h"
#include "polyhedral/polyhedral.h"
#include "tests/unit/poly_bench.h"
#include "tests/unit/poly_run.h"

#include <glob.h>

/* Import and proofs of a program that is right. */
static struct poly *prove(struct bench *b, struct loops *l) {
    struct poly *p = poly_import(l, &b->diag);
    ck_assert_msg(poly_bounds(p) && poly_depend(p), "%s", str_cstr(&b->messages));
    return p;
}

/* The certified schedule's ast gives what the naive one gives, which was made before layouts
 * were chosen; it is freed. */
static void expect_same(struct bench *b, struct poly *p, struct ast *naive, bool strict,
                        const char *name, struct str *text) {
    ck_assert_msg(poly_certify(p), "%s: %s", name, str_cstr(&b->messages));
    struct ast *mine = ast_from_poly(p, &b->names, strict);
    ck_assert_msg(ast_check(mine, &b->diag), "%s: %s", name, str_cstr(&b->messages));
    ck_assert_msg(mine->macs == naive->macs, "%s: another number of macs", name);
    run_both(naive, mine, name);
    if (text)
        ast_print(text, mine, NULL);
    ast_free(mine);
    ast_free(naive);
}

/* ---- small programs ---- */

#define CONV                                                                                   \
    "loops \"conv\" file \"conv.onnx\"\n"                                                      \
    "input a0: f32[8,5,6]\n"                                                                   \
    "input a1: f32[3,8,3,3]\n"                                                                 \
    "const a2: f32[3,2] = {1, 2, 3, 4, 5, 6}\n"                                                \
    "output a3: f32[3,5,6]\n"                                                                  \
    "S0[c,y,x: 3,5,6]: a3[c,y,x] = reduce(add, [k,r,s: 8,3,3], (a0[k,y + r - 1,x + s - 1] if " \
    "0 <= y + r - 1 < 5 && 0 <= x + s - 1 < 6 else 0.0) * a1[c,k,r,s]) * 0.5\n"

/* In the ast of `text`, made with or without `strict`, `words` stand, or do not stand. */
static const struct {
    const char *name, *text;
    bool strict, stands;
    const char *words;
    int shrunk;
} programs[] = {
    {"padded convolution", CONV, false, true,
     "tile (m0: 3 row, v0: 4 vec, k0: 8 red, k1: 3<=min(3, 6 - c0) - max(0, 1 - c0) red, k2: 3 "
     "red)",
     3},
    {"its border is gone", CONV, false, false, " if 0 <= ", 3},
    {"strict: weights may be infinite", CONV, true, true, " if 0 <= ", 0},
    {"strict: constants are known to be finite",
     "loops \"t\"\ninput a0: f32[5]\nconst a1: f32[3] = {1, 2, 3}\noutput a2: f32[5]\n"
     "S0[i: 5]: a2[i] = reduce(add, [k: 3], (a0[i + k - 1] if 0 <= i + k - 1 < 5 else 0.0) * "
     "a1[k])\n",
     true, true, "for c0 = 1..3 {", 2},
    {"strict: an infinite constant",
     "loops \"t\"\ninput a0: f32[5]\nconst a1: f32[3] = {1, inf, 3}\noutput a2: f32[5]\n"
     "S0[i: 5]: a2[i] = reduce(add, [k: 3], (a0[i + k - 1] if 0 <= i + k - 1 < 5 else 0.0) * "
     "a1[k])\n",
     true, true, " if 0 <= ", 0},
    {"maximum with -inf",
     "loops \"t\"\ninput a0: f32[5]\noutput a1: f32[3]\n"
     "S0[i: 3]: a1[i] = reduce(max, [k: 3], (a0[i * 2 + k - 1] if 0 <= i * 2 + k - 1 < 5 else "
     "-inff32))\n",
     true, false, " if 0 <= ", 2},
    {"maximum with zero keeps its test",
     "loops \"t\"\ninput a0: f32[5]\noutput a1: f32[3]\n"
     "S0[i: 3]: a1[i] = reduce(max, [k: 3], (a0[i * 2 + k - 1] if 0 <= i * 2 + k - 1 < 5 else "
     "0.0))\n",
     false, true, " if 0 <= ", 0},
    {"zero point as padding",
     "loops \"t\"\ninput a0: u8[5]\ninput a1: i8[3]\noutput a2: i32[5]\n"
     "S0[i: 5]: a2[i] = reduce(add, [k: 3], (i32((a0[i + k - 1] if 0 <= i + k - 1 < 5 else "
     "7u8)) "
     "- 7i32) * i32(a1[k]))\n",
     true, false, " if 0 <= ", 2},
    {"another padding than the zero point",
     "loops \"t\"\ninput a0: u8[5]\ninput a1: i8[3]\noutput a2: i32[5]\n"
     "S0[i: 5]: a2[i] = reduce(add, [k: 3], (i32((a0[i + k - 1] if 0 <= i + k - 1 < 5 else "
     "6u8)) "
     "- 7i32) * i32(a1[k]))\n",
     true, true, " if 0 <= ", 0},
    {"two guards, of which one contributes",
     "loops \"t\"\ninput a0: f32[5]\noutput a1: f32[5]\n"
     "S0[i: 5]: a1[i] = reduce(add, [k: 3], (a0[i + k - 1] if 1 <= i + k < 6 else 0.0) * (a0[i "
     "- k] if 0 <= i - k < 5 else 1.0))\n",
     false, true, "(b0[c0 - c1] if 0 <= c0 - c1 < 5 else 1.0)", 2},
    {"a guard around the reduce",
     "loops \"t\"\ninput a0: f32[5]\noutput a1: f32[6]\n"
     "S0[i: 6]: a1[i] = (reduce(add, [k: 2], a0[i - k]) if 1 <= i < 5 else 3.0)\n",
     true, true, "b1[0] = 3.0\n    for c0 = 1..5 {\n", 0},
    {"window wholly outside",
     "loops \"t\"\ninput a0: f32[3]\noutput a1: f32[9]\n"
     "S0[i: 9]: a1[i] = reduce(add, [k: 2], (a0[i + k - 4] if 0 <= i + k - 4 < 3 else 0.0))\n",
     true, false, " if 0 <= ", 2},
    {"dilated and strided",
     "loops \"t\"\ninput a0: f32[9]\noutput a1: f32[4]\n"
     "S0[i: 4]: a1[i] = reduce(add, [k: 3], (a0[i * 3 + k * 2 - 2] if 0 <= i * 3 + k * 2 - 2 < "
     "9 else 0.0))\n",
     true, false, " if 0 <= ", 2},
    {"transposed convolution",
     "loops \"t\"\ninput a0: f32[4]\ninput a1: f32[3]\noutput a2: f32[9]\n"
     "S0[i: 9]: a2[i] = reduce(add, [k: 3], ((a0[(i - k) / 2] if 0 <= i - k < 8 else 0.0) if 0 "
     "<= (i - k) % 2 < 1 else 0.0) * a1[k])\n",
     false, true, "for c1 = ", 1},
    {"symbolic extents",
     "loops \"t\"\nsymbol N max 7\ninput a0: f32[N,3]\noutput a1: f32[N,3]\n"
     "S0[i,j: N,3]: a1[i,j] = reduce(add, [k: 3], (a0[i + k - 1,j] if 0 <= i + k - 1 < N else "
     "0.0))\n",
     true, true, "for c1 = 1..min(3, N + 1) {", 2},
    {"regions around what is not scheduled",
     "loops \"t\"\ninput a0: f32[5,4]\ntemp a1: f32[6,4]\ninput a2: i64[1]\noutput a3: "
     "f32[4]\n"
     "S0[i: 4]: a1[0,i] = 0.0\n"
     "seq t: 5 {\n    S1[i: 4]: a1[t + 1,i] = a1[t,i] + a0[t,i]\n}\n"
     "require[]: a2[0] < 3i64\n"
     "S2[i: 4]: a3[i] = a1[5,i]\n",
     true, true, "for t = 0..5 {", 0},
    {"an empty statement",
     "loops \"t\"\ninput a0: f32[4]\ntemp a1: f32[0]\noutput a2: f32[4]\n"
     "S0[i: 0]: a1[i] = a0[i]\nS1[i: 4]: a2[i] = a0[i]\n",
     true, false, "S0", 0},
    {"nothing but an empty statement",
     "loops \"t\"\ninput a0: f32[4]\noutput a1: f32[0]\nS0[i: 0]: a1[i] = a0[i]\n", true, false,
     "S0", 0},
    {"an output of rank 0",
     "loops \"t\"\ninput a0: f32[4]\noutput a1: f32[]\nS0[]: a1[] = reduce(mul, [k: 4], "
     "a0[k])\n",
     true, true, "b1[0] = s0", 0},
};

START_TEST(program_is_the_same) {
    struct bench b;
    struct str text = {0};
    bench_start(&b);
    struct loops *l = read_loops(&b, programs[_i].text, strlen(programs[_i].text));
    struct poly *p = prove(&b, l);
    struct ast *naive = ast_from_loops(&b.compile, l);
    poly_schedule(p, programs[_i].strict, true);
    expect_same(&b, p, naive, programs[_i].strict, programs[_i].name, &text);
    const char *body = strstr(str_cstr(&text), "{\n"); // after the first nest's name
    bool stands = body && strstr(body, programs[_i].words);
    ck_assert_msg(stands == programs[_i].stands, "%s:\n%s", programs[_i].name, str_cstr(&text));
    struct poly_figures f = poly_figures(p);
    ck_assert_msg(f.shrunk == programs[_i].shrunk && f.quota_hits == 0 && f.fallbacks == 0,
                  "%s", programs[_i].name);
    str_free(&text);
    poly_free(p);
    loops_free(l);
    bench_end(&b);
}
END_TEST

/* ---- schedules as text ---- */

#define CHAIN                                                                                  \
    "loops \"chain\" file \"chain.onnx\"\n"                                                    \
    "input a0: f32[10]\n"                                                                      \
    "temp a1: f32[10]\n"                                                                       \
    "temp a2: f32[9]\n"                                                                        \
    "output a3: f32[8]\n"                                                                      \
    "S0[i: 10]: a1[i] = a0[i] * 2.0 @ \"scale\"\n"                                             \
    "S1[i: 9]: a2[i] = a1[i] + a1[i + 1] @ \"pair\"\n"                                         \
    "S2[i: 8]: a3[i] = reduce(max, [k: 2], a2[i + k]) @ \"pool\"\n"

#define DOMAIN                                                                                 \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[i] : 0 <= i <= 9; S1[i] : 0 <= i <= 8; S2[i] : 0 <= i <= 7 }\"\n"          \
    "child:\n"

#define SEQUENCE(indent)                                                                       \
    indent "sequence:\n" indent "- filter: \"{ S0[i] }\"\n" indent "- filter: \"{ S1[i] "      \
           "}\"\n" indent "- filter: \"{ S2[i] }\"\n"

/* One loop over all three, each consumer as late as it must be. */
#define FUSED                                                                                  \
    CHAIN DOMAIN                                                                               \
        "  schedule: \"[{ S0[i] -> [(i)]; S1[i] -> [(1 + i)]; S2[i] -> [(2 + i)] }]\"\n"       \
        "  child:\n" SEQUENCE("    ")

/* Tiles of four, and the shifted order inside. */
#define TILED                                                                                  \
    CHAIN DOMAIN                                                                               \
        "  schedule: \"[{ S0[i] -> [(floor((i)/4))]; S1[i] -> [(floor((1 + i)/4))]; S2[i] -> " \
        "[(floor((2 + i)/4))] }]\"\n"                                                          \
        "  child:\n" SEQUENCE("    ")

#define SQUARE                                                                                 \
    "loops \"square\" file \"square.onnx\"\n"                                                  \
    "input a0: f32[5,5]\n"                                                                     \
    "temp a1: f32[5,5]\n"                                                                      \
    "output a2: f32[5,5]\n"                                                                    \
    "S0[i,j: 5,5]: a1[i,j] = a0[i,j] + 1.0\n"                                                  \
    "S1[i,j: 5,5]: a2[i,j] = a1[i,j] * 2.0\n"                                                  \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[i, j] : 0 <= i <= 4 and 0 <= j <= 4; S1[i, j] : 0 <= i <= 4 and 0 <= j "   \
    "<= 4 }\"\n"                                                                               \
    "child:\n"                                                                                 \
    "  schedule: \"[{ S0[i, j] -> [(i)]; S1[i, j] -> [(i)] }, { S0[i, j] -> [(j)]; S1[i, j] "  \
    "-> [(j)] }]\"\n"                                                                          \
    "  child:\n"                                                                               \
    "    sequence:\n    - filter: \"{ S0[i, j] }\"\n    - filter: \"{ S1[i, j] }\"\n"

/* Rows by threes, and room for three rows. */
#define NEST                                                                                   \
    "loops \"softmax\" file \"softmax.onnx\"\n"                                                \
    "input a0: f32[9,40]\n"                                                                    \
    "temp a1: f32[9] layout [0%3]\n"                                                           \
    "temp a2: f32[9,40] layout [0%3, 1]\n"                                                     \
    "temp a3: f32[9] layout [0%3]\n"                                                           \
    "output a4: f32[9,40]\n"                                                                   \
    "S0[i: 9]: a1[i] = reduce(max, [k: 40], a0[i,k]) @ \"max\"\n"                              \
    "S1[i,j: 9,40]: a2[i,j] = exp(a0[i,j] - a1[i]) @ \"exp\"\n"                                \
    "S2[i: 9]: a3[i] = reduce(add, [k: 40], a2[i,k]) @ \"sum\"\n"                              \
    "S3[i,j: 9,40]: a4[i,j] = a2[i,j] / a3[i] @ \"div\"\n"                                     \
    "schedule 0\n"                                                                             \
    "domain: \"{ S3[i, j] : 0 <= i <= 8 and 0 <= j <= 39; S2[i] : 0 <= i <= 8; S0[i] : 0 <= "  \
    "i "                                                                                       \
    "<= 8; S1[i, j] : 0 <= i <= 8 and 0 <= j <= 39 }\"\n"                                      \
    "child:\n"                                                                                 \
    "  schedule: \"[{ S3[i, j] -> [(i - (i) mod 3)]; S2[i] -> [(i - (i) mod 3)]; S0[i] -> "    \
    "[(i - "                                                                                   \
    "(i) mod 3)]; S1[i, j] -> [(i - (i) mod 3)] }]\"\n"                                        \
    "  child:\n"                                                                               \
    "    sequence:\n"                                                                          \
    "    - filter: \"{ S0[i] }\"\n"                                                            \
    "      child:\n"                                                                           \
    "        mark: \"tile\"\n"                                                                 \
    "        child:\n"                                                                         \
    "          schedule: \"[{ S0[i] -> [(i)] }]\"\n"                                           \
    "    - filter: \"{ S1[i, j] }\"\n"                                                         \
    "      child:\n"                                                                           \
    "        schedule: \"[{ S1[i, j] -> [(i)] }, { S1[i, j] -> [(j)] }]\"\n"                   \
    "    - filter: \"{ S2[i] }\"\n"                                                            \
    "      child:\n"                                                                           \
    "        mark: \"tile\"\n"                                                                 \
    "        child:\n"                                                                         \
    "          schedule: \"[{ S2[i] -> [(i)] }]\"\n"                                           \
    "    - filter: \"{ S3[i, j] }\"\n"                                                         \
    "      child:\n"                                                                           \
    "        schedule: \"[{ S3[i, j] -> [(i)] }, { S3[i, j] -> [(j)] }]\"\n"

/* Two statements at the same times, whose order does not matter. */
#define TOGETHER                                                                               \
    "loops \"two\" file \"two.onnx\"\n"                                                        \
    "input a0: f32[4]\n"                                                                       \
    "output a1: f32[4]\n"                                                                      \
    "output a2: f32[4]\n"                                                                      \
    "S0[i: 4]: a1[i] = a0[i] * 2.0\n"                                                          \
    "S1[i: 4]: a2[i] = a0[i] * 3.0\n"                                                          \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[i] : 0 <= i <= 3; S1[i] : 0 <= i <= 3 }\"\n"                               \
    "child:\n"                                                                                 \
    "  schedule: \"[{ S0[i] -> [(i)]; S1[i] -> [(i)] }]\"\n"

/* Room for the one value that is read, which is written last; below a tile nothing is last. */
#define LAST                                                                                   \
    "loops \"last\" file \"last.onnx\"\n"                                                      \
    "input a0: f32[4]\n"                                                                       \
    "temp a1: f32[4] layout [0%1]\n"                                                           \
    "output a2: f32[1]\n"                                                                      \
    "S0[i: 4]: a1[i] = a0[i] * 2.0 @ \"all\"\n"                                                \
    "S1[i: 1]: a2[i] = a1[0] @ \"first\"\n"                                                    \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[i] : 0 <= i <= 3; S1[i] : i = 0 }\"\n"                                     \
    "child:\n"                                                                                 \
    "  sequence:\n"                                                                            \
    "  - filter: \"{ S0[i] }\"\n"                                                              \
    "    child:\n"                                                                             \
    "      mark: \"loop\"\n"                                                                   \
    "      child:\n"                                                                           \
    "        schedule: \"[{ S0[i] -> [(-i)] }]\"\n"                                            \
    "  - filter: \"{ S1[i] }\"\n"

/* A tile above a band without members. */
#define EMPTY_BAND                                                                             \
    "loops \"one\" file \"one.onnx\"\n"                                                        \
    "input a0: f32[4]\n"                                                                       \
    "output a1: f32[4]\n"                                                                      \
    "S0[i: 4]: a1[i] = a0[i] * 2.0\n"                                                          \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[i] : 0 <= i <= 3 }\"\n"                                                    \
    "child:\n"                                                                                 \
    "  mark: \"tile\"\n"                                                                       \
    "  child:\n"                                                                               \
    "    schedule: \"[] -> [{ S0[i] -> [(i)] }]\"\n"

/* An index that is not affine: it is not known what must be kept. */
#define PRODUCT                                                                                \
    "loops \"product\" file \"product.onnx\"\n"                                                \
    "input a0: f32[9]\n"                                                                       \
    "temp a1: f32[9] layout [0%9]\n"                                                           \
    "output a2: f32[3,3]\n"                                                                    \
    "S0[i: 9]: a1[i] = a0[i] * 2.0 @ \"all\"\n"                                                \
    "S1[i,j: 3,3]: a2[i,j] = a1[i * j] @ \"some\"\n"                                           \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[i] : 0 <= i <= 8; S1[i, j] : 0 <= i <= 2 and 0 <= j <= 2 }\"\n"            \
    "child:\n"                                                                                 \
    "  sequence:\n  - filter: \"{ S0[i] }\"\n  - filter: \"{ S1[i, j] }\"\n"

/* Loops that isl gives up on, around an array with room for one value. */
#define UNROLLED                                                                               \
    "loops \"rows\" file \"rows.onnx\"\n"                                                      \
    "input a0: f32[3,4000]\n"                                                                  \
    "temp a1: f32[3] layout [0%1]\n"                                                           \
    "output a2: f32[3,4000]\n"                                                                 \
    "S0[i: 3]: a1[i] = reduce(max, [k: 4000], a0[i,k]) @ \"max\"\n"                            \
    "S1[i,j: 3,4000]: a2[i,j] = a0[i,j] - a1[i] @ \"sub\"\n"                                   \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[i] : 0 <= i <= 2; S1[i, j] : 0 <= i <= 2 and 0 <= j <= 3999 }\"\n"         \
    "child:\n"                                                                                 \
    "  schedule: \"[{ S0[i] -> [(i)]; S1[i, j] -> [(i)] }]\"\n"                                \
    "  child:\n"                                                                               \
    "    sequence:\n"                                                                          \
    "    - filter: \"{ S0[i] }\"\n"                                                            \
    "    - filter: \"{ S1[i, j] }\"\n"                                                         \
    "      child:\n"                                                                           \
    "        schedule: \"[{ S1[i, j] -> [(j)] }]\"\n"                                          \
    "        options: \"{ unroll[i0] }\"\n"

static struct poly *read_poly(struct bench *b, const char *text, struct loops **l) {
    size_t len = strlen(text), split = poly_find_schedule(text, len);
    *l = read_loops(b, text, split);
    struct poly *p = prove(b, *l);
    if (poly_read_schedule(p, "t.poly", text, len))
        return p;
    poly_free(p);
    return NULL;
}

static const char *const schedules[] = {FUSED, TILED, SQUARE, TOGETHER};

START_TEST(schedule_reads_back) {
    struct bench b;
    struct loops *l, *again;
    struct str first = {0}, second = {0}, ast = {0};
    bench_start(&b);
    struct poly *p = read_poly(&b, schedules[_i], &l);
    ck_assert_msg(p != NULL, "%s", str_cstr(&b.messages));
    expect_same(&b, p, ast_from_loops(&b.compile, l), true, "schedule", &ast);
    ck_assert_ptr_nonnull(strstr(str_cstr(&ast), "S0, S1"));
    poly_print(&first, p, NULL);
    struct poly *q = read_poly(&b, str_cstr(&first), &again);
    ck_assert_msg(q && poly_certify(q), "%s", str_cstr(&b.messages));
    poly_print(&second, q, NULL);
    ck_assert_str_eq(str_cstr(&first), str_cstr(&second));
    str_free(&first);
    str_free(&second);
    str_free(&ast);
    poly_free(p);
    poly_free(q);
    loops_free(l);
    loops_free(again);
    bench_end(&b);
}
END_TEST

static const struct {
    const char *name, *text, *from, *to, *message;
} mutants[] = {
    {"consumer one too early", FUSED, "S2[i] -> [(2 + i)]", "S2[i] -> [(1 + i)]",
     "chain.onnx:pool: error: S2: does not run after S1, though it reads what that writes of "
     "a2 "
     "(S1 at i=1; S2 at i=0)"},
    {"producer one too late", FUSED, "S0[i] -> [(i)]", "S0[i] -> [(1 + i)]",
     "chain.onnx:pair: error: S1: does not run after S0, though it reads what that writes of "
     "a1"},
    {"sequence swapped", FUSED, "- filter: \"{ S0[i] }\"\n    - filter: \"{ S1[i] }\"",
     "- filter: \"{ S1[i] }\"\n    - filter: \"{ S0[i] }\"",
     "chain.onnx:pair: error: S1: does not run after S0"},
    {"reversed band", FUSED, "S0[i] -> [(i)]", "S0[i] -> [(9 - i)]",
     "chain.onnx:pair: error: S1: does not run after S0"},
    {"stretched consumer", FUSED, "S1[i] -> [(1 + i)]", "S1[i] -> [(2i)]",
     "chain.onnx:pair: error: S1: does not run after S0"},
    {"all at one time", FUSED, "  child:\n" SEQUENCE("    "), "",
     "chain.onnx:pair: error: S1: does not run after S0"},
    {"writer dropped", FUSED, "S0[i] : 0 <= i <= 9; ", "",
     "chain.onnx:scale: error: S0: the schedule leaves it out"},
    {"filter dropped", FUSED, "    - filter: \"{ S2[i] }\"\n", "", "S2"},
    {"domain one short", FUSED, "0 <= i <= 8", "0 <= i <= 7",
     "chain.onnx:pair: error: S1: the schedule leaves some instances out"},
    {"domain one too long", FUSED, "0 <= i <= 8", "0 <= i <= 9",
     "chain.onnx:pair: error: S1: the schedule runs instances that do not exist"},
    {"an unknown statement", FUSED, "S0[i] : 0 <= i <= 9", "S9[i] : 0 <= i <= 9",
     "S0: the schedule leaves it out"},
    {"tiles without their shift", TILED, "S2[i] -> [(floor((2 + i)/4))]",
     "S2[i] -> [(floor((i)/4))]", "chain.onnx:pool: error: S2: does not run after S1"},
    {"tiles of another size", TILED, "S1[i] -> [(floor((1 + i)/4))]",
     "S1[i] -> [(floor((1 + i)/5))]", "chain.onnx:pair: error: S1: does not run after S0"},
    {"swapped bands", SQUARE, "S1[i, j] -> [(i)] }, { S0[i, j] -> [(j)]; S1[i, j] -> [(j)]",
     "S1[i, j] -> [(j)] }, { S0[i, j] -> [(j)]; S1[i, j] -> [(i)]",
     "square.onnx: error: S1: does not run after S0, though it reads what that writes of a1 "
     "(S0 "
     "at i=1, j=0; S1 at i=1, j=0)"},
    {"array one row short", NEST, "a2: f32[9,40] layout [0%3, 1]",
     "a2: f32[9,40] layout [0%2, 1]",
     "softmax.onnx:sum: error: S2: S1 may overwrite what it reads of a2 by writing a2 (at i="},
    {"array of one row", NEST, "a2: f32[9,40] layout [0%3, 1]", "a2: f32[9,40] layout [1]",
     "softmax.onnx:sum: error: S2: S1 may overwrite what it reads of a2 by writing a2 (at i="},
    {"one cell for all rows", NEST, "a1: f32[9] layout [0%3]", "a1: f32[9] layout [0%1]",
     "softmax.onnx:exp: error: S1: S0 may overwrite what it reads of a1 by writing a1 (at i="},
    {"larger blocks than there is room", NEST,
     "S3[i, j] -> [(i - (i) mod 3)]; S2[i] -> [(i - (i) mod 3)]; S0[i] -> [(i - (i) mod 3)]; "
     "S1[i, j] -> [(i - (i) mod 3)]",
     "S3[i, j] -> [(i - (i) mod 4)]; S2[i] -> [(i - (i) mod 4)]; S0[i] -> [(i - (i) mod 4)]; "
     "S1[i, j] -> [(i - (i) mod 4)]",
     "may overwrite what it reads of"},
    {"consumer in larger blocks", NEST, "S3[i, j] -> [(i - (i) mod 3)]",
     "S3[i, j] -> [(i - (i) mod 9)]", "softmax.onnx:div: error: S3: does not run after S2"},
    {"consumer of the block before", NEST, "S2[i] -> [(i - (i) mod 3)]",
     "S2[i] -> [(-3 + i - (i) mod 3)]", "softmax.onnx:sum: error: S2: does not run after S1"},
    {"another rank", SQUARE, "S1[i, j] : 0 <= i <= 4 and 0 <= j <= 4", "S1[i] : 0 <= i <= 4",
     "S1"},
    {"one cell, and a tile", LAST, "mark: \"loop\"", "mark: \"tile\"",
     "last.onnx:first: error: S1: S0 may overwrite what it reads of a1 by writing a1 (at i=0)"},
    {"one cell, written first", LAST, "(-i)", "(i)",
     "last.onnx:first: error: S1: S0 may overwrite what it reads of a1 by writing a1 (at i=0)"},
    {"one cell, read anywhere", PRODUCT, "[0%9]", "[0%1]",
     "product.onnx:some: error: S1: not proven that S0 does not overwrite what it reads of a1"},
    {"a context", SQUARE, "  child:\n    seq",
     "  child:\n    context: \"{ [i, j] : i = 1 }\"\n"
     "    child:\n    seq",
     "t.poly:7: error: region 0: the schedule has another node than"},
    {"a guard", SQUARE, "  child:\n    seq",
     "  child:\n    guard: \"{ [i, j] : i = 1 }\"\n"
     "    child:\n    seq",
     "t.poly:7: error: region 0: the schedule has another node than"},
    {"an extension", LAST, "  - filter: \"{ S1[i] }\"\n",
     "  - filter: \"{ S1[i] }\"\n    child:\n"
     "      extension: \"{ [] -> S9[i] : i = 0 }\"\n",
     "t.poly:7: error: region 0: the schedule has another node than"},
    {"a parameter", SQUARE, "\"[{ S0[i, j] -> [(i)]", "\"[p] -> [{ S0[i, j] -> [(i + p)]",
     "t.poly:7: error: region 0: the schedule has a parameter that is no symbol"},
    {"a number beyond int64", TOGETHER, "S0[i] -> [(i)]",
     "S0[i] -> [(i + 99999999999999999999)]",
     "t.poly:7: error: region 0: the schedule has times that cannot"},
    {"no number", TOGETHER, "S0[i] -> [(i)]", "S0[i] -> [(i - (NaN) mod 5)]",
     "t.poly:7: error: region 0: the schedule has times that cannot"},
    {"no schedule", FUSED,
     "domain: ", "remain: ", "t.poly:9: error: region 0: isl cannot read this schedule"},
    {"another region", FUSED, "schedule 0", "schedule 1",
     "t.poly:9: error: a schedule of no region, or a second one"},
    {"region left out", CHAIN, "\n", "\n", "region 0 has no schedule"},
};

START_TEST(mutant_is_refused) {
    struct bench b;
    struct loops *l;
    bench_start(&b);
    const char *text = mutants[_i].text, *at = strstr(text, mutants[_i].from);
    ck_assert_msg(at != NULL, "no '%s'", mutants[_i].from);
    char *mutant = arena_printf(&b.arena, "%.*s%s%s", (int)(at - text), text, mutants[_i].to,
                                at + strlen(mutants[_i].from));
    struct poly *p = read_poly(&b, mutant, &l);
    ck_assert_msg(!p || !poly_certify(p), "%s: accepted", mutants[_i].name);
    ck_assert_msg(strstr(str_cstr(&b.messages), mutants[_i].message) != NULL, "%s: %s",
                  mutants[_i].name, str_cstr(&b.messages));
    ck_assert_int_gt(b.diag.errors, 0);
    poly_free(p);
    loops_free(l);
    bench_end(&b);
}
END_TEST

static const struct {
    const char *text;
    int tiles, fallbacks;
} nests[] = {{NEST, 2, 0}, {EMPTY_BAND, 1, 0}, {LAST, 0, 0}, {UNROLLED, 0, 2}};

/* The text of a nest that stores less than all reads back and gives the same as what is stored
 * whole. */
START_TEST(nest_reads_back) {
    struct bench b;
    struct loops *l, *whole;
    struct str text = {0};
    bench_start(&b);
    const char *from = nests[_i].text;
    struct poly *p = read_poly(&b, from, &l);
    ck_assert_msg(p != NULL, "%s", str_cstr(&b.messages));
    for (const char *at = from; at < strstr(from, "schedule 0"); at++) {
        const char *skip = strncmp(at, " layout [", 9) == 0 ? strchr(at, ']') : NULL;
        if (skip)
            at = skip;
        else
            str_addf(&text, "%c", *at);
    }
    whole = read_loops(&b, str_cstr(&text), text.len);
    expect_same(&b, p, ast_from_loops(&b.compile, whole), true, "nest", NULL);
    ck_assert_int_eq(poly_figures(p).tiles, nests[_i].tiles);
    ck_assert_int_eq(poly_figures(p).fallbacks, nests[_i].fallbacks);
    str_free(&text);
    poly_free(p);
    loops_free(l);
    loops_free(whole);
    bench_end(&b);
}
END_TEST

/* ---- whole models ---- */

/* Every proof holds on the model at `path`, nothing is given up, and both asts give the same.
 * False when this compiler does not take the model. */
static bool run_model(const char *path) {
    struct bench b;
    struct pipeline_options opt = {.time = false};
    struct frontend_options bind = {.num_dims = 0};
    struct pipeline_result result;
    bench_start(&b);
    b.compile.opt_level = 0;
    struct mapped_file file = file_map(path);
    ck_assert_msg(file.data != NULL, "cannot read %s", path);
    struct graph *g = graph_from_onnx(path, file.data, file.len, &bind, &b.names, &b.diag);
    bool taken = g && pipeline_run(&b.compile, &opt, g, path, NULL, 0, &result);
    if (taken) {
        struct poly *p = prove(&b, result.loops);
        struct ast *naive = ast_from_loops(&b.compile, result.loops);
        poly_schedule(p, false, true);
        expect_same(&b, p, naive, false, path, NULL);
        struct poly_figures f = poly_figures(p);
        ck_assert_msg(f.unproven == 0 && f.quota_hits == 0 && f.fallbacks == 0, "%s", path);
        poly_free(p);
    }
    if (g)
        pipeline_free(&result);
    file_unmap(file);
    bench_end(&b);
    return taken;
}

/* How many of the models a pattern names were run. */
static int run_models(const char *pattern) {
    glob_t found;
    int count = 0;
    if (glob(pattern, 0, NULL, &found) != 0)
        return 0;
    for (size_t k = 0; k < found.gl_pathc; k++)
        count += run_model(found.gl_pathv[k]);
    globfree(&found);
    return count;
}

START_TEST(models_of_the_project_are_the_same) {
    ck_assert_int_ge(run_models("examples/*/model.onnx"), 2);
}
END_TEST

START_TEST(models_of_the_corpus_are_the_same) {
    const char *corpus = getenv("NNCC_MODELS");
    char pattern[1024];
    snprintf(pattern, sizeof pattern, "%s/digits/*/model.onnx",
             corpus ? corpus : "../shared/models");
    int count = run_models(pattern);
    if (count == 0)
        printf("no corpus (set NNCC_MODELS)\n");
}
END_TEST

int main(void) {
    Suite *s = suite_create("poly_ast");
    TCase *t = tcase_create("poly_ast");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, program_is_the_same, 0, sizeof programs / sizeof *programs);
    tcase_add_loop_test(t, schedule_reads_back, 0, sizeof schedules / sizeof *schedules);
    tcase_add_loop_test(t, nest_reads_back, 0, sizeof nests / sizeof *nests);
    tcase_add_loop_test(t, mutant_is_refused, 0, sizeof mutants / sizeof *mutants);
    tcase_add_test(t, models_of_the_project_are_the_same);
    tcase_add_test(t, models_of_the_corpus_are_the_same);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
