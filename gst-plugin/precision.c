#include "precision.h"

#include "kernels/tensor.h"

GType
gst_rvm_precision_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const GEnumValue values[] = {
      {RVM_ELEMENT_F32, "Weights in 32 bits, exact", "f32"},
      {RVM_ELEMENT_F16, "Weights in 16 bits, half the memory", "f16"},
      {RVM_ELEMENT_BF16, "Weights in 16 bits of a float's range", "bf16"},
      {0, NULL, NULL}
    };
    g_once_init_leave (&type, g_enum_register_static ("GstRvmPrecision",
            values));
  }
  return type;
}
