// A virtual file system that writes down what SQLite writes, cuts and syncs, so that a test can tell what a power cut
// would have left. It is called "record", and passes everything on to the default one.

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

typedef struct recorded {
  sqlite3_file base;
  const char *name; // SQLite's own, which lives as long as the file is open; 0: a temporary file
  sqlite3_file *real;
} recorded;

static int journal = -1; // where it is written to
static sqlite3_vfs vfs, *next;

#define REAL(f) (((recorded *)(f))->real)

// note appends an entry: the kind, two lengths, an offset, the name, the bytes.
static void note(char kind, const char *name, sqlite3_int64 offset, const void *p, int n) {
  if (!name) return;
  uint32_t length = (uint32_t)strlen(name), size = (uint32_t)n;
  size_t whole = 17 + length + size;
  char *entry = malloc(whole);
  if (!entry) abort();
  entry[0] = kind;
  memcpy(entry + 1, &length, 4);
  memcpy(entry + 5, &size, 4);
  memcpy(entry + 9, &offset, 8);
  memcpy(entry + 17, name, length);
  if (size) memcpy(entry + 17 + length, p, size);
  if (write(journal, entry, whole) != (ssize_t)whole) abort();
  free(entry);
}

static int r_close(sqlite3_file *f) { return REAL(f)->pMethods->xClose(REAL(f)); }
static int r_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) { return REAL(f)->pMethods->xRead(REAL(f), p, n, at); }
static int r_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
  note('w', ((recorded *)f)->name, at, p, n);
  return REAL(f)->pMethods->xWrite(REAL(f), p, n, at);
}
static int r_truncate(sqlite3_file *f, sqlite3_int64 size) {
  note('t', ((recorded *)f)->name, size, 0, 0);
  return REAL(f)->pMethods->xTruncate(REAL(f), size);
}
static int r_sync(sqlite3_file *f, int flags) {
  int rc = REAL(f)->pMethods->xSync(REAL(f), flags);
  note('s', ((recorded *)f)->name, 0, 0, 0);
  return rc;
}
static int r_size(sqlite3_file *f, sqlite3_int64 *n) { return REAL(f)->pMethods->xFileSize(REAL(f), n); }
static int r_lock(sqlite3_file *f, int l) { return REAL(f)->pMethods->xLock(REAL(f), l); }
static int r_unlock(sqlite3_file *f, int l) { return REAL(f)->pMethods->xUnlock(REAL(f), l); }
static int r_reserved(sqlite3_file *f, int *l) { return REAL(f)->pMethods->xCheckReservedLock(REAL(f), l); }
static int r_control(sqlite3_file *f, int op, void *p) { return REAL(f)->pMethods->xFileControl(REAL(f), op, p); }
static int r_sector(sqlite3_file *f) { return REAL(f)->pMethods->xSectorSize(REAL(f)); }
static int r_device(sqlite3_file *f) { return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f)); }
static int r_map(sqlite3_file *f, int i, int n, int grow, void volatile **p) { return REAL(f)->pMethods->xShmMap(REAL(f), i, n, grow, p); }
static int r_shm_lock(sqlite3_file *f, int i, int n, int flags) { return REAL(f)->pMethods->xShmLock(REAL(f), i, n, flags); }
static void r_barrier(sqlite3_file *f) { REAL(f)->pMethods->xShmBarrier(REAL(f)); }
static int r_unmap(sqlite3_file *f, int gone) { return REAL(f)->pMethods->xShmUnmap(REAL(f), gone); }

static const sqlite3_io_methods methods = {
    .iVersion = 2, .xClose = r_close, .xRead = r_read, .xWrite = r_write, .xTruncate = r_truncate, .xSync = r_sync,
    .xFileSize = r_size, .xLock = r_lock, .xUnlock = r_unlock, .xCheckReservedLock = r_reserved, .xFileControl = r_control,
    .xSectorSize = r_sector, .xDeviceCharacteristics = r_device, .xShmMap = r_map, .xShmLock = r_shm_lock,
    .xShmBarrier = r_barrier, .xShmUnmap = r_unmap,
};

static int r_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out) {
  recorded *r = (recorded *)f;
  memset(r, 0, sizeof *r);
  r->name = name;
  r->real = (sqlite3_file *)(r + 1);
  int rc = next->xOpen(next, name, r->real, flags, out);
  if (rc == SQLITE_OK) r->base.pMethods = &methods;
  return rc;
}

static int r_delete(sqlite3_vfs *v, const char *name, int sync) {
  note('d', name, 0, 0, 0);
  return next->xDelete(next, name, sync);
}

int record_to(const char *file) {
  if ((journal = open(file, O_WRONLY | O_CREAT | O_APPEND, 0644)) < 0) return SQLITE_CANTOPEN;
  next = sqlite3_vfs_find(0);
  vfs = *next;
  vfs.zName = "record";
  vfs.szOsFile += (int)sizeof(recorded);
  vfs.xOpen = r_open;
  vfs.xDelete = r_delete;
  return sqlite3_vfs_register(&vfs, 0);
}
