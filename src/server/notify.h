/* notify.h - tells the service manager how far the process is. */
#pragma once

/* "READY=1", "STOPPING=1": to the socket that NOTIFY_SOCKET names; without one nothing happens. The protocol is
 * systemd's, stable and documented (sd_notify(3)); its library would bring six more into every process, a megabyte of them. */
void notify_manager(const char *state);
