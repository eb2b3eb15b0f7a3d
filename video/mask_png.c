/* Uses libpng. It reports errors by longjmp, so everything that must be freed is in a
 * structure that is filled in before setjmp. */
#include "mask_png.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/error.h"

#define MAX_SIDE 16384

typedef struct
{
  png_structp png;
  png_infop info;
  FILE *file;
  gboolean deep;                /* of 16 bits */
  gchar message[160];
} Job;

void
rvm_mask_free (RvmMask * mask)
{
  if (mask == NULL)
    return;
  g_free (mask->pixels);
  g_free (mask);
}

void
rvm_depths_free (RvmDepths * depths)
{
  if (depths == NULL)
    return;
  g_free (depths->pixels);
  g_free (depths);
}

static void
on_error (png_structp png, png_const_charp message)
{
  Job *job = png_get_error_ptr (png);

  g_strlcpy (job->message, message, sizeof job->message);
  png_longjmp (png, 1);
}

static void
on_warning (png_structp png, png_const_charp message)
{
}

/* Whether the samples are object numbers, or depths, by the header. */
static void
check_header (Job * job, guint * width, guint * height)
{
  const int type = png_get_color_type (job->png, job->info), depth = png_get_bit_depth (job->png, job->info);

  if (job->deep && (type != PNG_COLOR_TYPE_GRAY || depth != 16))
    png_error (job->png, "expected a grey picture of 16 bits");
  if (type != PNG_COLOR_TYPE_PALETTE && type != PNG_COLOR_TYPE_GRAY)
    png_error (job->png, "expected an indexed or grey picture, this one has colours of its own or alpha");
  if (depth > 8 && !job->deep)
    png_error (job->png, "expected at most 8 bits a pixel, this one has 16");
  *width = png_get_image_width (job->png, job->info);
  *height = png_get_image_height (job->png, job->info);
}

/* @pixels: (out): rows without padding. */
static gboolean
read_pixels (Job * job, guint * width, guint * height, guint8 ** pixels)
{
  gsize row;

  if (setjmp (png_jmpbuf (job->png)))
    return FALSE;
  png_init_io (job->png, job->file);
  png_set_user_limits (job->png, MAX_SIDE, MAX_SIDE);
  png_read_info (job->png, job->info);
  check_header (job, width, height);
  /* One byte a pixel, or two; indexes and levels stay as they are. */
  png_set_packing (job->png);
  if (job->deep && G_BYTE_ORDER == G_LITTLE_ENDIAN)
    png_set_swap (job->png);
  if (png_set_interlace_handling (job->png) < 1)
    return FALSE;
  png_read_update_info (job->png, job->info);
  row = (gsize) *width * (job->deep ? 2 : 1);
  if (png_get_rowbytes (job->png, job->info) != row)
    png_error (job->png, "a row is not as long as its pixels");
  *pixels = g_try_malloc (row * *height);
  if (*pixels == NULL)
    png_error (job->png, "no memory for its pixels");
  for (int pass = png_set_interlace_handling (job->png); pass > 0; pass--)
    for (guint y = 0; y < *height; y++)
      png_read_row (job->png, *pixels + y * row, NULL);
  png_read_end (job->png, NULL);
  return TRUE;
}

static void
list_values (RvmMask * mask)
{
  gboolean seen[256] = { FALSE };

  for (gsize i = 0; i < (gsize) mask->width * mask->height; i++)
    seen[mask->pixels[i]] = TRUE;
  for (guint value = 1; value < 256; value++)
    if (seen[value])
      mask->values[mask->n_values++] = value;
}

/* @what: what messages call the picture. */
static gboolean
read_file (const gchar * path, const gchar * what, gboolean deep, guint * width, guint * height, guint8 ** pixels, GError ** error)
{
  Job job = {.deep = deep };
  gboolean good;

  job.file = fopen (path, "rbe");
  if (job.file == NULL) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s '%s': %s", what, path, g_strerror (errno));
    return FALSE;
  }
  job.png = png_create_read_struct (PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
  job.info = job.png ? png_create_info_struct (job.png) : NULL;
  good = job.info && read_pixels (&job, width, height, pixels);
  png_destroy_read_struct (&job.png, &job.info, NULL);
  fclose (job.file);
  if (!good)
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s '%s' cannot be read as PNG: %s", what, path,
        *job.message ? job.message : "no memory");
  return good;
}

RvmMask *
rvm_mask_read_png_or_empty (const gchar * path, GError ** error)
{
  g_autoptr (RvmMask) mask = g_new0 (RvmMask, 1);

  if (!read_file (path, "mask", FALSE, &mask->width, &mask->height, &mask->pixels, error))
    return NULL;
  list_values (mask);
  return g_steal_pointer (&mask);
}

RvmDepths *
rvm_depth_read_png (const gchar * path, GError ** error)
{
  g_autoptr (RvmDepths) depths = g_new0 (RvmDepths, 1);
  guint8 *pixels = NULL;
  gboolean good = read_file (path, "depth", TRUE, &depths->width, &depths->height, &pixels, error);

  depths->pixels = (guint16 *) (gpointer) pixels;
  return good ? g_steal_pointer (&depths) : NULL;
}

RvmMask *
rvm_mask_read_png (const gchar * path, GError ** error)
{
  g_autoptr (RvmMask) mask = rvm_mask_read_png_or_empty (path, error);

  if (mask && mask->n_values == 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "mask '%s' has no object: all pixels are 0, the background", path);
    return NULL;
  }
  return g_steal_pointer (&mask);
}

/* The palette of PASCAL VOC, which DAVIS uses: the bits of the index spread over
 * red, green and blue. */
static void
make_palette (png_color palette[256])
{
  for (guint i = 0; i < 256; i++) {
    guint bits = i;

    palette[i] = (png_color) { 0 };
    for (guint bit = 0; bit < 8; bit++, bits >>= 3) {
      palette[i].red |= (bits & 1) << (7 - bit);
      palette[i].green |= (bits >> 1 & 1) << (7 - bit);
      palette[i].blue |= (bits >> 2 & 1) << (7 - bit);
    }
  }
}

/* A mask, with DAVIS's palette, or depths. */
typedef struct
{
  const guint8 *indexes;        /* one of the two is NULL */
  const guint16 *depths;
  guint width, height;
} Pixels;

static void
write_header (Job * job, const Pixels * pixels)
{
  png_color palette[256];

  png_set_IHDR (job->png, job->info, pixels->width, pixels->height, pixels->indexes ? 8 : 16,
      pixels->indexes ? PNG_COLOR_TYPE_PALETTE : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  make_palette (palette);
  if (pixels->indexes)
    png_set_PLTE (job->png, job->info, palette, 256);
  /* Masks are runs of equal bytes, which more effort would not make smaller. */
  png_set_compression_level (job->png, 3);
  if (pixels->indexes)
    png_set_filter (job->png, 0, PNG_FILTER_NONE);
  png_write_info (job->png, job->info);
  /* PNG is big-endian. */
  if (pixels->depths && G_BYTE_ORDER == G_LITTLE_ENDIAN)
    png_set_swap (job->png);
}

static gboolean
write_pixels (Job * job, const Pixels * pixels)
{
  if (setjmp (png_jmpbuf (job->png)))
    return FALSE;
  png_init_io (job->png, job->file);
  write_header (job, pixels);
  for (guint y = 0; y < pixels->height; y++) {
    const gsize first = (gsize) y * pixels->width;

    png_write_row (job->png, pixels->indexes ? pixels->indexes + first : (png_const_bytep) (pixels->depths + first));
  }
  png_write_end (job->png, NULL);
  return TRUE;
}

static gboolean
write_file (const gchar * path, const Pixels * pixels, GError ** error)
{
  g_autofree gchar *temporary = g_strconcat (path, ".part", NULL);
  Job job = { 0 };
  gboolean good;

  job.file = fopen (temporary, "wbe");
  if (job.file == NULL) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", temporary, g_strerror (errno));
    return FALSE;
  }
  job.png = png_create_write_struct (PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
  job.info = job.png ? png_create_info_struct (job.png) : NULL;
  good = job.info && write_pixels (&job, pixels);
  png_destroy_write_struct (&job.png, &job.info);
  if (fclose (job.file) != 0 && good) {
    good = FALSE;
    g_strlcpy (job.message, g_strerror (errno), sizeof job.message);
  }
  if (good && g_rename (temporary, path) != 0) {
    good = FALSE;
    g_strlcpy (job.message, g_strerror (errno), sizeof job.message);
  }
  if (!good) {
    g_unlink (temporary);
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, *job.message ? job.message : "no memory");
  }
  return good;
}

gboolean
rvm_mask_write_png (const gchar * path, const guint8 * pixels, guint width, guint height, GError ** error)
{
  return write_file (path, &(Pixels) {.indexes = pixels,.width = width,.height = height}, error);
}

gboolean
rvm_depth_write_png (const gchar * path, const guint16 * pixels, guint width, guint height, GError ** error)
{
  return write_file (path, &(Pixels) {.depths = pixels,.width = width,.height = height}, error);
}
