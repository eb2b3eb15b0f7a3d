/* Positions are in widths of the frame, times in lengths of the scene (0 to 1), so that nothing depends on the resolution. */
#include "synthetic.h"

#include <math.h>

#include "kernels/error.h"
#include "picture.h"
#include "store.h"

#define SPRITES_OFFSET ((guint64) 1 << 32) /* of their numbers in the store */

enum { SPRITES_LIMIT = 64, DETAIL = 8 }; /* DETAIL: pictures are kept at most this many times as large as a frame */

struct _RvmSynthetic {
  const GPtrArray *photos, *sprites; /* RvmMaterialFile: the material's */
  guint side, sprites_max;
  double motion;
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

struct _RvmScene {
  guint width, height, frames, n;
  double motion; /* of every track's speed and swing */
  Actor actors[1 + SPRITES_LIMIT]; /* the photo first */
  cairo_surface_t *surface;
};

/* Pictures are decoded when first drawn, but a file that is none must not end a run after days: the list is checked first. */
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
      g_propagate_prefixed_error (error, g_steal_pointer (&reason), "it was of use before: ");
      return FALSE;
    } else {
      g_printerr ("rvm-cl-train: skipped: %s\n", reason->message);
      rvm_material_skip (material, kind, i, reason->message);
    }
  }
  return TRUE;
}

RvmSynthetic *
rvm_synthetic_new (RvmMaterial *material, guint side, guint sprites_max, double motion, guint64 memory, GError **error)
{
  g_autoptr (RvmSynthetic) synthetic = g_new0 (RvmSynthetic, 1);

  synthetic->side = side;
  synthetic->sprites_max = MIN (sprites_max, SPRITES_LIMIT);
  synthetic->motion = motion;
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
  picture = rvm_material_file_check (file, error) ? rvm_picture_load (file->path, DETAIL * synthetic->side, error) : NULL;
  if (picture)
    rvm_store_put (synthetic->store, offset + number, picture, rvm_picture_get_size (picture));
  return picture;
}

/* Small values more often than large ones, either sign. */
static double
draw_signed (GRand *dice, double most)
{
  const double value = g_rand_double_range (dice, -1, 1);

  return most * value * fabs (value);
}

static Track
draw_track (const RvmScene *scene, GRand *dice, double start, double speed, double swing)
{
  return (Track){
    .start = start, .speed = draw_signed (dice, scene->motion * speed), .swing = draw_signed (dice, scene->motion * swing),
    .turns = g_rand_double_range (dice, 0.3, 1.5), .phase = g_rand_double (dice),
  };
}

static double
track_at (const Track *track, double t)
{
  return track->start + track->speed * t + track->swing * (sin (2 * G_PI * (track->turns * t + track->phase)) - sin (2 * G_PI * track->phase));
}

/* A window of 0.15 to 0.8 of the photo's shorter side, in the middle of what the camera sees half way. */
static void
draw_background (Actor *actor, const RvmScene *scene, GRand *dice)
{
  const guint side = MIN (actor->picture->width, actor->picture->height);

  actor->scale = MAX (scene->width, scene->height) / (side * exp (g_rand_double_range (dice, log (0.15), log (0.8))));
  actor->x = draw_track (scene, dice, g_rand_double_range (dice, -0.8, 0.8), 2.0, 0.3);
  actor->y = draw_track (scene, dice, g_rand_double_range (dice, -0.8, 0.8), 1.2, 0.3);
  actor->angle = draw_track (scene, dice, draw_signed (dice, 0.3), 0.8, 0.15);
  actor->log_scale = draw_track (scene, dice, 0, 0.8, 0.15);
  actor->lean = draw_track (scene, dice, draw_signed (dice, 0.2), 0.3, 0.1);
  actor->flip = g_rand_boolean (dice);
}

/* 0.15 to 0.8 of the frame in size; somewhere in the frame at a random time. */
static void
draw_sprite (Actor *actor, const RvmScene *scene, GRand *dice)
{
  const double size = exp (g_rand_double_range (dice, log (0.15), log (0.8)));

  actor->scale = size * scene->width / MAX (actor->picture->width, actor->picture->height);
  actor->x = draw_track (scene, dice, 0, 1.8, 0.3);
  actor->y = draw_track (scene, dice, 0, 1.2, 0.3);
  actor->angle = draw_track (scene, dice, draw_signed (dice, 0.6), 2.0, 0.4);
  actor->log_scale = draw_track (scene, dice, 0, 0.8, 0.2);
  actor->lean = draw_track (scene, dice, 0, 0.3, 0.15);
  actor->flip = g_rand_boolean (dice);
  const double seen = g_rand_double (dice);
  actor->x.start = g_rand_double_range (dice, -0.5, 0.5) - track_at (&actor->x, seen);
  actor->y.start = g_rand_double_range (dice, -0.5, 0.5) * scene->height / scene->width - track_at (&actor->y, seen);
}

RvmScene *
rvm_scene_new (RvmSynthetic *synthetic, GRand *dice, guint width, guint height, guint frames, GError **error)
{
  g_autoptr (RvmScene) scene = g_new0 (RvmScene, 1);
  const guint sprites = synthetic->sprites->len ? g_rand_int_range (dice, 1, synthetic->sprites_max + 1) : 0;

  scene->width = width;
  scene->height = height;
  scene->frames = frames;
  scene->motion = synthetic->motion;
  scene->surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, scene->width, scene->height);
  for (guint i = 0; i <= sprites; i++) {
    const GPtrArray *files = i ? synthetic->sprites : synthetic->photos;
    Actor *actor = &scene->actors[i];

    actor->picture = take_picture (synthetic, files, i ? SPRITES_OFFSET : 0, g_rand_int_range (dice, 0, files->len), error);
    if (actor->picture == NULL)
      return NULL;
    scene->n++;
    if (i)
      draw_sprite (actor, scene, dice);
    else
      draw_background (actor, scene, dice);
  }
  return g_steal_pointer (&scene);
}

void
rvm_scene_free (RvmScene *scene)
{
  if (scene == NULL)
    return;
  for (guint i = 0; i < scene->n; i++)
    rvm_picture_unref (scene->actors[i].picture);
  g_clear_pointer (&scene->surface, cairo_surface_destroy);
  g_free (scene);
}

static void
place_actor (const RvmScene *scene, const Actor *actor, double t, cairo_matrix_t *place)
{
  const double scale = actor->scale * exp (track_at (&actor->log_scale, t));
  cairo_matrix_t lean;

  cairo_matrix_init_translate (place, scene->width * (0.5 + track_at (&actor->x, t)), scene->height * 0.5 + scene->width * track_at (&actor->y, t));
  cairo_matrix_rotate (place, track_at (&actor->angle, t));
  cairo_matrix_init (&lean, 1, 0, track_at (&actor->lean, t), 1, 0, 0);
  cairo_matrix_multiply (place, &lean, place);
  cairo_matrix_scale (place, actor->flip ? -scale : scale, scale);
  cairo_matrix_translate (place, -0.5 * actor->picture->width, -0.5 * actor->picture->height);
}

gboolean
rvm_scene_render (RvmScene *scene, guint frame, guint8 *pixels, GError **error)
{
  const double t = scene->frames > 1 ? (double) frame / (scene->frames - 1) : 0;
  cairo_t *cr = cairo_create (scene->surface);
  cairo_status_t status;
  const guint8 *data;
  gsize stride;

  for (guint i = 0; i < scene->n; i++) {
    cairo_matrix_t place;

    place_actor (scene, &scene->actors[i], t, &place);
    rvm_picture_draw (scene->actors[i].picture, cr, &place, i == 0);
  }
  status = cairo_status (cr);
  cairo_destroy (cr);
  if (status != CAIRO_STATUS_SUCCESS) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "a frame of %u x %u pixels cannot be rendered: %s", scene->width, scene->height,
        cairo_status_to_string (status));
    return FALSE;
  }
  cairo_surface_flush (scene->surface);
  data = cairo_image_surface_get_data (scene->surface);
  stride = cairo_image_surface_get_stride (scene->surface);
  for (guint y = 0; y < scene->height; y++)
    for (guint x = 0; x < scene->width; x++) {
      const guint32 pixel = *(const guint32 *) (const void *) (data + y * stride + x * 4);

      *pixels++ = pixel >> 16;
      *pixels++ = pixel >> 8;
      *pixels++ = pixel;
    }
  return TRUE;
}
