# Make the engine's key, once, and print a certificate signing request for it and nothing else.
# The names in the request mean nothing: the registrar signs for what EC2 says of this instance.
: "${BOOT_LIMIT_S:?}"
umask 077
exec 9>/run/swarmkeeper.lock && flock 9    # a command may be sent twice
await_boot
key=/etc/docker/tls/key.pem
install -d -m 0700 /etc/docker/tls
if [ ! -s "$key" ]; then
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$key.new" 2>/dev/null
    mv "$key.new" "$key"
fi
openssl req -new -key "$key" -subj "/CN=node"
