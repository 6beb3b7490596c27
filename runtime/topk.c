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

/* One column of X: element i is x[i * inner]; index[j * inner] is entry j of the heap. */
typedef struct nncc_topk_column {
    const unsigned char *x; /* first element */
    int64_t *index;
    int64_t type, inner;
    int largest;
} nncc_topk_column;

static int64_t nncc_topk_bytes(int64_t type) {
    switch (type) {
    case 2: /* uint8 */
    case 3: /* int8 */
    case 9: /* bool */
        return 1;
    case 4: /* uint16 */
    case 5: /* int16 */
        return 2;
    case 1:  /* float */
    case 6:  /* int32 */
    case 12: /* uint32 */
        return 4;
    default: /* double, int64, uint64 */
        return 8;
    }
}

/* Is x greater than y? NaN is greater than every number. */
#define NNCC_TOPK_GREATER(T)                                                                   \
    do {                                                                                       \
        T a, b;                                                                                \
        memcpy(&a, x, sizeof a);                                                               \
        memcpy(&b, y, sizeof b);                                                               \
        return a > b || (a != a && b == b);                                                    \
    } while (0)

static int nncc_topk_greater(int64_t type, const unsigned char *x, const unsigned char *y) {
    switch (type) {
    case 1:
        NNCC_TOPK_GREATER(float);
    case 11:
        NNCC_TOPK_GREATER(double);
    case 2:
    case 9:
        NNCC_TOPK_GREATER(uint8_t);
    case 3:
        NNCC_TOPK_GREATER(int8_t);
    case 4:
        NNCC_TOPK_GREATER(uint16_t);
    case 5:
        NNCC_TOPK_GREATER(int16_t);
    case 12:
        NNCC_TOPK_GREATER(uint32_t);
    case 6:
        NNCC_TOPK_GREATER(int32_t);
    case 13:
        NNCC_TOPK_GREATER(uint64_t);
    default:
        NNCC_TOPK_GREATER(int64_t);
    }
}

#undef NNCC_TOPK_GREATER

/* Does element i come before element j? */
static int nncc_topk_before(const nncc_topk_column *c, int64_t i, int64_t j) {
    int64_t step = c->inner * nncc_topk_bytes(c->type);
    const unsigned char *x = c->x + i * step, *y = c->x + j * step;
    if (nncc_topk_greater(c->type, x, y))
        return c->largest;
    if (nncc_topk_greater(c->type, y, x))
        return !c->largest;
    return i < j;
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
    int64_t i;
    for (i = 0; i < k; i++)
        nncc_topk_rise(c, i, i);
    for (; i < n; i++)
        if (k > 0 && nncc_topk_before(c, i, c->index[0]))
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
