/* Properties whose value is a field of a structure: the field's offset travels with the GParamSpec, so that one list says all there is to
 * say about a property. Strings, enums, flags, booleans, unsigned integers of 32 and 64 bits, and doubles. The element guards the structure with its object lock. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  gsize offset;                 /* of the field: gchar *, gint (enum), guint (flags, uint), gboolean, guint64 or gdouble */
  GParamSpec *spec;             /* floating */
} RvmSetting;

/* Installs a property for each of @list, with ids from @first_id. */
void rvm_settings_install (GObjectClass * klass, guint first_id, const RvmSetting * list, guint n);

/* Between @value and the field of @settings; FALSE if @pspec was not installed by rvm_settings_install(). */
gboolean rvm_settings_set (gpointer settings, const GValue * value, GParamSpec * pspec);
gboolean rvm_settings_get (gconstpointer settings, GValue * value, GParamSpec * pspec);

G_END_DECLS
