/* What this library was built from and by.  KERNEL_SOURCES is the digest of engine/kernels/sources.py at the build. */
#include "kernels.h"

EXPORT const char *kernel_sources(void) { return KERNEL_SOURCES; }

#if defined(__VERSION__)
EXPORT const char *kernel_compiler(void) { return __VERSION__; }
#else
EXPORT const char *kernel_compiler(void) { return "unknown"; }
#endif
