/* An instance in isl's ast -> its value and store, or a tile statement.
 *
 * What is built is for the instances of the leaf: guards that hold for all of them are gone,
 * ranges of reductions are what is left of them. Those ranges come from a small build of their
 * own, in which the statement's iterators are parameters. A tile whose instances have different
 * ranges becomes loops. */
#include "polyhedral/astgen.h"

/* ---- guards ---- */

/* A statement's right-hand side for the instances of a leaf. */
struct settling {
    struct astgen *gen;
    const struct expr *rhs, *reduce;
    isl_set *range;
};

static const struct expr *replace_reduce(void *user, const struct expr *e) {
    return e->kind == EXPR_REDUCE ? ((struct settling *)user)->reduce : e;
}

static void settle(void *user) {
    struct settling *x = user;
    struct astgen *g = x->gen;
    const struct poly_stmt *s = g->leaf->stmt;
    struct arena *arena = &g->plain.scratch;
    struct affine a = {g->poly, s->dims, s->num_dims, s->num_dims, NULL};
    isl_set *points = isl_set_reset_tuple_id(isl_set_copy(g->leaf->domain));
    x->rhs = shrink_guards(&a, arena, points, x->rhs);
    isl_set_free(points);
    const struct expr *reduce = plain_reduce(&g->plain, x->rhs);
    x->range = reduce ? reduce_range(g->poly, s, g->leaf->domain, reduce) : NULL;
    if (!x->range)
        return;
    a.num_names = a.first_value = s->num_dims + reduce->num_iters;
    const struct expr *body = shrink_guards(&a, arena, x->range, reduce->arg[0]);
    x->reduce =
        expr_reduce(arena, reduce->func, reduce->dtype, reduce->iters, reduce->num_iters, body);
    x->rhs = expr_map(arena, x->rhs, replace_reduce, x);
}

/* rhs without the tests that need not be made at the leaf. */
static const struct expr *settled(struct astgen *g, const struct expr *rhs) {
    struct settling x = {.gen = g, .rhs = rhs};
    bool done = !expr_find(rhs, EXPR_GUARD) ||
                poly_try(g->poly, g->plain.loc, "which guards hold", settle, &x);
    isl_set_free(x.range);
    return done ? x.rhs : rhs;
}

/* ---- reductions ---- */

struct small {
    struct astgen *gen;
    struct shrink_request request;
    isl_set *range; // shrink_range's; of a tile: what it is for all its instances
    isl_ast_node *node;
    bool uniform;            // the instances of each tile have one range
    const struct expr *kept; // of a tile whose instances have different ones: the body with the
                             // guards that tell them apart
};

/* The parameter of a small build that stands for the statement's iterator k. */
static const char *parameter(struct astgen *g, int k) {
    return arena_printf(&g->plain.scratch, "outer_%d", k);
}

static __isl_give isl_set *to_parameters(struct astgen *g, __isl_take isl_set *set) {
    unsigned n = (unsigned)g->leaf->stmt->num_dims,
             symbols = (unsigned)g->poly->loops->symbols.len;
    for (unsigned k = 0; k < n; k++)
        set = isl_set_set_dim_name(set, isl_dim_set, k, parameter(g, (int)k));
    return isl_set_move_dims(set, isl_dim_param, symbols, isl_dim_set, 0, n);
}

/* Both without the parameters that the range does not depend on: isl's work grows with each. */
static void drop_unused(struct astgen *g, isl_set **range, isl_set **context) {
    isl_set *known = isl_set_params(isl_set_copy(*context));
    isl_set *rest = isl_set_gist_params(isl_set_copy(*range), known);
    for (int k = g->leaf->stmt->num_dims - 1; k >= 0; k--) {
        unsigned at = (unsigned)(g->poly->loops->symbols.len + k);
        if (isl_set_involves_dims(rest, isl_dim_param, at, 1) != isl_bool_false)
            continue;
        *range = isl_set_project_out(*range, isl_dim_param, at, 1);
        *context = isl_set_project_out(*context, isl_dim_param, at, 1);
    }
    isl_set_free(rest);
}

/* A convex set around: a range says what it is for each instance, so more of them do no harm,
 * and isl's loops stay in one piece. */
static __isl_give isl_set *convex(__isl_keep isl_set *set) {
    return isl_set_from_basic_set(isl_set_simple_hull(isl_set_copy(set)));
}

/* The body of the reduce with the guards that some point of `points` needs. */
static void keep_guards(struct small *x, __isl_keep isl_set *points) {
    struct astgen *g = x->gen;
    const struct poly_stmt *s = g->leaf->stmt;
    const struct expr *reduce = x->request.reduce;
    int n = s->num_dims + reduce->num_iters;
    struct affine a = {g->poly, s->dims, n, n, NULL};
    x->kept = shrink_guards(&a, &g->plain.scratch, points, reduce->arg[0]);
}

/* Takes the union of the ranges of each tile for the range of its first instance. */
static void unite(struct small *x) {
    const struct poly_leaf *leaf = x->gen->leaf;
    unsigned n = (unsigned)leaf->stmt->num_dims;
    isl_set *delta = isl_set_universe(isl_set_get_space(leaf->firsts));
    for (unsigned d = 0; d < n; d++) {
        delta = isl_set_lower_bound_si(delta, isl_dim_set, d, 0);
        isl_val *last = isl_val_int_from_si(x->gen->poly->ctx, leaf->size[d] - 1);
        delta = isl_set_upper_bound_val(delta, isl_dim_set, d, last);
    }
    isl_map *block = isl_set_translation(delta);
    block = isl_map_intersect_domain(block, convex(leaf->firsts));
    block = isl_map_reset_tuple_id(isl_map_reset_tuple_id(block, isl_dim_in), isl_dim_out);
    unsigned more = (unsigned)isl_set_dim(x->range, isl_dim_set) - n;
    isl_space *step = isl_space_set_from_params(isl_space_params(isl_map_get_space(block)));
    step = isl_space_add_dims(step, isl_dim_set, more);
    block = isl_map_flat_product(block, isl_map_identity(isl_space_map_from_set(step)));
    isl_set *all = isl_set_apply(isl_set_copy(x->range), isl_map_reverse(isl_map_copy(block)));
    isl_set *spread = isl_set_apply(isl_set_copy(all), isl_map_copy(block));
    x->uniform = isl_set_is_subset(spread, x->range) == isl_bool_true;
    if (!x->uniform && leaf->mark.vector) {
        isl_set *hull = convex(all);
        isl_set_free(all);
        isl_set_free(spread);
        all = hull;
        spread = isl_set_apply(isl_set_copy(all), isl_map_copy(block));
        keep_guards(x, spread);
    }
    isl_map_free(block);
    isl_set_free(spread);
    isl_set_free(x->range);
    x->range = all;
}

static void build_small(void *user) {
    struct small *x = user;
    struct astgen *g = x->gen;
    isl_set *visited = convex(g->leaf->domain);
    x->uniform = true;
    x->request.domain = visited;
    x->range = shrink_range(g->poly, g->leaf->stmt, &x->request);
    if (!x->range) {
        isl_set_free(visited);
        return;
    }
    if (g->leaf->size && x->request.tiled) {
        unite(x);
        isl_set_free(visited);
        visited = convex(g->leaf->firsts);
    }
    isl_set *domain = to_parameters(g, isl_set_copy(x->range));
    isl_set *context = to_parameters(g, isl_set_reset_tuple_id(visited));
    drop_unused(g, &domain, &context);
    domain = isl_set_set_tuple_name(domain, "step");
    isl_multi_aff *id = isl_multi_aff_identity_on_domain_space(isl_set_get_space(domain));
    id = isl_multi_aff_reset_tuple_id(id, isl_dim_out);
    isl_schedule *schedule = isl_schedule_from_domain(isl_union_set_from_set(domain));
    schedule = isl_schedule_insert_partial_schedule(schedule,
                                                    isl_multi_union_pw_aff_from_multi_aff(id));
    isl_ast_build *build = isl_ast_build_from_context(isl_set_params(context));
    x->node = isl_ast_build_node_from_schedule(build, schedule);
    isl_ast_build_free(build);
}

/* The loops of the reduce at hand, if its range is not just its extents; x->node is NULL then.
 * False when isl gave up. */
static bool find_range(struct astgen *g, const struct expr *reduce, bool tiled,
                       struct small *x) {
    struct plain *n = &g->plain;
    *x = (struct small){.gen = g};
    x->request = (struct shrink_request){.reduce = reduce,
                                         .bounds = n->bounds.data,
                                         .num_bounds = n->bounds.len,
                                         .strict = g->strict,
                                         .tiled = tiled,
                                         .arena = &n->scratch};
    if (!expr_find(reduce->arg[0], EXPR_GUARD) && n->bounds.len == 0) {
        x->uniform = true;
        return true;
    }
    bool done = poly_try(g->poly, n->loc, "the range of a reduction", build_small, x);
    isl_set_free(x->range);
    x->range = NULL;
    return done;
}

static void reduce_step(void *user, struct ast_list *list, const char *tuple,
                        const struct expr *const *args, int num_args) {
    struct astgen *g = user;
    const struct shrink_request *r = g->request;
    int locals = g->plain.iters.len;
    (void)tuple;
    for (int k = 0; k < num_args; k++)
        plain_push(&g->plain, r->reduce->iters[k].name, args[k]);
    plain_accumulate(&g->plain, list, r->reduce, g->acc, r->body);
    g->plain.iters.len = g->plain.vars.len = locals;
}

void instance_symbols(struct astgen *g, struct translate *t) {
    const struct loops *l = g->poly->loops;
    isl_space *space = poly_space(g->poly, 0);
    for (int k = 0; k < l->symbols.len; k++) {
        const struct expr *var =
            expr_var(g->plain.a->arena, DTYPE_INDEX, l->symbols.data[k].name);
        translate_bind(t, isl_space_get_dim_name(space, isl_dim_param, (unsigned)k), var);
    }
    isl_space_free(space);
}

/* For a small build: the statement's iterators, as they are in scope. */
static void bind_iterators(struct astgen *g, struct translate *t,
                           const struct expr *const *values) {
    const struct poly_stmt *s = g->leaf->stmt;
    instance_symbols(g, t);
    for (int k = 0; k < s->num_dims; k++) {
        const struct expr *var = expr_var(&g->plain.scratch, DTYPE_INDEX, s->dims[k]);
        translate_bind(t, parameter(g, k), values ? values[k] : plain_convert(&g->plain, var));
    }
}

bool instance_reduce(void *user, struct ast_list *list, const struct expr *reduce,
                     const struct expr *acc) {
    struct astgen *g = user;
    struct small x = {.gen = g};
    bool done = g->leaf && find_range(g, reduce, false, &x) && x.node;
    if (done) {
        struct translate t = {.plain = &g->plain, .instance = reduce_step, .user = g};
        bind_iterators(g, &t, NULL);
        g->plain.bounds.len = x.request.num_bounds;
        g->acc = acc;
        g->request = &x.request;
        translate_node(&t, list, x.node);
        g->poly->figures.shrunk++;
    }
    isl_ast_node_free(x.node);
    return done;
}

/* ---- tiles ---- */

/* A tile statement while it is built. */
struct tile_build {
    struct astgen *gen;
    const struct expr *const *args; // the first instance
    vec(struct tile_iter) iters;
};

/* Do instances that follow each other along d read neighbours, or what is near? */
static bool is_vector(const struct astgen *g, int d) {
    const struct poly_stmt *s = g->leaf->stmt;
    bool near = false, far = d != g->leaf->vec;
    for (int k = 0; k < s->accesses.len; k++) {
        const struct poly_access *a = &s->accesses.data[k];
        int64_t step;
        bool known = stride_of(g->poly, a, s->dims[d], &step);
        near |= !a->write && known && step > 0 && step <= LARGEST_STEP;
        far |= !a->write && (!known || step > LARGEST_STEP);
    }
    return near && !far;
}

static void add_tile_iter(struct tile_build *x, int d, int64_t size) {
    struct plain *n = &x->gen->plain;
    const struct poly_leaf *leaf = x->gen->leaf;
    bool vector = leaf->mark.vector ? leaf->mark.lanes && d == leaf->vec : is_vector(x->gen, d);
    enum tile_role role = vector ? TILE_VEC : TILE_ROW;
    struct tile_iter it = {plain_fresh_name(n, role == TILE_VEC ? 'v' : 'm'), role, size,
                           expr_index(n->a->arena, size)};
    const struct expr *var = expr_var(n->a->arena, DTYPE_INDEX, it.name);
    plain_push(n, "", var); // in scope for names only
    plain_push(n, leaf->stmt->dims[d], expr_2(n->a->arena, FUNC_ADD, x->args[d], var));
    vec_push(&n->scratch, &n->small, ((struct iter){it.name, it.count}));
    vec_push(n->a->arena, &x->iters, it);
}

/* Do lanes run through the dimension around theirs as well? Whoever says so, it is looked at
 * here. */
static bool is_folded(const struct astgen *g) {
    const struct poly_leaf *leaf = g->leaf;
    return leaf->fold >= 0 && leaf->vec >= 0 && leaf->fold != leaf->vec &&
           model_folds(g->poly, leaf->stmt, leaf->fold, leaf->vec, leaf->size[leaf->vec]);
}

/* Rows first, the vector last; what is no loop of the tile is as in its first instance. */
static void add_tile_iters(struct tile_build *x) {
    const struct poly_leaf *leaf = x->gen->leaf;
    int fold = is_folded(x->gen) ? leaf->fold : -1;
    for (int d = 0; d < leaf->stmt->num_dims; d++) {
        if (leaf->size[d] == 1 || d == fold)
            plain_push(&x->gen->plain, leaf->stmt->dims[d], x->args[d]);
        else if (d != leaf->vec)
            add_tile_iter(x, d, leaf->size[d]);
    }
    int64_t count = leaf->vec >= 0 ? leaf->size[leaf->vec] : 1;
    if (count > 1)
        add_tile_iter(x, leaf->vec, fold >= 0 ? count * leaf->size[fold] : count);
}

/* The reduce of a tile in terms of the ast; NULL when its range is none that a tile can have.
 */
static const struct expr *tile_reduce(struct tile_build *x, const struct expr *reduce) {
    struct astgen *g = x->gen;
    struct plain *n = &g->plain;
    struct arena *arena = n->a->arena;
    struct small small;
    struct iter *iters = arena_array(arena, struct iter, reduce->num_iters);
    const struct expr **steps =
        arena_array(&n->scratch, const struct expr *, reduce->num_iters);
    bool ok = find_range(g, reduce, true, &small) && (small.uniform || small.kept);
    ok = ok && (small.uniform || n->bounds.len == 0);
    for (int k = 0; k < reduce->num_iters; k++) {
        iters[k] = (struct iter){plain_fresh_name(n, 'k'), NULL};
        steps[k] = expr_var(arena, DTYPE_INDEX, iters[k].name);
        plain_push(n, "", steps[k]);
        iters[k].extent = plain_convert(n, reduce->iters[k].extent);
    }
    if (ok && small.node) {
        struct translate t = {.plain = n};
        bind_iterators(g, &t, x->args);
        ok = translate_box(&t, small.node, iters, reduce->num_iters, steps);
        g->poly->figures.shrunk += ok;
    }
    const struct expr *body = small.node ? small.request.body : reduce->arg[0];
    body = small.kept ? small.kept : body;
    n->bounds.len = small.node ? small.request.num_bounds : n->bounds.len;
    isl_ast_node_free(small.node);
    if (!ok)
        return NULL;
    const struct poly_mark *mark = &g->leaf->mark;
    struct iter *ordered = arena_array(arena, struct iter, reduce->num_iters);
    for (int k = 0; k < reduce->num_iters; k++) {
        int i = mark->num_order && !g->strict ? mark->order[k] : k;
        bool split = mark->vector && mark->split == i && !g->strict;
        struct tile_iter it = {iters[i].name, split ? TILE_SPLIT : TILE_RED,
                               loops_extent(n->l, reduce->iters[i].extent), iters[i].extent};
        ordered[k] = iters[i];
        vec_push(arena, &x->iters, it);
        plain_push(n, reduce->iters[i].name, steps[i]);
    }
    return expr_reduce(arena, reduce->func, reduce->dtype, ordered, reduce->num_iters,
                       plain_body(n, reduce, body));
}

static bool build_tile(struct astgen *g, struct ast_list *list, const struct stmt *s,
                       const struct expr *const *args) {
    struct plain *n = &g->plain;
    struct tile_build x = {.gen = g, .args = args};
    if (expr_has_check(s->rhs))
        return false;
    add_tile_iters(&x);
    const struct expr *reduce = plain_reduce(n, s->rhs), *sum = NULL, *rhs = s->rhs;
    const char *name = plain_fresh_name(n, 's');
    if (reduce) {
        sum = tile_reduce(&x, reduce);
        if (!sum)
            return false;
        struct settling r = {.reduce = expr_var(&n->scratch, reduce->dtype, name)};
        rhs = expr_map(&n->scratch, rhs, replace_reduce, &r);
    }
    const struct array *a = &n->l->arrays.data[s->array];
    const struct expr **index = arena_array(&n->scratch, const struct expr *, a->rank);
    for (int d = 0; d < a->rank; d++)
        index[d] = plain_convert(n, s->index[d]);
    const struct expr *value = plain_convert(n, rhs);
    struct ast_node *tile = ast_add(n->a, list, AST_TILE, n->loc);
    tile->buffer = n->buffer_of[s->array];
    tile->index = plain_address(n, s->array, index);
    tile->value = sum ? expr_subst(n->a->arena, value, &name, &sum, 1) : value;
    tile->tile = x.iters.data;
    tile->num_tile = x.iters.len;
    g->poly->figures.tiles++;
    return true;
}

/* The instances of a tile in loops. */
static void build_box(struct astgen *g, struct ast_list *list, const struct stmt *s,
                      const struct expr *const *args) {
    struct plain *n = &g->plain;
    const struct poly_leaf *leaf = g->leaf;
    for (int d = 0; d < leaf->stmt->num_dims; d++) {
        if (leaf->size[d] == 1) {
            plain_push(n, leaf->stmt->dims[d], args[d]);
            continue;
        }
        struct ast_node *loop = ast_add(n->a, list, AST_FOR, n->loc);
        loop->lo = args[d];
        loop->hi =
            expr_2(n->a->arena, FUNC_ADD, args[d], expr_index(n->a->arena, leaf->size[d]));
        loop->name = plain_fresh_name(n, 'c');
        plain_push(n, leaf->stmt->dims[d], expr_var(n->a->arena, DTYPE_INDEX, loop->name));
        list = &loop->body;
    }
    plain_store(n, list, s);
}

/* ---- instances ---- */

const struct poly_leaf *instance_leaf(const struct astgen *g, const char *tuple) {
    const struct poly_leaf *found = NULL;
    for (int k = 0; k < g->leaves.list.len && !found; k++)
        if (strcmp(g->leaves.list.data[k].name, tuple) == 0)
            found = &g->leaves.list.data[k];
    if (!found)
        bug("isl's ast has the unknown instance %s", tuple);
    return found;
}

/* base + size * value. */
static const struct expr *first_instance(struct arena *a, const struct poly_leaf *leaf, int d,
                                         const struct expr *value) {
    if (!leaf->size)
        return value;
    value = expr_2(a, FUNC_MUL, value, expr_index(a, leaf->size[d]));
    return expr_2(a, FUNC_ADD, value, expr_index(a, leaf->base[d]));
}

void instance_build(void *user, struct ast_list *list, const char *tuple,
                    const struct expr *const *values, int num) {
    struct astgen *g = user;
    struct plain *n = &g->plain;
    int locals = n->iters.len;
    g->leaf = instance_leaf(g, tuple);
    struct stmt s = *g->leaf->stmt->stmt;
    n->loc = s.loc;
    s.rhs = settled(g, s.rhs);
    const struct expr **args = arena_array(&n->scratch, const struct expr *, num);
    for (int k = 0; k < num; k++)
        args[k] = first_instance(n->a->arena, g->leaf, k, values[k]);
    if (!g->leaf->size) {
        for (int k = 0; k < num; k++)
            plain_push(n, g->leaf->stmt->dims[k], args[k]);
        plain_store(n, list, &s);
    } else if (!build_tile(g, list, &s, args)) {
        n->iters.len = n->vars.len = locals;
        n->small.len = 0;
        build_box(g, list, &s, args);
    }
    n->iters.len = n->vars.len = locals;
    n->small.len = 0;
    g->leaf = NULL;
}
