//! Who is told of a night, and how.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::program;
use crate::suite::{Nightly, small};

#[test]
fn somebody_is_told_by_a_command() {
    let notify = "[[notify]]\non = \"always\"\ncommand = [\"sh\", \"-c\", \"cat > $FGD_TEST_TOLD\"]\n\
                  [[notify]]\nwebhook = \"FGD_TEST_NOT_SET\"\non = \"always\"\n";
    let suite = Nightly::new(&small(notify));
    let told = suite.path("told.json");
    let mut command = suite.place.fgd();
    let output = command
        .args(["nightly", "run"])
        .arg(suite.suite())
        .env("FGD_TEST_TOLD", &told)
        .output()
        .unwrap();
    let stderr = program::stderr(&output);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("FGD_TEST_NOT_SET is not set"), "{stderr}");
    let message: Value = serde_json::from_str(&std::fs::read_to_string(told).unwrap()).unwrap();
    assert_eq!(message["suite"], "small");
    assert_eq!(message["verdict"], "insufficient_history");
}

#[test]
fn a_command_that_never_ends_is_given_up() {
    // It reads nothing either, and has a child of its own.
    let notify = "[[notify]]\non = \"always\"\ntimeout = \"0.3s\"\ncommand = [\"sh\", \"-c\", \"sleep 600 & sleep 600\"]\n";
    let suite = Nightly::new(&small(notify));
    let (code, _, stderr) = suite.nightly(&["run"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("nobody told: sh: not done after 0.3 s"), "{stderr}");
}

/// A server that answers each post with the next of these statuses, and what was posted to it.
fn server(statuses: &'static [u16]) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, posted) = channel();
    std::thread::spawn(move || {
        for (stream, status) in listener.incoming().flatten().zip(statuses) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head).unwrap() > 2 {
                let line = head.lines().last().unwrap_or_default();
                if let Some((name, value)) = line.split_once(": ")
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let reply =
                format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            (&stream).write_all(reply.as_bytes()).unwrap();
            sender.send((head, serde_json::from_slice(&body).unwrap())).unwrap();
        }
    });
    (address, posted)
}

#[test]
fn somebody_is_told_by_a_webhook_and_a_server_in_trouble_does_not_fail_the_night() {
    let (address, posted) = server(&[204, 503]);
    let notify =
        "[[notify]]\non = \"always\"\nwebhook = \"FGD_TEST_HOOK\"\ntoken = \"FGD_TEST_TOKEN\"\n";
    let suite = Nightly::new(&small(notify));
    let run = || {
        let mut command = suite.place.fgd();
        let output = command
            .args(["nightly", "run"])
            .arg(suite.suite())
            .env("FGD_TEST_HOOK", &address)
            .env("FGD_TEST_TOKEN", "a-secret")
            .output()
            .unwrap();
        assert!(output.status.success());
        program::stderr(&output)
    };
    let said = run();
    let (head, message) = posted.recv().unwrap();
    assert!(head.starts_with("POST /hook "), "{head}");
    let head = head.to_lowercase();
    assert!(head.contains("authorization: bearer a-secret"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    assert_eq!(message["suite"], "small");
    assert!(!said.contains("nobody told"), "{said}");
    let said = run();
    posted.recv().unwrap();
    assert!(said.contains("FGD_TEST_HOOK answers 503"), "{said}");
    assert!(!said.contains(&address) && !said.contains("a-secret"), "{said}");
}
