// What the two languages of this package know of each other. SQLite is called by C only; Go sees arrays of values.
#ifndef TRIBUTARY_SHIM_H
#define TRIBUTARY_SHIM_H

#include <stdint.h>
#include "sqlite3/sqlite3.h"

// One SQL value, read and written by both sides without a call. Its layout is that of the Go type cell.
typedef struct tr_value {
  int32_t type; // SQLITE_INTEGER and so on; 0: a column that an UPDATE does not change
  int32_t n;    // bytes of a text or blob
  union {
    int64_t i;
    double d;
    const void *p;
    uint64_t offset; // of the bytes in a tr_rows
  } u;
} tr_value;

// Rows that a cursor is served from. Go fills it, C reads it. A row is a tr_row, its values, and their bytes.
typedef struct tr_rows {
  char *buf;
  int64_t cap, len;
  int32_t rows; // in buf
  int32_t more; // whether another fill may bring rows
} tr_rows;

typedef struct tr_row {
  int64_t rowid;
  int32_t size;   // of the whole row; a multiple of 8
  int32_t values; // the columns behind them are NULL
} tr_row;

// Everything that Tributary keeps for one connection.
typedef struct tr_host {
  sqlite3 *db;
  uintptr_t go;   // the Go half
  int attached;   // tributary_host has an instance, which SQLite disconnects before it closes the connection
  int references; // modules and functions that SQLite still has
  struct tr_host *next;
} tr_host;

typedef struct tr_statement {
  sqlite3_stmt *s;
  int code;       // why there is none
  int parameters;
  int columns;
  int more;       // whether another statement follows in the text
} tr_statement;

// Go calls SQLite. Codes are extended result codes.
tr_statement tr_prepare(sqlite3 *db, const char *sql);
int tr_exec(sqlite3 *db, const char *sql);
int tr_query(sqlite3_stmt *s, int running, int clear, const tr_value *args, int n);
int tr_next(sqlite3_stmt *s, tr_value *row, int n);
int tr_run(sqlite3_stmt *s, int running, int clear, const tr_value *args, int n);
void tr_reset(sqlite3_stmt *s, int clear);
int tr_finalize(sqlite3_stmt *s);
const char *tr_errmsg(sqlite3 *db);
const char *tr_errstr(int code);
int tr_extended_code(sqlite3 *db);
int tr_in_transaction(sqlite3 *db);
int tr_writing(sqlite3 *db);
int tr_read_only(sqlite3 *db);
const char *tr_filename(sqlite3 *db);
char *tr_vfs_name(sqlite3 *db);
int tr_configure(sqlite3 *db, int option, int on, int *is);
enum { tr_enable_fkey = SQLITE_DBCONFIG_ENABLE_FKEY, tr_enable_trigger = SQLITE_DBCONFIG_ENABLE_TRIGGER };
int tr_undisturbed(sqlite3 *db);
int tr_declare(sqlite3 *db, const char *sql);
void *tr_alloc(int64_t n);
void *tr_realloc(void *p, int64_t n);
void tr_free(void *p);

// Go registers on a connection. The handles belong to C from then on, also when it fails.
int tr_create_module(tr_host *h, const char *name, int eponymous, uintptr_t go);
int tr_create_function(tr_host *h, const char *name, int arguments, uintptr_t go);

// tr_init makes db a host. It is what the entry points call once the Go runtime runs.
int tr_init(sqlite3 *db, char **message, const void *routines);
// tr_forked says that this process is a fork of the one whose Go runtime this is: nothing of it may be entered again.
void tr_forked(void);

#endif
