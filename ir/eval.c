/* Expressions over lanes. Operands are evaluated one after the other into lanes from a stack,
 * then one kernel runs over them. An expression that is the same in all lanes is evaluated once
 * and spread. */
#include "ir/eval.h"
#include "ir/diag.h"

/* ---- lanes for operands ---- */

void *temp_push(struct run *r) {
    if (r->num_temps == r->temps.len)
        vec_push(&r->arena, &r->temps, arena_alloc(&r->arena, LANES * sizeof(int64_t)));
    return r->temps.data[r->num_temps++];
}

void temp_pop(struct run *r) {
    r->num_temps--;
}

/* ---- affine indices ---- */

/* Lanes of a block in order: at[i] for each loop's position, innermost fastest. */
static void fill_pattern(struct pattern *p, const struct lanes *l, const int64_t *shape) {
    int64_t position[MAX_CHAIN] = {0}, at = 0, lanes = 1;
    for (int k = 0; k < l->num; k++)
        lanes *= shape[k];
    for (int64_t i = 0; i < lanes; i++) {
        p->at[i] = at;
        for (int k = l->num - 1; k >= 0; k--) {
            at += p->step[k];
            if (++position[k] < shape[k])
                break;
            at -= p->step[k] * shape[k];
            position[k] = 0;
        }
    }
    p->stride = lanes > 1 ? p->at[1] : 0;
    p->strided = true;
    for (int64_t i = 0; i < lanes && p->strided; i++)
        p->strided = p->at[i] == p->stride * i;
}

static bool same_shape(const int64_t *a, const int64_t *b, int n) {
    return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

void patterns_set(struct run *r, struct lanes *l, const int64_t *shape) {
    if (same_shape(l->shape, shape, l->num))
        return;
    /* A shorter last block is a prefix: only the loop that is split differs. */
    bool prefix = shape[l->split] <= l->filled[l->split];
    for (int k = 0; k < l->num; k++)
        prefix = prefix && (k == l->split || shape[k] == l->filled[k]);
    for (int i = 0; i < l->patterns.len; i++) {
        struct pattern *p = l->patterns.data[i];
        if (!p->at)
            p->at = arena_calloc(r->plan, LANES, sizeof *p->at);
        if (!prefix)
            fill_pattern(p, l, shape);
        p->min = p->max = 0;
        for (int k = 0; k < l->num; k++) {
            int64_t reach = p->step[k] * (shape[k] - 1);
            *(reach < 0 ? &p->min : &p->max) += reach;
        }
    }
    memcpy(l->shape, shape, sizeof l->shape);
    if (!prefix)
        memcpy(l->filled, shape, sizeof l->filled);
}

/* Its value in the block's first lane. */
static int64_t affine_base(const struct run *r, const struct code *e) {
    int64_t base = e->constant;
    for (int i = 0; i < e->num_terms; i++)
        base += e->terms[i].coef * r->slots[e->terms[i].slot];
    return base;
}

static const void *eval_affine(struct run *r, const struct code *e, int64_t *out, int n) {
    int64_t base = affine_base(r, e);
    const int64_t *at = e->varying ? e->pattern->at : NULL;
    for (int i = 0; i < n && at; i++)
        out[i] = base + at[i];
    if (!at)
        lanes_fill(REP_I64, out, &base, n);
    return out;
}

/* ---- places ---- */

static void check_inside(const struct run *r, int buffer, int64_t at) {
    if (at < 0 || at >= r->elements[buffer])
        bug("element %lld of %s, which has %lld", (long long)at,
            r->ast->buffers.data[buffer].name, (long long)r->elements[buffer]);
}

/* Lanes outside the mask go to element 0, where something is: a lane inside has an element. */
static struct lane_place place_of_lanes(struct run *r, int buffer, int64_t *at, int n,
                                        const uint8_t *mask) {
    uint64_t elements = (uint64_t)r->elements[buffer];
    bool outside = false;
    for (int i = 0; i < n; i++) {
        at[i] &= mask ? -(int64_t)mask[i] : -1;
        outside |= (uint64_t)at[i] >= elements;
    }
    for (int i = 0; i < n && outside; i++)
        check_inside(r, buffer, at[i]);
    return (struct lane_place){.at = at};
}

struct lane_place eval_place(struct run *r, const struct access *a, int64_t *at, int n,
                             const uint8_t *mask) {
    if (n == 1 || !a->index->varying) {
        int64_t k = eval_index(r, a->index);
        check_inside(r, a->buffer, k);
        return (struct lane_place){.base = k};
    }
    if (a->index->kind == CODE_AFFINE) {
        const struct pattern *p = a->index->pattern;
        int64_t base = affine_base(r, a->index);
        if (base + p->min >= 0 && base + p->max < r->elements[a->buffer])
            return (struct lane_place){base, p->stride, p->strided ? NULL : p->at};
    }
    const int64_t *lanes = eval(r, a->index, at, n, mask);
    if (lanes != at)
        memcpy(at, lanes, (size_t)n * sizeof *at);
    return place_of_lanes(r, a->buffer, at, n, mask);
}

static const void *eval_load(struct run *r, const struct code *e, void *out, int n,
                             const uint8_t *mask) {
    int64_t *at = temp_push(r);
    struct lane_place place = eval_place(r, &e->access, at, n, mask);
    lanes_load(e->dtype, out, r->data[e->access.buffer], &place, n);
    temp_pop(r);
    return out;
}

/* ---- masks ---- */

static bool any(const uint8_t *mask, int n) {
    return memchr(mask, 1, (size_t)n) != NULL;
}

/* m = (c == when) in the lanes of the mask, 0 outside. */
static void mask_where(uint8_t *m, const uint8_t *c, bool when, const uint8_t *mask, int n) {
    for (int i = 0; i < n; i++)
        m[i] = (c[i] == when) & (mask ? mask[i] : 1);
}

/* Clears the lanes of m where x lies outside [lo, hi). */
static void mask_bound(uint8_t *m, const int64_t *x, const int64_t *lo, const int64_t *hi,
                       int n) {
    for (int i = 0; i < n; i++)
        m[i] &= (uint8_t)((lo[i] <= x[i]) & (x[i] < hi[i]));
}

/* The same for base + at[i] and bounds that all lanes share; lo < hi. */
static void mask_affine(uint8_t *m, const int64_t *at, int64_t base, int64_t lo, int64_t hi,
                        int n) {
    uint64_t from = (uint64_t)base - (uint64_t)lo, size = (uint64_t)hi - (uint64_t)lo;
    for (int i = 0; i < n; i++)
        m[i] &= (uint8_t)((uint64_t)at[i] + from < size);
}

enum share { NONE, SOME, ALL };

/* How many lanes are inside one bound (e, lo, hi); for SOME those outside are cleared in m. */
static enum share bound_lanes(struct run *r, const struct code *const *b, uint8_t *m, int n,
                              const uint8_t *mask) {
    if (b[0]->kind == CODE_AFFINE && !b[1]->varying && !b[2]->varying) {
        int64_t base = affine_base(r, b[0]), lo = eval_index(r, b[1]), hi = eval_index(r, b[2]);
        bool wide = n > 1 && b[0]->varying;
        int64_t min = base + (wide ? b[0]->pattern->min : 0),
                max = base + (wide ? b[0]->pattern->max : 0);
        if (lo >= hi || max < lo || min >= hi)
            return NONE;
        if (lo <= min && max < hi)
            return ALL;
        mask_affine(m, b[0]->pattern->at, base, lo, hi, n);
        return SOME;
    }
    int64_t *lanes[3];
    const int64_t *x[3];
    for (int k = 0; k < 3; k++) {
        lanes[k] = temp_push(r);
        x[k] = eval(r, b[k], lanes[k], n, mask);
    }
    mask_bound(m, x[0], x[1], x[2], n);
    r->num_temps -= 3;
    return SOME;
}

/* The lanes of the mask where all bounds of the guard hold, in m unless ALL or NONE do. */
static enum share guard_lanes(struct run *r, const struct code *e, uint8_t *m, int n,
                              const uint8_t *mask) {
    bool all = true;
    if (mask)
        memcpy(m, mask, (size_t)n);
    else
        memset(m, 1, (size_t)n);
    for (int k = 2; k < e->n; k += 3) {
        enum share inside = bound_lanes(r, e->arg + k, m, n, mask);
        if (inside == NONE)
            return NONE;
        all = all && inside == ALL;
    }
    if (all)
        return ALL;
    return any(m, n) ? SOME : NONE;
}

/* arg[0] in the lanes of masks[0], arg[1] in the other lanes of masks[1]; neither is evaluated
 * in vain. */
static const void *eval_either(struct run *r, const struct code *const *arg, void *out,
                               const uint8_t *const *masks, int n) {
    uint8_t *other = temp_push(r);
    void *lanes = temp_push(r);
    const void *ab[2] = {NULL, arg[1]->lanes}; // a constant has its lanes already
    if (any(masks[0], n))
        ab[0] = eval(r, arg[0], out, n, masks[0]);
    if (!ab[1]) {
        mask_where(other, masks[0], false, masks[1], n);
        ab[1] = any(other, n) ? eval(r, arg[1], lanes, n, other) : ab[0];
    }
    ab[0] = ab[0] ? ab[0] : ab[1];
    lanes_blend(rep_of(arg[0]->dtype), out, masks[0], ab, n);
    r->num_temps -= 2;
    return out;
}

static const void *eval_guard(struct run *r, const struct code *e, void *out, int n,
                              const uint8_t *mask) {
    uint8_t *m = temp_push(r);
    enum share inside = guard_lanes(r, e, m, n, mask);
    const void *lanes = inside == SOME
                            ? eval_either(r, e->arg, out, (const uint8_t *[]){m, mask}, n)
                            : eval(r, e->arg[inside == NONE], out, n, mask);
    temp_pop(r);
    return lanes;
}

/* ---- functions ---- */

/* clamp, and check, which remembers when a lane of the mask was outside. */
static const void *eval_clamp(struct run *r, const struct code *e, int64_t *out, int n,
                              const uint8_t *mask) {
    int64_t *low = temp_push(r), *high = temp_push(r);
    const int64_t *x = eval(r, e->arg[0], out, n, mask);
    const int64_t *lo = eval(r, e->arg[1], low, n, mask),
                  *hi = eval(r, e->arg[2], high, n, mask);
    bool large = e->arg[0]->dtype == DTYPE_U64, outside = false;
    for (int i = 0; i < n; i++) {
        int64_t v = large && x[i] < 0 ? INT64_MAX : x[i]; // beyond int64_t
        outside |= (v < lo[i] || v > hi[i]) && (!mask || mask[i]);
        out[i] = v < lo[i] ? lo[i] : v > hi[i] ? hi[i] : v;
    }
    r->index_error = r->index_error || (outside && e->func == FUNC_CHECK);
    r->num_temps -= 2;
    return out;
}

/* select, && and || whose later arguments have checks: these are evaluated only where they
 * count. */
static const void *eval_lazy(struct run *r, const struct code *e, void *out, int n,
                             const uint8_t *mask) {
    uint8_t *c = temp_push(r), *m = temp_push(r);
    const uint8_t *cond = eval(r, e->arg[0], c, n, mask);
    mask_where(m, cond, e->func != FUNC_OR, mask, n);
    const void *lanes;
    if (e->func == FUNC_SELECT) {
        lanes = eval_either(r, e->arg + 1, out, (const uint8_t *[]){m, mask}, n);
    } else {
        const void *ab[2] = {any(m, n) ? eval(r, e->arg[1], out, n, m) : cond, cond};
        lanes_blend(REP_BOOL, out, m, ab, n);
        lanes = out;
    }
    r->num_temps -= 2;
    return lanes;
}

static const void *eval_func(struct run *r, const struct code *e, void *out, int n,
                             const uint8_t *mask) {
    bool select = e->func == FUNC_SELECT, logic = e->func == FUNC_AND || e->func == FUNC_OR;
    if (func_info(e->func)->rule == RULE_INDEX)
        return eval_clamp(r, e, out, n, mask);
    if ((select && (e->arg[1]->lazy || e->arg[2]->lazy)) || (logic && e->arg[1]->lazy))
        return eval_lazy(r, e, out, n, mask);
    const void *arg[3];
    int temps = r->num_temps;
    for (int k = 0; k < e->n;
         k++) // the condition of select has lanes of another size than the result
        arg[k] = eval(r, e->arg[k], k == select ? out : temp_push(r), n, mask);
    lanes_func(e->func, e->arg[select]->dtype, out, arg, n);
    r->num_temps = temps;
    return out;
}

static const void *eval_cast(struct run *r, const struct code *e, void *out, int n,
                             const uint8_t *mask) {
    const void *x = eval(r, e->arg[0], temp_push(r), n, mask);
    lanes_convert(e->dtype, e->arg[0]->dtype, out, x, n);
    temp_pop(r);
    return out;
}

/* ---- reduce ---- */

/* Sets the iterators to the next combination, innermost fastest; false after the last. */
static bool advance(struct run *r, const struct code *e) {
    for (int k = e->num_iters - 1; k >= 0; k--) {
        if (++r->slots[e->slots[k]] < e->counts[k])
            return true;
        r->slots[e->slots[k]] = 0;
    }
    return false;
}

static const void *eval_reduce(struct run *r, const struct code *e, void *out, int n,
                               const uint8_t *mask) {
    enum rep rep = rep_of(e->dtype);
    lane_set(rep, out, func_identity(e->func, e->dtype));
    lanes_fill(rep, out, out, n);
    for (int k = 0; k < e->num_iters; k++) {
        e->counts[k] = eval_index(r, e->extents[k]);
        r->slots[e->slots[k]] = 0;
        if (e->counts[k] <= 0)
            return out;
    }
    void *lanes = temp_push(r);
    do {
        const void *arg[2] = {out, eval(r, e->arg[0], lanes, n, mask)};
        lanes_func(e->func, e->dtype, out, arg, n);
    } while (advance(r, e));
    temp_pop(r);
    return out;
}

/* ---- any expression ---- */

static const void *eval_kind(struct run *r, const struct code *e, void *out, int n,
                             const uint8_t *mask) {
    switch (e->kind) {
    case CODE_CONST:
        return e->lanes;
    case CODE_LOCAL:
        return e->local->data;
    case CODE_AFFINE:
        return eval_affine(r, e, out, n);
    case CODE_FUNC:
        return eval_func(r, e, out, n, mask);
    case CODE_CAST:
        return eval_cast(r, e, out, n, mask);
    case CODE_LOAD:
        return eval_load(r, e, out, n, mask);
    case CODE_GUARD:
        return eval_guard(r, e, out, n, mask);
    case CODE_REDUCE:
        return eval_reduce(r, e, out, n, mask);
    }
    return NULL;
}

static const void *eval_cached(struct run *r, const struct code *e) {
    struct cache *c = e->cache;
    if (c->block != r->block) {
        eval_func(r, e, c->lanes, r->lanes, NULL); // memory has no part in it: no mask
        c->block = r->block;
    }
    return c->lanes;
}

const void *eval(struct run *r, const struct code *e, void *out, int n, const uint8_t *mask) {
    if (e->cache && n == r->lanes)
        return eval_cached(r, e);
    if (n == 1 || e->varying || e->kind == CODE_CONST)
        return eval_kind(r, e, out, n, n == 1 ? NULL : mask);
    const void *one = eval_kind(r, e, out, 1, NULL);
    lanes_fill(rep_of(e->dtype), out, one, n);
    return out;
}

int64_t eval_index(struct run *r, const struct code *e) {
    if (e->kind == CODE_AFFINE)
        return affine_base(r, e);
    const int64_t *one = eval(r, e, temp_push(r), 1, NULL);
    temp_pop(r);
    return *one;
}

bool eval_condition(struct run *r, const struct code *e) {
    const uint8_t *one = eval(r, e, temp_push(r), 1, NULL);
    temp_pop(r);
    return *one != 0;
}
