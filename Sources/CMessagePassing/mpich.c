// MPICH's binary interface (MPICH from 3.1, Intel MPI, MVAPICH, Cray MPICH): handles are ints.
#include "internal.h"

typedef int HANDLE;

static const char *bind_constants(void *library, int family);

#include "calls.inc"

// Values: mpi.h of MPICH 4.0.2; the interface has kept them since 2014.
static const char *bind_constants(void *library, int family) {
  (void)library;
  (void)family;
  world = 0x44000000;
  byte = 0x4c00010d;
  errors_return = 0x54000001;
  funneled = 1;
  any_source = -2;
  any_tag = -1;
  ignored_status = (void *)1;
  return NULL;
}

const family_calls int_handles = {bind, start, finish, send, receive, test, progress};
