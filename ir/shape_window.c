/* Sliding windows: where the taps of a convolution or pooling lie (ir/shape.h; ONNX Conv-22,
 * MaxPool-22).
 *
 * One dimension of input extent I, kernel K, stride S, dilation D and pads P, Q covers the span
 * (K-1)D+1; output o reads oS + kD - P. Explicit pads give floor((I+P+Q-span)/S)+1 outputs, or
 * with ceil_mode the ceiling, less a last window that would start in the end padding. SAME
 * gives ceil(I/S) and the smallest padding, VALID no padding. */
#include "ir/shape.h"

#define MAX_PARAM                                                                              \
    INT32_MAX // of a kernel extent, stride, dilation, pad: sums of products stay in int64

static const int64_t *filled(struct arena *a, int rank, int64_t v) {
    int64_t *list = arena_array(a, int64_t, rank);
    for (int d = 0; d < rank; d++)
        list[d] = v;
    return list;
}

const int64_t *node_list(struct arena *a, const struct node *n, const char *name, int rank,
                         int64_t fallback) {
    int len;
    const int64_t *list = node_ints(n, name, &len);
    return list && len == rank ? list : filled(a, rank, fallback);
}

const int64_t *infer_list(struct infer *in, const struct node *n, const char *name, int rank,
                          int64_t lo, int64_t fallback) {
    int len;
    const int64_t *list = node_ints(n, name, &len);
    if (list && len != rank) {
        infer_error(in, n, "attribute '%s' has length %d, expected %d", name, len, rank);
        return NULL;
    }
    for (int d = 0; list && d < rank; d++) {
        bool low = list[d] < lo;
        if (!low && list[d] <= MAX_PARAM)
            continue;
        infer_error(in, n, "attribute '%s' has the value %lld, expected at %s %lld", name,
                    (long long)list[d], low ? "least" : "most",
                    (long long)(low ? lo : MAX_PARAM));
        return NULL;
    }
    return node_list(in->arena, n, name, rank, fallback);
}

enum auto_pad node_auto_pad(const struct node *n) {
    static const char *const names[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
    const char *text = node_string(n, "auto_pad");
    for (int k = 0; k < PAD_UNKNOWN; k++)
        if (strcmp(text, names[k]) == 0)
            return (enum auto_pad)k;
    return PAD_UNKNOWN;
}

/* One dimension: pads and number of outputs; -1 when the window does not fit. */
static int64_t window_dim(const struct window *w, int d, enum auto_pad mode, bool ceiling,
                          int64_t pad[2]) {
    int64_t span = (w->kernel[d] - 1) * w->dilation[d] + 1, stride = w->stride[d],
            in = w->in[d];
    if (mode == PAD_SAME_UPPER || mode == PAD_SAME_LOWER) {
        int64_t out = (in + stride - 1) / stride, all = (out - 1) * stride + span - in;
        all = all < 0 ? 0 : all;
        pad[0] = mode == PAD_SAME_UPPER ? all / 2 : all - all / 2;
        pad[1] = all - pad[0];
        return out;
    }
    if (mode == PAD_VALID)
        pad[0] = pad[1] = 0;
    int64_t room = in + pad[0] + pad[1] - span;
    int64_t out = floor_div(ceiling ? room + stride - 1 : room, stride) + 1;
    if (out < 1)
        return -1;
    return ceiling && (out - 1) * stride >= in + pad[0] ? out - 1 : out;
}

/* Fills pads and outputs; the first dimension that does not fit, or -1. */
static int window_place(struct arena *a, const struct node *n, const int64_t *pads,
                        struct window *w) {
    int64_t *begin = arena_array(a, int64_t, w->rank), *end = arena_array(a, int64_t, w->rank);
    int64_t *out = arena_array(a, int64_t, w->rank);
    int bad = -1;
    for (int d = w->rank - 1; d >= 0; d--) {
        int64_t pad[2] = {pads[d], pads[d + w->rank]};
        out[d] = window_dim(w, d, node_auto_pad(n), node_int(n, "ceil_mode") != 0, pad);
        bad = out[d] < 0 ? d : bad;
        begin[d] = pad[0];
        end[d] = pad[1];
    }
    w->pad_begin = begin;
    w->pad_end = end;
    w->out = out;
    return bad;
}

/* Pads given beside auto_pad must be the ones it means (all zero counts as not given). */
static bool pads_agree(const struct window *w, const int64_t *pads, enum auto_pad mode) {
    bool given = false, equal = true;
    for (int d = 0; d < w->rank; d++) {
        given |= pads[d] != 0 || pads[d + w->rank] != 0;
        equal &= pads[d] == w->pad_begin[d] && pads[d + w->rank] == w->pad_end[d];
    }
    return mode == PAD_EXPLICIT || !given || equal;
}

bool infer_spatial(struct infer *in, const struct node *n, const int64_t *kernel) {
    const struct shape *x = node_shape(n, 0);
    for (int d = 2; d < x->rank; d++)
        if (kernel[d - 2] < 1 || kernel[d - 2] > MAX_PARAM)
            return infer_error(
                in, n,
                "the kernel has extent %lld in spatial dimension %d, expected at least 1",
                (long long)kernel[d - 2], d - 2);
    for (int d = 2; d < x->rank; d++)
        if (x->dims[d] > MAX_PARAM)
            return infer_error(
                in, n,
                "input '%s' has extent %lld in spatial dimension %d, at most %lld is possible",
                infer_operand_name(in, n, 0), (long long)x->dims[d], d - 2,
                (long long)MAX_PARAM);
    if (node_auto_pad(n) == PAD_UNKNOWN)
        return infer_error(
            in, n,
            "attribute 'auto_pad' is '%s', expected NOTSET, SAME_UPPER, SAME_LOWER or VALID",
            node_string(n, "auto_pad"));
    return true;
}

bool infer_window(struct infer *in, struct node *n, const int64_t *kernel, struct window *w) {
    const struct shape *x = node_shape(n, 0);
    int rank = x->rank - 2;
    const int64_t *pads = infer_list(in, n, "pads", 2 * rank, 0, 0);
    *w = (struct window){.rank = rank, .kernel = kernel, .in = x->dims + 2};
    w->stride = infer_list(in, n, "strides", rank, 1, 1);
    w->dilation = infer_list(in, n, "dilations", rank, 1, 1);
    if (!w->stride || !w->dilation || !pads)
        return false;
    if (!infer_spatial(in, n, kernel))
        return false;
    int bad = window_place(in->arena, n, pads, w);
    if (bad >= 0) {
        int64_t span = (kernel[bad] - 1) * w->dilation[bad] + 1;
        int64_t room = w->in[bad] + w->pad_begin[bad] + w->pad_end[bad];
        return infer_error(
            in, n,
            "the window spans %lld in spatial dimension %d, but the padded input has %lld",
            (long long)span, bad, (long long)room);
    }
    if (!pads_agree(w, pads, node_auto_pad(n)))
        return infer_error(in, n, "attribute 'pads' contradicts auto_pad=%s",
                           node_string(n, "auto_pad"));
    return true;
}

void node_window(struct arena *a, const struct node *n, const int64_t *kernel,
                 struct window *w) {
    const struct shape *x = node_shape(n, 0);
    int rank = x->rank - 2;
    *w = (struct window){.rank = rank, .kernel = kernel, .in = x->dims + 2};
    w->stride = node_list(a, n, "strides", rank, 1);
    w->dilation = node_list(a, n, "dilations", rank, 1);
    window_place(a, n, node_list(a, n, "pads", 2 * rank, 0), w);
}
