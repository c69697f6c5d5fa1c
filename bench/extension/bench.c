// Measures the loadable extension in a program of its own: bench LIBRARY FOLDER ROWS. One table of five columns
// (INTEGER PRIMARY KEY, two texts of 24 bytes, two integers), WAL, synchronous=FULL, everything in one run; beside it
// the same rows written by hand-written loops in C. Prints CPU and wall time, since a busy machine spoils only the latter.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sqlite3.h"

static double cpu0, wall0;

static double seconds(clockid_t c) {
  struct timespec t;
  clock_gettime(c, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void start(void) {
  cpu0 = seconds(CLOCK_PROCESS_CPUTIME_ID);
  wall0 = seconds(CLOCK_MONOTONIC);
}

// stop prints one line: what it was, and the time of one of n.
static void stop(const char *what, double n) {
  double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu0, wall = seconds(CLOCK_MONOTONIC) - wall0;
  printf("%s\t%.0f\t%.3f\t%.3f\n", what, n, cpu / n * 1e6, wall / n * 1e6);
}

static void fail(sqlite3 *db, const char *what) {
  fprintf(stderr, "bench: %s: %s\n", what, sqlite3_errmsg(db));
  exit(1);
}

static void run(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, 0, 0, 0)) fail(db, sql);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *s;
  if (sqlite3_prepare_v2(db, sql, -1, &s, 0)) fail(db, sql);
  return s;
}

static void once(sqlite3 *db, sqlite3_stmt *s) {
  if (sqlite3_step(s) != SQLITE_DONE) fail(db, sqlite3_sql(s));
  sqlite3_reset(s);
}

static const char *library;

static sqlite3 *site(const char *folder, const char *name, int with) {
  char path[1024];
  sqlite3 *db;
  snprintf(path, sizeof path, "%s/%s.db", folder, name);
  if (sqlite3_open(path, &db)) fail(db, path);
  run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;"
          "CREATE TABLE t(pk INTEGER PRIMARY KEY, a TEXT, b TEXT, c INT, d INT)");
  if (!with) return db;
  sqlite3_enable_load_extension(db, 1);
  char *why = 0;
  if (sqlite3_load_extension(db, library, 0, &why)) {
    fprintf(stderr, "bench: %s\n", why);
    exit(1);
  }
  run(db, "SELECT tributary_track('t'); CREATE VIRTUAL TABLE o USING stream_out(); CREATE VIRTUAL TABLE i USING stream_in()");
  return db;
}

static struct {
  void *p;
  int n;
} packages[100000];

// pull takes what is new and acknowledges it. It returns the number of packages.
static int pull(sqlite3 *db, int64_t *bytes) {
  sqlite3_stmt *s = prepare(db, "SELECT package FROM o");
  int n = 0;
  *bytes = 0;
  for (; sqlite3_step(s) == SQLITE_ROW; n++) {
    packages[n].n = sqlite3_column_bytes(s, 0);
    packages[n].p = malloc((size_t)packages[n].n);
    memcpy(packages[n].p, sqlite3_column_blob(s, 0), (size_t)packages[n].n);
    *bytes += packages[n].n;
  }
  sqlite3_finalize(s);
  run(db, "UPDATE o SET acked = tributary_cursor()");
  return n;
}

static void apply(sqlite3 *db, int n) {
  sqlite3_stmt *s = prepare(db, "INSERT INTO i(package) VALUES (?)");
  for (int i = 0; i < n; i++) {
    sqlite3_bind_blob(s, 1, packages[i].p, packages[i].n, SQLITE_STATIC);
    once(db, s);
  }
  sqlite3_finalize(s);
}

enum { per_transaction = 8192 };

// loop writes the rows one by one, with a clock row for each if with_clock.
static void loop(sqlite3 *db, int rows, int with_clock) {
  sqlite3_stmt *d = prepare(db, "INSERT INTO t(pk, a, b, c, d) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (pk) DO UPDATE SET "
                                "a = excluded.a, b = excluded.b, c = excluded.c, d = excluded.d");
  if (with_clock) run(db, "CREATE TABLE clock(pk INTEGER PRIMARY KEY, ver INT, site INT, seq INT)");
  sqlite3_stmt *k = with_clock ? prepare(db, "INSERT INTO clock(pk, ver, site, seq) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (pk) DO UPDATE SET "
                                             "ver = excluded.ver, site = excluded.site, seq = excluded.seq") : 0;
  char a[64], b[64];
  for (int i = 0; i < rows; i++) {
    if (i % per_transaction == 0) run(db, i ? "COMMIT; BEGIN IMMEDIATE" : "BEGIN IMMEDIATE");
    sqlite3_bind_int64(d, 1, i);
    sqlite3_bind_text(d, 2, a, snprintf(a, sizeof a, "the text of row %08d", i), SQLITE_STATIC);
    sqlite3_bind_text(d, 3, b, snprintf(b, sizeof b, "another text of %08d", i), SQLITE_STATIC);
    sqlite3_bind_int64(d, 4, i % 100);
    sqlite3_bind_int64(d, 5, i * 7);
    once(db, d);
    if (!k) continue;
    sqlite3_bind_int64(k, 1, i);
    sqlite3_bind_int64(k, 2, 1);
    sqlite3_bind_int64(k, 3, 7);
    sqlite3_bind_int64(k, 4, i);
    once(db, k);
  }
  run(db, "COMMIT");
  sqlite3_finalize(d);
  sqlite3_finalize(k);
}

static long status(const char *field) {
  char line[256];
  long v = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, field, strlen(field))) v = atol(line + strlen(field) + 1);
  if (f) fclose(f);
  return v;
}

static void load(void) {
  sqlite3 *db;
  for (int i = 0; i < 3; i++) {
    sqlite3_open(":memory:", &db);
    sqlite3_enable_load_extension(db, 1);
    long before = status("VmRSS");
    start();
    if (sqlite3_load_extension(db, library, 0, 0)) fail(db, "load");
    stop(i == 0 ? "load, first connection" : "load, later connection", 1);
    if (i == 0) printf("resident memory after loading, kB more\t1\t%ld\t\n", status("VmRSS") - before);
    if (i == 0) printf("threads after loading\t1\t%ld\t\n", status("Threads"));
    if (i == 2) {
      const int calls = 1000000;
      run(db, "CREATE TABLE n(x); INSERT INTO n WITH r(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM r WHERE i < 1000000) SELECT i FROM r");
      start();
      run(db, "SELECT count(abs(x)) FROM n");
      stop("a call of SQLite's abs(x)", calls);
      start();
      run(db, "SELECT count(tributary_inspect(NULL)) FROM n");
      stop("a call of a function in Go", calls);
    }
    sqlite3_close(db);
  }
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: bench LIBRARY FOLDER ROWS\n");
    return 2;
  }
  library = argv[1];
  int rows = atoi(argv[3]), n;
  int64_t bytes;
  load();

  sqlite3 *plain = site(argv[2], "plain", 0), *clocked = site(argv[2], "clocked", 0);
  start();
  loop(plain, rows, 0);
  stop("C loop: upsert of a fresh row", rows);
  start();
  loop(clocked, rows, 1);
  stop("C loop: upsert of a fresh row and of its clock", rows);
  start();
  loop(plain, rows, 0);
  stop("C loop: upsert over a row", rows);

  sqlite3 *a = site(argv[2], "a", 1), *b = site(argv[2], "b", 1);
  start();
  loop(a, rows, 0);
  stop("insert into a tracked table", rows);
  start();
  run(a, "SELECT tributary_fold()");
  stop("fold", rows);
  start();
  n = pull(a, &bytes);
  stop("pull fresh rows", rows);
  printf("bytes of a fresh row in packages\t%d\t%.1f\t\n", rows, (double)bytes / rows);
  start();
  apply(b, n);
  stop("apply fresh rows", rows);
  start();
  apply(b, n);
  stop("apply duplicates", rows);
  run(a, "UPDATE t SET d = d + 1; SELECT tributary_fold()");
  start();
  n = pull(a, &bytes);
  stop("pull updates of one column", rows);
  start();
  apply(b, n);
  stop("apply updates of one column", rows);
  run(a, "DELETE FROM t; SELECT tributary_fold()");
  start();
  n = pull(a, &bytes);
  stop("pull deletes", rows);
  start();
  apply(b, n);
  stop("apply deletes", rows);
  start();
  for (int i = 0; i < 1000; i++) run(a, "SELECT package FROM o");
  stop("pull when there is nothing", 1000);
  printf("peak resident memory, kB\t1\t%ld\t\n", status("VmHWM"));
  sqlite3_stmt *check = prepare(b, "SELECT tributary_check() || (SELECT count(*) FROM t)");
  if (sqlite3_step(check) != SQLITE_ROW || strcmp((const char *)sqlite3_column_text(check, 0), "[]0")) fail(b, "check");
  sqlite3_finalize(check);
  return sqlite3_close(a) || sqlite3_close(b) || sqlite3_close(plain) || sqlite3_close(clocked);
}
