// Attention over blocks of keys and values, and its gradients, in every format.
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  long heads, kv_heads, head_size, value_size; // values are keys' first numbers where the sizes differ
  long window;
  float cap;
} Case;

typedef struct {
  const char *name;
  int format, key_format;
} Format;

static const Format formats[] = {
    {"float32", STORED_FLOAT32, STORED_FLOAT32},
    {"bfloat16 keys", STORED_FLOAT32, STORED_BFLOAT16},
    {"float16 keys", STORED_FLOAT32, STORED_FLOAT16},
    {"bfloat16", STORED_PAIRS, STORED_PAIRS},
    {"float16", STORED_FLOAT16, STORED_FLOAT16}};

enum { PROMPT = 37, FIRST = 21, SECOND = 2, ROWS = PROMPT + FIRST + SECOND };

typedef struct {
  float *q, *k, *v, *out, *d_out, *log_sum_exp, *dq, *dk, *dv;
} Numbers;

// One sequence of a prompt and its first completion; the second is a gradient's alone.
static void forward(const KernelTable *t, Case c, Format f, Numbers n) {
  enum { BLOCKS = (ROWS + 15) / 16 };
  int32_t table[BLOCKS];
  for (int i = 0; i < BLOCKS; i++) table[i] = BLOCKS - 1 - i;
  const long width = (c.value_size + 15) / 16 * 16;
  const int is_shared = c.value_size != c.head_size;
  const KernelBlocks blocks = {
      .keys = zeros(BLOCKS * 16 * c.kv_heads * (c.head_size + 1)),
      .values = is_shared ? 0 : zeros(BLOCKS * 16 * c.kv_heads * width), .format = f.key_format,
      .kv_heads = c.kv_heads, .head_size = c.head_size, .value_size = c.value_size,
      .value_width = width};
  const KernelSpan span = {.row_start = 0, .count = ROWS, .first_position = 0, .table_start = 0};
  const StoreArguments stored = {
      .k = n.k, .k_stride = c.kv_heads * c.head_size, .v = is_shared ? 0 : n.v,
      .v_stride = c.kv_heads * c.value_size, .table = table, .blocks = blocks};
  t->store_keys_values(&stored, &span, 0, 1);
  const AttentionArguments arguments = {
      .q = n.q, .q_stride = c.heads * c.head_size, .table = table, .blocks = blocks,
      .format = f.format, .heads = c.heads, .scale = 0.3f, .cap = c.cap, .window = c.window,
      .out = n.out, .out_stride = c.heads * c.value_size, .log_sum_exp = n.log_sum_exp};
  float *scratch = zeros(t->attend_scratch(c.head_size, c.value_size, ROWS));
  const long items = ROWS * (c.heads / c.kv_heads);
  for (long head = 0; head < c.kv_heads; head++)
    for (long begin = 0; begin < items; begin += t->tile_rows)
      t->attend(
          &arguments, &span, head, begin,
          begin + t->tile_rows < items ? begin + t->tile_rows : items, scratch);
  free(scratch), free(blocks.keys), free(blocks.values);
}

static void backward(const KernelTable *t, Case c, Format f, Numbers n) {
  const long completions[] = {PROMPT, FIRST, PROMPT + FIRST, SECOND};
  const KernelGroup group = {
      .prompt_count = PROMPT, .completion_count = 2, .completions = completions,
      .with_prompt_queries = 1};
  const long keys = c.kv_heads * c.head_size, values = c.kv_heads * c.value_size;
  const AttentionGradientArguments arguments = {
      .q = n.q, .k = n.k, .v = n.v, .out = n.out, .d_out = n.d_out,
      .q_stride = c.heads * c.head_size, .k_stride = keys, .v_stride = values,
      .out_stride = c.heads * c.value_size, .d_out_stride = c.heads * c.value_size,
      .log_sum_exp = n.log_sum_exp, .format = f.format, .key_format = f.key_format,
      .heads = c.heads, .kv_heads = c.kv_heads, .head_size = c.head_size,
      .value_size = c.value_size, .scale = 0.3f, .cap = c.cap, .window = c.window, .dq = n.dq,
      .dk = n.dk, .dv = n.dv, .dq_stride = c.heads * c.head_size, .dk_stride = keys,
      .dv_stride = values};
  float *scratch = zeros(t->attention_gradient_scratch(c.head_size, c.value_size, ROWS + 64));
  for (long head = 0; head < c.kv_heads; head++)
    t->attention_gradient(&arguments, &group, head, scratch);
  free(scratch);
}

static void compare(Case c, Format f, float scale) {
  int count;
  const KernelTable *const *all = tables(&count);
  const long queries = ROWS * c.heads * c.head_size, outs = ROWS * c.heads * c.value_size;
  const long keys = ROWS * c.kv_heads * c.head_size, values = ROWS * c.kv_heads * c.value_size;
  Numbers n = {
      .q = random_floats(queries, ORDINARY), .k = random_floats(keys, ORDINARY),
      .v = random_floats(values, ORDINARY), .d_out = random_floats(outs, ORDINARY)};
  for (long i = 0; i < queries; i++) n.q[i] *= 8;
  for (long i = 0; i < values; i++) n.v[i] *= scale;
  for (long i = 0; i < outs; i++) n.d_out[i] *= scale;
  const long counts[] = {outs, ROWS * c.heads, queries, keys, values};
  static const char *names[] = {"output", "log-sum-exp", "dq", "dk", "dv"};
  float *expected[5];
  char what[64], shape[64];
  snprintf(
      shape, sizeof shape, "%ld/%ld heads of %ld", c.heads, c.kv_heads, c.head_size);
  for (int i = 0; i < count; i++) {
    n.out = zeros(outs), n.log_sum_exp = zeros(ROWS * c.heads);
    n.dq = zeros(queries), n.dk = zeros(keys), n.dv = zeros(values);
    forward(all[i], c, f, n);
    backward(all[i], c, f, n);
    float *results[] = {n.out, n.log_sum_exp, n.dq, n.dk, n.dv};
    for (int part = 0; part < 5; part++) {
      if (i == 0) {
        expected[part] = results[part];
        continue;
      }
      snprintf(
          what, sizeof what, "attention, %s, %s%s", f.name, names[part], scale < 1 ? ", tiny" : "");
      report(
          what, all[i]->name, shape, differing_floats(expected[part], results[part], counts[part]),
          counts[part]);
      free(results[part]);
    }
  }
  for (int part = 0; part < 5; part++) free(expected[part]);
  free(n.q), free(n.k), free(n.v), free(n.d_out);
}

void compare_attention(void) {
  static const Case cases[] = {
      {1, 1, 1, 1, 1000, 0},   {4, 2, 8, 8, 1000, 0},   {3, 1, 32, 32, 1000, 0},
      {6, 2, 64, 64, 20, 0},   {2, 2, 40, 40, 1, 0},    {14, 1, 24, 24, 33, 0},
      {4, 2, 21, 21, 25, 3},   {4, 1, 72, 56, 1000, 0}, {3, 1, 37, 21, 25, 0}};
  for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++)
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
      compare(cases[i], formats[f], 1);
      compare(cases[i], formats[f], 0x1p-70f);
    }
}
