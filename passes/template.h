/* Text that makes nodes: the bodies of operator rows and the right sides of rules.
 *
 *     k = Div(s, Sqrt(Add(v, T{$epsilon})))
 *     y = Conv(x, Mul(w, k)) group=$group
 *
 * One line per statement (or `;` between them): result names, ` = `, an expression. An
 * expression is a call with attributes behind it, a name, `_` (absent), or a constant: `T{1.5}`
 * a scalar of a type variable of the row, `i64{1, -1}` a vector. `$name` is an attribute of the
 * node being replaced (`$1.name` of the second one, in the order they were matched), given or
 * by default; `attr=$name` of an attribute that is absent is left out. `Op?(a, b)` is a itself
 * when another operand is absent. Attributes have no space before their `=`, results have. */
#ifndef NNCC_PASSES_TEMPLATE_H
#define NNCC_PASSES_TEMPLATE_H

#include "passes/passes.h"

enum { TEMPLATE_MAX_NODES = 8 };

struct binding {
    const char *name;
    struct value *value; // NULL: absent
};

/* One use of a template. */
struct template {
    struct compile *compile;
    struct graph *graph;
    struct node *before; // new nodes go before this one
    struct loc loc;      // of new nodes
    /* What is replaced; nodes[0] binds type variables. */
    const struct node *nodes[TEMPLATE_MAX_NODES];
    int num_nodes;
    bool inherit; // a call takes attributes and place of the first of `nodes` with its operator
    /* More `$name`s, or NULL: fills *a (its name aside) and returns true for those it knows. */
    bool (*derived)(void *user, const char *name, struct attr *a);
    void *user;
    vec(struct binding) names; // in the graph's arena
};

void template_bind(struct template *t, const char *interned, struct value *v);
/* The value of a name; a bug when there is none. */
struct value *template_value(const struct template *t, const char *name);
/* Makes the nodes of the statements in `text` and infers them; those that fold away are
 * removed. The result of a last statement without a name is bound to "". Mistakes in the text
 * are bugs; false after errors of inference. */
bool template_run(struct template *t, const char *text, size_t len);

#endif
