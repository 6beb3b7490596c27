/* Loops as sets and maps: small programs are accepted, and each mutant of one is refused by
 * naming the statement, the array and an element or point. Quota and leaks of isl are noticed.
 */
#include "polyhedral/poly.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>

struct bench {
    struct arena arena;
    struct intern names;
    struct str messages;
    struct diag diag;
};

static void bench_start(struct bench *b) {
    *b = (struct bench){.names = {.arena = NULL}};
    b->names.arena = &b->arena;
    b->diag.sink = &b->messages;
    b->diag.remarks = REMARK_MISSED | REMARK_ANALYSIS;
}

static void bench_end(struct bench *b) {
    str_free(&b->messages);
    intern_free(&b->names);
    arena_free(&b->arena);
}

/* Bounds, then dependences; what they say is in b->messages. */
static struct poly_figures prove(struct bench *b, const char *text, bool *ok) {
    struct loops *l = loops_read("t.loops", text, strlen(text), &b->names, NULL, &b->diag);
    ck_assert_msg(l != NULL, "%s\n%s", str_cstr(&b->messages), text);
    struct poly *p = poly_import(l, &b->diag);
    *ok = poly_bounds(p);
    *ok = poly_depend(p) && *ok;
    if (*ok) {
        poly_schedule(p, true, true);
        *ok = poly_certify(p);
    }
    struct poly_figures f = poly_figures(p);
    poly_free(p);
    loops_free(l);
    return f;
}

/* ---- programs that are right ---- */

#define NET                                                                                    \
    "loops \"net\" file \"net.onnx\"\n"                                                        \
    "input a0: f32[2,9,9] \"x\"\n"                                                             \
    "input a1: f32[4,2,3,3] \"w\"\n"                                                           \
    "temp a2: f32[4,9,9]\n"                                                                    \
    "temp a3: f32[4,4,4]\n"                                                                    \
    "temp a4: f32[8,4,4]\n"                                                                    \
    "view a5: f32[128] of a4\n"                                                                \
    "input a6: f32[10,128] \"v\"\n"                                                            \
    "output a7: f32[10] \"y\"\n"                                                               \
    "S0[c,y,x: 4,9,9]: a2[c,y,x] = reduce(add, [k,r,s: 2,3,3], (a0[k,y + r - 1,x + s - 1] if " \
    "0 <= y + r - 1 < 9 && 0 <= x + s - 1 < 9 else 0.0) * a1[c,k,r,s]) @ \"conv\"\n"           \
    "S1[c,y,x: 4,4,4]: a3[c,y,x] = reduce(max, [r,s: 2,2], a2[c,y * 2 + r,x * 2 + s]) @ "      \
    "\"pool\"\n"                                                                               \
    "S2[c,y,x: 4,4,4]: a4[c,y,x] = a3[c,y,x] @ \"concat\"\n"                                   \
    "S3[c,y,x: 4,4,4]: a4[c + 4,y,x] = max(a3[c,y,x], 0.0) @ \"concat\"\n"                     \
    "S4[o: 10]: a7[o] = reduce(add, [k: 128], a5[k] * a6[o,k]) @ \"fc\"\n"

#define RNN                                                                                    \
    "loops \"rnn\" file \"rnn.onnx\"\n"                                                        \
    "input a0: f32[5,4]\n"                                                                     \
    "temp a1: f32[6,4]\n"                                                                      \
    "temp a2: f32[4]\n"                                                                        \
    "output a3: f32[4]\n"                                                                      \
    "S0[i: 4]: a1[0,i] = 0.0\n"                                                                \
    "seq t: 5 {\n"                                                                             \
    "    S1[i: 4]: a2[i] = a0[t,i] * 2.0\n"                                                    \
    "    S2[i: 4]: a1[t + 1,i] = a1[t,i] + a2[i]\n"                                            \
    "}\n"                                                                                      \
    "S3[i: 4]: a3[i] = a1[5,i]\n"

#define GATHER                                                                                 \
    "loops \"gather\" file \"gather.onnx\"\n"                                                  \
    "symbol N max 16\n"                                                                        \
    "input a0: i64[N]\n"                                                                       \
    "input a1: f32[4,3]\n"                                                                     \
    "output a2: f32[N,3]\n"                                                                    \
    "output a3: f32[N,3]\n"                                                                    \
    "output a4: f32[N]\n"                                                                      \
    "S0[i,j: N,3]: a2[i,j] = a1[check(a0[i], 0, 3),j]\n"                                       \
    "S1[i,j: N,3]: a3[i,j] = a1[clamp(a0[i], 0, 2) + 1,j]\n"                                   \
    "S2[i: N]: a4[i] = i < N - 1 ? a2[i + 1,0] : 0.0\n"

#define VIEWS                                                                                  \
    "loops \"views\" file \"views.onnx\"\n"                                                    \
    "input a0: f32[6,4]\n"                                                                     \
    "temp a1: f32[6,4]\n"                                                                      \
    "view a2: f32[4,6] of a1\n"                                                                \
    "output a3: f32[4,6]\n"                                                                    \
    "S0[i,j: 6,4]: a1[i,j] = a0[i,j]\n"                                                        \
    "S1[i,j: 4,6]: a3[i,j] = a2[i,j]\n"

#define BRANCH                                                                                 \
    "loops \"branch\" file \"branch.onnx\"\n"                                                  \
    "input a0: bool[1]\n"                                                                      \
    "temp a1: f32[4]\n"                                                                        \
    "temp a2: f32[4]\n"                                                                        \
    "output a3: f32[4]\n"                                                                      \
    "if a0[0] {\n"                                                                             \
    "    S0[i: 4]: a1[i] = 1.0\n"                                                              \
    "    S1[i: 4]: a2[i] = a1[i]\n"                                                            \
    "} else {\n"                                                                               \
    "    S2[i: 4]: a2[i] = 2.0\n"                                                              \
    "}\n"                                                                                      \
    "if a0[0] {\n"                                                                             \
    "    S3[i: 4]: a3[i] = a2[i]\n"                                                            \
    "} else {\n"                                                                               \
    "    require[]: false\n"                                                                   \
    "}\n"

#define CALL                                                                                   \
    "loops \"call\" file \"call.onnx\"\n"                                                      \
    "input a0: f32[1,8]\n"                                                                     \
    "temp a1: f32[1,3]\n"                                                                      \
    "temp a2: i64[1,3]\n"                                                                      \
    "output a3: f32[3]\n"                                                                      \
    "call topk(a0; a1, a2; 1, 1, 8, 3, 1, 1) @ \"top\"\n"                                      \
    "S0[i: 3]: a3[i] = a1[0,i] + f32(a2[0,2 - i])\n"

/* Two rows are kept of the state. */
#define RING                                                                                   \
    "loops \"ring\" file \"ring.onnx\"\n"                                                      \
    "input a0: f32[5,4]\n"                                                                     \
    "temp a1: f32[6,4] layout [0%2, 1]\n"                                                      \
    "output a2: f32[4]\n"                                                                      \
    "S0[i: 4]: a1[0,i] = 0.0\n"                                                                \
    "seq t: 5 {\n"                                                                             \
    "    S1[i: 4]: a1[t + 1,i] = a0[t,i] + reduce(max, [k: 4], a1[t,k])\n"                     \
    "}\n"                                                                                      \
    "S2[i: 4]: a2[i] = a1[5,i]\n"

#define ALIAS                                                                                  \
    "loops \"alias\" file \"alias.onnx\"\n"                                                    \
    "input a0: f32[4,2]\n"                                                                     \
    "temp a1: f32[4,2]\n"                                                                      \
    "output a2: f32[8] alias a0\n"                                                             \
    "S0[i,j: 4,2]: a1[i,j] = a0[3 - i,j]\n"                                                    \
    "S1[i,j: 4,2]: a2[i * 2 + j] = a0[i,j] + a1[i,j]\n"

static const struct {
    const char *text;
    int dependences, linear;
} accepted[] = {
    {NET, 6, 0},    {RNN, 7, 0},  {GATHER, 4, 0}, {VIEWS, 2, 1},
    {BRANCH, 4, 0}, {CALL, 3, 0}, {RING, 4, 0},   {ALIAS, 3, 0},
};

START_TEST(right_programs_are_proven) {
    struct bench b;
    bool ok;
    bench_start(&b);
    struct poly_figures f = prove(&b, accepted[_i].text, &ok);
    ck_assert_msg(ok && f.unproven == 0 && f.quota_hits == 0, "%s", str_cstr(&b.messages));
    ck_assert_int_eq(f.dependences, accepted[_i].dependences);
    ck_assert_int_eq(f.linear, accepted[_i].linear);
    bench_end(&b);
}
END_TEST

/* ---- mutants ---- */

/* In `text`, `from` becomes `to`; then proving says `message`. */
static const struct {
    const char *name, *text, *from, *to, *message;
} mutants[] = {
    {"guard one too high", NET, "0 <= y + r - 1 < 9", "0 <= y + r - 1 < 10",
     "net.onnx:conv: error: S0: a0[k,y + r - 1,x + s - 1] may be 9 in dimension 1, its extent "
     "is 9 (at c=0, y=8, x=0, k=0, r=2, s=1)\n"},
    {"guard one too low", NET, "0 <= x + s - 1", "-1 <= x + s - 1",
     "net.onnx:conv: error: S0: a0[k,y + r - 1,x + s - 1] may be -1 in dimension 2, its extent "
     "is 9 (at c=0, y=0, x=0, k=0, r=1, s=0)\n"},
    {"window too wide", NET, "a2[c,y * 2 + r,", "a2[c,y * 3 + r,",
     "net.onnx:pool: error: S1: a2[c,y * 3 + r,x * 2 + s] may be 9 in dimension 1"},
    {"array one row short", NET, "temp a2: f32[4,9,9]", "temp a2: f32[4,8,9]",
     "net.onnx:conv: error: S0: a2[c,y,x] may be 8 in dimension 1, its extent is 8"},
    {"indices swapped", NET, "a6[o,k]", "a6[k,o]",
     "net.onnx:fc: error: S4: a6[k,o] may be 10 in dimension 0, its extent is 10"},
    {"view read one further", NET, "a5[k]", "a5[k + 1]",
     "net.onnx:fc: error: S4: a5[k + 1] may be 128, its extent is 128 (at o=0, k=127)"},
    {"box one row short", NET, "S0[c,y,x: 4,9,9]", "S0[c,y,x: 4,7,9]",
     "net.onnx:pool: error: S1: reads a2[0,7,0], which no statement writes (at c=0, y=3, x=0)"},
    {"box one channel short under a view", NET, "S3[c,y,x: 4,4,4]", "S3[c,y,x: 3,4,4]",
     "net.onnx:fc: error: S4: reads a4[7,0,0], which no statement writes"},
    {"writer dropped", NET,
     "S3[c,y,x: 4,4,4]: a4[c + 4,y,x] = max(a3[c,y,x], 0.0) @ \"concat\"\nS4[", "S3[",
     "net.onnx:fc: error: S3: reads a4[4,0,0], which no statement writes"},
    {"writers overlap", NET, "a4[c + 4,y,x]", "a4[c + 3,y,x]",
     "net.onnx:concat: error: S3: writes a4[3,0,0], which S2 writes too"},
    {"writes one column again and again", NET, "a4[c,y,x]", "a4[c,y,0]",
     "net.onnx:concat: error: S2: writes a4[0,0,0] twice"},
    {"output not whole", NET, "S4[o: 10]", "S4[o: 9]",
     "net.onnx: error: a7[9] of the output is written by no statement"},
    {"reader before writer", NET,
     "S2[c,y,x: 4,4,4]: a4[c,y,x] = a3[c,y,x] @ \"concat\"\n"
     "S3[c,y,x: 4,4,4]: a4[c + 4,y,x] = max(a3[c,y,x], 0.0) @ \"concat\"\n"
     "S4[o: 10]: a7[o] = reduce(add, [k: 128], a5[k] * a6[o,k]) @ \"fc\"\n",
     "S2[c,y,x: 4,4,4]: a4[c,y,x] = a3[c,y,x] @ \"concat\"\n"
     "S3[o: 10]: a7[o] = reduce(add, [k: 128], a5[k] * a6[o,k]) @ \"fc\"\n"
     "S4[c,y,x: 4,4,4]: a4[c + 4,y,x] = max(a3[c,y,x], 0.0) @ \"concat\"\n",
     "net.onnx:fc: error: S3: reads a4[4,0,0] before S4 writes it"},
    {"reads its own time", RNN, "a1[t,i] + a2", "a1[t + 1,i] + a2",
     "rnn.onnx: error: S2: reads a1[1,0] before S2 writes it (at t=0, i=0)"},
    {"start missing", RNN, "a1[0,i] = 0.0", "a1[5,i] = 0.0",
     "rnn.onnx: error: S2: reads a1[0,0], which no statement writes (at t=0, i=0)"},
    {"writes the time before", RNN,
     "a1[t + 1,i] =", "a1[t,i] =", "rnn.onnx: error: S2: writes a1[0,0], which S0 writes too"},
    {"one time too few", RNN, "seq t: 5", "seq t: 4",
     "rnn.onnx: error: S3: reads a1[5,0], which no statement writes (at i=0)"},
    {"one time too many", RNN, "seq t: 5", "seq t: 6",
     "rnn.onnx: error: S1: a0[t,i] may be 5 in dimension 0, its extent is 5 (at t=5, i=0)"},
    {"swapped inside the seq", RNN,
     "    S1[i: 4]: a2[i] = a0[t,i] * 2.0\n    S2[i: 4]: a1[t + 1,i] = a1[t,i] + a2[i]\n",
     "    S1[i: 4]: a1[t + 1,i] = a1[t,i] + a2[i]\n    S2[i: 4]: a2[i] = a0[t,i] * 2.0\n",
     "rnn.onnx: error: S1: reads a2[0] before S2 writes it (at t=0, i=0)"},
    {"check beyond the table", GATHER, "check(a0[i], 0, 3)", "check(a0[i], 0, 4)",
     "gather.onnx: error: S0: a1[check(a0[i], 0, 4),j] may be 4 in dimension 0, its extent is "
     "4 (at N=1, i=0, j=0)"},
    {"clamp, then one too far", GATHER, "clamp(a0[i], 0, 2)", "clamp(a0[i], 0, 3)",
     "gather.onnx: error: S1: a1[clamp(a0[i], 0, 3) + 1,j] may be 4 in dimension 0"},
    {"select lets the last through", GATHER, "i < N - 1", "i < N",
     "gather.onnx: error: S2: a2[i + 1,0] may be 1 in dimension 0, its extent is N (at N=1, "
     "i=0)"},
    {"symbolic box one short", GATHER, "S0[i,j: N,3]", "S0[i,j: N - 1,3]",
     "gather.onnx: error: a2[0,0] of the output is written by no statement (at N=1)"},
    {"under a linear address", VIEWS, "S0[i,j: 6,4]", "S0[i,j: 6,3]",
     "views.onnx: error: S1: reads a1[0,3], which no statement writes (at i=0, j=3)"},
    {"one side of an if", BRANCH, "S2[i: 4]: a2", "S2[i: 3]: a2",
     "branch.onnx: remark: missed: not proven: S3: that all it reads of a2 is written"},
    {"the other side's array", BRANCH, "a2[i] = 2.0", "a2[i] = a1[i]",
     "branch.onnx: error: S2: reads a1[0] before S0 writes it (at i=0)"},
    {"ring one row short", RING, "0%2", "0%1",
     "ring.onnx: error: S1: S1 may overwrite what it reads of a1 by writing a1 (at t=0, i="},
    {"read one round too late", RING, "a2[i] = a1[5,i]", "a2[i] = a1[3,i]",
     "ring.onnx: error: S2: S1 may overwrite what it reads of a1 by writing a1 (at i=0)"},
    {"overwritten through the alias", ALIAS, "a0[i,j] + a1[i,j]", "a0[i,1 - j] + a1[i,j]",
     "alias.onnx: error: S1: S1 may overwrite what it reads of a0 by writing a2 (at i=0, j=0)"},
    {"only data keeps it inside", GATHER, "i < N - 1 ?", "a1[0,0] > 0.0 ?",
     "gather.onnx: remark: missed: not proven: S2: that a2 is inside"},
    {"an extent that is a product", GATHER, "output a4: f32[N]\n", "output a4: f32[N * N]\n",
     "nncc: remark: missed: not proven: the end: that a4 is inside"},
    {"before the call", CALL,
     "call topk(a0; a1, a2; 1, 1, 8, 3, 1, 1) @ \"top\"\n"
     "S0[i: 3]: a3[i] = a1[0,i] + f32(a2[0,2 - i])\n",
     "S0[i: 3]: a3[i] = a1[0,i] + f32(a2[0,2 - i])\n"
     "call topk(a0; a1, a2; 1, 1, 8, 3, 1, 1) @ \"top\"\n",
     "call.onnx: error: S0: reads a1[0,0] before topk writes it"},
};

static char *mutate(struct arena *a, const char *text, const char *from, const char *to) {
    const char *at = strstr(text, from);
    ck_assert_msg(at != NULL, "no '%s' in the text", from);
    return arena_printf(a, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

START_TEST(mutant_is_refused) {
    struct bench b;
    bool ok;
    bench_start(&b);
    char *text = mutate(&b.arena, mutants[_i].text, mutants[_i].from, mutants[_i].to);
    struct poly_figures f = prove(&b, text, &ok);
    const char *message = str_cstr(&b.messages);
    ck_assert_msg(strstr(message, mutants[_i].message) != NULL, "%s: %s", mutants[_i].name,
                  message);
    ck_assert_msg(!ok || f.unproven > 0, "%s", mutants[_i].name);
    bench_end(&b);
}
END_TEST

/* ---- isl itself ---- */

static void work_too_much(void *user) {
    struct poly *p = user;
    isl_set *s = isl_set_read_from_str(
        p->ctx, "{ [a,b,c] : exists x, y, z : 7x + 11y = a and 13y + 5z = b and 17z + 3x = c "
                "and 0 <= a, b, c <= 999 }");
    for (int k = 0; k < 100000 && s; k++) {
        isl_set *t = isl_set_subtract(isl_set_copy(s), isl_set_lexmin(isl_set_copy(s)));
        isl_set_free(s);
        s = t;
    }
    isl_set_free(s);
}

static void work_little(void *user) {
    struct poly *p = user;
    isl_set_free(isl_set_read_from_str(p->ctx, "{ [a] : 0 <= a < 4 }"));
}

static const char small[] = "loops \"t\"\noutput a0: f32[4]\nS0[i: 4]: a0[i] = 1.0\n";

START_TEST(quota_is_not_an_error) {
    struct bench b;
    bench_start(&b);
    struct loops *l = loops_read("t", small, strlen(small), &b.names, NULL, &b.diag);
    struct poly *p = poly_import(l, &b.diag);
    ck_assert(!poly_try(p, (struct loc){0}, "too much", work_too_much, p));
    ck_assert_int_eq(poly_figures(p).quota_hits, 1);
    ck_assert_ptr_nonnull(strstr(str_cstr(&b.messages), "too much: given up after"));
    ck_assert_int_eq(b.diag.errors, 0);
    ck_assert(poly_try(p, (struct loc){0}, "little", work_little, p));
    ck_assert(poly_bounds(p) && poly_depend(p));
    poly_free(p); // nothing leaked on the way
    loops_free(l);
    bench_end(&b);
}
END_TEST

START_TEST(leak_aborts) {
    struct bench b;
    bench_start(&b);
    struct loops *l = loops_read("t", small, strlen(small), &b.names, NULL, &b.diag);
    struct poly *p = poly_import(l, &b.diag);
    isl_set *leaked = isl_set_copy(p->stmts.data[0]->domain);
    ck_assert_ptr_nonnull(leaked);
    poly_free(p);
}
END_TEST

int main(void) {
    Suite *s = suite_create("poly");
    TCase *t = tcase_create("poly");
    int programs = sizeof accepted / sizeof *accepted, wrong = sizeof mutants / sizeof *mutants;
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, right_programs_are_proven, 0, programs);
    tcase_add_loop_test(t, mutant_is_refused, 0, wrong);
    tcase_add_test(t, quota_is_not_an_error);
    tcase_add_test_raise_signal(t, leak_aborts, SIGABRT);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
