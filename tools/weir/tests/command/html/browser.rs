//! A browser that tests drive, by the protocol of its developer tools.
//!
//! <https://chromedevtools.github.io/devtools-protocol/>

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The browsers that no test uses at the moment: a test takes one of them, because a start takes longer than most visits.
static IDLE: Mutex<Vec<Browser>> = Mutex::new(Vec::new());
/// A browser that was started so long ago is used no more.
const AGE: Duration = Duration::from_secs(60);

pub struct Browser {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    began: Instant,
    messages: u64,
    session: Option<String>,
    is_loaded: bool,
    _profile: tempfile::TempDir,
}

/// Visits pages with a browser that has an empty one and no storage of other visits. `first` runs before all scripts of
/// any page.
pub fn visit<T>(first: &str, visit: impl FnOnce(&mut Browser) -> T) -> T {
    let idle = || IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = idle().pop();
    let mut browser = known.unwrap_or_else(Browser::start);
    let context = browser.open(first);
    let result = visit(&mut browser);
    // It is not used again after a panic.
    browser.close(&context);
    if browser.began.elapsed() < AGE {
        idle().push(browser);
    }
    result
}

impl Browser {
    fn start() -> Browser {
        let profile = tempfile::tempdir().expect("a directory");
        // The protocol has the descriptors 3 and 4. When the tests end, an idle browser sees the end of its pipe, and then only
        // the shell is left to remove the profile.
        let browser = format!(
            "timeout -s KILL 180 chromium --headless --no-sandbox --no-first-run --disable-gpu --disable-dev-shm-usage \
             --disable-background-networking --window-size=1400,1000 --user-data-dir={0} --remote-debugging-pipe 3<&0 4>&1 \
             </dev/null >/dev/null 2>&1; rm -rf {0}",
            profile.path().display()
        );
        let mut process = Command::new("sh")
            .args(["-c", &browser])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("started");
        let to = process.stdin.take().expect("a pipe");
        let from = BufReader::new(process.stdout.take().expect("a pipe"));
        Browser {
            process,
            to,
            from,
            began: Instant::now(),
            messages: 0,
            session: None,
            is_loaded: false,
            _profile: profile,
        }
    }

    /// Opens an empty page. Returns the name of the storage that it has for itself.
    fn open(&mut self, first: &str) -> Value {
        let created = self.ask("Target.createBrowserContext", json!({}));
        let context = created["browserContextId"].clone();
        let create = json!({ "url": "about:blank", "browserContextId": context });
        let target = self.ask("Target.createTarget", create);
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.ask("Target.attachToTarget", attach);
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        self.ask("Page.enable", json!({}));
        self.ask(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": first }),
        );
        context
    }

    /// Closes the page.
    fn close(&mut self, context: &Value) {
        self.session = None;
        let dispose = json!({ "browserContextId": context });
        self.ask("Target.disposeBrowserContext", dispose);
    }

    /// Goes to an address, and waits until the page is loaded.
    pub fn go(&mut self, address: &str) {
        self.is_loaded = false;
        self.ask("Page.navigate", json!({ "url": address }));
        while !self.is_loaded {
            self.heard("a page");
        }
    }

    /// The value of an expression, or what its promise comes to.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.ask("Runtime.evaluate", asked);
        let exception = &answer["exceptionDetails"];
        assert!(exception.is_null(), "{expression}: {exception:#}");
        answer["result"]["value"].clone()
    }

    /// Presses a key, as a user does.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "End" => (35, ""),
            "Home" => (36, ""),
            "ArrowLeft" => (37, ""),
            "ArrowUp" => (38, ""),
            "ArrowRight" => (39, ""),
            "ArrowDown" => (40, ""),
            other => panic!("no key {other}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.messages += 1;
        let mut message = json!({ "id": self.messages, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to
            .write_all(format!("{message}\0").as_bytes())
            .expect("the browser reads");
        loop {
            let answer = self.heard(method);
            if answer["id"] == json!(self.messages) {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
        }
    }

    /// The next message of the browser.
    fn heard(&mut self, waiting_for: &str) -> Value {
        let mut message = Vec::new();
        self.from.read_until(0, &mut message).expect("read");
        assert_eq!(
            message.pop(),
            Some(0),
            "the browser ended before {waiting_for}: is chromium installed?"
        );
        let message: Value = serde_json::from_slice(&message).expect("JSON");
        let is_of_page = message["sessionId"].as_str() == self.session.as_deref();
        self.is_loaded |= is_of_page && message["method"] == "Page.loadEventFired";
        message
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
