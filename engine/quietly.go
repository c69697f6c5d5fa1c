package engine

import (
	"errors"
	"fmt"

	"github.com/tributary-db/tributary/crdt"
)

// quietly runs f, which writes to the user's table, without capturing it as a local change. Triggers of the user run,
// so that full-text indexes and the like stay true, unless one of them, or one that they set off, writes to tracked
// tables, whose effects come with the changes of their origin and would be made twice, or can refuse rows: what was
// accepted where it was written must not be refused here. Nor do they run for a row for which they fail.
//
// The capture triggers run too, unless there are many rows and no triggers but ours, and what they log is taken out of the feed
// again. What was there before stays.
func (e *Engine) quietly(t *table, rows int, f func() error) (err error) {
	rest, err := e.mustRest(t)
	if err != nil {
		return err
	}
	last, err := e.one("SELECT ifnull(max(pos), 0) FROM tributary_feed")
	if err != nil {
		return err
	}
	defer func() {
		rerr := e.run(fmt.Sprintf("DELETE FROM tributary_feed WHERE pos > ?1 AND mask IS NOT %d", maskAbsorb), last)
		if err == nil {
			err = rerr
		}
	}()
	if rows >= manyRows && len(t.schema.Triggers) == 0 && e.conn.Undisturbed(e.inUpdate) || rest {
		was, err := e.conn.EnableTriggers(false)
		if err != nil {
			return err
		}
		defer e.conn.EnableTriggers(was)
	}
	return f()
}

// mustRest says whether the user's triggers must not run while the engine writes to the table.
func (e *Engine) mustRest(t *table) (bool, error) {
	if t.rests == nil {
		rest, err := e.findRest(t)
		if err != nil {
			return false, err
		}
		t.rests = &rest
	}
	return *t.rests, nil
}

func (e *Engine) findRest(t *table) (bool, error) {
	if len(t.schema.Triggers) == 0 {
		return false, nil
	}
	for _, g := range t.schema.chained {
		if g.refuses || t.schema.resolves && g.resolves { // orAbort would take the place of what it says
			return true, nil
		}
		for _, w := range g.Writes {
			if e.tracked(w) != nil {
				return true, nil
			}
		}
	}
	// A trigger may need what only the application has, as a function of its own. That shows when the statements that set it
	// off are compiled; if they fail without it too, those who run them will say so.
	cols := ordinals(t.live())
	list := []string{t.insertSQL(cols), t.sql.remove}
	if len(cols) > 0 {
		list = append(list, t.updateSQL(cols))
	}
	for _, sql := range list {
		s, err := e.conn.Prepare(sql)
		if isCode(err, codeError) {
			return true, nil
		} else if err != nil {
			return false, err
		}
		if err := s.Close(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// triggersMayFail says whether an error of a statement that wrote to the table can come from a trigger of the user. Not
// those of the disk and the like, which would come again.
func (t *table) triggersMayFail(err error) bool {
	if err == nil || len(t.schema.Triggers) == 0 {
		return false
	}
	for _, c := range []int{codeError, codeConstraint, codeMismatch, codeTooBig} {
		if isCode(err, c) {
			return true
		}
	}
	var ec ErrorCode
	return errors.As(err, &ec) && ec.SQLiteCode() == codeCorruptVTab
}

// writeUser runs a statement that writes to the user's table; where a trigger of the user may be what makes it fail, once
// more without the triggers.
func (e *Engine) writeUser(t *table, rows [][]crdt.Value, sql string) error {
	err := e.runRows(rows, sql)
	if !t.triggersMayFail(err) {
		return err
	}
	was, serr := e.conn.EnableTriggers(false)
	if serr != nil || !was {
		return errors.Join(err, serr)
	}
	err = e.runRows(rows, sql)
	_, serr = e.conn.EnableTriggers(true)
	return errors.Join(err, serr)
}
