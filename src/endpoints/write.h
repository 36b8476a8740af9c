/* SPDX-License-Identifier: Apache-2.0 */
/* write.h - what the verbs that write share: an operation of the registry that ends a request. */
#pragma once

#include "endpoints/endpoints_internal.h"

struct language; /* of patches */

struct write_call {
    struct operation op;
    struct request *request;
    struct call *call;
    struct write_options options;
    struct value object; /* PUT: the new object, of the storage version; scale: the Scale that was sent */
    struct value patch;
    bool is_unmanaged; /* who changes the object is not recorded (binding a pod) */
    const struct language *language;
    struct text_list patch_duplicates, patch_unknown;
    /* Answers when the operation has worked, on a thread that may work. NULL: with the object. */
    enum flow (*respond)(struct request *r, struct call *c, struct write_call *w);
};

/* A write of c's object; everything but the verb's own is filled in. Goes with the arena. */
struct write_call *write_begin(struct request *r, struct call *c, enum operation_kind kind);
/* What the store takes: the defaulted object in the stored version, which has defaults of its own, as upstream's store
 * fills them in when it reads. */
int write_as_stored(struct arena *a, const struct resource *res, const struct value *object, struct value *ret,
                    struct status *st);
/* Submits and parks; touch nothing of the request afterwards. */
enum flow write_submit(struct write_call *w);
/* The same for the writes that bring a body, once the checks that come before it have passed: representation,
 * size, options. NULL: *ret_flow is what to return; FLOW_BLOCK sends large bodies to a worker. */
struct write_call *write_start(struct request *r, struct call *c, enum operation_kind kind,
                               const char *options_kind, enum flow *ret_flow);
/* The namespace of an object that is created: an absent one is filled in, another than the path's refused. */
int check_namespace(struct arena *a, struct call *c, struct value *object, struct status *st);

/* Might admission of such a request have to wait? Then it belongs on a worker before its body is read. */
bool write_may_wait(struct request *r, struct call *c, enum admission_verb verb);
/* What admission says to an object that is not stored as it comes: a subresource's own kind, a review. The operation of w, if
 * there is one, must go without. */
int write_ask_admission(struct write_call *w, enum admission_verb verb, const struct schema_kind *kind, struct value *object,
                        const struct value *old, struct status *st);
/* Notes who asks in the managed fields of an object that is answered and never stored, as upstream does. */
void write_manage_question(struct write_call *w, const struct schema_kind *kind, struct value *question);
/* An update is about to create what is not there: FORBIDDEN unless the user may do that too. */
int write_may_create(struct write_call *w, struct status *st);

/* Owners that are there twice count once, which the client is told: is_late when they came by a patch. */
void drop_repeated_owners(struct request *r, struct value *object, bool is_late);

/* DeleteOptions that stand in a body (delete.c); tree NULL or null: none given. */
int delete_options_of(struct request *r, const struct value *tree, struct delete_options *ret, bool *ret_is_dry_run,
                      struct status *st);
/* Patches (patch.c). Chooses w->language by the content type and reads the patch. */
int patch_read(struct request *r, struct write_call *w, struct status *st);
/* doc, canonical and of kind, patched, decoded and defaulted. */
int patch_apply(struct write_call *w, const struct schema_kind *kind, const struct value *doc,
                struct value *ret, struct status *st);
/* Of members that stand in an applied configuration twice: a failure or warnings, as field validation says. */
int patch_note_repeats(struct write_call *w, struct status *st);
