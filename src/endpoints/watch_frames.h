/* SPDX-License-Identifier: Apache-2.0 */
/* watch_frames.h - events as they go over the wire. Threads: any. */
#pragma once

#include "endpoints/endpoints_internal.h"

#define FRAME_LENGTH_BYTES 4 /* before each event of a protobuf stream */

/* An event's bytes, not shared. */
struct blob *frame_new(const struct representation *rep, const char *type, struct text object);
/* The same of an object, one reference, made or found. NULL: the object cannot be shown. */
struct blob *frames_event(struct frames *f, struct representation *rep, enum event_type type, struct object *o,
                          struct buffer *scratch);
