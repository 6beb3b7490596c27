/* Weights in files beside the model.
 *
 * A model comes from somebody else, so what it may name is narrow: a relative path that stays
 * inside the model's folder, without `..` and without a symbolic link in any place, and a range
 * inside that file. Each folder on the way is opened relative to the one before (openat,
 * O_NOFOLLOW), so that nothing can be exchanged between check and use. A range is read once,
 * into the graph's arena: the bytes outlive the file, and a file that shrinks meanwhile is an
 * error instead of a signal.
 *
 * Source: onnx.proto, TensorProto.external_data. */
#include "frontend/model.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

/* What external_data says. */
struct region {
    const char *location;
    int64_t offset, length; // length -1: not given
};

/* One tensor's data being looked up. */
struct external {
    struct reader *r;
    struct place place;
    struct region at;
};

static bool external_error(const struct external *x, const char *found) {
    return place_error(x->r, x->place, "external data '%s': %s",
                       x->at.location ? x->at.location : "", found);
}

static bool parse_number(const char *s, int64_t *v) {
    *v = 0;
    if (!*s)
        return false;
    for (; *s; s++)
        if (*s < '0' || *s > '9' || !size_mul(*v, 10, v) || !size_add(*v, *s - '0', v))
            return false;
    return true;
}

static bool parse_region(struct external *x, const Onnx__TensorProto *t) {
    x->at = (struct region){.length = -1};
    for (size_t k = 0; k < t->n_external_data; k++) {
        const char *key = t->external_data[k]->key, *value = t->external_data[k]->value;
        if (!key || !value)
            return external_error(x, "an entry has no key or no value");
        if (strcmp(key, "location") == 0)
            x->at.location = value;
        else if (strcmp(key, "offset") == 0 && !parse_number(value, &x->at.offset))
            return external_error(x, "offset is not a number");
        else if (strcmp(key, "length") == 0 && !parse_number(value, &x->at.length))
            return external_error(x, "length is not a number");
    }
    if (!x->at.location || !*x->at.location)
        return external_error(x, "no location is given");
    return true;
}

/* Opens the model's folder; -1 with errno. */
static int open_folder(struct reader *r) {
    const char *slash = strrchr(r->path, '/');
    size_t len = slash ? (size_t)(slash - r->path) + 1 : 0;
    const char *folder = len ? arena_printf(&r->scratch, "%.*s", (int)len, r->path) : ".";
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Opens `name` in folder `at` without following links; -1 after an error. */
static int open_component(const struct external *x, int at, const char *name, bool last) {
    struct stat st;
    int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (last ? 0 : O_DIRECTORY);
    int fd = openat(at, name, flags);
    if (fd >= 0)
        return fd;
    int saved = errno;
    bool link = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
    external_error(x, link ? "the path goes through a symbolic link" : strerror(saved));
    return -1;
}

/* Opens the file by walking down from the model's folder; -1 after an error. */
static int open_location(const struct external *x) {
    char *rest = arena_strdup(&x->r->scratch, x->at.location);
    if (*rest == '/') {
        external_error(x, "the path is absolute");
        return -1;
    }
    int at = open_folder(x->r);
    if (at < 0)
        external_error(x, strerror(errno));
    while (at >= 0 && rest) {
        char *slash = strchr(rest, '/'), *name = rest;
        if (slash)
            *slash = '\0';
        rest = slash ? slash + 1 : NULL;
        if (strcmp(name, ".") == 0 && rest)
            continue;
        int next = -1;
        if (strcmp(name, "..") == 0)
            external_error(x, "the path leaves the model's folder");
        else
            next = open_component(x, at, *name ? name : ".", !rest);
        close(at);
        at = next;
    }
    return at;
}

/* Reads exactly [offset, offset + n); false when the file ends before. */
static bool read_range(int fd, uint8_t *to, int64_t n, int64_t offset) {
    while (n > 0) {
        ssize_t got = pread(fd, to, (size_t)n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        n -= got;
        offset += got;
    }
    return true;
}

/* Counts the file and the range; false when the ranges read overlap so much that memory would
 * run over. */
static bool account(const struct external *x, int64_t file_size, int64_t bytes) {
    struct reader *r = x->r;
    bool added;
    map_put(&r->files, arena_strdup(&r->scratch, x->at.location), &added);
    if (added && !size_add(r->file_bytes, file_size, &r->file_bytes))
        return false;
    if (added && r->opt && r->opt->depends)
        r->opt->depends(r->opt->user, x->at.location);
    return size_add(r->region_bytes, bytes, &r->region_bytes) &&
           r->region_bytes / 2 <= r->file_bytes;
}

static const void *read_region(const struct external *x, int fd, int64_t bytes) {
    struct stat st;
    int64_t end;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        external_error(x, "not a regular file");
        return NULL;
    }
    if (!size_add(x->at.offset, bytes, &end) || end > st.st_size) {
        place_error(x->r, x->place,
                    "external data '%s': offset %" PRId64 " and %" PRId64
                    " bytes reach beyond the file's %" PRId64,
                    x->at.location, x->at.offset, bytes, (int64_t)st.st_size);
        return NULL;
    }
    if (!account(x, st.st_size, bytes)) {
        external_error(x, "tensors overlap in it");
        return NULL;
    }
    uint8_t *data = arena_alloc(x->r->arena, (size_t)bytes);
    if (read_range(fd, data, bytes, x->at.offset))
        return data;
    external_error(x, "cannot be read whole");
    return NULL;
}

const void *external_read(struct reader *r, const Onnx__TensorProto *t, int64_t bytes,
                          struct place at) {
    struct external x = {r, at, {0}};
    if (!parse_region(&x, t))
        return NULL;
    if (x.at.length >= 0 && x.at.length != bytes) {
        place_error(r, at, "external data '%s' has %" PRId64 " bytes, its shape needs %" PRId64,
                    x.at.location, x.at.length, bytes);
        return NULL;
    }
    const char *key = arena_printf(&r->scratch, "%" PRId64 " %" PRId64 " %s", x.at.offset,
                                   bytes, x.at.location);
    const void *known = cell_pointer(map_get(&r->regions, key));
    if (known)
        return known;
    int fd = open_location(&x);
    if (fd < 0)
        return NULL;
    const void *data = read_region(&x, fd, bytes);
    close(fd);
    if (data)
        *map_put(&r->regions, key, NULL) = cell_of(data);
    return data;
}
