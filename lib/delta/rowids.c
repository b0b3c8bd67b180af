/*
 * Row ids (digest section 12): each file that is new to the table gets the next ones, and the version that brought it; a path that is there already keeps
 * what it has.  A commit that lost a race asks again, with the winner's mark.
 */
#include "commit_priv.h"

#include <dp/base/num.h>
#include <dp/delta/path.h>

int64_t dp_delta_high_water(struct dp_str configuration) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_buf text = {0};
    struct dp_record r;
    int64_t mark = -1;
    dp_buf_adds(&text, configuration);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(scan, text.p, text.n, &r, NULL) == DP_OK && r.nodes[0].kind == DP_KIND_OBJECT) {
        uint32_t node = dp_json_member(&r, 0, "rowIdHighWaterMark");
        if (!node || !dp_json_get_i64(&r, node, &mark)) mark = -1;
    }
    dp_scan_close(scan);
    dp_buf_release(&text);
    return mark;
}

const struct dp_delta_file *dp_delta_readded(const struct dp_delta_publication *p, const struct dp_delta_file *add) {
    struct dp_buf key = {0};
    dp_delta_path_key(add->path, &key);
    const struct dp_map_item *item = dp_map_get(&p->removed, dp_buf_str(&key));
    if (!item && p->base) {
        dp_buf_reset(&key);
        dp_delta_file_key(add, &key);
        item = dp_map_get(&p->base->files, dp_buf_str(&key));
    }
    dp_buf_release(&key);
    return item ? item->v.p : NULL;
}

enum dp_status dp_delta_number_rows(const struct dp_delta_publication *p, int64_t version, struct dp_delta_file *add, int64_t *mark, struct dp_err *err) {
    const struct dp_delta_file *was = dp_delta_readded(p, add);
    if (!p->base) add->base_row_id = add->default_row_commit_version = DP_DELTA_UNSET; /* a new table (a clone) counts afresh */
    if (was && add->base_row_id == DP_DELTA_UNSET) {
        add->base_row_id = was->base_row_id;
        add->default_row_commit_version = was->default_row_commit_version;
    }
    if (!p->row_ids) return DP_OK;
    int64_t rows = dp_delta_file_rows(add), end;
    if (rows < 0)
        return dp_err_set(err, DP_UNSUPPORTED, "the table tracks rows: %.*s has no number of rows in its statistics", DP_STR_FMT(add->path));
    if (add->base_row_id == DP_DELTA_UNSET) {
        if (dp_add_overflow(*mark, 1, &add->base_row_id)) return dp_err_set(err, DP_LIMIT, "the table has no row ids left");
        add->default_row_commit_version = version;
    }
    if (dp_add_overflow(add->base_row_id, rows - 1, &end)) return dp_err_set(err, DP_LIMIT, "the table has no row ids left");
    if (rows > 0 && end > *mark) *mark = end;
    return DP_OK;
}
