/* The memory plan: every temporary gets a byte offset in one arena, so that buffers that live
 * at the same time do not overlap. */
#ifndef NNCC_IR_ARENA_H
#define NNCC_IR_ARENA_H

#include "ir/ast.h"

/* A block to place: lives from step `first` to step `last`, both inclusive; first < 0: never,
 * and takes no room. */
struct arena_item {
    int64_t bytes;
    int first, last;
    int share; // item that lives before and that this one may overlay (in-place), or -1; no two
               // items name the same
    int64_t offset; // out
};
/* Places all items at multiples of align; returns the arena's size. Pure and deterministic:
 * greedy in several orders, each improved in rounds until the bound is met (ir/arena_place.c
 * states the cost). */
int64_t arena_place(struct arena_item *items, int n, int64_t align);
/* Bytes alive at a step, sizes rounded up to align. While both live, a result and the operand
 * it may overlay count once, as much as the larger. */
int64_t arena_alive(const struct arena_item *items, int n, int64_t align, int step);
/* The liveness bound: arena_alive of the step where it is largest; *step is the first of them.
 * No plan with these pairs can be smaller. */
int64_t arena_bound(const struct arena_item *items, int n, int64_t align, int *step);

/* May `result`, born in the first of these nests, lie where `operand` lies, which dies in the
 * last (the same, or one further on in a list)? Proven from the nests alone: no element of the
 * operand is read after the same element of the result is written, and they never write the
 * operand; elements have the same size. Iterations of a loop around both may run in any order.
 */
bool arena_may_overlay(const struct ast *a, const struct ast_node *const nests[2], int result,
                       int operand);

/* Live intervals of the temporaries (step = position in the body; a nest counts whole, first to
 * last mention), in-place pairs, offsets; -1 for what nothing mentions. */
void arena_plan(struct ast *a);
/* The checker: recomputes the intervals and proves that no two live buffers overlap except as
 * in-place pairs, each proven anew. */
bool arena_check(const struct ast *a, struct diag *d);
/* Remarks (REMARK_ANALYSIS): the size beside its liveness bound, the step that binds, and which
 * buffers live there. */
void arena_remarks(const struct ast *a, struct diag *d);

#endif
