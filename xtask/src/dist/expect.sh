# What the scripts of the checks say of a host. To be read by them.
# shellcheck shell=sh

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# expect WHAT WANTED GOT
expect() {
    [ "$2" = "$3" ] || fail "$1: wanted '$2', got '$3'"
    echo "    $1: $3"
}

# owned FILE MODE OWNER:GROUP
owned() {
    [ -e "$1" ] || fail "$1 is not there"
    expect "$1" "$2 $3" "$(stat -c '%a %U:%G' "$1")"
}

# gone FILE...
gone() {
    for file; do
        if [ -e "$file" ] || [ -L "$file" ]; then fail "$file is still there"; fi
        echo "    $file: gone"
    done
}

# called PATTERN: since the last look
called() {
    grep -q -e "$1" /run/calls || fail "no call of systemctl $1 in: $(cat /run/calls)"
    echo "    systemctl $1: called"
}

not_called() {
    ! grep -q -e "$1" /run/calls || fail "systemctl $1 was called"
    echo "    systemctl $1: not called"
}
