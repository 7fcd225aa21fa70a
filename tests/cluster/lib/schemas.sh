# shellcheck shell=bash
# Writes JSON schemas for kubeconform from the OpenAPI document in the Go module of Kubernetes.

schemas() {
  build_tools
  local version minor target made_from
  for version in ${SCHEMA_VERSIONS//,/ }; do
    [[ $version =~ ^1\.[0-9]+\.[0-9]+$ ]] || bad_usage "SCHEMA_VERSIONS: '$version' is not like 1.37.1"
    minor=${version%.*}
    target=$cache/schemas/v$minor
    made_from="$version $(sha256sum "$here"/schemas/main.go | cut -c 1-12)"
    if [[ -e $target/made-from && $(<"$target/made-from") == "$made_from" ]]; then
      say "schemas of v$version: cached"
    else
      write_schemas "$version" "$target" "$made_from"
    fi
  done
  say "use: kubeconform -strict -schema-location '$cache/schemas/v$minor/{{.ResourceKind}}{{.KindSuffix}}.json'"
}

write_schemas() ( # write_schemas VERSION TARGET MADE_FROM
  need_go
  began=$SECONDS
  mkdir -p "$cache/schemas"
  work=$(mktemp -d "$cache/schemas/download.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' INT TERM HUP
  cd "$work" || exit

  printf 'schemas of v%s … ' "$1"
  # A temporary module cache: a release takes 120 MB, and only one file of it is needed.
  module=$(GOMODCACHE=$work/modules GOFLAGS=-modcacherw go mod download -json "k8s.io/kubernetes@v$1") ||
    die "cannot download Kubernetes v$1"
  folder=$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$module")
  "$tools/own/schemas" -swagger "$folder/api/openapi-spec/swagger.json" -out "$work/schemas"
  echo "$3" >"$work/schemas/made-from"
  rm -rf "$2"
  mv "$work/schemas" "$2"
  duration $((SECONDS - began))
)
