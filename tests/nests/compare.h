/* Two ways to run one program, which must agree on every byte, or on floats as far as sums in
 * another order do. */
#ifndef NNCC_TESTS_NESTS_COMPARE_H
#define NNCC_TESTS_NESTS_COMPARE_H

#include "passes/passes.h"

/* What a comparison was about. */
struct compare_figures {
    int nests; // of the polyhedral ast
    int tiles; // tile statements there
    int code;  // what both ended with: 0, or an error of the run
};

/* What must agree: every byte, also where some inputs are infinite, or floats nearly. */
enum compare_how { COMPARE_FINITE, COMPARE_INFINITE, COMPARE_NEAR };

/* Runs both on the same random inputs, each symbol at its maximum and at 1, for
 * COMPARE_INFINITE once more with some inputs that are; memory that nobody has written is
 * different in the two runs. False when a result or the code differs: *why says where. Buffers
 * correspond by number. */
bool compare_asts(const struct ast *x, const struct ast *y, enum compare_how how,
                  struct str *why, int *code);

/* Proves the loops as the compiler does, schedules them (across operators), and compares the
 * ast made of the schedule with the naive one, when `strict` on infinite inputs as well; nearly
 * when not and the target has vectors, which may take sums in another order. False with *why
 * when a proof fails, is given up, or the results differ. Arrays get the layouts of the
 * schedule: l is used up. */
bool compare_ways(struct compile *c, struct loops *l, bool strict, struct compare_figures *out,
                  struct str *why);

/* Tile statements in a list and below. */
int compare_tiles(const struct ast_list *list);

#endif
