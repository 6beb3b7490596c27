/* The schedule tree of each region.
 *
 * A region is a sequence of nests. The statements of a nest (nest.c) share a band of outer
 * loops; in it each runs as block.c cuts it: pieces along `row`, the other loops, pieces along
 * `vec`, the loop over blocks, and below the mark "tile" the instances of one block:
 *
 *     band [n, c - c%4, y]
 *       sequence
 *         filter x < 1                mark tile, band [c]
 *         filter 1 <= x < 55          band [x - (x-1)%6], mark tile, band [c, x]
 *         filter 55 <= x              mark tile, band [c]
 *
 * The t of seq and while around a region are no part of its tree: each t runs all of it. */
#include "polyhedral/poly.h"

#include <isl/schedule_node.h>

/* ---- regions ---- */

const struct poly_stmt *schedule_find(const struct poly *p, int region, const char *name) {
    for (int k = 0; k < p->stmts.len; k++)
        if (p->stmts.data[k]->region == region && strcmp(p->stmts.data[k]->name, name) == 0)
            return p->stmts.data[k];
    return NULL;
}

/* ---- bands ---- */

/* Dimension d of s as a function on its domain. */
static __isl_give isl_aff *dimension(const struct poly_stmt *s, int d) {
    isl_local_space *ls = isl_local_space_from_space(isl_set_get_space(s->domain));
    return isl_aff_var_on_domain(ls, isl_dim_set, (unsigned)d);
}

/* Where the block begins that instance d of a piece lies in: lo + size * floor((d - lo) /
 * size).
 */
static __isl_give isl_aff *block_start(const struct poly_stmt *s, int d,
                                       const struct poly_piece *piece) {
    isl_aff *x = dimension(s, d);
    isl_ctx *ctx = isl_aff_get_ctx(x);
    if (piece->size == 1)
        return x;
    x = isl_aff_add_constant_si(x, (int)-piece->lo);
    x = isl_aff_floor(isl_aff_scale_down_val(x, isl_val_int_from_si(ctx, piece->size)));
    x = isl_aff_scale_val(x, isl_val_int_from_si(ctx, piece->size));
    return isl_aff_add_constant_si(x, (int)piece->lo);
}

/* A band's members; consumes the list. */
static __isl_give isl_multi_union_pw_aff *band_of(const struct poly_stmt *s,
                                                  __isl_take isl_aff_list *members) {
    isl_space *space = isl_set_get_space(s->domain);
    isl_size n = isl_aff_list_n_aff(members);
    isl_space *range = isl_space_params(isl_space_copy(space));
    range = isl_space_add_dims(isl_space_set_from_params(range), isl_dim_set, (unsigned)n);
    isl_multi_aff *band =
        isl_multi_aff_from_aff_list(isl_space_map_from_domain_and_range(space, range), members);
    return isl_multi_union_pw_aff_from_multi_aff(band);
}

static __isl_give isl_schedule *insert_band(__isl_take isl_schedule *schedule,
                                            const struct poly_stmt *s,
                                            __isl_take isl_aff_list *members) {
    if (isl_aff_list_n_aff(members) == 0) {
        isl_aff_list_free(members);
        return schedule;
    }
    return isl_schedule_insert_partial_schedule(schedule, band_of(s, members));
}

static __isl_give isl_schedule *insert_mark(__isl_take isl_schedule *schedule,
                                            const char *name) {
    isl_ctx *ctx = isl_schedule_get_ctx(schedule);
    isl_schedule_node *node = isl_schedule_node_child(isl_schedule_get_root(schedule), 0);
    node = isl_schedule_node_insert_mark(node, isl_id_alloc(ctx, name, NULL));
    isl_schedule_free(schedule);
    schedule = isl_schedule_node_get_schedule(node);
    isl_schedule_node_free(node);
    return schedule;
}

/* ---- one statement ---- */

/* A statement while its tree is built. */
struct cut {
    const struct poly *poly;
    const struct poly_stmt *s;
    const bool *shared; // dimensions of the nest's band
    bool in_block;      // rows are one block of that band
    struct poly_blocking blocks;
};

static __isl_give isl_set *in_piece(__isl_take isl_set *set, int d,
                                    const struct poly_piece *piece) {
    if (d < 0)
        return set;
    isl_ctx *ctx = isl_set_get_ctx(set);
    isl_val *first = isl_val_int_from_si(ctx, piece->lo);
    isl_val *last = isl_val_int_from_si(ctx, piece->hi - 1);
    set = isl_set_lower_bound_val(set, isl_dim_set, (unsigned)d, first);
    return isl_set_upper_bound_val(set, isl_dim_set, (unsigned)d, last);
}

/* The loop over blocks of a piece, and in it the instances of each. */
static __isl_give isl_schedule *leaf(const struct cut *c, __isl_take isl_set *domain,
                                     const struct poly_piece *row,
                                     const struct poly_piece *vec) {
    const struct poly_stmt *s = c->s;
    bool rows = c->blocks.tiled && c->blocks.row >= 0 && row->size > 1;
    bool vecs = c->blocks.tiled && c->blocks.vec >= 0 && vec->size > 1;
    isl_schedule *schedule = isl_schedule_from_domain(isl_union_set_from_set(domain));
    if (rows || vecs) {
        isl_aff_list *points = isl_aff_list_alloc(c->poly->ctx, 2);
        if (rows)
            points = isl_aff_list_add(points, dimension(s, c->blocks.row));
        if (vecs)
            points = isl_aff_list_add(points, dimension(s, c->blocks.vec));
        schedule = insert_mark(insert_band(schedule, s, points), "tile");
    }
    isl_aff_list *start = isl_aff_list_alloc(c->poly->ctx, 1);
    if (c->blocks.vec >= 0)
        start = isl_aff_list_add(start, block_start(s, c->blocks.vec, vec));
    return insert_band(schedule, s, start);
}

/* left, then right; either may be NULL. Empty ones go. */
static __isl_give isl_schedule *then(__isl_take isl_schedule *left,
                                     __isl_take isl_schedule *right) {
    return !left ? right : !right ? left : isl_schedule_sequence(left, right);
}

static __isl_give isl_schedule *piece(const struct cut *c, __isl_take isl_set *domain,
                                      const struct poly_piece *row,
                                      const struct poly_piece *vec) {
    if (isl_set_is_empty(domain) == isl_bool_true) {
        isl_set_free(domain);
        return NULL;
    }
    return leaf(c, domain, row, vec);
}

/* The pieces along vec of one piece along row; what has no guards to test apart from the rest.
 */
static __isl_give isl_schedule *pieces(const struct cut *c, const struct poly_piece *row) {
    const struct poly_blocking *b = &c->blocks;
    isl_set *domain = in_piece(isl_set_copy(c->s->domain), b->row, row);
    isl_schedule *all = NULL;
    for (int k = 0; k < b->num_vecs || k == 0; k++) {
        isl_set *part = in_piece(isl_set_copy(domain), b->vec, &b->vecs[k]);
        if (b->inside) {
            isl_set *in = isl_set_intersect(isl_set_copy(part), isl_set_copy(b->inside));
            part = isl_set_coalesce(isl_set_subtract(part, isl_set_copy(in)));
            all = then(all, piece(c, in, row, &b->vecs[k]));
        }
        all = then(all, piece(c, part, row, &b->vecs[k]));
    }
    isl_set_free(domain);
    return all;
}

/* Asks isl to cut the loops of the topmost band where what is in them changes. */
static __isl_give isl_schedule *separate(__isl_take isl_schedule *schedule) {
    isl_schedule_node *node = isl_schedule_node_child(isl_schedule_get_root(schedule), 0);
    isl_size n = isl_schedule_node_band_n_member(node);
    for (int k = 0; k < n; k++)
        node = isl_schedule_node_band_member_set_ast_loop_type(node, k, isl_ast_loop_separate);
    isl_schedule_free(schedule);
    schedule = isl_schedule_node_get_schedule(node);
    isl_schedule_node_free(node);
    return schedule;
}

/* The loops of a statement but those along vec, around the pieces of one piece along row. */
static __isl_give isl_schedule *row_schedule(const struct cut *c,
                                             const struct poly_piece *row) {
    const struct poly_stmt *s = c->s;
    const struct poly_blocking *b = &c->blocks;
    isl_schedule *all = pieces(c, row);
    if (!all)
        return NULL;
    isl_aff_list *outer = isl_aff_list_alloc(c->poly->ctx, s->num_dims);
    for (int d = s->num_repeats; d < s->num_dims; d++) {
        bool blocks = d == b->row && b->tiled;
        if (!c->shared[d] && d != b->vec && !(blocks && c->in_block))
            outer = isl_aff_list_add(outer, blocks ? block_start(s, d, row) : dimension(s, d));
    }
    bool band = isl_aff_list_n_aff(outer) > 0;
    all = insert_band(all, s, outer);
    return band && b->inside ? separate(all) : all;
}

/* ---- tiles of a target with vectors ---- */

/* The loops around the tiles of a statement. */
struct tiles {
    const struct poly *poly;
    const struct poly_stmt *s;
    int num;                              // of loops
    int *dim;                             // [num] outermost first
    struct poly_piece (*cut)[MAX_PIECES]; // [num] pieces of each
    int *num_cut;                         // [num]
    const struct poly_piece **at; // [num_dims] the piece at hand of a dimension that tiles cut
    const char *marks[3];         // of tiles without lanes, with lanes, with folded ones
};

/* What is said of the tiles. */
static const char *mark_of(struct poly *p, const struct poly_stmt *s, int lanes) {
    const struct poly_tiling *t = &s->tiling;
    const struct expr *reduce = expr_find(s->stmt->rhs, EXPR_REDUCE);
    struct poly_mark mark = {.vector = true, .lanes = lanes > 0, .split = t->split};
    mark.fold = lanes > 1;
    mark.num_order = reduce && reduce->num_iters <= MAX_REDUCE ? reduce->num_iters : 0;
    memcpy(mark.order, t->order, sizeof mark.order);
    return leaf_mark(&p->arena, &mark);
}

static void add_loop(struct tiles *x, int d, const struct poly_piece *pieces, int n) {
    x->dim[x->num] = d;
    memcpy(x->cut[x->num], pieces, (size_t)n * sizeof *pieces);
    x->num_cut[x->num++] = n;
}

/* The instances of one tile, below the mark. */
static __isl_give isl_schedule *tile_points(const struct tiles *x, __isl_take isl_set *domain) {
    const struct poly_tiling *t = &x->s->tiling;
    isl_aff_list *points = isl_aff_list_alloc(x->poly->ctx, 3);
    for (int d = 0; d < x->s->num_dims; d++)
        if (x->at[d] && d != t->vec && d != t->fold)
            points = isl_aff_list_add(points, dimension(x->s, d));
    bool lanes = t->vec >= 0 && x->at[t->vec], fold = t->fold >= 0 && x->at[t->fold];
    if (fold)
        points = isl_aff_list_add(points, dimension(x->s, t->fold));
    if (lanes)
        points = isl_aff_list_add(points, dimension(x->s, t->vec));
    if (isl_aff_list_n_aff(points) == 0) { // isl reads no mark without a child
        isl_local_space *ls = isl_local_space_from_space(isl_set_get_space(domain));
        points = isl_aff_list_add(points, isl_aff_zero_on_domain(ls));
    }
    isl_schedule *schedule = isl_schedule_from_domain(isl_union_set_from_set(domain));
    return insert_mark(insert_band(schedule, x->s, points), x->marks[lanes + (lanes && fold)]);
}

/* Loop k and all in it, over the domain. */
static __isl_give isl_schedule *tile_loops(struct tiles *x, __isl_take isl_set *domain, int k) {
    if (isl_set_is_empty(domain) == isl_bool_true) {
        isl_set_free(domain);
        return NULL;
    }
    if (k == x->num)
        return tile_points(x, domain);
    isl_schedule *all = NULL;
    int d = x->dim[k];
    for (int i = 0; i < x->num_cut[k]; i++) {
        const struct poly_piece *piece = &x->cut[k][i];
        bool all_of_it = piece->hi < 0; // not a constant
        isl_set *part = in_piece(isl_set_copy(domain), all_of_it ? -1 : d, piece);
        x->at[d] = piece->size > 1 ? piece : NULL;
        isl_schedule *inner = tile_loops(x, part, k + 1);
        if (inner)
            inner =
                insert_band(inner, x->s, isl_aff_list_from_aff(block_start(x->s, d, piece)));
        all = then(all, inner);
    }
    x->at[d] = NULL;
    isl_set_free(domain);
    return all;
}

static void add_cut(struct tiles *x, int d, int64_t size, int64_t unit) {
    struct poly_piece pieces[MAX_PIECES];
    int64_t extent = poly_extent(x->s, d);
    bool even = unit > 0 && model_is_even(x->poly, x->s, d);
    add_loop(x, d, pieces,
             even ? model_cut_evenly(extent, size, unit, pieces)
                  : model_cut(extent, size, pieces));
}

/* The loops that go with `side`, by blocks where they are rows. */
static void add_loops(struct tiles *x, const bool *free_dims, enum model_side side) {
    const struct poly_tiling *t = &x->s->tiling;
    for (int d = x->s->num_repeats; d < x->s->num_dims; d++) {
        struct poly_piece all = {0, poly_extent(x->s, d), 1};
        if (!free_dims[d] || model_side(x->poly, x->s, d) != side)
            continue;
        if (d == t->row[0] || d == t->row[1])
            add_cut(x, d, t->rows[d == t->row[1]], 1);
        else
            add_loop(x, d, &all, 1);
    }
}

/* The loops over the blocks of lanes, inside those that go with them. */
static void add_lanes(struct tiles *x, const bool *free_dims) {
    const struct poly_tiling *t = &x->s->tiling;
    add_loops(x, free_dims, MODEL_LANES);
    if (t->fold >= 0)
        add_cut(x, t->fold, t->folds, 0);
    if (t->vec >= 0)
        add_cut(x, t->vec, t->block, t->unit);
}

/* A statement in tiles, as its tiling says; dimensions that are `shared` have their loops
 * around, and so has `row` (or -1), by blocks: `fixed`. */
static __isl_give isl_schedule *tile_schedule(struct poly *p, const struct poly_stmt *s,
                                              const bool *shared, int row,
                                              const struct poly_piece *fixed) {
    const struct poly_tiling *t = &s->tiling;
    int n = s->num_dims;
    struct tiles x = {.poly = p, .s = s};
    for (int k = 0; k < 3; k++)
        x.marks[k] = mark_of(p, s, k);
    diag_remark(p->diag, REMARK_ANALYSIS, poly_loc(s), "%s: %s", s->name, model_describe(p, s));
    x.dim = arena_array(&p->arena, int, n);
    x.cut = (struct poly_piece(*)[MAX_PIECES])arena_array(&p->arena, struct poly_piece,
                                                          MAX_PIECES * n);
    x.num_cut = arena_array(&p->arena, int, n);
    x.at = arena_array(&p->arena, const struct poly_piece *, n);
    bool *free_dims = arena_array(&p->arena, bool, n);
    for (int d = s->num_repeats; d < n; d++)
        free_dims[d] = !shared[d] && d != t->vec && d != t->fold && d != row;
    add_loops(&x, free_dims, MODEL_NEITHER);
    if (t->vec_outer)
        add_lanes(&x, free_dims);
    add_loops(&x, free_dims, MODEL_ROWS);
    if (!t->vec_outer)
        add_lanes(&x, free_dims);
    isl_set *domain = isl_set_copy(s->domain);
    if (row >= 0) {
        domain = in_piece(domain, row, fixed);
        x.at[row] = fixed->size > 1 ? fixed : NULL;
    }
    return tile_loops(&x, domain, 0);
}

/* ---- nests and regions ---- */

/* A statement below the band of its nest; `piece` of dimension `row`, or all of it if -1. */
static __isl_give isl_schedule *statement_schedule(struct poly *p, struct poly_stmt *s,
                                                   const bool *shared, int row,
                                                   const struct poly_piece *piece) {
    struct cut c = {p, s, shared, row >= 0, {.row = row}};
    if (model_tile(p, s, shared, row, piece ? piece->size : 1, false, &s->tiling))
        return tile_schedule(p, s, shared, row, piece);
    if (row >= 0)
        c.blocks.rows[c.blocks.num_rows++] = *piece;
    isl_schedule *all = NULL;
    block_choose(p, s, shared, &c.blocks);
    for (int k = 0; k < c.blocks.num_rows || k == 0; k++)
        all = then(all, row_schedule(&c, &c.blocks.rows[k]));
    isl_set_free(c.blocks.inside);
    return all;
}

static __isl_give isl_multi_union_pw_aff *shared_band(const struct poly *p,
                                                      const struct poly_nest *nest,
                                                      const struct poly_piece *piece) {
    isl_multi_union_pw_aff *band = NULL;
    for (int k = 0; k < nest->num; k++) {
        const struct poly_stmt *s = p->stmts.data[nest->stmts[k]];
        isl_aff_list *members = isl_aff_list_alloc(p->ctx, nest->band);
        for (int b = 0; b < nest->band; b++) {
            int d = nest->dim[k][b];
            bool blocks = piece && b == nest->band - 1;
            members =
                isl_aff_list_add(members, blocks ? block_start(s, d, piece) : dimension(s, d));
        }
        isl_multi_union_pw_aff *one = band_of(s, members);
        band = band ? isl_multi_union_pw_aff_union_add(band, one) : one;
    }
    return band;
}

/* A nest; `piece` of its last loop, or NULL: that is not in blocks. */
static __isl_give isl_schedule *nest_piece(struct poly *p, const struct poly_nest *nest,
                                           const struct poly_piece *piece) {
    isl_schedule *all = NULL;
    for (int k = 0; k < nest->num; k++) {
        struct poly_stmt *s = p->stmts.data[nest->stmts[k]];
        bool *shared = arena_array(&p->arena, bool, s->num_dims);
        for (int b = 0; b < nest->band - (piece != NULL); b++)
            shared[nest->dim[k][b]] = true;
        int row = piece ? nest->dim[k][nest->band - 1] : -1;
        all = then(all, statement_schedule(p, s, shared, row, piece));
    }
    if (nest->band > 0)
        all = isl_schedule_insert_partial_schedule(all, shared_band(p, nest, piece));
    return all;
}

/* The strip that an instance runs in: floor((x + shift) / rows). */
static __isl_give isl_multi_union_pw_aff *strip_band(const struct poly_stmt *s,
                                                     const struct poly_strip *strip) {
    isl_aff *x = dimension(s, strip->dim);
    isl_ctx *ctx = isl_aff_get_ctx(x);
    x = isl_aff_add_constant_val(x, isl_val_int_from_si(ctx, strip->shift));
    x = isl_aff_floor(isl_aff_scale_down_val(x, isl_val_int_from_si(ctx, strip->rows)));
    return band_of(s, isl_aff_list_from_aff(x));
}

/* Statements in strips; the tiles of each lie in one row. */
static __isl_give isl_schedule *strip_schedule(struct poly *p, const struct poly_nest *nest) {
    isl_schedule *all = NULL;
    isl_multi_union_pw_aff *band = NULL;
    p->kept = nest->kept;
    for (int k = 0; k < nest->num; k++) {
        struct poly_stmt *s = p->stmts.data[nest->stmts[k]];
        bool *taken = arena_array(&p->arena, bool, s->num_dims);
        const bool *none = arena_array(&p->arena, bool, s->num_dims);
        taken[nest->strips[k].dim] = true;
        if (!model_tile(p, s, taken, -1, 1, false, &s->tiling))
            bug("%s has no tiles in a strip", s->name);
        all = then(all, tile_schedule(p, s, none, -1, NULL));
        isl_multi_union_pw_aff *one = strip_band(s, &nest->strips[k]);
        band = band ? isl_multi_union_pw_aff_union_add(band, one) : one;
    }
    p->kept = 0;
    return isl_schedule_insert_partial_schedule(all, band);
}

static __isl_give isl_schedule *nest_schedule(struct poly *p, const struct poly_nest *nest) {
    isl_schedule *all = NULL;
    if (nest->strips)
        return strip_schedule(p, nest);
    for (int k = 0; k < nest->num_pieces || k == 0; k++)
        all = then(all, nest_piece(p, nest, nest->num_pieces ? &nest->pieces[k] : NULL));
    return all;
}

/* A sequence of nests, halved so that none is copied often. */
static __isl_give isl_schedule *sequence(struct poly *p, int region,
                                         const struct poly_nest *nests, int num) {
    if (num == 1) {
        isl_schedule *one = nest_schedule(p, nests);
        struct poly_part part = {region, isl_schedule_copy(one)};
        vec_push(&p->arena, &p->parts, part);
        return one;
    }
    isl_schedule *left = sequence(p, region, nests, num / 2);
    isl_schedule *right = sequence(p, region, nests + num / 2, num - num / 2);
    return isl_schedule_sequence(left, right);
}

void schedule_drop_parts(struct poly *p, int region) {
    int kept = 0;
    for (int k = 0; k < p->parts.len; k++)
        if (p->parts.data[k].region == region)
            isl_schedule_free(p->parts.data[k].schedule);
        else
            p->parts.data[kept++] = p->parts.data[k];
    p->parts.len = kept;
}

struct job {
    struct poly *poly;
    int region;
    const struct poly_nest *nests;
    int num;
};

static void schedule_region(void *user) {
    struct job *j = user;
    struct poly *p = j->poly;
    p->schedules.data[j->region] = j->num ? sequence(p, j->region, j->nests, j->num)
                                          : isl_schedule_empty(poly_space(p, 0));
}

void poly_schedule(struct poly *p, bool strict, bool across) {
    p->strict = strict;
    for (int r = 0; r < p->num_regions; r++) {
        struct job j = {.poly = p, .region = r};
        j.nests = nest_find(p, r, across, &j.num);
        p->schedules.data[r] = isl_schedule_free(p->schedules.data[r]);
        schedule_drop_parts(p, r);
        if (!poly_try(p, (struct loc){0}, "a schedule", schedule_region, &j)) {
            p->schedules.data[r] = isl_schedule_free(p->schedules.data[r]);
            schedule_drop_parts(p, r);
        }
    }
}
