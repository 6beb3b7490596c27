/* Arenas, vectors, interned strings, string maps, growing text, checked sizes and whole files.
 *
 * An arena is a list of zeroed blocks. Small requests are cut from the newest block; a large
 * one gets a block of its own, linked behind the newest so that the room left there stays in
 * use. Both hash tables are open addressing with linear probing, at most two thirds full, sizes
 * a power of two. */
#include "ir/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = 64 * 1024, // of an ordinary arena block
    ALIGNMENT = 16,
    FIRST_SLOTS = 64, // of a hash table
};

struct arena_block {
    struct arena_block *next;
    size_t used, cap;
    _Alignas(ALIGNMENT) unsigned char data[];
};

struct map_slot {
    const char *key; // NULL: free
    int64_t value;
};

static _Noreturn void out_of_memory(void) {
    fputs("nncc: out of memory\n", stderr);
    exit(70);
}

/* ---- arena ---- */

static struct arena_block *block_new(size_t cap) {
    if (cap > SIZE_MAX - sizeof(struct arena_block))
        out_of_memory();
    struct arena_block *b = calloc(1, sizeof *b + cap);
    if (!b)
        out_of_memory();
    b->cap = cap;
    return b;
}

void *arena_alloc(struct arena *a, size_t size) {
    if (size > SIZE_MAX / 2)
        out_of_memory();
    size = size ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
    struct arena_block *b = a->head;
    if (b && size <= b->cap - b->used) {
        b->used += size;
        return b->data + b->used - size;
    }
    struct arena_block *fresh = block_new(size > BLOCK_BYTES ? size : BLOCK_BYTES);
    fresh->used = size;
    if (b && size > BLOCK_BYTES / 4) {
        fresh->next = b->next;
        b->next = fresh;
    } else {
        fresh->next = b;
        a->head = fresh;
    }
    return fresh->data;
}

void *arena_calloc(struct arena *a, size_t n, size_t size) {
    if (size && n > SIZE_MAX / size)
        out_of_memory();
    return arena_alloc(a, n * size);
}

void *arena_copy(struct arena *a, const void *data, size_t size) {
    void *copy = arena_alloc(a, size);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

char *arena_strdup(struct arena *a, const char *s) {
    return arena_copy(a, s, strlen(s) + 1);
}

char *arena_printf(struct arena *a, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = arena_alloc(a, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text;
}

void arena_free(struct arena *a) {
    while (a->head) {
        struct arena_block *next = a->head->next;
        free(a->head);
        a->head = next;
    }
}

/* ---- vec ---- */

void *vec_grow(struct arena *a, void *data, int len, int *cap, size_t size) {
    if (len < *cap)
        return data;
    if (*cap > INT32_MAX / 2)
        out_of_memory();
    *cap = *cap ? 2 * *cap : 8;
    void *fresh = arena_calloc(a, (size_t)*cap, size);
    if (len)
        memcpy(fresh, data, (size_t)len * size);
    return fresh;
}

/* ---- interned strings ---- */

static void *table_new(size_t cap, size_t size) {
    void *slots = calloc(cap, size);
    if (!slots)
        out_of_memory();
    return slots;
}

static bool table_full(size_t count, size_t cap) {
    return 3 * (count + 1) > 2 * cap;
}

/* The slot that holds the text, or the free one where it belongs. */
static const char **intern_slot(const char **slots, size_t cap, const char *s, size_t len) {
    size_t k = hash_bytes(s, len) & (cap - 1);
    while (slots[k] && (strncmp(slots[k], s, len) != 0 || strlen(slots[k]) != len))
        k = (k + 1) & (cap - 1);
    return &slots[k];
}

static void intern_grow(struct intern *in) {
    size_t cap = in->cap ? 2 * in->cap : FIRST_SLOTS;
    const char **slots = table_new(cap, sizeof *slots);
    for (size_t k = 0; k < in->cap; k++)
        if (in->slots[k])
            *intern_slot(slots, cap, in->slots[k], strlen(in->slots[k])) = in->slots[k];
    free(in->slots);
    in->slots = slots;
    in->cap = cap;
}

const char *intern_len(struct intern *in, const char *s, size_t len) {
    if (table_full(in->count, in->cap))
        intern_grow(in);
    const char **slot = intern_slot(in->slots, in->cap, s, len);
    if (!*slot) {
        char *text = arena_alloc(in->arena, len + 1); // zeroed: ends in NUL
        if (len)
            memcpy(text, s, len);
        *slot = text;
        in->count++;
    }
    return *slot;
}

const char *intern(struct intern *in, const char *s) {
    return intern_len(in, s, strlen(s));
}

void intern_free(struct intern *in) {
    free(in->slots);
    in->slots = NULL;
    in->count = in->cap = 0;
}

/* ---- map ---- */

static struct map_slot *map_slot(struct map_slot *slots, size_t cap, const char *key) {
    size_t k = hash_bytes(key, strlen(key)) & (cap - 1);
    while (slots[k].key && strcmp(slots[k].key, key) != 0)
        k = (k + 1) & (cap - 1);
    return &slots[k];
}

static void map_grow(struct map *m) {
    size_t cap = m->cap ? 2 * m->cap : FIRST_SLOTS;
    struct map_slot *slots = table_new(cap, sizeof *slots);
    for (size_t k = 0; k < m->cap; k++)
        if (m->slots[k].key)
            *map_slot(slots, cap, m->slots[k].key) = m->slots[k];
    free(m->slots);
    m->slots = slots;
    m->cap = cap;
}

int64_t *map_put(struct map *m, const char *key, bool *added) {
    if (table_full(m->count, m->cap))
        map_grow(m);
    struct map_slot *slot = map_slot(m->slots, m->cap, key);
    if (added)
        *added = !slot->key;
    if (!slot->key) {
        slot->key = key;
        m->count++;
    }
    return &slot->value;
}

int64_t *map_get(const struct map *m, const char *key) {
    if (!m->count)
        return NULL;
    struct map_slot *slot = map_slot(m->slots, m->cap, key);
    return slot->key ? &slot->value : NULL;
}

void map_free(struct map *m) {
    free(m->slots);
    m->slots = NULL;
    m->count = m->cap = 0;
}

/* ---- str ---- */

/* Room for `more` bytes and the NUL. */
static void str_reserve(struct str *s, size_t more) {
    if (more > SIZE_MAX / 4)
        out_of_memory();
    if (s->data && more < s->cap - s->len)
        return;
    size_t cap = s->cap ? s->cap : 64;
    while (cap - s->len <= more)
        cap *= 2;
    char *data = realloc(s->data, cap);
    if (!data)
        out_of_memory();
    s->data = data;
    s->cap = cap;
}

void str_add_len(struct str *s, const char *text, size_t len) {
    str_reserve(s, len);
    if (len)
        memcpy(s->data + s->len, text, len);
    s->len += len;
    s->data[s->len] = '\0';
}

void str_add(struct str *s, const char *text) {
    str_add_len(s, text, strlen(text));
}

void str_add_va(struct str *s, const char *fmt, va_list args) {
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    str_reserve(s, (size_t)len);
    vsnprintf(s->data + s->len, (size_t)len + 1, fmt, again);
    va_end(again);
    s->len += (size_t)len;
}

void str_addf(struct str *s, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    str_add_va(s, fmt, args);
    va_end(args);
}

void str_add_quoted(struct str *s, const char *text) {
    str_add(s, "\"");
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            str_addf(s, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            str_addf(s, "\\x%02x", c);
        else
            str_add_len(s, p, 1);
    }
    str_add(s, "\"");
}

const char *str_cstr(struct str *s) {
    str_add_len(s, NULL, 0);
    return s->data;
}

void str_free(struct str *s) {
    free(s->data);
    *s = (struct str){0};
}

/* ---- checked sizes and hashes ---- */

bool size_mul(int64_t a, int64_t b, int64_t *out) {
    return a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, out);
}

bool size_add(int64_t a, int64_t b, int64_t *out) {
    return a >= 0 && b >= 0 && !__builtin_add_overflow(a, b, out);
}

bool size_product(const int64_t *extents, int n, int64_t *out) {
    int64_t product = 1;
    bool fits = true, zero = false;
    for (int k = 0; k < n; k++) {
        if (extents[k] < 0)
            return false;
        zero |= extents[k] == 0;
        fits = fits && size_mul(product, extents[k], &product);
    }
    if (zero) // [0, 2^40, 2^40] has no elements, whatever the order
        product = 0;
    *out = product;
    return fits || zero;
}

uint64_t hash_bytes(const void *data, size_t len) {
    const unsigned char *p = data;
    uint64_t h = 14695981039346656037u;
    for (size_t k = 0; k < len; k++)
        h = (h ^ p[k]) * 1099511628211u;
    return h;
}

int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

int64_t floor_mod(int64_t a, int64_t b) {
    int64_t r = a % b;
    return r < 0 ? r + b : r;
}

/* ---- files ---- */

static char *read_all(FILE *f, size_t *len) {
    size_t cap = BLOCK_BYTES, used = 0;
    struct stat st;
    if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) &&
        (uintmax_t)st.st_size < SIZE_MAX / 4)
        cap = (size_t)st.st_size + 2; // one to see the end of the file, one for the NUL
    char *data = malloc(cap);
    while (data) {
        used += fread(data + used, 1, cap - 1 - used, f);
        if (used < cap - 1)
            break;
        char *more = cap <= SIZE_MAX / 2 ? realloc(data, cap *= 2) : NULL;
        if (!more)
            free(data);
        data = more;
    }
    if (!data)
        out_of_memory();
    data[used] = '\0';
    *len = used;
    return data;
}

char *file_read(const char *path, size_t *len) {
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    errno = 0;
    char *data = read_all(f, len);
    int failure = ferror(f) ? (errno ? errno : EIO) : 0;
    fclose(f);
    if (failure) {
        free(data);
        errno = failure;
        return NULL;
    }
    return data;
}

static bool write_all(const char *path, const void *data, size_t len) {
    FILE *f = fopen(path, "wb");
    if (!f)
        return false;
    bool written = len == 0 || fwrite(data, 1, len, f) == len;
    int failure = errno;
    if (fclose(f) != 0 && written) {
        written = false;
        failure = errno;
    }
    errno = failure;
    return written;
}

bool file_write(const char *path, const void *data, size_t len) {
    struct stat st;
    if (stat(path, &st) == 0 &&
        !S_ISREG(st.st_mode)) // a device or pipe is written to, not replaced
        return write_all(path, data, len);
    struct str part = {0};
    str_addf(&part, "%s.tmp-%ld", path, (long)getpid());
    bool written = write_all(part.data, data, len) && rename(part.data, path) == 0;
    if (!written) {
        int failure = errno;
        remove(part.data);
        errno = failure;
    }
    str_free(&part);
    return written;
}
