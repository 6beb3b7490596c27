/* Loops that walk one run of memory, as one loop. Where every access to an array has iterators
 * p and q in two neighbouring dimensions, and q runs over all of its dimension, the two
 * dimensions are one, and so are the loops: Y[c, y, x] = max(X[c, y, x], 0) over 64 x 56 x 56
 * needs one loop of 200704, which vectors divide without a rest in every row, and a sum over
 * [y, x: 7, 7] one of 49. The outer of the two may start later or end earlier, X[c, y + 2, x].
 *
 * What is said of two dimensions is said of the loops that walk them, and so of all other
 * arrays that those walk: a set (Tarjan's union-find) of dimensions and loops, each with the
 * one inside it, become one together or stay. A set stays when some access or guard of it wants
 * more than the whole of its pairs. Dimensions of 1 are passed over.
 *
 * Statements that pass a temporary on may share the loops outside of its rows
 * (polyhedral/nest.c) or run in strips of them (polyhedral/strip.c), and then a few rows are
 * all that is stored of it. So the rows of such arrays grow up to a length only, as vectors are
 * filled; in portable C, which knows no strips, they grow by statements that reduce alone.
 *
 * Inputs and outputs keep their shapes, which the interface of the generated C states; their
 * accesses go through a view. The order of instances and of the steps of a reduction is that of
 * before: every bit is the same. */
#include "passes/fuse.h"
#include "passes/passes.h"

enum {
    ROW_ELEMENTS = 4096,  // of what stays in the first cache from one statement to the next
    STRIP_ELEMENTS = 1024 // when a statement reduces; beyond, arrays are worth cutting
};

/* A dimension or an iterator with its neighbour: do they become one? The root of a set answers
 * for all of it. */
struct joint {
    int up;      // towards the root; itself: it is the root
    bool walked; // some access has iterators at both
    bool stays;
};

/* An iterator of a statement or of its reduce. */
struct walk {
    const char *name;
    int64_t extent;    // -1: not constant
    int before, after; // joints with the iterators outside and inside of it
    int outer, inner;  // those iterators, of the statement's; -1: none so far
    bool flows;        // an array that is walked along it and the inner one is temporary
};

/* Extents of an array as it will be. */
struct extents {
    int rank;
    const struct expr **at; // [rank]
};

/* A statement with its iterators. */
struct walker {
    struct stmt *s;
    struct walk *walks; // [num]: own ones first
    int num;
    int along;  // the iterator along which it writes; -1: none of its own
    bool turns; // what it reads goes on along another
};

/* A subscript `iterator + offset`. */
struct place {
    int walk; // -1: something else
    int64_t offset;
};

struct collapse {
    struct loops *l;
    struct arena scratch;
    vec(struct joint) joints;
    int num;                 // of arrays, before there are views
    int *first;              // [num]: joint of dimension 0 with the next that is not 1
    struct extents *extents; // [num]
    int *become;             // [num]: the array that has its accesses
    vec(struct walker) walkers;
    struct walker none; // without iterators
    struct walker *at;  // being read or changed
    int loops, dims;    // that are gone
};

/* ---- sets of joints ---- */

static int new_joint(struct collapse *c) {
    int k = c->joints.len;
    vec_push(&c->scratch, &c->joints, (struct joint){.up = k});
    return k;
}

static struct joint *find(struct collapse *c, int k) {
    struct joint *all = c->joints.data;
    while (all[k].up != k)
        k = all[k].up = all[all[k].up].up;
    return &all[k];
}

static void stay(struct collapse *c, int k) {
    find(c, k)->stays = true;
}

static void tie(struct collapse *c, int a, int b) {
    struct joint *x = find(c, a), *y = find(c, b);
    x->walked = true;
    x->stays |= y->stays;
    y->up = x->up;
}

static bool joins(struct collapse *c, int k) {
    const struct joint *j = find(c, k);
    return j->walked && !j->stays;
}

/* ---- arrays ---- */

static const struct array *array_at(const struct collapse *c, int k) {
    return &c->l->arrays.data[k];
}

/* The next dimension from d on that is not 1; the rank when there is none. */
static int next_dim(const struct array *a, int d) {
    while (d < a->rank && expr_is_int(a->extent[d], 1))
        d++;
    return d;
}

/* Inputs and outputs get a view, which has constant extents; a layout names dimensions. */
static bool may_change(const struct array *a) {
    int64_t extent;
    bool all = true;
    for (int d = 0; d < a->rank; d++)
        all = all && expr_as_int(a->extent[d], &extent);
    return !a->layout_rank && (all || a->kind == ARRAY_TEMP);
}

static void keep_array(struct collapse *c, int k) {
    for (int d = 0; d < array_at(c, k)->rank; d++)
        stay(c, c->first[k] + d);
}

static void start_arrays(struct collapse *c) {
    c->num = c->l->arrays.len;
    c->first = arena_array(&c->scratch, int, c->num);
    c->extents = arena_array(&c->scratch, struct extents, c->num);
    c->become = arena_array(&c->scratch, int, c->num);
    for (int k = 0; k < c->num; k++) {
        c->first[k] = c->joints.len;
        for (int d = 0; d < array_at(c, k)->rank; d++)
            new_joint(c);
        if (!may_change(array_at(c, k)))
            keep_array(c, k);
    }
}

/* ---- what accesses say ---- */

/* The iterator of the statement at hand; -1: it has none of this name. */
static int walk_named(const struct collapse *c, const char *name) {
    for (int k = 0; k < c->at->num; k++)
        if (c->at->walks[k].name == name)
            return k;
    return -1;
}

static struct place place_of(const struct collapse *c, const struct expr *e) {
    struct place p = {.walk = -1};
    if (e->kind == EXPR_FUNC && e->func == FUNC_ADD && expr_as_int(e->arg[1], &p.offset))
        e = e->arg[0];
    if (e->kind == EXPR_VAR)
        p.walk = walk_named(c, e->name);
    return p;
}

/* May q become one with p around it? Own iterators have no order; a reduction's steps do. */
static bool may_follow(const struct collapse *c, int p, int q) {
    const struct walk *x = &c->at->walks[p], *y = &c->at->walks[q];
    int own = c->at->s->num_iters;
    bool free = (x->inner < 0 || x->inner == q) && (y->outer < 0 || y->outer == p);
    return free && p != q && (p < own ? q < own : q == p + 1);
}

/* Do the places walk dimension d of the array and the next one as one? */
static bool is_run(const struct collapse *c, const struct array *a, int d, struct place p,
                   struct place q) {
    int64_t outer, inner;
    if (p.walk < 0 || q.walk < 0 || !may_follow(c, p.walk, q.walk) || q.offset != 0 ||
        !expr_as_int(a->extent[d], &outer) ||
        !expr_as_int(a->extent[next_dim(a, d + 1)], &inner))
        return false;
    int64_t along = c->at->walks[p.walk].extent;
    return c->at->walks[q.walk].extent == inner && along >= 1 && p.offset >= 0 &&
           p.offset < outer && along <= outer - p.offset;
}

/* Dimension d of the array, where p walks, and the next one e, where q does. */
static void read_pair(struct collapse *c, int array, int d, struct place p, struct place q) {
    const struct array *a = array_at(c, array);
    int joint = c->first[array] + d;
    if (is_run(c, a, d, p, q)) {
        struct walk *x = &c->at->walks[p.walk], *y = &c->at->walks[q.walk];
        x->inner = q.walk;
        y->outer = p.walk;
        x->flows |= array_at(c, loops_root(c->l, array))->kind == ARRAY_TEMP;
        tie(c, joint, x->after);
        tie(c, joint, y->before);
        return;
    }
    stay(c, joint);
    if (p.walk >= 0)
        stay(c, c->at->walks[p.walk].after);
    if (q.walk >= 0)
        stay(c, c->at->walks[q.walk].before);
}

/* The iterator in the last dimension; -1: none. */
static int last_walk(const struct collapse *c, int array, const struct expr *const *index) {
    const struct array *a = array_at(c, array);
    int last = -1;
    for (int d = next_dim(a, 0); d < a->rank; d = next_dim(a, d + 1))
        last = place_of(c, index[d]).walk;
    return last;
}

static void read_expr(struct collapse *c, const struct expr *e);

static void read_access(struct collapse *c, int array, const struct expr *const *index) {
    const struct array *a = array_at(c, array);
    struct place last = {.walk = -1};
    int from = -1;
    for (int d = 0; d < a->rank; d++) {
        struct place p = place_of(c, index[d]);
        bool one = expr_is_int(a->extent[d], 1);
        if (one || p.walk < 0)
            read_expr(c, index[d]);
        if (one)
            continue;
        if (last.walk >= 0)
            c->at->turns |= last.walk == c->at->along;
        if (from >= 0)
            read_pair(c, array, from, last, p);
        else if (p.walk >= 0)
            stay(c, c->at->walks[p.walk].before);
        from = d;
        last = p;
    }
    if (last.walk >= 0)
        stay(c, c->at->walks[last.walk].after);
}

/* Loads are accesses; an iterator that stands anywhere else stays by itself. */
static void read_expr(struct collapse *c, const struct expr *e) {
    int walk = e->kind == EXPR_VAR ? walk_named(c, e->name) : -1;
    if (walk >= 0) {
        stay(c, c->at->walks[walk].before);
        stay(c, c->at->walks[walk].after);
    }
    if (e->kind == EXPR_LOAD) {
        read_access(c, e->array, e->arg);
        return;
    }
    for (int k = 0; k < e->n; k++)
        read_expr(c, e->arg[k]);
    for (int k = 0; k < e->num_iters; k++)
        read_expr(c, e->iters[k].extent);
}

/* ---- statements ---- */

static void read_compute(struct collapse *c, struct stmt *s) {
    struct inliner in = {.l = c->l, .scratch = &c->scratch};
    struct scope scope = scope_of(&in, s);
    struct walk *walks = arena_array(&c->scratch, struct walk, scope.own);
    struct walker w = {.s = s, .walks = walks, .num = scope.own};
    for (int k = 0; k < w.num; k++) {
        struct walk *x = &w.walks[k];
        *x = (struct walk){.name = scope.iters.data[k].name, .outer = -1, .inner = -1};
        x->before = new_joint(c);
        x->after = new_joint(c);
        if (!expr_as_int(scope.iters.data[k].extent, &x->extent))
            x->extent = -1;
    }
    c->at = &w;
    w.along = last_walk(c, s->array, s->index);
    read_access(c, s->array, s->index);
    read_expr(c, s->rhs);
    c->at = &c->none;
    vec_push(&c->scratch, &c->walkers, w);
}

static void read_list(struct collapse *c, const struct stmt_list *list) {
    for (struct stmt *s = list->first; s; s = s->next) {
        if (s->kind == STMT_COMPUTE)
            read_compute(c, s);
        else if (s->rhs)
            read_expr(c, s->rhs);
        for (int k = 0; k < s->num_reads; k++) // a routine may be told of dimensions
            keep_array(c, s->reads[k]);
        for (int k = 0; k < s->num_writes; k++)
            keep_array(c, s->writes[k]);
        read_list(c, &s->body);
        read_list(c, &s->orelse);
    }
}

/* ---- rows ---- */

/* Loops stay apart that would make the row of a temporary longer than `row` elements, or, in a
 * statement without a reduce, leave nothing outside of it. */
static void keep_rows(struct collapse *c, const struct walker *w, int64_t row) {
    int k = w->along, joined = 1, outermost = -1;
    int64_t length = k >= 0 ? w->walks[k].extent : 0;
    bool flows = false;
    while (k >= 0 && joins(c, w->walks[k].before)) {
        const struct walk *around = &w->walks[w->walks[k].outer];
        flows |= around->flows;
        if (!size_mul(length, around->extent, &length) || (flows && length > row)) {
            stay(c, w->walks[k].before);
            return;
        }
        outermost = w->walks[k].before;
        joined++;
        k = w->walks[k].outer;
    }
    if (flows && joined == w->num)
        stay(c, outermost);
}

/* Where rows become columns, all loops stay: short ones read and write what a cache holds. */
static void keep_loops(struct collapse *c, bool vectors) {
    for (int k = 0; k < c->walkers.len; k++) {
        const struct walker *w = &c->walkers.data[k];
        bool reduces = w->num > w->s->num_iters;
        for (int i = 0; i < w->num && w->turns && !reduces; i++)
            stay(c, w->walks[i].before);
        if (vectors)
            keep_rows(c, w, reduces ? STRIP_ELEMENTS : ROW_ELEMENTS);
        else if (!reduces)
            keep_rows(c, w, 0);
    }
}

/* ---- new shapes ---- */

/* Behind the last of the dimensions that become one with d. */
static int end_of_run(struct collapse *c, int array, int d) {
    const struct array *a = array_at(c, array);
    while (joins(c, c->first[array] + d))
        d = next_dim(a, d + 1);
    return d + 1;
}

/* Elements of dimensions first .. end-1, which are as many as some int64. */
static int64_t elements(const struct array *a, int first, int end) {
    int64_t n = 1, extent;
    for (int d = first; d < end; d++)
        if (!expr_as_int(a->extent[d], &extent) || !size_mul(n, extent, &n))
            bug("%s has dimensions %d to %d of no size", a->name, first, end - 1);
    return n;
}

static struct extents new_shape(struct collapse *c, int array) {
    const struct array *a = array_at(c, array);
    struct extents s = {0, arena_array(c->l->arena, const struct expr *, a->rank)};
    for (int d = 0, end; d < a->rank; d = end) {
        end = end_of_run(c, array, d);
        s.at[s.rank++] =
            end == d + 1 ? a->extent[d] : expr_index(c->l->arena, elements(a, d, end));
    }
    return s;
}

/* Which array has the accesses to k, whose shape is to be s: a view where k keeps its own. */
static int new_array(struct collapse *c, int k, const struct extents *s) {
    const struct array *a = array_at(c, k);
    int64_t *dims = arena_array(&c->scratch, int64_t, s->rank);
    if (s->rank == a->rank || (a->kind != ARRAY_INPUT && a->kind != ARRAY_OUTPUT))
        return k;
    for (int d = 0; d < s->rank; d++)
        dims[d] = loops_extent(c->l, s->at[d]);
    return loops_add_view(c->l, k, s->rank, dims);
}

static void add_arrays(struct collapse *c) {
    for (int k = 0; k < c->num; k++) {
        c->extents[k] = new_shape(c, k);
        c->dims += array_at(c, k)->rank - c->extents[k].rank;
        c->become[k] = new_array(c, k, &c->extents[k]);
    }
}

/* When nothing asks for the old shapes any more. */
static void set_shapes(struct collapse *c) {
    for (int k = 0; k < c->num; k++) {
        struct array *a = &c->l->arrays.data[k];
        if (c->become[k] != k)
            continue;
        a->rank = c->extents[k].rank;
        a->extent = c->extents[k].at;
    }
}

/* ---- statements over them ---- */

/* Subscripts of the array as it will be. */
static const struct expr *const *new_index(struct collapse *c, int array,
                                           const struct expr *const *index, int *rank) {
    const struct array *a = array_at(c, array);
    const struct expr **made = arena_array(c->l->arena, const struct expr *, a->rank);
    int n = 0;
    for (int d = 0, end; d < a->rank; d = end) {
        end = end_of_run(c, array, d);
        made[n] = index[d];
        if (index[d]->kind == EXPR_FUNC && end > d + 1) { // iterator + offset
            const struct expr *step = expr_index(c->l->arena, elements(a, d + 1, end));
            made[n] = expr_2(c->l->arena, FUNC_MUL, index[d]->arg[1], step);
            made[n] = expr_2(c->l->arena, FUNC_ADD, index[d]->arg[0], made[n]);
        }
        n++;
    }
    *rank = n;
    return made;
}

/* Iterators first .. of the statement at hand, those that are gone left out. */
static const struct iter *new_iters(struct collapse *c, int first, const struct iter *iters,
                                    int *num) {
    struct iter *made = arena_array(c->l->arena, struct iter, *num);
    int n = 0;
    for (int k = 0; k < *num; k++) {
        const struct walk *w = &c->at->walks[first + k];
        if (joins(c, w->before))
            continue;
        made[n] = iters[k];
        int64_t extent = w->extent;
        for (const struct walk *x = w; joins(c, x->after);) {
            x = &c->at->walks[x->inner];
            if (!size_mul(extent, x->extent, &extent))
                bug("%s: loops of no extent", c->at->s->name);
            made[n].extent = expr_index(c->l->arena, extent);
        }
        n++;
    }
    *num = n;
    return made;
}

static const struct expr *change_expr(void *user, const struct expr *e) {
    struct collapse *c = user;
    int n;
    if (e->kind == EXPR_LOAD) {
        const struct expr *const *index = new_index(c, e->array, e->arg, &n);
        bool same = n == e->n && c->become[e->array] == e->array;
        return same ? e : expr_load(c->l->arena, e->dtype, c->become[e->array], index, n);
    }
    if (e->kind != EXPR_REDUCE)
        return e;
    n = e->num_iters;
    const struct iter *iters = new_iters(c, walk_named(c, e->iters[0].name), e->iters, &n);
    return n == e->num_iters ? e
                             : expr_reduce(c->l->arena, e->func, e->dtype, iters, n, e->arg[0]);
}

static void change_stmt(struct collapse *c, struct walker *w) {
    struct stmt *s = w->s;
    int rank = array_at(c, s->array)->rank;
    const struct expr **index = arena_array(&c->scratch, const struct expr *, rank);
    c->at = w;
    for (int d = 0; d < rank; d++)
        index[d] = expr_map(c->l->arena, s->index[d], change_expr, c);
    s->rhs = expr_map(c->l->arena, s->rhs, change_expr, c);
    s->index = new_index(c, s->array, index, &rank);
    s->array = c->become[s->array];
    s->iters = new_iters(c, 0, s->iters, &s->num_iters);
    for (int k = 0; k < w->num; k++)
        c->loops += joins(c, w->walks[k].before);
}

/* Makes one loop of those that walk memory as one does, and one dimension of those they walk.
 * Requires loops that loops_check accepts; what it leaves computes the same bits. Cost: two
 * walks over the statements. */
bool pass_collapse(struct compile *c, struct loops *l) {
    struct collapse x = {.l = l};
    x.at = &x.none;
    start_arrays(&x);
    read_list(&x, &l->body);
    keep_loops(&x, c->target->vector_bytes > 0);
    add_arrays(&x);
    for (int k = 0; k < x.walkers.len; k++)
        change_stmt(&x, &x.walkers.data[k]);
    set_shapes(&x);
    struct loc loc = {.file = l->body.first ? l->body.first->loc.file : l->name};
    diag_remark(c->diag, REMARK_ANALYSIS, loc,
                "%d loop%s and %d dimension%s became one with those around them", x.loops,
                x.loops == 1 ? "" : "s", x.dims, x.dims == 1 ? "" : "s");
    arena_free(&x.scratch);
    return true;
}
