/*
 * What people say of nodes in the store of lineage: tags, owners, classifications; and the classification that follows lineage.
 *
 * Every word is kept with its source, since when it holds and, once another took its place, until when.  What events say (facets tags and ownership) stands beside it and is theirs to
 * change.
 */
#ifndef DP_IO_CATALOG_NOTE_H
#define DP_IO_CATALOG_NOTE_H

#include <dp/io/catalog_query.h>
#include <dp/record/class.h>

/* ---- what people say ---- */

enum dp_note_kind { DP_NOTE_TAG, DP_NOTE_OWNER, DP_NOTE_CLASS };
struct dp_note {
    enum dp_note_kind kind;
    struct dp_str key;    /* of a tag its key, of an owner the name; of a class nothing: a node has one */
    struct dp_str value;  /* of a tag its value, of an owner the type (p NULL: none), of a class the word */
    struct dp_str source; /* who says so */
    int64_t at;
    bool remove;          /* it does not hold from then on; of a class whatever it is, of a tag or an owner any value when `value` is none */
};
enum dp_note_done { DP_NOTE_SAME, DP_NOTE_ADDED, DP_NOTE_CHANGED, DP_NOTE_REMOVED };
/*
 * Part of the transaction that dp_catalog_commit ends.  The same again changes nothing; another value of the same key, or another class, takes the place of the one before.
 * DP_USAGE: a node that can't have it (owners are of datasets and jobs, classes of datasets and columns), or to be removed and only events say so.
 */
enum dp_status dp_catalog_note(struct dp_catalog *c, const struct dp_catalog_node *node, const struct dp_note *n, enum dp_note_done *done, struct dp_err *err) DP_MUST_CHECK;

/* ---- classification ---- */

enum dp_class_how { DP_CLASS_NONE, DP_CLASS_OWN, DP_CLASS_DATASET, DP_CLASS_INHERITED }; /* said of the column, of the whole dataset, of what it was made from */

/* Of one column; strings of the owner of the list, p NULL: none. */
struct dp_class {
    int64_t field, dataset;
    enum dp_class_how how;        /* of `word` */
    struct dp_str word;           /* the one that counts */
    struct dp_str source;         /* of an own or the dataset's: who says so */
    struct dp_str inherited;      /* the strictest of what it was made from without a mask; also where an own one wins */
    int64_t from;                 /* the column where that was said; 0: none */
    int64_t masked;               /* the strictest classified column of which a masked form is in it; 0: none */
    struct dp_str masked_word;    /* the class there */
};

/* Zero value is empty. */
struct dp_classes {
    struct dp_class *v; /* by field */
    size_t n, cap;
    struct dp_arena *arena;
};
/*
 * All columns of the datasets (n 0: of all in the store) that have a class, or a masked form of something classified.  What is said of a column itself wins; without, the strictest of
 * what is said of its dataset and of what it was made from: along direct edges without a mask, from job to job, of each job as it said last what it makes of which columns;
 * to other names of a dataset (symlinks, renames) as well.  Work grows with the edges that lead there.
 */
enum dp_status dp_catalog_classes(struct dp_catalog *c, const int64_t *datasets, size_t n, struct dp_classes *out, struct dp_err *err) DP_MUST_CHECK;
const struct dp_class *dp_classes_find(const struct dp_classes *cs, int64_t field); /* NULL: none */
void dp_classes_release(struct dp_classes *cs);

#endif
