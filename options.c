/* Reads the command line by the rows of options.def. */
#include "options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum option_kind { OPTION_TEXT, OPTION_FLAG, OPTION_LIST, OPTION_LEVEL, OPTION_LATER };

struct option {
    enum option_kind kind;
    const char *name, *argument;
    size_t offset; // of its field in struct options
    const char *initial, *help;
};

#define OFFSET_TEXT(field)  offsetof(struct options, field)
#define OFFSET_FLAG(field)  offsetof(struct options, field)
#define OFFSET_LIST(field)  offsetof(struct options, field)
#define OFFSET_LEVEL(field) offsetof(struct options, field)
#define OFFSET_LATER(field) 0
static const struct option rows[] = {
#define OPTION(kind, name, argument, field, initial, help)                                     \
    {OPTION_##kind, name, argument, OFFSET_##kind(field), initial, help},
#include "options.def"
};
enum { NUM_ROWS = sizeof rows / sizeof *rows };
enum { HIGHEST_LEVEL = 2 }; // there is; without -O that one

bool usage_error(const char *fmt, ...) {
    struct str s = {0};
    va_list args;
    va_start(args, fmt);
    str_add_va(&s, fmt, args);
    va_end(args);
    fprintf(stderr, "nncc: error: %s (see nncc --help)\n", str_cstr(&s));
    str_free(&s);
    return false;
}

/* The row of `--option` or `--option=value`. */
static const struct option *find_option(const char *word) {
    size_t len = strcspn(word, "=");
    for (int k = 0; k < NUM_ROWS; k++)
        if (strlen(rows[k].name) == len && memcmp(rows[k].name, word, len) == 0)
            return &rows[k];
    return NULL;
}

static void add_to_list(struct option_list *list, const char *value, struct arena *a,
                        int argc) {
    if (!list->item)
        list->item = arena_array(a, const char *, argc);
    list->item[list->count++] = value;
}

/* What stands between an option and its value where the table and messages show them. */
static const char *between(const struct option *row) {
    return !*row->argument ? "" : strlen(row->name) > 2 ? "=" : " ";
}

/* What is left of the command line. */
struct words {
    char **argv;
    int argc, next;
};

/* The value of an option: behind its `=` or the next word. */
static bool read_value(const struct option *row, struct words *w, const char *word,
                       const char **value) {
    const char *equals = strchr(word, '=');
    *value = NULL;
    if (!*row->argument)
        return !equals || usage_error("%s takes no value", row->name);
    if (!equals && w->next == w->argc)
        return usage_error("%s needs a value: %s%s%s", row->name, row->name, between(row),
                           row->argument);
    *value = equals ? equals + 1 : w->argv[w->next++];
    return true;
}

static bool read_option(struct options *o, struct arena *a, struct words *w) {
    const char *word = w->argv[w->next++], *value;
    const struct option *row = find_option(word);
    if (!row)
        return usage_error("unknown option '%s'", word);
    if (row->kind == OPTION_LATER)
        return usage_error("%s is not available yet", row->name);
    if (!read_value(row, w, word, &value))
        return false;
    char *field = (char *)o + row->offset;
    if (row->kind == OPTION_FLAG)
        *(bool *)field = true;
    else if (row->kind == OPTION_LEVEL)
        *(int *)field = atoi(row->initial);
    else if (row->kind == OPTION_TEXT)
        *(const char **)field = value;
    else
        add_to_list((struct option_list *)field, value, a, w->argc);
    return true;
}

bool options_read(struct options *o, struct arena *a, int argc, char **argv) {
    struct words w = {argv, argc, 1};
    bool only_files = false, is_dump = argc > 1 && strcmp(argv[1], "dump") == 0;
    *o = (struct options){.opt_level = HIGHEST_LEVEL};
    for (int k = 0; k < NUM_ROWS; k++)
        if (rows[k].kind == OPTION_TEXT)
            *(const char **)((char *)o + rows[k].offset) = rows[k].initial;
    w.next += is_dump;
    while (w.next < argc) {
        const char *word = argv[w.next];
        if (!only_files && word[0] == '-' && word[1] != '\0') {
            only_files = strcmp(word, "--") == 0;
            w.next += only_files;
            if (!only_files && !read_option(o, a, &w))
                return false;
            continue;
        }
        if (o->input)
            return usage_error("two inputs: '%s' and '%s'", o->input, word);
        o->input = word;
        w.next++;
    }
    return !is_dump || o->start || usage_error("nncc dump needs --start=PASS");
}

/* ---- help ---- */

static void help_row(struct str *s, const struct option *row) {
    enum { COLUMN = 34 };
    size_t start = s->len;
    str_addf(s, "  %s%s%s", row->name, between(row), row->argument);
    size_t width = s->len - start;
    if (width >= COLUMN)
        str_add(s, "\n");
    str_addf(s, "%*s", (int)(width < COLUMN ? COLUMN - width : COLUMN), "");
    str_addf(s, "%s\n", row->help);
}

void options_help(struct str *s) {
    str_add(s, "usage: nncc MODEL.onnx -o FILE.c [OPTION]...\n"
               "       nncc dump --start=PASS -o FILE.c DUMP [OPTION]...\n"
               "Compiles an ONNX model to standalone C99.\n\n");
    for (int k = 0; k < NUM_ROWS; k++)
        if (rows[k].kind != OPTION_LATER)
            help_row(s, &rows[k]);
    str_add(
        s,
        "\nA value may also follow its option as the next word. Exit status: 0 done, 1 bad or "
        "unsupported model,\n2 usage, 3 budget, 4 verification mismatch, 5 input or output, "
        "70 internal error.\n");
}
