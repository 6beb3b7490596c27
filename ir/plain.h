/* loops -> ast, statement by statement in source order: what the naive pass is made of, and
 * what any other way to an ast uses for the statements it does not change.
 *
 *     struct plain n;
 *     plain_start(&n, names, loops);                 // the ast with its symbols and buffers
 *     plain_stmt(&n, &n.a->body, s);                 // a statement with all that is in it
 *     struct ast *a = plain_end(&n);
 *
 * Who makes loops of its own says with plain_push what iterators have become, then has the
 * statement's value computed and stored by plain_store. */
#ifndef NNCC_IR_PLAIN_H
#define NNCC_IR_PLAIN_H

#include "ir/ast.h"
#include "ir/loops.h"

struct plain {
    const struct loops *l;
    struct ast *a; // what is built
    struct arena scratch;
    int *buffer_of;            // [arrays] of the array's root
    const char **buffer_names; // [arrays] for the text of nests
    /* Iterators in scope, and what they are in the ast: a loop's variable, or 0. Callers end a
     * scope by restoring both lengths. */
    vec(const char *) iters;
    vec(const struct expr *) vars;
    vec(struct iter) small; // variables of the ast that run from 0 to less than a constant
    vec(const struct expr *) bounds; // of the guards around the reduce at hand
    struct loc loc;                  // of the statement
    int scalars;                     // declared in the nest: s0, s1 …
    uint64_t instances;              // of what is around: extents of enclosing seq and while
    /* Accumulates a reduce into the scalar acc, in loops of its own; false, with nothing built:
     * the loops of its iterators are wanted. NULL: always. */
    bool (*reduce)(void *user, struct ast_list *list, const struct expr *reduce,
                   const struct expr *acc);
    /* Builds the run of COMPUTE that begins with s, inside `to`; returns the last of them.
     * NULL: each is built alone. */
    const struct stmt *(*run)(void *user, struct ast_list *to, const struct stmt *s);
    void *user;
};

/* Begins an ast for l: symbols and buffers. Bytes of constants are borrowed. */
void plain_start(struct plain *n, struct intern *names, const struct loops *l);
/* The ast; frees the rest. */
struct ast *plain_end(struct plain *n);
/* One statement with its loops, and all in it, at the end of `to`; nothing for an empty domain.
 */
void plain_stmt(struct plain *n, struct ast_list *to, const struct stmt *s);

/* The same for all statements of a list. */
void plain_list(struct plain *n, struct ast_list *to, const struct stmt_list *from);

/* An iterator comes into scope as the expression var. */
void plain_push(struct plain *n, const char *name, const struct expr *var);
/* letter and a number that no iterator, scalar or symbol in scope has; s and one that no scalar
 * of the nest has. */
const char *plain_fresh_name(struct plain *n, char letter);
/* An expression of the loops in terms of the ast, built anew there. */
const struct expr *plain_convert(struct plain *n, const struct expr *e);
/* Linear element index in its buffer of array[index…]; the index is converted already. */
const struct expr *plain_address(struct plain *n, int array, const struct expr *const *index);
/* A nest at the end of `to`, called by the text of s, which is shortened when it is long. */
struct ast_node *plain_nest(struct plain *n, struct ast_list *to, const struct stmt *s);
/* Adds the multiply-accumulates of a COMPUTE or REQUIRE: the instances of a sum of products of
 * two values that are loaded. */
void plain_count(struct plain *n, const struct stmt *s);
/* The value of a COMPUTE whose iterators are in scope, and its store. */
void plain_store(struct plain *n, struct ast_list *list, const struct stmt *s);
/* The reduce in e, or NULL; the bounds of the guards around it are left in n->bounds. */
const struct expr *plain_reduce(struct plain *n, const struct expr *e);
/* The body of a reduce in terms of the ast, guarded by n->bounds: its identity outside. */
const struct expr *plain_body(struct plain *n, const struct expr *reduce,
                              const struct expr *body);
/* `set acc = acc op body`, for plain.reduce: body as plain_body makes it. */
void plain_accumulate(struct plain *n, struct ast_list *list, const struct expr *reduce,
                      const struct expr *acc, const struct expr *body);

#endif
