/*
 * Files that are parts of one dataset, by their names: what an hourly job writes is one thing to a person, not hundreds.
 *
 * Dates, times, UUIDs, hashes and running numbers in a name vary from file to file; all else is the name of a thing.  Two names are of one dataset where nothing but such parts differs.
 * Small numbers are names of things (v1 and v2 of a table) unless they count: the whole name of a file (17.csv), behind a word that counts (part-1, hour=9), three digits or more with a zero
 * before (_001), or five digits or more.
 */
#ifndef DP_RULES_FOLD_H
#define DP_RULES_FOLD_H

#include <dp/base/arena.h>
#include <dp/base/buf.h>

#define DP_FOLD_PARTS 16 /* a name with more that varies stays as it is */

enum dp_fold_kind { DP_FOLD_DATE, DP_FOLD_TIME, DP_FOLD_N, DP_FOLD_UUID, DP_FOLD_ID };

/* The varying parts of a name, from left to right. */
struct dp_fold {
    size_t n;
    struct dp_fold_part { size_t at, n; enum dp_fold_kind kind; } part[DP_FOLD_PARTS];
};

/* Are datasets of this namespace files: `file`, or in an object store or HDFS?  Tables among them are the caller's to know. */
bool dp_fold_is_of_files(struct dp_str ns);
/* False: nothing in the name varies. */
bool dp_fold_read(struct dp_str name, struct dp_fold *f);
/* Appends the name with {date}, {time}, {n}, {uuid} and {id} for the parts; those that `same` (may be NULL, else f->n) holds stay as they are. */
void dp_fold_print(struct dp_str name, const struct dp_fold *f, const bool *same, struct dp_buf *b);
/* Is it a name that the printed one stands for? */
bool dp_fold_matches(struct dp_str printed, struct dp_str name);
/* Of many names those that are of one dataset. */
struct dp_fold_name {
    struct dp_str ns, name;
    bool is_apart;  /* stays alone whatever its name is: a table, or what was asked for itself */
    uint32_t group; /* out: which; DP_FOLD_ALONE */
};
#define DP_FOLD_ALONE UINT32_MAX
struct dp_fold_group {
    struct dp_str name;      /* as printed; what is the same in all of them stands as it is */
    size_t n;                /* members, two or more */
    struct dp_fold_name *of; /* one of them */
};
/* Groups in the order of their first names; the array is the caller's to free, the texts are the arena's.  Returns how many; near linear in the names. */
size_t dp_fold_group(struct dp_fold_name *v, size_t n, struct dp_arena *a, struct dp_fold_group **out);
/* Could it be a printed one? */
bool dp_fold_is_printed(struct dp_str text);

#endif
