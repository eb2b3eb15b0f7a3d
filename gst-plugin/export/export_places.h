/* Where rvmexport writes to, compared before anything is opened: no two outputs may be one file, and none may be a file that another element
 * reads or writes. A file is the same under another spelling of its path, through links, and as a hard link; devices and pipes, such as
 * /dev/null, may be shared. Paths are borrowed from the element's settings. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  const gchar *setting;         /* the property that asks for it */
  const gchar *path;            /* NULL: not asked for */
  gboolean is_pattern;          /* has one %d, for which any number may stand */
} RvmExportPlace;

/* What a running element writes, for the others of this process to find. */
typedef struct _RvmExportClaim RvmExportClaim;

/* Compares @places with each other, with what the elements of @element's pipeline have as files, with what other elements of this process
 * write, and with the bundled model. The first that clash are the error, and NULL is returned. */
RvmExportClaim *rvm_export_claim_places (GstElement * element, const RvmExportPlace * places, guint n, GError ** error);
void rvm_export_claim_free (RvmExportClaim * claim);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmExportClaim, rvm_export_claim_free)

/* Exactly one %d, as in "%05d", and nothing else for printf to do. */
gboolean rvm_export_is_pattern (const gchar * text);
gchar *rvm_export_expand_pattern (const gchar * pattern, guint number);

G_END_DECLS
