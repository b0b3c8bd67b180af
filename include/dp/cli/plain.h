/*
 * Pipelines that need no shell: plain words, '...' and "..." without anything in them that a shell would expand, and `|`.
 */
#ifndef DP_CLI_PLAIN_H
#define DP_CLI_PLAIN_H

#include <dp/base/status.h>

struct dp_plain_stage {
    char **argv; /* NULL at the end */
    size_t n;
    char *path;  /* the program's file */
};

struct dp_plain {
    struct dp_plain_stage *stage;
    size_t n;
    char *bytes;  /* what the words are in, */
    char **words; /* and argv */
};

/* False: the text is for a shell (or for nobody).  Programs are not looked up. */
bool dp_plain_parse(const char *text, struct dp_plain *out);
/*
 * Sets the path of each stage, found on `path` (colons between).  False: one is for a shell all the same: its name has no '/' and does not
 * begin with `dp-` (it may be a builtin or a keyword), it is not there, or its file is neither a binary nor begins with `#!`.
 */
bool dp_plain_find(struct dp_plain *p, const char *path);
void dp_plain_release(struct dp_plain *p);

#endif
