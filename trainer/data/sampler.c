/* Each sample has its own random number generator, seeded with the run's seed and the sample's number. What is hidden is drawn from another one, so
 * that hiding does not change which frames and crops are used. */
#include "sampler.h"

#include <math.h>
#include <string.h>

#include "clips.h"
#include "hiding.h"
#include "kernels/cl/flags.h"
#include "kernels/error.h"
#include "synthetic.h"
#include "video/conversion.h"

enum {
  TIMES = 1024,  /* tries to find a stretch without cut and with motion */
  CROPS = 6,     /* tries to find a crop with motion */
  STILL = 3,     /* mean difference (of 255) of two crops that counts as none */
  STILL_STRETCH = 3, /* sum of RvmVideoIndex.motion over a stretch that counts as none */
  PURPOSE_SAMPLE = 1, PURPOSE_SOURCES = 2, PURPOSE_HIDDEN = 3,
};

struct _RvmSampler {
  RvmRecipe recipe;
  RvmMaterial *material;
  RvmClips *clips;         /* NULL: none given */
  RvmSynthetic *synthetic; /* NULL: none given */
};

gboolean
rvm_sampler_uses (const RvmRecipe *recipe, RvmMaterialKind kind)
{
  return kind == RVM_MATERIAL_CLIPS ? recipe->synthetic < 1 : recipe->synthetic > 0;
}

static gboolean
check_given (const RvmRecipe *recipe, const RvmMaterial *material, GError **error)
{
  const gboolean no_clips = material->files[RVM_MATERIAL_CLIPS]->len + material->skipped[RVM_MATERIAL_CLIPS]->len == 0;
  const gboolean no_photos = material->files[RVM_MATERIAL_PHOTOS]->len + material->skipped[RVM_MATERIAL_PHOTOS]->len == 0;

  if (rvm_sampler_uses (recipe, RVM_MATERIAL_CLIPS) && no_clips)
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "the recipe asks for samples of videos (data.synthetic is %g): --data is missing",
        recipe->synthetic);
  else if (rvm_sampler_uses (recipe, RVM_MATERIAL_PHOTOS) && no_photos)
    rvm_error_set (error, RVM_ERROR_ARGUMENT,
        "the recipe asks for rendered samples (data.synthetic is %g): --photos is missing; --set synthetic=0 does without",
        recipe->synthetic);
  else
    return TRUE;
  return FALSE;
}

/* Reports the arguments that are not files, which were found before any file was opened. */
static void
tell_skipped (RvmMaterial *material, RvmMaterialKind kind)
{
  for (guint i = 0; i < material->skipped[kind]->len; i++) {
    RvmMaterialFile *file = g_ptr_array_index (material->skipped[kind], i);

    if (!file->settled)
      g_printerr ("rvm-cl-train: skipped: %s\n", file->reason);
  }
}

static gboolean
check_weights (const RvmSampler *sampler, GError **error)
{
  const RvmRecipeWeights *weights = &sampler->recipe.weights;
  const GPtrArray *files = sampler->material->files[RVM_MATERIAL_CLIPS], *given = sampler->material->given[RVM_MATERIAL_CLIPS];

  for (guint i = 0; weights->n && i < files->len; i++) {
    const RvmMaterialFile *file = g_ptr_array_index (files, i);

    if (file->argument >= weights->n) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "data.weights has %u values, and %s comes from --data number %u: expected a weight for each --data",
          weights->n, file->path, file->argument + 1);
      return FALSE;
    }
  }
  for (guint i = 0; i < weights->n; i++)
    if (weights->values[i] > 0 && rvm_clips_get_n_frames (sampler->clips, i) == 0) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "data.weights: value %u is %g, and no video that can be used comes from --data number %u (of %u)",
          i + 1, weights->values[i], i + 1, given->len);
      return FALSE;
    }
  return TRUE;
}

RvmSampler *
rvm_sampler_new (const RvmRecipe *recipe, RvmMaterial *material, const char *cache_dir, GError **error)
{
  g_autoptr (RvmSampler) sampler = g_new0 (RvmSampler, 1);
  const guint64 memory = (guint64) recipe->clip_memory << 20;
  const guint most = MAX (MAX (recipe->width, recipe->height), recipe->side_max);
  const RvmClipsOptions options = {
    .short_side = ceil (most / recipe->crop_min),
    .least_frames = recipe->sources_max + recipe->gap_min,
    .memory = recipe->synthetic > 0 ? memory / 4 * 3 : memory,
    .cache_dir = cache_dir,
  };

  sampler->recipe = *recipe;
  sampler->material = material;
  if (!check_given (recipe, material, error))
    return NULL;
  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
    if (rvm_sampler_uses (recipe, kind))
      tell_skipped (material, kind);
  if (rvm_sampler_uses (recipe, RVM_MATERIAL_CLIPS)) {
    sampler->clips = rvm_clips_new (material, &options, error);
    if (sampler->clips == NULL || !check_weights (sampler, error))
      return NULL;
  }
  if (rvm_sampler_uses (recipe, RVM_MATERIAL_PHOTOS)) {
    sampler->synthetic = rvm_synthetic_new (material, recipe, most, memory / 4, error);
    if (sampler->synthetic == NULL)
      return NULL;
  }
  return g_steal_pointer (&sampler);
}

void
rvm_sampler_free (RvmSampler *sampler)
{
  if (sampler == NULL)
    return;
  g_clear_pointer (&sampler->clips, rvm_clips_free);
  g_clear_pointer (&sampler->synthetic, rvm_synthetic_free);
  g_clear_pointer (&sampler->material, rvm_material_free);
  g_free (sampler);
}

RvmMaterial *
rvm_sampler_get_material (RvmSampler *sampler)
{
  return sampler->material;
}

char *
rvm_sampler_describe (const RvmSampler *sampler)
{
  GString *text = g_string_new (NULL);
  guint skipped = 0;

  if (sampler->clips)
    g_string_append_printf (text, "%u videos, %" G_GUINT64_FORMAT " frames", rvm_clips_get_n (sampler->clips),
        rvm_clips_get_n_frames (sampler->clips, RVM_CLIPS_ALL));
  for (guint i = 0; sampler->clips && i < sampler->recipe.weights.n; i++)
    g_string_append_printf (text, "%s%" G_GUINT64_FORMAT " with weight %g", i ? ", " : " (",
        rvm_clips_get_n_frames (sampler->clips, i), sampler->recipe.weights.values[i]);
  if (sampler->clips && sampler->recipe.weights.n)
    g_string_append_c (text, ')');
  if (sampler->synthetic)
    g_string_append_printf (text, "%s%.0f %% rendered", text->len ? ", " : "", 100 * sampler->recipe.synthetic);
  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
    if (rvm_sampler_uses (&sampler->recipe, kind))
      skipped += sampler->material->skipped[kind]->len;
  if (skipped)
    g_string_append_printf (text, "; %u files skipped", skipped);
  return g_string_free (text, FALSE);
}

static GRand *
make_rng (const RvmSampler *sampler, guint purpose, guint64 number)
{
  const guint64 seed = sampler->recipe.seed;
  const guint32 seeds[] = { seed, seed >> 32, number, number >> 32, purpose };

  return g_rand_new_with_seed_array (seeds, G_N_ELEMENTS (seeds));
}

RvmBatchShape
rvm_sampler_get_largest_shape (const RvmSampler *sampler, guint samples)
{
  const RvmRecipe *recipe = &sampler->recipe;

  return (RvmBatchShape){
    .samples = samples, .sources = recipe->sources_max, .width = recipe->width, .height = recipe->height,
    .kept = rvm_recipe_get_kept (recipe),
  };
}

/* Sides are distributed evenly on a logarithmic scale. */
static guint
draw_side (const RvmRecipe *recipe, GRand *rng, guint side)
{
  const guint patch = recipe->model.patch, least = side / patch, most = recipe->side_max / patch;

  return patch * CLAMP ((guint) exp (g_rand_double_range (rng, log (least), log (most + 1))), least, most);
}

RvmBatchShape
rvm_sampler_draw_shape (const RvmSampler *sampler, guint64 pass, guint samples)
{
  const RvmRecipe *recipe = &sampler->recipe;
  RvmBatchShape result = rvm_sampler_get_largest_shape (sampler, samples);
  GRand *rng = make_rng (sampler, PURPOSE_SOURCES, pass);

  result.sources = g_rand_int_range (rng, recipe->sources_min, recipe->sources_max + 1);
  if (recipe->side_max) {
    result.width = draw_side (recipe, rng, recipe->width);
    result.height = draw_side (recipe, rng, recipe->height);
    result.samples = (guint64) samples * recipe->width * recipe->height / ((guint64) result.width * result.height);
    result.kept = rvm_recipe_count_kept (recipe, (result.width / recipe->model.patch) * (result.height / recipe->model.patch));
  }
  g_rand_free (rng);
  return result;
}

static guint
count_patches (const RvmSampler *sampler, const RvmBatchShape *shape)
{
  const guint patch = sampler->recipe.model.patch;

  return (shape->width / patch) * (shape->height / patch);
}

/* The first entries of a random permutation. */
static void
draw_visible (const RvmSampler *sampler, GRand *rng, const RvmBatchShape *shape, guint32 *visible)
{
  const guint patches = count_patches (sampler, shape), kept = shape->kept;
  g_autofree guint32 *order = g_new (guint32, patches);

  for (guint i = 0; i < patches; i++)
    order[i] = i;
  for (guint i = 0; i < kept; i++) {
    const guint j = g_rand_int_range (rng, i, patches);
    const guint32 chosen = order[j];

    order[j] = order[i];
    visible[i] = order[i] = chosen;
  }
}

/* Which frames of which clip a sample takes. */
typedef struct {
  guint clip, first, stride, sources;
  guint last; /* number of the last source frame */
} Stretch;

/* Draws one of the arguments of --data by their weights. Without weights nothing is drawn, and all videos are used. It is drawn once for a sample, so
 * that a source whose stretches are often rejected still has its share. */
static gint
draw_argument (const RvmSampler *sampler, GRand *rng)
{
  const RvmRecipeWeights *weights = &sampler->recipe.weights;
  double left = 0;
  gint argument = RVM_CLIPS_ALL;

  for (guint i = 0; i < weights->n; i++)
    left += weights->values[i];
  if (weights->n)
    left *= g_rand_double (rng);
  for (guint i = 0; i < weights->n && (argument == RVM_CLIPS_ALL || left >= 0); i++)
    if (weights->values[i] > 0) {
      argument = i;
      left -= weights->values[i];
    }
  return argument;
}

static gboolean
draw_stretch (const RvmSampler *sampler, GRand *rng, gint argument, guint sources, Stretch *stretch, guint32 *gaps)
{
  const RvmRecipe *recipe = &sampler->recipe;
  const guint64 number = g_rand_double (rng) * rvm_clips_get_n_frames (sampler->clips, argument);
  const RvmVideoIndex *index;
  guint end = 0, motion = 0;

  stretch->sources = sources;
  stretch->stride = g_rand_int_range (rng, 1, recipe->stride_max + 1);
  stretch->clip = rvm_clips_locate (sampler->clips, argument, number, &stretch->first);
  stretch->last = stretch->first + (sources - 1) * stretch->stride;
  index = rvm_clips_get_index (sampler->clips, stretch->clip);
  if (stretch->last + recipe->gap_min >= index->n_frames)
    return FALSE;
  for (guint i = 0; i < recipe->targets; i++) {
    /* Near the end of a video only short gaps are possible. */
    gaps[i] = g_rand_int_range (rng, recipe->gap_min, MIN (recipe->gap_max, index->n_frames - 1 - stretch->last) + 1);
    end = MAX (end, stretch->last + gaps[i]);
  }
  for (guint i = stretch->first + 1; i <= end; i++) {
    if (index->cut[i] && !recipe->cross_cuts)
      return FALSE;
    motion += index->motion[i];
  }
  return motion > STILL_STRETCH || g_rand_double (rng) < recipe->still_share;
}

typedef struct {
  guint x, y, width, height; /* of the video's frame */
  gboolean flip;
  RvmConversion *conversion; /* cuts and scales */
} Crop;

static void
draw_crop (const RvmSampler *sampler, GRand *rng, const RvmBatchShape *shape, const RvmVideoIndex *index, Crop *crop)
{
  const RvmRecipe *recipe = &sampler->recipe;
  /* The largest crop of the training frame's shape. */
  const double most = MIN ((double) index->width / shape->width, (double) index->height / shape->height);
  const double scale = most * exp (g_rand_double_range (rng, log (recipe->crop_min) - 1e-9, 0));

  crop->width = CLAMP (shape->width * scale + 0.5, 1, index->width);
  crop->height = CLAMP (shape->height * scale + 0.5, 1, index->height);
  crop->x = g_rand_int_range (rng, 0, index->width - crop->width + 1);
  crop->y = g_rand_int_range (rng, 0, index->height - crop->height + 1);
  crop->flip = recipe->flip && g_rand_boolean (rng);
}

static gboolean
open_crop (const RvmBatchShape *shape, const RvmVideoIndex *index, Crop *crop, GError **error)
{
  const GstVideoRectangle part = { crop->x, crop->y, crop->width, crop->height };
  GstVideoInfo frame;

  /* As RvmReader makes it: rows without padding. */
  gst_video_info_set_format (&frame, GST_VIDEO_FORMAT_RGB, index->width, index->height);
  frame.stride[0] = index->width * 3;
  frame.size = (gsize) index->width * index->height * 3;
  crop->conversion = rvm_conversion_new (&frame, &part, GST_VIDEO_FORMAT_RGB, shape->width, shape->height, error);
  return crop->conversion != NULL;
}

static void
mirror (guint8 *pixels, guint width, guint height)
{
  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width / 2; x++)
      for (guint c = 0; c < 3; c++) {
        guint8 *a = pixels + ((gsize) y * width + x) * 3 + c, *b = pixels + ((gsize) y * width + width - 1 - x) * 3 + c;
        const guint8 value = *a;
        *a = *b;
        *b = value;
      }
}

static gboolean
take_frame (RvmSampler *sampler, Crop *crop, guint clip, guint frame, guint8 *pixels, GError **error)
{
  g_autoptr (GBytes) bytes = rvm_clips_get_frame (sampler->clips, clip, frame, error);
  const gsize size = rvm_conversion_get_size (crop->conversion), stride = rvm_conversion_get_stride (crop->conversion);
  g_autoptr (GstBuffer) buffer = bytes ? gst_buffer_new_wrapped_bytes (bytes) : NULL;
  g_autoptr (GError) reason = NULL;

  if (buffer == NULL)
    return FALSE;
  if (!rvm_conversion_run (crop->conversion, buffer, pixels, &reason)) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "%s: frame %u: %s", rvm_clips_get_path (sampler->clips, clip), frame, reason->message);
    return FALSE;
  }
  if (crop->flip)
    mirror (pixels, stride / 3, size / stride);
  return TRUE;
}

static gboolean
crop_moves (const guint8 *a, const guint8 *b, gsize size)
{
  guint64 sum = 0;

  for (gsize i = 0; i < size; i++)
    sum += ABS ((int) a[i] - b[i]);
  return sum > STILL * size;
}

/* Reads the frames of a crop, if possible one in which something moves between the last source frame and the first target. */
static gboolean
take_clip (RvmSampler *sampler, GRand *rng, const RvmBatchShape *shape, const Stretch *stretch, const RvmSample *sample, GError **error)
{
  const RvmVideoIndex *index = rvm_clips_get_index (sampler->clips, stretch->clip);
  const gsize size = (gsize) shape->width * shape->height * 3;
  guint8 *last = sample->source + (stretch->sources - 1) * size;
  gboolean ok = TRUE, enough = FALSE;
  Crop crop = { 0 };

  for (guint i = 0; ok && !enough; i++) {
    draw_crop (sampler, rng, shape, index, &crop);
    ok = open_crop (shape, index, &crop, error) && take_frame (sampler, &crop, stretch->clip, stretch->last, last, error)
         && take_frame (sampler, &crop, stretch->clip, stretch->last + sample->gaps[0], sample->target, error);
    enough = i + 1 == CROPS || (ok && crop_moves (last, sample->target, size)) || g_rand_double (rng) < sampler->recipe.still_share;
    if (ok && !enough)
      g_clear_pointer (&crop.conversion, rvm_conversion_free);
  }
  for (guint i = 0; ok && i + 1 < stretch->sources; i++)
    ok = take_frame (sampler, &crop, stretch->clip, stretch->first + i * stretch->stride, sample->source + i * size, error);
  for (guint i = 1; ok && i < sampler->recipe.targets; i++)
    ok = take_frame (sampler, &crop, stretch->clip, stretch->last + sample->gaps[i], sample->target + i * size, error);
  g_clear_pointer (&crop.conversion, rvm_conversion_free);
  return ok;
}

static gboolean
render (RvmSampler *sampler, GRand *rng, const RvmBatchShape *shape, const RvmSample *sample, GError **error)
{
  const RvmRecipe *recipe = &sampler->recipe;
  const gsize size = (gsize) shape->width * shape->height * 3;
  const guint stride = g_rand_int_range (rng, 1, recipe->stride_max + 1), last = (shape->sources - 1) * stride;
  g_autoptr (RvmSyntheticClip) clip =
      rvm_synthetic_clip_new (sampler->synthetic, rng, shape->width, shape->height, last + recipe->gap_max + 1, error);

  if (clip == NULL)
    return FALSE;
  for (guint i = 0; i < shape->sources; i++)
    if (!rvm_synthetic_clip_render (clip, i * stride, sample->source + i * size, error))
      return FALSE;
  for (guint i = 0; i < recipe->targets; i++) {
    sample->gaps[i] = g_rand_int_range (rng, recipe->gap_min, recipe->gap_max + 1);
    if (!rvm_synthetic_clip_render (clip, last + sample->gaps[i], sample->target + i * size, error))
      return FALSE;
  }
  if (sample->match && shape->sources > 1) {
    rvm_synthetic_clip_match (clip, last, 0, recipe->model.patch, sample->match);
    rvm_synthetic_clip_find_objects (clip, 0, recipe->model.patch, sample->object);
    rvm_synthetic_clip_find_objects (clip, last, recipe->model.patch, sample->object + count_patches (sampler, shape));
  }
  return TRUE;
}

/* Covers parts of the source frames, in the share of the samples that the recipe says. */
static gboolean
hide (const RvmSampler *sampler, guint64 number, const RvmBatchShape *shape, const RvmSample *sample, GError **error)
{
  const RvmRecipe *recipe = &sampler->recipe;
  const RvmHidingFrames frames = { shape->width, shape->height, shape->sources, sample->source };
  gboolean ok = TRUE;
  GRand *rng;

  if (recipe->hidden_samples <= 0)
    return TRUE;
  rng = make_rng (sampler, PURPOSE_HIDDEN, number);
  if (g_rand_double (rng) < recipe->hidden_samples)
    ok = rvm_hiding_apply (recipe, rng, &frames, error);
  g_rand_free (rng);
  return ok;
}

/* hide(), after which what is covered in the first source frame is no place and no object that can be found. */
static gboolean
hide_and_unmatch (const RvmSampler *sampler, guint64 number, const RvmBatchShape *shape, const RvmSample *sample, GError **error)
{
  const guint patch = sampler->recipe.model.patch, patches = count_patches (sampler, shape);
  g_autofree guint8 *before = sample->match ? g_memdup2 (sample->source, (gsize) shape->width * shape->height * 3) : NULL;

  if (!hide (sampler, number, shape, sample, error))
    return FALSE;
  for (guint i = 0; before && i < patches; i++) {
    if (sample->match[i] != RVM_MATCH_NONE && rvm_hiding_has_covered (before, sample->source, shape->width, patch, sample->match[i]))
      sample->match[i] = RVM_MATCH_NONE;
    if (rvm_hiding_has_covered (before, sample->source, shape->width, patch, i))
      sample->object[i] = RVM_MATCH_NONE;
  }
  return TRUE;
}

gboolean
rvm_sampler_draw (RvmSampler *sampler, guint64 number, const RvmBatchShape *shape, const RvmSample *sample, GError **error)
{
  GRand *rng = make_rng (sampler, PURPOSE_SAMPLE, number);
  gboolean ok = TRUE;

  for (guint i = 0; sample->match && i < count_patches (sampler, shape); i++)
    sample->match[i] = sample->object[2 * i] = sample->object[2 * i + 1] = RVM_MATCH_NONE;
  for (guint i = 0; i < sampler->recipe.targets; i++)
    draw_visible (sampler, rng, shape, sample->visible + (gsize) i * shape->kept);
  if (g_rand_double (rng) < sampler->recipe.synthetic) {
    ok = render (sampler, rng, shape, sample, error);
  } else {
    const gint argument = draw_argument (sampler, rng);
    Stretch stretch;
    gboolean found = FALSE;

    for (guint i = 0; i < TIMES && !found; i++)
      found = draw_stretch (sampler, rng, argument, shape->sources, &stretch, sample->gaps);
    if (found)
      ok = take_clip (sampler, rng, shape, &stretch, sample, error);
    else {
      rvm_error_set (error, RVM_ERROR_FILE,
          "no stretch of the videos was found in %u tries that is long enough, has no cut and moves; "
          "data.cross-cuts=true or data.still-share=1 would accept others", TIMES);
      ok = FALSE;
    }
  }
  ok = ok && hide_and_unmatch (sampler, number, shape, sample, error);
  if (!ok)
    g_prefix_error (error, "sample %" G_GUINT64_FORMAT ": ", number);
  g_rand_free (rng);
  return ok;
}
