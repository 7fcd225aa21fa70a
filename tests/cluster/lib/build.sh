# shellcheck shell=bash
# Builds every program, one at a time, into a cache folder named after a hash of all inputs.

# Name, Go package, and the folder of its Go module if it has another one. Programs in own/ are not in the PATH of `run`.
readonly components="
kube-apiserver           k8s.io/kubernetes/cmd/kube-apiserver
kube-controller-manager  k8s.io/kubernetes/cmd/kube-controller-manager
kube-scheduler           k8s.io/kubernetes/cmd/kube-scheduler
kubelet                  k8s.io/kubernetes/cmd/kubelet
kube-proxy               k8s.io/kubernetes/cmd/kube-proxy
kubectl                  k8s.io/kubernetes/cmd/kubectl
etcd                     go.etcd.io/etcd/server/v3
containerd               github.com/containerd/containerd/v2/cmd/containerd
containerd-shim-runc-v2  github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2
ctr                      github.com/containerd/containerd/v2/cmd/ctr
helm                     helm.sh/helm/v4/cmd/helm
kubeconform              github.com/yannh/kubeconform/cmd/kubeconform
helm-docs                github.com/norwoodj/helm-docs/cmd/helm-docs
helm-unittest            github.com/helm-unittest/helm-unittest/cmd/helm-unittest
promtool                 github.com/prometheus/prometheus/cmd/promtool prometheus
prometheus               github.com/prometheus/prometheus/cmd/prometheus prometheus
actionlint               github.com/rhysd/actionlint/cmd/actionlint
kwok                     sigs.k8s.io/kwok/cmd/kwok
apisix-ingress-controller github.com/apache/apisix-ingress-controller apisix-ingress-controller
own/pki                  ./pki
own/image                ./image
own/schemas              ./schemas
own/pause                ./pause
"

readonly build_flags=(-trimpath -buildvcs=false)

# Without a version, Kubernetes reports v0.0.0, and clients choose features by its version.
ldflags() { # ldflags NAME
  local kube=k8s.io/component-base/version minor=${KUBERNETES#1.}
  local flags="-s -w"
  case $1 in
    kube-* | kubelet | kubectl)
      flags+=" -X $kube.gitVersion=v$KUBERNETES -X $kube.gitMajor=1 -X $kube.gitMinor=${minor%%.*}"
      ;;
    kubeconform) flags+=" -X main.version=v$KUBECONFORM" ;;
    helm-docs) flags+=" -X main.version=$HELM_DOCS" ;;
    helm-unittest) flags+=" -X github.com/helm-unittest/helm-unittest/internal/build.version=$HELM_UNITTEST" ;;
    apisix-ingress-controller) flags+=" -X github.com/apache/apisix-ingress-controller/pkg/version._buildVersion=$APISIX_INGRESS_CONTROLLER" ;;
    actionlint) flags+=" -X github.com/rhysd/actionlint.version=$ACTIONLINT" ;;
    helm) flags+=" -X helm.sh/helm/v4/internal/version.version=v$HELM" ;;
    containerd* | ctr) flags+=" -X github.com/containerd/containerd/v2/version.Version=$CONTAINERD" ;;
  esac
  echo "$flags"
}

# No test needs a service discovery of Prometheus, and these bring the clients of every cloud.
tags() { # tags NAME
  case $1 in
    prom*) echo remove_all_sd ;;
  esac
}

tools_hash() {
  local name package module
  {
    echo "${build_flags[@]}"
    while read -r name package module; do
      echo "$name $package $module $(ldflags "$name") $(tags "$name")"
    done <<<"$components"
    cat "$here"/{.,apisix-ingress-controller,prometheus}/go.{mod,sum}
    find "$here" -name '*.go' ! -name '*_test.go' -print0 | sort -z | xargs -0 cat
  } | sha256sum | cut -c 1-12
}

build() { # build [NAME…]
  local name
  for name; do
    [[ $components == *$'\n'"$name "* ]] || bad_usage "there is no program $name to build"
  done
  if [[ -e $tools/complete ]]; then
    say "tools: cached ($tools)"
  else
    build_tools "$@"
  fi
}

build_tools() { # build_tools [NAME…]: all, or only those
  if [[ -e $tools/complete ]]; then
    # Marks this folder as in use: folders that are not used for a week are removed below.
    touch "$tools/complete"
    return
  fi
  need_go
  mkdir -p "$tools/own" "$cache/timings/own"

  local lock name package module
  exec {lock}>"$cache/build.lock"
  if ! flock --nonblock "$lock"; then
    say "another build is running: waiting for it"
    flock "$lock"
  fi
  while read -r name package module; do
    [[ -n $name && ! -x $tools/$name ]] || continue
    (($# == 0)) || [[ " $* " == *" $name "* ]] || continue
    build_component "$name" "$package" "$module"
  done <<<"$components"
  (($# > 0)) || touch "$tools/complete"
  exec {lock}>&-

  # A set takes 0.7 GB: keep those that were used in the last week.
  local old
  for old in "$cache"/tools-*; do
    [[ -n $(find "$old" -maxdepth 1 -mtime -7 -print -quit) ]] || rm -r "$old"
  done
}

build_component() { # build_component NAME PACKAGE [MODULE]
  local timing=$cache/timings/$1 log=$tools/build.log last="" began=$SECONDS
  [[ ! -s $timing ]] || last=" (last time $(duration "$(<"$timing")"))"
  printf 'building %s%s … ' "$1" "$last"
  if ! CGO_ENABLED=0 go build -C "$here/${3:-.}" "${build_flags[@]}" -tags "$(tags "$1")" -ldflags "$(ldflags "$1")" \
    -o "$tools/$1.part" "$2" 2>"$log"; then
    echo failed
    tail -n 30 "$log" >&2
    die "could not build $1"
  fi
  [[ $1 != kwok ]] || copy_stages >"$tools/kwok-stages.yaml"
  mv "$tools/$1.part" "$tools/$1"
  rm -f "$log"
  echo "$((SECONDS - began))" >"$timing"
  duration $((SECONDS - began))
}

# How kwok plays the kubelet: its nodes are Ready and renew their Leases, and its Pods run.
copy_stages() {
  local stages stage
  stages=$(go -C "$here" list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage
  for stage in "$stages"/node/{fast/node-initialize,heartbeat-with-lease/node-heartbeat-with-lease}.yaml "$stages"/pod/fast/pod-*.yaml; do
    cat "$stage"
    echo ---
  done
}

build_image() {
  build_tools >&2
  "$tools/own/image" -s "tools:/=$tools" "$@"
}
