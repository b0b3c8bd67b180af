/* What unit tests share: cmocka with what it needs, and the place of the shared corpus. */
#ifndef DP_TESTS_DPT_H
#define DP_TESTS_DPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Path below the shared corpus ($DP_SHARED, else ../shared), or a visible skip when it is not there. */
static inline const char *dpt_shared(char out[1024], const char *path) {
    const char *root = getenv("DP_SHARED");
    (void)snprintf(out, 1024, "%s/%s", root ? root : "../shared", path);
    if (access(out, R_OK)) {
        print_message("SKIP: %s is not there\n", out);
        skip();
    }
    return out;
}

#endif
