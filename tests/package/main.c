/* Exit status 0 when both models, one a source of this program, one a library, can be called.
 */
#include "digits.h"
#include "moons.h"

#include <nncc.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    float point[2] = {0.5f, 0.25f}, lower[1], picture[64] = {0}, scores[10];
    size_t bytes =
        MOONS_ARENA_BYTES > DIGITS_ARENA_BYTES ? MOONS_ARENA_BYTES : DIGITS_ARENA_BYTES;
    void *arena = aligned_alloc(64, (bytes + 127) / 64 * 64);
    int code = arena ? moons_run(point, lower, arena) : 1;
    code = code ? code : digits_run(picture, scores, arena);
    printf("%d %f %f\n", code, (double)lower[0], (double)scores[0]);
    free(arena);
    return code != 0 || NNCC_ABI != 1;
}
