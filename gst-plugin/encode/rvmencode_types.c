/* Registration of the property types. */
#include "rvmencode_types.h"

#include "kernels/ops/linear.h"

GType
gst_rvm_gemm_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const GEnumValue values[] = {
      {RVM_GEMM_AUTO, "Matrix units for bf16 where they are, native on CPUs, CLBlast elsewhere", "auto"},
      {RVM_GEMM_NATIVE, "The plugin's own packed kernel", "native"},
      {RVM_GEMM_CLBLAST, "CLBlast", "clblast"},
      {RVM_GEMM_MATRIX_UNITS, "Matrix units (AMX), or products of bfloat16 in AVX-512, with precision=bf16",
          "matrix-units"},
      {0, NULL, NULL}
    };
    g_once_init_leave (&type, g_enum_register_static ("GstRvmGemm", values));
  }
  return type;
}

GType
gst_rvm_reset_on_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const GFlagsValue values[] = {
      {GST_RVM_RESET_FLUSH, "A flush (a flushing seek)", "flush"},
      {GST_RVM_RESET_SEGMENT, "A new segment", "segment"},
      {GST_RVM_RESET_CAPS, "New caps that change the picture: its size, format,"
            " colours, pixel aspect ratio, interlacing or views", "caps"},
      {GST_RVM_RESET_STREAM_START, "A new stream", "stream-start"},
      {GST_RVM_RESET_DISCONT, "A buffer marked as discontinuous", "discont"},
      {GST_RVM_RESET_GAP, "A gap of gap-threshold or more", "gap"},
      {GST_RVM_RESET_EOS, "The end of the stream", "eos"},
      {GST_RVM_RESET_SCENE, "A frame less like the one before than"
            " scene-threshold", "scene"},
      {0, NULL, NULL}
    };
    g_once_init_leave (&type, g_flags_register_static ("GstRvmResetOn",
            values));
  }
  return type;
}

GType
gst_rvm_model_change_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const GEnumValue values[] = {
      {GST_RVM_MODEL_CHANGE_RESET_STATE, "Reset the state",
          "reset-state"},
      {GST_RVM_MODEL_CHANGE_KEEP_STATE, "The state goes on, if it has the size"
            " of the new model's", "keep-state"},
      {0, NULL, NULL}
    };
    g_once_init_leave (&type, g_enum_register_static ("GstRvmModelChange",
            values));
  }
  return type;
}

GType
gst_rvm_reuse_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const GEnumValue values[] = {
      {GST_RVM_REUSE_NONE, "Every frame is computed", "none"},
      {GST_RVM_REUSE_STILL, "Still frames carry the last features", "still"},
      {0, NULL, NULL}
    };
    g_once_init_leave (&type, g_enum_register_static ("GstRvmReuse", values));
  }
  return type;
}

GType
gst_rvm_messages_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const GFlagsValue values[] = {
      {GST_RVM_MESSAGE_RESET, "rvm-reset: the state was reset or"
            " restored", "reset"},
      {GST_RVM_MESSAGE_HEALTH, "rvm-health: norm of the state, mean gates",
          "health"},
      {GST_RVM_MESSAGE_MODEL, "rvm-model: other weights run", "model"},
      {0, NULL, NULL}
    };
    g_once_init_leave (&type, g_flags_register_static ("GstRvmMessages",
            values));
  }
  return type;
}
