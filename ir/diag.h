/* Messages to the user and the end of the program.
 *
 * `file:node: error: text` on one line (control characters in names are escaped); a reader of
 * dumps gives a line number instead of a node, a message without place starts with `nncc:`. All
 * errors of a stage are reported, then the driver stops: a function that meets a user error
 * reports exactly once and returns false or NULL. After `lower` only bugs are left, and `bug`
 * ends the program with exit code 70. */
#ifndef NNCC_IR_DIAG_H
#define NNCC_IR_DIAG_H

#include "ir/base.h"
#include <stdio.h>

/* Where something came from. Strings are interned or live as long as the compile. */
struct loc {
    const char *file; // model or dump file; NULL: not known
    const char *node; // ONNX node name, else "#index:Op"; NULL: the whole file
    int line;         // of a dump, 1-based; 0: none
};

enum remark_kind {
    REMARK_PASSED = 1,
    REMARK_MISSED = 2,
    REMARK_ANALYSIS = 4,
};

struct diag {
    struct str *sink;     // messages go here when set (tests), else to stderr
    int errors, warnings; // so far
    unsigned remarks;     // set of enum remark_kind that are printed
    const char *pass;     // the pass now running, for bug reports and remarks
};

void diag_error(struct diag *d, struct loc loc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void diag_warning(struct diag *d, struct loc loc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A second place of the error just reported. */
void diag_note(struct diag *d, struct loc loc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* `file:node: remark: missed: PASS: text`; nothing unless this kind is asked for. */
void diag_remark(struct diag *d, enum remark_kind kind, struct loc loc, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* An internal error: prints the place and the text, exits with code 70. Never for user input.
 */
_Noreturn void bug_at(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)

#endif
