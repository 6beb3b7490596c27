/* What every folder uses: arenas, growable vectors, interned strings, a string map, a string
 * builder and overflow-checked size arithmetic. Nothing here knows about networks.
 *
 * Memory: an IR lives in one `struct arena` and dies with it; nothing inside is freed one by
 * one. Running out of memory prints a message and exits with code 70, so no caller checks for
 * NULL. */
#ifndef NNCC_IR_BASE_H
#define NNCC_IR_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- arena ---- */

struct arena_block;
struct arena {
    struct arena_block *head; // newest block first; NULL when empty
};

/* `size` zeroed bytes aligned to 16; lives until arena_free. size may be 0. */
void *arena_alloc(struct arena *a, size_t size);
/* n * size zeroed bytes; exits on overflow of the product. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
void *arena_copy(struct arena *a, const void *data, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *a); // frees every block; the arena is empty and reusable

#define arena_new(a, T)      ((T *)arena_alloc((a), sizeof(T)))
#define arena_array(a, T, n) ((T *)arena_calloc((a), (size_t)(n), sizeof(T)))

/* ---- vec: a growable array in an arena: `vec(int) xs = {0}; vec_push(a, &xs, 3);` ---- */

#define vec(T)                                                                                 \
    struct {                                                                                   \
        T *data;                                                                               \
        int len, cap;                                                                          \
    }
#define vec_push(a, v, x)                                                                      \
    ((v)->data = vec_grow((a), (v)->data, (v)->len, &(v)->cap, sizeof *(v)->data),             \
     (v)->data[(v)->len++] = (x))
/* Room for one more element; the old storage stays in the arena. */
void *vec_grow(struct arena *a, void *data, int len, int *cap, size_t size);

/* ---- interned strings: equal text, equal pointer; text holds no NUL ---- */

struct intern {
    struct arena *arena; // owns the text
    const char **slots;  // open addressing, malloc'd
    size_t count, cap;
};
const char *intern(struct intern *in, const char *s);
const char *intern_len(struct intern *in, const char *s, size_t len);
void intern_free(struct intern *in); // the table; the text lives as long as in->arena

/* ---- map: string -> pointer or integer (no removal) ---- */

struct map {
    struct map_slot *slots; // malloc'd
    size_t count, cap;
};
/* The value cell of `key`, added with value 0 when new (then *added, if not NULL, is true). The
 * key is not copied: it must outlive the map. The cell moves at the next map_put. */
int64_t *map_put(struct map *m, const char *key, bool *added);
int64_t *map_get(const struct map *m, const char *key); // NULL when absent
void map_free(struct map *m);

/* ---- str: a growing text, malloc'd ---- */

struct str {
    char *data; // NUL-terminated when len > 0 or after str_cstr
    size_t len, cap;
};
void str_add(struct str *s, const char *text);
void str_add_len(struct str *s, const char *text, size_t len);
void str_addf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_add_va(struct str *s, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
/* A double-quoted token: `"`, `\` and control characters escaped as \", \\, \xHH; read back by
 * text.h. */
void str_add_quoted(struct str *s, const char *text);
const char *str_cstr(struct str *s); // never NULL
void str_free(struct str *s);

/* ---- checked sizes and hashes ---- */

/* *out = a * b (a + b); false on overflow of int64_t or a negative operand. */
bool size_mul(int64_t a, int64_t b, int64_t *out);
bool size_add(int64_t a, int64_t b, int64_t *out);
/* Product of n extents; false on overflow or a negative extent. n = 0 gives 1; an extent of 0
 * gives 0 in any order. */
bool size_product(const int64_t *extents, int n, int64_t *out);
uint64_t hash_bytes(const void *data, size_t len); // FNV-1a, 64 bit; the same on every machine

int64_t floor_div(int64_t a, int64_t b); // b > 0; rounds towards minus infinity
int64_t floor_mod(int64_t a, int64_t b); // b > 0; in [0, b)

/* ---- files ---- */

/* Whole file as bytes (malloc'd, NUL appended); NULL with errno set on failure. */
char *file_read(const char *path, size_t *len);
/* Writes path.tmp-PID, then renames over path: the file appears whole or not at all (a device
 * or pipe is written to directly). False with errno set on failure. */
bool file_write(const char *path, const void *data, size_t len);

#endif
