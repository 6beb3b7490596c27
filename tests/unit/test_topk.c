/* nncc_topk against a selection that looks at every element for every rank, in all types, with
 * ties and NaN. */
#include "ir/dtype.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

void nncc_topk(const void *const *in, void *const *out, const int64_t *params);

enum { OUTER = 2, N = 13, INNER = 3, COLUMNS = OUTER * INNER, LONG = 90 };

/* Is a before b among the largest? NaN is largest; equal values keep their order. */
static bool ranks_before(enum dtype t, union scalar a, union scalar b, bool largest) {
    if (t == DTYPE_U64)
        return largest ? a.u > b.u : a.u < b.u;
    if (!dtype_is_float(t))
        return largest ? a.i > b.i : a.i < b.i;
    bool greater = isnan(a.f) ? !isnan(b.f) : !isnan(b.f) && a.f > b.f;
    bool less = isnan(b.f) ? !isnan(a.f) : !isnan(a.f) && a.f < b.f;
    return largest ? greater : less;
}

/* The index of rank k in a column: as many elements come before it. */
static int64_t index_of_rank(enum dtype t, const void *x, int64_t first, int64_t n,
                             int64_t inner, int64_t k, bool largest) {
    for (int64_t i = 0; i < n; i++) {
        int64_t before = 0;
        union scalar v = dtype_load(t, x, first + i * inner);
        for (int64_t j = 0; j < n; j++) {
            union scalar w = dtype_load(t, x, first + j * inner);
            before +=
                ranks_before(t, w, v, largest) || (j < i && !ranks_before(t, v, w, largest));
        }
        if (before == k)
            return i;
    }
    return -1;
}

static void fill(enum dtype t, void *x, unsigned seed) {
    for (int64_t i = 0; i < OUTER * N * INNER; i++) {
        seed = seed * 1103515245u + 12345u;
        int64_t v = (int64_t)(seed >> 16) % 9 - 4; // many ties
        union scalar s = {.i = v};
        if (dtype_is_float(t))
            s.f = v == 3 ? (double)NAN : (double)v / 2;
        dtype_store(t, x, i, s);
    }
}

static void compare(enum dtype t, int64_t k, bool largest) {
    int64_t x[OUTER * N * INNER], values[COLUMNS * N], index[COLUMNS * N];
    fill(t, x, (unsigned)(t + 31 * k));
    const void *in[1] = {x};
    void *out[2] = {values, index};
    nncc_topk(in, out, (int64_t[]){dtype_info(t)->onnx, OUTER, N, INNER, k, largest});
    for (int64_t o = 0; o < OUTER; o++)
        for (int64_t i = 0; i < INNER; i++)
            for (int64_t rank = 0; rank < k; rank++) {
                int64_t at = (o * k + rank) * INNER + i, first = o * N * INNER + i;
                int64_t expected = index_of_rank(t, x, first, N, INNER, rank, largest);
                ck_assert_int_eq(index[at], expected);
                union scalar found = dtype_load(t, values, at);
                union scalar there = dtype_load(t, x, first + expected * INNER);
                ck_assert(memcmp(&found, &there, sizeof found) == 0);
            }
}

START_TEST(every_type_ranks_as_the_definition) {
    enum dtype t = (enum dtype)_i;
    if (dtype_info(t)->bits < 8)
        return;
    for (int64_t k = 0; k <= N; k += k < 4 ? 1 : 3) {
        compare(t, k, true);
        compare(t, k, false);
    }
}
END_TEST

/* Element i of a long column, by its shape: all the same, rising, falling, up and down, NaN
 * first, NaN last. */
enum shape { SAME, RISING, FALLING, ZIGZAG, NAN_FIRST, NAN_LAST, SHAPES };

static union scalar element(enum dtype t, enum shape shape, int i) {
    const int value[SHAPES] = {7, i, LONG - i, i * 37 % LONG, i % 5, i % 5};
    union scalar s = {.i = value[shape]};
    if (!dtype_is_float(t))
        return s;
    s.f = value[shape] == 0 && i % 2 ? -0.0 : value[shape];
    if (shape == NAN_FIRST ? i < 12 : shape == NAN_LAST && i >= LONG - 12)
        s.f = (double)NAN;
    return s;
}

static void compare_long(enum dtype t, enum shape shape, int64_t k, bool largest) {
    int64_t x[LONG], values[LONG], index[LONG];
    for (int i = 0; i < LONG; i++)
        dtype_store(t, x, i, element(t, shape, i));
    const void *in[1] = {x};
    void *out[2] = {values, index};
    nncc_topk(in, out, (int64_t[]){dtype_info(t)->onnx, 1, LONG, 1, k, largest});
    for (int64_t rank = 0; rank < k; rank++)
        ck_assert_int_eq(index[rank], index_of_rank(t, x, 0, LONG, 1, rank, largest));
}

START_TEST(long_columns_rank_as_the_definition) {
    enum dtype t = (enum dtype)_i;
    if (dtype_info(t)->bits < 8)
        return;
    for (enum shape shape = SAME; shape < SHAPES; shape++)
        for (int64_t k = 1; k <= 15; k += 7) {
            compare_long(t, shape, k, true);
            compare_long(t, shape, k, false);
        }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("topk");
    TCase *tc = tcase_create("topk");
    tcase_add_loop_test(tc, every_type_ranks_as_the_definition, DTYPE_F32, DTYPE_INDEX);
    tcase_add_loop_test(tc, long_columns_rank_as_the_definition, DTYPE_F32, DTYPE_INDEX);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
