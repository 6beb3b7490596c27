/* What the tests of operator rows share: the text of a graph of one node. */
#ifndef NNCC_TESTS_NODE_TEXT_H
#define NNCC_TESTS_NODE_TEXT_H

#include "ir/base.h"

/* Inputs %0, %1 … of the types in `inputs`, separated by blanks ("f32[2]={1,2}" is a constant),
 * then the node, whose result %9 is the output. */
static inline void node_text(struct str *s, const char *inputs, const char *node) {
    str_add(s, "graph \"g\"\n");
    for (int k = 0; *inputs; k++) {
        size_t len = strcspn(inputs, " ");
        const char *eq = memchr(inputs, '=', len);
        if (eq)
            str_addf(s, "const %%%d: %.*s = %.*s\n", k, (int)(eq - inputs), inputs,
                     (int)(inputs + len - eq - 1), eq + 1);
        else
            str_addf(s, "input %%%d: %.*s \"x%d\"\n", k, (int)len, inputs, k);
        inputs += len + (inputs[len] == ' ');
    }
    str_addf(s, "%s\noutput %%9 \"y\"\n", node);
}

#endif
