/* What a lowering function uses to build statements: the arrays of its node's operands and
 * results, iterators over them, index and scalar expressions, statements.
 *
 * A negation, for example, would be
 *
 *     struct nest *s = nest_over(l, l_out(l, 0)); // one iterator per dimension of the result
 *     const struct expr *x = x_load(l, l_in(l, 0), s->at);
 *     nest_store(s, l_out(l, 0), s->at, expr_1(l->arena, FUNC_NEG, x)); // S: y[i0,i1] =
 * -x[i0,i1]
 *
 * Keep the dimensions of the tensors as iterators (no flattening into one): the scheduler works
 * on them. */
#ifndef NNCC_IR_BUILD_H
#define NNCC_IR_BUILD_H

#include "ir/graph.h"
#include "ir/loops.h"
#include "ir/op.h"
#include "ir/shape.h"

/* An open seq or if: where its successors go, and itself. */
struct build_scope {
    struct stmt_list *outer;
    struct stmt *stmt;
};

/* The state of lowering one graph. */
struct lower {
    struct loops *loops;
    struct arena *arena; // of loops
    struct diag *diag;
    int *array_of;                  // [graph->next_id]: array of a value, -1: none yet
    const struct node *node;        // being lowered
    struct stmt_list *into;         // where statements go: the body of loops, a seq, a branch
    vec(struct build_scope) scopes; // innermost last; empty between nodes
};

/* ---- operands ---- */

/* Array of operand k; a bug when it is absent (node_has_in). */
int l_in(struct lower *l, int k);
/* Array of result k; a bug when it is not wanted (node_has_out). */
int l_out(struct lower *l, int k);
const struct array *l_array(const struct lower *l, int array);
enum dtype l_type(const struct lower *l, int array);
int l_rank(const struct lower *l, int array);
/* Extent of a dimension, which must be a constant. */
int64_t l_dim(const struct lower *l, int array, int d);
int l_temp(struct lower *l, enum dtype t, int rank, const int64_t *dims);
/* A constant array; the data is copied. */
int l_const(struct lower *l, enum dtype t, int rank, const int64_t *dims, const void *data);
/* An i64[n] table for computed indices. */
int l_const_index(struct lower *l, const int64_t *v, int n);

/* ---- nests: the iterators and the one statement of a loop nest ---- */

#define NEST_MAX_ITERS 128 // of a statement, and of its reduce

struct nest {
    struct lower *l;
    vec(struct iter) iters; // of the statement
    const struct expr **at; // [NEST_MAX_ITERS]: the iterators so far as expressions
    vec(struct iter) over;  // of the reduce being built
};
struct nest *nest_new(struct lower *l);
/* With iterators i0, i1 … over all dimensions of the array. */
struct nest *nest_over(struct lower *l, int array);
/* Appends an iterator and returns it. */
const struct expr *nest_iter(struct nest *s, int64_t extent);
/* Appends a reduction iterator r0, r1 … and returns it. */
const struct expr *nest_reduce_iter(struct nest *s, int64_t extent);
/* reduce(monoid, over…, body), accumulated in the type of body; ends the list of reduction
 * iterators. Without any (a sum over no dimension) the body itself. */
const struct expr *nest_reduce(struct nest *s, enum func monoid, const struct expr *body);
/* Ends the nest: array[index…] = rhs (one index per dimension of the array). A nest without
 * iterations leaves no statement. */
void nest_store(struct nest *s, int array, const struct expr *const *index,
                const struct expr *rhs);
/* Ends the nest as a run-time test: NNCC_E_SHAPE unless cond (bool) holds for all iterators. */
void nest_require(struct nest *s, const struct expr *cond);

/* ---- expressions ---- */

const struct expr *x_int(struct lower *l, int64_t v); // an index constant
const struct expr *x_add(struct lower *l, const struct expr *a, const struct expr *b);
const struct expr *x_sub(struct lower *l, const struct expr *a, const struct expr *b);
const struct expr *x_mul(struct lower *l, const struct expr *a, int64_t k);
const struct expr *x_addk(struct lower *l, const struct expr *a, int64_t k);
const struct expr *x_div(struct lower *l, const struct expr *a, int64_t k); // floor
const struct expr *x_mod(struct lower *l, const struct expr *a, int64_t k);
/* array[index…]; a one-element constant becomes a literal. */
const struct expr *x_load(struct lower *l, int array, const struct expr *const *index);
/* array[at…] as broadcasting reads it against `rank` iterators: aligned at the last dimension,
 * index 0 where the extent is 1. */
const struct expr *x_broadcast(struct lower *l, int array, const struct expr *const *at,
                               int rank);
/* Guarded load: index[d] may leave the array in dimensions where `may[d]`; pad there. */
const struct expr *x_padded(struct lower *l, int array, const struct expr *const *index,
                            const bool *may, const struct expr *pad);
/* Any integer value as an index clamped to [lo, hi], which is the proof that it lies there. */
const struct expr *x_clamp(struct lower *l, const struct expr *value, int64_t lo, int64_t hi);
/* An index from a value as ONNX means it: negative counts from the end, outside [-n, n) is a
 * run-time NNCC_E_INDEX. n is at least 1. */
const struct expr *x_check_index(struct lower *l, const struct expr *value, int64_t n);
/* The taps of a sliding window: for each spatial dimension d of `w` adds a reduction iterator
 * over the kernel (given in tap[d]) and sets index[2 + d] to the place it reads for output
 * at[first + d], may[2 + d] to whether that can lie outside. */
void build_taps(struct nest *s, const struct window *w, int first, const struct expr **tap,
                const struct expr **index, bool *may);

/* ---- other statements ---- */

/* Same shape, element by element; converts the type if it differs. */
void build_copy(struct lower *l, int to, int from);
/* Same elements in row-major order, another shape. */
void build_reshape_copy(struct lower *l, int to, int from);
/* Result k is operand j's storage under another shape where possible (a view), else a copy. */
void build_view(struct lower *l, const struct node *n, int k, int j);
/* What follows goes into a seq, whose iterator is *t, or into the then-branch of an if, until
 * build_end; build_else turns to the other branch. */
void build_seq(struct lower *l, int64_t extent, const struct expr **t);
void build_if(struct lower *l, const struct expr *cond);
void build_else(struct lower *l);
void build_end(struct lower *l);
/* A call of a routine with whole arrays. */
void build_call(struct lower *l, const char *routine, const int *reads, int num_reads,
                const int *writes, int num_writes, const int64_t *params, int num_params);

/* ---- statements from texts (build_row.c) ---- */

/* A scalar expression in text with names bound, e.g. build_expr(l, "x < 0 ? alpha*x : x",
 * names, values, 2, t); `t` is the type bare literals take. The number attributes of the node's
 * row are bound as well (floats in type t, or f64 when that is no float), and its type
 * variables as conversions. A parse error is a bug. */
const struct expr *build_expr(struct lower *l, const char *text, const char *const *names,
                              const struct expr *const *values, int n, enum dtype t);
/* The operands of a variadic row, broadcast to the nest's iterators and combined by the text
 * over `x` (so far) and `y` (next). */
const struct expr *build_fold(struct nest *s, const char *text);
/* One statement over result 0 from a text over the row's operands, which are broadcast
 * (variadic ones folded): for lowering functions that choose among texts. */
void build_elementwise(struct lower *l, const char *text);

/* One statement out[…] = text, with reduce(m, …) in the text over the dimensions `reduced` of
 * array x, as ReduceSum's row has it. `out` has x's dimensions with 1 where they are reduced,
 * or without those. The text names x as the row names operand 0, or `x`; `count` is the number
 * of elements reduced into one; `M`, where m >= 0, is the element of array m, shaped like out,
 * at the same place. Bool elements are read as u8. */
struct reduction {
    int x;
    const bool *reduced;
    const char *text;
    int out, m;
};
void build_reduction(struct lower *l, struct reduction r);
/* An array of type t shaped like x with 1 where `reduced`, filled by such a statement. */
int build_statistic(struct lower *l, enum dtype t, struct reduction r);
/* Do the run-time axes `axes` name the set? Both have the same number of members. */
const struct expr *x_axes_match(struct lower *l, int axes, const bool *set, int rank);
/* Calls one(l, set of reduced dimensions) for the node's axes; when run-time axes leave several
 * sets, for each in a chain of ifs that compares operand 1, ending in NNCC_E_SHAPE. */
void build_reduced(struct lower *l, void (*one)(struct lower *l, const bool *reduced));

/* What lower does for rows with an expression (called by passes/lower.c). */
void lower_elementwise(struct lower *l, const struct node *n);
void lower_reduction(struct lower *l, const struct node *n);

#endif
