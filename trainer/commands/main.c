/* rvm-cl-train: trains and evaluates Recurrent Video Masked Autoencoders. Runs the command that is named, and makes messages print file names as they
 * are. */
#include "commands.h"
#include "program/commands.h"

static const RvmProgramCommand commands[] = {
  { "info", "describe a weight file: sizes, material, recipe, arrays", rvm_command_info },
  { "init", "make a weight file of random values", rvm_command_init },
  { "convert", "convert npz to safetensors and back, to f32, f16 or bf16, or without decoder", rvm_command_convert },
  { "preview", "draw a contact sheet of training samples", rvm_command_preview },
  { "pretrain", "pretrain on videos", rvm_command_pretrain },
  { "resume", "continue a run", rvm_command_resume },
  { "gate", "fit the update gate to what is covered, so that the state keeps it", rvm_command_gate },
  { "reconstruct", "draw what a model makes of a video's masked frames", rvm_command_reconstruct },
  { "evaluate", "measure how well features follow the masks of DAVIS", rvm_command_evaluate },
  { "readout", "learn from your own clips which action it is, and measure it", rvm_command_readout },
  { "bench", "time a training step, by kernel", rvm_command_bench },
};

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

void
rvm_command_show_arithmetic (const RvmModel *model)
{
  g_autofree char *text = rvm_gemm_take_notice (rvm_model_get_device (model), rvm_model_get_gemm (model), rvm_model_get_precision (model));

  if (text)
    g_printerr ("rvm-cl-train: %s\n", text);
}

int
main (int argc, char **argv)
{
  return rvm_program_run ("rvm-cl-train", commands, G_N_ELEMENTS (commands), argc, argv);
}
