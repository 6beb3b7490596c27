/* ir/dtype.c: the table, memory and conversions. */
#include "ir/base.h"
#include "ir/dtype.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#define T(id) DTYPE_##id

START_TEST(rows_are_found_both_ways) {
    enum dtype t = (enum dtype)_i;
    const struct dtype_info *info = dtype_info(t);
    ck_assert_int_eq(dtype_from_text(info->text, strlen(info->text)), t);
    ck_assert_int_eq(dtype_is_float(t), info->kind == KIND_FLOAT);
    ck_assert_int_eq(dtype_is_integer(t), info->kind != KIND_FLOAT && info->kind != KIND_BOOL);
    if (info->onnx)
        ck_assert_int_eq(dtype_from_onnx(info->onnx), t);
}
END_TEST

START_TEST(unknown_types_have_no_row) {
    ck_assert_int_eq(dtype_from_text("f3", 2), DTYPE_NONE);
    ck_assert_int_eq(dtype_from_text("f322", 3), T(F32));
    ck_assert_int_eq(dtype_from_text("none", 4), DTYPE_NONE);
    ck_assert_int_eq(dtype_from_text("", 0), DTYPE_NONE);
    ck_assert_int_eq(dtype_from_onnx(0), DTYPE_NONE);
    ck_assert_int_eq(dtype_from_onnx(8), DTYPE_NONE);
    ck_assert_int_eq(dtype_from_onnx(-1), DTYPE_NONE);
    ck_assert_str_eq(dtype_onnx_name(1), "float");
    ck_assert_str_eq(dtype_onnx_name(8), "string");
    ck_assert_str_eq(dtype_onnx_name(10), "float16");
    ck_assert_str_eq(dtype_onnx_name(22), "int4");
    ck_assert_str_eq(dtype_onnx_name(26), "int2");
    ck_assert_str_eq(dtype_onnx_name(99), "?");
    ck_assert_str_eq(dtype_onnx_name(-1), "?");
}
END_TEST

static const struct {
    enum dtype t;
    int64_t n, bytes; // -1: overflow
} sizes[] = {
    {T(F32), 3, 12},     {T(F64), 0, 0},  {T(BOOL), 5, 5},
    {T(I4), 5, 3},       {T(U4), 4, 2},   {T(I2), 5, 2},
    {T(U2), 4, 1},       {T(I2), 0, 0},   {T(I4), INT64_MAX, INT64_C(1) << 62},
    {T(F32), -1, -1},    {T(U2), -1, -1}, {T(I16), INT64_C(1) << 62, -1},
    {DTYPE_NONE, 1, -1},
};

START_TEST(bytes_of_elements) {
    int64_t bytes = -1;
    bool fits = dtype_bytes(sizes[_i].t, sizes[_i].n, &bytes);
    ck_assert_int_eq(fits, sizes[_i].bytes >= 0);
    if (fits)
        ck_assert_int_eq(bytes, sizes[_i].bytes);
}
END_TEST

START_TEST(integers_come_back_from_memory) {
    enum dtype t = (enum dtype)_i;
    if (dtype_is_float(t))
        return;
    enum { ELEMENTS = 37 };
    unsigned char memory[8 * ELEMENTS + 3];
    memset(memory, 0xa5, sizeof memory);
    unsigned char *data = memory + 1; // no alignment
    union scalar lo, hi, v;
    dtype_limits(t, &lo, &hi);
    for (int64_t pass = 0; pass < 2; pass++) { // the second overwrites other values
        for (int64_t k = 0; k < ELEMENTS; k++) {
            v.u = k % 3 == pass ? lo.u : k % 3 == 2 ? hi.u : (uint64_t)(k + pass) & 1;
            dtype_store(t, data, k, v);
        }
        for (int64_t k = 0; k < ELEMENTS; k++) {
            v.u = k % 3 == pass ? lo.u : k % 3 == 2 ? hi.u : (uint64_t)(k + pass) & 1;
            ck_assert_uint_eq(dtype_load(t, data, k).u, dtype_convert(t, T(I64), v).u);
        }
    }
    int64_t bytes = 0;
    ck_assert(dtype_bytes(t, ELEMENTS, &bytes));
    ck_assert_uint_eq(memory[0], 0xa5);
    ck_assert_uint_eq(data[bytes], 0xa5);
}
END_TEST

START_TEST(packed_elements_are_as_in_onnx) { // first element in the low bits
    const unsigned char bytes[2] = {0x8f, 0x1b};
    const int64_t i4[] = {-1, -8, -5, 1}, u4[] = {15, 8, 11, 1};
    const int64_t i2[] = {-1, -1, 0, -2, -1, -2, 1, 0}, u2[] = {3, 3, 0, 2, 3, 2, 1, 0};
    for (int64_t k = 0; k < 4; k++) {
        ck_assert_int_eq(dtype_load(T(I4), bytes, k).i, i4[k]);
        ck_assert_int_eq(dtype_load(T(U4), bytes, k).i, u4[k]);
    }
    for (int64_t k = 0; k < 8; k++) {
        ck_assert_int_eq(dtype_load(T(I2), bytes, k).i, i2[k]);
        ck_assert_int_eq(dtype_load(T(U2), bytes, k).i, u2[k]);
    }
}
END_TEST

START_TEST(floats_come_back_from_memory) {
    const double values[] = {0.0, -0.0, 1.5, (double)0.1f, (double)-INFINITY, 1e-45};
    unsigned char memory[8 * 6 + 1];
    for (int k = 0; k < 6; k++) {
        dtype_store(T(F32), memory + 1, k, (union scalar){.f = values[k]});
        double back = dtype_load(T(F32), memory + 1, k).f;
        ck_assert(back == (double)(float)values[k] && signbit(back) == signbit(values[k]));
    }
    for (int k = 0; k < 6; k++)
        dtype_store(T(F64), memory + 1, k, (union scalar){.f = values[k]});
    for (int k = 0; k < 6; k++)
        ck_assert(dtype_load(T(F64), memory + 1, k).f == values[k]);
}
END_TEST

static const struct {
    enum dtype to, from;
    union scalar v, r;
} conversions[] = {
    {T(I8), T(F32), {.f = 127.9}, {.i = 127}},
    {T(I8), T(F32), {.f = 128}, {.i = 127}},
    {T(I8), T(F32), {.f = -128.9}, {.i = -128}},
    {T(I8), T(F64), {.f = -1e300}, {.i = -128}},
    {T(U8), T(F32), {.f = -0.9}, {.i = 0}},
    {T(U8), T(F32), {.f = -1}, {.i = 0}},
    {T(U8), T(F32), {.f = 255.5}, {.i = 255}},
    {T(U8), T(F32), {.f = 256}, {.i = 255}},
    {T(I32), T(F64), {.f = 2147483647.5}, {.i = INT32_MAX}},
    {T(I64), T(F64), {.f = 9223372036854775808.0}, {.i = INT64_MAX}},
    {T(I64), T(F64), {.f = -9223372036854775808.0}, {.i = INT64_MIN}},
    {T(I64), T(F64), {.f = -1.99}, {.i = -1}},
    {T(U64), T(F64), {.f = 18446744073709549568.0}, {.u = UINT64_C(18446744073709549568)}},
    {T(U64), T(F64), {.f = 1e30}, {.u = UINT64_MAX}},
    {T(I4), T(F32), {.f = 100}, {.i = 7}},
    {T(U2), T(F32), {.f = 100}, {.i = 3}},
    {T(I8), T(I32), {.i = 200}, {.i = -56}},
    {T(U8), T(I32), {.i = -1}, {.i = 255}},
    {T(I4), T(I32), {.i = 8}, {.i = -8}},
    {T(U64), T(I8), {.i = -1}, {.u = UINT64_MAX}},
    {T(I64), T(U64), {.u = UINT64_MAX}, {.i = -1}},
    {T(INDEX), T(I32), {.i = -5}, {.i = -5}},
    {T(BOOL), T(I32), {.i = 256}, {.i = 1}},
    {T(BOOL), T(F32), {.f = -0.0}, {.i = 0}},
    {T(BOOL), T(F32), {.f = 0.25}, {.i = 1}},
    {T(I32), T(BOOL), {.i = 1}, {.i = 1}},
    {T(F32), T(BOOL), {.i = 1}, {.f = 1}},
    {T(F32), T(I32), {.i = 16777217}, {.f = 16777216}},
    {T(F32), T(F64), {.f = 0.1}, {.f = (double)0.1f}},
    {T(F64), T(U64), {.u = UINT64_MAX}, {.f = 18446744073709551616.0}},
    {T(F64), T(I64), {.i = -3}, {.f = -3}},
};

START_TEST(conversions_follow_the_rules) {
    union scalar r = dtype_convert(conversions[_i].to, conversions[_i].from, conversions[_i].v);
    ck_assert_uint_eq(r.u, conversions[_i].r.u);
}
END_TEST

START_TEST(integers_become_f32_by_one_rounding) { // by way of a double it would be 2^62
    int64_t above_half = (INT64_C(1) << 62) + (INT64_C(1) << 38) + 1;
    union scalar r = dtype_convert(T(F32), T(I64), (union scalar){.i = above_half});
    ck_assert(r.f == ldexp(1, 62) + ldexp(1, 39));
    r = dtype_convert(T(F32), T(U64), (union scalar){.u = (uint64_t)above_half});
    ck_assert(r.f == ldexp(1, 62) + ldexp(1, 39));
}
END_TEST

START_TEST(nan_converts) {
    union scalar nan_value = {.f = (double)NAN};
    ck_assert_int_eq(dtype_convert(T(I8), T(F32), nan_value).i, 0);
    ck_assert_uint_eq(dtype_convert(T(U64), T(F64), nan_value).u, 0);
    ck_assert_int_eq(dtype_convert(T(BOOL), T(F32), nan_value).i, 1);
    ck_assert(isnan(dtype_convert(T(F32), T(F64), nan_value).f));
}
END_TEST

int main(void) {
    Suite *s = suite_create("dtype");
    TCase *t = tcase_create("dtype");
    tcase_add_loop_test(t, rows_are_found_both_ways, 1, DTYPE_COUNT);
    tcase_add_test(t, unknown_types_have_no_row);
    tcase_add_loop_test(t, bytes_of_elements, 0, (int)(sizeof sizes / sizeof *sizes));
    tcase_add_loop_test(t, integers_come_back_from_memory, 1, DTYPE_COUNT);
    tcase_add_test(t, packed_elements_are_as_in_onnx);
    tcase_add_test(t, floats_come_back_from_memory);
    tcase_add_loop_test(t, conversions_follow_the_rules, 0,
                        (int)(sizeof conversions / sizeof *conversions));
    tcase_add_test(t, integers_become_f32_by_one_rounding);
    tcase_add_test(t, nan_converts);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
