/*
 * dp-lineage tag, own and classify: what people say of datasets, columns and jobs; without words, what is said of them.
 *
 * Every change is kept with its source and time.  A class that nobody gave a column follows from what the column was made from.
 */
#include "lineage.h"

#include <stdlib.h>
#include <unistd.h>

struct note_conf {
    const char *store, *source;
    bool remove;
};

#define SOURCE DP_OPT_STRING(note_conf, source, "source", 0, "WHO", "who says so (default: $LOGNAME, else user)")
#define REMOVE(what) DP_OPT_FLAG(note_conf, remove, "remove", 'r', what)
static const struct dp_opt tag_options[] = {LINEAGE_STORE(note_conf), REMOVE("take the tags back"), SOURCE, DP_OPT_END};
static const struct dp_opt own_options[] = {LINEAGE_STORE(note_conf), REMOVE("they are owners no more"), SOURCE, DP_OPT_END};
static const struct dp_opt classify_options[] = {LINEAGE_STORE(note_conf), REMOVE("take the class back"), SOURCE, DP_OPT_END};

/* ---- what is said ---- */

static enum dp_status ask(struct dp_cli *cli, enum dp_catalog_question q, const char *key, struct dp_err *err) {
    const struct note_conf *conf = cli->conf;
    struct dp_catalog *c = NULL;
    struct dp_catalog_node n = {0};
    enum dp_status status = conf->remove ? dp_err_set(err, DP_USAGE, "--remove: of what?") : lineage_open(conf->store, DP_CATALOG_READ, &c, err);
    if (status == DP_OK) status = lineage_find(c, cli->args[0], "dcj", &n, err);
    const struct dp_catalog_args args = {.job = n.kind == 'j' ? n.id : 0, .dataset = n.kind == 'j' ? 0 : n.dataset, .field = n.kind == 'c' ? n.id : 0};
    if (status == DP_OK) status = lineage_answer(cli, c, q, &args, key, NULL, err);
    dp_catalog_node_release(&n);
    dp_catalog_close(c);
    return status;
}

static void add_column(struct dp_catalog *c, int64_t field, bool json, struct dp_buf *b) {
    struct dp_catalog_node n;
    if (dp_catalog_view(c, 'c', field, &n, NULL) != DP_OK) return;
    if (json) dp_buf_addc(b, '{'), lineage_add_json(&n, b), dp_buf_addc(b, '}');
    else lineage_add_name(&n, b);
}

static void add_member(struct dp_buf *b, const char *name, struct dp_str s) {
    if (s.p) dp_buf_addf(b, ",\"%s\":", name), dp_json_add_string(b, s);
}

void lineage_add_class(struct dp_catalog *c, const struct dp_class *v, bool json, struct dp_buf *b) {
    static const char *const how[] = {"none", "own", "dataset", "inherited"};
    if (json) {
        dp_buf_addf(b, ",\"how\":\"%s\"", how[v->how]);
        add_member(b, "class", v->word), add_member(b, "source", v->source), add_member(b, "inherited", v->inherited);
        if (v->from) dp_buf_addz(b, ",\"from\":"), add_column(c, v->from, true, b);
        if (v->masked) dp_buf_addz(b, ",\"masked\":"), add_column(c, v->masked, true, b), add_member(b, "maskedClass", v->masked_word);
        return;
    }
    size_t from = b->n;
    if (v->word.p) dp_buf_adds(b, v->word);
    else dp_buf_addc(b, '-');
    dp_buf_addc(b, ' ');
    size_t gap = b->n - 1;
    if (v->how == DP_CLASS_OWN || v->how == DP_CLASS_DATASET) dp_buf_addf(b, "%s %.*s", v->how == DP_CLASS_OWN ? "said by" : "of the dataset, said by", DP_STR_FMT(v->source));
    if (v->how == DP_CLASS_INHERITED || (v->inherited.p && dp_class_rank(v->inherited) > dp_class_rank(v->word))) {
        if (v->how != DP_CLASS_INHERITED) dp_buf_addf(b, ", against %.*s ", DP_STR_FMT(v->inherited));
        dp_buf_addz(b, "inherited from ");
        add_column(c, v->from, false, b);
    }
    if (v->masked) dp_buf_addf(b, "%smasked, of %.*s ", v->how ? ", " : "", DP_STR_FMT(v->masked_word)), add_column(c, v->masked, false, b);
    for (size_t i = from; i < b->n; i++)
        if ((unsigned char)b->p[i] < 0x20 || b->p[i] == 0x7f) b->p[i] = '?';
    b->p[gap] = '\t';
}

static void add_line(struct dp_catalog *c, const struct dp_class *v, bool json, struct dp_buf *b) {
    struct dp_catalog_node n;
    if (dp_catalog_view(c, 'c', v->field, &n, NULL) != DP_OK) return;
    if (json) dp_buf_addz(b, b->n > 1 ? ",{" : "{"), lineage_add_json(&n, b);
    else lineage_add_name(&n, b), dp_buf_addc(b, '\t');
    lineage_add_class(c, v, json, b);
    dp_buf_addc(b, json ? '}' : '\n');
}

static enum dp_status ask_classes(struct dp_cli *cli, struct dp_err *err) {
    const struct note_conf *conf = cli->conf;
    struct dp_catalog *c = NULL;
    struct dp_catalog_node n = {0};
    struct dp_classes cs = {0};
    struct dp_buf b = {0};
    bool json = cli->common.json;
    enum dp_status status = lineage_open(conf->store, DP_CATALOG_READ, &c, err);
    if (status == DP_OK) status = lineage_find(c, cli->args[0], "dc", &n, err);
    if (status == DP_OK) status = dp_catalog_classes(c, &n.dataset, 1, &cs, err);
    if (json) dp_buf_addc(&b, '[');
    for (size_t i = 0; i < cs.n; i++)
        if (n.kind == 'd' || cs.v[i].field == n.id) add_line(c, &cs.v[i], json, &b);
    if (json) dp_buf_addc(&b, ']'), dp_cli_report(cli, "classes", dp_buf_str(&b));
    else if (status == DP_OK) status = dp_out_write(cli->run.out, b.p, b.n, err);
    dp_buf_release(&b);
    dp_classes_release(&cs);
    dp_catalog_node_release(&n);
    dp_catalog_close(c);
    return status;
}

/* ---- saying it ---- */

static const char *who(const struct note_conf *conf) {
    const char *name = getenv("LOGNAME");
    return conf->source ? conf->source : name && *name ? name : "user";
}

/* KEY=VALUE of a tag, NAME=TYPE of an owner. */
static enum dp_status split(enum dp_note_kind kind, const char *word, struct dp_note *n, struct dp_err *err) {
    struct dp_str w = dp_str_z(word);
    const char *eq = kind == DP_NOTE_CLASS ? NULL : strchr(word, '=');
    n->key = n->value = dp_str(NULL, 0);
    if (kind == DP_NOTE_CLASS) {
        n->value = w;
    } else {
        n->key = eq ? dp_str(w.p, (size_t)(eq - word)) : w;
        if (eq) n->value = dp_str_z(eq + 1);
        else if (kind == DP_NOTE_TAG && !n->remove) n->value = DP_STR("true");
    }
    bool empty = !w.n || (kind != DP_NOTE_CLASS && !n->key.n) || (kind == DP_NOTE_OWNER && eq && !n->value.n);
    return empty ? dp_err_set(err, DP_USAGE, "\"%.100s\" is no %s", word, kind == DP_NOTE_TAG ? "tag: KEY or KEY=VALUE" : kind == DP_NOTE_OWNER ? "owner: NAME or NAME=TYPE" : "class") : DP_OK;
}

static enum dp_status say(struct dp_cli *cli, struct dp_catalog *c, const struct dp_catalog_node *node, struct dp_note *n, const char *word, uint64_t *changes, struct dp_err *err) {
    static const char *const words[] = {"as it was", "added", "changed", "removed"};
    struct dp_buf name = {0};
    enum dp_note_done done;
    DP_TRY(split(n->kind, word, n, err));
    DP_TRY(dp_catalog_note(c, node, n, &done, err));
    *changes += done != DP_NOTE_SAME;
    lineage_add_name(node, &name);
    enum dp_status status = dp_cli_say(cli, err, "%s\t%.400s\t%.400s\n", words[done], dp_buf_z(&name), n->kind == DP_NOTE_CLASS && n->remove ? "class" : word);
    dp_buf_release(&name);
    return status;
}

static enum dp_status tell(struct dp_cli *cli, enum dp_note_kind kind, struct dp_err *err) {
    const struct note_conf *conf = cli->conf;
    struct dp_catalog *c = NULL;
    struct dp_catalog_node node = {0};
    uint64_t changes = 0;
    struct dp_note n = {.kind = kind, .source = dp_str_z(who(conf)), .at = cli->run.now_micros, .remove = conf->remove};
    /* a store that is not there knows no node: it is not made for that */
    enum dp_status status = lineage_open(conf->store, DP_CATALOG_READ, &c, err);
    if (status == DP_OK) status = lineage_find(c, cli->args[0], kind == DP_NOTE_CLASS ? "dc" : kind == DP_NOTE_OWNER ? "dj" : "dcj", &node, err);
    dp_catalog_close(c), c = NULL;
    if (status == DP_OK) status = lineage_open(conf->store, DP_CATALOG_WRITE, &c, err);
    for (size_t i = 1; i < cli->n_args && status == DP_OK; i++) status = say(cli, c, &node, &n, cli->args[i], &changes, err);
    if (status == DP_OK && cli->n_args == 1) status = say(cli, c, &node, &n, "class", &changes, err); /* classify --remove */
    if (status == DP_OK && !cli->run.dry_run) status = dp_catalog_commit(c, err);
    dp_cli_report_u64(cli, "changes", changes);
    dp_catalog_node_release(&node);
    dp_catalog_close(c);
    return status;
}

static enum dp_status run_tag(struct dp_cli *cli, struct dp_err *err) { return cli->n_args > 1 ? tell(cli, DP_NOTE_TAG, err) : ask(cli, DP_ASK_TAGS, "tags", err); }
static enum dp_status run_own(struct dp_cli *cli, struct dp_err *err) { return cli->n_args > 1 ? tell(cli, DP_NOTE_OWNER, err) : ask(cli, DP_ASK_OWNED, "owners", err); }

static enum dp_status run_classify(struct dp_cli *cli, struct dp_err *err) {
    const struct note_conf *conf = cli->conf;
    if (cli->n_args == 1 && !conf->remove) return ask_classes(cli, err);
    if (cli->n_args == 2 && !conf->remove && dp_class_rank(dp_str_z(cli->args[1])) > DP_RANK_RESTRICTED)
        dp_run_log(&cli->run, DP_LOG_WARN, "%.100s is none of public, internal, confidential, restricted: it counts as more than these", cli->args[1]);
    return tell(cli, DP_NOTE_CLASS, err);
}

const struct dp_tool lineage_tag = {
    .name = "tag", .summary = "tag a dataset, column or job, or tell its tags", .args = "NODE", .synopsis = "NODE [KEY[=VALUE]...] [--remove]", .options = tag_options,
    .conf_size = sizeof(struct note_conf), .common = DP_COMMON_JSON | DP_COMMON_DRY_RUN, .min_args = 1, .max_args = -1, .run = run_tag};
const struct dp_tool lineage_own = {
    .name = "own", .summary = "name the owners of a dataset or job, or tell them", .args = "NODE", .synopsis = "NODE [NAME[=TYPE]...] [--remove]", .options = own_options,
    .conf_size = sizeof(struct note_conf), .common = DP_COMMON_JSON | DP_COMMON_DRY_RUN, .min_args = 1, .max_args = -1, .run = run_own};
const struct dp_tool lineage_classify = {
    .name = "classify", .summary = "classify a dataset or column, or tell how its columns are", .args = "NODE", .synopsis = "NODE [CLASS] [--remove]", .options = classify_options,
    .conf_size = sizeof(struct note_conf), .common = DP_COMMON_JSON | DP_COMMON_DRY_RUN, .min_args = 1, .max_args = 2, .run = run_classify};
