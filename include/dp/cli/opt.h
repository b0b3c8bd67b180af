/*
 * The option table: one row an option, and from it parsing, error texts, --help, --dump-options (completions, drift tests).
 *
 *   struct conf { const char *since; bool check; int64_t batch; int codec; };
 *   static const struct dp_opt options[] = {
 *       DP_OPT_PATH(conf, since, "since", 0, "TABLE", "start where TABLE's last commit ended"),
 *       DP_OPT_FLAG(conf, check, "check", 0, "print findings instead of records", .conflicts = "since"),
 *       DP_OPT_INT(conf, batch, "batch", 'b', "N", "rows of a batch", 1, 100000, .def = "1024"),
 *       DP_OPT_ENUM(conf, codec, "codec", 0, "NAME", "compression of pages", codec_names),
 *       DP_OPT_END};
 *
 * The macro fails to compile when the field has another type than the kind needs.  Long names are exact, no abbreviations.
 */
#ifndef DP_CLI_OPT_H
#define DP_CLI_OPT_H

#include <dp/base/buf.h>
#include <dp/io/rejects.h>

enum dp_opt_kind {
    DP_OPT_KIND_FLAG,     /* bool */
    DP_OPT_KIND_SET,      /* int: set to `min`; several rows may share a field (--progress, --no-progress) */
    DP_OPT_KIND_STRING,   /* const char * */
    DP_OPT_KIND_PATH,     /* const char *, completed as a file */
    DP_OPT_KIND_DIR,      /* const char *, completed as a directory */
    DP_OPT_KIND_INT,      /* int64_t, min..max */
    DP_OPT_KIND_ENUM,     /* int: index in choices */
    DP_OPT_KIND_SIZE,     /* uint64_t bytes, min..max (max 0: no bound) */
    DP_OPT_KIND_DURATION, /* int64_t ms, min..max (max 0: no bound); negative ones with a leading '-' when min < 0 */
    DP_OPT_KIND_LIST,     /* struct dp_opt_list, one entry each time it is given */
    DP_OPT_KIND_TOLERANCE,/* struct dp_tolerance: N or N% */
    DP_OPT_KIND_TIME      /* int64_t microseconds: RFC 3339, integer ms, or a date (UTC): its first microsecond, where `up_to` its last */
};

struct dp_opt_list {
    const char **v;
    size_t n, cap;
};

struct dp_opt {
    const char *name;      /* long name; NULL ends the table */
    char letter;           /* 0: none */
    enum dp_opt_kind kind;
    const char *arg;       /* FILE, N ...; NULL: takes none */
    const char *help;      /* one phrase, lower case, no full stop */
    size_t offset;         /* of the field */
    int64_t min, max;
    const char *const *choices; /* NULL-terminated */
    const char *def;       /* default as it would be typed; NULL: the zero value */
    const char *env;       /* environment variable that gives the default; NULL */
    const char *group;     /* heading of --help; NULL: "Options" */
    const char *conflicts; /* long names, comma between; NULL */
    const char *needs;     /* long name that must be given too; NULL */
    bool required;
    bool up_to;            /* of a time: what comes up to then is meant, itself included */
    bool hidden;           /* not in --help and completions */
};

#define DP_OPT_OFF_(conf, field, type)                                                                              \
    (offsetof(struct conf, field) +                                                                                 \
     0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((struct conf *)0)->field), type) ? 1 : -1]))

#define DP_OPT_FLAG(conf, field, name_, letter_, help_, ...)                                                        \
    {.name = name_, .letter = letter_, .kind = DP_OPT_KIND_FLAG, .help = help_, .offset = DP_OPT_OFF_(conf, field, bool), __VA_ARGS__}
#define DP_OPT_SET(conf, field, name_, letter_, help_, value_, ...)                                                 \
    {.name = name_, .letter = letter_, .kind = DP_OPT_KIND_SET, .help = help_, .min = value_, .offset = DP_OPT_OFF_(conf, field, int), __VA_ARGS__}
#define DP_OPT_STRING(conf, field, name_, letter_, arg_, help_, ...)                                                \
    {.name = name_, .letter = letter_, .kind = DP_OPT_KIND_STRING, .arg = arg_, .help = help_,                      \
     .offset = DP_OPT_OFF_(conf, field, const char *), __VA_ARGS__}
#define DP_OPT_PATH(conf, field, name_, letter_, arg_, help_, ...)                                                  \
    {.name = name_, .letter = letter_, .kind = DP_OPT_KIND_PATH, .arg = arg_, .help = help_,                        \
     .offset = DP_OPT_OFF_(conf, field, const char *), __VA_ARGS__}
#define DP_OPT_DIR(conf, field, name_, letter_, arg_, help_, ...)                                                   \
    {.name = name_, .letter = letter_, .kind = DP_OPT_KIND_DIR, .arg = arg_, .help = help_,                         \
     .offset = DP_OPT_OFF_(conf, field, const char *), __VA_ARGS__}
#define DP_OPT_INT(conf, field, name_, letter_, arg_, help_, min_, max_, ...)                                       \
    {.name = name_, .letter = letter_, .kind = DP_OPT_KIND_INT, .arg = arg_, .help = help_, .min = min_, .max = max_, \
     .offset = DP_OPT_OFF_(conf, field, int64_t), __VA_ARGS__}
#define DP_OPT_ENUM(conf, field, name_, letter_, arg_, help_, choices_, ...)                                        \
    {.name = name_, .letter = letter_, .kind = DP_OPT_KIND_ENUM, .arg = arg_, .help = help_, .choices = choices_,   \
     .offset = DP_OPT_OFF_(conf, field, int), __VA_ARGS__}
#define DP_OPT_SIZE(conf, field, name_, letter_, arg_, help_, min_, max_, ...)                                      \
    {.name = name_, .letter = letter_, .kind = DP_OPT_KIND_SIZE, .arg = arg_, .help = help_, .min = min_, .max = max_, \
     .offset = DP_OPT_OFF_(conf, field, uint64_t), __VA_ARGS__}
#define DP_OPT_DURATION(conf, field, name_, letter_, arg_, help_, min_, max_, ...)                                  \
    {.name = name_, .letter = letter_, .kind = DP_OPT_KIND_DURATION, .arg = arg_, .help = help_, .min = min_, .max = max_, \
     .offset = DP_OPT_OFF_(conf, field, int64_t), __VA_ARGS__}
#define DP_OPT_LIST(conf, field, name_, letter_, arg_, help_, ...)                                                  \
    {.name = name_, .letter = letter_, .kind = DP_OPT_KIND_LIST, .arg = arg_, .help = help_,                        \
     .offset = DP_OPT_OFF_(conf, field, struct dp_opt_list), __VA_ARGS__}
#define DP_OPT_TOLERANCE(conf, field, name_, letter_, arg_, help_, ...)                                             \
    {.name = name_, .letter = letter_, .kind = DP_OPT_KIND_TOLERANCE, .arg = arg_, .help = help_,                   \
     .offset = DP_OPT_OFF_(conf, field, struct dp_tolerance), __VA_ARGS__}
#define DP_OPT_TIME(conf, field, name_, letter_, arg_, help_, ...)                                                  \
    {.name = name_, .letter = letter_, .kind = DP_OPT_KIND_TIME, .arg = arg_, .help = help_,                        \
     .offset = DP_OPT_OFF_(conf, field, int64_t), __VA_ARGS__}
#define DP_OPT_END {.name = NULL}

/* One or more tables that are parsed together, each with its own struct of fields. */
struct dp_opt_set {
    const struct dp_opt *opts;
    void *conf;
    bool *given; /* one for each row, the caller's, zeroed; NULL: not wanted where conflicts and needs are not used */
};

/*
 * Applies defaults, then environment defaults, then the words of argv[1..argc); operands are moved to argv[1..1+*n_args) in order.
 * Words after "--" are operands; "-" alone is one.  DP_USAGE names the option and the nearest right word.
 */
enum dp_status dp_opt_parse(const struct dp_opt_set *sets, size_t n_sets, int argc, char **argv, size_t *n_args, struct dp_err *err) DP_MUST_CHECK;
/* Behind parsing (and behind --help was served): required rows, conflicts and needs. */
enum dp_status dp_opt_check(const struct dp_opt_set *sets, size_t n_sets, struct dp_err *err) DP_MUST_CHECK;
/* One value into its field, as parsing does. */
enum dp_status dp_opt_set_value(const struct dp_opt *o, void *conf, const char *value, struct dp_err *err) DP_MUST_CHECK;
/* Frees what LIST fields hold. */
void dp_opt_release(const struct dp_opt_set *sets, size_t n_sets);
const char *dp_opt_kind_name(enum dp_opt_kind k);

#endif
