/* Operators that no model contains: passes put them in. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

/* Require(X, expected): the run fails with NNCC_E_SHAPE unless X equals the constant the shapes
 * were solved with. */
static bool infer_require(struct infer *in, struct node *n) {
    if (shape_equal(&n->in[0]->shape, &n->in[1]->shape))
        return true;
    struct str found = {0}, expected = {0};
    shape_print(&found, n->in[0]->dtype, &n->in[0]->shape);
    shape_print(&expected, n->in[1]->dtype, &n->in[1]->shape);
    infer_error(in, n, "input 'X' is %s, expected %s", str_cstr(&found), str_cstr(&expected));
    str_free(&found);
    str_free(&expected);
    return false;
}

static void lower_require(struct lower *l, const struct node *n) {
    struct nest *s = nest_over(l, l_in(l, 0));
    struct stmt *stmt = loops_add_stmt(l->loops, l->into, STMT_REQUIRE, n->loc);
    stmt->iters = s->iters.data;
    stmt->num_iters = s->iters.len;
    stmt->rhs =
        expr_2(l->arena, FUNC_EQ, x_load(l, l_in(l, 0), s->at), x_load(l, l_in(l, 1), s->at));
}

// clang-format off
const struct op ops_internal[] = {
//   name       domain  since signature                types     attrs
    {"Require", "nncc", 1,    "X:T, expected:T ->", "T=all", "",
     infer_require, NULL, NULL, lower_require,
     "fails at run time unless both are equal", "", OP_IMPURE},
    {0},
};
// clang-format on
