/* passes/: graph text in, graph text out, one pass each; errors; the order of passes; dumps
 * that continue to the same program. */
#include "codegen/codegen.h"
#include "ir/op.h"
#include "passes/passes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
    struct compile compile;
};

static void start(struct fixture *f) {
    *f = (struct fixture){.names = {.arena = &f->arena}, .diag = {.sink = &f->messages}};
    f->compile =
        (struct compile){.diag = &f->diag, .names = &f->names, .target = target_find("scalar")};
}

static void finish(struct fixture *f) {
    intern_free(&f->names);
    arena_free(&f->arena);
    str_free(&f->messages);
}

/* The body of a graph: tests leave out its first line. */
static struct graph *read_body(struct fixture *f, const char *body) {
    char *text = arena_printf(&f->arena, "graph \"g\" file \"m\"\n%s", body);
    struct graph *g = graph_read("t", text, strlen(text), &f->names, NULL, &f->diag);
    ck_assert_msg(g != NULL, "%s", str_cstr(&f->messages));
    return g;
}

static void expect_body(const struct graph *g, const char *body) {
    struct str s = {0};
    graph_print(&s, g, NULL);
    const char *found = strchr(str_cstr(&s), '\n') + 1;
    ck_assert_str_eq(found, body);
    str_free(&s);
}

/* ---- passes as text to text ---- */

typedef bool (*pass)(struct compile *c, struct graph *g);

static const struct {
    pass run;
    const char *in, *out; // out NULL: as in
} cases[] = {
    // types, shapes, declared shapes that fit
    {pass_infer,
     "input %0: f32[1,3,8,8] declared [1,?,8,8]\n"
     "const %1: f32[4,3,1,1] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}\n"
     "%2: ? declared [?,4,?,?] = Conv(%0, %1) strides=[2,2]\n"
     "%3: ?, _ = MaxPool(%2) kernel_shape=[2,2]\n"
     "output %3 \"y\"\n",
     "input %0: f32[1,3,8,8]\n"
     "const %1: f32[4,3,1,1] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}\n"
     "%2: f32[1,4,4,4] = Conv(%0, %1) strides=[2,2]\n"
     "%3: f32[1,4,3,3], _ = MaxPool(%2) kernel_shape=[2,2]\n"
     "output %3 \"y\"\n"},
    // a shape that the model computes is known at once
    {pass_infer,
     "input %0: f32[2,3,4]\n"
     "const %1: i64[1] = {0}\n"
     "const %2: i64[1] = {-1}\n"
     "%3: ? = Shape(%0)\n"
     "%4: ? = Gather(%3, %1)\n"
     "%5: ? = Concat(%4, %2) axis=0\n"
     "%6: ? = Reshape(%0, %5)\n"
     "output %6 \"y\"\n",
     "input %0: f32[2,3,4]\n"
     "const %1: i64[1] = {0}\n"
     "const %2: i64[1] = {-1}\n"
     "const %3: i64[3] = {2, 3, 4}\n"
     "const %4: i64[1] = {2}\n"
     "const %5: i64[2] = {2, -1}\n"
     "%6: f32[2,12] = Reshape(%0, %5)\n"
     "output %6 \"y\"\n"},
    // run-time axes are solved from the declared result and compared at run time
    {pass_infer,
     "input %0: f32[2,3]\n"
     "input %1: i64[1]\n"
     "%2: ? declared [1,3] = ReduceSum(%0, %1) @ \"r\"\n"
     "output %2 \"y\"\n",
     "input %0: f32[2,3]\n"
     "input %1: i64[1]\n"
     "const %3: bool[2] = {true, false}\n"
     "const %4: i64[1] = {0}\n"
     "\"nncc\".RequireAxes(%1, %3) @ \"r\"\n"
     "%2: f32[1,3] = ReduceSum(%0, %4) @ \"r\"\n"
     "output %2 \"y\"\n"},
    // … also from what is declared of an element-wise result of it
    {pass_infer,
     "input %0: f32[2,3]\n"
     "input %1: i64[1]\n"
     "const %2: f64[] = {2}\n"
     "%3: ? = ReduceSum(%0, %1) keepdims=0 @ \"r\"\n"
     "%4: ? = Cast(%3) to=11 @ \"c\"\n"
     "%5: ? declared [3] = Mul(%2, %4) @ \"m\"\n"
     "output %5 \"y\"\n",
     "input %0: f32[2,3]\n"
     "input %1: i64[1]\n"
     "const %2: f64[] = {2}\n"
     "const %6: bool[2] = {true, false}\n"
     "const %7: i64[1] = {0}\n"
     "\"nncc\".RequireAxes(%1, %6) @ \"r\"\n"
     "%3: f32[3] = ReduceSum(%0, %7) keepdims=0 @ \"r\"\n"
     "%4: f64[3] = Cast(%3) to=11 @ \"c\"\n"
     "%5: f64[3] = Mul(%2, %4) @ \"m\"\n"
     "output %5 \"y\"\n"},
    // constants of constants, in the types they have
    {pass_fold,
     "const %0: f32[2] = {1.5, -2}\n"
     "const %1: i8[2] = {127, -128}\n"
     "input %2: f32[2]\n"
     "%3: f32[2] = Add(%0, %0)\n"
     "%4: i8[2] = Add(%1, %1)\n"
     "%5: f32[2] = Mul(%3, %2)\n"
     "output %5 \"a\"\noutput %4 \"b\"\n",
     "input %2: f32[2]\n"
     "const %0: f32[2] = {1.5, -2}\n"
     "const %1: i8[2] = {127, -128}\n"
     "const %3: f32[2] = {3, -4}\n"
     "const %4: i8[2] = {-2, 0}\n"
     "%5: f32[2] = Mul(%3, %2)\n"
     "output %5 \"a\"\noutput %4 \"b\"\n"},
    // a body folds like any other operator; a test of constants goes if it holds
    {pass_fold,
     "const %0: f32[2] = {0, 51}\n"
     "const %4: f32[2] = {0, 52}\n"
     "%1: u8[2], %2: f32[], %3: u8[] = DynamicQuantizeLinear(%0)\n"
     "\"nncc\".Require(%0, %0)\n"
     "\"nncc\".Require(%0, %4)\n"
     "output %1 \"y\"\noutput %2 \"s\"\noutput %3 \"z\"\n",
     "const %0: f32[2] = {0, 51}\n"
     "const %4: f32[2] = {0, 52}\n"
     "const %1: u8[2] = {0, 255}\n"
     "const %2: f32[] = {0.2}\n"
     "const %3: u8[] = {0}\n"
     "\"nncc\".Require(%0, %4)\n"
     "output %1 \"y\"\noutput %2 \"s\"\noutput %3 \"z\"\n"},
    // an index out of range is left to the run
    {pass_fold,
     "const %0: f32[2] = {1, 2}\n"
     "const %1: i64[1] = {5}\n"
     "%2: f32[1] = Gather(%0, %1)\n"
     "output %2 \"y\"\n",
     NULL},
    // rules: constants that appear are folded, operands that die go
    {pass_rewrite,
     "input %0: f32[1,1,4,4]\n"
     "const %1: f32[2,1,1,1] = {1, 2}\n"
     "const %2: f32[2] = {4, 4}\n"
     "const %3: f32[2,1,1] = {0.5, 3}\n"
     "%4: f32[1,2,4,4] = Conv(%0, %1, %2) @ \"conv\"\n"
     "%5: f32[1,2,4,4] = Mul(%3, %4) @ \"scale\"\n"
     "%6: f32[1,2,4,4] = Identity(%5)\n"
     "output %6 \"y\"\n",
     "input %0: f32[1,1,4,4]\n"
     "const %1: f32[2,1,1,1] = {1, 2}\n"
     "const %2: f32[2] = {4, 4}\n"
     "const %3: f32[2,1,1] = {0.5, 3}\n"
     "const %7: i64[1] = {-1}\n"
     "const %8: f32[2] = {0.5, 3}\n"
     "const %9: i64[1] = {2}\n"
     "const %10: f32[2] = {0.5, 3}\n"
     "const %11: i64[4] = {-1, 1, 1, 1}\n"
     "const %12: f32[2,1,1,1] = {0.5, 3}\n"
     "const %13: f32[2,1,1,1] = {0.5, 6}\n"
     "const %14: f32[2] = {2, 12}\n"
     "%15: f32[1,2,4,4] = Conv(%0, %13, %14) @ \"conv\"\n"
     "output %15 \"y\"\n"},
    // what a rule must not match: other readers, other axes, an extended result, run-time
    // scales
    {pass_rewrite,
     "input %0: f32[1,2,2,2]\n"
     "input %1: f32[2,1,1]\n"
     "const %2: f32[2,2,1,1] = {1, 2, 3, 4}\n"
     "const %3: f32[2] = {1, 2}\n"
     "const %4: f32[3,2,1,1] = {1, 2, 3, 4, 5, 6}\n"
     "const %5: f32[2,1,1] = {1, 2}\n"
     "const %6: f32[2] = {1, 1}\n"
     "%7: f32[1,2,2,2] = Conv(%0, %2)\n"
     "%8: f32[1,2,2,2] = Mul(%7, %5)\n"
     "%9: f32[1,2,2,2] = Conv(%0, %2) pads=[0,0,0,0]\n"
     "%10: f32[1,2,2,2] = Mul(%9, %3)\n"
     "%11: f32[1,2,2,2] = Conv(%0, %2) group=1\n"
     "%12: f32[1,2,2,2] = Mul(%11, %1)\n"
     "%13: f32[1,2,2,2] = Conv(%0, %2) strides=[1,1]\n"
     "%14: f32[3,2,2,2] = Mul(%13, %4)\n"
     "%15: f32[2,1,2] = Mul(%1, %6)\n"
     "output %7 \"a\"\noutput %8 \"b\"\noutput %10 \"c\"\noutput %12 \"d\"\noutput %14 \"e\"\n"
     "output %15 \"f\"\n",
     NULL},
    // views in a row become one
    {pass_rewrite,
     "input %0: f32[2,1,3,4]\n"
     "const %1: i64[1] = {1}\n"
     "%2: f32[2,3,4] = Squeeze(%0, %1)\n"
     "%3: f32[2,12] = Flatten(%2)\n"
     "%4: f32[12,2] = Transpose(%3)\n"
     "%5: f32[2,12] = Transpose(%4) perm=[1,0]\n"
     "output %5 \"y\"\n",
     "input %0: f32[2,1,3,4]\n"
     "const %1: i64[1] = {1}\n"
     "const %6: i64[3] = {2, 3, 4}\n"
     "const %8: i64[2] = {2, 12}\n"
     "const %11: i64[2] = {2, 12}\n"
     "%12: f32[2,12] = Reshape(%0, %11) allowzero=1\n"
     "output %12 \"y\"\n"},
    // bodies, with an operand left out
    {pass_expand,
     "input %0: f32[4]\n"
     "%1: u8[4], %2: f32[], _ = DynamicQuantizeLinear(%0) @ \"dq\"\n"
     "output %1 \"y\"\noutput %2 \"s\"\n",
     "" /* compared in expands_bodies */},
    // equal nodes, equal constants, dead nodes, results nobody wants; effects stay
    {pass_clean,
     "input %10: i64[2] \"x\"\n"
     "const %3: i64[2] = {1, 2}\n"
     "const %4: i64[2] = {1, 2}\n"
     "const %5: i64[2] = {7, 7}\n"
     "%6: i64[2] = Add(%10, %3)\n"
     "%7: i64[2] = Add(%10, %4)\n"
     "%8: i64[2] = Mul(%6, %7)\n"
     "%9: i64[2] = Sub(%8, %5)\n"
     "\"nncc\".Require(%10, %3) @ \"r\"\n"
     "output %8 \"y\"\noutput %7 \"z\"\n",
     "input %0: i64[2] \"x\"\n"
     "const %1: i64[2] = {1, 2}\n"
     "%2: i64[2] = Add(%0, %1)\n"
     "%3: i64[2] = Mul(%2, %2)\n"
     "\"nncc\".Require(%0, %1) @ \"r\"\n"
     "output %3 \"y\"\noutput %2 \"z\"\n"},
    {pass_clean,
     "input %0: f32[1,1,4,4]\n"
     "%1: f32[1,1,2,2], %2: i64[1,1,2,2] = MaxPool(%0) kernel_shape=[3,3]\n"
     "%3: f32[1,1,2,2] = Relu(%1)\n"
     "%4: f32[1,1,2,2] = LeakyRelu(%1) alpha=0.5\n"
     "%5: f32[1,1,2,2] = LeakyRelu(%1) alpha=0.25\n"
     "output %3 \"a\"\noutput %4 \"b\"\noutput %5 \"c\"\n",
     "input %0: f32[1,1,4,4]\n"
     "%1: f32[1,1,2,2] = MaxPool(%0) kernel_shape=[3,3]\n"
     "%2: f32[1,1,2,2] = Relu(%1)\n"
     "%3: f32[1,1,2,2] = LeakyRelu(%1) alpha=0.5\n"
     "%4: f32[1,1,2,2] = LeakyRelu(%1) alpha=0.25\n"
     "output %2 \"a\"\noutput %3 \"b\"\noutput %4 \"c\"\n"},
};

START_TEST(text_to_text) {
    struct fixture f;
    start(&f);
    struct graph *g = read_body(&f, cases[_i].in);
    ck_assert_msg(cases[_i].run(&f.compile, g), "%s", str_cstr(&f.messages));
    ck_assert_msg(graph_check(g, true, &f.diag), "%s", str_cstr(&f.messages));
    ck_assert_str_eq(str_cstr(&f.messages), "");
    if (cases[_i].out == NULL)
        expect_body(g, cases[_i].in);
    else if (*cases[_i].out)
        expect_body(g, cases[_i].out);
    for (const struct node *n = g->first; n && cases[_i].run == pass_expand; n = n->next)
        ck_assert_ptr_null(n->op->body);
    graph_free(g);
    finish(&f);
}
END_TEST

/* ---- errors and remarks ---- */

static const struct {
    pass run;
    const char *in, *messages;
} told[] = {
    // every error of the stage; what depends on a failed node is silent
    {pass_infer,
     "input %0: f32[1,3,8,8]\n"
     "const %1: f32[4,2,1,1] = {1, 2, 3, 4, 5, 6, 7, 8}\n"
     "%2: ? = Conv(%0, %1) @ \"c1\"\n"
     "%3: ? = Relu(%2) @ \"r\"\n"
     "%4: ? = MatMul(%0, %1) @ \"mm\"\n"
     "output %3 \"y\"\n",
     "m:c1: error: Conv: "},
    {pass_infer,
     "input %0: f32[1,3] declared [1,3]\n"
     "%1: ? declared [1,4] = Relu(%0) @ \"r\"\n"
     "output %1 \"y\"\n",
     "m:r: error: Relu: result 'Y' has shape [1,3], but the model declares [1,4]\n"},
    {pass_infer, // the node is named whose result is declared, not one before
     "input %0: f32[1,3]\n"
     "%1: ? = Neg(%0) @ \"n\"\n"
     "%2: ? declared [1,4] = Relu(%1) @ \"r\"\n"
     "output %2 \"y\"\n",
     "m:r: error: Relu: result 'Y' has shape [1,3], but the model declares [1,4]\n"},
    {pass_infer,
     "input %0: f32[2]\n"
     "const %1: f32[2] declared [3] = {1, 2}\n"
     "%2: ? = Relu(%0)\n"
     "output %1 \"y\"\n",
     "m: error: output 'y' is f32[2], but the model declares f32[3]\n"},
    {pass_fold,
     "const %0: i64[1] = {20000000}\n"
     "%1: f32[20000000] = ConstantOfShape(%0) @ \"zeros\"\n"
     "output %1 \"y\"\n",
     "m:zeros: remark: missed: "},
};

START_TEST(tells) {
    struct fixture f;
    start(&f);
    f.diag.remarks = REMARK_MISSED;
    struct graph *g = read_body(&f, told[_i].in);
    ck_assert(told[_i].run(&f.compile, g) == (f.diag.errors == 0));
    ck_assert_msg(strstr(str_cstr(&f.messages), told[_i].messages) != NULL, "%s",
                  str_cstr(&f.messages));
    ck_assert_ptr_null(strstr(str_cstr(&f.messages), "m:r: error: Relu: input"));
    graph_free(g);
    finish(&f);
}
END_TEST

START_TEST(all_errors_of_inference) {
    struct fixture f;
    start(&f);
    struct graph *g = read_body(&f, told[0].in);
    ck_assert(!pass_infer(&f.compile, g));
    ck_assert_int_eq(f.diag.errors, 2);
    ck_assert_ptr_nonnull(strstr(str_cstr(&f.messages), "m:mm: error: MatMul: "));
    graph_free(g);
    finish(&f);
}
END_TEST

/* ---- lowering ---- */

START_TEST(outputs_that_are_inputs_constants_or_twice) {
    struct fixture f;
    start(&f);
    struct graph *g = read_body(&f, "input %0: f32[2] \"x\"\n"
                                    "const %1: f32[2] = {1, 2} \"c\"\n"
                                    "%2: f32[2] = Relu(%0) @ \"r\"\n"
                                    "output %0 \"a\"\noutput %1 \"b\"\n"
                                    "output %2 \"c\"\noutput %2 \"d\"\n");
    struct loops *l = loops_from_graph(&f.compile, g);
    ck_assert_ptr_nonnull(l);
    ck_assert_msg(loops_check(l, &f.diag), "%s", str_cstr(&f.messages));
    struct str s = {0};
    loops_print(&s, l, NULL);
    static const char *const parts[] = {
        "input a0: f32[2] \"x\"\n",  "output a1: f32[2] \"a\"\n", "output a2: f32[2] \"b\"\n",
        "output a3: f32[2] \"c\"\n", "output a4: f32[2] \"d\"\n", "a3[i0] = max(0.0, a0[i0])",
        "a1[i0] = a0[i0] @ \"a\"",   "a4[i0] = a3[i0] @ \"d\"",
    };
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        ck_assert_msg(strstr(str_cstr(&s), parts[k]) != NULL, "%s in\n%s", parts[k],
                      str_cstr(&s));
    str_free(&s);
    loops_free(l);
    graph_free(g);
    finish(&f);
}
END_TEST

START_TEST(require_becomes_a_statement) {
    struct fixture f;
    start(&f);
    struct graph *g = read_body(&f, "input %0: i64[2] \"x\"\n"
                                    "const %1: i64[2] = {1, 2}\n"
                                    "\"nncc\".Require(%0, %1) @ \"r\"\n"
                                    "output %0 \"y\"\n");
    struct loops *l = loops_from_graph(&f.compile, g);
    struct str s = {0};
    loops_print(&s, l, NULL);
    ck_assert_msg(strstr(str_cstr(&s), "require[i0: 2]: a0[i0] == a2[i0] @ \"r\"") != NULL,
                  "%s", str_cstr(&s));
    str_free(&s);
    loops_free(l);
    graph_free(g);
    finish(&f);
}
END_TEST

/* ---- the order ---- */

START_TEST(order_has_reasons) {
    int count;
    const struct pass_order *orders = pass_orders(&count);
    for (int k = 0; k < count; k++) {
        int a = pass_find(orders[k].a), b = pass_find(orders[k].b);
        ck_assert_msg(a >= 0 && b >= 0, "AFTER(%s, %s) names no pass", orders[k].a,
                      orders[k].b);
        ck_assert_msg(a > b, "%s must run after %s: %s", orders[k].a, orders[k].b,
                      orders[k].why);
    }
    int passes;
    const struct pass_info *list = pass_list(&passes);
    for (int k = 1; k < passes; k++)
        ck_assert_msg(list[k].leaves >= list[k - 1].leaves, "%s goes back", list[k].name);
    for (int k = 0; k < passes; k++)
        ck_assert_msg(list[k].leaves >= list[k].takes, "%s goes back", list[k].name);
    ck_assert_int_eq(pass_find("nothing"), -1);
}
END_TEST

/* At every level one pass leaves each language behind that another takes, to the ast. */
START_TEST(every_level_reaches_an_ast) {
    int count;
    const struct pass_info *list = pass_list(&count);
    enum pass_level at = LEVEL_GRAPH;
    for (int k = 0; k < count; k++)
        if (list[k].takes == at && list[k].min_opt <= _i && _i <= list[k].max_opt)
            at = list[k].leaves;
    ck_assert_int_eq(at, LEVEL_AST);
    ck_assert_str_eq(pass_last(LEVEL_AST, _i)->name, "arena");
    ck_assert((pass_last(LEVEL_POLY, _i) == NULL) == (_i == 0));
}
END_TEST

/* ---- the pipeline ---- */

static const char model[] =
    "input %0: f32[1,1,6,6] \"x\"\n"
    "const %1: f32[2,1,3,3] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9} \"w\"\n"
    "const %2: f32[2,1,1] = {1, 2}\n"
    "%3: ? = Conv(%0, %1) @ \"conv\"\n"
    "%4: ? = Add(%3, %2) @ \"bias\"\n"
    "%5: ? = Relu(%4) @ \"relu\"\n"
    "%6: ? = Flatten(%5) @ \"flat\"\n"
    "output %6 \"y\"\n";

/* Two convolutions, a pool and a product: arrays that tiles of vectors want in another order,
 * constants that they want packed. */
static const char wide_model[] = "input %0: f32[1,3,9,9] \"x\"\n"
                                 "const %1: f32[16,3,3,3] = #\n"
                                 "const %2: f32[16] = #\n"
                                 "const %3: f32[24,16,3,3] = #\n"
                                 "const %4: f32[24,10] = #\n"
                                 "%5: ? = Conv(%0, %1, %2) pads=[1,1,1,1] @ \"conv1\"\n"
                                 "%6: ? = Relu(%5) @ \"relu\"\n"
                                 "%7: ? = Conv(%6, %3) @ \"conv2\"\n"
                                 "%8: ? = GlobalMaxPool(%7) @ \"pool\"\n"
                                 "%9: ? = Flatten(%8) @ \"flat\"\n"
                                 "%10: ? = MatMul(%9, %4) @ \"fc\"\n"
                                 "%11: ? = Softmax(%10) @ \"softmax\"\n"
                                 "output %11 \"y\"\n";

/* The elements of the type whose closing bracket is the last before `end`. */
static int count_elements(const char *end) {
    int n = 1;
    while (*end != '[')
        end--;
    while (*end != ']') {
        char *next;
        n *= (int)strtol(end + 1, &next, 10);
        end = next;
    }
    return n;
}

/* A model with values for each `#`. */
static const char *with_values(struct fixture *f, const char *text) {
    const char *whole = "";
    for (const char *at; (at = strchr(text, '#')) != NULL; text = at + 1) {
        int n = count_elements(at);
        struct str values = {0};
        for (int k = 0; k < n; k++)
            str_addf(&values, "%s%d", k ? ", " : "", k * 7 % 11 - 5);
        whole = arena_printf(&f->arena, "%s%.*s{%s}", whole, (int)(at - text), text,
                             str_cstr(&values));
        str_free(&values);
    }
    return arena_printf(&f->arena, "%s%s", whole, text);
}

/* Runs the pipeline on the model (text NULL) or a dump; the text of the final ast, or of what
 * --stop gives. */
static char *run_pipeline(struct fixture *f, const struct pipeline_options *opt,
                          const char *file, const char *text) {
    struct pipeline_result r;
    bool vectors = f->compile.target->vector_bytes > 0;
    struct graph *g = text ? NULL : read_body(f, with_values(f, vectors ? wide_model : model));
    size_t len = text ? strlen(text) : 0;
    bool ok = pipeline_run(&f->compile, opt, g, file, text, len, &r);
    if (ok && r.ast) {
        struct constant_pool *none = NULL;
        ast_print(&r.text, r.ast, none);
    }
    char *result = ok ? arena_strdup(&f->arena, str_cstr(&r.text)) : NULL;
    pipeline_free(&r);
    return result;
}

static const char *ending(enum pass_level level) {
    static const char *const endings[] = {"graph", "loops", "poly", "ast"};
    return endings[level];
}

/* What stands below the comment that a dump begins with. */
static const char *dump_body(const char *text) {
    return strchr(text, '\n') + 1;
}

/* The dump of pass k continues to `whole`, and says so when nothing changed since the one
 * before (NULL: there was none). Returns its text. */
static char *check_dump(struct fixture *f, const char *path, int k, const char *before,
                        const char *whole) {
    const struct pass_info *info = &pass_list(&(int){0})[k];
    size_t len;
    char *text = file_read(path, &len);
    ck_assert_msg(text != NULL, "%s", path);
    ck_assert_ptr_nonnull(strstr(text, arena_printf(&f->arena, "// after %s", info->name)));
    bool changed = info->takes != info->leaves || !before ||
                   strcmp(dump_body(before), dump_body(text)) != 0;
    bool first = strstr(text, "// after infer") == text; // of its model there is no dump
    ck_assert_msg(first || (strstr(text, " (unchanged)\n") == NULL) == changed, "%s", path);
    struct pipeline_options opt = {.start = info->name};
    char *rest = run_pipeline(f, &opt, path, text);
    ck_assert_msg(rest != NULL, "%s: %s", path, str_cstr(&f->messages));
    ck_assert_str_eq(rest, whole);
    unlink(path);
    return text;
}

/* Does the pass leave the test's model as it is? */
static bool leaves_alone(const struct fixture *f, const char *name) {
    bool vectors = f->compile.target->vector_bytes > 0;
    return strcmp(name, "fold") == 0 || (strcmp(name, "expand") == 0 && !vectors) ||
           strcmp(name, "slice") == 0 || strcmp(name, "separate") == 0 ||
           strcmp(name, "collapse") == 0 || (strcmp(name, "layout") == 0 && !vectors) ||
           strcmp(name, "certify") == 0 || strcmp(name, "inplace") == 0;
}

/* By the target, strict or not. */
static const struct {
    const char *cpu;
    bool strict;
    int level;
} continued[] = {
    {"scalar", false, 0},  {"scalar", false, 1},   {"scalar", false, 2},
    {"generic", false, 2}, {"haswell", false, 2},  {"x86-64-v4", false, 2},
    {"haswell", true, 2},  {"x86-64-v4", true, 2}, {"haswell", false, 1},
};

START_TEST(continues_from_every_dump) {
    struct fixture f;
    start(&f);
    int level = continued[_i].level, count;
    f.compile.opt_level = level;
    f.compile.strict = continued[_i].strict;
    f.compile.target = target_find(continued[_i].cpu);
    char dir[] = "/tmp/nncc-dumps-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char *before = NULL,
         *whole = run_pipeline(&f, &(struct pipeline_options){.dump = "all", .dump_dir = dir},
                               "m", NULL);
    ck_assert_msg(whole != NULL, "%s", str_cstr(&f.messages));
    const struct pass_info *list = pass_list(&count);
    for (int k = 0; k < count; k++) {
        char *path = arena_printf(&f.arena, "%s/%02d-%s.%s", dir, k + 1, list[k].name,
                                  ending(list[k].leaves));
        bool runs = list[k].min_opt <= level && level <= list[k].max_opt;
        ck_assert_msg((access(path, R_OK) == 0) == runs, "%s", path);
        if (!runs)
            continue;
        char *text = check_dump(&f, path, k, before, whole);
        bool nothing = strstr(text, " (unchanged)\n") != NULL;
        ck_assert_msg(nothing == leaves_alone(&f, list[k].name), "%s", path);
        free(before);
        before = text;
    }
    free(before);
    unlink(arena_printf(&f.arena, "%s/constants.bin", dir));
    ck_assert_int_eq(rmdir(dir), 0);
    finish(&f);
}
END_TEST

START_TEST(stops_and_skips) {
    struct fixture f;
    start(&f);
    char *text = run_pipeline(&f, &(struct pipeline_options){.stop = "infer"}, "m", NULL);
    ck_assert_ptr_nonnull(strstr(text, "%6: f32[1,32] = Flatten(%5) @ \"flat\"\n"));
    text = run_pipeline(&f, &(struct pipeline_options){.stop = "clean", .skip = "fold,rewrite"},
                        "m", NULL);
    ck_assert_ptr_nonnull(strstr(text, "%6: f32[1,32] = Flatten(%5) @ \"flat\"\n"));
    text = run_pipeline(&f, &(struct pipeline_options){.stop = "rewrite"}, "m", NULL);
    ck_assert_ptr_null(strstr(text, "Flatten("));
    text = run_pipeline(&f, &(struct pipeline_options){.stop = "lower"}, "m", NULL);
    ck_assert_ptr_eq(strstr(text, "loops"), text);
    finish(&f);
}
END_TEST

static const struct {
    struct pipeline_options opt;
    const char *message;
} misuse[] = {
    {{.skip = "infer"}, "--skip: pass 'infer' cannot be skipped"},
    {{.skip = "fold,nothing"}, "--skip: there is no pass 'nothing' (see --passes)"},
    {{.stop = "all"}, "--stop: there is no pass 'all' (see --passes)"},
    {{.dump = "all,x"}, "--dump: there is no pass 'x' (see --passes)"},
    {{.start = "clean", .stop = "infer"}, "--stop: pass 'infer' is not after 'clean'"},
    {{.start = "schedule"}, "--start: nothing goes on from 'schedule' at -O0"},
    {{.skip = "certify"}, "--skip: pass 'certify' cannot be skipped"},
    {{.dump = "all", .dump_dir = "/nowhere/at/all"}, "cannot write: "},
};

START_TEST(refuses_options) {
    struct fixture f;
    start(&f);
    ck_assert_ptr_null(run_pipeline(&f, &misuse[_i].opt, "m", NULL));
    ck_assert_msg(strstr(str_cstr(&f.messages), misuse[_i].message) != NULL, "%s",
                  str_cstr(&f.messages));
    ck_assert_int_eq(f.diag.errors, 1);
    finish(&f);
}
END_TEST

/* A dump that was edited is the user's: errors, not bugs. */
START_TEST(refuses_wrong_dumps) {
    struct fixture f;
    start(&f);
    struct pipeline_options opt = {.start = "infer"};
    static const char *const wrong[] = {
        "graph \"g\"\ninput %0: f32[2]\n%1: f32[2] = Relu(%2)\n",
        "graph \"g\"\ninput %0: f32[2]\n%1: ? = Relu(%0)\noutput %1 \"y\"\n",
        "graph \"g\"\ninput %0: i64[2]\n%1: i64[2] = Conv(%0, %0)\noutput %1 \"y\"\n",
        "graph \"g\"\ninput %0: f32[2]\n%1: f32[3] = Relu(%0)\noutput %1 \"y\"\n",
        "graph \"g\"\ninput %0: f32[2]\n%1: f64[2] = Relu(%0)\noutput %1 \"y\"\n",
        "loops \"g\"\n",
    };
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        int before = f.diag.errors;
        ck_assert_ptr_null(run_pipeline(&f, &opt, "d.graph", wrong[k]));
        ck_assert_int_gt(f.diag.errors, before);
    }
    finish(&f);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

int main(void) {
    Suite *s = suite_create("passes");
    TCase *t = tcase_create("passes");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, text_to_text, 0, ROWS(cases));
    tcase_add_loop_test(t, tells, 0, ROWS(told));
    tcase_add_test(t, all_errors_of_inference);
    tcase_add_test(t, outputs_that_are_inputs_constants_or_twice);
    tcase_add_test(t, require_becomes_a_statement);
    tcase_add_test(t, order_has_reasons);
    tcase_add_loop_test(t, every_level_reaches_an_ast, 0, 3);
    tcase_add_loop_test(t, continues_from_every_dump, 0, ROWS(continued));
    tcase_add_test(t, stops_and_skips);
    tcase_add_loop_test(t, refuses_options, 0, ROWS(misuse));
    tcase_add_test(t, refuses_wrong_dumps);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
