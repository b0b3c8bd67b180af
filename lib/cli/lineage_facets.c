/*
 * What the run's contract says (dp/rules/openlineage_contract.h), as facets: they go to the datasets that the run writes, or where it writes none by name to those that it reads; dp-mask's contract is that of what it reads.
 * And where the job's code is, by the variables that GitHub, GitLab and Jenkins set; git is never asked.
 */
#include "lineage_priv.h"

#include <dp/rules/contract.h>

#include <stdlib.h>
#include <sys/stat.h>

/* ---- the contract ---- */

/* FILE or FILE#OBJECT: is the file one that can be read twice?  A pipe's text is for the program. */
static bool is_file(const char *spec) {
    struct stat st;
    const char *hash = strrchr(spec, '#');
    if (stat(spec, &st) == 0) return S_ISREG(st.st_mode);
    char *path = dp_strndup(spec, hash ? (size_t)(hash - spec) : 0);
    bool found = *path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
    free(path);
    return found;
}

/* One that can't be read, or has several objects and none is named, is the program's business. */
void lineage_read_contract(const struct dp_cli *cli, struct dp_lineage_run *l) {
    struct dp_contract c = {.objects = NULL};
    const struct dp_contract_object *o = NULL;
    struct dp_err err = DP_ERR_INIT;
    if (!cli->common.contract || !is_file(cli->common.contract) || dp_contract_load(cli->common.contract, &c, &o, &err) != DP_OK) return;
    dp_ol_about_read(&c, o, &l->about);
    dp_buf_adds(&l->run.job_facets, dp_buf_str(&l->about.job_facets));
    l->has_contract = true;
    dp_contract_release(&c);
}

void lineage_forget_contract(struct dp_lineage_run *l) { dp_ol_about_release(&l->about); }

void lineage_describe(const struct dp_lineage_run *l, struct dp_ol_dataset *d) {
    if (l->has_contract) dp_ol_about_dataset(&l->about, d);
}

/* ---- the code ---- */

static void add_member(struct dp_buf *b, const char *key, const char *text) {
    struct dp_buf clean = {NULL, 0, 0};
    if (!text) return;
    dp_scrub(dp_str_z(text), DP_SCRUB_WORDS, &clean);
    dp_buf_addf(b, ",\"%s\":", key);
    dp_ol_text(b, dp_buf_z(&clean));
    dp_buf_release(&clean);
}

void lineage_source_code(struct dp_ol_run *r) {
    struct dp_buf repo = {NULL, 0, 0};
    const char *commit = NULL, *branch = NULL, *tag = NULL, *kind = lineage_env("GITHUB_REF_TYPE");
    if (lineage_env("GITHUB_REPOSITORY") && lineage_env("GITHUB_SHA")) {
        dp_buf_addf(&repo, "%s/%s", lineage_env("GITHUB_SERVER_URL") ? lineage_env("GITHUB_SERVER_URL") : "https://github.com", lineage_env("GITHUB_REPOSITORY"));
        commit = lineage_env("GITHUB_SHA");
        *(kind && strcmp(kind, "tag") == 0 ? &tag : &branch) = lineage_env("GITHUB_REF_NAME");
    } else if (lineage_env("CI_PROJECT_URL") && lineage_env("CI_COMMIT_SHA")) {
        dp_buf_addz(&repo, lineage_env("CI_PROJECT_URL"));
        commit = lineage_env("CI_COMMIT_SHA"), branch = lineage_env("CI_COMMIT_BRANCH"), tag = lineage_env("CI_COMMIT_TAG");
    } else if (lineage_env("GIT_URL") && lineage_env("GIT_COMMIT")) {
        dp_buf_addz(&repo, lineage_env("GIT_URL"));
        commit = lineage_env("GIT_COMMIT"), branch = lineage_env("GIT_BRANCH");
    }
    if (commit && strstr(dp_buf_z(&repo), "://")) {
        dp_ol_facet(&r->job_facets, DP_OL_OF_JOB, "sourceCodeLocation");
        add_member(&r->job_facets, "type", "git");
        add_member(&r->job_facets, "url", repo.p);
        add_member(&r->job_facets, "repoUrl", repo.p);
        add_member(&r->job_facets, "version", commit);
        add_member(&r->job_facets, "branch", branch);
        add_member(&r->job_facets, "tag", tag);
        dp_buf_addc(&r->job_facets, '}');
    }
    dp_buf_release(&repo);
}
