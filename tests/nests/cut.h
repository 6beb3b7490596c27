/* Which values of its iterators a nest keeps: what tests/nests/small.c builds its programs of.
 */
#ifndef NNCC_TESTS_NESTS_CUT_H
#define NNCC_TESTS_NESTS_CUT_H

#include "tests/nests/small.h"

enum { CUT_SYMBOL = 11 }; // the most that a symbol is

/* An iterator of a member. It keeps base <= value < base + count. */
struct cut_var {
    const char *name, *fresh;  // in the program; in the small one
    const struct expr *extent; // in the program
    int64_t full;              // its value, or -1: not constant, and all values are kept
    int64_t base, count;
    int parent;    // variables that keep the same values are a tree; the root's is itself
    bool fixed;    // of a root: all values are kept
    bool wide;     // of a root: more values than others; the last loop of a statement
    int64_t floor; // of a root: no fewer values than this
};

/* A statement of the nest, or a filler: one before the nest that writes a part of an array that
 * the nest writes another part of, and reads. Variables first to first + own - 1 are its loops,
 * the others up to first + num - 1 those of its reduce. */
struct cut_member {
    const struct stmt *stmt;
    bool filler;
    int first, own, num;
};

struct cut_access {
    int member, array;
    const struct expr *const *index;
    bool write;
};

struct cut {
    const struct small_nest *nest;
    struct arena arena;
    struct intern *names;
    vec(struct cut_var) vars;
    vec(struct cut_member) members; // fillers first
    vec(struct cut_access) accesses;
    bool *inside; // [arrays] of roots: written and read in the nest
    bool *whole;  // [arrays] of roots: inside, and known by several shapes
    int64_t steps;
};

/* Chooses; the caller frees c->arena. */
void cut_choose(struct cut *c, const struct small_nest *nest, enum small_corner corner,
                struct intern *names);
/* The variable of a member with this name in the program; -1: a symbol, or the t of a repeat.
 */
int cut_find(const struct cut *c, const struct cut_member *m, const char *name);
/* The reduce in e, or NULL. */
const struct expr *cut_reduce(const struct expr *e);

#endif
