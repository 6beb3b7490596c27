/* Shape rules: what the infer column of an operator row may be. Each checks ranks and extents,
 * reports mismatches as `Op: input 'W' has rank 3, expected 4`, and sets type and shape of
 * every wanted result. The types of operands were checked against the row before. */
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
bool infer_set(struct infer *in, struct node *n, int k, enum dtype t, int rank,
               const int64_t *dims);
/* Reports `Op: …` at the node; returns false, so that a rule can `return infer_error(…)`. */
bool infer_error(struct infer *in, const struct node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* `Op: input 'NAME' has rank R, expected E`; name from the signature. */
bool infer_rank(struct infer *in, const struct node *n, int k, int rank);
/* `Op: input 'NAME' has shape [..], expected [..]`. */
bool infer_dims(struct infer *in, const struct node *n, int k, int rank, const int64_t *dims);
/* "[1,3,224]" in the arena, for messages. */
const char *infer_shape_text(struct infer *in, int rank, const int64_t *dims);
/* Constant operand k as integers, or NULL when it is absent or not a constant. */
const int64_t *infer_ints(struct infer *in, const struct node *n, int k, int *len);
/* Operand k is not constant but must be `v` for the declared shape to be right: replaces it by
 * that constant and inserts nncc.Require(old, constant), which fails with NNCC_E_SHAPE at run
 * time when they differ. */
void infer_solve(struct infer *in, struct node *n, int k, const int64_t *v, int len);
/* The same for a list of axes, which may come in any order and count from the end: operand k
 * becomes the axes in `mask` [rank], ascending, and nncc.RequireAxes(old, mask) tests that the
 * old value names the same set. */
void infer_solve_axes(struct infer *in, struct node *n, int k, const bool *mask, int rank);
/* axis in [-rank, rank) made non-negative; error otherwise. */
bool infer_axis(struct infer *in, const struct node *n, int64_t axis, int rank, int *out);
/* Attribute `axis` made non-negative, for lowering: infer has checked it. */
int node_axis(const struct node *n, int rank);
/* Declared shape of result k, all dims known; NULL otherwise. */
const struct shape *infer_declared(const struct node *n, int k);
/* NumPy broadcasting of operands' shapes into out (dims in the arena); error naming the operand
 * otherwise. */
bool infer_broadcast(struct infer *in, const struct node *n, const struct shape *const *shapes,
                     int num, struct shape *out);
/* Operand k alone must broadcast to `shape`: error otherwise. */
bool infer_broadcasts_to(struct infer *in, const struct node *n, int k,
                         const struct shape *shape);
/* Name of operand (result) k in the row's signature, NUL-terminated, in the arena. */
const char *infer_operand_name(struct infer *in, const struct node *n, int k);
const char *infer_result_name(struct infer *in, const struct node *n, int k);
/* The shape of operand k; a rule runs only when all are known. */
const struct shape *node_shape(const struct node *n, int k);
/* The type a result's variable has from the operands; a fixed type name otherwise. */
enum dtype infer_result_type(const struct node *n, int k);
/* The type a variable of the row (or a type's name) stands for at this node: from its operands,
 * else its results; DTYPE_NONE when unknown. */
enum dtype node_type_variable(const struct node *n, const char *name, int len);

/* A list of axes (attribute or constant operand) as a bool per dimension; an axis outside the
 * rank or named twice is an error. */
bool infer_axes(struct infer *in, const struct node *n, const int64_t *axes, int num, int rank,
                bool *mask);
/* Axes of a reduction: attribute or operand `axes` (none: all, or none with
 * noop_with_empty_axes), as a bool per dimension. When the operand is not constant, the
 * declared shape of result 0 must be known; if it leaves one choice the operand is solved, else
 * node_reduced finds all of them. */
bool infer_reduced(struct infer *in, struct node *n, bool *reduced);
/* After infer, for lowering: the sets of dimensions the reduction may mean, at most `max` of
 * them, [rank] flags each. One, except where run-time axes leave a choice. Returns their
 * number. */
int node_reduced(const struct node *n, bool (*reduced)[GRAPH_MAX_RANK], int max);

bool shape_same(struct infer *in, struct node *n);      // every result like operand 0
bool shape_broadcast(struct infer *in, struct node *n); // all operands broadcast
bool shape_reduce(struct infer *in, struct node *n);    // axes, keepdims, noop_with_empty_axes

/* A sliding window over spatial dimensions (Conv, pooling): from kernel_shape, strides,
 * dilations, pads, auto_pad, ceil_mode. */
struct window {
    int rank; // spatial dimensions
    const int64_t *kernel, *stride, *dilation, *pad_begin, *pad_end, *in, *out;
};
/* Window of node n over the spatial dimensions of operand 0 with kernel extents `kernel`
 * [rank]; checks everything; errors reported. */
bool infer_window(struct infer *in, struct node *n, const int64_t *kernel, struct window *w);
/* The checks that every window shares, transposed ones included: extents of the kernel and of
 * operand 0's spatial dimensions in [1, INT32_MAX] (the latter from 0), auto_pad known. */
bool infer_spatial(struct infer *in, const struct node *n, const int64_t *kernel);
/* A window after infer, for lowering (no errors possible). */
void node_window(struct arena *a, const struct node *n, const int64_t *kernel,
                 struct window *w);
/* Attribute `name` must be a list of `rank` integers in [lo, INT32_MAX] or absent (then
 * `fallback` everywhere): the list, NULL after an error. */
const int64_t *infer_list(struct infer *in, const struct node *n, const char *name, int rank,
                          int64_t lo, int64_t fallback);
/* The same, after infer. */
const int64_t *node_list(struct arena *a, const struct node *n, const char *name, int rank,
                         int64_t fallback);
/* Is attribute auto_pad SAME_UPPER, SAME_LOWER, VALID or NOTSET (an error otherwise)? */
enum auto_pad { PAD_EXPLICIT, PAD_SAME_UPPER, PAD_SAME_LOWER, PAD_VALID, PAD_UNKNOWN };
enum auto_pad node_auto_pad(const struct node *n);

#endif
