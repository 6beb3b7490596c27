/* Draws digits: a path of straight strokes for each, widened to a pen with soft edges. */
#include "sheet.h"

#include <math.h>
#include <stdbool.h>

enum {
    PATH_WIDTH = 10, // of the paths below, which are drawn at any size
    PATH_HEIGHT = 16,
    PAPER = 20, // paper is 0 to 19 grey
    INK = 240,
    PEN_MOST = 2, // pixels on either side of a path
};

struct point {
    float x, y;
};

/* A pen's way on a digit: a letter for x, 'a' = 0 to 'k' = 10, one for y, 'A' = 0 to 'Q' = 16
 * downwards; a blank lifts the pen. */
static const char *const paths[PICTURE_CLASSES] = {
    "fAcBaFaLcPfQiPkLkFiBfA",             // 0
    "bGeCgAgQ",                           // 1
    "bDcBeAgAiCiFgJaQjQ",                 // 2
    "aCdAhAjCjFhHeI eIhIkLjOgQdQaO",      // 3
    "hAaKkK hFhQ",                        // 4
    "jAbAbHfGiHkKjOgQdQaO",               // 5
    "fAcEaKaNcQgQiOiLgJdIbK",             // 6
    "bBjBfIdQ bIiI",                      // 7
    "fIcGbDdBfAhBjDiGfIbKaNcPfQiPkNjKfI", // 8
    "jEhBeAbCbFdIgIjFjEjKhOeQ",           // 9
};

/* How one digit is written. */
struct hand {
    float x, y;   // of the path's upper left corner
    float height; // pixels, without the pen's thickness
    float slant;  // how much the top leans to the right, of the height
    float pen;    // half the pen's thickness, pixels
};

/* The next of a row of numbers, from `from` to `to`. */
static int draw_number(uint32_t *state, int from, int to) {
    *state = *state * 1664525u + 1013904223u;
    return from + (int)((*state >> 16) % (uint32_t)(to - from + 1));
}

static struct point point_at(const char *path, const struct hand *hand) {
    float x = (float)(path[0] - 'a'), y = (float)(path[1] - 'A');
    float scale = hand->height / PATH_HEIGHT;
    struct point p = {hand->x + scale * (x + hand->slant * (PATH_HEIGHT - y)),
                      hand->y + scale * y};
    return p;
}

/* From `p` to the nearest point of the stroke from `a` to `b`. */
static float distance(struct point p, struct point a, struct point b) {
    float dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
    float along = ((p.x - a.x) * dx + (p.y - a.y) * dy) / length;
    along = along < 0.0f ? 0.0f : along > 1.0f ? 1.0f : along;
    float x = p.x - a.x - along * dx, y = p.y - a.y - along * dy;
    return sqrtf(x * x + y * y);
}

static float path_distance(struct point p, const char *path, const struct hand *hand) {
    float least = SHEET_WIDTH;
    for (; path[2]; path += 2) {
        if (path[2] == ' ') {
            path++;
            continue;
        }
        float d = distance(p, point_at(path, hand), point_at(path + 2, hand));
        least = d < least ? d : least;
    }
    return least;
}

/* How far the writing of a digit reaches to the right. */
static float hand_end(const struct hand *hand) {
    return hand->x + hand->height * ((float)PATH_WIDTH / PATH_HEIGHT + hand->slant);
}

/* Inks one pixel as far as the pen covers it; false when the pen leaves it alone. */
static bool draw_pixel(struct sheet *sheet, int x, int y, const char *path,
                       const struct hand *hand) {
    struct point middle = {(float)x + 0.5f, (float)y + 0.5f};
    float soft = hand->pen + 0.5f - path_distance(middle, path, hand);
    if (soft <= 0.0f)
        return false;
    uint8_t ink = (uint8_t)(soft < 1.0f ? soft * INK : INK);
    if (ink > sheet->grey[y][x])
        sheet->grey[y][x] = ink;
    return true;
}

/* Writes a digit; the pixels it takes. */
static struct mark draw_digit(struct sheet *sheet, int digit, const struct hand *hand) {
    struct mark mark = {digit, SHEET_WIDTH, SHEET_HEIGHT, 0, 0};
    int left = (int)hand->x - PEN_MOST, right = (int)hand_end(hand) + PEN_MOST + 1;
    for (int y = 0; y < SHEET_HEIGHT; y++)
        for (int x = left; x < right && x < SHEET_WIDTH; x++) {
            if (!draw_pixel(sheet, x, y, paths[digit], hand))
                continue;
            mark.left = x < mark.left ? x : mark.left;
            mark.right = x >= mark.right ? x + 1 : mark.right;
            mark.top = y < mark.top ? y : mark.top;
            mark.bottom = y + 1;
        }
    return mark;
}

/* How the next digit is written on a line whose writing ends at `x`. */
static struct hand hand_next(uint32_t *state, float x, int line) {
    int height = draw_number(state, 12, 18), slant = draw_number(state, 0, 20);
    struct hand hand = {0.0f, 0.0f, (float)height, (float)slant / 100.0f, 0.0f};
    hand.pen = hand.height * (float)draw_number(state, 6, 8) / 100.0f;
    hand.x = x + (float)draw_number(state, 40, 60) / 10.0f;
    hand.y = (float)(line * SHEET_LINE_HEIGHT);
    hand.y += (float)draw_number(state, 20, 10 * (SHEET_LINE_HEIGHT - 2 - height)) / 10.0f;
    return hand;
}

void sheet_draw(struct sheet *sheet, struct marks *drawn, uint32_t number) {
    uint32_t state = number;
    for (int y = 0; y < SHEET_HEIGHT; y++)
        for (int x = 0; x < SHEET_WIDTH; x++)
            sheet->grey[y][x] = (uint8_t)draw_number(&state, 0, PAPER - 1);

    drawn->count = 0;
    for (int line = 0; line < SHEET_LINES; line++)
        for (float x = 0.0f;;) {
            struct hand hand = hand_next(&state, x, line);
            x = hand_end(&hand);
            if (x > SHEET_WIDTH - PEN_MOST || drawn->count == SHEET_MARKS)
                break;
            int digit = draw_number(&state, 0, PICTURE_CLASSES - 1);
            drawn->at[drawn->count++] = draw_digit(sheet, digit, &hand);
        }
}
