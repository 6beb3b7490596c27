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
#define X_Y     "X:T -> Y:T"
#define IN_OUT  "input:T -> output:T"
#define AB_C    "A:T, B:T -> C:T"
#define AB_TEST "A:T, B:T -> C:T1"
#define ROW(name, since, signature, types, attrs, rule, expr, lower, doc, tests) \
    {name, "", since, signature, types, attrs, rule, expr, NULL, lower, doc, tests, 0},
// The same where the shape rule checks more than that result 0 is shaped like operand 0.
#define LIKE(name, since, signature, types, attrs, rule, expr, lower, doc, tests) \
    {name, "", since, signature, types, attrs, rule, expr, NULL, lower, doc, tests, OP_LIKE_FIRST},
const struct op ops_elementwise[] = {
//      operator       since  signature       types               attributes    shape rule        expression           or function  what it does           node tests
    ROW("Abs",         13, X_Y,               "T=num",            "",           shape_same,       "abs(X)",            NULL, "absolute value",             "test_abs*")
    ROW("Acos",        22, IN_OUT,            "T=float",          "",           shape_same,       "acos(input)",       NULL, "arc cosine",                 "test_acos*")
    ROW("Acosh",       22, IN_OUT,            "T=float",          "",           shape_same,       "acosh(input)",      NULL, "inverse hyperbolic cosine",  "test_acosh*")
    ROW("Add",         14, AB_C,              "T=num",            "",           shape_broadcast,  "A + B",             NULL, "sum of two",                 "test_add*")
    ROW("And",         7,  AB_TEST,           "T=bool T1=bool",   "",           shape_broadcast,  "A && B",            NULL, "logical and",                "test_and*")
    ROW("Asin",        22, IN_OUT,            "T=float",          "",           shape_same,       "asin(input)",       NULL, "arc sine",                   "test_asin*")
    ROW("Asinh",       22, IN_OUT,            "T=float",          "",           shape_same,       "asinh(input)",      NULL, "inverse hyperbolic sine",    "test_asinh*")
    ROW("Atan",        22, IN_OUT,            "T=float",          "",           shape_same,       "atan(input)",       NULL, "arc tangent",                "test_atan*")
    ROW("Atanh",       22, IN_OUT,            "T=float",          "",           shape_same,       "atanh(input)",      NULL, "inverse hyperbolic tangent", "test_atanh*")
    ROW("BitShift",    28, "X:T, Y:T -> Z:T", "T=integer",        "direction:string", shape_bitshift, NULL,            lower_bitshift, "shift by Y bits, left or right", "test_bitshift*")
    ROW("BitwiseAnd",  18, AB_C,              "T=integer",        "",           shape_broadcast,  "A & B",             NULL, "and of the bits",            "test_bitwise_and*")
    ROW("BitwiseNot",  18, X_Y,               "T=integer",        "",           shape_same,       "~X",                NULL, "complement of the bits",     "test_bitwise_not*")
    ROW("BitwiseOr",   18, AB_C,              "T=integer",        "",           shape_broadcast,  "A | B",             NULL, "or of the bits",             "test_bitwise_or*")
    ROW("BitwiseXor",  18, AB_C,              "T=integer",        "",           shape_broadcast,  "A ^ B",             NULL, "exclusive or of the bits",   "test_bitwise_xor*")
    LIKE("Cast",       28, "input:T1 -> output:T2", "T1=all T2=all", "to:int saturate:int=1 round_mode:string=up", shape_cast, NULL, lower_cast, "conversion to the type `to`", "test_cast_*")
    ROW("CastLike",    25, "input:T1, target_type:T2 -> output:T2", "T1=all T2=all", "saturate:int=1 round_mode:string=up", shape_same, NULL, lower_cast, "conversion to another tensor's type", "test_castlike_*")
    ROW("Ceil",        13, X_Y,               "T=float",          "",           shape_same,       "ceil(X)",           NULL, "round up",                   "test_ceil*")
    ROW("Celu",        28, X_Y,               "T=float",          "alpha:float=1.0", shape_same,  "max(0, X) + min(0, alpha * expm1(X / alpha))", NULL, "continuously differentiable ELU", "test_celu*")
    LIKE("Clip",       13, "input:T, min:T?, max:T? -> output:T", "T=num", "",  shape_clip,       NULL,                lower_clip, "limit to [min, max]",  "test_clip*")
    ROW("Cos",         22, IN_OUT,            "T=float",          "",           shape_same,       "cos(input)",        NULL, "cosine",                     "test_cos*")
    ROW("Cosh",        22, IN_OUT,            "T=float",          "",           shape_same,       "cosh(input)",       NULL, "hyperbolic cosine",          "test_cosh*")
    ROW("Div",         14, AB_C,              "T=num",            "",           shape_broadcast,  "A / B",             NULL, "quotient; integers truncate", "test_div*")
    LIKE("Dropout",    22, "data:T, ratio:T1?, training_mode:T2? -> output:T, mask:T2?", "T=float T1=float T2=bool", "seed:int?", shape_dropout, NULL, lower_dropout, "nothing, in inference", "test_dropout*")
    ROW("Elu",         22, X_Y,               "T=float",          "alpha:float=1.0", shape_same,  "X < 0 ? alpha * expm1(X) : X", NULL, "exponential linear unit", "test_elu*")
    ROW("Equal",       19, AB_TEST,           "T=any T1=bool",    "",           shape_broadcast,  "A == B",            NULL, "comparison",                 "test_equal*")
    ROW("Erf",         13, IN_OUT,            "T=float",          "",           shape_same,       "erf(input)",        NULL, "error function",             "test_erf*")
    ROW("Exp",         13, IN_OUT,            "T=float",          "",           shape_same,       "exp(input)",        NULL, "e to the power of",          "test_exp*")
    ROW("Floor",       13, X_Y,               "T=float",          "",           shape_same,       "floor(X)",          NULL, "round down",                 "test_floor*")
    LIKE("Gelu",       20, X_Y,               "T=float",          "approximate:string=none", shape_gelu, NULL,         lower_gelu, "Gaussian error linear unit", "test_gelu*")
    ROW("Greater",     13, AB_TEST,           "T=num T1=bool",    "",           shape_broadcast,  "A > B",             NULL, "comparison",                 "test_greater*")
    ROW("GreaterOrEqual", 16, AB_TEST,        "T=num T1=bool",    "",           shape_broadcast,  "A >= B",            NULL, "comparison",                 "test_greater_equal*")
    ROW("HardSigmoid", 22, X_Y,               "T=float",          "alpha:float=0.2 beta:float=0.5", shape_same, "max(0, min(1, alpha * X + beta))", NULL, "sigmoid in three pieces", "test_hardsigmoid*")
    ROW("HardSwish",   22, X_Y,               "T=float",          "",           shape_same,       "X * max(0, min(1, X * 0.16666666666666666 + 0.5))", NULL, "X times a hard sigmoid", "test_hardswish*")
    ROW("Identity",    25, "input:V -> output:V", "V=all",        "",           shape_same,       "input",             NULL, "the same",                   "test_identity*")
    ROW("IsInf",       20, "X:T1 -> Y:T2",    "T1=float T2=bool", "detect_negative:int=1 detect_positive:int=1", shape_same, "isinf(X) && (X > 0 ? detect_positive != 0 : detect_negative != 0)", NULL, "infinite?", "test_isinf*")
    ROW("IsNaN",       20, "X:T1 -> Y:T2",    "T1=float T2=bool", "",           shape_same,       "isnan(X)",          NULL, "not a number?",              "test_isnan*")
    ROW("LeakyRelu",   16, X_Y,               "T=float",          "alpha:float=0.01", shape_same, "X < 0 ? alpha * X : X", NULL, "slope alpha below 0",    "test_leakyrelu*")
    ROW("Less",        13, AB_TEST,           "T=num T1=bool",    "",           shape_broadcast,  "A < B",             NULL, "comparison",                 "test_less*")
    ROW("LessOrEqual", 16, AB_TEST,           "T=num T1=bool",    "",           shape_broadcast,  "A <= B",            NULL, "comparison",                 "test_less_equal*")
    ROW("Log",         13, IN_OUT,            "T=float",          "",           shape_same,       "log(input)",        NULL, "natural logarithm",          "test_log*")
    ROW("Max",         13, "data_0:T... -> max:T", "T=num",       "",           shape_broadcast,  NULL,                lower_max, "largest of all",        "test_max_*")
    ROW("Mean",        13, "data_0:T... -> mean:T", "T=float",    "",           shape_broadcast,  NULL,                lower_mean, "mean of all",          "test_mean_*")
    ROW("Min",         13, "data_0:T... -> min:T", "T=num",       "",           shape_broadcast,  NULL,                lower_min, "smallest of all",       "test_min_*")
    ROW("Mish",        22, X_Y,               "T=float",          "",           shape_same,       "X * tanh(max(0, X) + log1p(exp(-abs(X))))", NULL, "X times tanh of softplus", "test_mish*")
    ROW("Mod",         28, AB_C,              "T=num",            "fmod:int=0", shape_broadcast,  "fmod != 0 ? A % B : mod(A, B)", NULL, "remainder, with the sign of B (fmod: of A)", "test_mod_*")
    ROW("Mul",         14, AB_C,              "T=num",            "",           shape_broadcast,  "A * B",             NULL, "product of two",             "test_mul*")
    ROW("Neg",         13, X_Y,               "T=float|int",      "",           shape_same,       "-X",                NULL, "sign changed",               "test_neg*")
    ROW("Not",         1,  X_Y,               "T=bool",           "",           shape_same,       "!X",                NULL, "logical not",                "test_not*")
    ROW("Or",          7,  AB_TEST,           "T=bool T1=bool",   "",           shape_broadcast,  "A || B",            NULL, "logical or",                 "test_or*")
    LIKE("PRelu",      16, "X:T, slope:T -> Y:T", "T=float|i32|i64|u32|u64", "", shape_like_first, "X < 0 ? slope * X : X", NULL, "learned slope below 0", "test_prelu*")
    ROW("Pow",         15, "X:T, Y:T1 -> Z:T", "T=float|i32|i64 T1=num", "",    shape_broadcast,  NULL,                lower_pow, "X to the power of Y",   "test_pow*")
    ROW("Reciprocal",  13, X_Y,               "T=float",          "",           shape_same,       "1 / X",             NULL, "one over",                   "test_reciprocal*")
    ROW("Relu",        14, X_Y,               "T=float|int",      "",           shape_same,       "max(0, X)",         NULL, "0 below 0",                  "test_relu*")
    ROW("Round",       22, X_Y,               "T=float",          "",           shape_same,       "round_even(X)",     NULL, "round to nearest, ties to even", "test_round*")
    ROW("Selu",        22, X_Y,               "T=float",          "alpha:float=1.67326319 gamma:float=1.05070102", shape_same, "gamma * (X < 0 ? alpha * expm1(X) : X)", NULL, "scaled ELU", "test_selu*")
    ROW("Shrink",      9,  IN_OUT,            "T=num",            "bias:float=0.0 lambd:float=0.5", shape_same, NULL,  lower_shrink, "0 near 0, else towards 0 by bias", "test_shrink*")
    ROW("Sigmoid",     13, X_Y,               "T=float",          "",           shape_same,       "1 / (1 + exp(-X))", NULL, "logistic function",          "test_sigmoid*")
    ROW("Sign",        13, IN_OUT,            "T=num",            "",           shape_same,       "sign(input)",       NULL, "-1, 0 or 1",                 "test_sign*")
    ROW("Sin",         22, IN_OUT,            "T=float",          "",           shape_same,       "sin(input)",        NULL, "sine",                       "test_sin*")
    ROW("Sinh",        22, IN_OUT,            "T=float",          "",           shape_same,       "sinh(input)",       NULL, "hyperbolic sine",            "test_sinh*")
    ROW("Softplus",    22, X_Y,               "T=float",          "",           shape_same,       "max(0, X) + log1p(exp(-abs(X)))", NULL, "log(1 + exp(X))", "test_softplus*")
    ROW("Softsign",    22, IN_OUT,            "T=float",          "",           shape_same,       "input / (1 + abs(input))", NULL, "x / (1 + |x|)",       "test_softsign*")
    ROW("Sqrt",        13, X_Y,               "T=float",          "",           shape_same,       "sqrt(X)",           NULL, "square root",                "test_sqrt*")
    ROW("Sub",         14, AB_C,              "T=num",            "",           shape_broadcast,  "A - B",             NULL, "difference",                 "test_sub*")
    ROW("Sum",         13, "data_0:T... -> sum:T", "T=float",     "",           shape_broadcast,  "x + y",             NULL, "sum of all",                 "test_sum_*")
    ROW("Swish",       24, X_Y,               "T=float",          "alpha:float=1.0", shape_same,  "X / (1 + exp(-(alpha * X)))", NULL, "X times sigmoid(alpha X)", "test_swish*")
    ROW("Tan",         22, IN_OUT,            "T=float",          "",           shape_same,       "tan(input)",        NULL, "tangent",                    "test_tan*")
    ROW("Tanh",        13, IN_OUT,            "T=float",          "",           shape_same,       "tanh(input)",       NULL, "hyperbolic tangent",         "test_tanh*")
    ROW("ThresholdedRelu", 22, X_Y,           "T=float",          "alpha:float=1.0", shape_same,  "X > alpha ? X : 0", NULL, "0 up to alpha",              "test_thresholdedrelu*")
    ROW("Where",       16, "condition:B, X:T, Y:T -> output:T", "B=bool T=any", "", shape_broadcast, "condition ? X : Y", NULL, "choice",                  "test_where*")
    ROW("Xor",         7,  AB_TEST,           "T=bool T1=bool",   "",           shape_broadcast,  "A != B",            NULL, "logical exclusive or",       "test_xor*")
    {0},
};
#undef ROW
#undef LIKE
// clang-format on
