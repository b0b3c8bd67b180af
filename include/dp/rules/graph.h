/*
 * A graph of lineage: datasets, jobs and columns, what flows between them, its layout, and its pictures (DOT, Mermaid, JSON, an HTML page).
 *
 * An edge goes from a dataset to a dataset and names the job that it went through: what a job read in one run never seems to flow into what it wrote in another.
 * A job that read and wrote nothing (an end without a name) has an edge with that end DP_GRAPH_NONE.  Column edges go from a column to a column, or to a
 * dataset where the column decides on its whole rows (a filter, a join key).
 *
 * Call order: dp_graph_node, _column, _edge, _note, _run in any order and as often as they come up (the same thing again is that thing); dp_graph_settle; then
 * the rest.  Settling puts everything in order of names, so that the same graph gives the same bytes however it was filled.
 */
#ifndef DP_RULES_GRAPH_H
#define DP_RULES_GRAPH_H

#include <dp/base/arena.h>
#include <dp/base/buf.h>
#include <dp/base/map.h>

#define DP_GRAPH_NONE UINT32_MAX

enum dp_graph_kind { DP_GRAPH_DATASET, DP_GRAPH_JOB, DP_GRAPH_COLUMN };

/* How a column came out of another: bits, those of the store (dp/io/catalog.h).  Identity to aggregation are direct, the others indirect. */
enum dp_graph_how {
    DP_GRAPH_IDENTITY = 1, DP_GRAPH_TRANSFORMATION = 2, DP_GRAPH_AGGREGATION = 4,
    DP_GRAPH_JOIN = 8, DP_GRAPH_GROUP_BY = 16, DP_GRAPH_FILTER = 32, DP_GRAPH_SORT = 64, DP_GRAPH_WINDOW = 128, DP_GRAPH_CONDITIONAL = 256,
    DP_GRAPH_INDIRECT = 512 /* no more is said */
};
#define DP_GRAPH_DIRECT 7u

/* Strings are the graph's; what the caller sets it copies there with dp_graph_text. */
struct dp_graph_node {
    enum dp_graph_kind kind;
    struct dp_str ns, name;    /* a column has no namespace */
    uint32_t dataset;          /* of a column, else DP_GRAPH_NONE */
    uint32_t ordinal;          /* of a column, from 1; 0: not known */
    struct dp_str type;        /* column: its type; dataset: "delta", "parquet", "csv" ...; job: "batch", "streaming" */
    struct dp_str text;        /* documentation */
    struct dp_str state;       /* dataset: "live", "dropped"; job: of its last run, "complete", "fail", "abort", "running"; column: "", "gone" */
    int64_t first_at, last_at; /* microseconds since 1970; 0: not known.  last_at of a dataset: last written */
    int64_t due_at;            /* dataset: it is stale when nothing was written by then; 0: nothing was promised */
    bool is_focus;             /* asked for by name */
    bool is_apart;             /* dp_graph_fold leaves it as it is */
    uint32_t files;            /* dataset: how many it stands for; 0: it is itself */
    struct dp_str programs;    /* job: those of the pipeline that it stands for, with ", " between; empty: it is itself */
    uint32_t n_programs;
};

struct dp_graph_edge {
    uint32_t src, dst;         /* two datasets; a column and a column or dataset */
    uint32_t job;              /* DP_GRAPH_NONE: not known */
    unsigned how;              /* of column edges: enum dp_graph_how */
    bool masking;              /* the clear value can't be seen any more */
    int64_t first_at, last_at;
    uint64_t runs;             /* how many were seen; 0: not known */
};

enum dp_graph_what { DP_GRAPH_TAG, DP_GRAPH_OWNER, DP_GRAPH_CLASS };
struct dp_graph_note {
    uint32_t node;
    enum dp_graph_what what;
    struct dp_str a, b;        /* tag: key, value; owner: name, type; class: its name */
};

struct dp_graph_run {
    uint32_t node;             /* a job, or a dataset that it wrote */
    struct dp_str id, state;
    int64_t started_at, ended_at; /* 0: not known */
    uint64_t rows, bytes;      /* of the dataset; UINT64_MAX: not known */
};

/* Zero value is empty; dp_graph_release frees. */
struct dp_graph {
    struct dp_graph_node *nodes; /* settled: datasets, then jobs, both by namespace and name, then columns by dataset and place */
    struct dp_graph_edge *edges; /* settled: dataset edges, then column edges */
    struct dp_graph_note *notes;
    struct dp_graph_run *runs;   /* settled: of each node the newest first */
    size_t n_nodes, n_edges, n_notes, n_runs;
    size_t n_drawn;              /* settled: datasets and jobs */
    size_t n_flows;              /* settled: dataset edges */
    uint32_t *columns;           /* settled: columns[d] is the first column of dataset d, up to columns[d + 1] */
    size_t most_runs;            /* of a node, those beyond go when it is settled; 0: all stay */
    int64_t as_of;               /* the moment it shows; 0: not said */
    struct dp_map names;
    struct dp_arena arena;
    size_t cap_nodes, cap_edges, cap_notes, cap_runs;
};

void dp_graph_release(struct dp_graph *g);
struct dp_str dp_graph_text(struct dp_graph *g, struct dp_str s);
/* Finds or adds; the number holds until dp_graph_settle, _select, _group or _fold. */
uint32_t dp_graph_node(struct dp_graph *g, enum dp_graph_kind dataset_or_job, struct dp_str ns, struct dp_str name);
uint32_t dp_graph_column(struct dp_graph *g, uint32_t dataset, struct dp_str name);
/* The same without adding: DP_GRAPH_NONE where it is not there.  Before settling. */
uint32_t dp_graph_find(const struct dp_graph *g, enum dp_graph_kind dataset_or_job, struct dp_str ns, struct dp_str name);
uint32_t dp_graph_find_column(const struct dp_graph *g, uint32_t dataset, struct dp_str name);
void dp_graph_edge(struct dp_graph *g, const struct dp_graph_edge *e); /* copied */
void dp_graph_note(struct dp_graph *g, uint32_t node, enum dp_graph_what what, struct dp_str a, struct dp_str b);
void dp_graph_run(struct dp_graph *g, const struct dp_graph_run *r); /* copied with its strings */

/*
 * Leaves what can be reached from the nodes whose is_focus is set (none: everything stays): up to what they come from, down to what comes from them, at most `depth` datasets away
 * (0: however far).  From a column its column edges are followed, and what stays is the part of the graph that they run through.  Before settling.
 */
enum dp_graph_ways { DP_GRAPH_BOTH, DP_GRAPH_UP, DP_GRAPH_DOWN };
void dp_graph_select(struct dp_graph *g, enum dp_graph_ways ways, uint32_t depth);
/* Programs of one pipeline (jobs called PIPELINE.dp-PROGRAM) become one job, that of the pipeline.  Before selecting, for a part of it would be no pipeline. */
void dp_graph_group(struct dp_graph *g);
/* Files of one dataset (dp/rules/fold.h) become one, their columns by name too; tables don't.  After selecting, so that only what is shown counts, and before settling. */
void dp_graph_fold(struct dp_graph *g);
void dp_graph_settle(struct dp_graph *g);

/* ---- layout: layers from left to right, few crossings, cards that don't touch; near linear in nodes and edges ---- */

#define DP_GRAPH_CARD_WIDTH 200 /* of datasets and jobs; the units of the page */
#define DP_GRAPH_CARD_HEIGHT 44

struct dp_graph_point { int32_t x, y; };
struct dp_graph_spot {
    uint32_t part;  /* which connected part of the graph */
    uint32_t layer; /* in it, from the left */
    int32_t x, y;   /* of the card's left upper corner */
};
/* Zero value is empty; dp_graph_layout_release frees. */
struct dp_graph_layout {
    struct dp_graph_spot *spots;  /* n_drawn of them */
    uint32_t *trunk_at;           /* the lines that leave node i to the right pass trunk[trunk_at[i]..trunk_at[i + 1]), a point in each layer between it and the farthest end */
    struct dp_graph_point *trunk;
    int32_t width, height;
    uint64_t crossings;           /* of lines between neighbouring layers */
};
void dp_graph_lay(const struct dp_graph *g, struct dp_graph_layout *out);
void dp_graph_layout_release(struct dp_graph_layout *l);

/* ---- pictures; all take a settled graph and append ---- */

struct dp_graph_view {
    struct dp_str title;
    bool columns; /* DOT, Mermaid, JSON: columns and their edges too; HTML has them always, and opens with them shown */
};
void dp_graph_dot(const struct dp_graph *g, const struct dp_graph_layout *l, const struct dp_graph_view *v, struct dp_buf *b);
/* DP_LIMIT: past DP_LIMIT_MERMAID_EDGES or DP_LIMIT_MERMAID_BYTES, which are what Mermaid takes unless it is configured otherwise; nothing is appended. */
enum dp_status dp_graph_mermaid(const struct dp_graph *g, const struct dp_graph_view *v, struct dp_buf *b, struct dp_err *err) DP_MUST_CHECK;
/* One object; its form stands in dp-lineage(1). */
void dp_graph_json(const struct dp_graph *g, const struct dp_graph_layout *l, const struct dp_graph_view *v, struct dp_buf *b);
/* One page that refers to nothing outside itself; its policy lets no other script run than its own. */
void dp_graph_html(const struct dp_graph *g, const struct dp_graph_layout *l, const struct dp_graph_view *v, struct dp_buf *b);

#endif
