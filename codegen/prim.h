/* Primitives: what a tile does with a vector, and how each target spells it.
 *
 * The vectors of one target have all the same size, target->vector_bytes; a mask says something
 * of each lane. Those of a scalable target have `vl` lanes, a variable of the C around. Rows of
 * codegen/targets/<name>.def give the C of a primitive for one element type; scalar.def gives
 * the meaning of each. A primitive without a row for a target and type is not there: prim_has
 * says so before anything is printed, and the tile is printed another way.
 */
#ifndef NNCC_CODEGEN_PRIM_H
#define NNCC_CODEGEN_PRIM_H

#include "ir/base.h"
#include "ir/dtype.h"
#include "ir/expr.h"
#include "ir/target.h"

/* p: C expression of a pointer to elements, aligned for one element; b: of a pointer to truth
 * values, bytes that are 0 or 1; v w x: vectors; m n: masks; s: a scalar; k: an integer
 * constant expression, printed; n: as many as there are lanes, with commas. */
enum prim {
    PRIM_LOAD,            // (p) -> v: v[i] = p[i]
    PRIM_STORE,           // (p, v): a statement without its semicolon
    PRIM_LOAD_SOME,       // (p, m) -> v: p[i] where m, else 0; touches no other memory
    PRIM_LOAD_ELSE,       // (p, m, v) -> w: p[i] where m, else v[i]; touches no other memory
    PRIM_STORE_SOME,      // (p, m, v)
    PRIM_LOAD_MASK,       // (b) -> m
    PRIM_STORE_MASK,      // (b, m)
    PRIM_LOAD_MASK_SOME,  // (b, m) -> n: b[i] where m, else false; touches no other memory
    PRIM_STORE_MASK_SOME, // (b, m, n)
    PRIM_GATHER,          // (p, n) -> v: v[i] = p[n[i]]
    PRIM_GATHER_SOME,     // (p, m, n) -> v: p[n[i]] where m, else 0; touches no other memory
    PRIM_PERMUTE,         // (v, n) -> w: w[i] = v[n[i]]
    PRIM_PERMUTE2,        // (v, w, n): n[i] < lanes ? v[n[i]] : w[n[i] - lanes]
    PRIM_SPLAT,           // (s) -> v: all lanes
    PRIM_ZERO,            // () -> v
    PRIM_KEEP,            // (v) -> v, which compilers then keep in a register
    PRIM_SETTLE,          // (v) -> v, which compilers compute before they go on
    PRIM_BARRIER,         // (): a statement before which nothing behind it is loaded
    PRIM_FIRST,           // (k) -> m: the first k lanes, 0 < k < lanes
    PRIM_ADD,
    PRIM_SUB,
    PRIM_MUL,
    PRIM_DIV,
    PRIM_FMA,      // (v, w, x) -> v * w + x, rounded once
    PRIM_FNMA,     // (v, w, x) -> x - v * w, rounded once
    PRIM_FMA_LANE, // (v, w, x, k) -> v * w[k] + x, rounded once
    PRIM_MIN,      // v < w ? v : w, as FUNC_MIN does with a NaN
    PRIM_MAX,
    PRIM_MIN_NUMBER, // the same when v is a number; of zeros any
    PRIM_MAX_NUMBER,
    PRIM_NEG,
    PRIM_ABS,
    PRIM_SQRT,
    PRIM_FLOOR,
    PRIM_CEIL,
    PRIM_TRUNC,
    PRIM_ROUND, // to even
    PRIM_LT,    // (v, w) -> m, and so on: false with a NaN, NE true
    PRIM_LE,
    PRIM_GT,
    PRIM_GE,
    PRIM_EQ,
    PRIM_NE,
    PRIM_AND, // (m, n) -> m
    PRIM_OR,
    PRIM_NOT,
    PRIM_SELECT,   // (m, v, w): v where m, else w
    PRIM_LDEXP,    // (v, w) -> v * 2^floor(w)
    PRIM_POW2,     // (v) -> 2^(k - 127), 0 for k = 0; v = 3 * 2^22 + k, 0 <= k < 256
    PRIM_ROOT2,    // (v) -> 2^(k / 32), k = 32 v mod 32, v a multiple of 1/32, 2^18 <= v < 2^19
    PRIM_LOGB,     // (v) -> the exponent of a positive normal number, as a float
    PRIM_MANT,     // (v) -> its mantissa, 1 <= r < 2
    PRIM_ZIP_LOW,  // (v, w): v[0], w[0], v[1], w[1] … of their first halves
    PRIM_ZIP_HIGH, // … of their second halves
    PRIM_SUM,      // (v) -> s: the lanes added up, in any order
    PRIM_LEAST,    // (v) -> s
    PRIM_MOST,     // (v) -> s
    /* With a scalar in place of a vector. */
    PRIM_ADD_SCALAR,  // (v, s) -> v + s
    PRIM_SUB_SCALAR,  // (v, s) -> v - s
    PRIM_MUL_SCALAR,  // (v, s) -> v * s
    PRIM_FMA_SCALAR,  // (s, v, x) -> s * v + x, rounded once
    PRIM_FNMA_SCALAR, // (s, v, x) -> x - s * v, rounded once
    PRIM_MIN_SCALAR,  // (s, v) -> s < v ? s : v
    PRIM_MAX_SCALAR,  // (s, v) -> s > v ? s : v
    /* Of scalable targets; o: C expression of a pointer to offsets in bytes, unsigned integers
     * of the elements' size. */
    PRIM_LENGTH,            // (n) -> vl: of n lanes, as many as a vector may have
    PRIM_MOST_LENGTH,       // () -> vl: as many as it may have
    PRIM_NUMBERS,           // () -> v: v[i] = i
    PRIM_KEEP_TAIL,         // (v, w) -> w, behind whose vl lanes those of v follow
    PRIM_LOAD_STRIDED,      // (p, k) -> v: v[i] = p[k i]
    PRIM_LOAD_STRIDED_SOME, // (p, k, m) -> v: p[k i] where m, else 0; touches no other memory
    PRIM_LOAD_INDEXED,      // (p, o) -> v: v[i] is o[i] bytes from p
    PRIM_LOAD_INDEXED_SOME, // (p, o, m) -> v: where m, else 0; touches no other memory
    PRIM_STORE_STRIDED,     // (p, k, v): p[k i] = v[i]
    PRIM_COUNT
};

/* Elements of type t in a vector, of a scalable target the least; 0: it has no vectors of t. */
int prim_lanes(const struct target *target, enum dtype t);
/* "f32x8", of a scalable target "f32m4": what names of its functions end in. */
void prim_suffix(struct str *s, const struct target *target, enum dtype t);
/* C types of a vector and of a mask. */
const char *prim_vector_type(const struct target *target, enum dtype t);
const char *prim_mask_type(const struct target *target, enum dtype t);
bool prim_has(const struct target *target, enum prim p, enum dtype t);
/* Appends the C of p; args are printed C expressions, as many as p takes. Requires prim_has. */
void prim_put(struct str *s, const struct target *target, enum prim p, enum dtype t,
              const char *const *args);
/* Stops compilers that cannot take the C: to be printed before the target's header, which they
 * may not have. */
void prim_put_check(struct str *s, const struct target *target);
/* Defines NNCC_TARGET, which stands before the return type of every function that uses the
 * target's vectors: what it may use, whatever flags the C is compiled with. */
void prim_put_macro(struct str *s, const struct target *target);
/* The helper functions of the target that printed C calls, and types that it has of its own;
 * text: all of that C. */
void prim_put_helpers(struct str *s, const struct target *target, const char *text);

/* ---- math.c: functions of functions.def on vectors ---- */

/* p with a scalar for its second vector, or, of products that are added to, minima and maxima,
 * for the first; PRIM_COUNT: there is none. */
enum prim prim_with_scalar(enum prim p);

/* The primitive that is the function f itself (FUNC_ADD: PRIM_ADD …); PRIM_COUNT: there is
 * none.
 */
enum prim prim_of_func(enum func f);

/* The row for a primitive whose first argument is a number: MIN_NUMBER for MIN, and so on;
 * itself where there is none. */
enum prim prim_with_number(enum prim p);

/* Can a tile compute f on vectors of t? strict: by instructions alone, with the result that
 * scalars have. */
bool prim_has_func(const struct target *target, enum func f, enum dtype t, bool strict);

/* Functions such as exp that a program calls, each printed once: range reduction and a
 * polynomial by the rows of math.def, in primitives. */
struct math_set {
    vec(struct math_use {
        const struct target *target;
        enum func f;
        enum dtype dtype;
    }) uses;
};
/* Whether f can be computed on vectors of t by a row of math.def. */
bool math_has(const struct target *target, enum func f, enum dtype t);
/* The largest error of f on t in units of the last place. Requires math_has. */
double math_error(const struct target *target, enum func f, enum dtype t);
/* Notes that f is called; returns the name of the C function: vectors in, vector out
 * ("nncc_exp_f32x16"); of a scalable target vl is the last argument. Requires math_has. */
const char *math_add(struct math_set *set, struct arena *a, const struct target *target,
                     enum func f, enum dtype t);
/* The C of what was noted: static functions with the attribute `NNCC_TARGET`. */
void math_print(struct str *s, const struct math_set *set);

#endif
