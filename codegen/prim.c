/* Primitives by the tables of codegen/targets/: finds the row of a target, a primitive and an
 * element type and fills its template. The columns stand in codegen/targets/scalar.def. */
#include "codegen/prim.h"

#include "ir/diag.h"

#include <stdio.h>

enum row_kind { ROW_TABLE, ROW_VECTOR, ROW_PRIM, ROW_HELPER, ROW_END };

struct row {
    enum row_kind kind;
    enum prim prim;
    enum dtype dtype; // NONE: any float
    /* TABLE: its name; VECTOR: vector type, mask type, $s; PRIM: template; HELPER: name and
     * text. */
    const char *text[3];
};

#define DTYPE_ANY DTYPE_NONE

static const struct row rows[] = {
#define TABLE(name)                {ROW_TABLE, PRIM_COUNT, DTYPE_NONE, {name}},
#define CPU(...)                   // target.c
#define VECTOR(t, vector, mask, s) {ROW_VECTOR, PRIM_COUNT, DTYPE_##t, {vector, mask, s}},
#define PRIM(id, t, text)          {ROW_PRIM, PRIM_##id, DTYPE_##t, {text}},
#define HELPER(name, t, text)      {ROW_HELPER, PRIM_COUNT, DTYPE_##t, {name, text}},
#include "codegen/targets/tables.def"
    {ROW_END, PRIM_COUNT, DTYPE_NONE, {NULL}},
};

/* The rows of a table: up to the next that begins one, or the end. */
static const struct row *table_rows(const char *name) {
    const struct row *r = rows;
    while (r->kind != ROW_TABLE || strcmp(r->text[0], name) != 0) {
        if (r->kind == ROW_END)
            bug("no table of primitives for %s", name);
        r++;
    }
    return r + 1;
}

static bool in_table(const struct row *r) {
    return r->kind != ROW_TABLE && r->kind != ROW_END;
}

static const struct row *find_in_table(const char *name, enum row_kind kind, enum prim p,
                                       enum dtype t) {
    for (const struct row *r = table_rows(name); in_table(r); r++)
        if (r->kind == kind && r->prim == p &&
            (r->dtype == t || (r->dtype == DTYPE_ANY && dtype_is_float(t))))
            return r;
    return NULL;
}

/* The row of a vector type or of a primitive; NULL: there is none. */
static const struct row *find_row(const struct target *target, enum row_kind kind, enum prim p,
                                  enum dtype t) {
    const struct row *r = find_in_table(target->name, kind, p, t);
    return r || !target->base ? r : find_in_table(target->base, kind, p, t);
}

/* The row of a type, of which groups of 1, 2, 4 and 8 registers have one each. */
static const struct row *vector_row(const struct target *target, enum dtype t) {
    const struct row *r = find_row(target, ROW_VECTOR, PRIM_COUNT, t);
    for (int group = target->group; r && group > 1; group /= 2)
        r++;
    return r;
}

int prim_lanes(const struct target *target, enum dtype t) {
    return vector_row(target, t) ? 8 * target->vector_bytes / dtype_info(t)->bits : 0;
}

const char *prim_vector_type(const struct target *target, enum dtype t) {
    return vector_row(target, t)->text[0];
}

const char *prim_mask_type(const struct target *target, enum dtype t) {
    return vector_row(target, t)->text[1];
}

void prim_suffix(struct str *s, const struct target *target, enum dtype t) {
    str_addf(s, target->scalable ? "%sm%d" : "%sx%d", dtype_info(t)->text,
             target->scalable ? target->group : prim_lanes(target, t));
}

bool prim_has(const struct target *target, enum prim p, enum dtype t) {
    return prim_lanes(target, t) > 0 && find_row(target, ROW_PRIM, p, t);
}

/* ---- templates ---- */

static bool is_word(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

/* Is it C that any operator may stand beside: a name, a number, a call, an element? */
static bool is_primary(const char *c) {
    int depth = 0;
    for (; *c; c++) {
        bool open = *c == '(' || *c == '[', close = *c == ')' || *c == ']';
        if (depth == 0 && !open && !is_word(*c) && *c != '.')
            return false;
        depth += open - close;
    }
    return true;
}

/* Is the argument at text all that stands between commas and brackets? */
static bool stands_alone(const char *start, const char *text) {
    bool before =
        text > start && (strchr("({", text[-1]) || (text[-1] == ' ' && text[-2] == ','));
    return text == start ? !text[2] : before && text[2] && strchr(",)}", text[2]);
}

/* How many registers hold a byte for each lane: "mf4", "m2". */
static void put_byte_group(struct str *s, int group, int bits) {
    if (8 * group < bits)
        str_addf(s, "mf%d", bits / (8 * group));
    else
        str_addf(s, "m%d", 8 * group / bits);
}

static void put_letter(struct str *s, const struct target *target, enum dtype t, char what) {
    const struct row *v = vector_row(target, t);
    int bits = dtype_info(t)->bits, group = target->group ? target->group : 1;
    if (what == 'e')
        str_addf(s, "%d", bits);
    else if (what == 'g')
        str_addf(s, "%d", group);
    else if (what == 'r')
        str_addf(s, "%d", bits / group);
    else if (what == 'b')
        put_byte_group(s, group, bits);
    else if (what == 't')
        str_add(s, dtype_info(t)->c_type);
    else if (what == 'n')
        str_add(s, dtype_info(t)->text);
    else if (what == 'f')
        str_add(s, t == DTYPE_F32 ? "f" : "");
    else if (what == 'l')
        str_addf(s, "%d", prim_lanes(target, t));
    else if (v && (what == 'v' || what == 'm' || what == 's'))
        str_add(s, v->text[what == 'v' ? 0 : what == 'm' ? 1 : 2]);
    else
        bug("a row of %s has $%c", target->name, what);
}

static void fill(struct str *s, const struct target *target, enum dtype t, const char *text,
                 const char *const *args) {
    for (const char *p = text; *p; p++) {
        if (*p != '$') {
            str_add_len(s, p, 1);
            continue;
        }
        char what = p[1];
        if (what >= '0' && what <= '9') {
            const char *arg = args[what - '0'];
            bool bare = stands_alone(text, p) || is_primary(arg);
            str_addf(s, bare ? "%s" : "(%s)", arg);
        } else {
            put_letter(s, target, t, what);
        }
        p++;
    }
}

void prim_put(struct str *s, const struct target *target, enum prim p, enum dtype t,
              const char *const *args) {
    const struct row *r = find_row(target, ROW_PRIM, p, t);
    if (!r)
        bug("%s has no primitive %d", target->name, (int)p);
    fill(s, target, t, r->text[0], args);
}

/* ---- helpers ---- */

/* Does the C speak of nncc_<name>? */
static bool mentions(const char *text, const char *name) {
    size_t len = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at += len)
        if (at - text >= 5 && memcmp(at - 5, "nncc_", 5) == 0 && !is_word(at[len]))
            return true;
    return false;
}

static void put_helper(struct str *s, const char *name, const char *text) {
    char guard[64];
    int n = snprintf(guard, sizeof guard, "NNCC_%s", name);
    for (int k = 0; k < n; k++)
        if (guard[k] >= 'a' && guard[k] <= 'z')
            guard[k] = (char)(guard[k] - 'a' + 'A');
    str_addf(s, "\n#ifndef %s\n#define %s\n%s#endif\n", guard, guard, text);
}

/* Puts the helper before those printed already, if one of them or the text needs it. */
static void put_if_needed(struct str *s, const struct target *target, const struct row *r,
                          enum dtype t, const char *text) {
    struct str name = {0}, body = {0}, all = {0};
    fill(&name, target, t, r->text[0], NULL);
    fill(&body, target, t, r->text[1], NULL);
    if (mentions(text, str_cstr(&name)) || mentions(str_cstr(s), str_cstr(&name))) {
        put_helper(&all, str_cstr(&name), str_cstr(&body));
        str_add(&all, str_cstr(s));
        str_free(s);
        *s = all;
    }
    str_free(&name);
    str_free(&body);
}

/* A helper calls those of rows above its own: the last ones are looked at first. */
static void put_helpers_of(struct str *helpers, const struct target *target, const char *table,
                           const char *text) {
    static const enum dtype types[] = {DTYPE_F32, DTYPE_F64};
    const struct row *first = table_rows(table), *r = first;
    while (in_table(r))
        r++;
    for (r--; r >= first; r--)
        for (size_t k = 0; r->kind == ROW_HELPER && k < sizeof types / sizeof *types; k++)
            if (r->dtype == types[k] ||
                (r->dtype == DTYPE_ANY && (k == 0 || strchr(r->text[0], '$'))))
                put_if_needed(helpers, target, r, types[k], text);
}

void prim_put_helpers(struct str *s, const struct target *target, const char *text) {
    struct str helpers = {0};
    put_helpers_of(&helpers, target, target->name, text);
    if (target->base)
        put_helpers_of(&helpers, target, target->base, text);
    str_add(s, str_cstr(&helpers));
    str_free(&helpers);
}

void prim_put_check(struct str *s, const struct target *target) {
    if (target->needs)
        str_addf(s, "#if !(%s)\n#error \"%s\"\n#endif\n", target->needs, target->lacks);
}

void prim_put_macro(struct str *s, const struct target *target) {
    str_add(s,
            "\n/* What the functions of this file may use, whatever flags it is compiled with. "
            "*/\n#undef NNCC_TARGET\n");
    if (target->attribute)
        str_addf(s, "#define NNCC_TARGET __attribute__((target(\"%s\")))\n", target->attribute);
    else
        str_add(s, "#define NNCC_TARGET\n");
}

/* ---- functions ---- */

enum prim prim_with_scalar(enum prim p) {
    static const struct {
        enum prim vectors, scalar;
    } pairs[] = {
        {PRIM_ADD, PRIM_ADD_SCALAR}, {PRIM_SUB, PRIM_SUB_SCALAR},   {PRIM_MUL, PRIM_MUL_SCALAR},
        {PRIM_FMA, PRIM_FMA_SCALAR}, {PRIM_FNMA, PRIM_FNMA_SCALAR}, {PRIM_MIN, PRIM_MIN_SCALAR},
        {PRIM_MAX, PRIM_MAX_SCALAR},
    };
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++)
        if (pairs[k].vectors == p)
            return pairs[k].scalar;
    return PRIM_COUNT;
}

enum prim prim_of_func(enum func f) {
    static const struct {
        enum func func;
        enum prim prim;
    } same[] = {
#define SAME(id) {FUNC_##id, PRIM_##id},
        SAME(ADD) SAME(SUB) SAME(MUL) SAME(DIV) SAME(MIN) SAME(MAX) SAME(NEG) SAME(ABS)
            SAME(SQRT) SAME(FLOOR) SAME(CEIL) SAME(TRUNC) SAME(ROUND) SAME(LT) SAME(LE) SAME(GT)
                SAME(GE) SAME(EQ) SAME(NE) SAME(AND) SAME(OR) SAME(NOT) SAME(SELECT)
#undef SAME
    };
    for (size_t k = 0; k < sizeof same / sizeof *same; k++)
        if (same[k].func == f)
            return same[k].prim;
    return PRIM_COUNT;
}

/* Of functions that are an instruction: is the result made of the operands' bits, whatever
 * numbers they are? */
static bool keeps_bits(enum func f) {
    return f == FUNC_NEG || f == FUNC_ABS || f == FUNC_SELECT || f == FUNC_AND ||
           f == FUNC_OR || f == FUNC_NOT || func_info(f)->rule == RULE_TEST;
}

enum prim prim_with_number(enum prim p) {
    return p == PRIM_MIN ? PRIM_MIN_NUMBER : p == PRIM_MAX ? PRIM_MAX_NUMBER : p;
}

bool prim_has_func(const struct target *target, enum func f, enum dtype t, bool strict) {
    enum prim p = prim_of_func(f);
    if (strict && target->flushes && !keeps_bits(f))
        return false;
    if (f == FUNC_SIGN || func_info(f)->rule == RULE_TEST) // by comparisons
        return prim_has(target, PRIM_SELECT, t);
    return p != PRIM_COUNT ? prim_has(target, p, t) : !strict && math_has(target, f, t);
}
