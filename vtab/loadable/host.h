// What the C files of this package share, and Go does not see.
#ifndef TRIBUTARY_HOST_H
#define TRIBUTARY_HOST_H

#include "shim.h"

// Not 0 in a fork of the process whose Go runtime this is.
extern volatile int tr_dead;
char *tr_dead_message(void);

// What a callback that may run SQL hides from the application.
typedef struct tr_call {
  sqlite3_int64 last_insert;
} tr_call;

// tr_enter begins such a callback; on error there is no tr_leave. message may be 0.
int tr_enter(tr_host *h, tr_call *call, char **message);
void tr_leave(tr_host *h, tr_call *call);

// tr_release drops a reference that a module or function had to its host.
void tr_release(tr_host *h);

#endif
