/* How accesses move in memory: the step in elements that an iterator makes. What is not a plain
 * sum has no stride. Along a dimension that a layout cuts into blocks it is the step inside a
 * block. */
#include "polyhedral/poly.h"

bool stride_coefficient(const struct expr *e, const char *name, int64_t *value) {
    int64_t x, y, factor;
    *value = 0;
    if (e->kind == EXPR_VAR) {
        *value = strcmp(e->name, name) == 0;
        return true;
    }
    bool known = true;
    if (e->kind == EXPR_FUNC && (e->func == FUNC_ADD || e->func == FUNC_SUB)) {
        known =
            stride_coefficient(e->arg[0], name, &x) && stride_coefficient(e->arg[1], name, &y);
        *value = known ? (e->func == FUNC_ADD ? x + y : x - y) : 0;
        return known;
    }
    if (e->kind == EXPR_FUNC && e->func == FUNC_MUL && expr_as_int(e->arg[1], &factor)) {
        known = stride_coefficient(e->arg[0], name, &x) && size_mul(x, factor, value);
        return known;
    }
    for (int k = 0; k < e->n && known; k++)
        known = stride_coefficient(e->arg[k], name, &x) && x == 0;
    return known;
}

/* *sum + times * step. */
static bool add_product(int64_t times, int64_t step, int64_t *sum) {
    int64_t moved;
    return !__builtin_mul_overflow(times, step, &moved) &&
           !__builtin_add_overflow(*sum, moved, sum);
}

/* The same under a layout. */
static bool stride_in_layout(const struct poly *p, const struct poly_access *a,
                             const char *name, int64_t *stride) {
    const struct array *array = &p->loops->arrays.data[a->array];
    int64_t step = 1, times;
    for (int k = array->layout_rank - 1; k >= 0; k--) {
        const struct layout_dim *d = &array->layout[k];
        if (!stride_coefficient(a->index[d->dim], name, &times))
            return false;
        times = times % d->div == 0 ? times / d->div : 0;
        if (!add_product(times, step, stride) ||
            !size_mul(step, layout_dim_size(p->loops, array, d), &step))
            return false;
    }
    return true;
}

bool stride_signed(const struct poly *p, const struct poly_access *a, const char *name,
                   int64_t *stride) {
    const struct array *array = &p->loops->arrays.data[a->array];
    int64_t step = 1, extent, times;
    *stride = 0;
    if (!a->index && array->rank > 0)
        return false;
    if (array->layout_rank)
        return stride_in_layout(p, a, name, stride);
    for (int d = array->rank - 1; d >= 0; d--) {
        if (!stride_coefficient(a->index[d], name, &times))
            return false;
        if (times && (step < 0 || !add_product(times, step, stride)))
            return false;
        if (!expr_as_int(array->extent[d], &extent) || step < 0 ||
            !size_mul(step, extent, &step))
            step = -1; // symbolic from here on
    }
    return true;
}

bool stride_of(const struct poly *p, const struct poly_access *a, const char *name,
               int64_t *stride) {
    return stride_signed(p, a, name, stride) && *stride >= 0;
}

bool stride_moves(const struct poly *p, const struct poly_access *a, const char *name) {
    int64_t step;
    return !stride_of(p, a, name, &step) || step != 0;
}
