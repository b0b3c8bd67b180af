/* YAML and contracts from any bytes: no crash; what is read can be walked, typed and, as a contract, written and read again. */
#include <dp/rules/contract.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct dp_yaml_node *n) {
    size_t seen = 1, below = n->kind == DP_YAML_MAP ? 2 * n->n : n->kind == DP_YAML_LIST ? n->n : 0;
    for (size_t i = 0; i < below; i++) seen += walk(n->items[i]);
    return seen;
}

static void write_and_read(const struct dp_type *schema) {
    struct dp_buf b = {0};
    struct dp_contract c;
    struct dp_err err = DP_ERR_INIT;
    dp_contract_write(&(struct dp_contract_draft){.id = "x", .name = "x", .schema = schema}, &b);
    if (dp_contract_parse(dp_buf_str(&b), "written", &c, &err) != DP_OK) abort();
    dp_contract_release(&c);
    dp_buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dp_str text = dp_str((const char *)data, size);
    struct dp_yaml doc;
    struct dp_contract c;
    if (dp_yaml_parse(text, "fuzz", &doc, NULL) != DP_OK) return 0;
    if (walk(doc.root) != doc.root->weight) abort();
    dp_yaml_release(&doc);
    if (dp_contract_parse(text, "fuzz", &c, NULL) != DP_OK) return 0;
    for (size_t i = 0; i < c.n_objects; i++) {
        struct dp_type *schema = NULL;
        if (dp_contract_schema(&c, &c.objects[i], &schema, NULL) != DP_OK) continue;
        write_and_read(schema);
        dp_type_free(schema);
    }
    dp_contract_release(&c);
    return 0;
}
