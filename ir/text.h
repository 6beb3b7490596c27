/* The lexer that the readers of all text forms share, and how numbers are spelled.
 *
 * Tokens: names [A-Za-z_][A-Za-z0-9_.]*, %name (a value), numbers (with a type suffix attached:
 * 3i32), "strings" (escapes \" \\ \n \t \xHH), @hash:length, punctuation (longest match of C's
 * operators, plus -> and .., without ++ and --), end. `//` starts a comment to the end of the
 * line. Newlines are white space except that tok.line tells them apart.
 *
 * A dot belongs to a name or number only when a letter or digit follows it: `0..n` is three
 * tokens. `%` starts a value when a name character follows at once and no operand ends right
 * before it: `c%16` and `c % 16` are remainders,
 * `(%16` is a value.
 *
 * The first error is reported, then the text ends: readers see TOK_END and unwind without
 * further messages. */
#ifndef NNCC_IR_TEXT_H
#define NNCC_IR_TEXT_H

#include "ir/base.h"
#include "ir/diag.h"
#include "ir/dtype.h"

enum tok_kind {
    TOK_END,
    TOK_NAME,
    TOK_VALUE,
    TOK_NUMBER,
    TOK_STRING,
    TOK_PUNCT,
    TOK_HASH,
    TOK_BAD
};

struct tok {
    enum tok_kind kind;
    int line;
    const char *text;   // interned: the name, "%3", the punctuation, the unescaped string, the
                        // number's digits, "@…" of a HASH
    bool is_float;      // NUMBER: has . or e or a float suffix, or is inf or nan
    enum dtype suffix;  // NUMBER: DTYPE_NONE without one
    union scalar value; // NUMBER: f when is_float, else i (u beyond INT64_MAX)
};

struct text {
    struct diag *diag;
    struct arena *arena; // of what is being read
    struct intern *names;
    const char *file;
    const char *p, *end;
    int line;
    struct tok tok; // the current token
    bool failed;    // an error was reported: readers unwind
};

void text_init(struct text *t, struct diag *d, struct arena *a, struct intern *names,
               const char *file, const char *data, size_t len);
void text_next(struct text *t);
struct loc text_loc(const struct text *t);
/* Reports `file:line: error: …` once (later calls are silent), ends the text and returns false.
 */
bool text_error(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The error `expected WHAT, found TOKEN`. */
bool text_expected(struct text *t, const char *what);
bool text_is(const struct text *t,
             const char *name_or_punct); // name or punctuation equal to this
bool text_accept(struct text *t, const char *name_or_punct); // if so, consume it
bool text_expect(struct text *t, const char *name_or_punct); // else an error
const char *text_name(struct text *t);     // consume a name; NULL and error otherwise
const char *text_string(struct text *t);   // consume a string
bool text_int(struct text *t, int64_t *v); // consume an integer, '-' allowed

/* A number token, negated if `negative`, as a value of type `type`: f32 is rounded, integers
 * must be in range, a float is no integer, true and false are no numbers. False when it does
 * not fit; nothing is reported. */
bool text_number_fits(const struct tok *number, bool negative, enum dtype type,
                      union scalar *v);
/* Consumes one value of a type as text_add_scalar writes it, suffix optional; false and an
 * error otherwise. */
bool text_scalar(struct text *t, enum dtype type, union scalar *v);
/* The other way: integers in decimal, floats with the fewest digits that read back exactly,
 * `inf`, `nan`, `true`. `typed`: as a literal of its own, so floats show a dot, exponent, inf
 * or nan, and all but index, bool and finite f32 carry their type. */
void text_add_scalar(struct str *s, enum dtype type, union scalar v, bool typed);

#endif
