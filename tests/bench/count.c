/* Counts instructions: a plug-in of QEMU's user-mode emulators, qemu-aarch64 and so on.
 *
 *   gcc -O2 -shared -fPIC -o libcount.so count.c
 *   qemu-aarch64 -plugin ./libcount.so,out=FILE,from=ADDRESS,to=ADDRESS program
 *
 * Counts what runs from the first time that the instruction at `from` is reached until the one
 * at `to` is; without them the whole program. FILE gets a line for each block of instructions
 * that ran: the addresses of its first and its last one (hexadecimal), how many it has, how
 * often it began and how often its last one ran.
 *
 * A block runs from its first to its last instruction: only a signal or a fault could leave it
 * in between, and either ends the programs that are counted. So two additions in line per block
 * are exact. The last one counts for itself: on x86 QEMU may take back the last instruction of
 * a block, where it reaches into another page, without telling the plug-in.
 *
 * What QEMU calls and gives is declared here, by its documentation (docs/devel/tcg-plugins.rst,
 * version 1 of the interface, QEMU 4.2 to 8): Debian has no header of it. */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the interface ---- */

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info; /* of no use here */
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*call)(qemu_plugin_id_t id,
                                                        struct qemu_plugin_tb *tb));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
                                    void (*call)(qemu_plugin_id_t id, void *user), void *user);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, enum qemu_plugin_op op,
                                              void *to, uint64_t add);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn,
                                                enum qemu_plugin_op op, void *to, uint64_t add);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                            void (*call)(unsigned vcpu, void *user),
                                            enum qemu_plugin_cb_flags flags, void *user);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t k);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

/* What QEMU looks up in here. */
extern int qemu_plugin_version;
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
                        char **argv);

int qemu_plugin_version = 1;

/* ---- counting ---- */

/* A translation of the instructions from `start` to `last`; one address may begin several. */
struct block {
    uint64_t start, last, begun, ended;
    size_t instructions;
    struct block *next;
};

/* A callback of translations has no argument of its own. */
static struct {
    struct block *blocks;
    uint64_t from, to; /* 0: from the start, to the end */
    FILE *out;
    bool begun, done;
} state;

static void begin(unsigned vcpu, void *user) {
    (void)vcpu;
    (void)user;
    for (struct block *b = state.begun ? NULL : state.blocks; b; b = b->next)
        b->begun = b->ended = 0;
    state.begun = true;
}

static void finish(unsigned vcpu, void *user) {
    (void)vcpu;
    (void)user;
    for (const struct block *b = state.done ? NULL : state.blocks; b; b = b->next)
        if (b->begun)
            fprintf(state.out, "%" PRIx64 " %" PRIx64 " %zu %" PRIu64 " %" PRIu64 "\n",
                    b->start, b->last, b->instructions, b->begun, b->ended);
    state.done = true;
}

static void at_exit(qemu_plugin_id_t id, void *user) {
    (void)id;
    if (!state.to)
        finish(0, user);
    fclose(state.out);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    struct block *b = calloc(1, sizeof *b);
    (void)id;
    if (!b)
        abort();
    b->instructions = qemu_plugin_tb_n_insns(tb);
    b->start = qemu_plugin_tb_vaddr(tb);
    b->next = state.blocks;
    state.blocks = b;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &b->begun, 1);
    for (size_t k = 0; k < b->instructions; k++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, k);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        b->last = address;
        if (k == b->instructions - 1)
            qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
                                                       &b->ended, 1);
        if (state.from && address == state.from)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, begin, QEMU_PLUGIN_CB_NO_REGS, NULL);
        if (state.to && address == state.to)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, finish, QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
                        char **argv) {
    (void)info;
    for (int k = 0; k < argc; k++) {
        if (strncmp(argv[k], "out=", 4) == 0)
            state.out = fopen(argv[k] + 4, "w");
        else if (strncmp(argv[k], "from=", 5) == 0)
            state.from = strtoull(argv[k] + 5, NULL, 0);
        else if (strncmp(argv[k], "to=", 3) == 0)
            state.to = strtoull(argv[k] + 3, NULL, 0);
    }
    if (!state.out) {
        fprintf(stderr, "count: out=FILE is missing or cannot be written\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
