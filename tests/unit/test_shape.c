/* Shape rules: what nodes over given operands come out as, and what is said of those that are
 * wrong. */
#include "codegen/codegen.h"
#include "ir/op.h"
#include "passes/passes.h"
#include "tests/unit/node_text.h"

#include <check.h>
#include <stdlib.h>

struct shaping {
    const char *inputs; // as node_text has them
    const char *node;   // "%9: ? = Relu(%0)"; %9 is the output
    const char *expect; // the type of %9, or the message after "error: "
};

/* The type of the output, or the first message without its place. */
static void shape_of(const struct shaping *c, struct str *out) {
    struct arena arena = {0};
    struct intern names = {.arena = &arena};
    struct str text = {0}, messages = {0};
    struct diag diag = {.sink = &messages};
    struct compile compile = {.diag = &diag, .names = &names, .target = target_find("scalar")};
    node_text(&text, c->inputs, c->node);
    struct graph *g = graph_read("t.graph", text.data, text.len, &names, NULL, &diag);
    if (g && pass_infer(&compile, g)) {
        shape_print(out, g->outputs.data[0]->dtype, &g->outputs.data[0]->shape);
    } else {
        const char *message = strstr(str_cstr(&messages), "error: ");
        message = message ? message + strlen("error: ") : "";
        str_add_len(out, message, strcspn(message, "\n"));
    }
    ck_assert_int_le(diag.errors, 1);
    if (g)
        graph_free(g);
    str_free(&text);
    str_free(&messages);
    intern_free(&names);
    arena_free(&arena);
}

// clang-format off
static const struct shaping shapings[] = {
    {"f32[2,1,3] f32[4,1]", "%9: ? = Add(%0, %1)",
     "f32[2,4,3]"},
    {"f32[0,3] f32[1]", "%9: ? = Add(%0, %1)",
     "f32[0,3]"},
    {"f32[]", "%9: ? = Relu(%0)",
     "f32[]"},
    {"f32[2,3] f32[2,4]", "%9: ? = Add(%0, %1)",
     "Add: input 'B' has shape [2,4], which does not broadcast with [2,3]"},
    {"f32[2,3] i64[2]={2,4}", "%9: ? = Expand(%0, %1)",
     "Expand: shape [2,4] does not broadcast with [2,3]"},
    {"f32[2,3] i32[3]", "%9: ? = Add(%0, %1)",
     "Add: input 'B' has type i32, expected f32 as input 'A' has"},
    {"bool[2]", "%9: ? = Relu(%0)",
     "Relu: input 'X' has type bool, expected f32, f64, i8, i16, i32, i64"},
    {"f32[2,3] f32[4]", "%9: ? = PRelu(%0, %1)",
     "PRelu: input 'slope' has shape [4], expected one that broadcasts to [2,3]"},
    {"f32[3] f32[2,3]", "%9: ? = PRelu(%0, %1)",
     "PRelu: input 'slope' has shape [2,3], expected one that broadcasts to [3]"},
    {"f32[3] f32[2]", "%9: ? = Clip(%0, %1)",
     "Clip: input 'min' has shape [2], expected a scalar"},
    {"f32[3]", "%9: ? = Cast(%0) to=10",
     "Cast: type float16 is not supported (see nncc --ops)"},
    {"f32[3]", "%9: ? = Cast(%0) to=9",
     "bool[3]"},
    {"f32[3] i8[2,2]", "%9: ? = CastLike(%0, %1)",
     "i8[3]"},
    {"u8[3] u8[3]", "%9: ? = BitShift(%0, %1) direction=\"UP\"",
     "BitShift: attribute 'direction' is 'UP', expected LEFT or RIGHT"},
    {"f32[3]", "%9: ? = Gelu(%0) approximate=\"sigmoid\"",
     "Gelu: attribute 'approximate' is 'sigmoid', expected none or tanh"},
    {"f32[3] f32[] bool[]", "%9: ? = Dropout(%0, %1, %2)",
     "Dropout: input 'training_mode' is not constant: only inference is supported"},
    {"f32[3] f32[]={0.5} bool[]={true}", "%9: ? = Dropout(%0, %1, %2)",
     "Dropout: training_mode=1 is not supported, only inference is"},
    {"f32[3] f32[]={0} bool[]={true}", "%9: ? = Dropout(%0, %1, %2)",
     "f32[3]"},
    {"f32[2,3,4] i64[2]={0,-1}", "%9: ? = ReduceSum(%0, %1)",
     "f32[1,3,1]"},
    {"f32[2,3,4] i64[2]={0,-1}", "%9: ? = ReduceSum(%0, %1) keepdims=0",
     "f32[3]"},
    {"f32[2,3,4] i64[0]={}", "%9: ? = ReduceSum(%0, %1) keepdims=0",
     "f32[]"},
    {"f32[2,3,4] i64[0]={}", "%9: ? = ReduceSum(%0, %1) noop_with_empty_axes=1",
     "f32[2,3,4]"},
    {"f32[2,3,4] i64[1]={3}", "%9: ? = ReduceSum(%0, %1)",
     "ReduceSum: axis 3 is outside of rank 3, expected -3 to 2"},
    {"f32[2,3,4] i64[2]={1,-2}", "%9: ? = ReduceSum(%0, %1)",
     "ReduceSum: axis -2 is named twice"},
    {"f32[2,3,4] i64[1]", "%9: ? = ReduceSum(%0, %1)",
     "ReduceSum: input 'axes' is not constant and the shape of the result is not declared"},
    {"f32[2,3,4] i64[1]", "%9: ? declared [2,3,5] = ReduceSum(%0, %1)",
     "ReduceSum: no axes reduce [2,3,4] to the declared shape [2,3,5]"},
    {"f32[2,3,4] i64[1,1]={1}", "%9: ? = ReduceSum(%0, %1)",
     "ReduceSum: input 'axes' has rank 2, expected 1"},
    {"f32[2,3,4]", "%9: ? declared [1,1,2] = ReduceSum(%0)",
     "ReduceSum: result 'reduced' has shape [1,1,1], but the model declares [1,1,2]"},
    {"f32[2,3]", "%9: ? = ArgMax(%0) axis=2",
     "ArgMax: axis 2 is outside of rank 2, expected -2 to 1"},
    {"f32[2,0]", "%9: ? = ArgMax(%0) axis=1",
     "ArgMax: dimension 1 of input 'data' is empty: no element has a position"},
    {"f32[0,2]", "%9: ? = ArgMax(%0) axis=1 keepdims=0",
     "i64[0]"},
    {"f32[2,3] i64[2]", "%9: ? = CumSum(%0, %1)",
     "CumSum: input 'axis' has shape [2], expected a scalar"},
    {"f32[2,3] i64[]={2}", "%9: ? = CumSum(%0, %1)",
     "CumSum: axis 2 is outside of rank 2, expected -2 to 1"},
    {"f32[2,3]", "%9: ? = Softmax(%0) axis=2",
     "Softmax: axis 2 is outside of rank 2, expected -2 to 1"},
    {"f32[2,3] f32[2]", "%9: ? = LayerNormalization(%0, %1)",
     "LayerNormalization: input 'Scale' has shape [2], expected one that broadcasts to [2,3]"},
    {"f64[2,3] f64[3]", "_, %9: ? = LayerNormalization(%0, %1)",
     "f32[2,1]"},
    {"f32[2,3] f32[3]", "%9: ? = LayerNormalization(%0, %1) stash_type=10",
     "LayerNormalization: stash_type 10 is not supported, only 1 (f32)"},
    {"f32[2,6,4] f32[6] f32[6]", "%9: ? = GroupNormalization(%0, %1, %2) num_groups=4",
     "GroupNormalization: input 'X' has 6 channels, which num_groups=4 does not divide"},
    {"f32[2,6,4] f32[5] f32[6]", "%9: ? = InstanceNormalization(%0, %1, %2)",
     "InstanceNormalization: input 'scale' has shape [5], expected [6]"},
    {"f32[2,3] f32[3] f32[3] f32[3] f32[2]", "%9: ? = BatchNormalization(%0, %1, %2, %3, %4)",
     "BatchNormalization: input 'input_var' has shape [2], expected [3]"},
    {"f32[2,3] f32[3] f32[3] f32[3] f32[3]", "_, %9: ? = BatchNormalization(%0, %1, %2, %3, %4)",
     "BatchNormalization: result 'running_mean' exists only with training_mode=1"},
    {"f32[2,3] f32[3] f32[3] f32[3] f32[3]", "_, %9: ? = BatchNormalization(%0, %1, %2, %3, %4) training_mode=1",
     "f32[3]"},
    {"f32[1,3,4]", "%9: ? = LRN(%0) size=0",
     "LRN: attribute 'size' is 0, expected at least 1"},
    {"f32[1,3]", "%9: ? = LpNormalization(%0) p=3",
     "LpNormalization: attribute 'p' is 3, expected 1 or 2"},
    {"f32[2,3]", "%9: ? = MeanVarianceNormalization(%0)",
     "MeanVarianceNormalization: axis 2 is outside of rank 2, expected -2 to 1"},
    {"f32[2,3] f32[4,2]", "%9: ? = MatMul(%0, %1)",
     "MatMul: input 'B' has shape [4,2], expected 3 in dimension 0 (input 'A' has shape [2,3])"},
    {"f32[2,3] f32[3,4]", "%9: ? = MatMul(%0, %1)",
     "f32[2,4]"},
    {"f32[5,2,3] f32[4,3,2]", "%9: ? = MatMul(%0, %1)",
     "MatMul: input 'B' has shape [4,3,2], which before its last two dimensions does not broadcast with [5,2,3]"},
    {"f32[3] f32[6,3,2]", "%9: ? = MatMul(%0, %1)",
     "f32[6,2]"},
    {"f32[6,2,3] f32[3]", "%9: ? = MatMul(%0, %1)",
     "f32[6,2]"},
    {"f32[] f32[3]", "%9: ? = MatMul(%0, %1)",
     "MatMul: input 'A' is a scalar, expected a vector or matrix"},
    {"f32[0,3] f32[3,0]", "%9: ? = MatMul(%0, %1)",
     "f32[0,0]"},
    {"f32[3,2] f32[4,3]", "%9: ? = Gemm(%0, %1) transA=1 transB=1",
     "f32[2,4]"},
    {"f32[3,2] f32[4,3]", "%9: ? = Gemm(%0, %1)",
     "Gemm: input 'B' has shape [4,3], expected 2 in dimension 0 (input 'A' has shape [3,2])"},
    {"f32[2,3,1] f32[4,3]", "%9: ? = Gemm(%0, %1)",
     "Gemm: input 'A' has rank 3, expected 2"},
    {"f32[2,3] f32[3,4] f32[3]", "%9: ? = Gemm(%0, %1, %2)",
     "Gemm: input 'C' has shape [3], expected one that broadcasts to [2,4]"},
    {"i32[2,3] i32[3,4]", "%9: ? = Gemm(%0, %1) alpha=0.5",
     "Gemm: attributes 'alpha' and 'beta' must be whole numbers for integers"},
    {"u8[2,3] u8[3,4] u8[3]", "%9: ? = MatMulInteger(%0, %1, %2)",
     "MatMulInteger: input 'a_zero_point' has shape [3], expected [2]"},
    {"u8[2,3] i8[3,4] u8[2] i8[1,4]", "%9: ? = MatMulInteger(%0, %1, %2, %3)",
     "i32[2,4]"},
    {"f32[2,3] f32[3,4]", "%9: ? = Einsum(%0, %1) equation=\"ij, jk -> ki\"",
     "f32[4,2]"},
    {"f32[2,3] f32[3,4]", "%9: ? = Einsum(%0, %1) equation=\"ij,jk\"",
     "f32[2,4]"},
    {"f32[2,3] f32[2,4]", "%9: ? = Einsum(%0, %1) equation=\"ij,jk\"",
     "Einsum: a letter of 'ij,jk' stands for dimensions of different extents"},
    {"f32[2,3]", "%9: ? = Einsum(%0) equation=\"ij,jk\"",
     "Einsum: the equation has more terms than there are inputs: 'ij,jk'"},
    {"f32[2,3]", "%9: ? = Einsum(%0) equation=\"ijk->i\"",
     "Einsum: a term of the equation does not fit the rank of its input: 'ijk->i'"},
    {"f32[2,3]", "%9: ? = Einsum(%0) equation=\"ij->ik\"",
     "Einsum: the result of 'ij->ik' must name letters of the inputs, each once"},
    {"f32[2,3]", "%9: ? = Einsum(%0) equation=\"ij->i>\"",
     "Einsum: the right side of the equation is malformed: 'ij->i>'"},
    {"f32[5,2,3]", "%9: ? = Einsum(%0) equation=\"...ij->...ji\"",
     "f32[5,3,2]"},
    {"f32[1,3,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1)",
     "f32[1,8,3,3]"},
    {"f32[1,3,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1) auto_pad=\"SAME_LOWER\" strides=[2,2]",
     "f32[1,8,3,3]"},
    {"f32[1,3,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1) auto_pad=\"VALID\" dilations=[2,2]",
     "f32[1,8,1,1]"},
    {"f32[1,3,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1) auto_pad=\"SAME\"",
     "Conv: attribute 'auto_pad' is 'SAME', expected NOTSET, SAME_UPPER, SAME_LOWER or VALID"},
    {"f32[1,3,5,5] f32[8,3,3]", "%9: ? = Conv(%0, %1)",
     "Conv: input 'W' has rank 3, expected 4"},
    {"f32[3,5] f32[8,3]", "%9: ? = Conv(%0, %1)",
     "Conv: input 'X' has rank 2, expected at least 3"},
    {"f32[1,4,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1)",
     "Conv: input 'W' has shape [8,3,3,3], expected 4 in dimension 1 (4 channels in 1 groups)"},
    {"f32[1,4,5] f32[8,2,3]", "%9: ? = Conv(%0, %1) group=3",
     "Conv: input 'X' has 4 channels, which group=3 does not divide"},
    {"f32[1,4,5] f32[7,2,3]", "%9: ? = Conv(%0, %1) group=2",
     "Conv: input 'W' has 7 output channels, which group=2 does not divide"},
    {"f32[1,4,5] f32[7,2,3]", "%9: ? = Conv(%0, %1) group=0",
     "Conv: attribute 'group' is 0, expected at least 1"},
    {"f32[1,3,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1) kernel_shape=[3,2]",
     "Conv: attribute 'kernel_shape' is [3,2], but input 'W' has shape [8,3,3,3]"},
    {"f32[1,3,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1) strides=[0,1]",
     "Conv: attribute 'strides' has the value 0, expected at least 1"},
    {"f32[1,3,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1) strides=[1]",
     "Conv: attribute 'strides' has length 1, expected 2"},
    {"f32[1,3,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1) pads=[1,1]",
     "Conv: attribute 'pads' has length 2, expected 4"},
    {"f32[1,3,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1) pads=[-1,0,0,0]",
     "Conv: attribute 'pads' has the value -1, expected at least 0"},
    {"f32[1,3,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1) pads=[1,1,1,1] auto_pad=\"SAME_UPPER\"",
     "f32[1,8,5,5]"},
    {"f32[1,3,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1) pads=[1,0,0,0] auto_pad=\"SAME_UPPER\"",
     "Conv: attribute 'pads' contradicts auto_pad=SAME_UPPER"},
    {"f32[1,3,2,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1)",
     "Conv: the window spans 3 in spatial dimension 0, but the padded input has 2"},
    {"f32[1,3,5,5] f32[8,3,0,3]", "%9: ? = Conv(%0, %1)",
     "Conv: the kernel has extent 0 in spatial dimension 0, expected at least 1"},
    {"f32[1,3,5,5] f32[8,3,3,3] f32[3]", "%9: ? = Conv(%0, %1, %2)",
     "Conv: input 'B' has shape [3], expected [8]"},
    {"f32[0,3,5,5] f32[8,3,3,3]", "%9: ? = Conv(%0, %1)",
     "f32[0,8,3,3]"},
    {"f32[1,2,4] f32[2,3,3]", "%9: ? = ConvTranspose(%0, %1) strides=[2] output_padding=[1]",
     "f32[1,3,10]"},
    {"f32[1,2,4] f32[2,3,3]", "%9: ? = ConvTranspose(%0, %1) strides=[2] output_padding=[2]",
     "ConvTranspose: attribute 'output_padding' has the value 2, expected less than the stride 2"},
    {"f32[1,2,4] f32[2,3,3]", "%9: ? = ConvTranspose(%0, %1) strides=[2] output_shape=[8]",
     "f32[1,3,8]"},
    {"f32[1,2,4] f32[2,3,3]", "%9: ? = ConvTranspose(%0, %1) strides=[2] auto_pad=\"SAME_UPPER\"",
     "f32[1,3,8]"},
    {"f32[1,2,4] f32[3,3,3]", "%9: ? = ConvTranspose(%0, %1)",
     "ConvTranspose: input 'W' has shape [3,3,3], expected 2 in dimension 0"},
    {"f32[1,2,4] f32[2,3,3]", "%9: ? = ConvTranspose(%0, %1) pads=[4,4]",
     "ConvTranspose: the pads leave -2 places in spatial dimension 0"},
    {"f32[1,2,4] f32[2,3,3]", "%9: ? = ConvTranspose(%0, %1) group=2",
     "f32[1,6,6]"},
    {"u8[1,1,4] u8[1,1,3] u8[2]", "%9: ? = ConvInteger(%0, %1, %2)",
     "ConvInteger: input 'x_zero_point' has shape [2], expected a scalar"},
    {"f32[1,2,5,5]", "%9: ? = MaxPool(%0) kernel_shape=[2,2] strides=[2,2]",
     "f32[1,2,2,2]"},
    {"f32[1,2,5,5]", "%9: ? = MaxPool(%0) kernel_shape=[2,2] strides=[2,2] ceil_mode=1",
     "f32[1,2,3,3]"},
    {"f32[1,1,5]", "%9: ? = MaxPool(%0) kernel_shape=[7] strides=[3] ceil_mode=1",
     "f32[1,1,1]"},
    {"f32[1,1,5]", "%9: ? = MaxPool(%0) kernel_shape=[7] strides=[2] ceil_mode=1",
     "MaxPool: the window spans 7 in spatial dimension 0, but the padded input has 5"},
    {"f32[1,2,5,5]", "_, %9: ? = MaxPool(%0) kernel_shape=[2,2]",
     "i64[1,2,4,4]"},
    {"f32[1,2,5,5]", "%9: ? = MaxPool(%0) kernel_shape=[2]",
     "MaxPool: attribute 'kernel_shape' has length 1, expected 2"},
    {"f32[1,2]", "%9: ? = MaxPool(%0) kernel_shape=[]",
     "MaxPool: input 'X' has rank 2, expected at least 3"},
    {"f32[1,2,5]", "%9: ? = MaxPool(%0) kernel_shape=[0]",
     "MaxPool: the kernel has extent 0 in spatial dimension 0, expected at least 1"},
    {"f32[1,2,5]", "%9: ? = LpPool(%0) kernel_shape=[2] p=0",
     "LpPool: attribute 'p' is 0, expected at least 1"},
    {"f32[1,2,5]", "%9: ? = GlobalMaxPool(%0)",
     "f32[1,2,1]"},
    {"f32[1,2]", "%9: ? = GlobalMaxPool(%0)",
     "GlobalMaxPool: input 'X' has rank 2, expected at least 3"},
    {"f32[1,1,5] f32[1,1,1]", "%9: ? = Conv(%0, %1) strides=[2147483648]",
     "Conv: attribute 'strides' has the value 2147483648, expected at most 2147483647"},
};
// clang-format on

START_TEST(shapes) {
    struct str got = {0};
    shape_of(&shapings[_i], &got);
    ck_assert_str_eq(str_cstr(&got), shapings[_i].expect);
    str_free(&got);
}
END_TEST

int main(void) {
    Suite *s = suite_create("shape");
    TCase *t = tcase_create("shapes");
    tcase_add_loop_test(t, shapes, 0, (int)(sizeof shapings / sizeof *shapings));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
