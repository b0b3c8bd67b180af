/* Contracts of a lake (lake_contracts.c).  Private to lib/io. */
#ifndef DP_IO_LAKE_PRIV_H
#define DP_IO_LAKE_PRIV_H

#include <dp/io/run.h>
#include <dp/rules/openlineage_contract.h>

struct lake_contracts {
    struct lake_contract { char *path, *name; struct dp_ol_about about; int64_t at; } *v; /* one for each object, in the order of paths */
    size_t n, cap;
};

/* Could a file of this name be a contract? */
bool lake_names_contract(const char *name);
/* Its objects, where the file is a contract; what can't be read is *why's.  `at`: when it was written. */
enum dp_status lake_contracts_add(struct lake_contracts *l, const char *path, int64_t at, struct dp_err *why, struct dp_err *err) DP_MUST_CHECK;
/* That which speaks of the dataset; NULL: none. */
const struct lake_contract *lake_contracts_find(const struct lake_contracts *l, const char *path, const char *suffix);
void lake_contracts_release(struct lake_contracts *l);

/* The types of a file, by those that it has or its first records; NULL: not known.  `format` as in a lake: "parquet", "avro", or any other. */
enum dp_status lake_learn(struct dp_run *run, const char *file, const char *format, struct dp_type **schema, struct dp_err *why) DP_MUST_CHECK;

#endif
