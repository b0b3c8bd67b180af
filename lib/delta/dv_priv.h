/* What both who read deletion vectors (dv.c) and who write them (dv_write.c) go by: digest section 10, the roaring format specification. */
#ifndef DP_DELTA_DV_PRIV_H
#define DP_DELTA_DV_PRIV_H

#define DV_MAGIC 1681511377u     /* of the portable 64-bit layout */
#define DV_COOKIE_PLAIN 12346u   /* a 32-bit bitmap without runs */
#define DV_COOKIE_RUNS 12347u
#define DV_NO_OFFSETS_BELOW 4    /* containers, where there are runs */
#define DV_Z85 "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"

#endif
