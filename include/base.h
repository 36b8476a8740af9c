/* base.h - floor 1: what every other floor stands on. Nothing here knows Kubernetes but status.h, the error type. */
#pragma once

#include "base/arena.h"      /* memory that dies together */
#include "base/base64.h"     /* RFC 4648 */
#include "base/buffer.h"     /* growing bytes, shared bytes */
#include "base/clock.h"      /* time, fakeable */
#include "base/containers.h" /* vector, list, hash map */
#include "base/duration.h"   /* Go's durations */
#include "base/file.h"       /* whole files in and out */
#include "base/json.h"       /* object trees from and to JSON */
#include "base/log.h"        /* klog-format lines */
#include "base/macros.h"
#include "base/memory.h"     /* malloc that does not fail */
#include "base/metrics.h"    /* counters, gauges, histograms */
#include "base/random.h"     /* randomness, UUIDs */
#include "base/status.h"     /* the one error type */
#include "base/text.h"       /* views */
#include "base/text_list.h"  /* arrays of them */
#include "base/tree.h"       /* the persistent ordered tree */
#include "base/value.h"      /* object trees */
#include "base/watched_file.h" /* files that are read again when they change */
#include "base/workers.h"    /* worker pool, timers */
#include "base/yaml.h"       /* object trees from and to YAML */
