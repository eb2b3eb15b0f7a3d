/* The folders in which a device keeps compiled kernels (cache_folders.h), and the messages about them. Private to kernels/runtime. Thread-safe. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @folder: (out) (nullable) (transfer full): programs are read from here and kept here. @spare: (out) (nullable) (transfer full): if @folder cannot be
 * written, they are kept here instead, and also read from here. A message for the user, if there is one, waits for rvm_device_folders_take_notice(). */
void rvm_device_folders_choose (const char *cache_dir, gboolean is_pocl, char **folder, char **spare);
/* (transfer full) (nullable): the reason why PoCL must not be used. */
char *rvm_device_folders_find_problem (gboolean is_pocl);
/* Sets the error for a machine without any device, RVM_ERROR_DEVICE. @problem: (nullable): from rvm_device_list_find(). */
void rvm_device_folders_explain_none (const char *problem, GError **error);
/* See rvm_device_take_notice(). */
char *rvm_device_folders_take_notice (void);

G_END_DECLS
