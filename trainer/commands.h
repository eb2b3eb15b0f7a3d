/* The subcommands of rvm-cl-train. Each gets its own arguments, argv[0] being its name, and returns the exit status: 0, 1 after a
 * failure, 2 for a wrong call. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

int rvm_command_info (int argc, char **argv);
int rvm_command_init (int argc, char **argv);
int rvm_command_convert (int argc, char **argv);
int rvm_command_bench (int argc, char **argv);

/* Says what failed on standard error, as "rvm-cl-train: ...". */
int rvm_command_fail (const GError *error, int status);

G_END_DECLS
