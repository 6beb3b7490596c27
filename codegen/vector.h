/* What the files vector*.c share while one tile becomes vectors of the target: the text by loop
 * levels, and the expressions of one point. Nothing else includes this.
 *
 * The text of a tile is made inside out. Levels are what stands before the first loop (0) and
 * in each loop that is open; the statements of the innermost one are printed first, and while
 * they are, pointers, conditions and masks that they need are declared at the outermost level
 * where all they depend on is known. */
#ifndef NNCC_CODEGEN_VECTOR_H
#define NNCC_CODEGEN_VECTOR_H

#include "codegen/emit.h"

enum { VECTOR_LEVELS = 16, VECTOR_FIXED = 16, VECTOR_MOST_LANES = 16 };

/* A name that stands for a C expression, so that what is computed twice is computed once. */
struct vector_let {
    const char *value, *name;
    size_t at, len; // where the body declares a load that is used once yet; else len is 0
};

/* A pointer to an element of a buffer, or, where a condition does not hold, to zeros. */
struct vector_pointer {
    const char *name;
    int buffer;
    bool stores;
    const struct expr *base; // element index without its constant …
    int64_t anchor;          // … and the constant
    const struct expr *cond; // NULL: none
    const char *cond_name;
    int64_t lo, hi; // with a condition: the elements from the pointer that are read
    bool printed;   // in the body already
};

struct vector_level {
    const char *iter; // of its loop, interned; NULL at level 0
    int depth;        // of indentation
    struct str head;  // the loop
    struct str decl;  // what comes first inside
    struct str late;  // what comes behind the pointers
    struct str body;
    int numbers[26];                     // names of the body before it was opened
    vec(struct vector_let) decls, lets;  // of decl, of body
    vec(struct vector_pointer) pointers; // printed behind decl
};

/* An iterator that the text has written out: rows, and reductions without a loop. */
struct vector_fixed {
    const char *name;
    int64_t count;
};

/* A scalar that vectors are multiplied with: element rest + at of the buffer, where cond holds,
 * else 0. It is a lane of the vector from `start` on, with `lanes` of them; 0: of none. */
struct vector_scalar {
    int buffer;
    const struct expr *rest, *cond; // cond NULL: none
    int64_t at, start;
    int lanes;
    bool alone; // no vector is worth it
};

/* The lanes where a guard holds, as bits, when that is known: else all. */
struct vector_guard {
    bool known;
    uint32_t lanes;
};

struct vector_tile {
    struct emit *em;
    const struct ast_node *node;
    /* All vectors but a last one of as many lanes as a half vector has, and that one. */
    const struct target *whole, *half; // NULL: there is none
    int lanes;                         // of a whole one; of a scalable target the least
    const struct target *target;       // of the vector at hand …
    int width;                         // … and its lanes
    const struct expr *reduce;         // NULL: none
    enum dtype dtype;                  // of all vectors
    bool straight;                     // without loops over lanes
    bool strict;                       // products and sums are rounded apart
    const char *failed;                // why it cannot be printed; NULL: so far it can
    bool keeps;                        // loads that are used again stay in registers
    bool called[FUNC_COUNT];           // functions of math.def
    vec(struct vector_scalar) scalars; // of the body at hand
    int loads, most_loads; // named outside of the tile's loops; in one of their bodies
    int64_t local_bytes;   // of arrays
    /* The rows; the iterator of the lanes with its count, NULL and 0 when no constant. */
    struct vector_fixed rows[VECTOR_FIXED];
    int num_rows, points; // how many iterators, how many rows in all
    int accumulators;
    bool split; // the lanes are steps of the reduction
    const char *lane;
    int64_t lane_count;
    /* Levels that are open. */
    struct vector_level levels[VECTOR_LEVELS];
    int num_levels;
    int first_level; // the outermost that vectors may stand at: scalable ones need their length
    int numbers[26]; // of names, by letter
    /* The point at hand: values of the reduce, and which lanes. */
    const char *const *sums; // accumulators of the row, one a vector; NULL: none is known
    int vector;
    int64_t lane_from;         // the lane iterator in the vector's first lane …
    bool lane_loop;            // … less what the loop over it has reached
    const char *tail;          // mask of the lanes that there are; NULL: all
    const char *mask;          // mask of a guard; NULL: none
    struct vector_guard guard; // … and its lanes
    const char *pad;           // … and what a load gives in the others; NULL: 0
    const struct expr *cond;   // condition of a guard that does not depend on the lane
    int unsure;                // > 0: what is printed may be skipped in the ast
};

/* ---- vector_text.c: levels and names ---- */

/* Level 0; the text goes to levels' bodies until vector_end. */
void vector_start(struct vector_tile *t);
/* Ends level 0: its whole text, which the caller frees. */
struct str vector_end(struct vector_tile *t);
/* A loop lo <= name < hi; vector_close ends it. */
void vector_open(struct vector_tile *t, const char *name, const struct expr *lo,
                 const struct expr *hi, int64_t step);
void vector_close(struct vector_tile *t);
/* The same from 0 by the variable `vl`. */
void vector_open_by_length(struct vector_tile *t, const char *name, const struct expr *hi);
/* What is in the range of the iterator of lanes. */
void vector_set_lane_range(struct vector_tile *t, int64_t lo, int64_t hi);
/* `const type l0 = value;` in the innermost body, or at the level given; the name, an old one
 * where the value has one there. */
const char *vector_let(struct vector_tile *t, const char *type, char letter, const char *value);
const char *vector_hoist(struct vector_tile *t, int level, const char *type, char letter,
                         const char *value);
/* The same as vector_let, but vector_forget does not forget the name. */
const char *vector_let_long(struct vector_tile *t, const char *type, char letter,
                            const char *value);
/* The same, but behind the pointers of the level, which value may use; in the innermost body
 * where it cannot stand there. */
const char *vector_keep(struct vector_tile *t, int level, const char *type, char letter,
                        const char *value);
/* Forgets the names of the innermost body but for the last ones used. */
void vector_forget(struct vector_tile *t, int most);
/* The outermost level where e is known. */
int vector_level_of(const struct vector_tile *t, const struct expr *e);
/* A name of a letter and a number that is free. */
const char *vector_name(struct vector_tile *t, char letter);
/* C of a scalar expression. */
const char *vector_scalar(struct vector_tile *t, const struct expr *e, int min);
/* C of a primitive; fails when the target has none. */
const char *vector_prim(struct vector_tile *t, enum prim p, const char *x, const char *y,
                        const char *z);
/* The same of any number of arguments. */
const char *vector_prim_of(struct vector_tile *t, enum prim p, const char *const *args);
const char *vector_type(const struct vector_tile *t);
/* Nothing of the tile is printed, `why` says what cannot be; the text goes on, for nothing.
 * Returns "". */
const char *vector_fail(struct vector_tile *t, const char *why);

/* ---- vector_place.c: where elements lie ---- */

/* Lanes of a load that do not follow each other. */
struct vector_spread {
    const int64_t *at; // elements from the nearest to each, those that are not there 0; NULL:
                       // they do follow each other, or are one
    int64_t reach;     // the largest of these
    bool room;         // a whole vector from the nearest on lies in the buffer
    const char *table; // scalable targets, instead: C of a pointer to offsets; NULL: none
};
struct vector_place {
    const char *pointer;      // C
    const struct expr *index; // from it; constant but for the innermost loop
    int64_t lane_step;        // elements from lane to lane, of a store; of a load of scalable
                              // vectors, too
    struct vector_spread spread;
    bool zeros; // where t->cond does not hold the pointer is to zeros
};
/* The elements of the point at hand: the first lane's, or of a spread the nearest. False where
 * that cannot be told, or, of a store, lanes are not evenly spaced. */
bool vector_place(struct vector_tile *t, int buffer, const struct expr *index, bool stores,
                  struct vector_place *p);
/* `&a0[k + 4]`, `a0[k + 4]`. */
const char *vector_address(struct vector_tile *t, const struct vector_place *p);
const char *vector_element(struct vector_tile *t, const struct vector_place *p);
/* Prints the pointers of a level. */
void vector_put_pointers(struct vector_tile *t, struct vector_level *level);
/* e = factor * iter + rest; false when it is not of this form. */
bool vector_split(struct vector_tile *t, const struct expr *e, const char *iter,
                  int64_t *factor, const struct expr **rest);
/* e = constant + rest */
bool vector_constant(struct vector_tile *t, const struct expr *e, int64_t *constant,
                     const struct expr **rest);

/* ---- vector_expr.c: values of the point at hand ---- */

/* A vector with the value of e, a name or a call: iterators of rows are replaced already. */
const char *vector_value(struct vector_tile *t, const struct expr *e);
/* x op y of vectors, op being that of a reduce; y is an expression: a product may be fused. */
const char *vector_combine(struct vector_tile *t, enum func op, const char *x,
                           const struct expr *y);
/* Whether e differs from lane to lane. */
bool vector_by_lane(const struct vector_tile *t, const struct expr *e);
/* e, which does not, with its loads by pointers: for vector_scalar. */
const struct expr *vector_scalar_of(struct vector_tile *t, const struct expr *e);
/* A vector whose lanes are all the scalar c, or the number v. */
const char *vector_splat(struct vector_tile *t, const char *c);
const char *vector_number(struct vector_tile *t, double v);

/* ---- vector_scalars.c: scalars that are lanes of vectors ---- */

/* Notes the scalars that products in e, a point of the body to be printed, have. */
void vector_note_scalars(struct vector_tile *t, const struct expr *e);
/* All are noted: finds the vectors that they lie in. */
void vector_group_scalars(struct vector_tile *t);
/* scalar * v + x with a lane of such a vector; NULL: it is in none. Requires PRIM_FMA_LANE. */
const char *vector_fma_lane(struct vector_tile *t, const struct expr *scalar,
                            const struct expr *v, const char *x);

/* ---- vector_mask.c: conditions and masks of the point at hand ---- */

/* A truth value as a mask of lanes. */
const char *vector_mask(struct vector_tile *t, const struct expr *e);
/* Mask of the lanes where lane < count; count is known where the point is. */
const char *vector_first(struct vector_tile *t, const struct expr *count);
/* Both conditions, both masks; NULL: holds everywhere. */
const struct expr *vector_both(struct vector_tile *t, const struct expr *x,
                               const struct expr *y);
const char *vector_both_masks(struct vector_tile *t, const char *x, const char *y);
/* A condition that does not depend on the lane as an expression: a name where it is known
 * outside of the innermost loop. */
const struct expr *vector_condition(struct vector_tile *t, const struct expr *cond);
/* What is left of the bounds of a guard. */
struct vector_bounds {
    const struct expr *cond; // NULL: nothing
    const char *mask;        // NULL: nothing
    struct vector_guard guard;
    bool never;
};
struct vector_bounds vector_bounds_of(struct vector_tile *t, const struct expr *guard);

/* ---- vector_lanes.c: lanes of loads that do not follow each other ---- */

/* Whether the lane is there: no guard and no tail, as far as they are known, leaves it out. */
bool vector_has_lane(const struct vector_tile *t, int lane);
/* Where the lanes of an index lie, but for `room`, and the index of the nearest; false when
 * that differs by more than constants. */
bool vector_spread(struct vector_tile *t, const struct expr *index, struct vector_spread *s,
                   const struct expr **nearest);
/* Where `count` lanes of an index lie, from the nearest; `reach` and `nearest` as of a spread.
 * False when that differs by more than constants. */
bool vector_find_lanes(struct vector_tile *t, const struct expr *index, int64_t count,
                       int64_t *at, int64_t *reach, const struct expr **nearest);
/* The elements of a place that is spread; what a mask leaves out reads 0. */
const char *vector_load_spread(struct vector_tile *t, const struct vector_place *p);
/* x where the mask of the guard holds, else its pad. */
const char *vector_or_pad(struct vector_tile *t, const char *x);

/* ---- vector_length.c: scalable vectors ---- */

/* Sets t->whole: the target with its vectors in as many registers as the tile has room for. */
void vector_choose_group(struct vector_tile *t);
/* Whether all lanes are in the shortest vector: then there is no loop over them. */
bool vector_is_one_length(const struct vector_tile *t);
/* Declares `vl` at level 0: as many lanes as there are, or, of a split reduction with a loop
 * over them, as a vector may have. */
void vector_declare_length(struct vector_tile *t);
/* The loop over lanes, if there is one; the point at hand is in it. */
void vector_open_lengths(struct vector_tile *t, const struct expr *count);
void vector_close_lengths(struct vector_tile *t);
/* Sets `vl` to as many lanes as a vector may have. */
void vector_take_most_length(struct vector_tile *t);
/* The level, or the first at which vectors may stand. */
int vector_first_level(const struct vector_tile *t, int level);
/* vector_spread by a table of offsets; fills s->table and s->reach. */
bool vector_offsets(struct vector_tile *t, const struct expr *index, struct vector_spread *s,
                    const struct expr **nearest);
/* Loads lanes that are not neighbours; what a mask leaves out reads the pad, or 0. */
const char *vector_load_apart(struct vector_tile *t, const struct vector_place *p);
/* The tables. */
void vector_print_offsets(struct emit *em);

/* ---- vector_load.c ---- */

/* The elements that e loads: values; truth values, as a mask. */
const char *vector_load(struct vector_tile *t, const struct expr *e);
const char *vector_load_mask(struct vector_tile *t, const struct expr *e);
/* A name for the C of a load from the place. */
const char *vector_let_load(struct vector_tile *t, const struct vector_place *p,
                            const char *load);

/* ---- vector_store.c ---- */

/* Stores a value where its lanes are neighbours, a scalable one at any even distance. */
void vector_store(struct vector_tile *t, const struct vector_place *place, const char *value);
/* The same of truth values, each a byte. */
void vector_store_mask(struct vector_tile *t, const struct vector_place *place,
                       const char *mask);
/* Stores the values of all rows, in the vector at hand, where they are not. */
void vector_store_apart(struct vector_tile *t, const struct vector_place *places,
                        const char *const *values);
/* Stores value, the sum of a split reduction being the scalar `sum`. */
void vector_store_sum(struct vector_tile *t, const struct expr *index, const struct expr *value,
                      const char *sum);

#endif
