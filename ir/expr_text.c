/* Expressions as text, both ways: precedence climbing in, fewest parentheses out.
 *
 * A literal without suffix has no type until something beside it gives it one. The reader keeps
 * such literals, and functions of nothing else, as nodes of type DTYPE_NONE ("loose") and types
 * them when the other operand, the place or the default is known. Loose nodes are plain: no
 * builder sees them. */
#include "ir/expr.h"

#include "ir/diag.h"
#include "ir/text.h"
#include <inttypes.h>

enum {
    MAX_NESTING = 200, // of parentheses and calls
    MAX_HEIGHT = 1000, // of the tree, so also of chains like a + b + c
    MAX_ITERS = 32,    // of one reduce
    MAX_BOUNDS = 64,   // of one guard
    MAX_INDICES = 32,  // of one load
    PREC_SELECT = 2,   // ?:
    PREC_OPERAND = 10, // above comparisons: what stands in a guard's bounds
    PREC_UNARY = 13,
};

/* The iterators of the reduces being read, innermost first. */
struct frame {
    const char *names[MAX_ITERS];
    int n;
    const struct frame *up;
};

struct reader {
    struct text *t;
    const struct expr_scope *scope;
    const struct frame *frames;
    int nesting;
};

static const struct expr *read_expr(struct reader *r, int prec, enum dtype want);

/* ---- loose literals ---- */

/* How a loose constant was written, in expr.n. */
enum { WRITTEN_INT, WRITTEN_NEGATIVE, WRITTEN_FLOAT, WRITTEN_NEGATIVE_FLOAT };

static struct expr *loose_node(struct reader *r, enum expr_kind kind) {
    struct expr *e = arena_new(r->t->arena, struct expr);
    e->kind = kind;
    e->dtype = DTYPE_NONE;
    return e;
}

static const struct expr *loose_func(struct reader *r, enum func f,
                                     const struct expr *const *arg) {
    struct expr *e = loose_node(r, EXPR_FUNC);
    e->func = f;
    e->n = func_info(f)->arity;
    e->arg = arena_copy(r->t->arena, arg, (size_t)e->n * sizeof *arg);
    for (int k = 0; k < e->n; k++)
        if (arg[k]->height >= e->height)
            e->height = arg[k]->height + 1;
    return e;
}

static bool is_loose(const struct expr *e) {
    return e->dtype == DTYPE_NONE;
}

static bool has_float(const struct expr *e) {
    if (e->kind == EXPR_CONST)
        return is_loose(e) && e->n >= WRITTEN_FLOAT;
    for (int k = 0; k < e->n; k++)
        if (is_loose(e->arg[k]) && has_float(e->arg[k]))
            return true;
    return false;
}

static const struct expr *build(struct reader *r, enum func f, const struct expr *const *arg);

/* The loose node e as type t; NULL after an error. What is typed already is returned as it is.
 */
static const struct expr *resolve(struct reader *r, const struct expr *e, enum dtype t) {
    if (!e || !is_loose(e))
        return e;
    if (e->kind == EXPR_FUNC) {
        const struct expr *arg[3] = {NULL};
        for (int k = 0; k < e->n; k++)
            if (!(arg[k] = resolve(r, e->arg[k], t)))
                return NULL;
        return build(r, e->func, arg);
    }
    struct tok number = {.is_float = e->n >= WRITTEN_FLOAT, .value = e->value};
    bool negative = e->n == WRITTEN_NEGATIVE || e->n == WRITTEN_NEGATIVE_FLOAT;
    union scalar v;
    if (text_number_fits(&number, negative, t, &v))
        return expr_const(r->t->arena, t, v);
    if (number.is_float)
        text_error(r->t, "%s%g is no %s", negative ? "-" : "", e->value.f, dtype_info(t)->text);
    else
        text_error(r->t, "%s%" PRIu64 " is no %s", negative ? "-" : "", e->value.u,
                   dtype_info(t)->text);
    return NULL;
}

/* With the type that the place wants, else the default: f32 when a float stands in it, else
 * index. */
static const struct expr *resolve_alone(struct reader *r, const struct expr *e,
                                        enum dtype want) {
    if (!e || !is_loose(e))
        return e;
    return resolve(r, e, want ? want : has_float(e) ? DTYPE_F32 : DTYPE_INDEX);
}

/* ---- typed building ---- */

/* f on typed arguments; NULL after an error. */
static const struct expr *build(struct reader *r, enum func f, const struct expr *const *arg) {
    const struct func_info *info = func_info(f);
    enum dtype types[3] = {DTYPE_NONE};
    struct str found = {0};
    for (int k = 0; k < info->arity; k++) {
        types[k] = arg[k]->dtype;
        str_addf(&found, "%s%s", k ? ", " : "", dtype_info(types[k])->text);
    }
    int64_t divisor;
    const struct expr *e = NULL;
    bool divides = f == FUNC_DIV || f == FUNC_REM || f == FUNC_MOD;
    if (func_result(f, types) == DTYPE_NONE)
        text_error(r->t, "'%s' does not take %s", info->text, found.data);
    else if (divides && types[0] == DTYPE_INDEX && expr_as_int(arg[1], &divisor) &&
             divisor <= 0)
        text_error(r->t, "an index divided by %" PRId64, divisor);
    else
        e = expr_func(r->t->arena, f, arg, info->arity);
    str_free(&found);
    return e;
}

/* The arguments [first, last] of f are those that share a type. */
static void shared_args(enum func f, int *first, int *last) {
    const struct func_info *info = func_info(f);
    *first = info->rule == RULE_SELECT;
    *last = info->rule == RULE_INDEX ? 0 : info->arity - 1;
}

/* f on arguments of which some may be loose: they take the type of the first typed one among
 * those that share a type. All loose: f stays loose where its type is theirs, else they take
 * their default. */
static const struct expr *apply(struct reader *r, enum func f, const struct expr **arg) {
    const struct func_info *info = func_info(f);
    int first, last;
    shared_args(f, &first, &last);
    enum dtype t = DTYPE_NONE, alone = DTYPE_INDEX;
    for (int k = first; k <= last; k++) {
        t = t ? t : arg[k]->dtype;
        if (is_loose(arg[k]) && has_float(arg[k]))
            alone = DTYPE_F32;
    }
    bool loose = t == DTYPE_NONE && (info->rule == RULE_SAME || info->rule == RULE_SELECT);
    for (int k = 0; k < info->arity; k++) {
        if (k < first || k > last) // a condition, a bound
            arg[k] = resolve(r, arg[k], DTYPE_INDEX);
        else if (!loose)
            arg[k] = resolve(r, arg[k], t ? t : alone);
        if (!arg[k])
            return NULL;
    }
    return loose ? loose_func(r, f, arg) : build(r, f, arg);
}

/* ---- reading ---- */

static const struct expr *fail(struct reader *r, const char *what) {
    text_error(r->t, "%s", what);
    return NULL;
}

/* A typed index expression up to the next token it cannot hold. */
static const struct expr *read_index(struct reader *r, int prec) {
    const struct expr *e = resolve_alone(r, read_expr(r, prec, DTYPE_INDEX), DTYPE_INDEX);
    if (e && e->dtype != DTYPE_INDEX) {
        text_error(r->t, "expected an index, found an expression of type %s",
                   dtype_info(e->dtype)->text);
        return NULL;
    }
    return e;
}

/* A number, negated if a `-` stood before it. */
static const struct expr *read_number(struct reader *r, bool negative) {
    struct tok number = r->t->tok;
    text_next(r->t);
    if (number.suffix) {
        union scalar v;
        if (text_number_fits(&number, negative, number.suffix, &v))
            return expr_const(r->t->arena, number.suffix, v);
        text_error(r->t, "%s%s is no %s", negative ? "-" : "", number.text,
                   dtype_info(number.suffix)->text);
        return NULL;
    }
    struct expr *e = loose_node(r, EXPR_CONST);
    e->value = number.value;
    e->n = number.is_float ? (negative ? WRITTEN_NEGATIVE_FLOAT : WRITTEN_FLOAT)
                           : (negative ? WRITTEN_NEGATIVE : WRITTEN_INT);
    return e;
}

/* Arguments up to `)`, each of any type: n of them. */
static bool read_args(struct reader *r, const struct expr **arg, int n, enum dtype want) {
    for (int k = 0; k < n; k++) {
        if (k && !text_expect(r->t, ","))
            return false;
        if (!(arg[k] = read_expr(r, PREC_SELECT, want)))
            return false;
    }
    return text_expect(r->t, ")");
}

static const struct expr *read_cast(struct reader *r, enum dtype t) {
    const struct expr *e;
    if (!read_args(r, &e, 1, DTYPE_NONE))
        return NULL;
    bool fits = is_loose(e) && t != DTYPE_BOOL && (dtype_is_float(t) || !has_float(e));
    e = resolve_alone(r, e, fits ? t : DTYPE_NONE);
    if (e && t == DTYPE_INDEX && e->dtype != t)
        return fail(r, "a value becomes an index by clamp or check only");
    return e ? expr_cast(r->t->arena, t, e) : NULL;
}

static bool name_in_scope(const struct reader *r, const char *name) {
    for (const struct frame *f = r->frames; f; f = f->up)
        for (int k = 0; k < f->n; k++)
            if (strcmp(f->names[k], name) == 0)
                return true;
    return false;
}

/* `[k,l: 3,4]`; the iterators are in scope behind it. */
static bool read_iters(struct reader *r, struct frame *frame, struct iter *iters) {
    if (!text_expect(r->t, "["))
        return false;
    frame->n = 0;
    do {
        const char *name = text_name(r->t);
        if (!name)
            return false;
        if (frame->n == MAX_ITERS)
            return text_error(r->t, "more than %d iterators", MAX_ITERS);
        for (int k = 0; k < frame->n; k++)
            if (strcmp(frame->names[k], name) == 0)
                return text_error(r->t, "iterator '%s' stands twice", name);
        if (name_in_scope(r, name))
            return text_error(r->t, "iterator '%s' hides another", name);
        frame->names[frame->n++] = name;
    } while (text_accept(r->t, ","));
    if (!text_expect(r->t, ":"))
        return false;
    for (int k = 0; k < frame->n; k++) {
        if (k && !text_expect(r->t, ","))
            return false;
        iters[k] = (struct iter){frame->names[k], read_index(r, PREC_SELECT)};
        if (!iters[k].extent)
            return false;
    }
    return text_expect(r->t, "]");
}

/* Behind `reduce(`. */
static const struct expr *read_reduce(struct reader *r, enum dtype want) {
    const char *name = text_name(r->t);
    enum func f = name ? func_monoid_from_name(name, strlen(name)) : FUNC_COUNT;
    if (f == FUNC_COUNT)
        return fail(r, "a reduce is by add, mul, max, min, and or or");
    struct frame frame;
    struct iter iters[MAX_ITERS];
    if (!text_expect(r->t, ",") || !read_iters(r, &frame, iters) || !text_expect(r->t, ","))
        return NULL;
    frame.up = r->frames;
    r->frames = &frame;
    const struct expr *body;
    bool read = read_args(r, &body, 1, want);
    r->frames = frame.up;
    body = read ? resolve_alone(r, body, want) : NULL;
    if (!body)
        return NULL;
    if (func_result(f, (enum dtype[]){body->dtype, body->dtype}) != body->dtype) {
        text_error(r->t, "reduce by %s does not take %s", name, dtype_info(body->dtype)->text);
        return NULL;
    }
    return expr_reduce(r->t->arena, f, body->dtype, iters, frame.n, body);
}

static enum func func_from_name(const char *name) {
    for (int f = 0; f < FUNC_COUNT; f++)
        if (func_info((enum func)f)->prec == 0 &&
            strcmp(func_info((enum func)f)->text, name) == 0)
            return (enum func)f;
    return FUNC_COUNT;
}

/* `name(` was read. */
static const struct expr *read_call(struct reader *r, const char *name, enum dtype want) {
    if (strcmp(name, "reduce") == 0)
        return read_reduce(r, want);
    enum func f = func_from_name(name);
    if (f < FUNC_COUNT) {
        const struct expr *arg[3];
        bool same = func_info(f)->rule == RULE_SAME;
        if (!read_args(r, arg, func_info(f)->arity, same ? want : DTYPE_NONE))
            return NULL;
        return apply(r, f, arg);
    }
    enum dtype t = dtype_from_text(name, strlen(name));
    if (t == DTYPE_NONE && r->scope->type)
        t = r->scope->type(r->scope->user, name);
    if (t != DTYPE_NONE)
        return read_cast(r, t);
    text_error(r->t, "unknown function '%s'", name);
    return NULL;
}

/* `name[` was read. */
static const struct expr *read_load(struct reader *r, const char *name) {
    int array, rank, n = 0;
    enum dtype t;
    if (!r->scope->array || !r->scope->array(r->scope->user, name, &array, &t, &rank)) {
        text_error(r->t, "unknown array '%s'", name);
        return NULL;
    }
    const struct expr *index[MAX_INDICES];
    while (!text_is(r->t, "]")) {
        if (n && !text_expect(r->t, ","))
            return NULL;
        if (n == MAX_INDICES)
            return fail(r, "too many indices");
        if (!(index[n++] = read_index(r, PREC_SELECT)))
            return NULL;
    }
    if (n != rank) {
        text_error(r->t, "'%s' has rank %d, found %d indices", name, rank, n);
        return NULL;
    }
    text_next(r->t);
    return expr_load(r->t->arena, t, array, index, n);
}

static const struct expr *read_name(struct reader *r, enum dtype want) {
    const char *name = r->t->tok.text;
    bool truth = text_is(r->t, "true");
    if (truth || text_is(r->t, "false")) {
        text_next(r->t);
        return expr_int(r->t->arena, DTYPE_BOOL, truth);
    }
    int line = r->t->tok.line;
    text_next(r->t);
    if (text_accept(r->t, "("))
        return read_call(r, name, want);
    if (text_accept(r->t, "["))
        return read_load(r, name);
    if (name_in_scope(r, name))
        return expr_var(r->t->arena, DTYPE_INDEX, name);
    const struct expr *e = r->scope->name ? r->scope->name(r->scope->user, name) : NULL;
    if (!e) {
        r->t->tok.line = line; // of the name, not of what follows
        text_error(r->t, "unknown name '%s'", name);
    }
    return e;
}

/* `lo <= e < hi && …`, three expressions each; their number, or -1 after an error. */
static int read_bounds(struct reader *r, const struct expr **bounds) {
    int n = 0;
    do {
        if (n == MAX_BOUNDS) {
            text_error(r->t, "more than %d bounds", MAX_BOUNDS);
            return -1;
        }
        const struct expr **b = bounds + (ptrdiff_t)3 * n++;
        if (!(b[1] = read_index(r, PREC_OPERAND)) || !text_expect(r->t, "<=") ||
            !(b[0] = read_index(r, PREC_OPERAND)) || !text_expect(r->t, "<") ||
            !(b[2] = read_index(r, PREC_OPERAND)))
            return -1;
    } while (text_accept(r->t, "&&"));
    return n;
}

/* Behind `(value if`. */
static const struct expr *read_guard(struct reader *r, const struct expr *value,
                                     enum dtype want) {
    const struct expr *bounds[3 * MAX_BOUNDS], *pad;
    int n = read_bounds(r, bounds);
    if (n < 0 || !text_expect(r->t, "else") || !read_args(r, &pad, 1, want))
        return NULL;
    enum dtype t = value->dtype ? value->dtype : pad->dtype;
    bool any_float = has_float(value) || has_float(pad);
    if (t == DTYPE_NONE)
        t = want ? want : any_float ? DTYPE_F32 : DTYPE_INDEX;
    value = resolve(r, value, t);
    pad = resolve(r, pad, t);
    if (!value || !pad)
        return NULL;
    if (value->dtype == pad->dtype)
        return expr_guard(r->t->arena, value, pad, bounds, n);
    text_error(r->t, "a guard between %s and %s", dtype_info(value->dtype)->text,
               dtype_info(pad->dtype)->text);
    return NULL;
}

static const struct expr *read_parentheses(struct reader *r, enum dtype want) {
    const struct expr *e = read_expr(r, PREC_SELECT, want);
    if (e && text_accept(r->t, "if"))
        return read_guard(r, e, want);
    return e && text_expect(r->t, ")") ? e : NULL;
}

static const struct expr *read_unary(struct reader *r, enum dtype want) {
    static const enum func prefixes[] = {FUNC_NEG, FUNC_NOT, FUNC_BITNOT};
    enum tok_kind kind = r->t->tok.kind;
    if (kind == TOK_NUMBER)
        return read_number(r, false);
    if (kind == TOK_NAME || kind == TOK_VALUE)
        return read_name(r, want);
    if (text_accept(r->t, "("))
        return read_parentheses(r, want);
    for (int k = 0; k < 3; k++) {
        if (!text_accept(r->t, func_info(prefixes[k])->text))
            continue;
        if (k == 0 && r->t->tok.kind == TOK_NUMBER)
            return read_number(r, true);
        const struct expr *x = read_expr(r, PREC_UNARY, want);
        return x ? apply(r, prefixes[k], &x) : NULL;
    }
    text_expected(r->t, "an expression");
    return NULL;
}

/* The binary operator (or ?) at the current token; FUNC_COUNT when there is none. */
static enum func operator_here(const struct text *t) {
    if (t->tok.kind != TOK_PUNCT)
        return FUNC_COUNT;
    for (int f = 0; f < FUNC_COUNT; f++) {
        const struct func_info *info = func_info((enum func)f);
        if (info->prec && info->arity > 1 && strcmp(info->text, t->tok.text) == 0)
            return (enum func)f;
    }
    return FUNC_COUNT;
}

/* Behind the operator f, whose left operand is arg[0]. */
static bool read_operands(struct reader *r, enum func f, const struct expr **arg,
                          enum dtype want) {
    bool same = func_info(f)->rule == RULE_SAME;
    if (f != FUNC_SELECT)
        return (arg[1] = read_expr(r, func_info(f)->prec + 1, same ? want : DTYPE_NONE));
    return (arg[1] = read_expr(r, PREC_SELECT, want)) && text_expect(r->t, ":") &&
           (arg[2] = read_expr(r, PREC_SELECT, want));
}

/* An expression of operators that bind at least as tightly as prec; loose when made of bare
 * literals; NULL after an error. */
static const struct expr *read_expr(struct reader *r, int prec, enum dtype want) {
    if (++r->nesting > MAX_NESTING)
        return fail(r, "expression nested too deeply");
    const struct expr *e = read_unary(r, want);
    enum func f;
    while (e && (f = operator_here(r->t)) < FUNC_COUNT && func_info(f)->prec >= prec) {
        const struct expr *arg[3] = {e};
        text_next(r->t);
        e = read_operands(r, f, arg, want) ? apply(r, f, arg) : NULL;
        if (e && e->height > MAX_HEIGHT)
            return fail(r, "expression too long");
    }
    r->nesting--;
    return e;
}

const struct expr *expr_read(struct text *t, const struct expr_scope *scope, enum dtype want) {
    static const struct expr_scope empty = {0};
    struct reader r = {.t = t, .scope = scope ? scope : &empty};
    const struct expr *e = resolve_alone(&r, read_expr(&r, PREC_SELECT, want), want);
    return t->failed ? NULL : e; // the token behind may be a bad one
}

const struct expr *expr_read_typed(struct text *t, const struct expr_scope *scope,
                                   enum dtype want) {
    const struct expr *e = expr_read(t, scope, want);
    if (!e || e->dtype == want)
        return e;
    text_error(t, "expected an expression of type %s, found %s", dtype_info(want)->text,
               dtype_info(e->dtype)->text);
    return NULL;
}

/* ---- printing ---- */

struct printer {
    struct str *s;
    const char *const *arrays;
};

static void print(const struct printer *p, const struct expr *e, int prec);

static void print_list(const struct printer *p, const struct expr *const *e, int n) {
    for (int k = 0; k < n; k++) {
        if (k)
            str_add(p->s, ", ");
        print(p, e[k], 0);
    }
}

static void print_operator(const struct printer *p, const struct expr *e, int prec) {
    const struct func_info *info = func_info(e->func);
    bool parentheses = info->prec < prec;
    str_add(p->s, parentheses ? "(" : "");
    if (e->n == 1) {
        str_add(p->s, info->text);
        print(p, e->arg[0], info->prec);
    } else {
        bool ternary = e->n == 3;
        print(p, e->arg[0], info->prec + ternary);
        str_addf(p->s, " %s ", info->text);
        print(p, e->arg[1], ternary ? 0 : info->prec + 1);
    }
    if (e->n == 3) {
        str_add(p->s, " : ");
        print(p, e->arg[2], info->prec);
    }
    str_add(p->s, parentheses ? ")" : "");
}

static void print_guard(const struct printer *p, const struct expr *e) {
    str_add(p->s, "(");
    print(p, e->arg[0], 0);
    for (int k = 2; k < e->n; k += 3) {
        str_add(p->s, k == 2 ? " if " : " && ");
        print(p, e->arg[k + 1], PREC_OPERAND);
        str_add(p->s, " <= ");
        print(p, e->arg[k], PREC_OPERAND);
        str_add(p->s, " < ");
        print(p, e->arg[k + 2], PREC_OPERAND);
    }
    str_add(p->s, " else ");
    print(p, e->arg[1], 0);
    str_add(p->s, ")");
}

static void print_reduce(const struct printer *p, const struct expr *e) {
    str_addf(p->s, "reduce(%s, [", func_monoid_name(e->func));
    for (int k = 0; k < e->num_iters; k++)
        str_addf(p->s, "%s%s", k ? "," : "", e->iters[k].name);
    for (int k = 0; k < e->num_iters; k++) {
        str_add(p->s, k ? "," : ": ");
        print(p, e->iters[k].extent, 0);
    }
    str_add(p->s, "], ");
    print(p, e->arg[0], 0);
    str_add(p->s, ")");
}

static void print_call(const struct printer *p, const char *name, const struct expr *e) {
    str_addf(p->s, "%s(", name);
    print_list(p, e->arg, e->n);
    str_add(p->s, ")");
}

/* In parentheses when e binds less tightly than prec. */
static void print(const struct printer *p, const struct expr *e, int prec) {
    switch (e->kind) {
    case EXPR_CONST:
        text_add_scalar(p->s, e->dtype, e->value, true);
        break;
    case EXPR_VAR:
        str_add(p->s, e->name);
        break;
    case EXPR_FUNC:
        if (func_info(e->func)->prec)
            print_operator(p, e, prec);
        else
            print_call(p, func_info(e->func)->text, e);
        break;
    case EXPR_CAST:
        print_call(p, dtype_info(e->dtype)->text, e);
        break;
    case EXPR_LOAD:
        str_addf(p->s, "%s[", p->arrays[e->array]);
        for (int k = 0; k < e->n; k++) {
            str_add(p->s, k ? "," : "");
            print(p, e->arg[k], 0);
        }
        str_add(p->s, "]");
        break;
    case EXPR_GUARD:
        print_guard(p, e);
        break;
    case EXPR_REDUCE:
        print_reduce(p, e);
        break;
    }
}

void expr_print(struct str *s, const struct expr *e, const char *const *array_names) {
    struct printer p = {s, array_names};
    print(&p, e, 0);
}
