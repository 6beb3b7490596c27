/* Evaluating the interpreter's expressions over the lanes of a block. */
#ifndef NNCC_IR_EVAL_H
#define NNCC_IR_EVAL_H

#include "ir/plan.h"

/* A run of an ast. */
struct run {
    const struct ast *ast;
    struct arena arena; // of the whole run: storage of temporaries, lanes for operands
    struct arena *plan; // of the statement of the body that runs
    char **data;        // [buffers]
    int64_t *elements;  // [buffers], at the symbols' values
    int64_t *slots;     // iterators and symbols
    int lanes;          // of the block at hand; 1 outside
    int64_t block;      // its number in the run, from 1
    vec(void *) temps;  // lanes for operands, used as a stack
    int num_temps;      // in use
    bool index_error;   // a check failed
};

/* e in n lanes (1, or the block's). Lanes that `mask` leaves out (NULL: none) have any value
 * and touch no memory; at least one lane is in. Returns the lanes: `out`, which has room for
 * LANES of 8 bytes, or where they lie already. */
const void *eval(struct run *r, const struct code *e, void *out, int n, const uint8_t *mask);
/* An index or condition with one value. */
int64_t eval_index(struct run *r, const struct code *e);
bool eval_condition(struct run *r, const struct code *e);
/* Where n lanes of a load or store lie; each lane in the mask is inside the buffer, else bug.
 * `at`: lanes the place may use. */
struct lane_place eval_place(struct run *r, const struct access *a, int64_t *at, int n,
                             const uint8_t *mask);

/* Lanes for an operand, until temp_pop. */
void *temp_push(struct run *r);
void temp_pop(struct run *r);

/* Makes the patterns of a chain right for a block of this many iterations of each loop. */
void patterns_set(struct run *r, struct lanes *l, const int64_t *shape);

#endif
