/* The data set, and the statements that write it. */
#include "native.h"

table tables[32];
int ntables;
long long total_rows;

static char *unescape(char *s) {
  char *to = s, *start = s;
  for (; *s; s++) {
    if (*s == '\\') s++, *to++ = *s == 't' ? '\t' : *s == 'n' ? '\n' : *s == 'r' ? '\r' : *s;
    else *to++ = *s;
  }
  *to = 0;
  return start;
}

static char *field(char **line) {
  char *f = *line, *tab = strchr(f, '\t');
  if (tab) *tab = 0, *line = tab + 1;
  else *line = f + strlen(f);
  return f;
}

void read_data(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) die(0, path);
  char *line = 0;
  size_t room = 0;
  for (ssize_t n; (n = getline(&line, &room, f)) > 0;) {
    if (line[n - 1] == '\n') line[n - 1] = 0;
    char *rest = strdup(line); /* kept for ever: the values point into it */
    char *kind = field(&rest);
    if (*kind == 'T') {
      table *t = &tables[ntables++];
      t->name = field(&rest), t->keys = atoi(field(&rest));
      while (*rest) t->names[t->columns] = field(&rest), t->types[t->columns++] = field(&rest);
      continue;
    }
    table *t = &tables[ntables - 1];
    if (t->n == t->room) {
      t->room = t->room ? 2 * t->room : 1024;
      if (!(t->rows = realloc(t->rows, sizeof(value) * t->room * t->columns))) die(0, path);
    }
    for (int c = 0; c < t->columns; c++) {
      char *s = field(&rest);
      value *v = &t->rows[t->n * t->columns + c];
      memset(v, 0, sizeof *v);
      v->type = *s;
      if (v->type == 'i') v->i = strtoll(s + 1, 0, 10);
      if (v->type == 'r') v->r = strtod(s + 1, 0);
      if (v->type == 's') v->s = unescape(s + 1), v->n = strlen(v->s);
    }
    t->n++, total_rows++;
  }
  free(line), fclose(f);
}

static int append(char *out, int room, int n, const char *format, const char *a, int i) {
  n += snprintf(out + n, room - n, format, a, i);
  if (n >= room) die(0, "a statement is too long");
  return n;
}

char *ddl(table *t, char *out, int room) {
  int n = append(out, room, 0, "CREATE TABLE \"%s\"(", t->name, 0);
  for (int c = 0; c < t->columns; c++) {
    n = append(out, room, n, "\"%s\"", t->names[c], 0), n = append(out, room, n, " %s", t->types[c], 0);
    n = append(out, room, n, "%s, ", c < t->keys ? " NOT NULL" : "", 0);
  }
  for (int c = 0; c < t->keys; c++) n = append(out, room, n, c ? ", \"%s\"" : "PRIMARY KEY(\"%s\"", t->names[c], 0);
  append(out, room, n, "%s", "))", 0);
  return out;
}

/* statement has the key in parameters 1 to keys, and column c in parameter c + 1. */
char *statement(enum op op, table *t, char *out, int room) {
  int n = 0;
  if (op == INSERT || op == UPSERT) {
    n = append(out, room, n, "INSERT INTO \"%s\" VALUES (", t->name, 0);
    for (int c = 0; c < t->columns; c++) n = append(out, room, n, c ? "%s, ?%d" : "%s?%d", "", c + 1);
    n = append(out, room, n, "%s", ")", 0);
    if (op == INSERT) return out;
    for (int c = 0; c < t->keys; c++) n = append(out, room, n, c ? ", \"%s\"" : " ON CONFLICT(\"%s\"", t->names[c], 0);
    n = append(out, room, n, t->keys == t->columns ? "%s NOTHING" : "%s UPDATE SET ", ") DO", 0);
    for (int c = t->keys; c < t->columns; c++)
      n = append(out, room, n, c > t->keys ? ", \"%s\"" : "\"%s\"", t->names[c], 0), n = append(out, room, n, " = excluded.\"%s\"", t->names[c], 0);
    return out;
  }
  if (op != DELETE && t->keys == t->columns) return strcpy(out, "SELECT 1"); /* nothing but a key: no column to set */
  n = append(out, room, n, op == DELETE ? "DELETE FROM \"%s\"" : "UPDATE \"%s\" SET ", t->name, 0);
  for (int c = op == UPDATE ? t->columns - 1 : t->keys; op != DELETE && c < t->columns; c++)
    n = append(out, room, n, c > t->keys && op != UPDATE ? ", \"%s\"" : "\"%s\"", t->names[c], 0), n = append(out, room, n, "%s = ?%d", "", c + 1);
  for (int c = 0; c < t->keys; c++)
    n = append(out, room, n, c ? " AND \"%s\"" : " WHERE \"%s\"", t->names[c], 0), n = append(out, room, n, "%s = ?%d", "", c + 1);
  return out;
}

/* bind gives the value of a generation: the one in the data set, changed a little. */
static void bind(sqlite3_stmt *s, int p, value *v, int generation) {
  char text[4096];
  if (v->type == 'i') sqlite3_bind_int64(s, p, v->i + generation);
  if (v->type == 'r') sqlite3_bind_double(s, p, v->r + generation);
  if (v->type == 'n' && generation) sqlite3_bind_int64(s, p, generation);
  if (v->type == 'n' && !generation) sqlite3_bind_null(s, p);
  if (v->type == 's' && !generation) sqlite3_bind_text(s, p, v->s, v->n, SQLITE_STATIC);
  if (v->type == 's' && generation) sqlite3_bind_text(s, p, text, snprintf(text, sizeof text, "%s!%d", v->s, generation), SQLITE_TRANSIENT);
}

static void write_some(replica *r, enum op op, int generation, long long batch) {
  long long n = 0;
  run(r->writer, "BEGIN IMMEDIATE");
  for (int t = 0; t < ntables; t++) {
    table *x = &tables[t];
    sqlite3_stmt *s = r->stmts[op][t];
    if ((op == UPDATE || op == UPDATE_ALL) && x->keys == x->columns) continue;
    for (int i = 0; i < x->n; i++) {
      value *row = &x->rows[i * x->columns];
      for (int c = 0; c < x->columns; c++)
        if (c < x->keys) bind(s, c + 1, &row[c], 0);
        else if (op == INSERT || op == UPSERT || op == UPDATE_ALL || op == UPDATE && c == x->columns - 1) bind(s, c + 1, &row[c], generation);
      finish(s);
      if (++n % batch == 0) run(r->writer, "COMMIT; BEGIN IMMEDIATE");
    }
  }
  run(r->writer, "COMMIT");
}

void write_rows(replica *r, enum op op, int generation) { write_some(r, op, generation, 1000); }
void write_all(replica *r, enum op op, int generation) { write_some(r, op, generation, 1LL << 60); }

/* verify wants every row to have the last column of a generation, or no row to be there. */
void verify(replica *r, int generation) {
  char sql[4096];
  for (int t = 0; t < ntables; t++) {
    table *x = &tables[t];
    int n = append(sql, sizeof sql, 0, "SELECT 1 FROM \"%s\" WHERE ", x->name, 0), only = x->keys == x->columns;
    if (generation < 0) n = append(sql, sizeof sql, n, "%s", "?1 OR 1", 0);
    else n = append(sql, sizeof sql, n, "\"%s\" IS ", x->names[x->columns - 1], 0), n = append(sql, sizeof sql, n, "%s?%d", "", x->columns);
    for (int c = 0; c < x->keys && generation >= 0; c++) n = append(sql, sizeof sql, n, " AND \"%s\" = ", x->names[c], 0), n = append(sql, sizeof sql, n, "%s?%d", "", c + 1);
    sqlite3_stmt *s = prepare(r->writer, sql);
    for (int i = 0; i < (generation < 0 ? 1 : x->n); i++) {
      value *row = &x->rows[i * x->columns];
      if (generation >= 0)
        for (int c = 0; c < x->columns; c++)
          if (c < x->keys || c == x->columns - 1) bind(s, c + 1, &row[c], c < x->keys || only ? 0 : generation);
      if ((sqlite3_step(s) == SQLITE_ROW) != (generation >= 0)) {
        printf("error\ttable %s, row %d: the replica does not show what was written last (generation %d)\n", x->name, i, generation);
        exit(1);
      }
      sqlite3_reset(s);
    }
    sqlite3_finalize(s);
  }
}
