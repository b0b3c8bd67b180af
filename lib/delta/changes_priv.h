/* Scans of files of which only some rows are wanted: between scan.c and those who compare two states of a table. */
#ifndef DP_DELTA_CHANGES_PRIV_H
#define DP_DELTA_CHANGES_PRIV_H

#include <dp/delta/scan.h>

/* Which rows of a file are read: those that `deleted` leaves, and of a pair only what `wanted` deletes among them. */
struct dp_delta_picked {
    bool is_pair;
    struct dp_delta_dv deleted, wanted;
};

/* Beside dp_delta_scan_only, one for each of its files; row groups without a wanted row are passed over.  Borrowed until close. */
void scan_pick(struct dp_delta_scan *scan, const struct dp_delta_picked *picked);

#endif
