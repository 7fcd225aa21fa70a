package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestTheLastStageBecomesTheConfiguration(t *testing.T) {
	tests := map[string]struct {
		dockerfile string
		want       config
	}{
		"only the last stage counts": {
			"FROM rust AS build\nRUN cargo build\nFROM scratch AS final\nUSER 65532:65532\n",
			config{User: "65532:65532"},
		},
		"JSON commands": {
			"FROM scratch\nENTRYPOINT [\"/app\", \"serve\"]\nCMD [\"--help\"]\n",
			config{Entrypoint: []string{"/app", "serve"}, Cmd: []string{"--help"}},
		},
		"ports are TCP unless they say otherwise": {
			"FROM scratch\nEXPOSE 8443 53/udp\n",
			config{ExposedPorts: map[string]struct{}{"8443/tcp": {}, "53/udp": {}}},
		},
		"labels with defaults of ARG": {
			"FROM scratch\nARG VERSION=1.2\nLABEL a=$VERSION b=\"v${VERSION} x\" c='$VERSION' d=${NONE:-none}\n",
			config{Labels: map[string]string{"a": "1.2", "b": "v1.2 x", "c": "$VERSION", "d": "none"}},
		},
		"an ARG before the first FROM, repeated in the stage": {
			"ARG VERSION=7\nFROM scratch AS one\nFROM scratch\nARG VERSION\nLABEL v=$VERSION\n",
			config{Labels: map[string]string{"v": "7"}},
		},
		"continued lines and comments": {
			"# syntax=docker/dockerfile:1\nFROM scratch\nENV A=1 \\\n    # why\n    B=\"2 3\"\n",
			config{Env: []string{"A=1", "B=2 3"}},
		},
		"an inner WORKDIR is relative to the one before": {
			"FROM scratch\nWORKDIR /a\nWORKDIR b\n",
			config{WorkingDir: "/a/b"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			image, err := parse("Dockerfile", test.dockerfile)
			if err != nil {
				t.Fatal(err)
			}
			if test.want.Labels == nil {
				test.want.Labels = map[string]string{}
			}
			if test.want.ExposedPorts == nil {
				test.want.ExposedPorts = map[string]struct{}{}
			}
			if !reflect.DeepEqual(image.config, test.want) {
				t.Errorf("got %+v, want %+v", image.config, test.want)
			}
		})
	}
}

func TestErrorsNameFileAndLine(t *testing.T) {
	tests := map[string]struct{ dockerfile, want string }{
		"no stage":              {"# nothing\n", "Dockerfile: no FROM"},
		"another base":          {"FROM scratch\n\nFROM debian\n", "Dockerfile:3: FROM: only `FROM scratch`"},
		"RUN":                   {"FROM scratch\nRUN true\n", "Dockerfile:2: RUN: this instruction is not supported"},
		"HEALTHCHECK":           {"FROM scratch\nHEALTHCHECK NONE\n", "Dockerfile:2: HEALTHCHECK: this instruction"},
		"a shell command":       {"FROM scratch\nENTRYPOINT /app\n", "Dockerfile:2: ENTRYPOINT: only the JSON form"},
		"COPY from the context": {"FROM scratch\nCOPY a /a\n", "Dockerfile:2: COPY: only COPY --from=STAGE"},
		"an unknown option":     {"FROM scratch\nCOPY --from=b --parents /a /a\n", "Dockerfile:2: COPY: the option --parents"},
		"a named owner":         {"FROM scratch\nCOPY --from=b --chown=root /a /a\n", "Dockerfile:2: COPY: --chown=root: only numbers"},
		"no destination":        {"FROM scratch\nCOPY --from=b /a\n", "Dockerfile:2: COPY: a source and a destination are required"},
		"many to one":           {"FROM scratch\nCOPY --from=b /a /b /c\n", "Dockerfile:2: COPY: with several sources"},
		"the old form of ENV":   {"FROM scratch\nENV A b\n", "Dockerfile:2: ENV: expected NAME=value"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parse("Dockerfile", test.dockerfile)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s…", err, test.want)
			}
		})
	}
}
