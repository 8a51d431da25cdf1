# Shared by the documents: log in to the account's registry, when an image comes from it. The credentials stay in a
# folder that only administrators read, and go when the script ends.
function Connect-Registry([string]$Image) {
    $registry = ($Image -split '/')[0]
    if ($registry -notmatch '\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$') { return }
    # What a program writes to its standard error would end the script, and Docker warns there.
    $ErrorActionPreference = 'Continue'
    Set-DefaultAWSRegion -Region $AWS_DEFAULT_REGION
    $env:DOCKER_CONFIG = "C:\ProgramData\swarmkeeper\docker-$PID"
    New-Item -ItemType Directory -Force -Path $env:DOCKER_CONFIG | Out-Null
    icacls $env:DOCKER_CONFIG /inheritance:r /grant 'SYSTEM:(OI)(CI)F' 'Administrators:(OI)(CI)F' | Out-Null
    (Get-ECRLoginCommand).Password | docker login --username AWS --password-stdin $registry 2>&1 | Out-Null
    if ($LASTEXITCODE -ne 0) { throw "the registry $registry does not let this node in" }
}

function Disconnect-Registry {
    if ($env:DOCKER_CONFIG) { Remove-Item -Recurse -Force $env:DOCKER_CONFIG -ErrorAction SilentlyContinue }
}
