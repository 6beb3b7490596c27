/* How arrays share storage.
 *
 * A view is another shape of its root's row-major bytes, so an element is its linear address.
 * The address is split at strides that every shape of the root allows: a stride is a cut of a
 * shape when it is the stride of one of its dimensions or divides one (s | cut, cut | s *
 * extent). The coordinates are the digits between cuts: a dimension that spans a cut gives each
 * side its part by floor and mod, which is strip-mining; dimensions between two cuts share a
 * digit, which is their linear address. A root without views keeps its own dimensions. */
#include "polyhedral/poly.h"

#include <inttypes.h>

enum { MAX_CUTS = 64 };

/* One dimension of a shape: its stride in elements and the stride beyond it (INT64_MAX: there
 * is nothing beyond). */
struct span {
    int dim;
    int64_t from, to;
};

struct shape {
    struct span span[MAX_CUTS];
    int num;
};

static const struct array *array_of(const struct poly *p, int k) {
    return &p->loops->arrays.data[k];
}

/* The dimensions of an array that are not 1, innermost first; false when a stride is not
 * constant or there are no elements. */
static bool shape_of(const struct array *a, struct shape *s) {
    int64_t stride = 1, extent;
    *s = (struct shape){.num = 0};
    for (int d = a->rank - 1; d >= 0; d--) {
        bool known = expr_as_int(a->extent[d], &extent);
        if (known && extent == 1)
            continue;
        if (stride == INT64_MAX || s->num == MAX_CUTS - 1 || (known && extent == 0))
            return false;
        int64_t next = INT64_MAX;
        if (known && !size_mul(stride, extent, &next))
            return false;
        s->span[s->num++] = (struct span){d, stride, next};
        stride = next;
    }
    if (s->num)
        s->span[s->num - 1].to = INT64_MAX;
    return true;
}

static bool allows(const struct shape *s, int64_t cut) {
    for (int k = 0; k < s->num; k++) {
        const struct span *x = &s->span[k];
        if (x->from <= cut && cut < x->to)
            return cut % x->from == 0 && (x->to == INT64_MAX || x->to % cut == 0);
    }
    return true; // beyond a shape of one element
}

/* ---- the cuts of a root ---- */

struct cuts {
    int64_t at[MAX_CUTS]; // ascending, each divides the next; at[0] is 1
    int num;
    bool linear;
};

static bool allowed_by_all(const struct poly *p, int root, int64_t cut) {
    struct shape s;
    for (int k = 0; k < p->loops->arrays.len; k++)
        if (loops_root(p->loops, k) == root &&
            (!shape_of(array_of(p, k), &s) || !allows(&s, cut)))
            return false;
    return true;
}

/* The least stride of a shape of the root above `above`; INT64_MAX when there is none. */
static int64_t next_stride(const struct poly *p, int root, int64_t above) {
    int64_t best = INT64_MAX;
    struct shape s;
    for (int k = 0; k < p->loops->arrays.len; k++) {
        if (loops_root(p->loops, k) != root || !shape_of(array_of(p, k), &s))
            continue;
        for (int i = 0; i < s.num; i++)
            if (s.span[i].from > above && s.span[i].from < best)
                best = s.span[i].from;
    }
    return best;
}

static void find_cuts(const struct poly *p, int root, struct cuts *c) {
    *c = (struct cuts){.at = {1}, .num = 1};
    for (int64_t s = next_stride(p, root, 1); s != INT64_MAX && c->num < MAX_CUTS;
         s = next_stride(p, root, s)) {
        bool taken = s % c->at[c->num - 1] == 0 && allowed_by_all(p, root, s);
        if (taken)
            c->at[c->num++] = s;
        c->linear |= !taken;
    }
}

/* ---- places ---- */

static __isl_give isl_val *value(const struct poly *p, int64_t v) {
    return isl_val_int_from_si(p->ctx, v);
}

/* The part of dimension x that lies in [lo, hi), in units of lo's stride there. */
static __isl_give isl_aff *digit(const struct poly *p, __isl_keep isl_local_space *ls,
                                 const struct span *x, int64_t lo, int64_t hi) {
    int64_t from = x->from > lo ? x->from : lo;
    isl_aff *a = isl_aff_var_on_domain(isl_local_space_copy(ls), isl_dim_set, (unsigned)x->dim);
    if (from > x->from)
        a = isl_aff_floor(isl_aff_scale_down_val(a, value(p, from / x->from)));
    if (hi < x->to)
        a = isl_aff_mod_val(a, value(p, hi / from));
    return isl_aff_scale_val(a, value(p, from / lo));
}

/* index of `array` -> digits between the cuts, outermost first. */
static __isl_give isl_map *place_of(const struct poly *p, int array, const struct cuts *c) {
    struct shape s;
    shape_of(array_of(p, array), &s);
    isl_space *space = poly_space(p, array_of(p, array)->rank);
    isl_local_space *ls = isl_local_space_from_space(isl_space_copy(space));
    isl_space *range = poly_space(p, c->num);
    isl_multi_aff *m = isl_multi_aff_zero(isl_space_map_from_domain_and_range(space, range));
    for (int k = 0; k < c->num; k++) {
        int64_t lo = c->at[k], hi = k + 1 < c->num ? c->at[k + 1] : INT64_MAX;
        isl_aff *sum = isl_aff_zero_on_domain(isl_local_space_copy(ls));
        for (int i = 0; i < s.num; i++)
            if (s.span[i].from < hi && s.span[i].to > lo)
                sum = isl_aff_add(sum, digit(p, ls, &s.span[i], lo, hi));
        m = isl_multi_aff_set_aff(m, c->num - 1 - k, sum);
    }
    isl_local_space_free(ls);
    isl_map *map = isl_map_from_multi_aff(m);
    return isl_map_intersect_domain(map, storage_box(p, array));
}

bool storage_is_affine(const struct poly *p, int array) {
    const struct array *a = array_of(p, array);
    struct affine s = {.poly = p, .num_names = a->rank, .first_value = 0};
    bool ok = true;
    for (int d = 0; d < a->rank; d++)
        ok &= affine_is(&s, a->extent[d]);
    return ok;
}

__isl_give isl_set *storage_box(const struct poly *p, int array) {
    const struct array *a = array_of(p, array);
    isl_set *box = isl_set_universe(poly_space(p, a->rank));
    struct affine s = {.poly = p, .num_names = a->rank, .first_value = 0};
    for (int d = 0; d < a->rank; d++) {
        int64_t extent;
        box = isl_set_lower_bound_si(box, isl_dim_set, (unsigned)d, 0);
        if (expr_as_int(a->extent[d], &extent)) {
            box = isl_set_upper_bound_val(box, isl_dim_set, (unsigned)d, value(p, extent - 1));
        } else if (affine_is(&s, a->extent[d])) {
            isl_local_space *ls = isl_local_space_from_space(poly_space(p, a->rank));
            isl_aff *x = isl_aff_var_on_domain(ls, isl_dim_set, (unsigned)d);
            isl_set *below =
                isl_pw_aff_lt_set(isl_pw_aff_from_aff(x), affine_index(&s, a->extent[d]));
            box = isl_set_intersect(box, below);
        }
    }
    return isl_set_intersect_params(box, isl_set_copy(p->context));
}

static __isl_give isl_set *named(const struct poly *p, __isl_take isl_set *set, int root) {
    return isl_set_set_tuple_name(set, p->root_names[root]);
}

/* A root some of whose shapes have strides that are not constant: all its elements are one. */
static void import_opaque(struct poly *p, int root, struct poly_storage *s) {
    s->opaque = s->linear = true;
    s->box = named(p, isl_set_universe(poly_space(p, 0)), root);
    for (int k = 0; k < p->loops->arrays.len; k++) {
        if (loops_root(p->loops, k) != root)
            continue;
        isl_map *m = isl_map_from_domain_and_range(storage_box(p, k),
                                                   isl_set_universe(poly_space(p, 0)));
        p->place[k] = isl_map_set_tuple_name(m, isl_dim_out, p->root_names[root]);
    }
}

static void import_root(struct poly *p, int root) {
    struct poly_storage *s = &p->storage[root];
    bool views = false, constant = true;
    struct shape shape;
    struct cuts cuts;
    for (int k = 0; k < p->loops->arrays.len; k++) {
        bool mine = loops_root(p->loops, k) == root;
        views |= mine && k != root;
        constant &= !mine || shape_of(array_of(p, k), &shape);
    }
    if (!views) {
        s->num = array_of(p, root)->rank;
        s->box = named(p, storage_box(p, root), root);
        return;
    }
    if (!constant) {
        import_opaque(p, root, s);
        return;
    }
    find_cuts(p, root, &cuts);
    s->num = cuts.num;
    s->linear = cuts.linear;
    int64_t *stride = arena_array(&p->arena, int64_t, cuts.num);
    for (int k = 0; k < cuts.num; k++)
        stride[k] = cuts.at[cuts.num - 1 - k];
    s->stride = stride;
    for (int k = 0; k < p->loops->arrays.len; k++)
        if (loops_root(p->loops, k) == root)
            p->place[k] =
                isl_map_set_tuple_name(place_of(p, k, &cuts), isl_dim_out, p->root_names[root]);
    s->box = isl_map_range(isl_map_copy(p->place[root]));
}

struct import {
    struct poly *poly;
    int root;
};

static void import_one(void *user) {
    struct import *i = user;
    import_root(i->poly, i->root);
}

/* Gives up on a root: what import_one made of it goes. */
static void reset(struct poly *p, int root) {
    for (int k = 0; k < p->loops->arrays.len; k++)
        if (loops_root(p->loops, k) == root)
            p->place[k] = isl_map_free(p->place[k]);
    isl_set_free(p->storage[root].box);
    p->storage[root] = (struct poly_storage){.num = 0};
    import_opaque(p, root, &p->storage[root]);
}

void storage_import(struct poly *p) {
    int num = p->loops->arrays.len;
    p->storage = arena_array(&p->arena, struct poly_storage, num);
    p->place = arena_array(&p->arena, isl_map *, num);
    for (int k = 0; k < num; k++) {
        struct import i = {p, k};
        if (loops_root(p->loops, k) != k)
            continue;
        if (!poly_try(p, (struct loc){0}, "storage", import_one, &i))
            reset(p, k);
        p->figures.linear += p->storage[k].linear;
        if (p->storage[k].linear)
            diag_remark(p->diag, REMARK_ANALYSIS, (struct loc){0},
                        "%s: its views have no common strides: elements are told apart by %s",
                        array_of(p, k)->name,
                        p->storage[k].opaque ? "nothing" : "linear address");
    }
}

/* ---- messages ---- */

const char *storage_element(struct poly *p, int root, __isl_keep isl_point *point,
                            enum isl_dim_type type, int first) {
    const struct poly_storage *s = &p->storage[root];
    const struct array *a = array_of(p, root);
    if (s->opaque || !a->rank)
        return a->name;
    int64_t *index = arena_array(&p->arena, int64_t, a->rank), linear = 0, extent;
    for (int k = 0; k < s->num; k++) {
        int64_t digit_k = poly_coordinate(point, type, first + k);
        if (s->stride)
            linear += digit_k * s->stride[k];
        else
            index[k] = digit_k;
    }
    for (int d = a->rank - 1; d >= 0 && s->stride; d--) {
        bool known = expr_as_int(a->extent[d], &extent);
        index[d] = known ? linear % extent : linear;
        linear = known ? linear / extent : 0;
    }
    struct str text = {0};
    str_add(&text, a->name);
    for (int d = 0; d < a->rank; d++)
        str_addf(&text, "%s%" PRId64, d ? "," : "[", index[d]);
    str_add(&text, "]");
    const char *result = arena_strdup(&p->arena, str_cstr(&text));
    str_free(&text);
    return result;
}
