/* Operators that compute each element from the elements at the same place: arithmetic,
 * comparisons, logic, bits, activations, conversions.
 *
 * Their meaning is an expression over the operands' elements. The forms are chosen so that no
 * intermediate overflows where the result does not, and so that NaN comes out of NaN: max(0, X)
 * is `0 > X ? 0 : X`. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

/* ---- shape rules ---- */

/* The other operands broadcast to operand 0, not the other way round. */
static bool shape_like_first(struct infer *in, struct node *n) {
    for (int k = 1; k < n->num_in; k++)
        if (n->in[k] && !infer_broadcasts_to(in, n, k, node_shape(n, 0)))
            return false;
    return shape_same(in, n);
}

static bool shape_cast(struct infer *in, struct node *n) {
    int code = (int)node_int(n, "to");
    enum dtype t = dtype_from_onnx(code);
    if (t == DTYPE_NONE)
        return infer_error(in, n, "type %s is not supported (see nncc --ops)",
                           dtype_onnx_name(code));
    return infer_set(in, n, 0, t, node_shape(n, 0)->rank, node_shape(n, 0)->dims);
}

/* min and max are scalars; models also give one-element tensors. */
static bool shape_clip(struct infer *in, struct node *n) {
    for (int k = 1; k < n->num_in; k++)
        if (n->in[k] && value_elements(n->in[k]) != 1)
            return infer_error(
                in, n, "input '%s' has shape %s, expected a scalar",
                infer_operand_name(in, n, k),
                infer_shape_text(in, node_shape(n, k)->rank, node_shape(n, k)->dims));
    return shape_same(in, n);
}

/* Random numbers are not reproducible between run-times, so only inference has a meaning; with
 * ratio 0 training is the same. */
static bool shape_dropout(struct infer *in, struct node *n) {
    const struct value *ratio = node_has_in(n, 1) ? n->in[1] : NULL;
    bool keeps_all = ratio && ratio->data && value_elements(ratio) == 1 &&
                     dtype_load(ratio->dtype, ratio->data, 0).f == 0.0;
    int len;
    const int64_t *training = infer_ints(in, n, 2, &len);
    if (node_has_in(n, 2) && !keeps_all && (!training || len != 1))
        return infer_error(
            in, n, "input 'training_mode' is not constant: only inference is supported");
    if (training && training[0] && !keeps_all)
        return infer_error(in, n, "training_mode=1 is not supported, only inference is");
    return shape_same(in, n);
}

/* ---- lowering functions: where an attribute, a type or an absent operand chooses the
 * expression ---- */

static void lower_bitshift(struct lower *l, const struct node *n) {
    build_elementwise(l,
                      strcmp(node_string(n, "direction"), "LEFT") == 0 ? "X << Y" : "X >> Y");
}

static bool shape_bitshift(struct infer *in, struct node *n) {
    const char *direction = node_string(n, "direction");
    if (strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0)
        return infer_error(in, n, "attribute 'direction' is '%s', expected LEFT or RIGHT",
                           direction);
    return shape_broadcast(in, n);
}

/* Beyond the range of the target the specification leaves floats undefined; to types of less
 * than a byte its tests discard the high bits, as for integers. */
static void lower_cast(struct lower *l, const struct node *n) {
    bool packed = dtype_info(n->out[0]->dtype)->bits < 8;
    build_elementwise(l, packed && dtype_is_float(n->in[0]->dtype) ? "T2(i32(input))"
                                                                   : "T2(input)");
}

static void lower_clip(struct lower *l, const struct node *n) {
    static const char *const texts[2][2] = {{"input", "min(max, input)"},
                                            {"max(min, input)", "min(max, max(min, input))"}};
    build_elementwise(l, texts[node_has_in(n, 1)][node_has_in(n, 2)]);
}

static void lower_dropout(struct lower *l, const struct node *n) {
    if (node_has_out(n, 0))
        build_view(l, n, 0, 0);
    if (!node_has_out(n, 1))
        return;
    struct nest *s = nest_over(l, l_out(l, 1));
    nest_store(s, l_out(l, 1), s->at, expr_const(l->arena, DTYPE_BOOL, (union scalar){.i = 1}));
}

static bool shape_gelu(struct infer *in, struct node *n) {
    const char *form = node_string(n, "approximate");
    if (strcmp(form, "none") != 0 && strcmp(form, "tanh") != 0)
        return infer_error(in, n, "attribute 'approximate' is '%s', expected none or tanh",
                           form);
    return shape_same(in, n);
}

static void lower_gelu(struct lower *l, const struct node *n) {
    bool tanh_form = strcmp(node_string(n, "approximate"), "tanh") == 0;
    build_elementwise(
        l, tanh_form ? "0.5 * X * (1 + tanh(0.7978845608028654 * (X + 0.044715 * X * X * X)))"
                     : "0.5 * X * (1 + erf(X * 0.7071067811865476))");
}

/* NaN from either side, as NumPy has it; integers have none. */
static void lower_max(struct lower *l, const struct node *n) {
    build_elementwise(l, dtype_is_float(n->in[0]->dtype) ? "isnan(x) ? x : max(x, y)"
                                                         : "max(x, y)");
}

static void lower_min(struct lower *l, const struct node *n) {
    build_elementwise(l, dtype_is_float(n->in[0]->dtype) ? "isnan(x) ? x : min(x, y)"
                                                         : "min(x, y)");
}

static void lower_mean(struct lower *l, const struct node *n) {
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr *sum = build_fold(s, "x + y");
    nest_store(s, l_out(l, 0), s->at,
               expr_2(l->arena, FUNC_DIV, sum, expr_int(l->arena, sum->dtype, n->num_in)));
}

/* A constant exponent of 2 or 3 is a product; integers to a fractional power go through f64. */
static void lower_pow(struct lower *l, const struct node *n) {
    enum dtype x = n->in[0]->dtype, y = n->in[1]->dtype;
    const struct value *e = n->in[1];
    double k = 0;
    if (e->data && value_elements(e) == 1)
        k = dtype_convert(DTYPE_F64, y, dtype_load(y, e->data, 0)).f;
    if (k == 2.0 || k == 3.0)
        build_elementwise(l, k == 2.0 ? "X * X" : "X * X * X");
    else if (dtype_is_float(x))
        build_elementwise(l, "pow(X, T(Y))");
    else
        build_elementwise(l, dtype_is_float(y) ? "T(pow(f64(X), f64(Y)))"
                                               : "T(pow(i64(X), i64(Y)))");
}

static void lower_shrink(struct lower *l, const struct node *n) {
    bool is_float = dtype_is_float(n->in[0]->dtype);
    build_elementwise(
        l, is_float ? "input < -lambd ? input + bias : input > lambd ? input - bias : 0"
                    : "T(f64(input) < -lambd ? f64(input) + bias : f64(input) > lambd ? "
                      "f64(input) - bias : 0.0)");
}

// clang-format off
const struct op ops_elementwise[] = {
//   name               ""  since signature                         types                 attributes                     shape rule        expression, or lowering function                       what it does                            node tests
    {"Abs",             "", 13, "X:T -> Y:T",                       "T=num",              "",                            shape_same,       "abs(X)", NULL, NULL,                                  "absolute value",                       "test_abs*", 0},
    {"Acos",            "", 22, "input:T -> output:T",              "T=float",            "",                            shape_same,       "acos(input)", NULL, NULL,                             "arc cosine",                           "test_acos*", 0},
    {"Acosh",           "", 22, "input:T -> output:T",              "T=float",            "",                            shape_same,       "acosh(input)", NULL, NULL,                            "inverse hyperbolic cosine",            "test_acosh*", 0},
    {"Add",             "", 14, "A:T, B:T -> C:T",                  "T=num",              "",                            shape_broadcast,  "A + B", NULL, NULL,                                   "sum of two",                           "test_add*", 0},
    {"And",             "", 7,  "A:T, B:T -> C:T1",                 "T=bool T1=bool",     "",                            shape_broadcast,  "A && B", NULL, NULL,                                  "logical and",                          "test_and*", 0},
    {"Asin",            "", 22, "input:T -> output:T",              "T=float",            "",                            shape_same,       "asin(input)", NULL, NULL,                             "arc sine",                             "test_asin*", 0},
    {"Asinh",           "", 22, "input:T -> output:T",              "T=float",            "",                            shape_same,       "asinh(input)", NULL, NULL,                            "inverse hyperbolic sine",              "test_asinh*", 0},
    {"Atan",            "", 22, "input:T -> output:T",              "T=float",            "",                            shape_same,       "atan(input)", NULL, NULL,                             "arc tangent",                          "test_atan*", 0},
    {"Atanh",           "", 22, "input:T -> output:T",              "T=float",            "",                            shape_same,       "atanh(input)", NULL, NULL,                            "inverse hyperbolic tangent",           "test_atanh*", 0},
    {"BitShift",        "", 28, "X:T, Y:T -> Z:T",                  "T=integer",          "direction:string",            shape_bitshift,   NULL, NULL, lower_bitshift,                            "shift by Y bits, left or right",       "test_bitshift*", 0},
    {"BitwiseAnd",      "", 18, "A:T, B:T -> C:T",                  "T=integer",          "",                            shape_broadcast,  "A & B", NULL, NULL,                                   "and of the bits",                      "test_bitwise_and*", 0},
    {"BitwiseNot",      "", 18, "X:T -> Y:T",                       "T=integer",          "",                            shape_same,       "~X", NULL, NULL,                                      "complement of the bits",               "test_bitwise_not*", 0},
    {"BitwiseOr",       "", 18, "A:T, B:T -> C:T",                  "T=integer",          "",                            shape_broadcast,  "A | B", NULL, NULL,                                   "or of the bits",                       "test_bitwise_or*", 0},
    {"BitwiseXor",      "", 18, "A:T, B:T -> C:T",                  "T=integer",          "",                            shape_broadcast,  "A ^ B", NULL, NULL,                                   "exclusive or of the bits",             "test_bitwise_xor*", 0},
    {"Cast",            "", 28, "input:T1 -> output:T2",            "T1=all T2=all",      "to:int saturate:int=1 round_mode:string=up", shape_cast, NULL, NULL, lower_cast,                  "conversion to the type `to`",          "test_cast_*", 0},
    {"CastLike",        "", 25, "input:T1, target_type:T2 -> output:T2", "T1=all T2=all", "saturate:int=1 round_mode:string=up", shape_same, NULL, NULL, lower_cast,                         "conversion to another tensor's type",  "test_castlike_*", 0},
    {"Ceil",            "", 13, "X:T -> Y:T",                       "T=float",            "",                            shape_same,       "ceil(X)", NULL, NULL,                                 "round up",                             "test_ceil*", 0},
    {"Celu",            "", 28, "X:T -> Y:T",                       "T=float",            "alpha:float=1.0",             shape_same,       "max(0, X) + min(0, alpha * expm1(X / alpha))", NULL, NULL, "continuously differentiable ELU", "test_celu*", 0},
    {"Clip",            "", 13, "input:T, min:T?, max:T? -> output:T", "T=num",           "",                            shape_clip,       NULL, NULL, lower_clip,                                "limit to [min, max]",                  "test_clip*", 0},
    {"Cos",             "", 22, "input:T -> output:T",              "T=float",            "",                            shape_same,       "cos(input)", NULL, NULL,                              "cosine",                               "test_cos*", 0},
    {"Cosh",            "", 22, "input:T -> output:T",              "T=float",            "",                            shape_same,       "cosh(input)", NULL, NULL,                             "hyperbolic cosine",                    "test_cosh*", 0},
    {"Div",             "", 14, "A:T, B:T -> C:T",                  "T=num",              "",                            shape_broadcast,  "A / B", NULL, NULL,                                   "quotient; integers truncate",          "test_div*", 0},
    {"Dropout",         "", 22, "data:T, ratio:T1?, training_mode:T2? -> output:T, mask:T2?", "T=float T1=float T2=bool", "seed:int?", shape_dropout, NULL, NULL, lower_dropout,              "nothing, in inference",                "test_dropout*", 0},
    {"Elu",             "", 22, "X:T -> Y:T",                       "T=float",            "alpha:float=1.0",             shape_same,       "X < 0 ? alpha * expm1(X) : X", NULL, NULL,            "exponential linear unit",              "test_elu*", 0},
    {"Equal",           "", 19, "A:T, B:T -> C:T1",                 "T=any T1=bool",      "",                            shape_broadcast,  "A == B", NULL, NULL,                                  "comparison",                           "test_equal*", 0},
    {"Erf",             "", 13, "input:T -> output:T",              "T=float",            "",                            shape_same,       "erf(input)", NULL, NULL,                              "error function",                       "test_erf*", 0},
    {"Exp",             "", 13, "input:T -> output:T",              "T=float",            "",                            shape_same,       "exp(input)", NULL, NULL,                              "e to the power of",                    "test_exp*", 0},
    {"Floor",           "", 13, "X:T -> Y:T",                       "T=float",            "",                            shape_same,       "floor(X)", NULL, NULL,                                "round down",                           "test_floor*", 0},
    {"Gelu",            "", 20, "X:T -> Y:T",                       "T=float",            "approximate:string=none",     shape_gelu,       NULL, NULL, lower_gelu,                                "Gaussian error linear unit",           "test_gelu*", 0},
    {"Greater",         "", 13, "A:T, B:T -> C:T1",                 "T=num T1=bool",      "",                            shape_broadcast,  "A > B", NULL, NULL,                                   "comparison",                           "test_greater*", 0},
    {"GreaterOrEqual",  "", 16, "A:T, B:T -> C:T1",                 "T=num T1=bool",      "",                            shape_broadcast,  "A >= B", NULL, NULL,                                  "comparison",                           "test_greater_equal*", 0},
    {"HardSigmoid",     "", 22, "X:T -> Y:T",                       "T=float",            "alpha:float=0.2 beta:float=0.5", shape_same,    "max(0, min(1, alpha * X + beta))", NULL, NULL,        "sigmoid in three pieces",              "test_hardsigmoid*", 0},
    {"HardSwish",       "", 22, "X:T -> Y:T",                       "T=float",            "",                            shape_same,       "X * max(0, min(1, X * 0.16666666666666666 + 0.5))", NULL, NULL, "X times a hard sigmoid",    "test_hardswish*", 0},
    {"Identity",        "", 25, "input:V -> output:V",              "V=all",              "",                            shape_same,       "input", NULL, NULL,                                   "the same",                             "test_identity*", 0},
    {"IsInf",           "", 20, "X:T1 -> Y:T2",                     "T1=float T2=bool",   "detect_negative:int=1 detect_positive:int=1", shape_same, "isinf(X) && (X > 0 ? detect_positive != 0 : detect_negative != 0)", NULL, NULL, "infinite?", "test_isinf*", 0},
    {"IsNaN",           "", 20, "X:T1 -> Y:T2",                     "T1=float T2=bool",   "",                            shape_same,       "isnan(X)", NULL, NULL,                                "not a number?",                        "test_isnan*", 0},
    {"LeakyRelu",       "", 16, "X:T -> Y:T",                       "T=float",            "alpha:float=0.01",            shape_same,       "X < 0 ? alpha * X : X", NULL, NULL,                   "slope alpha below 0",                  "test_leakyrelu*", 0},
    {"Less",            "", 13, "A:T, B:T -> C:T1",                 "T=num T1=bool",      "",                            shape_broadcast,  "A < B", NULL, NULL,                                   "comparison",                           "test_less*", 0},
    {"LessOrEqual",     "", 16, "A:T, B:T -> C:T1",                 "T=num T1=bool",      "",                            shape_broadcast,  "A <= B", NULL, NULL,                                  "comparison",                           "test_less_equal*", 0},
    {"Log",             "", 13, "input:T -> output:T",              "T=float",            "",                            shape_same,       "log(input)", NULL, NULL,                              "natural logarithm",                    "test_log*", 0},
    {"Max",             "", 13, "data_0:T... -> max:T",             "T=num",              "",                            shape_broadcast,  NULL, NULL, lower_max,                                 "largest of all",                       "test_max_*", 0},
    {"Mean",            "", 13, "data_0:T... -> mean:T",            "T=float",            "",                            shape_broadcast,  NULL, NULL, lower_mean,                                "mean of all",                          "test_mean_*", 0},
    {"Min",             "", 13, "data_0:T... -> min:T",             "T=num",              "",                            shape_broadcast,  NULL, NULL, lower_min,                                 "smallest of all",                      "test_min_*", 0},
    {"Mish",            "", 22, "X:T -> Y:T",                       "T=float",            "",                            shape_same,       "X * tanh(max(0, X) + log1p(exp(-abs(X))))", NULL, NULL, "X times tanh of softplus",           "test_mish*", 0},
    {"Mod",             "", 28, "A:T, B:T -> C:T",                  "T=num",              "fmod:int=0",                  shape_broadcast,  "fmod != 0 ? A % B : mod(A, B)", NULL, NULL,           "remainder, with the sign of B (fmod: of A)", "test_mod_*", 0},
    {"Mul",             "", 14, "A:T, B:T -> C:T",                  "T=num",              "",                            shape_broadcast,  "A * B", NULL, NULL,                                   "product of two",                       "test_mul*", 0},
    {"Neg",             "", 13, "X:T -> Y:T",                       "T=float|int",        "",                            shape_same,       "-X", NULL, NULL,                                      "sign changed",                         "test_neg*", 0},
    {"Not",             "", 1,  "X:T -> Y:T",                       "T=bool",             "",                            shape_same,       "!X", NULL, NULL,                                      "logical not",                          "test_not*", 0},
    {"Or",              "", 7,  "A:T, B:T -> C:T1",                 "T=bool T1=bool",     "",                            shape_broadcast,  "A || B", NULL, NULL,                                  "logical or",                           "test_or*", 0},
    {"PRelu",           "", 16, "X:T, slope:T -> Y:T",              "T=float|i32|i64|u32|u64", "",                       shape_like_first, "X < 0 ? slope * X : X", NULL, NULL,                   "learned slope below 0",                "test_prelu*", 0},
    {"Pow",             "", 15, "X:T, Y:T1 -> Z:T",                 "T=float|i32|i64 T1=num", "",                        shape_broadcast,  NULL, NULL, lower_pow,                                 "X to the power of Y",                  "test_pow*", 0},
    {"Reciprocal",      "", 13, "X:T -> Y:T",                       "T=float",            "",                            shape_same,       "1 / X", NULL, NULL,                                   "one over",                             "test_reciprocal*", 0},
    {"Relu",            "", 14, "X:T -> Y:T",                       "T=float|int",        "",                            shape_same,       "max(0, X)", NULL, NULL,                               "0 below 0",                            "test_relu*", 0},
    {"Round",           "", 22, "X:T -> Y:T",                       "T=float",            "",                            shape_same,       "round_even(X)", NULL, NULL,                           "round to nearest, ties to even",       "test_round*", 0},
    {"Selu",            "", 22, "X:T -> Y:T",                       "T=float",            "alpha:float=1.67326319 gamma:float=1.05070102", shape_same, "gamma * (X < 0 ? alpha * expm1(X) : X)", NULL, NULL, "scaled ELU",         "test_selu*", 0},
    {"Shrink",          "", 9,  "input:T -> output:T",              "T=num",              "bias:float=0.0 lambd:float=0.5", shape_same,    NULL, NULL, lower_shrink,                              "0 near 0, else towards 0 by bias",     "test_shrink*", 0},
    {"Sigmoid",         "", 13, "X:T -> Y:T",                       "T=float",            "",                            shape_same,       "1 / (1 + exp(-X))", NULL, NULL,                       "logistic function",                    "test_sigmoid*", 0},
    {"Sign",            "", 13, "input:T -> output:T",              "T=num",              "",                            shape_same,       "sign(input)", NULL, NULL,                             "-1, 0 or 1",                           "test_sign*", 0},
    {"Sin",             "", 22, "input:T -> output:T",              "T=float",            "",                            shape_same,       "sin(input)", NULL, NULL,                              "sine",                                 "test_sin*", 0},
    {"Sinh",            "", 22, "input:T -> output:T",              "T=float",            "",                            shape_same,       "sinh(input)", NULL, NULL,                             "hyperbolic sine",                      "test_sinh*", 0},
    {"Softplus",        "", 22, "X:T -> Y:T",                       "T=float",            "",                            shape_same,       "max(0, X) + log1p(exp(-abs(X)))", NULL, NULL,         "log(1 + exp(X))",                      "test_softplus*", 0},
    {"Softsign",        "", 22, "input:T -> output:T",              "T=float",            "",                            shape_same,       "input / (1 + abs(input))", NULL, NULL,                "x / (1 + |x|)",                        "test_softsign*", 0},
    {"Sqrt",            "", 13, "X:T -> Y:T",                       "T=float",            "",                            shape_same,       "sqrt(X)", NULL, NULL,                                 "square root",                          "test_sqrt*", 0},
    {"Sub",             "", 14, "A:T, B:T -> C:T",                  "T=num",              "",                            shape_broadcast,  "A - B", NULL, NULL,                                   "difference",                           "test_sub*", 0},
    {"Sum",             "", 13, "data_0:T... -> sum:T",             "T=float",            "",                            shape_broadcast,  "x + y", NULL, NULL,                                   "sum of all",                           "test_sum_*", 0},
    {"Swish",           "", 24, "X:T -> Y:T",                       "T=float",            "alpha:float=1.0",             shape_same,       "X / (1 + exp(-(alpha * X)))", NULL, NULL,             "X times sigmoid(alpha X)",             "test_swish*", 0},
    {"Tan",             "", 22, "input:T -> output:T",              "T=float",            "",                            shape_same,       "tan(input)", NULL, NULL,                              "tangent",                              "test_tan*", 0},
    {"Tanh",            "", 13, "input:T -> output:T",              "T=float",            "",                            shape_same,       "tanh(input)", NULL, NULL,                             "hyperbolic tangent",                   "test_tanh*", 0},
    {"ThresholdedRelu", "", 22, "X:T -> Y:T",                       "T=float",            "alpha:float=1.0",             shape_same,       "X > alpha ? X : 0", NULL, NULL,                       "0 up to alpha",                        "test_thresholdedrelu*", 0},
    {"Where",           "", 16, "condition:B, X:T, Y:T -> output:T", "B=bool T=any",      "",                            shape_broadcast,  "condition ? X : Y", NULL, NULL,                       "choice",                               "test_where*", 0},
    {"Xor",             "", 7,  "A:T, B:T -> C:T1",                 "T=bool T1=bool",     "",                            shape_broadcast,  "A != B", NULL, NULL,                                  "logical exclusive or",                 "test_xor*", 0},
    {0},
};
// clang-format on
