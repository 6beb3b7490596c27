/* The graph: ONNX's meaning without its encoding. SSA values and nodes in topological order;
 * every shape is known (or, before `infer`, unknown); constants are values with bytes;
 * subgraphs belong to their node and captured values are ordinary values of the outer graph.
 *
 *     graph "digits" file "model.onnx"
 *     input %0: f32[1,1,8,8] "input"
 *     const %1: f32[16,1,3,3] = @af63bd4c8601b7df:576 "features.0.weight"
 *     const %2: i64[2] = {1, -1}
 *     %3: f32[1,16,8,8] = Conv(%0, %1, _) pads=[1,1,1,1] kernel_shape=[3,3] @ "/features/conv"
 *     %4: f32[1,8], %5: i64[1,8] = TopK(%3, %2) axis=1 @ "top"
 *     output %4 "scores"
 *
 * `_` is an absent optional operand. An unknown type prints as `?`, an unknown shape as `f32?`;
 * before infer, `%3: ? declared [1,?]` is what the model declares. A node without results is
 * its call alone. Attributes: ints 1, floats 1.0, strings "s", lists [1,2],
 * tensors f32[2]{1.0, 2.0}, subgraphs { … }. Operators outside ONNX's own domain print as
 * "com.microsoft".QLinearAdd(…). */
#ifndef NNCC_IR_GRAPH_H
#define NNCC_IR_GRAPH_H

#include "ir/base.h"
#include "ir/diag.h"
#include "ir/dtype.h"

struct op; // ir/op.h
struct node;
struct graph;
struct constant_pool;
struct text; // ir/text.h

#define GRAPH_MAX_RANK 32 // models beyond are refused by the front end

struct shape {
    int rank;      // -1: unknown
    int64_t *dims; // [rank], each >= 0, product checked against int64; NULL when rank <= 0
};

struct value {
    int id;           // prints as %id; unique, in definition order after graph_renumber
    const char *name; // the tensor's ONNX name (interned); NULL for values made by passes
    enum dtype dtype; // DTYPE_NONE: unknown
    struct shape shape;
    const void *data;      // constants: bytes as ONNX raw_data has them; NULL otherwise
    int64_t bytes;         // of data
    struct node *def;      // the node that computes it; NULL for inputs and constants
    int num_uses;          // filled by graph_count_uses
    struct shape declared; // by the model, for infer; rank -1: not at all
};

enum attr_kind {
    ATTR_INT,
    ATTR_FLOAT,
    ATTR_STRING,
    ATTR_INTS,
    ATTR_FLOATS,
    ATTR_STRINGS,
    ATTR_TENSOR,
    ATTR_GRAPH
};

struct attr {
    const char *name; // interned
    enum attr_kind kind;
    int n; // elements of a list
    union {
        int64_t i;
        double f; // an f32 in ONNX
        const char *s;
        const int64_t *ints;
        const double *floats;
        const char *const *strings;
        const struct value *tensor; // a constant that is in no graph's list
        struct graph *graph;
    };
};

struct node {
    const struct op *op;
    struct value **in; // [num_in]; NULL: absent optional operand
    int num_in;
    struct value **out; // [num_out]; NULL: unused optional result
    int num_out;
    struct attr *attrs; // as the model gives them
    int num_attrs;
    const struct attr *defaults; // the row's, for node_* alone; set by graph_set_op
    int num_defaults;
    struct loc loc;
    struct node *prev, *next;
};

struct graph {
    struct arena *arena;  // of this graph and its subgraphs
    struct intern *names; // outlives the graph
    const char *name;
    struct graph *parent; // NULL for the outermost
    vec(struct value *) inputs;
    vec(struct value *) outputs;
    vec(const char *) output_names; // one per output (a value may be an output twice)
    vec(struct value *) constants;  // in definition order
    struct node *first, *last;      // topological order
    int next_id;                    // outermost graph only: the next free value id
};

/* ---- building and editing ---- */

/* A new empty outermost graph with an arena of its own. */
struct graph *graph_new(struct intern *names, const char *name);
struct graph *graph_new_sub(struct graph *parent, const char *name);
void graph_free(struct graph *g); // the outermost one, with its arena
/* A value of the graph's arena that nothing defines yet; dims are copied (rank -1: unknown
 * shape). */
struct value *graph_add_value(struct graph *g, const char *name, enum dtype t, int rank,
                              const int64_t *dims);
/* A constant; data is borrowed and must outlive the graph (or be allocated in its arena). bytes
 * must be dtype_bytes of the elements. */
struct value *graph_add_constant(struct graph *g, const char *name, enum dtype t, int rank,
                                 const int64_t *dims, const void *data);
/* An i64[n] constant, copied. */
struct value *graph_add_ints(struct graph *g, const int64_t *v, int n);
/* A node before `before` (NULL: at the end). in and out are copied; out[i]->def is set. attrs
 * are copied shallowly. */
struct node *graph_add_node(struct graph *g, struct node *before, const struct op *op,
                            struct value *const *in, int num_in, struct value *const *out,
                            int num_out, const struct attr *attrs, int num_attrs,
                            struct loc loc);
/* Makes n a node of another row. */
void graph_set_op(struct graph *g, struct node *n, const struct op *op);
void graph_remove_node(struct graph *g, struct node *n); // its results must have no uses left
/* Every use of `from` (operands, graph outputs, captured uses in subgraphs) becomes `to`. */
void graph_replace_value(struct graph *g, struct value *from, struct value *to);
/* `v` becomes a constant: def is cleared and it moves to the constants. */
void graph_make_constant(struct graph *g, struct value *v, const void *data);
void graph_count_uses(struct graph *g); // fills num_uses everywhere, outputs count as uses
void graph_renumber(struct graph *g);   // ids in definition order: inputs, constants, nodes
/* The model file its nodes come from; NULL when no node says. */
const char *graph_file(const struct graph *g);

int64_t value_elements(const struct value *v); // product of dims; the shape must be known
bool shape_equal(const struct shape *a, const struct shape *b);
/* f32[1,3,?]; also for messages. */
void shape_print(struct str *s, enum dtype t, const struct shape *shape);

/* ---- attributes; each takes the row's default when the node has none ---- */

/* Given explicitly; NULL otherwise. */
const struct attr *node_attr(const struct node *n, const char *name);
/* Given or by default; NULL when there is neither. */
const struct attr *node_attr_or_default(const struct node *n, const char *name);
int64_t node_int(const struct node *n, const char *name);
double node_float(const struct node *n, const char *name);
/* Never NULL for an attribute with a default. */
const char *node_string(const struct node *n, const char *name);
/* The list and its length; NULL and 0 when absent without default. */
const int64_t *node_ints(const struct node *n, const char *name, int *len);
const double *node_floats(const struct node *n, const char *name, int *len);
bool node_has_in(const struct node *n, int k);  // operand k is given
bool node_has_out(const struct node *n, int k); // result k is wanted

/* Constant operand k as integers (any integer type or bool widened); NULL when absent or not
 * constant. */
const int64_t *value_ints(struct arena *a, const struct value *v, int *len);

/* ---- text and checking ---- */

/* Prints the whole graph; constants longer than 64 bytes go to pool (may be NULL). */
void graph_print(struct str *s, const struct graph *g, struct constant_pool *pool);
/* NULL after errors (all reported through d with line numbers). */
struct graph *graph_read(const char *file, const char *text, size_t len, struct intern *names,
                         const struct constant_pool *pool, struct diag *d);
/* An attribute's value alone: a number, string, list, tensor or, when printing, a subgraph.
 * Reading makes it the kind `want` where it can be that; false after an error. */
void attr_print(struct str *s, const struct attr *a, struct constant_pool *pool);
bool attr_read(struct text *t, enum attr_kind want, const struct constant_pool *pool,
               struct attr *a);
/* The verifier: definitions before uses, unique ids, operand counts and attributes that fit the
 * rows, known types and shapes if `typed`, byte counts. Reports each violation; true when there
 * is none. */
bool graph_check(const struct graph *g, bool typed, struct diag *d);

#endif
