/* loops and schedule -> ast.
 *
 * isl's AST builder makes the loops of each region from its schedule tree; every instance in
 * them becomes the statement's value and store, as ir/plain.c makes them, for the instances
 * that are there: guards that hold for all of them are gone, ranges of reductions are what is
 * left of them. Those ranges come from a second, small build in which the statement's iterators
 * are parameters. Below a mark "tile" isl sees the first instances only, each of which becomes
 * a tile statement (or loops, where the ranges of its instances differ). seq, if, while, call
 * and require are taken as they stand; the t of those around a region are parameters of it. */
#include "polyhedral/poly.h"

#include <isl/ast_build.h>
#include <isl/schedule_node.h>

struct astgen {
    struct poly *poly;
    struct plain plain;
    struct translate outer; // of the region's ast
    int region;
    bool strict;
    isl_set *context;             // of the region: symbols, the t of the repeats around it
    struct poly_leaves leaves;    // of the nest
    const struct poly_leaf *leaf; // at hand
    const struct expr *acc;       // of its reduce
    const struct shrink_request *request;
};

/* ---- guards ---- */

static bool has_guard(const struct expr *e) {
    bool found = e->kind == EXPR_GUARD;
    for (int k = 0; k < e->n && !found; k++)
        found = has_guard(e->arg[k]);
    return found;
}

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
    bool done =
        !has_guard(rhs) || poly_try(g->poly, g->plain.loc, "which guards hold", settle, &x);
    isl_set_free(x.range);
    return done ? x.rhs : rhs;
}

/* ---- reductions ---- */

struct small {
    struct astgen *gen;
    struct shrink_request request;
    isl_set *range; // shrink_range's; of a tile: what it is for all its instances
    isl_ast_node *node;
    bool uniform; // the instances of each tile have one range
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

/* Takes the union of the ranges of each tile for the range of its first instance. */
static void unite(struct small *x) {
    const struct poly_leaf *leaf = x->gen->leaf;
    unsigned n = (unsigned)leaf->stmt->num_dims;
    isl_set *delta = isl_set_universe(isl_set_get_space(leaf->firsts));
    for (unsigned d = 0; d < n; d++) {
        delta = isl_set_lower_bound_si(delta, isl_dim_set, d, 0);
        delta = isl_set_upper_bound_si(delta, isl_dim_set, d, (int)leaf->size[d] - 1);
    }
    isl_map *block = isl_set_translation(delta);
    block = isl_map_intersect_domain(block, convex(leaf->firsts));
    block = isl_map_reset_tuple_id(isl_map_reset_tuple_id(block, isl_dim_in), isl_dim_out);
    unsigned more = (unsigned)isl_set_dim(x->range, isl_dim_set) - n;
    isl_space *step = isl_space_set_from_params(isl_space_params(isl_map_get_space(block)));
    step = isl_space_add_dims(step, isl_dim_set, more);
    block = isl_map_flat_product(block, isl_map_identity(isl_space_map_from_set(step)));
    isl_set *all = isl_set_apply(isl_set_copy(x->range), isl_map_reverse(isl_map_copy(block)));
    isl_set *spread = isl_set_apply(isl_set_copy(all), block);
    x->uniform = isl_set_is_subset(spread, x->range) == isl_bool_true;
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
    if (!has_guard(reduce->arg[0]) && n->bounds.len == 0) {
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

static void bind_symbols(struct astgen *g, struct translate *t) {
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
    bind_symbols(g, t);
    for (int k = 0; k < s->num_dims; k++) {
        const struct expr *var = expr_var(&g->plain.scratch, DTYPE_INDEX, s->dims[k]);
        translate_bind(t, parameter(g, k), values ? values[k] : plain_convert(&g->plain, var));
    }
}

/* plain.reduce: loops over the shrunk range. */
static bool build_reduce(void *user, struct ast_list *list, const struct expr *reduce,
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
    const struct stmt *stmt;
    const struct expr *const *args; // the first instance
    vec(struct tile_iter) iters;
};

/* Do instances that follow each other along d write neighbours? */
static bool is_vector(const struct astgen *g, int d) {
    const struct poly_stmt *s = g->leaf->stmt;
    int64_t step;
    return d == g->leaf->vec &&
           stride_of(g->poly, &s->accesses.data[s->accesses.len - 1], s->dims[d], &step) &&
           step == 1;
}

static void add_tile_iter(struct tile_build *x, int d) {
    struct plain *n = &x->gen->plain;
    const struct poly_leaf *leaf = x->gen->leaf;
    enum tile_role role = is_vector(x->gen, d) ? TILE_VEC : TILE_ROW;
    int64_t size = leaf->size[d];
    struct tile_iter it = {plain_fresh_name(n, role == TILE_VEC ? 'v' : 'm'), role, size,
                           expr_index(n->a->arena, size)};
    const struct expr *var = expr_var(n->a->arena, DTYPE_INDEX, it.name);
    plain_push(n, "", var); // in scope for names only
    plain_push(n, leaf->stmt->dims[d], expr_2(n->a->arena, FUNC_ADD, x->args[d], var));
    vec_push(&n->scratch, &n->small, ((struct iter){it.name, it.count}));
    vec_push(n->a->arena, &x->iters, it);
}

/* Rows first, the vector last; what is no loop of the tile is as in its first instance. */
static void add_tile_iters(struct tile_build *x) {
    const struct poly_leaf *leaf = x->gen->leaf;
    for (int d = 0; d < leaf->stmt->num_dims; d++) {
        if (leaf->size[d] == 1)
            plain_push(&x->gen->plain, leaf->stmt->dims[d], x->args[d]);
        else if (d != leaf->vec)
            add_tile_iter(x, d);
    }
    if (leaf->vec >= 0 && leaf->size[leaf->vec] > 1)
        add_tile_iter(x, leaf->vec);
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
    bool ok = find_range(g, reduce, true, &small) && small.uniform;
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
    n->bounds.len = small.node ? small.request.num_bounds : n->bounds.len;
    isl_ast_node_free(small.node);
    if (!ok)
        return NULL;
    for (int k = 0; k < reduce->num_iters; k++) {
        struct tile_iter it = {iters[k].name, TILE_RED,
                               loops_extent(n->l, reduce->iters[k].extent), iters[k].extent};
        vec_push(arena, &x->iters, it);
        plain_push(n, reduce->iters[k].name, steps[k]);
    }
    return expr_reduce(arena, reduce->func, reduce->dtype, iters, reduce->num_iters,
                       plain_body(n, reduce, body));
}

static bool build_tile(struct astgen *g, struct ast_list *list, const struct stmt *s,
                       const struct expr *const *args) {
    struct plain *n = &g->plain;
    struct tile_build x = {.gen = g, .stmt = s, .args = args};
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

/* The parameter that stands for the t of repeat k around the region. */
static const char *repeat_parameter(struct astgen *g, int k) {
    return arena_printf(&g->plain.scratch, "repeat_%d", k);
}

static const struct poly_leaf *find_leaf(const struct astgen *g, const char *tuple) {
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

/* An instance, or a tile, of a statement of the region. */
static void build_instance(void *user, struct ast_list *list, const char *tuple,
                           const struct expr *const *values, int num) {
    struct astgen *g = user;
    struct plain *n = &g->plain;
    int locals = n->iters.len;
    g->leaf = find_leaf(g, tuple);
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

/* ---- regions ---- */

/* The statements in an isl ast, in order of their first instance. */
struct found {
    struct astgen *gen;
    vec(const struct poly_stmt *) stmts;
};

static isl_bool find_instance(__isl_keep isl_ast_node *node, void *user) {
    struct found *f = user;
    if (isl_ast_node_get_type(node) != isl_ast_node_user)
        return isl_bool_true;
    isl_ast_expr *call = isl_ast_node_user_get_expr(node);
    isl_ast_expr *tuple = isl_ast_expr_op_get_arg(call, 0);
    isl_id *id = isl_ast_expr_id_get_id(tuple);
    const struct poly_stmt *s = find_leaf(f->gen, isl_id_get_name(id))->stmt;
    bool known = false;
    for (int k = 0; k < f->stmts.len; k++)
        known |= f->stmts.data[k] == s;
    if (!known)
        vec_push(&f->gen->plain.scratch, &f->stmts, s);
    isl_id_free(id);
    isl_ast_expr_free(tuple);
    isl_ast_expr_free(call);
    return isl_bool_true;
}

/* One nest: of one statement called by its text, of several by their names. */
static void build_nest(struct astgen *g, struct ast_list *to, __isl_keep isl_ast_node *node) {
    struct found f = {.gen = g};
    isl_ast_node_foreach_descendant_top_down(node, find_instance, &f);
    if (f.stmts.len == 0)
        return;
    struct ast_node *nest = plain_nest(&g->plain, to, f.stmts.data[0]->stmt);
    struct str name = {0};
    for (int k = 0; k < f.stmts.len; k++)
        str_addf(&name, "%s%s", k ? ", " : "", poly_called(f.stmts.data[k]));
    if (f.stmts.len > 1)
        nest->name = intern(g->plain.a->names, str_cstr(&name));
    str_free(&name);
    g->plain.loc = nest->loc;
    translate_node(&g->outer, &nest->body, node);
}

struct nest_build {
    struct astgen *gen;
    isl_schedule *schedule, *first, *rest; // what it is split into, if it is a sequence
    isl_ast_node *node;
};

/* Half of the children of a sequence: their instances. */
static __isl_give isl_union_set *half(__isl_keep isl_schedule_node *sequence, int from,
                                      int to) {
    isl_union_set *all = NULL;
    for (int k = from; k < to; k++) {
        isl_schedule_node *child = isl_schedule_node_get_child(sequence, k);
        isl_union_set *filter = isl_schedule_node_filter_get_filter(child);
        all = all ? isl_union_set_union(all, filter) : filter;
        isl_schedule_node_free(child);
    }
    return all;
}

static bool is_empty(__isl_keep isl_schedule *schedule) {
    isl_union_set *domain = isl_schedule_get_domain(schedule);
    bool empty = isl_union_set_is_empty(domain) == isl_bool_true;
    isl_union_set_free(domain);
    return empty;
}

/* Do children k - 1 and k run instances of one statement? */
static bool is_torn(__isl_keep isl_schedule_node *sequence, int k) {
    isl_union_set *left = half(sequence, k - 1, k), *right = half(sequence, k, k + 1);
    left = isl_union_set_universe(left);
    bool apart = isl_union_set_is_disjoint(left, right) == isl_bool_true;
    isl_union_set_free(left);
    isl_union_set_free(right);
    return !apart;
}

/* The place nearest the middle of a sequence of n where no statement is torn; 0: there is none.
 */
static int find_cut(__isl_keep isl_schedule_node *sequence, int n) {
    for (int d = 0; d < n; d++) {
        int k = d % 2 ? n / 2 - (d + 1) / 2 : n / 2 + d / 2;
        if (k > 0 && k < n && !is_torn(sequence, k))
            return k;
    }
    return 0;
}

/* A sequence of statements at the top of the tree is cut in two: isl's work grows with the
 * square of its length. */
static void split(void *user) {
    struct nest_build *x = user;
    isl_schedule_node *root = isl_schedule_get_root(x->schedule);
    isl_schedule_node *top = isl_schedule_node_child(root, 0);
    isl_size n = isl_schedule_node_n_children(top);
    bool sequence = isl_schedule_node_get_type(top) == isl_schedule_node_sequence;
    int cut = sequence ? find_cut(top, (int)n) : 0;
    if (cut > 0) {
        x->first =
            isl_schedule_intersect_domain(isl_schedule_copy(x->schedule), half(top, 0, cut));
        x->rest =
            isl_schedule_intersect_domain(isl_schedule_copy(x->schedule), half(top, cut, n));
    }
    if (x->first && (is_empty(x->first) || is_empty(x->rest))) { // the same once more
        x->first = isl_schedule_free(x->first);
        x->rest = isl_schedule_free(x->rest);
    }
    isl_schedule_node_free(top);
}

/* A leaf's instances at any t of the repeats around the region. */
static void forget_repeats(void *user) {
    struct astgen *g = user;
    for (int i = 0; i < g->leaves.list.len; i++) {
        struct poly_leaf *leaf = &g->leaves.list.data[i];
        for (int k = 0; k < leaf->stmt->num_repeats; k++) {
            const char *name = repeat_parameter(g, k);
            int at = isl_set_find_dim_by_name(leaf->domain, isl_dim_param, name);
            leaf->domain = isl_set_project_out(leaf->domain, isl_dim_param, (unsigned)at, 1);
            if (!leaf->size)
                continue;
            at = isl_set_find_dim_by_name(leaf->firsts, isl_dim_param, name);
            leaf->firsts = isl_set_project_out(leaf->firsts, isl_dim_param, (unsigned)at, 1);
            at = isl_map_find_dim_by_name(leaf->block, isl_dim_param, name);
            leaf->block = isl_map_project_out(leaf->block, isl_dim_param, (unsigned)at, 1);
        }
    }
}

/* Of one nest, pulled back to its leaves. */
static void build_node(void *user) {
    struct nest_build *x = user;
    struct astgen *g = x->gen;
    isl_schedule *leaves = isl_schedule_copy(x->schedule);
    leaves = leaf_pull_back(g->poly, leaves, &g->leaves);
    isl_ast_build *build = isl_ast_build_from_context(isl_set_copy(g->context));
    x->node = isl_ast_build_node_from_schedule(build, leaves);
    isl_ast_build_free(build);
}

/* The statements of a schedule as they stand in the text, where isl gave up. */
static void build_plain(struct astgen *g, struct ast_list *to, __isl_keep isl_schedule *part) {
    isl_union_set *domain = isl_schedule_get_domain(part);
    for (int k = 0; k < g->poly->stmts.len; k++) {
        const struct poly_stmt *s = g->poly->stmts.data[k];
        isl_set *mine = isl_union_set_extract_set(domain, isl_set_get_space(s->domain));
        if (s->region == g->region && isl_set_is_empty(mine) == isl_bool_false) {
            uint64_t macs = g->plain.a->macs; // counted already
            plain_stmt(&g->plain, to, s->stmt);
            g->plain.a->macs = macs;
            g->poly->figures.fallbacks++;
        }
        isl_set_free(mine);
    }
    isl_union_set_free(domain);
}

static void build_schedule(struct astgen *g, struct ast_list *to,
                           __isl_take isl_schedule *schedule) {
    struct nest_build x = {.gen = g, .schedule = schedule};
    if (is_empty(schedule)) {
        isl_schedule_free(schedule);
        return;
    }
    bool done = poly_try(g->poly, (struct loc){0}, "the parts of a schedule", split, &x);
    if (done && x.first && x.rest) {
        build_schedule(g, to, x.first);
        build_schedule(g, to, x.rest);
        isl_schedule_free(schedule);
        return;
    }
    done = done && leaf_find(g->poly, schedule, &g->leaves) &&
           poly_try(g->poly, (struct loc){0}, "the instances of a nest", forget_repeats, g);
    if (done && poly_try(g->poly, (struct loc){0}, "the ast of a nest", build_node, &x)) {
        build_nest(g, to, x.node);
    } else {
        build_plain(g, to, schedule);
        isl_schedule_free(x.first);
        isl_schedule_free(x.rest);
    }
    isl_ast_node_free(x.node);
    isl_schedule_free(schedule);
    leaf_free(&g->leaves);
}

/* The t of the repeats around a region are parameters of its ast. */
static __isl_give isl_schedule *fix_repeats(struct astgen *g, const struct poly_stmt *first,
                                            __isl_take isl_schedule *schedule) {
    struct poly *p = g->poly;
    isl_union_set *fixed = isl_union_set_empty_ctx(p->ctx);
    for (int k = 0; k < p->stmts.len; k++) {
        const struct poly_stmt *s = p->stmts.data[k];
        if (s->region != g->region)
            continue;
        isl_set *set = isl_set_copy(s->domain);
        for (int d = 0; d < s->num_repeats; d++) {
            isl_id *id = isl_id_alloc(p->ctx, repeat_parameter(g, d), NULL);
            unsigned at = (unsigned)isl_set_dim(set, isl_dim_param);
            set = isl_set_add_dims(set, isl_dim_param, 1);
            set = isl_set_set_dim_id(set, isl_dim_param, at, id);
            set = isl_set_equate(set, isl_dim_param, (int)at, isl_dim_set, d);
        }
        if (s == first) {
            isl_set_free(g->context);
            g->context = isl_set_params(isl_set_copy(set));
        }
        fixed = isl_union_set_union(fixed, isl_union_set_from_set(set));
    }
    return isl_schedule_intersect_domain(schedule, fixed);
}

static void bind_repeats(struct astgen *g, const struct poly_stmt *s) {
    for (int k = 0; k < s->num_repeats; k++) {
        const struct expr *t =
            expr_var(&g->plain.scratch, DTYPE_INDEX, s->repeats[k]->iters[0].name);
        translate_bind(&g->outer, repeat_parameter(g, k), plain_convert(&g->plain, t));
    }
}

/* plain.run: the region that begins with st. */
static const struct stmt *build_run(void *user, struct ast_list *to, const struct stmt *st) {
    struct astgen *g = user;
    struct poly *p = g->poly;
    const struct poly_stmt *first = NULL;
    for (int k = 0; k < p->stmts.len && !first; k++)
        if (p->stmts.data[k]->stmt == st && p->stmts.data[k]->region >= 0)
            first = p->stmts.data[k];
    g->region = first->region;
    if (!p->schedules.data[g->region])
        bug("region %d has no schedule", g->region);
    for (int k = 0; k < p->stmts.len; k++)
        if (p->stmts.data[k]->region == g->region)
            plain_count(&g->plain, p->stmts.data[k]->stmt);
    int bound = g->outer.names.len;
    isl_schedule *schedule = isl_schedule_copy(p->schedules.data[g->region]);
    g->context = isl_set_copy(p->context);
    if (first->num_repeats)
        schedule = fix_repeats(g, first, schedule);
    bind_repeats(g, first);
    build_schedule(g, to, schedule);
    g->context = isl_set_free(g->context);
    g->outer.names.len = g->outer.values.len = bound;
    while (st->next && st->next->kind == STMT_COMPUTE)
        st = st->next;
    return st;
}

struct ast *ast_from_poly(struct poly *p, struct intern *names, bool strict) {
    struct astgen g = {.poly = p, .region = -1, .strict = strict};
    plain_start(&g.plain, names, p->loops);
    g.plain.reduce = build_reduce;
    g.plain.run = build_run;
    g.plain.user = &g;
    g.outer = (struct translate){.plain = &g.plain, .instance = build_instance, .user = &g};
    bind_symbols(&g, &g.outer);
    plain_list(&g.plain, &g.plain.a->body, &p->loops->body);
    return plain_end(&g.plain);
}
