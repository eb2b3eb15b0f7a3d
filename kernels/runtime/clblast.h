/* What CLBlast keeps for the whole process: its table of parameters, and the programs it has built. Private to kernels/. Thread-safe. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* To be called around every call of CLBlast: what begin returns is handed to end, with whether CLBlast's call succeeded. */
gboolean rvm_clblast_begin (void);
void rvm_clblast_end (gboolean alone, gboolean succeeded);

/* Makes CLBlast give up the programs it has built, and their contexts. It can only do so for all devices at once: device.c decides when. */
void rvm_clblast_forget (void);

G_END_DECLS
