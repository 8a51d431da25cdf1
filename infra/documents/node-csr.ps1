# Make the engine's key, once, and print a certificate signing request for it and nothing else.
# The names in the request mean nothing: the registrar signs for what EC2 says of this instance.
Wait-Boot
Enter-Lock
$tls = 'C:\ProgramData\docker\tls'
$keyFile = "$tls\key.pem"
New-Item -ItemType Directory -Force -Path $tls | Out-Null
# Before the key is there, so that nobody else ever reads it.
icacls $tls /inheritance:r /grant 'SYSTEM:(OI)(CI)F' 'Administrators:(OI)(CI)F' | Out-Null
if ($LASTEXITCODE -ne 0) { throw 'the folder of the key can not be kept to administrators' }

function ConvertTo-Pem([string]$Label, [byte[]]$Bytes) {
    $text = [Convert]::ToBase64String($Bytes, [Base64FormattingOptions]::InsertLineBreaks) -replace "`r", ''
    return "-----BEGIN $Label-----`n$text`n-----END $Label-----`n"
}

$format = [System.Security.Cryptography.CngKeyBlobFormat]::Pkcs8PrivateBlob
if (-not (Test-Path $keyFile)) {
    $wanted = New-Object System.Security.Cryptography.CngKeyCreationParameters
    $wanted.ExportPolicy = [System.Security.Cryptography.CngExportPolicies]::AllowPlaintextExport
    $curve = [System.Security.Cryptography.CngAlgorithm]::ECDsaP256
    $made = [System.Security.Cryptography.CngKey]::Create($curve, $null, $wanted)
    [System.IO.File]::WriteAllText("$keyFile.new", (ConvertTo-Pem 'PRIVATE KEY' ($made.Export($format))))
    Move-Item -Force "$keyFile.new" $keyFile
}
$body = (Get-Content $keyFile | Where-Object { $_ -notmatch '^-----' }) -join ''
$key = [System.Security.Cryptography.CngKey]::Import([Convert]::FromBase64String($body), $format)
$signer = New-Object System.Security.Cryptography.ECDsaCng($key)
$sha256 = [System.Security.Cryptography.HashAlgorithmName]::SHA256
$request = New-Object System.Security.Cryptography.X509Certificates.CertificateRequest('CN=node', $signer, $sha256)
[Console]::Out.Write((ConvertTo-Pem 'CERTIFICATE REQUEST' ($request.CreateSigningRequest())))
