//go:build cgo

// Go calls SQLite: one call binds all arguments, steps, and reads a whole row.

#include <string.h>
#include "shim.h"
#include "sqlite3/sqlite3ext.h"
SQLITE_EXTENSION_INIT3

tr_statement tr_prepare(sqlite3 *db, const char *sql) {
  tr_statement r = {0};
  const char *tail = 0;
  // Persistent: these statements live as long as the engine, they should not sit in the lookaside memory.
  // https://sqlite.org/c3ref/c_prepare_dont_log.html
  r.code = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &r.s, &tail);
  if (r.s) {
    r.parameters = sqlite3_bind_parameter_count(r.s);
    r.columns = sqlite3_column_count(r.s);
  }
  r.more = tail && tail[strspn(tail, " \t\r\n;")] != 0;
  return r;
}

int tr_exec(sqlite3 *db, const char *sql) { return sqlite3_exec(db, sql, 0, 0, 0); }

// The bytes of args stay in place until the next tr_query or tr_run of this statement, so SQLite need not copy them.
static int bind(sqlite3_stmt *s, const tr_value *v, int n) {
  int rc = SQLITE_OK;
  for (int i = 0; i < n && rc == SQLITE_OK; i++, v++) {
    switch (v->type) {
      case SQLITE_INTEGER: rc = sqlite3_bind_int64(s, i + 1, v->u.i); break;
      case SQLITE_FLOAT: rc = sqlite3_bind_double(s, i + 1, v->u.d); break;
      case SQLITE_TEXT: rc = sqlite3_bind_text(s, i + 1, v->u.p, v->n, SQLITE_STATIC); break;
      case SQLITE_BLOB: rc = sqlite3_bind_blob(s, i + 1, v->u.p, v->n, SQLITE_STATIC); break;
      default: rc = sqlite3_bind_null(s, i + 1);
    }
  }
  return rc;
}

int tr_query(sqlite3_stmt *s, int running, int clear, const tr_value *args, int n) {
  if (running) sqlite3_reset(s);
  if (clear) sqlite3_clear_bindings(s);
  return bind(s, args, n);
}

// A column is fetched once, and looked at as a value: each sqlite3_column routine enters the connection's mutex, and what
// sqlite3_value routines need is that nobody else uses the connection meanwhile, which is so inside a callback.
// https://sqlite.org/c3ref/value.html
static void read_column(sqlite3_stmt *s, int i, tr_value *v) {
  sqlite3_value *from = sqlite3_column_value(s, i);
  v->type = sqlite3_value_type(from);
  v->n = 0;
  switch (v->type) {
    case SQLITE_INTEGER: v->u.i = sqlite3_value_int64(from); break;
    case SQLITE_FLOAT: v->u.d = sqlite3_value_double(from); break;
    case SQLITE_TEXT: // the text first: it may be converted from UTF-16, which changes its length
      v->u.p = sqlite3_value_text(from);
      v->n = sqlite3_value_bytes(from);
      break;
    case SQLITE_BLOB:
      v->u.p = sqlite3_value_blob(from);
      v->n = sqlite3_value_bytes(from);
      break;
  }
}

int tr_next(sqlite3_stmt *s, tr_value *row, int n) {
  int rc = sqlite3_step(s);
  if (rc != SQLITE_ROW) {
    int reset = sqlite3_reset(s); // which repeats the error of the step, and keeps its message
    return rc == SQLITE_DONE ? SQLITE_DONE : reset ? reset : rc;
  }
  for (int i = 0; i < n; i++) {
    read_column(s, i, row + i);
    if ((row[i].type == SQLITE_TEXT || (row[i].type == SQLITE_BLOB && row[i].n)) && !row[i].u.p) {
      sqlite3_reset(s);
      return SQLITE_NOMEM;
    }
  }
  return SQLITE_ROW;
}

int tr_run(sqlite3_stmt *s, int running, int clear, const tr_value *args, int n) {
  int rc = tr_query(s, running, clear, args, n);
  if (rc != SQLITE_OK) return rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {}
  int reset = sqlite3_reset(s);
  return rc == SQLITE_DONE ? SQLITE_OK : reset ? reset : rc;
}

void tr_reset(sqlite3_stmt *s, int clear) {
  sqlite3_reset(s);
  if (clear) sqlite3_clear_bindings(s);
}

int tr_finalize(sqlite3_stmt *s) { return sqlite3_finalize(s); }
const char *tr_errmsg(sqlite3 *db) { return sqlite3_errmsg(db); }
const char *tr_errstr(int code) { return sqlite3_errstr(code); }
int tr_extended_code(sqlite3 *db) { return sqlite3_extended_errcode(db); }
int tr_in_transaction(sqlite3 *db) { return !sqlite3_get_autocommit(db); }
int tr_writing(sqlite3 *db) { return sqlite3_txn_state(db, 0) == SQLITE_TXN_WRITE; }
int tr_read_only(sqlite3 *db) { return sqlite3_db_readonly(db, "main") == 1; }
const char *tr_filename(sqlite3 *db) { return sqlite3_db_filename(db, "main"); }

char *tr_vfs_name(sqlite3 *db) {
  char *name = 0;
  if (sqlite3_file_control(db, "main", SQLITE_FCNTL_VFSNAME, &name) != SQLITE_OK) return 0;
  return name;
}

int tr_configure(sqlite3 *db, int option, int on, int *is) { return sqlite3_db_config(db, option, on, is); }

int tr_undisturbed(sqlite3 *db) {
  for (sqlite3_stmt *s = sqlite3_next_stmt(db, 0); s; s = sqlite3_next_stmt(db, s)) {
    if (!sqlite3_stmt_busy(s)) continue;
    for (const char *sql = sqlite3_sql(s); sql && *sql; sql++)
      if (sqlite3_strnicmp(sql, "select", 6) == 0) return 0;
  }
  return 1;
}

int tr_declare(sqlite3 *db, const char *sql) {
  int rc = sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
  return rc ? rc : sqlite3_declare_vtab(db, sql);
}

void *tr_alloc(int64_t n) { return sqlite3_malloc64((sqlite3_uint64)n); }
void *tr_realloc(void *p, int64_t n) { return sqlite3_realloc64(p, (sqlite3_uint64)n); }
void tr_free(void *p) { sqlite3_free(p); }
