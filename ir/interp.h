/* The interpreter: runs an ast on host arrays. It is the constant folder, the rule tester, the
 * packer of weights, `--verify`, and the oracle that generated code is compared with. Loops and
 * statements run in source order with the arithmetic of ir/functions.def; innermost loops run
 * as array operations. */
#ifndef NNCC_IR_INTERP_H
#define NNCC_IR_INTERP_H

#include "ir/ast.h"

/* Runs the program. data[b] is the storage of buffer b: given for inputs and outputs, ignored
 * for constants, and for temporaries NULL (then the interpreter allocates them) or given.
 * symbols[i] is the value of symbol i. Returns 0 or NNCC_E_INDEX, NNCC_E_SHAPE
 * (runtime/nncc.h). Every access is checked against its buffer: one outside is a bug(). */
int interp_run(const struct ast *a, void *const *data, const int64_t *symbols);

/* Is there a routine of this name (runtime/routines.def) for so many operands, results and
 * parameters? */
bool interp_takes_call(const char *name, int num_reads, int num_writes, int num_params);

#endif
