/* Chains of statements in strips: what becomes one, with rings of as many rows as are alive;
 * what does not; schedules with strips that are wrong are refused by name. */
#include "polyhedral/poly.h"
#include "tests/unit/poly_bench.h"
#include "tests/unit/poly_machines.h"
#include "tests/unit/poly_run.h"

struct fixture {
    struct bench b;
    struct loops *loops;
    struct ast *naive; // made before layouts were
    struct poly *poly;
};

static void start(struct fixture *f, const char *text, const struct target *target) {
    memset(f, 0, sizeof *f);
    bench_start(&f->b);
    f->b.diag.remarks = REMARK_PASSED | REMARK_ANALYSIS;
    f->loops = bench_loops(&f->b, text);
    f->naive = ast_from_loops(&f->b.compile, f->loops);
    f->poly = poly_import(f->loops, &f->b.diag);
    ck_assert_msg(poly_bounds(f->poly) && poly_depend(f->poly), "%s\n%s",
                  str_cstr(&f->b.messages), text);
    poly_target(f->poly, target);
}

static void finish(struct fixture *f) {
    poly_free(f->poly);
    ast_free(f->naive);
    loops_free(f->loops);
    bench_end(&f->b);
}

/* ---- what holds of all ---- */

/* The schedule is proven, and computes what the loops say. */
static void check_same(struct fixture *f, bool strict, const char *name) {
    ck_assert_msg(poly_certify(f->poly), "%s: %s", name, str_cstr(&f->b.messages));
    ck_assert_msg(loops_check(f->loops, &f->b.diag), "%s: %s", name, str_cstr(&f->b.messages));
    struct ast *mine = ast_from_poly(f->poly, &f->b.names, strict);
    ck_assert_msg(ast_check(mine, &f->b.diag), "%s: %s", name, str_cstr(&f->b.messages));
    ck_assert_msg(mine->macs == f->naive->macs, "%s: another number of macs", name);
    run_pair(f->naive, mine, !strict, name);
    ast_free(mine);
    struct poly_figures figures = poly_figures(f->poly);
    ck_assert_msg(figures.quota_hits == 0 && figures.fallbacks == 0 && figures.unproven == 0,
                  "%s", name);
}

/* Rows of the strips in which these statements run, as the remark names them; 0: in none. */
static int rows_of(struct fixture *f, const char *stmts) {
    static const char words[] = " run in strips of ";
    const char *said = strstr(str_cstr(&f->b.messages), stmts);
    const char *at = said ? strstr(said, words) : NULL;
    bool same_line = at && !memchr(said, '\n', (size_t)(at - said));
    return same_line ? (int)strtol(at + strlen(words), NULL, 10) : 0;
}

/* Strips are taken when they are faster than one nest after the other, or nearly as fast. */
static void check_bought(struct fixture *f, const char *stmts, const char *name) {
    const char *said = arena_printf(&f->b.arena, "the strips of %s: ", stmts);
    const char *at = strstr(str_cstr(&f->b.messages), said);
    double strips, alone;
    ck_assert_msg(at &&
                      sscanf(at + strlen(said), "%lf ms predicted, %lf ms one after the other",
                             &strips, &alone) == 2,
                  "%s: %s", name, str_cstr(&f->b.messages));
    ck_assert_msg(strips > 0 && strips <= alone, "%s: %f > %f", name, strips, alone);
}

/* How many indices of dimension d the array has room for; 0: all. */
static int64_t room_of(const struct fixture *f, int array, int d) {
    const struct array *a = &f->loops->arrays.data[array];
    int64_t room = 0;
    for (int k = 0; k < a->layout_rank; k++)
        if (a->layout[k].dim == d)
            room = a->layout[k].mod;
    return room;
}

/* ---- blocks of a window between two products ---- */

/* 8 channels of h x w become 24 become 16. The window of k x k steps by s, its points lie d
 * apart, and it begins p rows and columns before the first. */
struct block {
    const char *name;
    int h, w, k, s, d, p;
};

static const struct block blocks[] = {
    {"a window of 3", 16, 16, 3, 1, 1, 1},
    {"of 3, by 2", 16, 16, 3, 2, 1, 1},
    {"of 5, odd extents", 17, 13, 5, 1, 1, 2},
    {"of 5, by 2, odd extents", 23, 9, 5, 2, 1, 2},
    {"of points 2 apart", 16, 16, 3, 1, 2, 2},
    {"of points 2 apart, by 3", 21, 11, 3, 3, 2, 0},
    {"of points 3 apart, by 2", 33, 5, 3, 2, 3, 1},
    {"of one, by 2", 16, 16, 1, 2, 1, 0},
    {"of one, by 3", 33, 7, 1, 3, 1, 0},
    {"of two", 16, 16, 2, 1, 1, 0},
    {"rows that nobody reads at the end", 12, 12, 3, 2, 1, 0},
    {"rows that nobody reads between", 19, 4, 2, 4, 1, 0},
    {"more padding than rows are read", 64, 3, 3, 1, 4, 8},
    {"one column", 200, 1, 3, 1, 1, 1},
};

static int block_extent(const struct block *b, int n) {
    return (n + 2 * b->p - b->d * (b->k - 1) - 1) / b->s + 1;
}

static const char *block_text(struct arena *a, const struct block *b) {
    int oh = block_extent(b, b->h), ow = block_extent(b, b->w);
    const char *y = arena_printf(a, "y * %d + r * %d - %d", b->s, b->d, b->p);
    const char *x = arena_printf(a, "x * %d + s * %d - %d", b->s, b->d, b->p);
    return arena_printf(
        a,
        "loops \"t\"\ninput a0: f32[8,%d,%d]\nconst a1: f32[24,8] = #\ntemp a2: f32[24,%d,%d]\n"
        "const a3: f32[24,%d,%d] = #\ntemp a4: f32[24,%d,%d]\nconst a5: f32[16,24] = #\n"
        "output a6: f32[16,%d,%d]\n"
        "S0[c,y,x: 24,%d,%d]: a2[c,y,x] = max(reduce(add, [k: 8], a0[k,y,x] * a1[c,k]), 0.0)\n"
        "S1[c,y,x: 24,%d,%d]: a4[c,y,x] = max(reduce(add, [r,s: %d,%d], (a2[c,%s,%s] if 0 <= "
        "%s < %d && 0 <= %s < %d else 0.0) * a3[c,r,s]), 0.0)\n"
        "S2[c,y,x: 16,%d,%d]: a6[c,y,x] = reduce(add, [k: 24], a4[k,y,x] * a5[c,k])\n",
        b->h, b->w, b->h, b->w, b->k, b->k, oh, ow, oh, ow, b->h, b->w, oh, ow, b->k, b->k, y,
        x, y, b->h, x, b->w, oh, ow);
}

/* Rows of the array between the first two that are alive at once, in strips of `rows`, when it
 * is folded along a dimension of the planes; along the channels, as many as a strip has. */
static int64_t block_rows(const struct block *b, int d, int64_t rows) {
    return d == 0 ? rows : b->s * (rows - 1) + b->d * (b->k - 1) + 1;
}

static void check_block(struct fixture *f, const struct block *b, bool strict) {
    int rows = rows_of(f, "S0, S1"), folded = 0;
    bool all = rows_of(f, "S0, S1, S2") > 0;
    ck_assert_msg(rows > 0, "%s, strict %d: no strips; %s", b->name, strict,
                  str_cstr(&f->b.messages));
    for (int d = 0; d < 3; d++) {
        int64_t extent = d == 0 ? 24 : d == 1 ? b->h : b->w, room = room_of(f, 2, d);
        folded += room > 0;
        ck_assert_msg(room == 0 || room == block_rows(b, d, rows),
                      "%s: room for %lld rows in strips of %d", b->name, (long long)room, rows);
        ck_assert(room < extent);
        ck_assert_msg(room_of(f, 4, d) == (all && room ? rows : 0),
                      "%s: room for %lld rows before the last", b->name,
                      (long long)room_of(f, 4, d));
    }
    ck_assert_msg(folded == 1, "%s: %d dimensions are folded", b->name, folded);
}

START_TEST(blocks_run_in_strips) {
    const struct block *b = &blocks[_i];
    for (int strict = 0; strict < 2; strict++) {
        struct fixture f;
        struct arena arena = {0};
        start(&f, block_text(&arena, b), &distant);
        poly_layout(f.poly, strict);
        poly_schedule(f.poly, strict, true);
        check_block(&f, b, strict);
        check_same(&f, strict, b->name);
        finish(&f);
        arena_free(&arena);
    }
}
END_TEST

/* ---- other chains ---- */

/* Sums of 3 x 3, of which there are two rows and columns fewer. */
#define BOX(from) "reduce(add, [r,s: 3,3], " from "[y + r,x + s])"

/* Which statements run in strips, and how many rows there is room for in arrays between them,
 * along one dimension: as many as a strip of the last statement has, times, plus; 0, 0: all. */
static const struct {
    const char *name, *text, *stmts;
    struct {
        int array, times, plus;
    } rings[2];
} chains[] = {
    {"windows of windows",
     "loops \"t\"\ninput a0: f32[40,60]\ntemp a1: f32[40,60]\ntemp a2: f32[38,58]\n"
     "output a3: f32[36,56]\nS0[y,x: 40,60]: a1[y,x] = a0[y,x] * 2.0\n"
     "S1[y,x: 38,58]: a2[y,x] = " BOX("a1") "\nS2[y,x: 36,56]: a3[y,x] = " BOX("a2") "\n",
     "S0, S1, S2",
     {{1, 1, 2}, {2, 1, 2}}},
    {"rows that are read again at the end wait",
     "loops \"t\"\ninput a0: f32[40,60]\ntemp a1: f32[40,60]\ntemp a2: f32[38,58]\n"
     "output a3: f32[36,56]\nS0[y,x: 40,60]: a1[y,x] = a0[y,x] * 2.0\n"
     "S1[y,x: 38,58]: a2[y,x] = " BOX("a1") "\nS2[y,x: 36,56]: a3[y,x] = " BOX(
         "a2") " + a1[y,x]\n",
     "S0, S1, S2",
     {{1, 1, 4}, {2, 1, 2}}},
    {"rows of which a later one reads further on",
     "loops \"t\"\ninput a0: f32[40,60]\ntemp a1: f32[40,60]\ntemp a2: f32[38,58]\n"
     "output a3: f32[36,56]\nS0[y,x: 40,60]: a1[y,x] = a0[y,x] * 2.0\n"
     "S1[y,x: 38,58]: a2[y,x] = " BOX("a1") "\n"
                                            "S2[y,x: 36,56]: a3[y,x] = reduce(add, [r,s: 2,2], "
                                            "a2[y + r,x + s]) * a1[y + 4,x + 4]\n",
     "S0, S1, S2",
     {{1, 1, 3}, {2, 1, 1}}},
    {"an array that is read later as well is whole",
     "loops \"t\"\ninput a0: f32[40,60]\ntemp a1: f32[40,60]\ntemp a2: f32[38,58]\n"
     "output a3: f32[36,56]\noutput a4: f32[1]\nS0[y,x: 40,60]: a1[y,x] = a0[y,x] * 2.0\n"
     "S1[y,x: 38,58]: a2[y,x] = " BOX("a1") "\nS2[y,x: 36,56]: a3[y,x] = " BOX(
         "a2") "\nS3[i: 1]: a4[i] = reduce(add, [y,x: 40,60], a1[y,x])\n",
     "S1, S2",
     {{1, 0, 0}, {2, 1, 2}}},
    {"an output is whole",
     "loops \"t\"\ninput a0: f32[40,60]\noutput a1: f32[40,60]\ntemp a2: f32[38,58]\n"
     "output a3: f32[36,56]\nS0[y,x: 40,60]: a1[y,x] = a0[y,x] * 2.0\n"
     "S1[y,x: 38,58]: a2[y,x] = " BOX("a1") "\nS2[y,x: 36,56]: a3[y,x] = " BOX("a2") "\n",
     "S1, S2",
     {{1, 0, 0}, {2, 1, 2}}},
    {"the largest of 3 x 3 by 2, of rows of an odd number",
     "loops \"t\"\ninput a0: f32[41,61]\ntemp a1: f32[41,61]\noutput a2: f32[20,30]\n"
     "S0[y,x: 41,61]: a1[y,x] = exp(a0[y,x])\n"
     "S1[y,x: 20,30]: a2[y,x] = reduce(max, [r,s: 3,3], a1[y * 2 + r,x * 2 + s])\n",
     "S0, S1",
     {{1, 2, 1}}},
    {"three dimensions",
     "loops \"t\"\ninput a0: f32[12,14,15]\ntemp a1: f32[12,14,15]\noutput a2: f32[11,13,14]\n"
     "S0[z,y,x: 12,14,15]: a1[z,y,x] = exp(a0[z,y,x])\n"
     "S1[z,y,x: 11,13,14]: a2[z,y,x] = reduce(add, [q,r,s: 2,2,2], a1[z + q,y + r,x + s])\n",
     "S0, S1",
     {{1, 1, 1}}},
    {"two arrays that one reads",
     "loops \"t\"\ninput a0: f32[40,60]\ntemp a1: f32[40,60]\ntemp a2: f32[40,60]\n"
     "output a3: f32[38,58]\nS0[y,x: 40,60]: a1[y,x] = exp(a0[y,x])\n"
     "S1[y,x: 40,60]: a2[y,x] = tanh(a0[y,x])\n"
     "S2[y,x: 38,58]: a3[y,x] = " BOX("a1") " * a2[y,x]\n",
     "S0, S1, S2",
     {{1, 1, 2}, {2, 1, 0}}},
};

/* The one dimension that is folded has that many rows, or all are whole. */
static void check_ring(const struct fixture *f, int array, int64_t rows, const char *name) {
    const struct array *a = &f->loops->arrays.data[array];
    int folded = 0;
    for (int d = 0; d < a->rank; d++) {
        int64_t room = room_of(f, array, d);
        folded += room > 0;
        ck_assert_msg(room == 0 || room == rows, "%s: room for %lld rows of %s, not %lld", name,
                      (long long)room, a->name, (long long)rows);
    }
    ck_assert_msg(folded == (rows > 0), "%s: %d dimensions of %s are folded", name, folded,
                  a->name);
}

START_TEST(chains_have_rings) {
    const char *name = chains[_i].name;
    for (int strict = 0; strict < 2; strict++) {
        struct fixture f;
        start(&f, chains[_i].text, &distant);
        poly_layout(f.poly, strict);
        poly_schedule(f.poly, strict, true);
        int rows = rows_of(&f, chains[_i].stmts);
        ck_assert_msg(rows > 0, "%s: no strips; %s", name, str_cstr(&f.b.messages));
        check_bought(&f, chains[_i].stmts, name);
        for (int k = 0; k < 2 && chains[_i].rings[k].array; k++)
            check_ring(&f, chains[_i].rings[k].array,
                       chains[_i].rings[k].times * rows + chains[_i].rings[k].plus, name);
        check_same(&f, strict, name);
        finish(&f);
    }
}
END_TEST

/* ---- none ---- */

/* Statements of which none runs in strips with another; with `others`, these do. */
static const struct {
    const char *name, *text, *others;
} apart[] = {
    {"a sum of all rows",
     "loops \"t\"\ninput a0: f32[16,20,20]\ntemp a1: f32[16,20,20]\ninput a2: f32[64]\n"
     "output a3: f32[64]\nS0[k,y,x: 16,20,20]: a1[k,y,x] = exp(a0[k,y,x])\n"
     "S1[c: 64]: a3[c] = reduce(add, [k,y,x: 16,20,20], a1[k,y,x]) * a2[c]\n",
     NULL},
    {"softmax over all rows",
     "loops \"t\"\ninput a0: f32[900]\ntemp a1: f32[900]\ntemp a2: f32[1]\ntemp a3: f32[900]\n"
     "temp a4: f32[1]\noutput a5: f32[900]\nS0[y: 900]: a1[y] = a0[y] * 0.5\n"
     "S1[i: 1]: a2[i] = reduce(max, [y: 900], a1[y])\n"
     "S2[y: 900]: a3[y] = exp(a1[y] - a2[0])\n"
     "S3[i: 1]: a4[i] = reduce(add, [y: 900], a3[y])\n"
     "S4[y: 900]: a5[y] = a3[y] / a4[0]\n",
     NULL},
    {"rows that are read backwards",
     "loops \"t\"\ninput a0: f32[40,60]\ntemp a1: f32[40,60]\ninput a2: f32[60,24]\n"
     "output a3: f32[40,24]\nS0[y,x: 40,60]: a1[y,x] = exp(a0[y,x])\n"
     "S1[y,j: 40,24]: a3[y,j] = reduce(add, [k: 60], a1[39 - y,k] * a2[k,j])\n",
     NULL},
    {"rows that an index chooses",
     "loops \"t\"\ninput a0: f32[40,60]\ntemp a1: f32[40,60]\ninput a2: f32[60,24]\n"
     "input a3: i64[40]\noutput a4: f32[40,24]\nS0[y,x: 40,60]: a1[y,x] = exp(a0[y,x])\n"
     "S1[y,j: 40,24]: a4[y,j] = reduce(add, [k: 60], a1[clamp(a3[y], 0, 39),k] * a2[k,j])\n",
     NULL},
    {"a read along a diagonal",
     "loops \"t\"\ninput a0: f32[40,40]\ntemp a1: f32[40,40]\noutput a2: f32[40,24]\n"
     "input a3: f32[24]\nS0[y,x: 40,40]: a1[y,x] = exp(a0[y,x])\n"
     "S1[y,j: 40,24]: a2[y,j] = a1[y,y] * a3[j]\n",
     NULL},
    {"a weight that all rows need",
     "loops \"t\"\ninput a0: f32[64,24]\ntemp a1: f32[64,24]\ninput a2: f32[40,64]\n"
     "output a3: f32[40,24]\nS0[k,j: 64,24]: a1[k,j] = exp(a0[k,j])\n"
     "S1[y: 40]: a3[y,0] = reduce(add, [k,j: 64,24], a2[y,k] * a1[k,j])\n"
     "S2[y,j: 40,23]: a3[y,j + 1] = 0.0\n",
     NULL},
    {"two that go at different speeds",
     "loops \"t\"\ninput a0: f32[80,120]\ntemp a1: f32[80,120]\ntemp a2: f32[40,60]\n"
     "output a3: f32[38,58]\nS0[y,x: 80,120]: a1[y,x] = exp(a0[y,x])\n"
     "S1[y,x: 40,60]: a2[y,x] = exp(a1[y * 2,x * 2])\n"
     "S2[y,x: 38,58]: a3[y,x] = " BOX("a2") " + a1[y,x]\n",
     "S1, S2"},
    {"two that write every second row",
     "loops \"t\"\ninput a0: f32[20,60]\ntemp a1: f32[40,60]\noutput a2: f32[40,60]\n"
     "S0[y,x: 20,60]: a1[y * 2,x] = exp(a0[y,x])\n"
     "S1[y,x: 20,60]: a1[y * 2 + 1,x] = tanh(a0[y,x])\n"
     "S2[y,x: 40,60]: a2[y,x] = reduce(add, [k: 60], a1[y,k]) * a0[0,x]\n",
     NULL},
    {"two that write parts of one array",
     "loops \"t\"\ninput a0: f32[4,40,60]\ninput a1: f32[6,40,60]\ntemp a2: f32[10,40,60]\n"
     "output a3: f32[8,38,58]\ninput a4: f32[8,10]\n"
     "S0[c,y,x: 4,40,60]: a2[c,y,x] = exp(a0[c,y,x])\n"
     "S1[c,y,x: 6,40,60]: a2[c + 4,y,x] = exp(a1[c,y,x])\n"
     "S2[c,y,x: 8,38,58]: a3[c,y,x] = reduce(add, [k,r,s: 10,3,3], a2[k,y + r,x + s] * "
     "a4[c,k])\n",
     NULL},
    {"steps of a seq",
     "loops \"t\"\ninput a0: f32[3,40,60]\ntemp a1: f32[3,40,60]\noutput a2: f32[3,38,58]\n"
     "seq t: 3 {\n    S0[y,x: 40,60]: a1[t,y,x] = exp(a0[t,y,x])\n"
     "    S1[y,x: 38,58]: a2[t,y,x] = reduce(add, [r,s: 3,3], a1[t,y + r,x + s])\n}\n",
     NULL},
    {"what a routine computes",
     "loops \"t\"\ninput a0: f32[8,16]\ntemp a1: f32[8,16]\ntemp a2: f32[8,2]\n"
     "temp a3: i64[8,2]\noutput a4: f32[8,2]\nS0[i,j: 8,16]: a1[i,j] = exp(a0[i,j])\n"
     "call topk(a1; a2, a3; 8, 1, 16, 1, 2, 1)\nS1[i,j: 8,2]: a4[i,j] = a2[i,j] + "
     "f32(a3[i,j])\n",
     NULL},
    {"an output in the storage of an input",
     "loops \"t\"\ninput a0: f32[40,60]\ntemp a1: f32[40,60]\noutput a2: f32[40,60] alias a0\n"
     "S0[y,x: 40,60]: a1[y,x] = exp(a0[y,x])\n"
     "S1[y,x: 40,60]: a2[y,x] = reduce(add, [r,s: 3,3], (a1[y + r - 1,x + s - 1] if 0 <= y + r "
     "- 1 < 40 && 0 <= x + s - 1 < 60 else 0.0))\n",
     NULL},
    {"rows of a symbolic number",
     "loops \"t\"\nsymbol N max 40\ninput a0: f32[N,N]\ntemp a1: f32[N,N]\noutput a2: "
     "f32[N,N]\n"
     "S0[y,x: N,N]: a1[y,x] = exp(a0[y,x])\n"
     "S1[y,x: N,N]: a2[y,x] = reduce(add, [r,s: 3,3], (a1[y + r - 1,x + s - 1] if 0 <= y + r "
     "- 1 < N && 0 <= x + s - 1 < N else 0.0))\n",
     NULL},
};

START_TEST(no_chain) {
    const char *name = apart[_i].name, *others = apart[_i].others;
    for (int strict = 0; strict < 2; strict++) {
        struct fixture f;
        start(&f, apart[_i].text, &distant);
        poly_layout(f.poly, strict);
        poly_schedule(f.poly, strict, true);
        const char *said = strstr(str_cstr(&f.b.messages), "run in strips");
        ck_assert_msg(!others == !said, "%s: %s", name, str_cstr(&f.b.messages));
        ck_assert_msg(!others || rows_of(&f, arena_printf(&f.b.arena, ": %s run", others)) > 0,
                      "%s: %s", name, str_cstr(&f.b.messages));
        check_same(&f, strict, name);
        finish(&f);
    }
}
END_TEST

/* Nor any where there are no vectors, or operators stay apart. */
START_TEST(no_chain_elsewhere) {
    static const struct {
        const struct target *target;
        bool across;
    } others[] = {{NULL, true}, {&no_vectors, true}, {&distant, false}, {&wide, false}};
    for (int k = 0; k < 4; k++) {
        struct fixture f;
        start(&f, chains[_i].text, others[k].target);
        poly_schedule(f.poly, false, others[k].across);
        ck_assert_msg(strstr(str_cstr(&f.b.messages), "run in strips") == NULL, "%s: %s",
                      chains[_i].name, str_cstr(&f.b.messages));
        for (int i = 0; i < f.loops->arrays.len; i++)
            ck_assert_int_eq(f.loops->arrays.data[i].layout_rank, 0);
        check_same(&f, false, chains[_i].name);
        finish(&f);
    }
}
END_TEST

/* ---- mutants ---- */

/* Strips of 2 rows: the first product, 3 x 3, the second product. */
#define BLOCK                                                                                  \
    "loops \"block\" file \"block.onnx\"\n"                                                    \
    "input a0: f32[4,8,6]\n"                                                                   \
    "input a1: f32[8,4]\n"                                                                     \
    "temp a2: f32[8,8,6] layout [1%4, 2, 0]\n"                                                 \
    "input a3: f32[8,3,3]\n"                                                                   \
    "temp a4: f32[8,8,6] layout [1%2, 2, 0]\n"                                                 \
    "input a5: f32[4,8]\n"                                                                     \
    "output a6: f32[4,8,6]\n"                                                                  \
    "S0[c,y,x: 8,8,6]: a2[c,y,x] = max(reduce(add, [k: 4], a0[k,y,x] * a1[c,k]), 0.0) @ "      \
    "\"expand\"\n"                                                                             \
    "S1[c,y,x: 8,8,6]: a4[c,y,x] = reduce(add, [r,s: 3,3], (a2[c,y + r - 1,x + s - 1] if 0 "   \
    "<= y + r - 1 < 8 && 0 <= x + s - 1 < 6 else 0.0) * a3[c,r,s]) @ \"depthwise\"\n"          \
    "S2[c,y,x: 4,8,6]: a6[c,y,x] = reduce(add, [k: 8], a4[k,y,x] * a5[c,k]) @ \"project\"\n"   \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[c, y, x] : 0 <= c <= 7 and 0 <= y <= 7 and 0 <= x <= 5; S1[c, y, x] : 0 "  \
    "<= c <= 7 and 0 <= y <= 7 and 0 <= x <= 5; S2[c, y, x] : 0 <= c <= 3 and 0 <= y <= 7 "    \
    "and 0 <= x <= 5 }\"\n"                                                                    \
    "child:\n"                                                                                 \
    "  schedule: \"[{ S0[c, y, x] -> [(floor((-1 + y)/2))]; S1[c, y, x] -> [(floor((y)/2))]; " \
    "S2[c, y, x] -> [(floor((y)/2))] }]\"\n"                                                   \
    "  child:\n"                                                                               \
    "    sequence:\n" EXPAND DEPTHWISE PROJECT

#define TILES(stmt)                                                                            \
    "    - filter: \"{ " stmt " }\"\n"                                                         \
    "      child:\n"                                                                           \
    "        schedule: \"[{ " stmt " -> [(y)] }]\"\n"                                          \
    "        child:\n"                                                                         \
    "          mark: \"vector tile lanes\"\n"                                                  \
    "          child:\n"                                                                       \
    "            schedule: \"[{ " stmt " -> [(x)] }, { " stmt " -> [(c)] }]\"\n"
#define EXPAND    TILES("S0[c, y, x]")
#define DEPTHWISE TILES("S1[c, y, x]")
#define PROJECT   TILES("S2[c, y, x]")

/* Row by row, windows of 3 rows: the last adds the first's row, which waits for it. */
#define WAITS                                                                                  \
    "loops \"waits\" file \"waits.onnx\"\n"                                                    \
    "input a0: f32[12,8]\n"                                                                    \
    "temp a1: f32[12,8] layout [0%5, 1]\n"                                                     \
    "temp a2: f32[10,8] layout [0%3, 1]\n"                                                     \
    "output a3: f32[8,8]\n"                                                                    \
    "S0[y,x: 12,8]: a1[y,x] = exp(a0[y,x]) @ \"exp\"\n"                                        \
    "S1[y,x: 10,8]: a2[y,x] = reduce(add, [r: 3], a1[y + r,x]) @ \"pool\"\n"                   \
    "S2[y,x: 8,8]: a3[y,x] = reduce(add, [r: 3], a2[y + r,x]) + a1[y,x] @ \"add\"\n"           \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[y, x] : 0 <= y <= 11 and 0 <= x <= 7; S1[y, x] : 0 <= y <= 9 and 0 <= x "  \
    "<= 7; S2[y, x] : 0 <= y <= 7 and 0 <= x <= 7 }\"\n"                                       \
    "child:\n"                                                                                 \
    "  schedule: \"[{ S0[y, x] -> [(-4 + y)]; S1[y, x] -> [(-2 + y)]; S2[y, x] -> [(y)] "      \
    "}]\"\n"                                                                                   \
    "  child:\n"                                                                               \
    "    sequence:\n"                                                                          \
    "    - filter: \"{ S0[y, x] }\"\n"                                                         \
    "    - filter: \"{ S1[y, x] }\"\n"                                                         \
    "    - filter: \"{ S2[y, x] }\"\n"

/* Of the two rows of a strip the first goes where a later row of the same window comes: each is
 * free when it is written, but not all that the window needs is behind it. */
#define ODD                                                                                    \
    "loops \"odd\" file \"odd.onnx\"\n"                                                        \
    "input a0: f32[4,9]\n"                                                                     \
    "temp a1: f32[4,9] layout [0, 1%3]\n"                                                      \
    "output a2: f32[4]\n"                                                                      \
    "S0[c,y: 4,9]: a1[c,y] = exp(a0[c,y]) @ \"exp\"\n"                                         \
    "S1[y: 4]: a2[y] = reduce(add, [k,r: 4,3], a1[k,y * 2 + r]) @ \"sum\"\n"                   \
    "schedule 0\n"                                                                             \
    "domain: \"{ S0[c, y] : 0 <= c <= 3 and 0 <= y <= 8; S1[y] : 0 <= y <= 3 }\"\n"            \
    "child:\n"                                                                                 \
    "  schedule: \"[{ S0[c, y] -> [(floor((-1 + y)/2))]; S1[y] -> [(y)] }]\"\n"                \
    "  child:\n"                                                                               \
    "    sequence:\n"                                                                          \
    "    - filter: \"{ S0[c, y] }\"\n"                                                         \
    "      child:\n"                                                                           \
    "        schedule: \"[{ S0[c, y] -> [(c)] }]\"\n"                                          \
    "        child:\n"                                                                         \
    "          schedule: \"[{ S0[c, y] -> [(y)] }]\"\n"                                        \
    "    - filter: \"{ S1[y] }\"\n"                                                            \
    "      child:\n"                                                                           \
    "        schedule: \"[{ S1[y] -> [(y)] }]\"\n"

/* What of the text becomes what, and the message that names what is wrong; NULL: nothing is. */
static const struct {
    const char *name, *text, *from, *to, *message;
} mutants[] = {
    {"nothing changed", BLOCK, "", "", NULL},
    {"a ring one row short", BLOCK, "[1%4, 2, 0]", "[1%3, 2, 0]",
     "block.onnx:depthwise: error: S1: S0 may overwrite what it reads of a2"},
    {"the second ring one row short", BLOCK, "[1%2, 2, 0]", "[1%1, 2, 0]",
     "block.onnx:project: error: S2: S1 may overwrite what it reads of a4"},
    {"rings one row longer", BLOCK, "[1%4, 2, 0]", "[1%5, 2, 0]", NULL},
    {"a ring of columns", BLOCK, "[1%4, 2, 0]", "[1, 2%4, 0]",
     "block.onnx:depthwise: error: S1: S0 may overwrite what it reads of a2"},
    {"a ring of channels", BLOCK, "[1%2, 2, 0]", "[1, 2, 0%4]",
     "block.onnx:project: error: S2: S1 may overwrite what it reads of a4"},
    {"the producer a strip late", BLOCK, "(floor((-1 + y)/2))", "(1 + floor((-1 + y)/2))",
     "block.onnx:depthwise: error: S1: does not run after S0, though it reads what that writes "
     "of a2"},
    {"the producer a strip early", BLOCK, "(floor((-1 + y)/2))", "(-1 + floor((-1 + y)/2))",
     "block.onnx:depthwise: error: S1: S0 may overwrite what it reads of a2"},
    {"the halo's row a strip late", BLOCK, "(floor((-1 + y)/2))", "(floor((y)/2))",
     "block.onnx:depthwise: error: S1: does not run after S0, though it reads what that writes "
     "of a2 (S0 at c=0, y=2, x=0; S1 at c=0, y=1, x=0)"},
    {"a row too early", BLOCK, "(floor((-1 + y)/2))", "(floor((-2 + y)/2))",
     "block.onnx:depthwise: error: S1: S0 may overwrite what it reads of a2"},
    {"the window a strip early", BLOCK, "S1[c, y, x] -> [(floor((y)/2))]",
     "S1[c, y, x] -> [(-1 + floor((y)/2))]",
     "block.onnx:depthwise: error: S1: does not run after S0"},
    {"the window a strip late", BLOCK, "S1[c, y, x] -> [(floor((y)/2))]",
     "S1[c, y, x] -> [(1 + floor((y)/2))]",
     "block.onnx:project: error: S2: does not run after S1, though it reads what that writes "
     "of "
     "a4 (S1 at c=0, y=0, x=0; S2 at c=0, y=0, x=0)"},
    {"the last a strip early", BLOCK, "S2[c, y, x] -> [(floor((y)/2))]",
     "S2[c, y, x] -> [(-1 + floor((y)/2))]",
     "block.onnx:project: error: S2: does not run after S1"},
    {"the last a strip late", BLOCK, "S2[c, y, x] -> [(floor((y)/2))]",
     "S2[c, y, x] -> [(1 + floor((y)/2))]",
     "block.onnx:project: error: S2: S1 may overwrite what it reads of a4"},
    {"another order in the strip", BLOCK, DEPTHWISE PROJECT, PROJECT DEPTHWISE,
     "block.onnx:project: error: S2: does not run after S1"},
    {"the producer last in the strip", BLOCK, EXPAND DEPTHWISE PROJECT,
     DEPTHWISE PROJECT EXPAND, "block.onnx:depthwise: error: S1: does not run after S0"},
    {"strips of 4 rows of the producer", BLOCK, "(floor((-1 + y)/2))", "(floor((-1 + y)/4))",
     "block.onnx:depthwise: error: S1: S0 may overwrite what it reads of a2"},
    {"strips of 1 row of the producer", BLOCK, "(floor((-1 + y)/2))", "(-1 + y)",
     "block.onnx:depthwise: error: S1: does not run after S0"},
    {"strips of 4 rows of the last", BLOCK, "S2[c, y, x] -> [(floor((y)/2))]",
     "S2[c, y, x] -> [(floor((y)/4))]", "block.onnx:project: error: S2: does not run after S1"},
    {"strips of 3 rows of all", BLOCK,
     "[(floor((-1 + y)/2))]; S1[c, y, x] -> [(floor((y)/2))]; S2[c, y, x] -> [(floor((y)/2))]",
     "[(floor((-1 + y)/3))]; S1[c, y, x] -> [(floor((y)/3))]; S2[c, y, x] -> [(floor((y)/3))]",
     "block.onnx:depthwise: error: S1: S0 may overwrite what it reads of a2"},
    {"strips of columns of the producer", BLOCK, "(floor((-1 + y)/2))", "(floor((-1 + x)/2))",
     "block.onnx:depthwise: error: S1: does not run after S0"},
    {"the first strip left out", BLOCK, "{ S0[c, y, x] }", "{ S0[c, y, x] : y >= 1 }",
     "block.onnx:expand: error: S0: the schedule leaves some instances out"},
    {"the last strip left out", BLOCK, "{ S2[c, y, x] }", "{ S2[c, y, x] : y <= 5 }",
     "block.onnx:project: error: S2: the schedule leaves some instances out"},
    {"the halo's rows left out", BLOCK, "{ S0[c, y, x] }", "{ S0[c, y, x] : (y) mod 2 = 0 }",
     "block.onnx:expand: error: S0: the schedule leaves some instances out"},
    {"a strip twice", BLOCK, EXPAND, EXPAND EXPAND,
     "block.onnx:expand: error: S0: the schedule runs an instance twice"},
    {"a strip of rows that do not exist", BLOCK, "0 <= y <= 7 and 0 <= x <= 5; S1",
     "-1 <= y <= 7 and 0 <= x <= 5; S1",
     "block.onnx:expand: error: S0: the schedule runs instances that do not exist"},
    {"no strips", BLOCK,
     "  schedule: \"[{ S0[c, y, x] -> [(floor((-1 + y)/2))]; S1[c, y, x] -> [(floor((y)/2))]; "
     "S2[c, y, x] -> [(floor((y)/2))] }]\"\n  child:\n",
     "", "block.onnx:depthwise: error: S1: S0 may overwrite what it reads of a2"},
    {"rows that wait", WAITS, "", "", NULL},
    {"rows that do not wait", WAITS, "0%5", "0%4",
     "waits.onnx:add: error: S2: S0 may overwrite what it reads of a1"},
    {"rows that do not wait for the last strip", WAITS, "S2[y, x] -> [(y)]",
     "S2[y, x] -> [(1 + y)]",
     "waits.onnx:add: error: S2: S0 may overwrite what it reads of a1"},
    {"a ring between that is short", WAITS, "0%3", "0%2",
     "waits.onnx:add: error: S2: S1 may overwrite what it reads of a2"},
    {"the first a row late", WAITS, "(-4 + y)", "(-3 + y)",
     "waits.onnx:pool: error: S1: does not run after S0, though it reads what that writes of "
     "a1 "
     "(S0 at y=2, x=0; S1 at y=0, x=0)"},
    {"a ring that is no multiple of the strip", ODD, "", "", NULL},
    {"one of two rows", ODD, "1%3", "1%2",
     "odd.onnx:sum: error: S1: S0 may overwrite what it reads of a1"},
    {"rows of a strip backwards", ODD, "S0[c, y] -> [(y)]", "S0[c, y] -> [(-y)]", NULL},
    {"strips that lose the halo", ODD, "S0[c, y] -> [(floor((-1 + y)/2))]",
     "S0[c, y] -> [(floor((y)/2))]", "odd.onnx:sum: error: S1: does not run after S0"},
};

/* The text without the layouts of rings. */
static struct loops *whole_loops(struct bench *b, const char *text) {
    struct str plain = {0};
    for (const char *end = text + poly_find_schedule(text, strlen(text)); text < end; text++) {
        const char *skip = strncmp(text, " layout [", 9) == 0 ? strchr(text, ']') : NULL;
        text = skip ? skip + 1 : text;
        str_addf(&plain, "%c", *text);
    }
    struct loops *l = read_loops(b, str_cstr(&plain), plain.len);
    str_free(&plain);
    return l;
}

/* A schedule that was read computes what the loops say. */
static void check_read(struct bench *b, struct poly *p, const char *text, const char *name) {
    struct loops *whole = whole_loops(b, text);
    struct ast *naive = ast_from_loops(&b->compile, whole);
    for (int strict = 0; strict < 2; strict++) {
        struct ast *mine = ast_from_poly(p, &b->names, strict);
        ck_assert_msg(ast_check(mine, &b->diag), "%s: %s", name, str_cstr(&b->messages));
        run_pair(naive, mine, !strict, name);
        ast_free(mine);
    }
    ast_free(naive);
    loops_free(whole);
}

START_TEST(mutant_is_refused) {
    struct bench b;
    struct loops *l;
    const char *name = mutants[_i].name, *message = mutants[_i].message;
    bench_start(&b);
    const char *text =
        bench_replace(&b, mutants[_i].text, "", mutants[_i].from, mutants[_i].to);
    struct poly *p = bench_poly(&b, text, &narrow, &l);
    bool accepted = p && poly_certify(p);
    ck_assert_msg(accepted == (message == NULL), "%s: %s%s", name, accepted ? "accepted" : "",
                  str_cstr(&b.messages));
    ck_assert_msg(!message || strstr(str_cstr(&b.messages), message) != NULL, "%s: %s", name,
                  str_cstr(&b.messages));
    ck_assert_int_eq(b.diag.errors > 0, message != NULL);
    if (accepted)
        check_read(&b, p, text, name);
    poly_free(p);
    if (l)
        loops_free(l);
    bench_end(&b);
}
END_TEST

#define LENGTH(table) (int)(sizeof(table) / sizeof *(table))

int main(void) {
    Suite *s = suite_create("strip");
    TCase *t = tcase_create("strip");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, blocks_run_in_strips, 0, LENGTH(blocks));
    tcase_add_loop_test(t, chains_have_rings, 0, LENGTH(chains));
    tcase_add_loop_test(t, no_chain, 0, LENGTH(apart));
    tcase_add_loop_test(t, no_chain_elsewhere, 0, LENGTH(chains));
    tcase_add_loop_test(t, mutant_is_refused, 0, LENGTH(mutants));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
