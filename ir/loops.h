/* The loops language: what every operator becomes. Arrays, and a tree of statements, `seq`,
 * `if`, `while`, `call`, `require` in source order. The order says nothing about the schedule:
 * it is only one legal execution.
 *
 *     loops "digits"
 *     symbol N max 16
 *     input a0: f32[1,1,8,8] "input"
 *     const a1: f32[16,1,3,3] = @af63bd4c8601b7df:576 "features.0.weight"
 *     temp a2: f32[1,16,8,8]
 *     view a3: f32[16,64] of a2
 *     output a4: f32[1,10] "logits"
 *     S0[n,c,y,x: 1,16,8,8]: a2[n,c,y,x] = reduce(add, [r,s: 3,3],
 *         (a0[n,0,y+r-1,x+s-1] if 0 <= y+r-1 < 8 && 0 <= x+s-1 < 8 else 0.0) *
 *         a1[c,0,r,s]) @ "conv1"
 *     seq t: 5 { S1[i: 4]: a5[t+1,i] = a5[t,i] * 2.0 @ "rnn" }
 *     if a7[0] { … } else { … }
 *     while t: 10 if a8[t] { … }
 *     call topk(a1; a3, a4; 1, 1, 64, 1, 5, 1) @ "top"
 *     require[i: 3]: a9[i] == a10[i] @ "reshape"
 *
 * An array is written once per element (one statement, several with disjoint boxes, or one per
 * t of a seq). A `view` is another shape of the same row-major storage. A layout maps the
 * logical index to physical storage: `layout [0, 1/16 pad 4, 2, 3, 1%16]` lists physical
 * dimensions outermost first, each logical dimension / divisor % modulus (absent: 1, none),
 * `pad` its size when that is more than what is needed.
 *
 * Arrays may have any name; a name of the form a<k> belongs to array k (so with S<k> and
 * statement k). All locations of a text share one file, which the first line names:
 *
 *     loops "digits" file "digits.onnx"
 */
#ifndef NNCC_IR_LOOPS_H
#define NNCC_IR_LOOPS_H

#include "ir/base.h"
#include "ir/diag.h"
#include "ir/expr.h"

struct constant_pool;

enum array_kind { ARRAY_INPUT, ARRAY_OUTPUT, ARRAY_CONST, ARRAY_TEMP, ARRAY_VIEW };

/* A physical dimension: index = (logical[dim] / div) % mod (mod 0: none); size = its padded
 * size, or 0: just what is needed. */
struct layout_dim {
    int dim;
    int64_t div, mod, size;
};

struct array {
    const char *name; // interned: a0, a1 … in definition order
    enum array_kind kind;
    enum dtype dtype;
    int rank;
    const struct expr *const *extent; // [rank]: constants and symbols
    const char *onnx_name;            // the tensor's name; inputs and outputs have one
    const void *data; // ARRAY_CONST: bytes in the order of its layout, sub-byte types packed
    int64_t bytes;    // ARRAY_CONST: of data
    int view_of;      // ARRAY_VIEW: the array whose storage it shares, itself no view
    int alias;        // ARRAY_OUTPUT: input that may share its storage, or -1
    const struct layout_dim *layout; // [layout_rank]; 0 dims: row-major
    int layout_rank;
};

enum stmt_kind { STMT_COMPUTE, STMT_SEQ, STMT_IF, STMT_WHILE, STMT_CALL, STMT_REQUIRE };

struct stmt;
struct stmt_list {
    struct stmt *first, *last;
};

struct stmt {
    enum stmt_kind kind;
    struct loc loc;
    struct stmt *next;
    const char *name; // COMPUTE: S0, S1 … in order; CALL: the routine (runtime/routines.def)
    /* COMPUTE: writes array[index…] = rhs for all iters (outermost first). REQUIRE: rhs (bool)
     * must hold for all iters, else NNCC_E_SHAPE. SEQ, WHILE: iters[0] is t and its extent. */
    const struct iter *iters;
    int num_iters;
    int array;
    const struct expr *const *index;
    const struct expr *rhs;    // IF, WHILE: the condition (bool)
    struct stmt_list body;     // SEQ, IF, WHILE
    struct stmt_list orelse;   // IF
    const int *reads, *writes; // CALL: arrays
    int num_reads, num_writes;
    const int64_t *params; // CALL
    int num_params;
};

struct symbol {
    const char *name; // interned
    int64_t max;      // >= 1
};

struct loops {
    struct arena *arena; // owns everything here
    struct intern *names;
    const char *name;
    vec(struct symbol) symbols;
    vec(struct array) arrays;
    struct stmt_list body;
    int num_stmts; // COMPUTE statements so far
};

struct loops *loops_new(struct intern *names, const char *name);
void loops_free(struct loops *l);
/* A row-major array named a<k>; extents are constants or symbol expressions. Returns its
 * number. */
int loops_add_array(struct loops *l, enum array_kind kind, enum dtype t, int rank,
                    const struct expr *const *extent, const char *onnx_name);
int loops_add_static(struct loops *l, enum array_kind kind, enum dtype t, int rank,
                     const int64_t *dims, const char *onnx_name);
int loops_add_const(struct loops *l, enum dtype t, int rank, const int64_t *dims,
                    const void *data, const char *onnx_name); // data is borrowed
int loops_add_view(struct loops *l, int of, int rank, const int64_t *dims);
struct stmt *loops_add_stmt(struct loops *l, struct stmt_list *list, enum stmt_kind kind,
                            struct loc loc);
/* Range of an expression over symbols, each in [0, max]; false when unknown. */
bool symbols_range(const struct symbol *symbols, int n, const struct expr *e, int64_t *lo,
                   int64_t *hi);
/* An extent's value at the symbols' maxima; -1 when it has none or may be negative. */
int64_t loops_extent(const struct loops *l, const struct expr *e);
/* The array whose storage `array` uses. */
int loops_root(const struct loops *l, int array);
/* Elements of an array at the symbols' maxima, its layout's padding included. */
int64_t loops_elements(const struct loops *l, int array);
/* The same; false when that is no int64. */
bool array_elements(const struct loops *l, const struct array *a, int64_t *out);
/* Physical size of one dimension of a's layout, at the maxima. */
int64_t layout_dim_size(const struct loops *l, const struct array *a,
                        const struct layout_dim *d);

void loops_print(struct str *s, const struct loops *l, struct constant_pool *pool);
/* One statement without location and body, arrays called names[k]. */
void loops_print_stmt(struct str *s, const struct loops *l, const struct stmt *stmt,
                      const char *const *names);
struct loops *loops_read(const char *file, const char *text, size_t len, struct intern *names,
                         const struct constant_pool *pool, struct diag *d);
/* The verifier: ranks, types, names in scope, at most one reduce per statement (which
 * may stand there several times: it has one value), loads inside
 * clamp or check where an index needs one, views and layouts that fit, constants not written,
 * index ranges inside the array where they can be computed. Reports each; true when none. */
bool loops_check(const struct loops *l, struct diag *d);

#endif
