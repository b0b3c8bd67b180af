/*
 * Pages of hostile bytes in a file that is right otherwise: every physical type and encoding, with and without levels, dictionaries, both
 * page versions and every codec.  input: type, encoding, shape, codec, values, dictionary's values, dictionary's bytes, then its body and the page's.
 */
#include "../unit/pqfile.h"
#include <dp/parquet/reader.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { HEAD = 9 };

static void read_all(const struct pqfile *x) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_file *f = NULL;
    struct dp_pq_reader *r = NULL;
    struct dp_batch b;
    struct dp_buf out = {0};
    if (dp_pq_open_memory(x->bytes.p, x->bytes.n, "fuzz", &f, &err) == DP_OK && dp_pq_reader_open(f, NULL, 0, &r, &err) == DP_OK) {
        dp_batch_init(&b, dp_pq_reader_schema(r));
        enum dp_status status = dp_pq_reader_seek(r, 0, &err);
        for (int64_t rows = 7; status == DP_OK; rows += 1000) {
            status = dp_pq_reader_next(r, rows, &b, &err);
            dp_buf_reset(&out);
            if (status == DP_OK) dp_batch_print(&b, 0, b.length, &(struct dp_print_opts){0}, &out);
        }
        dp_batch_release(&b);
    }
    dp_buf_release(&out);
    dp_pq_reader_close(r);
    dp_pq_close(f);
}

static void put_column(struct pqfile *f, const uint8_t *in, size_t n) {
    const uint8_t *p = in;
    static const int32_t logical[] = {0, DP_PQ_L_STRING, DP_PQ_L_DECIMAL, DP_PQ_L_TIMESTAMP, DP_PQ_L_INTEGER, DP_PQ_L_FLOAT16, DP_PQ_L_UUID, DP_PQ_L_JSON};
    enum dp_pq_type type = (enum dp_pq_type)(p[0] & 7);
    bool optional = p[2] & 1, repeated = p[2] & 2, v2 = p[2] & 4, has_dictionary = p[2] & 8;
    int32_t values = p[4] | (p[5] & 15) << 8, levels = optional + repeated;
    size_t dictionary_n = p[7] | (size_t)(p[8] & 3) << 8;
    if (repeated) pqfile_group(f, "l", DP_PQ_REPEATED, 1, 0);
    struct dp_pq_element *e = pqfile_leaf(f, "x", optional ? DP_PQ_OPTIONAL : DP_PQ_REQUIRED, type, logical[p[0] >> 3 & 7]);
    e->type_length = type == DP_PQ_FLBA ? p[6] % 40 + 1 : 0;
    e->precision = p[6] % 45 + 1, e->scale = p[6] % 9, e->unit = p[6] % 3 + 1, e->bit_width = 8 << (p[6] & 3), e->is_signed = p[6] & 4;
    pqfile_chunk(f, type, (enum dp_pq_codec)(p[3] & 7), values);
    p += HEAD, n -= HEAD;
    if (dictionary_n > n) dictionary_n = n;
    if (has_dictionary) {
        struct dp_pq_page_header h = {.type = DP_PQ_DICTIONARY_PAGE, .num_values = (int32_t)(dictionary_n / 4), .encoding = DP_PQ_PLAIN};
        h.uncompressed_size = (int32_t)dictionary_n;
        pqfile_page(f, h, p, dictionary_n);
    }
    p += dictionary_n, n -= dictionary_n;
    struct dp_pq_page_header h = pqfile_v1(values, (enum dp_pq_encoding)(in[1] % 12));
    if (v2) {
        h.type = DP_PQ_DATA_PAGE_V2, h.num_rows = values, h.is_compressed = true;
        h.rep_bytes = repeated ? (int32_t)(n / 8) : 0;
        h.def_bytes = levels ? (int32_t)(n / 8) : 0;
    }
    h.uncompressed_size = (int32_t)n * (in[3] & 128 ? 5 : 1);
    pqfile_page(f, h, p, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct pqfile f;
    if (n < HEAD) return 0;
    pqfile_begin(&f, 1);
    put_column(&f, p, n);
    if (pqfile_end(&f, p[4] | (p[5] & 15) << 8)) read_all(&f);
    pqfile_release(&f);
    return 0;
}
