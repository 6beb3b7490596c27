/* Resize: separable sampling. Every resized dimension gets constant tables - which elements of
 * the operand an element of the result is made of, and with what weights - and one statement
 * sums over the taps of all dimensions. A nearest-neighbour enlargement by a whole factor needs
 * no table: its index is a division. Coordinates and weights: ONNX Resize-19; cubic: R. Keys,
 * "Cubic Convolution Interpolation", 1981, equation 4. */
#include "ir/build.h"
#include "ir/op.h"
#include "ir/shape.h"
#include <math.h>

#define MIN_SCALE 1e-4 // with antialias: bounds the taps per element

/* ---- extents ---- */

/* One dimension of the operand. */
struct resize_dim {
    int64_t in, out;
    double scale; // as given, or out / in
    double width; // in * scale: may be fractional
    double roi_begin, roi_end;
    bool resized; // false: copied through
};

static bool is_mode(const struct node *n, const char *attr, const char *value) {
    return strcmp(node_string(n, attr), value) == 0;
}

/* Element k of a float operand that is constant. */
static double float_element(const struct node *n, int operand, int64_t k) {
    return dtype_load(n->in[operand]->dtype, n->in[operand]->data, k).f;
}

/* The dimension that entry k of scales, sizes and roi speaks of; false after an error. */
static bool resize_axis(struct infer *in, const struct node *n, int k, int *d) {
    int len;
    const int64_t *axes = node_ints(n, "axes", &len);
    *d = k;
    return !axes || infer_axis(in, n, axes[k], node_shape(n, 0)->rank, d);
}

static int resize_entries(const struct node *n) {
    int len;
    return node_ints(n, "axes", &len) ? len : node_shape(n, 0)->rank;
}

static bool infer_resize_operand(struct infer *in, const struct node *n, int k, int entries) {
    if (!n->in[k]->data)
        return infer_error(in, n, "input '%s' is not a constant", infer_operand_name(in, n, k));
    if (value_elements(n->in[k]) != entries)
        return infer_error(in, n, "input '%s' has %lld entries, expected %d",
                           infer_operand_name(in, n, k), (long long)value_elements(n->in[k]),
                           entries);
    return true;
}

/* The one scale that keeps the aspect ratio; 0 when sizes are taken as they are. */
static double aspect_scale(struct infer *in, const struct node *n,
                           const struct resize_dim *dims, const int64_t *sizes) {
    bool larger = is_mode(n, "keep_aspect_ratio_policy", "not_larger");
    double best = 0;
    if (is_mode(n, "keep_aspect_ratio_policy", "stretch"))
        return 0;
    for (int k = 0; k < resize_entries(n); k++) {
        int d;
        if (!resize_axis(in, n, k, &d))
            return 0;
        double s = (double)sizes[k] / (double)dims[d].in;
        best = k == 0 || (larger ? s < best : s > best) ? s : best;
    }
    return best;
}

static bool resize_by_sizes(struct infer *in, const struct node *n, struct resize_dim *dims) {
    int len;
    const int64_t *sizes = value_ints(in->arena, n->in[3], &len);
    double aspect = aspect_scale(in, n, dims, sizes);
    for (int k = 0; k < len; k++) {
        int d;
        if (!resize_axis(in, n, k, &d))
            return false;
        struct resize_dim *r = &dims[d];
        r->out = aspect > 0 ? (int64_t)floor(aspect * (double)r->in + 0.5) : sizes[k];
        r->scale = aspect > 0 ? aspect : (double)r->out / (double)r->in;
        r->width = (double)r->out;
        if (sizes[k] < 0 || (r->in == 0 && sizes[k] > 0))
            return infer_error(in, n, "size %lld of dimension %d with extent %lld",
                               (long long)sizes[k], d, (long long)r->in);
    }
    return true;
}

static bool resize_by_scales(struct infer *in, const struct node *n, struct resize_dim *dims) {
    bool crop = is_mode(n, "coordinate_transformation_mode", "tf_crop_and_resize");
    for (int k = 0; k < resize_entries(n); k++) {
        int d;
        if (!resize_axis(in, n, k, &d))
            return false;
        struct resize_dim *r = &dims[d];
        r->scale = float_element(n, 2, k);
        r->width = (double)r->in * r->scale * (crop ? r->roi_end - r->roi_begin : 1);
        if (!(r->scale > 0) || !(r->width >= 0) || r->width > 1e15)
            return infer_error(in, n, "scale %g of dimension %d", r->scale, d);
        r->out = (int64_t)floor(r->width);
    }
    return true;
}

static bool resize_roi(struct infer *in, const struct node *n, struct resize_dim *dims) {
    int entries = resize_entries(n);
    if (!is_mode(n, "coordinate_transformation_mode", "tf_crop_and_resize"))
        return true;
    if (!node_has_in(n, 1))
        return infer_error(
            in, n, "coordinate_transformation_mode tf_crop_and_resize needs input 'roi'");
    if (!infer_resize_operand(in, n, 1, 2 * entries))
        return false;
    for (int k = 0; k < entries; k++) {
        int d;
        if (!resize_axis(in, n, k, &d))
            return false;
        dims[d].roi_begin = float_element(n, 1, k);
        dims[d].roi_end = float_element(n, 1, entries + k);
    }
    return true;
}

/* Fills one entry per dimension; false after an error. */
static bool resize_dims(struct infer *in, const struct node *n, struct resize_dim *dims) {
    const struct shape *x = node_shape(n, 0);
    bool by_sizes = node_has_in(n, 3) && value_elements(n->in[3]) > 0;
    bool by_scales = node_has_in(n, 2) && value_elements(n->in[2]) > 0;
    if (by_sizes == by_scales)
        return infer_error(in, n,
                           "exactly one of the inputs 'scales' and 'sizes' must be given");
    for (int d = 0; d < x->rank; d++)
        dims[d] =
            (struct resize_dim){x->dims[d], x->dims[d], 1, (double)x->dims[d], 0, 1, false};
    if (!infer_resize_operand(in, n, by_sizes ? 3 : 2, resize_entries(n)) ||
        !resize_roi(in, n, dims))
        return false;
    if (!(by_sizes ? resize_by_sizes(in, n, dims) : resize_by_scales(in, n, dims)))
        return false;
    for (int d = 0; d < x->rank; d++)
        if (node_int(n, "antialias") && dims[d].scale < MIN_SCALE)
            return infer_error(
                in, n, "scale %g of dimension %d, at least %g is supported with antialias",
                dims[d].scale, d, MIN_SCALE);
    for (int d = 0; d < x->rank; d++)
        dims[d].resized = dims[d].in != dims[d].out || dims[d].scale != 1 ||
                          dims[d].roi_begin != 0 || dims[d].roi_end != 1;
    return true;
}

static bool one_of(const struct node *n, const char *attr, const char *const *allowed) {
    while (*allowed && !is_mode(n, attr, *allowed))
        allowed++;
    return *allowed != NULL;
}

static bool infer_resize_modes(struct infer *in, const struct node *n) {
    static const char *const modes[] = {"nearest", "linear", "cubic", NULL};
    static const char *const rounds[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                         "ceil", NULL};
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller", NULL};
    static const char *const coordinates[] = {"half_pixel",
                                              "half_pixel_symmetric",
                                              "pytorch_half_pixel",
                                              "align_corners",
                                              "asymmetric",
                                              "tf_crop_and_resize",
                                              NULL};
    static const struct {
        const char *attr;
        const char *const *allowed;
    } checks[] = {{"mode", modes},
                  {"nearest_mode", rounds},
                  {"keep_aspect_ratio_policy", policies},
                  {"coordinate_transformation_mode", coordinates}};
    for (size_t k = 0; k < sizeof checks / sizeof *checks; k++)
        if (!one_of(n, checks[k].attr, checks[k].allowed))
            return infer_error(in, n, "%s '%s' is not supported", checks[k].attr,
                               node_string(n, checks[k].attr));
    if (!is_mode(n, "mode", "nearest") && !dtype_is_float(n->in[0]->dtype))
        return infer_error(in, n, "mode '%s' of %s is not supported", node_string(n, "mode"),
                           dtype_info(n->in[0]->dtype)->text);
    return true;
}

/* Sizes known at run time only are the declared extents: compared then. */
static bool infer_resize_sizes(struct infer *in, struct node *n) {
    const struct shape *declared = infer_declared(n, 0);
    bool stretch = is_mode(n, "keep_aspect_ratio_policy", "stretch");
    int entries = resize_entries(n);
    if (!node_has_in(n, 3) || n->in[3]->data || value_elements(n->in[3]) != entries)
        return true;
    if (!declared || declared->rank != node_shape(n, 0)->rank || !stretch)
        return infer_error(
            in, n,
            "input 'sizes' is not a constant and the shape of the result is not declared");
    int64_t *sizes = arena_array(in->arena, int64_t, entries);
    for (int k = 0; k < entries; k++) {
        int d;
        if (!resize_axis(in, n, k, &d))
            return false;
        sizes[k] = declared->dims[d];
    }
    infer_solve(in, n, 3, sizes, entries);
    return true;
}

static bool infer_resize(struct infer *in, struct node *n) {
    const struct shape *x = node_shape(n, 0);
    struct resize_dim *r = arena_array(in->arena, struct resize_dim, x->rank);
    int64_t *dims = arena_array(in->arena, int64_t, x->rank);
    if (!infer_resize_modes(in, n) || !infer_resize_sizes(in, n) || !resize_dims(in, n, r))
        return false;
    for (int d = 0; d < x->rank; d++)
        dims[d] = r[d].out;
    return infer_set(in, n, 0, n->in[0]->dtype, x->rank, dims);
}

/* ---- coordinates and weights ---- */

/* Position in the operand that position i of the result is taken from. */
static double original_position(const struct node *n, const struct resize_dim *r, double i) {
    double last = (double)r->in - 1, pixel = (i + 0.5) / r->scale - 0.5;
    if (is_mode(n, "coordinate_transformation_mode", "asymmetric"))
        return i / r->scale;
    if (is_mode(n, "coordinate_transformation_mode", "align_corners"))
        return r->width == 1 ? 0 : i * last / (r->width - 1);
    if (is_mode(n, "coordinate_transformation_mode", "pytorch_half_pixel"))
        return r->width == 1 ? -0.5 : pixel;
    if (is_mode(n, "coordinate_transformation_mode", "half_pixel_symmetric"))
        return (double)r->in / 2 * (1 - (double)r->out / r->width) + pixel;
    if (is_mode(n, "coordinate_transformation_mode", "half_pixel"))
        return pixel;
    double span = r->roi_end - r->roi_begin;
    return r->roi_begin * last +
           (r->out == 1 ? span * last / 2 : i * span * last / ((double)r->out - 1));
}

static double linear_weight(double x) {
    double w = 1 - fabs(x);
    return w > 0 ? w : 0;
}

static double cubic_weight(double x, double a) {
    x = fabs(x);
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

/* What one dimension reads: tap k of position i is element index[i*taps+k], clamped into the
 * operand, with weight[i*taps+k]. */
struct taps {
    int num;
    int64_t *index;
    float *weight;    // NULL: all 1
    uint8_t *outside; // tf_crop_and_resize: positions that take extrapolation_value; NULL when
                      // there is none
};

static int64_t clamp_index(int64_t i, int64_t n) {
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static int64_t nearest_index(const struct node *n, double x) {
    double low = floor(x), part = x - low;
    bool up = is_mode(n, "nearest_mode", "ceil")                ? part > 0
              : is_mode(n, "nearest_mode", "round_prefer_ceil") ? part >= 0.5
              : is_mode(n, "nearest_mode", "floor")             ? false
                                                                : part > 0.5;
    return (int64_t)low + up;
}

/* Weights of position x over taps first, first + 1, ...; normalised where they must be. w has
 * room for t->num. */
static void fill_weights(const struct node *n, const struct resize_dim *r, struct taps *t,
                         int64_t i, double x, double *w) {
    bool cubic = is_mode(n, "mode", "cubic");
    double shrink = node_int(n, "antialias") && r->scale < 1 ? r->scale : 1, sum = 0;
    int64_t first = (int64_t)floor(x) + 1 - t->num / 2;
    for (int k = 0; k < t->num; k++) {
        double at = ((double)(first + k) - x) * shrink;
        bool beyond = first + k < 0 || first + k >= r->in;
        w[k] = cubic ? cubic_weight(at, node_float(n, "cubic_coeff_a")) : linear_weight(at);
        w[k] = beyond && node_int(n, "exclude_outside") ? 0 : w[k];
        sum += w[k];
        t->index[i * t->num + k] = clamp_index(first + k, r->in);
    }
    bool normalise = (shrink < 1 || node_int(n, "exclude_outside")) && sum != 0;
    for (int k = 0; k < t->num; k++)
        t->weight[i * t->num + k] = (float)(normalise ? w[k] / sum : w[k]);
}

static struct taps make_taps(struct arena *a, const struct node *n,
                             const struct resize_dim *r) {
    struct taps t = {.num = 1};
    bool nearest = is_mode(n, "mode", "nearest"),
         crop = is_mode(n, "coordinate_transformation_mode", "tf_crop_and_resize");
    double reach = is_mode(n, "mode", "cubic") ? 2 : 1;
    double shrink = node_int(n, "antialias") && r->scale < 1 ? r->scale : 1;
    if (!nearest)
        t.num = 2 * (int)ceil(reach / shrink); // bounded by MIN_SCALE
    t.index = arena_array(a, int64_t, r->out * t.num);
    t.weight = nearest ? NULL : arena_array(a, float, r->out *t.num);
    double *w = arena_array(a, double, t.num);
    for (int64_t i = 0; i < r->out; i++) {
        double x = original_position(n, r, (double)i);
        if (crop && (x < 0 || x > (double)r->in - 1)) {
            t.outside = t.outside ? t.outside : arena_array(a, uint8_t, r->out);
            t.outside[i] = 1;
        }
        if (nearest)
            t.index[i] = clamp_index(nearest_index(n, x), r->in);
        else
            fill_weights(n, r, &t, i, x, w);
    }
    return t;
}

/* ---- the statement ---- */

/* The whole factor f with index[i] == i / f everywhere, or 0. */
static int64_t whole_factor(const struct taps *t, const struct resize_dim *r) {
    int64_t f = r->in > 0 ? r->out / r->in : 0;
    for (int64_t i = 0; f > 0 && i < r->out; i++)
        if (t->index[i] != i / f || t->num != 1)
            return 0;
    return f;
}

/* Index into the operand along dimension d; *weight is multiplied by the tap's weight. */
static const struct expr *tap_index(struct nest *s, const struct taps *t,
                                    const struct resize_dim *r, int d,
                                    const struct expr **weight) {
    struct lower *l = s->l;
    int64_t factor = whole_factor(t, r), dims[] = {r->out, t->num};
    if (factor > 0)
        return x_div(l, s->at[d], factor);
    const struct expr *at[] = {s->at[d],
                               t->num > 1 ? nest_reduce_iter(s, t->num) : x_int(l, 0)};
    const struct expr *index = x_load(l, l_const(l, DTYPE_I64, 2, dims, t->index), at);
    if (t->weight) {
        const struct expr *w =
            expr_cast(l->arena, (*weight)->dtype,
                      x_load(l, l_const(l, DTYPE_F32, 2, dims, t->weight), at));
        *weight = expr_2(l->arena, FUNC_MUL, *weight, w);
    }
    return x_clamp(l, index, 0, r->in - 1);
}

static const struct expr *outside_table(struct nest *s, const struct taps *t,
                                        const struct resize_dim *r, int d) {
    int64_t dims[] = {r->out};
    return x_load(s->l, l_const(s->l, DTYPE_BOOL, 1, dims, t->outside), &s->at[d]);
}

static void lower_resize(struct lower *l, const struct node *n) {
    struct infer in = {.arena = l->arena, .diag = l->diag};
    enum dtype type = n->out[0]->dtype;
    int rank = node_shape(n, 0)->rank;
    struct resize_dim *r = arena_array(l->arena, struct resize_dim, rank);
    if (!resize_dims(&in, n, r))
        bug("Resize: operands were checked by infer");
    struct nest *s = nest_over(l, l_out(l, 0));
    const struct expr **from = arena_array(l->arena, const struct expr *, rank);
    const struct expr *outside = expr_int(l->arena, DTYPE_BOOL, 0);
    bool weighted = dtype_is_float(type) && !is_mode(n, "mode", "nearest");
    const struct expr *weight = weighted ? expr_int(l->arena, type, 1) : NULL;
    for (int d = 0; d < rank; d++) {
        from[d] = s->at[d];
        if (!r[d].resized || r[d].out == 0)
            continue;
        struct taps t = make_taps(l->arena, n, &r[d]);
        from[d] = tap_index(s, &t, &r[d], d, &weight);
        if (t.outside)
            outside = expr_2(l->arena, FUNC_OR, outside, outside_table(s, &t, &r[d], d));
    }
    const struct expr *y = x_load(l, l_in(l, 0), from);
    if (weighted)
        y = nest_reduce(s, FUNC_ADD, expr_2(l->arena, FUNC_MUL, weight, y));
    const struct expr *extra = expr_cast(
        l->arena, type, expr_float(l->arena, DTYPE_F64, node_float(n, "extrapolation_value")));
    nest_store(s, l_out(l, 0), s->at, expr_3(l->arena, FUNC_SELECT, outside, extra, y));
}

// clang-format off
const struct op ops_resize[] = {
    {.name = "Resize", .domain = "", .since = 19, .signature = "X:T, roi:R?, scales:f32?, sizes:i64? -> Y:T",
     .types = "T=any R=float",
     .attrs = "antialias:int=0 axes:ints? coordinate_transformation_mode:string=half_pixel cubic_coeff_a:float=-0.75 "
              "exclude_outside:int=0 extrapolation_value:float=0.0 keep_aspect_ratio_policy:string=stretch "
              "mode:string=nearest nearest_mode:string=round_prefer_floor",
     .infer = infer_resize, .lower = lower_resize,
     .doc = "samples a tensor at another resolution", .tests = "test_resize_*"},
    {0},
};
// clang-format on
