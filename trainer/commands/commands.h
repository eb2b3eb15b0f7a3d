/* The commands of rvm-cl-train. Each is given its own arguments, with its name in argv[0], and returns the exit status: 0, 1 after an error, 2 if
 * the arguments are wrong. */
#pragma once

#include "kernels/runtime/device.h"
#include "model/model.h"
#include "trainer/data/sampler.h"
#include "trainer/evaluate/suite.h"
#include "trainer/recipes/recipe.h"

G_BEGIN_DECLS

int rvm_command_info (int argc, char **argv);
int rvm_command_init (int argc, char **argv);
int rvm_command_convert (int argc, char **argv);
int rvm_command_pretrain (int argc, char **argv);
int rvm_command_resume (int argc, char **argv);
int rvm_command_gate (int argc, char **argv);
int rvm_command_preview (int argc, char **argv);
int rvm_command_reconstruct (int argc, char **argv);
int rvm_command_evaluate (int argc, char **argv);
int rvm_command_readout (int argc, char **argv);
int rvm_command_bench (int argc, char **argv);

/* Prints "rvm-cl-train: " and the error's message to standard error; returns @status. */
int rvm_command_fail (const GError *error, int status);

/* Help of the option --cache-dir, for commands that open a device. */
#define RVM_CACHE_DIR_HELP "folder for compiled kernels and the index of videos (default: the user's cache directory)"
/* Prints to standard error what the user should know about the device that was opened, once. */
void rvm_command_show_notice (RvmDevice *device);
/* The same, in which arithmetic a model is computed that was loaded in bf16. */
void rvm_command_show_arithmetic (const RvmModel *model);

/* Loads a recipe and changes the values that --set names. */
gboolean rvm_command_make_recipe (RvmRecipe *recipe, const char *name, const char *const *settings, GError **error);

/* (transfer full): opens the files that the command line names, of each kind, without keeping a list of them. */
RvmSampler *rvm_command_open_sampler (const RvmRecipe *recipe, const GStrv names[RVM_MATERIAL_KINDS], const char *cache_dir, GError **error);

/* Runs the suite and prints its results to standard output, and its progress to standard error; returns the exit status. */
int rvm_command_run_suite (const RvmSuite *suite, gboolean json);

G_END_DECLS
