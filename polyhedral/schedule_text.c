/* Schedules as text: isl's own, one block per region behind the text of the loops. */
#include "polyhedral/poly.h"

#include <isl/options.h>
#include <isl/printer.h>
#include <isl/schedule_node.h>
#include <stdlib.h>

static const char marker[] = "schedule ";

static const int64_t max_time = (int64_t)1 << 48; // of a schedule that was read

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

static bool starts_with(const char *text, const char *word) {
    return strncmp(text, word, strlen(word)) == 0;
}

/* Is a line `key:`, `key: "text"` or a list of flags, after spaces and a dash? isl reads the
 * token behind any other key as text, whatever it is, and would end there. */
static bool is_entry(const char *line, size_t len) {
    const char *end = line + len, *p = line + strspn(line, " -");
    bool flags = starts_with(p, "coincident:") || starts_with(p, "permutable:");
    size_t key = strspn(p, "abcdefghijklmnopqrstuvwxyz");
    const char *value = p + key + 1;
    if (p == end)
        return true;
    if (key == 0 || p[key] != ':')
        return false;
    value += strspn(value, " ");
    if (value >= end || flags)
        return value >= end || value + strspn(value, " [],01") >= end;
    return *value == '"' && end - value >= 2 &&
           memchr(value + 1, '"', (size_t)(end - value - 1)) == end - 1;
}

/* Every line of a schedule is an entry; else *line is counted on to the one that is none. */
static bool has_form(const char *text, int *line) {
    for (const char *p = text; *p; (*line)++) {
        size_t len = strcspn(p, "\n");
        if (!is_entry(p, len))
            return false;
        p += len + (p[len] == '\n');
    }
    return true;
}

/* ---- what a schedule may be made of ---- */

/* A schedule while it is looked at. */
struct look {
    struct poly *poly;
    isl_schedule *schedule;
    isl_space *symbols;
    const char *wrong; // what it may not have; NULL: nothing
    bool small;        // its times are numbers that an ast can count to
};

/* Every parameter is a symbol. */
static void look_at_space(struct look *l, __isl_take isl_space *space) {
    isl_size n = isl_space_dim(space, isl_dim_param);
    for (int k = 0; k < n; k++) {
        const char *name = isl_space_get_dim_name(space, isl_dim_param, (unsigned)k);
        if (!name || isl_space_find_dim_by_name(l->symbols, isl_dim_param, name) < 0)
            l->wrong = "a parameter that is no symbol";
    }
    isl_space_free(space);
}

static void look_at_set(struct look *l, __isl_take isl_union_set *set) {
    look_at_space(l, isl_union_set_get_space(set));
    isl_union_set_free(set);
}

/* isl's proofs do not look at what context, guard and extension nodes say, but its ast does. */
static isl_bool look_at_node(__isl_keep isl_schedule_node *node, void *user) {
    struct look *l = user;
    switch (isl_schedule_node_get_type(node)) {
    case isl_schedule_node_domain:
        look_at_set(l, isl_schedule_node_domain_get_domain(node));
        break;
    case isl_schedule_node_filter:
        look_at_set(l, isl_schedule_node_filter_get_filter(node));
        break;
    case isl_schedule_node_band:
        look_at_space(l, isl_schedule_node_band_get_space(node));
        look_at_set(l, isl_schedule_node_band_get_ast_build_options(node));
        break;
    case isl_schedule_node_leaf:
    case isl_schedule_node_mark:
    case isl_schedule_node_sequence:
    case isl_schedule_node_set:
        break;
    default:
        l->wrong = "another node than domain, band, mark, filter, sequence or set";
    }
    return l->wrong ? isl_bool_false : isl_bool_true;
}

static void look_at_nodes(void *user) {
    struct look *l = user;
    isl_schedule_foreach_schedule_node_top_down(l->schedule, look_at_node, l);
}

static isl_stat look_at_times(__isl_take isl_set *times, void *user) {
    struct look *l = user;
    isl_size n = isl_set_dim(times, isl_dim_set);
    times = isl_set_intersect_params(times, isl_set_copy(l->poly->context));
    for (int d = 0; d < n && isl_set_is_empty(times) == isl_bool_false; d++) {
        int64_t first, last;
        l->small = l->small && poly_extreme(times, d, false, &first) &&
                   poly_extreme(times, d, true, &last) && first > -max_time && last < max_time;
    }
    isl_set_free(times);
    return isl_stat_ok;
}

static void look_at_map(void *user) {
    struct look *l = user;
    isl_union_map *times = isl_schedule_get_map(l->schedule);
    times = isl_union_map_intersect_domain(times, isl_schedule_get_domain(l->schedule));
    isl_union_set *range = isl_union_map_range(times);
    isl_union_set_foreach_set(range, look_at_times, l);
    isl_union_set_free(range);
}

static void align(void *user) {
    struct look *l = user;
    l->schedule = isl_schedule_align_params(l->schedule, isl_space_copy(l->symbols));
}

/* The schedule with all symbols as parameters, before a word of it is believed. NULL and
 * *wrong, when something is. */
static __isl_give isl_schedule *looked_at(struct poly *p, __isl_take isl_schedule *schedule,
                                          const char **wrong) {
    struct look l = {p, schedule, poly_space(p, 0), NULL, true};
    bool done = poly_try_read(p, look_at_nodes, &l);
    if (done && !l.wrong)
        done = poly_try_read(p, look_at_map, &l) && l.small && poly_try_read(p, align, &l);
    isl_space_free(l.symbols);
    if (!done)
        l.wrong = "times that cannot be counted to";
    *wrong = l.wrong;
    return l.wrong ? isl_schedule_free(l.schedule) : l.schedule;
}

/* ---- reading ---- */

/* One region's schedule, from its marker to before the next. */
static bool read_region(struct poly *p, const char *text, struct loc loc) {
    char *rest;
    int first = loc.line;
    long r = strtol(text + strlen(marker), &rest, 10);
    if (*rest != '\n' || r < 0 || r >= p->num_regions || p->schedules.data[r]) {
        diag_error(p->diag, loc, "a schedule of no region, or a second one");
        return false;
    }
    loc.line++;
    if (!has_form(rest + 1, &loc.line)) {
        diag_error(p->diag, loc, "region %ld: expected `key: \"text\"`", r);
        return false;
    }
    loc.line = first;
    p->schedules.data[r] = isl_schedule_read_from_str(p->ctx, rest + 1);
    isl_ctx_reset_error(p->ctx);
    if (!p->schedules.data[r]) {
        diag_error(p->diag, loc, "region %ld: isl cannot read this schedule", r);
        return false;
    }
    const char *wrong;
    p->schedules.data[r] = looked_at(p, p->schedules.data[r], &wrong);
    if (wrong)
        diag_error(p->diag, loc, "region %ld: the schedule has %s", r, wrong);
    return !wrong;
}

bool poly_read_schedule(struct poly *p, const char *file, const char *text, size_t len) {
    bool ok = true;
    size_t at = find_marker(text, len, 0);
    for (int r = 0; r < p->num_regions; r++) {
        p->schedules.data[r] = isl_schedule_free(p->schedules.data[r]);
        schedule_drop_parts(p, r);
    }
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
