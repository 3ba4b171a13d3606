package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// buildFlags make the binaries for Lambda small. lambda.norpc leaves out the
// protocol of a runtime that AWS has retired. nethttpomithttp2 leaves out HTTP/2,
// which pays only where many calls share a connection; a function makes few at a time.
var buildFlags = []string{"build", "-trimpath", "-tags=lambda.norpc,nethttpomithttp2", "-ldflags=-s -w -buildid="}

// build makes dist/<function>.zip, each with a static linux/arm64 bootstrap. The
// same source gives the same bytes.
func build(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("build", flag.ContinueOnError)
	dist := f.String("out", "dist", "the directory of the zips")
	if err := f.Parse(args); err != nil {
		return err
	}
	mains, err := filepath.Glob("functions/*/main.go")
	if err != nil {
		return err
	}
	if len(mains) == 0 {
		return errors.New("no functions/ here: run it from the repository's root")
	}
	for _, main := range mains {
		name := filepath.Base(filepath.Dir(main))
		bootstrap := filepath.Join(*dist, name, "bootstrap")
		cmd := exec.CommandContext(ctx, "go", append(buildFlags, "-o", bootstrap, "./functions/"+name)...)
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOFLAGS=")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build %s: %w", name, err)
		}
		binary, err := os.ReadFile(bootstrap)
		if err != nil {
			return err
		}
		packed, err := pack(binary)
		if err != nil {
			return fmt.Errorf("zip %s: %w", name, err)
		}
		file := filepath.Join(*dist, name+".zip")
		if err := os.WriteFile(file, packed, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(out, "%-28s %5.2f MB   (bootstrap %5.2f MB)\n", file, float64(len(packed))/1e6,
			float64(len(binary))/1e6)
	}
	return nil
}

func pack(bootstrap []byte) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(bootstrap); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}
