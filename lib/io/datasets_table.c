/* Datasets that are Delta tables (dp/io/datasets.h): what a snapshot tells of them, and the contract that it keeps. */
#include "datasets_priv.h"

#include <dp/delta/snapshot.h>

#include <stdlib.h>

bool dp_dataset_own_contract(const struct dp_delta_snapshot *s, struct dp_ol_about *about) {
    struct dp_str text = dp_delta_property(s, "dp.contract", ""), name = dp_delta_property(s, "dp.contract.object", "");
    struct dp_contract c = {.objects = NULL};
    const struct dp_contract_object *o = NULL;
    struct dp_err none = DP_ERR_INIT;
    if (!text.n || dp_contract_parse(text, "dp.contract", &c, &none) != DP_OK) return false;
    char *object = name.n ? dp_strndup(name.p, name.n) : NULL;
    bool found = dp_contract_object(&c, object, &o, &none) == DP_OK;
    if (found) dp_ol_about_read(&c, o, about);
    free(object);
    dp_contract_release(&c);
    return found;
}

void dp_dataset_about(struct dp_dataset *d, const struct dp_delta_snapshot *s) {
    struct dp_ol_about about = {.schema = NULL};
    if (d && s && dp_dataset_own_contract(s, &about)) datasets_set_about(d, &about);
}

void dp_dataset_table(struct dp_dataset *d, const struct dp_delta_snapshot *s) {
    if (!d) return;
    dp_dataset_version(d, s->version);
    dp_dataset_storage(d, "delta", "parquet");
    dp_dataset_schema(d, s->schema);
    dp_dataset_about(d, s);
}
