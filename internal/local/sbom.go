package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// component is a module that is part of a function, as CycloneDX has it.
// (https://cyclonedx.org/docs/1.6/json/)
type component struct {
	Type     string          `json:"type"`
	Ref      string          `json:"bom-ref"`
	Name     string          `json:"name"`
	Version  string          `json:"version"`
	PURL     string          `json:"purl"`
	Licenses []licenseChoice `json:"licenses"`
}

type licenseChoice struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

// sbom is a bill of materials.
type sbom struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Components []component `json:"components"`
}

// licenses are the words by which a license is known, the most particular first.
var licenses = []struct {
	id   string
	says *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License\s+Version 2\.0`)},
	{"MPL-2.0", regexp.MustCompile(`Mozilla Public License,? [Vv]ersion 2\.0`)},
	{"BSD-3-Clause", regexp.MustCompile(`(?s)Redistribution and use in source and binary forms.*[Nn]either the name`)},
	{"BSD-2-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge`)},
}

// licenseOf is the license in a module's folder.
func licenseOf(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "LICEN[SC]E*"))
	if err != nil {
		return "", err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		for _, l := range licenses {
			if l.says.Match(text) {
				return l.id, nil
			}
		}
	}
	return "", fmt.Errorf("%s has no license that is known", dir)
}

// materials prints what the functions that build made are made of, besides this repository: each module in them, with
// its version and license.
func materials(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("sbom", flag.ContinueOnError)
	dist := f.String("dist", "dist", "the directory in which build made the functions")
	if err := f.Parse(args); err != nil {
		return err
	}
	programs, err := filepath.Glob(filepath.Join(*dist, "*", "bootstrap"))
	if err != nil {
		return err
	}
	if len(programs) == 0 {
		return errors.New("no functions there: make build makes them")
	}
	modules := map[string]string{}
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return fmt.Errorf("%s: %w", program, err)
		}
		modules["std"] = strings.TrimPrefix(info.GoVersion, "go")
		for _, m := range info.Deps {
			modules[m.Path] = m.Version
		}
	}
	doc := sbom{Format: "CycloneDX", Spec: "1.6", Version: 1}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		c, err := componentOf(ctx, path, modules[path])
		if err != nil {
			return err
		}
		doc.Components = append(doc.Components, c)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

func componentOf(ctx context.Context, path, version string) (component, error) {
	purl := "pkg:golang/" + path + "@" + version
	c := component{Type: "library", Ref: purl, Name: path, Version: version, PURL: purl,
		Licenses: make([]licenseChoice, 1)}
	ask := []string{"list", "-m", "-f", "{{.Dir}}", path}
	if path == "std" {
		ask = []string{"env", "GOROOT"}
	}
	dir, err := exec.CommandContext(ctx, "go", ask...).Output()
	if err == nil {
		c.Licenses[0].License.ID, err = licenseOf(strings.TrimSpace(string(dir)))
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}
