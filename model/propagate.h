/* RvmPropagation: labels given on one frame, carried to all later frames of a stream by the similarity of features (docs/model.md, section 7, the
 * protocol of DAVIS, JHMDB and VIP in arXiv 2512.13684). Context features and labels stay on the device.
 *
 * Labels are soft maps (rows * columns, channels) of one group: channel 0 is the background. Groups may be added and removed at any frame;
 * each remembers the frame on which it was given, so those of one frame cost one more context frame together. Owned by one user, used by
 * one thread at a time. */
#pragma once

#include <glib.h>

#include "kernels/runtime/device.h"

G_BEGIN_DECLS

typedef struct _RvmPropagation RvmPropagation;

typedef struct {
  guint context;     /* frames remembered, besides the one the labels were given on: 0 to 256 */
  guint radius;      /* cells at this grid distance and more are not matched with those of remembered frames; 0: no limit */
  guint top;         /* matches that count: 1 to 32 */
  float temperature; /* of their softmax, > 0 */
  /* Each channel of a frame's features to mean 0 and deviation 1 before they are compared: what all patches of a frame share, often most of a
   * feature's length, says nothing of where an object went. Not in the published protocol. */
  gboolean standardise;
} RvmPropagationSettings;

/* As published. */
#define RVM_PROPAGATION_DEFAULT ((RvmPropagationSettings){ .context = 20, .radius = 20, .top = 7, .temperature = 0.7f })

/* @rows x @columns features of @dim floats a frame. RVM_ERROR_ARGUMENT, RVM_ERROR_MEMORY. Keeps a reference to @device. */
RvmPropagation *rvm_propagation_new (RvmDevice *device, guint rows, guint columns, guint dim, const RvmPropagationSettings *settings,
    GError **error);
void rvm_propagation_free (RvmPropagation *propagation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmPropagation, rvm_propagation_free)

/* The next frame: @features (rows * columns, dim), patches only, of any length. Carries every group to it. On error forget everything:
 * free the object. */
gboolean rvm_propagation_push (RvmPropagation *propagation, const float *features, GError **error);

/* Gives @labels (rows * columns, channels) to the frame that was pushed last (there must be one). Returns: an id, > 0, or 0 on error. */
guint rvm_propagation_add (RvmPropagation *propagation, const float *labels, guint channels, GError **error);
/* FALSE if there is no such group. */
gboolean rvm_propagation_remove (RvmPropagation *propagation, guint group);
/* The labels of the frame pushed last, to @labels as in rvm_propagation_add(). */
gboolean rvm_propagation_read (RvmPropagation *propagation, guint group, float *labels, GError **error);

G_END_DECLS
