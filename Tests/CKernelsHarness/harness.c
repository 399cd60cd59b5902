// Holds every instruction set's table that this processor has against the scalar one, bit by bit: products, attention
// and their gradients in every format over awkward shapes, with subnormals, infinities and NaNs among ordinary numbers.
//
//   clang -O2 -static -ISources/CKernels/include Tests/CKernelsHarness/*.c Sources/CKernels/kernels_*.c -lm -o harness
//   ./harness          compares, and ends with 1 where a bit differs
//   ./harness --speed  measures products of a decoding step and of an update besides, one thread
//
// A NaN equals a NaN, whatever its sign and payload.
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;

void report(const char *what, const char *table, const char *shape, long differing, long count) {
  if (differing) failures++;
  printf(
      "%-9s %-12s %-34s %-30s", differing ? "DIFFERS" : "same", table, what, shape);
  printf(differing ? " %ld of %ld\n" : " %.0ld%ld\n", differing, count);
}

long differing_floats(const float *a, const float *b, long count) {
  long differing = 0;
  for (long i = 0; i < count; i++)
    if (!(isnan(a[i]) && isnan(b[i])) && memcmp(a + i, b + i, sizeof(float)) != 0) differing++;
  return differing;
}

const KernelTable *const *tables(int *count) {
  static const KernelTable *found[4];
  const KernelTable *all[] = {
      kernels_scalar(), kernels_avx2(), kernels_avx512(), kernels_avx512bf16()};
  *count = 0;
  for (int i = 0; i < 4; i++)
    if (all[i]) found[(*count)++] = all[i];
  return found;
}

static uint64_t state = 0x9E3779B97F4A7C15u;

uint32_t random_bits(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32);
}

float random_float(Values values) {
  const float ordinary = (float)((double)random_bits() / 4294967296.0 * 2 - 1);
  const uint32_t kind = random_bits() % 100;
  switch (values) {
  case ORDINARY: return ordinary;
  case TINY: // products and sums about the least normal number
    return ordinary * (kind < 60 ? 0x1p-63f : kind < 80 ? 0x1p-126f : kind < 90 ? 0x1p-130f : 1.0f);
  case WILD:
    if (kind < 2) return kind ? INFINITY : -INFINITY;
    if (kind < 3) return NAN;
    if (kind < 10) return ordinary * 0x1p126f;
    if (kind < 20) return ordinary * 0x1p-126f;
    if (kind < 30) return kind & 1 ? 0.0f : -0.0f;
    return ordinary;
  }
  return 0;
}

float *random_floats(long count, Values values) {
  float *numbers = zeros(count);
  for (long i = 0; i < count; i++) numbers[i] = random_float(values);
  return numbers;
}

int main(int argc, char **argv) {
  int count;
  const KernelTable *const *all = tables(&count);
  printf("tables:");
  for (int i = 0; i < count; i++) printf(" %s", all[i]->name);
  printf("\n");
  compare_steps();
  compare_products();
  compare_attention();
  if (argc > 1 && strcmp(argv[1], "--speed") == 0) measure_products();
  printf(failures ? "%d comparisons differ\n" : "all bits are the same%.0d\n", failures);
  return failures ? 1 : 0;
}
