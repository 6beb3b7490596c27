/* One model with its constants in the C and in a file: the same figures, the same results. */
#include "digits.h"
#include "stored.h"

#include <stdio.h>
#include <string.h>

static _Alignas(16) unsigned char arena[DIGITS_ARENA_BYTES];

int main(void) {
    float input[64], want[10], have[10];
    int failed = DIGITS_ARENA_BYTES != STORED_ARENA_BYTES ||
                 digits_model.weight_bytes != stored_model.weight_bytes;
    for (int run = 0; run < 10; run++) {
        for (int i = 0; i < 64; i++)
            input[i] = (float)((i * 7 + run * 5) % 17);
        memset(have, 1, sizeof have);
        failed |= digits_run(input, want, arena) != 0 || stored_run(input, have, arena) != 0;
        failed |= memcmp(want, have, sizeof want) != 0 || want[0] == want[1];
    }
    puts(failed ? "FAIL weights: the file gives other results" : "weights: the same results");
    return failed;
}
