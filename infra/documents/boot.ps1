# Shared by the documents: wait until the user data has made this machine a node.
function Wait-Boot {
    $deadline = (Get-Date).AddSeconds([int]$BOOT_LIMIT_S)
    while (-not (Test-Path 'C:\ProgramData\swarmkeeper\booted')) {
        if (Test-Path 'C:\ProgramData\swarmkeeper\boot-failed') {
            throw "the user data failed: $(Get-Content -Raw 'C:\ProgramData\swarmkeeper\boot-failed')"
        }
        if ((Get-Date) -ge $deadline) { throw "the user data has not finished after $BOOT_LIMIT_S s" }
        Start-Sleep -Milliseconds 500
    }
}
