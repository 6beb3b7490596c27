/* The lexer that the readers of all text forms share.
 *
 * Tokens: names [A-Za-z_][A-Za-z0-9_.]*, %name (a value), numbers (with a type suffix attached: 3i32), "strings", punctuation (longest match of
 * C's operators, plus -> and ..), end. `//` starts a comment to the end of the line. Newlines are white space except that tok.line tells them apart. */
#ifndef NNCC_IR_TEXT_H
#define NNCC_IR_TEXT_H

#include "ir/base.h"
#include "ir/diag.h"
#include "ir/dtype.h"

enum tok_kind { TOK_END, TOK_NAME, TOK_VALUE, TOK_NUMBER, TOK_STRING, TOK_PUNCT, TOK_HASH, TOK_BAD };

struct tok {
    enum tok_kind kind;
    int line;
    const char *text; // interned: the name, "%3", the punctuation, the unescaped string, the number's digits, "@…" of a HASH
    bool is_float;    // NUMBER: has . or e, or is inf or nan
    enum dtype suffix; // NUMBER: DTYPE_NONE without one
    union scalar value; // NUMBER: f when is_float, else i (u beyond INT64_MAX)
};

struct text {
    struct diag *diag;
    struct arena *arena;  // of what is being read
    struct intern *names;
    const char *file;
    const char *p, *end;
    int line;
    struct tok tok;       // the current token
    bool failed;          // an error was reported: readers unwind
};

void text_init(struct text *t, struct diag *d, struct arena *a, struct intern *names, const char *file,
               const char *data, size_t len);
void text_next(struct text *t);
struct loc text_loc(const struct text *t);
/* Reports `line N: error: expected …, found …` once (later calls are silent) and returns false. */
bool text_error(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool text_is(const struct text *t, const char *name_or_punct); // name or punctuation equal to this
bool text_accept(struct text *t, const char *name_or_punct);   // if so, consume it
bool text_expect(struct text *t, const char *name_or_punct);   // else an error
const char *text_name(struct text *t);                         // consume a name; NULL and error otherwise
const char *text_string(struct text *t);                       // consume a string
bool text_int(struct text *t, int64_t *v);                     // consume an integer, '-' allowed

#endif
