/* loops and schedule -> ast.
 *
 * isl's AST builder makes the loops of each region from its schedule tree; every instance in
 * them becomes the statement's value and store, as ir/plain.c makes them. A reduce whose range
 * shrinks gets its loops from a second, small build in which the statement's iterators are
 * parameters. seq, if, while, call and require are taken as they stand. */
#include "polyhedral/poly.h"

#include <isl/ast_build.h>
#include <isl/schedule_node.h>

struct astgen {
    struct poly *poly;
    struct plain plain;
    struct translate outer; // of the region's ast
    int region;
    bool strict;
    const struct poly_stmt *stmt; // at hand
    const struct expr *acc;       // of its reduce
    const struct shrink_request *request;
};

/* ---- reductions ---- */

struct small {
    struct astgen *gen;
    struct shrink_request request;
    isl_set *range; // shrink_range's
    isl_ast_node *node;
};

/* The parameter of a small build that stands for the statement's iterator k. */
static const char *parameter(struct astgen *g, int k) {
    return arena_printf(&g->plain.scratch, "outer_%d", k);
}

static __isl_give isl_set *to_parameters(struct astgen *g, __isl_take isl_set *set) {
    unsigned n = (unsigned)g->stmt->num_dims, symbols = (unsigned)g->poly->loops->symbols.len;
    for (unsigned k = 0; k < n; k++)
        set = isl_set_set_dim_name(set, isl_dim_set, k, parameter(g, (int)k));
    return isl_set_move_dims(set, isl_dim_param, symbols, isl_dim_set, 0, n);
}

/* Both without the parameters that the range does not depend on: isl's work grows with each. */
static void drop_unused(struct astgen *g, isl_set **range, isl_set **context) {
    isl_set *known = isl_set_params(isl_set_copy(*context));
    isl_set *rest = isl_set_gist_params(isl_set_copy(*range), known);
    for (int k = g->stmt->num_dims - 1; k >= 0; k--) {
        unsigned at = (unsigned)(g->poly->loops->symbols.len + k);
        if (isl_set_involves_dims(rest, isl_dim_param, at, 1) != isl_bool_false)
            continue;
        *range = isl_set_project_out(*range, isl_dim_param, at, 1);
        *context = isl_set_project_out(*context, isl_dim_param, at, 1);
    }
    isl_set_free(rest);
}

static void build_small(void *user) {
    struct small *x = user;
    struct astgen *g = x->gen;
    x->range = shrink_range(g->poly, g->stmt, &x->request);
    if (!x->range)
        return;
    isl_set *domain = to_parameters(g, isl_set_copy(x->range));
    isl_set *context = to_parameters(g, isl_set_reset_tuple_id(isl_set_copy(g->stmt->domain)));
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

/* plain.reduce: loops over the shrunk range. */
static bool build_reduce(void *user, struct ast_list *list, const struct expr *reduce,
                         const struct expr *acc) {
    struct astgen *g = user;
    struct plain *n = &g->plain;
    struct small x = {.gen = g};
    x.request = (struct shrink_request){.reduce = reduce,
                                        .bounds = n->bounds.data,
                                        .num_bounds = n->bounds.len,
                                        .strict = g->strict,
                                        .arena = &n->scratch};
    bool done = g->stmt && poly_try(g->poly, g->stmt->stmt->loc, "the range of a reduction",
                                    build_small, &x);
    isl_set_free(x.range);
    if (done && x.node) {
        struct translate t = {.plain = n, .instance = reduce_step, .user = g};
        bind_symbols(g, &t);
        for (int k = 0; k < g->stmt->num_dims; k++) {
            const struct expr *var = expr_var(&n->scratch, DTYPE_INDEX, g->stmt->dims[k]);
            translate_bind(&t, parameter(g, k), plain_convert(n, var));
        }
        n->bounds.len = x.request.num_bounds;
        g->acc = acc;
        g->request = &x.request;
        translate_node(&t, list, x.node);
        g->poly->figures.shrunk++;
    }
    isl_ast_node_free(x.node);
    return done && x.node;
}

/* ---- regions ---- */

/* An instance of a statement of the region. */
static void build_instance(void *user, struct ast_list *list, const char *tuple,
                           const struct expr *const *args, int num_args) {
    struct astgen *g = user;
    int locals = g->plain.iters.len;
    g->stmt = schedule_find(g->poly, g->region, tuple);
    for (int k = 0; k < num_args; k++)
        plain_push(&g->plain, g->stmt->dims[k], args[k]);
    plain_store(&g->plain, list, g->stmt->stmt);
    g->plain.iters.len = g->plain.vars.len = locals;
    g->stmt = NULL;
}

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
    const struct poly_stmt *s =
        schedule_find(f->gen->poly, f->gen->region, isl_id_get_name(id));
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

/* A sequence at the top of the tree is cut in two: isl's work grows with the square of its
 * length.
 */
static void split(void *user) {
    struct nest_build *x = user;
    isl_schedule_node *root = isl_schedule_get_root(x->schedule);
    isl_schedule_node *top = isl_schedule_node_child(root, 0);
    isl_size n = isl_schedule_node_n_children(top);
    if (isl_schedule_node_get_type(top) == isl_schedule_node_sequence && n > 1) {
        x->first =
            isl_schedule_intersect_domain(isl_schedule_copy(x->schedule), half(top, 0, n / 2));
        x->rest =
            isl_schedule_intersect_domain(isl_schedule_copy(x->schedule), half(top, n / 2, n));
    }
    if (x->first && (is_empty(x->first) || is_empty(x->rest))) { // the same once more
        x->first = isl_schedule_free(x->first);
        x->rest = isl_schedule_free(x->rest);
    }
    isl_schedule_node_free(top);
}

static void build_node(void *user) {
    struct nest_build *x = user;
    isl_ast_build *build = isl_ast_build_from_context(isl_set_copy(x->gen->poly->context));
    x->node = isl_ast_build_node_from_schedule(build, isl_schedule_copy(x->schedule));
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

static void build_nests(struct astgen *g, struct ast_list *to, __isl_keep isl_ast_node *node) {
    if (isl_ast_node_get_type(node) != isl_ast_node_block) {
        build_nest(g, to, node);
        return;
    }
    isl_ast_node_list *children = isl_ast_node_block_get_children(node);
    isl_size n = isl_ast_node_list_n_ast_node(children);
    for (int k = 0; k < n; k++) {
        isl_ast_node *child = isl_ast_node_list_get_ast_node(children, k);
        build_nest(g, to, child);
        isl_ast_node_free(child);
    }
    isl_ast_node_list_free(children);
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
    } else if (done &&
               poly_try(g->poly, (struct loc){0}, "the ast of a nest", build_node, &x)) {
        build_nests(g, to, x.node);
    } else {
        build_plain(g, to, schedule);
        isl_schedule_free(x.first);
        isl_schedule_free(x.rest);
    }
    isl_ast_node_free(x.node);
    isl_schedule_free(schedule);
}

static void add_region(struct astgen *g, struct ast_list *to) {
    struct poly *p = g->poly;
    if (!p->schedules.data[g->region])
        bug("region %d has no schedule", g->region);
    for (int k = 0; k < p->stmts.len; k++)
        if (p->stmts.data[k]->region == g->region)
            plain_count(&g->plain, p->stmts.data[k]->stmt);
    build_schedule(g, to, isl_schedule_copy(p->schedules.data[g->region]));
}

struct ast *ast_from_poly(struct poly *p, struct intern *names, bool strict) {
    struct astgen g = {.poly = p, .region = -1, .strict = strict};
    plain_start(&g.plain, names, p->loops);
    g.plain.reduce = build_reduce;
    g.plain.user = &g;
    g.outer = (struct translate){.plain = &g.plain, .instance = build_instance, .user = &g};
    bind_symbols(&g, &g.outer);
    bool open = false;
    for (const struct stmt *s = p->loops->body.first; s; s = s->next) {
        g.region += s->kind == STMT_COMPUTE && !open;
        if (s->kind == STMT_COMPUTE && !open)
            add_region(&g, &g.plain.a->body);
        else if (s->kind != STMT_COMPUTE)
            plain_stmt(&g.plain, &g.plain.a->body, s);
        open = s->kind == STMT_COMPUTE;
    }
    return plain_end(&g.plain);
}
