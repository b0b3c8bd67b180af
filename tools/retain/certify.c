/* dp-retain certify: the report of an erasure, signed; and a certificate checked. */
#include "retain.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/io/certificate.h>

struct certify_conf { const char *key, *public_key, *audit; bool check; };

static const struct dp_opt certify_options[] = {
    DP_OPT_PATH(certify_conf, key, "key-file", 0, "FILE", "the private key to sign with (dp-retain keygen)"),
    DP_OPT_FLAG(certify_conf, check, "check", 0, "the operand is a certificate: check it", .needs = "public-key"),
    DP_OPT_PATH(certify_conf, public_key, "public-key", 0, "FILE", "the public key to check with"),
    RETAIN_AUDIT(certify_conf),
    DP_OPT_END};

static enum dp_status certify(struct dp_cli *cli, struct dp_str report, struct dp_err *err) {
    const struct certify_conf *conf = cli->conf;
    struct dp_sign_key *key = NULL;
    struct dp_buf out = {0};
    enum dp_status status = dp_sign_read_key(conf->key, &key, err);
    if (status == DP_OK) status = dp_certify(&cli->run, report, conf->audit, key, &out, err);
    if (status == DP_OK) status = dp_out_write(cli->run.out, out.p, out.n, err);
    dp_sign_key_free(key);
    dp_buf_release(&out);
    return status;
}

/* The report that holds, on standard output. */
static enum dp_status check(struct dp_cli *cli, struct dp_str text, struct dp_err *err) {
    const struct certify_conf *conf = cli->conf;
    struct dp_sign_public key;
    struct dp_str report;
    DP_TRY(dp_sign_read_public(conf->public_key, &key, err));
    if (dp_certificate_check(text, &key, &report, err) != DP_OK) return dp_err_prefix(err, "%s: ", cli->args[0]);
    DP_TRY(dp_out_write(cli->run.out, report.p, report.n, err));
    return dp_out_write(cli->run.out, "\n", 1, err);
}

static enum dp_status run_certify(struct dp_cli *cli, struct dp_err *err) {
    const struct certify_conf *conf = cli->conf;
    struct dp_buf text = {0};
    if (!conf->check && !conf->key) return dp_err_set(err, DP_USAGE, "--key-file FILE is needed to sign, or --check and --public-key FILE to check");
    if (conf->check && conf->key) return dp_err_set(err, DP_USAGE, "--key-file signs and --check checks: one of them");
    enum dp_status status = dp_file_read(cli->args[0], DP_LIMIT_RECORD, &text, err);
    if (status == DP_OK) status = conf->check ? check(cli, dp_buf_str(&text), err) : certify(cli, dp_buf_str(&text), err);
    dp_buf_release(&text);
    return status;
}

const struct dp_tool retain_certify = {
    .name = "certify", .summary = "sign the report of an erasure, or check a certificate", .args = "FILE", .synopsis = "--key-file FILE [--audit DIR] EVIDENCE\n--check --public-key FILE CERTIFICATE",
    .options = certify_options, .conf_size = sizeof(struct certify_conf), .common = 0, .min_args = 1, .max_args = 1, .no_lineage = "*", .run = run_certify};
