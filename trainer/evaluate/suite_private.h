/* The parts of the suite, and what they share. */
#pragma once

#include "davis.h"
#include "suite.h"

G_BEGIN_DECLS

enum { RVM_SUITE_WIDTH = 208, RVM_SUITE_HEIGHT = 112 };

/* Every third of the sequences in suite->davis, by name: (transfer full) (element-type RvmDavisSequence). */
GPtrArray *rvm_suite_list_sequences (const RvmSuite *suite, GError **error);
/* (transfer full): the frames of a sequence, (frames, height, width, 3); at least @least, or that is an error. */
GByteArray *rvm_suite_read_sequence (const RvmDavisSequence *sequence, guint width, guint height, guint least, guint *n_frames, GError **error);
void rvm_suite_tell (const RvmSuite *suite, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* RVM_ERROR_ARGUMENT if the patch size of a model does not divide @width and @height. */
gboolean rvm_suite_check_size (const RvmSuite *suite, guint width, guint height, GError **error);
/* (transfer full): "NAME, core" */
char *rvm_suite_name (const RvmSuiteModel *model, const char *which);

gboolean rvm_suite_track (const RvmSuite *suite, RvmResults *results, GError **error);
gboolean rvm_suite_reconstruct (const RvmSuite *suite, RvmResults *results, GError **error);
gboolean rvm_suite_cover (const RvmSuite *suite, RvmResults *results, GError **error);
gboolean rvm_suite_classify (const RvmSuite *suite, RvmResults *results, GError **error);
gboolean rvm_suite_retrieve (const RvmSuite *suite, RvmResults *results, GError **error);
gboolean rvm_suite_time (const RvmSuite *suite, RvmResults *results, GError **error);

G_END_DECLS
