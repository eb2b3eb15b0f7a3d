/* The report is made from the queue's own profile, whose launches of the kernel
 * that cuts pixels into patches, one a frame, also count the frames. */
#include "profile_report.h"

#include <string.h>

#define FRAMES 25

GST_DEBUG_CATEGORY_STATIC (rvm_profile_debug);
#define GST_CAT_DEFAULT rvm_profile_debug

static const struct
{
  const gchar *family;
  const gchar *kernels[8];
} families[] = {
  {"linear layers", {"gemm", "clblast", "epilogue", "chain", "matrix_chain"}},
  {"attention", {"attention", "matrix_attention"}},
  {"layer norms", {"layernorm"}},
  {"gates", {"gate_context", "state_update"}},
  {"tokens", {"patches", "token_table", "gather_rows"}},
  {"others", {NULL}},
};

static void
init_category (void)
{
  static gsize done = 0;

  if (g_once_init_enter (&done)) {
    GST_DEBUG_CATEGORY_INIT (rvm_profile_debug, "rvmprofile", 0,
        "Time of a frame by kernel family");
    g_once_init_leave (&done, 1);
  }
}

RvmStreamFlags
rvm_profile_report_get_flags (void)
{
  init_category ();
  return gst_debug_category_get_threshold (rvm_profile_debug) >=
      GST_LEVEL_DEBUG ? RVM_STREAM_PROFILE : RVM_STREAM_DEFAULT;
}

static guint
find_family (const gchar * kernel)
{
  guint family = 0;

  for (; family + 1 < G_N_ELEMENTS (families); family++)
    for (guint i = 0; families[family].kernels[i]; i++)
      if (strcmp (families[family].kernels[i], kernel) == 0)
        return family;
  return family;
}

void
rvm_profile_report_frame (RvmStream * stream, gboolean last)
{
  gdouble ms[G_N_ELEMENTS (families)] = { 0 }, total = 0;
  guint64 launches[G_N_ELEMENTS (families)] = { 0 }, frames = 0;
  g_autoptr (GArray) profile = NULL;

  init_category ();
  profile = rvm_queue_get_profile (rvm_stream_get_queue (stream));
  for (guint i = 0; i < profile->len; i++) {
    const RvmProfileEntry *entry = &g_array_index (profile, RvmProfileEntry, i);
    const guint family = find_family (entry->name);

    if (strcmp (entry->name, "patches") == 0)
      frames = entry->launches;
    ms[family] += entry->nanoseconds / 1e6;
    launches[family] += entry->launches;
    total += entry->nanoseconds / 1e6;
  }
  if (frames == 0 || total == 0 || (frames < FRAMES && !last))
    return;
  GST_DEBUG ("%" G_GUINT64_FORMAT " frames of %u x %u tokens, kernels measured"
      " one by one: %.2f ms a frame", frames, rvm_stream_get_tokens (stream),
      rvm_stream_get_dim (stream), total / frames);
  for (guint f = 0; f < G_N_ELEMENTS (families); f++)
    if (launches[f])
      GST_DEBUG ("  %-13s %7.2f ms %5.1f %%, %" G_GUINT64_FORMAT " launches",
          families[f].family, ms[f] / frames, 100 * ms[f] / total,
          launches[f] / frames);
  rvm_queue_reset_profile (rvm_stream_get_queue (stream));
}
