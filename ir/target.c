/* What the choice of tiles and their printer must agree on (ir/target.h). */
#include "ir/target.h"

/* Does e call a function that vectors compute by a polynomial? */
static bool calls(const struct expr *e) {
    bool found = e->kind == EXPR_FUNC && func_info(e->func)->flags & FLAG_COSTLY;
    for (int k = 0; k < e->n && !found && e->kind != EXPR_REDUCE; k++)
        found = calls(e->arg[k]);
    return found;
}

int target_group(const struct target *target, const struct expr *value, const char *lane,
                 int64_t rows, int64_t lanes, int64_t in_one) {
    enum { MOST = 8, VALUES = 3, MANY_VALUES = 7 };
    const struct expr *reduce = expr_find(value, EXPR_REDUCE);
    int64_t needed = reduce ? rows : calls(value) ? MANY_VALUES : VALUES;
    needed += 1 + (expr_guards(value, lane) || (reduce && reduce->func != FUNC_ADD));
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
