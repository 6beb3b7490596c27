/* Constants of dumps: a few elements inline, the rest by the hash of their bytes. */
#include "ir/constant.h"

#include "ir/diag.h"
#include "ir/text.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { INLINE_BYTES = 64 };

/* ---- the pool ---- */

static const struct constant_entry *find(const struct constant_pool *p, uint64_t hash,
                                         int64_t bytes) {
    for (int k = 0; k < p->entries.len; k++)
        if (p->entries.data[k].hash == hash && p->entries.data[k].bytes == bytes)
            return &p->entries.data[k];
    return NULL;
}

void constant_pool_add(struct constant_pool *p, const void *data, int64_t bytes) {
    struct constant_entry e = {hash_bytes(data, (size_t)bytes), bytes, data};
    const struct constant_entry *same = find(p, e.hash, bytes);
    if (!same)
        vec_push(p->arena, &p->entries, e);
    else if (memcmp(same->data, data, (size_t)bytes) != 0)
        bug("two constants of %" PRId64 " bytes have the hash %016" PRIx64, bytes, e.hash);
}

bool constant_pool_write(const struct constant_pool *p, const char *path) {
    struct str s = {0};
    for (int k = 0; k < p->entries.len; k++) {
        const struct constant_entry *e = &p->entries.data[k];
        str_addf(&s, "%016" PRIx64 " %" PRId64 "\n", e->hash, e->bytes);
        str_add_len(&s, e->data, (size_t)e->bytes);
        str_add(&s, "\n");
    }
    bool written = file_write(path, str_cstr(&s), s.len);
    int failure = errno;
    str_free(&s);
    errno = failure;
    return written;
}

/* One entry at *p, copied into the pool; a word on what is wrong, or NULL. */
static const char *read_entry(struct constant_pool *p, const char **at, const char *end) {
    const char *line_end = memchr(*at, '\n', (size_t)(end - *at));
    char *stop;
    if (!line_end)
        return "a line without end";
    errno = 0;
    uint64_t hash = strtoull(*at, &stop, 16);
    long long bytes = *stop == ' ' ? strtoll(stop, &stop, 10) : -1;
    if (errno || bytes < 0 || stop != line_end)
        return "expected a line 'hash length'";
    const char *data = line_end + 1;
    if (end - data <= bytes || data[bytes] != '\n')
        return "a constant is shorter than its length says";
    if (hash_bytes(data, (size_t)bytes) != hash)
        return "a constant does not have the hash it is named by";
    if (!find(p, hash, bytes))
        constant_pool_add(p, arena_copy(p->arena, data, (size_t)bytes), bytes);
    *at = data + bytes + 1;
    return NULL;
}

bool constant_pool_read(struct constant_pool *p, const char *path, struct diag *d) {
    size_t len;
    struct loc loc = {.file = path};
    char *data = file_read(path, &len);
    if (!data && errno == ENOENT)
        return true;
    if (!data) {
        diag_error(d, loc, "cannot read: %s", strerror(errno));
        return false;
    }
    const char *at = data, *wrong = NULL;
    while (!wrong && at < data + len)
        wrong = read_entry(p, &at, data + len);
    free(data);
    if (wrong)
        diag_error(d, loc, "%s", wrong);
    return !wrong;
}

/* ---- text ---- */

/* Whether reading the printed value gives the same bits. */
static bool prints_exactly(enum dtype t, const void *data, int64_t k) {
    union scalar v = dtype_load(t, data, k);
    if (!dtype_is_float(t) || !isnan(v.f))
        return true;
    unsigned char bits[8];
    v.f = signbit(v.f) ? -(double)NAN : (double)NAN;
    dtype_store(t, bits, 0, v);
    size_t size = (size_t)dtype_info(t)->bits / 8;
    return memcmp(bits, (const unsigned char *)data + (size_t)k * size, size) == 0;
}

static bool fits_inline(enum dtype t, const void *data, int64_t n, int64_t bytes) {
    bool exact = bytes <= INLINE_BYTES;
    for (int64_t k = 0; k < n && exact; k++)
        exact = prints_exactly(t, data, k);
    return exact;
}

void constant_print(struct str *s, enum dtype t, const void *data, int64_t n,
                    struct constant_pool *pool) {
    int64_t bytes;
    if (!dtype_bytes(t, n, &bytes))
        bug("a constant of %" PRId64 " elements", n);
    if (!fits_inline(t, data, n, bytes)) {
        str_addf(s, "@%016" PRIx64 ":%" PRId64, hash_bytes(data, (size_t)bytes), bytes);
        if (pool)
            constant_pool_add(pool, data, bytes);
        return;
    }
    str_add(s, "{");
    for (int64_t k = 0; k < n; k++) {
        str_add(s, k ? ", " : "");
        text_add_scalar(s, t, dtype_load(t, data, k), false);
    }
    str_add(s, "}");
}

/* Behind `{`. The elements are counted before memory for n of them is taken. */
static const void *read_inline(struct text *in, enum dtype t, int64_t n) {
    vec(union scalar) values = {0};
    while (!text_is(in, "}")) {
        union scalar v;
        if ((values.len && !text_expect(in, ",")) || !text_scalar(in, t, &v))
            return NULL;
        vec_push(in->arena, &values, v);
    }
    int64_t bytes;
    if (values.len != n || !dtype_bytes(t, n, &bytes)) {
        text_error(in, "expected %" PRId64 " elements, found %d", n, values.len);
        return NULL;
    }
    text_next(in);
    void *data = arena_alloc(in->arena, (size_t)bytes);
    for (int k = 0; k < values.len; k++)
        dtype_store(t, data, k, values.data[k]);
    return data;
}

/* `@hash:length` is the current token. */
static const void *read_named(struct text *in, enum dtype t, int64_t n,
                              const struct constant_pool *pool) {
    char *colon;
    errno = 0;
    uint64_t hash = strtoull(in->tok.text + 1, &colon, 16);
    long long named = strtoll(colon + 1, NULL, 10);
    int64_t bytes;
    if (errno || !dtype_bytes(t, n, &bytes) || bytes != named) {
        text_error(in, "%s does not have the length of %" PRId64 " elements of %s",
                   in->tok.text, n, dtype_info(t)->text);
        return NULL;
    }
    const struct constant_entry *e = pool ? find(pool, hash, bytes) : NULL;
    if (!e) {
        text_error(in, "no constant %s in the side file", in->tok.text);
        return NULL;
    }
    text_next(in);
    return e->data;
}

const void *constant_read(struct text *in, enum dtype t, int64_t n,
                          const struct constant_pool *pool) {
    const void *data = NULL;
    if (in->tok.kind == TOK_HASH)
        data = read_named(in, t, n, pool);
    else if (text_expect(in, "{"))
        data = read_inline(in, t, n);
    return in->failed ? NULL : data; // the token behind may be a bad one
}
