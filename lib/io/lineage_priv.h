/*
 * Inside of the sending of lineage: what a configuration comes to, the spool, and how an event is delivered (dp/io/lineage_send.h).
 *
 *   lineage_tree.c    openlineage.yml and variables as one tree       lineage_conf.c   the tree as receivers
 *   lineage_amend.c   what a configuration changes in events          lineage_spool.c  what waits, and runs that are held open
 *   lineage_wire.c    plain HTTP on a socket                          lineage_curl.c   the same with libcurl, for TLS and proxies
 *   lineage_post.c    one event to an HTTP receiver, or why not       lineage_send.c   receivers, threads, the end
 */
#ifndef DP_IO_LINEAGE_PRIV_H
#define DP_IO_LINEAGE_PRIV_H

#include <dp/base/arena.h>
#include <dp/base/buf.h>
#include <dp/io/lineage_send.h>

/* ---- the tree ---- */

enum lineage_node_kind { LINEAGE_NULL, LINEAGE_BOOL, LINEAGE_NUMBER, LINEAGE_STRING, LINEAGE_LIST, LINEAGE_MAP };

struct lineage_item {
    const char *key; /* as written; NULL in a list */
    struct lineage_node *value;
};

/* All in the configuration's arena. */
struct lineage_node {
    enum lineage_node_kind kind;
    const char *text; /* of scalars */
    struct lineage_item *items;
    size_t n, cap;
    const char *source; /* the file or variable that it stands in */
    uint32_t line;      /* 0: a variable */
};

/* Are two keys one?  apiKey, api_key, APIKEY and api-key are. */
bool lineage_key_is(const char *a, const char *b);
/* Value of a key of a map; NULL: none, or null is written. */
struct lineage_node *lineage_get(const struct lineage_node *map, const char *key);
/* What variables say, with what the file says laid over it.  *file is the file that was read, NULL: none. */
enum dp_status lineage_tree_load(struct dp_arena *a, struct lineage_node **root, const char **file, struct dp_err *err) DP_MUST_CHECK;
/* The first of the three files that is there; borrowed from `a`. */
const char *lineage_file(struct dp_arena *a);

/* ---- the configuration ---- */

enum lineage_kind { LINEAGE_FILE, LINEAGE_CONSOLE, LINEAGE_STORE, LINEAGE_HTTP };

struct lineage_pair { const char *key, *value, *source; };
struct lineage_pairs { struct lineage_pair *at; size_t n, cap; };
struct lineage_words { const char **at; size_t n, cap; };

enum lineage_auth { LINEAGE_AUTH_NONE, LINEAGE_AUTH_BEARER, LINEAGE_AUTH_JWT, LINEAGE_AUTH_OAUTH2 };

struct lineage_http {
    const char *url; /* whole, without user and password */
    int64_t timeout_ms;
    bool verify, gzip;
    enum lineage_auth auth;
    const char *secret;    /* the key, or with OAuth2 the client's secret */
    const char *basic;     /* "user:password" of the URL; NULL: none */
    const char *token_url; /* where a key is changed for a token */
    const char *client_id, *scope, *grant_type, *response_type, *expires_field;
    bool secret_in_body;
    struct lineage_words token_fields;
    struct lineage_pairs headers;
    int retries, connect_retries, read_retries, status_retries; /* of one event; -1: no bound of its own */
    double backoff;
    int status[64]; /* that are worth another try, n_status of them */
    size_t n_status;
    bool retry_post; /* POST is among the allowed methods */
};

struct lineage_receiver {
    enum lineage_kind kind;
    const char *name;   /* for messages: never with a secret */
    const char *path;   /* of file and store, absolute */
    bool append, pretty;
    int64_t priority;
    size_t group;       /* receivers of one composite */
    bool stop_on_success, stop_on_failure;
    struct lineage_http http;
};

struct lineage_filter { const char *exact; struct dp_pattern *regex; };

struct dp_lineage_conf {
    struct dp_arena arena;
    struct lineage_receiver *receivers;
    size_t n, cap, n_groups;
    struct lineage_words warnings;
    const char *ns;
    struct lineage_pairs job_tags, run_tags, owners;
    struct lineage_words variables, facets_off;
    struct lineage_pairs location; /* of the job's source code */
    struct lineage_filter *filters;
    size_t n_filters, cap_filters;
    size_t n_made;    /* receivers that were made, those that are no more used among them */
    bool is_told;     /* something says where events go, be it nowhere or wrong */
    bool is_quiet;    /* OPENLINEAGE_CLIENT_LOGGING: errors only */
};

/* One store and nothing else. NULL: no name of this machine. */
struct dp_lineage_conf *lineage_conf_of_store(const char *path);
void lineage_warn(struct dp_lineage_conf *c, const char *fmt, ...) DP_PRINTF(2, 3);

/* ---- events ---- */

/* Does the configuration change events? */
bool lineage_amends(const struct dp_lineage_conf *c);
/* The event as this configuration has it, with its newline, behind b's content; false: a filter keeps it from all receivers. */
bool lineage_amend(const struct dp_lineage_conf *c, struct dp_str event, struct dp_buf *b);
/* The event at another time: its eventTime becomes now. */
void lineage_redate(struct dp_str event, int64_t now_micros, struct dp_buf *b);

/* ---- the spool ---- */

/*
 * A receiver has a directory in the spool, named by a hash of what it is, and a process that has something to keep for it a file there, which it locks as
 * long as it lives.  A line begins with what it is: `{` an event that waits, `-` one that was sent (the byte is overwritten), `H` and a run's id the
 * event to send should this process die, `N` the same where that is only if the file has an event of the run too, `h` either when the run has ended.  A last line without its end is cut.
 */
struct lineage_spool {
    int fd;       /* valid while is_open */
    bool is_open, failed; /* failed: it can't be had, and is not tried again */
    char *path;
    uint64_t end;  /* bytes */
    size_t waiting; /* events and held runs */
    int sys_errno;  /* why it failed */
};

enum lineage_line { LINEAGE_WAITS = '{', LINEAGE_SENT = '-', LINEAGE_HELD = 'H', LINEAGE_NEW = 'N', LINEAGE_ENDED = 'h' };

/* The receiver's directory, whether it is there or not; NULL: neither XDG_STATE_HOME nor HOME is set. Caller frees. */
char *lineage_spool_dir(const struct lineage_receiver *r);
/* Makes and locks a file of our own; false: it can't be had. */
bool lineage_spool_open(struct lineage_spool *s, const char *dir);
/* Appends one event with its newline, or what a hold has; its place, or -1. */
int64_t lineage_spool_add(struct lineage_spool *s, const char *head, struct dp_str line);
void lineage_spool_mark(struct lineage_spool *s, int64_t at, enum lineage_line as);
/* Removes the file where nothing waits in it, and unlocks it. */
void lineage_spool_close(struct lineage_spool *s);

/* A file that its process left behind, locked by us. */
struct lineage_left {
    int fd;
    char *path;
    struct dp_buf text; /* whole lines */
    size_t at;          /* bytes of it that are dealt with */
    bool runs_only;     /* second turn: the runs that were held */
};
/* Names of the files that stand there, the oldest first; false: there are more than `most`, and of them the oldest need not be among these.  Caller releases. */
struct lineage_names { char **at; size_t n, cap, next; };
enum { LINEAGE_NAMES = 4096 }; /* as many as a program looks at; what is too much for the spool is fewer, of the size that files have */
bool lineage_names_load(const char *dir, size_t most, struct lineage_names *names);
void lineage_names_release(struct lineage_names *names);
/* Locks the next that was left behind; false: there is none. */
bool lineage_left_next(const char *dir, struct lineage_names *names, struct lineage_left *l);
/* The next event to send; false: there is none any more. */
bool lineage_left_event(struct lineage_left *l, int64_t now_micros, struct dp_buf *event, int64_t *place);
void lineage_left_mark(struct lineage_left *l, int64_t place);
/* Removes it when all was sent. */
void lineage_left_close(struct lineage_left *l, bool all_sent);

/* Drops the oldest files of the dead until no more than DP_LIMIT_SPOOL bytes are left; how many events went.  What can't be done in time (monotonic ms) is left to the next. */
size_t lineage_spool_trim(const char *dir, int64_t until_ms);
/* May the user be told that events wait here?  Once an hour, by one program. */
bool lineage_spool_may_tell(const char *dir);
/* Keeps an event that its receiver refused, in rejected.ndjson; false: it is full, or can't be written. */
bool lineage_spool_reject(const char *dir, struct dp_str event);

/* ---- delivery ---- */

enum lineage_result { LINEAGE_TAKEN, LINEAGE_AWAY, LINEAGE_REFUSED };
/* What kept an event from its receiver. */
enum lineage_trouble { LINEAGE_NO_TROUBLE, LINEAGE_NO_CONNECT, LINEAGE_NO_READ, LINEAGE_BAD_STATUS, LINEAGE_NOT_POSSIBLE, LINEAGE_INTERRUPTED };

struct lineage_answer {
    enum lineage_trouble trouble;
    char why[300]; /* "connection refused"; never with a secret */
};

/* One connection to a receiver of HTTP, used by one thread; wake_fd: readable when it is to end what it does. */
struct lineage_poster;
struct lineage_poster *lineage_poster_open(const struct lineage_http *h, int wake_fd);
enum lineage_result lineage_post(struct lineage_poster *p, struct dp_str event, struct lineage_answer *a);
void lineage_poster_close(struct lineage_poster *p); /* NULL is legal */

/* One POST, by whichever of the two ways. */
struct lineage_request {
    const char *url;
    const char *head;      /* lines of the header, each with CR and LF; may hold secrets */
    struct dp_str body;
    int64_t timeout_ms;    /* to connect, and again to be answered */
    bool verify;
    int wake_fd;
};
struct lineage_response {
    int status;
    struct dp_buf body;     /* of it no more than LINEAGE_ANSWER bytes */
    struct dp_buf location; /* where it sends us */
};
enum { LINEAGE_ANSWER = 1 << 18 };

/* Plain HTTP/1.1 on a socket that is kept.  Zero value is closed. */
struct lineage_wire {
    int fd; /* valid while is_open */
    bool is_open;
    char *origin; /* scheme, host and port that it is connected to */
};
bool lineage_wire_post(struct lineage_wire *w, const struct lineage_request *rq, struct lineage_response *rs, struct lineage_answer *a);
void lineage_wire_close(struct lineage_wire *w);

/* libcurl, at first use. Zero value is not loaded. */
struct lineage_curl {
    void *lib, *easy, *multi;
    bool failed;
    int (*global_init)(long);
    void *(*easy_init)(void);
    int (*setopt)(void *, int, ...);
    int (*getinfo)(void *, int, ...);
    void (*easy_cleanup)(void *);
    const char *(*strerror)(int);
    void *(*slist_append)(void *, const char *);
    void (*slist_free)(void *);
    void *(*multi_init)(void);
    int (*multi_add)(void *, void *);
    int (*multi_remove)(void *, void *);
    int (*multi_perform)(void *, int *);
    int (*multi_wait)(void *, void *, unsigned, int, int *);
    void *(*multi_info)(void *, int *);
    int (*multi_cleanup)(void *);
};
bool lineage_curl_post(struct lineage_curl *c, const struct lineage_request *rq, struct lineage_response *rs, struct lineage_answer *a);
void lineage_curl_close(struct lineage_curl *c);

/* One line behind the end of a file, or a file of its own. */
enum lineage_result lineage_file_put(const struct lineage_receiver *r, struct dp_str event, struct lineage_answer *a);

#endif
