//go:build cgo

// SQLite calls Go: modules, their tables and cursors, and functions. Arguments are gathered here and cross at once, and
// cursors are served from a buffer that Go fills, so that no step of a scan enters Go.

#include <string.h>
#include "shim.h"
#include "sqlite3/sqlite3ext.h"
#include "host.h"
#include "_cgo_export.h"
SQLITE_EXTENSION_INIT3

enum { rows_capacity = 32 << 10, rows_kept = 1 << 20, stack_values = 32, scratch_bytes = 512 };

typedef struct module {
  tr_host *host;
  uintptr_t go;
  int read_only; // no table of it has an xUpdate
} module;

typedef struct table {
  sqlite3_vtab base;
  tr_host *host;
  uintptr_t go;
  int read_only;
} table;

typedef struct cursor {
  sqlite3_vtab_cursor base;
  tr_host *host;
  uintptr_t go;
  tr_rows rows;
  int32_t i;   // of the current row
  int64_t pos; // where it begins
} cursor;

typedef struct function {
  tr_host *host;
  uintptr_t go;
} function;

static void read_value(sqlite3_value *from, tr_value *v) {
  v->type = sqlite3_value_type(from);
  v->n = 0;
  switch (v->type) {
    case SQLITE_INTEGER: v->u.i = sqlite3_value_int64(from); break;
    case SQLITE_FLOAT: v->u.d = sqlite3_value_double(from); break;
    case SQLITE_TEXT:
      v->u.p = sqlite3_value_text(from);
      v->n = sqlite3_value_bytes(from);
      break;
    case SQLITE_BLOB:
      v->u.p = sqlite3_value_blob(from);
      v->n = sqlite3_value_bytes(from);
      break;
  }
}

// read_values gathers arguments: in few if they fit, else in memory that free_values gives back. 0: out of memory.
static tr_value *read_values(int n, sqlite3_value **from, tr_value *few) {
  tr_value *v = few;
  if (n > stack_values && !(v = sqlite3_malloc64(sizeof *v * (sqlite3_uint64)n))) return 0;
  for (int i = 0; i < n; i++) read_value(from[i], v + i);
  return v;
}

static void free_values(tr_value *v, tr_value *few) {
  if (v != few) sqlite3_free(v);
}

static void result(sqlite3_context *c, const tr_value *v, const void *bytes) {
  switch (v->type) {
    case SQLITE_INTEGER: sqlite3_result_int64(c, v->u.i); break;
    case SQLITE_FLOAT: sqlite3_result_double(c, v->u.d); break;
    // Copied: SQLite may keep the value while the buffer is filled anew.
    case SQLITE_TEXT: sqlite3_result_text(c, bytes, v->n, SQLITE_TRANSIENT); break;
    case SQLITE_BLOB: sqlite3_result_blob(c, bytes, v->n, SQLITE_TRANSIENT); break;
    default: sqlite3_result_null(c);
  }
}

// failed passes a message on to the table; it is Go's own and freed by SQLite.
static int failed(sqlite3_vtab *t, int rc, char *message) {
  if (message) {
    sqlite3_free(t->zErrMsg);
    t->zErrMsg = message;
  }
  return rc;
}

// Tables.

static int connect(sqlite3 *db, module *m, int n, const char *const *words, sqlite3_vtab **out, char **message, int create) {
  tr_call call;
  table *t = sqlite3_malloc64(sizeof *t);
  if (!t) return SQLITE_NOMEM;
  memset(t, 0, sizeof *t);
  t->host = m->host;
  t->read_only = m->read_only;
  int rc = tr_enter(m->host, &call, message);
  if (rc == SQLITE_OK) {
    rc = goConnect(m->go, n, (char **)words, create, &t->go, message);
    tr_leave(m->host, &call);
  }
  if (rc) {
    sqlite3_free(t);
    return rc;
  }
  *out = &t->base;
  return SQLITE_OK;
}

static int x_create(sqlite3 *db, void *m, int n, const char *const *words, sqlite3_vtab **out, char **message) {
  return connect(db, m, n, words, out, message, 1);
}

static int x_connect(sqlite3 *db, void *m, int n, const char *const *words, sqlite3_vtab **out, char **message) {
  return connect(db, m, n, words, out, message, 0);
}

static int x_disconnect(sqlite3_vtab *v) {
  table *t = (table *)v;
  if (!tr_dead) goDropTable(t->go);
  sqlite3_free(t);
  return SQLITE_OK;
}

// Destroying never fails: SQLite would keep the table. What cannot be removed is an entry of the bookkeeping, which the
// next stream of that name replaces.
static int x_destroy(sqlite3_vtab *v) {
  table *t = (table *)v;
  tr_call call;
  if (tr_enter(t->host, &call, 0) == SQLITE_OK) {
    goDestroy(t->go);
    tr_leave(t->host, &call);
  }
  return x_disconnect(v);
}

static int x_best_index(sqlite3_vtab *v, sqlite3_index_info *ix) {
  char *message = 0;
  if (tr_dead) return failed(v, SQLITE_MISUSE, tr_dead_message());
  return failed(v, goBestIndex(((table *)v)->go, ix, &message), message);
}

static int x_rename(sqlite3_vtab *v, const char *name) {
  table *t = (table *)v;
  tr_call call;
  char *message = 0;
  int rc = tr_enter(t->host, &call, &message);
  if (rc == SQLITE_OK) {
    rc = goRename(t->go, (char *)name, &message);
    tr_leave(t->host, &call);
  }
  return failed(v, rc, message);
}

// https://sqlite.org/vtab.html#xupdate
static int x_update(sqlite3_vtab *v, int n, sqlite3_value **args, sqlite3_int64 *rowid) {
  table *t = (table *)v;
  tr_call call;
  tr_value few[stack_values], *values;
  char *message = 0;
  int rc = tr_enter(t->host, &call, &message);
  if (rc) return failed(v, rc, message);
  if (!(values = read_values(n, args, few))) return SQLITE_NOMEM;
  for (int i = 2; i < n; i++) {
    if (values[i].type == SQLITE_NULL && sqlite3_value_nochange(args[i])) values[i].type = 0;
  }
  rc = goUpdate(t->go, n, values, &message);
  free_values(values, few);
  tr_leave(t->host, &call);
  // The rowid is for last_insert_rowid(), which says nothing of a stream: leave it as it was.
  *rowid = call.last_insert;
  return failed(v, rc, message);
}

enum { at_begin = 1, at_sync, at_commit, at_rollback, at_savepoint, at_release, at_rollback_to }; // as in stream.go

// These run on, whatever becomes of the connection's statements, so they do not attach.
static int transaction(sqlite3_vtab *v, int what, int depth) {
  table *t = (table *)v;
  char *message = 0;
  if (tr_dead) return failed(v, SQLITE_MISUSE, tr_dead_message());
  sqlite3_int64 last = sqlite3_last_insert_rowid(t->host->db);
  int rc = goTransaction(t->go, what, depth, &message);
  sqlite3_set_last_insert_rowid(t->host->db, last);
  return failed(v, rc, message);
}

static int x_begin(sqlite3_vtab *v) { return transaction(v, at_begin, 0); }
static int x_sync(sqlite3_vtab *v) { return transaction(v, at_sync, 0); }
static int x_commit(sqlite3_vtab *v) { return transaction(v, at_commit, 0); }
static int x_rollback(sqlite3_vtab *v) { return transaction(v, at_rollback, 0); }
static int x_savepoint(sqlite3_vtab *v, int n) { return transaction(v, at_savepoint, n); }
static int x_release(sqlite3_vtab *v, int n) { return transaction(v, at_release, n); }
static int x_rollback_to(sqlite3_vtab *v, int n) { return transaction(v, at_rollback_to, n); }

// Cursors.

static int x_open(sqlite3_vtab *v, sqlite3_vtab_cursor **out) {
  table *t = (table *)v;
  char *message = 0;
  if (tr_dead) return failed(v, SQLITE_MISUSE, tr_dead_message());
  cursor *c = sqlite3_malloc64(sizeof *c);
  if (!c) return SQLITE_NOMEM;
  memset(c, 0, sizeof *c);
  c->host = t->host;
  int rc = goOpen(t->go, &c->go, &message);
  if (rc) {
    sqlite3_free(c);
    return failed(v, rc, message);
  }
  *out = &c->base;
  return SQLITE_OK;
}

static int x_close(sqlite3_vtab_cursor *v) {
  cursor *c = (cursor *)v;
  if (!tr_dead) goClose(c->go);
  sqlite3_free(c->rows.buf);
  sqlite3_free(c);
  return SQLITE_OK;
}

// refill empties the buffer and has Go fill it; args are those of xFilter, or 0 to go on.
static int refill(cursor *c, int number, const char *text, int n, tr_value *args) {
  tr_call call;
  char *message = 0;
  int rc = tr_enter(c->host, &call, &message);
  if (rc) return failed(c->base.pVtab, rc, message);
  if (c->rows.cap > rows_kept) {
    sqlite3_free(c->rows.buf);
    c->rows.buf = 0;
    c->rows.cap = 0;
  }
  if (!c->rows.buf) {
    if (!(c->rows.buf = sqlite3_malloc64(rows_capacity))) return SQLITE_NOMEM;
    c->rows.cap = rows_capacity;
  }
  c->rows.len = c->pos = 0;
  c->rows.rows = c->rows.more = c->i = 0;
  if (args) rc = goFilter(c->go, &c->rows, number, (char *)(text ? text : ""), n, args, &message);
  else rc = goFill(c->go, &c->rows, &message);
  tr_leave(c->host, &call);
  return failed(c->base.pVtab, rc, message);
}

static int x_filter(sqlite3_vtab_cursor *v, int number, const char *text, int n, sqlite3_value **args) {
  tr_value few[stack_values], *values = read_values(n, args, few);
  if (!values) return SQLITE_NOMEM;
  int rc = refill((cursor *)v, number, text, n, values);
  free_values(values, few);
  return rc;
}

static int x_next(sqlite3_vtab_cursor *v) {
  cursor *c = (cursor *)v;
  c->pos += ((tr_row *)(c->rows.buf + c->pos))->size;
  if (++c->i < c->rows.rows || !c->rows.more) return SQLITE_OK;
  return refill(c, 0, 0, 0, 0);
}

static int x_eof(sqlite3_vtab_cursor *v) {
  cursor *c = (cursor *)v;
  return c->i >= c->rows.rows;
}

static int x_column(sqlite3_vtab_cursor *v, sqlite3_context *ctx, int n) {
  cursor *c = (cursor *)v;
  const tr_row *row = (const tr_row *)(c->rows.buf + c->pos);
  if (n >= row->values) return SQLITE_OK;
  if (!((table *)v->pVtab)->read_only && sqlite3_vtab_nochange(ctx)) return SQLITE_OK; // saying nothing tells xUpdate so
  const tr_value *value = (const tr_value *)(row + 1) + n;
  result(ctx, value, c->rows.buf + value->u.offset);
  return SQLITE_OK;
}

static int x_rowid(sqlite3_vtab_cursor *v, sqlite3_int64 *rowid) {
  cursor *c = (cursor *)v;
  *rowid = ((const tr_row *)(c->rows.buf + c->pos))->rowid;
  return SQLITE_OK;
}

static const sqlite3_module stream_module = {
    .iVersion = 2, .xCreate = x_create, .xConnect = x_connect, .xBestIndex = x_best_index, .xDisconnect = x_disconnect,
    .xDestroy = x_destroy, .xOpen = x_open, .xClose = x_close, .xFilter = x_filter, .xNext = x_next, .xEof = x_eof,
    .xColumn = x_column, .xRowid = x_rowid, .xUpdate = x_update, .xBegin = x_begin, .xSync = x_sync, .xCommit = x_commit,
    .xRollback = x_rollback, .xRename = x_rename, .xSavepoint = x_savepoint, .xRelease = x_release, .xRollbackTo = x_rollback_to,
};

static const sqlite3_module eponymous_module = {
    .iVersion = 2, .xConnect = x_connect, .xBestIndex = x_best_index, .xDisconnect = x_disconnect, .xOpen = x_open,
    .xClose = x_close, .xFilter = x_filter, .xNext = x_next, .xEof = x_eof, .xColumn = x_column, .xRowid = x_rowid,
};

static void free_module(void *p) {
  module *m = p;
  if (!tr_dead) goDropModule(m->go);
  tr_release(m->host);
  sqlite3_free(m);
}

int tr_create_module(tr_host *h, const char *name, int eponymous, uintptr_t go) {
  module *m = sqlite3_malloc64(sizeof *m);
  if (!m) {
    goDropModule(go);
    return SQLITE_NOMEM;
  }
  m->host = h;
  m->go = go;
  m->read_only = eponymous;
  h->references++;
  return sqlite3_create_module_v2(h->db, name, eponymous ? &eponymous_module : &stream_module, m, free_module);
}

// Functions.

static void x_function(sqlite3_context *ctx, int n, sqlite3_value **args) {
  function *f = sqlite3_user_data(ctx);
  tr_call call;
  tr_value few[stack_values], *values, out;
  char scratch[scratch_bytes], *message = 0;
  int rc = tr_enter(f->host, &call, &message);
  if (rc == SQLITE_OK) {
    if (!(values = read_values(n, args, few))) {
      sqlite3_result_error_nomem(ctx);
      return;
    }
    out.type = SQLITE_NULL;
    out.n = sizeof scratch;
    out.u.p = scratch;
    rc = goCall(f->go, n, values, &out, &message);
    free_values(values, few);
    tr_leave(f->host, &call);
  }
  if (rc) {
    sqlite3_result_error(ctx, message ? message : sqlite3_errstr(rc), -1);
    sqlite3_result_error_code(ctx, rc);
    sqlite3_free(message);
    return;
  }
  result(ctx, &out, out.u.p);
  if ((out.type == SQLITE_TEXT || out.type == SQLITE_BLOB) && out.u.p != scratch) sqlite3_free((void *)out.u.p);
}

static void free_function(void *p) {
  function *f = p;
  if (!tr_dead) goDropFunction(f->go);
  tr_release(f->host);
  sqlite3_free(f);
}

int tr_create_function(tr_host *h, const char *name, int arguments, uintptr_t go) {
  function *f = sqlite3_malloc64(sizeof *f);
  if (!f) {
    goDropFunction(go);
    return SQLITE_NOMEM;
  }
  f->host = h;
  f->go = go;
  h->references++;
  return sqlite3_create_function_v2(h->db, name, arguments, SQLITE_UTF8 | SQLITE_DIRECTONLY, f, x_function, 0, 0, free_function);
}
