/* What astgen.c and instance.c share: the ast while it is built. */
#ifndef NNCC_POLYHEDRAL_ASTGEN_H
#define NNCC_POLYHEDRAL_ASTGEN_H

#include "polyhedral/poly.h"

#include <isl/ast_build.h>

/* Building the ast: the region, its nest and the instance at hand. */
struct astgen {
    struct poly *poly;
    struct plain plain;
    struct translate outer; // of the region's ast
    int region;
    bool strict;
    bool again;                   // layouts were given up: all is to be built anew
    isl_set *context;             // of the region: symbols, the t of the repeats around it
    struct poly_leaves leaves;    // of the nest
    const struct poly_leaf *leaf; // at hand
    const struct expr *acc;       // of its reduce
    const struct shrink_request *request;
};

/* plain.reduce: the loops of a reduce over the range that it has at the leaf at hand. */
bool instance_reduce(void *user, struct ast_list *list, const struct expr *reduce,
                     const struct expr *acc);
/* translate.instance: the value and store of an instance, or of a tile; `tuple` is a leaf's. */
void instance_build(void *user, struct ast_list *list, const char *tuple,
                    const struct expr *const *values, int num);
/* The leaf of the nest with this tuple. */
const struct poly_leaf *instance_leaf(const struct astgen *g, const char *tuple);
/* Binds the symbols' names. */
void instance_symbols(struct astgen *g, struct translate *t);

#endif
