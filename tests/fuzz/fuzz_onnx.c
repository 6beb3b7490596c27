/* libFuzzer target: the ONNX reader. Any bytes give a graph or errors; a graph passes the
 * verifier, and its text form reads back to the same text. External data is looked for in
 * FUZZ_DIR, where corpus.py puts a weight file. */
#include "frontend/frontend.h"
#include "ir/constant.h"
#include "tests/fuzz/fuzz.h"

static struct graph *read_model(struct fuzz *f, const uint8_t *data, size_t size) {
    struct frontend_options options = {0};
    return graph_from_onnx(FUZZ_DIR "/model.onnx", data, size, &options, &f->names, &f->diag);
}

static char *print_graph(const struct graph *g, struct constant_pool *pool) {
    struct str s = {0};
    graph_print(&s, g, pool);
    str_cstr(&s);
    return s.data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz f;
    fuzz_begin(&f);
    struct graph *g = read_model(&f, data, size);
    if (!g) {
        FUZZ_CHECK(f.diag.errors > 0, "no graph and no error");
        fuzz_end(&f);
        return 0;
    }
    FUZZ_CHECK(graph_check(g, false, &f.diag), str_cstr(&f.messages));
    char *text = print_graph(g, &f.pool);
    struct graph *again = graph_read("again", text, strlen(text), &f.names, &f.pool, &f.diag);
    FUZZ_CHECK(again, str_cstr(&f.messages));
    char *text_again = print_graph(again, NULL);
    FUZZ_CHECK(!strcmp(text, text_again), "the text reads back as another");
    free(text);
    free(text_again);
    graph_free(g);
    graph_free(again);
    fuzz_end(&f);
    return 0;
}
