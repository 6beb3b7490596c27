/* Register tiles as C: a tile statement around a reduction, with constant numbers of rows and
 * lanes (the innermost vec iterator).
 *
 *     tile (m: 2 row, n: 8 vec, k: 512 red)       float s0[8] = {0.0f};
 *         b2[8*m+n] = reduce(add, [k: 512],       float s1[8] = {0.0f};
 *             b0[512*m+k] * b1[8*k+n])            for (int32_t k = 0; k < 512; k++) {
 *                                                     int32_t p0 = k * 8;
 *                                                     float w0 = b0[k];
 *                                                     float w1 = b0[k + 512];
 *                                                     NNCC_LANES(4)
 *                                                     for (int32_t n = 0; n < 8; n++) {
 *                                                         float x0 = b1[p0 + n];
 *                                                         s0[n] = s0[n] + w0 * x0; …
 *
 * An accumulator per row and lane; every step of the reduction sets them all, and what does not
 * depend on the lane (or on the row) is loaded once for all lanes (rows). Each accumulator adds
 * in the order of the plain loops, so the bytes are the same. What a guard, a select or a
 * logical operator may skip is not moved out of it.
 *
 * A row is an array over its lanes. Compilers keep it in vector registers once they have made
 * vectors of the loops over lanes, each a power of two. gcc does so only when it has not
 * unrolled them before, which is what NNCC_LANES asks of it: no more than half of the lanes.
 * Measured, 3x3 convolution over 64x56x56, milliseconds on a Zen 5, 4 rows x 8 lanes (8 x 8):
 * gcc 12 -O3 -march=native 3.3 (2.7), clang 19 3.3 (2.7). The same as 32 named scalars:
 * gcc 17.5 (-O2: 7), clang 3.3. Arrays without NNCC_LANES: gcc 27 (-O2: 4.7). 4 x 7 in one
 * loop: gcc 34 (-O2: 98), in loops over 4, 2 and 1 of them: 14 (-O2: 19). One scalar at a time:
 * 97. Where a loop over lanes makes no vectors, lanes are rows (makes_vectors). */
#include "codegen/emit.h"

#include <inttypes.h>
#include <math.h>

enum { MAX_ACCUMULATORS = 128, MAX_ITERS = 8 };

const char lanes_macro[] =
    "\n/* Before a loop over the lanes of a tile: gcc makes vectors of what it has not "
    "unrolled. */\n"
    "#ifndef NNCC_LANES\n#if defined(__GNUC__) && __GNUC__ >= 8 && !defined(__clang__)\n"
    "#define NNCC_PRAGMA(text) _Pragma(#text)\n"
    "#define NNCC_LANES(most) NNCC_PRAGMA(GCC unroll most)\n"
    "#else\n#define NNCC_LANES(most)\n#endif\n#endif\n";

/* An expression that several points of the tile need, in a scalar of its own. */
struct shared {
    const struct expr *e;                     // as the tile has it
    bool by_row;                              // it differs from row to row
    bool by_lane;                             // … from lane to lane
    const struct expr *value[TILE_MOST_ROWS]; // in each row; only the first unless by_row
    const struct expr *var[TILE_MOST_ROWS];   // the scalars
    bool used;                                // by some point
};

struct tile {
    struct emit *em;
    const struct ast_node *node;
    const struct expr *reduce;
    const struct tile_iter *iters[MAX_ITERS]; // of rows, outermost first
    int64_t counts[MAX_ITERS];
    int num_iters;
    int rows;         // product of the counts
    const char *lane; // the iterator over lanes; NULL: one lane
    int64_t lanes;
    vec(struct shared) bases;                 // parts of indices that all points have in common
    vec(struct shared) shared;                // other values
    const char *accumulators[TILE_MOST_ROWS]; // in C
    const struct expr *sums[TILE_MOST_ROWS];  // those of the lane at hand
    const struct expr *points[2 * TILE_MOST_ROWS]; // what the rows compute
    int num_points;
    int scalars; // declared so far
};

/* ---- what an expression depends on ---- */

enum trait {
    BY_ROW = 1,
    BY_LANE = 2,
    LOADS = 4,
    FIXED = 8, // not to be moved: a check, or a division by what may be 0
};

static bool is_row(const struct tile *t, const struct expr *e) {
    for (int i = 0; i < t->num_iters && e->kind == EXPR_VAR; i++)
        if (strcmp(e->name, t->iters[i]->name) == 0)
            return true;
    return false;
}

static bool is_lane(const struct tile *t, const struct expr *e) {
    return t->lane && e->kind == EXPR_VAR && strcmp(e->name, t->lane) == 0;
}

static bool divides(const struct expr *e) {
    bool division = e->kind == EXPR_FUNC &&
                    (e->func == FUNC_DIV || e->func == FUNC_REM || e->func == FUNC_MOD);
    return division && e->dtype == DTYPE_INDEX && e->arg[1]->kind != EXPR_CONST;
}

static unsigned traits(const struct tile *t, const struct expr *e) {
    if (e->kind == EXPR_REDUCE)
        return BY_ROW | BY_LANE;
    unsigned found = (is_row(t, e) ? BY_ROW : 0) | (is_lane(t, e) ? BY_LANE : 0) |
                     (e->kind == EXPR_LOAD ? LOADS : 0) | (divides(e) ? FIXED : 0) |
                     (e->kind == EXPR_FUNC && e->func == FUNC_CHECK ? FIXED : 0);
    for (int k = 0; k < e->n; k++)
        found |= traits(t, e->arg[k]);
    return found;
}

/* Is argument k of e evaluated whenever e is? */
static bool always_evaluated(const struct expr *e, int k) {
    if (e->kind == EXPR_GUARD)
        return false;
    bool lazy = e->kind == EXPR_FUNC &&
                (e->func == FUNC_SELECT || e->func == FUNC_AND || e->func == FUNC_OR);
    return !lazy || k == 0;
}

/* ---- indices: a base that all points share, and a constant per row and lane ---- */

/* By how much an index grows per step of an iterator; false when that is no constant. */
static bool step_of(const struct expr *e, const char *name, int64_t *step) {
    int64_t x, y, factor;
    *step = e->kind == EXPR_VAR && strcmp(e->name, name) == 0;
    if (e->kind == EXPR_FUNC && (e->func == FUNC_ADD || e->func == FUNC_SUB))
        return step_of(e->arg[0], name, &x) && step_of(e->arg[1], name, &y) &&
               !(e->func == FUNC_ADD ? __builtin_add_overflow(x, y, step)
                                     : __builtin_sub_overflow(x, y, step));
    if (e->kind == EXPR_FUNC && e->func == FUNC_MUL && expr_as_int(e->arg[1], &factor))
        return step_of(e->arg[0], name, &x) && !__builtin_mul_overflow(x, factor, step);
    for (int k = 0; k < e->n; k++)
        if (!step_of(e->arg[k], name, &x) || x != 0)
            return false;
    return true;
}

/* The index of the point in row `row` and the lane at hand, less that of the first point. */
static bool offset_of(const struct tile *t, const struct expr *index, int row,
                      const struct expr **offset) {
    struct arena *a = &t->em->arena;
    int64_t step, sum = 0;
    for (int i = t->num_iters - 1; i >= 0; row /= (int)t->counts[i], i--)
        if (!step_of(index, t->iters[i]->name, &step) ||
            __builtin_mul_overflow(step, row % t->counts[i], &step) ||
            __builtin_add_overflow(sum, step, &sum))
            return false;
    *offset = expr_index(a, sum);
    if (!t->lane)
        return true;
    if (!step_of(index, t->lane, &step))
        return false;
    const struct expr *lane = expr_var(a, DTYPE_INDEX, t->lane);
    *offset = expr_2(a, FUNC_ADD, expr_2(a, FUNC_MUL, lane, expr_index(a, step)), *offset);
    return true;
}

/* The index of the first point. */
static const struct expr *base_of(const struct tile *t, const struct expr *index) {
    const char *names[MAX_ITERS + 1];
    const struct expr *zeros[MAX_ITERS + 1];
    int n = 0;
    for (int i = 0; i < t->num_iters; i++)
        names[n++] = t->iters[i]->name;
    if (t->lane)
        names[n++] = t->lane;
    for (int i = 0; i < n; i++)
        zeros[i] = expr_index(&t->em->arena, 0);
    return expr_subst(&t->em->arena, index, names, zeros, n);
}

static bool is_short(const struct expr *e) {
    bool sum = e->kind == EXPR_FUNC && (e->func == FUNC_ADD || e->func == FUNC_SUB);
    return e->n == 0 || (sum && e->height == 1);
}

static const struct shared *find_shared(const struct shared *list, int n,
                                        const struct expr *e) {
    for (int i = 0; i < n; i++)
        if (expr_equal(list[i].e, e))
            return &list[i];
    return NULL;
}

/* ---- what the points share ---- */

static void share_base(struct tile *t, const struct expr *index) {
    const struct expr *offset;
    unsigned has = traits(t, index);
    if (!(has & (BY_ROW | BY_LANE)) || has & (LOADS | FIXED) ||
        !offset_of(t, index, 0, &offset))
        return;
    const struct expr *base = base_of(t, index);
    if (!is_short(base) && !find_shared(t->bases.data, t->bases.len, base))
        vec_push(&t->em->arena, &t->bases, (struct shared){.e = base});
}

/* Without lanes only what all rows share is worth a scalar. */
static bool is_shared(const struct tile *t, unsigned has) {
    if (!(has & LOADS))
        return false;
    return has & BY_LANE ? t->rows > 1 && !(has & BY_ROW)
                         : t->lane || (t->rows > 1 && !(has & BY_ROW));
}

/* Finds what the points share in e; `sure`: e is evaluated for each of them. */
static void share(struct tile *t, const struct expr *e, bool sure) {
    if (e->kind == EXPR_REDUCE)
        return;
    unsigned has = traits(t, e);
    if (sure && is_shared(t, has)) {
        if (!find_shared(t->shared.data, t->shared.len, e))
            vec_push(
                &t->em->arena, &t->shared,
                ((struct shared){.e = e, .by_row = has & BY_ROW, .by_lane = has & BY_LANE}));
        sure = false; // its parts have no scalars of their own
    }
    if (e->kind == EXPR_LOAD)
        share_base(t, e->arg[0]);
    for (int k = 0; k < e->n; k++)
        share(t, e->arg[k], sure && always_evaluated(e, k));
}

/* ---- expressions of one row ---- */

static const struct expr *of_row(const struct tile *t, const struct expr *e, int row);

static const struct expr *index_of_row(const struct tile *t, const struct expr *e, int row) {
    const struct expr *offset;
    if (!offset_of(t, e, row, &offset))
        return of_row(t, e, row);
    const struct shared *base = find_shared(t->bases.data, t->bases.len, base_of(t, e));
    return base ? expr_2(&t->em->arena, FUNC_ADD, base->var[0], offset) : of_row(t, e, row);
}

static const struct expr *iter_of_row(const struct tile *t, const struct expr *e, int row) {
    int i = t->num_iters - 1;
    for (; strcmp(t->iters[i]->name, e->name) != 0; i--)
        row /= (int)t->counts[i];
    return expr_index(&t->em->arena, row % t->counts[i]);
}

/* e with the row's numbers for its iterators and the scalars for what is shared; the reduction
 * is the accumulator of the lane at hand. */
static const struct expr *of_row(const struct tile *t, const struct expr *e, int row) {
    struct arena *a = &t->em->arena;
    const struct shared *s = find_shared(t->shared.data, t->shared.len, e);
    if (s && s->var[0])
        return s->var[s->by_row ? row : 0];
    if (e->kind == EXPR_REDUCE)
        return t->sums[row];
    if (is_row(t, e))
        return iter_of_row(t, e, row);
    if (e->n == 0)
        return e;
    const struct expr **arg = arena_array(a, const struct expr *, e->n);
    for (int k = 0; k < e->n; k++)
        arg[k] =
            e->kind == EXPR_LOAD ? index_of_row(t, e->arg[k], row) : of_row(t, e->arg[k], row);
    if (e->kind == EXPR_FUNC)
        return expr_func(a, e->func, arg, e->n);
    if (e->kind == EXPR_CAST)
        return expr_cast(a, e->dtype, arg[0]);
    if (e->kind == EXPR_LOAD)
        return expr_load(a, e->dtype, e->array, arg, e->n);
    return expr_guard(a, arg[0], arg[1], arg + 2, (e->n - 2) / 3);
}

/* ---- the scalars ---- */

/* A scalar is found by the address of its name: it is in no expression but ours. */
static const struct expr *new_scalar(const struct tile *t, int letter, int number,
                                     enum dtype type) {
    return expr_var(&t->em->arena, type, arena_printf(&t->em->arena, "%c%d", letter, number));
}

/* w0, w1 … (g0, g1 …) are one value in each row, u0, u1 … values that all points share, x0,
 * x1 … those that all rows share, p0, p1 … bases. */
static void name_scalars(struct tile *t) {
    static const char letters[] = "wgh";
    int singles = 0, families = 0, lanes = 0;
    for (int i = 0; i < t->bases.len; i++) {
        t->bases.data[i].value[0] = t->bases.data[i].e;
        t->bases.data[i].var[0] = new_scalar(t, 'p', i, DTYPE_INDEX);
    }
    for (int i = 0; i < t->shared.len; i++)
        for (int row = 0; row < (t->shared.data[i].by_row ? t->rows : 1); row++)
            t->shared.data[i].value[row] = of_row(t, t->shared.data[i].e, row);
    for (int i = 0; i < t->shared.len; i++) {
        struct shared *s = &t->shared.data[i];
        int letter = s->by_lane ? 'x' : s->by_row ? letters[families++ % 3] : 'u';
        int number = s->by_lane ? lanes++ : s->by_row ? 0 : singles++;
        for (int row = 0; row < (s->by_row ? t->rows : 1); row++)
            s->var[row] = new_scalar(t, letter, number + row, s->e->dtype);
    }
}

static void mark_scalar(struct shared *s, const char *name) {
    for (int row = 0; row < TILE_MOST_ROWS && s->var[row]; row++)
        s->used = s->used || s->var[row]->name == name;
}

static void mark_used(void *user, const struct expr *e) {
    struct tile *t = user;
    for (int i = 0; i < t->bases.len && e->kind == EXPR_VAR; i++)
        mark_scalar(&t->bases.data[i], e->name);
    for (int i = 0; i < t->shared.len && e->kind == EXPR_VAR; i++)
        mark_scalar(&t->shared.data[i], e->name);
}

/* The numbers of a row may leave nothing of what was shared: a guard that never holds there. */
static void find_used(struct tile *t) {
    for (int i = 0; i < t->num_points; i++)
        expr_walk(t->points[i], mark_used, t);
    for (int i = 0; i < t->shared.len; i++)
        for (int row = 0; t->shared.data[i].used && row < TILE_MOST_ROWS; row++)
            if (t->shared.data[i].value[row])
                expr_walk(t->shared.data[i].value[row], mark_used, t);
}

/* ---- printing ---- */

static void put_scalars(struct tile *t, const struct shared *list, int n, bool by_lane) {
    for (int i = 0; i < n; i++) {
        const struct shared *s = &list[i];
        for (int row = 0; row < TILE_MOST_ROWS && s->var[row]; row++) {
            if (!s->used || s->by_lane != by_lane)
                continue;
            struct ast_node let = {.kind = AST_LET, .name = s->var[row]->name};
            let.dtype = s->e->dtype;
            let.value = s->value[row];
            emit_statement(t->em, &let, &(struct ast_list){.first = NULL});
            t->scalars++;
        }
    }
}

/* A loop over `count` of the lanes, where there are several, with their accumulators as sums.
 */
static void open_lanes(struct tile *t, int64_t from, int64_t count) {
    struct emit *em = t->em;
    const char *at = "";
    if (t->lane) {
        em->lanes = true;
        put_indent(em);
        putf(em, "NNCC_LANES(%" PRId64 ")\n", count > 1 ? count / 2 : 1);
        emit_open_range(em, t->lane, expr_index(&em->arena, from),
                        expr_index(&em->arena, from + count));
        at = arena_printf(&em->arena, "[%s]", em->vars.data[em->vars.len - 1].c);
    }
    for (int row = 0; row < t->rows; row++) {
        struct var v = {.name = t->sums[row]->name, .dtype = t->reduce->dtype};
        v.c = arena_printf(&em->arena, "%s%s", t->accumulators[row], at);
        vec_push(&em->arena, &em->vars, v);
    }
}

/* All points, in loops over powers of two of lanes: whole vectors. */
static void put_points(struct tile *t, void (*point)(struct tile *t, int row)) {
    struct emit *em = t->em;
    int64_t count;
    for (int64_t from = 0; from < t->lanes; from += count) {
        int vars = em->vars.len;
        for (count = 1; 2 * count <= t->lanes - from;)
            count *= 2;
        open_lanes(t, from, count);
        put_scalars(t, t->shared.data, t->shared.len, true);
        for (int row = 0; row < t->rows; row++)
            point(t, row);
        if (t->lane)
            emit_close_range(em);
        em->vars.len = vars;
    }
}

static void set_sum(struct tile *t, int row, const struct expr *value) {
    struct ast_node set = {.kind = AST_SET, .name = t->sums[row]->name, .value = value};
    emit_statement(t->em, &set, &(struct ast_list){.first = NULL});
}

static void clear_point(struct tile *t, int row) {
    enum dtype type = t->reduce->dtype;
    union scalar identity = func_identity(t->reduce->func, type);
    set_sum(t, row, expr_const(&t->em->arena, type, identity));
}

static void set_point(struct tile *t, int row) {
    set_sum(t, row, t->points[row]);
}

static void store_point(struct tile *t, int row) {
    struct ast_node store = {.kind = AST_STORE, .buffer = t->node->buffer};
    store.index = t->points[2 * row];
    store.value = t->points[2 * row + 1];
    emit_statement(t->em, &store, &(struct ast_list){.first = NULL});
}

static void put_accumulators(struct tile *t) {
    struct emit *em = t->em;
    enum dtype type = t->reduce->dtype;
    union scalar identity = func_identity(t->reduce->func, type);
    bool zero = identity.u == 0, array = t->lane != NULL;
    for (int row = 0; row < t->rows; row++) {
        struct var *v = emit_declare(em, arena_printf(&em->arena, "s%d", row), type);
        t->accumulators[row] = v->c;
        t->sums[row] = new_scalar(t, 's', row, type);
        put_indent(em);
        putf(em, "%s %s", emit_var_type(v), v->c);
        if (array)
            putf(em, "[%" PRId64 "]", t->lanes);
        if (zero || !array) {
            put(em, array ? " = {" : " = ");
            emit_constant(em, type, identity);
            put(em, array ? "}" : "");
        }
        put(em, ";\n");
    }
    if (array && !zero)
        put_points(t, clear_point);
}

/* What all lanes share. */
static void put_common(struct tile *t) {
    find_used(t);
    put_scalars(t, t->bases.data, t->bases.len, false);
    put_scalars(t, t->shared.data, t->shared.len, false);
}

/* The loops of the reduction around one step for every accumulator. */
static void put_reduction(struct tile *t) {
    struct emit *em = t->em;
    const struct expr *e = t->reduce;
    int vars = em->vars.len;
    for (int i = 0; i < e->num_iters; i++)
        emit_open_range(em, e->iters[i].name, expr_index(&em->arena, 0), e->iters[i].extent);
    share(t, e->arg[0], true);
    name_scalars(t);
    for (int row = 0; row < t->rows; row++)
        t->points[t->num_points++] =
            expr_2(&em->arena, e->func, t->sums[row], of_row(t, e->arg[0], row));
    put_common(t);
    put_points(t, set_point);
    for (int i = 0; i < e->num_iters; i++)
        emit_close_range(em);
    em->vars.len = vars;
    t->bases.len = t->shared.len = t->num_points = 0;
}

/* The expression around the reduction, stored for each point. */
static void put_stores(struct tile *t) {
    const struct ast_node *n = t->node;
    share_base(t, n->index);
    share(t, n->index, true);
    share(t, n->value, true);
    name_scalars(t);
    for (int row = 0; row < t->rows; row++) {
        t->points[t->num_points++] = index_of_row(t, n->index, row);
        t->points[t->num_points++] = of_row(t, n->value, row);
    }
    put_common(t);
    put_points(t, store_point);
}

/* ---- which tiles ---- */

static void find_reduce(void *user, const struct expr *e) {
    if (e->kind == EXPR_REDUCE)
        *(const struct expr **)user = e;
}

/* What the loads that differ between lanes are like. */
struct lane_loads {
    const struct tile *tile;
    int64_t step;  // the most elements from one lane to the next; INT64_MAX: not known
    int narrowest; // bits
};

static void look_at_load(void *user, const struct expr *e) {
    struct lane_loads *l = user;
    int64_t step;
    if (e->kind != EXPR_LOAD || !(traits(l->tile, e) & BY_LANE))
        return;
    if (!step_of(e->arg[0], l->tile->lane, &step) || step == INT64_MIN)
        step = INT64_MAX;
    step = step < 0 ? -step : step;
    int bits = dtype_info(e->dtype)->bits;
    l->step = step > l->step ? step : l->step;
    l->narrowest = bits < l->narrowest ? bits : l->narrowest;
}

/* Do compilers make vectors of the loop over lanes, all of it, and gain? Measured with gcc 12
 * -O3 -march=native:
 * - Elements narrower than the accumulators must fill 128 bits: int8 by int8, 4 rows x 8 lanes
 *   6.3 ms, as scalars 1.4, with 16 lanes 1.2.
 * - Of lanes that lie apart the last one is loaded alone, which makes a branch of max and min:
 *   pool by 2 with 8 lanes 0.63 ms, as scalars 0.28.
 * - Lanes far apart are gathered, which pays for several rows only: 8 rows of a matrix by one
 *   vector 0.62 ms, as scalars 0.46; by four 5.5 and 16. */
static bool makes_vectors(const struct tile *t) {
    enum { FAR = 8 };
    int bits = dtype_info(t->reduce->dtype)->bits;
    bool choice = t->reduce->func == FUNC_MAX || t->reduce->func == FUNC_MIN;
    struct lane_loads l = {t, 0, bits};
    if (t->rows * t->lanes < 4)
        return false;
    expr_walk(t->reduce->arg[0], look_at_load, &l);
    if (l.narrowest < bits && l.narrowest * t->lanes < 128)
        return false;
    return l.step <= 1 || (!choice && (l.step < FAR || t->rows > 1));
}

static bool add_rows(struct tile *t, const struct tile_iter *it, int64_t count) {
    if (t->num_iters == MAX_ITERS || t->rows * count > TILE_MOST_ROWS)
        return false;
    t->rows *= (int)count;
    t->counts[t->num_iters] = count;
    t->iters[t->num_iters++] = it;
    return true;
}

/* The last vec iterator counts lanes, all others rows. False when a count is no constant of at
 * least 1, or there are too many accumulators. */
static bool read_iterators(struct tile *t) {
    const struct tile_iter *lane = NULL;
    t->rows = 1;
    t->lanes = 1;
    for (int i = 0; i < t->node->num_tile; i++)
        if (t->node->tile[i].role == TILE_VEC)
            lane = &t->node->tile[i];
    for (int i = 0; i < t->node->num_tile; i++) {
        const struct tile_iter *it = &t->node->tile[i];
        int64_t count;
        if (it->role != TILE_ROW && it->role != TILE_VEC)
            continue;
        if (!expr_as_int(it->count, &count) || count < 1 || count > MAX_ACCUMULATORS)
            return false;
        if (it == lane)
            t->lanes = count;
        else if (!add_rows(t, it, count))
            return false;
    }
    t->lane = lane ? lane->name : NULL;
    bool vectors = t->lane && t->lanes > 1 && makes_vectors(t);
    if (lane && !vectors && add_rows(t, lane, t->lanes)) {
        t->lane = NULL;
        t->lanes = 1;
    }
    return t->rows * t->lanes <= MAX_ACCUMULATORS;
}

bool emit_register_tile(struct emit *em, const struct ast_node *n, bool alone) {
    struct tile t = {.em = em, .node = n};
    expr_walk(n->value, find_reduce, &t.reduce);
    if (!t.reduce || !read_iterators(&t))
        return false;
    int vars = em->vars.len;
    put_line(em, arena_printf(&em->arena, "%s/* tile of %d x %" PRId64 " */", alone ? "" : "{ ",
                              t.rows, t.lanes));
    em->fn.depth += !alone;
    put_accumulators(&t);
    put_reduction(&t);
    put_stores(&t);
    em->fn.depth -= !alone;
    if (!alone)
        put_line(em, "}");
    em->vars.len = vars;
    emit_note_tile(em, t.rows * t.lanes, t.reduce->dtype, t.scalars);
    return true;
}
