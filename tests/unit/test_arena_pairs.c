/* In-place results against the truth: random nests over two buffers, one or two in a row,
 * executed step by step. What the proof allows must never read an element of the operand after
 * the result has written it; and the proof must allow most of what is right. */
#include "ir/arena.h"
#include <assert.h>
#include <check.h>
#include <stdlib.h>

enum { ELEMENTS = 64, OPERAND = 1, RESULT = 2, MAX_NAMES = 12 };

/* ---- random nests ---- */

struct draw {
    uint32_t state;
    struct str text;
    int loops; // around the statement at hand
    int names; // used so far
    char name[MAX_NAMES][16];
};

static int draw_below(struct draw *d, int n) {
    d->state = d->state * 1103515245u + 12345u;
    return (int)((d->state >> 8) % (uint32_t)n);
}

/* A sum over the loops around; most have the strides of an array of 8 rows of 8. */
static void draw_index(struct draw *d, struct str *s) {
    static const int strides[] = {8, 1, 8, 1, 4, 2, 16, 3};
    str_addf(s, "%d", draw_below(d, 3) == 0 ? draw_below(d, 9) : 0);
    for (int k = 0; k < d->loops; k++) {
        int stride = draw_below(d, 6) == 0 ? 0 : strides[draw_below(d, k < 2 ? 2 : 8)];
        str_addf(s, "+%d*%s", stride, d->name[k]);
    }
}

static void draw_store(struct draw *d) {
    struct str index = {0}, other = {0};
    bool tile = draw_below(d, 4) == 0 && d->names < MAX_NAMES;
    if (tile) {
        snprintf(d->name[d->loops++], sizeof d->name[0], "m%d", d->names++);
        str_addf(&d->text, "tile (%s: %d vec) ", d->name[d->loops - 1], 1 + draw_below(d, 4));
    }
    draw_index(d, &index);
    draw_index(d, &other);
    bool same = draw_below(d, 4) != 0;
    str_addf(&d->text, "b%d[%s] = b%d[%s]\n", draw_below(d, 5) ? RESULT : 3, str_cstr(&index),
             draw_below(d, 4) ? OPERAND : 0, str_cstr(same ? &index : &other));
    d->loops -= tile;
    str_free(&index);
    str_free(&other);
}

static void draw_let(struct draw *d) {
    str_addf(&d->text, "let s%d: f32 = b%d[", d->names++, OPERAND);
    draw_index(d, &d->text);
    str_add(&d->text, "]\n");
}

static void draw_list(struct draw *d);

static void draw_loop(struct draw *d) {
    static const char *const bounds[] = {"0..8", "0..4", "1..7", "0..8 by 2", "0..7 by 3"};
    char *name = d->name[d->loops];
    snprintf(name, sizeof d->name[0], "c%d", d->names++);
    const char *outer = d->loops > 0 ? d->name[d->loops - 1] : NULL;
    if (outer && draw_below(d, 4) == 0)
        str_addf(&d->text, "for %s = %s..min(%s+%d, 8) {\n", name, outer, outer,
                 1 + draw_below(d, 3));
    else
        str_addf(&d->text, "for %s = %s {\n", name, bounds[draw_below(d, 5)]);
    d->loops++;
    draw_list(d);
    d->loops--;
    str_add(&d->text, "}\n");
}

static void draw_list(struct draw *d) {
    for (int n = 1 + draw_below(d, 2); n > 0; n--) {
        int kind = draw_below(d, 8);
        if (kind < (d->loops < 2 ? 6 : 2) && d->loops < 4 && d->names < MAX_NAMES - 2)
            draw_loop(d);
        else if (kind == 7 && d->names < MAX_NAMES)
            draw_let(d);
        else
            draw_store(d);
    }
}

/* ---- the truth ---- */

struct run {
    const char *name[MAX_NAMES];
    int64_t value[MAX_NAMES];
    int names;
    bool written[ELEMENTS]; // of the result
    bool inside;            // every access so far was
    bool safe;              // no element of the operand was read after it was written
    bool stored;            // the result, at least once
};

static int64_t run_index(const struct run *r, const struct expr *e) {
    union scalar args[3];
    int64_t v = 0;
    if (expr_as_int(e, &v))
        return v;
    for (int k = 0; e->kind == EXPR_VAR && k < r->names; k++)
        if (r->name[k] == e->name)
            return r->value[k];
    assert(e->kind == EXPR_FUNC);
    for (int k = 0; k < e->n; k++)
        args[k].i = run_index(r, e->arg[k]);
    return func_eval(e->func, DTYPE_INDEX, args).i;
}

static void run_load(struct run *r, const struct expr *e) {
    assert(e->kind == EXPR_LOAD); // (Check's own would write to a file each time)
    int64_t at = run_index(r, e->arg[0]);
    r->inside = r->inside && at >= 0 && at < ELEMENTS;
    if (r->inside && e->array == OPERAND && r->written[at])
        r->safe = false;
}

static void run_store(struct run *r, const struct ast_node *n) {
    run_load(r, n->value);
    int64_t at = run_index(r, n->index);
    r->inside = r->inside && at >= 0 && at < ELEMENTS;
    if (r->inside && n->buffer == RESULT)
        r->written[at] = r->stored = true;
}

static void run_list(struct run *r, const struct ast_list *list);

/* The body of a loop, or the store of a tile, for name = lo, lo + step … */
static void run_range(struct run *r, const struct ast_node *n, const char *name,
                      const int64_t range[3]) {
    r->name[r->names++] = name;
    for (int64_t v = range[0]; v < range[1]; v += range[2]) {
        r->value[r->names - 1] = v;
        if (n->kind == AST_TILE)
            run_store(r, n);
        else
            run_list(r, &n->body);
    }
    r->names--;
}

static void run_list(struct run *r, const struct ast_list *list) {
    for (const struct ast_node *n = list->first; n; n = n->next) {
        if (n->kind == AST_FOR)
            run_range(r, n, n->name,
                      (int64_t[]){run_index(r, n->lo), run_index(r, n->hi), n->step});
        else if (n->kind == AST_TILE)
            run_range(r, n, n->tile[0].name, (int64_t[]){0, run_index(r, n->tile[0].count), 1});
        else if (n->kind == AST_STORE)
            run_store(r, n);
        else
            run_load(r, n->value);
    }
}

/* ---- the test ---- */

struct tally {
    int right,
        allowed; // nests inside their buffers that may overlay; those that the proof finds
};

static void try_nest(uint32_t seed, struct tally *tally) {
    struct draw d = {.state = seed};
    struct arena names_arena = {0};
    struct intern names = {.arena = &names_arena};
    struct str sink = {0};
    struct diag diag = {.sink = &sink};
    str_add(&d.text, "ast \"t\"\ninput b0: f32[64] \"x\" [64]\ntemp b1: f32[64]\n"
                     "temp b2: f32[64]\noutput b3: f32[64] \"y\" [64]\nnest \"n\" {\n");
    draw_list(&d);
    if (seed % 4 == 0) {
        str_add(&d.text, "}\nnest \"m\" {\n");
        draw_list(&d);
    }
    str_add(&d.text, "}\n");
    struct ast *a = ast_read("t.ast", d.text.data, d.text.len, &names, NULL, &diag);
    ck_assert_msg(a != NULL, "%s\n%s", str_cstr(&sink), str_cstr(&d.text));
    struct run r = {.inside = true, .safe = true};
    const struct ast_node *const nests[2] = {a->body.first, a->body.last};
    for (const struct ast_node *n = a->body.first; n; n = n->next)
        run_list(&r, &n->body);
    bool allowed = arena_may_overlay(a, nests, RESULT, OPERAND);
    if (r.inside && r.stored) {
        ck_assert_msg(!allowed || r.safe, "allowed, and wrong:\n%s", str_cstr(&d.text));
        tally->right += r.safe;
        tally->allowed += allowed;
    }
    ast_free(a);
    intern_free(&names);
    arena_free(&names_arena);
    str_free(&sink);
    str_free(&d.text);
}

START_TEST(what_is_allowed_is_right) {
    enum { NESTS = 4000 };
    struct tally tally = {0, 0};
    for (uint32_t k = 0; k < NESTS; k++)
        try_nest((uint32_t)_i * NESTS + k + 1, &tally);
    ck_assert_int_ge(tally.allowed, NESTS / 40);
    ck_assert_msg(tally.allowed * 2 >= tally.right, "%d of %d found", tally.allowed,
                  tally.right);
}
END_TEST

int main(void) {
    Suite *s = suite_create("arena_pairs");
    TCase *t = tcase_create("arena_pairs");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, what_is_allowed_is_right, 0, 4);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
