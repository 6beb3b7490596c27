/* Chains of statements that run strip by strip: a few rows of the first, then those rows of the
 * second that need no more than that, and so on, so that what lies between them is read while
 * it is still in a near cache, and needs room for a few rows only (line buffers).
 *
 *     for T                                       expand     rows 2T+1, 2T+2
 *         expand, rows <= 2T+2                    depthwise  reads rows 2T-1 .. 2T+2
 *         depthwise 3x3, rows 2T, 2T+1            a ring of 4 rows lies between
 *         project, rows 2T, 2T+1
 *
 * Nothing is computed twice: a row runs in the first strip that reads it (a sliding window).
 * Row x of statement k runs in strip floor((x + shift_k) / rows_k). When a consumer reads rows
 * a*x + lo .. a*x + hi of it, rows_k = a * rows and shift_k = a * shift + a - 1 - hi is the
 * latest that has them ready, and rows_k + hi - lo - a + 1 rows are alive at once, a few more
 * when another consumer wants them later.
 *
 * Which statements make a chain is chosen for a whole region at once, by dynamic programming
 * over the places where its text is cut; the cost of a chain is that of its statements when
 * arrays between them are rings, and what it takes to bring its constants again for each strip.
 * The certificate proves order and rings like those of any other schedule. */
#include "polyhedral/model.h"

#include <inttypes.h>
#include <math.h>

enum {
    MAX_CHAIN = 8,     // statements
    MAX_ROWS = 16,     // of the last statement in a strip
    STRIP_CYCLES = 60, // of a statement around its loops
};
/* A chain must be this much faster than its parts, the model is not better than that; as fast
 * is enough when an array in it needs less memory. */
static const double WORTH = 0.97;
/* So much less must strips of twice as many rows take: shorter ones stay closer. */
static const double GAIN = 0.99;

/* ---- what a region offers ---- */

struct search {
    struct poly *poly;
    struct poly_nest *nests;
    int num;
    struct arena *scratch;
    double *alone;     // [num]: cycles of the nest; < 0: it joins no chain
    int *first, *last; // [arrays]: the statements that mention a root
    bool *known;       // [arrays]: all of these say which elements
};

static struct poly_stmt *stmt_of(const struct search *x, int nest) {
    return x->poly->stmts.data[x->nests[nest].stmts[0]];
}

static void find_uses(struct search *x) {
    struct poly *p = x->poly;
    x->first = arena_array(x->scratch, int, p->loops->arrays.len);
    x->last = arena_array(x->scratch, int, p->loops->arrays.len);
    x->known = arena_array(x->scratch, bool, p->loops->arrays.len);
    for (int k = 0; k < p->loops->arrays.len; k++) {
        x->first[k] = -1;
        x->known[k] = true;
    }
    for (int k = 0; k < p->stmts.len; k++)
        for (int i = 0; i < p->stmts.data[k]->accesses.len; i++) {
            const struct poly_access *a = &p->stmts.data[k]->accesses.data[i];
            if (x->first[a->root] < 0)
                x->first[a->root] = k;
            x->last[a->root] = k;
            x->known[a->root] &= a->index && a->array == a->root && a->exact && !a->vague &&
                                 (a->must || !a->write);
        }
}

/* Cycles of each nest that is one statement in tiles, by itself. */
static void weigh_alone(struct search *x) {
    struct poly *p = x->poly;
    x->alone = arena_array(x->scratch, double, x->num);
    for (int k = 0; k < x->num; k++) {
        struct poly_stmt *s = stmt_of(x, k);
        struct poly_tiling t;
        bool *none = arena_array(x->scratch, bool, s->num_dims);
        bool joins = x->nests[k].num == 1 && s->num_repeats == 0 &&
                     model_tile(p, s, none, -1, 1, false, &t);
        x->alone[k] = joins ? t.cycles : -1;
    }
}

/* ---- one chain ---- */

struct chain {
    const struct search *search;
    int from, num;                   // nests
    struct poly_strip at[MAX_CHAIN]; // of each
    int axis[MAX_CHAIN];             // dimension of its array that its rows are
    int64_t least[MAX_CHAIN];        // its consumers read no row before rows * T + least
    double cycles, alone;            // in strips; one nest after the other
};

static const struct poly_access *result_of(const struct poly_stmt *s) {
    return &s->accesses.data[s->accesses.len - 1];
}

/* The range of every iterator of a statement, its rows being those from 0 on. */
struct ranges {
    const struct poly_stmt *s;
    const char *row;
};

static bool iterator_range(void *user, const char *name, int64_t *lo, int64_t *hi) {
    const struct ranges *r = user;
    const struct expr *reduce = expr_find(r->s->stmt->rhs, EXPR_REDUCE);
    int64_t extent = strcmp(name, r->row) == 0 ? 1 : -1;
    for (int d = r->s->num_repeats; d < r->s->num_dims && extent < 0; d++)
        if (strcmp(r->s->dims[d], name) == 0)
            extent = poly_extent(r->s, d);
    for (int i = 0; reduce && i < reduce->num_iters && extent < 0; i++)
        if (strcmp(reduce->iters[i].name, name) == 0 &&
            !expr_as_int(reduce->iters[i].extent, &extent))
            return false;
    *lo = 0;
    *hi = extent - 1;
    return extent > 0;
}

/* The dimension of the array along which a read goes on with the rows of its statement, times
 * as fast; false: there is none, or more than one, or that is not known. */
static bool find_axis(const struct chain *c, const struct poly_stmt *s, int row,
                      const struct poly_access *r, int *axis, int64_t *times) {
    int rank = c->search->poly->loops->arrays.data[r->array].rank, found = 0;
    for (int d = 0; d < rank; d++) {
        int64_t step;
        if (!stride_coefficient(r->index[d], s->dims[row], &step))
            return false;
        if (step == 0)
            continue;
        *axis = d;
        *times = step;
        found++;
    }
    return found == 1 && *times > 0;
}

/* Member k writes what member j reads by r: when its rows run. */
static bool relate(struct chain *c, int k, int j, const struct poly_access *r) {
    const struct poly_stmt *s = stmt_of(c->search, c->from + j);
    const struct poly_stmt *producer = stmt_of(c->search, c->from + k);
    const struct poly_access *w = result_of(producer);
    const struct poly_strip *to = &c->at[j];
    struct ranges ranges = {s, s->dims[to->dim]};
    int64_t times = 0, lo, hi;
    int axis = -1;
    if (r->array != w->array || !r->index || !w->index ||
        !find_axis(c, s, to->dim, r, &axis, &times) ||
        !expr_range(r->index[axis], iterator_range, &ranges, &lo, &hi))
        return false;
    int dim = poly_dimension(producer, w->index[axis]);
    struct poly_strip at = {dim, times * to->rows, times * to->shift + times - 1 - hi};
    bool first = c->at[k].dim < 0;
    if (dim < 0 || poly_extent(producer, dim) < 1 ||
        times * to->rows > poly_extent(producer, dim))
        return false;
    if (!first && (c->at[k].dim != dim || c->at[k].rows != at.rows || c->axis[k] != axis))
        return false;
    int64_t least = lo - times * to->shift;
    c->least[k] = first || least < c->least[k] ? least : c->least[k];
    c->axis[k] = axis;
    if (first || at.shift < c->at[k].shift)
        c->at[k] = at;
    return true;
}

/* Must something of the chain wait for another reason than for a value? */
static bool is_held(const struct chain *c) {
    const struct poly *p = c->search->poly;
    bool held = false;
    for (int i = 0; i < p->edges.len && !held; i++) {
        const struct poly_edge *e = &p->edges.data[i];
        bool from = false, to = false;
        for (int k = 0; k < c->num && e->kind != POLY_FLOW; k++) {
            from |= e->from == stmt_of(c->search, c->from + k);
            to |= e->to == stmt_of(c->search, c->from + k);
        }
        held = from && to;
    }
    return held;
}

/* Strips of `rows` along dimension dim of the last member; false: that makes no chain. */
static bool derive(struct chain *c, int dim, int64_t rows) {
    for (int k = 0; k < c->num; k++)
        c->at[k].dim = -1;
    c->at[c->num - 1] = (struct poly_strip){dim, rows, 0};
    for (int k = c->num - 2; k >= 0; k--) {
        int root = result_of(stmt_of(c->search, c->from + k))->root;
        for (int j = k + 1; j < c->num; j++) {
            const struct poly_stmt *s = stmt_of(c->search, c->from + j);
            for (int i = 0; i < s->accesses.len; i++) {
                const struct poly_access *r = &s->accesses.data[i];
                if (!r->write && r->root == root && !relate(c, k, j, r))
                    return false;
            }
        }
        if (c->at[k].dim < 0) // nobody here reads it
            return false;
    }
    return true;
}

/* ---- storage ---- */

/* Rows of member k's array that are alive at once, when nobody else needs it; 0: all. */
static int64_t alive_rows(const struct chain *c, int k) {
    const struct search *x = c->search;
    const struct poly *p = x->poly;
    const struct poly_access *w = result_of(stmt_of(x, c->from + k));
    const struct array *a = &p->loops->arrays.data[w->root];
    int from = stmt_of(x, c->from)->number, to = stmt_of(x, c->from + c->num - 1)->number;
    int64_t rows = c->at[k].rows - c->at[k].shift - c->least[k];
    bool mine = k + 1 < c->num && a->kind == ARRAY_TEMP && x->known[w->root] &&
                x->first[w->root] >= from && x->last[w->root] <= to &&
                !reuse_folds(p->loops, a) && (!a->layout_rank || a->layout_rank == a->rank);
    for (int j = 0; j < c->num && mine; j++)
        mine = j == k || result_of(stmt_of(x, c->from + j))->root != w->root;
    return mine && rows < poly_extent(stmt_of(x, c->from + k), c->at[k].dim) ? rows : 0;
}

/* What member k writes. */
static struct array *array_of(const struct chain *c, int k) {
    const struct poly_stmt *s = stmt_of(c->search, c->from + k);
    return &c->search->poly->loops->arrays.data[result_of(s)->root];
}

/* Gives the arrays inside the chain the layouts of rings, in the arena; `before` gets what they
 * had. Returns whether there are any. */
static bool set_rings(const struct chain *c, struct arena *arena, struct array *before) {
    bool any = false;
    for (int k = 0; k < c->num; k++) {
        struct array *a = array_of(c, k);
        int64_t rows = alive_rows(c, k);
        before[k] = *a;
        if (rows == 0)
            continue;
        struct layout_dim *layout = arena_array(arena, struct layout_dim, a->rank);
        for (int d = 0; d < a->rank; d++) {
            layout[d] = a->layout_rank ? a->layout[d] : (struct layout_dim){.dim = d, .div = 1};
            if (layout[d].dim == c->axis[k])
                layout[d].mod = rows;
        }
        a->layout = layout;
        a->layout_rank = a->rank;
        any = true;
    }
    return any;
}

static void reset_rings(const struct chain *c, const struct array *before) {
    for (int k = 0; k < c->num; k++)
        *array_of(c, k) = before[k];
}

/* ---- cost ---- */

/* Bytes between the statements of the chain, and of all its constants. */
static double kept_bytes(const struct chain *c, double *constants) {
    const struct poly *p = c->search->poly;
    double kept = 0;
    *constants = 0;
    for (int k = 0; k < c->num; k++) {
        const struct poly_stmt *s = stmt_of(c->search, c->from + k);
        kept += k + 1 < c->num ? model_stored(p, result_of(s)->root) : 0;
        for (int i = 0; i < s->accesses.len; i++)
            if (p->loops->arrays.data[s->accesses.data[i].root].kind == ARRAY_CONST)
                *constants += model_stored(p, s->accesses.data[i].root);
    }
    return kept;
}

/* Cycles of the chain when its arrays are rings; INFINITY: a member has no tiles then. */
static double chain_cycles(const struct chain *c) {
    const struct search *x = c->search;
    struct poly *p = x->poly;
    const struct poly_strip *last = &c->at[c->num - 1];
    int64_t rows = poly_extent(stmt_of(x, c->from + c->num - 1), last->dim);
    double strips = (double)((rows + last->rows - 1) / last->rows), cycles = 0, constants;
    p->kept = kept_bytes(c, &constants);
    double again = (strips - 1) * constants / model_source(p->target, constants + p->kept);
    for (int k = 0; k < c->num && cycles < INFINITY; k++) {
        const struct poly_stmt *s = stmt_of(x, c->from + k);
        bool *taken = arena_array(x->scratch, bool, s->num_dims);
        struct poly_tiling t;
        taken[c->at[k].dim] = true;
        bool tiled = model_tile(p, s, taken, -1, 1, false, &t);
        cycles = tiled ? cycles + t.cycles + strips * STRIP_CYCLES : INFINITY;
    }
    p->kept = 0;
    return cycles + again;
}

/* ---- all chains of a region ---- */

/* The best way to cut the nests before a place. */
struct best {
    double cycles;
    struct chain last; // num 1: a nest by itself
};

/* The chain in strips of 1, 2, 4 … rows; false: it is none. `alone`: cycles of its parts. */
static bool try_chain(struct chain *c, int dim, double alone, struct best *best) {
    const struct search *x = c->search;
    int to = c->from + c->num;
    int64_t extent = poly_extent(stmt_of(x, to - 1), dim);
    struct array before[MAX_CHAIN];
    if (is_held(c))
        return false;
    double least = INFINITY;
    for (int64_t rows = 1; rows <= MAX_ROWS && rows * 2 <= extent; rows *= 2) {
        if (!derive(c, dim, rows))
            return rows > 1;
        double worth = set_rings(c, x->scratch, before) ? alone : alone * WORTH;
        double cycles = chain_cycles(c);
        reset_rings(c, before);
        if (cycles >= worth || cycles >= least * GAIN)
            continue;
        least = c->cycles = cycles;
        c->alone = alone;
        if (best[c->from].cycles + cycles < best[to].cycles)
            best[to] = (struct best){best[c->from].cycles + cycles, *c};
    }
    return true;
}

/* All that end with nest `to`. */
static void try_chains(const struct search *x, int to, struct best *best) {
    const struct poly_stmt *s = stmt_of(x, to);
    for (int d = s->num_repeats; d < s->num_dims; d++) {
        double alone = x->alone[to];
        bool legal = x->alone[to] >= 0;
        for (int from = to - 1; from >= 0 && to - from < MAX_CHAIN && legal; from--) {
            struct chain c = {.search = x, .from = from, .num = to - from + 1};
            legal = x->alone[from] >= 0; // if this is none, one that begins earlier is none
            alone += x->alone[from];
            legal = legal && try_chain(&c, d, alone, best);
        }
    }
}

/* Says that the chain is one nest, and what that buys. */
static void tell(const struct chain *c, const char *names, int64_t kept) {
    struct poly *p = c->search->poly;
    double ms = 1e-6 / p->target->ghz;
    struct loc loc = poly_loc(stmt_of(c->search, c->from));
    int64_t rows = c->at[c->num - 1].rows;
    diag_remark(p->diag, REMARK_PASSED, loc, "%s run in strips of %" PRId64 " row%s", names,
                rows, rows == 1 ? "" : "s");
    diag_remark(p->diag, REMARK_ANALYSIS, loc,
                "the strips of %s: %.4f ms predicted, %.4f ms one after the other; %" PRId64
                " bytes between them",
                names, c->cycles * ms, c->alone * ms, kept);
}

/* One nest of the chain's statements. */
static struct poly_nest nest_of(const struct chain *c) {
    struct poly *p = c->search->poly;
    struct poly_nest nest = {.num = c->num};
    struct array before[MAX_CHAIN];
    struct str names = {0};
    double constants;
    int *stmts = arena_array(&p->arena, int, c->num);
    for (int k = 0; k < c->num; k++) {
        stmts[k] = c->search->nests[c->from + k].stmts[0];
        str_addf(&names, "%s%s", k ? ", " : "", p->stmts.data[stmts[k]]->name);
    }
    nest.stmts = stmts;
    nest.strips = arena_copy(&p->arena, c->at, (size_t)c->num * sizeof *c->at);
    set_rings(c, p->loops->arena, before);
    nest.kept = kept_bytes(c, &constants);
    tell(c, str_cstr(&names), nest.kept);
    str_free(&names);
    return nest;
}

/* The nests again, what is before `end` in place: returns how many. */
static int take_best(const struct search *x, const struct best *best, int end) {
    if (end == 0)
        return 0;
    const struct chain *c = &best[end].last;
    int n = take_best(x, best, c->from);
    x->nests[n] = c->num > 1 ? nest_of(c) : x->nests[c->from];
    return n + 1;
}

int strip_find(struct poly *p, struct poly_nest *nests, int num) {
    struct arena scratch = {0};
    struct search x = {.poly = p, .nests = nests, .num = num, .scratch = &scratch};
    struct best *best = arena_array(&scratch, struct best, num + 1);
    find_uses(&x);
    weigh_alone(&x);
    for (int k = 0; k < num; k++) {
        double alone = x.alone[k] < 0 ? 0 : x.alone[k];
        best[k + 1].cycles = best[k].cycles + alone;
        best[k + 1].last = (struct chain){.search = &x, .from = k, .num = 1};
        try_chains(&x, k, best);
    }
    num = take_best(&x, best, num);
    arena_free(&scratch);
    return num;
}
