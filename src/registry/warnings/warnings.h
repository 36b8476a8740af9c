/* SPDX-License-Identifier: Apache-2.0 */
/* warnings.h - what a write says to its client besides the answer: tables of places in an object, with a check and a text.
 * Source of every text and of their order: kubernetes pkg/api/<kind>/warnings.go and util.go, and WarningsOnCreate and
 * WarningsOnUpdate in pkg/registry/<group>/<kind>/strategy.go. */
#pragma once

#include "registry/registry_internal.h"

/* A walk through an object. Where it is, in upstream's form of a path: spec.containers[0].env[1] */
struct warnings {
    struct operation *op;
    const struct value *root; /* what the table's paths begin at: an object or a pod template */
    struct buffer path;
    size_t base; /* bytes of path that lead to root: 0 unless that is the template of a pod */
};

/* Says "PATH: MESSAGE" where something is there and check, if there is one, says true. Rules end with an empty one. */
struct warning_rule {
    const char *path; /* members, dots between; [] for every item of a list, [key] for a member whose name has dots */
    const char *message;
    bool (*check)(struct warnings *w, const struct value *v, const char *arg);
    const char *arg;
    bool is_absent;    /* the last member is not there: what is before it is */
    const char *shown; /* how the last member is written in the path, if otherwise */
    const struct warning_rule *each; /* rules for what is found there, instead */
};

/* Walks obj. at: how the path to obj is written, "" for the whole. */
void warnings_walk(struct operation *op, const struct warning_rule *rules, const struct value *obj, const char *at);
void warnings_apply(struct warnings *w, const struct warning_rule *rules, const struct value *v);
/* Adds ".member[i]" to the path (member with its dot; "" for none), which is cut back by setting its n. */
void warnings_step(struct warnings *w, const char *member, size_t i);
/* With the path, as a rule does. */
void warnings_say(struct warnings *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- checks --- */

bool warn_is(struct warnings *w, const struct value *v, const char *arg); /* is it this text? */
bool warn_is_negative(struct warnings *w, const struct value *v, const char *arg);
/* These say by themselves, and answer false. */
bool warn_ip(struct warnings *w, const struct value *v, const char *arg);
bool warn_cidr(struct warnings *w, const struct value *v, const char *arg);
bool warn_fraction(struct warnings *w, const struct value *v, const char *arg); /* a quantity that is no whole number */
/* v is the key of a node's label. arg "is": the key is said, too. */
bool warn_node_label(struct warnings *w, const struct value *v, const char *arg);
/* v's members' names are. arg: how they are added to the path: "[", "." or NULL, not at all. */
bool warn_node_labels(struct warnings *w, const struct value *v, const char *arg);
/* An item of v repeats the member arg of an earlier one. */
bool warn_repeats(struct warnings *w, const struct value *v, const char *arg);

/* --- pods --- */

extern const struct warning_rule warnings_of_pod[]; /* for a pod as for a template */
extern const struct warning_rule warnings_of_claim_spec[];
bool warn_volume_paths(struct warnings *w, const struct value *volumes, const char *arg);

/* Says so when the name is no DNS label, but is used as what it says. */
void warn_unless_label(struct operation *op, struct text name, const char *used_in);

/* --- kinds whose rules are algorithms; old NULL: a creation --- */

void warn_pod(struct operation *op, const struct value *obj, const struct value *old);
void warn_workload(struct operation *op, const struct value *obj, const struct value *old);
void warn_secret(struct operation *op, const struct value *obj, const struct value *old);
