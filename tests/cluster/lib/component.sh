# shellcheck shell=bash
# Restarts or pauses one component of a running cluster, so that tests can see how the others react.

restart_component() { # restart_component COMPONENT
  component_pid "$1" >/dev/null
  # shellcheck disable=SC2016  # the inner shell expands these
  (inside bash -euo pipefail -c '
    component=$1 logs=$2 pid=$(<"$2/$1.pid")
    mapfile -d "" -t command <"/proc/$pid/cmdline"
    # The API server waits up to a minute for its watches to end.
    kill -TERM "$pid"
    for ((tries = 0; tries < 100; tries++)); do
      [[ -e /proc/$pid ]] || break
      ((tries != 60)) || kill -KILL "$pid"
      sleep 0.05
    done
    setsid "${command[@]}" </dev/null &>>"$logs/$component.log" &
    echo "$!" >"$logs/$component.pid"
  ' restart "$1" "$state/logs")
}

pause_component() { # pause_component COMPONENT SECONDS
  local pid
  pid=$(component_pid "$1")
  [[ $2 =~ ^[0-9]+$ ]] || bad_usage "pause needs a number of seconds, not '$2'"
  # The component also continues when this script is interrupted.
  # shellcheck disable=SC2016  # the inner shell expands these
  (inside bash -euo pipefail -c '
    trap "kill -CONT $1" EXIT
    trap "exit 1" INT TERM HUP
    kill -STOP "$1"
    sleep "$2" &
    wait "$!"
  ' pause "$pid" "$2")
}

component_pid() { # component_pid COMPONENT: prints its pid inside the cluster
  is_up || die "$name is down: tests/cluster/cluster up"
  [[ -e $state/logs/$1.pid ]] || bad_usage "no such component: $1"
  cat "$state/logs/$1.pid"
}
