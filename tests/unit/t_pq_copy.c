/* Row groups that are put together: copied chunks and encoded pieces read back equal, with their statistics and indexes; damaged sources are found. */
#include "pqrows.h"

#include <dp/parquet/reader.h>

static const char schema_text[] = "struct<id:int64 not null,d:double,b:boolean,dec:decimal(30,4),s:string,c:string,l:list<int32>,st:struct<x:int32,y:list<struct<z:string>>>,nil:int64>";

static void put_row(struct dp_buf *b, unsigned i) {
    dp_buf_addf(b, "{\"id\":%u", 1000 + i * 3);
    if (i % 3) dp_buf_addf(b, ",\"d\":%.17g,\"b\":%s", (double)i * 1.1e-3, i % 2 ? "true" : "false");
    if (i % 5) dp_buf_addf(b, ",\"dec\":-123456789012345678901%u.5,\"s\":\"row %u of %u\",\"c\":\"c%u\"", i % 10, i, i * 2654435761u, i % 11);
    if (i % 4) dp_buf_addf(b, ",\"l\":[%u,null,%u]", i, i + 1);
    if (i % 6) dp_buf_addf(b, ",\"st\":{\"x\":%u,\"y\":[{\"z\":\"q\"},null,{\"z\":null}]}", i);
    dp_buf_addz(b, "}\n");
}

static struct dp_type *make_rows(struct dp_batch *b, unsigned n) { return pq_rows(b, schema_text, put_row, n); }

static const struct dp_pq_column_opts bloom[] = {{.leaf = 0, .n_leaves = 1, .bloom = true}, {.leaf = 4, .n_leaves = 1, .bloom = true}};
static const struct dp_pq_writer_opts sources[] = {
    {.codec = DP_PQ_ZSTD, .level = 1, .row_group_rows = 1000, .page_rows = 90, .crc = true, .columns = bloom, .n_columns = 2},
    {.codec = DP_PQ_GZIP, .level = 1, .row_group_rows = 1000, .page_rows = 333, .page_v2 = true, .no_dictionary = true},
    {.codec = DP_PQ_UNCOMPRESSED, .level = -1, .row_group_rows = 700, .no_page_index = true},
};
#define N_SOURCES (sizeof sources / sizeof *sources)
static const struct dp_pq_writer_opts target = {.codec = DP_PQ_ZSTD, .level = 3, .keep_codec = true};

static struct dp_pq_file *open_file(const struct dp_buf *b) {
    struct dp_pq_file *f;
    struct dp_err err = DP_ERR_INIT;
    if (dp_pq_open_memory(b->p, b->n, "source", &f, &err) != DP_OK) fail_msg("%s", err.msg);
    return f;
}

static void write_source(const struct dp_batch *b, const struct dp_pq_writer_opts *o, struct dp_buf *out) {
    struct dp_pq_writer *w;
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_pq_writer_open(b->schema, o, NULL, to_buf, out, &w, &err), DP_OK);
    assert_int_equal(dp_pq_writer_add(w, b, &err), DP_OK);
    assert_int_equal(dp_pq_writer_finish(w, &err), DP_OK);
    dp_pq_writer_close(w);
}

static void same_rows(const struct dp_batch *b, const struct dp_buf *file) {
    struct dp_pq_file *f = open_file(file);
    struct dp_pq_reader *r;
    struct dp_err err = DP_ERR_INIT;
    struct dp_batch part;
    struct dp_buf want = {0}, got = {0};
    int64_t at = 0;
    assert_int_equal(dp_pq_reader_open(f, NULL, 0, &r, &err), DP_OK);
    dp_batch_init(&part, dp_pq_reader_schema(r));
    for (size_t g = 0; g < dp_pq_meta(f)->n_row_groups; g++) {
        enum dp_status status = dp_pq_reader_seek(r, g, &err);
        while (status == DP_OK && (status = dp_pq_reader_next(r, 700, &part, &err)) == DP_OK) {
            dp_buf_reset(&want), dp_buf_reset(&got);
            dp_batch_print(b, at, part.length, NULL, &want);
            dp_batch_print(&part, 0, part.length, NULL, &got);
            assert_string_equal(dp_buf_z(&want), dp_buf_z(&got));
            at += part.length;
        }
        if (status != DP_END) fail_msg("%s", err.msg);
    }
    assert_int_equal(at, b->length);
    dp_batch_release(&part);
    dp_buf_release(&want);
    dp_buf_release(&got);
    dp_pq_reader_close(r);
    dp_pq_close(f);
}

/* Rows [from, from + n) of column i, encoded in pieces of `step` rows. */
static void put_pieces(struct dp_pq_encoder *e, struct dp_pq_writer *w, const struct dp_batch *b, size_t i, int64_t from, int64_t n, int64_t step) {
    struct dp_column c;
    struct dp_err err = DP_ERR_INIT;
    bool whole = step >= n || dp_type_leaves(b->schema->children[i]) > 1;
    if (whole) step = n;
    dp_column_init(&c, b->schema->children[i]);
    for (int64_t at = 0; at < n; at += step) {
        struct dp_pq_piece *p;
        dp_column_reset(&c);
        dp_column_append(&c, &b->columns[i], from + at, n - at < step ? n - at : step);
        if (dp_pq_encode(e, i, &c, whole, &p, &err) != DP_OK) fail_msg("%s", err.msg);
        assert_true(dp_pq_piece_bytes(p) > 0);
        if (dp_pq_writer_piece(w, p, &err) != DP_OK) fail_msg("%s", err.msg);
    }
    dp_column_release(&c);
}

/* Copies the columns of `mask`, encodes the others. */
static void put_group(struct dp_pq_encoder *e, struct dp_pq_writer *w, const struct dp_pq_file *f, size_t g, const struct dp_batch *b, int64_t from, unsigned mask, int64_t step) {
    struct dp_err err = DP_ERR_INIT;
    int64_t n = dp_pq_meta(f)->row_groups[g].num_rows;
    if (dp_pq_writer_begin(w, n, &err) != DP_OK) fail_msg("%s", err.msg);
    for (size_t i = 0; i < b->n_columns; i++) {
        if (!(mask >> i & 1)) {
            put_pieces(e, w, b, i, from, n, step);
            continue;
        }
        const char *why = dp_pq_cant_copy(e, i, f, g, i);
        if (why) fail_msg("column %zu: %s", i, why);
        if (dp_pq_writer_copy(w, f, g, i, &err) != DP_OK) fail_msg("column %zu: %s", i, err.msg);
    }
}

static void put_file(const struct dp_batch *b, const struct dp_buf *source, unsigned mask, int64_t step, struct dp_buf *out) {
    struct dp_pq_file *f = open_file(source);
    struct dp_pq_encoder *e;
    struct dp_pq_writer *w;
    struct dp_err err = DP_ERR_INIT;
    int64_t at = 0;
    assert_int_equal(dp_pq_encoder_open(b->schema, &target, &e, &err), DP_OK);
    assert_int_equal(dp_pq_writer_open(b->schema, &target, NULL, to_buf, out, &w, &err), DP_OK);
    for (size_t g = 0; g < dp_pq_meta(f)->n_row_groups; g++) {
        if (g == 1) { /* begun and undone: a row of it turned out wrong */
            put_group(e, w, f, g, b, at, mask ^ 0x55, step);
            dp_pq_writer_undo(w);
            out->n = dp_pq_writer_size(w);
        }
        if (g == 2) { /* rows between row groups */
            struct dp_batch some;
            dp_batch_init(&some, b->schema);
            dp_batch_append(&some, b, at, dp_pq_meta(f)->row_groups[g].num_rows);
            if (dp_pq_writer_add(w, &some, &err) != DP_OK) fail_msg("%s", err.msg);
            dp_batch_release(&some);
        } else {
            put_group(e, w, f, g, b, at, mask, step);
            if (dp_pq_writer_end(w, &err) != DP_OK) fail_msg("%s", err.msg);
        }
        at += dp_pq_meta(f)->row_groups[g].num_rows;
    }
    if (dp_pq_writer_finish(w, &err) != DP_OK) fail_msg("%s", err.msg);
    assert_int_equal(dp_pq_writer_size(w), out->n);
    dp_pq_writer_close(w);
    dp_pq_encoder_close(e);
    dp_pq_close(f);
}

static void same_str(bool has_a, struct dp_str a, bool has_b, struct dp_str b) {
    assert_int_equal(has_a, has_b);
    if (has_a) assert_true(dp_str_eq(a, b));
}

/* The page index names pages that are there, and its bounds are within the chunk's. */
static void check_index(const struct dp_buf *file, const struct dp_pq_chunk *c, int64_t rows) {
    struct dp_arena a = {0};
    struct dp_pq_offset_index x;
    struct dp_pq_column_index y;
    struct dp_pq_page_header h;
    struct dp_err err = DP_ERR_INIT;
    size_t used;
    int64_t last = -1;
    if (c->offset_index_offset < 0) return;
    assert_int_equal(dp_pq_offset_index_parse(file->p + c->offset_index_offset, (size_t)c->offset_index_length, &a, &x, &err), DP_OK);
    for (size_t i = 0; i < x.n_pages; i++) {
        assert_int_equal(dp_pq_page_header_parse(file->p + x.pages[i].offset, (size_t)x.pages[i].compressed_size, &h, &used, &err), DP_OK);
        assert_int_equal(x.pages[i].compressed_size, (int64_t)used + h.compressed_size);
        assert_true(x.pages[i].first_row > last && x.pages[i].first_row < rows);
        last = x.pages[i].first_row;
    }
    if (c->column_index_offset >= 0) {
        assert_int_equal(dp_pq_column_index_parse(file->p + c->column_index_offset, (size_t)c->column_index_length, &a, &y, &err), DP_OK);
        assert_int_equal(y.n_pages, x.n_pages);
    }
    dp_arena_release(&a);
}

static void copied_and_encoded(void **state) {
    (void)state;
    static const struct { unsigned mask; int64_t step; } ways[] = {{~0u, 400}, {0x155, 100000}, {0xAA, 300}, {0, 100000}, {0, 301}};
    struct dp_batch b;
    struct dp_type *schema = make_rows(&b, 2500);
    for (size_t s = 0; s < N_SOURCES; s++) {
        struct dp_buf source = {0};
        write_source(&b, &sources[s], &source);
        struct dp_pq_file *f = open_file(&source);
        for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
            struct dp_buf out = {0};
            put_file(&b, &source, ways[k].mask, ways[k].step, &out);
            same_rows(&b, &out);
            struct dp_pq_file *o = open_file(&out);
            const struct dp_pq_meta *m = dp_pq_meta(o), *n = dp_pq_meta(f);
            assert_int_equal(m->n_row_groups, n->n_row_groups);
            for (size_t g = 0; g < m->n_row_groups; g++)
                for (size_t i = 0; i < m->n_leaves; i++) {
                    const struct dp_pq_chunk *x = &m->row_groups[g].chunks[i], *y = &n->row_groups[g].chunks[i];
                    same_str(x->stats.has_min, x->stats.min, y->stats.has_min, y->stats.min);
                    same_str(x->stats.has_max, x->stats.max, y->stats.has_max, y->stats.max);
                    assert_int_equal(x->stats.null_count, y->stats.null_count);
                    assert_int_equal(x->num_values, y->num_values);
                    assert_int_equal(x->unencoded_bytes, y->unencoded_bytes);
                    check_index(&out, x, m->row_groups[g].num_rows);
                    if (!ways[k].mask || ways[k].mask != ~0u || g == 2) continue;
                    assert_int_equal(x->codec, y->codec);
                    assert_int_equal(x->total_compressed, y->total_compressed);
                    assert_int_equal(x->bloom_length, y->bloom_length);
                    assert_int_equal(x->column_index_length, y->column_index_length);
                    assert_true(x->bloom_length < 0 || !memcmp(out.p + x->bloom_offset, source.p + y->bloom_offset, (size_t)x->bloom_length));
                }
            dp_pq_close(o);
            dp_buf_release(&out);
        }
        dp_pq_close(f);
        dp_buf_release(&source);
    }
    dp_batch_release(&b);
    dp_type_free(schema);
}

static void not_copied(void **state) {
    (void)state;
    struct dp_batch b;
    struct dp_type *schema = make_rows(&b, 100), *other;
    struct dp_buf source = {0};
    struct dp_pq_encoder *e;
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_writer_opts own = target;
    own.keep_codec = false;
    write_source(&b, &sources[1], &source); /* gzip */
    struct dp_pq_file *f = open_file(&source);
    assert_int_equal(dp_pq_encoder_open(schema, &own, &e, &err), DP_OK);
    assert_string_equal(dp_pq_cant_copy(e, 4, f, 0, 4), "it has another codec");
    dp_pq_encoder_close(e);
    static const char *const types[] = {"struct<id:int64>", "struct<id:timestamp not null>", "struct<id:uint64 not null>", "struct<id:int32 not null>", "struct<id:struct<a:int64 not null> not null>",
                                        "struct<id:list<int64>>"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        assert_int_equal(dp_type_parse(dp_str_z(types[i]), &other, &err), DP_OK);
        assert_int_equal(dp_pq_encoder_open(other, &target, &e, &err), DP_OK);
        assert_non_null(dp_pq_cant_copy(e, 0, f, 0, 0));
        assert_non_null(dp_pq_cant_copy(e, 0, f, 7, 0));
        assert_non_null(dp_pq_cant_copy(e, 0, f, 0, 99));
        dp_pq_encoder_close(e);
        dp_type_free(other);
    }
    dp_pq_close(f);
    dp_buf_release(&source);
    dp_batch_release(&b);
    dp_type_free(schema);
}

static enum dp_status copy_all(const struct dp_buf *source, const struct dp_type *schema, struct dp_err *err) {
    struct dp_pq_file *f;
    struct dp_pq_encoder *e = NULL;
    struct dp_pq_writer *w = NULL;
    struct dp_buf out = {0};
    enum dp_status status = dp_pq_open_memory(source->p, source->n, "source", &f, err);
    if (status != DP_OK) return status;
    assert_int_equal(dp_pq_encoder_open(schema, &target, &e, err), DP_OK);
    assert_int_equal(dp_pq_writer_open(schema, &target, NULL, to_buf, &out, &w, err), DP_OK);
    for (size_t g = 0; g < dp_pq_meta(f)->n_row_groups && status == DP_OK; g++) {
        if (dp_pq_meta(f)->row_groups[g].num_rows < 1) continue;
        status = dp_pq_writer_begin(w, dp_pq_meta(f)->row_groups[g].num_rows, err);
        for (size_t i = 0; i < schema->n_children && status == DP_OK; i++) status = dp_pq_cant_copy(e, i, f, g, i) ? DP_UNSUPPORTED : dp_pq_writer_copy(w, f, g, i, err);
        if (status == DP_OK) status = dp_pq_writer_end(w, err);
    }
    if (status == DP_OK) status = dp_pq_writer_finish(w, err);
    dp_pq_writer_close(w);
    dp_pq_encoder_close(e);
    dp_pq_close(f);
    dp_buf_release(&out);
    return status;
}

/* A byte changed anywhere: a chunk with checksums is found out, nothing is ever read that is not there. */
static void damaged(void **state) {
    (void)state;
    struct dp_batch b;
    struct dp_type *schema = make_rows(&b, 400);
    struct dp_buf source = {0};
    size_t found = 0, tried = 0;
    write_source(&b, &sources[0], &source);
    struct dp_pq_file *f = open_file(&source);
    const struct dp_pq_chunk *c = &dp_pq_meta(f)->row_groups[0].chunks[0];
    size_t end = (size_t)(c->data_page_offset + c->total_compressed);
    dp_pq_close(f);
    for (size_t i = 4; i < source.n; i += i < end ? 1 : 7) {
        struct dp_err err = DP_ERR_INIT;
        char was = source.p[i];
        source.p[i] = (char)(was ^ (i % 2 ? 0x81 : 0x14));
        enum dp_status status = copy_all(&source, schema, &err);
        if (i < end) tried++, found += status != DP_OK;
        if (status != DP_OK && status != DP_FORMAT && status != DP_LIMIT && status != DP_UNSUPPORTED && status != DP_SCHEMA) fail_msg("byte %zu: %s", i, err.msg);
        source.p[i] = was;
    }
    assert_true(found * 100 >= tried * 90); /* what is left is in sizes and counts that only decoding would compare */
    for (size_t n = 12; n < source.n; n += 97) { /* cut short */
        struct dp_buf cut = {.p = source.p, .n = n};
        struct dp_err err = DP_ERR_INIT;
        assert_int_not_equal(copy_all(&cut, schema, &err), DP_OK);
    }
    dp_buf_release(&source);
    dp_batch_release(&b);
    dp_type_free(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(copied_and_encoded), cmocka_unit_test(not_copied), cmocka_unit_test(damaged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
