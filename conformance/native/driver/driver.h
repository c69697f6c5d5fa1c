// What the files of the driver share.
#include "sqlite3.h"

// record_to registers the virtual file system "record", which notes in file what is done.
int record_to(const char *file);

// interrupted runs SQL while another thread interrupts the connection again and again, until it has returned.
int interrupted(sqlite3 *db, const char *sql);

// second_library runs SQL in a database in memory of another SQLite library, which is loaded from file, with the extension.
int second_library(const char *file, const char *extension, const char *sql, char **message);

// many_threads starts threads at a time until total have run; each opens the database, loads the library, asks it
// something and closes. 0: all went well.
int many_threads(const char *database, const char *library, int total, int threads, int rounds, char **message);
