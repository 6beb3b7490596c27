/* What the files of polyhedral/ share: the only header that knows isl.
 *
 * A statement's domain is over the t of every seq and while around it, then its own iterators.
 * Its extended domain goes on with the iterators of its reduce, then with one dimension per
 * clamp or check of a value: that may be anything in its range.
 *
 * Arrays that share storage (views) meet in the coordinates of their root: the digits of the
 * linear address to a chain of strides that all shapes have in common (storage.c). */
#ifndef NNCC_POLYHEDRAL_POLY_H
#define NNCC_POLYHEDRAL_POLY_H

#include "ir/plain.h"
#include "polyhedral/polyhedral.h"

#include <isl/aff.h>
#include <isl/ast.h>
#include <isl/ctx.h>
#include <isl/id.h>
#include <isl/map.h>
#include <isl/schedule.h>
#include <isl/set.h>
#include <isl/space.h>
#include <isl/union_map.h>
#include <isl/union_set.h>
#include <isl/val.h>

struct poly_access {
    int array, root;                 // as the text names it; the array whose storage it has
    const struct expr *const *index; // [rank]; NULL: the whole array
    bool write;
    bool exact;   // every index is affine; else one that is not stands for any inside
    bool must;    // a write: writes all of `map`; else only some of it may be written
    bool vague;   // `ext` is more than where it happens: a failed proof says nothing
    bool inside;  // proven to lie in the array (poly_bounds)
    isl_map *ext; // extended domain -> index
    isl_map *map; // domain -> coordinates of the root
};

enum poly_role {
    POLY_COMPUTE,
    POLY_REQUIRE,
    POLY_CALL,
    POLY_CONDITION, // of an if or while
    POLY_END,       // after the program: reads every output
};

/* A side of an if that is around a statement. */
struct poly_branch {
    const struct stmt *stmt;
    bool orelse;
    int depth; // repeats around the if
};

/* A leaf of the tree of statements. `number` is its place in the text. */
struct poly_stmt {
    enum poly_role role;
    int number;
    const struct stmt *stmt;           // NULL: END
    const char *name;                  // of its tuple in isl
    const struct stmt *const *repeats; // seq and while around it, outermost first
    int num_repeats;
    const struct poly_branch *branches; // outermost first
    int num_branches;
    int region;              // or -1
    const char *const *dims; // names of the extended domain
    int num_dims, num_ext;   // of the domain, of the extended domain
    bool exact; // no extent of the extended domain is left out for not being affine
    isl_set *domain;
    vec(struct poly_access) accesses;
};

/* How the elements of a root array are told apart. */
struct poly_storage {
    int num;               // coordinates
    const int64_t *stride; // [num], ascending from the last: the digit of each in the linear
                           // address; NULL: the coordinates are the root's own dimensions
    bool opaque;           // a view's strides are symbolic: all elements are one
    bool linear;           // some coordinate holds several dimensions of a shape
    isl_set *box;          // all elements
};

enum poly_kind { POLY_FLOW, POLY_ANTI, POLY_OUTPUT };

/* Instances of `to` that must run after instances of `from`. */
struct poly_edge {
    enum poly_kind kind;
    const struct poly_stmt *from, *to;
    int root;
    isl_map *map; // domain of from -> domain of to
};

struct poly {
    isl_ctx *ctx;
    const struct loops *loops;
    struct diag *diag;
    struct arena arena;
    isl_set *context;             // 0-dimensional: 1 <= symbol <= max
    const char **array_names;     // [arrays], for printing expressions
    const char **root_names;      // [arrays]: of tuples in isl
    struct poly_storage *storage; // [arrays] of roots
    isl_map **place;              // [arrays] index -> coordinates; NULL: they are the same
    vec(struct poly_stmt *) stmts;
    vec(struct poly_edge) edges;
    vec(isl_schedule *) schedules; // [regions]; NULL before there is one
    int num_regions;
    struct poly_figures figures;
    bool ok; // nothing was reported
};

/* ---- poly.c ---- */

/* Empty but for names and symbols; poly_import fills it. */
struct poly *poly_new(const struct loops *l, struct diag *d);

/* Runs fn(user) under the quota of operations. False when the quota was hit: then a remark says
 * that `what` was given up, and nothing that fn made may be used but to free it. Any other isl
 * error is a bug. */
bool poly_try(struct poly *p, struct loc loc, const char *what, void (*fn)(void *user),
              void *user);
struct loc poly_loc(const struct poly_stmt *s);
/* What messages call a statement: S3, topk, if, the end. */
const char *poly_called(const struct poly_stmt *s);
/* A remark that something is neither proven nor refuted; counted. */
void poly_unproven(struct poly *p, struct loc loc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Reports an error at s; p->ok becomes false. */
void poly_error(struct poly *p, const struct poly_stmt *s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Coordinate k of a point. */
int64_t poly_coordinate(__isl_keep isl_point *point, enum isl_dim_type type, int k);
/* The least point of a set, symbols first; it may be wrapped and is flat then. */
__isl_give isl_point *poly_least_point(__isl_take isl_set *set);
/* ` (at n=0, y=7)`: the first n dimensions of a point of s's extended domain; empty without. */
const char *poly_at(struct poly *p, const struct poly_stmt *s, __isl_keep isl_point *point,
                    int n);
/* An anonymous set space of n dimensions, with the symbols as parameters. */
__isl_give isl_space *poly_space(const struct poly *p, int n);

/* ---- affine.c ---- */

/* What names mean in a statement's expressions: dimension k is names[k], dimensions from
 * first_value on are the values of the clamps and checks `values`. */
struct affine {
    const struct poly *poly;
    const char *const *names;
    int num_names, first_value;
    const struct expr *const *values;
};

/* Does e have an exact affine form (with floor, mod, min, max, select)? */
bool affine_is(const struct affine *s, const struct expr *e);
/* The same for a condition. */
bool affine_is_condition(const struct affine *s, const struct expr *e);
/* That form; requires affine_is. */
__isl_give isl_pw_aff *affine_index(const struct affine *s, const struct expr *e);
/* Where the condition e may be `truth`: exact for what is affine, everywhere for what is not.
 */
__isl_give isl_set *affine_condition(const struct affine *s, const struct expr *e, bool truth);
/* Where lo <= e < hi may hold. */
__isl_give isl_set *affine_within(const struct affine *s, const struct expr *e,
                                  const struct expr *lo, const struct expr *hi);
/* set where every clamp and check in e that has a dimension lies in its range. */
__isl_give isl_set *affine_constrain(const struct affine *s, __isl_take isl_set *set,
                                     const struct expr *e);

/* ---- storage.c ---- */

/* Storage of all arrays, and the place of each view in it. */
void storage_import(struct poly *p);
/* Is every extent affine? If not, storage_box has no upper bound there. */
bool storage_is_affine(const struct poly *p, int array);
/* The box of array's index. */
__isl_give isl_set *storage_box(const struct poly *p, int array);
/* `a3[0,2]` for an element in coordinates of its root. */
const char *storage_element(struct poly *p, int root, __isl_keep isl_point *point,
                            enum isl_dim_type type, int first);

/* ---- depend.c ---- */

/* Repeats around both. */
int depend_common(const struct poly_stmt *a, const struct poly_stmt *b);
/* Pairs (instance of a, instance of b) where a runs before b in the text's order. */
__isl_give isl_map *depend_before(const struct poly_stmt *a, const struct poly_stmt *b);

/* ---- reuse.c ---- */

/* Reports every read whose value may be gone: another element was written into its cell, or an
 * output into the input whose storage it may share. */
void reuse_check(struct poly *p);

/* ---- schedule.c ---- */

/* The statement of the region with this tuple name; NULL when there is none. */
const struct poly_stmt *schedule_find(const struct poly *p, int region, const char *name);
/* The instances of a region. */
__isl_give isl_union_set *schedule_domain(const struct poly *p, int region);

/* ---- shrink.c ---- */

/* A reduce of a statement's right-hand side. */
struct shrink_request {
    const struct expr *reduce;
    const struct expr *const *bounds; // of guards around it: e, lo, hi, …
    int num_bounds;                   // becomes 0 when the range is inside them
    bool strict;
    struct arena *arena;
    const struct expr *body; // out: the body without the guards that the range makes true
};

/* The points of domain and reduce iterators that contribute something. NULL: all do, or that is
 * not affine. */
__isl_give isl_set *shrink_range(const struct poly *p, const struct poly_stmt *s,
                                 struct shrink_request *r);

/* ---- translate.c ---- */

/* What isl's ast is turned into, and what its names are there. */
struct translate {
    struct plain *plain;
    vec(const char *) names; // of isl
    vec(const struct expr *) values;
    /* An instance: arguments are the tuple's values. */
    void (*instance)(void *user, struct ast_list *list, const char *tuple,
                     const struct expr *const *args, int num_args);
    void *user;
};

/* Appends isl's node to `list`: its loops, conditions and instances. */
void translate_node(struct translate *t, struct ast_list *list, __isl_keep isl_ast_node *node);
/* name is value from here on. */
void translate_bind(struct translate *t, const char *name, const struct expr *value);

#endif
