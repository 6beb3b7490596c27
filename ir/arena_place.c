/* Offsets for blocks with lifetimes: two-dimensional packing in which only the offset is free.
 *
 * Placement is greedy, one item after the other in some order, each at the lowest place beside
 * those placed before it that live at the same time ("Efficient Memory Management for Deep
 * Neural Net Inference", Pisarchyk and Lee, 2020, section 5.2). A good order is found by trying
 * a few and improving each by squeaky wheel optimization (Joslin and Clements, 1999): the items
 * that reach the top of the arena are placed earlier in the next round. The search ends at the
 * liveness bound, below which no plan exists, or when its work is used up.
 *
 * Cost: the number of pairs that live together, times a logarithm, for each round; rounds are
 * limited so that 500 items take less than 0.1 s. */
#include "ir/arena.h"
#include <stdlib.h>

enum {
    MAX_ROUNDS = 256,   // for each order to begin with
    MAX_WORK = 1 << 25, // pairs looked at, in all rounds together
};

static int64_t round_up(int64_t n, int64_t align) {
    return (n + align - 1) / align * align;
}

static bool live_together(const struct arena_item *a, const struct arena_item *b) {
    return a->first >= 0 && b->first >= 0 && a->first <= b->last && b->first <= a->last;
}

/* Is b the operand that a, born while it lives, may overlay? */
static bool in_place(const struct arena_item *items, int a, int b) {
    return items[a].share == b && items[b].first < items[a].first &&
           live_together(&items[a], &items[b]);
}

/* ---- the liveness bound ---- */

/* Bytes that item i, alive at this step, shares with the operand it overlays. */
static int64_t shared_bytes(const struct arena_item *items, int i, int64_t align, int step) {
    int j = items[i].share;
    if (j < 0 || items[j].last < step || !in_place(items, i, j))
        return 0;
    int64_t x = round_up(items[i].bytes, align), y = round_up(items[j].bytes, align);
    return x < y ? x : y;
}

int64_t arena_alive(const struct arena_item *items, int n, int64_t align, int step) {
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        if (items[i].first <= step && step <= items[i].last)
            sum += round_up(items[i].bytes, align) - shared_bytes(items, i, align, step);
    return sum;
}

int64_t arena_bound(const struct arena_item *items, int n, int64_t align, int *step) {
    int64_t bound = 0;
    int last = -1;
    *step = 0;
    for (int i = 0; i < n; i++)
        last = items[i].last > last ? items[i].last : last;
    for (int s = 0; s <= last; s++) {
        int64_t sum = arena_alive(items, n, align, s);
        *step = sum > bound ? s : *step;
        bound = sum > bound ? sum : bound;
    }
    return bound;
}

/* ---- one round: items in an order ---- */

/* A placed item beside the one at hand. */
struct beside {
    int64_t offset, end;
};

struct placing {
    const struct arena_item *items;
    int n;
    int64_t align, bound;
    int *meets, *meets_from; // items that live together with item i: meets[meets_from[i] …
                             // meets_from[i + 1] - 1]
    int64_t *offset;         // [n]: of the round; -1: not placed yet
    struct beside *beside;   // [n]
    int num_beside;
    int *order; // [n]
    int64_t best;
    int64_t *best_offset; // [n]
    int64_t work;         // left
};

static int64_t padded(const struct placing *p, int i) {
    return p->items[i].first < 0 ? 0 : round_up(p->items[i].bytes, p->align);
}

/* The placed items that live together with item i, by offset; operand `but` (or -1) left out.
 */
static void gather_beside(struct placing *p, int i, int but) {
    p->num_beside = 0;
    for (int m = p->meets_from[i]; m < p->meets_from[i + 1]; m++) {
        int j = p->meets[m];
        if (p->offset[j] < 0 || j == but || p->items[j].bytes == 0)
            continue;
        int k = p->num_beside++;
        for (; k > 0 && p->beside[k - 1].offset > p->offset[j]; k--)
            p->beside[k] = p->beside[k - 1];
        p->beside[k] = (struct beside){p->offset[j], p->offset[j] + padded(p, j)};
    }
}

static bool is_free(const struct placing *p, int64_t offset, int64_t bytes) {
    for (int k = 0; k < p->num_beside; k++)
        if (p->beside[k].offset < offset + bytes && offset < p->beside[k].end)
            return false;
    return true;
}

/* The lowest place that holds `bytes`. Smaller gaps higher up were tried and are no better. */
static int64_t lowest_gap(const struct placing *p, int64_t bytes) {
    int64_t top = 0;
    for (int k = 0; k < p->num_beside && p->beside[k].offset - top < bytes; k++)
        top = p->beside[k].end > top ? p->beside[k].end : top;
    return top;
}

/* The place of a placed partner of item i: its operand, or the result that overlays it. */
static int64_t place_of_partner(struct placing *p, int i) {
    for (int m = p->meets_from[i]; m < p->meets_from[i + 1]; m++) {
        int j = p->meets[m];
        bool pair = in_place(p->items, i, j) || in_place(p->items, j, i);
        if (!pair || p->offset[j] < 0)
            continue;
        gather_beside(p, i, j);
        if (is_free(p, p->offset[j], padded(p, i)))
            return p->offset[j];
    }
    return -1;
}

/* Places all items in p->order; returns the top. */
static int64_t place_round(struct placing *p) {
    int64_t top = 0;
    for (int i = 0; i < p->n; i++)
        p->offset[i] = -1;
    for (int k = 0; k < p->n; k++) {
        int i = p->order[k];
        p->offset[i] = place_of_partner(p, i);
        if (p->offset[i] < 0) {
            gather_beside(p, i, -1);
            p->offset[i] = lowest_gap(p, padded(p, i));
        }
        int64_t end = p->offset[i] + padded(p, i);
        top = end > top ? end : top;
    }
    p->work -= p->meets_from[p->n] + p->n;
    return top;
}

/* ---- the search for an order ---- */

enum place_order { BY_SIZE, BY_AREA, BY_SPAN, BY_START, BY_END, NUM_ORDERS };

/* Sort key: larger goes first; ties keep the order of the items. */
static double place_key(const struct arena_item *it, enum place_order by) {
    double span = (double)(it->last - it->first + 1);
    return by == BY_SIZE    ? (double)it->bytes
           : by == BY_AREA  ? (double)it->bytes * span
           : by == BY_SPAN  ? span
           : by == BY_START ? -(double)it->first
                            : (double)it->last;
}

static void sort_items(struct placing *p, enum place_order by) {
    for (int i = 0; i < p->n; i++) { // insertion sort: stable
        double key = place_key(&p->items[i], by);
        int j = i;
        for (; j > 0 && place_key(&p->items[p->order[j - 1]], by) < key; j--)
            p->order[j] = p->order[j - 1];
        p->order[j] = i;
    }
}

/* Moves the items that reach the top to half their position: a second complaint counts more
 * than the first. */
static void move_up_tops(struct placing *p, int64_t top) {
    for (int k = 0; k < p->n; k++) {
        int i = p->order[k], to = k / 2;
        if (p->offset[i] + padded(p, i) != top)
            continue;
        memmove(&p->order[to + 1], &p->order[to], (size_t)(k - to) * sizeof *p->order);
        p->order[to] = i;
    }
}

static void keep_best(struct placing *p, int64_t top) {
    if (p->best >= 0 && top >= p->best)
        return;
    p->best = top;
    memcpy(p->best_offset, p->offset, (size_t)p->n * sizeof *p->offset);
}

static void search(struct placing *p) {
    for (enum place_order by = 0; by < NUM_ORDERS; by++) {
        sort_items(p, by);
        for (int r = 0; r < MAX_ROUNDS; r++) {
            int64_t top = place_round(p);
            keep_best(p, top);
            if (p->best <= p->bound || p->work <= 0)
                return;
            move_up_tops(p, top);
        }
    }
}

/* ---- the entry ---- */

static void find_meetings(struct placing *p, struct arena *scratch) {
    int num = 0;
    p->meets_from = arena_array(scratch, int, p->n + 1);
    for (int i = 0; i < p->n; i++)
        for (int j = 0; j < p->n; j++)
            num += i != j && live_together(&p->items[i], &p->items[j]);
    p->meets = arena_array(scratch, int, num);
    num = 0;
    for (int i = 0; i < p->n; i++) {
        p->meets_from[i] = num;
        for (int j = 0; j < p->n; j++)
            if (i != j && live_together(&p->items[i], &p->items[j]))
                p->meets[num++] = j;
    }
    p->meets_from[p->n] = num;
}

int64_t arena_place(struct arena_item *items, int n, int64_t align) {
    struct arena scratch = {0};
    int step;
    struct placing p = {.items = items, .n = n, .align = align, .best = -1, .work = MAX_WORK};
    if (n == 0)
        return 0;
    p.bound = arena_bound(items, n, align, &step);
    p.offset = arena_array(&scratch, int64_t, n);
    p.best_offset = arena_array(&scratch, int64_t, n);
    p.beside = arena_array(&scratch, struct beside, n);
    p.order = arena_array(&scratch, int, n);
    find_meetings(&p, &scratch);
    search(&p);
    for (int i = 0; i < n; i++)
        items[i].offset = p.best_offset[i];
    arena_free(&scratch);
    return p.best;
}
