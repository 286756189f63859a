# Shared by the scripts in bin/, which source it after setting `root` to the checkout.
# One environment, var/venv: from requirements.lock for running, completed by requirements-dev.lock for testing.
# shellcheck shell=bash disable=SC2154

venv="$root/var/venv"
python="$venv/bin/python"
export PYTHONPATH="$root/src"

find_python() {
  local candidate
  for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
    if command -v "$candidate" > /dev/null &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
      # The program itself, not a shim of a version manager, whose choice depends on the folder.
      "$candidate" -c 'import sys; print(sys._base_executable)'
      return
    fi
  done
  echo "Postroom needs Python 3.11 or newer, and found none. On Debian or Ubuntu: sudo apt install python3 python3-venv" >&2
  return 1
}

# What an environment for KIND (run or dev) is made of: equal to the stamp when nothing changed.
wanted_stamp() {
  local kind=$1 base=$2
  echo "$kind $("$base" -VV | tr '\n' ' ')"
  cksum < "$root/requirements.lock"
  if [ "$kind" = dev ]; then cksum < "$root/requirements-dev.lock"; fi
}

# ensure_venv run|dev: a usable var/venv; a dev environment serves for running too.
ensure_venv() {
  local kind=$1 base stamp
  if [ -x "$python" ] && [ -f "$venv/.stamp" ]; then
    stamp=$(cat "$venv/.stamp")
    # The environment's own Python says which it is; that spares the search at every start.
    if [ "$stamp" = "$(wanted_stamp dev "$python")" ]; then return; fi
    if [ "$kind" = run ] && [ "$stamp" = "$(wanted_stamp run "$python")" ]; then return; fi
  fi
  base=$(find_python)
  mkdir -p "$root/var"
  take_venv_lock
  stamp=$(cat "$venv/.stamp" 2> /dev/null || true)
  if [ "$kind" = dev ] && [ -x "$python" ] && [ "$stamp" = "$(wanted_stamp run "$python")" ]; then
    install_packages "$root/requirements-dev.lock"
  elif [ "$stamp" != "$(wanted_stamp "$kind" "$base")" ]; then # else somebody else was faster
    create_venv "$base"
    if [ "$kind" = dev ]; then
      install_packages "$root/requirements-dev.lock"
    else
      install_packages "$root/requirements.lock"
    fi
  fi
  wanted_stamp "$kind" "$python" > "$venv/.stamp" # last: an interrupted run has no stamp and starts over
  release_venv_lock
}

create_venv() {
  echo "Setting up Postroom's own Python environment in $venv (only this once)"
  rm -rf "$venv" # in place: a renamed environment keeps the old path in its scripts
  if ! "$1" -m venv "$venv" > "$root/var/install.log" 2>&1; then
    cat "$root/var/install.log" >&2
    echo "This Python cannot make environments. On Debian or Ubuntu: sudo apt install python3-venv; then run this again." >&2
    return 1
  fi
}

install_packages() {
  local lock=$1 total
  total=$(grep -c '^[A-Za-z0-9].*==' "$lock")
  rm -f "$venv/.stamp"
  # Hashes decide what is installed, wherever the index is; nothing is compiled.
  if ! "$python" -m pip install --require-hashes --only-binary :all: --progress-bar off --disable-pip-version-check \
    --no-input -r "$lock" 2>&1 | tee "$root/var/install.log" | show_packages "$total"; then
    echo "Installing failed. The end of $root/var/install.log:" >&2
    tail -n 15 "$root/var/install.log" >&2
    return 1
  fi
}

show_packages() {
  local line number=0
  while IFS= read -r line; do
    case $line in
      Collecting\ *)
        number=$((number + 1))
        line=${line#Collecting }
        if [ -t 1 ]; then
          printf '\r\033[K  package %d of at most %d: %s' "$number" "$1" "${line%% *}"
        elif [ $((number % 20)) = 0 ]; then
          echo "  package $number of at most $1"
        fi
        ;;
      Installing\ collected*)
        if [ -t 1 ]; then printf '\r\033[K'; fi
        echo "  $number packages found; installing them"
        ;;
    esac
  done
}

# Two first starts at once: one works, the other waits. mkdir where there is no flock (macOS).
take_venv_lock() {
  if command -v flock > /dev/null; then
    exec 9> "$root/var/venv.lock"
    if ! flock -n 9; then
      echo "Another process sets up the environment; waiting for it"
      flock 9
    fi
  else
    until mkdir "$root/var/venv.lock.d" 2> /dev/null; do sleep 1; done
    trap 'rmdir "$root/var/venv.lock.d" 2> /dev/null' EXIT
  fi
}

release_venv_lock() {
  if command -v flock > /dev/null; then
    exec 9>&-
  else
    rmdir "$root/var/venv.lock.d"
    trap - EXIT
  fi
}
