/* Applies rules.def: a matcher for the left sides, named conditions, and the right sides as
 * templates.
 *
 * A rule is read once a run. A node is compared with a left side operand by operand; where an
 * operator commutes, both orders are tried (one bit of `swaps` each). After a match the right
 * side's nodes are made in front of the node, inferred, and folded where they are constant, so
 * that a further rule can ask for constants again. */
#include "ir/op.h"
#include "ir/text.h"
#include "passes/template.h"
#include <math.h>

/* ---- the tables ---- */

enum rule_kind { RULE_EXACT, RULE_ROUNDS };

#define RULE(kind, text, example) {text, example, RULE_##kind == RULE_EXACT},
#define COMMUTES(op)
static const struct rule_info rules[] = {
#include "passes/rules.def"
};

#define RULE(kind, text, example)
#define COMMUTES(op) #op,
static const char *const commuting[] = {
#include "passes/rules.def"
};

enum { NUM_RULES = sizeof rules / sizeof *rules };
enum { MAX_ARGS = 8, MAX_ATTRS = 4, MAX_CONDITIONS = 6, MAX_VARS = 16 };

const struct rule_info *rule_list(int *count) {
    *count = NUM_RULES;
    return rules;
}

/* ---- rules, read ---- */

struct pattern {
    const char *name; // of the variable or operator, interned
    bool is_op;
    int index; // OP: which of the matched nodes it is, outermost first
    int swap;  // OP that commutes: its bit in `swaps`, else -1
    struct pattern *args[MAX_ARGS];
    int num_args;
    struct attr attrs[MAX_ATTRS]; // that must hold
    int num_attrs;
};

struct condition {
    const char *name;
    const char *args[MAX_ARGS];
    int num_args;
    double number; // the second argument of all, least, rank
};

struct rule {
    const struct rule_info *info;
    struct pattern *left;
    const char *right;
    size_t right_len;
    struct condition conditions[MAX_CONDITIONS];
    int num_conditions, num_nodes, num_swaps;
    bool shared;
};

/* A rule as it is read. */
struct reader {
    struct text in;
    struct rule *rule;
    struct diag diag;
    struct str messages;
};

_Noreturn static void wrong(struct reader *r, const char *what) {
    text_error(&r->in, "%s", what);
    bug("rule '%s': %s", r->rule->info->text, str_cstr(&r->messages));
}

static const char *read_name(struct reader *r) {
    const char *name = text_name(&r->in);
    if (!name)
        wrong(r, "");
    return name;
}

static bool commutes(const char *op) {
    for (size_t k = 0; k < sizeof commuting / sizeof *commuting; k++)
        if (strcmp(commuting[k], op) == 0)
            return true;
    return false;
}

static void read_attrs(struct reader *r, struct pattern *p) {
    enum attr_kind want;
    const struct op *op = op_find("", p->name);
    while (r->in.tok.kind == TOK_NAME && r->in.p < r->in.end && *r->in.p == '=') {
        const char *name = read_name(r);
        struct attr *a = &p->attrs[p->num_attrs++];
        if (p->num_attrs > MAX_ATTRS || !op || !op_attr_kind(op, name, &want))
            wrong(r, "unknown attribute");
        text_expect(&r->in, "=");
        if (!attr_read(&r->in, want, NULL, a))
            wrong(r, "");
        a->name = name;
    }
}

static struct pattern *read_pattern(struct reader *r) {
    struct pattern *p = arena_new(r->in.arena, struct pattern);
    p->name = read_name(r);
    p->swap = -1;
    p->is_op = text_accept(&r->in, "(");
    if (!p->is_op)
        return p;
    p->index = r->rule->num_nodes++;
    if (commutes(p->name))
        p->swap = r->rule->num_swaps++;
    while (!text_is(&r->in, ")") && p->num_args < MAX_ARGS) {
        p->args[p->num_args++] = read_pattern(r);
        if (!text_is(&r->in, ")") && !text_expect(&r->in, ","))
            wrong(r, "");
    }
    text_expect(&r->in, ")");
    read_attrs(r, p);
    return p;
}

static void read_number(struct reader *r, double *v) {
    union scalar x;
    if (!text_scalar(&r->in, DTYPE_F64, &x))
        wrong(r, "");
    *v = x.f;
}

static void read_condition(struct reader *r) {
    struct condition c = {.name = read_name(r)};
    if (text_accept(&r->in, "(")) {
        while (!text_is(&r->in, ")") && c.num_args < MAX_ARGS) {
            if (r->in.tok.kind == TOK_NAME)
                c.args[c.num_args++] = read_name(r);
            else
                read_number(r, &c.number);
            if (!text_is(&r->in, ")") && !text_expect(&r->in, ","))
                wrong(r, "");
        }
        text_expect(&r->in, ")");
    }
    if (strcmp(c.name, "shared") == 0)
        r->rule->shared = true;
    else if (r->rule->num_conditions < MAX_CONDITIONS)
        r->rule->conditions[r->rule->num_conditions++] = c;
    else
        wrong(r, "too many conditions");
}

/* Reads the left side and the conditions; the right side is read when it is applied. */
static void read_rule(struct arena *a, struct intern *names, const struct rule_info *info,
                      struct rule *rule) {
    struct reader r = {.rule = rule};
    r.diag.sink = &r.messages;
    rule->info = info;
    const char *arrow = strstr(info->text, " => "), *end = info->text + strlen(info->text);
    const char *conditions = strstr(info->text, " if ");
    if (!arrow)
        bug("rule '%s' has no =>", info->text);
    rule->right = arrow + 4;
    rule->right_len = (size_t)((conditions ? conditions : end) - rule->right);
    text_init(&r.in, &r.diag, a, names, "rule", info->text, (size_t)(arrow - info->text));
    rule->left = read_pattern(&r);
    if (r.in.tok.kind != TOK_END || !rule->left->is_op || rule->num_nodes > TEMPLATE_MAX_NODES)
        wrong(&r, "bad left side");
    if (conditions) {
        text_init(&r.in, &r.diag, a, names, "rule", conditions + 4,
                  (size_t)(end - conditions - 4));
        do
            read_condition(&r);
        while (text_accept(&r.in, ","));
        if (r.in.tok.kind != TOK_END)
            wrong(&r, "bad conditions");
    }
    str_free(&r.messages);
}

/* ---- matching ---- */

struct match {
    const struct rule *rule;
    struct node *nodes[TEMPLATE_MAX_NODES];
    struct binding vars[MAX_VARS];
    int num_vars;
    unsigned swaps; // bit k: commuting operator k has its operands exchanged
};

static struct value *variable(const struct match *m, const char *name) {
    for (int k = 0; k < m->num_vars; k++)
        if (m->vars[k].name == name)
            return m->vars[k].value;
    bug("rule '%s': no variable '%s'", m->rule->info->text, name);
}

static bool bind(struct match *m, const char *name, struct value *v) {
    for (int k = 0; k < m->num_vars; k++)
        if (m->vars[k].name == name)
            return m->vars[k].value == v;
    if (m->num_vars == MAX_VARS)
        bug("rule '%s' has too many variables", m->rule->info->text);
    m->vars[m->num_vars++] = (struct binding){name, v};
    return true;
}

static bool holds_attr(const struct node *n, const struct attr *want) {
    const struct attr *a = node_attr_or_default(n, want->name);
    if (!a || a->kind != want->kind)
        return false;
    if (a->kind == ATTR_INT)
        return a->i == want->i;
    if (a->kind == ATTR_FLOAT)
        return a->f == want->f;
    return a->kind == ATTR_STRING && strcmp(a->s, want->s) == 0;
}

/* Only result 0 is read, and for inner nodes only here. */
static bool results_fit(const struct match *m, const struct pattern *p, const struct node *n) {
    for (int k = 1; k < n->num_out; k++)
        if (n->out[k] && n->out[k]->num_uses > 0)
            return false;
    return n->out[0] && (p->index == 0 || m->rule->shared || n->out[0]->num_uses == 1);
}

static int operands_given(const struct node *n) {
    int num = n->num_in;
    while (num > 0 && !n->in[num - 1])
        num--;
    return num;
}

static bool match_value(struct match *m, const struct pattern *p, struct value *v);

static bool match_node(struct match *m, const struct pattern *p, struct node *n) {
    bool ours = !n->op->domain || !*n->op->domain;
    if (!ours || strcmp(n->op->name, p->name) != 0 || operands_given(n) != p->num_args ||
        n->num_out == 0 || !results_fit(m, p, n))
        return false;
    for (int k = 0; k < p->num_attrs; k++)
        if (!holds_attr(n, &p->attrs[k]))
            return false;
    m->nodes[p->index] = n;
    bool swapped = p->swap >= 0 && (m->swaps >> p->swap & 1);
    for (int k = 0; k < p->num_args; k++)
        if (!match_value(m, p->args[k], n->in[swapped ? 1 - k : k]))
            return false;
    return true;
}

static bool match_value(struct match *m, const struct pattern *p, struct value *v) {
    if (!v)
        return false;
    if (!p->is_op)
        return bind(m, p->name, v);
    return v->def && match_node(m, p, v->def);
}

/* ---- conditions: each looks at one operand, or at the match alone ---- */

static const struct value *result_of(const struct match *m) {
    return m->nodes[0]->out[0];
}

static double as_number(const struct value *v, int64_t k) {
    union scalar x = dtype_load(v->dtype, v->data, k);
    return dtype_convert(DTYPE_F64, v->dtype, x).f;
}

static bool is_constant(const struct match *m, const struct value *v, double number) {
    (void)m;
    (void)number;
    return v->data != NULL;
}

static bool all_are(const struct match *m, const struct value *v, double number) {
    (void)m;
    for (int64_t k = 0; v->data && k < value_elements(v); k++)
        if (as_number(v, k) != number || signbit(as_number(v, k)) != signbit(number))
            return false;
    return v->data != NULL;
}

static bool all_at_least(const struct match *m, const struct value *v, double number) {
    (void)m;
    for (int64_t k = 0; v->data && k < value_elements(v); k++)
        if (!(as_number(v, k) >= number))
            return false;
    return v->data != NULL;
}

static bool is_same(const struct match *m, const struct value *v, double number) {
    (void)number;
    return v->dtype == result_of(m)->dtype && shape_equal(&v->shape, &result_of(m)->shape);
}

static bool has_rank(const struct match *m, const struct value *v, double number) {
    (void)m;
    return v->shape.rank == (int)number;
}

/* A constant that is a vector along one axis of the result, or one number, as broadcasting sees
 * it. */
static bool varies_along(const struct match *m, const struct value *v, int axis) {
    const struct shape *y = &result_of(m)->shape;
    int skip = y->rank - v->shape.rank;
    if (!v->data || v->dtype != result_of(m)->dtype || axis < 0 || axis >= y->rank || skip < 0)
        return false;
    for (int d = 0; d < v->shape.rank; d++)
        if (v->shape.dims[d] != 1 && (d + skip != axis || v->shape.dims[d] != y->dims[axis]))
            return false;
    return value_elements(v) > 0;
}

static bool is_channels(const struct match *m, const struct value *v, double number) {
    (void)number;
    return varies_along(m, v, 1);
}

static bool is_features(const struct match *m, const struct value *v, double number) {
    (void)number;
    return varies_along(m, v, result_of(m)->shape.rank - 1);
}

/* The permutation of a Transpose; absent: the dimensions reversed. */
static void permutation(const struct node *n, int64_t *perm) {
    int len, rank = n->out[0]->shape.rank;
    const int64_t *given = node_ints(n, "perm", &len);
    for (int d = 0; d < rank; d++)
        perm[d] = len ? given[d] : rank - 1 - d;
}

/* The order of the dimensions longer than 1 stays. */
static bool is_still(const struct match *m, const struct value *v, double number) {
    (void)v;
    (void)number;
    int64_t perm[GRAPH_MAX_RANK], last = -1;
    const struct shape *y = &result_of(m)->shape;
    permutation(m->nodes[0], perm);
    for (int d = 0; d < y->rank; d++) {
        if (y->dims[d] != 1 && perm[d] < last)
            return false;
        last = y->dims[d] != 1 ? perm[d] : last;
    }
    return true;
}

static const struct {
    const char *name;
    bool (*holds)(const struct match *m, const struct value *v, double number);
} conditions[] = {
    {"constant", is_constant}, {"all", all_are},    {"least", all_at_least},
    {"same", is_same},         {"rank", has_rank},  {"channels", is_channels},
    {"features", is_features}, {"still", is_still},
};

static bool holds(const struct match *m, const struct condition *c) {
    for (size_t k = 0; k < sizeof conditions / sizeof *conditions; k++) {
        if (strcmp(conditions[k].name, c->name) != 0)
            continue;
        if (c->num_args == 0)
            return conditions[k].holds(m, NULL, c->number);
        for (int j = 0; j < c->num_args; j++)
            if (!conditions[k].holds(m, variable(m, c->args[j]), c->number))
                return false;
        return true;
    }
    bug("rule '%s': no condition '%s'", m->rule->info->text, c->name);
}

/* Does the rule match at n, in some order of commuting operands? */
static bool match_rule(const struct rule *rule, struct node *n, struct match *m) {
    for (unsigned swaps = 0; swaps < 1u << rule->num_swaps; swaps++) {
        *m = (struct match){.rule = rule, .swaps = swaps};
        bool ok = match_node(m, rule->left, n);
        for (int k = 0; ok && k < rule->num_conditions; k++)
            ok = holds(m, &rule->conditions[k]);
        if (ok)
            return true;
    }
    return false;
}

/* ---- the right side ---- */

/* What a derived attribute may use. */
struct derivation {
    const struct match *match;
    struct arena *arena;
};

/* 1 everywhere but -1 at `axis`: reshapes a vector against a tensor of the result's rank. */
static void vector_target(const struct match *m, int axis, int64_t *v, int *n) {
    *n = result_of(m)->shape.rank;
    for (int d = 0; d < *n; d++)
        v[d] = d == axis ? -1 : 1;
}

/* The dimensions of a transpose of a transpose: nodes[0] after nodes[1]. */
static void compose(const struct match *m, int64_t *v, int *n) {
    int64_t outer[GRAPH_MAX_RANK], inner[GRAPH_MAX_RANK];
    *n = result_of(m)->shape.rank;
    permutation(m->nodes[0], outer);
    permutation(m->nodes[1], inner);
    for (int d = 0; d < *n; d++)
        v[d] = inner[outer[d]];
}

static bool derived(void *user, const char *name, struct attr *a) {
    const struct derivation *d = user;
    const struct shape *y = &result_of(d->match)->shape;
    int64_t v[GRAPH_MAX_RANK];
    int n = 1;
    if (strcmp(name, "result_shape") == 0)
        for (n = 0; n < y->rank; n++)
            v[n] = y->dims[n];
    else if (strcmp(name, "channels") == 0)
        v[0] = y->dims[1];
    else if (strcmp(name, "features") == 0)
        v[0] = y->dims[y->rank - 1];
    else if (strcmp(name, "outer") == 0)
        vector_target(d->match, 0, v, &n);
    else if (strcmp(name, "second") == 0)
        vector_target(d->match, 1, v, &n);
    else if (strcmp(name, "compose") == 0)
        compose(d->match, v, &n);
    else
        return false;
    *a = (struct attr){.kind = ATTR_INTS, .n = n};
    a->ints = arena_copy(d->arena, v, (size_t)n * sizeof *v);
    return true;
}

static struct value *make_right(struct compile *c, struct graph *g, struct match *m) {
    struct node *root = m->nodes[0];
    struct derivation d = {m, g->arena};
    struct template t = {.compile = c, .graph = g, .before = root, .loc = root->loc};
    t.inherit = true;
    t.derived = derived;
    t.user = &d;
    for (int k = 0; k < m->rule->num_nodes; k++)
        t.nodes[t.num_nodes++] = m->nodes[k];
    for (int k = 0; k < m->num_vars; k++)
        template_bind(&t, m->vars[k].name, m->vars[k].value);
    if (!template_run(&t, m->rule->right, m->rule->right_len))
        bug("rule '%s' made a node that its row refuses", m->rule->info->text);
    return template_value(&t, "");
}

/* Matched nodes that nothing reads any more, outermost first. */
static void remove_matched(struct graph *g, const struct match *m) {
    graph_remove_node(g, m->nodes[0]);
    for (int k = 1; k < m->rule->num_nodes; k++) {
        bool used = false;
        graph_count_uses(g);
        for (int j = 0; j < m->nodes[k]->num_out; j++)
            used |= m->nodes[k]->out[j] && m->nodes[k]->out[j]->num_uses > 0;
        if (!used)
            graph_remove_node(g, m->nodes[k]);
    }
    graph_count_uses(g);
}

static void apply(struct compile *c, struct graph *g, struct match *m) {
    struct value *old = m->nodes[0]->out[0], *new = make_right(c, g, m);
    if (new->dtype != old->dtype || !shape_equal(&new->shape, &old->shape))
        bug("rule '%s' changed the result's type", m->rule->info->text);
    diag_remark(c->diag, REMARK_PASSED, m->nodes[0]->loc, "%s", m->rule->info->text);
    new->name = new->name ? new->name : old->name;
    graph_replace_value(g, old, new);
    remove_matched(g, m);
}

/* ---- the pass ---- */

/* One walk; the number of rules applied. The nodes after n are never removed: only operands of
 * n are. */
static int sweep(struct compile *c, struct graph *g, const struct rule *list, int num) {
    int applied = 0;
    struct match m;
    for (struct node *n = g->first, *next; n; n = next) {
        next = n->next;
        for (int k = 0; k < num; k++)
            if (match_rule(&list[k], n, &m)) {
                apply(c, g, &m);
                applied++;
                break;
            }
    }
    return applied;
}

static int count_nodes(const struct graph *g) {
    int n = 0;
    for (const struct node *p = g->first; p; p = p->next)
        n++;
    return n;
}

int rewrite_with(struct compile *c, struct graph *g, int first, int end) {
    struct arena scratch = {0};
    struct rule *list = arena_array(&scratch, struct rule, end - first);
    int num = 0, total = 0, limit = 64 + 32 * count_nodes(g);
    for (int k = first; k < end; k++)
        if (rules[k].exact || !c->strict)
            read_rule(&scratch, g->names, &rules[k], &list[num++]);
    graph_count_uses(g);
    for (int applied = 1; applied > 0; total += applied) {
        applied = sweep(c, g, list, num);
        if (total > limit)
            bug("rules.def does not come to an end");
    }
    arena_free(&scratch);
    return total;
}

/* Applies the rules of rules.def until none matches. Requires: types; keeps them. EXACT rules
 * preserve all results bit for bit, others (not under --strict) up to the rounding their
 * comment states. Cost: a few walks, each comparing every node with the rules of its operator.
 */
bool pass_rewrite(struct compile *c, struct graph *g) {
    rewrite_with(c, g, 0, NUM_RULES);
    return true;
}
