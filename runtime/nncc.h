/* The interface of code that nncc generates (ABI 1). Generated headers carry the same text
 * under the same guard, so this file is needed only by programs that load models through their
 * descriptor without including one. */
#ifndef NNCC_ABI
#define NNCC_ABI 1

#include <stddef.h>
#include <stdint.h>

#define NNCC_E_ARG    (-1) /* a pointer is NULL, or the arena is misaligned */
#define NNCC_E_INDEX  (-2) /* an index computed from the inputs is outside its tensor */
#define NNCC_E_SHAPE  (-3) /* a shape given at run time is not the one compiled for */
#define NNCC_E_SYMBOL (-4) /* a symbolic dimension is out of range */

typedef struct nncc_tensor {
    const char *name;
    int32_t dtype; /* TensorProto.DataType of ONNX */
    int32_t rank;
    const int64_t *dims; /* symbolic: -1 - index of the symbol */
    size_t bytes;        /* at the symbols' maxima */
    int32_t alias;       /* of an output: the input whose storage it may share, or -1 */
} nncc_tensor;

typedef struct nncc_hooks {
    void *user;
    /* NULL: serial */
    void (*parallel_for)(void *user, int32_t n, void (*body)(void *task, int32_t i),
                         void *task);
    /* NULL: none. Before (enter 1) and after (enter 0) each region that runs; none lies in
     * another, one in a loop runs many times, and one that fails is left as well. */
    void (*profile)(void *user, int32_t region, int32_t enter);
} nncc_hooks;

typedef struct nncc_call {
    const void *const *inputs;
    void *const *outputs;
    void *arena;
    int64_t *symbols;    /* in: values of symbolic dimensions; out: data-dependent sizes */
    const void *weights; /* NULL: built in */
    const nncc_hooks *hooks;
    void *reserved[2];
} nncc_call;

typedef struct nncc_model {
    uint32_t abi;
    const char *name;
    uint32_t num_inputs, num_outputs, num_symbols, num_regions;
    const nncc_tensor *inputs, *outputs;
    const char *const *symbols, *const *regions; /* a region: ONNX nodes, then statements */
    size_t arena_bytes, arena_align, weight_bytes;
    uint64_t macs;
    int (*run)(const nncc_call *call);
} nncc_model;

#endif
