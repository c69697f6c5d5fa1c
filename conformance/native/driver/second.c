// A second SQLite library in one process, as when an application and one of its modules each bring their own.

#define _GNU_SOURCE
#include <dlfcn.h>

#include "driver.h"

int second_library(const char *file, const char *extension, const char *sql, char **message) {
  // Deep binding: otherwise the calls of this library to itself would go to the first one.
  void *h = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (!h) {
    *message = sqlite3_mprintf("%s", dlerror());
    return SQLITE_CANTOPEN;
  }
  int (*open)(const char *, sqlite3 **) = (int (*)(const char *, sqlite3 **))dlsym(h, "sqlite3_open");
  int (*enable)(sqlite3 *, int) = (int (*)(sqlite3 *, int))dlsym(h, "sqlite3_enable_load_extension");
  int (*load)(sqlite3 *, const char *, const char *, char **) =
      (int (*)(sqlite3 *, const char *, const char *, char **))dlsym(h, "sqlite3_load_extension");
  int (*exec)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **) =
      (int (*)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **))dlsym(h, "sqlite3_exec");
  int (*close)(sqlite3 *) = (int (*)(sqlite3 *))dlsym(h, "sqlite3_close");
  if (!open || !enable || !load || !exec || !close || open == sqlite3_open) return SQLITE_ERROR;
  sqlite3 *db = 0;
  char *why = 0;
  int rc = open(":memory:", &db);
  if (!rc) rc = enable(db, 1);
  if (!rc) rc = load(db, extension, 0, &why);
  if (!rc) rc = exec(db, sql, 0, 0, &why);
  if (why) *message = sqlite3_mprintf("%s", why);
  int closed = close(db);
  return rc ? rc : closed;
}
