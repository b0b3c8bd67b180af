/* Keys of dp-mask: from a file or the environment, and keygen, which makes a ring. */
#include "mask.h"

#include <stdlib.h>

/* What stood in the environment is wiped, so that /proc/PID/environ does not show it while we run. */
static enum dp_status key_of_environment(struct dp_keyring **ring, struct dp_err *err) {
    char *text = getenv(MASK_KEY_ENV);
    if (!text || !*text) return DP_OK;
    enum dp_status status = dp_keyring_parse(dp_str_z(text), "$" MASK_KEY_ENV, ring, err);
    dp_wipe(text, strlen(text));
    return status;
}

enum dp_status mask_read_ring(const char *file, const char *column, struct dp_keyring **ring, struct dp_err *err) {
    const char *env_file = getenv(MASK_KEY_FILE_ENV);
    *ring = NULL;
    DP_TRY(key_of_environment(ring, err));
    if (!column) return DP_OK;
    if (!file && env_file && *env_file) {
        if (*ring) return dp_err_set(err, DP_USAGE, "both $" MASK_KEY_ENV " and $" MASK_KEY_FILE_ENV " are set: which key is meant?");
        file = env_file;
    }
    if (file) {
        dp_keyring_free(*ring);
        *ring = NULL;
        DP_TRY(dp_keyring_read(file, ring, err));
    }
    if (*ring) return DP_OK;
    return dp_err_set(err, DP_USAGE, "column %s needs a key, and there is none: `dp-mask keygen FILE` makes one, --key-file FILE (or $" MASK_KEY_FILE_ENV ") names it", column);
}

struct keygen_conf {
    bool add;
};

static const struct dp_opt keygen_options[] = {
    DP_OPT_FLAG(keygen_conf, add, "add", 0, "add a key to the ring that FILE is; the key that was active is retired"), DP_OPT_END};

static enum dp_status keygen(struct dp_cli *cli, struct dp_err *err) {
    const struct keygen_conf *c = cli->conf;
    char line[40], id[33];
    dp_secret_guard();
    if (c->add) DP_TRY(dp_keyring_add(cli->args[0], cli->run.now_micros, id, err));
    else DP_TRY(dp_keyring_create(cli->args[0], cli->run.now_micros, id, err));
    int n = snprintf(line, sizeof line, "%s\n", id);
    return dp_out_write(cli->run.out, line, (size_t)n, err);
}

const struct dp_tool mask_keygen = {.name = "keygen",
                                    .summary = "make a key ring, and print the id of its key",
                                    .synopsis = "[--add] FILE",
                                    .options = keygen_options,
                                    .conf_size = sizeof(struct keygen_conf),
                                    .min_args = 1,
                                    .max_args = 1,
                                    .args = "FILE",
                                    .no_lineage = "*",
                                    .run = keygen};
