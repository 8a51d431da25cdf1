#!/bin/sh
# The child of the node's init: runs the user data once, as cloud-init does, then lives as long as the node.
# As under cloud-init HOME is unset and the script's own first line chooses its interpreter.
instance=/var/lib/cloud/instance
log=/var/log/cloud-init-output.log
script=$instance/scripts/part-001
mkdir -p $instance/scripts
cd / || exit 1
if [ -s $instance/user-data.txt ]; then
    if [ "$(head -c 2 $instance/user-data.txt)" = '#!' ]; then
        install -m 700 $instance/user-data.txt $script
        $script >$log 2>&1 </dev/null
        code=$?
        [ $code -eq 0 ] || echo "Failed to run the user data: exit code $code" >>$log
    else
        code=1
        echo 'Unhandled user data: only a script that starts with #! is understood on this machine' >$log
    fi
else
    code=0
    : >$log
fi
echo "$code" >$instance/user-data.exit
touch $instance/boot-finished
exec sleep infinity
