/* What the files of the cost model share: a statement as the model reads it (model_read.c), and
 * the cycles it takes in tiles (model.c), for the search among them (model_search.c). */
#ifndef NNCC_POLYHEDRAL_MODEL_H
#define NNCC_POLYHEDRAL_MODEL_H

#include "polyhedral/poly.h"

#define STEP_UNKNOWN INT64_MAX

/* Where the lanes of an operand lie when they run along a dimension. */
struct spread {
    int64_t windows; // vectors that those of one vector lie in; 0: too many, -1: not to be told
    int64_t unit; // of which the first lane of a tile must be a multiple, for that; 0: 0 alone
};

/* A load, or the store, of the statement. */
struct operand {
    const struct poly_access *a;
    bool inside, packed;         // in the reduce; a constant whose layout may be made for it
    const int64_t *step;         // [dims + iterators of the reduce]; STEP_UNKNOWN
    const int *by_step;          // [dims + iterators]: in order of their steps, the least first
    int64_t size;                // bytes of an element
    const struct spread *spread; // [dims + iterators]
    double bytes;                // that it touches in all
    double source, first; // bytes per cycle that they come at, again and again; the first time
};

/* Padding along a dimension: the range of an iterator of the reduction is shorter near the end
 * of it, when tiles do not hold several instances along it. */
struct border {
    int dim, iter;
    double whole; // average part of the range that is left
};

struct model {
    const struct poly *poly;
    const struct poly_stmt *s;
    const struct target *target;
    const struct expr *reduce;
    int dims, iters;                // of the statement; of its reduce
    const int64_t *extent;          // [dims + iters]
    vec(struct operand) operands;   // the store last
    double constants;               // bytes of all that the program has
    bool *even, *guarded;           // [dims] cut evenly; a guard speaks of it
    double ops_inside, ops_outside; // functions per step, per instance
    vec(struct border) borders;
    int64_t lanes;      // of a vector, of a scalable register the least …
    int64_t most_lanes; // … and so many that tiles should have use for; else as many
    struct arena scratch;
};

/* ---- model_read.c ---- */

/* Fills m, whose poly, s and target are set; `pack`: constants that can be packed are taken to
 * lie as is best. The caller frees m->scratch. */
void model_read(struct model *m, bool pack);
/* The name of dimension d, or of iterator d - dims of the reduce. */
const char *model_name(const struct model *m, int d);
/* Bytes that an array takes in its layout. */
double model_stored(const struct poly *p, int root);
/* Bytes per cycle at which so many come that are used again and again. */
double model_source(const struct target *t, double bytes);

/* ---- model_lanes.c ---- */

/* Elements in a vector of what the statement computes; 0: it has parts of another type. */
int64_t model_lanes(const struct model *m);
/* Fills the operands' spread, m->lanes being known. */
void model_read_spreads(struct model *m);

/* ---- model.c ---- */

/* The dimension along which lanes lie, or the iterator of the reduce, counted with them; -1. */
int model_lane(const struct model *m, const struct poly_tiling *t);
/* Registers that a row's vector has at a time on a scalable target, in tiles of so many rows.
 */
int64_t model_group(const struct model *m, const struct poly_tiling *t, int64_t rows,
                    int64_t lanes);
/* Cycles of the statement in tiles of that shape. */
double model_cycles(const struct model *m, const struct poly_tiling *t);
/* Do steps of the reduction come back to what other instances read? */
bool model_is_window(const struct model *m, const struct operand *o);
/* Cycles to bring each operand once, from where it lies. */
double model_traffic(const struct model *m);
/* Cycles of the arithmetic when all lanes are used and padding costs nothing. */
double model_arithmetic(const struct model *m);

#endif
