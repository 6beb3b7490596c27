/* The interface of generated C as a program uses it: two models in one program, by their typed
 * entry and by their descriptor, at addresses with no more than element alignment, with NULL
 * arguments, with hooks; the macros tell what the descriptor tells. Prints one line per check
 * that fails; exit status 0 when none does. */
#include "digits.h"
#include "moons.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FLOATS = 64 };

static int checks, failures;

static void check(bool holds, const char *what) {
    checks++;
    if (!holds) {
        failures++;
        printf("FAIL api: %s\n", what);
    }
}

/* A block whose address is `offset` past a multiple of `align`; one for the whole program,
 * never freed. */
static void *block(size_t bytes, size_t align, size_t offset) {
    char *p = malloc(bytes + 2 * align + offset);
    if (!p)
        exit(3);
    return p + (align - (size_t)((uintptr_t)p % align)) % align + offset;
}

/* What the tests need of a model; `typed` calls its typed entry. */
struct subject {
    const nncc_model *model;
    size_t arena_bytes, arena_align, weight_bytes;
    uint64_t macs;
    int (*typed)(const void *in, void *out, void *arena);
};

static int digits(const void *in, void *out, void *arena) {
    return digits_run(in, out, arena);
}

static int moons(const void *in, void *out, void *arena) {
    return moons_run(in, out, arena);
}

static const struct subject subjects[] = {
    {&digits_model, DIGITS_ARENA_BYTES, DIGITS_ARENA_ALIGN, DIGITS_WEIGHT_BYTES, DIGITS_MACS,
     digits},
    {&moons_model, MOONS_ARENA_BYTES, MOONS_ARENA_ALIGN, MOONS_WEIGHT_BYTES, MOONS_MACS, moons},
};

static int by_descriptor(const nncc_model *m, const void *in, void *out, void *arena) {
    const void *inputs[] = {in};
    void *outputs[] = {out};
    int64_t symbols[1] = {0};
    nncc_call call = {0};
    call.inputs = inputs;
    call.outputs = outputs;
    call.arena = arena;
    call.symbols = symbols;
    return m->run(&call);
}

static void check_figures(const struct subject *s) {
    const nncc_model *m = s->model;
    check(m->abi == NNCC_ABI && m->abi == 1, "abi is 1");
    check(m->arena_bytes == s->arena_bytes && m->arena_align == s->arena_align,
          "macros and descriptor name one arena");
    check(m->weight_bytes == s->weight_bytes && m->macs == s->macs,
          "macros and descriptor agree on weights and MACs");
    check(m->num_inputs == 1 && m->num_outputs == 1 && m->num_symbols == 0,
          "one input, one output, no symbols");
    check(m->inputs[0].dtype == 1 && m->outputs[0].dtype == 1, "float in, float out");
    check(m->inputs[0].bytes <= MAX_FLOATS * sizeof(float), "the input has a known size");
    check(m->outputs[0].alias == -1 || m->outputs[0].alias == 0, "alias is an input or -1");
}

/* The same input at three places gives the same output, however it is called. */
static void check_values(const struct subject *s) {
    const nncc_model *m = s->model;
    size_t in_bytes = m->inputs[0].bytes, out_bytes = m->outputs[0].bytes;
    float values[MAX_FLOATS], *in, *out, *first = NULL;
    unsigned state = 12345;
    for (size_t i = 0; i < MAX_FLOATS; i++)
        values[i] = (float)((state = state * 1103515245u + 12345u) >> 16 & 255) / 255.0f;
    for (size_t offset = 0; offset < 12; offset += 4) {
        in = block(in_bytes, 64, offset);
        out = block(out_bytes, 64, offset + 4);
        void *arena = block(s->arena_bytes, s->arena_align, 0);
        memcpy(in, values, in_bytes);
        memset(out, 0xAA, out_bytes);
        memset(arena, 0xAA, s->arena_bytes);
        check((offset ? by_descriptor(m, in, out, arena) : s->typed(in, out, arena)) == 0,
              "a good call returns 0");
        check(!memcmp(in, values, in_bytes), "the input stays as it was");
        if (first)
            check(!memcmp(out, first, out_bytes),
                  "typed entry and descriptor give the same bytes at any address");
        else
            first = out;
    }
    check(first[0] == first[0], "the first output is a number");
}

static void check_null(const struct subject *s) {
    const nncc_model *m = s->model;
    float in[MAX_FLOATS] = {0}, out[MAX_FLOATS] = {0};
    void *arena = block(s->arena_bytes, s->arena_align, 0), *outputs[] = {out};
    const void *inputs[] = {in};
    check(s->typed(NULL, out, arena) == NNCC_E_ARG, "typed: a NULL input is NNCC_E_ARG");
    check(s->typed(in, NULL, arena) == NNCC_E_ARG, "typed: a NULL output is NNCC_E_ARG");
    check(by_descriptor(m, NULL, out, arena) == NNCC_E_ARG,
          "descriptor: a NULL input is NNCC_E_ARG");
    check(by_descriptor(m, in, NULL, arena) == NNCC_E_ARG,
          "descriptor: a NULL output is NNCC_E_ARG");
    nncc_call call = {.inputs = NULL, .outputs = outputs, .arena = arena};
    check(m->run(&call) == NNCC_E_ARG, "descriptor: no inputs at all is NNCC_E_ARG");
    call = (nncc_call){.inputs = inputs, .outputs = NULL, .arena = arena};
    check(m->run(&call) == NNCC_E_ARG, "descriptor: no outputs at all is NNCC_E_ARG");
    check(m->run(NULL) == NNCC_E_ARG, "descriptor: a NULL call is NNCC_E_ARG");
    if (s->arena_bytes == 0)
        return;
    check(s->typed(in, out, NULL) == NNCC_E_ARG, "typed: a NULL arena is NNCC_E_ARG");
    check(by_descriptor(m, in, out, NULL) == NNCC_E_ARG,
          "descriptor: a NULL arena is NNCC_E_ARG");
    if (s->arena_align > 1) {
        void *odd = block(s->arena_bytes, s->arena_align, 1);
        check(s->typed(in, out, odd) == NNCC_E_ARG, "typed: a misaligned arena is NNCC_E_ARG");
        check(by_descriptor(m, in, out, odd) == NNCC_E_ARG,
              "descriptor: a misaligned arena is NNCC_E_ARG");
    }
}

/* What the profile hook was told of. */
struct profile {
    int32_t entered,
        left; /* regions so far; each is entered once, in order, and left at once */
    bool in_turn;
};

static void note_region(void *user, int32_t region, int32_t enter) {
    struct profile *p = user;
    int32_t expected = enter ? p->entered : p->left;
    p->in_turn = p->in_turn && region == expected && p->entered - p->left == (enter ? 0 : 1);
    p->entered += enter ? 1 : 0;
    p->left += enter ? 0 : 1;
}

static void check_hooks(const struct subject *s) {
    const nncc_model *m = s->model;
    float in[MAX_FLOATS] = {1.0f}, out[MAX_FLOATS], plain[MAX_FLOATS];
    struct profile seen = {0, 0, true};
    nncc_hooks hooks = {&seen, NULL, NULL};
    const void *inputs[] = {in};
    void *outputs[] = {out};
    nncc_call call = {0};
    call.inputs = inputs;
    call.outputs = outputs;
    call.arena = block(s->arena_bytes, s->arena_align, 0);
    call.hooks = &hooks;
    check(m->num_regions > 0, "there are regions");
    for (uint32_t k = 0; k < m->num_regions; k++)
        check(m->regions[k][0] != '\0', "every region has a name");
    check(m->run(&call) == 0 && seen.entered == 0, "hooks without profile are none");
    memcpy(plain, out, m->outputs[0].bytes);
    hooks.profile = note_region;
    memset(out, 0xAA, sizeof out);
    check(m->run(&call) == 0, "a profiled call returns 0");
    check(seen.in_turn && seen.entered == (int32_t)m->num_regions &&
              seen.left == (int32_t)m->num_regions,
          "every region is entered once, in order, and left");
    check(!memcmp(plain, out, m->outputs[0].bytes), "profiling changes no output");
    call.arena = NULL;
    check(s->arena_bytes == 0 ||
              (m->run(&call) == NNCC_E_ARG && seen.entered == (int32_t)m->num_regions),
          "a profiled call with a NULL arena is NNCC_E_ARG and enters no region");
}

int main(void) {
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        check_figures(&subjects[i]);
        check_values(&subjects[i]);
        check_hooks(&subjects[i]);
        check_null(&subjects[i]);
    }
    check(strcmp(digits_model.name, moons_model.name) != 0,
          "the models have names of their own");
    printf("%d passed, %d failed, 0 skipped\n", checks - failures, failures);
    return failures > 0;
}
