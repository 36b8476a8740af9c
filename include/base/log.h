/* log.h - structured log lines on stderr in klog's form:
 *   I0821 10:15:04.120391    4711 watcher.c:88] "Watch closed" resource="pods" rv=1042
 * Threads: any; one write per line. Library floors do not log what they return as an error. Never secrets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum log_level { LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_FATAL };

struct log_field {
    const char *key;
    enum { LOG_FIELD_TEXT, LOG_FIELD_I64, LOG_FIELD_U64, LOG_FIELD_BOOL } type;
    struct text text;
    int64_t number;
};
#define LOG_STR(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_TEXT, .text = text_of(v)})
#define LOG_TEXT(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_TEXT, .text = (v)})
#define LOG_I64(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_I64, .number = (v)})
#define LOG_U64(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_U64, .number = (int64_t)(v)})
#define LOG_BOOL(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_BOOL, .number = (v)})

void log_write(enum log_level level, const char *file, int line, const char *message, const struct log_field *fields,
               size_t n_fields);
#define LOG_AT(level, message, ...)                                                                              \
    log_write((level), __FILE__, __LINE__, (message), (const struct log_field[]){{0}, ##__VA_ARGS__} + 1,         \
              N_ELEMENTS(((const struct log_field[]){{0}, ##__VA_ARGS__})) - 1)
#define log_info(message, ...) LOG_AT(LOG_INFO, message, ##__VA_ARGS__)
#define log_warning(message, ...) LOG_AT(LOG_WARNING, message, ##__VA_ARGS__)
#define log_error(message, ...) LOG_AT(LOG_ERROR, message, ##__VA_ARGS__)
/* Printed when -v is at least level, or KS_LOG names this file's folder or name with such a level
 * (KS_LOG=storage=4,watcher=6). */
#define log_verbose(level, message, ...)                                                                         \
    do {                                                                                                         \
        if (log_enabled(__FILE__, (level)))                                                                      \
            log_info(message, ##__VA_ARGS__);                                                                    \
    } while (0)
bool log_enabled(const char *file, int level);
void log_set_verbosity(int level); /* --v */
/* --vmodule: "watcher=4,storage*=2"; false, and nothing changed, if it is malformed. Before the other threads start. */
bool log_set_vmodule(const char *patterns);
void log_set_fd(int fd); /* tests; 2 at first */
