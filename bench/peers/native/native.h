/* What the files of the native worker share. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum engine { BARE, TRIBUTARY, CRSQLITE };
enum op { INSERT, UPDATE, UPDATE_ALL, DELETE, UPSERT, OPS };

/* value is one field of the data set; type is 'i', 'r', 's' or 'n' as in its text. */
typedef struct { char type; long long i; double r; char *s; int n; } value;

/* table has its rows behind one another; the first keys columns are the key. */
typedef struct { char *name; int keys, columns; char *names[64], *types[64]; value *rows; int n, room; } table;

typedef struct { sqlite3 *db, *writer; sqlite3_stmt *stmts[OPS][32]; long long cursor; } replica;

/* wire is a list of packages. */
typedef struct { struct { char *bytes; long long size, room; } list[1024]; int n; } wire;

extern enum engine engine;
extern table tables[32];
extern int ntables;
extern long long total_rows; /* of all tables */

void die(sqlite3 *db, const char *what); /* does not return */
void run(sqlite3 *db, const char *sql);
sqlite3_stmt *prepare(sqlite3 *db, const char *sql);
void finish(sqlite3_stmt *s);

void read_data(const char *path);
char *ddl(table *t, char *out, int room);
char *statement(enum op op, table *t, char *out, int room);
void write_rows(replica *r, enum op op, int generation); /* 1,000 statements in a transaction */
void write_all(replica *r, enum op op, int generation);  /* all in one */
void verify(replica *r, int generation);                 /* -1: empty */

void pull(replica *from, wire *w); /* what has come since the last pull */
void apply(replica *to, wire *w);
void free_wire(wire *w);
