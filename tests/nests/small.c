/* Builds the small program of a nest: its statements over fewer values (cut.h), then arrays
 * that hold just what those reach, then the text's order with what surrounds it: fillers before
 * and copies of results after the nest, each in a seq of one step, which no nest reaches over.
 */
#include "tests/nests/small.h"
#include "tests/nests/cut.h"

#include <math.h>
#include <stdio.h>

enum { MAX_EXACT = 64 }; // elements of constants that are kept as they are

/* A statement over its new iterators; arrays are still those of the program. */
struct body {
    const struct iter *iters;
    int num_iters;
    const struct expr *const *index;
    const struct expr *rhs; // NULL: of a filler
};

/* An array of the small program: what the nest reaches of an array of the program, or, inside a
 * repeat, of one step of it. */
struct piece {
    int array;
    int64_t *lo, *hi; // [rank]: elements reached
    bool *pinned;     // [rank]: told apart by lo; other pieces have other elements
    bool reached;     // some element is
    bool written;     // in the nest
    bool copied;      // a result that has elements nobody writes: its writers copy
    int small;
};

struct builder {
    struct cut cut;
    const struct loops *l; // the program
    struct loops *out;
    enum small_corner corner;
    struct body *bodies; // [members]
    vec(struct piece) pieces;
    bool *indexing; // [arrays]: constants that are read to find an index
    bool *outside;  // [arrays] of roots: read by other statements
};

/* ---- statements over fewer values ---- */

struct rename {
    struct builder *b;
    const struct cut_member *member;
};

/* A symbol, by its name here. */
static const struct expr *rename_symbol(void *user, const struct expr *e) {
    struct builder *b = user;
    return e->kind == EXPR_VAR
               ? expr_var(b->out->arena, e->dtype, intern(b->out->names, e->name))
               : e;
}

/* A step of the repeat that has this iterator; false: it is none. */
static bool find_step(const struct builder *b, const char *name, int64_t *step) {
    const struct small_nest *nest = b->cut.nest;
    for (int k = 0; k < nest->num_repeats; k++) {
        const struct iter *t = &nest->repeats[k]->iters[0];
        int64_t n;
        if (strcmp(t->name, name) != 0)
            continue;
        *step = b->corner == CORNER_HIGH && expr_as_int(t->extent, &n) && n > 0 ? n - 1 : 0;
        return true;
    }
    return false;
}

static struct iter new_iter(const struct rename *r, int v);

static const struct expr *rename_reduce(struct rename *r, const struct expr *e) {
    const struct cut *c = &r->b->cut;
    struct arena *a = r->b->out->arena;
    struct iter *iters = arena_array(a, struct iter, e->num_iters);
    for (int k = 0; k < e->num_iters; k++)
        iters[k] = new_iter(r, cut_find(c, r->member, e->iters[k].name));
    return expr_reduce(a, e->func, e->dtype, iters, e->num_iters, e->arg[0]);
}

static const struct expr *rename_node(void *user, const struct expr *e) {
    struct rename *r = user;
    struct arena *a = r->b->out->arena;
    int64_t step;
    if (e->kind == EXPR_REDUCE)
        return rename_reduce(r, e);
    if (e->kind != EXPR_VAR)
        return e;
    int v = cut_find(&r->b->cut, r->member, e->name);
    if (v < 0)
        return find_step(r->b, e->name, &step) ? expr_index(a, step) : rename_symbol(r->b, e);
    const struct cut_var *var = &r->b->cut.vars.data[v];
    return expr_2(a, FUNC_ADD, expr_var(a, DTYPE_INDEX, var->fresh), expr_index(a, var->base));
}

static const struct expr *renamed(const struct rename *r, const struct expr *e) {
    struct rename copy = *r;
    return expr_map(r->b->out->arena, e, rename_node, &copy);
}

static struct iter new_iter(const struct rename *r, int v) {
    const struct cut_var *var = &r->b->cut.vars.data[v];
    return (struct iter){var->fresh, var->full < 0 ? renamed(r, var->extent)
                                                   : expr_index(r->b->out->arena, var->count)};
}

static void build_bodies(struct builder *b) {
    struct cut *c = &b->cut;
    b->bodies = arena_array(&c->arena, struct body, c->members.len);
    for (int k = 0; k < c->members.len; k++) {
        const struct cut_member *m = &c->members.data[k];
        const struct rename r = {b, m};
        int rank = b->l->arrays.data[m->stmt->array].rank;
        struct iter *iters = arena_array(b->out->arena, struct iter, m->own);
        const struct expr **index = arena_array(b->out->arena, const struct expr *, rank);
        for (int i = 0; i < m->own; i++)
            iters[i] = new_iter(&r, m->first + i);
        for (int d = 0; d < rank; d++)
            index[d] = renamed(&r, m->stmt->index[d]);
        b->bodies[k] = (struct body){iters, m->own, index, NULL};
        if (!m->filler)
            b->bodies[k].rhs = renamed(&r, m->stmt->rhs);
    }
}

/* ---- what is reached ---- */

struct reach {
    struct builder *b;
    const struct cut_member *member;
};

/* Values of a new variable or symbol. */
static bool range_of(void *user, const char *name, int64_t *lo, int64_t *hi) {
    const struct reach *x = user;
    const struct cut *c = &x->b->cut;
    *lo = 0;
    for (int v = x->member->first; v < x->member->first + x->member->num; v++) {
        const struct cut_var *var = &c->vars.data[v];
        if (var->fresh != name)
            continue;
        *hi = (var->full >= 0 ? var->count : loops_extent(x->b->l, var->extent)) - 1;
        return var->full >= 0 || *hi >= 0;
    }
    for (int k = 0; k < x->b->l->symbols.len; k++)
        if (strcmp(x->b->l->symbols.data[k].name, name) == 0) {
            *hi = x->b->l->symbols.data[k].max;
            return true;
        }
    return false;
}

/* Inside a repeat, dimensions that have one constant in every access tell pieces apart. */
static bool is_pinned(const struct builder *b, int array, int d) {
    const struct small_nest *nest = b->cut.nest;
    bool pinned = nest->num_repeats > 0 && !b->cut.whole[loops_root(b->l, array)];
    for (int k = 0; k < b->cut.accesses.len && pinned; k++) {
        const struct cut_access *a = &b->cut.accesses.data[k];
        const struct rename r = {(struct builder *)(uintptr_t)b,
                                 &b->cut.members.data[a->member]};
        int64_t value;
        if (a->array == array)
            pinned = expr_as_int(renamed(&r, a->index[d]), &value);
    }
    return pinned;
}

/* The piece that array[index…] is of: a new one if need be. */
static struct piece *find_piece(struct builder *b, int array, const struct expr *const *index) {
    int rank = b->l->arrays.data[array].rank;
    for (int k = 0; k < b->pieces.len; k++) {
        struct piece *p = &b->pieces.data[k];
        bool same = p->array == array;
        for (int d = 0; d < rank && same; d++)
            same = !p->pinned[d] || expr_is_int(index[d], p->lo[d]);
        if (same)
            return p;
    }
    struct arena *a = &b->cut.arena;
    struct piece p = {.array = array, .lo = arena_array(a, int64_t, rank)};
    p.hi = arena_array(a, int64_t, rank);
    p.pinned = arena_array(a, bool, rank);
    for (int d = 0; d < rank; d++)
        if ((p.pinned[d] = is_pinned(b, array, d)) && expr_as_int(index[d], &p.lo[d]))
            p.hi[d] = p.lo[d];
    vec_push(a, &b->pieces, p);
    return &b->pieces.data[b->pieces.len - 1];
}

/* May the elements of dimension d that a piece holds be other than the array's? */
static bool is_cut(const struct builder *b, int array, int d) {
    const struct array *a = &b->l->arrays.data[array];
    int64_t extent;
    bool laid_out = a->kind == ARRAY_CONST && a->layout_rank; // others: by the schedule
    return expr_as_int(a->extent[d], &extent) && !laid_out &&
           !b->cut.whole[loops_root(b->l, array)];
}

/* Adds the elements of an access that lie in the array: the others are guarded. */
static void reach(struct reach *x, struct piece *p, const struct expr *const *index) {
    const struct builder *b = x->b;
    const struct array *a = &b->l->arrays.data[p->array];
    bool any = true;
    int64_t *lo = arena_array(&x->b->cut.arena, int64_t, a->rank);
    int64_t *hi = arena_array(&x->b->cut.arena, int64_t, a->rank);
    for (int d = 0; d < a->rank && any; d++) {
        int64_t last = loops_extent(b->l, a->extent[d]) - 1;
        if (!is_cut(b, p->array, d) || !expr_range(index[d], range_of, x, &lo[d], &hi[d])) {
            lo[d] = 0;
            hi[d] = last;
        }
        lo[d] = lo[d] < 0 ? 0 : lo[d];
        hi[d] = hi[d] > last ? last : hi[d];
        any = lo[d] <= hi[d];
    }
    for (int d = 0; d < a->rank && any; d++) {
        p->lo[d] = p->reached && p->lo[d] < lo[d] ? p->lo[d] : lo[d];
        p->hi[d] = p->reached && p->hi[d] > hi[d] ? p->hi[d] : hi[d];
    }
    p->reached |= any;
}

static void mark_indexing(void *user, const struct expr *e) {
    struct builder *b = user;
    if (e->kind == EXPR_LOAD)
        b->indexing[loops_root(b->l, e->array)] = true;
}

static void reach_load(void *user, const struct expr *e) {
    struct reach *x = user;
    if (e->kind == EXPR_FUNC && e->dtype == DTYPE_INDEX && e->n == 3 &&
        e->arg[0]->dtype != DTYPE_INDEX)
        expr_walk(e->arg[0], mark_indexing, x->b);
    if (e->kind != EXPR_LOAD)
        return;
    struct piece *p = find_piece(x->b, e->array, e->arg);
    reach(x, p, e->arg);
}

static void find_pieces(struct builder *b) {
    b->indexing = arena_array(&b->cut.arena, bool, b->l->arrays.len);
    for (int k = 0; k < b->cut.members.len; k++) {
        const struct cut_member *m = &b->cut.members.data[k];
        struct reach x = {b, m};
        if (b->bodies[k].rhs)
            expr_walk(b->bodies[k].rhs, reach_load, &x);
        struct piece *p = find_piece(b, m->stmt->array, b->bodies[k].index);
        p->written = true;
        reach(&x, p, b->bodies[k].index);
    }
}

/* ---- who else reads ---- */

static void mark_outside(void *user, const struct expr *e) {
    struct builder *b = user;
    if (e->kind == EXPR_LOAD)
        b->outside[loops_root(b->l, e->array)] = true;
}

static void look_outside(struct builder *b, const struct stmt_list *list) {
    for (const struct stmt *s = list->first; s; s = s->next) {
        bool member = false;
        for (int k = 0; k < b->cut.nest->num; k++)
            member |= b->cut.nest->stmts[k] == s;
        if (s->rhs && !member)
            expr_walk(s->rhs, mark_outside, b);
        for (int k = 0; k < s->num_reads; k++)
            b->outside[loops_root(b->l, s->reads[k])] = true;
        look_outside(b, &s->body);
        look_outside(b, &s->orelse);
    }
}

/* Is it wanted after the nest? The next step of a repeat may read what this one has read. */
static bool is_result(const struct builder *b, const struct piece *p) {
    int root = loops_root(b->l, p->array);
    return p->written && (b->outside[root] || b->cut.nest->num_repeats > 0 ||
                          !b->cut.inside[root] || b->l->arrays.data[root].kind == ARRAY_OUTPUT);
}

/* ---- are results complete? ---- */

/* Does the index have a loop of its own, one element after the other, in each dimension that is
 * not constant? Then its box is what the piece holds. */
static bool is_box(const struct builder *b, const struct piece *p, const struct body *s) {
    const struct array *a = &b->l->arrays.data[p->array];
    bool box = true;
    for (int d = 0; d < a->rank && box; d++) {
        const struct expr *e = s->index[d];
        bool moved = e->kind == EXPR_FUNC && e->func == FUNC_ADD && is_cut(b, p->array, d) &&
                     e->arg[1]->kind == EXPR_CONST;
        e = moved ? e->arg[0] : e;
        box = e->kind == EXPR_CONST ? is_cut(b, p->array, d) : e->kind == EXPR_VAR;
        for (int k = 0; k < s->num_iters && box && !is_cut(b, p->array, d); k++)
            if (s->iters[k].name == e->name)
                box = expr_equal(s->iters[k].extent, a->extent[d]);
        for (int f = 0; f < d && box && e->kind == EXPR_VAR; f++)
            box = !expr_equal(s->index[f], s->index[d]);
    }
    return box;
}

static void find_copied(struct builder *b) {
    for (int i = 0; i < b->pieces.len; i++) {
        struct piece *p = &b->pieces.data[i];
        int writers = 0;
        for (int k = 0; k < b->cut.members.len; k++) {
            const struct body *s = &b->bodies[k];
            if (find_piece(b, b->cut.members.data[k].stmt->array, s->index) != p)
                continue;
            writers++;
            p->copied |= is_result(b, p) && !is_box(b, p, s);
        }
        p->copied |= is_result(b, p) && writers > 1;
        p->copied |= is_result(b, p) && b->cut.whole[loops_root(b->l, p->array)];
    }
}

/* ---- arrays ---- */

static int64_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static union scalar random_scalar(enum dtype t, uint32_t *state) {
    int64_t r = next_random(state) % 2001;
    union scalar v = {.i = t == DTYPE_BOOL ? r % 2 : r % 256 - 128};
    if (dtype_is_float(t))
        v.f = (double)(r - 500) / 500.0;
    return v;
}

/* Where element k of a piece of these dimensions lies in its array, row-major. */
static int64_t place_of(const struct builder *b, const struct piece *p, const int64_t *dims,
                        int64_t k) {
    const struct array *a = &b->l->arrays.data[p->array];
    int64_t at = 0, stride = 1;
    for (int d = a->rank - 1; d >= 0; d--) {
        at += (p->lo[d] + k % dims[d]) * stride;
        stride *= loops_extent(b->l, a->extent[d]);
        k /= dims[d];
    }
    return at;
}

/* The bytes of a piece of a constant with n elements. Equal shapes get equal numbers, whatever
 * they are in the model, but for those that say where to read, that are few, or not finite. */
static const void *cut_bytes(const struct builder *b, const struct piece *p,
                             const int64_t *dims, int64_t n, int64_t *bytes) {
    int root = loops_root(b->l, p->array);
    const struct array *a = &b->l->arrays.data[root];
    bool keep = b->indexing[root] || n <= (dtype_is_float(a->dtype) ? 1 : MAX_EXACT);
    uint32_t state = 7;
    if (!dtype_bytes(a->dtype, n, bytes))
        bug("a constant of %lld elements", (long long)n);
    void *data = arena_alloc(b->out->arena, (size_t)*bytes);
    for (int64_t k = 0; k < n; k++) {
        union scalar v = dtype_load(a->dtype, a->data, place_of(b, p, dims, k));
        keep |= dtype_is_float(a->dtype) && !isfinite(v.f);
        dtype_store(a->dtype, data, k, v);
    }
    for (int64_t k = 0; k < n && !keep; k++)
        dtype_store(a->dtype, data, k, random_scalar(a->dtype, &state));
    return data;
}

static const char *tensor_name(struct builder *b, enum array_kind kind) {
    static const char *const words[] = {[ARRAY_INPUT] = "input", [ARRAY_OUTPUT] = "output"};
    if (kind != ARRAY_INPUT && kind != ARRAY_OUTPUT)
        return NULL;
    return arena_printf(&b->cut.arena, "%s%d", words[kind], b->out->arrays.len);
}

/* Extents of a piece: what is reached, at least one element of each dimension. */
static const struct expr *const *piece_extent(struct builder *b, const struct piece *p,
                                              int64_t *dims) {
    const struct array *a = &b->l->arrays.data[p->array];
    const struct expr **extent = arena_array(b->out->arena, const struct expr *, a->rank);
    for (int d = 0; d < a->rank; d++) {
        bool cut = is_cut(b, p->array, d);
        dims[d] = cut ? p->hi[d] - p->lo[d] + 1 : loops_extent(b->l, a->extent[d]);
        extent[d] = cut ? expr_index(b->out->arena, dims[d])
                        : expr_map(b->out->arena, a->extent[d], rename_symbol, b);
    }
    return extent;
}

static enum array_kind piece_kind(const struct builder *b, const struct piece *p) {
    if (b->l->arrays.data[loops_root(b->l, p->array)].kind == ARRAY_CONST)
        return ARRAY_CONST;
    if (b->cut.whole[loops_root(b->l, p->array)])
        return ARRAY_TEMP;
    if (!p->written)
        return ARRAY_INPUT;
    return is_result(b, p) && !p->copied ? ARRAY_OUTPUT : ARRAY_TEMP;
}

static void add_array(struct builder *b, struct piece *p) {
    const struct array *a = &b->l->arrays.data[p->array];
    int64_t *dims = arena_array(&b->cut.arena, int64_t, a->rank);
    enum array_kind kind = piece_kind(b, p);
    const struct expr *const *extent = piece_extent(b, p, dims);
    p->small = loops_add_array(b->out, kind, a->dtype, a->rank, extent, tensor_name(b, kind));
    struct array *mine = &b->out->arrays.data[p->small];
    if (kind != ARRAY_CONST)
        return;
    mine->layout = a->layout;
    mine->layout_rank = a->layout_rank;
    mine->data = a->data;
    mine->bytes = a->bytes;
    if (!a->layout_rank)
        mine->data = cut_bytes(b, p, dims, loops_elements(b->out, p->small), &mine->bytes);
}

/* Arrays that are known by several shapes stay views of one of them. */
static void add_view(struct builder *b, struct piece *p) {
    int root = loops_root(b->l, p->array);
    for (int k = 0; k < b->pieces.len; k++) {
        const struct piece *first = &b->pieces.data[k];
        if (first >= p || loops_root(b->l, first->array) != root)
            continue;
        struct array *mine = &b->out->arrays.data[p->small];
        mine->kind = ARRAY_VIEW;
        mine->view_of = loops_root(b->out, first->small);
        mine->onnx_name = NULL;
        return;
    }
}

static void add_arrays(struct builder *b) {
    const struct loops *l = b->l;
    for (int k = 0; k < l->symbols.len; k++) {
        struct symbol s = l->symbols.data[k];
        s.name = intern(b->out->names, s.name);
        s.max = s.max < CUT_SYMBOL ? s.max : CUT_SYMBOL;
        vec_push(b->out->arena, &b->out->symbols, s);
    }
    for (int k = 0; k < b->pieces.len; k++) {
        struct piece *p = &b->pieces.data[k];
        add_array(b, p);
        if (b->cut.whole[loops_root(l, p->array)])
            add_view(b, p);
    }
}

/* ---- the text ---- */

/* array[index…] in terms of its piece. */
static const struct expr *const *moved_index(struct builder *b, int array,
                                             const struct expr *const *index, int *small) {
    struct arena *a = b->out->arena;
    const struct piece *p = find_piece(b, array, index);
    int rank = b->l->arrays.data[array].rank;
    const struct expr **out = arena_array(a, const struct expr *, rank);
    for (int d = 0; d < rank; d++)
        out[d] = is_cut(b, array, d) ? expr_2(a, FUNC_SUB, index[d], expr_index(a, p->lo[d]))
                                     : index[d];
    *small = p->small;
    return out;
}

static const struct expr *move_load(void *user, const struct expr *e) {
    struct builder *b = user;
    int small;
    if (e->kind != EXPR_LOAD)
        return e;
    const struct expr *const *index = moved_index(b, e->array, e->arg, &small);
    return expr_load(b->out->arena, e->dtype, small, index, e->n);
}

static struct stmt *add_stmt(struct builder *b, struct stmt_list *list, const struct body *s) {
    struct stmt *out = loops_add_stmt(b->out, list, STMT_COMPUTE, (struct loc){0});
    out->iters = s->iters;
    out->num_iters = s->num_iters;
    return out;
}

/* A new array with one element for each instance of a statement. */
static int add_instances(struct builder *b, const struct body *s, enum array_kind kind,
                         enum dtype t) {
    const struct expr **extent = arena_array(b->out->arena, const struct expr *, s->num_iters);
    for (int k = 0; k < s->num_iters; k++)
        extent[k] = s->iters[k].extent;
    return loops_add_array(b->out, kind, t, s->num_iters, extent, tensor_name(b, kind));
}

static const struct expr *const *iterators(struct builder *b, const struct body *s) {
    struct arena *a = b->out->arena;
    const struct expr **vars = arena_array(a, const struct expr *, s->num_iters);
    for (int k = 0; k < s->num_iters; k++)
        vars[k] = expr_var(a, DTYPE_INDEX, s->iters[k].name);
    return vars;
}

/* A seq of one step. */
static struct stmt_list *add_step(struct builder *b) {
    struct stmt *s = loops_add_stmt(b->out, &b->out->body, STMT_SEQ, (struct loc){0});
    struct iter *t = arena_new(b->out->arena, struct iter);
    *t = (struct iter){intern(b->out->names, "t"), expr_index(b->out->arena, 1)};
    s->iters = t;
    s->num_iters = 1;
    return &s->body;
}

static void add_member(struct builder *b, struct stmt_list *list, int k) {
    const struct cut_member *m = &b->cut.members.data[k];
    const struct body *s = &b->bodies[k];
    enum dtype t = b->l->arrays.data[m->stmt->array].dtype;
    struct stmt *out = add_stmt(b, list, s);
    out->index = moved_index(b, m->stmt->array, s->index, &out->array);
    if (!m->filler)
        out->rhs = expr_map(b->out->arena, s->rhs, move_load, b);
    else
        out->rhs = expr_load(b->out->arena, t, add_instances(b, s, ARRAY_INPUT, t),
                             iterators(b, s), s->num_iters);
}

/* What member k wrote, as a result. */
static void add_copy(struct builder *b, struct stmt_list *list, int k) {
    const struct cut_member *m = &b->cut.members.data[k];
    const struct body *s = &b->bodies[k];
    const struct array *a = &b->l->arrays.data[m->stmt->array];
    int from;
    const struct expr *const *index = moved_index(b, m->stmt->array, s->index, &from);
    struct stmt *out = add_stmt(b, list, s);
    out->array = add_instances(b, s, ARRAY_OUTPUT, a->dtype);
    out->index = iterators(b, s);
    out->rhs = expr_load(b->out->arena, a->dtype, from, index, a->rank);
}

static void add_text(struct builder *b) {
    struct stmt_list *before = NULL, *after = NULL;
    const struct cut *c = &b->cut;
    for (int k = 0; k < c->members.len; k++) {
        bool filler = c->members.data[k].filler;
        before = filler && !before ? add_step(b) : before;
        add_member(b, filler ? before : &b->out->body, k);
    }
    for (int k = 0; k < c->members.len; k++) {
        int array = c->members.data[k].stmt->array;
        if (c->members.data[k].filler || !find_piece(b, array, b->bodies[k].index)->copied)
            continue;
        after = after ? after : add_step(b);
        add_copy(b, after, k);
    }
}

struct loops *small_build(const struct small_nest *nest, enum small_corner corner,
                          struct intern *names, int64_t *steps) {
    struct builder b = {.l = nest->loops, .corner = corner};
    b.out = loops_new(names, "nest");
    cut_choose(&b.cut, nest, corner, names);
    build_bodies(&b);
    find_pieces(&b);
    b.outside = arena_array(&b.cut.arena, bool, b.l->arrays.len);
    look_outside(&b, &b.l->body);
    find_copied(&b);
    add_arrays(&b);
    add_text(&b);
    if (steps)
        *steps = b.cut.steps;
    arena_free(&b.cut.arena);
    return b.out;
}

/* ---- the statements of a nest ---- */

struct finder {
    struct arena *arena;
    const char *name;
    size_t len;
    const struct stmt *found;
    vec(const struct stmt *) repeats;
    bool branched;
};

static void find_stmt(struct finder *f, const struct stmt_list *list) {
    for (const struct stmt *s = list->first; s && !f->found; s = s->next) {
        bool repeat = s->kind == STMT_SEQ || s->kind == STMT_WHILE, around = f->branched;
        if (s->kind == STMT_COMPUTE && strlen(s->name) == f->len &&
            strncmp(s->name, f->name, f->len) == 0) {
            f->found = s;
            return;
        }
        f->branched |= s->kind == STMT_IF;
        if (repeat)
            vec_push(f->arena, &f->repeats, s);
        find_stmt(f, &s->body);
        find_stmt(f, &s->orelse);
        if (!f->found) {
            f->repeats.len -= repeat;
            f->branched = around;
        }
    }
}

/* Statements in the order of the text: ast_from_poly names them by first instance. */
static void sort(const struct stmt **stmts, int num) {
    for (int k = 1; k < num; k++)
        for (int i = k; i > 0; i--) {
            const struct stmt *later = stmts[i - 1]->next;
            while (later && later != stmts[i])
                later = later->next;
            if (later)
                break;
            const struct stmt *s = stmts[i];
            stmts[i] = stmts[i - 1];
            stmts[i - 1] = s;
        }
}

bool small_find(const struct loops *l, const struct ast_node *nest, struct arena *arena,
                struct small_nest *out) {
    vec(const struct stmt *) stmts = {0};
    struct finder f = {.arena = arena};
    bool several = !strchr(nest->name, '[');
    for (const char *p = nest->name; *p;) {
        f = (struct finder){.arena = arena, .name = p, .len = strcspn(p, several ? "," : "[")};
        find_stmt(&f, &l->body);
        if (!f.found)
            return false;
        vec_push(arena, &stmts, f.found);
        p += several ? f.len : strlen(p);
        p += strspn(p, ", ");
    }
    sort(stmts.data, stmts.len);
    *out = (struct small_nest){l,         stmts.data, stmts.len, f.repeats.data, f.repeats.len,
                               f.branched};
    return stmts.len > 0;
}
