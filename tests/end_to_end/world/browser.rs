//! A browser: a zygote that makes its children by clone, a sandbox that takes system calls away, an allocator of its
//! own.

use super::{World, calls};
use crate::support::{Mode, Program};

const PAGE: &str = "<p id=x></p><script>document.getElementById('x').textContent = \
                    'sum ' + [1, 2, 3].reduce((a, b) => a + b)</script>";

fn chromium(with_sandbox: bool) -> World {
    let script = format!(
        "exec chromium --headless --no-first-run --disable-gpu --disable-background-networking \
         --disable-dev-shm-usage {} --dump-dom \"file://$PWD/page.html\"",
        if with_sandbox { "" } else { "--no-sandbox" }
    );
    // Its messages on standard error contain times and process ids.
    World::new(Program::new("/bin/sh").args(["-c", &script]))
        .prepared(|folder| std::fs::write(folder.join("page.html"), PAGE).expect("a file"))
        .by_nobody()
        .noisy()
}

/// With its sandbox, if users may have namespaces of their own; else without it.
#[test]
fn chromium_shows_a_page() {
    let sandboxed = chromium(true);
    let may = sandboxed.run(Mode::Plain, None).status.success();
    let world = if may { sandboxed } else { chromium(false) };
    assert!(world.run(Mode::Plain, None).stdout.contains("sum 6"));
    world.expect_same(|report| assert_ne!(calls(report, "chromium", "read"), 0));
}
