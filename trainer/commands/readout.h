/* What the subcommands of rvm-cl-train readout share. */
#pragma once

#include "commands.h"
#include "model/model.h"
#include "trainer/readout/dense_measures.h"
#include "trainer/readout/measures.h"

G_BEGIN_DECLS

int rvm_readout_command_class (int argc, char **argv);
int rvm_readout_command_labels (int argc, char **argv);
int rvm_readout_command_depth (int argc, char **argv);
int rvm_readout_command_distance (int argc, char **argv);
int rvm_readout_command_evaluate (int argc, char **argv);

/* What was given on the command line. */
typedef struct {
  char *data, *groups, *out, *model, *size, *reference, *features, *network, *test, *classes, *licence, *device, *cache_dir;
  int window, stride, epochs, steps, none;
  double unit;
  gint64 seed;
  gboolean reversed, curve, json;
} RvmReadoutArguments;

void rvm_readout_arguments_clear (RvmReadoutArguments *arguments);

/* The index of @text, which may be NULL for what @index is, among @words; @option is what it was given for. RVM_ERROR_ARGUMENT. */
gboolean rvm_readout_parse_word (const char *option, const char *text, const char *const *words, guint *index, GError **error);
/* "WIDTHxHEIGHT", multiples of @patch; NULL: @columns x @rows patches. RVM_ERROR_ARGUMENT. */
gboolean rvm_readout_parse_size (const char *text, guint patch, guint columns, guint rows, guint *width, guint *height, GError **error);
/* That of --model, or the bundled one. */
RvmModel *rvm_readout_load_model (const RvmReadoutArguments *arguments, GError **error);
/* Whether a file can be made there: it is known before hours of work, not after. RVM_ERROR_FILE. */
gboolean rvm_readout_check_out (const char *path, GError **error);
/* Prints @error, and returns the exit status. */
int rvm_readout_fail (const GError *error);
/* One line of JSON. @curve: (nullable) (element-type RvmCurvePoint). */
void rvm_readout_print_measures (const RvmMeasures *measures, const GArray *curve);
void rvm_readout_print_dense_measures (const RvmDenseMeasures *measures, const RvmTargetKind *kind);

#define RVM_READOUT_CACHE_HELP "where features, compiled kernels and what is known of videos are kept (default: the user's cache directory)"

G_END_DECLS
