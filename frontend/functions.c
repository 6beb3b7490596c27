/* Model-local functions: each call is replaced by the function's body.
 *
 * The body is read in a scope of its own, which sees the function's parameters and nothing
 * else; its nodes go into the caller's graph, labelled "call/node". A function may call others
 * but not, at any distance, itself.
 *
 * Source: onnx.proto, FunctionProto. */
#include "frontend/model.h"
#include <inttypes.h>

static bool is_onnx_domain(const char *domain) {
    return !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
}

int64_t opset_imported(Onnx__OperatorSetIdProto **imports, size_t n) {
    for (size_t k = 0; k < n; k++)
        if (is_onnx_domain(imports[k]->domain))
            return imports[k]->version;
    return 0;
}

/* ---- finding functions ---- */

static const char *function_key(struct reader *r, const char *domain, const char *name,
                                const char *overload) {
    return arena_printf(&r->scratch, "%s:%s:%s", is_onnx_domain(domain) ? "" : domain,
                        name ? name : "", overload ? overload : "");
}

void functions_declare(struct reader *r) {
    for (size_t k = 0; k < r->model->n_functions; k++) {
        const Onnx__FunctionProto *f = r->model->functions[k];
        bool added;
        int64_t *cell =
            map_put(&r->functions, function_key(r, f->domain, f->name, f->overload), &added);
        if (added)
            *cell = cell_of(f);
        else
            diag_error(r->diag, reader_loc(r, NULL), "function '%s' stands there twice",
                       f->name ? f->name : "");
    }
}

const Onnx__FunctionProto *function_find(struct reader *r, const Onnx__NodeProto *n) {
    if (r->model->n_functions == 0)
        return NULL;
    return cell_pointer(
        map_get(&r->functions, function_key(r, n->domain, n->op_type, n->overload)));
}

/* ---- one call ---- */

/* The state of one call. */
struct inliner {
    struct reader *r;
    const Onnx__FunctionProto *f;
    const Onnx__NodeProto *n;
    struct draft *d; // of the call
    struct call call;
    struct scope scope;
};

static bool call_error(const struct inliner *i, const char *found, const char *name) {
    diag_error(i->r->diag, i->d->loc, "%s: function %s%s%s%s", i->d->op, found,
               name ? " '" : "", name ? name : "", name ? "'" : "");
    return false;
}

static bool is_recursive(const struct inliner *i) {
    for (const struct call *c = &i->call; (c = c->caller);)
        if (c->function == i->f)
            return true;
    return false;
}

static bool has_attribute(const Onnx__FunctionProto *f, const char *name) {
    for (size_t k = 0; k < f->n_attribute; k++)
        if (strcmp(f->attribute[k], name) == 0)
            return true;
    for (size_t k = 0; k < f->n_attribute_proto; k++)
        if (f->attribute_proto[k]->name && strcmp(f->attribute_proto[k]->name, name) == 0)
            return true;
    return false;
}

/* The call's attributes under their own names, references to the caller's call resolved. */
static bool read_call_attributes(struct inliner *i) {
    struct arena *a = &i->r->scratch;
    i->call.attrs = arena_array(a, const Onnx__AttributeProto *, i->n->n_attribute);
    for (size_t k = 0; k < i->n->n_attribute; k++) {
        const Onnx__AttributeProto *own = i->n->attribute[k];
        const char *name = own->name ? own->name : "";
        if (!has_attribute(i->f, name))
            return call_error(i, "has no attribute", name);
        const Onnx__AttributeProto *given = attribute_resolve(i->call.caller, own);
        if (!given)
            continue;
        if (given->g)
            return call_error(i, "takes a graph, which is not supported, as attribute", name);
        Onnx__AttributeProto *copy = arena_copy(a, given, sizeof *given);
        copy->name = arena_strdup(a, name);
        copy->ref_attr_name = NULL;
        i->call.attrs[i->call.num_attrs++] = copy;
    }
    return true;
}

static bool bind_parameters(struct inliner *i) {
    if ((size_t)i->d->num_in > i->f->n_input)
        return call_error(i, "has fewer inputs than the call gives", NULL);
    if ((size_t)i->d->num_out > i->f->n_output)
        return call_error(i, "has fewer outputs than the call takes", NULL);
    for (size_t k = 0; k < i->f->n_input; k++) {
        struct binding *b = scope_bind(i->r, &i->scope, i->f->input[k]);
        if (b->value || b->absent)
            return call_error(i, "has twice the input", i->f->input[k]);
        b->value = (int)k < i->d->num_in ? i->d->in[k] : NULL;
        b->absent = !b->value;
    }
    return true;
}

static bool read_body(struct inliner *i) {
    if (!bind_parameters(i))
        return false;
    scope_declare(i->r, &i->scope, i->f->node, i->f->n_node);
    nodes_read(i->r, &i->scope, i->f->node, i->f->n_node);
    for (int k = 0; k < i->d->num_out; k++) {
        const struct binding *b = scope_find(&i->scope, i->f->output[k]);
        if (!i->d->out[k])
            continue;
        if (!b)
            return call_error(i, "does not compute its output", i->f->output[k]);
        if (!b->value && !b->absent)
            return false; // beyond MAX_NODES, as was said
        i->d->out[k] = b->value;
    }
    return true;
}

/* The scope of the body: what it sees, how its nodes are called, and its opset. */
static void start_scope(struct inliner *i, const struct scope *outer) {
    const char *prefix = arena_printf(&i->r->scratch, "%s/", i->d->loc.node);
    int64_t opset = opset_imported(i->f->opset_import, i->f->n_opset_import);
    i->scope = (struct scope){.graph = outer->graph,
                              .call = &i->call,
                              .prefix = prefix,
                              .unnamed = prefix,
                              .opset = opset ? opset : outer->opset,
                              .depth = outer->depth + 1};
    if (opset) {
        const char *name = i->f->name ? i->f->name : "";
        opset_check(i->r, opset, arena_printf(&i->r->scratch, "function '%s'", name));
    }
}

void function_inline(struct reader *r, struct scope *s, const Onnx__FunctionProto *f,
                     const Onnx__NodeProto *n, struct draft *d) {
    struct inliner i = {.r = r, .f = f, .n = n, .d = d};
    i.call = (struct call){.function = f, .caller = s->call};
    bool ok;
    if (is_recursive(&i))
        ok = call_error(&i, "calls itself", NULL);
    else if (s->depth >= MAX_SCOPES)
        ok = call_error(&i, "is called too deep", NULL);
    else
        ok = read_call_attributes(&i);
    if (ok) {
        start_scope(&i, s);
        ok = read_body(&i);
        scope_free(&i.scope);
    }
    if (!ok)
        d->failed = true;
}
