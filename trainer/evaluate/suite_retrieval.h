/* The measure of the part "retrieval" of the suite. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Of @n videos, how many have a second half that is nearer, by cosine, to their own first half than to those of all others. @halves: (n, 2, dim). With
 * @standardised the columns are first standardised over all halves, in place. */
guint rvm_retrieval_count (float *halves, guint n, guint dim, gboolean standardised);

G_END_DECLS
