# A web server that is reloaded with another configuration, and then ended.
ask() { curl -s --max-time 5 --unix-socket "$PWD/socket" http://here/; }
config() { printf 'daemon off; user root; pid nginx.pid; error_log error.log; worker_processes 2;\nevents { worker_connections 64; }\nhttp { access_log access.log; server { listen unix:%s/socket; location / { return 200 "%s\\n"; } } }\n' "$PWD" "$1" > nginx.conf; }
# Prints the answer that it waited for. An old worker may still give the next one.
until_is() { tries=0; until answer=$(ask); test "$answer" = "$1"; do tries=$((tries + 1)); test $tries -lt 200 || break; sleep 0.05; done; echo "$answer"; }
config one
/usr/sbin/nginx -p "$PWD" -e error.log -c "$PWD/nginx.conf" & server=$!
until_is one
for n in 1 2 3 4 5 6 7 8 9; do ask; done
config two
kill -HUP $server
until_is two
kill -QUIT $server
wait $server
echo "server $?"
grep -c -E 'alert|emerg|crit' error.log || true
