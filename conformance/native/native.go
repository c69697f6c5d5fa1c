// Package native runs SQL in a process of its own, over SQLite's C library: the program in driver/driver.c. It stands for
// the applications that load the extension, and for those that know nothing of it.
package native

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"

	"github.com/tributary-db/tributary/crdt"
)

// Process is a running driver. It is not safe for concurrent use.
type Process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start runs the driver program; env is added to this process's environment.
func Start(program string, env ...string) (*Process, error) {
	cmd := exec.Command(program)
	cmd.Env = append(cmd.Environ(), env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Process{cmd, in, bufio.NewReader(out)}, nil
}

// Close ends the program, which closes nothing: what was not committed is lost.
func (p *Process) Close() error {
	return errors.Join(p.in.Close(), p.cmd.Wait())
}

// Kill ends the program at once.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// Error is what SQLite answered.
type Error struct {
	Code    int // extended result code
	Message string
}

func (e *Error) Error() string { return e.Message }

// SQLiteCode makes Error an engine.ErrorCode.
func (e *Error) SQLiteCode() int { return e.Code }

const (
	codeRow  = 100
	codeDone = 101
)

// call sends a request and reads the answer; code is 0, codeRow or codeDone.
func (p *Process) call(op byte, id int32, payload []byte) (code int, answer []byte, err error) {
	b := make([]byte, 0, 9+len(payload))
	b = append(b, op)
	b = binary.LittleEndian.AppendUint32(b, uint32(id))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	if _, err := p.in.Write(append(b, payload...)); err != nil {
		return 0, nil, fmt.Errorf("native: the program has ended: %w", err)
	}
	var head [8]byte
	if _, err := io.ReadFull(p.out, head[:]); err != nil {
		return 0, nil, fmt.Errorf("native: the program has ended: %w", err)
	}
	code = int(int32(binary.LittleEndian.Uint32(head[:])))
	answer = make([]byte, binary.LittleEndian.Uint32(head[4:]))
	if _, err := io.ReadFull(p.out, answer); err != nil {
		return 0, nil, fmt.Errorf("native: the program has ended: %w", err)
	}
	if code != 0 && code != codeRow && code != codeDone {
		return 0, nil, &Error{code, string(answer)}
	}
	return code, answer, nil
}

func integer(b []byte) int32 { return int32(binary.LittleEndian.Uint32(b)) }

// Fork has a child of the program answer from now on, until Join ends it.
func (p *Process) Fork() error {
	_, _, err := p.call('(', 0, nil)
	return err
}

// Join ends the child that Fork made.
func (p *Process) Join() error {
	_, _, err := p.call(')', 0, nil)
	return err
}

// Record notes in a file what connections write that are opened with vfs=record. It is called once.
func (p *Process) Record(file string) error {
	_, _, err := p.call('W', 0, []byte(file))
	return err
}

// Threads runs total threads, some of them at a time, which open, load, ask and close as often as rounds says.
func (p *Process) Threads(database, library string, total, atATime, rounds int) error {
	b := []byte(database + "\x00" + library + "\x00")
	for _, n := range []int{total, atATime, rounds} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	_, _, err := p.call('T', 0, b)
	return err
}

// SecondLibrary runs SQL in a database in memory of another SQLite library, which the program loads from file.
func (p *Process) SecondLibrary(file, extension, sql string) error {
	_, _, err := p.call('S', 0, []byte(file+"\x00"+extension+"\x00"+sql))
	return err
}

// Version is that of the program's SQLite library.
func (p *Process) Version() (string, error) {
	_, b, err := p.call('V', 0, nil)
	return string(b), err
}

// Usage is the program's resident memory in bytes and its number of threads.
func (p *Process) Usage() (memory int64, threads int, err error) {
	_, b, err := p.call('R', 0, nil)
	if err == nil && len(b) != 8 {
		err = errors.New("native: no /proc/self/status")
	}
	if err != nil {
		return 0, 0, err
	}
	return int64(integer(b)) << 10, int(integer(b[4:])), nil
}

// Conn is one connection of a Process.
type Conn struct {
	p  *Process
	id int32
}

// Open opens a database file or URI.
func (p *Process) Open(name string) (*Conn, error) {
	_, b, err := p.call('O', 0, []byte(name))
	if err != nil {
		return nil, err
	}
	return &Conn{p, integer(b)}, nil
}

// Load loads an extension; entry may be empty for the default entry point.
func (c *Conn) Load(file, entry string) error {
	_, _, err := c.p.call('L', c.id, []byte(file+"\x00"+entry))
	return err
}

// Close closes the connection. SQLite refuses while statements are left.
func (c *Conn) Close() error {
	_, _, err := c.p.call('C', c.id, nil)
	return err
}

// Exec runs one or more statements and discards their rows.
func (c *Conn) Exec(sql string) error {
	_, _, err := c.p.call('X', c.id, []byte(sql))
	return err
}

// InTransaction is that of engine.Conn.
func (c *Conn) InTransaction() (bool, error) {
	_, b, err := c.p.call('A', c.id, nil)
	return err == nil && integer(b) == 0, err
}

// Interrupted is Exec while another thread calls sqlite3_interrupt again and again.
func (c *Conn) Interrupted(sql string) error {
	_, _, err := c.p.call('I', c.id, []byte(sql))
	return err
}

// Stmt is a prepared statement, with the methods of engine.Stmt.
type Stmt struct {
	c       *Conn
	id      int32
	Columns int
}

// Prepare compiles one statement.
func (c *Conn) Prepare(sql string) (*Stmt, error) {
	_, b, err := c.p.call('P', c.id, []byte(sql))
	if err != nil {
		return nil, err
	}
	return &Stmt{c, integer(b), int(integer(b[4:]))}, nil
}

// Query binds args and leaves the statement before its first row.
func (s *Stmt) Query(args ...crdt.Value) error {
	var b []byte
	for _, v := range args {
		b = appendValue(b, v)
	}
	_, _, err := s.c.p.call('Q', s.id, b)
	return err
}

// Next steps to the next row; the values are the caller's.
func (s *Stmt) Next() (row []crdt.Value, ok bool, err error) {
	code, b, err := s.c.p.call('N', s.id, nil)
	if err != nil || code != codeRow {
		return nil, false, err
	}
	for len(b) > 0 {
		kind, n := integer(b), integer(b[4:])
		row = append(row, value(kind, b[8:8+n]))
		b = b[8+n:]
	}
	return row, true, nil
}

// Reset ends a running query early.
func (s *Stmt) Reset() error {
	_, _, err := s.c.p.call('E', s.id, nil)
	return err
}

// Run is Query followed by stepping to the end.
func (s *Stmt) Run(args ...crdt.Value) error {
	err := s.Query(args...)
	for ok := err == nil; ok; {
		_, ok, err = s.Next()
	}
	return err
}

// Close frees the statement.
func (s *Stmt) Close() error {
	_, _, err := s.c.p.call('F', s.id, nil)
	return err
}

// Rows runs one query to its end.
func (c *Conn) Rows(sql string, args ...crdt.Value) (rows [][]crdt.Value, err error) {
	s, err := c.Prepare(sql)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Query(args...); err != nil {
		return nil, err
	}
	for {
		row, ok, err := s.Next()
		if err != nil || !ok {
			return rows, err
		}
		rows = append(rows, row)
	}
}

// Run runs one statement to its end.
func (c *Conn) Run(sql string, args ...crdt.Value) error {
	_, err := c.Rows(sql, args...)
	return err
}

// The kinds of values are SQLite's: https://sqlite.org/c3ref/c_blob.html
func appendValue(b []byte, v crdt.Value) []byte {
	head := func(kind, n int) {
		b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, uint32(kind)), uint32(n))
	}
	switch v.Kind() {
	case crdt.KindInt:
		head(1, 8)
		return binary.LittleEndian.AppendUint64(b, uint64(v.Int()))
	case crdt.KindReal:
		head(2, 8)
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Real()))
	case crdt.KindText:
		head(3, len(v.Bytes()))
	case crdt.KindBlob:
		head(4, len(v.Bytes()))
	default:
		head(5, 0)
	}
	return append(b, v.Bytes()...)
}

func value(kind int32, b []byte) crdt.Value {
	switch kind {
	case 1:
		return crdt.Int(int64(binary.LittleEndian.Uint64(b)))
	case 2:
		return crdt.Real(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case 3:
		return crdt.Text(b)
	case 4:
		return crdt.Blob(b)
	}
	return crdt.Null()
}
