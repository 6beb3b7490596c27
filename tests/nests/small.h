/* Nests of a final ast as small programs of their own: the statements of one nest over a few
 * values of every iterator, so that an ast with all its blocks, tails and borders runs in the
 * interpreter in no time.
 *
 * What a nest reads and does not write becomes an input or stays a constant; what it writes is
 * an output, or a temporary when nothing else of the program reads it. An iterator keeps 11 or
 * 12 values (a statement's last 37 or 64, so that there are several blocks) at the low or at
 * the high end of its range: both borders of a padded window occur. Iterators that index one
 * dimension of an array inside the nest, by themselves on both sides, keep the same values. One
 * that says with others where such an array is written keeps them all. Arrays keep the elements
 * that can be reached.
 *
 * Two programs that differ by nothing but names, places in the model and the numbers of large
 * constants have the same text. */
#ifndef NNCC_TESTS_NESTS_SMALL_H
#define NNCC_TESTS_NESTS_SMALL_H

#include "ir/ast.h"
#include "ir/loops.h"

/* The statements of a nest in the order of the text. */
struct small_nest {
    const struct loops *loops;
    const struct stmt *const *stmts; // [num]
    int num;
    const struct stmt *const *repeats; // seq and while around them, outermost first
    int num_repeats;
    bool branched; // an if is around them
};

enum small_corner { CORNER_LOW, CORNER_HIGH, NUM_CORNERS };

/* The statements that `nest` of an ast of these loops is named after; false when it is none of
 * statements (a routine, a condition). The result lives in `arena`. */
bool small_find(const struct loops *l, const struct ast_node *nest, struct arena *arena,
                struct small_nest *out);

/* The program of a nest at one corner; *steps, if not NULL, gets the number of evaluations of
 * its statements' values. Constants' bytes belong to the result. */
struct loops *small_build(const struct small_nest *nest, enum small_corner corner,
                          struct intern *names, int64_t *steps);

#endif
