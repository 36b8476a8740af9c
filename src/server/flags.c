/* SPDX-License-Identifier: Apache-2.0 */
/* The settings as one table: name, type, default, section and help of each flag, and where its value goes. The command line,
 * the configuration file and --help all walk this table, so that they cannot disagree.
 * Names, types and defaults are kube-apiserver's wherever it has the flag; the others say so in their help. */
#include "server.h"

#include <stddef.h>
#include <stdio.h>

#include "admission.h"
#include "server/flags.h"
#include "server/subcommands.h"

#define AT(member) offsetof(struct settings, member)

static void add_plugins(struct buffer *b)
{
    struct admission_plugin_info plugin;

    for (size_t i = 0; admission_plugin_at(i, &plugin); i++)
        buffer_addf(b, "%s %s%s", i ? "," : " In calling order:", plugin.name,
                    plugin.is_default && plugin.is_built ? " (default)"
                    : plugin.is_built                    ? ""
                    : plugin.is_default                  ? " (default, not built yet: without effect)"
                                                         : " (not built yet: without effect)");
    buffer_add_char(b, '.');
}

/* In the order of --help. */
const struct flag flags[] = {
    {"advertise-address", 0, FLAG_STRING, "", AT(advertise_address), "generic",
     "IP address that other members of the cluster reach this server by; the endpoint of the kubernetes service. "
     "Empty: --bind-address, or this machine's own address."},
    {"external-hostname", 0, FLAG_STRING, "", AT(external_hostname), "generic",
     "Host name of this server as outsiders know it."},
    {"feature-gates", 0, FLAG_LIST, "", AT(feature_gates), "generic",
     "NAME=true|false: gates of kube-apiserver 1.36, AllAlpha and AllBeta among them. These switch something: "
     "AllowUnsafeMalformedObjectDeletion (ALPHA, default false), APIResponseCompression, RemoteRequestHeaderUID, "
     "StorageVersionHash, WatchList (BETA, default true). The others are taken because command lines carry them, and have no "
     "effect; a line of the log names those that are not at their default."},
    {"min-request-timeout", 0, FLAG_INT, "1800", AT(min_request_timeout), "generic",
     "Seconds that a watch is kept open at least; each one ends at a random time between this and its double."},
    {"request-timeout", 0, FLAG_DURATION, "1m0s", AT(request_timeout), "generic",
     "Time in which a request must have been answered, long-running ones (watches) apart; one that asks for less by "
     "?timeout= gets less. Past it the client gets 504. 0: no limit but the client's."},
    {"shutdown-delay-duration", 0, FLAG_DURATION, "0s", AT(shutdown_delay_duration), "generic",
     "Time to go on serving after SIGTERM, with readyz failing, so that load balancers notice."},
    {"shutdown-grace-period", 0, FLAG_DURATION, "30s", AT(shutdown_grace_period), "generic",
     "Time that running requests have to end in once no new ones are taken (keelson's own flag)."},
    {"shutdown-send-retry-after", 0, FLAG_BOOL, "false", AT(shutdown_send_retry_after), "generic",
     "Once the shutdown delay is over, go on listening while running requests end, and answer new ones with 429 and "
     "Retry-After; else stop listening at once."},

    {"data-dir", 0, FLAG_STRING, "/var/lib/keelson", AT(data_dir), "storage",
     "Folder of the embedded store and, unless other files are given, of keys, certificates and the administrator's "
     "kubeconfig (keelson's own flag)."},
    {"default-watch-cache-size", 0, FLAG_INT, "100", AT(default_watch_cache_size), "storage",
     "Has no effect: watch caches have the size that their events need."},
    {"watch-cache", 0, FLAG_BOOL, "true", AT(watch_cache), "storage",
     "Let reads of any version be answered from the watch cache. False: they are paged like all others."},
    {"watch-cache-sizes", 0, FLAG_LIST, "", AT(watch_cache_sizes), "storage",
     "RESOURCE[.GROUP]#SIZE: a size of 0 is --watch-cache=false for this resource; others have no effect."},
    {"watch-history", 0, FLAG_DURATION, "5m0s", AT(watch_history), "storage",
     "How far back watches, exact reads and consistent pages reach, a restart in between or not (keelson's own flag)."},
    {"event-ttl", 0, FLAG_DURATION, "1h0m0s", AT(event_ttl), "storage", "How long events are kept after their last write."},

    {"encryption-provider-config", 0, FLAG_STRING, "", AT(encryption_provider_config), "storage",
     "File that says which resources are kept encrypted, and by which keys or KMS plugins."},
    {"encryption-provider-config-automatic-reload", 0, FLAG_BOOL, "false",
     AT(encryption_provider_config_automatic_reload), "storage",
     "Follow changes of the file of --encryption-provider-config. The health check is then always the one kms-providers."},

    {"etcd-servers", 0, FLAG_LIST, "", AT(etcd_servers), "etcd",
     "etcd servers to keep everything in, by their URLs: etcd 3.4 or newer, through its HTTP gateway. When one fails the next is "
     "used. Empty: the embedded store below --data-dir."},
    {"etcd-servers-overrides", 0, FLAG_LIST, "", AT(etcd_servers_overrides), "etcd",
     "Resources that are kept in etcd servers of their own: group/resource#servers, servers being URLs with semicolons between, "
     "resource * all of a group; e.g. /events#http://127.0.0.1:2381. Not for custom resource definitions, custom resources and "
     "API services."},
    {"etcd-prefix", 0, FLAG_STRING, "/registry", AT(etcd_prefix), "etcd", "What all keys in etcd begin with."},
    {"etcd-cafile", 0, FLAG_STRING, "", AT(etcd_cafile), "etcd", "PEM file of the authorities that etcd's certificates are of."},
    {"etcd-certfile", 0, FLAG_STRING, "", AT(etcd_certfile), "etcd", "PEM file of our client certificate towards etcd."},
    {"etcd-keyfile", 0, FLAG_STRING, "", AT(etcd_keyfile), "etcd", "PEM file of that certificate's key."},
    {"etcd-compaction-interval", 0, FLAG_DURATION, "5m0s", AT(etcd_compaction_interval), "etcd",
     "How often etcd's old history is compacted away; all API servers of one etcd take turns. 0: somebody else does it."},
    {"etcd-count-metric-poll-period", 0, FLAG_DURATION, "1m0s", AT(etcd_count_metric_poll_period), "etcd",
     "How often the objects of each resource are counted for the metrics; 0 switches those off."},
    {"etcd-db-metric-poll-interval", 0, FLAG_DURATION, "30s", AT(etcd_db_metric_poll_interval), "etcd",
     "How often etcd is asked for the size of its database for the metrics; 0 switches it off."},
    {"etcd-healthcheck-timeout", 0, FLAG_DURATION, "2s", AT(etcd_healthcheck_timeout), "etcd",
     "How long etcd may take to answer the check of /livez and /healthz."},
    {"etcd-readycheck-timeout", 0, FLAG_DURATION, "2s", AT(etcd_readycheck_timeout), "etcd",
     "How long etcd may take to answer the check of /readyz."},
    {"lease-reuse-duration-seconds", 0, FLAG_INT, "60", AT(lease_reuse_duration_seconds), "etcd",
     "Seconds for which writes with a time to live share one lease of etcd, at most."},
    {"storage-backend", 0, FLAG_STRING, "", AT(storage_backend), "etcd",
     "etcd3, or empty: with --etcd-servers both are etcd."},
    {"storage-media-type", 0, FLAG_STRING, "application/vnd.kubernetes.protobuf", AT(storage_media_type), "etcd",
     "What objects are written to etcd as: application/vnd.kubernetes.protobuf or application/json. Custom resources and the "
     "embedded store always have JSON. Either is read."},

    {"bind-address", 0, FLAG_STRING, "0.0.0.0", AT(bind_address), "secure serving",
     "IP address to listen on."},
    {"cert-dir", 0, FLAG_STRING, "", AT(cert_dir), "secure serving",
     "Folder for the certificates that the server makes itself; not used with --tls-cert-file. Empty: pki below "
     "--data-dir."},
    {"secure-port", 0, FLAG_INT, "6443", AT(secure_port), "secure serving",
     "Port for HTTPS; 0 takes any free one."},
    {"serving-threads", 0, FLAG_INT, "0", AT(serving_threads), "secure serving",
     "Event loop threads; 0 is one per core (keelson's own flag)."},
    {"tls-cert-file", 0, FLAG_STRING, "", AT(tls_cert_file), "secure serving",
     "PEM file of the serving certificate, intermediate ones behind it."},
    {"tls-cipher-suites", 0, FLAG_LIST, "", AT(tls_cipher_suites), "secure serving",
     "Cipher suites of TLS 1.2 that are offered, by their Go names; empty: all that are safe."},
    {"tls-min-version", 0, FLAG_STRING, "", AT(tls_min_version), "secure serving",
     "Lowest TLS version: VersionTLS12 or VersionTLS13."},
    {"tls-private-key-file", 0, FLAG_STRING, "", AT(tls_private_key_file), "secure serving",
     "PEM file of the serving certificate's key."},

    {"anonymous-auth", 0, FLAG_BOOL, "true", AT(anonymous_auth), "authentication",
     "Let requests without credentials in as system:anonymous. With the mode AlwaysAllow they reach only health and "
     "version."},
    {"api-audiences", 0, FLAG_LIST, "", AT(api_audiences), "authentication",
     "What the API server calls itself in tokens: a service account's token must be for one of these. Empty: every "
     "--service-account-issuer."},
    {"authentication-config", 0, FLAG_STRING, "", AT(authentication_config), "authentication",
     "File of kind AuthenticationConfiguration: issuers of tokens, and who may come in without credentials. Followed when it "
     "changes. Not with --oidc-*, nor with --anonymous-auth when it says that."},
    {"authentication-token-webhook-cache-ttl", 0, FLAG_DURATION, "2m0s", AT(authentication_token_webhook_cache_ttl),
     "authentication", "How long the webhook's answers are remembered."},
    {"authentication-token-webhook-config-file", 0, FLAG_STRING, "", AT(authentication_token_webhook_config_file),
     "authentication", "Kubeconfig file of a service that is asked, by TokenReviews, whose a bearer token is."},
    {"authentication-token-webhook-version", 0, FLAG_STRING, "v1beta1", AT(authentication_token_webhook_version),
     "authentication", "Version of the TokenReviews that the webhook gets and answers: v1 or v1beta1."},
    {"client-ca-file", 0, FLAG_STRING, "", AT(client_ca_file), "authentication",
     "PEM file of the authorities whose client certificates name a user: CN the name, O the groups."},
    {"enable-bootstrap-token-auth", 0, FLAG_BOOL, "false", AT(enable_bootstrap_token_auth), "authentication",
     "Let secrets of type bootstrap.kubernetes.io/token in kube-system be used as bearer tokens."},
    {"oidc-ca-file", 0, FLAG_STRING, "", AT(oidc_ca_file), "authentication",
     "PEM file of the authorities that the issuer's certificate is of. Empty: those of the system."},
    {"oidc-client-id", 0, FLAG_STRING, "", AT(oidc_client_id), "authentication",
     "The audience that the issuer's tokens must have; goes with --oidc-issuer-url."},
    {"oidc-groups-claim", 0, FLAG_STRING, "", AT(oidc_groups_claim), "authentication",
     "Claim, a string or a list of strings, that names the user's groups."},
    {"oidc-groups-prefix", 0, FLAG_STRING, "", AT(oidc_groups_prefix), "authentication",
     "What is put before each of these groups."},
    {"oidc-issuer-url", 0, FLAG_STRING, "", AT(oidc_issuer_url), "authentication",
     "https URL of the OpenID Connect issuer whose ID tokens are taken as bearer tokens."},
    {"oidc-required-claim", 0, FLAG_ARRAY, "", AT(oidc_required_claim), "authentication",
     "CLAIM=VALUE that a token must have; may be given several times."},
    {"oidc-signing-algs", 0, FLAG_LIST, "RS256", AT(oidc_signing_algs), "authentication",
     "Methods that the issuer's tokens may be signed by: RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512."},
    {"oidc-username-claim", 0, FLAG_STRING, "sub", AT(oidc_username_claim), "authentication",
     "Claim that names the user."},
    {"oidc-username-prefix", 0, FLAG_STRING, "", AT(oidc_username_prefix), "authentication",
     "What is put before the user's name. Empty: the issuer and #, unless the claim is email; -: nothing."},
    {"requestheader-allowed-names", 0, FLAG_LIST, "", AT(requestheader_allowed_names), "authentication",
     "Common names of the client certificates whose requests may name their user in headers. Empty: any certificate of "
     "--requestheader-client-ca-file."},
    {"requestheader-client-ca-file", 0, FLAG_STRING, "", AT(requestheader_client_ca_file), "authentication",
     "PEM file of the authorities of front proxies, which say in headers who asks through them."},
    {"requestheader-extra-headers-prefix", 0, FLAG_LIST, "", AT(requestheader_extra_headers_prefix), "authentication",
     "Beginnings of the names of headers that carry a user's extra, such as X-Remote-Extra-."},
    {"requestheader-group-headers", 0, FLAG_LIST, "", AT(requestheader_group_headers), "authentication",
     "Headers that carry a user's groups, such as X-Remote-Group."},
    {"requestheader-uid-headers", 0, FLAG_LIST, "", AT(requestheader_uid_headers), "authentication",
     "Headers that carry a user's uid, such as X-Remote-Uid."},
    {"requestheader-username-headers", 0, FLAG_LIST, "", AT(requestheader_username_headers), "authentication",
     "Headers that carry a user's name, such as X-Remote-User."},
    {"service-account-extend-token-expiration", 0, FLAG_BOOL, "true", AT(service_account_extend_token_expiration),
     "authentication", "Let tokens that kubelets ask for pods be good for a year, so that clients that never read theirs "
     "again go on working."},
    {"service-account-issuer", 0, FLAG_ARRAY, "https://kubernetes.default.svc.cluster.local", AT(service_account_issuer),
     "authentication", "Who issues the tokens of service accounts: the first one is written into new tokens, all are known."},
    {"service-account-jwks-uri", 0, FLAG_STRING, "", AT(service_account_jwks_uri), "authentication",
     "Where the discovery document says that the keys are found. Empty: at this server."},
    {"service-account-key-file", 0, FLAG_ARRAY, "", AT(service_account_key_file), "authentication",
     "PEM files of the keys, RSA or ECDSA, that tokens of service accounts are checked with. Empty: the public half of "
     "--service-account-signing-key-file."},
    {"service-account-lookup", 0, FLAG_BOOL, "true", AT(service_account_lookup), "authentication",
     "Refuse tokens of secrets that are gone."},
    {"service-account-max-token-expiration", 0, FLAG_DURATION, "0s", AT(service_account_max_token_expiration),
     "authentication", "The longest life of a new token; 0: what is asked for."},
    {"token-auth-file", 0, FLAG_STRING, "", AT(token_auth_file), "authentication",
     "CSV file of bearer tokens: token,user,uid and optionally \"group1,group2\"."},

    {"authorization-config", 0, FLAG_STRING, "", AT(authorization_config), "authorization",
     "File with the modes and their webhooks, an AuthorizationConfiguration of apiserver.config.k8s.io/v1; read again when it "
     "changes. Not together with --authorization-mode and --authorization-webhook-*."},
    {"authorization-mode", 0, FLAG_LIST, "Node,RBAC", AT(authorization_mode), "authorization",
     "Who may what, asked in this order: AlwaysAllow, AlwaysDeny, ABAC, Webhook, RBAC, Node. The default is kubeadm's. "
     "Members of system:masters may do everything."},
    {"authorization-policy-file", 0, FLAG_STRING, "", AT(authorization_policy_file), "authorization",
     "File of the mode ABAC: one policy a line, as JSON."},
    {"authorization-webhook-cache-authorized-ttl", 0, FLAG_DURATION, "5m0s", AT(authorization_webhook_cache_authorized_ttl),
     "authorization", "How long the webhook's yes is remembered."},
    {"authorization-webhook-cache-unauthorized-ttl", 0, FLAG_DURATION, "30s", AT(authorization_webhook_cache_unauthorized_ttl),
     "authorization", "How long its other answers are remembered."},
    {"authorization-webhook-config-file", 0, FLAG_STRING, "", AT(authorization_webhook_config_file), "authorization",
     "File of the mode Webhook: a kubeconfig whose current context is the service to ask."},
    {"authorization-webhook-version", 0, FLAG_STRING, "v1beta1", AT(authorization_webhook_version), "authorization",
     "Version of the SubjectAccessReviews that the webhook gets: v1 or v1beta1."},

    {"admission-control-config-file", 0, FLAG_STRING, "", AT(admission_control_config_file), "admission",
     "File of kind AdmissionConfiguration (apiserver.config.k8s.io/v1): what single plugins are told."},
    {"default-not-ready-toleration-seconds", 0, FLAG_INT, "300", AT(default_not_ready_toleration_seconds), "admission",
     "For how long pods that do not say it themselves tolerate that their node is not ready."},
    {"default-unreachable-toleration-seconds", 0, FLAG_INT, "300", AT(default_unreachable_toleration_seconds), "admission",
     "For how long they tolerate that it cannot be reached."},
    {"disable-admission-plugins", 0, FLAG_LIST, "", AT(disable_admission_plugins), "admission",
     "Admission plugins to switch off although they are on by default; --enable-admission-plugins lists them."},
    {"enable-admission-plugins", 0, FLAG_LIST, "", AT(enable_admission_plugins), "admission",
     "Admission plugins to switch on besides the default ones.", add_plugins},

    {"runtime-config", 0, FLAG_LIST, "", AT(runtime_config), "API enablement",
     "Versions and resources to serve or not: GROUP/VERSION=true|false, GROUP/VERSION/RESOURCE=true|false, "
     "api/all, api/ga, api/beta, api/alpha."},

    {"endpoint-reconciler-type", 0, FLAG_STRING, "lease", AT(endpoint_reconciler_type), "misc",
     "How the endpoints of the kubernetes service are kept: lease (each server of one etcd writes its address down, and takes it "
     "back or lets it expire), master-count (each server adds itself, see --apiserver-count; deprecated), or none."},
    {"apiserver-count", 0, FLAG_INT, "1", AT(apiserver_count), "misc",
     "How many API servers there are, for --endpoint-reconciler-type=master-count. Deprecated."},
    {"service-cluster-ip-range", 0, FLAG_STRING, "10.0.0.0/24", AT(service_cluster_ip_range), "misc",
     "CIDR of the services' cluster IPs, or one of each IP family with a comma between; the kubernetes service has the first "
     "address."},
    {"service-node-port-range", 0, FLAG_STRING, "30000-32767", AT(service_node_port_range), "misc",
     "Ports on the nodes that services of the types NodePort and LoadBalancer get: FIRST-LAST, FIRST+MORE or one port."},
    {"service-account-signing-key-file", 0, FLAG_STRING, "", AT(service_account_signing_key_file), "misc",
     "PEM file of the key that signs new tokens of service accounts. Empty: a key of the server's own making."},

    {"v", 'v', FLAG_INT, "0", AT(v), "logs", "Verbosity of the log."},
    {"vmodule", 0, FLAG_STRING, "", AT(vmodule), "logs", "Verbosity by file or folder: storage=4,watch=6."},

    {"config", 0, FLAG_STRING, "", AT(config), "global",
     "YAML file with these settings, a member for each flag; the command line goes before it (keelson's own flag)."},
    {"help", 'h', FLAG_BOOL, "false", AT(help), "global", "Print this."},
    {"version", 0, FLAG_BOOL, "false", AT(version), "global", "Print the version."},
};
const size_t n_flags = N_ELEMENTS(flags);

static const char *const type_names[] = {
    [FLAG_STRING] = "string", [FLAG_INT] = "int", [FLAG_BOOL] = "", [FLAG_DURATION] = "duration", [FLAG_LIST] = "strings",
    [FLAG_ARRAY] = "stringArray",
};

const struct flag *flag_find(struct text name)
{
    for (size_t i = 0; i < n_flags; i++)
        if (text_is(name, flags[i].name))
            return &flags[i];
    return NULL;
}

static size_t distance(struct text a, struct text b)
{
    size_t row[128];
    if (b.n >= N_ELEMENTS(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t best = diagonal + (a.p[i - 1] != b.p[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.n];
}

const char *flag_nearest(struct text name)
{
    size_t best = SIZE_MAX;
    const char *nearest = flags[0].name;
    for (size_t i = 0; i < n_flags; i++) {
        size_t d = distance(name, text_of(flags[i].name));
        if (d < best) {
            best = d;
            nearest = flags[i].name;
        }
    }
    return nearest;
}

static void add_to_list(struct arena *a, struct text_list *list, struct text value)
{
    struct text part;
    while (text_split(&value, ',', &part)) {
        part = text_trim(part);
        if (!part.n)
            continue;
        if (list->n == list->cap) {
            size_t cap = list->cap ? 2 * list->cap : 8;
            list->p = arena_grow(a, list->p, list->cap * sizeof(*list->p), cap * sizeof(*list->p));
            list->cap = cap;
        }
        list->p[list->n++] = part;
    }
}

int flag_set(struct arena *a, struct settings *s, const struct flag *f, struct text value, struct status *st)
{
    void *at = (char *)s + f->offset;
    bool good = true;

    value = arena_text(a, value);
    switch (f->type) {
    case FLAG_STRING:
        *(const char **)at = value.n ? value.p : NULL;
        break;
    case FLAG_INT:
        good = text_to_i64(value, at);
        break;
    case FLAG_BOOL:
        good = text_to_bool(value, at);
        break;
    case FLAG_DURATION:
        good = duration_parse(value, at);
        break;
    case FLAG_LIST:
        add_to_list(a, at, value);
        break;
    case FLAG_ARRAY:
        if (value.n)
            text_list_add(a, at, value);
        break;
    }
    if (good && f->type == FLAG_DURATION && *(int64_t *)at < 0)
        return status_set(st, STATUS_BAD_REQUEST, "--%s can not be negative value", f->name);
    if (good)
        return 0;
    return status_set(st, STATUS_BAD_REQUEST, "invalid argument \"%.*s\" for \"--%s\" flag: not a %s", TEXT_ARG(value),
                      f->name, f->type == FLAG_BOOL ? "bool" : type_names[f->type]);
}

void settings_defaults(struct arena *a, struct settings *s)
{
    CLEANUP(status_clear) struct status st = {0};
    *s = (struct settings){0};
    for (size_t i = 0; i < n_flags; i++)
        flag_set(a, s, &flags[i], text_of(flags[i].default_value), &st);
}

static void add_wrapped(struct buffer *b, const char *text, size_t indent, size_t width)
{
    struct text rest = text_of(text), word;
    size_t column = indent;
    buffer_addf(b, "%*s", (int)indent, "");
    while (text_split(&rest, ' ', &word)) {
        if (column > indent && column + 1 + word.n > width) {
            buffer_addf(b, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            buffer_add_char(b, ' ');
            column++;
        }
        buffer_add(b, word);
        column += word.n;
    }
    buffer_add_char(b, '\n');
}

void settings_help(struct buffer *b)
{
    const char *section = "";

    buffer_add_str(b, "keelson serves the Kubernetes API from one process.\n\nUsage:\n  keelson [flags]\n");
    for (size_t i = 0; i < n_subcommands; i++)
        buffer_addf(b, "  keelson %s\n      %s\n", subcommands[i].usage, subcommands[i].help);
    for (size_t i = 0; i < n_flags; i++) {
        const struct flag *f = &flags[i];
        if (strcmp(section, f->section) != 0) {
            section = f->section;
            buffer_addf(b, "\n%c%s flags:\n\n", section[0] - (section[0] >= 'a' ? 'a' - 'A' : 0), section + 1);
        }
        if (f->shorthand)
            buffer_addf(b, "  -%c, --%s %s", f->shorthand, f->name, type_names[f->type]);
        else
            buffer_addf(b, "      --%s %s", f->name, type_names[f->type]);
        if (f->default_value[0] && strcmp(f->default_value, "false") != 0)
            buffer_addf(b, "%s(default %s)", f->type == FLAG_BOOL ? "" : "   ", f->default_value);
        buffer_add_char(b, '\n');
        struct buffer help = BUFFER_INIT;
        buffer_add_str(&help, f->help);
        if (f->add_help)
            f->add_help(&help);
        add_wrapped(b, buffer_str(&help), 16, 110);
        buffer_deinit(&help);
    }
}
