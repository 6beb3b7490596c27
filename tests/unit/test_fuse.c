/* The pass fuse: how many statements are left of programs (their texts are goldens,
 * golden/fuse), and that what is left gives the same bits as before, errors at run time
 * included. */
#include "codegen/codegen.h"
#include "lang.h"

static const struct {
    int statements; // after
    const char *text;
} cases[] = {
    /* Bias, residual, activation, requantisation join the contraction; iterators of one
       iteration go. */
    {1, "input a0: f32[1,4,6]\n"
        "input a1: f32[6,5]\n"
        "input a2: f32[1,4,5]\n"
        "input a3: f32[5]\n"
        "output a4: i8[1,4,5]\n"
        "temp a5: f32[1,4,5]\n"
        "temp a6: f32[1,4,5]\n"
        "temp a7: f32[1,4,5]\n"
        "S0[n,i,j: 1,4,5]: a5[n,i,j] = reduce(add, [k: 6], a0[n,i,k] * a1[k,j]) @ \"matmul\"\n"
        "S1[n,i,j: 1,4,5]: a6[n,i,j] = a5[0,i,j] + a3[j] @ \"bias\"\n"
        "S2[n,i,j: 1,4,5]: a7[n,i,j] = max(a6[0,i,j] + a2[0,i,j], 0.0) @ \"residual\"\n"
        "S3[n,i,j: 1,4,5]: a4[n,i,j] = i8(min(max(round_even(a7[0,i,j] / 0.1), -128.0), "
        "127.0)) @ \"quant\"\n"},
    /* The reduce may stand twice: it has one value. */
    {1, "input a0: f32[4,6]\n"
        "input a1: f32[6,5]\n"
        "output a2: f32[4,5]\n"
        "temp a3: f32[4,5]\n"
        "temp a4: f32[4,5]\n"
        "S0[i,j: 4,5]: a3[i,j] = reduce(add, [k: 6], a0[i,k] * a1[k,j]) @ \"fc\"\n"
        "S1[i,j: 4,5]: a4[i,j] = 1.0 / (1.0 + exp(-a3[i,j])) @ \"sigmoid\"\n"
        "S2[i,j: 4,5]: a2[i,j] = a3[i,j] * a4[i,j] @ \"mul\"\n"},
    /* A costly value is not used twice, nor many times by a reduction. */
    {4, "input a0: f32[4,6]\n"
        "output a1: f32[4,6]\n"
        "output a2: f32[4,3]\n"
        "temp a3: f32[4,6]\n"
        "temp a4: f32[4,6]\n"
        "S0[i,j: 4,6]: a3[i,j] = exp(a0[i,j]) @ \"exp\"\n"
        "S1[i,j: 4,6]: a1[i,j] = a3[i,j] / (a3[i,j] + 1.0) @ \"twice\"\n"
        "S2[i,j: 4,6]: a4[i,j] = a0[i,j] + 1.0 @ \"plus\"\n"
        "S3[i,j: 4,3]: a2[i,j] = reduce(max, [k: 6], a4[i,k] * a0[i,j]) @ \"often\"\n"},
    /* Cheap arithmetic of one operand is done twice, and in a reduction that reads it once. */
    {2, "input a0: f32[4,6]\n"
        "input a1: f32[4]\n"
        "output a2: f32[4]\n"
        "output a3: f32[4,6]\n"
        "temp a4: f32[4,6]\n"
        "temp a5: f32[4,6]\n"
        "S0[i,j: 4,6]: a4[i,j] = a0[i,j] - a1[i] @ \"sub\"\n"
        "S1[i,j: 4,6]: a5[i,j] = a4[i,j] * a4[i,j] @ \"square\"\n"
        "S2[i: 4]: a2[i] = reduce(add, [k: 6], a5[i,k]) / 6.0 @ \"mean\"\n"
        "S3[i,j: 4,6]: a3[i,j] = a4[i,j] * 0.5 @ \"half\"\n"},
    /* Heads: contractions write them where they are wanted, slices and transposes are composed,
       and what is not read is not computed. */
    {3, "input a0: f32[1,3,4]\n"
        "input a1: f32[4,12]\n"
        "output a2: f32[1,2,3,3]\n"
        "temp a3: f32[1,3,12]\n"
        "view a4: f32[1,3,3,2,2] of a3\n"
        "temp a5: f32[3,1,2,3,2]\n"
        "temp a6: f32[1,1,2,3,2]\n"
        "temp a7: f32[1,1,2,3,2]\n"
        "view a8: f32[1,2,3,2] of a6\n"
        "view a9: f32[1,2,3,2] of a7\n"
        "temp a10: f32[1,2,2,3]\n"
        "temp a11: f32[1,2,3,3]\n"
        "S0[n,s,o: 1,3,12]: a3[n,s,o] = reduce(add, [k: 4], a0[n,s,k] * a1[k,o]) @ \"qkv\"\n"
        "S1[q,n,h,s,d: 3,1,2,3,2]: a5[q,n,h,s,d] = a4[n,s,q,h,d] @ \"transpose\"\n"
        "S2[q,n,h,s,d: 1,1,2,3,2]: a6[q,n,h,s,d] = a5[q,n,h,s,d] @ \"split\"\n"
        "S3[q,n,h,s,d: 1,1,2,3,2]: a7[q,n,h,s,d] = a5[q + 1,n,h,s,d] @ \"split\"\n"
        "S4[n,h,d,s: 1,2,2,3]: a10[n,h,d,s] = a9[n,h,s,d] @ \"transpose2\"\n"
        "S5[n,h,i,j: 1,2,3,3]: a11[n,h,i,j] = reduce(add, [d: 2], a8[0,h,i,d] * a10[0,h,d,j]) "
        "@ \"scores\"\n"
        "S6[n,h,i,j: 1,2,3,3]: a2[n,h,i,j] = a11[0,h,i,j] * 0.25 @ \"scale\"\n"},
    /* Readers of parts of a contraction, of different size: a contraction for each, in which
       the reader goes up. */
    {2, "input a0: f32[4,6]\n"
        "input a1: f32[6,12]\n"
        "output a2: f32[4,3]\n"
        "output a3: f32[5,4]\n"
        "temp a4: f32[4,12]\n"
        "S0[i,j: 4,12]: a4[i,j] = reduce(add, [k: 6], a0[i,k] * a1[k,j]) @ \"fc\"\n"
        "S1[i,j: 4,3]: a2[i,j] = a4[i,j + 8] * 2.0 @ \"scale\"\n"
        "S2[j,i: 5,4]: a3[j,i] = a4[i,j] @ \"transpose\"\n"},
    /* Not when the parts have elements in common. */
    {3, "input a0: f32[4,6]\n"
        "input a1: f32[6,12]\n"
        "output a2: f32[4,6]\n"
        "output a3: f32[4,7]\n"
        "temp a4: f32[4,12]\n"
        "S0[i,j: 4,12]: a4[i,j] = reduce(add, [k: 6], a0[i,k] * a1[k,j]) @ \"fc\"\n"
        "S1[i,j: 4,6]: a2[i,j] = a4[i,j] * 2.0 @ \"half\"\n"
        "S2[i,j: 4,7]: a3[i,j] = a4[i,j + 5] * 3.0 @ \"more\"\n"},
    /* One reader of both parts keeps them together. */
    {2, "input a0: f32[4,6]\n"
        "input a1: f32[6,12]\n"
        "output a2: f32[4,6]\n"
        "temp a3: f32[4,12]\n"
        "S0[i,j: 4,12]: a3[i,j] = reduce(add, [k: 6], a0[i,k] * a1[k,j]) @ \"fc\"\n"
        "S1[i,j: 4,6]: a2[i,j] = a3[i,j] * a3[i,j + 6] @ \"gate\"\n"},
    /* A merged dimension in a reduction is split; the order of the sum stays. */
    {2, "input a0: f32[3,2,4]\n"
        "input a1: f32[8,5]\n"
        "output a2: f32[3,5]\n"
        "output a3: f32[2,3,4]\n"
        "temp a4: f32[3,2,4]\n"
        "view a5: f32[3,8] of a4\n"
        "S0[s,h,d: 3,2,4]: a4[s,h,d] = a0[s,h,3 - d] @ \"flip\"\n"
        "S1[s,j: 3,5]: a2[s,j] = reduce(add, [r: 8], a5[s,r] * a1[r,j]) @ \"fc\"\n"
        "S2[h,s,d: 2,3,4]: a3[h,s,d] = a4[s,h,d] @ \"out\"\n"},
    /* Channel shuffle: two views and a transpose are one index. */
    {1, "input a0: f32[1,6,2]\n"
        "output a1: f32[1,4,2]\n"
        "view a2: f32[1,2,3,2] of a0\n"
        "temp a3: f32[1,3,2,2]\n"
        "view a4: f32[1,6,2] of a3\n"
        "S0[n,c,g,x: 1,3,2,2]: a3[n,c,g,x] = a2[n,g,c,x] @ \"shuffle\"\n"
        "S1[n,c,x: 1,4,2]: a1[n,c,x] = a4[n,c + 2,x] @ \"part\"\n"},
    /* Concat: each part is written where it belongs, and what follows is done in each. */
    {2, "input a0: f32[2,3]\n"
        "input a1: f32[2,2]\n"
        "output a2: f32[2,5]\n"
        "temp a3: f32[2,3]\n"
        "temp a4: f32[2,2]\n"
        "temp a5: f32[2,5]\n"
        "S0[i,j: 2,3]: a3[i,j] = reduce(max, [k: 3], a0[i,k] - a0[i,j]) @ \"one\"\n"
        "S1[i,j: 2,2]: a4[i,j] = a1[j,i] @ \"two\"\n"
        "S2[i,j: 2,3]: a5[i,j] = a3[i,j] @ \"concat\"\n"
        "S3[i,j: 2,2]: a5[i,j + 3] = a4[i,j] @ \"concat\"\n"
        "S4[i,j: 2,5]: a2[i,j] = max(a5[i,j], 0.0) @ \"relu\"\n"},
    /* A part that others read as well is copied; a read of one part alone is solved. */
    {5, "input a0: f32[2,3]\n"
        "output a1: f32[2,6]\n"
        "output a2: f32[2,3]\n"
        "output a3: f32[2,2]\n"
        "temp a4: f32[2,3]\n"
        "temp a5: f32[2,6]\n"
        "S0[i,j: 2,3]: a4[i,j] = reduce(max, [k: 3], a0[i,k] - a0[i,j]) @ \"part\"\n"
        "S1[i,j: 2,3]: a1[i,j] = a4[i,j] @ \"concat\"\n"
        "S2[i,j: 2,3]: a1[i,j + 3] = a0[i,j] @ \"concat\"\n"
        "S3[i,j: 2,3]: a2[i,j] = a4[i,j] + 1.0 @ \"other\"\n"
        "S4[i,j: 2,3]: a5[i,j] = a0[i,j] @ \"both\"\n"
        "S5[i,j: 2,3]: a5[i,j + 3] = a0[1 - i,j] @ \"both\"\n"
        "S6[i,j: 2,2]: a3[i,j] = a5[i,j + 4] @ \"slice\"\n"},
    /* Guards: in one box where the pads agree, else one in the other; what always holds is no
       guard. */
    {3, "input a0: f32[4]\n"
        "output a1: f32[8]\n"
        "output a2: f32[8]\n"
        "output a3: f32[2]\n"
        "temp a4: f32[6]\n"
        "temp a5: f32[6]\n"
        "S0[i: 6]: a4[i] = (a0[i - 1] if 0 <= i - 1 < 4 else 0.0) @ \"pad\"\n"
        "S1[i: 8]: a1[i] = (a4[i - 1] if 0 <= i - 1 < 6 else 0.0) @ \"same\"\n"
        "S2[i: 8]: a2[i] = (a4[i - 1] if 0 <= i - 1 < 6 else 7.0) @ \"other\"\n"
        "S3[i: 2]: a3[i] = a4[i + 2] @ \"inside\"\n"},
    /* Groups: the index written is solved for the channel. */
    {1, "input a0: f32[4,3]\n"
        "input a1: f32[4,3]\n"
        "output a2: f32[3,4]\n"
        "temp a3: f32[4,3]\n"
        "S0[g,c,x: 2,2,3]: a3[g * 2 + c,x] = reduce(add, [k: 3], a0[g * 2 + k % 2,x] * a1[g * "
        "2 + c,k]) @ \"conv\"\n"
        "S1[x,c: 3,4]: a2[x,c] = max(a3[c,x], 0.0) @ \"relu\"\n"},
    /* Two reductions, a window, and an array that a requirement reads stay apart. */
    {5, "input a0: f32[6,6]\n"
        "output a1: f32[6]\n"
        "output a2: f32[4]\n"
        "output a3: f32[6]\n"
        "temp a4: f32[6]\n"
        "temp a5: f32[6]\n"
        "S0[i: 6]: a4[i] = reduce(add, [k: 6], a0[i,k]) @ \"sum\"\n"
        "S1[i: 6]: a1[i] = a4[i] - reduce(max, [k: 6], a0[i,k]) @ \"max\"\n"
        "S2[i: 4]: a2[i] = reduce(max, [k: 3], a1[i + k]) @ \"pool\"\n"
        "S3[i: 6]: a5[i] = a0[i,i] @ \"diagonal\"\n"
        "require[i: 6]: a5[i] == a5[i] @ \"shape\"\n"
        "S4[i: 6]: a3[i] = a5[i] * 2.0 @ \"after\"\n"},
    /* In a loop: the same t is the same element, another t is not. */
    {3, "input a0: f32[3,4]\n"
        "output a1: f32[4,4]\n"
        "temp a2: f32[4]\n"
        "temp a3: f32[3,4]\n"
        "S0[i: 4]: a1[0,i] = 0.0 @ \"start\"\n"
        "seq t: 3 @ \"rnn\" {\n"
        "    S1[i: 4]: a2[i] = a0[t,i] * 2.0 @ \"gate\"\n"
        "    S2[i: 4]: a3[t,i] = a1[t,i] + a2[i] @ \"sum\"\n"
        "    S3[i: 4]: a1[t+1,i] = a3[t,i] + reduce(add, [k: 4], a1[t,k]) @ \"state\"\n"
        "}\n"},
    /* An index that is checked stays checked. */
    {3, "input a0: i64[3]\n"
        "input a1: f32[4]\n"
        "output a2: f32[3]\n"
        "output a3: f32[5]\n"
        "temp a4: f32[3]\n"
        "temp a5: f32[3]\n"
        "S0[i: 3]: a4[i] = a1[check(a0[i], 0, 3)] @ \"gather\"\n"
        "S1[i: 3]: a2[i] = a4[i] + 1.0 @ \"all\"\n"
        "S2[i: 3]: a5[i] = a1[check(a0[i], 0, 3)] @ \"gather2\"\n"
        "S3[i: 5]: a3[i] = (a5[i - 1] if 0 <= i - 1 < 3 else 0.0) @ \"pad\"\n"},
    /* What nothing reads is not computed. */
    {1, "input a0: f32[3]\n"
        "output a1: f32[3]\n"
        "temp a2: f32[3]\n"
        "temp a3: f32[3]\n"
        "S0[i: 3]: a2[i] = exp(a0[i]) @ \"a\"\n"
        "S1[i: 3]: a3[i] = a2[i] + 1.0 @ \"b\"\n"
        "S2[i: 3]: a1[i] = a0[i] @ \"c\"\n"},
};

/* ---- running ---- */

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Small numbers of either sign; of integers 0 to 3, so that they may be indices. */
static void fill(const struct buffer *b, void *data, uint32_t *state) {
    for (int64_t k = 0; k < b->max_elements; k++) {
        uint32_t r = next_random(state);
        union scalar v = {.i = (int64_t)(r & 3)};
        if (dtype_is_float(b->dtype))
            v.f = ((double)(r & 0xffff) - 32768.0) / 16384.0;
        dtype_store(b->dtype, data, k, v);
    }
}

static int64_t bytes_of(const struct buffer *b) {
    int64_t bytes;
    ck_assert(dtype_bytes(b->dtype, b->max_elements, &bytes));
    return bytes;
}

/* What the program leaves in its outputs, one after the other, behind the code it returns. */
static void run(struct bench *b, const struct loops *l, uint32_t seed, struct str *out) {
    struct compile c = {.diag = &b->diag, .names = &b->names, .target = target_find("scalar")};
    struct ast *a = ast_from_loops(&c, l);
    arena_plan(a);
    ck_assert_msg(ast_check(a, &b->diag) && arena_check(a, &b->diag), "%s",
                  str_cstr(&b->messages));
    void **data = arena_array(&b->arena, void *, a->buffers.len);
    for (int k = 0; k < a->buffers.len; k++) {
        const struct buffer *buffer = &a->buffers.data[k];
        if (buffer->kind != BUFFER_INPUT && buffer->kind != BUFFER_OUTPUT)
            continue;
        data[k] = arena_alloc(&b->arena, (size_t)bytes_of(buffer));
        if (buffer->kind == BUFFER_INPUT)
            fill(buffer, data[k], &seed);
    }
    int code = interp_run(a, data, NULL);
    str_add_len(out, (const char *)&code, sizeof code);
    for (int k = 0; k < a->buffers.len && code == 0; k++)
        if (a->buffers.data[k].kind == BUFFER_OUTPUT)
            str_add_len(out, data[k], (size_t)bytes_of(&a->buffers.data[k]));
    ast_free(a);
}

static struct loops *read(struct bench *b, const char *body) {
    struct constant_pool pool = {.arena = &b->arena};
    char *text = arena_printf(&b->arena, "loops \"fuse\"\n%s", body);
    struct loops *l = loops_read("t", text, strlen(text), &b->names, &pool, &b->diag);
    ck_assert_msg(l && loops_check(l, &b->diag), "%s", str_cstr(&b->messages));
    return l;
}

static void fuse(struct bench *b, struct loops *l) {
    struct compile c = {
        .diag = &b->diag, .names = &b->names, .opt_level = 2, .target = target_find("scalar")};
    ck_assert(pass_fuse(&c, l));
    ck_assert_msg(loops_check(l, &b->diag), "%s", str_cstr(&b->messages));
}

/* ---- tests ---- */

/* Statements of one node fuse at every level, those of two at -O2 alone. */
START_TEST(levels_differ_in_what_they_join) {
    static const char text[] = "input a0: f32[4,6]\n"
                               "output a1: f32[4,6]\n"
                               "temp a2: f32[4,6]\n"
                               "temp a3: f32[4,6]\n"
                               "S0[i,j: 4,6]: a2[i,j] = a0[i,j] + 1.0 @ \"one\"\n"
                               "S1[i,j: 4,6]: a3[i,j] = a2[i,j] * 2.0 @ \"one\"\n"
                               "S2[i,j: 4,6]: a1[i,j] = exp(a3[i,j]) @ \"two\"\n";
    static const int left[] = {2, 1}; // at -O1, -O2
    struct bench b;
    bench_start(&b);
    b.diag.remarks = REMARK_MISSED;
    struct loops *l = read(&b, text);
    struct compile c = {
        .diag = &b.diag, .names = &b.names, .opt_level = _i, .target = target_find("scalar")};
    ck_assert(pass_fuse(&c, l));
    ck_assert_int_eq(l->num_stmts, left[_i - 1]);
    ck_assert_int_eq(c.kept != NULL, _i == 1);
    if (_i == 1) { // a0 and a1 come before the array that stays
        ck_assert_int_eq(c.kept->buffer, 2);
        ck_assert_ptr_nonnull(strstr(str_cstr(&b.messages),
                                     "t:one: remark: missed: a2 stays an array: it belongs to "
                                     "another operator; -O2 fuses across"));
    }
    loops_free(l);
    bench_end(&b);
}
END_TEST

START_TEST(bits_are_kept) {
    struct bench b;
    bench_start(&b);
    struct loops *before = read(&b, cases[_i].text), *after = read(&b, cases[_i].text);
    fuse(&b, after);
    ck_assert_int_eq(after->num_stmts, cases[_i].statements);
    for (uint32_t seed = 1; seed <= 3; seed++) {
        struct str want = {0}, got = {0};
        run(&b, before, seed, &want);
        run(&b, after, seed, &got);
        ck_assert_uint_gt(want.len, sizeof(int));
        ck_assert_uint_eq(want.len, got.len);
        ck_assert_mem_eq(want.data, got.data, want.len);
        str_free(&want);
        str_free(&got);
    }
    loops_free(before);
    loops_free(after);
    bench_end(&b);
}
END_TEST

/* What it prints reads back as itself, and there is nothing left to do in it. */
START_TEST(is_done) {
    struct bench b;
    bench_start(&b);
    struct constant_pool pool = {.arena = &b.arena};
    struct loops *l = read(&b, cases[_i].text);
    struct str once = {0}, twice = {0};
    fuse(&b, l);
    loops_print(&once, l, NULL);
    struct loops *again = loops_read("t", once.data, once.len, &b.names, &pool, &b.diag);
    ck_assert_msg(again != NULL, "%s", str_cstr(&b.messages));
    fuse(&b, again);
    loops_print(&twice, again, NULL);
    ck_assert_str_eq(str_cstr(&once), str_cstr(&twice));
    str_free(&once);
    str_free(&twice);
    loops_free(l);
    loops_free(again);
    bench_end(&b);
}
END_TEST

/* An integer that goes through a type that holds it stays what it is; anything else is
 * converted. */
static const struct {
    const char *in, *out; // NULL: as it was
} trips[] = {
    {"f32(i32(u8(min(max(round_even(a0[i]) + 128.0, 0.0), 255.0))) - 128i32)",
     "min(max(round_even(a0[i]) + 128.0, 0.0), 255.0) - 128.0"},
    {"f32(i32(u8(min(max(round_even(a0[i]), 0.0), 255.0))))",
     "min(max(round_even(a0[i]), 0.0), 255.0)"},
    {"f32(i32(i8(min(max(round_even(a0[i]), -128.0), 127.0))))",
     "min(max(round_even(a0[i]), -128.0), 127.0) + 0.0"},
    {"f32(i8(max(min(floor(a0[i]) - 3.0, 127.0), -128.0)))",
     "max(min(floor(a0[i]) - 3.0, 127.0), -128.0) + 0.0"},
    {"f32(u8(min(max(round_even(a0[i]), -1.0), 255.0)))", NULL}, // u8 has no -1
    {"f32(u8(min(max(round_even(a0[i]), 0.0), 256.0)))", NULL},  // nor 256
    {"f32(u8(min(max(a0[i], 0.0), 255.0)))", NULL},              // 0.5 becomes 0
    {"f32(u8(min(max(round_even(a0[i]) + 0.5, 0.0), 255.0)))", NULL},
    {"f32(u8(min(255.0, max(0.0, round_even(a0[i])))))", NULL},          // NaN becomes 0
    {"f32(u8(min(max(round_even(a0[i]), 0.5), 255.0)))", NULL},          // 0.5 becomes 0
    {"f32(i8(i32(u8(min(max(round_even(a0[i]), 0.0), 255.0)))))", NULL}, // 255 becomes -1
    {"f32(u8(max(round_even(a0[i]), 0.0)))", NULL},
    {"f32(i32(u8(min(max(round_even(a0[i]), 0.0), 255.0))) - 33554433i32)", NULL},
};

START_TEST(round_trips_are_left_out) {
    struct bench b;
    struct str text = {0};
    bench_start(&b);
    const char *body = arena_printf(&b.arena,
                                    "input a0: f32[40]\noutput a1: f32[40]\n"
                                    "S0[i: 40]: a1[i] = %s\n",
                                    trips[_i].in);
    struct loops *before = read(&b, body), *after = read(&b, body);
    fuse(&b, after);
    loops_print(&text, after, NULL);
    const char *want = trips[_i].out ? trips[_i].out : trips[_i].in;
    const char *found = strstr(str_cstr(&text), "a1[i] = ");
    ck_assert_msg(strncmp(found + strlen("a1[i] = "), want, strlen(want)) == 0, "%s", found);
    for (uint32_t seed = 1; seed <= 3; seed++) {
        struct str left = {0}, right = {0};
        run(&b, before, seed, &left);
        run(&b, after, seed, &right);
        ck_assert_uint_eq(left.len, right.len);
        ck_assert_mem_eq(left.data, right.data, left.len);
        str_free(&left);
        str_free(&right);
    }
    str_free(&text);
    loops_free(before);
    loops_free(after);
    bench_end(&b);
}
END_TEST

/* The verifier takes a reduce that stands twice, but no second one, and not in a guard. */
static const struct {
    const char *rhs, *message; // NULL: none
} reduces[] = {
    {"reduce(add, [k: 4], a0[k]) * reduce(add, [k: 4], a0[k])", NULL},
    {"reduce(add, [k: 4], a0[k]) * reduce(add, [r: 4], a0[r])", "more than one reduce"},
    {"reduce(add, [k: 4], a0[k]) * reduce(max, [k: 4], a0[k])", "more than one reduce"},
    {"(reduce(add, [k: 4], a0[k]) if 0 <= i < 2 else 0.0)", NULL},
    {"(reduce(add, [k: 4], a0[k]) if 0 <= i < 2 else 0.0) + reduce(add, [k: 4], a0[k])",
     "a reduce stands twice, and in a guard"},
    {"reduce(add, [k: 4], a0[k] * reduce(max, [r: 4], a0[r]))", "more than one reduce"},
};

START_TEST(one_reduce) {
    struct bench b;
    bench_start(&b);
    struct constant_pool pool = {.arena = &b.arena};
    char *text = arena_printf(&b.arena,
                              "loops \"r\"\ninput a0: f32[4]\noutput a1: f32[4]\n"
                              "S0[i: 4]: a1[i] = %s\n",
                              reduces[_i].rhs);
    struct loops *l = loops_read("t", text, strlen(text), &b.names, &pool, &b.diag);
    ck_assert_msg(l != NULL, "%s", str_cstr(&b.messages));
    bool ok = loops_check(l, &b.diag);
    ck_assert_int_eq(ok, reduces[_i].message == NULL);
    if (!ok)
        ck_assert_msg(strstr(str_cstr(&b.messages), reduces[_i].message) != NULL, "%s",
                      str_cstr(&b.messages));
    loops_free(l);
    bench_end(&b);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

int main(void) {
    Suite *suite = suite_create("fuse");
    TCase *tc = tcase_create("fuse");
    tcase_add_loop_test(tc, levels_differ_in_what_they_join, 1, 3);
    tcase_add_loop_test(tc, bits_are_kept, 0, COUNT(cases));
    tcase_add_loop_test(tc, is_done, 0, COUNT(cases));
    tcase_add_loop_test(tc, round_trips_are_left_out, 0, sizeof trips / sizeof *trips);
    tcase_add_loop_test(tc, one_reduce, 0, COUNT(reduces));
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
