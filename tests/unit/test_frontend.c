/* The ONNX reader on bytes: the wire format and what hostile files do to it, every storage form
 * of weights, files beside the model. Models are encoded here, field by field; forms of whole
 * models have goldens (tests/golden/frontend). */
#include "frontend/frontend.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- encoding ---- */

static void put_varint(struct str *s, uint64_t v) {
    do {
        char byte = (char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        str_add_len(s, &byte, 1);
    } while (v >>= 7);
}

static void put_int(struct str *s, unsigned field, int64_t v) {
    put_varint(s, (uint64_t)field << 3);
    put_varint(s, (uint64_t)v);
}

static void put_bytes(struct str *s, unsigned field, const void *data, size_t len) {
    put_varint(s, (uint64_t)field << 3 | 2);
    put_varint(s, len);
    str_add_len(s, data, len);
}

static void put_text(struct str *s, unsigned field, const char *text) {
    put_bytes(s, field, text, strlen(text));
}

/* Appends `part` as a sub-message and frees it. */
static void put_message(struct str *s, unsigned field, struct str *part) {
    put_bytes(s, field, str_cstr(part), part->len);
    str_free(part);
}

/* Fields of onnx.proto that the tests write. */
enum {
    MODEL_IR_VERSION = 1,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    OPSET_VERSION = 2,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    GRAPH_OUTPUT = 12,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_OP = 4,
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_GRAPH = 6,
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_FLOAT = 4,
    TENSOR_INT32 = 5,
    TENSOR_INT64 = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
    TENSOR_DOUBLE = 10,
    TENSOR_UINT64 = 11,
    TENSOR_EXTERNAL = 13,
    TENSOR_LOCATION = 14,
    INFO_NAME = 1,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,
};

/* Wraps a graph into a model of opset 17. */
static void put_model(struct str *s, struct str *graph) {
    struct str opset = {0};
    put_int(&opset, OPSET_VERSION, 17);
    put_int(s, MODEL_IR_VERSION, 8);
    put_message(s, MODEL_GRAPH, graph);
    put_message(s, MODEL_OPSET, &opset);
}

static void put_output(struct str *graph, const char *name) {
    struct str info = {0};
    put_text(&info, INFO_NAME, name);
    put_message(graph, GRAPH_OUTPUT, &info);
}

/* A model that hands one tensor, named "w", to its output. */
static void put_tensor_model(struct str *s, struct str *tensor) {
    struct str graph = {0};
    put_text(tensor, TENSOR_NAME, "w");
    put_message(&graph, GRAPH_INITIALIZER, tensor);
    put_output(&graph, "w");
    put_model(s, &graph);
}

/* ---- reading ---- */

/* What a test reads with and what came of it. */
struct bench {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
};

static void bench_start(struct bench *b) {
    *b = (struct bench){.diag = {.errors = 0}};
    b->names.arena = &b->arena;
    b->diag.sink = &b->messages;
}

static void bench_end(struct bench *b) {
    str_free(&b->messages);
    intern_free(&b->names);
    arena_free(&b->arena);
}

static struct graph *read_at(struct bench *b, const char *path, const struct str *model) {
    const struct frontend_options options = {.num_dims = 0};
    const char *data = model->data ? model->data : "";
    struct graph *g = graph_from_onnx(path, data, model->len, &options, &b->names, &b->diag);
    ck_assert_msg(!g == (b->diag.errors > 0), "a graph or errors: %s", str_cstr(&b->messages));
    if (g)
        ck_assert_msg(graph_check(g, false, &b->diag), "%s", str_cstr(&b->messages));
    return g;
}

/* Reads the model, which must end with `message` in its errors; frees it. */
static void check_refused(struct str *model, const char *message) {
    struct bench b;
    bench_start(&b);
    struct graph *g = read_at(&b, "model.onnx", model);
    ck_assert_msg(!g, "expected an error: %s", message);
    ck_assert_msg(strstr(str_cstr(&b.messages), message) != NULL, "expected '%s' in: %s",
                  message, str_cstr(&b.messages));
    bench_end(&b);
    str_free(model);
}

/* ---- the wire format ---- */

/* A model with two nodes, a weight and an output: enough fields to cut and bend. */
static void put_sample(struct str *s) {
    struct str graph = {0}, node = {0}, tensor = {0};
    put_text(&node, NODE_INPUT, "w");
    put_text(&node, NODE_OUTPUT, "y");
    put_text(&node, NODE_OP, "Identity");
    put_int(&tensor, TENSOR_DIMS, 2);
    put_int(&tensor, TENSOR_TYPE, 1);
    put_text(&tensor, TENSOR_NAME, "w");
    put_bytes(&tensor, TENSOR_RAW, "\0\0\x80\x3f\0\0\0\x40", 8);
    put_message(&graph, GRAPH_NODE, &node);
    put_message(&graph, GRAPH_INITIALIZER, &tensor);
    put_output(&graph, "y");
    put_model(s, &graph);
}

START_TEST(test_every_truncation_is_an_error_or_a_model) {
    struct str whole = {0};
    put_sample(&whole);
    for (size_t len = 0; len < whole.len; len++) {
        struct bench b;
        struct str cut = {0};
        bench_start(&b);
        str_add_len(&cut, whole.data, len);
        graph_free(read_at(&b, "model.onnx", &cut));
        str_free(&cut);
        bench_end(&b);
    }
    str_free(&whole);
}
END_TEST

START_TEST(test_every_changed_byte_is_an_error_or_a_model) {
    struct str whole = {0};
    put_sample(&whole);
    for (size_t at = 0; at < whole.len; at++)
        for (int value = 0; value < 256; value += 5) {
            struct bench b;
            char kept = whole.data[at];
            bench_start(&b);
            whole.data[at] = (char)value;
            graph_free(read_at(&b, "model.onnx", &whole));
            whole.data[at] = kept;
            bench_end(&b);
        }
    str_free(&whole);
}
END_TEST

START_TEST(test_truncation_names_the_field) {
    struct str model = {0}, graph = {0};
    put_output(&graph, "y");
    put_model(&model, &graph);
    model.len -= 6;
    check_refused(&model, "not a valid ONNX file: ModelProto.graph at byte 2 runs past");
}
END_TEST

START_TEST(test_deep_nesting) {
    struct str graph = {0};
    for (int k = 0; k < 10000; k++) {
        struct str attribute = {0}, node = {0}, outer = {0};
        put_message(&attribute, ATTRIBUTE_GRAPH, &graph);
        put_message(&node, NODE_ATTRIBUTE, &attribute);
        put_message(&outer, GRAPH_NODE, &node);
        graph = outer;
    }
    struct str model = {0};
    put_model(&model, &graph);
    check_refused(&model, "nested too deep");
}
END_TEST

START_TEST(test_empty_messages_do_not_fill_memory) {
    struct str graph = {0}, model = {0};
    for (int k = 0; k < 500000; k++)
        put_bytes(&graph, GRAPH_NODE, "", 0);
    put_model(&model, &graph);
    check_refused(&model, "far larger than its file");
}
END_TEST

START_TEST(test_many_values_in_one_byte_each_are_no_trouble) {
    struct str model = {0}, tensor = {0};
    size_t n = 1 << 20;
    char *zeros = calloc(1, n);
    put_int(&tensor, TENSOR_DIMS, (int64_t)n);
    put_int(&tensor, TENSOR_TYPE, 7);
    put_bytes(&tensor, TENSOR_INT64, zeros, n);
    put_tensor_model(&model, &tensor);
    struct bench b;
    bench_start(&b);
    struct graph *g = read_at(&b, "model.onnx", &model);
    ck_assert_ptr_nonnull(g);
    ck_assert_int_eq(g->outputs.data[0]->bytes, 8 << 20);
    graph_free(g);
    bench_end(&b);
    str_free(&model);
    free(zeros);
}
END_TEST

/* One bad field inside a model's graph. */
static const struct {
    const char *bytes;
    size_t len;
    const char *message;
} bad_fields[] = {
    {"\x0b", 1, "has an encoding that ONNX does not use"},               // a group
    {"\x0e", 1, "has an encoding that ONNX does not use"},               // wire type 6
    {"\x02\x00", 2, "has an impossible number"},                         // field 0
    {"\x08\x01", 2, "GraphProto.node at byte 4 has the wrong encoding"}, // a number
    {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "runs past the end"},
    {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, "is cut off"}, // above 64 bits
    {"\x12\x03g\0h", 5, "GraphProto.name at byte 4 holds a zero byte"},
    {"\x2a\x03\x42\x01", 4, "runs past the end"}, // a tensor longer than the graph
    {"\x2a\x03\x0a\x01\x80", 5, "TensorProto.dims at byte 6 has a malformed element"},
    {"\x2a\x05\x22\x03\0\0\0", 7, "TensorProto.float_data at byte 6 has a malformed element"},
    {"\x2a\x04\x1a\x00\x1a\x00", 6, "TensorProto.segment at byte 8 stands there twice"},
};

START_TEST(test_bad_fields) {
    struct str model = {0};
    put_int(&model, MODEL_IR_VERSION, 8);
    put_bytes(&model, MODEL_GRAPH, bad_fields[_i].bytes, bad_fields[_i].len);
    check_refused(&model, bad_fields[_i].message);
}
END_TEST

START_TEST(test_unknown_fields_are_left_out) {
    struct str sample = {0}, model = {0};
    put_sample(&sample);
    put_int(&model, 5, -1);                              // model_version
    put_text(&model, 6, "a doc string with \x01 in it"); // doc_string
    put_bytes(&model, 1000, "\xff\xff", 2);
    put_varint(&model, 1001 << 3 | 1);
    str_add_len(&model, "\1\2\3\4\5\6\7\x8", 8);
    put_varint(&model, 1002 << 3 | 5);
    str_add_len(&model, "\1\2\3\4", 4);
    str_add_len(&model, sample.data, sample.len);
    struct bench b;
    bench_start(&b);
    struct graph *g = read_at(&b, "model.onnx", &model);
    ck_assert_ptr_nonnull(g);
    graph_free(g);
    bench_end(&b);
    str_free(&sample);
    str_free(&model);
}
END_TEST

/* ---- storage forms ---- */

/* A tensor of rank 1 in one form, and its elements or the error. */
struct form {
    int type;
    int64_t dim;
    unsigned field;    // TENSOR_INT32 …: `ints`; TENSOR_RAW: `bytes`
    const char *bytes; // of raw_data, or of a packed float_data or double_data
    size_t len;
    int64_t ints[4];
    const char *expected; // bytes as raw_data has them
    size_t expected_len;
    const char *message; // NULL: it can be read
};

static const struct form forms[] = {
    {1, 2, TENSOR_RAW, "\0\0\x80\x3f\0\0\0\x40", 8, {0}, "\0\0\x80\x3f\0\0\0\x40", 8, NULL},
    {1, 2, TENSOR_FLOAT, "\0\0\x80\x3f\0\0\0\x40", 8, {0}, "\0\0\x80\x3f\0\0\0\x40", 8, NULL},
    {11, 1, TENSOR_DOUBLE, "\0\0\0\0\0\0\xf8\x3f", 8, {0}, "\0\0\0\0\0\0\xf8\x3f", 8, NULL},
    {7,
     2,
     TENSOR_INT64,
     NULL,
     2,
     {-1, 5},
     "\xff\xff\xff\xff\xff\xff\xff\xff\5\0\0\0\0\0\0\0",
     16,
     NULL},
    {6, 2, TENSOR_INT32, NULL, 2, {-2, 7}, "\xfe\xff\xff\xff\7\0\0\0", 8, NULL},
    {5, 2, TENSOR_INT32, NULL, 2, {-2, 7}, "\xfe\xff\7\0", 4, NULL},
    {4, 2, TENSOR_INT32, NULL, 2, {65535, 7}, "\xff\xff\7\0", 4, NULL},
    {3, 2, TENSOR_INT32, NULL, 2, {-128, 127}, "\x80\x7f", 2, NULL},
    {2, 2, TENSOR_INT32, NULL, 2, {255, 0}, "\xff\0", 2, NULL},
    {9, 3, TENSOR_INT32, NULL, 3, {0, 1, 9}, "\0\1\1", 3, NULL},
    {9, 3, TENSOR_RAW, "\0\7\1", 3, {0}, "\0\1\1", 3, NULL},
    {12, 1, TENSOR_UINT64, NULL, 1, {4294967295}, "\xff\xff\xff\xff", 4, NULL},
    {13, 1, TENSOR_UINT64, NULL, 1, {-1}, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, NULL},
    {22, 3, TENSOR_INT32, NULL, 2, {0x21, 0x0f}, "\x21\x0f", 2, NULL},
    {21, 3, TENSOR_RAW, "\x21\x0f", 2, {0}, "\x21\x0f", 2, NULL},
    {26, 5, TENSOR_INT32, NULL, 2, {0xe4, -1}, "\xe4\xff", 2, NULL},
    {25, 5, TENSOR_RAW, "\xe4\x03", 2, {0}, "\xe4\x03", 2, NULL},
    {1, 0, TENSOR_RAW, "", 0, {0}, "", 0, NULL},
    {7, 0, TENSOR_INT64, NULL, 0, {0}, "", 0, NULL},
    {1,
     2,
     TENSOR_RAW,
     "\0\0\0\0",
     4,
     {0},
     NULL,
     0,
     "raw_data has 4 bytes, its shape f32[2] needs 8"},
    {1,
     1,
     TENSOR_RAW,
     "\0\0\0\0\0",
     5,
     {0},
     NULL,
     0,
     "raw_data has 5 bytes, its shape f32[1] needs 4"},
    {6,
     3,
     TENSOR_INT32,
     NULL,
     2,
     {1, 2},
     NULL,
     0,
     "int32_data has 2 elements, its shape i32[3] needs 3"},
    {22,
     5,
     TENSOR_INT32,
     NULL,
     2,
     {1, 2},
     NULL,
     0,
     "int32_data has 2 elements, its shape i4[5] needs 3"},
    {7,
     1,
     TENSOR_INT64,
     NULL,
     0,
     {0},
     NULL,
     0,
     "its data has 0 elements, its shape i64[1] needs 1"},
    {3, 1, TENSOR_INT32, NULL, 1, {128}, NULL, 0, "int32_data holds a value that is no i8"},
    {2, 1, TENSOR_INT32, NULL, 1, {-1}, NULL, 0, "int32_data holds a value that is no u8"},
    {12,
     1,
     TENSOR_UINT64,
     NULL,
     1,
     {4294967296},
     NULL,
     0,
     "uint64_data holds a value that is no u32"},
    {1,
     1,
     TENSOR_INT32,
     NULL,
     1,
     {1},
     NULL,
     0,
     "stand in int32_data, those of type f32 belong in float_data"},
    {10,
     1,
     TENSOR_RAW,
     "\0\0",
     2,
     {0},
     NULL,
     0,
     "initializer 'w': type float16 is not supported"},
    {8,
     1,
     TENSOR_RAW,
     "\0\0",
     2,
     {0},
     NULL,
     0,
     "initializer 'w': type string is not supported"},
    {0,
     1,
     TENSOR_RAW,
     "\0\0",
     2,
     {0},
     NULL,
     0,
     "initializer 'w': type undefined is not supported"},
    {99, 1, TENSOR_RAW, "\0\0", 2, {0}, NULL, 0, "type ? (code 99) is not supported"},
    {1, -3, TENSOR_RAW, "\0\0", 2, {0}, NULL, 0, "dimension 0 is negative (-3)"},
    {1, INT64_MAX / 2, TENSOR_RAW, "\0\0", 2, {0}, NULL, 0, "is too large"},
};

static void put_form(struct str *tensor, const struct form *f) {
    put_int(tensor, TENSOR_DIMS, f->dim);
    put_int(tensor, TENSOR_TYPE, f->type);
    if (f->bytes) {
        put_bytes(tensor, f->field, f->bytes, f->len);
        return;
    }
    struct str packed = {0};
    for (size_t k = 0; k < f->len; k++)
        put_varint(&packed, (uint64_t)f->ints[k]);
    if (f->len)
        put_message(tensor, f->field, &packed);
}

START_TEST(test_storage_form) {
    const struct form *f = &forms[_i];
    struct str tensor = {0}, model = {0};
    put_form(&tensor, f);
    put_tensor_model(&model, &tensor);
    if (f->message) {
        check_refused(&model, f->message);
        return;
    }
    struct bench b;
    bench_start(&b);
    struct graph *g = read_at(&b, "model.onnx", &model);
    ck_assert_msg(g != NULL, "%s", str_cstr(&b.messages));
    ck_assert_int_eq(g->outputs.data[0]->bytes, (int64_t)f->expected_len);
    ck_assert_mem_eq(g->outputs.data[0]->data, f->expected, f->expected_len);
    graph_free(g);
    bench_end(&b);
    str_free(&model);
}
END_TEST

START_TEST(test_raw_data_is_not_copied) {
    struct str tensor = {0}, model = {0};
    put_form(&tensor, &forms[0]);
    put_tensor_model(&model, &tensor);
    struct bench b;
    bench_start(&b);
    struct graph *g = read_at(&b, "model.onnx", &model);
    const char *data = g->outputs.data[0]->data;
    ck_assert(data > model.data && data < model.data + model.len);
    graph_free(g);
    bench_end(&b);
    str_free(&model);
}
END_TEST

START_TEST(test_data_in_two_places) {
    struct str tensor = {0}, model = {0};
    put_form(&tensor, &forms[0]);
    put_bytes(&tensor, TENSOR_FLOAT, "\0\0\0\0\0\0\0\0", 8);
    put_tensor_model(&model, &tensor);
    check_refused(&model, "has its data twice: in raw_data and in a typed field");
}
END_TEST

START_TEST(test_rank_limit) {
    struct str tensor = {0}, model = {0};
    for (int k = 0; k <= GRAPH_MAX_RANK; k++)
        put_int(&tensor, TENSOR_DIMS, 1);
    put_int(&tensor, TENSOR_TYPE, 1);
    put_bytes(&tensor, TENSOR_RAW, "\0\0\0\0", 4);
    put_tensor_model(&model, &tensor);
    check_refused(&model, "has rank 33, at most 32 is supported");
}
END_TEST

/* ---- files ---- */

/* A folder with files w.bin (16 bytes 0 … 15), sub/w.bin (the same), link -> w.bin and up ->
 * sub. */
static void make_folder(char *path) {
    char bytes[16];
    for (int k = 0; k < 16; k++)
        bytes[k] = (char)k;
    strcpy(path, "/tmp/nncc-frontend-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
    ck_assert_int_eq(chdir(path), 0);
    ck_assert_int_eq(mkdir("sub", 0700), 0);
    ck_assert(file_write("w.bin", bytes, 16) && file_write("sub/w.bin", bytes, 16));
    ck_assert(symlink("w.bin", "link") == 0 && symlink("sub", "up") == 0);
}

static void remove_folder(const char *path) {
    const char *const names[] = {"link", "up", "w.bin", "sub/w.bin"};
    for (int k = 0; k < 4; k++)
        ck_assert_int_eq(unlink(names[k]), 0);
    ck_assert_int_eq(rmdir("sub"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(path), 0);
}

static void put_entry(struct str *tensor, const char *key, const char *value) {
    struct str entry = {0};
    put_text(&entry, ENTRY_KEY, key);
    put_text(&entry, ENTRY_VALUE, value);
    put_message(tensor, TENSOR_EXTERNAL, &entry);
}

static const struct {
    const char *location, *offset, *length;
    int first; // byte read, or
    const char *message;
} regions[] = {
    {"w.bin", NULL, NULL, 0, NULL},
    {"./w.bin", "4", "8", 4, NULL},
    {"sub/w.bin", "8", NULL, 8, NULL},
    {"sub//w.bin", "8", NULL, 8, NULL},
    {"w.bin", "12", NULL, 0, "offset 12 and 8 bytes reach beyond the file's 16"},
    {"w.bin", "9223372036854775807", NULL, 0, "reach beyond"},
    {"w.bin", "9223372036854775808", NULL, 0, "offset is not a number"},
    {"w.bin", "-8", NULL, 0, "offset is not a number"},
    {"w.bin", "", NULL, 0, "offset is not a number"},
    {"w.bin", "0", "4", 0, "external data 'w.bin' has 4 bytes, its shape needs 8"},
    {"none.bin", NULL, NULL, 0, "'none.bin': No such file"},
    {"sub", NULL, NULL, 0, "'sub': not a regular file"},
    {"sub/", NULL, NULL, 0, "not a regular file"},
    {"/etc/passwd", NULL, NULL, 0, "the path is absolute"},
    {"../w.bin", NULL, NULL, 0, "the path leaves the model's folder"},
    {"sub/../w.bin", NULL, NULL, 0, "the path leaves the model's folder"},
    {"link", NULL, NULL, 0, "goes through a symbolic link"},
    {"up/w.bin", NULL, NULL, 0, "goes through a symbolic link"},
    {"", NULL, NULL, 0, "no location is given"},
};

START_TEST(test_external_data) {
    char folder[64], path[96];
    struct str tensor = {0}, model = {0};
    struct bench b;
    make_folder(folder);
    snprintf(path, sizeof path, _i % 2 ? "%s/model.onnx" : "model.onnx", folder);
    put_int(&tensor, TENSOR_DIMS, 8);
    put_int(&tensor, TENSOR_TYPE, 2);
    put_int(&tensor, TENSOR_LOCATION, 1);
    put_entry(&tensor, "location", regions[_i].location);
    put_entry(&tensor, "checksum", "0");
    if (regions[_i].offset)
        put_entry(&tensor, "offset", regions[_i].offset);
    if (regions[_i].length)
        put_entry(&tensor, "length", regions[_i].length);
    put_tensor_model(&model, &tensor);
    bench_start(&b);
    struct graph *g = read_at(&b, path, &model);
    remove_folder(folder);
    if (regions[_i].message) {
        ck_assert_msg(!g && strstr(str_cstr(&b.messages), regions[_i].message), "%s",
                      str_cstr(&b.messages));
    } else {
        ck_assert_msg(g != NULL, "%s", str_cstr(&b.messages));
        ck_assert_int_eq(((const char *)g->outputs.data[0]->data)[0], regions[_i].first);
    }
    graph_free(g);
    bench_end(&b);
    str_free(&model);
}
END_TEST

START_TEST(test_tensor_file) {
    char folder[64];
    struct str tensor = {0};
    struct bench b;
    enum dtype t;
    struct shape shape;
    const void *data;
    int64_t bytes;
    make_folder(folder);
    bench_start(&b);
    put_form(&tensor, &forms[0]);
    ck_assert(file_write("sub/w.bin", tensor.data, tensor.len));
    ck_assert(tensor_from_file("sub/w.bin", &b.arena, &t, &shape, &data, &bytes, &b.diag));
    ck_assert(t == DTYPE_F32 && shape.rank == 1 && shape.dims[0] == 2 && bytes == 8);
    ck_assert_mem_eq(data, forms[0].expected, 8);
    ck_assert(!tensor_from_file("none", &b.arena, &t, &shape, &data, &bytes, &b.diag));
    ck_assert_str_eq(str_cstr(&b.messages), "none: error: No such file or directory\n");
    ck_assert(!tensor_from_file("w.bin", &b.arena, &t, &shape, &data, &bytes, &b.diag));
    ck_assert_int_eq(b.diag.errors, 2);
    remove_folder(folder);
    str_free(&tensor);
    bench_end(&b);
}
END_TEST

START_TEST(test_file_map) {
    char folder[64];
    make_folder(folder);
    struct mapped_file m = file_map("w.bin");
    ck_assert(m.len == 16 && ((const char *)m.data)[15] == 15);
    file_unmap(m);
    ck_assert(file_write("w.bin", "", 0));
    m = file_map("w.bin");
    ck_assert(m.len == 0 && m.data);
    file_unmap(m);
    ck_assert(!file_map("none").data && errno == ENOENT);
    ck_assert(!file_map("sub").data && errno == EISDIR);
    remove_folder(folder);
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("frontend");
    TCase *wire = tcase_create("wire"), *weights = tcase_create("weights"),
          *files = tcase_create("files");
    tcase_set_timeout(wire, 60);
    tcase_add_test(wire, test_every_truncation_is_an_error_or_a_model);
    tcase_add_test(wire, test_every_changed_byte_is_an_error_or_a_model);
    tcase_add_test(wire, test_truncation_names_the_field);
    tcase_add_test(wire, test_deep_nesting);
    tcase_add_test(wire, test_empty_messages_do_not_fill_memory);
    tcase_add_test(wire, test_many_values_in_one_byte_each_are_no_trouble);
    tcase_add_loop_test(wire, test_bad_fields, 0,
                        (int)(sizeof bad_fields / sizeof *bad_fields));
    tcase_add_test(wire, test_unknown_fields_are_left_out);
    tcase_add_loop_test(weights, test_storage_form, 0, (int)(sizeof forms / sizeof *forms));
    tcase_add_test(weights, test_raw_data_is_not_copied);
    tcase_add_test(weights, test_data_in_two_places);
    tcase_add_test(weights, test_rank_limit);
    tcase_add_loop_test(files, test_external_data, 0, (int)(sizeof regions / sizeof *regions));
    tcase_add_test(files, test_tensor_file);
    tcase_add_test(files, test_file_map);
    suite_add_tcase(s, wire);
    suite_add_tcase(s, weights);
    suite_add_tcase(s, files);
    return s;
}

int main(void) {
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
