/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes, claims and drivers. */
#include "endpoints/printers/printers.h"

static void print_phase(struct row *r, struct text arg)
{
    bool is_deleting = value_find(r->o, "metadata.deletionTimestamp") != NULL;

    row_text(r, is_deleting ? TEXT("Terminating") : value_find_text(r->o, "status.phase"));
}

static void print_modes(struct row *r, const struct value *modes)
{
    static const struct {
        const char *mode, *word;
    } rows[] = {
        {"ReadWriteOnce", "RWO"},
        {"ReadOnlyMany", "ROX"},
        {"ReadWriteMany", "RWX"},
        {"ReadWriteOncePod", "RWOP"},
    };
    struct buffer b = BUFFER_IN(r->a);

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        bool is_in = false;
        for (size_t j = 0; modes && j < value_count(modes); j++)
            is_in |= text_is(value_text(&modes->items[j]), rows[i].mode);
        if (is_in)
            buffer_addf(&b, "%s%s", b.n ? "," : "", rows[i].word);
    }
    row_buffer(r, &b);
}

static void print_access_modes(struct row *r, struct text arg)
{
    print_modes(r, value_path(r->o, arg));
}

/* What a claim has got; nothing before it is bound. */
static void print_claim_access_modes(struct row *r, struct text arg)
{
    bool is_bound = value_find_text(r->o, "spec.volumeName").n > 0;

    print_modes(r, is_bound ? value_find(r->o, "status.accessModes") : NULL);
}

static void print_claim_capacity(struct row *r, struct text arg)
{
    if (value_find_text(r->o, "spec.volumeName").n)
        row_or(r, value_find_text(r->o, "status.capacity.storage"), "0");
    else
        row_str(r, "");
}

/* The annotation came before the field and wins. */
static void print_storage_class(struct row *r, struct text arg)
{
    const struct value *old = value_get(value_find(r->o, "metadata.annotations"), TEXT("volume.beta.kubernetes.io/storage-class"));

    row_text(r, old ? value_text(old) : value_find_text(r->o, "spec.storageClassName"));
}

static void print_volume_claim(struct row *r, struct text arg)
{
    const struct value *claim = value_find(r->o, "spec.claimRef");

    if (claim)
        row_text(r, arena_textf(r->a, "%.*s/%.*s", TEXT_ARG(value_get_text(claim, TEXT("namespace"))),
                               TEXT_ARG(value_get_text(claim, TEXT("name")))));
    else
        row_str(r, "");
}

static void print_token_requests(struct row *r, struct text arg)
{
    const struct value *requests = value_find(r->o, "spec.tokenRequests");
    struct buffer b = BUFFER_IN(r->a);

    for (size_t i = 0; i < value_count(requests); i++) {
        if (i)
            buffer_add_char(&b, ',');
        buffer_add(&b, value_get_text(&requests->items[i], TEXT("audience")));
    }
    row_text(r, value_count(requests) ? buffer_text(&b) : TEXT("<unset>"));
}

const struct printer storage_printers[] = {
    {"phase", print_phase},
    {"access_modes", print_access_modes},
    {"claim_access_modes", print_claim_access_modes},
    {"claim_capacity", print_claim_capacity},
    {"claim_class", print_storage_class},
    {"volume_class", print_storage_class},
    {"volume_claim", print_volume_claim},
    {"token_requests", print_token_requests},
    {NULL, NULL},
};
