// The kernels' face: what each does to a range of its work, on the thread that calls it.
//
// Every table gives the same bits: sums run in an order that the text of the kernel fixes (one
// chain of fused multiply-adds, or 16 lanes and a fixed tree), never in one that the instruction
// set suggests.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define PANEL_WIDTH 32     // outputs in a panel of a packed weight
#define BLOCK_POSITIONS 16 // positions in a block of keys and values

/// How the elements of a packed weight are stored, and which products they make: bfloat16 is widened and float32's
/// chain, float16 float32's chain over operands that are rounded, and pairs of bfloat16 are chains of their own.
enum { STORED_FLOAT32 = 0, STORED_BFLOAT16 = 1, STORED_FLOAT16 = 2, STORED_PAIRS = 3 };

/// What a gate is passed through.
enum { ACTIVATION_SILU = 0, ACTIVATION_GELU_TANH = 1 };

/// y[R, N] = residual + (x[R, K] Wᵀ + bias); W in panels [N/32][K][32], or of pairs [N/32][K/2][32]; or N of its rows from
/// `first` on.
typedef struct {
  const void *_Nonnull x; // floats; rows prepared where the format is of pairs or float16
  long x_stride;          // elements
  const void *_Nonnull panels;
  int format;
  long inputs, outputs, first;
  float *_Nonnull y;
  long y_stride;
  const float *_Nullable bias;
  const float *_Nullable residual; // may be y
  long residual_stride;
} ProductArguments;

/// dx[R, K] (+)= dy[R, N] W, W or N of its rows from `first` on.
typedef struct {
  const void *_Nonnull dy; // as `x` of a product
  long dy_stride;
  const void *_Nonnull panels;
  int format;
  long inputs, outputs, first;
  float *_Nonnull dx;
  long dx_stride;
  int accumulating;
} InputGradientArguments;

/// dW += dyᵀ x, dW in panels as W, or N of its rows from `first` on.
typedef struct {
  const float *_Nonnull dy;
  long dy_stride;
  const float *_Nonnull x;
  long x_stride;
  long rows, inputs, outputs, first;
  float *_Nonnull dw;
  int format;                      // what both are rounded to
  const int32_t *_Nullable pairs;  // rows (first, second), second -1 for none; where the format is of pairs
  long pair_count;
} WeightGradientArguments;

/// `count` consecutive queries of one sequence, from packed row `row_start`; the first stands at
/// `first_position`, and position p's keys lie in block table[table_start + p / 16].
typedef struct {
  int32_t row_start, count, first_position, table_start;
} KernelSpan;

/// Keys [block][K][D][16] and values [block][K][16][value_width], value_width = V rounded up to 16;
/// without `values` a key's first V numbers are its value. Pairs of bfloat16 are two numbers of a key, [D/2][16], and
/// the values of two positions, [8][value_width].
typedef struct {
  void *_Nonnull keys;
  void *_Nullable values;
  int format; // how both are stored
  long kv_heads, head_size, value_size, value_width;
} KernelBlocks;

typedef struct {
  const float *_Nonnull k;
  long k_stride;
  const float *_Nullable v; // null where values are keys' first numbers
  long v_stride;
  const int32_t *_Nonnull table;
  KernelBlocks blocks;
} StoreArguments;

typedef struct {
  const float *_Nonnull q;
  long q_stride;
  const int32_t *_Nonnull table;
  KernelBlocks blocks;
  int format; // what queries and weights are rounded to
  long heads;
  float scale;
  float cap;   // scores s become cap · tanh(s / cap); 0 for none
  long window; // key j is seen by query p where p - window < j <= p
  float *_Nonnull out;
  long out_stride;
  float *_Nullable log_sum_exp; // [R, H]
} AttentionArguments;

/// A part of a group's queries: those of some completions, and of the prompt where asked for. All
/// read the prompt's keys; the gradients of these go to `prompt_dk` [prompt_count, D] and `prompt_dv`
/// [prompt_count, V], or, where those are null, to the prompt's rows. Starts are packed rows.
typedef struct {
  long prompt_start, prompt_count, completion_count;
  const long *_Nullable completions; // pairs (start, count)
  int with_prompt_queries;
  float *_Nullable prompt_dk, *_Nullable prompt_dv;
} KernelGroup;

typedef struct {
  const float *_Nonnull q, *_Nonnull k, *_Nonnull v, *_Nonnull out, *_Nonnull d_out;
  long q_stride, k_stride, v_stride, out_stride, d_out_stride;
  const float *_Nonnull log_sum_exp; // [R, H]
  int format, key_format; // what all operands are rounded to, and what keys and values are at least
  long heads, kv_heads, head_size, value_size;
  float scale;
  float cap;
  long window;
  float *_Nonnull dq, *_Nonnull dk, *_Nonnull dv;
  long dq_stride, dk_stride, dv_stride;
} AttentionGradientArguments;

typedef struct {
  float one_minus_beta1, beta2, one_minus_beta2, epsilon, gradient_scale;
  float weight_decay;           // 1 - learning rate · λ: what is left of the weight
  float step_size;              // learning rate / (1 - beta1^t)
  float square_root_correction; // sqrt(1 - beta2^t)
  int clearing_gradient;
} AdamWArguments;

/// What the softmax of one row of logits comes to.
typedef struct {
  float log_sum_exp, log_probability, entropy;
  double normalizer; // log_sum_exp before it was rounded
} VocabularySummary;

typedef struct {
  const char *_Nonnull name;

  // Products. The rows and panels of a call are ranges, panels those of W; scratch is the caller's own.
  void (*_Nonnull multiply)(
      const ProductArguments *_Nonnull, long row_begin, long row_end, long panel_begin,
      long panel_end);
  void (*_Nonnull input_gradient)(
      const InputGradientArguments *_Nonnull, long row_begin, long row_end, long panel_begin,
      long panel_end, float *_Nonnull scratch);
  long input_gradient_scratch; // floats
  void (*_Nonnull weight_gradient)(
      const WeightGradientArguments *_Nonnull, long panel_begin, long panel_end, long input_begin,
      long input_end, float *_Nonnull scratch);
  void (*_Nonnull pair_weight_gradient)(
      const WeightGradientArguments *_Nonnull, long panel_begin, long panel_end, long input_begin,
      long input_end, float *_Nonnull scratch);
  long weight_gradient_scratch; // floats
  long tile_rows;

  // Operands in two bytes.
  void (*_Nonnull prepare_rows)(
      int format, const float *_Nonnull x, long x_stride, long row_begin, long row_end,
      long columns, void *_Nonnull prepared); // rows of `columns` floats, or of half as many pairs
  long pair_size;                             // bytes of a prepared pair
  void (*_Nonnull pack_panels)(
      int format, const float *_Nonnull panels, long inputs, long panel_begin, long panel_end,
      void *_Nonnull packed);
  void (*_Nonnull narrow)(
      int format, const float *_Nonnull x, long begin, long end, uint16_t *_Nonnull y);
  void (*_Nonnull widen)(
      int format, const uint16_t *_Nonnull x, long begin, long end, float *_Nonnull y);

  // Rows. Norms treat rows × segments of `columns` values: segment s of row r starts at
  // r * stride + s * columns; inverse_rms is [rows, segments].
  void (*_Nonnull rms_norm)(
      const float *_Nonnull x, long x_stride, const float *_Nonnull weight, long row_begin,
      long row_end, long segments, long columns, float epsilon, float *_Nonnull y, long y_stride,
      float *_Nullable inverse_rms);
  void (*_Nonnull rms_norm_input_gradient)(
      const float *_Nonnull dy, long dy_stride, const float *_Nonnull x, long x_stride,
      const float *_Nonnull weight, const float *_Nonnull inverse_rms, long row_begin,
      long row_end, long segments, long columns, float *_Nonnull dx, long dx_stride,
      int accumulating);
  void (*_Nonnull rms_norm_weight_gradient)(
      const float *_Nonnull dy, long dy_stride, const float *_Nonnull x, long x_stride,
      const float *_Nonnull inverse_rms, long rows, long segments, long columns,
      long column_begin, long column_end, float *_Nonnull d_weight);
  // Statistics are [rows, segments][2]: the mean, and 1 / the deviation.
  void (*_Nonnull layer_norm)(
      const float *_Nonnull x, long x_stride, const float *_Nonnull weight,
      const float *_Nullable bias, long row_begin, long row_end, long segments, long columns,
      float epsilon, float *_Nonnull y, long y_stride, float *_Nullable statistics);
  void (*_Nonnull layer_norm_input_gradient)(
      const float *_Nonnull dy, long dy_stride, const float *_Nonnull x, long x_stride,
      const float *_Nonnull weight, const float *_Nonnull statistics, long row_begin,
      long row_end, long segments, long columns, float *_Nonnull dx, long dx_stride,
      int accumulating);
  void (*_Nonnull layer_norm_weight_gradient)(
      const float *_Nonnull dy, long dy_stride, const float *_Nonnull x, long x_stride,
      const float *_Nonnull statistics, long rows, long segments, long columns, long column_begin,
      long column_end, float *_Nonnull d_weight, float *_Nullable d_bias);
  void (*_Nonnull gated)( // of gates and values rounded to a format, as a product would read them
      int activation, int format, const float *_Nonnull gate, const float *_Nullable up, long begin,
      long end, float *_Nonnull h); // without `up` h = φ(gate)
  void (*_Nonnull gated_gradient)(
      int activation, int format, const float *_Nonnull dh, const float *_Nonnull gate,
      const float *_Nullable up, long begin, long end, float *_Nonnull d_gate,
      float *_Nullable d_up);
  void (*_Nonnull soft_cap)(float *_Nonnull x, float cap, long begin, long end); // in place
  void (*_Nonnull soft_cap_gradient)(
      const float *_Nonnull y, float cap, long begin, long end,
      float *_Nonnull dx); // y capped, -∞ where masked; dx in place
  void (*_Nonnull rotate)(
      float *_Nonnull x, long stride, long row_begin, long row_end, long heads, long head_size,
      long rotated, int neighbours, const int32_t *_Nonnull positions,
      const float *_Nonnull cosines, const float *_Nonnull sines,
      int inverse); // the first `rotated` numbers of a head, by halves or by neighbours
  void (*_Nonnull add)(
      const float *_Nonnull a, float *_Nonnull b, long begin, long end); // b += a
  void (*_Nonnull scale)(float *_Nonnull x, float factor, long begin, long end);
  void (*_Nonnull column_sums)(
      const float *_Nonnull x, long stride, long rows, long column_begin, long column_end,
      float *_Nonnull sums); // adds the rows in order
  double (*_Nonnull dot)(const float *_Nonnull a, const float *_Nonnull b, long count);
  void (*_Nonnull exponentials)(const float *_Nonnull x, long count, float *_Nonnull y);

  // Attention.
  void (*_Nonnull store_keys_values)(
      const StoreArguments *_Nonnull, const KernelSpan *_Nonnull, long begin, long end);
  void (*_Nonnull attend)(
      const AttentionArguments *_Nonnull, const KernelSpan *_Nonnull, long kv_head, long begin,
      long end, float *_Nonnull scratch); // begin..end: items position × (H/K) + head of a span
  long (*_Nonnull attend_scratch)(long head_size, long value_size, long positions); // floats
  void (*_Nonnull attention_gradient)(
      const AttentionGradientArguments *_Nonnull, const KernelGroup *_Nonnull, long kv_head,
      float *_Nonnull scratch);
  long (*_Nonnull attention_gradient_scratch)(long head_size, long value_size, long keys); // floats

  // Vocabulary.
  void (*_Nonnull summarize)(
      const float *_Nonnull logits, long count, float inverse_temperature, int32_t target,
      VocabularySummary *_Nonnull);
  void (*_Nonnull vocabulary_gradient)(
      float *_Nonnull logits, long count, float inverse_temperature, int32_t target,
      float log_sum_exp, float entropy, float d_log_probability, float d_entropy);
  int32_t (*_Nonnull draw)(
      const float *_Nonnull logits, long count, float inverse_temperature, float log_sum_exp,
      double uniform);

  void (*_Nonnull adamw)(
      const AdamWArguments *_Nonnull, float *_Nonnull parameter, float *_Nonnull gradient,
      float *_Nonnull m, float *_Nonnull v, long begin, long end);

  // What a core can do at most: steps of `chains` chains of 16 lanes, and the sum of floats that are read.
  long chains;
  float (*_Nonnull run_fused_chains)(long steps, float factor);
  float (*_Nonnull run_paired_chains)(long steps, float factor);
  float (*_Nonnull read_floats)(const float *_Nonnull, long count); // a multiple of 128
} KernelTable;

/// The portable table, on every processor.
const KernelTable *_Nonnull kernels_scalar(void);
/// Null where the program was built for another architecture or the processor lacks AVX2, FMA or F16C.
const KernelTable *_Nullable kernels_avx2(void);
/// Null where the program was built for another architecture or the processor lacks AVX-512 (F, BW, DQ, VL).
const KernelTable *_Nullable kernels_avx512(void);
/// Null where the program was built for another architecture or the processor lacks AVX-512 with BF16.
const KernelTable *_Nullable kernels_avx512bf16(void);
