/* Internal to frontend/: what its files share while one model is read.
 *
 * A model is read scope by scope: the main graph, the body of each control-flow node, and the
 * body of each call of a model-local function. A scope maps tensor names to values. Each
 * NodeProto becomes a `draft`, is brought to the current form of its operator (opset.c), and
 * only then becomes a node of the graph. */
#ifndef NNCC_FRONTEND_MODEL_H
#define NNCC_FRONTEND_MODEL_H

#include "frontend/frontend.h"
#include "frontend/onnx.pb-c.h"

/* The state of reading one file. */
struct reader {
    const char *path;    // interned
    const uint8_t *data; // the file; unpacked `bytes` fields are places in it
    const struct frontend_options *opt;
    const Onnx__ModelProto *model;
    struct intern *names;
    struct diag *diag;
    struct arena *arena;  // of the graph: what outlives the reading
    struct arena scratch; // what does not
    struct map functions; // "domain:name:overload" -> FunctionProto of the model
    int64_t num_nodes;    // read so far, bodies of functions once per call

    vec(int) known_types; // enum dtype by value id, as far as opset.c asked

    struct map symbols; // symbolic dimension -> size; SYMBOL_FREE: none given
    struct map regions; // external data read so far: "location offset length" -> bytes
    struct map files;   // external files seen
    int64_t region_bytes, file_bytes; // their sizes in all
    int64_t dense_bytes;              // of sparse tensors made dense so far

    struct map reports; // see reader_may_report
    vec(const char *) report_keys;
};

enum {
    SYMBOL_FREE = -1,
    SYMBOL_REPORTED = -2, // free, and an error said so
    MAX_REPORTS = 20,     // of one kind, then they are counted
    MAX_SCOPES = 128,     // graphs and functions inside each other
    MAX_NODES = 250000,   // of one model, functions inlined
    OLDEST_OPSET = 7,
    OLDEST_IR = 3,
    NEWEST_IR = 14,
};

/* ---- reader.c ---- */

void reader_init(struct reader *r, const char *path, const void *data, struct intern *names,
                 struct diag *d);
void reader_free(struct reader *r);
struct loc reader_loc(const struct reader *r, const char *node); // node NULL: the whole file
/* Whether one more error of this kind is to be printed in full: the first MAX_REPORTS are. key:
 * interned or static. */
bool reader_may_report(struct reader *r, const char *key);
/* Says how many were not printed. */
void reader_report_rest(struct reader *r);
/* A pointer in the integer cell of a map, and back. */
int64_t cell_of(const void *p);
void *cell_pointer(const int64_t *cell); // NULL for a NULL cell

/* ---- weights.c ---- */

/* What an error is about: a node or the file, and a part of it: "initializer 'W'". */
struct place {
    struct loc loc;
    const char *what;
};
/* Reports "WHAT: text" at the place; returns false. */
bool place_error(struct reader *r, struct place at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

struct tensor {
    enum dtype dtype;
    struct shape shape;
    const void *data; // as ONNX raw_data; in the file or in r->arena
    int64_t bytes;
};
/* Reads a tensor in any storage form. False after an error. */
bool tensor_read(struct reader *r, const Onnx__TensorProto *t, struct place at,
                 struct tensor *out);
bool sparse_tensor_read(struct reader *r, const Onnx__SparseTensorProto *t, struct place at,
                        struct tensor *out);
/* Checks dims (rank, signs, product), copies them into r->arena and sets out's shape and bytes;
 * its dtype is known. */
bool dims_read(struct reader *r, const int64_t *dims, size_t rank, struct place at,
               struct tensor *out);
/* The element type of ONNX code `code`; DTYPE_NONE after an error that names it. */
enum dtype dtype_read(struct reader *r, int32_t code, struct place at);

/* ---- external.c ---- */

/* The `bytes` bytes of external data that t names, in r->arena. NULL after an error. */
const void *external_read(struct reader *r, const Onnx__TensorProto *t, int64_t bytes,
                          struct place at);

/* ---- nodes on their way into the graph ---- */

/* A node in the form the model gives it, then in the current form. Lists may be replaced, in
 * the scratch arena. */
struct draft {
    const char *domain, *op; // "" for ONNX's own domain
    int64_t opset;           // whose form it has, of ONNX's own domain
    struct value **in, **out;
    int num_in, num_out;
    struct attr *attrs;
    int num_attrs;
    struct loc loc;
    bool failed; // an error was reported: it will not become a node
};

/* ---- onnx.c: names and scopes ---- */

/* What a tensor name means in a scope. */
struct binding {
    struct value *value; // NULL: not computed yet, or `absent`
    bool absent;         // an optional operand of a function that the call leaves out
    const char *maker;   // label of the node of this scope that computes it; NULL: none does
    const Onnx__ValueInfoProto *info; // declared type and shape; NULL: none
};

/* One call of a model-local function. */
struct call {
    const Onnx__FunctionProto *function;
    const struct call *caller;          // NULL: called from a graph of the model
    const Onnx__AttributeProto **attrs; // [num_attrs] given by the call, references resolved
    int num_attrs;
};

struct scope {
    struct scope
        *parent; // whose names are visible; NULL: the main graph, and bodies of functions
    struct graph *graph;     // where nodes go
    const struct call *call; // the innermost call around it; NULL: none
    const char *prefix;      // of names that stand in functions: "" or "call/"
    const char *unnamed;     // of nodes without a name: "", "call/" or "loop/"
    int64_t opset;           // of ONNX's own domain, in force here
    int depth;
    struct map names; // -> struct binding, in the scratch arena
};

void scope_free(struct scope *s);
/* The binding of `name` in this scope alone, added if needed; name must outlive the scope. */
struct binding *scope_bind(struct reader *r, struct scope *s, const char *name);
/* The binding visible here, looked up outwards, that has a value, a maker or is absent; NULL:
 * there is none. */
struct binding *scope_find(struct scope *s, const char *name);
/* Declares the results of all nodes, so that a name used too early or defined twice is told
 * from an unknown one. */
void scope_declare(struct reader *r, struct scope *s, Onnx__NodeProto **nodes, size_t n);
/* Reads nodes in order into s->graph. */
void nodes_read(struct reader *r, struct scope *s, Onnx__NodeProto **nodes, size_t n);
/* Adds the draft, in its current form, to the graph and checks it against its operator's row.
 */
void node_add(struct reader *r, struct graph *g, const struct op *op, const struct draft *d);
/* An error when nncc does not read this opset. `whose`: "the model", "function 'f'". Said once
 * of each. */
void opset_check(struct reader *r, int64_t opset, const char *whose);
/* The body of a control-flow node; errors are counted in r->diag. */
struct graph *subgraph_read(struct reader *r, struct scope *outer, const Onnx__GraphProto *g,
                            struct loc owner);

/* ---- values.c: inputs, outputs, constants and declared shapes of a graph ---- */

/* Adds the inputs and initialisers of the graph to the scope, and notes its declared shapes.
 * The main graph's symbolic dimensions are bound by the options and must be. */
void inputs_read(struct reader *r, struct scope *s, const Onnx__GraphProto *g);
void outputs_read(struct reader *r, struct scope *s, const Onnx__GraphProto *g);
/* Gives v the shape that info declares for it; dimensions not known are -1. info may be NULL.
 */
void value_declare(struct reader *r, struct value *v, const Onnx__ValueInfoProto *info);

/* ---- symbols.c: symbolic dimensions and the options that bind them ---- */

/* Binds --dim and --shape to the symbolic dimensions of the main graph and checks both against
 * it. Constants are bound in s already: they are no inputs. */
void symbols_bind(struct reader *r, struct scope *s, const Onnx__GraphProto *g);
/* The shape that info declares, NULL: none. */
const Onnx__TensorShapeProto *info_shape(const Onnx__ValueInfoProto *info);
/* A declared dimension with symbols replaced; -1: not known. */
int64_t dim_size(struct reader *r, const Onnx__TensorShapeProto__Dimension *dim);
/* The dims [*rank] of an input of the main graph from --shape, its declaration and bound
 * symbols. NULL after an error that says which flag helps. */
const int64_t *input_dims(struct reader *r, const Onnx__ValueInfoProto *input, size_t *rank);

/* ---- attributes.c ---- */

/* Attributes of a node, references to those of the call resolved. Sets d->failed after an
 * error. */
void attributes_read(struct reader *r, struct scope *s, const Onnx__NodeProto *n,
                     struct draft *d);
/* The attribute itself, or what its ref_attr_name stands for in this call; NULL: the call gives
 * none. */
const Onnx__AttributeProto *attribute_resolve(const struct call *c,
                                              const Onnx__AttributeProto *a);

/* ---- functions.c ---- */

/* Files the functions of the model under their names; duplicates are errors. */
void functions_declare(struct reader *r);
/* The function a node calls, or NULL. */
const Onnx__FunctionProto *function_find(struct reader *r, const Onnx__NodeProto *n);
/* Reads the function's body in place of the call: d holds its operands. Results are put into
 * d->out. */
void function_inline(struct reader *r, struct scope *s, const Onnx__FunctionProto *f,
                     const Onnx__NodeProto *n, struct draft *d);
/* The opset of ONNX's own domain among imports; 0: none. */
int64_t opset_imported(Onnx__OperatorSetIdProto **imports, size_t n);

/* ---- opset.c ---- */

/* Brings d to the newest form of its operator, by the rows of opset.def. Sets d->failed after
 * an error. */
void opset_upgrade(struct reader *r, struct graph *g, struct draft *d);

#endif
