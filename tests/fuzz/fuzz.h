/* What the fuzz targets share: the context a reader needs, with messages kept in memory. */
#ifndef NNCC_TESTS_FUZZ_H
#define NNCC_TESTS_FUZZ_H

#include "ir/base.h"
#include "ir/constant.h"
#include "ir/diag.h"

#include <stdio.h>
#include <stdlib.h>

struct fuzz {
    struct arena arena; // of the names and of constants
    struct intern names;
    struct str messages;
    struct diag diag;
    struct constant_pool pool; // what texts may name by hash; starts as fuzz_constants
};

/* Ends the run with a message that libFuzzer records as a crash. FUZZ_DIR is the corpus's
 * folder `external`. */
#define FUZZ_CHECK(holds, what) ((holds) ? (void)0 : fuzz_fail(__FILE__, __LINE__, (what)))

static inline void fuzz_fail(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

/* The constants of the seed corpus, so that its dumps can be read; loaded once. */
static inline const struct constant_pool *fuzz_constants(void) {
    static struct arena arena;
    static struct constant_pool pool = {.arena = &arena};
    if (!pool.entries.len) {
        struct diag d = {0};
        FUZZ_CHECK(constant_pool_read(&pool, FUZZ_DIR "/constants.bin", &d), "constants.bin");
    }
    return &pool;
}

static inline void fuzz_begin(struct fuzz *f) {
    *f = (struct fuzz){
        .names.arena = &f->arena, .diag.sink = &f->messages, .pool = *fuzz_constants()};
    f->pool.arena = &f->arena;
}

static inline void fuzz_end(struct fuzz *f) {
    str_free(&f->messages);
    intern_free(&f->names);
    arena_free(&f->arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
