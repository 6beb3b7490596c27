/* Reads digits on a Linux board: sheets that the program draws itself and the held-out pictures
 * of digits.bin, with the network that nncc compiled to digits.c.
 *
 *     sheet digits.bin
 *
 * Exit code 0 when every drawn digit is found and read and as many pictures are right as were
 * recorded when the network was trained, 1 when not, 2 when the pictures cannot be read. */
#include "digits.h"
#include "sheet.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    SHEETS = 20,
    SHOWN = 2, // of them, as text
};

/* How many answers there should be and how many are right. */
struct score {
    int right, all;
};

/* The network's answer, or -1 when it reports an error. Its temporaries live in `room`. */
static int classify(const float input[PICTURE_PIXELS]) {
    static unsigned char room[DIGITS_ARENA_BYTES + DIGITS_ARENA_ALIGN - 1];
    unsigned char *arena = room + (0 - (uintptr_t)room) % DIGITS_ARENA_ALIGN;
    float score[PICTURE_CLASSES];
    if (digits_run(input, score, arena) != 0)
        return -1;
    return picture_class(score);
}

/* Prints a line without the blanks at its end. */
static void print_trimmed(const char line[SHEET_WIDTH]) {
    int length = SHEET_WIDTH;
    while (length > 0 && line[length - 1] == ' ')
        length--;
    printf("%s%.*s\n", length > 0 ? "  " : "", length, line);
}

/* Prints a line of writing and below each digit the answer. A character is two pixels high, so
 * that the picture keeps its shape. */
static void print_writing(const struct sheet *sheet, const struct marks *found, int line) {
    static const char ink[] = " .:-=+*%@";
    char text[SHEET_WIDTH];
    int top = line * SHEET_LINE_HEIGHT;
    for (int y = top; y < top + SHEET_LINE_HEIGHT; y += 2) {
        for (int x = 0; x < SHEET_WIDTH; x++)
            text[x] = ink[(sheet->grey[y][x] + sheet->grey[y + 1][x]) * 9 / 512];
        print_trimmed(text);
    }
    memset(text, ' ', sizeof text);
    for (int i = 0; i < found->count; i++) {
        const struct mark *m = &found->at[i];
        if ((m->top + m->bottom) / 2 / SHEET_LINE_HEIGHT == line)
            text[(m->left + m->right) / 2] = (char)(m->digit < 0 ? '?' : '0' + m->digit);
    }
    print_trimmed(text);
    printf("\n");
}

/* The mark of `marks` around the middle of `m`, or NULL. */
static const struct mark *mark_around(const struct marks *marks, const struct mark *m) {
    int x = (m->left + m->right) / 2, y = (m->top + m->bottom) / 2;
    for (int i = 0; i < marks->count; i++) {
        const struct mark *at = &marks->at[i];
        if (at->left <= x && x < at->right && at->top <= y && y < at->bottom)
            return at;
    }
    return NULL;
}

/* Compares what was drawn with what was read, and says where they differ. */
static void judge(int number, const struct marks *drawn, const struct marks *found,
                  struct score *score) {
    for (int i = 0; i < drawn->count; i++) {
        const struct mark *is = &drawn->at[i], *read = mark_around(found, is);
        score->all++;
        if (read && read->digit == is->digit) {
            score->right++;
            continue;
        }
        printf("sheet %d: the %d at %d, %d is ", number, is->digit, is->left, is->top);
        if (read)
            printf("read as %d\n", read->digit);
        else
            printf("not found\n");
    }
    if (found->count != drawn->count) {
        printf("sheet %d: %d digits found, %d drawn\n", number, found->count, drawn->count);
        score->all++;
    }
}

/* Draws a sheet, finds its digits and reads them. */
static void read_sheet(int number, struct score *score) {
    static float windows[SHEET_MARKS][PICTURE_PIXELS];
    struct sheet sheet;
    struct marks drawn, found;
    sheet_draw(&sheet, &drawn, (uint32_t)number);
    sheet_find(&sheet, &found, windows);
    for (int i = 0; i < found.count; i++)
        found.at[i].digit = classify(windows[i]);
    if (number <= SHOWN) {
        printf("Sheet %d and what is read:\n\n", number);
        for (int line = 0; line < SHEET_LINES; line++)
            print_writing(&sheet, &found, line);
    }
    judge(number, &drawn, &found, score);
}

/* Classifies the pictures of a file; false when it does not hold just these. */
static bool read_pictures(const char *path, struct score *score) {
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    struct picture p;
    while (fread(&p, sizeof p, 1, f) == 1) {
        float input[PICTURE_PIXELS];
        picture_input(&p, input);
        score->all++;
        score->right += classify(input) == p.answer;
    }
    fclose(f);
    return score->all == PICTURE_COUNT;
}

int main(int argc, char **argv) {
    struct score drawn = {0, 0}, pictures = {0, 0};
    if (argc != 2 || !read_pictures(argv[1], &pictures)) {
        fprintf(stderr, "usage: %s digits.bin   (%d records of %d bytes)\n", argv[0],
                PICTURE_COUNT, (int)sizeof(struct picture));
        return 2;
    }
    for (int number = 1; number <= SHEETS; number++)
        read_sheet(number, &drawn);

    printf("drawn     %d of %d digits right, on %d sheets\n", drawn.right, drawn.all, SHEETS);
    printf("held out  %d of %d handwritten digits right (recorded: %d)\n", pictures.right,
           pictures.all, PICTURE_RIGHT);
    printf("arena     %lu bytes\n", (unsigned long)DIGITS_ARENA_BYTES);
    printf("weights   %lu bytes\n", (unsigned long)DIGITS_WEIGHT_BYTES);
    printf("work      %lu multiply-adds per digit\n", (unsigned long)DIGITS_MACS);
    return drawn.all > 0 && drawn.right == drawn.all && pictures.right == PICTURE_RIGHT ? 0 : 1;
}
