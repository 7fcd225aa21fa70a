# shellcheck shell=bash
# Starts, uses and stops a cluster. node.sh runs inside it.

readonly start_limit=120

up() {
  need_root
  mkdir -p "$cache"
  # One `up` or `down` of a cluster at a time.
  local lock began=$SECONDS
  exec {lock}>"$cache/$name.lock"
  flock "$lock"
  if is_up && [[ -e $state/ready ]]; then
    say "$name is already up"
    return
  fi
  install_packages
  build_tools
  fetch_crds
  sweep
  # A start that fails or is interrupted leaves nothing behind.
  trap sweep EXIT
  trap 'exit 1' INT TERM HUP

  write_configuration
  write_images
  make_cgroups
  launch "$lock"
  await_ready
  trap - EXIT INT TERM HUP
  say "$name is up ($(duration $((SECONDS - began))))"
}

down() {
  need_root
  mkdir -p "$cache"
  local lock
  exec {lock}>"$cache/$name.lock"
  flock "$lock"
  if [[ ! -e $state && -z $(cgroup_folders) ]]; then
    say "$name is not up"
    return
  fi
  sweep
  say "$name is down"
}

# --kill-child stops the cluster when unshare is killed. The cluster must not inherit the lock.
launch() { # launch LOCK
  local lock=$1
  export name state tools cert_manager_crds node_address service_range service_address pod_range containerd_socket
  setsid unshare --mount --net --pid --uts --ipc --fork --kill-child \
    bash "$here/lib/node.sh" </dev/null &>"$state/logs/node.log" {lock}>&- &
  unshare_pid=$!
}

await_ready() {
  local deadline=$((SECONDS + start_limit)) failed
  until [[ -e $state/ready ]]; do
    if [[ -s $state/failed ]] || ((SECONDS > deadline)) || ! kill -0 "$unshare_pid" 2>/dev/null; then
      failed=node
      [[ ! -s $state/failed ]] || failed=$(<"$state/failed")
      echo "cluster: $failed did not start; the end of its log:" >&2
      tail -n 30 "$state/logs/$failed.log" >&2
      exit 1
    fi
    sleep 0.1
  done
}

# A process that exits loses its namespaces before the other processes of its pid namespace have exited.
is_up() {
  is_inside || { exists && [[ -e /proc/$(cut -d ' ' -f 1 "$state/pid")/ns/mnt ]]; }
}

# Whether this script runs inside the cluster, by `run`. Process IDs are different there.
is_inside() { [[ ${CLUSTER_INSIDE:-} == "$name" ]]; }

# The start time tells whether another process has got the same pid since.
exists() {
  local pid started
  [[ -s $state/pid ]] && read -r pid started <"$state/pid" && [[ $(start_time "$pid") == "$started" ]]
}

start_time() { # start_time PID: prints clock ticks since boot, or nothing if the process has exited
  local stat fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
  # The second field is the command's name in parentheses, with any characters in it.
  read -r -a fields <<<"${stat##*) }"
  [[ ${fields[0]} == Z ]] || echo "${fields[19]}"
}

# Removes the cluster and everything that it created. When the first process of a pid namespace exits, the kernel
# kills all others, and removes the mounts and the network with the last one.
sweep() {
  local folder tries
  if exists; then
    # It may exit by itself in the meantime.
    kill -KILL "$(cut -d ' ' -f 1 "$state/pid")" 2>/dev/null || true
    while exists; do sleep 0.05; done
  fi
  # The kernel releases cgroups, and mounts below the state folder, a moment after the last process has exited.
  for ((tries = 0; tries < 100; tries++)); do
    while read -r folder; do
      find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done < <(cgroup_folders)
    rm -rf --one-file-system "$state" 2>/dev/null || true
    [[ -e $state || -n $(cgroup_folders) ]] || break
    sleep 0.1
  done
  ((tries < 100)) || die "could not remove: $state $(cgroup_folders | tr '\n' ' ')"
  # The folder of all clusters is removed with the last cluster.
  rmdir "$(dirname "$state")" 2>/dev/null || true
}

# cgroup v2 has one hierarchy, v1 one for each controller.
cgroup_folders() {
  find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name "$cgroup"
}

make_cgroups() {
  local root=/sys/fs/cgroup hierarchy controllers
  if [[ -e $root/cgroup.controllers ]]; then
    mkdir -p "$root/$cgroup"
    # The kubelet requires all controllers in its root cgroup. A cgroup has only those that its parent delegates.
    read -r controllers <"$root/cgroup.controllers"
    echo "+${controllers// / +}" >"$root/cgroup.subtree_control"
    echo "+${controllers// / +}" >"$root/$cgroup/cgroup.subtree_control"
    return
  fi
  for hierarchy in "$root"/*/; do
    # Links such as cpu → cpu,cpuacct are second names of a hierarchy.
    [[ -L ${hierarchy%/} ]] || mkdir -p "$hierarchy$cgroup"
  done
}

status() {
  need_root
  if ! is_up; then
    say "$name is down"
    return 1
  fi
  local pid started component
  read -r pid started <"$state/pid"
  say "$name is up (process $pid)"
  for component in "$state"/logs/*.log; do
    component=$(basename "$component" .log)
    [[ $component == node ]] || printf '  %-24s %s\n' "$component" "$(component_state "$component")"
  done
}

component_state() { # component_state COMPONENT
  local pid
  pid=$(<"$state/logs/$1.pid")
  if (inside test -e "/proc/$pid"); then echo running; else echo "exited: see tests/cluster/cluster logs $1"; fi
}

# Replaces this process with the command, which uses the cluster's network, processes and mounts, and stops with it.
# nsenter must fork to enter a pid namespace: a signal that stops nsenter must also reach the command.
inside() {
  ! is_inside || exec setpriv --pdeathsig TERM -- "$@"
  local pid started
  read -r pid started <"$state/pid"
  exec nsenter --wdns="$PWD" -t "$pid" --net --mount --pid --uts --ipc -- setpriv --pdeathsig TERM -- "$@"
}

print_env() {
  echo "export PATH=$(printf %q "$tools"):\$PATH"
  echo "export KUBECONFIG=$(printf %q "$state/pki/admin.kubeconfig")"
  echo "export APISIX_CRDS=$(printf %q "$apisix_crds") GATEWAY_API_CRDS=$(printf %q "$gateway_api_crds")"
}

run() {
  need_root
  is_up || die "$name is down: tests/cluster/cluster up"
  eval "$(print_env)"
  # The command may call `cluster` itself.
  inside env CLUSTER_NAME="$name" CLUSTER_INSIDE="$name" "$@"
}

load_images() {
  need_root
  is_up || die "$name is down: tests/cluster/cluster up"
  local file output
  for file in "$@"; do
    [[ -r $file ]] || die "cannot read $file"
    # On stdin, because the path may be different inside the cluster.
    output=$(inside "$tools/ctr" -a "$containerd_socket" -n k8s.io images import - <"$file" 2>&1) || die "could not load $file: $output"
    say "loaded $file"
  done
}

logs() {
  local component="" follow=() argument
  for argument in "$@"; do
    case $argument in
      -f) follow=(-f) ;;
      -*) bad_usage "logs has no option $argument" ;;
      *)
        [[ -z $component ]] || bad_usage "logs shows one component or all"
        component=$argument
        ;;
    esac
  done
  [[ -e $state/logs ]] || die "$name is down: it has no logs"
  if [[ -z $component ]]; then
    tail -n 20 "${follow[@]}" "$state"/logs/*.log
  elif [[ -e $state/logs/$component.log ]]; then
    tail -n +1 "${follow[@]}" "$state/logs/$component.log"
  else
    bad_usage "no such component: $component"
  fi
}
