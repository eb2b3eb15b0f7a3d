/* The type of the GParamSpec says which type the field has. */
#include "settings.h"

static GQuark
offset_quark (void)
{
  return g_quark_from_static_string ("gst-rvm-settings-offset");
}

void
rvm_settings_install (GObjectClass * klass, guint first_id, const RvmSetting * list, guint n)
{
  for (guint i = 0; i < n; i++) {
    g_param_spec_set_qdata (list[i].spec, offset_quark (), GSIZE_TO_POINTER (list[i].offset + 1));
    g_object_class_install_property (klass, first_id + i, list[i].spec);
  }
}

/* The field behind @pspec, or NULL. */
static gpointer
find_field (gconstpointer settings, GParamSpec * pspec)
{
  const gsize offset = GPOINTER_TO_SIZE (g_param_spec_get_qdata (pspec, offset_quark ()));

  return offset ? G_STRUCT_MEMBER_P (settings, offset - 1) : NULL;
}

static void
set_field (gpointer field, const GValue * value, GParamSpec * pspec)
{
  if (G_IS_PARAM_SPEC_STRING (pspec)) {
    g_free (*(gchar **) field);
    *(gchar **) field = g_value_dup_string (value);
  } else if (G_IS_PARAM_SPEC_ENUM (pspec)) {
    *(gint *) field = g_value_get_enum (value);
  } else if (G_IS_PARAM_SPEC_FLAGS (pspec)) {
    *(guint *) field = g_value_get_flags (value);
  } else if (G_IS_PARAM_SPEC_BOOLEAN (pspec)) {
    *(gboolean *) field = g_value_get_boolean (value);
  } else if (G_IS_PARAM_SPEC_DOUBLE (pspec)) {
    *(gdouble *) field = g_value_get_double (value);
  } else if (G_IS_PARAM_SPEC_UINT64 (pspec)) {
    *(guint64 *) field = g_value_get_uint64 (value);
  } else {
    *(guint *) field = g_value_get_uint (value);
  }
}

static void
get_field (gconstpointer field, GValue * value, GParamSpec * pspec)
{
  if (G_IS_PARAM_SPEC_STRING (pspec))
    g_value_set_string (value, *(gchar * const *) field);
  else if (G_IS_PARAM_SPEC_ENUM (pspec))
    g_value_set_enum (value, *(const gint *) field);
  else if (G_IS_PARAM_SPEC_FLAGS (pspec))
    g_value_set_flags (value, *(const guint *) field);
  else if (G_IS_PARAM_SPEC_BOOLEAN (pspec))
    g_value_set_boolean (value, *(const gboolean *) field);
  else if (G_IS_PARAM_SPEC_DOUBLE (pspec))
    g_value_set_double (value, *(const gdouble *) field);
  else if (G_IS_PARAM_SPEC_UINT64 (pspec))
    g_value_set_uint64 (value, *(const guint64 *) field);
  else
    g_value_set_uint (value, *(const guint *) field);
}

void
rvm_settings_set (GObject * object, gpointer settings, guint id, const GValue * value, GParamSpec * pspec)
{
  gpointer field = find_field (settings, pspec);

  if (field == NULL) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  GST_OBJECT_LOCK (object);
  set_field (field, value, pspec);
  GST_OBJECT_UNLOCK (object);
}

void
rvm_settings_get (GObject * object, gconstpointer settings, guint id, GValue * value, GParamSpec * pspec)
{
  gconstpointer field = find_field (settings, pspec);

  if (field == NULL) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  GST_OBJECT_LOCK (object);
  get_field (field, value, pspec);
  GST_OBJECT_UNLOCK (object);
}

void
rvm_settings_clear (GObject * object, gpointer settings)
{
  g_autofree GParamSpec **list = NULL;
  guint n;

  list = g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);
  for (guint i = 0; i < n; i++) {
    gchar **field = G_IS_PARAM_SPEC_STRING (list[i]) ? find_field (settings, list[i]) : NULL;

    if (field)
      g_clear_pointer (field, g_free);
  }
}
