/*
 * Status codes and the error record that travels up with them.
 *
 * Every fallible function returns enum dp_status, is marked DP_MUST_CHECK and takes the caller's
 * struct dp_err last.  Whoever first knows the position sets it; a layer above may prefix the
 * message once.  The library never prints and never exits.
 */
#ifndef DP_BASE_STATUS_H
#define DP_BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DP_MUST_CHECK __attribute__((warn_unused_result))
#define DP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* name, exit code, words.  DP_ABORTED and DP_SIGNALLED take their exit code from dp_err.exit_code. */
#define DP_STATUS_LIST(X)                                                                          \
    X(OK, 0, "done")                                                                               \
    X(END, 0, "end of input")                                                                      \
    X(RECORD, 4, "a bad record")                                                                   \
    X(FORMAT, 4, "corrupt or truncated input")                                                     \
    X(LIMIT, 4, "a named limit was exceeded")                                                      \
    X(RULE, 1, "the data failed a check")                                                          \
    X(SCHEMA, 1, "schemas in conflict")                                                            \
    X(USAGE, 2, "wrong usage, contract or rule file")                                              \
    X(IO, 3, "the environment failed")                                                             \
    X(UNSUPPORTED, 3, "a feature that is named and not supported")                                 \
    X(AGAIN, 75, "try again later")                                                                \
    X(BUG, 70, "a bug in dp")                                                                      \
    X(PIPE, 141, "the reader of the output went away")                                             \
    X(ABORTED, 4, "a program upstream failed")                                                     \
    X(SIGNALLED, 130, "stopped by a signal")                                                       \
    X(EMPTY, 99, "nothing to do")

enum dp_status {
#define DP_STATUS_ENUM(name, code, words) DP_##name,
    DP_STATUS_LIST(DP_STATUS_ENUM)
#undef DP_STATUS_ENUM
};

#define DP_NO_OFFSET UINT64_MAX

/* The caller's, fixed in size, no ownership.  Zero-initialise with DP_ERR_INIT. */
struct dp_err {
    enum dp_status status;
    int sys_errno;      /* errno at the time, or 0 */
    int exit_code;      /* used by DP_ABORTED and DP_SIGNALLED, else 0 */
    uint64_t line;      /* from 1; 0 = not known */
    uint64_t offset;    /* bytes from the start of the source; DP_NO_OFFSET = not known */
    char source[256];   /* file, table or member name; "" = not known */
    char msg[512];
};

#define DP_ERR_INIT {.offset = DP_NO_OFFSET}

/* Sets status and message (position fields are cleared); returns status. err may be NULL. */
enum dp_status dp_err_set(struct dp_err *err, enum dp_status status, const char *fmt, ...) DP_PRINTF(3, 4);

/* The same, and appends ": " and the text of errno. */
enum dp_status dp_err_sys(struct dp_err *err, enum dp_status status, const char *fmt, ...) DP_PRINTF(3, 4);

/* Puts text in front of the message ("reading footer: ..."). Returns err->status, which without an err is not known: DP_BUG, never DP_OK. */
enum dp_status dp_err_prefix(struct dp_err *err, const char *fmt, ...) DP_PRINTF(2, 3);

/* Sets the position where it is not yet known. Returns err->status, DP_BUG without an err. */
enum dp_status dp_err_at(struct dp_err *err, const char *source, uint64_t line, uint64_t offset);

/* Exit code for a status (with its error, which may be NULL). */
int dp_status_exit(enum dp_status status, const struct dp_err *err);

/* "FORMAT", static text. */
const char *dp_status_name(enum dp_status status);

#define DP_TRY(expr)                                                                               \
    do {                                                                                           \
        enum dp_status dp_try_status_ = (expr);                                                    \
        if (dp_try_status_ != DP_OK) return dp_try_status_;                                        \
    } while (0)

/* DP_TRY for functions with an `out:` label and a local `status`. */
#define DP_TRY_OUT(expr)                                                                           \
    do {                                                                                           \
        status = (expr);                                                                           \
        if (status != DP_OK) goto out;                                                             \
    } while (0)

#endif
