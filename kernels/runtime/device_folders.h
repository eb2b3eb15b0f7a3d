/* Which folders a device keeps compiled kernels in (cache_folders.h), and what is said about them. Private to kernels/runtime. Thread-safe. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @folder: (out) (nullable) (transfer full): where programs are read from, and kept; @spare: (out) (nullable) (transfer full): if that cannot be written,
 * where they are kept and also read from. What the user should know is noted for rvm_device_folders_take_notice(). */
void rvm_device_folders_choose (const char *cache_dir, gboolean is_pocl, char **folder, char **spare);
/* (transfer full) (nullable): why PoCL must not be used. */
char *rvm_device_folders_find_problem (gboolean is_pocl);
/* RVM_ERROR_DEVICE: there is no device at all. @problem: (nullable) of the platforms. */
void rvm_device_folders_explain_none (const char *problem, GError **error);
/* See rvm_device_take_notice(). */
char *rvm_device_folders_take_notice (void);

G_END_DECLS
