/*
 * The commands of dp-retain: each is a file of this directory with its options, its run function and its dp_tool; dp-retain.c lists them.
 */
#ifndef RETAIN_H
#define RETAIN_H

#include <dp/cli/cli.h>

extern const struct dp_tool retain_audit, retain_keygen;

#define RETAIN_AUDIT(conf) DP_OPT_DIR(conf, audit, "audit", 0, "DIR", "the audit log (default: $XDG_STATE_HOME/dp/audit)", .env = "DP_AUDIT")

extern const struct dp_tool retain_plan, retain_apply, retain_restore;
extern const struct dp_tool retain_export;

#endif
