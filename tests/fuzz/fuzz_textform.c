/* Formats from any bytes: the first line is a form of times, the rest a text.  No crash; a date and time that was read prints, or is out of the calendar. */
#include <dp/base/time.h>
#include <dp/rules/textform.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *line = size ? memchr(data, '\n', size) : NULL;
    size_t n = line ? (size_t)(line - (const char *)data) : size;
    struct dp_str source = dp_str((const char *)data, n), text = line ? dp_str(line + 1, size - n - 1) : dp_str("", 0);
    struct dp_timeform *f = NULL;
    char out[40];
    int64_t micros;
    bool zone, yes = false;
    for (int i = 1; dp_textform_names[i]; i++) yes |= dp_textform_matches((enum dp_textform)i, text);
    if (!yes) abort(); /* binary and password take all */
    if (dp_timeform_compile(source, &f, NULL) != DP_OK) return 0;
    if (dp_timeform_read(f, text, &micros, &zone) && dp_time_print_micros(out, micros, zone, -1) > sizeof out) abort();
    dp_timeform_free(f);
    return 0;
}
