/* feature_gates.h - --feature-gates: every gate of kube-apiserver 1.36 is known, few switch something here
 * (base/features.h). Gates are accepted because the command lines of clusters carry them. */
#pragma once

#include "base.h"

enum gate_stage { GATE_ALPHA, GATE_BETA, GATE_GA, GATE_DEPRECATED };
struct feature_gate {
    const char *name;
    enum gate_stage stage;
    bool default_value, is_locked;
    const char *needs; /* names with commas between: gates that must be on when this one is; NULL: none */
};
extern const struct feature_gate feature_gates[]; /* in name order */
extern const size_t n_feature_gates;

struct gate_choice {
    bool is_on;
    bool is_given; /* by name */
};

/* The flag's entries, NAME=BOOL or kube:NAME=BOOL, the last of a name counting, as one choice for each of
 * feature_gates. AllAlpha and AllBeta choose for what is not given by name. BAD_REQUEST in upstream's words:
 * a gate that is not known, or locked to the other value, or on without what it needs. Source:
 * kubernetes/component-base featuregate/feature_gate.go. */
int feature_gates_read(struct arena *a, const struct text_list *entries, struct gate_choice **ret,
                       struct status *st);
/* Switches what there is to switch, fills the metric, and says in the log which choices have no effect. Once,
 * at start. */
void feature_gates_adopt(const struct gate_choice *choices);
