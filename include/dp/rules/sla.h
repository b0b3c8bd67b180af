/*
 * slaProperties that data can show: the newest and the oldest value of a column of times against now.
 *
 *   latency, freshness    the newest value is at most so old
 *   retention             the oldest value is at most so old
 *   frequency             the newest value is at most one period old (gaps before it are not looked at)
 *   timeOfAvailability    at the last such time of day that has passed there was data of the day before it
 *
 * Values: a number with a unit (s, m: minutes, h, d, w, mo, y and their long words) or an ISO 8601 duration (P1Y, PT24H).  Months and years are the
 * calendar's.  Whoever reads records keeps the lowest and highest time of each; they are merged in any order.
 */
#ifndef DP_RULES_SLA_H
#define DP_RULES_SLA_H

#include <dp/rules/reference.h>
#include <dp/rules/verdict.h>

enum dp_sla_kind { DP_SLA_NONE, DP_SLA_LATENCY, DP_SLA_RETENTION, DP_SLA_FREQUENCY, DP_SLA_AVAILABILITY };

struct dp_sla {
    enum dp_sla_kind kind;
    uint32_t rule;                               /* in the verdict */
    const struct dp_contract_property *property; /* of the times: logical date or timestamp */
    struct dp_path path;                         /* to it in a record */
    int64_t months, micros;                      /* the age that is allowed; of AVAILABILITY micros is the time of day in UTC */
};

/*
 * Adds a rule for each element of each entry that is about this object (entries that name no object are about all), those that data can't show as
 * unsupported, by name.  *out has the others, n of them; caller releases with dp_sla_free.
 */
void dp_sla_compile(const struct dp_contract *c, const struct dp_contract_object *o, struct dp_verdict *v, struct dp_sla **out, size_t *n);
void dp_sla_free(struct dp_sla *s, size_t n);
/* Sets the rule's outcome from the lowest and the highest time in microseconds (low > high: there was none; then only retention passes). */
void dp_sla_judge(const struct dp_sla *s, int64_t low, int64_t high, int64_t now_micros, struct dp_verdict *v);

/* NULL: an age in months of the calendar and microseconds; else why it is none (static or in the arena).  unit NULL: ISO 8601. */
const char *dp_sla_age(struct dp_str value, const char *unit, int64_t *months, int64_t *micros, struct dp_arena *a);
/* Does an entry's `property` say retention? */
bool dp_sla_is_retention(const char *property);

#endif
