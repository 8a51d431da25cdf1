<powershell>
# Turn a machine image that has an engine into a node which can join a Swarm. Runs at each boot until it has finished:
# a host name takes effect with a restart. Nothing is downloaded: docs/windows.md says what the image must hold.
$ErrorActionPreference = 'Stop'
$state = 'C:\ProgramData\swarmkeeper'

function Get-InstanceId {
    $life = @{ 'X-aws-ec2-metadata-token-ttl-seconds' = '60' }
    $token = Invoke-RestMethod -Method Put -Headers $life -Uri 'http://169.254.169.254/latest/api/token'
    return Invoke-RestMethod -Headers @{ 'X-aws-ec2-metadata-token' = $token } `
        -Uri 'http://169.254.169.254/latest/meta-data/instance-id'
}

# The Swarm, the table and people know a node by the bare instance id. That is longer than a NetBIOS name, which Windows
# cuts; engines tell their DNS host name, which it doesn't.
function Set-HostName([string]$Name) {
    if ([System.Net.Dns]::GetHostName() -ieq $Name) { return $false }
    $kernel = Add-Type -PassThru -Namespace Swarmkeeper -Name Kernel -MemberDefinition @'
[DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
public static extern bool SetComputerNameEx(int type, string name);
'@
    $physicalDnsHostname = 5
    if (-not $kernel::SetComputerNameEx($physicalDnsHostname, $Name)) { throw "the host can not be called $Name" }
    return $true
}

# An image baked from a running node would give every instance the same engine id and an old Swarm's keys.
function Clear-Identity {
    Stop-Service docker -ErrorAction SilentlyContinue
    foreach ($each in 'engine-id', 'swarm', 'tls') {
        Remove-Item -Recurse -Force "C:\ProgramData\docker\$each" -ErrorAction SilentlyContinue
    }
}

function Set-Engine {
    New-Item -ItemType Directory -Force -Path 'C:\ProgramData\docker\config' | Out-Null
    $settings = @{
        'hosts' = @('npipe://')
        'log-driver' = 'json-file'
        'log-opts' = @{ 'max-size' = '10m'; 'max-file' = '3' }
    }
    [System.IO.File]::WriteAllText('C:\ProgramData\docker\config\daemon.json', ($settings | ConvertTo-Json))
}

New-Item -ItemType Directory -Force -Path $state | Out-Null
if (Test-Path "$state\booted") { exit 0 }
try {
    if (-not (Get-Service docker -ErrorAction SilentlyContinue)) { throw 'the machine image has no Docker engine' }
    if (-not (Get-Command Get-SSMParameter -ErrorAction SilentlyContinue)) { throw 'the machine image has no AWS tools' }
    if (Set-HostName (Get-InstanceId)) {
        Restart-Computer -Force
        exit 0
    }
    Clear-Identity
    Set-Engine
    Set-Service docker -StartupType Automatic
    Start-Service docker
    New-Item -ItemType File -Path "$state\booted" | Out-Null
} catch {
    [System.IO.File]::WriteAllText("$state\boot-failed", "$_")
    throw
}
</powershell>
<persist>true</persist>
