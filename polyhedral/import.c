/* loops -> statements with domains and accesses.
 *
 * A walk over the tree makes one poly_stmt of every leaf and every condition, numbered as they
 * stand in the text. Of each it finds the dimensions first (iterators, reduce iterators,
 * clamped values), then every load with the conditions around it: guards, the sides of a
 * select, what && and
 * || have decided. */
#include "polyhedral/poly.h"

/* Where the walk over the tree is. */
struct import {
    struct poly *poly;
    vec(const struct stmt *) repeats;
    vec(struct poly_branch) branches;
};

/* A condition around a load: within a guard's bounds (e, lo, hi), or e being `truth`. */
struct condition {
    const struct expr *e, *lo, *hi;
    bool truth;
};

/* The statement at hand. */
struct builder {
    struct poly *poly;
    struct poly_stmt *s;
    vec(const char *) names;
    vec(const struct expr *) values;
    const struct iter *const *iters; // [first_value]: extents of the dimensions
    int first_value;
    vec(struct condition) around;
    isl_set *ext; // extended domain without the ranges of values
};

/* ---- dimensions ---- */

static struct affine affine_of(const struct builder *b) {
    return (struct affine){b->poly, b->names.data, b->names.len, b->first_value,
                           b->values.data};
}

/* Gives each clamp and check of an index that needs it a dimension, innermost first. */
static void add_values(struct builder *b, const struct expr *e) {
    for (int k = 0; k < e->n; k++)
        add_values(b, e->arg[k]);
    if (e->kind != EXPR_FUNC || (e->func != FUNC_CLAMP && e->func != FUNC_CHECK))
        return;
    struct affine s = affine_of(b);
    if (affine_is(&s, e) || !affine_is(&s, e->arg[1]) || !affine_is(&s, e->arg[2]))
        return;
    vec_push(&b->poly->arena, &b->values, e);
    vec_push(&b->poly->arena, &b->names, "value");
}

static void add_iters(struct builder *b, const struct iter ***at, const struct iter *iters,
                      int n) {
    for (int k = 0; k < n; k++) {
        vec_push(&b->poly->arena, &b->names, iters[k].name);
        *(*at)++ = &iters[k];
    }
}

static void find_dimensions(struct builder *b) {
    struct poly_stmt *s = b->s;
    const struct stmt *st = s->stmt;
    bool own = s->role == POLY_COMPUTE || s->role == POLY_REQUIRE;
    const struct expr *rhs = st && s->role != POLY_CALL ? st->rhs : NULL;
    const struct expr *reduce = rhs ? expr_find(rhs, EXPR_REDUCE) : NULL;
    int n = s->num_repeats + (own ? st->num_iters : 0);
    int all = n + (reduce ? reduce->num_iters : 0);
    const struct iter **iters = arena_array(&b->poly->arena, const struct iter *, all), **at;
    at = iters;
    for (int k = 0; k < s->num_repeats; k++)
        add_iters(b, &at, s->repeats[k]->iters, 1);
    if (own)
        add_iters(b, &at, st->iters, st->num_iters);
    if (reduce)
        add_iters(b, &at, reduce->iters, reduce->num_iters);
    b->iters = iters;
    b->first_value = all;
    s->num_dims = n;
    if (rhs)
        add_values(b, rhs);
    for (int d = 0; s->role == POLY_COMPUTE && d < b->poly->loops->arrays.data[st->array].rank;
         d++)
        add_values(b, st->index[d]);
    s->num_ext = b->names.len;
    s->dims = b->names.data;
    s->exact = true;
    struct affine a = affine_of(b);
    for (int k = 0; k < all; k++)
        s->exact &= affine_is(&a, iters[k]->extent);
}

/* 0 <= each < its extent, for the first n of the extended domain. */
static __isl_give isl_set *box_of(const struct builder *b, int n) {
    isl_set *box = isl_set_universe(poly_space(b->poly, n));
    struct affine s = affine_of(b);
    s.num_names = n;
    s.first_value = n < s.first_value ? n : s.first_value;
    for (int k = 0; k < n && k < b->first_value; k++) {
        const struct expr *extent = b->iters[k]->extent;
        int64_t v;
        box = isl_set_lower_bound_si(box, isl_dim_set, (unsigned)k, 0);
        if (expr_as_int(extent, &v)) {
            isl_val *last = isl_val_int_from_si(b->poly->ctx, v - 1);
            box = isl_set_upper_bound_val(box, isl_dim_set, (unsigned)k, last);
        } else if (affine_is(&s, extent)) {
            isl_local_space *ls = isl_local_space_from_space(poly_space(b->poly, n));
            isl_aff *x = isl_aff_var_on_domain(ls, isl_dim_set, (unsigned)k);
            isl_pw_aff *hi = affine_index(&s, extent);
            box = isl_set_intersect(box, isl_pw_aff_lt_set(isl_pw_aff_from_aff(x), hi));
        }
    }
    return isl_set_intersect_params(box, isl_set_copy(b->poly->context));
}

/* ---- accesses ---- */

/* The extended domain where the access happens. */
static __isl_give isl_set *domain_of(const struct builder *b, const struct poly_access *a) {
    struct affine s = affine_of(b);
    isl_set *set = isl_set_copy(b->ext);
    for (int k = 0; k < b->around.len; k++) {
        const struct condition *c = &b->around.data[k];
        set = affine_constrain(&s, set, c->e);
        set = isl_set_intersect(set, c->lo ? affine_within(&s, c->e, c->lo, c->hi)
                                           : affine_condition(&s, c->e, c->truth));
    }
    for (int d = 0; a->index && d < b->poly->loops->arrays.data[a->array].rank; d++)
        set = affine_constrain(&s, set, a->index[d]);
    return set;
}

/* extended domain -> index; an index that is not affine is any in the array. */
static __isl_give isl_map *index_map(const struct builder *b, const struct poly_access *a) {
    const struct array *array = &b->poly->loops->arrays.data[a->array];
    struct affine s = affine_of(b);
    isl_space *domain = poly_space(b->poly, b->names.len);
    isl_map *map =
        isl_map_universe(isl_space_map_from_domain_and_range(domain, poly_space(b->poly, 0)));
    isl_set *box = storage_box(b->poly, a->array);
    for (int d = 0; d < array->rank; d++) {
        isl_map *one;
        if (a->index && affine_is(&s, a->index[d])) {
            one = isl_map_from_pw_aff(affine_index(&s, a->index[d]));
        } else {
            isl_set *any = isl_set_copy(box);
            any = isl_set_project_out(any, isl_dim_set, 0, (unsigned)d);
            any = isl_set_project_out(any, isl_dim_set, 1, (unsigned)(array->rank - d - 1));
            isl_set *all = isl_set_universe(poly_space(b->poly, b->names.len));
            one = isl_map_from_domain_and_range(all, any);
        }
        map = isl_map_flat_range_product(map, one);
    }
    isl_set_free(box);
    return map;
}

/* domain -> coordinates of the root, from the extended map. */
static __isl_give isl_map *root_map(const struct builder *b, const struct poly_access *a) {
    const struct poly_stmt *s = b->s;
    isl_map *m = isl_map_copy(a->ext);
    int more = s->num_ext - s->num_dims;
    if (more)
        m = isl_map_project_out(m, isl_dim_in, (unsigned)s->num_dims, (unsigned)more);
    if (b->poly->place[a->array])
        m = isl_map_apply_range(m, isl_map_copy(b->poly->place[a->array]));
    else
        m = isl_map_set_tuple_name(m, isl_dim_out, b->poly->root_names[a->root]);
    return isl_map_set_tuple_name(m, isl_dim_in, s->name);
}

struct access_job {
    struct builder *b;
    struct poly_access *a;
};

static void make_access(void *user) {
    struct access_job *j = user;
    struct poly_access *a = j->a;
    a->ext = isl_map_intersect_domain(index_map(j->b, a), domain_of(j->b, a));
    a->map = root_map(j->b, a);
}

/* When the exact one was given up: anything in the array, at any instance. */
static void make_coarse(struct builder *b, struct poly_access *a) {
    isl_map_free(a->ext);
    isl_map_free(a->map);
    a->index = NULL;
    a->exact = a->must = false;
    a->ext =
        isl_map_from_domain_and_range(isl_set_copy(b->ext), storage_box(b->poly, a->array));
    a->map = root_map(b, a);
}

/* Is the condition over-approximated by affine_condition or affine_within? */
static bool is_vague(const struct affine *s, const struct condition *c) {
    if (!c->lo)
        return !affine_is_condition(s, c->e);
    return !affine_is(s, c->e) || !affine_is(s, c->lo) || !affine_is(s, c->hi);
}

static void add_access(struct builder *b, int array, const struct expr *const *index,
                       bool write) {
    struct poly *p = b->poly;
    struct affine s = affine_of(b);
    int root = loops_root(p->loops, array);
    struct poly_access a = {array, root, index, write, .exact = true, .must = write};
    for (int d = 0; index && d < p->loops->arrays.data[array].rank; d++) {
        a.exact &= affine_is(&s, index[d]);
        s.num_names = s.first_value; // a value there: it may be written
        a.must &= affine_is(&s, index[d]);
        s.num_names = b->names.len;
    }
    a.vague = !b->s->exact;
    for (int k = 0; k < b->around.len; k++)
        a.vague |= is_vague(&s, &b->around.data[k]);
    a.must &= a.exact && !a.vague && !p->storage[root].opaque;
    struct access_job j = {b, &a};
    if (!poly_try(p, poly_loc(b->s), "an access", make_access, &j))
        make_coarse(b, &a);
    if (!a.exact)
        poly_unproven(p, poly_loc(b->s), "%s: an index of %s is not affine: any element",
                      poly_called(b->s), p->loops->arrays.data[array].name);
    vec_push(&p->arena, &b->s->accesses, a);
    p->figures.accesses++;
}

/* ---- loads ---- */

static void add_loads(struct builder *b, const struct expr *e);

static void push(struct builder *b, struct condition c) {
    vec_push(&b->poly->arena, &b->around, c);
}

static void add_guarded(struct builder *b, const struct expr *e) {
    int outer = b->around.len;
    for (int k = 1; k < e->n; k++)
        add_loads(b, e->arg[k]);
    for (int k = 2; k < e->n; k += 3)
        push(b, (struct condition){e->arg[k], e->arg[k + 1], e->arg[k + 2], true});
    add_loads(b, e->arg[0]);
    b->around.len = outer;
}

/* select, && and ||: what follows the first argument is evaluated only where that decided so.
 */
static void add_decided(struct builder *b, const struct expr *e) {
    int outer = b->around.len;
    add_loads(b, e->arg[0]);
    for (int k = 1; k < e->n; k++) {
        bool truth = e->func == FUNC_AND || (e->func == FUNC_SELECT && k == 1);
        push(b, (struct condition){.e = e->arg[0], .truth = truth});
        add_loads(b, e->arg[k]);
        b->around.len = outer;
    }
}

static void add_loads(struct builder *b, const struct expr *e) {
    if (e->kind == EXPR_GUARD) {
        add_guarded(b, e);
        return;
    }
    if (e->kind == EXPR_FUNC &&
        (e->func == FUNC_SELECT || e->func == FUNC_AND || e->func == FUNC_OR)) {
        add_decided(b, e);
        return;
    }
    for (int k = 0; k < e->n; k++)
        add_loads(b, e->arg[k]);
    if (e->kind == EXPR_LOAD)
        add_access(b, e->array, e->arg, false);
}

/* ---- statements ---- */

static void add_all_accesses(struct builder *b) {
    const struct stmt *st = b->s->stmt;
    const struct loops *l = b->poly->loops;
    switch (b->s->role) {
    case POLY_COMPUTE:
        add_loads(b, st->rhs);
        for (int d = 0; d < l->arrays.data[st->array].rank; d++)
            add_loads(b, st->index[d]);
        add_access(b, st->array, st->index, true);
        return;
    case POLY_REQUIRE:
    case POLY_CONDITION:
        add_loads(b, st->rhs);
        return;
    case POLY_CALL:
        for (int k = 0; k < st->num_reads; k++)
            add_access(b, st->reads[k], NULL, false);
        for (int k = 0; k < st->num_writes; k++)
            add_access(b, st->writes[k], NULL, true);
        return;
    case POLY_END:
        for (int k = 0; k < l->arrays.len; k++)
            if (l->arrays.data[k].kind == ARRAY_OUTPUT)
                add_access(b, k, NULL, false);
        return;
    }
}

/* A name of the form S<k> is statement k's own, so the others can have names of another form.
 */
static const char *tuple_name(struct poly *p, const struct poly_stmt *s) {
    bool own = s->role == POLY_COMPUTE && s->stmt->name[0] == 'S' &&
               s->stmt->name[1 + strspn(s->stmt->name + 1, "0123456789")] == '\0';
    return own ? s->stmt->name : arena_printf(&p->arena, "P%d", s->number);
}

static void add_statement(struct import *i, enum poly_role role, const struct stmt *st) {
    struct poly *p = i->poly;
    struct poly_stmt *s = arena_new(&p->arena, struct poly_stmt);
    size_t repeats = (size_t)i->repeats.len * sizeof *i->repeats.data;
    size_t branches = (size_t)i->branches.len * sizeof *i->branches.data;
    *s = (struct poly_stmt){.role = role, .number = p->stmts.len, .stmt = st, .region = -1};
    s->name = tuple_name(p, s);
    s->repeats = arena_copy(&p->arena, i->repeats.data, repeats);
    s->num_repeats = i->repeats.len;
    s->branches = arena_copy(&p->arena, i->branches.data, branches);
    s->num_branches = i->branches.len;
    struct builder b = {.poly = p, .s = s};
    find_dimensions(&b);
    b.ext = box_of(&b, b.names.len);
    s->domain = isl_set_set_tuple_name(box_of(&b, s->num_dims), s->name);
    add_all_accesses(&b);
    isl_set_free(b.ext);
    vec_push(&p->arena, &p->stmts, s);
    p->figures.statements++;
}

static void import_list(struct import *i, const struct stmt_list *list);

static void import_repeat(struct import *i, const struct stmt *st) {
    vec_push(&i->poly->arena, &i->repeats, st);
    if (st->kind == STMT_WHILE)
        add_statement(i, POLY_CONDITION, st);
    import_list(i, &st->body);
    i->repeats.len--;
}

static void import_if(struct import *i, const struct stmt *st) {
    add_statement(i, POLY_CONDITION, st);
    for (int side = 0; side < 2; side++) {
        struct poly_branch branch = {st, side == 1, i->repeats.len};
        vec_push(&i->poly->arena, &i->branches, branch);
        import_list(i, side ? &st->orelse : &st->body);
        i->branches.len--;
    }
}

static void import_stmt(struct import *i, const struct stmt *st) {
    switch (st->kind) {
    case STMT_COMPUTE:
        add_statement(i, POLY_COMPUTE, st);
        return;
    case STMT_REQUIRE:
        add_statement(i, POLY_REQUIRE, st);
        return;
    case STMT_CALL:
        add_statement(i, POLY_CALL, st);
        return;
    case STMT_SEQ:
    case STMT_WHILE:
        import_repeat(i, st);
        return;
    case STMT_IF:
        import_if(i, st);
        return;
    }
}

static void import_list(struct import *i, const struct stmt_list *list) {
    for (const struct stmt *st = list->first; st; st = st->next)
        import_stmt(i, st);
}

/* Regions: runs of COMPUTE in a list; each list of the tree has its own. */
static void number_regions(struct poly *p, const struct stmt_list *list, int *next) {
    bool open = false;
    for (const struct stmt *st = list->first; st; st = st->next) {
        p->num_regions += st->kind == STMT_COMPUTE && !open;
        open = st->kind == STMT_COMPUTE;
        while (open && p->stmts.data[*next]->stmt != st)
            ++*next;
        if (open)
            p->stmts.data[*next]->region = p->num_regions - 1;
        number_regions(p, &st->body, next);
        number_regions(p, &st->orelse, next);
    }
}

/* Every statement and access as a set and maps; time is a tenth of a millisecond per access. */
struct poly *poly_import(struct loops *l, struct diag *d) {
    struct import i = {.poly = poly_new(l, d)};
    int next = 0;
    storage_import(i.poly);
    import_list(&i, &l->body);
    add_statement(&i, POLY_END, NULL);
    number_regions(i.poly, &l->body, &next);
    for (int r = 0; r < i.poly->num_regions; r++)
        vec_push(&i.poly->arena, &i.poly->schedules, NULL);
    i.poly->figures.regions = i.poly->num_regions;
    return i.poly;
}
