/* Which elements the statements of one nest touch: their indices as sums over the loops around
 * them, and as digits of a positional number system, in which two accesses, or two iterations
 * of one, are told apart digit by digit. Inside the memory plan: arena_pairs.c includes this,
 * nothing else does. */
#ifndef NNCC_IR_ARENA_INDEX_H
#define NNCC_IR_ARENA_INDEX_H

#include "ir/ast.h"

enum {
    INDEX_LOOPS = 16,               // loops around a statement, tile iterators and symbols
    INDEX_BOUNDS = 2,               // of one loop: min(a, b)
    INDEX_DIGITS = INDEX_LOOPS + 1, // of one number system
};

/* constant + sum of coef[k] * (counter of loop k in a scope). Not `ok`: no such sum, or beyond
 * int64_t. A counter is 0, 1, 2 … */
struct form {
    int64_t coef[INDEX_LOOPS], constant;
    bool ok;
};

/* A name in scope: its value by its counter and those further out, and upper bounds of the
 * counter by those further out. */
struct loop_range {
    const char *name;
    struct form value, most[INDEX_BOUNDS];
    int num_most;
    bool symbol; // no loop: one value in the whole run
};

/* The loops around a statement, outermost first. */
struct loop_scope {
    struct loop_range loop[INDEX_LOOPS];
    int n;
};

/* Bring a name into scope; false when there is no room. Leave it by setting n back. */
bool scope_add_symbol(struct loop_scope *s, const struct symbol *symbol);
bool scope_add_loop(struct loop_scope *s, const struct ast_node *loop);
bool scope_add_tile_iter(struct loop_scope *s, const struct tile_iter *it);

/* An index expression as a form over the scope. */
struct form form_read(const struct loop_scope *s, const struct expr *e);
bool form_equal(const struct form *a, const struct form *b);

/* A number system: the weights of its digits, descending, each a multiple of the next, the last
 * one 1. */
struct digits {
    int64_t weight[INDEX_DIGITS];
    int n;
};
/* Systems in which coefficients of the form are weights, as far as they divide each other: the
 * largest first, or the smallest first. */
struct digits digits_from_largest(const struct form *f);
struct digits digits_from_smallest(const struct form *f);

/* The digits of the elements that one access touches, as sums over its loops, and their ranges.
 */
struct element {
    const struct loop_scope *scope; // borrowed
    struct form digit[INDEX_DIGITS];
    int64_t lo[INDEX_DIGITS], hi[INDEX_DIGITS];
};
/* False unless it is shown that the digits are those of the index, none reaching the next. */
bool element_digits(const struct loop_scope *s, const struct form *index,
                    const struct digits *d, struct element *e);
/* Some digit differs whatever the iterations. */
bool elements_disjoint(const struct element *a, const struct element *b, int num_digits);
/* Two accesses that share the first `loops` names of their scopes: in different iterations of
 * these loops they touch different elements, because digits tell the iteration. They do when
 * they depend on it in the same way, and on nothing else by as much: in 4 * block + row, rows 0
 * to 3 leave no doubt about the block. */
bool elements_tell_loops(int loops, const struct element *a, const struct element *b,
                         int num_digits);

#endif
