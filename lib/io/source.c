/* The source set (dp/io/source.h): names in order, each opened, read to its end, closed. */
#include "source_priv.h"

#include <dp/base/file.h>
#include <dp/delta/changes.h>
#include <dp/record/lineage.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum dp_status dp_sources_open(struct dp_run *run, const char *const *names, size_t n, const struct dp_source_opts *opts, struct dp_sources **out,
                               struct dp_err *err) {
    struct dp_sources *s = dp_calloc(1, sizeof *s);
    s->run = run;
    s->opts = opts;
    if (opts->csv) s->dialect = *opts->csv;
    else dp_csv_dialect_init(&s->dialect);
    unsigned threads = run->threads ? run->threads : 1;
    s->converters = dp_calloc(threads, sizeof *s->converters);
    s->retries = dp_calloc(threads, sizeof *s->retries);
    s->converter_of = dp_calloc(threads, sizeof *s->converter_of);
    s->line = s->stream_line = 1;
    if (opts->by_groups) s->gate = dp_group_gate_open(run->memory, threads);
    *out = s;
    enum dp_status status = opts->follow && !opts->changes ? dp_follow_open(s, err) : DP_OK;
    if (opts->changes) {
        status = dp_sources_open_changes(s, names[0], err);
        if (status) dp_sources_close(s), *out = NULL;
        return status;
    }
    if (!status) status = dp_sources_expand(s, names, n, err);
    const char *format = opts->format && strcmp(opts->format, "auto") != 0 ? opts->format : "parquet";
    if (!status && s->n_names > 1 && !s->follow && !opts->retry_rejects && !strcmp(format, "parquet"))
        status = dp_sources_join(s, (const char *const *)s->names, s->n_names, err);
    for (size_t i = 0; i < s->n_names; i++) s->piped |= strcmp(s->names[i], "-") == 0 && !opts->raw_stdin;
    for (size_t i = 0; i < s->n_names && opts->follow && !status; i++)
        if (strcmp(s->names[i], "-") == 0)
            status = dp_err_set(err, DP_USAGE, "--follow needs named files; standard input is read as it comes in any case");
    if (status) {
        dp_sources_close(s);
        *out = NULL;
    }
    return status;
}

size_t dp_sources_count(const struct dp_sources *s) {
    if (s->follow) return dp_follow_is_one_file(s) ? 1 : SIZE_MAX; /* nobody knows */
    return s->n_names;
}
bool dp_sources_piped(const struct dp_sources *s) { return s->piped; }

void dp_sources_note_file(const struct dp_sources *s, const char *name) {
    struct stat st;
    if (!s->dataset || stat(name, &st) != 0 || !S_ISREG(st.st_mode)) return;
    dp_dataset_count(s->dataset, 0, (uint64_t)st.st_size, 1);
    dp_dataset_part(s->dataset, name);
}

void dp_sources_origins(const struct dp_sources *s, struct dp_mark *begin) {
    /* The table has no such columns: they are made of its log. */
    static const struct dp_lineage_made of_log[] = {{.name = {DP_DELTA_CHANGE_TYPE, sizeof DP_DELTA_CHANGE_TYPE - 1}, .what = "derived"},
                                                    {.name = {DP_DELTA_COMMIT_VERSION, sizeof DP_DELTA_COMMIT_VERSION - 1}, .what = "derived"},
                                                    {.name = {DP_DELTA_COMMIT_TIMESTAMP, sizeof DP_DELTA_COMMIT_TIMESTAMP - 1}, .what = "derived"}};
    bool knows = s->n_surveyed == s->n_names && s->n_names == s->n_operands; /* else an operand is many */
    for (size_t i = 0; i < s->n_operands; i++) dp_datasets_origin(begin, NULL, s->operands[i], knows ? s->surveyed[i] : NULL);
    if (s->changes) dp_lineage_make(begin, s->run->program, of_log, sizeof of_log / sizeof of_log[0], false);
}

static void close_source(struct dp_sources *s) {
    dp_sources_close_table(s);
    dp_sources_close_member(s);
    dp_input_close(s->in);
    s->in = NULL;
    s->name = NULL;
}

void dp_sources_close(struct dp_sources *s) {
    if (!s) return;
    dp_sources_close_changes(s);
    dp_sources_forget_survey(s);
    close_source(s);
    dp_input_close(s->stdin_in);
    for (struct dp_reading *r = s->readings, *next; r; r = next) {
        next = r->next;
        dp_origin_free(r->origin);
        dp_csv_table_close(r->table);
        dp_type_free(r->schema);
        free(r);
    }
    unsigned threads = s->run->threads ? s->run->threads : 1;
    for (unsigned i = 0; i < threads; i++) dp_csv_converter_close(s->converters[i]), dp_retry_close(s->retries[i]);
    dp_type_free(s->set);
    for (size_t i = 0; i < s->learnt.n; i++) dp_csv_table_close(s->learnt.items[i].v.p);
    for (size_t i = 0; i < s->n_names; i++) free(s->names[i]);
    for (size_t i = 0; i < s->n_operands; i++) free(s->operands[i]);
    free(s->operands);
    free(s->of_names);
    dp_map_release(&s->learnt);
    dp_follow_close(s->follow);
    for (size_t i = 0; i < s->n_specs; i++) free(s->specs[i]);
    free(s->specs);
    dp_origin_free(s->stdin_origin);
    dp_group_gate_close(s->gate);
    dp_buf_release(&s->carry);
    dp_buf_release(&s->block);
    free(s->path_line);
    free(s->names);
    free(s->converters);
    free(s->retries);
    free(s->converter_of);
    free(s);
}

static enum dp_status open_stdin_stream(struct dp_sources *s, struct dp_err *err) {
    struct dp_input_opts o = {.wait = dp_sources_wait, .wait_ctx = s};
    DP_TRY(dp_input_open("-", &o, &s->stdin_in, err));
    s->stdin_origin = dp_origin_new("-", NULL, dp_str("", 0));
    return dp_input_next_raw(s->stdin_in, err);
}

/* The next chunk of the open source, over its members; DP_END closes it. */
static enum dp_status next_of_source(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    for (;;) {
        if (s->reading) {
            enum dp_status status = dp_sources_read(s, c, err);
            if (status != DP_END) return status;
            dp_sources_close_member(s);
        }
        DP_TRY(dp_sources_open_member(s, err));
    }
}

static enum dp_status next_chunk(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    for (;;) {
        if (s->table) {
            enum dp_status status = dp_sources_read_table(s, c, err);
            if (status != DP_END) return status ? (void)dp_sources_place(s, err), status : DP_OK;
            dp_sources_close_table(s);
        }
        if (s->in) {
            enum dp_status status = next_of_source(s, c, err);
            if (status != DP_END) return status ? (void)dp_sources_place(s, err), status : DP_OK;
            close_source(s);
        }
        if (s->stdin_in) {
            enum dp_status status = dp_sources_stream(s, c, err);
            if (status == DP_AGAIN) continue;
            if (status != DP_END) return status;
            dp_input_close(s->stdin_in);
            s->stdin_in = NULL;
        }
        if (s->next_name == s->n_names) return DP_END;
        const char *name = s->names[s->next_name++];
        struct stat st;
        s->dataset = s->of_names ? s->of_names[s->next_name - 1] : NULL;
        if (strcmp(name, "-") == 0 && !s->opts->raw_stdin) {
            DP_TRY(open_stdin_stream(s, err));
        } else if (stat(name, &st) == 0 && S_ISDIR(st.st_mode)) {
            DP_TRY(dp_sources_open_table(s, name, err));
        } else {
            DP_TRY(dp_sources_learn(s, err));
            dp_sources_note_file(s, name);
            DP_TRY(dp_sources_open_name(s, name, err));
        }
    }
}

enum dp_status dp_sources_next(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    if (s->changes) return dp_sources_next_change(s, c, err);
    return s->follow ? dp_follow_next(s, c, err) : next_chunk(s, c, err);
}
