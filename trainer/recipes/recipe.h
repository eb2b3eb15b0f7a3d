/* RvmRecipe: all settings that decide what a training run computes, as a key file (trainer/recipes/). Every value has a name, a range and a
 * default; the defaults are those of the published small16 run at a size that a CPU can train. An unknown name is an error with a suggestion. */
#pragma once

#include "kernels/tensor.h"
#include "model/config.h"

G_BEGIN_DECLS

enum { RVM_RECIPE_WEIGHTS_MOST = 64, RVM_RECIPE_TEXT_MOST = 512 };

typedef struct {
  guint n; /* 0: none are set */
  double values[RVM_RECIPE_WEIGHTS_MOST];
} RvmRecipeWeights;

typedef struct {
  /* [model] */
  RvmConfig model; /* core.dim follows encoder.dim */
  /* [data] */
  guint width, height;           /* pixels of a training frame, multiples of the patch */
  guint side_max;                /* not 0: each batch draws its sides from width and height to this, with as many pixels in all */
  guint sources_min, sources_max; /* source frames of a sample; every batch draws one number */
  guint targets;
  guint gap_min, gap_max;        /* frames between the last source frame and a target */
  guint stride_max;              /* frames between two source frames: drawn from 1 to this, per sample */
  double synthetic;              /* share of samples rendered from pictures and sprites */
  guint sprites_max;             /* sprites of a rendered sample: drawn from 1 to this */
  double cut_outs;               /* share of these sprites that are pieces of photos */
  double motion;                 /* of rendered video; 1: the camera moves up to two widths of the frame */
  double crop_min;               /* smallest crop, as a share of the picture's shorter side */
  gboolean flip;
  gboolean cross_cuts;           /* samples may cross shot cuts */
  double still_share;            /* of samples without motion, this share is kept */
  guint clip_memory;             /* MiB of decoded frames kept */
  RvmRecipeWeights weights;      /* of each --data, in their order: its share of the samples of videos; none: samples are drawn by frame */
  /* [hidden]: what is covered of the source frames. Target frames never are. */
  double hidden_samples;         /* share of samples of which anything is covered; 0: as published */
  double hidden_cells;           /* share of a source frame's patches made grey, drawn for each frame */
  double hidden_frames;          /* probability that a source frame is dropped: all of it is grey */
  double hidden_black;           /* probability that a source frame that is not dropped is black */
  double hidden_occluders;       /* probability that shapes move over the source frames */
  guint hidden_clear;            /* so many first source frames stay as they are */
  /* [training] */
  guint64 steps;
  guint batch;                   /* samples of a pass */
  guint accumulate;              /* passes of a step */
  double mask_ratio;
  guint context;                 /* states of a sample that the decoder sees: the last ones; 0: all */
  gboolean context_position;     /* the decoder adds positional encodings to the states; FALSE: as published */
  double position_scale;         /* of the initial weights: factor of the encoder's positional encoding */
  double core_residual;          /* of random initial weights: factor of what the core's layers add to its tokens */
  double update_gate;            /* of random initial weights: added to the input of the sigmoid of the core's update gate */
  double gate_shift;             /* of given initial weights: the same */
  gboolean gate_renew;           /* of given initial weights: the update gate begins again, with update_gate for all channels of all patches */
  char only[RVM_RECIPE_TEXT_MOST]; /* patterns with ';' between them, of the names of the arrays that are trained; empty: all are */
  gboolean loss_all;             /* mean over all patches instead of the masked ones */
  double places;                 /* weight of the loss of finding places (kernels/ops/correspondence.h) beside that of reconstruction; 0: as published */
  double objects;                /* weight of the loss of finding objects, of the same header; 0: as published */
  double places_temperature;     /* of both */
  RvmElement precision;          /* of the operands of products, F32 or BF16, except those with pixels; all else is float32 */
  guint64 seed;
  /* [optimiser] */
  double rate, rate_end, hold;   /* hold: share of the steps after the warm-up at the full rate */
  guint64 warmup;                /* steps */
  double b1, b2, epsilon, decay, clip_norm;
  /* [run] */
  guint checkpoint_every, keep, keep_every; /* steps; checkpoints; 0 or a multiple of steps whose checkpoints stay */
  guint picture_every;           /* steps; 0: never */
} RvmRecipe;

void rvm_recipe_init (RvmRecipe *recipe); /* the defaults */
/* @name: a file, or one of the recipes that come with the program ("cpu"). Values it does not name keep their defaults. */
gboolean rvm_recipe_load (RvmRecipe *recipe, const char *name, GError **error);
gboolean rvm_recipe_parse (RvmRecipe *recipe, const char *text, const char *origin, GError **error);
/* @assignment: "key=value" or "group.key=value". */
gboolean rvm_recipe_set (RvmRecipe *recipe, const char *assignment, GError **error);
/* Checks that depend on several values. */
gboolean rvm_recipe_validate (const RvmRecipe *recipe, GError **error);

char *rvm_recipe_to_text (const RvmRecipe *recipe); /* every value, with its explanation */
char *rvm_recipe_describe (void); /* (transfer full): names, ranges and defaults, for pretrain --help */

gboolean rvm_recipe_has_matches (const RvmRecipe *recipe); /* whether samples say what is where: for the losses of places and of objects */
guint rvm_recipe_get_kept (const RvmRecipe *recipe); /* visible patches of a target frame of width x height */
guint rvm_recipe_count_kept (const RvmRecipe *recipe, guint patches); /* visible patches of a target of @patches patches; at least 1 */
double rvm_recipe_get_rate (const RvmRecipe *recipe, guint64 step); /* learning rate of update @step, from 0 */

G_END_DECLS
