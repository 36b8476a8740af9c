/* admission.h - floor 7: what may be written, and what is filled in before it is. A chain of plugins in kube-apiserver's order;
 * each is a file of its own (src/admission). The registry and the handlers call it through struct admission_hooks, which says
 * when, on which thread, and how one waits. What the server itself writes goes by.
 * Source: kubernetes pkg/kubeapiserver/options/plugins.go, kubernetes/apiserver pkg/admission. */
#pragma once

#include "authz.h"
#include "registry.h"

struct admission;

struct admission_options {
    struct registry *registry; /* this and all below are borrowed until admission_stop */
    struct authorizer *authz;  /* NULL: everybody may everything */
    const struct text_list *enable, *disable; /* names of plugins, besides the defaults; NULL: none */
    const char *config_file;   /* AdmissionConfiguration of apiserver.config.k8s.io/v1; NULL: none */
    int64_t not_ready_toleration_s, unreachable_toleration_s;
};

/* Reads the plugins' configuration and starts those that are on. BAD_REQUEST with upstream's words for names that do not exist or
 * are both enabled and disabled. */
int admission_start(const struct admission_options *opt, struct admission **ret, struct status *st);
/* After the last write. Accepts NULL. */
void admission_stop(struct admission *ad);
const struct admission_hooks *admission_hooks(const struct admission *ad);

/* The i-th plugin in calling order. False behind the last. */
struct admission_plugin_info {
    const char *name;
    bool is_default; /* on unless it is disabled */
    bool is_built;   /* false: taken by the flags, without effect so far */
};
bool admission_plugin_at(size_t i, struct admission_plugin_info *ret);
