/* Functions on vectors: the steps of math.def, spelled by the primitives of a target. */
#include "codegen/prim.h"

#include <stdio.h>

struct math_row {
    bool begins; // a function: func, dtype, fused, error, note; else a step of the one begun
                 // last
    enum func func;
    enum dtype dtype;
    bool fused; // the products of FMA and FNMA must not be rounded
    double error;
    const char *name, *note; // of the step's value
    enum prim prim;
    const char *args[3];
};

static const struct math_row rows[] = {
#define MATH(id, t, how, ulp, text)                                                            \
    {true, FUNC_##id, DTYPE_##t, how, ulp, NULL, text, PRIM_COUNT, {NULL}},
#define STEP(name, prim, a, b, c)                                                              \
    {false, FUNC_COUNT, DTYPE_NONE, false, 0, name, NULL, PRIM_##prim, {a, b, c}},
#define FUSED true
#define ANY   false
#include "codegen/math.def"
#undef FUSED
#undef ANY
};
enum { NUM_ROWS = sizeof rows / sizeof *rows };

static bool is_step(const struct math_row *r) {
    return r < rows + NUM_ROWS && !r->begins;
}

static bool has_step(const struct target *target, enum prim p, enum dtype t) {
    if (prim_has(target, p, t))
        return true;
    enum prim after = p == PRIM_FMA ? PRIM_ADD : p == PRIM_FNMA ? PRIM_SUB : PRIM_COUNT;
    return after != PRIM_COUNT && prim_has(target, PRIM_MUL, t) && prim_has(target, after, t);
}

/* Has the target all primitives of the function that begins at r? */
static bool has_steps(const struct target *target, const struct math_row *r, enum dtype t) {
    bool fused = r->fused, has = prim_has(target, PRIM_SPLAT, t);
    for (r++; has && is_step(r); r++)
        has = fused ? prim_has(target, r->prim, t) : has_step(target, r->prim, t);
    return has;
}

/* The row that begins f on t, the first one that the target has all primitives for, or NULL. */
static const struct math_row *find_function(const struct target *target, enum func f,
                                            enum dtype t) {
    for (const struct math_row *r = rows; r < rows + NUM_ROWS; r++)
        if (r->begins && r->func == f && r->dtype == t && has_steps(target, r, t))
            return r;
    return NULL;
}

bool math_has(const struct target *target, enum func f, enum dtype t) {
    return find_function(target, f, t);
}

double math_error(const struct target *target, enum func f, enum dtype t) {
    return find_function(target, f, t)->error;
}

static void function_name(struct str *s, const struct target *target, enum func f,
                          enum dtype t) {
    str_addf(s, "nncc_%s_", func_info(f)->text);
    prim_suffix(s, target, t);
}

const char *math_add(struct math_set *set, struct arena *a, const struct target *target,
                     enum func f, enum dtype t) {
    struct str name = {0};
    bool is_new = true;
    for (int k = 0; k < set->uses.len; k++)
        is_new = is_new && (set->uses.data[k].target != target || set->uses.data[k].f != f ||
                            set->uses.data[k].dtype != t);
    if (is_new)
        vec_push(a, &set->uses, ((struct math_use){target, f, t}));
    function_name(&name, target, f, t);
    char *copy = arena_strdup(a, str_cstr(&name));
    str_free(&name);
    return copy;
}

/* ---- printing ---- */

static bool is_number(const char *text) {
    return text[0] == '-' || (text[0] >= '0' && text[0] <= '9');
}

/* The C of a step's operand: a value, or the vector of a number. */
static void operand(struct str *s, const struct target *target, enum dtype t,
                    const char *text) {
    if (is_number(text))
        prim_put(s, target, PRIM_SPLAT, t, &text);
    else
        str_add(s, text);
}

/* FMA and FNMA of a target that has none. */
static void put_unfused(struct str *s, const struct target *target, enum prim p, enum dtype t,
                        const char *const *args) {
    struct str product = {0};
    prim_put(&product, target, PRIM_MUL, t, args);
    const char *sum[] = {str_cstr(&product), args[2]}, *less[] = {args[2], str_cstr(&product)};
    if (p == PRIM_FMA)
        prim_put(s, target, PRIM_ADD, t, sum);
    else
        prim_put(s, target, PRIM_SUB, t, less);
    str_free(&product);
}

/* A step of which an operand is a number, by the primitive of scalars; false: the target has
 * none. */
static bool put_scalar_step(struct str *s, const struct target *target, enum dtype t,
                            const struct math_row *r) {
    enum prim p = prim_with_scalar(r->prim);
    bool product = r->prim == PRIM_FMA || r->prim == PRIM_FNMA;
    bool first = product || r->prim == PRIM_MIN || r->prim == PRIM_MAX;
    bool swaps = product || r->prim == PRIM_ADD || r->prim == PRIM_MUL;
    int at = first ? 0 : 1; // where the scalar stands
    if (p == PRIM_COUNT || !prim_has(target, p, t) ||
        (!is_number(r->args[at]) && !(swaps && is_number(r->args[1 - at]))))
        return false;
    bool swapped = !is_number(r->args[at]);
    struct str last = {0};
    operand(&last, target, t, r->args[2]);
    const char *args[] = {r->args[swapped], r->args[!swapped], str_cstr(&last)};
    prim_put(s, target, p, t, args);
    str_free(&last);
    return true;
}

static void put_value(struct str *s, const struct target *target, enum dtype t,
                      const struct math_row *r) {
    struct str texts[3] = {{0}, {0}, {0}};
    const char *args[3];
    if (put_scalar_step(s, target, t, r))
        return;
    for (int k = 0; k < 3; k++) {
        operand(&texts[k], target, t, r->args[k]);
        args[k] = str_cstr(&texts[k]);
    }
    enum prim p = is_number(r->args[0]) ? prim_with_number(r->prim) : r->prim;
    if (prim_has(target, p, t))
        prim_put(s, target, p, t, args);
    else if (prim_has(target, r->prim, t))
        prim_put(s, target, r->prim, t, args);
    else
        put_unfused(s, target, r->prim, t, args);
    for (int k = 0; k < 3; k++)
        str_free(&texts[k]);
}

static bool gives_mask(enum prim p) {
    return (p >= PRIM_LT && p <= PRIM_NOT) || p == PRIM_FIRST;
}

static void put_step(struct str *s, const struct target *target, enum dtype t,
                     const struct math_row *r) {
    if (is_step(r + 1))
        str_addf(s, "    const %s %s = ",
                 gives_mask(r->prim) ? prim_mask_type(target, t) : prim_vector_type(target, t),
                 r->name);
    else
        str_add(s, "    return ");
    put_value(s, target, t, r);
    str_add(s, ";\n");
}

static void put_guard(struct str *s, const struct math_use *u) {
    struct str name = {0};
    function_name(&name, u->target, u->f, u->dtype);
    for (size_t k = 0; k < name.len; k++)
        if (name.data[k] >= 'a' && name.data[k] <= 'z')
            name.data[k] = (char)(name.data[k] - 'a' + 'A');
    str_addf(s, "\n#ifndef %s\n#define %s\n", str_cstr(&name), str_cstr(&name));
    str_free(&name);
}

static void put_function(struct str *s, const struct math_use *u) {
    const struct target *target = u->target;
    const struct math_row *r = find_function(target, u->f, u->dtype);
    const char *vector = prim_vector_type(target, u->dtype);
    put_guard(s, u);
    str_addf(s, "/* At most %.1f units in the last place off%s%s. */\n", r->error,
             *r->note ? "; " : "", r->note);
    str_addf(s, "static inline NNCC_TARGET %s ", vector);
    function_name(s, target, u->f, u->dtype);
    str_addf(s, target->scalable ? "(%s x, size_t vl)\n{\n" : "(%s x)\n{\n", vector);
    for (r++; is_step(r); r++)
        put_step(s, target, u->dtype, r);
    str_add(s, "}\n#endif\n");
}

void math_print(struct str *s, const struct math_set *set) {
    for (int k = 0; k < set->uses.len; k++)
        put_function(s, &set->uses.data[k]);
}
