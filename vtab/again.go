package vtab

import (
	"context"
	"errors"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// ErrAgain asks SQLite to run the statement again from its start. A host returns SQLITE_SCHEMA, which makes sqlite3_step
// prepare and run it again by itself, up to 50 times. https://sqlite.org/rescode.html#schema
var ErrAgain = errors.New("tributary: waiting for another connection to finish writing")

// maxAgain stays below SQLite's own limit, behind which the application would see the wrong error.
const maxAgain = 45

const codeBusy = 5 // SQLITE_BUSY

// patience is the waiting of one statement.
type patience struct {
	since, last time.Time
	tries       int
}

// again decides what becomes of a SELECT that could not fold. A SELECT holds a read transaction before its table is asked
// for the first row, and SQLite does not let a reader wait for the writer's lock: it fails at once, whatever the busy
// timeout, because its snapshot would be too old in the end. So the waiting is done here, without the lock, and the
// statement begins anew on a fresh snapshot, until the connection's busy timeout has passed.
func (s *Session) again(ctx context.Context, err error) error {
	var code engine.ErrorCode
	if !errors.As(err, &code) || code.SQLiteCode()&0xff != codeBusy || s.host.InTransaction() {
		return err
	}
	timeout, terr := s.busyTimeout()
	if terr != nil {
		return errors.Join(err, terr)
	}
	now, w := time.Now(), &s.patience
	if now.Sub(w.last) > time.Second {
		*w = patience{since: now} // the last statement that waited has given up
	}
	pause := min(time.Millisecond<<min(w.tries, 10), timeout/40)
	if w.tries++; w.tries > maxAgain || now.Sub(w.since)+pause > timeout {
		*w = patience{}
		return err
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	w.last = time.Now()
	return ErrAgain
}

func (s *Session) busyTimeout() (time.Duration, error) {
	q, err := s.host.Prepare("PRAGMA busy_timeout")
	if err != nil {
		return 0, err
	}
	defer q.Close()
	var row [1]crdt.Value
	if err := q.Query(); err != nil {
		return 0, err
	}
	_, err = q.Next(row[:])
	return time.Duration(row[0].Int()) * time.Millisecond, err
}
