// One step of a bfloat16 chain, sum = fma(x₀, w₀, fma(x₁, w₁, sum)), by each table's product of two inputs whose
// residual is the sum's beginning, and where the result is about to be flushed.
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static float of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// dW += dyᵀ x over one pair of rows: a chain that begins with what is there.
static void run(const KernelTable *table, const float *dy, const float *x, float *dw, long outputs) {
  const int32_t pairs[] = {0, 1};
  float *scratch = zeros(table->weight_gradient_scratch);
  const WeightGradientArguments arguments = {
      .dy = dy, .dy_stride = outputs, .x = x, .x_stride = 1, .rows = 2, .inputs = 1,
      .outputs = outputs, .dw = dw, .format = STORED_PAIRS, .pairs = pairs, .pair_count = 1};
  table->pair_weight_gradient(&arguments, 0, (outputs + 31) / 32, 0, 1, scratch);
  free(scratch);
}

// Sums that are exactly, or by a hair, the least normal number.
static void compare(const char *what, Values values, int is_edge) {
  enum { OUTPUTS = 1 << 14, ROUNDS = 16 };
  int count;
  const KernelTable *const *all = tables(&count);
  long differing[4] = {0};
  for (int round = 0; round < ROUNDS; round++) {
    float *dy = random_floats(2 * OUTPUTS, values), *x = random_floats(2, values);
    float *begin = random_floats(OUTPUTS, values), *expected = zeros(OUTPUTS);
    if (is_edge) {
      x[0] = of_bits(0x3F800000 | (random_bits() & 0x7F0000));
      x[1] = 0;
      for (long n = 0; n < OUTPUTS; n++) {
        const uint32_t sign = random_bits() & 0x80000000;
        begin[n] = of_bits(sign | (0x00800000 + (random_bits() & 0xFFFF)));
        dy[n] = -of_bits(sign | 0x00800000 | (random_bits() & 0x3F0000)) * (random_bits() & 1 ? 1.0f : 0x1p-20f);
      }
    }
    for (int i = 0; i < count; i++) {
      float *sums = zeros(OUTPUTS);
      memcpy(sums, begin, sizeof(float) * OUTPUTS);
      run(all[i], dy, x, sums, OUTPUTS);
      if (i == 0) memcpy(expected, sums, sizeof(float) * OUTPUTS);
      differing[i] += differing_floats(expected, sums, OUTPUTS);
      free(sums);
    }
    free(dy), free(x), free(begin), free(expected);
  }
  for (int i = 1; i < count; i++)
    report(what, all[i]->name, "one step", differing[i], (long)OUTPUTS * ROUNDS);
}

void compare_steps(void) {
  compare("step, ordinary numbers", ORDINARY, 0);
  compare("step, tiny numbers", TINY, 0);
  compare("step, infinities and NaNs", WILD, 0);
  compare("step, at the least normal number", ORDINARY, 1);
}
