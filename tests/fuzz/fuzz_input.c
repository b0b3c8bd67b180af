/*
 * Archives and compressed input from any bytes, read from a file or (first byte odd) from a pipe.  No crash, no endless loop; whole reads,
 * reads byte after byte of the head, and reads with peeks between them give the same members, bytes and status.
 */
#include <dp/base/file.h>
#include <dp/format/input.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 1 << 20, MEMBERS = 64 }; /* nobody waits for more */

static void must(bool ok) {
    if (!ok) abort();
}

/* Writes the path of a descriptor that gives these bytes; what is returned is to be closed, -1: no such descriptor. */
static int serve(const uint8_t *p, size_t n, bool by_pipe, char path[64]) {
    static int file = -1;
    int fd[2] = {-1, -1};
    if (!by_pipe) {
        if (file < 0) must(dp_spill_open(&file, NULL) == DP_OK);
        must(ftruncate(file, 0) == 0 && pwrite(file, p, n, 0) == (ssize_t)n);
        fd[0] = dup(file);
    } else if (n > 4096 || pipe(fd) || write(fd[1], p, n) != (ssize_t)n) { /* what any pipe takes at once */
        close(fd[0]), close(fd[1]);
        return -1;
    } else {
        close(fd[1]);
    }
    snprintf(path, 64, "/proc/self/fd/%d", fd[0]);
    return fd[0];
}

/* How a read differs from the next: `step` bytes at a time for the first thousand, then in large pieces. */
struct manner {
    size_t step;
    bool peek;
};

static enum dp_status read_member(struct dp_input *in, const struct manner *m, struct dp_buf *out, struct dp_err *err) {
    size_t from = out->n;
    for (;;) {
        size_t n, cap = out->n - from < 1000 ? m->step : 64 << 10;
        struct dp_str ahead = {0};
        if (m->peek) DP_TRY(dp_input_peek(in, cap % 700, &ahead, err));
        dp_buf_reserve(out, cap);
        DP_TRY(dp_input_read(in, out->p + out->n, cap, &n, err));
        must(n <= cap);
        if (!n) must(!ahead.n);
        if (!n) return DP_OK;
        out->n += n;
        if (out->n > MOST) return DP_LIMIT;
    }
}

static enum dp_status read_all(const char *path, const struct manner *m, struct dp_buf *out, struct dp_err *err) {
    struct dp_input *in = NULL;
    enum dp_status status = dp_input_open(path, NULL, &in, err);
    for (int i = 0; !status && i < MEMBERS; i++) {
        status = dp_input_next(in, err);
        if (status) break;
        const char *name = dp_input_member(in);
        dp_buf_addf(out, "\n[%s %s]\n", dp_input_layers(in), name ? name : "");
        status = read_member(in, m, out, err);
    }
    dp_input_close(in);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct manner manners[] = {{64 << 10, false}, {1, false}, {100, true}};
    struct dp_buf out[3] = {{0}, {0}, {0}};
    enum dp_status status[3];
    if (!size) return 0;
    for (int i = 0; i < 3; i++) {
        struct dp_err err = DP_ERR_INIT;
        char path[64];
        int fd = serve(data + 1, size - 1, data[0] & 1, path);
        if (fd < 0) return 0;
        status[i] = read_all(path, &manners[i], &out[i], &err);
        if (status[i] != DP_OK && status[i] != DP_END && out[i].n <= MOST) must(err.msg[0] != 0);
        close(fd);
    }
    bool cut = out[0].n > MOST || out[1].n > MOST || out[2].n > MOST;
    for (int i = 1; !cut && i < 3; i++) {
        must(status[i] == status[0]);
        /* Damage is noticed at the read that meets it, so that how much came before depends on the size of the reads. */
        size_t n = status[0] == DP_END ? out[0].n : out[i].n < out[0].n ? out[i].n : out[0].n;
        must(status[0] != DP_END || out[i].n == n);
        must(!n || memcmp(out[0].p, out[i].p, n) == 0);
    }
    for (int i = 0; i < 3; i++) dp_buf_release(&out[i]);
    return 0;
}
