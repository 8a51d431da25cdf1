#!/bin/bash
# Runs the playbook with a job's parameters. The second call finds the image that the first one has made.
set -euo pipefail
cd "$(dirname "$0")/../.."
wanted=$(python3 - <<'PYTHON'
import json, os

given = os.environ
print(json.dumps({
    "fleet": given["FLEET"],
    "pool": given["POOL"],
    "image_name": given["IMAGE_NAME"],
    "base_image": given["BASE_IMAGE"],
    "node_images": json.loads(given["NODE_IMAGES"]),
    "node_registry": given["NODE_REGISTRY"],
    "image_parameter": given["IMAGE_PARAMETER"],
    "checkpoints": json.loads(given["CHECKPOINTS"]),
    "checkpoint_pause": int(given["CHECKPOINT_PAUSE"]),
}))
PYTHON
)
exec .venv-pipeline/bin/ansible-playbook --inventory pipeline/ansible/inventory.ini --extra-vars "$wanted" "$@" pipeline/ansible/playbooks/node_image.yml
