/* Schedules as text: isl's own, one block per region behind the text of the loops. */
#include "polyhedral/poly.h"

#include <isl/options.h>
#include <isl/printer.h>
#include <stdlib.h>

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
    if (!p->schedules.data[r])
        diag_error(p->diag, loc, "region %ld: isl cannot read this schedule", r);
    return p->schedules.data[r] != NULL;
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
