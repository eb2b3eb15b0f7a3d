/* Positions are in widths of the frame and times in lengths of the clip (0 to 1), so that a clip looks the same at every resolution. */
#include "synthetic.h"

#include <math.h>

#include "kernels/cl/flags.h"
#include "kernels/error.h"
#include "picture.h"
#include "store.h"

#define SPRITES_OFFSET ((guint64) 1 << 32) /* of their numbers in the store */

enum { SPRITES_LIMIT = 64, DETAIL = 8 }; /* DETAIL: pictures are kept at most this many times as large as a frame */

struct _RvmSynthetic {
  const GPtrArray *photos, *sprites; /* RvmMaterialFile: the material's */
  guint side, sprites_max;
  double motion, cut_outs;
  RvmStore *store; /* number (photos, then sprites) -> RvmPicture */
};

/* v(t) = start + speed t + swing sin (2 pi (turns t + phase)) */
typedef struct {
  double start, speed, swing, turns, phase;
} Track;

typedef struct {
  RvmPicture *picture;
  Track x, y, angle, log_scale, lean;
  double scale;    /* pixels of the frame per pixel of the picture, where log_scale is 0 */
  gboolean flip;
} Actor;

struct _RvmSyntheticClip {
  guint width, height, frames, n;
  double motion; /* of every track's speed and swing */
  Actor actors[1 + SPRITES_LIMIT]; /* the photo first */
  cairo_surface_t *surface;
};

/* Pictures would be decoded when first drawn. All are decoded once before, since a file that is not a picture must not end a run after days. */
static gboolean
choose_pictures (RvmSynthetic *synthetic, RvmMaterial *material, RvmMaterialKind kind, guint64 offset, GError **error)
{
  const GPtrArray *files = material->files[kind];

  for (guint i = 0; i < files->len;) {
    const RvmMaterialFile *file = g_ptr_array_index (files, i);
    g_autoptr (GError) reason = NULL;
    g_autoptr (RvmPicture) picture = rvm_picture_load (file->path, DETAIL * synthetic->side, &reason);

    if (picture) {
      rvm_store_put (synthetic->store, offset + i++, picture, rvm_picture_get_size (picture));
    } else if (file->settled) {
      g_propagate_prefixed_error (error, g_steal_pointer (&reason), "it could be used before: ");
      return FALSE;
    } else {
      g_printerr ("rvm-cl-train: skipped: %s\n", reason->message);
      rvm_material_skip (material, kind, i, reason->message);
    }
  }
  return TRUE;
}

RvmSynthetic *
rvm_synthetic_new (RvmMaterial *material, const RvmRecipe *recipe, guint side, guint64 memory, GError **error)
{
  g_autoptr (RvmSynthetic) synthetic = g_new0 (RvmSynthetic, 1);

  synthetic->side = side;
  synthetic->sprites_max = MIN (recipe->sprites_max, SPRITES_LIMIT);
  synthetic->motion = recipe->motion;
  synthetic->cut_outs = recipe->cut_outs;
  synthetic->store = rvm_store_new (memory, (gpointer (*) (gpointer)) rvm_picture_ref, (GDestroyNotify) rvm_picture_unref);
  synthetic->photos = material->files[RVM_MATERIAL_PHOTOS];
  synthetic->sprites = material->files[RVM_MATERIAL_SPRITES];
  if (!choose_pictures (synthetic, material, RVM_MATERIAL_PHOTOS, 0, error)
      || !choose_pictures (synthetic, material, RVM_MATERIAL_SPRITES, SPRITES_OFFSET, error))
    return NULL;
  if (synthetic->photos->len == 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "rendered video needs photos: none of the %u files given is a picture",
        material->skipped[RVM_MATERIAL_PHOTOS]->len);
    return NULL;
  }
  return g_steal_pointer (&synthetic);
}

void
rvm_synthetic_free (RvmSynthetic *synthetic)
{
  if (synthetic == NULL)
    return;
  g_clear_pointer (&synthetic->store, rvm_store_free);
  g_free (synthetic);
}

static RvmPicture *
take_picture (RvmSynthetic *synthetic, const GPtrArray *files, guint64 offset, guint number, GError **error)
{
  RvmPicture *picture = rvm_store_get (synthetic->store, offset + number);
  RvmMaterialFile *file = g_ptr_array_index (files, number);

  if (picture)
    return picture;
  if (!rvm_material_file_check (file, error))
    return NULL;
  picture = rvm_picture_load (file->path, DETAIL * synthetic->side, error);
  if (!rvm_material_file_confirm (file, picture != NULL, error))
    g_clear_pointer (&picture, rvm_picture_unref);
  if (picture)
    rvm_store_put (synthetic->store, offset + number, picture, rvm_picture_get_size (picture));
  return picture;
}

/* Either sign; small values are more frequent than large ones. */
static double
draw_signed (GRand *rng, double most)
{
  const double value = g_rand_double_range (rng, -1, 1);

  return most * value * fabs (value);
}

static Track
draw_track (const RvmSyntheticClip *clip, GRand *rng, double start, double speed, double swing)
{
  return (Track){
    .start = start, .speed = draw_signed (rng, clip->motion * speed), .swing = draw_signed (rng, clip->motion * swing),
    .turns = g_rand_double_range (rng, 0.3, 1.5), .phase = g_rand_double (rng),
  };
}

static double
track_at (const Track *track, double t)
{
  return track->start + track->speed * t + track->swing * (sin (2 * G_PI * (track->turns * t + track->phase)) - sin (2 * G_PI * track->phase));
}

/* The camera's window is 0.15 to 0.8 of the photo's shorter side. */
static void
draw_background (Actor *actor, const RvmSyntheticClip *clip, GRand *rng)
{
  const guint side = MIN (actor->picture->width, actor->picture->height);

  actor->scale = MAX (clip->width, clip->height) / (side * exp (g_rand_double_range (rng, log (0.15), log (0.8))));
  actor->x = draw_track (clip, rng, g_rand_double_range (rng, -0.8, 0.8), 2.0, 0.3);
  actor->y = draw_track (clip, rng, g_rand_double_range (rng, -0.8, 0.8), 1.2, 0.3);
  actor->angle = draw_track (clip, rng, draw_signed (rng, 0.3), 0.8, 0.15);
  actor->log_scale = draw_track (clip, rng, 0, 0.8, 0.15);
  actor->lean = draw_track (clip, rng, draw_signed (rng, 0.2), 0.3, 0.1);
  actor->flip = g_rand_boolean (rng);
}

/* A sprite has 0.15 to 0.8 of the frame's size, and is inside the frame at one random time. */
static void
draw_sprite (Actor *actor, const RvmSyntheticClip *clip, GRand *rng)
{
  const double size = exp (g_rand_double_range (rng, log (0.15), log (0.8)));

  actor->scale = size * clip->width / MAX (actor->picture->width, actor->picture->height);
  actor->x = draw_track (clip, rng, 0, 1.8, 0.3);
  actor->y = draw_track (clip, rng, 0, 1.2, 0.3);
  actor->angle = draw_track (clip, rng, draw_signed (rng, 0.6), 2.0, 0.4);
  actor->log_scale = draw_track (clip, rng, 0, 0.8, 0.2);
  actor->lean = draw_track (clip, rng, 0, 0.3, 0.15);
  actor->flip = g_rand_boolean (rng);
  const double seen = g_rand_double (rng);
  actor->x.start = g_rand_double_range (rng, -0.5, 0.5) - track_at (&actor->x, seen);
  actor->y.start = g_rand_double_range (rng, -0.5, 0.5) * clip->height / clip->width - track_at (&actor->y, seen);
}

/* A piece of 0.1 to 0.5 of the photo's shorter side, as it may be turned. */
static RvmPicture *
cut_out (RvmSynthetic *synthetic, GRand *rng, GError **error)
{
  const double side = synthetic->side, least = log (0.1), most = log (0.5);
  const guint number = g_rand_int_range (rng, 0, synthetic->photos->len);
  g_autoptr (RvmPicture) photo = take_picture (synthetic, synthetic->photos, 0, number, error);
  RvmPicture *piece;
  cairo_matrix_t place;

  if (photo == NULL)
    return NULL;
  const double scale = side / (MIN (photo->width, photo->height) * exp (g_rand_double_range (rng, least, most)));
  const double x = g_rand_double_range (rng, 0, photo->width), y = g_rand_double_range (rng, 0, photo->height);
  cairo_matrix_init_translate (&place, side / 2, side / 2);
  cairo_matrix_rotate (&place, g_rand_double_range (rng, 0, 2 * G_PI));
  cairo_matrix_scale (&place, scale, scale);
  cairo_matrix_translate (&place, -x, -y);
  piece = rvm_picture_cut_out (photo, &place, synthetic->side, rng);
  if (piece == NULL)
    rvm_error_set (error, RVM_ERROR_MEMORY, "no memory for a cut-out of %u x %u pixels", synthetic->side, synthetic->side);
  return piece;
}

/* The photo (@i is 0) or a sprite. (transfer full). */
static RvmPicture *
choose_picture (RvmSynthetic *synthetic, GRand *rng, guint i, GError **error)
{
  const GPtrArray *files = i ? synthetic->sprites : synthetic->photos;

  if (i && synthetic->cut_outs > 0 && (files->len == 0 || g_rand_double (rng) < synthetic->cut_outs))
    return cut_out (synthetic, rng, error);
  return take_picture (synthetic, files, i ? SPRITES_OFFSET : 0, g_rand_int_range (rng, 0, files->len), error);
}

RvmSyntheticClip *
rvm_synthetic_clip_new (RvmSynthetic *synthetic, GRand *rng, guint width, guint height, guint frames, GError **error)
{
  g_autoptr (RvmSyntheticClip) clip = g_new0 (RvmSyntheticClip, 1);
  const gboolean has_sprites = synthetic->sprites->len || synthetic->cut_outs > 0;
  const guint sprites = has_sprites ? g_rand_int_range (rng, 1, synthetic->sprites_max + 1) : 0;

  clip->width = width;
  clip->height = height;
  clip->frames = frames;
  clip->motion = synthetic->motion;
  clip->surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, clip->width, clip->height);
  for (guint i = 0; i <= sprites; i++) {
    Actor *actor = &clip->actors[i];

    actor->picture = choose_picture (synthetic, rng, i, error);
    if (actor->picture == NULL)
      return NULL;
    clip->n++;
    if (i)
      draw_sprite (actor, clip, rng);
    else
      draw_background (actor, clip, rng);
  }
  return g_steal_pointer (&clip);
}

void
rvm_synthetic_clip_free (RvmSyntheticClip *clip)
{
  if (clip == NULL)
    return;
  for (guint i = 0; i < clip->n; i++)
    rvm_picture_unref (clip->actors[i].picture);
  g_clear_pointer (&clip->surface, cairo_surface_destroy);
  g_free (clip);
}

static void
place_actor (const RvmSyntheticClip *clip, const Actor *actor, double t, cairo_matrix_t *place)
{
  const double scale = actor->scale * exp (track_at (&actor->log_scale, t));
  cairo_matrix_t lean;

  cairo_matrix_init_translate (place, clip->width * (0.5 + track_at (&actor->x, t)), clip->height * 0.5 + clip->width * track_at (&actor->y, t));
  cairo_matrix_rotate (place, track_at (&actor->angle, t));
  cairo_matrix_init (&lean, 1, 0, track_at (&actor->lean, t), 1, 0, 0);
  cairo_matrix_multiply (place, &lean, place);
  cairo_matrix_scale (place, actor->flip ? -scale : scale, scale);
  cairo_matrix_translate (place, -0.5 * actor->picture->width, -0.5 * actor->picture->height);
}

static double
time_of (const RvmSyntheticClip *clip, guint frame)
{
  return clip->frames > 1 ? (double) frame / (clip->frames - 1) : 0;
}

/* Which actor is seen at (@x, @y), the last one that is drawn there; they become places in its picture. The photo is everywhere. */
static guint
find_actor (const RvmSyntheticClip *clip, double t, double *x, double *y)
{
  for (guint i = clip->n; i-- > 0;) {
    const Actor *actor = &clip->actors[i];
    double px = *x, py = *y;
    cairo_matrix_t place;

    place_actor (clip, actor, t, &place);
    if (cairo_matrix_invert (&place) != CAIRO_STATUS_SUCCESS)
      continue;
    cairo_matrix_transform_point (&place, &px, &py);
    if (i == 0 || rvm_picture_is_opaque (actor->picture, px, py)) {
      *x = px;
      *y = py;
      return i;
    }
  }
  return G_MAXUINT; /* a photo that has shrunk to nothing */
}

void
rvm_synthetic_clip_match (const RvmSyntheticClip *clip, guint frame, guint other, guint patch, guint32 *match)
{
  const double from = time_of (clip, frame), to = time_of (clip, other);
  const guint columns = clip->width / patch, rows = clip->height / patch;

  for (guint i = 0; i < rows * columns; i++) {
    double x = (i % columns + 0.5) * patch, y = (i / columns + 0.5) * patch;
    const guint actor = find_actor (clip, from, &x, &y);
    cairo_matrix_t place;

    match[i] = RVM_MATCH_NONE;
    if (actor == G_MAXUINT)
      continue;
    place_actor (clip, &clip->actors[actor], to, &place);
    cairo_matrix_transform_point (&place, &x, &y);
    if (x < 0 || y < 0 || x >= columns * patch || y >= rows * patch)
      continue;
    const guint32 there = (guint) y / patch * columns + (guint) x / patch;
    if (find_actor (clip, to, &x, &y) == actor)
      match[i] = there;
  }
}

void
rvm_synthetic_clip_find_objects (const RvmSyntheticClip *clip, guint frame, guint patch, guint32 *object)
{
  const guint columns = clip->width / patch, rows = clip->height / patch;

  for (guint i = 0; i < rows * columns; i++) {
    double x = (i % columns + 0.5) * patch, y = (i / columns + 0.5) * patch;
    const guint actor = find_actor (clip, time_of (clip, frame), &x, &y);

    object[i] = actor == G_MAXUINT ? RVM_MATCH_NONE : actor;
  }
}

gboolean
rvm_synthetic_clip_render (RvmSyntheticClip *clip, guint frame, guint8 *pixels, GError **error)
{
  const double t = time_of (clip, frame);
  cairo_t *cr = cairo_create (clip->surface);
  cairo_status_t status;
  const guint8 *data;
  gsize stride;

  for (guint i = 0; i < clip->n; i++) {
    cairo_matrix_t place;

    place_actor (clip, &clip->actors[i], t, &place);
    rvm_picture_draw (clip->actors[i].picture, cr, &place, i == 0);
  }
  status = cairo_status (cr);
  cairo_destroy (cr);
  if (status != CAIRO_STATUS_SUCCESS) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "a frame of %u x %u pixels cannot be rendered: %s", clip->width, clip->height,
        cairo_status_to_string (status));
    return FALSE;
  }
  cairo_surface_flush (clip->surface);
  data = cairo_image_surface_get_data (clip->surface);
  stride = cairo_image_surface_get_stride (clip->surface);
  for (guint y = 0; y < clip->height; y++)
    for (guint x = 0; x < clip->width; x++) {
      const guint32 pixel = *(const guint32 *) (const void *) (data + y * stride + x * 4);

      *pixels++ = pixel >> 16;
      *pixels++ = pixel >> 8;
      *pixels++ = pixel;
    }
  return TRUE;
}
