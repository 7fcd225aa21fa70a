# shellcheck shell=bash
# Copies CustomResourceDefinitions from Go modules: those of cert-manager, which every cluster gets, and those that the
# ingress controller of APISIX reads, which tests install.

fetch_crds() {
  copy_crds "$cert_manager_crds" "github.com/cert-manager/cert-manager@v$CERT_MANAGER" deploy/crds
  copy_crds "$apisix_crds" "github.com/apache/apisix-ingress-controller@v$APISIX_INGRESS_CONTROLLER" samples/deploy/crd/v1
  # The controller watches v1alpha2 of TCPRoute, TLSRoute and UDPRoute, which the standard channel no longer serves.
  copy_crds "$gateway_api_crds" "sigs.k8s.io/gateway-api@v$GATEWAY_API" config/crd/experimental
}

copy_crds() ( # copy_crds TARGET MODULE@VERSION FOLDER
  [[ ! -e $1 ]] || return 0
  need_go
  mkdir -p "$1.part"
  trap 'rm -rf "$1.part"' EXIT
  cd "$1.part" || exit
  module=$(go mod download -json "$2") || die "cannot download $2"
  folder=$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$module")/$3
  mapfile -t files < <(grep -l '^kind: CustomResourceDefinition$' "$folder"/*.yaml)
  cp "${files[@]}" .
  mv "$1.part" "$1"
)
