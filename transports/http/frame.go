package http

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/tributary-db/tributary/transports"
)

// frame is the line before a package's bytes.
type frame struct {
	DB   string `json:"db"`
	Site string `json:"site"`
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	ID   string `json:"id"`
	Size int    `json:"size"`
}

// maxLine bounds the line: names are short.
const maxLine = 8 << 10

func writeFrames(w io.Writer, ps []transports.Package) error {
	for _, p := range ps {
		line, err := json.Marshal(frame{p.DB, p.Site, p.From, p.To, p.ID, len(p.Body)})
		if err != nil {
			return err
		}
		if len(line) >= maxLine {
			return fmt.Errorf("http: names of %d bytes are too long", len(line))
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
		if _, err := w.Write(p.Body); err != nil {
			return err
		}
	}
	return nil
}

// errFrame is what is wrong with frames that are none, or are cut off.
var errFrame = errors.New("http: the packages are cut off or are none")

// readFrames reads packages to the end of r. Bodies beyond max bytes are refused before they are read; a package whose
// bytes are not those of its name is left out and counted.
func readFrames(r io.Reader, max int) (out []transports.Package, damaged int, err error) {
	b := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := b.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return out, damaged, nil
		}
		if err != nil {
			return nil, damaged, fmt.Errorf("%w: %w", errFrame, err)
		}
		var f frame
		if err := json.Unmarshal(line, &f); err != nil || f.Size < 0 {
			return nil, damaged, errFrame
		}
		if f.Size > max {
			return nil, damaged, fmt.Errorf("%w: %d bytes, the limit is %d", transports.ErrTooLarge, f.Size, max)
		}
		// What really comes is allocated: a size is only a claim.
		body, err := io.ReadAll(io.LimitReader(b, int64(f.Size)))
		if err == nil && len(body) < f.Size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, damaged, fmt.Errorf("%w: %w", errFrame, err)
		}
		p := transports.Package{DB: f.DB, Site: f.Site, From: f.From, To: f.To, ID: f.ID, Body: body}
		if !p.Intact() {
			damaged++
			continue
		}
		out = append(out, p)
	}
}
