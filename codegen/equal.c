/* Nests that do the same to other buffers are one function, called with other pointers.
 *
 * A network repeats itself: ResNet-50 has 53 convolutions of some twenty shapes. What is
 * printed of a nest depends on its statements, on the types of its buffers, on which of them
 * share memory (`restrict`), on the scalars around it and, where there are vectors, on what
 * tables of indices hold; not on where the buffers lie nor on what other constants hold. All
 * that, with the buffers numbered as they are first mentioned, is written down as a text, the
 * key: two nests with one key have the same C. A hash finds candidates, the whole text decides.
 */
#include "codegen/emit.h"

#include <inttypes.h>

/* ---- keys ---- */

struct order {
    const struct ast *ast;
    struct arena *arena;  // of the program
    struct arena scratch; // of one key
    const char **names;   // [buffers]: NULL: not mentioned so far
    const char *const
        *tables; // [buffers]: names in C, equal ones have the same; NULL: no matter
    vec(int) buffers;
};

/* "f32_0": no name of the ast has a `_`. */
static void number_buffer(void *user, int buffer, bool store) {
    (void)store;
    struct order *o = user;
    if (o->names[buffer])
        return;
    const struct buffer *b = &o->ast->buffers.data[buffer];
    const char *type = dtype_info(b->dtype)->text;
    bool table = o->tables && b->kind == BUFFER_CONST && b->dtype == DTYPE_I64;
    o->names[buffer] = arena_printf(&o->scratch, "%s_%d%s%s", type, o->buffers.len,
                                    table ? "_" : "", table ? o->tables[buffer] : "");
    vec_push(o->arena, &o->buffers, buffer);
}

/* The pairs that share memory; constants never do with what is written. */
static void put_overlaps(struct str *s, const struct order *o) {
    for (int i = 0; i < o->buffers.len; i++)
        for (int k = 0; k < i; k++)
            if (buffers_overlap(o->ast, o->buffers.data[k], o->buffers.data[i]))
                str_addf(s, "%d ~ %d\n", k, i);
}

/* All of them: the ranges of those around decide about types and about tests in the text. */
static void put_scalars(struct str *s, const struct emit *em) {
    for (int i = 0; i < em->vars.len; i++) {
        const struct var *v = &em->vars.data[i];
        str_addf(s, "%s %s: %s %s", v->name, v->c, dtype_info(v->dtype)->text,
                 emit_var_type(v));
        if (v->ranged)
            str_addf(s, " %" PRId64 "..%" PRId64, v->lo, v->hi);
        str_add(s, "\n");
    }
}

struct nest_key nest_key(struct emit *em, const struct ast_node *n) {
    struct order o = {.ast = em->ast, .arena = &em->arena};
    if (em->opt->target->vector_bytes > 0)
        o.tables = (const char *const *)em->buffer_c;
    struct str text = {0};
    o.names = arena_array(&o.scratch, const char *, em->ast->buffers.len);
    ast_walk_buffers(n, number_buffer, &o);
    put_scalars(&text, em);
    put_overlaps(&text, &o);
    ast_print_list(&text, em->ast, &n->body, o.names);
    struct nest_key key = {.len = text.len, .buffers = o.buffers.data};
    key.text = arena_copy(&em->arena, str_cstr(&text), text.len);
    key.hash = hash_bytes(key.text, key.len);
    str_free(&text);
    arena_free(&o.scratch);
    return key;
}

bool nest_key_equal(const struct nest_key *x, const struct nest_key *y) {
    return x->hash == y->hash && x->len == y->len && memcmp(x->text, y->text, x->len) == 0;
}

/* ---- functions ---- */

struct nest_function *nest_function_find(struct emit *em, const struct nest_key *key) {
    for (int i = 0; i < em->nests.len; i++)
        if (nest_key_equal(&em->nests.data[i].key, key))
            return &em->nests.data[i];
    return NULL;
}

int nest_function_argument(const struct nest_function *f, const struct nest_key *key,
                           int parameter) {
    int i = 0;
    while (f->key.buffers[i] != f->buffers.data[parameter])
        i++;
    return key->buffers[i];
}

void nest_function_serve(struct emit *em, struct nest_function *f, const char *node) {
    for (int i = 0; i < f->nodes.len; i++)
        if (strcmp(f->nodes.data[i], node) == 0)
            return;
    vec_push(&em->arena, &f->nodes, node);
}

void nest_function_nodes(struct str *s, const struct nest_function *f) {
    enum { LONG = 240 }; // characters
    int i = 0;
    for (; i < f->nodes.len && (i == 0 || s->len < LONG); i++)
        str_addf(s, "%s%s", i ? "; " : "", f->nodes.data[i]);
    if (i < f->nodes.len)
        str_addf(s, "; and %d more", f->nodes.len - i);
}
