/* The memory plan: every temporary gets a byte offset in one arena, so that buffers that live
 * at the same time do not overlap. */
#ifndef NNCC_IR_ARENA_H
#define NNCC_IR_ARENA_H

#include "ir/ast.h"

/* A block to place: lives from step `first` to step `last`, both inclusive. */
struct arena_item {
    int64_t bytes;
    int first, last;
    int share; // item that this one may overlay although they meet in one step (in-place), or
               // -1
    int64_t offset; // out
};
/* Places all items at multiples of align; returns the arena's size. Pure and deterministic:
 * greedy in several orders, each improved in rounds until the bound is met (ir/arena_place.c
 * states the cost). */
int64_t arena_place(struct arena_item *items, int n, int64_t align);
/* Bytes alive at a step, sizes rounded up to align. A result that is born over the operand it
 * may overlay takes only what it is larger by: the pair counts once. */
int64_t arena_alive(const struct arena_item *items, int n, int64_t align, int step);
/* The liveness bound: arena_alive of the step where it is largest; *step is the first of them.
 * No plan with these pairs can be smaller. */
int64_t arena_bound(const struct arena_item *items, int n, int64_t align, int *step);

/* Live intervals of the temporaries (step = position in the body; a statement counts whole,
 * first to last mention), in-place pairs (the result of a nest over an operand that dies there,
 * when every load of the operand has the index of the store and elements have the same size),
 * offsets. */
void arena_plan(struct ast *a);
/* The checker: recomputes the intervals and proves that no two live buffers overlap except as
 * in-place pairs. */
bool arena_check(const struct ast *a, struct diag *d);
/* Remarks (REMARK_ANALYSIS): bytes alive per step, the step that binds, liveness bound. */
void arena_remarks(const struct ast *a, struct diag *d);

#endif
