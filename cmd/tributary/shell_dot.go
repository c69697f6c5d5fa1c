package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// shellHelp is what .help prints; it is part of the command's help too.
const shellHelp = `Dot commands, each on a line of its own:
  .bail on|off       end a script with its first error (on)
  .headers on|off    print column names
  .help              this
  .mode MODE         list, column, json, csv, box, line, table or quote
  .quit              end; so do .exit and Ctrl-D
  .read FILE         run the statements in a file
  .schema [NAME]     the statements that made the tables, or those whose names match NAME (% and _ are wildcards)
  .tables [NAME]     the names of tables and views; without NAME those of Tributary's own tables are left out`

// dot runs one dot command.
func (s *shell) dot(ctx context.Context, line string) error {
	words := strings.Fields(line)
	name, args := words[0], words[1:]
	one := func() (string, error) {
		if len(args) != 1 {
			return "", fmt.Errorf("%s needs one argument; see .help", name)
		}
		return args[0], nil
	}
	pattern := ""
	if len(args) > 0 {
		pattern = args[0]
	}
	switch name {
	case ".help":
		fmt.Fprintln(s.out, shellHelp)
	case ".quit", ".exit":
		return errQuit
	case ".mode":
		m, err := one()
		if err != nil {
			return err
		}
		return s.setMode(m)
	case ".headers", ".header", ".bail":
		on, err := one()
		if err != nil {
			return err
		}
		return s.setSwitch(name, on)
	case ".tables":
		return s.tables(pattern)
	case ".schema":
		return s.schema(pattern)
	case ".read":
		// The rest of the line is the name: it may hold blanks.
		file := strings.Trim(strings.TrimSpace(strings.TrimPrefix(line, name)), `"'`)
		if file == "" {
			return fmt.Errorf(".read needs the name of a file")
		}
		return s.read(ctx, file)
	default:
		return fmt.Errorf("unknown command %s; see .help", cell(name, 40))
	}
	return nil
}

func (s *shell) setMode(name string) error {
	if !slices.Contains(modeNames(), name) {
		return fmt.Errorf("mode %q is not one of %s", name, strings.Join(modeNames(), ", "))
	}
	s.mode = name
	return nil
}

func (s *shell) setSwitch(name, value string) error {
	var on bool
	switch strings.ToLower(value) {
	case "on", "yes", "1", "true":
		on = true
	case "off", "no", "0", "false":
	default:
		return fmt.Errorf("%s needs on or off", name)
	}
	if name == ".bail" {
		s.bail = on
	} else {
		s.headers = &on
	}
	return nil
}

// ownFilter leaves out what belongs to SQLite and to the engine, unless a pattern asks for it by name.
const ownFilter = ` AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND (?1 <> '' OR name NOT LIKE 'tributary\_%' ESCAPE '\')`

func (s *shell) tables(pattern string) error {
	names, err := s.names(`SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')
		AND (?1 = '' OR name LIKE ?1)`+ownFilter+` ORDER BY name`, pattern)
	if err != nil {
		return err
	}
	s.printNames(names)
	return nil
}

func (s *shell) schema(pattern string) error {
	texts, err := s.names(`SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL
		AND (?1 = '' OR tbl_name LIKE ?1 OR name LIKE ?1)`+ownFilter+` ORDER BY rowid`, pattern)
	if err != nil {
		return err
	}
	for _, t := range texts {
		fmt.Fprintln(s.out, t)
	}
	return nil
}

func (s *shell) names(sql, pattern string) ([]string, error) {
	stmt, _, err := s.conn.Prepare(sql)
	if err != nil {
		return nil, err
	}
	defer stmt.Close()
	if err := stmt.BindText(1, pattern); err != nil {
		return nil, err
	}
	var names []string
	for stmt.Step() {
		names = append(names, stmt.ColumnText(0))
	}
	return names, stmt.Err()
}

// printNames prints names in columns of one width, down and then across, in 80 characters, as the sqlite3 program does.
func (s *shell) printNames(names []string) {
	width := 0
	for _, n := range names {
		width = max(width, textWidth(n))
	}
	perLine := max(1, 80/(width+2))
	lines := (len(names) + perLine - 1) / perLine
	for l := range lines {
		for i := l; i < len(names); i += lines {
			if i > l {
				s.out.WriteString("  ")
			}
			s.out.WriteString(names[i] + strings.Repeat(" ", width-textWidth(names[i])))
		}
		s.out.WriteByte('\n')
	}
}
