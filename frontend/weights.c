/* TensorProto -> bytes as ONNX's raw_data has them: little endian, sub-byte elements packed
 * from the low bits.
 *
 * A tensor keeps its elements in one of raw_data, a typed field (which one depends on the
 * element type), or a file beside the model. raw_data is used where it stands in the model's
 * file; the other forms are copied once. In each form the size must be exactly what the shape
 * says.
 *
 * Source: onnx.proto, TensorProto; IR version 14. */
#include "frontend/model.h"
#include "frontend/wire.h"
#include <inttypes.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "weights are used as they are stored");

enum { SPARSE_MAX_BYTES = 1 << 26 }; // of a model's sparse tensors made dense

/* The typed fields of TensorProto. */
enum field { FLOAT_DATA, INT32_DATA, INT64_DATA, DOUBLE_DATA, UINT64_DATA, NUM_FIELDS };

static const char *const field_names[NUM_FIELDS] = {"float_data", "int32_data", "int64_data",
                                                    "double_data", "uint64_data"};

static enum field field_of(enum dtype t) {
    switch (t) {
    case DTYPE_F32:
        return FLOAT_DATA;
    case DTYPE_F64:
        return DOUBLE_DATA;
    case DTYPE_I64:
        return INT64_DATA;
    case DTYPE_U32:
    case DTYPE_U64:
        return UINT64_DATA;
    default:
        return INT32_DATA;
    }
}

/* A tensor while its storage form is looked at. */
struct source {
    struct reader *r;
    const Onnx__TensorProto *t;
    struct place at;
    struct tensor *out;
    int64_t elements;
};

static size_t field_count(const Onnx__TensorProto *t, enum field f) {
    const size_t counts[NUM_FIELDS] = {t->n_float_data, t->n_int32_data, t->n_int64_data,
                                       t->n_double_data, t->n_uint64_data};
    return counts[f];
}

bool place_error(struct reader *r, struct place at, const char *fmt, ...) {
    struct str text = {0};
    va_list args;
    va_start(args, fmt);
    str_add_va(&text, fmt, args);
    va_end(args);
    diag_error(r->diag, at.loc, "%s: %s", at.what, str_cstr(&text));
    str_free(&text);
    return false;
}

/* Reports "FIELD has N UNIT, its shape f32[3] needs M". */
static bool size_error(const struct source *s, const char *field, uint64_t n, const char *unit,
                       int64_t needed) {
    struct str shape = {0};
    shape_print(&shape, s->out->dtype, &s->out->shape);
    place_error(s->r, s->at, "%s has %" PRIu64 " %s, its shape %s needs %" PRId64, field, n,
                unit, str_cstr(&shape), needed);
    str_free(&shape);
    return false;
}

/* ---- storage forms ---- */

/* Bools are one byte, 0 or 1, from here on. */
static const void *clean_bools(struct reader *r, const void *data, int64_t n) {
    const uint8_t *bytes = data;
    int64_t k = 0;
    while (k < n && bytes[k] <= 1)
        k++;
    if (k == n)
        return data;
    uint8_t *clean = arena_copy(r->arena, data, (size_t)n);
    for (; k < n; k++)
        clean[k] = clean[k] != 0;
    return clean;
}

static bool read_raw(struct source *s) {
    struct wire_span span = wire_bytes(&s->t->raw_data);
    if (span.len != (uint64_t)s->out->bytes)
        return size_error(s, "raw_data", span.len, "bytes", s->out->bytes);
    s->out->data = s->r->data + span.offset;
    return true;
}

static bool range_error(const struct source *s, enum field f) {
    return place_error(s->r, s->at, "%s holds a value that is no %s", field_names[f],
                       dtype_info(s->out->dtype)->text);
}

/* Elements of up to 32 bits, one to an int32; bool counts as 0 or not. */
static bool unpack_int32(const struct source *s, void *to) {
    enum dtype t = s->out->dtype;
    union scalar lo, hi;
    dtype_limits(t, &lo, &hi);
    for (int64_t k = 0; k < s->elements; k++) {
        int64_t v = s->t->int32_data[k];
        if (t == DTYPE_BOOL)
            v = v != 0;
        if (v < lo.i || v > hi.i)
            return range_error(s, INT32_DATA);
        dtype_store(t, to, k, (union scalar){.i = v});
    }
    return true;
}

/* Sub-byte elements: each int32 is one byte of the packed form. */
static bool unpack_packed(const struct source *s, uint8_t *to) {
    for (int64_t k = 0; k < s->out->bytes; k++) {
        int32_t v = s->t->int32_data[k];
        if (v < INT8_MIN || v > UINT8_MAX)
            return range_error(s, INT32_DATA);
        to[k] = (uint8_t)v;
    }
    return true;
}

static bool unpack_u32(const struct source *s, void *to) {
    for (int64_t k = 0; k < s->elements; k++) {
        uint64_t v = s->t->uint64_data[k];
        if (v > UINT32_MAX)
            return range_error(s, UINT64_DATA);
        dtype_store(DTYPE_U32, to, k, (union scalar){.u = v});
    }
    return true;
}

static bool read_typed(struct source *s, enum field f) {
    struct tensor *out = s->out;
    int64_t needed = dtype_info(out->dtype)->bits < 8 ? out->bytes : s->elements;
    uint64_t found = field_count(s->t, f);
    if (found != (uint64_t)needed)
        return size_error(s, field_names[f], found, "elements", needed);
    const void *const same[NUM_FIELDS] = {s->t->float_data, NULL, s->t->int64_data,
                                          s->t->double_data, s->t->uint64_data};
    void *to = arena_alloc(s->r->arena, (size_t)out->bytes);
    out->data = to;
    if (out->dtype == DTYPE_U32)
        return unpack_u32(s, to);
    if (f != INT32_DATA) {
        if (out->bytes > 0)
            memcpy(to, same[f], (size_t)out->bytes);
        return true;
    }
    return dtype_info(out->dtype)->bits < 8 ? unpack_packed(s, to) : unpack_int32(s, to);
}

/* Which typed field holds elements: the right one, also when none does. NUM_FIELDS after an
 * error. */
static enum field used_field(const struct source *s) {
    enum field right = field_of(s->out->dtype);
    for (int f = 0; f < NUM_FIELDS; f++)
        if (f != (int)right && field_count(s->t, (enum field)f) > 0) {
            place_error(s->r, s->at, "its elements stand in %s, those of type %s belong in %s",
                        field_names[f], dtype_info(s->out->dtype)->text, field_names[right]);
            return NUM_FIELDS;
        }
    return right;
}

static bool read_storage(struct source *s) {
    const Onnx__TensorProto *t = s->t;
    bool external = t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    enum field f = used_field(s);
    if (f == NUM_FIELDS)
        return false;
    bool typed = field_count(t, f) > 0;
    if (external + t->has_raw_data + typed > 1)
        return place_error(s->r, s->at, "has its data twice: %s",
                           external ? "in the model and in a file of its own"
                                    : "in raw_data and in a typed field");
    if (external) {
        s->out->data = external_read(s->r, t, s->out->bytes, s->at);
        return s->out->data != NULL;
    }
    if (t->has_raw_data)
        return read_raw(s);
    if (!typed && s->elements > 0)
        return size_error(s, "its data", 0, "elements", s->elements);
    return read_typed(s, f);
}

/* ---- tensors ---- */

enum dtype dtype_read(struct reader *r, int32_t code, struct place at) {
    enum dtype t = dtype_from_onnx(code);
    if (t != DTYPE_NONE)
        return t;
    const char *name = dtype_onnx_name(code);
    if (name[0] == '?')
        name = arena_printf(&r->scratch, "? (code %" PRId32 ")", code);
    const char *text = arena_printf(&r->scratch, "type %s is not supported", name);
    if (reader_may_report(r, text))
        place_error(r, at, "%s", text);
    return DTYPE_NONE;
}

bool dims_read(struct reader *r, const int64_t *dims, size_t rank, struct place at,
               struct tensor *out) {
    if (rank > GRAPH_MAX_RANK)
        return place_error(r, at, "has rank %zu, at most %d is supported", rank,
                           GRAPH_MAX_RANK);
    for (size_t k = 0; k < rank; k++)
        if (dims[k] < 0)
            return place_error(r, at, "dimension %zu is negative (%" PRId64 ")", k, dims[k]);
    out->shape.rank = (int)rank;
    out->shape.dims = rank ? arena_copy(r->arena, dims, rank * sizeof *dims) : NULL;
    int64_t n;
    if (size_product(dims, (int)rank, &n) && dtype_bytes(out->dtype, n, &out->bytes))
        return true;
    struct str shape = {0};
    shape_print(&shape, out->dtype, &out->shape);
    place_error(r, at, "shape %s is too large", str_cstr(&shape));
    str_free(&shape);
    return false;
}

bool tensor_read(struct reader *r, const Onnx__TensorProto *t, struct place at,
                 struct tensor *out) {
    struct source s = {r, t, at, out, 0};
    *out = (struct tensor){.dtype = dtype_read(r, t->data_type, at)};
    if (out->dtype == DTYPE_NONE || !dims_read(r, t->dims, t->n_dims, at, out))
        return false;
    if (t->segment)
        return place_error(r, at, "data in segments is not supported");
    size_product(out->shape.dims, out->shape.rank, &s.elements);
    if (!read_storage(&s))
        return false;
    if (out->dtype == DTYPE_BOOL)
        out->data = clean_bools(r, out->data, out->bytes);
    return true;
}

/* ---- sparse tensors ---- */

/* Row-major position of value k, from a linear index or one per dimension; false when it is
 * outside. */
static bool sparse_position(const struct tensor *indices, const struct shape *shape, int64_t k,
                            int64_t *at) {
    int64_t n;
    size_product(shape->dims, shape->rank, &n);
    if (indices->shape.rank == 1) {
        *at = dtype_load(DTYPE_I64, indices->data, k).i;
        return *at >= 0 && *at < n;
    }
    *at = 0;
    for (int d = 0; d < shape->rank; d++) {
        int64_t i = dtype_load(DTYPE_I64, indices->data, k * shape->rank + d).i;
        if (i < 0 || i >= shape->dims[d])
            return false;
        *at = *at * shape->dims[d] + i;
    }
    return true;
}

bool sparse_tensor_read(struct reader *r, const Onnx__SparseTensorProto *t, struct place at,
                        struct tensor *out) {
    struct tensor values, indices;
    if (!t->values || !t->indices)
        return place_error(r, at, "sparse tensor without values or indices");
    if (!tensor_read(r, t->values, at, &values) || !tensor_read(r, t->indices, at, &indices))
        return false;
    *out = (struct tensor){.dtype = values.dtype};
    if (!dims_read(r, t->dims, t->n_dims, at, out))
        return false;
    if (!size_add(r->dense_bytes, out->bytes, &r->dense_bytes) ||
        r->dense_bytes > SPARSE_MAX_BYTES)
        return place_error(r, at, "sparse tensors take more than 64 MB when made dense");
    const struct shape *i = &indices.shape;
    bool linear = i->rank == 1, full = i->rank == 2 && i->dims[1] == out->shape.rank;
    if (values.shape.rank != 1 || indices.dtype != DTYPE_I64 || (!linear && !full) ||
        i->dims[0] != values.shape.dims[0])
        return place_error(r, at, "sparse values must be [N], indices i64[N] or i64[N,rank]");
    uint8_t *dense = arena_alloc(r->arena, (size_t)out->bytes);
    for (int64_t k = 0; k < values.shape.dims[0]; k++) {
        int64_t to;
        if (!sparse_position(&indices, &out->shape, k, &to))
            return place_error(r, at, "a sparse index is outside its dimensions");
        dtype_store(out->dtype, dense, to, dtype_load(values.dtype, values.data, k));
    }
    out->data = dense;
    return true;
}
