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

/* The state of lowering one graph. */
struct lower {
    struct loops *loops;
    struct arena *arena;   // of loops
    struct diag *diag;
    struct map arrays;     // value id as text -> array + 1 (kept by passes/lower.c)
    int *array_of;         // [graph->next_id]: array of a value, -1: none yet
    const struct node *node; // being lowered
    struct stmt_list *into;  // where statements go: the body of loops, a seq, a branch
};

/* ---- operands ---- */

int l_in(struct lower *l, int k);  // array of operand k; a bug when absent
int l_out(struct lower *l, int k); // array of result k; a fresh temporary when the result is not wanted
const struct array *l_array(const struct lower *l, int array);
enum dtype l_type(const struct lower *l, int array);
int l_rank(const struct lower *l, int array);
int64_t l_dim(const struct lower *l, int array, int d); // a constant extent
int l_temp(struct lower *l, enum dtype t, int rank, const int64_t *dims);
int l_const(struct lower *l, enum dtype t, int rank, const int64_t *dims, const void *data); // data copied
int l_const_index(struct lower *l, const int64_t *v, int n); // an i64[n] table for computed indices

/* ---- nests: the iterators and the one statement of a loop nest ---- */

struct nest {
    struct lower *l;
    vec(struct iter) iters;            // of the statement
    const struct expr **at;            // [iters.len]: the iterators as expressions
    vec(struct iter) over;             // of the reduce being built
};
struct nest *nest_new(struct lower *l);
struct nest *nest_over(struct lower *l, int array); // iterators i0, i1 … over all dimensions of the array
const struct expr *nest_iter(struct nest *s, int64_t extent);   // appends an iterator, returns it
const struct expr *nest_reduce_iter(struct nest *s, int64_t extent); // appends a reduction iterator r0, r1 …
/* reduce(monoid, over…, body); ends the list of reduction iterators. Without any, the body itself when the list is empty would be wrong: extents of 1 stay. */
const struct expr *nest_reduce(struct nest *s, enum func monoid, const struct expr *body);
/* Ends the nest: array[index…] = rhs (one index per dimension of the array). */
void nest_store(struct nest *s, int array, const struct expr *const *index, const struct expr *rhs);

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
/* An index from a value as ONNX means it: negative counts from the end, outside [-n, n) is a run-time NNCC_E_INDEX. */
const struct expr *x_check_index(struct lower *l, const struct expr *value, int64_t n);

/* A scalar expression in text with names bound, e.g. build_expr(l, "x < 0 ? alpha*x : x", names, values, 2). A parse error is a bug. `t` is the
 * type bare literals take. */
const struct expr *build_expr(struct lower *l, const char *text, const char *const *names,
                              const struct expr *const *values, int n, enum dtype t);

/* ---- other statements ---- */

void build_copy(struct lower *l, int to, int from);    // same shape, element by element; converts the type if it differs
void build_reshape_copy(struct lower *l, int to, int from); // same elements in row-major order, another shape
/* Result k is operand j's storage under another shape where possible (a view), else a copy. */
void build_view(struct lower *l, const struct node *n, int k, int j);
struct stmt *build_seq(struct lower *l, int64_t extent, const struct expr **t); // statements go into it until build_end
void build_end(struct lower *l);
/* A call of a routine with whole arrays. */
void build_call(struct lower *l, const char *routine, const int *reads, int num_reads, const int *writes,
                int num_writes, const int64_t *params, int num_params);

/* What lower does for rows with an expression (called by passes/lower.c). */
void lower_elementwise(struct lower *l, const struct node *n);
void lower_reduction(struct lower *l, const struct node *n);

#endif
