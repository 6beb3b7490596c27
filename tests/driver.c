/* Runs several generated models, each on its recorded inputs: the C half of tests/harness.py.
 *
 *   driver DIR [FROM]
 *
 * table.h, written beside the generated C, includes the header of each model and lists their
 * descriptors in `models`. For the models from number FROM on this reads DIR/<name>.in (the
 * bytes of all inputs in order), runs the model twice through its descriptor and writes the
 * outputs to DIR/<name>.out. It prints, for each model,
 *
 *   run <name>
 *   tensor in|out <dtype> <bytes> <alias> [<dim>,...]      one line per tensor
 *   ok <name> arena <bytes> weights <bytes> macs <count>   or   bad <name>: <sentence>
 *
 * so that after a crash the last line tells where to go on. What it checks: every buffer has no
 * more than the alignment it may count on and guards on both sides (poisoned under
 * AddressSanitizer) that stay as they were; inputs stay as they were; the arena and the outputs
 * are filled with another byte before each run, and both runs must give the same bytes, so
 * nothing unwritten is read and every output is written whole. The second run is profiled: its
 * regions have names, and each is left before the next is entered.
 */
#include "table.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONING 1
#endif
#endif
#ifdef POISONING
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { GUARD = 256, GUARD_BYTE = 0xC3, MAX_TENSORS = 512, MAX_ALIGN = 4096 };

/* A block of `bytes` bytes between two guards, whose address is `align` modulo 2 * align. */
struct block {
    unsigned char *raw, *data, *copy; /* copy: the recorded bytes of an input, else NULL */
    size_t raw_bytes, bytes;
};

struct run {
    const nncc_model *model;
    struct block in[MAX_TENSORS], out[MAX_TENSORS], arena;
    unsigned char *first[MAX_TENSORS]; /* outputs of the first run */
    int32_t region;                    /* that is open, or -1 */
    const char *why;                   /* what is wrong, or NULL */
};

static void *take(size_t bytes) {
    void *p = malloc(bytes ? bytes : 1);
    if (!p) {
        puts("out of memory");
        exit(3);
    }
    return p;
}

static struct block block_new(size_t bytes, size_t align) {
    struct block b = {0};
    b.raw_bytes = bytes + 2 * GUARD + 2 * MAX_ALIGN;
    b.raw = take(b.raw_bytes);
    uintptr_t at = (uintptr_t)b.raw + GUARD;
    b.data = b.raw + GUARD + (2 * align - at % (2 * align) + align) % (2 * align);
    b.bytes = bytes;
    memset(b.raw, GUARD_BYTE, b.raw_bytes);
    ASAN_POISON_MEMORY_REGION(b.raw, (size_t)(b.data - b.raw));
    ASAN_POISON_MEMORY_REGION(b.data + bytes, b.raw_bytes - (size_t)(b.data - b.raw) - bytes);
    return b;
}

static bool block_guards_hold(const struct block *b) {
    ASAN_UNPOISON_MEMORY_REGION(b->raw, b->raw_bytes);
    for (size_t i = 0; i < b->raw_bytes; i++)
        if (b->raw + i < b->data || b->raw + i >= b->data + b->bytes)
            if (b->raw[i] != GUARD_BYTE)
                return false;
    return true;
}

static void block_free(struct block *b) {
    free(b->raw);
    free(b->copy);
}

/* Alignment an element of this TensorProto.DataType needs. */
static size_t dtype_align(int32_t dtype) {
    switch (dtype) {
    case 4:
    case 5:
    case 10:
    case 16: /* uint16, int16, float16, bfloat16 */
        return 2;
    case 1:
    case 6:
    case 12:
    case 14: /* float, int32, uint32, complex64 */
        return 4;
    case 7:
    case 11:
    case 13:
    case 15: /* int64, double, uint64, complex128 */
        return 8;
    default:
        return 1;
    }
}

static void print_tensor(const char *kind, const nncc_tensor *t) {
    printf("tensor %s %d %zu %d [", kind, (int)t->dtype, t->bytes, (int)t->alias);
    for (int32_t i = 0; i < t->rank; i++)
        printf("%s%lld", i ? "," : "", (long long)t->dims[i]);
    printf("] %s\n", t->name);
}

static void check_descriptor(struct run *r) {
    const nncc_model *m = r->model;
    if (m->abi != 1)
        r->why = "the descriptor's abi is not 1";
    else if (m->num_inputs > MAX_TENSORS || m->num_outputs > MAX_TENSORS)
        r->why = "more tensors than the driver has room for";
    else if (!m->run || (m->arena_align & (m->arena_align - 1)) || m->arena_align > MAX_ALIGN)
        r->why = "no run function, or an arena alignment that is no power of two up to 4096";
}

static void read_inputs(struct run *r, const char *dir) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.in", dir, r->model->name);
    FILE *f = fopen(path, "rb");
    if (!f)
        r->why = "cannot open the recorded inputs";
    for (uint32_t i = 0; i < r->model->num_inputs && !r->why; i++) {
        const nncc_tensor *t = &r->model->inputs[i];
        struct block *b = &r->in[i];
        *b = block_new(t->bytes, dtype_align(t->dtype));
        b->copy = take(t->bytes);
        if (fread(b->copy, 1, t->bytes, f) != t->bytes)
            r->why = "the inputs are larger than the recorded ones";
        memcpy(b->data, b->copy, t->bytes);
    }
    if (!r->why && fgetc(f) != EOF)
        r->why = "the inputs are smaller than the recorded ones";
    if (f)
        fclose(f);
}

static void make_outputs(struct run *r) {
    const nncc_model *m = r->model;
    for (uint32_t i = 0; i < m->num_outputs; i++) {
        r->out[i] = block_new(m->outputs[i].bytes, dtype_align(m->outputs[i].dtype));
        r->first[i] = take(m->outputs[i].bytes);
    }
    r->arena = block_new(m->arena_bytes, m->arena_align ? m->arena_align : 1);
}

static void profile(void *user, int32_t region, int32_t enter) {
    struct run *r = user;
    const nncc_model *m = r->model;
    if (region < 0 || (uint32_t)region >= m->num_regions || !m->regions[region][0])
        r->why = "profiles a region that has no name";
    else if (enter ? r->region != -1 : r->region != region)
        r->why = "enters or leaves a region out of turn";
    r->region = enter ? region : -1;
}

static void call(struct run *r, int fill, const nncc_hooks *hooks) {
    const nncc_model *m = r->model;
    const void *in[MAX_TENSORS];
    void *out[MAX_TENSORS];
    int64_t symbols[64] = {0};
    nncc_call c = {0};
    for (uint32_t i = 0; i < m->num_inputs; i++)
        in[i] = r->in[i].data;
    for (uint32_t i = 0; i < m->num_outputs; i++) {
        out[i] = r->out[i].data;
        memset(out[i], fill, r->out[i].bytes);
    }
    memset(r->arena.data, fill, r->arena.bytes);
    c.inputs = in;
    c.outputs = out;
    c.arena = r->arena.data;
    c.symbols = symbols;
    c.hooks = hooks;
    int code = m->run(&c);
    if (r->region != -1)
        r->why = "leaves a region open";
    static char text[32];
    snprintf(text, sizeof text, "run returned %d", code);
    if (code)
        r->why = text;
}

static void check_after(struct run *r) {
    const nncc_model *m = r->model;
    if (!block_guards_hold(&r->arena))
        r->why = "writes outside the arena";
    for (uint32_t i = 0; i < m->num_inputs; i++)
        if (memcmp(r->in[i].data, r->in[i].copy, r->in[i].bytes) ||
            !block_guards_hold(&r->in[i]))
            r->why = "writes to an input";
    for (uint32_t i = 0; i < m->num_outputs; i++) {
        if (!block_guards_hold(&r->out[i]))
            r->why = "writes outside an output";
        if (!r->why && memcmp(r->out[i].data, r->first[i], r->out[i].bytes))
            r->why = "two runs differ, or part of an output is not written";
    }
}

static void write_outputs(struct run *r, const char *dir) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.out", dir, r->model->name);
    FILE *f = fopen(path, "wb");
    for (uint32_t i = 0; f && i < r->model->num_outputs; i++)
        fwrite(r->first[i], 1, r->model->outputs[i].bytes, f);
    if (!f || fclose(f))
        r->why = "cannot write the outputs";
}

static void run_twice(struct run *r, const char *dir) {
    const nncc_model *m = r->model;
    const nncc_hooks hooks = {r, NULL, profile};
    read_inputs(r, dir);
    make_outputs(r);
    if (!r->why)
        call(r, 0xAA, NULL);
    for (uint32_t i = 0; i < m->num_outputs; i++)
        memcpy(r->first[i], r->out[i].data, r->out[i].bytes);
    if (!r->why)
        call(r, 0x55, &hooks);
    if (!r->why)
        check_after(r);
    if (!r->why)
        write_outputs(r, dir);
}

static void run_free(struct run *r) {
    for (int i = 0; i < MAX_TENSORS; i++) {
        block_free(&r->in[i]);
        block_free(&r->out[i]);
        free(r->first[i]);
    }
    block_free(&r->arena);
}

static void run_model(const nncc_model *m, const char *dir) {
    static struct run r;
    memset(&r, 0, sizeof r);
    r.model = m;
    r.region = -1;
    printf("run %s\n", m->name);
    check_descriptor(&r);
    for (uint32_t i = 0; i < m->num_inputs && !r.why; i++)
        print_tensor("in", &m->inputs[i]);
    for (uint32_t i = 0; i < m->num_outputs && !r.why; i++)
        print_tensor("out", &m->outputs[i]);
    fflush(stdout);
    if (!r.why)
        run_twice(&r, dir);
    if (r.why)
        printf("bad %s: %s\n", m->name, r.why);
    else
        printf("ok %s arena %zu weights %zu macs %llu\n", m->name, m->arena_bytes,
               m->weight_bytes, (unsigned long long)m->macs);
    fflush(stdout);
    run_free(&r);
}

int main(int argc, char **argv) {
    int from = argc > 2 ? atoi(argv[2]) : 0;
    if (argc < 2)
        return 2;
    for (int i = from; i < (int)(sizeof models / sizeof models[0]); i++)
        run_model(models[i], argv[1]);
    return 0;
}
