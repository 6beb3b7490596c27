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
    return t->opaque_type ? "opaque value" : NULL;
}

/* The element type; DTYPE_NONE also when none is said. False after an error. */
static bool info_type(struct reader *r, const Onnx__ValueInfoProto *info, const char *what,
                      enum dtype *t) {
    const char *kind = refused_kind(info->type);
    *t = DTYPE_NONE;
    if (kind) {
        diag_error(r->diag, reader_loc(r, NULL), "%s is a %s, which is not supported", what,
                   kind);
        return false;
    }
    if (!info->type || !info->type->tensor_type || info->type->tensor_type->elem_type == 0)
        return true;
    *t = dtype_read(r, info->type->tensor_type->elem_type, reader_loc(r, NULL), what);
    return *t != DTYPE_NONE;
}

void value_declare(struct reader *r, struct value *v, const Onnx__ValueInfoProto *info) {
    const Onnx__TensorShapeProto *shape = info_shape(info);
    if (!shape || v->declared.rank >= 0)
        return;
    if (shape->n_dim > GRAPH_MAX_RANK) {
        diag_error(r->diag, reader_loc(r, NULL), "'%s' has rank %zu, at most %d is supported",
                   v->name, shape->n_dim, GRAPH_MAX_RANK);
        return;
    }
    v->declared.rank = (int)shape->n_dim;
    v->declared.dims = shape->n_dim ? arena_array(r->arena, int64_t, shape->n_dim) : NULL;
    for (size_t k = 0; k < shape->n_dim; k++)
        v->declared.dims[k] = dim_size(r, shape->dim[k]);
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
        struct loc loc = reader_loc(r, NULL);
        const char *what = arena_printf(&r->scratch, "initializer '%s'", named->name);
        if (dense ? tensor_read(r, named, loc, what, &t)
                  : sparse_tensor_read(r, sparse, loc, what, &t))
            add_constant(r, s, named->name, &t);
        else
            add_unread(r, s, named->name);
    }
}

/* ---- inputs ---- */

/* Shape of an input of the main graph. False after an error. */
static bool main_shape(struct reader *r, const Onnx__ValueInfoProto *info, enum dtype t,
                       const char *what, struct shape *shape) {
    size_t rank;
    const int64_t *dims = input_dims(r, info, &rank);
    if (dims && t == DTYPE_NONE)
        diag_error(r->diag, reader_loc(r, NULL), "%s has no type", what);
    return dims && t != DTYPE_NONE &&
           dims_read(r, t, dims, rank, reader_loc(r, NULL), what, shape);
}

static struct value *add_input(struct reader *r, struct scope *s,
                               const Onnx__ValueInfoProto *info) {
    const char *what = arena_printf(&r->scratch, "input '%s'", info->name);
    enum dtype t;
    struct shape shape = {.rank = -1};
    bool ok = info_type(r, info, what, &t);
    if (ok && !s->parent)
        ok = main_shape(r, info, t, what, &shape);
    if (!ok)
        shape.rank = -1;
    struct value *v = graph_add_value(s->graph, info->name, t, shape.rank, shape.dims);
    vec_push(s->graph->arena, &s->graph->inputs, v);
    if (shape.rank >= 0)
        v->declared = v->shape;
    else
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
        info_type(r, info, arena_printf(&r->scratch, "output '%s'", name), &t);
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
