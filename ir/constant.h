/* Constants in text forms: up to 64 bytes inline as {1.5, 2}, longer ones as @hash:length with
 * the bytes in a side file. Side file: for each constant a line `hash length` in hexadecimal
 * and decimal, the bytes, a newline; in order of first use. */
#ifndef NNCC_IR_CONSTANT_H
#define NNCC_IR_CONSTANT_H

#include "ir/base.h"
#include "ir/dtype.h"

struct text;
struct diag;

struct constant_entry {
    uint64_t hash; // hash_bytes of the data
    int64_t bytes;
    const void *data;
};
/* The constants named by one or several dumps. Zero-initialised with an arena set. Data is
 * borrowed. */
struct constant_pool {
    struct arena *arena;
    vec(struct constant_entry) entries;
};
void constant_pool_add(struct constant_pool *p, const void *data, int64_t bytes);
bool constant_pool_write(const struct constant_pool *p, const char *path); // false with errno
/* Reads a side file into the pool; a missing file leaves it empty, a malformed one is an error.
 */
bool constant_pool_read(struct constant_pool *p, const char *path, struct diag *d);

/* n elements of type t. pool may be NULL: then @hash:length is printed and nothing kept. */
void constant_print(struct str *s, enum dtype t, const void *data, int64_t n,
                    struct constant_pool *pool);
/* NULL after an error (wrong count, unknown hash, length that does not fit). */
const void *constant_read(struct text *in, enum dtype t, int64_t n,
                          const struct constant_pool *pool);

#endif
