/* Expressions as C: the spelling columns of ir/functions.def with as few parentheses as
 * compilers accept without a warning, and index arithmetic in int32_t wherever every part of it
 * provably fits. */
#include "codegen/emit.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* ---- constants ---- */

/* The fewest digits that read back as the same value. */
static void put_real(struct emit *em, double v, bool single) {
    char text[40];
    int most = single ? 9 : 17;
    for (int digits = 1; digits <= most; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (single ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v)
            break;
    }
    put(em, text);
    if (!strpbrk(text, ".e"))
        put(em, ".0");
    put(em, single ? "f" : "");
}

static void put_float(struct emit *em, enum dtype t, double v) {
    if (isfinite(v)) {
        put_real(em, v, t == DTYPE_F32);
        return;
    }
    em->math = true;
    put(em, v < 0 ? "-" : "");
    put(em, t == DTYPE_F64 ? "(double)" : "");
    put(em, v != v ? "NAN" : "INFINITY");
}

void put_signed(struct emit *em, int64_t v) {
    if (v == INT64_MIN || v == INT32_MIN)
        put(em, v == INT64_MIN ? "INT64_MIN" : "INT32_MIN");
    else
        putf(em, v > INT32_MAX || v < INT32_MIN ? "INT64_C(%" PRId64 ")" : "%" PRId64, v);
}

void emit_constant(struct emit *em, enum dtype t, union scalar v) {
    if (dtype_is_float(t))
        put_float(em, t, v.f);
    else if (t == DTYPE_U64)
        putf(em, v.u > UINT32_MAX ? "UINT64_C(%" PRIu64 ")" : "%" PRIu64 "u", v.u);
    else if (t == DTYPE_U32)
        putf(em, "%" PRId64 "u", v.i);
    else
        put_signed(em, v.i);
}

/* ---- functions by their template ---- */

/* How a binary operator constrains its arguments: `left` and `right` are the least precedence
 * that needs no parentheses. Beyond C's grammar compilers want them where && meets ||, and
 * where shifts, bit operators or comparisons meet other operators. */
static void operator_needs(char op, char second, int *left, int *right) {
    bool logical = (op == '&' || op == '|') && second == op;
    *left = *right = op == '?' ? C_OR : logical ? C_COMPARE - 1 : C_UNARY;
    if (op == '+' || op == '-' || op == '*' || op == '/' || op == '%') {
        *left = op == '+' || op == '-' ? C_ADD : C_MUL;
        *right = *left + 1;
    } else if (op == '<' || op == '>' || op == '=' || op == '!') {
        *left = *right = second == op && op != '=' ? C_UNARY : C_ADD;
    } else if (op == ':') {
        *right = C_SELECT;
    }
}

/* The least precedence that argument at `at` of a template may have without parentheses. */
static int slot_needs(const char *text, const char *at) {
    int left, right;
    char before = at > text ? at[-1] : '\0';
    if (at[2] == ' ' && before != ' ') { // the left of an operator
        operator_needs(at[3], at[4], &left, &right);
        return before == ')' ? C_UNARY : left;
    }
    if (before == '-')
        return C_POSTFIX; // - -x must not become --x
    if (before == ')' || before == '!' || before == '~')
        return C_UNARY;
    if (before != ' ' || at[-2] == ',')
        return C_ANY;
    const char *op = at - 2;
    while (op > text && op[-1] != ' ')
        op--;
    operator_needs(op[0], op[1], &left, &right);
    return right;
}

/* Precedence of what a template spells. */
static int template_prec(const char *text) {
    if (strncmp(text, "($t)", 4) == 0 || text[0] == '-' || text[0] == '~')
        return C_UNARY;
    if (text[0] == '!')
        return C_NOT;
    if (text[0] != '$' || text[2] != ' ')
        return C_POSTFIX;
    switch (text[3]) {
    case '+':
    case '-':
        return C_ADD;
    case '*':
    case '/':
        return C_MUL;
    case '?':
        return C_SELECT;
    case '&':
        return C_AND;
    case '|':
        return C_OR;
    default:
        return C_COMPARE - (text[3] == '=' || text[3] == '!');
    }
}

void emit_note_library(struct emit *em, int bytes) {
    if (bytes > em->fn.frame.library)
        em->fn.frame.library = bytes;
}

/* Notes a helper, or <math.h> and its stack, for a call that begins the template of f, behind a
 * cast perhaps. */
static void note_call(struct emit *em, enum func f, const char *text, enum dtype t) {
    text += strncmp(text, "($t)", 4) == 0 ? 4 : 0;
    const char *paren = strchr(text, '(');
    if (!paren || text[0] < 'a' || text[0] > 'z')
        return;
    struct str name = {0}, call = {0};
    str_add_len(&name, text, (size_t)(paren - text));
    template_put(&call, str_cstr(&name), t);
    bool helper = strncmp(str_cstr(&call), "nncc_", 5) == 0;
    if (helper)
        helper_add(&em->helpers, &em->arena, str_cstr(&call));
    if (!helper || (f == FUNC_MOD && dtype_is_float(t)))
        emit_note_library(em, stack_of_function(f, t));
    em->math = em->math || !helper;
    str_free(&name);
    str_free(&call);
}

/* A function's result in a packed type keeps its low bits by a helper, not by a cast. */
static const char *wrapped_template(struct emit *em, enum func f, const char *text,
                                    enum dtype t) {
    if (dtype_info(t)->bits >= 8 || strncmp(text, "($t)", 4) != 0)
        return text;
    const char *wrap = arena_printf(&em->arena, "nncc_wrap_%s", dtype_info(t)->text);
    helper_add(&em->helpers, &em->arena, wrap);
    note_call(em, f, text, t);
    return arena_printf(&em->arena, text[4] == '(' ? "%s%s" : "%s(%s)", wrap, text + 4);
}

/* a && b && c needs no parentheses on the left. */
static bool same_logic(const struct expr *e, const struct expr *arg) {
    return arg->kind == EXPR_FUNC && arg->func == e->func &&
           (e->func == FUNC_AND || e->func == FUNC_OR);
}

static void emit_template(struct emit *em, const struct expr *e, int min, enum dtype t) {
    const struct func_info *info = func_info(e->func);
    const char *text = dtype_is_float(t) ? info->c_float : info->c_int;
    text = e->dtype == t ? wrapped_template(em, e->func, text, t) : text;
    note_call(em, e->func, text, t);
    int prec = template_prec(text);
    put_open(em, prec, min);
    for (const char *at = template_put(em->fn.out, text, t); *at;
         at = template_put(em->fn.out, at + 2, t)) {
        const struct expr *arg = e->arg[at[1] - '0'];
        emit_expr(em, arg, at == text && same_logic(e, arg) ? prec : slot_needs(text, at));
    }
    put_close(em, prec, min);
}

/* ---- comparisons that every value answers alike, which compilers warn about ---- */

/* Is constant c the limit that makes `x op c` the same for all x of its type? Then *answer is
 * it. */
static bool limit_answers(enum func f, enum dtype t, const struct expr *c, bool *answer) {
    union scalar lo, hi;
    if (c->kind != EXPR_CONST)
        return false;
    dtype_limits(t, &lo, &hi);
    bool low = c->value.i == lo.i, high = c->value.i == hi.i;
    *answer = f == FUNC_GE || f == FUNC_LE;
    return (low && (f == FUNC_LT || f == FUNC_GE)) || (high && (f == FUNC_GT || f == FUNC_LE));
}

static enum func swapped(enum func f) {
    return f == FUNC_LT   ? FUNC_GT
           : f == FUNC_GT ? FUNC_LT
           : f == FUNC_LE ? FUNC_GE
           : f == FUNC_GE ? FUNC_LE
                          : f;
}

/* Comparisons of integers with the answer known from their types or because both sides are one.
 */
static bool compare_answers(const struct expr *e, bool *answer) {
    const struct expr *x = e->arg[0], *y = e->arg[1];
    if (dtype_is_float(x->dtype) || x->dtype == DTYPE_INDEX)
        return false;
    if (expr_equal(x, y)) {
        *answer = e->func == FUNC_EQ || e->func == FUNC_LE || e->func == FUNC_GE;
        return !expr_has_check(x);
    }
    if (x->dtype == DTYPE_BOOL)
        return false;
    return (limit_answers(e->func, x->dtype, y, answer) && !expr_has_check(x)) ||
           (limit_answers(swapped(e->func), x->dtype, x, answer) && !expr_has_check(y));
}

/* x + -2.0f as x - 2.0f, which is the same. */
static const struct expr *without_negative(struct emit *em, const struct expr *e) {
    if (e->func != FUNC_ADD || !dtype_is_float(e->dtype) || e->arg[1]->kind != EXPR_CONST)
        return e;
    double v = e->arg[1]->value.f;
    if (!signbit(v) || !isfinite(v))
        return e;
    const struct expr *c = expr_float(&em->arena, e->dtype, -v);
    const struct expr *sub = expr_2(&em->arena, FUNC_SUB, e->arg[0], c);
    return sub->kind == EXPR_FUNC ? sub : e;
}

static void emit_func(struct emit *em, const struct expr *e, int min) {
    bool answer, compare = func_info(e->func)->rule == RULE_COMPARE;
    const struct expr *operand = e->arg[func_info(e->func)->rule == RULE_SELECT];
    if (compare && operand->dtype == DTYPE_INDEX)
        emit_index_relation(em, e->arg[0], func_info(e->func)->text, e->arg[1], min);
    else if (compare && compare_answers(e, &answer))
        put(em, answer ? "1" : "0");
    else
        emit_template(em, without_negative(em, e), min, operand->dtype);
}

/* ---- conversions ---- */

static void emit_call_1(struct emit *em, const char *name, const struct expr *arg) {
    helper_add(&em->helpers, &em->arena, name);
    putf(em, "%s(", name);
    emit_expr(em, arg, C_ANY);
    put(em, ")");
}

static void emit_to_bool(struct emit *em, const struct expr *e, int min) {
    const struct expr *x = e->arg[0];
    int prec = C_COMPARE - 1;
    put_open(em, prec, min);
    emit_expr(em, x, C_ADD);
    put(em, x->dtype == DTYPE_F32 ? " != 0.0f" : x->dtype == DTYPE_F64 ? " != 0.0" : " != 0");
    put_close(em, prec, min);
}

/* Is x clamped by constants that the integer type t holds? Then no value saturates. The
 * constant must come second in max and min: NaN becomes it there. */
static bool is_clamped(const struct expr *x, enum dtype t) {
    double bound[2] = {0, 0}; // max, min
    bool found[2] = {false, false};
    for (int k = 0; k < 2 && x->kind == EXPR_FUNC; k++, x = x->arg[0]) {
        bool is_min = x->func == FUNC_MIN;
        if ((!is_min && x->func != FUNC_MAX) || x->arg[1]->kind != EXPR_CONST)
            return false;
        bound[is_min] = x->arg[1]->value.f;
        found[is_min] = true;
    }
    union scalar lo = func_identity(FUNC_MAX, t), hi = func_identity(FUNC_MIN, t);
    return found[0] && found[1] && dtype_info(t)->bits >= 8 && dtype_info(t)->bits < 32 &&
           bound[0] >= (double)lo.i && bound[1] <= (double)hi.i && bound[0] <= bound[1];
}

/* As dtype_convert: integers wrap, floats saturate. */
static void emit_cast(struct emit *em, const struct expr *e, int min) {
    const struct expr *x = e->arg[0];
    const struct dtype_info *to = dtype_info(e->dtype), *from = dtype_info(x->dtype);
    bool saturates = from->kind == KIND_FLOAT && to->kind != KIND_FLOAT &&
                     (e->dtype == DTYPE_INDEX || !is_clamped(x, e->dtype));
    if (e->dtype == DTYPE_BOOL) {
        emit_to_bool(em, e, min);
    } else if (saturates) {
        const char *to_text = e->dtype == DTYPE_INDEX ? "i64" : to->text;
        emit_call_1(em, arena_printf(&em->arena, "nncc_to_%s_%s", to_text, from->text), x);
    } else if (to->bits < 8) {
        emit_call_1(em, arena_printf(&em->arena, "nncc_wrap_%s", to->text), x);
    } else {
        put_open(em, C_UNARY, min);
        putf(em, "(%s)", e->dtype == DTYPE_INDEX ? "int64_t" : to->c_type);
        emit_expr(em, x, C_UNARY);
        put_close(em, C_UNARY, min);
    }
}

/* ---- memory ---- */

const char *emit_element_type(enum dtype t) {
    return dtype_info(t)->bits < 8 ? "uint8_t" : dtype_info(t)->c_type;
}

const char *emit_buffer(const struct emit *em, int buffer) {
    if (em->fn.is_nest)
        em->fn.printed[buffer] = true;
    else
        em->named[buffer] = true;
    return em->fn.is_nest ? em->ast->buffers.data[buffer].name : em->buffer_c[buffer];
}

static void emit_load(struct emit *em, const struct expr *e) {
    const struct buffer *b = &em->ast->buffers.data[e->array];
    if (dtype_info(b->dtype)->bits >= 8) {
        putf(em, "%s[", emit_buffer(em, e->array));
        emit_expr(em, e->arg[0], C_ANY);
        put(em, "]");
        return;
    }
    const char *load = arena_printf(&em->arena, "nncc_load_%s", dtype_info(b->dtype)->text);
    helper_add(&em->helpers, &em->arena, load);
    putf(em, "%s(%s, (size_t)", load, emit_buffer(em, e->array));
    emit_expr(em, e->arg[0], C_UNARY);
    put(em, ")");
}

/* One bound of a guard unless it always holds: `lo <= e` or `e < hi`. */
static void emit_bound(struct emit *em, const struct expr *x, const char *op,
                       const struct expr *y, int *count) {
    int64_t xlo, xhi, ylo, yhi;
    bool known = emit_range(em, x, &xlo, &xhi) && emit_range(em, y, &ylo, &yhi);
    if (known && (op[1] ? xhi <= ylo : xhi < ylo))
        return;
    put(em, (*count)++ ? " && " : "");
    emit_index_relation(em, x, op, y, C_ANY);
}

/* The load is evaluated only inside the bounds, as ?: does. */
static void emit_guard(struct emit *em, const struct expr *e, int min) {
    struct str cond = {0}, *out = em->fn.out;
    int count = 0;
    em->fn.out = &cond;
    for (int k = 2; k < e->n; k += 3) {
        emit_bound(em, e->arg[k + 1], "<=", e->arg[k], &count);
        emit_bound(em, e->arg[k], "<", e->arg[k + 2], &count);
    }
    em->fn.out = out;
    if (count == 0) {
        emit_expr(em, e->arg[0], min);
    } else {
        put_open(em, C_SELECT, min);
        put(em, str_cstr(&cond));
        put(em, " ? ");
        emit_expr(em, e->arg[0], C_OR);
        put(em, " : ");
        emit_expr(em, e->arg[1], C_SELECT);
        put_close(em, C_SELECT, min);
    }
    str_free(&cond);
}

/* ---- any expression ---- */

static void emit_value_constant(struct emit *em, const struct expr *e, int min) {
    bool negative = dtype_is_float(e->dtype) ? signbit(e->value.f) || !isfinite(e->value.f)
                                             : e->dtype != DTYPE_U64 && e->value.i < 0;
    int prec = negative ? C_UNARY : C_POSTFIX;
    put_open(em, prec, min);
    emit_constant(em, e->dtype, e->value);
    put_close(em, prec, min);
}

void emit_expr(struct emit *em, const struct expr *e, int min) {
    bool convertible =
        e->kind == EXPR_CAST; // to an index; everything else of that type is arithmetic
    if (e->dtype == DTYPE_INDEX && !convertible) {
        emit_index(em, e, min);
        return;
    }
    switch (e->kind) {
    case EXPR_CONST:
        emit_value_constant(em, e, min);
        return;
    case EXPR_VAR:
        put(em, emit_var(em, e->name)->c);
        return;
    case EXPR_FUNC:
        emit_func(em, e, min);
        return;
    case EXPR_CAST:
        emit_cast(em, e, min);
        return;
    case EXPR_LOAD:
        emit_load(em, e);
        return;
    case EXPR_GUARD:
        emit_guard(em, e, min);
        return;
    case EXPR_REDUCE:
        if (!em->reduce || !expr_equal(e, em->reduce))
            bug("a reduce where no statement can hold it");
        put(em, "acc");
        return;
    }
}
