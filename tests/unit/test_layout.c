/* Layouts: which dimension of an array becomes contiguous, and what must not move; constants
 * packed so that every element is where its address says; and the program computes the same
 * with them as without. */
#include "ir/plain.h"
#include "polyhedral/poly.h"
#include "tests/unit/poly_bench.h"
#include "tests/unit/poly_machines.h"
#include "tests/unit/poly_run.h"

struct fixture {
    struct bench b;
    struct loops *loops;
    struct ast *naive; // made before layouts were
    const void **data; // [arrays] of constants, before
    struct poly *poly;
};

static void start(struct fixture *f, const char *text, const struct target *target,
                  bool strict) {
    memset(f, 0, sizeof *f);
    bench_start(&f->b);
    f->loops = bench_loops(&f->b, text);
    f->naive = ast_from_loops(&f->b.compile, f->loops);
    f->data = arena_array(&f->b.arena, const void *, f->loops->arrays.len);
    for (int k = 0; k < f->loops->arrays.len; k++)
        f->data[k] = f->loops->arrays.data[k].data;
    f->poly = poly_import(f->loops, &f->b.diag);
    ck_assert_msg(poly_bounds(f->poly) && poly_depend(f->poly), "%s\n%s",
                  str_cstr(&f->b.messages), text);
    poly_target(f->poly, target);
    poly_layout(f->poly, strict);
    ck_assert_msg(loops_check(f->loops, &f->b.diag), "%s", str_cstr(&f->b.messages));
}

static void finish(struct fixture *f) {
    poly_free(f->poly);
    ast_free(f->naive);
    loops_free(f->loops);
    bench_end(&f->b);
}

/* ---- what is packed ---- */

/* Linear address of the element, by the one function that reads and writes use. */
static int64_t address_of(struct plain *n, int array, const int64_t *at) {
    const struct array *a = &n->l->arrays.data[array];
    const struct expr **index = arena_array(&n->scratch, const struct expr *, a->rank);
    int64_t address = -1;
    for (int d = 0; d < a->rank; d++)
        index[d] = expr_index(n->a->arena, at[d]);
    ck_assert(expr_as_int(plain_address(n, array, index), &address));
    return address;
}

/* The next index in row-major order; false after the last. */
static bool next_index(const struct loops *l, const struct array *a, int64_t *at) {
    for (int d = a->rank - 1; d >= 0; d--) {
        if (++at[d] < loops_extent(l, a->extent[d]))
            return true;
        at[d] = 0;
    }
    return false;
}

/* Every element of the constant is where it was in row-major order, and the rest is 0. */
static void check_packed(const struct fixture *f, int array) {
    const struct array *a = &f->loops->arrays.data[array];
    struct arena arena = {0};
    struct plain n;
    int64_t elements = loops_elements(f->loops, array), element = 0;
    size_t bytes = (size_t)dtype_info(a->dtype)->bits / 8;
    const char *now = a->data, *before = f->data[array];
    int64_t *at = arena_array(&arena, int64_t, a->rank);
    bool *seen = arena_array(&arena, bool, elements);
    ck_assert_int_eq(a->bytes, elements * (int64_t)bytes);
    plain_start(&n, (struct intern *)&f->b.names, f->loops);
    do {
        int64_t k = address_of(&n, array, at);
        ck_assert_msg(k >= 0 && k < elements && !seen[k], "%s: %lld", a->name, (long long)k);
        seen[k] = true;
        ck_assert_msg(
            memcmp(now + (size_t)k * bytes, before + (size_t)element * bytes, bytes) == 0,
            "%s: element %lld", a->name, (long long)element);
        element++;
    } while (next_index(f->loops, a, at));
    for (int64_t k = 0; k < elements * (int64_t)bytes; k++)
        ck_assert(seen[k / (int64_t)bytes] || now[k] == 0);
    ast_free(plain_end(&n));
    arena_free(&arena);
}

static int check_constants(const struct fixture *f) {
    int packed = 0;
    for (int k = 0; k < f->loops->arrays.len; k++) {
        const struct array *a = &f->loops->arrays.data[k];
        if (a->kind == ARRAY_CONST && a->layout_rank)
            check_packed(f, k);
        else if (a->kind == ARRAY_CONST)
            ck_assert_ptr_eq(a->data, f->data[k]);
        packed += a->kind == ARRAY_CONST && a->layout_rank;
    }
    return packed;
}

/* ---- the program is the same ---- */

static void check_same(struct fixture *f, bool strict, const char *name) {
    poly_schedule(f->poly, strict, true);
    ck_assert_msg(poly_certify(f->poly), "%s: %s", name, str_cstr(&f->b.messages));
    struct ast *mine = ast_from_poly(f->poly, &f->b.names, strict);
    ck_assert_msg(ast_check(mine, &f->b.diag), "%s: %s", name, str_cstr(&f->b.messages));
    ck_assert_msg(mine->macs == f->naive->macs, "%s: another number of macs", name);
    run_pair(f->naive, mine, !strict, name);
    ast_free(mine);
    struct poly_figures figures = poly_figures(f->poly);
    ck_assert_msg(figures.quota_hits == 0 && figures.fallbacks == 0 && figures.unproven == 0,
                  "%s", name);
}

/* ---- cases ---- */

/* 3 x 3, padded, from `in` of ci channels to `out` of co; weights and bias w. */
#define CONV(k, in, out, w, ci, co)                                                            \
    "S" k "[n,c,y,x: 1," co ",9,9]: " out "[n,c,y,x] = max(reduce(add, [k,r,s: " ci ",3,3], "  \
    "(" in "[n,k,y + r - 1,x + s - 1] if 0 <= y + r - 1 < 9 && 0 <= x + s - 1 < 9 else "       \
    "0.0) * " w "[c,k,r,s]), 0.0)\n"

/* The lines that must stand in the loops afterwards, up to three. */
static const struct {
    const char *name, *text;
    const char *lines[3];
    int packed;
} cases[] = {
    {"channels become contiguous, weights are packed",
     "loops \"t\"\ninput a0: f32[1,3,9,9]\nconst a1: f32[16,3,3,3] = #\n"
     "const a2: f32[24,16,3,3] = #\ntemp a3: f32[1,16,9,9]\noutput a4: f32[1,24,9,9]\n" CONV(
         "0", "a0", "a3", "a1", "3", "16") CONV("1", "a3", "a4", "a2", "16", "24"),
     {"temp a3: f32[1,16,9,9] layout [0, 2, 3, 1]\n", "const a1: f32[16,3,3,3] layout ["},
     2},
    {"an array with a view stays",
     "loops \"t\"\ninput a0: f32[1,16,9,9]\nconst a1: f32[16,16,3,3] = #\n"
     "temp a2: f32[1,16,9,9]\nview a3: f32[1,1296] of a2\noutput a4: f32[1,1296]\n" CONV(
         "0", "a0", "a2", "a1", "16", "16") "S1[i: 1296]: a4[0,i] = a3[0,i] + 1.0\n",
     {"temp a2: f32[1,16,9,9]\n"},
     1},
    {"inputs and outputs stay",
     "loops \"t\"\ninput a0: f32[8,64]\ninput a1: f32[8,64]\noutput a2: f32[64,8]\n"
     "S0[i,j: 64,8]: a2[i,j] = a0[j,i] * a1[j,i]\n",
     {"input a0: f32[8,64]\n", "input a1: f32[8,64]\n", "output a2: f32[64,8]\n"},
     0},
    {"an array of a routine stays",
     "loops \"t\"\ninput a0: f32[8,16]\ntemp a1: f32[16,8]\noutput a2: f32[16,2]\n"
     "output a3: i64[16,2]\nS0[i,j: 16,8]: a1[i,j] = a0[j,i] + 1.0\n"
     "call topk(a1; a2, a3; 16, 1, 8, 1, 2, 1)\n",
     {"temp a1: f32[16,8]\n"},
     0},
    {"arrays of statements that share loops stay",
     "loops \"t\"\ninput a0: f32[8,512,512]\ntemp a1: f32[8,512]\ntemp a2: f32[8,512,512]\n"
     "temp a3: f32[8,512]\noutput a4: f32[8,512,512]\n"
     "S0[n,i: 8,512]: a1[n,i] = reduce(max, [k: 512], a0[n,i,k])\n"
     "S1[n,i,j: 8,512,512]: a2[n,i,j] = exp(a0[n,i,j] - a1[n,i])\n"
     "S2[n,i: 8,512]: a3[n,i] = reduce(add, [k: 512], a2[n,i,k])\n"
     "S3[n,i,j: 8,512,512]: a4[n,i,j] = a2[n,i,j] / a3[n,i]\n",
     {"temp a1: f32[8,512]\n", "temp a2: f32[8,512,512]\n", "temp a3: f32[8,512]\n"},
     0},
    {"a condition's array stays",
     "loops \"t\"\ninput a0: f32[8,16]\ntemp a1: f32[16,8]\noutput a2: f32[8,16]\n"
     "S0[i,j: 16,8]: a1[i,j] = a0[j,i] + 1.0\n"
     "if a1[0,0] > 0.0 {\n    S1[i,j: 8,16]: a2[i,j] = a1[j,i]\n} else {\n"
     "    S2[i,j: 8,16]: a2[i,j] = a1[j,i] * 2.0\n}\n",
     {"temp a1: f32[16,8]\n"},
     0},
    {"one that is transposed on the way moves",
     "loops \"t\"\ninput a0: f32[64,40]\ntemp a1: f32[40,64]\noutput a2: f32[64,40]\n"
     "S0[i,j: 40,64]: a1[i,j] = exp(a0[j,i])\nS1[i,j: 64,40]: a2[i,j] = a1[j,i] * 2.0\n",
     {"temp a1: f32[40,64] layout [1, 0]\n"},
     0},
    {"one of symbolic size stays",
     "loops \"t\"\nsymbol N max 9\ninput a0: f32[64,N]\ntemp a1: f32[N,64]\n"
     "output a2: f32[64,N]\nS0[i,j: N,64]: a1[i,j] = exp(a0[j,i])\n"
     "S1[i,j: 64,N]: a2[i,j] = a1[j,i] * 2.0\n",
     {"temp a1: f32[N,64]\n"},
     0},
    {"integers stay",
     "loops \"t\"\ninput a0: i32[64,33]\nconst a1: i32[33,64] = #\ntemp a2: i32[33,64]\n"
     "output a3: i32[64,33]\nS0[i,j: 33,64]: a2[i,j] = a0[j,i] * a1[i,j]\n"
     "S1[i,j: 64,33]: a3[i,j] = reduce(add, [k: 33], a2[k,i] * a1[k,i])\n",
     {"const a1: i32[33,64] = ", "temp a2: i32[33,64]\n"},
     0},
    {"half bytes stay",
     "loops \"t\"\ninput a0: f32[6,16]\nconst a1: i4[1,16] = {1, 2, 3, 4, 5, 6, 7, -8, 1, 2, "
     "3, 4, 5, 6, 7, -8}\noutput a2: f32[6,32]\nS0[i,j: 6,32]: a2[i,j] = reduce(add, [k: 16], "
     "a0[i,k] * f32(a1[0,k]))\n",
     {"const a1: i4[1,16] = {"},
     0},
    {"a constant of two statements stays",
     "loops \"t\"\ninput a0: f32[6,16]\nconst a1: f32[32,16] = #\noutput a2: f32[6,32]\n"
     "output a3: f32[6,32]\nS0[i,j: 6,32]: a2[i,j] = reduce(add, [k: 16], a0[i,k] * a1[j,k])\n"
     "S1[i,j: 6,32]: a3[i,j] = reduce(max, [k: 16], a0[i,k] * a1[j,k])\n",
     {"const a1: f32[32,16] = "},
     0},
    {"a matrix that is read by columns is turned",
     "loops \"t\"\ninput a0: f32[1,32]\nconst a1: f32[64,32] = #\noutput a2: f32[1,64]\n"
     "S0[j: 64]: a2[0,j] = reduce(add, [k: 32], a0[0,k] * a1[j,k])\n",
     {"const a1: f32[64,32] layout [1, 0] = "},
     1},
    {"in panels when it is wider than a tile",
     "loops \"t\"\ninput a0: f32[12,32]\nconst a1: f32[100,32] = #\noutput a2: f32[12,100]\n"
     "S0[i,j: 12,100]: a2[i,j] = reduce(add, [k: 32], a0[i,k] * a1[j,k])\n",
     {"const a1: f32[100,32] layout [0/"},
     1},
    {"a matrix of a seq",
     "loops \"t\"\ninput a0: f32[5,16]\nconst a1: f32[16,16] = #\ntemp a2: f32[6,16]\n"
     "output a3: f32[16]\nS0[i: 16]: a2[0,i] = 0.0\nseq t: 5 {\n    S1[i: 16]: a2[t + 1,i] = "
     "tanh(reduce(add, [k: 16], a2[t,k] * a1[i,k]) + a0[t,i])\n}\nS2[i: 16]: a3[i] = "
     "a2[5,i]\n",
     {"temp a2: f32[6,16]\n", "const a1: f32[16,16] layout [1, 0] = "},
     1},
    {"two writers of one array",
     "loops \"t\"\ninput a0: f32[1,16,9,9]\ninput a1: f32[1,8,9,9]\ntemp a2: f32[1,24,9,9]\n"
     "const a3: f32[16,24,3,3] = #\noutput a4: f32[1,16,9,9]\n"
     "S0[c,y,x: 16,9,9]: a2[0,c,y,x] = a0[0,c,y,x]\n"
     "S1[c,y,x: 8,9,9]: a2[0,c + 16,y,x] = a1[0,c,y,x]\n" CONV("2", "a2", "a4", "a3", "24",
                                                               "16"),
     {NULL},
     1},
    {"a depthwise convolution",
     "loops \"t\"\ninput a0: f32[1,24,9,9]\ntemp a1: f32[1,24,9,9]\nconst a2: f32[24,3,3] = "
     "#\ntemp a3: f32[1,24,9,9]\nconst a4: f32[24,24] = #\noutput a5: f32[24]\n"
     "S0[c,y,x: 24,9,9]: a1[0,c,y,x] = reduce(add, [k: 24], a0[0,k,y,x] * a4[c,k])\n"
     "S1[c,y,x: 24,9,9]: a3[0,c,y,x] = reduce(add, [r,s: 3,3], (a1[0,c,y + r - 1,x + s - 1] if "
     "0 <= y + r - 1 < 9 && 0 <= x + s - 1 < 9 else 0.0) * a2[c,r,s])\n"
     "S2[c: 24]: a5[c] = reduce(add, [y,x: 9,9], a3[0,c,y,x])\n",
     {"temp a3: f32[1,24,9,9] layout [0, 2, 3, 1]\n", "const a2: f32[24,3,3] layout ["},
     2},
};

static void expect_lines(const struct fixture *f, const char *const *lines, const char *name) {
    struct str text = {0};
    loops_print(&text, f->loops, NULL);
    for (int k = 0; k < 3 && lines[k]; k++)
        ck_assert_msg(strstr(str_cstr(&text), lines[k]) != NULL, "%s: no %s in\n%s", name,
                      lines[k], str_cstr(&text));
    str_free(&text);
}

START_TEST(layouts_are_as_expected) {
    for (int strict = 0; strict < 2; strict++) {
        struct fixture f;
        const char *name = cases[_i].name;
        start(&f, cases[_i].text, &narrow, strict);
        if (!strict)
            expect_lines(&f, cases[_i].lines, name);
        int packed = check_constants(&f);
        ck_assert_msg(strict || packed == cases[_i].packed, "%s: %d packed", name, packed);
        check_same(&f, strict, name);
        finish(&f);
    }
}
END_TEST

/* Without vectors nothing moves. */
START_TEST(nothing_moves_without_vectors) {
    static const struct target *const targets[] = {NULL, &no_vectors};
    for (int k = 0; k < 2; k++) {
        struct fixture f;
        start(&f, cases[_i].text, targets[k], false);
        for (int i = 0; i < f.loops->arrays.len; i++)
            ck_assert_int_eq(f.loops->arrays.data[i].layout_rank, 0);
        ck_assert_int_eq(check_constants(&f), 0);
        finish(&f);
    }
}
END_TEST

/* Two convolutions and a pool of odd sizes: channels, rows and columns, step. */
static const int odd[][6] = {
    {1, 1, 1, 1, 1, 1},  {1, 7, 3, 5, 7, 1},   {3, 14, 17, 7, 7, 1},  {7, 17, 33, 3, 14, 2},
    {33, 1, 7, 6, 1, 1}, {16, 16, 8, 8, 9, 2}, {5, 33, 14, 4, 17, 1}, {2, 8, 40, 1, 33, 2},
};

START_TEST(odd_sizes_are_the_same) {
    const int *n = odd[_i];
    int h = (n[3] - 1) / n[5] + 1, w = (n[4] - 1) / n[5] + 1;
    for (int strict = 0; strict < 2; strict++) {
        struct fixture f;
        struct arena arena = {0};
        const char *text = arena_printf(
            &arena,
            "loops \"t\"\ninput a0: f32[%d,%d,%d]\nconst a1: f32[%d,%d,3,3] = #\n"
            "const a2: f32[%d] = #\ntemp a3: f32[%d,%d,%d]\nconst a4: f32[%d,%d,3,3] = #\n"
            "temp a5: f32[%d,%d,%d]\noutput a6: f32[%d]\n"
            "S0[c,y,x: %d,%d,%d]: a3[c,y,x] = max(reduce(add, [k,r,s: %d,3,3], (a0[k,y + r - "
            "1,x + s - 1] if 0 <= y + r - 1 < %d && 0 <= x + s - 1 < %d else 0.0) * "
            "a1[c,k,r,s]) + a2[c], 0.0)\n"
            "S1[c,y,x: %d,%d,%d]: a5[c,y,x] = reduce(add, [k,r,s: %d,3,3], (a3[k,%d * y + r - "
            "1,%d * x + s - 1] if 0 <= %d * y + r - 1 < %d && 0 <= %d * x + s - 1 < %d else "
            "0.0) * a4[c,k,r,s])\n"
            "S2[c: %d]: a6[c] = reduce(add, [y,x: %d,%d], a5[c,y,x]) * 0.5\n",
            n[0], n[3], n[4], n[1], n[0], n[1], n[1], n[3], n[4], n[2], n[1], n[2], h, w, n[2],
            n[1], n[3], n[4], n[0], n[3], n[4], n[2], h, w, n[1], n[5], n[5], n[5], n[3], n[5],
            n[4], n[2], h, w);
        start(&f, text, &narrow, strict);
        check_constants(&f);
        check_same(&f, strict, text);
        finish(&f);
        arena_free(&arena);
    }
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

int main(void) {
    Suite *s = suite_create("layout");
    TCase *t = tcase_create("layout");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, layouts_are_as_expected, 0, ROWS(cases));
    tcase_add_loop_test(t, nothing_moves_without_vectors, 0, ROWS(cases));
    tcase_add_loop_test(t, odd_sizes_are_the_same, 0, ROWS(odd));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
