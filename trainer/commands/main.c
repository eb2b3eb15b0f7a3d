/* rvm-cl-train: trains and evaluates Recurrent Video Masked Autoencoders. Runs the command that is named, and makes messages print file names as they
 * are. */
#include <string.h>

#include "commands.h"
#include "program/console.h"

static const struct {
  const char *name, *summary;
  int (*run) (int argc, char **argv);
} commands[] = {
  { "info", "describe a weight file: sizes, material, recipe, arrays", rvm_command_info },
  { "init", "make a weight file of random values", rvm_command_init },
  { "convert", "convert npz to safetensors and back, to f32, f16 or bf16, or without decoder", rvm_command_convert },
  { "preview", "draw a contact sheet of training samples", rvm_command_preview },
  { "pretrain", "pretrain on videos", rvm_command_pretrain },
  { "resume", "continue a run", rvm_command_resume },
  { "reconstruct", "draw what a model makes of a video's masked frames", rvm_command_reconstruct },
  { "evaluate", "measure how well features follow the masks of DAVIS", rvm_command_evaluate },
  { "readout", "learn from your own clips which action it is, and measure it", rvm_command_readout },
  { "bench", "time a training step, by kernel", rvm_command_bench },
};

static void
print_usage (void)
{
  g_print ("Usage: rvm-cl-train COMMAND [OPTION...]\n\nCommands:\n");
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    g_print ("  %-11s %s\n", commands[i].name, commands[i].summary);
  g_print ("\n'rvm-cl-train COMMAND --help' explains a command.\n");
}

int
rvm_command_fail (const GError *error, int status)
{
  g_printerr ("rvm-cl-train: %s\n", error->message);
  return status;
}

void
rvm_command_show_notice (RvmDevice *device)
{
  g_autofree char *text = rvm_device_take_notice (device);

  if (text)
    g_printerr ("rvm-cl-train: %s\n", text);
}

int
main (int argc, char **argv)
{
  rvm_console_prepare ();
  if (argc < 2 || strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0) {
    print_usage ();
    return argc < 2 ? 2 : 0;
  }
  if (strcmp (argv[1], "--version") == 0) {
    g_print ("rvm-cl-train %s\n", RVM_VERSION);
    return 0;
  }
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (strcmp (commands[i].name, argv[1]) == 0)
      return commands[i].run (argc - 1, argv + 1);
  g_printerr ("rvm-cl-train: unknown command '%s' ('rvm-cl-train --help' lists them)\n", argv[1]);
  return 2;
}
