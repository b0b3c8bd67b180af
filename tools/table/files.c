/* dp-table files: the paths of a version's data files, without those that partition values and statistics exclude. */
#include "table.h"

#include <dp/delta/path.h>
#include <dp/delta/snapshot.h>
#include <dp/io/datasets.h>
#include <dp/io/lines.h>

#include <stdlib.h>

struct files_conf {
    const char *as_of;
};

static const struct dp_opt files_options[] = {
    DP_OPT_STRING(files_conf, as_of, "as-of", 0, "VERSION|TIME", "the table as it was"),
    DP_OPT_END};

struct listing {
    struct dp_cli *cli;
    struct dp_lines out; /* with --marks a stream of its own */
    struct dp_buf line;
};

static enum dp_status list_file(struct listing *l, const struct dp_delta_snapshot *s, const struct dp_delta_file *f, struct dp_err *err) {
    struct dp_buf *line = &l->line;
    dp_buf_reset(line);
    if (f->dv.storage.p)
        return dp_err_set(err, DP_UNSUPPORTED, "%s: file %.*s has a deletion vector, which a path can't carry: read the table itself", s->table, DP_STR_FMT(f->path));
    if (s->table[0] == '{') dp_buf_addz(line, "./");
    DP_TRY(dp_delta_path_resolve(s->table, f->path, line, err));
    if (memchr(line->p, '\n', line->n)) return dp_err_set(err, DP_UNSUPPORTED, "%s: a file's name holds a newline and can't be a line", s->table);
    dp_buf_addc(line, '\n');
    l->cli->run.books.used++;
    return dp_lines_write(&l->out, line->p, line->n, 1, err);
}

static enum dp_status list_files(struct listing *l, const struct dp_delta_snapshot *s, const struct dp_expr *where, struct dp_err *err) {
    const struct dp_delta_file **files = NULL;
    size_t n = 0;
    struct dp_mark begin = {.source = s->table, .table_version = s->version};
    dp_datasets_operands(&l->cli->run, (const char *const *)&s->table, 1, &begin);
    enum dp_status status = dp_lines_begin(&l->out, &begin, err);
    free(begin.origins);
    if (status == DP_OK) status = dp_delta_live_files(s, where, l->cli->run.pool, &files, &n, err);
    l->cli->run.books.in += s->n_files;
    l->cli->run.books.filtered += s->n_files - n;
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        if (dp_run_stopped(&l->cli->run, err)) status = DP_SIGNALLED;
        else status = list_file(l, s, files[i], err);
    }
    free(files);
    return status == DP_OK ? dp_lines_end(&l->out, err) : status;
}

static enum dp_status run_files(struct dp_cli *cli, struct dp_err *err) {
    const struct files_conf *conf = cli->conf;
    struct dp_delta_snapshot *s = NULL;
    struct dp_expr *where = NULL;
    struct listing l = {.cli = cli, .out = {.run = &cli->run}};
    int64_t version = -1;
    enum dp_status status = cli->common.where ? dp_expr_compile(dp_str_z(cli->common.where), &where, err) : DP_OK;
    struct dp_delta_how how = {.pool = cli->run.pool, .skip_stats = !where};
    if (status == DP_OK && conf->as_of) status = dp_delta_as_of(cli->args[0], dp_str_z(conf->as_of), &version, err);
    if (status == DP_OK) status = dp_delta_open_how(cli->args[0], version, &how, &s, err);
    if (status == DP_OK) status = table_check_where(s->table, s->schema, where, NULL, err);
    if (status == DP_OK) status = list_files(&l, s, where, err);
    dp_lines_release(&l.out);
    dp_buf_release(&l.line);
    dp_delta_close(s);
    dp_expr_free(where);
    return status;
}

const struct dp_tool table_files = {
    .name = "files", .summary = "print the paths of a version's data files", .args = "TABLE",
    .synopsis = "TABLE [--as-of VERSION|TIME] [--where EXPR]", .options = files_options, .conf_size = sizeof(struct files_conf),
    .common = DP_COMMON_WHERE | DP_COMMON_THREADS | DP_COMMON_MARKS | DP_COMMON_EMPTY, .is_stream = true, .min_args = 1, .max_args = 1, .no_lineage = "*", .run = run_files};
