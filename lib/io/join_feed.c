/* Where the other source of a join comes from: what dp/io/source.h opens, or a table of SQLite (join_load.h). */
#include "join_load.h"

#include <dp/delta/log.h>
#include <dp/io/evolve.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct join_feed {
    struct dp_run *run;
    const char *with;
    const char **columns; size_t n_columns;
    struct dp_source_opts opts;
    struct dp_sources *sources;
    struct join_sqlite *sqlite;
};

static enum dp_status would_block(void *ctx, struct dp_err *err) {
    struct join_feed *f = ctx;
    return dp_out_flush(f->run->out, err);
}

enum dp_status join_feed_open(struct dp_run *run, const struct join_spec *s, bool follow, struct join_feed **out, struct dp_err *err) {
    struct join_feed *f = *out = dp_calloc(1, sizeof *f);
    f->run = run;
    f->with = s->with;
    if (s->version && !dp_delta_is_table(s->with)) return dp_err_set(err, DP_USAGE, "--with-version: %.200s is no table", s->with);
    if (join_sqlite_is(s->with)) {
        if (follow) return dp_err_set(err, DP_USAGE, "--follow: a table of SQLite can't be read as it grows");
        return join_sqlite_open(s->with, &f->sqlite, err);
    }
    f->columns = join_spec_columns(s, &f->n_columns);
    f->opts = (struct dp_source_opts){.paths = DP_PATHS_REFUSE, .follow = follow, .as_of = s->version, .columns = f->n_columns ? f->columns : NULL, .n_columns = f->n_columns,
                                      .would_block = would_block, .would_block_ctx = f};
    return dp_sources_open(run, &f->with, 1, &f->opts, &f->sources, err);
}

enum dp_status join_feed_schema(struct join_feed *f, struct dp_type **schema, struct dp_err *err) {
    *schema = NULL;
    if (f->sqlite) return *schema = join_sqlite_schema(f->sqlite), DP_OK;
    return f->opts.follow ? DP_OK : dp_sources_survey(f->sources, schema, err);
}

enum dp_status join_feed_next(struct join_feed *f, struct dp_chunk *c, struct dp_err *err) {
    if (f->sqlite) return join_sqlite_next(f->sqlite, c, err);
    for (;;) {
        DP_TRY(dp_sources_next(f->sources, c, err));
        if (c->kind == DP_CHUNK_RECORDS) return DP_OK;
        if (!f->opts.follow) return dp_err_set(err, DP_FORMAT, "a mark, where records are wanted");
    }
}

enum dp_status join_feed_convert(struct join_feed *f, unsigned worker, struct dp_chunk *c, struct dp_err *err) {
    if (f->sqlite) return DP_OK;
    DP_TRY(dp_sources_convert(f->sources, worker, c, err));
    if (!c->bad) return DP_OK;
    (void)dp_err_set(err, DP_FORMAT, "a row that can't be read by the types of its columns");
    return dp_err_at(err, c->origin->name, c->line, DP_NO_OFFSET);
}

void join_feed_close(struct join_feed *f) {
    if (!f) return;
    dp_sources_close(f->sources);
    join_sqlite_close(f->sqlite);
    free(f->columns);
    free(f);
}

static bool add_file(const char *name, struct dp_buf *id) {
    struct stat st;
    if (stat(name, &st) != 0) return false;
    dp_buf_addf(id, "%llx:%llx:%lld:%lld.%09ld;", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, (long long)st.st_size,
                (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    return S_ISREG(st.st_mode);
}

/* Of all files that it stands for: one that joins, goes or changes is another source. */
static bool add_files(const struct dp_run *run, const char *with, struct dp_buf *id) {
    char **names = NULL;
    size_t n = 0;
    bool fine = dp_names_expand(run, &with, 1, &names, &n, NULL) == DP_OK && n;
    for (size_t i = 0; i < n; i++) {
        if (fine) dp_buf_addz(id, names[i]), dp_buf_addc(id, ':');
        fine = fine && add_file(names[i], id);
        free(names[i]);
    }
    free(names);
    return fine;
}

bool join_feed_identity(const struct dp_run *run, const char *with, struct dp_buf *id) {
    struct dp_buf wal = {0};
    if (dp_delta_is_table(with)) {
        struct dp_delta_log log = {0};
        bool fine = dp_delta_log_list(with, &log, NULL) == DP_OK;
        if (fine) dp_buf_addf(id, "%lld", (long long)dp_delta_log_latest(&log)), dp_delta_log_release(&log);
        return fine;
    }
    if (!join_sqlite_is(with)) return add_files(run, with, id);
    const char *hash = strrchr(with, '#');
    struct stat st;
    dp_buf_add(&wal, with, hash && stat(with, &st) != 0 ? (size_t)(hash - with) : strlen(with));
    bool fine = add_file(dp_buf_z(&wal), id);
    dp_buf_addz(&wal, "-wal");
    (void)add_file(dp_buf_z(&wal), id); /* it may be absent */
    dp_buf_release(&wal);
    return fine;
}
