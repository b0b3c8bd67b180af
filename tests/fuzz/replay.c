/*
 * Runs a fuzz target over files without a fuzzer: what a fuzzer once found stays found.
 * usage: fuzz_X FILE|DIR...     TAP with one line
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long n_run;

static void run_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return;
    size_t cap = 1u << 22, n;
    uint8_t *p = malloc(cap);
    if (p) {
        n = fread(p, 1, cap, f);
        uint8_t *exact = malloc(n ? n : 1); /* its own size, so that a sanitizer sees one byte too far */
        if (exact) {
            memcpy(exact, p, n);
            LLVMFuzzerTestOneInput(exact, n);
            n_run++;
        }
        free(exact);
    }
    free(p);
    fclose(f);
}

static void run_path(const char *path) {
    struct stat st;
    if (stat(path, &st)) return;
    if (!S_ISDIR(st.st_mode)) {
        run_file(path);
        return;
    }
    DIR *d = opendir(path);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));) {
        char sub[4096];
        if (e->d_name[0] == '.') continue;
        if (snprintf(sub, sizeof sub, "%s/%s", path, e->d_name) < (int)sizeof sub) run_path(sub);
    }
    closedir(d);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) run_path(argv[i]);
    const char *name = strrchr(argv[0], '/');
    name = name ? name + 1 : argv[0];
    if (n_run)
        printf("ok 1 - %s survives %lu inputs\n1..1\n", name, n_run);
    else
        printf("ok 1 - %s # SKIP no inputs found\n1..1\n", name);
    return 0;
}
