/* The two files around a program: model.h with what users call, model.c with the constants, the
 * code and the descriptor (ABI 1). */
#include "codegen/emit.h"

#include <inttypes.h>

/* ---- names ---- */

static void note_mention(void *user, int buffer, bool store) {
    (void)store;
    ((struct emit *)user)->mentioned[buffer] = true;
}

/* Symbols first, then inputs and outputs; nothing that the run function or its macros use. */
static void name_arguments(struct emit *em) {
    static const char *const own[] = {"arena", "mem", "error", "hooks", "vl"};
    struct name_set set = {0};
    for (size_t k = 0; k < sizeof own / sizeof *own; k++)
        map_put(&set.map, own[k], NULL);
    for (int i = 0; i < em->vars.len; i++)
        map_put(&set.map, em->vars.data[i].c, NULL);
    for (int k = 0; k < em->ast->buffers.len; k++)
        map_put(&set.map, em->ast->buffers.data[k].name, NULL);
    for (int k = 0; k < em->ast->buffers.len; k++) {
        const struct buffer *b = &em->ast->buffers.data[k];
        em->buffer_c[k] = b->name;
        if (b->kind == BUFFER_INPUT || b->kind == BUFFER_OUTPUT)
            em->buffer_c[k] = name_unique(&set, &em->arena, b->onnx_name ? b->onnx_name : "");
    }
    map_free(&set.map);
}

static void declare_symbols(struct emit *em) {
    for (int i = 0; i < em->ast->symbols.len; i++) {
        const struct symbol *s = &em->ast->symbols.data[i];
        struct var *v = emit_declare(em, s->name, DTYPE_INDEX);
        emit_set_range(v, 0, s->max < INT32_MAX ? s->max : INT32_MAX, 0);
    }
}

static const char *upper(struct arena *a, const char *text) {
    char *s = arena_strdup(a, text);
    for (char *p = s; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    return s;
}

/* ---- texts of runtime/ ---- */

static const char *runtime_text(const char *name) {
    for (const struct runtime_text *t = runtime_texts; t->name; t++)
        if (strcmp(t->name, name) == 0)
            return t->text;
    bug("runtime/%s is not part of this build", name);
}

/* Without the comment that begins the file. */
static const char *text_from_first_directive(const char *text) {
    const char *at = text[0] == '#' ? text : strstr(text, "\n#");
    return at ? at + (at != text) : text;
}

/* ---- the header ---- */

/* The buffer of the input at `position`. */
static int input_at(const struct ast *a, int position) {
    int k = 0;
    while (a->buffers.data[k].kind != BUFFER_INPUT || position-- > 0)
        k++;
    return k;
}

/* `x: float [1,490] "x"`, a comment line of the header. */
static void describe_tensor(struct emit *em, int k) {
    const struct buffer *b = &em->ast->buffers.data[k];
    putf(em, "%s: %s [", em->buffer_c[k], dtype_onnx_name(dtype_info(b->dtype)->onnx));
    for (int d = 0; d < b->rank; d++) {
        put(em, d ? "," : "");
        emit_expr(em, b->dims[d], C_ANY);
    }
    put(em, "] \"");
    comment_put(em->fn.out, b->onnx_name ? b->onnx_name : "");
    put(em, "\"");
    if (b->kind == BUFFER_OUTPUT && b->alias >= 0)
        putf(em, ", may be the memory of %s", em->buffer_c[input_at(em->ast, b->alias)]);
}

static void describe_tensors(struct emit *em, enum buffer_kind kind, const char *word) {
    for (int k = 0; k < em->ast->buffers.len; k++) {
        if (em->ast->buffers.data[k].kind != kind)
            continue;
        putf(em, " * %-7s ", word);
        describe_tensor(em, k);
        put(em, "\n");
    }
}

static void put_macros(struct emit *em, const struct c_figures *f) {
    const char *p = upper(&em->arena, em->opt->prefix);
    putf(em, "#define %s_ARENA_BYTES  %" PRId64 " /* RAM for the arena argument */\n", p,
         f->arena_bytes);
    putf(em, "#define %s_ARENA_ALIGN  %" PRId64 " /* of its address */\n", p, f->arena_align);
    putf(em, "#define %s_WEIGHT_BYTES %" PRId64 " /* constant data */\n", p, f->weight_bytes);
    putf(em,
         "#define %s_STACK_BYTES  %" PRId64
         " /* upper bound, built by gcc with -Os or -O2 */\n",
         p, f->stack_bytes);
    putf(em,
         f->macs > INT32_MAX ? "#define %s_MACS         UINT64_C(%" PRIu64 ")"
                             : "#define %s_MACS         %" PRIu64,
         p, f->macs);
    put(em, " /* multiply-accumulates of one run */\n");
}

static void put_contract(struct emit *em) {
    put(em, "\n/* One run. Returns 0 or NNCC_E_ARG, NNCC_E_INDEX, NNCC_E_SHAPE, NNCC_E_SYMBOL. "
            "Reentrant; needs no set-up.\n"
            " * Tensors need the alignment of their elements and must not overlap.\n");
    describe_tensors(em, BUFFER_INPUT, "input");
    describe_tensors(em, BUFFER_OUTPUT, "output");
    const char *p = upper(&em->arena, em->opt->prefix);
    if (em->ast->arena_bytes > 0)
        putf(em,
             " * arena: %s_ARENA_BYTES bytes at a multiple of %s_ARENA_ALIGN, free to use "
             "between runs. */\n",
             p, p);
    else
        put(em, " * arena: not used, may be NULL. */\n");
    emit_signature(em);
    put(em, ";\n");
}

static void put_banner(struct emit *em, const char *what) {
    put(em, "/* ");
    put(em, what);
    put(em, " of ");
    comment_put(em->fn.out, em->opt->source_name);
    putf(em, ", written by nncc %s. Do not edit. */\n", em->opt->version);
}

static void put_header(struct emit *em, struct str *header, const struct c_figures *f) {
    const char *prefix = em->opt->prefix, *guard = upper(&em->arena, prefix);
    em->fn = (struct function){.out = header};
    put_banner(em, "Interface");
    putf(em, "#ifndef NNCC_MODEL_%s_H\n#define NNCC_MODEL_%s_H\n\n", guard, guard);
    put(em, text_from_first_directive(runtime_text("nncc.h")));
    put(em, "\n/* A section or other attribute for the definition of an arena. */\n"
            "#ifndef NNCC_ARENA\n#define NNCC_ARENA\n#endif\n\n");
    put_macros(em, f);
    put(em, "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
    put_contract(em);
    putf(em,
         "\n/* The same for hosts that load any model. */\nextern const nncc_model %s_model;\n",
         prefix);
    put(em, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

/* ---- the descriptor ---- */

static int count_kind(const struct ast *a, enum buffer_kind kind) {
    int n = 0;
    for (int k = 0; k < a->buffers.len; k++)
        n += a->buffers.data[k].kind == kind;
    return n;
}

/* A dimension of the descriptor: symbols as -1 - index. */
static int64_t descriptor_dim(struct emit *em, const struct expr *e) {
    int64_t lo, hi = 0;
    for (int i = 0; i < em->ast->symbols.len; i++)
        if (e->kind == EXPR_VAR && e->name == em->ast->symbols.data[i].name)
            return -1 - i;
    if (!emit_range(em, e, &lo, &hi))
        bug("a dimension without a maximum");
    return hi;
}

/* All dimensions of inputs, then outputs, in one array. */
static void put_dims(struct emit *em) {
    int count = 0;
    for (int kind = BUFFER_INPUT; kind <= BUFFER_OUTPUT; kind++)
        for (int k = 0; k < em->ast->buffers.len; k++) {
            const struct buffer *b = &em->ast->buffers.data[k];
            for (int d = 0; b->kind == (enum buffer_kind)kind && d < b->rank; d++) {
                if (count == 0)
                    putf(em, "\nstatic const int64_t %s_dims[] = {", em->opt->prefix);
                put(em, count == 0 ? "" : count % 16 ? ", " : ",\n    ");
                putf(em, "%" PRId64, descriptor_dim(em, b->dims[d]));
                count++;
            }
        }
    put(em, count ? "};\n" : "");
}

static void put_tensor(struct emit *em, const struct buffer *b, int *dims) {
    int64_t bytes;
    if (!dtype_bytes(b->dtype, b->max_elements, &bytes))
        bug("the size of %s overflows", b->name);
    put(em, "    {\"");
    const char *name = b->onnx_name ? b->onnx_name : "";
    literal_put(em->fn.out, name, strlen(name));
    putf(em, "\", %d, %d, ", dtype_info(b->dtype)->onnx, b->rank);
    if (b->rank)
        putf(em, "%s_dims + %d", em->opt->prefix, *dims);
    else
        put(em, "NULL");
    putf(em, ", %" PRId64 ", %d},\n", bytes, b->kind == BUFFER_OUTPUT ? b->alias : -1);
    *dims += b->rank;
}

static void put_tensors(struct emit *em, enum buffer_kind kind, const char *name, int *dims) {
    if (count_kind(em->ast, kind) == 0)
        return;
    putf(em, "\nstatic const nncc_tensor %s_%s[] = {\n", em->opt->prefix, name);
    for (int k = 0; k < em->ast->buffers.len; k++)
        if (em->ast->buffers.data[k].kind == kind)
            put_tensor(em, &em->ast->buffers.data[k], dims);
    put(em, "};\n");
}

static void put_symbols(struct emit *em) {
    if (em->ast->symbols.len == 0)
        return;
    putf(em, "\nstatic const char *const %s_symbols[] = {", em->opt->prefix);
    for (int i = 0; i < em->ast->symbols.len; i++) {
        const char *name = em->ast->symbols.data[i].name;
        put(em, i ? ", \"" : "\"");
        literal_put(em->fn.out, name, strlen(name));
        put(em, "\"");
    }
    put(em, "};\n");
}

static void put_regions(struct emit *em) {
    if (em->regions.len == 0)
        return;
    putf(em, "\nstatic const char *const %s_regions[] = {\n", em->opt->prefix);
    for (int i = 0; i < em->regions.len; i++) {
        const char *name = em->regions.data[i];
        put(em, "    \"");
        literal_put(em->fn.out, name, strlen(name));
        put(em, "\",\n");
    }
    put(em, "};\n");
}

/* Symbols arrive as int64_t: what does not fit the run function's int32_t is refused here. */
static void put_adapter_checks(struct emit *em) {
    const struct ast *a = em->ast;
    put(em, "    if (!call");
    put(em, count_kind(a, BUFFER_INPUT) ? " || !call->inputs" : "");
    put(em, count_kind(a, BUFFER_OUTPUT) ? " || !call->outputs" : "");
    put(em, a->symbols.len ? " || !call->symbols" : "");
    put(em, " || call->weights)\n        return NNCC_E_ARG; /* the weights are built in */\n");
    for (int i = 0; i < a->symbols.len; i++)
        putf(em,
             "    if (call->symbols[%d] < 0 || call->symbols[%d] > INT32_MAX)\n"
             "        return NNCC_E_SYMBOL;\n",
             i, i);
}

/* What call->inputs and the others hold, as arguments of the function that `head` calls. */
static void put_adapter_call(struct emit *em, const char *head) {
    const struct ast *a = em->ast;
    struct str call = {0};
    str_add(&call, head);
    for (int i = 0; i < a->symbols.len; i++)
        str_addf(&call, "(int32_t)call->symbols[%d], ", i);
    for (int i = 0; i < count_kind(a, BUFFER_INPUT); i++)
        str_addf(&call, "call->inputs[%d], ", i);
    for (int i = 0; i < count_kind(a, BUFFER_OUTPUT); i++)
        str_addf(&call, "call->outputs[%d], ", i);
    str_add(&call, "call->arena);");
    put_code(em, str_cstr(&call));
    str_free(&call);
}

static void put_adapter(struct emit *em) {
    const char *prefix = em->opt->prefix;
    putf(em, "\nstatic int %s_call(const nncc_call *call)\n{\n", prefix);
    put_adapter_checks(em);
    if (em->regions.len > 0) {
        put(em, "    if (call->hooks && call->hooks->profile)\n");
        put_adapter_call(
            em, arena_printf(&em->arena, "        return %s_profiled(call->hooks, ", prefix));
    }
    put_adapter_call(em, arena_printf(&em->arena, "    return %s_run(", prefix));
    put(em, "}\n");
}

static void put_descriptor(struct emit *em) {
    const struct ast *a = em->ast;
    const char *p = em->opt->prefix, *u = upper(&em->arena, p);
    int inputs = count_kind(a, BUFFER_INPUT), outputs = count_kind(a, BUFFER_OUTPUT), dims = 0;
    put_dims(em);
    put_tensors(em, BUFFER_INPUT, "inputs", &dims);
    put_tensors(em, BUFFER_OUTPUT, "outputs", &dims);
    put_symbols(em);
    put_regions(em);
    put_adapter(em);
    putf(em, "\nconst nncc_model %s_model = {\n    NNCC_ABI, \"%s\", %d, %d, %d, %d,\n    ", p,
         p, inputs, outputs, a->symbols.len, em->regions.len);
    putf(em, inputs ? "%s_inputs, " : "NULL, ", p);
    putf(em, outputs ? "%s_outputs, " : "NULL, ", p);
    putf(em, a->symbols.len ? "%s_symbols, " : "NULL, ", p);
    putf(em, em->regions.len ? "%s_regions,\n" : "NULL,\n", p);
    putf(em, "    %s_ARENA_BYTES, %s_ARENA_ALIGN, %s_WEIGHT_BYTES, %s_MACS, ", u, u, u, u);
    putf(em, "%s_call};\n", p);
}

/* ---- the source ---- */

static const char byte_order_check[] =
    "\n#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__\n"
    "#error \"the constants of this file are little-endian\"\n#endif\n";

static const char literals_pragma[] =
    "\n/* The literals below fill their arrays; newer compilers would have them leave room for "
    "a 0. */\n"
    "#if (defined(__clang_major__) && __clang_major__ >= 21) || \\\n"
    "    (!defined(__clang__) && defined(__GNUC__) && __GNUC__ >= 15)\n"
    "#pragma GCC diagnostic ignored \"-Wunterminated-string-initialization\"\n#endif\n";

static const char attributes[] =
    "\n/* A section or other attribute for constants. */\n"
    "#ifndef NNCC_CONST\n#define NNCC_CONST\n#endif\n"
    "\n/* Functions stay apart, so that the stack bound holds. */\n"
    "#ifndef NNCC_NOINLINE\n#ifdef __GNUC__\n#define NNCC_NOINLINE __attribute__((noinline))\n"
    "#else\n#define NNCC_NOINLINE\n#endif\n#endif\n";

/* With --strict: NNCC_TARGET gives compilers fused products, which they would use for a product
 * and a sum. */
static const char rounding_pragma[] =
    "\n/* A product is rounded before something is added to it. */\n"
    "#if defined(__clang__)\n#pragma STDC FP_CONTRACT OFF\n"
    "#elif defined(__GNUC__)\n#pragma GCC optimize(\"fp-contract=off\")\n#endif\n";

/* How the assembler places a constant: its name, the part of the file that holds it, its bytes.
 * `$` is the prefix in capitals. */
static const char incbin[] =
    "\n/* The assembler takes the large constants from a file beside this one. */\n"
    "#ifndef __ELF__\n"
    "#error \"--weights=bin is for compilers that write ELF; take --weights=c here\"\n#endif\n"
    "#if defined(NNCC_CONST) && !defined(NNCC_CONST_SECTION)\n"
    "#error \"beside NNCC_CONST define NNCC_CONST_SECTION, the section's name as a string\"\n"
    "#endif\n"
    "#ifndef NNCC_CONST_SECTION\n#define NNCC_CONST_SECTION \".rodata.nncc\"\n#endif\n"
    "#ifndef $_WEIGHTS_FILE\n#define $_WEIGHTS_FILE __FILE__ \".bin\"\n#endif\n"
    "#undef NNCC_PLACE\n"
    "#undef NNCC_FITS\n"
    "#define NNCC_PLACE(name, part, bytes) \\\n"
    "    __asm__(\".pushsection \" NNCC_CONST_SECTION \", \\\"a\\\", %progbits\\n\" \\\n"
    "            \".balign 64\\n.globl \" name \"\\n.hidden \" name \"\\n\" \\\n"
    "            \".type \" name \", %object\\n.size \" name \", \" bytes \"\\n\" name "
    "\":\\n\" \\\n"
    "            \".incbin \\\"\" $_WEIGHTS_FILE \"\\\", \" part \"\\n\" \\\n"
    "            NNCC_FITS(name, bytes) \".popsection\")\n"
    "#ifdef __clang__ /* compares when the section is laid out */\n"
    "#define NNCC_FITS(name, bytes) \\\n"
    "    \".skip . - \" name \" - \" bytes \" /* not the file of this C */\\n\" \\\n"
    "    \".org \" name \" + \" bytes \" /* not the file of this C */\\n\"\n"
    "#else\n"
    "#define NNCC_FITS(name, bytes) \\\n"
    "    \".if . - \" name \" - \" bytes \"\\n\" \\\n"
    "    \".error \\\"\" $_WEIGHTS_FILE \" is not the file of this C\\\"\\n.endif\\n\"\n"
    "#endif\n"
    "#define NNCC_PLACED __attribute__((aligned(64), visibility(\"hidden\")))\n";

static void put_incbin(struct emit *em) {
    const char *prefix = upper(&em->arena, em->opt->prefix);
    for (const char *from = incbin, *to; *from; from = *to ? to + 1 : to) {
        to = from + strcspn(from, "$");
        str_add_len(em->fn.out, from, (size_t)(to - from));
        put(em, *to ? prefix : "");
    }
}

static void put_routines(struct emit *em) {
    for (int i = 0; i < em->routines.len; i++) {
        const char *name = em->routines.data[i], *u = upper(&em->arena, name);
        putf(em, "\n#ifndef NNCC_ROUTINE_%s\n#define NNCC_ROUTINE_%s\n", u, u);
        put(em,
            text_from_first_directive(runtime_text(arena_printf(&em->arena, "%s.c", name))));
        put(em, "#endif\n");
    }
}

/* What the target's vectors need and the C calls. */
static void put_vector_helpers(struct emit *em, const char *run) {
    struct str math = {0}, text = {0};
    const struct target *target = em->opt->target, *half = target_half(target);
    math_print(&math, &em->calls);
    vector_print_functions(&math, em);
    str_add(&text, str_cstr(&math));
    str_add(&text, str_cstr(&em->functions));
    str_add(&text, run);
    for (int k = 0; k < 4 && target->scalable; k++)
        prim_put_helpers(em->fn.out, &em->groups[k], str_cstr(&text));
    if (!target->scalable)
        prim_put_helpers(em->fn.out, target, str_cstr(&text));
    if (half)
        prim_put_helpers(em->fn.out, half, str_cstr(&text));
    put(em, str_cstr(&math));
    str_free(&math);
    str_free(&text);
}

static void put_includes(struct emit *em) {
    const char *own = em->vectors ? em->opt->target->header : NULL;
    bool math = em->math || em->helpers.math;
    const struct target *target = em->opt->target;
    put(em, own || math || target->needs ? "\n" : "");
    prim_put_check(em->fn.out, target);
    if (own && !(math && strcmp(own, "math.h") == 0))
        putf(em, "#include <%s>\n", own);
    put(em, math ? "#include <math.h>\n" : "");
}

static void put_source(struct emit *em, struct str *source, const char *run) {
    em->fn = (struct function){.out = source};
    put_banner(em, "C code");
    putf(em, "#include \"%s\"\n", em->opt->header_name);
    put_includes(em);
    bool placed = em->weights_as_bytes && em->opt->weights == WEIGHTS_BIN;
    if (placed)
        put_incbin(em);
    put(em, attributes);
    if (em->opt->target->vector_bytes > 0)
        prim_put_macro(source, em->opt->target);
    put(em, em->opt->strict && em->opt->target->vector_bytes > 0 ? rounding_pragma : "");
    put(em, em->lanes ? lanes_macro : "");
    put(em, em->weights_as_bytes ? byte_order_check : "");
    put(em, em->weights_as_bytes && !placed ? literals_pragma : "");
    helper_print(source, &em->helpers);
    if (em->vectors)
        put_vector_helpers(em, run);
    put_routines(em);
    weights_print(em);
    vector_print_constants(em);
    put(em, str_cstr(&em->functions));
    put(em, run);
    put_descriptor(em);
}

void c_from_ast(const struct ast *a, const struct c_options *opt, struct str *source,
                struct str *header, struct c_figures *figures) {
    struct emit em = {.ast = a, .opt = opt};
    struct str run = {0};
    for (int k = 0; k < 4; k++)
        em.groups[k] = target_grouped(opt->target, 1 << k);
    em.buffer_c = arena_array(&em.arena, const char *, a->buffers.len);
    em.mentioned = arena_array(&em.arena, bool, a->buffers.len);
    em.named = arena_array(&em.arena, bool, a->buffers.len);
    for (const struct ast_node *n = a->body.first; n; n = n->next)
        ast_walk_buffers(n, note_mention, &em);
    declare_symbols(&em);
    name_arguments(&em);
    weights_name(&em);
    em.fn.out = &run;
    emit_program(&em);
    figures->weight_bytes = weights_keep(&em);
    figures->arena_bytes = a->arena_bytes;
    figures->arena_align = a->arena_align;
    figures->macs = a->macs;
    figures->stack_bytes = em.stack_bytes;
    put_source(&em, source, str_cstr(&run));
    put_header(&em, header, figures);
    str_free(&run);
    str_free(&em.functions);
    arena_free(&em.arena);
}
