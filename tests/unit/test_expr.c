/* ir/expr.c, expr_text.c, expr_rewrite.c, function.c: expressions in, their simplified print
 * out; errors; and random expressions, which must read back equal and mean the same before and
 * after simplification. */
#include "ir/diag.h"
#include "ir/expr.h"
#include "ir/text.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

struct fixture {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
    struct text text;
    struct expr_scope scope;
};

/* Names of the tests: h…n index, b bool, u u8, q i64, w u64, x y z f32, d f64; arrays A, B:
 * f32[2], C: i64[2], D: f32[], E: u64[1]; T is the type variable f64. */
static const char *const arrays[] = {"A", "B", "C", "D", "E"};

static enum dtype type_of(const char *name) {
    static const struct {
        const char *letters;
        enum dtype t;
    } types[] = {
        {"hijklmn", DTYPE_INDEX}, {"b", DTYPE_BOOL},  {"u", DTYPE_U8},  {"q", DTYPE_I64},
        {"w", DTYPE_U64},         {"xyz", DTYPE_F32}, {"d", DTYPE_F64},
    };
    for (int k = 0; k < ROWS(types); k++)
        if (strchr(types[k].letters, name[0]))
            return types[k].t;
    return DTYPE_NONE;
}

static const struct expr *name_meaning(void *user, const char *name) {
    struct fixture *f = user;
    enum dtype t = name[1] ? DTYPE_NONE : type_of(name);
    return t ? expr_var(&f->arena, t, name) : NULL;
}

static bool array_meaning(void *user, const char *name, int *array, enum dtype *t, int *rank) {
    (void)user;
    if (name[0] < 'A' || name[0] > 'E' || name[1])
        return false;
    *array = name[0] - 'A';
    *t = name[0] == 'C' ? DTYPE_I64 : name[0] == 'E' ? DTYPE_U64 : DTYPE_F32;
    *rank = name[0] == 'D' ? 0 : name[0] == 'E' ? 1 : 2;
    return true;
}

static enum dtype type_meaning(void *user, const char *name) {
    (void)user;
    return strcmp(name, "T") == 0 ? DTYPE_F64 : DTYPE_NONE;
}

static void start(struct fixture *f) {
    *f = (struct fixture){.names = {.arena = &f->arena}, .diag = {.sink = &f->messages}};
    f->scope = (struct expr_scope){name_meaning, array_meaning, type_meaning, f};
}

static const struct expr *read(struct fixture *f, const char *input, enum dtype want) {
    text_init(&f->text, &f->diag, &f->arena, &f->names, "t", input, strlen(input));
    return expr_read(&f->text, &f->scope, want);
}

static void finish(struct fixture *f) {
    intern_free(&f->names);
    arena_free(&f->arena);
    str_free(&f->messages);
}

/* ---- text in, text out ---- */

struct row {
    const char *in, *out;
    enum dtype want;
};

static const struct row rows[] = {
    // literals
    {"12", "12", 0},
    {"1.5", "1.5", 0},
    {"12", "12.0", DTYPE_F32},
    {"12", "12u8", DTYPE_U8},
    {"1 / 3", "0", 0},
    {"1 / 3", "0.33333334", DTYPE_F32},
    {"1 / 3 * x", "0.33333334 * x", 0},
    {"x * (2 + 0.5)", "x * 2.5", 0},
    {"q + 3", "q + 3i64", 0},
    {"u + 255", "u + 255u8", 0},
    {"w + 18446744073709551615", "w + 18446744073709551615u64", 0},
    {"q + -9223372036854775808", "q + -9223372036854775808i64", 0},
    {"f64(0.1)", "0.1f64", 0},
    {"i32(1.7)", "1i32", 0},
    {"u8(-1i32)", "255u8", 0},
    {"T(x) * 0.1", "f64(x) * 0.1f64", 0},
    {"true", "true", 0},
    {"-0.0", "-0.0", 0},
    {"x + inf", "x + inff32", 0},
    {"-inff64", "-inff64", 0},
    {"x < 0 ? 0.1 * x : x", "x < 0.0 ? 0.1 * x : x", 0},
    {"b ? 1 : 2", "b ? 1 : 2", 0},
    {"b ? 1 : 2.5", "b ? 1.0 : 2.5", 0},
    {"b ? 1 : x", "b ? 1.0 : x", 0},
    {"d * (b ? 1 : 2)", "d * (b ? 1.0f64 : 2.0f64)", 0},
    {"pow(2, x)", "pow(2.0, x)", 0},
    {"1 < 2", "true", 0},
    // precedence: the fewest parentheses that say the same
    {"(x + y) + z", "x + y + z", 0},
    {"x + (y + z)", "x + (y + z)", 0},
    {"x - (y - z)", "x - (y - z)", 0},
    {"(x * y) + z", "x * y + z", 0},
    {"(x + y) * z", "(x + y) * z", 0},
    {"x / (y * z)", "x / (y * z)", 0},
    {"-(x * y)", "-(x * y)", 0},
    {"(-x) * y", "-x * y", 0},
    {"2 * -x", "2.0 * -x", 0},
    {"x - -y", "x - -y", 0},
    {"x - -1", "x - -1.0", 0},
    {"x--1", "x - -1.0", 0},
    {"-(-x)", "x", 0},
    {"~~u", "u", 0},
    {"-~u", "-~u", 0},
    {"u & 1 | u << 2 ^ u", "u & 1u8 | u << 2u8 ^ u", 0},
    {"u & (1 | u) << 2", "u & (1u8 | u) << 2u8", 0},
    {"(u & 1) == 0", "(u & 1u8) == 0u8", 0},
    {"x < y == b", "x < y == b", 0},
    {"b == (x < y)", "b == x < y", 0},
    {"(b == b) == b", "b == b == b", 0},
    {"b == (b == b)", "b == (b == b)", 0},
    {"b && x < y || !b", "b && x < y || !b", 0},
    {"b && (b || x < y)", "b && (b || x < y)", 0},
    {"!(x < y)", "!(x < y)", 0},
    {"b ? x : b ? y : z", "b ? x : b ? y : z", 0},
    {"(b ? x : y) + z", "(b ? x : y) + z", 0},
    {"b ? b ? x : y : z", "b ? b ? x : y : z", 0},
    {"(b ? b : !b) ? x : y", "(b ? b : !b) ? x : y", 0},
    // index expressions have one form
    {"2 * i + j - 3 + 1", "i * 2 + j - 2", 0},
    {"1 + i", "i + 1", 0},
    {"i + -1", "i - 1", 0},
    {"(i + 1) + (j + 2)", "i + j + 3", 0},
    {"(i + 1) - (j + 2)", "i - j - 1", 0},
    {"-i", "0 - i", 0},
    {"-i + j", "j - i", 0},
    {"-i - j + 5", "5 - (i + j)", 0},
    {"5 - i + 3", "8 - i", 0},
    {"5 - (3 - i)", "i + 2", 0},
    {"i - (0 - j)", "i + j", 0},
    {"i - (j - k)", "i - (j - k)", 0},
    {"i + 3 - 3", "i", 0},
    {"2 * i * 3", "i * 6", 0},
    {"i * -1 * -1", "i", 0},
    {"i * 0 + j", "j", 0},
    {"i / 1 + j % 1", "i", 0},
    {"mod(i, 4)", "i % 4", 0},
    {"-7 / 2", "-4", 0},
    {"-7 % 2", "1", 0},
    {"min(i, i) + max(3, 4)", "i + 4", 0},
    {"i * 2 / 2", "i * 2 / 2", 0},
    {"(i + 1) * 2", "(i + 1) * 2", 0},
    {"i < j ? i : j", "i < j ? i : j", 0},
    {"k + 9223372036854775807 + 5", "k + 9223372036854775807 + 5", 0},
    {"9223372036854775807 * 2", "9223372036854775807 * 2", 0},
    {"0 - -9223372036854775808 + 3", "0 - -9223372036854775808 + 3", 0},
    {"i - (0 - -9223372036854775808)", "i - (0 - -9223372036854775808)", 0},
    {"-2 - (i + 9223372036854775806)", "-9223372036854775808 - i", 0},
    {"-3 - (i + 9223372036854775806) + 5", "-3 - (i + 9223372036854775806) + 5", 0},
    {"clamp(C[i,j], 0, n - 1)", "clamp(C[i,j], 0, n - 1)", 0},
    {"clamp(300u8 ? 1 : 2, 0, 1)", NULL, 0},
    {"clamp(w, 0, 7)", "clamp(w, 0, 7)", 0},
    {"clamp(18446744073709551615u64, 0, 7)", "7", 0},
    {"clamp(-3, 0, 7)", "0", 0},
    {"check(3, 0, 7)", "3", 0},
    {"check(8, 0, 7)", "check(8, 0, 7)", 0},
    {"check(i, 0, 7) * 0", "check(i, 0, 7) * 0", 0},
    {"check(i, 0, 7) % 1", "check(i, 0, 7) % 1", 0},
    {"A[check(C[i,j], 0, 3),2 * j]", "A[check(C[i,j], 0, 3),j * 2]", 0},
    {"f32(i) + D[]", "f32(i) + D[]", 0},
    {"c%16", NULL, 0},
    {"n%16", "n % 16", 0},
    // values: only what is exact
    {"x + 0", "x + 0.0", 0},
    {"x + -0.0", "x", 0},
    {"-0.0 + x", "x", 0},
    {"x - 0", "x", 0},
    {"x - -0.0", "x - -0.0", 0},
    {"x * 1 / 1", "x", 0},
    {"x * 0", "x * 0.0", 0},
    {"q * 0 + q * 1 - 0", "q", 0},
    {"q % 1", "0i64", 0},
    {"q / 0", "q / 0i64", 0},
    {"7i32 / 0", "0i32", 0},
    {"7i32 % 0", "0i32", 0},
    {"-7i32 / 2", "-3i32", 0},
    {"-7i32 % 2", "-1i32", 0},
    {"mod(-7i32, 2)", "1i32", 0},
    {"mod(7i32, -2)", "-1i32", 0},
    {"mod(-7.5, 2)", "mod(-7.5, 2.0)", 0},
    {"-128i8 / -1", "-128i8", 0},
    {"-9223372036854775808i64 / -1", "-9223372036854775808i64", 0},
    {"-9223372036854775808i64 % -1", "0i64", 0},
    {"200u8 + 100", "44u8", 0},
    {"abs(-128i8)", "-128i8", 0},
    {"-(-128i8)", "-128i8", 0},
    {"~0u8", "255u8", 0},
    {"sign(-3i8) + sign(0i8)", "-1i8", 0},
    {"sign(3u64)", "1u64", 0},
    {"1u8 << 8", "0u8", 0},
    {"-1i8 >> 100", "-1i8", 0},
    {"-1i8 >> -1", "-1i8", 0},
    {"128u8 >> 7", "1u8", 0},
    {"1i32 << -1", "0i32", 0},
    {"18446744073709551615u64 >> 63", "1u64", 0},
    {"18446744073709551615u64 > 1", "true", 0},
    {"pow(3i8, 5)", "-13i8", 0},
    {"pow(-1i32, -3)", "-1i32", 0},
    {"pow(2i32, -1)", "0i32", 0},
    {"0.1 + 0.2", "0.3", 0}, // in f32; 0.1f64 + 0.2f64 is not
    {"0.1f64 + 0.2", "0.30000000000000004f64", 0},
    {"16777216.0 + 1", "16777216.0", 0},
    {"round_even(2.5) + floor(-0.5) + ceil(0.5) + trunc(-1.5)", "1.0", 0},
    {"sqrt(2.0)", "1.4142135", 0},
    {"exp(1.0)", "exp(1.0)", 0}, // costly: left to run time
    {"isnan(nanf32) && isinf(-inff32)", "true", 0},
    {"isinf(1.0) || isinf(nanf32)", "false", 0},
    {"max(1.0, 2) - min(1.0, 2)", "1.0", 0},
    {"b && true && (b || false)", "b && b", 0},
    {"b && false || b || true", "true", 0},
    {"!!b", "b", 0},
    {"true ? x : y", "x", 0},
    {"bool(x) != b", "bool(x) != b", 0},
    {"f32(x)", "x", 0},
    // guards and reductions
    {"(A[i - 1,j] if 0 <= i - 1 < 4 && 0 <= j < n else 0)",
     "(A[i - 1,j] if 0 <= i - 1 < 4 && 0 <= j < n else 0.0)", 0},
    {"(x if 0 <= 3 < 4 else 0)", "x", 0},
    {"(x if 0 <= 4 < 4 else y)", "y", 0},
    {"(x if 0 <= 3 < 4 && 0 <= i < 2 else 0)", "(x if 0 <= i < 2 else 0.0)", 0},
    {"(1 if 0 <= i < 2 else 0.5)", "(1.0 if 0 <= i < 2 else 0.5)", 0},
    {"(b ? x : y if (i < j ? 0 : 1) <= i + 1 < 2 else b ? x : 0)",
     "(b ? x : y if (i < j ? 0 : 1) <= i + 1 < 2 else b ? x : 0.0)", 0},
    {"-(x if 0 <= i < 2 else 0) * 2", "-(x if 0 <= i < 2 else 0.0) * 2.0", 0},
    {"reduce(add, [r,s: 3, n], A[i + r,s] * B[r,s]) + 1",
     "reduce(add, [r,s: 3,n], A[i + r,s] * B[r,s]) + 1.0", 0},
    {"reduce(max, [r: 0], A[r,r])", "-inff32", 0},
    {"reduce(min, [r: 0], u)", "255u8", 0},
    {"reduce(and, [r: 4], A[r,r] < 1)", "reduce(and, [r: 4], A[r,r] < 1.0)", 0},
    {"reduce(add, [r: 4], f64(A[r,r]))", "reduce(add, [r: 4], f64(A[r,r]))", 0},
    {"reduce(add, [r: 4], 1)", "reduce(add, [r: 4], 1.0f64)", DTYPE_F64},
    {"reduce(add, [r: 3], reduce(mul, [s: r + 1], A[r,s]))",
     "reduce(add, [r: 3], reduce(mul, [s: r + 1], A[r,s]))", 0},
};

START_TEST(expressions_are_read_and_printed) {
    struct fixture f;
    struct str out = {0};
    start(&f);
    const struct expr *e = read(&f, rows[_i].in, rows[_i].want);
    if (!rows[_i].out) {
        ck_assert_ptr_null(e);
        ck_assert_int_eq(f.diag.errors, 1);
    } else {
        ck_assert_str_eq(str_cstr(&f.messages), "");
        ck_assert_ptr_nonnull(e);
        ck_assert_int_eq(f.text.tok.kind, TOK_END);
        expr_print(&out, e, arrays);
        ck_assert_str_eq(str_cstr(&out), rows[_i].out);
        const struct expr *again = read(&f, out.data, DTYPE_NONE);
        ck_assert_ptr_nonnull(again);
        ck_assert(expr_equal(e, again) && expr_equal(again, e));
    }
    str_free(&out);
    finish(&f);
}
END_TEST

static const struct {
    const char *in, *message;
} faults[] = {
    {"", "t:1: error: expected an expression, found the end of the text\n"},
    {"x +", "t:1: error: expected an expression, found the end of the text\n"},
    {"x + * y", "t:1: error: expected an expression, found '*'\n"},
    {"(x", "t:1: error: expected ')', found the end of the text\n"},
    {"x + \"s\"", "t:1: error: expected an expression, found a string\n"},
    {"what\n+ x", "t:1: error: unknown name 'what'\n"},
    {"what(x)", "t:1: error: unknown function 'what'\n"},
    {"F[i]", "t:1: error: unknown array 'F'\n"},
    {"A[i]", "t:1: error: 'A' has rank 2, found 1 indices\n"},
    {"A[i,j,k]", "t:1: error: 'A' has rank 2, found 3 indices\n"},
    {"A[i,x]", "t:1: error: expected an index, found an expression of type f32\n"},
    {"A[i,1.5]", "t:1: error: 1.5 is no index\n"},
    {"A[i", "t:1: error: expected ',', found the end of the text\n"},
    {"x + q", "t:1: error: '+' does not take f32, i64\n"},
    {"x + i", "t:1: error: '+' does not take f32, index\n"},
    {"x & 1", "t:1: error: '&' does not take f32, f32\n"},
    {"i & 1", "t:1: error: '&' does not take index, index\n"},
    {"sqrt(q)", "t:1: error: 'sqrt' does not take i64\n"},
    {"b + b", "t:1: error: '+' does not take bool, bool\n"},
    {"b < b", "t:1: error: '<' does not take bool, bool\n"},
    {"x ? y : z", "t:1: error: '?' does not take f32, f32, f32\n"},
    {"!x", "t:1: error: '!' does not take f32\n"},
    {"!1", "t:1: error: '!' does not take index\n"},
    {"q + 1.5", "t:1: error: 1.5 is no i64\n"},
    {"u + 256", "t:1: error: 256 is no u8\n"},
    {"u + -1", "t:1: error: -1 is no u8\n"},
    {"x + 1e39", "t:1: error: 1e+39 is no f32\n"},
    {"128i8", "t:1: error: 128 is no i8\n"},
    {"-129i8", "t:1: error: -129 is no i8\n"},
    {"i / 0", "t:1: error: an index divided by 0\n"},
    {"i % -2", "t:1: error: an index divided by -2\n"},
    {"index(q)", "t:1: error: a value becomes an index by clamp or check only\n"},
    {"min(x)", "t:1: error: expected ',', found ')'\n"},
    {"min(x, y, z)", "t:1: error: expected ')', found ','\n"},
    {"clamp(x, 0, 1)", "t:1: error: 'clamp' does not take f32, index, index\n"},
    {"clamp(q, 0, q)", "t:1: error: 'clamp' does not take i64, index, i64\n"},
    {"b ? x", "t:1: error: expected ':', found the end of the text\n"},
    {"(x if 0 <= i else 0)", "t:1: error: expected '<', found 'else'\n"},
    {"(x if 0 <= i < 4)", "t:1: error: expected 'else', found ')'\n"},
    {"(x if 0 <= i < 4 else q)", "t:1: error: a guard between f32 and i64\n"},
    {"(x if 0 <= y < 4 else 0)",
     "t:1: error: expected an index, found an expression of type f32\n"},
    {"reduce(sub, [r: 3], x)", "t:1: error: a reduce is by add, mul, max, min, and or or\n"},
    {"reduce(add, [r: 3], b)", "t:1: error: reduce by add does not take bool\n"},
    {"reduce(or, [r: 3], x)", "t:1: error: reduce by or does not take f32\n"},
    {"reduce(add, [r,r: 3,3], x)", "t:1: error: iterator 'r' stands twice\n"},
    {"reduce(add, [r: 3], reduce(add, [r: 3], x))", "t:1: error: iterator 'r' hides another\n"},
    {"reduce(add, [r,s: 3], x)", "t:1: error: expected ',', found ']'\n"},
    {"reduce(add, [: ], x)", "t:1: error: expected a name, found ':'\n"},
    {"reduce(add, [r: 3], x) + f32(r)", "t:1: error: unknown name 'r'\n"},
    {"0x10", "t:1: error: bad number '0x10'\n"},
    {"x `", "t:1: error: unexpected character '\\x60'\n"}, // behind a whole expression
};

START_TEST(bad_expressions_are_one_error) {
    struct fixture f;
    start(&f);
    ck_assert_ptr_null(read(&f, faults[_i].in, DTYPE_NONE));
    ck_assert_str_eq(str_cstr(&f.messages), faults[_i].message);
    ck_assert_int_eq(f.diag.errors, 1);
    finish(&f);
}
END_TEST

/* n times `open`, then "x", then n times `close`. */
static const struct expr *read_nested(struct fixture *f, const char *open, const char *close,
                                      int n) {
    struct str s = {0};
    for (int k = 0; k < n; k++)
        str_add(&s, open);
    str_add(&s, "x");
    for (int k = 0; k < n; k++)
        str_add(&s, close);
    const struct expr *e = read(f, str_cstr(&s), DTYPE_NONE);
    str_free(&s);
    return e;
}

static const struct {
    const char *open, *close;
} nests[] = {
    {"(", ")"},
    {"-", ""},
    {"sqrt(", ")"},
    {"b?x:", ""},
    {"(", "+x)"},
    {"", "+x"},
    {"(x if 0<=", "<4 else 0)"},
    {"A[0,", "]"},
    {"f64(f32(", "))"},
    {"(", " if 0 <= i < 4 else 0)"},
    {"x*(", "+x)"},
    {"reduce(add,[r: 3],", ")"},
};

START_TEST(nesting_is_bounded) {
    struct fixture f;
    start(&f);
    ck_assert_ptr_null(read_nested(&f, nests[_i].open, nests[_i].close, 100000));
    ck_assert_int_eq(f.diag.errors, 1);
    finish(&f);
}
END_TEST

START_TEST(reasonable_nesting_is_read) {
    struct fixture f;
    start(&f);
    ck_assert_ptr_nonnull(read_nested(&f, "(", ")", 150));
    ck_assert_ptr_nonnull(read_nested(&f, "", "+x", 900));
    ck_assert_ptr_nonnull(read_nested(&f, "sqrt(", ")", 150));
    ck_assert_str_eq(str_cstr(&f.messages), "");
    finish(&f);
}
END_TEST

START_TEST(an_empty_scope_knows_nothing) {
    struct fixture f;
    start(&f);
    f.scope = (struct expr_scope){0};
    const char *const unknown[] = {"x", "A[0]", "T(1)"};
    for (int k = 0; k < 3; k++)
        ck_assert_ptr_null(read(&f, unknown[k], DTYPE_NONE));
    ck_assert_int_eq(f.diag.errors, 3);
    text_init(&f.text, &f.diag, &f.arena, &f.names, "t", "1 + 2", 5);
    ck_assert(expr_is_int(expr_read(&f.text, NULL, DTYPE_NONE), 3));
    finish(&f);
}
END_TEST

/* ---- asking and rewriting ---- */

static bool small_ranges(void *user, const char *name, int64_t *lo, int64_t *hi) {
    (void)user;
    *lo = name[0] == 'j' ? -3 : 0;
    *hi = name[0] == 'n' ? INT64_MAX : 9;
    return name[0] != 'k';
}

static const struct {
    const char *in;
    bool known;
    int64_t lo, hi;
} ranges[] = {
    {"i", true, 0, 9},
    {"j * -2 + i", true, -18, 15},
    {"i * j", true, -27, 81},
    {"i - j", true, -9, 12},
    {"j / 2", true, -2, 4},
    {"j % 4", true, 0, 3},
    {"i % 16", true, 0, 9},
    {"(i + 12) % 16", true, 0, 15},
    {"(i / 9 + 12) % 16", true, 12, 13},
    {"100 / (i + 1)", true, 10, 100},
    {"i / (j + 4)", true, 0, 9},
    {"min(i, j)", true, -3, 9},
    {"max(i, j + 5)", true, 2, 14},
    {"b ? i : j", true, -3, 9},
    {"clamp(C[i,j], 2, i + 2)", true, 2, 11},
    {"clamp(C[i,j], i, 5)", true, 0, 9},
    {"clamp(k, 0, 4)", true, 0, 4},
    {"clamp(j, 0, 4)", true, 0, 4},
    {"clamp(j, -9, 4)", true, -3, 4},
    {"check(i + 1, 0, 100)", true, 1, 10},
    {"n", true, 0, INT64_MAX},
    {"n + 1", false, 0, 0},
    {"n * 2 - n", false, 0, 0},
    {"k", false, 0, 0},
    {"i / j", false, 0, 0},
    {"i % i", false, 0, 0},
    {"clamp(q, 0, k)", false, 0, 0},
};

START_TEST(ranges_are_known) {
    struct fixture f;
    int64_t lo = 0, hi = 0;
    start(&f);
    const struct expr *e = read(&f, ranges[_i].in, DTYPE_NONE);
    ck_assert_ptr_nonnull(e);
    ck_assert_int_eq(expr_range(e, small_ranges, NULL, &lo, &hi), ranges[_i].known);
    if (ranges[_i].known) {
        ck_assert_int_eq(lo, ranges[_i].lo);
        ck_assert_int_eq(hi, ranges[_i].hi);
    }
    finish(&f);
}
END_TEST

static const struct {
    const char *in, *i, *out; // i: what replaces it
} substitutions[] = {
    {"A[i,j] * f32(i + 1)", "2", "A[2,j] * 3.0"},
    {"A[i * 4 + j,i % 2]", "j + 1", "A[(j + 1) * 4 + j,(j + 1) % 2]"},
    {"reduce(add, [r: i], A[r,i])", "n", "reduce(add, [r: n], A[r,n])"},
    {"reduce(add, [r: i], A[r,i])", "0", "0.0"},
    {"(A[i,j] if 0 <= i < 4 else y)", "3", "A[3,j]"},
    {"(A[i,j] if 0 <= i < 4 else y)", "4", "y"},
    {"i < 3 ? x : y", "1", "x"},
    {"x + y", "1", "x + y"},
};

START_TEST(substitution_simplifies) {
    struct fixture f;
    struct str out = {0};
    start(&f);
    const struct expr *e = read(&f, substitutions[_i].in, DTYPE_NONE);
    const struct expr *value = read(&f, substitutions[_i].i, DTYPE_NONE);
    const char *name = "i";
    const struct expr *r = expr_subst(&f.arena, e, &name, &value, 1);
    expr_print(&out, r, arrays);
    ck_assert_str_eq(str_cstr(&out), substitutions[_i].out);
    if (strcmp(substitutions[_i].in, "x + y") == 0)
        ck_assert_ptr_eq(r, e); // nothing to do, nothing built
    str_free(&out);
    finish(&f);
}
END_TEST

/* All at once: what a node collapses to is not replaced again. */
START_TEST(substitution_is_simultaneous) {
    struct fixture f;
    struct str out = {0};
    start(&f);
    const char *const names[] = {"i", "n", "j"};
    const struct expr *values[] = {read(&f, "j", DTYPE_INDEX), read(&f, "1", DTYPE_INDEX),
                                   read(&f, "i", DTYPE_INDEX)};
    const struct expr *product =
        expr_subst(&f.arena, read(&f, "i * n", DTYPE_INDEX), names, values, 3);
    const struct expr *guard = expr_subst(
        &f.arena, read(&f, "(A[i,j] if 0 <= n < 4 else y)", DTYPE_NONE), names, values, 3);
    expr_print(&out, product, arrays);
    str_add(&out, "; ");
    expr_print(&out, guard, arrays);
    ck_assert_str_eq(str_cstr(&out), "j; A[j,i]");
    str_free(&out);
    finish(&f);
}
END_TEST

static void note_kind(void *user, const struct expr *e) {
    static const char letters[] = {'c', 'v', 'f', 't', 'l', 'g', 'r'};
    str_add_len(user, &letters[e->kind], 1);
}

START_TEST(walking_sees_arguments_first) {
    struct fixture f;
    struct str out = {0};
    start(&f);
    const char *input = "reduce(add, [r: n], (f64(A[i + r,2]) if 0 <= i < n else 0))";
    const struct expr *e = read(&f, input, DTYPE_NONE);
    ck_assert_ptr_nonnull(e);
    expr_walk(e, note_kind, &out);
    ck_assert_str_eq(str_cstr(&out), "vvfcltcvcvgvr");
    str_free(&out);
    finish(&f);
}
END_TEST

START_TEST(equality_is_structural) {
    struct fixture f;
    start(&f);
    static const struct {
        const char *a, *b;
        bool equal;
    } pairs[] = {
        {"x + y", "x + y", true},
        {"x + y", "y + x", false},
        {"0.0", "-0.0", false},
        {"nanf32", "nanf32", true},
        {"nanf32", "1.0", false},
        {"1", "1i64", false},
        {"A[i,j]", "B[i,j]", false},
        {"f64(x)", "f64(x)", true},
        {"x + y", "x - y", false},
        {"reduce(add, [r: 3], x)", "reduce(add, [s: 3], x)", false},
        {"reduce(add, [r: 3], x)", "reduce(max, [r: 3], x)", false},
        {"reduce(add, [r: 3], x)", "reduce(add, [r: 4], x)", false},
        {"(x if 0 <= i < 3 else y)", "(x if 0 <= i < 3 else y)", true},
        {"(x if 0 <= i < 3 else y)", "(x if 0 <= i < 3 else x)", false},
    };
    for (int k = 0; k < ROWS(pairs); k++) {
        const struct expr *a = read(&f, pairs[k].a, DTYPE_NONE);
        const struct expr *b = read(&f, pairs[k].b, DTYPE_NONE);
        ck_assert_msg(expr_equal(a, b) == pairs[k].equal, "%s and %s", pairs[k].a, pairs[k].b);
    }
    finish(&f);
}
END_TEST

START_TEST(constants_are_normal) {
    struct arena a = {0};
    int64_t v = 0;
    ck_assert(expr_int(&a, DTYPE_F32, 16777217)->value.f == 16777216.0);
    ck_assert(expr_float(&a, DTYPE_F32, 0.1)->value.f == (double)0.1f);
    ck_assert_int_eq(expr_int(&a, DTYPE_I8, 200)->value.i, -56);
    ck_assert_int_eq(expr_int(&a, DTYPE_BOOL, 5)->value.i, 1);
    ck_assert(expr_is_int(expr_index(&a, -4), -4));
    ck_assert(!expr_as_int(expr_int(&a, DTYPE_U64, -1), &v)); // 2^64 - 1
    ck_assert(!expr_as_int(expr_float(&a, DTYPE_F32, 1), &v));
    ck_assert(!expr_as_int(expr_int(&a, DTYPE_BOOL, 1), &v));
    arena_free(&a);
}
END_TEST

START_TEST(wrong_types_are_bugs) {
    struct arena a = {0};
    const struct expr *x = expr_var(&a, DTYPE_F32, "x"), *i = expr_var(&a, DTYPE_INDEX, "i");
    switch (_i) {
    case 0:
        expr_2(&a, FUNC_ADD, x, i);
        break;
    case 1:
        expr_func(&a, FUNC_ADD, &x, 1);
        break;
    case 2:
        expr_cast(&a, DTYPE_INDEX, x);
        break;
    case 3:
        expr_load(&a, DTYPE_F32, 0, &x, 1);
        break;
    case 4:
        expr_guard(&a, x, i, NULL, 0);
        break;
    case 5:
        expr_guard(&a, x, x, (const struct expr *[]){x, i, i}, 1);
        break;
    case 6:
        expr_reduce(&a, FUNC_SUB, DTYPE_F32, NULL, 0, x);
        break;
    default:
        expr_reduce(&a, FUNC_AND, DTYPE_F32, NULL, 0, x);
        break;
    }
}
END_TEST

/* ---- functions ---- */

START_TEST(functions_are_typed) {
    const enum dtype f32[3] = {DTYPE_F32, DTYPE_F32, DTYPE_F32};
    const enum dtype pick[3] = {DTYPE_BOOL, DTYPE_I4, DTYPE_I4};
    const enum dtype bound[3] = {DTYPE_U64, DTYPE_INDEX, DTYPE_INDEX};
    ck_assert_int_eq(func_result(FUNC_ADD, f32), DTYPE_F32);
    ck_assert_int_eq(func_result(FUNC_LT, f32), DTYPE_BOOL);
    ck_assert_int_eq(func_result(FUNC_ISNAN, f32), DTYPE_BOOL);
    ck_assert_int_eq(func_result(FUNC_AND, f32), DTYPE_NONE);
    ck_assert_int_eq(func_result(FUNC_SHL, f32), DTYPE_NONE);
    ck_assert_int_eq(func_result(FUNC_SELECT, f32), DTYPE_NONE);
    ck_assert_int_eq(func_result(FUNC_SELECT, pick), DTYPE_I4);
    ck_assert_int_eq(func_result(FUNC_CLAMP, bound), DTYPE_INDEX);
    ck_assert_int_eq(func_result(FUNC_CLAMP, f32), DTYPE_NONE);
}
END_TEST

START_TEST(monoids_have_names_and_identities) {
    static const struct {
        enum func f;
        const char *name;
        enum dtype t;
        union scalar identity;
    } monoids[] = {
        {FUNC_ADD, "add", DTYPE_F32, {.f = 0}},
        {FUNC_MUL, "mul", DTYPE_F64, {.f = 1}},
        {FUNC_MUL, "mul", DTYPE_I32, {.i = 1}},
        {FUNC_MAX, "max", DTYPE_F32, {.f = (double)-INFINITY}},
        {FUNC_MAX, "max", DTYPE_I8, {.i = -128}},
        {FUNC_MAX, "max", DTYPE_U64, {.u = 0}},
        {FUNC_MIN, "min", DTYPE_U64, {.u = UINT64_MAX}},
        {FUNC_MIN, "min", DTYPE_I4, {.i = 7}},
        {FUNC_AND, "and", DTYPE_BOOL, {.i = 1}},
        {FUNC_OR, "or", DTYPE_BOOL, {.i = 0}},
    };
    for (int k = 0; k < ROWS(monoids); k++) {
        ck_assert_str_eq(func_monoid_name(monoids[k].f), monoids[k].name);
        ck_assert_int_eq(func_monoid_from_name(monoids[k].name, strlen(monoids[k].name)),
                         monoids[k].f);
        ck_assert_uint_eq(func_identity(monoids[k].f, monoids[k].t).u, monoids[k].identity.u);
    }
    ck_assert_int_eq(func_monoid_from_name("adds", 4), FUNC_COUNT);
    ck_assert_int_eq(func_monoid_from_name("a", 1), FUNC_COUNT);
    ck_assert(!func_is_monoid(FUNC_SUB));
}
END_TEST

/* What the C library says, in the precision of the type. */
// clang-format off
#define UNARY_FLOATS(X)                                                                         \
    X(SQRT, sqrt) X(EXP, exp) X(EXPM1, expm1) X(LOG, log) X(LOG1P, log1p) X(SIN, sin)           \
    X(COS, cos) X(TAN, tan) X(ASIN, asin) X(ACOS, acos) X(ATAN, atan) X(SINH, sinh)             \
    X(COSH, cosh) X(TANH, tanh) X(ASINH, asinh) X(ACOSH, acosh) X(ATANH, atanh) X(ERF, erf)     \
    X(FLOOR, floor) X(CEIL, ceil) X(TRUNC, trunc) X(ROUND, rint) X(ABS, fabs)
// clang-format on

static bool same_float(double a, double b) {
    return isnan(a) ? isnan(b) : a == b && signbit(a) == signbit(b);
}

START_TEST(float_functions_use_the_precision_of_their_type) {
    const double values[] = {0.7, -0.3, 2.5, -7.25, 0.0, -0.0, (double)INFINITY, (double)NAN};
    for (int k = 0; k < ROWS(values); k++) {
        union scalar x = {.f = values[k]}, narrow = {.f = (double)(float)values[k]};
#define CHECK(id, name)                                                                        \
    ck_assert(same_float(func_eval(FUNC_##id, DTYPE_F64, &x).f, name(x.f)));                   \
    ck_assert(same_float(func_eval(FUNC_##id, DTYPE_F32, &narrow).f,                           \
                         (double)name##f((float)narrow.f)));
        UNARY_FLOATS(CHECK)
#undef CHECK
    }
}
END_TEST
#undef UNARY_FLOATS

START_TEST(float_functions_of_two) {
    static const struct {
        enum func f;
        double a, b, r;
    } cases[] = {
        {FUNC_REM, -7.5, 2, -1.5},
        {FUNC_MOD, -7.5, 2, 0.5},
        {FUNC_MOD, 7.5, -2, -0.5},
        {FUNC_MOD, 6, -2, 0},
        {FUNC_POW, 2, 10, 1024},
        {FUNC_MIN, -1, 2, -1},
        {FUNC_MAX, -1, 2, 2},
        {FUNC_MAX, (double)NAN, 2, 2},
        {FUNC_MAX, 2, (double)NAN, (double)NAN},
        {FUNC_DIV, 1, 0, (double)INFINITY},
        {FUNC_SUB, 1, 3, -2},
    };
    for (int k = 0; k < ROWS(cases); k++) {
        union scalar args[2] = {{.f = cases[k].a}, {.f = cases[k].b}};
        ck_assert(same_float(func_eval(cases[k].f, DTYPE_F32, args).f, cases[k].r));
        ck_assert(same_float(func_eval(cases[k].f, DTYPE_F64, args).f, cases[k].r));
    }
    union scalar sum[2] = {{.f = 16777216}, {.f = 1}};
    ck_assert(func_eval(FUNC_ADD, DTYPE_F32, sum).f == 16777216);
    ck_assert(func_eval(FUNC_ADD, DTYPE_F64, sum).f == 16777217);
}
END_TEST

/* ---- random expressions ---- */

enum { VARIABLES = 3, POINTS = 6 };

/* An expression, and its value at each point computed without the builders. */
struct sample {
    const struct expr *e;
    union scalar v[POINTS];
};

struct generator {
    struct fixture f;
    uint64_t state;
    int depth;
};

static uint64_t random_below(struct generator *g, uint64_t n) { // splitmix64
    uint64_t z = g->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % n;
}

static const enum dtype variable_types[] = {DTYPE_INDEX, DTYPE_BOOL, DTYPE_U8,
                                            DTYPE_I64,   DTYPE_F32,  DTYPE_F64};
static const char *const variable_names[][VARIABLES] = {
    {"i", "j", "k"}, {"b", "b", "b"}, {"u", "u", "u"},
    {"q", "q", "q"}, {"x", "y", "z"}, {"d", "d", "d"},
};

/* The value of a variable at a point. */
static union scalar variable_value(enum dtype t, const char *name, int point) {
    static const int values[] = {0, 1, -1, 7, -13, 2};
    int64_t v = values[(point + name[0]) % POINTS] + (point == 5 ? name[0] % 3 : 0);
    union scalar r = dtype_convert(t, DTYPE_I64, (union scalar){.i = v});
    if (dtype_is_float(t) && point % 2)
        r.f /= 4;
    return r;
}

static struct sample random_leaf(struct generator *g, int type) {
    enum dtype t = variable_types[type];
    struct sample s;
    if (random_below(g, 3)) {
        const char *name =
            intern(&g->f.names, variable_names[type][random_below(g, VARIABLES)]);
        s.e = expr_var(&g->f.arena, t, name);
        for (int p = 0; p < POINTS; p++)
            s.v[p] = variable_value(t, name, p);
        return s;
    }
    int64_t v = (int64_t)random_below(g, 6) - 2;
    if (t == DTYPE_INDEX && random_below(g, 8) == 0) // sums and products leave int64
        v = v < 0 ? INT64_MIN - v - 1 : INT64_MAX - v;
    union scalar c = dtype_convert(t, DTYPE_I64, (union scalar){.i = v});
    if (dtype_is_float(t) && v == 3)
        c.f = -0.0;
    s.e = expr_const(&g->f.arena, t, c);
    for (int p = 0; p < POINTS; p++)
        s.v[p] = c;
    return s;
}

static struct sample random_expr(struct generator *g, int type);

/* A divisor of index expressions: a positive constant. */
static struct sample random_divisor(struct generator *g) {
    int64_t v = (int64_t)random_below(g, 5) + 1;
    struct sample s = {.e = expr_index(&g->f.arena, v)};
    for (int p = 0; p < POINTS; p++)
        s.v[p].i = v;
    return s;
}

static struct sample random_call(struct generator *g, enum func f, int type) {
    enum dtype t = variable_types[type];
    const struct expr *arg[3];
    struct sample parts[3], s;
    enum func_rule rule = func_info(f)->rule;
    for (int k = 0; k < func_info(f)->arity; k++) {
        bool divisor =
            k == 1 && t == DTYPE_INDEX && (f == FUNC_DIV || f == FUNC_REM || f == FUNC_MOD);
        int part_type = rule == RULE_SELECT && k == 0 ? 1
                        : rule == RULE_INDEX && k > 0 ? 0
                                                      : type;
        parts[k] = divisor ? random_divisor(g) : random_expr(g, part_type);
        arg[k] = parts[k].e;
    }
    s.e = expr_func(&g->f.arena, f, arg, func_info(f)->arity);
    for (int p = 0; p < POINTS; p++) {
        union scalar v[3];
        for (int k = 0; k < func_info(f)->arity; k++)
            v[k] = parts[k].v[p];
        s.v[p] = func_eval(f, t, v);
    }
    return s;
}

/* Of type variable_types[type]; comparisons and clamps bring in the other types. */
static struct sample random_expr(struct generator *g, int type) {
    if (g->depth > 6 || random_below(g, 5) == 0)
        return random_leaf(g, type);
    g->depth++;
    struct sample s;
    for (;;) {
        enum func f = (enum func)random_below(g, FUNC_COUNT);
        int from = (int)random_below(g, ROWS(variable_types));
        enum dtype t = variable_types[from];
        enum dtype types[3] = {t, t, t};
        if (func_info(f)->rule == RULE_SELECT)
            types[0] = DTYPE_BOOL;
        if (func_info(f)->rule == RULE_INDEX)
            types[1] = types[2] = DTYPE_INDEX;
        bool costly = func_info(f)->flags & FLAG_COSTLY && dtype_is_float(t);
        if (f == FUNC_CHECK || costly || func_result(f, types) != variable_types[type])
            continue;
        s = random_call(g, f, from);
        break;
    }
    g->depth--;
    return s;
}

static union scalar evaluate(const struct expr *e, int point) {
    union scalar v[3];
    if (e->kind == EXPR_CONST)
        return e->value;
    if (e->kind == EXPR_VAR)
        return variable_value(e->dtype, e->name, point);
    ck_assert_int_eq(e->kind, EXPR_FUNC);
    for (int k = 0; k < e->n; k++)
        v[k] = evaluate(e->arg[k], point);
    return func_eval(e->func, e->arg[func_info(e->func)->rule == RULE_SELECT]->dtype, v);
}

static bool point_range(void *user, const char *name, int64_t *lo, int64_t *hi) {
    (void)user;
    *lo = INT64_MAX;
    *hi = INT64_MIN;
    for (int p = 0; p < POINTS; p++) {
        int64_t v = variable_value(DTYPE_INDEX, name, p).i;
        *lo = v < *lo ? v : *lo;
        *hi = v > *hi ? v : *hi;
    }
    return true;
}

static void check_sample(struct generator *g, const struct sample *s) {
    struct str text = {0};
    expr_print(&text, s->e, arrays);
    const struct expr *again = read(&g->f, str_cstr(&text), DTYPE_NONE);
    ck_assert_msg(again && expr_equal(again, s->e), "%s does not read back: %s", text.data,
                  str_cstr(&g->f.messages));
    int64_t lo = INT64_MIN, hi = INT64_MAX;
    bool known = expr_range(s->e, point_range, NULL, &lo, &hi);
    for (int p = 0; p < POINTS; p++) {
        union scalar v = evaluate(s->e, p);
        bool same = dtype_is_float(s->e->dtype) ? same_float(v.f, s->v[p].f) : v.u == s->v[p].u;
        ck_assert_msg(same, "%s has another value at point %d", text.data, p);
        ck_assert_msg(!known || (lo <= v.i && v.i <= hi), "%s leaves its range", text.data);
    }
    str_free(&text);
}

START_TEST(random_expressions_keep_their_meaning_and_read_back) {
    for (int k = 0; k < 1000; k++) {
        struct generator g = {.state = (uint64_t)k + (uint64_t)_i * 1000000};
        start(&g.f);
        g.f.scope.user = &g.f;
        struct sample s = random_expr(&g, _i);
        check_sample(&g, &s);
        finish(&g.f);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("expr");
    TCase *t = tcase_create("expr");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, expressions_are_read_and_printed, 0, ROWS(rows));
    tcase_add_loop_test(t, bad_expressions_are_one_error, 0, ROWS(faults));
    tcase_add_loop_test(t, nesting_is_bounded, 0, ROWS(nests));
    tcase_add_test(t, reasonable_nesting_is_read);
    tcase_add_test(t, an_empty_scope_knows_nothing);
    tcase_add_loop_test(t, ranges_are_known, 0, ROWS(ranges));
    tcase_add_loop_test(t, substitution_simplifies, 0, ROWS(substitutions));
    tcase_add_test(t, substitution_is_simultaneous);
    tcase_add_test(t, walking_sees_arguments_first);
    tcase_add_test(t, equality_is_structural);
    tcase_add_test(t, constants_are_normal);
    tcase_add_loop_exit_test(t, wrong_types_are_bugs, 70, 0, 8);
    tcase_add_test(t, functions_are_typed);
    tcase_add_test(t, monoids_have_names_and_identities);
    tcase_add_test(t, float_functions_use_the_precision_of_their_type);
    tcase_add_test(t, float_functions_of_two);
    tcase_add_loop_test(t, random_expressions_keep_their_meaning_and_read_back, 0,
                        ROWS(variable_types));
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
