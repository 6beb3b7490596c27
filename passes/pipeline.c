/* Runs passes.def: verifier, dumps, stop and start, times. One of the two files that may see
 * every folder. */
#include "ir/arena.h"
#include "ir/constant.h"
#include "passes/passes.h"
#include "polyhedral/polyhedral.h"
#include <errno.h>
#include <stdio.h>
#include <time.h>

/* ---- the table ---- */

/* The program between two passes. The graph and the loops stay when the next language was made,
 * as owners of constants' bytes. */
struct state {
    struct compile *compile;
    const struct pipeline_options *opt;
    struct graph *graph;
    struct loops *loops;
    struct poly *poly; // of the loops
    struct ast *ast;
    enum pass_level level; // of the language that is current
    bool typed;            // GRAPH: after infer
    struct arena scratch;
    struct constant_pool pool; // constants of all dumps
};

static bool run_infer(struct state *s) {
    s->typed = true;
    return pass_infer(s->compile, s->graph);
}

static bool run_fold(struct state *s) {
    return pass_fold(s->compile, s->graph);
}

static bool run_rewrite(struct state *s) {
    return pass_rewrite(s->compile, s->graph);
}

static bool run_expand(struct state *s) {
    return pass_expand(s->compile, s->graph);
}

static bool run_clean(struct state *s) {
    return pass_clean(s->compile, s->graph);
}

static bool run_lower(struct state *s) {
    s->loops = loops_from_graph(s->compile, s->graph);
    return s->loops != NULL;
}

static bool run_fuse(struct state *s) {
    return pass_fuse(s->compile, s->loops);
}

static bool run_slice(struct state *s) {
    return pass_slice(s->compile, s->loops);
}

static bool run_separate(struct state *s) {
    return pass_separate(s->compile, s->loops);
}

static bool run_collapse(struct state *s) {
    return pass_collapse(s->compile, s->loops);
}

/* The loops as sets and maps, and the proof that they are right. */
static bool import_loops(struct state *s) {
    s->poly = poly_import(s->loops, s->compile->diag);
    poly_target(s->poly, s->compile->target);
    bool inside = poly_bounds(s->poly);
    return poly_depend(s->poly) && inside;
}

static bool run_import(struct state *s) {
    return import_loops(s);
}

static bool run_layout(struct state *s) {
    poly_layout(s->poly, s->compile->strict);
    return true;
}

static bool run_schedule(struct state *s) {
    poly_schedule(s->poly, s->compile->strict, s->compile->opt_level >= 2);
    return true;
}

static bool run_certify(struct state *s) {
    return poly_certify(s->poly);
}

static void remark_poly(const struct state *s) {
    const struct poly_figures f = poly_figures(s->poly);
    const struct stmt *first = s->loops->body.first;
    struct loc loc = {.file = first ? first->loc.file : s->loops->name};
    diag_remark(
        s->compile->diag, REMARK_ANALYSIS, loc,
        "%d statements in %d regions, %d accesses, %d dependences, %d shrunk reductions, "
        "%d tiles; %d not proven, %d quota hits, %d fall-backs",
        f.statements, f.regions, f.accesses, f.dependences, f.shrunk, f.tiles, f.unproven,
        f.quota_hits, f.fallbacks);
}

static bool run_astgen(struct state *s) {
    s->ast = ast_from_poly(s->poly, s->compile->names, s->compile->strict);
    remark_poly(s);
    return true;
}

static bool run_naive(struct state *s) {
    s->ast = ast_from_loops(s->compile, s->loops);
    return s->ast != NULL;
}

static bool run_inplace(struct state *s) {
    return pass_inplace(s->compile, s->ast);
}

bool pass_arena(struct compile *c, struct ast *a) {
    arena_plan(a);
    return arena_check(a, c->diag);
}

static bool run_arena(struct state *s) {
    return pass_arena(s->compile, s->ast);
}

#define PASS(takes, leaves, name, low, high, need, doc)                                        \
    {LEVEL_##takes, LEVEL_##leaves, #name, low, high, NEED_##need, doc},
enum { NEED_MAY, NEED_MUST };
static const struct pass_info passes[] = {
#include "passes/passes.def"
};

#define PASS(takes, leaves, name, low, high, need, doc) run_##name,
static bool (*const runs[])(struct state *s) = {
#include "passes/passes.def"
};

#define PASS(takes, leaves, name, low, high, need, doc)
#define AFTER(a, b, why) {#a, #b, why},
static const struct pass_order orders[] = {
#include "passes/passes.def"
};

enum { NUM_PASSES = sizeof passes / sizeof *passes };

const struct pass_info *pass_list(int *count) {
    *count = NUM_PASSES;
    return passes;
}

const struct pass_order *pass_orders(int *count) {
    *count = sizeof orders / sizeof *orders;
    return orders;
}

int pass_find(const char *name) {
    for (int k = 0; k < NUM_PASSES; k++)
        if (strcmp(passes[k].name, name) == 0)
            return k;
    return -1;
}

static bool at_level(const struct pass_info *p, int opt_level) {
    return p->min_opt <= opt_level && opt_level <= p->max_opt;
}

const struct pass_info *pass_last(enum pass_level leaves, int opt_level) {
    const struct pass_info *last = NULL;
    for (int k = 0; k < NUM_PASSES; k++)
        if (passes[k].leaves == leaves && at_level(&passes[k], opt_level))
            last = &passes[k];
    return last;
}

/* ---- options ---- */

/* Is `name` one of the comma-separated words of `list`? */
static bool listed(const char *list, const char *name) {
    size_t len = strlen(name);
    for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, name, len) == 0 && (p[len] == ',' || p[len] == '\0'))
            return true;
    return false;
}

static bool is_dumped(const struct pipeline_options *opt, int pass) {
    return opt->dump && (listed(opt->dump, "all") || listed(opt->dump, passes[pass].name));
}

static bool is_run(const struct state *s, int pass) {
    return passes[pass].takes == s->level && at_level(&passes[pass], s->compile->opt_level) &&
           !listed(s->opt->skip, passes[pass].name);
}

/* Every word of a list must be a pass; those of `skip` one that may be skipped. */
static bool check_list(struct state *s, const char *flag, const char *list, bool skip) {
    struct loc nowhere = {0};
    bool ok = true;
    for (const char *p = list; p && *p;) {
        size_t len = strcspn(p, ",");
        char *name = arena_alloc(&s->scratch, len + 1);
        memcpy(name, p, len);
        int pass = pass_find(name);
        bool all = strcmp(flag, "--dump") == 0 && strcmp(name, "all") == 0;
        if (pass < 0 && !all)
            diag_error(s->compile->diag, nowhere, "%s: there is no pass '%s' (see --passes)",
                       flag, name);
        else if (skip && passes[pass].required)
            diag_error(s->compile->diag, nowhere, "%s: pass '%s' cannot be skipped", flag,
                       name);
        ok &= (pass >= 0 || all) && !(skip && passes[pass].required);
        p += len + (p[len] == ',');
    }
    return ok;
}

static bool check_options(struct state *s) {
    const struct pipeline_options *opt = s->opt;
    bool ok = check_list(s, "--dump", opt->dump, false);
    ok &= check_list(s, "--stop", opt->stop, false);
    ok &= check_list(s, "--start", opt->start, false);
    ok &= check_list(s, "--skip", opt->skip, true);
    if (ok && opt->start && opt->stop && pass_find(opt->stop) <= pass_find(opt->start)) {
        diag_error(s->compile->diag, (struct loc){0}, "--stop: pass '%s' is not after '%s'",
                   opt->stop, opt->start);
        ok = false;
    }
    if (ok && opt->start &&
        !pass_last(passes[pass_find(opt->start)].leaves, s->compile->opt_level)) {
        diag_error(s->compile->diag, (struct loc){0},
                   "--start: nothing goes on from '%s' at -O%d", opt->start,
                   s->compile->opt_level);
        ok = false;
    }
    return ok;
}

/* ---- text ---- */

static void print_state(struct state *s, struct str *text) {
    if (s->level == LEVEL_GRAPH)
        graph_print(text, s->graph, &s->pool);
    else if (s->level == LEVEL_LOOPS)
        loops_print(text, s->loops, &s->pool);
    else if (s->level == LEVEL_POLY)
        poly_print(text, s->poly, &s->pool);
    else
        ast_print(text, s->ast, &s->pool);
}

static const char *dump_dir(const struct state *s) {
    return s->opt->dump_dir ? s->opt->dump_dir : ".";
}

static bool cannot_write(struct state *s, const char *path) {
    diag_error(s->compile->diag, (struct loc){.file = path}, "cannot write: %s",
               strerror(errno));
    return false;
}

static bool write_dump(struct state *s, int pass, const char *text, bool changed) {
    static const char *const endings[] = {"graph", "loops", "poly", "ast"};
    char *path = arena_printf(&s->scratch, "%s/%02d-%s.%s", dump_dir(s), pass + 1,
                              passes[pass].name, endings[s->level]);
    char *whole = arena_printf(&s->scratch, "// after %s%s\n%s", passes[pass].name,
                               changed ? "" : " (unchanged)", text);
    return file_write(path, whole, strlen(whole)) || cannot_write(s, path);
}

static bool write_constants(struct state *s) {
    if (!s->opt->dump && !(s->opt->stop && s->opt->dump_dir))
        return true;
    char *path = arena_printf(&s->scratch, "%s/constants.bin", dump_dir(s));
    return constant_pool_write(&s->pool, path) || cannot_write(s, path);
}

/* ---- reading a dump ---- */

/* The loops, which are proven anew, and their schedules, which are certified before anything is
 * made of them. Passes before schedule leave none behind. */
static bool read_poly(struct state *s, const char *file, const char *text, size_t len,
                      const struct constant_pool *side) {
    struct compile *c = s->compile;
    size_t split = poly_find_schedule(text, len);
    s->loops = loops_read(file, text, split, c->names, side, c->diag);
    if (!s->loops || !loops_check(s->loops, c->diag) || !import_loops(s))
        return false;
    if (split == len && pass_find(s->opt->start) < pass_find("schedule"))
        return true;
    return poly_read_schedule(s->poly, file, text, len) && poly_certify(s->poly);
}

static bool read_state(struct state *s, const char *file, const char *text, size_t len,
                       struct constant_pool *side) {
    struct compile *c = s->compile;
    const char *slash = strrchr(file, '/');
    char *path = arena_printf(&s->scratch, "%.*sconstants.bin",
                              slash ? (int)(slash - file) + 1 : 0, file);
    if (!constant_pool_read(side, path, c->diag))
        return false;
    if (s->level == LEVEL_GRAPH)
        s->graph = graph_read(file, text, len, c->names, side, c->diag);
    else if (s->level == LEVEL_LOOPS)
        s->loops = loops_read(file, text, len, c->names, side, c->diag);
    else if (s->level == LEVEL_POLY)
        return read_poly(s, file, text, len, side);
    else
        s->ast = ast_read(file, text, len, c->names, side, c->diag);
    return s->graph || s->loops || s->ast;
}

/* ---- running ---- */

static bool verify(struct state *s) {
    if (s->level == LEVEL_GRAPH)
        return graph_check(s->graph, s->typed, s->compile->diag);
    if (s->level == LEVEL_LOOPS)
        return loops_check(s->loops, s->compile->diag);
    if (s->level == LEVEL_POLY)
        return true; // what there is to check are the passes import and certify
    return ast_check(s->ast, s->compile->diag);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One pass with its dump, time and verification. */
static bool run_pass(struct state *s, int pass) {
    bool dumped = is_dumped(s->opt, pass), ok = true;
    enum pass_level before = s->level;
    struct str old = {0}, new = {0};
    if (dumped)
        print_state(s, &old);
    s->compile->diag->pass = passes[pass].name;
    double start = seconds();
    if (!runs[pass](s)) {
        str_free(&old);
        return false;
    }
    s->level = passes[pass].leaves;
    if (s->opt->time)
        fprintf(stderr, "%-8s %9.3f ms\n", passes[pass].name, 1e3 * (seconds() - start));
    if (!verify(s))
        bug("pass '%s' left an invalid program", passes[pass].name);
    if (dumped) {
        print_state(s, &new);
        bool changed = before != s->level || strcmp(str_cstr(&old), str_cstr(&new)) != 0;
        ok = write_dump(s, pass, str_cstr(&new), changed);
    }
    str_free(&old);
    str_free(&new);
    return ok;
}

static bool run_all(struct state *s, int first, struct pipeline_result *out) {
    int stop = s->opt->stop ? pass_find(s->opt->stop) : NUM_PASSES - 1;
    for (int pass = first; pass <= stop; pass++)
        if (is_run(s, pass) && !run_pass(s, pass))
            return false;
    if (s->opt->stop)
        print_state(s, &out->text);
    return write_constants(s);
}

/* Loops of a dump are proven before a pass changes them: what is wrong has its own names then,
 * and is not gone with an array. False after errors. */
static bool prove_dump(struct state *s, int first) {
    bool changed = false;
    for (int pass = first; pass < NUM_PASSES && s->level == LEVEL_LOOPS; pass++)
        changed = changed || (is_run(s, pass) && passes[pass].leaves == LEVEL_LOOPS);
    if (!changed)
        return true;
    bool ok = import_loops(s);
    poly_free(s->poly);
    s->poly = NULL;
    return ok;
}

/* Everything between the check of the options and the result. */
static bool start(struct state *s, const char *file, const char *text, size_t len,
                  struct pipeline_result *out) {
    int first = 0;
    if (s->opt->start) {
        struct constant_pool side = {.arena = &out->constants};
        first = pass_find(s->opt->start) + 1;
        s->level = passes[first - 1].leaves;
        s->typed = true;
        if (!read_state(s, file, text, len, &side))
            return false;
    }
    if (!verify(s) ||
        (first > 0 && s->level == LEVEL_GRAPH && !infer_again(s->compile, s->graph)) ||
        (first > 0 && !prove_dump(s, first)))
        return false;
    return run_all(s, first, out);
}

bool pipeline_run(struct compile *c, const struct pipeline_options *opt, struct graph *g,
                  const char *file, const char *text, size_t len, struct pipeline_result *out) {
    struct state s = {.compile = c, .opt = opt, .graph = g, .level = LEVEL_GRAPH};
    *out = (struct pipeline_result){0};
    s.pool.arena = &s.scratch;
    bool ok = check_options(&s) && start(&s, file, text, len, out);
    c->diag->pass = NULL;
    poly_free(s.poly);
    out->graph = s.graph;
    out->loops = s.loops;
    if (s.ast && (!ok || opt->stop))
        ast_free(s.ast);
    else
        out->ast = s.ast;
    arena_free(&s.scratch);
    return ok;
}

void pipeline_free(struct pipeline_result *r) {
    if (r->ast)
        ast_free(r->ast);
    if (r->loops)
        loops_free(r->loops);
    graph_free(r->graph);
    str_free(&r->text);
    arena_free(&r->constants);
    *r = (struct pipeline_result){0};
}
