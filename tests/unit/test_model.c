/* The cost model: tiles fit the registers whatever the sizes are, lanes lie along what is
 * contiguous, nothing is reassociated under strict, and what has no tiles gets none; strides
 * under layouts, what constants can be packed, where lanes run through two dimensions. */
#include "polyhedral/poly.h"
#include "tests/unit/poly_bench.h"
#include "tests/unit/poly_machines.h"

/* A program that is proven, for a target. */
struct fixture {
    struct bench b;
    struct loops *loops;
    struct poly *poly;
    bool taken[16]; // no dimension
};

static void start(struct fixture *f, const char *text, const struct target *target) {
    memset(f, 0, sizeof *f);
    bench_start(&f->b);
    f->loops = read_loops(&f->b, text, strlen(text));
    f->poly = poly_import(f->loops, &f->b.diag);
    ck_assert_msg(poly_bounds(f->poly) && poly_depend(f->poly), "%s\n%s",
                  str_cstr(&f->b.messages), text);
    poly_target(f->poly, target);
}

static void finish(struct fixture *f) {
    poly_free(f->poly);
    loops_free(f->loops);
    bench_end(&f->b);
}

/* Access k of statement 0: loads in the order of the text, then the store. */
static const struct poly_access *access_of(const struct fixture *f, int k) {
    const struct poly_stmt *s = f->poly->stmts.data[0];
    ck_assert_int_lt(k, s->accesses.len);
    return &s->accesses.data[k];
}

/* ---- what holds of all tiles ---- */

static int64_t extent_of(const struct poly_stmt *s, int d) {
    int64_t extent = 1;
    if (d >= s->num_repeats)
        expr_as_int(s->stmt->iters[d - s->num_repeats].extent, &extent);
    return extent;
}

static int64_t lanes_of(const struct poly *p, const struct poly_stmt *s) {
    int64_t bits = dtype_info(p->loops->arrays.data[s->stmt->array].dtype)->bits;
    return p->target->vector_bytes * 8 / bits;
}

static void check_order(const struct poly *p, const struct poly_stmt *s) {
    const struct expr *reduce = expr_find(s->stmt->rhs, EXPR_REDUCE);
    const struct poly_tiling *t = &s->tiling;
    bool seen[MAX_REDUCE] = {false};
    int n = reduce ? reduce->num_iters : 0;
    for (int k = 0; k < n; k++) {
        ck_assert(t->order[k] >= 0 && t->order[k] < n && !seen[t->order[k]]);
        seen[t->order[k]] = true;
        ck_assert(!p->strict || t->order[k] == k);
    }
    ck_assert(t->split < n && (t->split < 0 || t->order[n - 1] == t->split));
}

static void check_dimensions(const struct poly *p, const struct poly_stmt *s) {
    const struct poly_tiling *t = &s->tiling;
    const int dims[4] = {t->row[0], t->row[1], t->vec, t->fold};
    const int64_t sizes[4] = {t->rows[0], t->rows[1], t->block, t->folds};
    for (int k = 0; k < 4; k++) {
        ck_assert_int_lt(dims[k], s->num_dims);
        ck_assert_msg(dims[k] >= 0 || sizes[k] == 1, "%lld instances of no dimension",
                      (long long)sizes[k]);
        if (dims[k] < 0)
            continue;
        ck_assert_int_ge(dims[k], s->num_repeats);
        ck_assert(sizes[k] >= 1 && sizes[k] <= extent_of(s, dims[k]));
        for (int i = 0; i < k; i++)
            ck_assert_int_ne(dims[k], dims[i]);
    }
    if (t->fold >= 0) {
        ck_assert_int_eq(t->block, extent_of(s, t->vec));
        ck_assert(model_folds(p, s, t->fold, t->vec, t->block));
    }
}

static void check_tiling(const struct poly *p, const struct poly_stmt *s, const char *name) {
    const struct poly_tiling *t = &s->tiling;
    int64_t lanes = lanes_of(p, s), vectors = (t->block * t->folds + lanes - 1) / lanes;
    int64_t rows = t->rows[0] * t->rows[1];
    ck_assert_msg((t->vec >= 0) != (t->split >= 0), "%s: lanes twice, or not at all", name);
    ck_assert_msg(t->split < 0 || !p->strict, "%s: sums in another order", name);
    int64_t shared = rows > 1 ? vectors : 1; // vectors that are there beside the accumulators
    ck_assert_msg(rows * vectors + shared + 1 <= p->target->registers,
                  "%s: %lld rows of %lld vectors", name, (long long)rows, (long long)vectors);
    check_dimensions(p, s);
    check_order(p, s);
    ck_assert_msg(t->cycles > 0 && t->cycles <= t->next, "%s: not the best", name);
    ck_assert_msg(t->cycles >= t->memory * 0.999, "%s: faster than memory", name);
    ck_assert_msg(t->cycles >= t->arithmetic * 0.999, "%s: faster than arithmetic", name);
}

/* Tiles of one statement when dimension d is taken, or its rows are given; d < 0: neither. */
static void check_statement(struct fixture *f, struct poly_stmt *s, int d, const char *name) {
    struct poly *p = f->poly;
    int64_t rows = d < 0 || extent_of(s, d) < 4 ? 1 : 4;
    if (d >= 0)
        f->taken[d] = true;
    bool tiled = model_tile(p, s, f->taken, -1, 1, d % 2, &s->tiling);
    ck_assert(!tiled || d < 0 || (s->tiling.vec != d && s->tiling.fold != d));
    if (tiled)
        check_tiling(p, s, name);
    if (d >= 0)
        f->taken[d] = false;
    tiled = d >= 0 && model_tile(p, s, f->taken, d, rows, false, &s->tiling);
    ck_assert(!tiled || (s->tiling.row[0] == d && s->tiling.rows[0] == rows));
    if (tiled)
        check_tiling(p, s, name);
}

static void check_program(const char *text, const struct target *target, bool strict) {
    struct fixture f;
    start(&f, text, target);
    f.poly->strict = strict;
    for (int k = 0; k < f.poly->stmts.len; k++) {
        struct poly_stmt *s = f.poly->stmts.data[k];
        for (int d = -1; s->role == POLY_COMPUTE && d < s->num_dims; d++)
            check_statement(&f, s, d, text);
    }
    finish(&f);
}

static const int64_t sizes[] = {1, 7, 14, 17, 33, 64, 1000};
enum { NUM_SIZES = sizeof sizes / sizeof *sizes };

/* A program of the sizes m, n, k; the formats take each once as an extent. */
static const char *const shapes[] = {
    "loops \"gemm\"\ninput a0: f32[%1$lld,%3$lld]\ninput a1: f32[%3$lld,%2$lld]\n"
    "input a2: f32[%2$lld]\noutput a3: f32[%1$lld,%2$lld]\n"
    "S0[m,n: %1$lld,%2$lld]: a3[m,n] = max(reduce(add, [k: %3$lld], a0[m,k] * a1[k,n]) + "
    "a2[n], 0.0)\n",
    "loops \"gemm_bt\"\ninput a0: f32[%1$lld,%3$lld]\ninput a1: f32[%2$lld,%3$lld]\n"
    "output a2: f32[%1$lld,%2$lld]\n"
    "S0[m,n: %1$lld,%2$lld]: a2[m,n] = reduce(add, [k: %3$lld], a0[m,k] * a1[n,k])\n",
    "loops \"rows\"\ninput a0: f64[%1$lld,%2$lld,%3$lld]\noutput a1: f64[%1$lld,%2$lld]\n"
    "S0[i,j: %1$lld,%2$lld]: a1[i,j] = reduce(max, [k: %3$lld], a0[i,j,k])\n",
    "loops \"chain\"\ninput a0: f32[%1$lld,%2$lld,%3$lld]\ninput a1: f32[%3$lld]\n"
    "output a2: f32[%1$lld,%2$lld,%3$lld]\n"
    "S0[i,j,k: %1$lld,%2$lld,%3$lld]: a2[i,j,k] = exp(a0[i,j,k]) * a1[k]\n",
    "loops \"turned\"\ninput a0: f32[%1$lld,%2$lld,%3$lld]\n"
    "output a1: f32[%3$lld,%2$lld,%1$lld]\n"
    "S0[i,j,k: %3$lld,%2$lld,%1$lld]: a1[i,j,k] = a0[k,j,i]\n",
    "loops \"conv\"\ninput a0: f32[%1$lld,%2$lld,9]\ninput a1: f32[%3$lld,%1$lld,3,3]\n"
    "output a2: f32[%3$lld,%2$lld,9]\n"
    "S0[c,y,x: %3$lld,%2$lld,9]: a2[c,y,x] = reduce(add, [k,r,s: %1$lld,3,3], (a0[k,y + r - "
    "1,x + s - 1] if 0 <= y + r - 1 < %2$lld && 0 <= x + s - 1 < 9 else 0.0) * a1[c,k,r,s])\n",
};
enum { NUM_SHAPES = sizeof shapes / sizeof *shapes };

START_TEST(tiles_fit) {
    for (int m = 0; m < NUM_SIZES; m++)
        for (int n = 0; n < NUM_SIZES; n++)
            for (int k = 0; k < NUM_SIZES; k++) {
                char text[1024];
                int len = snprintf(text, sizeof text, shapes[_i], (long long)sizes[m],
                                   (long long)sizes[n], (long long)sizes[k]);
                ck_assert_int_lt(len, (int)sizeof text);
                check_program(text, &wide, (m + n + k) % 2);
                check_program(text, &narrow, (m + n + k) % 2 == 0);
            }
}
END_TEST

/* ---- which tiles ---- */

#define GEMM(m, n, k)                                                                          \
    "loops \"gemm\"\ninput a0: f32[" m "," k "]\ninput a1: f32[" k "," n "]\n"                 \
    "output a2: f32[" m "," n "]\n"                                                            \
    "S0[m,n: " m "," n "]: a2[m,n] = reduce(add, [k: " k "], a0[m,k] * a1[k,n])\n"
/* The same with the second matrix the other way round. */
#define GEMM_BT(m, n, k, kind)                                                                 \
    "loops \"gemm\"\ninput a0: f32[" m "," k "]\n" kind "output a2: f32[" m "," n "]\n"        \
    "S0[m,n: " m "," n "]: a2[m,n] = reduce(add, [k: " k "], a0[m,k] * a1[n,k])\n"
#define CONV_NHWC                                                                              \
    "loops \"conv\"\ninput a0: f32[14,14,64]\ninput a1: f32[3,3,64,32]\n"                      \
    "output a2: f32[14,14,32]\n"                                                               \
    "S0[y,x,c: 14,14,32]: a2[y,x,c] = reduce(add, [r,s,k: 3,3,64], (a0[y + r - 1,x + s - "     \
    "1,k] if 0 <= y + r - 1 < 14 && 0 <= x + s - 1 < 14 else 0.0) * a1[r,s,k,c])\n"
#define CONV_NCHW                                                                              \
    "loops \"conv\"\ninput a0: f32[64,14,14]\ninput a1: f32[32,64,3,3]\n"                      \
    "output a2: f32[32,14,14]\n"                                                               \
    "S0[c,y,x: 32,14,14]: a2[c,y,x] = reduce(add, [k,r,s: 64,3,3], (a0[k,y + r - 1,x + s - "   \
    "1] if 0 <= y + r - 1 < 14 && 0 <= x + s - 1 < 14 else 0.0) * a1[c,k,r,s])\n"

/* vec and split are the iterator's names, NULL: none; order is the reduce's, "": any. */
static const struct {
    const char *name, *text;
    const struct target *target;
    bool strict, tiled;
    const char *vec, *split, *order;
} choices[] = {
    {"a matrix product", GEMM("64", "64", "64"), &wide, false, true, "n", NULL, "0"},
    {"one row", GEMM("1", "64", "64"), &wide, false, true, "n", NULL, "0"},
    {"a vector of a transposed matrix", GEMM_BT("1", "64", "256", "input a1: f32[64,256]\n"),
     &wide, false, true, NULL, "k", "0"},
    {"the same, sums in order", GEMM_BT("1", "64", "256", "input a1: f32[64,256]\n"), &wide,
     true, true, "n", NULL, "0"},
    {"channels last: a window's steps share loads", CONV_NHWC, &wide, false, true, "c", NULL,
     "120"},
    {"not where that needs more registers", CONV_NHWC, &narrow, false, true, "c", NULL, "012"},
    {"no masks that change from step to step", CONV_NCHW, &narrow, false, true, "x", NULL, ""},
    {"not when sums are in order", CONV_NCHW, &wide, true, true, "x", NULL, "012"},
    {"a row's sum",
     "loops \"t\"\ninput a0: f32[9,256]\noutput a1: f32[9]\n"
     "S0[i: 9]: a1[i] = reduce(add, [k: 256], a0[i,k])\n",
     &wide, false, true, NULL, "k", "0"},
    {"a column's sum",
     "loops \"t\"\ninput a0: f32[256,64]\noutput a1: f32[64]\n"
     "S0[i: 64]: a1[i] = reduce(add, [k: 256], a0[k,i])\n",
     &wide, false, true, "i", NULL, "0"},
    {"few steps that are not contiguous after many that are",
     "loops \"t\"\ninput a0: f32[256,4]\noutput a1: f32[4]\n"
     "S0[i: 4]: a1[i] = reduce(add, [j,k: 16,16], a0[j * 16 + k,i])\n",
     &wide, false, true, "i", NULL, ""},
    {"a chain",
     "loops \"t\"\ninput a0: f32[5,64]\noutput a1: f32[5,64]\n"
     "S0[i,j: 5,64]: a1[i,j] = exp(a0[i,j])\n",
     &narrow, true, true, "j", NULL, ""},
    {"doubles",
     "loops \"t\"\ninput a0: f64[5,64]\noutput a1: f64[5,64]\n"
     "S0[i,j: 5,64]: a1[i,j] = a0[i,j] * 2.0\n",
     &narrow, true, true, "j", NULL, ""},
    {"the loops of a seq are no lanes",
     "loops \"t\"\ninput a0: f32[9,64]\ntemp a1: f32[10,64]\noutput a2: f32[64]\n"
     "seq t: 9 {\n    S0[i: 64]: a1[t + 1,i] = a0[t,i] * 2.0\n}\n"
     "S1[i: 64]: a2[i] = a1[9,i]\n",
     &wide, false, true, "i", NULL, ""},
    {"a symbol around",
     "loops \"t\"\nsymbol N max 9\ninput a0: f32[N,64]\noutput a1: f32[N,64]\n"
     "S0[i,j: N,64]: a1[i,j] = a0[i,j] * 2.0\n",
     &wide, false, true, "j", NULL, ""},
    {"a symbol along what is contiguous",
     "loops \"t\"\nsymbol N max 64\ninput a0: f32[N]\noutput a1: f32[N]\n"
     "S0[i: N]: a1[i] = a0[i] * 2.0\n",
     &wide, false, false, NULL, NULL, ""},
    {"a reduction over a symbol",
     "loops \"t\"\nsymbol N max 64\ninput a0: f32[N]\noutput a1: f32[1]\n"
     "S0[i: 1]: a1[i] = reduce(add, [k: N], a0[k])\n",
     &wide, false, false, NULL, NULL, ""},
    {"integers",
     "loops \"t\"\ninput a0: i32[64]\noutput a1: i32[64]\n"
     "S0[i: 64]: a1[i] = a0[i] * 2i32\n",
     &wide, false, false, NULL, NULL, ""},
    {"two types",
     "loops \"t\"\ninput a0: f64[64]\noutput a1: f32[64]\n"
     "S0[i: 64]: a1[i] = f32(a0[i])\n",
     &wide, false, false, NULL, NULL, ""},
    {"an index that is checked",
     "loops \"t\"\ninput a0: f32[9,64]\ninput a1: i64[5]\noutput a2: f32[5,64]\n"
     "S0[i,j: 5,64]: a2[i,j] = a0[check(a1[i], 0, 8),j]\n",
     &wide, false, false, NULL, NULL, ""},
    {"nothing but one",
     "loops \"t\"\ninput a0: f32[1]\noutput a1: f32[1]\n"
     "S0[i: 1]: a1[i] = a0[i]\n",
     &wide, false, false, NULL, NULL, ""},
    {"nothing that is walked along",
     "loops \"t\"\ninput a0: f32[64,2]\noutput a1: f32[32,2]\n"
     "S0[i: 32]: a1[i,0] = a0[2 * i,1]\nS1[i: 32]: a1[i,1] = a0[2 * i,0]\n",
     &wide, false, false, NULL, NULL, ""},
    {"a target without vectors", GEMM("64", "64", "64"), &no_vectors, false, false, NULL, NULL,
     ""},
    {"portable C", GEMM("64", "64", "64"), NULL, false, false, NULL, NULL, ""},
};

static const char *dim_name(const struct poly_stmt *s, int d) {
    return d < 0 ? NULL : s->dims[d];
}

static const char *split_name(const struct poly_stmt *s) {
    int split = s->tiling.split;
    return split < 0 ? NULL : expr_find(s->stmt->rhs, EXPR_REDUCE)->iters[split].name;
}

static bool same_name(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

START_TEST(tiles_are_as_expected) {
    struct fixture f;
    const char *name = choices[_i].name;
    start(&f, choices[_i].text, choices[_i].target);
    f.poly->strict = choices[_i].strict;
    struct poly_stmt *s = f.poly->stmts.data[0];
    for (int k = 0; s->role != POLY_COMPUTE; k++)
        s = f.poly->stmts.data[k];
    bool tiled = model_tile(f.poly, s, f.taken, -1, 1, false, &s->tiling);
    ck_assert_msg(tiled == choices[_i].tiled, "%s: %s", name, tiled ? "tiles" : "none");
    if (tiled) {
        check_tiling(f.poly, s, name);
        const char *text = model_describe(f.poly, s);
        ck_assert_msg(same_name(dim_name(s, s->tiling.vec), choices[_i].vec), "%s: %s", name,
                      text);
        ck_assert_msg(same_name(split_name(s), choices[_i].split), "%s: %s", name, text);
        for (int k = 0; choices[_i].order[k]; k++)
            ck_assert_msg(s->tiling.order[k] == choices[_i].order[k] - '0',
                          "%s: loop %d is %d: %s", name, k, s->tiling.order[k], text);
    }
    finish(&f);
}
END_TEST

/* Rows that share what a window's steps read leave registers for that. */
START_TEST(windows_leave_registers) {
    struct fixture f;
    start(&f,
          "loops \"window\"\ninput a0: f32[116,114,32]\ninput a1: f32[3,3,32]\n"
          "output a2: f32[112,112,32]\nS0[y,x,c: 112,112,32]: a2[y,x,c] = reduce(add, "
          "[r,s: 3,3], a0[y + r,x + s,c] * a1[r,s,c])\n",
          &wide);
    struct poly_stmt *s = f.poly->stmts.data[0];
    ck_assert(model_tile(f.poly, s, f.taken, -1, 1, false, &s->tiling));
    const struct poly_tiling *t = &s->tiling;
    const char *text = model_describe(f.poly, s);
    ck_assert_msg(same_name(dim_name(s, t->vec), "c"), "%s", text);
    int64_t sums = t->rows[0] * t->rows[1] * (t->block / lanes_of(f.poly, s));
    ck_assert_msg(t->rows[0] * t->rows[1] > 2 && 2 * sums <= wide.registers, "%s", text);
    finish(&f);
}
END_TEST

START_TEST(describes) {
    struct fixture f;
    start(&f, GEMM("64", "64", "64"), &wide);
    struct poly_stmt *s = f.poly->stmts.data[0];
    ck_assert(model_tile(f.poly, s, f.taken, -1, 1, false, &s->tiling));
    const char *text = model_describe(f.poly, s);
    double cycles, bound;
    long long lanes, rows;
    ck_assert_msg(
        sscanf(text,
               "%lld lanes along n, %lld rows along m; %lf ms predicted, no less than "
               "%lf ms by arithmetic, next best",
               &lanes, &rows, &cycles, &bound) == 4,
        "%s", text);
    ck_assert_int_eq(lanes, s->tiling.block);
    ck_assert_int_eq(rows, s->tiling.rows[0]);
    // 64^3 products in lanes of 16, two at a time, at 4 GHz; a good tile is not far from that
    ck_assert_double_eq_tol(bound, 64 * 64 * 64 / 16.0 / 2 * 1e-6 / 4, 1e-4);
    ck_assert(cycles >= bound - 1e-4 && cycles < 2 * bound + 1e-4);
    finish(&f);
}
END_TEST

/* Cycles that no tile of statement 0 is faster than, by memory. */
static double memory_of(const char *text, const struct target *target) {
    struct fixture f;
    start(&f, text, target);
    struct poly_stmt *s = f.poly->stmts.data[0];
    ck_assert(model_tile(f.poly, s, f.taken, -1, 1, false, &s->tiling));
    double memory = s->tiling.memory;
    finish(&f);
    return memory;
}

#define CONSTANT(a) "const " a ": f32[6] = {1, 2, 3, 4, 5, 6}\n"

/* 24 bytes fit a cache of 44 with room to spare, twice as many do not. */
START_TEST(constants_share_the_caches) {
    struct target cramped = wide;
    cramped.cache[1] = cramped.cache[2] = 44;
    double alone = memory_of("loops \"t\"\n" CONSTANT("a0") "output a1: f32[6]\n"
                                                            "S0[i: 6]: a1[i] = a0[i] + 1.0\n",
                             &cramped);
    double both = memory_of("loops \"t\"\n" CONSTANT("a0")
                                CONSTANT("a1") "output a2: f32[6]\noutput a3: f32[6]\n"
                                               "S0[i: 6]: a2[i] = a0[i] + 1.0\n"
                                               "S1[i: 6]: a3[i] = a1[i] + 2.0\n",
                            &cramped);
    ck_assert_double_eq_tol(alone, 2 * 24 / cramped.bandwidth[0], 1e-9);
    ck_assert_double_eq_tol(both, 24 / cramped.bandwidth[0] + 24 / cramped.bandwidth[2], 1e-9);
}
END_TEST

/* The matrix of a matrix-vector product comes from far away: packed, it is one run of memory,
 * where lanes along the reduction would walk along many rows side by side. */
START_TEST(far_constants_are_one_run) {
    enum { ELEMENTS = 64 * 256 };
    struct target cramped = wide;
    struct str text = {0};
    struct fixture f;
    cramped.cache[0] = cramped.cache[1] = cramped.cache[2] = 8192;
    cramped.bandwidth[2] = 16;
    str_addf(&text, "loops \"t\"\ninput a0: f32[256]\nconst a1: f32[64,256] = {0");
    for (int k = 1; k < ELEMENTS; k++)
        str_addf(&text, ", %d", k % 10);
    str_addf(&text, "}\noutput a2: f32[64]\n"
                    "S0[n: 64]: a2[n] = reduce(add, [k: 256], a0[k] * a1[n,k])\n");
    start(&f, str_cstr(&text), &cramped);
    struct poly_stmt *s = f.poly->stmts.data[0];
    ck_assert(model_tile(f.poly, s, f.taken, -1, 1, true, &s->tiling));
    ck_assert_msg(same_name(dim_name(s, s->tiling.vec), "n"), "packed: %s",
                  model_describe(f.poly, s));
    ck_assert(model_tile(f.poly, s, f.taken, -1, 1, false, &s->tiling));
    ck_assert_msg(s->tiling.split == 0, "as it is: %s", model_describe(f.poly, s));
    finish(&f);
    str_free(&text);
}
END_TEST

/* Lanes lie along what a layout says is contiguous. */
static const struct {
    const char *layout, *vec;
} walked[] = {{"", "x"}, {" layout [1, 2, 0]", "c"}, {" layout [2, 0, 1]", "y"}};

START_TEST(lanes_follow_the_layout) {
    struct fixture f;
    struct arena arena = {0};
    const char *text = arena_printf(&arena,
                                    "loops \"t\"\ntemp a0: f32[32,24,24]%s\n"
                                    "output a1: f32[32,24,24]\n"
                                    "S0[c,y,x: 32,24,24]: a0[c,y,x] = 1.0\n"
                                    "S1[c,y,x: 32,24,24]: a1[c,y,x] = a0[c,y,x]\n",
                                    walked[_i].layout);
    start(&f, text, &wide);
    struct poly_stmt *s = f.poly->stmts.data[0];
    ck_assert(model_tile(f.poly, s, f.taken, -1, 1, false, &s->tiling));
    check_tiling(f.poly, s, walked[_i].layout);
    ck_assert_str_eq(s->dims[s->tiling.vec], walked[_i].vec);
    finish(&f);
    arena_free(&arena);
}
END_TEST

/* ---- pieces ---- */

START_TEST(cuts_cover) {
    for (int64_t extent = 0; extent < 40; extent++)
        for (int64_t block = 1; block < 20; block++) {
            struct poly_piece pieces[2];
            int n = model_cut(extent, block, pieces);
            int64_t at = 0;
            ck_assert(n <= 2 && n == (extent >= block) + (extent % block != 0));
            for (int k = 0; k < n; k++) {
                ck_assert(pieces[k].lo == at && pieces[k].hi > at);
                ck_assert_int_eq((pieces[k].hi - at) % pieces[k].size, 0);
                ck_assert_int_eq(pieces[k].size,
                                 k == 0 && extent >= block ? block : extent % block);
                at = pieces[k].hi;
            }
            ck_assert_int_eq(at, extent);
        }
}
END_TEST

/* ---- what can be packed ---- */

#define PACK(decl, stmts)                                                                      \
    "loops \"t\"\ninput x: f32[4,6]\n" decl "output y: f32[4,6]\n" stmts "\n"
#define SIX "{1, 2, 3, 4, 5, 6}"

/* Access k of statement 0 is asked about. */
static const struct {
    const char *name, *text;
    int access;
    bool can;
} packs[] = {
    {"by iterators",
     PACK("const w: f32[6] = " SIX "\n", "S0[i,j: 4,6]: y[i,j] = x[i,j] * w[j]"), 1, true},
    {"by a constant and an iterator",
     PACK("const w: f32[1,6] = " SIX "\n", "S0[i,j: 4,6]: y[i,j] = x[i,j] * w[0,j]"), 1, true},
    {"twice alike",
     PACK("const w: f32[6] = " SIX "\n", "S0[i,j: 4,6]: y[i,j] = x[i,j] * w[j] + w[j]"), 1,
     true},
    {"an input", PACK("const w: f32[6] = " SIX "\n", "S0[i,j: 4,6]: y[i,j] = x[i,j] * w[j]"), 0,
     false},
    {"the store", PACK("const w: f32[6] = " SIX "\n", "S0[i,j: 4,6]: y[i,j] = x[i,j] * w[j]"),
     2, false},
    {"twice, differently",
     PACK("const w: f32[6] = " SIX "\n", "S0[i,j: 4,6]: y[i,j] = x[i,j] * w[j] + w[i]"), 1,
     false},
    {"by two statements",
     "loops \"t\"\nconst a0: f32[6] = " SIX "\noutput a1: f32[6]\noutput a2: f32[6]\n"
     "S0[i: 6]: a1[i] = a0[i]\nS1[i: 6]: a2[i] = a0[i] * 2.0\n",
     0, false},
    {"with an offset",
     PACK("const w: f32[6] = " SIX "\n", "S0[i,j: 4,5]: y[i,j] = x[i,j] * w[j + 1]\n"
                                         "S1[i: 4]: y[i,5] = 0.0"),
     1, false},
    {"the diagonal",
     "loops \"t\"\nconst a0: f32[2,2] = {1, 2, 3, 4}\noutput a1: f32[2]\n"
     "S0[i: 2]: a1[i] = a0[i,i]\n",
     0, false},
    {"through a view",
     "loops \"t\"\nconst a0: f32[6] = " SIX "\nview a1: f32[2,3] of a0\noutput a2: f32[2,3]\n"
     "S0[i,j: 2,3]: a2[i,j] = a1[i,j]\n",
     0, false},
    {"no dimension",
     "loops \"t\"\nconst a0: f32[] = {1}\noutput a1: f32[2]\n"
     "S0[i: 2]: a1[i] = a0[]\n",
     0, false},
    {"half bytes",
     "loops \"t\"\nconst a0: i4[2] = {1, 2}\noutput a1: f32[2]\n"
     "S0[i: 2]: a1[i] = f32(a0[i])\n",
     0, false},
};

START_TEST(packs_what_it_can) {
    struct fixture f;
    start(&f, packs[_i].text, &wide);
    bool can = model_can_pack(f.poly, f.poly->stmts.data[0], access_of(&f, packs[_i].access));
    ck_assert_msg(can == packs[_i].can, "%s", packs[_i].name);
    finish(&f);
}
END_TEST

/* ---- lanes through two dimensions ---- */

/* Dimensions 0 and 1 of statement 0, which has 4 x 6 instances. */
static const struct {
    const char *name, *text;
    bool folds;
} folds[] = {
    {"all go on", PACK("", "S0[i,j: 4,6]: y[i,j] = x[i,j]"), true},
    {"what does not move at all",
     PACK("input w: f32[1]\n", "S0[i,j: 4,6]: y[i,j] = x[i,j] * w[0]"), true},
    {"an operand of each column",
     PACK("input w: f32[6]\n", "S0[i,j: 4,6]: y[i,j] = x[i,j] * w[j]"), false},
    {"an operand of each row",
     PACK("input w: f32[4]\n", "S0[i,j: 4,6]: y[i,j] = x[i,j] * w[i]"), false},
    {"longer rows", PACK("input w: f32[4,7]\n", "S0[i,j: 4,6]: y[i,j] = w[i,j]"), false},
    {"the other way round", PACK("input w: f32[6,4]\n", "S0[i,j: 4,6]: y[i,j] = w[j,i]"),
     false},
    {"half of each row",
     PACK("", "S0[i,j: 4,3]: y[i,j] = x[i,j]\n"
              "S1[i,j: 4,3]: y[i,j + 3] = 0.0"),
     false},
    {"a guard along the row",
     PACK("", "S0[i,j: 4,6]: y[i,j] = (x[i,j - 1] if 0 <= j - 1 < "
              "6 else 0.0)"),
     false},
    {"a guard along the column",
     PACK("", "S0[i,j: 4,6]: y[i,j] = (x[i - 1,j] if 0 <= i - 1 "
              "< 4 else 0.0)"),
     false},
    {"a value that is told by the column",
     PACK("", "S0[i,j: 4,6]: y[i,j] = i64(j) <= 2i64 ? "
              "x[i,j] : 0.0"),
     false},
    {"a value that is told by the row", PACK("", "S0[i,j: 4,6]: y[i,j] = x[i,j] + f32(i)"),
     false},
    {"an index that is no sum", PACK("", "S0[i,j: 4,6]: y[i,j] = x[i,j / 2]"), false},
    {"inside a reduce",
     PACK("input w: f32[3,4,6]\n", "S0[i,j: 4,6]: y[i,j] = reduce(add, "
                                   "[k: 3], w[k,i,j])"),
     true},
    {"a layout that turns it",
     "loops \"t\"\ntemp a0: f32[4,6] layout [1, 0]\n"
     "output a1: f32[4,6]\nS0[i,j: 4,6]: a0[i,j] = 1.0\n"
     "S1[i,j: 4,6]: a1[i,j] = a0[i,j]\n",
     false},
    {"a layout in blocks",
     "loops \"t\"\ntemp a0: f32[4,6] layout [1/6, 0, 1%6]\n"
     "output a1: f32[4,6]\nS0[i,j: 4,6]: a0[i,j] = 1.0\n"
     "S1[i,j: 4,6]: a1[i,j] = a0[i,j]\n",
     false},
    {"a layout with room at the end",
     "loops \"t\"\ntemp a0: f32[4,6] layout [0, 1 pad 8]\n"
     "output a1: f32[4,6]\nS0[i,j: 4,6]: a0[i,j] = 1.0\n"
     "S1[i,j: 4,6]: a1[i,j] = a0[i,j]\n",
     false},
    {"a ring",
     "loops \"t\"\ntemp a0: f32[4,6] layout [0%2, 1]\n"
     "output a1: f32[4,6]\nS0[i,j: 4,6]: a0[i,j] = 1.0\n"
     "S1[i,j: 4,6]: a1[i,j] = a0[i,j]\n",
     false},
};

START_TEST(folds_where_memory_goes_on) {
    struct fixture f;
    start(&f, folds[_i].text, &wide);
    const struct poly_stmt *s = f.poly->stmts.data[0];
    int64_t extent = extent_of(s, 1);
    ck_assert_msg(model_folds(f.poly, s, 0, 1, extent) == folds[_i].folds, "%s",
                  folds[_i].name);
    ck_assert_msg(!model_folds(f.poly, s, 0, 1, extent - 1), "%s: a part of the row",
                  folds[_i].name);
    finish(&f);
}
END_TEST

/* ---- strides ---- */

enum { NONE = -1000000 }; // no constant

/* Access 0 of S0 along i and j; `decl` declares a0. */
static const struct {
    const char *decl, *index;
    int64_t i, j;
} strides[] = {
    {"input a0: f32[4,6]", "i,j", 6, 1},
    {"input a0: f32[8,18]", "2 * i + 1,3 * j", 36, 3},
    {"input a0: f32[4,6]", "i,0", 6, 0},
    {"input a0: f32[6,4]", "j,i", 1, 4},
    {"input a0: f32[9]", "i + j", 1, 1},
    {"input a0: f32[4,4]", "i,j / 2", 4, NONE},
    {"input a0: f32[4,3]", "i,j % 3", 3, NONE},
    {"input a0: f32[4,N]", "i,0", NONE, 0},
    {"input a0: f32[N,6]", "0,j", 0, 1},
    {"input a0: f32[4,N,6]", "i,0,j", NONE, 1},
    {"temp a0: f32[4,6] layout [1, 0]", "i,j", 1, 4},
    {"temp a0: f32[4,6] layout [0, 1 pad 8]", "i,j", 8, 1},
    {"temp a0: f32[4,6] layout [1/2, 0, 1%2]", "i,j", 2, 1},
    {"temp a0: f32[4,6] layout [0/4, 1, 0%4]", "i,j", 1, 4},
    {"temp a0: f32[4,6] layout [0%2, 1]", "i,j", 6, 1},
    {"temp a0: f32[8,6] layout [0/2, 1, 0%2]", "2 * i,j", 14, 2},
};

START_TEST(strides_are_those_of_the_layout) {
    struct fixture f;
    struct arena arena = {0};
    const char *decl = strides[_i].decl;
    bool temp = strncmp(decl, "temp", 4) == 0;
    const char *fill = temp ? (strstr(decl, "[8") ? "S0[x,y: 8,6]: a0[x,y] = 1.0\n"
                                                  : "S0[x,y: 4,6]: a0[x,y] = 1.0\n")
                            : "";
    const char *text = arena_printf(
        &arena,
        "loops \"t\"\nsymbol N max 9\n%s\noutput a1: f32[4,6]\n%sS%d[i,j: 4,6]: a1[i,j] = "
        "a0[%s]\n",
        decl, fill, temp, strides[_i].index);
    start(&f, text, &wide);
    const struct poly_stmt *s = f.poly->stmts.data[temp];
    const int64_t expected[2] = {strides[_i].i, strides[_i].j};
    for (int k = 0; k < 2; k++) {
        int64_t found;
        bool known = stride_of(f.poly, &s->accesses.data[0], s->dims[k], &found);
        ck_assert_msg(known == (expected[k] != NONE), "%s along %s: %s", text, s->dims[k],
                      known ? "known" : "unknown");
        ck_assert_msg(!known || found == expected[k], "%s along %s: %lld", text, s->dims[k],
                      (long long)found);
    }
    finish(&f);
    arena_free(&arena);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

int main(void) {
    Suite *s = suite_create("model");
    TCase *t = tcase_create("model");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, tiles_fit, 0, NUM_SHAPES);
    tcase_add_loop_test(t, tiles_are_as_expected, 0, ROWS(choices));
    tcase_add_test(t, windows_leave_registers);
    tcase_add_test(t, describes);
    tcase_add_test(t, constants_share_the_caches);
    tcase_add_test(t, far_constants_are_one_run);
    tcase_add_loop_test(t, lanes_follow_the_layout, 0, ROWS(walked));
    tcase_add_test(t, cuts_cover);
    tcase_add_loop_test(t, packs_what_it_can, 0, ROWS(packs));
    tcase_add_loop_test(t, folds_where_memory_goes_on, 0, ROWS(folds));
    tcase_add_loop_test(t, strides_are_those_of_the_layout, 0, ROWS(strides));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
