/* Old operator forms -> the newest: the rows of opset.def and their rewrites.
 *
 * A rewrite changes a draft in place. Types are not inferred yet, so where a new operand must
 * have the type of another one that is not known, the graph converts it (CastLike); constants
 * are folded later.
 *
 * Source: ONNX's Changelog.md, opsets 7 to 28. */
#include "frontend/model.h"
#include "ir/op.h"
#include <inttypes.h>

/* A draft being rewritten. */
struct upgrade {
    struct reader *r;
    struct graph *g;
    struct draft *d;
    int since; // the opset whose form is made
};

/* ---- drafts ---- */

__attribute__((format(printf, 2, 3))) static void fail(struct upgrade *u, const char *fmt,
                                                       ...) {
    va_list args;
    struct str text = {0};
    va_start(args, fmt);
    str_add_va(&text, fmt, args);
    va_end(args);
    diag_error(u->r->diag, u->d->loc, "%s: %s", u->d->op, str_cstr(&text));
    str_free(&text);
    u->d->failed = true;
}

/* Takes attribute `name` out of the draft; NULL when it is absent or, after an error, of
 * another kind. */
static const struct attr *take(struct upgrade *u, const char *name, enum attr_kind kind) {
    struct draft *d = u->d;
    for (int k = 0; k < d->num_attrs; k++) {
        if (strcmp(d->attrs[k].name, name) != 0)
            continue;
        struct attr *a = arena_copy(&u->r->scratch, &d->attrs[k], sizeof *a);
        d->num_attrs--;
        memmove(&d->attrs[k], &d->attrs[k + 1], (size_t)(d->num_attrs - k) * sizeof *a);
        if (a->kind == kind)
            return a;
        fail(u, "attribute '%s' has the wrong kind", name);
        return NULL;
    }
    return NULL;
}

static void put(struct upgrade *u, struct attr a) {
    struct draft *d = u->d;
    struct attr *attrs = arena_array(&u->r->scratch, struct attr, d->num_attrs + 1);
    if (d->num_attrs)
        memcpy(attrs, d->attrs, (size_t)d->num_attrs * sizeof *attrs);
    a.name = intern(u->r->names, a.name);
    attrs[d->num_attrs++] = a;
    d->attrs = attrs;
}

static void put_int(struct upgrade *u, const char *name, int64_t v) {
    put(u, (struct attr){.name = name, .kind = ATTR_INT, .i = v});
}

static void put_string(struct upgrade *u, const char *name, const char *v) {
    put(u, (struct attr){.name = name, .kind = ATTR_STRING, .s = intern(u->r->names, v)});
}

static struct value *operand(const struct upgrade *u, int k) {
    return k < u->d->num_in ? u->d->in[k] : NULL;
}

static void set_operand(struct upgrade *u, int k, struct value *v) {
    struct draft *d = u->d;
    if (k < d->num_in) {
        d->in[k] = v;
        return;
    }
    struct value **in = arena_array(&u->r->scratch, struct value *, k + 1);
    if (d->num_in)
        memcpy(in, d->in, (size_t)d->num_in * sizeof *in);
    in[k] = v;
    d->in = in;
    d->num_in = k + 1;
}

/* Makes v operand k, where the old form had none. */
static void add_operand(struct upgrade *u, int k, struct value *v) {
    if (k < u->d->num_in)
        fail(u, "has %d inputs, the form before opset %d has %d", u->d->num_in, u->since, k);
    else
        set_operand(u, k, v);
}

/* Attribute `name`, a list of integers, becomes operand k; false when the node has none. */
static bool ints_operand(struct upgrade *u, const char *name, int k) {
    const struct attr *a = take(u, name, ATTR_INTS);
    if (a)
        add_operand(u, k, graph_add_ints(u->g, a->ints, a->n));
    return a != NULL;
}

/* A float constant: rank 0, or of n elements. */
static struct value *add_floats(struct upgrade *u, const double *v, int rank, int n) {
    float *data = arena_array(u->g->arena, float, n);
    int64_t dims[1] = {n};
    for (int k = 0; k < n; k++)
        data[k] = (float)v[k];
    return graph_add_constant(u->g, NULL, DTYPE_F32, rank, dims, data);
}

static struct value *add_int(struct upgrade *u, int64_t v) {
    const void *data = arena_copy(u->g->arena, &v, sizeof v);
    return graph_add_constant(u->g, NULL, DTYPE_I64, 0, NULL, data);
}

/* A node of its own before the draft; its one result. */
static struct value *emit(struct upgrade *u, const char *name, struct value *a, struct value *b,
                          const struct attr *attr) {
    struct value *in[2] = {a, b}, *out = graph_add_value(u->g, NULL, DTYPE_NONE, -1, NULL);
    struct attr named = attr ? *attr : (struct attr){0};
    const struct op *op = op_find("", name);
    if (attr)
        named.name = intern(u->r->names, attr->name);
    if (op)
        node_add(u->r, u->g, op,
                 &(struct draft){.in = in,
                                 .num_in = b ? 2 : 1,
                                 .out = &out,
                                 .num_out = 1,
                                 .attrs = &named,
                                 .num_attrs = attr ? 1 : 0,
                                 .loc = u->d->loc});
    else
        fail(u, "the form before opset %d needs %s, which is not supported", u->since, name);
    return out;
}

static struct value *emit_int(struct upgrade *u, const char *name, struct value *a,
                              const char *attr, int64_t v) {
    return emit(u, name, a, NULL, &(struct attr){.name = attr, .kind = ATTR_INT, .i = v});
}

/* ---- element types before inference ---- */

/* The operand of n whose type variable result k has too; NULL: none, or *t is the result's
 * fixed type. */
static const struct value *typed_like(const struct node *n, int k, enum dtype *t) {
    struct op_param result, p;
    *t = DTYPE_NONE;
    if (!op_result(n->op, k, &result))
        return NULL;
    *t = dtype_from_text(result.type, (size_t)result.type_len);
    for (int j = 0; *t == DTYPE_NONE && j < n->num_in; j++)
        if (n->in[j] && op_operand(n->op, j, &p) && p.type_len == result.type_len &&
            memcmp(p.type, result.type, (size_t)p.type_len) == 0)
            return n->in[j];
    return NULL;
}

/* The type of v found before: DTYPE_NONE when nobody asked, UNKNOWABLE when it cannot be told.
 */
enum { UNKNOWABLE = DTYPE_COUNT };

static int *type_cell(struct reader *r, const struct value *v) {
    while (r->known_types.len <= v->id)
        vec_push(&r->scratch, &r->known_types, DTYPE_NONE);
    return &r->known_types.data[v->id];
}

/* The type of v as far as the rows of the nodes before it tell; DTYPE_NONE: not known. What is
 * found is kept, so that a long chain of nodes is walked once. */
static enum dtype known_type(struct reader *r, const struct value *v) {
    enum dtype fixed = DTYPE_NONE;
    int t = DTYPE_NONE;
    for (const struct value *at = v; at && t == DTYPE_NONE;) {
        t = at->dtype != DTYPE_NONE ? (int)at->dtype : *type_cell(r, at);
        if (t != DTYPE_NONE || !at->def)
            break;
        int k = 0;
        while (k < at->def->num_out && at->def->out[k] != at)
            k++;
        at = typed_like(at->def, k, &fixed);
        t = (int)fixed;
    }
    if (v)
        *type_cell(r, v) = t != DTYPE_NONE ? t : UNKNOWABLE;
    return t == UNKNOWABLE ? DTYPE_NONE : (enum dtype)t;
}

/* A scalar with the type of `like`. */
static struct value *add_like(struct upgrade *u, double v, struct value *like) {
    enum dtype t = known_type(u->r, like);
    if (t == DTYPE_F32 || t == DTYPE_NONE) {
        struct value *scalar = add_floats(u, &v, 0, 1);
        return t == DTYPE_F32 || !like ? scalar : emit(u, "CastLike", scalar, like, NULL);
    }
    void *data = arena_alloc(u->g->arena, sizeof(union scalar));
    dtype_store(t, data, 0, dtype_convert(t, DTYPE_F32, (union scalar){.f = v}));
    return graph_add_constant(u->g, NULL, t, 0, NULL, data);
}

/* Rank of v, from its shape or its declaration; -1: not known. */
static int known_rank(const struct value *v) {
    if (!v)
        return -1;
    return v->shape.rank >= 0 ? v->shape.rank : v->declared.rank;
}

/* ---- the rewrites, in the order of opset.def ---- */

static void rewrite_spatial(struct upgrade *u) {
    const struct attr *spatial = take(u, "spatial", ATTR_INT);
    if (spatial && spatial->i != 1)
        fail(u, "attribute 'spatial' = %" PRId64 " is not supported", spatial->i);
}

/* Before opset 14 a second result meant training. */
static void rewrite_inference(struct upgrade *u) {
    for (int k = 1; k < u->d->num_out; k++)
        if (u->d->out[k]) {
            fail(u, "training (results beside the first) is not supported");
            return;
        }
    u->d->num_out = u->d->num_out > 1 ? 1 : u->d->num_out;
}

/* Without bounds infinities pass; the old defaults, the largest finite values, would stop them.
 */
static void rewrite_clip_bounds(struct upgrade *u) {
    const struct attr *min = take(u, "min", ATTR_FLOAT), *max = take(u, "max", ATTR_FLOAT);
    struct value *like = operand(u, 0);
    if (min || max)
        add_operand(u, 1, min ? add_like(u, min->f, like) : NULL);
    if (max && !u->d->failed)
        add_operand(u, 2, add_like(u, max->f, like));
}

static void rewrite_dft_axis(struct upgrade *u) {
    const struct attr *axis = take(u, "axis", ATTR_INT);
    if (u->d->num_in < 2)
        set_operand(u, 1, NULL);
    add_operand(u, 2, add_int(u, axis ? axis->i : 1));
}

static void rewrite_drop_ratio(struct upgrade *u) {
    take(u, "ratio", ATTR_FLOAT);
}

static void rewrite_grid_modes(struct upgrade *u) {
    const struct attr *mode = take(u, "mode", ATTR_STRING);
    const char *now = mode ? mode->s : "linear";
    if (strcmp(now, "bilinear") == 0)
        now = "linear";
    else if (strcmp(now, "bicubic") == 0)
        now = "cubic";
    put_string(u, "mode", now);
}

/* Each of G scales stands for C / G channels: [G] -> [G,1] -> [G,C/G] -> [C], C read from the
 * operand's shape. */
static void rewrite_group_scales(struct upgrade *u) {
    int64_t groups = 0, one = 1, all = -1;
    for (int k = 0; k < u->d->num_attrs; k++)
        if (strcmp(u->d->attrs[k].name, "num_groups") == 0 && u->d->attrs[k].kind == ATTR_INT)
            groups = u->d->attrs[k].i;
    if (groups <= 0 || !operand(u, 0) || !operand(u, 1) || !operand(u, 2)) {
        fail(u, "needs three inputs and a positive attribute 'num_groups'");
        return;
    }
    struct value *count = graph_add_ints(u->g, &groups, 1),
                 *last = graph_add_ints(u->g, &one, 1);
    struct value *channels =
        emit(u, "Gather", emit(u, "Shape", operand(u, 0), NULL, NULL), last, NULL);
    const struct attr axis = {.name = "axis", .kind = ATTR_INT, .i = 0};
    struct value *shape =
        emit(u, "Concat", count, emit(u, "Div", channels, count, NULL), &axis);
    for (int k = 1; k <= 2; k++) {
        struct value *wide =
            emit(u, "Expand", emit(u, "Unsqueeze", operand(u, k), last, NULL), shape, NULL);
        set_operand(u, k, emit(u, "Reshape", wide, graph_add_ints(u->g, &all, 1), NULL));
    }
}

/* Softmax and its kin took all dimensions from `axis` on as one: Flatten, the operator on the
 * last axis, and back. Where axis is the last dimension both forms agree. */
static void rewrite_flat_axis(struct upgrade *u) {
    const struct attr *given = take(u, "axis", ATTR_INT);
    struct value *x = operand(u, 0);
    int64_t axis = given ? given->i : 1;
    int rank = known_rank(x);
    if (rank >= 0 && (axis < -rank || axis > rank)) {
        fail(u, "attribute 'axis' = %" PRId64 " is outside rank %d", axis, rank);
        return;
    }
    if (!x || axis == -1 || axis == rank - 1) {
        put_int(u, "axis", -1);
        return;
    }
    struct value *flat = emit_int(u, "Flatten", x, "axis", axis);
    struct value *y = emit_int(u, u->d->op, flat, "axis", -1);
    struct value *shape = emit(u, "Shape", x, NULL, NULL);
    u->d->op = "Reshape";
    u->d->num_attrs = 0;
    put_int(u, "allowzero", 1);
    set_operand(u, 0, y);
    set_operand(u, 1, shape);
}

static void rewrite_pad_operands(struct upgrade *u) {
    const struct attr *value = take(u, "value", ATTR_FLOAT);
    if (!ints_operand(u, "pads", 1) && !u->d->failed)
        fail(u, "attribute 'pads' is missing");
    else if (value && value->f != 0.0)
        add_operand(u, 2, add_like(u, value->f, operand(u, 0)));
}

static void rewrite_axes_operand(struct upgrade *u) {
    ints_operand(u, "axes", 1);
}

/* Opset 10 sampled at x / scale, nearest rounding down when it enlarges and up when it shrinks.
 */
static const char *old_nearest_mode(struct upgrade *u, const struct value *scales) {
    bool up = false, down = false;
    int64_t n =
        scales && scales->data && scales->dtype == DTYPE_F32 ? value_elements(scales) : 0;
    for (int64_t k = 0; k < n; k++) {
        double scale = dtype_load(DTYPE_F32, scales->data, k).f;
        up = up || scale > 1.0;
        down = down || scale < 1.0;
    }
    if (n == 0)
        fail(u, "mode 'nearest' before opset 11 needs constant scales");
    else if (up && down)
        fail(u, "mode 'nearest' before opset 11 that enlarges and shrinks is not supported");
    return down ? "ceil" : "floor";
}

/* Operands X, scales -> X, no roi, scales; coordinates as old forms had them. */
static void put_resize(struct upgrade *u, const char *nearest_mode) {
    struct value *scales = operand(u, 1);
    if (!scales || u->d->num_in != 2) {
        fail(u, "has %d inputs, the form before opset %d has 2", u->d->num_in, u->since);
        return;
    }
    set_operand(u, 1, NULL);
    set_operand(u, 2, scales);
    put_string(u, "coordinate_transformation_mode", "asymmetric");
    put_string(u, "nearest_mode", nearest_mode);
}

static void rewrite_resize_modes(struct upgrade *u) {
    bool nearest = true;
    for (int k = 0; k < u->d->num_attrs; k++)
        if (strcmp(u->d->attrs[k].name, "mode") == 0 && u->d->attrs[k].kind == ATTR_STRING)
            nearest = strcmp(u->d->attrs[k].s, "nearest") == 0;
    put_resize(u, nearest ? old_nearest_mode(u, operand(u, 1)) : "floor");
}

/* An operand without elements was how to leave it out. */
static void rewrite_resize_empty(struct upgrade *u) {
    for (int k = 1; k <= 2; k++) {
        const struct value *v = operand(u, k);
        if (v && v->data && value_elements(v) == 0)
            set_operand(u, k, NULL);
    }
}

static void rewrite_roi_coordinates(struct upgrade *u) {
    put_string(u, "coordinate_transformation_mode", "output_half_pixel");
}

static void rewrite_refuse(struct upgrade *u) {
    fail(u, "the form before opset %d is not supported", u->since);
}

static void rewrite_scatter_elements(struct upgrade *u) {
    u->d->op = "ScatterElements";
}

static void rewrite_slice_operands(struct upgrade *u) {
    if ((!ints_operand(u, "starts", 1) || !ints_operand(u, "ends", 2)) && !u->d->failed)
        fail(u, "attribute 'starts' or 'ends' is missing");
    else
        ints_operand(u, "axes", 3);
}

static void rewrite_split_operand(struct upgrade *u) {
    ints_operand(u, "split", 1);
}

static void rewrite_split_count(struct upgrade *u) {
    if (!operand(u, 1))
        put_int(u, "num_outputs", u->d->num_out);
}

static void rewrite_topk_operand(struct upgrade *u) {
    const struct attr *k = take(u, "k", ATTR_INT);
    if (k)
        add_operand(u, 1, graph_add_ints(u->g, &k->i, 1));
    else if (!u->d->failed)
        fail(u, "attribute 'k' is missing");
}

static void rewrite_upsample_scales(struct upgrade *u) {
    const struct attr *scales = take(u, "scales", ATTR_FLOATS);
    if (scales)
        add_operand(u, 1, add_floats(u, scales->floats, 1, scales->n));
    else if (!u->d->failed)
        fail(u, "attribute 'scales' is missing");
}

/* Straight to the form of opset 11: Upsample only enlarges. */
static void rewrite_upsample_resize(struct upgrade *u) {
    put_resize(u, "floor");
    u->d->op = "Resize";
    u->d->opset = 11;
}

/* ---- the table ---- */

static const struct row {
    const char *op;
    int since;
    void (*rewrite)(struct upgrade *u);
} rows[] = {
#define UPGRADE(op, since, rewrite, change) {#op, since, rewrite_##rewrite},
#define SAME(op, versions)
#include "frontend/opset.def"
};

/* The oldest row of the draft's operator that is newer than its form; NULL: it is of the newest
 * form. */
static const struct row *next_row(const struct draft *d) {
    const struct row *next = NULL;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (rows[k].since > d->opset && strcmp(rows[k].op, d->op) == 0 &&
            (!next || rows[k].since < next->since))
            next = &rows[k];
    return next;
}

void opset_upgrade(struct reader *r, struct graph *g, struct draft *d) {
    const struct row *row;
    while (!d->failed && (row = next_row(d))) {
        struct upgrade u = {r, g, d, row->since};
        d->opset = row->since;
        row->rewrite(&u);
    }
}
