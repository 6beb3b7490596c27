/* Shape rules: what the infer column of an operator row may be. Each checks ranks and extents, reports mismatches as
 * `Op: input 'W' has rank 3, expected 4`, and sets type and shape of every wanted result. The types of operands were checked against the row before. */
#ifndef NNCC_IR_SHAPE_H
#define NNCC_IR_SHAPE_H

#include "ir/graph.h"

/* What a shape rule may use. */
struct infer {
    struct graph *graph;
    struct arena *arena;
    struct diag *diag;
    const struct op *require; // the row of nncc.Require
};

/* Sets result k; a declared shape that contradicts is an error. False after an error. */
bool infer_set(struct infer *in, struct node *n, int k, enum dtype t, int rank, const int64_t *dims);
/* Reports `Op: …` at the node; returns false, so that a rule can `return infer_error(…)`. */
bool infer_error(struct infer *in, const struct node *n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* `Op: input 'NAME' has rank R, expected E`; name from the signature. */
bool infer_rank(struct infer *in, const struct node *n, int k, int rank);
/* Constant operand k as integers, or NULL when it is absent or not a constant. */
const int64_t *infer_ints(struct infer *in, const struct node *n, int k, int *len);
/* Operand k is not constant but must be `v` for the declared shape to be right: replaces it by that constant and
 * inserts nncc.Require(old, constant), which fails with NNCC_E_SHAPE at run time when they differ. */
void infer_solve(struct infer *in, struct node *n, int k, const int64_t *v, int len);
/* axis in [-rank, rank) made non-negative; error otherwise. */
bool infer_axis(struct infer *in, const struct node *n, int64_t axis, int rank, int *out);
/* Declared shape of result k, all dims known; NULL otherwise. */
const struct shape *infer_declared(const struct node *n, int k);
/* NumPy broadcasting of n shapes into out (dims in the arena); error naming the operands otherwise. */
bool infer_broadcast(struct infer *in, const struct node *n, const struct shape *const *shapes, int num,
                     struct shape *out);
/* The type a result's variable has from the operands; a fixed type name otherwise. */
enum dtype infer_result_type(const struct node *n, int k);

/* Axes of a reduction: attribute or operand `axes` (none: all, or none with noop_with_empty_axes), sorted, as a bool per dimension. */
bool infer_reduced(struct infer *in, struct node *n, bool *reduced);
/* The same, after infer, for lowering. */
void node_reduced(const struct node *n, bool *reduced);

bool shape_same(struct infer *in, struct node *n);      // every result like operand 0
bool shape_broadcast(struct infer *in, struct node *n); // all operands broadcast
bool shape_reduce(struct infer *in, struct node *n);    // axes, keepdims, noop_with_empty_axes

/* A sliding window over spatial dimensions (Conv, pooling): from kernel_shape, strides, dilations, pads, auto_pad, ceil_mode. */
struct window {
    int rank;            // spatial dimensions
    const int64_t *kernel, *stride, *dilation, *pad_begin, *pad_end, *in, *out;
};
/* Window of node n over operand 0 with kernel extents `kernel` [rank]; checks positivity; errors reported. */
bool infer_window(struct infer *in, struct node *n, const int64_t *kernel, struct window *w);
/* The same, after infer, for lowering (no errors possible). */
void node_window(struct arena *a, const struct node *n, const int64_t *kernel, struct window *w);

#endif
