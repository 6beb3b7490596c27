/* Which statements share a nest, and the storage that this saves.
 *
 * Neighbours in the text share outer loops when every value that one computes and the other
 * reads is used in the same iteration of them: softmax runs row by row, normalisation too. An
 * array that lives inside one iteration needs room for one iteration only: its layout drops the
 * dimensions of the shared loops.
 *
 * When some of them reduce, the last shared loop goes by blocks of up to SHARED_BLOCK
 * iterations, whose reductions run side by side; an array inside has room for one block.
 *
 * A contraction reads its operands again and again, which blocks of its own loops keep close:
 * it shares no loops. Nor is a loop shared along which memory is walked. */
#include "polyhedral/poly.h"

enum {
    SHARED_BLOCK = 4,     // chains of additions hide each other's latency
    SHARED_ELEMENTS = 512 // of a block, on targets with vectors
};

/* ---- what a statement does ---- */

/* Does some operand of its reduce stay the same along an iterator? */
static bool is_contraction(const struct poly *p, const struct poly_stmt *s) {
    const struct expr *reduce = expr_find(s->stmt->rhs, EXPR_REDUCE);
    bool found = false;
    for (int k = 0; k < s->accesses.len && reduce && !found; k++) {
        const struct poly_access *a = &s->accesses.data[k];
        bool reduced = false;
        for (int i = 0; i < reduce->num_iters; i++)
            reduced |= !a->write && stride_moves(p, a, reduce->iters[i].name);
        for (int d = s->num_repeats; d < s->num_dims && reduced && !found; d++)
            found = poly_extent(s, d) != 1 && !stride_moves(p, a, s->dims[d]);
    }
    return found;
}

/* Along which of its loops memory is walked: most accesses move to the next element. NULL: it
 * has one loop only. */
const char *nest_walk(const struct poly *p, const struct poly_stmt *s) {
    const struct expr *reduce = expr_find(s->stmt->rhs, EXPR_REDUCE);
    int own = s->num_dims - s->num_repeats, most = 0;
    int all = own + (reduce ? reduce->num_iters : 0);
    const char *best = NULL;
    for (int k = 0; k < all && all > 1; k++) {
        const char *name = k < own ? s->dims[s->num_repeats + k] : reduce->iters[k - own].name;
        int count = 0;
        for (int i = 0; i < s->accesses.len; i++) {
            int64_t step;
            const struct poly_access *a = &s->accesses.data[i];
            bool counts = !a->write || !reduce;
            count += counts && stride_of(p, a, name, &step) && step == 1;
        }
        if (count >= most && count > 0) {
            most = count;
            best = name;
        }
    }
    return best;
}

/* ---- shared loops ---- */

/* A nest while statements join it. */
struct open {
    struct poly *poly;
    bool across;
    vec(int) stmts; // [members]
    vec(int *) dim; // [members][band]
    int band;
    struct poly_piece pieces[2]; // of its last loop
    int num_pieces;
};

/* What a candidate's dimensions are in the band: [band], or -1. */
struct match {
    int *dim;
    bool *fits;
    bool flows; // it reads what a member writes
};

static void match_read(const struct open *o, int member, const struct poly_access *w,
                       const struct poly_stmt *q, const struct poly_access *r,
                       struct match *m) {
    const struct poly_stmt *s = o->poly->stmts.data[o->stmts.data[member]];
    int rank = o->poly->loops->arrays.data[w->array].rank;
    bool same = w->array == r->array && w->index && r->index;
    m->flows = true;
    for (int b = 0; b < o->band; b++) {
        int found = -1;
        for (int d = 0; d < rank && same; d++)
            if (poly_dimension(s, w->index[d]) == o->dim.data[member][b])
                found = poly_dimension(q, r->index[d]);
        m->fits[b] = m->fits[b] && found >= 0 && (m->dim[b] < 0 || m->dim[b] == found);
        m->dim[b] = found;
    }
}

static void match_reads(const struct open *o, const struct poly_stmt *q, struct match *m) {
    for (int i = 0; i < q->accesses.len; i++)
        for (int k = 0; k < o->stmts.len; k++) {
            const struct poly_stmt *s = o->poly->stmts.data[o->stmts.data[k]];
            const struct poly_access *w = &s->accesses.data[s->accesses.len - 1];
            const struct poly_access *r = &q->accesses.data[i];
            if (!r->write && w->root == r->root)
                match_read(o, k, w, q, r, m);
        }
}

/* A loop that a statement walks along is not shared, nor one of another extent. */
static void refuse_walks(const struct open *o, const struct poly_stmt *q, struct match *m) {
    const char *mine = nest_walk(o->poly, q);
    for (int b = 0; b < o->band; b++) {
        bool ok = m->fits[b] && m->dim[b] >= 0;
        for (int k = 0; k < o->stmts.len && ok; k++) {
            const struct poly_stmt *s = o->poly->stmts.data[o->stmts.data[k]];
            int d = o->dim.data[k][b];
            const char *walk = nest_walk(o->poly, s);
            ok = !(walk && strcmp(walk, s->dims[d]) == 0) &&
                 expr_equal(s->stmt->iters[d - s->num_repeats].extent,
                            q->stmt->iters[m->dim[b] - q->num_repeats].extent);
        }
        m->fits[b] = ok && !(mine && strcmp(mine, q->dims[m->dim[b]]) == 0);
    }
}

/* Must something else than a value that q reads run before it? */
static bool is_held(const struct open *o, const struct poly_stmt *q) {
    bool held = false;
    for (int i = 0; i < o->poly->edges.len && !held; i++) {
        const struct poly_edge *e = &o->poly->edges.data[i];
        for (int k = 0; k < o->stmts.len && e->to == q && e->kind != POLY_FLOW; k++)
            held |= o->poly->stmts.data[o->stmts.data[k]] == e->from;
    }
    return held;
}

static bool may_share(const struct open *o, const struct poly_stmt *q) {
    const struct poly_stmt *first = o->poly->stmts.data[o->stmts.data[0]];
    bool same_node = first->stmt->loc.node && q->stmt->loc.node &&
                     strcmp(first->stmt->loc.node, q->stmt->loc.node) == 0;
    return (o->across || same_node) && !is_contraction(o->poly, first) &&
           !is_contraction(o->poly, q);
}

/* Keeps the loops of the band that fit, for all members; adds q. */
static void join(struct open *o, int stmt, const struct match *m) {
    int kept = 0, *dim = arena_array(&o->poly->arena, int, o->band);
    for (int b = 0; b < o->band; b++) {
        if (!m->fits[b])
            continue;
        for (int k = 0; k < o->stmts.len; k++)
            o->dim.data[k][kept] = o->dim.data[k][b];
        dim[kept++] = m->dim[b];
    }
    o->band = kept;
    vec_push(&o->poly->arena, &o->stmts, stmt);
    vec_push(&o->poly->arena, &o->dim, dim);
}

static bool try_join(struct open *o, int stmt) {
    const struct poly_stmt *q = o->poly->stmts.data[stmt];
    struct match m = {arena_array(&o->poly->arena, int, o->band),
                      arena_array(&o->poly->arena, bool, o->band), false};
    int64_t shared = 1;
    if (!may_share(o, q) || is_held(o, q))
        return false;
    for (int b = 0; b < o->band; b++) {
        m.dim[b] = -1;
        m.fits[b] = true;
    }
    match_reads(o, q, &m);
    if (!m.flows)
        return false;
    refuse_walks(o, q, &m);
    for (int b = 0; b < o->band; b++)
        shared *= m.fits[b] && poly_extent(q, m.dim[b]) != 1 ? 2 : 1;
    if (shared == 1)
        return false;
    join(o, stmt, &m);
    return true;
}

static void begin(struct open *o, int stmt) {
    const struct poly_stmt *s = o->poly->stmts.data[stmt];
    int *dim = arena_array(&o->poly->arena, int, s->num_dims);
    o->stmts.len = o->dim.len = 0;
    o->band = s->num_dims - s->num_repeats;
    for (int b = 0; b < o->band; b++)
        dim[b] = s->num_repeats + b;
    vec_push(&o->poly->arena, &o->stmts, stmt);
    vec_push(&o->poly->arena, &o->dim, dim);
}

/* ---- storage ---- */

/* Which member of the nest a statement is, or -1. */
static int member_of(const struct open *o, const struct poly_stmt *s) {
    for (int k = 0; k < o->stmts.len; k++)
        if (o->poly->stmts.data[o->stmts.data[k]] == s)
            return k;
    return -1;
}

/* Is it known which elements it touches, as a proof about their cells needs? */
static bool is_known(const struct poly_access *a) {
    return a->index && a->exact && !a->vague && (a->must || !a->write);
}

/* Clears what is not the loop of the band in every access: loop[d] of array dimension d. False
 * when something else than the nest uses the array, or at places that are not known. */
static bool follow(const struct open *o, int array, int *loop) {
    const struct poly *p = o->poly;
    int rank = p->loops->arrays.data[array].rank;
    for (int i = 0; i < p->stmts.len; i++) {
        const struct poly_stmt *s = p->stmts.data[i];
        for (int k = 0; k < s->accesses.len; k++) {
            const struct poly_access *a = &s->accesses.data[k];
            int member = a->root == array ? member_of(o, s) : 0;
            if (a->root != array)
                continue;
            if (member < 0 || a->array != array || !is_known(a))
                return false;
            for (int d = 0; d < rank; d++) {
                int found = -1;
                for (int b = 0; b < o->band; b++)
                    if (poly_dimension(s, a->index[d]) == o->dim.data[member][b])
                        found = b;
                loop[d] = loop[d] == -2 || loop[d] == found ? found : -1;
            }
        }
    }
    return true;
}

static void contract(struct open *o, int array) {
    struct poly *p = o->poly;
    struct array *a = &p->loops->arrays.data[array];
    int *loop = arena_array(&p->arena, int, a->rank + 1), n = 0;
    for (int d = 0; d < a->rank; d++)
        loop[d] = -2;
    if (a->kind != ARRAY_TEMP || reuse_folds(p->loops, a) ||
        (a->layout_rank && a->layout_rank != a->rank) || !follow(o, array, loop))
        return;
    struct layout_dim *layout = arena_array(p->loops->arena, struct layout_dim, a->rank + 1);
    bool folds = false;
    for (int k = 0; k < a->rank; k++) {
        int d = a->layout_rank ? a->layout[k].dim : k; // in the order it has
        bool block = o->num_pieces && loop[d] == o->band - 1;
        int64_t size = block ? o->pieces[0].size : 0;
        folds |= loop[d] >= 0;
        if (loop[d] < 0 || block)
            layout[n++] = (struct layout_dim){.dim = d, .div = 1, .mod = size};
    }
    if (!folds)
        return;
    if (n == 0) // one cell
        layout[n++] = (struct layout_dim){.dim = 0, .div = 1, .mod = 1};
    a->layout = layout;
    a->layout_rank = n;
}

/* The most elements that a member goes through in one iteration of the band. */
static double elements_inside(const struct open *o) {
    double most = 1;
    for (int k = 0; k < o->stmts.len; k++) {
        const struct poly_stmt *s = o->poly->stmts.data[o->stmts.data[k]];
        const struct expr *reduce = expr_find(s->stmt->rhs, EXPR_REDUCE);
        double elements = 1;
        int64_t extent;
        for (int d = s->num_repeats; d < s->num_dims; d++)
            elements *= poly_extent(s, d) > 0 ? (double)poly_extent(s, d) : 1;
        for (int b = 0; b < o->band; b++)
            elements /= poly_extent(s, o->dim.data[k][b]) > 0
                            ? (double)poly_extent(s, o->dim.data[k][b])
                            : 1;
        for (int i = 0; reduce && i < reduce->num_iters; i++)
            elements *= expr_as_int(reduce->iters[i].extent, &extent) ? (double)extent : 1;
        most = elements > most ? elements : most;
    }
    return most;
}

/* How many iterations go side by side. Lanes along the reduction hide latency by themselves,
 * and long rows are better read one after the other. */
static int64_t shared_block(const struct open *o) {
    const struct target *t = o->poly->target;
    if (!t || t->vector_bytes == 0 || o->poly->strict)
        return SHARED_BLOCK;
    double rows = SHARED_ELEMENTS / elements_inside(o);
    return rows < 1 ? 1 : rows > SHARED_BLOCK ? SHARED_BLOCK : (int64_t)rows;
}

/* Blocks of the last loop, if some member reduces. */
static void cut_loop(struct open *o) {
    bool reduces = false;
    int64_t extent = -1;
    for (int k = 0; k < o->stmts.len && o->stmts.len > 1; k++) {
        const struct poly_stmt *s = o->poly->stmts.data[o->stmts.data[k]];
        reduces |= expr_find(s->stmt->rhs, EXPR_REDUCE) != NULL;
        extent = poly_extent(s, o->dim.data[k][o->band - 1]);
    }
    int64_t block = reduces && extent > 1 ? shared_block(o) : 1;
    o->num_pieces = block > 1 ? block_cut(0, extent, block, o->pieces) : 0;
}

static void end(struct open *o, struct poly_nest *out) {
    struct poly *p = o->poly;
    cut_loop(o);
    *out = (struct poly_nest){.num = o->stmts.len, .band = o->stmts.len > 1 ? o->band : 0};
    out->num_pieces = o->num_pieces;
    memcpy(out->pieces, o->pieces, sizeof out->pieces);
    out->stmts = arena_copy(&p->arena, o->stmts.data, (size_t)out->num * sizeof *out->stmts);
    out->dim = arena_copy(&p->arena, o->dim.data, (size_t)out->num * sizeof *o->dim.data);
    const struct poly_stmt *first = p->stmts.data[out->stmts[0]];
    if (out->num == 1)
        return;
    struct str names = {0};
    for (int k = 0; k < out->num; k++) {
        const struct poly_stmt *s = p->stmts.data[out->stmts[k]];
        str_addf(&names, "%s%s", k ? ", " : "", s->name);
        if (s->num_repeats == 0)
            contract(o, s->accesses.data[s->accesses.len - 1].root);
    }
    diag_remark(p->diag, REMARK_PASSED, poly_loc(first), "%s share %d loop%s", str_cstr(&names),
                out->band, out->band == 1 ? "" : "s");
    str_free(&names);
}

/* Notes the nest of its members, and which of their dimensions are its loops. */
static void note_nest(const struct open *o, int *nest, bool *const *shared) {
    for (int k = 0; k < o->stmts.len; k++) {
        nest[o->stmts.data[k]] = o->stmts.data[0];
        for (int b = 0; b < o->band && o->stmts.len > 1; b++)
            shared[o->stmts.data[k]][o->dim.data[k][b]] = true;
    }
}

/* The next nest of the region, from statement *k on, which becomes the one after it; false:
 * there is none. */
static bool next_nest(struct open *o, int region, int *k) {
    o->stmts.len = 0;
    for (; *k < o->poly->stmts.len; ++*k) {
        const struct poly_stmt *s = o->poly->stmts.data[*k];
        if (s->region != region || isl_set_is_empty(s->domain) == isl_bool_true)
            continue;
        if (o->stmts.len == 0)
            begin(o, *k);
        else if (!try_join(o, *k))
            break;
    }
    return o->stmts.len > 0;
}

void nest_number(struct poly *p, int *nest, bool *const *shared) {
    struct open o = {.poly = p, .across = true};
    for (int region = 0; region < p->num_regions; region++)
        for (int k = 0; next_nest(&o, region, &k);)
            note_nest(&o, nest, shared);
}

const struct poly_nest *nest_find(struct poly *p, int region, bool across, int *num) {
    struct open o = {.poly = p, .across = across};
    struct poly_nest *nests = arena_array(&p->arena, struct poly_nest, p->stmts.len);
    int n = 0;
    for (int k = 0; next_nest(&o, region, &k);)
        end(&o, &nests[n++]);
    *num = across ? strip_find(p, nests, n) : n;
    return nests;
}
