package main

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestConvert(t *testing.T) {
	tests := map[string]struct{ from, want string }{
		"descriptions go": {
			`{"type": "string", "description": "text", "format": "byte"}`,
			`{"type": "string"}`,
		},
		"known properties close an object, and those not required may be null": {
			`{"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"$ref": "#/definitions/X"}}}`,
			`{"type": "object", "required": ["a"], "additionalProperties": false,
			  "properties": {"a": {"type": "string"}, "b": {"type": ["integer", "null"]}, "c": {"anyOf": [{"$ref": "#/definitions/X"}, {"type": "null"}]}}}`,
		},
		"nested objects are closed": {
			`{"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}}`,
			`{"type": "array", "items": {"type": "object", "additionalProperties": false, "properties": {"a": {"type": ["string", "null"]}}}}`,
		},
		"an object without properties stays open": {
			`{"type": "object"}`,
			`{"type": "object"}`,
		},
		"unknown fields that are kept": {
			`{"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"a": {"type": "string"}}}`,
			`{"type": "object", "properties": {"a": {"type": ["string", "null"]}}}`,
		},
		"maps": {
			`{"type": "object", "additionalProperties": {"type": "string", "description": "text"}}`,
			`{"type": "object", "additionalProperties": {"type": "string"}}`,
		},
		"int or string": {
			`{"type": "string", "format": "int-or-string"}`,
			`{"type": ["string", "integer"]}`,
		},
		"a property that is called $ref": {
			`{"type": "object", "properties": {"$ref": {"type": "string"}}}`,
			`{"type": "object", "additionalProperties": false, "properties": {"$ref": {"type": ["string", "null"]}}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := reread(t, convert(decode(t, test.from)))
			if want := decode(t, test.want); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func TestAFileHoldsAllThatItRefersToAndNoMore(t *testing.T) {
	definitions := map[string]object{
		"Thing": decode(t, `{"type": "object", "properties": {"next": {"$ref": "#/definitions/Thing"}, "size": {"$ref": "#/definitions/`+quantity+`"}},
			"x-kubernetes-group-version-kind": [{"group": "networking.k8s.io", "version": "v1", "kind": "Thing"}, {"group": "", "version": "v1", "kind": "Thing"}]}`),
		quantity: decode(t, `{"type": "string"}`),
		"Other":  decode(t, `{"type": "object"}`),
	}
	files, err := generate(definitions)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 || files["thing-v1.json"] == nil {
		t.Fatalf("got %d files, want thing-v1.json and thing-networking-v1.json", len(files))
	}
	got := files["thing-networking-v1.json"]["definitions"].(map[string]object)
	if len(got) != 2 || got["Thing"] == nil {
		t.Errorf("got definitions %v, want Thing and Quantity", got)
	}
	if want := (object{"type": []any{"string", "number"}}); !reflect.DeepEqual(got[quantity], want) {
		t.Errorf("Quantity is %v, want %v", got[quantity], want)
	}
}

func TestAReferenceToNothingIsAnError(t *testing.T) {
	_, err := generate(map[string]object{"Thing": decode(t, `{"properties": {"a": {"$ref": "#/definitions/None"}},
		"x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "Thing"}]}`)})
	if err == nil {
		t.Error("no error")
	}
}

func decode(t *testing.T, text string) object {
	t.Helper()
	var result object
	if err := json.Unmarshal([]byte(text), &result); err != nil {
		t.Fatal(err)
	}
	return result
}

// As it will be read: Go's own types differ from those that JSON gives.
func reread(t *testing.T, schema object) object {
	t.Helper()
	content, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, string(content))
}
