/* A program of several commands: PROGRAM COMMAND [OPTION...]. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  const char *name, *summary;
  int (*run) (int argc, char **argv); /* argv[0] is the command; returns the exit status */
} RvmProgramCommand;

/* What main() returns: prepares the console, and runs the command that is named, or answers --help and --version. 2: there is no such command. */
int rvm_program_run (const char *program, const RvmProgramCommand *commands, guint n_commands, int argc, char **argv);

G_END_DECLS
