/* The naive ast of a program against the one made of its schedule, in the interpreter. */
#include "tests/nests/compare.h"
#include "ir/interp.h"
#include "polyhedral/polyhedral.h"

#include <math.h>

/* ---- one run ---- */

static const double NEAR = 2e-5; // of the largest of an output's elements

struct storage {
    struct arena arena;
    void **data; // [buffers]
};

static int64_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % 2001;
}

enum inputs {
    INPUTS_ANY,      // floats in [-1, 3], bytes of any value, other integers 0, 1 or 2
    INPUTS_ZERO,     // the same, but all integers 0: indices of every array
    INPUTS_INFINITE, // the same as ANY, but one float in 32 is infinite
};

static void fill(const struct buffer *b, void *data, enum inputs kind, uint32_t *state) {
    for (int64_t k = 0; k < b->max_elements; k++) {
        int64_t r = next_random(state);
        bool byte = dtype_info(b->dtype)->bits <= 8 && b->dtype != DTYPE_BOOL;
        union scalar v = {.i = byte ? r % 256 - 128 : b->dtype == DTYPE_BOOL ? r % 2 : r % 3};
        if (dtype_is_float(b->dtype))
            v.f = (double)(r - 500) / 500.0;
        else if (kind == INPUTS_ZERO)
            v.i = 0;
        if (dtype_is_float(b->dtype) && kind == INPUTS_INFINITE && r % 32 == 0)
            v.f = r % 64 ? -INFINITY : INFINITY;
        dtype_store(b->dtype, data, k, v);
    }
}

static void start(struct storage *s, const struct ast *a, enum inputs kind, int poison) {
    uint32_t state = 1;
    *s = (struct storage){.data = NULL};
    s->data = arena_array(&s->arena, void *, a->buffers.len);
    for (int k = 0; k < a->buffers.len; k++) {
        const struct buffer *b = &a->buffers.data[k];
        int64_t bytes;
        if (b->kind == BUFFER_CONST)
            continue;
        if (!dtype_bytes(b->dtype, b->max_elements, &bytes))
            bug("%s has no size", b->name);
        s->data[k] = arena_alloc(&s->arena, (size_t)bytes);
        memset(s->data[k], poison, (size_t)bytes);
        if (b->kind == BUFFER_INPUT)
            fill(b, s->data[k], kind, &state);
    }
}

/* ---- two runs ---- */

/* The first of n elements that differs; n: none does. Bits behind the last element are
 * nobody's.
 */
static int64_t first_difference(enum dtype t, const void *x, const void *y, int64_t n) {
    int64_t bits = dtype_info(t)->bits, whole = n * bits / 8, at = 0;
    const char *left = x, *right = y;
    while (at < whole && left[at] == right[at])
        at++;
    int64_t k = at * 8 / bits;
    while (at == whole && k < n && dtype_load(t, x, k).i == dtype_load(t, y, k).i)
        k++;
    return k;
}

static bool is_near(double x, double y, double allowed) {
    return x == y || fabs(x - y) <= allowed || (isnan(x) && isnan(y));
}

/* The first of n floats that is off by more than sums in another order are; n: none is. */
static int64_t first_far(enum dtype t, const void *x, const void *y, int64_t n) {
    double largest = 0;
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = fabs(dtype_load(t, x, i).f);
        largest = isfinite(v) && v > largest ? v : largest;
    }
    while (k < n &&
           is_near(dtype_load(t, x, k).f, dtype_load(t, y, k).f, NEAR * largest + 1e-30))
        k++;
    return k;
}

/* Two asts of a program. */
struct pair {
    const struct ast *x, *y;
    bool near;
    struct str *why;
};

static bool same_results(const struct pair *p, void *const *left, void *const *right) {
    const struct ast *a = p->x;
    for (int k = 0; k < a->buffers.len; k++) {
        const struct buffer *b = &a->buffers.data[k];
        if (b->kind != BUFFER_OUTPUT)
            continue;
        int64_t at = p->near && dtype_is_float(b->dtype)
                         ? first_far(b->dtype, left[k], right[k], b->max_elements)
                         : first_difference(b->dtype, left[k], right[k], b->max_elements);
        if (at == b->max_elements)
            continue;
        str_addf(p->why, "%s differs, first at element %lld of %lld",
                 b->onnx_name ? b->onnx_name : b->name, (long long)at,
                 (long long)b->max_elements);
        return false;
    }
    return true;
}

/* With these symbols; elements beyond them are left as they are, so both start alike. */
static bool compare_at(const struct pair *p, const int64_t *symbols, enum inputs kind,
                       int *code) {
    struct storage left, right;
    start(&left, p->x, kind, 0x55);
    start(&right, p->y, kind, 0xFF);
    for (int k = 0; k < p->x->buffers.len && p->x->symbols.len; k++) {
        const struct buffer *b = &p->x->buffers.data[k];
        int64_t bytes;
        if (b->kind == BUFFER_OUTPUT && dtype_bytes(b->dtype, b->max_elements, &bytes))
            memset(left.data[k], 0xFF, (size_t)bytes);
    }
    *code = interp_run(p->x, left.data, symbols);
    int other = interp_run(p->y, right.data, symbols);
    bool same = other == *code;
    if (!same)
        str_addf(p->why, "one run ends with %d, the other with %d", *code, other);
    else if (*code == 0)
        same = same_results(p, left.data, right.data);
    arena_free(&left.arena);
    arena_free(&right.arena);
    return same;
}

bool compare_asts(const struct ast *x, const struct ast *y, enum compare_how how,
                  struct str *why, int *code) {
    struct pair p = {x, y, how == COMPARE_NEAR, why};
    struct arena arena = {0};
    int64_t *largest = arena_array(&arena, int64_t, x->symbols.len);
    int64_t *ones = arena_array(&arena, int64_t, x->symbols.len);
    int other;
    for (int k = 0; k < x->symbols.len; k++) {
        largest[k] = x->symbols.data[k].max;
        ones[k] = 1;
    }
    bool same = compare_at(&p, largest, INPUTS_ANY, code);
    if (same && *code) // an index was outside
        same = compare_at(&p, largest, INPUTS_ZERO, code);
    if (same && x->symbols.len)
        same = compare_at(&p, ones, INPUTS_ANY, &other);
    if (same && how == COMPARE_INFINITE)
        same = compare_at(&p, largest, INPUTS_INFINITE, &other);
    arena_free(&arena);
    return same;
}

/* ---- both ways ---- */

int compare_tiles(const struct ast_list *list) {
    int n = 0;
    for (const struct ast_node *s = list->first; s; s = s->next)
        n += (s->kind == AST_TILE) + compare_tiles(&s->body) + compare_tiles(&s->orelse);
    return n;
}

static int count_nests(const struct ast *a) {
    int n = 0;
    for (const struct ast_node *s = a->body.first; s; s = s->next)
        n += s->kind == AST_NEST;
    return n;
}

static bool refused(struct compile *c, struct str *why, const char *what) {
    str_addf(why, "%s: %s", what, str_cstr(c->diag->sink));
    return false;
}

/* The ast of a proven, scheduled program, or NULL. */
static struct ast *make_ast(struct compile *c, struct poly *p, bool strict, struct str *why) {
    struct ast *a = ast_from_poly(p, c->names, strict);
    struct poly_figures f = poly_figures(p);
    if (!ast_check(a, c->diag)) {
        refused(c, why, "an invalid ast");
    } else if (f.quota_hits || f.fallbacks) {
        str_addf(why, "%d proofs given up, %d fall-backs", f.quota_hits, f.fallbacks);
    } else {
        return a;
    }
    ast_free(a);
    return NULL;
}

bool compare_ways(struct compile *c, struct loops *l, bool strict, struct compare_figures *out,
                  struct str *why) {
    struct ast *naive, *mine = NULL;
    if (!loops_check(l, c->diag))
        return refused(c, why, "invalid loops");
    naive = ast_from_loops(c, l);
    struct poly *p = poly_import(l, c->diag);
    bool same = false, vectors = c->target->vector_bytes > 0;
    poly_target(p, c->target);
    if (!poly_bounds(p) || !poly_depend(p)) {
        refused(c, why, "not proven");
    } else {
        poly_layout(p, strict);
        poly_schedule(p, strict, true);
        if (!poly_certify(p))
            refused(c, why, "no legal schedule");
        else
            mine = make_ast(c, p, strict, why);
    }
    if (mine) {
        enum compare_how how = vectors ? COMPARE_NEAR : COMPARE_FINITE;
        same = compare_asts(naive, mine, strict ? COMPARE_INFINITE : how, why, &out->code);
        out->nests = count_nests(mine);
        out->tiles = compare_tiles(&mine->body);
        ast_free(mine);
    }
    ast_free(naive);
    poly_free(p);
    return same;
}
