/* libFuzzer target: the reader of one text form; FUZZ_IR is graph, loops or ast. Any text is
 * refused with an error or gives an IR; one that passes its verifier prints as a text that
 * reads back and prints the same. */
#include "ir/ast.h"
#include "ir/constant.h"
#include "ir/graph.h"
#include "ir/loops.h"
#include "tests/fuzz/fuzz.h"

#define JOIN(a, b)  JOIN_(a, b)
#define JOIN_(a, b) a##b
#define IR_READ     JOIN(FUZZ_IR, _read)
#define IR_PRINT    JOIN(FUZZ_IR, _print)
#define IR_FREE     JOIN(FUZZ_IR, _free)

static bool graph_good(const struct graph *g, struct diag *d) {
    return graph_check(g, false, d);
}

static bool loops_good(const struct loops *l, struct diag *d) {
    return loops_check(l, d);
}

static bool ast_good(const struct ast *a, struct diag *d) {
    return ast_check(a, d);
}

static char *print(const struct FUZZ_IR *ir, struct constant_pool *pool) {
    struct str s = {0};
    IR_PRINT(&s, ir, pool);
    str_cstr(&s);
    return s.data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    (void)graph_good;
    (void)loops_good;
    (void)ast_good;
    struct fuzz f;
    fuzz_begin(&f);
    struct FUZZ_IR *ir = IR_READ("input", (const char *)data, size, &f.names, &f.pool, &f.diag);
    FUZZ_CHECK(ir || f.diag.errors > 0, "neither read nor refused");
    if (ir && JOIN(FUZZ_IR, _good)(ir, &f.diag)) {
        char *text = print(ir, &f.pool);
        struct FUZZ_IR *again =
            IR_READ("again", text, strlen(text), &f.names, &f.pool, &f.diag);
        FUZZ_CHECK(again, str_cstr(&f.messages));
        char *text_again = print(again, NULL);
        FUZZ_CHECK(!strcmp(text, text_again), "the text reads back as another");
        free(text);
        free(text_again);
        IR_FREE(again);
    }
    if (ir)
        IR_FREE(ir);
    fuzz_end(&f);
    return 0;
}
