/* RvmPicture: a photo or a cut-out as a pyramid of cairo surfaces, so that it can be drawn at any scale without aliasing. Reference counted. */
#pragma once

#include <cairo.h>
#include <glib.h>

G_BEGIN_DECLS

enum { RVM_PICTURE_LEVELS = 8 };

typedef struct _RvmPicture {
  guint width, height;
  guint n_levels;
  cairo_surface_t *levels[RVM_PICTURE_LEVELS]; /* ARGB32; each half as large as the one before */
} RvmPicture;

RvmPicture *rvm_picture_load (const char *path, guint short_side, GError **error); /* @short_side: see rvm_reader_new() */
RvmPicture *rvm_picture_ref (RvmPicture *picture);
void rvm_picture_unref (RvmPicture *picture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmPicture, rvm_picture_unref)

/* A cut-out of @side x @side pixels: what @place shows of @picture (as in rvm_picture_draw(), mirrored around it) inside a round, irregular outline that
 * @rng draws and that nearly fills the square. NULL: no memory. */
RvmPicture *rvm_picture_cut_out (const RvmPicture *picture, const cairo_matrix_t *place, guint side, GRand *rng);

guint64 rvm_picture_get_size (const RvmPicture *picture); /* bytes */

/* Whether the picture covers what is behind it at (@x, @y), in its pixels; outside of it, it does not. */
gboolean rvm_picture_is_opaque (const RvmPicture *picture, double x, double y);

/* Paints the picture. @place maps pixels of the picture to those of the surface of @cr. @mirrored: the surface around the picture is filled with its
 * mirror image. */
void rvm_picture_draw (const RvmPicture *picture, cairo_t *cr, const cairo_matrix_t *place, gboolean mirrored);

G_END_DECLS
