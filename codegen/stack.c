/* The stack that generated functions need, bounded from what their text shows. */
#include "codegen/emit.h"

int64_t stack_of_frame(const struct frame *f) {
    return 64 + 8 * (f->loops + f->scalars + f->buffers + f->loads);
}
