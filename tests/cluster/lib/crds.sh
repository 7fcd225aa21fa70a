# shellcheck shell=bash
# Custom resources of others that the chart can make objects of, out of their own Go module.

fetch_crds() (
  [[ ! -e $crds ]] || return 0
  need_go
  mkdir -p "$crds.part"
  trap 'rm -rf "$crds.part"' EXIT
  cd "$crds.part" || exit
  module=$(go mod download -json "github.com/cert-manager/cert-manager@v$CERT_MANAGER") ||
    die "there is no cert-manager v$CERT_MANAGER to download"
  folder=$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$module")
  cp "$folder"/deploy/crds/*.yaml .
  mv "$crds.part" "$crds"
)
