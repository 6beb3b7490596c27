/* Constants as C text that compilers read fast: small ones as numbers, large ones as string
 * literals of their bytes.
 *
 * An initialiser of numbers costs a compiler some hundred bytes and a microsecond an element; a
 * string literal costs its length. C99 promises 4,095 characters in one, so a constant is an
 * array of rows and a last, shorter row, seen through a union as its type. Each constant is an
 * object of its own: a linker map shows it, and a section attribute places it.
 *
 * With --weights=bin the large ones stand in a file beside the C file, at multiples of 64
 * bytes, and the assembler puts each under its name. No compiler reads them. */
#include "codegen/emit.h"

#include <inttypes.h>
#include <math.h>

enum {
    ROW = 4080,    // bytes in a literal
    SMALL = 256,   // bytes: up to here as numbers
    HASHED = 4096, // bytes at either end
    ALIGN = 64,    // bytes: of what the assembler places; package.c says the same
};

/* ---- as numbers ---- */

/* Infinities and NaNs have no literal, and the bits of a NaN would be lost. */
static bool all_finite(enum dtype t, const void *data, int64_t n) {
    for (int64_t k = 0; dtype_is_float(t) && k < n; k++)
        if (!isfinite(dtype_load(t, data, k).f))
            return false;
    return true;
}

static bool as_numbers(const struct buffer *b) {
    return b->bytes <= SMALL && all_finite(b->dtype, b->data, b->max_elements);
}

static void put_numbers(struct emit *em, const struct buffer *b, const char *c) {
    enum dtype t = dtype_info(b->dtype)->bits < 8 ? DTYPE_U8 : b->dtype;
    int64_t n = b->bytes / (dtype_info(t)->bits / 8);
    struct str text = {0}, *out = em->fn.out;
    em->fn.out = &text;
    putf(em, "NNCC_CONST static const %s %s[%" PRId64 "] = {", dtype_info(t)->c_type, c,
         n ? n : 1);
    for (int64_t k = 0; k < n; k++) {
        put(em, k ? ", " : "");
        emit_constant(em, t, dtype_load(t, b->data, k));
    }
    put(em, n ? "};" : "0};");
    em->fn.out = out;
    put_code(em, str_cstr(&text));
    str_free(&text);
}

/* ---- as bytes ---- */

/* Of the C array that holds a constant. */
static int64_t array_length(const struct buffer *b) {
    int bits = dtype_info(b->dtype)->bits;
    return bits < 8 ? b->bytes : b->bytes / (bits / 8);
}

static void put_bytes(struct emit *em, const struct buffer *b, const char *c) {
    const char *data = b->data, *type = emit_element_type(b->dtype);
    int64_t rows = b->bytes / ROW, rest = b->bytes % ROW, n = array_length(b);
    struct literal literal;
    literal_start(&literal);
    put(em, "NNCC_CONST static const union {\n    struct {\n");
    if (rows > 0)
        putf(em, "        char rows[%" PRId64 "][%d];\n", rows, ROW);
    if (rest > 0)
        putf(em, "        char rest[%" PRId64 "];\n", rest);
    putf(em, "    } bytes;\n    %s data[%" PRId64 "];\n} %s = {{", type, n, c);
    for (int64_t r = 0; r < rows; r++) {
        put(em, r ? ",\n\"" : "{\n\"");
        literal_bytes(em->fn.out, &literal, data + r * ROW, ROW);
        put(em, "\"");
    }
    put(em, rows && rest ? "},\n\"" : rows ? "}" : "\n\"");
    literal_bytes(em->fn.out, &literal, data + rows * ROW, (size_t)rest);
    put(em, rest ? "\"" : "");
    put(em, "}};\n");
}

/* ---- in a file ---- */

/* Appends the constant to the file and prints where it stands there. The last one extends to
 * the end of the file, so that a longer file does not fit. */
static void put_placement(struct emit *em, const struct buffer *b, const char *c, bool last) {
    struct str *file = em->opt->weights_file;
    while (file->len % ALIGN != 0)
        str_add_len(file, "", 1);
    struct str text = {0}, part = {0};
    str_addf(&part, last ? "%zu" : "%zu, %" PRId64, file->len, b->bytes);
    str_add_len(file, b->data, (size_t)b->bytes);
    str_addf(&text, "NNCC_PLACE(\"%s\", \"%s\", \"%" PRId64 "\");", c, str_cstr(&part),
             b->bytes);
    put_code(em, str_cstr(&text));
    putf(em, "extern const %s %s[%" PRId64 "] NNCC_PLACED;\n", emit_element_type(b->dtype), c,
         array_length(b));
    str_free(&text);
    str_free(&part);
}

/* So that other constants give another C file, by which builds and caches see the change. */
static void put_file_summary(struct emit *em) {
    const struct str *file = em->opt->weights_file;
    putf(em, "\n/* The file: %zu bytes, FNV-1a %016" PRIx64 ". */\n", file->len,
         hash_bytes(file->data, file->len));
}

/* ---- which ---- */

/* A hash of the constant's ends, which are compared whole where it is the same. */
static uint64_t hash_ends(const struct buffer *b) {
    size_t all = (size_t)b->bytes, n = all < HASHED ? all : HASHED;
    const char *data = b->data;
    return hash_bytes(data, n) ^ (hash_bytes(data + (all - n), n) << 1) ^ all;
}

/* An earlier constant with the same type and bytes, or -1. `first` maps the content's hash to
 * the first one with it. */
static int same_constant(const struct emit *em, struct map *first, struct arena *a, int k) {
    const struct buffer *b = &em->ast->buffers.data[k];
    uint64_t hash = hash_ends(b);
    const char *key = arena_printf(a, "%d:%" PRIx64, (int)b->dtype, hash);
    bool added;
    int64_t *cell = map_put(first, key, &added);
    if (added) {
        *cell = k;
        return -1;
    }
    const struct buffer *other = &em->ast->buffers.data[*cell];
    bool same = other->bytes == b->bytes && memcmp(other->data, b->data, (size_t)b->bytes) == 0;
    return same ? (int)*cell : -1;
}

void weights_name(struct emit *em) {
    struct map first = {0};
    for (int k = 0; k < em->ast->buffers.len; k++) {
        const struct buffer *b = &em->ast->buffers.data[k];
        if (b->kind != BUFFER_CONST || !em->mentioned[k])
            continue;
        int same = same_constant(em, &first, &em->arena, k);
        if (same >= 0) {
            em->buffer_c[k] = em->buffer_c[same];
            continue;
        }
        bool whole = as_numbers(b) || em->opt->weights == WEIGHTS_BIN;
        em->buffer_c[k] = arena_printf(&em->arena, "%s_w%d%s", em->opt->prefix, em->weights.len,
                                       whole ? "" : ".data");
        vec_push(&em->arena, &em->weights, k);
    }
    map_free(&first);
}

/* Does the run function have the name of constant k, or of one that is equal to it? */
static bool is_named(const struct emit *em, int k) {
    bool named = false;
    for (int i = k; i < em->ast->buffers.len && !named; i++)
        named = em->named[i] && em->buffer_c[i] == em->buffer_c[k];
    return named;
}

int64_t weights_keep(struct emit *em) {
    int kept = 0;
    int64_t bytes = 0;
    for (int i = 0; i < em->weights.len; i++) {
        int k = em->weights.data[i];
        const struct buffer *b = &em->ast->buffers.data[k];
        if (!is_named(em, k))
            continue;
        em->weights_as_bytes = em->weights_as_bytes || !as_numbers(b);
        em->weights.data[kept++] = k;
        bytes += b->bytes;
    }
    em->weights.len = kept;
    return bytes;
}

/* The position in em->weights of the last constant that is not printed as numbers. */
static int last_as_bytes(const struct emit *em) {
    int i = em->weights.len - 1;
    while (i >= 0 && as_numbers(&em->ast->buffers.data[em->weights.data[i]]))
        i--;
    return i;
}

void weights_print(struct emit *em) {
    int last = last_as_bytes(em);
    for (int i = 0; i < em->weights.len; i++) {
        int k = em->weights.data[i];
        const struct buffer *b = &em->ast->buffers.data[k];
        size_t len = strcspn(em->buffer_c[k], "."); // without `.data`
        const char *c = arena_printf(&em->arena, "%.*s", (int)len, em->buffer_c[k]);
        put(em, "\n");
        if (as_numbers(b))
            put_numbers(em, b, c);
        else if (em->opt->weights == WEIGHTS_BIN)
            put_placement(em, b, c, i == last);
        else
            put_bytes(em, b, c);
    }
    if (em->opt->weights == WEIGHTS_BIN && last >= 0)
        put_file_summary(em);
}
