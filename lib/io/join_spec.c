/* The words of a join (dp/io/join.h), read: keys, columns, times. */
#include "join_priv.h"

#include <dp/base/num.h>
#include <dp/base/time.h>

#include <stdlib.h>
#include <unistd.h>

/* ---- times ---- */

struct join_time join_time_add(struct join_time t, int64_t ms) {
    int64_t sum;
    if (dp_add_overflow(t.ms, ms, &sum)) return ms < 0 ? JOIN_TIME_LEAST : JOIN_TIME_MOST;
    return (struct join_time){sum, t.ns};
}

enum dp_status join_time_read(const struct dp_event_clock *c, const struct dp_record *r, uint32_t node, struct dp_buf *scratch, struct join_time *t, enum join_clock *clock) {
    struct dp_event_time e;
    if (!node || r->nodes[node].kind == DP_KIND_NULL) return DP_END;
    if (dp_event_time_read(c, r, node, scratch, &e)) return DP_RECORD;
    *t = (struct join_time){e.ms, e.ns};
    *clock = e.is_local ? JOIN_CLOCK_LOCAL : JOIN_CLOCK_INSTANT;
    return DP_OK;
}

/* ---- lists of names ---- */

/* What stands in front of the next separator that is not inside quotes. */
static struct dp_str next_part(struct dp_str *rest, char separator) {
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->n && (quoted || rest->p[i] != separator); i++) {
        if (rest->p[i] == '"') quoted = !quoted;
        else if (quoted && rest->p[i] == '\\') i++;
    }
    if (i > rest->n) i = rest->n;
    struct dp_str part = dp_str(rest->p, i);
    *rest = i < rest->n ? dp_str(rest->p + i + 1, rest->n - i - 1) : dp_str(rest->p + i, 0);
    return part;
}

static struct dp_str trim(struct dp_str s) {
    while (s.n && s.p[0] == ' ') s.p++, s.n--;
    while (s.n && s.p[s.n - 1] == ' ') s.n--;
    return s;
}

/* A path, or the name of a column as it is ("order-id"). */
static enum dp_status read_path(const char *option, struct dp_str text, struct dp_path *path, struct dp_err *err) {
    text = trim(text);
    if (!text.n) return dp_err_set(err, DP_USAGE, "%s: the name of a field is missing", option);
    enum dp_status status = dp_path_parse(text, path, err);
    if (status == DP_OK && !path->n) return dp_err_set(err, DP_USAGE, "%s: %.*s names no field", option, DP_STR_FMT(text));
    if (status != DP_OK && text.p[0] != '.') {
        dp_path_key(path, text);
        return DP_OK;
    }
    return status == DP_OK ? DP_OK : dp_err_prefix(err, "%s: ", option);
}

/* "id", "customer=id" */
static enum dp_status read_pair(const char *option, struct dp_str text, struct dp_path *left, struct dp_path *right, struct dp_err *err) {
    struct dp_str rest = text, first = next_part(&rest, '=');
    bool has_two = first.n < text.n;
    DP_TRY(read_path(option, first, left, err));
    return read_path(option, has_two ? rest : first, right, err);
}

static enum dp_status read_keys(const char *on, struct join_spec *s, struct dp_err *err) {
    struct dp_str rest = dp_str_z(on);
    size_t most = 1;
    for (size_t i = 0; i < rest.n; i++) most += rest.p[i] == ',';
    s->left = dp_calloc(most, sizeof *s->left);
    s->right = dp_calloc(most, sizeof *s->right);
    do {
        s->n_keys++;
        DP_TRY(read_pair("--on", next_part(&rest, ','), &s->left[s->n_keys - 1], &s->right[s->n_keys - 1], err));
    } while (rest.n);
    for (size_t i = 0; i < s->n_keys; i++)
        if (s->right[i].steps[0].kind != DP_STEP_KEY) return dp_err_set(err, DP_USAGE, "--on: a key of the other source begins with the name of a column");
    return DP_OK;
}

static enum dp_status read_take(const char *take, struct join_spec *s, struct dp_err *err) {
    struct dp_str rest = dp_str_z(take);
    size_t most = 1;
    for (size_t i = 0; i < rest.n; i++) most += rest.p[i] == ',';
    s->take = dp_calloc(most, sizeof *s->take);
    s->takes = true;
    do {
        struct dp_str name = trim(next_part(&rest, ','));
        if (!name.n) return dp_err_set(err, DP_USAGE, "--take: the name of a column is missing");
        for (size_t i = 0; i < s->n_take; i++)
            if (dp_str_eqz(name, s->take[i])) return dp_err_set(err, DP_USAGE, "--take: %.*s stands twice", DP_STR_FMT(name));
        s->take[s->n_take++] = dp_strndup(name.p, name.n);
    } while (rest.n);
    return DP_OK;
}

/* ---- intervals ---- */

static enum dp_status read_bound(struct dp_str text, int64_t *ms, struct dp_err *err) {
    text = trim(text);
    bool negative = text.n && text.p[0] == '-', is_signed = negative || (text.n && text.p[0] == '+');
    if (is_signed) text.p++, text.n--;
    if (dp_parse_duration(text, ms, err) != DP_OK) return dp_err_prefix(err, "--within: ");
    if (negative) *ms = -*ms;
    return DP_OK;
}

static enum dp_status read_within(const char *within, struct join_spec *s, struct dp_err *err) {
    struct dp_str rest = dp_str_z(within), first = next_part(&rest, ',');
    bool has_two = first.n < strlen(within);
    DP_TRY(read_bound(first, &s->from_ms, err));
    if (has_two) {
        DP_TRY(read_bound(rest, &s->to_ms, err));
        if (s->to_ms < s->from_ms) return dp_err_set(err, DP_USAGE, "--within %.200s: the interval ends before it begins", within);
        return DP_OK;
    }
    if (first.p[0] == '-' || first.p[0] == '+') return dp_err_set(err, DP_USAGE, "--within %.200s: one duration is without a sign, two are FROM,TO", within);
    s->to_ms = s->from_ms;
    s->from_ms = -s->from_ms;
    return DP_OK;
}

/* "ts", "ts=valid_from", each perhaps with ",within 7d" behind it */
static enum dp_status read_as_of(const char *as_of, struct join_spec *s, struct dp_err *err) {
    struct dp_str rest = dp_str_z(as_of), first = next_part(&rest, ',');
    s->from_ms = INT64_MIN;
    s->to_ms = 0;
    DP_TRY(read_pair("--as-of", first, &s->left_time, &s->right_time, err));
    if (first.n == strlen(as_of)) return DP_OK;
    rest = trim(rest);
    if (!dp_str_starts(rest, DP_STR("within "))) return dp_err_set(err, DP_USAGE, "--as-of %.200s: TIME[,within D] is wanted", as_of);
    rest = trim(dp_str(rest.p + 7, rest.n - 7));
    if (dp_parse_duration(rest, &s->from_ms, err) != DP_OK) return dp_err_prefix(err, "--as-of: ");
    s->from_ms = -s->from_ms;
    return DP_OK;
}

static bool is_name(const struct dp_path *a, const struct dp_path *b) {
    return a->n == 1 && b->n == 1 && a->steps[0].kind == DP_STEP_KEY && b->steps[0].kind == DP_STEP_KEY &&
           dp_str_eq(dp_str(a->steps[0].key, a->steps[0].key_n), dp_str(b->steps[0].key, b->steps[0].key_n));
}

enum dp_status join_spec_read(const struct dp_join_words *w, struct join_spec *s, struct dp_err *err) {
    *s = (struct join_spec){.kind = w->kind, .with = w->with, .clock = {.takes_local = true, .least = INT64_MIN, .most = INT64_MAX}, .version = w->with_version, .prefix = w->prefix ? w->prefix : ""};
    if (!strcmp(w->with, "-")) return dp_err_set(err, DP_USAGE, "--with: a file or a table is wanted; standard input is the records that are joined");
    const char *colon = strstr(w->with, "://");
    if (colon && access(w->with, F_OK) != 0)
        return dp_err_set(err, DP_UNSUPPORTED, "--with: %.*s:// is not read: a file, glob, directory or table of this machine is wanted", (int)(colon - w->with > 20 ? 20 : colon - w->with), w->with);
    if (w->timezone) {
        if (w->as_of == NULL && w->within == NULL) return dp_err_set(err, DP_USAGE, "--timezone says where times are: it goes with --within or --as-of");
        if (dp_zone_open(w->timezone, &s->zone, err) != DP_OK) return dp_err_prefix(err, "--timezone: ");
        s->clock.zone = s->zone;
    }
    if (w->require && w->kind != DP_JOIN_INNER) return dp_err_set(err, DP_USAGE, "--require goes with --kind inner: the other kinds have a use for a record without a match");
    if (w->kind == DP_JOIN_ANTI && (w->take || w->prefix)) return dp_err_set(err, DP_USAGE, "--kind anti adds no columns: without --take and --prefix");
    DP_TRY(read_keys(w->on, s, err));
    if (w->take) DP_TRY(read_take(w->take, s, err));
    if (w->within) {
        s->how = DP_JOIN_WITHIN;
        if (!w->time) return dp_err_set(err, DP_USAGE, "--within needs --time FIELD, the time of a record (and --with-time where the other source has another name for it)");
        DP_TRY(read_path("--time", dp_str_z(w->time), &s->left_time, err));
        DP_TRY(read_path("--with-time", dp_str_z(w->with_time ? w->with_time : w->time), &s->right_time, err));
        DP_TRY(read_within(w->within, s, err));
    } else if (w->as_of) {
        s->how = DP_JOIN_AS_OF;
        DP_TRY(read_as_of(w->as_of, s, err));
    } else if (w->time || w->with_time) {
        return dp_err_set(err, DP_USAGE, "--time and --with-time are for --within");
    }
    if (w->unique && s->how != DP_JOIN_KEYS) return dp_err_set(err, DP_USAGE, "--unique is for joins by key alone, without --within and --as-of");
    s->has_time = s->how != DP_JOIN_KEYS;
    if (s->has_time && s->right_time.steps[0].kind != DP_STEP_KEY)
        return dp_err_set(err, DP_USAGE, "the time of the other source begins with the name of a column");
    s->drops_time = s->has_time && !*s->prefix && is_name(&s->left_time, &s->right_time);
    return DP_OK;
}

static const char **add_once(const char **list, size_t *n, const char *name) {
    for (size_t i = 0; i < *n; i++)
        if (!strcmp(list[i], name)) return list;
    list[(*n)++] = name;
    return list;
}

const char **join_spec_columns(const struct join_spec *s, size_t *n) {
    const char **list = dp_calloc(s->n_keys + s->n_take + 2, sizeof *list);
    *n = 0;
    if (!s->takes && s->kind != DP_JOIN_ANTI) return list;
    for (size_t i = 0; i < s->n_keys; i++) list = add_once(list, n, s->right[i].steps[0].key);
    if (s->has_time) list = add_once(list, n, s->right_time.steps[0].key);
    for (size_t i = 0; i < s->n_take; i++) list = add_once(list, n, s->take[i]);
    return list;
}

void join_spec_release(struct join_spec *s) {
    for (size_t i = 0; i < s->n_keys; i++) {
        dp_path_release(&s->left[i]);
        dp_path_release(&s->right[i]);
    }
    for (size_t i = 0; i < s->n_take; i++) free(s->take[i]);
    dp_zone_close(s->zone);
    dp_path_release(&s->left_time);
    dp_path_release(&s->right_time);
    free(s->left), free(s->right), free(s->take);
    *s = (struct join_spec){0};
}
