/* The certificate: what a schedule must keep, proven on the map statement instance -> time that
 * is read off the tree, whoever made the tree.
 *
 * Each instance of the region has exactly one time, nothing else has one, and for every
 * dependence the time of the first is before that of the second. As poly_depend has shown that
 * every read has its write before it in the text, it has it in the new order; as domains are
 * unchanged, so are bounds. Layouts that fold are judged in the new order (reuse.c). */
#include "polyhedral/poly.h"

struct certificate {
    struct poly *poly;
    int region;
    isl_map **time;       // [stmts]: of struct poly_times
    bool tiles;           // tiles are one time
    const char *stranger; // a tuple that is no statement of the region
};

/* The t of the repeats around s come before the coordinates of its schedule. */
static __isl_give isl_map *after_repeats(const struct poly_stmt *s, __isl_take isl_map *time) {
    if (s->num_repeats == 0)
        return time;
    isl_map *all = isl_map_identity(isl_space_map_from_set(isl_set_get_space(s->domain)));
    all = isl_map_reset_tuple_id(all, isl_dim_out);
    unsigned own = (unsigned)(s->num_dims - s->num_repeats);
    all = isl_map_project_out(all, isl_dim_out, (unsigned)s->num_repeats, own);
    return isl_map_flat_range_product(all, time);
}

static isl_stat take_time(__isl_take isl_map *map, void *user) {
    struct certificate *c = user;
    const char *name = isl_map_get_tuple_name(map, isl_dim_in);
    const struct poly_stmt *s = name ? schedule_find(c->poly, c->region, name) : NULL;
    if (s && isl_map_dim(map, isl_dim_in) == s->num_dims) {
        isl_map_free(c->time[s->number]);
        c->time[s->number] = after_repeats(s, map);
        return isl_stat_ok;
    }
    c->stranger = arena_strdup(&c->poly->arena, name ? name : "a tuple without a name");
    isl_map_free(map);
    return isl_stat_ok;
}

/* Removes what is below a mark "tile". */
static __isl_give isl_schedule_node *cut_tile(__isl_take isl_schedule_node *node, void *user) {
    (void)user;
    if (!leaf_is_tile(node, NULL))
        return node;
    return isl_schedule_node_parent(isl_schedule_node_cut(isl_schedule_node_child(node, 0)));
}

static void read_times(void *user) {
    struct certificate *c = user;
    isl_schedule *schedule = isl_schedule_copy(c->poly->schedules.data[c->region]);
    if (c->tiles)
        schedule = isl_schedule_map_schedule_node_bottom_up(schedule, cut_tile, NULL);
    isl_union_map *times = isl_schedule_get_map(schedule);
    times = isl_union_map_intersect_domain(times, isl_schedule_get_domain(schedule));
    isl_schedule_free(schedule);
    isl_union_map_foreach_map(times, take_time, c);
    isl_union_map_free(times);
}

/* ---- each instance once ---- */

struct instances {
    const struct poly_stmt *s;
    isl_map *time;
    isl_bool once, all, only;
};

static void count(void *user) {
    struct instances *x = user;
    isl_set *domain = isl_map_domain(isl_map_copy(x->time));
    x->once = isl_map_is_single_valued(x->time);
    x->all = isl_set_is_subset(x->s->domain, domain);
    x->only = isl_set_is_subset(domain, x->s->domain);
    isl_set_free(domain);
}

static void check_instances(struct certificate *c, const struct poly_stmt *s) {
    struct poly *p = c->poly;
    struct instances x = {.s = s, .time = c->time[s->number]};
    if (!x.time) {
        if (isl_set_is_empty(s->domain) != isl_bool_true)
            poly_error(p, s, "%s: the schedule leaves it out", poly_called(s));
        return;
    }
    if (!poly_try(p, poly_loc(s), "that a schedule is whole", count, &x))
        poly_error(p, s, "%s: not proven that the schedule runs each instance once",
                   poly_called(s));
    else if (x.once != isl_bool_true)
        poly_error(p, s, "%s: the schedule runs an instance twice", poly_called(s));
    else if (x.all != isl_bool_true)
        poly_error(p, s, "%s: the schedule leaves some instances out", poly_called(s));
    else if (x.only != isl_bool_true)
        poly_error(p, s, "%s: the schedule runs instances that do not exist", poly_called(s));
}

/* ---- order ---- */

struct order {
    const struct poly_edge *e;
    isl_map *from, *to; // times
    isl_bool kept;
    isl_point *example; // instance of from, instance of to
};

static void check_order(void *user) {
    struct order *o = user;
    isl_map *late = isl_map_lex_ge_map(isl_map_copy(o->from), isl_map_copy(o->to));
    late = isl_map_intersect(isl_map_copy(o->e->map), late);
    o->kept = isl_map_is_empty(late);
    if (o->kept == isl_bool_false)
        o->example = poly_least_point(isl_map_wrap(isl_map_copy(late)));
    isl_map_free(late);
}

/* ` (S0 at 0,1; S1 at 0,2)`. */
static const char *instances_text(struct poly *p, const struct order *o) {
    struct str text = {0};
    const struct poly_stmt *const both[] = {o->e->from, o->e->to};
    int k = 0;
    for (int side = 0; side < 2; side++) {
        str_addf(&text, "%s%s at", side ? "; " : " (", poly_called(both[side]));
        for (int d = 0; d < both[side]->num_dims; d++)
            str_addf(&text, "%s%s=%lld", d ? ", " : " ", both[side]->dims[d],
                     (long long)poly_coordinate(o->example, isl_dim_set, k++));
    }
    str_add(&text, ")");
    const char *result = arena_strdup(&p->arena, str_cstr(&text));
    str_free(&text);
    return result;
}

/* Do all instances of one run before all of the other, by the first coordinate alone? */
static bool is_apart(__isl_keep isl_map *from, __isl_keep isl_map *to) {
    isl_val *a = isl_map_plain_get_val_if_fixed(from, isl_dim_out, 0);
    isl_val *b = isl_map_plain_get_val_if_fixed(to, isl_dim_out, 0);
    bool apart = isl_val_is_int(a) == isl_bool_true && isl_val_is_int(b) == isl_bool_true &&
                 isl_val_lt(a, b) == isl_bool_true;
    isl_val_free(a);
    isl_val_free(b);
    return apart;
}

static void check_edge(struct certificate *c, const struct poly_edge *e) {
    static const char *const words[] = {[POLY_FLOW] = "it reads what that writes of",
                                        [POLY_ANTI] = "it overwrites what that reads of",
                                        [POLY_OUTPUT] = "both write"};
    struct poly *p = c->poly;
    struct order o = {.e = e, .from = c->time[e->from->number], .to = c->time[e->to->number]};
    const char *array = p->loops->arrays.data[e->root].name;
    if (!o.from || !o.to || is_apart(o.from, o.to))
        return;
    if (!poly_try(p, poly_loc(e->to), "the order of a dependence", check_order, &o))
        poly_error(p, e->to, "%s: not proven to run after %s (%s %s)", poly_called(e->to),
                   poly_called(e->from), words[e->kind], array);
    else if (o.kept != isl_bool_true)
        poly_error(p, e->to, "%s: does not run after %s, though %s %s%s", poly_called(e->to),
                   poly_called(e->from), words[e->kind], array, instances_text(p, &o));
    isl_point_free(o.example);
}

/* ---- regions ---- */

static void certify_region(struct poly *p, int region, struct poly_times *times) {
    struct certificate c = {.poly = p, .region = region, .time = times->of};
    struct loc nowhere = {0};
    if (!p->schedules.data[region] || !poly_try(p, nowhere, "a schedule", read_times, &c)) {
        diag_error(p->diag, nowhere, "region %d has no schedule that can be read", region);
        p->ok = false;
    }
    if (c.stranger) {
        diag_error(p->diag, nowhere, "region %d has no statement %s of this rank", region,
                   c.stranger);
        p->ok = false;
    }
    for (int k = 0; k < p->stmts.len && p->ok; k++)
        if (p->stmts.data[k]->region == region)
            check_instances(&c, p->stmts.data[k]);
    for (int k = 0; k < p->edges.len; k++)
        if (p->edges.data[k].from->region == region && p->edges.data[k].to->region == region)
            check_edge(&c, &p->edges.data[k]);
}

/* Against storage, if some of it is smaller than what it holds over time. */
static void certify_storage(struct poly *p, struct poly_times *times) {
    bool layouts = false, done = true;
    for (int k = 0; k < p->loops->arrays.len; k++) {
        const struct array *a = &p->loops->arrays.data[k];
        layouts |= reuse_folds(p->loops, a);
    }
    for (int r = 0; r < p->num_regions && layouts && done; r++) {
        struct certificate c = {.poly = p, .region = r, .time = times->tiles, .tiles = true};
        done = poly_try(p, (struct loc){0}, "the tiles of a schedule", read_times, &c);
    }
    if (done && layouts)
        reuse_layout(p, times);
    else if (layouts) {
        diag_error(p->diag, (struct loc){0}, "not proven that layouts have room");
        p->ok = false;
    }
}

bool poly_certify(struct poly *p) {
    struct poly_times times = {arena_array(&p->arena, isl_map *, p->stmts.len),
                               arena_array(&p->arena, isl_map *, p->stmts.len)};
    p->ok = true;
    for (int r = 0; r < p->num_regions; r++)
        certify_region(p, r, &times);
    if (p->ok)
        certify_storage(p, &times);
    for (int k = 0; k < p->stmts.len; k++) {
        isl_map_free(times.of[k]);
        isl_map_free(times.tiles[k]);
    }
    return p->ok;
}
