/* Inside the pass fuse: index expressions under the ranges of their iterators (simplify.c),
 * substituting one statement into another (inline.c), one statement as several (divide.c), what
 * is left renumbered (compact.c).
 * fuse.c decides what is substituted. */
#ifndef NNCC_PASSES_FUSE_H
#define NNCC_PASSES_FUSE_H

#include "ir/loops.h"

/* The iterators an expression may name: those of its statement and of its reduce, the t of the
 * seq and while around it. */
struct scope {
    const struct loops *l;
    struct arena *scratch;
    vec(struct iter) iters; // own ones first
    int own;                // how many may be split; the others belong to what is around
};

/* ---- simplify.c ---- */

/* base * coef summed up, plus a constant. */
struct sum {
    vec(struct term {
        const struct expr *base; // no sum, no multiple, no constant
        int64_t coef;
    }) terms;
    int64_t constant;
    bool fits; // nothing left int64
};
/* An index as a sum; equal bases are one term, and none has coefficient 0. */
struct sum sum_of(struct scope *s, const struct expr *e);
const struct expr *sum_build(struct scope *s, const struct sum *sum);
/* floor(sum / k) and sum - k * floor(sum / k), k > 0, simplified. */
const struct expr *sum_quotient(struct scope *s, const struct sum *sum, int64_t k);
const struct expr *sum_remainder(struct scope *s, const struct sum *sum, int64_t k);
/* e with its index expressions simplified: sums collected, / and % of what the ranges decide
 * gone, bounds of guards that always hold dropped, a guard in a guard with the same pad merged.
 * Values are left as they are: the same operations in the same order. */
const struct expr *scope_simplify(struct scope *s, const struct expr *e);
/* Range of an index expression, inclusive; false when unknown. */
bool scope_range(const struct scope *s, const struct expr *e, int64_t *lo, int64_t *hi);

/* ---- round.c ---- */

/* e, or what it is without conversions to an integer type and back that change no bit. */
const struct expr *round_trip(struct arena *a, const struct expr *e);

/* ---- solve.c ---- */

/* Where statements are substituted into each other. */
struct inliner {
    struct loops *l;
    struct arena *scratch;
    const struct iter *around; // the t of the seq and while around both statements
    int num_around;
};
/* The iterators in scope of s, those of its reduce among them. */
struct scope scope_of(struct inliner *in, const struct stmt *s);
/* The index into `to` of the element that `index` is in `from`: both show the same storage.
 * NULL when that cannot be said. */
const struct expr **index_convert(struct scope *s, int from, const struct expr *const *index,
                                  int to);
/* Solves (the index s writes) = at for the iterators of s, in the scope of `at`: values[k] of
 * iterator k. */
bool index_solve(struct inliner *in, struct scope *scope, const struct stmt *s,
                 const struct expr *const *at, const struct expr **values);
/* Does w write the element `at`, whatever the iterators in scope are? */
bool index_covers(struct inliner *in, struct scope *scope, const struct stmt *w,
                  const struct expr *const *at);
/* Does the index, a number in iterators of s, run over the whole extent, each value once? Marks
 * the iterators it uses; none may be used before. */
bool index_runs_over(struct scope *scope, const struct stmt *s, const struct expr *index,
                     const struct expr *extent, bool *used);

/* ---- inline.c ---- */

/* Iterators of one iteration go (but the last of a reduce), indices are simplified. */
void inline_normalise(struct inliner *in, struct stmt *s);
/* Do the loads of array's storage in s read each element exactly once, at the same index, one
 * element per instance of s? */
bool inline_is_bijective(struct inliner *in, const struct stmt *s, int array);
/* Replaces the loads of array's storage in `reader` by the right-hand side of the writer of the
 * element: writers without reduce. NULL, or why it cannot be done; then the reader is
 * unchanged.
 */
const char *inline_into_reader(struct inliner *in, struct stmt *reader, int array,
                               struct stmt *const *writers, int num_writers);
/* *writer becomes what `reader` does with the element just written, over the writer's
 * iterators. Requires inline_is_bijective. NULL, or why not; then the writer is unchanged. */
const char *inline_into_writer(struct inliner *in, struct stmt *writer,
                               const struct stmt *reader, int array);

/* ---- divide.c ---- */

enum { DIVISION_PARTS = 4 }; // at most

/* Parts of an array that have no element in common, in order: lo … hi of one dimension. */
struct division {
    int dim, num;
    int64_t lo[DIVISION_PARTS], hi[DIVISION_PARTS];
};
/* Does each reader see one part only of what the writer, which writes all of it, writes? Fills
 * in at least two parts. */
bool divide_find(struct inliner *in, const struct stmt *writer, struct stmt *const *readers,
                 int num, struct division *d);
/* The statement that computes one part, into a new array. */
struct stmt divide_writer(struct inliner *in, const struct stmt *writer,
                          const struct division *d, int part);
/* What would write that part of the old array from the new one: for inline_into_reader. */
struct stmt divide_copy(struct inliner *in, const struct stmt *writer, const struct stmt *piece,
                        const struct division *d, int part);

/* ---- cost.c ---- */

/* What a statement computes. */
struct cost {
    double elements; // of the array it writes
    int operations;  // on values, outside the reduce
    int large;       // loads of other arrays than constants with at least `elements`
    bool selects;    // chooses between values
    bool costly, gathers, checks, reduces;
    bool guarded_reduce; // the reduce stands in a guard
};
struct cost cost_of(const struct loops *l, const struct stmt *s);
/* Does it only move elements? */
bool cost_is_free(const struct cost *c);

/* How a statement reads an array. */
struct reads {
    double total, reducing; // loads executed; those inside a reduce
    int mentions;
    bool conditional, guarded; // one may not happen; one stands in a guard
};
/* Of the storage of `root`; loads that are equal count once, unless `every`. */
struct reads reads_of(const struct loops *l, const struct stmt *s, int root, bool every);

/* Does the statement, a move, turn the last dimension of what it writes into another? Then rows
 * of the one are columns of the other. */
bool cost_transposes(const struct loops *l, const struct stmt *s);
/* Does a reduce of s read the array along its rows while iterators of s go on, and each of its
 * elements many times? */
bool cost_walks_rows(const struct loops *l, const struct stmt *s, int root, double elements);

/* ---- compact.c ---- */

/* Takes out the arrays that no statement mentions (inputs and outputs stay) and numbers arrays
 * and statements in order; those with names of their own keep them. */
void fuse_compact(struct loops *l, struct arena *scratch);

#endif
