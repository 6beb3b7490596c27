/* Dependences per pair of accesses, and the proof that the text's own order is right.
 *
 * Dependences are memory-based: the writer's map composed with the reader's reversed, where the
 * one runs before the other in the text. As an array is written once per element, that is the
 * flow of values; where the t of a repeat tells writes apart, anti and output dependences come
 * in.
 *
 * Order in the text is lexicographic in the t of the repeats that two statements share, then
 * their numbers. A statement's own instances have no order, nor have the two sides of an if. */
#include "polyhedral/poly.h"

#include <inttypes.h>

/* An access with its statement. */
struct use {
    const struct poly_stmt *s;
    const struct poly_access *a;
    bool whole; // writes: covers all of the array
};

/* The uses of one root array. */
struct uses {
    struct poly *poly;
    int root;
    vec(struct use) writes, reads;
};

/* ---- order ---- */

int depend_common(const struct poly_stmt *a, const struct poly_stmt *b) {
    int n = 0;
    while (n < a->num_repeats && n < b->num_repeats && a->repeats[n] == b->repeats[n])
        n++;
    return n;
}

/* On two sides of one if? */
static bool exclusive(const struct poly_stmt *a, const struct poly_stmt *b) {
    for (int i = 0; i < a->num_branches && i < b->num_branches; i++) {
        if (a->branches[i].stmt != b->branches[i].stmt)
            return false;
        if (a->branches[i].orelse != b->branches[i].orelse)
            return true;
    }
    return false;
}

static __isl_give isl_map *universe(const struct poly_stmt *a, const struct poly_stmt *b) {
    isl_space *from = isl_set_get_space(a->domain), *to = isl_set_get_space(b->domain);
    return isl_map_universe(isl_space_map_from_domain_and_range(from, to));
}

/* The first n dimensions are equal. */
static __isl_give isl_map *same_time(__isl_take isl_map *m, int n) {
    for (int k = 0; k < n; k++)
        m = isl_map_equate(m, isl_dim_in, k, isl_dim_out, k);
    return m;
}

__isl_give isl_map *depend_before(const struct poly_stmt *a, const struct poly_stmt *b) {
    int common = depend_common(a, b);
    isl_map *all = universe(a, b);
    isl_map *before = isl_map_empty(isl_map_get_space(all));
    isl_map_free(all);
    for (int k = 0; k < common; k++) {
        isl_map *m = same_time(universe(a, b), k);
        m = isl_map_order_lt(m, isl_dim_in, k, isl_dim_out, k);
        before = isl_map_union(before, m);
    }
    if (a->number < b->number && !exclusive(a, b))
        before = isl_map_union(before, same_time(universe(a, b), common));
    return before;
}

/* Does every instance of a run before every one of b? */
static bool all_before(const struct poly_stmt *a, const struct poly_stmt *b) {
    return depend_common(a, b) == 0 && a->number < b->number && !exclusive(a, b);
}

/* May some instance of a run before some of b? */
static bool any_before(const struct poly_stmt *a, const struct poly_stmt *b) {
    return depend_common(a, b) > 0 || (a->number < b->number && !exclusive(a, b));
}

/* ---- written once ---- */

struct clash {
    const struct use *a, *b;
    isl_point *example; // instance of a, instance of b
    isl_bool apart;
};

/* Pairs of instances of a and b with one t that write one element; of one statement: different
 * instances. */
static void find_clash(void *user) {
    struct clash *c = user;
    int common = depend_common(c->a->s, c->b->s);
    isl_map *m = isl_map_reverse(isl_map_copy(c->b->a->map));
    m = same_time(isl_map_apply_range(isl_map_copy(c->a->a->map), m), common);
    if (c->a == c->b) {
        isl_map *id = isl_map_identity(isl_map_get_space(m));
        m = isl_map_subtract(m, id);
    }
    c->apart = isl_map_is_empty(m);
    if (c->apart == isl_bool_false)
        c->example = poly_least_point(isl_map_wrap(isl_map_copy(m)));
    isl_map_free(m);
}

static void find_shared(void *user) {
    struct clash *c = user;
    isl_set *x = isl_map_range(isl_map_copy(c->a->a->map));
    isl_set *y = isl_map_range(isl_map_copy(c->b->a->map));
    c->apart = isl_set_is_disjoint(x, y);
    isl_set_free(x);
    isl_set_free(y);
}

/* Each of the statement's own iterators stands alone, with a constant at most, in an index of
 * its own. */
static bool is_apart(const struct use *w) {
    int first = w->s->num_repeats;
    if (!w->a->index || w->s->role != POLY_COMPUTE)
        return w->s->num_dims == first;
    for (int k = 0; k < w->s->stmt->num_iters; k++) {
        bool found = expr_is_int(w->s->stmt->iters[k].extent, 1);
        isl_size rank = isl_map_dim(w->a->ext, isl_dim_out);
        for (int d = 0; d < rank && !found; d++) {
            const struct expr *e = w->a->index[d];
            if (e->kind == EXPR_FUNC && e->func == FUNC_ADD && e->arg[1]->kind == EXPR_CONST)
                e = e->arg[0];
            found = e->kind == EXPR_VAR && strcmp(e->name, w->s->dims[first + k]) == 0;
        }
        if (!found)
            return false;
    }
    return true;
}

/* The point of `set` whose coordinates are those of `point` from `first` on. */
static __isl_give isl_set *fix(__isl_take isl_set *set, __isl_keep isl_point *point,
                               int first) {
    isl_size n = isl_set_dim(set, isl_dim_set), symbols = isl_set_dim(set, isl_dim_param);
    for (int k = 0; k < symbols; k++) {
        isl_val *v = isl_point_get_coordinate_val(point, isl_dim_param, k);
        set = isl_set_fix_val(set, isl_dim_param, (unsigned)k, v);
    }
    for (int k = 0; k < n; k++) {
        isl_val *v = isl_point_get_coordinate_val(point, isl_dim_set, first + k);
        set = isl_set_fix_val(set, isl_dim_set, (unsigned)k, v);
    }
    return set;
}

/* The element both write, for the message. */
static const char *clash_element(struct uses *u, const struct clash *c) {
    isl_set *x = fix(isl_set_copy(c->a->s->domain), c->example, 0);
    isl_set *y = fix(isl_set_copy(c->b->s->domain), c->example, c->a->s->num_dims);
    x = isl_set_apply(x, isl_map_copy(c->a->a->map));
    y = isl_set_apply(y, isl_map_copy(c->b->a->map));
    isl_point *point = isl_set_sample_point(isl_set_intersect(x, y));
    const char *text = storage_element(u->poly, u->root, point, isl_dim_set, 0);
    isl_point_free(point);
    return text;
}

static void report_clash(struct uses *u, const struct clash *c) {
    struct poly *p = u->poly;
    const char *element = clash_element(u, c);
    if (c->a == c->b)
        poly_error(p, c->a->s, "%s: writes %s twice%s", poly_called(c->a->s), element,
                   poly_at(p, c->a->s, c->example, c->a->s->num_dims));
    else
        poly_error(p, c->b->s, "%s: writes %s, which %s writes too", poly_called(c->b->s),
                   element, poly_called(c->a->s));
}

static void check_clash(struct uses *u, const struct use *a, const struct use *b) {
    struct clash c = {.a = a, .b = b};
    struct loc loc = poly_loc(b->s);
    if (a == b && is_apart(a))
        return;
    bool done = true;
    if (a != b && depend_common(a->s, b->s) == 0)
        done = poly_try(u->poly, loc, "that writes differ", find_shared, &c);
    if (done && c.apart != isl_bool_true)
        done = poly_try(u->poly, loc, "that writes differ", find_clash, &c);
    if (!done || (c.apart == isl_bool_false && !(a->a->must && b->a->must)))
        poly_unproven(u->poly, loc, "%s and %s write different elements of %s",
                      poly_called(a->s), poly_called(b->s),
                      u->poly->loops->arrays.data[u->root].name);
    else if (c.apart == isl_bool_false)
        report_clash(u, &c);
    isl_point_free(c.example);
}

static void check_written_once(struct uses *u) {
    for (int i = 0; i < u->writes.len; i++)
        for (int k = 0; k <= i; k++)
            if (!exclusive(u->writes.data[k].s, u->writes.data[i].s))
                check_clash(u, &u->writes.data[k], &u->writes.data[i]);
}

/* ---- read what was written ---- */

/* The proof of one read. */
struct cover {
    struct uses *uses;
    const struct use *read;
    isl_map *missing;   // instances of the reader -> elements no write before may have written
    isl_map *uncertain; // … that are not written in every run
    isl_point *example;
};

/* Reader's instances -> elements that w writes before. */
static __isl_give isl_map *written_before(const struct use *w, const struct poly_stmt *reader) {
    if (all_before(w->s, reader))
        return isl_map_from_domain_and_range(isl_set_copy(reader->domain),
                                             isl_map_range(isl_map_copy(w->a->map)));
    isl_map *m = isl_map_reverse(depend_before(w->s, reader));
    m = isl_map_intersect_domain(m, isl_set_copy(reader->domain));
    return isl_map_apply_range(m, isl_map_copy(w->a->map));
}

static bool is_around(const struct stmt *repeat, const struct poly_stmt *s) {
    for (int k = 0; k < s->num_repeats; k++)
        if (s->repeats[k] == repeat)
            return true;
    return false;
}

static const struct poly_branch *branch_of(const struct poly_stmt *s, const struct stmt *st) {
    for (int k = 0; k < s->num_branches; k++)
        if (s->branches[k].stmt == st)
            return &s->branches[k];
    return NULL;
}

/* Does w run whenever the program gets to where `reader` runs, if before it at all? */
static bool is_sure(const struct use *w, const struct poly_stmt *reader) {
    bool sure = w->a->must;
    for (int k = 0; k < w->s->num_branches && sure; k++)
        sure = w->s->branches[k].depth == 0 && branch_of(reader, w->s->branches[k].stmt);
    for (int k = 0; k < w->s->num_repeats && sure; k++)
        sure = w->s->repeats[k]->kind == STMT_SEQ || is_around(w->s->repeats[k], reader);
    return sure;
}

static __isl_give isl_map *nothing(const struct cover *c) {
    return isl_map_empty(isl_map_get_space(c->read->a->map));
}

static __isl_give isl_map *surely(struct cover *c, const struct stmt_list *list, int repeats);

static bool is_false(const struct expr *e) {
    return e->kind == EXPR_CONST && e->value.i == 0;
}

/* A list that never ends well leaves nothing to prove behind it. */
static bool always_fails(const struct stmt_list *list) {
    bool fails = false;
    for (const struct stmt *s = list->first; s; s = s->next)
        fails |= s->kind == STMT_REQUIRE && is_false(s->rhs);
    return fails;
}

static __isl_give isl_map *side_surely(struct cover *c, const struct stmt_list *list) {
    return always_fails(list) ? isl_map_universe(isl_map_get_space(c->read->a->map))
                              : surely(c, list, 0);
}

static __isl_give isl_map *if_surely(struct cover *c, const struct stmt *st, int repeats) {
    const struct poly_branch *b = branch_of(c->read->s, st);
    if (repeats)
        return nothing(c);
    if (b)
        return surely(c, b->orelse ? &st->orelse : &st->body, 0);
    isl_map *yes = side_surely(c, &st->body), *no = side_surely(c, &st->orelse);
    return isl_map_intersect(yes, no);
}

/* Reader's instances -> elements written in every run by a statement of the list, at every
 * depth, before the reader. */
static __isl_give isl_map *surely(struct cover *c, const struct stmt_list *list, int repeats) {
    isl_map *all = nothing(c);
    for (const struct stmt *st = list->first; st; st = st->next) {
        isl_map *m = NULL;
        if (st->kind == STMT_IF)
            m = if_surely(c, st, repeats);
        else if (st->kind == STMT_SEQ || (st->kind == STMT_WHILE && is_around(st, c->read->s)))
            m = surely(c, &st->body, repeats + 1);
        if (m)
            all = isl_map_union(all, m);
        for (int k = 0; k < c->uses->writes.len; k++) {
            const struct use *w = &c->uses->writes.data[k];
            if (w->s->stmt == st && w->a->must)
                all = isl_map_union(all, written_before(w, c->read->s));
        }
    }
    return all;
}

/* needed less what writes before may have written. */
static __isl_give isl_map *find_missing(const struct cover *c, __isl_take isl_map *needed,
                                        bool sure_only) {
    const struct poly_stmt *reader = c->read->s;
    for (int k = 0; k < c->uses->writes.len; k++) {
        const struct use *w = &c->uses->writes.data[k];
        if (!any_before(w->s, reader) || (sure_only && !is_sure(w, reader)))
            continue;
        if (all_before(w->s, reader))
            needed = isl_map_subtract_range(needed, isl_map_range(isl_map_copy(w->a->map)));
        else
            needed = isl_map_subtract(needed, written_before(w, reader));
    }
    return needed;
}

static void cover(void *user) {
    struct cover *c = user;
    isl_map *needed = isl_map_copy(c->read->a->map);
    c->missing = find_missing(c, needed, false);
    if (isl_map_is_empty(c->missing) == isl_bool_false) {
        c->example = poly_least_point(isl_map_wrap(isl_map_copy(c->missing)));
        return;
    }
    c->uncertain = find_missing(c, isl_map_copy(c->read->a->map), true);
    if (isl_map_is_empty(c->uncertain) == isl_bool_false)
        c->uncertain =
            isl_map_subtract(c->uncertain, surely(c, &c->uses->poly->loops->body, 0));
}

/* The statement that writes the element of the example, at whatever time; NULL: none. */
static const struct poly_stmt *find_writer(const struct cover *c) {
    const struct poly *p = c->uses->poly;
    for (int k = 0; k < c->uses->writes.len; k++) {
        const struct use *w = &c->uses->writes.data[k];
        isl_set *element = isl_set_universe(isl_set_get_space(p->storage[c->uses->root].box));
        element = fix(element, c->example, c->read->s->num_dims);
        isl_map *m = isl_map_intersect_range(isl_map_copy(w->a->map), element);
        bool writes = isl_map_is_empty(m) == isl_bool_false;
        isl_map_free(m);
        if (writes)
            return w->s;
    }
    return NULL;
}

static void report_missing(struct cover *c) {
    struct poly *p = c->uses->poly;
    const struct poly_stmt *s = c->read->s, *w = find_writer(c);
    const char *element =
        storage_element(p, c->uses->root, c->example, isl_dim_set, s->num_dims);
    const char *at = poly_at(p, s, c->example, s->num_dims);
    if (s->role == POLY_END && w)
        poly_error(p, w, "%s: is not sure to write %s of the output%s", poly_called(w), element,
                   at);
    else if (s->role == POLY_END)
        poly_error(p, s, "%s of the output is written by no statement%s", element, at);
    else if (w)
        poly_error(p, s, "%s: reads %s before %s writes it%s", poly_called(s), element,
                   poly_called(w), at);
    else
        poly_error(p, s, "%s: reads %s, which no statement writes%s", poly_called(s), element,
                   at);
}

/* Is there one write of everything before? */
static bool is_covered(const struct uses *u, const struct use *read) {
    for (int k = 0; k < u->writes.len; k++) {
        const struct use *w = &u->writes.data[k];
        if (w->whole && w->s->num_branches == 0 && all_before(w->s, read->s) &&
            is_sure(w, read->s))
            return read->a->inside;
    }
    return false;
}

static void check_read(struct uses *u, const struct use *read) {
    struct cover c = {.uses = u, .read = read};
    struct poly *p = u->poly;
    if (is_covered(u, read))
        return;
    bool done = poly_try(p, poly_loc(read->s), "that a read is written", cover, &c);
    bool exact = read->a->exact && !read->a->vague && !p->storage[u->root].opaque;
    if (done && c.example && exact)
        report_missing(&c);
    else if (!done || c.example || isl_map_is_empty(c.uncertain) != isl_bool_true)
        poly_unproven(p, poly_loc(read->s), "%s: that all it reads of %s is written",
                      poly_called(read->s), p->loops->arrays.data[u->root].name);
    isl_map_free(c.missing);
    isl_map_free(c.uncertain);
    isl_point_free(c.example);
}

/* ---- edges ---- */

struct pair {
    const struct use *from, *to;
    isl_map *map;
    isl_bool empty;
};

static void find_pair(void *user) {
    struct pair *x = user;
    isl_map *back = isl_map_reverse(isl_map_copy(x->to->a->map));
    x->map = isl_map_apply_range(isl_map_copy(x->from->a->map), back);
    if (!all_before(x->from->s, x->to->s))
        x->map = isl_map_intersect(x->map, depend_before(x->from->s, x->to->s));
    x->empty = isl_map_is_empty(x->map);
}

static void add_edge(struct uses *u, enum poly_kind kind, const struct use *from,
                     const struct use *to) {
    struct pair x = {.from = from, .to = to};
    if (!any_before(from->s, to->s))
        return;
    bool done = poly_try(u->poly, poly_loc(to->s), "a dependence", find_pair, &x);
    if (done && x.empty == isl_bool_true) {
        isl_map_free(x.map);
        return;
    }
    if (!done) { // all that can be
        isl_map_free(x.map);
        x.map = depend_before(from->s, to->s);
    }
    struct poly_edge e = {kind, from->s, to->s, u->root, x.map};
    vec_push(&u->poly->arena, &u->poly->edges, e);
    u->poly->figures.dependences++;
}

static void add_edges(struct uses *u) {
    for (int i = 0; i < u->writes.len; i++) {
        const struct use *w = &u->writes.data[i];
        for (int k = 0; k < u->reads.len; k++) {
            add_edge(u, POLY_FLOW, w, &u->reads.data[k]);
            add_edge(u, POLY_ANTI, &u->reads.data[k], w);
        }
        for (int k = 0; k < u->writes.len; k++)
            add_edge(u, POLY_OUTPUT, w, &u->writes.data[k]);
    }
}

/* ---- all arrays ---- */

struct whole {
    const struct poly *poly;
    const struct use *use;
    int root;
    isl_bool all;
};

static void find_whole(void *user) {
    struct whole *x = user;
    isl_set *range = isl_map_range(isl_map_copy(x->use->a->map));
    x->all = isl_set_is_subset(x->poly->storage[x->root].box, range);
    isl_set_free(range);
}

static void add_use(struct poly *p, struct uses *all, const struct poly_stmt *s,
                    const struct poly_access *a) {
    struct uses *u = &all[a->root];
    struct use use = {s, a, false};
    struct whole x = {p, &use, a->root, isl_bool_error};
    enum array_kind kind = p->loops->arrays.data[a->root].kind;
    if (kind != ARRAY_TEMP && kind != ARRAY_OUTPUT)
        return;
    u->poly = p;
    u->root = a->root;
    if (!a->write) {
        vec_push(&p->arena, &u->reads, use);
        return;
    }
    bool done = a->must && poly_try(p, poly_loc(s), "what is written", find_whole, &x);
    use.whole = done && x.all == isl_bool_true;
    vec_push(&p->arena, &u->writes, use);
}

bool poly_depend(struct poly *p) {
    int num = p->loops->arrays.len;
    struct uses *all = arena_array(&p->arena, struct uses, num);
    p->ok = true;
    for (int k = 0; k < p->stmts.len; k++)
        for (int i = 0; i < p->stmts.data[k]->accesses.len; i++)
            add_use(p, all, p->stmts.data[k], &p->stmts.data[k]->accesses.data[i]);
    for (int k = 0; k < num; k++) {
        check_written_once(&all[k]);
        for (int i = 0; i < all[k].reads.len; i++)
            check_read(&all[k], &all[k].reads.data[i]);
    }
    reuse_alias(p);
    for (int k = 0; k < num && p->ok; k++)
        add_edges(&all[k]);
    return p->ok;
}
