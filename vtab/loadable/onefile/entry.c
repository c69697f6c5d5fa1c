// The entry points of the one-file build for Linux. Loading the library starts nothing: the Go runtime starts with the
// first connection. A Go runtime does not survive fork, so a forked child gets one of its own: a copy of this very file,
// loaded from memory. So does a second SQLite library in one process, whose routines this copy could not call.
//
// build.sh has taken the start routine of the Go runtime out of .init_array and put it into the section goinit.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../sqlite3/sqlite3ext.h"

#define ENTRY __attribute__((visibility("default")))

typedef int (*init_routine)(sqlite3 *, char **, const sqlite3_api_routines *);

// From the archive: see shim.h.
extern int tr_init(sqlite3 *db, char **message, const void *routines);
extern void tr_forked(void);
extern void (*__start_goinit[])(int, char **, char **) __attribute__((visibility("hidden")));

extern char **environ;

enum { most_copies = 8 };

// All below is guarded by lock, which fork takes too, so that a child never finds it half changed.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int watching;                          // fork is being watched
static const sqlite3_api_routines *own;       // the library that this copy serves; 0: its runtime has not started
static int dead;                              // its runtime has been left behind by fork
static char file[PATH_MAX];                   // where this copy came from
static struct copy {
  const sqlite3_api_routines *api;
  init_routine init;
} copies[most_copies];                        // of this process

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void in_parent(void) { pthread_mutex_unlock(&lock); }

static void in_child(void) {
  if (own && !dead) {
    dead = 1;
    tr_forked();
  }
  memset(copies, 0, sizeof copies);
  pthread_mutex_unlock(&lock);
}

// start_go runs the start routine, which does its work in a thread of its own; whoever calls Go waits for that. It wants
// the program's argument block, which musl does not hand to libraries: name, environment, and an empty auxiliary vector
// instead of which the runtime reads the one of /proc. The block is never freed, since Go may read it again.
static int start_go(void) {
  int n = 0;
  while (environ && environ[n]) n++;
  char **block = calloc((size_t)n + 8, sizeof *block);
  if (!block) return 0;
  block[0] = "tributary";
  for (int i = 0; i < n; i++) block[2 + i] = environ[i];
  __start_goinit[0](1, block, block + 2);
  return 1;
}

// load_copy loads this file once more, as another library.
static init_routine load_copy(void) {
  init_routine init = 0;
  struct stat st;
  char name[64];
  off_t at = 0;
  int in = open(file, O_RDONLY | O_CLOEXEC);
  int out = memfd_create("tributary", MFD_CLOEXEC);
  if (in >= 0 && out >= 0 && fstat(in, &st) == 0) {
    while (at < st.st_size && sendfile(out, in, &at, (size_t)(st.st_size - at)) > 0) {}
    if (at == st.st_size) {
      snprintf(name, sizeof name, "/proc/self/fd/%d", out);
      void *h = dlopen(name, RTLD_NOW | RTLD_LOCAL);
      if (h) init = (init_routine)dlsym(h, "sqlite3_tributary_init");
    }
  }
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  return init;
}

static init_routine copy_for(const sqlite3_api_routines *api) {
  for (struct copy *c = copies; c < copies + most_copies; c++) {
    if (!c->api) {
      init_routine init = load_copy();
      if (init) *c = (struct copy){api, init};
      return init;
    }
    if (c->api == api) return c->init;
  }
  return 0;
}

static int own_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) { return tr_init(db, message, api); }

// runtime_for finds the copy whose Go runtime serves a library in this process.
static init_routine runtime_for(const sqlite3_api_routines *api) {
  init_routine init = 0;
  pthread_mutex_lock(&lock);
  if (!watching) {
    Dl_info info;
    char *path = dladdr((void *)&lock, &info) ? realpath(info.dli_fname, 0) : 0;
    snprintf(file, sizeof file, "%s", path ? path : "");
    free(path);
    watching = pthread_atfork(before_fork, in_parent, in_child) == 0;
  }
  if (!dead && own == api) init = own_init;
  else if (!dead && !own && start_go()) {
    own = api;
    init = own_init;
  } else init = copy_for(api);
  pthread_mutex_unlock(&lock);
  return init;
}

static int opened(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  init_routine init = runtime_for(api);
  if (!init) {
    if (message) *message = api->mprintf("tributary: this process needs a copy of the library, and %s cannot be loaded again: %s", file, dlerror());
    return SQLITE_ERROR;
  }
  int rc = init(db, message, api);
  return rc == SQLITE_OK_LOAD_PERMANENTLY ? SQLITE_OK : rc;
}

// The Go runtime cannot be unloaded.
static int loaded(int rc) { return rc == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : rc; }

ENTRY int sqlite3_tributary_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  return loaded(opened(db, message, api));
}

// For every connection that this process opens from now on: https://sqlite.org/c3ref/auto_extension.html
ENTRY int sqlite3_tributary_auto_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  int rc = opened(db, message, api);
  if (rc == SQLITE_OK) rc = api->auto_extension((void (*)(void))opened);
  return loaded(rc);
}
