// Command schemas turns the OpenAPI document of a Kubernetes release into JSON schemas for kubeconform:
// one self-contained, strict file for each group, version and kind.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type object = map[string]any

const refPrefix = "#/definitions/"

// The document calls it a string, although numbers are taken too (`cpu: 1`).
const quantity = "io.k8s.apimachinery.pkg.api.resource.Quantity"

func main() {
	swagger := flag.String("swagger", "", "OpenAPI document to read (api/openapi-spec/swagger.json)")
	out := flag.String("out", "", "folder to write into")
	flag.Parse()
	if err := write(*swagger, *out); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func write(swagger, out string) error {
	content, err := os.ReadFile(swagger)
	if err != nil {
		return err
	}
	var document struct{ Definitions map[string]object }
	if err := json.Unmarshal(content, &document); err != nil {
		return fmt.Errorf("%s: %w", swagger, err)
	}
	files, err := generate(document.Definitions)
	if err != nil {
		return fmt.Errorf("%s: %w", swagger, err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for name, schema := range files {
		content, err := json.Marshal(schema)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns file name → schema.
func generate(definitions map[string]object) (map[string]object, error) {
	strict := map[string]object{}
	for name, definition := range definitions {
		strict[name] = convertDefinition(name, definition)
	}
	files := map[string]object{}
	for name, definition := range definitions {
		for _, kind := range kinds(definition) {
			needed := map[string]object{}
			if err := collect(strict, name, needed); err != nil {
				return nil, err
			}
			files[kind.fileName()] = object{
				"$schema":     "http://json-schema.org/draft-07/schema#",
				"definitions": needed,
				"allOf": []any{
					object{"$ref": refPrefix + name},
					object{
						"required": []string{"apiVersion", "kind"},
						"properties": object{
							"apiVersion": object{"const": kind.apiVersion()},
							"kind":       object{"const": kind.kind},
						},
					},
				},
			}
		}
	}
	return files, nil
}

type groupVersionKind struct{ group, version, kind string }

func kinds(definition object) []groupVersionKind {
	var found []groupVersionKind
	list, _ := definition["x-kubernetes-group-version-kind"].([]any)
	for _, entry := range list {
		fields := entry.(object)
		found = append(found, groupVersionKind{fields["group"].(string), fields["version"].(string), fields["kind"].(string)})
	}
	return found
}

func (k groupVersionKind) apiVersion() string {
	if k.group == "" {
		return k.version
	}
	return k.group + "/" + k.version
}

// fileName is what kubeconform makes of {{.ResourceKind}}{{.KindSuffix}}.json: of the group only the first label.
func (k groupVersionKind) fileName() string {
	parts := []string{k.kind}
	if k.group != "" {
		parts = append(parts, strings.SplitN(k.group, ".", 2)[0])
	}
	return strings.ToLower(strings.Join(append(parts, k.version), "-")) + ".json"
}

// collect adds to needed the named definition and all that it refers to.
func collect(definitions map[string]object, name string, needed map[string]object) error {
	if _, done := needed[name]; done {
		return nil
	}
	definition, known := definitions[name]
	if !known {
		return fmt.Errorf("a reference to %s, which is not defined", name)
	}
	needed[name] = definition
	return collectReferences(definitions, definition, needed)
}

func collectReferences(definitions map[string]object, node any, needed map[string]object) error {
	switch node := node.(type) {
	case object:
		if ref, ok := node["$ref"].(string); ok {
			return collect(definitions, strings.TrimPrefix(ref, refPrefix), needed)
		}
		for _, child := range node {
			if err := collectReferences(definitions, child, needed); err != nil {
				return err
			}
		}
	case []any:
		for _, child := range node {
			if err := collectReferences(definitions, child, needed); err != nil {
				return err
			}
		}
	}
	return nil
}

func convertDefinition(name string, definition object) object {
	if name == quantity {
		return object{"type": []any{"string", "number"}}
	}
	return convert(definition)
}

// convert keeps what decides about validity, and closes every object whose properties are known.
func convert(schema object) object {
	if ref, ok := schema["$ref"]; ok {
		return object{"$ref": ref}
	}
	if schema["format"] == "int-or-string" || schema["x-kubernetes-int-or-string"] == true {
		return object{"type": []any{"string", "integer"}}
	}
	result := object{}
	for _, key := range []string{"type", "required", "enum"} {
		if value, ok := schema[key]; ok {
			result[key] = value
		}
	}
	if items, ok := schema["items"].(object); ok {
		result["items"] = convert(items)
	}
	if values, ok := schema["additionalProperties"].(object); ok {
		result["additionalProperties"] = convert(values)
	}
	properties, ok := schema["properties"].(object)
	if !ok {
		return result
	}
	required, _ := schema["required"].([]any)
	converted := object{}
	for name, property := range properties {
		converted[name] = convert(property.(object))
		// The API server takes null for a field that may be left out.
		if !slices.Contains(required, any(name)) {
			converted[name] = orNull(converted[name].(object))
		}
	}
	result["properties"] = converted
	if _, open := result["additionalProperties"]; !open && schema["x-kubernetes-preserve-unknown-fields"] != true {
		result["additionalProperties"] = false
	}
	return result
}

func orNull(schema object) object {
	_, closed := schema["enum"]
	if kind, ok := schema["type"].(string); ok && !closed {
		schema["type"] = []any{kind, "null"}
		return schema
	}
	return object{"anyOf": []any{schema, object{"type": "null"}}}
}
