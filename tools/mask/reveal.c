/*
 * dp-mask reveal: what was encrypted, clear again.
 *
 *     dp-cat lake/people | dp-mask reveal -c people.odcs.yaml -p masks.yaml --key-file ring --reason 'ticket 815'
 *
 * The contract and the policy that masked say which columns are encrypted; all else stays as it comes.  Who reveals what, of which sources and why stands in the audit log before a record is read,
 * and where it can't stand there nothing is revealed.
 */
#include "mask.h"

#include <dp/io/audit.h>
#include <dp/rules/mask.h>

#include <stdlib.h>

enum { SOURCES = 100 }; /* that an entry of the audit log names */

struct reveal_conf {
    const char *policy, *role, *key_file, *audit, *reason;
};

static const struct dp_opt reveal_options[] = {
    DP_OPT_PATH(reveal_conf, policy, "policy", 'p', "FILE", "the policy that masked (dp-policy(5))"),
    DP_OPT_STRING(reveal_conf, role, "role", 0, "NAME", "the role whose view was masked"),
    DP_OPT_PATH(reveal_conf, key_file, "key-file", 0, "FILE", "key ring (default: $DP_MASK_KEY_FILE, or the key itself in $DP_MASK_KEY)"),
    DP_OPT_STRING(reveal_conf, reason, "reason", 0, "TEXT", "why, for the audit log"),
    DP_OPT_DIR(reveal_conf, audit, "audit", 0, "DIR", "the audit log (default: $XDG_STATE_HOME/dp/audit)", .env = "DP_AUDIT"),
    DP_OPT_END};

struct revealing {
    struct dp_cli *cli;
    struct dp_contract contract;
    struct dp_policy policy;
    struct dp_mask *mask;
};
struct reveal_worker { struct dp_mask_run *run; };

/* ---- records ---- */

static enum dp_status worker_open(void *ctx, void *mem, struct dp_err *err) {
    (void)err;
    ((struct reveal_worker *)mem)->run = dp_mask_run_open(((struct revealing *)ctx)->mask);
    return DP_OK;
}

static void worker_close(void *ctx, void *mem) {
    (void)ctx;
    dp_mask_run_close(((struct reveal_worker *)mem)->run);
}

static enum dp_status on_chunk(void *ctx, struct dp_job *j, struct dp_err *err) {
    (void)ctx, (void)err;
    dp_mask_run_reset(((struct reveal_worker *)j->worker_mem)->run);
    return DP_OK;
}

static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    struct reveal_worker *w = j->worker_mem;
    struct dp_mask_reject why;
    (void)ctx, (void)err;
    if (dp_mask_record(w->run, r, &j->out, &why) == DP_OK) dp_job_use(j);
    else dp_job_reject(j, r, why.rule, why.path, why.expected, "%s", why.reason);
    return DP_OK;
}

static enum dp_status on_header(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    (void)err;
    dp_mask_reverse_header(((struct revealing *)ctx)->mask, "dp-mask", begin);
    return DP_OK;
}

static enum dp_status reveal_records(struct revealing *x, struct dp_err *err) {
    static const struct dp_stream_ops ops = {.worker_size = sizeof(struct reveal_worker), .worker_open = worker_open, .worker_close = worker_close, .chunk_begin = on_chunk,
                                             .record = on_record, .header = on_header};
    return dp_cli_stream(x->cli, &(struct dp_stream_conf){.decides = true}, &ops, x, err);
}

/* ---- the audit log ---- */

static void print_columns(const struct revealing *x, struct dp_buf *b) {
    const struct dp_mask_column *c;
    size_t n = dp_mask_columns(x->mask, &c);
    dp_buf_addc(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i) dp_buf_addc(b, ',');
        dp_json_add_string(b, dp_str_z(c[i].path));
    }
    dp_buf_addc(b, ']');
}

static void print_intent(const struct revealing *x, struct dp_buf *b) {
    const struct dp_cli *cli = x->cli;
    const struct reveal_conf *c = cli->conf;
    dp_buf_addz(b, "{\"columns\":"), print_columns(x, b);
    if (c->role) dp_buf_addz(b, ",\"role\":"), dp_json_add_string(b, dp_str_z(c->role));
    if (cli->run.where) dp_buf_addz(b, ",\"filtered\":true"); /* what the condition names may be personal */
    dp_buf_addz(b, ",\"sources\":[");
    for (size_t i = 0; i < cli->n_args && i < SOURCES; i++) {
        char *object = strcmp(cli->args[i], "-") ? dp_audit_object(cli->args[i]) : dp_strdup("-");
        if (i) dp_buf_addc(b, ',');
        dp_json_add_string(b, dp_str_z(object));
        free(object);
    }
    if (!cli->n_args) dp_buf_addz(b, "\"-\"");
    dp_buf_addf(b, "],\"source_count\":%zu}", cli->n_args ? cli->n_args : 1);
}

static enum dp_status reveal_audited(struct revealing *x, struct dp_err *err) {
    const struct reveal_conf *c = x->cli->conf;
    const struct dp_books *books = &x->cli->run.books;
    struct dp_audit *log = NULL;
    struct dp_buf what = {0};
    uint64_t ticket;
    bool is_one = x->cli->n_args == 1 && strcmp(x->cli->args[0], "-") != 0;
    char *object = is_one ? dp_audit_object(x->cli->args[0]) : NULL;
    enum dp_status status;
    print_intent(x, &what);
    DP_TRY_OUT(dp_audit_open(&x->cli->run, c->audit, &log, err));
    DP_TRY_OUT(dp_audit_begin(log, &(struct dp_audit_intent){.action = "mask.reveal", .object = object, .why = c->reason, .what = dp_buf_str(&what)}, &ticket, err));
    status = reveal_records(x, err);
    dp_buf_reset(&what);
    dp_buf_addf(&what, "{\"records\":%llu,\"rejected\":%llu}", (unsigned long long)books->used, (unsigned long long)books->rejected);
    status = dp_audit_end(log, ticket, status, dp_buf_str(&what), err);
out:
    dp_audit_close(log);
    dp_buf_release(&what);
    free(object);
    return status;
}

/* ---- the run ---- */

static enum dp_status prepare(struct revealing *x, struct dp_err *err) {
    const struct reveal_conf *c = x->cli->conf;
    const struct dp_contract_object *o;
    struct dp_keyring *ring = NULL;
    if (!x->cli->common.contract) return dp_err_set(err, DP_USAGE, "-c CONTRACT is needed: with the policy it says which columns are encrypted");
    if (!c->reason && !x->cli->run.dry_run) return dp_err_set(err, DP_USAGE, "reveal needs --reason TEXT, for the audit log (--dry-run tells which columns)");
    if (c->role && !c->policy) return dp_err_set(err, DP_USAGE, "--role needs the policy that has it (-p FILE)");
    DP_TRY(dp_contract_load(x->cli->common.contract, &x->contract, &o, err));
    if (c->policy) DP_TRY(dp_policy_read(c->policy, &x->policy, err));
    DP_TRY(dp_mask_compile(&x->contract, o, c->policy ? &x->policy : NULL, c->role, DP_MASK_UNKNOWN_PASS, &x->mask, err));
    x->cli->run.hide_raw = true;
    enum dp_status status = mask_read_ring(c->key_file, dp_mask_needs_key(x->mask), &ring, err);
    const struct dp_keyring none = {.n = 0};
    if (status == DP_OK) status = dp_mask_reverse(x->mask, ring ? ring : &none, err);
    dp_keyring_free(ring);
    return status;
}

static void report(struct revealing *x) {
    struct dp_buf b = {0};
    print_columns(x, &b);
    dp_cli_report(x->cli, "revealed", dp_buf_str(&b));
    if (x->cli->run.dry_run) dp_run_log(&x->cli->run, DP_LOG_INFO, "would reveal %s", dp_buf_z(&b));
    dp_buf_release(&b);
}

static enum dp_status run_reveal(struct dp_cli *cli, struct dp_err *err) {
    struct revealing x = {.cli = cli};
    dp_secret_guard();
    enum dp_status status = prepare(&x, err);
    if (status == DP_OK) report(&x);
    if (status == DP_OK && !cli->run.dry_run) status = reveal_audited(&x, err);
    dp_mask_free(x.mask);
    dp_policy_release(&x.policy);
    dp_contract_release(&x.contract);
    return status;
}

const struct dp_tool mask_reveal = {.name = "reveal",
                                    .summary = "make clear again what was encrypted, and say so in the audit log",
                                    .synopsis = "-c CONTRACT [-p POLICY] [--role NAME] [--key-file FILE] --reason TEXT [--audit DIR] [SOURCE...]",
                                    .options = reveal_options,
                                    .conf_size = sizeof(struct reveal_conf),
                                    .common = DP_COMMON_FILTER | DP_COMMON_CONTRACT | DP_COMMON_FORMATS,
                                    .is_stream = true,
                                    .min_args = 0,
                                    .max_args = -1,
                                    .args = "SOURCE",
                                    .run = run_reveal};
