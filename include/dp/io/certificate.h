/*
 * Certificates of erasures: the report of one (dp/io/erase.h), and where the audit log has it, signed.  No personal data stands in it, so that it can be kept when all else is gone, and anybody
 * can check it with the public key.
 *
 *     {"dp_certificate":1,"report":{...},"audit":{"log":"UUID","seq":N,"hash":"HEX"},"time":"...","key":"ID","signature":"HEX"}
 *
 * on one line.  What is signed (Ed25519, dp/base/sign.h, tag dp-erasure) are the bytes in front of `,"signature"`.
 */
#ifndef DP_IO_CERTIFICATE_H
#define DP_IO_CERTIFICATE_H

#include <dp/base/buf.h>
#include <dp/base/sign.h>
#include <dp/io/run.h>

/*
 * The certificate of a report behind out's content, with its newline.  DP_RULE: the report says that nothing was verified, or that something is left, or the audit log does not have it as it
 * is: it was altered, or is of another log.  DP_FORMAT: it is no report.  audit: directory of the log, or NULL.
 */
enum dp_status dp_certify(const struct dp_run *run, struct dp_str report, const char *audit, const struct dp_sign_key *key, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;
/* DP_FORMAT: it is no certificate, or not of this key, or was altered.  *report is the text of the report in it. */
enum dp_status dp_certificate_check(struct dp_str text, const struct dp_sign_public *key, struct dp_str *report, struct dp_err *err) DP_MUST_CHECK;

#endif
