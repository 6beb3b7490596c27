/* From reset to main on a Cortex-M4: vector table, FPU, a guard below the stack, initialised
 * data.
 *
 * ARMv7-M Architecture Reference Manual: B1.5 (vectors), B3.2 (CPACR), B3.5 (MPU). */
#include "semihost.h"

#include <stdint.h>

int main(void);

// Addresses from an386.ld.
extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

#define CPACR    (*(volatile uint32_t *)0xE000ED88u)
#define MPU_CTRL (*(volatile uint32_t *)0xE000ED94u)
#define MPU_RNR  (*(volatile uint32_t *)0xE000ED98u)
#define MPU_RBAR (*(volatile uint32_t *)0xE000ED9Cu)
#define MPU_RASR (*(volatile uint32_t *)0xE000EDA0u)

enum { FAULT_EXIT = 99 };

__attribute__((used)) static _Noreturn void fault_report(void) {
    semihost_print("fault\n");
    semihost_exit(FAULT_EXIT);
}

/* The fault may be a stack that ran out: takes a fresh one before anything else is called. */
__attribute__((naked)) static void fault(void) {
    __asm__ volatile("ldr sp, =stack_top\n\tb fault_report");
}

/* Forbids the 256 MB below the RAM, where an overflowing stack would go: the board ignores
 * writes there without a word. */
static void guard_stack(void) {
    MPU_RNR = 0;
    MPU_RBAR = 0x10000000;
    MPU_RASR = 1u << 28 | 27u << 1 | 1u; // never execute, no access, 2^(27+1) bytes, on
    MPU_CTRL = 5;                        // on, all else as without it
}

_Noreturn void reset(void);

_Noreturn void reset(void) {
    CPACR |= 0xFu << 20; // full access to CP10 and CP11, the FPU
    guard_stack();
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    for (uint32_t *to = data_start, *from = data_load; to < data_end;)
        *to++ = *from++;
    for (uint32_t *p = bss_start; p < bss_end;)
        *p++ = 0;
    semihost_exit(main());
}

union vector {
    uint32_t *stack;
    void (*handler)(void);
};

/* The initial stack pointer, reset, NMI and the four faults; 0 is reserved. No interrupt is
 * used. */
__attribute__((section(".vectors"), used)) static const union vector vectors[16] = {
    // clang-format off
    [0] = {.stack = stack_top}, [1] = {.handler = reset},
    [2] = {.handler = fault}, [3] = {.handler = fault}, [4] = {.handler = fault},
    [5] = {.handler = fault}, [6] = {.handler = fault},
    [11] = {.handler = fault}, [12] = {.handler = fault},
    [14] = {.handler = fault}, [15] = {.handler = fault},
    // clang-format on
};
