/* slaProperties (dp/rules/sla.h) as checks: the spans of times that they ask for are noted while records are checked. */
#include "check_priv.h"

enum dp_status check_compile_sla(struct check_compile *c) {
    struct dp_sla *list;
    size_t n;
    dp_sla_compile(c->c, c->o, c->v, &list, &n);
    c->k->sla_list = list;
    c->k->n_sla_list = n;
    c->k->slas = dp_arena_calloc(&c->v->arena, n + 1, sizeof *c->k->slas);
    for (size_t i = 0; i < n; i++) {
        struct check_field *f = check_find_field(c->k, dp_str_z(check_rule(c, list[i].rule)->property));
        if (!f || check_is_in_array(f)) {
            check_unsupported(c, list[i].rule, "its element is not a single value of a record");
            continue;
        }
        c->k->slas[c->k->n_slas++] = (struct check_sla){.sla = &list[i], .low = INT64_MAX, .high = INT64_MIN};
        check_add_op(f, CHECK_TIMES, CHECK_NEEDS_TIME, list[i].rule);
    }
    return DP_OK;
}
