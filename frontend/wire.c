/* Protobuf bytes made safe to unpack.
 *
 * protobuf-c recurses without a limit, keeps unknown fields, and copies every payload. So the
 * file is read twice: here the wire format is walked once, against protobuf-c's own
 * descriptors, and a reduced copy of the message is written; protobuf-c then unpacks the copy.
 * In it
 *   - fields that onnx.proto does not know are left out,
 *   - every length is checked and written as a five-byte varint, so that it can be filled in
 * afterwards,
 *   - `bytes` payloads (weights) are replaced by their place in the file: they are never
 * copied,
 *   - nesting is at most WIRE_MAX_DEPTH, a sub-message that may occur once does so at most
 * once,
 *   - strings hold no zero bytes,
 *   - what unpacking will allocate is at most WIRE_MAX_GROWTH times the file.
 *
 * Source: Protocol Buffers, "Encoding". */
#include "frontend/wire.h"
#include <inttypes.h>

enum {
    WIRE_MAX_DEPTH = 100,         // messages inside each other; protobuf's own limit
    WIRE_MAX_GROWTH = 32,         // bytes of unpacked form per byte of file
    WIRE_FREE_GROWTH = 1 << 20,   // allowed on top, so that small files need not be dense
    WIRE_ALLOCATION = 16,         // what malloc adds to a block
    WIRE_MAX_MESSAGE = INT32_MAX, // protobuf-c's limit for one length
    LENGTH_BYTES = 5,
};

/* The walk over one buffer. */
struct wire {
    const uint8_t *data; // start of the buffer, for offsets
    struct str out;      // the reduced message
    int64_t budget;      // bytes that unpacking may still allocate
    int depth;           // of the message being walked
    struct loc loc;
    struct diag *diag;
};

/* One field as it stands in the buffer. */
struct wire_field {
    const ProtobufCMessageDescriptor *owner;
    const ProtobufCFieldDescriptor *desc; // NULL: not in our schema
    uint32_t number;
    ProtobufCWireType wire_type;
    const uint8_t *start;         // of the tag
    const uint8_t *payload, *end; // without tag and length
};

static bool walk_message(struct wire *w, const ProtobufCMessageDescriptor *type,
                         const uint8_t *p, const uint8_t *end);

static bool field_error(const struct wire *w, const struct wire_field *f, const char *what) {
    ptrdiff_t at = f->start - w->data;
    if (f->desc)
        diag_error(w->diag, w->loc, "not a valid ONNX file: %s.%s at byte %td %s",
                   f->owner->short_name, f->desc->name, at, what);
    else
        diag_error(w->diag, w->loc,
                   "not a valid ONNX file: field %" PRIu32 " of %s at byte %td %s", f->number,
                   f->owner->short_name, at, what);
    return false;
}

/* Reads a varint of at most 64 bits and moves *p behind it; false when it is cut off or too
 * long. */
static bool read_varint(const uint8_t **p, const uint8_t *end, uint64_t *v) {
    *v = 0;
    for (int shift = 0; shift < 64 && *p < end; shift += 7) {
        uint64_t bits = **p & 0x7f;
        bool last = !(**p & 0x80);
        (*p)++;
        if (shift == 63 && bits > 1)
            return false;
        *v |= bits << shift;
        if (last)
            return true;
    }
    return false;
}

static void write_varint(struct str *s, uint64_t v) {
    char bytes[10];
    size_t n = 0;
    do
        bytes[n++] = (char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
    while (v >>= 7);
    str_add_len(s, bytes, n);
}

/* Writes `v` over the LENGTH_BYTES bytes at `at`. */
static void patch_length(struct str *s, size_t at, size_t v) {
    for (int i = 0; i < LENGTH_BYTES; i++, v >>= 7)
        s->data[at + (size_t)i] = (char)((v & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
}

/* Bytes of one element in the unpacked form. */
static int64_t element_size(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return (int64_t)sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return (int64_t)sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static ProtobufCWireType wire_type_of(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    default:
        return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

/* Takes n bytes, as one block when `block`, from what unpacking may allocate. */
static bool spend(struct wire *w, const struct wire_field *f, int64_t n) {
    w->budget -= n;
    return w->budget >= 0 || field_error(w, f, "makes the model far larger than its file");
}

/* Reads the next field's tag and finds its payload; *p moves behind it. */
static bool read_field(const struct wire *w, const ProtobufCMessageDescriptor *type,
                       const uint8_t **p, const uint8_t *end, struct wire_field *f) {
    *f = (struct wire_field){.owner = type, .start = *p};
    uint64_t tag, len;
    if (!read_varint(p, end, &tag))
        return field_error(w, f, "is cut off (truncated file?)");
    if (tag > UINT32_MAX || tag >> 3 == 0)
        return field_error(w, f, "has an impossible number");
    f->number = (uint32_t)tag >> 3;
    f->desc = protobuf_c_message_descriptor_get_field(type, f->number);
    f->wire_type = (ProtobufCWireType)(tag & 7);
    f->payload = *p;
    switch ((int)f->wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        if (!read_varint(p, end, &len))
            return field_error(w, f, "is cut off (truncated file?)");
        f->end = *p;
        return true;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        len = 8;
        break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        len = 4;
        break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!read_varint(p, end, &len))
            return field_error(w, f, "is cut off (truncated file?)");
        f->payload = *p;
        break;
    default:
        return field_error(w, f, "has an encoding that ONNX does not use");
    }
    if (len > (uint64_t)(end - *p))
        return field_error(w, f, "runs past the end of its message (truncated file?)");
    *p += len;
    f->end = *p;
    return true;
}

static void write_tag(struct wire *w, const struct wire_field *f) {
    write_varint(&w->out, (uint64_t)f->number << 3 | (uint64_t)f->wire_type);
}

static bool write_message(struct wire *w, const struct wire_field *f) {
    const ProtobufCMessageDescriptor *type = f->desc->descriptor;
    if (w->depth == WIRE_MAX_DEPTH)
        return field_error(w, f,
                           "is nested too deep (more than 100 messages inside each other)");
    if (!spend(w, f, (int64_t)type->sizeof_message + WIRE_ALLOCATION))
        return false;
    write_tag(w, f);
    size_t at = w->out.len;
    str_add_len(&w->out, "\0\0\0\0\0", LENGTH_BYTES);
    w->depth++;
    bool ok = walk_message(w, type, f->payload, f->end);
    w->depth--;
    size_t len = w->out.len - at - LENGTH_BYTES;
    if (ok && len > WIRE_MAX_MESSAGE)
        return field_error(w, f, "is larger than 2 GB without its raw data");
    patch_length(&w->out, at, len);
    return ok;
}

static bool write_string(struct wire *w, const struct wire_field *f) {
    size_t len = (size_t)(f->end - f->payload);
    if (memchr(f->payload, 0, len))
        return field_error(w, f, "holds a zero byte");
    if (len > WIRE_MAX_MESSAGE)
        return field_error(w, f, "is larger than 2 GB");
    write_tag(w, f);
    write_varint(&w->out, len);
    str_add_len(&w->out, (const char *)f->payload, len);
    return spend(w, f, (int64_t)len + 1 + WIRE_ALLOCATION);
}

static bool write_span(struct wire *w, const struct wire_field *f) {
    struct wire_span span = {(uint64_t)(f->payload - w->data), (uint64_t)(f->end - f->payload)};
    write_tag(w, f);
    write_varint(&w->out, sizeof span);
    str_add_len(&w->out, (const char *)&span, sizeof span);
    return spend(w, f, (int64_t)sizeof span + WIRE_ALLOCATION);
}

/* A repeated number in its packed form: all elements in one payload. */
static bool write_packed(struct wire *w, const struct wire_field *f) {
    size_t len = (size_t)(f->end - f->payload);
    if (len > WIRE_MAX_MESSAGE)
        return field_error(w, f, "is larger than 2 GB");
    int64_t count = 0;
    if (wire_type_of(f->desc->type) == PROTOBUF_C_WIRE_TYPE_VARINT) {
        uint64_t v;
        for (const uint8_t *p = f->payload; p < f->end; count++)
            if (!read_varint(&p, f->end, &v))
                return field_error(w, f, "has a malformed element");
    } else {
        size_t size = (size_t)element_size(f->desc->type);
        if (len % size != 0)
            return field_error(w, f, "has a malformed element");
        count = (int64_t)(len / size);
    }
    write_tag(w, f);
    write_varint(&w->out, len);
    str_add_len(&w->out, (const char *)f->payload, len);
    return spend(w, f, count * element_size(f->desc->type));
}

static bool write_field(struct wire *w, const struct wire_field *f) {
    bool repeated = f->desc->label == PROTOBUF_C_LABEL_REPEATED;
    if (repeated && !spend(w, f, element_size(f->desc->type)))
        return false;
    ProtobufCWireType expected = wire_type_of(f->desc->type);
    if (f->wire_type != expected) {
        if (repeated && f->wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            return write_packed(w, f);
        return field_error(w, f, "has the wrong encoding");
    }
    if (f->desc->type == PROTOBUF_C_TYPE_MESSAGE)
        return write_message(w, f);
    if (f->desc->type == PROTOBUF_C_TYPE_STRING)
        return write_string(w, f);
    if (f->desc->type == PROTOBUF_C_TYPE_BYTES)
        return write_span(w, f);
    write_tag(w, f);
    str_add_len(&w->out, (const char *)f->payload, (size_t)(f->end - f->payload));
    return true;
}

/* Walks the fields of one message in [p, end). */
static bool walk_message(struct wire *w, const ProtobufCMessageDescriptor *type,
                         const uint8_t *p, const uint8_t *end) {
    uint64_t seen = 0; // sub-messages, by position in the descriptor
    while (p < end) {
        struct wire_field f;
        if (!read_field(w, type, &p, end, &f))
            return false;
        if (!f.desc)
            continue;
        if (f.desc->type == PROTOBUF_C_TYPE_MESSAGE &&
            f.desc->label != PROTOBUF_C_LABEL_REPEATED) {
            uint64_t bit = UINT64_C(1) << (f.desc - type->fields);
            if (seen & bit)
                return field_error(w, &f, "stands there twice");
            seen |= bit;
        }
        if (!write_field(w, &f))
            return false;
    }
    return true;
}

ProtobufCMessage *wire_unpack(const ProtobufCMessageDescriptor *type, const void *data,
                              size_t len, struct loc loc, struct diag *d) {
    struct wire w = {.data = data, .loc = loc, .diag = d};
    if (!size_mul((int64_t)len, WIRE_MAX_GROWTH, &w.budget) ||
        !size_add(w.budget, WIRE_FREE_GROWTH, &w.budget))
        w.budget = INT64_MAX;
    ProtobufCMessage *m = NULL;
    if (walk_message(&w, type, w.data, w.data + len)) {
        m = protobuf_c_message_unpack(type, NULL, w.out.len, (const uint8_t *)str_cstr(&w.out));
        if (!m)
            diag_error(d, loc, "not a valid ONNX file: it cannot be unpacked");
    }
    str_free(&w.out);
    return m;
}

struct wire_span wire_bytes(const ProtobufCBinaryData *field) {
    struct wire_span span = {0, 0};
    if (field->len == sizeof span)
        memcpy(&span, field->data, sizeof span);
    return span;
}
