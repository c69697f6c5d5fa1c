// A program with a native SQLite and nothing else, which does what it is told over a pipe: package native is the other
// end. It stands for any application that loads the extension.
//
// A request is an operation, the number of a connection or statement, and a counted payload; the answer is a result code
// and a counted payload. Numbers are 32-bit little-endian, as is every machine that this runs on.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"

typedef struct buffer {
  char *p;
  size_t n, cap;
} buffer;

static void reserve(buffer *b, size_t n) {
  if (n <= b->cap) return;
  b->cap = 2 * n;
  if (!(b->p = realloc(b->p, b->cap))) abort();
}

static void put(buffer *b, const void *p, size_t n) {
  reserve(b, b->n + n);
  if (n) memcpy(b->p + b->n, p, n);
  b->n += n;
}

static void put_int(buffer *b, int32_t v) { put(b, &v, 4); }

static int get(void *p, size_t n) { return n == 0 || fread(p, n, 1, stdin) == 1; }

enum { most = 4096 };
static sqlite3 *conns[most];
static sqlite3_stmt *stmts[most];
static sqlite3 *owners[most]; // of statements

static int place(void **list) {
  for (int i = 0; i < most; i++)
    if (!list[i]) return i;
  abort();
}

static int failed(sqlite3 *db, int rc, buffer *out) {
  const char *m = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
  out->n = 0;
  put(out, m, strlen(m));
  return db ? sqlite3_extended_errcode(db) : rc;
}

static int bind(sqlite3_stmt *s, const char *p, const char *end) {
  int rc = SQLITE_OK;
  sqlite3_clear_bindings(s);
  for (int i = 1; p < end && rc == SQLITE_OK; i++) {
    int32_t head[2];
    int64_t v;
    memcpy(head, p, 8);
    p += 8;
    if (head[0] == SQLITE_INTEGER || head[0] == SQLITE_FLOAT) memcpy(&v, p, 8);
    double d;
    switch (head[0]) {
      case SQLITE_INTEGER: rc = sqlite3_bind_int64(s, i, v); break;
      case SQLITE_FLOAT: memcpy(&d, &v, 8); rc = sqlite3_bind_double(s, i, d); break;
      case SQLITE_TEXT: rc = sqlite3_bind_text(s, i, p, head[1], SQLITE_TRANSIENT); break;
      case SQLITE_BLOB: rc = sqlite3_bind_blob(s, i, p, head[1], SQLITE_TRANSIENT); break;
      default: rc = sqlite3_bind_null(s, i);
    }
    p += head[1];
  }
  return rc;
}

static void put_row(sqlite3_stmt *s, buffer *out) {
  for (int i = 0; i < sqlite3_column_count(s); i++) {
    int t = sqlite3_column_type(s, i), n = 0;
    int64_t v = 0;
    double d;
    const void *p = &v;
    switch (t) {
      case SQLITE_INTEGER: v = sqlite3_column_int64(s, i); n = 8; break;
      case SQLITE_FLOAT: d = sqlite3_column_double(s, i); memcpy(&v, &d, 8); n = 8; break;
      case SQLITE_TEXT: p = sqlite3_column_text(s, i); n = sqlite3_column_bytes(s, i); break;
      case SQLITE_BLOB: p = sqlite3_column_blob(s, i); n = sqlite3_column_bytes(s, i); break;
    }
    put_int(out, t);
    put_int(out, n);
    put(out, p, (size_t)n);
  }
}

// run does one thing in this process.
static int run(char op, int32_t id, char *text, int32_t n, buffer *out) {
  sqlite3 *db = id < 0 || id >= most ? 0 : conns[id];
  sqlite3_stmt *s = id < 0 || id >= most ? 0 : stmts[id];
  char *message = 0;
  int rc;
  switch (op) {
    case 'O': // open
      id = place((void **)conns);
      rc = sqlite3_open_v2(text, &conns[id], SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, 0);
      if (rc) {
        rc = failed(conns[id], rc, out);
        sqlite3_close(conns[id]);
        conns[id] = 0;
        return rc;
      }
      sqlite3_enable_load_extension(conns[id], 1);
      put_int(out, id);
      return SQLITE_OK;
    case 'L': { // load: file, NUL, entry point or nothing
      char *entry = text + strlen(text) + 1;
      rc = sqlite3_load_extension(db, text, entry < text + n && *entry ? entry : 0, &message);
      if (rc) put(out, message, message ? strlen(message) : 0);
      sqlite3_free(message);
      return rc;
    }
    case 'C': // close
      rc = sqlite3_close(db);
      if (rc) return failed(db, rc, out);
      conns[id] = 0;
      return SQLITE_OK;
    case 'X': // exec
      rc = sqlite3_exec(db, text, 0, 0, 0);
      return rc ? failed(db, rc, out) : SQLITE_OK;
    case 'P': // prepare
      rc = sqlite3_prepare_v2(db, text, n, &s, 0);
      if (rc) return failed(db, rc, out);
      id = place((void **)stmts);
      stmts[id] = s;
      owners[id] = db;
      put_int(out, id);
      put_int(out, sqlite3_column_count(s));
      return SQLITE_OK;
    case 'Q': // query
      sqlite3_reset(s);
      rc = bind(s, text, text + n);
      return rc ? failed(owners[id], rc, out) : SQLITE_OK;
    case 'N': // next
      rc = sqlite3_step(s);
      if (rc == SQLITE_ROW) {
        put_row(s, out);
        return rc;
      }
      if (rc != SQLITE_DONE) rc = failed(owners[id], rc, out);
      sqlite3_reset(s);
      return rc;
    case 'E': // end a query
      sqlite3_reset(s);
      return SQLITE_OK;
    case 'F': // finalize
      sqlite3_finalize(s);
      stmts[id] = 0;
      return SQLITE_OK;
    case 'A': // autocommit
      put_int(out, sqlite3_get_autocommit(db));
      return SQLITE_OK;
    case 'I': // exec, interrupted
      rc = interrupted(db, text);
      return rc ? failed(db, rc, out) : SQLITE_OK;
    case 'W': // write down what is written
      return record_to(text);
    case 'T': { // threads: database, NUL, library, NUL, then three numbers
      char *library = text + strlen(text) + 1;
      int32_t v[3];
      memcpy(v, library + strlen(library) + 1, sizeof v);
      rc = many_threads(text, library, v[0], v[1], v[2], &message);
      if (rc && message) put(out, message, strlen(message));
      sqlite3_free(message);
      return rc;
    }
    case 'S': { // second library: its file, NUL, extension, NUL, SQL
      char *extension = text + strlen(text) + 1, *sql = extension + strlen(extension) + 1;
      rc = second_library(text, extension, sql, &message);
      if (rc && message) put(out, message, strlen(message));
      sqlite3_free(message);
      return rc;
    }
    case 'V': // version
      put(out, sqlite3_libversion(), strlen(sqlite3_libversion()));
      return SQLITE_OK;
    case 'R': { // resident memory in kB, and threads
      char line[256];
      FILE *f = fopen("/proc/self/status", "r");
      int32_t v;
      while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %d", &v) == 1 || sscanf(line, "Threads: %d", &v) == 1) put_int(out, v);
      if (f) fclose(f);
      return SQLITE_OK;
    }
  }
  return SQLITE_MISUSE;
}

int main(void) {
  buffer in = {0}, out = {0};
  int forked = 0; // this is a child, which answers instead of its parent until it is told to end
  for (;;) {
    char op;
    int32_t id, n, rc;
    if (!get(&op, 1) || !get(&id, 4) || !get(&n, 4)) return 0;
    out.n = 0;
    reserve(&in, (size_t)n + 1);
    if (!get(in.p, (size_t)n)) return 1;
    in.p[n] = 0;
    rc = SQLITE_OK;
    if (op == '(') { // fork: what follows is done by the child
      pid_t child = fork();
      if (child > 0) {
        int status;
        if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status)) return 1;
        rc = WEXITSTATUS(status);
      } else {
        forked++;
      }
    } else if (op == ')') { // the child ends; its parent answers
      if (!forked) return 1;
      _exit(0);
    } else {
      rc = run(op, id, in.p, n, &out);
    }
    n = (int32_t)out.n;
    fwrite(&rc, 4, 1, stdout);
    fwrite(&n, 4, 1, stdout);
    fwrite(out.p, 1, out.n, stdout);
    fflush(stdout);
  }
}
