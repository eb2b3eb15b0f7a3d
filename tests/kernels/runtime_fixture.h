/* What the tests of the runtime share: a folder for each test, and devices. */
#pragma once

#include <check.h>
#include <glib/gstdio.h>

#include "kernels/runtime/device.h"

static char *folder;

static void
setup (void)
{
  folder = g_dir_make_tmp ("rvm-runtime-XXXXXX", NULL);
  ck_assert_ptr_nonnull (folder);
}

static void
teardown (void)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    g_unlink (path);
  }
  g_rmdir (folder);
  g_clear_pointer (&folder, g_free);
}

static RvmDevice *
open_device (const char *cache_dir)
{
  g_autoptr (GError) error = NULL;
  RvmDevice *device = rvm_device_open (NULL, cache_dir, &error);

  ck_assert_msg (device != NULL, "%s", error ? error->message : "");
  return device;
}
