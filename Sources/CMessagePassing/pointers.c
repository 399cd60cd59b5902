// Open MPI, whose handles are addresses of its own variables; and the interface of MPI 5, whose predefined
// handles are small numbers in pointers.
#include "internal.h"

typedef void *HANDLE;

static const char *bind_constants(void *library, int family);

#include "calls.inc"

#define ADDRESS(target, symbol) \
  if (!(target = dlsym(library, symbol))) return symbol;

// Values: mpi.h of Open MPI 4.1; mpi.h of the MPI Forum's mpi-abi-stubs for MPI 5.0.
static const char *bind_constants(void *library, int family) {
  ignored_status = NULL;
  any_source = -1;
  if (family == CMESSAGES_MPI_ABI) {
    world = (void *)0x101;
    byte = (void *)0x247;
    errors_return = (void *)0x143;
    funneled = 1024;
    any_tag = -2;
    return NULL;
  }
  ADDRESS(world, "ompi_mpi_comm_world")
  ADDRESS(byte, "ompi_mpi_byte")
  ADDRESS(errors_return, "ompi_mpi_errors_return")
  funneled = 1;
  any_tag = -1;
  return NULL;
}

const family_calls pointer_handles = {bind, start, finish, send, receive, test, progress};
