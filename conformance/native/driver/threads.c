// Threads of an application, each with connections of its own.

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

enum { stack = 64 << 10, most = 64 };

typedef struct work {
  const char *database, *library;
  int rounds, rc;
  char *message;
} work;

static void *one(void *p) {
  work *w = p;
  for (int i = 0; i < w->rounds && !w->rc; i++) {
    sqlite3 *db = 0;
    w->rc = sqlite3_open(w->database, &db);
    if (!w->rc) {
      sqlite3_busy_timeout(db, 10000);
      sqlite3_enable_load_extension(db, 1);
      w->rc = sqlite3_load_extension(db, w->library, 0, &w->message);
    }
    if (!w->rc) w->rc = sqlite3_exec(db, "SELECT tributary_version(), tributary_vector() FROM tributary_status", 0, 0, &w->message);
    int closed = sqlite3_close(db);
    if (!w->rc) w->rc = closed;
  }
  return 0;
}

int many_threads(const char *database, const char *library, int total, int threads, int rounds, char **message) {
  pthread_attr_t a;
  pthread_attr_init(&a);
  pthread_attr_setstacksize(&a, stack); // applications have small ones
  int rc = 0;
  for (int done = 0; done < total && !rc; done += threads) {
    pthread_t t[most];
    work w[most];
    memset(w, 0, sizeof w);
    for (int i = 0; i < threads; i++) {
      w[i].database = database;
      w[i].library = library;
      w[i].rounds = rounds;
      if (pthread_create(&t[i], &a, one, &w[i])) abort();
    }
    for (int i = 0; i < threads; i++) {
      pthread_join(t[i], 0);
      if (w[i].rc && !rc) {
        rc = w[i].rc;
        *message = w[i].message;
      }
    }
  }
  pthread_attr_destroy(&a);
  return rc;
}

typedef struct interruption {
  sqlite3 *db;
  atomic_int over;
} interruption;

static void *interrupt(void *p) {
  interruption *i = p;
  while (!i->over) {
    sqlite3_interrupt(i->db);
    sched_yield();
  }
  return 0;
}

int interrupted(sqlite3 *db, const char *sql) {
  interruption i = {.db = db};
  pthread_t t;
  if (pthread_create(&t, 0, interrupt, &i)) abort();
  int rc = sqlite3_exec(db, sql, 0, 0, 0);
  i.over = 1;
  pthread_join(t, 0);
  return rc;
}
