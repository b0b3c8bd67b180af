/*
 * Writes the matrix of Parquet files that parquet_matrix.py has other engines read: shapes of data (required, nulls, lists, structs, maps,
 * several levels) with a column of every type, in every encoding that the types can have, in every codec, in pages of version 1 and 2.
 * Many small pages and a few row groups in each.  Everything comes from a fixed seed.
 *
 * usage: matrix DIR     DIR/SHAPE.ndjson are the rows, DIR/SHAPE-ENCODING-CODEC-vN.parquet the files
 */
#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/parquet/writer.h>

#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 1500 };

/* ---- values ---- */

static uint64_t seed = 42;
static uint64_t draw(void) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed;
}

static void quoted(struct dp_buf *b, const char *text) { dp_buf_addf(b, "\"%s\"", text); }

/* k-th of few words, sorted ones, or long ones that share their beginning: by which third of the rows it is. */
static uint64_t pick(unsigned row) {
    if (row % 900 < 300) return row % 7;
    return row % 900 < 600 ? row : draw();
}

static void put_int(struct dp_buf *b, unsigned row, int bits, bool is_signed) {
    uint64_t x = pick(row), mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    if (row % 97 == 13) x = 0;
    if (row % 97 == 14) x = mask;
    if (row % 97 == 15) x = UINT64_C(1) << (bits - 1); /* least of the signed */
    if (row % 97 == 16) x = mask >> 1;
    x &= mask;
    if (!is_signed) dp_buf_addf(b, "%llu", (unsigned long long)x);
    else dp_buf_addf(b, "%lld", (long long)(bits == 64 || !(x >> (bits - 1)) ? x : x | ~mask));
}

static void put_float(struct dp_buf *b, unsigned row, unsigned steps) {
    static const char *const odd[] = {"\"NaN\"", "\"Infinity\"", "\"-Infinity\"", "-0.0", "0.0"};
    if (row % 50 < 5 && row % 900 >= 600) dp_buf_addz(b, odd[row % 50]);
    else if (row >= 1350) dp_buf_addz(b, "\"NaN\""); /* pages of nothing else */
    else dp_buf_addf(b, "%s%u.%03u", pick(row) % 3 ? "" : "-", (unsigned)(pick(row) % steps), (unsigned)(pick(row) % 8) * 125);
}

static void put_decimal(struct dp_buf *b, unsigned row, unsigned digits, unsigned scale) {
    char text[64];
    uint64_t x = pick(row);
    for (unsigned i = 0; i < digits; i++) text[i] = (char)('0' + (row % 97 == 14 ? 9 : i + 4 < digits && row % 900 < 300 ? 0 : (x >> (i % 16 * 4) & 15) % 10));
    dp_buf_addf(b, "%s", row % 3 == 1 ? "-" : "");
    unsigned whole = digits - scale, at = 0;
    while (at + 1 < whole && text[at] == '0') at++;
    dp_buf_add(b, text + at, whole - at);
    dp_buf_addc(b, '.');
    dp_buf_add(b, text + whole, scale);
}

static void put_string(struct dp_buf *b, unsigned row) {
    static const char *const words[] = {"", "alpha", "\xc3\xa9t\xc3\xa9", "\xe4\xb8\xad\xe6\x96\x87", "\xf0\x9f\x98\x80", "a\\\"b\\\\c\\n", "zz"};
    uint64_t x = pick(row);
    dp_buf_addc(b, '"');
    if (row % 900 < 300) dp_buf_addz(b, words[x % 7]);
    else if (row % 900 < 600) dp_buf_addf(b, "https://example.com/a/path/that/is/longer/than/what/bounds/keep/of/it/%06u\xc3\xa9", row);
    else for (unsigned i = 0; i < x % 40; i++) dp_buf_addf(b, "%c", "abcdefghijklmnopqrstuvwxyz"[(x >> (i % 24)) % 26]);
    dp_buf_addc(b, '"');
}

static void put_base64(struct dp_buf *b, unsigned row, unsigned n) { /* n groups of three bytes */
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t x = pick(row);
    dp_buf_addc(b, '"');
    for (unsigned i = 0; i < 4 * n; i++) dp_buf_addc(b, row % 97 == 14 ? '/' : digits[(x * (i + 1) >> (i % 32)) & 63]);
    dp_buf_addc(b, '"');
}

static void put_date(struct dp_buf *b, unsigned row, unsigned year) {
    uint64_t x = pick(row);
    dp_buf_addf(b, "%04u-%02u-%02u", row % 97 == 14 ? year + 299 : year + (unsigned)(x % 300), (unsigned)(x / 7 % 12) + 1, (unsigned)(x / 11 % 28) + 1);
}

static void put_clock(struct dp_buf *b, unsigned row, int digits) {
    uint64_t x = pick(row);
    dp_buf_addf(b, "%02u:%02u:%02u", (unsigned)(x % 24), (unsigned)(x / 3 % 60), (unsigned)(x / 5 % 60));
    char fraction[16];
    snprintf(fraction, sizeof fraction, "%09u", (unsigned)(x % 1000000007));
    if (row % 4) dp_buf_addf(b, ".%.*s", digits, fraction);
}

static void put_instant(struct dp_buf *b, unsigned row, int digits, bool utc) {
    dp_buf_addc(b, '"');
    put_date(b, row, digits == 9 ? 1700 : 1850);
    dp_buf_addc(b, 'T');
    put_clock(b, row, digits);
    dp_buf_addz(b, utc ? "Z\"" : "\"");
}

struct kind { const char *name, *type; void (*put)(struct dp_buf *b, unsigned row); };

#define PUT(name, code) static void put_##name(struct dp_buf *b, unsigned row) { code; }
PUT(i8, put_int(b, row, 8, true))
PUT(i16, put_int(b, row, 16, true))
PUT(i32, put_int(b, row, 32, true))
PUT(i64, put_int(b, row, 64, true))
PUT(u8, put_int(b, row, 8, false))
PUT(u16, put_int(b, row, 16, false))
PUT(u32, put_int(b, row, 32, false))
PUT(u64, put_int(b, row, 64, false))
PUT(f16, put_float(b, row, 128))
PUT(f32, put_float(b, row, 4096))
PUT(f64, put_float(b, row, 1000000))
PUT(yes, dp_buf_addz(b, pick(row) % 3 ? "true" : "false"))
PUT(d9, put_decimal(b, row, 9, 2))
PUT(d18, put_decimal(b, row, 18, 4))
PUT(d38, put_decimal(b, row, 38, 10))
PUT(str, put_string(b, row))
PUT(json, if (row % 5) dp_buf_addf(b, "{\"k\":[%u,null]}", (unsigned)(pick(row) % 1000)); else dp_buf_addz(b, "\"text\""))
PUT(word, quoted(b, pick(row) % 2 ? "red" : "green"))
PUT(bin, put_base64(b, row, (unsigned)(pick(row) % 5)))
PUT(fix, put_base64(b, row, 2))
PUT(uuid, dp_buf_addf(b, "\"%08x-0000-4000-8000-%012llx\"", row % 97 == 14 ? 0xffffffffu : (unsigned)pick(row), (unsigned long long)pick(row) & 0xffffffffffff))
PUT(day, dp_buf_addc(b, '"'); put_date(b, row, 1700); dp_buf_addc(b, '"'))
PUT(t_ms, dp_buf_addc(b, '"'); put_clock(b, row, 3); dp_buf_addc(b, '"'))
PUT(t_us, dp_buf_addc(b, '"'); put_clock(b, row, 6); dp_buf_addc(b, '"'))
PUT(t_ns, dp_buf_addc(b, '"'); put_clock(b, row, 9); dp_buf_addc(b, '"'))
PUT(ts_ms, put_instant(b, row, 3, true))
PUT(ts_us, put_instant(b, row, 6, true))
PUT(ts_ns, put_instant(b, row, 9, true))
PUT(tl_ms, put_instant(b, row, 3, false))
PUT(tl_us, put_instant(b, row, 6, false))
PUT(tl_ns, put_instant(b, row, 9, false))
PUT(iv, dp_buf_addf(b, "\"P%uM%uDT%u.%03uS\"", (unsigned)(pick(row) % 30), (unsigned)(pick(row) % 9), (unsigned)(pick(row) % 3600), (unsigned)(pick(row) % 1000)))

/* The names tell the Python side how a value is spelled. */
static const struct kind kinds[] = {
    {"i8", "int8", put_i8}, {"i16", "int16", put_i16}, {"i32", "int32", put_i32}, {"i64", "int64", put_i64},
    {"u8", "uint8", put_u8}, {"u16", "uint16", put_u16}, {"u32", "uint32", put_u32}, {"u64", "uint64", put_u64},
    {"f16", "float16", put_f16}, {"f32", "float", put_f32}, {"f64", "double", put_f64}, {"yes", "boolean", put_yes},
    {"d9", "decimal(9,2)", put_d9}, {"d18", "decimal(18,4)", put_d18}, {"d38", "decimal(38,10)", put_d38},
    {"str", "string", put_str}, {"json", "json", put_json}, {"word", "enum", put_word}, {"bin", "binary", put_bin},
    {"fix", "fixed(6)", put_fix}, {"uuid", "uuid", put_uuid}, {"day", "date", put_day},
    {"t_ms", "time(ms)", put_t_ms}, {"t_us", "time", put_t_us}, {"t_ns", "time_utc(ns)", put_t_ns},
    {"ts_ms", "timestamp(ms)", put_ts_ms}, {"ts_us", "timestamp", put_ts_us}, {"ts_ns", "timestamp(ns)", put_ts_ns},
    {"tl_ms", "timestamp_ntz(ms)", put_tl_ms}, {"tl_us", "timestamp_ntz", put_tl_us}, {"tl_ns", "timestamp_ntz(ns)", put_tl_ns},
    {"iv", "interval", put_iv},
};
/* The last one has a file of its own, for two of the readers refuse a file that has such a column at all. */
enum { KINDS = sizeof kinds / sizeof *kinds - 1, INTERVAL = KINDS };

/* ---- shapes ---- */

static bool is_null(unsigned row, unsigned k) { return (row * 7 + k) % 10 == 3 || (row >= 450 && row < 650 && k % 3 == 0); }

static void put_or_null(struct dp_buf *b, unsigned row, unsigned k) {
    if (is_null(row, k)) dp_buf_addz(b, "null");
    else kinds[k].put(b, row);
}

/* Null, empty, or some values of which some are null. */
static void put_list(struct dp_buf *b, unsigned row, unsigned k) {
    if (is_null(row, k)) {
        dp_buf_addz(b, "null");
        return;
    }
    dp_buf_addc(b, '[');
    for (unsigned i = 0, n = (row + k) % 4; i < n; i++) {
        if (i) dp_buf_addc(b, ',');
        put_or_null(b, row + i, k);
    }
    dp_buf_addc(b, ']');
}

static void put_map(struct dp_buf *b, unsigned row, unsigned k) {
    if (is_null(row, k)) {
        dp_buf_addz(b, "null");
        return;
    }
    dp_buf_addc(b, '{');
    for (unsigned i = 0, n = (row + k) % 3; i < n; i++) {
        dp_buf_addf(b, "%s\"k%u\":", i ? "," : "", (row + i) % 11);
        put_or_null(b, row + i, k);
    }
    dp_buf_addc(b, '}');
}

static void put_deep(struct dp_buf *b, unsigned row) {
    dp_buf_addz(b, "\"lists\":");
    if (row % 9 == 4) dp_buf_addz(b, "null");
    else {
        dp_buf_addc(b, '[');
        for (unsigned i = 0; i < row % 3; i++) {
            if (i) dp_buf_addc(b, ',');
            if ((row + i) % 5 == 0) dp_buf_addz(b, "null");
            else put_list(b, row + i, 3);
        }
        dp_buf_addc(b, ']');
    }
    dp_buf_addz(b, ",\"rows\":[");
    for (unsigned i = 0; i < row % 4; i++) {
        dp_buf_addf(b, "%s{\"str\":", i ? "," : "");
        put_or_null(b, row + i, 15);
        dp_buf_addz(b, ",\"in\":");
        if ((row + i) % 6 == 1) dp_buf_addz(b, "null");
        else {
            dp_buf_addz(b, "{\"f64\":");
            put_or_null(b, row, 10);
            dp_buf_addz(b, ",\"u8\":");
            put_list(b, row + i, 4);
            dp_buf_addc(b, '}');
        }
        dp_buf_addz(b, ",\"m\":");
        put_map(b, row + i, 21);
        dp_buf_addc(b, '}');
    }
    dp_buf_addz(b, "],\"pairs\":[");
    for (unsigned i = 0; i < row % 3; i++) {
        dp_buf_addf(b, "%s{\"key\":%u,\"value\":", i ? "," : "", row + i);
        put_list(b, row + i, 15);
        dp_buf_addc(b, '}');
    }
    dp_buf_addc(b, ']');
}

enum shape { REQUIRED, NULLS, LISTS, STRUCTS, MAPS, DEEP, INTERVALS, SHAPES };
static const char *const shape_names[] = {"required", "nulls", "lists", "structs", "maps", "deep", "intervals"};

static void put_schema(struct dp_buf *b, enum shape shape) {
    dp_buf_addz(b, "struct<id:int32 not null");
    if (shape == DEEP)
        dp_buf_addz(b, ",lists:list<list<int64>>,rows:list<struct<str:string,in:struct<f64:double,u8:list<uint8>>,m:map<string,date>> not null> not null,"
                       "pairs:map<int32,list<string>> not null");
    if (shape == INTERVALS) dp_buf_addz(b, ",iv:interval,l:list<struct<iv:interval not null>>");
    for (unsigned k = 0; k < KINDS && shape < DEEP; k++) {
        const char *type = kinds[k].type;
        dp_buf_addf(b, ",%s:", kinds[k].name);
        if (shape == REQUIRED) dp_buf_addf(b, "%s not null", type);
        if (shape == NULLS) dp_buf_addz(b, type);
        if (shape == LISTS) dp_buf_addf(b, "list<%s>", type);
        if (shape == STRUCTS) dp_buf_addf(b, "struct<%s:%s,in:struct<%s:%s not null>>", kinds[k].name, type, kinds[k].name, type);
        if (shape == MAPS) dp_buf_addf(b, "map<string,%s>", type);
    }
    if (shape == NULLS) dp_buf_addz(b, ",none:void");
    dp_buf_addc(b, '>');
}

static void put_row(struct dp_buf *b, enum shape shape, unsigned row) {
    dp_buf_addf(b, "{\"id\":%u", row);
    if (shape == DEEP) dp_buf_addc(b, ','), put_deep(b, row);
    if (shape == INTERVALS) {
        dp_buf_addz(b, ",\"iv\":");
        put_or_null(b, row, INTERVAL);
        dp_buf_addz(b, row % 4 ? ",\"l\":[{\"iv\":" : ",\"l\":[");
        if (row % 4) put_iv(b, row + 1), dp_buf_addz(b, "},null");
        dp_buf_addc(b, ']');
    }
    for (unsigned k = 0; k < KINDS && shape < DEEP; k++) {
        dp_buf_addf(b, ",\"%s\":", kinds[k].name);
        switch (shape) {
        case REQUIRED: kinds[k].put(b, row); break;
        case NULLS: put_or_null(b, row, k); break;
        case LISTS: put_list(b, row, k); break;
        case MAPS: put_map(b, row, k); break;
        case STRUCTS:
            if (is_null(row, k + 1)) {
                dp_buf_addz(b, "null");
                break;
            }
            dp_buf_addf(b, "{\"%s\":", kinds[k].name);
            put_or_null(b, row, k);
            dp_buf_addz(b, ",\"in\":");
            if (is_null(row, k + 2)) dp_buf_addz(b, "null");
            else dp_buf_addf(b, "{\"%s\":", kinds[k].name), kinds[k].put(b, row), dp_buf_addc(b, '}');
            dp_buf_addc(b, '}');
            break;
        case DEEP:
        case INTERVALS:
        case SHAPES: break;
        }
    }
    if (shape == NULLS) dp_buf_addz(b, ",\"none\":null");
    dp_buf_addz(b, "}\n");
}

/* ---- files ---- */

static void must(enum dp_status status, const char *what, const struct dp_err *err) {
    if (status == DP_OK) return;
    fprintf(stderr, "%s: %s\n", what, err->msg);
    exit(1);
}

static enum dp_status to_buf(void *ctx, const void *p, size_t n, struct dp_err *err) {
    (void)err;
    dp_buf_add(ctx, p, n);
    return DP_OK;
}

static void save(const char *path, const struct dp_buf *b) {
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(b->p, 1, b->n, f) != b->n || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

/*
 * What is asked for: the writer's own choice, then encodings of which each leaf gets the first that its type can have.  The last three are in
 * the format since 2024 and not read by all: they stand apart, in fewer files, each for the types that it is about.
 */
static const struct { const char *name; int type; enum dp_pq_encoding encodings[3]; } ways[] = {
    {"auto", -1, {DP_PQ_PLAIN}},
    {"plain", -1, {DP_PQ_PLAIN}},
    {"dictionary", -1, {DP_PQ_RLE_DICTIONARY, DP_PQ_RLE}},
    {"delta", -1, {DP_PQ_DELTA_BINARY_PACKED, DP_PQ_DELTA_BYTE_ARRAY, DP_PQ_RLE}},
    {"split", -1, {DP_PQ_BYTE_STREAM_SPLIT, DP_PQ_DELTA_LENGTH_BYTE_ARRAY, DP_PQ_RLE}},
    {"split_int", DP_PQ_INT64, {DP_PQ_BYTE_STREAM_SPLIT}},
    {"split_fixed", DP_PQ_FLBA, {DP_PQ_BYTE_STREAM_SPLIT}},
    {"delta_fixed", DP_PQ_FLBA, {DP_PQ_DELTA_BYTE_ARRAY}},
};
enum { WAYS = sizeof ways / sizeof *ways, RARE = 5 };

static bool fits(unsigned way, enum dp_pq_type t, enum dp_pq_encoding e) {
    bool is_int = t == DP_PQ_INT32 || t == DP_PQ_INT64, is_rare = e == DP_PQ_BYTE_STREAM_SPLIT ? is_int || t == DP_PQ_FLBA : e == DP_PQ_DELTA_BYTE_ARRAY && t == DP_PQ_FLBA;
    return way >= RARE ? ways[way].type == (is_int ? DP_PQ_INT64 : (int)t) : !is_rare;
}

static size_t ask(const struct dp_type *schema, unsigned way, struct dp_pq_column_opts *columns) {
    size_t n = 0, leaves = dp_type_leaves(schema);
    struct dp_pq_meta meta = {0};
    must(dp_pq_from_schema(schema, &meta, NULL), "schema", &(struct dp_err)DP_ERR_INIT);
    for (size_t leaf = 0; leaf < leaves && way > 0; leaf++) {
        for (unsigned i = 0; i < 3; i++) {
            struct dp_pq_column_opts c = {.leaf = leaf, .n_leaves = 1, .set_encoding = true, .encoding = ways[way].encodings[i], .bloom = way == 3};
            struct dp_pq_writer_opts o = {.level = -1, .columns = &c, .n_columns = 1};
            struct dp_buf out = {0};
            struct dp_pq_writer *w;
            if (!fits(way, meta.elements[meta.leaves[leaf]].type, c.encoding)) continue;
            enum dp_status status = dp_pq_writer_open(schema, &o, NULL, to_buf, &out, &w, NULL);
            dp_buf_release(&out);
            if (status != DP_OK) continue;
            dp_pq_writer_close(w);
            columns[n++] = c;
            break;
        }
    }
    dp_pq_meta_release(&meta);
    return n;
}

static void write_file(const char *path, const struct dp_batch *rows, const struct dp_pq_writer_opts *o) {
    struct dp_buf out = {0};
    struct dp_pq_writer *w;
    struct dp_err err = DP_ERR_INIT;
    must(dp_pq_writer_open(rows->schema, o, NULL, to_buf, &out, &w, &err), path, &err);
    must(dp_pq_writer_add(w, rows, &err), path, &err);
    must(dp_pq_writer_finish(w, &err), path, &err);
    dp_pq_writer_close(w);
    save(path, &out);
    dp_buf_release(&out);
}

static void read_rows(struct dp_buf *text, struct dp_batch *rows) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_record record;
    struct dp_shred_reject why;
    size_t n = text->n;
    struct dp_shred *shred = dp_shred_open(rows->schema, true);
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    memset(dp_buf_reserve(text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(scan, text->p, n);
    for (enum dp_status status; (status = dp_scan_next(scan, &record, &err)) != DP_END;) {
        must(status, "a row", &err);
        if (dp_shred_record(shred, &record, rows, &why) == DP_OK) continue;
        fprintf(stderr, "%s: %s\n", why.path, why.reason);
        exit(1);
    }
    dp_scan_close(scan);
    dp_shred_close(shred);
}

static void write_shape(const char *dir, enum shape shape) {
    static const char *const codecs[] = {"none", "snappy", "gzip", "brotli", "zstd", "lz4_raw"};
    struct dp_buf schema_text = {0}, text = {0};
    struct dp_type *schema = NULL;
    struct dp_err err = DP_ERR_INIT;
    struct dp_batch rows;
    char path[4096];
    put_schema(&schema_text, shape);
    must(dp_type_parse(dp_buf_str(&schema_text), &schema, &err), "schema", &err);
    schema->nullable = false;
    for (unsigned i = 0; i < ROWS; i++) put_row(&text, shape, i);
    snprintf(path, sizeof path, "%s/%s.ndjson", dir, shape_names[shape]);
    save(path, &text);
    dp_batch_init(&rows, schema);
    read_rows(&text, &rows);
    struct dp_pq_column_opts *columns = calloc(dp_type_leaves(schema), sizeof *columns);
    for (unsigned way = 0; way < WAYS; way++) {
        size_t n = ask(schema, way, columns);
        for (unsigned c = 0; c < 12; c++) {
            if (way >= RARE && (shape > NULLS || (c / 2 != 0 && c / 2 != 4))) continue;
            struct dp_pq_writer_opts o = {.row_group_rows = 700, .page_rows = 90, .page_v2 = c % 2, .crc = way != 1, .columns = columns, .n_columns = n};
            must(dp_codec_parse(dp_str_z(codecs[c / 2]), &o.codec, &o.level, &err), "codec", &err);
            snprintf(path, sizeof path, "%s/%s-%s-%s-v%u.parquet", dir, shape_names[shape], ways[way].name, codecs[c / 2], c % 2 + 1);
            write_file(path, &rows, &o);
        }
    }
    free(columns);
    dp_batch_release(&rows);
    dp_type_free(schema);
    dp_buf_release(&schema_text);
    dp_buf_release(&text);
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: matrix DIR\n"), 2;
    for (enum shape s = REQUIRED; s < SHAPES; s++) write_shape(argv[1], s);
    return 0;
}
