/* Times one generated model: the C half of run.py, which compiles this with the model's C.
 *
 *   bench INPUTS OUTPUTS     -include MODEL.h and -DMODEL=NAME_model when it is compiled
 *
 * INPUTS holds the bytes of all inputs in order; after a first run OUTPUTS gets those of all
 * outputs. Then prints `region NAME` for each region, and `ready` with the descriptor's
 * figures, or a sentence on what is wrong; and answers each line of standard input:
 *
 *   time SECONDS      median and minimum of one run in seconds, and how many runs there were
 *   regions SECONDS   median of each region in one run, in seconds, all on one line
 *
 * A sample is one run, or as many as take 20 microseconds: the clock takes about 0.03. A region
 * is timed by the profile hook, so that its time has one look at the clock in it; what that
 * takes is subtracted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_TENSORS = 512, MAX_SYMBOLS = 64, ALIGN = 64 };
enum { MAX_SAMPLES = 100000, LEAST_SAMPLES = 3, LEAST_REGION_SAMPLES = 11 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *take(size_t bytes, size_t align) {
    void *p = NULL;
    if (posix_memalign(&p, align < ALIGN ? ALIGN : align, bytes ? bytes : 1) != 0) {
        puts("out of memory");
        exit(1);
    }
    memset(p, 0, bytes);
    return p;
}

static int compare(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return a < b ? -1 : a > b;
}

/* Sorts the samples. */
static double median(double *samples, size_t n) {
    qsort(samples, n, sizeof *samples, compare);
    return samples[n / 2];
}

struct bench {
    const nncc_model *model;
    const void *in[MAX_TENSORS];
    void *out[MAX_TENSORS];
    int64_t symbols[MAX_SYMBOLS];
    nncc_call call;
    double *samples;    /* [MAX_SAMPLES] */
    double *open, *sum; /* [regions]: when each was entered; in this run so far */
    double clock;       /* what looking at the clock takes */
};

static void run(struct bench *b) {
    int code = b->model->run(&b->call);
    if (code) {
        printf("run returned %d\n", code);
        exit(1);
    }
}

/* Returns how many samples there are of `runs` runs each, within about so many seconds. */
static size_t sample(struct bench *b, double seconds, long runs) {
    size_t n = 0;
    double end = now() + seconds;
    do {
        double start = now();
        for (long k = 0; k < runs; k++)
            run(b);
        b->samples[n++] = (now() - start) / (double)runs;
    } while (n < MAX_SAMPLES && (n < LEAST_SAMPLES || now() < end));
    return n;
}

static void time_runs(struct bench *b, double seconds) {
    double start = now();
    run(b);
    double one = now() - start;
    long runs = one < 10e-6 ? (long)(20e-6 / (one + 1e-9)) + 1 : 1;
    size_t n = sample(b, seconds, runs);
    double middle = median(b->samples, n);
    printf("%.9g %.9g %ld\n", middle, b->samples[0], (long)n * runs);
}

/* ---- regions ---- */

static void profile(void *user, int32_t region, int32_t enter) {
    struct bench *b = user;
    if (enter)
        b->open[region] = now();
    else
        b->sum[region] += now() - b->open[region] - b->clock;
}

static void time_regions(struct bench *b, double seconds) {
    size_t regions = b->model->num_regions, n = 0,
           most = LEAST_REGION_SAMPLES + MAX_SAMPLES / (regions + 1);
    double *all = take(regions * most * sizeof *all, ALIGN), end = now() + seconds;
    nncc_hooks hooks = {b, NULL, profile};
    b->call.hooks = &hooks;
    do {
        memset(b->sum, 0, regions * sizeof *b->sum);
        run(b);
        for (size_t k = 0; k < regions; k++)
            all[k * most + n] = b->sum[k];
        n++;
    } while (n < most && (n < LEAST_REGION_SAMPLES || now() < end));
    b->call.hooks = NULL;
    for (size_t k = 0; k < regions; k++)
        printf("%.9g ", median(all + k * most, n));
    puts("");
    free(all);
}

/* ---- set-up ---- */

static void read_inputs(struct bench *b, const char *path) {
    FILE *f = fopen(path, "rb");
    for (uint32_t k = 0; f && k < b->model->num_inputs; k++) {
        size_t bytes = b->model->inputs[k].bytes;
        void *data = take(bytes, ALIGN);
        b->in[k] = data;
        if (fread(data, 1, bytes, f) != bytes) {
            puts("the inputs are larger than those given");
            exit(1);
        }
    }
    if (!f || fgetc(f) != EOF) {
        puts("the inputs are not those given");
        exit(1);
    }
    fclose(f);
}

static void write_outputs(const struct bench *b, const char *path) {
    FILE *f = fopen(path, "wb");
    for (uint32_t k = 0; f && k < b->model->num_outputs; k++)
        fwrite(b->out[k], 1, b->model->outputs[k].bytes, f);
    if (!f || fclose(f) != 0) {
        puts("cannot write the outputs");
        exit(1);
    }
}

static void set_up(struct bench *b, const char *inputs) {
    const nncc_model *m = b->model;
    if (m->num_inputs > MAX_TENSORS || m->num_outputs > MAX_TENSORS ||
        m->num_symbols > MAX_SYMBOLS) {
        puts("more tensors than there is room for");
        exit(1);
    }
    read_inputs(b, inputs);
    for (uint32_t k = 0; k < m->num_outputs; k++)
        b->out[k] = take(m->outputs[k].bytes, ALIGN);
    b->call.inputs = b->in;
    b->call.outputs = b->out;
    b->call.symbols = b->symbols;
    b->call.arena = take(m->arena_bytes, m->arena_align);
    b->samples = take(MAX_SAMPLES * sizeof *b->samples, ALIGN);
    b->open = take(m->num_regions * sizeof *b->open, ALIGN);
    b->sum = take(m->num_regions * sizeof *b->sum, ALIGN);
    for (int k = 0; k < 1000; k++) {
        double start = now();
        b->samples[k] = now() - start;
    }
    b->clock = median(b->samples, 1000);
}

static void print_figures(const nncc_model *m) {
    size_t in = 0, out = 0;
    for (uint32_t k = 0; k < m->num_inputs; k++)
        in += m->inputs[k].bytes;
    for (uint32_t k = 0; k < m->num_outputs; k++)
        out += m->outputs[k].bytes;
    for (uint32_t k = 0; k < m->num_regions; k++)
        printf("region %s\n", m->regions[k]);
    printf("ready %zu %zu %zu %zu %llu\n", in, out, m->weight_bytes, m->arena_bytes,
           (unsigned long long)m->macs);
    fflush(stdout);
}

int main(int argc, char **argv) {
    static struct bench b;
    char line[256];
    double seconds;
    if (argc != 3)
        return 2;
    b.model = &MODEL;
    set_up(&b, argv[1]);
    run(&b);
    write_outputs(&b, argv[2]);
    print_figures(b.model);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "time %lf", &seconds) == 1)
            time_runs(&b, seconds);
        else if (sscanf(line, "regions %lf", &seconds) == 1)
            time_regions(&b, seconds);
        else
            puts("?");
        fflush(stdout);
    }
    return 0;
}
