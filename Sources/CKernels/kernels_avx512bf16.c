// The table for AVX-512 with its instruction for pairs of bfloat16 (Zen 4, Cooper Lake, Sapphire Rapids and later).
#include "KernelTable.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"))), \
    apply_to = function)
#define TABLE_NAME "avx512bf16"
#define TILE_ROWS 12
#define TILE_WIDTH 2
#define FLUSHES_IN_HARDWARE 1
#define HAS_HALF_INSTRUCTION 1
#define HAS_PAIR_INSTRUCTION 1
#include "body/kernels.inc"
#pragma clang attribute pop

const KernelTable *kernels_avx512bf16(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                 __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512bf16")
             ? &table
             : 0;
}
#else
const KernelTable *kernels_avx512bf16(void) { return 0; }
#endif
