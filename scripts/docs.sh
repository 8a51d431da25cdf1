#!/usr/bin/env bash
# Builds the documentation's site into build/docs: strictly, and without the network.
set -euo pipefail
cd "$(dirname "$0")/.."

# What the theme says about itself at each build.
export NO_MKDOCS_2_WARNING=1
.venv/bin/mkdocs build --quiet "$@"
echo "site: build/docs/index.html"
