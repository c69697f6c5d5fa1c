/* A worker of the cross-engine harness for what runs in the C library of SQLite: bare tables, Tributary's loadable
 * extension, and cr-sqlite. The harness compiles it; see ../worker.go for what it reads and prints.
 *
 *   native bare|tributary|crsqlite DATA SCRATCH [EXTENSION]
 */
#include "native.h"
#include <time.h>
#include <sys/resource.h>

enum engine engine;
static const char *scratch, *extension;
static long long wall0, cpu0;

static long long clock_ns(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void start(void) {
  wall0 = clock_ns(CLOCK_MONOTONIC);
  cpu0 = clock_ns(CLOCK_PROCESS_CPUTIME_ID); /* of all threads, those of the extension's Go runtime too */
}

static void stop(const char *phase) {
  long long cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu0, wall = clock_ns(CLOCK_MONOTONIC) - wall0;
  printf("phase\t%s\t%lld\t%lld\t%lld\n", phase, total_rows, wall, cpu);
}

void die(sqlite3 *db, const char *what) {
  printf("error\t%s: %s\n", what, db ? sqlite3_errmsg(db) : "out of memory, or a file that cannot be read");
  exit(1);
}

void run(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, 0, 0, 0) != SQLITE_OK) die(db, sql);
}

sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *s;
  if (sqlite3_prepare_v2(db, sql, -1, &s, 0) != SQLITE_OK) die(db, sql);
  return s;
}

void finish(sqlite3_stmt *s) {
  sqlite3 *db = sqlite3_db_handle(s);
  while (sqlite3_step(s) == SQLITE_ROW);
  if (sqlite3_reset(s) != SQLITE_OK) die(db, sqlite3_sql(s));
}

static long long number(sqlite3 *db, const char *sql) {
  sqlite3_stmt *s = prepare(db, sql);
  if (sqlite3_step(s) != SQLITE_ROW) die(db, sql);
  long long n = sqlite3_column_int64(s, 0);
  sqlite3_finalize(s);
  return n;
}

static sqlite3 *connect_to(const char *path, int extended) {
  sqlite3 *db;
  if (sqlite3_open(path, &db) != SQLITE_OK) die(db, path);
  sqlite3_busy_timeout(db, 10000);
  if (extended && extension) {
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, (void *)0);
    char *message = 0;
    if (sqlite3_load_extension(db, extension, 0, &message) != SQLITE_OK) {
      printf("error\tcannot load %s: %s\n", extension, message);
      exit(1);
    }
  }
  run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  return db;
}

/* open_replica makes an empty database with the tables of the data set. Tributary's writer is a connection that has
 * never heard of the extension; cr-sqlite's triggers call functions, so its writer is the connection that has them. */
static void open_replica(replica *r, const char *name) {
  char path[4096], sql[8192];
  snprintf(path, sizeof path, "%s/native-%s.db", scratch, name);
  r->db = connect_to(path, 1);
  r->writer = engine == TRIBUTARY ? connect_to(path, 0) : r->db;
  for (int t = 0; t < ntables; t++) {
    run(r->writer, ddl(&tables[t], sql, sizeof sql));
    if (engine == BARE) continue;
    snprintf(sql, sizeof sql, engine == TRIBUTARY ? "SELECT tributary_track('%s')" : "SELECT crsql_as_crr('%s')", tables[t].name);
    run(r->db, sql);
  }
  for (int o = 0; o < OPS; o++)
    for (int t = 0; t < ntables; t++) r->stmts[o][t] = prepare(r->writer, statement(o, &tables[t], sql, sizeof sql));
}

/* join makes the streams from one replica to another. What the other wrote itself is not sent back to it. */
static void join(replica *from, replica *to) {
  char sql[512];
  if (engine != TRIBUTARY) return;
  sqlite3_stmt *s = prepare(to->db, "SELECT tributary_site()");
  if (sqlite3_step(s) != SQLITE_ROW) die(to->db, "site");
  snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE outbox USING stream_out(peer='other', exclude_sites='%s')", sqlite3_column_text(s, 0));
  sqlite3_finalize(s);
  run(from->db, sql), run(to->db, "CREATE VIRTUAL TABLE inbox USING stream_in(peer='other')");
}

static void close_replica(replica *r) {
  for (int o = 0; o < OPS; o++)
    for (int t = 0; t < ntables; t++) sqlite3_finalize(r->stmts[o][t]);
  if (engine == CRSQLITE) run(r->db, "SELECT crsql_finalize()");
  if (r->writer != r->db) sqlite3_close(r->writer);
  if (sqlite3_close(r->db) != SQLITE_OK) die(r->db, "close");
  memset(r, 0, sizeof *r);
}

static long long used(replica *r) {
  return number(r->writer, "SELECT (a.page_count - b.freelist_count) * c.page_size FROM pragma_page_count a, pragma_freelist_count b, pragma_page_size c");
}

/* seal gives what was written a version; only Tributary does that apart from the write. */
static void seal(replica *r, const char *phase) {
  if (engine != TRIBUTARY) return;
  start();
  run(r->db, "SELECT tributary_fold()");
  if (phase) stop(phase);
}

static void keep(wire *w, const char *name) {
  char path[4096];
  long long n = 0;
  snprintf(path, sizeof path, "%s/%s", scratch, name);
  FILE *f = fopen(path, "wb");
  if (!f) die(0, path);
  for (int i = 0; i < w->n; i++) fwrite(w->list[i].bytes, 1, w->list[i].size, f), n += w->list[i].size;
  fclose(f);
  printf("wire\t%s\t%lld\t%s\n", name, n, path);
}

/* settle lets both replicas know that both have everything, and forget what they may. */
static void settle(replica *a, replica *b) {
  if (engine != TRIBUTARY) return;
  for (int i = 0; i < 3; i++) { /* the last time to send the word that a compaction gives */
    wire w = {0};
    pull(a, &w), apply(b, &w), pull(b, &w), apply(a, &w);
    free_wire(&w);
    if (i < 2) run(a->db, "SELECT tributary_compact()"), run(b->db, "SELECT tributary_compact()");
  }
}

/* change writes at a, and brings the change to b. */
static void change(replica *a, replica *b, enum op op, int generation, const char *name) {
  char phase[64];
  wire w = {0};
  snprintf(phase, sizeof phase, "local %s", name);
  start(), write_rows(a, op, generation), stop(phase);
  snprintf(phase, sizeof phase, "seal %s", name);
  seal(a, phase);
  if (engine == BARE) { /* the floor of an apply is the same statements, run at b with a synced log */
    snprintf(phase, sizeof phase, "apply %s", name);
    run(b->db, "PRAGMA synchronous = FULL");
    start(), write_all(b, op == INSERT ? UPSERT : op, generation), stop(phase);
    run(b->db, "PRAGMA synchronous = NORMAL");
    if (op == INSERT) start(), pull(a, &w), stop("pull insert"), keep(&w, "insert");
    free_wire(&w);
    return;
  }
  snprintf(phase, sizeof phase, "pull %s", name);
  start(), pull(a, &w), stop(phase);
  keep(&w, name);
  snprintf(phase, sizeof phase, "apply %s", name);
  start(), apply(b, &w), stop(phase);
  if (op == INSERT) start(), apply(b, &w), stop("apply duplicate");
  free_wire(&w);
}

static void scenario(void) {
  replica a, b;
  wire w = {0};
  memset(&a, 0, sizeof a), memset(&b, 0, sizeof b);
  open_replica(&a, "a"), open_replica(&b, "b"), join(&a, &b), join(&b, &a);
  change(&a, &b, INSERT, 0, "insert");
  printf("bytes\tloaded\t%lld\nbytes\treceived\t%lld\n", used(&a), used(&b));
  settle(&a, &b);
  printf("bytes\tsettled\t%lld\n", used(&a));
  change(&a, &b, UPDATE, 1, "update");
  change(&a, &b, UPDATE_ALL, 2, "update-all");
  if (engine != BARE) {
    write_rows(&a, UPDATE, 3), seal(&a, 0), pull(&a, &w);
    write_rows(&b, UPDATE, 4), write_rows(&b, UPDATE, 5), seal(&b, 0);
    start(), apply(&b, &w), stop("apply losing");
    verify(&b, 5);
    pull(&b, &w), apply(&a, &w);
    verify(&a, 5);
  }
  change(&a, &b, DELETE, 0, "delete");
  verify(&a, -1), verify(&b, -1);
  free_wire(&w);
  close_replica(&a), close_replica(&b);
}

/* peak is the most memory that was resident, in bytes. What getrusage says includes the process before exec. */
static long long peak(void) {
  char line[256];
  long long kb = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f)) sscanf(line, "VmHWM: %lld", &kb);
  if (f) return fclose(f), kb * 1024;
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_maxrss * 1024LL;
}

static void versions(void) {
  sqlite3 *db = connect_to(":memory:", 1);
  if (engine == BARE) printf("version\tSQLite %s\n", sqlite3_libversion());
  if (engine == TRIBUTARY) printf("version\tin SQLite %s\n", sqlite3_libversion());
  if (engine == CRSQLITE) printf("version\tcr-sqlite 0.%lld.%lld in SQLite %s\n", number(db, "SELECT crsql_version() / 10000"),
                                 number(db, "SELECT crsql_version() / 100 % 100"), sqlite3_libversion());
  sqlite3_close(db);
}

int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IOLBF, 0);
  if (argc < 4) return fprintf(stderr, "usage: native bare|tributary|crsqlite DATA SCRATCH [EXTENSION]\n"), 2;
  engine = strcmp(argv[1], "bare") == 0 ? BARE : strcmp(argv[1], "tributary") == 0 ? TRIBUTARY : CRSQLITE;
  scratch = argv[3], extension = argc > 4 ? argv[4] : 0;
  read_data(argv[2]);
  versions();
  for (char line[64]; fgets(line, sizeof line, stdin);) {
    char command[8192]; /* the databases of the last run */
    const char *names[] = {"a", "b"}, *ends[] = {".db", ".db-wal", ".db-shm", ".db-tributary"};
    for (int i = 0; i < 8; i++) snprintf(command, sizeof command, "%s/native-%s%s", scratch, names[i / 4], ends[i % 4]), remove(command);
    scenario();
    printf("bytes\tmemory\t%lld\nend\n", peak());
  }
  return 0;
}
