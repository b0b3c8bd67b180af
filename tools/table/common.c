/* What the commands of dp-table share. */
#include "table.h"

void table_add_name(struct dp_buf *b, const char *name) {
    for (; *name; name++) dp_buf_addc(b, (unsigned char)*name < 0x20 || *name == 0x7f ? '?' : *name);
}

enum dp_status table_open(const char *table, const char *as_of, struct dp_delta_snapshot **out, struct dp_err *err) {
    int64_t version = -1;
    if (as_of) DP_TRY(dp_delta_as_of(table, dp_str_z(as_of), &version, err));
    return dp_delta_open(table, version, out, err);
}

enum dp_status table_check_where(const char *table, const struct dp_type *schema, const struct dp_expr *where, const char *const *also, struct dp_err *err) {
    const char *const *fields;
    size_t n;
    if (!where || !dp_expr_fields(where, &fields, &n)) return DP_OK;
    for (size_t i = 0; i < n; i++) {
        bool is_there = dp_type_child(schema, dp_str_z(fields[i])) != NULL;
        for (size_t k = 0; also && also[k] && !is_there; k++) is_there = strcmp(also[k], fields[i]) == 0;
        if (!is_there) return dp_type_no_child(schema, "--where", table, dp_str_z(fields[i]), err);
    }
    return DP_OK;
}

void table_report_edited(struct dp_cli *cli, const struct dp_edited *d) {
    bool is_plan = cli->run.dry_run && (d->deleted || d->updated || d->inserted); /* what was not written has no figures */
    if (!is_plan) dp_cli_report_str(cli, "result", dp_str_z(d->version >= 0 ? "committed" : "nothing changed"));
    if (d->version >= 0) dp_cli_report_i64(cli, "version", d->version);
    if (d->deleted >= 0) dp_cli_report_i64(cli, "deleted", d->deleted);
    if (d->updated >= 0) dp_cli_report_i64(cli, "updated", d->updated);
    dp_cli_report_i64(cli, "inserted", d->inserted);
    if (!is_plan) dp_cli_report_i64(cli, "copied", d->copied);
    dp_cli_report_u64(cli, "files_removed", d->files_removed);
    if (!is_plan) dp_cli_report_u64(cli, "files_added", d->files_added);
    dp_cli_report_u64(cli, "deletion_vectors", d->vectors);
    if (!is_plan) dp_cli_report_u64(cli, "change_files", d->change_files);
    dp_cli_report_u64(cli, "files_skipped", d->files_skipped);
}

enum dp_status table_say_edited(struct dp_cli *cli, const struct dp_edited *d, struct dp_err *err) {
    table_report_edited(cli, d);
    return table_say_edited_line(cli, d, err);
}

enum dp_status table_say_edited_line(struct dp_cli *cli, const struct dp_edited *d, struct dp_err *err) {
    struct dp_buf what = {0};
    const struct {
        int64_t n;
        const char *word;
    } rows[] = {{d->deleted, "deleted"}, {d->updated, "updated"}, {d->inserted, "inserted"}};
    for (size_t i = 0; i < 3; i++) {
        if (rows[i].n > 0) dp_buf_addf(&what, ", %lld rows %s", (long long)rows[i].n, rows[i].word);
        if (rows[i].n < 0) dp_buf_addf(&what, ", rows %s by whole files that do not count them", rows[i].word);
    }
    enum dp_status status;
    if (!what.n) status = cli->run.skip_empty ? dp_err_set(err, DP_EMPTY, "no row changes") : dp_cli_say(cli, err, "%s: no row changes\n", cli->args[0]);
    else if (cli->run.dry_run)
        status = dp_cli_say(cli, err, "%s: would have%s; %llu files replaced, %llu with deletion vectors\n", cli->args[0], dp_buf_z(&what) + 1,
                           (unsigned long long)d->files_removed, (unsigned long long)d->vectors);
    else if (d->version < 0) status = DP_OK;
    else
        status = dp_cli_say(cli, err, "%s: version %lld%s; %llu files for %llu, %llu deletion vectors\n", cli->args[0], (long long)d->version, dp_buf_z(&what),
                           (unsigned long long)d->files_added, (unsigned long long)d->files_removed, (unsigned long long)d->vectors);
    dp_buf_release(&what);
    return status;
}
