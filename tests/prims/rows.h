/* What the C that prims.c prints is run with: inputs, comparison, a verdict for each row. C99
 * and POSIX. The including file has defined the element type: `typedef float real;` or of
 * double; and FLUSHES, 1 where vectors take denormal numbers for 0, else 0. */
#ifndef ROWS_H
#define ROWS_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ELEMENTS = 320, ROUNDS = 200 };

enum check_kind {
    CHECK_BITS,  // the same bits, or both NaN
    CHECK_ROUND, // so, too; where FLUSHES, perhaps as if all denormal numbers were 0
    CHECK_VALUE, // equal, or both NaN: 0 and -0 are one
    CHECK_SUM,   // positive numbers added up in another order
};

/* A row: the functions printed for it read the first `in` elements of x0, as many as a vector
 * has of x1 and x2, and write the first `out` of y. args: the kind of each input, of prims.c.
 */
typedef void check_function(real *y, const real *x0, const real *x1, const real *x2);
struct check_row {
    const char *name, *args;
    int in, out;
    enum check_kind kind;
    check_function *run, *want;
};

/* xorshift64* of Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
static inline uint64_t check_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

/* ELEMENTS elements, behind which there is memory that nobody may touch. */
static inline real *check_block(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *p =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + page, page, PROT_NONE) != 0)
        exit(2);
    return (real *)(void *)(p + page) - ELEMENTS;
}

/* Any number: special ones, random bits, and sizes in between. */
static inline real check_any(uint64_t *state) {
    static const int exponents[] = {0,   22, 23,   31,   52,   63,   126,
                                    127, -1, -126, -127, -149, -1074};
    uint64_t r = check_random(state);
    real sign = r & 8 ? -1 : 1, x;
    memcpy(&x, (unsigned char *)&r + (sizeof r - sizeof x), sizeof x);
    switch (r % 8) {
    case 0:
        return sign * (real)ldexp(1 + (double)(r >> 63) / 2, exponents[(r >> 8) % 13]);
    case 1:
        return sign * (real)((r >> 8) % 16) / 2;
    case 2:
        return (r >> 8) % 4 == 0 ? (real)NAN : sign * (real)INFINITY;
    case 3:
    case 4:
        return x;
    default:
        return sign * (real)((double)(r >> 32) / 1e8);
    }
}

/* 0 of its sign for a denormal number. */
static inline real check_flush(real x) {
    real least = sizeof(real) == 4 ? FLT_MIN : (real)DBL_MIN, zero = 0;
    return x > -least && x < least ? x * zero : x;
}

/* kind m M: what masks are made of, by arithmetic; S: 1 to 2; n: what ldexp takes; i: an
 * integer, r: a multiple of 1/32, both with as many bits as a float has; P: positive and
 * normal; b B: bytes that are 0 or 1; else any. */
static inline void check_fill(real *x, char kind, uint64_t *state) {
    real least = sizeof(real) == 4 ? FLT_MIN : (real)DBL_MIN;
    for (size_t i = 0; (kind == 'b' || kind == 'B') && i < ELEMENTS * sizeof *x; i++)
        ((unsigned char *)x)[i] = check_random(state) >> 63;
    if (kind == 'b' || kind == 'B')
        return;
    for (int i = 0; i < ELEMENTS; i++) {
        x[i] = check_any(state);
        real size = x[i] < 0 ? -x[i] : x[i];
        if (kind == 'S')
            x[i] = (real)(1 + (double)(check_random(state) >> 40) / 16777216);
        else if (kind == 'n')
            x[i] = (real)((double)(check_random(state) % (254 * 32)) / 32 - 125);
        else if (kind == 'i')
            x[i] = (real)(12582912 + check_random(state) % 256);
        else if (kind == 'r')
            x[i] = (real)(262144 + (double)(check_random(state) % 8388608) / 32);
        else if (kind == 'P')
            x[i] = size >= least && !isinf(size) ? size : 3;
        else if (FLUSHES && (kind == 'm' || kind == 'M'))
            x[i] = check_flush(x[i]);
    }
}

static inline int check_equal(enum check_kind kind, real x, real y) {
    if (kind == CHECK_SUM)
        return fabs((double)(x - y)) <= 1e-5 * fabs((double)y);
    return (x != x && y != y) || (kind == CHECK_VALUE && x == y) ||
           memcmp(&x, &y, sizeof x) == 0;
}

/* The two results that a row may have: want[0], and want[1] of CHECK_ROUND where FLUSHES. */
static inline void check_want(const struct check_row *row, real want[2][ELEMENTS], real *x[3],
                              const real *y) {
    for (int k = 0; k < 1 + FLUSHES; k++) {
        for (int i = 0; k && i < 3 * ELEMENTS; i++)
            x[i / ELEMENTS][i % ELEMENTS] = check_flush(x[i / ELEMENTS][i % ELEMENTS]);
        memcpy(want[k], y, (size_t)row->out * sizeof *y);
        row->want(want[k], x[0] + ELEMENTS - row->in, x[1] + 1, x[2] + 1);
    }
}

static inline int check_element(const struct check_row *row, real y, real want[2][ELEMENTS],
                                int i) {
    if (FLUSHES && row->kind == CHECK_ROUND &&
        check_equal(CHECK_BITS, check_flush(y), check_flush(want[1][i])))
        return 1;
    return check_equal(row->kind, y, want[0][i]);
}

/* One round; prints the first difference. */
static inline int check_round(const struct check_row *row, real *x[3], real *y,
                              uint64_t *state) {
    static real want[2][ELEMENTS], before[ELEMENTS];
    real *out = y + ELEMENTS - row->out;
    for (int k = 0; k < 3; k++)
        check_fill(x[k], k < (int)strlen(row->args) ? row->args[k] : 'v', state);
    check_fill(y, 'v', state);
    memcpy(before, out, (size_t)row->out * sizeof *out);
    row->run(out, x[0] + ELEMENTS - row->in, x[1] + 1, x[2] + 1);
    check_want(row, want, x, before);
    for (int i = 0; i < row->out; i++)
        if (!check_element(row, out[i], want, i)) {
            printf("FAIL %s: element %d is %.17g, expected %.17g\n", row->name, i,
                   (double)out[i], (double)want[0][i]);
            return 0;
        }
    return 1;
}

/* Runs all rows, prints those that fail and the count; the exit status. */
static inline int check_rows(const struct check_row *rows, int n) {
    uint64_t state = 88172645463325252u;
    static real plain[2][ELEMENTS];
    real *x[3] = {check_block(), plain[0], plain[1]}, *y = check_block();
    int passed = 0;
    for (int k = 0; k < n; k++) {
        int same = 1;
        for (int round = 0; same && round < ROUNDS; round++)
            same = check_round(&rows[k], x, y, &state);
        passed += same;
    }
    printf("%d passed, %d failed, 0 skipped\n", passed, n - passed);
    return passed < n;
}

#endif
