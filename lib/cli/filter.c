/* The stream driver over a program's operands; apart from main.c, so that programs without a stream don't carry it. */
#include <dp/cli/cli.h>

enum dp_status dp_cli_stream(struct dp_cli *cli, const struct dp_stream_conf *conf, const struct dp_stream_ops *ops, void *ctx,
                             struct dp_err *err) {
    return dp_stream_run(&cli->run, cli->args, cli->n_args, conf, ops, ctx, err);
}
