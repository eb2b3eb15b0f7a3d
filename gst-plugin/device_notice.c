/* Compiled kernels that cannot be kept where they should be: the pipeline runs all the same. */
#include "device_notice.h"

void
rvm_device_notice_post (GstElement * element, RvmDevice * device)
{
  g_autofree gchar *text = rvm_device_take_notice (device);

  if (text)
    GST_ELEMENT_WARNING (element, RESOURCE, OPEN_WRITE, ("%s", text), (NULL));
}
