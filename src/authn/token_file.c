/* SPDX-License-Identifier: Apache-2.0 */
/* Static bearer tokens from a CSV file, read once at start.
 *
 * The table is keyed by a hash seeded per process; the token itself is then compared in constant time, so that neither
 * step tells a guesser how much of a token was right. Source: kubernetes/apiserver pkg/authentication/token/tokenfile. */
#include "authn.h"

#include <openssl/crypto.h>

struct token_entry {
    struct text token;
    struct user_info user;
};

struct token_file {
    struct token_method method;
    struct arena *arena; /* the entries and their strings */
    struct map by_token; /* read-only once loaded; a key is the decimal hash of the token, not the token */
};

#define HASH_KEY_BYTES 24

static struct text hash_key(struct text token, char dst[HASH_KEY_BYTES])
{
    int n = snprintf(dst, HASH_KEY_BYTES, "%llx", (unsigned long long)text_hash(token));
    return (struct text){dst, (size_t)n};
}

static enum authn_decision token_file_authenticate(struct token_method *m, struct token_question *q)
{
    struct token_file *f = CONTAINER_OF(m, struct token_file, method);
    char key[HASH_KEY_BYTES];
    const struct token_entry *e = map_get(&f->by_token, hash_key(q->token, key));

    if (!e || e->token.n != q->token.n || CRYPTO_memcmp(e->token.p, q->token.p, q->token.n) != 0)
        return AUTHN_NO_OPINION;
    q->user = e->user;
    return AUTHN_KNOWN;
}

static void token_file_free(struct token_method *m)
{
    struct token_file *f = CONTAINER_OF(m, struct token_file, method);
    map_deinit(&f->by_token);
    arena_free(f->arena);
    free(f);
}

/* One CSV field off *rest, with "quoted, ""fields""": true while there is one. */
static bool csv_field(struct arena *a, struct text *rest, struct text *ret)
{
    if (!rest->p)
        return false;
    *rest = text_trim(*rest);
    if (rest->n == 0 || rest->p[0] != '"') {
        text_split(rest, ',', ret);
        *ret = text_trim(*ret);
        return true;
    }
    struct buffer b = BUFFER_IN(a);
    size_t i = 1;
    for (; i < rest->n; i++) {
        if (rest->p[i] == '"' && (i + 1 >= rest->n || rest->p[i + 1] != '"'))
            break;
        if (rest->p[i] == '"')
            i++;
        buffer_add_char(&b, rest->p[i]);
    }
    *ret = buffer_text(&b);
    struct text unused;
    *rest = text_from(*rest, i + 1);
    text_split(rest, ',', &unused);
    return true;
}

static void split_groups(struct arena *a, struct text list, struct user_info *u)
{
    struct text part;
    u->groups = ARENA_ARRAY(a, struct text, list.n / 2 + 2);
    while (text_split(&list, ',', &part))
        if (text_trim(part).n)
            u->groups[u->n_groups++] = text_trim(part);
}

static int load_line(struct token_file *f, struct text line, const char *file, unsigned number, struct status *st)
{
    struct text field[4] = {0};
    char key[HASH_KEY_BYTES];
    size_t n = 0;

    while (n < N_ELEMENTS(field) && csv_field(f->arena, &line, &field[n]))
        n++;
    if (n < 3)
        return status_set(st, STATUS_BAD_REQUEST,
                          "token file '%s' must have at least 3 columns (token, user name, user uid), found %zu in line %u",
                          file, n, number);
    if (!field[0].n) {
        log_warning("Empty token in the token file", LOG_STR("file", file), LOG_I64("line", number));
        return 0;
    }
    struct token_entry *e = ARENA_NEW(f->arena, struct token_entry);
    e->token = arena_text(f->arena, field[0]);
    e->user.name = arena_text(f->arena, field[1]);
    e->user.uid = arena_text(f->arena, field[2]);
    split_groups(f->arena, arena_text(f->arena, field[3]), &e->user);
    if (map_put(&f->by_token, arena_text(f->arena, hash_key(e->token, key)), e))
        log_warning("A token stands more than once in the token file; the last line counts", LOG_STR("file", file));
    return 0;
}

int authn_token_file_new(const char *file, struct token_method **ret, struct status *st)
{
    struct buffer content = BUFFER_INIT;
    if (file_read(file, &content, st) < 0)
        return -1;
    struct token_file *f = xcalloc(1, sizeof(*f));
    f->method = (struct token_method){.name = "tokenfile",
                                      .is_audience_agnostic = true,
                                      .authenticate = token_file_authenticate,
                                      .free = token_file_free};
    f->arena = arena_new();

    struct text rest = buffer_text(&content), line;
    unsigned number = 0;
    int rc = 0;
    while (rc == 0 && text_split(&rest, '\n', &line)) {
        number++;
        line = text_trim(line);
        if (line.n && line.p[0] != '#')
            rc = load_line(f, line, file, number, st);
    }
    OPENSSL_cleanse(content.p, content.n);
    buffer_deinit(&content);
    if (rc < 0) {
        token_file_free(&f->method);
        return -1;
    }
    *ret = &f->method;
    return 0;
}
