/* Counts until the first buffer that has what is needed. */
#include "missing.h"

static void
say (RvmMissing * missing, GstElement * element, RvmMissingKind kind)
{
  static const struct
  {
    const gchar *what, *why;
  } texts[] = {
    [RVM_MISSING_FEATURES] = {"features", "there is no rvmencode before this element, its property output is empty, or an element"
          " between them drops metadata"},
    [RVM_MISSING_TRACKS] = {"tracks", "there is no rvmtrack before this element, or an element between them drops metadata"},
  };

  missing->said = TRUE;
  GST_ELEMENT_WARNING (element, STREAM, FAILED, ("no %s in the first %u frames: %s", texts[kind].what, missing->without,
          texts[kind].why), (NULL));
}

void
rvm_missing_count (RvmMissing * missing, GstElement * element, gboolean found, RvmMissingKind kind)
{
  missing->seen |= found;
  if (missing->seen || missing->said || ++missing->without < RVM_MISSING_FRAMES)
    return;
  say (missing, element, kind);
}

void
rvm_missing_finish (RvmMissing * missing, GstElement * element, RvmMissingKind kind)
{
  if (!missing->seen && !missing->said)
    say (missing, element, kind);
}
