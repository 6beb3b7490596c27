/* Einsum: one statement. Every letter is an iterator; letters that the result lacks are summed
 * over the product of all operands (ONNX Einsum-28). */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

#define MAX_TERMS 16
#define ELLIPSIS  128 // labels from here on are the dimensions of "...", outermost first

/* One term: a label per dimension. */
struct term {
    int rank;
    int label[GRAPH_MAX_RANK];
};

/* A parsed equation. Labels are characters, or ELLIPSIS + k. */
struct equation {
    int num_terms;
    struct term term[MAX_TERMS], result;
};

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Reads one term up to , or - or the end; `wide` is the number of dimensions of an ellipsis in
 * it. NULL when it is malformed. */
static const char *read_term(const char *p, int wide, struct term *t) {
    bool seen = false;
    t->rank = 0;
    for (; *p && *p != ',' && *p != '-'; p++) {
        if (*p == ' ')
            continue;
        bool dots = strncmp(p, "...", 3) == 0;
        if ((dots && seen) || (!dots && !is_letter(*p)))
            return NULL;
        int labels = dots ? wide : 1;
        if (labels < 0 || t->rank + labels > GRAPH_MAX_RANK)
            return NULL;
        for (int k = 0; k < labels; k++)
            t->label[t->rank++] = dots ? ELLIPSIS + k : *p;
        seen |= dots;
        p += dots ? 2 : 0;
    }
    return p;
}

/* Letters of a term's text, without an ellipsis. */
static int count_letters(const char *p) {
    int n = 0;
    for (; *p && *p != ',' && *p != '-'; p++)
        n += is_letter(*p);
    return n;
}

static int label_uses(const struct equation *e, int label) {
    int n = 0;
    for (int k = 0; k < e->num_terms; k++)
        for (int d = 0; d < e->term[k].rank; d++)
            n += e->term[k].label[d] == label;
    return n;
}

/* Without "->": the dimensions of the ellipsis, then the letters that occur once, in order of
 * their codes. */
static void implicit_result(struct equation *e, int wide) {
    struct term *t = &e->result;
    t->rank = 0;
    for (int k = 0; k < wide; k++)
        t->label[t->rank++] = ELLIPSIS + k;
    for (int c = 'A'; c <= 'z'; c++)
        if (is_letter((char)c) && label_uses(e, c) == 1 && t->rank < GRAPH_MAX_RANK)
            t->label[t->rank++] = c;
}

/* Why the equation does not fit the operands, or NULL when it does. */
static const char *read_equation(const struct node *n, struct equation *e) {
    const char *p = node_string(n, "equation");
    int wide = 0;
    if (n->num_in > MAX_TERMS)
        return "too many operands";
    for (e->num_terms = 0; e->num_terms < n->num_in; e->num_terms++) {
        if (e->num_terms > 0 && *p++ != ',')
            return "the equation has fewer terms than there are inputs";
        int own = node_shape(n, e->num_terms)->rank - count_letters(p);
        struct term *t = &e->term[e->num_terms];
        p = read_term(p, own, t);
        if (!p || t->rank != node_shape(n, e->num_terms)->rank)
            return "a term of the equation does not fit the rank of its input";
        int dots = 0;
        for (int d = 0; d < t->rank; d++)
            dots += t->label[d] >= ELLIPSIS;
        if (dots > 0 && wide > 0 && dots != wide)
            return "the ellipses stand for different numbers of dimensions";
        wide = dots > 0 ? dots : wide;
    }
    if (*p == ',')
        return "the equation has more terms than there are inputs";
    if (strncmp(p, "->", 2) != 0) {
        implicit_result(e, wide);
        return *p ? "the equation is malformed" : NULL;
    }
    p = read_term(p + 2, wide, &e->result);
    return p && !*p ? NULL : "the right side of the equation is malformed";
}

/* Extent of a label: its extent in the operands, where 1 broadcasts; 0 when no operand has it.
 * -1: they differ. */
static int64_t label_extent(const struct node *n, const struct equation *e, int label) {
    int64_t extent = -2;
    for (int k = 0; k < e->num_terms; k++)
        for (int d = 0; d < e->term[k].rank; d++) {
            int64_t own = node_shape(n, k)->dims[d];
            if (e->term[k].label[d] != label || own == extent || (own == 1 && extent >= 0))
                continue;
            if (extent >= 0 && extent != 1)
                return -1;
            extent = own;
        }
    return extent;
}

static bool shape_einsum(struct infer *in, struct node *n) {
    struct equation e = {.num_terms = 0};
    int64_t dims[GRAPH_MAX_RANK] = {0};
    const char *why = read_equation(n, &e);
    if (why)
        return infer_error(in, n, "%s: '%s'", why, node_string(n, "equation"));
    for (int k = 0; k < e.num_terms; k++)
        for (int d = 0; d < e.term[k].rank; d++)
            if (label_extent(n, &e, e.term[k].label[d]) < 0)
                return infer_error(
                    in, n, "a letter of '%s' stands for dimensions of different extents",
                    node_string(n, "equation"));
    for (int d = 0; d < e.result.rank; d++) {
        dims[d] = label_extent(n, &e, e.result.label[d]);
        for (int j = 0; j < d; j++)
            if (e.result.label[j] == e.result.label[d])
                dims[d] = -1;
        if (dims[d] < 0)
            return infer_error(in, n,
                               "the result of '%s' must name letters of the inputs, each once",
                               node_string(n, "equation"));
    }
    return infer_set(in, n, 0, n->in[0]->dtype, e.result.rank, dims);
}

/* Iterators by label: those of the result, then a reduction iterator for each other one. */
static void bind_labels(struct nest *s, const struct equation *e,
                        const struct expr **iterator) {
    for (int d = 0; d < e->result.rank; d++)
        iterator[e->result.label[d]] = s->at[d];
    for (int k = 0; k < e->num_terms; k++)
        for (int d = 0; d < e->term[k].rank; d++) {
            int label = e->term[k].label[d];
            if (!iterator[label])
                iterator[label] = nest_reduce_iter(s, label_extent(s->l->node, e, label));
        }
}

static void lower_einsum(struct lower *l, const struct node *n) {
    struct equation e = {.num_terms = 0};
    const struct expr *iterator[ELLIPSIS + GRAPH_MAX_RANK] = {NULL}, *product = NULL;
    read_equation(n, &e);
    struct nest *s = nest_over(l, l_out(l, 0));
    bind_labels(s, &e, iterator);
    for (int k = 0; k < e.num_terms; k++) {
        const struct expr *index[GRAPH_MAX_RANK];
        for (int d = 0; d < e.term[k].rank; d++)
            index[d] =
                l_dim(l, l_in(l, k), d) == 1 ? x_int(l, 0) : iterator[e.term[k].label[d]];
        const struct expr *x = x_load(l, l_in(l, k), index);
        product = product ? expr_2(l->arena, FUNC_MUL, product, x) : x;
    }
    nest_store(s, l_out(l, 0), s->at, nest_reduce(s, FUNC_ADD, product));
}

// clang-format off
const struct op ops_einsum[] = {
//   operator, domain, since, signature, types, attributes, shape rule,
//   expression, body, lowering function, what it does, node tests, flags
    {"Einsum", "", 28, "Inputs:T... -> Output:T", "T=num", "equation:string", shape_einsum,
     NULL, NULL, lower_einsum, "sum of products, indices by letters", "test_einsum_*", 0},
    {0},
};
// clang-format on
