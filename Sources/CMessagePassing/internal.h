#pragma once

#include "CMessagePassing.h"

// The calls of one family of libraries (calls.inc).
typedef struct {
  // Finds symbols and constants; the name of one that is missing, or NULL.
  const char *(*bind)(void *library, int family);
  int (*start)(int *rank, int *size);
  int (*finish)(void);
  int (*send)(const void *, int count, int to, int tag, cmessages_request *);
  int (*receive)(void *, int count, int from, int tag, cmessages_request *);
  int (*test)(cmessages_request *, int *done);
  int (*progress)(void);
} family_calls;

extern const family_calls int_handles, pointer_handles;
