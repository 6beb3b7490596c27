/* Scalars and index expressions as C: int32_t arithmetic wherever every part of it provably
 * fits, else int64_t. */
#include "codegen/emit.h"

static void emit_index_in(struct emit *em, const struct expr *e, int min, bool wide);

void put_open(struct emit *em, int prec, int min) {
    if (prec < min)
        put(em, "(");
}

void put_close(struct emit *em, int prec, int min) {
    if (prec < min)
        put(em, ")");
}

/* ---- scalars in scope and ranges ---- */

const struct var *emit_var(struct emit *em, const char *name) {
    for (int i = em->vars.len - 1; i >= 0; i--) {
        if (em->vars.data[i].name != name)
            continue;
        if (i < em->fn.outer) {
            bool known = false;
            for (int k = 0; k < em->fn.captured.len; k++)
                known = known || em->fn.captured.data[k] == i;
            if (!known)
                vec_push(&em->arena, &em->fn.captured, i);
        }
        return &em->vars.data[i];
    }
    bug("scalar %s is not in scope", name);
}

static bool var_range(void *user, const char *name, int64_t *lo, int64_t *hi) {
    const struct emit *em = user;
    for (int i = em->vars.len - 1; i >= 0; i--) {
        const struct var *v = &em->vars.data[i];
        if (v->name != name)
            continue;
        *lo = v->lo;
        *hi = v->hi;
        return v->ranged;
    }
    return false;
}

bool emit_range(const struct emit *em, const struct expr *e, int64_t *lo, int64_t *hi) {
    return expr_range(e, var_range, (void *)em, lo, hi);
}

static bool range_fits32(const struct emit *em, const struct expr *e) {
    int64_t lo, hi;
    return emit_range(em, e, &lo, &hi) && lo >= INT32_MIN && hi <= INT32_MAX;
}

bool emit_fits32(const struct emit *em, const struct expr *e) {
    if (e->dtype != DTYPE_INDEX)
        return true; // a value inside clamp or check, or a condition: it has a mode of its own
    if (!range_fits32(em, e))
        return false;
    bool bound = e->kind == EXPR_FUNC && (e->func == FUNC_CLAMP || e->func == FUNC_CHECK);
    for (int k = bound; k < e->n; k++)
        if (!emit_fits32(em, e->arg[k]))
            return false;
    return true;
}

/* ---- index arithmetic ---- */

static void emit_index_var(struct emit *em, const char *name, int min, bool wide) {
    const struct var *v = emit_var(em, name);
    bool cast = wide && !v->wide;
    put_open(em, cast ? C_UNARY : C_POSTFIX, min);
    putf(em, cast ? "(int64_t)%s" : "%s", v->c);
    put_close(em, cast ? C_UNARY : C_POSTFIX, min);
}

static void emit_index_call(struct emit *em, const char *name, const struct expr *e,
                            bool wide) {
    const char *call = arena_printf(&em->arena, "nncc_%s_%s", name, wide ? "i64" : "i32");
    helper_add(&em->helpers, &em->arena, call);
    putf(em, "%s(", call);
    emit_index_in(em, e->arg[0], C_ANY, wide);
    put(em, ", ");
    emit_index_in(em, e->arg[1], C_ANY, wide);
    put(em, ")");
}

/* clamp and check: the first argument is an index or a value of any integer type, the result an
 * index. */
static void emit_index_bound(struct emit *em, const struct expr *e, int min, bool wide) {
    const struct expr *x = e->arg[0];
    bool is_index = x->dtype == DTYPE_INDEX, is_check = e->func == FUNC_CHECK;
    bool wide_bounds = wide || !emit_fits32(em, e->arg[1]) || !emit_fits32(em, e->arg[2]);
    enum dtype t =
        is_index ? (emit_fits32(em, x) ? DTYPE_I32 : DTYPE_I64) : dtype_wide(x->dtype);
    if (wide_bounds && t != DTYPE_U64)
        t = DTYPE_I64;
    bool narrow = !wide && dtype_info(t)->bits == 64;
    const char *call = arena_printf(&em->arena, "nncc_%s_%s", is_check ? "check" : "clamp",
                                    dtype_info(t)->text);
    helper_add(&em->helpers, &em->arena, call);
    put_open(em, narrow ? C_UNARY : C_POSTFIX, min);
    putf(em, "%s%s(", narrow ? "(int32_t)" : "", call);
    if (is_index)
        emit_index_in(em, x, C_ANY, t == DTYPE_I64);
    else
        emit_expr(em, x, C_ANY);
    for (int k = 1; k <= 2; k++) {
        put(em, ", ");
        emit_index_in(em, e->arg[k], C_ANY, wide_bounds);
    }
    put(em, is_check ? ", &error)" : ")");
    if (is_check)
        em->fn.error = em->fn.checks = em->fn.returns = true;
    put_close(em, narrow ? C_UNARY : C_POSTFIX, min);
}

/* The terms of a sum, each with its sign; at most MAX_TERMS. */
enum { MAX_TERMS = 32 };
struct sum {
    const struct expr *term[MAX_TERMS];
    bool negative[MAX_TERMS];
    int count;
};

static bool add_terms(struct sum *s, const struct expr *e, bool negative) {
    if (e->kind == EXPR_FUNC && (e->func == FUNC_ADD || e->func == FUNC_SUB))
        return add_terms(s, e->arg[0], negative) &&
               add_terms(s, e->arg[1], negative != (e->func == FUNC_SUB));
    if (s->count == MAX_TERMS)
        return false;
    s->term[s->count] = e;
    s->negative[s->count++] = negative;
    return true;
}

/* No partial sum overflows, in whatever order the terms are added. */
static bool sum_is_safe(const struct emit *em, const struct sum *s, bool wide) {
    int64_t total = 0, limit = wide ? INT64_MAX : INT32_MAX, lo, hi;
    for (int k = 0; k < s->count; k++) {
        if (!emit_range(em, s->term[k], &lo, &hi) || lo < -limit)
            return false;
        int64_t most = hi > -lo ? hi : -lo;
        if (most > limit - total)
            return false;
        total += most;
    }
    return true;
}

/* a + (b + c) - 1 without parentheses where the order of additions does not matter. */
static bool emit_index_sum(struct emit *em, const struct expr *e, int min, bool wide) {
    struct sum s = {.count = 0};
    if (!add_terms(&s, e, false) || s.negative[0] || !sum_is_safe(em, &s, wide))
        return false;
    put_open(em, C_ADD, min);
    for (int k = 0; k < s.count; k++) {
        if (k > 0)
            put(em, s.negative[k] ? " - " : " + ");
        emit_index_in(em, s.term[k], C_MUL, wide);
    }
    put_close(em, C_ADD, min);
    return true;
}

static void emit_index_operator(struct emit *em, const struct expr *e, int min, bool wide) {
    int prec = func_info(e->func)->prec;
    put_open(em, prec, min);
    emit_index_in(em, e->arg[0], prec, wide);
    putf(em, " %s ", func_info(e->func)->text);
    emit_index_in(em, e->arg[1], prec + 1, wide);
    put_close(em, prec, min);
}

/* C's division rounds towards zero: right where the numerator is never negative. */
static void emit_index_division(struct emit *em, const struct expr *e, int min, bool wide) {
    int64_t lo, hi;
    if (emit_range(em, e->arg[0], &lo, &hi) && lo >= 0)
        emit_index_operator(em, e, min, wide);
    else
        emit_index_call(em, e->func == FUNC_DIV ? "floordiv" : "floormod", e, wide);
}

static void emit_index_select(struct emit *em, const struct expr *e, int min, bool wide) {
    put_open(em, C_SELECT, min);
    emit_expr(em, e->arg[0], C_OR);
    put(em, " ? ");
    emit_index_in(em, e->arg[1], C_OR, wide);
    put(em, " : ");
    emit_index_in(em, e->arg[2], C_SELECT, wide);
    put_close(em, C_SELECT, min);
}

static void emit_index_func(struct emit *em, const struct expr *e, int min, bool wide) {
    switch (e->func) {
    case FUNC_ADD:
    case FUNC_SUB:
        if (!emit_index_sum(em, e, min, wide))
            emit_index_operator(em, e, min, wide);
        return;
    case FUNC_MUL:
        emit_index_operator(em, e, min, wide);
        return;
    case FUNC_DIV:
    case FUNC_REM:
    case FUNC_MOD:
        emit_index_division(em, e, min, wide);
        return;
    case FUNC_NEG:
        put_open(em, C_UNARY, min);
        put(em, "-");
        emit_index_in(em, e->arg[0], C_POSTFIX, wide);
        put_close(em, C_UNARY, min);
        return;
    case FUNC_MIN:
    case FUNC_MAX:
        emit_index_call(em, e->func == FUNC_MIN ? "min" : "max", e, wide);
        return;
    case FUNC_SELECT:
        emit_index_select(em, e, min, wide);
        return;
    case FUNC_CLAMP:
    case FUNC_CHECK:
        emit_index_bound(em, e, min, wide);
        return;
    default:
        bug("%s in an index expression", func_info(e->func)->text);
    }
}

static void emit_index_in(struct emit *em, const struct expr *e, int min, bool wide) {
    switch (e->kind) {
    case EXPR_CONST: {
        int prec = e->value.i < 0 ? C_UNARY : C_POSTFIX;
        put_open(em, prec, min);
        put_signed(em, e->value.i);
        put_close(em, prec, min);
        return;
    }
    case EXPR_VAR:
        emit_index_var(em, e->name, min, wide);
        return;
    case EXPR_FUNC:
        emit_index_func(em, e, min, wide);
        return;
    default: // a conversion; its arguments have their own modes
        emit_expr(em, e, min);
    }
}

void emit_index(struct emit *em, const struct expr *e, int min) {
    emit_index_in(em, e, min, !emit_fits32(em, e));
}

void emit_index_relation(struct emit *em, const struct expr *x, const char *op,
                         const struct expr *y, int min) {
    int prec = op[0] == '<' || op[0] == '>' ? C_COMPARE : C_COMPARE - 1;
    bool wide = !emit_fits32(em, x) || !emit_fits32(em, y);
    put_open(em, prec, min);
    emit_index_in(em, x, C_ADD, wide);
    putf(em, " %s ", op);
    emit_index_in(em, y, C_ADD, wide);
    put_close(em, prec, min);
}
