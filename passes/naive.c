/* loops -> ast in source order: one nest per statement, its loops in the order of its
 * iterators, a reduce as a scalar that loops over its iterators accumulate. No schedule, no
 * choice: this is -O0, the constant folder's engine and the oracle that every other way is
 * compared with. How a statement is built stands in ir/plain.c. */
#include "ir/plain.h"
#include "passes/passes.h"

/* loops -> ast in source order. Requires loops that loops_check accepts; the bytes of constants
 * are borrowed, so what holds them must outlive the ast. Cost: linear in the text. */
struct ast *ast_from_loops(struct compile *c, const struct loops *l) {
    struct plain n;
    plain_start(&n, c->names, l);
    for (const struct stmt *s = l->body.first; s; s = s->next)
        plain_stmt(&n, &n.a->body, s);
    return plain_end(&n);
}
