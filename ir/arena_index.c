/* Index expressions as sums over loops, and as digits.
 *
 * An index like 3136 * c + 56 * y + x is a number with the weights 3136, 56 and 1. Where every
 * digit stays below the ratio of its weight to the next larger one, the index has these digits
 * and no others, so two iterations that differ in a digit write different elements, and so do
 * two stores whose ranges of one digit do not meet: the pieces of a loop that was split, or the
 * interior and the border of an image. Ranges come from replacing the innermost counter by its
 * bounds, again and again, which is exact for `for y2 = y..min(y + 4, 56)`. */
#include "ir/arena_index.h"

/* ---- sums ---- */

static struct form form_constant(int64_t c) {
    return (struct form){.constant = c, .ok = true};
}

static void add_product(int64_t *sum, int64_t a, int64_t b, bool *ok) {
    int64_t product;
    *ok = *ok && !__builtin_mul_overflow(a, b, &product) &&
          !__builtin_add_overflow(*sum, product, sum) && *sum != INT64_MIN; // -*sum exists
}

/* f + k * g */
static struct form form_plus(struct form f, int64_t k, const struct form *g) {
    f.ok = f.ok && g->ok;
    add_product(&f.constant, k, g->constant, &f.ok);
    for (int i = 0; i < INDEX_LOOPS; i++)
        add_product(&f.coef[i], k, g->coef[i], &f.ok);
    return f;
}

static struct form form_product(const struct form *f, const struct form *g) {
    const struct form zero = form_constant(0), *sum = f;
    int64_t factor = g->constant;
    for (int i = 0; i < INDEX_LOOPS; i++)
        if (g->coef[i] != 0) { // then f must be the constant
            sum = g;
            factor = f->constant;
        }
    for (int i = 0; sum == g && i < INDEX_LOOPS; i++)
        if (f->coef[i] != 0)
            return (struct form){.ok = false};
    struct form product = form_plus(zero, factor, sum);
    product.ok = product.ok && f->ok && g->ok;
    return product;
}

bool form_equal(const struct form *a, const struct form *b) {
    return a->ok && b->ok && a->constant == b->constant &&
           memcmp(a->coef, b->coef, sizeof a->coef) == 0;
}

/* ---- ranges ---- */

/* An upper bound of f that the bounds of the counters give; false when they give none. */
static bool form_most(const struct loop_scope *s, const struct form *f, int64_t *most) {
    int k = s->n - 1;
    while (k >= 0 && f->coef[k] == 0)
        k--;
    *most = f->constant;
    if (k < 0 || !f->ok)
        return f->ok;
    int64_t coef = f->coef[k];
    struct form rest = *f;
    rest.coef[k] = 0;
    if (coef < 0) // the counter is 0 or more
        return form_most(s, &rest, most);
    bool found = false;
    for (int b = 0; b < s->loop[k].num_most; b++) {
        struct form g = form_plus(rest, coef, &s->loop[k].most[b]);
        int64_t bound;
        if (!form_most(s, &g, &bound))
            continue;
        *most = found && *most < bound ? *most : bound;
        found = true;
    }
    return found;
}

static bool form_least(const struct loop_scope *s, const struct form *f, int64_t *least) {
    struct form minus = form_plus(form_constant(0), -1, f);
    return form_most(s, &minus, least) && !__builtin_sub_overflow(0, *least, least);
}

/* ---- reading ---- */

/* floor(f / d): of the terms that d divides exactly; false unless the others stay within one
 * multiple of d. */
static struct form form_quotient(const struct loop_scope *s, const struct form *f, int64_t d) {
    struct form quotient = form_constant(0), rest = *f;
    int64_t least, most;
    for (int k = 0; k < INDEX_LOOPS && f->ok; k++)
        if (f->coef[k] % d == 0) {
            quotient.coef[k] = f->coef[k] / d;
            rest.coef[k] = 0;
        }
    quotient.ok = form_least(s, &rest, &least) && form_most(s, &rest, &most) &&
                  floor_div(least, d) == floor_div(most, d);
    if (quotient.ok)
        quotient.constant = floor_div(least, d);
    return quotient;
}

/* x / y or x % y */
static struct form form_division(const struct loop_scope *s, enum func func,
                                 const struct form *x, const struct expr *divisor) {
    int64_t d;
    if (!x->ok || !expr_as_int(divisor, &d) || d <= 0)
        return (struct form){.ok = false};
    struct form quotient = form_quotient(s, x, d);
    return func == FUNC_DIV ? quotient : form_plus(*x, -d, &quotient);
}

struct form form_read(const struct loop_scope *s, const struct expr *e) {
    int64_t c;
    if (expr_as_int(e, &c))
        return form_constant(c);
    for (int k = 0; e->kind == EXPR_VAR && k < s->n; k++)
        if (s->loop[k].name == e->name)
            return s->loop[k].value;
    if (e->kind != EXPR_FUNC || e->n != 2)
        return (struct form){.ok = false};
    struct form x = form_read(s, e->arg[0]), y = form_read(s, e->arg[1]);
    if (e->func == FUNC_ADD || e->func == FUNC_SUB)
        return form_plus(x, e->func == FUNC_ADD ? 1 : -1, &y);
    if (e->func == FUNC_DIV || e->func == FUNC_REM)
        return form_division(s, e->func, &x, e->arg[1]);
    return e->func == FUNC_MUL ? form_product(&x, &y) : (struct form){.ok = false};
}

/* A constant that `e`, a sum or a maximum of sums, does not fall below. */
static bool lowest_value(const struct loop_scope *s, const struct expr *e, int64_t *least) {
    int64_t other = 0;
    if (e->kind == EXPR_FUNC && e->func == FUNC_MAX) {
        bool x = lowest_value(s, e->arg[0], least), y = lowest_value(s, e->arg[1], &other);
        *least = !x || (y && other > *least) ? other : *least;
        return x || y;
    }
    struct form f = form_read(s, e);
    return form_least(s, &f, least);
}

/* Upper bounds of the counter of r, whose value is from + step * counter < e: one for each
 * argument of a minimum. */
static void add_bounds(const struct loop_scope *s, struct loop_range *r, const struct expr *e,
                       const struct form *from, int64_t step) {
    if (e->kind == EXPR_FUNC && e->func == FUNC_MIN) {
        add_bounds(s, r, e->arg[0], from, step);
        add_bounds(s, r, e->arg[1], from, step);
        return;
    }
    const struct form one = form_constant(1);
    struct form f = form_read(s, e);
    int64_t most;
    f = form_plus(f, -1, from);
    f = form_plus(f, -1, &one);
    if (step > 1)
        f = form_most(s, &f, &most) ? form_constant(floor_div(most, step)) : (struct form){0};
    if (f.ok && r->num_most < INDEX_BOUNDS)
        r->most[r->num_most++] = f;
}

static struct form form_counter(int k) {
    struct form f = {.ok = true};
    f.coef[k] = 1;
    return f;
}

/* lo <= name < hi; one that begins at a maximum is taken to begin where it may at the earliest,
 * in steps of 1. */
static bool add_range(struct loop_scope *s, const char *name, const struct expr *lo,
                      const struct expr *hi, int64_t step) {
    struct loop_range r = {.name = name};
    if (s->n == INDEX_LOOPS)
        return false;
    struct form from = lo ? form_read(s, lo) : form_constant(0), counter = form_counter(s->n);
    if (!from.ok) {
        int64_t least;
        if (!lowest_value(s, lo, &least))
            return false;
        from = form_constant(least);
        step = 1;
    }
    r.value = form_plus(from, step, &counter);
    add_bounds(s, &r, hi, &from, step);
    s->loop[s->n++] = r;
    return true;
}

bool scope_add_symbol(struct loop_scope *s, const struct symbol *symbol) {
    if (s->n == INDEX_LOOPS)
        return false;
    struct form counter = form_counter(s->n);
    s->loop[s->n++] = (struct loop_range){.name = symbol->name,
                                          .value = counter,
                                          .most = {form_constant(symbol->max)},
                                          .num_most = 1,
                                          .symbol = true};
    return true;
}

bool scope_add_loop(struct loop_scope *s, const struct ast_node *loop) {
    return add_range(s, loop->name, loop->lo, loop->hi, loop->step);
}

bool scope_add_tile_iter(struct loop_scope *s, const struct tile_iter *it) {
    if (!add_range(s, it->name, NULL, it->count, 1))
        return false;
    struct loop_range *r = &s->loop[s->n - 1];
    if (r->num_most < INDEX_BOUNDS)
        r->most[r->num_most++] = form_constant(it->max - 1);
    return true;
}

/* ---- digits ---- */

static int64_t magnitude(int64_t k) {
    return k < 0 ? -k : k;
}

/* The next weight after `last`: the largest coefficient below it that divides it, or (up) the
 * smallest above it that it divides; 0: none. */
static int64_t next_weight(const struct form *f, int64_t last, bool up) {
    int64_t next = 0;
    for (int k = 0; k < INDEX_LOOPS; k++) {
        int64_t c = magnitude(f->coef[k]);
        bool fits = up ? c > last && c % last == 0 : c > 0 && c < last && last % c == 0;
        if (fits && (next == 0 || (up ? c < next : c > next)))
            next = c;
    }
    return next;
}

struct digits digits_from_largest(const struct form *f) {
    struct digits d = {.n = 0};
    int64_t weight = 1;
    for (int k = 0; k < INDEX_LOOPS; k++)
        if (magnitude(f->coef[k]) > weight)
            weight = magnitude(f->coef[k]);
    for (; weight > 1; weight = next_weight(f, weight, false))
        d.weight[d.n++] = weight;
    d.weight[d.n++] = 1;
    return d;
}

struct digits digits_from_smallest(const struct form *f) {
    struct digits up = {.weight = {1}, .n = 1}, d = {.n = 0};
    for (int64_t w = 1; (w = next_weight(f, w, true)) > 0;)
        up.weight[up.n++] = w;
    for (int k = up.n - 1; k >= 0; k--)
        d.weight[d.n++] = up.weight[k];
    return d;
}

/* The terms of f that belong to digit k: those of coefficients that its weight is the largest
 * to divide. In units of the weight. */
static struct form digit_part(const struct form *f, const struct digits *d, int k) {
    struct form part = form_constant(0);
    for (int i = 0; i < INDEX_LOOPS; i++) {
        int digit = 0;
        while (f->coef[i] % d->weight[digit] != 0)
            digit++;
        if (digit == k)
            part.coef[i] = f->coef[i] / d->weight[k];
    }
    return part;
}

/* Digits counted from the lowest index. */
bool element_digits(const struct loop_scope *s, const struct form *index,
                    const struct digits *d, struct element *e) {
    const struct form one = form_constant(1);
    int64_t lowest = index->constant;
    bool ok = index->ok;
    e->scope = s;
    for (int k = 0; k < d->n; k++) {
        e->digit[k] = digit_part(index, d, k);
        if (!form_least(s, &e->digit[k], &e->lo[k]) || !form_most(s, &e->digit[k], &e->hi[k]))
            return false;
        add_product(&lowest, d->weight[k], e->lo[k], &ok);
    }
    if (!ok || lowest < 0)
        return false;
    for (int k = 0; k < d->n; k++) {
        int64_t shift = lowest / d->weight[k];
        lowest %= d->weight[k];
        if (__builtin_sub_overflow(shift, e->lo[k], &shift) ||
            __builtin_add_overflow(e->lo[k], shift, &e->lo[k]) ||
            __builtin_add_overflow(e->hi[k], shift, &e->hi[k]))
            return false;
        e->digit[k] = form_plus(e->digit[k], shift, &one);
        if (k > 0 && e->hi[k] >= d->weight[k - 1] / d->weight[k])
            return false;
    }
    return true;
}

bool elements_disjoint(const struct element *a, const struct element *b, int num_digits) {
    for (int k = 0; k < num_digits; k++)
        if (a->hi[k] < b->lo[k] || b->hi[k] < a->lo[k])
            return true;
    return false;
}

/* ---- iterations ---- */

/* A digit as seen from the first loops of its scope: `common` are the terms of their counters;
 * the others stay in lo … hi. */
struct cut {
    struct form common;
    int64_t lo, hi;
};

static bool cut_digit(const struct element *e, int digit, int loops, struct cut *c) {
    struct form rest = e->digit[digit];
    c->common = form_constant(0);
    for (int k = 0; k < loops; k++) {
        if (e->scope->loop[k].symbol)
            continue;
        c->common.coef[k] = rest.coef[k];
        rest.coef[k] = 0;
    }
    return form_least(e->scope, &rest, &c->lo) && form_most(e->scope, &rest, &c->hi);
}

/* Does a sum of counters, known up to `apart`, tell the counters? It does when each stride is
 * more than `apart` and all smaller ones add up to. most[k] is the range of counter k. */
static bool tells_counters(const struct form *sum, int loops, const int64_t *most,
                           int64_t apart) {
    for (int k = 0; k < loops; k++) {
        int64_t below = apart, stride = magnitude(sum->coef[k]);
        bool ok = true;
        for (int j = 0; j < loops; j++)
            if (j != k && magnitude(sum->coef[j]) <= stride)
                add_product(&below, magnitude(sum->coef[j]), most[j], &ok);
        if (stride > 0 && most[k] > 0 && (!ok || below >= stride))
            return false;
    }
    return true;
}

/* Marks the counters that a digit tells when it has the same value in both accesses. */
static void tell_by_digit(const struct element *a, const struct element *b, int digit,
                          int loops, const int64_t *most, bool *told) {
    struct cut x, y;
    int64_t up, down;
    if (!cut_digit(a, digit, loops, &x) || !cut_digit(b, digit, loops, &y) ||
        !form_equal(&x.common, &y.common) || __builtin_sub_overflow(x.hi, y.lo, &up) ||
        __builtin_sub_overflow(y.hi, x.lo, &down) ||
        !tells_counters(&x.common, loops, most, up > down ? up : down))
        return;
    for (int k = 0; k < loops; k++)
        told[k] = told[k] || x.common.coef[k] != 0;
}

bool elements_tell_loops(int loops, const struct element *a, const struct element *b,
                         int num_digits) {
    int64_t most[INDEX_LOOPS];
    bool told[INDEX_LOOPS] = {false};
    for (int k = 0; k < loops; k++) {
        struct form counter = form_counter(k);
        if (!form_most(a->scope, &counter, &most[k]))
            return false;
        most[k] = most[k] < 0 ? 0 : most[k];
    }
    for (int d = 0; d < num_digits; d++)
        tell_by_digit(a, b, d, loops, most, told);
    for (int k = 0; k < loops; k++)
        if (!told[k] && most[k] > 0 && !a->scope->loop[k].symbol)
            return false;
    return true;
}
