/* flags.h - the table of settings, for the files of this floor. */
#pragma once

#include "server.h"

enum flag_type { FLAG_STRING, FLAG_INT, FLAG_BOOL, FLAG_DURATION, FLAG_LIST, FLAG_ARRAY };

struct flag {
    const char *name;
    char shorthand;
    enum flag_type type;
    const char *default_value;
    size_t offset; /* of the value in struct settings: const char *, int64_t, bool, int64_t ns, struct text_list twice */
    const char *section, *help;
    void (*add_help)(struct buffer *b); /* more of it, that a lower floor knows; NULL: nothing */
};
extern const struct flag flags[];
extern const size_t n_flags;

const struct flag *flag_find(struct text name); /* NULL: unknown */
const char *flag_nearest(struct text name);
/* Strings are copied into a. Lists and arrays grow with each call; an array's values may have commas. */
int flag_set(struct arena *a, struct settings *s, const struct flag *f, struct text value, struct status *st);
void settings_defaults(struct arena *a, struct settings *s);
