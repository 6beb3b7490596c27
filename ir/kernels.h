/* What the interpreter computes with: functions over arrays of lanes, one lane per iteration of
 * a block.
 *
 * A lane holds one value in one of five representations; integers of every width are 64 bits
 * wide there and are brought back into their type after each function. Memory holds elements as
 * buffers do: any alignment, sub-byte types packed. */
#ifndef NNCC_IR_KERNELS_H
#define NNCC_IR_KERNELS_H

#include "ir/expr.h"

enum { LANES = 512 }; // of one block, at most

enum rep { REP_F32, REP_F64, REP_I64, REP_U64, REP_BOOL };

enum rep rep_of(enum dtype t);
size_t rep_bytes(enum rep r); // of one lane: float, double, int64_t, uint64_t, uint8_t
/* One value as a lane, and back. */
void lane_set(enum rep r, void *lane, union scalar v);
union scalar lane_get(enum rep r, const void *lane);

/* d = f(a, b, c) in n lanes; absent arguments are any lanes. d may be a, b or c. t is the type
 * of the arguments (of select: of b and c). */
void lanes_func(enum func f, enum dtype t, void *d, const void *const *arg, int n);
/* *acc = f(*acc, x) for each lane in order; f is a monoid. */
void lanes_fold(enum func f, enum dtype t, void *acc, const void *x, int n);
void lanes_convert(enum dtype to, enum dtype from, void *d, const void *x, int n);
/* All lanes of d become *one. */
void lanes_fill(enum rep r, void *d, const void *one, int n);
/* d = mask ? a : b; d may be a or b. */
void lanes_blend(enum rep r, void *d, const uint8_t *mask, const void *const *ab, int n);

/* Where lanes lie in memory: lane i at element base + at[i], or base + stride * i when at is
 * NULL. */
struct lane_place {
    int64_t base, stride;
    const int64_t *at;
};
void lanes_load(enum dtype t, void *d, const void *data, const struct lane_place *place, int n);
void lanes_store(enum dtype t, const void *x, void *data, const struct lane_place *place,
                 int n);

#endif
