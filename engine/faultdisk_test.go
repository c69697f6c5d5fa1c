package engine_test

import (
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

var errPower = errors.New("the power is off")

const sectorSize = 512

// disk is a file system for SQLite that can lose power before any of its operations. What was written since the last
// sync of its file is then lost or kept sector by sector, and so are names that were made or removed since. It has no
// shared memory: WAL mode needs PRAGMA locking_mode=exclusive, hence one connection. Not safe for concurrent use.
type disk struct {
	rnd   *rand.Rand
	files map[string]*content
	gone  map[string]*content // removed, but the directory was not synced
	ops   int                 // operations up to now
	crash int                 // the operation before which the power goes; 0: never
	off   bool
	lost  int // sectors that the last power cut took
}

type content struct {
	now, safe []byte
	dirty     map[int]bool // numbers of the sectors written since the last sync
	named     bool         // the directory entry is safe
}

func newDisk(seed uint64) *disk {
	return &disk{rnd: rand.New(rand.NewPCG(seed, 1)), files: map[string]*content{}, gone: map[string]*content{}}
}

// powerOn is the disk as it is found when the power is back.
func (d *disk) powerOn() *disk {
	n := newDisk(d.rnd.Uint64())
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
	n.lost = d.lost
	return n
}

func (f *content) survivors(d *disk) []byte {
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
			d.lost++
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

func (d *disk) coin() bool { return d.rnd.IntN(2) == 0 }

// op counts an operation that changes something.
func (d *disk) op() error {
	if d.off {
		return errPower
	}
	d.ops++
	if d.ops == d.crash {
		d.off = true
		return errPower
	}
	return nil
}

// Open implements vfs.VFS.
func (d *disk) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if d.op() != nil {
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
func (d *disk) Delete(name string, syncDir bool) error {
	if err := d.op(); err != nil {
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
func (d *disk) Access(name string, _ vfs.AccessFlag) (bool, error) { return d.files[name] != nil, nil }

// FullPathname implements vfs.VFS.
func (d *disk) FullPathname(name string) (string, error) { return name, nil }

type diskFile struct {
	*content
	disk      *disk
	name      string
	temporary bool
	lock      vfs.LockLevel
}

// Close implements vfs.File.
func (f *diskFile) Close() error {
	if f.temporary {
		delete(f.disk.files, f.name)
	}
	return nil
}

// ReadAt implements vfs.File.
func (f *diskFile) ReadAt(b []byte, off int64) (int, error) {
	if f.disk.off {
		return 0, errPower
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
	if err := f.disk.op(); err != nil {
		if !was && len(b) > sectorSize { // power went during this write: its first sectors are on their way
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
	if err := f.disk.op(); err != nil {
		return err
	}
	if n < int64(len(f.now)) {
		f.now = f.now[:n:n]
	}
	return nil
}

// Sync implements vfs.File. It makes the name of the file safe too, as SQLite's own file systems do.
func (f *diskFile) Sync(vfs.SyncFlag) error {
	if err := f.disk.op(); err != nil {
		return err
	}
	f.safe, f.named = slices.Clone(f.now), true
	clear(f.dirty)
	return nil
}

// Size implements vfs.File.
func (f *diskFile) Size() (int64, error) { return int64(len(f.now)), nil }

// Lock implements vfs.File.
func (f *diskFile) Lock(l vfs.LockLevel) error { f.lock = l; return nil }

// Unlock implements vfs.File.
func (f *diskFile) Unlock(l vfs.LockLevel) error { f.lock = l; return nil }

// LockState implements vfs.FileLockState.
func (f *diskFile) LockState() vfs.LockLevel { return f.lock }

// CheckReservedLock implements vfs.File.
func (f *diskFile) CheckReservedLock() (bool, error) { return false, nil }

// SectorSize implements vfs.File.
func (f *diskFile) SectorSize() int { return sectorSize }

// DeviceCharacteristics implements vfs.File: none of the promises that SQLite could lean on.
func (f *diskFile) DeviceCharacteristics() vfs.DeviceCharacteristic { return 0 }
