/* The k largest (or smallest) elements along one dimension, best first, and where they stood.
 * Among equal elements the one that stood first comes first; NaN counts as larger than every
 * number.
 *
 * in      X [outer, n, inner]
 *
 * out     values [outer, k, inner] of X's type; indices [outer, k, inner] of int64
 *
 * params  ONNX data type of X, outer, n, inner, k <= n, largest (0 or 1)
 *
 * The indices are the work space: a heap of the best so far with the worst on top, sorted in
 * place at the end. */
#include <stdint.h>
#include <string.h>

#ifdef NNCC_ROUTINE_TOPK
#define NNCC_TOPK_LINKAGE static
#else
#define NNCC_TOPK_LINKAGE extern
#endif

NNCC_TOPK_LINKAGE void nncc_topk(const void *const *in, void *const *out,
                                 const int64_t *params);

/* The types: ONNX code, name here, C type. */
#define NNCC_TOPK_TYPES(TYPE)                                                                  \
    TYPE(1, f32, float)                                                                        \
    TYPE(2, u8, uint8_t)                                                                       \
    TYPE(3, i8, int8_t)                                                                        \
    TYPE(4, u16, uint16_t)                                                                     \
    TYPE(5, i16, int16_t)                                                                      \
    TYPE(6, i32, int32_t)                                                                      \
    TYPE(7, i64, int64_t)                                                                      \
    TYPE(9, bool, uint8_t)                                                                     \
    TYPE(11, f64, double)                                                                      \
    TYPE(12, u32, uint32_t)                                                                    \
    TYPE(13, u64, uint64_t)

/* One column of X: element i is x[i * inner]; index[j * inner] is entry j of the heap. */
typedef struct nncc_topk_column {
    const unsigned char *x; /* first element */
    int64_t *index;
    int64_t type, inner;
    int largest;
} nncc_topk_column;

static int64_t nncc_topk_bytes(int64_t type) {
    switch (type) {
#define NNCC_TOPK_CASE(code, name, T)                                                          \
    case code:                                                                                 \
        return (int64_t)sizeof(T);
        NNCC_TOPK_TYPES(NNCC_TOPK_CASE)
#undef NNCC_TOPK_CASE
    default:
        return 0;
    }
}

/* For each type, with NaN greater than every number:
 * greater  is x greater than y?
 * next     the first element from i on that is better than `worst`, which stood before them
 *          all; n when none is. Nearly all elements of a long column meet this loop alone. */
#define NNCC_TOPK_DEFINE(code, name, T)                                                        \
    static int nncc_topk_greater_##name(const unsigned char *x, const unsigned char *y) {      \
        T a, b;                                                                                \
        memcpy(&a, x, sizeof a);                                                               \
        memcpy(&b, y, sizeof b);                                                               \
        return a > b || (a != a && b == b);                                                    \
    }                                                                                          \
    static int64_t nncc_topk_next_##name(const nncc_topk_column *c, int64_t i, int64_t n,      \
                                         const unsigned char *worst) {                         \
        const int64_t step = c->inner * (int64_t)sizeof(T);                                    \
        const unsigned char *x = c->x + i * step;                                              \
        T a, w;                                                                                \
        memcpy(&w, worst, sizeof w);                                                           \
        for (; i < n; i++, x += step) {                                                        \
            memcpy(&a, x, sizeof a);                                                           \
            if (c->largest ? !(a <= w) && w == w : a < w || (w != w && a == a))                \
                break;                                                                         \
        }                                                                                      \
        return i;                                                                              \
    }
NNCC_TOPK_TYPES(NNCC_TOPK_DEFINE)
#undef NNCC_TOPK_DEFINE

static int nncc_topk_greater(int64_t type, const unsigned char *x, const unsigned char *y) {
    switch (type) {
#define NNCC_TOPK_CASE(code, name, T)                                                          \
    case code:                                                                                 \
        return nncc_topk_greater_##name(x, y);
        NNCC_TOPK_TYPES(NNCC_TOPK_CASE)
#undef NNCC_TOPK_CASE
    default:
        return 0;
    }
}

static int64_t nncc_topk_next(const nncc_topk_column *c, int64_t i, int64_t n,
                              const unsigned char *worst) {
    switch (c->type) {
#define NNCC_TOPK_CASE(code, name, T)                                                          \
    case code:                                                                                 \
        return nncc_topk_next_##name(c, i, n, worst);
        NNCC_TOPK_TYPES(NNCC_TOPK_CASE)
#undef NNCC_TOPK_CASE
    default:
        return n;
    }
}

#undef NNCC_TOPK_TYPES

/* Does x belong before y wherever they stand? */
static int nncc_topk_better(const nncc_topk_column *c, const unsigned char *x,
                            const unsigned char *y) {
    return c->largest ? nncc_topk_greater(c->type, x, y) : nncc_topk_greater(c->type, y, x);
}

/* Does element i come before element j? */
static int nncc_topk_before(const nncc_topk_column *c, int64_t i, int64_t j) {
    const int64_t step = c->inner * nncc_topk_bytes(c->type);
    const unsigned char *x = c->x + i * step, *y = c->x + j * step;
    return i < j ? !nncc_topk_better(c, y, x) : nncc_topk_better(c, x, y);
}

/* Puts element i where the heap's top was and lets it sink: a parent comes after its children.
 */
static void nncc_topk_sink(const nncc_topk_column *c, int64_t size, int64_t i) {
    int64_t at = 0, child;
    while ((child = 2 * at + 1) < size) {
        if (child + 1 < size &&
            nncc_topk_before(c, c->index[child * c->inner], c->index[(child + 1) * c->inner]))
            child++;
        if (!nncc_topk_before(c, i, c->index[child * c->inner]))
            break;
        c->index[at * c->inner] = c->index[child * c->inner];
        at = child;
    }
    c->index[at * c->inner] = i;
}

/* Puts element i at the end of the heap and lets it rise. */
static void nncc_topk_rise(const nncc_topk_column *c, int64_t at, int64_t i) {
    while (at > 0 && nncc_topk_before(c, c->index[(at - 1) / 2 * c->inner], i)) {
        c->index[at * c->inner] = c->index[(at - 1) / 2 * c->inner];
        at = (at - 1) / 2;
    }
    c->index[at * c->inner] = i;
}

static void nncc_topk_one(const nncc_topk_column *c, int64_t n, int64_t k) {
    const int64_t step = c->inner * nncc_topk_bytes(c->type);
    int64_t i;
    for (i = 0; i < k; i++)
        nncc_topk_rise(c, i, i);
    for (; k > 0 && (i = nncc_topk_next(c, i, n, c->x + c->index[0] * step)) < n; i++)
        nncc_topk_sink(c, k, i);
    for (i = k - 1; i > 0; i--) {
        int64_t worst = c->index[0];
        nncc_topk_sink(c, i, c->index[i * c->inner]);
        c->index[i * c->inner] = worst;
    }
}

NNCC_TOPK_LINKAGE void nncc_topk(const void *const *in, void *const *out,
                                 const int64_t *params) {
    const int64_t outer = params[1], n = params[2], inner = params[3], k = params[4];
    const int64_t bytes = nncc_topk_bytes(params[0]);
    int64_t o, i, j;
    for (o = 0; o < outer; o++) {
        for (i = 0; i < inner; i++) {
            unsigned char *values = (unsigned char *)out[0] + (o * k * inner + i) * bytes;
            nncc_topk_column c;
            c.x = (const unsigned char *)in[0] + (o * n * inner + i) * bytes;
            c.index = (int64_t *)out[1] + o * k * inner + i;
            c.type = params[0];
            c.inner = inner;
            c.largest = params[5] != 0;
            nncc_topk_one(&c, n, k);
            for (j = 0; j < k; j++)
                memcpy(values + j * inner * bytes, c.x + c.index[j * inner] * inner * bytes,
                       (size_t)bytes);
        }
    }
}
