# shellcheck shell=bash
# Done to one component of a cluster that is up, so that a test can see what becomes of the others.

restart_component() { # restart_component COMPONENT
  component_pid "$1" >/dev/null
  # shellcheck disable=SC2016  # these are the inner shell's
  (inside bash -euo pipefail -c '
    component=$1 logs=$2 pid=$(<"$2/$1.pid")
    mapfile -d "" -t command <"/proc/$pid/cmdline"
    # The API server would wait for its watches to end, which takes a minute.
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
  # It goes on too when this is broken off.
  # shellcheck disable=SC2016  # these are the inner shell's
  (inside bash -euo pipefail -c '
    trap "kill -CONT $1" EXIT
    trap "exit 1" INT TERM HUP
    kill -STOP "$1"
    sleep "$2" &
    wait "$!"
  ' pause "$pid" "$2")
}

component_pid() { # component_pid COMPONENT: as it is known inside
  is_up || die "$name is down: tests/cluster/cluster up"
  [[ -e $state/logs/$1.pid ]] || bad_usage "no such component: $1"
  cat "$state/logs/$1.pid"
}
