package engine

import (
	"fmt"

	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// notShadowed refuses a connection in which a temporary table or view has the name of a tracked table or of one of ours: every
// statement would mean that one, and rows would seem to be gone. https://sqlite.org/lang_naming.html
func (e *Engine) notShadowed() error {
	list, err := e.list("SELECT name FROM temp.sqlite_master WHERE type IN ('table', 'view')", 1)
	if err != nil || len(list) == 0 {
		return err
	}
	ours := map[string]bool{}
	for _, t := range e.tables {
		ours[sqltext.FoldName(t.name)] = true
		if t.schema == nil {
			continue
		}
		for _, fk := range t.schema.ForeignKeys {
			ours[sqltext.FoldName(fk.Parent)] = true
		}
	}
	own, err := e.list("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name LIKE 'tributary!_%' ESCAPE '!'", 1)
	if err != nil {
		return err
	}
	for _, r := range own {
		ours[sqltext.FoldName(string(r[0].Bytes()))] = true
	}
	for _, r := range list {
		if name := string(r[0].Bytes()); ours[sqltext.FoldName(name)] {
			return fmt.Errorf("%w: %s: drop it, or use a connection without it", ErrShadowed, name)
		}
	}
	return nil
}
