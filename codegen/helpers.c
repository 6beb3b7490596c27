/* The helper functions of generated C: which are used, and their text. */
#include "codegen/emit.h"

struct helper {
    const char *name, *types, *needs, *text;
};

static const struct helper helpers[] = {
#define HELPER(name, types, needs, text) {name, types, needs, text},
#include "codegen/helpers.def"
};
enum { NUM_HELPERS = sizeof helpers / sizeof *helpers };

/* ---- templates ---- */

enum dtype dtype_wide(enum dtype t) {
    const struct dtype_info *info = dtype_info(t);
    if (info->kind == KIND_FLOAT || info->bits == 64)
        return t == DTYPE_INDEX ? DTYPE_I64 : t;
    return info->kind == KIND_UINT ? DTYPE_U32 : DTYPE_I32;
}

static const char *unsigned_type(enum dtype t) {
    return dtype_info(t)->bits == 64 ? "uint64_t" : "uint32_t";
}

const char *template_put(struct str *s, const char *text, enum dtype t) {
    for (; *text; text++) {
        if (*text != '$') {
            str_add_len(s, text, 1);
            continue;
        }
        char what = text[1];
        if (what >= '0' && what <= '9')
            return text;
        if (what == 't')
            str_add(s, dtype_info(t)->c_type);
        else if (what == 'u')
            str_add(s, unsigned_type(t));
        else if (what == 'n')
            str_add(s, dtype_info(t)->text);
        else if (what == 'd')
            str_add(s, dtype_info(dtype_wide(t))->text);
        else if (t == DTYPE_F32)
            str_add(s, "f");
        text++;
    }
    return text;
}

/* ---- use ---- */

/* Is t among the types of a row, " f32 f64 "? */
static bool helper_is_for(const struct helper *h, const char *type) {
    const char *at = strstr(h->types, type);
    return at && at[-1] == ' ' && at[strlen(type)] == ' ';
}

/* Splits nncc_max_f32 into its row and type. */
static struct helper_use helper_find(const char *name) {
    const char *base = name + strlen("nncc_"), *type = strrchr(name, '_') + 1;
    size_t len = (size_t)(type - 1 - base);
    for (int k = 0; k < NUM_HELPERS; k++)
        if (strlen(helpers[k].name) == len && memcmp(helpers[k].name, base, len) == 0 &&
            helper_is_for(&helpers[k], type))
            return (struct helper_use){&helpers[k], dtype_from_text(type, strlen(type))};
    bug("no helper function %s", name);
}

/* The next `nncc_…` name at or after text: its length in *len, 0 when there is none. */
static const char *next_helper_name(const char *text, size_t *len) {
    const char *at = strstr(text, "nncc_");
    *len = 0;
    while (at && (at[*len] == '_' || (at[*len] >= 'a' && at[*len] <= 'z') ||
                  (at[*len] >= '0' && at[*len] <= '9')))
        ++*len;
    return at;
}

/* A helper text that calls another names it by its type: one level is all there is. */
static void add_callees(struct helper_set *set, struct arena *a, const struct helper_use *u,
                        const char *self) {
    struct str text = {0};
    template_put(&text, u->row->text, u->type);
    size_t len;
    for (const char *at = next_helper_name(str_cstr(&text), &len); at;
         at = next_helper_name(at + len, &len)) {
        char *name = arena_copy(a, at, len + 1);
        name[len] = '\0';
        if (strcmp(name, self) != 0)
            helper_add(set, a, name);
    }
    str_free(&text);
}

void helper_add(struct helper_set *set, struct arena *a, const char *name) {
    struct helper_use u = helper_find(name);
    for (int i = 0; i < set->uses.len; i++)
        if (set->uses.data[i].row == u.row && set->uses.data[i].type == u.type)
            return;
    add_callees(set, a, &u, name);
    vec_push(a, &set->uses, u);
    set->math = set->math || strcmp(u.row->needs, "math") == 0;
}

/* Each helper has a guard of its own, so that one program may include several generated files.
 */
void helper_print(struct str *s, const struct helper_set *set) {
    for (int i = 0; i < set->uses.len; i++) {
        const struct helper_use *u = &set->uses.data[i];
        char guard[64];
        int n = snprintf(guard, sizeof guard, "NNCC_%s_%s", u->row->name,
                         dtype_info(u->type)->text);
        for (int k = 0; k < n; k++)
            if (guard[k] >= 'a' && guard[k] <= 'z')
                guard[k] = (char)(guard[k] - 'a' + 'A');
        str_addf(s, "\n#ifndef %s\n#define %s\n", guard, guard);
        template_put(s, u->row->text, u->type);
        str_add(s, "#endif\n");
    }
}
