/*
 * openlineage.yml and the variables OPENLINEAGE__* as one tree, the way the official clients merge them.
 *
 * A variable's name is a path of keys parted by two underscores; its value is JSON where it is valid JSON, else a string.  A value at a level
 * takes the place of what deeper variables say.  The file is laid over that, key by key.  Keys are one however they are spelled (Python writes
 * log_file_path, Java timeoutInMillis, a variable either in upper case).  OPENLINEAGE_URL with its ENDPOINT and API_KEY is the member default_http
 * of a composite transport, and, where no transport has a type, the transport (lineage_conf.c).
 */
#include "lineage_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/format/yaml.h>
#include <dp/record/json.h>

#include <stdlib.h>
#include <unistd.h>

#define PREFIX "OPENLINEAGE__"
#define DEFAULT_HTTP "OPENLINEAGE__TRANSPORT__TRANSPORTS__DEFAULT_HTTP"

extern char **environ;

/* ---- nodes ---- */

static unsigned char plain(const char **p) {
    while (**p == '_' || **p == '-') ++*p;
    unsigned char c = (unsigned char)**p;
    if (c) ++*p;
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

bool lineage_key_is(const char *a, const char *b) {
    for (;;) {
        unsigned char x = plain(&a), y = plain(&b);
        if (x != y) return false;
        if (!x) return true;
    }
}

static struct lineage_item *find(const struct lineage_node *map, const char *key) {
    if (!map || map->kind != LINEAGE_MAP) return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (lineage_key_is(map->items[i].key, key)) return &map->items[i];
    return NULL;
}

struct lineage_node *lineage_get(const struct lineage_node *map, const char *key) {
    struct lineage_item *item = find(map, key);
    return item && item->value->kind != LINEAGE_NULL ? item->value : NULL;
}

static struct lineage_node *make(struct dp_arena *a, enum lineage_node_kind kind, const char *text, const char *source, uint32_t line) {
    struct lineage_node *n = dp_arena_calloc(a, 1, sizeof *n);
    *n = (struct lineage_node){.kind = kind, .text = text, .source = source, .line = line};
    return n;
}

static void add(struct dp_arena *a, struct lineage_node *to, const char *key, struct lineage_node *value) {
    to->items = dp_arena_grow(a, to->items, &to->cap, to->n + 1, sizeof *to->items);
    to->items[to->n++] = (struct lineage_item){key, value};
}

static void put(struct dp_arena *a, struct lineage_node *map, const char *key, struct lineage_node *value) {
    struct lineage_item *item = find(map, key);
    if (item) item->value = value;
    else add(a, map, key, value);
}

/* The depth of both is bounded by that of a YAML document and of a variable's name. */
static struct lineage_node *merge(struct dp_arena *a, struct lineage_node *under, struct lineage_node *over) {
    if (under->kind != LINEAGE_MAP || over->kind != LINEAGE_MAP) return over;
    for (size_t i = 0; i < over->n; i++) {
        struct lineage_item *item = find(under, over->items[i].key);
        if (!item) add(a, under, over->items[i].key, over->items[i].value);
        else item->key = over->items[i].key, item->value = merge(a, item->value, over->items[i].value);
    }
    under->source = over->source;
    under->line = over->line;
    return under;
}

static struct lineage_node *from_yaml(struct dp_arena *a, const struct dp_yaml_node *y, const char *source, bool has_lines) {
    static const enum lineage_node_kind kinds[] = {[DP_YAML_NULL] = LINEAGE_NULL, [DP_YAML_BOOL] = LINEAGE_BOOL, [DP_YAML_INT] = LINEAGE_NUMBER,
        [DP_YAML_FLOAT] = LINEAGE_NUMBER, [DP_YAML_STRING] = LINEAGE_STRING, [DP_YAML_LIST] = LINEAGE_LIST, [DP_YAML_MAP] = LINEAGE_MAP};
    struct lineage_node *n = make(a, kinds[y->kind], NULL, source, has_lines ? y->line : 0);
    if (n->kind < LINEAGE_LIST) n->text = dp_arena_str(a, y->text).p;
    for (size_t i = 0; n->kind == LINEAGE_LIST && i < y->n; i++) add(a, n, NULL, from_yaml(a, y->items[i], source, has_lines));
    for (size_t i = 0; n->kind == LINEAGE_MAP && i < y->n; i++)
        put(a, n, dp_arena_str(a, y->items[2 * i]->text).p, from_yaml(a, y->items[2 * i + 1], source, has_lines));
    return n;
}

/* ---- variables ---- */

static bool is_json(const char *text) {
    struct dp_err ignored = DP_ERR_INIT;
    struct dp_record r;
    struct dp_scan *s = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    size_t n = strlen(text);
    char *padded = dp_calloc(1, n + DP_SCAN_PAD);
    memcpy(padded, text, n);
    bool yes = dp_scan_value(s, padded, n, &r, &ignored) == DP_OK;
    free(padded);
    dp_scan_close(s);
    return yes;
}

/* JSON is YAML, but for texts that are no JSON and yet YAML: `a: b` stays a string. */
static struct lineage_node *from_text(struct dp_arena *a, const char *text, const char *source) {
    struct dp_err ignored = DP_ERR_INIT;
    struct dp_yaml doc = {.source = source};
    struct lineage_node *n = NULL;
    if (*text && is_json(text) && dp_yaml_parse(dp_str_z(text), source, &doc, &ignored) == DP_OK) n = from_yaml(a, doc.root, source, false);
    dp_yaml_release(&doc);
    return n ? n : make(a, LINEAGE_STRING, dp_arena_strdup(a, text), source, 0);
}

static void insert(struct dp_arena *a, struct lineage_node *root, const char *name, const char *value) {
    const char *source = dp_arena_strdup(a, name);
    char *path = dp_arena_strdup(a, name + strlen(PREFIX));
    size_t depth = 1;
    for (char *p = path; *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    for (char *sep = strstr(path, "__"); sep && depth < DP_LIMIT_YAML_DEPTH; sep = strstr(path, "__"), depth++) {
        *sep = '\0';
        struct lineage_item *item = find(root, path);
        if (!item || item->value->kind != LINEAGE_MAP) put(a, root, path, make(a, LINEAGE_MAP, NULL, source, 0)), item = find(root, path);
        root = item->value;
        path = sep + 2;
    }
    put(a, root, path, from_text(a, value, source));
}

static int later_first(const void *a, const void *b) { return -strcmp(*(char *const *)a, *(char *const *)b); }

/* What the plain variables stand for among the nested ones. */
static void alias(struct dp_arena *a, struct lineage_node *root, const char *url, bool async) {
    const char *key = getenv("OPENLINEAGE_API_KEY"), *endpoint = getenv("OPENLINEAGE_ENDPOINT");
    struct lineage_node *http = make(a, LINEAGE_MAP, NULL, "OPENLINEAGE_URL", 0), *auth = make(a, LINEAGE_MAP, NULL, "OPENLINEAGE_API_KEY", 0);
    add(a, http, "url", make(a, LINEAGE_STRING, dp_arena_strdup(a, url), "OPENLINEAGE_URL", 0));
    if (endpoint && *endpoint) add(a, http, "endpoint", make(a, LINEAGE_STRING, dp_arena_strdup(a, endpoint), "OPENLINEAGE_ENDPOINT", 0));
    add(a, auth, "type", make(a, LINEAGE_STRING, "api_key", "OPENLINEAGE_API_KEY", 0));
    if (key && *key) {
        add(a, auth, "apiKey", make(a, LINEAGE_STRING, dp_arena_strdup(a, key), "OPENLINEAGE_API_KEY", 0));
        add(a, http, "auth", auth);
    }
    struct lineage_node *transport = make(a, LINEAGE_MAP, NULL, "OPENLINEAGE_URL", 0), *all = transport;
    if (!async) {
        struct lineage_node *members = make(a, LINEAGE_MAP, NULL, "OPENLINEAGE_URL", 0);
        add(a, http, "type", make(a, LINEAGE_STRING, "http", "OPENLINEAGE_URL", 0));
        add(a, members, "default_http", http);
        add(a, transport, "transports", members);
    } else {
        all = http;
    }
    struct lineage_item *item = find(root, "transport"), *members = item ? find(item->value, "transports") : NULL;
    if (!item) add(a, root, "transport", all);
    else if (async) item->value = merge(a, all, item->value); /* what is there weighs more */
    else if (!members || members->value->kind == LINEAGE_MAP) item->value = merge(a, item->value, all); /* there is none of that name */
}

static struct lineage_node *from_variables(struct dp_arena *a) {
    struct lineage_node *root = make(a, LINEAGE_MAP, NULL, "the environment", 0);
    char **names = NULL;
    size_t n = 0, cap = 0, skip = strlen(PREFIX);
    const char *url = getenv("OPENLINEAGE_URL");
    bool has_default = false;
    for (char **e = environ; *e; e++) {
        if (strncmp(*e, PREFIX, skip) != 0 || !strchr(*e, '=')) continue;
        names = dp_grow(names, &cap, n + 1, sizeof *names);
        names[n++] = *e;
        has_default = has_default || strncmp(*e, DEFAULT_HTTP, strlen(DEFAULT_HTTP)) == 0;
    }
    if (n) qsort(names, n, sizeof *names, later_first); /* so that the shorter names, which weigh more, come last */
    for (size_t i = 0; i < n; i++) {
        const char *eq = strchr(names[i], '=');
        char *name = dp_strndup(names[i], (size_t)(eq - names[i]));
        insert(a, root, name, eq + 1);
        free(name);
    }
    free(names);
    if (url && *url && !has_default) {
        struct lineage_node *type = lineage_get(lineage_get(root, "transport"), "type");
        bool whole = getenv(PREFIX "TRANSPORT") != NULL; /* one value says all of it */
        if (!whole) alias(a, root, url, type && type->text && lineage_key_is(type->text, "async_http"));
    }
    return root;
}

/* ---- the file ---- */

/* Nothing but blanks and comments. */
static bool is_blank(struct dp_str text) {
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '#')
            while (i < text.n && text.p[i] != '\n') i++;
        else if (!strchr(" \t\r\n", text.p[i]) || !text.p[i]) return false;
    }
    return true;
}

const char *lineage_file(struct dp_arena *a) {
    const char *named = getenv("OPENLINEAGE_CONFIG"), *home = getenv("HOME");
    if (named && *named && access(named, R_OK) == 0) return dp_arena_strdup(a, named);
    if (access("openlineage.yml", R_OK) == 0) return "openlineage.yml";
    if (!home || !*home) return NULL;
    char *in_home = dp_arena_printf(a, "%s/.openlineage/openlineage.yml", home);
    return access(in_home, R_OK) == 0 ? in_home : NULL;
}

enum dp_status lineage_tree_load(struct dp_arena *a, struct lineage_node **root, const char **file, struct dp_err *err) {
    struct dp_yaml doc = {0};
    enum dp_status status = DP_OK;
    *root = from_variables(a);
    *file = lineage_file(a);
    if (!*file) return DP_OK;
    struct dp_buf text = {NULL, 0, 0};
    DP_TRY_OUT(dp_file_read_regular(*file, DP_LIMIT_YAML_BYTES, &text, err));
    if (is_blank(dp_buf_str(&text))) goto out;
    DP_TRY_OUT(dp_yaml_parse(dp_buf_str(&text), *file, &doc, err));
    if (doc.root->kind == DP_YAML_MAP) *root = merge(a, *root, from_yaml(a, doc.root, *file, true));
    else if (doc.root->kind != DP_YAML_NULL) status = dp_yaml_error(&doc, doc.root, err, "a configuration of OpenLineage is a map, not %s", dp_yaml_kind_name(doc.root->kind));
out:
    dp_yaml_release(&doc);
    dp_buf_release(&text);
    return status;
}
