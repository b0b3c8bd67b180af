/* What the parts of dp/io/subject.h share.  Private to lib/io. */
#ifndef DP_IO_SUBJECT_PRIV_H
#define DP_IO_SUBJECT_PRIV_H

#include <dp/io/stream.h>
#include <dp/io/subject.h>

/* The key of an identifier in `known`. */
void subject_key(struct dp_str name, struct dp_str value, struct dp_buf *out);
bool subject_same_name(const char *a, const char *b);
/* The run for a stream of ours: its own books, no marks, no filter, nobody is told what it reads. */
static inline struct dp_run subject_run(const struct dp_run *run) {
    struct dp_run own = *run;
    own.books = (struct dp_books){0};
    own.marks = own.line_buffered = false;
    own.where = NULL;
    own.rejects = NULL, own.datasets = NULL, own.tick = NULL;
    own.hide_raw = true; /* what is said of a bad record quotes nothing of it */
    return own;
}

/* A source to its end; records that can't be read are counted in own->books and passed over. */
enum dp_status subject_stream(struct dp_run *own, const char *name, const struct dp_stream_conf *conf, const struct dp_stream_ops *ops, void *ctx, struct dp_err *err) DP_MUST_CHECK;
/* Is it CSV by its name? */
bool subject_is_csv(const char *path);
/* "a.b[].c" as a path of expressions: ."a"?."b"?[]?."c"? */
void subject_path(struct dp_str column, struct dp_buf *out);
/* "IN(PATH; VALUES)" behind out's content: is one of the identifiers of this name there, or (`elements`) among what is inside? */
void subject_term(const struct dp_subject *s, const char *id, struct dp_str path, bool elements, struct dp_buf *out);

/* The condition over a place's columns.  DP_LIMIT: more identifiers than one holds. */
enum dp_status subject_where(const struct dp_subject *s, const struct dp_subject_place *place, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

#endif
