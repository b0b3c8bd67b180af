/*
 * Sources: anything by name (file, glob, directory, table, member of an archive, standard input) as a row of chunks of NDJSON.
 *
 * A source is read in two halves so that the work spreads over threads: dp_source_next cuts raw bytes at record borders
 * (in order, cheap), dp_source_convert turns a chunk's raw bytes into NDJSON text (any thread).  For NDJSON the second half does nothing.
 */
#ifndef DP_IO_SOURCE_H
#define DP_IO_SOURCE_H

#include <dp/format/csv.h>
#include <dp/io/run.h>
#include <dp/record/batch.h>

enum dp_chunk_kind { DP_CHUNK_RECORDS, DP_CHUNK_PATHS, DP_CHUNK_MARK };

/* Where a chunk's records came from; lives as long as the source set. */
struct dp_origin {
    char *name;        /* as given, "-" for standard input */
    char *member;      /* inside an archive, or NULL */
    char *position_id; /* source name of positions: path (and member) with the fingerprint of its head */
    const struct dp_type *schema; /* typed or inferred source's schema, or NULL */
    struct dp_dataset *dataset; /* that its records are counted for (dp/io/datasets.h), or NULL */
    char head[4096];   /* first bytes of the content (decompressed), head_n of them: what fingerprints are made of */
    size_t head_n;
    uint64_t from;     /* position at which this run began */
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
    uint32_t *rec_line;         /* (borrowed) for each line of text: its line in the source minus `line`; NULL: one line each */
    uint32_t *rec_offset;       /* and its byte offset minus `offset`; NULL: as in text */
    uint32_t *rec_line_buf, *rec_offset_buf; /* the sources' own: memory of the two above, rec_cap of each */
    size_t rec_cap;
    const void *source;         /* the sources' own: how to convert */
    bool in_array;              /* the sources' own: it starts inside a JSON array */
    struct dp_mark mark;        /* MARK */
    bool last_of_origin;        /* the origin ends behind this chunk */
    /* results of conversion, added to the books in order */
    uint64_t bad;               /* raw records that could not be converted, printed as reject lines in bad_lines */
    uint64_t bad_malformed;     /* of them: not records at all; the rest broke a rule (a cell that is not of its column's type) */
    struct dp_buf bad_lines;
    uint64_t screened;          /* rows that opts->screen let pass: no records were made of them */
    bool more;                  /* text is a piece of the chunk: convert again for the next one (opts->by_groups) */
    uint64_t coerced;           /* values whose spelling was changed on purpose */
    struct dp_str passed_over;  /* bytes of a stream that belong to a line longer than a record may be: for the count and hash of `end` only */
    void *format_state;         /* the format's own, for convert; freed by dp_chunk_release through release_state */
    void (*release_state)(void *format_state);
};

/* What happens to path lines on standard input. */
enum dp_paths {
    DP_PATHS_OPEN, /* each path is opened as a source, in order: its records come out (filters, dp-cat).  The path lines themselves come first, as
                      chunks of DP_CHUNK_PATHS with origin "-": the stream needs them for the count and hash of `end`, the tool never sees them */
    DP_PATHS_PASS, /* handed on as chunks of DP_CHUNK_PATHS (dp-table commit) */
    DP_PATHS_REFUSE
};

/* A table's changes instead of its rows (dp/delta/changes.h, dp/io/changes.h), with opts->follow also those to come.  Checkpoints come among the chunks, behind each version. */
struct dp_source_changes {
    int64_t since, until; /* versions; until -1: the latest */
    bool from_files;
    const char *const *extra; size_t n_extra; /* columns that --where reads, behind opts->columns and the feed's own */
};

struct dp_source_opts {
    const struct dp_source_changes *changes; /* the one name is a table, and these are wanted of it; NULL: rows */
    enum dp_paths paths;
    bool raw_stdin;           /* dp-ingest: standard input is raw bytes of any format, no marks in it, not paths */
    bool follow;              /* named files are read as they grow, without an end (dp_follow below) */
    bool retry_rejects;       /* sources are files of rejects: what they hold comes out; format, csv, encoding are for the sources that those came from */
    const char *format;       /* NULL or "auto": told by content; else csv, tsv, json, ndjson, avro, parquet, lines ... */
    const char *member;       /* --member GLOB, or NULL: all members */
    const char *as_of;        /* tables: the version or time to read (NULL: the latest) */
    const char *files_from;   /* --files-from FILE ("-": standard input), or NULL */
    const struct dp_type *schema; /* types to read by (contract), or NULL */
    const char *const *columns; size_t n_columns; /* of Parquet files and tables these columns alone, which the set must have; NULL: all */
    const char *const *reads; size_t n_reads;     /* instead: what the program reads of a record; of these columns those that there are, or all where there are none. NULL: all */
    bool own_types;           /* Parquet files and tables that no set holds are read each by its own types, with a warning, instead of refused */
    /* Of Parquet files and tables: which rows of a batch, from row `from` on, must become records (look[0] is that row)?  The others are counted in
       chunk->screened.  False: all of them.  Any thread.  NULL: nobody asks. */
    bool (*screen)(void *ctx, unsigned worker, const struct dp_batch *b, int64_t from, uint8_t *look);
    void *screen_ctx;
    /* A chunk may be a row group of a Parquet file or a table, which convert reads piece by piece (chunk->more): for who keeps nothing of a piece's text. */
    bool by_groups;
    const struct dp_csv_dialect *csv; /* options that force a dialect, or NULL: all is sniffed */
    const char *encoding;     /* NULL: told by content */
    struct dp_print_opts print; /* how typed sources (Parquet) are printed as records */
    size_t chunk_bytes;       /* wanted size of a chunk, 0: 256 KiB */
    /* Asks where to start in a source (positions of --since, --ledger): the byte offset, 0 = from its start; UINT64_MAX = skip it. NULL: all from
       the start.  Standard input, which has no positions, is DP_USAGE then. */
    enum dp_status (*resume)(void *ctx, struct dp_origin *origin, uint64_t *from, struct dp_err *err); /* may call dp_origin_adopt */
    void *resume_ctx;
    /* Called before each wait for more input (poll says that a read would block), and again each wake_ms (0: not) while it lasts; the stream flushes its
       output then.  A failure ends the wait.  NULL: nobody asks. */
    enum dp_status (*would_block)(void *ctx, struct dp_err *err);
    void *would_block_ctx;
    int64_t wake_ms;
};

struct dp_sources;

/*
 * Following: NDJSON, CSV and TSV in UTF-8.  At the end of what is there dp_sources_next waits; a record is handed out once its line is whole.  Operands are
 * expanded again as directories change: new files join, one that is renamed is read to its end and its name's new file from its beginning, one
 * that was cut short is a new source.  Marks come among the chunks (DP_CHUNK_MARK, without a run id): about once a second a row of checkpoints for the
 * sources that moved, and a heartbeat; idle when all have been quiet for a while, active when one goes on.
 * It ends by a signal or a failure only (DP_SIGNALLED; DP_PIPE when nobody reads run->out any more).
 */

/*
 * Position ids are `NAME[#MEMBER]@LENGTH:HASH`: HASH is over the first LENGTH bytes, min(4096, what there was) when the source was first read.
 * So a file that grew is still the same source, and one that was rewritten is a new one.
 *
 * True when `id` is an id of this source by name and its hash is that of our own first LENGTH bytes; then it becomes origin->position_id.
 */
bool dp_origin_adopt(struct dp_origin *origin, const char *id);
/* Bytes that the fingerprint in an id covers; 0: it is none. */
uint64_t dp_origin_reach(const char *id);
/* An origin of its own, with the id that the head gives (its first 4096 bytes); caller releases with dp_origin_free (NULL is legal). */
struct dp_origin *dp_origin_new(const char *name, const char *member, struct dp_str head);
void dp_origin_free(struct dp_origin *o);

/* The names that operands stand for: globs and directories expanded. The caller frees the list and its strings, also after a failure. */
enum dp_status dp_names_expand(const struct dp_run *run, const char *const *names, size_t n, char ***out, size_t *n_out, struct dp_err *err) DP_MUST_CHECK;

/*
 * Names are operands: files, globs, directories, tables; "-" or n == 0: standard input.  Strings and opts are borrowed until close.
 * A name that can't be opened is DP_IO at open or at the first next that reaches it.
 * Of several Parquet files and tables each is read as the set that they are (dp/io/evolve.h): all footers first, DP_SCHEMA where two are in conflict.  Paths of a pipe are
 * a set up to the next mark; a file inside an archive, a compressed one, and one of a source that is followed is read by its own schema.
 * On standard input (not raw_stdin) every line that is a mark is a chunk of its own, DP_CHUNK_MARK; a stream whose first line that is no
 * mark is a path is a stream of paths (opts->paths); a line of the other kind later is DP_FORMAT.  In named sources a mark is data
 * like any other, and refused later for its key (origin->foreign).
 * While waiting, reads must also look at run->stop_fd (readable: return DP_SIGNALLED).
 */
enum dp_status dp_sources_open(struct dp_run *run, const char *const *names, size_t n, const struct dp_source_opts *opts,
                               struct dp_sources **out, struct dp_err *err) DP_MUST_CHECK;
/*
 * Before the first next: the schema of all sources together; *schema NULL where one has none (NDJSON without a contract, a pipe).  Caller releases with
 * dp_type_free.  DP_SCHEMA: two disagree on a column, both named.  A source that can't be read is no failure here.
 */
enum dp_status dp_sources_survey(struct dp_sources *s, struct dp_type **schema, struct dp_err *err) DP_MUST_CHECK;
size_t dp_sources_count(const struct dp_sources *s); /* names, globs and directories expanded; SIZE_MAX: followed, so not known */
/* Fills the chunk (its buffers are reused); DP_END: no more.  One thread at a time, in order. */
enum dp_status dp_sources_next(struct dp_sources *s, struct dp_chunk *chunk, struct dp_err *err) DP_MUST_CHECK;
/* Raw bytes to NDJSON in chunk->text; any thread, worker is 0..threads-1.  For NDJSON it does nothing. */
enum dp_status dp_sources_convert(struct dp_sources *s, unsigned worker, struct dp_chunk *chunk, struct dp_err *err) DP_MUST_CHECK;
/* True when the input is standard input as a stream of dp (n == 0 or "-", not raw_stdin): marks may come, begin is not ours to write. */
bool dp_sources_piped(const struct dp_sources *s);
/* Adds what was asked for, operand by operand, to the `origins` of a begin of our own. */
void dp_sources_origins(const struct dp_sources *s, struct dp_mark *begin);
void dp_sources_close(struct dp_sources *s); /* NULL is legal */

void dp_chunk_release(struct dp_chunk *c); /* buffers, mark, format_state; the struct itself stays the caller's */

#endif
