/* Operators as rows: everything nncc knows of an ONNX operator stands in one row of one file of
 * ir/ops/. The columns (docs/adding-an-operator.md has examples of each):
 *
 * signature  "X:T, W:T, B:T? -> Y:T": operands and results with a type variable (or a type:
 *            i64); `?` optional, `...` one or more (last operand or result only). Optional
 *            results have `?` too.
 * types      "T=float Q=i8|u8": what each variable may be, types and classes joined by |. The
 *            classes: float (f32 f64), int, uint, integer (int or uint), num (float or
 *            integer), bool, any (num or bool), low (sub-byte), all (any or low).
 * attrs      "alpha:float=0.01 axis:int=-1 pads:ints? mode:string=nearest to:int body:graph":
 *            kind and default; `?` optional without default, neither: required. Any attribute
 *            not listed is an error (one that changes nothing is listed).
 * infer      the shape rule: result types and shapes from operands and attributes.
 * meaning    exactly one of:
 *   expr     a scalar expression over operand names, attribute names (numbers), type variables
 *            as casts; element-wise with broadcasting; with `reduce(m, X)` over the reduced
 *            dimensions (and `count`, their number of elements) when infer is shape_reduce.
 *   body     graph text in terms of simpler rows, as passes/template.h says; operands and
 *            results are called as in the signature.
 *   lower    a function that builds statements (ir/build.h).
 * doc        one line for `nncc --ops`.
 * tests      glob of the ONNX node tests of this operator: "test_leakyrelu*". */
#ifndef NNCC_IR_OP_H
#define NNCC_IR_OP_H

#include "ir/base.h"
#include "ir/diag.h"
#include "ir/dtype.h"
#include "ir/graph.h"

struct infer;
struct lower;

enum op_flag {
    OP_SHAPE_ONLY = 1, // results depend on the operands' shapes alone
    OP_IMPURE = 2,     // never removed as dead or merged (Require)
    OP_LIKE_FIRST = 4, // result 0 is shaped like operand 0: also followed backwards
};

struct op {
    const char *name;
    const char *domain; // "" is ONNX's own; "nncc" is internal
    int since;          // opset of the form described here (the newest)
    const char *signature, *types, *attrs;
    bool (*infer)(struct infer *in, struct node *n); // false after an error
    const char *expr, *body;
    void (*lower)(struct lower *l, const struct node *n);
    const char *doc, *tests;
    unsigned flags;
};

/* Every table of ir/ops/, NULL-terminated; op_tables.c is the one list of families. */
struct op_table {
    const char *family;
    const struct op *rows; // ends with name == NULL
};
const struct op_table *op_tables(void);
/* The row, or NULL. domain "" and "ai.onnx" are the same. */
const struct op *op_find(const char *domain, const char *name);
#define OP_NEWEST_OPSET 28 // of ONNX's own domain; later ones are refused by number

/* ---- parsed rows (cheap to parse, done on use) ---- */

struct op_param {
    const char *name; // not NUL-terminated: len
    int len;
    const char *type; // variable or type name, type_len long
    int type_len;
    bool optional, variadic;
};
/* Operand k (result k) of the signature; variadic ones repeat. False when there is none. */
bool op_operand(const struct op *op, int k, struct op_param *p);
bool op_result(const struct op *op, int k, struct op_param *p);
int op_min_operands(const struct op *op); // required ones
/* May type variable (or type) `name` be t? */
bool op_type_allows(const struct op *op, const char *name, int len, enum dtype t);
/* Types allowed, for a message: "f32, f64". */
void op_type_print(struct str *s, const struct op *op, const char *name, int len);
/* Checks a node against its row: operand and result counts, attribute names and kinds, operand
 * types against constraints (equal variables, equal types). Reports all violations; true when
 * there is none. Types not known yet are not checked. */
bool op_check(const struct node *n, struct diag *d);
/* The default of attribute `name` (its text in the row, len long); false when the row lists
 * none. */
bool op_attr_default(const struct op *op, const char *name, const char **text, int *len);
/* Kind of attribute `name` in the row; false when the row lists none. */
bool op_attr_kind(const struct op *op, const char *name, enum attr_kind *kind);
/* The row's defaults as attributes in arena a. */
const struct attr *op_parse_defaults(const struct op *op, struct arena *a, struct intern *names,
                                     int *num);

/* The support table: operator, domain, since, types, meaning, doc; one line each. */
void op_print_table(struct str *s);

#endif
