/* dp-table files: the paths of a version's data files, without those that partition values and statistics exclude. */
#include "table.h"

#include <dp/delta/path.h>
#include <dp/delta/snapshot.h>

#include <stdlib.h>

struct files_conf {
    const char *as_of;
};

static const struct dp_opt files_options[] = {
    DP_OPT_STRING(files_conf, as_of, "as-of", 0, "VERSION|TIME", "the table as it was"),
    DP_OPT_END};

/* Output of files: with --marks a stream of its own. */
struct listing {
    struct dp_cli *cli;
    struct dp_linehash *hash;
    struct dp_buf line;
    uint64_t n;
};

static enum dp_status write_mark(struct dp_cli *cli, const struct dp_mark *m, struct dp_err *err)
{
    struct dp_buf b = {0};
    dp_mark_print(m, &b);
    enum dp_status status = dp_out_write(cli->run.out, b.p, b.n, err);
    dp_buf_release(&b);
    return status;
}

static enum dp_status list_begin(struct listing *l, const struct dp_delta_snapshot *s, struct dp_err *err)
{
    char *chain[1] = {dp_strdup(l->cli->run.program)};
    struct dp_mark m = {.kind = DP_MARK_BEGIN, .run = l->cli->run.run_id, .job = l->cli->run.job, .source = s->table, .chain = chain, .n_chain = 1,
                        .table_version = s->version};
    enum dp_status status = DP_OK;
    if (l->cli->run.marks) {
        l->hash = dp_linehash_open();
        status = write_mark(l->cli, &m, err);
        l->cli->run.marks_open = true;
    }
    free(chain[0]);
    return status;
}

static enum dp_status list_end(struct listing *l, struct dp_err *err)
{
    char hash[48];
    if (!l->hash) return DP_OK;
    dp_linehash_text(l->hash, hash);
    struct dp_mark m = {.kind = DP_MARK_END, .run = l->cli->run.run_id, .records = l->n, .hash = hash, .table_version = -1};
    l->cli->run.marks_closed = true;
    return write_mark(l->cli, &m, err);
}

static enum dp_status list_file(struct listing *l, const struct dp_delta_snapshot *s, const struct dp_delta_file *f, struct dp_err *err)
{
    struct dp_buf *line = &l->line;
    dp_buf_reset(line);
    if (f->dv.storage.p)
        return dp_err_set(err, DP_UNSUPPORTED, "%s: file %.*s has a deletion vector, which a path can't carry: read the table itself", s->table, DP_STR_FMT(f->path));
    if (s->table[0] == '{') dp_buf_addz(line, "./");
    DP_TRY(dp_delta_path_resolve(s->table, f->path, line, err));
    if (memchr(line->p, '\n', line->n)) return dp_err_set(err, DP_UNSUPPORTED, "%s: a file's name holds a newline and can't be a line", s->table);
    dp_buf_addc(line, '\n');
    if (l->hash) dp_linehash_add(l->hash, line->p, line->n);
    l->n++;
    l->cli->run.books.used++;
    return dp_out_write(l->cli->run.out, line->p, line->n, err);
}

static enum dp_status list_files(struct listing *l, const struct dp_delta_snapshot *s, const struct dp_expr *where, struct dp_err *err)
{
    const struct dp_delta_file **files = NULL;
    size_t n = 0;
    enum dp_status status = list_begin(l, s, err);
    if (status == DP_OK) status = dp_delta_live_files(s, where, l->cli->run.pool, &files, &n, err);
    l->cli->run.books.in += s->n_files;
    l->cli->run.books.filtered += s->n_files - n;
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        if (dp_run_stopped(&l->cli->run, err)) status = DP_SIGNALLED;
        else status = list_file(l, s, files[i], err);
    }
    free(files);
    return status == DP_OK ? list_end(l, err) : status;
}

static enum dp_status run_files(struct dp_cli *cli, struct dp_err *err)
{
    const struct files_conf *conf = cli->conf;
    struct dp_delta_snapshot *s = NULL;
    struct dp_expr *where = NULL;
    struct listing l = {.cli = cli};
    int64_t version = -1;
    enum dp_status status = cli->common.where ? dp_expr_compile(dp_str_z(cli->common.where), &where, err) : DP_OK;
    struct dp_delta_how how = {.pool = cli->run.pool, .skip_stats = !where};
    if (status == DP_OK && conf->as_of) status = dp_delta_as_of(cli->args[0], dp_str_z(conf->as_of), &version, err);
    if (status == DP_OK) status = dp_delta_open_how(cli->args[0], version, &how, &s, err);
    if (status == DP_OK) status = table_check_where(s->table, s->schema, where, NULL, err);
    if (status == DP_OK) status = list_files(&l, s, where, err);
    if (l.hash) dp_linehash_close(l.hash);
    dp_buf_release(&l.line);
    dp_delta_close(s);
    dp_expr_free(where);
    return status;
}

const struct dp_tool table_files = {
    .name = "files", .summary = "print the paths of a version's data files", .args = "TABLE",
    .synopsis = "TABLE [--as-of VERSION|TIME] [--where EXPR]", .options = files_options, .conf_size = sizeof(struct files_conf),
    .common = DP_COMMON_WHERE | DP_COMMON_THREADS | DP_COMMON_MARKS | DP_COMMON_EMPTY, .is_stream = true, .min_args = 1, .max_args = 1, .run = run_files};
