/* The digits network as a bare-metal firmware: classifies the held-out pictures from flash and
 * reports accuracy, memory, stack and work by semihosting.
 *
 * Exit code 0 when as many pictures are right as were recorded and the stack kept its bound,
 * else
 * 1. Nothing here allocates; the arena is the only large piece of RAM. */
#include "digits.h"
#include "picture.h"
#include "semihost.h"

#include <stdalign.h>
#include <stdbool.h>

extern const struct picture pictures[PICTURE_COUNT]; // pictures.S
extern uint32_t stack_bottom[];                      // an386.ld

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)

enum {
    SYST_MAX = 0xFFFFFF,
    INSTRUCTIONS_PER_TICK = 40, // qemu -icount shift=0: 1 ns each; SysTick counts at 25 MHz
    STACK_PAINT = 0x5AFE57AC,
};

NNCC_ARENA static alignas(DIGITS_ARENA_ALIGN) unsigned char arena[DIGITS_ARENA_BYTES];

struct cost {
    uint32_t stack;        // bytes below the caller's stack pointer
    uint32_t instructions; // by SysTick, to the next 40
};

/* Runs the network once and finds what it cost. The free stack is painted, and what has lost
 * its paint afterwards was used. */
static __attribute__((noinline)) int run_measured(const float *input, float *score,
                                                  struct cost *cost) {
    volatile uint32_t *top;
    __asm__ volatile("mov %0, sp" : "=r"(top));
    for (volatile uint32_t *p = stack_bottom; p < top; p++)
        *p = STACK_PAINT;
    SYST_RVR = SYST_MAX;
    SYST_CVR = 0;
    SYST_CSR = 5; // processor clock, no interrupt, on
    int error = digits_run(input, score, arena);
    uint32_t ticks = SYST_MAX - SYST_CVR;
    SYST_CSR = 0;
    volatile uint32_t *p = stack_bottom;
    while (p < top && *p == STACK_PAINT)
        p++;
    cost->stack = (uint32_t)(top - p) * 4;
    cost->instructions = ticks * INSTRUCTIONS_PER_TICK;
    return error;
}

/* How many of the pictures the network answers right, and what its last run cost. */
static uint32_t count_right(struct cost *cost) {
    uint32_t right = 0;
    for (int i = 0; i < PICTURE_COUNT; i++) {
        float input[PICTURE_PIXELS], score[PICTURE_CLASSES];
        picture_input(&pictures[i], input);
        if (run_measured(input, score, cost) == 0)
            right += picture_class(score) == pictures[i].answer;
    }
    return right;
}

static void print_line(const char *before, uint32_t n, const char *after) {
    semihost_print(before);
    semihost_print_number(n);
    semihost_print(after);
}

/* A fraction in units of 1/10000. */
static void print_accuracy(uint32_t accuracy) {
    print_line("accuracy      ", accuracy / 10000, ".");
    for (uint32_t place = 1000; place > 0; place /= 10)
        semihost_print_number(accuracy / place % 10);
    semihost_print("\n");
}

int main(void) {
    struct cost cost;
    uint32_t right = count_right(&cost);
    print_line("right         ", right, " of ");
    print_line("", PICTURE_COUNT, " pictures");
    print_line(" (recorded: ", PICTURE_RIGHT, ")\n");
    print_accuracy((right * 10000 + PICTURE_COUNT / 2) / PICTURE_COUNT);
    print_line("weights       ", DIGITS_WEIGHT_BYTES, " bytes of flash\n");
    print_line("arena         ", DIGITS_ARENA_BYTES, " bytes of RAM\n");
    print_line("stack         ", cost.stack, " bytes used");
    print_line(", at most ", DIGITS_STACK_BYTES, " by digits.h\n");
    print_line("work          ", (uint32_t)DIGITS_MACS, " multiply-adds per picture\n");
    print_line("instructions  ", cost.instructions, " per picture\n");
    bool ok = right == PICTURE_RIGHT && cost.stack <= DIGITS_STACK_BYTES;
    semihost_print(ok ? "ok\n" : "FAILED\n");
    return ok ? 0 : 1;
}
