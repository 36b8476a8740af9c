/* http.h - floor 2: requests, responses, streams, and the chain of filters between a listener and a handler. */
#pragma once

#include "http/chain.h"     /* filters as data, park, resume */
#include "http/client.h"    /* requests to other servers, by libcurl */
#include "http/gzip.h"      /* gzip streams joined of shared parts */
#include "http/listener.h"  /* HTTPS by libmicrohttpd */
#include "http/negotiate.h" /* Accept, Content-Type */
#include "http/request.h"   /* one request and its response */
#include "http/stream.h"    /* responses that go on */
#include "http/tls.h"       /* certificates, versions, suites */
#include "http/websocket.h" /* frames, and streams as messages */
