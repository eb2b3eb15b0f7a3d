/* The enumeration of the property precision, of rvmencode and rvmreadout. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Nicks for RvmElement. */
GType gst_rvm_precision_get_type (void);

G_END_DECLS
