/* SPDX-License-Identifier: Apache-2.0 */
/* Envelopes of a KMS v2 plugin that the test plays: what it is asked, when its keys change, and what happens while it is not
 * well. */
#include "grpc_server.h"
#include "http/grpc.h"
#include "schema/wire.h"
#include "storage/encryption_internal.h"

#define HEAD "kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n"

static const struct resource_type secrets = {.name = TEXT("secrets"), .version = TEXT("v1"), .is_namespaced = true,
                                             .storage_prefix = TEXT("secrets")};
static const struct text plain = TEXT("{\"kind\":\"Secret\"}");
static const struct text key = TEXT("/registry/secrets/ns/a");

/* Encrypts by turning bits, and remembers what it was asked. */
struct plugin {
    struct grpc_server server;
    char folder[64], socket[96], config[96];
    const char *key_id, *healthz, *version;
    const char *annotation; /* NULL: none */
    size_t key_bytes;       /* Encrypt's answer is this long; 0: as the seed */
    int status_code;
    atomic_int n_status, n_encrypt, n_decrypt;
};

static void turn(struct buffer *b, struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        buffer_add_char(b, (char)(t.p[i] ^ 0x5a));
}

static struct text field(struct text message, unsigned number)
{
    struct protobuf_field f;
    while (protobuf_next(&message, &f) > 0)
        if (f.number == number)
            return f.bytes;
    return TEXT_NONE;
}

static int handle(void *ctx, struct text method, struct text message, struct buffer *answer, const char **text)
{
    struct plugin *p = ctx;
    struct buffer b = BUFFER_INIT;
    if (text_is(method, "/v2.KeyManagementService/Status")) {
        atomic_fetch_add(&p->n_status, 1);
        protobuf_field_bytes(answer, 1, text_of(p->version));
        protobuf_field_bytes(answer, 2, text_of(p->healthz));
        protobuf_field_bytes(answer, 3, text_of(p->key_id));
        *text = "the vault is sealed";
        return p->status_code;
    }
    turn(&b, field(message, 1));
    while (b.n < p->key_bytes)
        buffer_add_char(&b, 'x');
    ck_assert_uint_eq(field(message, 2).n, 36); /* the uid */
    if (text_is(method, "/v2.KeyManagementService/Encrypt")) {
        atomic_fetch_add(&p->n_encrypt, 1);
        protobuf_field_bytes(answer, 1, buffer_text(&b));
        protobuf_field_bytes(answer, 2, text_of(p->key_id));
        const struct text pair[] = {text_of(p->annotation), TEXT("value")};
        annotations_write(answer, 3, pair, p->annotation != NULL);
    } else {
        atomic_fetch_add(&p->n_decrypt, 1);
        ck_assert(field(message, 3).n > 0);
        protobuf_field_bytes(answer, 1, buffer_text(&b));
    }
    buffer_deinit(&b);
    return 0;
}

static void plugin_new(struct plugin *p)
{
    struct status st = {0};
    struct buffer b = BUFFER_INIT;
    *p = (struct plugin){.folder = "/tmp/keelson-kms-XXXXXX", .key_id = "key-1", .healthz = "ok", .version = "v2",
                         .server = {.handle = handle, .ctx = p}};
    ck_assert_ptr_nonnull(mkdtemp(p->folder));
    snprintf(p->socket, sizeof(p->socket), "%s/s", p->folder);
    snprintf(p->config, sizeof(p->config), "%s/enc.yaml", p->folder);
    buffer_addf(&b, HEAD "- resources: [secrets]\n  providers: [{kms: {apiVersion: v2, name: plug, endpoint: 'unix://%s', "
                         "timeout: 300ms}}, {identity: {}}]\n", p->socket);
    ck_assert_int_eq(file_write(p->config, buffer_text(&b), 0600, &st), 0);
    buffer_deinit(&b);
}

static void plugin_free(struct plugin *p)
{
    unlink(p->socket);
    unlink(p->config);
    rmdir(p->folder);
}

static struct encryption *start(struct plugin *p)
{
    struct encryption *e = NULL;
    struct status st = {0};
    const struct encryption_options opt = {.path = p->config, .server_id = "test"};
    int rc = encryption_start(&opt, &e, &st);
    ck_assert_msg(rc == 0, "%s", st.message);
    return e;
}

static char said[1024];

static bool seal(struct encryption *e, struct buffer *b)
{
    struct status st = {0};
    uint32_t id;
    int rc = encryption_seal(e, &secrets, key, plain, b, &id, &st);
    snprintf(said, sizeof(said), "%s", rc < 0 ? st.message : "");
    status_clear(&st);
    return rc == 0;
}

static bool opens(struct encryption *e, struct text at, struct text stored)
{
    struct buffer scratch = BUFFER_INIT;
    struct status st = {0};
    struct text got;
    uint32_t id;
    int rc = encryption_open(e, &secrets, at, stored, &scratch, &got, &id, &st);
    snprintf(said, sizeof(said), "%s", rc < 0 ? st.message : "");
    if (rc == 0)
        ck_assert(text_eq(got, plain));
    buffer_deinit(&scratch);
    status_clear(&st);
    return rc == 0;
}

static bool is_well(struct encryption *e)
{
    struct status st = {0};
    int rc = encryption_check(e, &st);
    snprintf(said, sizeof(said), "%s", rc < 0 ? st.message : "");
    status_clear(&st);
    return rc == 0;
}

START_TEST(a_seed_is_encrypted_once_and_decrypted_once)
{
    struct plugin p;
    struct buffer b = BUFFER_INIT, c = BUFFER_INIT;
    plugin_new(&p);
    p.annotation = "a.example.com";
    grpc_server_start(&p.server, p.socket);
    struct encryption *e = start(&p);
    ck_assert(is_well(e));
    ck_assert(seal(e, &b) && seal(e, &c));
    ck_assert(text_starts(buffer_text(&b), TEXT("k8s:enc:kms:v2:plug:")));
    ck_assert(opens(e, key, buffer_text(&b)) && opens(e, key, buffer_text(&c)));
    ck_assert(!opens(e, TEXT("/registry/secrets/ns/b"), buffer_text(&b)));
    ck_assert_int_eq(p.n_encrypt, 1);
    ck_assert_int_eq(p.n_decrypt, 0); /* our own seed is known */
    encryption_stop(e);

    e = start(&p); /* another seed, and the old one to be asked for */
    for (int i = 0; i < 5; i++)
        ck_assert(opens(e, key, buffer_text(&b)) && opens(e, key, buffer_text(&c)));
    ck_assert_int_eq(p.n_encrypt, 2);
    ck_assert_int_eq(p.n_decrypt, 1);
    encryption_stop(e);
    grpc_server_stop(&p.server);
    buffer_deinit(&b);
    buffer_deinit(&c);
    plugin_free(&p);
}
END_TEST

START_TEST(a_new_key_id_makes_a_new_seed_and_old_values_stale)
{
    struct plugin p;
    plugin_new(&p);
    grpc_server_start(&p.server, p.socket);
    clock_fake(1000000000000000000);
    struct encryption *e = start(&p);
    uint32_t before = encryption_write_id(e, &secrets);
    ck_assert_uint_ne(before, 0);
    p.key_id = "key-2";
    ck_assert(is_well(e)); /* the last answer is fresh */
    ck_assert_uint_eq(encryption_write_id(e, &secrets), before);
    clock_fake_advance_ms(21 * 1000);
    ck_assert(is_well(e));
    ck_assert_uint_ne(encryption_write_id(e, &secrets), before);
    ck_assert_int_eq(p.n_encrypt, 2);
    encryption_stop(e);
    clock_real();
    grpc_server_stop(&p.server);
    plugin_free(&p);
}
END_TEST

START_TEST(without_a_good_status_writes_end_after_three_minutes)
{
    struct plugin p;
    struct buffer b = BUFFER_INIT, c = BUFFER_INIT;
    plugin_new(&p);
    grpc_server_start(&p.server, p.socket);
    clock_fake(1000000000000000000);
    struct encryption *e = start(&p);
    ck_assert(seal(e, &b));
    p.healthz = "poorly";
    p.status_code = 0;
    clock_fake_advance_ms(60 * 1000);
    ck_assert(!is_well(e));
    ck_assert_str_eq(said, "kms-provider-0: kmsv2 Provider plug is not healthy, error: got unexpected healthz status: poorly");
    p.status_code = GRPC_UNAVAILABLE;
    clock_fake_advance_ms(120 * 1000);
    ck_assert(seal(e, &c)); /* a key id that is the same prolongs, whatever else the plugin says */
    ck_assert(!is_well(e));
    ck_assert_str_eq(said, "kms-provider-0: failed to perform status section of the healthz check for KMS Provider plug, "
                           "error: rpc error: code = Unavailable desc = the vault is sealed");
    clock_fake_advance_ms(61 * 1000);
    ck_assert(!seal(e, &c));
    ck_assert_ptr_nonnull(strstr(said, "encryptedDEKSource with keyID hash \"sha256:"));
    ck_assert_ptr_nonnull(strstr(said, "expired at 2001-09-09T01:50:40Z (current time is 2001-09-09T01:50:41Z)"));
    ck_assert(opens(e, key, buffer_text(&b))); /* reads go on */
    p.status_code = 0;
    p.healthz = "ok";
    ck_assert(is_well(e) || (clock_fake_advance_ms(4000), is_well(e)));
    ck_assert(seal(e, &c));
    encryption_stop(e);
    clock_real();
    grpc_server_stop(&p.server);
    buffer_deinit(&b);
    buffer_deinit(&c);
    plugin_free(&p);
}
END_TEST

START_TEST(an_absent_plugin_stops_nothing)
{
    struct plugin p;
    struct buffer b = BUFFER_INIT;
    plugin_new(&p);
    struct encryption *e = start(&p);
    ck_assert(!is_well(e));
    ck_assert(!seal(e, &b));
    ck_assert_str_eq(said, "got unexpected nil transformer");
    ck_assert_uint_eq(encryption_write_id(e, &secrets), 0);
    ck_assert(opens(e, key, plain)); /* not encrypted: the identity reads it */
    encryption_stop(e);
    buffer_deinit(&b);
    plugin_free(&p);
}
END_TEST

static const struct {
    const char *key_id, *version, *annotation, *words;
    size_t key_bytes;
} bad[] = {
    {"", "v2", NULL, "got invalid KMSv2 KeyID hash \"\": keyID is empty", 0},
    {"key", "v1", NULL, "expected KMSv2 API version v2, got v1", 0},
    {"key", "v2", "noDomain", "failed to validate annotations", 0},
    {"key", "v2", "single", "should be a domain with at least two segments separated by dots", 0},
    {"key", "v2", NULL, "encrypted DEK source is 1025 bytes, which exceeds the max size of 1024", 1025},
};

START_TEST(what_a_plugin_may_not_say)
{
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        struct plugin p;
        plugin_new(&p);
        p.key_id = bad[i].key_id;
        p.version = bad[i].version;
        p.annotation = bad[i].annotation;
        p.key_bytes = bad[i].key_bytes;
        grpc_server_start(&p.server, p.socket);
        struct encryption *e = start(&p);
        ck_assert(!is_well(e));
        ck_assert_msg(strstr(said, bad[i].words), "row %zu says: %s", i, said);
        encryption_stop(e);
        grpc_server_stop(&p.server);
        plugin_free(&p);
    }
}
END_TEST

START_TEST(damaged_envelopes_are_refused)
{
    struct plugin p;
    struct buffer b = BUFFER_INIT;
    plugin_new(&p);
    grpc_server_start(&p.server, p.socket);
    struct encryption *e = start(&p);
    ck_assert(seal(e, &b));
    size_t prefix = strlen("k8s:enc:kms:v2:plug:");
    for (size_t cut = prefix; cut < b.n; cut++)
        ck_assert_msg(!opens(e, key, text_first(buffer_text(&b), cut)), "cut at %zu", cut);
    ck_assert(!opens(e, key, TEXT("k8s:enc:kms:v2:plug:")));
    ck_assert_str_eq(said, "encrypted data is empty");
    encryption_stop(e);
    grpc_server_stop(&p.server);
    buffer_deinit(&b);
    plugin_free(&p);
}
END_TEST

UNIT_MAIN("storage/kms", a_seed_is_encrypted_once_and_decrypted_once, a_new_key_id_makes_a_new_seed_and_old_values_stale,
          without_a_good_status_writes_end_after_three_minutes, an_absent_plugin_stops_nothing, what_a_plugin_may_not_say,
          damaged_envelopes_are_refused)
