/* The lexer of all text forms, and numbers as text both ways. */
#include "ir/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Longest first: the first that matches is the token. */
static const char *const puncts[] = {
    "<<=", ">>=", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "->", "..",
    "+=",  "-=",  "*=", "/=", "%=", "&=", "|=", "^=", "+",  "-",  "*",  "/",
    "%",   "<",   ">",  "=",  "!",  "~",  "&",  "|",  "^",  "?",  ":",  ";",
    ",",   ".",   "(",  ")",  "[",  "]",  "{",  "}",  "@",  "#",
};

/* ---- characters (ASCII, whatever the locale) ---- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(char c) {
    return is_alpha(c) || is_digit(c);
}

/* -1 when c is no hexadecimal digit. */
static int hex_value(char c) {
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The character k after p; NUL at the end of the text. */
static char peek(const struct text *t, const char *p, ptrdiff_t k) {
    static const char none = '\0';
    return *(t->end - p > k ? p + k : &none);
}

/* ---- errors ---- */

struct loc text_loc(const struct text *t) {
    return (struct loc){.file = t->file, .line = t->tok.line};
}

bool text_error(struct text *t, const char *fmt, ...) {
    if (t->failed)
        return false;
    struct str message = {0};
    va_list args;
    va_start(args, fmt);
    str_add_va(&message, fmt, args);
    va_end(args);
    diag_error(t->diag, text_loc(t), "%s", str_cstr(&message));
    str_free(&message);
    t->failed = true;
    t->p = t->end;
    t->tok.kind = TOK_END;
    t->tok.text = "";
    return false;
}

bool text_expected(struct text *t, const char *what) {
    if (t->tok.kind == TOK_END)
        return text_error(t, "expected %s, found the end of the text", what);
    if (t->tok.kind == TOK_STRING)
        return text_error(t, "expected %s, found a string", what);
    return text_error(t, "expected %s, found '%s'", what, t->tok.text);
}

/* ---- tokens ---- */

/* Ends the current token at p. */
static void take(struct text *t, enum tok_kind kind, const char *p) {
    t->tok.kind = kind;
    t->tok.text = intern_len(t->names, t->p, (size_t)(p - t->p));
    t->p = p;
}

static void bad(struct text *t, const char *what) {
    text_error(t, "%s", what);
    t->tok.kind = TOK_BAD;
}

static void skip_space(struct text *t) {
    for (; t->p < t->end; t->p++) {
        char c = *t->p;
        if (c == '/' && peek(t, t->p, 1) == '/') {
            while (peek(t, t->p, 1) != '\n' && t->p + 1 < t->end)
                t->p++;
        } else if (c == '\n') {
            t->line++;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
    }
}

/* The end of the word at p: word characters, and dots that a word character follows. */
static const char *word_end(const struct text *t, const char *p) {
    while (p < t->end && (is_word(*p) || (*p == '.' && is_word(peek(t, p, 1)))))
        p++;
    return p;
}

static const char *digits_end(const struct text *t, const char *p) {
    while (is_digit(peek(t, p, 0)))
        p++;
    return p;
}

/* The end of the digits, fraction and exponent at t->p; sets is_float. */
static const char *number_end(struct text *t) {
    const char *p = digits_end(t, t->p);
    if (peek(t, p, 0) == '.' && is_digit(peek(t, p, 1))) {
        p = digits_end(t, p + 1);
        t->tok.is_float = true;
    }
    bool exponent = peek(t, p, 0) == 'e' || peek(t, p, 0) == 'E';
    bool with_sign = peek(t, p, 1) == '-' || peek(t, p, 1) == '+';
    if (exponent && is_digit(peek(t, p, 1 + with_sign))) {
        p = digits_end(t, p + 1 + with_sign);
        t->tok.is_float = true;
    }
    return p;
}

/* Reads the value of tok.text; false when it is too large. */
static bool number_value(struct tok *tok) {
    if (tok->is_float) {
        tok->value.f = strtod(tok->text, NULL);
        return !isinf(tok->value.f);
    }
    uint64_t v = 0;
    for (const char *p = tok->text; *p; p++)
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return false;
    tok->value.u = v;
    return true;
}

static void lex_number(struct text *t) {
    t->tok.is_float = false;
    const char *start = t->p, *digits = number_end(t), *p = digits;
    while (is_word(peek(t, p, 0)))
        p++;
    t->tok.suffix = dtype_from_text(digits, (size_t)(p - digits));
    bool float_suffix = dtype_is_float(t->tok.suffix);
    bool wrong =
        p > digits &&
        (t->tok.is_float ? !float_suffix : !float_suffix && !dtype_is_integer(t->tok.suffix));
    if (wrong || peek(t, p, 0) == '"') {
        text_error(t, "bad number '%.*s'", (int)(p - start), start);
        t->tok.kind = TOK_BAD;
        return;
    }
    t->tok.is_float |= float_suffix;
    take(t, TOK_NUMBER, digits);
    t->p = p;
    if (!number_value(&t->tok))
        bad(t, "number too large");
}

/* inf, nan, inff32, nanf64 …: a word [p, end) that is a number. */
static bool lex_special(struct text *t, const char *end) {
    size_t len = (size_t)(end - t->p);
    bool inf = len >= 3 && memcmp(t->p, "inf", 3) == 0;
    if (!inf && !(len >= 3 && memcmp(t->p, "nan", 3) == 0))
        return false;
    enum dtype suffix = dtype_from_text(t->p + 3, len - 3);
    if (len > 3 && !dtype_is_float(suffix))
        return false;
    t->tok.suffix = suffix;
    t->tok.is_float = true;
    t->tok.value.f = inf ? (double)INFINITY : (double)NAN;
    take(t, TOK_NUMBER, t->p + 3);
    t->p = end;
    return true;
}

/* One character of a string at *p, which moves on; -1 when it cannot be read. */
static int string_char(const struct text *t, const char **p) {
    char c = peek(t, *p, 0);
    if (c == '\n' || c == '\0')
        return -1;
    if (c != '\\') {
        *p += 1;
        return (unsigned char)c;
    }
    char escape = peek(t, *p, 1);
    *p += 2;
    if (escape == '"' || escape == '\\')
        return escape;
    if (escape == 'n' || escape == 't')
        return escape == 'n' ? '\n' : '\t';
    int high = escape == 'x' ? hex_value(peek(t, *p, 0)) : -1;
    int low = high >= 0 ? hex_value(peek(t, *p, 1)) : -1;
    *p += 2;
    return low >= 0 && high + low > 0 ? 16 * high + low : -1; // a NUL cannot be in a string
}

static void lex_string(struct text *t) {
    struct str s = {0};
    const char *p = t->p + 1;
    int c = 0;
    while (peek(t, p, 0) != '"' && (c = string_char(t, &p)) >= 0) {
        char one = (char)c;
        str_add_len(&s, &one, 1);
    }
    if (c < 0) {
        bad(t, "unterminated string or bad escape");
    } else {
        t->tok.kind = TOK_STRING;
        t->tok.text = intern(t->names, str_cstr(&s));
        t->p = p + 1;
    }
    str_free(&s);
}

/* @hex:decimal, all attached; false when it is something else. */
static bool lex_hash(struct text *t) {
    const char *p = t->p + 1;
    while (hex_value(peek(t, p, 0)) >= 0)
        p++;
    if (p == t->p + 1 || peek(t, p, 0) != ':' || !is_digit(peek(t, p, 1)))
        return false;
    take(t, TOK_HASH, digits_end(t, p + 1));
    return true;
}

static bool lex_punct(struct text *t) {
    size_t left = (size_t)(t->end - t->p);
    for (size_t k = 0; k < sizeof puncts / sizeof *puncts; k++) {
        size_t len = strlen(puncts[k]);
        if (len <= left && memcmp(t->p, puncts[k], len) == 0) {
            take(t, TOK_PUNCT, t->p + len);
            return true;
        }
    }
    return false;
}

static bool ends_operand(char c) {
    return is_word(c) || c == ')' || c == ']';
}

/* `before`: the character right before the token. */
static void lex_token(struct text *t, char before) {
    char c = *t->p;
    if (is_digit(c)) {
        lex_number(t);
    } else if (is_alpha(c)) {
        const char *end = word_end(t, t->p);
        if (!lex_special(t, end))
            take(t, TOK_NAME, end);
    } else if (c == '%' && is_word(peek(t, t->p, 1)) && !ends_operand(before)) {
        take(t, TOK_VALUE, word_end(t, t->p + 1));
    } else if (c == '"') {
        lex_string(t);
    } else if (!(c == '@' && lex_hash(t)) && !lex_punct(t)) {
        text_error(t, "unexpected character '\\x%02x'", (unsigned char)c);
        t->tok.kind = TOK_BAD;
    }
}

void text_next(struct text *t) {
    const char *last = t->p; // one past the previous token
    char before = '\0';
    bool first = t->tok.kind == TOK_END && t->tok.text == NULL;
    skip_space(t);
    if (t->p == last && !first && t->p < t->end)
        before = t->p[-1];
    t->tok.line = t->line;
    if (t->p < t->end) {
        lex_token(t, before);
        return;
    }
    t->tok.kind = TOK_END;
    t->tok.text = "";
}

void text_init(struct text *t, struct diag *d, struct arena *a, struct intern *names,
               const char *file, const char *data, size_t len) {
    *t = (struct text){
        .diag = d,
        .arena = a,
        .names = names,
        .file = file,
        .p = data,
        .end = data + len,
        .line = 1,
    };
    text_next(t);
}

/* ---- what readers ask for ---- */

bool text_is(const struct text *t, const char *name_or_punct) {
    bool word = t->tok.kind == TOK_NAME || t->tok.kind == TOK_PUNCT;
    return word && strcmp(t->tok.text, name_or_punct) == 0;
}

bool text_accept(struct text *t, const char *name_or_punct) {
    if (!text_is(t, name_or_punct))
        return false;
    text_next(t);
    return true;
}

bool text_expect(struct text *t, const char *name_or_punct) {
    if (text_accept(t, name_or_punct))
        return true;
    struct str what = {0};
    str_addf(&what, "'%s'", name_or_punct);
    text_expected(t, what.data);
    str_free(&what);
    return false;
}

/* Consumes a token of one kind. */
static const char *take_text(struct text *t, enum tok_kind kind, const char *what) {
    if (t->tok.kind != kind) {
        text_expected(t, what);
        return NULL;
    }
    const char *text = t->tok.text;
    text_next(t);
    return text;
}

const char *text_name(struct text *t) {
    return take_text(t, TOK_NAME, "a name");
}

const char *text_string(struct text *t) {
    return take_text(t, TOK_STRING, "a string");
}

bool text_int(struct text *t, int64_t *v) {
    bool negative = text_accept(t, "-");
    if (t->tok.kind != TOK_NUMBER || t->tok.is_float)
        return text_expected(t, "an integer");
    union scalar value;
    if (!text_number_fits(&t->tok, negative, DTYPE_I64, &value))
        return text_error(t, "integer out of range");
    *v = value.i;
    text_next(t);
    return true;
}

/* ---- numbers ---- */

static bool integer_fits(uint64_t magnitude, bool negative, enum dtype type, union scalar *v) {
    union scalar lo, hi;
    dtype_limits(type, &lo, &hi);
    if (!negative) {
        v->u = magnitude;
        return magnitude <= hi.u;
    }
    v->u = 0 - magnitude;
    return magnitude <= 0 - lo.u; // an unsigned type has lo 0
}

bool text_number_fits(const struct tok *number, bool negative, enum dtype type,
                      union scalar *v) {
    if (dtype_is_integer(type))
        return !number->is_float && integer_fits(number->value.u, negative, type, v);
    if (!dtype_is_float(type))
        return false;
    enum dtype from = number->is_float ? DTYPE_F64 : DTYPE_U64;
    union scalar r = dtype_convert(type, from, number->value);
    if (isinf(r.f) && !(number->is_float && isinf(number->value.f)))
        return false;
    v->f = negative ? -r.f : r.f;
    return true;
}

static bool text_bool(struct text *t, union scalar *v) {
    v->i = text_is(t, "true");
    if (!v->i && !text_is(t, "false"))
        return text_expected(t, "true or false");
    text_next(t);
    return true;
}

bool text_scalar(struct text *t, enum dtype type, union scalar *v) {
    if (type == DTYPE_BOOL)
        return text_bool(t, v);
    bool negative = text_accept(t, "-");
    if (t->tok.kind != TOK_NUMBER)
        return text_expected(t, "a number");
    bool own_type = t->tok.suffix == DTYPE_NONE || t->tok.suffix == type;
    if (!own_type || !text_number_fits(&t->tok, negative, type, v))
        return text_error(t, "%s%s is no %s", negative ? "-" : "", t->tok.text,
                          dtype_info(type)->text);
    text_next(t);
    return true;
}

static void add_float(struct str *s, enum dtype type, double f, bool typed) {
    char digits[40];
    bool narrow = type == DTYPE_F32;
    for (int n = 1; n <= 17; n++) {
        snprintf(digits, sizeof digits, "%.*g", n, f);
        double back = strtod(digits, NULL);
        if (back == f || (narrow && (double)(float)back == f))
            break;
    }
    if (fabs(f) < 1e7 && f == trunc(f)) // 100, not 1e+02
        snprintf(digits, sizeof digits, "%.0f", f);
    str_add(s, digits);
    if (typed && !strpbrk(digits, ".e"))
        str_add(s, ".0");
    if (typed && !narrow)
        str_add(s, dtype_info(type)->text);
}

void text_add_scalar(struct str *s, enum dtype type, union scalar v, bool typed) {
    const char *text = dtype_info(type)->text;
    if (type == DTYPE_BOOL)
        str_add(s, v.i ? "true" : "false");
    else if (dtype_is_float(type) && !isfinite(v.f))
        str_addf(s, "%s%s%s", signbit(v.f) ? "-" : "", isnan(v.f) ? "nan" : "inf",
                 typed ? text : "");
    else if (dtype_is_float(type))
        add_float(s, type, v.f, typed);
    else
        str_addf(s, type == DTYPE_U64 ? "%llu%s" : "%lld%s", (unsigned long long)v.u,
                 typed && type != DTYPE_INDEX ? text : "");
}
