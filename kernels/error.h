/* The error domain of everything below the plugin and the trainer.
 *
 * Messages name the file, the array or the device, what was found and what was expected, so a caller can show them unchanged. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * RvmError:
 * @RVM_ERROR_DEVICE: no such OpenCL device, or the device went away
 * @RVM_ERROR_BUILD: a kernel did not compile; the message holds the build log
 * @RVM_ERROR_LAUNCH: an OpenCL call failed; the message names it
 * @RVM_ERROR_MEMORY: the device or the host has not enough memory
 * @RVM_ERROR_FILE: a file cannot be opened, read or written
 * @RVM_ERROR_FORMAT: a file was read but is not what it should be
 * @RVM_ERROR_MODEL: arrays are missing, of the wrong shape, or not finite
 * @RVM_ERROR_ARGUMENT: a setting that cannot work (a frame smaller than a patch, f16 with CLBlast)
 */
typedef enum {
  RVM_ERROR_DEVICE,
  RVM_ERROR_BUILD,
  RVM_ERROR_LAUNCH,
  RVM_ERROR_MEMORY,
  RVM_ERROR_FILE,
  RVM_ERROR_FORMAT,
  RVM_ERROR_MODEL,
  RVM_ERROR_ARGUMENT,
} RvmError;

#define RVM_ERROR (rvm_error_quark ())
GQuark rvm_error_quark (void);

/* g_set_error() of this domain, for messages that quote a file: bytes that are not UTF-8 are escaped (text.h), because GLib and GStreamer
 * only accept UTF-8. */
void rvm_error_set (GError **error, RvmError code, const char *format, ...) G_GNUC_PRINTF (3, 4);

G_END_DECLS
