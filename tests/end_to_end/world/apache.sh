# A web server that is reloaded with another configuration, and then ended. The argument is its port.
port=$1
ask() { curl -s --max-time 5 "http://127.0.0.1:$port/"; }
config() {
    for module in mpm_event authz_core; do echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"; done
    printf 'ServerRoot %s\nListen 127.0.0.1:%s\nServerName here\nPidFile pid\nErrorLog error.log\nUser nobody\nGroup nogroup\nDocumentRoot /usr/share\nErrorDocument 403 "%s"\nErrorDocument 404 "%s"\n<Directory />\nRequire all denied\n</Directory>\nStartServers 2\nDefaultRuntimeDir %s\nMutex sysvsem\n' "$PWD" "$port" "$1" "$1" "$PWD"
}
# Prints the answer that it waited for. An old worker may still give the next one.
until_is() { tries=0; until answer=$(ask); test "$answer" = "$1"; do tries=$((tries + 1)); test $tries -lt 200 || break; sleep 0.05; done; echo "$answer"; }
config one > conf
/usr/sbin/apache2 -f "$PWD/conf" -D FOREGROUND & server=$!
until_is one
for n in 1 2 3 4 5 6 7 8 9; do ask; done; echo
config two > conf
kill -USR1 $server
until_is two
kill -TERM $server
wait $server
echo "server $?"
