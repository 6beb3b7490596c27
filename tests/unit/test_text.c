/* ir/text.c: tokens in, a listing of them out; numbers both ways; errors are reported once. */
#include "ir/text.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

struct fixture {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
    struct text text;
};

static void start(struct fixture *f, const char *input, size_t len) {
    *f = (struct fixture){.names = {.arena = &f->arena}, .diag = {.sink = &f->messages}};
    text_init(&f->text, &f->diag, &f->arena, &f->names, "t", input, len);
}

static void finish(struct fixture *f) {
    intern_free(&f->names);
    arena_free(&f->arena);
    str_free(&f->messages);
}

static void list_token(struct str *out, const struct tok *tok) {
    static const char *const kinds[] = {"end", "name", "value", "num",
                                        "str", "",     "hash",  "bad"};
    if (out->len)
        str_add(out, " ");
    str_add(out, kinds[tok->kind]);
    if (tok->kind == TOK_STRING)
        str_add_quoted(out, tok->text);
    else if (tok->kind == TOK_PUNCT)
        str_add(out, tok->text);
    else if (tok->kind != TOK_NUMBER)
        str_addf(out, "(%s)", tok->text);
    else if (tok->is_float)
        str_addf(out, "(%g:%s)", tok->value.f, dtype_info(tok->suffix)->text);
    else
        str_addf(out, "(%llu:%s)", (unsigned long long)tok->value.u,
                 dtype_info(tok->suffix)->text);
}

static const struct {
    const char *in, *out;
} listings[] = {
    {"", ""},
    {" \t\r\n// only this", ""},
    {"a_1.b c", "name(a_1.b) name(c)"},
    {"%4: f32[2] = Relu(%x.1)",
     "value(%4) : name(f32) [ num(2:none) ] = name(Relu) ( value(%x.1) )"},
    {"c%16 c % 16 (c)%2 [%2] f(%2)%3",
     "name(c) % num(16:none) name(c) % num(16:none) ( name(c) ) % num(2:none) "
     "[ value(%2) ] name(f) ( value(%2) ) % num(3:none)"},
    {"a\n%1", "name(a) value(%1)"},
    {"0..64 n..m 1.5 2.x", "num(0:none) .. num(64:none) name(n) .. name(m) num(1.5:none) "
                           "num(2:none) . name(x)"},
    {"1e-05 1E5 2.5e+3", "num(1e-05:none) num(100000:none) num(2500:none)"},
    {"3i32 255u8 1.5f64 2f32 7index",
     "num(3:i32) num(255:u8) num(1.5:f64) num(2:f32) num(7:index)"},
    {"18446744073709551615u64", "num(18446744073709551615:u64)"},
    {"inf nan inff32 nanf64 info infi32 nanny",
     "num(inf:none) num(nan:none) num(inf:f32) num(nan:f64) name(info) name(infi32) "
     "name(nanny)"},
    {"\"a b\" \"\\\"\\\\\\n\\t\\x41\\x7F\" \"\"",
     "str\"a b\" str\"\\\"\\\\\\x0a\\x09A\\x7f\" str\"\""},
    {"\"// no comment\"// one\nx", "str\"// no comment\" name(x)"},
    {"@1a2bF:576 @ \"n\" @x", "hash(@1a2bF:576) @ str\"n\" @ name(x)"},
    {"<<= >>= << >> <= >= == != && || -> .. += -= *= /= %= &= |= ^=",
     "<<= >>= << >> <= >= == != && || -> .. += -= *= /= %= &= |= ^="},
    {"a--b->c<d", "name(a) - - name(b) -> name(c) < name(d)"},
    {"+-*/%<> =!~&|^?:;,.()[]{}@#", "+ - * / % < > = ! ~ & | ^ ? : ; , . ( ) [ ] { } @ #"},
};

START_TEST(tokens) {
    struct fixture f;
    struct str out = {0};
    start(&f, listings[_i].in, strlen(listings[_i].in));
    for (; f.text.tok.kind != TOK_END; text_next(&f.text))
        list_token(&out, &f.text.tok);
    ck_assert_str_eq(str_cstr(&out), listings[_i].out);
    ck_assert_int_eq(f.diag.errors, 0);
    text_next(&f.text); // the end stays the end
    ck_assert_int_eq(f.text.tok.kind, TOK_END);
    str_free(&out);
    finish(&f);
}
END_TEST

static const struct {
    const char *in, *message;
} faults[] = {
    {"\"open", "t:1: error: unterminated string or bad escape\n"},
    {"\n\"open\nx\" y", "t:2: error: unterminated string or bad escape\n"},
    {"\"a\\q\"", "t:1: error: unterminated string or bad escape\n"},
    {"\"\\x00\"", "t:1: error: unterminated string or bad escape\n"},
    {"\"\\x4\"", "t:1: error: unterminated string or bad escape\n"},
    {"\"\\", "t:1: error: unterminated string or bad escape\n"},
    {"a\n\n`", "t:3: error: unexpected character '\\x60'\n"},
    {"\xc3\xa9", "t:1: error: unexpected character '\\xc3'\n"},
    {"$ $", "t:1: error: unexpected character '\\x24'\n"},
    {"0x10", "t:1: error: bad number '0x10'\n"},
    {"1e", "t:1: error: bad number '1e'\n"},
    {"1.5i32", "t:1: error: bad number '1.5i32'\n"},
    {"1bool", "t:1: error: bad number '1bool'\n"},
    {"18446744073709551616", "t:1: error: number too large\n"},
    {"1e999", "t:1: error: number too large\n"},
};

START_TEST(bad_tokens_are_one_error) {
    struct fixture f;
    start(&f, faults[_i].in, strlen(faults[_i].in));
    int count = 0;
    for (; f.text.tok.kind != TOK_END; text_next(&f.text))
        ck_assert_int_lt(count++, 10);
    ck_assert_str_eq(str_cstr(&f.messages), faults[_i].message);
    ck_assert(f.text.failed);
    text_error(&f.text, "silent");
    ck_assert_int_eq(f.diag.errors, 1);
    finish(&f);
}
END_TEST

START_TEST(text_may_hold_nul_and_end_anywhere) {
    static const char whole[] = "a %1 \"s\\x41\" 1.5e-3f32 @12:34 a.b .. // c\n <<= \0 x";
    for (size_t len = 0; len < sizeof whole; len++) {
        struct fixture f;
        char *exact = malloc(len ? len : 1); // so that reading beyond is seen
        memcpy(exact, whole, len);
        start(&f, exact, len);
        while (f.text.tok.kind != TOK_END)
            text_next(&f.text);
        ck_assert_int_le(f.diag.errors, 1);
        free(exact);
        finish(&f);
    }
}
END_TEST

START_TEST(readers_ask_and_consume) {
    const char *input = "name = \"s\"\n -5 , 7";
    struct fixture f;
    int64_t v = 0;
    start(&f, input, strlen(input));
    ck_assert(text_is(&f.text, "name") && !text_is(&f.text, "="));
    ck_assert_str_eq(text_name(&f.text), "name");
    ck_assert(!text_accept(&f.text, ","));
    ck_assert(text_expect(&f.text, "="));
    ck_assert(!text_is(&f.text, "s")); // a string is no name
    ck_assert_str_eq(text_string(&f.text), "s");
    ck_assert_int_eq(text_loc(&f.text).line, 2);
    ck_assert(text_int(&f.text, &v) && v == -5);
    ck_assert(!text_expect(&f.text, ";"));
    ck_assert_str_eq(str_cstr(&f.messages), "t:2: error: expected ';', found ','\n");
    ck_assert_ptr_null(text_name(&f.text));
    ck_assert_int_eq(f.diag.errors, 1);
    ck_assert_int_eq(f.text.tok.kind, TOK_END);
    finish(&f);
}
END_TEST

static const struct {
    const char *in, *message; // NULL: accepted
    int64_t v;
} integers[] = {
    {"9223372036854775807", NULL, INT64_MAX},
    {"-9223372036854775808", NULL, INT64_MIN},
    {"9223372036854775808", "t:1: error: integer out of range\n", 0},
    {"-9223372036854775809", "t:1: error: integer out of range\n", 0},
    {"1.0", "t:1: error: expected an integer, found '1.0'\n", 0},
    {"x", "t:1: error: expected an integer, found 'x'\n", 0},
    {"", "t:1: error: expected an integer, found the end of the text\n", 0},
};

START_TEST(integers_in_range) {
    struct fixture f;
    int64_t v = 0;
    start(&f, integers[_i].in, strlen(integers[_i].in));
    ck_assert_int_eq(text_int(&f.text, &v), !integers[_i].message);
    ck_assert_str_eq(str_cstr(&f.messages), integers[_i].message ? integers[_i].message : "");
    ck_assert_int_eq(v, integers[_i].v);
    finish(&f);
}
END_TEST

static const struct {
    enum dtype t;
    const char *in, *plain, *typed; // plain NULL: an error
} scalars[] = {
    {DTYPE_F32, "1", "1", "1.0"},
    {DTYPE_F32, "0.1", "0.1", "0.1"},
    {DTYPE_F32, "100", "100", "100.0"},
    {DTYPE_F32, "16777216", "16777216", "16777216.0"},
    {DTYPE_F32, "1e10", "1e+10", "1e+10"},
    {DTYPE_F32, "-0.0", "-0", "-0.0"},
    {DTYPE_F32, "3.14159265358979", "3.1415927", "3.1415927"},
    {DTYPE_F32, "1e-45", "1e-45", "1e-45"},
    {DTYPE_F32, "3.4028235e38", "3.4028235e+38", "3.4028235e+38"},
    {DTYPE_F32, "1e39", NULL, NULL},
    {DTYPE_F32, "-inf", "-inf", "-inff32"},
    {DTYPE_F32, "nan", "nan", "nanf32"},
    {DTYPE_F64, "0.1", "0.1", "0.1f64"},
    {DTYPE_F64, "2", "2", "2.0f64"},
    {DTYPE_F64, "0.30000000000000004", "0.30000000000000004", "0.30000000000000004f64"},
    {DTYPE_F64, "-nanf64", "-nan", "-nanf64"},
    {DTYPE_F64, "1f32", NULL, NULL},
    {DTYPE_I8, "-128", "-128", "-128i8"},
    {DTYPE_I8, "128", NULL, NULL},
    {DTYPE_I8, "-129", NULL, NULL},
    {DTYPE_I8, "1.5", NULL, NULL},
    {DTYPE_U8, "255u8", "255", "255u8"},
    {DTYPE_U8, "-1", NULL, NULL},
    {DTYPE_U8, "-0", "0", "0u8"},
    {DTYPE_U64, "18446744073709551615", "18446744073709551615", "18446744073709551615u64"},
    {DTYPE_I64, "18446744073709551615", NULL, NULL},
    {DTYPE_I4, "-8", "-8", "-8i4"},
    {DTYPE_I4, "8", NULL, NULL},
    {DTYPE_INDEX, "-7", "-7", "-7"},
    {DTYPE_BOOL, "true", "true", "true"},
    {DTYPE_BOOL, "false", "false", "false"},
    {DTYPE_BOOL, "1", NULL, NULL},
    {DTYPE_I32, "true", NULL, NULL},
};

START_TEST(scalars_both_ways) {
    struct fixture f;
    struct str out = {0};
    union scalar v = {.i = 0};
    start(&f, scalars[_i].in, strlen(scalars[_i].in));
    bool read = text_scalar(&f.text, scalars[_i].t, &v);
    ck_assert_int_eq(read, scalars[_i].plain != NULL);
    ck_assert_int_eq(f.diag.errors, !read);
    if (read) {
        text_add_scalar(&out, scalars[_i].t, v, false);
        ck_assert_str_eq(str_cstr(&out), scalars[_i].plain);
        str_free(&out);
        text_add_scalar(&out, scalars[_i].t, v, true);
        ck_assert_str_eq(str_cstr(&out), scalars[_i].typed);
    }
    str_free(&out);
    finish(&f);
}
END_TEST

static double next_double(uint64_t *state) { // splitmix64, its bits as a double
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    double d;
    memcpy(&d, &z, sizeof d);
    return d;
}

START_TEST(random_floats_read_back_exactly) {
    uint64_t state = 1;
    for (int k = 0; k < 20000; k++) {
        enum dtype t = k % 2 ? DTYPE_F64 : DTYPE_F32;
        union scalar v = {.f = next_double(&state)}, back = {.f = 0};
        if (t == DTYPE_F32) {
            float narrow = (float)ldexp(frexp(v.f, &(int){0}), (int)(state % 280) - 149);
            v.f = (double)narrow;
        }
        if (isnan(v.f))
            continue;
        struct str s = {0};
        struct fixture f;
        text_add_scalar(&s, t, v, k % 3 == 0);
        start(&f, s.data, s.len);
        ck_assert_msg(text_scalar(&f.text, t, &back) && back.u == v.u, "%a as %s", v.f, s.data);
        str_free(&s);
        finish(&f);
    }
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

int main(void) {
    Suite *s = suite_create("text");
    TCase *t = tcase_create("text");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, tokens, 0, ROWS(listings));
    tcase_add_loop_test(t, bad_tokens_are_one_error, 0, ROWS(faults));
    tcase_add_test(t, text_may_hold_nul_and_end_anywhere);
    tcase_add_test(t, readers_ask_and_consume);
    tcase_add_loop_test(t, integers_in_range, 0, ROWS(integers));
    tcase_add_loop_test(t, scalars_both_ways, 0, ROWS(scalars));
    tcase_add_test(t, random_floats_read_back_exactly);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
