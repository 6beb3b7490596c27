/* What the verifiers of loops and ast share: names in scope with their ranges, and the checks
 * of one expression. */
#ifndef NNCC_IR_CHECK_H
#define NNCC_IR_CHECK_H

#include "ir/diag.h"
#include "ir/expr.h"

/* A name in scope. lo..hi (inclusive) are the values of an INDEX when `known`; `exact`: it
 * takes all of them whatever the others are. */
struct check_var {
    const char *name;
    enum dtype dtype;
    bool iterator, known, exact;
    int64_t lo, hi;
};

/* What is loaded and stored: an array with its extents, or a buffer with its elements. */
struct check_array {
    const char *name;
    enum dtype dtype;
    int rank;
    const int64_t *extent; // [rank], at the symbols' maxima
    bool fixed;            // no extent depends on symbols
};

struct check {
    struct diag *diag;
    struct arena arena; // scratch; freed by check_end
    struct loc loc;     // of the statement being checked, for messages
    const char *what;   // its name or kind
    bool ok;
    const struct check_array *arrays;
    int num_arrays;
    vec(struct check_var) scope;
    vec(const struct expr *) guards; // e, lo, hi of the guards around the load being checked
    int unsure;          // > 0: what is being checked may be evaluated for some values only
    bool reduce_allowed; // in the expression being checked
    const struct expr *reduce; // met in it
    bool reduce_guarded;       // it stands in a guard
};

/* Reports `what: message` at loc. */
void check_error(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Brings a name into scope: an error when it is there already. Scopes end by restoring
 * scope.len. */
void check_push(struct check *c, struct check_var v);
/* An iterator 0 <= name < extent; its extent is checked before. */
void check_push_iter(struct check *c, const struct iter *it, bool exact);
/* A whole expression, which must have type t. At most one reduce, and that only when `reduce`;
 * it may stand there several times (it has one value), but then not in a guard.
 */
void check_expr(struct check *c, const struct expr *e, enum dtype t, bool reduce);
/* Is array[index…] inside where that can be computed? Reports when it surely is not. */
void check_access(struct check *c, int array, const struct expr *const *index);
/* Range of an index expression from the names in scope. */
bool check_range(struct check *c, const struct expr *e, int64_t *lo, int64_t *hi);
bool check_end(struct check *c); // frees; true when nothing was reported

#endif
