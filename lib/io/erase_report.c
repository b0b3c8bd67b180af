/*
 * The report of an erasure (lib/io/erase_priv.h): what was done, in numbers, with nothing of the person but a salted digest whose salt the audit log alone has.
 */
#include "erase_priv.h"

#include <dp/base/time.h>
#include <dp/io/audit.h>
#include <dp/record/json.h>

#include <stdlib.h>

static void add_counts(const struct dp_erased *d, struct dp_buf *b) {
    const struct { const char *key; uint64_t n; } rows[] = {
        {"tables", d->tables}, {"plain_files", d->plain_files}, {"unreachable", d->unreachable}, {"files", d->files}, {"files_read", d->files_read}, {"files_rewritten", d->files_rewritten},
        {"files_removed", d->files_removed}, {"change_files", d->change_files}, {"orphans_removed", d->orphans}, {"orphans_left", d->young}, {"foreign_files", d->foreign}, {"rows_erased", d->rows},
        {"rows_erased_live", d->rows_live}, {"bytes_removed", d->bytes_removed}, {"bytes_written", d->bytes_written}, {"log_files", d->log_files}, {"texts_redacted", d->redacted}, {"versions", d->versions}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) dp_buf_addf(b, ",\"%s\":%llu", rows[i].key, (unsigned long long)rows[i].n);
}

static void add_table(const struct erase_table *t, struct dp_buf *b) {
    char *object = dp_audit_object(t->root);
    dp_buf_addz(b, "{\"table\":");
    dp_json_add_string(b, dp_str_z(object));
    dp_buf_addz(b, ",\"id\":");
    dp_json_add_string(b, t->s->metadata.id);
    dp_buf_addf(b, ",\"version\":%lld,\"committed\":%s,\"log_files\":%llu,\"rows_erased_live\":%llu}", (long long)t->s->version, t->version >= 0 ? "true" : "false",
                (unsigned long long)t->amended.n_files, (unsigned long long)t->rows_live);
    free(object);
}

void erase_report(const struct erase *x, struct dp_buf *out) {
    const struct dp_traces_totals *l = &x->out->left;
    char time[41];
    time[dp_time_print_micros(time, x->run->now_fixed ? x->run->now_micros : dp_time_now_micros(), true, 6)] = 0;
    dp_buf_addf(out, "{\"dp_erasure\":1,\"time\":\"%s\",\"identifiers\":%llu", time, (unsigned long long)x->out->identifiers);
    add_counts(x->out, out);
    dp_buf_addz(out, ",\"list\":[");
    for (size_t i = 0; i < x->n_tables; i++) {
        if (i) dp_buf_addc(out, ',');
        add_table(&x->tables[i], out);
    }
    dp_buf_addf(out, "],\"verified\":%s", x->o->verify ? "true" : "false");
    if (x->o->verify)
        dp_buf_addf(out, ",\"search\":{\"tables\":%llu,\"files\":%llu,\"bytes\":%llu,\"rows\":%llu,\"found\":%llu,\"perhaps\":%llu,\"unread\":%llu}", (unsigned long long)l->tables,
                    (unsigned long long)l->files, (unsigned long long)l->bytes, (unsigned long long)l->rows, (unsigned long long)l->found, (unsigned long long)l->perhaps, (unsigned long long)l->unread);
    dp_buf_addz(out, "}\n");
}
