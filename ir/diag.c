/* Messages: one line each, whatever bytes the names in them hold. */
#include "ir/diag.h"

#include <stdlib.h>

static void add_place(struct str *out, struct loc loc) {
    if (loc.file)
        str_addf(out, "%s:", loc.file);
    if (loc.node)
        str_addf(out, "%s:", loc.node);
    else if (loc.line)
        str_addf(out, loc.file ? "%d:" : "line %d:", loc.line);
    if (out->len == 0)
        str_add(out, "nncc:");
}

/* Control characters (names come from the model) as \xHH: a message stays one line. */
static void add_one_line(struct str *out, const struct str *text) {
    for (size_t k = 0; k < text->len; k++) {
        unsigned char c = (unsigned char)text->data[k];
        if (c < 0x20 || c == 0x7f)
            str_addf(out, "\\x%02x", c);
        else
            str_add_len(out, text->data + k, 1);
    }
}

static void report(struct diag *d, struct loc loc, const char *kind, const char *fmt,
                   va_list args) {
    struct str text = {0}, line = {0};
    add_place(&text, loc);
    str_addf(&text, " %s: ", kind);
    str_add_va(&text, fmt, args);
    add_one_line(&line, &text);
    str_add(&line, "\n");
    if (d->sink)
        str_add(d->sink, line.data);
    else
        fputs(line.data, stderr);
    str_free(&text);
    str_free(&line);
}

void diag_error(struct diag *d, struct loc loc, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    d->errors++;
    report(d, loc, "error", fmt, args);
    va_end(args);
}

void diag_warning(struct diag *d, struct loc loc, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    d->warnings++;
    report(d, loc, "warning", fmt, args);
    va_end(args);
}

void diag_note(struct diag *d, struct loc loc, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    report(d, loc, "note", fmt, args);
    va_end(args);
}

void diag_remark(struct diag *d, enum remark_kind kind, struct loc loc, const char *fmt, ...) {
    if (!(d->remarks & kind))
        return;
    const char *name = kind == REMARK_PASSED   ? "passed"
                       : kind == REMARK_MISSED ? "missed"
                                               : "analysis";
    struct str head = {0};
    str_addf(&head, "remark: %s", name);
    if (d->pass)
        str_addf(&head, ": %s", d->pass);
    va_list args;
    va_start(args, fmt);
    report(d, loc, head.data, fmt, args);
    va_end(args);
    str_free(&head);
}

void bug_at(const char *file, int line, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fflush(stdout);
    fprintf(stderr, "nncc: internal error at %s:%d: ", file, line);
    vfprintf(stderr, fmt, args);
    fputs(
        "\nnncc: this is a defect of nncc; --dump=PASS --dump-dir=DIR shows what each pass of "
        "--passes made until here\n",
        stderr);
    va_end(args);
    exit(70);
}
