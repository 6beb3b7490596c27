/* The schedule of each region as an isl schedule tree: the identity to begin with, or the text
 * of a POLY dump. */
#include "polyhedral/poly.h"

#include <isl/options.h>
#include <isl/printer.h>
#include <stdlib.h>

/* ---- regions ---- */

const struct poly_stmt *schedule_find(const struct poly *p, int region, const char *name) {
    for (int k = 0; k < p->stmts.len; k++)
        if (p->stmts.data[k]->region == region && strcmp(p->stmts.data[k]->name, name) == 0)
            return p->stmts.data[k];
    return NULL;
}

__isl_give isl_union_set *schedule_domain(const struct poly *p, int region) {
    isl_union_set *all = isl_union_set_empty_ctx(p->ctx);
    for (int k = 0; k < p->stmts.len; k++)
        if (p->stmts.data[k]->region == region)
            all = isl_union_set_union(
                all, isl_union_set_from_set(isl_set_copy(p->stmts.data[k]->domain)));
    return all;
}

/* ---- the identity ---- */

/* One band of the statement's iterators. */
static __isl_give isl_schedule *statement_schedule(const struct poly_stmt *s) {
    isl_union_set *domain = isl_union_set_from_set(isl_set_copy(s->domain));
    isl_schedule *schedule = isl_schedule_from_domain(domain);
    if (s->num_dims == 0)
        return schedule;
    isl_multi_aff *id = isl_multi_aff_identity_on_domain_space(isl_set_get_space(s->domain));
    id = isl_multi_aff_reset_tuple_id(id, isl_dim_out);
    isl_multi_union_pw_aff *band = isl_multi_union_pw_aff_from_multi_aff(id);
    return isl_schedule_insert_partial_schedule(schedule, band);
}

/* A sequence of the statements from `first` to before `end`, halved so that none is copied
 * often.
 */
static __isl_give isl_schedule *sequence(const struct poly *p, const int *stmts, int num) {
    if (num == 1)
        return statement_schedule(p->stmts.data[stmts[0]]);
    isl_schedule *left = sequence(p, stmts, num / 2);
    isl_schedule *right = sequence(p, stmts + num / 2, num - num / 2);
    return isl_schedule_sequence(left, right);
}

struct job {
    struct poly *poly;
    int region;
};

static void schedule_region(void *user) {
    struct job *j = user;
    struct poly *p = j->poly;
    int *stmts = arena_array(&p->arena, int, p->stmts.len), num = 0;
    for (int k = 0; k < p->stmts.len; k++)
        if (p->stmts.data[k]->region == j->region &&
            isl_set_is_empty(p->stmts.data[k]->domain) != isl_bool_true)
            stmts[num++] = k;
    p->schedules.data[j->region] =
        num ? sequence(p, stmts, num) : isl_schedule_empty(poly_space(p, 0));
}

void poly_schedule(struct poly *p) {
    for (int r = 0; r < p->num_regions; r++) {
        struct job j = {p, r};
        p->schedules.data[r] = isl_schedule_free(p->schedules.data[r]);
        if (!poly_try(p, (struct loc){0}, "a schedule", schedule_region, &j))
            p->schedules.data[r] = isl_schedule_free(p->schedules.data[r]);
    }
}

/* ---- text ---- */

static const char marker[] = "schedule ";

void poly_print(struct str *s, const struct poly *p, struct constant_pool *pool) {
    loops_print(s, p->loops, pool);
    for (int r = 0; r < p->num_regions; r++) {
        if (!p->schedules.data[r])
            continue;
        isl_printer *printer = isl_printer_to_str(p->ctx);
        printer = isl_printer_set_yaml_style(printer, ISL_YAML_STYLE_BLOCK);
        printer = isl_printer_print_schedule(printer, p->schedules.data[r]);
        char *text = isl_printer_get_str(printer);
        isl_printer_free(printer);
        str_addf(s, "%s%d\n%s", marker, r, text);
        free(text);
    }
}

/* The next line from `from` on that begins a schedule; len when there is none. */
static size_t find_marker(const char *text, size_t len, size_t from) {
    size_t n = strlen(marker);
    for (size_t k = from; k + n <= len; k++)
        if ((k == 0 || text[k - 1] == '\n') && memcmp(text + k, marker, n) == 0)
            return k;
    return len;
}

size_t poly_find_schedule(const char *text, size_t len) {
    return find_marker(text, len, 0);
}

static int line_of(const char *text, size_t at) {
    int line = 1;
    for (size_t k = 0; k < at; k++)
        line += text[k] == '\n';
    return line;
}

/* One region's schedule, from its marker to before the next. */
static bool read_region(struct poly *p, const char *text, struct loc loc) {
    char *rest;
    long r = strtol(text + strlen(marker), &rest, 10);
    if (*rest != '\n' || r < 0 || r >= p->num_regions || p->schedules.data[r]) {
        diag_error(p->diag, loc, "a schedule of no region, or a second one");
        return false;
    }
    p->schedules.data[r] = isl_schedule_read_from_str(p->ctx, rest + 1);
    isl_ctx_reset_error(p->ctx);
    if (!p->schedules.data[r])
        diag_error(p->diag, loc, "region %ld: isl cannot read this schedule", r);
    return p->schedules.data[r] != NULL;
}

bool poly_read_schedule(struct poly *p, const char *file, const char *text, size_t len) {
    bool ok = true;
    size_t at = find_marker(text, len, 0);
    for (int r = 0; r < p->num_regions; r++)
        p->schedules.data[r] = isl_schedule_free(p->schedules.data[r]);
    while (at < len && ok) {
        size_t next = find_marker(text, len, at + 1);
        struct loc loc = {.file = file, .line = line_of(text, at)};
        char *one = arena_printf(&p->arena, "%.*s", (int)(next - at), text + at);
        ok = read_region(p, one, loc);
        at = next;
    }
    for (int r = 0; r < p->num_regions && ok; r++)
        if (!p->schedules.data[r]) {
            diag_error(p->diag, (struct loc){.file = file}, "region %d has no schedule", r);
            ok = false;
        }
    return ok;
}
