/* The values a graph starts and ends with: inputs, initialisers, outputs, and the shapes it
 * declares for others.
 *
 * An initialiser that is listed as an input too is a constant. Inputs of the main graph have a
 * type and a complete shape from here on; those of a sub-graph may get theirs later. */
#include "frontend/model.h"

/* ---- declared types and shapes ---- */

/* The kind of value nncc does not have; NULL: a tensor, or nothing is said. */
static const char *refused_kind(const Onnx__TypeProto *t) {
    if (!t)
        return NULL;
    if (t->sequence_type)
        return "sequence";
    if (t->map_type)
        return "map";
    if (t->optional_type)
        return "optional";
    if (t->sparse_tensor_type)
        return "sparse tensor";
    return t->opaque_type ? "opaque" : NULL;
}

/* The element type; DTYPE_NONE also when none is said. False after an error. */
static bool info_type(struct reader *r, const Onnx__ValueInfoProto *info, struct place at,
                      enum dtype *t) {
    const char *kind = refused_kind(info->type);
    *t = DTYPE_NONE;
    if (kind)
        return place_error(r, at, "type %s is not supported", kind);
    if (!info->type || !info->type->tensor_type || info->type->tensor_type->elem_type == 0)
        return true;
    *t = dtype_read(r, info->type->tensor_type->elem_type, at);
    return *t != DTYPE_NONE;
}

static struct place place_of(struct reader *r, const char *what, const char *name) {
    return (struct place){reader_loc(r, NULL),
                          arena_printf(&r->scratch, "%s '%s'", what, name)};
}

/* Whether the dims, those that are not known left out, can be the shape of a tensor; an error
 * otherwise. */
static bool declared_fits(struct reader *r, const struct shape *shape, const char *name) {
    int64_t n = 1;
    bool fits = true;
    for (int k = 0; fits && k < shape->rank; k++)
        fits = shape->dims[k] < 0 || size_mul(n, shape->dims[k], &n);
    return fits ||
           place_error(r, place_of(r, "value", name), "its declared shape is too large");
}

void value_declare(struct reader *r, struct value *v, const Onnx__ValueInfoProto *info) {
    const Onnx__TensorShapeProto *shape = info_shape(info);
    if (!shape || v->declared.rank >= 0)
        return;
    if (shape->n_dim > GRAPH_MAX_RANK) {
        place_error(r, place_of(r, "value", v->name), "has rank %zu, at most %d is supported",
                    shape->n_dim, GRAPH_MAX_RANK);
        return;
    }
    struct shape declared = {.rank = (int)shape->n_dim};
    declared.dims = shape->n_dim ? arena_array(r->arena, int64_t, shape->n_dim) : NULL;
    for (size_t k = 0; k < shape->n_dim; k++)
        declared.dims[k] = dim_size(r, shape->dim[k]);
    if (declared_fits(r, &declared, v->name))
        v->declared = declared;
}

/* ---- constants ---- */

static void add_constant(struct reader *r, struct scope *s, const char *name,
                         const struct tensor *t) {
    struct binding *b = scope_bind(r, s, name);
    if (b->value) {
        diag_error(r->diag, reader_loc(r, NULL), "initializer '%s' stands there twice", name);
        return;
    }
    b->value =
        graph_add_constant(s->graph, name, t->dtype, t->shape.rank, t->shape.dims, t->data);
}

/* A value for an initialiser that could not be read, so that its uses are no further errors. */
static void add_unread(struct reader *r, struct scope *s, const char *name) {
    struct binding *b = scope_bind(r, s, name);
    if (!b->value)
        b->value = graph_add_value(s->graph, name, DTYPE_NONE, -1, NULL);
}

static void read_initializers(struct reader *r, struct scope *s, const Onnx__GraphProto *g) {
    size_t total = g->n_initializer + g->n_sparse_initializer;
    for (size_t k = 0; k < total; k++) {
        bool dense = k < g->n_initializer;
        const Onnx__SparseTensorProto *sparse =
            dense ? NULL : g->sparse_initializer[k - g->n_initializer];
        const Onnx__TensorProto *named = dense ? g->initializer[k] : sparse->values;
        if (!named || !named->name || !*named->name) {
            diag_error(r->diag, reader_loc(r, NULL), "initializer #%zu has no name", k);
            continue;
        }
        struct tensor t;
        struct place at = place_of(r, "initializer", named->name);
        if (dense ? tensor_read(r, named, at, &t) : sparse_tensor_read(r, sparse, at, &t))
            add_constant(r, s, named->name, &t);
        else
            add_unread(r, s, named->name);
    }
}

/* ---- inputs ---- */

/* Shape of an input of the main graph, whose dtype t has. False after an error. */
static bool main_shape(struct reader *r, const Onnx__ValueInfoProto *info, struct place at,
                       struct tensor *t) {
    size_t rank;
    const int64_t *dims = input_dims(r, info, &rank);
    if (dims && t->dtype == DTYPE_NONE)
        return place_error(r, at, "has no type");
    return dims && dims_read(r, dims, rank, at, t);
}

static struct value *add_input(struct reader *r, struct scope *s,
                               const Onnx__ValueInfoProto *info) {
    struct place at = place_of(r, "input", info->name);
    struct tensor t = {.shape = {.rank = -1}};
    bool ok = info_type(r, info, at, &t.dtype);
    if (ok && !s->parent)
        ok = main_shape(r, info, at, &t);
    if (!ok)
        t.shape.rank = -1;
    struct value *v =
        graph_add_value(s->graph, info->name, t.dtype, t.shape.rank, t.shape.dims);
    vec_push(s->graph->arena, &s->graph->inputs, v);
    if (t.shape.rank >= 0)
        v->declared = v->shape;
    else if (s->parent)
        value_declare(r, v, info);
    return v;
}

static void read_input(struct reader *r, struct scope *s, const Onnx__ValueInfoProto *info,
                       size_t k) {
    if (!info->name || !*info->name) {
        diag_error(r->diag, reader_loc(r, NULL), "input #%zu has no name", k);
        return;
    }
    struct binding *b = scope_bind(r, s, info->name);
    if (b->info) {
        diag_error(r->diag, reader_loc(r, NULL), "input '%s' stands there twice", info->name);
        return;
    }
    b->info = info;
    if (!b->value) // else an initialiser: constants win
        b->value = add_input(r, s, info);
}

/* Notes declared shapes; the first one of a name counts, so outputs come before value_info. */
static void note_infos(struct reader *r, struct scope *s, Onnx__ValueInfoProto **infos,
                       size_t n) {
    for (size_t k = 0; k < n; k++)
        if (infos[k]->name && *infos[k]->name) {
            struct binding *b = scope_bind(r, s, infos[k]->name);
            if (!b->info)
                b->info = infos[k];
        }
}

void inputs_read(struct reader *r, struct scope *s, const Onnx__GraphProto *g) {
    read_initializers(r, s, g);
    if (!s->parent)
        symbols_bind(r, s, g);
    for (size_t k = 0; k < g->n_input; k++)
        read_input(r, s, g->input[k], k);
    note_infos(r, s, g->output, g->n_output);
    note_infos(r, s, g->value_info, g->n_value_info);
}

/* ---- outputs ---- */

void outputs_read(struct reader *r, struct scope *s, const Onnx__GraphProto *g) {
    for (size_t k = 0; k < g->n_output; k++) {
        const Onnx__ValueInfoProto *info = g->output[k];
        enum dtype t;
        const char *name = info->name ? info->name : "";
        struct binding *b = scope_find(s, name);
        info_type(r, info, place_of(r, "output", name), &t);
        if (!b || !b->value) {
            diag_error(r->diag, reader_loc(r, NULL), "output '%s' is not computed by any node",
                       name);
            continue;
        }
        value_declare(r, b->value, info);
        vec_push(s->graph->arena, &s->graph->outputs, b->value);
        vec_push(s->graph->arena, &s->graph->output_names, intern(r->names, name));
    }
}
