/* Prints C that compares each row of a target's table with what scalar.def says of it.
 *
 *   prims --list      the processors whose tables this machine can run, one for each table
 *   prims --others    those of the other tables, each with why this machine cannot run its C
 *   prims CPU math    C that compares the functions of math.def with libm: includes ulps.h
 *   prims CPU TYPE    the C for f32 or f64: includes rows.h, prints the rows that differ and
 * ends with `N passed, N failed, 0 skipped`
 *
 * Exit status 3 when the table has no vectors of that type. */
#include "codegen/codegen.h"
#include "codegen/prim.h"

#include <limits.h>
#include <stdio.h>

/* What a primitive takes and gives. The result: v a vector, m a mask, s a scalar, '-': it
 * stores. Arguments: v, m; w a vector that is read at other lanes, l their number; S n P
 * vectors of certain numbers (check_fill); m M masks of x1, of x2; p a pointer to a vector, c
 * to its first k lanes alone, b B the same to truth values, f a mask of those lanes; g a
 * pointer to what lies k apart, G to that of the first k lanes; o N D the numbers of lanes
 * times k, the last two modulo l and 2 l; s a scalar; k a number, e that of a lane; a A offsets
 * of lanes, those of A behind the first ones being out of bounds; T a vector of as many lanes
 * as there may be, of which the result has as many. Of vectors whose number of lanes is known
 * at run time the first k lanes are any.
 */
struct signature {
    enum prim prim;
    const char *name;
    char result;
    const char *args, *kind;
};

static const struct signature signatures[] = {
// clang-format off
#define SIGNATURE(id, result, args, kind) {PRIM_##id, #id, result, args, "CHECK_" kind},
    SIGNATURE(LOAD,       'v', "p",   "BITS")
    SIGNATURE(STORE,      '-', "pv",  "BITS")
    SIGNATURE(LOAD_SOME,  'v', "pm",  "BITS")
    SIGNATURE(LOAD_SOME,  'v', "cf",  "BITS")
    SIGNATURE(LOAD_ELSE,  'v', "pmv", "BITS")
    SIGNATURE(LOAD_ELSE,  'v', "cfv", "BITS")
    SIGNATURE(STORE_SOME, '-', "pmv", "BITS")
    SIGNATURE(STORE_SOME, '-', "cfv", "BITS")
    SIGNATURE(LOAD_MASK,  'm', "b",   "BITS")
    SIGNATURE(STORE_MASK, '-', "bm",  "BITS")
    SIGNATURE(LOAD_MASK_SOME,  'm', "bm",  "BITS")
    SIGNATURE(LOAD_MASK_SOME,  'm', "Bf",  "BITS")
    SIGNATURE(STORE_MASK_SOME, '-', "bmM", "BITS")
    SIGNATURE(STORE_MASK_SOME, '-', "BfM", "BITS")
    SIGNATURE(GATHER,     'v', "go",  "BITS")
    SIGNATURE(GATHER_SOME, 'v', "gmo", "BITS")
    SIGNATURE(GATHER_SOME, 'v', "Gfo", "BITS")
    SIGNATURE(PERMUTE,    'v', "wN",  "BITS")
    SIGNATURE(PERMUTE2,   'v', "wwD", "BITS")
    SIGNATURE(SPLAT,      'v', "s",   "BITS")
    SIGNATURE(ZERO,       'v', "",    "BITS")
    SIGNATURE(KEEP,       'v', "v",   "BITS")
    SIGNATURE(SETTLE,     'v', "v",   "BITS")
    SIGNATURE(FIRST,      'm', "k",   "BITS")
    SIGNATURE(ADD,        'v', "vv",  "ROUND")
    SIGNATURE(SUB,        'v', "vv",  "ROUND")
    SIGNATURE(MUL,        'v', "vv",  "ROUND")
    SIGNATURE(DIV,        'v', "vv",  "ROUND")
    SIGNATURE(FMA,        'v', "vvv", "ROUND")
    SIGNATURE(FNMA,       'v', "vvv", "ROUND")
    SIGNATURE(FMA_LANE,   'v', "vwve", "ROUND")
    SIGNATURE(MIN,        'v', "vv",  "ROUND")
    SIGNATURE(MAX,        'v', "vv",  "ROUND")
    SIGNATURE(MIN_NUMBER, 'v', "Pv",  "BITS")
    SIGNATURE(MAX_NUMBER, 'v', "Pv",  "BITS")
    SIGNATURE(NEG,        'v', "v",   "BITS")
    SIGNATURE(ABS,        'v', "v",   "BITS")
    SIGNATURE(SQRT,       'v', "v",   "ROUND")
    SIGNATURE(FLOOR,      'v', "v",   "ROUND")
    SIGNATURE(CEIL,       'v', "v",   "ROUND")
    SIGNATURE(TRUNC,      'v', "v",   "ROUND")
    SIGNATURE(ROUND,      'v', "v",   "ROUND")
    SIGNATURE(LT,         'm', "vv",  "ROUND")
    SIGNATURE(LE,         'm', "vv",  "ROUND")
    SIGNATURE(GT,         'm', "vv",  "ROUND")
    SIGNATURE(GE,         'm', "vv",  "ROUND")
    SIGNATURE(EQ,         'm', "vv",  "ROUND")
    SIGNATURE(NE,         'm', "vv",  "ROUND")
    SIGNATURE(AND,        'm', "mm",  "BITS")
    SIGNATURE(OR,         'm', "mm",  "BITS")
    SIGNATURE(NOT,        'm', "m",   "BITS")
    SIGNATURE(SELECT,     'v', "mvv", "BITS")
    SIGNATURE(LDEXP,      'v', "Sn",  "BITS")
    SIGNATURE(POW2,       'v', "i",   "BITS")
    SIGNATURE(ROOT2,      'v', "r",   "BITS")
    SIGNATURE(LOGB,       'v', "P",   "BITS")
    SIGNATURE(MANT,       'v', "P",   "BITS")
    SIGNATURE(ZIP_LOW,    'v', "wwl", "BITS")
    SIGNATURE(ZIP_HIGH,   'v', "wwl", "BITS")
    SIGNATURE(SUM,        's', "S",   "SUM")
    SIGNATURE(LEAST,      's', "S",   "VALUE")
    SIGNATURE(MOST,       's', "S",   "VALUE")
    SIGNATURE(ADD_SCALAR, 'v', "vs",  "ROUND")
    SIGNATURE(SUB_SCALAR, 'v', "vs",  "ROUND")
    SIGNATURE(MUL_SCALAR, 'v', "vs",  "ROUND")
    SIGNATURE(FMA_SCALAR, 'v', "svv", "ROUND")
    SIGNATURE(FNMA_SCALAR, 'v', "svv", "ROUND")
    SIGNATURE(MIN_SCALAR, 'v', "sv",  "BITS")
    SIGNATURE(MAX_SCALAR, 'v', "sv",  "BITS")
    SIGNATURE(NUMBERS,    'v', "",    "BITS")
    SIGNATURE(KEEP_TAIL,  'v', "Tv",  "BITS")
    SIGNATURE(LOAD_STRIDED,      'v', "gk",  "BITS")
    SIGNATURE(LOAD_STRIDED_SOME, 'v', "gkm", "BITS")
    SIGNATURE(LOAD_STRIDED_SOME, 'v', "Gkf", "BITS")
    SIGNATURE(LOAD_INDEXED,      'v', "pa",  "BITS")
    SIGNATURE(LOAD_INDEXED_SOME, 'v', "pam", "BITS")
    SIGNATURE(LOAD_INDEXED_SOME, 'v', "cAf", "BITS")
    SIGNATURE(STORE_STRIDED,     '-', "gkv", "BITS")
#undef SIGNATURE
    // clang-format on
};
enum {
    NUM_SIGNATURES = sizeof signatures / sizeof *signatures,
    MOST_ARGS = 4,
    INPUTS = 3,     // of a row: x0, x1, x2
    NO_VECTORS = 3, // exit status
    APART = 3,      // numbers of a gather that some lanes have
    MOST_TEXT = 1024
};

struct printer {
    const struct target *target, *scalar;
    enum dtype type;
    int lanes;              // 0: known at run time
    struct str text, table; // functions; rows
    int rows;
};

/* The C of a primitive. */
static void prim_text(char *out, const struct printer *p, const struct target *target,
                      enum prim prim, char args[MOST_ARGS][MOST_TEXT]) {
    const char *const list[] = {args[0], args[1], args[2], args[3]};
    struct str s = {0};
    prim_put(&s, target, prim, p->type, list);
    snprintf(out, MOST_TEXT, "%s", str_cstr(&s));
    str_free(&s);
}

/* Elements that hold so many bytes, and the bytes before the last ones of them. */
static int elements_of(const struct printer *p, int bytes) {
    int size = dtype_info(p->type)->bits / 8;
    return (bytes + size - 1) / size;
}

static int bytes_before(const struct printer *p, int bytes) {
    return elements_of(p, bytes) * dtype_info(p->type)->bits / 8 - bytes;
}

/* The numbers k i of lanes i. */
static void numbers_text(char *out, const struct printer *p, char kind, int k) {
    int most = kind == 'o' ? INT_MAX : kind == 'N' ? p->lanes : 2 * p->lanes;
    struct str s = {0};
    for (int i = 0; i < p->lanes; i++)
        str_addf(&s, i ? ", %d" : "%d", i * k % most);
    snprintf(out, MOST_TEXT, "%s", str_cstr(&s));
    str_free(&s);
}

/* A pointer to truth values at the end of a block, as many as there are lanes or `first` ones.
 */
static void bytes_text(char *out, const struct printer *p, const char *memory, bool stores,
                       int first) {
    const char *cast = stores ? "" : "const ";
    if (p->lanes > 0)
        snprintf(out, MOST_TEXT, "((%suint8_t *)%s + %d)", cast, memory,
                 bytes_before(p, first > 0 ? first : p->lanes));
    else
        snprintf(out, MOST_TEXT,
                 "((%suint8_t *)%s + (sizeof(real) - %s %% sizeof(real)) %% "
                 "sizeof(real))",
                 cast, memory, first > 0 ? "check_some" : "vl");
}

/* A pointer to elements k apart, the last lane's being the first where k < 0. */
static void apart_text(char *out, const struct printer *p, const char *memory, int k,
                       bool some) {
    if (p->lanes == 0 && k < 0)
        snprintf(out, MOST_TEXT, "(%s + (%s - 1) * %d)", memory, some ? "check_some" : "vl",
                 -k);
    else
        snprintf(out, MOST_TEXT, "%s", memory);
}

/* What stands for argument i of a signature: in the test, or in the expectation of lane i. */
static void argument_text(char *out, const struct printer *p, const struct signature *g, int i,
                          int k, bool lane) {
    char kind = g->args[i];
    const char *memory = g->result == '-' ? "y" : "x0";
    if (kind == 'g' || kind == 'G')
        apart_text(out, p, memory, k, kind == 'G');
    else if (kind == 'p' || kind == 'c')
        snprintf(out, MOST_TEXT, "%s", memory);
    else if (kind == 'b' || kind == 'B')
        bytes_text(out, p, memory, g->result == '-', kind == 'B' ? k : 0);
    else if (kind == 'a' || kind == 'A')
        snprintf(out, MOST_TEXT, kind == 'a' ? "check_offsets" : "check_far");
    else if (strchr("oND", kind))
        numbers_text(out, p, kind, strchr(g->args, 'G') ? APART : k);
    else if (kind == 's')
        snprintf(out, MOST_TEXT, "x%d[0]", i);
    else if (kind == 'k' || kind == 'l' || kind == 'e')
        snprintf(out, MOST_TEXT, "%d", k);
    else if (kind == 'w' && lane)
        snprintf(out, MOST_TEXT, "x%d", i);
    else if (!lane)
        snprintf(out, MOST_TEXT, "v%d", i);
    else if (kind == 'f' && p->lanes == 0)
        snprintf(out, MOST_TEXT, "(i < (int)check_some)");
    else if (kind == 'f')
        snprintf(out, MOST_TEXT, "(i < %d)", k);
    else
        snprintf(out, MOST_TEXT, kind == 'm' || kind == 'M' ? "(x%d[i] < 0)" : "x%d[i]", i);
}

/* The mask of the first k lanes, or, of vectors of any length, of those of the round's part. */
static void first_text(char *out, const struct printer *p, int k) {
    char x[MOST_ARGS][MOST_TEXT] = {"", "", ""}, number[] = "(real)check_some";
    snprintf(x[0], MOST_TEXT, "%d", k);
    if (p->lanes > 0) {
        prim_text(out, p, p->target, PRIM_FIRST, x);
        return;
    }
    prim_text(x[2], p, p->target, PRIM_NUMBERS, x);
    snprintf(x[0], MOST_TEXT, "%s", number);
    prim_text(x[1], p, p->target, PRIM_SPLAT, x);
    snprintf(x[0], MOST_TEXT, "%s", x[2]);
    prim_text(out, p, p->target, PRIM_LT, x);
}

/* The vector or mask v<i> of argument i. */
static void declare_argument(struct printer *p, const struct signature *g, int i, int k) {
    char x[MOST_ARGS][MOST_TEXT] = {"", "", ""}, value[MOST_TEXT];
    char kind = g->args[i];
    bool mask = kind == 'm' || kind == 'M' || kind == 'f';
    if (strchr("pcgGsklebBoNDaA", kind))
        return;
    snprintf(x[0], MOST_TEXT, "x%d", i);
    if (kind == 'f')
        first_text(value, p, k);
    else
        prim_text(value, p, p->target, PRIM_LOAD, x);
    if (kind == 'm' || kind == 'M') {
        snprintf(x[0], MOST_TEXT, "%s", value);
        prim_text(x[1], p, p->target, PRIM_ZERO, x);
        prim_text(value, p, p->target, PRIM_LT, x);
    }
    if (kind == 'T')
        str_add(&p->text, "    vl = check_most;\n");
    str_addf(&p->text, "    const %s v%d = %s;\n",
             mask ? prim_mask_type(p->target, p->type) : prim_vector_type(p->target, p->type),
             i, value);
    if (kind == 'T')
        str_add(&p->text, "    vl = check_lanes;\n");
}

/* How the test stores its result. */
static void put_result(struct printer *p, const struct signature *g, const char *c) {
    char result = g->result;
    char one[MOST_ARGS][MOST_TEXT] = {"1", "", ""}, x[MOST_ARGS][MOST_TEXT];
    if (result == 's' || result == '-') {
        str_addf(&p->text, "    %s%s;\n", result == 's' ? "y[0] = " : "", c);
        return;
    }
    snprintf(x[0], MOST_TEXT, "y");
    snprintf(x[1], MOST_TEXT, "%s", c);
    if (result == 'm') {
        snprintf(x[0], MOST_TEXT, "%s", c);
        prim_text(x[1], p, p->target, PRIM_SPLAT, one);
        prim_text(x[2], p, p->target, PRIM_ZERO, one);
        prim_text(x[1], p, p->target, PRIM_SELECT, x);
        snprintf(x[0], MOST_TEXT, "y");
    }
    if (strchr(g->args, 'T')) { // of as many lanes as there may be
        str_addf(&p->text, "    const %s r = %s;\n    vl = check_most;\n",
                 prim_vector_type(p->target, p->type), c);
        snprintf(x[1], MOST_TEXT, "r");
    }
    prim_text(one[0], p, p->target, PRIM_STORE, x);
    str_addf(&p->text, "    %s;\n", one[0]);
}

static void put_head(struct printer *p, const char *attribute, const char *name,
                     const struct signature *g) {
    str_addf(
        &p->text,
        "\nstatic %svoid %s_%d(real *y, const real *x0, const real *x1, const real *x2)\n{\n",
        attribute, name, p->rows);
    for (int i = 0; i < INPUTS; i++)
        if (i >= (int)strlen(g->args) || strchr("kfloNDaA", g->args[i]) ||
            (i == 0 && g->result == '-'))
            str_addf(&p->text, "    (void)x%d;\n", i);
    if (p->lanes == 0)
        str_addf(&p->text, "    %ssize_t vl = check_lanes;\n    (void)vl;\n",
                 strchr(g->args, 'T') ? "" : "const ");
}

/* The expectation: lane by lane, by scalar.def. */
static void put_expectation(struct printer *p, const struct signature *g, int k) {
    char args[MOST_ARGS][MOST_TEXT] = {"", "", ""}, c[MOST_TEXT];
    for (int i = 0; g->args[i]; i++)
        argument_text(args[i], p, g, i, k, true);
    if (g->result == 's') {
        snprintf(args[1], MOST_TEXT, "%s", args[0]);
        snprintf(args[0], MOST_TEXT, "y[0]");
    }
    if (strchr(g->args, 'T'))
        snprintf(args[2], MOST_TEXT, "(int)vl");
    prim_text(c, p, p->scalar, g->prim, args);
    put_head(p, "", "want", g);
    if (g->result == 's')
        str_add(&p->text, "    y[0] = x0[0];\n");
    str_addf(&p->text, "    for (int i = %d; i < ", g->result == 's');
    if (p->lanes > 0)
        str_addf(&p->text, "%d", p->lanes);
    else
        str_add(&p->text, strchr(g->args, 'T') ? "(int)check_most" : "(int)vl");
    str_add(&p->text, "; i++)\n        ");
    str_addf(&p->text,
             g->result == '-'   ? "%s;\n}\n"
             : g->result == 's' ? "y[0] = %s;\n}\n"
             : g->result == 'm' ? "y[i] = (%s) ? 1 : 0;\n}\n"
                                : "y[i] = %s;\n}\n",
             c);
}

/* Elements that the functions of a row read (`in`) or write: {each, more, by, of} of rows.h. */
static void put_size(struct printer *p, const struct signature *g, int k, bool in) {
    bool memory = in == (g->result != '-'); // that of the pointer among the arguments
    bool bytes = memory && strpbrk(g->args, "bB"), apart = memory && strpbrk(g->args, "gG");
    bool some = memory && strpbrk(g->args, "cBG");
    int size = dtype_info(p->type)->bits / 8, step = apart ? k < 0 ? -k : k : 1;
    const char *of = strchr(g->args, 'T') ? "most" : some ? "some" : "lanes";
    if (!in && g->result == 's')
        str_add(&p->table, "{0, 1, 1, NULL}");
    else if (p->lanes == 0)
        str_addf(&p->table, "{%d, %d, %d, &check_%s}", step, bytes ? size - 1 : 1 - step,
                 bytes ? size : 1, of);
    else if (bytes)
        str_addf(&p->table, "{0, %d, 1, NULL}", elements_of(p, some ? k : p->lanes));
    else
        str_addf(&p->table, "{0, %d, 1, NULL}",
                 apart  ? some ? (k - 1) * APART + 1 : (p->lanes - 1) * k + 1
                 : some ? k
                        : p->lanes);
}

static void put_row(struct printer *p, const struct signature *g, int k) {
    char args[MOST_ARGS][MOST_TEXT] = {"", "", ""}, c[MOST_TEXT];
    struct str suffix = {0};
    put_head(p, "NNCC_TARGET ", "run", g);
    for (int i = 0; g->args[i]; i++) {
        declare_argument(p, g, i, k);
        argument_text(args[i], p, g, i, k, false);
    }
    prim_text(c, p, p->target, g->prim, args);
    put_result(p, g, c);
    str_add(&p->text, "}\n");
    put_expectation(p, g, k);
    prim_suffix(&suffix, p->target, p->type);
    str_addf(&p->table, "        {\"%s %s %s\", \"%s\", ", g->name, p->target->name,
             str_cstr(&suffix), g->args);
    put_size(p, g, k, true);
    str_add(&p->table, ", ");
    put_size(p, g, k, false);
    str_addf(&p->table, ", %s, run_%d, want_%d, ", g->kind, p->rows, p->rows);
    str_addf(&p->table, p->lanes > 0 ? "NULL},\n" : "length_%s},\n", str_cstr(&suffix));
    str_free(&suffix);
    p->rows++;
}

/* A row for each k that makes a difference. */
static void put_rows(struct printer *p, const struct signature *g) {
    static const int apart[] = {1, 2, 7, 20}, strides[] = {2, 9, -3};
    if (!prim_has(p->target, g->prim, p->type))
        return;
    if (p->lanes == 0)
        for (size_t k = 0; k < (strpbrk(g->args, "gG") ? sizeof strides / sizeof *strides : 1);
             k++)
            put_row(p, g, strides[k]);
    else if (strpbrk(g->args, "cfBG") || g->prim == PRIM_FIRST)
        for (int k = 1; k < p->lanes; k++)
            put_row(p, g, k);
    else if (strchr(g->args, 'e'))
        for (int k = 0; k < p->lanes; k++)
            put_row(p, g, k);
    else if (strpbrk(g->args, "gND"))
        for (size_t k = 0; k < sizeof apart / sizeof *apart; k++)
            put_row(p, g, apart[k]);
    else
        put_row(p, g, p->lanes);
}

/* How many lanes a vector takes, as a function. */
static void put_length(struct printer *p) {
    char args[MOST_ARGS][MOST_TEXT] = {"n", "", ""}, c[MOST_TEXT], most[MOST_TEXT];
    struct str suffix = {0};
    prim_text(c, p, p->target, PRIM_LENGTH, args);
    prim_text(most, p, p->target, PRIM_MOST_LENGTH, args);
    prim_suffix(&suffix, p->target, p->type);
    str_addf(&p->text,
             "\nstatic NNCC_TARGET size_t length_%s(size_t n)\n{\n"
             "    return n == ELEMENTS ? %s : %s;\n}\n",
             str_cstr(&suffix), most, c);
    str_free(&suffix);
}

/* The groups of registers that a target's vectors take, each as a target; returns how many. */
static int list_groups(const struct target *target, struct target groups[4]) {
    groups[0] = *target;
    for (int k = 0; target->scalable && k < 4; k++)
        groups[k] = target_grouped(target, 1 << k);
    return target->scalable ? 4 : 1;
}

static void print_program(struct printer *p) {
    struct str head = {0};
    struct target groups[4];
    int num = list_groups(p->target, groups);
    for (int i = 0; i < num; i++) {
        p->target = &groups[i];
        if (p->target->scalable)
            put_length(p);
        for (int k = 0; k < NUM_SIGNATURES; k++)
            put_rows(p, &signatures[k]);
    }
    str_add(&head, "#define _DEFAULT_SOURCE\n");
    prim_put_check(&head, p->target);
    if (p->target->header)
        str_addf(&head, "#include <%s>\n", p->target->header);
    str_addf(&head,
             "#include <stdint.h>\ntypedef %s real;\ntypedef uint%d_t check_offset;\n"
             "#define FLUSHES %d\n#include \"rows.h\"\n",
             dtype_info(p->type)->c_type, dtype_info(p->type)->bits, p->target->flushes);
    prim_put_macro(&head, p->target);
    for (int i = 0; i < num; i++)
        prim_put_helpers(&head, &groups[i], str_cstr(&p->text));
    printf("%s%s\nint main(void)\n{\n    static const struct check_row rows[] = {\n%s    };\n"
           "    return check_rows(rows, %d);\n}\n",
           str_cstr(&head), str_cstr(&p->text), str_cstr(&p->table), p->rows);
    str_free(&head);
}

/* ---- functions ---- */

/* The test of one function: its vector form, and the row that names it. */
static void put_function(struct printer *p, enum func f, const char *name) {
    char args[MOST_ARGS][MOST_TEXT] = {"x", "", ""}, load[MOST_TEXT], store[MOST_TEXT];
    bool any = p->target->scalable;
    prim_text(load, p, p->target, PRIM_LOAD, args);
    snprintf(args[0], MOST_TEXT, "y");
    snprintf(args[1], MOST_TEXT, any ? "%s(v, vl)" : "%s(v)", name);
    prim_text(store, p, p->target, PRIM_STORE, args);
    str_addf(&p->text, "\nstatic NNCC_TARGET void run_%d(float *y, const float *x)\n{\n",
             p->rows);
    if (any) {
        snprintf(args[0], MOST_TEXT, "LANES - i");
        prim_text(args[1], p, p->target, PRIM_LENGTH, args);
        str_addf(&p->text,
                 "    for (size_t i = 0, vl; i < LANES; i += vl, x += vl, y += vl) {\n"
                 "        vl = %s;\n",
                 args[1]);
    }
    str_addf(&p->text, "    const %s v = %s;\n    %s;\n%s}\n",
             prim_vector_type(p->target, p->type), load, store, any ? "    }\n" : "");
    str_addf(&p->table, "        {\"%s\", %g, run_%d, %s},\n", name,
             math_error(p->target, f, p->type), p->rows, func_info(f)->text);
    p->rows++;
}

static void put_math(struct printer *p, struct str *out) {
    struct math_set set = {0};
    struct arena arena = {0};
    struct str math = {0}, all = {0};
    struct target groups[4];
    int num = list_groups(p->target, groups);
    for (int k = 0; k < num * FUNC_COUNT; k++) {
        enum func f = (enum func)(k % FUNC_COUNT);
        p->target = &groups[k / FUNC_COUNT];
        if (math_has(p->target, f, p->type))
            put_function(p, f, math_add(&set, &arena, p->target, f, p->type));
    }
    math_print(&math, &set);
    str_addf(&all, "%s%s", str_cstr(&math), str_cstr(&p->text));
    for (int k = 0; k < num; k++)
        prim_put_helpers(out, &groups[k], str_cstr(&all));
    str_add(out, str_cstr(&math));
    str_free(&math);
    str_free(&all);
    arena_free(&arena);
}

static void print_math(struct printer *p) {
    struct str head = {0};
    prim_put_check(&head, p->target);
    if (p->target->header)
        str_addf(&head, "#include <%s>\n", p->target->header);
    str_addf(&head, "#define LANES %d\n#define FLUSHES %d\n#include \"ulps.h\"\n",
             p->lanes > 0 ? p->lanes : 200, p->target->flushes);
    prim_put_macro(&head, p->target);
    put_math(p, &head);
    printf("%s%s\nint main(int argc, char **argv)\n{\n    static const struct ulps_row rows[] "
           "= {\n"
           "%s    };\n    return ulps_rows(rows, %d, argc, argv);\n}\n",
           str_cstr(&head), str_cstr(&p->text), str_cstr(&p->table), p->rows);
    str_free(&head);
}

/* Why this machine cannot run the C for t; NULL: it can. Tables stand in the order of what a
 * machine must have: it runs those before its own, and any machine runs those that name no
 * instructions. */
static const char *obstacle(const struct target *t) {
    const struct target *own = target_find("native");
    if (t->machine && (!own->machine || strcmp(t->machine, own->machine) != 0))
        return "another machine";
    return t->attribute && t->vector_bytes > own->vector_bytes ? "this processor lacks it"
                                                               : NULL;
}

static void list_cpus(bool runs) {
    const struct cpu *cpu;
    const char *last = "";
    for (int k = 0; (cpu = target_list(k)); k++) {
        const struct target *t = &cpu->target;
        const char *why = obstacle(t);
        if (t->vector_bytes == 0 || (why == NULL) != runs)
            continue;
        if (!runs)
            printf("%s\t%s: %s\n", cpu->name, t->name, why);
        else if (strcmp(t->name, last) != 0)
            printf("%s\n", cpu->name);
        last = t->name;
    }
}

int main(int argc, char **argv) {
    if (argc == 2 && (strcmp(argv[1], "--list") == 0 || strcmp(argv[1], "--others") == 0)) {
        list_cpus(strcmp(argv[1], "--list") == 0);
        return 0;
    }
    const struct target *target = argc == 3 ? target_find(argv[1]) : NULL;
    bool math = argc == 3 && strcmp(argv[2], "math") == 0;
    enum dtype type = math        ? DTYPE_F32
                      : argc == 3 ? dtype_from_text(argv[2], strlen(argv[2]))
                                  : DTYPE_NONE;
    if (target && dtype_is_float(type) && prim_lanes(target, type) == 0)
        return NO_VECTORS;
    if (!target || !dtype_is_float(type)) {
        fprintf(stderr, "usage: prims --list | prims --others | prims CPU f32|f64|math\n");
        return 2;
    }
    struct printer p = {.target = target, .scalar = target_find("scalar"), .type = type};
    p.lanes = target->scalable ? 0 : prim_lanes(target, type);
    if (math)
        print_math(&p);
    else
        print_program(&p);
    str_free(&p.text);
    str_free(&p.table);
    return 0;
}
