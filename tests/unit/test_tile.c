/* Tiles: the C of codegen/tile.c, and of the plain loops where it declines, against the
 * interpreter, bit for bit: with warnings as errors under UBSan, and as compilers make vectors
 * of it. */
#include "codegen/emit.h"
#include "compile.h"

// clang-format off
static const char *const programs[] = {
    /* rows x lanes, what both need loaded once, an epilogue with the reduction twice */
    "ast \"gemm\"\n"
    "input b0: f32[40] \"a\" [8,5]\n"
    "input b1: f32[80] \"b\" [5,16]\n"
    "input b2: f32[8] \"bias\" [8]\n"
    "output b3: f32[128] \"c\" [8,16]\n"
    "nest \"\" { for i = 0..8 by 4 { for j = 0..16 by 8 {\n"
    "    tile (m: 4 row, n: 8 vec, k: 5 red) b3[(i + m)*16 + j + n] = (reduce(add, [k: 5], b0[(i + m)*5 + k] * b1[k*16 + j + n]) + b2[i + m]) * max(reduce(add, [k: 5], b0[(i + m)*5 + k] * b1[k*16 + j + n]), 0.5)\n"
    "} } }\n",
    /* an extent and a stride that are symbols; the order of vec and row does not matter */
    "ast \"symbolic gemm\"\n"
    "symbol N max 3\n"
    "input b0: f32[4*N] \"a\" [4,N]\n"
    "input b1: f32[8*N] \"b\" [N,8]\n"
    "output b2: f32[32] \"c\" [4,8]\n"
    "nest \"\" { tile (n: 8 vec, m: 4 row, k: 3<=N red) b2[m*8 + n] = reduce(add, [k: N], b0[m*3 + k] * b1[k*8 + n]) }\n",
    /* a convolution: a reduction shrunk by its padding, padding that is tested, stride 2 */
    "ast \"conv\"\n"
    "input b0: f32[180] \"x\" [2,9,10]\n"
    "input b1: f32[108] \"w\" [6,2,3,3]\n"
    "output b2: f32[120] \"y\" [6,5,4]\n"
    "nest \"\" { for o = 0..6 by 3 { for y = 0..5 {\n"
    "    tile (m: 3 row, n: 4 vec, c: 2 red, r: 3<=min(3, 10 - y*2) - max(0, 1 - y*2) red, q: 3 red) b2[(o + m)*20 + y*4 + n] = max(reduce(add, [c,r,q: 2,min(3, 10 - y*2) - max(0, 1 - y*2),3], (b0[c*90 + (y*2 - 1 + max(0, 1 - y*2) + r)*10 + (n*2 + q - 1)] if 0 <= n*2 + q - 1 < 8 else 0.0) * b1[(o + m)*18 + c*9 + (max(0, 1 - y*2) + r)*3 + q]), 0.0)\n"
    "} } }\n",
    /* depthwise, int8: rows and lanes in space, one weight for all */
    "ast \"depthwise\"\n"
    "input b0: i8[400] \"x\" [4,10,10]\n"
    "input b1: i8[36] \"w\" [4,3,3]\n"
    "input b2: i32[4] \"bias\" [4]\n"
    "output b3: u8[256] \"y\" [4,8,8]\n"
    "nest \"\" { for c = 0..4 { for y = 0..8 by 2 {\n"
    "    tile (m: 2 row, n: 8 vec, r: 3 red, q: 3 red) b3[c*64 + (y + m)*8 + n] = u8(clamp(reduce(add, [r,q: 3,3], i32(b0[c*100 + (y + m + r)*10 + n + q]) * i32(b1[c*9 + r*3 + q])) + b2[c], 0, 255))\n"
    "} } }\n",
    /* pools: an identity that is not 0, a row stride, rows alone */
    "ast \"pools\"\n"
    "input b0: f32[162] \"x\" [2,9,9]\n"
    "output b1: f32[32] \"max\" [2,4,4]\n"
    "output b2: f32[32] \"min\" [2,4,4]\n"
    "nest \"\" { for c = 0..2 { for y = 0..4 {\n"
    "    tile (n: 4 vec, r: 3 red, q: 3 red) b1[c*16 + y*4 + n] = reduce(max, [r,q: 3,3], b0[c*81 + (y*2 + r)*9 + n + q])\n"
    "    tile (m: 4 row, r: 3 red, q: 3 red) b2[c*16 + y*4 + m] = reduce(min, [r,q: 3,3], b0[c*81 + (y*2 + r)*9 + m*2 + q]) * 2.0\n"
    "} } }\n",
    /* lanes that lie apart: as rows under max, as lanes under add and where there are too many */
    "ast \"strides\"\n"
    "input b0: f32[340] \"x\" [4,85]\n"
    "output b1: f32[16] \"max\" [4,4]\n"
    "output b2: f32[16] \"sum\" [4,4]\n"
    "output b3: f32[160] \"many\" [4,40]\n"
    "output b4: f32[4] \"far\" [4]\n"
    "output b5: f32[8] \"far\" [2,4]\n"
    "nest \"\" { for c = 0..4 {\n"
    "    tile (n: 4 vec, q: 3 red) b1[c*4 + n] = reduce(max, [q: 3], b0[c*85 + n*2 + q])\n"
    "    tile (n: 4 vec, q: 3 red) b2[c*4 + n] = reduce(add, [q: 3], b0[c*85 + n*2 + q])\n"
    "    tile (n: 40 vec, q: 3 red) b3[c*40 + n] = reduce(max, [q: 3], b0[c*85 + n*2 + q])\n"
    "}\n"
    "tile (n: 4 vec, q: 85 red) b4[n] = reduce(add, [q: 85], b0[n*85 + q] * b0[q])\n"
    "tile (m: 2 row, n: 4 vec, q: 80 red) b5[m*4 + n] = reduce(add, [q: 80], b0[n*85 + q] * b0[q + m*4])\n"
    "}\n",
    /* int8 by int8: 8 lanes are rows, 16 are lanes */
    "ast \"int8\"\n"
    "input b0: i8[192] \"x\" [6,32]\n"
    "input b1: i8[24] \"w\" [4,6]\n"
    "output b2: i32[128] \"r\" [4,32]\n"
    "nest \"\" {\n"
    "    tile (m: 4 row, n: 16 vec, k: 6 red) b2[m*32 + n] = reduce(add, [k: 6], i32(b0[k*32 + n]) * i32(b1[m*6 + k]))\n"
    "    tile (m: 4 row, n: 8 vec, k: 6 red) b2[m*32 + 16 + n] = reduce(add, [k: 6], i32(b0[k*32 + 16 + n]) * i32(b1[m*6 + k]))\n"
    "    tile (m: 4 row, n: 8 vec, k: 6 red) b2[m*32 + 24 + n] = reduce(add, [k: 6], i32(b0[k*32 + 24 + n]) * i32(b1[m*6 + k]))\n"
    "}\n",
    /* all other monoids and types, and packed elements */
    "ast \"monoids\"\n"
    "input b0: f64[24] \"x\" [3,8]\n"
    "input b1: i64[24] \"y\" [3,8]\n"
    "input b2: u8[24] \"z\" [3,8]\n"
    "input b3: bool[24] \"c\" [3,8]\n"
    "output b4: f64[8] \"product\" [8]\n"
    "output b5: i64[8] \"wraps\" [8]\n"
    "output b6: u8[8] \"least\" [8]\n"
    "output b7: bool[8] \"all\" [8]\n"
    "output b8: bool[8] \"any\" [8]\n"
    "output b9: i4[8] \"packed\" [8]\n"
    "nest \"\" {\n"
    "    tile (n: 8 vec, k: 3 red) b4[n] = reduce(mul, [k: 3], b0[k*8 + n] + 0.5)\n"
    "    tile (n: 8 vec, k: 3 red) b5[n] = reduce(mul, [k: 3], b1[k*8 + n] * 4611686018427387905i64)\n"
    "    tile (n: 8 vec, k: 3 red) b6[n] = reduce(min, [k: 3], b2[k*8 + n])\n"
    "    tile (m: 2 row, n: 4 vec, k: 3 red) b7[m*4 + n] = reduce(and, [k: 3], b3[k*8 + m*4 + n] || b0[k] < 0.0)\n"
    "    tile (m: 2 row, n: 4 vec, k: 3 red) b8[m*4 + n] = !reduce(or, [k: 3], b3[k*8 + m*4 + n])\n"
    "    tile (m: 3 row, n: 2 vec, k: 3 red) b9[m*2 + n] = i4(reduce(add, [k: 3], b2[k*8 + m*2 + n]))\n"
    "    tile (n: 8<=2 vec, k: 3 red) b9[n + 6] = i4(reduce(add, [k: 3], b2[k*8 + n + 6]))\n"
    "}\n",
    /* tails: a constant count below its maximum, and counts that are no constants */
    "ast \"tails\"\n"
    "input b0: f32[77] \"x\" [7,11]\n"
    "input b1: f32[11] \"w\" [11]\n"
    "output b2: f32[77] \"r\" [7,11]\n"
    "nest \"\" { for i = 0..2 { for j = 0..11 by 8 {\n"
    "    tile (m: 4<=min(4, 7 - i*4) row, n: 8<=min(8, 11 - j) vec, k: 2 red) b2[(i*4 + m)*11 + j + n] = reduce(add, [k: 2], b0[(i*4 + m)*11 + j + n] * b1[j + n + k - (k > 0 ? 1 : 0)] + f32(k))\n"
    "} } }\n",
    /* no reduction: plain loops, vectors inside */
    "ast \"element-wise\"\n"
    "input b0: f32[48] \"x\" [6,8]\n"
    "output b1: f32[48] \"r\" [6,8]\n"
    "nest \"\" { for i = 0..6 by 2 { tile (n: 8 vec, m: 2 row) b1[(i + m)*8 + n] = b0[(i + m)*8 + 7 - n] * 2.0 } }\n",
    /* a residual read where it is overwritten */
    "ast \"in place\"\n"
    "input b0: f32[32] \"x\" [4,8]\n"
    "input b1: f32[16] \"w\" [4,4]\n"
    "temp b2: f32[32]\n"
    "temp b3: f32[32]\n"
    "output b4: f32[32] \"r\" [4,8]\n"
    "nest \"\" { for i = 0..32 { b2[i] = b0[31 - i] } }\n"
    "nest \"\" { tile (m: 4 row, n: 8 vec, k: 4 red) b3[m*8 + n] = b2[m*8 + n] + reduce(add, [k: 4], b1[m*4 + k] * b0[k*8 + n]) }\n"
    "nest \"\" { for i = 0..32 { b4[i] = b3[i] } }\n",
    /* computed indices: loads in indices, checks, guards and selects around what must not be read */
    "ast \"gathers\"\n"
    "input b0: f32[24] \"x\" [3,8]\n"
    "input b1: i64[4] \"at\" [4]\n"
    "output b2: f32[32] \"r\" [4,8]\n"
    "nest \"\" {\n"
    "    tile (m: 4 row, n: 8 vec, k: 2 red) b2[m*8 + n] = reduce(add, [k: 2], b0[clamp(b1[m], 0, 2)*8 + n] + (b0[clamp(b1[m + k], 0, 2)*8 + n] if 0 <= m + k < 4 else -1.0) + (k + n < 7 ? b0[check(i64(n) + i64(k), 0, 7)] : 0.25) * b0[n - n % 4 + m])\n"
    "}\n",
    /* a guard that holds in no row: what its loads share is not needed */
    "ast \"never\"\n"
    "input b0: f32[24] \"x\" [3,8]\n"
    "output b1: f32[16] \"r\" [2,8]\n"
    "nest \"\" { for i = 0..2 by 2 {\n"
    "    tile (m: 2 row, n: 8 vec, k: 2 red) b1[(i + m)*8 + n] = reduce(add, [k: 2], (b0[(i + m)*8 + n*2 + k*2] if 2 <= m < 3 else 1.0) + f32(k) * b0[(i + m)*8 + n + k*4])\n"
    "} }\n",
    /* names that the scalars of a tile would like to have; several row and vec iterators; dot4 */
    "ast \"names\"\n"
    "input b0: f32[96] \"x\" [2,3,16]\n"
    "input b1: f32[64] \"w\" [4,16]\n"
    "output b2: f32[96] \"r\" [2,3,2,8]\n"
    "nest \"\" { let s0: f32 = 1.5 for w0 = 0..2 { let p0: index = w0*48\n"
    "    tile (s1: 3 row, w1: 2 vec, x0: 8 vec, p1: 2 red, v0: 4 dot4) b2[p0 + (s1*2 + w1)*8 + x0] = s0 * reduce(add, [p1,v0: 2,4], b0[p0 + s1*16 + p1*8 + x0] * b1[v0*16 + w1*8 + x0] * b1[s1*16 + p1])\n"
    "    set s0 = s0 + 1.0\n"
    "} }\n",
    /* outside of nests; no row or vec; more rows and accumulators than registers */
    "ast \"bare\"\n"
    "input b0: f32[264] \"x\" [33,8]\n"
    "output b1: f32[1] \"sum\" []\n"
    "output b2: f32[33] \"rows\" [33]\n"
    "output b3: f32[132] \"many\" [132]\n"
    "output b4: f32[3] \"few\" [3]\n"
    "tile (k: 264 red) b1[0] = reduce(add, [k: 264], b0[k])\n"
    "tile (m: 33 row, k: 8 red) b2[m] = reduce(add, [k: 8], b0[m*8 + k])\n"
    "tile (n: 132 vec, k: 2 red) b3[n] = reduce(add, [k: 2], b0[n*2 + k])\n"
    "tile (n: 3 vec, k: 8 red) b4[n] = reduce(add, [k: 8], b0[n*8 + k] * b0[k])\n",
};
// clang-format on

/* How the C is compiled: strictly, and as compilers make vectors of it. */
static const char *const compilers[] = {
    STRICT,
    "gcc -std=c99 -O3 -Wall -Wextra -Wpedantic -Wshadow -Werror",
    "clang-19 -std=c99 -O2 -Wall -Wextra -Wpedantic -Wshadow -Werror",
};

/* Is the program that a command begins with there? */
static bool is_there(const char *command) {
    char line[64];
    snprintf(line, sizeof line, "command -v %.*s >/dev/null", (int)strcspn(command, " "),
             command);
    return command[0] == '$' || run_in("/", line) == 0;
}

START_TEST(same_bytes) {
    struct program p;
    struct str in = {0}, want = {0}, found;
    program_read(&p, programs[_i]);
    int code = interpret(&p, &in, &want);
    ck_assert_int_eq(code, 0);
    program_emit(&p);
    for (size_t k = 0; k < sizeof compilers / sizeof *compilers; k++) {
        if (!is_there(compilers[k]))
            continue;
        ck_assert_int_eq(program_run_by(&p, compilers[k], driver, &in, &found), 0);
        ck_assert_uint_eq(found.len, want.len);
        ck_assert_mem_eq(found.data, want.data, want.len);
        free(found.data);
    }
    str_free(&in);
    str_free(&want);
    program_free(&p);
}
END_TEST

/* What a tile of these many rows and lanes is printed as. */
static const struct {
    const char *rows, *lanes;
    const char *shows, *hides;
} forms[] = {
    {"4", "8", "float s3[8] = {0.0f};", "acc"},
    {"4", "8", "float w3 = b0[p0 + 15];", "w4"},
    {"4", "8", "float x0 = b1[p1 + n];", "x1"},
    {"4", "1", "float s3 = 0.0f;", "NNCC_LANES"},
    {"1", "3", "float s2 = 0.0f;", "NNCC_LANES"},
    {"4", "7", "for (int32_t n = 4; n < 6; n++)", "n < 8"},
    {"1", "16", "NNCC_LANES(8)", "acc"},
    {"32", "4", "s31[n] += ", "acc"},
    {"33", "1", "acc += ", "s32"},
    {"5", "32", "acc += ", "s4"},
    {"8<=min(8, N)", "4", "acc += ", "s0"},
};

START_TEST(form) {
    struct program p;
    char text[512];
    snprintf(
        text, sizeof text,
        "ast \"t\"\nsymbol N max 3\ninput b0: f32[165] \"a\" [33,5]\ninput b1: f32[160] "
        "\"b\" [5,32]\noutput b2: f32[1056] \"c\" [33,32]\nnest \"\" { for j = 0..32 by 32 "
        "{ tile (m: %s row, n: %s vec, k: 5 red) b2[m*32 + j + n] = reduce(add, [k: 5], "
        "b0[m*5 + j + k*5/5] * b1[k*32 + j + n]) } }\n",
        forms[_i].rows, forms[_i].lanes);
    program_read(&p, text);
    program_emit(&p);
    const char *body = strstr(str_cstr(&p.source), "static NNCC_NOINLINE void");
    ck_assert(body != NULL);
    ck_assert_msg(strstr(body, forms[_i].shows) != NULL, "%s", body);
    ck_assert_msg(strstr(body, forms[_i].hides) == NULL, "%s", body);
    program_free(&p);
}
END_TEST

/* The stack bound grows by the accumulators of the largest tile and half as much for spills. */
START_TEST(stack) {
    static const char text[] = "ast \"t\"\ninput b0: f32[64] \"a\" [8,8]\noutput b1: f32[64] "
                               "\"c\" [8,8]\nnest \"\" { tile (m: 8%s row, n: 8 vec, k: 1 red) "
                               "b1[m*8 + n] = reduce(add, [k: 1], b0[m*8 + n + k]) }\n";
    struct program p, q;
    char of_one[256], of_eight[256];
    snprintf(of_one, sizeof of_one, text, "<=1");
    snprintf(of_eight, sizeof of_eight, text, "");
    program_read(&p, of_one);
    program_read(&q, of_eight);
    program_emit(&p);
    program_emit(&q);
    int64_t more = q.figures.stack_bytes - p.figures.stack_bytes;
    ck_assert_int_ge(more, 7 * 32 * 3 / 2); // and the scalars that rows bring with them
    ck_assert_int_le(more, 7 * 32 * 2);
    program_free(&p);
    program_free(&q);
}
END_TEST

/* Where arithmetic on vectors takes denormal numbers for 0, --strict leaves it to scalars; what
 * only moves bits stays on vectors. */
static const struct {
    const char *value;
    bool computes;
} values[] = {
    {"b0[n]", false},
    {"-b0[n]", false},
    {"n < 6 ? abs(b0[n]) : 0.5", false},
    {"isnan(b0[n]) || isinf(b0[n]) ? 1.0 : b0[n]", false},
    {"b0[n] + 1.0", true},
    {"-b0[n] * 0.5", true},
    {"max(b0[n], 0.0)", true},
    {"sign(b0[n])", true},
    {"b0[n] < 0.5 ? 1.0 : b0[n]", true},
    {"bool(b0[n]) ? 1.0 : b0[n]", true},
    {"reduce(max, [k: 3], b0[n + 8*k])", true},
};

START_TEST(flushed) {
    struct target flushes = *target_find("generic");
    flushes.flushes = true;
    for (int strict = 0; strict < 2; strict++) {
        struct program p;
        char text[512];
        snprintf(text, sizeof text,
                 "ast \"t\"\ninput b0: f32[24] \"a\" [24]\noutput b1: f32[8] \"c\" [8]\n"
                 "nest \"\" { tile (n: 8 vec%s) b1[n] = %s }\n",
                 strstr(values[_i].value, "reduce") ? ", k: 3 red" : "", values[_i].value);
        program_read(&p, text);
        program_emit_for(&p, &flushes, strict);
        bool vectors = strstr(str_cstr(&p.source), "const nncc_f32x4 ");
        ck_assert_msg(vectors == !(strict && values[_i].computes), "%s", str_cstr(&p.source));
        program_free(&p);
    }
}
END_TEST

/* All lanes are surely in the shortest vector: else there is a loop over them, whatever length
 * the processor is said to have. */
static const struct {
    const char *cpu;
    int lanes;
    bool loop;
} lengths[] = {
    {"rv64gcv", 32, false},    {"rv64gcv", 33, true},     {"sifive-p670", 32, false},
    {"sifive-x280", 32, true}, {"sifive-x280", 4, false}, {"sifive-x280", 5, true},
};

START_TEST(length) {
    struct program p;
    char text[256];
    snprintf(text, sizeof text,
             "ast \"t\"\ninput b0: f32[64] \"a\" [64]\noutput b1: f32[64] \"c\" [64]\n"
             "nest \"\" { tile (n: %d vec) b1[n] = b0[n] + 1.0 }\n",
             lengths[_i].lanes);
    program_read(&p, text);
    program_emit_for(&p, target_find(lengths[_i].cpu), false);
    const char *source = str_cstr(&p.source);
    ck_assert_msg(strstr(source, "vfadd"), "%s", source);
    ck_assert_msg(!strstr(source, "n += (int32_t)vl") == !lengths[_i].loop, "%s", source);
    ck_assert_msg(!strstr(source, "const size_t vl") == lengths[_i].loop, "%s", source);
    program_free(&p);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

int main(void) {
    Suite *s = suite_create("tile");
    TCase *c = tcase_create("tile");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, same_bytes, 0, COUNT(programs));
    tcase_add_loop_test(c, form, 0, COUNT(forms));
    tcase_add_test(c, stack);
    tcase_add_loop_test(c, flushed, 0, COUNT(values));
    tcase_add_loop_test(c, length, 0, COUNT(lengths));
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
