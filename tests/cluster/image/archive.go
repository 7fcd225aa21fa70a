package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A file of the image. It has no times, so that the same input gives the same bytes.
type file struct {
	mode     fs.FileMode
	uid, gid int
	source   string // path of a regular file's content on this machine
	link     string // target of a symbolic link
}

// collect returns path in the image (without a leading /) → file.
func collect(steps []copyStep, sources sources) (map[string]file, error) {
	files := map[string]file{}
	for _, step := range steps {
		if len(step.paths) == 0 {
			add(files, step.destination, file{mode: fs.ModeDir | 0o755})
		}
		for _, from := range step.paths {
			place, ok := sources.locate(step.stage, from)
			if !ok {
				return nil, fmt.Errorf("%s: COPY: there is no source for %s of stage %s: add -s %s:PREFIX=DIR", step.at, from, step.stage, step.stage)
			}
			if err := step.copy(files, from, place); err != nil {
				return nil, fmt.Errorf("%s: COPY: %w", step.at, err)
			}
		}
	}
	return files, nil
}

// copy works like COPY: it copies the content of a folder, and a file into a folder or to a new name.
func (s copyStep) copy(files map[string]file, from, place string) error {
	info, err := os.Stat(place)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		target := s.destination
		if strings.HasSuffix(target, "/") {
			target += path.Base(from)
		}
		return s.copyOne(files, target, place, info)
	}
	return filepath.WalkDir(place, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(place, name)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return s.copyOne(files, path.Join(s.destination, relative), name, info)
	})
}

func (s copyStep) copyOne(files map[string]file, target, place string, info fs.FileInfo) error {
	mode := info.Mode()
	if s.hasMode && mode.Type() != fs.ModeSymlink {
		mode = mode.Type() | s.mode
	}
	entry := file{mode: mode, uid: s.uid, gid: s.gid}
	switch mode.Type() {
	case fs.ModeDir:
	case fs.ModeSymlink:
		link, err := os.Readlink(place)
		if err != nil {
			return err
		}
		entry.link = link
	case 0:
		entry.source = place
	default:
		return fmt.Errorf("%s is neither a file, a folder nor a symbolic link", place)
	}
	add(files, target, entry)
	return nil
}

// add also creates the parent folders.
func add(files map[string]file, target string, entry file) {
	target = strings.Trim(path.Clean(target), "/")
	if target == "" {
		return
	}
	for parent := path.Dir(target); parent != "."; parent = path.Dir(parent) {
		if _, known := files[parent]; !known {
			files[parent] = file{mode: fs.ModeDir | 0o755}
		}
	}
	files[target] = entry
}

// writeArchive writes a temporary file first, so that the file at out is always complete.
func writeArchive(out, tag string, config config, files map[string]file) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(out), filepath.Base(out)+".part-*")
	if err != nil {
		return err
	}
	defer func() {
		temporary.Close()
		if err != nil {
			os.Remove(temporary.Name())
		}
	}()
	if err := writeImage(temporary, tag, config, files); err != nil {
		return err
	}
	if err := temporary.Chmod(0o644); err != nil {
		return err
	}
	if err := temporary.Close(); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), out)
}

func writeImage(out io.Writer, tag string, config config, files map[string]file) error {
	var layer bytes.Buffer
	if err := writeLayer(&layer, files); err != nil {
		return err
	}
	digest := func(content []byte) string { return fmt.Sprintf("%x", sha256.Sum256(content)) }

	type object = map[string]any
	description, err := json.Marshal(object{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"created":      time.Unix(0, 0).UTC(),
		"config":       config,
		"rootfs":       object{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer.Bytes())}},
	})
	if err != nil {
		return err
	}
	configName := digest(description) + ".json"
	manifest, err := json.Marshal([]object{{"Config": configName, "RepoTags": []string{tag}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}

	archive := tar.NewWriter(out)
	for _, entry := range []struct {
		name    string
		content []byte
	}{{"manifest.json", manifest}, {configName, description}, {"layer.tar", layer.Bytes()}} {
		header := &tar.Header{Name: entry.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(entry.content)), ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(entry.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func writeLayer(out io.Writer, files map[string]file) error {
	layer := tar.NewWriter(out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeFile(layer, name, files[name]); err != nil {
			return err
		}
	}
	return layer.Close()
}

func writeFile(layer *tar.Writer, name string, entry file) error {
	header := &tar.Header{
		Name: name, Uid: entry.uid, Gid: entry.gid, ModTime: time.Unix(0, 0),
		Mode: int64(entry.mode.Perm()) | specialBits(entry.mode),
	}
	var content []byte
	switch entry.mode.Type() {
	case fs.ModeDir:
		header.Typeflag, header.Name = tar.TypeDir, name+"/"
	case fs.ModeSymlink:
		header.Typeflag, header.Linkname = tar.TypeSymlink, entry.link
	default:
		var err error
		if content, err = os.ReadFile(entry.source); err != nil {
			return err
		}
		header.Typeflag, header.Size = tar.TypeReg, int64(len(content))
	}
	if err := layer.WriteHeader(header); err != nil {
		return err
	}
	_, err := layer.Write(content)
	return err
}

// Unlike tar, Go does not store these with the permissions.
func specialBits(mode fs.FileMode) (bits int64) {
	if mode&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if mode&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if mode&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}
