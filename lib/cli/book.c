/*
 * What a run reads and writes, in its own report (--report, --json) and, told by the stages, in that of who heads them.
 *
 * A head that is asked for a report opens a file without a name, which its stages inherit; DP_RUN_BOOK says which descriptor that is, with device and inode, so that one that is something else
 * by then is left alone.  Each stage appends a line when it has ended its work.
 */
#include "cli_priv.h"

#include <dp/base/file.h>
#include <dp/io/datasets.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOK "DP_RUN_BOOK"
#define BOOK_FD 20      /* above those that a shell hands out itself */
#define BOOK_MOST (16 << 20)

/* The head's file, -1: there is none. */
static int book_of_head(void) {
    const char *text = getenv(BOOK);
    unsigned long long dev, ino;
    struct stat st;
    int fd;
    if (!text || sscanf(text, "%d:%llu:%llu", &fd, &dev, &ino) != 3 || fd < 3 || fstat(fd, &st) != 0) return -1;
    return S_ISREG(st.st_mode) && (unsigned long long)st.st_dev == dev && (unsigned long long)st.st_ino == ino ? fd : -1;
}

bool dp_cli_book_is_wanted(const struct dp_cli *cli) { return cli->common.report || cli->common.json || book_of_head() >= 0; }

void dp_cli_book_tell(const struct dp_cli *cli) {
    int fd = cli->run.datasets ? book_of_head() : -1;
    struct dp_buf b = {NULL, 0, 0};
    if (fd < 0) return;
    dp_buf_addc(&b, '{');
    dp_datasets_print(cli->run.datasets, &b);
    dp_buf_addz(&b, "}\n");
    (void)!write(fd, b.p, b.n); /* what is not told is missing in a report */
    dp_buf_release(&b);
}

void dp_cli_book_open(struct dp_cli *cli) {
    char text[80];
    struct stat st;
    int made;
    if ((!cli->common.report && !cli->common.json) || dp_spill_open(&made, NULL) != DP_OK) return;
    int fd = fcntl(made, F_DUPFD, BOOK_FD); /* which the stages inherit, as that one is not */
    close(made);
    if (fd < 0) return;
    if (fcntl(fd, F_SETFL, O_APPEND) != 0 || fstat(fd, &st) != 0) {
        close(fd);
        return;
    }
    snprintf(text, sizeof text, "%d:%llu:%llu", fd, (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    setenv(BOOK, text, 1);
    cli->book_fd = fd;
}

void dp_cli_book_begin_try(struct dp_cli *cli) {
    if (cli->book_fd > 0) (void)!ftruncate(cli->book_fd, 0);
}

void dp_cli_book_take(struct dp_cli *cli) {
    struct dp_buf b = {NULL, 0, 0};
    ssize_t got = 0;
    if (cli->book_fd <= 0) return;
    dp_datasets_close(cli->book);
    cli->book = dp_datasets_open();
    do {
        b.n += (size_t)got;
        got = pread(cli->book_fd, dp_buf_reserve(&b, 64 << 10), 64 << 10, (off_t)b.n);
    } while (got > 0 && b.n < BOOK_MOST);
    for (size_t i = 0, end; i < b.n; i = end + 1) {
        const char *nl = memchr(b.p + i, '\n', b.n - i);
        end = nl ? (size_t)(nl - b.p) : b.n;
        dp_datasets_take(cli->book, dp_str(b.p + i, end - i));
    }
    dp_buf_release(&b);
}

void dp_report_datasets(const struct dp_cli *cli, struct dp_buf *out) {
    const struct dp_datasets *d = cli->book ? cli->book : cli->run.datasets;
    if (!d) return;
    dp_buf_addc(out, ',');
    dp_datasets_print(d, out);
}

void dp_cli_book_close(struct dp_cli *cli) {
    if (cli->book_fd > 0) close(cli->book_fd);
    dp_datasets_close(cli->book);
    dp_datasets_close(cli->run.datasets);
    cli->book = cli->run.datasets = NULL;
    cli->book_fd = 0;
}
