#!/bin/sh
# What the tests need beyond Python: a real mail server. Installed where that can be done, else named.
set -eu

missing=""
command -v postfix >/dev/null 2>&1 || [ -x /usr/sbin/postfix ] || missing="$missing postfix"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing$missing …"
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    exit 0
fi

echo "The tests against a real mail server need:$missing"
echo "Install it with: sudo apt-get install --no-install-recommends$missing"
if [ "${CI:-}" ]; then exit 1; fi
echo "Without it, those tests are skipped."
