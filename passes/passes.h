/* The passes and their order (passes.def), and the one function that runs them all. */
#ifndef NNCC_PASSES_H
#define NNCC_PASSES_H

#include "ir/ast.h"
#include "ir/graph.h"
#include "ir/loops.h"
#include "ir/target.h"

enum pass_level { LEVEL_GRAPH, LEVEL_LOOPS, LEVEL_POLY, LEVEL_AST };

/* What every pass may ask: one pointer travels through the compiler. */
struct compile {
    struct diag *diag;
    struct intern *names;
    int opt_level; // 0, 1, 2
    bool strict;
    const struct target *target;   // that the C is for; never NULL
    const struct kept_array *kept; // by fuse, for report_nests
};

/* An array that fuse could have removed, and why it did not. Lives in `names`' arena. */
struct kept_array {
    int buffer; // that plain_start makes of it
    const char *why;
    const struct kept_array *next;
};

/* GRAPH passes edit the graph in place; what each does stands above it in its file. False after
 * user errors (only infer and lower have them). */
bool pass_infer(struct compile *c, struct graph *g);   // types, shapes, small constant results
bool pass_fold(struct compile *c, struct graph *g);    // nodes of constants become constants
bool pass_expand(struct compile *c, struct graph *g);  // compound operators become their bodies
bool pass_rewrite(struct compile *c, struct graph *g); // rules.def until nothing matches
bool pass_clean(struct compile *c, struct graph *g);   // equal nodes, dead nodes, numbering

/* What passes do with a node they made: checks it against its row and infers its results from
 * its typed operands; false after errors. */
bool infer_node(struct compile *c, struct graph *g, struct node *n);
/* infer_node, then fold_node (small results only, unless fold_large); a node that folds away is
 * removed. */
bool infer_new_node(struct compile *c, struct graph *g, struct node *n, bool fold_large);
/* Checks that a typed graph, read from a dump, has the types its rows give. */
bool infer_again(struct compile *c, struct graph *g);

/* graph -> loops; the graph must be typed. NULL after user errors (an operator form that cannot
 * be lowered). */
struct loops *loops_from_graph(struct compile *c, const struct graph *g);
/* Statements into those that read them. */
bool pass_fuse(struct compile *c, struct loops *l);
/* Constants cut to what loads read of them. */
bool pass_slice(struct compile *c, struct loops *l);
/* Windows of max and min: one dimension after the other. */
bool pass_separate(struct compile *c, struct loops *l);
/* Dimensions and loops that are walked as one become one. */
bool pass_collapse(struct compile *c, struct loops *l);
/* loops -> ast in source order: the oracle. */
struct ast *ast_from_loops(struct compile *c, const struct loops *l);
/* Temporaries of one iteration lie where the output is that they become. */
bool pass_inplace(struct compile *c, struct ast *a);
bool pass_arena(struct compile *c, struct ast *a); // arena_plan and its checker

/* Remarks on the final ast: how many nests touch memory and how many of them only copy
 * (REMARK_ANALYSIS), and each that does with the reason why it stays (REMARK_MISSED). */
void report_nests(struct compile *c, const struct ast *a);

/* Computes all results of one node whose operands are constants (or that reads shapes only):
 * out[k] gets bytes in g's arena, the value becomes a constant. False when the node cannot be
 * evaluated (sub-graphs, run-time errors): it stays. */
bool fold_node(struct compile *c, struct graph *g, struct node *n);

/* One rule of rules.def. */
struct rule_info {
    const char *text, *example;
    bool exact; // the same bits on both sides
};
const struct rule_info *rule_list(int *count);
/* Applies rules first .. end-1 until none matches (those that round: not if c->strict). The
 * number of times one was applied. */
int rewrite_with(struct compile *c, struct graph *g, int first, int end);

/* One row of passes.def. */
struct pass_info {
    enum pass_level takes, leaves;
    const char *name;
    int min_opt, max_opt; // runs from -O min_opt to -O max_opt
    bool required;        // cannot be skipped
    const char *doc;
};
const struct pass_info *pass_list(int *count);
int pass_find(const char *name); // its position in pass_list, or -1
/* The last pass that leaves this language behind at -O opt_level; NULL when none does. */
const struct pass_info *pass_last(enum pass_level leaves, int opt_level);

/* One reason for the order: pass a runs after pass b. */
struct pass_order {
    const char *a, *b, *why;
};
const struct pass_order *pass_orders(int *count);

/* What the driver wants of a run through the passes. */
struct pipeline_options {
    const char *dump;     // comma-separated pass names or "all"; NULL: none
    const char *dump_dir; // default "."; when given, `stop` writes constants.bin there as well
    const char *stop;     // stop after this pass and print its IR
    const char *start;    // input is a dump taken after this pass
    const char *skip;     // comma-separated
    bool time;            // print the time of each pass to stderr
};
/* What comes out: the ast, or the text of the IR where `stop` ended; and the owners of the
 * constants' bytes that the ast borrows. */
struct pipeline_result {
    struct ast *ast; // NULL when stopped earlier or failed
    struct str text; // with stop
    struct graph *graph;
    struct loops *loops;
    struct arena constants; // read from a dump's side file
};
/* Runs passes.def on a graph, or on the dump `text` when opt->start is set (constants:
 * constants.bin in the folder of `file`). Dumps are DIR/NN-PASS.graph, .loops, .poly or .ast,
 * each beginning with a comment that says when the pass changed nothing, and
 * DIR/constants.bin. The verifier runs before the first and after every pass: errors in a dump
 * are the user's, errors after a pass are bugs; loops in a dump are proven, where isl is on
 * the way, and a schedule is certified before anything is made of them. False after errors, all
 * reported. Takes the graph over; the result is freed by pipeline_free in either case. */
bool pipeline_run(struct compile *c, const struct pipeline_options *opt, struct graph *g,
                  const char *file, const char *text, size_t len, struct pipeline_result *out);
void pipeline_free(struct pipeline_result *r);

#endif
