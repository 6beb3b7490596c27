/* What the choice of tiles and their printer must agree on (ir/target.h). */
#include "ir/target.h"

/* Does e call a function that vectors compute by a polynomial? */
static bool calls(const struct expr *e) {
    bool found = e->kind == EXPR_FUNC && func_info(e->func)->flags & FLAG_COSTLY;
    for (int k = 0; k < e->n && !found && e->kind != EXPR_REDUCE; k++)
        found = calls(e->arg[k]);
    return found;
}

/* Different loads that differ from lane to lane. */
struct lane_loads {
    const char *lane;
    const struct expr *load[8];
    int num;
};

static void note_load(void *user, const struct expr *e) {
    struct lane_loads *l = user;
    bool known = e->kind != EXPR_LOAD || !expr_mentions(e, l->lane);
    for (int k = 0; k < l->num && !known; k++)
        known = expr_equal(l->load[k], e);
    if (!known && l->num < (int)(sizeof l->load / sizeof *l->load))
        l->load[l->num++] = e;
}

/* Vectors that a step of the reduction needs beside its accumulators. */
static int vectors_of_step(const struct expr *reduce, const char *lane) {
    struct lane_loads l = {.lane = lane};
    expr_walk(reduce->arg[0], note_load, &l);
    return l.num > 1 ? l.num : 1;
}

int target_group(const struct target *target, const struct expr *value, const char *lane,
                 int64_t rows, int64_t lanes, int64_t in_one) {
    enum { MOST = 8, VALUES = 3, MANY_VALUES = 7 };
    const struct expr *reduce = expr_find(value, EXPR_REDUCE);
    int64_t needed = reduce         ? rows + vectors_of_step(reduce, lane)
                     : calls(value) ? MANY_VALUES + 1
                                    : VALUES + 1;
    needed += (expr_guards(value, lane) || (reduce && reduce->func != FUNC_ADD));
    int group = 1;
    while (2 * group <= MOST && needed * 2 * group <= target->registers &&
           group * in_one < lanes)
        group *= 2;
    return target->scalable ? group : 1;
}

struct target target_grouped(const struct target *target, int group) {
    struct target grouped = *target;
    grouped.group = group;
    grouped.vector_bytes *= group;
    grouped.registers /= group;
    return grouped;
}
