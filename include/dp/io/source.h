/*
 * Sources: anything by name (file, glob, directory, table, member of an archive, standard input) as a row of chunks of NDJSON.
 *
 * A source is read in two halves so that the work spreads over threads: dp_source_next cuts raw bytes at record borders
 * (in order, cheap), dp_source_convert turns a chunk's raw bytes into NDJSON text (any thread).  For NDJSON the second half does nothing.
 */
#ifndef DP_IO_SOURCE_H
#define DP_IO_SOURCE_H

#include <dp/io/run.h>

enum dp_chunk_kind { DP_CHUNK_RECORDS, DP_CHUNK_PATHS, DP_CHUNK_MARK };

/* Where a chunk's records came from; lives as long as the source set. */
struct dp_origin {
    char *name;        /* as given, "-" for standard input */
    char *member;      /* inside an archive, or NULL */
    char *position_id; /* source name of positions: path (and member) with the fingerprint of its head */
    const struct dp_type *schema; /* typed or inferred source's schema, or NULL */
    bool foreign;      /* raw bytes from outside: a key "$dp" is refused */
};

struct dp_chunk {
    enum dp_chunk_kind kind;
    const struct dp_origin *origin;
    struct dp_buf raw;          /* owned bytes as read; unused when text borrows from a mapping */
    struct dp_buf converted;    /* owned NDJSON made by convert */
    const char *text;           /* RECORDS: lines, each with LF but perhaps the last; PATHS: lines; MARK: one line; DP_SCAN_PAD bytes readable behind */
    size_t n;
    uint64_t line;              /* number of the first line in the source, from 1 */
    uint64_t offset;            /* byte offset of the chunk in the source (decompressed) */
    uint64_t end_offset;        /* byte behind its last record */
    uint32_t *rec_line;         /* for each line of text: its line in the source minus `line`; NULL: one line each */
    uint32_t *rec_offset;       /* and its byte offset minus `offset`; NULL: as in text */
    size_t rec_cap;
    struct dp_mark mark;        /* MARK */
    bool last_of_origin;        /* the origin ends behind this chunk */
    /* results of conversion, added to the books in order */
    uint64_t bad;               /* raw records that could not be converted, printed as reject lines in bad_lines */
    struct dp_buf bad_lines;
    void *format_state;         /* the format's own, for convert */
};

#endif
