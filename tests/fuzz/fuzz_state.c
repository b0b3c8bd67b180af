/*
 * Files of a durable state from any bytes, chosen by the first: a whole file; the entries of one whose checksums hold (so that what is behind them is met too); state.json.
 * No crash; entries that are read ascend, and written again they are the same bytes.
 */
#include "../../lib/io/state_priv.h"

#include <dp/base/file.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(int fd, uint64_t size) {
    struct dp_state_cursor c;
    struct dp_state_head head = {0};
    struct dp_buf last = {0}, again = {0};
    enum dp_status status = dp_state_cursor_open(&c, fd, size, 1, 7, &head, NULL);
    bool has = false;
    while (status == DP_OK && (status = dp_state_cursor_next(&c, NULL)) == DP_OK) {
        if (has && dp_str_cmp(dp_buf_str(&last), c.now.key) >= 0) abort();
        dp_buf_reset(&last), dp_buf_adds(&last, c.now.key), has = true;
        struct dp_str in = c.encoded;
        struct dp_state_entry e;
        dp_buf_reset(&again);
        dp_state_encode(&again, c.now.key, c.now.is_gone ? NULL : &c.now.value);
        in = dp_buf_str(&again);
        if (!dp_state_decode(&in, &e) || in.n || !dp_str_eq(e.key, c.now.key) || !dp_str_eq(e.value, c.now.value) || e.is_gone != c.now.is_gone) abort();
    }
    dp_state_cursor_release(&c);
    free(head.id);
    dp_buf_release(&last), dp_buf_release(&again);
}

static void read_entries(int fd, const uint8_t *data, size_t size) {
    struct dp_state_writer w;
    struct dp_state_head head = {.number = 7, .parent = 6, .id = (char[]){"x"}};
    dp_state_writer_init(&w, fd, 1, 7);
    if (dp_state_write_head(&w, &head, NULL) != DP_OK) abort();
    for (size_t at = 0; at < size;) { /* pieces of up to 255 bytes: one that is more than an entry makes the count wrong, and is met all the same */
        size_t n = data[at] < size - at - 1 ? data[at] : size - at - 1;
        if (dp_state_write_entry(&w, dp_str((const char *)data + at + 1, n), NULL) != DP_OK) abort();
        at += n + 1;
    }
    if (dp_state_write_end(&w, NULL) != DP_OK) abort();
    read_all(fd, w.bytes);
    dp_state_writer_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int fd;
    if (!size) return 0;
    if (data[0] % 3 == 2) {
        struct dp_buf text = {0}, name = {0};
        struct dp_str query;
        dp_buf_add(&text, data + 1, size - 1);
        if (dp_state_read_description("d", "dp-fuzz", &text, &name, &query, NULL) == DP_OK &&
            dp_state_same_query("it", query, query, NULL, NULL) != DP_OK) abort();
        dp_buf_release(&text), dp_buf_release(&name);
        return 0;
    }
    if (dp_spill_open(&fd, NULL) != DP_OK) return 0;
    if (data[0] % 3 == 1) {
        read_entries(fd, data + 1, size - 1);
    } else if (dp_fd_write(fd, data + 1, size - 1, NULL) == DP_OK) {
        read_all(fd, size - 1);
    }
    close(fd);
    return 0;
}
