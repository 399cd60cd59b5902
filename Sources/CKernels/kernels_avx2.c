// The table for AVX2 with FMA and F16C: 16 registers of 8 floats hold a tile of 6 × 16 sums.
#include "KernelTable.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define TABLE_NAME "avx2"
#define TILE_ROWS 6
#define TILE_WIDTH 1
#define FLUSHES_IN_HARDWARE 1
#define HAS_HALF_INSTRUCTION 1
#define HAS_PAIR_INSTRUCTION 0
#include "body/kernels.inc"
#pragma clang attribute pop

const KernelTable *kernels_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                 __builtin_cpu_supports("f16c")
             ? &table
             : 0;
}
#else
const KernelTable *kernels_avx2(void) { return 0; }
#endif
