# Make this node a member of the Swarm: certificate, engine on mutual TLS, join. Nothing else runs here: routers are
# Linux nodes', and reach what runs here over the overlay. Safe to repeat, also on a node that serves already. The last
# line of the output is one JSON object; everything else goes to standard error.
$tls = 'C:\ProgramData\docker\tls'
$config = 'C:\ProgramData\docker\config\daemon.json'

# Succeeds with whether that changed the file.
function Set-Content-If-New([string]$Path, [string]$Text) {
    if ((Test-Path $Path) -and ([System.IO.File]::ReadAllText($Path) -ceq $Text)) { return $false }
    [System.IO.File]::WriteAllText("$Path.new", $Text)
    Move-Item -Force "$Path.new" $Path
    return $true
}

function ConvertFrom-Base64([string]$Text) {
    return [System.Text.Encoding]::ASCII.GetString([Convert]::FromBase64String($Text))
}

# The engine listens on the node's own address only, for clients that the fleet's authority has signed.
function Protect-Engine {
    $settings = Get-Content -Raw $config | ConvertFrom-Json
    $wanted = [ordered]@{
        'hosts' = @('npipe://', "tcp://${address}:2376")
        'tlsverify' = $true
        'tlscacert' = "$tls\ca.pem"
        'tlscert' = "$tls\cert.pem"
        'tlskey' = "$tls\key.pem"
    }
    foreach ($name in $wanted.Keys) {
        $settings | Add-Member -Force -MemberType NoteProperty -Name $name -Value $wanted[$name]
    }
    $changed = @(
        (Set-Content-If-New "$tls\ca.pem" (ConvertFrom-Base64 $authority)),
        (Set-Content-If-New "$tls\cert.pem" (ConvertFrom-Base64 $certificate)),
        (Set-Content-If-New $config ($settings | ConvertTo-Json))
    )
    if ($changed -contains $true) { Restart-Service docker }
}

# Engine, Swarm's gossip, the overlay's data; who may reach them is the security groups' matter.
function Open-Ports {
    foreach ($each in @(@('TCP', 2376), @('TCP', 7946), @('UDP', 7946), @('UDP', 4789))) {
        $name = "swarmkeeper-$($each[0])-$($each[1])"
        if (-not (Get-NetFirewallRule -Name $name -ErrorAction SilentlyContinue)) {
            New-NetFirewallRule -Name $name -DisplayName $name -Direction Inbound -Action Allow `
                -Protocol $each[0] -LocalPort $each[1] | Out-Null
        }
    }
}

# The token goes from the parameter into a variable and from there into the engine's pipe: it never stands in a command
# line, a file, an environment or an output.
function Join-Swarm {
    Set-DefaultAWSRegion -Region $AWS_DEFAULT_REGION
    $token = (Get-SSMParameter -Name "$TOKEN_PREFIX/$role" -WithDecryption $true).Value
    $asked = @{
        'ListenAddr' = '0.0.0.0:2377'
        'AdvertiseAddr' = $address
        'RemoteAddrs' = @($managers -split ',')
        'JoinToken' = $token
    } | ConvertTo-Json -Compress
    $answer = Invoke-Engine 'POST' '/swarm/join' $asked
    # The engine goes on by itself after its own time-out of 20 s; whether it gets there is seen below.
    if ($answer.Status -ne 200 -and $answer.Text -notmatch 'will continue in the background') {
        throw "join: refused: $($answer.Text)"
    }
    $deadline = (Get-Date).AddSeconds(60)
    while ((Get-Swarm).LocalNodeState -ne 'active') {
        if ((Get-Date) -ge $deadline) { throw 'join: the engine has not become a member' }
        Start-Sleep -Seconds 1
    }
}

Wait-Boot
Enter-Lock
Start-Service docker
if ((Get-Swarm).LocalNodeState -ne 'active') {
    Protect-Engine
    Open-Ports
    Start-Sleep -Seconds (Get-Random -Minimum 0 -Maximum ([int]$spread + 1))    # of a crowd, not all at the same managers
    Join-Swarm
}
$swarm = Get-Swarm
[Console]::Out.WriteLine((@{ 'node_id' = $swarm.NodeID; 'state' = $swarm.LocalNodeState } | ConvertTo-Json -Compress))
