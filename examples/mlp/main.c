/* Asks the network that nncc compiled to moons.c about points of the plane: compares some
 * answers with those of the recipe (make_model.py), then draws what the network thinks of every
 * point.
 *
 * Exit code 0 when all answers agree, else 1. */
#include "moons.h"

#include <math.h>
#include <stdalign.h>
#include <stdio.h>

/* A point and the answer printed by make_model.py, which computes it in double precision. */
static const struct {
    float x, y, lower;
} expected[] = {
    // clang-format off
    { 0.00f,  1.00f, 0.000003f},
    { 1.00f,  0.50f, 0.000123f},
    {-1.00f,  0.00f, 0.000002f},
    { 0.50f,  0.25f, 0.817574f},
    { 0.50f,  0.30f, 0.645656f},
    { 0.00f,  0.50f, 0.999877f},
    { 1.00f, -0.50f, 0.999999f},
    { 2.00f,  0.50f, 1.000000f},
    // clang-format on
};

enum { COUNT = sizeof expected / sizeof expected[0], COLUMNS = 64, ROWS = 17 };

static alignas(MOONS_ARENA_ALIGN) unsigned char arena[MOONS_ARENA_BYTES];

/* How likely the point is one of the lower moon; NAN when the network reports an error. */
static float ask(float x, float y) {
    const float point[2] = {x, y};
    float lower[1];
    return moons_run(point, lower, arena) == 0 ? lower[0] : NAN;
}

static int count_wrong(void) {
    int wrong = 0;
    printf("       x       y   answer  expected\n");
    for (int i = 0; i < COUNT; i++) {
        float got = ask(expected[i].x, expected[i].y);
        int same = fabsf(got - expected[i].lower) < 2e-6f; // not for NAN
        printf("  %6.2f  %6.2f  %.6f  %.6f%s\n", (double)expected[i].x, (double)expected[i].y,
               (double)got, (double)expected[i].lower, same ? "" : "  WRONG");
        wrong += !same;
    }
    return wrong;
}

/* Whether the point lies on the upper (-1) or the lower moon (1), or on neither (0). */
static int on_moon(float x, float y) {
    float upper = hypotf(x, y), lower = hypotf(x - 1.0f, y - 0.5f);
    if (y >= 0.0f && fabsf(upper - 1.0f) < 0.06f)
        return -1;
    return y <= 0.5f && fabsf(lower - 1.0f) < 0.06f;
}

/* The moons as u and l on the map of the answers: blank is upper, # is lower, in steps. */
static void draw_map(void) {
    for (int row = 0; row < ROWS; row++) {
        printf("  ");
        for (int column = 0; column < COLUMNS; column++) {
            float x = -1.4f + 3.8f * (float)column / (COLUMNS - 1);
            float y = 1.25f - 2.0f * (float)row / (ROWS - 1);
            int moon = on_moon(x, y);
            int shade = (int)(ask(x, y) * 3.999f);
            putchar(moon < 0 ? 'u' : moon > 0 ? 'l' : " .:#"[shade]);
        }
        putchar('\n');
    }
}

int main(void) {
    int wrong = count_wrong();
    if (wrong == 0) {
        printf("\n");
        draw_map();
    }
    printf("\n%d of %d answers as expected; arena %lu bytes, weights %lu bytes\n",
           COUNT - wrong, COUNT, (unsigned long)MOONS_ARENA_BYTES,
           (unsigned long)MOONS_WEIGHT_BYTES);
    return wrong != 0;
}
