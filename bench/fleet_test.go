//go:build linux

package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/nats"
	"github.com/tributary-db/tributary/transports/nats/embedded"
)

// replicas of BenchmarkFleet; TRIBUTARY_REPLICAS is another number.
const replicas = 1000

// usage is the processor time and the memory of this process.
func usage() (cpu time.Duration, rss int64) {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	b, _ := os.ReadFile("/proc/self/statm")
	if f := strings.Fields(string(b)); len(f) > 1 {
		pages, _ := strconv.ParseInt(f[1], 10, 64)
		rss = pages * int64(os.Getpagesize())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), rss
}

// BenchmarkFleet: one broker and many subscribers in one process, each with a connection and a consumer of its own. Ten of
// them publish packages of 1 KiB. It measures the broker and the transport; what a replica does with a package is
// BenchmarkApply's.
func BenchmarkFleet(b *testing.B) {
	n := replicas
	if env := os.Getenv("TRIBUTARY_REPLICAS"); env != "" {
		n, _ = strconv.Atoi(env)
	}
	if b.N == 1 && os.Getenv("TRIBUTARY_REPLICAS") == "" {
		n = 20 // a run that only shows that it works
	}
	srv, err := embedded.Start(embedded.Options{Dir: filepath.Join(b.TempDir(), "store")})
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	runtime.GC()
	_, rssBefore := usage()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var live, all sync.WaitGroup
	var delivered, again atomic.Int64
	var mu sync.Mutex
	var delays []time.Duration
	sites := make([]*nats.Transport, n)
	began := time.Now()
	for i := range sites {
		if sites[i], err = nats.Open(nats.Options{InProcess: srv, Call: 30 * time.Second}); err != nil {
			b.Fatal(err)
		}
		live.Add(1)
		tr, once := sites[i], new(sync.Once)
		all.Go(func() {
			defer tr.Close()
			var from transports.Cursor
			take := func(batch transports.Batch) error {
				now := time.Now().UnixNano()
				var took []time.Duration
				for _, p := range batch.Packages {
					took = append(took, time.Duration(now-int64(binary.BigEndian.Uint64(p.Body))))
				}
				delivered.Add(int64(len(took)))
				mu.Lock()
				delays = append(delays, took...)
				mu.Unlock()
				if from = batch.Cursor; batch.Live {
					once.Do(live.Done)
				}
				return nil
			}
			for ctx.Err() == nil { // a broker that is busy with the others lets a request wait for too long: as the loop does
				if err := tr.Subscribe(ctx, "d", from, take); err != nil && ctx.Err() == nil {
					again.Add(1)
					transports.Wait(ctx, 250*time.Millisecond+rand.N(250*time.Millisecond), nil)
				}
			}
		})
	}
	live.Wait()
	attach := time.Since(began)
	runtime.GC()
	_, rssIdle := usage()
	cpuBefore, _ := usage()
	start := time.Now()
	for v := range b.N {
		body := make([]byte, 1024)
		binary.BigEndian.PutUint64(body, uint64(time.Now().UnixNano()))
		binary.BigEndian.PutUint64(body[8:], uint64(v))
		site := v % min(10, n)
		p := transports.Package{DB: "d", Site: fmt.Sprint("s", site), From: uint64(v/10 + 1), To: uint64(v/10 + 1), ID: transports.PackageID(body), Body: body}
		if err := sites[site].Publish(ctx, p); err != nil {
			b.Fatal(err)
		}
	}
	want := int64(b.N) * int64(n)
	for delivered.Load() < want {
		if time.Since(start) > 5*time.Minute {
			b.Fatalf("%d of %d deliveries", delivered.Load(), want)
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(start)
	cpu, _ := usage()
	cancel()
	all.Wait()
	slices.Sort(delays)
	b.ReportMetric(float64(rssIdle-rssBefore)/float64(n)/1024, "KiB/replica")
	b.ReportMetric(float64((cpu-cpuBefore).Microseconds())/float64(want), "cpu-us/delivery")
	b.ReportMetric(float64(want)/took.Seconds(), "deliveries/s")
	b.ReportMetric(attach.Seconds()*1000/float64(n), "attach-ms/replica")
	b.ReportMetric(float64(again.Load()), "retries")
	b.ReportMetric(delays[len(delays)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(delays[len(delays)*99/100].Seconds()*1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}
