/* passes/rules.def: every rule matches its example, and both sides, interpreted on random
 * inputs, agree: to the bit where the rule says EXACT, else within a few roundings. The example
 * is `x f32[2,3]` (an input), `w = f32[3]` (a random constant), `v = +f32[3]` (a positive one),
 * `c = f32[]{1.0}`, then the left side with attributes, or nothing: then the left side of the
 * rule itself. */
#include "codegen/codegen.h"
#include "ir/constant.h"
#include "ir/interp.h"
#include "ir/op.h"
#include "ir/text.h"
#include "passes/template.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

struct fixture {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
    struct compile compile;
    uint64_t random;
};

static void start(struct fixture *f) {
    *f = (struct fixture){.names = {.arena = &f->arena}, .diag = {.sink = &f->messages}};
    f->compile =
        (struct compile){.diag = &f->diag, .names = &f->names, .target = target_find("scalar")};
    f->random = 88172645463325252u;
}

static void finish(struct fixture *f) {
    intern_free(&f->names);
    arena_free(&f->arena);
    str_free(&f->messages);
}

/* ---- random values ---- */

static double uniform(struct fixture *f, double lo, double hi) {
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return lo + (hi - lo) * (double)(f->random >> 11) / 9007199254740992.0;
}

static void *random_data(struct fixture *f, enum dtype t, int64_t n, bool positive) {
    int64_t bytes = 0;
    ck_assert(dtype_bytes(t, n, &bytes));
    void *data = arena_alloc(&f->arena, (size_t)bytes);
    for (int64_t k = 0; k < n; k++) {
        union scalar v = {.f = uniform(f, positive ? 0.25 : -2, 2)};
        if (!dtype_is_float(t))
            v.i = (int64_t)uniform(f, dtype_info(t)->kind == KIND_INT ? -9 : 0,
                                   t == DTYPE_BOOL ? 2 : 9);
        dtype_store(t, data, k, v);
    }
    return data;
}

/* ---- examples ---- */

static void read_shape(struct text *in, enum dtype *t, struct shape *s, int64_t *dims) {
    const char *name = text_name(in);
    ck_assert_ptr_nonnull(name);
    *t = dtype_from_text(name, strlen(name));
    *s = (struct shape){0, dims};
    ck_assert(*t != DTYPE_NONE && text_expect(in, "["));
    while (!text_is(in, "]")) {
        ck_assert(text_int(in, &dims[s->rank++]));
        ck_assert(text_is(in, "]") || text_expect(in, ","));
    }
    text_expect(in, "]");
}

/* One declaration; a constant or an input bound in the template. */
static void declare(struct fixture *f, struct text *in, struct template *t) {
    struct graph *g = t->graph;
    struct shape s;
    enum dtype dtype;
    int64_t dims[8], n;
    const char *name = text_name(in);
    bool constant = text_accept(in, "="), positive = text_accept(in, "+");
    read_shape(in, &dtype, &s, dims);
    struct value *v = graph_add_value(g, name, dtype, s.rank, s.dims);
    ck_assert(size_product(dims, s.rank, &n));
    if (!constant)
        vec_push(g->arena, &g->inputs, v);
    else if (text_is(in, "{"))
        graph_make_constant(g, v, constant_read(in, dtype, n, NULL));
    else
        graph_make_constant(g, v, random_data(f, dtype, n, positive));
    template_bind(t, name, v);
}

/* Is the text at p a declaration (`x f32`, `w = …`) rather than a call? */
static bool is_declaration(const struct text *in) {
    return in->tok.kind == TOK_NAME && in->p < in->end && *in->p == ' ';
}

/* The left side of a rule as text that a template can make: without the arrow. */
static size_t left_side(const char *text) {
    return (size_t)(strstr(text, " => ") - text);
}

/* A graph of the example whose one output is the left side. */
static struct graph *instantiate(struct fixture *f, const struct rule_info *rule) {
    struct graph *g = graph_new(&f->names, "example");
    struct template t = {.compile = &f->compile, .graph = g, .loc = {.node = "left"}};
    struct text in;
    text_init(&in, &f->diag, g->arena, &f->names, "example", rule->example,
              strlen(rule->example));
    while (is_declaration(&in)) {
        declare(f, &in, &t);
        text_accept(&in, ";");
    }
    ck_assert_msg(!in.failed, "%s: %s", rule->example, str_cstr(&f->messages));
    bool ok;
    if (in.tok.kind == TOK_END) {
        ok = template_run(&t, rule->text, left_side(rule->text));
    } else {
        const char *call = in.p - strlen(in.tok.text);
        ok = template_run(&t, call, strlen(call));
    }
    ck_assert_msg(ok, "%s: %s", rule->example, str_cstr(&f->messages));
    vec_push(g->arena, &g->outputs, template_value(&t, ""));
    vec_push(g->arena, &g->output_names, "y");
    return g;
}

/* ---- running ---- */

/* Interprets the graph; the bytes of its one output. */
static void *interpret(struct fixture *f, struct graph *g, void *const *inputs, int64_t bytes) {
    ck_assert_msg(graph_check(g, true, &f->diag), "%s", str_cstr(&f->messages));
    ck_assert(pass_expand(&f->compile, g));
    struct loops *loops = loops_from_graph(&f->compile, g);
    ck_assert_msg(loops != NULL, "%s", str_cstr(&f->messages));
    struct ast *ast = ast_from_loops(&f->compile, loops);
    void **data = arena_array(&f->arena, void *, ast->buffers.len), *out = NULL;
    int input = 0;
    for (int b = 0; b < ast->buffers.len; b++) {
        if (ast->buffers.data[b].kind == BUFFER_INPUT)
            data[b] = inputs[input++];
        else if (ast->buffers.data[b].kind == BUFFER_OUTPUT)
            data[b] = out = arena_alloc(&f->arena, (size_t)bytes);
    }
    ck_assert_int_eq(interp_run(ast, data, NULL), 0);
    ast_free(ast);
    loops_free(loops);
    return out;
}

/* Largest difference, relative to the largest value. */
static double difference(enum dtype t, const void *a, const void *b, int64_t n) {
    double worst = 0, largest = 1e-30;
    for (int64_t k = 0; k < n; k++) {
        double x = dtype_convert(DTYPE_F64, t, dtype_load(t, a, k)).f;
        double y = dtype_convert(DTYPE_F64, t, dtype_load(t, b, k)).f;
        worst = fmax(worst, fabs(x - y));
        largest = fmax(largest, fabs(x));
    }
    return worst / largest;
}

START_TEST(both_sides_agree) {
    int num;
    const struct rule_info *rule = &rule_list(&num)[_i];
    struct fixture f;
    start(&f);
    struct graph *left = instantiate(&f, rule);
    f.random = 88172645463325252u; // the same constants
    struct graph *right = instantiate(&f, rule);
    ck_assert_msg(rewrite_with(&f.compile, right, _i, _i + 1) > 0, "%s does not match %s",
                  rule->text, rule->example);
    const struct value *y = left->outputs.data[0];
    int64_t bytes = 0, n = value_elements(y);
    ck_assert_int_gt(n, 1);
    ck_assert(dtype_bytes(y->dtype, n, &bytes));
    void *inputs[8];
    for (int k = 0; k < left->inputs.len; k++) {
        const struct value *x = left->inputs.data[k];
        inputs[k] = random_data(&f, x->dtype, value_elements(x), false);
    }
    void *a = interpret(&f, left, inputs, bytes), *b = interpret(&f, right, inputs, bytes);
    if (rule->exact)
        ck_assert_msg(memcmp(a, b, (size_t)bytes) == 0, "%s: not the same bits", rule->text);
    ck_assert_msg(difference(y->dtype, a, b, n) <= 2e-6, "%s: differ by %g", rule->text,
                  difference(y->dtype, a, b, n));
    graph_free(left);
    graph_free(right);
    finish(&f);
}
END_TEST

START_TEST(strict_keeps_the_bits) {
    int num;
    const struct rule_info *rule = &rule_list(&num)[_i];
    struct fixture f;
    start(&f);
    f.compile.strict = true;
    struct graph *g = instantiate(&f, rule);
    int applied = rewrite_with(&f.compile, g, _i, _i + 1);
    ck_assert_msg((applied > 0) == rule->exact, "%s under --strict", rule->text);
    graph_free(g);
    finish(&f);
}
END_TEST

int main(void) {
    int num;
    rule_list(&num);
    Suite *s = suite_create("rules");
    TCase *t = tcase_create("rules");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, both_sides_agree, 0, num);
    tcase_add_loop_test(t, strict_keeps_the_bits, 0, num);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
