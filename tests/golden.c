/* The golden runner: runs nncc on the input text of each file and compares what it prints with
 * the text below it.
 *
 *   golden [--accept] [--protoc PATH] [--proto-dir DIR] --nncc PATH FILE...
 *
 * A golden file is one test (tests/README.md gives an example):
 *
 *   # any number of comment lines
 *   nncc --stop=clean input          the command; its last input* word names the input file
 *   ...                              the input; a line `+++ NAME` starts one more file
 *   ---
 *   ...                              expected: standard output if the exit code is 0 and
 * standard error is empty, else a line `exit N`, standard error, and any standard output after
 * `stdout:`
 *
 * The command runs in a new folder that holds the input files and nothing else. An input whose
 * name ends in .onnx is protobuf text, encoded by protoc with frontend/onnx.proto; without
 * protoc such a file is skipped. --accept rewrites the expected text. Exit status 0 when none
 * failed.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 64, MAX_FILES = 8, SECONDS = 60 };

// One golden file, cut into parts; every pointer is into `bytes`, except those of `command`'s
// copy.
struct golden {
    const char *path;
    char *bytes;
    size_t head;            // bytes up to and including the `---` line: what --accept keeps
    const char *expected;   // the rest
    char *command;          // a copy of the command line
    char *words[MAX_WORDS]; // its words, ended by NULL
    const char *input;      // which word names the input file
    struct part {
        const char *name, *text;
        size_t size;
    } files[MAX_FILES];
    int num_files;
};

struct options {
    bool accept;
    const char *nncc, *protoc, *proto_dir;
};

enum outcome { PASSED, FAILED, SKIPPED };

static void usage(void) {
    fputs("usage: golden [--accept] [--protoc PATH --proto-dir DIR] --nncc PATH FILE...\n",
          stderr);
    exit(2);
}

static void die(const char *what, const char *name) {
    fprintf(stderr, "golden: %s '%s': %s\n", what, name, strerror(errno));
    exit(2);
}

// The bytes of a file with a NUL after them; the caller frees. A file that is not there is
// empty.
static char *read_all(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f)
        return calloc(1, 1);
    size_t size = 0, room = 1 << 16;
    char *bytes = malloc(room + 1);
    for (size_t n; (n = fread(bytes + size, 1, room - size, f)) > 0;) {
        size += n;
        if (size == room)
            bytes = realloc(bytes, (room *= 2) + 1);
    }
    fclose(f);
    bytes[size] = 0;
    return bytes;
}

static void write_all(const char *path, const char *bytes, size_t size) {
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f))
        die("cannot write", path);
}

static char *line_end(char *s) {
    char *end = strchr(s, '\n');
    return end ? end : s + strlen(s);
}

// Cuts a command line at spaces; 'a b' is one word. Returns the number of words.
static int split_words(char *line, char **words) {
    int n = 0;
    while (*(line += strspn(line, " "))) {
        char stop = *line == '\'' ? *line++ : ' ';
        if (n == MAX_WORDS - 1)
            return -1;
        words[n++] = line;
        line += strcspn(line, (char[]){stop, 0});
        if (*line)
            *line++ = 0;
    }
    words[n] = NULL;
    return n;
}

static bool starts(const char *s, const char *prefix) {
    return !strncmp(s, prefix, strlen(prefix));
}

// Cuts the input section [s, end) into files at its `+++ NAME` lines.
static bool split_files(struct golden *g, char *s, char *end) {
    g->files[g->num_files++] = (struct part){g->input, s, (size_t)(end - s)};
    for (char *line = s; line < end; line = line_end(line) + 1) {
        if (!starts(line, "+++ "))
            continue;
        struct part *last = &g->files[g->num_files - 1];
        last->size = (size_t)(line - last->text);
        if (g->num_files == MAX_FILES)
            return false;
        char *stop = line_end(line);
        *stop = 0;
        g->files[g->num_files++] = (struct part){line + 4, stop + 1, (size_t)(end - stop - 1)};
        line = stop;
    }
    return true;
}

// Fills in the parts of g from its bytes; false when the file is not in the form above.
static bool golden_parse(struct golden *g) {
    char *line = g->bytes, *rule = NULL;
    while (*line == '#')
        line = line_end(line) + 1;
    char *input = line_end(line);
    if (!*input || !starts(line, "nncc "))
        return false;
    for (char *s = input; s && !rule; s = strchr(s + 1, '\n'))
        if (starts(s, "\n---\n"))
            rule = s + 1;
    if (!rule)
        return false;
    g->head = (size_t)(rule + 4 - g->bytes);
    g->expected = rule + 4;
    *input++ = 0;
    g->command = strdup(line);
    int n = split_words(g->command, g->words);
    for (int i = 1; i < n; i++)
        if (!strcmp(g->words[i], "input") || starts(g->words[i], "input."))
            g->input = g->words[i];
    return g->input && split_files(g, input, rule);
}

// Runs a program in `dir` with standard input, output and error in files; returns its exit
// code, 128 + signal if killed.
static int run(const char *dir, char *const *words, const char *in, const char *out,
               const char *err) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen(in, "rb", stdin) || !freopen(out, "wb", stdout) ||
            !freopen(err, "wb", stderr) || chdir(dir))
            _exit(125);
        alarm(SECONDS);
        execv(words[0], words);
        _exit(126);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        die("cannot run", words[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char *join(const char *dir, const char *name) {
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = malloc(size);
    snprintf(path, size, "%s/%s", dir, name);
    return path;
}

// Encodes the protobuf text of `part` into the file `to`; false, with protoc's words on stderr,
// when it is not valid.
static bool encode(const struct options *o, const char *dir, const struct part *part,
                   const char *to) {
    char *text = join(dir, "text"), *err = join(dir, "text.err");
    write_all(text, part->text, part->size);
    size_t size = strlen(o->proto_dir) + 16;
    char *root = malloc(size);
    snprintf(root, size, "--proto_path=%s", o->proto_dir);
    char *words[] = {(char *)o->protoc, root, "--encode=onnx.ModelProto", "frontend/onnx.proto",
                     NULL};
    bool ok = run(dir, words, text, to, err) == 0;
    char *words_of_protoc = read_all(err);
    fputs(words_of_protoc, stdout);
    free(words_of_protoc);
    free(text);
    free(err);
    free(root);
    return ok;
}

static bool is_onnx(const char *name) {
    size_t n = strlen(name);
    return n > 5 && !strcmp(name + n - 5, ".onnx");
}

// Writes the input files of g into box/in.
static bool write_files(const struct options *o, const struct golden *g, const char *box,
                        const char *in) {
    bool ok = true;
    for (int i = 0; i < g->num_files; i++) {
        char *path = join(in, g->files[i].name);
        if (is_onnx(g->files[i].name))
            ok = encode(o, box, &g->files[i], path) && ok;
        else
            write_all(path, g->files[i].text, g->files[i].size);
        free(path);
    }
    return ok;
}

// What the command printed, in the form of the expected text; the caller frees.
static char *run_golden(const struct options *o, struct golden *g, const char *box,
                        const char *in) {
    char *out = join(box, "out"), *err = join(box, "err");
    g->words[0] = (char *)o->nncc;
    int code = run(in, g->words, "/dev/null", out, err);
    char *out_text = read_all(out), *err_text = read_all(err);
    size_t size = strlen(out_text) + strlen(err_text) + 64;
    char *got = malloc(size);
    if (code == 0 && !*err_text)
        snprintf(got, size, "%s", out_text);
    else
        snprintf(got, size, "exit %d\n%s%s%s", code, err_text, *out_text ? "stdout:\n" : "",
                 out_text);
    free(out);
    free(err);
    free(out_text);
    free(err_text);
    return got;
}

// Shows the difference of two texts as `diff -u` has it.
static void show_diff(const char *box, const char *expected, const char *got) {
    char *a = join(box, "expected"), *b = join(box, "got");
    write_all(a, expected, strlen(expected));
    write_all(b, got, strlen(got));
    char *words[] = {"/usr/bin/diff", "-u", "--label=expected", "--label=got", a, b, NULL};
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execv(words[0], words);
        _exit(126);
    }
    waitpid(pid, NULL, 0);
    free(a);
    free(b);
}

static enum outcome judge(const struct options *o, const struct golden *g, const char *box,
                          const char *got) {
    if (!strcmp(got, g->expected))
        return PASSED;
    if (!o->accept) {
        printf("FAIL %s\n", g->path);
        show_diff(box, g->expected, got);
        return FAILED;
    }
    char *old = read_all(g->path);
    size_t size = g->head + strlen(got);
    char *bytes = malloc(size + 1);
    memcpy(bytes, old, g->head);
    memcpy(bytes + g->head, got, strlen(got));
    write_all(g->path, bytes, size);
    printf("accepted %s\n", g->path);
    free(old);
    free(bytes);
    return PASSED;
}

static void remove_tree(const char *box) {
    char *words[] = {"/bin/rm", "-rf", (char *)box, NULL};
    run("/", words, "/dev/null", "/dev/null", "/dev/null");
}

static enum outcome golden_run(const struct options *o, const char *path) {
    struct golden g = {.path = path, .bytes = read_all(path)};
    if (!golden_parse(&g)) {
        printf("FAIL %s: not a golden file (command, input, ---, expected)\n", path);
        free(g.command);
        free(g.bytes);
        return FAILED;
    }
    enum outcome outcome = FAILED;
    char box[] = "/tmp/nncc-golden-XXXXXX";
    if (!mkdtemp(box))
        die("cannot make", box);
    char *in = join(box, "in"), *got = NULL;
    if (mkdir(in, 0700))
        die("cannot make", in);
    if (is_onnx(g.input) && !o->protoc) {
        printf("SKIP %s: no protoc\n", path);
        outcome = SKIPPED;
    } else if (!write_files(o, &g, box, in)) {
        printf("FAIL %s: the input is not a model in protobuf text\n", path);
    } else {
        got = run_golden(o, &g, box, in);
        outcome = judge(o, &g, box, got);
    }
    remove_tree(box);
    free(got);
    free(in);
    free(g.command);
    free(g.bytes);
    return outcome;
}

// The value of `--name VALUE` at argv[*i], moving *i to it; NULL when argv[*i] is another
// option.
static const char *option(char **argv, int *i, const char *name) {
    return strcmp(argv[*i], name) || !argv[*i + 1] ? NULL : argv[++*i];
}

int main(int argc, char **argv) {
    char nncc[PATH_MAX], proto_dir[PATH_MAX];
    struct options o = {0};
    int i = 1, count[3] = {0};
    for (; i < argc && starts(argv[i], "--"); i++) {
        const char *value;
        if (!strcmp(argv[i], "--accept"))
            o.accept = true;
        else if ((value = option(argv, &i, "--nncc")))
            o.nncc = realpath(value, nncc);
        else if ((value = option(argv, &i, "--protoc")))
            o.protoc = value;
        else if ((value = option(argv, &i, "--proto-dir")))
            o.proto_dir = realpath(value, proto_dir);
        else
            usage();
    }
    if (!o.nncc || (o.protoc && !o.proto_dir))
        usage();
    for (; i < argc; i++)
        count[golden_run(&o, argv[i])]++;
    printf("%d passed, %d failed, %d skipped\n", count[PASSED], count[FAILED], count[SKIPPED]);
    return count[FAILED] > 0;
}
