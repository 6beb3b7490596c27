/* Regions: what the descriptor names and the profile hook is told of, the nests and routine
 * calls of the run function in the order of its text.
 *
 * The run function is printed twice. kws_run has no hooks and pays nothing for them;
 * kws_profiled, which the descriptor enters when there is a hook, has the lines marked
 * HOOK_LINE as well. Nests that share a function are regions of their own, since the calls are
 * counted; one in a loop is entered as often as the loop turns. */
#include "codegen/emit.h"

/* The ONNX nodes, then what stands before the colon or bracket of the nest's text, the names of
 * its statements, by which the remarks of scheduling call them: "conv1, relu1: S3". */
static const char *region_name(struct emit *em, const struct ast_node *n) {
    enum { LONG = 80 }; // characters, of each of the two
    struct str name = {0}, part = {0};
    comment_put(&part, n->loc.node ? n->loc.node : "");
    if (part.len > 0)
        str_addf(&name, part.len > LONG ? "%.*s...: " : "%.*s: ", LONG, str_cstr(&part));
    size_t len = strcspn(n->name, "[:");
    str_addf(&name, len > LONG ? "%.*s..." : "%.*s", (int)(len > LONG ? LONG : len), n->name);
    const char *out = arena_strdup(&em->arena, str_cstr(&name));
    str_free(&name);
    str_free(&part);
    return out;
}

static void put_hook(struct emit *em, bool enter) {
    putf(em, "%c", HOOK_LINE);
    put_indent(em);
    putf(em, "hooks->profile(hooks->user, %d, %d);\n", em->regions.len - 1, enter);
}

bool region_open(struct emit *em, const struct ast_node *n) {
    if (em->fn.is_nest || em->fn.region)
        return false;
    vec_push(&em->arena, &em->regions, region_name(em, n));
    em->fn.region = true;
    put_hook(em, true);
    return true;
}

void region_leave(struct emit *em) {
    if (em->fn.region)
        put_hook(em, false);
}

void region_close(struct emit *em) {
    region_leave(em);
    em->fn.region = false;
}
