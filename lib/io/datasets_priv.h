/* A dataset that was noted, and the header that its columns are told by (datasets.c, datasets_columns.c). */
#ifndef DP_IO_DATASETS_PRIV_H
#define DP_IO_DATASETS_PRIV_H

#include <dp/io/datasets.h>

struct datasets_facet {
    char *key, *members;
};

struct datasets_facets {
    struct datasets_facet *v;
    size_t n, cap;
};

struct dp_dataset {
    struct dp_datasets *all; /* that it is one of */
    struct dp_ol_dataset d;  /* without columns and facets: those are printed when it is asked for */
    struct datasets_facets facets, side_facets;
    char *fields, *origins;  /* of the header; NULL: none */
    struct dp_type *names;   /* its schema; NULL */
    bool has_header;
    struct dp_ol_about about; /* by the contract that the table keeps */
    bool has_about;
};

/* One entry of a header's origins. */
struct datasets_origin {
    char *ns, *name, *source; /* source NULL: the stream's own */
    struct dp_type *columns;  /* that it has, as a struct; NULL: all that the header names */
};

/* The string that is the member `key`, caller frees; NULL: there is none. */
char *datasets_text(const struct dp_record *r, uint32_t of, const char *key);
/* Those that a header names; caller releases with datasets_origins_free. */
struct datasets_origin *datasets_origins(const char *origins, size_t *n);
void datasets_origins_free(struct datasets_origin *o, size_t n);
/* Takes `about` over. */
void datasets_set_about(struct dp_dataset *d, struct dp_ol_about *about);
/* The two members of a columnLineage facet; each NULL: there is nothing to say. */
void datasets_columns(const struct dp_dataset *d, char **columns, char **of_all);

#endif
