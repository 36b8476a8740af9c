/* server.h - floor 9: the process. Settings from flags and file, certificates of its own, wiring of the floors, hooks at
 * start, a drain at the end. */
#pragma once

#include "base.h"

/* What flags and the configuration file say. Strings live as long as the process. Lengths of time in nanoseconds. */
struct settings {
    /* generic */
    const char *advertise_address; /* NULL: the address of this machine's default route */
    const char *external_hostname;
    struct text_list feature_gates; /* NAME=BOOL */
    int64_t min_request_timeout; /* seconds */
    int64_t request_timeout;
    int64_t shutdown_delay_duration;
    int64_t shutdown_grace_period;
    bool shutdown_send_retry_after;
    /* storage */
    const char *data_dir;
    int64_t watch_history;
    bool watch_cache;
    struct text_list watch_cache_sizes;
    int64_t default_watch_cache_size; /* read and dropped, as upstream does */
    int64_t event_ttl;
    const char *encryption_provider_config;
    bool encryption_provider_config_automatic_reload;
    /* etcd */
    struct text_list etcd_servers; /* empty: the embedded store */
    struct text_list etcd_servers_overrides;
    const char *etcd_prefix, *etcd_cafile, *etcd_certfile, *etcd_keyfile;
    const char *storage_backend, *storage_media_type;
    int64_t etcd_compaction_interval, etcd_healthcheck_timeout, etcd_readycheck_timeout, etcd_count_metric_poll_period,
        etcd_db_metric_poll_interval;
    int64_t lease_reuse_duration_seconds;
    const char *endpoint_reconciler_type;
    int64_t apiserver_count;
    /* secure serving */
    const char *bind_address;
    int64_t secure_port;
    const char *cert_dir; /* NULL: pki below data_dir */
    const char *tls_cert_file, *tls_private_key_file, *tls_min_version;
    struct text_list tls_cipher_suites;
    int64_t serving_threads; /* 0: one per core */
    /* authentication, authorization */
    const char *client_ca_file, *token_auth_file;
    bool anonymous_auth;
    bool anonymous_auth_is_set;
    struct text_list api_audiences;
    bool enable_bootstrap_token_auth;
    const char *requestheader_client_ca_file;
    struct text_list requestheader_allowed_names, requestheader_username_headers, requestheader_uid_headers,
        requestheader_group_headers, requestheader_extra_headers_prefix;
    struct text_list service_account_issuer, service_account_key_file;
    const char *service_account_signing_key_file, *service_account_jwks_uri;
    bool service_account_lookup, service_account_extend_token_expiration;
    int64_t service_account_max_token_expiration;
    const char *authentication_config;
    const char *oidc_issuer_url, *oidc_client_id, *oidc_ca_file;
    const char *oidc_username_claim, *oidc_username_prefix, *oidc_groups_claim, *oidc_groups_prefix;
    struct text_list oidc_required_claim; /* claim=value */
    struct text_list oidc_signing_algs;
    bool oidc_is_set; /* one of these, by whatever value */
    const char *authentication_token_webhook_config_file, *authentication_token_webhook_version;
    int64_t authentication_token_webhook_cache_ttl;
    struct text_list authorization_mode;
    bool authorization_mode_is_set;
    const char *authorization_config, *authorization_policy_file;
    const char *authorization_webhook_config_file, *authorization_webhook_version;
    int64_t authorization_webhook_cache_authorized_ttl, authorization_webhook_cache_unauthorized_ttl;
    /* admission */
    struct text_list enable_admission_plugins, disable_admission_plugins;
    const char *admission_control_config_file;
    int64_t default_not_ready_toleration_seconds, default_unreachable_toleration_seconds;
    /* API enablement, misc */
    struct text_list runtime_config; /* key=value */
    const char *service_cluster_ip_range, *service_node_port_range;
    /* logs */
    int64_t v;
    const char *vmodule;
    /* global */
    const char *config;
    bool help, version;
};

/* Defaults, then the file that --config names, then the command line. BAD_REQUEST with one clear sentence: an unknown flag
 * names the nearest known one. a owns the strings. */
int settings_read(struct arena *a, int argc, char *const *argv, struct settings *ret, struct status *st);
/* --help: the flags by section. */
void settings_help(struct buffer *b);

/* Runs the server until it is told to end; the process's exit code. */
int server_run(const struct settings *s);
