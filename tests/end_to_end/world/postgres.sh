# A database. A server process is killed in the middle of a query: all others end and start again.
set -e
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
d=$PWD
query() { "$bin/psql" -X -A -t -h "$d" -U someone postgres -c "$1"; }
"$bin/initdb" -D data -U someone -A trust -N --no-locale > init.log 2>&1 || cat init.log
"$bin/postgres" -D data -k "$d" -h '' -F > server.log 2>&1 &
server=$!
tries=0
until "$bin/pg_isready" -q -h "$d"; do tries=$((tries + 1)); test $tries -lt 200; sleep 0.05; done
query 'create table t as select generate_series(1, 5000) n' 
query 'select sum(n) from t'
# The killed process is the one that serves this query.
query 'select pg_backend_pid(), pg_sleep(30)' > /dev/null 2>&1 & client=$!
tries=0
until pid=$(query "select pid from pg_stat_activity where query like '%pg_sleep(30)' and pid <> pg_backend_pid()") && test -n "$pid"; do
    tries=$((tries + 1)); test $tries -lt 100; sleep 0.05
done
kill -KILL "$pid"
wait $client || echo "client $?"
tries=0
until query 'select count(*) from t' > count 2> /dev/null; do tries=$((tries + 1)); test $tries -lt 200; sleep 0.05; done
cat count
kill -TERM $server
wait $server && echo "server $?"
grep -c 'was terminated by signal 9' server.log
