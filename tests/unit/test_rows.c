/* Operator rows at the edges of their domains: nodes over constants, folded by the
 * interpreter. Ordinary values are what ONNX's node tests are for. */
#include "codegen/codegen.h"
#include "ir/op.h"
#include "passes/passes.h"
#include "tests/unit/node_text.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

struct evaluation {
    const char *inputs; // as node_text has them
    const char *node;   // "%9: ? = Relu(%0)"; %9 is the output
    const char *expect; // the elements of %9
};

static void print_element(struct str *s, const struct value *v, int64_t k) {
    union scalar x = dtype_load(v->dtype, v->data, k);
    str_add(s, k ? " " : "");
    if (dtype_is_float(v->dtype) && isnan(x.f))
        str_add(s, "nan"); // of either sign
    else if (dtype_is_float(v->dtype))
        str_addf(s, "%.6g", x.f);
    else
        str_addf(s, "%lld", (long long)x.i);
}

static void evaluate(const struct evaluation *c, struct str *out) {
    struct arena arena = {0};
    struct intern names = {.arena = &arena};
    struct str text = {0};
    struct diag diag = {.sink = out};
    struct compile compile = {.diag = &diag, .names = &names, .target = target_find("scalar")};
    node_text(&text, c->inputs, c->node);
    struct graph *g = graph_read("t.graph", text.data, text.len, &names, NULL, &diag);
    if (g && pass_infer(&compile, g) && pass_expand(&compile, g) && pass_fold(&compile, g)) {
        const struct value *y = g->outputs.data[0];
        for (int64_t k = 0; y->data && k < value_elements(y); k++)
            print_element(out, y, k);
    }
    if (g)
        graph_free(g);
    str_free(&text);
    intern_free(&names);
    arena_free(&arena);
}

// clang-format off
static const struct evaluation evaluations[] = {
    {"f32[5]={nanf32,-inff32,inff32,-0.0,2.0}", "%9: ? = Relu(%0)",
     "nan 0 inf -0 2"},
    {"f32[5]={nanf32,-inff32,inff32,-0.0,2.0} f32[]={-1.0} f32[]={1.0}", "%9: ? = Clip(%0, %1, %2)",
     "nan -1 1 -0 1"},
    {"f32[2]={1.0,5.0} f32[]={3.0} f32[]={2.0}", "%9: ? = Clip(%0, %1, %2)",
     "2 2"},
    {"f32[3]={nanf32,1.0,3.0} f32[3]={2.0,nanf32,2.0}", "%9: ? = Max(%0, %1)",
     "nan nan 3"},
    {"f32[3]={nanf32,1.0,3.0} f32[3]={2.0,nanf32,2.0}", "%9: ? = Min(%0, %1)",
     "nan nan 2"},
    {"f32[6]={-1000.0,-100.0,0.0,1e-6,100.0,1000.0}", "%9: ? = Softplus(%0)",
     "0 3.78351e-44 0.693147 0.693148 100 1000"},
    {"f32[5]={-1000.0,-50.0,0.0,100.0,nanf32}", "%9: ? = Mish(%0)",
     "-0 -9.64375e-21 0 100 nan"},
    {"f32[5]={-1000.0,-50.0,0.0,1000.0,nanf32}", "%9: ? = Sigmoid(%0)",
     "0 1.92875e-22 0.5 1 nan"},
    {"f32[5]={-1000.0,-50.0,0.0,1000.0,nanf32}", "%9: ? = Swish(%0)",
     "-0 -9.64375e-21 0 1000 nan"},
    {"f32[4]={-1e-8,-1000.0,3.0,nanf32}", "%9: ? = Elu(%0)",
     "-1e-08 -1 3 nan"},
    {"f32[4]={-1e-8,-1000.0,3.0,nanf32}", "%9: ? = Celu(%0)",
     "-1e-08 -1 3 nan"},
    {"f32[4]={-1e-8,-1000.0,1000.0,nanf32}", "%9: ? = Selu(%0)",
     "-1.7581e-08 -1.7581 1050.7 nan"},
    {"f32[4]={nanf32,-10.0,10.0,inff32}", "%9: ? = HardSigmoid(%0)",
     "nan 0 1 1"},
    {"f32[5]={0.5,1.5,2.5,-0.5,-2.5}", "%9: ? = Round(%0)",
     "0 2 2 -0 -2"},
    {"f32[4]={inff32,-inff32,nanf32,1.0}", "%9: ? = IsInf(%0) detect_negative=0",
     "1 0 0 0"},
    {"f32[4]={-7.0,7.0,-7.0,7.5} f32[4]={3.0,-3.0,-3.0,-2.0}", "%9: ? = Mod(%0, %1)",
     "2 -2 -1 -0.5"},
    {"f32[4]={-7.0,7.0,-7.0,7.5} f32[4]={3.0,-3.0,-3.0,-2.0}", "%9: ? = Mod(%0, %1) fmod=1",
     "-1 1 -1 1.5"},
    {"i32[4]={-7,7,-7,7} i32[4]={3,-3,-3,0}", "%9: ? = Mod(%0, %1)",
     "2 -2 -1 0"},
    {"i8[3]={-128,-7,7} i8[3]={-1,2,0}", "%9: ? = Div(%0, %1)",
     "-128 -3 0"},
    {"i8[3]={-128,-100,100} i8[3]={-128,100,100}", "%9: ? = Add(%0, %1)",
     "0 0 -56"},
    {"i8[1]={-128}", "%9: ? = Abs(%0)",
     "-128"},
    {"f32[6]={3e9,-3e9,nanf32,2.9,-2.9,inff32}", "%9: ? = Cast(%0) to=6",
     "2147483647 -2147483648 0 2 -2 2147483647"},
    {"f32[4]={300.0,-1.0,nanf32,2.9}", "%9: ? = Cast(%0) to=2",
     "255 0 0 2"},
    {"i64[4]={300,-1,256,127}", "%9: ? = Cast(%0) to=3",
     "44 -1 0 127"},
    {"f32[4]={0.0,-0.0,0.5,nanf32}", "%9: ? = Cast(%0) to=9",
     "0 0 1 1"},
    {"f32[4]={-9.0,15.0,8.9,-8.0}", "%9: ? = Cast(%0) to=22",
     "7 -1 -8 -8"},
    {"u64[2]={18446744073709551615,1}", "%9: ? = Cast(%0) to=1",
     "1.84467e+19 1"},
    {"i32[5]={2,-2,2,0,-1} i32[5]={10,3,-1,0,-3}", "%9: ? = Pow(%0, %1)",
     "1024 -8 0 1 -1"},
    {"f32[3]={-2.0,-2.0,9.0} f32[3]={3.0,2.0,0.5}", "%9: ? = Pow(%0, %1)",
     "-8 4 3"},
    {"i32[3]={2,3,4} f32[3]={0.5,2.0,-1.0}", "%9: ? = Pow(%0, %1)",
     "1 9 0"},
    {"i8[3]={-8,8,127} i8[3]={1,9,-1}", "%9: ? = BitShift(%0, %1) direction=\"RIGHT\"",
     "-4 0 0"},
    {"u8[3]={255,255,1} u8[3]={1,8,7}", "%9: ? = BitShift(%0, %1) direction=\"LEFT\"",
     "254 0 128"},
    {"i32[4]={-3,0,1,3}", "%9: ? = Shrink(%0) lambd=1.5 bias=0.5",
     "-2 0 0 2"},
    {"i64[3]={9007199254740993,-1,0} i64[3]={9007199254740992,0,0}", "%9: ? = Greater(%0, %1)",
     "1 0 0"},
    {"f32[0,2]={} i64[1]={0}", "%9: ? = ReduceSum(%0, %1) keepdims=0",
     "0 0"},
    {"f32[0,2]={} i64[1]={0}", "%9: ? = ReduceProd(%0, %1) keepdims=0",
     "1 1"},
    {"i32[0]={}", "%9: ? = ReduceMax(%0) keepdims=0",
     "-2147483648"},
    {"i32[0]={}", "%9: ? = ReduceMin(%0) keepdims=0",
     "2147483647"},
    {"bool[0]={}", "%9: ? = ReduceMax(%0) keepdims=0",
     "0"},
    {"bool[0]={}", "%9: ? = ReduceMin(%0) keepdims=0",
     "1"},
    {"bool[3]={false,true,false}", "%9: ? = ReduceMin(%0) keepdims=0",
     "0"},
    {"f32[0]={}", "%9: ? = ReduceMean(%0) keepdims=0",
     "nan"},
    {"i32[3]={-1,-2,-5}", "%9: ? = ReduceMean(%0) keepdims=0",
     "-2"},
    {"f32[3]={1000.0,1000.0,999.0}", "%9: ? = ReduceLogSumExp(%0) keepdims=0",
     "1000.86"},
    {"f32[2]={-inff32,-inff32}", "%9: ? = ReduceLogSumExp(%0) keepdims=0",
     "-inf"},
    {"f32[2]={-inff32,inff32}", "%9: ? = ReduceLogSumExp(%0) keepdims=0",
     "inf"},
    {"i32[2]={3,-5}", "%9: ? = ReduceL2(%0) keepdims=0",
     "5"},
    {"f32[]={3.0}", "%9: ? = ReduceSum(%0)",
     "3"},
    {"f32[]={3.0}", "%9: ? = ReduceSumSquare(%0) keepdims=0",
     "9"},
    {"f32[4]={2.0,5.0,5.0,1.0}", "%9: ? = ArgMax(%0) axis=0",
     "1"},
    {"f32[4]={2.0,5.0,5.0,1.0}", "%9: ? = ArgMax(%0) axis=0 select_last_index=1",
     "2"},
    {"f32[2]={nanf32,nanf32}", "%9: ? = ArgMax(%0) axis=0",
     "1"},
    {"i8[3]={-128,-128,-127}", "%9: ? = ArgMin(%0) axis=0 select_last_index=1",
     "1"},
    {"f32[3]={1.0,2.0,3.0} i64[]={0}", "%9: ? = CumSum(%0, %1) exclusive=1 reverse=1",
     "5 3 0"},
    {"i32[0]={} i64[]={0}", "%9: ? = CumSum(%0, %1)",
     ""},
    {"i32[3]={2,3,4} i64[]={0}", "%9: ? = CumProd(%0, %1) exclusive=1",
     "1 2 6"},
    {"f32[3]={1000.0,-1000.0,1000.0}", "%9: ? = Softmax(%0)",
     "0.5 0 0.5"},
    {"f32[3]={1000.0,-1000.0,1000.0}", "%9: ? = LogSoftmax(%0)",
     "-0.693147 -2000.69 -0.693147"},
    {"f32[4]={1.0,3.0,3.0,2.0}", "%9: ? = Hardmax(%0)",
     "0 1 0 0"},
    {"f32[4]={10000.0,10001.0,10002.0,10003.0} f32[4]={1.0,1.0,1.0,1.0}", "%9: ? = LayerNormalization(%0, %1)",
     "-1.34164 -0.447212 0.447212 1.34164"},
    {"f32[2,2]={0.0,3.0,0.0,-4.0}", "%9: ? = LpNormalization(%0) axis=0",
     "0 0.6 0 -0.8"},
    {"f32[2]={0.0,0.0}", "%9: ? = LpNormalization(%0) p=1",
     "0 0"},
    {"f32[2,0]={} f32[0,2]={}", "%9: ? = MatMul(%0, %1)",
     "0 0 0 0"},
    {"i32[2]={2147483647,1} i32[2]={2,3}", "%9: ? = MatMul(%0, %1)",
     "1"},
    {"u8[1,2]={0,255} i8[2,1]={-128,127} u8[]={1} i8[]={-1}", "%9: ? = MatMulInteger(%0, %1, %2, %3)",
     "32639"},
    {"i8[1,1,3]={-128,-5,-7}", "%9: ? = MaxPool(%0) kernel_shape=[2] pads=[1,1]",
     "-128 -5 -5 -7"},
    {"f32[1,1,3]={1.0,2.0,3.0}", "%9: ? = AveragePool(%0) kernel_shape=[2] pads=[1,1]",
     "1 1.5 2.5 3"},
    {"f32[1,1,3]={1.0,2.0,3.0}", "%9: ? = AveragePool(%0) kernel_shape=[2] pads=[1,1] count_include_pad=1",
     "0.5 1.5 2.5 1.5"},
    {"f32[1,1,4]={1.0,2.0,3.0,4.0}", "%9: ? = AveragePool(%0) kernel_shape=[3] strides=[2] ceil_mode=1 count_include_pad=1",
     "2 3.5"},
    {"f32[1,1,3]={1.0,2.0,3.0} f32[1,1,2]={10.0,1.0}", "%9: ? = ConvTranspose(%0, %1) strides=[3]",
     "10 1 0 20 2 0 30 3"},
    {"f32[1,1,2]={1.0,2.0} f32[1,1,2]={10.0,1.0}", "%9: ? = ConvTranspose(%0, %1) strides=[2] dilations=[3]",
     "10 0 20 1 0 2"},
    {"f32[1,2,2]={1.0,2.0,3.0,4.0} f32[4,1,1]={1.0,10.0,100.0,1000.0}", "%9: ? = Conv(%0, %1) group=2",
     "1 2 10 20 300 400 3000 4000"},
    {"u8[1,1,2]={3,5} u8[1,1,2]={1,2} u8[]={3}", "%9: ? = ConvInteger(%0, %1, %2) pads=[1,0]",
     "0 4"},
    {"f32[1,1,2,2]={1.0,4.0,3.0,4.0}", "_, %9: ? = MaxPool(%0) kernel_shape=[2,2] storage_order=1",
     "2"},
    {"f32[2,3]={1.0,2.0,3.0,4.0,5.0,6.0}", "%9: ? = Einsum(%0) equation=\"ij->\"",
     "21"},
};
// clang-format on

START_TEST(evaluates) {
    struct str got = {0};
    evaluate(&evaluations[_i], &got);
    ck_assert_str_eq(str_cstr(&got), evaluations[_i].expect);
    str_free(&got);
}
END_TEST

int main(void) {
    Suite *s = suite_create("rows");
    TCase *t = tcase_create("edges");
    tcase_add_loop_test(t, evaluates, 0, (int)(sizeof evaluations / sizeof *evaluations));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
