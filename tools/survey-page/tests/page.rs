// SPDX-License-Identifier: GPL-2.0

//! The page of the sample, as a text; tools/testing/survey-page looks at it in a browser.

use std::collections::HashSet;
use std::process::{Command, Output};
use survey_lib::{report::Report, sample};

fn page(report: &Report) -> String {
    survey_page::page(report).unwrap()
}

/// Values of an attribute.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!(" {attribute}=\"");
    page.split(&begin)
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(value, _)| value)
        .collect()
}

#[test]
fn each_link_leads_to_one_place_of_the_page() {
    let report = sample::report();
    let page = page(&report);
    let ids = values(&page, "id");
    let unique: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len());
    let links = values(&page, "href");
    for link in &links {
        assert!(unique.contains(&link[1..]), "{link}");
    }
    for subject in &report.subjects {
        for way in &report.ways {
            let link = format!("#{}/{}", subject.name, way.name);
            assert!(links.contains(&&*link), "{link}");
        }
    }
}

#[test]
fn nothing_comes_from_elsewhere() {
    let page = page(&sample::report());
    let page = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for part in [
        "<script", "<link", "<iframe", " src=", "http:", "https:", "url(", "@import",
    ] {
        assert!(!page.contains(part), "{part}");
    }
}

#[test]
fn all_of_a_report_is_escaped() {
    let mut report = sample::report();
    let hostile = || format!("</style></pre>{}", sample::HOSTILE);
    for text in [
        &mut report.kernel,
        &mut report.machine,
        &mut report.date,
        &mut report.revision,
        &mut report.reproduce,
    ] {
        *text = hostile();
    }
    for subject in &mut report.subjects {
        (subject.title, subject.about, subject.recipe) = (hostile(), hostile(), hostile());
    }
    for way in &mut report.ways {
        (way.title, way.about) = (hostile(), hostile());
    }
    for cell in &mut report.cells {
        (cell.why, cell.reproduce) = (hostile(), hostile());
        (cell.confirmed, cell.report) = (Some(hostile()), Some(hostile()));
        if let Some(first) = &mut cell.first {
            first.what = hostile();
        }
    }
    let page = page(&report);
    assert!(page.contains("&lt;script&gt;alert(&quot;&amp;amp;&quot;)"));
    assert!(!page.contains("<script"));
    assert_eq!(page.matches("</style>").count(), 1);
    assert_eq!(page.matches("<pre").count(), page.matches("</pre>").count());
}

#[test]
fn a_survey_that_ended_early_has_a_page() {
    let mut report = sample::report();
    report.cells.truncate(3);
    assert!(page(&report).contains("not run"));
    report.subjects.clear();
    report.ways.clear();
    report.cells.clear();
    assert!(page(&report).contains("0 findings"));
}

fn survey_page(json: &str, room: &tempfile::TempDir) -> Output {
    let input = room.path().join("report.json");
    std::fs::write(&input, json).unwrap();
    Command::new(env!("CARGO_BIN_EXE_survey-page"))
        .args([input, room.path().join("page.html")])
        .output()
        .unwrap()
}

#[test]
fn the_program_writes_the_page() {
    let room = tempfile::tempdir().unwrap();
    let output = survey_page(&serde_json::to_string(&sample::report()).unwrap(), &room);
    assert!(output.status.success(), "{output:?}");
    let written = std::fs::read_to_string(room.path().join("page.html")).unwrap();
    assert!(written == page(&sample::report()));
}

#[test]
fn bad_input_is_one_line_and_no_page() {
    let room = tempfile::tempdir().unwrap();
    let output = survey_page("{\"version\": 7}", &room);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.ends_with("report.json: version=7 is not known: must be 1\n"),
        "{said}"
    );
    assert!(!room.path().join("page.html").exists());
}
