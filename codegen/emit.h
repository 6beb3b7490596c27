/* What the files of codegen/ share while one ast becomes C. Nothing outside codegen/ includes
 * this. */
#ifndef NNCC_CODEGEN_EMIT_H
#define NNCC_CODEGEN_EMIT_H

#include "codegen/codegen.h"
#include "codegen/prim.h"

/* ---- helpers.c: the small functions of helpers.def ---- */

struct helper;
struct helper_use {
    const struct helper *row;
    enum dtype type;
};
struct helper_set {
    vec(struct helper_use) uses; // each once, what it calls before it
    bool math;                   // one of them needs <math.h>
};
/* Notes that nncc_max_f32 (say) is called; a name without a row is a bug. */
void helper_add(struct helper_set *set, struct arena *a, const char *name);
void helper_print(struct str *s, const struct helper_set *set);
/* A template of functions.def or helpers.def up to the next `$0` … `$9`: appends the text with
 * $t $u $d $f replaced for type t, and returns what follows, at the `$` of an argument or at
 * the end. */
const char *template_put(struct str *s, const char *text, enum dtype t);
/* The type at least 32 bits wide that arithmetic on t is done in ("i32", "u64" …): $d. */
enum dtype dtype_wide(enum dtype t);

/* ---- names.c ---- */

/* The names that are taken in one scope. */
struct name_set {
    struct map map;
};
/* `name` made an identifier that nothing in the set has; adds it. Numbered on a collision: x,
 * x_2, x_3. */
const char *name_unique(struct name_set *set, struct arena *a, const char *name);
/* Text inside a comment: one line, nothing that ends it, splices lines or starts another. */
void comment_put(struct str *s, const char *text);
/* Text inside a string literal, without the quotes. */
void literal_put(struct str *s, const void *data, size_t len);
/* The same for many: how each byte is written, before a digit and before anything else. */
struct literal {
    char text[2][256][4];
    unsigned char length[2][256];
};
void literal_start(struct literal *t);
void literal_bytes(struct str *s, const struct literal *t, const void *data, size_t len);

/* ---- the printer ---- */

/* A scalar in scope: a symbol, an iterator or a let. */
struct var {
    const char *name; // in the ast, interned
    const char *c;    // in C
    enum dtype dtype;
    bool ranged; // INDEX: lies in lo..hi
    int64_t lo, hi;
    bool wide; // INDEX: an int64_t in C
};

/* What a printed function shows of its need for stack; stack.c makes bytes of it. */
struct frame {
    int loops;            // deepest nesting
    int buffers;          // pointers
    int loads;            // most different elements read in one statement
    int args;             // of its own
    int64_t accumulators; // bytes: the most that those of a tile take
    int library;          // bytes: the most that a function of libm or a routine takes
};

/* The function that is being printed. */
struct function {
    struct str *out;   // where its text goes
    int depth;         // of indentation
    int loops;         // open now
    bool is_nest;      // buffers are its arguments; else it is the run function
    int outer;         // a nest: vars before this one belong to the run function
    vec(int) captured; // … and these of them are its arguments
    bool *printed;     // [buffers] … and of the buffers those that its text names
    bool error;        // declares `int error`, which checks of indices and calls of nests set
    bool checks;       // a check of an index was printed since this was cleared
    bool returns;      // a code: it may fail
    bool region;       // the run function: a region is open
    bool hooks;        // … in its version that calls the profile hook
    struct frame frame;
};

/* What decides on the C of a nest, as a text: equal texts, equal C (equal.c). */
struct nest_key {
    const char *text;
    size_t len;
    uint64_t hash;      // of the text
    const int *buffers; // those the nest mentions, the first mentioned first
};

/* A printed function, of all nests that are equal to the first one it was printed for. */
struct nest_function {
    struct nest_key key; // of the first nest
    const char *name, *what;
    vec(const char *) nodes; // that the nests come from
    vec(int) captured;       // arguments: scalars of the run function, by position in vars
    vec(int) buffers;        // … and buffers of the first nest
    bool returns;            // a code
    struct str text;         // below its comment
};

/* Where the lanes of a load lie, as an array of bytes from the nearest one. */
struct lane_offsets {
    const char *name;
    enum dtype dtype;  // of what is loaded
    const int64_t *at; // [count] elements
    int64_t count;
};

struct emit {
    const struct ast *ast;
    const struct c_options *opt;
    struct arena arena; // scratch, freed at the end
    struct function fn;
    struct loc nest;           // the one that is printed
    vec(struct var) vars;      // in scope
    const struct expr *reduce; // of the tile being printed: its result is in `acc`
    bool math;                 // <math.h> is needed
    bool lanes;                // lanes_macro is needed
    bool vectors;              // the target's vectors are used: its header is needed
    struct math_set calls;     // of functions on vectors
    int64_t zeros[2];          // elements of the arrays of zeros: float, double
    bool transposes[2][2];     // functions that transpose a block: of the target's vectors, of
                               // half ones; of floats, doubles
    bool lane_numbers[2];      // arrays 0, 1, 2 … are needed: float, double
    struct target groups[4];   // a scalable target with vectors in 1, 2, 4 and 8 registers
    vec(struct lane_offsets) offsets; // arrays that are needed
    struct helper_set helpers;
    vec(const char *) routines; // called, each once
    const char **buffer_c; // [buffers]: in the run function: an argument, a constant, a pointer
                           // into the arena
    bool *mentioned;       // [buffers]: by some statement
    bool *named;           // [buffers]: whose name the run function has
    vec(int) weights;      // the constants to print
    bool weights_as_bytes; // some of them in the byte order of this file
    vec(const char *) regions; // names, in the order of their numbers
    struct str functions;      // the nests
    vec(struct nest_function) nests;
    int most_args;        // of a nest
    int64_t callee_bytes; // of stack: the most that a nest needs
    int64_t stack_bytes;  // of the whole program
};

void put(struct emit *em, const char *text);
void putf(struct emit *em, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void put_indent(struct emit *em);
void put_line(struct emit *em, const char *text); // indented, with its newline
/* Lines of C, broken where they are too long; those marked HOOK_LINE only where fn.hooks. */
void put_code(struct emit *em, const char *text);
/* The first character of a line that calls the profile hook. */
enum { HOOK_LINE = '\1' };

/* ---- emit_expr.c ---- */

/* Precedence of C's operators, as functions.def numbers them. */
enum c_prec {
    C_ANY = 1, // an argument of a call
    C_SELECT = 2,
    C_OR = 3,
    C_AND = 4,
    C_COMPARE = 9,
    C_NOT = 10, // low for a unary operator: compilers warn about !a == b
    C_ADD = 11,
    C_MUL = 12,
    C_UNARY = 13,
    C_POSTFIX = 14,
};
/* Any expression; in parentheses when it binds less than `min`. */
void emit_expr(struct emit *em, const struct expr *e, int min);
void emit_constant(struct emit *em, enum dtype t, union scalar v);
void put_signed(struct emit *em, int64_t v); // a literal that fits its type
/* What a buffer is called in the function being printed. */
const char *emit_buffer(const struct emit *em, int buffer);
/* C type of what a buffer's pointer points to: packed elements are bytes. */
const char *emit_element_type(enum dtype t);

/* ---- emit_index.c ---- */

/* An index expression other than a conversion: int32_t arithmetic when every part provably
 * fits, else int64_t. */
void emit_index(struct emit *em, const struct expr *e, int min);
/* `x op y` of index expressions, op being C's comparison. */
void emit_index_relation(struct emit *em, const struct expr *x, const char *op,
                         const struct expr *y, int min);
/* Range of an index expression here; false when it is not known. */
bool emit_range(const struct emit *em, const struct expr *e, int64_t *lo, int64_t *hi);
/* Every part of an index expression lies in int32_t. */
bool emit_fits32(const struct emit *em, const struct expr *e);
/* The scalar of that name; a nest notes that it needs one of the run function. A bug when there
 * is none. */
const struct var *emit_var(struct emit *em, const char *name);
/* Parentheses around what has precedence `prec` where `min` is needed. */
void put_open(struct emit *em, int prec, int min);
void put_close(struct emit *em, int prec, int min);

/* ---- emit_stmt.c ---- */

/* Brings a scalar into scope until em->vars.len is set back; its C name is free there. */
struct var *emit_declare(struct emit *em, const char *name, enum dtype t);
/* Gives an index scalar the range lo..hi, its arithmetic reaching `reach` beyond hi: it becomes
 * an int32_t where that fits. */
void emit_set_range(struct var *v, int64_t lo, int64_t hi, int64_t reach);
const char *emit_var_type(const struct var *v); // in C
void emit_list(struct emit *em, const struct ast_list *list);
/* One statement of a list; the rest of the list tells what a let may become. */
void emit_statement(struct emit *em, const struct ast_node *n, const struct ast_list *list);
/* Whether a statement of the list assigns to the scalar. */
bool ast_list_sets(const struct ast_list *list, const char *name);

/* A loop lo <= name < hi around what follows, until emit_close_range; the iterator stays in
 * scope until em->vars.len is set back. */
void emit_open_range(struct emit *em, const char *name, const struct expr *lo,
                     const struct expr *hi);
/* … in steps of more than 1. */
void emit_open_steps(struct emit *em, const char *name, const struct expr *lo,
                     const struct expr *hi, int64_t step);
/* … from 0 in steps of the variable `vl`, never beyond hi. */
void emit_open_lengths(struct emit *em, const char *name, const struct expr *hi);
void emit_close_range(struct emit *em);

/* ---- tile.c ---- */

/* A tile with a reduction and constant counts of rows and lanes: accumulators in registers,
 * loads once for all that share them. At most 32 rows and 128 accumulators; prints nothing and
 * returns false for all other tiles. `alone`: in its block of C. */
bool emit_register_tile(struct emit *em, const struct ast_node *n, bool alone);
/* Printed before functions that have loops over lanes. */
extern const char lanes_macro[];

/* ---- vector.c ---- */

/* A tile by the vectors of the target; prints nothing and returns false where it has none that
 * do: then emit_register_tile's turn. `alone`: in its block of C. */
bool emit_vector_tile(struct emit *em, const struct ast_node *n, bool alone);
/* The constants that vectors use. */
void vector_print_constants(struct emit *em);
/* The functions that they call, beside those of math.def. */
void vector_print_functions(struct str *s, const struct emit *em);

/* ---- emit.c ---- */

/* Before the return type of each function: "NNCC_TARGET " where the target has vectors. */
const char *emit_target_attribute(const struct emit *em);
/* May the two share memory? */
bool buffers_overlap(const struct ast *a, int x, int y);
void emit_nest(struct emit *em, const struct ast_node *n);
/* `int kws_run(…)`: symbols, inputs, outputs, arena. */
void emit_signature(struct emit *em);
/* Prints the nests into em->functions and the run function to em->fn.out; and, when it has
 * regions, once more as `kws_profiled`, whose first parameter are hooks with a `profile` that
 * is not NULL. */
void emit_program(struct emit *em);

/* ---- region.c ---- */

/* In the run function, the profile hook before a nest or a call of a routine and after it:
 * nothing in the function of a nest and where a region is open, for which `open` returns
 * false. */
bool region_open(struct emit *em, const struct ast_node *n);
void region_close(struct emit *em);
/* The hook's call before the run function is left from within a region, if one is open. */
void region_leave(struct emit *em);

/* ---- equal.c ---- */

struct nest_key nest_key(struct emit *em, const struct ast_node *n);
bool nest_key_equal(const struct nest_key *x, const struct nest_key *y);
/* The function that was printed for a nest of this key; NULL: there is none. */
struct nest_function *nest_function_find(struct emit *em, const struct nest_key *key);
/* The buffer of a nest with this key that is passed for f->buffers.data[parameter]. */
int nest_function_argument(const struct nest_function *f, const struct nest_key *key,
                           int parameter);
/* Notes that f is called for a nest of this node. */
void nest_function_serve(struct emit *em, struct nest_function *f, const char *node);
/* The nodes that f serves, cut where they are many. */
void nest_function_nodes(struct str *s, const struct nest_function *f);

/* ---- share.c ---- */

/* The statements of a nest, with minima and maxima of indices that they need several times in
 * scalars of their own, at0, at1 … */
struct ast_list share_bounds(struct arena *a, const struct ast_list *list);

/* ---- weights.c, stack.c ---- */

/* Lists the constants the ast mentions in em->weights, equal ones once, and names them in
 * em->buffer_c. */
void weights_name(struct emit *em);
/* Takes those out of em->weights that the C does without (vectors know elements of tables);
 * returns the bytes of the others. */
int64_t weights_keep(struct emit *em);
void weights_print(struct emit *em);
/* Upper bounds in bytes: of one function with its library calls; of the whole program once it
 * is printed. */
int64_t stack_of_frame(const struct frame *f);
int64_t stack_of_program(const struct emit *em);
int stack_of_function(enum func f, enum dtype t); // of libm
int stack_of_routine(void);
/* The function being printed has a tile of so many accumulators of type t and so many other
 * scalars. */
void emit_note_tile(struct emit *em, int64_t accumulators, enum dtype t, int scalars);
/* The function being printed has a tile that keeps so many vectors of the target, calls so many
 * functions on vectors and has so many bytes of arrays. */
void emit_note_vectors(struct emit *em, const struct target *target, int vectors, int functions,
                       int64_t bytes);
void emit_note_library(
    struct emit *em,
    int bytes); // the function being printed calls something that takes so much

#endif
