/* The registrar: every element of the plugin and its metadata, and nothing else. */
#include <gst/gst.h>

#include "meta/gstrvmreadout.h"
#include "meta/gstrvmtrackmeta.h"
#include "encode/rvmencode.h"
#include "export/rvmexport.h"
#include "overlay/rvmoverlay.h"
#include "readout/rvmreadout.h"
#include "track/rvmtrack.h"

static gboolean
plugin_init (GstPlugin * plugin)
{
  gboolean ok = FALSE;

  /* unixfdsrc makes only metas that are known. */
  gst_rvm_feature_meta_get_info ();
  gst_rvm_track_meta_get_info ();
  gst_rvm_readout_meta_get_info ();
  ok |= GST_ELEMENT_REGISTER (rvmencode, plugin);
  ok |= GST_ELEMENT_REGISTER (rvmtrack, plugin);
  ok |= GST_ELEMENT_REGISTER (rvmreadout, plugin);
  ok |= GST_ELEMENT_REGISTER (rvmoverlay, plugin);
  ok |= GST_ELEMENT_REGISTER (rvmexport, plugin);
  return ok;
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, rvm,
    "Recurrent Video Masked Autoencoders on OpenCL", plugin_init, VERSION,
    "LGPL", "gst-rvm", "https://arxiv.org/abs/2512.13684")
