/* The interpreter against expected numbers and against a reference that computes one value at a
 * time (lang.h). */
#include "lang.h"

/* ---- programs and their numbers ---- */

static const struct {
    const char *program, *data;
} cases[] = {
    /* Blocks of lanes longer than one block, with a tail; an affine map that is a transpose. */
    {"ast \"transpose\"\ninput b0: f32[6] [2,3]\noutput b1: f32[6] [3,2]\n"
     "for i = 0..3 { for j = 0..2 { b1[2*i+j] = b0[3*j+i] } }",
     "b0 = {1, 2, 3, 4, 5, 6} b1 == {1, 4, 2, 5, 3, 6}"},
    {"ast \"iota\"\noutput b0: i32[3] [3]\nfor i = 0..3 { b0[i] = i32(i*i) }",
     "b0 == {0, 1, 4}"},
    {"ast \"steps\"\noutput b0: i32[7] [7]\nfor i = 1..7 by 2 { b0[i] = i32(i) } for i = 0..7 "
     "by 3 { b0[i] = 9i32 }",
     "b0 == {9, 1, 0, 9, 0, 5, 9}"},
    /* A guard reads nothing outside its box, partly, wholly and not at all. */
    {"ast \"pad\"\ninput b0: f32[3] [3]\noutput b1: f32[7] [7]\n"
     "for i = 0..7 { b1[i] = (b0[i-2] if 0 <= i-2 < 3 else 9.0) }",
     "b0 = {1, 2, 3} b1 == {9, 9, 1, 2, 3, 9, 9}"},
    {"ast \"nothing\"\ninput b0: f32[0] [0]\noutput b1: f32[2] [2]\n"
     "for i = 0..2 { b1[i] = (b0[i] if 0 <= i < 0 else 4.0) }",
     "b1 == {4, 4}"},
    {"ast \"pads\"\ninput b0: f32[3] [3]\noutput b1: f32[5] [5]\n"
     "for i = 0..5 { b1[i] = ((b0[i] if 0 <= i < 3 else b0[i-3]) if 1 <= i < 5 else b0[0]) }",
     "b0 = {1, 2, 3} b1 == {1, 2, 3, 1, 2}"},
    /* Accumulation in order: 2^24 + 1 is lost in f32 each time. */
    {"ast \"order\"\ninput b0: f32[4] [4]\noutput b1: f32[1] []\n"
     "let s0: f32 = 0.0 for i = 0..4 { set s0 = s0 + b0[i] } b1[0] = s0",
     "b0 = {16777216, 1, 1, -16777216} b1 == {0}"},
    {"ast \"rows\"\ninput b0: f32[12] [3,4]\noutput b1: f32[3] [3]\n"
     "for i = 0..3 { let s0: f32 = 0.0 for j = 0..4 { set s0 = max(s0, b0[4*i+j]) } b1[i] = s0 "
     "* 2.0 }",
     "b0 = {1, 5, 2, 3, -1, -2, -3, -4, 7, 7, 8, 1} b1 == {10, 0, 16}"},
    /* Lanes that read what others write run one by one. */
    {"ast \"scan\"\ninput b0: f32[5] [5]\noutput b1: f32[5] [5]\n"
     "b1[0] = b0[0] for i = 1..5 { b1[i] = b1[i-1] + b0[i] }",
     "b0 = {1, 2, 3, 4, 5} b1 == {1, 3, 6, 10, 15}"},
    {"ast \"in place\"\ninput b0: f32[4] [4]\noutput b1: f32[4] [4]\n"
     "for i = 0..4 { b1[i] = b0[i] } for i = 0..4 { b1[i] = b1[i] * b1[i] }",
     "b0 = {1, 2, 3, 4} b1 == {1, 4, 9, 16}"},
    {"ast \"reverse in place\"\ninput b0: f32[4] [4]\noutput b1: f32[4] [4]\n"
     "for i = 0..4 { b1[i] = b0[i] } for i = 0..4 { b1[i] = b1[3-i] }",
     "b0 = {1, 2, 3, 4} b1 == {4, 3, 3, 4}"},
    {"ast \"histogram\"\ninput b0: i64[6] [6]\noutput b1: i32[3] [3]\n"
     "for i = 0..3 { b1[i] = 0i32 } for i = 0..6 { b1[check(b0[i], 0, 2)] = b1[check(b0[i], 0, "
     "2)] + 1i32 }",
     "b0 = {0, 2, 2, 1, 2, 0} b1 == {2, 1, 3}"},
    {"ast \"rows of a recurrence\"\ninput b0: f32[2] [2]\noutput b1: f32[8] [4,2]\n"
     "for i = 0..2 { b1[i] = b0[i] }\n"
     "for t = 0..3 { for i = 0..2 { let s0: f32 = 0.0 for k = 0..2 { set s0 = s0 + b1[2*t+k] } "
     "b1[2*t+2+i] = s0 } }",
     "b0 = {1, 2} b1 == {1, 2, 3, 3, 6, 6, 12, 12}"},
    /* The last of several writers wins. */
    {"ast \"last\"\ninput b0: f32[3] [3]\noutput b1: f32[1] []\nfor i = 0..3 { b1[0] = b0[i] }",
     "b0 = {1, 2, 3} b1 == {3}"},
    {"ast \"two stores\"\noutput b0: i32[4] [4]\nfor i = 0..3 { b0[i] = 1i32 b0[i+1] = 2i32 }",
     "b0 == {1, 1, 1, 2}"},
    {"ast \"sums in memory\"\ninput b0: f32[6] [2,3]\noutput b1: f32[2] [2]\n"
     "for i = 0..2 { b1[i] = 0.0 } for i = 0..2 { for j = 0..3 { b1[i] = b1[i] + b0[3*i+j] } }",
     "b0 = {1, 2, 3, 4, 5, 6} b1 == {6, 15}"},
    {"ast \"stores in an inner loop\"\noutput b0: i64[4] [4]\n"
     "for i = 0..3 { let v: i64 = i64(i*10) for k = 0..2 { b0[i+k] = v + i64(k) } }",
     "b0 == {0, 10, 20, 21}"},
    /* Indices from values. */
    {"ast \"gather\"\ninput b0: f32[3] [3]\ninput b1: i64[4] [4]\noutput b2: f32[4] [4]\n"
     "nest \"g\" { for i = 0..4 { b2[i] = b0[check(b1[i] < 0i64 ? b1[i] + 3i64 : b1[i], "
     "0, 2)] } }",
     "b0 = {5, 6, 7} b1 = {0, -1, 2, 1} b2 == {5, 7, 7, 6}"},
    {"ast \"outside\"\ninput b0: f32[3] [3]\ninput b1: i64[2] [2]\noutput b2: f32[2] [2]\n"
     "nest \"g\" { for i = 0..2 { b2[i] = b0[check(b1[i], 0, 2)] } }",
     "b0 = {5, 6, 7} b1 = {0, 3} result -2"},
    {"ast \"clamp\"\ninput b0: f32[3] [3]\ninput b1: u64[3] [3]\noutput b2: f32[3] [3]\n"
     "for i = 0..3 { b2[i] = b0[clamp(b1[i], 0, 2)] }",
     "b0 = {5, 6, 7} b1 = {18446744073709551615, 0, 1} b2 == {7, 5, 6}"},
    /* A check counts only where its value does. */
    {"ast \"unused checks\"\ninput b0: f32[3] [3]\ninput b1: i64[4] [4]\noutput b2: f32[4] "
     "[4]\n"
     "nest \"g\" { for i = 0..4 { b2[i] = (b1[i] >= 0i64 && b0[check(b1[i], 0, 2)] > "
     "5.0 ? b0[check(b1[i], 0, 2)] : "
     "(b0[check(b1[i], 0, 2)] if 1 <= i < 3 else 1.0)) } }",
     "b0 = {5, 6, 7} b1 = {-1, 2, 0, -9} b2 == {1, 7, 5, 1}"},
    /* Integers wrap in their type; division rounds to zero, of indices down. */
    {"ast \"wrap\"\ninput b0: i8[4] [4]\noutput b1: i8[4] [4]\noutput b2: u8[4] [4]\n"
     "for i = 0..4 { b1[i] = b0[i] + 100i8 b2[i] = u8(b0[i]) * 3u8 }",
     "b0 = {100, -128, 27, 28} b1 == {-56, -28, 127, -128} b2 == {44, 128, 81, 84}"},
    {"ast \"division\"\ninput b0: i32[4] [4]\noutput b1: i32[4] [4]\noutput b2: i64[4] [4]\n"
     "for i = 0..4 { b1[i] = b0[i] / 2i32 b2[i] = i64((i - 3) / 2) * 10i64 + i64((i - 3) % 2) "
     "}",
     "b0 = {-7, 7, -8, 0} b1 == {-3, 3, -4, 0} b2 == {-19, -10, -9, 0}"},
    {"ast \"u64\"\ninput b0: u64[2] [2]\noutput b1: u64[2] [2]\noutput b2: bool[2] [2]\n"
     "for i = 0..2 { b1[i] = b0[i] / 2u64 b2[i] = b0[i] > 5u64 }",
     "b0 = {18446744073709551615, 4} b1 == {9223372036854775807, 2} b2 == {true, false}"},
    {"ast \"saturate\"\ninput b0: f32[5] [5]\noutput b1: u8[5] [5]\noutput b2: i32[5] [5]\n"
     "for i = 0..5 { b1[i] = u8(b0[i]) b2[i] = i32(b0[i]) }",
     "b0 = {300, -1, 2.75, nan, -3e9} b1 == {255, 0, 2, 0, 0} b2 == {300, -1, 2, 0, "
     "-2147483648}"},
    {"ast \"logic\"\ninput b0: bool[4] [4]\ninput b1: bool[4] [4]\noutput b2: bool[4] [4]\n"
     "for i = 0..4 { b2[i] = (b0[i] && !b1[i]) || (b0[i] == b1[i] && b1[i]) }",
     "b0 = {false, true, false, true} b1 = {false, false, true, true} b2 == {false, true, "
     "false, true}"},
    {"ast \"all\"\ninput b0: bool[4] [4]\noutput b1: bool[2] [2]\n"
     "let s0: bool = true let s1: bool = false for i = 0..4 { set s0 = s0 && b0[i] } for i = "
     "0..4 { set s1 = s1 || b0[i] "
     "} b1[0] = s0 b1[1] = s1",
     "b0 = {true, true, false, true} b1 == {false, true}"},
    /* Elements below a byte. */
    {"ast \"int4\"\nconst b0: i4[5] = {-8, 7, -1, 0, 3}\noutput b1: u4[5] [5]\noutput b2: "
     "i32[5] [5]\n"
     "for i = 0..5 { b1[4-i] = u4(b0[i]) b2[i] = i32(b0[i]) }",
     "b1 == {3, 0, 15, 7, 8} b2 == {-8, 7, -1, 0, 3}"},
    /* Control. */
    {"ast \"while\"\ninput b0: i32[1] []\noutput b1: i32[1] []\n"
     "b1[0] = 1i32 for t = 0..100 while b1[0] < b0[0] { b1[0] = b1[0] * 3i32 }",
     "b0 = {50} b1 == {81}"},
    {"ast \"if\"\ninput b0: bool[1] []\noutput b1: f32[2] [2]\n"
     "if b0[0] { for i = 0..2 { b1[i] = 1.0 } } else { for i = 0..2 { b1[i] = 2.0 } }",
     "b0 = {false} b1 == {2, 2}"},
    {"ast \"require\"\ninput b0: i64[2] [2]\noutput b1: f32[1] []\n"
     "nest \"shape\" { for i = 0..2 { require b0[i] == i64(i) + 3i64 else SHAPE } } b1[0] = "
     "1.0",
     "b0 = {3, 4} b1 == {1}"},
    {"ast \"require fails\"\ninput b0: i64[2] [2]\noutput b1: f32[1] []\n"
     "nest \"shape\" { for i = 0..2 { require b0[i] == i64(i) + 3i64 else SHAPE } } b1[0] = "
     "1.0",
     "b0 = {3, 5} result -3"},
    {"ast \"triangle\"\ninput b0: f32[3] [3]\noutput b1: f32[3] [3]\n"
     "for i = 0..3 { let s0: f32 = 0.0 for j = 0..i+1 { set s0 = s0 + b0[j] } b1[i] = s0 }",
     "b0 = {1, 2, 4} b1 == {1, 3, 7}"},
    {"ast \"index scalar\"\ninput b0: f32[8] [8]\noutput b1: f32[4] [4]\n"
     "for i = 0..4 { let k: index = 2*i+1 let m: index = k / 2 b1[i] = b0[k] + b0[m] }",
     "b0 = {0, 1, 2, 3, 4, 5, 6, 7} b1 == {1, 4, 7, 10}"},
    {"ast \"symbol\"\nsymbol N max 3\ninput b0: f32[2*N] [2,N]\noutput b1: f32[2*N] [N,2]\n"
     "for i = 0..2 { for j = 0..N { b1[2*j+i] = b0[N*i+j] } }",
     "b0 = {1, 2, 3, 4, 5, 6} b1 == {1, 4, 2, 5, 3, 6}"},
    {"ast \"top k\"\ninput b0: f32[8] [2,4]\noutput b1: f32[4] [2,2]\noutput b2: i64[4] [2,2]\n"
     "nest \"t\" { call topk(b0; b1, b2; 1, 2, 4, 1, 2, 1) }",
     "b0 = {1, 4, 4, 2, nan, 7, 8, 1} b1 == {4, 4, nan, 8} b2 == {1, 2, 0, 2}"},
    {"ast \"bottom k of columns\"\ninput b0: i16[6] [3,2]\noutput b1: i16[4] [2,2]\noutput b2: "
     "i64[4] [2,2]\n"
     "call topk(b0; b1, b2; 5, 1, 3, 2, 2, 0)",
     "b0 = {3, -1, 2, -1, 2, 5} b1 == {2, -1, 2, -1} b2 == {1, 0, 2, 1}"},
    /* A tile runs as loops. */
    {"ast \"tile\"\ninput b0: f32[6] [3,2]\ninput b1: f32[8] [2,4]\ninput b2: f32[4] "
     "[4]\noutput b3: f32[12] [3,4]\n"
     "tile (m: 3 row, n: 4 vec, k: 2 red) b3[4*m+n] = max(reduce(add, [k: 2], "
     "b0[2*m+k]*b1[4*k+n]) + b2[n], 0.0)",
     "b0 = {1, 2, 3, 4, 5, 6} b1 = {1, 0, -1, 2, 0, 1, 1, -3} b2 = {0, 1, 2, 3}\n"
     "b3 == {1, 3, 3, 0, 3, 5, 3, 0, 5, 7, 3, 0}"},
    /* Rows inside loops, a reduction whose extent the loops change: blocks of several tiles. */
    {"ast \"shrunk\"\ninput b0: f32[8] [8]\noutput b1: f32[8] [8]\n"
     "for y = 0..8 by 4 { tile (m: 4 row, r: 3<=min(3, 8-y) red) b1[y+m] = reduce(add, [r: "
     "min(3, 8-y)], (b0[y+m+r-1] if 0 <= y+m+r-1 < 8 else 0.0)) }",
     "b0 = {1, 2, 3, 4, 5, 6, 7, 8} b1 == {3, 6, 9, 12, 15, 18, 21, 15}"},
    /* No row or vec; the reduction twice; integers wrap. */
    {"ast \"one point\"\ninput b0: i8[4] [4]\noutput b1: i8[1] []\n"
     "tile (k: 4 red) b1[0] = reduce(add, [k: 4], b0[k]) * reduce(add, [k: 4], b0[k])",
     "b0 = {100, 20, 7, 2} b1 == {1}"},
    /* Counts below the maximum, none at all, and a monoid with an identity that is not 0. */
    {"ast \"counts\"\ninput b0: u8[6] [2,3]\noutput b1: u8[6] [2,3]\n"
     "for i = 0..6 { b1[i] = 9u8 }\n"
     "for i = 0..3 { tile (m: 2<=min(2, 2-i) row, n: 3<=2 vec, k: 2 red) b1[(i+m)*3+n] = "
     "reduce(min, [k: 2], b0[(i+m)*3+n+k]) }",
     "b0 = {5, 4, 3, 2, 1, 0} b1 == {4, 3, 9, 1, 0, 9}"},
    /* What a tile overwrites, it reads at the same element. */
    {"ast \"in place\"\ninput b0: f32[4] [2,2]\ntemp b1: f32[4]\noutput b2: f32[4] [2,2]\n"
     "for i = 0..4 { b1[i] = 10.0 }\n"
     "tile (m: 2 row, n: 2 vec, k: 2 red) b1[m*2+n] = b1[m*2+n] + reduce(add, [k: 2], "
     "b0[m*2+k] * b0[k*2+n])\nfor i = 0..4 { b2[i] = b1[i] }",
     "b0 = {1, 2, 3, 4} b2 == {17, 20, 25, 32}"},
    {"ast \"tile with a tail\"\ninput b0: f32[5] [5]\noutput b1: f32[5] [5]\n"
     "for c0 = 0..5 by 2 { let m: index = min(2, 5-c0) tile (v: 2<=m vec) b1[c0+v] = b0[c0+v] "
     "* 2.0 }",
     "b0 = {1, 2, 3, 4, 5} b1 == {2, 4, 6, 8, 10}"},
};

START_TEST(numbers_are_right) {
    struct bench b;
    struct program p;
    bench_start(&b);
    program_read(&p, &b, cases[_i].program, cases[_i].data);
    program_run(&p);
    program_free(&p);
    bench_end(&b);
}
END_TEST

/* ---- sizes around a block ---- */

/* A padded two-dimensional reduction with odd extents: every mask, pattern and tail of the
 * blocks. */
static const char reduction[] =
    "ast \"window\"\ninput b0: f32[%d] [%d,%d]\noutput b1: f32[%d] [%d,%d]\n"
    "for y = 0..%d { for x = 0..%d { let s0: f32 = 0.0\n"
    "for r = 0..3 { for s = 0..3 { set s0 = s0 + (b0[%d*(y+r-1)+x+s-1] if 0 <= y+r-1 < %d "
    "&& 0 <= x+s-1 < %d else 0.5) * f32(r*3+s) } }\n"
    "b1[%d*(%d-y)+x] = s0 } }";

static void fill_random(char *data, enum dtype t, int64_t n, uint64_t seed) {
    for (int64_t k = 0; k < n; k++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int64_t v = (int64_t)(seed >> 33) % 200 - 100;
        dtype_store(t, data, k,
                    dtype_is_float(t) ? (union scalar){.f = (double)v / 8}
                                      : (union scalar){.i = v});
    }
}

static void run_random(const char *text) {
    struct bench b;
    struct program p;
    bench_start(&b);
    program_read(&p, &b, text, "");
    for (int i = 0; i < p.ast->buffers.len; i++) {
        const struct buffer *buffer = &p.ast->buffers.data[i];
        if (buffer->kind != BUFFER_INPUT)
            continue;
        p.given[i] = arena_alloc(&b.arena, (size_t)buffer_size(p.ast, i));
        fill_random(p.given[i], buffer->dtype, buffer->max_elements, (uint64_t)i + 1);
    }
    program_run(&p);
    program_free(&p);
    bench_end(&b);
}

START_TEST(blocks_of_every_size_agree_with_the_reference) {
    static const int sizes[][2] = {{1, 1},  {1, 512}, {1, 513}, {3, 170}, {3, 171},
                                   {7, 73}, {8, 64},  {40, 13}, {600, 1}, {2, 1100}};
    int h = sizes[_i][0], w = sizes[_i][1];
    char text[1024];
    snprintf(text, sizeof text, reduction, h * w, h, w, h * w, h, w, h, w, w, h, w, w, h - 1);
    run_random(text);
}
END_TEST

/* Every function in every type that it takes, over more lanes than one block has chunks. */
START_TEST(functions_agree_with_the_reference) {
    enum func f = (enum func)_i;
    const struct func_info *info = func_info(f);
    if (info->rule == RULE_INDEX || info->rule == RULE_SELECT)
        return;
    for (int t = DTYPE_F32; t < DTYPE_INDEX; t++) {
        enum dtype arg[2] = {(enum dtype)t, (enum dtype)t}, result = func_result(f, arg);
        if (result == DTYPE_NONE)
            continue;
        const char *name = dtype_info((enum dtype)t)->text;
        struct str s = {0};
        str_addf(&s,
                 "ast \"f\"\ninput b0: %s[37] [37]\ninput b1: %s[37] [37]\noutput b2: %s[37] "
                 "[37]\nfor i = 0..37 { b2[i] = ",
                 name, name, dtype_info(result)->text);
        bool operator= info->prec> 0;
        if (info->arity == 1)
            str_addf(&s, "%s(b0[i]) }", info->text);
        else if (operator)
            str_addf(&s, "b0[i] %s b1[i] }", info->text);
        else
            str_addf(&s, "%s(b0[i], b1[i]) }", info->text);
        run_random(str_cstr(&s));
        str_free(&s);
    }
}
END_TEST

START_TEST(casts_agree_with_the_reference) {
    for (int t = DTYPE_F32; t < DTYPE_INDEX; t++) {
        const char *from = dtype_info((enum dtype)(DTYPE_F32 + _i))->text,
                   *to = dtype_info((enum dtype)t)->text;
        char text[256];
        snprintf(text, sizeof text,
                 "ast \"c\"\ninput b0: %s[37] [37]\noutput b1: %s[37] [37]\nfor i = 0..37 { "
                 "b1[i] = %s(b0[i]) }",
                 from, to, to);
        run_random(text);
    }
}
END_TEST

/* ---- random nests over shared buffers ---- */

/* What decides whether lanes may run together: loads and stores of the same buffers at random
 * affine places, in place, shifted, reversed, several to one element, with sums inside. */
struct dice {
    uint64_t state;
    int loops;         // i, j, k, l in scope
    int64_t extent[6]; // of each
};

static int roll(struct dice *d, int n) {
    d->state = d->state * 6364136223846793005u + 1442695040888963407u;
    return (int)((d->state >> 33) % (uint64_t)n);
}

/* An index of 0 to 63: random coefficients, shifted inside; some of them no longer affine. */
static void random_index(struct dice *d, struct str *s) {
    static const char *const ends[] = {"", "", "", "", ") / 2", ") % 5", " + j * 0, i + 9)"};
    int end = roll(d, d->loops > 1 ? 7 : 6);
    str_add(s, end == 6 ? "min(" : end >= 4 ? "(" : "");
    int64_t lo = 0, hi = 0, coef[6];
    static const int64_t coefs[] = {0, 0, 1, 1, 2, -1, 3, 8};
    for (int k = 0; k < d->loops; k++) {
        coef[k] = coefs[roll(d, 8)];
        int64_t reach = coef[k] * (d->extent[k] - 1);
        if (hi - lo + (reach < 0 ? -reach : reach) > 60)
            coef[k] = reach = 0;
        *(reach < 0 ? &lo : &hi) += reach;
    }
    str_addf(s, "%lld", (long long)(-lo + roll(d, (int)(64 - (hi - lo)))));
    for (int k = 0; k < d->loops; k++)
        if (coef[k])
            str_addf(s, " + (%lld)*%c", (long long)coef[k], 'i' + k);
    str_add(s, ends[end]);
}

/* A load of b1 or b2, now and then guarded. */
static void random_load(struct dice *d, struct str *s) {
    bool guarded = roll(d, 4) == 0;
    str_addf(s, guarded ? "(b%d[" : "b%d[", 1 + roll(d, 2));
    random_index(d, s);
    str_add(s, "]");
    if (guarded)
        str_addf(s, " if %d <= i < %d else 1.0)", roll(d, 3), 3 + roll(d, 3));
}

static void random_loop(struct dice *d, struct str *s) {
    int lo = roll(d, 4) == 0, step = 1 + (roll(d, 4) == 0);
    d->extent[d->loops] = 1 + lo + step * (1 + roll(d, 6));
    str_addf(s, "for %c = %d..%lld by %d { ", 'i' + d->loops, lo,
             (long long)d->extent[d->loops], step);
    d->loops++;
}

static void random_store(struct dice *d, struct str *s, bool sum) {
    struct str place = {0};
    str_addf(&place, "b%d[", 1 + roll(d, 2));
    random_index(d, &place);
    str_addf(s, "%s] = ", str_cstr(&place));
    if (roll(d, 3) == 0) // in place
        str_addf(s, "%s] * 0.75 + ", str_cstr(&place));
    str_free(&place);
    random_load(d, s);
    str_add(s, roll(d, 2) ? " - " : " * 0.5 + ");
    random_load(d, s);
    str_add(s, sum ? " + s0 " : " ");
}

static void random_nest(struct dice *d, struct str *s) {
    int depth = 1 + roll(d, 3);
    bool sum = roll(d, 2);
    d->loops = 0;
    for (int k = 0; k < depth; k++)
        random_loop(d, s);
    if (sum) {
        str_add(s, "let s0: f32 = 0.25 ");
        random_loop(d, s);
        str_add(s, "set s0 = s0 * 0.5 + ");
        random_load(d, s);
        str_add(s, " } ");
        d->loops--;
    }
    for (int stores = 1 + (roll(d, 3) == 0); stores > 0; stores--)
        random_store(d, s, sum);
    for (int k = 0; k < depth; k++)
        str_add(s, "} ");
}

START_TEST(random_nests_agree_with_the_reference) {
    struct dice d = {.state = (uint64_t)_i + 1};
    for (int program = 0; program < 50; program++) {
        struct str s = {0};
        str_add(&s, "ast \"random\"\ninput b0: f32[64] [64]\noutput b1: f32[64] [64]\n"
                    "output b2: f32[64] [64]\n"
                    "for i = 0..64 { b1[i] = b0[i] b2[i] = b0[63-i] }\n");
        for (int k = 0; k < 6; k++)
            random_nest(&d, &s);
        run_random(str_cstr(&s));
        str_free(&s);
    }
}
END_TEST

/* ---- what only the interpreter sees ---- */

static void run_text(const char *text, const char *data) {
    struct bench b;
    struct program p;
    bench_start(&b);
    program_read(&p, &b, text, data);
    program_run(&p);
    program_free(&p);
    bench_end(&b);
}

/* A load or store outside its buffer ends the program, wherever the verifier cannot see it. */
START_TEST(access_outside_is_a_bug) {
    static const char *const texts[] = {
        "ast \"x\"\ninput b0: f32[4] [4]\noutput b1: f32[4] [4]\nfor i = 0..4 { b1[i] = "
        "b0[i*i] }",
        "ast \"x\"\ninput b0: f32[4] [4]\noutput b1: f32[4] [4]\nfor i = 0..4 { for j = 0..2 { "
        "b1[i+j-j+j] = b0[i] } }",
        "ast \"x\"\ninput b0: i64[1] [1]\noutput b1: f32[4] [4]\nb1[clamp(b0[0], 9, 9)] = 1.0",
    };
    run_text(texts[_i], _i < 2 ? "" : "b0 = {0}");
}
END_TEST

/* An output may share the storage of an input that it is computed from element by element. */
START_TEST(output_shares_storage_with_input) {
    struct bench b;
    struct program p;
    bench_start(&b);
    program_read(&p, &b,
                 "ast \"alias\"\ninput b0: f32[700] [700]\noutput b1: f32[700] [700] alias 0\n"
                 "for i = 0..699 { b1[i] = b0[i+1] + b0[i] }",
                 "");
    float shared[700], expected[700];
    for (int i = 0; i < 700; i++)
        shared[i] = expected[i] = (float)(i % 17);
    for (int i = 0; i < 699; i++)
        expected[i] = expected[i + 1] + expected[i];
    void *const data[2] = {shared, shared};
    ck_assert_int_eq(interp_run(p.ast, data, NULL), 0);
    ck_assert(memcmp(shared, expected, sizeof shared) == 0);
    program_free(&p);
    bench_end(&b);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

int main(void) {
    Suite *suite = suite_create("interp");
    TCase *tc = tcase_create("interp");
    tcase_add_loop_test(tc, numbers_are_right, 0, COUNT(cases));
    tcase_add_loop_test(tc, blocks_of_every_size_agree_with_the_reference, 0, 10);
    tcase_add_loop_test(tc, functions_agree_with_the_reference, 0, FUNC_COUNT);
    tcase_add_loop_test(tc, casts_agree_with_the_reference, 0, DTYPE_INDEX - DTYPE_F32);
    tcase_add_loop_test(tc, random_nests_agree_with_the_reference, 0, 8);
    tcase_add_loop_exit_test(tc, access_outside_is_a_bug, 70, 0, 3);
    tcase_add_test(tc, output_shares_storage_with_input);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
