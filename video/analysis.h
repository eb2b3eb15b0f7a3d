/* RvmAnalysis: makes the picture that a model sees. It is the visible part of a buffer's picture (view.h), upright, with square pixels unless another
 * shape is asked for, as packed pixels. */
#pragma once

#include "view.h"

G_BEGIN_DECLS

typedef struct _RvmAnalysis RvmAnalysis;

/* The analysis size for a picture: @width and @height if given, the other by
 * the shape that is shown; else @size as the shorter side; else the picture's own
 * height. Each is rounded to the nearest multiple of @patch, and at least one
 * patch. GST_STREAM_ERROR if the picture itself is smaller than a patch or a side
 * would be too long. */
gboolean rvm_analysis_choose_size (const RvmView * view, guint patch,
    guint size, guint width, guint height, guint * out_width,
    guint * out_height, GError ** error);

/* @width x @height pixels of @format, which has one plane. GST_STREAM_ERROR. */
RvmAnalysis *rvm_analysis_new (const RvmView * view, GstVideoFormat format,
    guint width, guint height, GError ** error);
void rvm_analysis_free (RvmAnalysis * analysis);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmAnalysis, rvm_analysis_free)

const RvmView *rvm_analysis_get_view (const RvmAnalysis * analysis);
/* Bytes of a row; there is no padding. */
gsize rvm_analysis_get_stride (const RvmAnalysis * analysis);

/* (transfer none): the picture of @buffer, whose view must be that of the analysis; valid until the next call. GST_STREAM_ERROR. */
const guint8 *rvm_analysis_convert (RvmAnalysis * analysis, GstBuffer * buffer,
    GError ** error);

G_END_DECLS
