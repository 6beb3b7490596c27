/* ir/op.c: the columns of operator rows, and what nodes that do not fit them are told. */
#include "ir/op.h"

#include <check.h>
#include <stdlib.h>

struct fixture {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
};

static void start(struct fixture *f) {
    *f = (struct fixture){.names = {.arena = &f->arena}, .diag = {.sink = &f->messages}};
}

static void finish(struct fixture *f) {
    intern_free(&f->names);
    arena_free(&f->arena);
    str_free(&f->messages);
}

/* ---- columns ---- */

static const struct op sample = {
    .name = "Sample",
    .domain = "",
    .signature = "X:T, W:T, index:i64, B:U?, more:T... -> Y:T, Z:U?",
    .types = "T=float|i8 U=bool|low",
    .attrs = "alpha:float=0.1 axis:int=-1 pads:ints? to:int mode:string=near list:ints=[1,-2] "
             "scales:floats=[0.5] names:strings=[a,b] value:tensor? body:graph?",
};

static void list_params(struct str *s, const struct op *op, bool results, int n) {
    struct op_param p;
    for (int k = 0; k < n && (results ? op_result : op_operand)(op, k, &p); k++)
        str_addf(s, "%.*s:%.*s%s%s ", p.len, p.name, p.type_len, p.type, p.optional ? "?" : "",
                 p.variadic ? "..." : "");
}

START_TEST(signatures) {
    struct str s = {0};
    list_params(&s, &sample, false, 6);
    str_add(&s, "-> ");
    list_params(&s, &sample, true, 6);
    ck_assert_str_eq(str_cstr(&s), "X:T W:T index:i64 B:U? more:T... more:T... -> Y:T Z:U? ");
    ck_assert_int_eq(op_min_operands(&sample), 5);
    str_free(&s);
}
END_TEST

static const struct {
    const char *types, *variable, *allowed;
} choices[] = {
    {"T=float", "T", "f32, f64"},
    {"T=int", "T", "i8, i16, i32, i64"},
    {"T=uint", "T", "u8, u16, u32, u64"},
    {"T=float|bool U=i8", "T", "f32, f64, bool"},
    {"T=float|bool U=i8", "U", "i8"},
    {"T=num", "T", "f32, f64, i8, i16, i32, i64, u8, u16, u32, u64"},
    {"T=low", "T", "i4, u4, i2, u2"},
    {"T1=i8 T=f32", "T", "f32"},
    {"T=any", "i64", "i64"},
    {"T=all", "T", "f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, bool, i4, u4, i2, u2"},
};

START_TEST(type_constraints) {
    struct op op = {.name = "X", .types = choices[_i].types};
    struct str s = {0};
    op_type_print(&s, &op, choices[_i].variable, (int)strlen(choices[_i].variable));
    ck_assert_str_eq(str_cstr(&s), choices[_i].allowed);
    str_free(&s);
}
END_TEST

START_TEST(attribute_defaults) {
    struct fixture f;
    start(&f);
    int num;
    const struct attr *a = op_parse_defaults(&sample, &f.arena, &f.names, &num);
    struct str s = {0};
    for (int k = 0; k < num; k++) {
        str_addf(&s, "%s=", a[k].name);
        attr_print(&s, &a[k], NULL);
        str_add(&s, " ");
    }
    ck_assert_str_eq(str_cstr(&s), "alpha=0.1 axis=-1 mode=\"near\" list=[1,-2] scales=[0.5] "
                                   "names=[\"a\",\"b\"] ");
    const char *text;
    int len;
    enum attr_kind kind;
    ck_assert(op_attr_default(&sample, "axis", &text, &len) && len == 2 && text[0] == '-');
    ck_assert(!op_attr_default(&sample, "pads", &text, &len));
    ck_assert(op_attr_kind(&sample, "pads", &kind) && kind == ATTR_INTS);
    ck_assert(op_attr_kind(&sample, "body", &kind) && kind == ATTR_GRAPH);
    ck_assert(!op_attr_kind(&sample, "pad", &kind));
    str_free(&s);
    finish(&f);
}
END_TEST

/* ---- checking ---- */

static const struct {
    const char *node; // over the operands below
    const char *message;
} checks[] = {
    {"%9: ? = Conv(%0, %0)", ""},
    {"%9: ? = Conv(%0, %0, %0) group=2", ""},
    {"%9: ? = Conv(%0, %8)", ""}, // of unknown type: nothing is said
    {"%9: ? = Conv(%0)", "m:n: error: Conv: input 'W' is missing\n"},
    {"%9: ? = Conv(_, %0)", "m:n: error: Conv: input 'X' is missing\n"},
    {"%9: ? = Conv(%0, %0, %0, %0)", "m:n: error: Conv: has 4 inputs, expected at most 3\n"},
    {"%9: ?, %10: ? = Conv(%0, %0)", "m:n: error: Conv: has 2 outputs, expected at most 1\n"},
    {"%9: ? = Conv(%0, %0) foo=1 group=1.5",
     "m:n: error: Conv: attribute 'foo' is not known\n"
     "m:n: error: Conv: attribute 'group' has kind float, expected int\n"},
    {"%9: ? = Conv(%0, %0) group=1 group=1",
     "m:n: error: Conv: attribute 'group' is given twice\n"},
    {"%9: ? = Cast(%0)", "m:n: error: Cast: attribute 'to' is missing\n"},
    {"%9: ? = Conv(%1, %1)", "m:n: error: Conv: input 'X' has type i64, expected f32, f64\n"
                             "m:n: error: Conv: input 'W' has type i64, expected f32, f64\n"},
    {"%9: ? = Conv(%0, %2)",
     "m:n: error: Conv: input 'W' has type f64, expected f32 as input 'X' has\n"},
    {"%9: ? = Concat(%0, %2, %0) axis=0",
     "m:n: error: Concat: input 'inputs[1]' has type f64, expected f32 as input 'inputs[0]' "
     "has\n"},
    {"%9: ? = Concat() axis=0", "m:n: error: Concat: input 'inputs[0]' is missing\n"},
};

START_TEST(nodes_against_rows) {
    struct fixture f;
    start(&f);
    char *text = arena_printf(&f.arena,
                              "graph \"g\" file \"m\"\n"
                              "input %%0: f32[1]\ninput %%1: i64[1]\ninput %%2: f64[1]\n"
                              "%%8: ? = Relu(%%0)\n%s @ \"n\"\n",
                              checks[_i].node);
    struct graph *g = graph_read("t", text, strlen(text), &f.names, NULL, &f.diag);
    ck_assert_msg(g != NULL, "%s", str_cstr(&f.messages));
    ck_assert(op_check(g->last, &f.diag) == (*checks[_i].message == '\0'));
    ck_assert_str_eq(str_cstr(&f.messages), checks[_i].message);
    graph_free(g);
    finish(&f);
}
END_TEST

/* ---- all rows ---- */

/* Every column of every row can be parsed (mistakes there are bugs and end the program), and is
 * complete. */
START_TEST(rows_are_complete) {
    struct fixture f;
    start(&f);
    struct map seen = {0};
    for (const struct op_table *t = op_tables(); t->rows; t++)
        for (const struct op *op = t->rows; op->name; op++) {
            bool added;
            int num;
            struct op_param p;
            const char *domain = op->domain ? op->domain : "";
            map_put(&seen, arena_printf(&f.arena, "%s.%s", domain, op->name), &added);
            ck_assert_msg(added, "%s stands in two rows", op->name);
            ck_assert_ptr_eq(op_find(domain, op->name), op);
            ck_assert_msg((op->expr != NULL) + (op->body != NULL) + (op->lower != NULL) == 1,
                          "%s needs one meaning", op->name);
            ck_assert_msg(op->infer && op->since > 0 && op->doc && op->tests,
                          "%s lacks a column", op->name);
            for (int k = 0; k < 20 && op_operand(op, k, &p); k++)
                for (int d = DTYPE_NONE + 1; d < DTYPE_COUNT; d++)
                    op_type_allows(op, p.type, p.type_len, (enum dtype)d);
            for (int k = 0; k < 20 && op_result(op, k, &p); k++)
                ck_assert_int_gt(p.type_len, 0);
            op_parse_defaults(op, &f.arena, &f.names, &num);
        }
    map_free(&seen);
    finish(&f);
}
END_TEST

START_TEST(the_table_lists_every_row) {
    struct str s = {0};
    op_print_table(&s);
    int lines = 0, rows = 0;
    for (const char *p = str_cstr(&s); *p; p++)
        lines += *p == '\n';
    for (const struct op_table *t = op_tables(); t->rows; t++)
        for (const struct op *op = t->rows; op->name; op++)
            rows++;
    ck_assert_int_eq(lines, rows + 1);
    ck_assert_ptr_nonnull(strstr(str_cstr(&s), "\nnncc.Require "));
    ck_assert_ptr_nonnull(op_find("ai.onnx", "Conv"));
    ck_assert_ptr_nonnull(op_find(NULL, "Conv"));
    ck_assert_ptr_null(op_find("", "Require"));
    ck_assert_ptr_null(op_find("com.example", "Conv"));
    str_free(&s);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

int main(void) {
    Suite *s = suite_create("op");
    TCase *t = tcase_create("op");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, signatures);
    tcase_add_loop_test(t, type_constraints, 0, ROWS(choices));
    tcase_add_test(t, attribute_defaults);
    tcase_add_loop_test(t, nodes_against_rows, 0, ROWS(checks));
    tcase_add_test(t, rows_are_complete);
    tcase_add_test(t, the_table_lists_every_row);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
