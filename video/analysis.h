/* The picture that the model sees: the buffer's picture, converted to packed RGB of the analysis size. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* A conversion to an RGB picture. */
typedef struct
{
  GstVideoConverter *converter;
  GstVideoInfo rgb;
  GstVideoFrame frame;          /* of @buffer, mapped */
  GstBuffer *buffer;
} RvmAnalysisStep;

typedef struct
{
  GstVideoInfo in;
  RvmAnalysisStep steps[2];     /* each on the picture of the one before */
  guint n_steps;
} RvmAnalysis;

/* The analysis size for a picture: @width and @height if given, the other by
 * aspect; else @size as the shorter side; else the picture's own. Each is
 * rounded to the nearest multiple of @patch, and at least one patch. FALSE if
 * the picture itself is smaller than a patch. */
gboolean rvm_analysis_choose_size (const GstVideoInfo * in, guint patch,
    guint size, guint width, guint height, guint * out_width,
    guint * out_height);

RvmAnalysis *rvm_analysis_new (const GstVideoInfo * in, guint width,
    guint height);
void rvm_analysis_free (RvmAnalysis * analysis);

/* Returns the RGB picture of @buffer, valid until the next call, or NULL if it
 * cannot be mapped. */
const guint8 *rvm_analysis_convert (RvmAnalysis * analysis, GstBuffer * buffer,
    gsize * stride);

G_END_DECLS
