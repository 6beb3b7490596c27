/* AttributeProto -> struct attr.
 *
 * Inside a function an attribute may be a reference to one that the call gives; a reference to
 * one that the call leaves out, and that has no default, is no attribute at all. */
#include "frontend/model.h"
#include "frontend/wire.h"

/* Kinds in order of AttributeProto.AttributeType; -1: refused. */
static const struct {
    const char *name;
    int kind;
} kinds[] = {
    {"undefined", -1},
    {"float", ATTR_FLOAT},
    {"int", ATTR_INT},
    {"string", ATTR_STRING},
    {"tensor", ATTR_TENSOR},
    {"graph", ATTR_GRAPH},
    {"floats", ATTR_FLOATS},
    {"ints", ATTR_INTS},
    {"strings", ATTR_STRINGS},
    {"tensors", -1},
    {"graphs", -1},
    {"sparse tensor", -1},
    {"sparse tensors", -1},
    {"type", -1},
    {"types", -1},
};

/* The type of an attribute; files of IR version 1 leave it out, then what it holds decides. */
static int type_of(const Onnx__AttributeProto *a) {
    if (a->has_type && a->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED)
        return a->type;
    const struct {
        bool held;
        int type;
    } held[] = {
        {a->has_f, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT},
        {a->has_i, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT},
        {a->has_s, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING},
        {a->t != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR},
        {a->g != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH},
        {a->n_floats > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS},
        {a->n_ints > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS},
        {a->n_strings > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS},
    };
    for (size_t k = 0; k < sizeof held / sizeof *held; k++)
        if (held[k].held)
            return held[k].type;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
}

static bool attribute_error(struct reader *r, const struct draft *d, const char *name,
                            const char *found) {
    diag_error(r->diag, d->loc, "%s: attribute '%s' %s", d->op, name, found);
    return false;
}

/* ---- strings: places in the file ---- */

/* NULL when the string holds a zero byte. */
static const char *read_string(struct reader *r, const ProtobufCBinaryData *field) {
    struct wire_span span = wire_bytes(field);
    const char *text = (const char *)r->data + span.offset;
    return memchr(text, 0, (size_t)span.len) ? NULL
                                             : intern_len(r->names, text, (size_t)span.len);
}

static bool read_strings(struct reader *r, const Onnx__AttributeProto *a, struct attr *out) {
    const char **strings = arena_array(r->arena, const char *, a->n_strings);
    out->strings = strings;
    for (size_t k = 0; k < a->n_strings; k++)
        if (!(strings[k] = read_string(r, &a->strings[k])))
            return false;
    return true;
}

/* ---- lists, tensors, graphs ---- */

static const double *widen(struct reader *r, const float *f, size_t n) {
    double *wide = arena_array(r->arena, double, n);
    for (size_t k = 0; k < n; k++)
        wide[k] = (double)f[k];
    return wide;
}

static bool read_tensor(struct reader *r, const Onnx__AttributeProto *a, struct draft *d,
                        struct attr *out) {
    struct tensor t;
    const char *what = arena_printf(&r->scratch, "%s: attribute '%s'", d->op, out->name);
    if (!a->t)
        return attribute_error(r, d, out->name, "holds no tensor");
    if (!tensor_read(r, a->t, (struct place){d->loc, what}, &t))
        return false;
    struct value *v = arena_new(r->arena, struct value);
    *v = (struct value){
        .id = -1, .dtype = t.dtype, .shape = t.shape, .data = t.data, .bytes = t.bytes};
    v->declared.rank = -1;
    out->tensor = v;
    return true;
}

/* The value of an attribute that is no reference, by its kind. */
static bool read_value(struct reader *r, struct scope *s, const Onnx__AttributeProto *a,
                       struct draft *d, struct attr *out) {
    if (a->n_ints > INT32_MAX || a->n_floats > INT32_MAX || a->n_strings > INT32_MAX)
        return attribute_error(r, d, out->name, "is too long");
    switch (out->kind) {
    case ATTR_INT:
        out->i = a->i;
        return true;
    case ATTR_FLOAT:
        out->f = (double)a->f;
        return true;
    case ATTR_STRING:
        out->s = a->has_s ? read_string(r, &a->s) : "";
        return out->s || attribute_error(r, d, out->name, "holds a zero byte");
    case ATTR_INTS:
        out->n = (int)a->n_ints;
        out->ints = arena_copy(r->arena, a->ints, a->n_ints * sizeof *a->ints);
        return true;
    case ATTR_FLOATS:
        out->n = (int)a->n_floats;
        out->floats = widen(r, a->floats, a->n_floats);
        return true;
    case ATTR_STRINGS:
        out->n = (int)a->n_strings;
        return read_strings(r, a, out) || attribute_error(r, d, out->name, "holds a zero byte");
    case ATTR_TENSOR:
        return read_tensor(r, a, d, out);
    case ATTR_GRAPH:
        if (!a->g)
            return attribute_error(r, d, out->name, "holds no graph");
        out->graph = subgraph_read(r, s, a->g, d->loc);
        return out->graph != NULL;
    }
    return false;
}

const Onnx__AttributeProto *attribute_resolve(const struct call *c,
                                              const Onnx__AttributeProto *a) {
    const char *ref = a->ref_attr_name;
    if (!ref || !*ref)
        return a;
    for (int k = 0; c && k < c->num_attrs; k++)
        if (strcmp(c->attrs[k]->name, ref) == 0)
            return c->attrs[k];
    for (size_t k = 0; c && k < c->function->n_attribute_proto; k++) {
        const Onnx__AttributeProto *given = c->function->attribute_proto[k];
        if (given->name && strcmp(given->name, ref) == 0)
            return given;
    }
    return NULL;
}

static bool read_attribute(struct reader *r, struct scope *s, const Onnx__AttributeProto *a,
                           struct draft *d) {
    const char *name = a->name ? a->name : "";
    const Onnx__AttributeProto *given = attribute_resolve(s->call, a);
    if (!given)
        return s->call != NULL ||
               attribute_error(r, d, name, "refers to one of a function, outside of any");
    int type = type_of(given);
    bool known = type >= 0 && type < (int)(sizeof kinds / sizeof *kinds);
    if (!known || kinds[type].kind < 0) {
        diag_error(r->diag, d->loc, "%s: attribute '%s' has kind %s, which is not supported",
                   d->op, name, known ? kinds[type].name : "?");
        return false;
    }
    struct attr out = {.name = intern(r->names, name),
                       .kind = (enum attr_kind)kinds[type].kind};
    if (!read_value(r, s, given, d, &out))
        return false;
    d->attrs[d->num_attrs++] = out;
    return true;
}

void attributes_read(struct reader *r, struct scope *s, const Onnx__NodeProto *n,
                     struct draft *d) {
    d->attrs = arena_array(&r->scratch, struct attr, n->n_attribute);
    for (size_t k = 0; k < n->n_attribute; k++)
        if (!read_attribute(r, s, n->attribute[k], d))
            d->failed = true;
}
