/* Two generated models in one C++ program: the headers are C++, the functions link, the answers are those of C. */
#include "digits.h"
#include "moons.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

static int failures = 0;

static void check(bool holds, const char *what) {
    if (!holds) {
        failures++;
        std::printf("FAIL api (C++): %s\n", what);
    }
}

/* An arena of a model, aligned by hand. */
static void *arena_of(const nncc_model &m, std::vector<unsigned char> &storage) {
    storage.resize(m.arena_bytes + m.arena_align);
    std::size_t address = reinterpret_cast<std::uintptr_t>(storage.data());
    return storage.data() + (m.arena_align - address % m.arena_align) % m.arena_align;
}

int main() {
    std::vector<unsigned char> digits_storage, moons_storage;
    void *digits_arena = arena_of(digits_model, digits_storage), *moons_arena = arena_of(moons_model, moons_storage);
    float picture[64] = {0}, scores[10], again[10], point[2] = {0.5f, 0.25f}, lower[1], lower_again[1];
    picture[27] = picture[28] = 1.0f;
    check(digits_run(picture, scores, digits_arena) == 0, "digits_run returns 0");
    check(moons_run(point, lower, moons_arena) == 0, "moons_run returns 0");
    check(lower[0] > 0.0f && lower[0] < 1.0f, "moons_run gives a probability");
    const void *inputs[] = {picture};
    void *outputs[] = {again};
    nncc_call call = {};
    call.inputs = inputs;
    call.outputs = outputs;
    call.arena = digits_arena;
    check(digits_model.run(&call) == 0, "the descriptor's run returns 0");
    check(std::memcmp(scores, again, sizeof scores) == 0, "typed entry and descriptor agree");
    check(moons_run(point, lower_again, moons_arena) == 0 && lower[0] == lower_again[0], "the models do not disturb each other");
    check(moons_run(nullptr, lower, moons_arena) == NNCC_E_ARG, "a null input is NNCC_E_ARG");
    std::printf("%d passed, %d failed, 0 skipped\n", 7 - failures, failures);
    return failures > 0;
}
