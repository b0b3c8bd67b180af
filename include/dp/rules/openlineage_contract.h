/*
 * What a contract says of data and of who answers for it, as OpenLineage facets: owners (team), description, tags, descriptions and classifications of columns.
 */
#ifndef DP_RULES_OPENLINEAGE_CONTRACT_H
#define DP_RULES_OPENLINEAGE_CONTRACT_H

#include <dp/rules/contract.h>
#include <dp/rules/openlineage.h>

struct dp_ol_class { char *column, *word; };

/* Zero value says nothing; everything owned, dp_ol_about_release. */
struct dp_ol_about {
    struct dp_type *schema;      /* whose columns have the contract's descriptions; NULL: not known */
    struct dp_buf facets;        /* of the dataset: ownership and documentation */
    struct dp_buf job_facets;    /* of a job that works by the contract, tags among them */
    struct dp_buf tags;          /* items of the dataset's tags, each with a comma before it */
    struct dp_ol_class *classes; /* classified columns, n_classes of them */
    size_t n_classes;
};

/* What it says of one of its objects.  Who left the team is no owner; a tag KEY:VALUE is that, any other has the value "true". */
void dp_ol_about_read(const struct dp_contract *c, const struct dp_contract_object *o, struct dp_ol_about *a);
/*
 * Into a dataset, where no facet of it says otherwise: ownership and documentation, tags with the classes of those columns that it has and that no mask was laid over, and
 * descriptions of columns that have none.
 */
void dp_ol_about_dataset(const struct dp_ol_about *a, struct dp_ol_dataset *d);
void dp_ol_about_release(struct dp_ol_about *a);

#endif
