#!/bin/bash
# Runs code as the image's user would: a pipeline, a file of its own, arithmetic, and Perl.
set -euo pipefail
cd "$(mktemp -d)"
printf '%s\n' 3 1 2 | sort -n >sorted
[ "$(tr '\n' ' ' <sorted)" = "1 2 3 " ]
[ "$(sha256sum </dev/null | cut -c1-8)" = e3b0c442 ]
[ $((6 * 7)) -eq 42 ]
[ "$(perl -e 'print join ",", map { $_ ** 2 } 1 .. 3')" = "1,4,9" ]
touch "$HOME/.smoke" && rm "$HOME/.smoke"
echo "ok bash ${BASH_VERSION%%(*}"
