/* Where the elements of a tile of vectors lie (codegen/vector.h): an index becomes a sum of
 * variables times constants; what the innermost loop and the lanes add to it is told apart, and
 * the rest is a pointer that is declared as far outside as it is known. Points whose indices
 * differ by a constant share a pointer.
 *
 * A read that a condition guards, and gives 0 elsewhere, takes a pointer that is to zeros where
 * the condition does not hold: the choice is made where the condition is known, outside of the
 * innermost loop. */
#include "codegen/vector.h"

#include <inttypes.h>

enum {
    MAX_TERMS = 24,
};

/* ---- indices as sums ---- */

/* constant + the sum of factor * atom */
struct linear {
    int64_t constant;
    int n;
    struct term {
        const struct expr *atom;
        int64_t factor;
    } terms[MAX_TERMS];
};

static bool add_atom(struct linear *l, const struct expr *e, int64_t factor) {
    for (int i = 0; i < l->n; i++)
        if (expr_equal(l->terms[i].atom, e))
            return !__builtin_add_overflow(l->terms[i].factor, factor, &l->terms[i].factor);
    if (l->n == MAX_TERMS)
        return false;
    l->terms[l->n++] = (struct term){e, factor};
    return true;
}

static bool add_linear(struct arena *a, struct linear *l, const struct expr *e, int64_t factor);

static int64_t greatest_divisor(int64_t x, int64_t y) {
    while (y != 0) {
        int64_t rest = x % y;
        x = y;
        y = rest;
    }
    return x < 0 ? -x : x;
}

/* The terms as an expression, positive ones first. */
static const struct expr *sum_of(struct arena *a, const struct linear *l, int64_t constant);

/* Adds factor * (e / by), or of e % by: of multiples of `by` and a constant it is linear. Of
 * multiples of a divisor of it, the constant's rest by that divisor changes no quotient and
 * stands beside the remainder. False: it is as it was. */
static bool add_quotient(struct arena *a, struct linear *l, const struct expr *e, int64_t by,
                         int64_t factor) {
    struct linear sum = {.constant = 0};
    int64_t moved, rest, unit = by;
    if (by <= 0 || !add_linear(a, &sum, e->arg[0], 1))
        return false;
    for (int i = 0; i < sum.n; i++)
        unit = greatest_divisor(sum.terms[i].factor, unit);
    if (unit < by) {
        rest = (sum.constant % unit + unit) % unit;
        if (rest == 0)
            return false;
        const struct expr *whole = sum_of(a, &sum, sum.constant - rest);
        return add_atom(l, expr_2(a, e->func, whole, e->arg[1]), factor) &&
               (e->func == FUNC_DIV ||
                (!__builtin_mul_overflow(rest, factor, &moved) &&
                 !__builtin_add_overflow(l->constant, moved, &l->constant)));
    }
    rest = (sum.constant % by + by) % by;
    if (e->func == FUNC_MOD)
        return !__builtin_mul_overflow(rest, factor, &moved) &&
               !__builtin_add_overflow(l->constant, moved, &l->constant);
    for (int i = 0; i < sum.n; i++)
        if (__builtin_mul_overflow(sum.terms[i].factor / by, factor, &moved) ||
            !add_atom(l, sum.terms[i].atom, moved))
            return false;
    return !__builtin_mul_overflow((sum.constant - rest) / by, factor, &moved) &&
           !__builtin_add_overflow(l->constant, moved, &l->constant);
}

/* Adds factor * e. */
static bool add_linear(struct arena *a, struct linear *l, const struct expr *e,
                       int64_t factor) {
    int64_t v;
    if (expr_as_int(e, &v))
        return !__builtin_mul_overflow(v, factor, &v) &&
               !__builtin_add_overflow(l->constant, v, &l->constant);
    if (e->kind == EXPR_FUNC && (e->func == FUNC_ADD || e->func == FUNC_SUB))
        return add_linear(a, l, e->arg[0], factor) &&
               add_linear(a, l, e->arg[1], e->func == FUNC_ADD ? factor : -factor);
    if (e->kind == EXPR_FUNC && e->func == FUNC_MUL && expr_as_int(e->arg[1], &v))
        return !__builtin_mul_overflow(v, factor, &v) && add_linear(a, l, e->arg[0], v);
    if (e->kind == EXPR_FUNC && (e->func == FUNC_DIV || e->func == FUNC_MOD) &&
        expr_as_int(e->arg[1], &v)) {
        struct linear before = *l;
        if (add_quotient(a, l, e, v, factor))
            return true;
        *l = before;
    }
    return add_atom(l, e, factor);
}

/* Takes the term of a variable out; false when it stands inside of others. */
static bool take_term(struct linear *l, const char *name, int64_t *factor) {
    *factor = 0;
    for (int i = 0; i < l->n; i++) {
        if (l->terms[i].atom->kind == EXPR_VAR && l->terms[i].atom->name == name) {
            *factor = l->terms[i].factor;
            l->terms[i].factor = 0;
        } else if (l->terms[i].factor != 0 && expr_mentions(l->terms[i].atom, name)) {
            return false;
        }
    }
    return true;
}

/* The terms as an expression, positive ones first. */
static const struct expr *sum_of(struct arena *a, const struct linear *l, int64_t constant) {
    const struct expr *sum = expr_index(a, 0);
    for (int sign = 1; sign >= -1; sign -= 2)
        for (int i = 0; i < l->n; i++) {
            int64_t factor = sign * l->terms[i].factor;
            if (factor <= 0)
                continue;
            const struct expr *term =
                expr_2(a, FUNC_MUL, l->terms[i].atom, expr_index(a, factor));
            sum = expr_2(a, sign > 0 ? FUNC_ADD : FUNC_SUB, sum, term);
        }
    return expr_2(a, FUNC_ADD, sum, expr_index(a, constant));
}

bool vector_split(struct vector_tile *t, const struct expr *e, const char *iter,
                  int64_t *factor, const struct expr **rest) {
    struct linear l = {.constant = 0};
    if (!add_linear(&t->em->arena, &l, e, 1) || !take_term(&l, iter, factor))
        return false;
    *rest = sum_of(&t->em->arena, &l, l.constant);
    return true;
}

bool vector_constant(struct vector_tile *t, const struct expr *e, int64_t *constant,
                     const struct expr **rest) {
    struct linear l = {.constant = 0};
    if (!add_linear(&t->em->arena, &l, e, 1))
        return false;
    *constant = l.constant;
    *rest = sum_of(&t->em->arena, &l, 0);
    return true;
}

/* ---- pointers ---- */

static bool same_condition(const struct expr *x, const struct expr *y) {
    return x == y || (x && y && expr_equal(x, y));
}

static const char *zeros_name(const struct vector_tile *t) {
    return arena_printf(&t->em->arena, "%s_zeros_%s", t->em->opt->prefix,
                        dtype_info(t->dtype)->text);
}

/* A pointer with the same base that depends on no condition, declared before those of the level
 * that do; NULL: none. */
static const struct vector_pointer *without_condition(const struct vector_tile *t,
                                                      const struct vector_level *level,
                                                      const struct vector_pointer *p) {
    for (int k = (int)(level - t->levels); k >= 0; k--)
        for (int i = 0; i < t->levels[k].pointers.len; i++) {
            const struct vector_pointer *q = &t->levels[k].pointers.data[i];
            if (!q->cond && q->buffer == p->buffer && !q->printed &&
                expr_equal(q->base, p->base))
                return q;
        }
    return NULL;
}

/* Where a pointer is to; `near`, if not NULL, is declared and has the same base. */
static void put_address(struct vector_tile *t, const struct vector_pointer *p,
                        const struct vector_pointer *near) {
    struct emit *em = t->em;
    const struct expr *base = near ? expr_index(&em->arena, 0) : p->base;
    int64_t more = p->anchor - (near ? near->anchor : 0);
    const struct expr *at = expr_2(&em->arena, FUNC_ADD, base, expr_index(&em->arena, more));
    put(em, near ? near->name : emit_buffer(em, p->buffer));
    if (near && more < 0)
        putf(em, " - %" PRId64, -more);
    else if (!expr_is_int(at, 0))
        putf(em, " + %s", vector_scalar(t, at, C_MUL));
}

static void put_pointer(struct vector_tile *t, const struct vector_pointer *p,
                        const struct vector_pointer *near) {
    struct emit *em = t->em;
    int64_t *zeros = &em->zeros[t->dtype == DTYPE_F64];
    put_indent(em);
    putf(em, "%s%s *%s = ", p->stores ? "" : "const ",
         emit_element_type(em->ast->buffers.data[p->buffer].dtype), p->name);
    if (p->cond)
        putf(em, "%s ? ", p->cond_name);
    put_address(t, p, near);
    if (p->cond) {
        *zeros = p->hi - p->lo + 1 > *zeros ? p->hi - p->lo + 1 : *zeros;
        putf(em, p->lo < 0 ? " : %s + %" PRId64 : " : %s", zeros_name(t), -p->lo);
    }
    put(em, ";\n");
}

void vector_put_pointers(struct vector_tile *t, struct vector_level *level) {
    for (int cond = 0; cond < 2; cond++)
        for (int i = 0; i < level->pointers.len && !t->failed; i++) {
            const struct vector_pointer *p = &level->pointers.data[i];
            if (!p->printed && (p->cond != NULL) == cond)
                put_pointer(t, p, cond ? without_condition(t, level, p) : NULL);
        }
}

/* The one with this base and this condition among those declared. */
static struct vector_pointer *find_pointer(struct vector_tile *t,
                                           const struct vector_pointer *like) {
    for (int k = t->num_levels - 1; k >= 0; k--)
        for (int i = 0; i < t->levels[k].pointers.len; i++) {
            struct vector_pointer *p = &t->levels[k].pointers.data[i];
            if (p->buffer == like->buffer && p->stores == like->stores &&
                expr_equal(p->base, like->base) && same_condition(p->cond, like->cond))
                return p;
        }
    return NULL;
}

/* Does it have divisions? */
static bool is_costly(const struct expr *e) {
    bool found = e->kind == EXPR_FUNC && e->func != FUNC_ADD && e->func != FUNC_SUB &&
                 e->func != FUNC_MUL;
    for (int k = 0; k < e->n && !found; k++)
        found = is_costly(e->arg[k]);
    return found;
}

/* Declares the pointer at the outermost level where it is known; in the innermost body at
 * once, so that it is not known for longer than it is needed. */
static struct vector_pointer *add_pointer(struct vector_tile *t,
                                          const struct vector_pointer *like) {
    int level = vector_level_of(t, like->base);
    int cond_level = like->cond ? vector_level_of(t, like->cond) : 0;
    level = cond_level > level ? cond_level : level;
    struct vector_pointer p = *like;
    p.printed = level == t->num_levels - 1 && !p.cond && !is_costly(p.base);
    if (p.cond)
        p.cond_name = vector_hoist(t, cond_level, "int", 'c', vector_scalar(t, p.cond, C_ANY));
    p.name = vector_name(t, p.cond ? 'g' : 'a');
    vec_push(&t->em->arena, &t->levels[level].pointers, p);
    if (p.printed && !t->failed)
        put_pointer(t, &p, NULL);
    return &t->levels[level].pointers.data[t->levels[level].pointers.len - 1];
}

/* Notes that the elements from..to of the pointer are read: whether an array of zeros has as
 * many. */
static bool note_reads(struct vector_pointer *p, int64_t from, int64_t to) {
    int64_t lo = from < p->lo ? from : p->lo, hi = to > p->hi ? to : p->hi;
    if (hi - lo >= TILE_MOST_ZEROS)
        return false;
    p->lo = lo;
    p->hi = hi;
    return true;
}

/* ---- places ---- */

static bool surely_inside(struct vector_tile *t, int buffer, const struct expr *index) {
    int64_t lo, hi;
    return emit_range(t->em, index, &lo, &hi) && lo >= 0 &&
           hi < t->em->ast->buffers.data[buffer].max_elements;
}

/* Is the loop over lanes the innermost one? */
static bool loops_lanes(const struct vector_tile *t) {
    return t->lane_loop && t->levels[t->num_levels - 1].iter == t->lane;
}

/* The same of scalable vectors: the range of a place in the loop over lanes has all of them. */
static bool scalable_covers(struct vector_tile *t, struct vector_pointer *p,
                            const struct vector_place *place) {
    int64_t lo, hi, walk = place->spread.reach;
    if ((t->lane_count == 0 && place->lane_step != 0) ||
        !emit_range(t->em, place->index, &lo, &hi))
        return false;
    if (!place->spread.table && !loops_lanes(t) &&
        __builtin_mul_overflow(t->lane_count - 1, place->lane_step, &walk))
        return false;
    if (walk <= -TILE_MOST_ZEROS || walk >= TILE_MOST_ZEROS)
        return false;
    return note_reads(p, walk < 0 ? lo + walk : lo, walk > 0 ? hi + walk : hi);
}

/* The pointer's array of zeros has all that the place may read. */
static bool covers(struct vector_tile *t, struct vector_pointer *p,
                   const struct vector_place *place) {
    int64_t lo, hi, lanes = t->width - 1;
    if (t->target->scalable)
        return scalable_covers(t, p, place);
    if (place->spread.reach > lanes)
        lanes = place->spread.reach;
    else if (!place->spread.at)
        lanes *= place->lane_step;
    return emit_range(t->em, place->index, &lo, &hi) && note_reads(p, lo, hi + lanes);
}

/* Takes the term of the innermost loop's variable out, unless it walks too far for zeros. */
static bool take_inner(struct vector_tile *t, struct linear *l, const char *inner,
                       int64_t *step) {
    int64_t lo, hi, walk;
    struct linear all = *l;
    if (!take_term(l, inner, step))
        return false;
    const struct expr *var = expr_var(&t->em->arena, DTYPE_INDEX, inner);
    if (!t->cond ||
        (emit_range(t->em, var, &lo, &hi) && !__builtin_mul_overflow(hi - lo, *step, &walk) &&
         walk < TILE_MOST_ZEROS / 2 && walk > -TILE_MOST_ZEROS / 2))
        return true;
    *l = all;
    return false;
}

/* Parts of the index that the lanes and the innermost loop add. */
static bool read_index(struct vector_tile *t, const struct expr *index, struct linear *l,
                       struct vector_place *place, int64_t *inner_step) {
    const char *inner = t->levels[t->num_levels - 1].iter;
    struct linear all = {.constant = 0};
    int64_t lanes;
    place->lane_step = *inner_step = 0;
    if (!add_linear(&t->em->arena, &all, index, 1))
        return false;
    *l = all;
    if (t->lane && !take_term(l, t->lane, &place->lane_step)) {
        if (!place->spread.at)
            return false;
        *l = all; // it stays in the base, which is the nearest lane's
        place->lane_step = 0;
        return true;
    }
    if (!place->spread.at && (__builtin_mul_overflow(place->lane_step, t->lane_from, &lanes) ||
                              __builtin_add_overflow(l->constant, lanes, &l->constant)))
        return false;
    if (t->target->scalable && t->lane_loop && inner != t->lane && place->lane_step != 0 &&
        !add_atom(l, expr_var(&t->em->arena, DTYPE_INDEX, t->lane), place->lane_step))
        return false;
    if (inner && inner == t->lane)
        *inner_step = t->lane_loop ? place->lane_step : 0;
    else if (inner && !take_inner(t, l, inner, inner_step))
        *inner_step = 0; // it stays in the base
    return true;
}

/* The same of a load whose lanes may be spread. */
static bool read_load(struct vector_tile *t, int buffer, const struct expr *index,
                      struct linear *l, struct vector_place *place, int64_t *inner_step) {
    int64_t none, last;
    bool even = t->target->scalable; // a stride will do
    if (read_index(t, index, l, place, inner_step) &&
        (even || place->lane_step == 1 || !t->lane || !expr_mentions(index, t->lane)))
        return true;
    if (t->target->scalable)
        return t->lane && vector_offsets(t, index, &place->spread, &index) &&
               read_index(t, index, l, place, inner_step);
    if (!t->lane || !vector_spread(t, index, &place->spread, &index))
        return false;
    place->spread.room = emit_range(t->em, index, &none, &last) &&
                         last + t->width <= t->em->ast->buffers.data[buffer].max_elements;
    return read_index(t, index, l, place, inner_step);
}

bool vector_place(struct vector_tile *t, int buffer, const struct expr *index, bool stores,
                  struct vector_place *place) {
    struct arena *a = &t->em->arena;
    struct linear l;
    int64_t inner_step;
    enum dtype type = t->em->ast->buffers.data[buffer].dtype;
    *place = (struct vector_place){.pointer = NULL};
    if (dtype_info(type)->bits < 8 ||
        !(stores ? read_index(t, index, &l, place, &inner_step)
                 : read_load(t, buffer, index, &l, place, &inner_step)) ||
        ((t->unsure > 0 ||
          (t->mask && place->lane_step == 0 && !place->spread.at && !place->spread.table)) &&
         !surely_inside(t, buffer, index)))
        return false;
    const char *inner = t->levels[t->num_levels - 1].iter;
    struct vector_pointer like = {.buffer = buffer, .stores = stores, .anchor = l.constant};
    like.base = sum_of(a, &l, 0);
    like.cond = type == t->dtype ? t->cond : NULL;
    struct vector_pointer *p = NULL, plain = like;
    plain.cond = NULL;
    plain.anchor = 0;
    if (like.cond && is_costly(like.base) && !find_pointer(t, &plain))
        add_pointer(t, &plain); // those with conditions are told from it
    if (!expr_is_int(like.base, 0) || like.cond) {
        p = find_pointer(t, &like);
        p = p ? p : add_pointer(t, &like);
    }
    const struct expr *steps = expr_index(a, 0);
    if (inner_step != 0)
        steps = expr_2(a, FUNC_MUL, expr_var(a, DTYPE_INDEX, inner), expr_index(a, inner_step));
    place->index = expr_2(a, FUNC_ADD, steps, expr_index(a, l.constant - (p ? p->anchor : 0)));
    place->pointer = p ? p->name : emit_buffer(t->em, buffer);
    place->zeros = p && p->cond && covers(t, p, place);
    return true;
}

const char *vector_address(struct vector_tile *t, const struct vector_place *p) {
    if (expr_is_int(p->index, 0))
        return p->pointer;
    return arena_printf(&t->em->arena, "&%s", vector_element(t, p));
}

const char *vector_element(struct vector_tile *t, const struct vector_place *p) {
    return arena_printf(&t->em->arena, "%s[%s]", p->pointer, vector_scalar(t, p->index, C_ANY));
}

/* ---- constants ---- */

void vector_print_constants(struct emit *em) {
    static const enum dtype types[] = {DTYPE_F32, DTYPE_F64};
    enum { LANES = 16 }; // of the widest vectors
    for (int k = 0; k < 2; k++) {
        const struct dtype_info *type = dtype_info(types[k]);
        if (em->zeros[k] > 0)
            putf(em, "\nstatic const %s %s_zeros_%s[%" PRId64 "] = {0};\n", type->c_type,
                 em->opt->prefix, type->text, em->zeros[k]);
        if (!em->lane_numbers[k])
            continue;
        putf(em, "\nstatic const %s %s_lanes_%s[] = {0", type->c_type, em->opt->prefix,
             type->text);
        for (int lane = 1; lane < LANES; lane++)
            putf(em, ", %d", lane);
        put(em, "};\n");
    }
    vector_print_offsets(em);
}
