/* Zoneinfo files from any bytes: no crash, and what is read has periods that follow each other. */
#include <dp/base/zone.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int64_t times[] = {INT64_MIN, INT64_MIN / 1000, -3000000000, -1, 0, 1711843200, 4102444800, 40000000000, INT64_MAX / 1000, INT64_MAX};
    struct dp_zone *z;
    if (dp_zone_read("Fuzz", dp_str((const char *)data, size), &z, NULL) != DP_OK) return 0;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        (void)dp_zone_offset(z, times[i]);
        (void)dp_zone_instant(z, times[i]);
        for (int unit = DP_CALENDAR_DAY; unit <= DP_CALENDAR_MONTH; unit++) {
            int64_t s, e, s2, e2, t = times[i] / 1000;
            for (int n = 0; n < 4 && dp_zone_period(z, (enum dp_calendar)unit, 1 + n, t, &s, &e); n++) {
                if (s > t || t >= e) abort();
                if (!dp_zone_period(z, (enum dp_calendar)unit, 1 + n, e, &s2, &e2)) break;
                if (s2 != e) abort();
                t = e2 - 1;
            }
        }
    }
    dp_zone_close(z);
    return 0;
}
