/* Running an ast on host arrays: storage, steps of the plan, calls. Each statement of the body
 * is planned (ir/plan.h), run and forgotten. */
#include "ir/interp.h"
#include "ir/eval.h"
#include "runtime/nncc.h"

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

static int run_call(struct run *r, const struct step *s) {
    const struct ast_node *n = s->node;
    const void **in = arena_array(r->plan, const void *, n->num_reads);
    void **out = arena_array(r->plan, void *, n->num_writes);
    for (int i = 0; i < n->num_reads; i++)
        in[i] = r->data[n->reads[i]];
    for (int i = 0; i < n->num_writes; i++)
        out[i] = r->data[n->writes[i]];
    const struct routine *routine = find_routine(n->name);
    if (!routine)
        bug("no routine %s", n->name);
    routine->run(in, out, n->params);
    return 0;
}

/* ---- chains in blocks ---- */

static int run_steps(struct run *r, const struct step *s);

static int64_t iterations(int64_t lo, int64_t hi, int64_t step) {
    return hi > lo ? (hi - lo - 1) / step + 1 : 0;
}

/* Reads the bounds; false when there is nothing to do. Sets split and chunk: as many inner
 * loops whole as fit into LANES. */
static bool start_chain(struct run *r, struct lanes *l) {
    int64_t whole = 1;
    for (int k = 0; k < l->num; k++) {
        l->lo[k] = eval_index(r, l->loops[k].lo);
        l->count[k] = iterations(l->lo[k], eval_index(r, l->loops[k].hi), l->loops[k].step);
        if (l->count[k] == 0)
            return false;
        r->slots[l->loops[k].slot] = l->lo[k];
    }
    for (l->split = l->num - 1; l->split > 0 && l->count[l->split] <= LANES / whole; l->split--)
        whole *= l->count[l->split];
    l->chunk = LANES / whole < l->count[l->split] ? LANES / whole : l->count[l->split];
    return true;
}

/* Moves the loops outside the block to their next iteration; false after the last. */
static bool advance_chain(struct run *r, const struct lanes *l) {
    for (int k = l->split - 1; k >= 0; k--) {
        int64_t *v = &r->slots[l->loops[k].slot];
        *v += l->loops[k].step;
        if (*v < l->lo[k] + l->count[k] * l->loops[k].step)
            return true;
        *v = l->lo[k];
    }
    return false;
}

/* Runs the blocks of the loop that is split, the loops outside it standing still. */
static int run_blocks(struct run *r, const struct step *s,
                      int (*block)(struct run *r, const struct step *s)) {
    struct lanes *l = s->lanes;
    int64_t shape[MAX_CHAIN], whole = 1;
    for (int k = 0; k < l->num; k++) {
        shape[k] = k > l->split ? l->count[k] : 1;
        whole *= shape[k];
    }
    int64_t *v = &r->slots[l->loops[l->split].slot];
    for (int64_t at = 0; at < l->count[l->split]; at += l->chunk) {
        int64_t left = l->count[l->split] - at;
        shape[l->split] = left < l->chunk ? left : l->chunk;
        *v = l->lo[l->split] + at * l->loops[l->split].step;
        r->lanes = (int)(whole * shape[l->split]);
        r->block++;
        patterns_set(r, l, shape);
        int error = block(r, s);
        if (error)
            return error;
    }
    return 0;
}

static int run_chain(struct run *r, const struct step *s,
                     int (*block)(struct run *r, const struct step *s)) {
    int error = 0;
    if (start_chain(r, s->lanes)) {
        do
            error = run_blocks(r, s, block);
        while (!error && advance_chain(r, s->lanes));
    }
    r->lanes = 1;
    return error;
}

static int run_body_block(struct run *r, const struct step *s) {
    return run_steps(r, s->body);
}

static int run_fold_block(struct run *r, const struct step *s) {
    const void *x = eval(r, s->value, temp_push(r), r->lanes, NULL);
    lanes_fold(s->func, s->local->dtype, s->local->data, x, r->lanes);
    temp_pop(r);
    return 0;
}

/* ---- steps ---- */

static int run_for(struct run *r, const struct step *s) {
    int64_t lo = eval_index(r, s->loop.lo), hi = eval_index(r, s->loop.hi);
    int error = 0;
    for (int64_t v = lo; v < hi && !error; v += s->loop.step) {
        r->slots[s->loop.slot] = v;
        if (s->cond && !eval_condition(r, s->cond))
            break;
        error = run_steps(r, s->body);
    }
    return error;
}

static int run_set(struct run *r, const struct step *s) {
    const struct local *local = s->local;
    int n = local->lanes ? r->lanes : 1;
    void *temp = temp_push(r);
    if (s->in_place) {
        const void *arg[2] = {local->data, eval(r, s->value->arg[1], temp, n, NULL)};
        lanes_func(s->value->func, local->dtype, local->data, arg, n);
    } else {
        const void *v = eval(r, s->value, temp, n, NULL);
        memcpy(local->data, v, (size_t)n * rep_bytes(rep_of(local->dtype)));
    }
    temp_pop(r);
    return 0;
}

static int run_store(struct run *r, const struct step *s) {
    int buffer = s->access.buffer, n = r->lanes;
    const void *v = eval(r, s->value, temp_push(r), n, NULL);
    struct lane_place place = eval_place(r, &s->access, temp_push(r), n, NULL);
    lanes_store(r->ast->buffers.data[buffer].dtype, v, r->data[buffer], &place, n);
    r->num_temps -= 2;
    return 0;
}

static int run_require(struct run *r, const struct step *s) {
    const uint8_t *held = eval(r, s->cond, temp_push(r), r->lanes, NULL);
    bool all = memchr(held, 0, (size_t)r->lanes) == NULL;
    temp_pop(r);
    return all ? 0 : NNCC_E_SHAPE;
}

static int run_nest(struct run *r, const struct step *s) {
    int error = run_steps(r, s->body);
    return error ? error : r->index_error ? NNCC_E_INDEX : 0;
}

static int run_step(struct run *r, const struct step *s) {
    switch (s->kind) {
    case STEP_NEST:
        return run_nest(r, s);
    case STEP_FOR:
        return run_for(r, s);
    case STEP_LANES:
        return run_chain(r, s, run_body_block);
    case STEP_FOLD:
        return run_chain(r, s, run_fold_block);
    case STEP_IF:
        return run_steps(r, eval_condition(r, s->cond) ? s->body : s->orelse);
    case STEP_SET:
        return run_set(r, s);
    case STEP_STORE:
        return run_store(r, s);
    case STEP_REQUIRE:
        return run_require(r, s);
    case STEP_CALL:
        return run_call(r, s);
    }
    return 0;
}

static int run_steps(struct run *r, const struct step *s) {
    int error = 0;
    for (; s && !error; s = s->next)
        error = run_step(r, s);
    return error;
}

/* ---- storage ---- */

struct symbol_values {
    const struct ast *ast;
    const int64_t *values;
};

static bool symbol_value(void *user, const char *name, int64_t *lo, int64_t *hi) {
    const struct symbol_values *s = user;
    for (int i = 0; i < s->ast->symbols.len; i++) {
        if (s->ast->symbols.data[i].name != name)
            continue;
        *lo = *hi = s->values[i];
        return true;
    }
    return false;
}

/* Where buffer b lies: given, constant, at its place in the arena, or storage of its own. */
static char *find_storage(struct run *r, int b, void *given, char *memory, int64_t bytes) {
    const struct buffer *buffer = &r->ast->buffers.data[b];
    if (buffer->kind == BUFFER_CONST)
        return (char *)(uintptr_t)buffer->data; // never written: ast_check
    if (given)
        return given;
    if (buffer->kind != BUFFER_TEMP && bytes > 0)
        bug("no data for %s", buffer->name);
    return memory && buffer->offset >= 0 ? memory + buffer->offset
                                         : arena_alloc(&r->arena, (size_t)bytes);
}

static void find_buffers(struct run *r, void *const *data, const int64_t *symbols,
                         struct storage *storage) {
    const struct ast *a = r->ast;
    struct symbol_values values = {a, symbols};
    char *memory = a->arena_bytes ? arena_alloc(&r->arena, (size_t)a->arena_bytes) : NULL;
    for (int b = 0; b < a->buffers.len; b++) {
        int64_t lo, bytes;
        bool known = expr_range(a->buffers.data[b].elements, symbol_value, &values, &lo,
                                &r->elements[b]);
        if (!known || !dtype_bytes(a->buffers.data[b].dtype, r->elements[b], &bytes))
            bug("%s has no size", a->buffers.data[b].name);
        r->data[b] = find_storage(r, b, data[b], memory, bytes);
        storage[b] = (struct storage){r->data[b], bytes};
    }
}

static int run_statement(struct run *r, const struct ast_node *n, const struct storage *storage,
                         const int64_t *symbols) {
    struct arena plan = {0};
    int num_slots;
    struct step *s = plan_build(&plan, r->ast, storage, n, &num_slots);
    r->plan = &plan;
    r->slots = arena_array(&plan, int64_t, num_slots);
    for (int i = 0; i < r->ast->symbols.len; i++)
        r->slots[i] = symbols[i];
    int error = run_steps(r, s);
    r->plan = NULL;
    arena_free(&plan);
    return error ? error : r->index_error ? NNCC_E_INDEX : 0;
}

int interp_run(const struct ast *a, void *const *data, const int64_t *symbols) {
    struct run r = {.ast = a, .lanes = 1};
    r.data = arena_array(&r.arena, char *, a->buffers.len);
    r.elements = arena_array(&r.arena, int64_t, a->buffers.len);
    struct storage *storage = arena_array(&r.arena, struct storage, a->buffers.len);
    find_buffers(&r, data, symbols, storage);
    int error = 0;
    for (const struct ast_node *n = a->body.first; n && !error; n = n->next) {
        error = run_statement(&r, n, storage, symbols);
        if (n->kind == AST_LET) // its plan went on to the end
            break;
    }
    arena_free(&r.arena);
    return error;
}
