/*
 * dp-retain: keep and account for data by rule, with proof.  Each command is in tools/retain.
 *
 *     dp-retain audit verify --anchor anchors
 */
#include "retain/retain.h"

/* In the order of the man page. */
static const struct dp_tool *const commands[] = {&retain_plan, &retain_apply, &retain_restore, &retain_export, &retain_erase, &retain_certify, &retain_finder, &retain_cost, &retain_hold, &retain_release, &retain_holds, &retain_audit, &retain_keygen, NULL};

static const struct dp_tool tool = {.name = "dp-retain", .summary = "keep and account for data by rule, with proof", .synopsis = "COMMAND [OPTION...]",
    .min_args = 0, .max_args = -1, .args = "COMMAND", .commands = commands};

DP_MAIN(tool)
