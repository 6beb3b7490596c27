/* The text of a tile of vectors: its levels, and the names in them (codegen/vector.h). */
#include "codegen/vector.h"

#include <inttypes.h>

const char *vector_fail(struct vector_tile *t, const char *why) {
    t->failed = t->failed ? t->failed : why;
    return "";
}

static struct vector_level *innermost(struct vector_tile *t) {
    return &t->levels[t->num_levels - 1];
}

/* ---- levels ---- */

static void begin_level(struct vector_tile *t, const char *iter) {
    struct vector_level *l = innermost(t);
    l->iter = iter;
    l->depth = t->em->fn.depth;
    memcpy(l->numbers, t->numbers, sizeof l->numbers);
    t->em->fn.out = &l->body;
}

/* The next level, whose head is printed first. */
static struct vector_level *push_level(struct vector_tile *t) {
    if (t->num_levels == VECTOR_LEVELS) {
        vector_fail(t, "loops too deep");
        t->num_levels--; // the text is of no use any more
    }
    struct vector_level *l = &t->levels[t->num_levels++];
    *l = (struct vector_level){.iter = NULL};
    return l;
}

/* The level's text but for its last brace, which goes to `to`; names of its body are free. */
static void end_level(struct vector_tile *t, struct str *to) {
    static const char hoisted[] = "acghmn";
    struct vector_level *l = innermost(t);
    struct str *parts[] = {&l->head, &l->decl, &l->late, &l->body};
    t->em->fn.out = &l->decl;
    t->em->fn.depth = l->depth;
    vector_put_pointers(t, l);
    for (int k = 0; k < 26; k++)
        if (!strchr(hoisted, 'a' + k))
            t->numbers[k] = l->numbers[k];
    for (int k = 0; k < 4; k++) {
        str_add_len(to, str_cstr(parts[k]), parts[k]->len);
        str_free(parts[k]);
    }
    t->num_levels--;
    t->em->fn.out = to;
}

void vector_start(struct vector_tile *t) {
    push_level(t);
    begin_level(t, NULL);
}

struct str vector_end(struct vector_tile *t) {
    struct str text = {0};
    end_level(t, &text);
    return text;
}

/* The loop's variable stays among those in scope, under no name, once the loop is closed: the
 * next loop may take its name. */
void vector_open(struct vector_tile *t, const char *name, const struct expr *lo,
                 const struct expr *hi, int64_t step) {
    t->em->fn.out = &push_level(t)->head;
    emit_open_steps(t->em, name, lo, hi, step);
    begin_level(t, name);
}

void vector_open_by_length(struct vector_tile *t, const char *name, const struct expr *hi) {
    t->em->fn.out = &push_level(t)->head;
    emit_open_lengths(t->em, name, hi);
    begin_level(t, name);
}

static void forget_variable(struct emit *em, const char *name) {
    for (int i = em->vars.len - 1; i >= 0; i--) {
        if (em->vars.data[i].name != name || em->vars.data[i].c[0] == '\0')
            continue;
        em->vars.data[i].name = em->vars.data[i].c = "";
        return;
    }
}

void vector_close(struct vector_tile *t) {
    const char *iter = innermost(t)->iter;
    end_level(t, &t->levels[t->num_levels - 2].body);
    emit_close_range(t->em);
    forget_variable(t->em, iter);
}

int vector_level_of(const struct vector_tile *t, const struct expr *e) {
    for (int k = t->num_levels - 1; k > 0; k--)
        if (t->levels[k].iter && expr_mentions(e, t->levels[k].iter))
            return k;
    return 0;
}

/* ---- names ---- */

const char *vector_name(struct vector_tile *t, char letter) {
    struct emit *em = t->em;
    const char *name = arena_printf(&em->arena, "%c%d", letter, t->numbers[letter - 'a']++);
    const char *c = emit_declare(em, name, t->dtype)->c;
    em->vars.len--; // no expression of the ast can name it
    return c;
}

/* The name of an equal value that is in scope at that level. */
static const char *find_let(const struct vector_tile *t, int level, const char *value) {
    for (int k = level; k >= 0; k--) {
        const struct vector_level *l = &t->levels[k];
        for (int i = 0; i < l->decls.len; i++)
            if (strcmp(l->decls.data[i].value, value) == 0)
                return l->decls.data[i].name;
    }
    return NULL;
}

/* A declaration at the end of `to`. */
static void declare(struct emit *em, struct str *to, int depth, const char *type,
                    struct vector_let let) {
    struct str *out = em->fn.out;
    int inner = em->fn.depth;
    em->fn.out = to;
    em->fn.depth = depth;
    put_indent(em);
    putf(em, "const %s %s = ", type, let.name);
    put(em, let.value);
    put(em, ";\n");
    em->fn.out = out;
    em->fn.depth = inner;
}

/* Declares the load anew, for good: in a register. */
static void keep(struct vector_tile *t, struct vector_level *l, struct vector_let *let) {
    struct vector_let kept = {.name = let->name};
    kept.value = vector_prim(t, PRIM_KEEP, let->value, NULL, NULL);
    struct str text = {0};
    size_t end = let->at + let->len;
    str_add_len(&text, str_cstr(&l->body), let->at);
    declare(t->em, &text, l->depth, vector_type(t), kept);
    size_t more = text.len - end;
    str_add(&text, str_cstr(&l->body) + end);
    str_free(&l->body);
    l->body = text;
    for (int i = 0; i < l->lets.len; i++)
        l->lets.data[i].at += l->lets.data[i].at >= end ? more : 0;
    let->len = 0;
}

/* The name of an equal value in the innermost body, which is the last one used then. */
static const char *find_recent(struct vector_tile *t, const char *value) {
    struct vector_level *l = innermost(t);
    for (int i = l->lets.len - 1; i >= 0; i--) {
        struct vector_let let = l->lets.data[i];
        if (strcmp(let.value, value) != 0)
            continue;
        if (let.len > 0)
            keep(t, l, &let);
        memmove(l->lets.data + i, l->lets.data + i + 1,
                (size_t)(l->lets.len - 1 - i) * sizeof let);
        l->lets.data[l->lets.len - 1] = let;
        return let.name;
    }
    return NULL;
}

void vector_forget(struct vector_tile *t, int most) {
    struct vector_level *l = innermost(t);
    int drop = l->lets.len - most;
    if (drop <= 0)
        return;
    memmove(l->lets.data, l->lets.data + drop, (size_t)most * sizeof *l->lets.data);
    l->lets.len = most;
}

/* Counts what may be kept for long: what is loaded outside of the tile's loops a compiler may
 * even load before the loops around it. */
static void count_load(struct vector_tile *t) {
    int named = innermost(t)->lets.len;
    if (t->num_levels == 1)
        t->loads++;
    else if (named > t->most_loads)
        t->most_loads = named;
}

const char *vector_let(struct vector_tile *t, const char *type, char letter,
                       const char *value) {
    const char *old = find_let(t, t->num_levels - 1, value);
    struct vector_level *l = innermost(t);
    old = old ? old : find_recent(t, value);
    if (old || t->failed)
        return old ? old : "";
    struct vector_let let = {value, vector_name(t, letter), l->body.len, 0};
    declare(t->em, &l->body, t->em->fn.depth, type, let);
    if (t->keeps && letter == 'x')
        let.len = l->body.len - let.at;
    vec_push(&t->em->arena, &l->lets, let);
    if (letter == 'x' || letter == 'w')
        count_load(t);
    return let.name;
}

const char *vector_let_long(struct vector_tile *t, const char *type, char letter,
                            const char *value) {
    struct vector_level *l = innermost(t);
    const char *name = vector_let(t, type, letter, value);
    struct vector_let let = {value, name, 0, 0};
    if (!t->failed && !find_let(t, t->num_levels - 1, value))
        vec_push(&t->em->arena, &l->decls, let);
    return name;
}

/* `const type h0 = value;` at the end of a part of the level's head; the name, an old one where
 * the value has one there. */
static const char *hoist(struct vector_tile *t, int level, struct str *to, const char *type,
                         char letter, const char *value) {
    const char *old = find_let(t, level, value);
    if (old || t->failed)
        return old ? old : "";
    struct vector_let let = {value, vector_name(t, letter), 0, 0};
    struct vector_level *l = &t->levels[level];
    declare(t->em, to, l->depth, type, let);
    vec_push(&t->em->arena, &l->decls, let);
    return let.name;
}

const char *vector_hoist(struct vector_tile *t, int level, const char *type, char letter,
                         const char *value) {
    return hoist(t, level, &t->levels[level].decl, type, letter, value);
}

/* Does the text use a pointer that stands in the level's body? */
static bool uses_body(const struct vector_level *l, const char *text) {
    bool found = false;
    for (int i = 0; i < l->pointers.len && !found; i++)
        found = l->pointers.data[i].printed && strstr(text, l->pointers.data[i].name);
    return found;
}

const char *vector_keep(struct vector_tile *t, int level, const char *type, char letter,
                        const char *value) {
    struct vector_level *l = &t->levels[level];
    if (t->failed || level == t->num_levels - 1 || uses_body(l, value))
        return vector_let(t, type, letter, value);
    int known = l->decls.len;
    const char *name = hoist(t, level, &l->late, type, letter, value);
    t->loads += l->decls.len - known;
    return name;
}

/* ---- C of expressions ---- */

const char *vector_scalar(struct vector_tile *t, const struct expr *e, int min) {
    struct emit *em = t->em;
    struct str s = {0}, *out = em->fn.out;
    if (t->failed)
        return "";
    em->fn.out = &s;
    emit_expr(em, e, min);
    em->fn.out = out;
    const char *c = arena_strdup(&em->arena, str_cstr(&s));
    str_free(&s);
    return c;
}

const char *vector_type(const struct vector_tile *t) {
    return prim_vector_type(t->target, t->dtype);
}

const char *vector_prim(struct vector_tile *t, enum prim p, const char *x, const char *y,
                        const char *z) {
    const char *args[] = {x, y, z};
    return vector_prim_of(t, p, args);
}

const char *vector_prim_of(struct vector_tile *t, enum prim p, const char *const *args) {
    struct str s = {0};
    if (t->failed || p == PRIM_COUNT || !prim_has(t->target, p, t->dtype))
        return vector_fail(t, "an operation that vectors do not have");
    prim_put(&s, t->target, p, t->dtype, args);
    const char *c = arena_strdup(&t->em->arena, str_cstr(&s));
    str_free(&s);
    return c;
}
