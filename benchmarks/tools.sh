#!/bin/sh
# What the benchmarks need beyond Python: a mail server's sink, and Redis for Celery. Installed where that can be done.
set -eu

missing=""
command -v smtp-sink >/dev/null 2>&1 || [ -x /usr/sbin/smtp-sink ] || missing="$missing postfix"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing$missing …"
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    exit 0
fi

echo "The benchmarks need:$missing"
echo "Install it with: sudo apt-get install --no-install-recommends$missing"
exit 1
