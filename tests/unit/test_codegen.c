/* codegen/: names and texts made safe, expressions from text to C, and generated C against the
 * one scalar meaning (func_eval, dtype_convert) and the interpreter, compiled with warnings as
 * errors and run under UBSan. */
#include "codegen/emit.h"
#include "compile.h"

#include <math.h>

/* ---- names, comments, literals ---- */

static const struct {
    const char *in, *out;
} identifiers[] = {
    {"input", "input"},
    {"a/b", "a_b"},
    {"a.b", "a_b"},
    {"/f/f.0/Conv", "x_f_f_0_Conv"},
    {"int", "int_"},
    {"class", "class_"},
    {"*/", "x"},
    {"", "x"},
    {"495", "x495"},
    {"_x", "x_x"},
    {"a__b", "a_b"},
    {"x:0", "x_0"},
    {"NULL", "NULL_"},
    {"NNCC_ABI", "NNCC_ABI_"},
    {"a_", "a"},
    {"\xe5\x9b\xbe", "x"},
    {"INFINITY", "INFINITY_"},
};

START_TEST(identifier) {
    struct arena a = {0};
    ck_assert_str_eq(c_identifier(&a, identifiers[_i].in), identifiers[_i].out);
    arena_free(&a);
}
END_TEST

START_TEST(names_are_unique) {
    struct arena a = {0};
    struct name_set set = {0};
    ck_assert_str_eq(name_unique(&set, &a, "a/b"), "a_b");
    ck_assert_str_eq(name_unique(&set, &a, "a.b"), "a_b_2");
    ck_assert_str_eq(name_unique(&set, &a, "a_b_2"), "a_b_2_2");
    ck_assert_str_eq(name_unique(&set, &a, "a:b"), "a_b_3");
    map_free(&set.map);
    arena_free(&a);
}
END_TEST

static const struct {
    const char *in, *out;
} comments[] = {
    {"/a/b", "/a/b"}, {"*/", "* /"},      {"a/*b", "a/ *b"}, {"a\nb\t", "a.b."},
    {"?\?/", "? ?/"}, {"\xc3\xa4", ".."}, {"/*/", "/ * /"},  {"a\\", "a\\"},
};

START_TEST(comment) {
    struct str s = {0};
    comment_put(&s, comments[_i].in);
    ck_assert_str_eq(str_cstr(&s), comments[_i].out);
    str_free(&s);
}
END_TEST

static const struct {
    const char *in;
    size_t len;
    const char *out;
} literals[] = {
    {"abc", 3, "abc"},
    {"a\"b\\", 4, "a\\\"b\\\\"},
    {"\0\1", 2, "\\0\\1"},
    {"\0"
     "1",
     2, "\\0001"},
    {"\x1f"
     "8",
     2, "\\378"},
    {"\xff", 1, "\\377"},
    {"?\?=", 3, "?\\?="},
    {"?\?\?", 3, "?\\?\\?"},
    {"\n\t", 2, "\\12\\11"},
    {"\x7f", 1, "\\177"},
    {"", 0, ""},
};

START_TEST(literal) {
    struct str s = {0};
    literal_put(&s, literals[_i].in, literals[_i].len);
    ck_assert_str_eq(str_cstr(&s), literals[_i].out);
    str_free(&s);
}
END_TEST

/* ---- expressions: type, text, C ---- */

static const struct {
    const char *type, *in, *out;
} expressions[] = {
    /* float arithmetic, no more parentheses than needed */
    {"f32", "b0[i] + b0[7-i] * 2.0", "b0[i] + b0[7 - i] * 2.0f"},
    {"f32", "(b0[i] + 1.5) * b0[0]", "(b0[i] + 1.5f) * b0[0]"},
    {"f32", "b0[i] - (b0[0] - 1.0)", "b0[i] - (b0[0] - 1.0f)"},
    {"f32", "b0[i] / (b0[0] * 0.1)", "b0[i] / (b0[0] * 0.1f)"},
    {"f32", "-abs(-b0[i])", "-fabsf(-b0[i])"},
    {"f32", "b0[i] + -1.5", "b0[i] - 1.5f"},
    {"f32", "-(b0[i] * 2.0)", "-(b0[i] * 2.0f)"},
    {"f32", "exp(b0[i])", "expf(b0[i])"},
    {"f32", "b0[i] > 0.0 ? b0[i] : 0.25 * b0[i]", "b0[i] > 0.0f ? b0[i] : 0.25f * b0[i]"},
    {"f32", "max(b0[i], -1.0)", "nncc_max_f32(b0[i], -1.0f)"},
    {"f32", "b0[i] * -inff32", "b0[i] * -INFINITY"},
    {"f32", "nanf32 + b0[i]", "NAN + b0[i]"},
    {"f64", "sqrt(f64(b0[i])) + 0.1f64", "sqrt((double)b0[i]) + 0.1"},
    {"f64", "inff64 - f64(b0[i])", "(double)INFINITY - (double)b0[i]"},
    /* integers wrap, in at least 32 bits */
    {"i8", "b2[i] + b2[0]", "(int8_t)((uint32_t)b2[i] + (uint32_t)b2[0])"},
    {"i64", "b1[i] * -9223372036854775808i64",
     "(int64_t)((uint64_t)b1[i] * (uint64_t)INT64_MIN)"},
    {"i64", "b1[i] / 3i64", "(int64_t)nncc_div_i64(b1[i], 3)"},
    {"u8", "b3[i] >> 1u8", "(uint8_t)nncc_shr_u32(b3[i], 1)"},
    {"i64", "b1[i] + 4294967296i64",
     "(int64_t)((uint64_t)b1[i] + (uint64_t)INT64_C(4294967296))"},
    {"i4", "b5[i] + b5[0]",
     "nncc_wrap_i4((uint32_t)nncc_load_i4(b5, (size_t)i) + (uint32_t)nncc_load_i4(b5, "
     "(size_t)0))"},
    /* conversions */
    {"i8", "i8(b0[i])", "nncc_to_i8_f32(b0[i])"},
    {"f32", "f32(b1[i])", "(float)b1[i]"},
    {"f32", "f32(i + 1)", "(float)(i + 1)"},
    {"i64", "i64(2 * i)", "(int64_t)(i * 2)"},
    {"bool", "bool(b0[i])", "b0[i] != 0.0f"},
    {"f32", "f32(b4[i] && !b4[0])", "(float)(b4[i] && !b4[0])"},
    /* logic, and what compilers would warn about */
    {"bool", "b4[i] && b4[0] && b4[1]", "b4[i] && b4[0] && b4[1]"},
    {"bool", "b4[i] && b4[0] || b4[1]", "(b4[i] && b4[0]) || b4[1]"},
    {"bool", "!b4[i] == b4[0]", "(!b4[i]) == b4[0]"},
    {"bool", "(b0[i] < 1.0) == (b0[0] < 1.0)", "(b0[i] < 1.0f) == (b0[0] < 1.0f)"},
    {"bool", "b3[i] < 0u8", "0"},
    {"bool", "255u8 >= b3[i]", "1"},
    {"bool", "b1[i] == b1[i]", "1"},
    {"bool", "b0[i] == b0[i]", "b0[i] == b0[i]"},
    {"i64", "b1[i] & 3i64 | 4i64", "(int64_t)((int64_t)(b1[i] & 3) | 4)"},
    /* index arithmetic */
    {"f32", "b0[(i - 3) / 2 + 2]", "b0[nncc_floordiv_i32(i - 3, 2) + 2]"},
    {"f32", "b0[i % 4 + i / 4]", "b0[i % 4 + i / 4]"},
    {"f32", "b0[(i - 3) % 4]", "b0[nncc_floormod_i32(i - 3, 4)]"},
    {"f32", "b0[min(i, 5)]", "b0[nncc_min_i32(i, 5)]"},
    {"f32", "b0[i * 1000000000000 / 1000000000000]",
     "b0[(int64_t)i * INT64_C(1000000000000) / INT64_C(1000000000000)]"},
    {"f32", "b0[clamp(b1[i], 0, 7)]", "b0[(int32_t)nncc_clamp_i64(b1[i], 0, 7)]"},
    {"f32", "b0[check(b2[i], 0, 7)]", "b0[nncc_check_i32(b2[i], 0, 7, &error)]"},
    {"f32", "b0[i + (1 + i - 1) - i]", "b0[i + i - i]"},
    {"f32", "b0[i < 4 ? i : 7 - i]", "b0[i < 4 ? i : 7 - i]"},
    /* guards test only what is not certain */
    {"f32", "(b0[i - 1] if 0 <= i - 1 < 8 else 0.0)", "0 <= i - 1 ? b0[i - 1] : 0.0f"},
    {"f32", "(b0[i] if 0 <= i < 8 else 1.0) * 2.0", "b0[i] * 2.0f"},
    {"f32", "(b0[i + 1] if 0 <= i + 1 < 8 else 1.0) * 2.0",
     "(i + 1 < 8 ? b0[i + 1] : 1.0f) * 2.0f"},
};

/* The C of one expression inside `for i = 0..8`, or the program's text when the store is not
 * there. */
static const char *c_of(struct program *p, const char *type, const char *in) {
    char *text = arena_printf(
        &p->arena,
        "ast \"t\"\ninput b0: f32[8] \"f\" [8]\ninput b1: i64[8] \"l\" [8]\n"
        "input b2: i8[8] \"c\" [8]\ninput b3: u8[8] \"u\" [8]\ninput b4: bool[8] \"t\" [8]\n"
        "input b5: i4[8] \"n\" [8]\noutput b6: %s[8] \"out\" [8]\n"
        "nest \"\" { for i = 0..8 { b6[i] = %s } }\n",
        type, in);
    struct arena keep = p->arena;
    struct program q;
    program_read(&q, text);
    program_emit(&q);
    bool packed = dtype_info(dtype_from_text(type, strlen(type)))->bits < 8;
    const char *head = packed ? "nncc_store_i4(b6, (size_t)i, " : "b6[i] = ";
    char *flat = arena_alloc(&keep, q.source.len + 1), *end = flat;
    for (const char *t = q.source.data; *t; t += *t == '\n' ? strspn(t, "\n ") : 1)
        *end++ = *t == '\n' ? ' ' : *t; // long lines are broken
    char *at = strstr(flat, head);
    flat = at ? at + strlen(head) : flat;
    flat[strcspn(flat, ";") - packed] = '\0';
    program_free(&q);
    p->arena = keep;
    return flat;
}

START_TEST(expression) {
    struct program p;
    program_init(&p);
    ck_assert_str_eq(c_of(&p, expressions[_i].type, expressions[_i].in), expressions[_i].out);
    arena_free(&p.arena);
}
END_TEST

/* ---- every function and conversion on awkward values ---- */

enum { MAX_VALUES = 24 };

/* Values of type t at which functions differ; how many. */
static int awkward_values(enum dtype t, union scalar *v) {
    static const double reals[] = {0.0,
                                   -0.0,
                                   1.0,
                                   -1.0,
                                   0.5,
                                   -1.5,
                                   2.5,
                                   3.7,
                                   -127.9,
                                   128.0,
                                   255.5,
                                   -300.0,
                                   32768.0,
                                   2147483648.0,
                                   -2147483649.0,
                                   9223372036854775808.0,
                                   1e30,
                                   -1e30,
                                   1e-40,
                                   0.1,
                                   INFINITY,
                                   -INFINITY,
                                   NAN};
    static const int64_t integers[] = {
        0,  1,  -1,  2,    3,   -3,  5,         7,         -8,        31,       32,
        63, 64, 100, -128, 127, 255, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    int n = 0;
    if (dtype_is_float(t))
        for (; n < (int)(sizeof reals / sizeof *reals); n++)
            v[n] = dtype_convert(t, DTYPE_F64, (union scalar){.f = reals[n]});
    else
        for (; n < (int)(sizeof integers / sizeof *integers); n++)
            v[n] = dtype_convert(t, DTYPE_I64, (union scalar){.i = integers[n]});
    return n;
}

/* The inputs of the test programs: b0, b1 hold all pairs of awkward values of one type. */
struct pairs {
    enum dtype type;
    union scalar x[MAX_VALUES * MAX_VALUES], y[MAX_VALUES * MAX_VALUES];
    int64_t n;
    struct str bytes; // b0, then b1
};

static void pairs_make(struct pairs *p, enum dtype t) {
    union scalar v[MAX_VALUES];
    int count = awkward_values(t, v);
    int64_t bytes;
    *p = (struct pairs){.type = t, .n = (int64_t)count * count};
    ck_assert(dtype_bytes(t, p->n, &bytes));
    char *data = calloc(2, (size_t)bytes);
    for (int64_t k = 0; k < p->n; k++) {
        p->x[k] = v[k / count];
        p->y[k] = v[k % count];
        dtype_store(t, data, k, p->x[k]);
        dtype_store(t, data + bytes, k, p->y[k]);
    }
    str_add_len(&p->bytes, data, 2 * (size_t)bytes);
    free(data);
}

static int add_tensor(struct program *p, enum buffer_kind kind, enum dtype t, int64_t n,
                      const char *name) {
    const struct expr *elements = expr_index(p->ast->arena, n);
    struct buffer b = {.kind = kind, .dtype = t, .max_elements = n, .rank = 1, .alias = -1};
    b.elements = elements;
    b.dims = arena_copy(p->ast->arena, &elements, sizeof elements);
    b.onnx_name = name;
    return ast_add_buffer(p->ast, b);
}

static struct ast_node *add_loop(struct program *p, int64_t n) {
    struct ast_node *nest = ast_add(p->ast, &p->ast->body, AST_NEST, (struct loc){0});
    nest->name = "";
    struct ast_node *loop = ast_add(p->ast, &nest->body, AST_FOR, (struct loc){0});
    loop->name = intern(&p->names, "i");
    loop->lo = expr_index(p->ast->arena, 0);
    loop->hi = expr_index(p->ast->arena, n);
    return loop;
}

/* out[i] = value for all i. */
static void add_assignment(struct program *p, int64_t n, const char *name,
                           const struct expr *value) {
    int out = add_tensor(p, BUFFER_OUTPUT, value->dtype, n, name);
    struct ast_node *loop = add_loop(p, n);
    struct ast_node *store = ast_add(p->ast, &loop->body, AST_STORE, (struct loc){0});
    store->buffer = out;
    store->index = expr_var(p->ast->arena, DTYPE_INDEX, loop->name);
    store->value = value;
}

static const struct expr *load(struct program *p, int buffer) {
    const struct expr *i = expr_var(p->ast->arena, DTYPE_INDEX, intern(&p->names, "i"));
    return expr_load(p->ast->arena, p->ast->buffers.data[buffer].dtype, buffer, &i, 1);
}

static void start_pairs(struct program *p, const struct pairs *in) {
    program_init(p);
    p->ast = ast_new(&p->names, "t");
    add_tensor(p, BUFFER_INPUT, in->type, in->n, "x");
    add_tensor(p, BUFFER_INPUT, in->type, in->n, "y");
}

static bool same_value(enum dtype t, union scalar a, union scalar b) {
    if (!dtype_is_float(t))
        return a.i == b.i;
    return (isnan(a.f) && isnan(b.f)) || (a.f == b.f && !signbit(a.f) == !signbit(b.f));
}

/* What one function makes of a pair; false when it does not take the type. */
static bool function_args(enum func f, enum dtype t, enum dtype *result) {
    enum func_rule rule = func_info(f)->rule;
    enum dtype args[3] = {rule == RULE_SELECT ? DTYPE_BOOL : t, t, t};
    *result = rule == RULE_INDEX ? DTYPE_NONE : func_result(f, args);
    return *result != DTYPE_NONE;
}

static union scalar function_value(enum func f, const struct pairs *in, int64_t k) {
    union scalar eq[2] = {in->x[k], in->y[k]};
    union scalar args[3] = {in->x[k], in->y[k], in->y[k]};
    if (func_info(f)->rule == RULE_SELECT) {
        args[0] = func_eval(FUNC_EQ, in->type, eq);
        args[1] = in->y[k];
        args[2] = in->x[k];
    }
    return func_eval(f, in->type, args);
}

static const struct expr *function_expr(struct program *p, enum func f) {
    const struct expr *x = load(p, 0), *y = load(p, 1);
    if (func_info(f)->rule == RULE_SELECT)
        return expr_3(p->ast->arena, f, expr_2(p->ast->arena, FUNC_EQ, x, y), y, x);
    return func_info(f)->arity == 1 ? expr_1(p->ast->arena, f, x)
                                    : expr_2(p->ast->arena, f, x, y);
}

static void check_functions(const struct pairs *in, const char *out, size_t len) {
    const char *at = out;
    for (int f = 0; f < FUNC_COUNT; f++) {
        enum dtype t;
        int64_t bytes;
        if (!function_args((enum func)f, in->type, &t))
            continue;
        ck_assert(dtype_bytes(t, in->n, &bytes) && at + bytes <= out + len);
        for (int64_t k = 0; k < in->n; k++) {
            union scalar got = dtype_load(t, at, k);
            union scalar want = function_value((enum func)f, in, k);
            ck_assert_msg(same_value(t, got, want),
                          "%s of %s: pair %lld: got %lld (%g), expected %lld (%g)",
                          func_info((enum func)f)->text, dtype_info(in->type)->text,
                          (long long)k, (long long)got.i, got.f, (long long)want.i, want.f);
        }
        at += bytes;
    }
    ck_assert(at == out + len);
}

START_TEST(functions) {
    struct pairs *in = malloc(sizeof *in);
    struct program p;
    char *out;
    size_t len;
    pairs_make(in, (enum dtype)_i);
    start_pairs(&p, in);
    for (int f = 0; f < FUNC_COUNT; f++) {
        enum dtype t;
        if (function_args((enum func)f, in->type, &t))
            add_assignment(&p, in->n, "r", function_expr(&p, (enum func)f));
    }
    ck_assert(ast_check(p.ast, &p.diag));
    program_emit(&p);
    ck_assert_int_eq(program_run(&p, driver, in->bytes.data, in->bytes.len, &out, &len), 0);
    check_functions(in, out, len);
    free(out);
    program_free(&p);
    str_free(&in->bytes);
    free(in);
}
END_TEST

START_TEST(conversions) {
    struct pairs *in = malloc(sizeof *in);
    struct program p;
    char *out;
    size_t len;
    pairs_make(in, (enum dtype)_i);
    start_pairs(&p, in);
    for (int t = DTYPE_F32; t < DTYPE_INDEX; t++)
        add_assignment(&p, in->n, "r", expr_cast(p.ast->arena, (enum dtype)t, load(&p, 0)));
    program_emit(&p);
    ck_assert_int_eq(program_run(&p, driver, in->bytes.data, in->bytes.len, &out, &len), 0);
    const char *at = out;
    for (int t = DTYPE_F32; t < DTYPE_INDEX; t++) {
        int64_t bytes;
        ck_assert(dtype_bytes((enum dtype)t, in->n, &bytes) && at + bytes <= out + len);
        for (int64_t k = 0; k < in->n; k++)
            ck_assert_msg(same_value((enum dtype)t, dtype_load((enum dtype)t, at, k),
                                     dtype_convert((enum dtype)t, in->type, in->x[k])),
                          "%s to %s: value %lld", dtype_info(in->type)->text,
                          dtype_info((enum dtype)t)->text, (long long)k);
        at += bytes;
    }
    free(out);
    program_free(&p);
    str_free(&in->bytes);
    free(in);
}
END_TEST

/* ---- constants ---- */

/* Sizes around the limits of numbers and rows. */
static const int64_t sizes[] = {1, 255, 256, 257, 4079, 4080, 4081, 8160, 10007};

START_TEST(constants) {
    int64_t n = sizes[_i];
    struct program p;
    char *data = malloc((size_t)n), *out;
    size_t len;
    uint32_t state = 1;
    for (int64_t k = 0; k < n; k++)
        data[k] = (char)((state = state * 1664525 + 1013904223) >> 24);
    program_init(&p);
    p.ast = ast_new(&p.names, "t");
    struct buffer b = {
        .kind = BUFFER_CONST, .dtype = DTYPE_U8, .max_elements = n, .data = data, .bytes = n};
    b.elements = expr_index(p.ast->arena, n);
    ast_add_buffer(p.ast, b);
    ast_add_buffer(p.ast, b); // the same once more
    add_assignment(&p, n, "r", expr_2(p.ast->arena, FUNC_BITAND, load(&p, 0), load(&p, 1)));
    program_emit(&p);
    ck_assert_int_eq(p.figures.weight_bytes, n);
    ck_assert_int_eq(program_run(&p, driver, "", 0, &out, &len), 0);
    ck_assert_int_eq((int64_t)len, n);
    ck_assert_mem_eq(out, data, (size_t)n);
    free(out);
    free(data);
    program_free(&p);
}
END_TEST

/* ---- whole programs against the interpreter ---- */

// clang-format off
static const char *const programs[] = {
    /* index arithmetic of either sign */
    "ast \"t\"\n"
    "output b0: i64[40] \"r\" [40]\n"
    "nest \"\" { for i = -20..20 {\n"
    "    b0[i + 20] = i64((3 * i - 5) / 4 + 100 * ((i + 7) % 6) + max(i, 2) * min(i, 3) - (i < 0 ? i : 2 * i))\n"
    "} }\n",
    /* … beyond int32_t */
    "ast \"t\"\n"
    "output b0: i64[9] \"r\" [9]\n"
    "nest \"\" { for i = -4..5 {\n"
    "    b0[i + 4] = i64(i * 3000000000 / 7 + i * 2000000000 % 1000)\n"
    "} }\n",
    /* steps, ifs, scalars */
    "ast \"t\"\n"
    "input b0: f32[9] \"x\" [9]\n"
    "output b1: f32[9] \"r\" [9]\n"
    "nest \"\" {\n"
    "    for i = 0..9 by 2 {\n"
    "        let s: f32 = b0[i]\n"
    "        if s < 0.0 { set s = s * s } else { set s = s + 1.0 }\n"
    "        b1[i] = s\n"
    "    }\n"
    "    for i = 1..9 by 2 { b1[i] = b0[i] * 2.0 }\n"
    "}\n",
    /* a condition, and a nest inside a loop */
    "ast \"t\"\n"
    "temp b0: bool[1]\n"
    "output b1: i32[6] \"r\" [6]\n"
    "nest \"\" { b0[0] = true\n"
    "    for i = 0..6 { b1[i] = 7i32 } }\n"
    "for t = 0..6 while b0[0] {\n"
    "    nest \"\" @ \"loop/body\" { b1[t] = i32(t)\n"
    "        b0[0] = t < 3 }\n"
    "}\n",
    /* packed elements */
    "ast \"t\"\n"
    "input b0: i4[7] \"x\" [7]\n"
    "input b1: u2[9] \"y\" [9]\n"
    "output b2: i4[7] \"r\" [7]\n"
    "output b3: u2[9] \"s\" [9]\n"
    "nest \"\" { for i = 0..7 { b2[6 - i] = b0[i] } }\n"
    "nest \"\" { for i = 0..9 { b3[i] = b1[8 - i] } }\n",
    /* … of a symbolic number */
    "ast \"t\"\n"
    "symbol N max 5\n"
    "input b0: u4[N] \"x\" [N]\n"
    "output b1: u4[N] \"r\" [N]\n"
    "nest \"\" { for i = 0..N { b1[N - 1 - i] = b0[i] } }\n",
    /* a tile with a tail */
    "ast \"t\"\n"
    "input b0: f32[35] \"x\" [5,7]\n"
    "input b1: f32[21] \"y\" [7,3]\n"
    "output b2: f32[15] \"r\" [5,3]\n"
    "nest \"gemm\" { for t = 0..5 by 2 {\n"
    "    tile (m: 2<=min(2, 5 - t) row, n: 3 vec, k: 7 red)\n"
    "        b2[3*(t+m) + n] = max(reduce(add, [k: 7], b0[7*(t+m) + k] * b1[3*k + n]), 0.0)\n"
    "} }\n",
    /* temporaries that share memory under different types */
    "ast \"t\"\n"
    "input b0: f32[8] \"x\" [8]\n"
    "temp b1: f32[8]\n"
    "temp b2: i32[8]\n"
    "temp b3: i64[8]\n"
    "output b4: f32[8] \"r\" [8]\n"
    "nest \"\" { for i = 0..8 { b1[i] = b0[i] * 3.0 } }\n"
    "nest \"\" { for i = 0..8 { b2[i] = i32(b1[i]) } }\n"
    "nest \"\" { for i = 0..8 { b3[i] = i64(b2[i]) + 1i64 } }\n"
    "nest \"\" { for i = 0..8 { b4[i] = f32(b3[7 - i]) } }\n",
    /* names that C or the printer has its own use for */
    "ast \"t\"\n"
    "input b0: f32[2] \"int\" [2]\n"
    "input b1: f32[2] \"arena\" [2]\n"
    "input b2: f32[2] \"b3\" [2]\n"
    "output b3: f32[2] \"*/\" [2]\n"
    "output b4: f32[2] \"a/b\" [2]\n"
    "output b5: f32[2] \"a.b\" [2]\n"
    "nest \"*/ ?\?/\" @ \"/*\" { for I = 0..2 { b3[I] = b0[I] + b1[I] + b2[I] } }\n"
    "nest \"\\\" /\\\\\" @ \"a\\\"b\" { for y1 = 0..2 { b4[y1] = b0[y1]\n"
    "    b5[y1] = 1.0 } }\n",
    /* no inputs, an output without elements, a rank of 0 */
    "ast \"t\"\n"
    "output b0: f32[0] \"none\" [0,3]\n"
    "output b1: f32[1] \"one\" []\n"
    "nest \"\" { b1[0] = 2.0 }\n",
    /* scalars of the run function */
    "ast \"t\"\n"
    "input b0: f32[4] \"x\" [4]\n"
    "output b1: f32[4] \"r\" [4]\n"
    "let s: f32 = b0[0]\n"
    "for t = 0..4 {\n"
    "    nest \"reads s\" { b1[t] = s + f32(t) }\n"
    "    nest \"sets s\" { set s = s * 2.0 }\n"
    "}\n",
    /* a symbol */
    "ast \"t\"\n"
    "symbol N max 5\n"
    "input b0: f32[N] \"x\" [N]\n"
    "output b1: f32[N] \"r\" [N]\n"
    "nest \"\" { for i = 0..N { b1[i] = b0[N - i - 1] + f32(N) } }\n",
};
// clang-format on

START_TEST(program) {
    struct program p;
    struct str in = {0}, want = {0};
    char *out;
    size_t len;
    program_read(&p, programs[_i]);
    ck_assert_int_eq(interpret(&p, &in, &want), 0);
    program_emit(&p);
    ck_assert_int_eq(program_run(&p, driver, str_cstr(&in), in.len, &out, &len), 0);
    ck_assert_uint_eq(len, want.len);
    ck_assert_mem_eq(out, want.data, len);
    free(out);
    str_free(&in);
    str_free(&want);
    program_free(&p);
}
END_TEST

/* ---- errors at run time ---- */

// clang-format off
static const struct {
    const char *text;
    int code;
} failures[] = {
    {"ast \"t\"\n"
     "input b0: i64[2] \"x\" [2]\n"
     "const b1: f32[2] = {1, 2}\n"
     "output b2: f32[2] \"r\" [2]\n"
     "nest \"\" { for i = 0..2 { b2[i] = b1[check(b0[i], 0, 1)] } }\n", 2},
    {"ast \"t\"\n"
     "input b0: i64[2] \"x\" [2]\n"
     "const b1: f32[2] = {1, 2}\n"
     "output b2: f32[2] \"r\" [2]\n"
     "for i = 0..2 { b2[i] = b1[check(b0[i], 0, 1)] }\n", 2},
    {"ast \"t\"\n"
     "input b0: i64[2] \"x\" [2]\n"
     "output b1: f32[1] \"r\" [1]\n"
     "nest \"\" { b1[0] = 1.0 }\n"
     "require b0[1] == 5i64 else SHAPE\n", 3},
    {"ast \"t\"\n"
     "input b0: i64[2] \"x\" [2]\n"
     "output b1: f32[1] \"r\" [1]\n"
     "nest \"\" { require b0[1] == 5i64 else SHAPE\n b1[0] = 1.0 }\n", 3},
    {"ast \"t\"\n"
     "symbol N max 2\n"
     "input b0: i64[N] \"x\" [N]\n"
     "output b1: i64[N] \"r\" [N]\n"
     "nest \"\" { for i = 0..N { b1[i] = b0[i] } }\n", 4},
};
// clang-format on

START_TEST(failure) {
    struct program p;
    int64_t in[2] = {-3, 9};
    char *out;
    size_t len;
    program_read(&p, failures[_i].text);
    program_emit(&p);
    ck_assert_int_eq(program_run(&p, driver, in, sizeof in, &out, &len), failures[_i].code);
    program_free(&p);
}
END_TEST

/* The typed entry and the descriptor refuse each pointer that is missing. */
static const char null_main[] =
    "#include \"m.h\"\n"
    "#define REFUSED(x) if ((x) != NNCC_E_ARG) return __LINE__ % 200\n"
    "int main(void) {\n"
    "    static union { double align[64]; unsigned char bytes[512]; } arena;\n"
    "    float x[4] = {1, 2, 3, 4}, r[4];\n"
    "    const void *in[] = {x}; void *out[] = {r}; const void *none[] = {0}; void *nowhere[] "
    "= {0};\n"
    "    nncc_call call = {in, out, &arena, 0, 0, 0, {0, 0}}, c;\n"
    "    while ((uintptr_t)call.arena % M_ARENA_ALIGN) call.arena = (char *)call.arena + 1;\n"
    "    void *a = call.arena;\n"
    "    REFUSED(m_run(0, r, a));\n    REFUSED(m_run(x, 0, a));\n    REFUSED(m_run(x, r, 0));\n"
    "    REFUSED(m_run(x, r, (char *)a + 1));\n"
    "    REFUSED(m_model.run(0));\n"
    "    c = call; c.inputs = 0; REFUSED(m_model.run(&c));\n"
    "    c = call; c.outputs = 0; REFUSED(m_model.run(&c));\n"
    "    c = call; c.arena = 0; REFUSED(m_model.run(&c));\n"
    "    c = call; c.inputs = none; REFUSED(m_model.run(&c));\n"
    "    c = call; c.outputs = nowhere; REFUSED(m_model.run(&c));\n"
    "    c = call; c.weights = x; REFUSED(m_model.run(&c));\n"
    "    if (m_run(x, r, a) || r[3] != 9.0f || m_model.run(&call)) return 201;\n"
    "    return m_model.arena_bytes != M_ARENA_BYTES || m_model.macs != M_MACS || m_model.abi "
    "!= 1;\n}\n";

START_TEST(missing_pointers) {
    struct program p;
    char *out;
    size_t len;
    program_read(&p, "ast \"t\" macs 7\ninput b0: f32[4] \"x\" [4]\ntemp b1: f32[4]\noutput "
                     "b2: f32[4] \"r\" [4]\n"
                     "nest \"\" { for i = 0..4 { b1[i] = b0[i] * 2.0 } }\nnest \"\" { for i = "
                     "0..4 { b2[3 - i] = b1[3 - i] + 1.0 } }\n");
    program_emit(&p);
    ck_assert_int_eq(program_run(&p, null_main, "", 0, &out, &len), 0);
    program_free(&p);
}
END_TEST

/* The header behind the types it shares with all others. */
// clang-format off
static const char header_text[] =
    "#define M_ARENA_BYTES  256 /* RAM for the arena argument */\n"
    "#define M_ARENA_ALIGN  16 /* of its address */\n"
    "#define M_WEIGHT_BYTES 0 /* constant data */\n"
    "#define M_STACK_BYTES  196 /* upper bound, built by gcc with -Os or -O2 */\n"
    "#define M_MACS         UINT64_C(3000000000) /* multiply-accumulates of one run */\n"
    "\n"
    "#ifdef __cplusplus\n"
    "extern \"C\" {\n"
    "#endif\n"
    "\n"
    "/* One run. Returns 0 or NNCC_E_ARG, NNCC_E_INDEX, NNCC_E_SHAPE, NNCC_E_SYMBOL. Reentrant; needs no set-up.\n"
    " * Tensors need the alignment of their elements and must not overlap.\n"
    " * input   x: float [N,4] \"x\"\n"
    " * input   N_2: bool [] \"N\"\n"
    " * output  y: float [N,4] \"y\", may be the memory of x\n"
    " * arena: M_ARENA_BYTES bytes at a multiple of M_ARENA_ALIGN, free to use between runs. */\n"
    "int m_run(int32_t N, const float *x, const uint8_t N_2[1], float *y, void *arena);\n"
    "\n"
    "/* The same for hosts that load any model. */\n"
    "extern const nncc_model m_model;\n"
    "\n"
    "#ifdef __cplusplus\n"
    "}\n"
    "#endif\n"
    "\n"
    "#endif\n";

static const char header_ast[] =
    "ast \"t\" macs 3000000000\n"
    "symbol N max 16\n"
    "input b0: f32[4*N] \"x\" [N,4]\n"
    "input b1: bool[1] \"N\" []\n"
    "temp b2: f32[4*N]\n"
    "output b3: f32[4*N] \"y\" [N,4] alias 0\n"
    "nest \"a\" { for i = 0..4*N { b2[i] = b0[i] + (b1[0] ? 1.0 : 0.0) } }\n"
    "nest \"b\" { for i = 0..4*N { b3[4*N - 1 - i] = b2[i] } }\n";
// clang-format on

START_TEST(header) {
    struct program p;
    program_read(&p, header_ast);
    program_emit(&p);
    const char *at = strstr(str_cstr(&p.header), "#define M_ARENA_BYTES");
    ck_assert(at != NULL);
    ck_assert_str_eq(at, header_text);
    program_free(&p);
}
END_TEST

/* Printing twice gives the same bytes. */
START_TEST(repeatable) {
    struct program p, q;
    program_read(&p, programs[5]);
    program_read(&q, programs[5]);
    program_emit(&p);
    program_emit(&q);
    ck_assert_str_eq(str_cstr(&p.source), str_cstr(&q.source));
    ck_assert_str_eq(str_cstr(&p.header), str_cstr(&q.header));
    program_free(&p);
    program_free(&q);
}
END_TEST

/* C for a target whose half it takes may use both. */
START_TEST(half_targets) {
    const struct cpu *cpu;
    int halves = 0;
    for (int k = 0; (cpu = target_list(k)); k++) {
        const struct target *whole = &cpu->target, *half = target_half(whole);
        if (!half)
            continue;
        halves++;
        ck_assert_int_eq(2 * half->vector_bytes, whole->vector_bytes);
        ck_assert_str_eq(half->header, whole->header);
        char wanted[64];
        ck_assert_uint_lt(strlen(half->attribute), sizeof wanted);
        strcpy(wanted, half->attribute);
        for (char *word = strtok(wanted, ","); word; word = strtok(NULL, ","))
            ck_assert_ptr_nonnull(strstr(whole->attribute, word));
    }
    ck_assert_int_gt(halves, 0);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

static Suite *suite(void) {
    Suite *s = suite_create("codegen");
    TCase *text = tcase_create("text"), *run = tcase_create("run");
    tcase_add_loop_test(text, identifier, 0, COUNT(identifiers));
    tcase_add_test(text, names_are_unique);
    tcase_add_loop_test(text, comment, 0, COUNT(comments));
    tcase_add_loop_test(text, literal, 0, COUNT(literals));
    tcase_add_loop_test(text, expression, 0, COUNT(expressions));
    tcase_add_test(text, header);
    tcase_add_test(text, repeatable);
    tcase_add_test(text, half_targets);
    tcase_set_timeout(run, 60);
    tcase_add_loop_test(run, functions, DTYPE_F32, DTYPE_INDEX);
    tcase_add_loop_test(run, conversions, DTYPE_F32, DTYPE_INDEX);
    tcase_add_loop_test(run, constants, 0, COUNT(sizes));
    tcase_add_loop_test(run, program, 0, COUNT(programs));
    tcase_add_loop_test(run, failure, 0, COUNT(failures));
    tcase_add_test(run, missing_pointers);
    suite_add_tcase(s, text);
    suite_add_tcase(s, run);
    return s;
}

int main(void) {
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
