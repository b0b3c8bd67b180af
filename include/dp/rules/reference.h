/*
 * What a contract's references name: elements of slaProperties ("orders.ts", "ts" where there is one object) and ends of relationships ("customers.id",
 * "accounts.address.street", "schema/<id>/properties/<id>", "file.yaml#/schema/...").  ODCS 3.1, References.
 *
 * Nothing outside of the document is opened: what lies in another file is only split into its parts.
 */
#ifndef DP_RULES_REFERENCE_H
#define DP_RULES_REFERENCE_H

#include <dp/record/field.h>
#include <dp/rules/contract.h>

#define DP_REFERENCE_DEPTH 64

struct dp_reference {
    struct dp_str file;                         /* in front of `#`; n == 0: this document */
    bool by_id;                                 /* schema/<id>/properties/<id> */
    struct dp_str object_name;                  /* as written (its id where by_id); n == 0: not told */
    const struct dp_contract_object *object;    /* NULL: the document has none such (always of another file) */
    const struct dp_contract_property *chain[DP_REFERENCE_DEPTH]; /* from the top-level property on, n of them; 0: there is none such */
    size_t n;
    struct dp_str rest;                         /* behind the object, as written: "address.street", "properties/a/properties/b" */
};

/* `only`: the object that a bare property belongs to, or NULL: the first part must be an object. */
struct dp_reference dp_reference_read(const struct dp_contract *c, const char *text, const struct dp_contract_object *only);
/* The way to the property in a record; caller releases with dp_path_release. */
void dp_reference_path(const struct dp_reference *r, struct dp_path *path);

#endif
