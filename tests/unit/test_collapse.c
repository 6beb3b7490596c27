/* The pass collapse: which loops become one (their texts are goldens, golden/loops), and that
 * what is left gives the same bits as before. */
#include "loops_pass.h"

static const struct {
    int before, portable, vectors; // loops: at first, and after for targets without and with
    const char *text;
} cases[] = {
    /* One loop of three; constants and dimensions of 1 among them. */
    {3, 1, 1,
     "input a0: u8[2,1,3,4]\noutput a1: u8[2,3,1,4]\nconst a2: u8[2,3,4] = {0, 1, 2, 3, 4, 5, "
     "6, "
     "7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}\n"
     "S0[i,j,k: 2,3,4]: a1[i,j,0,k] = a0[i,0,j,k] + a2[i,j,k]\n"},
    /* The steps of a reduction; an offset in the outer of its dimensions, a part of it. */
    {6, 4, 4,
     "input a0: u8[3,4,5]\noutput a1: u8[3]\noutput a2: u8[3]\ntemp a3: u8[3]\n"
     "S0[i: 3]: a1[i] = reduce(add, [y,x: 2,5], a0[i,y + 1,x])\n"
     "S1[i: 3]: a2[i] = reduce(max, [y,x: 4,5], a0[i,y,x]) * a1[i]\n"},
    /* A reduction along the outer of two: nothing is a run. */
    {3, 3, 3,
     "input a0: u8[4,5]\noutput a1: u8[5]\noutput a2: u8[1]\n"
     "S0[i: 5]: a1[i] = reduce(add, [r: 4], a0[r,i])\n"
     "S1[i: 1]: a2[i] = 0u8\n"},
    /* A pointwise convolution: the pixels, by whatever names. */
    {4, 3, 3,
     "input a0: u8[1,3,4,4]\noutput a1: u8[1,2,4,4]\nconst a2: u8[2,3] = {0, 1, 2, 3, 4, 5}\n"
     "S0[m,y,x: 2,4,4]: a1[0,m,y,x] = reduce(add, [c: 3], a0[0,c,y,x] * a2[m,c])\n"},
    /* The same before a window of 2 x 2: the array between has two readers that differ. */
    {8, 8, 8,
     "input a0: u8[3,4,4]\noutput a1: u8[2,3,3]\nconst a2: u8[2,3] = {0, 1, 2, 3, 4, 5}\n"
     "temp a3: u8[2,4,4]\n"
     "S0[m,y,x: 2,4,4]: a3[m,y,x] = reduce(add, [c: 3], a0[c,y,x] * a2[m,c])\n"
     "S1[m,y,x: 2,3,3]: a1[m,y,x] = reduce(max, [r: 2], a3[m,y + r,x])\n"},
    /* A temporary is passed on: rows, with something outside of them, which stay
       short for portable C. */
    {6, 4, 4,
     "input a0: u8[2,3,4]\noutput a1: u8[2,3,4]\ntemp a2: u8[2,3,4]\n"
     "S0[i,j,k: 2,3,4]: a2[i,j,k] = a0[i,j,k] + 3u8\n"
     "S1[i,j,k: 2,3,4]: a1[i,j,k] = a2[i,j,k] * a2[i,j,k]\n"},
    /* Rows of 4 * 2048 bytes would be long. */
    {4, 4, 4,
     "input a0: u8[3,4]\noutput a1: u8[3,4]\ntemp a2: u8[3,4]\n"
     "S0[i,j: 3,4]: a2[i,j] = a0[i,j] + 3u8\n"
     "S1[i,j: 3,4]: a1[i,j] = a2[i,j] * a2[i,j]\n"},
    {6, 6, 4,
     "input a0: u8[5,2,3]\noutput a1: u8[5,2,3]\ntemp a2: u8[5,2,3]\nconst a3: u8[5] = {1, 2, "
     "3, 4, 5}\n"
     "S0[i,j,k: 5,2,3]: a2[i,j,k] = a0[i,j,k] + a3[i]\n"
     "S1[i,j,k: 5,2,3]: a1[i,j,k] = a2[i,j,k] * a2[i,j,k]\n"},
    {6, 4, 4,
     "input a0: u8[2,4,2048]\noutput a1: u8[2,4,2048]\ntemp a2: u8[2,4,2048]\n"
     "S0[i,j,k: 2,4,2048]: a2[i,j,k] = a0[i,j,k] + 3u8\n"
     "S1[i,j,k: 2,4,2048]: a1[i,j,k] = a2[i,j,k] * a2[i,j,k]\n"},
    /* Two pointwise convolutions; with rows of 2048 vectors have strips. */
    {8, 6, 6,
     "input a0: u8[3,4,5]\noutput a1: u8[2,4,5]\nconst a2: u8[2,3] = {0, 1, 2, 3, 4, 5}\n"
     "temp a3: u8[2,4,5]\nconst a4: u8[2,2] = {6, 7, 8, 9}\n"
     "S0[m,y,x: 2,4,5]: a3[m,y,x] = reduce(add, [c: 3], a0[c,y,x] * a2[m,c])\n"
     "S1[m,y,x: 2,4,5]: a1[m,y,x] = reduce(add, [c: 2], a3[c,y,x] * a4[m,c])\n"},
    {8, 6, 8,
     "input a0: u8[3,32,64]\noutput a1: u8[2,32,64]\nconst a2: u8[2,3] = {0, 1, 2, 3, 4, 5}\n"
     "temp a3: u8[2,32,64]\nconst a4: u8[2,2] = {6, 7, 8, 9}\n"
     "S0[m,y,x: 2,32,64]: a3[m,y,x] = reduce(add, [c: 3], a0[c,y,x] * a2[m,c])\n"
     "S1[m,y,x: 2,32,64]: a1[m,y,x] = reduce(add, [c: 2], a3[c,y,x] * a4[m,c])\n"},
    /* Softmax: what stands around its rows. */
    {6, 4, 4,
     "input a0: u8[2,3,4]\noutput a1: u8[2,3,4]\ntemp a2: u8[2,3,1]\n"
     "S0[i,j: 2,3]: a2[i,j,0] = reduce(max, [k: 4], a0[i,j,k])\n"
     "S1[i,j,k: 2,3,4]: a1[i,j,k] = a0[i,j,k] - a2[i,j,0]\n"},
    /* Loops in the order of neither: the rows are a's. */
    {2, 1, 1,
     "input a0: u8[3,4]\noutput a1: u8[3,4]\n"
     "S0[j,i: 4,3]: a1[i,j] = a0[i,j] + 1u8\n"},
    /* Steps of a reduction have an order. */
    {3, 3, 3,
     "input a0: f32[3,4]\noutput a1: f32[1]\n"
     "S0[i: 1]: a1[i] = reduce(add, [y,x: 4,3], a0[x,y])\n"},
    /* A guard, an index from a value, a value from an index; p in two places. */
    {8, 8, 8,
     "input a0: u8[3,4]\noutput a1: u8[3,4]\noutput a2: u8[3,4]\noutput a3: u8[3,4]\n"
     "output a4: u8[3,4]\ninput a5: u8[3,4,3]\nconst a6: u8[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, "
     "9, 10, 11}\n"
     "S0[i,j: 3,4]: a1[i,j] = (a0[i,j] if 1 <= i < 3 else 9u8)\n"
     "S1[i,j: 3,4]: a2[i,j] = a0[clamp(a0[i,j], 0, 2),j]\n"
     "S2[i,j: 3,4]: a3[i,j] = a6[i * 4 + j]\n"
     "S3[i,j: 3,4]: a4[i,j] = a5[i,j,i]\n"},
    /* A view and what it shows, each by itself; a layout names dimensions. */
    {9, 5, 5,
     "input a0: u8[24]\nview a1: u8[2,3,4] of a0\noutput a2: u8[2,3,4]\noutput a3: u8[2,3]\n"
     "temp a4: u8[2,3] layout [1, 0]\nview a5: u8[4,6] of a0\n"
     "S0[i,j,k: 2,3,4]: a2[i,j,k] = a1[i,j,k] + a0[clamp(a0[3], 0, 23)]\n"
     "S1[i,j: 4,6]: a4[clamp(a5[i,j], 0, 1),0] = a5[i,j]\n"
     "S2[i,j: 2,3]: a4[i,j] = 1u8\nS3[i,j: 2,3]: a3[i,j] = 1u8\n"},
    /* In a seq, and behind a condition that reads what stays. */
    {8, 4, 4,
     "input a0: u8[2,3]\noutput a1: u8[5,2,3]\noutput a2: u8[2,3]\ninput a3: u8[2,3]\n"
     "input a4: u8[2,3]\n"
     "S0[i,j: 2,3]: a1[0,i,j] = a3[i,j]\n"
     "seq t: 4 { S1[i,j: 2,3]: a1[t + 1,i,j] = a1[t,i,j] * 3u8 }\n"
     "if a4[1,2] < 100u8 { S2[i,j: 2,3]: a2[i,j] = a1[4,i,j] } "
     "else { S3[i,j: 2,3]: a2[i,j] = a0[i,j] }\n"},
};

static void collapse(struct bench *b, struct loops *l, const char *cpu) {
    struct compile c = {
        .diag = &b->diag, .names = &b->names, .opt_level = 2, .target = target_find(cpu)};
    ck_assert(pass_collapse(&c, l));
    ck_assert_msg(loops_check(l, &b->diag), "%s", str_cstr(&b->messages));
}

/* Iterators of all statements and their reduces. */
static void count_reduce(void *user, const struct expr *e) {
    *(int *)user += e->num_iters;
}

static int count_loops(const struct stmt_list *list) {
    int n = 0;
    for (const struct stmt *s = list->first; s; s = s->next) {
        n += s->kind == STMT_COMPUTE ? s->num_iters : 0;
        if (s->rhs)
            expr_walk(s->rhs, count_reduce, &n);
        n += count_loops(&s->body) + count_loops(&s->orelse);
    }
    return n;
}

START_TEST(bits_are_kept) {
    static const char *const cpus[] = {"scalar", "x86-64-v4"};
    struct bench b;
    bench_start(&b);
    for (int k = 0; k < 2; k++) {
        struct loops *before = read_body(&b, cases[_i].text),
                     *after = read_body(&b, cases[_i].text);
        collapse(&b, after, cpus[k]);
        ck_assert_int_eq(count_loops(&before->body), cases[_i].before);
        ck_assert_int_eq(count_loops(&after->body), k ? cases[_i].vectors : cases[_i].portable);
        expect_same_bits(&b, before, after, (struct fill){0, 37});
        loops_free(before);
        loops_free(after);
    }
    bench_end(&b);
}
END_TEST

/* What it prints reads back as itself, and there is nothing left to join. */
START_TEST(is_done) {
    struct bench b;
    struct str once = {0}, twice = {0};
    bench_start(&b);
    struct constant_pool pool = {.arena = &b.arena};
    struct loops *l = read_body(&b, cases[_i].text);
    collapse(&b, l, "x86-64-v4");
    loops_print(&once, l, &pool);
    struct loops *again = loops_read("t", once.data, once.len, &b.names, &pool, &b.diag);
    ck_assert_msg(again != NULL, "%s", str_cstr(&b.messages));
    collapse(&b, again, "x86-64-v4");
    loops_print(&twice, again, &pool);
    ck_assert_str_eq(str_cstr(&once), str_cstr(&twice));
    str_free(&once);
    str_free(&twice);
    loops_free(l);
    loops_free(again);
    bench_end(&b);
}
END_TEST

/* Extents that are known at run time stay, those inside of them do not, unless an input would
 * need a view; nothing is gained of an extent of 0. */
START_TEST(extents_that_stay) {
    static const struct {
        int loops;
        const char *text;
    } texts[] = {
        {4, "symbol N max 4\noutput a0: u8[1]\ntemp a1: u8[N,3,4]\ntemp a2: u8[N,3,4]\n"
            "S0[n,i,j: N,3,4]: a1[n,i,j] = a2[n,i,j] * a2[n,i,j]\n"
            "S1[n: 1]: a0[n] = reduce(max, [r: 12], 3u8)\n"},
        {3, "symbol N max 4\ninput a0: u8[N,3,4] \"x\"\noutput a1: u8[N,3,4] \"y\"\n"
            "S0[n,i,j: N,3,4]: a1[n,i,j] = a0[n,i,j]\n"},
        {2, "input a0: u8[4,4]\noutput a1: u8[4,0]\nS0[i,j: 4,0]: a1[i,j] = a0[i,j]\n"},
    };
    struct bench b;
    bench_start(&b);
    struct loops *l = read_body(&b, texts[_i].text);
    collapse(&b, l, "x86-64-v4");
    ck_assert_int_eq(count_loops(&l->body), texts[_i].loops);
    loops_free(l);
    bench_end(&b);
}
END_TEST

int main(void) {
    Suite *s = suite_create("collapse");
    TCase *t = tcase_create("collapse");
    int n = sizeof cases / sizeof *cases;
    tcase_add_loop_test(t, bits_are_kept, 0, n);
    tcase_add_loop_test(t, is_done, 0, n);
    tcase_add_loop_test(t, extents_that_stay, 0, 3);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
