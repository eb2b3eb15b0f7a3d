/* Summaries stand below each other, behind the longest name. */
#include "commands.h"

#include <string.h>

#include "console.h"

enum { SHORTEST_COLUMN = 8 }; /* characters */

static void
print_usage (const char *program, const RvmProgramCommand *commands, guint n_commands)
{
  gsize longest = SHORTEST_COLUMN;

  for (guint i = 0; i < n_commands; i++)
    longest = MAX (longest, strlen (commands[i].name));
  g_print ("Usage: %s COMMAND [OPTION...]\n\nCommands:\n", program);
  for (guint i = 0; i < n_commands; i++)
    g_print ("  %-*s %s\n", (int) longest, commands[i].name, commands[i].summary);
  g_print ("\n'%s COMMAND --help' explains a command.\n", program);
}

int
rvm_program_run (const char *program, const RvmProgramCommand *commands, guint n_commands, int argc, char **argv)
{
  rvm_console_prepare ();
  if (argc < 2 || strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0) {
    print_usage (program, commands, n_commands);
    return argc < 2 ? 2 : 0;
  }
  if (strcmp (argv[1], "--version") == 0) {
    g_print ("%s %s\n", program, RVM_VERSION);
    return 0;
  }
  for (guint i = 0; i < n_commands; i++)
    if (strcmp (commands[i].name, argv[1]) == 0)
      return commands[i].run (argc - 1, argv + 1);
  g_printerr ("%s: unknown command '%s' ('%s --help' lists them)\n", program, argv[1], program);
  return 2;
}
