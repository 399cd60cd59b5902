// y = x Wᵀ + b + residual, dx (+)= dy W, dW += dyᵀ x in every format, and what they take of time.
#include "harness.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct {
  long rows, inputs, outputs;
} Shape;

typedef struct {
  const char *name;
  int format;
} Format;

static const Format formats[] = {
    {"float32", STORED_FLOAT32}, {"bfloat16", STORED_PAIRS}, {"float16", STORED_FLOAT16}};

static long up(long n, long multiple) { return (n + multiple - 1) / multiple * multiple; }

typedef struct {
  void *x, *dy, *panels; // as the table takes them
  long x_stride, dy_stride;
} Operands;

static void *prepare(
    const KernelTable *t, int format, const float *x, long rows, long columns, long *stride) {
  const int has_pairs = format == STORED_PAIRS;
  *stride = has_pairs ? (columns + 1) / 2 : columns;
  void *prepared = calloc((size_t)(rows * *stride + 64), (size_t)(has_pairs ? t->pair_size : 4));
  if (format == STORED_FLOAT32)
    memcpy(prepared, x, sizeof(float) * (size_t)(rows * columns));
  else
    t->prepare_rows(format, x, columns, 0, rows, columns, prepared);
  return prepared;
}

static Operands operands(
    const KernelTable *t, int format, Shape s, const float *x, const float *dy, const float *w) {
  Operands made;
  made.x = prepare(t, format, x, s.rows, s.inputs, &made.x_stride);
  made.dy = prepare(t, format, dy, s.rows, s.outputs, &made.dy_stride);
  const long panels = (s.outputs + 31) / 32;
  made.panels = zeros(panels * 32 * up(s.inputs, 2));
  if (format == STORED_FLOAT32)
    memcpy(made.panels, w, sizeof(float) * (size_t)(panels * 32 * s.inputs));
  else
    t->pack_panels(format, w, s.inputs, 0, panels, made.panels);
  return made;
}

static ProductArguments product(Operands o, int format, Shape s, float *y) {
  return (ProductArguments){
      .x = o.x, .x_stride = o.x_stride, .panels = o.panels, .format = format, .inputs = s.inputs,
      .outputs = s.outputs, .y = y, .y_stride = s.outputs};
}

static InputGradientArguments input_gradient(Operands o, int format, Shape s, float *dx) {
  return (InputGradientArguments){
      .dy = o.dy, .dy_stride = o.dy_stride, .panels = o.panels, .format = format,
      .inputs = s.inputs, .outputs = s.outputs, .dx = dx, .dx_stride = s.inputs};
}

// Pairs of rows that start afresh at two thirds, as at a group's beginning.
static long row_pairs(long rows, int32_t *pairs) {
  long count = 0;
  const long starts[] = {0, rows * 2 / 3, rows};
  for (int part = 0; part < 2; part++)
    for (long r = starts[part]; r < starts[part + 1]; r += 2, count++) {
      pairs[2 * count] = (int32_t)r;
      pairs[2 * count + 1] = r + 1 < starts[part + 1] ? (int32_t)r + 1 : -1;
    }
  return count;
}

static void weight_gradient(
    const KernelTable *t, int format, Shape s, const float *x, const float *dy, float *dw) {
  int32_t *pairs = malloc(sizeof(int32_t) * 2 * (size_t)(s.rows + 2));
  float *scratch = zeros(t->weight_gradient_scratch);
  const WeightGradientArguments arguments = {
      .dy = dy, .dy_stride = s.outputs, .x = x, .x_stride = s.inputs, .rows = s.rows,
      .inputs = s.inputs, .outputs = s.outputs, .dw = dw, .format = format, .pairs = pairs,
      .pair_count = row_pairs(s.rows, pairs)};
  (format == STORED_PAIRS ? t->pair_weight_gradient : t->weight_gradient)(
      &arguments, 0, (s.outputs + 31) / 32, 0, s.inputs, scratch);
  free(pairs), free(scratch);
}

static void compare(Shape s, Format format, Values values) {
  int count;
  const KernelTable *const *all = tables(&count);
  const long panels = (s.outputs + 31) / 32;
  float *x = random_floats(s.rows * s.inputs, values), *dy = random_floats(s.rows * s.outputs, values);
  float *w = random_floats(panels * 32 * s.inputs, values);
  for (long n = s.outputs; n < panels * 32; n++)
    for (long k = 0; k < s.inputs; k++) w[((n / 32) * s.inputs + k) * 32 + n % 32] = 0;
  float *bias = random_floats(s.outputs, values), *base = random_floats(s.rows * s.outputs, values);
  float *earlier = random_floats(s.rows * s.inputs, values);
  const long counts[] = {s.rows * s.outputs, s.rows * s.inputs, panels * 32 * s.inputs};
  static const char *names[] = {"product", "input gradient", "weight gradient"};
  float *expected[3];
  char what[64], shape[64];
  snprintf(shape, sizeof shape, "%ld rows, %ld -> %ld", s.rows, s.inputs, s.outputs);
  for (int i = 0; i < count; i++) {
    const KernelTable *t = all[i];
    const Operands o = operands(t, format.format, s, x, dy, w);
    float *results[] = {zeros(counts[0]), zeros(counts[1]), zeros(counts[2])};
    float *scratch = zeros(t->input_gradient_scratch);
    memcpy(results[0], base, sizeof(float) * (size_t)counts[0]);
    memcpy(results[1], earlier, sizeof(float) * (size_t)counts[1]);
    ProductArguments forward = product(o, format.format, s, results[0]);
    forward.bias = bias, forward.residual = results[0], forward.residual_stride = s.outputs;
    t->multiply(&forward, 0, s.rows, 0, panels);
    InputGradientArguments back = input_gradient(o, format.format, s, results[1]);
    back.accumulating = 1;
    t->input_gradient(&back, 0, s.rows, 0, (s.inputs + 31) / 32, scratch);
    weight_gradient(t, format.format, s, x, dy, results[2]);
    for (int part = 0; part < 3; part++) {
      if (i == 0) {
        expected[part] = results[part];
        continue;
      }
      snprintf(what, sizeof what, "%s %s%s", format.name, names[part], values == TINY ? ", tiny" : values == WILD ? ", wild" : "");
      report(what, t->name, shape, differing_floats(expected[part], results[part], counts[part]), counts[part]);
      free(results[part]);
    }
    free(scratch), free(o.x), free(o.dy), free(o.panels);
  }
  for (int part = 0; part < 3; part++) free(expected[part]);
  free(x), free(dy), free(w), free(bias), free(base), free(earlier);
}

void compare_products(void) {
  static const Shape shapes[] = {{1, 1, 1},    {3, 5, 7},     {2, 64, 32},   {13, 31, 33},
                                 {25, 40, 65}, {100, 17, 100}, {7, 3, 1037}, {61, 130, 48}};
  for (int format = 0; format < 3; format++)
    for (int values = ORDINARY; values <= WILD; values++)
      for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        compare(shapes[i], formats[format], (Values)values);
}

// MARK: Time

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// The best of some repeats, in GFLOP/s. `copies` weights pass by in turn, so that they come from memory.
static void measure(const KernelTable *t, Format format, Shape s, long copies) {
  float *x = random_floats(s.rows * s.inputs, ORDINARY), *dy = random_floats(s.rows * s.outputs, ORDINARY);
  float *w = random_floats(up(s.outputs, 32) * s.inputs, ORDINARY);
  Operands *all = malloc(sizeof(Operands) * (size_t)copies);
  for (long i = 0; i < copies; i++) all[i] = operands(t, format.format, s, x, dy, w);
  float *y = zeros(s.rows * s.outputs), *dx = zeros(s.rows * s.inputs);
  float *dw = zeros(up(s.outputs, 32) * s.inputs), *scratch = zeros(t->input_gradient_scratch);
  double best[3] = {1e9, 1e9, 1e9};
  const long parts = s.rows >= 64 ? 3 : 1;
  for (int repeat = 0; repeat < 5; repeat++)
    for (int part = 0; part < parts; part++) {
      const double start = now();
      for (long i = 0; i < copies; i++) {
        const ProductArguments forward = product(all[i], format.format, s, y);
        const InputGradientArguments back = input_gradient(all[i], format.format, s, dx);
        if (part == 0) t->multiply(&forward, 0, s.rows, 0, (s.outputs + 31) / 32);
        if (part == 1) t->input_gradient(&back, 0, s.rows, 0, (s.inputs + 31) / 32, scratch);
        if (part == 2) weight_gradient(t, format.format, s, x, dy, dw);
      }
      const double seconds = (now() - start) / (double)copies;
      if (seconds < best[part]) best[part] = seconds;
    }
  const double flops = 2e-9 * (double)(s.rows * s.inputs * s.outputs);
  const double bytes = 1e-9 * (double)(s.inputs * s.outputs * (format.format == STORED_FLOAT32 ? 4 : 2));
  printf("%-12s %-9s %5ld rows, %5ld -> %5ld  ", t->name, format.name, s.rows, s.inputs, s.outputs);
  if (parts == 1)
    printf("product %7.1f GFLOP/s, weights at %6.1f GB/s\n", flops / best[0], bytes / best[0]);
  else
    printf("GFLOP/s: product %7.1f, dx %7.1f, dW %7.1f\n", flops / best[0], flops / best[1], flops / best[2]);
  for (long i = 0; i < copies; i++) free(all[i].x), free(all[i].dy), free(all[i].panels);
  free(all), free(x), free(dy), free(w), free(y), free(dx), free(dw), free(scratch);
}

void measure_products(void) {
  int count;
  const KernelTable *const *all = tables(&count);
  static const struct { Shape shape; long copies; } cases[] = {
      {{1, 576, 1536}, 48}, {{8, 576, 1536}, 48}, {{64, 576, 1536}, 8}, {{512, 576, 1536}, 1},
      {{512, 1536, 576}, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (int table = count > 1 ? 1 : 0; table < count; table++)
      for (int format = 0; format < 3; format++)
        measure(all[table], formats[format], cases[i].shape, cases[i].copies);
}
