/* nncc: the command line. Reads a model (or a dump), runs it through the passes, writes C. One
 * of the two files that see every folder; what happens between reading and writing stands in
 * passes/passes.def. */
#include "codegen/codegen.h"
#include "frontend/frontend.h"
#include "ir/arena.h"
#include "ir/graph_dot.h"
#include "ir/interp.h"
#include "ir/op.h"
#include "options.h"
#include "passes/passes.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum exit_code { EXIT_DONE = 0, EXIT_MODEL = 1, EXIT_USAGE = 2, EXIT_VERIFY = 4, EXIT_IO = 5 };

/* Everything of one run of the compiler. */
struct job {
    struct options opt;
    struct frontend_options bind;
    struct pipeline_options pipe;
    struct compile compile;
    struct diag diag;
    struct arena arena;
    struct intern names;
    struct mapped_file model;
    char *dump; // the input with --start
    size_t dump_len;
    vec(const char *) depends; // files of external data
    struct pipeline_result result;
    struct str source, header, weights;
    struct c_figures figures;
    struct timespec clock; // when the step now running began
};

static bool is(const char *a, const char *b) {
    return a && strcmp(a, b) == 0;
}

static bool io_error(const char *path) {
    fprintf(stderr, "nncc: error: %s: %s\n", path, strerror(errno));
    return false;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* path with its ending replaced. */
static const char *with_ending(struct arena *a, const char *path, const char *ending) {
    const char *dot = strrchr(base_name(path), '.');
    int len = dot && dot != base_name(path) ? (int)(dot - path) : (int)strlen(path);
    return arena_printf(a, "%.*s%s", len, path, ending);
}

/* With --time: prints how long the step took that began at the last call. */
static void step_done(struct job *j, const char *step) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double ms = 1e3 * (double)(now.tv_sec - j->clock.tv_sec) +
                1e-6 * (double)(now.tv_nsec - j->clock.tv_nsec);
    if (j->opt.time && step)
        fprintf(stderr, "%-8s %9.3f ms\n", step, ms);
    j->clock = now;
}

/* ---- what only prints ---- */

static void print_passes(struct str *s) {
    static const char *const levels[] = {"graph", "loops", "poly", "ast"};
    int n;
    const struct pass_info *passes = pass_list(&n);
    for (int k = 0; k < n; k++)
        str_addf(s, "%2d  %-8s %-5s -> %-5s -O%d..%d  %s\n", k + 1, passes[k].name,
                 levels[passes[k].takes], levels[passes[k].leaves], passes[k].min_opt,
                 passes[k].max_opt, passes[k].doc);
}

static void print_cpus(struct str *s) {
    const struct cpu *cpu;
    str_add(s, "processor        table        floats registers  L1, L2, L3 in KiB   what it is "
               "(where the figures come from)\n");
    for (int k = 0; (cpu = target_list(k)); k++) {
        const struct target *t = &cpu->target;
        bool more = t->scalable && t->most_bytes > t->vector_bytes;
        str_addf(s, "%-16s %-12s %*d%s %9d  %5d %5d %6d  %s (%s)\n", cpu->name, t->name,
                 more ? 5 : 6, t->vector_bytes / (int)sizeof(float), more ? "+" : "",
                 t->registers, (int)(t->cache[0] >> 10), (int)(t->cache[1] >> 10),
                 (int)(t->cache[2] >> 10), cpu->doc, cpu->source);
    }
    str_addf(s, "%-16s %-12s %29s  the processor that nncc runs on\n", "native",
             target_find("native")->name, "");
}

static bool prints_only(const struct options *o) {
    return o->help || o->version || o->passes || o->ops || is(o->mcpu, "help");
}

static enum exit_code print_text(const struct str *s) {
    bool ok = fwrite(s->data, 1, s->len, stdout) == s->len && fflush(stdout) == 0;
    return ok || io_error("standard output") ? EXIT_DONE : EXIT_IO;
}

static enum exit_code print_information(const struct options *o) {
    struct str s = {0};
    if (o->help)
        options_help(&s);
    else if (o->version)
        str_add(&s, "nncc " NNCC_VERSION "\n");
    else if (o->passes)
        print_passes(&s);
    else if (is(o->mcpu, "help"))
        print_cpus(&s);
    else
        op_print_table(&s);
    enum exit_code code = print_text(&s);
    str_free(&s);
    return code;
}

/* ---- the command line's meaning ---- */

static bool parse_extent(const char **p, int64_t *v) {
    char *end;
    errno = 0;
    *v = **p >= '0' && **p <= '9' ? strtoll(*p, &end, 10) : -1;
    if (*v < 0 || errno)
        return false;
    *p = end;
    return true;
}

static bool parse_dim(struct job *j, const char *text, int k) {
    const char *equals = strrchr(text, '=');
    const char *p = equals ? equals + 1 : "";
    int64_t size;
    if (!equals || equals == text || !parse_extent(&p, &size) || *p)
        return usage_error("--dim=%s: expected NAME=SIZE", text);
    j->bind.dims[k].name = arena_printf(&j->arena, "%.*s", (int)(equals - text), text);
    j->bind.dims[k].size = size;
    return true;
}

static bool parse_shape(struct job *j, const char *text, int k) {
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text)
        return usage_error("--shape=%s: expected INPUT=N,N,...", text);
    int64_t dims[GRAPH_MAX_RANK];
    int rank = 0;
    for (const char *p = equals + 1; *p;) {
        if (rank == GRAPH_MAX_RANK || !parse_extent(&p, &dims[rank++]) ||
            (*p && (*p != ',' || !p[1])))
            return usage_error("--shape=%s: expected INPUT=N,N,...", text);
        p += *p == ',';
    }
    j->bind.shapes[k].input = arena_printf(&j->arena, "%.*s", (int)(equals - text), text);
    j->bind.shapes[k].dims = arena_copy(&j->arena, dims, (size_t)rank * sizeof *dims);
    j->bind.shapes[k].rank = rank;
    return true;
}

static bool parse_bindings(struct job *j) {
    const struct options *o = &j->opt;
    j->bind.num_dims = o->dims.count;
    j->bind.num_shapes = o->shapes.count;
    j->bind.dims = arena_calloc(&j->arena, (size_t)o->dims.count, sizeof *j->bind.dims);
    j->bind.shapes = arena_calloc(&j->arena, (size_t)o->shapes.count, sizeof *j->bind.shapes);
    for (int k = 0; k < o->dims.count; k++)
        if (!parse_dim(j, o->dims.item[k], k))
            return false;
    for (int k = 0; k < o->shapes.count; k++)
        if (!parse_shape(j, o->shapes.item[k], k))
            return false;
    return true;
}

/* One word of a comma-separated list; *list moves behind it. */
static const char *next_word(struct arena *a, const char **list) {
    size_t len = strcspn(*list, ",");
    const char *word = arena_printf(a, "%.*s", (int)len, *list);
    *list += len + ((*list)[len] == ',');
    return word;
}

static bool parse_remarks(struct job *j) {
    for (int k = 0; k < j->opt.remarks.count; k++)
        for (const char *list = j->opt.remarks.item[k]; *list;) {
            const char *word = next_word(&j->arena, &list);
            unsigned kind = is(word, "passed")     ? REMARK_PASSED
                            : is(word, "missed")   ? REMARK_MISSED
                            : is(word, "analysis") ? REMARK_ANALYSIS
                                                   : 0;
            if (!kind)
                return usage_error("-R: there is no kind of remarks '%s'", word);
            j->diag.remarks |= kind;
        }
    return true;
}

/* The words of a list are passes. */
static bool check_passes(struct job *j, const char *flag, const char *list, bool all) {
    while (list && *list) {
        const char *word = next_word(&j->arena, &list);
        if (pass_find(word) < 0 && !(all && is(word, "all")))
            return usage_error("%s: there is no pass '%s'", flag, word);
    }
    return true;
}

/* A pass whose result is asked for runs at this level. */
static bool check_levels(struct job *j, const char *flag, const char *list) {
    int n, level = j->opt.opt_level;
    const struct pass_info *passes = pass_list(&n);
    while (list && *list) {
        const char *word = next_word(&j->arena, &list);
        const struct pass_info *p = is(word, "all") ? NULL : &passes[pass_find(word)];
        if (p && (level < p->min_opt || level > p->max_opt))
            return usage_error("%s: pass '%s' does not run at -O%d", flag, word, level);
    }
    return true;
}

/* A dump can be gone on from at this level. */
static bool check_start(struct job *j) {
    int n, level = j->opt.opt_level;
    const char *start = j->opt.start;
    const struct pass_info *passes = pass_list(&n);
    if (!check_passes(j, "--start", start, false))
        return false;
    return !start || pass_last(passes[pass_find(start)].leaves, level) ||
           usage_error("--start: nothing goes on from '%s' at -O%d", start, level);
}

static bool check_skip(struct job *j) {
    int n;
    const struct pass_info *passes = pass_list(&n);
    if (!check_passes(j, "--skip", j->opt.skip, false))
        return false;
    for (const char *list = j->opt.skip; list && *list;) {
        const char *word = next_word(&j->arena, &list);
        if (passes[pass_find(word)].required)
            return usage_error("--skip: pass '%s' cannot be left out", word);
    }
    return true;
}

/* --emit as the pass to stop after: the last that leaves the language behind. */
static bool parse_emit(struct job *j) {
    static const char *const later[] = {"obj", "asm", "llvm"};
    const char *emit = j->opt.emit;
    int level = is(emit, "graph") || is(emit, "dot") ? LEVEL_GRAPH
                : is(emit, "loops")                  ? LEVEL_LOOPS
                : is(emit, "schedule")               ? LEVEL_POLY
                : is(emit, "ast")                    ? LEVEL_AST
                                                     : -1;
    j->pipe.stop = j->opt.stop;
    for (size_t k = 0; k < sizeof later / sizeof *later; k++)
        if (is(emit, later[k]))
            return usage_error("--emit=%s is not available yet", emit);
    if (emit && level < 0 && !is(emit, "c"))
        return usage_error("--emit=%s: expected c, graph, dot, loops, schedule or ast", emit);
    if (emit && j->opt.stop)
        return usage_error("--emit and --stop exclude each other");
    if (level < 0)
        return true;
    const struct pass_info *last = pass_last((enum pass_level)level, j->opt.opt_level);
    if (!last)
        return usage_error("--emit=%s: no pass makes one at -O%d", emit, j->opt.opt_level);
    j->pipe.stop = last->name;
    return true;
}

static bool check_order_of_passes(const struct job *j) {
    if (j->opt.start && j->pipe.stop && pass_find(j->pipe.stop) <= pass_find(j->opt.start))
        return usage_error("a dump taken after '%s' is beyond '%s'", j->opt.start,
                           j->pipe.stop);
    return true;
}

static bool check_weights(const char *weights) {
    if (is(weights, "obj"))
        return usage_error("--weights=%s is not available yet", weights);
    return is(weights, "c") || is(weights, "bin") ||
           usage_error("--weights=%s: expected c or bin", weights);
}

/* Is the triple's machine, what stands before its first `-`, that of the target? An Arm of 32
 * bits has its version there: armv7l. */
static bool is_machine(const char *triple, const struct target *t) {
    size_t len = strlen(t->machine);
    bool begins = strncmp(triple, t->machine, len) == 0;
    return begins && (triple[len] == '-' || triple[len] == '\0' || triple[len] == 'v');
}

static bool is_known_machine(const char *triple) {
    const struct cpu *cpu;
    for (int k = 0; (cpu = target_list(k)); k++)
        if (cpu->target.machine && is_machine(triple, &cpu->target))
            return true;
    return false;
}

static bool parse_target(struct job *j) {
    const struct options *o = &j->opt;
    const struct target *t = j->compile.target = target_find(o->mcpu);
    if (!t)
        return usage_error("-mcpu: there is no processor '%s'; -mcpu=help lists them", o->mcpu);
    if (!o->target || (t->machine && is_machine(o->target, t)))
        return true;
    if (!is_known_machine(o->target))
        return usage_error("--target=%s: no processor of -mcpu is of this machine; portable C "
                           "is for any, without --target",
                           o->target);
    return !t->machine || usage_error("--target=%s: -mcpu=%s is of another machine, %s",
                                      o->target, o->mcpu, t->machine);
}

/* No flag is without effect: those of the C need C to be written. */
static bool check_combination(struct job *j) {
    const struct options *o = &j->opt;
    bool writes_c = o->output && !j->pipe.stop;
    if (!o->input)
        return usage_error("no model given");
    if (o->check && (o->output || o->emit || o->stop || o->verify))
        return usage_error("--check writes nothing: leave out -o, --emit, --stop and --verify");
    if (o->verify && j->pipe.stop)
        return usage_error("--verify runs the whole program: leave out --stop and --emit");
    if (!o->output && !o->check && !o->verify && !o->emit && !o->stop && !o->dump)
        return usage_error("no output: give -o FILE.c");
    if (!writes_c && (o->header || o->md || o->mf || is(o->weights, "bin")))
        return usage_error("--header, -MD, -MF and --weights=bin belong to -o with C");
    if (o->name && !is(c_identifier(&j->arena, o->name), o->name))
        return usage_error("--name=%s is no C identifier", o->name);
    if (o->start && (o->dims.count || o->shapes.count))
        return usage_error("--dim and --shape bind dimensions of a model, not of a dump");
    return !is(o->output, "-") || usage_error("-o -: leave it out; --emit=c prints the C");
}

static bool read_command_line(struct job *j, int argc, char **argv) {
    if (!options_read(&j->opt, &j->arena, argc, argv))
        return false;
    const struct options *o = &j->opt;
    if (prints_only(o))
        return true;
    j->pipe = (struct pipeline_options){.dump = o->dump,
                                        .dump_dir = o->dump_dir,
                                        .start = o->start,
                                        .skip = o->skip,
                                        .time = o->time};
    return check_passes(j, "--dump", o->dump, true) && check_levels(j, "--dump", o->dump) &&
           check_passes(j, "--stop", o->stop, false) && check_levels(j, "--stop", o->stop) &&
           check_start(j) && check_skip(j) && parse_emit(j) && check_order_of_passes(j) &&
           check_weights(o->weights) && parse_target(j) && check_combination(j) &&
           parse_bindings(j) && parse_remarks(j);
}

/* ---- reading and compiling ---- */

static void note_dependency(void *user, const char *file) {
    struct job *j = user;
    const char *base = base_name(j->opt.input);
    vec_push(&j->arena, &j->depends,
             arena_printf(&j->arena, "%.*s%s", (int)(base - j->opt.input), j->opt.input, file));
}

/* The input in memory; dumps may go to a new folder. */
static bool open_input(struct job *j) {
    if (j->opt.dump_dir && mkdir(j->opt.dump_dir, 0777) != 0 && errno != EEXIST)
        return io_error(j->opt.dump_dir);
    if (j->opt.dump && access(j->opt.dump_dir ? j->opt.dump_dir : ".", W_OK | X_OK) != 0)
        return io_error(j->opt.dump_dir ? j->opt.dump_dir : ".");
    if (j->opt.start)
        j->dump = file_read(j->opt.input, &j->dump_len);
    else
        j->model = file_map(j->opt.input);
    return j->dump || j->model.data || io_error(j->opt.input);
}

/* False after errors in the model, all reported. */
static bool compile_input(struct job *j) {
    struct graph *g = NULL;
    j->compile = (struct compile){.diag = &j->diag,
                                  .names = &j->names,
                                  .opt_level = j->opt.opt_level,
                                  .strict = j->opt.strict,
                                  .target = j->compile.target};
    if (!j->opt.start) {
        g = graph_from_onnx(j->opt.input, j->model.data, j->model.len, &j->bind, &j->names,
                            &j->diag);
        step_done(j, "read");
        if (!g)
            return false;
    }
    bool ok =
        pipeline_run(&j->compile, &j->pipe, g, j->opt.input, j->dump, j->dump_len, &j->result);
    step_done(j, NULL);
    if (ok && is(j->opt.emit, "dot")) {
        str_free(&j->result.text);
        graph_print_dot(&j->result.text, j->result.graph);
    }
    return ok;
}

/* ---- output ---- */

/* The model's file name as the ast remembers it, so that a dump gives the same C. */
static const char *source_name(const struct ast *a) {
    for (const struct ast_node *n = a->body.first; n; n = n->next)
        if (n->loc.file && !n->loc.line)
            return base_name(n->loc.file);
    return a->name;
}

static const char *header_path(struct job *j) {
    const char *out = j->opt.output ? j->opt.output : base_name(j->opt.input);
    return j->opt.header ? j->opt.header : with_ending(&j->arena, out, ".h");
}

static void print_c(struct job *j) {
    const char *out = j->opt.output ? j->opt.output : j->opt.input;
    const char *stem = with_ending(&j->arena, base_name(out), "");
    struct c_options c = {.prefix = j->opt.name ? j->opt.name : c_identifier(&j->arena, stem),
                          .header_name = base_name(header_path(j)),
                          .source_name = source_name(j->result.ast),
                          .version = NNCC_VERSION,
                          .weights = is(j->opt.weights, "bin") ? WEIGHTS_BIN : WEIGHTS_C,
                          .weights_file = &j->weights,
                          .target = j->compile.target,
                          .strict = j->opt.strict,
                          .diag = &j->diag};
    c_from_ast(j->result.ast, &c, &j->source, &j->header, &j->figures);
    step_done(j, "emit");
}

static void remark_figures(struct job *j) {
    const struct c_figures *f = &j->figures;
    struct loc loc = {.file = j->opt.input};
    arena_remarks(j->result.ast, &j->diag);
    diag_remark(&j->diag, REMARK_ANALYSIS, loc, "flash: %" PRId64 " bytes of constants",
                f->weight_bytes);
    diag_remark(&j->diag, REMARK_ANALYSIS, loc, "stack: at most %" PRId64 " bytes",
                f->stack_bytes);
    diag_remark(&j->diag, REMARK_ANALYSIS, loc, "work: %" PRIu64 " multiply-accumulates",
                f->macs);
}

/* A name in a dependency file. */
static void add_dependency(struct str *s, const char *name) {
    for (; *name; name++) {
        if (*name == '$')
            str_add(s, "$");
        else if (strchr(" #\\", *name))
            str_add(s, "\\");
        str_add_len(s, name, 1);
    }
}

static void print_dependencies(struct job *j, struct str *s) {
    add_dependency(s, j->opt.output);
    str_add(s, " ");
    add_dependency(s, header_path(j));
    str_add(s, ": ");
    add_dependency(s, j->opt.input);
    for (int k = 0; k < j->depends.len; k++) {
        str_add(s, " \\\n  ");
        add_dependency(s, j->depends.data[k]);
    }
    str_add(s, "\n");
}

/* A file to be written, first under another name. */
struct output {
    const char *path, *temporary;
    const struct str *text;
};

static bool is_device(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

/* All files appear, or none: they are renamed when all are written. A device is written to as
 * it is. */
static bool write_outputs(struct job *j, struct output *out, int n) {
    int written = 0, renamed = 0;
    bool ok = true;
    for (; ok && written < n; written += ok) {
        struct output *f = &out[written];
        f->temporary = is_device(f->path)
                           ? f->path
                           : arena_printf(&j->arena, "%s.new-%ld", f->path, (long)getpid());
        ok = file_write(f->temporary, f->text->data, f->text->len) || io_error(f->path);
    }
    for (; ok && renamed < n; renamed += ok)
        ok = out[renamed].temporary == out[renamed].path ||
             rename(out[renamed].temporary, out[renamed].path) == 0 ||
             io_error(out[renamed].path);
    for (int k = 0; !ok && k < written; k++)
        if (out[k].temporary != out[k].path)
            unlink(k < renamed ? out[k].path : out[k].temporary);
    return ok;
}

static bool same_file(const char *a, const char *b) {
    struct stat x, y;
    if (strcmp(a, b) == 0)
        return true;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

static bool paths_differ(const struct output *out, int n, const char *input) {
    for (int i = 0; i < n; i++) {
        if (same_file(out[i].path, input))
            return usage_error("the output %s is the input", out[i].path);
        for (int k = 0; k < i; k++)
            if (same_file(out[i].path, out[k].path))
                return usage_error("two outputs in %s", out[i].path);
    }
    return true;
}

static enum exit_code write_c(struct job *j) {
    const struct options *o = &j->opt;
    struct str depends = {0};
    struct output out[4] = {{o->output, NULL, &j->source}};
    int n = 1;
    bool bin = is(o->weights, "bin");
    if (bin && is_device(o->output)) {
        usage_error("--weights=bin puts a file beside %s, which is a device", o->output);
        return EXIT_USAGE;
    }
    if (bin)
        out[n++] =
            (struct output){arena_printf(&j->arena, "%s.bin", o->output), NULL, &j->weights};
    if (o->header || !is_device(o->output))
        out[n++] = (struct output){header_path(j), NULL, &j->header};
    if (o->md || o->mf) {
        print_dependencies(j, &depends);
        out[n++] = (struct output){o->mf ? o->mf : with_ending(&j->arena, o->output, ".d"),
                                   NULL, &depends};
    }
    enum exit_code code = !paths_differ(out, n, o->input) ? EXIT_USAGE
                          : write_outputs(j, out, n)      ? EXIT_DONE
                                                          : EXIT_IO;
    str_free(&depends);
    step_done(j, "write");
    return code;
}

static enum exit_code write_text(struct job *j) {
    struct output out = {j->opt.output, NULL, &j->result.text};
    if (!j->opt.output)
        return print_text(&j->result.text);
    if (!paths_differ(&out, 1, j->opt.input))
        return EXIT_USAGE;
    return write_outputs(j, &out, 1) ? EXIT_DONE : EXIT_IO;
}

/* ---- --verify ---- */

/* How far an output is from what was recorded. */
struct difference {
    double max_abs, max_rel;
    int64_t bad; // elements beyond tolerance
};

/* The largest finite magnitude. */
static double magnitude(enum dtype t, const void *data, int64_t n) {
    double most = 0;
    for (int64_t k = 0; dtype_is_float(t) && k < n; k++) {
        double v = fabs(dtype_load(t, data, k).f);
        if (isfinite(v) && v > most)
            most = v;
    }
    return most;
}

static double as_double(enum dtype t, const void *data, int64_t k) {
    return dtype_convert(DTYPE_F64, t, dtype_load(t, data, k)).f;
}

/* Floats may differ by 1e-3 of the value, 1e-4 of the largest one and 1e-5; integers not at
 * all. */
static struct difference compare(enum dtype t, const void *got, const void *want, int64_t n) {
    struct difference d = {0};
    double floor = dtype_is_float(t) ? 1e-5 + 1e-4 * magnitude(t, want, n) : 0;
    for (int64_t k = 0; k < n; k++) {
        double x = as_double(t, got, k), y = as_double(t, want, k), e = fabs(x - y);
        if (x == y || (isnan(x) && isnan(y)))
            continue;
        d.bad += !(e <= floor + (dtype_is_float(t) ? 1e-3 * fabs(y) : 0));
        d.max_abs = fmax(d.max_abs, isnan(e) ? INFINITY : e);
        d.max_rel = fmax(d.max_rel, isnan(e) || y == 0 ? INFINITY : e / fabs(y));
    }
    return d;
}

/* Storage for each buffer of the program; the tensors of DIR that belong to it. */
struct verify {
    struct job *job;
    const struct ast *ast;
    struct arena arena;
    void **data;         // [buffers]
    const void **wanted; // [buffers]: recorded outputs
    const char *dir;
    bool missing; // a file cannot be read
};

static void print_extents(struct str *s, const struct buffer *b) {
    for (int d = 0; d < b->rank; d++) {
        int64_t n = -1;
        expr_as_int(b->dims[d], &n);
        str_addf(s, "%s%" PRId64, d ? "," : "", n);
    }
}

/* Does a recorded tensor have the type and shape of buffer b? */
static bool fits_buffer(struct verify *v, const struct buffer *b, enum dtype t,
                        const struct shape *shape, const char *path) {
    bool fits = t == b->dtype && shape->rank == b->rank;
    int64_t n;
    for (int d = 0; fits && d < b->rank; d++)
        fits = expr_as_int(b->dims[d], &n) && n == shape->dims[d];
    if (fits)
        return true;
    struct str want = {0}, have = {0};
    print_extents(&want, b);
    shape_print(&have, t, shape);
    diag_error(&v->job->diag, (struct loc){.file = path}, "expected %s[%s] for '%s', found %s",
               dtype_info(b->dtype)->text, str_cstr(&want), b->onnx_name, str_cstr(&have));
    str_free(&want);
    str_free(&have);
    return false;
}

static bool load_tensor(struct verify *v, int k, const char *kind, int number) {
    const struct buffer *b = &v->ast->buffers.data[k];
    const char *path = arena_printf(&v->arena, "%s/%s_%d.pb", v->dir, kind, number);
    enum dtype t;
    struct shape shape;
    const void *data;
    int64_t bytes;
    if (access(path, R_OK) != 0) {
        v->missing = true;
        return io_error(path);
    }
    if (!tensor_from_file(path, &v->arena, &t, &shape, &data, &bytes, &v->job->diag) ||
        !fits_buffer(v, b, t, &shape, path))
        return false;
    v->wanted[k] = data;
    v->data[k] = b->kind == BUFFER_INPUT ? (void *)data : arena_alloc(&v->arena, (size_t)bytes);
    return true;
}

static bool load_tensors(struct verify *v) {
    int inputs = 0, outputs = 0;
    bool ok = true;
    for (int k = 0; k < v->ast->buffers.len; k++) {
        enum buffer_kind kind = v->ast->buffers.data[k].kind;
        if (kind == BUFFER_INPUT)
            ok &= load_tensor(v, k, "input", inputs++);
        else if (kind == BUFFER_OUTPUT)
            ok &= load_tensor(v, k, "output", outputs++);
    }
    return ok;
}

static bool report_output(const struct verify *v, int k, int number) {
    const struct buffer *b = &v->ast->buffers.data[k];
    struct difference d = compare(b->dtype, v->data[k], v->wanted[k], b->max_elements);
    printf("%s: output %d '%s': max abs %.3g, max rel %.3g", v->dir, number, b->onnx_name,
           d.max_abs, d.max_rel);
    if (d.bad)
        printf(", %" PRId64 " of %" PRId64 " beyond tolerance", d.bad, b->max_elements);
    printf("%s\n", d.bad ? "" : ": ok");
    return d.bad == 0;
}

static enum exit_code run_vectors(struct verify *v) {
    if (!load_tensors(v))
        return v->missing ? EXIT_IO : EXIT_MODEL;
    int error = interp_run(v->ast, v->data, NULL), number = 0;
    if (error) {
        printf("%s: the run ended with error %d\n", v->dir, error);
        return EXIT_VERIFY;
    }
    bool ok = true;
    for (int k = 0; k < v->ast->buffers.len; k++)
        if (v->ast->buffers.data[k].kind == BUFFER_OUTPUT)
            ok &= report_output(v, k, number++);
    return ok ? EXIT_DONE : EXIT_VERIFY;
}

/* Compares the interpreter's outputs with those recorded in one folder. */
static enum exit_code verify_folder(struct job *j, const char *dir) {
    struct verify v = {.job = j, .ast = j->result.ast, .dir = dir};
    size_t n = (size_t)v.ast->buffers.len;
    v.data = arena_calloc(&v.arena, n, sizeof *v.data);
    v.wanted = arena_calloc(&v.arena, n, sizeof *v.wanted);
    enum exit_code code = run_vectors(&v);
    arena_free(&v.arena);
    return code;
}

/* DIR itself holds vectors, or test_data_set_0, _1 … below it do. */
static enum exit_code verify(struct job *j) {
    enum exit_code code = EXIT_DONE;
    const char *dir = j->opt.verify;
    int sets = 0;
    for (;; sets++) {
        const char *set = arena_printf(&j->arena, "%s/test_data_set_%d", dir, sets);
        if (access(set, R_OK) != 0)
            break;
        enum exit_code one = verify_folder(j, set);
        code = code ? code : one;
    }
    if (sets == 0 && access(dir, R_OK) != 0)
        return io_error(dir) ? EXIT_DONE : EXIT_IO;
    code = sets == 0 ? verify_folder(j, dir) : code;
    step_done(j, "verify");
    return code;
}

/* ---- the whole ---- */

/* What is left to do with a compiled model. */
static enum exit_code finish(struct job *j) {
    const struct options *o = &j->opt;
    enum exit_code code = EXIT_DONE;
    if (j->pipe.stop)
        return write_text(j);
    if (o->start && !arena_check(j->result.ast, &j->diag))
        return EXIT_MODEL; // the plan may come from the dump
    if (o->verify)
        code = verify(j);
    if (code)
        return code;
    if (o->output || o->emit || j->diag.remarks & REMARK_ANALYSIS)
        print_c(j);
    report_nests(&j->compile, j->result.ast);
    if (j->diag.remarks & REMARK_ANALYSIS)
        remark_figures(j);
    if (o->output)
        return write_c(j);
    return o->emit ? print_text(&j->source) : EXIT_DONE;
}

static enum exit_code run(struct job *j, int argc, char **argv) {
    if (!read_command_line(j, argc, argv))
        return EXIT_USAGE;
    if (prints_only(&j->opt))
        return print_information(&j->opt);
    if (!open_input(j))
        return EXIT_IO;
    return compile_input(j) ? finish(j) : EXIT_MODEL;
}

int main(int argc, char **argv) {
    struct job j = {0};
    j.names.arena = &j.arena;
    j.bind.depends = note_dependency;
    j.bind.user = &j;
    step_done(&j, NULL);
    enum exit_code code = run(&j, argc, argv);
    pipeline_free(&j.result);
    str_free(&j.source);
    str_free(&j.header);
    str_free(&j.weights);
    file_unmap(j.model);
    free(j.dump);
    intern_free(&j.names);
    arena_free(&j.arena);
    return (int)code;
}
