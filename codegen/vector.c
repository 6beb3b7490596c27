/* Tiles as C by the vectors of a target: rows x vectors of named accumulators, which stay in
 * registers through the loops of the reduction, and the whole expression around it.
 *
 *     tile (m: 2 row, n: 32 vec, k: 512 red)    const float *a0 = b0 + i * 512;
 *         b2[(i+m)*32 + n] =                    __m512 s0_0 = _mm512_setzero_ps(); …
 *             reduce(add, [k: 512],             for (int32_t k = 0; k < 512; k++) {
 *                 b0[(i+m)*512 + k] *               const __m512 w0 = _mm512_set1_ps(a0[k]);
 *                 b1[k*32 + n])                     const __m512 x0 =
 *                                                       _mm512_loadu_ps(&b1[k * 32]);
 *                                                   s0_0 = _mm512_fmadd_ps(w0, x0, s0_0); …
 *
 * The register tile of Goto and van de Geijn, "Anatomy of High-Performance Matrix
 * Multiplication" (2008), and of BLIS, with the operands where the tile says they are. What
 * lanes share is splat from a scalar, what rows share is loaded once, the last vector has a
 * mask, or is a half one where the target has such and no lane is left over. Inner loops of a
 * few steps are written out, so that neighbouring steps share loads, as those of a window do.
 *
 * A split reduction has its innermost iterator across the lanes, several accumulators for few
 * rows (an addition waits for the one before it), and adds the lanes up at the end. Without a
 * reduction the vectors follow each other, in a loop where they are many.
 *
 * Of scalable vectors a row has one, and the loop over lanes is around all (vector_length.c).
 */
#include "codegen/vector.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    MOST_ACCUMULATORS = 128,
    STRAIGHT = 16, // vectors that need no loop
    CHAINS = 8,    // accumulators that hide the latency of an addition
};

/* The loops of a reduction: the last ones are written out. */
struct steps {
    struct vector_fixed fixed[VECTOR_FIXED];
    int num_fixed;
    int count; // of steps: the product of their counts
    int loops; // iterators before them
    int turns; // steps of the last of those loops that are written out as well
};

/* ---- points ---- */

/* e with the numbers of one row (one step) for the iterators. */
static const struct expr *at_number(struct vector_tile *t, const struct expr *e,
                                    const struct vector_fixed *fixed, int n, int number) {
    const char *names[VECTOR_FIXED];
    const struct expr *values[VECTOR_FIXED];
    for (int i = n - 1; i >= 0; number /= (int)fixed[i].count, i--) {
        names[i] = fixed[i].name;
        values[i] = expr_index(&t->em->arena, number % fixed[i].count);
    }
    return n == 0 ? e : expr_subst(&t->em->arena, e, names, values, n);
}

static const struct expr *at_row(struct vector_tile *t, const struct expr *e, int row) {
    return at_number(t, e, t->rows, t->num_rows, row);
}

static int vectors_of(const struct vector_tile *t) {
    if (t->whole->scalable)
        return 1; // at a time
    return (int)((t->lane_count + t->lanes - 1) / t->lanes);
}

/* The lane iterator as emit_range sees it: the one in scope. */
void vector_set_lane_range(struct vector_tile *t, int64_t lo, int64_t hi) {
    struct emit *em = t->em;
    for (int i = em->vars.len - 1; i >= 0; i--) {
        if (em->vars.data[i].name != t->lane)
            continue;
        em->vars.data[i].ranged = true;
        em->vars.data[i].lo = lo;
        em->vars.data[i].hi = hi;
        return;
    }
}

/* The target of vector number `vector` of constant lanes. */
static const struct target *target_of(const struct vector_tile *t, int vector) {
    return t->half && vector == vectors_of(t) - 1 ? t->half : t->whole;
}

static void take_target(struct vector_tile *t, const struct target *target) {
    t->target = target;
    t->width = prim_lanes(target, t->dtype);
}

/* Vector number `vector` of constant lanes is at hand; of scalable ones it is already. */
static void take_vector(struct vector_tile *t, int vector) {
    if (t->whole->scalable)
        return;
    int64_t left = t->lane_count - (int64_t)vector * t->lanes;
    take_target(t, target_of(t, vector));
    t->vector = vector;
    t->lane_from = (int64_t)vector * t->lanes;
    t->lane_loop = false;
    t->tail = NULL;
    vector_set_lane_range(t, t->lane_from,
                          t->lane_from + (left < t->width ? left : t->width) - 1);
    if (left < t->width)
        t->tail = vector_first(t, expr_index(&t->em->arena, t->lane_count));
}

/* Vector number `vector` of those that a turn of the loop over lanes takes. */
static void take_vector_of_loop(struct vector_tile *t, int vector) {
    take_target(t, t->whole);
    t->vector = vector;
    t->lane_from = (int64_t)vector * t->lanes;
    t->lane_loop = true;
    t->tail = NULL;
}

/* The loop from lo to hi over lanes by `vectors` vectors. */
static void open_lanes(struct vector_tile *t, const struct expr *lo, const struct expr *hi,
                       int vectors) {
    int64_t first, last, none;
    vector_open(t, t->lane, lo, hi, (int64_t)vectors * t->lanes);
    if (emit_range(t->em, lo, &first, &none) && emit_range(t->em, hi, &none, &last))
        vector_set_lane_range(t, first, last - 1);
}

/* ---- accumulators ---- */

static void set_accumulator(struct vector_tile *t, const char *sum, const char *value) {
    put_indent(t->em);
    putf(t->em, "%s = %s;\n", sum, value);
}

/* Names s0_0, s0_1 … of `vectors` accumulators for each row, set to the identity. */
static const char **put_accumulators(struct vector_tile *t, int vectors) {
    struct emit *em = t->em;
    const char **sums = arena_array(&em->arena, const char *, t->points *vectors);
    t->accumulators = t->points * vectors;
    union scalar identity = func_identity(t->reduce->func, t->dtype);
    const struct expr *start = expr_const(&em->arena, t->dtype, identity);
    const char *scalar = identity.u == 0 ? NULL : vector_scalar(t, start, C_ANY);
    for (int row = 0; row < t->points; row++) {
        for (int v = 0; v < vectors; v++) {
            const char *name = arena_printf(&em->arena, "s%d_%d", row, v);
            bool begins = v == 0 || target_of(t, v) != t->target; // another type
            take_target(t, target_of(t, v));
            const char *value =
                vector_prim(t, scalar ? PRIM_SPLAT : PRIM_ZERO, scalar, NULL, NULL);
            sums[row * vectors + v] = emit_declare(em, name, t->dtype)->c;
            if (begins) {
                put(em, v == 0 ? "" : ";\n");
                put_indent(em);
            }
            putf(em, "%s %s = %s", begins ? vector_type(t) : ",", sums[row * vectors + v],
                 value);
        }
        put(em, ";\n");
    }
    return sums;
}

/* ---- reductions ---- */

/* Writes the inner loops out while what they set stays within bounds. */
static struct steps read_steps(const struct vector_tile *t, int accumulators, bool split) {
    struct steps s = {.count = 1, .loops = t->reduce->num_iters - split, .turns = 1};
    while (s.loops > 0 && !split) {
        const struct iter *it = &t->reduce->iters[s.loops - 1];
        int64_t count;
        if (s.num_fixed == VECTOR_FIXED || !expr_as_int(it->extent, &count) ||
            count > TILE_WRITTEN_STEPS || count * s.count * accumulators > TILE_WRITTEN_SUMS)
            break;
        memmove(s.fixed + 1, s.fixed, (size_t)s.num_fixed * sizeof *s.fixed);
        s.fixed[0] = (struct vector_fixed){it->name, count};
        s.num_fixed++;
        s.count *= (int)count;
        s.loops--;
    }
    return s;
}

/* Is there a scalar in a product of e that walks along the iterator? */
static bool has_walking_scalar(struct vector_tile *t, const struct expr *e, const char *iter) {
    const struct expr *rest;
    int64_t step;
    bool found = false;
    for (int k = 0; k < e->n && e->kind == EXPR_FUNC && !found; k++) {
        const struct expr *load = expr_find(e->arg[k], EXPR_LOAD);
        found = e->func == FUNC_MUL && load && !vector_by_lane(t, e->arg[k])
                    ? vector_split(t, load->arg[0], iter, &step, &rest) && step == 1
                    : has_walking_scalar(t, e->arg[k], iter);
    }
    return found;
}

/* Writes as many steps of the last loop out as a vector has lanes, where scalars that lie along
 * it then come from them. */
static void turn_last_loop(struct vector_tile *t, struct steps *s, int accumulators) {
    const struct iter *it = s->loops > 0 ? &t->reduce->iters[s->loops - 1] : NULL;
    int64_t count;
    if (it && !t->strict && prim_has(t->whole, PRIM_FMA_LANE, t->dtype) &&
        expr_as_int(it->extent, &count) && count >= t->lanes &&
        t->lanes * s->count * accumulators <= TILE_WRITTEN_SUMS &&
        has_walking_scalar(t, t->reduce->arg[0], it->name))
        s->turns = t->lanes;
}

/* Steps of the last loop that are left behind its last whole turn. */
static int steps_left(const struct vector_tile *t, const struct steps *s) {
    int64_t count = 0;
    if (s->turns > 1)
        expr_as_int(t->reduce->iters[s->loops - 1].extent, &count);
    return (int)(count % s->turns);
}

static void open_steps(struct vector_tile *t, const struct steps *s) {
    struct arena *a = &t->em->arena;
    for (int i = 0; i < s->loops; i++) {
        const struct iter *it = &t->reduce->iters[i];
        const struct expr *end = it->extent, *zero = expr_index(a, 0);
        bool last = i == s->loops - 1;
        if (last && s->turns > 1)
            end = expr_2(a, FUNC_SUB, end, expr_index(a, steps_left(t, s)));
        vector_open(t, it->name, zero, end, last ? s->turns : 1);
    }
}

static void close_steps(struct vector_tile *t, int loops) {
    for (int i = 0; i < loops; i++)
        vector_close(t);
}

/* One step of one row. */
struct turn {
    int step, row;
    int64_t at; // where what it reads lies
};

/* e at that step; `from`: where the last loop is, NULL: at its variable. */
static const struct expr *at_step(struct vector_tile *t, const struct expr *e,
                                  const struct steps *s, int step, const struct expr *from) {
    struct arena *a = &t->em->arena;
    e = at_number(t, e, s->fixed, s->num_fixed, step % s->count);
    if (s->turns == 1)
        return e;
    const char *name = t->reduce->iters[s->loops - 1].name;
    const struct expr *at = from ? from : expr_var(a, DTYPE_INDEX, name);
    at = expr_2(a, FUNC_ADD, at, expr_index(a, step / s->count));
    return expr_subst(a, e, &name, &at, 1);
}

/* The load of the body that differs from lane to lane, row to row and step to step. */
struct moving_load {
    const struct vector_tile *tile;
    const struct steps *steps;
    const struct expr *found; // NULL: none
};

static bool mentions_one(const struct expr *e, const struct vector_fixed *fixed, int n) {
    for (int i = 0; i < n; i++)
        if (expr_mentions(e, fixed[i].name))
            return true;
    return false;
}

static void look_at_load(void *user, const struct expr *e) {
    struct moving_load *m = user;
    const struct vector_tile *t = m->tile;
    if (e->kind == EXPR_LOAD && !m->found && expr_mentions(e, t->lane) &&
        mentions_one(e, t->rows, t->num_rows) &&
        mentions_one(e, m->steps->fixed, m->steps->num_fixed))
        m->found = e;
}

static int compare_turns(const void *x, const void *y) {
    const struct turn *p = x, *q = y;
    return p->at != q->at       ? (p->at > q->at) - (p->at < q->at)
           : p->step != q->step ? p->step - q->step
                                : p->row - q->row;
}

/* Sorts the turns by what they read, so that turns that read the same follow each other; each
 * row's steps must stay in their order. Returns whether there are such turns. */
static bool sort_turns(struct vector_tile *t, const struct steps *s, struct turn *turns,
                       int count) {
    struct moving_load m = {t, s, NULL};
    const struct expr *base = NULL, *rest;
    expr_walk(t->reduce->arg[0], look_at_load, &m);
    for (int k = 0; m.found && k < count; k++) {
        const struct expr *index = at_row(t, m.found->arg[0], turns[k].row);
        index = at_step(t, index, s, turns[k].step, NULL);
        if (!vector_constant(t, index, &turns[k].at, &rest) ||
            (base && !expr_equal(base, rest)) ||
            (k >= t->points && turns[k - t->points].at >= turns[k].at))
            m.found = NULL;
        base = rest;
    }
    if (m.found)
        qsort(turns, (size_t)count, sizeof *turns, compare_turns);
    return m.found;
}

/* `steps` steps of all rows, step by step, or as rows share what steps read. */
static struct turn *make_turns(struct vector_tile *t, const struct steps *s, int steps) {
    int count = steps * t->points;
    struct turn *turns = arena_array(&t->em->arena, struct turn, count);
    for (int k = 0; k < count; k++)
        turns[k] = (struct turn){k / t->points, k % t->points, 0};
    t->keeps =
        steps > 1 && sort_turns(t, s, turns, count) && prim_has(t->target, PRIM_KEEP, t->dtype);
    return turns;
}

/* The expressions of all turns; which of their scalars come from vectors. */
static const struct expr **read_turns(struct vector_tile *t, const struct steps *s,
                                      const struct turn *turns, int n,
                                      const struct expr *from) {
    const struct expr **bodies = arena_array(&t->em->arena, const struct expr *, n);
    t->scalars.len = 0;
    for (int k = 0; k < n; k++) {
        bodies[k] = at_step(t, t->reduce->arg[0], s, turns[k].step, from);
        bodies[k] = at_row(t, bodies[k], turns[k].row);
        if (prim_has(t->whole, PRIM_FMA_LANE, t->dtype) && !t->strict)
            vector_note_scalars(t, bodies[k]);
    }
    vector_group_scalars(t);
    return bodies;
}

/* Between steps whose scalars are lanes of vectors: there are few registers to spare. */
static void put_barrier(struct vector_tile *t) {
    if (t->scalars.len > 0 && prim_has(t->whole, PRIM_BARRIER, t->dtype))
        put_line(t->em, arena_printf(&t->em->arena, "%s;",
                                     vector_prim(t, PRIM_BARRIER, NULL, NULL, NULL)));
}

/* Between steps of all rows: compilers are not to load for the next ones before these are done.
 */
static void settle(struct vector_tile *t, const char *const *sums) {
    bool has = prim_has(t->target, PRIM_SETTLE, t->dtype);
    int vectors = vectors_of(t);
    for (int k = 0; has && k < t->points * vectors; k++) {
        take_vector(t, k % vectors);
        set_accumulator(t, sums[k], vector_prim(t, PRIM_SETTLE, sums[k], NULL, NULL));
    }
}

/* `steps` steps from where the last loop is. */
static void put_steps(struct vector_tile *t, const struct steps *s, int steps,
                      const struct expr *from, const char *const *sums) {
    int vectors = vectors_of(t), n = steps * t->points;
    int spare = t->target->registers - t->points * vectors - 1;
    struct turn *turns = make_turns(t, s, steps);
    const struct expr **bodies = read_turns(t, s, turns, n, from);
    int kept = vectors + 2;
    for (int k = 0; k < n && !t->failed; k++) {
        if (k > 0 && (turns[k].step != turns[k - 1].step || turns[k].at != turns[k - 1].at))
            put_barrier(t);
        if (k > 0 && turns[k].row == 0 && turns[k - 1].row == t->points - 1)
            settle(t, sums);
        for (int v = 0; v < vectors && !t->failed; v++) {
            const char *sum = sums[turns[k].row * vectors + v];
            take_vector(t, v);
            set_accumulator(t, sum, vector_combine(t, t->reduce->func, sum, bodies[k]));
        }
        if (steps > 1)
            vector_forget(t, spare > kept ? spare : kept);
    }
    t->keeps = false;
    t->scalars.len = 0;
}

static void put_reduction(struct vector_tile *t, const char *const *sums, int vectors) {
    struct steps s = read_steps(t, t->points * vectors, false);
    turn_last_loop(t, &s, t->points * vectors);
    open_steps(t, &s);
    put_steps(t, &s, s.turns * s.count, NULL, sums);
    int left = steps_left(t, &s);
    if (left > 0) {
        int64_t count = 0;
        vector_close(t);
        expr_as_int(t->reduce->iters[s.loops - 1].extent, &count);
        put_steps(t, &s, left * s.count, expr_index(&t->em->arena, count - left), sums);
    }
    close_steps(t, s.loops - (left > 0));
}

/* ---- what is stored ---- */

/* Values of all rows in the vector at hand. */
static void put_vector(struct vector_tile *t, const char *const *sums, int vectors) {
    const char *values[TILE_MOST_ROWS];
    struct vector_place places[TILE_MOST_ROWS];
    bool apart = false;
    for (int row = 0; row < t->points && !t->failed; row++) {
        const struct expr *value = at_row(t, t->node->value, row);
        t->sums = sums ? sums + row * vectors : NULL;
        bool truth = value->dtype == DTYPE_BOOL;
        values[row] = truth ? vector_mask(t, value) : vector_value(t, value);
        const struct expr *index = at_row(t, t->node->index, row);
        if (!vector_place(t, t->node->buffer, index, true, &places[row]) ||
            (truth && places[row].lane_step != 1)) {
            vector_fail(t, "lanes that are not stored at even distances");
            return;
        }
        apart = places[row].lane_step != 1 && !t->target->scalable;
        if (truth)
            vector_store_mask(t, &places[row], values[row]);
        else if (!apart)
            vector_store(t, &places[row], values[row]);
        else if (row == t->points - 1)
            vector_store_apart(t, places, values);
    }
}

static void put_vectors(struct vector_tile *t, const char *const *sums, int vectors,
                        int first) {
    for (int v = first; v < vectors && !t->failed; v++) {
        take_vector(t, v);
        put_vector(t, sums, vectors);
    }
}

/* A tile without a reduction. */
static void put_plain(struct vector_tile *t) {
    int vectors = vectors_of(t), whole = (int)(t->lane_count / t->lanes);
    int each = t->points >= 4 ? 1 : 4 / t->points, first = 0;
    if (!t->straight && t->points * vectors > STRAIGHT && whole / each > 1) {
        first = whole / each * each;
        open_lanes(t, expr_index(&t->em->arena, 0),
                   expr_index(&t->em->arena, (int64_t)first * t->lanes), each);
        for (int v = 0; v < each && !t->failed; v++) {
            take_vector_of_loop(t, v);
            put_vector(t, NULL, 0);
        }
        vector_close(t);
    }
    put_vectors(t, NULL, vectors, first);
}

static void put_reduced(struct vector_tile *t) {
    int vectors = vectors_of(t);
    if (t->points * vectors > MOST_ACCUMULATORS) {
        vector_fail(t, "more accumulators than a tile may have");
        return;
    }
    const char *const *sums = put_accumulators(t, vectors);
    put_reduction(t, sums, vectors);
    put_vectors(t, sums, vectors, 0);
}

/* ---- split reductions ---- */

/* The vector at hand in all rows, into accumulator `chain` of each. */
static void put_split_step(struct vector_tile *t, const char *const *sums, int chains,
                           int chain) {
    for (int row = 0; row < t->points && !t->failed; row++) {
        const char *sum = sums[row * chains + chain];
        const char *next =
            vector_combine(t, t->reduce->func, sum, at_row(t, t->reduce->arg[0], row));
        if (t->tail)
            next = vector_prim(t, PRIM_SELECT, t->tail, next, sum);
        if (t->target->scalable && t->lane_loop)
            next = vector_prim(t, PRIM_KEEP_TAIL, sum, next, NULL);
        set_accumulator(t, sum, next);
    }
}

/* The lanes lo..hi by `each` vectors at a time; what is left when there are fewer: by a mask.
 */
static void put_split_loop(struct vector_tile *t, const char *const *sums, int chains,
                           const struct expr *lo, const struct expr *hi, bool rest) {
    int each = rest ? 1 : chains;
    open_lanes(t, lo, hi, each);
    for (int v = 0; v < each; v++) {
        take_vector_of_loop(t, v);
        t->tail = rest ? vector_first(t, hi) : NULL;
        put_split_step(t, sums, chains, v);
    }
    vector_close(t);
}

/* The innermost loop, its count a constant: whole turns, then one vector after the other. */
static void put_split_constant(struct vector_tile *t, const char *const *sums, int chains) {
    int whole = (int)(t->lane_count / t->lanes), first = 0;
    if (!t->straight && whole * t->points > STRAIGHT && whole / chains > 1) {
        first = whole / chains * chains;
        put_split_loop(t, sums, chains, expr_index(&t->em->arena, 0),
                       expr_index(&t->em->arena, (int64_t)first * t->lanes), false);
    }
    for (int v = first; v < vectors_of(t) && !t->failed; v++) {
        take_vector(t, v);
        put_split_step(t, sums, chains, v % chains);
    }
}

/* … its count an expression. */
static void put_split_counted(struct vector_tile *t, const char *const *sums, int chains) {
    struct arena *a = &t->em->arena;
    const struct expr *count = t->reduce->iters[t->reduce->num_iters - 1].extent;
    const struct expr *turn = expr_index(a, (int64_t)chains * t->lanes);
    const struct expr *whole = expr_2(a, FUNC_MUL, expr_2(a, FUNC_DIV, count, turn), turn);
    put_split_loop(t, sums, chains, expr_index(a, 0), whole, false);
    put_split_loop(t, sums, chains, whole, count, true);
}

/* The lanes of each row added up, as scalars; a store of each. */
static void put_split_stores(struct vector_tile *t, const char *const *sums, int chains) {
    enum func op = t->reduce->func;
    enum prim across = op == FUNC_ADD   ? PRIM_SUM
                       : op == FUNC_MAX ? PRIM_MOST
                       : op == FUNC_MIN ? PRIM_LEAST
                                        : PRIM_COUNT;
    const char *type = dtype_info(t->dtype)->c_type;
    for (int row = 0; row < t->points && !t->failed; row++) {
        const char *const *sum = sums + row * chains;
        for (int half = chains / 2; half > 0; half /= 2)
            for (int c = 0; c < half; c++)
                set_accumulator(t, sum[c],
                                vector_prim(t, prim_of_func(op), sum[c], sum[c + half], NULL));
        const char *all = vector_prim(t, across, sum[0], NULL, NULL);
        vector_store_sum(t, at_row(t, t->node->index, row), at_row(t, t->node->value, row),
                         vector_let(t, type, 'r', all));
    }
}

static void put_split(struct vector_tile *t) {
    int chains = 1;
    while (2 * chains * t->points <= CHAINS && chains < 4 &&
           (t->lane_count == 0 || 2 * chains * t->lanes <= t->lane_count))
        chains *= 2;
    const char *const *sums = put_accumulators(t, chains);
    struct steps s = read_steps(t, t->points * chains, true);
    open_steps(t, &s);
    if (t->lane_count > 0)
        put_split_constant(t, sums, chains);
    else
        put_split_counted(t, sums, chains);
    close_steps(t, s.loops);
    put_split_stores(t, sums, chains);
}

/* ---- scalable vectors ---- */

/* A split reduction: one accumulator of as many lanes as a vector may have for each row. */
static void put_scalable_split(struct vector_tile *t) {
    const char *const *sums = put_accumulators(t, 1);
    struct steps s = read_steps(t, t->points, true);
    open_steps(t, &s);
    vector_open_lengths(t, t->reduce->iters[t->reduce->num_iters - 1].extent);
    put_split_step(t, sums, 1, 0);
    vector_close_lengths(t);
    close_steps(t, s.loops);
    if (!vector_is_one_length(t))
        vector_take_most_length(t);
    put_split_stores(t, sums, 1);
}

static void put_scalable(struct vector_tile *t) {
    vector_declare_length(t);
    if (t->split) {
        put_scalable_split(t);
        return;
    }
    vector_open_lengths(t, expr_index(&t->em->arena, t->lane_count));
    if (t->reduce)
        put_reduced(t);
    else
        put_vector(t, NULL, 0);
    vector_close_lengths(t);
}

/* ---- which tiles ---- */

static bool add_row(struct vector_tile *t, const struct tile_iter *it) {
    int64_t count;
    if (t->num_rows == VECTOR_FIXED || !expr_as_int(it->count, &count) || count < 1 ||
        count > TILE_MOST_ROWS || t->points * count > TILE_MOST_ROWS)
        return false;
    t->rows[t->num_rows++] = (struct vector_fixed){it->name, count};
    t->points *= (int)count;
    return true;
}

/* The last vec or split iterator has the lanes, what is no part of the reduction rows. */
static bool read_iterators(struct vector_tile *t) {
    const struct tile_iter *lane = NULL;
    const struct ast_node *n = t->node;
    t->points = 1;
    for (int i = 0; i < n->num_tile; i++)
        if (n->tile[i].role == TILE_VEC || n->tile[i].role == TILE_SPLIT)
            lane = &n->tile[i];
    for (int i = 0; i < n->num_tile; i++)
        if (&n->tile[i] != lane && !tile_role_reduces(n->tile[i].role) &&
            !add_row(t, &n->tile[i]))
            return false;
    if (!lane)
        return false;
    t->lane = lane->name;
    t->split = lane->role == TILE_SPLIT;
    if (!expr_as_int(lane->count, &t->lane_count))
        return t->split;
    return t->lane_count > 1;
}

static void find_float(void *user, const struct expr *e) {
    enum dtype *t = user;
    if (dtype_is_float(e->dtype))
        *t = e->dtype;
}

/* The type of the vectors: that of the result; truth values are masks of what they are made
 * of. */
static enum dtype type_of_vectors(const struct vector_tile *t) {
    enum dtype type = t->em->ast->buffers.data[t->node->buffer].dtype;
    if (t->split)
        return t->reduce->dtype;
    if (type != DTYPE_BOOL)
        return type;
    type = DTYPE_F32;
    expr_walk(t->node->value, find_float, &type);
    return type;
}

static bool read_tile(struct vector_tile *t) {
    t->reduce = expr_find(t->node->value, EXPR_REDUCE);
    if (!read_iterators(t) || expr_has_check(t->node->value) || expr_has_check(t->node->index))
        return false;
    t->dtype = type_of_vectors(t);
    if (t->whole->scalable)
        vector_choose_group(t);
    take_target(t, t->whole);
    t->lanes = t->width;
    if (t->lanes == 0 || (t->split && t->strict))
        return false;
    if (t->half && (t->split || t->lane_count % t->lanes != prim_lanes(t->half, t->dtype)))
        t->half = NULL;
    return !t->reduce ||
           (t->reduce->dtype == t->dtype && prim_of_func(t->reduce->func) != PRIM_COUNT);
}

/* Does e compute what the target's vectors would not compute as scalars do? */
static void find_flushed(void *user, const struct expr *e) {
    struct vector_tile *t = user;
    bool truth = e->kind == EXPR_CAST && e->dtype == DTYPE_BOOL;
    bool computes = e->kind == EXPR_FUNC || e->kind == EXPR_REDUCE;
    if (e->n > 0 && dtype_is_float(e->arg[0]->dtype) &&
        (truth || (computes && !prim_has_func(t->target, e->func, t->dtype, true))))
        vector_fail(t, "numbers that may be denormal, which its vectors take for 0");
}

/* ---- printing ---- */

static struct str put_tile(struct vector_tile *t) {
    struct emit *em = t->em;
    vec_push(&em->arena, &em->vars,
             ((struct var){.name = t->lane, .c = "", .dtype = DTYPE_INDEX}));
    vector_start(t);
    if (t->strict && t->whole->flushes)
        expr_walk(t->node->value, find_flushed, t);
    if (t->whole->scalable)
        put_scalable(t);
    else if (t->split)
        put_split(t);
    else if (t->reduce)
        put_reduced(t);
    else
        put_plain(t);
    return vector_end(t);
}

static void put_heading(const struct vector_tile *t, bool alone) {
    struct emit *em = t->em;
    struct str s = {0};
    str_addf(&s, "%s/* tile of %d", alone ? "" : "{ ", t->points);
    if (t->lane_count > 0)
        str_addf(&s, " x %" PRId64, t->lane_count);
    if (t->accumulators > 0)
        str_addf(&s, ": %d accumulators", t->accumulators);
    str_add(&s, " */");
    put_line(em, str_cstr(&s));
    str_free(&s);
}

static void note_stack(const struct vector_tile *t) {
    int functions = 0;
    for (int f = 0; f < FUNC_COUNT; f++)
        functions += t->called[f];
    emit_note_vectors(t->em, t->whole, t->accumulators + t->loads + t->most_loads, functions,
                      t->local_bytes);
}

/* Prints the tile; nothing, with em as it was, where that fails. */
static bool try_tile(struct vector_tile *t, bool alone) {
    struct emit *em = t->em, before = *em;
    int buffers = em->ast->buffers.len;
    if (em->fn.printed)
        before.fn.printed = arena_copy(&em->arena, em->fn.printed, (size_t)buffers);
    em->fn.depth += !alone;
    struct str text = put_tile(t);
    em->fn.depth -= !alone;
    em->fn.out = before.fn.out;
    if (t->failed) {
        before.arena = em->arena;
        *em = before;
        str_free(&text);
        return false;
    }
    em->vars.len = before.vars.len;
    em->vectors = true;
    put_heading(t, alone);
    str_add_len(em->fn.out, str_cstr(&text), text.len);
    if (!alone)
        put_line(em, "}");
    str_free(&text);
    note_stack(t);
    return true;
}

/* Says what the schedule meant and the C has not. */
static void remark_missed(const struct emit *em, const char *what, const char *why) {
    if (em->opt->diag)
        diag_remark(em->opt->diag, REMARK_MISSED, em->nest, "a tile has no %s: %s", what, why);
}

bool emit_vector_tile(struct emit *em, const struct ast_node *n, bool alone) {
    const char *why = NULL, *why_half = NULL;
    for (int way = 0; way < 4; way++) {
        struct vector_tile t = {.em = em, .node = n, .whole = em->opt->target};
        t.half = way < 2 ? target_half(t.whole) : NULL;
        t.strict = em->opt->strict;
        t.straight = way % 2;
        t.guard = (struct vector_guard){true, UINT32_MAX};
        if (t.whole->vector_bytes == 0 || !read_tile(&t))
            return false;
        if ((way < 2 && !t.half) ||
            (t.straight &&
             (t.whole->scalable || t.points * vectors_of(&t) > MOST_ACCUMULATORS)))
            continue;
        if (try_tile(&t, alone)) {
            if (!t.half && why_half)
                remark_missed(em, "half vector", why_half);
            return true;
        }
        const char **first = t.half ? &why_half : &why;
        *first = *first ? *first : t.failed;
    }
    remark_missed(em, "vectors", why);
    return false;
}
