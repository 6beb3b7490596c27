/* The ast language: what is executed. Flat buffers, loops in their final order, scalars, loads
 * and stores by linear element index, and tile statements. codegen prints it, the interpreter
 * runs it; both must agree on every byte.
 *
 *     ast "digits"
 *     symbol N max 16
 *     input b0: f32[64] "input" [1,1,8,8]
 *     const b1: f32[144] = @af63bd4c8601b7df:576
 *     temp b2: f32[1024] at 0
 *     output b3: f32[10] "logits" [1,10]
 *     nest "S0[n,c,y,x: 1,16,8,8]: …" @ "conv1" {
 *         for c1 = 0..16 {
 *             for c2 = 0..64 by 4 parallel {
 *                 let s0: f32 = 0.0
 *                 for c3 = max(0, 1-c2)..min(3, 9-c2) {
 *                     set s0 = s0 + b0[8*c2+c3] * b1[9*c1+c3]
 *                 }
 *                 b2[64*c1+c2] = max(s0, 0.0)
 *             }
 *         }
 *     }
 *     for c0 = 0..10 while b4[c0] { … }
 *     if b5[0] { … } else { … }
 *     require b6[0] == 3i64 else SHAPE
 *     call topk(b1; b3, b4; 1, 1, 64, 1, 5, 1)
 *     tile (m: 6<=c4 row, n: 32 vec, k: 512 red)
 *         b3[128*m + n] = max(reduce(add, [k: 512], b0[512*m + k] * b1[32*k + n]), 0.0)
 *
 * Sub-byte buffers: a load extracts the element; a store of one element changes its bits only
 * (stores of neighbours stay sequential). A `check` that fails clamps, and the function returns
 * NNCC_E_INDEX after the nest. Names of iterators and scalars are a letter and digits (b only
 * alone). A tile writes its element for every combination of its row and vec iterators, in any
 * order: what it writes, it reads at most at the element being written. Those with role red,
 * dot4 or split are the ones of the reduce in its value. At most one is split, the innermost:
 * the steps of the reduce are then taken in any association and order, lane by lane (the
 * interpreter takes them as those of red), and nothing in the tile is vec. */
#ifndef NNCC_IR_AST_H
#define NNCC_IR_AST_H

#include "ir/base.h"
#include "ir/diag.h"
#include "ir/expr.h"
#include "ir/loops.h"

enum buffer_kind { BUFFER_INPUT, BUFFER_OUTPUT, BUFFER_CONST, BUFFER_TEMP };

struct buffer {
    const char *name; // interned: b0, b1 …
    enum buffer_kind kind;
    enum dtype dtype;
    const struct expr *elements; // at the symbols' values; a constant for static models
    int64_t max_elements;        // at the symbols' maxima
    const char *onnx_name;       // inputs and outputs
    int rank;                    // inputs and outputs: the tensor's shape
    const struct expr *const *dims;
    int alias; // outputs: position among the inputs of the one it may share storage with, or -1
    const void *data; // constants
    int64_t bytes;    // constants: of data
    int64_t offset;   // TEMP: byte offset in the arena; -1 before arena_plan
};

enum tile_role { TILE_ROW, TILE_VEC, TILE_RED, TILE_DOT4, TILE_SPLIT };
/* Whether an iterator of this role is one of the reduce. */
bool tile_role_reduces(enum tile_role role);

/* What the printers of tiles hold to, and who chooses tiles counts on: so many rows in all; the
 * innermost loops of a reduction are written out as long as none has more steps than these and
 * they set no more accumulators in all. */
enum { TILE_MOST_ROWS = 32, TILE_WRITTEN_STEPS = 9, TILE_WRITTEN_SUMS = 288 };
/* Elements that reads outside of an array find as zeros, beyond which each is a choice; vectors
 * that are permuted into one, beyond which lanes are gathered; rows that are neighbours in
 * memory, from which on they are stored as blocks that are transposed. */
enum { TILE_MOST_ZEROS = 4096, TILE_MOST_WINDOWS = 4, TILE_TURNED_ROWS = 4 };

struct tile_iter {
    const char *name;
    enum tile_role role;
    int64_t max;              // constant maximum
    const struct expr *count; // actual count, <= max
};

enum ast_kind {
    AST_NEST,
    AST_FOR,
    AST_IF,
    AST_LET,
    AST_SET,
    AST_STORE,
    AST_CALL,
    AST_REQUIRE,
    AST_TILE
};

struct ast_node;
struct ast_list {
    struct ast_node *first, *last;
};

struct ast_node {
    enum ast_kind kind;
    struct loc loc; // NEST: the ONNX node it comes from
    struct ast_node *next;
    const char *name; // NEST: what it computes; FOR: iterator; LET, SET: scalar; CALL: routine
    enum dtype dtype; // LET
    const struct expr *lo, *hi; // FOR: lo <= name < hi
    int64_t step;               // FOR: > 0
    bool parallel;              // FOR: iterations are independent
    const struct expr *cond;    // IF, REQUIRE; FOR: tested before each iteration, or NULL
    int buffer;                 // STORE, TILE
    const struct expr *index;   // STORE, TILE: linear element index
    const struct expr *value;   // LET, SET, STORE, TILE
    struct ast_list body, orelse;
    const int *reads, *writes; // CALL: buffers
    int num_reads, num_writes;
    const int64_t *params;
    int num_params;
    const struct tile_iter *tile; // TILE
    int num_tile;
};

struct ast {
    struct arena *arena;
    struct intern *names;
    const char *name;
    vec(struct symbol) symbols;
    vec(struct buffer) buffers;
    struct ast_list body;
    int64_t arena_bytes; // after arena_plan; 0 before
    int64_t arena_align; // bytes, a power of two
    uint64_t macs;       // multiply-accumulates of contractions at the symbols' maxima
};

struct ast *ast_new(struct intern *names, const char *name);
void ast_free(struct ast *a);
int ast_add_buffer(struct ast *a, struct buffer b); // names it
struct ast_node *ast_add(struct ast *a, struct ast_list *list, enum ast_kind kind,
                         struct loc loc);

void ast_print(struct str *s, const struct ast *a, struct constant_pool *pool);
/* Statements alone, their buffers by these names ([buffers]), nests without name and node: for
 * comparing what they do. */
void ast_print_list(struct str *s, const struct ast *a, const struct ast_list *list,
                    const char *const *names);
struct ast *ast_read(const char *file, const char *text, size_t len, struct intern *names,
                     const struct constant_pool *pool, struct diag *d);
/* The verifier: names in scope, types, buffers of the right kind, constant loop bounds where
 * known inside the buffers. */
bool ast_check(const struct ast *a, struct diag *d);

/* Which buffers a statement mentions: calls fn(user, buffer, is_store) for each load and store
 * in n and below. */
void ast_walk_buffers(const struct ast_node *n, void (*fn)(void *user, int buffer, bool store),
                      void *user);
/* Does a load or store in n or below mention the buffer? */
bool ast_mentions(const struct ast_node *n, int buffer);

#endif
