/* The interpreter's program: an ast prepared for running in blocks of lanes.
 *
 * A chain of perfectly nested loops whose iterations may run in any order relative to each
 * other becomes one STEP_LANES: its innermost body runs over blocks of up to LANES iterations,
 * one statement at a time, each over all lanes of the block (so a scalar declared inside is a
 * vector of lanes, and an inner loop runs once for the block). A block is a box: the innermost
 * loops whole, some iterations of the next one. An index that is affine in the iterators is
 * then a number per block plus a pattern that all blocks share. A loop that only accumulates
 * into a scalar becomes a STEP_FOLD: the operand in blocks, the accumulation one by one in
 * order. All other loops run one iteration at a time. */
#ifndef NNCC_IR_PLAN_H
#define NNCC_IR_PLAN_H

#include "ir/ast.h"
#include "ir/kernels.h"

enum { MAX_CHAIN = 64 }; // loops of one chain

struct lanes;

/* A scalar of the ast: one value, or one per lane when it is declared inside lanes. */
struct local {
    const char *name;
    enum dtype dtype;
    struct lanes *lanes; // NULL: one value
    void *data;          // lanes of its representation
};

/* coef * the value in a slot: iterators and symbols. */
struct term {
    int slot;
    int64_t coef;
};

/* What an affine index adds in each lane to its value in the block's first lane. */
struct pattern {
    int64_t step[MAX_CHAIN]; // per iteration of each loop of the chain
    int64_t *at;             // [LANES]; a prefix of it is the pattern of a shorter block
    bool strided;            // at[i] = stride * i
    int64_t stride;
    int64_t min, max; // over the lanes of the block at hand
};

/* An element of a buffer. */
struct access {
    int buffer;
    const struct code *index;
};

enum code_kind {
    CODE_CONST,
    CODE_LOCAL,
    CODE_AFFINE,
    CODE_FUNC,
    CODE_CAST,
    CODE_LOAD,
    CODE_GUARD,
    CODE_REDUCE
};

/* Lanes of an index that stay the same while loops inside the lanes run. */
struct cache {
    int64_t block; // for which block of the run `lanes` were computed; 0: none yet
    int64_t *lanes;
};

/* An expression: struct expr with names resolved. */
struct code {
    enum code_kind kind;
    enum dtype dtype;
    bool varying; // may differ between lanes
    bool lazy;    // has a check inside: evaluated only in lanes that use it
    bool inner;   // may change while the block stays: depends on inner loops, memory or scalars
    enum func func;
    const struct code **arg;
    int n;
    const void *lanes;         // CONST: filled lanes
    const struct local *local; // LOCAL
    struct access access;      // LOAD
    int64_t constant;          // AFFINE: constant + terms + pattern
    const struct term *terms;
    int num_terms;
    struct pattern *pattern; // AFFINE that varies
    struct cache *cache;     // FUNC that is an index and varies, but is not `inner`; else NULL
    const int *slots;        // REDUCE: its iterators
    const struct code **extents;
    int64_t *counts; // their values while it runs
    int num_iters;
};

struct loop {
    int slot;
    const struct code *lo, *hi;
    int64_t step;
};

/* A chain of loops run in blocks, and its state while it runs. */
struct lanes {
    struct loop loops[MAX_CHAIN]; // outermost first
    int num;
    vec(struct pattern *) patterns;
    int64_t lo[MAX_CHAIN], count[MAX_CHAIN];
    int split; // loops inside it are whole in a block; `chunk` iterations of it are
    int64_t chunk;
    int64_t shape[MAX_CHAIN];  // iterations of each loop in the block for which patterns hold
                               // min and max
    int64_t filled[MAX_CHAIN]; // the shape for which patterns were filled
};

enum step_kind {
    STEP_NEST,
    STEP_FOR,
    STEP_LANES,
    STEP_FOLD,
    STEP_IF,
    STEP_SET,
    STEP_STORE,
    STEP_REQUIRE,
    STEP_CALL
};

struct step {
    enum step_kind kind;
    const struct ast_node *node;
    struct step *next;
    struct step *body, *orelse;
    struct loop loop;          // FOR
    struct lanes *lanes;       // LANES, FOLD
    const struct code *cond;   // FOR, IF, REQUIRE
    struct access access;      // STORE
    const struct code *value;  // SET, STORE, FOLD
    const struct local *local; // SET, FOLD
    enum func func;            // FOLD
    bool in_place; // SET: the value is func(local, arg 1), and arg 1 does not read the local
};

/* Where buffers lie, for finding out which share storage. */
struct storage {
    const char *data;
    int64_t bytes;
};

/* Plans one statement of the ast's body and, if it is a let, all after it. Slots 0, 1 … hold
 * the symbols; *num_slots is how many slots the plan needs. All memory is the arena's. */
struct step *plan_build(struct arena *arena, const struct ast *a, const struct storage *storage,
                        const struct ast_node *n, int *num_slots);

#endif
