/*
 * Thrift compact protocol, as far as Parquet uses it (spec: thrift-compact-protocol).  The reader is a cursor with a sticky fault: after
 * a fault every read yields zero and dp_tr_field yields false, so that callers look at `fault` once.  Nothing is allocated here.
 */
#ifndef DP_PARQUET_THRIFT_PRIV_H
#define DP_PARQUET_THRIFT_PRIV_H

#include <dp/base/arena.h>
#include <dp/base/buf.h>

enum dp_tt { DP_TT_STOP, DP_TT_TRUE, DP_TT_FALSE, DP_TT_I8, DP_TT_I16, DP_TT_I32, DP_TT_I64, DP_TT_DOUBLE, DP_TT_BINARY, DP_TT_LIST,
    DP_TT_SET, DP_TT_MAP, DP_TT_STRUCT, DP_TT_UUID };

struct dp_tr {
    const uint8_t *p, *end;
    const char *fault; /* NULL: none so far */
    uint64_t bound;    /* of the memory for what is read; 0: none */
    bool over;         /* the fault is that it would be passed */
};

/* State of one struct: zero-initialise, then call dp_tr_field until it is false. */
struct dp_tr_struct {
    int32_t id;     /* of the field at hand */
    uint8_t type;
    uint64_t seen;  /* ids 0..63; a known id twice is a fault */
};

void dp_tr_fail(struct dp_tr *t, const char *why);
uint64_t dp_tr_varint(struct dp_tr *t);
bool dp_tr_field(struct dp_tr *t, struct dp_tr_struct *s);
/* Passes over the value of the field at hand, whatever it is. */
void dp_tr_skip(struct dp_tr *t, const struct dp_tr_struct *s);

/* Each reads the field's value when it has the expected wire type and returns true; another type is skipped, false. */
bool dp_tr_i32(struct dp_tr *t, const struct dp_tr_struct *s, int32_t *out);
bool dp_tr_i64(struct dp_tr *t, const struct dp_tr_struct *s, int64_t *out);
bool dp_tr_i8(struct dp_tr *t, const struct dp_tr_struct *s, int8_t *out);
bool dp_tr_bool(struct dp_tr *t, const struct dp_tr_struct *s, bool *out);
bool dp_tr_bytes(struct dp_tr *t, const struct dp_tr_struct *s, struct dp_str *out); /* borrowed from the input */
bool dp_tr_is_struct(struct dp_tr *t, const struct dp_tr_struct *s);                /* true: fields follow */
/* True: *n elements of `type` follow; each takes at least min_bytes, which bounds *n by the bytes left. */
bool dp_tr_list(struct dp_tr *t, const struct dp_tr_struct *s, enum dp_tt type, size_t min_bytes, size_t *n);
/* Elements of lists. */
int32_t dp_tr_elem_i32(struct dp_tr *t);
int64_t dp_tr_elem_i64(struct dp_tr *t);
bool dp_tr_elem_bool(struct dp_tr *t);
struct dp_str dp_tr_elem_bytes(struct dp_tr *t);

/* ---- writing: `last` is the id of the field before, 0 at a struct's start ---- */

void dp_tw_varint(struct dp_buf *b, uint64_t v);
void dp_tw_head(struct dp_buf *b, int *last, int id, enum dp_tt type);
void dp_tw_i32(struct dp_buf *b, int *last, int id, int32_t v);
void dp_tw_i64(struct dp_buf *b, int *last, int id, int64_t v);
void dp_tw_i16(struct dp_buf *b, int *last, int id, int16_t v);
void dp_tw_i8(struct dp_buf *b, int *last, int id, int8_t v);
void dp_tw_bool(struct dp_buf *b, int *last, int id, bool v);
void dp_tw_bytes(struct dp_buf *b, int *last, int id, struct dp_str v);
void dp_tw_list(struct dp_buf *b, int *last, int id, enum dp_tt type, size_t n);
void dp_tw_elem_i32(struct dp_buf *b, int32_t v);
void dp_tw_elem_i64(struct dp_buf *b, int64_t v);
void dp_tw_elem_bytes(struct dp_buf *b, struct dp_str v);
void dp_tw_empty(struct dp_buf *b, int *last, int id); /* an empty struct */
static inline void dp_tw_stop(struct dp_buf *b) { dp_buf_addc(b, 0); }

#endif
