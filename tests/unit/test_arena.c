/* The memory plan: placement against hand-worked cases, in-place pairs that must and must not
 * be taken, and the checker against plans that were spoilt on purpose. */
#include "ir/arena.h"
#include <check.h>
#include <stdlib.h>

/* ---- arena_place ---- */

#define NONE -1

static const struct {
    struct arena_item items[5];
    int n;
    int64_t size, bound; // expected, at alignment 16
} place_cases[] = {
    {{{0}}, 0, 0, 0},
    {{{100, 0, 1, NONE, 0}}, 1, 112, 112},
    // a chain a -> b -> c: a and c share
    {{{64, 0, 1, NONE, 0}, {32, 1, 2, NONE, 0}, {64, 2, 3, NONE, 0}}, 3, 96, 96},
    // b overlays a, c overlays b
    {{{64, 0, 1, NONE, 0}, {64, 1, 2, 0, 0}, {64, 2, 3, 1, 0}}, 3, 64, 64},
    // a share that does not meet in one step gives nothing
    {{{64, 0, 2, NONE, 0}, {64, 1, 3, 0, 0}}, 2, 128, 128},
    // a residual keeps a alive over b and c
    {{{64, 0, 3, NONE, 0}, {128, 0, 1, NONE, 0}, {32, 1, 2, NONE, 0}, {32, 2, 3, NONE, 0}},
     4,
     224,
     224},
    // empty tensors take no room
    {{{0, 0, 3, NONE, 0}, {16, 0, 3, NONE, 0}}, 2, 16, 16},
};

START_TEST(place_fits_the_bound) {
    struct arena_item items[5];
    int step, n = place_cases[_i].n;
    memcpy(items, place_cases[_i].items, sizeof items);
    ck_assert_int_eq(arena_place(items, n, 16), place_cases[_i].size);
    ck_assert_int_eq(arena_bound(items, n, 16, &step), place_cases[_i].bound);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(items[i].offset % 16, 0);
}
END_TEST

/* ---- arena_plan and arena_check on asts ---- */

#define HEAD                                                                                   \
    "ast \"t\"\n"                                                                              \
    "input b0: f32[64] \"x\" [64]\n"                                                           \
    "temp b1: f32[64]\n"                                                                       \
    "temp b2: f32[64]\n"                                                                       \
    "output b3: f32[64] \"y\" [64]\n"
#define FILL "nest \"fill\" { for c0 = 0..64 { b1[c0] = b0[c0] } }\n"
#define LAST "nest \"last\" { for c0 = 0..64 { b3[c0] = b2[c0] } }\n"

static const struct {
    const char *what, *nest;
    int64_t bytes; // of the arena: 256 when b2 takes the place of b1
} plan_cases[] = {
    {"element-wise", "nest \"n\" { for c0 = 0..64 { b2[c0] = b1[c0] * 2.0 } }\n", 256},
    {"element-wise, two loops",
     "nest \"n\" { for c0 = 0..8 { for c1 = 0..8 { b2[8*c0+c1] = b1[8*c0+c1] * 2.0 } } }\n",
     256},
    {"two loads of one element", "nest \"n\" { for c0 = 0..64 { b2[c0] = b1[c0] * b1[c0] } }\n",
     256},
    {"a scalar first",
     "nest \"n\" { for c0 = 0..64 { let s0: f32 = b1[c0] \n b2[c0] = s0 } }\n", 256},
    {"reversed", "nest \"n\" { for c0 = 0..64 { b2[c0] = b1[63-c0] } }\n", 512},
    {"a neighbour", "nest \"n\" { for c0 = 0..64 { b2[c0] = b1[c0] + b1[max(c0-1, 0)] } }\n",
     512},
    {"transposed",
     "nest \"n\" { for c0 = 0..8 { for c1 = 0..8 { b2[8*c0+c1] = b1[c0+8*c1] } } }\n", 512},
    {"reads the result", "nest \"n\" { for c0 = 0..64 { b2[c0] = b1[c0] + b2[c0] } }\n", 512},
    {"stores twice",
     "nest \"n\" { for c0 = 0..64 { b2[c0] = b1[c0] \n b2[c0] = b1[c0] * 2.0 } }\n", 512},
    {"the same element again later",
     "nest \"n\" { for c0 = 0..2 { for c1 = 0..64 { b2[c1] = b1[c1] } } }\n", 512},
    {"elements overlap between iterations",
     "nest \"n\" { for c0 = 0..8 { for c1 = 0..8 { b2[4*c0+c1] = b1[4*c0+c1] } } }\n", 512},
    {"load after the store",
     "nest \"n\" { for c0 = 0..64 { b2[c0] = b0[c0] \n let s0: f32 = b1[c0] } }\n", 512},
    {"load in another loop",
     "nest \"n\" { for c0 = 0..64 { b2[c0] = b0[c0] } \n for c1 = 0..64 { let s0: f32 = b1[c1] "
     "} }\n",
     512},
    {"no nest", "for c0 = 0..64 { b2[c0] = b1[c0] }\n", 512},
};

struct program {
    struct arena names_arena;
    struct intern names;
    struct diag diag;
    struct str sink;
    struct ast *ast;
};

static void program_read(struct program *p, const char *nest) {
    struct str text = {0};
    memset(p, 0, sizeof *p);
    p->names.arena = &p->names_arena;
    p->diag.sink = &p->sink;
    str_add(&text, HEAD FILL);
    str_add(&text, nest);
    str_add(&text, LAST);
    p->ast = ast_read("t.ast", text.data, text.len, &p->names, NULL, &p->diag);
    ck_assert_msg(p->ast != NULL, "%s", str_cstr(&p->sink));
    str_free(&text);
}

static void program_free(struct program *p) {
    ast_free(p->ast);
    intern_free(&p->names);
    arena_free(&p->names_arena);
    str_free(&p->sink);
}

START_TEST(plan_takes_legal_pairs_only) {
    struct program p;
    program_read(&p, plan_cases[_i].nest);
    arena_plan(p.ast);
    ck_assert_msg(p.ast->arena_bytes == plan_cases[_i].bytes, "%s: %lld", plan_cases[_i].what,
                  (long long)p.ast->arena_bytes);
    ck_assert_msg(arena_check(p.ast, &p.diag), "%s: %s", plan_cases[_i].what,
                  str_cstr(&p.sink));
    program_free(&p);
}
END_TEST

/* ---- spoilt plans ---- */

static void overlap(struct ast *a) {
    a->buffers.data[2].offset = a->buffers.data[1].offset;
}

static void overlap_partly(struct ast *a) {
    a->buffers.data[1].offset = 0;
    a->buffers.data[2].offset = 252;
}

static void shrink(struct ast *a) {
    a->arena_bytes -= 16;
}

static void unplace(struct ast *a) {
    a->buffers.data[2].offset = -1;
}

static const struct {
    void (*spoil)(struct ast *a);
    const char *says;
} mutants[] = {
    {overlap, "b2 and b1 are alive together"},
    {overlap_partly, "b2 and b1 are alive together"},
    {shrink, "outside the arena"},
    {unplace, "b2 lies outside the arena"},
};

START_TEST(check_rejects_mutants) {
    struct program p;
    program_read(&p, "nest \"n\" { for c0 = 0..64 { b2[c0] = b1[63-c0] } }\n");
    arena_plan(p.ast);
    mutants[_i].spoil(p.ast);
    ck_assert(!arena_check(p.ast, &p.diag));
    ck_assert_ptr_nonnull(strstr(str_cstr(&p.sink), mutants[_i].says));
    program_free(&p);
}
END_TEST

/* Shifting an in-place result by one element would read what was overwritten. */
START_TEST(check_rejects_shifted_pair) {
    struct program p;
    program_read(&p, plan_cases[0].nest);
    arena_plan(p.ast);
    p.ast->buffers.data[2].offset += 4;
    p.ast->arena_bytes += 16;
    ck_assert(!arena_check(p.ast, &p.diag));
    program_free(&p);
}
END_TEST

START_TEST(remarks_name_the_binding_step) {
    struct program p;
    program_read(&p, plan_cases[4].nest);
    arena_plan(p.ast);
    p.diag.remarks = REMARK_ANALYSIS;
    arena_remarks(p.ast, &p.diag);
    ck_assert_ptr_nonnull(
        strstr(str_cstr(&p.sink), "step 1: 512 bytes of the arena alive (binds)"));
    ck_assert_ptr_nonnull(
        strstr(str_cstr(&p.sink), "arena: 512 bytes, liveness bound 512, bound by step 1"));
    program_free(&p);
}
END_TEST

int main(void) {
    Suite *s = suite_create("arena");
    TCase *t = tcase_create("arena");
    tcase_add_loop_test(t, place_fits_the_bound, 0,
                        (int)(sizeof place_cases / sizeof *place_cases));
    tcase_add_loop_test(t, plan_takes_legal_pairs_only, 0,
                        (int)(sizeof plan_cases / sizeof *plan_cases));
    tcase_add_loop_test(t, check_rejects_mutants, 0, (int)(sizeof mutants / sizeof *mutants));
    tcase_add_test(t, check_rejects_shifted_pair);
    tcase_add_test(t, remarks_name_the_binding_step);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
