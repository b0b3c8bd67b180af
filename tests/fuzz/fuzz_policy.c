/*
 * Masking policies, and records through what they make of a contract.  The input is a policy, a line "---" and records.  What comes out of a mask must be
 * a record, and no string of a classified column may come through where no rule lets it.
 */
#include <dp/rules/mask.h>

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char contract_text[] = "apiVersion: v3.1.0\nkind: DataContract\nid: t\nversion: 1.0.0\nstatus: active\nschema:\n  - name: t\n    properties:\n"
                                    "      - {name: a, logicalType: string, classification: confidential, tags: [pii]}\n      - {name: n, logicalType: integer}\n"
                                    "      - {name: d, logicalType: date, classification: restricted}\n      - {name: t, logicalType: timestamp}\n"
                                    "      - {name: x, logicalType: number, physicalType: 'decimal(10,2)'}\n      - {name: j, logicalType: object}\n"
                                    "      - name: l\n        logicalType: array\n        items:\n          logicalType: object\n          properties:\n"
                                    "            - {name: a, logicalType: string, classification: confidential}\n            - {name: b, logicalType: string}\n";

static bool names_a_file(const struct dp_policy_view *v) {
    const struct dp_policy_entry *e[] = {v->columns, v->tags, v->classifications};
    const size_t n[] = {v->n_columns, v->n_tags, v->n_classifications};
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < n[k]; i++)
            if (e[k][i].rule.file) return true;
    return false;
}

static void run_records(const struct dp_mask *m, struct dp_str text) {
    struct dp_mask_run *run = dp_mask_run_open(m);
    struct dp_scan *scan = dp_scan_open(1 << 20, DP_SCAN_AUTO), *check = dp_scan_open(1 << 24, DP_SCAN_AUTO);
    struct dp_mask_reject why;
    struct dp_record r, made;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf in = {0}, out = {0};
    enum dp_status status;
    dp_buf_adds(&in, text);
    dp_buf_reserve(&in, DP_SCAN_PAD);
    dp_scan_begin(scan, in.p, in.n);
    while ((status = dp_scan_next(scan, &r, &err)) != DP_END) {
        if (status != DP_OK || r.duplicate_keys) continue;
        dp_buf_reset(&out);
        if (dp_mask_record(run, &r, &out, &why) != DP_OK) {
            if (out.n || !why.rule) abort();
            continue;
        }
        dp_buf_reserve(&out, DP_SCAN_PAD);
        if (dp_scan_value(check, out.p, out.n, &made, &err) != DP_OK || made.nodes[0].kind != DP_KIND_OBJECT || made.duplicate_keys) abort();
    }
    dp_scan_close(scan);
    dp_scan_close(check);
    dp_mask_run_close(run);
    dp_buf_release(&in);
    dp_buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct dp_str text = {(const char *)data, n}, records = {NULL, 0};
    struct dp_policy p;
    struct dp_contract c;
    const struct dp_contract_object *o;
    struct dp_err err = DP_ERR_INIT;
    for (size_t i = 0; i + 5 <= n; i++)
        if (memcmp(text.p + i, "\n---\n", 5) == 0) {
            records = dp_str(text.p + i + 5, n - i - 5);
            text.n = i + 1;
            break;
        }
    if (dp_policy_parse(text, "policy", &p, &err) != DP_OK) return 0;
    bool files = names_a_file(&p.all);
    for (size_t i = 0; i < p.n_roles; i++) files = files || names_a_file(&p.roles[i]);
    if (!files && dp_contract_parse(dp_str(contract_text, sizeof contract_text - 1), "contract", &c, &err) == DP_OK) {
        struct dp_keyring *ring = NULL;
        struct dp_mask *m = NULL;
        if (dp_contract_object(&c, NULL, &o, &err) != DP_OK || dp_keyring_parse(DP_STR("k:00112233445566778899aabbccddeeff"), "key", &ring, &err) != DP_OK) abort();
        for (int u = 0; u < 3; u++) {
            if (dp_mask_compile(&c, o, &p, p.n_roles ? p.roles[0].role : NULL, (enum dp_mask_unknown)u, &m, &err) != DP_OK) continue;
            if (dp_mask_set_key(m, ring, &err) != DP_OK) abort();
            run_records(m, records);
            dp_mask_free(m);
        }
        dp_keyring_free(ring);
        dp_contract_release(&c);
    }
    dp_policy_release(&p);
    return 0;
}
