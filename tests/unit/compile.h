/* For tests of generated C: an ast from text, its C, the C compiled with warnings as errors
 * under UBSan, and run. */
#ifndef NNCC_TESTS_UNIT_COMPILE_H
#define NNCC_TESTS_UNIT_COMPILE_H

#include "codegen/codegen.h"
#include "ir/arena.h"
#include "ir/constant.h"
#include "ir/interp.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A program of a test. */
struct program {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
    struct ast *ast;
    struct str source, header;
    struct c_figures figures;
};

static inline void program_init(struct program *p) {
    *p = (struct program){.names = {.arena = &p->arena}, .diag = {.sink = &p->messages}};
}

static inline void program_read(struct program *p, const char *text) {
    struct constant_pool pool = {.arena = &p->arena};
    program_init(p);
    p->ast = ast_read("t", text, strlen(text), &p->names, &pool, &p->diag);
    ck_assert_msg(p->ast && ast_check(p->ast, &p->diag), "%s", str_cstr(&p->messages));
}

/* Plans the arena and prints the C with prefix m. */
static inline void program_emit_for(struct program *p, const struct target *target,
                                    bool strict) {
    struct c_options opt = {.prefix = "m",
                            .header_name = "m.h",
                            .source_name = "m.onnx",
                            .version = "0",
                            .weights = WEIGHTS_C,
                            .target = target,
                            .strict = strict};
    arena_plan(p->ast);
    c_from_ast(p->ast, &opt, &p->source, &p->header, &p->figures);
}

static inline void program_emit(struct program *p) {
    program_emit_for(p, target_find("scalar"), false);
}

static inline void program_free(struct program *p) {
    ast_free(p->ast);
    str_free(&p->source);
    str_free(&p->header);
    str_free(&p->messages);
    intern_free(&p->names);
    arena_free(&p->arena);
}

/* Reads in.bin, runs the model by its descriptor with every buffer on the heap and poisoned,
 * writes out.bin; exits with minus the code. */
static const char driver[] =
    "#include \"m.h\"\n"
    "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
    "static void *block(size_t n) {\n"
    "    void *p = malloc(n ? n : 1);\n    if (!p) exit(100);\n    memset(p, 0xAA, n);\n    "
    "return p;\n}\n"
    "int main(void) {\n"
    "    const nncc_model *m = &m_model;\n"
    "    const void *in[64]; void *out[64]; int64_t symbols[8] = {3, 3, 3, 3, 3, 3, 3, 3};\n"
    "    FILE *f = fopen(\"in.bin\", \"rb\");\n    if (!f) return 101;\n"
    "    for (uint32_t i = 0; i < m->num_inputs; i++) {\n"
    "        void *p = block(m->inputs[i].bytes); in[i] = p;\n"
    "        if (fread(p, 1, m->inputs[i].bytes, f) != m->inputs[i].bytes) return 102;\n    }\n"
    "    fclose(f);\n"
    "    for (uint32_t i = 0; i < m->num_outputs; i++) out[i] = block(m->outputs[i].bytes);\n"
    "    nncc_call call = {in, out, block(m->arena_bytes), symbols, NULL, NULL, {NULL, "
    "NULL}};\n"
    "    int code = m->run(&call);\n    if (code) return -code;\n"
    "    f = fopen(\"out.bin\", \"wb\");\n    if (!f) return 103;\n"
    "    for (uint32_t i = 0; i < m->num_outputs; i++) fwrite(out[i], 1, m->outputs[i].bytes, "
    "f);\n"
    "    return fclose(f);\n}\n";

static inline void write_file(const char *dir, const char *name, const void *data, size_t len) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_msg(file_write(path, data, len), "cannot write %s", path);
}

/* Runs a shell command in dir; its exit status. */
static inline int run_in(const char *dir, const char *command) {
    char line[1024];
    snprintf(line, sizeof line, "cd %s && %s", dir, command);
    int status = system(line); // NOLINT: a fixed command in a folder of our own
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* The compiler that most tests use, and its strictest flags. */
#define STRICT                                                                                 \
    "${CC:-cc} -std=c99 -O1 -Wall -Wextra -Wpedantic -Wshadow -Werror -fsanitize=undefined "   \
    "-fno-sanitize-recover=all"

/* Compiles the program beside main text `main_c` with `cc`, runs it on `in`, and returns its
 * exit status; *out gets out.bin (malloc'd), NULL when there is none. */
static inline int program_run_by(struct program *p, const char *cc, const char *main_c,
                                 const struct str *in, struct str *out) {
    char dir[] = "/tmp/nncc-test-XXXXXX", path[64], command[512];
    ck_assert(mkdtemp(dir) != NULL);
    write_file(dir, "m.c", p->source.data, p->source.len);
    write_file(dir, "m.h", p->header.data, p->header.len);
    write_file(dir, "main.c", main_c, strlen(main_c));
    write_file(dir, "in.bin", in->data, in->len);
    snprintf(command, sizeof command, "%s -o m m.c main.c -lm", cc);
    ck_assert_msg(run_in(dir, command) == 0, "the C does not compile; it is in %s", dir);
    int status = run_in(dir, "./m");
    snprintf(path, sizeof path, "%s/out.bin", dir);
    size_t len;
    char *bytes = file_read(path, &len);
    *out = (struct str){.data = bytes, .len = bytes ? len : 0};
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert(run_in("/", command) == 0);
    return status;
}

static inline int program_run(struct program *p, const char *main_c, const void *in, size_t len,
                              char **out, size_t *out_len) {
    struct str bytes = {.data = (char *)(uintptr_t)in, .len = len}, found;
    int status = program_run_by(p, STRICT, main_c, &bytes, &found);
    *out = found.data;
    *out_len = found.len;
    return status;
}

/* ---- the interpreter on the same program ---- */

/* Deterministic bytes that are ordinary values of each type. */
static inline void fill_input(const struct buffer *b, void *data) {
    for (int64_t k = 0; k < b->max_elements; k++)
        dtype_store(b->dtype, data, k,
                    dtype_convert(b->dtype, DTYPE_F64,
                                  (union scalar){.f = 0.75 * (double)(k * 7 % 11) - 3.0}));
}

/* Poison, but for what is left of a packed output's last byte: that is 0. The symbols of these
 * programs are 3. */
static inline void poison_output(const struct buffer *b, void *data, int64_t bytes) {
    int64_t n, bits = dtype_info(b->dtype)->bits;
    if (!expr_as_int(b->elements, &n))
        n = 3;
    memset(data, 0xAA, (size_t)bytes);
    if (bits < 8 && n * bits % 8 != 0)
        ((unsigned char *)data)[n * bits / 8] = 0;
}

/* Runs the interpreter on inputs appended to `in`; its outputs are appended to `want`. */
static inline int interpret(struct program *p, struct str *in, struct str *want) {
    const struct ast *a = p->ast;
    void **data = arena_calloc(&p->arena, (size_t)a->buffers.len, sizeof *data);
    int64_t *bytes = arena_array(&p->arena, int64_t, a->buffers.len);
    for (int k = 0; k < a->buffers.len; k++) {
        const struct buffer *b = &a->buffers.data[k];
        ck_assert(dtype_bytes(b->dtype, b->max_elements, &bytes[k]));
        if (b->kind != BUFFER_INPUT && b->kind != BUFFER_OUTPUT)
            continue;
        data[k] = arena_alloc(&p->arena, (size_t)bytes[k]);
        if (b->kind == BUFFER_OUTPUT)
            poison_output(b, data[k], bytes[k]);
        if (b->kind == BUFFER_INPUT) {
            fill_input(b, data[k]);
            str_add_len(in, data[k], (size_t)bytes[k]);
        }
    }
    int64_t symbols[8] = {3, 3, 3, 3, 3, 3, 3, 3};
    int code = interp_run(a, data, symbols);
    for (int k = 0; k < a->buffers.len; k++)
        if (a->buffers.data[k].kind == BUFFER_OUTPUT)
            str_add_len(want, data[k], (size_t)bytes[k]);
    return code;
}

#endif
