# shellcheck shell=bash
# Writes go.mod and go.sum of each Go module anew from the versions file.

pin() (
  need_go
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work" || exit
  kubernetes=$(download_go_mod "k8s.io/kubernetes@v$KUBERNETES")
  helm_unittest=$(download_go_mod "github.com/helm-unittest/helm-unittest@v$HELM_UNITTEST")
  go_mod "$kubernetes" "$helm_unittest" >go.mod
  tidy_into "$here"
  say "wrote tests/cluster/go.mod and go.sum for Kubernetes $KUBERNETES"
  own_go_mod "$kubernetes" apisix-ingress-controller "github.com/apache/apisix-ingress-controller v$APISIX_INGRESS_CONTROLLER" >go.mod
  tidy_into "$here/apisix-ingress-controller"
  say "wrote those of apisix-ingress-controller $APISIX_INGRESS_CONTROLLER"
  own_go_mod "$kubernetes" prometheus "github.com/prometheus/prometheus v$PROMETHEUS" >go.mod
  tidy_into "$here/prometheus"
  say "wrote those of Prometheus $PROMETHEUS"
)

tidy_into() { # tidy_into FOLDER: adds to go.mod what it lacks, and moves it there with its go.sum
  GOFLAGS=-mod=mod go mod tidy || die "the versions are not compatible: see the messages above"
  mv go.mod go.sum "$1/"
}

download_go_mod() { # download_go_mod MODULE@VERSION: prints the path of its go.mod
  local module
  module=$(go mod download -json "$1") || die "cannot download $1"
  sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p' <<<"$module"
}

# Excludes the version of k8s.io/utils that helm-unittest requires, where Kubernetes requires another.
excluded_utils() { # excluded_utils KUBERNETES_GO_MOD HELM_UNITTEST_GO_MOD
  local pattern='s|^\t\(k8s\.io/utils v[^ ]*\).*|\1|p' kept required
  kept=$(sed -n "$pattern" "$1")
  required=$(sed -n "$pattern" "$2")
  [[ $required == "$kept" ]] || echo "exclude $required"
}

go_mod() { # go_mod KUBERNETES_GO_MOD HELM_UNITTEST_GO_MOD
  cat <<END
// Written by tests/cluster/cluster pin: change tests/cluster/versions instead.
module apisix-prestop/tests/cluster

$(grep '^go ' "$1")

tool (
$(awk 'NF == 2 && $2 !~ /^\.\// { print "\t" $2 }' <<<"$components")
)

require (
	github.com/containerd/containerd/v2 v$CONTAINERD
	github.com/helm-unittest/helm-unittest v$HELM_UNITTEST
	github.com/norwoodj/helm-docs v$HELM_DOCS
	github.com/rhysd/actionlint v$ACTIONLINT
	github.com/yannh/kubeconform v$KUBECONFORM
	go.etcd.io/etcd/server/v3 v$ETCD
	helm.sh/helm/v4 v$HELM
	k8s.io/kubernetes v$KUBERNETES
	sigs.k8s.io/kwok v$KWOK
)

// As in helm-unittest's own go.mod: Go reads \`replace\` in the main module only.
replace github.com/vmware-labs/yaml-jsonpath => github.com/helm-unittest/yaml-jsonpath v$YAML_JSONPATH

// Kubernetes keeps the version that it requires: a newer one would compile all of it anew.
$(excluded_utils "$@")

// Kubernetes requires its own parts as v0.0.0 and finds them in folders that only its repository has.
replace (
$(sed -n "s|^\t\(k8s\.io/[^ ]*\) => \./staging/.*|\t\1 => \1 v0.${KUBERNETES#1.}|p" "$1")
)
END
}

# A Go module for programs that do not compile with the versions of the others, or would change them.
own_go_mod() { # own_go_mod KUBERNETES_GO_MOD FOLDER "MODULE VERSION"
  cat <<END
// Written by tests/cluster/cluster pin: change tests/cluster/versions instead.
module apisix-prestop/tests/cluster/$2

$(grep '^go ' "$1")

tool (
$(awk -v folder="$2" '$3 == folder { print "\t" $2 }' <<<"$components")
)

require $3
END
}
