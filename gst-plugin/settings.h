/* Properties whose value is a field of a structure. The offset of the field travels with the GParamSpec, so that one table says everything about a
 * property. Fields are strings, enums, flags, booleans, unsigned integers of 32 and 64 bits, and doubles. The structure belongs to an element and is
 * guarded by its object lock. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  gsize offset;                 /* of the field: gchar *, gint (enum), guint (flags, uint), gboolean, guint64 or gdouble */
  GParamSpec *spec;             /* floating */
} RvmSetting;

/* Installs a property for each of the @n settings of @list, with ids from @first_id. */
void rvm_settings_install (GObjectClass * klass, guint first_id, const RvmSetting * list, guint n);

/* GObject's set_property and get_property for the fields of @settings, the structure of the element @object. They take the object lock, and warn of a
 * property that rvm_settings_install() did not install. */
void rvm_settings_set (GObject * object, gpointer settings, guint id, const GValue * value, GParamSpec * pspec);
void rvm_settings_get (GObject * object, gconstpointer settings, guint id, GValue * value, GParamSpec * pspec);

/* Frees the strings of @settings when @object is finalized. */
void rvm_settings_clear (GObject * object, gpointer settings);

G_END_DECLS
