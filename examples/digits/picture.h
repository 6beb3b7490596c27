/* The held-out pictures: how one is stored, how it becomes the network's input.
 *
 * digits.bin is a row of records of 65 bytes: the answer (0..9), then 8 x 8 pixels row by row,
 * each 0 (paper) to 16 (ink).  The network was trained on pixel / 16, which a float holds
 * exactly, so nothing is lost in storing them as bytes.  The program on the workstation and the
 * firmware both include this file. */
#ifndef PICTURE_H
#define PICTURE_H

#include <stdint.h>

enum {
    PICTURE_SIDE = 8,
    PICTURE_PIXELS = PICTURE_SIDE * PICTURE_SIDE,
    PICTURE_CLASSES = 10,
    PICTURE_COUNT = 450, // records in digits.bin
    PICTURE_RIGHT = 448, // of which the network was recorded to answer right: 0.9956
};

struct picture {
    uint8_t answer;
    uint8_t pixel[PICTURE_PIXELS];
};

/* Fills `input`, the network's [1,1,8,8], with values 0..1. */
static inline void picture_input(const struct picture *p, float input[PICTURE_PIXELS]) {
    for (int i = 0; i < PICTURE_PIXELS; i++)
        input[i] = (float)p->pixel[i] / 16.0f;
}

/* The class with the largest of the network's scores, the first one on a tie. */
static inline int picture_class(const float score[PICTURE_CLASSES]) {
    int best = 0;
    for (int i = 1; i < PICTURE_CLASSES; i++)
        if (score[i] > score[best])
            best = i;
    return best;
}

#endif
