// The table for AVX-512: 32 registers of 16 floats hold a tile of 12 × 32 sums.
#include "KernelTable.h"

#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#define TABLE_NAME "avx512"
#define TILE_ROWS 12
#define TILE_WIDTH 2
#define FLUSHES_IN_HARDWARE 1
#define HAS_HALF_INSTRUCTION 1
#define HAS_PAIR_INSTRUCTION 0
#include "body/kernels.inc"
#pragma clang attribute pop

const KernelTable *kernels_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                 __builtin_cpu_supports("fma")
             ? &table
             : 0;
}
#else
const KernelTable *kernels_avx512(void) { return 0; }
#endif
