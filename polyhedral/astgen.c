/* loops and schedule -> ast.
 *
 * isl's AST builder makes the loops of each region from its schedule tree, pulled back to its
 * leaves (leaf.c); every instance in them becomes what instance.c makes of it. A sequence at
 * the top of the tree is one nest for each child. seq, if, while, call and require are taken as
 * they stand; the t of those around a region are parameters of its ast. */
#include "polyhedral/astgen.h"

#include <isl/schedule_node.h>

/* The parameter that stands for the t of repeat k around the region. */
static const char *repeat_parameter(struct astgen *g, int k) {
    return arena_printf(&g->plain.scratch, "repeat_%d", k);
}

/* ---- nests ---- */

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
    const struct poly_stmt *s = instance_leaf(f->gen, isl_id_get_name(id))->stmt;
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

/* In the text's order an array needs room for all its elements. */
static void forget_layouts(struct astgen *g, const struct poly_stmt *s) {
    for (int k = 0; k < s->accesses.len; k++) {
        struct array *a = &g->poly->loops->arrays.data[s->accesses.data[k].root];
        g->again |= a->kind == ARRAY_TEMP && a->layout_rank > 0;
        a->layout_rank = a->kind == ARRAY_TEMP ? 0 : a->layout_rank;
    }
}

/* The statements of a schedule as they stand in the text, where isl gave up. */
static void build_plain(struct astgen *g, struct ast_list *to, __isl_keep isl_schedule *part) {
    isl_union_set *domain = isl_schedule_get_domain(part);
    for (int k = 0; k < g->poly->stmts.len; k++) {
        const struct poly_stmt *s = g->poly->stmts.data[k];
        isl_set *mine = isl_union_set_extract_set(domain, isl_set_get_space(s->domain));
        if (s->region == g->region && isl_set_is_empty(mine) == isl_bool_false) {
            uint64_t macs = g->plain.a->macs; // counted already
            forget_layouts(g, s);
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

/* The t of the repeats around a region are parameters of its ast: any at which some statement
 * has instances. */
static __isl_give isl_schedule *fix_repeats(struct astgen *g,
                                            __isl_take isl_schedule *schedule) {
    struct poly *p = g->poly;
    isl_union_set *fixed = isl_union_set_empty_ctx(p->ctx);
    g->context = isl_set_free(g->context);
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
        isl_set *context = isl_set_params(isl_set_copy(set));
        g->context = g->context ? isl_set_union(g->context, context) : context;
        fixed = isl_union_set_union(fixed, isl_union_set_from_set(set));
    }
    g->context = isl_set_coalesce(g->context);
    return isl_schedule_intersect_domain(schedule, fixed);
}

static void bind_repeats(struct astgen *g, const struct poly_stmt *s) {
    for (int k = 0; k < s->num_repeats; k++) {
        const struct expr *t =
            expr_var(&g->plain.scratch, DTYPE_INDEX, s->repeats[k]->iters[0].name);
        translate_bind(&g->outer, repeat_parameter(g, k), plain_convert(&g->plain, t));
    }
}

static void build_part(struct astgen *g, struct ast_list *to, const struct poly_stmt *first,
                       __isl_keep isl_schedule *part) {
    isl_schedule *schedule = isl_schedule_copy(part);
    if (first->num_repeats)
        schedule = fix_repeats(g, schedule);
    build_schedule(g, to, schedule);
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
    int bound = g->outer.names.len, parts = 0;
    g->context = isl_set_copy(p->context);
    bind_repeats(g, first);
    for (int k = 0; k < p->parts.len; k++)
        if (p->parts.data[k].region == g->region) {
            build_part(g, to, first, p->parts.data[k].schedule);
            parts++;
        }
    if (parts == 0)
        build_part(g, to, first, p->schedules.data[g->region]);
    g->context = isl_set_free(g->context);
    g->outer.names.len = g->outer.values.len = bound;
    while (st->next && st->next->kind == STMT_COMPUTE)
        st = st->next;
    return st;
}

static struct ast *build(struct astgen *g, struct intern *names) {
    struct poly *p = g->poly;
    plain_start(&g->plain, names, p->loops);
    g->plain.reduce = instance_reduce;
    g->plain.run = build_run;
    g->plain.user = g;
    g->outer = (struct translate){.plain = &g->plain, .instance = instance_build, .user = g};
    instance_symbols(g, &g->outer);
    plain_list(&g->plain, &g->plain.a->body, &p->loops->body);
    return plain_end(&g->plain);
}

struct ast *ast_from_poly(struct poly *p, struct intern *names, bool strict) {
    struct astgen g = {.poly = p, .region = -1, .strict = strict};
    struct poly_figures before = p->figures;
    struct ast *a = build(&g, names);
    while (g.again) { // layouts are gone that stores made before have
        g = (struct astgen){.poly = p, .region = -1, .strict = strict};
        p->figures = before;
        ast_free(a);
        a = build(&g, names);
    }
    return a;
}
