// Command image writes a docker-archive of the last stage of a Dockerfile, without a daemon, a registry or a base image.
// Instead of other stages, the stage copies from folders of this machine, where the caller has built their files.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

// run returns the exit code: 2 for an error in the arguments or the Dockerfile, 1 for an error of the machine.
func run(arguments []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dockerfile := flags.String("f", "", "Dockerfile to read")
	tag := flags.String("t", "", "NAME:TAG of the image")
	out := flags.String("o", "", "FILE.tar to write")
	var sources sources
	flags.Var(&sources, "s", "STAGE:PREFIX=DIR, may be given more than once")

	fail := func(code int, err error) int {
		fmt.Fprintln(stderr, "build-image:", err)
		return code
	}
	if err := flags.Parse(arguments); err != nil {
		return fail(2, err)
	}
	switch {
	case flags.NArg() > 0:
		return fail(2, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	case *dockerfile == "" || *tag == "" || *out == "":
		return fail(2, errors.New("-f DOCKERFILE, -t NAME:TAG and -o FILE.tar are required"))
	case !strings.Contains(filepath.Base(*tag), ":"):
		return fail(2, fmt.Errorf("-t %s: a tag is missing, as in NAME:TAG", *tag))
	}
	content, err := os.ReadFile(*dockerfile)
	if err != nil {
		return fail(1, err)
	}
	image, err := parse(*dockerfile, string(content))
	if err != nil {
		return fail(2, err)
	}
	files, err := collect(image.copies, sources)
	if err != nil {
		return fail(2, err)
	}
	if err := writeArchive(*out, *tag, image.config, files); err != nil {
		return fail(1, err)
	}
	return 0
}

// A source is the folder on this machine that has the files of another stage.
type source struct{ stage, prefix, dir string }

type sources []source

func (s *sources) String() string { return "" }

func (s *sources) Set(value string) error {
	stage, rest, ok := strings.Cut(value, ":")
	prefix, dir, ok2 := strings.Cut(rest, "=")
	if !ok || !ok2 || stage == "" || !strings.HasPrefix(prefix, "/") || dir == "" {
		return fmt.Errorf("expected STAGE:/PREFIX=DIR, found %q", value)
	}
	*s = append(*s, source{stage, filepath.Clean(prefix), dir})
	return nil
}

// locate returns where a path of a stage is on this machine. The longest matching prefix decides.
func (s sources) locate(stage, path string) (string, bool) {
	path = filepath.Join("/", path)
	var best *source
	for i, candidate := range s {
		inside := path == candidate.prefix || strings.HasPrefix(path, strings.TrimSuffix(candidate.prefix, "/")+"/")
		if candidate.stage == stage && inside && (best == nil || len(candidate.prefix) > len(best.prefix)) {
			best = &s[i]
		}
	}
	if best == nil {
		return "", false
	}
	return filepath.Join(best.dir, strings.TrimPrefix(path, best.prefix)), true
}
