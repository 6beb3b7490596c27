/* Every nest of the final asts of whole models, as a small program (small.h), run both ways.
 *
 *     nests [--all | --seconds=N] [--mcpu=CPU] [--keep=DIR] [--show] [FILE...]
 *
 * FILE: models, or loops dumps (FILE.loops, with constants.bin beside it). Without: the models
 * of the project, then those of $NNCC_MODELS (../shared/models when there is one), small files
 * first, until N seconds (60) have gone by; --all takes the time that it needs. Equal programs
 * run once. --mcpu: tiles and layouts for that processor (the interpreter needs none). --keep:
 * programs that fail are written to DIR/<hash>/nest.loops, a dump that `nncc --start=fuse`
 * takes. --show: prints each program.
 *
 * The programs of a model run in a process of their own, so that one that ends in a bug is a
 * failure like any other: the next process goes on behind it. */
#include "codegen/codegen.h"
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
    const struct target *target;
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
    int whole, tiled, untiled;  // runs that are one nest again; with tiles; that lost them
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

/* A program that has not run before. */
struct job {
    struct small_nest nest;
    enum small_corner corner;
    const char *called, *hash;
    bool tiled; // in the model
};
struct jobs {
    struct arena arena;
    vec(struct job) list;
};

/* What the process of a program says of it. */
struct verdict {
    bool same;
    struct compare_figures figures;
    char why[600];
};

/* Builds and compares; in the process of the program. */
static struct verdict judge(const struct tally *t, const struct job *job, bool strict) {
    struct verdict v = {false, {0}, ""};
    struct str messages = {0}, why = {0};
    struct diag diag = {.sink = &messages};
    struct arena arena = {0};
    struct intern names = {.arena = &arena};
    struct compile c = {.diag = &diag,
                        .names = &names,
                        .opt_level = 2,
                        .strict = strict,
                        .target = t->opt->target};
    struct loops *l = small_build(&job->nest, job->corner, &names, NULL);
    v.same = compare_ways(&c, l, strict, &v.figures, &why);
    snprintf(v.why, sizeof v.why, "%s", str_cstr(&why));
    loops_free(l);
    intern_free(&names);
    arena_free(&arena);
    str_free(&messages);
    str_free(&why);
    return v;
}

/* A program that failed, as a dump of its own folder. */
static void keep(const struct tally *t, const struct job *job) {
    struct arena arena = {0};
    struct intern names = {.arena = &arena};
    struct constant_pool pool = {.arena = &arena};
    struct str text = {0};
    char *dir = arena_printf(&arena, "%s/%s", t->opt->keep, job->hash);
    struct loops *l = small_build(&job->nest, job->corner, &names, NULL);
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

static void count_verdict(struct tally *t, const struct job *job, bool strict,
                          const struct verdict *v) {
    static const char *const corners[] = {"low", "high"};
    t->runs++;
    t->whole += v->figures.nests == 1;
    t->tiled += v->figures.tiles > 0;
    t->untiled += job->tiled && v->figures.tiles == 0;
    t->ended += v->same && v->figures.code != 0;
    if (!v->same)
        printf("FAIL nests %s, %s corner%s: %s (%s)\n", job->called, corners[job->corner],
               strict ? ", strict" : "", v->why, job->hash);
}

static void count_program(struct tally *t, const struct job *job, bool failed) {
    t->programs++;
    t->failed += failed;
    if (failed && t->opt->keep)
        keep(t, job);
}

/* ---- all programs of a model ---- */

/* The process: a verdict for each, plain and strict, from number `first` on. */
static _Noreturn void judge_all(const struct tally *t, const struct jobs *jobs, int first,
                                int out) {
    for (int k = 2 * first; k < 2 * jobs->list.len; k++) {
        if (k % 2 == 0 && out_of_time(t))
            _exit(EXIT_SUCCESS);
        struct verdict v = judge(t, &jobs->list.data[k / 2], k % 2);
        if (write(out, &v, sizeof v) != (ssize_t)sizeof v)
            _exit(EXIT_FAILURE);
    }
    _exit(EXIT_SUCCESS);
}

/* Takes the verdicts of a process until it ends; returns the number of the program that is
 * next. */
static int count_all(struct tally *t, const struct jobs *jobs, int first, int in, pid_t child) {
    struct verdict v;
    bool failed = false, all = true;
    int k = 2 * first, status;
    for (; k < 2 * jobs->list.len; k++) {
        all = read(in, &v, sizeof v) == (ssize_t)sizeof v;
        if (!all)
            break;
        count_verdict(t, &jobs->list.data[k / 2], k % 2, &v);
        failed = !v.same || (k % 2 && failed);
        if (k % 2)
            count_program(t, &jobs->list.data[k / 2], failed);
    }
    close(in);
    waitpid(child, &status, 0);
    if (all || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS))
        return jobs->list.len; // done, or out of time
    v = (struct verdict){.why = "the process ended without an answer"};
    count_verdict(t, &jobs->list.data[k / 2], k % 2, &v);
    count_program(t, &jobs->list.data[k / 2], true);
    return k / 2 + 1;
}

static void run_jobs(struct tally *t, const struct jobs *jobs) {
    for (int next = 0; next < jobs->list.len;) {
        int ends[2];
        fflush(stdout);
        if (pipe(ends) != 0)
            bug("no pipe: %s", strerror(errno));
        pid_t child = fork();
        if (child < 0)
            bug("no process: %s", strerror(errno));
        if (child == 0)
            judge_all(t, jobs, next, ends[1]);
        close(ends[1]);
        next = count_all(t, jobs, next, ends[0], child);
    }
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

static void find_program(struct tally *t, struct jobs *jobs, struct job job) {
    struct arena arena = {0};
    struct intern names = {.arena = &arena};
    int64_t steps;
    struct loops *l = small_build(&job.nest, job.corner, &names, &steps);
    job.hash = new_hash(t, l, job.called);
    loops_free(l);
    intern_free(&names);
    arena_free(&arena);
    if (job.hash && steps > MOST_STEPS) {
        printf("%s: too large, %lld steps\n", job.called, (long long)steps);
        t->large++;
    } else if (job.hash) {
        vec_push(&jobs->arena, &jobs->list, job);
    }
}

static void find_programs(struct tally *t, struct jobs *jobs, const struct loops *l,
                          const struct ast_list *list, const char *file) {
    for (const struct ast_node *n = list->first; n && !out_of_time(t); n = n->next) {
        struct job job = {.hash = NULL};
        if (n->kind != AST_NEST) {
            find_programs(t, jobs, l, &n->body, file);
            find_programs(t, jobs, l, &n->orelse, file);
        } else if (small_find(l, n, &jobs->arena, &job.nest)) {
            size_t len = job.nest.num > 1 ? strlen(n->name) : strcspn(n->name, "[");
            job.called = arena_printf(&jobs->arena, "%s: %.*s", file, (int)len, n->name);
            job.tiled = compare_tiles(&n->body) > 0;
            t->nests++;
            t->shared += job.nest.num > 1;
            for (int corner = 0; corner < NUM_CORNERS; corner++) {
                job.corner = (enum small_corner)corner;
                find_program(t, jobs, job);
            }
        }
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
        struct jobs jobs = {.arena = {NULL}};
        find_programs(t, &jobs, l, &a->body, file);
        ast_free(a);
        run_jobs(t, &jobs);
        arena_free(&jobs.arena);
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
    struct compile c = {
        .diag = &diag, .names = &names, .opt_level = 2, .target = t->opt->target};
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
    printf(
        "%d different programs in %d runs: %d are one nest again, %d have tiles, %d have "
        "none although the model's nest does, %d ended with an error, %d more were too large; "
        "%.1f s\n",
        t->programs, t->runs, t->whole, t->tiled, t->untiled, t->ended, t->large,
        seconds() - t->start);
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
    else if (strncmp(arg, "--mcpu=", 7) == 0)
        opt->target = target_find(arg + 7);
    else if (strcmp(arg, "--show") == 0)
        opt->show = true;
    else
        return false;
    return opt->target != NULL;
}

int main(int argc, char **argv) {
    struct options opt = {.seconds = 60, .target = target_find("scalar")};
    struct tally t = {.opt = &opt, .start = seconds()};
    int k = 1;
    while (k < argc && read_option(&opt, argv[k]))
        k++;
    if (k < argc && argv[k][0] == '-') {
        fprintf(stderr, "usage: nests [--all | --seconds=N] [--mcpu=CPU] [--keep=DIR] [--show] "
                        "[FILE...]\n");
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
