/*
 * Parquet in a few lines of libdp: records on standard input go to FILE, by the types given, with a bloom filter for the first column; then
 * the file is read back, and printed as records.  usage: example_parquet 'struct<id:int64,name:string>' FILE <records
 */
#include <dp/parquet/reader.h>
#include <dp/parquet/writer.h>

#include <stdio.h>

static enum dp_status to_file(void *ctx, const void *p, size_t n, struct dp_err *err) {
    return fwrite(p, 1, n, ctx) == n ? DP_OK : dp_err_set(err, DP_IO, "cannot write");
}

/* Records become rows of columns; one that does not fit its types is told and left out. */
static enum dp_status read_records(struct dp_buf *in, struct dp_batch *rows, struct dp_err *err) {
    struct dp_record record;
    struct dp_shred_reject why;
    struct dp_shred *shred = dp_shred_open(rows->schema, true);
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    enum dp_status status;
    size_t n = in->n;
    dp_buf_reserve(in, DP_SCAN_PAD); /* the scanner reads ahead */
    dp_scan_begin(scan, in->p, n);
    while ((status = dp_scan_next(scan, &record, err)) == DP_OK) {
        if (dp_shred_record(shred, &record, rows, &why) != DP_OK) fprintf(stderr, "line %u: %s: %s\n", record.index + 1, why.path, why.reason);
    }
    dp_scan_close(scan);
    dp_shred_close(shred);
    return status == DP_END ? DP_OK : status;
}

static enum dp_status write_file(const char *path, const struct dp_batch *rows, struct dp_err *err) {
    struct dp_pq_column_opts first = {.leaf = 0, .n_leaves = 1, .bloom = true};
    struct dp_pq_writer_opts opts = {.codec = DP_PQ_ZSTD, .level = 3, .columns = &first, .n_columns = 1};
    struct dp_pq_writer *writer = NULL;
    enum dp_status status = DP_OK;
    FILE *f = fopen(path, "wb");
    if (!f) return dp_err_sys(err, DP_IO, "%s", path);
    DP_TRY_OUT(dp_pq_writer_open(rows->schema, &opts, NULL, to_file, f, &writer, err));
    DP_TRY_OUT(dp_pq_writer_add(writer, rows, err)); /* as often as there are batches */
    DP_TRY_OUT(dp_pq_writer_finish(writer, err));
out:
    dp_pq_writer_close(writer);
    if (fclose(f) != 0 && status == DP_OK) status = dp_err_sys(err, DP_IO, "%s", path);
    return status;
}

static enum dp_status print_file(const char *path, struct dp_err *err) {
    struct dp_pq_file *file = NULL;
    struct dp_pq_reader *reader = NULL;
    struct dp_batch rows = {0};
    struct dp_buf text = {0};
    enum dp_status status = DP_OK;
    DP_TRY_OUT(dp_pq_open(path, &file, err));
    DP_TRY_OUT(dp_pq_reader_open(file, NULL, 0, &reader, err)); /* NULL: all columns */
    dp_batch_init(&rows, dp_pq_reader_schema(reader));
    for (size_t g = 0; g < dp_pq_meta(file)->n_row_groups; g++) {
        DP_TRY_OUT(dp_pq_reader_seek(reader, g, err));
        while ((status = dp_pq_reader_next(reader, 1024, &rows, err)) == DP_OK) {
            dp_buf_reset(&text);
            dp_batch_print(&rows, 0, rows.length, &(struct dp_print_opts){0}, &text);
            fwrite(text.p, 1, text.n, stdout);
        }
        if (status != DP_END) goto out;
        status = DP_OK;
    }
out:
    dp_batch_release(&rows);
    dp_buf_release(&text);
    dp_pq_reader_close(reader);
    dp_pq_close(file);
    return status;
}

int main(int argc, char **argv) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_type *schema = NULL;
    struct dp_batch rows = {0};
    struct dp_buf in = {0};
    enum dp_status status;

    if (argc != 3) return fprintf(stderr, "usage: example_parquet TYPES FILE\n"), 2;
    for (size_t got; (got = fread(dp_buf_reserve(&in, 65536), 1, 65536, stdin)) > 0;) in.n += got;
    DP_TRY_OUT(dp_type_parse(dp_str_z(argv[1]), &schema, &err));
    schema->nullable = false;
    dp_batch_init(&rows, schema);
    DP_TRY_OUT(read_records(&in, &rows, &err));
    DP_TRY_OUT(write_file(argv[2], &rows, &err));
    DP_TRY_OUT(print_file(argv[2], &err));
out:
    if (status != DP_OK) fprintf(stderr, "example_parquet: %s\n", err.msg);
    dp_batch_release(&rows);
    dp_type_free(schema);
    dp_buf_release(&in);
    return status != DP_OK;
}
