# Shared by the documents: log in to the account's registry or to the fleet's own, when an image comes from it.
# The credentials stay in memory and go when the script ends. Each step says what follows when it fails: callers use
# these functions in conditions, where the shell does not stop by itself.
log_in_for() {
    local registry=${1%%/*} log_in
    case $registry in
        '') return 0 ;;    # no image, and a fleet without a registry
        *.dkr.ecr.*.amazonaws.com | *.dkr.ecr.*.amazonaws.com.cn) log_in=log_in_to_ecr ;;
        "${REGISTRY:-}") log_in=log_in_to_own ;;
        *) return 0 ;;
    esac
    if [ -z "${DOCKER_CONFIG:-}" ]; then
        install -d -m 0700 /run/swarmkeeper || return 1
        DOCKER_CONFIG=$(mktemp -d /run/swarmkeeper/docker.XXXXXX) || return 1
        export DOCKER_CONFIG
    fi
    "$log_in" "$registry"
}

log_in_to_ecr() { aws ecr get-login-password | docker login --username AWS --password-stdin "$1" >/dev/null 2>&1; }

# The parameters `pull` (user:password) and, unless the certificate is from a public authority, `ca`. One call for both:
# a missing one is the word None there.
log_in_to_own() {
    local both authority login
    both=$(aws ssm get-parameters --with-decryption --names "$REGISTRY_PARAMETERS/pull" "$REGISTRY_PARAMETERS/ca" --output text \
        --query "[Parameters[?ends_with(Name, '/pull')].Value | [0], Parameters[?ends_with(Name, '/ca')].Value | [0]]") || return 1
    login=${both%%$'\t'*} authority=${both#*$'\t'}
    case $login in
        '' | None) echo "there is no parameter $REGISTRY_PARAMETERS/pull to log in to $1 with" >&2; return 1 ;;
    esac
    case $authority in
        '' | None) ;;
        *) trust_authority "$1" "$authority" || return 1 ;;
    esac
    # Standard input, from the shell itself: no other process sees the password.
    printf '%s' "${login#*:}" | docker login --username "${login%%:*}" --password-stdin "$1" >/dev/null ||
        { echo "the registry $1 refuses the log-in of $REGISTRY_PARAMETERS/pull" >&2; return 1; }
}

# trust_authority REGISTRY PEM: the engine looks there at each pull.
trust_authority() {
    local trust=/etc/docker/certs.d/$1
    install -d -m 0755 "$trust" && printf '%s\n' "$2" >"$trust/ca.crt.$$" && mv "$trust/ca.crt.$$" "$trust/ca.crt"
}
