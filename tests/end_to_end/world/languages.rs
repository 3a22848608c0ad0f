//! Interpreters, with threads, children and garbage collectors of their own.

use super::{World, expect_seen};
use crate::support::Program;

#[test]
fn node() {
    let script = r#"
const { Worker, isMainThread, parentPort } = require('worker_threads');
const fs = require('fs'), { spawnSync, exec } = require('child_process'), zlib = require('zlib');
if (isMainThread) {
    fs.writeFileSync('file', 'x'.repeat(100000));
    console.log(zlib.gunzipSync(zlib.gzipSync(fs.readFileSync('file'))).length);
    console.log(spawnSync('/bin/echo', ['child']).stdout.toString().trim());
    const worker = new Worker(__filename);
    worker.on('message', text => console.log(text));
    worker.on('exit', () => exec('exit 3', error => {
        console.log(error.code);
        const server = require('net').createServer(socket => socket.end('bye')).listen('socket', () =>
            require('net').connect('socket').on('data', data => { console.log(data.toString()); server.close(); }));
    }));
} else {
    let all = [];
    for (let n = 0; n < 200000; n++) all.push({ n });
    parentPort.postMessage(all.reduce((sum, { n }) => sum + n, 0));
}
"#;
    World::new(Program::new("/usr/bin/node").arg("script.js"))
        .prepared(move |folder| std::fs::write(folder.join("script.js"), script).expect("a file"))
        .expect_same(|report| expect_seen(report, "node"));
}

/// A program that every Java has. It makes keys, with threads, a compiler and a garbage collector.
#[test]
fn java() {
    let script = "keytool -genkeypair -alias one -dname CN=one -storepass password -keystore keys -keyalg EC -validity 9 \
                  2> /dev/null && keytool -list -keystore keys -storepass password | grep -c PrivateKeyEntry; \
                  java -version 2>&1";
    World::script(script).noisy().expect_same(|report| {
        let java = report
            .processes
            .iter()
            .find(|image| image.executable.ends_with("/java"));
        assert!(java.is_some());
        expect_seen(report, "grep");
    });
}

#[test]
fn ruby() {
    let script = r#"
require 'socket'
File.write('file', 'y' * 100_000)
puts File.read('file').size
puts 4.times.map { |n| Thread.new { (1..20_000).map { |i| (i + n).to_s }.join.size } }.map(&:value).sum
GC.start
puts `echo child`
pid = fork { puts 'forked'; $stdout.flush; exit! 3 }
Process.wait pid
puts $?.exitstatus
one, other = UNIXSocket.pair
one.write 'z' * 5000
one.close
puts other.read.size
begin
  Process.kill(:USR1, Process.pid) if trap(:USR1) { raise 'signal' }
  sleep 1
rescue => error
  puts error.message
end
pid = spawn('/bin/sh', '-c', 'kill -9 $$')
Process.wait pid
puts $?.termsig
at_exit { puts 'end' }
"#;
    World::new(Program::new("/usr/bin/ruby").arg("-e").arg(script))
        .expect_same(|report| expect_seen(report, "ruby3.1"));
}

#[test]
fn php() {
    let script = r#"
file_put_contents('file', str_repeat('x', 100000));
echo strlen(file_get_contents('file')), "\n";
$all = [];
for ($n = 0; $n < 50000; $n++) $all[] = [$n, (string)$n];
echo count($all), ' ', md5(serialize($all)), "\n";
echo shell_exec('echo child');
$process = proc_open('cat', [['pipe', 'r'], ['pipe', 'w']], $pipes);
fwrite($pipes[0], 'through'); fclose($pipes[0]);
echo stream_get_contents($pipes[1]), ' ', proc_close($process), "\n";
exit(0);
"#;
    World::new(Program::new("/usr/bin/php").args(["-n", "-r", script]))
        .expect_same(|report| expect_seen(report, "cat"));
}
