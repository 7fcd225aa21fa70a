# shellcheck shell=bash
# Writes go.mod and go.sum anew from the versions file.

pin() (
  need_go
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work" || exit
  module=$(go mod download -json "k8s.io/kubernetes@v$KUBERNETES") || die "there is no Kubernetes v$KUBERNETES to download"
  go_mod "$(sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p' <<<"$module")" >go.mod
  GOFLAGS=-mod=mod go mod tidy || die "the versions do not go together: see the lines above"
  mv go.mod go.sum "$here/"
  say "wrote tests/cluster/go.mod and go.sum for Kubernetes $KUBERNETES"
)

go_mod() { # go_mod KUBERNETES_GO_MOD
  cat <<END
// Written by tests/cluster/cluster pin: change tests/cluster/versions instead.
module apisix-prestop/tests/cluster

$(grep '^go ' "$1")

tool (
$(awk '$2 ~ /\// && $2 !~ /^\.\// { print "\t" $2 }' <<<"$components")
)

require (
	github.com/containerd/containerd/v2 v$CONTAINERD
	github.com/norwoodj/helm-docs v$HELM_DOCS
	github.com/yannh/kubeconform v$KUBECONFORM
	go.etcd.io/etcd/server/v3 v$ETCD
	helm.sh/helm/v4 v$HELM
	k8s.io/kubernetes v$KUBERNETES
)

// Kubernetes requires its own parts as v0.0.0 and finds them in folders that only its repository has.
replace (
$(sed -n "s|^\t\(k8s\.io/[^ ]*\) => \./staging/.*|\t\1 => \1 v0.${KUBERNETES#1.}|p" "$1")
)
END
}
