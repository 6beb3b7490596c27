/* Lowering by ir/build.h: what nodes become, as text. Each case is a node over inputs %0, %1 …
 * and the statements it is lowered to. */
#include "codegen/codegen.h"
#include "ir/op.h"
#include "passes/passes.h"
#include "tests/unit/node_text.h"

#include <check.h>
#include <stdlib.h>

struct lowering {
    const char *inputs; // as node_text has them
    const char *node;   // "%9: ? = Relu(%0)"; %9 is the output
    const char *loops;  // all lines after those of the interface
};

/* The text without its first line and those of inputs and outputs. */
static void add_statements(struct str *s, const char *text) {
    for (const char *end; *text; text = end) {
        end = text + strcspn(text, "\n") + 1;
        if (strncmp(text, "loops ", 6) != 0 && strncmp(text, "input ", 6) != 0 &&
            strncmp(text, "output ", 7) != 0)
            str_add_len(s, text, (size_t)(end - text));
    }
}

static void lower_to(const struct lowering *c, struct str *out) {
    struct arena arena = {0};
    struct intern names = {.arena = &arena};
    struct diag diag = {.sink = out};
    struct compile compile = {.diag = &diag, .names = &names, .target = target_find("scalar")};
    struct str text = {0}, printed = {0};
    node_text(&text, c->inputs, c->node);
    struct graph *g = graph_read("t.graph", text.data, text.len, &names, NULL, &diag);
    struct loops *l = NULL;
    if (g && pass_infer(&compile, g) && pass_expand(&compile, g) && pass_clean(&compile, g))
        l = loops_from_graph(&compile, g);
    if (l) {
        ck_assert(loops_check(l, &diag));
        loops_print(&printed, l, NULL);
        add_statements(out, str_cstr(&printed));
        loops_free(l);
    }
    if (g)
        graph_free(g);
    str_free(&text);
    str_free(&printed);
    intern_free(&names);
    arena_free(&arena);
}

// clang-format off
static const struct lowering lowerings[] = {
    {"f32[2,3]", "%9: ? = Relu(%0)",
     "S0[i0,i1: 2,3]: a1[i0,i1] = max(0.0, a0[i0,i1])\n"},
    {"f32[2,3] f32[3]", "%9: ? = Add(%0, %1)",
     "S0[i0,i1: 2,3]: a2[i0,i1] = a0[i0,i1] + a1[i1]\n"},
    {"f32[2,1] f32[1,3]", "%9: ? = Mul(%0, %1)",
     "S0[i0,i1: 2,3]: a2[i0,i1] = a0[i0,0] * a1[0,i1]\n"},
    {"f32[2] f32[]={0.5}", "%9: ? = Add(%0, %1)",
     "const a2: f32[] = {0.5}\n"
     "S0[i0: 2]: a1[i0] = a0[i0] + 0.5\n"},
    {"f32[] f32[1] f32[]", "%9: ? = Clip(%0, %1, %2)",
     "S0[]: a3[] = min(a2[], max(a1[0], a0[]))\n"},
    {"i32[4] i32[4] i32[1]", "%9: ? = Max(%0, %1, %2)",
     "S0[i0: 4]: a3[i0] = max(max(a0[i0], a1[i0]), a2[0])\n"},
    {"f32[4] f32[4]", "%9: ? = Mean(%0, %1)",
     "S0[i0: 4]: a2[i0] = (a0[i0] + a1[i0]) / 2.0\n"},
    {"f32[4]", "%9: ? = Elu(%0) alpha=2.0",
     "S0[i0: 4]: a1[i0] = a0[i0] < 0.0 ? 2.0 * expm1(a0[i0]) : a0[i0]\n"},
    {"i64[4]", "%9: ? = Cast(%0) to=1",
     "S0[i0: 4]: a1[i0] = f32(a0[i0])\n"},
    {"f32[2] f32[]={2}", "%9: ? = Pow(%0, %1)",
     "const a2: f32[] = {2}\n"
     "S0[i0: 2]: a1[i0] = a0[i0] * a0[i0]\n"},
    {"i32[2] f32[2]", "%9: ? = Pow(%0, %1)",
     "S0[i0: 2]: a2[i0] = i32(pow(f64(a0[i0]), f64(a1[i0])))\n"},
    {"i8[2] i8[2]", "%9: ? = Mod(%0, %1) fmod=1",
     "S0[i0: 2]: a2[i0] = a0[i0] % a1[i0]\n"},
    {"f64[2]", "%9: ? = Gelu(%0) approximate=\"tanh\"",
     "S0[i0: 2]: a1[i0] = 0.5f64 * a0[i0] * (1.0f64 + tanh(0.7978845608028654f64 * (a0[i0] + 0.044715f64 * a0[i0] * a0[i0] * a0[i0])))\n"},
    {"bool[2,3]", "%9: ? = ReduceMax(%0) keepdims=0",
     "S0[]: a1[] = bool(reduce(max, [r0,r1: 2,3], u8(a0[r0,r1])))\n"},
    {"f32[2,3,4] i64[2]={-1,0}", "%9: ? = ReduceMean(%0, %1) keepdims=0",
     "const a2: i64[2] = {-1, 0}\n"
     "S0[i0: 3]: a1[i0] = reduce(add, [r0,r1: 2,4], a0[r0,i0,r1]) / 8.0\n"},
    {"f32[2,3,4] i64[1]={1}", "%9: ? = ReduceL2(%0, %1)",
     "const a2: i64[1] = {1}\n"
     "S0[i0,i1,i2: 2,1,4]: a1[i0,i1,i2] = sqrt(reduce(add, [r0: 3], a0[i0,r0,i2] * a0[i0,r0,i2]))\n"},
    {"f32[2,3]", "%9: ? = ReduceSumSquare(%0) noop_with_empty_axes=1",
     "S0[i0,i1: 2,3]: a1[i0,i1] = a0[i0,i1] * a0[i0,i1]\n"},
    {"f32[2,3] i64[1]={1}", "%9: ? = ReduceLogSumExp(%0, %1) keepdims=0",
     "const a2: i64[1] = {1}\n"
     "temp a3: f32[2]\n"
     "S0[i0: 2]: a3[i0] = reduce(max, [r0: 3], a0[i0,r0])\n"
     "S1[i0: 2]: a1[i0] = log(reduce(add, [r0: 3], exp(a0[i0,r0] - (isinf(a3[i0]) ? 0.0 : a3[i0])))) + (isinf(a3[i0]) ? 0.0 : a3[i0])\n"},
    {"f32[3,2,2] i64[1]", "%9: ? declared [3,2] = ReduceSum(%0, %1) keepdims=0",
     "if (a1[0] < 0i64 ? a1[0] + 3i64 : a1[0]) == 1i64 {\n"
     "    S0[i0,i1: 3,2]: a2[i0,i1] = reduce(add, [r0: 2], a0[i0,r0,i1])\n"
     "} else {\n"
     "    if (a1[0] < 0i64 ? a1[0] + 3i64 : a1[0]) == 2i64 {\n"
     "        S1[i0,i1: 3,2]: a2[i0,i1] = reduce(add, [r0: 2], a0[i0,i1,r0])\n"
     "    } else {\n"
     "        require[]: false\n"
     "    }\n"
     "}\n"},
    {"f32[3,2,4] i64[1]", "%9: ? declared [3,1,4] = ReduceSum(%0, %1)",
     "const a3: bool[3] = {false, true, false}\n"
     "const a4: i64[1] = {1}\n"
     "require[]: (a1[0] < 0i64 ? a1[0] + 3i64 : a1[0]) == 1i64\n"
     "S0[i0,i1,i2: 3,1,4]: a2[i0,i1,i2] = reduce(add, [r0: 2], a0[i0,r0,i2])\n"},
    {"f32[2,3]", "%9: ? = ArgMax(%0) axis=1 keepdims=0",
     "temp a2: f32[2,1]\n"
     "S0[i0,i1: 2,1]: a2[i0,i1] = reduce(max, [r0: 3], a0[i0,r0])\n"
     "S1[i0: 2]: a1[i0] = reduce(min, [r0: 3], a0[i0,r0] == a2[i0,0] ? i64(r0) : 2i64)\n"},
    {"f32[2,3] i64[]={-1}", "%9: ? = CumSum(%0, %1) reverse=1 exclusive=1",
     "const a2: i64[] = {-1}\n"
     "seq t0: 3 {\n"
     "    S0[i0: 2]: a1[i0,2 - t0] = (a1[i0,3 - t0] if 0 <= 3 - t0 < 3 else 0.0) + (a0[i0,3 - t0] if 0 <= 3 - t0 < 3 else 0.0)\n"
     "}\n"},
    {"f32[2,3] i64[]", "%9: ? = CumSum(%0, %1)",
     "view a3: i64[1] of a1\n"
     "if (a3[0] < 0i64 ? a3[0] + 2i64 : a3[0]) == 0i64 {\n"
     "    seq t1: 2 {\n"
     "        S0[i0: 3]: a2[t1,i0] = (a2[t1 - 1,i0] if 0 <= t1 - 1 < 2 else 0.0) + a0[t1,i0]\n"
     "    }\n"
     "} else {\n"
     "    if (a3[0] < 0i64 ? a3[0] + 2i64 : a3[0]) == 1i64 {\n"
     "        seq t2: 3 {\n"
     "            S1[i0: 2]: a2[i0,t2] = (a2[i0,t2 - 1] if 0 <= t2 - 1 < 3 else 0.0) + a0[i0,t2]\n"
     "        }\n"
     "    } else {\n"
     "        require[]: false\n"
     "    }\n"
     "}\n"},
    {"f32[2,3]", "%9: ? = Softmax(%0) axis=1",
     "const a2: i64[1] = {1}\n"
     "temp a3: f32[2,1]\n"
     "temp a4: f32[2,3]\n"
     "temp a5: f32[2,3]\n"
     "temp a6: f32[2,1]\n"
     "S0[i0,i1: 2,1]: a3[i0,i1] = reduce(max, [r0: 3], a0[i0,r0])\n"
     "S1[i0,i1: 2,3]: a4[i0,i1] = a0[i0,i1] - a3[i0,0]\n"
     "S2[i0,i1: 2,3]: a5[i0,i1] = exp(a4[i0,i1])\n"
     "S3[i0,i1: 2,1]: a6[i0,i1] = reduce(add, [r0: 3], a5[i0,r0])\n"
     "S4[i0,i1: 2,3]: a1[i0,i1] = a5[i0,i1] / a6[i0,0]\n"},
    {"f32[2,3] f32[3] f32[3]", "%9: ? = LayerNormalization(%0, %1, %2) epsilon=0.5",
     "temp a4: f32[2,1]\n"
     "temp a5: f32[2,1]\n"
     "S0[i0,i1: 2,1]: a4[i0,i1] = reduce(add, [r0: 3], a0[i0,r0]) / 3.0\n"
     "S1[i0,i1: 2,1]: a5[i0,i1] = 1.0 / sqrt(reduce(add, [r0: 3], (a0[i0,r0] - a4[i0,i1]) * (a0[i0,r0] - a4[i0,i1])) / 3.0 + 0.5)\n"
     "S2[i0,i1: 2,3]: a3[i0,i1] = (a0[i0,i1] - a4[i0,0]) * a5[i0,0] * a1[i1] + a2[i1]\n"},
    {"f32[2,4,5] f32[4] f32[4]", "%9: ? = GroupNormalization(%0, %1, %2) num_groups=2",
     "view a4: f32[2,2,2,5] of a0\n"
     "temp a5: f32[2,2]\n"
     "temp a6: f32[2,2]\n"
     "S0[i0,i1: 2,2]: a5[i0,i1] = reduce(add, [r0,r1: 2,5], a4[i0,i1,r0,r1]) / 10.0\n"
     "S1[i0,i1: 2,2]: a6[i0,i1] = 1.0 / sqrt(reduce(add, [r0,r1: 2,5], (a4[i0,i1,r0,r1] - a5[i0,i1]) * (a4[i0,i1,r0,r1] - a5[i0,i1])) / 10.0 + 1e-05)\n"
     "S2[i0,i1,i2: 2,4,5]: a3[i0,i1,i2] = (a0[i0,i1,i2] - a5[i0,i1 / 2]) * a6[i0,i1 / 2] * a1[i1] + a2[i1]\n"},
    {"f32[2,3] f32[3] f32[3] f32[3] f32[3]", "%9: ? = BatchNormalization(%0, %1, %2, %3, %4)",
     "temp a6: f32[3]\n"
     "S0[i0: 3]: a6[i0] = a1[i0] / sqrt(a4[i0] + 1e-05)\n"
     "S1[i0,i1: 2,3]: a5[i0,i1] = (a0[i0,i1] - a3[i1]) * a6[i1] + a2[i1]\n"},
    {"f32[1,4,2]", "%9: ? = LRN(%0) size=3",
     "S0[i0,i1,i2: 1,4,2]: a1[i0,i1,i2] = a0[i0,i1,i2] / pow(1.0 + 3.3333334e-05 * reduce(add, [r0: 3], (a0[i0,i1 + r0 - 1,i2] if 0 <= i1 + r0 - 1 < 4 else 0.0) * (a0[i0,i1 + r0 - 1,i2] if 0 <= i1 + r0 - 1 < 4 else 0.0)), 0.75)\n"},
    {"f32[2,3]", "%9: ? = LpNormalization(%0)",
     "temp a2: f32[2,1]\n"
     "S0[i0,i1: 2,1]: a2[i0,i1] = sqrt(reduce(add, [r0: 3], a0[i0,r0] * a0[i0,r0]))\n"
     "S1[i0,i1: 2,3]: a1[i0,i1] = a2[i0,0] == 0.0 ? 0.0 : a0[i0,i1] / a2[i0,0]\n"},
    {"f32[2,3] f32[3,4]", "%9: ? = MatMul(%0, %1)",
     "S0[i0,i1: 2,4]: a2[i0,i1] = reduce(add, [r0: 3], a0[i0,r0] * a1[r0,i1])\n"},
    {"f32[5,1,2,3] f32[4,3,2]", "%9: ? = MatMul(%0, %1)",
     "S0[i0,i1,i2,i3: 5,4,2,2]: a2[i0,i1,i2,i3] = reduce(add, [r0: 3], a0[i0,0,i2,r0] * a1[i1,r0,i3])\n"},
    {"f32[3] f32[3]", "%9: ? = MatMul(%0, %1)",
     "S0[]: a2[] = reduce(add, [r0: 3], a0[r0] * a1[r0])\n"},
    {"f32[3,2] f32[4,3] f32[4]", "%9: ? = Gemm(%0, %1, %2) transA=1 transB=1 alpha=0.5",
     "S0[i0,i1: 2,4]: a3[i0,i1] = 0.5 * reduce(add, [r0: 3], a0[r0,i0] * a1[i1,r0]) + a2[i1]\n"},
    {"u8[2,3] i8[3,4] u8[] i8[4]", "%9: ? = MatMulInteger(%0, %1, %2, %3)",
     "S0[i0,i1: 2,4]: a4[i0,i1] = reduce(add, [r0: 3], (i32(a0[i0,r0]) - i32(a2[])) * (i32(a1[r0,i1]) - i32(a3[i1])))\n"},
    {"f32[2,3] f32[3,4]", "%9: ? = Einsum(%0, %1) equation=\"ij,jk\"",
     "S0[i0,i1: 2,4]: a2[i0,i1] = reduce(add, [r0: 3], a0[i0,r0] * a1[r0,i1])\n"},
    {"f32[2,3,3]", "%9: ? = Einsum(%0) equation=\"...ii->...i\"",
     "S0[i0,i1: 2,3]: a1[i0,i1] = a0[i0,i1,i1]\n"},
    {"f32[1,3,5,5] f32[8,3,3,3] f32[8]", "%9: ? = Conv(%0, %1, %2) pads=[1,1,1,1] strides=[2,2]",
     "S0[i0,i1,i2,i3: 1,8,3,3]: a3[i0,i1,i2,i3] = reduce(add, [r0,r1,r2: 3,3,3], (a0[i0,r0,i2 * 2 + r1 - 1,i3 * 2 + r2 - 1] if 0 <= i2 * 2 + r1 - 1 < 5 && 0 <= i3 * 2 + r2 - 1 < 5 else 0.0) * a1[i1,r0,r1,r2]) + a2[i1]\n"},
    {"f32[1,4,9] f32[6,2,3]", "%9: ? = Conv(%0, %1) group=2 dilations=[2]",
     "S0[i0,i1,i2,i3: 1,2,3,5]: a2[i0,i1 * 3 + i2,i3] = reduce(add, [r0,r1: 2,3], a0[i0,i1 * 2 + r0,i3 + r1 * 2] * a1[i1 * 3 + i2,r0,r1])\n"},
    {"u8[1,1,4] u8[1,1,3] u8[]", "%9: ? = ConvInteger(%0, %1, %2) pads=[1,1]",
     "S0[i0,i1,i2: 1,1,4]: a3[i0,i1,i2] = reduce(add, [r0,r1: 1,3], (i32((a0[i0,r0,i2 + r1 - 1] if 0 <= i2 + r1 - 1 < 4 else a2[])) - i32(a2[])) * i32(a1[i1,r0,r1]))\n"},
    {"f32[1,2,4] f32[2,3,3]", "%9: ? = ConvTranspose(%0, %1) strides=[2]",
     "S0[i0,i1,i2: 1,3,5]: a2[i0,i1,i2 * 2] = reduce(add, [r0,r1: 2,2], (a0[i0,r0,i2 - r1] * a1[r0,i1,r1 * 2] if 0 <= i2 - r1 < 4 else 0.0))\n"
     "S1[i0,i1,i2: 1,3,4]: a2[i0,i1,i2 * 2 + 1] = reduce(add, [r0,r1: 2,1], a0[i0,r0,i2 - r1] * a1[r0,i1,r1 * 2 + 1])\n"},
    {"f32[1,2,4] f32[2,3,3]", "%9: ? = ConvTranspose(%0, %1) strides=[17]",
     "S0[i0,i1,i2,i3: 1,3,4,3]: a2[i0,i1,i2 * 17 + i3] = reduce(add, [r0,r1: 2,1], a0[i0,r0,i2 - r1] * a1[r0,i1,r1 * 17 + i3])\n"
     "S1[i0,i1,i2,i3: 1,3,3,14]: a2[i0,i1,i2 * 17 + i3 + 3] = 0.0\n"},
    {"f32[1,2,4] f32[2,3,8]", "%9: ? = ConvTranspose(%0, %1) strides=[4] pads=[1,1]",
     "S0[i0,i1,i2,i3: 1,3,5,2]: a2[i0,i1,i2 * 4 + i3] = reduce(add, [r0,r1: 2,2], (a0[i0,r0,i2 - r1] * a1[r0,i1,r1 * 4 + i3 + 1] if 0 <= i2 - r1 < 4 else 0.0))\n"
     "S1[i0,i1,i2: 1,3,4]: a2[i0,i1,i2 * 4 + 2] = reduce(add, [r0,r1: 2,2], (a0[i0,r0,i2 - r1] * a1[r0,i1,r1 * 4 + 3] if 0 <= i2 - r1 < 4 else 0.0))\n"
     "S2[i0,i1,i2: 1,3,4]: a2[i0,i1,i2 * 4 + 3] = reduce(add, [r0,r1: 2,2], (a0[i0,r0,i2 - r1 + 1] * a1[r0,i1,r1 * 4] if 0 <= i2 - r1 + 1 < 4 else 0.0))\n"},
    {"f32[1,2,4] f32[2,3,3]", "%9: ? = ConvTranspose(%0, %1) strides=[257]",
     "S0[i0,i1,i2: 1,3,774]: a2[i0,i1,i2] = reduce(add, [r0,r1: 2,1], (a0[i0,r0,i2 / 257 - r1] * a1[r0,i1,r1 * 257 + i2 % 257] if 0 <= r1 * 257 + i2 % 257 < 3 && 0 <= i2 / 257 - r1 < 4 else 0.0))\n"},
    {"f32[1,2,4] f32[2,3,9]", "%9: ? = ConvTranspose(%0, %1) strides=[17] dilations=[2]",
     "S0[i0,i1,i2: 1,3,68]: a2[i0,i1,i2] = reduce(add, [r0,r1: 2,9], (a0[i0,r0,(i2 - r1 * 2) / 17] * a1[r0,i1,r1] if 0 <= (i2 - r1 * 2) % 17 < 1 && 0 <= (i2 - r1 * 2) / 17 < 4 else 0.0))\n"},
    {"f32[1,2,4] f32[2,3,2] f32[3]", "%9: ? = ConvTranspose(%0, %1, %2) strides=[2]",
     "S0[i0,i1,i2,i3: 1,3,4,2]: a3[i0,i1,i2 * 2 + i3] = reduce(add, [r0,r1: 2,1], a0[i0,r0,i2 - r1] * a1[r0,i1,r1 * 2 + i3]) + a2[i1]\n"},
    {"f32[1,2,4] f32[2,3,2] f32[3]", "%9: ? = ConvTranspose(%0, %1, %2) output_shape=[7]",
     "S0[i0,i1,i2: 1,3,5]: a3[i0,i1,i2] = reduce(add, [r0,r1: 2,2], (a0[i0,r0,i2 - r1] * a1[r0,i1,r1] if 0 <= i2 - r1 < 4 else 0.0)) + a2[i1]\n"
     "S1[i0,i1,i2: 1,3,2]: a3[i0,i1,i2 + 5] = 0.0 + a2[i1]\n"},
    {"f32[1,2,4] f32[2,3,3]", "%9: ? = ConvTranspose(%0, %1) strides=[2] dilations=[2] pads=[1,1]",
     "S0[i0,i1,i2: 1,3,5]: a2[i0,i1,i2 * 2] = 0.0\n"
     "S1[i0,i1,i2: 1,3,4]: a2[i0,i1,i2 * 2 + 1] = reduce(add, [r0,r1: 2,3], (a0[i0,r0,i2 - r1 + 1] * a1[r0,i1,r1] if 0 <= i2 - r1 + 1 < 4 else 0.0))\n"},
    {"f32[1,2,5,5]", "%9: ? = MaxPool(%0) kernel_shape=[2,2] pads=[1,1,0,0] strides=[2,2]",
     "S0[i0,i1,i2,i3: 1,2,3,3]: a1[i0,i1,i2,i3] = reduce(max, [r0,r1: 2,2], (a0[i0,i1,i2 * 2 + r0 - 1,i3 * 2 + r1 - 1] if 0 <= i2 * 2 + r0 - 1 < 5 && 0 <= i3 * 2 + r1 - 1 < 5 else -inff32))\n"},
    {"i8[1,1,4]", "_, %9: ? = MaxPool(%0) kernel_shape=[2] storage_order=1",
     "temp a2: i8[1,1,3]\n"
     "temp a3: i64[1,1,3]\n"
     "S0[i0,i1,i2: 1,1,3]: a2[i0,i1,i2] = reduce(max, [r0: 2], a0[i0,i1,i2 + r0])\n"
     "S1[i0,i1,i2: 1,1,3]: a3[i0,i1,i2] = reduce(min, [r0: 2], a0[i0,i1,i2 + r0] == a2[i0,i1,i2] ? i64((i0 + i1) * 4 + (i2 + r0)) : 3i64)\n"
     "S2[i0,i1,i2: 1,1,3]: a1[i0,i1,i2] = a3[i0,i1,i2] - a3[i0,i1,i2] % 4i64 + a3[i0,i1,i2] % 4i64\n"},
    {"f32[1,1,5]", "%9: ? = AveragePool(%0) kernel_shape=[3] pads=[1,1]",
     "const a2: f32[5] = {2, 3, 3, 3, 2}\n"
     "S0[i0,i1,i2: 1,1,5]: a1[i0,i1,i2] = reduce(add, [r0: 3], (a0[i0,i1,i2 + r0 - 1] if 0 <= i2 + r0 - 1 < 5 else 0.0)) / a2[i2]\n"},
    {"f32[1,1,5]", "%9: ? = LpPool(%0) kernel_shape=[2] p=3",
     "S0[i0,i1,i2: 1,1,4]: a1[i0,i1,i2] = pow(reduce(add, [r0: 2], pow(abs(a0[i0,i1,i2 + r0]), 3.0)), 0.33333334)\n"},
    {"f32[1,2,3,3]", "%9: ? = GlobalAveragePool(%0)",
     "S0[i0,i1,i2,i3: 1,2,1,1]: a1[i0,i1,i2,i3] = reduce(add, [r0,r1: 3,3], a0[i0,i1,r0,r1]) / 9.0\n"},
    {"f32[0,3] i64[1]={0}", "%9: ? = ReduceMax(%0, %1) keepdims=0",
     "const a2: i64[1] = {0}\n"
     "S0[i0: 3]: a1[i0] = -inff32\n"},
};
// clang-format on

START_TEST(lowers) {
    struct str got = {0};
    lower_to(&lowerings[_i], &got);
    ck_assert_str_eq(str_cstr(&got), lowerings[_i].loops);
    str_free(&got);
}
END_TEST

int main(void) {
    Suite *s = suite_create("build");
    TCase *t = tcase_create("lowerings");
    tcase_add_loop_test(t, lowers, 0, (int)(sizeof lowerings / sizeof *lowerings));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
