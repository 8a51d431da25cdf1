# Shared by the documents: wait until the user data has made this machine a node.
await_boot() {
    local deadline=$((SECONDS + BOOT_LIMIT_S))
    until [ -e /var/lib/swarmkeeper/booted ]; do
        if [ -e /var/lib/swarmkeeper/boot-failed ]; then
            echo "the user data failed: $(cat /var/lib/swarmkeeper/boot-failed)" >&2
            return 1
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "the user data has not finished after $BOOT_LIMIT_S s" >&2
            return 1
        fi
        sleep 0.2
    done
}
