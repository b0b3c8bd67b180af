/*
 * The schema of several sources together, for the header of a stream (DESIGN section 1, "Types"): each is opened once before the first is
 * read, and what their types have in common without loss is the stream's.  Two sources that disagree on a column are a conflict with both names.
 * What it does not do: look into pipes, which can't be read twice; where the types of one source are not known, the stream's are not.
 */
#include "source_priv.h"

#include <stdlib.h>
#include <sys/stat.h>

static enum dp_status conflict(const struct dp_sources *s, const char *first, const struct dp_type *a, const struct dp_type *b, struct dp_err *err) {
    struct dp_buf x = {0}, y = {0};
    dp_type_print(a, &x);
    dp_type_print(b, &y);
    dp_err_set(err, DP_SCHEMA, "column %.80s: %.120s says %.60s, %.120s says %.60s (--types or --contract can decide)", a->name, first, dp_buf_z(&x), s->name,
               dp_buf_z(&y));
    dp_buf_release(&x), dp_buf_release(&y);
    return DP_SCHEMA;
}

/* Takes one source's columns in; `said` has for each column the name of the source that had it first. */
static enum dp_status join(struct dp_sources *s, struct dp_type **all, struct dp_map *said, const struct dp_type *one, struct dp_err *err) {
    for (size_t i = 0; i < one->n_children; i++) {
        const struct dp_type *c = one->children[i], *have = *all ? dp_type_child(*all, dp_str(c->name, c->name_n)) : NULL;
        struct dp_type *both = have ? dp_type_unify(have, c) : NULL;
        struct dp_map_item *it = dp_map_put(said, dp_str(c->name, c->name_n), NULL);
        if (have && !both) return conflict(s, it->v.p, have, c, err);
        dp_type_free(both);
        if (!it->v.p) it->v.p = (void *)(uintptr_t)s->name;
    }
    struct dp_type *next = *all ? dp_type_unify(*all, one) : dp_type_copy(one);
    if (!next) return dp_err_set(err, DP_SCHEMA, "the types of %.200s are in conflict with those of the sources before it", s->name);
    dp_type_free(*all);
    *all = next;
    return DP_OK;
}

/* The columns of the name at hand: of an archive those of all members. */
static void keep(struct dp_sources *s, const struct dp_type *one) {
    struct dp_type **at = &s->surveyed[s->n_surveyed], *both = *at ? dp_type_unify(*at, one) : dp_type_copy(one);
    dp_type_free(*at);
    *at = both;
}

static enum dp_status survey_one(struct dp_sources *s, const char *name, struct dp_type **all, struct dp_map *said, bool *known, struct dp_err *err) {
    struct stat st;
    if (strcmp(name, "-") == 0 || stat(name, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) return *known = false, DP_OK;
    if (S_ISDIR(st.st_mode)) {
        DP_TRY(dp_sources_open_table(s, name, err));
        DP_TRY(join(s, all, said, s->reading->origin->schema, err));
        keep(s, s->reading->origin->schema);
        dp_sources_close_table(s);
        return DP_OK;
    }
    DP_TRY(dp_sources_learn(s, err));
    DP_TRY(dp_sources_open_name(s, name, err));
    enum dp_status status;
    while (*known && !(status = dp_sources_open_member(s, err))) {
        if (s->reading->format == DP_SOURCE_EMPTY) continue;
        if (!s->reading->origin->schema) *known = false;
        else DP_TRY(join(s, all, said, s->reading->origin->schema, err));
        if (*known) keep(s, s->reading->origin->schema);
    }
    return *known && status != DP_END ? status : DP_OK;
}

void dp_sources_forget_survey(struct dp_sources *s) {
    for (size_t i = 0; s->surveyed && i <= s->n_surveyed; i++) dp_type_free(s->surveyed[i]);
    free(s->surveyed);
    s->surveyed = NULL, s->n_surveyed = 0;
}

enum dp_status dp_sources_survey(struct dp_sources *s, struct dp_type **schema, struct dp_err *err) {
    struct dp_map said = {0};
    bool known = true;
    enum dp_status status = DP_OK;
    *schema = NULL;
    s->surveying = true;
    dp_sources_forget_survey(s);
    s->surveyed = dp_calloc(s->n_names + 1, sizeof *s->surveyed);
    for (size_t i = 0; i < s->n_names && known && !status; i++, s->n_surveyed++) {
        status = survey_one(s, s->names[i], schema, &said, &known, err);
        if (status && status != DP_SCHEMA) known = false, status = DP_OK; /* the real pass meets it again, behind what comes before it */
        dp_sources_close_table(s);
        dp_sources_close_member(s);
        dp_input_close(s->in);
        s->in = NULL;
        s->name = NULL;
    }
    s->surveying = false;
    if (status || !known) dp_type_free(*schema), *schema = NULL, dp_sources_forget_survey(s);
    dp_map_release(&said);
    return status;
}
