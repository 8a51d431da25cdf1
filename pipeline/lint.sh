#!/bin/bash
# Checks the role and the playbooks, and that the jobs' definitions make jobs; nothing is fetched and no Jenkins is needed.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PWD/../.venv-pipeline/bin:$PATH
(cd ansible && ansible-lint --offline --nocolor --strict)
(cd ansible && ansible-playbook --syntax-check playbooks/node_image.yml playbooks/node.yml)
rm -rf ../build/jobs
# Without a server it can't know which plugins there are; none is asked for.
jenkins-jobs --conf jenkins/jobs.ini test --recursive --config-xml -o ../build/jobs jenkins/jobs
