/* What checks of kernels share: the device under test, random values, and memory on it. */
#pragma once

#include <glib.h>

#include "kernels/runtime/queue.h"

static RvmDevice *device;
static RvmQueue *queue;
static GRand *dice;

static float *
random_values (gsize count, double scale)
{
  float *values = g_new (float, count);

  for (gsize i = 0; i < count; i++)
    values[i] = g_rand_double_range (dice, -scale, scale);
  return values;
}

/* @data NULL: zeros. */
static RvmBuffer *
upload (gconstpointer data, gsize size)
{
  g_autoptr (GError) error = NULL;
  RvmBuffer *buffer = rvm_buffer_new (device, size, "test", &error);

  if (buffer == NULL)
    g_error ("%s", error->message);
  if (data)
    rvm_queue_write (queue, buffer, 0, data, size);
  else
    rvm_queue_zero (queue, buffer, 0, size);
  if (!rvm_queue_finish (queue, &error))
    g_error ("%s", error->message);
  return buffer;
}
