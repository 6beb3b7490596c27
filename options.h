/* The command line: options.def as a struct. */
#ifndef NNCC_OPTIONS_H
#define NNCC_OPTIONS_H

#include "ir/base.h"

struct option_list {
    const char **item; // in argv
    int count;
};

struct options {
    const char *input; // model or dump; NULL: none given
    int opt_level;
// clang-format off
#define FIELD_TEXT(field)  const char *field;
#define FIELD_FLAG(field)  bool field;
#define FIELD_LIST(field)  struct option_list field;
#define FIELD_LEVEL(field) // opt_level
#define FIELD_LATER(field) // none
#define OPTION(kind, name, argument, field, initial, help) FIELD_##kind(field)
#include "options.def"
// clang-format on
#undef FIELD_TEXT
#undef FIELD_FLAG
#undef FIELD_LIST
#undef FIELD_LEVEL
#undef FIELD_LATER
};

/* Reads the command line; lists live in a. False after printing what is wrong with it to
 * standard error. */
bool options_read(struct options *o, struct arena *a, int argc, char **argv);
void options_help(struct str *s);
/* One line `nncc: error: …` on standard error; returns false. */
bool usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
