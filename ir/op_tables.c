/* The one list of operator families: one line per file of ir/ops/, which defines `const struct
 * op ops_<family>[]`. */
#include "ir/op.h"

// clang-format off
#define FAMILIES(X) \
    X(elementwise) \
    X(reduce) \
    X(norm) \
    X(matmul) \
    X(einsum) \
    X(conv) \
    X(pool) \
    X(move) \
    X(pad) \
    X(resize) \
    X(gather) \
    X(generate) \
    X(quant) \
    X(sort) \
    X(internal)
// clang-format on

#define DECLARE(family) extern const struct op ops_##family[];
FAMILIES(DECLARE)
#undef DECLARE

const struct op_table *op_tables(void) {
#define ROW(family) {#family, ops_##family},
    static const struct op_table tables[] = {FAMILIES(ROW){NULL, NULL}};
#undef ROW
#undef FAMILIES
    return tables;
}
