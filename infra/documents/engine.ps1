# Shared by the documents: the Engine API through the engine's named pipe, so that nothing stands in a command line.
# HTTP/1.0 has the engine answer in one piece and close the connection.
function Invoke-Engine([string]$Method, [string]$Path, [string]$Body = '') {
    $pipe = New-Object System.IO.Pipes.NamedPipeClientStream('.', 'docker_engine', [System.IO.Pipes.PipeDirection]::InOut)
    try {
        $pipe.Connect(10000)
        $content = [System.Text.Encoding]::UTF8.GetBytes($Body)
        $head = "$Method $Path HTTP/1.0`r`nHost: docker`r`nContent-Type: application/json`r`n" +
            "Content-Length: $($content.Length)`r`n`r`n"
        [byte[]]$request = [System.Text.Encoding]::ASCII.GetBytes($head) + $content
        $pipe.Write($request, 0, $request.Length)
        $pipe.Flush()
        $answer = (New-Object System.IO.StreamReader($pipe)).ReadToEnd()
    } finally {
        $pipe.Dispose()
    }
    $status, $rest = $answer -split "`r`n", 2
    $text = ($rest -split "`r`n`r`n", 2)[1]
    return @{ Status = [int]($status -split ' ')[1]; Text = $text }
}

function Get-Swarm {
    $answer = Invoke-Engine 'GET' '/info'
    if ($answer.Status -ne 200) { throw "the engine does not tell of itself: $($answer.Text)" }
    return ($answer.Text | ConvertFrom-Json).Swarm
}

# A command may be sent twice: one at a time works on the node. Freed when the script's process ends.
function Enter-Lock {
    $script:lock = New-Object System.Threading.Mutex($false, 'Global\swarmkeeper')
    try { [void]$script:lock.WaitOne() } catch [System.Threading.AbandonedMutexException] { }
}
