# Bring an image to this node, so that a request needn't wait for it.
try {
    Connect-Registry $image
    & docker pull --quiet $image
    if ($LASTEXITCODE -ne 0) { exit 1 }
} finally {
    Disconnect-Registry
}
