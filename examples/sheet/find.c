/* Finds the digits of a sheet: each patch of connected ink is taken for one. */
#include "sheet.h"

enum { DARK = 128 }; // ink is at least that grey

/* Pixels of a sheet, each with the patch it belongs to: 0 is none. */
struct patches {
    uint8_t of[SHEET_HEIGHT][SHEET_WIDTH];
    int todo[SHEET_HEIGHT * SHEET_WIDTH]; // pixels whose neighbours are still to be seen
    int waiting;
};

static int least(int a, int b) {
    return a < b ? a : b;
}

static int most(int a, int b) {
    return a > b ? a : b;
}

/* Puts a pixel into patch `patch` when it is ink and in none. */
static void patch_take(struct patches *p, const struct sheet *sheet, int x, int y, int patch) {
    if (sheet->grey[y][x] < DARK || p->of[y][x])
        return;
    p->of[y][x] = (uint8_t)patch;
    p->todo[p->waiting++] = y * SHEET_WIDTH + x;
}

/* Puts all ink that hangs together with pixel x, y into `patch`; its box. */
static struct mark patch_grow(struct patches *p, const struct sheet *sheet, int x, int y,
                              int patch) {
    struct mark box = {-1, x, y, x + 1, y + 1};
    patch_take(p, sheet, x, y, patch);
    while (p->waiting) {
        int at = p->todo[--p->waiting], px = at % SHEET_WIDTH, py = at / SHEET_WIDTH;
        box.left = least(box.left, px), box.right = most(box.right, px + 1);
        box.top = least(box.top, py), box.bottom = most(box.bottom, py + 1);
        for (int ny = most(py - 1, 0); ny < least(py + 2, SHEET_HEIGHT); ny++)
            for (int nx = most(px - 1, 0); nx < least(px + 2, SHEET_WIDTH); nx++)
                patch_take(p, sheet, nx, ny, patch);
    }
    return box;
}

/* How much of pixel `at` lies between `from` and `to`. */
static float overlap(int at, float from, float to) {
    float low = from > (float)at ? from : (float)at;
    float high = to < (float)(at + 1) ? to : (float)(at + 1);
    return high > low ? high - low : 0.0f;
}

/* The mean ink, 0..1, of a square of `side` pixels; other patches count as paper. */
static float mean_ink(const struct patches *p, const struct sheet *sheet,
                      const struct mark *box, int patch, float left, float top, float side) {
    float sum = 0.0f;
    for (int y = box->top; y < box->bottom; y++)
        for (int x = box->left; x < box->right; x++)
            if (p->of[y][x] == 0 || p->of[y][x] == patch)
                sum += sheet->grey[y][x] * overlap(x, left, left + side) *
                       overlap(y, top, top + side);
    return sum / (255.0f * side * side);
}

/* The network saw digits as high as its picture, in the middle from left to right. */
static void patch_window(const struct patches *p, const struct sheet *sheet,
                         const struct mark *box, int patch, float window[PICTURE_PIXELS]) {
    int size = most(box->right - box->left, box->bottom - box->top);
    float side = (float)size / PICTURE_SIDE;
    float left = (float)(box->left + box->right - size) / 2.0f;
    float top = (float)(box->top + box->bottom - size) / 2.0f;
    for (int y = 0; y < PICTURE_SIDE; y++)
        for (int x = 0; x < PICTURE_SIDE; x++)
            window[y * PICTURE_SIDE + x] = mean_ink(
                p, sheet, box, patch, left + (float)x * side, top + (float)y * side, side);
}

void sheet_find(const struct sheet *sheet, struct marks *found,
                float windows[SHEET_MARKS][PICTURE_PIXELS]) {
    struct patches patches = {0};
    found->count = 0;
    for (int x = 0; x < SHEET_WIDTH; x++)
        for (int y = 0; y < SHEET_HEIGHT; y++) {
            if (found->count == SHEET_MARKS || sheet->grey[y][x] < DARK || patches.of[y][x])
                continue;
            struct mark *box = &found->at[found->count];
            int patch = found->count + 1;
            *box = patch_grow(&patches, sheet, x, y, patch);
            patch_window(&patches, sheet, box, patch, windows[found->count++]);
        }
}
