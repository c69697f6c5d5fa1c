package crdt

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// The JSON form is for carriers that cannot take bytes, and for people. Integers that may exceed what readers of
// JSON keep exact are strings. It is as strict as the binary form but has no checksum and no canonical bytes.
type (
	packageJSON struct {
		Format    int           `json:"format"`
		Starts    bool          `json:"starts,omitempty"`
		Ends      bool          `json:"ends,omitempty"`
		Bulk      bool          `json:"bulk,omitempty"`
		LocalOnly bool          `json:"local_only,omitempty"`
		Sender    Site          `json:"sender"`
		Scope     uint64        `json:"scope,string"`
		Since     int64         `json:"since,string"`
		Until     int64         `json:"until,string"`
		Part      int           `json:"part"`
		Sent      Time          `json:"sent,string"`
		Covers    []coverJSON   `json:"covers,omitempty"`
		Needs     VersionVector `json:"needs,omitempty"`
		Before    VersionVector `json:"before,omitempty"`
		Tables    []tableJSON   `json:"tables,omitempty"`
		Rows      []rowJSON     `json:"rows,omitempty"`
	}
	coverJSON struct {
		Site Site    `json:"site"`
		From Version `json:"from,string"`
		To   Version `json:"to,string"`
		Prev ChainID `json:"prev"`
		ID   ChainID `json:"id"`

		Forgotten Version `json:"forgotten,string,omitempty"`
	}
	tableJSON struct {
		Name    string   `json:"name"`
		Key     []string `json:"key"`
		Columns []string `json:"columns,omitempty"`
	}
	rowJSON struct {
		Table   int        `json:"table"`
		Key     []Value    `json:"key"`
		Deleted []Dot      `json:"deleted,omitempty"`
		Deleter *stampJSON `json:"deleter,omitempty"`
		Lives   []lifeJSON `json:"lives,omitempty"`
	}
	stampJSON struct {
		Time    Time    `json:"time,string"`
		Site    Site    `json:"site"`
		Version Version `json:"version,string"`
	}
	lifeJSON struct {
		Full   bool        `json:"full,omitempty"`
		Birth  stampJSON   `json:"birth"`
		Newer  []groupJSON `json:"newer,omitempty"`
		Values []Value     `json:"values,omitempty"` // of the columns that are there, ascending
	}
	groupJSON struct {
		Columns []int     `json:"columns"`
		Write   stampJSON `json:"write"`
	}
)

// MarshalText gives 16 hex digits.
func (c ChainID) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads 16 hex digits.
func (c *ChainID) UnmarshalText(text []byte) error {
	var d ChainID
	if len(text) != 2*len(d) {
		return fmt.Errorf("crdt: chain id %.40q: want %d hex digits", text, 2*len(d))
	}
	if _, err := hex.Decode(d[:], text); err != nil {
		return fmt.Errorf("crdt: chain id %q: not hex digits", text)
	}
	*c = d
	return nil
}

// MarshalJSON gives the lossless JSON form of the package.
func (p *Package) MarshalJSON() ([]byte, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	j := packageJSON{
		Format: formatVersion,
		Starts: p.Starts, Ends: p.Ends, Bulk: p.Bulk, LocalOnly: p.LocalOnly,
		Sender: p.Sender, Scope: p.Scope, Since: p.Since, Until: p.Until, Part: p.Part, Sent: p.Sent,
		Needs: p.Needs, Before: p.Before,
	}
	for _, c := range p.Covers {
		j.Covers = append(j.Covers, coverJSON(c))
	}
	for _, t := range p.Tables {
		j.Tables = append(j.Tables, tableJSON(t))
	}
	for i := range p.Rows {
		c := &p.Rows[i]
		row := rowJSON{Table: c.Table, Key: c.Key, Deleted: c.Deleted}
		if !c.Deleter.IsZero() {
			s := stampJSON(c.Deleter)
			row.Deleter = &s
		}
		for k := range c.Lives {
			row.Lives = append(row.Lives, lifeToJSON(&c.Lives[k]))
		}
		j.Rows = append(j.Rows, row)
	}
	return json.Marshal(j)
}

func lifeToJSON(l *LiveChange) lifeJSON {
	j := lifeJSON{Full: l.Full, Birth: stampJSON(l.Birth.Stamp)}
	for _, g := range l.Newer {
		var columns []int
		for c := range g.Columns.Columns() {
			columns = append(columns, c)
		}
		j.Newer = append(j.Newer, groupJSON{columns, stampJSON(g.Write.Stamp)})
	}
	for c := range l.Has.Columns() {
		v, _ := l.Value(c)
		j.Values = append(j.Values, v)
	}
	return j
}

// UnmarshalJSON reads what MarshalJSON writes, and judges it as DecodePackage does. After an error p is as it was.
func (p *Package) UnmarshalJSON(b []byte) error {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &version); err != nil {
		return fmt.Errorf("crdt: package: %w: %w", ErrCorrupt, err)
	}
	if version.Format != formatVersion {
		return fmt.Errorf("crdt: package: JSON of format version %d: %w", version.Format, ErrUnsupported)
	}
	var j packageJSON
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return fmt.Errorf("crdt: package: %w: %w", ErrCorrupt, err)
	}
	q := Package{
		Starts: j.Starts, Ends: j.Ends, Bulk: j.Bulk, LocalOnly: j.LocalOnly,
		Sender: j.Sender, Scope: j.Scope, Since: j.Since, Until: j.Until, Part: j.Part, Sent: j.Sent,
		Needs: j.Needs, Before: j.Before,
	}
	for _, c := range j.Covers {
		q.Covers = append(q.Covers, Cover(c))
	}
	for _, t := range j.Tables {
		q.Tables = append(q.Tables, Table(t))
	}
	if err := q.validateHeader(); err != nil {
		return fmt.Errorf("crdt: package: %w: %w", ErrCorrupt, err)
	}
	if err := q.rowsFromJSON(j.Rows, maxWeight(DefaultLimits().Cells, uint64(len(b)))); err != nil {
		return err
	}
	if err := q.validate(); err != nil {
		return fmt.Errorf("crdt: package: %w: %w", ErrCorrupt, err)
	}
	*p = q
	return nil
}

func (p *Package) rowsFromJSON(rows []rowJSON, weight uint64) error {
	for i, r := range rows {
		if r.Table < 0 || r.Table >= len(p.Tables) {
			return fmt.Errorf("crdt: package: row %d of table %d of %d: %w", i, r.Table, len(p.Tables), ErrCorrupt)
		}
		columns := len(p.Tables[r.Table].Columns)
		c := RowChange{Table: r.Table, Key: r.Key, Deleted: r.Deleted}
		if r.Deleter != nil {
			c.Deleter = Stamp(*r.Deleter)
		}
		for _, j := range r.Lives {
			l, err := lifeFromJSON(&j, columns, &weight)
			if err != nil {
				return fmt.Errorf("crdt: package: row %d: %w", i, err)
			}
			c.Lives = append(c.Lives, l)
		}
		p.Rows = append(p.Rows, c)
	}
	return nil
}

func lifeFromJSON(j *lifeJSON, columns int, weight *uint64) (LiveChange, error) {
	l := LiveChange{Full: j.Full, Incarnation: Incarnation{Birth: Write{Stamp: Stamp(j.Birth)}}}
	for _, g := range j.Newer {
		var set ColumnSet
		for _, c := range g.Columns {
			if c < 0 || c >= columns || set.Has(c) {
				return l, fmt.Errorf("column %d of %d: %w", c, columns, ErrCorrupt)
			}
			set.Add(c)
		}
		l.Newer = append(l.Newer, CellGroup{set, Write{Stamp: Stamp(g.Write)}})
		l.Has = l.Has.Union(set)
	}
	if l.Full {
		l.Has = FirstColumns(columns)
	}
	if len(j.Values) != l.Has.Len() {
		return l, fmt.Errorf("%d values of %d columns: %w", len(j.Values), l.Has.Len(), ErrCorrupt)
	}
	bound := l.Has.Bound()
	if uint64(bound) > *weight {
		return l, fmt.Errorf("values in too few columns of too many: %w", ErrLimit)
	}
	*weight -= uint64(bound)
	l.Values = make([]Value, bound)
	i := 0
	for c := range l.Has.Columns() {
		l.Values[c] = j.Values[i]
		i++
	}
	return l, nil
}
