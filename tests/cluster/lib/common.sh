# shellcheck shell=bash
# Names, paths, messages, and the packages that the test cluster requires.

readonly existing_cluster="use an existing cluster: make e2e CLUSTER=existing (docs/development.md)"

say() { echo "cluster: $*"; }

die() {
  echo "cluster: $*" >&2
  exit 1
}

setup() {
  [[ $(uname -s) == Linux ]] || die "the test cluster requires Linux: $existing_cluster"

  name=${CLUSTER_NAME:-test}
  # The name is part of paths, of a cgroup and of the node's name.
  [[ $name =~ ^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$ ]] ||
    bad_usage "CLUSTER_NAME must be 1 to 32 of a-z, 0-9 and -, and must not begin or end with -: '$name'"

  local schema_versions=${SCHEMA_VERSIONS:-}
  source "$here/versions"
  SCHEMA_VERSIONS=${schema_versions:-$SCHEMA_VERSIONS}

  cache=${APISIX_PRESTOP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/apisix-prestop}
  state=${APISIX_PRESTOP_STATE:-/var/tmp/apisix-prestop}/$name
  cgroup=apisix-prestop-$name
  tools=$cache/tools-$(tools_hash)
  cert_manager_crds=$cache/crds/cert-manager-v$CERT_MANAGER
  apisix_crds=$cache/crds/apisix-ingress-controller-v$APISIX_INGRESS_CONTROLLER
  gateway_api_crds=$cache/crds/gateway-api-v$GATEWAY_API
}

need_root() {
  ((EUID == 0)) || die "run as root, or $existing_cluster"
}

need_go() {
  command -v go >/dev/null ||
    die "Go is missing: install the version in tests/cluster/go.mod or a newer one (https://go.dev/doc/install)"
}

# Debian package, and a file or command that shows whether it is installed.
readonly packages="
runc                     runc
containernetworking-plugins /usr/lib/cni/ptp
iptables                 iptables
conntrack                conntrack
iproute2                 ip
busybox-static           busybox
faketime                 faketime
"

install_packages() {
  local package probe missing=()
  while read -r package probe; do
    [[ -z $package ]] || command -v "$probe" >/dev/null || missing+=("$package")
  done <<<"$packages"
  ((${#missing[@]} > 0)) || return 0
  command -v apt-get >/dev/null ||
    die "apt-get is missing: install ${missing[*]} in another way, or $existing_cluster"

  say "installing ${missing[*]}"
  local log
  log=$(mktemp)
  # The package lists of a new machine are empty or outdated.
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"; } \
    &>"$log"; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    die "apt-get could not install ${missing[*]}"
  fi
  rm -f "$log"
}

duration() { # duration SECONDS
  if (($1 < 60)); then echo "$1 s"; else echo "$(($1 / 60)) m $(($1 % 60)) s"; fi
}
