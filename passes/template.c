/* See template.h. */
#include "passes/template.h"
#include "ir/op.h"
#include "ir/shape.h"
#include "ir/text.h"

enum { MAX_RESULTS = 8, MAX_OPERANDS = 16 };

/* ---- names ---- */

void template_bind(struct template *t, const char *interned, struct value *v) {
    struct binding b = {interned, v};
    vec_push(t->graph->arena, &t->names, b);
}

static const struct binding *find_name(const struct template *t, const char *name) {
    for (int k = t->names.len - 1; k >= 0; k--)
        if (strcmp(t->names.data[k].name, name) == 0)
            return &t->names.data[k];
    return NULL;
}

static const char *owner(const struct template *t) {
    return t->num_nodes ? t->nodes[0]->op->name : "nothing";
}

struct value *template_value(const struct template *t, const char *name) {
    const struct binding *b = find_name(t, name);
    if (!b)
        bug("template of %s: no value '%s'", owner(t), name);
    return b->value;
}

/* ---- the text ---- */

/* A run over the text: rows and rules are ours, so what is wrong in them is a bug. */
struct run {
    struct template *t;
    struct text in;
    struct diag diag;
    struct str messages;
    bool failed; // inference reported an error
};

_Noreturn static void wrong(struct run *r, const char *what) {
    text_error(&r->in, "%s", what);
    bug("template of %s: %s", owner(r->t), str_cstr(&r->messages));
}

static void expect(struct run *r, const char *punct) {
    if (!text_expect(&r->in, punct))
        wrong(r, "");
}

/* The character right behind the current token. */
static char follows(const struct run *r) {
    return (char)(r->in.p < r->in.end ? *r->in.p : 0);
}

static const char *name_token(struct run *r) {
    const char *name = text_name(&r->in);
    if (!name)
        wrong(r, "");
    return name;
}

/* ---- attributes ---- */

/* The attribute that `$name` means: derived, or of the first node that has it; false when it is
 * absent everywhere. */
static bool find_attr(const struct template *t, int index, const char *name, struct attr *a) {
    if (t->derived && t->derived(t->user, name, a))
        return true;
    for (int k = index < 0 ? 0 : index; k < (index < 0 ? t->num_nodes : index + 1); k++) {
        const struct attr *given = node_attr_or_default(t->nodes[k], name);
        if (given) {
            *a = *given;
            return true;
        }
    }
    return false;
}

/* `$name` or `$1.name` where in.p stands at the `$`; the token behind it becomes current. */
static bool read_dollar(struct run *r, struct attr *a) {
    int index = -1;
    r->in.p++;
    if (follows(r) >= '0' && follows(r) <= '9') {
        index = follows(r) - '0';
        r->in.p += 2;
    }
    text_next(&r->in);
    return find_attr(r->t, index, name_token(r), a);
}

/* `name=value` and `name=$other`; an absent one adds nothing. */
static void read_attr(struct run *r, const struct op *op, struct attr *attrs, int *num) {
    struct attr a = {0};
    enum attr_kind want;
    const char *name = r->in.tok.text;
    if (!op_attr_kind(op, name, &want))
        wrong(r, "unknown attribute");
    bool dollar = r->in.end - r->in.p > 1 && r->in.p[1] == '$';
    if (dollar) {
        r->in.p++;
        if (!read_dollar(r, &a))
            return;
    } else {
        text_next(&r->in);
        expect(r, "=");
        if (!attr_read(&r->in, want, NULL, &a))
            wrong(r, "");
    }
    a.name = name;
    for (int k = 0; k < *num; k++)
        if (strcmp(attrs[k].name, name) == 0) {
            attrs[k] = a;
            return;
        }
    attrs[(*num)++] = a;
}

/* ---- constants ---- */

/* The numbers of an attribute, for `T{$name}`. */
static int attr_numbers(struct run *r, const struct attr *a, enum dtype t, union scalar **v) {
    bool list = a->kind == ATTR_INTS || a->kind == ATTR_FLOATS;
    int n = list ? a->n : 1;
    *v = arena_array(r->t->graph->arena, union scalar, n);
    for (int k = 0; k < n; k++) {
        union scalar x = {0};
        enum dtype from = DTYPE_I64;
        if (a->kind == ATTR_INT || a->kind == ATTR_INTS) {
            x.i = list ? a->ints[k] : a->i;
        } else if (a->kind == ATTR_FLOAT || a->kind == ATTR_FLOATS) {
            x.f = list ? a->floats[k] : a->f;
            from = DTYPE_F64;
        } else {
            wrong(r, "this attribute is no number");
        }
        (*v)[k] = dtype_convert(t, from, x);
    }
    return n;
}

/* The numbers between braces, behind the type. */
static int read_numbers(struct run *r, enum dtype t, union scalar **v) {
    vec(union scalar) items = {0};
    struct attr a = {0};
    if (r->in.end - r->in.p > 1 && r->in.p[1] == '$') {
        r->in.p++;
        if (!read_dollar(r, &a))
            wrong(r, "this attribute is absent");
        return attr_numbers(r, &a, t, v);
    }
    text_next(&r->in);
    expect(r, "{");
    while (!text_is(&r->in, "}")) {
        union scalar x;
        if (!text_scalar(&r->in, t, &x))
            wrong(r, "");
        vec_push(r->t->graph->arena, &items, x);
        if (!text_is(&r->in, "}"))
            expect(r, ",");
    }
    *v = items.data;
    return items.len;
}

static struct value *read_constant(struct run *r) {
    const char *name = r->in.tok.text;
    struct graph *g = r->t->graph;
    enum dtype t = dtype_from_text(name, strlen(name));
    bool scalar = t == DTYPE_NONE;
    if (scalar && r->t->num_nodes)
        t = node_type_variable(r->t->nodes[0], name, (int)strlen(name));
    if (t == DTYPE_NONE)
        wrong(r, "unknown type");
    union scalar *v;
    int64_t n = read_numbers(r, t, &v), bytes = 0;
    expect(r, "}");
    if (scalar && n != 1)
        wrong(r, "a scalar has one number");
    dtype_bytes(t, n, &bytes);
    void *data = arena_alloc(g->arena, (size_t)bytes);
    for (int64_t k = 0; k < n; k++)
        dtype_store(t, data, k, v[k]);
    return graph_add_constant(g, NULL, t, scalar ? 0 : 1, &n, data);
}

/* ---- calls ---- */

/* A call as it is read. */
struct call {
    const struct op *op;
    bool skippable; // `Op?(…)`
    struct value *in[MAX_OPERANDS];
    int num_in;
    struct attr *attrs;
    int num_attrs;
    struct loc loc;
};

static struct value *read_expression(struct run *r, struct value **results, int num_results);

static void read_operator(struct run *r, struct call *call) {
    const char *domain = "";
    if (r->in.tok.kind == TOK_STRING) {
        domain = text_string(&r->in);
        expect(r, ".");
    }
    call->op = op_find(domain, name_token(r));
    if (!call->op)
        wrong(r, "unknown operator");
    call->skippable = text_accept(&r->in, "?");
}

static void read_operands(struct run *r, struct call *call) {
    expect(r, "(");
    while (!text_is(&r->in, ")")) {
        if (call->num_in == MAX_OPERANDS)
            wrong(r, "too many operands");
        call->in[call->num_in++] = read_expression(r, NULL, 0);
        if (!text_is(&r->in, ")"))
            expect(r, ",");
    }
    expect(r, ")");
}

/* The attributes and place of a replaced node with the same operator. */
static void inherit(struct run *r, struct call *call) {
    const struct template *t = r->t;
    for (int k = 0; t->inherit && k < t->num_nodes; k++)
        if (t->nodes[k]->op == call->op) {
            call->num_attrs = t->nodes[k]->num_attrs;
            for (int i = 0; i < call->num_attrs; i++)
                call->attrs[i] = t->nodes[k]->attrs[i];
            call->loc = t->nodes[k]->loc;
            return;
        }
}

static bool skips(const struct call *call) {
    for (int k = 0; call->skippable && k < call->num_in; k++)
        if (!call->in[k])
            return true;
    return false;
}

/* Adds the node and infers it; the first result. */
static struct value *make_node(struct run *r, const struct call *call, struct value **results,
                               int num_results) {
    struct template *t = r->t;
    struct value *out[MAX_RESULTS] = {0};
    for (int k = 0; k < num_results; k++)
        out[k] = graph_add_value(t->graph, NULL, DTYPE_NONE, -1, NULL);
    struct node *n = graph_add_node(t->graph, t->before, call->op, call->in, call->num_in, out,
                                    num_results, call->attrs, call->num_attrs, call->loc);
    r->failed = r->failed || !infer_new_node(t->compile, t->graph, n, true);
    for (int k = 0; results && k < num_results; k++)
        results[k] = out[k];
    return out[0];
}

static struct value *read_call(struct run *r, struct value **results, int num_results) {
    struct call call = {.loc = r->t->loc};
    call.attrs = arena_array(r->t->graph->arena, struct attr, 64);
    read_operator(r, &call);
    inherit(r, &call);
    read_operands(r, &call);
    while (r->in.tok.kind == TOK_NAME && follows(r) == '=')
        read_attr(r, call.op, call.attrs, &call.num_attrs);
    if (r->failed)
        return NULL;
    if (skips(&call))
        return call.in[0];
    return make_node(r, &call, results, results ? num_results : 1);
}

/* A call's results go to `results` as well, where that is not NULL. */
static struct value *read_expression(struct run *r, struct value **results, int num_results) {
    struct value *v = NULL;
    if (r->in.tok.kind == TOK_STRING || follows(r) == '(' || follows(r) == '?')
        return read_call(r, results, num_results);
    if (follows(r) == '{')
        v = read_constant(r);
    else if (!text_accept(&r->in, "_"))
        v = r->failed ? (name_token(r), NULL) : template_value(r->t, name_token(r));
    if (results)
        results[0] = v;
    return v;
}

/* ---- statements ---- */

/* Is this the start of `name = …` or `name, name = …`? */
static bool at_results(const struct run *r) {
    const char *p = r->in.p;
    if (r->in.tok.kind != TOK_NAME)
        return false;
    while (p < r->in.end && *p == ' ')
        p++;
    return p < r->in.end && (*p == ',' || (*p == '=' && p > r->in.p));
}

static void read_statement(struct run *r) {
    const char *names[MAX_RESULTS] = {""};
    struct value *results[MAX_RESULTS] = {0};
    int num = 0;
    if (at_results(r)) {
        do {
            if (num == MAX_RESULTS)
                wrong(r, "too many results");
            names[num++] = name_token(r);
        } while (text_accept(&r->in, ","));
        expect(r, "=");
    }
    num = num ? num : 1;
    struct value *first = read_expression(r, results, num);
    results[0] = results[0] ? results[0] : first; // left out by `?`
    for (int k = 0; k < num; k++)
        template_bind(r->t, names[k], results[k]);
}

bool template_run(struct template *t, const char *text, size_t len) {
    struct run r = {.t = t};
    r.diag.sink = &r.messages;
    text_init(&r.in, &r.diag, t->graph->arena, t->graph->names, "template", text, len);
    while (r.in.tok.kind != TOK_END && !r.failed) {
        read_statement(&r);
        text_accept(&r.in, ";");
    }
    if (r.in.failed)
        wrong(&r, "");
    str_free(&r.messages);
    return !r.failed;
}
