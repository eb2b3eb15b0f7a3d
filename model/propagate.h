/* RvmPropagation: carries labels from the frame on which they are given to all later frames of a stream, by the similarity of features
 * (docs/model.md, section 7; the protocol of DAVIS, JHMDB and VIP in arXiv 2512.13684). Features and labels of the context stay on the device.
 *
 * Labels are given as groups. A group is a soft map (rows * columns, channels), where channel 0 is the background. Groups may be added and removed at
 * any frame. Each group keeps the frame on which it was given as one more context frame, which groups of the same frame share. Owned by one user,
 * used by one thread at a time. */
#pragma once

#include <glib.h>

#include "kernels/runtime/device.h"

G_BEGIN_DECLS

typedef struct _RvmPropagation RvmPropagation;

typedef struct {
  guint context;     /* frames remembered, besides the one on which the labels were given: 0 to 256 */
  guint radius;      /* cells at this grid distance and more are not matched with those of remembered frames; 0: no limit */
  guint top;         /* matches that count: 1 to 32 */
  float temperature; /* of their softmax, > 0 */
  /* Each channel of a frame's features to mean 0 and deviation 1 before they are compared: what all patches of a frame share, often most of a
   * feature's length, says nothing of where an object went. Not in the published protocol. */
  gboolean standardise;
  /* Floats that each cell has beside its features, such as colours and place (appearance.h): rvm_propagation_push() gets them. They are compared as they
   * are, together with features of length 1. None as published. */
  guint extra;
} RvmPropagationSettings;

/* As published. */
#define RVM_PROPAGATION_DEFAULT ((RvmPropagationSettings){ .context = 20, .radius = 20, .top = 7, .temperature = 0.7f })

/* @rows x @columns features of @dim floats a frame. RVM_ERROR_ARGUMENT, RVM_ERROR_MEMORY. Keeps a reference to @device. */
RvmPropagation *rvm_propagation_new (RvmDevice *device, guint rows, guint columns, guint dim, const RvmPropagationSettings *settings,
    GError **error);
void rvm_propagation_free (RvmPropagation *propagation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmPropagation, rvm_propagation_free)

/* The next frame: @features (rows * columns, dim), patches only; their lengths do not matter; and @beside (rows * columns, extra), which may be NULL if
 * extra is 0. Carries every group to it. After an error the object can only be freed. */
gboolean rvm_propagation_push (RvmPropagation *propagation, const float *features, const float *beside, GError **error);

/* Adds a group with @labels (rows * columns, channels) on the frame that was pushed last; there must be one. Returns: its id, > 0, or 0 on error. */
guint rvm_propagation_add (RvmPropagation *propagation, const float *labels, guint channels, GError **error);
/* FALSE if there is no such group. */
gboolean rvm_propagation_remove (RvmPropagation *propagation, guint group);
/* Reads the labels of the frame that was pushed last to @labels, as in rvm_propagation_add(). */
gboolean rvm_propagation_read (RvmPropagation *propagation, guint group, float *labels, GError **error);
/* Puts others in their place, which later frames are labelled by; not those of the frame on which the group was given. */
gboolean rvm_propagation_write (RvmPropagation *propagation, guint group, const float *labels, GError **error);
/* Where each cell of the frame pushed last looks most alike on the frame on which @group was given: @where (rows * columns, top) cells, and @value, how
 * alike, best first. FALSE without an error on that frame itself. */
gboolean rvm_propagation_read_matches (RvmPropagation *propagation, guint group, float *value, guint32 *where, GError **error);

G_END_DECLS
