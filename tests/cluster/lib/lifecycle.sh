# shellcheck shell=bash
# Start, end and use of one cluster. What runs inside it is in node.sh.

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
  # A start that fails or is broken off leaves nothing behind either.
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

# --kill-child ends the cluster with unshare, should somebody kill that. The lock is not for the cluster to hold.
launch() { # launch LOCK
  local lock=$1
  export name state tools crds node_address service_range service_address pod_range containerd_socket
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
      echo "cluster: $failed did not come up; the end of its log:" >&2
      tail -n 30 "$state/logs/$failed.log" >&2
      exit 1
    fi
    sleep 0.1
  done
}

# A process that is ending has no namespaces any more, while the others of its pid namespace may still be there.
is_up() {
  is_inside || { exists && [[ -e /proc/$(cut -d ' ' -f 1 "$state/pid")/ns/mnt ]]; }
}

# Whether this runs in the cluster's namespaces already, by `run`. There, its processes have other numbers.
is_inside() { [[ ${CLUSTER_INSIDE:-} == "$name" ]]; }

# The pid alone may by now be another process's: together with its start time it is not.
exists() {
  local pid started
  [[ -s $state/pid ]] && read -r pid started <"$state/pid" && [[ $(start_time "$pid") == "$started" ]]
}

start_time() { # start_time PID: in clock ticks since boot; nothing for a process that has ended
  local stat fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
  # The second field is the command's name in parentheses, with any characters in it.
  read -r -a fields <<<"${stat##*) }"
  [[ ${fields[0]} == Z ]] || echo "${fields[19]}"
}

# Removes all that this cluster is or was. The end of the first process in a pid namespace ends every other in it,
# and with the last process go the mounts, the network and its interfaces.
sweep() {
  local folder tries
  if exists; then
    # It may be about to end by itself.
    kill -KILL "$(cut -d ' ' -f 1 "$state/pid")" 2>/dev/null || true
    while exists; do sleep 0.05; done
  fi
  # The kernel lets go of a cgroup, and of mounts below the state folder, a moment after the last process.
  for ((tries = 0; tries < 100; tries++)); do
    while read -r folder; do
      find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done < <(cgroup_folders)
    rm -rf --one-file-system "$state" 2>/dev/null || true
    [[ -e $state || -n $(cgroup_folders) ]] || break
    sleep 0.1
  done
  ((tries < 100)) || die "could not remove all of: $state $(cgroup_folders | tr '\n' ' ')"
  # The folder that holds all clusters goes with the last one.
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
    # The kubelet wants these in its root; a folder has only what its parent hands down.
    read -r controllers <"$root/cgroup.controllers"
    echo "+${controllers// / +}" >"$root/cgroup.subtree_control"
    echo "+${controllers// / +}" >"$root/$cgroup/cgroup.subtree_control"
    return
  fi
  for hierarchy in "$root"/*/; do
    # Links such as cpu → cpu,cpuacct name a hierarchy for a second time.
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
  if (inside test -e "/proc/$pid"); then echo running; else echo "ended: see tests/cluster/cluster logs $1"; fi
}

# Becomes the command, which sees this cluster's network, processes and mounts, and ends with it.
# To enter a pid namespace nsenter has to fork: a signal that ends nsenter must reach the command too.
inside() {
  ! is_inside || exec setpriv --pdeathsig TERM -- "$@"
  local pid started
  read -r pid started <"$state/pid"
  exec nsenter --wdns="$PWD" -t "$pid" --net --mount --pid --uts --ipc -- setpriv --pdeathsig TERM -- "$@"
}

print_env() {
  echo "export PATH=$(printf %q "$tools"):\$PATH"
  echo "export KUBECONFIG=$(printf %q "$state/pki/admin.kubeconfig")"
}

run() {
  need_root
  is_up || die "$name is down: tests/cluster/cluster up"
  eval "$(print_env)"
  # For a `cluster` among what the command runs.
  inside env CLUSTER_NAME="$name" CLUSTER_INSIDE="$name" "$@"
}

load_images() {
  need_root
  is_up || die "$name is down: tests/cluster/cluster up"
  local file output
  for file in "$@"; do
    [[ -r $file ]] || die "cannot read $file"
    # Through stdin, since the file may be where the cluster has folders of its own.
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
