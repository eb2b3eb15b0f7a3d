/* rvm-cl-train: weight files of Recurrent Video Masked Autoencoders. Finds the subcommand, nothing else. */
#include <string.h>

#include "commands.h"

static const struct {
  const char *name, *summary;
  int (*run) (int argc, char **argv);
} commands[] = {
  { "info", "sizes, arrays and metadata of a weight file", rvm_command_info },
  { "init", "make a weight file of random values", rvm_command_init },
  { "convert", "npz to safetensors and back, f32, f16, bf16, without decoder", rvm_command_convert },
  { "preview", "a contact sheet of training samples", rvm_command_preview },
  { "pretrain", "pretrain on videos", rvm_command_pretrain },
  { "resume", "go on with a run", rvm_command_resume },
  { "reconstruct", "what a model makes of a video's masked frames", rvm_command_reconstruct },
  { "evaluate", "how well features follow the masks of DAVIS", rvm_command_evaluate },
  { "bench", "time of a training step by kernel", rvm_command_bench },
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
