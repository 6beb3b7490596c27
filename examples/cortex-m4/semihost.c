/* Semihosting by the breakpoint instruction that Cortex-M reserves for it: operation in r0,
 * argument in r1. */
#include "semihost.h"

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, ADP_STOPPED_APPLICATION_EXIT = 0x20026 };

static void call(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

void semihost_print(const char *text) {
    call(SYS_WRITE0, text);
}

void semihost_print_number(uint32_t n) {
    char text[11], *p = &text[sizeof text - 1];
    *p = 0;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    semihost_print(p);
}

_Noreturn void semihost_exit(int code) {
    const uint32_t argument[2] = {ADP_STOPPED_APPLICATION_EXIT, (uint32_t)code};
    call(SYS_EXIT_EXTENDED, argument);
    for (;;)
        ;
}
