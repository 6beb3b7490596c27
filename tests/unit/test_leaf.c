/* Tiles in a schedule tree, on a target with vectors: marks read back; one that means nothing
 * is said and does no harm; schedules in tiles that are wrong are refused by name. */
#include "polyhedral/poly.h"
#include "tests/unit/poly_bench.h"
#include "tests/unit/poly_machines.h"
#include "tests/unit/poly_run.h"

#include <isl/schedule_node.h>

/* ---- marks as text ---- */

/* What a mark of that text says; false: it is none of a tile's. */
static bool read_mark(isl_ctx *ctx, const char *text, struct poly_mark *mark) {
    isl_union_set *domain = isl_union_set_read_from_str(ctx, "{ S[i] : 0 <= i < 4 }");
    isl_schedule *schedule = isl_schedule_from_domain(domain);
    isl_schedule_node *node = isl_schedule_node_child(isl_schedule_get_root(schedule), 0);
    node = isl_schedule_node_insert_mark(node, isl_id_alloc(ctx, text, NULL));
    bool is = leaf_is_tile(node, mark);
    isl_schedule_node_free(node);
    isl_schedule_free(schedule);
    return is;
}

/* A mark's text reads back as the same mark. */
static void check_mark(isl_ctx *ctx, struct arena *arena, const struct poly_mark *mark) {
    struct poly_mark again;
    const char *text = leaf_mark(arena, mark);
    ck_assert_msg(read_mark(ctx, text, &again), "%s", text);
    ck_assert_msg(again.vector == mark->vector && again.split == mark->split &&
                      again.lanes == (mark->lanes || mark->fold) && again.fold == mark->fold &&
                      again.num_order == mark->num_order,
                  "%s", text);
    for (int k = 0; k < mark->num_order; k++)
        ck_assert_msg(again.order[k] == mark->order[k], "%s", text);
}

START_TEST(marks_read_back) {
    isl_ctx *ctx = isl_ctx_alloc();
    struct arena arena = {0};
    struct poly_mark plain = {.split = -1};
    check_mark(ctx, &arena, &plain);
    for (int lanes = 0; lanes < 3; lanes++)
        for (int split = -1; split < MAX_REDUCE; split++)
            for (int order = 0; order <= MAX_REDUCE; order++) {
                struct poly_mark mark = {.vector = true, .lanes = lanes > 0};
                mark.fold = lanes > 1;
                mark.split = split;
                mark.num_order = order;
                for (int k = 0; k < order; k++)
                    mark.order[k] = order - 1 - k;
                check_mark(ctx, &arena, &mark);
            }
    arena_free(&arena);
    isl_ctx_free(ctx);
}
END_TEST

static const char *const no_marks[] = {
    "",
    "til",
    "tiles",
    "Tile",
    "tile ",
    "tile lanes",
    "tile order 0",
    " tile",
    "vector",
    "vector tile ",
    "vector tile lane",
    "vector tile lanes fold",
    "vector tile fold lanes",
    "vector tile split",
    "vector tile split ",
    "vector tile split x",
    "vector tile split 8",
    "vector tile split -1",
    "vector tile split 0 1",
    "vector tile split 0 lanes",
    "vector tile order 0 split 0",
    "vector tile order 8",
    "vector tile order 10",
    "vector tile order 0 x",
    "vector tile order 0  1",
    "vector tile order 0 1 2 3 4 5 6 7 0",
    "vector tile lanes order 0 ",
    "loop",
};

START_TEST(other_marks_are_none) {
    isl_ctx *ctx = isl_ctx_alloc();
    struct poly_mark mark;
    ck_assert_msg(!read_mark(ctx, no_marks[_i], &mark), "'%s'", no_marks[_i]);
    isl_ctx_free(ctx);
}
END_TEST

/* ---- programs in tiles ---- */

/* Below the filter of the last two rows. */
#define REST                                                                                   \
    "    child:\n"                                                                             \
    "      schedule: \"[{ S0[m, n] -> [(n - (n) mod 20)] }]\"\n"                               \
    "      child:\n"                                                                           \
    "        mark: \"vector tile lanes\"\n"                                                    \
    "        child:\n"                                                                         \
    "          schedule: \"[{ S0[m, n] -> [(m)] }, { S0[m, n] -> [(n)] }]\"\n"

/* Ten rows by fours and the rest, forty columns by twenties. */
#define PRODUCT                                                                                \
    "loops \"mm\" file \"mm.onnx\"\n"                                                          \
    "input a0: f32[10,6]\n"                                                                    \
    "input a1: f32[6,40]\n"                                                                    \
    "output a2: f32[10,40]\n"                                                                  \
    "S0[m,n: 10,40]: a2[m,n] = reduce(add, [k,l: 3,2], a0[m,k * 2 + l] * a1[k * 2 + l,n]) @ "  \
    "\"mm\"\n"                                                                                 \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[m, n] : 0 <= m <= 9 and 0 <= n <= 39 }\"\n"                                \
    "child:\n"                                                                                 \
    "  sequence:\n"                                                                            \
    "  - filter: \"{ S0[m, n] : m <= 7 }\"\n"                                                  \
    "    child:\n"                                                                             \
    "      schedule: \"[{ S0[m, n] -> [(m - (m) mod 4)] }]\"\n"                                \
    "      child:\n"                                                                           \
    "        schedule: \"[{ S0[m, n] -> [(n - (n) mod 20)] }]\"\n"                             \
    "        child:\n"                                                                         \
    "          mark: \"vector tile lanes order 1 0\"\n"                                        \
    "          child:\n"                                                                       \
    "            schedule: \"[{ S0[m, n] -> [(m)] }, { S0[m, n] -> [(n)] }]\"\n"               \
    "  - filter: \"{ S0[m, n] : m >= 8 }\"\n" REST

/* Rows of sums, of which one tile has five; memory goes on from row to row of the second. */
#define SUMS                                                                                   \
    "loops \"sums\" file \"sums.onnx\"\n"                                                      \
    "input a0: f32[5,16]\n"                                                                    \
    "output a1: f32[5]\n"                                                                      \
    "output a2: f32[5,16]\n"                                                                   \
    "S0[i: 5]: a1[i] = reduce(add, [k: 16], a0[i,k]) @ \"sum\"\n"                              \
    "S1[i,j: 5,16]: a2[i,j] = a0[i,j] * 2.0 @ \"twice\"\n"                                     \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[i] : 0 <= i <= 4; S1[i, j] : 0 <= i <= 4 and 0 <= j <= 15 }\"\n"           \
    "child:\n"                                                                                 \
    "  sequence:\n"                                                                            \
    "  - filter: \"{ S0[i] }\"\n"                                                              \
    "    child:\n"                                                                             \
    "      mark: \"vector tile split 0 order 0\"\n"                                            \
    "      child:\n"                                                                           \
    "        schedule: \"[{ S0[i] -> [(i)] }]\"\n"                                             \
    "  - filter: \"{ S1[i, j] }\"\n"                                                           \
    "    child:\n"                                                                             \
    "      mark: \"vector tile fold\"\n"                                                       \
    "      child:\n"                                                                           \
    "        schedule: \"[{ S1[i, j] -> [(i)] }, { S1[i, j] -> [(j)] }]\"\n"

/* Blocks of four rows, which is what there is room for; the second reads the first's row from
 * end to end, the lanes of its neighbours as well. */
#define ROWS                                                                                   \
    "loops \"rows\" file \"rows.onnx\"\n"                                                      \
    "input a0: f32[8,40]\n"                                                                    \
    "temp a1: f32[8,40] layout [0%4, 1]\n"                                                     \
    "output a2: f32[8,40]\n"                                                                   \
    "S0[i,j: 8,40]: a1[i,j] = a0[i,j] * 2.0 @ \"scale\"\n"                                     \
    "S1[i,j: 8,40]: a2[i,j] = reduce(add, [k: 3], (a1[i,j + k - 1] if 0 <= j + k - 1 < 40 "    \
    "else 0.0)) @ \"blur\"\n"                                                                  \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[i, j] : 0 <= i <= 7 and 0 <= j <= 39; S1[i, j] : 0 <= i <= 7 and 0 <= j "  \
    "<= 39 }\"\n"                                                                              \
    "child:\n"                                                                                 \
    "  schedule: \"[{ S0[i, j] -> [(i - (i) mod 4)]; S1[i, j] -> [(i - (i) mod 4)] }]\"\n"     \
    "  child:\n"                                                                               \
    "    sequence:\n"                                                                          \
    "    - filter: \"{ S0[i, j] }\"\n"                                                         \
    "      child:\n"                                                                           \
    "        schedule: \"[{ S0[i, j] -> [(j - (j) mod 8)] }]\"\n"                              \
    "        child:\n"                                                                         \
    "          mark: \"vector tile lanes\"\n"                                                  \
    "          child:\n"                                                                       \
    "            schedule: \"[{ S0[i, j] -> [(i)] }, { S0[i, j] -> [(j)] }]\"\n"               \
    "    - filter: \"{ S1[i, j] }\"\n"                                                         \
    "      child:\n"                                                                           \
    "        schedule: \"[{ S1[i, j] -> [(j - (j) mod 8)] }]\"\n"                              \
    "        child:\n"                                                                         \
    "          mark: \"vector tile lanes order 0\"\n"                                          \
    "          child:\n"                                                                       \
    "            schedule: \"[{ S1[i, j] -> [(i)] }, { S1[i, j] -> [(j)] }]\"\n"

/* ---- marks in a program ---- */

#define NO_BOXES     "a mark \"tile\" that is not above boxes of one size means nothing"
#define NO_REDUCTION "a mark \"tile\" that speaks of another reduction means nothing"

/* Which remark is given (NULL: none), how many tiles there are, and what stands in the ast. */
static const struct {
    const char *name, *text, *from, *to, *remark;
    int tiles;
    const char *words;
} marked[] = {
    {"a product", PRODUCT, "", "", NULL, 2,
     "tile (m0: 4 row, v0: 20 vec, k1: 2 red, k0: 3 red)"},
    {"its rest", PRODUCT, "", "", NULL, 2,
     "tile (m0: 2 row, v0: 20 vec, k0: 3 red, k1: 2 red)"},
    {"a sum", SUMS, "", "", NULL, 2, "tile (m0: 5 row, k0: 16 split)"},
    {"two dimensions", SUMS, "", "", NULL, 2, "tile (v0: 80 vec)"},
    {"blocks of rows", ROWS, "", "", NULL, 2, "tile (m0: 4 row, v0: 8 vec) b1["},
    {"without a word on lanes", PRODUCT, "lanes order 1 0", "order 1 0", NULL, 2,
     "tile (m0: 4 row, m1: 20 row, k1: 2 red, k0: 3 red)"},
    {"an unknown word", PRODUCT, "vector tile lanes order 1 0", "vector tile lines", NULL, 1,
     "for c3 = c1 * 20..c1 * 20 + 20 {"},
    {"an order that repeats", PRODUCT, "order 1 0", "order 0 0", NO_REDUCTION, 1, NULL},
    {"an order of too few", PRODUCT, "order 1 0", "order 0", NO_REDUCTION, 1, NULL},
    {"an order of too many", PRODUCT, "order 1 0", "order 1 0 2", NO_REDUCTION, 1, NULL},
    {"an order of another number", PRODUCT, "order 1 0", "order 1 2", NO_REDUCTION, 1, NULL},
    {"an order of no loop", SUMS, "tile fold", "tile fold order 0", NO_REDUCTION, 1, NULL},
    {"a split beyond the reduction", SUMS, "split 0", "split 1", NO_REDUCTION, 1, NULL},
    {"a split of no reduction", SUMS, "tile fold", "tile split 0", NO_REDUCTION, 1, NULL},
    {"lanes and a split", PRODUCT, "lanes order 1 0", "lanes split 0 order 1 0", NO_REDUCTION,
     1, NULL},
    {"a split that is not innermost", PRODUCT, "lanes order 1 0", "split 1 order 1 0",
     NO_REDUCTION, 1, NULL},
    {"a split that is not innermost, without an order", PRODUCT, "lanes order 1 0", "split 0",
     NO_REDUCTION, 1, NULL},
    {"a split of the innermost", PRODUCT, "lanes order 1 0", "split 0 order 1 0", NULL, 2,
     "k0: 3 split)"},
    {"a fold of one member", SUMS, "split 0 order 0", "fold", NULL, 2, NULL},
    {"a fold where memory does not go on", PRODUCT, "lanes order 1 0", "fold order 1 0", NULL,
     2, "tile (m0: 4 row, v0: 20 vec,"},
    {"lanes that go back", SUMS, "-> [(j)]", "-> [(-j)]", NULL, 2,
     "tile (m0: 5 row, m1: 16 row)"},
    {"a band whose members are the other way round", SUMS,
     "[{ S1[i, j] -> [(i)] }, { S1[i, j] -> [(j)] }]",
     "[{ S1[i, j] -> [(j)] }, { S1[i, j] -> [(i)] }]", NULL, 2, "v0: 5 vec"},
    {"no band above", PRODUCT,
     "    child:\n      schedule: \"[{ S0[m, n] -> [(n - (n) mod 20)] }]\"\n", "", NULL, 2,
     "tile (m0: 2 row, v0: 40 vec,"},
    {"blocks that do not begin with the rest", PRODUCT, "(n - (n) mod 20)",
     "(n - (n + 10) mod 20)", NO_BOXES, 1, NULL},
    {"blocks of another size than the rest", PRODUCT, "(n) mod 20", "(n) mod 16", NO_BOXES, 1,
     NULL},
    {"every second column", PRODUCT, "(n - (n) mod 20)", "((n) mod 2)", NO_BOXES, 1, NULL},
    {"a mark above blocks of two statements", ROWS, "    sequence:\n",
     "    mark: \"vector tile lanes\"\n    child:\n    sequence:\n", NULL, 2, NULL},
    {"two statements below one mark", SUMS, "  sequence:\n  - filter: \"{ S0[i] }\"\n",
     "  mark: \"vector tile lanes\"\n  child:\n  sequence:\n  - filter: \"{ S0[i] }\"\n", NULL,
     2, NULL},
};

/* Program and schedule as the poly dump has them: what was changed in the marks does not change
 * what is computed. */
START_TEST(marks_do_no_harm) {
    for (int strict = 0; strict < 2; strict++) {
        struct bench b;
        struct loops *l, *whole;
        struct str ast = {0};
        const char *name = marked[_i].name;
        bench_start(&b);
        b.diag.remarks = REMARK_MISSED;
        const char *text =
            bench_replace(&b, marked[_i].text, "", marked[_i].from, marked[_i].to);
        struct poly *p = bench_poly(&b, text, &narrow, &l);
        ck_assert_msg(p && poly_certify(p), "%s: %s", name, str_cstr(&b.messages));
        const char *plain = text;
        if (strstr(text, " layout [0%4, 1]"))
            plain = bench_replace(&b, text, "", " layout [0%4, 1]", "");
        whole = read_loops(&b, plain, poly_find_schedule(plain, strlen(plain)));
        struct ast *naive = ast_from_loops(&b.compile, whole);
        struct ast *mine = ast_from_poly(p, &b.names, strict);
        ck_assert_msg(ast_check(mine, &b.diag), "%s: %s", name, str_cstr(&b.messages));
        run_pair(naive, mine, !strict, name);
        ast_print(&ast, mine, NULL);
        bool said = strstr(str_cstr(&b.messages), "means nothing") != NULL;
        const char *remark = marked[_i].remark ? marked[_i].remark : "";
        ck_assert_msg(said == (*remark != '\0') &&
                          strstr(str_cstr(&b.messages), remark) != NULL,
                      "%s: %s", name, str_cstr(&b.messages));
        ck_assert_msg(strict || !marked[_i].words || strstr(str_cstr(&ast), marked[_i].words),
                      "%s:\n%s", name, str_cstr(&ast));
        ck_assert_msg(poly_figures(p).tiles == marked[_i].tiles, "%s: %d tiles\n%s", name,
                      poly_figures(p).tiles, str_cstr(&ast));
        ck_assert_int_eq(poly_figures(p).fallbacks, 0);
        str_free(&ast);
        ast_free(naive);
        ast_free(mine);
        poly_free(p);
        loops_free(l);
        loops_free(whole);
        bench_end(&b);
    }
}
END_TEST

/* ---- mutants ---- */

/* A product of a packed constant: panels of sixteen columns, the last of which is half empty.
 */
#define PACKED                                                                                 \
    "loops \"packed\" file \"packed.onnx\"\n"                                                  \
    "input a0: f32[2,2]\n"                                                                     \
    "const a1: f32[3,2] layout [0/2, 1, 0%2] = {1, 2, 3, 4, 5, 0, 6, 0}\n"                     \
    "temp a2: f32[2,3] layout [0, 1 pad 4]\n"                                                  \
    "output a3: f32[2,3]\n"                                                                    \
    "S0[m,n: 2,3]: a2[m,n] = reduce(add, [k: 2], a0[m,k] * a1[n,k]) @ \"mm\"\n"                \
    "S1[m,n: 2,3]: a3[m,n] = a2[m,n] * 2.0 @ \"twice\"\n"                                      \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[m, n] : 0 <= m <= 1 and 0 <= n <= 2; S1[m, n] : 0 <= m <= 1 and 0 <= n "   \
    "<= 2 }\"\n"                                                                               \
    "child:\n"                                                                                 \
    "  sequence:\n"                                                                            \
    "  - filter: \"{ S0[m, n] }\"\n"                                                           \
    "  - filter: \"{ S1[m, n] }\"\n"

/* In a seq: sums of columns, by blocks of three columns that the sums share with what they are
 * of. */
#define STEPS                                                                                  \
    "loops \"steps\" file \"steps.onnx\"\n"                                                    \
    "input a0: f32[3,8]\n"                                                                     \
    "temp a1: f32[4,9]\n"                                                                      \
    "temp a2: f32[3,8,9] layout [1, 2%3]\n"                                                    \
    "output a3: f32[9]\n"                                                                      \
    "S0[i: 9]: a1[0,i] = 0.0 @ \"start\"\n"                                                    \
    "seq t: 3 {\n"                                                                             \
    "    S1[i,j: 8,9]: a2[t,i,j] = a1[t,j] + a0[t,i] @ \"sum\"\n"                              \
    "    S2[j: 9]: a1[t + 1,j] = reduce(add, [k: 8], a2[t,k,j]) @ \"step\"\n"                  \
    "}\n"                                                                                      \
    "S3[i: 9]: a3[i] = a1[3,i] @ \"end\"\n"                                                    \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[i] : 0 <= i <= 8 }\"\n"                                                    \
    "schedule 1\n"                                                                             \
    "domain: \"{ S1[t, i, j] : 0 <= t <= 2 and 0 <= i <= 7 and 0 <= j <= 8; S2[t, j] : 0 <= "  \
    "t <= 2 and 0 <= j <= 8 }\"\n"                                                             \
    "child:\n"                                                                                 \
    "  schedule: \"[{ S1[t, i, j] -> [(j - (j) mod 3)]; S2[t, j] -> [(j - (j) mod 3)] }]\"\n"  \
    "  child:\n"                                                                               \
    "    sequence:\n"                                                                          \
    "    - filter: \"{ S1[t, i, j] }\"\n"                                                      \
    "      child:\n"                                                                           \
    "        mark: \"vector tile lanes\"\n"                                                    \
    "        child:\n"                                                                         \
    "          schedule: \"[{ S1[t, i, j] -> [(i)] }, { S1[t, i, j] -> [(j)] }]\"\n"           \
    "    - filter: \"{ S2[t, j] }\"\n"                                                         \
    "      child:\n"                                                                           \
    "        mark: \"vector tile lanes\"\n"                                                    \
    "        child:\n"                                                                         \
    "          schedule: \"[{ S2[t, j] -> [(j)] }]\"\n"                                        \
    "schedule 2\n"                                                                             \
    "domain: \"{ S3[i] : 0 <= i <= 8 }\"\n"

/* The first `from` behind the first `after` becomes `to`; the message that names what is wrong.
 */
static const struct {
    const char *name, *text, *after, *from, *to, *message;
} mutants[] = {
    {"nothing changed", PRODUCT, "", "", "", NULL},
    {"tiles one row further than their piece", PRODUCT, "", "m <= 7", "m <= 8",
     "mm.onnx:mm: error: S0: the schedule runs an instance twice"},
    {"a piece one row short", PRODUCT, "", "m <= 7", "m <= 6",
     "mm.onnx:mm: error: S0: the schedule leaves some instances out"},
    {"pieces that overlap", PRODUCT, "", "m >= 8", "m >= 6",
     "mm.onnx:mm: error: S0: the schedule runs an instance twice"},
    {"rows of the rest left out", PRODUCT, "", "m >= 8", "m >= 9",
     "mm.onnx:mm: error: S0: the schedule leaves some instances out"},
    {"the rest left out", PRODUCT, "", "  - filter: \"{ S0[m, n] : m >= 8 }\"\n" REST, "",
     "mm.onnx:mm: error: S0: the schedule leaves some instances out"},
    {"the rest twice", PRODUCT, "", "  - filter: \"{ S0[m, n] : m >= 8 }\"\n",
     "  - filter: \"{ S0[m, n] : m >= 8 }\"\n" REST "  - filter: \"{ S0[m, n] : m >= 8 }\"\n",
     "mm.onnx:mm: error: S0: the schedule runs an instance twice"},
    {"one row too many", PRODUCT, "", "m <= 9", "m <= 10",
     "mm.onnx:mm: error: S0: the schedule runs instances that do not exist"},
    {"one lane too many", PRODUCT, "", "n <= 39", "n <= 40",
     "mm.onnx:mm: error: S0: the schedule runs instances that do not exist"},
    {"the last lane left out", PRODUCT, "", "n <= 39", "n <= 38",
     "mm.onnx:mm: error: S0: the schedule leaves some instances out"},
    {"the last columns left out", PRODUCT, "", "m >= 8", "m >= 8 and n <= 31",
     "mm.onnx:mm: error: S0: the schedule leaves some instances out"},
    {"a filter of another statement", PRODUCT, "", "{ S0[m, n] : m >= 8 }",
     "{ S1[m, n] : m >= 8 }", "mm.onnx:mm: error: S0: the schedule leaves some instances out"},
    {"no band below the mark", SUMS, "",
     "\n      child:\n        schedule: \"[{ S0[i] -> [(i)] }]\"", "",
     "t.poly:7: error: region 0: isl cannot read this schedule"},
    {"a band of other statements", SUMS, "", "\"[{ S0[i] -> [(i)] }]\"",
     "\"[{ S1[i, j] -> [(i)] }]\"", "sums.onnx:sum: error: S0: the schedule leaves it out"},
    {"room for a row less than a block", ROWS, "", "0%4", "0%3",
     "rows.onnx:blur: error: S1: S0 may overwrite what it reads of a1 by writing a1 (at i=0, "
     "j=0)"},
    {"room for one row", ROWS, "", "[0%4, 1]", "[1]",
     "rows.onnx:blur: error: S1: S0 may overwrite what it reads of a1"},
    {"room for fewer columns", ROWS, "", "[0%4, 1]", "[0%4, 1%32]",
     "rows.onnx:blur: error: S1: S0 may overwrite what it reads of a1"},
    {"larger blocks of the producer", ROWS, "", "S0[i, j] -> [(i - (i) mod 4)]",
     "S0[i, j] -> [(i - (i) mod 8)]",
     "rows.onnx:blur: error: S1: S0 may overwrite what it reads of a1"},
    {"larger blocks of the consumer", ROWS, "", "S1[i, j] -> [(i - (i) mod 4)]",
     "S1[i, j] -> [(i - (i) mod 8)]",
     "rows.onnx:blur: error: S1: does not run after S0, though it reads what that writes of a1 "
     "(S0 at i=4, j=0; S1 at i=4, j=0)"},
    {"the consumer a block early", ROWS, "", "S1[i, j] -> [(i - (i) mod 4)]",
     "S1[i, j] -> [(-4 + i - (i) mod 4)]", "rows.onnx:blur: error: S1: does not run after S0"},
    {"blocks that are not shared alike", ROWS, "", "S1[i, j] -> [(i - (i) mod 4)]",
     "S1[i, j] -> [(i - (i + 2) mod 4)]", "rows.onnx:blur: error: S1: does not run after S0"},
    {"a block of lanes for both", ROWS, "",
     "\"[{ S0[i, j] -> [(i - (i) mod 4)]; S1[i, j] -> [(i - (i) mod 4)] }]\"",
     "\"[{ S0[i, j] -> [(i - (i) mod 4)]; S1[i, j] -> [(i - (i) mod 4)] }, { S0[i, j] -> [(j - "
     "(j) mod 8)]; S1[i, j] -> [(j - (j) mod 8)] }]\"",
     "rows.onnx:blur: error: S1: does not run after S0, though it reads what that writes of a1 "
     "(S0 at i=0, j=8; S1 at i=0, j=7)"},
    {"the consumer before as well", ROWS, "sequence", "- filter: \"{ S0[i, j] }\"\n",
     "- filter: \"{ S1[i, j] }\"\n    - filter: \"{ S0[i, j] }\"\n",
     "rows.onnx:blur: error: S1: the schedule runs an instance twice"},
    {"blocks in a seq", STEPS, "", "", "", NULL},
    {"lanes of another dimension in a seq", STEPS, "", "S1[t, i, j] -> [(j - (j) mod 3)]",
     "S1[t, i, j] -> [(i - (i) mod 3)]", "steps.onnx:step: error: S2: does not run after S1"},
    {"the sums of a block earlier in a seq", STEPS, "", "S1[t, i, j] -> [(j - (j) mod 3)]",
     "S1[t, i, j] -> [(1 + j - (j) mod 3)]",
     "steps.onnx:step: error: S2: does not run after S1"},
    {"room for fewer lanes in a seq", STEPS, "", "2%3", "2%2",
     "steps.onnx:step: error: S2: S1 may overwrite what it reads of a2"},
    {"the steps of a seq left out", STEPS, "", "0 <= t <= 2 and 0 <= i",
     "1 <= t <= 2 and 0 <= i",
     "steps.onnx:sum: error: S1: the schedule leaves some instances out"},
    {"a temporary padded to less than its size", PACKED, "", "pad 4", "pad 2",
     "t.poly:4: error: padded size 2 is less than the 3 that are needed"},
    {"a constant that is packed without its padding", PACKED, "", "5, 0, 6, 0}", "5, 6}",
     "t.poly:3: error: expected 8 elements, found 6"},
    {"a constant in smaller panels", PACKED, "", "[0/2, 1, 0%2]", "[0/1, 1, 0%1]",
     "t.poly:3: error: expected 6 elements, found 8"},
    {"panels that lose a dimension", PACKED, "", "[0/2, 1, 0%2]", "[0/2, 0%2]",
     "t.poly:3: error: expected 4 elements, found 8"},
    {"panels that do not meet", PACKED, "", "[0/2, 1, 0%2]", "[0/4, 1, 0%2]",
     "t.poly:3: error: expected 4 elements, found 8"},
    {"a temporary whose rows share cells", PACKED, "", "[0, 1 pad 4]", "[1 pad 4]",
     "packed.onnx:twice: error: S1: S0 may overwrite what it reads of a2 by writing a2 (at "
     "m=0, n=0)"},
    {"a layout of a dimension too many", PACKED, "", "[0, 1 pad 4]", "[0, 2]",
     "t.poly:4: error: layout of a dimension that a2 does not have"},
};

START_TEST(mutant_is_refused) {
    struct bench b;
    struct loops *l;
    const char *name = mutants[_i].name;
    bench_start(&b);
    const char *text = bench_replace(&b, mutants[_i].text, mutants[_i].after, mutants[_i].from,
                                     mutants[_i].to);
    struct poly *p = bench_poly(&b, text, &narrow, &l);
    bool accepted = p && poly_certify(p);
    const char *message = mutants[_i].message;
    ck_assert_msg(accepted == (message == NULL), "%s: %s%s", name, accepted ? "accepted" : "",
                  str_cstr(&b.messages));
    ck_assert_msg(!message || strstr(str_cstr(&b.messages), message) != NULL, "%s: %s", name,
                  str_cstr(&b.messages));
    ck_assert_int_eq(b.diag.errors > 0, message != NULL);
    poly_free(p);
    if (l)
        loops_free(l);
    bench_end(&b);
}
END_TEST

#define LENGTH(table) (int)(sizeof(table) / sizeof *(table))

int main(void) {
    Suite *s = suite_create("leaf");
    TCase *t = tcase_create("leaf");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, marks_read_back);
    tcase_add_loop_test(t, other_marks_are_none, 0, LENGTH(no_marks));
    tcase_add_loop_test(t, marks_do_no_harm, 0, LENGTH(marked));
    tcase_add_loop_test(t, mutant_is_refused, 0, LENGTH(mutants));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
