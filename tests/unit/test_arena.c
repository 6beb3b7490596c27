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
    // b overlays a for two steps, c finds no room in either
    {{{64, 0, 2, NONE, 0}, {64, 1, 3, 0, 0}, {32, 1, 2, NONE, 0}}, 3, 96, 96},
    // a share of two that are born together gives nothing
    {{{64, 0, 2, NONE, 0}, {64, 0, 3, 0, 0}}, 2, 128, 128},
    // c overlays b, which overlays a; but a lives, and c must keep off it
    {{{64, 0, 2, NONE, 0}, {64, 1, 2, 0, 0}, {64, 2, 3, 1, 0}}, 3, 128, 64},
    // a residual keeps a alive over b and c
    {{{64, 0, 3, NONE, 0}, {128, 0, 1, NONE, 0}, {32, 1, 2, NONE, 0}, {32, 2, 3, NONE, 0}},
     4,
     224,
     224},
    // a larger result begins where its operand lay
    {{{64, 0, 1, NONE, 0}, {96, 1, 2, 0, 0}}, 2, 96, 96},
    // the smaller of a pair shares; the third lives beside both
    {{{64, 0, 1, NONE, 0}, {32, 1, 2, 0, 0}, {32, 0, 2, NONE, 0}}, 3, 96, 96},
    // what is never used takes no room
    {{{64, -1, -1, NONE, 0}, {64, -1, -1, NONE, 0}, {32, 0, 0, NONE, 0}}, 3, 32, 32},
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

/* Items of a network: most live for a step or two, some long, some in place of the one before.
 * A generator of its own makes them the same on every machine. */
static uint32_t next_random(uint32_t *state, uint32_t below) {
    *state = *state * 1103515245u + 12345u;
    return (*state >> 8) % below;
}

static void make_items(struct arena_item *items, int n, uint32_t seed) {
    for (int i = 0; i < n; i++) {
        struct arena_item *it = &items[i];
        int extra = next_random(&seed, 4) == 0 ? (int)next_random(&seed, 8) : 0;
        *it = (struct arena_item){.bytes = 1 + next_random(&seed, 60000), .share = NONE};
        it->first = i;
        it->last = i + 1 + extra;
        if (i > 0 && items[i - 1].last == i && next_random(&seed, 2) == 0)
            it->share = i - 1;
    }
}

static bool may_meet(const struct arena_item *items, int i, int j) {
    const struct arena_item *a = &items[i], *b = &items[j];
    bool apart = a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset;
    bool pair = a->share == j && a->first == b->last && a->offset == b->offset;
    return apart || pair || a->last < b->first || b->last < a->first;
}

/* Whatever the items, nothing overlaps, and the search comes close to the bound. */
START_TEST(place_many_items) {
    enum { N = 80 };
    struct arena_item items[N];
    int step;
    make_items(items, N, (uint32_t)_i + 1);
    int64_t size = arena_place(items, N, 16), bound = arena_bound(items, N, 16, &step);
    ck_assert_int_ge(size, bound);
    ck_assert_msg(size * 100 <= bound * 105, "%lld for a bound of %lld", (long long)size,
                  (long long)bound);
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(items[i].offset % 16, 0);
        ck_assert_int_le(items[i].offset + items[i].bytes, size);
        for (int j = 0; j < i; j++)
            ck_assert(may_meet(items, i, j));
    }
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
    {"another iterator",
     "nest \"n\" { for c0 = 0..64 { for c1 = 0..1 { b2[c0] = b1[c1] } } }\n", 512},
    {"a guard around the load",
     "nest \"n\" { for c0 = 0..64 { b2[c0] = (b1[c0] if 1 <= c0 < 63 else 0.0) } }\n", 256},
    {"a sum before the store",
     "nest \"n\" { for c0 = 0..64 { let s0: f32 = b1[c0] \n for c1 = 0..3 { set s0 = s0 + "
     "b0[c1] } b2[c0] = s0 } }\n",
     256},
    {"the operand in the loop of the sum",
     "nest \"n\" { for c0 = 0..64 { let s0: f32 = 0.0 \n for c1 = 0..64 { set s0 = s0 + "
     "b1[c1] } b2[c0] = s0 } }\n",
     512},
    {"split by hand",
     "nest \"n\" { for c0 = 0..64 by 8 { for c1 = 0..8 { b2[c0+c1] = b1[c0+c1] } } }\n", 256},
    {"split with a tail",
     "nest \"n\" { for c0 = 0..64 by 6 { for c1 = 0..min(6, 64-c0) { b2[c0+c1] = b1[c0+c1] } } "
     "}\n",
     256},
    {"split, counted from the outer loop",
     "nest \"n\" { for c0 = 0..64 by 6 { for c1 = c0..min(64, c0+6) { b2[c1] = b1[c1] } } }\n",
     256},
    {"split, rounded down to the piece",
     "nest \"n\" { for c0 = 1..61 by 6 { for c1 = 0..6 { b2[(c0-1)/6*6+c1] = b1[(c0-1)/6*6+c1] "
     "} "
     "} }\n",
     256},
    {"flat, taken apart",
     "nest \"n\" { for c0 = 0..8 { for c1 = 0..8 { b2[(8*c0+c1)/8*8+(8*c0+c1)%8] = b1[8*c0+c1] "
     "} "
     "} }\n",
     256},
    {"halves of one piece", "nest \"n\" { for c0 = 0..64 { b2[c0/2] = b1[c0/2] } }\n", 512},
    {"split, the pieces overlapping",
     "nest \"n\" { for c0 = 0..60 by 4 { for c1 = 0..6 { b2[c0+c1] = b1[c0+c1] } } }\n", 512},
    {"split in the inner of two loops",
     "nest \"n\" { for c0 = 0..4 { for c1 = 0..16 by 6 { for c2 = 0..min(6, 16-c1) { "
     "b2[16*c0+c1+c2] = b1[16*c0+c1+c2] } } } }\n",
     256},
    {"interior and border",
     "nest \"n\" { for c0 = 0..8 { b2[c0] = b1[c0] } for c0 = 1..7 { b2[8*c0] = b1[8*c0] \n "
     "for c1 = 1..7 { b2[8*c0+c1] = b1[8*c0+c1] * 2.0 } b2[8*c0+7] = b1[8*c0+7] } "
     "for c0 = 0..8 { b2[c0+56] = b1[c0+56] } }\n",
     256},
    {"interior and border that meet",
     "nest \"n\" { for c0 = 0..8 { b2[c0] = b1[c0] } for c0 = 0..7 { for c1 = 0..8 { "
     "b2[8*c0+c1] = b1[8*c0+c1] } } }\n",
     512},
    {"even and odd",
     "nest \"n\" { for c0 = 0..32 { b2[2*c0] = b1[2*c0] } for c0 = 0..32 { b2[2*c0+1] = "
     "b1[2*c0+1] } }\n",
     256},
    {"even, then all",
     "nest \"n\" { for c0 = 0..32 { b2[2*c0] = b1[2*c0] } for c0 = 0..64 { b2[c0] = b1[c0] } "
     "}\n",
     512},
    {"the operand in the other piece",
     "nest \"n\" { for c0 = 0..32 { b2[c0] = b1[c0] } for c0 = 32..64 { b2[c0] = b1[c0-32] } "
     "}\n",
     512},
    {"backwards", "nest \"n\" { for c0 = 0..64 { b2[63-c0] = b1[63-c0] } }\n", 256},
    {"under a condition",
     "nest \"n\" { for c0 = 0..64 { if b0[c0] < 1.0 { b2[c0] = b1[c0] } } }\n", 256},
    {"the operand in the condition",
     "nest \"n\" { for c0 = 0..64 { if b1[c0] < 1.0 { b2[c0] = b1[c0] } } }\n", 256},
    {"the operand is written",
     "nest \"n\" { for c0 = 0..64 { b2[c0] = b1[c0] \n b1[c0] = 0.0 } }\n", 512},
    {"tile, the operand around the reduce",
     "nest \"n\" { for c0 = 0..64 by 16 { tile (m: 2 row, n: 8 vec, k: 4 red) b2[c0+8*m+n] = "
     "max(reduce(add, [k: 4], b0[k] * b0[n]) + b1[c0+8*m+n], 0.0) } }\n",
     256},
    {"tile, the operand in the reduce",
     "nest \"n\" { for c0 = 0..64 by 16 { tile (m: 2 row, n: 8 vec, k: 4 red) b2[c0+8*m+n] = "
     "reduce(add, [k: 4], b1[16*k+n]) } }\n",
     512},
    {"tile with a tail",
     "nest \"n\" { for c0 = 0..64 by 6 { tile (m: 6 <= min(6, 64-c0) row, k: 4 red) b2[c0+m] = "
     "reduce(add, [k: 4], b0[k]) + b1[c0+m] } }\n",
     256},
    {"tiles of a part and of the rest",
     "nest \"n\" { for c0 = 0..60 by 6 { tile (m: 6 row) b2[c0+m] = b1[c0+m] } "
     "tile (m: 4 row) b2[m+60] = b1[m+60] }\n",
     256},
    {"tiles that overlap",
     "nest \"n\" { for c0 = 0..60 by 6 { tile (m: 7 row) b2[c0+m] = b1[c0+m] } }\n", 512},
    {"a scalar before a tile",
     "nest \"n\" { for c0 = 0..64 by 8 { let s0: f32 = b1[c0] \n tile (m: 8 vec) b2[c0+m] = s0 "
     "} }\n",
     256},
    {"rows: the maximum, then the row",
     "nest \"n\" { for c0 = 0..8 { let s0: f32 = -inff32 \n for c1 = 0..8 { set s0 = max(s0, "
     "b1[8*c0+c1]) } for c1 = 0..8 { b2[8*c0+c1] = b1[8*c0+c1] - s0 } } }\n",
     256},
    {"rows: the row, then its maximum",
     "nest \"n\" { for c0 = 0..8 { let s0: f32 = -inff32 \n for c1 = 0..8 { b2[8*c0+c1] = "
     "b1[8*c0+c1] } for c1 = 0..8 { set s0 = max(s0, b1[8*c0+c1]) } } }\n",
     512},
    {"rows: the maximum of the next row",
     "nest \"n\" { for c0 = 0..7 { let s0: f32 = -inff32 \n for c1 = 0..8 { set s0 = max(s0, "
     "b1[8*c0+c1+8]) } for c1 = 0..8 { b2[8*c0+c1] = b1[8*c0+c1] - s0 } } }\n",
     512},
    {"rows: a row too long",
     "nest \"n\" { for c0 = 0..7 { let s0: f32 = -inff32 \n for c1 = 0..9 { set s0 = max(s0, "
     "b1[8*c0+c1]) } for c1 = 0..8 { b2[8*c0+c1] = b1[8*c0+c1] - s0 } } }\n",
     512},
    {"columns: the maximum of the row",
     "nest \"n\" { for c0 = 0..8 { let s0: f32 = -inff32 \n for c1 = 0..8 { set s0 = max(s0, "
     "b1[8*c0+c1]) } for c1 = 0..8 { b2[8*c1+c0] = s0 } } }\n",
     512},
    {"a maximum of all first",
     "nest \"n\" { let s0: f32 = -inff32 \n for c0 = 0..64 { set s0 = max(s0, b1[63-c0]) } for "
     "c0 = 0..64 { b2[c0] = s0 } }\n",
     256},
    {"a row by tiles",
     "nest \"n\" { for c0 = 0..8 { let s0: f32 = 0.0 \n for c1 = 0..8 { set s0 = s0 + "
     "b1[8*c0+c1] } tile (m: 8 vec, k: 8 red) b2[8*c0+m] = reduce(add, [k: 8], b1[8*c0+k]) * "
     "s0 "
     "} }\n",
     512},
    {"rows by tiles of sums",
     "nest \"n\" { for c0 = 0..8 { b2[8*c0] = 1.0 \n tile (m: 7 vec, k: 8 red) b2[8*c0+m+1] = "
     "reduce(add, [k: 8], b0[8*c0+k]) + b1[8*c0+m+1] } }\n",
     256},
    {"half a row before it is read",
     "nest \"n\" { for c0 = 0..8 { for c1 = 0..4 { b2[8*c0+c1] = b1[8*c0+c1] } for c1 = 0..4 { "
     "b2[8*c0+c1+4] = b1[8*c0+c1+4] } } }\n",
     256},
    {"half a row before the whole is read",
     "nest \"n\" { for c0 = 0..8 { for c1 = 0..4 { b2[8*c0+c1] = b1[8*c0+c1] } for c1 = 0..8 { "
     "b2[8*c0+c1] = b1[8*c0+c1] } } }\n",
     512},
    {"rows in blocks of four, the ninth apart",
     "nest \"n\" { for c0 = 0..2 { for c1 = c0*4..c0*4+4 { for c2 = 0..7 { let s0: f32 = "
     "b1[7*c1+c2] } } for c1 = c0*4..c0*4+4 { for c2 = 0..7 { b2[7*c1+c2] = 1.0 } } } for c2 = "
     "0..7 { let s0: f32 = b1[c2+56] } for c2 = 0..7 { b2[c2+56] = 1.0 } }\n",
     256},
    {"rows of a tile in blocks of four",
     "nest \"n\" { for c0 = 0..2 { tile (m: 4 row, k: 7 red) b3[4*c0+m] = reduce(max, [k: 7], "
     "b1[7*(4*c0+m)+k]) for c1 = c0*4..c0*4+4 { for c2 = 0..7 { b2[7*c1+c2] = 1.0 } } } }\n",
     256},
    {"rows in blocks that read the next row",
     "nest \"n\" { for c0 = 0..2 { for c1 = c0*4..c0*4+5 { for c2 = 0..7 { let s0: f32 = "
     "b1[7*c1+c2] } } for c1 = c0*4..c0*4+4 { for c2 = 0..7 { b2[7*c1+c2] = 1.0 } } } }\n",
     512},
    {"rows in blocks of four, the last read in each",
     "nest \"n\" { for c0 = 0..2 { for c1 = c0*4..c0*4+4 { for c2 = 0..7 { let s0: f32 = "
     "b1[7*c1+c2] } } let s1: f32 = b1[49] for c1 = c0*4..c0*4+4 { for c2 = 0..7 { "
     "b2[7*c1+c2] = 1.0 } } } }\n",
     512},
    {"one half while the other waits",
     "nest \"n\" { for c0 = 0..32 { b2[c0+32] = b0[c0] } }\n"
     "nest \"m\" { for c0 = 0..32 { b2[c0] = b1[c0] } }\n",
     256},
    {"the half that waits is overwritten",
     "nest \"n\" { for c0 = 0..32 { b2[c0] = b0[c0] } }\n"
     "nest \"m\" { for c0 = 0..32 { b2[c0+32] = b1[c0] } }\n",
     512},
    {"one element of what waits is overwritten",
     "nest \"n\" { for c0 = 0..33 { b2[c0+31] = b0[c0] } }\n"
     "nest \"m\" { for c0 = 0..32 { b2[c0] = b1[c0] } }\n",
     512},
    {"what waits is read once more at the end",
     "nest \"n\" { for c0 = 0..32 { b2[c0+32] = b0[c0] } }\n"
     "nest \"m\" { for c0 = 0..32 { b2[c0] = b0[c0] } }\n"
     "nest \"o\" { for c0 = 0..32 { b3[c0] = b1[c0] } }\n",
     512},
    {"the next nest after one that reads all",
     "nest \"n\" { for c0 = 0..64 { let s0: f32 = b1[c0] } for c0 = 0..32 { b2[c0+32] = 1.0 } "
     "}\nnest \"m\" { for c0 = 0..32 { b2[c0] = b1[c0] } }\n",
     256},
    {"no nest while it waits",
     "nest \"n\" { for c0 = 0..32 { b2[c0+32] = b0[c0] } }\n"
     "for c0 = 0..32 { b2[c0] = b1[c0] }\n",
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

/* A pair that shares memory over two nests is proven over both. */
START_TEST(check_reads_all_nests_of_a_pair) {
    struct program p;
    program_read(&p, "nest \"n\" { for c0 = 0..64 { b2[c0] = b1[c0] } }\n"
                     "nest \"m\" { for c0 = 0..64 { b3[c0] = b1[c0] } }\n");
    arena_plan(p.ast);
    ck_assert(arena_check(p.ast, &p.diag));
    overlap(p.ast);
    ck_assert(!arena_check(p.ast, &p.diag));
    ck_assert_ptr_nonnull(strstr(str_cstr(&p.sink), "b2 and b1 are alive together"));
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
    static const char *const lines[] = {
        "step 1 of 3 binds the arena: 512 bytes alive\n",
        "b1: 256 bytes at 0, alive in steps 0 to 1\n",
        "b2: 256 bytes at 256, alive in steps 1 to 2\n",
        "arena: 512 bytes, liveness bound 512, bound by step 1\n",
    };
    for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
        ck_assert_msg(strstr(str_cstr(&p.sink), lines[k]) != NULL, "%s\nnot in\n%s", lines[k],
                      str_cstr(&p.sink));
    program_free(&p);
}
END_TEST

int main(void) {
    Suite *s = suite_create("arena");
    TCase *t = tcase_create("arena");
    tcase_add_loop_test(t, place_fits_the_bound, 0,
                        (int)(sizeof place_cases / sizeof *place_cases));
    tcase_add_loop_test(t, place_many_items, 0, 40);
    tcase_add_loop_test(t, plan_takes_legal_pairs_only, 0,
                        (int)(sizeof plan_cases / sizeof *plan_cases));
    tcase_add_loop_test(t, check_rejects_mutants, 0, (int)(sizeof mutants / sizeof *mutants));
    tcase_add_test(t, check_reads_all_nests_of_a_pair);
    tcase_add_test(t, check_rejects_shifted_pair);
    tcase_add_test(t, remarks_name_the_binding_step);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
