/* Every nest of the final asts of whole models, as a small program (small.h), run both ways.
 *
 *     nests [--all | --seconds=N] [--keep=DIR] [--show] [FILE...]
 *
 * FILE: models, or loops dumps (FILE.loops, with constants.bin beside it). Without: the models
 * of the project, then those of $NNCC_MODELS (../shared/models when there is one), small files
 * first, until N seconds (60) have gone by; --all takes the time that it needs. Equal programs
 * run once. --keep: programs that fail are written to DIR/<hash>/nest.loops, a dump that
 * `nncc --start=fuse` takes. --show: prints each program.
 *
 * Each program runs in a process of its own, so that one that ends in a bug is a failure like
 * any other. */
#include "frontend/frontend.h"
#include "ir/constant.h"
#include "polyhedral/polyhedral.h"
#include "tests/nests/compare.h"
#include "tests/nests/small.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_STEPS = 50000000 }; // of a program that is run

struct options {
    double seconds; // 0: no end
    const char *keep;
    bool show;
};

struct tally {
    const struct options *opt;
    double start;
    struct arena arena;
    struct map seen; // hashes of programs
    int models, refused, left;
    int nests, shared;          // of the models; with several statements
    int programs, runs, failed; // different ones
    int whole, tiled;           // runs that are one nest again; with tiles
    int large, ended;           // programs that are not run; runs that end with an error
};

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool out_of_time(const struct tally *t) {
    return t->opt->seconds > 0 && seconds() - t->start > t->opt->seconds;
}

/* ---- one program ---- */

/* What the process of a program says of it. */
struct verdict {
    bool same;
    struct compare_figures figures;
    char why[600];
};

/* Builds and compares; in the process of the program. */
static struct verdict judge(const struct small_nest *nest, enum small_corner corner,
                            bool strict) {
    struct verdict v = {false, {0}, ""};
    struct str messages = {0}, why = {0};
    struct diag diag = {.sink = &messages};
    struct arena arena = {0};
    struct intern names = {.arena = &arena};
    struct compile c = {.diag = &diag, .names = &names, .opt_level = 2, .strict = strict};
    struct loops *l = small_build(nest, corner, &names, NULL);
    v.same = compare_ways(&c, l, strict, &v.figures, &why);
    snprintf(v.why, sizeof v.why, "%s", str_cstr(&why));
    loops_free(l);
    intern_free(&names);
    arena_free(&arena);
    str_free(&messages);
    str_free(&why);
    return v;
}

static struct verdict judge_apart(const struct small_nest *nest, enum small_corner corner,
                                  bool strict) {
    struct verdict v = {false, {0}, "the process ended without an answer"};
    int ends[2], status;
    fflush(stdout);
    if (pipe(ends) != 0)
        bug("no pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        struct verdict mine = judge(nest, corner, strict);
        ssize_t done = write(ends[1], &mine, sizeof mine);
        _exit(done == (ssize_t)sizeof mine ? 0 : 1);
    }
    close(ends[1]);
    if (child < 0)
        bug("no process: %s", strerror(errno));
    ssize_t got = read(ends[0], &v, sizeof v);
    close(ends[0]);
    waitpid(child, &status, 0);
    if (got != (ssize_t)sizeof v)
        v.same = false;
    return v;
}

/* A program that failed, as a dump of its own folder. */
static void keep(const struct tally *t, const struct small_nest *nest, enum small_corner corner,
                 const char *hash) {
    struct arena arena = {0};
    struct intern names = {.arena = &arena};
    struct constant_pool pool = {.arena = &arena};
    struct str text = {0};
    char *dir = arena_printf(&arena, "%s/%s", t->opt->keep, hash);
    struct loops *l = small_build(nest, corner, &names, NULL);
    loops_print(&text, l, &pool);
    mkdir(t->opt->keep, 0777);
    mkdir(dir, 0777);
    if (!file_write(arena_printf(&arena, "%s/nest.loops", dir), text.data, text.len) ||
        !constant_pool_write(&pool, arena_printf(&arena, "%s/constants.bin", dir)))
        printf("cannot write to %s: %s\n", dir, strerror(errno));
    str_free(&text);
    loops_free(l);
    intern_free(&names);
    arena_free(&arena);
}

static void run_program(struct tally *t, const struct small_nest *nest,
                        enum small_corner corner, const char *called, const char *hash) {
    static const char *const corners[] = {"low", "high"};
    bool failed = false;
    for (int strict = 0; strict < 2; strict++) {
        struct verdict v = judge_apart(nest, corner, strict);
        t->runs++;
        t->whole += v.figures.nests == 1;
        t->tiled += v.figures.tiles > 0;
        t->ended += v.same && v.figures.code != 0;
        if (v.same)
            continue;
        printf("FAIL nests %s, %s corner%s: %s (%s)\n", called, corners[corner],
               strict ? ", strict" : "", v.why, hash);
        failed = true;
    }
    t->failed += failed;
    if (failed && t->opt->keep)
        keep(t, nest, corner, hash);
}

/* ---- nests ---- */

/* The hash of a program's text; NULL: it ran before. */
static const char *new_hash(struct tally *t, const struct loops *l, const char *called) {
    struct str text = {0};
    bool added;
    loops_print(&text, l, NULL);
    const char *hash =
        arena_printf(&t->arena, "%016llx", (unsigned long long)hash_bytes(text.data, text.len));
    map_put(&t->seen, hash, &added);
    if (added && t->opt->show)
        printf("// %s, %s\n%s", called, hash, str_cstr(&text));
    str_free(&text);
    return added ? hash : NULL;
}

static void run_corner(struct tally *t, const struct small_nest *nest, enum small_corner corner,
                       const char *called) {
    struct arena arena = {0};
    struct intern names = {.arena = &arena};
    int64_t steps;
    struct loops *l = small_build(nest, corner, &names, &steps);
    const char *hash = new_hash(t, l, called);
    loops_free(l);
    intern_free(&names);
    arena_free(&arena);
    if (hash && steps > MOST_STEPS) {
        printf("%s: too large, %lld steps\n", called, (long long)steps);
        t->large++;
    } else if (hash) {
        t->programs++;
        run_program(t, nest, corner, called, hash);
    }
}

static void run_nests(struct tally *t, const struct loops *l, const struct ast_list *list,
                      const char *file) {
    for (const struct ast_node *n = list->first; n && !out_of_time(t); n = n->next) {
        struct arena arena = {0};
        struct small_nest nest;
        if (n->kind != AST_NEST) {
            run_nests(t, l, &n->body, file);
            run_nests(t, l, &n->orelse, file);
        } else if (small_find(l, n, &arena, &nest)) {
            char *called = arena_printf(
                &arena, "%s: %.*s", file,
                (int)(nest.num > 1 ? strlen(n->name) : strcspn(n->name, "[")), n->name);
            t->nests++;
            t->shared += nest.num > 1;
            for (int corner = 0; corner < NUM_CORNERS; corner++)
                run_corner(t, &nest, (enum small_corner)corner, called);
        }
        arena_free(&arena);
    }
}

/* ---- models ---- */

struct model {
    const char *path;
    long long bytes;
};

/* All nests of the loops; they are scheduled here and used up. */
static void run_loops(struct tally *t, struct compile *c, struct loops *l, const char *file) {
    struct poly *p = poly_import(l, c->diag);
    if (poly_bounds(p) && poly_depend(p)) {
        poly_schedule(p, false, true);
        struct ast *a = ast_from_poly(p, c->names, false);
        run_nests(t, l, &a->body, file);
        ast_free(a);
    } else {
        printf("FAIL nests %s: not proven: %s\n", file, str_cstr(c->diag->sink));
        t->failed++;
    }
    poly_free(p);
}

/* False: this compiler does not take the model. */
static bool run_onnx(struct tally *t, struct compile *c, const char *path) {
    struct pipeline_options opt = {.stop = "fuse"};
    struct frontend_options bind = {.num_dims = 0};
    struct pipeline_result result;
    struct mapped_file file = file_map(path);
    struct graph *g =
        file.data ? graph_from_onnx(path, file.data, file.len, &bind, c->names, c->diag) : NULL;
    bool taken = g && pipeline_run(c, &opt, g, path, NULL, 0, &result);
    if (taken)
        run_loops(t, c, result.loops, path);
    if (g)
        pipeline_free(&result);
    if (file.data)
        file_unmap(file);
    return taken;
}

static bool run_dump(struct tally *t, struct compile *c, const char *path) {
    struct arena arena = {0};
    struct constant_pool pool = {.arena = &arena};
    size_t len;
    const char *slash = strrchr(path, '/');
    char *text = file_read(path, &len);
    char *side =
        arena_printf(&arena, "%.*sconstants.bin", slash ? (int)(slash - path) + 1 : 0, path);
    struct loops *l = text && constant_pool_read(&pool, side, c->diag)
                          ? loops_read(path, text, len, c->names, &pool, c->diag)
                          : NULL;
    bool taken = l && loops_check(l, c->diag);
    if (taken)
        run_loops(t, c, l, path);
    loops_free(l);
    free(text);
    arena_free(&arena);
    return taken;
}

static void run_file(struct tally *t, const char *path) {
    struct arena arena = {0};
    struct intern names = {.arena = &arena};
    struct str messages = {0};
    struct diag diag = {.sink = &messages};
    struct compile c = {.diag = &diag, .names = &names, .opt_level = 2};
    size_t len = strlen(path);
    bool dump = len > 6 && strcmp(path + len - 6, ".loops") == 0;
    bool taken = dump ? run_dump(t, &c, path) : run_onnx(t, &c, path);
    t->models += taken;
    t->refused += !taken;
    if (!taken && dump)
        printf("%s: %s", path, str_cstr(&messages));
    str_free(&messages);
    intern_free(&names);
    arena_free(&arena);
}

static int by_bytes(const void *a, const void *b) {
    const struct model *x = a, *y = b;
    int order = (x->bytes > y->bytes) - (x->bytes < y->bytes);
    return order ? order : strcmp(x->path, y->path);
}

/* All models a pattern names, small ones first. */
static void run_pattern(struct tally *t, const char *pattern) {
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    struct model *models = arena_array(&t->arena, struct model, found.gl_pathc);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        struct stat s;
        models[k] = (struct model){found.gl_pathv[k], 0};
        if (stat(models[k].path, &s) == 0)
            models[k].bytes = s.st_size;
    }
    qsort(models, found.gl_pathc, sizeof *models, by_bytes);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        if (out_of_time(t))
            t->left++;
        else
            run_file(t, models[k].path);
    }
    globfree(&found);
}

static void run_corpus(struct tally *t) {
    static const char *const folders[] = {"digits", "real", "arch"};
    const char *corpus = getenv("NNCC_MODELS");
    run_pattern(t, "examples/*/model.onnx");
    int own = t->models + t->refused;
    for (int k = 0; k < 3; k++)
        run_pattern(t, arena_printf(&t->arena, "%s/%s/*/model.onnx",
                                    corpus ? corpus : "../shared/models", folders[k]));
    if (t->models + t->refused + t->left == own)
        printf("no corpus (set NNCC_MODELS): only the project's own models run\n");
}

static void report(const struct tally *t) {
    printf("%d models (%d refused by the compiler, %d beyond the time), %d nests, %d of them "
           "of several statements\n",
           t->models, t->refused, t->left, t->nests, t->shared);
    printf("%d different programs in %d runs: %d are one nest again, %d have tiles, %d ended "
           "with an error, %d more were too large; %.1f s\n",
           t->programs, t->runs, t->whole, t->tiled, t->ended, t->large, seconds() - t->start);
    printf("%d passed, %d failed, %d skipped\n", t->programs - t->failed, t->failed, t->large);
}

/* False: that is no option. */
static bool read_option(struct options *opt, const char *arg) {
    if (strcmp(arg, "--all") == 0)
        opt->seconds = 0;
    else if (strncmp(arg, "--seconds=", 10) == 0)
        opt->seconds = strtod(arg + 10, NULL);
    else if (strncmp(arg, "--keep=", 7) == 0)
        opt->keep = arg + 7;
    else if (strcmp(arg, "--show") == 0)
        opt->show = true;
    else
        return false;
    return true;
}

int main(int argc, char **argv) {
    struct options opt = {.seconds = 60};
    struct tally t = {.opt = &opt, .start = seconds()};
    int k = 1;
    while (k < argc && read_option(&opt, argv[k]))
        k++;
    if (k < argc && argv[k][0] == '-') {
        fprintf(stderr, "usage: nests [--all | --seconds=N] [--keep=DIR] [--show] [FILE...]\n");
        return 2;
    }
    if (k == argc)
        run_corpus(&t);
    for (; k < argc; k++)
        run_file(&t, argv[k]);
    report(&t);
    map_free(&t.seen);
    arena_free(&t.arena);
    return t.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
