/* Classifies the held-out pictures of digits.bin with the network that nncc compiled to
 * digits.c, draws some of them as text, and prints accuracy, memory and time.
 *
 *     digits digits.bin
 *
 * Exit code 0 when as many are right as were recorded when the network was trained, 1 when
 * not, 2 when the pictures cannot be read. */
#include "digits.h"
#include "picture.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum {
    DRAWN = 5,  // pictures in one row of drawings
    PASSES = 5, // over all pictures, to take the time
};

/* Rows of drawings: the first pictures of the file, then those answered wrongly. */
struct row {
    int count;
    int index[DRAWN];
};

static struct picture pictures[PICTURE_COUNT];
static int answers[PICTURE_COUNT];

/* Every temporary of the network lives here; a firmware would put it where it likes. */
static alignas(DIGITS_ARENA_ALIGN) unsigned char arena[DIGITS_ARENA_BYTES];

static bool pictures_read(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    size_t got = fread(pictures, sizeof pictures[0], PICTURE_COUNT, f);
    bool more = fgetc(f) != EOF;
    fclose(f);
    return got == PICTURE_COUNT && !more;
}

/* The network's answer, or -1 when it reports an error. */
static int classify(const struct picture *p) {
    float input[PICTURE_PIXELS], score[PICTURE_CLASSES];
    picture_input(p, input);
    if (digits_run(input, score, arena) != 0)
        return -1;
    return picture_class(score);
}

static void row_add(struct row *row, int picture) {
    if (row->count < DRAWN)
        row->index[row->count++] = picture;
}

/* Classifies all pictures once; returns how many are right and collects those to draw. */
static int classify_all(struct row *first, struct row *wrong) {
    int right = 0;
    for (int i = 0; i < PICTURE_COUNT; i++) {
        answers[i] = classify(&pictures[i]);
        row_add(first, i);
        if (answers[i] == pictures[i].answer)
            right++;
        else
            row_add(wrong, i);
    }
    return right;
}

/* Of the quickest pass over all pictures: the others had to share the machine. */
static double microseconds_per_picture(void) {
    clock_t best = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        clock_t start = clock();
        for (int i = 0; i < PICTURE_COUNT; i++)
            answers[i] = classify(&pictures[i]);
        clock_t took = clock() - start;
        if (pass == 0 || took < best)
            best = took;
    }
    return (double)best * 1e6 / CLOCKS_PER_SEC / PICTURE_COUNT;
}

/* One line of pixels; two characters each, so that a picture comes out about square. */
static void draw_line(const uint8_t line[PICTURE_SIDE]) {
    static const char ink[] = " .:-=+*%@";
    for (int x = 0; x < PICTURE_SIDE; x++) {
        char c = ink[line[x] / 2];
        printf("%c%c", c, c);
    }
}

static void draw_row(const char *title, const struct row *row) {
    if (row->count == 0)
        return;
    printf("%s\n\n", title);
    for (int y = 0; y < PICTURE_SIDE; y++) {
        for (int k = 0; k < row->count; k++) {
            printf("  ");
            draw_line(&pictures[row->index[k]].pixel[y * PICTURE_SIDE]);
        }
        printf("\n");
    }
    for (int k = 0; k < row->count; k++)
        printf("  is %d, answer %d   ", pictures[row->index[k]].answer, answers[row->index[k]]);
    printf("\n\n");
}

int main(int argc, char **argv) {
    if (argc != 2 || !pictures_read(argv[1])) {
        fprintf(stderr, "usage: %s digits.bin   (%d records of %d bytes)\n", argv[0],
                PICTURE_COUNT, (int)sizeof pictures[0]);
        return 2;
    }
    struct row first = {0}, wrong = {0};
    int right = classify_all(&first, &wrong);
    draw_row("The first pictures:", &first);
    draw_row("Answered wrongly:", &wrong);

    printf("accuracy  %d of %d right = %.4f (recorded: %d)\n", right, PICTURE_COUNT,
           (double)right / PICTURE_COUNT, PICTURE_RIGHT);
    printf("arena     %lu bytes\n", (unsigned long)DIGITS_ARENA_BYTES);
    printf("weights   %lu bytes\n", (unsigned long)DIGITS_WEIGHT_BYTES);
    printf("work      %lu multiply-adds per picture\n", (unsigned long)DIGITS_MACS);
    printf("time      %.1f microseconds per picture\n", microseconds_per_picture());
    return right == PICTURE_RIGHT ? 0 : 1;
}
