package app

import (
	"bytes"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"stockbridge/internal/testsize"
)

// columns is how wide a line of code may be, a tab counted as four.
const columns = 120

// TestColumns: no line of code is wider than a reader's window. Lines of raw strings are what they are: documents in
// tests, and tags of fields.
func TestColumns(t *testing.T) {
	testsize.Unraced(t) // it reads texts
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return leaveOut(err)
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		raw := rawLines(data)
		for n, line := range bytes.Split(data, []byte("\n")) {
			if width := utf8.RuneCount(line) + 3*bytes.Count(line, []byte("\t")); width > columns && !raw[n+1] {
				t.Errorf("%s:%d has %d columns", path, n+1, width)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// leaveOut leaves a directory out, unless reading it failed.
func leaveOut(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}

// rawLines are the numbers of the lines on which a raw string stands.
func rawLines(data []byte) map[int]bool {
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(data))
	var s scanner.Scanner
	s.Init(file, data, nil, 0)
	lines := map[int]bool{}
	for {
		at, kind, text := s.Scan()
		if kind == token.EOF {
			return lines
		}
		if kind == token.STRING && strings.HasPrefix(text, "`") {
			for n := range strings.Count(text, "\n") + 1 {
				lines[set.Position(at).Line+n] = true
			}
		}
	}
}
