#!/usr/bin/env bash
# The first process in the cluster's namespaces. It starts the components and waits until each is ready.
# When it exits, they all stop. `cluster up` starts it, and passes its variables in the environment.
set -euo pipefail

# /proc is still the machine's: these are the pid and the start time outside the cluster.
read -r -a stat </proc/self/stat
echo "${stat[0]} ${stat[21]}" >"$state/pid"

PATH=$tools:$PATH
export KUBECONFIG=$state/pki/admin.kubeconfig

# Private mounts at the fixed paths of the components, so that nothing remains on the machine.
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mount --bind "$state/var-lib" /var/lib
mount --bind "$state/var-log" /var/log
echo "$name" >/proc/sys/kernel/hostname

# A separate network whose default route leads nowhere. One end of a veth pair is the node's network interface.
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

await() { # await NAME SECONDS CHECK…: stops the cluster if the check does not succeed in time
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

# The data does not outlive the cluster, so etcd does not need to sync it to disk.
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

# Import the images while the API server starts.
await containerd 30 test -S "$containerd_socket"
for image in "$state"/images/*.tar; do
  await containerd 30 ctr -a "$containerd_socket" -n k8s.io images import "$image"
done
await kube-apiserver 60 kubectl get --raw /readyz
kubectl create -f "$cert_manager_crds" &
crds_pid=$!

# Each of the thirty controllers requests a token at the start. With the default limits, this takes 6 s.
start kube-controller-manager kube-controller-manager --kube-api-qps 200 --kube-api-burst 400 \
  --kubeconfig "$state/pki/controller-manager.kubeconfig" --leader-elect=false \
  --root-ca-file "$state/pki/ca.crt" --service-account-private-key-file "$state/pki/service-account.key" \
  --use-service-account-credentials
start kube-scheduler kube-scheduler --kubeconfig "$state/pki/scheduler.kubeconfig" --leader-elect=false
start kubelet kubelet --config "$state/etc/kubelet.yaml" --kubeconfig "$state/pki/kubelet.kubeconfig" \
  --root-dir "$state/kubelet" --hostname-override "$name" --node-ip "$node_address"
# The conntrack limits apply to the whole machine: 0 leaves them unchanged.
start kube-proxy kube-proxy --kubeconfig "$state/pki/proxy.kubeconfig" --hostname-override "$name" \
  --proxy-mode iptables --cluster-cidr "$pod_range" --conntrack-max-per-core 0 --conntrack-min 0

await kube-scheduler 30 listens 10259
await kubelet 60 kubectl wait --for=condition=Ready --timeout=1s "node/$name"
await kube-proxy 30 listens 443 "$service_address"
await kube-controller-manager 30 kubectl -n default get serviceaccount/default configmap/kube-root-ca.crt
wait "$crds_pid" || { echo node >"$state/failed" && exit 1; }

touch "$state/ready"
# Reaps orphaned processes too. A component that exits is not restarted, so that tests notice it. `cluster restart`
# starts it again itself.
wait
