/* Running an ast on host arrays: the calls. */
#include "ir/interp.h"

/* ---- routines ---- */

#define ROUTINE(name, reads, writes, params)                                                   \
    void nncc_##name(const void *const *in, void *const *out, const int64_t *p);
#include "runtime/routines.def"

struct routine {
    const char *name;
    int reads, writes, params;
    void (*run)(const void *const *in, void *const *out, const int64_t *params);
};

static const struct routine routines[] = {
#define ROUTINE(name, reads, writes, params) {#name, reads, writes, params, nncc_##name},
#include "runtime/routines.def"
};

static const struct routine *find_routine(const char *name) {
    for (size_t i = 0; i < sizeof routines / sizeof *routines; i++)
        if (strcmp(routines[i].name, name) == 0)
            return &routines[i];
    return NULL;
}

bool interp_takes_call(const char *name, int num_reads, int num_writes, int num_params) {
    const struct routine *r = find_routine(name);
    return r && r->reads == num_reads && r->writes == num_writes && r->params == num_params;
}
