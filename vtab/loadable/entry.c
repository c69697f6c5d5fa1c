//go:build cgo

// The entry points of a plain c-shared build. The one-file build for Linux has its own, in onefile/entry.c, which start
// the Go runtime first; there these are compiled away.
#ifndef TRIBUTARY_ONEFILE

#include "shim.h"
#include "sqlite3/sqlite3ext.h"
SQLITE_EXTENSION_INIT3

#ifdef _WIN32
#define ENTRY __declspec(dllexport)
#else
#define ENTRY __attribute__((visibility("default")))
#endif

// The Go runtime cannot be unloaded.
static int loaded(int rc) { return rc == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : rc; }

ENTRY int sqlite3_tributary_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  return loaded(tr_init(db, message, api));
}

static int opened(sqlite3 *db, char **message, const sqlite3_api_routines *api) { return tr_init(db, message, api); }

// For every connection that this process opens from now on: https://sqlite.org/c3ref/auto_extension.html
ENTRY int sqlite3_tributary_auto_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  int rc = tr_init(db, message, api);
  if (rc == SQLITE_OK) rc = sqlite3_auto_extension((void (*)(void))opened);
  return loaded(rc);
}

#endif
