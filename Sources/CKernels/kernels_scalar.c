// The portable table: what the compiler makes of the body for the architecture's baseline.
#include "KernelTable.h"

#define TABLE_NAME "scalar"
#define TILE_ROWS 4
#define TILE_WIDTH 1
#define FLUSHES_IN_HARDWARE 0
#define HAS_HALF_INSTRUCTION 0
#define HAS_PAIR_INSTRUCTION 0
#include "body/kernels.inc"

const KernelTable *kernels_scalar(void) { return &table; }
