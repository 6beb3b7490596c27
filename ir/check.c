/* Checking expressions against what is in scope: names, types, argument counts, and indices by
 * interval arithmetic.
 *
 * Interval arithmetic reaches every value of its result when each name occurs once and only
 * through + - * by constants and floor division; then an index beyond its extent is an error.
 * Otherwise a result outside may be an over-approximation, and nothing is said: the interpreter
 * checks every access, and the polyhedral side proves it. */
#include "ir/check.h"

#include <limits.h>

void check_error(struct check *c, const char *fmt, ...) {
    char message[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    c->ok = false;
    diag_error(c->diag, c->loc, "%s: %s", c->what, message);
}

bool check_end(struct check *c) {
    arena_free(&c->arena);
    return c->ok;
}

/* ---- scope ---- */

static const struct check_var *find(const struct check *c, const char *name) {
    for (int i = c->scope.len - 1; i >= 0; i--)
        if (strcmp(c->scope.data[i].name, name) == 0)
            return &c->scope.data[i];
    return NULL;
}

void check_push(struct check *c, struct check_var v) {
    if (find(c, v.name))
        check_error(c, "the name %s is in use", v.name);
    vec_push(&c->arena, &c->scope, v);
}

void check_push_iter(struct check *c, const struct iter *it, bool exact) {
    struct check_var v = {.name = it->name, .dtype = DTYPE_INDEX, .iterator = true};
    int64_t lo, hi;
    if (check_range(c, it->extent, &lo, &hi)) {
        if (hi < 0)
            check_error(c, "the extent of %s is negative", it->name);
        v.known = hi > 0;
        v.exact = exact && lo == hi;
        v.hi = hi - 1;
    }
    check_push(c, v);
}

/* ---- ranges ---- */

static bool scope_range(void *user, const char *name, int64_t *lo, int64_t *hi) {
    const struct check_var *v = find(user, name);
    if (!v || !v->known)
        return false;
    *lo = v->lo;
    *hi = v->hi;
    return true;
}

bool check_range(struct check *c, const struct expr *e, int64_t *lo, int64_t *hi) {
    return expr_range(e, scope_range, c, lo, hi);
}

struct once {
    struct check *check;
    bool exact;
    vec(const char *) seen;
};

static void note_var(struct once *o, const char *name) {
    const struct check_var *v = find(o->check, name);
    o->exact = o->exact && v && v->known && v->exact;
    for (int i = 0; i < o->seen.len; i++)
        o->exact = o->exact && o->seen.data[i] != name;
    vec_push(&o->check->arena, &o->seen, name);
}

static void note_node(void *user, const struct expr *e) {
    struct once *o = user;
    bool linear = e->kind == EXPR_FUNC && (e->func == FUNC_ADD || e->func == FUNC_SUB);
    bool scaled = e->kind == EXPR_FUNC && (e->func == FUNC_MUL || e->func == FUNC_DIV) &&
                  (e->arg[0]->kind == EXPR_CONST || e->arg[1]->kind == EXPR_CONST);
    if (e->kind == EXPR_VAR)
        note_var(o, e->name);
    else if (e->kind != EXPR_CONST && !linear && !scaled)
        o->exact = false;
}

/* Does e reach every value of its range? `other`: an expression whose names must not occur in
 * e. */
static bool is_exact(struct check *c, const struct expr *e, const struct expr *const *others,
                     int num_others) {
    struct once o = {.check = c, .exact = !c->unsure};
    expr_walk(e, note_node, &o);
    for (int i = 0; i < num_others; i++)
        if (others[i])
            expr_walk(others[i], note_node, &o);
    return o.exact;
}

/* ---- accesses ---- */

struct guard_map {
    struct check *check;
    const char **names; // of the variables that stand for the guarded expressions
};

static const struct expr *replace_guarded(void *user, const struct expr *e) {
    const struct guard_map *m = user;
    for (int g = 0; g < m->check->guards.len / 3; g++)
        if (e->dtype == DTYPE_INDEX && expr_equal(e, m->check->guards.data[3 * g]))
            return expr_var(&m->check->arena, DTYPE_INDEX, m->names[g]);
    return e;
}

/* Brings a variable into scope for each guarded expression, with the values the guard lets
 * through; false when none are. */
static bool push_guarded(struct check *c, const char **names) {
    bool possible = true;
    for (int g = 0; g < c->guards.len / 3; g++) {
        const struct expr *const *b = c->guards.data + (ptrdiff_t)3 * g;
        struct check_var v = {.name = names[g] = arena_printf(&c->arena, "guard %d", g),
                              .dtype = DTYPE_INDEX};
        int64_t lo = 0, hi = 0, ends[2], unused;
        v.known = check_range(c, b[0], &lo, &hi);
        if (v.known && check_range(c, b[1], &ends[0], &unused) &&
            check_range(c, b[2], &unused, &ends[1])) {
            v.exact = b[1]->kind == EXPR_CONST && b[2]->kind == EXPR_CONST &&
                      is_exact(c, b[0], NULL, 0);
            lo = lo > ends[0] ? lo : ends[0];
            hi = hi < ends[1] - 1 ? hi : ends[1] - 1;
        }
        v.lo = lo;
        v.hi = hi;
        possible = possible && (!v.known || lo <= hi);
        vec_push(&c->arena, &c->scope, v);
    }
    return possible;
}

static void check_index(struct check *c, const struct check_array *a, int d,
                        const struct expr *index) {
    int guards = c->guards.len / 3, locals = c->scope.len;
    struct guard_map m = {c, arena_array(&c->arena, const char *, guards)};
    bool reached = push_guarded(c, m.names);
    const struct expr *e = guards ? expr_map(&c->arena, index, replace_guarded, &m) : index;
    /* Names that a guard restricts must come through its variable only. */
    const struct expr **rest = arena_array(&c->arena, const struct expr *, guards);
    for (int g = 0; g < guards; g++)
        rest[g] = c->guards.data[3 * g];
    int64_t lo, hi;
    if (reached && check_range(c, e, &lo, &hi) && (lo < 0 || hi >= a->extent[d]) &&
        is_exact(c, e, rest, guards))
        check_error(c, "index %d of %s is %lld to %lld, its extent is %lld", d, a->name,
                    (long long)lo, (long long)hi, (long long)a->extent[d]);
    c->scope.len = locals;
}

void check_access(struct check *c, int array, const struct expr *const *index) {
    const struct check_array *a = &c->arrays[array];
    for (int d = 0; d < a->rank && a->fixed; d++)
        check_index(c, a, d, index[d]);
}

/* ---- expressions ---- */

static void check_node(struct check *c, const struct expr *e);

static void check_args(struct check *c, const struct expr *e) {
    for (int k = 0; k < e->n; k++)
        check_node(c, e->arg[k]);
}

static void check_var_use(struct check *c, const struct expr *e) {
    const struct check_var *v = find(c, e->name);
    if (!v)
        check_error(c, "%s is not in scope", e->name);
    else if (v->dtype != e->dtype)
        check_error(c, "%s has type %s, not %s", e->name, dtype_info(v->dtype)->text,
                    dtype_info(e->dtype)->text);
}

static void check_func(struct check *c, const struct expr *e) {
    enum dtype types[3] = {DTYPE_NONE, DTYPE_NONE, DTYPE_NONE};
    const struct func_info *info = func_info(e->func);
    if (e->n != info->arity) {
        check_error(c, "%s has %d arguments", info->text, e->n);
        return;
    }
    for (int k = 0; k < e->n; k++)
        types[k] = e->arg[k]->dtype;
    if (func_result(e->func, types) != e->dtype)
        check_error(c, "%s does not take %s", info->text, dtype_info(types[0])->text);
}

static void check_load(struct check *c, const struct expr *e) {
    if (e->array < 0 || e->array >= c->num_arrays) {
        check_error(c, "array number %d does not exist", e->array);
        return;
    }
    const struct check_array *a = &c->arrays[e->array];
    if (a->dtype != e->dtype)
        check_error(c, "%s has type %s, not %s", a->name, dtype_info(a->dtype)->text,
                    dtype_info(e->dtype)->text);
    if (a->rank != e->n) {
        check_error(c, "%s has rank %d, found %d indices", a->name, a->rank, e->n);
        return;
    }
    for (int k = 0; k < e->n; k++)
        if (e->arg[k]->dtype != DTYPE_INDEX)
            check_error(c, "index %d of %s has type %s", k, a->name,
                        dtype_info(e->arg[k]->dtype)->text);
    check_access(c, e->array, e->arg);
}

static void check_guard(struct check *c, const struct expr *e) {
    int guards = c->guards.len;
    if (e->n < 2 || (e->n - 2) % 3 != 0 || e->arg[0]->dtype != e->dtype ||
        e->arg[1]->dtype != e->dtype) {
        check_error(c, "a guard with wrong arguments");
        return;
    }
    for (int k = 1; k < e->n; k++) {
        if (k > 1 && e->arg[k]->dtype != DTYPE_INDEX)
            check_error(c, "a guard bounds something that is no index");
        c->unsure += k == 1; // the pad is read outside the box only
        check_node(c, e->arg[k]);
        c->unsure -= k == 1;
    }
    for (int k = 2; k < e->n; k++)
        vec_push(&c->arena, &c->guards, e->arg[k]);
    check_node(c, e->arg[0]);
    c->guards.len = guards;
}

static void check_reduce(struct check *c, const struct expr *e) {
    int locals = c->scope.len;
    bool again = c->reduce != NULL;
    c->reduce_guarded = c->reduce_guarded || c->guards.len > 0;
    if (!c->reduce_allowed)
        check_error(c, "a reduce cannot stand here");
    else if (again && !expr_equal(c->reduce, e))
        check_error(c, "more than one reduce");
    else if (again && c->reduce_guarded)
        check_error(c, "a reduce stands twice, and in a guard");
    c->reduce = e;
    if (!func_is_monoid(e->func) || e->n != 1 || e->arg[0]->dtype != e->dtype)
        check_error(c, "a reduce with wrong arguments");
    for (int k = 0; k < e->num_iters; k++) {
        if (e->iters[k].extent->dtype != DTYPE_INDEX)
            check_error(c, "the extent of %s is no index", e->iters[k].name);
        check_node(c, e->iters[k].extent);
        check_push_iter(c, &e->iters[k], true);
    }
    check_args(c, e);
    c->scope.len = locals;
}

static void check_node(struct check *c, const struct expr *e) {
    switch (e->kind) {
    case EXPR_CONST:
        return;
    case EXPR_VAR:
        check_var_use(c, e);
        return;
    case EXPR_FUNC:
        check_args(c, e);
        check_func(c, e);
        return;
    case EXPR_CAST:
        check_args(c, e);
        if (e->dtype == DTYPE_INDEX)
            check_error(c, "a value becomes an index without clamp or check");
        return;
    case EXPR_LOAD:
        check_args(c, e);
        check_load(c, e);
        return;
    case EXPR_GUARD:
        check_guard(c, e);
        return;
    case EXPR_REDUCE:
        check_reduce(c, e);
        return;
    }
}

void check_expr(struct check *c, const struct expr *e, enum dtype t, bool reduce) {
    c->reduce_allowed = reduce;
    c->reduce = NULL;
    c->reduce_guarded = false;
    c->guards.len = 0;
    check_node(c, e);
    if (e->dtype != t)
        check_error(c, "expected type %s, found %s", dtype_info(t)->text,
                    dtype_info(e->dtype)->text);
}
