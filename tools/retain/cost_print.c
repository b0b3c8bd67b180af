/* The forms of dp-retain cost: aligned columns for people, CSV (RFC 4180), Prometheus text (0.0.4), records. */
#include "cost.h"

#include <dp/record/batch.h>
#include <dp/record/json.h>

#include <stdlib.h>

static const char *const kind_names[DP_COST_KINDS] = {"live", "vectors", "history", "log", "changes", "rejects", "leftovers"};
static const char *const way_names[DP_COST_WAYS] = {"compaction", "retention", "tiering"};
static const char *const by_names[] = {"table", "tag", "owner", "tier", "pipeline"};

static void add_u64(struct dp_buf *b, uint64_t v) { dp_buf_addf(b, "%llu", (unsigned long long)v); }

static void add_money(struct dp_buf *b, uint64_t micro) {
    char text[24];
    dp_price_print(text, micro);
    dp_buf_addz(b, text);
}

static void add_seconds(struct dp_buf *b, uint64_t micros) { add_money(b, micros); } /* six digits behind the point, too */

static void add_month(struct dp_buf *b, const struct cost_sums *s, dp_u128 month) { add_money(b, dp_price_month(s->prices, month)); }

static bool has_cpu(const struct cost_sums *s) { return s->prices->n && s->prices->cpu_hour >= 0; }

static uint64_t sum_of(uint64_t a, uint64_t b) {
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}
static uint64_t cpu_of(const struct dp_cost_pipeline *p) { return sum_of(p->cpu_user_us, p->cpu_system_us); }
static uint64_t time_of(const struct dp_cost_time *t) { return sum_of(t->user_us, t->system_us); }

/* ---- aligned columns ---- */

/* Cells as one text: columns end in a tab, lines in a newline. */
enum { COLUMNS = 16 };

static void cell(struct dp_buf *b, const char *text) {
    for (; *text; text++) dp_buf_addc(b, (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
    dp_buf_addc(b, '\t');
}
static void cell_u64(struct dp_buf *b, uint64_t v) { add_u64(b, v), dp_buf_addc(b, '\t'); }
static void cell_money(struct dp_buf *b, uint64_t micro) { add_money(b, micro), dp_buf_addc(b, '\t'); }

static size_t width_of(const char *p, const char *end) {
    size_t n = 0;
    for (; p < end; p++) n += ((unsigned char)*p & 0xc0) != 0x80;
    return n;
}

/* Names to the left, numbers to the right: column 0 and those from `text` on are names. */
static void align(const struct dp_buf *cells, size_t text, struct dp_buf *out) {
    size_t widths[COLUMNS] = {0}, column = 0;
    const char *end = cells->p + cells->n, *start = cells->p;
    for (const char *p = start; p < end; p++) {
        if (*p == '\t') {
            size_t w = width_of(start, p);
            if (w > widths[column]) widths[column] = w;
            column++, start = p + 1;
        } else if (*p == '\n') column = 0, start = p + 1;
    }
    column = 0, start = cells->p;
    for (const char *p = start; p < end; p++) {
        if (*p == '\n') {
            while (out->n && out->p[out->n - 1] == ' ') out->n--;
            dp_buf_addc(out, '\n');
            column = 0, start = p + 1;
        } else if (*p == '\t') {
            bool is_name = column == 0 || column >= text;
            size_t pad = widths[column] - width_of(start, p);
            if (column) dp_buf_addz(out, "  ");
            for (size_t i = 0; !is_name && i < pad; i++) dp_buf_addc(out, ' ');
            dp_buf_add(out, start, (size_t)(p - start));
            for (size_t i = 0; is_name && i < pad; i++) dp_buf_addc(out, ' ');
            column++, start = p + 1;
        }
    }
}

static void table_row(const struct cost_sums *s, const struct cost_group *g, const char *name, struct dp_buf *b) {
    cell(b, name);
    cell_u64(b, g->tables), cell_u64(b, g->all.files);
    dp_buf_addf(b, "%llu%s\t", (unsigned long long)g->all.rows, g->rows_unknown ? "+" : "");
    cell_u64(b, g->all.bytes);
    for (int i = 0; i < DP_COST_KINDS; i++) cell_u64(b, g->kinds[i].bytes);
    if (s->prices->n) cell_money(b, dp_price_month(s->prices, g->month));
    if (s->with_runs) cell_money(b, time_of(&g->cpu));
    if (s->with_runs && has_cpu(s)) cell_money(b, dp_price_cpu(s->prices, time_of(&g->cpu)));
    dp_buf_addc(b, '\n');
}

static void table_groups(const struct cost_sums *s, struct dp_buf *out) {
    struct dp_buf b = {0};
    cell(&b, by_names[s->by]);
    dp_buf_addz(&b, "tables\tfiles\trows\tbytes\t");
    for (int i = 0; i < DP_COST_KINDS; i++) cell(&b, kind_names[i]);
    if (s->prices->n) dp_buf_addf(&b, "%s/month\t", s->prices->currency);
    if (s->with_runs) cell(&b, "cpu s");
    if (s->with_runs && has_cpu(s)) dp_buf_addf(&b, "%s for cpu\t", s->prices->currency);
    dp_buf_addc(&b, '\n');
    for (size_t i = 0; i < s->n; i++) table_row(s, &s->v[i], s->v[i].name, &b);
    table_row(s, &s->total, "total", &b);
    align(&b, COLUMNS, out);
    dp_buf_release(&b);
    if (s->overlaps) dp_buf_addf(out, "A table with several %ss counts in each of them: rows overlap, the total counts it once.\n", by_names[s->by]);
    if (s->total.rows_unknown) dp_buf_addz(out, "Rows with a + are at least so many: the log does not count those of all files.\n");
}

static bool saves(const struct dp_cost_saving *v) { return v->files || v->bytes; }

static void saving_row(const struct cost_sums *s, const struct cost_group *g, const char *name, int way, struct dp_buf *b) {
    const struct dp_cost_saving *v = &g->savings[way];
    if (!saves(v)) return;
    cell(b, name);
    cell_u64(b, v->files), cell_u64(b, v->bytes);
    if (s->prices->n) cell_money(b, dp_price_month(s->prices, v->month));
    cell(b, way_names[way]);
    cell(b, v->is_estimate ? "estimate" : "plan");
    cell(b, v->rule ? v->rule : "");
    dp_buf_addc(b, '\n');
}

static void table_savings(const struct cost_sums *s, struct dp_buf *out) {
    struct dp_buf b = {0};
    dp_buf_addz(&b, "could be saved\tfiles\tbytes\t");
    if (s->prices->n) dp_buf_addf(&b, "%s/month\t", s->prices->currency);
    dp_buf_addz(&b, "by\thow sure\trule\t\n");
    size_t head = b.n;
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < DP_COST_WAYS; k++) saving_row(s, &s->v[i], s->v[i].name, k, &b);
    for (int k = 0; k < DP_COST_WAYS; k++) saving_row(s, &s->total, "total", k, &b);
    if (b.n > head) dp_buf_addc(out, '\n'), align(&b, s->prices->n ? 4 : 3, out);
    dp_buf_release(&b);
}

static void run_row(const struct cost_sums *s, const char *name, const struct dp_cost_pipeline *p, struct dp_buf *b) {
    cell(b, name);
    cell_u64(b, p->runs), cell_money(b, p->cpu_user_us), cell_money(b, p->cpu_system_us);
    cell_u64(b, p->peak), cell_u64(b, p->bytes_in), cell_u64(b, p->bytes_out), cell_u64(b, p->rows), cell_u64(b, p->files);
    if (has_cpu(s)) cell_money(b, dp_price_cpu(s->prices, cpu_of(p)));
    dp_buf_addc(b, '\n');
}

static void table_runs(const struct cost_sums *s, struct dp_buf *out) {
    struct dp_buf b = {0};
    dp_buf_addz(&b, "pipeline\truns\tuser s\tsystem s\tpeak bytes\tbytes in\tbytes out\trecords\tfiles\t");
    if (has_cpu(s)) cell(&b, s->prices->currency);
    dp_buf_addc(&b, '\n');
    for (size_t i = 0; i < s->n_runs; i++) run_row(s, s->runs[i].name, &s->runs[i].p, &b);
    run_row(s, "total", &s->all_runs, &b);
    align(&b, COLUMNS, out);
    dp_buf_release(&b);
    if (s->all_runs.unmeasured) dp_buf_addf(out, "The reports of %llu runs have no processor time.\n", (unsigned long long)s->all_runs.unmeasured);
}

void cost_print_table(const struct cost_sums *s, struct dp_buf *out) {
    if (s->by != BY_PIPELINE && (s->total.tables || !s->with_runs)) {
        table_groups(s, out);
        table_savings(s, out);
        if (s->with_runs) dp_buf_addc(out, '\n');
    }
    if (s->with_runs) table_runs(s, out);
}

/* ---- CSV ---- */

static void csv_text(struct dp_buf *out, const char *text) { dp_csv_add(out, dp_str_z(text)); }

/* by,name,what,files,bytes,rows,... of one amount */
static void csv_head(struct dp_buf *out, const char *by, const char *name, const char *what) {
    csv_text(out, by), dp_buf_addc(out, ',');
    csv_text(out, name), dp_buf_addc(out, ',');
    csv_text(out, what);
}

static void csv_price(const struct cost_sums *s, uint64_t micro, bool is_priced, struct dp_buf *out) {
    dp_buf_addc(out, ',');
    if (is_priced) add_money(out, micro);
    dp_buf_addf(out, ",%s", is_priced ? s->prices->currency : "");
}

/* Processor time that went to a row's data. */
static void csv_cpu(const struct cost_sums *s, const char *by, const char *name, const struct dp_cost_time *t, struct dp_buf *out) {
    csv_head(out, by, name, "cpu");
    dp_buf_addf(out, ",,,,%llu,", (unsigned long long)t->runs);
    add_seconds(out, t->user_us), dp_buf_addc(out, ',');
    add_seconds(out, t->system_us);
    csv_price(s, dp_price_cpu(s->prices, time_of(t)), has_cpu(s), out);
    dp_buf_addz(out, ",,\r\n");
}

static void csv_group(const struct cost_sums *s, const struct cost_group *g, const char *by, struct dp_buf *out) {
    const char *name = g->name ? g->name : "";
    for (int i = 0; i < DP_COST_KINDS; i++) {
        csv_head(out, by, name, kind_names[i]);
        dp_buf_addf(out, ",%llu,%llu,", (unsigned long long)g->kinds[i].files, (unsigned long long)g->kinds[i].bytes);
        if (i <= DP_COST_VECTORS) add_u64(out, g->kinds[i].rows);
        dp_buf_addz(out, ",,,,,,,\r\n");
    }
    csv_head(out, by, name, "total");
    dp_buf_addf(out, ",%llu,%llu,%llu,,,", (unsigned long long)g->all.files, (unsigned long long)g->all.bytes, (unsigned long long)g->all.rows);
    csv_price(s, dp_price_month(s->prices, g->month), s->prices->n > 0, out);
    dp_buf_addz(out, ",,\r\n");
    if (s->with_runs && g->name) csv_cpu(s, by, name, &g->cpu, out);
    for (int i = 0; i < DP_COST_WAYS; i++) {
        const struct dp_cost_saving *v = &g->savings[i];
        char what[32];
        if (!saves(v)) continue;
        (void)snprintf(what, sizeof what, "save-%s", way_names[i]);
        csv_head(out, by, name, what);
        dp_buf_addf(out, ",%llu,%llu,,,,", (unsigned long long)v->files, (unsigned long long)v->bytes);
        csv_price(s, dp_price_month(s->prices, v->month), s->prices->n > 0, out);
        dp_buf_addf(out, ",%s,", v->is_estimate ? "true" : "false");
        if (v->rule) csv_text(out, v->rule);
        dp_buf_addz(out, "\r\n");
    }
}

static void csv_run(const struct cost_sums *s, const char *by, const char *name, const struct dp_cost_pipeline *p, struct dp_buf *out) {
    csv_head(out, by, name, "cpu");
    dp_buf_addf(out, ",%llu,,%llu,%llu,", (unsigned long long)p->files, (unsigned long long)p->rows, (unsigned long long)p->runs);
    add_seconds(out, p->cpu_user_us), dp_buf_addc(out, ',');
    add_seconds(out, p->cpu_system_us);
    csv_price(s, dp_price_cpu(s->prices, cpu_of(p)), has_cpu(s), out);
    dp_buf_addz(out, ",,\r\n");
}

void cost_print_csv(const struct cost_sums *s, struct dp_buf *out) {
    dp_buf_addz(out, "by,name,what,files,bytes,rows,runs,cpu_user_seconds,cpu_system_seconds,cost,currency,estimate,rule\r\n");
    for (size_t i = 0; i < s->n; i++) csv_group(s, &s->v[i], by_names[s->by], out);
    if (s->total.tables) csv_group(s, &s->total, "total", out);
    for (size_t i = 0; i < s->n_runs; i++) csv_run(s, "pipeline", s->runs[i].name, &s->runs[i].p, out);
    if (s->with_runs) csv_run(s, "total", "", &s->all_runs, out);
}

/* ---- Prometheus ---- */

static void label(struct dp_buf *b, const char *name, const char *value) {
    dp_buf_addf(b, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\') dp_buf_addc(b, '\\');
        if (*value == '\n') dp_buf_addz(b, "\\n");
        else dp_buf_addc(b, *value);
    }
    dp_buf_addc(b, '"');
}

static void metric(struct dp_buf *b, const char *name, const char *help) { dp_buf_addf(b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name); }

/* NAME{by="...",other="..."}: `other` may be NULL. */
static void sample(struct dp_buf *b, const char *name, const char *by, const char *value, const char *other, const char *what) {
    dp_buf_addf(b, "%s{", name);
    label(b, by, value);
    if (other) dp_buf_addc(b, ','), label(b, other, what);
    dp_buf_addz(b, "} ");
}

static void prometheus_groups(const struct cost_sums *s, struct dp_buf *out) {
    const char *by = by_names[s->by], *overlap = s->by == BY_TAG || s->by == BY_OWNER ? " A table with several counts in each: sums overlap." : "";
    struct dp_buf help = {0};
    dp_buf_addf(&help, "Bytes of tables by what they are.%s", overlap);
    metric(out, "dp_cost_bytes", dp_buf_z(&help));
    dp_buf_release(&help);
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < DP_COST_KINDS; k++) sample(out, "dp_cost_bytes", by, s->v[i].name, "kind", kind_names[k]), add_u64(out, s->v[i].kinds[k].bytes), dp_buf_addc(out, '\n');
    metric(out, "dp_cost_files", "Files of tables by what they are.");
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < DP_COST_KINDS; k++) sample(out, "dp_cost_files", by, s->v[i].name, "kind", kind_names[k]), add_u64(out, s->v[i].kinds[k].files), dp_buf_addc(out, '\n');
    metric(out, "dp_cost_rows", "Rows of the latest versions, as far as their logs count them.");
    for (size_t i = 0; i < s->n; i++) sample(out, "dp_cost_rows", by, s->v[i].name, NULL, NULL), add_u64(out, s->v[i].all.rows), dp_buf_addc(out, '\n');
    if (!s->prices->n) return;
    metric(out, "dp_cost_per_month", "What storage of tables costs for a month.");
    for (size_t i = 0; i < s->n; i++) sample(out, "dp_cost_per_month", by, s->v[i].name, "currency", s->prices->currency), add_month(out, s, s->v[i].month), dp_buf_addc(out, '\n');
}

/* Of a name of their own, so that they are not added to those of pipelines. */
static void prometheus_cpu(const struct cost_sums *s, struct dp_buf *out) {
    const char *by = by_names[s->by];
    metric(out, "dp_cost_data_cpu_seconds", "Processor time of the runs that wrote, or only read, this data.");
    for (size_t i = 0; i < s->n; i++) {
        sample(out, "dp_cost_data_cpu_seconds", by, s->v[i].name, "mode", "user"), add_seconds(out, s->v[i].cpu.user_us), dp_buf_addc(out, '\n');
        sample(out, "dp_cost_data_cpu_seconds", by, s->v[i].name, "mode", "system"), add_seconds(out, s->v[i].cpu.system_us), dp_buf_addc(out, '\n');
    }
    if (!has_cpu(s)) return;
    metric(out, "dp_cost_data_cpu", "What that processor time cost.");
    for (size_t i = 0; i < s->n; i++)
        sample(out, "dp_cost_data_cpu", by, s->v[i].name, "currency", s->prices->currency), add_money(out, dp_price_cpu(s->prices, time_of(&s->v[i].cpu))), dp_buf_addc(out, '\n');
}

static void prometheus_savings(const struct cost_sums *s, struct dp_buf *out) {
    const char *by = by_names[s->by];
    metric(out, "dp_cost_saving_bytes", "Bytes that could be saved; of compaction and tiering estimates.");
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < DP_COST_WAYS; k++) sample(out, "dp_cost_saving_bytes", by, s->v[i].name, "way", way_names[k]), add_u64(out, s->v[i].savings[k].bytes), dp_buf_addc(out, '\n');
    metric(out, "dp_cost_saving_files", "Files that could be saved; of tiering those that would move.");
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < DP_COST_WAYS; k++) sample(out, "dp_cost_saving_files", by, s->v[i].name, "way", way_names[k]), add_u64(out, s->v[i].savings[k].files), dp_buf_addc(out, '\n');
    if (!s->prices->n) return;
    metric(out, "dp_cost_saving_per_month", "What could be saved in a month, in the currency of dp_cost_per_month.");
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < DP_COST_WAYS; k++) sample(out, "dp_cost_saving_per_month", by, s->v[i].name, "way", way_names[k]), add_month(out, s, s->v[i].savings[k].month), dp_buf_addc(out, '\n');
}

static void prometheus_runs(const struct cost_sums *s, struct dp_buf *out) {
    metric(out, "dp_cost_runs", "Runs of pipelines in the reports.");
    for (size_t i = 0; i < s->n_runs; i++) sample(out, "dp_cost_runs", "pipeline", s->runs[i].name, NULL, NULL), add_u64(out, s->runs[i].p.runs), dp_buf_addc(out, '\n');
    metric(out, "dp_cost_files_written", "Files that these runs wrote.");
    for (size_t i = 0; i < s->n_runs; i++) sample(out, "dp_cost_files_written", "pipeline", s->runs[i].name, NULL, NULL), add_u64(out, s->runs[i].p.files), dp_buf_addc(out, '\n');
    metric(out, "dp_cost_cpu_seconds", "Processor time of these runs.");
    for (size_t i = 0; i < s->n_runs; i++) {
        sample(out, "dp_cost_cpu_seconds", "pipeline", s->runs[i].name, "mode", "user"), add_seconds(out, s->runs[i].p.cpu_user_us), dp_buf_addc(out, '\n');
        sample(out, "dp_cost_cpu_seconds", "pipeline", s->runs[i].name, "mode", "system"), add_seconds(out, s->runs[i].p.cpu_system_us), dp_buf_addc(out, '\n');
    }
    metric(out, "dp_cost_peak_memory_bytes", "The most memory that one of these runs had.");
    for (size_t i = 0; i < s->n_runs; i++) sample(out, "dp_cost_peak_memory_bytes", "pipeline", s->runs[i].name, NULL, NULL), add_u64(out, s->runs[i].p.peak), dp_buf_addc(out, '\n');
    if (!has_cpu(s)) return;
    metric(out, "dp_cost_cpu", "What the processor time of these runs cost.");
    for (size_t i = 0; i < s->n_runs; i++)
        sample(out, "dp_cost_cpu", "pipeline", s->runs[i].name, "currency", s->prices->currency), add_money(out, dp_price_cpu(s->prices, cpu_of(&s->runs[i].p))), dp_buf_addc(out, '\n');
}

void cost_print_prometheus(const struct cost_sums *s, struct dp_buf *out) {
    if (s->total.tables) {
        prometheus_groups(s, out);
        if (s->with_runs) prometheus_cpu(s, out);
        prometheus_savings(s, out);
    }
    if (s->with_runs) prometheus_runs(s, out);
}

/* ---- records ---- */

static void record_group(const struct cost_sums *s, const struct cost_group *g, const char *by, struct dp_buf *out) {
    dp_buf_addf(out, "{\"by\":\"%s\",\"name\":", by);
    if (g->name) dp_json_add_string(out, dp_str_z(g->name));
    else dp_buf_addz(out, "null");
    dp_buf_addf(out, ",\"tables\":%llu,\"files\":%llu,\"bytes\":%llu,\"rows\":%llu,\"rows_known\":%s,\"kinds\":{", (unsigned long long)g->tables, (unsigned long long)g->all.files,
                (unsigned long long)g->all.bytes, (unsigned long long)g->all.rows, g->rows_unknown ? "false" : "true");
    for (int i = 0; i < DP_COST_KINDS; i++)
        dp_buf_addf(out, "%s\"%s\":{\"files\":%llu,\"bytes\":%llu}", i ? "," : "", kind_names[i], (unsigned long long)g->kinds[i].files, (unsigned long long)g->kinds[i].bytes);
    dp_buf_addf(out, "},\"deleted_rows\":%llu", (unsigned long long)g->kinds[DP_COST_VECTORS].rows);
    if (s->prices->n) dp_buf_addf(out, ",\"currency\":\"%s\",\"per_month\":", s->prices->currency), add_month(out, s, g->month);
    if (s->with_runs) {
        dp_buf_addf(out, ",\"runs\":%llu,\"cpu_user_seconds\":", (unsigned long long)g->cpu.runs), add_seconds(out, g->cpu.user_us);
        dp_buf_addz(out, ",\"cpu_system_seconds\":"), add_seconds(out, g->cpu.system_us);
        if (has_cpu(s)) dp_buf_addz(out, ",\"cpu_cost\":"), add_money(out, dp_price_cpu(s->prices, time_of(&g->cpu)));
    }
    dp_buf_addz(out, ",\"savings\":[");
    for (int i = 0, n = 0; i < DP_COST_WAYS; i++) {
        const struct dp_cost_saving *v = &g->savings[i];
        if (!saves(v)) continue;
        dp_buf_addf(out, "%s{\"way\":\"%s\",\"files\":%llu,\"bytes\":%llu", n++ ? "," : "", way_names[i], (unsigned long long)v->files, (unsigned long long)v->bytes);
        if (s->prices->n) dp_buf_addz(out, ",\"per_month\":"), add_month(out, s, v->month);
        dp_buf_addf(out, ",\"estimate\":%s,\"rule\":", v->is_estimate ? "true" : "false");
        if (v->rule) dp_json_add_string(out, dp_str_z(v->rule));
        else dp_buf_addz(out, "null");
        dp_buf_addc(out, '}');
    }
    dp_buf_addf(out, "],\"overlaps\":%s}\n", s->overlaps && g->name ? "true" : "false");
}

static void record_run(const struct cost_sums *s, const char *name, const struct dp_cost_pipeline *p, struct dp_buf *out) {
    dp_buf_addz(out, "{\"by\":\"pipeline\",\"name\":");
    dp_json_add_string(out, dp_str_z(name));
    dp_buf_addf(out, ",\"runs\":%llu,\"unmeasured\":%llu,\"cpu_user_seconds\":", (unsigned long long)p->runs, (unsigned long long)p->unmeasured);
    add_seconds(out, p->cpu_user_us);
    dp_buf_addz(out, ",\"cpu_system_seconds\":");
    add_seconds(out, p->cpu_system_us);
    dp_buf_addf(out, ",\"peak_memory_bytes\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu,\"records\":%llu,\"files\":%llu", (unsigned long long)p->peak,
                (unsigned long long)p->bytes_in, (unsigned long long)p->bytes_out, (unsigned long long)p->rows, (unsigned long long)p->files);
    if (has_cpu(s)) dp_buf_addf(out, ",\"currency\":\"%s\",\"cost\":", s->prices->currency), add_money(out, dp_price_cpu(s->prices, cpu_of(p)));
    dp_buf_addz(out, "}\n");
}

void cost_print_records(const struct cost_sums *s, struct dp_buf *out) {
    for (size_t i = 0; i < s->n; i++) record_group(s, &s->v[i], by_names[s->by], out);
    if (s->total.tables) record_group(s, &s->total, "total", out);
    for (size_t i = 0; i < s->n_runs; i++) record_run(s, s->runs[i].name, &s->runs[i].p, out);
}
