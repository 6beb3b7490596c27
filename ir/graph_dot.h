/* A graph as a picture: Graphviz's language, to be read by people only. */
#ifndef NNCC_IR_GRAPH_DOT_H
#define NNCC_IR_GRAPH_DOT_H

#include "ir/graph.h"

/* Appends a digraph: inputs, outputs and constants as ellipses, nodes as boxes with operator
 * and name, each operand an edge with its tensor's name, type and shape. What
 * subgraphs hold is not drawn. The same text for the same graph. */
void graph_print_dot(struct str *s, const struct graph *g);

#endif
