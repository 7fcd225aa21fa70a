package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// An image is the result of the last stage of a Dockerfile.
type image struct {
	config config
	copies []copyStep
}

// A config has the fields of an image's configuration that a Dockerfile sets, as the OCI image specification names them.
type config struct {
	User         string              `json:",omitempty"`
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Env          []string            `json:",omitempty"`
	Entrypoint   []string            `json:",omitempty"`
	Cmd          []string            `json:",omitempty"`
	WorkingDir   string              `json:",omitempty"`
	Labels       map[string]string   `json:",omitempty"`
}

// A copyStep is a COPY --from, or the folder that WORKDIR creates (without paths).
type copyStep struct {
	at          string // file:line, for messages
	stage       string
	paths       []string
	destination string // absolute; a folder when it ends with /
	mode        fs.FileMode
	hasMode     bool
	uid, gid    int
}

type instruction struct {
	line           int
	name, argument string
}

func parse(file, content string) (*image, error) {
	instructions := split(content)
	last := -1
	for i, instruction := range instructions {
		if instruction.name == "FROM" {
			last = i
		}
	}
	if last < 0 {
		return nil, fmt.Errorf("%s: no FROM", file)
	}

	builder := builder{
		image:     &image{config: config{ExposedPorts: map[string]struct{}{}, Labels: map[string]string{}}},
		global:    map[string]string{},
		variables: map[string]string{},
	}
	// A stage can repeat an ARG from before the first FROM to use its value.
	for _, instruction := range instructions {
		if instruction.name != "ARG" {
			break
		}
		name, value, _ := strings.Cut(instruction.argument, "=")
		builder.global[name] = builder.expandWith(unquote(value), builder.global)
	}
	for _, instruction := range instructions[last:] {
		builder.at = fmt.Sprintf("%s:%d", file, instruction.line)
		if err := builder.apply(instruction); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", builder.at, instruction.name, err)
		}
	}
	return builder.image, nil
}

// split joins continued lines and leaves out comments.
func split(content string) []instruction {
	var found []instruction
	var text string
	begin := 0
	for i, line := range strings.Split(content, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if text == "" {
			begin = i + 1
		}
		if strings.HasSuffix(line, `\`) {
			text += strings.TrimSuffix(line, `\`) + " "
			continue
		}
		name, argument, _ := strings.Cut(text+line, " ")
		found = append(found, instruction{begin, strings.ToUpper(name), strings.TrimSpace(argument)})
		text = ""
	}
	return found
}

type builder struct {
	image     *image
	at        string
	global    map[string]string
	variables map[string]string // ARG and ENV of this stage
}

func (b *builder) apply(instruction instruction) error {
	argument, config := instruction.argument, &b.image.config
	switch instruction.name {
	case "FROM":
		base, rest, _ := strings.Cut(argument, " ")
		if words := strings.Fields(rest); base != "scratch" || (len(words) != 0 && (len(words) != 2 || !strings.EqualFold(words[0], "AS"))) {
			return fmt.Errorf("only `FROM scratch` is supported, not %q", argument)
		}
	case "ARG":
		name, value, hasValue := strings.Cut(argument, "=")
		if hasValue {
			b.variables[name] = b.expand(unquote(value))
		} else {
			b.variables[name] = b.global[name]
		}
	case "ENV", "LABEL":
		return b.pairs(instruction.name, argument)
	case "COPY":
		return b.copy(argument)
	case "USER":
		config.User = b.expand(argument)
	case "WORKDIR":
		config.WorkingDir = path.Join("/", config.WorkingDir, b.expand(argument))
		if path.IsAbs(b.expand(argument)) {
			config.WorkingDir = path.Clean(b.expand(argument))
		}
		b.image.copies = append(b.image.copies, copyStep{at: b.at, destination: config.WorkingDir + "/"})
	case "EXPOSE":
		for _, port := range strings.Fields(b.expand(argument)) {
			if !strings.Contains(port, "/") {
				port += "/tcp"
			}
			config.ExposedPorts[port] = struct{}{}
		}
	case "ENTRYPOINT":
		return command(argument, &config.Entrypoint)
	case "CMD":
		return command(argument, &config.Cmd)
	default:
		return fmt.Errorf("this instruction is not supported")
	}
	return nil
}

func command(argument string, into *[]string) error {
	*into = nil
	if err := json.Unmarshal([]byte(argument), into); err != nil {
		return fmt.Errorf(`only the JSON form is supported, as in ["/program"]: %s`, argument)
	}
	return nil
}

var pair = regexp.MustCompile(`^([A-Za-z0-9_.\-/]+|"[^"]+")=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']*)(?:\s+|$)`)

func (b *builder) pairs(name, argument string) error {
	config := &b.image.config
	for rest := argument; rest != ""; {
		match := pair.FindStringSubmatch(rest)
		if match == nil {
			return fmt.Errorf("expected NAME=value, found %q", rest)
		}
		rest = rest[len(match[0]):]
		key, value := unquote(match[1]), unquote(match[2])
		if !strings.HasPrefix(match[2], "'") {
			value = b.expand(value)
		}
		if name == "LABEL" {
			config.Labels[key] = value
			continue
		}
		config.Env = append(config.Env, key+"="+value)
		b.variables[key] = value
	}
	return nil
}

func (b *builder) copy(argument string) error {
	step := copyStep{at: b.at}
	words := strings.Fields(b.expand(argument))
	if strings.HasPrefix(argument, "[") {
		return fmt.Errorf("the JSON form is not supported")
	}
	for len(words) > 0 && strings.HasPrefix(words[0], "--") {
		if err := step.option(words[0]); err != nil {
			return err
		}
		words = words[1:]
	}
	if step.stage == "" {
		return fmt.Errorf("only COPY --from=STAGE is supported")
	}
	if len(words) < 2 {
		return fmt.Errorf("a source and a destination are required")
	}
	step.paths, step.destination = words[:len(words)-1], words[len(words)-1]
	if len(step.paths) > 1 && !strings.HasSuffix(step.destination, "/") {
		return fmt.Errorf("with several sources the destination must end with /")
	}
	isFolder := strings.HasSuffix(step.destination, "/") || step.destination == "."
	if !path.IsAbs(step.destination) {
		step.destination = path.Join("/", b.image.config.WorkingDir, step.destination)
	}
	step.destination = path.Clean(step.destination)
	if isFolder && step.destination != "/" {
		step.destination += "/"
	}
	b.image.copies = append(b.image.copies, step)
	return nil
}

var owner = regexp.MustCompile(`^(\d+)(?::(\d+))?$`)

func (s *copyStep) option(word string) error {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "--from":
		s.stage = value
	case "--link":
	case "--chmod":
		mode, err := strconv.ParseUint(value, 8, 9)
		if err != nil {
			return fmt.Errorf("%s: only an octal number is supported", word)
		}
		s.mode, s.hasMode = fs.FileMode(mode), true
	case "--chown":
		match := owner.FindStringSubmatch(value)
		if match == nil {
			return fmt.Errorf("%s: only numbers are supported", word)
		}
		s.uid, _ = strconv.Atoi(match[1])
		s.gid = s.uid
		if match[2] != "" {
			s.gid, _ = strconv.Atoi(match[2])
		}
	default:
		return fmt.Errorf("the option %s is not supported", word)
	}
	return nil
}

func (b *builder) expand(text string) string { return b.expandWith(text, b.variables) }

func (b *builder) expandWith(text string, variables map[string]string) string {
	return os.Expand(text, func(name string) string {
		name, fallback, _ := strings.Cut(name, ":-")
		if value := variables[name]; value != "" {
			return value
		}
		return fallback
	})
}

func unquote(text string) string {
	if len(text) >= 2 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0] {
		return strings.ReplaceAll(text[1:len(text)-1], `\"`, `"`)
	}
	return text
}
