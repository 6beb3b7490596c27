/* What a lowering function uses to build statements: the arrays of its node's operands and results, iterators over them, index and
 * scalar expressions, statements. Keep the dimensions of the tensors as iterators (no flattening into one): the scheduler works on them.
 *
 *     void lower_cumsum(struct lower *l, const struct node *n)
 *     {
 *         struct nest *s = nest_over(l, l_out(l, 0));              // one iterator per dimension of the result
 *         …
 *         nest_store(s, l_out(l, 0), s->at, expr);                  // S: y[i0,i1] = expr
 *     }
 */
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
    struct arena *arena;   // of loops
    struct diag *diag;
    struct map arrays;     // value id as text -> array + 1 (kept by passes/lower.c)
    int *array_of;         // [graph->next_id]: array of a value, -1: none yet
    const struct node *node; // being lowered
    struct stmt_list *into;  // where statements go: the body of loops, a seq, a branch
    vec(struct build_scope) scopes; // open build_seq and build_if, innermost last; empty between nodes
};

/* ---- operands ---- */

int l_in(struct lower *l, int k);  // array of operand k; a bug when absent
int l_out(struct lower *l, int k); // array of result k; a bug when it is not wanted (node_has_out)
const struct array *l_array(const struct lower *l, int array);
enum dtype l_type(const struct lower *l, int array);
int l_rank(const struct lower *l, int array);
int64_t l_dim(const struct lower *l, int array, int d); // a constant extent
int l_temp(struct lower *l, enum dtype t, int rank, const int64_t *dims);
int l_const(struct lower *l, enum dtype t, int rank, const int64_t *dims, const void *data); // data copied
int l_const_index(struct lower *l, const int64_t *v, int n); // an i64[n] table for computed indices

/* ---- nests: the iterators and the one statement of a loop nest ---- */

#define NEST_MAX_ITERS 128 // of a statement, and of its reduce

struct nest {
    struct lower *l;
    vec(struct iter) iters; // of the statement
    const struct expr **at; // [NEST_MAX_ITERS]: the iterators so far as expressions
    vec(struct iter) over;  // of the reduce being built
};
struct nest *nest_new(struct lower *l);
struct nest *nest_over(struct lower *l, int array); // iterators i0, i1 … over all dimensions of the array
const struct expr *nest_iter(struct nest *s, int64_t extent);   // appends an iterator, returns it
const struct expr *nest_reduce_iter(struct nest *s, int64_t extent); // appends a reduction iterator r0, r1 …
/* reduce(monoid, over…, body), accumulated in the type of body; ends the list of reduction iterators. Without any (a sum over
 * no dimension) the body itself. */
const struct expr *nest_reduce(struct nest *s, enum func monoid, const struct expr *body);
/* Ends the nest: array[index…] = rhs (one index per dimension of the array). */
void nest_store(struct nest *s, int array, const struct expr *const *index, const struct expr *rhs);
/* Ends the nest as a run-time test: cond (bool) must hold for all iterators, else NNCC_E_SHAPE. */
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
/* array[at…] as broadcasting reads it against `rank` iterators: aligned at the last dimension, index 0 where the extent is 1. */
const struct expr *x_broadcast(struct lower *l, int array, const struct expr *const *at, int rank);
/* Guarded load: index[d] may leave the array in dimensions where `may[d]`; pad there. */
const struct expr *x_padded(struct lower *l, int array, const struct expr *const *index, const bool *may,
                            const struct expr *pad);
/* Any integer value as an index that is known to lie in [lo, hi]: clamped there, which is the proof. */
const struct expr *x_clamp(struct lower *l, const struct expr *value, int64_t lo, int64_t hi);
/* An index from a value as ONNX means it: negative counts from the end, outside [-n, n) is a run-time NNCC_E_INDEX. */
const struct expr *x_check_index(struct lower *l, const struct expr *value, int64_t n);

/* A scalar expression in text with names bound, e.g. build_expr(l, "x < 0 ? alpha*x : x", names, values, 2). A parse error is a bug. `t` is the
 * type bare literals take. */
const struct expr *build_expr(struct lower *l, const char *text, const char *const *names,
                              const struct expr *const *values, int n, enum dtype t);

/* The taps of a sliding window: for each spatial dimension d of `w` adds a reduction iterator over the kernel (given in tap[d]) and sets
 * index[2 + d] to the place it reads for output at[first + d], may[2 + d] to whether that can lie outside. */
void build_taps(struct nest *s, const struct window *w, int first, const struct expr **tap, const struct expr **index,
                bool *may);

/* ---- other statements ---- */

void build_copy(struct lower *l, int to, int from);    // same shape, element by element; converts the type if it differs
void build_reshape_copy(struct lower *l, int to, int from); // same elements in row-major order, another shape
/* Result k is operand j's storage under another shape where possible (a view), else a copy. */
void build_view(struct lower *l, const struct node *n, int k, int j);
void build_seq(struct lower *l, int64_t extent, const struct expr **t); // statements go into it until build_end
void build_if(struct lower *l, const struct expr *cond); // then-branch until build_else or build_end
void build_else(struct lower *l);
void build_end(struct lower *l); // of the innermost build_seq or build_if
/* A call of a routine with whole arrays. */
void build_call(struct lower *l, const char *routine, const int *reads, int num_reads, const int *writes,
                int num_writes, const int64_t *params, int num_params);

/* One statement over result 0 from a row's expression text (ir/op.h); also for lowering functions that choose among texts. Operand and
 * attribute names and type variables of the row are bound (float attributes in the type of operand 0, or f64 when that is no float). A variadic operand is folded. */
void build_elementwise(struct lower *l, const char *text);
/* The operands of a variadic row, broadcast to the nest's iterators and combined by the text over `x` (so far) and `y` (next). */
const struct expr *build_fold(struct nest *s, const char *text);
/* One statement out[…] = text, with reduce(m, …) in the text over the dimensions `reduced` of array x, as ReduceSum's row has it. `out` has x's
 * dimensions with 1 where they are reduced, or without those. The text names operand 0 as the row does or `x`, and `count`, the number of
 * elements reduced into one; `M`, where m >= 0, is the element of array m, shaped like out, at the same place. Bool elements are read as u8. */
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
/* Calls one(l, set of reduced dimensions) for the node's axes; when run-time axes leave several sets, for each in a chain of ifs that compares
 * operand 1, ending in NNCC_E_SHAPE. */
void build_reduced(struct lower *l, void (*one)(struct lower *l, const bool *reduced));

/* What lower does for rows with an expression (called by passes/lower.c). */
void lower_elementwise(struct lower *l, const struct node *n);
void lower_reduction(struct lower *l, const struct node *n);

#endif
