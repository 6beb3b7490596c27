/* Internal to frontend/: protobuf bytes made safe to unpack. */
#ifndef NNCC_FRONTEND_WIRE_H
#define NNCC_FRONTEND_WIRE_H

#include "ir/base.h"
#include "ir/diag.h"
#include <protobuf-c/protobuf-c.h>

/* Where a `bytes` field stands in the scanned buffer. */
struct wire_span {
    uint64_t offset, len;
};

/* Checks the message `data` of type `type` and unpacks it with protobuf-c; every `bytes` field
 * of the result holds a struct wire_span instead of its bytes (read it with wire_bytes). Free
 * the result with protobuf_c_message_free_unpacked. NULL after an error at `loc` that names
 * message, field and offset. */
ProtobufCMessage *wire_unpack(const ProtobufCMessageDescriptor *type, const void *data,
                              size_t len, struct loc loc, struct diag *d);

/* The span that an unpacked `bytes` field holds; it lies inside the scanned buffer. */
struct wire_span wire_bytes(const ProtobufCBinaryData *field);

#endif
