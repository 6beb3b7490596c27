/* The machine that the C is for. codegen/targets/ has one table for each, and
 * target_find (codegen/codegen.h) one by name; the cost model (polyhedral/model.c) and the
 * choice of tiles read what stands here, the printer of tiles reads the table's rows. */
#ifndef NNCC_IR_TARGET_H
#define NNCC_IR_TARGET_H

#include "ir/dtype.h"
#include "ir/expr.h"

#include <stdbool.h>
#include <stdint.h>

struct target {
    const char *name;      // of the table: scalar, generic, avx2 …
    const char *base;      // table whose rows count where this one has none; NULL: none
    int vector_bytes;      // of a vector register; 0: the C has no vectors of its own
    int registers;         // for vectors
    bool scalable;         // how long a register is, is known at run time; vector_bytes is the
                           // length that the processor has, or the least it may have
    int least_bytes;       // … what the instruction set promises: right for any from there on
    int most_bytes;        // … and up to so many all are of use
    int group;             // … registers that hold one vector: 1, 2, 4 or 8; vector_bytes and
                           // registers are then those of groups. 0: 1
    bool scalar_factor;    // a factor of an fma may be one scalar for all lanes: it takes no
                           // register of vectors
    bool broadcast_memory; // an operand that is one scalar for all lanes comes from memory,
                           // without a register
    bool lanes;            // … is one lane of a vector (PRIM_FMA_LANE)
    bool masks;            // some lanes of a vector can be loaded and stored alone
    bool flushes;          // arithmetic on vectors takes denormal numbers for 0, in and out
    bool in_order;         // loads take cycles in which no arithmetic begins
    /* Rates per cycle of one core. */
    double fmas, loads, stores; // of whole vectors
    double latency;             // of an fma, cycles
    /* Caches, nearest first: bytes, and bytes per cycle that the level behind it delivers; the
     * last is memory's. */
    int64_t cache[3];
    double bandwidth[3];
    double ghz;       // for predictions in milliseconds
    const char *half; // CPU whose vectors are half as wide, when this one runs two of them
                      // in the time of a whole one; NULL: they cost as much
    /* Have vectors of t the function f; strict: not by a polynomial. NULL: they have all. */
    bool (*has)(const struct target *target, enum func f, enum dtype t, bool strict);
    const char *machine;   // what begins its triples: "x86_64"; NULL: any
    const char *attribute; // of each function, for __attribute__((target("…"))); NULL: none
    const char *header;    // to be included; NULL: none
    /* Condition of the preprocessor that holds where a compiler can take the C, and what it
     * says to others; NULL: all can. */
    const char *needs, *lacks;
};

/* Registers that hold one vector of a tile of that value with so many rows and `lanes` lanes,
 * of which one register has `in_one` at least: as many as there are for an accumulator of each
 * row and what a step loads, and, with masks, one of these, or for what else the value needs;
 * no more than the lanes need. 1 for targets that are not scalable. */
int target_group(const struct target *target, const struct expr *value, const char *lane,
                 int64_t rows, int64_t lanes, int64_t in_one);
/* The target with groups of so many registers for its vectors. */
struct target target_grouped(const struct target *target, int group);

#endif
