/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate and key change one after the other, so that they may not fit for a moment: then nothing is
 * taken over until the second has come. All on the timer thread, once the files are followed. */
#include "server/serving.h"

#include "base/watched_file.h"

#define LOOK_MS 1000

enum { CERT, KEY, CLIENT_CA, N_FILES };

struct serving {
    const char *paths[N_FILES]; /* NULL: there is none */
    struct buffer contents[N_FILES];
    struct watched_file *watches[N_FILES];
    struct tls_config tls;
    struct listener *listener;
};

static int read_all(struct serving *s, struct buffer contents[N_FILES], struct status *st)
{
    for (size_t i = 0; i < N_FILES; i++)
        if (s->paths[i] && file_read(s->paths[i], &contents[i], st) < 0)
            return -1;
    return 0;
}

static void take(struct serving *s, struct buffer contents[N_FILES])
{
    for (size_t i = 0; i < N_FILES; i++) {
        buffer_deinit(&s->contents[i]);
        s->contents[i] = contents[i];
        contents[i] = BUFFER_INIT;
    }
    s->tls.cert_pem = buffer_text(&s->contents[CERT]);
    s->tls.key_pem = buffer_text(&s->contents[KEY]);
    s->tls.client_ca_pem = buffer_text(&s->contents[CLIENT_CA]);
}

static void file_changed(void *ctx, struct text content)
{
    struct serving *s = ctx;
    CLEANUP(status_clear) struct status st = {0};
    struct buffer contents[N_FILES] = {0};
    struct tls_config tls = s->tls;
    int rc = read_all(s, contents, &st);

    tls.cert_pem = buffer_text(&contents[CERT]);
    tls.key_pem = buffer_text(&contents[KEY]);
    tls.client_ca_pem = buffer_text(&contents[CLIENT_CA]);
    if (rc == 0 && listener_set_tls(s->listener, &tls, &st) == 0) {
        take(s, contents);
        log_info("Loaded the changed serving certificate", LOG_STR("file", s->paths[CERT]));
    } else {
        log_error("The changed serving certificate cannot be used; the last good one stays in use",
                  LOG_STR("file", s->paths[CERT]), LOG_STR("err", st.message));
    }
    for (size_t i = 0; i < N_FILES; i++)
        buffer_deinit(&contents[i]);
}

int serving_read(const struct settings *set, const struct pki_paths *pki, struct serving **ret,
                 struct status *st)
{
    struct serving *s = xcalloc(1, sizeof(*s));
    struct buffer contents[N_FILES] = {0};

    s->paths[CERT] = pki ? pki->serving_cert : set->tls_cert_file;
    s->paths[KEY] = pki ? pki->serving_key : set->tls_private_key_file;
    s->paths[CLIENT_CA] = set->client_ca_file ? set->client_ca_file : pki ? pki->ca_cert : NULL;
    s->tls = (struct tls_config){.min_version = set->tls_min_version,
                                 .cipher_suites = set->tls_cipher_suites.p,
                                 .n_cipher_suites = set->tls_cipher_suites.n,
                                 .ask_client_cert = s->paths[CLIENT_CA] || set->requestheader_client_ca_file};
    int rc =
        !s->paths[CERT] || !s->paths[KEY]
            ? status_set(st, STATUS_BAD_REQUEST, "--tls-cert-file and --tls-private-key-file go together")
            : read_all(s, contents, st);
    take(s, contents);
    if (rc < 0) {
        serving_stop(s);
        return -1;
    }
    *ret = s;
    return 0;
}

const struct tls_config *serving_tls(const struct serving *s)
{
    return &s->tls;
}

void serving_follow(struct serving *s, struct listener *l, struct timers *timers)
{
    s->listener = l;
    for (size_t i = 0; i < N_FILES; i++)
        if (s->paths[i])
            s->watches[i] = watched_file_start(timers, s->paths[i], buffer_text(&s->contents[i]), LOOK_MS,
                                               file_changed, s);
}

void serving_stop(struct serving *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < N_FILES; i++)
        watched_file_stop(s->watches[i]);
    for (size_t i = 0; i < N_FILES; i++)
        buffer_deinit(&s->contents[i]);
    free(s);
}
