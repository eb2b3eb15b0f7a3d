/* The enumerations of rvmencode's properties. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Nicks for RvmGemmProvider. */
GType gst_rvm_gemm_get_type (void);

/* The events that reset the state. */
typedef enum
{
  GST_RVM_RESET_FLUSH = 1 << 0,
  GST_RVM_RESET_SEGMENT = 1 << 1,
  GST_RVM_RESET_CAPS = 1 << 2,
  GST_RVM_RESET_STREAM_START = 1 << 3,
  GST_RVM_RESET_DISCONT = 1 << 4,
  GST_RVM_RESET_GAP = 1 << 5,
  GST_RVM_RESET_EOS = 1 << 6,
  GST_RVM_RESET_SCENE = 1 << 7,
} GstRvmResetOn;

GType gst_rvm_reset_on_get_type (void);

/* What becomes of the state when other weights take over. */
typedef enum
{
  GST_RVM_MODEL_CHANGE_RESET_STATE,
  GST_RVM_MODEL_CHANGE_KEEP_STATE,
} GstRvmModelChange;

GType gst_rvm_model_change_get_type (void);

/* What need not be computed. */
typedef enum
{
  GST_RVM_REUSE_NONE,
  GST_RVM_REUSE_STILL,
} GstRvmReuse;

GType gst_rvm_reuse_get_type (void);

/* Which element messages are posted. */
typedef enum
{
  GST_RVM_MESSAGE_RESET = 1 << 0,
  GST_RVM_MESSAGE_HEALTH = 1 << 1,
  GST_RVM_MESSAGE_MODEL = 1 << 2,
} GstRvmMessages;

GType gst_rvm_messages_get_type (void);

G_END_DECLS
