#include "error.h"

G_DEFINE_QUARK (rvm-error-quark, rvm_error)
