/* Operator rows: finding them, the little languages of their columns (signature, types,
 * attributes), and checking nodes against them. Columns are parsed on use: they are a few words
 * long. */
#include "ir/op.h"
#include <stdlib.h>

/* ---- finding rows ---- */

static const char *plain_domain(const char *domain) {
    return domain && strcmp(domain, "ai.onnx") != 0 ? domain : "";
}

const struct op *op_find(const char *domain, const char *name) {
    domain = plain_domain(domain);
    for (const struct op_table *t = op_tables(); t->rows; t++)
        for (const struct op *op = t->rows; op->name; op++)
            if (strcmp(op->name, name) == 0 && strcmp(plain_domain(op->domain), domain) == 0)
                return op;
    return NULL;
}

/* ---- columns: a piece of text between two pointers ---- */

struct piece {
    const char *p, *end;
};

static bool piece_is(struct piece a, const char *s, size_t len) {
    return (size_t)(a.end - a.p) == len && memcmp(a.p, s, len) == 0;
}

/* The next piece up to one of `separators`, which are skipped before it; false at the end. */
static bool next_piece(struct piece *rest, const char *separators, struct piece *out) {
    while (rest->p < rest->end && strchr(separators, *rest->p))
        rest->p++;
    out->p = rest->p;
    while (rest->p < rest->end && !strchr(separators, *rest->p))
        rest->p++;
    out->end = rest->p;
    return out->p < out->end;
}

static struct piece whole(const char *s) {
    s = s ? s : "";
    return (struct piece){s, s + strlen(s)};
}

/* The two sides of a signature. */
static struct piece signature_side(const struct op *op, bool results) {
    struct piece all = whole(op->signature);
    const char *arrow = strstr(all.p, "->");
    if (!arrow)
        bug("operator %s: signature without ->", op->name);
    return results ? (struct piece){arrow + 2, all.end} : (struct piece){all.p, arrow};
}

/* "W:T?" or "X:T..." */
static void parse_param(struct piece text, struct op_param *p) {
    const char *colon = memchr(text.p, ':', (size_t)(text.end - text.p));
    *p = (struct op_param){.name = text.p};
    p->variadic = text.end - text.p > 3 && memcmp(text.end - 3, "...", 3) == 0;
    if (p->variadic)
        text.end -= 3;
    p->optional = text.end[-1] == '?';
    if (p->optional)
        text.end--;
    if (!colon)
        bug("bad signature '%s'", text.p);
    p->len = (int)(colon - text.p);
    p->type = colon + 1;
    p->type_len = (int)(text.end - colon - 1);
}

static bool side_param(struct piece side, int k, struct op_param *p) {
    struct piece text;
    for (int i = 0; next_piece(&side, ", ", &text); i++) {
        parse_param(text, p);
        if (i == k || p->variadic)
            return true;
    }
    return false;
}

bool op_operand(const struct op *op, int k, struct op_param *p) {
    return side_param(signature_side(op, false), k, p);
}

bool op_result(const struct op *op, int k, struct op_param *p) {
    return side_param(signature_side(op, true), k, p);
}

/* Parameters of a side: all of them, or up to the last one that is required. -1: no upper
 * limit. */
static int count_params(struct piece side, bool required) {
    struct piece text;
    int n = 0;
    for (int i = 0; next_piece(&side, ", ", &text); i++) {
        struct op_param p;
        parse_param(text, &p);
        if (!required && p.variadic)
            return -1;
        if (!required || !p.optional)
            n = i + 1;
    }
    return n;
}

int op_min_operands(const struct op *op) {
    return count_params(signature_side(op, false), true);
}

/* ---- types ---- */

/* The classes a row's types column may name. */
static bool class_allows(struct piece class, enum dtype t) {
    bool is_float = dtype_is_float(t), is_bool = t == DTYPE_BOOL;
    bool low = dtype_info(t)->bits < 8;
    bool is_int = dtype_info(t)->kind == KIND_INT && !low;
    bool is_uint = dtype_info(t)->kind == KIND_UINT && !low;
    const struct {
        const char *name;
        bool allows;
    } classes[] = {
        {"float", is_float},
        {"int", is_int},
        {"uint", is_uint},
        {"integer", is_int || is_uint},
        {"num", is_float || is_int || is_uint},
        {"any", is_float || is_int || is_uint || is_bool},
        {"low", low},
        {"all", is_float || is_int || is_uint || is_bool || low},
    };
    for (size_t k = 0; k < sizeof classes / sizeof *classes; k++)
        if (piece_is(class, classes[k].name, strlen(classes[k].name)))
            return classes[k].allows;
    return dtype_from_text(class.p, (size_t)(class.end - class.p)) == t;
}

/* What the types column says of a variable: "float|i32"; the name itself when it is a type. */
static struct piece type_choices(const struct op *op, const char *name, int len) {
    struct piece rest = whole(op->types), item;
    while (next_piece(&rest, ", ", &item)) {
        const char *eq = memchr(item.p, '=', (size_t)(item.end - item.p));
        if (eq && piece_is((struct piece){item.p, eq}, name, (size_t)len))
            return (struct piece){eq + 1, item.end};
    }
    return (struct piece){name, name + len};
}

bool op_type_allows(const struct op *op, const char *name, int len, enum dtype t) {
    struct piece rest = type_choices(op, name, len), choice;
    if (t == DTYPE_NONE || t == DTYPE_INDEX)
        return false;
    while (next_piece(&rest, "|", &choice))
        if (class_allows(choice, t))
            return true;
    return false;
}

void op_type_print(struct str *s, const struct op *op, const char *name, int len) {
    bool first = true;
    for (int t = DTYPE_NONE + 1; t < DTYPE_COUNT; t++)
        if (op_type_allows(op, name, len, (enum dtype)t)) {
            str_addf(s, "%s%s", first ? "" : ", ", dtype_info((enum dtype)t)->text);
            first = false;
        }
}

/* ---- attributes ---- */

struct attr_spec {
    struct piece name;
    enum attr_kind kind;
    bool optional;
    struct piece value; // of the default; p NULL: none
};

static const char *const kind_names[] = {"int",    "float",   "string", "ints",
                                         "floats", "strings", "tensor", "graph"};

static enum attr_kind kind_from_text(const struct op *op, struct piece text) {
    for (int k = 0; k <= ATTR_GRAPH; k++)
        if (piece_is(text, kind_names[k], strlen(kind_names[k])))
            return (enum attr_kind)k;
    bug("operator %s: bad attribute kind in '%s'", op->name, op->attrs);
}

/* "alpha:float=0.01", "pads:ints?" */
static bool next_spec(const struct op *op, struct piece *rest, struct attr_spec *spec) {
    struct piece item;
    if (!next_piece(rest, " ", &item))
        return false;
    const char *colon = memchr(item.p, ':', (size_t)(item.end - item.p));
    if (!colon)
        bug("operator %s: bad attributes '%s'", op->name, op->attrs);
    const char *eq = memchr(colon, '=', (size_t)(item.end - colon));
    *spec = (struct attr_spec){.name = {item.p, colon}};
    struct piece kind = {colon + 1, eq ? eq : item.end};
    if (eq)
        spec->value = (struct piece){eq + 1, item.end};
    spec->optional = kind.end[-1] == '?';
    if (spec->optional)
        kind.end--;
    spec->kind = kind_from_text(op, kind);
    return true;
}

static bool find_spec(const struct op *op, const char *name, struct attr_spec *spec) {
    struct piece rest = whole(op->attrs);
    while (next_spec(op, &rest, spec))
        if (piece_is(spec->name, name, strlen(name)))
            return true;
    return false;
}

bool op_attr_default(const struct op *op, const char *name, const char **text, int *len) {
    struct attr_spec spec;
    if (!find_spec(op, name, &spec) || !spec.value.p)
        return false;
    *text = spec.value.p;
    *len = (int)(spec.value.end - spec.value.p);
    return true;
}

bool op_attr_kind(const struct op *op, const char *name, enum attr_kind *kind) {
    struct attr_spec spec;
    if (!find_spec(op, name, &spec))
        return false;
    *kind = spec.kind;
    return true;
}

/* "[1,2]" of ints, floats or strings (without quotes). */
static void parse_list(struct piece text, struct arena *a, struct intern *names,
                       struct attr *attr) {
    struct piece item;
    int cap = (int)(text.end - text.p);
    int64_t *ints = arena_array(a, int64_t, cap);
    double *floats = arena_array(a, double, cap);
    const char **strings = arena_array(a, const char *, cap);
    while (next_piece(&text, "[,]", &item)) {
        ints[attr->n] = strtoll(item.p, NULL, 10);
        floats[attr->n] = (double)strtof(item.p, NULL);
        strings[attr->n++] = intern_len(names, item.p, (size_t)(item.end - item.p));
    }
    if (attr->kind == ATTR_INTS)
        attr->ints = ints;
    else if (attr->kind == ATTR_FLOATS)
        attr->floats = floats;
    else
        attr->strings = strings;
}

static void parse_default(struct attr_spec *spec, struct arena *a, struct intern *names,
                          struct attr *attr) {
    struct piece text = spec->value;
    attr->name = intern_len(names, spec->name.p, (size_t)(spec->name.end - spec->name.p));
    attr->kind = spec->kind;
    if (spec->kind == ATTR_INT)
        attr->i = strtoll(text.p, NULL, 10);
    else if (spec->kind == ATTR_FLOAT)
        attr->f = (double)strtof(text.p, NULL);
    else if (spec->kind == ATTR_STRING)
        attr->s = intern_len(names, text.p, (size_t)(text.end - text.p));
    else if (spec->kind < ATTR_TENSOR)
        parse_list(text, a, names, attr);
    else
        bug("attribute %s: a tensor or graph has no default in a row", attr->name);
}

const struct attr *op_parse_defaults(const struct op *op, struct arena *a, struct intern *names,
                                     int *num) {
    struct piece rest = whole(op->attrs);
    struct attr_spec spec;
    vec(struct attr) attrs = {0};
    while (next_spec(op, &rest, &spec))
        if (spec.value.p) {
            struct attr attr = {0};
            parse_default(&spec, a, names, &attr);
            vec_push(a, &attrs, attr);
        }
    *num = attrs.len;
    return attrs.data;
}

/* ---- checking a node ---- */

/* Checks of one node: every violation is reported. */
struct check {
    const struct node *n;
    struct diag *diag;
    bool ok;
};

__attribute__((format(printf, 2, 3))) static void fail(struct check *c, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    diag_error(c->diag, c->n->loc, "%s: %s", c->n->op->name, text);
    c->ok = false;
}

/* "X" or, of a variadic one, "X[2]" */
static const char *param_name(const struct op_param *p, int k, char *text, size_t size) {
    if (p->variadic)
        snprintf(text, size, "%.*s[%d]", p->len, p->name, k);
    else
        snprintf(text, size, "%.*s", p->len, p->name);
    return text;
}

static void check_counts(struct check *c) {
    const struct node *n = c->n;
    int most = count_params(signature_side(n->op, false), false);
    if (most >= 0 && n->num_in > most)
        fail(c, "has %d inputs, expected at most %d", n->num_in, most);
    most = count_params(signature_side(n->op, true), false);
    if (most >= 0 && n->num_out > most)
        fail(c, "has %d outputs, expected at most %d", n->num_out, most);
    int least = op_min_operands(n->op);
    for (int k = 0; k < least || k < n->num_in; k++) {
        struct op_param p;
        char name[80];
        if (op_operand(n->op, k, &p) && !p.optional && !node_has_in(n, k))
            fail(c, "input '%s' is missing", param_name(&p, k, name, sizeof name));
    }
}

static void check_attrs(struct check *c) {
    const struct node *n = c->n;
    struct attr_spec spec;
    for (int k = 0; k < n->num_attrs; k++) {
        const struct attr *a = &n->attrs[k];
        if (!find_spec(n->op, a->name, &spec))
            fail(c, "attribute '%s' is not known", a->name);
        else if (a->kind != spec.kind)
            fail(c, "attribute '%s' has kind %s, expected %s", a->name, kind_names[a->kind],
                 kind_names[spec.kind]);
        for (int j = 0; j < k; j++)
            if (strcmp(n->attrs[j].name, a->name) == 0)
                fail(c, "attribute '%s' is given twice", a->name);
    }
    struct piece rest = whole(n->op->attrs);
    while (next_spec(n->op, &rest, &spec)) {
        char name[80];
        snprintf(name, sizeof name, "%.*s", (int)(spec.name.end - spec.name.p), spec.name.p);
        if (!spec.optional && !spec.value.p && !node_attr(n, name))
            fail(c, "attribute '%s' is missing", name);
    }
}

/* The first operand before k of the same type variable with a known type, or -1. */
static int same_variable(const struct node *n, int k, const struct op_param *p) {
    for (int j = 0; j < k; j++) {
        struct op_param q;
        if (node_has_in(n, j) && n->in[j]->dtype != DTYPE_NONE && op_operand(n->op, j, &q) &&
            q.type_len == p->type_len && memcmp(q.type, p->type, (size_t)p->type_len) == 0)
            return j;
    }
    return -1;
}

static void check_type(struct check *c, int k) {
    const struct node *n = c->n;
    struct op_param p = {0}, q = {0};
    if (!op_operand(n->op, k, &p) || !node_has_in(n, k) || n->in[k]->dtype == DTYPE_NONE)
        return;
    enum dtype t = n->in[k]->dtype;
    char name[80], other[80];
    param_name(&p, k, name, sizeof name);
    int first = same_variable(n, k, &p);
    if (!op_type_allows(n->op, p.type, p.type_len, t)) {
        struct str types = {0};
        op_type_print(&types, n->op, p.type, p.type_len);
        fail(c, "input '%s' has type %s, expected %s", name, dtype_info(t)->text,
             str_cstr(&types));
        str_free(&types);
    } else if (first >= 0 && n->in[first]->dtype != t) {
        op_operand(n->op, first, &q);
        fail(c, "input '%s' has type %s, expected %s as input '%s' has", name,
             dtype_info(t)->text, dtype_info(n->in[first]->dtype)->text,
             param_name(&q, first, other, sizeof other));
    }
}

bool op_check(const struct node *n, struct diag *d) {
    struct check c = {n, d, true};
    check_counts(&c);
    check_attrs(&c);
    for (int k = 0; k < n->num_in; k++)
        check_type(&c, k);
    return c.ok;
}

/* ---- the support table ---- */

void op_print_table(struct str *s) {
    str_addf(s, "%-28s %5s  %-32s %-7s %s\n", "operator", "since", "types", "meaning", "");
    for (const struct op_table *t = op_tables(); t->rows; t++)
        for (const struct op *op = t->rows; op->name; op++) {
            const char *domain = plain_domain(op->domain);
            struct str name = {0};
            str_addf(&name, "%s%s%s", domain, *domain ? "." : "", op->name);
            str_addf(s, "%-28s %5d  %-32s %-7s %s\n", str_cstr(&name), op->since,
                     op->types ? op->types : "",
                     op->expr   ? "expr"
                     : op->body ? "body"
                                : "lower",
                     op->doc);
            str_free(&name);
        }
}
