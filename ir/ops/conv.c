/* Convolutions of any rank: one statement over batch, (group,) channel and places, summing
 * channels and taps. Padding is a guarded read.
 *
 * Y[n, gM+m, o…] = sum over c, k… of X[n, gC+c, oS+kD-P…] * W[gM+m, c, k…] + B[gM+m]. The
 * transposed one gathers: each result sums the taps that hit it, which are the same for every
 * S-th result, so that there are statements for phases (ONNX Conv-22,
 * ConvTranspose-22, ConvInteger-10). */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"

/* ---- shapes ---- */

/* Ranks, channels and kernel_shape of X [N,C,…] and W; `per_group` is W's dimension of C /
 * group (transposed: of C). */
static bool check_operands(struct infer *in, struct node *n, int64_t group) {
    const struct shape *x = node_shape(n, 0), *w = node_shape(n, 1);
    int len;
    const int64_t *kernel = node_ints(n, "kernel_shape", &len);
    if (x->rank < 3)
        return infer_error(in, n, "input '%s' has rank %d, expected at least 3",
                           infer_operand_name(in, n, 0), x->rank);
    if (!infer_rank(in, n, 1, x->rank))
        return false;
    if (group < 1)
        return infer_error(in, n, "attribute 'group' is %lld, expected at least 1",
                           (long long)group);
    if (x->dims[1] % group != 0)
        return infer_error(
            in, n, "input '%s' has %lld channels, which group=%lld does not divide",
            infer_operand_name(in, n, 0), (long long)x->dims[1], (long long)group);
    const struct shape own = {len, (int64_t *)(uintptr_t)kernel},
                       given = {w->rank - 2, w->dims + 2};
    if (kernel && !shape_equal(&own, &given))
        return infer_error(in, n, "attribute 'kernel_shape' is %s, but input '%s' has shape %s",
                           infer_shape_text(in, len, kernel), infer_operand_name(in, n, 1),
                           infer_shape_text(in, w->rank, w->dims));
    return true;
}

static bool check_bias(struct infer *in, struct node *n, int64_t channels) {
    return !node_has_in(n, 2) || infer_dims(in, n, 2, 1, &channels);
}

/* Sets the result of shape [N, channels, places…]. */
static bool set_result(struct infer *in, struct node *n, int64_t channels,
                       const int64_t *places) {
    const struct shape *x = node_shape(n, 0);
    int64_t dims[GRAPH_MAX_RANK] = {x->dims[0], channels};
    memcpy(dims + 2, places, (size_t)(x->rank - 2) * sizeof *dims);
    return infer_set(in, n, 0, infer_result_type(n, 0), x->rank, dims);
}

static bool shape_convolution(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0), *w = node_shape(n, 1);
    int64_t group = node_int(n, "group");
    struct window window;
    if (!check_operands(in, n, group))
        return false;
    if (w->dims[1] != x->dims[1] / group)
        return infer_error(in, n,
                           "input '%s' has shape %s, expected %lld in dimension 1 (%lld "
                           "channels in %lld groups)",
                           infer_operand_name(in, n, 1), infer_shape_text(in, w->rank, w->dims),
                           (long long)(x->dims[1] / group), (long long)x->dims[1],
                           (long long)group);
    if (w->dims[0] % group != 0)
        return infer_error(
            in, n, "input '%s' has %lld output channels, which group=%lld does not divide",
            infer_operand_name(in, n, 1), (long long)w->dims[0], (long long)group);
    return infer_window(in, n, w->dims + 2, &window) &&
           set_result(in, n, w->dims[0], window.out);
}

static bool shape_conv(struct infer *in, struct node *n) {
    return shape_convolution(in, n) && check_bias(in, n, node_shape(n, 1)->dims[0]);
}

static bool shape_convinteger(struct infer *in, struct node *n) {
    if (!shape_convolution(in, n))
        return false;
    if (node_has_in(n, 2) && value_elements(n->in[2]) != 1)
        return infer_error(
            in, n, "input '%s' has shape %s, expected a scalar", infer_operand_name(in, n, 2),
            infer_shape_text(in, node_shape(n, 2)->rank, node_shape(n, 2)->dims));
    return !node_has_in(n, 3) || value_elements(n->in[3]) == 1 ||
           infer_dims(in, n, 3, 1, node_shape(n, 1)->dims);
}

/* Where the results of a transposed convolution lie: result o gets tap k of input i where o =
 * iS + kD - P. */
struct transposed {
    int rank;
    const int64_t *in, *kernel, *stride, *dilation, *pads, *more; // more: output_padding
    const int64_t *pad_begin, *out;                               // derived
};

/* One dimension: pad at the begin and number of results, as ONNX derives them from pads,
 * auto_pad or output_shape. */
static int64_t transposed_dim(const struct node *n, const struct transposed *t, int d,
                              int64_t *begin) {
    int len;
    const int64_t *shape = node_ints(n, "output_shape", &len);
    enum auto_pad mode = node_auto_pad(n);
    int64_t full =
        t->stride[d] * (t->in[d] - 1) + t->more[d] + (t->kernel[d] - 1) * t->dilation[d] + 1;
    bool same = mode == PAD_SAME_UPPER || mode == PAD_SAME_LOWER;
    *begin = mode == PAD_EXPLICIT ? t->pads[d] : 0;
    if (!shape && !same)
        return mode == PAD_EXPLICIT ? full - t->pads[d] - t->pads[d + t->rank] : full;
    int64_t out = shape ? shape[d] : t->in[d] * t->stride[d],
            total = full > out ? full - out : 0;
    *begin = mode == PAD_SAME_UPPER ? total / 2 : total - total / 2;
    return out;
}

static void transposed_of(struct arena *a, const struct node *n, struct transposed *t) {
    const struct shape *x = node_shape(n, 0);
    int rank = x->rank - 2;
    *t = (struct transposed){
        .rank = rank, .in = x->dims + 2, .kernel = node_shape(n, 1)->dims + 2};
    t->stride = node_list(a, n, "strides", rank, 1);
    t->dilation = node_list(a, n, "dilations", rank, 1);
    t->pads = node_list(a, n, "pads", 2 * rank, 0);
    t->more = node_list(a, n, "output_padding", rank, 0);
    int64_t *begin = arena_array(a, int64_t, rank), *out = arena_array(a, int64_t, rank);
    for (int d = 0; d < rank; d++)
        out[d] = transposed_dim(n, t, d, &begin[d]);
    t->pad_begin = begin;
    t->out = out;
}

static bool check_transposed(struct infer *in, struct node *n, int rank) {
    const int64_t *stride = infer_list(in, n, "strides", rank, 1, 1);
    const int64_t *dilation = infer_list(in, n, "dilations", rank, 1, 1);
    const int64_t *more = infer_list(in, n, "output_padding", rank, 0, 0);
    if (!stride || !dilation || !more || !infer_list(in, n, "pads", 2 * rank, 0, 0) ||
        !infer_list(in, n, "output_shape", rank, 0, 0) ||
        !infer_spatial(in, n, node_shape(n, 1)->dims + 2))
        return false;
    for (int d = 0; d < rank; d++)
        if (more[d] >= stride[d] && more[d] >= dilation[d])
            return infer_error(in, n,
                               "attribute 'output_padding' has the value %lld, expected less "
                               "than the stride %lld",
                               (long long)more[d], (long long)stride[d]);
    return true;
}

static bool shape_convtranspose(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0), *w = node_shape(n, 1);
    int64_t group = node_int(n, "group"), channels;
    struct transposed t;
    if (!check_operands(in, n, group) || !check_transposed(in, n, x->rank - 2))
        return false;
    if (w->dims[0] != x->dims[1])
        return infer_error(in, n, "input '%s' has shape %s, expected %lld in dimension 0",
                           infer_operand_name(in, n, 1), infer_shape_text(in, w->rank, w->dims),
                           (long long)x->dims[1]);
    if (!size_mul(w->dims[1], group, &channels))
        return infer_error(in, n, "attribute 'group' is %lld, which is too large",
                           (long long)group);
    transposed_of(in->arena, n, &t);
    for (int d = 0; d < t.rank; d++)
        if (t.out[d] < 0)
            return infer_error(in, n, "the pads leave %lld places in spatial dimension %d",
                               (long long)t.out[d], d);
    return set_result(in, n, channels, t.out) && check_bias(in, n, channels);
}

/* ---- lowering ---- */

/* The iterators of a convolution's result: batch, group (if there is more than one), channel
 * within it, places. */
struct places {
    const struct expr *batch, *group, *channel; // channel of the result
    int64_t in_group, out_group;                // channels of a group
    int first;                                  // iterator of the first spatial dimension
    const struct expr *result[GRAPH_MAX_RANK];  // index of the result
};

static void iterate_channels(struct nest *s, int x, int y, struct places *p) {
    struct lower *l = s->l;
    int64_t group = node_int(l->node, "group");
    p->in_group = l_dim(l, x, 1) / group;
    p->out_group = l_dim(l, y, 1) / group;
    p->batch = nest_iter(s, l_dim(l, y, 0));
    p->group = group > 1 ? nest_iter(s, group) : x_int(l, 0);
    p->channel = x_add(l, x_mul(l, p->group, p->out_group), nest_iter(s, p->out_group));
    p->first = s->iters.len;
    p->result[0] = p->batch;
    p->result[1] = p->channel;
}

static const struct expr *add_bias(struct lower *l, const struct expr *sum,
                                   const struct places *p) {
    return node_has_in(l->node, 2)
               ? expr_2(l->arena, FUNC_ADD, sum, x_load(l, l_in(l, 2), &p->channel))
               : sum;
}

/* v - zero point operand k (a scalar, or one per channel), in i32. */
static const struct expr *less_zero(struct lower *l, const struct expr *v, int k,
                                    const struct expr *channel) {
    const struct expr *wide = expr_cast(l->arena, DTYPE_I32, v), *none = x_int(l, 0);
    if (!node_has_in(l->node, k))
        return wide;
    int zero = l_in(l, k);
    bool one = l_rank(l, zero) == 0 || l_dim(l, zero, 0) == 1;
    const struct expr *z = x_load(l, zero, one ? &none : &channel);
    return expr_2(l->arena, FUNC_SUB, wide, expr_cast(l->arena, DTYPE_I32, z));
}

/* The padding of a quantised input is its zero point, so that it counts as 0. */
static const struct expr *pad_value(struct lower *l, int x, bool integer) {
    const struct expr *at = x_int(l, 0);
    return integer && node_has_in(l->node, 2) ? x_load(l, l_in(l, 2), &at)
                                              : expr_int(l->arena, l_type(l, x), 0);
}

static void convolve(struct lower *l, const struct node *n, bool integer) {
    int x = l_in(l, 0), w = l_in(l, 1), y = l_out(l, 0);
    const struct expr *ix[GRAPH_MAX_RANK], *iw[GRAPH_MAX_RANK];
    bool may[GRAPH_MAX_RANK] = {false};
    struct window window;
    struct places p;
    struct nest *s = nest_new(l);
    node_window(l->arena, n, node_shape(n, 1)->dims + 2, &window);
    iterate_channels(s, x, y, &p);
    for (int d = 2; d < l_rank(l, y); d++)
        p.result[d] = nest_iter(s, l_dim(l, y, d));
    iw[0] = p.channel;
    iw[1] = nest_reduce_iter(s, p.in_group);
    ix[0] = p.batch;
    ix[1] = x_add(l, x_mul(l, p.group, p.in_group), iw[1]);
    build_taps(s, &window, p.first, iw + 2, ix, may);
    const struct expr *a = x_padded(l, x, ix, may, pad_value(l, x, integer)),
                      *b = x_load(l, w, iw);
    if (integer) {
        a = less_zero(l, a, 2, x_int(l, 0));
        b = less_zero(l, b, 3, p.channel);
    }
    const struct expr *sum = nest_reduce(s, FUNC_ADD, expr_2(l->arena, FUNC_MUL, a, b));
    nest_store(s, y, p.result, integer ? sum : add_bias(l, sum, &p));
}

static void lower_conv(struct lower *l, const struct node *n) {
    convolve(l, n, false);
}

static void lower_convinteger(struct lower *l, const struct node *n) {
    convolve(l, n, true);
}

enum { MAX_STATEMENTS = 16, MAX_STRIDE = 256 }; // of convolutions that are taken apart

/* The taps that hit one result: places in the input and in the kernel, and the conditions. */
struct hits {
    const struct expr *place[GRAPH_MAX_RANK], *tap[GRAPH_MAX_RANK];
    const struct expr *bounds[6 * GRAPH_MAX_RANK]; // of a guard: expression, low, high
    int num_bounds;
};

static void add_bound(struct lower *l, struct hits *h, const struct expr *e, int64_t hi) {
    const struct expr **bound = &h->bounds[(size_t)3 * (size_t)h->num_bounds++];
    bound[0] = e;
    bound[1] = x_int(l, 0);
    bound[2] = x_int(l, hi);
}

/* One dimension for result place o, all phases at once: with dilation 1 only every S-th tap can
 * hit, from (o+P) % S on, and those are all that is tried; otherwise all taps are, and those
 * hit for which the distance is a multiple of S. */
static void add_taps(struct nest *s, const struct transposed *t, int d, const struct expr *o,
                     struct hits *h) {
    struct lower *l = s->l;
    int64_t stride = t->stride[d], kernel = t->kernel[d];
    const struct expr *from = x_addk(l, o, t->pad_begin[d]);
    if (t->dilation[d] == 1) {
        const struct expr *k = nest_reduce_iter(s, (kernel + stride - 1) / stride);
        h->tap[d] = x_add(l, x_mul(l, k, stride), x_mod(l, from, stride));
        h->place[d] = x_sub(l, x_div(l, from, stride), k);
        if (kernel % stride != 0)
            add_bound(l, h, h->tap[d], kernel);
    } else {
        h->tap[d] = nest_reduce_iter(s, kernel);
        const struct expr *distance = x_sub(l, from, x_mul(l, h->tap[d], t->dilation[d]));
        h->place[d] = x_div(l, distance, stride);
        if (stride > 1)
            add_bound(l, h, x_mod(l, distance, stride), 1);
    }
    add_bound(l, h, h->place[d], t->in[d]);
}

/* The results that some tap may hit, from 0 on; behind them there is nothing but bias. */
static int64_t reach(const struct transposed *t, int d) {
    int64_t end = (t->in[d] - 1) * t->stride[d] + (t->kernel[d] - 1) * t->dilation[d] + 1 -
                  t->pad_begin[d];
    end = t->in[d] > 0 && end > 0 ? end : 0;
    return end < t->out[d] ? end : t->out[d];
}

/* Phases of one dimension that are alike: results o = yS + number + q for y < results and q <
 * count get the taps first + q + r step for r < taps, of the inputs y + place - r back. */
struct phase {
    int dim;
    int64_t number, count, results, first, step, taps, place, back;
};

/* Solves o + P - kD = iS for k and i. */
static struct phase phase_of(const struct transposed *t, int d, int64_t number) {
    int64_t stride = t->stride[d], dilation = t->dilation[d], kernel = t->kernel[d];
    int64_t from = number + t->pad_begin[d], step = 1, first = 0, end = reach(t, d);
    while (step * dilation % stride != 0)
        step++;
    while (first < step && first < kernel && (from - first * dilation) % stride != 0)
        first++;
    bool some = first < step && first < kernel;
    struct phase p = {.dim = d, .number = number, .count = 1, .first = first, .step = step};
    p.results = end > number ? (end - number - 1) / stride + 1 : 0;
    p.taps = some ? (kernel - first - 1) / step + 1 : 0;
    p.place = (from - first * dilation) / stride;
    p.back = step * dilation / stride;
    return p;
}

/* The phase and those behind it that are alike. */
static struct phase phases_from(const struct transposed *t, int d, int64_t number) {
    struct phase p = phase_of(t, d, number);
    for (bool alike = true; alike && number + p.count < t->stride[d]; p.count += alike) {
        struct phase next = phase_of(t, d, number + p.count);
        alike = next.results == p.results && next.taps == p.taps &&
                (p.taps == 0 || (next.first == p.first + p.count && next.place == p.place));
    }
    return p;
}

/* One dimension of phases, for the results y, q. */
static void add_phase(struct nest *s, const struct transposed *t, const struct phase *p,
                      const struct expr *const *at, struct hits *h) {
    struct lower *l = s->l;
    const struct expr *r = nest_reduce_iter(s, p->taps);
    int64_t least = p->place - (p->taps - 1) * p->back, most = p->place + p->results - 1;
    h->tap[p->dim] = x_addk(l, x_add(l, x_mul(l, r, p->step), at[1]), p->first);
    h->place[p->dim] = x_sub(l, x_addk(l, at[0], p->place), x_mul(l, r, p->back));
    if (least < 0 || most >= t->in[p->dim])
        add_bound(l, h, h->place[p->dim], t->in[p->dim]);
}

/* A statement to be: of phases in each dimension, or of all in all (phase NULL); at: the
 * iterators y and q of each dimension (o in the latter case). */
struct part {
    const struct transposed *t;
    const struct phase *phase;
    struct places places;
    const struct expr *at[GRAPH_MAX_RANK][2];
};

static void iterate_part(struct nest *s, struct part *part) {
    struct lower *l = s->l;
    for (int d = 0; d < part->t->rank; d++) {
        const struct phase *p = part->phase ? &part->phase[d] : NULL;
        const struct expr **at = part->at[d];
        at[0] = nest_iter(s, p ? p->results : part->t->out[d]);
        at[1] = p && p->count > 1 ? nest_iter(s, p->count) : x_int(l, 0);
        part->places.result[2 + d] =
            p ? x_addk(l, x_add(l, x_mul(l, at[0], part->t->stride[d]), at[1]), p->number)
              : at[0];
    }
}

/* The sum of the taps. */
static const struct expr *sum_taps(struct nest *s, const struct part *part) {
    struct lower *l = s->l;
    const struct places *p = &part->places;
    struct hits h = {.num_bounds = 0};
    int x = l_in(l, 0), w = l_in(l, 1);
    const struct expr *none = expr_int(l->arena, l_type(l, x), 0);
    const struct expr *c =
        x_add(l, x_mul(l, p->group, p->in_group), nest_reduce_iter(s, p->in_group));
    const struct expr *ix[GRAPH_MAX_RANK] = {p->batch, c},
                      *iw[GRAPH_MAX_RANK] = {c, s->at[p->first - 1]};
    for (int d = 0; d < part->t->rank; d++) {
        if (part->phase && part->phase[d].taps == 0)
            return none;
        if (part->phase)
            add_phase(s, part->t, &part->phase[d], part->at[d], &h);
        else
            add_taps(s, part->t, d, part->at[d][0], &h);
        ix[2 + d] = h.place[d];
        iw[2 + d] = h.tap[d];
    }
    const struct expr *hit = expr_2(l->arena, FUNC_MUL, x_load(l, x, ix), x_load(l, w, iw));
    return nest_reduce(s, FUNC_ADD, expr_guard(l->arena, hit, none, h.bounds, h.num_bounds));
}

static void lower_part(struct lower *l, const struct transposed *t, const struct phase *phase) {
    struct part part = {.t = t, .phase = phase};
    struct nest *s = nest_new(l);
    int y = l_out(l, 0);
    iterate_channels(s, l_in(l, 0), y, &part.places);
    iterate_part(s, &part);
    nest_store(s, y, part.places.result, add_bias(l, sum_taps(s, &part), &part.places));
}

/* Would there be few statements? */
static bool comes_apart(const struct transposed *t) {
    int64_t statements = 1;
    for (int d = 0; d < t->rank && statements <= MAX_STATEMENTS; d++) {
        int64_t n = t->stride[d] <= MAX_STRIDE ? 0 : MAX_STATEMENTS + 1;
        for (int64_t k = 0; k < t->stride[d] && n <= MAX_STATEMENTS; n++)
            k += phases_from(t, d, k).count;
        statements *= n;
    }
    return statements <= MAX_STATEMENTS;
}

/* A statement for each combination of phases of the dimensions. */
static void lower_phases(struct lower *l, const struct transposed *t) {
    struct phase phase[GRAPH_MAX_RANK];
    for (int d = 0; d < t->rank; d++)
        phase[d] = phases_from(t, d, 0);
    for (int d = t->rank - 1; d >= 0;) {
        lower_part(l, t, phase);
        for (d = t->rank - 1; d >= 0; d--) {
            int64_t next = phase[d].number + phase[d].count;
            bool more = next < t->stride[d];
            phase[d] = phases_from(t, d, more ? next : 0);
            if (more)
                break;
        }
    }
}

/* The results behind the reach of dimension d, within it in those before. */
static void lower_tail(struct lower *l, const struct transposed *t, int d) {
    struct places p;
    struct nest *s = nest_new(l);
    int y = l_out(l, 0);
    iterate_channels(s, l_in(l, 0), y, &p);
    for (int k = 0; k < t->rank; k++) {
        int64_t from = k == d ? reach(t, d) : 0, to = k < d ? reach(t, k) : t->out[k];
        p.result[2 + k] = x_addk(l, nest_iter(s, to - from), from);
    }
    nest_store(s, y, p.result, add_bias(l, expr_int(l->arena, l_type(l, y), 0), &p));
}

static void lower_convtranspose(struct lower *l, const struct node *n) {
    struct transposed t;
    transposed_of(l->arena, n, &t);
    if (!comes_apart(&t)) {
        lower_part(l, &t, NULL);
        return;
    }
    lower_phases(l, &t);
    for (int d = 0; d < t.rank; d++)
        lower_tail(l, &t, d);
}

// clang-format off
#define WINDOW_ATTRS "auto_pad:string=NOTSET dilations:ints? group:int=1 kernel_shape:ints? pads:ints? strides:ints?"
const struct op ops_conv[] = {
//   operator, domain, since, signature, types, attributes, shape rule,
//   expression, body, lowering function, what it does, node tests, flags
    {"Conv", "", 22, "X:T, W:T, B:T? -> Y:T", "T=float", WINDOW_ATTRS, shape_conv,
     NULL, NULL, lower_conv, "convolution", "test_*conv_with*", 0},
    {"ConvTranspose", "", 22, "X:T, W:T, B:T? -> Y:T",
     "T=float", WINDOW_ATTRS " output_padding:ints? output_shape:ints?", shape_convtranspose,
     NULL, NULL, lower_convtranspose, "transposed convolution", "test_convtranspose*", 0},
    {"ConvInteger", "", 10, "x:T1, w:T2, x_zero_point:T1?, w_zero_point:T2? -> y:T3",
     "T1=i8|u8 T2=i8|u8 T3=i32", WINDOW_ATTRS, shape_convinteger,
     NULL, NULL, lower_convinteger, "convolution of 8 bits in i32", "test_convinteger_*", 0},
    {0},
};
// clang-format on
