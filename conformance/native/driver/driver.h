// What the files of the driver share.
#include "sqlite3.h"

// record_to registers the virtual file system "record", which notes in file what is done.
int record_to(const char *file);

// many_threads starts threads at a time until total have run; each opens the database, loads the library, asks it
// something and closes. 0: all went well.
int many_threads(const char *database, const char *library, int total, int threads, int rounds, char **message);
