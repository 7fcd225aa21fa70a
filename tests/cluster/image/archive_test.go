package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A folder as another stage would have made it: /out/app, /out/etc/conf, /out/etc/link → conf.
func stage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "app"), []byte("program"), 0o755))
	must(t, os.Mkdir(filepath.Join(dir, "etc"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "etc", "conf"), []byte("a=1"), 0o644))
	must(t, os.Symlink("conf", filepath.Join(dir, "etc", "link")))
	return dir
}

func TestCopyPutsFilesWhereDockerDoes(t *testing.T) {
	tests := map[string]struct {
		instruction string
		want        []string
	}{
		"a file under a new name":     {"COPY --from=build /out/app /usr/bin/prog", []string{"drwxr-xr-x 0:0 usr/", "drwxr-xr-x 0:0 usr/bin/", "-rwxr-xr-x 0:0 usr/bin/prog"}},
		"a file into a folder":        {"COPY --from=build /out/app /bin/", []string{"drwxr-xr-x 0:0 bin/", "-rwxr-xr-x 0:0 bin/app"}},
		"the content of a folder":     {"COPY --from=build /out/etc /", []string{"-rw-r--r-- 0:0 conf", "Lrwxrwxrwx 0:0 link → conf"}},
		"several":                     {"COPY --from=build /out/app /out/etc/conf /x/", []string{"drwxr-xr-x 0:0 x/", "-rwxr-xr-x 0:0 x/app", "-rw-r--r-- 0:0 x/conf"}},
		"with mode and owner":         {"COPY --from=build --chmod=0500 --chown=7:8 /out/app /app", []string{"-r-x------ 7:8 app"}},
		"an owner alone is group too": {"COPY --from=build --chown=7 /out/app /app", []string{"-rwxr-xr-x 7:7 app"}},
		"relative to WORKDIR":         {"WORKDIR /w\nCOPY --from=build /out/app .", []string{"drwxr-xr-x 0:0 w/", "-rwxr-xr-x 0:0 w/app"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			image, err := parse("Dockerfile", "FROM scratch\n"+test.instruction+"\n")
			must(t, err)
			files, err := collect(image.copies, sources{{"build", "/out", stage(t)}})
			must(t, err)
			var layer bytes.Buffer
			must(t, writeLayer(&layer, files))
			if got := list(t, &layer); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestTheLongestPrefixTellsWhereAFileIs(t *testing.T) {
	sources := sources{{"build", "/", "/everything"}, {"build", "/out", "/here"}, {"other", "/out/app", "/wrong"}}
	tests := map[string]string{"/out/app": "/here/app", "out/app": "/here/app", "/out": "/here", "/output": "/everything/output", "/": "/everything"}
	for path, want := range tests {
		if got, ok := sources.locate("build", path); !ok || got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	if place, ok := sources.locate("unknown", "/out"); ok {
		t.Errorf("a stage without a source is at %s", place)
	}
}

func TestTheSameInputMakesTheSameBytes(t *testing.T) {
	var outputs [2]string
	for i := range outputs {
		dir := stage(t)
		must(t, os.Chtimes(filepath.Join(dir, "app"), time.Now(), time.Unix(int64(i), 0)))
		out := filepath.Join(t.TempDir(), "image.tar")
		if code := build(t, "FROM scratch\nCOPY --from=build /out/ /\n", dir, out, io.Discard); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		content, err := os.ReadFile(out)
		must(t, err)
		outputs[i] = string(content)
	}
	if outputs[0] != outputs[1] {
		t.Error("two builds of the same files differ")
	}
}

func TestAFailureLeavesNoOutput(t *testing.T) {
	tests := map[string]struct {
		dockerfile string
		code       int
		want       string
	}{
		"an unsupported instruction":         {"FROM scratch\nRUN true\n", 2, "Dockerfile:2: RUN"},
		"a stage without a source":           {"FROM scratch\nCOPY --from=x /a /a\n", 2, "Dockerfile:2: COPY: there is no source for /a of stage x"},
		"a missing file":                     {"FROM scratch\nCOPY --from=build /out/none /a\n", 2, "no such file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			var message bytes.Buffer
			code := build(t, test.dockerfile, stage(t), filepath.Join(folder, "image.tar"), &message)
			if code != test.code || !strings.Contains(message.String(), test.want) || strings.Count(message.String(), "\n") != 1 {
				t.Errorf("exit code %d and %q, want %d and one line with %q", code, message.String(), test.code, test.want)
			}
			if left, _ := os.ReadDir(folder); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestBadUsageIsExitCode2(t *testing.T) {
	tests := map[string][]string{
		"nothing given":        {},
		"no tag in the name":   {"-f", "x", "-o", "y", "-t", "localhost:5000/name"},
		"a source without dir": {"-f", "x", "-o", "y", "-t", "a:b", "-s", "build:/out"},
		"an extra argument":    {"-f", "x", "-o", "y", "-t", "a:b", "more"},
	}
	for name, arguments := range tests {
		t.Run(name, func(t *testing.T) {
			if code := run(arguments, io.Discard); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
		})
	}
}

func build(t *testing.T, dockerfile, dir, out string, stderr io.Writer) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Dockerfile")
	must(t, os.WriteFile(path, []byte(dockerfile), 0o644))
	return run([]string{"-f", path, "-t", "app:1", "-s", "build:/out=" + dir, "-o", out}, stderr)
}

func list(t *testing.T, layer io.Reader) []string {
	t.Helper()
	var lines []string
	for reader := tar.NewReader(layer); ; {
		header, err := reader.Next()
		if err == io.EOF {
			return lines
		}
		must(t, err)
		line := fmt.Sprintf("%v %d:%d %s", header.FileInfo().Mode(), header.Uid, header.Gid, header.Name)
		if header.Linkname != "" {
			line += " → " + header.Linkname
		}
		lines = append(lines, line)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
