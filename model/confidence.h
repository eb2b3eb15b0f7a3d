/* How far a track can be believed. Label propagation always finds something that looks most like an object, even where the object is not: these functions
 * look back from what was found to the frame on which the object was given.
 *
 * The confidence is an estimate of the overlap (intersection over union) of what was found and of the object. docs/quality.md shows how good it is, and how
 * its coefficients were fitted. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What speaks for and against a track on one frame. */
typedef struct {
  double agreement;  /* share of the object's cells whose matches on its first frame lie in it: backward */
  double similarity; /* of these cells to their best matches: -1 to 1, absolute */
  double exclusive;  /* share of the cells that match into the object on its first frame that are the object's now: forward */
  double coverage;   /* share of the object on its first frame that is matched by the object's cells */
  double size;       /* cells */
  double blank;      /* share of the object's cells of which nothing is seen */
} RvmEvidence;

/* The maps that evidence is taken from. */
typedef struct {
  guint cells, channels, top;
  const float *labels, *first; /* (cells, channels): now, and on the first frame */
  const float *value;          /* (cells, top), as of rvm_propagation_read_matches() */
  const guint32 *where;        /* (cells, top) */
  const guint8 *blank;         /* (cells), not 0 where nothing is seen (rvm_evidence_find_blank()); NULL: not known */
  double highest;              /* what value is for equal cells: 1, or rvm_appearance_get_highest() */
} RvmEvidenceMaps;

/* Cells that are all of one colour, within what a codec adds: covered, black or lost parts of a picture. The features of such a cell may be those of what
 * was seen there before, since a state remembers. @rgb: (rows * patch, columns * patch, 3), without padding. @blank: (rows * columns). */
void rvm_evidence_find_blank (const guint8 *rgb, guint patch, guint rows, guint columns, guint8 *blank);

/* The evidence for @channel. FALSE, with all zero, if nothing is labelled. */
gboolean rvm_evidence_measure (const RvmEvidenceMaps *maps, guint channel, RvmEvidence *evidence);

/* What the first frame alone says of @channel: @labels (cells), the share of each cell's matches that lies in the object there, as a label. */
void rvm_evidence_look_back (const RvmEvidenceMaps *maps, guint channel, float *labels);

/* A point has a label of a cell or two. What is looked at is the cells around its peak: @map (rows * columns) is 1 there and 0
 * elsewhere. */
void rvm_evidence_widen_point (const float *labels, guint rows, guint columns, guint channels, guint channel, float *map);

/* What a track remembers from frame to frame. */
typedef struct {
  double first_size, log_size; /* logarithms of the size that it was given with, and of that it is expected to have now */
  double log_gradual; /* the same of a size that only follows small changes, and is at most the first */
  double first_blank; /* on the first frame that it was followed to: an object may be of one colour; below 0 before that */
  gboolean visible;
} RvmConfidence;

/* A track is lost when its confidence falls below @lost_below, and found again when it reaches @found_above, which is not less. */
typedef struct {
  double lost_below, found_above;
} RvmConfidenceLimits;

/* On the frame on which a track is given, of @size cells. */
void rvm_confidence_begin (RvmConfidence *confidence, double size);
/* On each later frame: returns the confidence, 0 to 1, and updates visible. */
double rvm_confidence_update (RvmConfidence *confidence, const RvmEvidence *evidence, const RvmConfidenceLimits *limits);

G_END_DECLS
