//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestBrokerPowerCut: the broker's machine loses power, and with it what its disk had not really taken: the store is
// put back to a copy that was made while the broker ran, and the sequences of what was lost go to other packages. Nothing
// that was acknowledged is lost: the origin finds out at its tail and publishes again, also for a replica that comes
// later, while the one other replica that had it stays away; readers find out by their cursors.
func TestBrokerPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	nodes, store := newFleet(t, 4)
	broker, origin, witness, late := nodes[0], nodes[1], nodes[2], nodes[3]
	for _, n := range nodes {
		n.start()
	}
	inserted := map[string]bool{}
	insert := func(n *node, id string) {
		n.exec(fmt.Sprintf("INSERT INTO t VALUES ('%s', 'once', 0)", id))
		inserted[id] = true
	}
	all := func(n *node) func() bool {
		return func() bool {
			for id := range inserted {
				if !n.has(id) {
					return false
				}
			}
			return true
		}
	}
	for i := range 20 {
		insert(nodes[i%4], fmt.Sprintf("before%d", i))
	}
	for _, n := range nodes {
		waitFor(t, n.path+" has what was written before", all(n))
	}
	late.stop(syscall.SIGTERM)
	disk := filepath.Join(filepath.Dir(store), "disk")
	copyLive(t, store, disk)

	// Accepted by the broker, which tells the witness; then the power goes.
	for i := range 30 {
		insert(origin, fmt.Sprintf("lost%d", i))
		waitFor(t, "the witness has what the broker has accepted", all(witness))
	}
	witness.stop(syscall.SIGKILL)
	broker.stop(syscall.SIGKILL)
	if !bytesLost(t, store, disk) {
		t.Fatal("the copy has all that the store has: nothing would be lost")
	}
	if err := os.RemoveAll(store); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(disk, store); err != nil {
		t.Fatal(err)
	}
	// The origin sleeps until others have taken the sequences of what it had published.
	origin.signal(syscall.SIGSTOP)
	broker.start()
	late.start()
	for i := range 40 {
		id := fmt.Sprintf("after%d", i)
		insert(broker, id)
		waitFor(t, id+" on its way", func() bool { return late.has(id) })
	}
	insert(late, "of the late one")
	origin.signal(syscall.SIGCONT)
	for _, n := range []*node{broker, origin, late} {
		waitFor(t, n.path+" has everything", all(n))
	}
	witness.start()
	awaitEqual(t, nodes, inserted)
	for _, n := range nodes {
		n.stop(syscall.SIGTERM)
		if out, err := exec.Command(n.bin, "check", n.path).CombinedOutput(); err != nil {
			t.Errorf("check %s: %v\n%s", n.path, err, out)
		}
	}
	out, err := exec.Command(origin.bin, "status", "--json", origin.path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var status struct {
		Links []struct {
			TailLost   int64 `json:"tail_lost"`
			CursorLost int64 `json:"cursor_lost"`
		}
	}
	if err := json.Unmarshal(out, &status); err != nil || len(status.Links) != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	if l := status.Links[0]; l.CursorLost == 0 {
		t.Errorf("the origin has not noticed that the log was put back: %+v", l)
	}
}

// copyLive copies a folder whose files change meanwhile, as a disk has some of them and not others.
func copyLive(t *testing.T, from, to string) {
	t.Helper()
	var err error
	for range 20 {
		if err = os.RemoveAll(to); err != nil {
			break
		}
		if err = os.CopyFS(to, os.DirFS(from)); err == nil || !os.IsNotExist(err) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// bytesLost says whether the messages of a store are more than those of its copy.
func bytesLost(t *testing.T, store, disk string) bool {
	t.Helper()
	size := func(root string) (n int64) {
		list, err := filepath.Glob(filepath.Join(root, "jetstream", "*", "streams", "CRDT-default-0", "msgs", "*.blk"))
		if err != nil || len(list) == 0 {
			t.Fatalf("no messages in %s, %v", root, err)
		}
		for _, name := range list {
			if i, err := os.Stat(name); err == nil && !strings.HasSuffix(name, ".tmp") {
				n += i.Size()
			}
		}
		return n
	}
	return size(disk) < size(store)
}
