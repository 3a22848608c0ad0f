//! What was done to each socket, by the address of its other end.

use weir_report::model::FileUse;

use crate::support::{Mode, Program, victim};

#[test]
fn sockets_are_reported_by_their_addresses() {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("socket_names"))
            .run(mode)
            .expect_status(0);
        let text = outcome.text();
        let (tcp, udp) = text.trim().split_once(' ').expect("two ports");
        let files = &outcome.process().files.listed;
        let found = |kind: &str, name: &str| -> &FileUse {
            files
                .iter()
                .find(|file| file.kind == kind && file.name == name)
                .unwrap_or_else(|| panic!("no {kind} {name} among {files:#?}"))
        };
        // Reads, bytes read, writes, bytes written.
        let moved = |kind: &str, name: &str| {
            let file = found(kind, name);
            let (reads, writes) = (file.reads, file.writes);
            (reads, file.read_bytes, writes, file.written_bytes)
        };
        // Three connections, with two exchanges each.
        let client = format!("to 127.0.0.1:{tcp}");
        assert_eq!(moved("tcp", &client), (6, 180, 6, 600));
        assert_eq!(found("tcp", &client).opens, 3);
        let server = format!("accepted from 127.0.0.1 at 127.0.0.1:{tcp}");
        assert_eq!(moved("tcp", &server), (6, 600, 6, 180));
        assert_eq!(found("tcp", &server).opens, 3);
        assert_eq!(moved("tcp", &format!("at 127.0.0.1:{tcp}")), (0, 0, 0, 0));
        assert_eq!(moved("udp", &format!("to 127.0.0.1:{udp}")), (0, 0, 1, 7));
        assert_eq!(moved("udp", &format!("at 127.0.0.1:{udp}")), (1, 7, 0, 0));
        assert_eq!(moved("unix", "to socket"), (1, 30, 1, 100));
        assert_eq!(moved("unix", "accepted at socket"), (1, 100, 1, 30));
        assert_eq!(moved("socketpair", ""), (2, 130, 2, 130));
    }
}
