/* The polyhedral half of the compiler: loops in, a proven schedule, an ast out.
 *
 *     struct poly *p = poly_import(loops, diag);      // statements and accesses as sets, maps
 *     bool ok = poly_bounds(p) && poly_depend(p);     // is the source right? the user's errors
 *     poly_layout(p, strict);
 *     poly_schedule(p, strict, true);                 // or poly_read_schedule(p, file, …)
 *     ok = ok && poly_certify(p);                     // does it keep every dependence?
 *     struct ast *a = ast_from_poly(p, names, strict);
 *     poly_free(p);
 *
 * A proof that takes too many steps is given up, not believed: it is counted in poly_figures
 * and said in a remark, and what it was about is treated as if it could not be done. */
#ifndef NNCC_POLYHEDRAL_POLYHEDRAL_H
#define NNCC_POLYHEDRAL_POLYHEDRAL_H

#include "ir/ast.h"
#include "ir/diag.h"
#include "ir/loops.h"
#include "ir/target.h"

struct constant_pool;
struct poly;

/* What was done, for remarks and tests. */
struct poly_figures {
    int statements, accesses, dependences, regions;
    int linear;     // arrays with views that are told apart by a linear address only
    int unproven;   // accesses and dependences that are neither proven nor refuted
    int quota_hits; // proofs given up
    int shrunk;     // reductions whose range lost a border of padding, once for each piece
    int tiles;      // blocks of instances that became tile statements
    int fallbacks;  // statements that ast_from_poly took as the naive path does
};

/* Statements, accesses and storage of l as sets and maps. l must have passed loops_check and
 * outlive the result. */
struct poly *poly_import(struct loops *l, struct diag *d);
/* What machine the schedule is for, to be said before there is one; borrowed. Without, or with
 * one that has no vectors, it is for portable C. */
void poly_target(struct poly *p, const struct target *target);
/* A leaked isl object aborts the program here: it is a bug. */
void poly_free(struct poly *p);
struct poly_figures poly_figures(const struct poly *p);
const struct loops *poly_loops(const struct poly *p);

/* Proves that every access lies inside its array. Reports each that does not, with a point
 * where it leaves; false after errors. */
bool poly_bounds(struct poly *p);
/* Computes the dependences and proves the source order: every element that is read was written
 * before, none is written twice (unless the t of an enclosing seq or while tells the writes
 * apart), every output is written, no input is overwritten by an output that shares its storage
 * before its last read. Reports what is not so; false after errors. Requires poly_bounds. */
bool poly_depend(struct poly *p);

/* Chooses layouts of temporaries and constants, for a target with vectors (else does nothing):
 * which dimension is contiguous, by the cost model; constants are packed as the tiles read
 * them. Requires poly_depend. */
void poly_layout(struct poly *p, bool strict);
/* Chooses a schedule for each region (a run of statements between seq, if, while, call and
 * require): nests of statements that share outer loops (of one ONNX node, or `across` nodes),
 * blocks for reductions, borders apart from what is inside. Gives arrays that live inside one
 * nest a smaller layout, in the loops themselves. `strict` is that of ast_from_poly. */
void poly_schedule(struct poly *p, bool strict, bool across);
/* Proves that the schedule runs each instance once, keeps every dependence, and that in its
 * order no value is overwritten in its cell of a layout that folds before its last read.
 * Reports what is broken; false after errors. Requires poly_depend and a schedule. */
bool poly_certify(struct poly *p);

/* A POLY dump: the text of the loops, then for each region a line `schedule K` and isl's text
 * of its schedule. */
void poly_print(struct str *s, const struct poly *p, struct constant_pool *pool);
/* Where the schedules begin in a POLY dump; len when there are none. What is before is a text
 * for loops_read. */
size_t poly_find_schedule(const char *text, size_t len);
/* Takes the schedules of a POLY dump instead of making them. False after errors, reported with
 * their line. */
bool poly_read_schedule(struct poly *p, const char *file, const char *text, size_t len);

/* loops and schedule -> ast. Requires a schedule that poly_certify accepts. Where the padding
 * of a guarded read contributes nothing to a reduction, its range shrinks to what is inside;
 * that is the same as adding 0 * w for every finite w, and left undone when `strict` and w is
 * not known to be finite. Constants' bytes are borrowed from the loops. */
struct ast *ast_from_poly(struct poly *p, struct intern *names, bool strict);

#endif
