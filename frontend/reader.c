/* The state of reading a file, files in memory, and tensor files. */
#include "frontend/model.h"
#include "frontend/wire.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

static struct mapped_file map_descriptor(int fd) {
    static const char empty[1];
    struct mapped_file m = {NULL, 0};
    struct stat st;
    if (fstat(fd, &st) != 0)
        return m;
    if (!S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : ENODEV;
        return m;
    }
    if (st.st_size == 0)
        return (struct mapped_file){(void *)empty, 0};
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data != MAP_FAILED)
        m = (struct mapped_file){data, (size_t)st.st_size};
    return m;
}

struct mapped_file file_map(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return (struct mapped_file){NULL, 0};
    struct mapped_file m = map_descriptor(fd);
    int saved = errno;
    close(fd);
    errno = saved;
    return m;
}

void file_unmap(struct mapped_file m) {
    if (m.len > 0)
        munmap(m.data, m.len);
}

/* ---- the reader ---- */

int64_t cell_of(const void *p) {
    return (int64_t)(intptr_t)p;
}

void *cell_pointer(const int64_t *cell) {
    return cell ? (void *)(intptr_t)*cell : NULL;
}

void reader_init(struct reader *r, const char *path, const void *data, struct intern *names,
                 struct diag *d) {
    *r = (struct reader){.path = path, .data = data, .names = names, .diag = d};
}

void reader_free(struct reader *r) {
    map_free(&r->functions);
    map_free(&r->symbols);
    map_free(&r->regions);
    map_free(&r->files);
    map_free(&r->reports);
    arena_free(&r->scratch);
}

struct loc reader_loc(const struct reader *r, const char *node) {
    return (struct loc){.file = r->path, .node = node};
}

bool reader_may_report(struct reader *r, const char *key) {
    bool added;
    int64_t *count = map_put(&r->reports, key, &added);
    if (added)
        vec_push(&r->scratch, &r->report_keys, key);
    return ++*count <= MAX_REPORTS;
}

void reader_report_rest(struct reader *r) {
    for (int k = 0; k < r->report_keys.len; k++) {
        const char *key = r->report_keys.data[k];
        int64_t rest = *map_get(&r->reports, key) - MAX_REPORTS;
        if (rest > 0)
            diag_error(r->diag, reader_loc(r, NULL), "%s: %" PRId64 " more", key, rest);
    }
}

/* ---- tensor files ---- */

static bool read_tensor_file(struct reader *r, struct mapped_file m, struct tensor *out) {
    struct loc loc = reader_loc(r, NULL);
    ProtobufCMessage *msg =
        wire_unpack(&onnx__tensor_proto__descriptor, m.data, m.len, loc, r->diag);
    if (!msg)
        return false;
    bool ok =
        tensor_read(r, (const Onnx__TensorProto *)msg, (struct place){loc, "tensor"}, out);
    protobuf_c_message_free_unpacked(msg, NULL);
    return ok;
}

bool tensor_from_file(const char *path, struct arena *a, enum dtype *t, struct shape *shape,
                      const void **data, int64_t *bytes, struct diag *d) {
    struct mapped_file m = file_map(path);
    struct reader r;
    struct tensor tensor;
    reader_init(&r, path, m.data, NULL, d);
    r.arena = a;
    if (!m.data) {
        diag_error(d, reader_loc(&r, NULL), "%s", strerror(errno));
        return false;
    }
    bool ok = read_tensor_file(&r, m, &tensor);
    if (ok) {
        *t = tensor.dtype;
        *shape = tensor.shape;
        *bytes = tensor.bytes;
        *data = arena_copy(a, tensor.data, (size_t)tensor.bytes); // the file goes away
    }
    reader_free(&r);
    file_unmap(m);
    return ok;
}
