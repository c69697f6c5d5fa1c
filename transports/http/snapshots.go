package http

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"net/url"
	"strconv"

	"github.com/tributary-db/tributary/transports"
)

// kept is the medium behind the handler, if it keeps snapshots.
func (h *Handler) kept() (transports.Snapshots, error) {
	s, ok := h.t.(transports.Snapshots)
	if !ok {
		return nil, &statusError{nethttp.StatusNotImplemented, "the medium keeps no snapshots"}
	}
	return s, nil
}

func (h *Handler) putSnapshot(w nethttp.ResponseWriter, r *nethttp.Request) error {
	kept, err := h.kept()
	if err != nil {
		return err
	}
	q := r.URL.Query()
	size, err := strconv.ParseInt(q.Get("size"), 10, 64)
	s := transports.Snapshot{DB: q.Get("db"), Site: q.Get("site"), ID: q.Get("id"), Size: size}
	if err != nil {
		return &statusError{nethttp.StatusBadRequest, "a snapshot without its size"}
	}
	if size > h.o.MaxSnapshot {
		return fmt.Errorf("%w: %d bytes, the limit is %d", transports.ErrTooLarge, size, h.o.MaxSnapshot)
	}
	body := bufio.NewReader(nethttp.MaxBytesReader(w, r.Body, h.o.MaxSnapshot+maxAbout))
	if s.Info, err = readAbout(body); err != nil {
		return &statusError{nethttp.StatusBadRequest, err.Error()}
	}
	if err := s.Valid(); err != nil && !errors.Is(err, transports.ErrTooLarge) {
		return &statusError{nethttp.StatusBadRequest, err.Error()}
	}
	return kept.PutSnapshot(r.Context(), s, body)
}

// maxAbout bounds the line before the content.
const maxAbout = 2*transports.SnapshotInfo + 1<<10

// readAbout reads the line before the content.
func readAbout(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if line = append(line, part...); len(line) > maxAbout {
			return nil, transports.ErrTooLarge
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return nil, errFrame
		}
		var info []byte
		if json.Unmarshal(line, &info) != nil {
			return nil, errFrame
		}
		return info, nil
	}
}

func (h *Handler) listSnapshots(w nethttp.ResponseWriter, r *nethttp.Request) error {
	kept, err := h.kept()
	if err != nil {
		return err
	}
	list, err := kept.Snapshots(r.Context(), r.URL.Query().Get("db"))
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(list)
}

func (h *Handler) getSnapshot(w nethttp.ResponseWriter, r *nethttp.Request) error {
	kept, err := h.kept()
	if err != nil {
		return err
	}
	q := r.URL.Query()
	list, err := kept.Snapshots(r.Context(), q.Get("db"))
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.ID != q.Get("id") {
			continue
		}
		content, err := kept.OpenSnapshot(r.Context(), s)
		if err != nil {
			return err
		}
		defer content.Close()
		w.Header().Set("Content-Type", "application/vnd.tributary.snapshot")
		w.Header().Set("Content-Length", strconv.FormatInt(s.Size, 10))
		_, _ = io.Copy(w, content) // a client that gets less than the length notices
		return nil
	}
	return transports.ErrNoSnapshot
}

// PutSnapshot posts a snapshot as one request.
func (t *Transport) PutSnapshot(ctx context.Context, s transports.Snapshot, content io.Reader) error {
	if err := s.Valid(); err != nil {
		return err
	}
	ctx, cancel := t.alive(ctx)
	defer cancel()
	about, err := json.Marshal(s.Info)
	if err != nil {
		return err
	}
	q := url.Values{"db": {s.DB}, "site": {s.Site}, "id": {s.ID}, "size": {strconv.FormatInt(s.Size, 10)}}
	res, err := t.call(ctx, nethttp.MethodPost, "snapshot", q, io.MultiReader(bytes.NewReader(append(about, '\n')), transports.Whole(s, content)))
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Snapshots gets the list.
func (t *Transport) Snapshots(ctx context.Context, db string) ([]transports.Snapshot, error) {
	ctx, cancel := t.alive(ctx)
	defer cancel()
	res, err := t.call(ctx, nethttp.MethodGet, "snapshots", url.Values{"db": {db}}, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var out []transports.Snapshot
	return out, json.NewDecoder(io.LimitReader(res.Body, maxList)).Decode(&out)
}

// maxList bounds a list of snapshots.
const maxList = 64 << 20

// OpenSnapshot gets the content of one.
func (t *Transport) OpenSnapshot(ctx context.Context, s transports.Snapshot) (io.ReadCloser, error) {
	ctx, cancel := t.alive(ctx)
	res, err := t.call(ctx, nethttp.MethodGet, "snapshot", url.Values{"db": {s.DB}, "id": {s.ID}}, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	return &content{transports.Whole(s, res.Body), res.Body, cancel}, nil
}

// content is the body of an answer, whose context ends with it.
type content struct {
	io.Reader
	body   io.Closer
	cancel context.CancelFunc
}

func (c *content) Close() error {
	c.cancel()
	return c.body.Close()
}
