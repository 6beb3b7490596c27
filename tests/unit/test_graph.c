/* ir/graph*.c: texts that read back exactly, texts that are refused in one sentence, the
 * verifier, edits. */
#include "ir/constant.h"
#include "ir/graph.h"
#include "ir/op.h"

#include <check.h>
#include <stdlib.h>

struct fixture {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
    struct constant_pool pool;
};

static void start(struct fixture *f) {
    *f = (struct fixture){.names = {.arena = &f->arena}, .diag = {.sink = &f->messages}};
    f->pool.arena = &f->arena;
}

static void finish(struct fixture *f) {
    intern_free(&f->names);
    arena_free(&f->arena);
    str_free(&f->messages);
}

static struct graph *read_text(struct fixture *f, const char *text) {
    return graph_read("t.graph", text, strlen(text), &f->names, &f->pool, &f->diag);
}

static void expect_text(const struct graph *g, const char *text) {
    struct str s = {0};
    graph_print(&s, g, NULL);
    ck_assert_str_eq(str_cstr(&s), text);
    str_free(&s);
}

/* ---- texts that read back exactly ---- */

static const char *const exact[] = {
    "graph \"empty\"\n",
    "graph \"\"\ninput %0: f32[]\noutput %0 \"y\"\n",
    "graph \"g\" file \"a \\\"b\\\".onnx\"\n"
    "input %0: f32[1,4,8,8] \"in\"\n"
    "%1: ? = Relu(%0)\n",
    // declared shapes, unknown types, gaps between the numbers
    "graph \"g\" file \"m.onnx\"\n"
    "input %5: f32[1,16] declared [1,?] \"x\"\n"
    "%9: ? declared [?,16] = Relu(%5) @ \"#0:Relu\"\n"
    "%2: f32? = Relu(%9)\n"
    "%3: ?[2,3] = Relu(%2) @ \"a/b\"\n"
    "output %3\n",
    // constants of all kinds, no elements, several results, absent operands and results
    "graph \"g\"\n"
    "input %0: f32[1,8] \"x\"\n"
    "const %1: i64[2] = {1, -1}\n"
    "const %2: f32[0,3] = {}\n"
    "const %3: bool[] = {true} \"flag\"\n"
    "const %7: f32[1] = {-inf}\n"
    "%4: ?, %5: ? = MaxPool(%0) kernel_shape=[2] storage_order=1 @ \"top\"\n"
    "_, %6: ? = MaxPool(%0) kernel_shape=[]\n"
    "%8: ? = Clip(%0, _, %7)\n"
    "output %4 \"a\"\n"
    "output %4 \"b\"\n",
    // attributes of all kinds
    "graph \"g\"\n"
    "input %0: f32[1,8,8,8]\n"
    "%1: ? = Conv(%0, %0) auto_pad=\"SAME_UPPER\" pads=[1,1,-1,1] strides=[]\n"
    "%2: ? = LeakyRelu(%1) alpha=0.1 \"odd name\"=inff32 \"inf\"=1\n"
    "%3: ? = ConstantOfShape(%2) value=f32[1]{0.5}\n"
    "%4: ? = Relu(%3) floats=[1.0,-0.25,1e+20] names=[\"a\",\"b\"] big=-9223372036854775808\n",
    // subgraphs and captured values; a domain of our own; a node without results
    "graph \"g\" file \"m\"\n"
    "input %0: i64[2]\n"
    "const %1: i64[2] = {1, 2}\n"
    "\"nncc\".Require(%0, %1) @ \"r\"\n"
    "%2: ? = Relu(%0) body={\n"
    "    graph \"then\"\n"
    "    input %3: f32[1]\n"
    "    const %4: f32[1] = {2}\n"
    "    %5: f32[1] = Add(%3, %1) more={\n"
    "        graph \"inner\"\n"
    "        output %4 \"z\"\n"
    "    } axis=1\n"
    "    output %5 \"y\"\n"
    "} @ \"if\"\n"
    "output %2\n",
};

START_TEST(reads_back_exactly) {
    struct fixture f;
    start(&f);
    struct graph *g = read_text(&f, exact[_i]);
    ck_assert_msg(g != NULL, "%s", str_cstr(&f.messages));
    expect_text(g, exact[_i]);
    graph_free(g);
    finish(&f);
}
END_TEST

START_TEST(long_constants_go_to_the_pool) {
    struct fixture f;
    start(&f);
    struct graph *g = graph_new(&f.names, "g");
    float data[40];
    for (int k = 0; k < 40; k++)
        data[k] = (float)k / 3;
    int64_t dims[2] = {4, 10};
    struct value *v = graph_add_constant(g, "w", DTYPE_F32, 2, dims, data);
    vec_push(g->arena, &g->outputs, v);
    vec_push(g->arena, &g->output_names, "y");
    struct str text = {0};
    graph_print(&text, g, &f.pool);
    ck_assert_int_eq(f.pool.entries.len, 1);
    ck_assert_ptr_nonnull(strstr(str_cstr(&text), ":160 \"w\""));
    struct graph *copy = read_text(&f, str_cstr(&text));
    ck_assert_ptr_nonnull(copy);
    ck_assert_mem_eq(copy->constants.data[0]->data, data, sizeof data);
    str_free(&text);
    graph_free(copy);
    graph_free(g);
    finish(&f);
}
END_TEST

/* ---- texts that are refused: the message ---- */

static const struct {
    const char *text, *message;
} refused[] = {
    {"", "t.graph:1: error: expected 'graph', found the end of the text\n"},
    {"graph g", "t.graph:1: error: expected a string, found 'g'\n"},
    {"graph \"g\"\nRelu(%0)", "t.graph:2: error: %0 is not defined here\n"},
    {"graph \"g\"\ninput %0: f32",
     "t.graph:2: error: expected the shape of a value of type f32\n"},
    {"graph \"g\"\ninput %0: f12[1]", "t.graph:2: error: 'f12' is no element type\n"},
    {"graph \"g\"\ninput %0: index[1]", "t.graph:2: error: 'index' is no element type\n"},
    {"graph \"g\"\ninput %00: f32[1]", "t.graph:2: error: '%00' is no value number\n"},
    {"graph \"g\"\ninput %x: f32[1]", "t.graph:2: error: '%x' is no value number\n"},
    {"graph \"g\"\ninput %99999999: f32[1]",
     "t.graph:2: error: '%99999999' is no value number\n"},
    {"graph \"g\"\ninput %0: f32[1]\ninput %0: f32[1]",
     "t.graph:3: error: %0 is defined twice\n"},
    {"graph \"g\"\ninput %0: f32[-1]", "t.graph:2: error: a dimension is negative\n"},
    {"graph \"g\"\ninput %0: f32[?]", "t.graph:2: error: expected an integer, found '?'\n"},
    {"graph \"g\"\ninput %0: f32[4294967296,4294967296]",
     "t.graph:2: error: the shape is too large\n"},
    {"graph \"g\"\nconst %0: ? = {1}",
     "t.graph:2: error: a constant needs a type and a shape\n"},
    {"graph \"g\"\ninput %0: f32[1]\n%1: ? = NoSuch(%0)",
     "t.graph:3: error: operator 'NoSuch' is not known\n"},
    {"graph \"g\"\ninput %0: f32[1]\n%1: ? = \"a.b\".Relu(%0)",
     "t.graph:3: error: operator 'a.b.Relu' is not known\n"},
    {"graph \"g\"\ninput %0: f32[1]\n%1: ? = Relu(%1)",
     "" /* reads: definition and use in one line are the verifier's business */},
    {"graph \"g\"\ninput %0: f32[1]\n%1: ? = Relu(%0) pads=[1,\"a\"]",
     "t.graph:3: error: numbers and strings in one list\n"},
    {"graph \"g\"\noutput _", "t.graph:2: error: an output is a value\n"},
    {"graph \"g\"\n}", "t.graph:2: error: expected the end of the graph, found '}'\n"},
    {"graph \"g\"\ninput %0: f32[1]\n%1: ? = Relu(%0) b={\ngraph \"i\"\n%2: ? = Relu(%0)\n}\n"
     "%3: ? = Relu(%2)",
     "t.graph:7: error: %2 is not defined here\n"},
};

START_TEST(refuses_in_one_sentence) {
    struct fixture f;
    start(&f);
    struct graph *g = read_text(&f, refused[_i].text);
    ck_assert_str_eq(str_cstr(&f.messages), refused[_i].message);
    ck_assert_int_eq(f.diag.errors, *refused[_i].message != '\0');
    ck_assert(!g == (f.diag.errors > 0));
    graph_free(g);
    finish(&f);
}
END_TEST

START_TEST(bounds_nesting_and_rank) {
    struct fixture f;
    start(&f);
    struct str deep = {0}, wide = {0};
    str_add(&deep, "graph \"g\"\n");
    for (int k = 0; k < 100000; k++)
        str_add(&deep, "Relu() b={graph \"i\"\n");
    ck_assert_ptr_null(read_text(&f, str_cstr(&deep)));
    str_add(&wide, "graph \"g\"\ninput %0: f32[1");
    for (int k = 0; k < 100; k++)
        str_add(&wide, ",1");
    str_add(&wide, "]");
    ck_assert_ptr_null(read_text(&f, str_cstr(&wide)));
    ck_assert_int_eq(f.diag.errors, 2);
    ck_assert_ptr_nonnull(strstr(str_cstr(&f.messages), "nested more than"));
    ck_assert_ptr_nonnull(strstr(str_cstr(&f.messages), "at most 32 dimensions"));
    str_free(&deep);
    str_free(&wide);
    finish(&f);
}
END_TEST

/* ---- the verifier ---- */

static const struct {
    const char *text;
    bool typed;
    const char *message; // part of it; "": the graph is right
} checked[] = {
    {"graph \"g\"\ninput %0: f32[2]\n%1: f32[2] = Relu(%0)\noutput %1 \"y\"\n", true, ""},
    {"graph \"g\"\ninput %0: f32[2]\n%1: ? = Relu(%0)\noutput %1 \"y\"\n", false, ""},
    {"graph \"g\"\ninput %0: f32[2]\n%1: ? = Relu(%0)\noutput %1 \"y\"\n", true,
     "%1 has no known type and shape"},
    {"graph \"g\"\n%1: f32[2] = Relu(%1)\noutput %1 \"y\"\n", true,
     "%1 is used before its definition or outside its graph"},
    {"graph \"g\"\ninput %0: f32[2]\n%1: f32[2] = Relu(%0) x=1 @ \"n\"\n", true,
     "error: Relu: attribute 'x' is not known"},
};

START_TEST(verifies) {
    struct fixture f;
    start(&f);
    struct graph *g = read_text(&f, checked[_i].text);
    ck_assert_msg(g != NULL, "%s", str_cstr(&f.messages));
    bool right = *checked[_i].message == '\0';
    ck_assert(graph_check(g, checked[_i].typed, &f.diag) == right);
    ck_assert_ptr_nonnull(strstr(str_cstr(&f.messages), checked[_i].message));
    graph_free(g);
    finish(&f);
}
END_TEST

/* ---- edits ---- */

static const char diamond[] = "graph \"g\"\n"
                              "input %7: f32[2] \"x\"\n"
                              "const %3: f32[2] = {1, 2}\n"
                              "%5: f32[2] = Add(%7, %3)\n"
                              "%4: f32[2] = Mul(%5, %5)\n"
                              "output %4 \"y\"\n"
                              "output %5 \"z\"\n";

START_TEST(counts_uses_and_renumbers) {
    struct fixture f;
    start(&f);
    struct graph *g = read_text(&f, diamond);
    graph_count_uses(g);
    ck_assert_int_eq(g->inputs.data[0]->num_uses, 1);
    ck_assert_int_eq(g->first->out[0]->num_uses, 3);
    ck_assert_int_eq(g->last->out[0]->num_uses, 1);
    graph_renumber(g);
    ck_assert_int_eq(g->next_id, 4);
    expect_text(g, "graph \"g\"\n"
                   "input %0: f32[2] \"x\"\n"
                   "const %1: f32[2] = {1, 2}\n"
                   "%2: f32[2] = Add(%0, %1)\n"
                   "%3: f32[2] = Mul(%2, %2)\n"
                   "output %3 \"y\"\n"
                   "output %2 \"z\"\n");
    ck_assert(graph_check(g, true, &f.diag));
    graph_free(g);
    finish(&f);
}
END_TEST

START_TEST(replaces_and_removes) {
    struct fixture f;
    start(&f);
    struct graph *g = read_text(&f, diamond);
    graph_replace_value(g, g->first->out[0], g->inputs.data[0]);
    graph_remove_node(g, g->first);
    expect_text(g, "graph \"g\"\n"
                   "input %7: f32[2] \"x\"\n"
                   "const %3: f32[2] = {1, 2}\n"
                   "%4: f32[2] = Mul(%7, %7)\n"
                   "output %4 \"y\"\n"
                   "output %7 \"z\"\n");
    static const float six[2] = {6, 6};
    struct node *mul = g->first;
    graph_make_constant(g, mul->out[0], six);
    ck_assert_ptr_null(mul->out[0]);
    graph_remove_node(g, mul);
    expect_text(g, "graph \"g\"\n"
                   "input %7: f32[2] \"x\"\n"
                   "const %3: f32[2] = {1, 2}\n"
                   "const %4: f32[2] = {6, 6}\n"
                   "output %4 \"y\"\n"
                   "output %7 \"z\"\n");
    ck_assert(graph_check(g, true, &f.diag));
    graph_free(g);
    finish(&f);
}
END_TEST

START_TEST(nodes_go_where_they_should) {
    struct fixture f;
    start(&f);
    struct graph *g = read_text(&f, diamond);
    struct value *in[1] = {g->inputs.data[0]}, *out[1];
    int64_t dims[1] = {2};
    for (int k = 0; k < 2; k++) { // before the first node, at the end
        out[0] = graph_add_value(g, NULL, DTYPE_F32, 1, dims);
        graph_add_node(g, k ? NULL : g->first, op_find("", "Relu"), in, 1, out, 1, NULL, 0,
                       (struct loc){.node = k ? "last" : "first"});
        in[0] = out[0];
    }
    ck_assert_int_eq(out[0]->id, 9);
    expect_text(g, "graph \"g\"\n"
                   "input %7: f32[2] \"x\"\n"
                   "const %3: f32[2] = {1, 2}\n"
                   "%8: f32[2] = Relu(%7) @ \"first\"\n"
                   "%5: f32[2] = Add(%7, %3)\n"
                   "%4: f32[2] = Mul(%5, %5)\n"
                   "%9: f32[2] = Relu(%8) @ \"last\"\n"
                   "output %4 \"y\"\n"
                   "output %5 \"z\"\n");
    graph_free(g);
    finish(&f);
}
END_TEST

START_TEST(attributes_have_defaults) {
    struct fixture f;
    start(&f);
    struct graph *g = read_text(&f, "graph \"g\"\ninput %0: f32[2]\n"
                                    "%1: ? = Conv(%0, %0) strides=[2,3]\n"
                                    "%2: ? = LeakyRelu(%0)\n"
                                    "%3: ? = LeakyRelu(%0) alpha=2.0\n");
    const struct node *conv = g->first, *leaky = conv->next;
    int len;
    ck_assert_str_eq(node_string(conv, "auto_pad"), "NOTSET");
    ck_assert_int_eq(node_int(conv, "group"), 1);
    ck_assert_int_eq(node_ints(conv, "strides", &len)[1], 3);
    ck_assert_int_eq(len, 2);
    ck_assert_ptr_null(node_ints(conv, "dilations", &len));
    ck_assert_int_eq(len, 0);
    ck_assert_ptr_null(node_attr(conv, "group"));
    ck_assert_ptr_nonnull(node_attr_or_default(conv, "group"));
    ck_assert(node_float(leaky, "alpha") == (double)0.01f);
    ck_assert(node_float(leaky->next, "alpha") == 2.0);
    ck_assert(node_has_in(conv, 1) && !node_has_in(conv, 2) && node_has_out(conv, 0));
    graph_free(g);
    finish(&f);
}
END_TEST

START_TEST(integers_of_constants) {
    struct fixture f;
    start(&f);
    struct graph *g = read_text(&f, "graph \"g\"\n"
                                    "const %0: i8[3] = {-1, 2, 127}\n"
                                    "const %1: bool[2] = {true, false}\n"
                                    "const %2: f32[1] = {1.0}\n"
                                    "const %3: i64[0] = {}\n");
    int len;
    const int64_t *v = value_ints(&f.arena, g->constants.data[0], &len);
    ck_assert(len == 3 && v[0] == -1 && v[1] == 2 && v[2] == 127);
    v = value_ints(&f.arena, g->constants.data[1], &len);
    ck_assert(len == 2 && v[0] == 1 && v[1] == 0);
    ck_assert_ptr_null(value_ints(&f.arena, g->constants.data[2], &len));
    ck_assert_ptr_nonnull(value_ints(&f.arena, g->constants.data[3], &len));
    ck_assert_int_eq(len, 0);
    graph_free(g);
    finish(&f);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

int main(void) {
    Suite *s = suite_create("graph");
    TCase *t = tcase_create("graph");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, reads_back_exactly, 0, ROWS(exact));
    tcase_add_test(t, long_constants_go_to_the_pool);
    tcase_add_loop_test(t, refuses_in_one_sentence, 0, ROWS(refused));
    tcase_add_test(t, bounds_nesting_and_rank);
    tcase_add_loop_test(t, verifies, 0, ROWS(checked));
    tcase_add_test(t, counts_uses_and_renumbers);
    tcase_add_test(t, replaces_and_removes);
    tcase_add_test(t, nodes_go_where_they_should);
    tcase_add_test(t, attributes_have_defaults);
    tcase_add_test(t, integers_of_constants);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
