/* The stack that generated functions need, bounded from what their text shows.
 *
 * Each nest is a function of its own that calls nothing but libm and routines, so the deepest
 * chain is descriptor, run function, nest, library. A compiler saves the registers it uses and
 * spills what does not fit into them: about a word per loop, per pointer and per load of a
 * nest; in the run function a word per address that a later nest needs. The factors bound gcc
 * 12 with -Os on Cortex-M4 and with -O2 on x86-64, found with -fstack-usage on some five
 * thousand nests; compilers that unroll and vectorise for speed may spill more.
 * tests/api/stack.py measures again. */
#include "codegen/emit.h"

enum {
    WORD = 8,          // of the wider machine
    SAVED = 64,        // registers saved, return address
    PER_LOOP = 12,     // iterator, limit, what is hoisted
    FREE_POINTERS = 3, // pointers and loads that fit into registers
    FREE_ARGS = 4,     // passed in registers
    REGISTERS = 16,    // of a machine with few, for what is computed
    DESCRIPTOR = 24,   // of the function that calls the run function, and hooks that this keeps
    ROUTINE = 128,     // of runtime/
};

/* ---- libraries: bytes that functions of libm take with what they call (newlib 3.3, Cortex-M4)
 * ---- */

static const struct {
    enum func func;
    int f32, f64;
} library[] = {
    {FUNC_SIN, 480, 208},
    {FUNC_COS, 480, 208},
    {FUNC_TAN, 480, 208}, // reduction of large arguments
    {FUNC_POW, 80, 208},
};
enum { LIBRARY_F32 = 48, LIBRARY_F64 = 128 }; // all others

int stack_of_function(enum func f, enum dtype t) {
    for (size_t k = 0; k < sizeof library / sizeof *library; k++)
        if (library[k].func == f)
            return t == DTYPE_F32 ? library[k].f32 : library[k].f64;
    return t == DTYPE_F32 ? LIBRARY_F32 : LIBRARY_F64;
}

int stack_of_routine(void) {
    return ROUTINE;
}

/* ---- the run function ---- */

/* An address the run function passes on: from which statement of its body to which. */
struct life {
    int64_t offset; // in the arena; -1: an argument
    int first, last;
};

struct lives {
    const struct ast *ast;
    struct arena arena;
    vec(struct life) all;
    int *life_of; // [buffers]: plus 1; 0: none yet
    int step;     // the statement being looked at
};

/* Buffers at one offset have one address. */
static int find_life(const struct lives *l, int64_t offset) {
    for (int k = 0; offset >= 0 && k < l->all.len; k++)
        if (l->all.data[k].offset == offset)
            return k;
    return -1;
}

static void note_life(void *user, int buffer, bool store) {
    (void)store;
    struct lives *l = user;
    const struct buffer *b = &l->ast->buffers.data[buffer];
    if (b->kind == BUFFER_CONST)
        return;
    if (!l->life_of[buffer]) {
        int64_t offset = b->kind == BUFFER_TEMP ? b->offset : -1;
        int k = find_life(l, offset);
        if (k < 0) {
            k = l->all.len;
            vec_push(&l->arena, &l->all, ((struct life){offset, offset < 0 ? 0 : l->step, 0}));
        }
        l->life_of[buffer] = k + 1;
    }
    l->all.data[l->life_of[buffer] - 1].last = l->step;
}

/* The most addresses that are kept while one statement runs. */
static int most_addresses(const struct ast *a) {
    struct lives l = {.ast = a};
    l.life_of = arena_array(&l.arena, int, a->buffers.len);
    for (const struct ast_node *n = a->body.first; n; n = n->next, l.step++)
        ast_walk_buffers(n, note_life, &l);
    int most = 0;
    for (int s = 0; s < l.step; s++) {
        int alive = 0;
        for (int k = 0; k < l.all.len; k++)
            alive += l.all.data[k].first <= s && l.all.data[k].last > s;
        most = alive > most ? alive : most;
    }
    arena_free(&l.arena);
    return most;
}

/* ---- frames ---- */

/* Accumulators that stay in memory lie there as arrays, and compilers that make vectors of more
 * than registers hold spill up to half as much again; the other scalars are as wide. */
void emit_note_tile(struct emit *em, int64_t accumulators, enum dtype t, int scalars) {
    struct frame *f = &em->fn.frame;
    int64_t element = dtype_info(t)->bits < 8 ? 1 : dtype_info(t)->bits / 8;
    int64_t spilled = accumulators > REGISTERS ? accumulators / 2 : 0;
    int64_t bytes = (accumulators + spilled + scalars) * element;
    f->accumulators = bytes > f->accumulators ? bytes : f->accumulators;
}

/* What the registers do not hold is kept in memory; compilers put the functions in place and
 * their constants before the loops. */
void emit_note_vectors(struct emit *em, const struct target *target, int vectors, int functions,
                       int64_t bytes) {
    enum { BESIDE = 20, PER_FUNCTION = 24 }; // vectors
    struct frame *f = &em->fn.frame;
    bool kept = functions == 0 && vectors + 2 <= target->registers;
    int spilled = kept ? 0 : vectors + vectors / 4 + functions * PER_FUNCTION;
    int64_t longest =
        target->scalable ? (int64_t)target->most_bytes * target->group : target->vector_bytes;
    bytes += longest * (BESIDE + spilled);
    f->accumulators = bytes > f->accumulators ? bytes : f->accumulators;
}

static int64_t beyond(int n, int free) {
    return n > free ? WORD * (int64_t)(n - free) : 0;
}

int64_t stack_of_frame(const struct frame *f) {
    return SAVED + PER_LOOP * f->loops + beyond(f->buffers + f->loads, FREE_POINTERS) +
           f->library + (f->accumulators + WORD - 1) / WORD * WORD;
}

int64_t stack_of_program(const struct emit *em) {
    return DESCRIPTOR + stack_of_frame(&em->fn.frame) +
           WORD * (int64_t)most_addresses(em->ast) + beyond(em->most_args, FREE_ARGS) +
           em->callee_bytes;
}
