/* What the C that prims.c prints for the functions of math.def is run with: every n-th float,
 * compared with the double function of libm. C99. The including file has defined LANES, and
 * FLUSHES, whether vectors take denormal numbers for 0. */
#ifndef ULPS_H
#define ULPS_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A function of math.def: LANES floats to LANES floats; the error it states. */
struct ulps_row {
    const char *name;
    double stated;
    void (*run)(float *y, const float *x);
    double (*want)(double x);
};

/* How far y is from the exact value in units of the last place of a float of its size. A result
 * below 2^-125 may be 0; what a float cannot hold may be infinite. */
static inline double ulps_error(float y, double want) {
    int exponent;
    if (isnan(want) || isnan(y))
        return isnan(want) && isnan(y) ? 0 : INFINITY;
    if (isinf(want) || (double)y == want || (y == 0 && fabs(want) < 2 * FLT_MIN))
        return (double)y == want || !isinf(want) ? 0 : INFINITY;
    frexp(want, &exponent);
    if (isinf(y) && fabs(want) >= ldexp(1, 128))
        return signbit(y) != signbit(want) ? INFINITY : 0;
    double got = isinf(y) ? copysign(ldexp(1, 128), y) : y;
    return fabs(got - want) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

/* The error of what x gave. */
static inline double ulps_of(const struct ulps_row *row, float x, float y) {
    return ulps_error(y, row->want(FLUSHES && fabsf(x) < FLT_MIN ? copysign(0, x) : x));
}

static inline float ulps_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The largest error over every n-th float, and where it is. */
static inline double ulps_most(const struct ulps_row *row, uint32_t n, float *where) {
    float x[LANES], y[LANES];
    double most = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += (uint64_t)n * LANES) {
        for (unsigned i = 0; i < LANES; i++)
            x[i] = ulps_float((uint32_t)(bits + (uint64_t)n * i));
        row->run(y, x);
        for (int i = 0; i < LANES; i++) {
            double e = ulps_of(row, x[i], y[i]);
            *where = e > most ? x[i] : *where;
            most = e > most ? e : most;
        }
    }
    return most;
}

/* Zeros, infinities, NaN, and what is next to them. */
static inline double ulps_special(const struct ulps_row *row, float *where) {
    static const uint32_t special[] = {
        0,          1,          0x7fffff,   0x800000,   0x7f7fffff, 0x7f800000, 0x7fc00000,
        0x80000000, 0x80000001, 0x807fffff, 0x80800000, 0xff7fffff, 0xff800000, 0xffc00000,
        0x42b17217, 0x42b17218, 0x42b17219, 0xc2aeac4f, 0xc2aeac50, 0xc2aeac51, 0x3f800000};
    double most = 0;
    for (size_t k = 0; k < sizeof special / sizeof *special; k++) {
        float x[LANES], y[LANES];
        for (int i = 0; i < LANES; i++)
            x[i] = ulps_float(special[k]);
        row->run(y, x);
        double e = ulps_of(row, x[0], y[0]);
        *where = e > most ? x[0] : *where;
        most = e > most ? e : most;
    }
    return most;
}

/* Prints the errors, those beyond what is stated as failures, and the count; the exit status.
 */
static inline int ulps_rows(const struct ulps_row *rows, int count, int argc, char **argv) {
    uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1009;
    int passed = 0;
    for (int k = 0; k < count; k++) {
        float at = 0, at_special = 0;
        double e = ulps_most(&rows[k], n, &at), s = ulps_special(&rows[k], &at_special);
        int good = e <= rows[k].stated && s <= rows[k].stated;
        at = s > e ? at_special : at;
        printf("%s%s: %.3f ulp at %a, stated %.3f\n", good ? "" : "FAIL ", rows[k].name,
               s > e ? s : e, (double)at, rows[k].stated);
        passed += good;
    }
    printf("%d passed, %d failed, 0 skipped\n", passed, count - passed);
    return passed < count;
}

#endif
