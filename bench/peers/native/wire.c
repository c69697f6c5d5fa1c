/* What goes from one replica to the other. */
#include "native.h"

void free_wire(wire *w) {
  for (int i = 0; i < w->n; i++) free(w->list[i].bytes);
  w->n = 0;
}

static void put(wire *w, const void *p, long long n) {
  int i = w->n - 1;
  if (w->list[i].size + n > w->list[i].room) {
    w->list[i].room = 2 * (w->list[i].size + n);
    if (!(w->list[i].bytes = realloc(w->list[i].bytes, w->list[i].room))) die(0, "wire");
  }
  if (n) memcpy(w->list[i].bytes + w->list[i].size, p, n);
  w->list[i].size += n;
}

static void package(wire *w) {
  if (w->n == sizeof w->list / sizeof *w->list) die(0, "more packages than there is room for");
  memset(&w->list[w->n++], 0, sizeof *w->list);
}

/* put_column writes a column in the least that tells it again: a byte for type and length, then the content, integers in
 * as few bytes as they need. */
static void put_column(wire *w, sqlite3_stmt *s, int c) {
  unsigned char b[9];
  long long i;
  double r;
  int n = 0, type = sqlite3_column_type(s, c);
  switch (type) {
  case SQLITE_INTEGER:
    for (i = sqlite3_column_int64(s, c); n < 8 && i != (n ? i << (64 - 8 * n) >> (64 - 8 * n) : 0); n++);
    b[0] = n, memcpy(b + 1, &i, 8);
    put(w, b, 1 + n);
    break;
  case SQLITE_FLOAT:
    b[0] = 9, r = sqlite3_column_double(s, c), memcpy(b + 1, &r, 8);
    put(w, b, 9);
    break;
  case SQLITE_NULL:
    b[0] = 10;
    put(w, b, 1);
    break;
  default:
    n = sqlite3_column_bytes(s, c);
    int text = type == SQLITE_TEXT ? 0 : 120;
    if (n < 100) b[0] = 11 + text + n, put(w, b, 1);
    else b[0] = 111 + text, memcpy(b + 1, &n, 4), put(w, b, 5);
    put(w, sqlite3_column_blob(s, c), n);
  }
}

static int bind_column(sqlite3_stmt *s, int p, const unsigned char *b) {
  int n = *b;
  if (n <= 8) {
    long long i = 0;
    memcpy(&i, b + 1, n);
    sqlite3_bind_int64(s, p, n ? (long long)((unsigned long long)i << (64 - 8 * n)) >> (64 - 8 * n) : 0);
    return 1 + n;
  }
  if (n == 9) {
    double r;
    memcpy(&r, b + 1, 8);
    sqlite3_bind_double(s, p, r);
    return 9;
  }
  if (n == 10) return sqlite3_bind_null(s, p), 1;
  int blob = n > 111, head = 1;
  n -= 11 + (blob ? 120 : 0);
  if (n == 100) memcpy(&n, b + 1, 4), head = 5;
  if (blob) sqlite3_bind_blob(s, p, b + head, n, SQLITE_STATIC);
  else sqlite3_bind_text(s, p, (const char *)b + head, n, SQLITE_STATIC);
  return head + n;
}

#define CHANGES "\"table\", pk, cid, val, col_version, db_version, site_id, cl, seq"

void pull(replica *from, wire *w) {
  char sql[512];
  sqlite3_stmt *s;
  free_wire(w);
  switch (engine) {
  case BARE:
    package(w);
    for (int t = 0; t < ntables; t++) {
      snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", tables[t].name);
      s = prepare(from->db, sql);
      while (sqlite3_step(s) == SQLITE_ROW)
        for (int c = 0; c < tables[t].columns; c++) put_column(w, s, c);
      sqlite3_finalize(s);
    }
    return;
  case TRIBUTARY:
    s = prepare(from->db, "SELECT package, cursor FROM outbox WHERE cursor > ?1");
    sqlite3_bind_int64(s, 1, from->cursor);
    while (sqlite3_step(s) == SQLITE_ROW) package(w), put(w, sqlite3_column_blob(s, 0), sqlite3_column_bytes(s, 0)), from->cursor = sqlite3_column_int64(s, 1);
    break;
  default:
    package(w);
    s = prepare(from->db, "SELECT " CHANGES " FROM crsql_changes WHERE db_version > ?1");
    sqlite3_bind_int64(s, 1, from->cursor);
    while (sqlite3_step(s) == SQLITE_ROW) {
      for (int c = 0; c < 9; c++) put_column(w, s, c);
      if (sqlite3_column_int64(s, 5) > from->cursor) from->cursor = sqlite3_column_int64(s, 5);
    }
  }
  if (sqlite3_finalize(s) != SQLITE_OK) die(from->db, "pull");
}

void apply(replica *to, wire *w) {
  if (engine == TRIBUTARY) { /* a transaction with a synced log for each package, as the extension makes it */
    sqlite3_stmt *s = prepare(to->db, "INSERT INTO inbox(package) VALUES (?1)");
    for (int i = 0; i < w->n; i++) sqlite3_bind_blob64(s, 1, w->list[i].bytes, w->list[i].size, SQLITE_STATIC), finish(s);
    sqlite3_finalize(s);
    return;
  }
  sqlite3_stmt *s = prepare(to->db, "INSERT INTO crsql_changes(" CHANGES ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
  run(to->db, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE"); /* all in one transaction is its fastest way */
  for (int i = 0; i < w->n; i++)
    for (const unsigned char *b = (unsigned char *)w->list[i].bytes, *end = b + w->list[i].size; b < end;) {
      for (int c = 0; c < 9; c++) b += bind_column(s, c + 1, b);
      finish(s);
    }
  run(to->db, "COMMIT; PRAGMA synchronous = NORMAL");
  sqlite3_finalize(s);
}
