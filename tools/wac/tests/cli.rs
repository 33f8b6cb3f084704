// SPDX-License-Identifier: GPL-2.0

//! wac as a user meets it: exit status, what it prints, what it leaves in the file.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A directory next to the build, so on a real filesystem rather than a tmpfs.
fn room() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn command(args: &[&str], file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wac"));
    command.args(args).arg(file);
    command
}

fn wac(args: &[&str], file: &Path) -> Output {
    command(args, file).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs with `--json` and returns the exit status and the document.
fn json(args: &[&str], room: &TempDir) -> (i32, serde_json::Value) {
    let result = room.path().join("result.json");
    let mut all = vec!["--json", result.to_str().unwrap(), "--progress", "none"];
    all.extend(args);
    let output = wac(&all, &room.path().join("data"));
    let text = std::fs::read(&result).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    (
        output.status.code().unwrap(),
        serde_json::from_slice(&text).unwrap(),
    )
}

#[track_caller]
fn assert_clean(status: i32, result: &serde_json::Value) {
    assert_eq!(status, 0, "{result:#}");
    assert_eq!(result["verdict"], "clean");
    assert_eq!(result["exit_status"], 0);
    assert_eq!(result["io_errors"], 0);
    let readback = &result["readback"];
    assert_eq!(readback["cache"]["foreign"], 0);
    assert_eq!(readback["disk"]["foreign"], 0);
    assert!(result["operations"].as_u64().unwrap() > 0);
}

#[test]
fn a_short_run_of_each_buffered_profile_is_clean() {
    for letter in ["A", "b", "C"] {
        let (status, result) = json(&["-p", letter, "-n", "6", "--time", "0.3"], &room());
        assert_clean(status, &result);
        assert_eq!(result["workers"].as_array().unwrap().len(), 6);
        assert_eq!(result["violations"], serde_json::Value::Null);
    }
}

#[test]
fn a_short_run_of_each_direct_profile_is_clean() {
    for letter in ["D", "E", "F"] {
        let room = room();
        let probe = wac(
            &["-p", letter, "--ops", "1", "-n", "2"],
            &room.path().join("probe"),
        );
        if stderr(&probe).contains("does not support O_DIRECT") {
            eprintln!("skipped: no O_DIRECT here");
            return;
        }
        // F may see mixing errors; they must not count.
        let (status, result) = json(&["-p", letter, "-n", "6", "--time", "0.3"], &room);
        assert_clean(status, &result);
        assert_eq!(result["plan"]["direct"], true);
    }
}

#[test]
fn buffers_are_rewritten_in_flight() {
    let room = room();
    let args = ["-p", "D", "-n", "4", "--rewrite-in-flight", "--time", "0.5"];
    let probe = wac(
        &["-p", "D", "--ops", "1", "-n", "1"],
        &room.path().join("probe"),
    );
    if stderr(&probe).contains("does not support O_DIRECT") {
        eprintln!("skipped: no O_DIRECT here");
        return;
    }
    let (status, result) = json(&args, &room);
    assert_clean(status, &result);
    assert!(
        result["rewritten_words"].as_u64().unwrap() > 0,
        "{result:#}"
    );
}

#[test]
fn processes_do_the_same_work() {
    let args = ["-n", "4", "--processes", "--ops", "20", "--seed", "3"];
    let (status, result) = json(&args, &room());
    assert_clean(status, &result);
    assert_eq!(result["operations"], 80);
    let latency = &result["latency_ns"];
    assert_eq!(latency["write"]["count"], 40);
    assert_eq!(latency["store"]["count"], 40);
}

#[test]
fn the_same_seed_writes_the_same_file() {
    let contents = |seed: &str, kind: &str| {
        let room = room();
        let args = [kind, "1", "--ops", "50", "--seed", seed];
        let (status, result) = json(&args, &room);
        assert_clean(status, &result);
        std::fs::read(room.path().join("data")).unwrap()
    };
    assert!(contents("5", "--writers") == contents("5", "--writers"));
    assert!(contents("5", "--writers") == contents("5", "--mappers"));
    assert!(contents("5", "--writers") != contents("6", "--writers"));
}

#[test]
fn wrong_usage_exits_2_with_one_line_that_names_what_is_allowed() {
    let room = room();
    let file = room.path().join("data");
    for (args, allowed) in [
        (&["--profile", "G"][..], "A, B, C, D, E, F"),
        (&["--writer-sync", "msync"], "none, sync_file_range"),
        (&["--time", "soon"], "10s, 2m"),
        (&["--block-size", "100"], "powers of two"),
        (&["--violations", "/nonexistent/counter"], "--violations"),
        (&["--json", "/nonexistent/result"], "--json"),
    ] {
        let output = wac(args, &file);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.starts_with("wac: "), "{message}");
        assert!(message.contains(allowed), "{message}");
    }
    let output = wac(&[], Path::new("/nonexistent/file"));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/nonexistent/file: open: ENOENT"));
    assert_eq!(wac(&[], Path::new("/proc")).status.code(), Some(2));
}

/// Makes a file and its result.
fn finished(room: &TempDir) -> (PathBuf, PathBuf) {
    let (status, result) = json(&["-n", "4", "--time", "0.2"], room);
    assert_clean(status, &result);
    (room.path().join("data"), room.path().join("result.json"))
}

fn verify(file: &Path, result: &Path) -> Output {
    wac(&["verify", "--result", result.to_str().unwrap()], file)
}

#[test]
fn verify_agrees_with_the_run() {
    let room = room();
    let (file, result) = finished(&room);
    let output = verify(&file, &result);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn verify_finds_a_flipped_bit() {
    let room = room();
    let (file, result) = finished(&room);
    let handle = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&file)
        .unwrap();
    let mut byte = [0];
    handle.read_exact_at(&mut byte, 20_003).unwrap();
    handle.write_all_at(&[byte[0] ^ 1], 20_003).unwrap();
    let output = verify(&file, &result);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("offset 20000"), "{text}");
    assert!(text.contains("not written by any worker"), "{text}");
}

#[test]
fn verify_finds_a_block_of_another_run() {
    let (room, other) = (room(), room());
    let (file, result) = finished(&room);
    let (file2, _) = finished(&other);
    let mut block = vec![0; 4096];
    std::fs::File::open(file2)
        .unwrap()
        .read_exact_at(&mut block, 8192)
        .unwrap();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .write_all_at(&block, 8192)
        .unwrap();
    assert_eq!(verify(&file, &result).status.code(), Some(1));
}

#[test]
fn verify_refuses_what_is_not_a_result() {
    let room = room();
    let (file, _) = finished(&room);
    assert_eq!(verify(&file, &file).status.code(), Some(2));
}

#[test]
fn a_counter_that_grows_is_a_violation_and_can_end_the_run() {
    let room = room();
    let counter = room.path().join("violations");
    std::fs::write(&counter, "41\n").unwrap();
    let result = room.path().join("result.json");
    let args = [
        "-n",
        "2",
        "--time",
        "60",
        "--until-violation",
        "--violations",
        counter.to_str().unwrap(),
        "--json",
        result.to_str().unwrap(),
        "--progress",
        "plain",
        "--interval",
        "0.1",
    ];
    let mut child = command(&args, &room.path().join("data"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It has looked at the counter before it says how far it is.
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.starts_with("wac: "), "{line}");
    // As debugfs would: never empty in between.
    let next = room.path().join("next");
    std::fs::write(&next, "44\n").unwrap();
    std::fs::rename(&next, &counter).unwrap();
    // The pipe stays open until it has ended.
    std::io::copy(&mut said, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let result: serde_json::Value =
        serde_json::from_slice(&std::fs::read(result).unwrap()).unwrap();
    assert_eq!(result["verdict"], "violation");
    assert_eq!(result["violations"], 3);
    let first = result["first_violation_s"].as_f64().unwrap();
    assert!(first > 0.0 && first < 30.0, "{first}");
    assert!(result["elapsed_s"].as_f64().unwrap() < 30.0);
}

#[test]
fn a_file_cut_short_under_the_mappers_is_an_error_not_a_crash() {
    for processes in [false, true] {
        let room = room();
        let file = room.path().join("data");
        let result = room.path().join("result.json");
        let mut args = vec!["--mappers", "3", "--time", "3", "--until-violation"];
        args.extend(["--json", result.to_str().unwrap()]);
        args.extend(processes.then_some("--processes"));
        let child = command(&args, &file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(700));
        std::fs::OpenOptions::new()
            .write(true)
            .open(&file)
            .unwrap()
            .set_len(0)
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let text = std::fs::read_to_string(result).unwrap();
        let result: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(result["verdict"], "io_error");
        assert!(text.contains("SIGBUS"), "{text}");
    }
}

#[test]
fn json_on_standard_output_is_nothing_but_json() {
    let room = room();
    let args = ["--json", "-", "-n", "2", "--ops", "5"];
    let output = wac(&args, &room.path().join("data"));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["operations"], 10);
    assert!(stderr(&output).contains("verdict     clean"));
}

#[test]
fn without_a_terminal_progress_is_plain_lines() {
    let room = room();
    let args = ["-n", "2", "--time", "0.7", "--interval", "0.2"];
    let output = wac(&args, &room.path().join("data"));
    let text = stderr(&output);
    assert!(text.lines().count() >= 2, "{text}");
    assert!(text.lines().all(|line| line.starts_with("wac: ")), "{text}");
    assert!(!text.contains('\x1b') && !text.contains('\r'), "{text:?}");
}

#[test]
fn two_runs_on_one_file_exclude_each_other() {
    let room = room();
    let file = room.path().join("data");
    let mut first = command(&["-n", "2", "--time", "60", "--progress", "none"], &file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let output = wac(&["-n", "2", "--time", "1"], &file);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("in use by another wac"));
}
