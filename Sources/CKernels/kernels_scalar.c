// The portable table: what the compiler makes of the body for the architecture's baseline.
#include "KernelTable.h"

#define TABLE_NAME "scalar"
#define TILE_ROWS 4
#define TILE_WIDTH 1
#include "body/kernels.inc"

const KernelTable *kernels_scalar(void) { return &table; }
