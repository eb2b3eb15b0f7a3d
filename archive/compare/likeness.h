/* RvmLikeness: how alike the colours of two moments are, decided by as little work as is enough. Histograms of fewer colours are never less alike than
 * those of more, so that whatever is not alike enough in 8 or 64 colours need not be compared in 512. */
#pragma once

#include "archive/search/table.h"

G_BEGIN_DECLS

typedef struct _RvmLikeness RvmLikeness;

/* Of a table of colours, which must outlive it. */
RvmLikeness *rvm_likeness_new (const RvmTable *table);
void rvm_likeness_free (RvmLikeness *likeness);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmLikeness, rvm_likeness_free)

/* The likeness of rows @a and @b, 0 to 1, if it is at least @least; else 0. */
float rvm_likeness_compare (const RvmLikeness *likeness, gsize a, gsize b, float least);

G_END_DECLS
