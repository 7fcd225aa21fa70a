#!/usr/bin/env bash
# The first process in the cluster's namespaces: it starts the components and waits for each to be ready.
# When it ends, so do they all. `cluster up` starts it, with all that is set here coming from its environment.
set -euo pipefail

# This /proc is still the machine's, so these are the pid and the start time as seen from outside.
read -r -a stat </proc/self/stat
echo "${stat[0]} ${stat[21]}" >"$state/pid"

PATH=$tools:$PATH
export KUBECONFIG=$state/pki/admin.kubeconfig

# The components' fixed places, without a trace on the machine.
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mount --bind "$state/var-lib" /var/lib
mount --bind "$state/var-log" /var/log
echo "$name" >/proc/sys/kernel/hostname

# A network of its own whose default route leads nowhere. One end of a veth pair stands for the machine's card.
ip link set lo up
ip link add eth0 type veth peer name eth0-peer
ip link set eth0-peer up
ip link set eth0 up
ip address add "$node_address/24" dev eth0
ip route add default via "${node_address%.*}.1"
echo 1 >/proc/sys/net/ipv4/ip_forward

declare -A pids

start() { # start NAME COMMAND…
  local component=$1
  shift
  "$@" &>"$state/logs/$component.log" &
  pids[$component]=$!
  echo "$!" >"$state/logs/$component.pid"
}

await() { # await NAME SECONDS CHECK…: ends it all when the check does not succeed in time
  local component=$1 deadline=$((SECONDS + $2))
  shift 2
  until "$@" &>/dev/null; do
    if ! kill -0 "${pids[$component]}" 2>/dev/null || ((SECONDS > deadline)); then
      echo "$component" >"$state/failed"
      exit 1
    fi
    sleep 0.1
  done
}

listens() { # listens PORT [ADDRESS]
  : 3<>"/dev/tcp/${2:-127.0.0.1}/$1"
}

start containerd containerd --config "$state/etc/containerd.toml"

# Nothing here outlives the cluster, so nothing needs to reach the disk.
start etcd etcd --data-dir "$state/etcd" --unsafe-no-fsync --logger zap \
  --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
  --listen-peer-urls http://127.0.0.1:2380
await etcd 30 listens 2379

start kube-apiserver kube-apiserver \
  --etcd-servers http://127.0.0.1:2379 \
  --secure-port 6443 --advertise-address "$node_address" \
  --tls-cert-file "$state/pki/apiserver.crt" --tls-private-key-file "$state/pki/apiserver.key" \
  --client-ca-file "$state/pki/ca.crt" \
  --authorization-mode Node,RBAC --allow-privileged \
  --admission-control-config-file "$state/etc/admission.yaml" \
  --kubelet-preferred-address-types InternalIP \
  --kubelet-certificate-authority "$state/pki/ca.crt" \
  --kubelet-client-certificate "$state/pki/apiserver-kubelet-client.crt" \
  --kubelet-client-key "$state/pki/apiserver-kubelet-client.key" \
  --service-cluster-ip-range "$service_range" \
  --service-account-issuer https://kubernetes.default.svc.cluster.local \
  --service-account-key-file "$state/pki/service-account.pub" \
  --service-account-signing-key-file "$state/pki/service-account.key"

# The API server takes a while: time for the images.
await containerd 30 test -S "$containerd_socket"
for image in "$state"/images/*.tar; do
  await containerd 30 ctr -a "$containerd_socket" -n k8s.io images import "$image"
done
await kube-apiserver 60 kubectl get --raw /readyz
kubectl create -f "$crds" &
crds_pid=$!

# Its thirty controllers fetch a token each at the start: with the usual limit that takes 6 s.
start kube-controller-manager kube-controller-manager --kube-api-qps 200 --kube-api-burst 400 \
  --kubeconfig "$state/pki/controller-manager.kubeconfig" --leader-elect=false \
  --root-ca-file "$state/pki/ca.crt" --service-account-private-key-file "$state/pki/service-account.key" \
  --use-service-account-credentials
start kube-scheduler kube-scheduler --kubeconfig "$state/pki/scheduler.kubeconfig" --leader-elect=false
start kubelet kubelet --config "$state/etc/kubelet.yaml" --kubeconfig "$state/pki/kubelet.kubeconfig" \
  --root-dir "$state/kubelet" --hostname-override "$name" --node-ip "$node_address"
# The conntrack limits are the machine's, not this network's: 0 leaves them alone.
start kube-proxy kube-proxy --kubeconfig "$state/pki/proxy.kubeconfig" --hostname-override "$name" \
  --proxy-mode iptables --cluster-cidr "$pod_range" --conntrack-max-per-core 0 --conntrack-min 0

await kube-scheduler 30 listens 10259
await kubelet 60 kubectl wait --for=condition=Ready --timeout=1s "node/$name"
await kube-proxy 30 listens 443 "$service_address"
await kube-controller-manager 30 kubectl -n default get serviceaccount/default configmap/kube-root-ca.crt
wait "$crds_pid" || { echo node >"$state/failed" && exit 1; }

touch "$state/ready"
# Also collects the processes that lose their parents. A component that ends is not started anew: its end is a finding,
# unless `cluster restart` was behind it.
wait
