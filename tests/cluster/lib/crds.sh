# shellcheck shell=bash
# Copies the CustomResourceDefinitions of cert-manager, which the chart can use, from its Go module.

fetch_crds() (
  [[ ! -e $crds ]] || return 0
  need_go
  mkdir -p "$crds.part"
  trap 'rm -rf "$crds.part"' EXIT
  cd "$crds.part" || exit
  module=$(go mod download -json "github.com/cert-manager/cert-manager@v$CERT_MANAGER") ||
    die "cannot download cert-manager v$CERT_MANAGER"
  folder=$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$module")
  cp "$folder"/deploy/crds/*.yaml .
  mv "$crds.part" "$crds"
)
