/*
 * Lineage events of a program: what the files of the subject share.
 *
 *   lineage.c         START, RUNNING and the terminal event        lineage_name.c    what a job is called, what an error may say
 *   lineage_parent.c  whose part a run is, by the environment      lineage_facets.c  what a contract and CI's variables add
 */
#ifndef DP_CLI_LINEAGE_PRIV_H
#define DP_CLI_LINEAGE_PRIV_H

#include "cli_priv.h"

#include <dp/base/scrub.h>
#include <dp/rules/openlineage_contract.h>

struct dp_lineage_run {
    struct dp_lineage_sender *sender;
    struct dp_ol_run run;
    struct dp_ol_about about;
    bool has_contract;
    int64_t period, next;    /* between RUNNING events, and when the next is due; monotonic, ms */
};

/* ---- lineage_name.c ---- */

/* JOB.PROGRAM[-COMMAND], or without a job PROGRAM[-COMMAND]:NAME; caller frees. */
char *lineage_job_name(const struct dp_cli *cli);
/* The error as it may leave the machine: no secrets, and where data is at fault nothing of it; caller frees. */
char *lineage_error_text(const struct dp_cli *cli, const struct dp_err *err);

/* ---- lineage_parent.c ---- */

/* A variable's value; NULL: it is not there, or empty. */
const char *lineage_env(const char *name);
/* Parent and root of r, and its nominal time, by the environment. */
void lineage_find_parent(const struct dp_cli *cli, struct dp_ol_run *r);
/* Names r as the parent of what this process starts. */
void lineage_lead(const struct dp_ol_run *r);

/* ---- lineage_facets.c ---- */

void lineage_read_contract(const struct dp_cli *cli, struct dp_lineage_run *l);
void lineage_forget_contract(struct dp_lineage_run *l);
/* What the contract says of it, into one dataset. */
void lineage_describe(const struct dp_lineage_run *l, struct dp_ol_dataset *d);
/* Where the job's code is, when the variables of CI say it. */
void lineage_source_code(struct dp_ol_run *r);

#endif
