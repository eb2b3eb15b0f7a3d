/* A world whose truth is known: random features on a ring that turns by one patch a frame, and objects on it. */
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <png.h>

#include "gstrvmtracks.h"

#define ROWS 12
#define COLUMNS 16
#define DIM 32
#define CELL 10 /* pixels of a patch */
#define CAPS "video/x-raw,format=GRAY8,width=160,height=120,framerate=25/1"

/* The libcheck inside GStreamer has no comparison with a tolerance. */
#define assert_near(a, b, tolerance) \
  ck_assert_msg (fabs ((a) - (b)) <= (tolerance), "%s is %g, expected %g", #a, (double) (a), (double) (b))

/* An rvmtrack with @settings, which compares features alone, because nothing else turns with the ring, and what it makes of the next frame. */
GstHarness *ring_start (const char *settings);
GstBuffer *ring_step (GstHarness *harness, guint index, guint64 generation);

/* Frame @index, GRAY8 of CAPS with features: what was in column c on frame 0 is in column c + index, modulo their number: each patch has
 * its match. */
GstBuffer *ring_make_frame (guint index, guint64 generation, gboolean carried);

/* Two objects, 5 and 9, on whole patches: value, column, row, columns, rows of each. */
extern const guint ring_objects[2][5];

/* What the ring makes of the objects on frame @index, 160 x 120. */
void ring_draw_objects (guint8 *pixels, guint index);

/* A PNG; (transfer full) its name. */
char *ring_write_mask (guint width, guint height, const guint8 *pixels, png_uint_32 format);
