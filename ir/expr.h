/* Scalar and index expressions: one immutable tree type for all three languages.
 *
 * An index expression (dtype INDEX) is made of iterators, symbols, integer constants, + - * / %
 * (floor), min, max, comparisons, select, and of values only through clamp(e,lo,hi) or
 * check(e,lo,hi). A value expression has an element type, loads arrays, and converts
 * explicitly. Nodes are shared freely (a DAG) and never changed after they are built; they live
 * in the arena of their IR.
 *
 * Text: C's operators and precedence; `c ? a : b`; f32(e), i64(e) … convert; a[i,j] loads; (e
 * if 0 <= i < 4 && 1 <= j < n else pad) guards; reduce(add, [k,l: 3,4], e). Literals: 12 is an
 * index, 1.5 an f32, others carry their type: 3i32, 1.5f64, inff32, -inff64, nanf32, true,
 * false. A literal without suffix beside a typed operand takes that type, so a reader may write
 * `x * 2`; the printer writes suffixes where the default would be wrong. Floats print with the
 * fewest digits that read back exactly. */
#ifndef NNCC_IR_EXPR_H
#define NNCC_IR_EXPR_H

#include "ir/base.h"
#include "ir/dtype.h"

enum func {
#define FUNC(id, text, n, prec, rule, kinds, flags, cf, ci, mf, mi) FUNC_##id,
#include "ir/functions.def"
    FUNC_COUNT
};

enum func_rule { RULE_SAME, RULE_COMPARE, RULE_LOGIC, RULE_SELECT, RULE_TEST, RULE_INDEX };
enum func_flag { FLAG_COMM = 1, FLAG_ASSOC = 2, FLAG_COSTLY = 4 };

/* One row of functions.def; its columns of meaning stand behind func_eval and the interpreter.
 */
struct func_info {
    const char *text;
    int arity, prec;
    enum func_rule rule;
    const char *kinds;
    unsigned flags;
    const char *c_float, *c_int;
};
const struct func_info *func_info(enum func f);
/* The type f gives for arguments of these types (as many as its arity); DTYPE_NONE when it does
 * not take them. */
enum dtype func_result(enum func f, const enum dtype *arg);
/* f on values: the one scalar meaning of functions.def. t is the type of the arguments (of
 * select: of the last two; of clamp and check: of the first, the others being INDEX); the
 * result has the type func_result gives. check answers as clamp does. */
union scalar func_eval(enum func f, enum dtype t, const union scalar *args);
/* A monoid of reduce: add mul max min and or. Its identity in type t (max: -inf or the lowest
 * integer). */
bool func_is_monoid(enum func f);
union scalar func_identity(enum func f, enum dtype t);
const char *func_monoid_name(enum func f); // "add" …; and back: FUNC_COUNT when there is none
enum func func_monoid_from_name(const char *name, size_t len);

enum expr_kind {
    EXPR_CONST, // value
    EXPR_VAR,   // name: an iterator or symbol (INDEX), or a scalar declared by let (any type)
    EXPR_FUNC,  // func(arg…)
    EXPR_CAST,  // arg0 converted to dtype as dtype_convert does
    EXPR_LOAD, // element arg… of array `array` (loops: one index per dimension; ast: one linear
               // element index)
    EXPR_GUARD, // arg0 if lo <= e < hi for every (e, lo, hi) of arg[2..] else arg1; arg0 is not
                // evaluated outside
    EXPR_REDUCE, // monoid over iters of arg0, accumulated in dtype from its identity, in
                 // iteration order
};

struct iter {
    const char *name;          // interned; unique within its statement
    const struct expr *extent; // runs 0 <= name < extent
};

struct expr {
    enum expr_kind kind;
    enum dtype dtype;
    int n;      // number of arguments
    int height; // longest path down: 0 for a leaf; bounds every recursion over the tree
    const struct expr *const *arg;
    union {
        union scalar value;
        const char *name; // interned
        enum func func;   // also the monoid of a reduce
        int array;        // which array of loops or buffer of ast
    };
    const struct iter *iters; // EXPR_REDUCE only
    int num_iters;
};

/* ---- building: local simplification of constants (index and value; never across rounding)
 * ---- */

const struct expr *expr_const(struct arena *a, enum dtype t, union scalar v);
const struct expr *expr_int(struct arena *a, enum dtype t,
                            int64_t v); // also for float types: the value v
const struct expr *expr_float(struct arena *a, enum dtype t, double v);
const struct expr *expr_index(struct arena *a, int64_t v); // an INDEX constant
const struct expr *expr_var(struct arena *a, enum dtype t, const char *interned);
/* Any function; folds constants (floats: unless COSTLY), x+0, x*1, x*0 (integers and index
 * only), x/1, x%1, select on a constant. Index sums are normal: one constant, last (first in `3
 * - i`), never negative; -i is `0 - i`, 2*i is `i * 2`, mod is %. A check that may fail is
 * never dropped. Argument types must fit the row: anything else is a bug. */
const struct expr *expr_func(struct arena *a, enum func f, const struct expr *const *arg,
                             int n);
const struct expr *expr_1(struct arena *a, enum func f, const struct expr *x);
const struct expr *expr_2(struct arena *a, enum func f, const struct expr *x,
                          const struct expr *y);
const struct expr *expr_3(struct arena *a, enum func f, const struct expr *x,
                          const struct expr *y, const struct expr *z);
/* x itself when the type is right. Only a constant becomes an INDEX: values go through clamp or
 * check. */
const struct expr *expr_cast(struct arena *a, enum dtype t, const struct expr *x);
const struct expr *expr_load(struct arena *a, enum dtype t, int array,
                             const struct expr *const *index, int n);
/* bounds: 3 * num_bounds expressions e, lo, hi. Bounds that hold for constants are dropped; one
 * that cannot hold gives pad. */
const struct expr *expr_guard(struct arena *a, const struct expr *value, const struct expr *pad,
                              const struct expr *const *bounds, int num_bounds);
/* The body is converted to acc. The identity when an extent is 0, the body alone without
 * iterators. */
const struct expr *expr_reduce(struct arena *a, enum func monoid, enum dtype acc,
                               const struct iter *iters, int num_iters,
                               const struct expr *body);

/* ---- asking and rewriting ---- */

bool expr_is_int(const struct expr *e, int64_t v);  // a constant integer or index equal to v
bool expr_as_int(const struct expr *e, int64_t *v); // constant integer or index
/* Is it this function of its arguments? */
bool expr_is_func(const struct expr *e, enum func f);
bool expr_equal(const struct expr *a,
                const struct expr *b); // structurally; 0.0 differs from -0.0, nan equals nan
/* Whether some node of e is a check: then e may end the run with an error, and is not dropped.
 */
bool expr_has_check(const struct expr *e);
/* The first node of this kind, e itself or one in its arguments, outermost first; NULL: none.
 */
const struct expr *expr_find(const struct expr *e, enum expr_kind kind);
/* Does a variable of this name stand in e, extents of a reduce included? */
bool expr_mentions(const struct expr *e, const char *name);
/* The same in a bound of some guard of e. */
bool expr_guards(const struct expr *e, const char *name);
/* Does e load the array (in the ast: the buffer) of this number? */
bool expr_loads(const struct expr *e, int array);
/* Range of an index expression when every variable lies in its range: false when unknown or
 * beyond int64. `range` gives a variable's range (inclusive), false when unknown. */
bool expr_range(const struct expr *e,
                bool (*range)(void *user, const char *name, int64_t *lo, int64_t *hi),
                void *user, int64_t *lo, int64_t *hi);
/* Rebuilds e bottom-up, reduce extents included, with the builders above: fn gets each node
 * after its arguments were replaced and returns it or another. A node whose builder gave back
 * something of another kind (`x * 1`, a guard that always holds) is not shown to fn again; a
 * function that becomes one of its arguments may be, so fn must leave what it returns alone. */
const struct expr *expr_map(struct arena *a, const struct expr *e,
                            const struct expr *(*fn)(void *user, const struct expr *e),
                            void *user);
/* Replaces variables by expressions (names interned). */
const struct expr *expr_subst(struct arena *a, const struct expr *e, const char *const *names,
                              const struct expr *const *values, int n);
/* Calls fn on every node, arguments first; reduce extents included. */
void expr_walk(const struct expr *e, void (*fn)(void *user, const struct expr *e), void *user);

/* ---- text ---- */

struct text; // ir/text.h

/* What names mean while reading. Each may be NULL. */
struct expr_scope {
    /* A name alone: its expression (a variable, or what a row binds it to); NULL when unknown.
     */
    const struct expr *(*name)(void *user, const char *name);
    /* A name followed by `[`: the array, its type and rank; false when unknown. */
    bool (*array)(void *user, const char *name, int *array, enum dtype *t, int *rank);
    /* A name followed by `(` that is neither function nor type: a type variable of an operator
     * row; DTYPE_NONE when unknown. */
    enum dtype (*type)(void *user, const char *name);
    void *user;
};
/* Reads one expression; `want` is the type a bare literal takes (INDEX for index positions,
 * DTYPE_NONE: literal defaults). On an error reports it through t->diag and returns NULL.
 * Nesting is bounded (200), the height too (1000). Iterators of a reduce are in scope inside
 * it. */
const struct expr *expr_read(struct text *t, const struct expr_scope *scope, enum dtype want);
/* The same, and the expression must have type `want`: another is an error. */
const struct expr *expr_read_typed(struct text *t, const struct expr_scope *scope,
                                   enum dtype want);
/* names[i] is the name of array i. */
void expr_print(struct str *s, const struct expr *e, const char *const *array_names);

#endif
