// Package faultdisk is a file system in memory for SQLite, by way of github.com/ncruces/go-sqlite3, on which things go wrong: the
// power goes before any chosen operation, and unsynced writes with it, or operations fail because the disk is full or broken.
//
//	d := faultdisk.New(seed)
//	vfs.Register("faulty", d)
//	db, err := sqlite3.Open("file:/a.db?vfs=faulty")
//	db.Exec("PRAGMA locking_mode=exclusive; PRAGMA journal_mode=WAL")
//
// It has no shared memory, so WAL mode needs exclusive locking, hence one connection for each database. Several connections of
// one goroutine can share a database that has a rollback journal: who would have to wait for another is told that it is busy.
package faultdisk

import (
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// ErrPower is what every operation says once the power is off.
var ErrPower = errors.New("the power is off")

const sectorSize = 512

// Op is a kind of operation.
type Op int

// The operations that a Fault is asked about.
const (
	OpOpen Op = iota
	OpDelete
	OpRead
	OpWrite
	OpTruncate
	OpSync
)

// Changes says whether the operation is counted: one that changes what is on the disk, or whether that lasts.
func (o Op) Changes() bool { return o != OpRead }

// Disk is one file system. What was written since the last sync of its file is lost or kept sector by sector when the power
// goes, and so are names that were made or removed since; which, is drawn from the seed. Not safe for concurrent use.
type Disk struct {
	// Crash is the operation before which the power goes, counted from 1; 0: never. Reading is not counted.
	Crash int
	// Fault, if not nil, is asked before each operation and makes it fail with the error that it returns. n is the number of the
	// operation, for a read of the last one before it. Errors of sqlite3 such as sqlite3.FULL reach SQLite as they are.
	Fault func(o Op, n int) error
	// Lost counts the sectors that the power cut before this disk took.
	Lost int

	rnd   *rand.Rand
	files map[string]*content
	gone  map[string]*content // removed, but the directory was not synced
	ops   int                 // operations up to now
	off   bool
}

type content struct {
	now, safe []byte
	dirty     map[int]bool // numbers of the sectors written since the last sync
	named     bool         // the directory entry is safe
	locks     map[*diskFile]vfs.LockLevel
}

// most is the greatest lock that others than f hold.
func (c *content) most(f *diskFile) (most vfs.LockLevel) {
	for other, l := range c.locks {
		if other != f {
			most = max(most, l)
		}
	}
	return most
}

// New makes an empty disk. Equal seeds lose equal sectors.
func New(seed uint64) *Disk {
	return &Disk{rnd: rand.New(rand.NewPCG(seed, 1)), files: map[string]*content{}, gone: map[string]*content{}}
}

// Ops counts the operations that changed something.
func (d *Disk) Ops() int { return d.ops }

// Off says whether the power is off.
func (d *Disk) Off() bool { return d.off }

// CutPower takes the power away now.
func (d *Disk) CutPower() { d.off = true }

// Files gives what is in the files now, by name: what cp would copy while nobody writes.
func (d *Disk) Files() map[string][]byte {
	out := map[string][]byte{}
	for name, f := range d.files {
		out[name] = slices.Clone(f.now)
	}
	return out
}

// Put writes a whole file safely, as cp and sync do; nil removes it.
func (d *Disk) Put(name string, b []byte) {
	if b == nil {
		delete(d.files, name)
		return
	}
	d.files[name] = &content{now: slices.Clone(b), safe: slices.Clone(b), dirty: map[int]bool{}, named: true}
}

// PowerOn gives the disk as it is found when the power is back. Fault goes on with it, Crash does not.
func (d *Disk) PowerOn() *Disk {
	n := New(d.rnd.Uint64())
	n.Fault = d.Fault
	for name, f := range d.gone {
		if d.files[name] == nil {
			d.files[name] = f
			f.named = false
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		f := d.files[name]
		if !f.named && d.coin() {
			continue
		}
		b := f.survivors(d)
		n.files[name] = &content{now: b, safe: slices.Clone(b), dirty: map[int]bool{}, named: true}
	}
	n.Lost = d.Lost
	return n
}

func (f *content) survivors(d *Disk) []byte {
	size := len(f.safe)
	if d.coin() {
		size = len(f.now)
	}
	b := slices.Clone(f.safe)
	for _, s := range slices.Sorted(maps.Keys(f.dirty)) {
		from := s * sectorSize
		if from >= len(f.now) {
			continue
		}
		if d.coin() {
			d.Lost++
			continue
		}
		to := min(from+sectorSize, len(f.now))
		b = grown(b, to)
		copy(b[from:to], f.now[from:to])
		size = max(size, to)
	}
	return grown(b, size)[:size]
}

func grown(b []byte, n int) []byte {
	if len(b) < n {
		b = append(b, make([]byte, n-len(b))...)
	}
	return b
}

func (d *Disk) coin() bool { return d.rnd.IntN(2) == 0 }

// op counts an operation that changes something, and says whether it fails.
func (d *Disk) op(o Op) error {
	if d.off {
		return ErrPower
	}
	if o.Changes() {
		d.ops++
		if d.ops == d.Crash {
			d.off = true
			return ErrPower
		}
	}
	if d.Fault != nil {
		return d.Fault(o, d.ops)
	}
	return nil
}

// Open implements vfs.VFS.
func (d *Disk) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if d.op(OpOpen) != nil {
		return nil, flags, sqlite3.CANTOPEN
	}
	f := d.files[name]
	if f == nil || name == "" {
		if flags&vfs.OPEN_CREATE == 0 {
			return nil, flags, sqlite3.CANTOPEN
		}
		f = &content{dirty: map[int]bool{}}
		if name != "" {
			d.files[name] = f
		}
	}
	return &diskFile{disk: d, content: f, name: name, temporary: flags&vfs.OPEN_DELETEONCLOSE != 0}, flags, nil
}

// Delete implements vfs.VFS.
func (d *Disk) Delete(name string, syncDir bool) error {
	if err := d.op(OpDelete); err != nil {
		return err
	}
	f := d.files[name]
	if f == nil {
		return sqlite3.IOERR_DELETE_NOENT
	}
	delete(d.files, name)
	if syncDir {
		clear(d.gone)
	} else if f.named {
		d.gone[name] = f
	}
	return nil
}

// Access implements vfs.VFS.
func (d *Disk) Access(name string, _ vfs.AccessFlag) (bool, error) { return d.files[name] != nil, nil }

// FullPathname implements vfs.VFS.
func (d *Disk) FullPathname(name string) (string, error) { return name, nil }

type diskFile struct {
	*content
	disk      *Disk
	name      string
	temporary bool
	lock      vfs.LockLevel
}

// Close implements vfs.File.
func (f *diskFile) Close() error {
	delete(f.locks, f)
	if f.temporary {
		delete(f.disk.files, f.name)
	}
	return nil
}

// ReadAt implements vfs.File.
func (f *diskFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.disk.op(OpRead); err != nil {
		return 0, err
	}
	if off >= int64(len(f.now)) {
		return 0, io.EOF
	}
	n := copy(b, f.now[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements vfs.File.
func (f *diskFile) WriteAt(b []byte, off int64) (int, error) {
	was := f.disk.off
	if err := f.disk.op(OpWrite); err != nil {
		if !was && f.disk.off && len(b) > sectorSize { // power went during this write: its first sectors are on their way
			f.put(b[:sectorSize*(1+f.disk.rnd.IntN(len(b)/sectorSize))], int(off))
		}
		return 0, err
	}
	f.put(b, int(off))
	return len(b), nil
}

func (f *diskFile) put(b []byte, off int) {
	f.now = grown(f.now, off+len(b))
	copy(f.now[off:], b)
	for s := off / sectorSize; s*sectorSize < off+len(b); s++ {
		f.dirty[s] = true
	}
}

// Truncate implements vfs.File.
func (f *diskFile) Truncate(n int64) error {
	if err := f.disk.op(OpTruncate); err != nil {
		return err
	}
	if n < int64(len(f.now)) {
		f.now = f.now[:n:n]
	}
	return nil
}

// Sync implements vfs.File. The first sync of a new file syncs the directory too, as SQLite's own file systems do; then the
// names of all files are safe, and what was removed is gone.
func (f *diskFile) Sync(vfs.SyncFlag) error {
	if err := f.disk.op(OpSync); err != nil {
		return err
	}
	f.safe = slices.Clone(f.now)
	clear(f.dirty)
	if !f.named {
		f.named = true
		for _, other := range f.disk.files {
			other.named = true
		}
		clear(f.disk.gone)
	}
	return nil
}

// Size implements vfs.File.
func (f *diskFile) Size() (int64, error) { return int64(len(f.now)), nil }

// Lock implements vfs.File.
func (f *diskFile) Lock(l vfs.LockLevel) error {
	switch others := f.most(f); {
	case l == vfs.LOCK_EXCLUSIVE && others > vfs.LOCK_NONE, l >= vfs.LOCK_RESERVED && others >= vfs.LOCK_RESERVED, others >= vfs.LOCK_PENDING:
		return sqlite3.BUSY
	}
	return f.Unlock(l)
}

// Unlock implements vfs.File.
func (f *diskFile) Unlock(l vfs.LockLevel) error {
	if f.locks == nil {
		f.locks = map[*diskFile]vfs.LockLevel{}
	}
	f.lock, f.locks[f] = l, l
	return nil
}

// LockState implements vfs.FileLockState.
func (f *diskFile) LockState() vfs.LockLevel { return f.lock }

// CheckReservedLock implements vfs.File.
func (f *diskFile) CheckReservedLock() (bool, error) { return f.most(f) >= vfs.LOCK_RESERVED, nil }

// SectorSize implements vfs.File.
func (f *diskFile) SectorSize() int { return sectorSize }

// DeviceCharacteristics implements vfs.File: none of the promises that SQLite could lean on.
func (f *diskFile) DeviceCharacteristics() vfs.DeviceCharacteristic { return 0 }
