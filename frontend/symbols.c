/* Symbolic dimensions of the main graph and what the command line binds to them.
 *
 * A dimension is a number, a name ('N'), or unknown. --dim=N=1 binds the name wherever it
 * stands; --shape=x=1,3 gives one input's dims and binds the names among them. After that every
 * input must be known; other declared shapes may keep unknown dims. */
#include "frontend/model.h"
#include <inttypes.h>

static bool is_fixed(const Onnx__TensorShapeProto__Dimension *d) {
    return d->has_dim_value && d->dim_value >= 0;
}

static const char *symbol_of(const Onnx__TensorShapeProto__Dimension *d) {
    return !d->has_dim_value && d->dim_param && *d->dim_param ? d->dim_param : NULL;
}

const Onnx__TensorShapeProto *info_shape(const Onnx__ValueInfoProto *info) {
    return info && info->type && info->type->tensor_type ? info->type->tensor_type->shape
                                                         : NULL;
}

int64_t dim_size(struct reader *r, const Onnx__TensorShapeProto__Dimension *d) {
    if (is_fixed(d))
        return d->dim_value;
    const char *symbol = symbol_of(d);
    const int64_t *size = symbol ? map_get(&r->symbols, symbol) : NULL;
    return size && *size >= 0 ? *size : -1;
}

/* ---- --dim and --shape ---- */

static void declare_symbols(struct reader *r, Onnx__ValueInfoProto **infos, size_t n) {
    for (size_t k = 0; k < n; k++) {
        const Onnx__TensorShapeProto *shape = info_shape(infos[k]);
        for (size_t j = 0; shape && j < shape->n_dim; j++) {
            const char *symbol = symbol_of(shape->dim[j]);
            bool added = false;
            int64_t *size = symbol ? map_put(&r->symbols, symbol, &added) : NULL;
            if (added)
                *size = SYMBOL_FREE;
        }
    }
}

static void bind_dims(struct reader *r) {
    for (int k = 0; k < r->opt->num_dims; k++) {
        const char *name = r->opt->dims[k].name;
        int64_t size = r->opt->dims[k].size, *bound = map_get(&r->symbols, name);
        struct loc loc = reader_loc(r, NULL);
        if (!bound)
            diag_error(r->diag, loc,
                       "--dim=%s=%" PRId64 ": the model has no symbolic dimension '%s'", name,
                       size, name);
        else if (size < 0)
            diag_error(r->diag, loc, "--dim=%s=%" PRId64 ": a size cannot be negative", name,
                       size);
        else if (*bound != SYMBOL_FREE && *bound != size)
            diag_error(r->diag, loc, "--dim=%s=%" PRId64 ": '%s' is already bound to %" PRId64,
                       name, size, name, *bound);
        else
            *bound = size;
    }
}

/* "--shape=x=1,3": in the scratch arena. */
static const char *shape_option(struct reader *r, const char *input, const int64_t *dims,
                                int rank) {
    struct str s = {0};
    str_addf(&s, "--shape=%s=", input);
    for (int k = 0; k < rank; k++)
        str_addf(&s, k ? ",%" PRId64 : "%" PRId64, dims[k]);
    const char *text = arena_strdup(&r->scratch, str_cstr(&s));
    str_free(&s);
    return text;
}

/* Checks one dimension given by --shape against its declaration and binds its symbol. */
static void bind_shape_dim(struct reader *r, const char *option,
                           const Onnx__ValueInfoProto *input, int k, int64_t size) {
    const Onnx__TensorShapeProto__Dimension *d = info_shape(input)->dim[k];
    const char *symbol = symbol_of(d);
    int64_t *bound = symbol ? map_get(&r->symbols, symbol) : NULL;
    struct loc loc = reader_loc(r, NULL);
    if (size < 0)
        diag_error(r->diag, loc, "%s: a size cannot be negative", option);
    else if (is_fixed(d) && d->dim_value != size)
        diag_error(r->diag, loc, "%s: dimension %d of input '%s' is %" PRId64 " in the model",
                   option, k, input->name, d->dim_value);
    else if (bound && *bound != SYMBOL_FREE && *bound != size)
        diag_error(r->diag, loc,
                   "%s: dimension %d of input '%s' is '%s', already bound to %" PRId64, option,
                   k, input->name, symbol, *bound);
    else if (bound)
        *bound = size;
}

static const Onnx__ValueInfoProto *find_input(const Onnx__GraphProto *g, const char *name) {
    for (size_t k = 0; k < g->n_input; k++)
        if (g->input[k]->name && strcmp(g->input[k]->name, name) == 0)
            return g->input[k];
    return NULL;
}

/* Whether an option before number k gives the same input's shape. */
static bool is_repeated(const struct frontend_options *opt, int k) {
    for (int j = 0; j < k; j++)
        if (strcmp(opt->shapes[j].input, opt->shapes[k].input) == 0)
            return true;
    return false;
}

static void bind_shape(struct reader *r, struct scope *s, const Onnx__GraphProto *g, int k) {
    const char *name = r->opt->shapes[k].input;
    const int64_t *dims = r->opt->shapes[k].dims;
    int rank = r->opt->shapes[k].rank;
    const char *option = shape_option(r, name, dims, rank);
    const Onnx__ValueInfoProto *input = find_input(g, name);
    const Onnx__TensorShapeProto *shape = info_shape(input);
    struct loc loc = reader_loc(r, NULL);
    if (is_repeated(r->opt, k))
        diag_error(r->diag, loc, "%s: input '%s' has a --shape already", option, name);
    else if (scope_find(s, name))
        diag_error(r->diag, loc, "%s: '%s' is a constant, its shape is known", option, name);
    else if (!input)
        diag_error(r->diag, loc, "%s: the model has no input '%s'", option, name);
    else if (shape && shape->n_dim != (size_t)rank)
        diag_error(r->diag, loc, "%s: input '%s' has rank %zu in the model", option, name,
                   shape->n_dim);
    else
        for (int j = 0; shape && j < rank; j++)
            bind_shape_dim(r, option, input, j, dims[j]);
}

void symbols_bind(struct reader *r, struct scope *s, const Onnx__GraphProto *g) {
    declare_symbols(r, g->input, g->n_input);
    declare_symbols(r, g->output, g->n_output);
    declare_symbols(r, g->value_info, g->n_value_info);
    bind_dims(r);
    for (int k = 0; k < r->opt->num_shapes; k++)
        bind_shape(r, s, g, k);
}

/* ---- inputs ---- */

/* The declared dims with 1 for each that is not known: an example for --shape. */
static const char *example_option(struct reader *r, const char *input,
                                  const Onnx__TensorShapeProto *shape) {
    int64_t dims[GRAPH_MAX_RANK];
    int rank = shape->n_dim < GRAPH_MAX_RANK ? (int)shape->n_dim : GRAPH_MAX_RANK;
    for (int k = 0; k < rank; k++) {
        int64_t size = dim_size(r, shape->dim[k]);
        dims[k] = size < 0 ? 1 : size;
    }
    return shape_option(r, input, dims, rank);
}

/* Dimension k of an input is not known: says what would help, once for each symbol. */
static void unbound_error(struct reader *r, const Onnx__ValueInfoProto *input, size_t k) {
    const Onnx__TensorShapeProto *shape = info_shape(input);
    const char *example = example_option(r, input->name, shape);
    const char *symbol = symbol_of(shape->dim[k]);
    int64_t *size = symbol ? map_get(&r->symbols, symbol) : NULL;
    struct loc loc = reader_loc(r, NULL);
    if (!size)
        diag_error(r->diag, loc,
                   "input '%s' has no size for dimension %zu: give its shape with %s",
                   input->name, k, example);
    else if (*size == SYMBOL_FREE)
        diag_error(
            r->diag, loc,
            "input '%s' has the symbolic dimension '%s': bind it with --dim=%s=1 (or %s)",
            input->name, symbol, symbol, example);
    if (size)
        *size = SYMBOL_REPORTED;
}

const int64_t *input_dims(struct reader *r, const Onnx__ValueInfoProto *input, size_t *rank) {
    for (int k = 0; k < r->opt->num_shapes; k++)
        if (strcmp(r->opt->shapes[k].input, input->name) == 0) {
            *rank = (size_t)r->opt->shapes[k].rank;
            return r->opt->shapes[k].dims;
        }
    const Onnx__TensorShapeProto *shape = info_shape(input);
    if (!shape) {
        diag_error(r->diag, reader_loc(r, NULL),
                   "input '%s' has no shape: give it with --shape=%s=...", input->name,
                   input->name);
        return NULL;
    }
    *rank = shape->n_dim;
    int64_t *dims = arena_array(&r->scratch, int64_t, shape->n_dim);
    bool known = true;
    for (size_t k = 0; k < shape->n_dim; k++) {
        dims[k] = dim_size(r, shape->dim[k]);
        if (dims[k] < 0)
            unbound_error(r, input, k);
        known = known && dims[k] >= 0;
    }
    return known ? dims : NULL;
}
