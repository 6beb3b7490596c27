/* A sheet of paper with digits on it: a grey picture that the program draws itself, so that it
 * knows what is right, and reads as if it did not.
 *
 * draw.c writes the digits with a soft pen, each of its own size, slant and thickness, at a
 * place of its own between ruled lines, on paper that is not quite white; find.c knows the
 * pixels alone.  Both include picture.h for the form of the network's input. */
#ifndef SHEET_H
#define SHEET_H

#include "picture.h"

enum {
    SHEET_WIDTH = 96,
    SHEET_LINES = 2,        // of writing
    SHEET_LINE_HEIGHT = 24, // pixels
    SHEET_HEIGHT = SHEET_LINES * SHEET_LINE_HEIGHT,
    SHEET_MARKS = 32, // at most so many digits on a sheet
};

/* A digit on the sheet and the pixels left <= x < right, top <= y < bottom around it. */
struct mark {
    int digit;
    int left, top, right, bottom;
};

struct marks {
    int count;
    struct mark at[SHEET_MARKS];
};

struct sheet {
    uint8_t grey[SHEET_HEIGHT][SHEET_WIDTH]; // 0 (paper) to 255 (ink)
};

/* Fills `sheet` with digits that follow from `number` alone, and `drawn` with what they are. */
void sheet_draw(struct sheet *sheet, struct marks *drawn, uint32_t number);

/* Fills `found` with the boxes of the patches of connected ink, digits yet -1, and `windows`
 * with the same patches as the network wants them: 8 x 8, 0..1, as large as fits, in the
 * middle.  From left to right; the first SHEET_MARKS of more. */
void sheet_find(const struct sheet *sheet, struct marks *found,
                float windows[SHEET_MARKS][PICTURE_PIXELS]);

#endif
