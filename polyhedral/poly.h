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
#include "ir/target.h"
#include "polyhedral/polyhedral.h"

#include <isl/aff.h>
#include <isl/ast.h>
#include <isl/ctx.h>
#include <isl/id.h>
#include <isl/ilp.h>
#include <isl/map.h>
#include <isl/schedule.h>
#include <isl/schedule_node.h>
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

enum { MAX_REDUCE = 8, MAX_PIECES = 3 };

/* How a statement runs in tiles on a target with vectors (model.c). */
struct poly_tiling {
    int vec;         // dimension along which lanes lie, or -1
    int64_t block;   // instances of a tile along it
    int64_t unit;    // of a vector
    int fold;        // dimension whose instances go on where those along vec end, so that lanes
                     // run through both, or -1
    int64_t folds;   // of a tile along it; block is the whole extent of vec then
    bool vec_outer;  // blocks along it are the outermost loop, else the innermost
    int split;       // or the iterator of the reduce whose steps fill lanes; -1
    int row[2];      // dimensions of the rows, -1
    int64_t rows[2]; // instances of a tile along each
    int fixed_row;   // that the nest has chosen, -1
    int order[MAX_REDUCE];     // iterators of the reduce, outermost first
    double cycles, next;       // predicted; of the runner-up
    double arithmetic, memory; // cycles that no tile is faster than
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
    struct poly_tiling tiling; // the last that model_tile chose
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
    struct loops *loops; // layouts of temporaries are chosen with the schedule
    struct diag *diag;
    bool strict;                 // see ast_from_poly
    const struct target *target; // NULL: portable C
    struct arena arena;
    isl_set *context;             // 0-dimensional: 1 <= symbol <= max
    const char **array_names;     // [arrays], for printing expressions
    const char **root_names;      // [arrays]: of tuples in isl
    struct poly_storage *storage; // [arrays] of roots
    isl_map **place;              // [arrays] index -> coordinates; NULL: they are the same
    vec(struct poly_stmt *) stmts;
    vec(struct poly_edge) edges;
    vec(isl_schedule *) schedules; // [regions]; NULL before there is one
    /* The children of their sequences that poly_schedule made, in order. A schedule that was
     * read has none: it is cut where no statement is torn. */
    vec(struct poly_part {
        int region;
        isl_schedule *schedule;
    }) parts;
    int num_regions;
    double kept; // bytes of the rings between the statements at hand (strip.c)
    struct poly_figures figures;
    bool ok; // nothing was reported
};

/* ---- poly.c ---- */

/* Empty but for names and symbols; poly_import fills it. */
struct poly *poly_new(struct loops *l, struct diag *d);

/* Runs fn(user) under the quota of operations. False when the quota was hit: then a remark says
 * that `what` was given up, and nothing that fn made may be used but to free it. Any other isl
 * error is a bug. */
bool poly_try(struct poly *p, struct loc loc, const char *what, void (*fn)(void *user),
              void *user);
/* The same for what a user wrote: false after any isl error, without a word. */
bool poly_try_read(struct poly *p, void (*fn)(void *user), void *user);
struct loc poly_loc(const struct poly_stmt *s);
/* What messages call a statement: S3, topk, if, the end. */
const char *poly_called(const struct poly_stmt *s);
/* A remark that something is neither proven nor refuted; counted. */
void poly_unproven(struct poly *p, struct loc loc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Reports an error at s; p->ok becomes false. */
void poly_error(struct poly *p, const struct poly_stmt *s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Extent of dimension d, which is no repeat's; -1: it is not constant. */
int64_t poly_extent(const struct poly_stmt *s, int d);
/* The dimension of s, no repeat's, that an index is; -1: it is something else. */
int poly_dimension(const struct poly_stmt *s, const struct expr *e);
/* Coordinate k of a point. */
int64_t poly_coordinate(__isl_keep isl_point *point, enum isl_dim_type type, int k);
/* The least point of a set, symbols first; it may be wrapped and is flat then. Any point, when
 * the set has no least one. */
__isl_give isl_point *poly_least_point(__isl_take isl_set *set);
/* The least, or the last, value of dimension d in a set; false when it has none. */
bool poly_extreme(__isl_keep isl_set *set, int d, bool last, int64_t *value);
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

/* ---- certify.c ---- */

/* Times of the statements: domain -> the t of the repeats around it, then the coordinates of
 * the schedule. */
struct poly_times {
    isl_map **of;    // [stmts]; NULL: the statement is in no region
    isl_map **tiles; // the same, with all that is below a mark "tile" at one time: the ast has
                     // its own order there
};

/* ---- reuse.c ---- */

/* Reports every read whose value may be gone because an output was written into the input whose
 * storage it may share, in the order of the text; what keeps the order becomes dependences. */
void reuse_alias(struct poly *p);
/* Reports every read whose value may be gone because another element was written into its cell
 * of a layout that folds, in the order of the times. */
void reuse_layout(struct poly *p, const struct poly_times *times);

/* Does a temporary's layout keep different elements in one cell? */
bool reuse_folds(const struct loops *l, const struct array *a);

/* ---- stride.c ---- */

enum { LARGEST_STEP = 4 }; // elements between neighbours that still lie close together

/* The factor of the iterator `name` in a sum; false when it stands where it has none. */
bool stride_coefficient(const struct expr *e, const char *name, int64_t *value);
/* Elements that the access moves by when the iterator `name` goes on by one; false when that is
 * not a constant. */
bool stride_signed(const struct poly *p, const struct poly_access *a, const char *name,
                   int64_t *stride);
/* The same; false as well when it moves backwards. */
bool stride_of(const struct poly *p, const struct poly_access *a, const char *name,
               int64_t *stride);
/* Does it move at all, or by what is not known? */
bool stride_moves(const struct poly *p, const struct poly_access *a, const char *name);

/* ---- model_read.c, model.c, model_search.c ---- */

/* lo <= dimension < hi, in blocks of `size`, which divides hi - lo. */
struct poly_piece {
    int64_t lo, hi, size;
};

/* With which loops of its tiling a loop of the statement belongs: with those over blocks of
 * lanes, when what differs from lane to lane depends on it, with those over rows, when that
 * does not, or around both. */
enum model_side { MODEL_NEITHER, MODEL_LANES, MODEL_ROWS };
enum model_side model_side(const struct poly *p, const struct poly_stmt *s, int d);
/* Could this constant be given any layout: read by this statement alone, by iterators? */
bool model_can_pack(const struct poly *p, const struct poly_stmt *s,
                    const struct poly_access *a);
/* Cuts [0, extent) into blocks and the rest; returns how many pieces. */
int model_cut(int64_t extent, int64_t block, struct poly_piece *pieces);
/* Does memory go on, for every access, at the next instance along `outer` where the `extent`
 * instances along `inner` end? What speaks of either but in an index makes it false. */
bool model_folds(const struct poly *p, const struct poly_stmt *s, int outer, int inner,
                 int64_t extent);
/* The same in whole units, but for the last: as many blocks as are needed, of two sizes that
 * differ by one unit at most. Up to MAX_PIECES. */
int model_cut_evenly(int64_t extent, int64_t block, int64_t unit, struct poly_piece *pieces);
/* Are blocks along d cut evenly? Where a constant may be packed by them they are all alike. */
bool model_is_even(const struct poly *p, const struct poly_stmt *s, int d);
/* The best tiles for a statement on p->target; dimensions that are `taken` [num_dims] are left
 * alone, rows along fixed_row (or -1) are given. `pack`: constants that can be packed are taken
 * to lie as is best. False: none, its loops are left to the C compiler. */
bool model_tile(const struct poly *p, const struct poly_stmt *s, const bool *taken,
                int fixed_row, int64_t fixed_rows, bool pack, struct poly_tiling *out);

/* What s->tiling is, its predicted time and bound, and the runner-up's time, for a remark. */
const char *model_describe(struct poly *p, const struct poly_stmt *s);

/* ---- block.c ---- */

/* How a statement is cut. */
struct poly_blocking {
    int row, vec; // dimensions, or -1
    struct poly_piece rows[2], vecs[4];
    int num_rows, num_vecs;
    bool tiled;      // blocks are tiles; else loops
    isl_set *inside; // instances whose guards all hold, where that is worth telling; or NULL
};

/* Cuts [lo, hi) into pieces of blocks of at most `block`: equal ones when that does not make
 * them much smaller, else the last is a smaller one. Returns how many pieces: 0 to 2. */
int block_cut(int64_t lo, int64_t hi, int64_t block, struct poly_piece *pieces);
/* Chooses; dimensions that are `taken` [num_dims] are left alone. The nest may have chosen rows
 * already: out->row (else -1) and its one piece. The caller frees `inside`. */
void block_choose(struct poly *p, const struct poly_stmt *s, const bool *taken,
                  struct poly_blocking *out);

/* ---- nest.c ---- */

/* The instances of a statement with the same floor((x + shift) / rows) run in one strip, x
 * being dimension `dim`. */
struct poly_strip {
    int dim;
    int64_t rows, shift;
};

/* Statements that share `band` outer loops; loop b is dimension dim[k][b] of statement k. The
 * last of them may go by blocks, which each statement runs through. */
struct poly_nest {
    const int *stmts; // [num] numbers
    int *const *dim;  // [num][band]
    int num, band;
    struct poly_piece pieces[2]; // of the last loop
    int num_pieces;              // 0: it goes by single iterations
    /* [num], or NULL: the statements share a loop over strips instead, and in each run one
     * after the other (strip.c). */
    const struct poly_strip *strips;
    double kept; // bytes of the arrays between them
};

/* The loop of a statement along which memory is walked, which no nest shares; NULL: it has one
 * loop only. */
const char *nest_walk(const struct poly *p, const struct poly_stmt *s);
/* The first statement of the nest that each would be in [stmts], across operators, with the
 * layouts at hand, and which dimensions it would share with others [stmts][num_dims]; what is
 * in none is left as it is. */
void nest_number(struct poly *p, int *nest, bool *const *shared);
/* The nests of a region in order; arrays that live inside one get their layouts. Statements of
 * different ONNX nodes share one only `across` operators. */
const struct poly_nest *nest_find(struct poly *p, int region, bool across, int *num);

/* ---- strip.c ---- */

/* Puts neighbours among the nests of a region together that are faster strip by strip, by the
 * cost model: `nests` is what there is then; returns how many. Arrays between them get their
 * layouts. Takes about 1 ms for each statement. */
int strip_find(struct poly *p, struct poly_nest *nests, int num);

/* ---- schedule.c ---- */

/* The statement of the region with this tuple name; NULL when there is none. */
const struct poly_stmt *schedule_find(const struct poly *p, int region, const char *name);
/* The parts of a region's schedule are no longer its own. */
void schedule_drop_parts(struct poly *p, int region);

/* ---- shrink.c ---- */

/* A reduce of a statement's right-hand side. */
struct shrink_request {
    isl_set *domain; // instances of the statement; borrowed
    const struct expr *reduce;
    const struct expr *const *bounds; // of guards around it: e, lo, hi, …
    int num_bounds;                   // becomes 0 when the range is inside them
    bool strict;
    bool tiled; // for astgen.c: the range is wanted for whole tiles
    struct arena *arena;
    const struct expr *body; // out: the body without the guards that the range makes true
};

/* The points of domain and reduce iterators that contribute something. NULL: all do, or that is
 * not affine. */
__isl_give isl_set *shrink_range(const struct poly *p, const struct poly_stmt *s,
                                 struct shrink_request *r);
/* All points of domain and reduce iterators; NULL: an extent is not affine. */
__isl_give isl_set *reduce_range(const struct poly *p, const struct poly_stmt *s,
                                 __isl_keep isl_set *domain, const struct expr *reduce);
/* e, outside its reduce, without the guards that hold at all points, or at none. */
const struct expr *shrink_guards(const struct affine *a, struct arena *arena,
                                 __isl_keep isl_set *points, const struct expr *e);

/* ---- leaf.c ---- */

/* What a mark says of the tiles below it:
 *
 *     tile                           codegen chooses what are lanes
 *     vector tile lanes order 1 2 0  the last member of the band is lanes; the loops of the
 *                                    reduce in this order, outermost first
 *     vector tile fold …             the last two members are lanes: memory goes on at the next
 *                                    of the first where the last ends
 *     vector tile split 0 order 1 0  steps of iterator 0 of the reduce are lanes */
struct poly_mark {
    bool vector, lanes, fold;
    int split; // -1: none
    int num_order, order[MAX_REDUCE];
};

/* Instances that isl's ast has one user node for. */
struct poly_leaf {
    const struct poly_stmt *stmt;
    const char *name;        // of its tuple in the tree pulled back
    isl_set *domain;         // instances
    isl_pw_multi_aff *first; // tuple -> instance, of a tile the first one: base + size * value
    int64_t *base, *size;    // [num_dims]; NULL: no tile, the tuple is the instance
    isl_set *firsts;         // of a tile: the first instances
    isl_map *block;          // of a tile: first instance -> instances
    int vec;                 // of a tile: the dimension its last loop walks along, or -1
    int fold;                // … and the loop before, or -1
    struct poly_mark mark;   // of a tile
};
struct poly_leaves {
    vec(struct poly_leaf) list;
};

/* Is it the mark of a tile? Then *mark, if not NULL, is what it says. */
bool leaf_is_tile(__isl_keep isl_schedule_node *node, struct poly_mark *mark);
/* The text of a mark, in the arena. */
const char *leaf_mark(struct arena *a, const struct poly_mark *mark);
/* The leaves of a schedule. A mark "tile" above something else than boxes of one size is said
 * in a remark and means nothing. False when isl gave up; call leaf_free in any case. */
bool leaf_find(struct poly *p, __isl_keep isl_schedule *schedule, struct poly_leaves *out);
/* The schedule of the leaves' tuples. */
__isl_give isl_schedule *leaf_pull_back(const struct poly *p, __isl_take isl_schedule *schedule,
                                        const struct poly_leaves *leaves);
void leaf_free(struct poly_leaves *leaves);

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
/* A node that is `num` loops without conditions, whose extents do not depend on each other,
 * around one instance: iters[k] gets its extent, args[k] the instance's value k with iters[k]
 * counted from 0. False, with iters and args in any state, for another node. */
bool translate_box(struct translate *t, __isl_keep isl_ast_node *node, struct iter *iters,
                   int num, const struct expr **args);
/* name is value from here on. */
void translate_bind(struct translate *t, const char *name, const struct expr *value);

#endif
