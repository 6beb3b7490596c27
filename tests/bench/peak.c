/* What one core can do at most: multiply-adds, and bytes read from each level of its memory.
 *
 * Answers each line of standard input with one line:
 *
 *   list              the instruction sets that it has rows for and this processor has
 *   fma ISA SECONDS   GFLOP/s of single-precision multiply-adds in registers; 2 FLOP each
 *   caches            bytes of L1, L2, L3, as far as the system tells
 *   read BYTES SECONDS   GB/s of reading that much memory again and again
 *
 * For AVX-512 and AVX2 multiply-adds are intrinsics; `vectors` are those of the compiler, as
 * wide as its flags (-march=native) allow. Twelve accumulators: two units with a latency of
 * four or five cycles need no more than ten. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- multiply-adds ---- */

#define ACCUMULATORS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
enum { NUM_ACCUMULATORS = 12 };

#define DECLARE(k) vector a##k = zero + seed[k];
#define STEP(k)    a##k = MULTIPLY_ADD(a##k, x, y);
#define SUM(k)     +a##k

/* seed: [NUM_ACCUMULATORS + 1] different values near 1, which the compiler must not know: equal
 * accumulators would be one. The sum of all is returned, so that no part can be left out. */
#define FMA_LOOP                                                                               \
    const vector zero = {0.0f}, x = zero + seed[NUM_ACCUMULATORS], y = zero + 1.0f - x;        \
    ACCUMULATORS(DECLARE)                                                                      \
    for (long k = 0; k < count; k++) {                                                         \
        ACCUMULATORS(STEP)                                                                     \
    }                                                                                          \
    const vector sum = zero ACCUMULATORS(SUM);                                                 \
    float total = 0.0f;                                                                        \
    for (size_t k = 0; k < sizeof sum / sizeof total; k++)                                     \
        total += sum[k];                                                                       \
    return total;

#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif

static float fma_vectors(long count, const volatile float *seed) {
    typedef float vector __attribute__((vector_size(VECTOR_BYTES)));
#define MULTIPLY_ADD(a, b, c) (a) * (b) + (c)
    FMA_LOOP
#undef MULTIPLY_ADD
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2,fma"))) static float fma_avx2(long count,
                                                          const volatile float *seed) {
    typedef __m256 vector;
#define MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
    FMA_LOOP
#undef MULTIPLY_ADD
}

__attribute__((target("avx512f"))) static float fma_avx512(long count,
                                                           const volatile float *seed) {
    typedef __m512 vector;
#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
    FMA_LOOP
#undef MULTIPLY_ADD
}

static int has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") != 0;
}
#endif

static int has_vectors(void) {
    return 1;
}

static const struct isa {
    const char *name;
    int lanes;
    int (*exists)(void);
    float (*loop)(long count, const volatile float *seed);
} isas[] = {
#if defined(__x86_64__)
    {"avx512", 16, has_avx512, fma_avx512},
    {"avx2", 8, has_avx2, fma_avx2},
#endif
    {"vectors", VECTOR_BYTES / 4, has_vectors, fma_vectors},
};
enum { NUM_ISAS = sizeof isas / sizeof *isas };

static const struct isa *find_isa(const char *name) {
    for (int k = 0; k < NUM_ISAS; k++)
        if (strcmp(isas[k].name, name) == 0 && isas[k].exists())
            return &isas[k];
    return NULL;
}

/* The best of slices of about a millisecond: what disturbs is no part of what the core can do.
 */
static double measure_fma(const struct isa *isa, double seconds) {
    const long count = 100000;
    volatile float seed[NUM_ACCUMULATORS + 1], sink = 0.0f;
    double best = 1e9, end = now() + seconds;
    for (int k = 0; k <= NUM_ACCUMULATORS; k++)
        seed[k] = 1.0f + 0.001f * (float)(k - NUM_ACCUMULATORS / 2);
    seed[NUM_ACCUMULATORS] = 0.9f;
    do {
        double start = now();
        sink = isa->loop(count, seed);
        double taken = now() - start;
        best = taken < best ? taken : best;
    } while (now() < end);
    (void)sink;
    return 2e-9 * (double)count * NUM_ACCUMULATORS * isa->lanes / best;
}

/* ---- memory ---- */

typedef uint64_t word __attribute__((vector_size(VECTOR_BYTES)));

/* `bytes` is a multiple of 8 vectors. */
static uint64_t read_once(const word *p, size_t bytes) {
    word a = {0}, b = {0}, c = {0}, d = {0};
    for (const word *end = p + bytes / sizeof *p; p < end; p += 8) {
        a ^= p[0] ^ p[4];
        b ^= p[1] ^ p[5];
        c ^= p[2] ^ p[6];
        d ^= p[3] ^ p[7];
    }
    a ^= b ^ c ^ d;
    return a[0] ^ a[1];
}

/* The best of slices of about a millisecond or of one pass; 0: out of memory. */
static double measure_read(size_t bytes, double seconds) {
    volatile uint64_t sink = 0;
    word *memory = NULL;
    bytes = (bytes + 4095) / 4096 * 4096;
    if (posix_memalign((void **)&memory, 4096, bytes) != 0)
        return 0;
    memset(memory, 1, bytes);
    long passes = bytes > 16000000 ? 1 : 16000000 / (long)bytes;
    double best = 1e9, end = now() + seconds;
    do {
        double start = now();
        for (long k = 0; k < passes; k++)
            sink = read_once(memory, bytes);
        double taken = now() - start;
        best = taken < best ? taken : best;
    } while (now() < end);
    (void)sink;
    free(memory);
    return 1e-9 * (double)bytes * (double)passes / best;
}

static long cache_bytes(int name, long otherwise) {
    long bytes = sysconf(name);
    return bytes > 0 ? bytes : otherwise;
}

/* ---- commands ---- */

static void answer(const char *line) {
    char isa[16];
    double seconds;
    size_t bytes;
    const struct isa *found = NULL;
    if (strncmp(line, "list", 4) == 0) {
        for (int k = 0; k < NUM_ISAS; k++)
            printf("%s ", isas[k].exists() ? isas[k].name : "");
        puts("");
    } else if (sscanf(line, "fma %15s %lf", isa, &seconds) == 2 && (found = find_isa(isa)))
        printf("%.2f\n", measure_fma(found, seconds));
    else if (sscanf(line, "read %zu %lf", &bytes, &seconds) == 2 && bytes > 0)
        printf("%.2f\n", measure_read(bytes, seconds));
    else if (strncmp(line, "caches", 6) == 0)
        printf("%ld %ld %ld\n", cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10),
               cache_bytes(_SC_LEVEL2_CACHE_SIZE, 512 << 10),
               cache_bytes(_SC_LEVEL3_CACHE_SIZE, 8 << 20));
    else
        puts("?");
    fflush(stdout);
}

int main(void) {
    char line[256];
    while (fgets(line, sizeof line, stdin))
        answer(line);
    return 0;
}
