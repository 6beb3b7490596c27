/* Talking to the debugger or emulator that runs the firmware (Arm semihosting, version 2). */
#ifndef SEMIHOST_H
#define SEMIHOST_H

#include <stdint.h>

/* Writes a text that ends with 0. */
void semihost_print(const char *text);

/* Writes a number in decimal. */
void semihost_print_number(uint32_t n);

/* Ends the run; `code` becomes the exit code of the emulator. */
_Noreturn void semihost_exit(int code);

#endif
