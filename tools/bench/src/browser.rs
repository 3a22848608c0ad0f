//! Chromium without a window, by the protocol of its developer tools.
//!
//! <https://chromedevtools.github.io/devtools-protocol/>

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::scratch;

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    messages: u64,
    session: Option<String>,
    _profile: TempDir,
}

impl Browser {
    /// Starts `chromium` with an empty page. It is killed after two minutes.
    pub fn start(chromium: &Path) -> Result<Browser> {
        let profile = scratch()?;
        // The protocol has the descriptors 3 and 4.
        let script = "exec timeout -s KILL 120 \"$0\" --headless --no-sandbox --no-first-run --disable-gpu --disable-dev-shm-usage \
             --disable-background-networking --window-size=1400,1000 --user-data-dir=\"$1\" --remote-debugging-pipe 3<&0 4>&1 \
             </dev/null >/dev/null 2>&1";
        let mut process = Command::new("sh")
            .args(["-c", script])
            .args([chromium, profile.path()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot run sh")?;
        let pipes = (process.stdin.take(), process.stdout.take());
        let (Some(to), Some(from)) = pipes else {
            bail!("the browser has no pipes");
        };
        let mut browser = Browser {
            process,
            to,
            from: BufReader::new(from),
            messages: 0,
            session: None,
            _profile: profile,
        };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.ask("Target.attachToTarget", attach)?;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        browser.ask("Page.enable", json!({}))?;
        Ok(browser)
    }

    /// Goes to a file, and waits until it is loaded.
    pub fn open(&mut self, file: &Path) -> Result<()> {
        let url = format!("file://{}", file.display());
        self.ask("Page.navigate", json!({ "url": url }))?;
        while self.heard()?["method"] != "Page.loadEventFired" {}
        Ok(())
    }

    /// What the promise of an expression comes to.
    pub fn value(&mut self, expression: &str) -> Result<Value> {
        let asked =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.ask("Runtime.evaluate", asked)?;
        let exception = &answer["exceptionDetails"];
        ensure!(exception.is_null(), "the page failed: {exception}");
        Ok(answer["result"]["value"].clone())
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.messages += 1;
        let mut message = json!({ "id": self.messages, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let text = format!("{message}\0");
        let written = self.to.write_all(text.as_bytes());
        written.context("the browser has ended")?;
        loop {
            let answer = self.heard()?;
            if answer["id"] == json!(self.messages) {
                ensure!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return Ok(answer["result"].clone());
            }
        }
    }

    /// The next message of the browser.
    fn heard(&mut self) -> Result<Value> {
        let mut message = Vec::new();
        self.from.read_until(0, &mut message)?;
        ensure!(message.pop() == Some(0), "the browser has ended");
        Ok(serde_json::from_slice(&message)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Also its own processes: `timeout` passes this on to its group.
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.process.wait();
    }
}
