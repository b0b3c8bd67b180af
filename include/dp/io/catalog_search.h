/*
 * Full text over the store of lineage: names, columns, descriptions, tags and owners of datasets and jobs (FTS5).
 *
 * The index is a table of the store.  What changed since it was made is listed in the store; dp_catalog_index reads that again.
 */
#ifndef DP_IO_CATALOG_SEARCH_H
#define DP_IO_CATALOG_SEARCH_H

#include <dp/base/map.h>
#include <dp/io/catalog_note.h>

/* Brings the index up to date; part of the transaction that dp_catalog_commit ends.  DP_UNSUPPORTED: this SQLite has no FTS5. */
enum dp_status dp_catalog_index(struct dp_catalog *c, struct dp_err *err) DP_MUST_CHECK;
/* Is there something that the index does not know? */
enum dp_status dp_catalog_index_is_old(struct dp_catalog *c, bool *is_old, struct dp_err *err) DP_MUST_CHECK;

/*
 * Which datasets have a column of which class is kept in the store too, for a class may come from far away: dp_catalog_class_index works it out for all of them, and what it found counts until
 * an event, a tag or a class is added.  Part of the transaction that dp_catalog_commit ends.
 */
enum dp_status dp_catalog_class_index(struct dp_catalog *c, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_catalog_class_index_is_old(struct dp_catalog *c, bool *is_old, struct dp_err *err) DP_MUST_CHECK;
/* Ids of the datasets with a column of this class, own or inherited, as keys of 8 bytes; worked out anew where what is kept is old. */
enum dp_status dp_catalog_of_class(struct dp_catalog *c, struct dp_str word, struct dp_map *out, struct dp_err *err) DP_MUST_CHECK;

struct dp_search_conf {
    const char *const *words; /* all of them, each as the beginning of a word; none: whatever the filters let through */
    size_t n_words;
    char kind;                /* 'd', 'j', 0: both */
    const char *tag, *value;  /* NULL: any; a tag of the node or of one of its columns */
    const char *owner;        /* NULL: any */
    const struct dp_map *among; /* datasets (dp_catalog_of_class) that alone count; NULL: any, and jobs */
    int64_t limit;            /* 0: none */
};
enum dp_search_where { DP_FOUND_NAME, DP_FOUND_COLUMN, DP_FOUND_TEXT }; /* all words in its name; some in columns, tags or owners; some in descriptions */
struct dp_search_hit { char kind; uint8_t where; int64_t id; };
/* Zero value is empty. */
struct dp_search { struct dp_search_hit *v; size_t n, cap; };
/* Best first: by enum dp_search_where, then by how well it fits, then by id. */
enum dp_status dp_catalog_search(struct dp_catalog *c, const struct dp_search_conf *conf, struct dp_search *out, struct dp_err *err) DP_MUST_CHECK;
void dp_search_release(struct dp_search *s);

#endif
