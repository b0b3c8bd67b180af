/* Configuration of lineage: variables, openlineage.yml, their order, what is wrong with them; and what a configuration changes in events. */
#include "dpt.h"

#include "../../lib/io/lineage_priv.h"

#include <sys/stat.h>

extern char **environ;
static char dir[] = "/tmp/dp-t-lineage-XXXXXX";

static int setup(void **state) {
    (void)state;
    return mkdtemp(dir) && chdir(dir) == 0 && mkdir("home", 0700) == 0 && mkdir("home/.openlineage", 0700) == 0 ? 0 : -1;
}

static int clean(void **state) {
    (void)state;
    for (char **e = environ; *e;) {
        char name[200];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*e, "="), *e);
        if (strncmp(name, "OPENLINEAGE", 11) == 0 || strcmp(name, "DP_LINEAGE") == 0) {
            unsetenv(name);
            e = environ;
        } else {
            e++;
        }
    }
    setenv("HOME", "home", 1);
    unlink("openlineage.yml");
    unlink("home/.openlineage/openlineage.yml");
    unlink("key");
    return 0;
}

static void write_file(const char *path, const char *text, mode_t mode) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
}

/* What a configuration comes to, as text: receivers parted by " | ", then warnings. */
static void add_receiver(const struct lineage_receiver *r, struct dp_buf *b) {
    static const char *const kinds[] = {"file", "console", "store", "http"};
    dp_buf_addf(b, "%s%s", b->n ? " | " : "", kinds[r->kind]);
    if (r->path) dp_buf_addf(b, " %s", strncmp(r->path, dir, strlen(dir)) == 0 ? r->path + strlen(dir) + 1 : r->path);
    if (r->kind == LINEAGE_FILE && !r->append) dp_buf_addz(b, r->pretty ? " each pretty" : " each");
    if (r->group) dp_buf_addf(b, " g%zu%s%s", r->group, r->stop_on_success ? " first" : "", r->stop_on_failure ? " strict" : "");
    if (r->kind != LINEAGE_HTTP) return;
    const struct lineage_http *h = &r->http;
    dp_buf_addf(b, " %s", h->url);
    if (h->timeout_ms != 5000) dp_buf_addf(b, " t=%lld", (long long)h->timeout_ms);
    if (!h->verify) dp_buf_addz(b, " unverified");
    if (h->gzip) dp_buf_addz(b, " gzip");
    if (h->auth == LINEAGE_AUTH_BEARER) dp_buf_addf(b, " key=%s", h->secret);
    if (h->auth == LINEAGE_AUTH_JWT) dp_buf_addf(b, " jwt=%s@%s", h->secret, h->token_url);
    if (h->auth == LINEAGE_AUTH_OAUTH2) dp_buf_addf(b, " oauth2=%s:%s@%s%s", h->client_id, h->secret, h->token_url, h->secret_in_body ? " body" : "");
    if (h->basic) dp_buf_addf(b, " basic=%s", h->basic);
    if (h->retries != 5 || h->backoff != 0.3) dp_buf_addf(b, " retry=%d/%g", h->retries, h->backoff);
    if (h->connect_retries != 5 || h->read_retries != 5) dp_buf_addf(b, " connect=%d read=%d", h->connect_retries, h->read_retries);
    if (!h->retry_post) dp_buf_addz(b, " noretry");
    if (h->n_status != 4 || h->status[0] != 500) {
        dp_buf_addz(b, " status=");
        for (size_t i = 0; i < h->n_status; i++) dp_buf_addf(b, "%s%d", i ? "," : "", h->status[i]);
    }
    for (size_t i = 0; i < h->headers.n; i++) dp_buf_addf(b, " %s:%s", h->headers.at[i].key, h->headers.at[i].value);
}

struct row {
    const char *set[6];   /* NAME=value */
    const char *file;     /* openlineage.yml */
    const char *want;     /* receivers; "off"; "usage: " and words of the message */
    const char *warning;  /* words of the first; NULL: there is none */
};

static void check(const struct row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        struct dp_lineage_conf *c = NULL;
        struct dp_err e = DP_ERR_INIT;
        struct dp_buf got = {NULL, 0, 0};
        clean(NULL);
        for (size_t k = 0; k < 6 && r->set[k]; k++) {
            char *name = strdup(r->set[k]), *eq = strchr(name, '=');
            *eq = '\0';
            setenv(name, eq + 1, 1);
            free(name);
        }
        if (r->file) write_file("openlineage.yml", r->file, 0600);
        enum dp_status status = dp_lineage_conf_load(&c, &e);
        if (status) dp_buf_addf(&got, "usage: %s", e.msg);
        for (size_t k = 0; c && k < c->n; k++) add_receiver(&c->receivers[k], &got);
        if (!got.n) dp_buf_addz(&got, "off");
        bool same = status ? strstr(dp_buf_z(&got), r->want) != NULL : strcmp(dp_buf_z(&got), r->want) == 0;
        const char *warning = c && c->warnings.n ? c->warnings.at[0] : NULL;
        bool told = r->warning ? warning && strstr(warning, r->warning) : !warning;
        if (!same || !told) print_message("row %zu: got \"%s\", warning \"%s\"; want \"%s\", \"%s\"\n", i, dp_buf_z(&got), warning ? warning : "", r->want, r->warning ? r->warning : "");
        assert_true(same && told);
        assert_true(!c || c->warnings.n <= 1 || r->warning);
        dp_buf_release(&got);
        dp_lineage_conf_free(c);
    }
}

#define CHECK(rows) check(rows, sizeof rows / sizeof rows[0])

static void receivers(void **state) {
    (void)state;
    static const struct row rows[] = {
        {{NULL}, NULL, "off", NULL},
        {{"DP_LINEAGE="}, NULL, "off", NULL},
        {{"DP_LINEAGE=none"}, NULL, "off", NULL},
        {{"DP_LINEAGE=console"}, NULL, "console", NULL},
        {{"DP_LINEAGE=a.ndjson"}, NULL, "file a.ndjson", NULL},
        {{"DP_LINEAGE=./a"}, NULL, "file a", NULL},
        {{"DP_LINEAGE=file:///x/y"}, NULL, "file /x/y", NULL},
        {{"DP_LINEAGE=file:/x/y"}, NULL, "file /x/y", NULL},
        {{"DP_LINEAGE=file://host/x/y"}, NULL, "usage: DP_LINEAGE: expected file:/PATH", NULL},
        {{"DP_LINEAGE=file:x"}, NULL, "usage: DP_LINEAGE: expected file:/PATH", NULL},
        {{"DP_LINEAGE=file:/a%0"}, NULL, "usage: DP_LINEAGE: expected file:/PATH", NULL},
        {{"DP_LINEAGE=FILE://localhost/x/a%20b"}, NULL, "file /x/a b", NULL},
        {{"DP_LINEAGE=file:///x/y.db"}, NULL, "store /x/y.db", NULL},
        {{"DP_LINEAGE=/x/y.db"}, NULL, "store /x/y.db", NULL},
        {{"DP_LINEAGE=y.sqlite"}, NULL, "store y.sqlite", NULL},
        {{"DP_LINEAGE=http://h:1"}, NULL, "http http://h:1/api/v1/lineage", NULL},
        {{"DP_LINEAGE=http://h:1/"}, NULL, "http http://h:1/api/v1/lineage", NULL},
        {{"DP_LINEAGE=https://h/x/y?z=1"}, NULL, "http https://h/x/y?z=1", NULL},
        {{"DP_LINEAGE=http://h", "OPENLINEAGE_API_KEY=k"}, NULL, "http http://h/api/v1/lineage key=k", NULL},
        {{"DP_LINEAGE=http://u%40x:p@h"}, NULL, "http http://h/api/v1/lineage basic=u@x:p", NULL},
        {{"DP_LINEAGE=kafka://h"}, NULL, "usage: DP_LINEAGE: kafka is no receiver", NULL},
        {{"DP_LINEAGE=http://"}, NULL, "usage: DP_LINEAGE: expected http", NULL},
        {{"DP_LINEAGE=http://a b"}, NULL, "usage: DP_LINEAGE: expected http", NULL},
        {{"DP_LINEAGE=/tmp"}, NULL, "usage: DP_LINEAGE: /tmp is a directory", NULL},
        {{"OPENLINEAGE_URL=http://h:5000"}, NULL, "http http://h:5000/api/v1/lineage", NULL},
        {{"OPENLINEAGE_URL=http://h:5000", "OPENLINEAGE_ENDPOINT=x/y", "OPENLINEAGE_API_KEY=s"}, NULL, "http http://h:5000/x/y key=s", NULL},
        {{"OPENLINEAGE_URL=http://h", "OPENLINEAGE_DISABLED= True"}, NULL, "off", NULL},
        {{"OPENLINEAGE_URL=http://h", "OPENLINEAGE_DISABLED=false"}, NULL, "http http://h/api/v1/lineage", NULL},
        {{"OPENLINEAGE_URL=http://u:p/w@h"}, NULL, "off", "OPENLINEAGE_URL: url: expected an http or https URL; lineage is off"},
        {{"OPENLINEAGE_URL=http://u:p:w@[::1]:5000"}, NULL, "http http://[::1]:5000/api/v1/lineage basic=u:p:w", NULL},
        {{"OPENLINEAGE_URL=http://[fe80::1]"}, NULL, "http http://[fe80::1]/api/v1/lineage", NULL},
        {{"OPENLINEAGE_URL=ftp://h"}, NULL, "off", "OPENLINEAGE_URL: url: expected an http or https URL; lineage is off"},
        {{"OPENLINEAGE_URL=http://h", "DP_LINEAGE=console"}, NULL, "console", NULL},
        {{"OPENLINEAGE__TRANSPORT__TYPE=console", "OPENLINEAGE_URL=http://h"}, NULL, "console", NULL},
    };
    CHECK(rows);
}

static void variables(void **state) {
    (void)state;
    static const struct row rows[] = {
        {{"OPENLINEAGE__TRANSPORT__TYPE=http", "OPENLINEAGE__TRANSPORT__URL=http://h", "OPENLINEAGE__TRANSPORT__TIMEOUT=1.5", "OPENLINEAGE__TRANSPORT__COMPRESSION=gzip",
          "OPENLINEAGE__TRANSPORT__AUTH={\"type\":\"api_key\",\"apiKey\":\"k\"}"}, NULL, "http http://h/api/v1/lineage t=1500 gzip key=k", NULL},
        {{"OPENLINEAGE__TRANSPORT__TYPE=http", "OPENLINEAGE__TRANSPORT__URL=http://h", "OPENLINEAGE__TRANSPORT__AUTH__TYPE=api_key", "OPENLINEAGE__TRANSPORT__AUTH__APIKEY=K",
          "OPENLINEAGE__TRANSPORT__VERIFY=false", "OPENLINEAGE__TRANSPORT__CUSTOM_HEADERS={\"X-A\":\"b\"}"}, NULL, "http http://h/api/v1/lineage unverified key=K X-A:b", NULL},
        {{"OPENLINEAGE__TRANSPORT={\"type\":\"console\"}", "OPENLINEAGE__TRANSPORT__TYPE=http"}, NULL, "console", NULL}, /* the shorter name weighs more */
        {{"OPENLINEAGE__TRANSPORT={\"type\":\"console\""}, NULL, "off", "OPENLINEAGE__TRANSPORT: transport: expected a map, got a string"},
        {{"OPENLINEAGE__TRANSPORT__TYPE=composite", "OPENLINEAGE__TRANSPORT__TRANSPORTS__FIRST__TYPE=file", "OPENLINEAGE__TRANSPORT__TRANSPORTS__FIRST__LOG_FILE_PATH=/l",
          "OPENLINEAGE__TRANSPORT__TRANSPORTS__SECOND__TYPE=console", "OPENLINEAGE_URL=http://h", "OPENLINEAGE_API_KEY=k"},
         NULL, "console g1 | file /l each g1 | http g1 http://h/api/v1/lineage key=k", NULL},
        {{"OPENLINEAGE__TRANSPORT__TYPE=composite", "OPENLINEAGE__TRANSPORT__TRANSPORTS__SECOND__TYPE=console", "OPENLINEAGE__TRANSPORT__TRANSPORTS__DEFAULT_HTTP={}",
          "OPENLINEAGE_URL=http://h"}, NULL, "console g1", NULL},
        {{"OPENLINEAGE__TRANSPORT__TYPE=async_http", "OPENLINEAGE_URL=http://h", "OPENLINEAGE_API_KEY=k", "OPENLINEAGE__TRANSPORT__MAX_QUEUE_SIZE=5"}, NULL,
         "http http://h/api/v1/lineage key=k", NULL},
        {{"OPENLINEAGE__TRANSPORT__TYPE=http"}, NULL, "off", "http needs a url"},
        {{"OPENLINEAGE__TRANSPORT__URL=http://h"}, NULL, "off", "transport: a transport needs a type"},
        {{"OPENLINEAGE__TRANSPORT__TYPE=http", "OPENLINEAGE__TRANSPORT__URL=http://h", "OPENLINEAGE__TRANSPORT__TIMEOUT=soon"}, NULL, "off",
         "OPENLINEAGE__TRANSPORT__TIMEOUT: timeout: expected a number from 0.001 to 3600, got soon; lineage is off"},
    };
    CHECK(rows);
}

static void files(void **state) {
    (void)state;
    static const struct row rows[] = {
        {{NULL}, "transport:\n  type: http\n  url: http://h:5\n  endpoint: /e\n  timeoutInMillis: 70\n  urlParams: {p: a b}\n  headers:\n    X-Y: z\n", "http http://h:5/e?p=a%20b t=70 X-Y:z", NULL},
        {{NULL}, "transport:\n  type: http\n  url: http://h/base/\n", "http http://h/base/api/v1/lineage", NULL},
        {{NULL}, "transport:\n  type: http\n  url: http://h/whole\n", "http http://h/whole", NULL},
        {{NULL}, "transport:\n  type: http\n  url: http://h/a/b\n  endpoint: c\n", "http http://h/a/c", NULL},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  retry: {total: 2, backoff_factor: 0.1, status_forcelist: [503], allowed_methods: [GET], connect: 1, read: 0}\n",
         "http http://h/api/v1/lineage retry=2/0.1 connect=1 read=0 noretry status=503", NULL},
        {{NULL}, "transport:\n  type: file\n  log_file_path: /l\n  append: true\n", "file /l", NULL},
        {{NULL}, "transport:\n  type: file\n  log_file_path: /l\n  debug_mode: true\n", "file /l each pretty", NULL},
        {{NULL}, "transport:\n  type: file\n  location: /l\n", "file /l", NULL},
        {{NULL}, "transport:\n  type: file\n  location: file:/l\n", "file /l", NULL},
        {{NULL}, "transport:\n  type: file\n  log_file_path: file://h/l\n", "off", "openlineage.yml:3: log_file_path: expected file:/PATH or file:///PATH"},
        {{NULL}, "transport:\n  type: file\n  log_file_path: s3://b/k\n", "off", "openlineage.yml:3: log_file_path: object stores are not supported: s3; lineage is off"},
        {{NULL}, "transport:\n  type: noop\n", "off", NULL},
        {{NULL}, "transport:\n  type: composite\n  continue_on_success: false\n  continue_on_failure: false\n  sort_transports: true\n  transports:\n"
                 "  - {type: console, priority: 1}\n  - {type: file, log_file_path: /l, append: true, priority: 7}\n", "file /l g1 first strict | console g1 first strict", NULL},
        {{NULL}, "transport:\n  type: composite\n  transports:\n  - {type: kafka, topic: t}\n  - {type: console}\n", "console g1", "the OpenLineage transport kafka is not supported"},
        {{NULL}, "transport:\n  type: datadog\n", "off", "openlineage.yml:2: the OpenLineage transport datadog is not supported"},
        {{NULL}, "transport:\n  type: htpt\n", "off", "openlineage.yml:2: transport.type: there is no transport htpt; did you mean http?; lineage is off"},
        {{NULL}, "transport:\n  type: console\ntrnsport: 1\n", "console", "openlineage.yml:3: an OpenLineage configuration has no key trnsport; did you mean transport?"},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  compresion: gzip\n", "http http://h/api/v1/lineage", "openlineage.yml:4: an http transport has no key compresion; did you mean compression?"},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  compression: zip\n", "off", "openlineage.yml:4: compression: expected gzip, got zip; lineage is off"},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  retry: {total: 1.5}\n", "off", "openlineage.yml:4: total: expected a whole number, got 1.5"},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  custom_headers: {\"a b\": c}\n", "off", "custom_headers: a b is no header"},
        {{NULL}, "transport: [\n", "off", "openlineage.yml:2: "},
        {{NULL}, "transport: 5\n", "off", "openlineage.yml:1: transport: expected a map, got a number"},
        {{NULL}, "- a\n", "off", "a configuration of OpenLineage is a map, not a list"},
        {{NULL}, "", "off", NULL},
        {{NULL}, "facets: {}\n", "off", NULL},
        {{NULL}, "transport:\n  type: console\ncircuitBreaker: {type: static}\nmetrics: {}\n", "console", NULL},
        {{"OPENLINEAGE__TRANSPORT__TYPE=console", "OPENLINEAGE__TRANSPORT__TIMEOUT=9"}, "transport:\n  type: http\n  url: http://h\n", "http http://h/api/v1/lineage t=9000", NULL}, /* the file lies over */
        {{"DP_LINEAGE=console"}, "transport:\n  type: http\n  url: http://h\n", "console", NULL},
        {{"DP_LINEAGE=console"}, "tags: 5\n", "console", "what else it says is not used"},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  auth: {type: jwt, apiKey: k, tokenEndpoint: \"http://t\"}\n", "http http://h/api/v1/lineage jwt=k@http://t", NULL},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  auth: {type: oauth2, clientId: i, clientSecret: s, tokenEndpoint: \"http://t\", clientAuthMethod: client_secret_post}\n",
         "http http://h/api/v1/lineage oauth2=i:s@http://t body", NULL},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  endpoint: \"e HTTP/1.1\\r\\nX: y\"\n", "off", "openlineage.yml:3: url: expected an http or https URL"},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  endpoint: file:///etc/passwd\n", "off", "url: expected an http or https URL"},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  auth: {type: jwt, apiKey: k, tokenEndpoint: \"http://t/a\\nX: y\"}\n", "off", "token_endpoint: expected an http or https URL"},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  auth: {type: api_key}\n", "off", "auth: an apiKey is needed"},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  auth: {type: my.Provider}\n", "off", "auth.type: expected api_key, jwt or oauth2, got my.Provider"},
        {{NULL}, "transport:\n  type: http\n  url: http://h\n  auth: {type: api_key, api_key_file: key}\n", "off", "can't look at key"},
    };
    CHECK(rows);
}

/* The three places, nearest first; a key in a file of its own, which others may not read. */
static void places(void **state) {
    (void)state;
    struct dp_arena a = {0};
    clean(NULL);
    assert_null(lineage_file(&a));
    write_file("home/.openlineage/openlineage.yml", "transport: {type: console}\n", 0600);
    assert_string_equal(lineage_file(&a), "home/.openlineage/openlineage.yml");
    write_file("openlineage.yml", "", 0600);
    assert_string_equal(lineage_file(&a), "openlineage.yml");
    setenv("OPENLINEAGE_CONFIG", "home/.openlineage/openlineage.yml", 1);
    assert_string_equal(lineage_file(&a), "home/.openlineage/openlineage.yml");
    setenv("OPENLINEAGE_CONFIG", "nowhere.yml", 1);
    assert_string_equal(lineage_file(&a), "openlineage.yml");
    dp_arena_release(&a);

    static const char text[] = "transport:\n  type: http\n  url: http://h\n  auth: {type: api_key, api_key_file: key}\n";
    struct dp_lineage_conf *c = NULL;
    clean(NULL);
    write_file("openlineage.yml", text, 0644);
    write_file("key", "secret\n", 0600);
    assert_int_equal(dp_lineage_conf_load(&c, NULL), DP_OK);
    assert_string_equal(c->receivers[0].http.secret, "secret");
    assert_int_equal(c->warnings.n, 0);
    dp_lineage_conf_free(c);
    chmod("key", 0640);
    assert_int_equal(dp_lineage_conf_load(&c, NULL), DP_OK);
    assert_int_equal(c->n, 0);
    assert_non_null(strstr(c->warnings.at[0], "key can be read by others (mode 640): chmod 600 it; lineage is off"));
    dp_lineage_conf_free(c);
    write_file("openlineage.yml", "transport:\n  type: http\n  url: http://h\n  auth: {type: api_key, api_key: hush}\n", 0644);
    assert_int_equal(dp_lineage_conf_load(&c, NULL), DP_OK);
    assert_string_equal(c->receivers[0].http.secret, "hush");
    assert_string_equal(c->warnings.at[0], "openlineage.yml holds a secret and can be read by others (mode 644): chmod 600 it");
    dp_lineage_conf_free(c);
}

static void namespaces(void **state) {
    (void)state;
    struct dp_lineage_conf *c = NULL;
    clean(NULL);
    setenv("DP_LINEAGE", "console", 1);
    assert_int_equal(dp_lineage_conf_load(&c, NULL), DP_OK);
    assert_string_equal(dp_lineage_conf_namespace(c), "default");
    dp_lineage_conf_free(c);
    write_file("openlineage.yml", "job: {namespace: theirs}\n", 0600);
    assert_int_equal(dp_lineage_conf_load(&c, NULL), DP_OK);
    assert_string_equal(dp_lineage_conf_namespace(c), "theirs");
    dp_lineage_conf_free(c);
    setenv("OPENLINEAGE_NAMESPACE", "ours", 1);
    assert_int_equal(dp_lineage_conf_load(&c, NULL), DP_OK);
    assert_string_equal(dp_lineage_conf_namespace(c), "ours");
    dp_lineage_conf_free(c);
    assert_int_equal(dp_lineage_told(), DP_LINEAGE_ON);
    unsetenv("DP_LINEAGE");
    assert_int_equal(dp_lineage_told(), DP_LINEAGE_UNTOLD); /* the file names no transport */
    write_file("openlineage.yml", "transport: {type: noop}\n", 0600);
    assert_int_equal(dp_lineage_told(), DP_LINEAGE_OFF);
    setenv("OPENLINEAGE_DISABLED", "true", 1);
    assert_int_equal(dp_lineage_told(), DP_LINEAGE_OFF);
}

/* ---- events ---- */

/* Producer and schema URLs of facets are not what is looked at here. */
static void strip(struct dp_buf *b) {
    struct dp_buf out = {NULL, 0, 0};
    const char *p = dp_buf_z(b), *at;
    while ((at = strstr(p, "\"_producer\":\"")) != NULL) {
        dp_buf_add(&out, p, (size_t)(at - p));
        p = strstr(at, "\"_schemaURL\":\"");
        assert_non_null(p);
        p = strchr(p + 14, '"') + 1;
        if (*p == ',') p++;
    }
    dp_buf_addz(&out, p);
    dp_buf_release(b);
    *b = out;
}

static void events(void **state) {
    (void)state;
    static const struct { const char *file, *event, *want; } rows[] = {
        {"tags: {job: {env: prod}, run: {a: b}}\n", "{\"run\":{\"runId\":\"r\"},\"job\":{\"name\":\"j\"},\"inputs\":[{\"name\":\"x\"}]}",
         "{\"run\":{\"runId\":\"r\",\"facets\":{\"tags\":{\"tags\":[{\"key\":\"a\",\"value\":\"b\",\"source\":\"USER\"}]}}},"
         "\"job\":{\"name\":\"j\",\"facets\":{\"tags\":{\"tags\":[{\"key\":\"env\",\"value\":\"prod\",\"source\":\"USER\"}]}}},\"inputs\":[{\"name\":\"x\"}]}\n"},
        {"tags: {job: {env: prod}}\n", "{\"job\":{\"name\":\"j\",\"facets\":{\"x\":{},\"tags\":{\"tags\":[{\"key\":\"ENV\",\"value\":\"1\"},{\"key\":\"o\",\"value\":\"2\"}]}}}}",
         "{\"job\":{\"name\":\"j\",\"facets\":{\"x\":{},\"tags\":{\"tags\":[{\"key\":\"o\",\"value\":\"2\"},{\"key\":\"ENV\",\"value\":\"prod\",\"source\":\"USER\"}]}}}}\n"},
        {"job: {tags: \"a:b:c;d\", owners: {team: me}}\n", "{\"job\":{\"name\":\"j\"}}",
         "{\"job\":{\"name\":\"j\",\"facets\":{\"tags\":{\"tags\":[{\"key\":\"a\",\"value\":\"b\",\"source\":\"c\"},{\"key\":\"d\",\"value\":\"true\",\"source\":\"USER\"}]},"
         "\"ownership\":{\"owners\":[{\"name\":\"me\",\"type\":\"team\"}]}}}}\n"},
        {"facets: {environment_variables: [T_L_A, T_L_NOT]}\n", "{\"run\":{\"facets\":{}}}",
         "{\"run\":{\"facets\":{\"environmentVariables\":{\"environmentVariables\":[{\"name\":\"T_L_A\",\"value\":\"1\\\"2\"}]}}}}\n"},
        {"facets: {environment_variables: \"[T_L_A;]\"}\n", "{\"run\":{\"facets\":{\"environmentVariables\":{\"environmentVariables\":[{\"name\":\"T_L_A\",\"value\":\"9\"}]}}}}",
         "{\"run\":{\"facets\":{\"environmentVariables\":{\"environmentVariables\":[{\"name\":\"T_L_A\",\"value\":\"9\"}]}}}}\n"},
        {"facets: {disabled: [schema], sql: {disabled: true}, columnLineage: {disabled: false}}\n",
         "{\"job\":{\"facets\":{\"sql\":{\"a\":1}}},\"outputs\":[{\"facets\":{\"schema\":{\"f\":[1]},\"columnLineage\":{}},\"outputFacets\":{\"schema\":1,\"y\":2}}],\"schema\":3}",
         "{\"job\":{\"facets\":{}},\"outputs\":[{\"facets\":{\"columnLineage\":{}},\"outputFacets\":{\"y\":2}}],\"schema\":3}\n"},
        {"facets: {source_code_location: {disabled: false, repo_url: u, version: v}}\n", "{\"job\":{\"name\":\"j\"}}",
         "{\"job\":{\"name\":\"j\",\"facets\":{\"sourceCodeLocation\":{\"type\":\"git\",\"url\":\"u\",\"repoUrl\":\"u\",\"version\":\"v\"}}}}\n"},
        {"facets: {source_code_location: {repo_url: u}}\n", "{\"job\":{}}", NULL},
        {"filters: [{type: exact, match: j}]\n", "{\"run\":{},\"job\":{\"name\":\"j\"}}", ""},
        {"filters: [{type: exact, match: j}]\n", "{\"run\":{},\"job\":{\"name\":\"jj\"}}", "{\"run\":{},\"job\":{\"name\":\"jj\"}}\n"},
        {"filters: [{type: regex, regex: \"a|b.\"}]\n", "{\"run\":{},\"job\":{\"name\":\"bcd\"}}", ""},
        {"filters: [{type: regex, regex: c}]\n", "{\"run\":{},\"job\":{\"name\":\"bcd\"}}", "{\"run\":{},\"job\":{\"name\":\"bcd\"}}\n"},
        {"filters: [{type: exact, match: j}]\n", "{\"job\":{\"name\":\"j\"}}", "{\"job\":{\"name\":\"j\"}}\n"}, /* runs only */
    };
    setenv("T_L_A", "1\"2", 1);
    unsetenv("T_L_NOT");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dp_lineage_conf *c = NULL;
        struct dp_buf got = {NULL, 0, 0};
        clean(NULL);
        setenv("DP_LINEAGE", "console", 1);
        write_file("openlineage.yml", rows[i].file, 0600);
        assert_int_equal(dp_lineage_conf_load(&c, NULL), DP_OK);
        assert_int_equal(c->warnings.n, 0);
        assert_int_equal(lineage_amends(c), rows[i].want != NULL);
        if (rows[i].want) {
            bool kept = lineage_amend(c, dp_str_z(rows[i].event), &got);
            strip(&got);
            if (strcmp(dp_buf_z(&got), rows[i].want) != 0) print_message("row %zu: %s", i, dp_buf_z(&got));
            assert_string_equal(dp_buf_z(&got), rows[i].want);
            assert_int_equal(kept, *rows[i].want != '\0');
        }
        dp_buf_release(&got);
        dp_lineage_conf_free(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(receivers), cmocka_unit_test(variables), cmocka_unit_test(files), cmocka_unit_test(places),
                                       cmocka_unit_test(namespaces), cmocka_unit_test(events)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
