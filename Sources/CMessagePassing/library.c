// The library of this process: loaded once, for its whole life.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static const family_calls *calls;
static int (*get_version)(char *, int *);
static int (*error_string)(int, char *, int *);

// The longest texts that any library writes: MPI_MAX_LIBRARY_VERSION_STRING is 8192 in MPICH and in MPI 5.
enum { LONGEST_TEXT = 16384 };

static void copy_line(const char *from, char *text, int64_t capacity) {
  snprintf(text, (size_t)capacity, "%s", from);
  text[strcspn(text, "\r\n")] = 0;
}

int32_t cmessages_open(const char *name, int32_t family, char *fault, int64_t capacity) {
  // Global: Open MPI's own plug-ins look for its symbols among those of the whole process.
  void *library = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
  if (!library) {
    const char *reason = dlerror();
    copy_line(reason ? reason : name, fault, capacity);
    return CMESSAGES_NOT_MPI;
  }
  const family_calls *chosen = family == CMESSAGES_MPICH ? &int_handles : &pointer_handles;
  const char *missing = chosen->bind(library, family);
  if (!missing && !(*(void **)&get_version = dlsym(library, "MPI_Get_library_version")))
    missing = "MPI_Get_library_version";
  if (!missing && !(*(void **)&error_string = dlsym(library, "MPI_Error_string")))
    missing = "MPI_Error_string";
  if (missing) {
    snprintf(fault, (size_t)capacity, "%s has no %s", name, missing);
    return CMESSAGES_NOT_MPI;
  }
  calls = chosen;
  return CMESSAGES_OK;
}

void cmessages_version(char *text, int64_t capacity) {
  char version[LONGEST_TEXT] = "";
  int length = 0;
  if (get_version(version, &length) != 0) length = 0;
  copy_line(version, text, capacity);
}

int32_t cmessages_start(int32_t *rank, int32_t *size) { return calls->start(rank, size); }

int32_t cmessages_finish(void) { return calls->finish(); }

int32_t cmessages_send(
    const void *bytes, int32_t count, int32_t to, int32_t tag, cmessages_request *request) {
  return calls->send(bytes, count, to, tag, request);
}

int32_t cmessages_receive(
    void *bytes, int32_t count, int32_t from, int32_t tag, cmessages_request *request) {
  return calls->receive(bytes, count, from, tag, request);
}

int32_t cmessages_test(cmessages_request *request, int32_t *done) {
  return calls->test(request, done);
}

void cmessages_progress(void) { calls->progress(); }

void cmessages_describe(int32_t code, char *text, int64_t capacity) {
  char words[LONGEST_TEXT] = "";
  int length = 0;
  if (error_string(code, words, &length) != 0) length = 0;
  copy_line(words, text, capacity);
}
