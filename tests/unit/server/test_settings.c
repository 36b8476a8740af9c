/* SPDX-License-Identifier: Apache-2.0 */
/* The command line and the configuration file: what wins, and what a slip gets. */
#include "server.h"

#include <stdio.h>
#include <unistd.h>

#include "unit.h"

static struct arena *a;
static struct settings s;
static struct status st;

static int parse(const char *const *args)
{
    int n = 0;
    while (args[n])
        n++;
    arena_free(a);
    a = arena_new();
    return settings_read(a, n, (char *const *)args, &s, &st);
}
#define PARSE(...) parse((const char *const[]){"keelson", ##__VA_ARGS__, NULL})

static const char *write_config(const char *text)
{
    static char path[64];
    snprintf(path, sizeof(path), "/tmp/keelson-settings-%d.yaml", (int)getpid());
    ck_assert_int_eq(file_write(path, text_of(text), 0600, &st), 0);
    return path;
}

START_TEST(defaults_are_those_of_kube_apiserver)
{
    ck_assert_int_eq(PARSE(), 0);
    ck_assert_int_eq(s.secure_port, 6443);
    ck_assert_str_eq(s.bind_address, "0.0.0.0");
    ck_assert_int_eq(s.min_request_timeout, 1800);
    ck_assert_int_eq(s.shutdown_grace_period, 30000000000);
    ck_assert(s.anonymous_auth && !s.anonymous_auth_is_set);
    ck_assert_int_eq(s.authorization_mode.n, 2); /* as kubeadm has it: Node,RBAC */
    ck_assert_ptr_null(s.tls_cert_file);
}
END_TEST

START_TEST(both_forms_of_a_flag_are_read)
{
    ck_assert_int_eq(PARSE("--secure-port", "1234", "--bind-address=127.0.0.1", "-v=3", "--anonymous-auth=false",
                           "--runtime-config=a/v1=true,api/all=false", "--runtime-config", "b/v1"),
                     0);
    ck_assert_int_eq(s.secure_port, 1234);
    ck_assert_str_eq(s.bind_address, "127.0.0.1");
    ck_assert_int_eq(s.v, 3);
    ck_assert(!s.anonymous_auth && s.anonymous_auth_is_set);
    ck_assert_int_eq(s.runtime_config.n, 3);
    ck_assert(text_is(s.runtime_config.p[2], "b/v1"));
}
END_TEST

START_TEST(the_command_line_goes_before_the_file)
{
    const char *path = write_config("secure-port: 7000\nbind-address: 127.0.0.9\nauthorization-mode: [AlwaysDeny]\n"
                                    "runtime-config:\n  api/all: true\nshutdown-delay-duration: 1m30s\n");
    ck_assert_int_eq(PARSE("--secure-port=7001", "--config", path, "--authorization-mode=AlwaysAllow"), 0);
    unlink(path);
    ck_assert_int_eq(s.secure_port, 7001);
    ck_assert_str_eq(s.bind_address, "127.0.0.9");
    ck_assert_int_eq(s.authorization_mode.n, 1);
    ck_assert(text_is(s.authorization_mode.p[0], "AlwaysAllow"));
    ck_assert(text_is(s.runtime_config.p[0], "api/all=true"));
    ck_assert_int_eq(s.shutdown_delay_duration, 90000000000);
}
END_TEST

static const struct {
    const char *arg, *message;
} slips[] = {
    {"--secure-prot=1", "unknown flag: --secure-prot (the nearest is --secure-port; --help lists all)"},
    {"--secure-port", "flag needs an argument: --secure-port"},
    {"--secure-port=x", "invalid argument \"x\" for \"--secure-port\" flag: not a int"},
    {"--watch-history=5", "invalid argument \"5\" for \"--watch-history\" flag: not a duration"},
    {"--anonymous-auth=maybe", "invalid argument \"maybe\" for \"--anonymous-auth\" flag: not a bool"},
    {"serve", "unexpected argument \"serve\": all settings are flags"},
    {"--config=/nowhere/x.yaml", "--config: open /nowhere/x.yaml: no such file or directory"},
};

START_TEST(a_slip_gets_one_clear_sentence)
{
    for (size_t i = 0; i < N_ELEMENTS(slips); i++) {
        ck_assert_msg(PARSE(slips[i].arg) < 0, "%s was taken", slips[i].arg);
        ck_assert_str_eq(st.message, slips[i].message);
    }
}
END_TEST

static const char *const bad_files[] = {"- a\n- b\n", "secure-prot: 1\n", "secure-port: x\n", "bind-address: {a: [1]}\nx", "a: 1\na: 2\n"};

START_TEST(a_bad_file_is_refused)
{
    for (size_t i = 0; i < N_ELEMENTS(bad_files); i++) {
        const char *path = write_config(bad_files[i]);
        ck_assert_msg(PARSE("--config", path) < 0, "taken: %s", bad_files[i]);
        ck_assert_msg(strncmp(st.message, "--config ", 9) == 0, "%s", st.message);
        unlink(path);
    }
}
END_TEST

START_TEST(help_shows_every_section)
{
    struct buffer b = BUFFER_INIT;
    settings_help(&b);
    ck_assert_ptr_nonnull(strstr(buffer_str(&b), "Secure serving flags:"));
    ck_assert_ptr_nonnull(strstr(buffer_str(&b), "--tls-min-version string"));
    buffer_deinit(&b);
}
END_TEST

UNIT_MAIN("settings", defaults_are_those_of_kube_apiserver, both_forms_of_a_flag_are_read,
          the_command_line_goes_before_the_file, a_slip_gets_one_clear_sentence, a_bad_file_is_refused,
          help_shows_every_section)
