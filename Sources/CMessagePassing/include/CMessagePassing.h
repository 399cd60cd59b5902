// The few calls of MPI that move bytes, in a library that is found at run time.
//
// Nothing of MPI is needed to build: its handles are an int in MPICH's binary interface, a pointer in Open
// MPI's and in that of MPI 5, and the constants are numbers or addresses of each (calls.inc, library.c).
//
// One thread of the process makes every call but cmessages_open: that is what MPI_THREAD_FUNNELED asks for, and
// what every build of every library gives, whatever it says of MPI_THREAD_MULTIPLE.
#pragma once

#include <stdint.h>

// How a library passes its handles and what its constants are.
enum {
  CMESSAGES_OPEN_MPI = 1,  // libmpi.so.40
  CMESSAGES_MPICH = 2,     // libmpich.so.12; also Intel MPI's and MVAPICH's libmpi.so.12
  CMESSAGES_MPI_ABI = 3    // libmpi_abi.so.0, the interface of MPI 5
};

// What calls return beside MPI's own codes, which are 0 or positive.
enum { CMESSAGES_OK = 0, CMESSAGES_NOT_MPI = -1 };

// Loads a library and finds its calls; 0, or a sentence of the loader's in `fault`.
int32_t cmessages_open(
    const char *_Nonnull name, int32_t family, char *_Nonnull fault, int64_t capacity);

// Its own words about its version, on one line.
void cmessages_version(char *_Nonnull text, int64_t capacity);

// Joins the other ranks; an error of a later call is returned by it and ends nothing.
int32_t cmessages_start(int32_t *_Nonnull rank, int32_t *_Nonnull size);

// Leaves them; every message must have arrived.
int32_t cmessages_finish(void);

// A message on its way.
typedef uint64_t cmessages_request;

int32_t cmessages_send(
    const void *_Nonnull bytes, int32_t count, int32_t to, int32_t tag,
    cmessages_request *_Nonnull request);
int32_t cmessages_receive(
    void *_Nonnull bytes, int32_t count, int32_t from, int32_t tag,
    cmessages_request *_Nonnull request);

// Looks whether a message has arrived or left, and moves all that are on their way.
int32_t cmessages_test(cmessages_request *_Nonnull request, int32_t *_Nonnull done);

// Moves what the library keeps for others though no message of ours is waited for.
void cmessages_progress(void);

// What a code means, in the library's words.
void cmessages_describe(int32_t code, char *_Nonnull text, int64_t capacity);
