/* The leaves of a schedule tree: what isl's ast has user nodes for.
 *
 * A leaf is some instances of one statement. Below a mark "tile" they are taken together: those
 * that share their time above the mark are a tile. When all tiles of a mark are boxes of one
 * size on a grid, the ast needs one node for each tile. That is proven here, whoever made the
 * tree; the certificate has seen all instances.
 *
 * Each leaf gets a tuple of its own, whose coordinates count tiles (or are the instance's own),
 * and a map from there to the first instance. isl's ast is built of the tree pulled back along
 * those maps: it has no tiles any more, and no strides. */
#include "polyhedral/poly.h"

#include <isl/schedule_node.h>

struct finder {
    struct poly *poly;
    struct poly_leaves *out;
};

/* One leaf while it is made. */
struct make {
    struct poly *poly;
    isl_schedule_node *node;
    struct poly_leaf leaf;
    isl_multi_aff *first; // grid -> instance
};

/* ---- grids ---- */

/* Some instances of one statement that get to the node. */
static void take_instances(struct make *x, __isl_take isl_set *instances) {
    struct poly *p = x->poly;
    x->leaf.domain = isl_set_coalesce(instances);
    const char *name = isl_set_get_tuple_name(x->leaf.domain);
    for (int k = 0; k < p->stmts.len && name; k++)
        if (p->stmts.data[k]->region >= 0 && strcmp(p->stmts.data[k]->name, name) == 0)
            x->leaf.stmt = p->stmts.data[k];
}

/* The times above the node: functions of the statement's instances. */
static __isl_give isl_pw_aff_list *times_above(struct make *x) {
    isl_multi_union_pw_aff *all =
        isl_schedule_node_get_prefix_schedule_multi_union_pw_aff(x->node);
    isl_size n = isl_multi_union_pw_aff_dim(all, isl_dim_set);
    isl_pw_aff_list *list = isl_pw_aff_list_alloc(x->poly->ctx, n > 0 ? (int)n : 0);
    for (int k = 0; k < n; k++) {
        isl_union_pw_aff *one = isl_multi_union_pw_aff_get_at(all, k);
        isl_space *space = isl_set_get_space(x->leaf.domain);
        space = isl_space_add_dims(isl_space_from_domain(space), isl_dim_out, 1);
        list = isl_pw_aff_list_add(list, isl_union_pw_aff_extract_pw_aff(one, space));
        isl_union_pw_aff_free(one);
    }
    isl_multi_union_pw_aff_free(all);
    return list;
}

/* Instances that share the times of one instance. */
static __isl_give isl_set *one_tile(struct make *x, __isl_keep isl_pw_aff_list *times) {
    isl_set *sample = isl_set_from_point(isl_set_sample_point(isl_set_copy(x->leaf.domain)));
    isl_set *tile = isl_set_copy(x->leaf.domain);
    isl_size n = isl_pw_aff_list_n_pw_aff(times);
    for (int k = 0; k < n; k++) {
        isl_pw_aff *time = isl_pw_aff_list_get_at(times, k);
        isl_map *map = isl_map_from_pw_aff(time);
        isl_set *value = isl_set_apply(isl_set_copy(sample), isl_map_copy(map));
        tile = isl_set_intersect(tile, isl_set_apply(value, isl_map_reverse(map)));
    }
    for (int d = 0; d < x->leaf.stmt->num_repeats; d++) {
        isl_set *fixed = isl_set_copy(sample);
        isl_size dims = isl_set_dim(fixed, isl_dim_set);
        fixed = isl_set_eliminate(fixed, isl_dim_set, 0, (unsigned)d);
        fixed =
            isl_set_eliminate(fixed, isl_dim_set, (unsigned)d + 1, (unsigned)(dims - d - 1));
        tile = isl_set_intersect(tile, fixed);
    }
    isl_set_free(sample);
    return tile;
}

/* Size of the tiles and base of their grid, by one tile; the proof comes later. */
static bool guess(struct make *x, __isl_keep isl_set *tile) {
    int n = x->leaf.stmt->num_dims;
    bool ok = true;
    x->leaf.base = arena_array(&x->poly->arena, int64_t, n);
    x->leaf.size = arena_array(&x->poly->arena, int64_t, n);
    for (int d = 0; d < n && ok; d++) {
        int64_t lo, hi, least;
        ok = poly_extreme(tile, d, false, &lo) && poly_extreme(tile, d, true, &hi);
        x->leaf.size[d] = ok ? hi - lo + 1 : 1;
        if (ok && hi > lo)
            ok = poly_extreme(x->leaf.domain, d, false, &least) &&
                 (lo - least) % x->leaf.size[d] == 0;
        x->leaf.base[d] = ok && hi > lo ? least : 0;
    }
    return ok;
}

/* Grid -> base + size * coordinate, in the space of the statement. */
static __isl_give isl_multi_aff *grid_map(const struct make *x) {
    isl_space *set = isl_set_get_space(x->leaf.domain);
    isl_space *grid = isl_space_set_tuple_name(isl_space_copy(set), isl_dim_set, x->leaf.name);
    isl_local_space *ls = isl_local_space_from_space(isl_space_copy(grid));
    isl_multi_aff *m = isl_multi_aff_zero(isl_space_map_from_domain_and_range(grid, set));
    for (int d = 0; d < x->leaf.stmt->num_dims; d++) {
        isl_aff *c = isl_aff_var_on_domain(isl_local_space_copy(ls), isl_dim_set, (unsigned)d);
        if (x->leaf.size) {
            c = isl_aff_scale_val(c, isl_val_int_from_si(x->poly->ctx, x->leaf.size[d]));
            c = isl_aff_add_constant_val(c, isl_val_int_from_si(x->poly->ctx, x->leaf.base[d]));
        }
        m = isl_multi_aff_set_aff(m, d, c);
    }
    isl_local_space_free(ls);
    return m;
}

/* First instance -> instances of its box. */
static __isl_give isl_map *boxes(const struct make *x, __isl_take isl_set *firsts) {
    isl_set *delta = isl_set_universe(isl_set_get_space(firsts));
    for (int d = 0; d < x->leaf.stmt->num_dims; d++) {
        delta = isl_set_lower_bound_si(delta, isl_dim_set, (unsigned)d, 0);
        isl_val *last = isl_val_int_from_si(x->poly->ctx, x->leaf.size[d] - 1);
        delta = isl_set_upper_bound_val(delta, isl_dim_set, (unsigned)d, last);
    }
    return isl_map_intersect_domain(isl_set_translation(delta), firsts);
}

/* ---- the proof ---- */

/* Is a time the same for all instances of each box? */
static bool is_constant(const struct make *x, __isl_keep isl_pw_aff *time) {
    bool moves = false;
    for (int d = 0; d < x->leaf.stmt->num_dims; d++)
        moves |= x->leaf.size[d] > 1 &&
                 isl_pw_aff_involves_dims(time, isl_dim_in, (unsigned)d, 1) != isl_bool_false;
    if (!moves)
        return true;
    isl_map *map = isl_map_from_pw_aff(isl_pw_aff_copy(time));
    isl_map *first = isl_map_intersect_domain(isl_map_copy(map),
                                              isl_map_domain(isl_map_copy(x->leaf.block)));
    isl_map *all = isl_map_apply_range(isl_map_copy(x->leaf.block), map);
    bool same = isl_map_is_subset(all, first) == isl_bool_true;
    isl_map_free(all);
    isl_map_free(first);
    return same;
}

/* Different points of the grid have different times. */
static bool is_injective(const struct make *x, __isl_keep isl_set *grid,
                         __isl_keep isl_pw_aff_list *times) {
    isl_map *all = isl_map_from_multi_aff(
        isl_multi_aff_zero(isl_space_from_domain(isl_set_get_space(grid))));
    isl_size n = isl_pw_aff_list_n_pw_aff(times);
    for (int k = 0; k < n; k++) {
        isl_pw_aff *time = isl_pw_aff_pullback_multi_aff(isl_pw_aff_list_get_at(times, k),
                                                         isl_multi_aff_copy(x->first));
        all = isl_map_flat_range_product(all, isl_map_from_pw_aff(time));
    }
    for (int d = 0; d < x->leaf.stmt->num_repeats; d++) {
        isl_local_space *ls = isl_local_space_from_space(isl_set_get_space(grid));
        isl_aff *t = isl_aff_var_on_domain(ls, isl_dim_set, (unsigned)d);
        all = isl_map_flat_range_product(all, isl_map_from_aff(t));
    }
    all = isl_map_intersect_domain(all, isl_set_copy(grid));
    bool injective = isl_map_is_injective(all) == isl_bool_true;
    isl_map_free(all);
    return injective;
}

static bool prove(struct make *x, __isl_keep isl_pw_aff_list *times) {
    isl_set *grid =
        isl_set_preimage_multi_aff(isl_set_copy(x->leaf.domain), isl_multi_aff_copy(x->first));
    isl_map *first = isl_map_from_multi_aff(isl_multi_aff_copy(x->first));
    isl_set *firsts = isl_set_apply(isl_set_copy(grid), first);
    x->leaf.firsts = isl_set_copy(firsts);
    x->leaf.block = boxes(x, firsts);
    isl_set *all = isl_map_range(isl_map_copy(x->leaf.block));
    bool ok = isl_set_is_equal(all, x->leaf.domain) == isl_bool_true;
    isl_set_free(all);
    isl_size n = isl_pw_aff_list_n_pw_aff(times);
    for (int k = 0; k < n && ok; k++) {
        isl_pw_aff *time = isl_pw_aff_list_get_at(times, k);
        ok = is_constant(x, time);
        isl_pw_aff_free(time);
    }
    ok = ok && is_injective(x, grid, times);
    isl_set_free(grid);
    return ok;
}

/* The dimension that a member of the band below the mark walks along, counted from the last, or
 * -1. */
static int dimension_of(const struct make *x, int from_last) {
    isl_schedule_node *band = isl_schedule_node_get_child(x->node, 0);
    bool is_band = isl_schedule_node_get_type(band) == isl_schedule_node_band;
    isl_size n = is_band ? isl_schedule_node_band_n_member(band) : 0;
    int found = -1;
    if (n > from_last) {
        isl_multi_union_pw_aff *all = isl_schedule_node_band_get_partial_schedule(band);
        isl_union_pw_aff *last = isl_multi_union_pw_aff_get_at(all, n - 1 - from_last);
        isl_map *map = isl_map_from_union_map(isl_union_map_from_union_pw_aff(last));
        for (int d = 0; d < x->leaf.stmt->num_dims; d++) {
            isl_map *same = isl_map_equate(isl_map_copy(map), isl_dim_in, d, isl_dim_out, 0);
            found = isl_map_is_subset(map, same) == isl_bool_true ? d : found;
            isl_map_free(same);
        }
        isl_map_free(map);
        isl_multi_union_pw_aff_free(all);
    }
    isl_schedule_node_free(band);
    return found;
}

static bool make_tile(struct make *x) {
    isl_pw_aff_list *times = times_above(x);
    isl_set *tile = one_tile(x, times);
    bool ok = guess(x, tile);
    isl_set_free(tile);
    if (ok) {
        x->first = grid_map(x);
        ok = prove(x, times);
    }
    isl_pw_aff_list_free(times);
    x->leaf.vec = ok ? dimension_of(x, 0) : -1;
    x->leaf.fold = ok && x->leaf.mark.fold ? dimension_of(x, 1) : -1;
    return ok;
}

/* ---- all leaves ---- */

static void add_leaf(struct finder *f, struct make *x) {
    isl_set *grid =
        isl_set_preimage_multi_aff(isl_set_copy(x->leaf.domain), isl_multi_aff_copy(x->first));
    x->leaf.first =
        isl_pw_multi_aff_intersect_domain(isl_pw_multi_aff_from_multi_aff(x->first), grid);
    vec_push(&f->poly->arena, &f->out->list, x->leaf);
}

/* ---- marks ---- */

const char *leaf_mark(struct arena *a, const struct poly_mark *mark) {
    if (!mark->vector)
        return "tile";
    const char *text = mark->fold    ? "vector tile fold"
                       : mark->lanes ? "vector tile lanes"
                                     : "vector tile";
    if (mark->split >= 0)
        text = arena_printf(a, "%s split %d", text, mark->split);
    for (int k = 0; k < mark->num_order; k++)
        text = arena_printf(a, "%s%s %d", text, k ? "" : " order", mark->order[k]);
    return text;
}

/* A number below MAX_REDUCE, and what follows it; false: there is none. */
static bool read_digit(const char **text, int *number) {
    if ((*text)[0] != ' ' || (*text)[1] < '0' || (*text)[1] >= '0' + MAX_REDUCE)
        return false;
    *number = (*text)[1] - '0';
    *text += 2;
    return true;
}

static bool accept(const char **text, const char *word) {
    size_t len = strlen(word);
    bool found = strncmp(*text, word, len) == 0;
    *text += found ? len : 0;
    return found;
}

/* false: it is none of a tile's. */
static bool read_mark(const char *text, struct poly_mark *mark) {
    bool ok = true;
    *mark = (struct poly_mark){.split = -1};
    if (strcmp(text, "tile") == 0)
        return true;
    mark->vector = accept(&text, "vector tile");
    mark->fold = accept(&text, " fold");
    mark->lanes = mark->fold || accept(&text, " lanes");
    if (accept(&text, " split"))
        ok = read_digit(&text, &mark->split);
    if (accept(&text, " order"))
        while (mark->num_order < MAX_REDUCE && read_digit(&text, &mark->order[mark->num_order]))
            mark->num_order++;
    return ok && mark->vector && *text == '\0';
}

bool leaf_is_tile(__isl_keep isl_schedule_node *node, struct poly_mark *mark) {
    struct poly_mark unused;
    if (isl_schedule_node_get_type(node) != isl_schedule_node_mark)
        return false;
    isl_id *id = isl_schedule_node_mark_get_id(node);
    bool is = read_mark(isl_id_get_name(id), mark ? mark : &unused);
    isl_id_free(id);
    return is;
}

/* Does the mark speak of the reduce that the statement has? What is split is its innermost
 * loop, and there are no other lanes then. */
static bool fits(const struct poly_mark *mark, const struct poly_stmt *s) {
    const struct expr *reduce = s->stmt ? expr_find(s->stmt->rhs, EXPR_REDUCE) : NULL;
    int n = reduce ? reduce->num_iters : 0;
    bool seen[MAX_REDUCE] = {false}, ok = mark->split < n;
    ok = ok && (mark->num_order == 0 || mark->num_order == n);
    for (int k = 0; k < mark->num_order && ok; k++) {
        ok = mark->order[k] < n && !seen[mark->order[k]];
        seen[ok ? mark->order[k] : 0] = true;
    }
    int inner = ok && mark->num_order ? mark->order[n - 1] : n - 1;
    return ok && (mark->split < 0 || (mark->split == inner && !mark->lanes));
}

/* ---- one leaf ---- */

static void drop_tile(struct make *x) {
    isl_multi_aff_free(x->first);
    isl_set_free(x->leaf.firsts);
    isl_map_free(x->leaf.block);
    isl_set_free(x->leaf.domain);
}

/* A leaf of one statement's instances; false: the mark means nothing, or there are none. */
static bool take_leaf(struct finder *f, __isl_keep isl_schedule_node *node,
                      __isl_take isl_set *instances) {
    struct make x = {.poly = f->poly, .node = node};
    bool tile = leaf_is_tile(node, &x.leaf.mark);
    take_instances(&x, instances);
    if (!x.leaf.stmt || isl_set_is_empty(x.leaf.domain) == isl_bool_true) {
        isl_set_free(x.leaf.domain);
        return false;
    }
    x.leaf.name = arena_printf(&f->poly->arena, "%s_%d", x.leaf.stmt->name, f->out->list.len);
    bool fit = fits(&x.leaf.mark, x.leaf.stmt);
    if (tile && (!fit || !make_tile(&x))) {
        drop_tile(&x);
        diag_remark(
            f->poly->diag, REMARK_MISSED, poly_loc(x.leaf.stmt),
            fit ? "%s: a mark \"tile\" that is not above boxes of one size means nothing"
                : "%s: a mark \"tile\" that speaks of another reduction means nothing",
            x.leaf.stmt->name);
        return false;
    }
    if (!tile) {
        x.first = grid_map(&x);
        x.leaf.vec = x.leaf.fold = -1;
    }
    add_leaf(f, &x);
    return true;
}

/* Several statements may share a leaf, when their order does not matter, but no tile. */
static isl_bool visit(__isl_keep isl_schedule_node *node, void *user) {
    struct finder *f = user;
    bool tile = leaf_is_tile(node, NULL), deeper = tile;
    if (!tile && isl_schedule_node_get_type(node) != isl_schedule_node_leaf)
        return isl_bool_true;
    isl_union_set *domain = isl_schedule_node_get_domain(node);
    isl_set_list *sets = isl_union_set_get_set_list(domain);
    isl_size n = isl_set_list_n_set(sets);
    for (int k = 0; k < n && (n == 1 || !tile); k++)
        deeper = !take_leaf(f, node, isl_set_list_get_at(sets, k)) && tile;
    isl_set_list_free(sets);
    isl_union_set_free(domain);
    return deeper ? isl_bool_true : isl_bool_false;
}

struct finding {
    struct finder finder;
    isl_schedule *schedule;
};

static void find_all(void *user) {
    struct finding *f = user;
    isl_schedule_foreach_schedule_node_top_down(f->schedule, visit, &f->finder);
}

bool leaf_find(struct poly *p, __isl_keep isl_schedule *schedule, struct poly_leaves *out) {
    struct finding f = {{p, out}, schedule};
    return poly_try(p, (struct loc){0}, "the leaves of a nest", find_all, &f);
}

__isl_give isl_schedule *leaf_pull_back(const struct poly *p, __isl_take isl_schedule *schedule,
                                        const struct poly_leaves *leaves) {
    isl_union_pw_multi_aff *all =
        isl_union_pw_multi_aff_empty(isl_space_params(poly_space(p, 0)));
    for (int k = 0; k < leaves->list.len; k++) {
        isl_pw_multi_aff *first = isl_pw_multi_aff_copy(leaves->list.data[k].first);
        all = isl_union_pw_multi_aff_add_pw_multi_aff(all, first);
    }
    return isl_schedule_pullback_union_pw_multi_aff(schedule, all);
}

void leaf_free(struct poly_leaves *leaves) {
    for (int k = 0; k < leaves->list.len; k++) {
        struct poly_leaf *leaf = &leaves->list.data[k];
        isl_set_free(leaf->domain);
        isl_set_free(leaf->firsts);
        isl_map_free(leaf->block);
        isl_pw_multi_aff_free(leaf->first);
    }
    leaves->list.len = 0;
}
