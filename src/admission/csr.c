/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the subject of a certificate signing request by OpenSSL. Source of the words: kubernetes
 * pkg/apis/certificates/helpers.go, ParseCSR. */
#include "admission/certificates.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

static void free_request(X509_REQ **req)
{
    X509_REQ_free(*req);
}

static void free_bio(BIO **b)
{
    BIO_free(*b);
}

static void read_subject(struct arena *a, const X509_REQ *req, struct csr_subject *ret)
{
    const X509_NAME *subject = X509_REQ_get_subject_name(req);

    for (int i = 0; i < X509_NAME_entry_count(subject); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, i);
        int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
        unsigned char *utf8 = NULL;
        int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
        struct text t = n > 0 ? arena_text(a, (struct text){(const char *)utf8, (size_t)n}) : TEXT_NONE;
        OPENSSL_free(utf8);
        if (nid == NID_commonName)
            ret->common_name = t;
        else if (nid == NID_organizationName)
            text_list_add(a, &ret->organizations, t);
    }
}

const char *csr_subject_read(struct arena *a, struct text base64, struct csr_subject *ret)
{
    struct text pem;

    *ret = (struct csr_subject){0};
    if (!base64_decode(a, BASE64_STANDARD, base64, &pem) ||
        text_find_text(pem, TEXT("-----BEGIN CERTIFICATE REQUEST-----")) < 0)
        return "PEM block type must be CERTIFICATE REQUEST";
    CLEANUP(free_bio) BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    CLEANUP(free_request) X509_REQ *req = in ? PEM_read_bio_X509_REQ(in, NULL, NULL, NULL) : NULL;
    if (!req)
        return "asn1: structure error";
    read_subject(a, req, ret);
    return NULL;
}
