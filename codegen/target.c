/* The processors that -mcpu knows: rows CPU of codegen/targets/; and which of them is the one
 * that nncc runs on. Sources: AMD's APM volume 3 and Intel's SDM volume 2, CPUID; Arm's
 * Technical Reference Manuals, MIDR_EL1; Linux, Documentation/arm64/cpu-feature-registers.rst.
 */
#include "codegen/codegen.h"
#include "codegen/prim.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#elif (defined(__aarch64__) || defined(__arm__)) && defined(__linux__)
#include <sys/auxv.h>
#endif

static const struct cpu cpus[] = {
#define TABLE(name)
#define CPU(cpu, f, l, s, late, c1, c2, c3, b1, b2, b3, g, narrow, text, from)                 \
    {cpu,                                                                                      \
     text,                                                                                     \
     from,                                                                                     \
     {FACTS, .fmas = f, .loads = l, .stores = s, .latency = late, .cache = {c1, c2, c3},       \
      .bandwidth = {b1, b2, b3}, .ghz = g, .half = narrow, .has = prim_has_func}},
#define VECTOR(t, vector, mask, s)
#define PRIM(id, t, text)
#define HELPER(name, t, text)
#include "codegen/targets/tables.def"
};
enum { NUM_CPUS = sizeof cpus / sizeof *cpus };

/* ---- native ---- */

#if defined(__x86_64__) && defined(__GNUC__)
/* AMD's family; 0: another vendor's processor. */
static unsigned amd_family(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(0, &a, &b, &c, &d) || c != signature_AMD_ecx)
        return 0;
    __get_cpuid(1, &a, &b, &c, &d);
    return ((a >> 8) & 0xf) + ((a >> 20) & 0xff);
}

static bool has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}

static const char *native_name(void) {
    unsigned family = amd_family();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return "scalar";
    if (!has_avx512())
        return family ? "znver3" : "haswell";
    return family == 0 ? "skylake-avx512" : family <= 0x19 ? "znver4" : "znver5";
}
#elif defined(__aarch64__) && defined(__linux__)
/* Arm's own cores by their part numbers. */
static const struct {
    unsigned part;
    const char *name;
} parts[] = {
    {0xd03, "cortex-a53"},  {0xd05, "cortex-a55"},  {0xd08, "cortex-a72"},
    {0xd0b, "cortex-a76"},  {0xd0c, "neoverse-n1"}, {0xd40, "neoverse-v1"},
    {0xd4f, "neoverse-v2"},
};

/* The core's identification; 0: the kernel does not show it. */
static uint64_t midr(void) {
    uint64_t id = 0;
    if (getauxval(AT_HWCAP) & HWCAP_CPUID)
        __asm__("mrs %0, midr_el1" : "=r"(id));
    return id;
}

/* Of cores that are no rows, one that has their instructions at least in part. */
static const char *native_name(void) {
    uint64_t id = midr();
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        if ((id >> 24 & 0xff) == 'A' && (id >> 4 & 0xfff) == parts[k].part)
            return parts[k].name;
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? "neoverse-n1" : "cortex-a53";
}
#elif defined(__arm__) && defined(__linux__)
static const char *native_name(void) {
    unsigned long has = getauxval(AT_HWCAP);
    return has & HWCAP_ARM_NEON && has & HWCAP_ARM_VFPv4 ? "cortex-a7" : "scalar";
}
#else
static const char *native_name(void) {
    return "scalar";
}
#endif

/* ---- by name ---- */

const struct target *target_find(const char *cpu) {
    const char *name = strcmp(cpu, "native") == 0 ? native_name() : cpu;
    for (int k = 0; k < NUM_CPUS; k++)
        if (strcmp(cpus[k].name, name) == 0)
            return &cpus[k].target;
    return NULL;
}

const struct cpu *target_list(int k) {
    return k >= 0 && k < NUM_CPUS ? &cpus[k] : NULL;
}

const struct target *target_half(const struct target *target) {
    return target->half ? target_find(target->half) : NULL;
}
