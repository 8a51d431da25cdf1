# Take this node out of the Swarm. Safe to repeat, and a success where it was never in.
if (-not (Get-Service docker -ErrorAction SilentlyContinue)) {
    [Console]::Error.WriteLine('no engine: never a member')
    exit 0
}
Enter-Lock
$tries = 3
while ((Get-Swarm).LocalNodeState -ne 'inactive') {
    $answer = Invoke-Engine 'POST' '/swarm/leave'
    if ($answer.Status -eq 200) { break }
    [Console]::Error.WriteLine($answer.Text)
    $tries--
    if ($tries -le 0) { throw 'still a member' }
    Start-Sleep -Seconds 1
}
