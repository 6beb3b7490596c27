/* Fusion of statements: what a statement computes goes into the statements that read it, and
 * the array between them is gone. It is substitution, so every value is computed by the same
 * operations in the same order as before and results are equal bit by bit; the schedule is not
 * concerned.
 *
 *   into readers   a statement without reduce replaces the loads of what it wrote, in every
 *                  reader: moved elements always, arithmetic where it is not done more often
 *   into writers   a statement that visits each element of an array once, as its only reader,
 *                  becomes the end of the statements that wrote it: bias, activation, residual,
 *                  requantisation after a contraction, a copy to the final place
 *   apart          a reduction of which every reader sees one part becomes a statement for each
 *
 * One walk forward over the statements, each as long as something can be done about the array
 * it writes; repeated until nothing changes. */
#include "passes/fuse.h"
#include "passes/passes.h"

enum {
    MAX_ROUNDS = 4,
    CHEAP_OPERATIONS = 4, // may be done twice instead of storing the result
    MUCH_ARITHMETIC = 6,  // operations
    MAX_NODE_NAME = 120,  // characters of the names of all nodes in a statement
};

/* A statement that computes. */
struct unit {
    struct stmt *s;
    struct stmt_list *list;
    int pos;             // in the text; what moved has that of the statement it moved to
    bool dead, repeated; // repeated: inside a seq or while
    const struct iter *around;
    int num_around;
    vec(int) reads;          // roots
    vec(const char *) nodes; // that it comes from, the most important first
    const char *kept;        // why what it writes is still an array; NULL: not worth a word
};

/* What is known of an array that is no view. */
struct root {
    vec(int) writers, readers; // units
    bool fixed;                // mentioned by something else than units, or not to be touched
    int last_write;            // position of the last write that is none of a unit's; -1
    const char *why;           // it is still there
};

struct fuse {
    struct compile *c;
    struct loops *l;
    struct arena scratch;
    vec(struct unit) units;
    struct root *roots; // [arrays]
    vec(int) barriers;  // positions of what is no unit
    vec(struct iter) around;
    int pos, repeats;
};

/* ---- reading the program ---- */

struct collect {
    struct fuse *f;
    struct unit *u; // whose reads are collected; NULL: arrays are fixed
};

static void collect_load(void *user, const struct expr *e) {
    struct collect *c = user;
    if (e->kind != EXPR_LOAD)
        return;
    int root = loops_root(c->f->l, e->array);
    if (!c->u) {
        c->f->roots[root].fixed = true;
        return;
    }
    for (int k = 0; k < c->u->reads.len; k++)
        if (c->u->reads.data[k] == root)
            return;
    vec_push(&c->f->scratch, &c->u->reads, root);
}

static int root_of(const struct fuse *f, const struct unit *u) {
    return loops_root(f->l, u->s->array);
}

static void remove_number(int *data, int *len, int value) {
    int n = 0;
    for (int k = 0; k < *len; k++)
        if (data[k] != value)
            data[n++] = data[k];
    *len = n;
}

static void forget_reads(struct fuse *f, int unit) {
    struct unit *u = &f->units.data[unit];
    for (int k = 0; k < u->reads.len; k++) {
        struct root *r = &f->roots[u->reads.data[k]];
        remove_number(r->readers.data, &r->readers.len, unit);
    }
    u->reads.len = 0;
}

static void note_reads(struct fuse *f, int unit) {
    forget_reads(f, unit);
    struct unit *u = &f->units.data[unit];
    struct collect c = {f, u};
    expr_walk(u->s->rhs, collect_load, &c);
    for (int d = 0; d < f->l->arrays.data[u->s->array].rank; d++)
        expr_walk(u->s->index[d], collect_load, &c);
    for (int k = 0; k < u->reads.len; k++)
        vec_push(&f->scratch, &f->roots[u->reads.data[k]].readers, unit);
}

static struct inliner inliner_of(struct fuse *f, const struct unit *u) {
    return (struct inliner){f->l, &f->scratch, u->around, u->num_around};
}

static bool is_empty(const struct stmt *s) {
    bool empty = false;
    for (int k = 0; k < s->num_iters; k++)
        empty = empty || expr_is_int(s->iters[k].extent, 0);
    return empty;
}

static void add_unit(struct fuse *f, struct stmt_list *list, struct stmt *s) {
    size_t around = (size_t)f->around.len * sizeof *f->around.data;
    struct unit u = {.s = s, .list = list, .pos = f->pos, .repeated = f->repeats > 0};
    u.around = arena_copy(&f->scratch, f->around.data, around);
    u.num_around = f->around.len;
    struct inliner in = inliner_of(f, &u);
    struct root *root = &f->roots[loops_root(f->l, s->array)];
    bool empty = is_empty(s);
    root->fixed = root->fixed || empty;
    if (!empty)
        inline_normalise(&in, s);
    if (s->loc.node)
        vec_push(&f->scratch, &u.nodes, s->loc.node);
    vec_push(&f->scratch, &f->units, u);
    vec_push(&f->scratch, &root->writers, f->units.len - 1);
    note_reads(f, f->units.len - 1);
}

static void add_list(struct fuse *f, struct stmt_list *list);

/* Everything but a statement that computes: its arrays stay. */
static void add_barrier(struct fuse *f, struct stmt *s) {
    struct collect c = {f, NULL};
    bool repeats = s->kind == STMT_SEQ || s->kind == STMT_WHILE;
    vec_push(&f->scratch, &f->barriers, f->pos);
    if (s->rhs)
        expr_walk(s->rhs, collect_load, &c);
    for (int k = 0; k < s->num_reads; k++)
        f->roots[loops_root(f->l, s->reads[k])].fixed = true;
    for (int k = 0; k < s->num_writes; k++) {
        struct root *r = &f->roots[loops_root(f->l, s->writes[k])];
        r->fixed = true;
        r->last_write = f->pos;
    }
    if (repeats)
        vec_push(&f->scratch, &f->around, s->iters[0]);
    f->repeats += repeats;
    add_list(f, &s->body);
    add_list(f, &s->orelse);
    f->repeats -= repeats;
    f->around.len -= repeats;
}

static void add_list(struct fuse *f, struct stmt_list *list) {
    for (struct stmt *s = list->first; s; s = s->next) {
        f->pos++;
        if (s->kind == STMT_COMPUTE)
            add_unit(f, list, s);
        else
            add_barrier(f, s);
    }
}

static void read_program(struct fuse *f) {
    int n = f->l->arrays.len;
    f->roots = arena_array(&f->scratch, struct root, n);
    for (int k = 0; k < n; k++) {
        const struct array *a = &f->l->arrays.data[k];
        f->roots[k].last_write = -1;
        f->roots[k].fixed = a->kind != ARRAY_TEMP || a->layout_rank > 0;
    }
    add_list(f, &f->l->body);
}

/* ---- moving ---- */

static bool barrier_between(const struct fuse *f, int first, int last) {
    bool found = false;
    for (int k = 0; k < f->barriers.len; k++)
        found = found || (f->barriers.data[k] > first && f->barriers.data[k] < last);
    return found;
}

static int last_write(const struct fuse *f, int root) {
    const struct root *r = &f->roots[root];
    int last = r->last_write;
    for (int k = 0; k < r->writers.len; k++)
        if (f->units.data[r->writers.data[k]].pos > last)
            last = f->units.data[r->writers.data[k]].pos;
    return last;
}

/* Bytes of temporaries that u alone still reads, and that would live on until `to`. */
static double bytes_kept(const struct fuse *f, int unit, int to) {
    const struct unit *u = &f->units.data[unit];
    double bytes = 0;
    for (int k = 0; k < u->reads.len; k++) {
        const struct root *r = &f->roots[u->reads.data[k]];
        const struct array *a = &f->l->arrays.data[u->reads.data[k]];
        bool lives = a->kind != ARRAY_TEMP || r->fixed;
        for (int i = 0; i < r->readers.len; i++)
            lives = lives || f->units.data[r->readers.data[i]].pos >= to;
        int64_t n = 0;
        if (!lives && dtype_bytes(a->dtype, loops_elements(f->l, u->reads.data[k]), &n))
            bytes += (double)n;
    }
    return bytes;
}

static bool unit_between(const struct fuse *f, int first, int last) {
    bool found = barrier_between(f, first, last);
    for (int k = 0; k < f->units.len && !found; k++)
        found = !f->units.data[k].dead && f->units.data[k].pos > first &&
                f->units.data[k].pos < last;
    return found;
}

/* Why what `unit` computes cannot be computed at position `to` instead; NULL when it can.
 * Memory does not decide where it only moves elements. */
static const char *cannot_wait(const struct fuse *f, int unit, int to, bool is_move) {
    const struct unit *u = &f->units.data[unit];
    int root = root_of(f, u);
    int64_t bytes = 0;
    for (int k = 0; k < u->reads.len && u->repeated; k++) {
        int written = last_write(f, u->reads.data[k]);
        if (written > u->pos && written <= to)
            return "an operand is overwritten before it is read";
    }
    if (expr_has_check(u->s->rhs) && barrier_between(f, u->pos, to))
        return "an index is checked before something else can fail";
    if (is_move || !unit_between(f, u->pos, to))
        return NULL;
    if (!dtype_bytes(f->l->arrays.data[root].dtype, loops_elements(f->l, root), &bytes))
        return NULL;
    return bytes_kept(f, unit, to) > (double)bytes ? "its operands would stay in memory longer"
                                                   : NULL;
}

/* Can the reader's other operands be read at position `to`, before where it stands? */
static bool can_hurry(const struct fuse *f, int reader, int root, int to) {
    const struct unit *u = &f->units.data[reader];
    bool can = !u->repeated && f->l->arrays.data[u->s->array].alias < 0 &&
               !(expr_has_check(u->s->rhs) && barrier_between(f, to, u->pos));
    for (int k = 0; k < u->reads.len && can; k++)
        can = u->reads.data[k] == root || last_write(f, u->reads.data[k]) < to;
    return can;
}

/* ---- into readers ---- */

static void merge_nodes(struct fuse *f, struct unit *to, const struct unit *from) {
    for (int k = 0; k < from->nodes.len; k++) {
        bool known = false;
        for (int i = 0; i < to->nodes.len; i++)
            known = known || strcmp(to->nodes.data[i], from->nodes.data[k]) == 0;
        if (!known)
            vec_push(&f->scratch, &to->nodes, from->nodes.data[k]);
    }
}

static void bury(struct fuse *f, int unit) {
    struct unit *u = &f->units.data[unit];
    forget_reads(f, unit);
    struct root *r = &f->roots[root_of(f, u)];
    remove_number(r->writers.data, &r->writers.len, unit);
    u->dead = true;
    u->s->array = -1; // sweep takes it out of its list
}

static const char *too_often(struct fuse *f, double total, double elements, const char *where) {
    return arena_printf(&f->scratch, "read %.3g times per element%s", total / elements, where);
}

/* A loop that calls a function of the C library is not made of vectors: a second function, or
 * much arithmetic, does better in a loop of its own, which the schedule puts into one nest. */
static const char *loses_vectors(const struct fuse *f, const struct cost *c,
                                 const struct unit *reader) {
    struct cost r = cost_of(f->l, reader->s);
    if (c->costly && r.costly)
        return "it and what reads it are costly functions";
    if ((c->costly || r.costly) && c->operations + r.operations > MUCH_ARITHMETIC)
        return "much arithmetic beside a costly function";
    return NULL;
}

/* May arithmetic be done where it is read? */
static const char *recomputes(struct fuse *f, int root, struct cost c) {
    const struct root *r = &f->roots[root];
    double total = 0;
    for (int k = 0; k < r->readers.len; k++) {
        const char *why = loses_vectors(f, &c, &f->units.data[r->readers.data[k]]);
        if (why)
            return why;
        struct reads reads =
            reads_of(f->l, f->units.data[r->readers.data[k]].s, root, c.costly);
        if (reads.reducing > c.elements)
            return too_often(f, reads.reducing, c.elements, " by a reduction");
        if (c.selects && reads.mentions > 1)
            return "its choice would stand more than once";
        if (c.checks && (reads.conditional || r->readers.len > 1))
            return "an index that is checked would not be, or more than once";
        total += reads.total;
    }
    bool cheap = !c.costly && c.operations <= CHEAP_OPERATIONS && c.large <= 1;
    if (total > (cheap ? 2 : 1) * c.elements)
        return too_often(f, total, c.elements, "");
    return NULL;
}

/* A contraction makes vectors of the rows it reads: a transposition stays in front of it. */
static bool breaks_rows(const struct fuse *f, const struct unit *writer, int root) {
    const struct root *r = &f->roots[root];
    double elements = (double)loops_elements(f->l, root);
    bool breaks = false;
    for (int k = 0; k < r->readers.len && cost_transposes(f->l, writer->s) && !breaks; k++)
        breaks = cost_walks_rows(f->l, f->units.data[r->readers.data[k]].s, root, elements);
    return breaks;
}

static const char *readers_refuse(struct fuse *f, int root) {
    const struct root *r = &f->roots[root];
    for (int w = 0; w < r->writers.len; w++) {
        const struct unit *u = &f->units.data[r->writers.data[w]];
        struct cost c = cost_of(f->l, u->s);
        const char *why = !c.reduces ? NULL
                          : r->readers.len > 1
                              ? "a reduction that several statements read"
                              : "a reduction whose elements are not read once each";
        if (!why && !cost_is_free(&c))
            why = recomputes(f, root, c);
        if (!why && cost_is_free(&c) && breaks_rows(f, u, root))
            why = "a contraction reads it by rows, which are columns of its source";
        struct inliner in = inliner_of(f, u);
        if (!why && c.checks &&
            !inline_is_bijective(&in, f->units.data[r->readers.data[0]].s, root))
            why = "not every index that is checked would be";
        for (int k = 0; k < r->readers.len && !why; k++)
            why = cannot_wait(f, r->writers.data[w], f->units.data[r->readers.data[k]].pos,
                              cost_is_free(&c));
        if (why)
            return why;
    }
    return NULL;
}

static struct stmt **writers_of(struct fuse *f, const struct root *r) {
    struct stmt **writers = arena_array(&f->scratch, struct stmt *, r->writers.len);
    for (int k = 0; k < r->writers.len; k++)
        writers[k] = f->units.data[r->writers.data[k]].s;
    return writers;
}

/* A reader takes the place of what it was. The nodes of its writers come first, but what is
 * reduced is most important. */
static void replace_reader(struct fuse *f, int unit, const struct stmt *by,
                           const struct root *r) {
    struct unit *u = &f->units.data[unit], old = *u;
    bool reduces = expr_find(u->s->rhs, EXPR_REDUCE) != NULL;
    *u->s = *by;
    memset(&u->nodes, 0, sizeof u->nodes);
    if (reduces)
        merge_nodes(f, u, &old);
    for (int k = 0; k < r->writers.len; k++)
        merge_nodes(f, u, &f->units.data[r->writers.data[k]]);
    merge_nodes(f, u, &old);
    note_reads(f, unit);
}

static const char *into_readers(struct fuse *f, int root) {
    struct root *r = &f->roots[root];
    const char *why = readers_refuse(f, root);
    int n = r->readers.len, *readers = arena_copy(&f->scratch, r->readers.data,
                                                  (size_t)n * sizeof *r->readers.data);
    struct stmt *drafts = arena_array(&f->scratch, struct stmt, n);
    for (int k = 0; k < n && !why; k++) {
        const struct unit *u = &f->units.data[readers[k]];
        struct inliner in = inliner_of(f, u);
        drafts[k] = *u->s;
        why = inline_into_reader(&in, &drafts[k], root, writers_of(f, r), r->writers.len);
    }
    if (why)
        return why;
    for (int k = 0; k < n; k++)
        replace_reader(f, readers[k], &drafts[k], r);
    while (r->writers.len)
        bury(f, r->writers.data[r->writers.len - 1]);
    return NULL;
}

/* ---- into writers ---- */

/* May `reader`, which visits each element of the array once, be what `writer` does with it? */
static const char *writer_refuses(struct fuse *f, int writer, int reader, bool *hurries) {
    const struct unit *w = &f->units.data[writer], *u = &f->units.data[reader];
    int root = root_of(f, w);
    struct cost c = cost_of(f->l, w->s);
    struct reads reads = reads_of(f->l, u->s, root, true);
    if (c.reduces && expr_find(u->s->rhs, EXPR_REDUCE) != NULL)
        return "both are reductions";
    if (c.checks && reads.conditional)
        return "an index that is checked would not be";
    if (c.reduces && (reads.guarded || (c.guarded_reduce && reads.mentions > 1)))
        return "a reduction would stand in a guard";
    if (!cost_is_free(&c) && reads.reducing > c.elements)
        return too_often(f, reads.reducing, c.elements, " by a reduction");
    const char *why = loses_vectors(f, &c, u);
    if (why)
        return why;
    if (c.selects && reads.mentions > 1)
        return "its choice would stand more than once";
    if (c.costly && reads.mentions > 1)
        return "its costly value is used more than once";
    *hurries = can_hurry(f, reader, root, w->pos);
    return *hurries ? NULL : cannot_wait(f, writer, u->pos, cost_is_free(&c));
}

static void set_content(struct stmt *s, const struct stmt *from) {
    s->iters = from->iters;
    s->num_iters = from->num_iters;
    s->array = from->array;
    s->index = from->index;
    s->rhs = from->rhs;
}

/* The writer becomes `by`, where it stands or behind `after`. */
static void replace_writer(struct fuse *f, int unit, const struct stmt *by,
                           const struct unit *after) {
    struct unit *u = &f->units.data[unit];
    if (after) {
        struct stmt *moved = arena_new(f->l->arena, struct stmt);
        *moved = *u->s;
        u->s->array = -1;
        moved->next = after->s->next;
        after->s->next = moved;
        if (after->list->last == after->s)
            after->list->last = moved;
        u->s = moved;
        u->pos = after->pos;
    }
    set_content(u->s, by);
    vec_push(&f->scratch, &f->roots[root_of(f, u)].writers, unit);
    note_reads(f, unit);
}

/* Those with a reduce first: that is what the statement does. */
static void name_writer(struct fuse *f, struct unit *w, const struct unit *reader) {
    struct unit old = *w;
    bool reader_first =
        !expr_find(w->s->rhs, EXPR_REDUCE) && expr_find(reader->s->rhs, EXPR_REDUCE) != NULL;
    memset(&w->nodes, 0, sizeof w->nodes);
    merge_nodes(f, w, reader_first ? reader : &old);
    merge_nodes(f, w, reader_first ? &old : reader);
}

static const char *into_writers(struct fuse *f, int root) {
    struct root *r = &f->roots[root];
    int reader = r->readers.data[0], n = r->writers.len;
    int *writers = arena_copy(&f->scratch, r->writers.data, (size_t)n * sizeof *writers);
    struct stmt *drafts = arena_array(&f->scratch, struct stmt, n);
    bool *hurries = arena_array(&f->scratch, bool, n);
    const char *why = NULL;
    for (int k = 0; k < n && !why; k++) {
        const struct unit *w = &f->units.data[writers[k]];
        struct inliner in = inliner_of(f, w);
        drafts[k] = *w->s;
        why = writer_refuses(f, writers[k], reader, &hurries[k]);
        if (!why)
            why = inline_into_writer(&in, &drafts[k], f->units.data[reader].s, root);
    }
    if (why)
        return why;
    struct unit at = f->units.data[reader];
    for (int k = 0; k < n; k++)
        name_writer(f, &f->units.data[writers[k]], &at);
    bury(f, reader);
    r->writers.len = 0;
    for (int k = n - 1; k >= 0; k--)
        replace_writer(f, writers[k], &drafts[k], hurries[k] ? NULL : &at);
    return NULL;
}

/* ---- apart ---- */

/* The writer becomes its first piece, the others follow it. */
static void replace_by_pieces(struct fuse *f, int writer, const struct stmt *pieces, int n) {
    struct unit old = f->units.data[writer];
    struct root *roots = arena_array(&f->scratch, struct root, f->l->arrays.len);
    memcpy(roots, f->roots, (size_t)(f->l->arrays.len - n) * sizeof *roots);
    f->roots = roots;
    remove_number(roots[root_of(f, &old)].writers.data, &roots[root_of(f, &old)].writers.len,
                  writer);
    for (int k = n - 1; k >= 0; k--) {
        int unit = k > 0 ? f->units.len : writer;
        struct unit u = old;
        roots[pieces[k].array].last_write = -1;
        if (k > 0) {
            u.s = arena_new(f->l->arena, struct stmt);
            *u.s = *old.s;
            u.s->next = old.s->next;
            old.s->next = u.s;
            old.list->last = old.list->last == old.s ? u.s : old.list->last;
            memset(&u.reads, 0, sizeof u.reads);
            memset(&u.nodes, 0, sizeof u.nodes);
            merge_nodes(f, &u, &old);
            vec_push(&f->scratch, &f->units, u);
        }
        set_content(u.s, &pieces[k]);
        struct inliner in = inliner_of(f, &f->units.data[unit]);
        inline_normalise(&in, u.s);
        vec_push(&f->scratch, &roots[u.s->array].writers, unit);
        note_reads(f, unit);
    }
}

/* The readers of the whole as readers of its pieces; false when one cannot be. */
static bool read_pieces(struct fuse *f, int root, struct stmt *const *copies, int n,
                        struct stmt *drafts) {
    const struct root *r = &f->roots[root];
    bool ok = true;
    for (int k = 0; k < r->readers.len && ok; k++) {
        const struct unit *u = &f->units.data[r->readers.data[k]];
        struct inliner in = inliner_of(f, u);
        drafts[k] = *u->s;
        ok = !inline_into_reader(&in, &drafts[k], root, copies, n);
    }
    return ok;
}

/* Is the array what one reduction writes, and each of its readers sees one part of? */
static bool find_division(struct fuse *f, int root, struct division *d) {
    const struct root *r = &f->roots[root];
    const struct unit *w = &f->units.data[r->writers.data[0]];
    struct cost c = cost_of(f->l, w->s);
    struct inliner in = inliner_of(f, w);
    struct stmt **readers = arena_array(&f->scratch, struct stmt *, r->readers.len);
    for (int k = 0; k < r->readers.len; k++)
        readers[k] = f->units.data[r->readers.data[k]].s;
    return f->c->opt_level >= 2 && r->writers.len == 1 && c.reduces && !c.checks &&
           !w->repeated && w->s->array == root &&
           divide_find(&in, w->s, readers, r->readers.len, d);
}

/* A statement for each part that readers see; false when there are no such parts. */
static bool divide(struct fuse *f, int root) {
    int writer = f->roots[root].writers.data[0], num = f->roots[root].readers.len;
    int *readers =
        arena_copy(&f->scratch, f->roots[root].readers.data, (size_t)num * sizeof *readers);
    struct stmt *drafts = arena_array(&f->scratch, struct stmt, num), *copies[DIVISION_PARTS];
    struct stmt pieces[DIVISION_PARTS], *s = f->units.data[writer].s;
    struct inliner in = inliner_of(f, &f->units.data[writer]);
    int before = f->l->arrays.len;
    struct division d;
    if (!find_division(f, root, &d))
        return false;
    for (int k = 0; k < d.num; k++) {
        pieces[k] = divide_writer(&in, s, &d, k);
        copies[k] = arena_new(&f->scratch, struct stmt);
        *copies[k] = divide_copy(&in, s, &pieces[k], &d, k);
    }
    if (!read_pieces(f, root, copies, d.num, drafts)) {
        f->l->arrays.len = before;
        return false;
    }
    diag_remark(f->c->diag, REMARK_PASSED, s->loc,
                "%s becomes %d arrays: each reader sees a part of it",
                f->l->arrays.data[root].name, d.num);
    for (int k = 0; k < num; k++)
        forget_reads(f, readers[k]);
    replace_by_pieces(f, writer, pieces, d.num);
    for (int k = 0; k < num; k++) {
        *f->units.data[readers[k]].s = drafts[k];
        note_reads(f, readers[k]);
    }
    return true;
}

/* ---- one array ---- */

/* At -O1 only statements of one ONNX node become one. */
static bool of_one_node(const struct fuse *f, const struct root *r) {
    const char *node = f->units.data[r->writers.data[0]].s->loc.node;
    bool one = node != NULL;
    for (int k = 0; k < r->writers.len && one; k++) {
        const char *other = f->units.data[r->writers.data[k]].s->loc.node;
        one = other && strcmp(node, other) == 0;
    }
    for (int k = 0; k < r->readers.len && one; k++) {
        const char *other = f->units.data[r->readers.data[k]].s->loc.node;
        one = other && strcmp(node, other) == 0;
    }
    return one;
}

/* Why the array cannot be looked at at all; "" when that is not worth a word. */
static const char *stands_fast(struct fuse *f, int root) {
    const struct root *r = &f->roots[root];
    const struct stmt_list *list = f->units.data[r->writers.data[0]].list;
    if (r->fixed)
        return "";
    for (int w = 0; w < r->writers.len; w++)
        for (int k = 0; k < r->readers.len; k++) {
            const struct unit *from = &f->units.data[r->writers.data[w]];
            const struct unit *to = &f->units.data[r->readers.data[k]];
            if (from->list != list || to->list != list)
                return "it is read on another side of a seq, if or while";
            if (to->pos < from->pos || r->writers.data[w] == r->readers.data[k])
                return "it is read before all of it is written";
        }
    if (f->c->opt_level < 2 && r->readers.len && !of_one_node(f, r))
        return "it belongs to another operator; -O2 fuses across";
    return NULL;
}

/* In a loop, a statement must not overwrite what the one put into it reads. */
static bool overwrites(const struct fuse *f, const struct root *r) {
    bool found = false;
    for (int w = 0; w < r->writers.len; w++) {
        const struct unit *from = &f->units.data[r->writers.data[w]];
        for (int k = 0; k < r->readers.len && from->repeated; k++)
            for (int i = 0; i < from->reads.len; i++)
                found = found ||
                        from->reads.data[i] == root_of(f, &f->units.data[r->readers.data[k]]);
    }
    return found;
}

static const char *remove_unread(struct fuse *f, int root) {
    struct root *r = &f->roots[root];
    for (int w = 0; w < r->writers.len; w++)
        if (expr_has_check(f->units.data[r->writers.data[w]].s->rhs))
            return "an index is checked though nothing reads the result";
    while (r->writers.len)
        bury(f, r->writers.data[r->writers.len - 1]);
    return NULL;
}

/* Removes the array if it can. NULL when something changed, else why not. */
static const char *try_array(struct fuse *f, int root) {
    struct root *r = &f->roots[root];
    const char *why = stands_fast(f, root);
    if (why)
        return why;
    if (r->readers.len == 0)
        return remove_unread(f, root);
    if (overwrites(f, r))
        return "what it is made of is overwritten where it is read";
    const struct unit *reader = &f->units.data[r->readers.data[0]];
    struct inliner in = inliner_of(f, reader);
    bool once = r->readers.len == 1 && inline_is_bijective(&in, reader->s, root);
    bool copies = once && reader->s->rhs->kind == EXPR_LOAD;
    if (copies && !into_writers(f, root))
        return NULL;
    why = into_readers(f, root);
    if (why && once && !copies)
        why = into_writers(f, root);
    return why && divide(f, root) ? NULL : why;
}

/* ---- all of them ---- */

static bool walk(struct fuse *f) {
    bool changed = false;
    for (int k = 0; k < f->units.len; k++) {
        while (!f->units.data[k].dead) { // units and roots may move
            int root = root_of(f, &f->units.data[k]);
            const char *why = try_array(f, root);
            f->roots[root].why = why;
            if (why)
                break;
            changed = true;
        }
    }
    return changed;
}

static void sweep(struct stmt_list *list) {
    struct stmt *first = NULL, *last = NULL;
    for (struct stmt *s = list->first; s; s = s->next) {
        sweep(&s->body);
        sweep(&s->orelse);
        if (s->kind == STMT_COMPUTE && s->array < 0)
            continue;
        if (last)
            last->next = s;
        else
            first = s;
        last = s;
    }
    if (last)
        last->next = NULL;
    list->first = first;
    list->last = last;
}

/* A statement's place names its nodes, as many as fit. */
static void name_units(struct fuse *f) {
    for (int k = 0; k < f->units.len; k++) {
        struct unit *u = &f->units.data[k];
        if (u->dead || u->nodes.len == 0)
            continue;
        struct str all = {0};
        for (int i = 0; i < u->nodes.len && all.len < MAX_NODE_NAME; i++)
            str_addf(&all, "%s%s", i ? ", " : "", u->nodes.data[i]);
        if (u->nodes.len > 1) {
            struct loc loc = u->s->loc;
            loc.node = u->nodes.data[0];
            diag_remark(f->c->diag, REMARK_PASSED, loc, "absorbs %s",
                        str_cstr(&all) + strlen(u->nodes.data[0]) + 2);
        }
        u->s->loc.node = intern(f->l->names, str_cstr(&all));
        str_free(&all);
    }
}

/* Before the arrays are numbered anew. */
static void note_kept(struct fuse *f) {
    for (int k = 0; k < f->units.len; k++) {
        struct unit *u = &f->units.data[k];
        const struct root *r = u->dead ? NULL : &f->roots[root_of(f, u)];
        if (r && r->writers.data[0] == k && r->why && *r->why)
            u->kept = r->why;
    }
}

/* The buffer of an array that is no view: the arrays before it that are none either. */
static int buffer_of(const struct loops *l, int array) {
    int buffer = 0;
    for (int k = 0; k < array; k++)
        buffer += l->arrays.data[k].kind != ARRAY_VIEW;
    return buffer;
}

static void remark_kept(const struct fuse *f) {
    struct intern *names = f->c->names;
    for (int k = 0; k < f->units.len; k++) {
        const struct unit *u = &f->units.data[k];
        if (!u->kept)
            continue;
        struct kept_array *kept = arena_new(names->arena, struct kept_array);
        int root = root_of(f, u);
        *kept = (struct kept_array){buffer_of(f->l, root), intern(names, u->kept), f->c->kept};
        f->c->kept = kept;
        diag_remark(f->c->diag, REMARK_MISSED, u->s->loc, "%s stays an array: %s",
                    f->l->arrays.data[root].name, u->kept);
    }
}

/* Substitutes statements into each other: at -O2 all, at -O1 those of one ONNX node. Requires
 * loops that loops_check accepts; what it leaves computes the same bits. Arrays that stay go to
 * c->kept. Numbers arrays and statements anew: those that nothing reads
 * any more are gone. Cost: a few walks over the statements. */
bool pass_fuse(struct compile *c, struct loops *l) {
    struct fuse f = {.c = c, .l = l};
    read_program(&f);
    int before = f.units.len, after = 0;
    for (int k = 0; k < MAX_ROUNDS && walk(&f); k++)
        ;
    name_units(&f);
    note_kept(&f);
    sweep(&l->body);
    for (int k = 0; k < f.units.len; k++)
        after += !f.units.data[k].dead;
    struct loc loc = {.file = l->body.first ? l->body.first->loc.file : l->name};
    diag_remark(c->diag, REMARK_ANALYSIS, loc, "%d statements became %d", before, after);
    fuse_compact(l, &f.scratch);
    remark_kept(&f);
    arena_free(&f.scratch);
    return true;
}
