//go:build cgo

// Connections: how one becomes a host, and how everything that belongs to it goes with it.

#include <string.h>
#include "sqlite3/sqlite3ext.h"
#include "host.h"
#include "_cgo_export.h"
SQLITE_EXTENSION_INIT1

enum { oldest_library = 3035000 };

volatile int tr_dead;

void tr_forked(void) { tr_dead = 1; }

char *tr_dead_message(void) {
  return sqlite3_mprintf("tributary: this connection was opened before the process was forked: open another one");
}

static tr_host *hosts; // all of this process, guarded by SQLITE_MUTEX_STATIC_APP1

static sqlite3_mutex *hosts_mutex(void) { return sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1); }

static void free_host(tr_host *h) {
  sqlite3_mutex_enter(hosts_mutex());
  for (tr_host **p = &hosts; *p; p = &(*p)->next) {
    if (*p == h) {
      *p = h->next;
      break;
    }
  }
  sqlite3_mutex_leave(hosts_mutex());
  if (h->go && !tr_dead) goDropHost(h->go);
  sqlite3_free(h);
}

void tr_release(tr_host *h) {
  if (--h->references == 0) free_host(h);
}

// attach makes an instance of tributary_host, which is enough for SQLite to disconnect it at the end.
static int attach(tr_host *h, char **message) {
  sqlite3_stmt *s = 0;
  int rc = sqlite3_prepare_v2(h->db, "SELECT 1 FROM tributary_host", -1, &s, 0);
  sqlite3_finalize(s);
  if (rc != SQLITE_OK) {
    if (message) *message = sqlite3_mprintf("%s", sqlite3_errmsg(h->db));
    return rc;
  }
  if (!h->attached) {
    if (message) *message = sqlite3_mprintf("tributary: loaded from two different files on this connection: load one of them");
    return SQLITE_MISUSE;
  }
  return SQLITE_OK;
}

int tr_enter(tr_host *h, tr_call *call, char **message) {
  if (tr_dead) {
    if (message) *message = tr_dead_message();
    return SQLITE_MISUSE;
  }
  call->last_insert = sqlite3_last_insert_rowid(h->db);
  return h->attached ? SQLITE_OK : attach(h, message);
}

// https://sqlite.org/c3ref/set_last_insert_rowid.html
void tr_leave(tr_host *h, tr_call *call) { sqlite3_set_last_insert_rowid(h->db, call->last_insert); }

// The table tributary_host is empty. SQLite disconnects it when it is about to close the connection, and before it looks
// whether statements are left: the only chance to finalize those of the engine. Should the connection stay open because
// the application has left some itself, the engine is opened again when it is needed.

typedef struct host_table {
  sqlite3_vtab base;
  tr_host *host;
} host_table;

static int h_connect(sqlite3 *db, void *p, int n, const char *const *words, sqlite3_vtab **out, char **message) {
  host_table *t = sqlite3_malloc64(sizeof *t);
  if (!t) return SQLITE_NOMEM;
  memset(t, 0, sizeof *t);
  t->host = p;
  int rc = tr_declare(db, "CREATE TABLE x(attached INTEGER)");
  if (rc) {
    sqlite3_free(t);
    return rc;
  }
  t->host->attached = 1;
  *out = &t->base;
  return SQLITE_OK;
}

static int h_disconnect(sqlite3_vtab *v) {
  tr_host *h = ((host_table *)v)->host;
  h->attached = 0;
  sqlite3_free(v);
  if (!tr_dead) goDetach(h->go);
  return SQLITE_OK;
}

static int h_open(sqlite3_vtab *v, sqlite3_vtab_cursor **out) {
  *out = sqlite3_malloc64(sizeof **out);
  if (!*out) return SQLITE_NOMEM;
  memset(*out, 0, sizeof **out);
  return SQLITE_OK;
}

static int h_close(sqlite3_vtab_cursor *c) {
  sqlite3_free(c);
  return SQLITE_OK;
}

static int h_best_index(sqlite3_vtab *v, sqlite3_index_info *ix) {
  ix->estimatedCost = 1;
  return SQLITE_OK;
}

static int h_filter(sqlite3_vtab_cursor *c, int n, const char *s, int argc, sqlite3_value **argv) { return SQLITE_OK; }
static int h_next(sqlite3_vtab_cursor *c) { return SQLITE_OK; }
static int h_eof(sqlite3_vtab_cursor *c) { return 1; }
static int h_column(sqlite3_vtab_cursor *c, sqlite3_context *ctx, int n) { return SQLITE_OK; }
static int h_rowid(sqlite3_vtab_cursor *c, sqlite3_int64 *rowid) { return SQLITE_OK; }

static const sqlite3_module host_module = {
    .iVersion = 0, .xConnect = h_connect, .xBestIndex = h_best_index, .xDisconnect = h_disconnect, .xOpen = h_open,
    .xClose = h_close, .xFilter = h_filter, .xNext = h_next, .xEof = h_eof, .xColumn = h_column, .xRowid = h_rowid,
};

static void h_free(void *p) { tr_release(p); }

int tr_init(sqlite3 *db, char **message, const void *routines) {
  const sqlite3_api_routines *api = routines;
  // The routines are one table for the whole process, and another library does not know this one's connections.
  if (sqlite3_api && sqlite3_api != api) {
    if (message) *message = api->mprintf("tributary: another SQLite library of this process has loaded this file: load a copy of it under another name");
    return SQLITE_ERROR;
  }
  SQLITE_EXTENSION_INIT2(api);
  if (sqlite3_libversion_number() < oldest_library) {
    if (message) *message = sqlite3_mprintf("tributary: needs SQLite 3.35 or newer, and this is %s", sqlite3_libversion());
    return SQLITE_ERROR;
  }
  sqlite3_mutex_enter(hosts_mutex());
  tr_host *h = hosts;
  while (h && h->db != db) h = h->next;
  if (!h && (h = sqlite3_malloc64(sizeof *h))) {
    memset(h, 0, sizeof *h);
    h->db = db;
    h->next = hosts;
    hosts = h;
  }
  sqlite3_mutex_leave(hosts_mutex());
  if (!h) return SQLITE_NOMEM;
  if (h->go) return SQLITE_OK; // loaded before
  h->references += 2;          // one for tributary_host, one until everything is registered
  int rc = sqlite3_create_module_v2(db, "tributary_host", &host_module, h, h_free);
  if (rc == SQLITE_OK) rc = goRegister(h, &h->go, message);
  tr_release(h);
  return rc;
}
