/* Names and texts of a model made safe for C: identifiers, comments, string literals. */
#include "codegen/emit.h"

/* Words that cannot name an argument: keywords of C and C++, and macros that common headers or
 * compilers define. */
static const char *const reserved[] = {
    "alignas",   "alignof",
    "and",       "asm",
    "assert",    "auto",
    "bool",      "break",
    "case",      "catch",
    "char",      "class",
    "complex",   "concept",
    "const",     "consteval",
    "constexpr", "constinit",
    "continue",  "decltype",
    "default",   "delete",
    "do",        "double",
    "else",      "enum",
    "errno",     "explicit",
    "export",    "extern",
    "false",     "far",
    "float",     "for",
    "friend",    "goto",
    "i386",      "if",
    "imaginary", "inline",
    "int",       "linux",
    "long",      "math_errhandling",
    "mutable",   "namespace",
    "near",      "new",
    "noexcept",  "noreturn",
    "not",       "nullptr",
    "offsetof",  "operator",
    "or",        "private",
    "protected", "public",
    "register",  "requires",
    "restrict",  "return",
    "short",     "signed",
    "sizeof",    "static",
    "stderr",    "stdin",
    "stdout",    "struct",
    "switch",    "template",
    "this",      "thread_local",
    "throw",     "true",
    "try",       "typedef",
    "typeid",    "typename",
    "typeof",    "union",
    "unix",      "unsigned",
    "using",     "virtual",
    "void",      "volatile",
    "wchar_t",   "while",
    "xor",       "EOF",
    "FILE",      "I",
    "INFINITY",  "NAN",
    "NULL",
};

static bool is_reserved(const char *name) {
    for (size_t k = 0; k < sizeof reserved / sizeof *reserved; k++)
        if (strcmp(name, reserved[k]) == 0)
            return true;
    return strncmp(name, "NNCC_", 5) == 0 || strncmp(name, "nncc_", 5) == 0;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

char *c_identifier(struct arena *a, const char *name) {
    size_t len = strlen(name);
    char *id = arena_alloc(a, len + 3), *p = id;
    if (len == 0 || !is_letter(name[0]))
        *p++ = 'x'; // a leading underscore belongs to the compiler
    for (size_t i = 0; i < len; i++) {
        bool keep = is_letter(name[i]) || is_digit(name[i]);
        if (keep || (p > id && p[-1] != '_'))
            *p++ = keep ? name[i] : '_'; // one for any run of other characters
    }
    while (p > id + 1 && p[-1] == '_')
        *--p = '\0';
    if (is_reserved(id))
        *p++ = '_';
    return id;
}

const char *name_unique(struct name_set *set, struct arena *a, const char *name) {
    enum { MOST = 56 }; // with a number 63 characters, which C99 promises to tell apart
    const char *base = arena_printf(a, "%.*s", MOST, c_identifier(a, name)), *id = base;
    bool added;
    map_put(&set->map, id, &added);
    for (int n = 2; !added; n++) {
        id = arena_printf(a, "%s_%d", base, n);
        map_put(&set->map, id, &added);
    }
    return id;
}

/* ---- comments and literals ---- */

void comment_put(struct str *s, const char *text) {
    char last = ' ';
    for (; *text; text++) {
        char c = *text;
        if (c < ' ' || c > '~')
            c = '.'; // control characters and bytes beyond ASCII, whose order on screen may
                     // deceive
        bool ends = (last == '*' && c == '/') || (last == '/' && c == '*');
        bool trigraph = last == '?' && c == '?';
        if (ends || trigraph)
            str_add(s, " ");
        str_add_len(s, &c, 1);
        last = c;
    }
}

/* One byte of a literal, as short as it can be; returns its length. An octal escape must not
 * run on into a digit. */
static int put_byte(char *p, unsigned char c, bool digit_follows) {
    bool plain = c >= ' ' && c <= '~';
    int n = 0;
    if (c == '"' || c == '\\' || !plain)
        p[n++] = '\\';
    if (plain) {
        p[n++] = (char)c;
        return n;
    }
    if (c >= 64 || digit_follows)
        p[n++] = (char)('0' + (c >> 6));
    if (c >= 8 || digit_follows)
        p[n++] = (char)('0' + ((c >> 3) & 7));
    p[n++] = (char)('0' + (c & 7));
    return n;
}

void literal_start(struct literal *t) {
    for (int digit = 0; digit < 2; digit++)
        for (int c = 0; c < 256; c++)
            t->length[digit][c] =
                (unsigned char)put_byte(t->text[digit][c], (unsigned char)c, digit);
}

void literal_bytes(struct str *s, const struct literal *t, const void *data, size_t len) {
    const unsigned char *in = data;
    char text[4 * 256], *p = text;
    for (size_t i = 0; i < len; i++) {
        bool digit = i + 1 < len && in[i + 1] >= '0' && in[i + 1] <= '7';
        if (in[i] == '?' && i > 0 && in[i - 1] == '?') // no trigraph
            *p++ = '\\';
        memcpy(p, t->text[digit][in[i]], sizeof t->text[digit][in[i]]);
        p += t->length[digit][in[i]];
        if (p > text + sizeof text - 6) {
            str_add_len(s, text, (size_t)(p - text));
            p = text;
        }
    }
    str_add_len(s, text, (size_t)(p - text));
}

void literal_put(struct str *s, const void *data, size_t len) {
    struct literal t;
    literal_start(&t);
    literal_bytes(s, &t, data, len);
}
