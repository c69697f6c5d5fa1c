package replicator

import (
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// FileEvents tells of writes to a database file and to its journal or log, by what the operating system says of their
// folder. Where it says nothing (no such service, a network mount) the channel stays silent, and polling has to do.
func FileEvents(path string) (<-chan struct{}, func()) {
	if path == "" {
		return nil, func() {}
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, func() {}
	}
	if err := w.Add(filepath.Dir(path)); err != nil {
		w.Close()
		return nil, func() {}
	}
	out := make(chan struct{}, 1)
	go func() {
		for e := range w.Events {
			// NAME, NAME-wal and NAME-journal; the shared memory of the log is written by readers too.
			rest, ok := strings.CutPrefix(filepath.Base(e.Name), filepath.Base(path))
			if ok && (rest == "" || rest == "-wal" || rest == "-journal") {
				poke(out)
			}
		}
	}()
	go func() {
		for range w.Errors { // an overflow means that events were lost; polling finds what they told of
			poke(out)
		}
	}()
	return out, func() { w.Close() }
}
