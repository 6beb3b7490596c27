/* The front end: ONNX bytes in, graph out. The only folder that sees protobuf. */
#ifndef NNCC_FRONTEND_H
#define NNCC_FRONTEND_H

#include "ir/graph.h"

/* What the command line binds. */
struct frontend_options {
    struct {
        const char *name;
        int64_t size;
    } * dims; // --dim=NAME=SIZE
    int num_dims;
    struct {
        const char *input;
        const int64_t *dims;
        int rank;
    } * shapes; // --shape=INPUT=1,3,224,224
    int num_shapes;
    /* Called once for each file of external data, its path relative to the model's folder (gone
     * after the call). May be NULL. */
    void (*depends)(void *user, const char *file);
    void *user;
};

/* Reads the model: parse, bounds on nesting and sizes, types, names, storage forms (raw, typed
 * fields, external files beside `path`, packed sub-byte), functions inlined, old operator forms
 * rewritten to the current ones, initialisers that are also inputs made constants, symbolic
 * dimensions bound. Every graph input and value_info shape is in `declared`; types and shapes
 * of other values are unknown until infer. Reports all errors it finds (unknown operators,
 * domains, opset versions by name, all in one run); NULL then. `data` (the mapped or given
 * file) must outlive the graph: constants may point into it. */
struct graph *graph_from_onnx(const char *path, const void *data, size_t len,
                              const struct frontend_options *opt, struct intern *names,
                              struct diag *d);

/* A file mapped read-only; data NULL with errno set on failure. An empty file has len 0 and
 * data not NULL. */
struct mapped_file {
    void *data;
    size_t len;
};
struct mapped_file file_map(const char *path);
void file_unmap(struct mapped_file m);

/* A TensorProto file (input_0.pb) into bytes as ONNX raw_data has them: for --verify. False
 * after an error. */
bool tensor_from_file(const char *path, struct arena *a, enum dtype *t, struct shape *shape,
                      const void **data, int64_t *bytes, struct diag *d);

#endif
