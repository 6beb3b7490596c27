/* Tiles: what stands below a mark "tile" of a schedule tree.
 *
 * The instances below the mark that share their time above it are a tile. When every tile is a
 * box of one size, in the order of the statement's dimensions, the ast needs a loop over the
 * first instances only, and a tile statement in it. That is proven here, whoever made the tree;
 * the certificate has seen all the instances. */
#include "polyhedral/poly.h"

#include <isl/schedule_node.h>

struct marks {
    struct poly *poly;
    struct poly_tiles *out;
};

/* One mark, while it is looked at. */
struct look {
    struct marks *marks;
    isl_schedule_node *node;
    struct poly_tile tile;
    isl_bool box;
};

/* ---- one mark ---- */

/* The only statement below the mark, with its instances. */
static const struct poly_stmt *only_statement(struct look *x, isl_set **instances) {
    isl_union_set *domain = isl_schedule_node_get_domain(x->node);
    const struct poly_stmt *found = NULL;
    *instances = NULL;
    if (isl_union_set_n_set(domain) == 1) {
        *instances = isl_set_from_union_set(domain);
        const char *name = isl_set_get_tuple_name(*instances);
        struct poly *p = x->marks->poly;
        for (int k = 0; k < p->stmts.len && name; k++)
            if (p->stmts.data[k]->region >= 0 && strcmp(p->stmts.data[k]->name, name) == 0)
                found = p->stmts.data[k];
    } else {
        isl_union_set_free(domain);
    }
    return found;
}

/* Instance -> instances with the same time above the mark. */
static __isl_give isl_map *together(struct look *x, __isl_keep isl_set *instances) {
    isl_union_map *prefix = isl_schedule_node_get_prefix_schedule_union_map(x->node);
    prefix =
        isl_union_map_intersect_domain(prefix, isl_union_set_from_set(isl_set_copy(instances)));
    isl_map *time = isl_map_from_union_map(prefix);
    const struct poly_stmt *s = x->tile.stmt;
    isl_map *back = isl_map_reverse(isl_map_copy(time));
    isl_map *same = isl_map_apply_range(time, back);
    for (int d = 0; d < s->num_repeats; d++)
        same = isl_map_equate(same, isl_dim_in, d, isl_dim_out, d);
    return same;
}

/* Size along each dimension, when all tiles have the same. */
static bool find_size(struct look *x, __isl_keep isl_set *deltas) {
    isl_size n = isl_set_dim(deltas, isl_dim_set);
    bool ok = n >= 0;
    if (!ok) // the quota was hit
        return false;
    x->tile.size = arena_array(&x->marks->poly->arena, int64_t, n);
    for (int d = 0; d < n && ok; d++) {
        int64_t first, last;
        ok = poly_extreme(deltas, d, false, &first) && first == 0 &&
             poly_extreme(deltas, d, true, &last);
        x->tile.size[d] = ok ? last + 1 : 1;
    }
    return ok;
}

/* First instances -> all instances of a box of that size. */
static __isl_give isl_map *boxes(struct look *x, __isl_take isl_set *firsts) {
    isl_set *delta = isl_set_universe(isl_set_get_space(firsts));
    isl_size n = isl_set_dim(delta, isl_dim_set);
    for (int d = 0; d < n; d++) {
        delta = isl_set_lower_bound_si(delta, isl_dim_set, (unsigned)d, 0);
        delta =
            isl_set_upper_bound_si(delta, isl_dim_set, (unsigned)d, (int)x->tile.size[d] - 1);
    }
    isl_map *reach = isl_set_translation(delta);
    return isl_map_intersect_domain(reach, firsts);
}

static void look_at(void *user) {
    struct look *x = user;
    isl_set *instances;
    x->tile.stmt = only_statement(x, &instances);
    if (!x->tile.stmt) {
        isl_set_free(instances);
        return;
    }
    isl_map *same = together(x, instances);
    isl_map *first = isl_map_lexmin(same); // instance -> the first of its tile
    x->tile.block = isl_map_reverse(first);
    isl_set *deltas = isl_map_deltas(isl_map_copy(x->tile.block));
    bool sized = find_size(x, deltas);
    isl_set_free(deltas);
    if (sized) {
        isl_map *all = boxes(x, isl_map_domain(isl_map_copy(x->tile.block)));
        x->box = isl_map_is_subset(all, x->tile.block);
        isl_map_free(all);
    }
    isl_set_free(instances);
}

/* The dimension that the last member of the band below walks along: the vector. */
static int last_dimension(struct look *x) {
    isl_schedule_node *band = isl_schedule_node_get_child(x->node, 0);
    int found = -1;
    if (isl_schedule_node_get_type(band) == isl_schedule_node_band) {
        isl_size n = isl_schedule_node_band_n_member(band);
        isl_multi_union_pw_aff *all = isl_schedule_node_band_get_partial_schedule(band);
        isl_union_pw_aff *last = isl_multi_union_pw_aff_get_at(all, n - 1);
        isl_map *map = isl_map_from_union_map(isl_union_map_from_union_pw_aff(last));
        for (int d = 0; d < x->tile.stmt->num_dims; d++) {
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

static bool is_tile(__isl_keep isl_schedule_node *node) {
    if (isl_schedule_node_get_type(node) != isl_schedule_node_mark)
        return false;
    isl_id *id = isl_schedule_node_mark_get_id(node);
    bool is = strcmp(isl_id_get_name(id), "tile") == 0;
    isl_id_free(id);
    return is;
}

static isl_bool visit(__isl_keep isl_schedule_node *node, void *user) {
    struct marks *m = user;
    if (!is_tile(node))
        return isl_bool_true;
    struct look x = {.marks = m, .node = node, .box = isl_bool_false};
    look_at(&x);
    if (x.box == isl_bool_true) {
        x.tile.vec = last_dimension(&x);
        vec_push(&m->poly->arena, &m->out->list, x.tile);
        return isl_bool_false;
    }
    isl_map_free(x.tile.block);
    struct loc loc = x.tile.stmt ? poly_loc(x.tile.stmt) : (struct loc){0};
    diag_remark(m->poly->diag, REMARK_MISSED, loc,
                "a mark \"tile\" that is not above boxes of one statement means nothing");
    return isl_bool_false;
}

/* ---- all ---- */

struct finding {
    struct marks marks;
    isl_schedule *schedule;
};

static void find_all(void *user) {
    struct finding *f = user;
    isl_schedule_foreach_schedule_node_top_down(f->schedule, visit, &f->marks);
}

void tile_find(struct poly *p, __isl_keep isl_schedule *schedule, struct poly_tiles *out) {
    struct finding f = {{p, out}, schedule};
    if (poly_try(p, (struct loc){0}, "the tiles of a nest", find_all, &f))
        return;
    for (int k = 0; k < out->list.len; k++)
        isl_map_free(out->list.data[k].block);
    out->list.len = 0;
}

__isl_give isl_union_set *tile_firsts(__isl_keep isl_schedule *schedule,
                                      const struct poly_tiles *tiles) {
    isl_union_set *domain = isl_schedule_get_domain(schedule);
    for (int k = 0; k < tiles->list.len; k++) {
        isl_map *b = tiles->list.data[k].block;
        isl_set *firsts = isl_map_domain(isl_map_copy(b));
        isl_set *others = isl_map_range(isl_map_copy(b));
        others = isl_set_subtract(others, firsts);
        domain = isl_union_set_subtract(domain, isl_union_set_from_set(others));
    }
    return domain;
}
