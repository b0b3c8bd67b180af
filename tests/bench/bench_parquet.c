/*
 * Our side of the Parquet bench: a whole file into memory, or past in batches, or rows in memory into a file, timed inside of the process.
 * usage: bench_parquet read FILE THREADS
 *        bench_parquet stream FILE THREADS     batches of up to 131,072 rows, each in the memory of the one before
 *        bench_parquet codec FILE 1            the limit: nothing but the decompression of all pages, from memory into the same memory again and again
 *        bench_parquet write FILE THREADS CODEC ROW_GROUP_ROWS OUT
 * Prints one line of JSON: seconds and processor seconds of the job alone, peak memory in MB, and how much of it was there before the job.
 */
#include <dp/base/file.h>
#include <dp/base/pool.h>
#include <dp/parquet/reader.h>
#include <dp/parquet/writer.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct table {
    struct dp_pq_file *file;
    struct dp_pq_table rows;
};

struct clock { double wall, cpu, memory; };

static _Noreturn void die(const struct dp_err *err) {
    fprintf(stderr, "bench_parquet: %s\n", err->msg);
    exit(3);
}

static double field_of_status(const char *name) {
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    if (!f) return 0;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0) kb = strtod(line + strlen(name), NULL);
    fclose(f);
    return kb / 1024;
}

/* From here on the peak counts anew. */
static struct clock start(void) {
    struct timespec t;
    struct rusage u;
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, "5", 1) != 1) perror("clear_refs");
        close(fd);
    }
    double memory = field_of_status("VmRSS:");
    getrusage(RUSAGE_SELF, &u);
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct clock){(double)t.tv_sec + (double)t.tv_nsec / 1e9,
        (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6, memory};
}

static void report(struct clock from, int64_t rows) {
    struct timespec t;
    struct rusage u;
    clock_gettime(CLOCK_MONOTONIC, &t);
    getrusage(RUSAGE_SELF, &u);
    double wall = (double)t.tv_sec + (double)t.tv_nsec / 1e9 - from.wall;
    double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6 - from.cpu;
    printf("{\"s\":%.6f,\"cpu\":%.6f,\"rows\":%lld,\"peak\":%.1f,\"before\":%.1f}\n", wall, cpu, (long long)rows, field_of_status("VmHWM:"), from.memory);
}

static int64_t read_table(const char *path, struct dp_pool *pool, struct table *t) {
    struct dp_err err = DP_ERR_INIT;
    if (dp_pq_open(path, &t->file, &err) != DP_OK) die(&err);
    if (dp_pq_table_read(t->file, NULL, 0, pool, &t->rows, &err) != DP_OK) die(&err);
    return t->rows.rows;
}

/* ---- streaming: the threads take row groups in turn ---- */

#define STREAM_ROWS 131072

struct passer { struct dp_pq_reader *reader; struct dp_batch batch; int64_t rows; };
struct stream { struct dp_pq_file *file; struct passer *passers; };

static enum dp_status pass_group(void *ctx, unsigned worker, size_t i, struct dp_err *err) {
    struct stream *s = ctx;
    struct passer *p = &s->passers[worker];
    enum dp_status status;
    if (!p->reader) {
        DP_TRY(dp_pq_reader_open(s->file, NULL, 0, &p->reader, err));
        dp_batch_init(&p->batch, dp_pq_reader_schema(p->reader));
    }
    DP_TRY(dp_pq_reader_seek(p->reader, i, err));
    while ((status = dp_pq_reader_next(p->reader, STREAM_ROWS, &p->batch, err)) == DP_OK) p->rows += p->batch.length;
    return status == DP_END ? DP_OK : status;
}

static int64_t stream_table(const char *path, struct dp_pool *pool) {
    struct dp_err err = DP_ERR_INIT;
    struct stream s = {.passers = dp_calloc(dp_pool_threads(pool), sizeof(struct passer))};
    int64_t rows = 0;
    if (dp_pq_open(path, &s.file, &err) != DP_OK) die(&err);
    if (dp_pool_for(pool, dp_pq_meta(s.file)->n_row_groups, pass_group, &s, &err) != DP_OK) die(&err);
    for (unsigned i = 0; i < dp_pool_threads(pool); i++) {
        struct passer *p = &s.passers[i];
        rows += p->rows;
        if (p->reader) dp_batch_release(&p->batch);
        dp_pq_reader_close(p->reader);
    }
    free(s.passers);
    dp_pq_close(s.file);
    return rows;
}

/* ---- the codec alone ---- */

static void inflate_chunk(struct dp_codec *codec, const struct dp_pq_chunk *c, const char *file, struct dp_buf *out) {
    struct dp_err err = DP_ERR_INIT;
    bool coded = c->dictionary_page_offset > 0 && c->dictionary_page_offset < c->data_page_offset;
    int64_t from = coded ? c->dictionary_page_offset : c->data_page_offset;
    for (const char *p = file + from, *end = p + c->total_compressed; p < end;) {
        struct dp_pq_page_header h;
        size_t used;
        if (dp_pq_page_header_parse(p, (size_t)(end - p), &h, &used, &err) != DP_OK) die(&err);
        size_t levels = h.type == DP_PQ_DATA_PAGE_V2 ? (size_t)(h.def_bytes + h.rep_bytes) : 0, raw = (size_t)h.uncompressed_size - levels;
        dp_buf_reset(out);
        if (raw && c->codec != DP_PQ_UNCOMPRESSED &&
            dp_codec_decompress(codec, c->codec, p + used + levels, (size_t)h.compressed_size - levels, dp_buf_reserve(out, raw + 64), raw, &err) != DP_OK)
            die(&err);
        p += used + (size_t)h.compressed_size;
    }
}

static int64_t inflate_all(const struct dp_pq_file *f, const struct dp_buf *bytes) {
    const struct dp_pq_meta *m = dp_pq_meta(f);
    struct dp_codec *codec = dp_codec_open();
    struct dp_buf out = {0};
    for (size_t g = 0; g < m->n_row_groups; g++)
        for (size_t i = 0; i < m->row_groups[g].n_chunks; i++) inflate_chunk(codec, &m->row_groups[g].chunks[i], bytes->p, &out);
    dp_buf_release(&out);
    dp_codec_close(codec);
    return m->num_rows;
}

static int measure_codec(const char *path) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_file *f;
    struct dp_buf bytes = {0};
    if (dp_pq_open(path, &f, &err) != DP_OK || dp_file_read(path, SIZE_MAX / 2, &bytes, &err) != DP_OK) die(&err);
    struct clock c = start();
    int64_t rows = inflate_all(f, &bytes);
    report(c, rows);
    dp_buf_release(&bytes);
    dp_pq_close(f);
    return 0;
}

static int measure_stream(const char *path, const char *threads) {
    struct dp_pool *pool = dp_pool_open((unsigned)strtoul(threads, NULL, 10));
    struct clock c = start();
    int64_t rows = stream_table(path, pool);
    report(c, rows);
    dp_pool_close(pool);
    return 0;
}

/* ---- writing ---- */

static enum dp_status to_file(void *ctx, const void *p, size_t n, struct dp_err *err) { return dp_fd_write(*(int *)ctx, p, n, err); }

static void write_table(const struct table *t, struct dp_pool *pool, const char *codec, int64_t row_group_rows, const char *path) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_writer_opts o = {.level = -1, .row_group_rows = row_group_rows, .row_group_bytes = INT64_C(1) << 30};
    struct dp_pq_writer *w;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) perror(path), exit(3);
    if (dp_codec_parse(dp_str_z(codec), &o.codec, &o.level, &err) != DP_OK) die(&err);
    if (dp_pq_writer_open(t->rows.schema, &o, pool, to_file, &fd, &w, &err) != DP_OK) die(&err);
    for (size_t i = 0; i < t->rows.n_batches; i++)
        if (dp_pq_writer_add(w, &t->rows.batches[i], &err) != DP_OK) die(&err);
    if (dp_pq_writer_finish(w, &err) != DP_OK) die(&err);
    dp_pq_writer_close(w);
    if (close(fd) < 0) perror(path), exit(3);
}

static void release(struct table *t) {
    dp_pq_table_release(&t->rows);
    dp_pq_close(t->file);
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "codec") == 0) return measure_codec(argv[2]);
    if (argc == 4 && strcmp(argv[1], "stream") == 0) return measure_stream(argv[2], argv[3]);
    bool writes = argc == 7 && strcmp(argv[1], "write") == 0;
    if (!writes && !(argc == 4 && strcmp(argv[1], "read") == 0))
        return fputs("usage: bench_parquet read|stream|codec FILE THREADS | write FILE THREADS CODEC ROW_GROUP_ROWS OUT\n", stderr), 2;
    struct dp_pool *pool = dp_pool_open((unsigned)strtoul(argv[3], NULL, 10));
    struct table t = {0};
    struct clock c = start();
    int64_t rows = read_table(argv[2], pool, &t);
    if (!writes) report(c, rows);
    else {
        c = start();
        write_table(&t, pool, argv[4], strtoll(argv[5], NULL, 10), argv[6]);
        report(c, rows);
    }
    release(&t);
    dp_pool_close(pool);
    return 0;
}
