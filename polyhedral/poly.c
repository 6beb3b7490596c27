/* The life of a struct poly, the quota around isl, and messages.
 *
 * isl is told to go on after an error and hand NULL to everybody; poly_try looks at the end
 * whether there was one. An operation is one step of isl's simplex and elimination: QUOTA of
 * them take well under a tenth of a second. */
#include "polyhedral/poly.h"

#include <inttypes.h>
#include <isl/options.h>

enum { QUOTA = 2000000 };

static enum isl_error run(struct poly *p, void (*fn)(void *user), void *user) {
    isl_ctx_reset_error(p->ctx);
    isl_ctx_reset_operations(p->ctx);
    isl_ctx_set_max_operations(p->ctx, QUOTA);
    fn(user);
    isl_ctx_set_max_operations(p->ctx, 0);
    return isl_ctx_last_error(p->ctx);
}

bool poly_try(struct poly *p, struct loc loc, const char *what, void (*fn)(void *user),
              void *user) {
    enum isl_error error = run(p, fn, user);
    if (error == isl_error_none)
        return true;
    if (error != isl_error_quota)
        bug("isl: %s (%s:%d) in %s", isl_ctx_last_error_msg(p->ctx),
            isl_ctx_last_error_file(p->ctx), isl_ctx_last_error_line(p->ctx), what);
    isl_ctx_reset_error(p->ctx);
    p->figures.quota_hits++;
    diag_remark(p->diag, REMARK_MISSED, loc, "%s: given up after %d operations", what, QUOTA);
    return false;
}

bool poly_try_read(struct poly *p, void (*fn)(void *user), void *user) {
    bool done = run(p, fn, user) == isl_error_none;
    isl_ctx_reset_error(p->ctx);
    return done;
}

/* ---- messages ---- */

struct loc poly_loc(const struct poly_stmt *s) {
    return s->stmt ? s->stmt->loc : (struct loc){0};
}

const char *poly_called(const struct poly_stmt *s) {
    switch (s->role) {
    case POLY_COMPUTE:
    case POLY_CALL:
        return s->stmt->name;
    case POLY_REQUIRE:
        return "require";
    case POLY_CONDITION:
        return s->stmt->kind == STMT_IF ? "if" : "while";
    case POLY_END:
        return "the end";
    }
    return "";
}

static const char *format(struct poly *p, const char *fmt, va_list args) {
    struct str s = {0};
    str_add_va(&s, fmt, args);
    const char *text = arena_strdup(&p->arena, str_cstr(&s));
    str_free(&s);
    return text;
}

void poly_unproven(struct poly *p, struct loc loc, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    diag_remark(p->diag, REMARK_MISSED, loc, "not proven: %s", format(p, fmt, args));
    va_end(args);
    p->figures.unproven++;
}

void poly_error(struct poly *p, const struct poly_stmt *s, const char *fmt, ...) {
    struct loc loc = poly_loc(s);
    if (!loc.file && p->loops->body.first)
        loc.file = p->loops->body.first->loc.file;
    va_list args;
    va_start(args, fmt);
    diag_error(p->diag, loc, "%s", format(p, fmt, args));
    va_end(args);
    p->ok = false;
}

int poly_dimension(const struct poly_stmt *s, const struct expr *e) {
    for (int d = s->num_repeats; d < s->num_dims && e->kind == EXPR_VAR; d++)
        if (strcmp(s->dims[d], e->name) == 0)
            return d;
    return -1;
}

int64_t poly_extent(const struct poly_stmt *s, int d) {
    int64_t extent;
    bool known = expr_as_int(s->stmt->iters[d - s->num_repeats].extent, &extent);
    return known ? extent : -1;
}

int64_t poly_coordinate(__isl_keep isl_point *point, enum isl_dim_type type, int k) {
    isl_val *v = isl_point_get_coordinate_val(point, type, k);
    int64_t value = isl_val_get_num_si(v);
    isl_val_free(v);
    return value;
}

__isl_give isl_point *poly_least_point(__isl_take isl_set *set) {
    isl_size n = isl_set_dim(set, isl_dim_param);
    isl_set *moved = isl_set_move_dims(isl_set_flatten(isl_set_copy(set)), isl_dim_set, 0,
                                       isl_dim_param, 0, (unsigned)(n > 0 ? n : 0));
    bool bounded = isl_set_is_bounded(moved) == isl_bool_true; // a value may lie anywhere
    isl_set *least = bounded ? isl_set_lexmin(moved) : moved;
    least =
        isl_set_move_dims(least, isl_dim_param, 0, isl_dim_set, 0, (unsigned)(n > 0 ? n : 0));
    isl_point *point = isl_set_sample_point(least);
    isl_set_free(set);
    return point;
}

/* Is it an integer that int64 holds? */
static bool is_int64(__isl_keep isl_val *v) {
    isl_ctx *ctx = isl_val_get_ctx(v);
    isl_val *least = isl_val_int_from_si(ctx, INT64_MIN);
    isl_val *most = isl_val_int_from_si(ctx, INT64_MAX);
    bool fits = isl_val_is_int(v) == isl_bool_true && isl_val_ge(v, least) == isl_bool_true &&
                isl_val_le(v, most) == isl_bool_true;
    isl_val_free(least);
    isl_val_free(most);
    return fits;
}

bool poly_extreme(__isl_keep isl_set *set, int d, bool last, int64_t *value) {
    isl_local_space *ls = isl_local_space_from_space(isl_set_get_space(set));
    isl_aff *x = isl_aff_var_on_domain(ls, isl_dim_set, (unsigned)d);
    isl_val *v = last ? isl_set_max_val(set, x) : isl_set_min_val(set, x);
    bool known = v && is_int64(v);
    *value = known ? isl_val_get_num_si(v) : 0;
    isl_val_free(v);
    isl_aff_free(x);
    return known;
}

const char *poly_at(struct poly *p, const struct poly_stmt *s, __isl_keep isl_point *point,
                    int n) {
    struct str text = {0};
    const char *before = " (at ";
    for (int k = 0; k < p->loops->symbols.len; k++, before = ", ")
        str_addf(&text, "%s%s=%" PRId64, before, p->loops->symbols.data[k].name,
                 poly_coordinate(point, isl_dim_param, k));
    for (int k = 0; k < n; k++, before = ", ")
        str_addf(&text, "%s%s=%" PRId64, before, s->dims[k],
                 poly_coordinate(point, isl_dim_set, k));
    if (text.len)
        str_add(&text, ")");
    const char *at = arena_strdup(&p->arena, str_cstr(&text));
    str_free(&text);
    return at;
}

/* ---- names in isl ---- */

/* isl's texts take letters, digits and _; a word of its own language would be misread. */
static bool is_plain(const char *name) {
    static const char *const words[] = {"and",   "or",     "not",   "implies", "exists", "mod",
                                        "floor", "floord", "ceild", "min",     "max",    "true",
                                        "false", "infty",  "NaN",   "rat"};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (strcmp(words[k], name) == 0)
            return false;
    return !strchr(name, '.');
}

static const char *root_name(struct poly *p, int k) {
    const char *name = p->loops->arrays.data[k].name;
    return is_plain(name) ? name : arena_printf(&p->arena, "array_%d", k);
}

static const char *symbol_name(const struct poly *p, int k) {
    const char *name = p->loops->symbols.data[k].name;
    return is_plain(name) ? name : p->array_names[p->loops->arrays.len + k];
}

__isl_give isl_space *poly_space(const struct poly *p, int n) {
    int num = p->loops->symbols.len;
    isl_space *space = isl_space_set_alloc(p->ctx, (unsigned)num, (unsigned)n);
    for (int k = 0; k < num; k++)
        space = isl_space_set_dim_name(space, isl_dim_param, (unsigned)k, symbol_name(p, k));
    return space;
}

/* array_names goes on with names for symbols whose own isl would misread. */
static void name_all(struct poly *p) {
    int arrays = p->loops->arrays.len, symbols = p->loops->symbols.len;
    p->array_names = arena_array(&p->arena, const char *, arrays + symbols);
    p->root_names = arena_array(&p->arena, const char *, arrays);
    for (int k = 0; k < arrays; k++) {
        p->array_names[k] = p->loops->arrays.data[k].name;
        p->root_names[k] = root_name(p, loops_root(p->loops, k));
    }
    for (int k = 0; k < symbols; k++)
        p->array_names[arrays + k] = arena_printf(&p->arena, "symbol_%d", k);
}

static __isl_give isl_set *symbol_context(const struct poly *p) {
    isl_set *set = isl_set_universe(poly_space(p, 0));
    for (int k = 0; k < p->loops->symbols.len; k++) {
        isl_val *max = isl_val_int_from_si(p->ctx, p->loops->symbols.data[k].max);
        set = isl_set_lower_bound_si(set, isl_dim_param, (unsigned)k, 1);
        set = isl_set_upper_bound_val(set, isl_dim_param, (unsigned)k, max);
    }
    return isl_set_params(set);
}

/* ---- life ---- */

struct poly *poly_new(struct loops *l, struct diag *d) {
    struct arena arena = {0};
    struct poly *p = arena_new(&arena, struct poly);
    p->arena = arena;
    p->loops = l;
    p->diag = d;
    p->ok = true;
    p->ctx = isl_ctx_alloc();
    isl_options_set_on_error(p->ctx, ISL_ON_ERROR_CONTINUE);
    name_all(p);
    p->context = symbol_context(p);
    return p;
}

static void free_statement(struct poly_stmt *s) {
    isl_set_free(s->domain);
    for (int k = 0; k < s->accesses.len; k++) {
        isl_map_free(s->accesses.data[k].ext);
        isl_map_free(s->accesses.data[k].map);
    }
}

void poly_target(struct poly *p, const struct target *target) {
    p->target = target;
}

void poly_free(struct poly *p) {
    if (!p)
        return;
    for (int k = 0; k < p->stmts.len; k++)
        free_statement(p->stmts.data[k]);
    for (int k = 0; k < p->edges.len; k++)
        isl_map_free(p->edges.data[k].map);
    for (int k = 0; k < p->schedules.len; k++)
        isl_schedule_free(p->schedules.data[k]);
    for (int k = 0; k < p->parts.len; k++)
        isl_schedule_free(p->parts.data[k].schedule);
    for (int k = 0; k < p->loops->arrays.len; k++) {
        isl_set_free(p->storage[k].box);
        isl_map_free(p->place[k]);
    }
    isl_set_free(p->context);
    isl_options_set_on_error(p->ctx, ISL_ON_ERROR_ABORT); // of a leak
    isl_ctx_free(p->ctx);
    struct arena arena = p->arena; // it lies in itself
    arena_free(&arena);
}

struct poly_figures poly_figures(const struct poly *p) {
    return p->figures;
}

const struct loops *poly_loops(const struct poly *p) {
    return p->loops;
}
