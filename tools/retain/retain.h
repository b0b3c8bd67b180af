/*
 * The commands of dp-retain: each is a file of this directory with its options, its run function and its dp_tool; dp-retain.c lists them.
 */
#ifndef RETAIN_H
#define RETAIN_H

#include <dp/cli/cli.h>

extern const struct dp_tool retain_audit, retain_keygen;

#define RETAIN_AUDIT(conf) DP_OPT_DIR(conf, audit, "audit", 0, "DIR", "the audit log (default: $XDG_STATE_HOME/dp/audit)", .env = "DP_AUDIT")

extern const struct dp_tool retain_plan, retain_apply, retain_restore;
extern const struct dp_tool retain_erase, retain_certify;
extern const struct dp_tool retain_export, retain_finder, retain_cost, retain_hold, retain_release, retain_holds;

/* Who it is about: the first rows of an option table, and what they say. */
struct dp_subject;
struct retain_whom { struct dp_opt_list subject, from, graph; };
#define RETAIN_WHOM(conf)                                                                                                                                       \
    DP_OPT_LIST(conf, whom.subject, "subject", 0, "NAME=VALUE", "an identifier of the person; others can see it while this runs, --subjects-from hides it"),     \
        DP_OPT_LIST(conf, whom.from, "subjects-from", 0, "FILE", "identifiers from a file, a line each"),                                                       \
        DP_OPT_LIST(conf, whom.graph, "id-graph", 0, "SOURCE", "records that say which identifiers are one person's")
/* The identifiers that were given, without the graph's.  DP_USAGE: none. */
enum dp_status retain_read_whom(const struct retain_whom *w, struct dp_subject *s, struct dp_err *err) DP_MUST_CHECK;

/* The store of lineage that is given, or the usual one.  DP_OK and NULL: there is none where one is looked for by default. */
struct dp_catalog;
enum dp_status retain_open_store(const struct dp_cli *cli, const char *given, struct dp_catalog **out, struct dp_err *err) DP_MUST_CHECK;

#endif
