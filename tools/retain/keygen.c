/* dp-retain keygen: a key that signs. */
#include "retain.h"

#include <dp/base/crypto.h>
#include <dp/base/sign.h>

static enum dp_status run_keygen(struct dp_cli *cli, struct dp_err *err) {
    struct dp_sign_public p;
    char line[DP_SIGN_ID + 1];
    dp_secret_guard();
    DP_TRY(dp_sign_create(cli->args[0], &p, err));
    int n = snprintf(line, sizeof line, "%s\n", p.id);
    return dp_out_write(cli->run.out, line, (size_t)n, err);
}

const struct dp_tool retain_keygen = {
    .name = "keygen", .summary = "make a key that signs, FILE and FILE.pub, and print its id", .args = "FILE", .synopsis = "FILE",
    .min_args = 1, .max_args = 1, .no_lineage = "*", .run = run_keygen};
