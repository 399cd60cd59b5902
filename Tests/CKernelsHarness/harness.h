// What the parts of the harness share.
#pragma once
#include "KernelTable.h"

#include <stdlib.h>

/// Ordinary numbers; numbers whose products are near the least normal one; infinities, NaNs and signed zeros besides.
typedef enum { ORDINARY, TINY, WILD } Values;

static inline float *zeros(long count) { return calloc((size_t)count + 64, sizeof(float)); }

/// The tables that this processor has; the first is the scalar one.
const KernelTable *const *tables(int *count);
uint32_t random_bits(void);
float random_float(Values values);
float *random_floats(long count, Values values);

long differing_floats(const float *a, const float *b, long count);
void report(const char *what, const char *table, const char *shape, long differing, long count);

void compare_steps(void);
void compare_products(void);
void compare_attention(void);
void measure_products(void);
