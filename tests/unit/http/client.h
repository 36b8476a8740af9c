/* SPDX-License-Identifier: Apache-2.0 */
/* A blocking HTTP/1.1 client over TCP or TLS for the tests of http: sends raw bytes, reads a response at a
 * time. */
#pragma once

#include <arpa/inet.h>
#include <check.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base.h"

struct client {
    int fd;
    gnutls_session_t tls; /* NULL: plain */
    gnutls_certificate_credentials_t credentials;
    struct buffer in; /* read and not yet taken */
};

struct reply {
    int code;
    struct text header; /* whole */
    struct text body;   /* chunks joined */
    bool is_complete;   /* the body's end was seen */
};

static inline struct client client_connect(uint16_t port)
{
    struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 30};
    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ck_assert_int_eq(connect(c.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return c;
}

/* A client certificate is sent when cert has one. Gives back GnuTLS's result. */
static inline int client_start_tls(struct client *c, struct text cert, struct text key,
                                   const char *priorities)
{
    gnutls_datum_t cert_pem = {(unsigned char *)cert.p, (unsigned)cert.n};
    gnutls_datum_t key_pem = {(unsigned char *)key.p, (unsigned)key.n};
    gnutls_certificate_allocate_credentials(&c->credentials);
    if (cert.n)
        ck_assert_int_ge(
            gnutls_certificate_set_x509_key_mem(c->credentials, &cert_pem, &key_pem, GNUTLS_X509_FMT_PEM), 0);
    gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT);
    gnutls_priority_set_direct(c->tls, priorities ? priorities : "NORMAL", NULL);
    gnutls_datum_t alpn[] = {{(unsigned char *)"h2", 2}, {(unsigned char *)"http/1.1", 8}};
    gnutls_alpn_set_protocols(c->tls, alpn, 2, 0);
    gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, c->credentials);
    gnutls_transport_set_int(c->tls, c->fd);
    int err;
    do
        err = gnutls_handshake(c->tls);
    while (err < 0 && !gnutls_error_is_fatal(err));
    return err;
}

static inline void client_close(struct client *c)
{
    if (c->tls)
        gnutls_deinit(c->tls);
    if (c->credentials)
        gnutls_certificate_free_credentials(c->credentials);
    if (c->fd >= 0)
        close(c->fd);
    buffer_deinit(&c->in);
    *c = (struct client){.fd = -1};
}

static inline bool client_send(struct client *c, struct text t)
{
    while (t.n) {
        ssize_t n = c->tls ? gnutls_record_send(c->tls, t.p, t.n) : send(c->fd, t.p, t.n, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        t = text_from(t, (size_t)n);
    }
    return true;
}

/* Reads more; false at the end or on an error. */
static inline bool client_fill(struct client *c)
{
    char *dst = buffer_room(&c->in, 65536);
    ssize_t n = c->tls ? gnutls_record_recv(c->tls, dst, 65536) : recv(c->fd, dst, 65536, 0);
    if (n <= 0)
        return false;
    c->in.n += (size_t)n;
    return true;
}

static inline void client_drop(struct client *c, size_t n)
{
    memmove(c->in.p, c->in.p + n, c->in.n - n);
    c->in.n -= n;
}

/* Takes one line without its CRLF; false at the end. */
static inline bool client_line(struct client *c, struct arena *a, struct text *ret)
{
    for (;;) {
        ptrdiff_t end = text_find_text(buffer_text(&c->in), TEXT("\r\n"));
        if (end >= 0) {
            *ret = arena_text(a, text_first(buffer_text(&c->in), (size_t)end));
            client_drop(c, (size_t)end + 2);
            return true;
        }
        if (!client_fill(c))
            return false;
    }
}

static inline bool client_bytes(struct client *c, struct buffer *dst, size_t n)
{
    while (c->in.n < n)
        if (!client_fill(c))
            return false;
    buffer_add_bytes(dst, c->in.p, n);
    client_drop(c, n);
    return true;
}

static inline struct text reply_header(const struct reply *r, const char *name)
{
    struct text rest = r->header, line;
    while (text_split(&rest, '\n', &line)) {
        ptrdiff_t colon = text_find(line, ':');
        if (colon > 0 && text_eq_nocase(text_first(line, (size_t)colon), text_of(name)))
            return text_trim(text_from(line, (size_t)colon + 1));
    }
    return TEXT_NONE;
}

/* One chunk of a chunked body; 0 at the end, -1 when the connection ends first. */
static inline ptrdiff_t client_chunk(struct client *c, struct arena *a, struct buffer *dst)
{
    struct text line;
    if (!client_line(c, a, &line))
        return -1;
    size_t n = strtoul(line.p, NULL, 16);
    if (!client_bytes(c, dst, n) || !client_line(c, a, &line))
        return -1;
    return (ptrdiff_t)n;
}

/* Header only; code 0 when the connection ended before. */
static inline struct reply client_read_header(struct client *c, struct arena *a)
{
    struct reply r = {0};
    struct buffer header = BUFFER_IN(a);
    struct text line;
    while (client_line(c, a, &line)) {
        if (line.n == 0) {
            if (r.code == 100) { /* an interim answer */
                r.code = 0;
                header = BUFFER_IN(a);
                continue;
            }
            r.header = buffer_text(&header);
            return r;
        }
        if (r.code == 0)
            r.code = atoi(line.p + 9);
        buffer_add(&header, line);
        buffer_add_char(&header, '\n');
    }
    return (struct reply){0};
}

static inline struct reply client_read(struct client *c, struct arena *a, bool has_body)
{
    struct reply r = client_read_header(c, a);
    if (r.code == 0)
        return r;
    struct buffer body = BUFFER_IN(a);
    uint64_t bytes = 0;
    if (!has_body) {
        r.is_complete = true;
    } else if (text_is(reply_header(&r, "Transfer-Encoding"), "chunked")) {
        ptrdiff_t n;
        while ((n = client_chunk(c, a, &body)) > 0)
            ;
        r.is_complete = n == 0;
    } else if (text_to_u64(reply_header(&r, "Content-Length"), &bytes)) {
        r.is_complete = client_bytes(c, &body, bytes);
    }
    r.body = buffer_text(&body);
    return r;
}

static inline struct reply client_do(struct client *c, struct arena *a, const char *method,
                                     const char *target, const char *headers, struct text body)
{
    struct buffer b = BUFFER_IN(a);
    buffer_addf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, target, headers ? headers : "");
    if (body.p)
        buffer_addf(&b, "Content-Length: %zu\r\n", body.n);
    buffer_add_str(&b, "\r\n");
    buffer_add(&b, body);
    client_send(c, buffer_text(&b));
    return client_read(c, a, strcmp(method, "HEAD") != 0);
}

/* A self-signed pair in PEM, in a. */
static inline void make_pair(struct arena *a, const char *name, struct text *ret_cert, struct text *ret_key)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t cert;
    gnutls_datum_t pem;
    gnutls_x509_privkey_init(&key);
    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&cert);
    gnutls_x509_crt_set_version(cert, 3);
    gnutls_x509_crt_set_serial(cert, "\1", 1);
    gnutls_x509_crt_set_activation_time(cert, time(NULL) - 60);
    gnutls_x509_crt_set_expiration_time(cert, time(NULL) + 3600);
    gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
    gnutls_x509_crt_set_key(cert, key);
    ck_assert_int_eq(gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0), 0);
    gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem);
    *ret_cert = arena_text(a, (struct text){(char *)pem.data, pem.size});
    gnutls_free(pem.data);
    gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, 0, &pem);
    *ret_key = arena_text(a, (struct text){(char *)pem.data, pem.size});
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_privkey_deinit(key);
}
