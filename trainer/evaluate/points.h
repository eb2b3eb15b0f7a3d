/* Tracks of points that people have marked in some frames of a sequence: points/SEQ.json beside the compact layout of DAVIS, an object with
 * "size" [width, height] and "frames", each {"frame": N, "xy": [[x, y], ...], "visible": [true, ...]}, with the same points in all. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint frame;
  float *xy;         /* (n_points, 2), pixels */
  gboolean *visible; /* (n_points) */
} RvmMarkedFrame;

typedef struct {
  guint width, height; /* that coordinates refer to */
  guint n_points;
  GArray *frames; /* of RvmMarkedFrame, at least two, in order */
} RvmMarkedPoints;

/* RVM_ERROR_FORMAT names file and field. */
RvmMarkedPoints *rvm_marked_points_load (const char *path, GError **error);
void rvm_marked_points_free (RvmMarkedPoints *points);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmMarkedPoints, rvm_marked_points_free)

/* Those of frame @frame, or NULL if it has none. */
const RvmMarkedFrame *rvm_marked_points_find (const RvmMarkedPoints *points, guint frame);

G_END_DECLS
