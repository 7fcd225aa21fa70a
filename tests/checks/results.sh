# shellcheck shell=bash
# Counts checks, and prints what became of each. The last command of a script is `print_results`.

passed=0 failed=0

# check NAME COMMAND…: prints one line, and the output of the command if it fails.
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "PASS $name"
    passed=$((passed + 1))
  else
    printf 'FAIL %s\n%s\n' "$name" "$output"
    failed=$((failed + 1))
  fi
}

print_results() { # fails if a check has failed
  echo "$passed passed, $failed failed"
  ((failed == 0))
}
