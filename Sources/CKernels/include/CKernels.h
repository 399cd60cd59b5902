// Numerical kernels: one C body, compiled for several instruction sets, and a pool of threads.
//
// Letters: R packed token rows, C hidden size, F intermediate size, H query heads, K key-value
// heads, D head size, V vocabulary. A stride is a distance between rows, in floats.
#pragma once
#include "KernelTable.h"
#include "WorkerPool.h"
