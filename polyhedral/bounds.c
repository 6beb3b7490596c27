/* Every access inside its array: the image of the extended domain, guards and ranges of clamped
 * values included, is a subset of the array's box. */
#include "polyhedral/poly.h"

#include <inttypes.h>

struct proof {
    struct poly *poly;
    const struct poly_stmt *s;
    struct poly_access *a;
    isl_set *box;
    isl_bool inside;
    int dim;            // the first that leaves the array
    isl_point *example; // of the extended domain followed by the index
};

/* The box of dimension d alone. */
static __isl_give isl_set *side(__isl_keep isl_set *box, int d) {
    isl_set *s = isl_set_copy(box);
    int rank = (int)isl_set_dim(box, isl_dim_set);
    s = isl_set_eliminate(s, isl_dim_set, 0, (unsigned)d);
    return isl_set_eliminate(s, isl_dim_set, (unsigned)d + 1, (unsigned)(rank - d - 1));
}

static void prove(void *user) {
    struct proof *x = user;
    isl_set *range = isl_map_range(isl_map_copy(x->a->ext));
    x->inside = isl_set_is_subset(range, x->box);
    isl_set_free(range);
}

static void find_example(void *user) {
    struct proof *x = user;
    int rank = (int)isl_set_dim(x->box, isl_dim_set);
    for (x->dim = 0; x->dim < rank; x->dim++) {
        isl_map *bad = isl_map_subtract_range(isl_map_copy(x->a->ext), side(x->box, x->dim));
        if (isl_map_is_empty(bad) == isl_bool_false) {
            x->example = poly_least_point(isl_map_wrap(bad));
            return;
        }
        isl_map_free(bad);
    }
}

/* `a2[n,y + 2]`. */
static const char *access_text(struct poly *p, const struct poly_access *a) {
    struct str text = {0};
    str_add(&text, p->loops->arrays.data[a->array].name);
    for (int d = 0; a->index && d < p->loops->arrays.data[a->array].rank; d++) {
        str_add(&text, d ? "," : "[");
        expr_print(&text, a->index[d], p->array_names);
    }
    str_add(&text, a->index ? "]" : "");
    const char *result = arena_strdup(&p->arena, str_cstr(&text));
    str_free(&text);
    return result;
}

static void report(struct proof *x) {
    struct poly *p = x->poly;
    const struct array *array = &p->loops->arrays.data[x->a->array];
    struct str extent = {0}, where = {0};
    expr_print(&extent, array->extent[x->dim], p->array_names);
    if (array->rank > 1)
        str_addf(&where, " in dimension %d", x->dim);
    int n = x->s->num_ext;
    while (n > 0 && strcmp(x->s->dims[n - 1], "value") == 0)
        n--;
    poly_error(p, x->s, "%s: %s may be %" PRId64 "%s, its extent is %s%s", poly_called(x->s),
               access_text(p, x->a),
               poly_coordinate(x->example, isl_dim_set, x->s->num_ext + x->dim),
               str_cstr(&where), str_cstr(&extent), poly_at(p, x->s, x->example, n));
    str_free(&extent);
    str_free(&where);
}

static void check_access(struct poly *p, const struct poly_stmt *s, struct poly_access *a) {
    struct proof x = {.poly = p, .s = s, .a = a};
    const char *name = p->loops->arrays.data[a->array].name;
    x.box = storage_box(p, a->array);
    bool done = poly_try(p, poly_loc(s), "the bounds of an access", prove, &x);
    bool known = storage_is_affine(p, a->array);
    a->inside = done && known && x.inside == isl_bool_true && a->exact;
    if (!done || !known || (x.inside == isl_bool_false && a->vague))
        poly_unproven(p, poly_loc(s), "%s: that %s is inside", poly_called(s), name);
    else if (x.inside == isl_bool_false &&
             (!poly_try(p, poly_loc(s), "an example", find_example, &x) || !x.example))
        poly_error(p, s, "%s: an index of %s may leave it", poly_called(s), name);
    else if (x.inside == isl_bool_false)
        report(&x);
    isl_point_free(x.example);
    isl_set_free(x.box);
}

bool poly_bounds(struct poly *p) {
    p->ok = true;
    for (int k = 0; k < p->stmts.len; k++)
        for (int i = 0; i < p->stmts.data[k]->accesses.len; i++)
            check_access(p, p->stmts.data[k], &p->stmts.data[k]->accesses.data[i]);
    return p->ok;
}
