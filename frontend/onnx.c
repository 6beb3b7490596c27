/* ModelProto -> graph. Reading starts in graph_from_onnx at the end of this file.
 *
 * The bytes are made safe and unpacked (wire.c), then read scope by scope. Nothing stops at the
 * first error: a node that cannot be read still gets values for its results, so that its users
 * are looked at too and no error has followers.
 *
 * Source: onnx.proto and IR.md of ONNX, IR versions 3 to 14. */
#include "frontend/model.h"
#include "frontend/wire.h"
#include "ir/op.h"
#include <inttypes.h>

/* ---- names and scopes ---- */

void scope_free(struct scope *s) {
    map_free(&s->names);
}

struct binding *scope_bind(struct reader *r, struct scope *s, const char *name) {
    bool added;
    int64_t *cell = map_put(&s->names, name, &added);
    if (added)
        *cell = cell_of(arena_new(&r->scratch, struct binding));
    return cell_pointer(cell);
}

struct binding *scope_find(struct scope *s, const char *name) {
    for (; s; s = s->parent) {
        struct binding *b = cell_pointer(map_get(&s->names, name));
        if (b && (b->value || b->maker || b->absent))
            return b;
    }
    return NULL;
}

/* How messages and dumps call a node: its name, else "#index:Op". */
static const char *node_label(struct reader *r, const struct scope *s, const Onnx__NodeProto *n,
                              size_t index) {
    const char *label = n->name && *n->name
                            ? arena_printf(&r->scratch, "%s%s", s->prefix, n->name)
                            : arena_printf(&r->scratch, "%s#%zu:%s", s->unnamed, index,
                                           n->op_type ? n->op_type : "");
    return intern(r->names, label);
}

void scope_declare(struct reader *r, struct scope *s, Onnx__NodeProto **nodes, size_t n) {
    for (size_t k = 0; k < n; k++) {
        const char *label = node_label(r, s, nodes[k], k);
        for (size_t j = 0; j < nodes[k]->n_output; j++) {
            const char *name = nodes[k]->output[j];
            struct binding *b = *name ? scope_bind(r, s, name) : NULL;
            if (!b)
                continue;
            if (b->maker)
                diag_error(r->diag, reader_loc(r, label),
                           "output '%s' is computed by node '%s' already", name, b->maker);
            else if (b->value || b->absent)
                diag_error(r->diag, reader_loc(r, label),
                           "output '%s' is an input or constant already", name);
            else
                b->maker = label;
        }
    }
}

/* ---- operands and results ---- */

/* The value `name` means; NULL after an error. */
static struct value *find_operand(struct reader *r, struct scope *s, const char *name,
                                  const struct draft *d) {
    struct binding *b = scope_find(s, name);
    if (b && (b->value || b->absent))
        return b->value;
    if (!b && reader_may_report(r, "inputs that are not defined"))
        diag_error(r->diag, d->loc, "%s: input '%s' is not defined", d->op, name);
    if (b && reader_may_report(r, "inputs that are used too early"))
        diag_error(r->diag, d->loc,
                   "%s: input '%s' is used before node '%s' computes it (a cycle, or nodes out "
                   "of order)",
                   d->op, name, b->maker);
    return NULL;
}

static void read_operands(struct reader *r, struct scope *s, const Onnx__NodeProto *n,
                          struct draft *d) {
    d->in = arena_array(&r->scratch, struct value *, n->n_input);
    for (size_t k = 0; k < n->n_input; k++) {
        const struct binding *b = scope_find(s, n->input[k]);
        if (!*n->input[k] || (b && b->absent))
            continue;
        d->in[k] = find_operand(r, s, n->input[k], d);
        d->failed = d->failed || !d->in[k];
        d->num_in = (int)k + 1;
    }
}

/* A value for each wanted result. Its name is known to the scope once the node is done. */
static void make_results(struct reader *r, struct scope *s, const Onnx__NodeProto *n,
                         struct draft *d) {
    d->out = arena_array(&r->scratch, struct value *, n->n_output);
    d->num_out = (int)n->n_output;
    for (size_t k = 0; k < n->n_output; k++) {
        const char *name = arena_printf(&r->scratch, "%s%s", s->prefix, n->output[k]);
        if (*n->output[k])
            d->out[k] = graph_add_value(s->graph, name, DTYPE_NONE, -1, NULL);
    }
}

/* Makes the results known by their names, with the shapes declared for them. */
static void bind_results(struct reader *r, struct scope *s, const Onnx__NodeProto *n,
                         const struct draft *d) {
    for (int k = 0; k < d->num_out; k++) {
        struct binding *b = *n->output[k] ? scope_bind(r, s, n->output[k]) : NULL;
        if (!b || b->value || b->absent)
            continue;
        b->value = d->out[k];
        b->absent = !b->value;
        if (b->value)
            value_declare(r, b->value, b->info);
    }
}

/* ---- Constant ---- */

/* The tensor of Constant's one attribute. False after an error. */
static bool constant_value(struct reader *r, const Onnx__AttributeProto *a,
                           const struct draft *d, struct tensor *t) {
    const char *what = arena_printf(&r->scratch, "Constant: attribute '%s'", a->name);
    struct place at = {d->loc, what};
    const int64_t num_ints = (int64_t)a->n_ints, num_floats = (int64_t)a->n_floats;
    *t = (struct tensor){.dtype = DTYPE_F32};
    if (strcmp(a->name, "value") == 0 && a->t)
        return tensor_read(r, a->t, at, t);
    if (strcmp(a->name, "sparse_value") == 0 && a->sparse_tensor)
        return sparse_tensor_read(r, a->sparse_tensor, at, t);
    if (strcmp(a->name, "value_int") == 0) {
        t->dtype = DTYPE_I64;
        t->data = arena_copy(r->arena, &a->i, sizeof a->i);
        return true;
    }
    if (strcmp(a->name, "value_float") == 0) {
        t->data = arena_copy(r->arena, &a->f, sizeof a->f);
        return true;
    }
    if (strcmp(a->name, "value_ints") == 0) {
        t->dtype = DTYPE_I64;
        t->data = arena_copy(r->arena, a->ints, a->n_ints * sizeof *a->ints);
        return dims_read(r, &num_ints, 1, at, t);
    }
    if (strcmp(a->name, "value_floats") == 0) {
        t->data = arena_copy(r->arena, a->floats, a->n_floats * sizeof *a->floats);
        return dims_read(r, &num_floats, 1, at, t);
    }
    bool text = strncmp(a->name, "value_string", strlen("value_string")) == 0;
    return place_error(r, at, text ? "type string is not supported" : "it holds no value");
}

/* The results of a Constant node become a constant of the graph. */
static void read_constant(struct reader *r, struct scope *s, const Onnx__NodeProto *n,
                          struct draft *d) {
    const Onnx__AttributeProto *a =
        n->n_attribute == 1 ? attribute_resolve(s->call, n->attribute[0]) : NULL;
    struct tensor t;
    d->failed = true;
    if (d->num_in != 0 || d->num_out != 1 || !d->out[0] || !a || !n->attribute[0]->name) {
        diag_error(r->diag, d->loc,
                   "Constant: expected no input, one output and one attribute");
        return;
    }
    Onnx__AttributeProto named = *a; // a reference has the name of its own place
    named.name = n->attribute[0]->name;
    if (!constant_value(r, &named, d, &t))
        return;
    d->failed = false;
    d->out[0] = graph_add_constant(s->graph, d->out[0]->name, t.dtype, t.shape.rank,
                                   t.shape.dims, t.data);
}

/* ---- nodes ---- */

static void unsupported(struct reader *r, const struct draft *d) {
    if (!*d->op) {
        diag_error(r->diag, d->loc, "the node names no operator");
        return;
    }
    const char *place =
        *d->domain ? arena_printf(&r->scratch, " of domain '%s'", d->domain) : "";
    const char *text = arena_printf(
        &r->scratch, "%s: operator%s is not supported (see nncc --ops)", d->op, place);
    if (reader_may_report(r, text))
        diag_error(r->diag, d->loc, "%s", text);
}

void node_add(struct reader *r, struct graph *g, const struct op *op, const struct draft *d) {
    const struct node *n = graph_add_node(g, NULL, op, d->in, d->num_in, d->out, d->num_out,
                                          d->attrs, d->num_attrs, d->loc);
    op_check(n, r->diag);
}

static bool opset_known(int64_t opset) {
    return opset >= OLDEST_OPSET && opset <= OP_NEWEST_OPSET;
}

void opset_check(struct reader *r, int64_t opset, const char *whose) {
    const char *kind = arena_printf(&r->scratch, "%s needs opset %" PRId64, whose, opset);
    if (!opset_known(opset) && !map_get(&r->reports, kind) && reader_may_report(r, kind))
        diag_error(r->diag, reader_loc(r, NULL), "%s, opsets %d to %d are supported", kind,
                   OLDEST_OPSET, OP_NEWEST_OPSET);
}

/* Any node but a call and a Constant. */
static void read_plain(struct reader *r, struct scope *s, const Onnx__NodeProto *n,
                       struct draft *d) {
    attributes_read(r, s, n, d);
    if (!*d->domain && !opset_known(d->opset))
        d->failed = true; // an error of the model or function said so
    if (!*d->domain && !d->failed)
        opset_upgrade(r, s->graph, d);
    const struct op *op = op_find(d->domain, d->op);
    if (!op)
        unsupported(r, d);
    if (op && !d->failed)
        node_add(r, s->graph, op, d);
}

/* The version of ONNX's own domain must be there when its operators are used. */
static bool check_domain(struct reader *r, const struct scope *s, const struct draft *d) {
    if (*d->domain || s->opset != 0)
        return true;
    if (reader_may_report(r, "operators of no opset"))
        diag_error(r->diag, d->loc, "%s: the model imports no opset of ONNX's own domain",
                   d->op);
    return false;
}

static void read_node(struct reader *r, struct scope *s, const Onnx__NodeProto *n,
                      size_t index) {
    const char *domain = n->domain && strcmp(n->domain, "ai.onnx") != 0 ? n->domain : "";
    const char *label = node_label(r, s, n, index);
    struct draft d = {.domain = domain, .op = n->op_type ? n->op_type : "", .opset = s->opset};
    d.loc = reader_loc(r, label);
    const Onnx__FunctionProto *f = function_find(r, n);
    read_operands(r, s, n, &d);
    make_results(r, s, n, &d);
    if (f)
        function_inline(r, s, f, n, &d);
    else if (!check_domain(r, s, &d))
        d.failed = true;
    else if (!*domain && strcmp(d.op, "Constant") == 0)
        read_constant(r, s, n, &d);
    else
        read_plain(r, s, n, &d);
    bind_results(r, s, n, &d);
}

void nodes_read(struct reader *r, struct scope *s, Onnx__NodeProto **nodes, size_t n) {
    for (size_t k = 0; k < n; k++) {
        if (r->num_nodes++ < MAX_NODES) {
            read_node(r, s, nodes[k], k);
        } else if (r->num_nodes == MAX_NODES + 1) {
            diag_error(r->diag, reader_loc(r, node_label(r, s, nodes[k], k)),
                       "the model has more than %d nodes, functions inlined", MAX_NODES);
        }
    }
}

/* ---- graphs ---- */

static void graph_read_into(struct reader *r, struct scope *s, const Onnx__GraphProto *g) {
    inputs_read(r, s, g);
    scope_declare(r, s, g->node, g->n_node);
    nodes_read(r, s, g->node, g->n_node);
    outputs_read(r, s, g);
    scope_free(s);
}

struct graph *subgraph_read(struct reader *r, struct scope *outer, const Onnx__GraphProto *g,
                            struct loc owner) {
    if (outer->depth >= MAX_SCOPES) {
        diag_error(r->diag, owner, "graphs are nested too deep (more than %d)", MAX_SCOPES);
        return NULL;
    }
    struct scope s = {.parent = outer,
                      .graph = graph_new_sub(outer->graph, g->name ? g->name : ""),
                      .call = outer->call,
                      .prefix = outer->prefix,
                      .unnamed = arena_printf(&r->scratch, "%s/", owner.node),
                      .opset = outer->opset,
                      .depth = outer->depth + 1};
    graph_read_into(r, &s, g);
    return s.graph;
}

/* ---- the model ---- */

/* Versions of the model as a whole. */
static void check_versions(struct reader *r, int64_t opset) {
    const Onnx__ModelProto *m = r->model;
    struct loc loc = reader_loc(r, NULL);
    if (m->ir_version < OLDEST_IR || m->ir_version > NEWEST_IR)
        diag_error(r->diag, loc,
                   "the model has IR version %" PRId64 ", versions %d to %d are supported",
                   m->ir_version, OLDEST_IR, NEWEST_IR);
    if (opset != 0)
        opset_check(r, opset, "the model");
}

static struct graph *read_model(struct reader *r) {
    const Onnx__GraphProto *g = r->model->graph;
    int64_t opset = opset_imported(r->model->opset_import, r->model->n_opset_import);
    check_versions(r, opset);
    functions_declare(r);
    struct graph *graph = graph_new(r->names, g->name ? g->name : "");
    r->arena = graph->arena;
    struct scope s = {.graph = graph, .prefix = "", .unnamed = "", .opset = opset};
    graph_read_into(r, &s, g);
    if (g->n_output == 0)
        diag_error(r->diag, reader_loc(r, NULL), "the model has no outputs");
    reader_report_rest(r);
    graph_renumber(graph);
    return graph;
}

struct graph *graph_from_onnx(const char *path, const void *data, size_t len,
                              const struct frontend_options *opt, struct intern *names,
                              struct diag *d) {
    struct reader r;
    struct graph *g = NULL;
    int errors = d->errors;
    reader_init(&r, intern(names, path), data, names, d);
    r.opt = opt;
    ProtobufCMessage *m =
        wire_unpack(&onnx__model_proto__descriptor, data, len, reader_loc(&r, NULL), d);
    r.model = (const Onnx__ModelProto *)m;
    if (m && r.model->graph)
        g = read_model(&r);
    else if (m)
        diag_error(d, reader_loc(&r, NULL), "not an ONNX model: it holds no graph");
    if (m)
        protobuf_c_message_free_unpacked(m, NULL);
    reader_free(&r);
    if (d->errors == errors)
        return g;
    graph_free(g);
    return NULL;
}
