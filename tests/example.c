/* The smallest program on libdp: prints one field of each record, as spelled.  usage: example PATH <records */
#include <dp/record/field.h>
#include <stdio.h>

int main(int argc, char **argv) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_path path = {0};
    struct dp_path_hint hint = {0};
    struct dp_buf in = {0};
    struct dp_record record;
    enum dp_status status;

    if (argc != 2 || dp_path_parse(dp_str_z(argv[1]), &path, &err) != DP_OK) {
        fprintf(stderr, "usage: example PATH\n%s\n", err.msg);
        return 2;
    }
    for (size_t got; (got = fread(dp_buf_reserve(&in, 65536), 1, 65536, stdin)) > 0;) in.n += got;
    dp_buf_reserve(&in, DP_SCAN_PAD);

    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    dp_scan_begin(scan, in.p, in.n);
    while ((status = dp_scan_next(scan, &record, &err)) != DP_END) {
        if (status != DP_OK) {
            fprintf(stderr, "line %u: %s\n", record.index + 1, err.msg);
            continue;
        }
        uint32_t node = dp_path_find(&path, &hint, &record);
        if (node) printf("%.*s\n", DP_STR_FMT(dp_node_str(&record, node)));
    }
    dp_scan_close(scan);
    dp_path_release(&path);
    dp_buf_release(&in);
    return 0;
}
