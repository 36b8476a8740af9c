/* server.h - floor 9: the process. Settings from flags and file, certificates of its own, wiring of the floors, hooks at
 * start, a drain at the end. */
#pragma once

#include "base.h"

/* What flags and the configuration file say. Strings live as long as the process. Lengths of time in nanoseconds. */
struct string_list {
    struct text *p;
    size_t n, cap;
};
struct settings {
    /* generic */
    const char *advertise_address; /* NULL: the address of this machine's default route */
    const char *external_hostname;
    int64_t min_request_timeout; /* seconds */
    int64_t request_timeout;
    int64_t shutdown_delay_duration;
    int64_t shutdown_grace_period;
    bool shutdown_send_retry_after;
    /* storage */
    const char *data_dir;
    int64_t watch_history;
    int64_t event_ttl;
    /* secure serving */
    const char *bind_address;
    int64_t secure_port;
    const char *cert_dir; /* NULL: pki below data_dir */
    const char *tls_cert_file, *tls_private_key_file, *tls_min_version;
    struct string_list tls_cipher_suites;
    int64_t serving_threads; /* 0: one per core */
    /* authentication, authorization */
    const char *client_ca_file, *token_auth_file;
    bool anonymous_auth;
    bool anonymous_auth_is_set;
    struct string_list authorization_mode;
    /* API enablement, misc */
    struct string_list runtime_config; /* key=value */
    const char *service_cluster_ip_range;
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
