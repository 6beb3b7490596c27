/* What the C that prims.c prints is run with: inputs, comparison, a verdict for each row. C99
 * and POSIX. The including file has defined the element type and an unsigned integer of its
 * size: `typedef float real; typedef uint32_t check_offset;` or of double and uint64_t; and
 * FLUSHES, 1 where vectors take denormal numbers for 0, else 0. */
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

enum { ELEMENTS = 320, LONG = 2560, ROUNDS = 200, LONG_ROUNDS = 40 };

enum check_kind {
    CHECK_BITS,  // the same bits, or both NaN
    CHECK_ROUND, // so, too; where FLUSHES, perhaps as if all denormal numbers were 0
    CHECK_VALUE, // equal, or both NaN: 0 and -0 are one
    CHECK_SUM,   // positive numbers added up in another order
};

/* Lanes of the round, where a vector's number of them is known at run time: of the vectors, of
 * a part of each, at most; where elements lie that are read by offsets, in bytes, and the same
 * with those of lanes beyond the part where nobody may read. */
static size_t check_lanes, check_some, check_most;
static check_offset check_offsets[ELEMENTS], check_far[ELEMENTS];

/* So many elements: (each * n + more) / by, n the lanes that `of` names. */
struct check_size {
    int each, more, by;
    const size_t *of;
};

/* A row: the functions printed for it read the first `in` elements of x0, as many as a vector
 * has of x1 and x2, and write the first `out` of y. args: the kind of each input, of prims.c.
 * length: how many lanes a vector takes of n, the most for a large n; NULL: it has its number.
 */
typedef void check_function(real *y, const real *x0, const real *x1, const real *x2);
typedef size_t check_length(size_t n);
struct check_row {
    const char *name, *args;
    struct check_size in, out;
    enum check_kind kind;
    check_function *run, *want;
    check_length *length;
};

static inline int check_count(const struct check_size *s) {
    return ((s->of ? s->each * (int)*s->of : 0) + s->more) / s->by;
}

/* xorshift64* of Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
static inline uint64_t check_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

/* LONG elements, behind which there is memory that nobody may touch. */
static inline real *check_block(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = (LONG * sizeof(real) + page - 1) / page;
    unsigned char *p = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + pages * page, page, PROT_NONE) != 0)
        exit(2);
    return (real *)(void *)(p + pages * page);
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
 * normal; t u: a number, no zero but 0, no zero but -0; b B: bytes that are 0 or 1; else any.
 */
static inline void check_fill(real *x, int count, char kind, uint64_t *state) {
    real least = sizeof(real) == 4 ? FLT_MIN : (real)DBL_MIN;
    for (size_t i = 0; (kind == 'b' || kind == 'B') && i < (size_t)count * sizeof *x; i++)
        ((unsigned char *)x)[i] = check_random(state) >> 63;
    if (kind == 'b' || kind == 'B')
        return;
    for (int i = 0; i < count; i++) {
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

/* Lanes for the next round, as many as there may be in one of four. */
static inline void check_take_lanes(const struct check_row *row, uint64_t *state) {
    check_most = row->length(ELEMENTS);
    check_lanes = 1 + (size_t)check_random(state) % check_most;
    check_lanes = check_random(state) >> 62 ? check_lanes : check_most;
    check_some = 1 + (size_t)check_random(state) % check_lanes;
    for (size_t i = 0; i < check_lanes; i++) {
        size_t far = i < check_some ? i * 7 % check_some : check_some + i;
        check_offsets[i] = (check_offset)(i * 7 % check_lanes * sizeof(real));
        check_far[i] = (check_offset)(far * sizeof(real));
    }
}

/* The two results that a row may have: want[0], and want[1] of CHECK_ROUND where FLUSHES. x[0]
 * ends behind what is read. */
static inline void check_want(const struct check_row *row, real want[2][LONG], real *x[3],
                              const real *y) {
    int num_in = check_count(&row->in), num_out = check_count(&row->out);
    real *in[3] = {x[0] - num_in, x[1], x[2]};
    for (int k = 0; k < 1 + FLUSHES; k++) {
        for (int i = 0; k && i < 3; i++)
            for (int n = 0; n < (i == 0 ? num_in : ELEMENTS); n++)
                in[i][n] = check_flush(in[i][n]);
        memcpy(want[k], y, (size_t)num_out * sizeof *y);
        row->want(want[k], in[0], x[1] + 1, x[2] + 1);
    }
}

static inline int check_element(const struct check_row *row, real y, real want[2][LONG],
                                int i) {
    if (FLUSHES && row->kind == CHECK_ROUND &&
        check_equal(CHECK_BITS, check_flush(y), check_flush(want[1][i])))
        return 1;
    return check_equal(row->kind, y, want[0][i]);
}

/* One round; prints the first difference. Lanes behind those of the round hold any numbers. */
static inline int check_round(const struct check_row *row, real *x[3], real *y,
                              uint64_t *state) {
    static real want[2][LONG], before[LONG];
    if (row->length)
        check_take_lanes(row, state);
    int num_in = check_count(&row->in), num_out = check_count(&row->out);
    real *in = x[0] - num_in, *out = y - num_out;
    for (int k = 0; k < 3; k++)
        check_fill(k == 0 ? in : x[k], k == 0 ? num_in : ELEMENTS,
                   k < (int)strlen(row->args) ? row->args[k] : 'v', state);
    check_fill(out, num_out, 'v', state);
    memcpy(before, out, (size_t)num_out * sizeof *out);
    row->run(out, in, x[1] + 1, x[2] + 1);
    check_want(row, want, x, before);
    for (int i = 0; i < num_out; i++)
        if (!check_element(row, out[i], want, i)) {
            printf("FAIL %s: element %d is %.17g, expected %.17g\n", row->name, i,
                   (double)out[i], (double)want[0][i]);
            return 0;
        }
    return 1;
}

/* length gives all lanes in turns, as many as there may be where more than that are left. */
static inline int check_lengths(const struct check_row *row) {
    size_t most = row->length ? row->length(ELEMENTS) : 0;
    for (size_t n = 1; row->length && n < 3 * most; n++) {
        size_t taken = row->length(n);
        if (taken == 0 || taken > n || taken > most || (n <= most && taken != n)) {
            printf("FAIL %s: %zu lanes of %zu, at most %zu\n", row->name, taken, n, most);
            return 0;
        }
    }
    return 1;
}

/* Runs all rows, prints those that fail and the count; the exit status. */
static inline int check_rows(const struct check_row *rows, int n) {
    uint64_t state = 88172645463325252u;
    static real plain[2][ELEMENTS + 1];
    real *x[3] = {check_block(), plain[0], plain[1]}, *y = check_block();
    int passed = 0;
    for (int k = 0; k < n; k++) {
        int same = check_lengths(&rows[k]), rounds = rows[k].length ? LONG_ROUNDS : ROUNDS;
        for (int round = 0; same && round < rounds; round++)
            same = check_round(&rows[k], x, y, &state);
        passed += same;
    }
    printf("%d passed, %d failed, 0 skipped\n", passed, n - passed);
    return passed < n;
}

#endif
