/* The check of nests at small sizes: the programs that are made of a nest, that each runs the
 * same both ways, and that the comparison tells a wrong ast from a right one: tails, borders,
 * ranges and results that somebody changed, and marks of a schedule above what is no tile. */
#include "ir/constant.h"
#include "polyhedral/polyhedral.h"
#include "tests/nests/compare.h"
#include "tests/nests/small.h"
#include "tests/unit/poly_bench.h"

#include <check.h>
#include <stdlib.h>

/* The text of an ast with the first `from` inside its first nest replaced. */
static char *replaced(struct bench *b, const char *text, const char *from, const char *to) {
    const char *body = strstr(text, "{\n"), *at = body ? strstr(body, from) : NULL;
    ck_assert_msg(at != NULL, "no '%s' in\n%s", from, text);
    return arena_printf(&b->arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

/* ---- programs of nests ---- */

#define SOFTMAX_STATEMENTS                                                                     \
    "S0[i: 20]: a1[i,0] = reduce(max, [k: 30], a0[i,k])\n"                                     \
    "S1[i,j: 20,30]: a2[i,j] = exp(a0[i,j] - a1[i,0])\n"                                       \
    "S2[i: 20]: a3[i,0] = reduce(add, [k: 30], a2[i,k])\n"                                     \
    "S3[i,j: 20,30]: a4[i,j] = a2[i,j] / a3[i,0]\n"
#define SOFTMAX                                                                                \
    "loops \"t\"\ninput a0: f32[20,30]\ntemp a1: f32[20,1]\ntemp a2: f32[20,30]\n"             \
    "temp a3: f32[20,1]\noutput a4: f32[20,30]\n" SOFTMAX_STATEMENTS

#define WINDOW                                                                                 \
    "loops \"t\"\ninput a0: f32[3,80]\ninput a1: f32[20,3,3]\noutput a2: f32[20,80]\n"         \
    "S0[c,x: 20,80]: a2[c,x] = reduce(add, [k,r: 3,3], (a0[k,x + r - 1] if 0 <= x + r - 1 < "  \
    "80 else 0.0) * a1[c,k,r])\n"

/* Of the nest with this name at a corner, the lines after the first. */
static const struct {
    const char *name, *text, *nest;
    enum small_corner corner;
    const char *small;
} programs[] = {
    {"a window at the low border", WINDOW, "S0[c,x: 20,80]: …", CORNER_LOW,
     "input a0: f32[3,38] \"input0\"\ninput a1: f32[11,3,3] \"input1\"\n"
     "output a2: f32[11,37] \"output2\"\n"
     "S0[i0,i1: 11,37]: a2[i0,i1] = reduce(add, [r0,r1: 3,3], (a0[r0,i1 + r1 - 1] if 0 <= i1 + "
     "r1 - 1 < 80 else 0.0) * a1[i0,r0,r1])\n"},
    {"a window at the high border", WINDOW, "S0[c,x: 20,80]: …", CORNER_HIGH,
     "input a0: f32[3,65] \"input0\"\ninput a1: f32[12,3,3] \"input1\"\n"
     "output a2: f32[12,64] \"output2\"\n"
     "S0[i0,i1: 12,64]: a2[i0,i1] = reduce(add, [r0,r1: 3,3], (a0[r0,i1 + r1] if 0 <= i1 + r1 "
     "+ 15 < 80 else 0.0) * a1[i0,r0,r1])\n"},
    {"rows of several statements keep the same values", SOFTMAX, "S0, S1, S2, S3", CORNER_LOW,
     "input a0: f32[20,30] \"input0\"\ntemp a1: f32[20,1]\ntemp a2: f32[20,30]\n"
     "temp a3: f32[20,1]\noutput a4: f32[20,30] \"output4\"\n"
     "S0[i0: 20]: a1[i0,0] = reduce(max, [r0: 11], a0[i0,r0])\n"
     "S1[i0,i1: 20,30]: a2[i0,i1] = exp(a0[i0,i1] - a1[i0,0])\n"
     "S2[i0: 20]: a3[i0,0] = reduce(add, [r0: 30], a2[i0,r0])\n"
     "S3[i0,i1: 20,30]: a4[i0,i1] = a2[i0,i1] / a3[i0,0]\n"},
    {"what another nest wrote of an array is filled in",
     "loops \"t\"\ninput a0: f32[50,30]\ninput a1: f32[50,9]\ntemp a2: f32[50,39]\n"
     "output a3: f32[50]\n"
     "S0[i,j: 50,30]: a2[i,j] = a0[i,j] * 2.0\n"
     "S1[i,j: 50,9]: a2[i,j + 30] = a1[i,j]\n"
     "S2[i: 50]: a3[i] = reduce(max, [k: 39], a2[i,k])\n",
     "S1, S2", CORNER_LOW,
     "temp a0: f32[37,39]\ninput a1: f32[37,9] \"input1\"\noutput a2: f32[37] \"output2\"\n"
     "input a3: f32[37,30] \"input3\"\n"
     "seq t: 1 {\n    S0[i0,i1: 37,30]: a0[i0,i1] = a3[i0,i1]\n}\n"
     "S1[i0,i1: 37,9]: a0[i0,i1 + 30] = a1[i0,i1]\n"
     "S2[i0: 37]: a2[i0] = reduce(max, [r0: 37], a0[i0,r0])\n"},
    {"a long reduction stays long, whatever else there is of it",
     "loops \"t\"\ninput a0: f32[40,200,5]\noutput a1: f32[40]\n"
     "S0[i: 40]: a1[i] = reduce(add, [k,l: 200,5], a0[i,k,l])\n",
     "S0[i: 40]: …", CORNER_HIGH,
     "input a0: f32[40,13,5] \"input0\"\noutput a1: f32[40] \"output1\"\n"
     "S0[i0: 40]: a1[i0] = reduce(add, [r0,r1: 13,5], a0[i0,r0,r1])\n"},
    {"steps of a repeat are arrays of their own",
     "loops \"t\"\ninput a0: f32[5,80]\ntemp a1: f32[6,80]\noutput a2: f32[80]\n"
     "S0[i: 80]: a1[0,i] = 0.0\n"
     "seq t: 5 {\n    S1[i: 80]: a1[t + 1,i] = a1[t,i] + a0[t,i]\n}\n"
     "S2[i: 80]: a2[i] = a1[5,i]\n",
     "S1[i: 80]: …", CORNER_HIGH,
     "input a0: f32[1,64] \"input0\"\ninput a1: f32[1,64] \"input1\"\n"
     "output a2: f32[1,64] \"output2\"\n"
     "S0[i0: 64]: a2[0,i0] = a0[0,i0] + a1[0,i0]\n"},
    {"a table says where to read",
     "loops \"t\"\ninput a0: f32[16,6]\n"
     "const a1: u8[16] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 4, 5, 3}\n"
     "const a2: f32[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, inf}\n"
     "output a3: f32[16,16]\n"
     "S0[i,j: 16,16]: a3[i,j] = a0[j,clamp(a1[i], 0, 5)] * a2[j]\n",
     "S0[i,j: 16,16]: …", CORNER_HIGH,
     "const a0: u8[12] = {1, 1, 1, 1, 2, 2, 2, 2, 3, 4, 5, 3}\n"
     "input a1: f32[16,6] \"input1\"\n"
     "const a2: f32[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, inf}\n"
     "output a3: f32[12,16] \"output3\"\n"
     "S0[i0,i1: 12,16]: a3[i0,i1] = a1[i1,clamp(a0[i0], 0, 5)] * a2[i1]\n"},
    {"a result with elements that nobody writes",
     "loops \"t\"\nsymbol N max 100\ninput a0: f32[N,14,40]\noutput a1: f32[N,560]\n"
     "S0[n,i,j: N,14,40]: a1[n,i * 40 + j] = a0[n,i,j] + 1.0\n",
     "S0[n,i,j: N,14,40]: …", CORNER_LOW,
     "symbol N max 11\ninput a0: f32[N,11,37] \"input0\"\ntemp a1: f32[N,437]\n"
     "output a2: f32[N,11,37] \"output2\"\n"
     "S0[i0,i1,i2: N,11,37]: a1[i0,i1 * 40 + i2] = a0[i0,i1,i2] + 1.0\n"
     "seq t: 1 {\n    S1[i0,i1,i2: N,11,37]: a2[i0,i1,i2] = a1[i0,i1 * 40 + i2]\n}\n"},
    {"an array of two shapes",
     "loops \"t\"\ninput a0: f32[20,30]\ntemp a1: f32[20,30]\nview a2: f32[20,5,6] of a1\n"
     "output a3: f32[20,5,6]\n"
     "S0[i,j: 20,30]: a1[i,j] = a0[i,j] * 2.0\n"
     "S1[i,j,k: 20,5,6]: a3[i,j,k] = a2[i,j,k] + 1.0\n",
     "S0, S1", CORNER_LOW,
     "input a0: f32[20,30] \"input0\"\ntemp a1: f32[20,30]\nview a2: f32[20,5,6] of a1\n"
     "output a3: f32[11,5,6] \"output3\"\n"
     "S0[i0,i1: 20,30]: a1[i0,i1] = a0[i0,i1] * 2.0\n"
     "S1[i0,i1,i2: 11,5,6]: a3[i0,i1,i2] = a2[i0,i1,i2] + 1.0\n"},
};

START_TEST(nest_is_cut) {
    struct bench b;
    struct small_nest nest;
    struct str text = {0};
    bench_start(&b);
    struct loops *l = read_loops(&b, programs[_i].text, strlen(programs[_i].text));
    const struct ast_node named = {.kind = AST_NEST, .name = programs[_i].nest};
    ck_assert(small_find(l, &named, &b.arena, &nest));
    struct loops *small = small_build(&nest, programs[_i].corner, &b.names, NULL);
    loops_print(&text, small, NULL);
    ck_assert_msg(strcmp(strchr(str_cstr(&text), '\n') + 1, programs[_i].small) == 0, "%s:\n%s",
                  programs[_i].name, str_cstr(&text));
    loops_free(small);
    for (int strict = 0; strict < 2; strict++) {
        struct str why = {0};
        struct compare_figures f;
        small = small_build(&nest, programs[_i].corner, &b.names, NULL);
        ck_assert_msg(compare_ways(&b.compile, small, strict, &f, &why) && f.code == 0,
                      "%s: %s", programs[_i].name, str_cstr(&why));
        loops_free(small);
        str_free(&why);
    }
    loops_free(l);
    str_free(&text);
    bench_end(&b);
}
END_TEST

/* ---- wrong asts ---- */

#define CONV                                                                                   \
    "loops \"t\"\ninput a0: f32[3,20]\ninput a1: f32[11,3,3]\noutput a2: f32[11,20]\n"         \
    "S0[c,x: 11,20]: a2[c,x] = max(reduce(add, [k,r: 3,3], (a0[k,x + r - 1] if 0 <= x + r - "  \
    "1 < 20 else 0.0) * a1[c,k,r]), 0.0)\n"

/* Blocks of 4 and 3 channels by 6 columns between the borders. */
#define ROWS(indent)                                                                           \
    indent "sequence:\n" indent "- filter: \"{ S0[c, x] : x = 0 }\"\n" indent                  \
           "  child:\n" indent "    mark: \"tile\"\n" indent "    child:\n" indent             \
           "      schedule: \"[{ S0[c, x] -> [(c)] }]\"\n" indent                              \
           "- filter: \"{ S0[c, x] : 0 < x <= 18 }\"\n" indent "  child:\n" indent             \
           "    schedule: \"[{ S0[c, x] -> [(floor((x - 1)/6))] }]\"\n" indent                 \
           "    child:\n" indent "      mark: \"tile\"\n" indent "      child:\n" indent       \
           "        schedule: \"[{ S0[c, x] -> [(c)] }, { S0[c, x] -> [(x)] }]\"\n" indent     \
           "- filter: \"{ S0[c, x] : x = 19 }\"\n" indent "  child:\n" indent                  \
           "    mark: \"tile\"\n" indent "    child:\n" indent                                 \
           "      schedule: \"[{ S0[c, x] -> [(c)] }]\"\n"
#define CONV_TILED                                                                             \
    CONV "schedule 0\n"                                                                        \
         "domain: \"{ S0[c, x] : 0 <= c <= 10 and 0 <= x <= 19 }\"\n"                          \
         "child:\n  sequence:\n"                                                               \
         "  - filter: \"{ S0[c, x] : c <= 7 }\"\n    child:\n"                                 \
         "      schedule: \"[{ S0[c, x] -> [(floor((c)/4))] }]\"\n      child:\n" ROWS(        \
             "        ") "  - filter: \"{ S0[c, x] : c >= 8 }\"\n    child:\n" ROWS("      ")

#define GUARD                                                                                  \
    "loops \"t\"\ninput a0: f32[9]\noutput a1: f32[11]\n"                                      \
    "S0[i: 11]: a1[i] = (a0[i - 1] if 0 <= i - 1 < 9 else 3.0)\n"                              \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[i] : 0 <= i <= 10 }\"\n"                                                   \
    "child:\n  sequence:\n"                                                                    \
    "  - filter: \"{ S0[i] : i = 0 }\"\n"                                                      \
    "  - filter: \"{ S0[i] : 0 < i < 10 }\"\n    child:\n"                                     \
    "      schedule: \"[{ S0[i] -> [(i)] }]\"\n"                                               \
    "  - filter: \"{ S0[i] : i = 10 }\"\n"

/* Softmax of rows, its temporaries of the size of one. */
#define SOFTMAX_ROWS                                                                           \
    "loops \"t\"\ninput a0: f32[20,30]\ntemp a1: f32[20,1] layout [0%1]\n"                     \
    "temp a2: f32[20,30] layout [1]\ntemp a3: f32[20,1] layout [0%1]\n"                        \
    "output a4: f32[20,30]\n" SOFTMAX_STATEMENTS "schedule 0\n"                                \
    "domain: \"{ S0[i] : 0 <= i <= 19; S1[i, j] : 0 <= i <= 19 and 0 <= j <= 29; S2[i] : 0 "   \
    "<= i <= 19; S3[i, j] : 0 <= i <= 19 and 0 <= j <= 29 }\"\n"                               \
    "child:\n"                                                                                 \
    "  schedule: \"[{ S0[i] -> [(i)]; S1[i, j] -> [(i)]; S2[i] -> [(i)]; S3[i, j] -> [(i)] "   \
    "}]\"\n"                                                                                   \
    "  child:\n    sequence:\n"                                                                \
    "    - filter: \"{ S0[i] }\"\n"                                                            \
    "    - filter: \"{ S1[i, j] }\"\n      child:\n"                                           \
    "        schedule: \"[{ S1[i, j] -> [(j)] }]\"\n"                                          \
    "    - filter: \"{ S2[i] }\"\n"                                                            \
    "    - filter: \"{ S3[i, j] }\"\n      child:\n"                                           \
    "        schedule: \"[{ S3[i, j] -> [(j)] }]\"\n"

/* Loops and asts of one program: the naive one, and one of its schedule. */
struct pair {
    struct loops *loops;
    struct poly *poly;
    struct ast *naive, *mine;
};

/* The naive ast, whose order the layouts of temporaries are not made for. */
static struct ast *naive_ast(struct bench *b, struct loops *l) {
    int *ranks = arena_array(&b->arena, int, l->arrays.len);
    for (int k = 0; k < l->arrays.len; k++) {
        ranks[k] = l->arrays.data[k].layout_rank;
        l->arrays.data[k].layout_rank = 0;
    }
    struct ast *a = ast_from_loops(&b->compile, l);
    for (int k = 0; k < l->arrays.len; k++)
        l->arrays.data[k].layout_rank = ranks[k];
    return a;
}

/* Of the schedule in the text. */
static void pair_start(struct bench *b, const char *text, bool strict, struct pair *out) {
    size_t len = strlen(text);
    out->loops = read_loops(b, text, poly_find_schedule(text, len));
    out->naive = naive_ast(b, out->loops);
    out->poly = poly_import(out->loops, &b->diag);
    ck_assert(poly_bounds(out->poly) && poly_depend(out->poly));
    ck_assert_msg(poly_read_schedule(out->poly, "t.poly", text, len) && poly_certify(out->poly),
                  "%s", str_cstr(&b->messages));
    out->mine = ast_from_poly(out->poly, &b->names, strict);
    ck_assert(ast_check(out->mine, &b->diag));
}

static void pair_end(struct pair *p) {
    ast_free(p->mine);
    ast_free(p->naive);
    poly_free(p->poly);
    loops_free(p->loops);
}

/* The ast of the schedule with `from` replaced by `to` still reads and passes its verifier,
 * stays inside its buffers, and gives something else. */
static const struct {
    const char *name, *text, *from, *to;
} wrong[] = {
    {"a tail one short", CONV_TILED, "tile (m0: 3 row, v0: 6 vec",
     "tile (m0: 2 row, v0: 6 vec"},
    {"a block one short", CONV_TILED, "v0: 6 vec, k0: 3 red", "v0: 5 vec, k0: 3 red"},
    {"one block too few", CONV_TILED, "for c0 = 0..2 {", "for c0 = 0..1 {"},
    {"a border dropped", CONV_TILED, "m0: 4 row, k0", "m0: 4<=0 row, k0"},
    {"a border with one weight less", CONV_TILED,
     "k1: 3<=2 red) b2[(c0 * 4 + m0) * 20] = max(reduce(add, [k0,k1: 3,2]",
     "k1: 3<=1 red) b2[(c0 * 4 + m0) * 20] = max(reduce(add, [k0,k1: 3,1]"},
    {"a border that reads from its block", CONV_TILED, "+ k1 + 1])", "+ k1])"},
    {"a row of another channel", CONV_TILED, "b1[(c0 * 4 + m0) * 9", "b1[(c0 * 4 + 1) * 9"},
    {"no lower bound of the value", CONV_TILED, "= max(", "= min("},
    {"a loop one short", GUARD, "for c0 = 1..10", "for c0 = 1..9"},
    {"another pad", GUARD, "3.0\n", "2.0\n"},
    {"a loop that starts late", GUARD, "for c0 = 1..10", "for c0 = 2..10"},
    {"the next element", GUARD, "= b0[c0 - 1]", "= b0[9 - c0]"},
    {"a reduction one short", SOFTMAX_ROWS, "for k = 0..30 {\n            set s1",
     "for k = 0..29 {\n            set s1"},
    {"another sum", SOFTMAX_ROWS, "b3[0] = ", "b3[0] = 1.0 + "},
    {"rows in steps of two", SOFTMAX_ROWS, "for c0 = 0..20 {", "for c0 = 0..20 by 2 {"},
    {"a temporary used before it is written", SOFTMAX_ROWS, "exp(b0[", "exp(b3[0] * 0.0 + b0["},
};

START_TEST(wrong_ast_is_found) {
    struct bench b;
    struct pair p;
    struct str text = {0}, why = {0};
    struct constant_pool pool = {0};
    int code;
    bench_start(&b);
    pool.arena = &b.arena;
    pair_start(&b, wrong[_i].text, false, &p);
    ck_assert_msg(compare_asts(p.naive, p.mine, COMPARE_FINITE, &why, &code), "%s",
                  str_cstr(&why));
    ast_print(&text, p.mine, &pool);
    char *mutant = replaced(&b, str_cstr(&text), wrong[_i].from, wrong[_i].to);
    struct ast *bad = ast_read("t.ast", mutant, strlen(mutant), &b.names, &pool, &b.diag);
    ck_assert_msg(bad && ast_check(bad, &b.diag), "%s: %s", wrong[_i].name,
                  str_cstr(&b.messages));
    ck_assert_msg(!compare_asts(p.naive, bad, COMPARE_FINITE, &why, &code), "%s: not found",
                  wrong[_i].name);
    ck_assert_ptr_nonnull(strstr(str_cstr(&why), "differs, first at element "));
    ast_free(bad);
    pair_end(&p);
    str_free(&text);
    str_free(&why);
    bench_end(&b);
}
END_TEST

/* Without `strict` padding counts as zero times a finite weight: infinite ones tell. */
START_TEST(infinite_weights_are_found) {
    struct bench b;
    struct str why = {0};
    int code;
    bench_start(&b);
    for (int strict = 0; strict < 2; strict++) {
        struct pair p;
        pair_start(&b, CONV_TILED, strict, &p);
        ck_assert_msg(compare_asts(p.naive, p.mine, COMPARE_FINITE, &why, &code), "%s",
                      str_cstr(&why));
        ck_assert(compare_asts(p.naive, p.mine, COMPARE_INFINITE, &why, &code) ==
                  (strict == 1));
        pair_end(&p);
    }
    str_free(&why);
    bench_end(&b);
}
END_TEST

/* ---- marks above what is no tile ---- */

#define PRODUCT                                                                                \
    "loops \"t\"\ninput a0: f32[11,11]\ninput a1: f32[11,11]\noutput a2: f32[11,11]\n"         \
    "S0[i,j: 11,11]: a2[i,j] = reduce(add, [k: 11], a0[i,k] * a1[k,j])\n"                      \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[i, j] : 0 <= i <= 10 and 0 <= j <= 10 }\"\n"                               \
    "child:\n"

/* The schedule's order is right, whatever it calls a tile: the ast must be, too. `tiles`: how
 * many statements become tiles; what is no box, or boxes of different sizes, is loops. */
static const struct {
    const char *name, *schedule;
    int tiles;
} marks[] = {
    {"columns of each row",
     "  schedule: \"[{ S0[i, j] -> [(i)] }]\"\n"
     "  child:\n    mark: \"tile\"\n    child:\n"
     "      schedule: \"[{ S0[i, j] -> [(j)] }]\"\n",
     1},
    {"blocks that do not divide",
     "  schedule: \"[{ S0[i, j] -> [(i)] }, { S0[i, j] -> [(floor((j)/4))] }]\"\n"
     "  child:\n    mark: \"tile\"\n    child:\n"
     "      schedule: \"[{ S0[i, j] -> [(j)] }]\"\n",
     0},
    {"blocks that are shifted",
     "  schedule: \"[{ S0[i, j] -> [(i)] }, { S0[i, j] -> [(floor((1 + j)/4))] }]\"\n"
     "  child:\n    mark: \"tile\"\n    child:\n"
     "      schedule: \"[{ S0[i, j] -> [(j)] }]\"\n",
     0},
    {"diagonals",
     "  schedule: \"[{ S0[i, j] -> [(i + j)] }]\"\n"
     "  child:\n    mark: \"tile\"\n    child:\n"
     "      schedule: \"[{ S0[i, j] -> [(j)] }]\"\n",
     0},
    {"every other column",
     "  schedule: \"[{ S0[i, j] -> [(i)] }, { S0[i, j] -> [((j) mod 2)] }]\"\n"
     "  child:\n    mark: \"tile\"\n    child:\n"
     "      schedule: \"[{ S0[i, j] -> [(j)] }]\"\n",
     0},
    {"a mark in a mark",
     "  schedule: \"[{ S0[i, j] -> [(i)] }]\"\n"
     "  child:\n    mark: \"tile\"\n    child:\n      mark: \"tile\"\n      child:\n"
     "        schedule: \"[{ S0[i, j] -> [(j)] }]\"\n",
     1},
};

START_TEST(mark_is_not_believed) {
    struct bench b;
    struct pair p;
    struct str why = {0};
    int code;
    bench_start(&b);
    pair_start(&b, arena_printf(&b.arena, "%s%s", PRODUCT, marks[_i].schedule), true, &p);
    ck_assert_msg(compare_asts(p.naive, p.mine, COMPARE_INFINITE, &why, &code) && code == 0,
                  "%s: %s", marks[_i].name, str_cstr(&why));
    ck_assert_msg(compare_tiles(&p.mine->body) == marks[_i].tiles, "%s: %d tiles",
                  marks[_i].name, compare_tiles(&p.mine->body));
    pair_end(&p);
    str_free(&why);
    bench_end(&b);
}
END_TEST

/* ---- names of nests ---- */

static const struct {
    const char *name;
    int num; // statements; 0: none
} names[] = {
    {"S1[i,j: 20,30]: b2[i,j] = exp(", 1}, {"S3, S0", 2},       {"S0, S1, S2, S3", 4},
    {"require[]: b2[0] < 3", 0},           {"topk(b0; b1)", 0}, {"S0, S9", 0},
};

START_TEST(name_is_read) {
    struct bench b;
    struct small_nest nest;
    struct ast_node n = {.kind = AST_NEST, .name = names[_i].name};
    bench_start(&b);
    struct loops *l = read_loops(&b, SOFTMAX, strlen(SOFTMAX));
    bool found = small_find(l, &n, &b.arena, &nest);
    ck_assert_msg(found == (names[_i].num > 0), "%s", n.name);
    if (found)
        ck_assert_int_eq(nest.num, names[_i].num);
    for (int k = 1; found && k < nest.num; k++)
        ck_assert_str_lt(nest.stmts[k - 1]->name, nest.stmts[k]->name);
    loops_free(l);
    bench_end(&b);
}
END_TEST

int main(void) {
    Suite *s = suite_create("nests");
    TCase *t = tcase_create("nests");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, nest_is_cut, 0, sizeof programs / sizeof *programs);
    tcase_add_loop_test(t, wrong_ast_is_found, 0, sizeof wrong / sizeof *wrong);
    tcase_add_test(t, infinite_weights_are_found);
    tcase_add_loop_test(t, mark_is_not_believed, 0, sizeof marks / sizeof *marks);
    tcase_add_loop_test(t, name_is_read, 0, sizeof names / sizeof *names);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
